//! Making and opening vaults: right and wrong keys, half-made ones, newer ones, other things.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::destination::{Destination, Direction, Traffic, WriteMode};
use backstay_core::layout::Layout;
use backstay_core::{ErrorClass, Secret};
use backstay_lab::MemoryDestination;
use backstay_layouts::{Presence, Vault, presence};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

async fn refusal(memory: &MemoryDestination, password: &str) -> backstay_core::Error {
    match Vault::open(Arc::new(memory.clone()), &Secret::new(password)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn made_once_opened_ever_after() {
    let memory = MemoryDestination::new();
    assert_eq!(presence(&memory).await.unwrap(), Presence::Empty);
    let made = Vault::create(Arc::new(memory.clone()), &password()).await.unwrap();
    assert_eq!(made.id().len(), 64);
    assert_eq!(presence(&memory).await.unwrap(), Presence::Vault);
    assert_eq!(open(&memory).await.id(), made.id());
    assert!(made.list().await.unwrap().is_empty());
    let again = Vault::create(Arc::new(memory.clone()), &password()).await.err().unwrap();
    assert_eq!(again.class, ErrorClass::Exists);
    let empty = Vault::create(Arc::new(MemoryDestination::new()), &Secret::new("")).await.err().unwrap();
    assert_eq!(empty.class, ErrorClass::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_password_is_named_as_such() {
    let memory = new_vault().await;
    backup(&open(&memory).await, &Files::from([file("srv/a", b"1")])).await;
    let error = refusal(&memory, "wrong").await;
    assert_eq!(error.class, ErrorClass::WrongKey, "{error:?}");
    assert!(error.hint.unwrap().ends_with("recovery kit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_vault_whose_password_is_lost_may_be_made_anew() {
    let memory = new_vault().await;
    let wrong = refusal(&memory, "wrong").await;
    assert_eq!(wrong.class, ErrorClass::WrongKey, "{wrong:?}");
    let exists = Vault::create(Arc::new(memory.clone()), &password()).await.err().unwrap();
    assert_eq!(exists.class, ErrorClass::Exists, "{exists:?}");
    for error in [wrong, exists] {
        assert!(error.hint.unwrap().contains("make the vault anew"));
    }
    // As the advice says.
    for name in ["config".to_owned(), keys_in(&memory, "keys/").remove(0)] {
        memory.tamper(&name, None);
    }
    Vault::create(Arc::new(memory), &Secret::new("another")).await.unwrap();
}

/// Holds the second object that goes up, a new vault's config after its key, until it may go.
#[derive(Default)]
struct Gate {
    ups: AtomicUsize,
    came: Notify,
    go: Notify,
}

#[async_trait]
impl Traffic for Gate {
    async fn pass(&self, direction: Direction, _: usize) {
        if direction == Direction::Up && self.ups.fetch_add(1, Ordering::Relaxed) == 1 {
            self.came.notify_one();
            self.go.notified().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_make_a_vault_at_once_exactly_one_does() {
    let memory = MemoryDestination::new();
    let (first, second) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let make = |gate: &Arc<Gate>, password: &str| {
        let (place, password) = (memory.with_traffic(gate.clone()), Secret::new(password));
        tokio::spawn(async move { Vault::create(Arc::new(place), &password).await })
    };
    let winner = make(&first, "one");
    first.came.notified().await;
    // The other one comes while the first has a key there, and no config.
    let loser = make(&second, "two");
    second.came.notified().await;
    first.go.notify_one();
    let made = winner.await.unwrap().unwrap();
    second.go.notify_one();
    let error = loser.await.unwrap().err().unwrap();
    assert_eq!(error.class, ErrorClass::Exists, "{error:?}");
    assert!(error.message.contains("at the same time") && error.hint.is_some(), "{error:?}");
    assert_eq!(keys_in(&memory, "keys/").len(), 1);
    let opened = Vault::open(Arc::new(memory.clone()), &Secret::new("one")).await.unwrap();
    assert_eq!(opened.id(), made.id());
    assert_eq!(refusal(&memory, "two").await.class, ErrorClass::WrongKey);
}

#[tokio::test(flavor = "multi_thread")]
async fn places_without_a_vault() {
    let memory = MemoryDestination::new();
    assert_eq!(refusal(&memory, PASSWORD).await.class, ErrorClass::Missing);
    memory.put(&key("holiday.jpg"), Bytes::from("x"), WriteMode::CreateNew).await.unwrap();
    assert_eq!(presence(&memory).await.unwrap(), Presence::Foreign);
    let error = Vault::create(Arc::new(memory.clone()), &password()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Invalid);
    memory.put(&key("config"), Bytes::from("[core]"), WriteMode::CreateNew).await.unwrap();
    assert_eq!(presence(&memory).await.unwrap(), Presence::Foreign);
    memory.set_offline(true);
    assert_eq!(presence(&memory).await.unwrap_err().class, ErrorClass::Offline);
    assert_eq!(refusal(&memory, PASSWORD).await.class, ErrorClass::Offline);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_made_vault_is_made_again() {
    let memory = new_vault().await;
    memory.tamper("config", None);
    assert_eq!(presence(&memory).await.unwrap(), Presence::Empty);
    let error = refusal(&memory, PASSWORD).await;
    assert_eq!(error.class, ErrorClass::Missing);
    assert!(error.message.contains("interrupted"), "{error}");
    Vault::create(Arc::new(memory.clone()), &password()).await.unwrap();
    assert_eq!(keys_in(&memory, "keys/").len(), 1);
    open(&memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn making_one_fails_as_the_destination_fails() {
    for nth in 1..=2 {
        let memory = MemoryDestination::new();
        memory.fail_operation(backstay_lab::memory_destination::Operation::Put, nth, ErrorClass::Full);
        let error = Vault::create(Arc::new(memory.clone()), &password()).await.err().unwrap();
        assert_eq!(error.class, ErrorClass::Full, "{error:?}");
        Vault::create(Arc::new(memory), &password()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_lost_configs() {
    let memory = new_vault().await;
    backup(&open(&memory).await, &Files::from([file("srv/a", b"1")])).await;
    let config = memory.object("config").unwrap();
    let mut flipped = config.to_vec();
    flipped[20] ^= 1;
    memory.tamper("config", Some(flipped.into()));
    assert_eq!(refusal(&memory, PASSWORD).await.class, ErrorClass::Corrupt);
    memory.tamper("config", None);
    let error = refusal(&memory, PASSWORD).await;
    assert_eq!((error.class, error.message.contains("config")), (ErrorClass::Corrupt, true));
    assert_eq!(presence(&memory).await.unwrap(), Presence::Foreign);
    memory.tamper("config", Some(config));
    for absurd in ["{}", "not json", r#"{"kdf":"scrypt","N":0,"r":0,"p":0,"data":"","salt":""}"#] {
        let name = keys_in(&memory, "keys/")[0].clone();
        let good = memory.object(&name).unwrap();
        memory.tamper(&name, Some(Bytes::from(absurd)));
        let error = refusal(&memory, PASSWORD).await;
        assert_eq!(error.class, ErrorClass::Corrupt, "{absurd}: {error:?}");
        // A second, good key opens it all the same.
        memory.tamper(&format!("keys/{}", "0".repeat(64)), Some(good.clone()));
        open(&memory).await;
        memory.tamper(&format!("keys/{}", "0".repeat(64)), None);
        memory.tamper(&name, Some(good));
    }
    open(&memory).await;
}

/// Counts the bytes that come down.
#[derive(Default)]
struct Down(AtomicUsize);

#[async_trait]
impl Traffic for Down {
    async fn pass(&self, direction: Direction, bytes: usize) {
        if direction == Direction::Down {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_object_that_is_far_too_large_no_more_is_read_than_one_can_have() {
    let memory = new_vault().await;
    let files = random_files(62, 10);
    let zeros = |bytes: usize| Some(Bytes::from(vec![0; bytes]));
    let name = "0".repeat(64);
    memory.tamper(&format!("keys/{name}"), zeros(32 << 20));
    memory.tamper(&format!("locks/{name}"), zeros(32 << 20));
    let down = Arc::new(Down::default());
    let record = backup(&open(&memory.with_traffic(down.clone())).await, &files).await;
    let read = down.0.load(Ordering::Relaxed);
    assert!(read < 16 << 20, "{read} bytes were read");
    // What can be no key keeps nobody from making a copy.
    let copy = MemoryDestination::new();
    crate::copies::sync(&open(&memory).await, &copy, std::slice::from_ref(&record.id)).await.unwrap();
    crate::copies::assert_whole(&copy, 1).await;
    let snapshot = format!("snapshots/{}", record.id);
    memory.tamper(&snapshot, zeros((64 << 20) + 1));
    let error = open(&memory).await.open(&record.id).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Corrupt, "{error:?}");
    assert!(error.message.contains(&snapshot) && error.message.contains("64 MiB") && error.hint.is_some(), "{error:?}");
}

//! Making and opening vaults: right and wrong keys, half-made ones, newer ones, other things.

use crate::support::*;
use backstay_core::destination::{Destination, WriteMode};
use backstay_core::layout::Layout;
use backstay_core::{ErrorClass, Secret};
use backstay_lab::MemoryDestination;
use backstay_layouts::{Presence, Vault, presence};
use bytes::Bytes;
use std::sync::Arc;

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
    let error = refusal(&new_vault().await, "wrong").await;
    assert_eq!(error.class, ErrorClass::WrongKey, "{error:?}");
    assert!(error.hint.is_some());
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

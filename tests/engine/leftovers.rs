//! What interrupted uploads left is removed at the end of runs, once a day; what is to be gone on with is not.

use crate::support::*;
use backstay_core::ErrorClass;
use backstay_core::config::Place;
use backstay_core::destination::{Destination, Key, PartUpload};
use backstay_destinations::Opening;
use backstay_lab::memory_destination::Operation;
use chrono::TimeDelta;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const LONG: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// A vault in a folder, and a plan of it.
struct Nas {
    world: World,
    id: String,
    plan: String,
    place: Arc<dyn Destination>,
}

impl Nas {
    async fn new() -> Self {
        let world = World::new().await;
        world.patient().await;
        world.write("data/a", b"content");
        let id = world.vault().await;
        let plan = world.plan("p", &id, vec![files(&world.path("data"))]).await;
        let place = Place::Local { path: text(&world.path("vault")) };
        let place = backstay_destinations::open("nas", &place, Opening::default()).await.unwrap();
        Self { world, id, plan, place }
    }
    async fn upload(&self, name: &str) -> Arc<dyn PartUpload> {
        self.place.begin_upload(&Key::new(name).unwrap(), None).await.unwrap()
    }
    /// As if all that is half written were left long ago.
    fn age(&self) {
        age(&self.world.path("vault"));
    }
    async fn next_day(&self) {
        self.world.parts.clock.jump(TimeDelta::hours(25));
    }
}

fn age(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else if text(&path).contains(".backstay-part-") {
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - LONG).unwrap();
        }
    }
}

async fn is_gone(upload: &dyn PartUpload) -> bool {
    match upload.stored().await {
        Ok(_) => false,
        Err(error) => error.class == ErrorClass::Missing,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_uploads_are_removed_once_a_day_and_journalled_ones_go_on() {
    let nas = Nas::new().await;
    assert_eq!(nas.world.back_up(&nas.plan).await.row.state, "done");
    let (forgotten, kept) = (nas.upload("archives/p/forgotten").await, nas.upload("archives/p/kept").await);
    let state = serde_json::json!({
        "key": "archives/p/kept", "identity": "i", "token": kept.token(), "parts": 0, "tags": [], "sum": "", "completing": null,
    });
    nas.world.parts.store.put_transfer("copy/archive-sync/nas/archives/p/kept", &state.to_string()).unwrap();
    nas.age();
    let young = nas.upload("archives/p/young").await;

    assert_eq!(nas.world.back_up(&nas.plan).await.row.state, "done");
    assert!(!is_gone(&*forgotten).await, "it was looked through today");
    nas.next_day().await;
    let run = nas.world.back_up(&nas.plan).await;
    assert_eq!(run.row.state, "done");
    let lines: Vec<_> = run.log.iter().filter(|line| line.text.contains("leftover")).map(|line| &line.text).collect();
    assert_eq!(lines, ["2 leftovers of interrupted uploads removed at nas"], "{:?}", run.log);
    assert!(is_gone(&*forgotten).await);
    assert!(!is_gone(&*young).await);
    assert!(!is_gone(&*kept).await, "what a later sync goes on with stays, however old it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn syncing_and_freeing_room_clear_up_too() {
    let nas = Nas::new().await;
    assert_eq!(nas.world.back_up(&nas.plan).await.row.state, "done");
    for prunes in [true, false] {
        let forgotten = nas.upload("archives/p/forgotten").await;
        nas.age();
        nas.next_day().await;
        let run = match prunes {
            true => nas.world.engine.start_prune(&nas.id).await.unwrap(),
            false => nas.world.engine.start_sync(&nas.id).await.unwrap(),
        };
        let run = nas.world.end(&run).await;
        assert_eq!(run.row.state, "done", "{:?}", run.row.error);
        assert!(is_gone(&*forgotten).await, "{:?}", run.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_cleared_up_fails_no_run() {
    let world = World::new().await;
    world.patient().await;
    world.write("data/a", b"content");
    let id = world.engine.add_destination(world.bucket("a")).await.unwrap().destination.id;
    let plan = world.plan("p", &id, vec![files(&world.path("data"))]).await;
    let bucket = world.parts.buckets.of("bucket-a");
    bucket.fail_operation(Operation::Sweep, 1, ErrorClass::Offline);
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    assert!(run.log.iter().any(|line| line.text.starts_with("Leftovers were not cleared away: ")), "{:?}", run.log);
    bucket.forget_calls();
    assert_eq!(world.back_up(&plan).await.row.state, "done");
    assert_eq!(bucket.count(Operation::Sweep), 0, "it is not tried again before tomorrow");
}

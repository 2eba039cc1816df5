//! A backup with one copy in a cold class and one at hand: what is at hand is read, and nobody waits without need.

use crate::support::*;
use backstay_contract::{Event, RunDetail};
use backstay_core::destination::Availability;
use backstay_lab::MemoryDestination;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

/// A plan whose archives go to two buckets, neither of which is set to a cold class.
async fn two() -> Pair {
    let world = World::new().await;
    world.patient().await;
    for n in 0..4 {
        world.write(&format!("data/file-{n}"), &noise(n, 50_000));
    }
    Pair::of_archives(world, archives_sealed_by("none")).await
}

impl Pair {
    /// Backs up to both; returns the backup and its archive's key.
    async fn back_up(&self) -> (String, String) {
        (self.world.backed_up(&self.plan).await, archive_at(&self.a.1))
    }

    async fn start_download(&self, backup: &str, format: &str) -> String {
        let request = self.world.download_request(vec![backup.into()], format);
        self.world.engine.start_download(request).await.unwrap()
    }

    async fn download(&self, backup: &str, format: &str) -> RunDetail {
        self.world.end(&self.start_download(backup, format).await).await
    }

    async fn states(&self, backup: &str) -> Vec<String> {
        self.world.engine.backup(backup).await.unwrap().copies.into_iter().map(|copy| copy.state).collect()
    }
}

fn archive_at(place: &MemoryDestination) -> String {
    place.keys().into_iter().find(|key| key.starts_with("archives/") && !key.ends_with(".manifest")).unwrap()
}

fn waits(event: &Event) -> bool {
    matches!(event, Event::Progress { progress } if progress.phase == "thawing")
}

/// Returns once a run says that it waits for a cold store.
async fn until_it_waits(events: &mut Receiver<Event>) {
    let seen = async {
        loop {
            if events.recv().await.as_ref().is_ok_and(waits) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(100), seen).await.expect("it does not wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_hand_is_read_though_another_copy_is_frozen_thawing_or_away() {
    let two = two().await;
    let (backup, key) = two.back_up().await;
    let mut events = two.world.engine.subscribe();
    for state in [Availability::Frozen, Availability::Thawing] {
        two.a.1.set_cold(&key, state);
        for format in ["tar.gz", "zip", "as_is"] {
            let run = two.download(&backup, format).await;
            assert_eq!(run.row.state, "done", "{state:?} {format} {:?} {:?}", run.row.error, run.log);
        }
        let folder = format!("restored-{state:?}");
        assert_eq!(two.restore(&backup, &folder).await.unwrap().row.state, "done");
        two.compare(&folder);
    }
    assert!(!drain(&mut events).iter().any(waits), "nothing had to be waited for");
    two.a.1.set_cold(&key, Availability::Ready);
    two.a.1.set_offline(true);
    for format in ["tar.gz", "as_is"] {
        let run = two.download(&backup, format).await;
        assert_eq!(run.row.state, "done", "{format} {:?} {:?}", run.row.error, run.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_other_copy_at_hand_a_thawing_one_is_waited_for() {
    let two = two().await;
    let (backup, key) = two.back_up().await;
    two.b.1.set_cold(&key, Availability::Frozen);
    for format in ["tar.gz", "as_is"] {
        two.a.1.set_cold(&key, Availability::Thawing);
        let mut events = two.world.engine.subscribe();
        let run = two.start_download(&backup, format).await;
        until_it_waits(&mut events).await;
        two.a.1.set_cold(&key, Availability::Ready);
        let run = two.world.end(&run).await;
        assert_eq!(run.row.state, "done", "{format} {:?} {:?}", run.row.error, run.log);
    }
    two.a.1.set_cold(&key, Availability::Thawing);
    let mut events = two.world.engine.subscribe();
    let preview = two.world.engine.plan_restore(two.world.restore_request(&backup, "restored")).await.unwrap();
    assert!(preview.warnings.iter().any(|text| text.contains("waits until it is there")), "{:?}", preview.warnings);
    let run = two.world.engine.start_restore(&preview.id, None).await.unwrap();
    until_it_waits(&mut events).await;
    assert!(!two.world.path("restored").exists());
    two.a.1.set_cold(&key, Availability::Ready);
    let run = two.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    two.compare("restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_wait_for_a_cold_store_let_others_work() {
    let two = two().await;
    let (backup, key) = two.back_up().await;
    two.a.1.set_cold(&key, Availability::Thawing);
    two.b.1.set_cold(&key, Availability::Frozen);
    let mut events = two.world.engine.subscribe();
    // As many as may work at once.
    let mut waiting = Vec::new();
    for format in ["as_is", "tar.gz", "zip"] {
        waiting.push(two.start_download(&backup, format).await);
        until_it_waits(&mut events).await;
    }
    two.back_up().await;
    for run in &waiting {
        assert_eq!(two.world.engine.run(run).await.unwrap().row.state, "running");
    }
    two.a.1.set_cold(&key, Availability::Ready);
    for run in &waiting {
        let run = two.world.end(run).await;
        assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_copy_is_a_note_of_a_verify_and_shown_whatever_its_destination_is_set_to() {
    let two = two().await;
    let (backup, key) = two.back_up().await;
    two.a.1.set_cold(&key, Availability::Frozen);
    assert_eq!(two.states(&backup).await, ["frozen", "there"]);
    let verify = two.world.engine.start_verify(&backup).await.unwrap();
    let verify = two.world.end(&verify).await;
    assert_eq!(verify.row.state, "done", "{:?} {:?}", verify.row.error, verify.log);
    assert!(verify.row.result.unwrap().ends_with("Not read, as frozen: a"));
    let problems = two.world.engine.run_problems(&verify.row.id, "", 0, 10).await.unwrap();
    assert_eq!(problems.rows.iter().map(|row| row.subject.as_str()).collect::<Vec<_>>(), ["copy at a"]);
    // The button that is shown for it works, and is followed.
    assert_eq!(two.world.engine.thaw_backup(&backup, &two.a.0, 3).await.unwrap().state, "thawing");
    assert_eq!(two.states(&backup).await, ["thawing", "there"]);
    two.a.1.tamper(&key, None);
    assert_eq!(two.states(&backup).await, ["missing", "there"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_waits_for_what_thaws_and_says_what_is_frozen() {
    let two = two().await;
    two.b.1.set_offline(true);
    assert_eq!(two.world.back_up(&two.plan).await.row.state, "done_with_problems");
    two.b.1.set_offline(false);
    let key = archive_at(&two.a.1);
    let sync = async || two.world.engine.start_sync(&two.b.0).await.unwrap();
    two.a.1.set_cold(&key, Availability::Frozen);
    let run = two.world.end(&sync().await).await;
    let error = run.row.error.unwrap();
    assert_eq!((run.row.state.as_str(), error.code.as_str()), ("failed", "locked"), "{error:?}");
    assert!(error.message.contains("cold storage class") && error.hint.unwrap().contains("Thaw"));
    two.a.1.set_cold(&key, Availability::Thawing);
    let mut events = two.world.engine.subscribe();
    let run = sync().await;
    until_it_waits(&mut events).await;
    two.a.1.set_cold(&key, Availability::Ready);
    let run = two.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert_eq!(two.a.1.object(&key), two.b.1.object(&key));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_cold_store_is_no_silence() {
    let two = two().await;
    let (backup, key) = two.back_up().await;
    two.a.1.set_cold(&key, Availability::Thawing);
    two.b.1.set_cold(&key, Availability::Frozen);
    // The store takes its time to answer, beside the minute between two looks.
    two.a.1.set_delay(Some(Duration::from_millis(250)));
    // Long enough that a busy machine is not taken for silence.
    *two.world.parts.minute.lock().unwrap() = Duration::from_secs(3);
    let mut settings = two.world.engine.settings().await.unwrap();
    settings.stall_minutes = 1;
    two.world.engine.save_settings(settings).await.unwrap();
    let mut events = two.world.engine.subscribe();
    let run = two.start_download(&backup, "as_is").await;
    until_it_waits(&mut events).await;
    // More than one of these minutes.
    tokio::time::sleep(Duration::from_secs(4)).await;
    two.a.1.set_cold(&key, Availability::Ready);
    let run = two.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
}

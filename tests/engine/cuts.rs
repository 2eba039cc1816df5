//! The connection is cut at a random byte, a hundred times: never a wrong backup, and the next run succeeds.
#![cfg(unix)]

use crate::support::{World, files, text, tree};
use backstay_contract::{BackupFilter, RestoreRequest};
use backstay_core::RawPath;
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::Sshd;

/// In each of two tests, which run side by side.
const CUTS: u64 = 50;

/// The same numbers each time, so that a failure can be looked at again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

fn change(world: &World, numbers: &mut Numbers) {
    let content: Vec<u8> = (0..60_000).map(|_| numbers.below(256) as u8).collect();
    world.write(&format!("data/sub-{}/file", numbers.below(8)), &content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_byte_leaves_no_wrong_backup() {
    cut_again_and_again(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_other_bytes_leaves_no_wrong_backup() {
    cut_again_and_again(71).await;
}

async fn cut_again_and_again(seed: u64) {
    let Some(sshd) = Sshd::start() else { return };
    let world = World::new().await;
    let proxy = FaultProxy::start(sshd.port()).await.unwrap();
    let server = world.server_behind(&sshd, &proxy).await;
    let mut numbers = Numbers(seed);
    for n in 0..8 {
        world.write(&format!("data/sub-{n}/file"), &vec![n; 20_000]);
    }
    let destination = world.vault().await;
    let plan = world.plan_at(&server, "p", &destination, vec![files(&world.path("data"))]).await;
    let whole = world.back_up(&plan).await;
    assert_eq!(whole.row.state, "done", "{:?}", whole.row.error);
    let passed = proxy.passed_bytes();

    let mut good = 1;
    for round in 0..CUTS {
        change(&world, &mut numbers);
        let after = 1 + numbers.below(passed);
        proxy.set(|faults| faults.cut_after = Some(after));
        let began = std::time::Instant::now();
        let run = world.back_up(&plan).await;
        println!("cut {round} after {after} bytes: {} in {:?}", run.row.state, began.elapsed());
        match run.row.state.as_str() {
            "done" => good += 1,
            "failed" => {
                let code = run.row.error.as_ref().unwrap().code.clone();
                assert!(["offline", "timed_out"].contains(&code.as_str()), "cut {round} after {after}: {:?}", run.row);
                assert!(run.row.backup.is_none());
            }
            other => panic!("cut {round} after {after}: {other}: {:?}", run.row),
        }
        proxy.set(|faults| faults.cut_after = None);
        if round % 10 == 9 {
            let run = world.back_up(&plan).await;
            assert_eq!(run.row.state, "done", "the next run succeeds: {:?}", run.row.error);
            good += 1;
            restore_and_compare(&world, &server, &run.row.backup.unwrap()).await;
        }
    }
    assert_eq!(world.backups_in_vault(&destination).await, good, "as many backups as runs that were done");
    assert!(good < CUTS, "the cuts must have hit");
    let filter = BackupFilter { limit: 1000, ..BackupFilter::default() };
    for row in world.engine.backups(filter).await.unwrap().rows.iter().step_by(7) {
        let run = world.engine.start_verify(&row.id).await.unwrap();
        assert_eq!(world.end(&run).await.row.state, "done");
    }
}

async fn restore_and_compare(world: &World, server: &str, backup: &str) {
    let target = world.path("restored");
    let request = RestoreRequest {
        backup: backup.into(),
        paths: vec![RawPath::new(text(&world.path("data"))).unwrap().to_relative().to_text()],
        server: server.into(),
        target: Some(text(&target)),
        mode: "merge".into(),
        ..RestoreRequest::default()
    };
    let preview = world.engine.plan_restore(request).await.unwrap();
    let run = world.engine.start_restore(&preview.id, None).await.unwrap();
    let run = world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    assert_eq!(tree(&target), tree(&world.path("data")));
    std::fs::remove_dir_all(target).unwrap();
}

//! Every way a run can end.

use crate::support::{Act, World, drain, scripted};
use backstay_contract::{Event, RunRow};
use backstay_core::run::{Run, RunCounts, RunKind, RunState};
use backstay_core::{ErrorClass, RunId};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_makes_it_done_with_problems_and_goes_into_the_backup() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one"), scripted("two")]).await;
    world.parts.scripted.will("one", Act::Problem);
    let run = world.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.problems), ("done_with_problems", 1));
    let page = world.engine.run_problems(&run.row.id, "SECRET", 0, 10).await.unwrap();
    assert_eq!(page.total, 1, "found by a part of its subject");
    assert_eq!(page.rows[0].reason, "Permission denied");
    let backup = world.engine.backup(&run.row.backup.unwrap()).await.unwrap();
    assert_eq!((backup.row.state.as_str(), backup.problem_list.len()), ("problems", 1));
    assert_eq!(backup.facts, ["scripted 1.0"]);
    let overview = world.engine.overview().await.unwrap();
    assert_eq!(overview.servers[0].state, "problems");
    assert!(overview.needs.iter().any(|need| need.kind == "problems"));
    // The settings say: notify of problems.
    world.until("it is notified of", || world.parts.notified.lock().unwrap().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_backup_of_one_plan_hides_no_other() {
    let world = World::new().await;
    let destination = world.vault().await;
    let first = world.plan("first", &destination, vec![scripted("one")]).await;
    let second = world.plan("second", &destination, vec![scripted("two")]).await;
    let stands = async || {
        let server = world.engine.overview().await.unwrap().servers.remove(0);
        (server.state, server.state_text)
    };
    world.back_up(&first).await;
    assert_eq!(stands().await, ("never".into(), "second: No backup yet".into()));
    world.parts.scripted.will("two", Act::Problem);
    world.back_up(&second).await;
    assert_eq!(stands().await, ("problems".into(), "second: Last backup has 1 problem".into()));
    world.parts.clock.jump(chrono::TimeDelta::days(5));
    world.back_up(&first).await;
    assert_eq!(stands().await, ("stale".into(), "second: Last backup 5 days ago".into()));
    let needs = world.engine.overview().await.unwrap().needs;
    assert!(needs.iter().any(|need| need.kind == "no_backup" && need.text.starts_with("second:")), "{needs:?}");
    world.parts.scripted.will("two", Act::Entries(1));
    world.back_up(&second).await;
    assert_eq!(stands().await.0, "protected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_while_a_clock_was_ahead_hides_nothing_that_came_since() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    let stands = async || {
        let server = world.engine.overview().await.unwrap().servers.remove(0);
        (server.state, server.state_text)
    };
    let years = chrono::TimeDelta::days(4 * 365);
    world.parts.clock.jump(years);
    world.back_up(&plan).await;
    world.parts.clock.jump(-years);
    let (state, text) = stands().await;
    assert!(state == "stale" && text.contains("ahead of this computer's clock"), "{state}: {text}");
    let needs = world.engine.overview().await.unwrap().needs;
    assert!(needs.iter().any(|need| need.kind == "no_backup" && need.text == text), "{needs:?}");
    world.backed_up(&plan).await;
    assert_eq!(stands().await.0, "protected");
    world.parts.scripted.will("one", Act::Fail(ErrorClass::Refused));
    world.back_up(&plan).await;
    assert_eq!(stands().await.0, "failed");
    world.parts.scripted.will("one", Act::Entries(1));
    world.backed_up(&plan).await;
    world.parts.clock.jump(chrono::TimeDelta::days(5));
    assert_eq!(stands().await, ("stale".into(), "Last backup 5 days ago".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failed_item_of_two_is_a_problem_and_both_failed_is_no_backup() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one"), scripted("two")]).await;
    world.parts.scripted.will("one", Act::Fail(ErrorClass::Refused));
    let run = world.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.problems), ("done_with_problems", 1));
    assert_eq!(world.backup_count().await, 1);

    world.parts.scripted.will("two", Act::Fail(ErrorClass::Refused));
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "failed");
    let error = run.row.error.unwrap();
    assert_eq!((error.code.as_str(), error.hint.as_deref()), ("refused", Some("Tell it otherwise")));
    assert_eq!(world.backups_in_vault(&destination).await, 1);
    assert_eq!(world.engine.overview().await.unwrap().servers[0].state, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_leaves_no_backup_though_another_item_was_read() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one"), scripted("two")]).await;
    world.parts.scripted.will("two", Act::Fail(ErrorClass::Offline));
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "failed");
    assert_eq!(run.row.error.unwrap().code, "offline");
    assert!(run.next.unwrap().contains("can be reached"));
    assert_eq!(world.backups_in_vault(&destination).await, 0);
    world.parts.scripted.will("two", Act::Entries(3));
    assert_eq!(world.back_up(&plan).await.row.state, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_leaves_no_backup_and_frees_its_plan() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    world.parts.scripted.will("one", Act::Hang);
    let run = world.engine.start_backup(&plan).await.unwrap();
    world.until("it collects", || world.parts.scripted.collecting.load(Ordering::SeqCst) == 1).await;
    let second = world.engine.start_backup(&plan).await.unwrap_err();
    assert_eq!(second.class, ErrorClass::Locked);
    assert!(second.message.contains("already running"));
    assert_eq!(world.engine.remove_plan(&plan).await.unwrap_err().class, ErrorClass::Locked);
    assert_eq!(world.engine.servers().await.unwrap()[0].state, "running");
    world.engine.cancel_run(&run).await.unwrap();
    let run = world.end(&run).await;
    assert_eq!(run.row.state, "cancelled");
    assert!(run.row.error.is_none());
    world.engine.cancel_run(&run.row.id).await.unwrap();
    assert_eq!(world.backups_in_vault(&destination).await, 0);
    assert!(world.parts.notified.lock().unwrap().is_empty());
    world.parts.scripted.will("one", Act::Entries(1));
    assert_eq!(world.back_up(&plan).await.row.state, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_run_at_once_and_the_fourth_waits() {
    let world = World::new().await;
    let destination = world.vault().await;
    let mut runs = Vec::new();
    for n in 0..4 {
        let name = format!("item-{n}");
        let plan = world.plan(&format!("plan {n}"), &destination, vec![scripted(&name)]).await;
        world.parts.scripted.will(&name, Act::Hang);
        runs.push(world.engine.start_backup(&plan).await.unwrap());
    }
    world.until("three collect", || world.parts.scripted.collecting.load(Ordering::SeqCst) == 3).await;
    let states: Vec<String> =
        world.engine.runs(Default::default()).await.unwrap().rows.into_iter().map(|run| run.state).collect();
    assert_eq!(states.iter().filter(|state| *state == "waiting").count(), 1, "{states:?}");
    for run in &runs {
        world.engine.cancel_run(run).await.unwrap();
        assert_eq!(world.end(run).await.row.state, "cancelled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_fails_a_run() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    let mut settings = world.engine.settings().await.unwrap();
    settings.stall_minutes = 1;
    world.engine.save_settings(settings).await.unwrap();
    world.parts.scripted.will("one", Act::Hang);
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "failed");
    assert_eq!(run.row.error.unwrap().code, "timed_out");
    assert_eq!(world.backups_in_vault(&destination).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_ours_ends_one_run_and_nothing_else() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    world.parts.scripted.will("one", Act::Panic);
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "failed");
    assert_eq!(run.row.error.unwrap().code, "internal");
    world.parts.scripted.will("one", Act::Entries(1));
    assert_eq!(world.back_up(&plan).await.row.state, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_honest_and_not_too_chatty() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    world.parts.scripted.will("one", Act::Chatter);
    let mut events = world.engine.subscribe();
    let began = std::time::Instant::now();
    let run = world.back_up(&plan).await;
    let took = began.elapsed();
    assert_eq!(run.row.state, "done");
    let events = drain(&mut events);
    let progress: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Progress { progress } = event { Some(progress) } else { None })
        .collect();
    // Ten a second, one at the start, one at the end, and some slack for a late tick.
    let most = took.as_millis() / 100 + 4;
    assert!(progress.len() as u128 <= most, "{} events in {took:?}", progress.len());
    assert!(progress.iter().any(|p| p.phase == "dumping" && p.permille.is_some()), "{progress:?}");
    for pair in progress.windows(2) {
        if pair[0].phase == pair[1].phase {
            assert!(pair[1].files >= pair[0].files && pair[1].bytes >= pair[0].bytes);
            assert!(pair[1].permille >= pair[0].permille || pair[1].permille.is_none());
        }
    }
    let (last, before) = progress.split_last().unwrap();
    assert!(before.iter().all(|p| p.permille.is_none_or(|permille| permille < 1000)));
    assert_eq!(last.permille, Some(1000));
    let states: Vec<_> = events
        .iter()
        .filter_map(|e| if let Event::Run { run } = e { Some(run.state.as_str()) } else { None })
        .collect();
    assert_eq!(states, ["waiting", "running", "done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_a_run_gone_has_its_last_event() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    for _ in 0..12 {
        let mut events = world.engine.subscribe();
        let id = world.engine.start_backup(&plan).await.unwrap();
        // Without a pause: the moment between the two is short.
        while world.engine.own_runs() > 0 {
            tokio::task::yield_now().await;
        }
        let told = drain(&mut events);
        let ended = |event: &Event| match event {
            Event::Run { run } => run.id == id && run.state == "done" && run.progress.is_none(),
            _ => false,
        };
        assert!(told.iter().any(ended), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_dead_process_are_interrupted_and_those_of_a_living_one_are_not() {
    let world = World::new().await;
    let row = |id: &RunId, kind| Run {
        id: id.clone(),
        kind,
        state: RunState::Running,
        title: "web".into(),
        plan: None,
        server: None,
        destination: None,
        backup: None,
        created: chrono::Utc::now(),
        started: None,
        ended: None,
        counts: RunCounts::default(),
        problems: 0,
        error: None,
        result: None,
    };
    let (dead, alive, half) = (RunId::random(), RunId::random(), RunId::random());
    world.parts.store.insert_run(&row(&dead, RunKind::Backup)).unwrap();
    world.parts.store.insert_run(&row(&alive, RunKind::Backup)).unwrap();
    world.parts.store.insert_run(&row(&half, RunKind::Restore)).unwrap();
    let lock = std::fs::File::create(world.path("home/runs").join(format!("{alive}.lock"))).unwrap();
    lock.lock().unwrap();
    let again = backstay_engine::Backstay::open(world.path("home"), world.parts.clone()).await.unwrap();
    let hint = |row: RunRow| row.error.and_then(|error| error.hint).unwrap_or_default();
    let (backup, restore) = (again.run(dead.as_str()).await.unwrap().row, again.run(half.as_str()).await.unwrap().row);
    assert_eq!((backup.state.as_str(), restore.state.as_str()), ("interrupted", "interrupted"));
    assert!(hint(backup).contains("What was there before is whole"));
    assert!(hint(restore).contains("The target is partly restored"));
    assert_eq!(again.run(alive.as_str()).await.unwrap().row.state, "running");
    // A wish to cancel reaches the process that owns the run.
    again.cancel_run(alive.as_str()).await.unwrap();
    assert!(world.path("home/runs").join(format!("{alive}.cancel")).exists());
    lock.unlock().unwrap();
    assert_eq!(again.run(alive.as_str()).await.unwrap().row.state, "interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_can_cancel_our_run() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    world.parts.scripted.will("one", Act::Hang);
    let run = world.engine.start_backup(&plan).await.unwrap();
    let other = backstay_engine::Backstay::open(world.path("home"), world.parts.clone()).await.unwrap();
    assert!(matches!(other.start_backup(&plan).await.unwrap_err().class, ErrorClass::Locked));
    other.cancel_run(&run).await.unwrap();
    assert_eq!(world.end(&run).await.row.state, "cancelled");
    tokio::time::timeout(Duration::from_secs(10), async {
        while world.path("home/runs").join(format!("{run}.cancel")).exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the wish is cleared away");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_quits_counts_and_cancels_only_his_own_runs() {
    let world = World::new().await;
    let destination = world.vault().await;
    let mut runs = Vec::new();
    let other = backstay_engine::Backstay::open(world.path("home"), world.parts.clone()).await.unwrap();
    for (name, engine) in [("ours", &world.engine), ("theirs", &other)] {
        let plan = world.plan(name, &destination, vec![scripted(name)]).await;
        world.parts.scripted.will(name, Act::Hang);
        runs.push(engine.start_backup(&plan).await.unwrap());
    }
    world.until("both collect", || world.parts.scripted.collecting.load(Ordering::SeqCst) == 2).await;
    assert_eq!((world.engine.own_runs(), other.own_runs()), (1, 1));
    assert!(!world.engine.own_restore());
    for (run, elsewhere) in runs.iter().zip([false, true]) {
        let row = world.engine.run(run).await.unwrap().row;
        assert_eq!((row.elsewhere, row.progress.is_some()), (elsewhere, !elsewhere));
    }
    world.engine.cancel_own_runs().await;
    assert_eq!(world.end(&runs[0]).await.row.state, "cancelled");
    assert!(!world.path("home/runs").join(format!("{}.cancel", runs[1])).exists());
    assert_eq!(world.engine.run(&runs[1]).await.unwrap().row.state, "running");
    world.until("ours is over", || world.engine.own_runs() == 0).await;
    other.cancel_own_runs().await;
    let row = world.end(&runs[1]).await.row;
    assert_eq!((row.state.as_str(), row.elsewhere), ("cancelled", false));
}

//! Servers, destinations, plans, settings: what is kept, what is refused, and where secrets go.

use crate::support::{World, files, scripted, text};
use backstay_contract::{DestinationDraft, JumpDraft, PlanDraft, ServerDraft};
use backstay_core::config::{DestinationConfig, Place, SftpPlace, SftpVia, SshAuth, SshJump};
use backstay_core::secret::{Secret, SecretName};
use backstay_core::{DestinationId, ErrorClass};
use std::sync::atomic::Ordering;

const KEY: &str = "SHA256:0123456789012345678901234567890123456789012";

fn server() -> ServerDraft {
    ServerDraft {
        name: "web-1".into(),
        host: "10.0.0.5".into(),
        user: "root".into(),
        auth: "password".into(),
        password: Some("hunter2 hunter2".into()),
        fingerprint: Some(KEY.into()),
        ..ServerDraft::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_secrets_go_in_and_never_out() {
    let world = World::new().await;
    let row = world.engine.save_server(server()).await.unwrap();
    assert_eq!((row.address.as_str(), row.state.as_str()), ("root@10.0.0.5:22", "unplanned"));
    let name = SecretName::server_password(&row.id.as_str().into());
    let held = || world.parts.secrets.held.lock().unwrap().get(&name).cloned();
    assert_eq!(held(), Some(Secret::new("hunter2 hunter2")));
    let detail = world.engine.server(&row.id).await.unwrap();
    assert_eq!(detail.fingerprint.as_deref(), Some(KEY));
    let shown = serde_json::to_string(&detail).unwrap() + &format!("{:?}", world.parts.store.servers().unwrap());
    assert!(!shown.contains("hunter2"));

    // Without a password in the draft the stored one stays, and is used.
    let changed = ServerDraft { name: "web-2".into(), ..detail.draft.clone() };
    world.engine.save_server(changed).await.unwrap();
    assert!(held().is_some());
    let test = world.engine.test_server(world.engine.server(&row.id).await.unwrap().draft).await.unwrap();
    assert!(!test.ok, "there is no network in this test");
    let login = world.parts.logins.lock().unwrap().last().cloned().unwrap();
    assert_eq!(login.password, Some(Secret::new("hunter2 hunter2")));

    // Another way to log in needs it no more.
    let agent = ServerDraft { auth: "agent".into(), ..detail.draft };
    world.engine.save_server(agent).await.unwrap();
    assert_eq!(held(), None);
    world.engine.remove_server(&row.id).await.unwrap();
    assert_eq!(world.engine.servers().await.unwrap().len(), 1);
    assert_eq!(world.engine.remove_server("this-computer").await.unwrap_err().class, ErrorClass::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_are_asked_for_and_a_changed_one_stops_the_test() {
    let world = World::new().await;
    let draft = ServerDraft { fingerprint: None, ..server() };
    let keys = world.engine.probe_host_key(draft.clone(), None).await.unwrap().keys;
    assert_eq!((keys[0].state.as_str(), keys[0].host.as_str()), ("unknown", "10.0.0.5:22"));
    let test = world.engine.test_server(draft).await.unwrap();
    let last = test.steps.last().unwrap();
    assert_eq!((last.title.as_str(), last.state.as_str()), ("Check the host key", "failed"));
    let changed = ServerDraft { fingerprint: Some(format!("{}X", &KEY[..KEY.len() - 1])), ..server() };
    let test = world.engine.test_server(changed).await.unwrap();
    assert!(!test.ok && test.steps.last().unwrap().text.contains("not the one accepted before"));
    assert!(world.parts.logins.lock().unwrap().is_empty(), "nobody logs in past an unknown key");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_behind_a_destinations_jump_host_is_asked_for_by_what_is_stored() {
    let world = World::new().await;
    let jump = JumpDraft { host: "bastion".into(), port: 22, user: "me".into(), ..JumpDraft::default() };
    let jump = JumpDraft { auth: "password".into(), ..jump };
    let known = SshJump {
        host: "bastion".into(),
        port: 22,
        user: "me".into(),
        auth: Some(SshAuth::Password),
        fingerprint: None,
    };
    let name = SecretName::jump_password("destination/d1", &known);
    world.parts.secrets.held.lock().unwrap().insert(name, Secret::new("of the bastion"));
    let draft = ServerDraft { auth: "agent".into(), password: None, jumps: vec![jump.clone()], ..server() };
    let asked_with = async |draft: ServerDraft, destination: Option<&str>| {
        world.engine.probe_host_key(draft, destination).await.unwrap();
        world.parts.probes.lock().unwrap().last().unwrap().jumps[0].password.clone()
    };
    assert_eq!(asked_with(draft.clone(), Some("d1")).await, Some(Secret::new("of the bastion")));
    assert_eq!(asked_with(draft.clone(), None).await, None);
    let typed = JumpDraft { password: Some("typed".into()), ..jump };
    assert_eq!(asked_with(ServerDraft { jumps: vec![typed], ..draft }, Some("d1")).await, Some(Secret::new("typed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_server_forgets_its_host_key_unless_another_server_goes_by_it() {
    let world = World::new().await;
    let first = world.engine.save_server(server()).await.unwrap();
    let draft = ServerDraft { name: "same machine".into(), ..server() };
    let second = world.engine.save_server(draft.clone()).await.unwrap();
    let state = async || {
        let asked = ServerDraft { fingerprint: None, ..draft.clone() };
        world.engine.probe_host_key(asked, None).await.unwrap().keys[0].state.clone()
    };
    assert_eq!(state().await, "pinned");
    world.engine.remove_server(&first.id).await.unwrap();
    assert_eq!(state().await, "pinned", "the other server still goes by it");
    world.engine.remove_server(&second.id).await.unwrap();
    assert_eq!(state().await, "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_a_destination_lies_on_stays() {
    let world = World::new().await;
    let row = world.engine.save_server(server()).await.unwrap();
    let via = SftpVia::Server { server: row.id.as_str().into() };
    let destination = DestinationConfig {
        id: DestinationId::random(),
        name: "box".into(),
        place: Place::Sftp(SftpPlace { via, path: "/backup".into() }),
        vault_id: String::new(),
        kit_confirmed: true,
        created: chrono::Utc::now(),
    };
    world.parts.store.put_destination(&destination).unwrap();
    let error = world.engine.remove_server(&row.id).await.unwrap_err();
    assert!(error.class == ErrorClass::Locked && error.message.contains("box"), "{error:?}");
    assert_eq!(world.engine.servers().await.unwrap().len(), 2);
    world.engine.remove_destination(destination.id.as_str()).await.unwrap();
    world.engine.remove_server(&row.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn this_computer_is_tested_discovered_and_browsed() {
    let world = World::new().await;
    world.write("data/sub/file", b"x");
    world.write("data/a-file", b"yy");
    let draft = world.engine.server("this-computer").await.unwrap().draft;
    let test = world.engine.test_server(draft.clone()).await.unwrap();
    assert!(test.ok, "{:?}", test.steps);
    assert!(test.steps.iter().any(|step| step.title == "Find tar and find" && step.state == "ok"), "{:?}", test.steps);
    let facts = world.engine.discover_server(draft).await.unwrap();
    assert_eq!(facts.os, "TestOS");
    assert!(world.engine.server("this-computer").await.unwrap().facts.is_some(), "facts of a known server are kept");
    let listing = world.engine.browse_server("this-computer", &text(&world.path("data"))).await.unwrap();
    let names: Vec<_> = listing.entries.iter().map(|e| (e.name.as_str(), e.kind.as_str())).collect();
    assert_eq!(names, [("sub", "dir"), ("a-file", "file")]);
    assert_eq!(world.engine.browse_server("this-computer", "data").await.unwrap_err().class, ErrorClass::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_kit_is_confirmed_by_a_word_and_guards_the_key() {
    let world = World::new().await;
    let draft =
        DestinationDraft { name: "nas".into(), path: text(&world.path("vault")), ..DestinationDraft::default() };
    let added = world.engine.add_destination(draft).await.unwrap();
    let (id, kit) = (added.destination.id.clone(), added.kit.unwrap());
    assert_eq!(added.destination.state, "kit_not_confirmed");
    let right = kit.words[added.ask_word as usize - 1].to_uppercase();
    assert!(!world.engine.confirm_recovery_kit(&id, added.ask_word, "wrong").await.unwrap());
    let none = world.engine.confirm_recovery_kit(&id, 11, &right).await.unwrap_err();
    assert_eq!(none.class, ErrorClass::Invalid);

    world.write("data/a", b"a");
    let plan = world.plan("p", &id, vec![files(&world.path("data"))]).await;
    assert_eq!(world.engine.remove_destination(&id).await.unwrap_err().class, ErrorClass::Locked, "a plan uses it");
    assert_eq!(world.back_up(&plan).await.row.state, "done");
    world.engine.remove_plan(&plan).await.unwrap();
    let error = world.engine.remove_destination(&id).await.unwrap_err();
    assert!(error.message.contains("never confirmed"), "{error}");
    assert!(world.engine.confirm_recovery_kit(&id, added.ask_word, &format!(" {right} ")).await.unwrap());

    let file = world.path("kit.html");
    world.engine.save_recovery_kit(&id, &text(&file), "html").await.unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().contains(&kit.password));
    let again = world.engine.save_recovery_kit(&id, &text(&file), "html").await.unwrap_err();
    assert_eq!(again.class, ErrorClass::Exists);
    assert!(again.hint.as_ref().is_some_and(|hint| hint.contains("another file")), "{again:?}");
    world.engine.remove_destination(&id).await.unwrap();
    assert!(world.parts.secrets.held.lock().unwrap().is_empty());
    assert!(world.path("vault/config").exists(), "what lies there stays");
    let audit = format!("{:?}", world.engine.audit(0, 1000).await.unwrap());
    assert!(!audit.contains(&kit.password));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_secrets_no_vault_is_made() {
    let world = World::new().await;
    world.parts.secrets.locked.store(true, Ordering::SeqCst);
    let draft =
        DestinationDraft { name: "nas".into(), path: text(&world.path("vault")), ..DestinationDraft::default() };
    let error = world.engine.add_destination(draft.clone()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Locked);
    assert!(error.hint.unwrap().contains("Unlock"));
    assert!(!world.path("vault/config").exists());
    assert_eq!(world.engine.overview().await.unwrap().needs[0].kind, "secrets_locked");
    world.engine.secrets_unlock("passphrase").await.unwrap();
    world.write("vault/something-else", b"x");
    let foreign = world.engine.add_destination(draft.clone()).await.unwrap_err();
    assert_eq!(foreign.class, ErrorClass::Invalid);
    let short = DestinationDraft { path: text(&world.path("v2")), vault_password: Some("short".into()), ..draft };
    assert_eq!(world.engine.add_destination(short).await.unwrap_err().class, ErrorClass::Invalid);
    assert!(world.engine.destinations().await.unwrap().is_empty());
    assert!(world.parts.secrets.held.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_checked_changed_and_left_things_out_of() {
    let world = World::new().await;
    let destination = world.vault().await;
    world.write("data/a", b"a");
    let good = PlanDraft {
        id: None,
        name: "p".into(),
        server: "this-computer".into(),
        items: vec![files(&world.path("data")), scripted("")],
        destinations: vec![destination.clone()],
        layout: Default::default(),
    };
    let row = world.engine.save_plan(good.clone()).await.unwrap().row;
    assert_eq!(row.kinds, ["files", "sqlite"]);
    assert!(row.what.contains(" · scripted sqlite"), "{}", row.what);
    let bad = [
        PlanDraft { name: " ".into(), ..good.clone() },
        PlanDraft { items: Vec::new(), name: "q".into(), ..good.clone() },
        PlanDraft { destinations: Vec::new(), name: "q".into(), ..good.clone() },
        PlanDraft { destinations: vec![destination.clone(), destination.clone()], name: "q".into(), ..good.clone() },
        PlanDraft { items: vec![files(std::path::Path::new("relative"))], name: "q".into(), ..good.clone() },
    ];
    for draft in bad {
        assert_eq!(world.engine.save_plan(draft.clone()).await.unwrap_err().class, ErrorClass::Invalid, "{draft:?}");
    }
    assert_eq!(world.engine.save_plan(good).await.unwrap_err().class, ErrorClass::Exists);
    let row = world.engine.exclude_from_plan(&row.id, vec![text(&world.path("data/a"))]).await.unwrap();
    let view = world.engine.plan(&row.id).await.unwrap();
    assert!(serde_json::to_string(&view.draft).unwrap().contains("data/a"));
    assert_eq!(view.draft.items[1].name, "sqlite");
    let renamed = PlanDraft { name: "renamed".into(), ..view.draft };
    assert_eq!(world.engine.save_plan(renamed).await.unwrap().row.id, row.id);
    assert_eq!(world.engine.plans().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_and_the_audit_log_is_exported_whole() {
    let world = World::new().await;
    let settings = world.engine.settings().await.unwrap();
    let bad = backstay_contract::Settings { notify: "sometimes".into(), ..settings.clone() };
    assert_eq!(world.engine.save_settings(bad).await.unwrap_err().class, ErrorClass::Invalid);
    for days in 1..=40 {
        let changed = backstay_contract::Settings { stale_days: days, ..settings.clone() };
        world.engine.save_settings(changed).await.unwrap();
    }
    assert_eq!(world.engine.settings().await.unwrap().stale_days, 40);
    let file = world.path("audit.jsonl");
    world.engine.export_audit(&text(&file)).await.unwrap();
    let lines: Vec<serde_json::Value> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(numbers.len() >= 40);
    assert_eq!(world.engine.export_audit(&text(&file)).await.unwrap_err().class, ErrorClass::Exists);
    assert_eq!(world.engine.verify_audit().await.unwrap().fault, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_password_of_a_jump_host_needs_no_stored_one() {
    let world = World::new().await;
    let row = world.engine.save_server(server()).await.unwrap();
    world.parts.secrets.keyring_closed.store(true, Ordering::SeqCst);
    let jump = JumpDraft {
        host: "bastion".into(),
        user: "me".into(),
        auth: "password".into(),
        password: Some("correct horse".into()),
        ..JumpDraft::default()
    };
    let draft = ServerDraft { jumps: vec![jump], ..world.engine.server(&row.id).await.unwrap().draft };
    world.engine.test_server(draft).await.unwrap();
    let login = world.parts.logins.lock().unwrap().last().cloned().unwrap();
    assert_eq!(login.password, Some(Secret::new("hunter2 hunter2")), "the server's own is the stored one");
    assert_eq!(login.jumps[0].password, Some(Secret::new("correct horse")));
}

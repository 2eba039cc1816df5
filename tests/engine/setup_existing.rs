//! A new computer: a destination and its key bring back backups, servers and plans.

use crate::support::{World, files, text};
use backstay_contract::{DestinationDraft, LayoutDraft, PlanDraft, RestoreRequest, S3Draft, ServerDraft};
use backstay_core::ErrorClass;
use backstay_core::secret::SecretName;
use backstay_lab::s3::S3Server;

const PASSWORD: &str = "hunter2 hunter2";

async fn with_server(world: &World) -> String {
    let draft = ServerDraft {
        name: "web-1".into(),
        host: "10.0.0.5".into(),
        user: "root".into(),
        auth: "password".into(),
        password: Some(PASSWORD.into()),
        fingerprint: Some("SHA256:0123456789012345678901234567890123456789012".into()),
        ..ServerDraft::default()
    };
    world.engine.save_server(draft).await.unwrap().id
}

fn plan(world: &World, name: &str, server: &str, destination: &str, layout: LayoutDraft) -> PlanDraft {
    PlanDraft {
        id: None,
        name: name.into(),
        server: server.into(),
        items: vec![files(&world.path("data"))],
        destinations: vec![destination.into()],
        layout,
    }
}

fn sealed(seal: &str, key: Option<&str>) -> LayoutDraft {
    LayoutDraft { kind: "archive".into(), seal: seal.into(), key: key.map(str::to_owned), ..LayoutDraft::default() }
}

fn copies(world: &World, bucket: &str) -> Vec<String> {
    let keys = world.parts.buckets.of(bucket).keys();
    keys.into_iter().filter(|key| key.starts_with("backstay/config-") && key.ends_with(".sealed")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_and_its_kit_bring_back_backups_servers_and_plans() {
    let old = World::new().await;
    old.write("data/a.txt", b"content");
    let vault = old.engine.add_destination(old.bucket("cloud")).await.unwrap();
    let server = with_server(&old).await;
    let id = vault.destination.id.as_str();
    let mine = old.engine.save_plan(plan(&old, "mine", "this-computer", id, LayoutDraft::default())).await.unwrap().row;
    old.engine.save_plan(plan(&old, "web", &server, id, LayoutDraft::default())).await.unwrap();
    assert_eq!(old.back_up(&mine.id).await.row.state, "done");
    let copy = copies(&old, "bucket-cloud").pop().expect("a copy of the configuration");
    let content = old.parts.buckets.of("bucket-cloud").object(&copy).unwrap();
    let shown = String::from_utf8(content.to_vec()).unwrap();
    for word in ["web-1", "mine", "10.0.0.5", PASSWORD, "laptop", "AKIA"] {
        assert!(!shown.contains(word), "{word} can be read in the copy");
    }

    let new = World::beside(old.parts.buckets.clone(), "new laptop").await;
    let draft = DestinationDraft { name: "found".into(), ..new.bucket("cloud") };
    let test = new.engine.look_at_destination(draft.clone(), "").await.unwrap();
    assert!(test.existing && test.found == "vault");
    let wrong = new.engine.open_existing(draft.clone(), "not the password").await.unwrap_err();
    assert_eq!(wrong.class, ErrorClass::WrongKey, "{wrong}");
    assert!(new.engine.destinations().await.unwrap().is_empty());
    assert!(new.parts.secrets.held.lock().unwrap().is_empty(), "nothing is kept of a key that opens nothing");

    // As words, the way the kit is printed.
    let words = vault.kit.unwrap().words.join(" ").to_uppercase();
    let found = new.engine.open_existing(draft, &words).await.unwrap();
    assert_eq!((found.backups, found.locked, found.destination.vault), (1, 0, true));
    let [copy] = found.configurations.as_slice() else { panic!("one copy: {:?}", found.configurations) };
    assert_eq!(
        (copy.computer.as_str(), &copy.servers, &copy.plans),
        ("laptop", &vec!["web-1".into()], &vec!["mine".into(), "web".to_owned()])
    );
    assert!(copy.destinations.is_empty(), "the bucket is here already: {:?}", copy.destinations);

    // A server of that name is here already.
    let taken = ServerDraft { name: "web-1".into(), host: "other".into(), user: "me".into(), ..ServerDraft::default() };
    new.engine.save_server(taken).await.unwrap();
    let adopted = new.engine.adopt_configuration(&found.destination.id, &copy.id).await.unwrap();
    assert_eq!((adopted.servers, adopted.plans, adopted.destinations), (1, 2, 0));
    assert_eq!(adopted.missing_secrets, ["Server web-1 (2): log-in password"]);
    let plans = new.engine.plans().await.unwrap();
    let seen: Vec<_> =
        plans.iter().map(|row| (row.name.as_str(), row.server_name.as_str(), row.destinations[0].as_str())).collect();
    assert_eq!(seen, [("mine", "This computer", "found"), ("web", "web-1 (2)", "found")]);
    assert!(plans[0].last_backup.is_some(), "the plan knows its backups");
    let again = new.engine.adopt_configuration(&found.destination.id, &copy.id).await.unwrap();
    assert_eq!((again.servers, again.plans, again.destinations), (0, 0, 0));

    assert_eq!(new.back_up(&mine.id).await.row.state, "done");
    assert_eq!(new.engine.backups(Default::default()).await.unwrap().total, 2);
    assert_eq!(copies(&new, "bucket-cloud").len(), 2, "each computer keeps its own");
    let missing = new.engine.adopt_configuration(&found.destination.id, "nobody").await.unwrap_err();
    assert_eq!(missing.class, ErrorClass::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_are_opened_by_their_key_or_passphrase() {
    let old = World::new().await;
    old.write("data/a.txt", b"content");
    let place = DestinationDraft { use_for: "none".into(), ..old.bucket("files") };
    let id = old.engine.add_destination(place).await.unwrap().destination.id;
    let keyed =
        old.engine.save_plan(plan(&old, "keyed", "this-computer", &id, sealed("plan_key", None))).await.unwrap();
    let phrase = "correct horse battery staple";
    let phrased = plan(&old, "phrased", "this-computer", &id, sealed("passphrase", Some(phrase)));
    let phrased = old.engine.save_plan(phrased).await.unwrap();
    for plan in [&keyed.row.id, &phrased.row.id] {
        let run = old.back_up(plan).await;
        assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    }

    let new = World::beside(old.parts.buckets.clone(), "new laptop").await;
    let draft = DestinationDraft { name: "found".into(), ..new.bucket("files") };
    let wrong = new.engine.open_existing(draft.clone(), &"ab".repeat(32)).await.unwrap_err();
    assert_eq!(wrong.class, ErrorClass::WrongKey, "{wrong}");
    let key = keyed.kit.unwrap().password;
    let found = new.engine.open_existing(draft.clone(), &key).await.unwrap();
    assert_eq!((found.backups, found.locked, found.destination.vault), (1, 1, false));
    let found = new.engine.open_existing(draft, phrase).await.unwrap();
    assert_eq!((found.backups, found.locked), (2, 0), "the same place again, with the other key");
    assert_eq!(new.engine.destinations().await.unwrap().len(), 1);
    let copy = &found.configurations[0];
    assert_eq!(copy.plans, ["keyed", "phrased"]);
    let adopted = new.engine.adopt_configuration(&found.destination.id, &copy.id).await.unwrap();
    assert_eq!((adopted.plans, adopted.missing_secrets.len()), (2, 0), "{:?}", adopted.missing_secrets);
    let held = new.parts.secrets.held.lock().unwrap().clone();
    let of = |plan: &str| held[&SecretName::archive_key(&plan.into())].expose().to_owned();
    assert_eq!((of(&keyed.row.id), of(&phrased.row.id)), (key, phrase.to_owned()));
    assert_eq!(new.back_up(&keyed.row.id).await.row.state, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_gets_the_key_of_no_other() {
    let old = World::new().await;
    let id = old.engine.add_destination(DestinationDraft { use_for: "none".into(), ..old.bucket("files") });
    let id = id.await.unwrap().destination.id;
    old.write("data/a.txt", b"content");
    let mut saved = Vec::new();
    for name in ["early", "late"] {
        let plan = plan(&old, name, "this-computer", &id, sealed("plan_key", None));
        let plan = old.engine.save_plan(plan).await.unwrap();
        assert_eq!(old.back_up(&plan.row.id).await.row.state, "done");
        saved.push((plan.row.id, plan.kit.unwrap().password));
    }
    let new = World::beside(old.parts.buckets.clone(), "new laptop").await;
    let draft = DestinationDraft { name: "found".into(), ..new.bucket("files") };
    let [(early, early_key), (late, late_key)]: [(String, String); 2] = saved.try_into().unwrap();
    let found = new.engine.open_existing(draft.clone(), &late_key).await.unwrap();
    let adopted = new.engine.adopt_configuration(&found.destination.id, &found.configurations[0].id).await.unwrap();
    assert_eq!(adopted.missing_secrets, ["Plan early: archive key (in its recovery kit)"]);
    let of = |plan: &str| {
        let held = new.parts.secrets.held.lock().unwrap();
        held.get(&SecretName::archive_key(&plan.into())).map(|secret| secret.expose().to_owned())
    };
    assert_eq!((of(&early), of(&late)), (None, Some(late_key.clone())));
    // Typed later, it finds its plan.
    new.engine.open_existing(draft, &early_key).await.unwrap();
    assert_eq!((of(&early), of(&late)), (Some(early_key), Some(late_key)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vaults_password_becomes_no_plans_passphrase() {
    let old = World::new().await;
    let vault = old.engine.add_destination(old.bucket("cloud")).await.unwrap();
    let place = DestinationDraft { use_for: "none".into(), ..old.bucket("files") };
    let files = old.engine.add_destination(place).await.unwrap().destination.id;
    old.write("data/a.txt", b"content");
    let id = vault.destination.id.as_str();
    let mine = old.engine.save_plan(plan(&old, "mine", "this-computer", id, LayoutDraft::default())).await.unwrap().row;
    let phrase = sealed("passphrase", Some("correct horse battery staple"));
    let sealed = old.engine.save_plan(plan(&old, "sealed", "this-computer", &files, phrase)).await.unwrap().row;
    for plan in [&mine.id, &sealed.id] {
        assert_eq!(old.back_up(plan).await.row.state, "done");
    }

    let new = World::beside(old.parts.buckets.clone(), "new laptop").await;
    let draft = DestinationDraft { name: "found".into(), ..new.bucket("cloud") };
    let password = vault.kit.unwrap().password;
    // Opened twice: the second time it is a destination already, and the password opens its configurations all the same.
    new.engine.open_existing(draft.clone(), &password).await.unwrap();
    let found = new.engine.open_existing(draft, &password).await.unwrap();
    let copy = found.configurations.iter().find(|copy| copy.plans.contains(&"sealed".to_owned())).unwrap();
    let adopted = new.engine.adopt_configuration(&found.destination.id, &copy.id).await.unwrap();
    let lacking = "Plan sealed: archive key (in its recovery kit)".to_owned();
    assert!(adopted.missing_secrets.contains(&lacking), "{:?}", adopted.missing_secrets);
    assert_eq!(new.back_up(&sealed.id).await.row.error.map(|error| error.code), Some("locked".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_nothing_is_opened() {
    let world = World::new().await;
    let draft = world.bucket("empty");
    assert_eq!(world.engine.open_existing(draft, "whatever it is").await.unwrap_err().class, ErrorClass::Missing);
    world.write("vault/file", b"x");
    let foreign = DestinationDraft { name: "f".into(), path: text(&world.path("vault")), ..Default::default() };
    assert_eq!(world.engine.open_existing(foreign, "whatever it is").await.unwrap_err().class, ErrorClass::Missing);
    assert!(world.engine.destinations().await.unwrap().is_empty());
    assert!(world.parts.secrets.held.lock().unwrap().is_empty());
}

/// Backs some files up into a new destination; returns what opens it and its plan.
async fn with_backup(world: &World, place: DestinationDraft) -> (String, String) {
    world.patient().await;
    world.write("data/a.txt", b"content");
    let added = world.engine.add_destination(place).await.unwrap();
    let plan = plan(world, "mine", "this-computer", &added.destination.id, LayoutDraft::default());
    let plan = world.engine.save_plan(plan).await.unwrap().row.id;
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    (added.kit.unwrap().password, plan)
}

/// Opens a place that may only be read: everything that reads works, and a backup there says why it does not.
async fn only_reads(new: &World, draft: DestinationDraft, password: &str, plan: &str) {
    new.patient().await;
    let look = new.engine.look_at_destination(draft.clone(), "").await.unwrap();
    assert!(look.ok && look.existing && look.found == "vault", "{look:?}");
    assert!(!new.engine.test_destination(draft.clone(), "").await.unwrap().ok, "the full test tells");
    let found = new.engine.open_existing(draft, password).await.unwrap();
    assert_eq!((found.backups, found.destination.state.as_str()), (1, "ok"));
    let backup = new.engine.backups(Default::default()).await.unwrap().rows.remove(0).id;
    let request = RestoreRequest {
        backup,
        paths: Vec::new(),
        server: "this-computer".into(),
        target: Some(text(&new.path("restored"))),
        mode: "merge".into(),
        ..RestoreRequest::default()
    };
    let preview = new.engine.plan_restore(request).await.unwrap();
    let run = new.engine.start_restore(&preview.id, None).await.unwrap();
    let run = new.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    new.engine.adopt_configuration(&found.destination.id, &found.configurations[0].id).await.unwrap();
    let run = new.back_up(plan).await;
    let error = run.row.error.unwrap();
    assert_eq!((run.row.state.as_str(), error.code.as_str()), ("failed", "refused"), "{error:?}");
    assert!(error.message.contains("found"), "it names the place: {error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_only_be_read_is_opened_and_restored() {
    let old = World::new().await;
    let (password, plan) = with_backup(&old, old.bucket("cloud")).await;
    let bucket = old.parts.buckets.of("bucket-cloud");
    bucket.set_read_only(true);
    let new = World::beside(old.parts.buckets.clone(), "new laptop").await;
    // The double names itself.
    let draft = DestinationDraft { name: "found memory".into(), ..new.bucket("cloud") };
    let look = new.engine.look_at_destination(draft.clone(), "").await.unwrap();
    assert!(look.ok && look.existing && look.found == "vault", "{look:?}");
    let found = new.engine.open_existing(draft, &password).await.unwrap();
    assert_eq!(found.backups, 1);
    new.engine.adopt_configuration(&found.destination.id, &found.configurations[0].id).await.unwrap();
    let run = new.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.error.unwrap().code.as_str()), ("failed", "refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_not_write_opens_a_bucket() {
    let server = S3Server::start().await;
    let place = server.place();
    let s3 = S3Draft {
        provider: "generic".into(),
        region: place.region,
        endpoint: place.endpoint,
        bucket: place.bucket,
        prefix: place.prefix,
        access_key: place.access_key,
        secret_key: Some(server.login().secret.unwrap().expose().to_owned()),
        path_style: Some(true),
        ..S3Draft::default()
    };
    let draft = DestinationDraft { name: "found".into(), kind: "s3".into(), s3, ..DestinationDraft::default() };
    let old = World::new().await;
    let (password, plan) = with_backup(&old, draft.clone()).await;
    for call in ["PutObject", "CreateMultipartUpload", "DeleteObject"] {
        server.refuse(u32::MAX, call, 403, "AccessDenied");
    }
    only_reads(&World::new().await, draft, &password, &plan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_only_be_read_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let old = World::new().await;
    let folder = old.path("vault");
    let draft = DestinationDraft {
        name: "found".into(),
        kind: "local".into(),
        path: text(&folder),
        ..DestinationDraft::default()
    };
    let (password, plan) = with_backup(&old, draft.clone()).await;
    let set = |mode: u32| {
        let mut open = vec![folder.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    };
    set(0o555);
    if std::fs::write(folder.join("probe"), b"").is_ok() {
        println!("skipped: nothing is read-only for root");
        return;
    }
    only_reads(&World::new().await, draft, &password, &plan).await;
    set(0o755);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_archives_are_kept_is_taken_over_where_nothing_else_was_said() {
    let old = World::new().await;
    let mut place = DestinationDraft { use_for: "none".into(), ..old.bucket("files") };
    place.s3.storage_class = Some("GLACIER".into());
    (place.s3.encryption, place.s3.kms_key) = (Some("aws:kms".into()), Some("key-7".into()));
    (place.s3.lock_days, place.s3.lock_mode) = (Some(30), Some("COMPLIANCE".into()));
    let id = old.engine.add_destination(place).await.unwrap().destination.id;
    let phrase = "correct horse battery staple";
    let kept = plan(&old, "mine", "this-computer", &id, sealed("passphrase", Some(phrase)));
    old.write("data/a.txt", b"content");
    let kept = old.engine.save_plan(kept).await.unwrap().row.id;
    assert_eq!(old.back_up(&kept).await.row.state, "done");

    for typed in [None, Some(7)] {
        let new = World::beside(old.parts.buckets.clone(), "new laptop").await;
        let mut draft = DestinationDraft { name: "found".into(), ..new.bucket("files") };
        draft.s3.lock_days = typed;
        let found = new.engine.open_existing(draft, phrase).await.unwrap();
        assert_eq!(new.engine.destination(&found.destination.id).await.unwrap().s3.storage_class, None);
        new.engine.adopt_configuration(&found.destination.id, &found.configurations[0].id).await.unwrap();
        let s3 = new.engine.destination(&found.destination.id).await.unwrap().s3;
        assert_eq!(s3.storage_class.as_deref(), Some("GLACIER"));
        assert_eq!((s3.encryption.as_deref(), s3.kms_key.as_deref()), (Some("aws:kms"), Some("key-7")));
        let mode = if typed.is_some() { "GOVERNANCE" } else { "COMPLIANCE" };
        assert_eq!((s3.lock_days, s3.lock_mode.as_deref()), (typed.or(Some(30)), Some(mode)));
    }
}

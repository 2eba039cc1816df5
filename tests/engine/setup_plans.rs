//! Plans: layouts, the keys of archives, and several destinations with copies of one vault.

use crate::support::{World, files, text, tree};
use backstay_contract::{DestinationDraft, LayoutDraft, PlanDraft};
use backstay_core::config::KnownBackup;
use backstay_core::secret::{Secret, SecretName};
use backstay_core::{BackupId, ErrorClass};
use std::sync::atomic::Ordering;

fn archive(seal: &str, key: Option<&str>) -> LayoutDraft {
    LayoutDraft { kind: "archive".into(), seal: seal.into(), key: key.map(str::to_owned), ..LayoutDraft::default() }
}

fn draft(world: &World, name: &str, destinations: &[&str], layout: LayoutDraft) -> PlanDraft {
    PlanDraft {
        id: None,
        name: name.into(),
        server: "this-computer".into(),
        items: vec![files(&world.path("data"))],
        destinations: destinations.iter().map(|id| (*id).to_owned()).collect(),
        layout,
    }
}

async fn local(world: &World, name: &str, use_for: &str) -> String {
    let draft = DestinationDraft {
        name: name.into(),
        path: text(&world.path(name)),
        use_for: use_for.into(),
        ..DestinationDraft::default()
    };
    world.engine.add_destination(draft).await.unwrap().destination.id
}

/// What the first screen says of kits: the plans it names.
async fn kits_asked_for(world: &World) -> Vec<String> {
    let needs = world.engine.overview().await.unwrap().needs;
    needs.into_iter().filter(|need| need.kind == "kit_not_confirmed").filter_map(|need| need.plan).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_of_a_plans_key_is_asked_for_until_a_word_of_it_comes_back() {
    let world = World::new().await;
    let place = local(&world, "disk", "none").await;
    let engine = &world.engine;
    let vault = engine.save_plan(draft(&world, "plain", &[&place], archive("none", None))).await.unwrap().row;
    assert_eq!(vault.kit_confirmed, None);
    let saved = engine.save_plan(draft(&world, "p", &[&place], archive("plan_key", None))).await.unwrap();
    let (id, kit) = (saved.row.id, saved.kit.unwrap());
    assert_eq!((saved.row.kit_confirmed, kits_asked_for(&world).await), (Some(false), vec![id.clone()]));
    assert!(!engine.confirm_recovery_kit(&id, 3, "deadbeef").await.unwrap());
    assert_eq!(engine.confirm_recovery_kit(&id, 99, "x").await.unwrap_err().class, ErrorClass::Invalid);
    assert_eq!(kits_asked_for(&world).await, [id.as_str()]);
    assert!(engine.confirm_recovery_kit(&id, 3, &kit.words[2].to_uppercase()).await.unwrap());
    assert_eq!(engine.plan(&id).await.unwrap().row.kit_confirmed, Some(true));
    assert!(kits_asked_for(&world).await.is_empty());
    let log = engine.audit(0, 10).await.unwrap().rows;
    assert!(log.iter().any(|entry| entry.action == "kit.confirm" && entry.subject == "p" && entry.outcome == "ok"));
    // A change of something else asks nothing anew; another key does.
    let mut changed = PlanDraft { id: Some(id.clone()), ..draft(&world, "q", &[&place], archive("plan_key", None)) };
    assert_eq!(engine.save_plan(changed.clone()).await.unwrap().row.kit_confirmed, Some(true));
    changed.layout = archive("passphrase", Some("four words in a row"));
    assert_eq!(engine.save_plan(changed).await.unwrap().row.kit_confirmed, Some(false));
    assert_eq!(kits_asked_for(&world).await, [id.as_str()]);
    assert!(!engine.confirm_recovery_kit(&id, 1, "Four words in a row").await.unwrap(), "its letters' case matters");
    assert!(engine.confirm_recovery_kit(&id, 1, "four words in a row").await.unwrap());
    assert!(kits_asked_for(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_key_is_made_once_printed_and_never_lost() {
    let world = World::new().await;
    let place = local(&world, "disk", "none").await;
    let saved = world.engine.save_plan(draft(&world, "p", &[&place], archive("plan_key", None))).await.unwrap();
    assert_eq!(saved.row.layout, "tar.zst, sealed");
    let kit = saved.kit.unwrap();
    assert!(kit.password.len() == 64 && kit.words.concat() == kit.password && kit.vault_id.len() == 16);
    for page in [&kit.text, &kit.html] {
        assert!(page.contains(&kit.password) && page.contains("read_archive.py") && page.contains("tar --zstd"));
        assert!(!page.contains("restic"), "an archive is no repository");
    }
    assert_eq!(world.engine.plan_kit(&saved.row.id).await.unwrap().password, kit.password);
    let view = world.engine.plan(&saved.row.id).await.unwrap();
    assert_eq!((view.draft.layout.key.clone(), view.draft.layout.seal.as_str()), (None, "plan_key"));
    let again = world.engine.save_plan(view.draft.clone()).await.unwrap();
    assert!(again.kit.is_none(), "the key is the same");

    // Another seal: what was sealed before can still be opened.
    let phrase = "a long enough passphrase";
    let changed = PlanDraft { layout: archive("passphrase", Some(phrase)), ..view.draft.clone() };
    assert_eq!(world.engine.save_plan(changed).await.unwrap().kit.unwrap().password, phrase);
    let held = world.parts.secrets.held.lock().unwrap().clone();
    let under = |name: &SecretName| name.0.starts_with("archive-key/");
    let kept: Vec<_> = held.iter().filter(|(name, _)| under(name)).map(|(_, secret)| secret.expose()).collect();
    assert_eq!(kept, [kit.password.as_str()]);
    let name = SecretName::archive_key(&saved.row.id.as_str().into());
    assert_eq!(held.get(&name), Some(&Secret::new(phrase)));
    world.engine.remove_plan(&saved.row.id).await.unwrap();
    let held = world.parts.secrets.held.lock().unwrap().clone();
    assert!(held.values().any(|secret| secret.expose() == phrase), "its archives stay, and so does their key");

    let vaults = world.engine.plan_kit("nothing").await.unwrap_err();
    assert_eq!(vaults.class, ErrorClass::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn seals_and_names_that_are_no_good_are_refused() {
    let world = World::new().await;
    let place = local(&world, "disk", "none").await;
    let bad = [
        archive("passphrase", Some("short")),
        archive("passphrase", None),
        archive("own_key", Some("0123")),
        archive("own_key", None),
        archive("wax", None),
        LayoutDraft { template: "{nobody}".into(), ..archive("none", None) },
        LayoutDraft { format: "rar".into(), ..archive("none", None) },
        LayoutDraft::default(),
    ];
    for layout in bad {
        let error = world.engine.save_plan(draft(&world, "p", &[&place], layout.clone())).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid, "{layout:?}: {error}");
    }
    assert!(world.engine.plans().await.unwrap().is_empty());
    let held = world.parts.secrets.held.lock().unwrap().clone();
    assert!(held.is_empty(), "{held:?}");
    let key = "0123456789ABCDEF".repeat(4);
    let plan = world.engine.save_plan(draft(&world, "own", &[&place], archive("own_key", Some(&key)))).await.unwrap();
    assert_eq!(plan.kit.unwrap().password, key.to_lowercase());
    let plain = world.engine.save_plan(draft(&world, "plain", &[&place], archive("none", None))).await.unwrap();
    assert!(plain.kit.is_none() && plain.row.layout == "tar.zst");
    assert_eq!(world.engine.plan_kit(&plain.row.id).await.unwrap_err().class, ErrorClass::Invalid);

    let layout = LayoutDraft { template: "{server}-{plan}_{time:%Y}".into(), ..archive("plan_key", None) };
    let name = world.engine.archive_name(draft(&world, "web", &[&place], layout)).await.unwrap();
    let year = chrono::Utc::now().format("%Y");
    assert_eq!(name, format!("This computer-web_{year}.tar.zst.sealed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_destination_becomes_a_copy_of_the_vault() {
    let world = World::new().await;
    let first = local(&world, "first", "vault").await;
    let copy = local(&world, "copy", "none").await;
    let other = local(&world, "other", "vault").await;
    world.write("data/a", b"content");
    for destinations in [vec![first.as_str(), &other], vec![&first, &first], vec![copy.as_str()]] {
        let draft = draft(&world, "p", &destinations, LayoutDraft::default());
        assert_eq!(world.engine.save_plan(draft).await.unwrap_err().class, ErrorClass::Invalid, "{destinations:?}");
    }
    assert!(!world.path("copy/config").exists(), "nothing is written by a plan that is refused");

    let row = world.engine.save_plan(draft(&world, "p", &[&first, &copy], LayoutDraft::default())).await.unwrap().row;
    assert_eq!(row.destinations, ["first", "copy"]);
    for name in ["config"].into_iter().map(str::to_owned).chain(keys_of(&world, "first")) {
        let bytes = |place: &str| std::fs::read(world.path(place).join(&name)).unwrap();
        assert_eq!(bytes("first"), bytes("copy"), "{name}");
    }
    let rows = world.engine.destinations().await.unwrap();
    let copies = |name: &str| rows.iter().find(|row| row.name == name).unwrap().copies_of.clone();
    assert_eq!((copies("first"), copies("copy")), (vec!["copy".to_owned()], vec!["first".to_owned()]));
    let password = |id: &str| world.parts.secrets.held.lock().unwrap()[&SecretName::vault_password(&id.into())].clone();
    assert_eq!(password(&first), password(&copy));
    assert_eq!(
        world.engine.recovery_kit(&copy).await.unwrap().vault_id,
        world.engine.recovery_kit(&first).await.unwrap().vault_id
    );
    // Saved again, nothing is made anew.
    let view = world.engine.plan(&row.id).await.unwrap();
    world.engine.save_plan(view.draft).await.unwrap();

    // A backup that lies at one of them only is missing at the other.
    assert_eq!(world.back_up(&row.id).await.row.state, "done");
    assert_eq!(world.engine.plans().await.unwrap()[0].missing_copies, 0);
    let known =
        world.parts.store.backups(&backstay_core::config::BackupQuery { limit: 9, ..Default::default() }).unwrap();
    assert_eq!(known.total, 2, "a copy at each");
    let mut lonely = known.rows[0].clone();
    lonely.record.id = BackupId("ab".repeat(32));
    world.parts.store.put_backup(&KnownBackup { destination: first.as_str().into(), ..lonely }).unwrap();
    assert_eq!(world.engine.plans().await.unwrap()[0].missing_copies, 1);
    let rows = world.engine.destinations().await.unwrap();
    let missing: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.missing)).collect();
    assert_eq!(missing, [("copy", 1), ("first", 0), ("other", 0)]);
}

fn keys_of(world: &World, place: &str) -> Vec<String> {
    let keys = std::fs::read_dir(world.path(place).join("keys")).unwrap();
    keys.map(|entry| format!("keys/{}", entry.unwrap().file_name().to_string_lossy())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_at_a_place_decides_whether_it_can_be_a_copy() {
    let world = World::new().await;
    let first = local(&world, "first", "vault").await;
    world.write("data/a", b"content");
    world.write("foreign/something", b"x");
    let foreign = local(&world, "foreign", "none").await;
    let error =
        world.engine.save_plan(draft(&world, "p", &[&first, &foreign], LayoutDraft::default())).await.unwrap_err();
    assert!(error.class == ErrorClass::Invalid && error.message.contains("other files"), "{error}");
    // A vault of another password, added without opening it.
    let stranger = World::new().await;
    let draft_of = |path: String| DestinationDraft { name: "v".into(), path, ..DestinationDraft::default() };
    stranger.engine.add_destination(draft_of(text(&world.path("strange")))).await.unwrap();
    let strange = local(&world, "strange", "none").await;
    let error =
        world.engine.save_plan(draft(&world, "p", &[&first, &strange], LayoutDraft::default())).await.unwrap_err();
    assert!(error.class == ErrorClass::Invalid && error.message.contains("different vaults"), "{error}");
    // A copy that was made before and cut off after its keys goes on.
    let half = local(&world, "half", "none").await;
    let key = keys_of(&world, "first").remove(0);
    std::fs::create_dir_all(world.path("half/keys")).unwrap();
    std::fs::copy(world.path("first").join(&key), world.path("half").join(&key)).unwrap();
    let row = world.engine.save_plan(draft(&world, "p", &[&first, &half], LayoutDraft::default())).await.unwrap().row;
    assert_eq!(row.destinations, ["first", "half"]);
    assert!(world.path("half/config").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_that_cannot_be_asked_stops_no_new_plan_and_hides_no_key() {
    let world = World::new().await;
    let place = local(&world, "disk", "none").await;
    let engine = &world.engine;
    world.write("data/file", b"content");
    let first = engine.save_plan(draft(&world, "first", &[&place], archive("plan_key", None))).await.unwrap().row.id;
    let name = SecretName::archive_key(&first.as_str().into());
    // The first plan's key lies in that keyring.
    world.parts.secrets.held.lock().unwrap().remove(&name).unwrap();
    world.parts.secrets.keyring_closed.store(true, Ordering::SeqCst);
    let second = engine.save_plan(draft(&world, "second", &[&place], archive("plan_key", None))).await.unwrap().row.id;
    let run = world.back_up(&second).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert_eq!(world.backups_in_vault(&place).await, 1, "the other key is still used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_stays_while_the_key_of_its_archives_cannot_be_kept() {
    let world = World::new().await;
    let place = local(&world, "disk", "none").await;
    let saved = world.engine.save_plan(draft(&world, "p", &[&place], archive("plan_key", None))).await.unwrap();
    let key = saved.kit.unwrap().password;
    world.parts.secrets.locked.store(true, Ordering::SeqCst);
    assert_eq!(world.engine.remove_plan(&saved.row.id).await.unwrap_err().class, ErrorClass::Locked);
    assert_eq!(world.engine.plans().await.unwrap().len(), 1);
    world.parts.secrets.locked.store(false, Ordering::SeqCst);
    world.engine.remove_plan(&saved.row.id).await.unwrap();
    assert!(world.engine.plans().await.unwrap().is_empty());
    let held = world.parts.secrets.held.lock().unwrap().clone();
    let kept: Vec<_> = held.iter().filter(|(_, secret)| secret.expose() == key).map(|(name, _)| name).collect();
    assert!(kept.len() == 1 && *kept[0] != SecretName::archive_key(&saved.row.id.as_str().into()), "{kept:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn one_place_under_two_names_is_no_second_copy() {
    let world = World::new().await;
    let first = local(&world, "first", "vault").await;
    std::os::unix::fs::symlink(world.path("first"), world.path("link")).unwrap();
    let draft_of = |name: &str, use_for: &str| DestinationDraft {
        name: name.into(),
        path: text(&world.path(name)),
        use_for: use_for.into(),
        ..DestinationDraft::default()
    };
    let password = world.engine.recovery_kit(&first).await.unwrap().password;
    let before = world.parts.secrets.held.lock().unwrap().len();
    for refused in [
        world.engine.add_destination(draft_of("link", "vault")).await.unwrap_err(),
        world.engine.add_destination(draft_of("link", "none")).await.unwrap_err(),
        world.engine.open_existing(draft_of("link", "vault"), &password).await.unwrap_err(),
    ] {
        assert_eq!(refused.class, ErrorClass::Exists, "{refused}");
        assert!(refused.message.contains("link and first are the same place"), "{refused}");
    }
    assert_eq!(world.engine.destinations().await.unwrap().len(), 1);
    assert_eq!(world.parts.secrets.held.lock().unwrap().len(), before);
    let left = tree(&world.path("first")).into_keys().find(|key| key.contains("place-"));
    assert_eq!(left, None, "what was put there to find out is removed");
    // A copy is another place.
    std::fs::create_dir(world.path("copy")).unwrap();
    for (name, content) in tree(&world.path("first")) {
        world.write(&format!("copy/{name}"), &content);
    }
    world.engine.add_destination(draft_of("copy", "vault")).await.unwrap();
    // Nothing lies there yet, or what is nobody's.
    for name in ["bare", "used"] {
        std::fs::create_dir(world.path(name)).unwrap();
        std::os::unix::fs::symlink(world.path(name), world.path(&format!("{name}-link"))).unwrap();
    }
    world.write("used/photo.jpg", b"mine");
    for name in ["bare", "used"] {
        world.engine.add_destination(draft_of(name, "none")).await.unwrap();
        let again = world.engine.add_destination(draft_of(&format!("{name}-link"), "none")).await.unwrap_err();
        assert!(again.message.contains(&format!("{name}-link and {name} are the same place")), "{again}");
    }
}

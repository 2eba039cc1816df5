//! Deleted backups and freed room at each kind of place: what goes is gone, what stays comes back.

use super::*;

/// Two backups of each plan at a near and a far place; the older goes at the far one.
fn deleted(far: Far) {
    let Some(lab) = Lab::start() else { return };
    let home = Home::new();
    let data = home.path("data");
    home.json(&["destination", "add", "near", "local", text(&home.path("near"))]);
    lab.add(&home, far, "backups");
    let mut older = Vec::new();
    for (plan, layout) in [("vault", &[][..]), ("archive", &ARCHIVES)] {
        add_plan(&home, plan, "This computer", &data, &["near", far.name()], layout);
        for round in 0..2_u64 {
            make_tree(&data, round * 500);
            let run = home.json(&["backup", plan]);
            assert_eq!(run["row"]["state"], "done", "{run}");
            if round == 0 {
                older.push(run["row"]["backup"].as_str().unwrap().to_owned());
            }
        }
    }
    let before = lab.objects(far, "backups");
    for backup in &older {
        home.json_ending(2, &["delete", backup, "--at", far.name()]);
        let preview = home.json(&["delete", backup, "--at", far.name(), "--preview"]);
        assert_eq!(preview["copies"].as_array().map(Vec::len), Some(1), "{preview}");
        assert_eq!(lab.objects(far, "backups"), before, "a look changes nothing");
    }
    delete_archive(&home, &lab, far, &older[1]);
    delete_from_vault(&home, &lab, far, &older[0]);
    assert_eq!(home.json(&["destination", "refresh", far.name()])["backups"], 2);
    assert_eq!(home.json(&["destination", "refresh", "near"])["backups"], 4, "the near copies stay");
    for backup in &older {
        assert_eq!(home.json(&["show", backup])["row"]["destinations"], serde_json::json!(["near"]));
    }
    let sync = home.json(&["sync", far.name()]);
    assert_eq!(sync["row"]["bytes"], 0, "what was deleted on purpose is not brought back: {sync}");
    let check = home.json(&["verify", "--destination", far.name(), "--read-data", "100"]);
    assert_eq!((&check["row"]["state"], &check["row"]["problems"]), (&"done".into(), &0.into()), "{check}");
    std::fs::rename(home.path("near"), home.path("away")).unwrap();
    for plan in ["vault", "archive"] {
        restore_and_compare(&home, &format!("{plan}@latest"), &data, plan);
    }
}

fn delete_archive(home: &Home, lab: &Lab, far: Far, backup: &str) {
    let before = lab.objects(far, "backups");
    let file = home.json(&["show", backup])["copies"][0]["file"].as_str().unwrap().to_owned();
    let gone: Vec<&String> = before.iter().filter(|name| name.contains(&file)).collect();
    assert_eq!(gone.len(), 2, "the archive and its manifest: {before:?}");
    let report = home.json(&["delete", backup, "--at", far.name(), "--yes"]);
    assert_eq!(report["removed"], serde_json::json!([far.name()]), "{report}");
    assert!(report["freed_bytes"].as_u64().unwrap() > 3_000_000, "{report}");
    let after = lab.objects(far, "backups");
    let expected: Vec<&String> = before.iter().filter(|name| !name.contains(&file)).collect();
    assert_eq!(after.iter().collect::<Vec<_>>(), expected, "just these are gone");
}

fn delete_from_vault(home: &Home, lab: &Lab, far: Far, backup: &str) {
    let is_pack = |name: &String| name.starts_with("data/");
    let bytes = || -> u64 {
        let packs = lab.objects(far, "backups").into_iter().filter(is_pack);
        packs.map(|name| lab.object(far, "backups", &name).len() as u64).sum()
    };
    let (packed, name) = (bytes(), format!("snapshots/{backup}"));
    assert!(lab.objects(far, "backups").contains(&name), "it is there before");
    let report = home.json(&["delete", backup, "--at", far.name(), "--yes"]);
    assert_eq!(report["removed"], serde_json::json!([far.name()]), "{report}");
    assert!(!lab.objects(far, "backups").contains(&name), "the snapshot is gone");
    assert_eq!(bytes(), packed, "its data stays until room is freed");
    let pruned = home.json(&["prune", far.name()]);
    assert_eq!(pruned["row"]["state"], "done", "{pruned}");
    let freed = packed - bytes();
    assert!(freed > 2_500_000, "{freed} bytes went of {packed}");
    let told = pruned["row"]["bytes"].as_u64().unwrap();
    assert!(told.abs_diff(freed) < freed / 100, "{told} bytes are told, {freed} went");
}

#[test]
fn at_a_bucket_what_is_deleted_goes_and_the_rest_stays() {
    deleted(Far::S3);
}

#[test]
fn over_sftp_what_is_deleted_goes_and_the_rest_stays() {
    deleted(Far::Sftp);
}

#[test]
fn over_ftp_what_is_deleted_goes_and_the_rest_stays() {
    deleted(Far::Ftp);
}

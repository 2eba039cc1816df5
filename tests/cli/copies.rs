//! Two destinations from the command line: killed in the middle, made good, deleted, fetched.

use crate::{Home, said, text};
use std::path::Path;
use std::time::Duration;

/// Two folders that hold copies of one vault, and a plan that writes to both.
fn with_two() -> Home {
    let home = Home::new();
    home.write_noise(12, 1);
    home.json(&["destination", "add", "nas", "local", text(&home.path("vault"))]);
    home.json(&["destination", "add", "usb", "--no-vault", "local", text(&home.path("usb"))]);
    let item = format!("files:{}", text(&home.path("data")));
    home.json(&["plan", "add", "p", "--server", "This computer", "--item", &item, "--to", "nas", "--to", "usb"]);
    home
}

/// Counts the files below a folder; what goes meanwhile does not count.
fn objects(folder: &Path) -> usize {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found.map(|entry| if entry.file_type().is_ok_and(|kind| kind.is_dir()) { objects(&entry.path()) } else { 1 }).sum()
}

#[test]
fn killed_at_any_moment_both_copies_are_whole_and_the_next_run_is_good_at_both() {
    let home = with_two();
    let places = [home.path("vault"), home.path("usb")];
    let mut hits = 0;
    for (n, pause) in [0_u64, 60, 200, 400, 700].into_iter().enumerate() {
        home.write_noise(12, n as u64 + 2);
        let before = places.each_ref().map(|place| objects(place));
        let mut child = home.start(&["backup", "p"]);
        // From when it writes to both: how long it takes to get there differs from computer to computer.
        let writes = || places.iter().zip(before).all(|(place, before)| objects(place) > before);
        while !writes() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        hits += u32::from(child.wait().unwrap().code().is_none());
        for name in ["nas", "usb"] {
            home.json(&["destination", "refresh", name]);
            let run = home.json(&["verify", "--destination", name, "--read-data", "100"]);
            assert_eq!(run["row"]["state"], "done", "{name} after {pause} ms: {run}");
        }
    }
    assert!(hits > 0, "it was never killed");
    let run = home.json(&["backup", "p"]);
    assert_eq!(run["row"]["state"], "done", "{run}");
    let newest = home.json(&["backups", "--limit", "1"]);
    let row = &newest["rows"][0];
    assert_eq!(row["destinations"].as_array().map(Vec::len), Some(2), "{row}");
    let verify = home.json(&["verify", "p@latest"]);
    assert_eq!(verify["row"]["state"], "done", "{verify}");
}

#[test]
fn a_copy_away_is_named_then_made_good_deleted_and_freed() {
    let home = with_two();
    home.json(&["backup", "p"]);
    std::fs::rename(home.path("usb"), home.path("away")).unwrap();
    std::fs::write(home.path("usb"), b"no folder").unwrap();
    home.write_noise(12, 9);
    let run = home.json_ending(3, &["backup", "p"]);
    assert_eq!(run["row"]["state"], "done_with_problems", "{run}");
    std::fs::remove_file(home.path("usb")).unwrap();
    std::fs::rename(home.path("away"), home.path("usb")).unwrap();
    let sync = home.json(&["sync", "usb"]);
    assert_eq!(sync["row"]["state"], "done", "{sync}");
    let rows = home.json(&["backups"]);
    assert!(rows["rows"].as_array().unwrap().iter().all(|row| row["missing_at"] == serde_json::json!([])), "{rows}");
    let oldest = rows["rows"][1]["id"].as_str().unwrap().to_owned();
    let preview = home.json(&["delete", &oldest, "--at", "usb", "--preview"]);
    assert_eq!(preview["copies"].as_array().map(Vec::len), Some(1), "{preview}");
    home.json_ending(2, &["delete", &oldest, "--at", "usb"]);
    let report = home.json(&["delete", &oldest, "--at", "usb", "--yes"]);
    assert_eq!(report["removed"], serde_json::json!(["usb"]), "{report}");
    let pruned = home.json(&["prune", "usb"]);
    assert_eq!(pruned["row"]["state"], "done", "{pruned}");
    assert!(pruned["row"]["bytes"].as_u64().unwrap() > 20_000_000, "{pruned}");
    let run = home.json(&["verify", "--destination", "usb", "--read-data", "100"]);
    assert_eq!(run["row"]["state"], "done", "{run}");
    let out = home.path("out");
    std::fs::create_dir(&out).unwrap();
    let run = home.json(&["download", "p@latest", &oldest, "--out", text(&out), "--as", "tar.zst"]);
    assert_eq!(run["row"]["state"], "done", "{run}");
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 2);
    home.json_ending(2, &["download", "p@latest", "--out", text(&out), "--as", "as-is"]);
    home.json_ending(1, &["download", "--resume", "last"]);
}

#[test]
fn a_plan_given_one_more_destination_is_made_good_there_by_sync() {
    let home = Home::new();
    home.write("data/a", b"one");
    home.json(&["destination", "add", "nas", "--no-vault", "local", text(&home.path("nas"))]);
    home.json(&["destination", "add", "usb", "--no-vault", "local", text(&home.path("usb"))]);
    let item = format!("files:{}", text(&home.path("data")));
    let add = ["plan", "add", "p", "--server", "This computer", "--item", &item, "--to", "nas", "--layout", "archive"];
    home.json(&add);
    home.json(&["backup", "p"]);
    let row = home.json(&["plan", "change", "p", "--to", "nas", "--to", "usb", "--rename", "q"]);
    assert_eq!((&row["name"], &row["destinations"]), (&"q".into(), &serde_json::json!(["nas", "usb"])), "{row}");
    let sync = home.json(&["sync", "usb"]);
    assert_eq!(sync["row"]["state"], "done", "{sync}");
    let rows = home.json(&["backups"]);
    assert_eq!(rows["rows"][0]["destinations"].as_array().map(Vec::len), Some(2), "{rows}");
}

#[test]
fn room_that_a_deleted_backup_leaves_is_freed_by_the_verb_that_is_named() {
    let home = Home::with_plan();
    home.write_noise(1, 1);
    home.json(&["backup", "p"]);
    let oldest = home.json(&["backups"])["rows"][0]["id"].as_str().unwrap().to_owned();
    home.write_noise(1, 2);
    home.json(&["backup", "p"]);
    let deleted = home.run(&["delete", &oldest, "--yes"]);
    assert!(deleted.status.success() && said(&deleted).contains("backstay prune \"nas\""), "{}", said(&deleted));
    assert!(home.run(&["prune", "nas"]).status.success());
}

//! Exit codes, and what a kill leaves.

use crate::{Home, PASSPHRASE, said, text};
use std::time::{Duration, Instant};

#[test]
fn exit_codes_tell_wrong_usage_from_failure() {
    let home = Home::with_plan();
    for args in
        [&["backup"][..], &["frobnicate"], &["server", "add", "x"], &["restore", "p@latest", "--mode", "mirror"]]
    {
        assert_eq!(home.run(args).status.code(), Some(2), "{args:?}");
    }
    home.json(&["backup", "p"]);
    home.write("data/a.txt", b"changed");
    let wrong = home.json_ending(2, &["restore", "p@latest"]);
    assert_eq!(wrong["error"]["code"], "invalid", "no terminal and no --yes");
    let item = ["plan", "add", "q", "--server", "This computer", "--item", "tape:/x", "--to", "nas"];
    assert_eq!(home.json_ending(2, &item)["error"]["code"], "invalid");
    let replace = ["restore", "p@latest", "--mode", "replace", "--yes"];
    assert_eq!(home.json_ending(2, &replace)["error"]["code"], "invalid", "the name is not typed");
    let typed = [&replace[..], &["--type-name", "somewhere else"]].concat();
    assert_eq!(home.json_ending(2, &typed)["error"]["code"], "invalid");
    assert_eq!(std::fs::read(home.path("data/a.txt")).unwrap(), b"changed");
    let typed = [&replace[..], &["--type-name", "This computer"]].concat();
    assert_eq!(home.json(&typed)["row"]["state"], "done");
    assert_eq!(std::fs::read(home.path("data/a.txt")).unwrap(), b"content");

    for args in [&["backup", "nobody"][..], &["show", "nobody@latest"], &["ls", "0123456789"], &["server", "show", "x"]]
    {
        let error = home.json_ending(1, args)["error"].clone();
        assert_eq!(error["code"], "missing", "{args:?}: {error}");
        assert!(error["message"].as_str().is_some_and(|text| text.starts_with(char::is_uppercase)));
    }
    let gone = home.path("data");
    std::fs::rename(&gone, home.path("elsewhere")).unwrap();
    let failed = home.json_ending(1, &["backup", "p"]);
    assert_eq!(failed["row"]["state"], "failed");
    assert_eq!(home.json(&["backups"])["total"], 1);
    let wrong = home.command(&["status"]).env("BACKSTAY_PASSPHRASE", "another passphrase").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
}

#[cfg(unix)]
fn signal(child: &std::process::Child, name: &str) {
    let ended = std::process::Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(ended.success());
}

#[cfg(unix)]
#[test]
fn control_c_cancels_cleanly() {
    let home = Home::with_plan();
    home.write_noise(24, 0);
    let mut child = home.start(&["backup", "p", "--json"]);
    wait_for_run(&home, &mut child);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert_eq!(home.json(&["runs"])["rows"][0]["state"], "cancelled");
    assert_eq!(home.json(&["destination", "refresh", "nas"])["backups"], 0);
    assert_eq!(home.json(&["backup", "p"])["row"]["state"], "done");
}

/// Waits until the run has its lock, or the program ended.
#[cfg(unix)]
fn wait_for_run(home: &Home, child: &mut std::process::Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        let runs = home.path("home/runs");
        let begun = std::fs::read_dir(runs).is_ok_and(|files| {
            files.flatten().any(|file| {
                !file.file_name().to_string_lossy().starts_with("plan-")
                    && file.path().extension().is_some_and(|e| e == "lock")
            })
        });
        if begun {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn a_kill_at_any_moment_leaves_what_was_there_and_the_next_run_succeeds() {
    let home = Home::with_plan();
    home.write_noise(24, 0);
    let began = Instant::now();
    assert_eq!(home.json(&["backup", "p"])["row"]["state"], "done");
    let usual = began.elapsed().as_millis() as u64;
    let mut good = 1;
    for round in 0..12_u64 {
        home.write("data/changing", format!("round {round}").repeat(50_000).as_bytes());
        let mut child = home.start(&["backup", "p", "--json"]);
        // Spread over the whole run, its begin and its end too.
        std::thread::sleep(Duration::from_millis(usual * (round + 1) / 14));
        let _ = child.kill();
        if child.wait().unwrap().success() {
            good += 1;
        }
        // What a kill between commit and the local row left counts as well: the vault is the truth.
        let there = home.json(&["destination", "refresh", "nas"])["backups"].as_u64().unwrap();
        assert!((good..=good + 1).contains(&there), "round {round}: {there} backups after {good} good runs");
        good = there;
        let states = home.json(&["runs"])["rows"].as_array().unwrap().clone();
        let open = states.iter().filter(|row| ["running", "waiting"].contains(&row["state"].as_str().unwrap())).count();
        assert_eq!(open, 0, "round {round}: no run is left open");
    }
    let last = home.json(&["backup", "p"]);
    assert_eq!(last["row"]["state"], "done");
    assert_eq!(home.json(&["verify", "p@latest"])["row"]["state"], "done");
    let to = format!("This computer:{}", text(&home.path("restored")));
    let only = text(&home.path("data")).trim_start_matches('/').to_owned();
    home.json(&["restore", "p@latest", "--to", &to, "--only", &only, "--yes"]);
    for entry in std::fs::read_dir(home.path("data")).unwrap() {
        let name = entry.unwrap().file_name();
        let (before, after) = (home.path("data").join(&name), home.path("restored").join(&name));
        assert!(std::fs::read(before).unwrap() == std::fs::read(after).unwrap(), "{name:?} differs");
    }
    assert_eq!(home.json(&["audit", "verify"])["fault"], serde_json::Value::Null);
}

#[test]
fn no_sealed_file_is_begun_unasked_where_a_keyring_was_used() {
    let home = Home::new();
    home.write("home/keyring.id", b"0123456789abcdef");
    let status = home.json(&["secrets", "status"]);
    assert_eq!((status["state"].as_str(), status["keyring_used"].as_bool()), (Some("keyring_closed"), Some(true)));
    assert!(!home.path("home/secrets.sealed").exists());
    let made = home.run_with(&["secrets", "create"], &format!("{PASSPHRASE}\n"));
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert!(said(&made).contains("Secrets of this home rest in the keyring"), "{}", said(&made));
    assert_eq!(home.json(&["secrets", "status"])["state"], "ready");
}

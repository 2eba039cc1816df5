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
    // The words themselves cannot be read: JSON all the same, and no home is needed.
    for args in [&["backup"][..], &["frobnicate"], &["status", "--progress", "loud"], &["server"]] {
        let error = home.json_ending(2, args)["error"].clone();
        assert_eq!(error["code"], "invalid", "{args:?}: {error}");
        assert!(error["message"].as_str().unwrap().starts_with("Cannot read the command line: "), "{args:?}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("--help"), "{args:?}: {error}");
    }
    let bare = home.command(&["--json", "server"]).env_remove("BACKSTAY_HOME").output().unwrap();
    let error: serde_json::Value = serde_json::from_slice(&bare.stdout).unwrap();
    assert_eq!((bare.status.code(), &error["error"]["code"]), (Some(2), &"invalid".into()), "{error}");
    let help = home.run(&["backup", "--json", "--help"]);
    assert_eq!(help.status.code(), Some(0), "{}", said(&help));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: backstay backup"), "{}", said(&help));
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
    killed_again_and_again(25);
}

#[cfg(unix)]
#[test]
#[ignore = "slow: npm run test:extended"]
fn a_hundred_kills_leave_what_was_there_and_the_next_run_succeeds() {
    killed_again_and_again(100);
}

/// Each round has new data to save, and is killed at a moment left to chance, its begin and its end too.
#[cfg(unix)]
fn killed_again_and_again(rounds: u64) {
    use crate::everywhere::trees::Dice;
    use std::os::unix::process::ExitStatusExt;
    let home = Home::with_plan();
    let mut dice = Dice::new("killed again and again");
    home.write_noise(4, 0);
    assert_eq!(home.json(&["backup", "p"])["row"]["state"], "done");
    home.write_noise(4, 1);
    let began = Instant::now();
    assert_eq!(home.json(&["backup", "p"])["row"]["state"], "done");
    let mut usual = began.elapsed();
    let (mut good, mut kills) = (2, 0);
    for round in 0..rounds {
        home.write_noise(4, round + 2);
        let moment = Duration::from_micros(dice.between(0, usual.as_micros() as u64));
        let began = Instant::now();
        let mut child = home.start(&["backup", "p", "--json"]);
        while began.elapsed() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = began.elapsed();
        let _ = child.kill();
        let ended = child.wait_with_output().unwrap();
        let killed = ended.status.signal().is_some();
        if killed {
            kills += 1;
        } else {
            assert!(ended.status.success(), "round {round}: {}", said(&ended));
            good += 1;
            // Less goes on beside it than when it was measured.
            usual = usual.min(took);
        }
        // What a kill between commit and the local row left counts as well: the vault is the truth.
        let there = home.json(&["destination", "refresh", "nas"])["backups"].as_u64().unwrap();
        let most = good + u64::from(killed);
        assert!((good..=most).contains(&there), "round {round}, after {moment:?}: {there} backups, {good} good runs");
        good = there;
    }
    println!("{kills} of {rounds} runs were killed");
    assert!(kills * 4 >= rounds * 3, "the kills must have hit: {kills} of {rounds}");
    let runs = home.json(&["runs", "--limit", "1000"]);
    let open = |row: &serde_json::Value| ["running", "waiting"].contains(&row["state"].as_str().unwrap());
    assert!(!runs["rows"].as_array().unwrap().iter().any(open), "no run is left open: {runs}");
    let last = home.json(&["backup", "p"]);
    assert_eq!(last["row"]["state"], "done");
    let check = home.json(&["verify", "--destination", "nas", "--read-data", "100"]);
    assert_eq!((&check["row"]["state"], &check["problem_list"]), (&"done".into(), &serde_json::json!([])), "{check}");
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

#[test]
fn words_that_do_not_fit_say_which_would() {
    let home = Home::with_plan();
    home.json(&["backup", "p"]);
    let plan = ["plan", "add", "q", "--server", "This computer", "--to", "nas", "--item"];
    let zip = [&plan[..], &["files:/srv", "--format", "zip"]].concat();
    let named = [&plan[..], &["files:/srv", "--name", "{plan}"]].concat();
    let relative = [&plan[..], &["files:relative/path"]].concat();
    let to = |place| ["restore", "p@latest", "--yes", "--to", place];
    let (no_slash, no_server, unknown) = (to("This computer:relative"), to("/somewhere"), to("nobody:/somewhere"));
    let cases: [(i32, &[&str], &str); 13] = [
        (2, &no_slash, "SERVER:/PATH"),
        (2, &no_server, "SERVER:/PATH"),
        (1, &unknown, "backstay server list"),
        (2, &relative, "begins with a slash"),
        (2, &zip, "--layout archive"),
        (2, &named, "--layout archive"),
        (2, &["destination", "change", "nas"], "backstay destination change --help"),
        (2, &["server", "change", "This computer"], "backstay server change --help"),
        (2, &["backups", "--kind", "nosuch"], "postgres"),
        (2, &["backups", "--limit", "0"], "--limit"),
        (1, &["destination", "providers", "nope"], "wasabi"),
        (1, &["show", "000000"], "backstay backups"),
        (1, &["runs", "000000"], "backstay runs"),
    ];
    for (code, args, says) in cases {
        let error = home.json_ending(code, args)["error"].to_string();
        assert!(error.contains(says), "{args:?}: {error}");
    }
}

#[test]
fn a_hint_names_the_verb_and_not_the_window_alone() {
    let home = Home::with_plan();
    let other = home.path("other");
    let add = ["destination", "add", "other", "local", text(&other), "--json"];
    let locked = home.command(&add).env_remove("BACKSTAY_PASSPHRASE").output().unwrap();
    assert_eq!(locked.status.code(), Some(1), "{}", said(&locked));
    assert!(said(&locked).contains("set BACKSTAY_PASSPHRASE"), "{}", said(&locked));
}

#[test]
fn the_program_leaves_whatever_is_still_at_work_behind_it() {
    let home = Home::with_plan();
    for _ in 0..12 {
        for args in [&["status"][..], &["destination", "list"]] {
            // Several at once: the more goes on, the later the work in the background ends.
            let all: Vec<_> = (0..4).map(|_| home.start(args)).collect();
            for one in all {
                let output = one.wait_with_output().unwrap();
                assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {}", said(&output));
            }
        }
    }
}

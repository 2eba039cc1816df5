//! The main job by the command line, and the shapes of its JSON.

use crate::{Home, PASSPHRASE, said, text};
use serde_json::Value;
use std::path::PathBuf;

#[test]
fn the_main_job_with_json() {
    let home = Home::with_plan();
    home.write("data/sub/b.txt", b"more");
    let first = home.json(&["backup", "p"]);
    assert_eq!((first["row"]["state"].as_str(), first["row"]["files"].as_u64()), (Some("done"), Some(2)));
    home.write("data/a.txt", b"changed content");
    let second = home.json(&["backup", "p"]);
    assert_eq!(second["files_changed"], 1);
    let (older, newer) = (first["row"]["backup"].as_str().unwrap(), second["row"]["backup"].as_str().unwrap());

    let page = home.json(&["backups", "--plan", "p"]);
    assert_eq!((page["total"].as_u64(), page["rows"][0]["id"].as_str()), (Some(2), Some(newer)));
    let detail = home.json(&["show", "p@latest"]);
    assert_eq!(detail["row"]["id"], newer);
    assert_eq!(detail["previous"], older);
    let folder = text(&home.path("data")).trim_start_matches('/').to_owned();
    let rows = home.json(&["ls", &newer[..10], &folder]);
    assert_eq!(rows[1]["name"], "a.txt");
    assert_eq!(rows[1]["change"], "changed");
    let diff = home.json(&["diff", older, newer]);
    assert_eq!((diff["changed"].as_u64(), diff["added"].as_u64()), (Some(1), Some(0)));
    let found = home.json(&["find", "p@latest", "B.TXT"]);
    assert_eq!(found.as_array().unwrap().len(), 1);

    let to = format!("This computer:{}", text(&home.path("restored")));
    let restore = ["restore", "p@latest", "--to", &to, "--only", &folder];
    let preview = home.json(&[&restore[..], &["--preview"]].concat());
    assert_eq!(preview["create"]["count"], 2);
    let restored = ["a.txt", "sub/b.txt"].map(|name| text(&home.path("restored").join(name)).to_owned());
    assert_eq!(files_of(&preview, "create_list"), restored);
    assert!(!home.path("restored").exists());
    let run = home.json(&[&restore[..], &["--yes"]].concat());
    assert_eq!(run["row"]["state"], "done");
    assert_eq!(std::fs::read(home.path("restored/a.txt")).unwrap(), b"changed content");
    assert_eq!(std::fs::read(home.path("restored/sub/b.txt")).unwrap(), b"more");
    let again = home.json(&[&restore[..], &["--yes"]].concat());
    assert!(again["blocked"].as_str().unwrap().contains("nothing to do"), "a second time there is nothing to do");
    // A look at it says just that, and is no failure either.
    home.json(&[&restore[..], &["--preview"]].concat());
    let (looked, done) =
        (home.run(&[&restore[..], &["--preview"]].concat()), home.run(&[&restore[..], &["--yes"]].concat()));
    assert_eq!((looked.status.code(), &looked.stdout), (Some(0), &done.stdout), "{}", said(&looked));
    assert!(!said(&looked).contains("cannot be done"), "{}", said(&looked));

    std::fs::create_dir(home.path("out")).unwrap();
    let run = home.json(&["download", older, "--out", text(&home.path("out")), "--as", "tar.zst"]);
    assert!(run["row"]["result"].as_str().unwrap().ends_with(".tar.zst"));
    // A part of it, and nothing else.
    std::fs::create_dir(home.path("part")).unwrap();
    let only = text(&home.path("data/sub")).trim_start_matches('/').to_owned();
    let part = home.json(&["download", newer, "--out", text(&home.path("part")), "--only", &only, "--as", "tar.gz"]);
    let file = part["row"]["result"].as_str().unwrap();
    let listed = std::process::Command::new("tar").args(["-tzf", file]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = listed.lines().filter(|line| !line.ends_with('/')).collect();
    assert_eq!(files, [format!("{only}/b.txt")]);
    assert_eq!(home.json(&["verify", "p@latest"])["row"]["state"], "done");
    let status = home.json(&["status"]);
    assert_eq!(status["servers"][0]["state"], "protected");
    let runs = home.json(&["runs"]);
    assert_eq!(runs["total"], 6);
    assert_eq!(home.json(&["audit", "verify"])["fault"], serde_json::Value::Null);
    assert!(home.json(&["destination", "usage", "nas"])["used_bytes"].as_u64().unwrap() > 0);
    secrets_stay_in(&home);
}

/// The files of a preview's list.
fn files_of(preview: &Value, list: &str) -> Vec<String> {
    let rows = preview[list].as_array().unwrap_or_else(|| panic!("{list}: {preview}"));
    let files = rows.iter().filter(|row| row["is_dir"] == false);
    let mut files: Vec<String> = files.map(|row| row["target"].as_str().unwrap().to_owned()).collect();
    files.sort();
    files
}

#[test]
fn a_preview_names_all_that_it_would_do() {
    let home = Home::with_plan();
    let lost: Vec<PathBuf> = (0..30).map(|n| home.write(&format!("data/lost/{n:02}"), b"lost")).collect();
    home.json(&["backup", "p"]);
    std::fs::remove_dir_all(home.path("data/lost")).unwrap();
    let (changed, later) = (home.write("data/a.txt", b"changed"), home.write("data/later", b"later"));
    let args = ["restore", "p@latest", "--mode", "replace", "--preview"];
    let preview = home.json(&args);
    let lost: Vec<&str> = lost.iter().map(|file| text(file)).collect();
    assert_eq!(files_of(&preview, "create_list"), lost);
    assert_eq!(files_of(&preview, "overwrite_list"), [text(&changed)]);
    assert_eq!(files_of(&preview, "delete_list"), [text(&later)]);
    // As text the first of each list, and all of them where they are asked for.
    let first = said(&home.run(&args));
    assert!(first.contains("more to create; --all shows them"), "{first}");
    assert!(!lost.iter().all(|file| first.contains(file)), "{first}");
    let all = said(&home.run(&[&args[..], &["--all"]].concat()));
    assert!(lost.iter().all(|file| all.contains(file)), "{all}");
}

#[cfg(unix)]
#[test]
fn what_was_skipped_is_a_note_and_no_problem() {
    let home = Home::with_plan();
    let socket = home.path("data/socket");
    let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let shown = home.run(&["backup", "p"]);
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    assert!(said(&shown).contains(&format!("Note: skipped {}: It is a socket", text(&socket))), "{}", said(&shown));
    let run = home.json(&["backup", "p"]);
    assert_eq!((&run["row"]["state"], &run["row"]["problems"]), (&"done".into(), &0.into()), "{run}");
    let note = &run["problem_list"][0];
    assert_eq!((&note["kind"], &note["subject"]), (&"skipped".into(), &text(&socket).into()), "{run}");
}

/// The vault's password and the passphrase are in no file of the home, and in no output but the kit's.
fn secrets_stay_in(home: &Home) {
    let kit = home.json(&["destination", "kit", "nas"]);
    let password = kit["password"].as_str().unwrap();
    assert_eq!(kit["words"].as_array().unwrap().len(), 10);
    assert!(kit["text"].as_str().unwrap().contains("restic restore"));
    let mut outputs = Vec::new();
    for args in [&["destination", "list"][..], &["status"], &["runs"], &["audit", "list"], &["plan", "show", "p"]] {
        outputs.push(said(&home.run(args)));
        outputs.push(home.json(args).to_string());
    }
    let export = home.path("audit.jsonl");
    home.json(&["audit", "export", text(&export)]);
    outputs.push(std::fs::read_to_string(export).unwrap());
    let mut files = vec![home.path("home")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            outputs.push(String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
        }
    }
    for (at, output) in outputs.iter().enumerate() {
        assert!(!output.contains(password), "the vault's password is in output {at}");
        assert!(!output.contains(PASSPHRASE), "the passphrase is in output {at}");
    }
}

#[test]
fn progress_as_lines_of_json() {
    let home = Home::with_plan();
    let output = home.run(&["backup", "p", "--progress", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!((last["type"].as_str(), last["run"]["state"].as_str()), (Some("run"), Some("done")));
    assert!(lines.iter().any(|line| line["type"] == "progress" && line["progress"]["permille"] == 1000));
    // An error is a line as well.
    let output = home.run(&["backup", "no such plan", "--progress", "json", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("no such plan"), "{lines}");
}

#[test]
fn a_vault_is_opened_elsewhere_by_its_password_from_standard_input() {
    let home = Home::with_plan();
    home.json(&["backup", "p"]);
    let password = home.json(&["destination", "kit", "nas"])["password"].as_str().unwrap().to_owned();
    let other = Home::new();
    let open = ["destination", "open", "found", "local", text(&home.path("vault")), "--vault-password-stdin", "--json"]
        .map(str::to_owned);
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    let wrong = other.run_with(&open, "not the password at all\n");
    assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
    assert!(String::from_utf8_lossy(&wrong.stdout).contains("wrong_key"));
    let opened = other.run_with(&open, &format!("{password}\n"));
    assert_eq!(opened.status.code(), Some(0), "{}", said(&opened));
    assert!(!said(&opened).contains(&password));
    assert_eq!(other.json(&["backups"])["total"], 1);
    let to = format!("This computer:{}", text(&other.path("restored")));
    other.json(&["restore", "p@latest", "--to", &to, "--yes"]);
    let restored = other.path("restored").join(text(&home.path("data/a.txt")).trim_start_matches('/'));
    assert_eq!(std::fs::read(restored).unwrap(), b"content");
}

#[test]
fn the_demo_proves_itself() {
    let output = Home::new().run(&["demo"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("compared byte by byte"));
}

#[test]
fn the_demo_with_json_leaves_standard_output_to_what_came_of_it() {
    let output = Home::new().run(&["demo", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let whole: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)));
    assert!(whole["entries"].as_u64().unwrap() > 200 && whole["bytes"].as_u64().unwrap() > 6 << 20, "{whole}");
    assert!(whole["kept"].is_null(), "{whole}");
    let prose = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(prose.contains("$ backstay backup demo") && prose.contains("Backup "), "{prose}");
}

#[test]
fn settings_are_shown_and_changed_one_by_one() {
    let home = Home::new();
    let before = home.json(&["settings"]);
    assert_eq!((&before["notify"], &before["stall_minutes"]), (&"problems".into(), &10.into()), "{before}");
    home.json(&["settings", "--stall-minutes", "0", "--notify", "always"]);
    let now = home.json(&["settings"]);
    assert_eq!((&now["notify"], &now["stall_minutes"]), (&"always".into(), &0.into()), "{now}");
    assert_eq!((&now["theme"], &now["stale_days"]), (&before["theme"], &before["stale_days"]));
    assert_eq!(home.run(&["settings", "--notify", "sometimes"]).status.code(), Some(2));
}

#[test]
fn what_is_left_out_later_is_a_path_or_a_pattern() {
    let home = Home::with_plan();
    for name in ["data/a.o", "data/sub/b.o", "data/sub/kept", "data/old/c"] {
        home.write(name, b"content");
    }
    home.json(&["plan", "exclude", "p", "*.o", text(&home.path("data/old"))]);
    let run = home.json(&["backup", "p"]);
    assert_eq!(run["row"]["files"], 2, "a.txt and sub/kept: {run}");
    for wrong in ["/", ""] {
        assert_eq!(home.json_ending(2, &["plan", "exclude", "p", wrong])["error"]["code"], "invalid", "{wrong:?}");
    }
}

#[test]
fn of_a_limit_what_is_not_named_stays() {
    let home = Home::with_plan();
    let change = |more: &[&str]| {
        let now = home.json(&[&["destination", "limits", "nas"][..], more].concat());
        let bandwidth = &now["destinations"][0]["bandwidth"];
        (bandwidth["bytes_per_second"].as_u64(), bandwidth["rules"].as_array().map_or(0, Vec::len))
    };
    let rule = ["--rule", "mon-fri@08:00-18:00=2M"];
    assert_eq!(change(&[&rule[..], &["--rate", "6M"]].concat()), (Some(6 << 20), 1));
    assert_eq!(change(&["--rate", "3M"]), (Some(3 << 20), 1));
    assert_eq!(change(&["--rule", "sat@00:00-24:00=none", "--rule", "sun@00:00-24:00=1M"]), (Some(3 << 20), 2));
    assert_eq!(change(&["--no-rules"]), (Some(3 << 20), 0));
    assert_eq!(change(&rule), (Some(3 << 20), 1));
    assert_eq!(change(&["--rate", "none"]), (None, 1));
    assert_eq!(home.run(&[&["destination", "limits", "nas", "--no-rules"][..], &rule].concat()).status.code(), Some(2));
}

#[test]
fn what_was_removed_or_cancelled_is_said() {
    let home = Home::with_plan();
    let shown = |args: &[&str]| {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(shown(&["destination", "refresh", "nas"]), "0 backups at nas\n");
    let run = home.json(&["verify", "--destination", "nas"])["row"]["id"].as_str().unwrap().to_owned();
    assert!(shown(&["cancel", &run]).contains("is over"));
    assert_eq!(shown(&["plan", "remove", "p"]), "Removed the plan p; its backups stay\n");
    assert_eq!(shown(&["destination", "remove", "nas"]), "Removed the destination nas; what lies there stays\n");
}

#[test]
fn what_a_restore_cannot_bring_back_is_said_without_a_preview_too() {
    let home = Home::with_plan();
    home.write("data/b.txt", b"more");
    home.json(&["backup", "p"]);
    let file = home.path("data/a.txt");
    std::fs::remove_file(&file).unwrap();
    home.write("data/a.txt/inside", b"a folder now");
    std::fs::remove_file(home.path("data/b.txt")).unwrap();
    let warning = format!("{} is a folder there", text(&file));
    let restored = home.run(&["restore", "p@latest", "--yes"]);
    assert_eq!(restored.status.code(), Some(3), "{}", said(&restored));
    assert!(String::from_utf8_lossy(&restored.stderr).contains(&warning), "{}", said(&restored));
    assert!(home.path("data/b.txt").exists() && file.join("inside").exists());
    // Now nothing else is to be done, which is no success either.
    let restored = home.run(&["restore", "p@latest", "--yes"]);
    assert_eq!(restored.status.code(), Some(3), "{}", said(&restored));
    assert!(said(&restored).contains(&warning), "{}", said(&restored));
}

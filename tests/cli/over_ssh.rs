//! A server over SSH by the command line: host keys, log-in, an unreadable file, secrets nowhere to be seen.

use crate::everywhere::trees::{noise, put};
use crate::onlookers::unseen;
use crate::{Home, said, text};
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::{Sshd, SshdOptions, SudoRight};
use std::os::unix::fs::PermissionsExt;
use tokio::runtime::Runtime;

#[test]
fn a_lab_server_is_added_backed_up_and_restored() {
    let Some(sshd) = Sshd::start() else { return };
    let user = sshd.add_user(SudoRight::None);
    let home = Home::new();
    let address = format!("{}@127.0.0.1:{}", user.name, sshd.port());
    let key = sshd.key_file();
    let add = ["server", "add", "lab", "--ssh", &address, "--password-stdin", "--json"];
    let secret = user.password.expose();

    let unknown = home.run_with(&add, &format!("{secret}\n"));
    assert_eq!(unknown.status.code(), Some(1), "{}", said(&unknown));
    assert!(said(&unknown).contains("host_key_unknown") && said(&unknown).contains(&sshd.fingerprint()));
    let other = "SHA256:0123456789012345678901234567890123456789012";
    let changed = home.run_with(&[&add[..], &["--fingerprint", other]].concat(), &format!("{secret}\n"));
    assert!(said(&changed).contains("host_key_changed"), "{}", said(&changed));
    let fingerprint = sshd.fingerprint();
    let right = [&add[..], &["--fingerprint", &fingerprint]].concat();
    let wrong = home.run_with(&right, "not the password\n");
    assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
    assert_eq!(
        home.json(&["server", "list"]).as_array().unwrap().len(),
        1,
        "a server that cannot be logged in to is not kept"
    );
    let added = home.run_with(&right, &format!("{secret}\n"));
    assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    let by_key = ["server", "add", "by-key", "--ssh", &address, "--key", text(&key), "--trust-first-use"];
    assert_eq!(home.json(&by_key)["name"], "by-key");
    assert_eq!(home.json(&["server", "test", "lab"])["ok"], true);

    let data = user.home.join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("readable"), b"yes").unwrap();
    std::fs::write(data.join("secret"), b"no").unwrap();
    std::fs::set_permissions(data.join("secret"), std::fs::Permissions::from_mode(0o000)).unwrap();
    home.json(&["destination", "add", "nas", "local", text(&home.path("vault"))]);
    let item = format!("files:{}", text(&data));
    home.json(&["plan", "add", "web", "--server", "lab", "--item", &item, "--to", "nas"]);
    // How sshd shows a session: the server was looked at while it was read.
    let session = format!("{}@notty", user.name);
    let run = unseen(&[secret], &session, || home.json_ending(3, &["backup", "web"]));
    assert_eq!((run["row"]["state"].as_str(), run["row"]["problems"].as_u64()), (Some("done_with_problems"), Some(1)));
    let problem = &run["problem_list"][0];
    let unreadable = data.join("secret");
    assert_eq!((&problem["kind"], &problem["subject"]), (&"unreadable".into(), &text(&unreadable).into()), "{run}");
    assert!(problem["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{run}");
    let shown = home.json(&["runs", run["row"]["id"].as_str().unwrap()]);
    assert_eq!(shown["problem_list"], run["problem_list"]);
    home.json(&["plan", "exclude", "web", text(&data.join("secret"))]);
    assert_eq!(home.json(&["backup", "web"])["row"]["state"], "done");

    let to = format!("lab:{}", text(&user.home.join("restored")));
    let only = text(&data).trim_start_matches('/');
    let restore = ["restore", "web@latest", "--to", &to, "--only", only, "--yes"];
    let restored = unseen(&[secret], &session, || home.json(&restore));
    assert_eq!(restored["problem_list"], serde_json::json!([]), "{restored}");
    assert_eq!(std::fs::read(user.home.join("restored/readable")).unwrap(), b"yes");

    let outputs = [said(&unknown), said(&changed), said(&added), run.to_string(), shown.to_string()].join("\n");
    assert!(!outputs.contains(secret));
    for file in ["home/backstay.db", "home/backstay.db-wal"] {
        let content = std::fs::read(home.path(file)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&content).contains(secret), "{file}");
    }
    sshd.stop();
    let offline = home.json_ending(1, &["backup", "web"]);
    assert_eq!(offline["row"]["error"]["code"], "offline", "{offline}");
}

#[test]
fn a_run_cut_by_a_lost_connection_says_what_to_do() {
    let Some(sshd) = Sshd::start() else { return };
    let user = sshd.add_user(SudoRight::None);
    let runtime = Runtime::new().unwrap();
    let proxy = runtime.block_on(FaultProxy::start(sshd.port())).unwrap();
    let home = Home::new();
    let data = user.home.join("data");
    put(&data.join("large"), &noise(1, 4 << 20));
    let address = format!("{}@127.0.0.1:{}", user.name, proxy.port());
    let (key, fingerprint) = (sshd.key_file(), sshd.fingerprint());
    home.json(&["server", "add", "lab", "--ssh", &address, "--key", text(&key), "--fingerprint", &fingerprint]);
    home.json(&["destination", "add", "nas", "local", text(&home.path("vault"))]);
    let item = format!("files:{}", text(&data));
    home.json(&["plan", "add", "web", "--server", "lab", "--item", &item, "--to", "nas"]);

    proxy.set(|faults| faults.cut_after = Some(1 << 20));
    let cut = home.run(&["backup", "web"]);
    assert_eq!(cut.status.code(), Some(1), "{}", said(&cut));
    let todo = "Check that the server can be reached, then start it again";
    assert!(said(&cut).contains(todo), "{}", said(&cut));
    let id = home.json(&["runs"])["rows"][0]["id"].as_str().unwrap().to_owned();
    let shown = home.run(&["runs", &id]);
    assert!(said(&shown).contains(todo), "{}", said(&shown));
    proxy.set(|faults| faults.cut_after = None);
    assert_eq!(home.json(&["backup", "web"])["row"]["state"], "done");
}

#[test]
fn a_changed_host_key_stops_a_server_with_a_plan_until_it_is_accepted() {
    let (Some(sshd), Some(other)) = (Sshd::start(), Sshd::start()) else { return };
    let user = sshd.add_user(SudoRight::None);
    let home = Home::new();
    let address = format!("{}@127.0.0.1:{}", user.name, sshd.port());
    let key = sshd.key_file();
    home.json(&["server", "add", "lab", "--ssh", &address, "--key", text(&key), "--trust-first-use"]);
    let beside = other.add_user(SudoRight::None);
    let far = format!("{}@127.0.0.1:{}", beside.name, other.port());
    home.json(&["server", "add", "other", "--ssh", &far, "--key", text(&other.key_file()), "--trust-first-use"]);
    std::fs::write(user.home.join("file"), b"content").unwrap();
    home.json(&["destination", "add", "nas", "local", text(&home.path("vault"))]);
    let item = format!("files:{}", text(&user.home));
    home.json(&["plan", "add", "web", "--server", "lab", "--item", &item, "--to", "nas"]);
    assert_eq!(home.json(&["backup", "web"])["row"]["state"], "done");

    let before = sshd.fingerprint();
    sshd.change_host_key();
    let now = sshd.fingerprint();
    let refused = home.json_ending(1, &["backup", "web"]);
    assert_eq!(refused["row"]["error"]["code"], "host_key_changed", "{refused}");
    // No way around it: not by testing, not by any change that does not name the new key, not by first use.
    assert_eq!(home.json_ending(1, &["server", "test", "lab"])["ok"], false);
    for more in [&["--trust-first-use"][..], &["--no-test"], &["--ssh", &address], &["--fingerprint", &before]] {
        let output = home.run(&[&["server", "change", "lab"], more].concat());
        assert_eq!(output.status.code(), Some(1), "{more:?}: {}", said(&output));
        let text = said(&output);
        assert!(text.contains(&before) && text.contains(&format!("--fingerprint {now}")), "{text}");
    }
    assert_eq!(home.json(&["server", "show", "lab"])["fingerprint"], before.as_str());

    home.json(&["server", "change", "lab", "--fingerprint", &now]);
    let shown = home.json(&["server", "show", "lab"]);
    assert_eq!(shown["fingerprint"], now.as_str());
    assert_eq!(shown["draft"]["auth"], "key", "what was not named stays");
    assert_eq!(home.json(&["backup", "web"])["row"]["state"], "done");
    assert_eq!(home.json(&["server", "show", "other"])["fingerprint"], other.fingerprint().as_str());
    assert_eq!(home.json(&["server", "test", "other"])["ok"], true);
    let audit = home.json(&["audit", "list"]).to_string();
    let accepted = format!("lab: 127.0.0.1:{} {now}, instead of {before}", sshd.port());
    assert!(audit.contains("host_key.accept") && audit.contains(&accepted), "{audit}");
}

#[test]
fn a_changed_host_key_of_a_destination_is_accepted_where_that_is_changed() {
    let Some(sshd) = Sshd::start() else { return };
    let (user, home) = (sshd.add_user(SudoRight::None), Home::new());
    let address = format!("{}@127.0.0.1:{}", user.name, sshd.port());
    let key = sshd.key_file();
    let own = ["sftp", "--ssh", &address, "--key", text(&key), "--path", "box", "--trust-first-use"];
    home.json(&[&["destination", "add", "box", "--no-vault"][..], &own].concat());
    home.json(&["destination", "add", "disk", "--no-vault", "local", text(&home.path("disk"))]);
    let before = sshd.fingerprint();
    sshd.change_host_key();
    let now = sshd.fingerprint();
    let refused = home.json_ending(1, &["destination", "test", "box"]).to_string();
    assert!(refused.contains(&now) && refused.contains("destination change"), "{refused}");
    home.json(&["destination", "change", "box", "--fingerprint", &now]);
    assert_eq!(home.json(&["destination", "test", "box"])["ok"], true);
    let audit = home.json(&["audit", "list"]).to_string();
    let accepted = format!("box: 127.0.0.1:{} {now}, instead of {before}", sshd.port());
    assert!(audit.contains("host_key.accept") && audit.contains(&accepted), "{audit}");
    for (option, value) in [("--fingerprint", now.as_str()), ("--certificate", &"ab".repeat(32))] {
        let no_use = home.run(&["destination", "change", "disk", option, value]);
        assert_eq!(no_use.status.code(), Some(2), "{}", said(&no_use));
    }
}

#[test]
fn the_key_of_a_jump_host_is_accepted_apart_from_the_servers() {
    let (Some(sshd), Some(bastion)) = (Sshd::start(), Sshd::start()) else { return };
    let (user, guard) = (sshd.add_user(SudoRight::None), bastion.add_user(SudoRight::None));
    bastion.authorize_key(&guard.name, &std::fs::read(sshd.dir().join("user_key.pub")).unwrap());
    let home = Home::new();
    let address = format!("{}@127.0.0.1:{}", user.name, sshd.port());
    let jump = format!("{}@127.0.0.1:{}", guard.name, bastion.port());
    let key = sshd.key_file();
    let add = ["server", "add", "lab", "--ssh", &address, "--key", text(&key), "--jump", &jump];
    let (own, its) = (sshd.fingerprint(), bastion.fingerprint());
    let unknown = home.run(&add);
    assert!(said(&unknown).contains(&format!("--jump-fingerprint {its}")), "{}", said(&unknown));
    let passed = [&add[..], &["--jump-fingerprint", &its]].concat();
    let unknown = home.run(&passed);
    assert!(said(&unknown).contains(&format!("--fingerprint {own}")), "{}", said(&unknown));
    home.json(&[&passed[..], &["--fingerprint", &own]].concat());

    bastion.change_host_key();
    let now = bastion.fingerprint();
    let changed = home.run(&["server", "change", "lab", "--no-test"]);
    assert!(said(&changed).contains(&format!("--jump-fingerprint {now}")), "{}", said(&changed));
    let wrong = home.run(&["server", "change", "lab", "--fingerprint", &now]);
    assert_eq!(wrong.status.code(), Some(1), "the jump host's key is not the server's: {}", said(&wrong));
    home.json(&["server", "change", "lab", "--jump-fingerprint", &now]);
    assert_eq!(home.json(&["server", "test", "lab"])["ok"], true);
    assert_eq!(home.json(&["server", "show", "lab"])["fingerprint"], own.as_str());
    let too_many = home.run(&["server", "change", "lab", "--no-jump", "--jump-fingerprint", &now]);
    assert_eq!(too_many.status.code(), Some(2), "{}", said(&too_many));
}

#[test]
fn a_key_and_a_password_and_a_jump_host_with_its_own() {
    let two = SshdOptions { two_factors: true, ..SshdOptions::default() };
    let (Some(bastion), Some(sshd)) = (Sshd::start(), Sshd::start_with(&two)) else { return };
    let (guard, user) = (bastion.add_user(SudoRight::None), sshd.add_user(SudoRight::None));
    let home = Home::new();
    let address = format!("{}@127.0.0.1:{}", user.name, sshd.port());
    let jump = format!("{}@127.0.0.1:{}", guard.name, bastion.port());
    let key = sshd.key_file();
    let add = ["server", "add", "lab", "--ssh", &address, "--key", text(&key), "--trust-first-use", "--jump", &jump];
    let add = [&add[..], &["--jump-password-stdin"]].concat();
    let (own, second) = (guard.password.expose(), user.password.expose());
    let without = home.run_with(&add, &format!("{own}\n"));
    assert_eq!(without.status.code(), Some(1), "{}", said(&without));
    assert!(said(&without).contains("second proof"), "{}", said(&without));
    // Standard input gives them in the order of the help: the second password before those of the jump hosts.
    let both = [&add[..], &["--second-password-stdin", "--json"]].concat();
    let added = home.run_with(&both, &format!("{second}\n{own}\n"));
    assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    assert_eq!(home.json(&["server", "test", "lab"])["ok"], true);
    let draft = home.json(&["server", "show", "lab"])["draft"].clone();
    assert_eq!((&draft["password_too"], &draft["jumps"][0]["auth"]), (&true.into(), &"password".into()), "{draft}");
    assert!(!draft.to_string().contains(own) && !draft.to_string().contains(second));
    // What is not named stays, its secrets too; without the second password it no longer gets in.
    home.json(&["server", "change", "lab", "--sudo", "--no-test"]);
    home.json(&["server", "change", "lab", "--no-sudo"]);
    let gone = home.run(&["server", "change", "lab", "--no-second-password"]);
    assert!(said(&gone).contains("second proof"), "{}", said(&gone));
    // A jump host that is gone takes its password along.
    home.json(&["server", "change", "lab", "--no-jump"]);
    let back = home.run(&["server", "change", "lab", "--jump", &jump, "--trust-first-use"]);
    assert_eq!(back.status.code(), Some(1), "{}", said(&back));
}

#[test]
fn backups_that_lie_on_the_server_itself_are_neither_backed_up_nor_replaced() {
    let Some(sshd) = Sshd::start() else { return };
    let (user, home) = (sshd.add_user(SudoRight::None), Home::new());
    let (address, key) = (format!("{}@127.0.0.1:{}", user.name, sshd.port()), sshd.key_file());
    home.json(&["server", "add", "nas", "--ssh", &address, "--key", text(&key), "--trust-first-use"]);
    // One by the server, below its log-in folder; one by its own log-in, by another name for the same folder.
    let by_server = ["destination", "add", "box", "sftp", "--server", "nas", "--path", "data/box"];
    let alias = user.home.join("alias");
    std::os::unix::fs::symlink(user.home.join("data"), &alias).unwrap();
    put(&user.home.join("data/mine/a"), b"a");
    let chown = || std::process::Command::new("chown").args(["-R", &user.name]).arg(user.home.join("data")).status();
    assert!(chown().unwrap().success());
    let other = text(&alias.join("other")).to_owned();
    let own = ["destination", "add", "other", "sftp", "--ssh", &address, "--key", text(&key), "--path", &other];
    home.json(&by_server);
    home.json(&[&own[..], &["--trust-first-use"]].concat());
    let item = format!("files:{}", text(&user.home.join("data")));
    home.json(&["plan", "add", "all", "--server", "nas", "--item", &item, "--to", "box"]);
    let run = home.json(&["backup", "all"]);
    assert_eq!((run["row"]["state"].as_str(), run["row"]["files"].as_u64()), (Some("done"), Some(1)), "{run}");
    assert!(run["log"].to_string().contains("box lies on nas itself"), "{run}");
    let rows = home.json(&["destination", "list"]);
    let nas = home.json(&["server", "show", "nas"])["row"]["id"].clone();
    assert!(rows.as_array().unwrap().iter().all(|row| row["on_servers"] == serde_json::json!([nas])), "{rows}");
    let left_out =
        |name: &str| format!("Left out: {}, where the backups of {name} lie", text(&user.home.join("data").join(name)));
    for name in ["box", "other"] {
        assert!(run["log"].to_string().contains(&left_out(name)), "{run}");
    }

    // Plain archives leave no configuration there; the first backup does not know them yet.
    home.json(&["destination", "add", "plain", "--no-vault", "sftp", "--server", "nas", "--path", "data/plain"]);
    let to = ["--to", "plain", "--layout", "archive"];
    home.json(&[&["plan", "add", "packed", "--server", "nas", "--item", &item][..], &to].concat());
    home.json(&["backup", "packed"]);
    let again = home.json(&["backup", "packed"]);
    assert!(again["log"].to_string().contains(&left_out("plain")), "{again}");
    put(&user.home.join("data/mine/new"), b"new");
    let replaced = home.json(&["restore", "all@latest", "--mode", "replace", "--type-name", "nas", "--yes"]);
    assert_eq!(replaced["files_deleted"].as_u64(), Some(1), "{replaced}");
    assert!(user.home.join("data/other/config").exists() && user.home.join("data/box/config").exists());
    assert_eq!(home.json(&["backup", "all"])["row"]["state"], "done");
}

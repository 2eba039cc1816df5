//! Databases and files of one server in one plan, over SSH: backed up, lost, brought back the same.

use crate::onlookers::unseen;
use crate::{Home, said, text};
use backstay_lab::databases::{MariaDb, OWNER_PASSWORD, Postgres};
use backstay_lab::ssh::{Sshd, SudoRight};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server with everything on it, and a home that does not know it yet.
struct Lab {
    home: Home,
    sshd: Sshd,
    mysql: MariaDb,
    postgres: Postgres,
    /// Below it lie `files` and `app.db`.
    folder: PathBuf,
}

impl Lab {
    fn start() -> Option<Self> {
        let (sshd, mysql, postgres) = (Sshd::start()?, MariaDb::start().unwrap()?, Postgres::start().unwrap()?);
        if Command::new("sqlite3").arg("--version").output().is_err() {
            println!("skipped: sqlite3 is not installed");
            return None;
        }
        let home = Home::new();
        home.json(&["destination", "add", "nas", "local", text(&home.path("vault"))]);
        mysql.load_fixture("shop").unwrap();
        postgres.load_fixture("shop").unwrap();
        let folder = home.path("server");
        home.write("server/files/a.txt", b"content");
        sqlite(&folder.join("app.db"), "create table t (a); insert into t values ('first'), ('second')");
        Some(Self { home, sshd, mysql, postgres, folder })
    }

    /// Adds the server as "lab".
    fn add_server(&self, user: &str, options: &[&str], stdin: &str) {
        let address = format!("{user}@127.0.0.1:{}", self.sshd.port());
        let add = [&["server", "add", "lab", "--ssh", &address, "--trust-first-use"], options].concat();
        let added = self.home.run_with(&add, stdin);
        assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    }

    fn add_root(&self) {
        self.sshd.root();
        self.add_server("root", &["--key", text(&self.sshd.key_file())], "");
    }

    fn items(&self) -> [String; 4] {
        [
            format!("files:{}", text(&self.folder.join("files"))),
            format!("mysql:db=shop,user=root,socket={}", text(&self.mysql.socket())),
            format!("postgres:db=shop,user=postgres,host=127.0.0.1,port={}", self.postgres.port),
            format!("sqlite:{}", text(&self.folder.join("app.db"))),
        ]
    }

    /// Adds a plan of these items; the passwords are those of the items named.
    fn add_plan(&self, name: &str, items: &[String], passwords: &[(&str, &str)]) {
        let mut args = vec!["plan", "add", name, "--server", "lab", "--to", "nas"];
        items.iter().for_each(|item| args.extend(["--item", item]));
        passwords.iter().for_each(|(item, _)| args.extend(["--item-password-stdin", item]));
        let stdin: String = passwords.iter().map(|(_, password)| format!("{password}\n")).collect();
        let added = self.home.run_with(&args, &stdin);
        assert_eq!(added.status.code(), Some(0), "{}", said(&added));
        assert!(!said(&added).contains(OWNER_PASSWORD));
    }

    fn fingerprints(&self, database: &str) -> [String; 2] {
        [self.mysql.fingerprint(database).unwrap(), self.postgres.fingerprint(database).unwrap()]
    }

    fn names(&self, path: &str) -> Vec<String> {
        let rows = self.home.json(&["ls", "all@latest", path]);
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }

    fn lose_and_change(&self) {
        self.mysql.sql("drop database shop").unwrap();
        self.postgres.sql("shop", "drop table audit cascade; create table later (a int)").unwrap();
        sqlite(&self.folder.join("app.db"), "delete from t; create table later (a)");
        std::fs::write(self.folder.join("files/a.txt"), "changed").unwrap();
        std::fs::write(self.folder.join("files/later.txt"), "later").unwrap();
    }

    /// Runs what must end without any problem.
    fn good(&self, args: &[&str]) {
        let output = self.home.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }

    /// Backs all up, loses it, and brings it back: in place, and to another place.
    fn round_trip(&self) {
        let home = &self.home;
        self.add_plan("all", &self.items(), &[("mysql", OWNER_PASSWORD), ("postgres", OWNER_PASSWORD)]);
        let before = self.fingerprints("shop");
        let run = home.json(&["backup", "all"]);
        assert_eq!((run["row"]["state"].as_str(), run["row"]["problems"].as_u64()), (Some("done"), Some(0)), "{run}");
        assert_eq!(self.names(".backstay"), ["mysql", "postgres", "sqlite", "backup.json"]);
        assert_eq!(self.names(".backstay/mysql"), ["item.json", "shop.sql"]);
        assert_eq!(self.names(".backstay/postgres"), ["!globals.sql", "!item.json", "shop.dump"]);
        assert_eq!(home.json(&["verify", "all@latest"])["row"]["state"], "done");

        self.lose_and_change();
        let replace = ["restore", "all@latest", "--mode", "replace", "--type-name", "lab", "--yes"];
        let run = home.json(&replace);
        assert_eq!(run["row"]["state"], "done", "{run}");
        assert_eq!(self.fingerprints("shop"), before);
        assert!(self.postgres.sql("shop", "select 1 from later").is_err());
        assert_eq!(sqlite(&self.folder.join("app.db"), ROWS), "first,second|1");
        assert_eq!(std::fs::read(self.folder.join("files/a.txt")).unwrap(), b"content");
        assert!(!self.folder.join("files/later.txt").exists());

        self.lose_and_change();
        let to = self.folder.join("elsewhere");
        self.good(&["restore", "all@latest", "--to", &format!("lab:{}", text(&to)), "--yes"]);
        assert_eq!(self.fingerprints("shop_restored"), before);
        let seen = self.mysql.sql("select name from shop_restored.rich").unwrap();
        assert_eq!(seen.trim(), "Łukasz 🌊", "the view is the real one, not the dump's placeholder");
        assert_eq!(sqlite(&to.join("app.db"), ROWS), "first,second|1");
        assert_eq!(sqlite(&self.folder.join("app.db"), "select count(*) from t"), "0", "the original stays as it is");
        assert!(self.postgres.sql("shop", "select 1 from later").is_ok());
        assert!(self.mysql.fingerprint("shop").unwrap().is_empty());
    }

    /// Without a user, root becomes `postgres`, whom the socket knows by itself.
    fn peer(&self) {
        let rules = self.postgres.socket_folder().join("data/pg_hba.conf");
        let old = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, format!("local all all peer\n{old}")).unwrap();
        self.postgres.sql("postgres", "select pg_reload_conf()").unwrap();
        let before = self.postgres.fingerprint("shop").unwrap();
        let folder = text(self.postgres.socket_folder());
        let item = format!("postgres:db=shop,host={folder},port={}", self.postgres.port);
        self.add_plan("peer", &[item], &[]);
        let run = self.home.json(&["backup", "peer"]);
        assert_eq!(run["row"]["state"], "done", "{run}");
        self.postgres.sql("postgres", "drop database shop").unwrap();
        let run = self.home.json(&["restore", "peer@latest", "--yes"]);
        assert_eq!(run["row"]["state"], "done", "{run}");
        assert_eq!(self.postgres.fingerprint("shop").unwrap(), before);
    }
}

/// In the arguments of a dump of PostgreSQL's, which takes longest.
const DUMP: &str = "pg_dump";
const ROWS: &str = "select group_concat(a), (select count(*) from sqlite_master) from t";

fn sqlite(file: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(file).arg(sql).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn databases_and_files_come_back_over_ssh_as_root() {
    let Some(lab) = Lab::start() else { return };
    lab.add_root();
    lab.peer();
    unseen(&[OWNER_PASSWORD], DUMP, || lab.round_trip());
}

#[test]
fn databases_and_files_come_back_by_sudo_with_a_password() {
    let Some(lab) = Lab::start() else { return };
    let user = lab.sshd.add_user(SudoRight::WithPassword);
    let options = ["--password-stdin", "--sudo", "--sudo-same-password"];
    lab.add_server(&user.name, &options, &format!("{}\n", user.password.expose()));
    lab.peer();
    unseen(&[OWNER_PASSWORD, user.password.expose()], DUMP, || lab.round_trip());
}

#[test]
fn a_wrong_password_leaves_its_item_out_and_is_named() {
    let Some(lab) = Lab::start() else { return };
    lab.add_root();
    lab.add_plan("all", &lab.items(), &[("mysql", "not it"), ("postgres", OWNER_PASSWORD)]);
    let run = lab.home.json_ending(3, &["backup", "all"]);
    assert_eq!((run["row"]["state"].as_str(), run["row"]["problems"].as_u64()), (Some("done_with_problems"), Some(1)));
    let problem = &run["problem_list"][0];
    assert_eq!(problem["item"], "mysql", "{run}");
    assert!(problem["reason"].as_str().is_some_and(|reason| reason.contains("Access denied")), "{run}");
    assert_eq!(lab.names(".backstay"), ["postgres", "sqlite", "backup.json"]);
    assert_eq!(lab.home.json(&["verify", "all@latest"])["row"]["state"], "done");

    let databases = lab.items()[1..3].to_vec();
    lab.add_plan("none", &databases, &[("mysql", "not it"), ("postgres", "nor this")]);
    let run = lab.home.json_ending(1, &["backup", "none"]);
    assert_eq!(run["row"]["state"], "failed");
    let told = run.to_string();
    assert!(told.contains("Access denied") && told.contains("password authentication failed"), "{told}");
    assert_eq!(lab.home.json(&["backups", "--plan", "none"])["total"], 0);
    assert_eq!(lab.home.json(&["destination", "refresh", "nas"])["backups"], 1);
}

#[test]
fn the_passphrase_is_not_handed_on_to_commands_of_this_computer() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let seen = home.path("seen");
    let tool = home.write("bin/sqlite3", format!("#!/bin/sh\nenv >>'{}'; exit 1\n", text(&seen)).as_bytes());
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    home.write("app.db", b"x");
    home.json(&["destination", "add", "nas", "local", text(&home.path("vault"))]);
    let item = format!("sqlite:{}", text(&home.path("app.db")));
    home.json(&["plan", "add", "p", "--server", "This computer", "--item", &item, "--to", "nas"]);
    let path = format!("{}:{}", text(&home.path("bin")), std::env::var("PATH").unwrap());
    let output = home.command(&["backup", "p"]).env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("BACKSTAY_PASSPHRASE"), "{seen}");
}

#[test]
fn databases_come_back_to_another_server_by_another_log_in() {
    let Some(lab) = Lab::start() else { return };
    let (Some(mysql), Some(postgres)) = (MariaDb::start().unwrap(), Postgres::start().unwrap()) else { return };
    mysql.sql("create user other@localhost identified by 'another one'; grant all on *.* to other@localhost").unwrap();
    lab.add_root();
    lab.add_plan("all", &lab.items()[1..3], &[("mysql", OWNER_PASSWORD), ("postgres", OWNER_PASSWORD)]);
    let before = lab.fingerprints("shop");
    let backup = lab.home.json(&["backup", "all"])["row"]["backup"].as_str().unwrap().to_owned();
    // The plan's log-in does not open what is there; once the plan is gone, nobody knows it any more.
    lab.home.json(&["plan", "remove", "all"]);
    let to = ["restore", &backup, "--to", "This computer", "--yes"];
    let there = format!("mysql:user=other,socket={}", text(&mysql.socket()));
    let also = format!("postgres:user=postgres,host=127.0.0.1,port={}", postgres.port);
    let logins = ["--database-login", &there, "--database-login", &also];
    let passwords = ["--database-password-stdin", "mysql", "--database-password-stdin", "postgres"];
    let wrong = lab.home.run_with(&[&to[..], &logins, &passwords].concat(), "not it\nnor this\n");
    assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
    assert!(said(&wrong).contains("Access denied"), "{}", said(&wrong));
    let right = format!("another one\n{OWNER_PASSWORD}\n");
    let done = lab.home.run_with(&[&to[..], &logins, &passwords].concat(), &right);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!([mysql.fingerprint("shop").unwrap(), postgres.fingerprint("shop").unwrap()], before);
    let nobody = lab.home.run(&[&to[..], &["--database-login", "files:user=root"]].concat());
    assert!(said(&nobody).contains("no database item called \"files\""), "{}", said(&nobody));
}

#[test]
fn a_plans_items_and_their_passwords_are_changed() {
    let Some(lab) = Lab::start() else { return };
    lab.add_root();
    lab.add_plan("all", &lab.items()[..2], &[("mysql", "not it")]);
    assert_eq!(lab.home.json_ending(3, &["backup", "all"])["row"]["problems"], 1);
    let changed =
        lab.home.run_with(&["plan", "change", "all", "--item-password-stdin", "mysql"], "another wrong one\n");
    assert_eq!(changed.status.code(), Some(0), "{}", said(&changed));
    assert_eq!(lab.home.json_ending(3, &["backup", "all"])["row"]["problems"], 1);
    let right = format!("{OWNER_PASSWORD}\n");
    let args = ["plan", "change", "all", "--item-password-stdin", "mysql", "--item", &lab.items()[3]];
    let changed = lab.home.run_with(&args, &right);
    assert_eq!(changed.status.code(), Some(0), "{}", said(&changed));
    assert_eq!(lab.home.json(&["backup", "all"])["row"]["state"], "done");
    assert_eq!(lab.names(".backstay"), ["mysql", "sqlite", "backup.json"]);
    // An item of the same name is put in its place and keeps its password; one can go.
    let all = format!("mysql:user=root,socket={}", text(&lab.mysql.socket()));
    lab.mysql.sql("create database second").unwrap();
    lab.home.json(&["plan", "change", "all", "--item", &all, "--remove-item", "sqlite"]);
    assert_eq!(lab.home.json(&["backup", "all"])["row"]["state"], "done");
    assert_eq!(lab.names(".backstay"), ["mysql", "backup.json"]);
    assert!(lab.names(".backstay/mysql").contains(&"second.sql".to_owned()));
    let nothing = lab.home.run(&["plan", "change", "all"]);
    assert!(said(&nothing).contains("Nothing to change"), "{}", said(&nothing));
    let unknown = lab.home.run(&["plan", "change", "all", "--remove-item", "postgres"]);
    assert!(said(&unknown).contains("no item called postgres"), "{}", said(&unknown));
}

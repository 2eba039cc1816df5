//! A new computer: each far place and a key alone bring back the backups, the servers and the plans.

use super::*;

/// What another computer kept: a plan of a server's files in a vault, and one in sealed archives, at four places.
struct Old {
    all: All,
    /// The vault's kit, its words with blanks between.
    words: String,
    /// The key of the archives.
    key: String,
}

fn kept() -> Option<Old> {
    let all = All::start(&[])?;
    let home = &all.home;
    add_plan(home, "files", "web", &all.source.data, &NAMES, &ARCHIVES);
    for plan in ["p", "files"] {
        assert_eq!(home.json(&["backup", plan])["row"]["state"], "done");
    }
    let kit = home.json(&["destination", "kit", "near"]);
    let words: Vec<&str> = kit["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let words = words.join(" ");
    let key = home.json(&["plan", "kit", "files"])["password"].as_str().unwrap().to_owned();
    Some(Old { all, words, key })
}

fn names_of(home: &Home, what: &str) -> Vec<String> {
    let rows = home.json(&[what, "list"]);
    let mut names: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

impl Old {
    fn open(&self, new: &Home, far: Far, key: &str) -> Value {
        let opened = self.all.lab.open(new, far, "backups", key);
        assert_eq!(opened.status.code(), Some(0), "{far:?}: {}", said(&opened));
        assert!(!said(&opened).contains(key), "{far:?}: the key is not told");
        serde_json::from_slice(&opened.stdout).unwrap()
    }

    /// All that the other computer had set up is here too.
    fn knows_all(&self, new: &Home, far: Far) {
        assert_eq!(names_of(new, "plan"), ["files", "p"], "{far:?}");
        assert_eq!(names_of(new, "server"), ["This computer", "web"], "{far:?}");
        let mut names = NAMES.map(str::to_owned);
        names.sort();
        assert_eq!(names_of(new, "destination"), names, "{far:?}");
        let plan = new.json(&["plan", "show", "p"]);
        assert_eq!(plan["row"]["destinations"], serde_json::json!(NAMES), "{far:?}: {plan}");
    }

    /// Only the place that was opened is there: the other computer and its disk are gone.
    fn gives_back(&self, new: &Home, far: Far, plans: &[&str]) {
        for plan in plans {
            let backup = format!("{plan}@latest");
            restore_and_compare(new, &backup, &self.all.source.data, &format!("{}-{plan}", far.name()));
        }
    }
}

#[test]
fn each_place_and_the_kit_bring_all_of_it_back() {
    let Some(old) = kept() else { return };
    for far in Far::ALL {
        let wrong = Home::new();
        let refused = old.all.lab.open(&wrong, far, "backups", "not-the-password-of-anything");
        assert_eq!(refused.status.code(), Some(1), "{far:?}: {}", said(&refused));
        assert!(said(&refused).contains("wrong_key"), "{far:?}: {}", said(&refused));
        assert_eq!(names_of(&wrong, "destination"), Vec::<String>::new());
        old.all.with_only(far.name(), || {
            let new = Home::new();
            let found = old.open(&new, far, &old.words);
            assert_eq!((&found["backups"], &found["locked"]), (&1.into(), &1.into()), "{far:?}: {found}");
            old.knows_all(&new, far);
            let found = old.open(&new, far, &old.key);
            assert_eq!((&found["backups"], &found["locked"]), (&2.into(), &0.into()), "{far:?}: {found}");
            old.gives_back(&new, far, &["p", "files"]);
        });
    }
}

#[test]
fn the_key_of_archives_alone_opens_them_at_each_place() {
    let Some(old) = kept() else { return };
    for far in Far::ALL {
        old.all.with_only(far.name(), || {
            let new = Home::new();
            let found = old.open(&new, far, &old.key);
            assert_eq!((&found["backups"], &found["locked"]), (&1.into(), &0.into()), "{far:?}: {found}");
            assert_eq!(found["destination"]["vault"], false, "{far:?}: {found}");
            old.knows_all(&new, far);
            old.gives_back(&new, far, &["files"]);
        });
    }
}

#[test]
fn a_plan_taken_over_backs_up_again_once_its_secrets_are_given() {
    let Some(old) = kept() else { return };
    let new = Home::new();
    let found = old.open(&new, Far::Sftp, &old.words);
    let missing = found["adopted"][0]["missing_secrets"].to_string();
    for needed in ["cloud: secret key", "old: log-in password", "Plan files: archive key"] {
        assert!(missing.contains(needed), "what has to be typed is named: {missing}");
    }
    old.open(&new, Far::Sftp, &old.key);
    for far in [Far::S3, Far::Ftp] {
        let change = ["destination", "change", far.name(), "--secret-stdin", "--json"];
        let changed = new.run_with(&change, &format!("{}\n", old.all.lab.secret(far)));
        assert_eq!(changed.status.code(), Some(0), "{}", said(&changed));
    }
    make_tree(&old.all.source.data, 700);
    for plan in ["p", "files"] {
        let run = new.json(&["backup", plan]);
        assert_eq!((&run["row"]["state"], &run["row"]["problems"]), (&"done".into(), &0.into()), "{run}");
    }
    for name in NAMES {
        assert_eq!(old.all.home.json(&["destination", "refresh", name])["backups"], 4, "{name}: the old one sees them");
    }
    assert!(home_can_read_both(&old.all), "both computers' backups are sound");
}

fn home_can_read_both(all: &All) -> bool {
    ["p", "files"].iter().all(|plan| all.home.json(&["verify", &format!("{plan}@latest")])["row"]["state"] == "done")
}

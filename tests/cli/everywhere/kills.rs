//! kill -9 at moments left to chance, during backups, syncs and downloads, with each kind of place.

use super::*;
use sha2::{Digest, Sha256};

const MIB: u64 = 1 << 20;

fn files_of(data: &Path, seed: u64, count: u64, bytes: u64) {
    for n in 0..count {
        put(&data.join(format!("file-{n}")), &noise(seed * 1000 + n, bytes as usize));
    }
}

/// Starts a program and kills it once so many bytes passed. Returns whether it was still at it.
fn kill_after(home: &Home, args: &[&str], bytes: u64, passed: impl Fn() -> u64) -> bool {
    let mark = passed() + bytes;
    let mut child = home.start(args);
    let came_so_far = wait_until(&mut child, || passed() >= mark);
    // SIGKILL: nothing of ours runs any more.
    let _ = child.kill();
    let status = child.wait().unwrap();
    came_so_far && status.code().is_none()
}

/// Two plans of one folder, a vault's and an archives', each to a near place and a far one.
fn killed_backups(far: Far) {
    let Some(lab) = Lab::start() else { return };
    let home = Home::new();
    let (mut dice, data) = (Dice::new("killed backups"), home.path("data"));
    home.json(&["destination", "add", "near", "local", text(&home.path("near"))]);
    lab.add(&home, far, "backups");
    add_plan(&home, "vault", "This computer", &data, &["near", far.name()], &[]);
    add_plan(&home, "archive", "This computer", &data, &["near", far.name()], &ARCHIVES);
    let (mut kills, mut there) = (0, 0);
    for round in 0..4 {
        files_of(&data, round, 5, 3 * MIB);
        let plan = if round % 2 == 0 { "vault" } else { "archive" };
        let mark = dice.between(1_000, 16 * MIB);
        kills += u32::from(kill_after(&home, &["backup", plan, "--json"], mark, || lab.sent(far)));
        let now = home.json(&["destination", "refresh", far.name()])["backups"].as_u64().unwrap();
        assert!((there..=there + 1).contains(&now), "round {round}: {now} backups after {there}");
        there = now;
        let check = home.json(&["verify", "--destination", far.name(), "--read-data", "100"]);
        assert_eq!(check["row"]["state"], "done", "round {round}, killed after {mark} bytes: {check}");
        assert_eq!(check["row"]["problems"], 0, "round {round}, killed after {mark} bytes: {check}");
    }
    assert!(kills > 0, "it was never killed");
    for plan in ["vault", "archive"] {
        let run = home.json(&["backup", plan]);
        assert_eq!((&run["row"]["state"], &run["row"]["problems"]), (&"done".into(), &0.into()), "{plan}: {run}");
        assert_eq!(home.json(&["verify", &format!("{plan}@latest")])["row"]["state"], "done");
    }
    assert_eq!(missing_at(&home), Vec::<String>::new());
    std::fs::rename(home.path("near"), home.path("away")).unwrap();
    for plan in ["vault", "archive"] {
        restore_and_compare(&home, &format!("{plan}@latest"), &data, plan);
    }
    let runs = home.json(&["runs"]);
    let open = |row: &Value| ["running", "waiting"].contains(&row["state"].as_str().unwrap());
    assert!(!runs["rows"].as_array().unwrap().iter().any(open), "no run is left open");
}

#[test]
fn backups_to_a_bucket_survive_kills() {
    killed_backups(Far::S3);
}

#[test]
fn backups_over_sftp_survive_kills() {
    killed_backups(Far::Sftp);
}

#[test]
fn backups_over_ftp_survive_kills() {
    killed_backups(Far::Ftp);
}

/// One archive of 80 MiB that lies near.
struct Big {
    home: Home,
    lab: Lab,
    dice: Dice,
    /// The file as it lies near.
    content: Vec<u8>,
}

impl Big {
    fn start(far: Far) -> Option<Self> {
        let lab = Lab::start()?;
        let home = Home::new();
        files_of(&home.path("data"), 1, 5, 16 * MIB);
        home.json(&["destination", "add", "near", "--no-vault", "local", text(&home.path("near"))]);
        add_plan(&home, "p", "This computer", &home.path("data"), &["near"], &ARCHIVES);
        assert_eq!(home.json(&["backup", "p"])["row"]["state"], "done");
        lab.add(&home, far, "backups");
        home.json(&["plan", "change", "p", "--to", "near", "--to", far.name()]);
        let (_, content) = tree(&home.path("near")).into_iter().find(|(name, _)| is_archive(name)).unwrap();
        assert!(content.len() as u64 > 80 * MIB, "{} bytes do not compress", content.len());
        Some(Self { home, lab, dice: Dice::new("killed transfers"), content })
    }

    /// Killed with half of it there, then killed again early; the third sync sends what is missing.
    fn killed_syncs(&mut self, far: Far) {
        let (home, lab, size) = (&self.home, &self.lab, self.content.len() as u64);
        let sync = ["sync", far.name(), "--json"];
        // Late enough that the first parts are durable on a slow disk too: only parts without a gap are gone on with. Over FTP
        // these are longer.
        let least = if far == Far::Ftp { 66 } else { 56 };
        for (least, most) in [(least, 76), (1, 6)] {
            let mark = self.dice.between(least * MIB, most * MIB);
            assert!(kill_after(home, &sync, mark, || lab.sent(far)), "it was killed after {mark} bytes");
            let ours = lab.objects(far, "backups");
            assert!(!ours.iter().any(|name| is_archive(name)), "no half object has its name: {ours:?}");
            assert_eq!(home.json(&["destination", "refresh", far.name()])["backups"], 0);
        }
        let before = lab.sent(far);
        let run = home.json(&["sync", far.name()]);
        assert_eq!(run["row"]["state"], "done", "{run}");
        let sent = lab.sent(far) - before;
        println!("{far:?}: {sent} of {size} bytes were sent by the last sync");
        assert!(sent < size - 12 * MIB, "{far:?}: {sent} of {size} bytes were sent by the last sync");
        let ours = lab.objects(far, "backups");
        let names: Vec<_> = ours.iter().filter(|name| is_archive(name)).collect();
        assert_eq!(names.len(), 1, "{ours:?}");
        assert!(lab.object(far, "backups", names[0]) == self.content, "{far:?} holds the very same file");
        assert_eq!(home.json(&["verify", "p@latest"])["row"]["state"], "done");
    }

    /// The same with a download of it as it lies there.
    fn killed_downloads(&mut self, far: Far) {
        let (home, lab, size) = (&self.home, &self.lab, self.content.len() as u64);
        std::fs::rename(home.path("near"), home.path("away")).unwrap();
        let out = home.path("out");
        std::fs::create_dir(&out).unwrap();
        let first = ["download", "p@latest", "--out", text(&out), "--as", "as-is", "--from", far.name(), "--json"];
        let more = ["download", "--resume", "last", "--json"];
        for (args, least, most) in [(&first[..], 45, 70), (&more, 1, 6)] {
            let mark = self.dice.between(least * MIB, most * MIB);
            assert!(kill_after(home, args, mark, || lab.came(far)), "it was killed after {mark} bytes");
            let files: Vec<String> = tree(&out).into_keys().collect();
            assert!(files.iter().all(|name| name.contains(".part")), "nothing half has the name: {files:?}");
        }
        let before = lab.came(far);
        let run = home.json(&["download", "--resume", "last"]);
        assert_eq!(run["row"]["state"], "done", "{run}");
        let came = lab.came(far) - before;
        println!("{far:?}: {came} of {size} bytes came by the last download");
        assert!(came < size - 6 * MIB, "{far:?}: {came} of {size} bytes came by the last download");
        let files = tree(&out);
        assert_eq!(files.len(), 1, "{:?}", files.keys());
        let file = files.into_values().next().unwrap();
        assert!(file == self.content, "{far:?}: the file is the very same");
        let sha256: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(run["log"].to_string().contains(&sha256), "its hash is told: {run}");
        home.json_ending(1, &["download", "--resume", "last"]);
    }
}

fn is_archive(name: &str) -> bool {
    name.ends_with(".tar.zst.sealed")
}

fn killed_transfers(far: Far) {
    let Some(mut big) = Big::start(far) else { return };
    big.killed_syncs(far);
    big.killed_downloads(far);
}

#[test]
fn syncs_to_a_bucket_and_downloads_go_on_after_kills() {
    killed_transfers(Far::S3);
}

#[test]
fn syncs_over_sftp_and_downloads_go_on_after_kills() {
    killed_transfers(Far::Sftp);
}

#[test]
fn syncs_over_ftp_and_downloads_go_on_after_kills() {
    killed_transfers(Far::Ftp);
}

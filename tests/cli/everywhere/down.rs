//! Destinations that are away, or lose their line, while a plan writes to all of them: the run tells the truth, and what
//! is missing is made good without the server.

use super::*;

/// All that is far is away during a backup, then comes back when the server is gone.
fn made_good_without_the_server(layout: &[&str]) {
    let Some(all) = All::start(layout) else { return };
    let home = &all.home;
    assert_eq!(home.json(&["backup", "p"])["row"]["state"], "done");
    make_tree(&all.source.data, 500);
    Far::ALL.iter().for_each(|far| all.lab.cut_off(*far));
    let run = home.json_ending(3, &["backup", "p"]);
    assert_eq!((&run["row"]["state"], &run["row"]["problems"]), (&"done_with_problems".into(), &3.into()), "{run}");
    let mut named = subjects(&run);
    named.sort_unstable();
    assert_eq!(named, ["box", "cloud", "old"], "each is named: {run}");
    assert_eq!(missing_at(home), NAMES[1..], "what is missing is known");
    let again = home.json_ending(1, &["sync", "box"]);
    assert_eq!(again["row"]["state"], "failed", "{again}");
    Far::ALL.iter().for_each(|far| all.lab.let_in(*far));

    let kept = home.path("kept");
    assert!(Command::new("cp").arg("-a").args([&all.source.data, &kept]).status().unwrap().success());
    std::fs::remove_dir_all(&all.source.data).unwrap();
    all.source.sshd.stop();
    for (done, name) in NAMES[1..].iter().enumerate() {
        let sync = home.json(&["sync", name]);
        assert_eq!(sync["row"]["state"], "done", "{name}: {sync}");
        assert_eq!(missing_at(home), NAMES[done + 2..], "after the sync of {name}");
    }
    all.each_holds(2);
    for name in &NAMES[1..] {
        all.with_only(name, || {
            let out = home.path("back").join(name);
            let only = text(&all.source.data).trim_start_matches('/');
            home.json(&[
                "restore",
                "p@latest",
                "--to",
                &format!("This computer:{}", text(&out)),
                "--only",
                only,
                "--yes",
            ]);
            assert_same(&kept, &out, name);
        });
    }
}

#[test]
fn vaults_away_are_made_good_without_the_server() {
    made_good_without_the_server(&[]);
}

#[test]
fn archives_away_are_made_good_without_the_server() {
    made_good_without_the_server(&ARCHIVES);
}

fn large_files(data: &Path, seed: u64) {
    for n in 0..8 {
        put(&data.join(format!("large-{n}")), &noise(seed * 100 + n, 3 << 20));
    }
}

/// Every far line is cut once, at a moment of its own; all take up where they were.
fn cut_lines_are_taken_up(layout: &[&str]) {
    let Some(all) = All::start(layout) else { return };
    let home = &all.home;
    large_files(&all.source.data, 1);
    let mut dice = Dice::new("cut lines");
    let before: Vec<u64> = Far::ALL.iter().map(|far| all.lab.sent(*far)).collect();
    let mut marks: Vec<(Far, u64)> =
        Far::ALL.iter().zip(before).map(|(far, sent)| (*far, sent + dice.between(300_000, 20 << 20))).collect();
    let mut child = home.start(&["backup", "p", "--json"]);
    while !marks.is_empty() {
        assert!(
            wait_until(&mut child, || marks.iter().any(|(far, mark)| all.lab.sent(*far) >= *mark)),
            "it ended early"
        );
        marks.retain(|(far, mark)| {
            let due = all.lab.sent(*far) >= *mark;
            if due {
                all.lab.proxies(*far).iter().for_each(|proxy| proxy.cut_now());
            }
            !due
        });
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    all.each_holds(1);
}

#[test]
fn a_vaults_lines_cut_in_the_middle_are_taken_up() {
    cut_lines_are_taken_up(&[]);
}

#[test]
fn an_archives_lines_cut_in_the_middle_are_taken_up() {
    cut_lines_are_taken_up(&ARCHIVES);
}

#[test]
fn a_bucket_that_refuses_from_the_middle_on_is_left_out_and_made_good() {
    let Some(all) = All::start(&ARCHIVES) else { return };
    let home = &all.home;
    large_files(&all.source.data, 1);
    let before = all.lab.sent(Far::S3);
    let mut child = home.start(&["backup", "p", "--json"]);
    assert!(wait_until(&mut child, || all.lab.sent(Far::S3) >= before + (17 << 20)), "the first part went through");
    for call in ["UploadPart", "CompleteMultipartUpload", "PutObject"] {
        all.lab.s3.refuse(u32::MAX, call, 403, "AccessDenied");
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(missing_at(home), ["cloud"]);
    all.lab.s3.behave();
    let ours = all.lab.objects(Far::S3, "backups");
    assert!(!ours.iter().any(|name| name.contains(".tar.zst")), "no half object is there: {ours:?}");
    assert_eq!(home.json(&["destination", "refresh", "cloud"])["backups"], 0);
    all.source.sshd.stop();
    assert_eq!(home.json(&["sync", "cloud"])["row"]["state"], "done");
    all.each_holds(1);
}

/// A dead line is tried for minutes before it is given up, so this takes as long.
#[test]
#[ignore = "slow: npm run test:extended"]
fn lines_dead_from_the_middle_on_are_given_up_and_made_good() {
    for layout in [&[][..], &ARCHIVES] {
        let Some(all) = All::start(layout) else { return };
        let home = &all.home;
        large_files(&all.source.data, 1);
        let mut dice = Dice::new("dead lines");
        let mark = all.lab.sent(Far::Ftp) + dice.between(300_000, 20 << 20);
        let mut child = home.start(&["backup", "p", "--json"]);
        assert!(wait_until(&mut child, || all.lab.sent(Far::Ftp) >= mark), "it ended early");
        refuse(&all.lab.s3_proxy);
        all.lab.cut_off(Far::Sftp);
        all.lab.cut_off(Far::Ftp);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert_eq!(missing_at(home), NAMES[1..]);
        all.lab.s3_proxy.set(|faults| faults.refuse = false);
        all.lab.let_in(Far::Sftp);
        all.lab.let_in(Far::Ftp);
        all.source.sshd.stop();
        for name in &NAMES[1..] {
            let sync = home.json(&["sync", name]);
            assert_eq!(sync["row"]["state"], "done", "{name}: {sync}");
        }
        all.each_holds(1);
    }
}

/// A bucket behind a port that lets nobody in from the start.
#[test]
#[ignore = "slow: npm run test:extended"]
fn a_bucket_behind_a_dead_line_is_given_up_and_made_good() {
    let Some(all) = All::start(&ARCHIVES) else { return };
    refuse(&all.lab.s3_proxy);
    let run = all.home.json_ending(3, &["backup", "p"]);
    assert_eq!(run["row"]["problems"], 1, "{run}");
    assert_eq!(missing_at(&all.home), ["cloud"]);
    all.lab.s3_proxy.set(|faults| faults.refuse = false);
    all.source.sshd.stop();
    assert_eq!(all.home.json(&["sync", "cloud"])["row"]["state"], "done");
    all.each_holds(1);
}

//! What goes in comes out.

use crate::support::*;
use backstay_core::entry::{Content, Entry, EntryType, TimeNs};
use backstay_core::layout::{DiffKind, Layout, Selection};
use backstay_core::path::RawPath;
use backstay_core::run::{Problem, ProblemKind};
use backstay_core::{ErrorClass, RunContext};
use std::collections::HashSet;

#[tokio::test(flavor = "multi_thread")]
async fn random_trees_come_back_as_they_were() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    for seed in 0..6 {
        let files = random_files(seed, 150);
        let record = backup(&vault, &files).await;
        assert_same(&files, &read(&vault, &record.id).await.unwrap());
    }
    let check = vault.check(&RunContext::silent(), 100).await.unwrap();
    assert!(check.faults.is_empty() && check.bytes > 0, "{check:?}");
    assert!(keys_in(&memory, "locks/").is_empty());
}

#[tokio::test]
async fn one_thread_is_enough() {
    let vault = open(&new_vault().await).await;
    let files = random_files(77, 60);
    let record = backup(&vault, &files).await;
    assert_same(&files, &read(&vault, &record.id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_tree_is_not_read_again() {
    let memory = new_vault().await;
    let files = random_files(5, 200);
    let vault = open(&memory).await;
    let (first, opened) = backup_at(&vault, &files, 1).await.unwrap();
    let all = files.values().filter(|(entry, _)| entry.is_file()).count() as u64;
    assert_eq!((opened, first.counts.files, first.counts.files_new, first.counts.files_read), (all, all, all, all));
    let data = keys_in(&memory, "data/").len();

    // Another process, later: nothing is remembered but what lies at the destination.
    let vault = open(&memory).await;
    let (second, opened) = backup_at(&vault, &files, 2).await.unwrap();
    assert_eq!(opened, 0);
    assert_eq!(second.parent.as_ref(), Some(&first.id));
    assert_eq!((second.counts.files_new, second.counts.files_changed, second.counts.bytes_read), (0, 0, 0));
    assert_eq!((second.counts.files, second.counts.bytes), (first.counts.files, first.counts.bytes));
    // The manifest's chunk, the lists of its folder and the root: one pack each.
    assert_eq!(keys_in(&memory, "data/").len(), data + 2);
    assert_same(&files, &read(&vault, &second.id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_the_same_second_is_seen_where_only_the_time_is_known() {
    let vault = open(&new_vault().await).await;
    // As over SFTP: whole seconds, neither ctime nor inode. The file was written in the very second the backup began.
    let (at, (mut entry, _)) = file("srv/a", b"before");
    (entry.mtime, entry.ctime) = (TimeNs::from_parts(moment(1).timestamp(), 0), TimeNs::default());
    let with = |content: &[u8]| Files::from([(at.clone(), (entry.clone(), content.to_vec()))]);
    backup_at(&vault, &with(b"before"), 1).await.unwrap();
    // Changed after it was read: same size, same second.
    let (second, opened) = backup_at(&vault, &with(b"after!"), 2).await.unwrap();
    assert_eq!(opened, 1);
    assert_same(&with(b"after!"), &read(&vault, &second.id).await.unwrap());
    // The next one has no doubt: an hour has passed.
    assert_eq!(backup_at(&vault, &with(b"after!"), 3).await.unwrap().1, 0);
    // Where the ctime is known it tells, however young the file is.
    let (at, (mut entry, content)) = file("srv/b", b"words");
    (entry.mtime, entry.ctime) = (TimeNs::from_parts(moment(4).timestamp(), 5), TimeNs(7));
    let files = Files::from([(at, (entry, content))]);
    assert_eq!(backup_at(&vault, &files, 4).await.unwrap().1, 1);
    assert_eq!(backup_at(&vault, &files, 5).await.unwrap().1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_changed_field_makes_a_file_be_read_again() {
    let vault = open(&new_vault().await).await;
    let (at, (mut entry, content)) = file("srv/a", b"words");
    entry.inode = 7;
    let files = Files::from([(at.clone(), (entry.clone(), content))]);
    backup_at(&vault, &files, 1).await.unwrap();
    let manifest = manifest("nightly", moment(2));
    let writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    let changed = |change: fn(&mut Entry)| {
        let mut entry = entry.clone();
        change(&mut entry);
        writer.is_unchanged(&entry).is_none()
    };
    assert!(!changed(|_| {}));
    assert!(changed(|e| e.size_bytes += 1) && changed(|e| e.mtime.0 += 1) && changed(|e| e.ctime.0 += 1));
    assert!(changed(|e| e.inode = 8) && changed(|e| e.kind = EntryType::Fifo));
    assert!(changed(|e| e.path = path("srv/b")) && changed(|e| e.path = path("other/a")));
    // What a host cannot tell does not count.
    assert!(!changed(|e| e.inode = 0) && !changed(|e| e.ctime = TimeNs(0)));
    writer.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_content_is_stored_once() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    // Each vault cuts by a polynomial of its own, into chunks of at most 8 MiB: so much that one more or less counts little.
    let big = noise(1, 24 << 20);
    let mut shifted = b"some bytes in front".to_vec();
    shifted.extend_from_slice(&big);
    let files = Files::from([file("srv/a", &big), file("srv/b", &big), file("srv/c", &shifted)]);
    let record = backup(&vault, &files).await;
    let used = vault.used_bytes().await.unwrap();
    // The shifted copy shares all chunks but its first.
    assert!(used < 40 << 20, "{used}");
    assert!(record.counts.bytes_added <= used);
    assert_same(&files, &read(&vault, &record.id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn hard_links_zeros_and_replaced_entries() {
    let vault = open(&new_vault().await).await;
    let manifest = manifest("nightly", moment(1));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    let content = noise(3, 700_000);
    let (_, (mut first, _)) = file("srv/first", &content);
    first.links = 2;
    first.inode = 99;
    writer.add(first.clone(), Content::Stream(&mut content.as_slice())).await.unwrap();
    let mut second = first.clone();
    second.path = path("srv/second");
    writer.add(second.clone(), Content::SameAs(&path("srv/first"))).await.unwrap();
    let mut third = first.clone();
    third.path = path("srv/third");
    assert!(writer.add(third, Content::SameAs(&path("srv/never-read"))).await.is_err());
    // Added twice: the last one stays. Longer than it said: what was read counts.
    let (_, (mut twice, _)) = file("srv/twice", b"short");
    twice.size_bytes = 3;
    writer.add(twice.clone(), Content::Stream(&mut &b"old"[..])).await.unwrap();
    writer.add(twice.clone(), Content::Stream(&mut &b"longer"[..])).await.unwrap();
    let zeros = vec![0; (5 << 20) + 12_345];
    let (_, (sparse, _)) = file("srv/zeros", &zeros);
    writer.add(sparse.clone(), Content::Stream(&mut zeros.as_slice())).await.unwrap();
    // A socket is never stored, and paths may be absolute.
    let socket = Entry::plain(path("/srv/socket"), EntryType::Socket, 0o600, TimeNs(5));
    writer.add(socket, Content::None).await.unwrap();
    let record = writer.commit(manifest).await.unwrap();
    assert_eq!(record.counts.files, 4);

    let files = read(&vault, &record.id).await.unwrap();
    let names: Vec<String> = files.keys().map(RawPath::to_text).collect();
    assert_eq!(names, ["srv", "srv/first", "srv/second", "srv/twice", "srv/zeros"]);
    assert_eq!(files[&path("srv/second")].1, content);
    assert_eq!(files[&path("srv/second")].0, second);
    assert_eq!(files[&path("srv/twice")].1, b"longer");
    assert_eq!(files[&path("srv/zeros")].1, zeros);
    let reader = vault.open(&record.id).await.unwrap();
    let only = Selection { include: vec![path("srv/zeros")], ..Selection::default() };
    let mut source = reader.stream(&RunContext::silent(), only).await.unwrap();
    assert_eq!(source.next().await.unwrap().unwrap().size_bytes, zeros.len() as u64);
    assert_eq!(source.holes(), [(0, zeros.len() as u64)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_shows() {
    let vault = open(&new_vault().await).await;
    let mut files = Files::from([
        file("srv/www/index.html", b"hello"),
        file("srv/www/img/logo.png", &noise(1, 2000)),
        file("srv/www/img/big.png", &noise(2, 3000)),
        file("srv/db/data", &noise(3, 10)),
        file("etc/passwd", b"root"),
    ]);
    let (older, _) = backup_at(&vault, &files, 1).await.unwrap();
    files.insert(file("srv/new/file", b"1").0, file("srv/new/file", b"1").1);
    files.remove(&path("srv/db/data"));
    files.get_mut(&path("etc/passwd")).unwrap().0.mode = 0o600;
    let changed = file("srv/www/index.html", b"hello you").1;
    files.insert(path("srv/www/index.html"), changed);
    let mut manifest = manifest("nightly, weekly 100%", moment(2));
    manifest.plan = "id-of-nightly".into();
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    push(writer.as_mut(), &files).await.unwrap();
    let problem = |kind| Problem { kind, item: "files".into(), subject: "/srv/x".into(), reason: "no right".into() };
    manifest.problems = vec![problem(ProblemKind::Unreadable), problem(ProblemKind::Skipped)];
    let newer = writer.commit(manifest.clone()).await.unwrap();

    let ctx = RunContext::silent();
    let list = vault.list().await.unwrap();
    assert_eq!(list, [newer.clone(), older.clone()]);
    assert_eq!((newer.plan_name.as_str(), newer.server_name.as_str()), ("nightly, weekly 100%", "web-1"));
    assert_eq!((newer.problems, newer.kinds.clone()), (1, vec!["files".to_owned()]));
    assert_eq!(
        (newer.plan.clone(), newer.server.clone()),
        (Some(manifest.plan.clone()), Some(manifest.server.clone()))
    );

    let reader = vault.open(&older.id).await.unwrap();
    let lines = reader.list(&ctx, &path("/srv")).await.unwrap();
    let lines: Vec<_> = lines.iter().map(|l| (l.entry.path.to_text(), l.total_bytes, l.total_files)).collect();
    assert_eq!(lines, [("srv/db".to_owned(), 10, 1), ("srv/www".to_owned(), 5005, 3)]);
    assert_eq!(reader.list(&ctx, &path("srv/nope")).await.unwrap_err().class, ErrorClass::Missing);
    assert_eq!(reader.list(&ctx, &path("etc/passwd")).await.unwrap_err().class, ErrorClass::Missing);
    let found = reader.search(&ctx, "PNG", 10).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(reader.search(&ctx, "png", 1).await.unwrap().len(), 1);
    assert_eq!(vault.open(&newer.id).await.unwrap().manifest().await.unwrap(), Some(manifest));

    let selection = Selection {
        include: vec![path("srv/www")],
        exclude: vec![path("srv/www/img/logo.png")],
        ..Selection::default()
    };
    let walked = reader.walk(&ctx, &selection).await.unwrap();
    let walked: Vec<String> = walked.iter().map(|entry| entry.path.to_text()).collect();
    assert_eq!(walked, ["srv/www", "srv/www/img", "srv/www/img/big.png", "srv/www/index.html"]);
    let only = HashSet::from([path("srv/www/img/big.png"), path("etc")]);
    let walked = reader.walk(&ctx, &Selection { only: Some(only), ..Selection::default() }).await.unwrap();
    let walked: Vec<String> = walked.iter().map(|entry| entry.path.to_text()).collect();
    assert_eq!(walked, ["etc", "srv/www/img/big.png"]);

    let diff = vault.diff(&ctx, &older.id, &newer.id).await.unwrap();
    let lines = diff.lines.iter().filter(|line| !line.path.starts_with(&path(".backstay")));
    let lines: Vec<_> = lines.map(|l| (l.kind, l.path.to_text(), l.old_bytes, l.new_bytes)).collect();
    assert_eq!(
        lines,
        [
            (DiffKind::Metadata, "etc/passwd".to_owned(), 4, 4),
            (DiffKind::Removed, "srv/db".to_owned(), 0, 0),
            (DiffKind::Removed, "srv/db/data".to_owned(), 10, 0),
            (DiffKind::Added, "srv/new".to_owned(), 0, 0),
            (DiffKind::Added, "srv/new/file".to_owned(), 0, 1),
            (DiffKind::Changed, "srv/www/index.html".to_owned(), 5, 9),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_breaks_nothing() {
    let vault = open(&new_vault().await).await;
    let mut files = Files::from([file("srv/a", b"1"), file("srv/b", b"2")]);
    let (future, _) = backup_at(&vault, &files, 20).await.unwrap();
    files.insert(path("srv/c"), file("srv/c", b"3").1);
    let (back, opened) = backup_at(&vault, &files, 5).await.unwrap();
    assert_eq!((back.parent.as_ref(), opened), (Some(&future.id), 1));
    // The next one is compared with the one made last, not with the one of the latest time.
    let (next, opened) = backup_at(&vault, &files, 6).await.unwrap();
    assert_eq!((next.parent.as_ref(), opened), (Some(&back.id), 0));
    let started: Vec<_> = vault.list().await.unwrap().iter().map(|record| record.started).collect();
    assert_eq!(started, [moment(20), moment(6), moment(5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_do_not_mix() {
    let vault = open(&new_vault().await).await;
    let files = Files::from([file("srv/a", b"1")]);
    backup_at(&vault, &files, 1).await.unwrap();
    let other = manifest("other", moment(2));
    let mut writer = vault.begin(&RunContext::silent(), start(&other)).await.unwrap();
    assert_eq!(push(writer.as_mut(), &files).await.unwrap(), 1);
    assert_eq!(writer.commit(other).await.unwrap().parent, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_name_may_be_named_as_first_and_takes_what_lies_there_now() {
    let vault = open(&new_vault().await).await;
    let manifest = manifest("nightly", moment(1));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    let (old, new) = (noise(3, 50_000), noise(4, 60_000));
    let linked = |name: &str, links| {
        let (_, (mut entry, _)) = file(name, b"");
        (entry.links, entry.inode) = (links, 99);
        entry
    };
    writer.add(linked("a", 1), Content::Stream(&mut old.as_slice())).await.unwrap();
    writer.add(linked("b", 2), Content::SameAs(&path("a"))).await.unwrap();
    writer.add(linked("c", 2), Content::SameAs(&path("b"))).await.unwrap();
    // Met again as another file, which has no other names.
    writer.add(linked("b", 1), Content::Stream(&mut new.as_slice())).await.unwrap();
    writer.add(linked("d", 2), Content::SameAs(&path("b"))).await.unwrap();
    let record = writer.commit(manifest).await.unwrap();
    let back = read(&vault, &record.id).await.unwrap();
    for (name, content) in [("a", &old), ("b", &new), ("c", &old), ("d", &new)] {
        assert!(back[&path(name)].1 == *content, "{name}");
    }
}

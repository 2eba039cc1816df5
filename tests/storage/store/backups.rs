//! Backups and their copies: found, listed, filtered, sorted.

use super::*;
use backstay_core::config::BackupSort;
use std::time::Instant;

#[test]
fn backups_come_back_whole_and_are_found_by_the_start_of_their_id() {
    let store = filled();
    let mut first = backup(1, "d");
    first.record.verified = Some(at(5));
    first.record.parent = Some("abc".into());
    store.put_backup(&first).unwrap();
    store.put_backup(&KnownBackup { destination: "e".into(), ..first.clone() }).unwrap();
    store.put_backup(&first).unwrap();
    let id = first.record.id.clone();
    assert_eq!(store.backup(&id).unwrap().len(), 2, "a copy a destination");
    assert_eq!(store.backup(&id.as_str()[..6].into()).unwrap()[0], first);
    assert_eq!(class(store.backup(&id.as_str()[..5].into())), ErrorClass::Invalid);
    assert_eq!(class(store.backup(&"ffffff".into())), ErrorClass::Missing);
    let mut twin = first.clone();
    twin.record.id = BackupId(format!("{}00", &id.as_str()[..62]));
    store.put_backup(&twin).unwrap();
    assert_eq!(class(store.backup(&id.as_str()[..20].into())), ErrorClass::Invalid);
    assert_eq!(store.backup(&id).unwrap().len(), 2);

    store.replace_backups(&"d".into(), &[backup(7, "d")]).unwrap();
    let all = store.backups(&BackupQuery { limit: 10, ..BackupQuery::default() }).unwrap();
    let listed: Vec<_> = all.rows.iter().map(|row| (row.destination.as_str(), row.record.id.clone())).collect();
    assert_eq!(listed, [("d", backup(7, "d").record.id), ("e", id)]);
}

#[test]
fn a_backup_is_one_row_with_all_its_copies() {
    let store = filled();
    let first = backup(1, "d");
    store.put_backup(&first).unwrap();
    let mut second = KnownBackup { destination: "e".into(), ..first.clone() };
    second.record.verified = Some(at(77));
    store.put_backup(&second).unwrap();
    store.put_backup(&backup(2, "e")).unwrap();
    let rows = |destination: Option<&str>| {
        let destination = destination.map(DestinationId::from);
        store.backup_rows(&BackupQuery { destination, limit: 10, ..BackupQuery::default() }).unwrap()
    };
    let all = rows(None);
    assert_eq!((all.total, all.rows.len()), (2, 2));
    assert_eq!(all.rows[1].destinations, ["d".into(), "e".into()]);
    assert_eq!(all.rows[1].record.verified, Some(at(77)), "the newest proof of any copy");
    let at_d = rows(Some("d"));
    assert_eq!((at_d.total, at_d.rows[0].destinations.len()), (1, 2), "the filter picks rows, not copies");
    assert_eq!(rows(Some("e")).total, 2);

    store.delete_backup(&first.record.id, &"d".into()).unwrap();
    store.delete_backup(&first.record.id, &"d".into()).unwrap();
    assert_eq!(rows(None).rows[1].destinations, ["e".into()]);
    store.delete_backup(&first.record.id, &"e".into()).unwrap();
    assert_eq!(class(store.backup(&first.record.id)), ErrorClass::Missing);
}

#[test]
fn a_copy_that_is_missing_is_known_until_it_is_there() {
    let store = filled();
    let mut first = backup(1, "d");
    first.record.plan = Some("p".into());
    store.put_backup(&first).unwrap();
    let missing = |destination: &str| store.missing_backups(&"p".into(), &destination.into()).unwrap();
    assert_eq!((missing("d"), missing("e")), (vec![], vec![first.record.id.clone()]));
    store.put_backup(&KnownBackup { destination: "e".into(), ..first }).unwrap();
    assert_eq!(missing("e"), []);
}

/// What a query must give, computed the plain way.
fn expected(all: &[KnownBackup], query: &BackupQuery) -> (Vec<BackupId>, u64) {
    let text = query.text.to_lowercase();
    let mut rows: Vec<&KnownBackup> = all
        .iter()
        .filter(|row| {
            let record = &row.record;
            (record.plan_name.to_lowercase().contains(&text)
                || record.server_name.to_lowercase().contains(&text)
                || record.id.as_str().starts_with(&text))
                && query.server.as_ref().is_none_or(|id| record.server.as_ref() == Some(id))
                && query.plan.as_ref().is_none_or(|id| record.plan.as_ref() == Some(id))
                && query.kind.as_ref().is_none_or(|kind| record.kinds.contains(kind))
                && query.problems.is_none_or(|wanted| (record.problems > 0) == wanted)
                && query.until.is_none_or(|until| record.started <= until)
        })
        .collect();
    let total = rows.len() as u64;
    rows.sort_by_key(|row| std::cmp::Reverse(row.record.started));
    match query.sort {
        BackupSort::Started => {}
        BackupSort::Plan => rows.sort_by_key(|row| row.record.plan_name.clone()),
        BackupSort::Server => rows.sort_by_key(|row| row.record.server_name.clone()),
        BackupSort::Size => rows.sort_by_key(|row| row.record.counts.bytes),
        BackupSort::Added => rows.sort_by_key(|row| row.record.counts.bytes_added),
    }
    if query.sort == BackupSort::Started {
        if query.ascending {
            rows.reverse();
        }
    } else if !query.ascending {
        // Turn the order round, but keep the newest first among equals.
        rows.reverse();
        let key = |row: &KnownBackup| match query.sort {
            BackupSort::Plan => row.record.plan_name.clone(),
            BackupSort::Server => row.record.server_name.clone(),
            BackupSort::Size => row.record.counts.bytes.to_string(),
            _ => row.record.counts.bytes_added.to_string(),
        };
        for group in rows.chunk_by_mut(|a, b| key(a) == key(b)) {
            group.reverse();
        }
    }
    let page = rows.into_iter().skip(query.offset as usize).take(query.limit as usize);
    (page.map(|row| row.record.id.clone()).collect(), total)
}

#[test]
fn ten_thousand_backups_are_filtered_sorted_and_paged_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&temp.path().join("backstay.db")).unwrap();
    store.put_destination(&destination("d", "nas")).unwrap();
    let all: Vec<_> = (0..10_000).map(|number| backup(number, "d")).collect();
    store.replace_backups(&"d".into(), &all).unwrap();
    let base = BackupQuery { limit: 100, ..BackupQuery::default() };
    let some_id = all[4321].record.id.as_str()[..8].to_owned();
    let mut queries = vec![
        BackupQuery { offset: 9_950, ..base.clone() },
        BackupQuery { text: "PLAN 1".into(), ..base.clone() },
        BackupQuery { text: "server 3".into(), sort: BackupSort::Size, ..base.clone() },
        BackupQuery { text: some_id, ..base.clone() },
        BackupQuery { text: "100%_".into(), ..base.clone() },
        BackupQuery { server: Some("s4".into()), plan: Some("p14".into()), ..base.clone() },
        BackupQuery { kind: Some("mysql".into()), problems: Some(true), ..base.clone() },
        BackupQuery { kind: Some("sql".into()), ..base.clone() },
        BackupQuery { until: Some(all[5000].record.started), ..base.clone() },
        BackupQuery { problems: Some(false), destination: Some("d".into()), offset: 500, ..base.clone() },
    ];
    for sort in [BackupSort::Started, BackupSort::Plan, BackupSort::Server, BackupSort::Size, BackupSort::Added] {
        for ascending in [false, true] {
            queries.push(BackupQuery { sort, ascending, offset: 250, ..base.clone() });
        }
    }
    let mut slowest = (std::time::Duration::ZERO, String::new());
    for query in &queries {
        let start = Instant::now();
        let page = store.backups(query).unwrap();
        slowest = slowest.max((start.elapsed(), format!("{query:?}")));
        let ids: Vec<_> = page.rows.iter().map(|row| row.record.id.clone()).collect();
        assert_eq!((ids, page.total), expected(&all, query), "{query:?}");
    }
    // Half of them have a second copy: still a row each.
    store.put_destination(&destination("c", "usb")).unwrap();
    let copies: Vec<_> =
        all.iter().step_by(2).map(|row| KnownBackup { destination: "c".into(), ..row.clone() }).collect();
    store.replace_backups(&"c".into(), &copies).unwrap();
    for query in &queries {
        let start = Instant::now();
        let page = store.backup_rows(query).unwrap();
        slowest = slowest.max((start.elapsed(), format!("rows of {query:?}")));
        let ids: Vec<_> = page.rows.iter().map(|row| row.record.id.clone()).collect();
        assert_eq!((ids, page.total), expected(&all, query), "{query:?}");
        for row in &page.rows {
            let two = copies.iter().any(|copy| copy.record.id == row.record.id);
            let names: Vec<_> = row.destinations.iter().map(|id| id.as_str()).collect();
            assert_eq!(names, if two { vec!["c", "d"] } else { vec!["d"] });
        }
    }
    // Printed, not judged: a loaded machine must not fail the test.
    println!("slowest of {} queries over 10,000 backups: {:?} for {}", queries.len(), slowest.0, slowest.1);
}

#[test]
fn the_newest_proof_of_a_server_and_what_was_added_lately_are_told() {
    let store = filled();
    let mut first = backup(1, "d");
    first.record.verified = Some(at(50));
    store.put_backup(&first).unwrap();
    let second = KnownBackup { destination: "e".into(), ..first.clone() };
    store.put_backup(&second).unwrap();
    let mut later = backup(9, "d");
    later.record.server = first.record.server.clone();
    later.record.verified = Some(at(40));
    store.put_backup(&later).unwrap();
    let server = first.record.server.clone().unwrap();
    assert_eq!(store.last_verified(&server).unwrap(), Some(at(50)), "the newest proof, not the newest backup's");
    assert_eq!(store.last_verified(&"nobody".into()).unwrap(), None);
    let added = |record: &BackupRecord| record.counts.bytes_added;
    let both = added(&first.record) + added(&later.record);
    assert_eq!(store.bytes_added_since(first.record.started).unwrap(), both, "a backup with two copies counts once");
    assert_eq!(store.bytes_added_since(later.record.started).unwrap(), added(&later.record));
    assert_eq!(store.bytes_added_since(later.record.started + chrono::TimeDelta::seconds(1)).unwrap(), 0);
}

//! What goes in comes out, in every format, however it is sealed.

use crate::support::*;
use backstay_core::entry::{AddError, Content, Entry, EntryType, TimeNs};
use backstay_core::layout::{ArchiveFormat, DiffKind, Layout, Selection};
use backstay_core::{ErrorClass, RunContext, Secret};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use backstay_layouts::{Archives, archive_key_id};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

#[tokio::test]
async fn what_goes_in_comes_out() {
    for (seed, format) in (0..).zip(FORMATS) {
        for key in seals() {
            let memory = MemoryDestination::new();
            let files = random_files(seed, 150);
            let sealed = key.is_some();
            let record = backup(&memory, &files, format, key).await;
            let ending = format!("{}{}", format.extension(), if sealed { ".sealed" } else { "" });
            let name = format!("archives/web 1_main/nightly_20260301_030000.{ending}");
            assert_eq!(memory.keys(), [name.clone(), format!("{name}.manifest")]);
            let archive = record.archive.clone().unwrap();
            assert_eq!((archive.key, archive.sealed, archive.format), (name.clone(), sealed, format));
            assert_eq!(archive.size_bytes, memory.object(&name).unwrap().len() as u64);
            assert_eq!(record.counts.files, files.values().filter(|(entry, _)| entry.is_file()).count() as u64);
            assert_eq!(record.counts.bytes, files.values().map(|(_, content)| content.len() as u64).sum::<u64>());

            // Another computer, without any database.
            let archives = open(&memory);
            assert_eq!(archives.list().await.unwrap(), std::slice::from_ref(&record));
            assert_eq!(archives.locked(), 0);
            assert_same(&files, &read(&archives, &record.id).await.unwrap());
            let reader = archives.open(&record.id).await.unwrap();
            assert_eq!(reader.manifest().await.unwrap().unwrap(), manifest("nightly", 3));
            let check = archives.check(&RunContext::silent(), 100).await.unwrap();
            assert_eq!(check.faults, []);
            assert_eq!(archives.used_bytes().await.unwrap(), used(&memory));
            assert_eq!(record.counts.bytes_added, memory.object(&name).unwrap().len() as u64);
        }
    }
}

#[tokio::test]
async fn a_plain_search_of_names_and_folders() {
    let memory = MemoryDestination::new();
    let files = [file("srv/a/one", b"1"), file("srv/a-b/two", b"22"), file("srv/Three", b"333")].into_iter().collect();
    let record = backup(&memory, &files, ArchiveFormat::TarZst, None).await;
    let (archives, ctx) = (open(&memory), RunContext::silent());
    let reader = archives.open(&record.id).await.unwrap();
    let list = reader.list(&ctx, &path("/srv")).await.unwrap();
    let lines: Vec<_> = list.iter().map(|l| (l.entry.path.to_text(), l.total_bytes, l.total_files)).collect();
    let line = |path: &str, bytes, files| (path.to_owned(), bytes, files);
    assert_eq!(lines, [line("srv/Three", 3, 1), line("srv/a", 1, 1), line("srv/a-b", 2, 1)]);
    assert_eq!(reader.list(&ctx, &path("srv/nowhere")).await.unwrap_err().class, ErrorClass::Missing);
    assert_eq!(reader.list(&ctx, &path("srv/Three")).await.unwrap_err().class, ErrorClass::Missing);
    let found = reader.search(&ctx, "THREE", 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(reader.search(&ctx, "srv", 2).await.unwrap().len(), 2);
    let only = Selection { include: vec![path("srv/a")], ..Selection::default() };
    let walked: Vec<_> = reader.walk(&ctx, &only).await.unwrap().iter().map(|e| e.path.to_text()).collect();
    assert_eq!(walked, ["srv/a", "srv/a/one"]);
}

/// Content nobody knows the length of.
fn dump(length: usize) -> Vec<u8> {
    words(7, length)
}

#[tokio::test]
async fn content_of_unknown_length_is_cut_into_parts_and_joined_again() {
    let lengths = [vec![5, (32 << 20) + 7], vec![0, 1 << 20, 32 << 20, (64 << 20) + 12_345], vec![0, 3 << 20]];
    for (format, lengths) in FORMATS.into_iter().zip(lengths) {
        for length in lengths {
            let memory = MemoryDestination::new().with_part_bytes(8 << 20);
            let archives = open(&memory);
            let ctx = RunContext::silent();
            let backup = manifest("dumps", 3);
            let mut writer = archives.begin(&ctx, start(&backup, format, Some(raw_key()))).await.unwrap();
            let content = dump(length);
            let mut entry = Entry::plain(path(".backstay/mysql/shop.sql"), EntryType::File, 0o600, TimeNs(5));
            add(writer.as_mut(), &entry, &content).await.unwrap();
            add(writer.as_mut(), &file("after", b"x").1.0, b"x").await.unwrap();
            let record = writer.commit(backup).await.unwrap();
            let reader = archives.open(&record.id).await.unwrap();
            let all = drain(reader.stream(&ctx, Selection::default()).await.unwrap().as_mut()).await.unwrap();
            entry.size_bytes = length as u64;
            let (back, back_content) = &all[&entry.path];
            assert_eq!(back, &entry);
            assert!(back_content == &content, "{format:?} {length}");
            assert_eq!(all[&path("after")].1, b"x");
        }
    }
}

#[tokio::test]
async fn what_was_read_counts_when_a_file_changed_its_length() {
    for format in FORMATS {
        let memory = MemoryDestination::new();
        let archives = open(&memory);
        let ctx = RunContext::silent();
        let backup = manifest("changing", 3);
        let mut writer = archives.begin(&ctx, start(&backup, format, None)).await.unwrap();
        let lengths =
            [(1_500_000_u64, 1_499_000), (1_500_000, 1_500_001), (1_500_000, 0), (10, 1_200_000), (2 << 20, 2 << 20)];
        for (number, (announced, length)) in lengths.iter().enumerate() {
            let (_, (mut entry, content)) = file(&format!("f{number}"), &words(number as u64, *length));
            entry.size_bytes = *announced;
            let mut reader = content.as_slice();
            let read = writer.as_sink().add(entry, Content::Stream(&mut reader)).await.unwrap();
            assert_eq!(read, *length as u64);
        }
        let record = writer.commit(backup).await.unwrap();
        let back = read(&archives, &record.id).await.unwrap();
        for (number, (_, length)) in lengths.iter().enumerate() {
            assert!(back[&path(&format!("f{number}"))].1 == words(number as u64, *length), "{format:?} f{number}");
        }
        assert_eq!(archives.check(&ctx, 100).await.unwrap().faults, []);
    }
}

/// Fails after some bytes.
struct Failing(std::io::Cursor<Vec<u8>>);

impl AsyncRead for Failing {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let room = out.initialize_unfilled();
        let read = std::io::Read::read(&mut self.0, room)?;
        out.advance(read);
        if read == 0 {
            return std::task::Poll::Ready(Err(std::io::Error::other("the disk is bad")));
        }
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_left_out_and_others_follow() {
    for format in FORMATS {
        let memory = MemoryDestination::new();
        let archives = open(&memory);
        let ctx = RunContext::silent();
        let backup = manifest("bad disk", 3);
        let mut writer = archives.begin(&ctx, start(&backup, format, None)).await.unwrap();
        for (announced, length) in [
            (10, 5),
            (3_000_000, 2_000_000),
            (0, if format == ArchiveFormat::TarZst { 33 << 20 } else { 2 << 20 }),
            (0, 7),
        ] {
            let mut entry = file("srv/bad", b"").1.0;
            entry.size_bytes = announced;
            let mut content = Failing(std::io::Cursor::new(words(3, length)));
            let error = writer.as_sink().add(entry, Content::Stream(&mut content)).await.unwrap_err();
            assert!(matches!(error, AddError::Content(_)));
            // A further name of it cannot be there either.
            let (_, (entry, _)) = file("srv/other", b"");
            let error = writer.as_sink().add(entry, Content::SameAs(&path("srv/bad"))).await.unwrap_err();
            assert!(matches!(error, AddError::Content(_)));
        }
        add(writer.as_mut(), &file("srv/good", b"good").1.0, b"good").await.unwrap();
        let record = writer.commit(backup).await.unwrap();
        assert_eq!((record.counts.files, record.counts.bytes), (1, 4));
        let back = read(&archives, &record.id).await.unwrap();
        assert_eq!(back.keys().map(|path| path.to_text()).collect::<Vec<_>>(), ["srv", "srv/good"]);
        assert_eq!(archives.check(&ctx, 100).await.unwrap().faults, []);
    }
}

#[tokio::test]
async fn hard_links_share_their_content() {
    for format in FORMATS {
        let memory = MemoryDestination::new();
        let archives = open(&memory);
        let backup = manifest("links", 3);
        let mut writer = archives.begin(&RunContext::silent(), start(&backup, format, None)).await.unwrap();
        let mut files = Files::new();
        let content = words(1, 50_000);
        for name in ["srv/first", "srv/second"] {
            let (at, (mut entry, content)) = file(name, &content);
            (entry.links, entry.inode, entry.device) = (2, 77, 1);
            if name == "srv/first" {
                add(writer.as_mut(), &entry, &content).await.unwrap();
            } else {
                let same = path("srv/first");
                assert_eq!(writer.as_sink().add(entry.clone(), Content::SameAs(&same)).await.unwrap(), 0);
            }
            files.insert(at, (entry, content));
        }
        let record = writer.commit(backup).await.unwrap();
        assert_same(&files, &read(&archives, &record.id).await.unwrap());
        assert_eq!(record.counts.files, 2);
    }
}

#[tokio::test]
async fn of_two_entries_of_one_path_the_later_counts() {
    let memory = MemoryDestination::new();
    let archives = open(&memory);
    let backup = manifest("twice", 3);
    let mut writer = archives.begin(&RunContext::silent(), start(&backup, ArchiveFormat::TarGz, None)).await.unwrap();
    for content in [&b"first"[..], b"the second"] {
        add(writer.as_mut(), &file("srv/x", content).1.0, content).await.unwrap();
    }
    let record = writer.commit(backup).await.unwrap();
    assert_eq!((record.counts.files, record.counts.bytes), (1, 10));
    assert_eq!(read(&archives, &record.id).await.unwrap()[&path("srv/x")].1, b"the second");
}

#[tokio::test]
async fn holes_come_back_as_holes() {
    let memory = MemoryDestination::new();
    let mut content = vec![0; 3_000_000];
    content[..10].copy_from_slice(b"0123456789");
    content[2_000_000..2_000_010].copy_from_slice(b"0123456789");
    let files: Files = [file("disk.img", &content)].into_iter().collect();
    let record = backup(&memory, &files, ArchiveFormat::TarZst, None).await;
    let reader = open(&memory).open(&record.id).await.unwrap();
    let only = Selection { include: vec![path("disk.img")], ..Selection::default() };
    let mut source = reader.stream(&RunContext::silent(), only).await.unwrap();
    source.next().await.unwrap().unwrap();
    assert_eq!(source.holes(), [(4096, 1_994_752), (2_002_944, 995_328)]);
    let mut back = Vec::new();
    source.content().read_to_end(&mut back).await.unwrap();
    assert!(back == content);
}

#[tokio::test]
async fn one_file_is_fetched_without_reading_all() {
    for format in FORMATS {
        for key in [None, Some(raw_key())] {
            let memory = MemoryDestination::new().with_part_bytes(8 << 20);
            let files: Files = (0..30).map(|n| file(&format!("srv/f{n:02}"), &noise(n, 1_000_000))).collect();
            let record = backup(&memory, &files, format, key).await;
            let archives = open(&memory);
            let reader = archives.open(&record.id).await.unwrap();
            memory.forget_calls();
            let wanted = path("srv/f20");
            let selection = Selection { only: Some([wanted.clone()].into()), ..Selection::default() };
            let mut source = reader.stream(&RunContext::silent(), selection).await.unwrap();
            assert_eq!(source.next().await.unwrap().unwrap().path, wanted);
            let mut content = Vec::new();
            source.content().read_to_end(&mut content).await.unwrap();
            assert!(content == files[&wanted].1);
            assert!(source.next().await.unwrap().is_none());
            // 30 MB lie there; a block or two and their edges were read, a segment at most at each edge.
            assert!(memory.count(Operation::Get) <= 5, "{format:?} {:?}", memory.calls());
        }
    }
}

#[tokio::test]
async fn names_that_are_taken_get_a_number() {
    let memory = MemoryDestination::new();
    let archives = open(&memory);
    let (ctx, backup) = (RunContext::silent(), manifest("same", 3));
    let begin = || archives.begin(&ctx, start(&backup, ArchiveFormat::Zip, None));
    // The second is begun before the first is there.
    let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
    first.commit(backup.clone()).await.unwrap();
    second.commit(backup.clone()).await.unwrap();
    begin().await.unwrap().commit(backup.clone()).await.unwrap();
    let names: Vec<_> = memory.keys().into_iter().filter(|key| key.ends_with(".zip")).collect();
    let name = |suffix: &str| format!("archives/web 1_main/same_20260301_030000{suffix}.zip");
    assert_eq!(names, [name("-2"), name("-3"), name("")]);
    assert_eq!(archives.list().await.unwrap().len(), 3);
}

#[tokio::test]
async fn keys_are_asked_for_and_tried() {
    let memory = MemoryDestination::new();
    let files: Files = [file("srv/secret", b"the secret content")].into_iter().collect();
    for key in seals() {
        backup(&memory, &files, ArchiveFormat::TarZst, key).await;
    }
    for key in memory.keys().iter().filter(|key| key.contains(".sealed")) {
        let object = memory.object(key).unwrap();
        assert!(!object.windows(6).any(|window| window == b"secret"), "{key} tells something");
    }
    let stranger = Archives::open(Arc::new(memory.clone()), Arc::new(Keys(Vec::new())));
    assert_eq!((stranger.list().await.unwrap().len(), stranger.locked()), (1, 2));
    let wrong = backstay_core::layout::ArchiveKey::Passphrase(Secret::new("guess"));
    assert_eq!(stranger.try_key(&wrong).await.unwrap(), Vec::<String>::new());
    assert_eq!(stranger.try_key(&raw_key()).await.unwrap(), [archive_key_id(&raw_key()).unwrap()]);
    assert_eq!((stranger.list().await.unwrap().len(), stranger.locked()), (2, 1));
    assert_eq!(stranger.try_key(&passphrase()).await.unwrap().len(), 1);
    assert_eq!((stranger.list().await.unwrap().len(), stranger.locked()), (3, 0));
    let bad = backstay_core::layout::ArchiveKey::Key(Secret::new("abc"));
    assert_eq!(stranger.try_key(&bad).await.unwrap_err().class, ErrorClass::Invalid);
    let stranger = Archives::open(Arc::new(memory.clone()), Arc::new(Keys(Vec::new())));
    let check = stranger.check(&RunContext::silent(), 0).await.unwrap();
    assert_eq!(check.faults.len(), 2);
    assert!(check.faults.iter().all(|(_, why)| why.contains("no key at hand")));
}

#[tokio::test]
async fn backups_are_compared_by_their_manifests() {
    let memory = MemoryDestination::new();
    let (archives, ctx) = (open(&memory), RunContext::silent());
    let mut files: Files =
        [file("srv/same", b"1"), file("srv/gone", b"22"), file("srv/new mode", b"3"), file("srv/new content", b"4")]
            .into_iter()
            .collect();
    let old = backup_with(&archives, &ctx, &files, ArchiveFormat::TarGz, None, 1).await.unwrap();
    files.remove(&path("srv/gone"));
    files.get_mut(&path("srv/new mode")).unwrap().0.mode = 0o600;
    files.get_mut(&path("srv/new content")).unwrap().1 = b"5".to_vec();
    files.extend([file("srv/added", b"666")]);
    let new = backup_with(&archives, &ctx, &files, ArchiveFormat::Zip, Some(raw_key()), 2).await.unwrap();
    let diff = archives.diff(&ctx, &old.id, &new.id).await.unwrap();
    let lines: Vec<_> = diff
        .lines
        .iter()
        .filter(|l| !l.path.starts_with(&path(".backstay")))
        .map(|l| (l.path.to_text(), l.kind))
        .collect();
    let line = |path: &str, kind| (path.to_owned(), kind);
    assert_eq!(
        lines,
        [
            line("srv/added", DiffKind::Added),
            line("srv/gone", DiffKind::Removed),
            line("srv/new content", DiffKind::Changed),
            line("srv/new mode", DiffKind::Metadata),
        ]
    );
}

#[tokio::test]
async fn a_passphrase_keeps_its_salt_and_files_do_not() {
    let memory = MemoryDestination::new();
    let files = random_files(1, 3);
    for _ in 0..2 {
        // Each time another computer, which knows nothing but the passphrase.
        backup(&memory, &files, ArchiveFormat::TarZst, Some(passphrase())).await;
    }
    let headers: Vec<_> = memory.keys().iter().map(|key| memory.object(key).unwrap().slice(..96)).collect();
    assert_eq!(headers.len(), 4);
    assert!(headers.iter().all(|header| header[64..80] == headers[0][64..80] && header[16..24] == headers[0][16..24]));
    let salts: std::collections::HashSet<_> = headers.iter().map(|header| header[24..63].to_vec()).collect();
    assert_eq!(salts.len(), 4);
}

//! Whatever happens to an archive behind our back is found and named, and never comes out as good.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::context::Progress;
use backstay_core::destination::{Availability, Direction, Traffic};
use backstay_core::layout::{ArchiveFormat, Layout, MemoryJournal, Selection};
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::{ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;

/// A backup at a destination of its own.
struct One {
    memory: MemoryDestination,
    files: Files,
    id: backstay_core::BackupId,
    key: String,
}

async fn one(format: ArchiveFormat, sealed: bool) -> One {
    let memory = MemoryDestination::new();
    let mut files = random_files(9, 25);
    files.extend([file("srv/large", &noise(1, 1_500_000))]);
    let record = backup(&memory, &files, format, sealed.then(raw_key)).await;
    One { key: record.archive.unwrap().key, id: record.id, memory, files }
}

impl One {
    /// Reads what can be read: each file is right or an error. Returns how many were errors.
    async fn read_what_is_good(&self) -> backstay_core::Result<usize> {
        let archives = open(&self.memory);
        let reader = archives.open(&self.id).await?;
        let selection = Selection { exclude: vec![path(".backstay")], ..Selection::default() };
        let mut source = reader.stream(&RunContext::silent(), selection).await?;
        let mut bad = 0;
        while let Some(entry) = source.next().await? {
            let Some((was, content)) = self.files.get(&entry.path) else { continue };
            assert_eq!(&entry, was);
            let mut back = Vec::new();
            if entry.is_file() {
                match source.content().read_to_end(&mut back).await {
                    Ok(_) => assert!(&back == content, "{} came out wrong", entry.path),
                    Err(error) => {
                        let error = backstay_core::Error::io("read", error);
                        assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
                        bad += 1;
                    }
                }
            }
        }
        Ok(bad)
    }

    /// Flips a bit in the midst of the large file, which nothing could pack: the stream around it still reads.
    fn flip_in_the_large_file(&self) {
        let mut bytes = self.memory.object(&self.key).unwrap().to_vec();
        // One piece may lie across two blocks of what packed it.
        let content = noise(1, 1_500_000);
        let mut pieces = content[700_000..].chunks(64);
        let at = pieces.find_map(|piece| bytes.windows(64).position(|window| window == piece)).unwrap();
        bytes[at] ^= 1;
        self.memory.tamper(&self.key, Some(bytes.into()));
    }

    async fn faults(&self, percent: u8) -> Vec<(String, String)> {
        open(&self.memory).check(&RunContext::silent(), percent).await.unwrap().faults
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found() {
    let mut random = StdRng::seed_from_u64(4);
    for format in FORMATS {
        for sealed in [false, true] {
            let one = one(format, sealed).await;
            let whole = one.memory.object(&one.key).unwrap();
            let beside = format!("{}.manifest", one.key);
            let manifest = one.memory.object(&beside).unwrap();
            for _ in 0..6 {
                let at = random.random_range(0..whole.len());
                let mut bad = whole.to_vec();
                bad[at] ^= 1 << random.random_range(0..8);
                one.memory.tamper(&one.key, Some(bad.into()));
                match one.read_what_is_good().await {
                    Ok(_) => {}
                    // A bit of the seal's header.
                    Err(error) => assert!(
                        matches!(error.class, ErrorClass::Corrupt | ErrorClass::WrongKey | ErrorClass::Unsupported),
                        "{error}"
                    ),
                }
                let faults = one.faults(100).await;
                assert!(!faults.is_empty() && faults[0].0.contains(&one.key), "{format:?} byte {at}: {faults:?}");
            }
            one.memory.tamper(&one.key, Some(whole));
            for _ in 0..6 {
                let at = random.random_range(0..manifest.len());
                let mut bad = manifest.to_vec();
                bad[at] ^= 1 << random.random_range(0..8);
                one.memory.tamper(&beside, Some(bad.into()));
                assert!(one.read_what_is_good().await.is_err(), "{format:?} byte {at} of the manifest");
                let faults = one.faults(0).await;
                assert_eq!(faults.len(), 1, "{format:?} byte {at}: {faults:?}");
                assert!(faults[0].0.contains(&one.key));
            }
        }
    }
}

#[tokio::test]
async fn who_reads_no_further_than_a_files_size_hears_of_its_damage() {
    for format in [ArchiveFormat::TarGz, ArchiveFormat::Zip] {
        let one = one(format, false).await;
        one.flip_in_the_large_file();
        let reader = open(&one.memory).open(&one.id).await.unwrap();
        let selection = Selection { include: vec![path("srv/large")], ..Selection::default() };
        let mut source = reader.stream(&RunContext::silent(), selection).await.unwrap();
        assert_eq!(source.next().await.unwrap().unwrap().size_bytes, 1_500_000);
        let mut back = vec![0; 1_500_000];
        let error = source.content().read_exact(&mut back).await.unwrap_err();
        let error = backstay_core::Error::io("read", error);
        assert_eq!(error.class, ErrorClass::Corrupt, "{format:?}: {error}");
        assert!(error.message.contains("srv/large"), "{error}");
    }
}

#[tokio::test]
async fn a_cut_or_missing_archive_is_found_and_what_is_before_the_cut_is_good() {
    for format in FORMATS {
        for sealed in [false, true] {
            let one = one(format, sealed).await;
            let whole = one.memory.object(&one.key).unwrap();
            for keep in [whole.len() - 1, whole.len() / 2, 97, 1, 0] {
                one.memory.tamper(&one.key, Some(whole.slice(..keep)));
                match one.read_what_is_good().await {
                    Ok(bad) => assert!(keep + 1 == whole.len() || bad > 0, "{format:?} {keep}"),
                    Err(error) => assert_eq!(error.class, ErrorClass::Corrupt, "{error}"),
                }
                let faults = one.faults(0).await;
                assert!(faults.len() == 1 && faults[0].1.contains("bytes instead of"), "{faults:?}");
            }
            one.memory.tamper(&one.key, None);
            match one.read_what_is_good().await {
                Ok(bad) => assert!(bad > 0),
                Err(error) => assert_eq!(error.class, ErrorClass::Corrupt, "{error}"),
            }
            assert!(one.faults(0).await[0].1.contains("missing"));
            // What is left of it is no copy, and hides none: it can be brought back from elsewhere.
            let archives = open(&one.memory);
            assert_eq!(archives.list().await.unwrap(), []);
            assert_eq!(archives.unreadable().len(), 1);
            one.memory.tamper(&one.key, Some(whole));
            assert_eq!(archives.list().await.unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_archive_in_place_of_another_is_found() {
    for sealed in [false, true] {
        let (one, other) = (one(ArchiveFormat::TarZst, sealed).await, one(ArchiveFormat::TarZst, sealed).await);
        one.memory.tamper(&one.key, Some(other.memory.object(&other.key).unwrap()));
        // The same files, but another id inside: the checksum of the whole tells.
        assert!(!one.faults(100).await.is_empty());
    }
}

#[tokio::test]
async fn a_lost_manifest_is_made_anew_from_the_archive() {
    for format in FORMATS {
        for sealed in [false, true] {
            let one = one(format, sealed).await;
            let archives = open(&one.memory);
            let before = archives.list().await.unwrap().remove(0);
            one.memory.tamper(&format!("{}.manifest", one.key), None);
            assert_eq!(archives.list().await.unwrap(), []);
            let faults = one.faults(0).await;
            assert!(faults.len() == 1 && faults[0].1.contains("no manifest"), "{faults:?}");
            let orphan = archives.orphans().await.unwrap().remove(0);
            let reader = archives.open_orphan(&orphan).await.unwrap();
            let all = Selection { exclude: vec![path(".backstay")], ..Selection::default() };
            let source = reader.stream(&RunContext::silent(), all).await;
            assert_same(&one.files, &drain(source.unwrap().as_mut()).await.unwrap());
            let adopted = archives.adopt(&RunContext::silent(), &orphan).await.unwrap();
            assert_eq!((&adopted.id, &adopted.archive), (&before.id, &before.archive));
            assert_eq!(open(&one.memory).list().await.unwrap().remove(0).archive, before.archive);
            assert_eq!(one.faults(100).await, []);
            assert_same(&one.files, &read(&open(&one.memory), &one.id).await.unwrap());

            // Half of it is no backup, whatever is asked.
            one.memory.tamper(&format!("{}.manifest", one.key), None);
            let whole = one.memory.object(&one.key).unwrap();
            one.memory.tamper(&one.key, Some(whole.slice(..whole.len() - 700)));
            let error = archives.adopt(&RunContext::silent(), &orphan).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Corrupt);
        }
    }
}

#[tokio::test]
async fn a_damaged_manifest_hides_no_other_backup() {
    let one = one(ArchiveFormat::TarGz, false).await;
    backup(&one.memory, &one.files, ArchiveFormat::TarGz, None).await;
    let beside = format!("{}.manifest", one.key);
    one.memory.tamper(&beside, Some(bytes::Bytes::from_static(b"nonsense")));
    let archives = open(&one.memory);
    assert_eq!(archives.list().await.unwrap().len(), 1);
    assert_eq!(archives.unreadable().len(), 1);
    assert_eq!(archives.unreadable()[0].0, beside);
}

/// Counts the bytes that come down.
#[derive(Default)]
struct Counted(AtomicUsize);

#[async_trait]
impl Traffic for Counted {
    async fn pass(&self, direction: Direction, bytes: usize) {
        if direction == Direction::Down {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn of_what_is_no_manifest_only_the_beginning_is_read() {
    let memory = MemoryDestination::new();
    let stray = "archives/web/film.tar.gz.manifest";
    memory.tamper(stray, Some(noise(1, 6_000_000).into()));
    let counted = Arc::new(Counted::default());
    let traffic: Arc<dyn Traffic> = Arc::<Counted>::clone(&counted);
    let archives = open(&memory.with_traffic(traffic));
    assert_eq!(archives.list().await.unwrap(), []);
    assert_eq!(archives.unreadable()[0].0, stray);
    let read = counted.0.load(Ordering::Relaxed);
    assert!(read <= 64 << 10, "{read} bytes were read");
}

#[tokio::test]
async fn one_that_lies_frozen_is_a_note_and_keeps_no_other_from_being_checked() {
    for sealed in [false, true] {
        let one = one(ArchiveFormat::TarZst, sealed).await;
        let other = backup(&one.memory, &one.files, ArchiveFormat::TarZst, sealed.then(raw_key)).await;
        let other = other.archive.unwrap().key;
        let mut bad = one.memory.object(&other).unwrap().to_vec();
        bad[1000] ^= 1;
        one.memory.tamper(&other, Some(bad.into()));
        for state in [Availability::Frozen, Availability::Thawing] {
            one.memory.set_cold(&one.key, state);
            let notes = Arc::new(Notes::default());
            let ctx = RunContext { progress: Arc::<Notes>::clone(&notes), ..RunContext::silent() };
            let faults = open(&one.memory).check(&ctx, 100).await.unwrap().faults;
            assert!(!faults.is_empty() && faults.iter().all(|(subject, _)| subject.starts_with(&other)), "{faults:?}");
            assert_eq!(*notes.0.lock().unwrap(), [(ProblemKind::Skipped, one.key.clone())]);
        }
        // Its size is known all the same.
        let whole = one.memory.object(&one.key).unwrap();
        one.memory.tamper(&one.key, Some(whole.slice(1..)));
        let faults = one.faults(0).await;
        assert!(
            faults.iter().any(|(subject, why)| *subject == one.key && why.contains("bytes instead of")),
            "{faults:?}"
        );
    }
}

/// Keeps the problems that are told.
#[derive(Default)]
struct Notes(Mutex<Vec<(ProblemKind, String)>>);

impl Progress for Notes {
    fn phase(&self, _: Phase) {}
    fn total(&self, _: Option<u64>, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn current(&self, _: &str) {}
    fn problem(&self, problem: Problem) {
        self.0.lock().unwrap().push((problem.kind, problem.subject));
    }
    fn log(&self, _: &str) {}
    fn alive(&self) {}
}

#[tokio::test]
async fn damage_found_in_a_share_tells_which_archive_to_write_anew() {
    for format in FORMATS {
        for sealed in [false, true] {
            let one = one(format, sealed).await;
            let mut bad = one.memory.object(&one.key).unwrap().to_vec();
            // So much that it does not matter which files are read today.
            let quarter = bad.len() / 4;
            bad[quarter..].iter_mut().step_by(997).for_each(|byte| *byte ^= 1);
            one.memory.tamper(&one.key, Some(bad.into()));
            let check = open(&one.memory).check(&RunContext::silent(), 99).await.unwrap();
            assert!(!check.faults.is_empty(), "{format:?}");
            assert_eq!(check.damaged, std::slice::from_ref(&one.key), "{format:?}: {:?}", check.faults);
        }
    }
}

#[tokio::test]
async fn one_that_is_lost_keeps_no_other_from_being_copied() {
    let (memory, other) = (MemoryDestination::new(), MemoryDestination::new());
    let (archives, ctx, files) = (open(&memory), RunContext::silent(), random_files(3, 8));
    let lost = backup_with(&archives, &ctx, &files, ArchiveFormat::TarGz, None, 3).await.unwrap();
    let whole = backup_with(&archives, &ctx, &files, ArchiveFormat::TarGz, None, 4).await.unwrap();
    memory.tamper(&lost.archive.as_ref().unwrap().key, None);
    let ids = [lost.id.clone(), whole.id.clone()];
    let journal = Arc::new(MemoryJournal::default());
    let error = archives.sync_to(&ctx, Arc::new(other.clone()), &ids, journal).await.unwrap_err();
    assert!(error.class == ErrorClass::Missing && error.message.contains(lost.id.as_str()), "{error}");
    let copied: Vec<_> = open(&other).list().await.unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(copied, [whole.id]);
}

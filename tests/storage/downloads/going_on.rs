//! A tar that was cut off goes on at its last mark, and is in the end what it would have been.

use super::{Item, Recorder, Source, context, file, left_in, program, tree};
use backstay_core::ErrorClass;
use backstay_core::layout::{ArchiveFormat, ExportFrom, ExportMark, ExportReport, Exporter};
use backstay_lab::destination_contract::noise;
use backstay_layouts::ArchiveExporter;
use std::path::Path;
use std::sync::Arc;

const TARS: [ArchiveFormat; 2] = [ArchiveFormat::TarGz, ArchiveFormat::TarZst];
const EXPORTER: ArchiveExporter = ArchiveExporter::marking_every(250_000);

/// Everything that could go wrong between two runs: hard links across a mark, a damaged file before it, a socket.
fn items() -> Vec<Item> {
    let mut items = tree();
    let mut short = file("srv/short", "abc");
    short.entry.size_bytes = 10;
    items.push(short);
    items.push(super::item("srv/socket", backstay_core::entry::EntryType::Socket, ""));
    for n in 0..14_u8 {
        items.push(file(&format!("srv/many/{n:02}"), noise(n.into(), 130_000 + usize::from(n))));
        if n % 7 == 0 {
            let mut linked = file(&format!("srv/many/{n:02}-link"), "linked content");
            (linked.entry.links, linked.entry.inode, linked.entry.device) = (4, 77, 5);
            items.push(linked);
        }
    }
    items
}

async fn run(
    items: Vec<Item>,
    format: ArchiveFormat,
    archive: &Path,
    from: Option<ExportFrom>,
) -> (backstay_core::Result<ExportReport>, Vec<ExportMark>, Arc<Recorder>) {
    let (ctx, recorder) = context();
    let mut marks = Vec::new();
    let mut keep = |mark| {
        marks.push(mark);
        Ok(())
    };
    let mut source = Source::new(items);
    let report = EXPORTER.export(&ctx, &mut source, format, archive, from, &mut keep).await;
    (report, marks, recorder)
}

/// The items a mark leaves, with where to go on.
fn after(mark: ExportMark) -> (Vec<Item>, ExportFrom) {
    let mut before = items();
    let rest = before.split_off(mark.entries as usize);
    assert_eq!(before.last().unwrap().entry.path.to_text(), mark.last);
    (rest, ExportFrom { mark, before: before.into_iter().map(|item| item.entry).collect() })
}

/// The tar inside, as another program unpacks it.
fn tar_of(archive: &Path, format: ArchiveFormat) -> Option<Vec<u8>> {
    let tool = if format == ArchiveFormat::TarGz { "gzip" } else { "zstd" };
    let output = program(tool, &["-d", "-c", archive.to_str().unwrap()])?;
    super::works(&output);
    Some(output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tar_that_was_cut_off_anywhere_goes_on_and_is_the_same() {
    for format in TARS {
        let temp = tempfile::tempdir().unwrap();
        let whole = temp.path().join("whole");
        let (report, marks, recorder) = run(items(), format, &whole, None).await;
        let (report, told) = (report.unwrap(), recorder.told());
        assert!(marks.len() > 4, "{}", marks.len());
        assert!(told.iter().any(|(_, subject)| subject == "srv/short"));
        let Some(expected) = tar_of(&whole, format) else { continue };
        for cut in (0..items().len()).filter(|at| items()[*at].entry.size_bytes > 100_000) {
            let archive = temp.path().join(format!("cut-{cut}"));
            let mut first = items();
            first.truncate(cut + 1);
            let last = first.last_mut().unwrap();
            (last.content, last.fault) = (last.content.slice(..60_000), Some(ErrorClass::Offline));
            let (error, marks, _) = run(first, format, &archive, None).await;
            assert_eq!(error.unwrap_err().class, ErrorClass::Offline);
            assert!(!archive.exists(), "nothing half has the name");
            let part = temp.path().join(format!("cut-{cut}.part"));
            let Some(mark) = marks.last().cloned() else {
                assert!(!part.exists(), "what nobody can go on with is not left");
                continue;
            };
            // A kill may leave more behind a mark than was durable.
            let mut torn = std::fs::read(&part).unwrap();
            torn.extend([7; 1000]);
            std::fs::write(&part, torn).unwrap();
            assert!(EXPORTER.can_go_on(&archive, &mark));
            let (rest, from) = after(mark);
            let (gone_on, _, recorder) = run(rest, format, &archive, Some(from)).await;
            let gone_on = gone_on.unwrap();
            assert_eq!((gone_on.files, gone_on.bytes), (report.files, report.bytes));
            assert_eq!(recorder.told(), told, "what was told before is told of the whole");
            assert!(tar_of(&archive, format).unwrap() == expected, "{format:?} cut in entry {cut}");
            assert!(!part.exists());
            std::fs::remove_file(&archive).unwrap();
        }
        assert_eq!(left_in(temp.path()).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_no_more_is_not_gone_on_with() {
    for format in TARS {
        let temp = tempfile::tempdir().unwrap();
        let archive = temp.path().join("a");
        let part = temp.path().join("a.part");
        let cut = |class| {
            let mut cut = items();
            let last = cut.last_mut().unwrap();
            (last.content, last.fault, last.entry.size_bytes) = (noise(1, 10), Some(class), 100);
            cut
        };
        let (_, marks, _) = run(cut(ErrorClass::Offline), format, &archive, None).await;
        let mark = marks.last().unwrap().clone();
        assert!(EXPORTER.can_go_on(&archive, &mark));
        assert!(!EXPORTER.can_go_on(&archive, &ExportMark { sum: "of another version".into(), ..mark.clone() }));
        let file = std::fs::OpenOptions::new().write(true).open(&part).unwrap();
        file.set_len(mark.part_bytes - 1).unwrap();
        drop(file);
        assert!(!EXPORTER.can_go_on(&archive, &mark));
        let (rest, from) = after(mark.clone());
        let (error, _, _) = run(rest, format, &archive, Some(from)).await;
        assert_eq!(error.unwrap_err().class, ErrorClass::Corrupt);
        // Changed before the mark: found when all of it is read back.
        let (_, marks, _) = run(cut(ErrorClass::Offline), format, &archive, None).await;
        let mark = marks.last().unwrap().clone();
        let mut bytes = std::fs::read(&part).unwrap();
        bytes[1000] ^= 1;
        std::fs::write(&part, bytes).unwrap();
        let (rest, from) = after(mark);
        let (error, _, _) = run(rest, format, &archive, Some(from)).await;
        assert_eq!(error.unwrap_err().class, ErrorClass::Corrupt);
        assert!(!part.exists() && !archive.exists(), "a damaged part is not kept");
        // What will not pass leaves nothing either.
        let (error, marks, _) = run(cut(ErrorClass::Internal), format, &archive, None).await;
        assert!(error.is_err() && !marks.is_empty());
        assert_eq!(left_in(temp.path()).len(), 0);
    }
}

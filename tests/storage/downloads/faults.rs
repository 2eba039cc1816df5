//! What must not happen to a download, and what is left when it does.

use super::{FORMATS, Source, context, export, file, left_in, no_marks, program, tree, unpack};
use backstay_core::layout::{ArchiveFormat, ExportReport, Exporter};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{ErrorClass, Result};
use backstay_lab::destination_contract::noise;
use backstay_layouts::ArchiveExporter;
use std::path::{Path, PathBuf};

const EXPORTER: ArchiveExporter = ArchiveExporter::marking_every(256 << 20);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ever_overwritten() {
    for format in FORMATS {
        let temp = tempfile::tempdir().unwrap();
        let archive = temp.path().join("a");
        std::fs::write(&archive, "mine").unwrap();
        let error = export(tree(), format, &archive).await.0.unwrap_err();
        assert_eq!(error.class, ErrorClass::Exists);
        assert_eq!(std::fs::read(&archive).unwrap(), b"mine");
        assert_eq!(left_in(temp.path()).len(), 1);
    }
    let temp = tempfile::tempdir().unwrap();
    let error = export(tree(), ArchiveFormat::Zip, &temp.path().join("no/a.zip")).await.0.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert!(error.hint.unwrap().contains("Make the folder"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_appears_meanwhile_is_not_overwritten() {
    let temp = tempfile::tempdir().unwrap();
    let archive = temp.path().join("a.tar.gz");
    let (ctx, _) = context();
    let mut slow = file("slow", "x");
    slow.hangs = true;
    slow.entry.size_bytes = 2;
    let mut source = Source::new([slow]);
    let mut keep = no_marks;
    let exporting = EXPORTER.export(&ctx, &mut source, ArchiveFormat::TarGz, &archive, None, &mut keep);
    tokio::pin!(exporting);
    wait_for_part(&mut exporting, temp.path()).await;
    // A second download into the same file is refused while the first lives.
    let error = export(tree(), ArchiveFormat::TarGz, &archive).await.0.unwrap_err();
    assert_eq!(error.class, ErrorClass::Locked);
    ctx.cancel.cancel();
    assert_eq!(exporting.await.unwrap_err().class, ErrorClass::Cancelled);
    assert_eq!(left_in(temp.path()).len(), 0, "a cancelled download leaves nothing");
}

/// Drives a download until its part is there.
async fn wait_for_part(exporting: &mut (impl Future<Output = Result<ExportReport>> + Unpin), folder: &Path) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while left_in(folder).is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no part was made");
        let step = tokio::time::timeout(std::time::Duration::from_millis(20), &mut *exporting).await;
        assert!(step.is_err(), "it ended: {step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_half_way_or_dropped_it_leaves_nothing() {
    for format in FORMATS {
        let temp = tempfile::tempdir().unwrap();
        let archive = temp.path().join("a");
        let hanging = || {
            let mut big = file("big", noise(1, 2_000_000));
            big.entry.size_bytes = 4_000_000;
            big.hangs = true;
            Source::new([file("first", "x"), big])
        };
        let (ctx, _) = context();
        let mut source = hanging();
        let mut keep = no_marks;
        let exporting = EXPORTER.export(&ctx, &mut source, format, &archive, None, &mut keep);
        tokio::pin!(exporting);
        wait_for_part(&mut exporting, temp.path()).await;
        ctx.cancel.cancel();
        assert_eq!(exporting.await.unwrap_err().class, ErrorClass::Cancelled);
        assert_eq!(left_in(temp.path()).len(), 0, "{format:?}");

        let (ctx, _) = context();
        let mut source = hanging();
        {
            let mut keep = no_marks;
            let exporting = EXPORTER.export(&ctx, &mut source, format, &archive, None, &mut keep);
            tokio::pin!(exporting);
            wait_for_part(&mut exporting, temp.path()).await;
        }
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !left_in(temp.path()).is_empty() && std::time::Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        assert_eq!(left_in(temp.path()).len(), 0, "{format:?} after the task was dropped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_left_by_a_killed_process_is_taken_over() {
    let temp = tempfile::tempdir().unwrap();
    let archive = temp.path().join("a.tar.gz");
    std::fs::write(temp.path().join("a.tar.gz.part"), vec![7; 100_000]).unwrap();
    export(vec![file("x", "y")], ArchiveFormat::TarGz, &archive).await.0.unwrap();
    assert!(archive.metadata().unwrap().len() < 1_000);
    assert_eq!(left_in(temp.path()).len(), 1);
    unpack(&archive, ArchiveFormat::TarGz);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_and_the_rest_is_packed() {
    for format in FORMATS {
        let temp = tempfile::tempdir().unwrap();
        let archive = temp.path().join(format!("a.{}", format.extension()));
        let mut torn = file("torn", noise(2, 700_000));
        torn.entry.size_bytes = 1_000_000;
        torn.fault = Some(ErrorClass::Corrupt);
        let mut short = file("short", "abc");
        short.entry.size_bytes = 10;
        let mut long = file("long", "0123456789");
        long.entry.size_bytes = 4;
        // All of it came, and then that its hash is wrong.
        let mut rotten = file("rotten", noise(4, 1000));
        rotten.fault = Some(ErrorClass::Corrupt);
        let items = vec![torn, short, long, rotten, file("good", "good")];
        let (report, recorder) = export(items, format, &archive).await;
        report.unwrap();
        let damaged = |name: &str| (ProblemKind::Damaged, name.to_owned());
        assert_eq!(recorder.told(), [damaged("torn"), damaged("short"), damaged("long"), damaged("rotten")]);
        assert!(recorder.problems.lock().unwrap()[0].reason.contains("from byte 700000 on"));
        let Some(unpacked) = unpack(&archive, format) else { continue };
        let read = |name: &str| std::fs::read(unpacked.path().join(name)).unwrap();
        assert_eq!((read("good"), read("long")), (b"good".to_vec(), b"0123".to_vec()));
        assert_eq!(read("short"), b"abc\0\0\0\0\0\0\0");
        assert!(read("torn")[..700_000] == noise(2, 700_000) && read("torn").len() == 1_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_ends_it_with_its_own_class() {
    for format in FORMATS {
        let temp = tempfile::tempdir().unwrap();
        let mut cut = file("cut", noise(2, 700_000));
        cut.entry.size_bytes = 1_000_000;
        cut.fault = Some(ErrorClass::Offline);
        let error = export(vec![file("good", "x"), cut], format, &temp.path().join("a")).await.0.unwrap_err();
        assert_eq!(error.class, ErrorClass::Offline, "{format:?}: {error}");
        assert_eq!(left_in(temp.path()).len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_full_and_nothing_is_left() {
    for format in FORMATS {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().to_str().unwrap();
        let Some(mounted) = program("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]) else { return };
        if !mounted.status.success() {
            eprintln!("skipped: cannot mount a tmpfs: {}", String::from_utf8_lossy(&mounted.stderr).trim());
            return;
        }
        let result = export(vec![file("big", noise(3, 30_000_000))], format, &temp.path().join("a")).await.0;
        let left = left_in(temp.path());
        program("umount", &["-l", folder]);
        let error = result.unwrap_err();
        assert_eq!(error.class, ErrorClass::Full, "{format:?}: {error}");
        assert!(error.hint.is_some());
        assert_eq!(left, [] as [PathBuf; 0]);
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_may_read_a_download() {
    use std::os::unix::fs::PermissionsExt;
    let temp = tempfile::tempdir().unwrap();
    let archive = temp.path().join("a.zip");
    let (report, recorder) = export(vec![file("x", "y")], ArchiveFormat::Zip, &archive).await;
    report.unwrap();
    assert_eq!(archive.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(*recorder.phases.lock().unwrap(), [Phase::Checking], "reading back is a phase of its own");
}

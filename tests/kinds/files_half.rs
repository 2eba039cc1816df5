//! Restores that end in the midst of a file: no later restore takes its first part for the whole.

use crate::files::{collect, item, options, raw, temp};
use crate::host::TestHost;
use crate::memory::{Backup, Recorder, kind};
use crate::replace::Hang;
use crate::tree::set_mtime;
use backstay_core::ErrorClass;
use backstay_core::kind::{ItemInput, RestoreMode};
use backstay_core::run::ProblemKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::io::AsyncReadExt;

const LARGE: usize = 3 << 20;

async fn kept(root: &Path, names: &[(&str, usize)]) -> (ItemInput, Backup) {
    for (name, size) in names {
        std::fs::write(root.join(name), vec![name.as_bytes()[0]; *size]).unwrap();
    }
    let item = item(root, &[]);
    let (_, backup, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    (item, backup)
}

/// Restores with merge over a line that is cut within the first large file.
async fn cut(host: &TestHost, item: &ItemInput, backup: &Backup, root: &Path) -> Arc<Recorder> {
    let ((ctx, recorder), files) = (Recorder::context(), kind("files"));
    let options = options(RestoreMode::Merge, root, None);
    let plan = files.plan_restore(&ctx, &TestHost::default(), item, &backup.listing(), &options).await.unwrap();
    let ended = files.restore(&ctx, &host.shared(), item, &mut backup.source(), &plan, &options).await;
    assert_eq!(ended.unwrap_err().class, ErrorClass::Offline);
    recorder
}

#[tokio::test]
async fn a_new_file_that_was_cut_off_is_written_again_whatever_the_mode() {
    for mode in [RestoreMode::Missing, RestoreMode::Newer] {
        let (_dir, root) = temp();
        let (item, backup) = kept(&root, &[("a", 10), ("large", LARGE), ("never", 10)]).await;
        for name in ["a", "large", "never"] {
            std::fs::remove_file(root.join(name)).unwrap();
        }
        let host = TestHost { cut_input: Some(1 << 20), ..TestHost::default() };
        let recorder = cut(&host, &item, &backup, &root).await;
        assert_eq!(recorder.by_subject(), Default::default());
        assert!(root.join("a").exists(), "what came whole stays");
        assert!(!root.join("large").exists(), "its first part is no file");

        let (_, report, _) =
            crate::files::restore(&TestHost::default(), &item, &backup, &options(mode, &root, None)).await;
        assert_eq!(report.unwrap().files, 2, "{mode:?}");
        assert_eq!(std::fs::read(root.join("large")).unwrap(), vec![b'l'; LARGE], "{mode:?}");
    }
}

#[tokio::test]
async fn a_replaced_file_that_was_cut_off_is_named() {
    let (_dir, root) = temp();
    let (item, backup) = kept(&root, &[("a", 10), ("large", LARGE), ("never", 10)]).await;
    for name in ["a", "large", "never"] {
        std::fs::write(root.join(name), b"of today").unwrap();
        set_mtime(&root.join(name), "2020-01-01 00:00:00");
    }
    let host = TestHost { cut_input: Some(1 << 20), ..TestHost::default() };
    let problems = cut(&host, &item, &backup, &root).await.by_subject();
    let (found, why) = &problems[&raw(&root.join("large")).to_text()];
    assert_eq!((*found, problems.len()), (ProblemKind::Unwritable, 1), "{problems:?}");
    assert!(why.contains("Restore again with merge"), "{why}");
    assert_eq!(std::fs::read(root.join("never")).unwrap(), b"of today");
}

#[tokio::test]
async fn what_may_be_half_is_named_when_the_server_is_gone() {
    let (_dir, root) = temp();
    let (item, backup) = kept(&root, &[("a", 10), ("large", LARGE)]).await;
    std::fs::remove_file(root.join("large")).unwrap();
    let gone = Some(Arc::new(AtomicBool::new(false)));
    let host = TestHost { cut_input: Some(1 << 20), gone, ..TestHost::default() };
    let problems = cut(&host, &item, &backup, &root).await.by_subject();
    let (_, why) = &problems[&raw(&root.join("large")).to_text()];
    assert!(why.contains("may be there") && why.contains("Restore again with merge"), "{why}");
}

#[tokio::test]
async fn a_cancel_leaves_no_part_of_a_new_file() {
    let (_dir, root) = temp();
    let (item, backup) = kept(&root, &[("a", 10), ("large", LARGE)]).await;
    for name in ["a", "large"] {
        std::fs::remove_file(root.join(name)).unwrap();
    }
    let ((ctx, recorder), files, host) = (Recorder::context(), kind("files"), TestHost::default());
    let options = options(RestoreMode::Merge, &root, None);
    let plan = files.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
    let cancel = ctx.cancel.clone();
    let mut source = backup.source().altered(move |now, content| match now.size_bytes == LARGE as u64 {
        true => Box::new(content.take(now.size_bytes / 2).chain(Hang(cancel.clone()))),
        false => content,
    });
    let ended = files.restore(&ctx, &host.shared(), &item, &mut source, &plan, &options).await;
    assert!(ended.unwrap_err().is_cancelled());
    assert_eq!(recorder.by_subject(), Default::default());
    assert_eq!(std::fs::read(root.join("a")).unwrap(), vec![b'a'; 10], "what was sent before is whole");
    assert!(!root.join("large").exists());
}

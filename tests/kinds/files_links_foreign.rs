//! Restores that meet a link somebody else made: root must not write where another account leads it.

use crate::files::{collect, item, options, raw, restore, temp};
use crate::host::hosts;
use crate::memory::{Backup, Recorder, kind};
use crate::tree::is_root;
use backstay_core::kind::RestoreMode;
use std::os::unix::fs::{lchown, symlink};
use std::path::Path;

const WWW_DATA: Option<u32> = Some(33);

/// Puts a link of another account in the place of a folder whose file is lost.
fn led_to(place: &Path, www: &Path) {
    std::fs::remove_dir_all(www).unwrap();
    std::fs::create_dir(place).unwrap();
    symlink(place, www).unwrap();
    lchown(www, WWW_DATA, WWW_DATA).unwrap();
}

#[tokio::test]
async fn a_link_of_another_account_leads_only_to_what_is_its_own() {
    if !is_root() {
        println!("skipped: only root gives links away");
        return;
    }
    for host in hosts() {
        for (is_late, is_own) in [(false, false), (true, false), (false, true)] {
            let (dir, root) = temp();
            let (www, place) = (root.join("www"), dir.path().join("place"));
            std::fs::create_dir(&www).unwrap();
            for name in ["www/in", "conf"] {
                std::fs::write(root.join(name), name).unwrap();
            }
            let (item, options) = (item(&root, &[]), options(RestoreMode::Merge, &root, None));
            let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
            for name in ["www/in", "conf"] {
                std::fs::remove_file(root.join(name)).unwrap();
            }
            if !is_late {
                led_to(&place, &www);
            }
            if is_own {
                std::os::unix::fs::chown(&place, WWW_DATA, WWW_DATA).unwrap();
                let (_, report, recorder) = restore(&host, &item, &backup, &options).await;
                assert_eq!((report.unwrap().files, recorder.by_subject()), (2, Default::default()));
                assert!(place.join("in").exists());
                continue;
            }
            let ((ctx, recorder), files) = (Recorder::context(), kind("files"));
            let plan = files.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
            if is_late {
                led_to(&place, &www);
            }
            let report = files.restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await;
            assert_eq!(report.unwrap().files, 1, "the rest is restored");
            assert!(root.join("conf").exists() && !place.join("in").exists());
            let (target, problems) = (raw(&www).to_text(), recorder.by_subject());
            let is_said = plan.warnings.iter().any(|said| said.starts_with(&target) && said.contains("uid 33"));
            assert!(is_said || problems.contains_key(&target), "{:?} {problems:?}", plan.warnings);
        }
    }
}

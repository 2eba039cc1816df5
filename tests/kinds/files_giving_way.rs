//! Replacing a folder by what the backup has there, a file or a link.

use crate::files::{collect, item, options, raw, restore, temp};
use crate::host::hosts;
use crate::memory::Backup;
use backstay_core::kind::RestoreMode;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

#[tokio::test]
async fn a_folder_in_which_something_stays_is_not_emptied_for_a_file_or_link() {
    for host in hosts() {
        for is_link in [false, true] {
            let (_dir, root) = temp();
            let thing = root.join("thing");
            if is_link {
                symlink("conf", &thing).unwrap()
            } else {
                std::fs::write(&thing, b"a file").unwrap()
            }
            std::fs::write(root.join("conf"), b"conf").unwrap();
            let item = item(&root, &["*.log"]);
            let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
            for stays in ["in/app.log", "in/socket"] {
                let _ = std::fs::remove_file(&thing);
                std::fs::create_dir_all(thing.join("in")).unwrap();
                std::fs::write(thing.join("in/data"), b"data").unwrap();
                match stays {
                    "in/socket" => drop(UnixListener::bind(thing.join(stays)).unwrap()),
                    _ => std::fs::write(thing.join(stays), b"").unwrap(),
                }
                let options = options(RestoreMode::Replace, &root, None);
                let (plan, report, recorder) = restore(&host, &item, &backup, &options).await;
                let target = raw(&thing).to_text();
                assert!(plan.changes.iter().all(|c| !c.target.starts_with(&target)), "{:?}", plan.changes);
                assert!(plan.warnings.iter().any(|said| said.starts_with(&target)), "{:?}", plan.warnings);
                report.unwrap();
                assert_eq!(recorder.by_subject(), Default::default());
                assert!(thing.join("in/data").exists() && thing.join(stays).exists());
                std::fs::remove_file(thing.join(stays)).unwrap();
            }
            // Nothing stays any more.
            let (_, report, recorder) =
                restore(&host, &item, &backup, &options(RestoreMode::Replace, &root, None)).await;
            report.unwrap();
            assert_eq!(recorder.by_subject(), Default::default());
            assert!(!thing.is_dir());
        }
    }
}

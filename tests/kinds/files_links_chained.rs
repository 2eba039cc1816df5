//! Restores that change, or make, what a link at the target leads over.

use crate::files::{collect, item, options, raw, restore, temp};
use crate::host::{TestHost, hosts};
use crate::memory::{Backup, kind};
use backstay_core::RunContext;
use backstay_core::kind::RestoreMode;
use std::os::unix::fs::symlink;
use std::path::Path;

fn put(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn a_link_that_another_leads_over_stays_as_it_is() {
    for host in hosts() {
        let (_dir, root) = temp();
        put(&root.join("www/index"), "web");
        symlink("releases/4", root.join("current")).unwrap();
        let item = item(&root, &[]);
        let (report, backup, _) = collect(&host, &item, &Backup::default()).await;
        report.unwrap();
        // Since then www leads over what is a link to elsewhere in the backup.
        put(&root.join("releases/4/index"), "four");
        put(&root.join("releases/5/index"), "five");
        std::fs::remove_file(root.join("current")).unwrap();
        symlink("releases/5", root.join("current")).unwrap();
        std::fs::remove_dir_all(root.join("www")).unwrap();
        symlink("current", root.join("www")).unwrap();
        let (plan, report, recorder) = restore(&host, &item, &backup, &options(RestoreMode::Merge, &root, None)).await;
        let said = format!("{} stays as it is: a link that stays leads over it", raw(&root.join("current")));
        assert!(plan.warnings.contains(&said), "{:?}", plan.warnings);
        report.unwrap();
        assert_eq!(recorder.by_subject(), Default::default());
        assert_eq!(
            (read(&root.join("releases/4/index")), read(&root.join("releases/5/index"))),
            ("four".into(), "web".into())
        );
    }
}

#[tokio::test]
async fn a_link_to_what_this_restore_makes_is_closed_until_it_is_there() {
    for host in hosts() {
        let (_dir, root) = temp();
        put(&root.join("disk/index"), "disk");
        put(&root.join("www/index"), "web");
        let item = item(&root, &[]);
        let (report, backup, _) = collect(&host, &item, &Backup::default()).await;
        report.unwrap();
        for name in ["disk", "www"] {
            std::fs::remove_dir_all(root.join(name)).unwrap();
        }
        symlink("disk", root.join("www")).unwrap();
        let (plan, report, _) = restore(&host, &item, &backup, &options(RestoreMode::Merge, &root, None)).await;
        assert!(plan.warnings.iter().any(|said| said.contains("which this restore makes")), "{:?}", plan.warnings);
        assert_eq!(report.unwrap().files, 1);
        assert_eq!(read(&root.join("disk/index")), "disk");
    }
}

#[tokio::test]
async fn what_took_a_new_folders_place_since_the_preview_is_not_removed() {
    let host = TestHost { files_only: true, ..TestHost::default() };
    let (_dir, root) = temp();
    put(&root.join("www/index"), "web");
    put(&root.join("conf"), "conf");
    let item = item(&root, &[]);
    let (report, backup, _) = collect(&host, &item, &Backup::default()).await;
    report.unwrap();
    std::fs::remove_dir_all(root.join("www")).unwrap();
    std::fs::remove_file(root.join("conf")).unwrap();
    let (ctx, options) = (RunContext::silent(), options(RestoreMode::Merge, &root, None));
    let plan = kind("files").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
    put(&root.join("www"), "somebody's");
    let result = kind("files").restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await;
    assert_eq!(result.unwrap().files, 1);
    assert_eq!((read(&root.join("www")), read(&root.join("conf"))), ("somebody's".into(), "conf".into()));
}

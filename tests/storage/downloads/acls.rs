//! ACLs of a download, unpacked by GNU tar.

use super::{export, file, item, program, works};
use backstay_core::entry::{EntryType, Xattr};
use backstay_core::layout::ArchiveFormat;
use std::path::Path;

const NO_ID: u32 = u32::MAX;

/// Tag, rights and id of each entry, as the kernel packs them.
fn acl(name: &str, entries: &[(u16, u16, u32)]) -> Xattr {
    let bytes = |(tag, rights, id): &(u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let value = [vec![2, 0, 0, 0], entries.iter().flat_map(bytes).collect()].concat();
    Xattr { name: name.into(), value }
}

/// The ACLs of the file and the folder below `root`, as text.
fn acls(root: &Path) -> String {
    let (folder, file) = (root.join("srv/d"), root.join("srv/d/f"));
    let output = program("getfacl", &["-cnp", folder.to_str().unwrap(), file.to_str().unwrap()]).unwrap();
    works(&output);
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tar_gives_them_back() {
    let temp = tempfile::tempdir().unwrap();
    let (want, out) = (temp.path().join("want"), temp.path().join("out"));
    std::fs::create_dir_all(want.join("srv/d")).unwrap();
    std::fs::create_dir(&out).unwrap();
    let (folder, text) = (want.join("srv/d"), want.join("srv/d/f"));
    std::fs::write(&text, "text").unwrap();
    let set = |acl: &str, path: &Path| program("setfacl", &["--set", acl, path.to_str().unwrap()]);
    let Some(done) = set("u::rw,u:1000:r,g::r,m::r,o::r", &text) else { return };
    let knows = program("tar", &["--acls", "-cf", "/dev/null", "-C", want.to_str().unwrap(), "srv"]);
    if !done.status.success() || !knows.is_some_and(|knows| knows.stderr.is_empty()) {
        println!("skipped: the file system has no ACLs, or there is no tar that knows them");
        return;
    }
    works(&set("u::rwx,g::rx,o::rx,d:u::rwx,d:u:1001:rx,d:g::rx,d:m::rx,d:o::-", &folder).unwrap());
    let entries = [(1, 6, NO_ID), (2, 4, 1000), (4, 4, NO_ID), (16, 4, NO_ID), (32, 4, NO_ID)];
    let default = [(1, 7, NO_ID), (2, 5, 1001), (4, 5, NO_ID), (16, 5, NO_ID), (32, 0, NO_ID)];
    let archive = temp.path().join("a.tar.gz");
    let mut d = item("srv/d", EntryType::Dir, "");
    (d.entry.mode, d.entry.xattrs) = (0o755, vec![acl("system.posix_acl_default", &default)]);
    let mut f = file("srv/d/f", "text");
    (f.entry.mode, f.entry.xattrs) = (0o644, vec![acl("system.posix_acl_access", &entries)]);
    export(vec![d, f], ArchiveFormat::TarGz, &archive).await.0.unwrap();
    let (from, to) = (archive.to_str().unwrap(), out.to_str().unwrap());
    let flags = ["--acls", "--xattrs", "--xattrs-include=*", "-xpzf", from, "-C", to];
    works(&program("tar", &flags).unwrap());
    assert_eq!(acls(&out), acls(&want));
}

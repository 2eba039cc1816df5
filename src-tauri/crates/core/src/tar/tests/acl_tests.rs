//! An ACL is written as text too; GNU tar makes of both what there was.

use super::*;

const NO_ID: u32 = u32::MAX;

/// Tag, rights and id of each entry of an ACL.
type Acl<'a> = &'a [(u16, u16, u32)];

const FILE: Acl<'_> = &[(1, 6, NO_ID), (2, 4, 1000), (4, 4, NO_ID), (16, 4, NO_ID), (32, 4, NO_ID)];
const FILE_TEXT: &str = "user::rw-\nuser:1000:r--\ngroup::r--\nmask::r--\nother::r--\n";
const FOLDER: Acl<'_> = &[(1, 7, NO_ID), (2, 7, 1000), (4, 5, NO_ID), (16, 7, NO_ID), (32, 5, NO_ID)];
const FOLDER_DEFAULT: Acl<'_> =
    &[(1, 7, NO_ID), (4, 5, NO_ID), (8, 0, 7), (8, 3, 4_000_000_000), (16, 7, NO_ID), (32, 0, NO_ID)];
const FOLDER_DEFAULT_TEXT: &str = "user::rwx\ngroup::r-x\ngroup:7:---\ngroup:4000000000:-wx\nmask::rwx\nother::---\n";

fn bytes_of(acl: Acl<'_>) -> Vec<u8> {
    let entry = |(tag, rights, id): &(u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    [vec![2, 0, 0, 0], acl.iter().flat_map(entry).collect()].concat()
}

fn xattr(name: &str, value: impl Into<Vec<u8>>) -> Xattr {
    Xattr { name: name.into(), value: value.into() }
}

fn access(value: impl Into<Vec<u8>>) -> Xattr {
    xattr("system.posix_acl_access", value)
}

fn default(value: impl Into<Vec<u8>>) -> Xattr {
    xattr("system.posix_acl_default", value)
}

fn folder(name: &[u8], mode: u32) -> Entry {
    Entry { kind: EntryType::Dir, mode, ..file(name, 0) }
}

fn count(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).filter(|window| *window == part).count()
}

async fn read_back(bytes: Vec<u8>) -> Vec<Xattr> {
    read_all(&[bytes, END.to_vec()].concat()).await.unwrap().remove(0).0.entry.xattrs
}

#[tokio::test]
async fn it_is_written_as_text_beside_the_kernels_bytes() {
    // As the kernel gave it for `setfacl -m u:1000:r,m::r` on a file of mode 0644.
    let kernel = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\
        \x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";
    assert_eq!(bytes_of(FILE), kernel);
    let mut entry = file(b"file", 0);
    // A file has no default ACL.
    entry.xattrs = vec![access(kernel), default(bytes_of(FOLDER_DEFAULT)), xattr("user.note", "x")];
    let bytes = header(&entry, b"file", 0, None, &[]);
    assert_eq!(count(&bytes, format!("\n78 SCHILY.acl.access={FILE_TEXT}\n").as_bytes()), 1);
    assert_eq!(count(&bytes, b"SCHILY.acl."), 1);
    assert_eq!(count(&bytes, kernel), 1);
    assert_eq!(read_back(bytes).await, entry.xattrs);
    assert_eq!(count(&header(&entry, b"link", 0, Some(b"file"), &[]), b"SCHILY."), 0);

    let mut entry = folder(b"folder", 0o775);
    entry.xattrs = vec![default(bytes_of(FOLDER_DEFAULT)), access(bytes_of(FOLDER))];
    let bytes = header(&entry, b"folder", 0, None, &[]);
    assert_eq!(count(&bytes, format!(" SCHILY.acl.default={FOLDER_DEFAULT_TEXT}\n").as_bytes()), 1);
    assert_eq!(count(&bytes, b" SCHILY.acl.access=user::rwx\nuser:1000:rwx\n"), 1);
    assert_eq!(read_back(bytes).await, entry.xattrs);
}

#[tokio::test]
async fn one_the_servers_tar_gave_as_text_stays_as_it_is() {
    let mut entry = file(b"file", 0);
    for xattrs in [
        vec![xattr("SCHILY.acl.access", "user::rw-\nuser:jo:r--\n"), access(bytes_of(FILE))],
        vec![xattr("SCHILY.acl.access", FILE_TEXT)],
    ] {
        entry.xattrs = xattrs;
        let bytes = header(&entry, b"file", 0, None, &[]);
        assert_eq!(count(&bytes, b"SCHILY.acl."), 1);
        assert_eq!(read_back(bytes).await, entry.xattrs);
    }
}

#[tokio::test]
async fn bytes_that_are_no_acl_are_kept_without_text() {
    let good = bytes_of(FILE);
    for value in [
        Vec::new(),
        vec![2, 0, 0, 0],
        [vec![1, 0, 0, 0], good[4..].to_vec()].concat(),
        good[..good.len() - 1].to_vec(),
        [&good[..], b"\0"].concat(),
        // No owner, no group, no others, and a named user without a mask.
        bytes_of(&FILE[1..]),
        bytes_of(&[FILE[0], FILE[1], FILE[3], FILE[4]]),
        bytes_of(&FILE[..4]),
        bytes_of(&[FILE[0], FILE[1], FILE[2], FILE[4]]),
        // Out of order, one twice, a tag and a right that are none.
        bytes_of(&[FILE[1], FILE[0], FILE[2], FILE[3], FILE[4]]),
        bytes_of(&[FILE[0], FILE[0], FILE[2], FILE[4]]),
        bytes_of(&[FILE[0], FILE[2], FILE[4], (64, 4, NO_ID)]),
        bytes_of(&[(1, 8, NO_ID), FILE[2], FILE[4]]),
        // A named user without a number.
        bytes_of(&[FILE[0], (2, 4, NO_ID), FILE[2], FILE[3], FILE[4]]),
    ] {
        let mut entry = file(b"file", 0);
        entry.xattrs = vec![access(value)];
        let bytes = header(&entry, b"file", 0, None, &[]);
        assert_eq!(count(&bytes, b"SCHILY.acl."), 0, "{entry:?}");
        assert_eq!(read_back(bytes).await, entry.xattrs);
    }
}

#[cfg(unix)]
mod gnu {
    use super::super::gnu::{has_gnu_tar, tar};
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::process::Command;

    fn sh(dir: &Path, script: &str) -> (String, String) {
        let out = Command::new("sh").current_dir(dir).args(["-c", script]).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out.stdout), text(out.stderr))
    }

    #[test]
    fn gnu_tar_sets_it_however_it_is_called() {
        if !has_gnu_tar() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (_, why) = sh(
            dir.path(),
            "umask 022; mkdir want; cd want; mkdir d; echo > d/f
            setfacl -m u:1000:r,m::r d/f && getfacl -n d/f > ../probe && tar --acls -cf /dev/null d
            setfacl -m u:1000:rwx,d:g:4000000000:wx,d:g:7:-,d:o::- d",
        );
        if !why.is_empty() {
            println!("skipped: setfacl, a file system with ACLs or a tar that knows them is not here: {why}");
            return;
        }
        let acls = |root: &str| sh(&dir.path().join(root), "getfacl -cn d d/f").0;
        let mut d = folder(b"d", 0o775);
        d.xattrs = vec![access(bytes_of(FOLDER)), default(bytes_of(FOLDER_DEFAULT))];
        let mut f = file(b"d/f", 0);
        (f.mode, f.xattrs) = (0o644, vec![access(bytes_of(FILE))]);
        // Read where attributes cannot be had, its rights for the group are those of the mask, as stat tells them.
        let mut bare = file(b"d/bare", 0);
        bare.mode = 0o674;
        let bytes = archive(&[(&d, b"", &[]), (&f, b"", &[]), (&bare, b"", &[])]);
        let restore = ["--extract", "--file=-", "--same-permissions", "--delay-directory-restore"];
        for (name, args) in [
            ("all", vec!["--acls", "--xattrs", "--xattrs-include=*", "-xpf", "-"]),
            ("acls", vec!["--acls", "-xpf", "-"]),
            ("restore", [&restore[..], &["--xattrs", "--xattrs-include=*"]].concat()),
        ] {
            let out = dir.path().join(name);
            std::fs::create_dir(&out).unwrap();
            tar(&out, &args, &bytes);
            assert_eq!(acls(name), acls("want"), "{args:?}");
            assert_eq!(sh(&out, "getfacl -cn d/bare").0.trim(), "user::rw-\ngroup::rwx\nother::r--", "{args:?}");
            assert_eq!(std::fs::metadata(out.join("d/bare")).unwrap().mode() & 0o7777, 0o674);
        }
    }
}

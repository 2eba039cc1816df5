//! Users of this machine, made for one server.

use super::processes::{retry, run, succeed};
use super::{Sshd, lock};
use backstay_core::secret::Secret;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// The start of every name of a user that may only use SFTP, below a chroot.
pub(super) const SFTP_PREFIX: &str = "bsf";

/// What a lab user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SudoRight {
    /// No sudo.
    None,
    /// Everything, without a password.
    WithoutPassword,
    /// Everything, with the password.
    WithPassword,
}

/// A user of this machine, made for one test.
#[derive(Clone, Debug)]
pub struct LabUser {
    /// Name.
    pub name: String,
    /// Password.
    pub password: Secret,
    /// Home folder.
    pub home: PathBuf,
}

impl Sshd {
    /// Makes a user with a home folder, a password and the server's key authorised.
    pub fn add_user(&self, sudo: SudoRight) -> LabUser {
        self.new_user("bsu", "/bin/bash", sudo)
    }
    /// Makes a user whose log-in shell is this program.
    pub fn add_user_with_shell(&self, shell: &str) -> LabUser {
        self.new_user("bsu", shell, SudoRight::None)
    }
    /// Makes a user who may only use SFTP, shut into a chroot; its files lie in `home`, which it sees as `/files`.
    #[allow(clippy::expect_used)]
    pub fn add_sftp_user(&self) -> LabUser {
        let mut user = self.new_user(SFTP_PREFIX, "/usr/sbin/nologin", SudoRight::None);
        let files = self.chroot.join("files");
        fs::create_dir_all(&files).expect("the chroot's folder");
        succeed(Command::new("chown").arg(&user.name).arg(&files));
        user.home = files;
        user
    }
    /// Returns root, with the server's key authorised and no password.
    pub fn root(&self) -> LabUser {
        self.authorize("root");
        LabUser { name: "root".into(), password: Secret::new(""), home: "/root".into() }
    }

    #[allow(clippy::expect_used)]
    fn new_user(&self, prefix: &str, shell: &str, sudo: SudoRight) -> LabUser {
        let name = format!("{prefix}{:010x}", rand::random::<u64>() & 0xff_ffff_ffff);
        let password = format!("pw {:08x}'\"\\", rand::random::<u32>());
        // Both tools give up at once while another process holds /etc/passwd.
        retry(|| run(Command::new("/usr/sbin/useradd").args(["-m", "-s", shell, &name]), b""));
        retry(|| run(&mut Command::new("/usr/sbin/chpasswd"), format!("{name}:{password}\n").as_bytes()));
        let user =
            LabUser { home: PathBuf::from("/home").join(&name), password: Secret::new(password), name: name.clone() };
        lock(&self.users).push(user.clone());
        self.authorize(&name);
        let right = match sudo {
            SudoRight::None => return user,
            SudoRight::WithoutPassword => "NOPASSWD: ALL",
            SudoRight::WithPassword => "ALL",
        };
        let file = PathBuf::from("/etc/sudoers.d").join(&name);
        fs::write(&file, format!("{name} ALL=(ALL) {right}\n")).expect("a sudoers file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("its mode");
        user
    }

    #[allow(clippy::expect_used)]
    fn authorize(&self, name: &str) {
        let key = fs::read(self.dir.path().join("user_key.pub")).expect("the user key");
        self.authorize_key(name, &key);
    }

    /// Authorises one more public key (the content of a `.pub` file) for a user.
    #[allow(clippy::expect_used)]
    pub fn authorize_key(&self, name: &str, public_key: &[u8]) {
        let file = self.dir.path().join("auth").join(name);
        let mut lines = fs::read(&file).unwrap_or_default();
        lines.extend_from_slice(public_key);
        fs::write(&file, lines).expect("the authorised keys");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("their mode");
    }

    /// Removes the users made for this server.
    pub(super) fn remove_users(&self) {
        for user in lock(&self.users).iter() {
            let _ = fs::remove_file(PathBuf::from("/etc/sudoers.d").join(&user.name));
            retry(|| run(Command::new("/usr/sbin/userdel").args(["-f", "-r", &user.name]), b""));
        }
    }
}

//! Key pairs and their fingerprints.

use super::processes::run;
use std::io;
use std::path::Path;
use std::process::Command;

/// Makes a key pair. `kind` as for `ssh-keygen -t`.
pub fn keygen(file: &Path, kind: &str, passphrase: &str) -> io::Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(file);
    if kind == "rsa" {
        command.args(["-b", "2048"]);
    }
    let output = run(&mut command, b"")?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&output.stderr))) }
}

/// Returns the fingerprint of a public key file.
#[allow(clippy::expect_used)]
pub fn fingerprint_of(public_key: &Path) -> String {
    let output = run(Command::new("ssh-keygen").arg("-lf").arg(public_key), b"").expect("ssh-keygen");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().nth(1).expect("a fingerprint").to_owned()
}

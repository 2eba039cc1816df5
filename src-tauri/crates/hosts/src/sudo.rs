//! Any host as root, by sudo.

use crate::{shell_attributes, shell_files};
use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry};
use backstay_core::host::{Attribute, Command, Findings, Host, HostCapabilities, Output, Process, Space, run};
use backstay_core::{Error, ErrorClass, RawPath, Result, Secret};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWriteExt};
use zeroize::Zeroizing;

/// Tells who commands run as, and whether sudo left something of the input to be read.
const WHO: &str = "id -u && if read -r line; then echo left; fi";

/// A host whose commands run as root.
pub struct SudoHost {
    label: String,
    inner: Arc<dyn Host>,
    password: Option<Secret>,
    findings: Findings,
}

impl SudoHost {
    /// Wraps a host and tries sudo once, so that a missing right shows at once. Where sudo asks for no password (root, or
    /// NOPASSWD), none is sent from then on: every command would find it in its input.
    ///
    /// Errors: `Refused` with the sudoers line that would help; `Unsupported` without sudo or without a shell.
    pub async fn become_root(server_name: &str, inner: Arc<dyn Host>, password: Option<Secret>) -> Result<Self> {
        let mut host = Self { label: format!("{server_name} as root"), inner, password, findings: Findings::default() };
        let no_args: [&str; 0] = [];
        let output = run(&host, Command::sh(WHO, no_args), b"").await?;
        let text = output.text();
        let mut lines = text.lines();
        if output.status.success() && lines.next().is_some_and(|uid| uid.trim() == "0") {
            if lines.next().is_some() {
                host.password = None;
            }
            return Ok(host);
        }
        let user = match run(host.inner.as_ref(), Command::new("id").arg("-un"), b"").await {
            Ok(user) if user.status.success() => user.text().trim().to_owned(),
            _ => "USER".to_owned(),
        };
        Err(refusal(server_name, &user, host.password.is_some(), &output))
    }

    /// Returns the argument vector that becomes root. `-k` always: with a remembered log-in sudo would not read the
    /// password, and the command would get it as its input.
    fn wrap(&self, command: &Command) -> Result<(Command, Zeroizing<Vec<u8>>)> {
        let lowered = crate::argv::lower(command)?;
        let mut prefix = Zeroizing::new(Vec::new());
        let mut sudo = Command { packable: command.packable, ..Command::new("sudo") };
        match &self.password {
            None => sudo = sudo.args(["-n", "--"]),
            Some(password) => {
                if password.expose().contains(['\n', '\0']) {
                    return Err(Error::new(ErrorClass::Invalid, "The sudo password holds a line break"));
                }
                sudo = sudo.args(["-S", "-k", "-p", "", "--"]);
                prefix.reserve(password.expose().len() + 1 + lowered.stdin_prefix.len());
                prefix.extend_from_slice(password.expose().as_bytes());
                prefix.push(b'\n');
            }
        }
        prefix.extend_from_slice(&lowered.stdin_prefix);
        Ok((sudo.args(lowered.argv), prefix))
    }
}

fn refusal(server: &str, user: &str, with_password: bool, output: &Output) -> Error {
    let said = output.stderr.to_lowercase();
    let tried = format!("Cannot become root on {server}");
    let error = |class, why: &str| Error::new(class, format!("{tried}: {why}")).detail(output.stderr.clone());
    if said.contains("not found") || said.contains("no such file") {
        return error(ErrorClass::Unsupported, "there is no sudo")
            .hint("Install sudo there, or log in as root, or switch sudo off for this server");
    }
    if said.contains("must have a tty") || said.contains("no tty present") {
        return error(ErrorClass::Refused, "its sudo wants a terminal")
            .hint(format!("Add to /etc/sudoers.d/backstay there: Defaults:{user} !requiretty"));
    }
    if said.contains("not in the sudoers") || said.contains("not allowed to") || said.contains("may not run sudo") {
        return error(ErrorClass::Refused, &format!("{user} may not use sudo")).hint(format!(
            "As root there, run visudo -f /etc/sudoers.d/backstay and add: {}",
            line(user, with_password)
        ));
    }
    if with_password {
        return error(ErrorClass::Refused, "sudo refused the password").hint(format!(
            "Check the sudo password of {user}. If sudo may do without one, choose \"without password\" and add to \
             /etc/sudoers.d/backstay there: {}",
            line(user, false)
        ));
    }
    error(ErrorClass::Refused, "sudo asks for a password").hint(format!(
        "Give the password, or run visudo -f /etc/sudoers.d/backstay there as root and add: {}",
        line(user, false)
    ))
}

/// The sudoers line that gives the right.
fn line(user: &str, with_password: bool) -> String {
    if with_password { format!("{user} ALL=(root) ALL") } else { format!("{user} ALL=(root) NOPASSWD: ALL") }
}

#[async_trait]
impl Host for SudoHost {
    fn label(&self) -> &str {
        &self.label
    }
    fn capabilities(&self) -> HostCapabilities {
        self.inner.capabilities()
    }
    fn route(&self) -> String {
        format!("{}, as root by sudo", self.inner.route())
    }
    fn findings(&self) -> &Findings {
        &self.findings
    }
    async fn start(&self, command: Command) -> Result<Process> {
        let (command, prefix) = self.wrap(&command)?;
        let mut process = self.inner.start(command).await?;
        // A command that is gone already is no failure here: its exit status and words tell why.
        if !prefix.is_empty() && process.stdin.write_all(&prefix).await.is_ok() {
            let _ = process.stdin.flush().await;
        }
        Ok(process)
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<Entry>> {
        shell_files::list(self, dir).await
    }
    async fn stat(&self, path: &RawPath) -> Result<Entry> {
        shell_files::stat(self, path).await
    }
    async fn read(&self, path: &RawPath) -> Result<ByteStream> {
        shell_files::read(self, path).await
    }
    async fn write(&self, path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64> {
        shell_files::write(self, path, mode, content).await
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        shell_files::make_dir(self, path).await
    }
    async fn make_link(&self, path: &RawPath, target: &[u8]) -> Result<()> {
        shell_attributes::make_link(self, path, target).await
    }
    async fn set_attributes(&self, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
        shell_attributes::set_attributes(self, entries).await
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        shell_files::remove(self, path).await
    }
    async fn space(&self, path: &RawPath) -> Result<Space> {
        shell_files::space(self, path).await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use backstay_core::host::ExitStatus;
    use backstay_lab::fake_host::{Answer, FakeHost};

    fn refused(stderr: &str, with_password: bool) -> Error {
        let output = Output { status: ExitStatus::Code(1), stdout: Vec::new(), stderr: stderr.into() };
        refusal("web-1", "deploy", with_password, &output)
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let error = refused("sudo: a password is required", false);
        assert_eq!(error.message, "Cannot become root on web-1: sudo asks for a password");
        assert!(error.hint.unwrap().ends_with("deploy ALL=(root) NOPASSWD: ALL"));
        let error = refused("deploy is not in the sudoers file.", true);
        assert_eq!(error.message, "Cannot become root on web-1: deploy may not use sudo");
        assert!(error.hint.unwrap().ends_with("deploy ALL=(root) ALL"));
        let error = refused("sudo: no password was provided", true);
        assert_eq!(error.message, "Cannot become root on web-1: sudo refused the password");
        assert_eq!(refused("env: 'sudo': No such file or directory", true).class, ErrorClass::Unsupported);
    }

    #[tokio::test]
    async fn a_password_that_sudo_does_not_ask_for_reaches_no_command() {
        for (said, line, input) in [
            ("0\n", "sudo -S -k -p  -- env LC_ALL=C cat", "hush\npayload"),
            ("0\nleft\n", "sudo -n -- env LC_ALL=C cat", "payload"),
        ] {
            let inner = Arc::new(FakeHost::default());
            inner.on("id -u", Answer::ok(said)).on("C cat", Answer::ok(""));
            let host = SudoHost::become_root("web-1", inner.clone(), Some(Secret::new("hush"))).await.unwrap();
            run(&host, Command::new("cat"), b"payload").await.unwrap();
            let last = inner.started().pop().unwrap();
            assert_eq!((last.line().as_str(), last.stdin.as_slice()), (line, input.as_bytes()));
        }
    }
}

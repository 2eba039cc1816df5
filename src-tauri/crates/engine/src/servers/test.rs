//! Testing a server's connection step by step, each with what to do about it.

use super::draft::{StorePins, connection_of, route_of, sudo_of};
use crate::backstay::{Backstay, Inner};
use crate::parts::HostLogin;
use crate::words::size_text;
use backstay_contract::{ConnectionTest, ServerDraft, TestStep};
use backstay_core::config::{Connection, Sudo};
use backstay_core::host::{Command, Host, run};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::sync::Arc;

/// Prints what reading a server's files needs, one "name path" a line, and the user.
const TOOLS: &str = r#"for tool in tar find; do printf '%s %s\n' "$tool" "$(command -v "$tool" 2>/dev/null)"; done
printf 'user %s\n' "$(id -un 2>/dev/null)""#;

impl Backstay {
    /// Logs in to a server and tells step by step whether a backup could work. The host key must be known.
    pub async fn test_server(&self, draft: ServerDraft) -> Result<ConnectionTest> {
        let connection = connection_of(&draft)?;
        let login = self.inner.login_of_draft(&draft).await?;
        let name = if draft.name.trim().is_empty() { super::summary_name(&connection) } else { draft.name.clone() };
        let mut test = Test { inner: &self.inner, name, connection, login, steps: Vec::new(), sudoers: None };
        let ok = test.run().await;
        Ok(ConnectionTest { ok, route: route_of(&test.connection), steps: test.steps, sudoers: test.sudoers })
    }
}

struct Test<'a> {
    inner: &'a Inner,
    name: String,
    connection: Connection,
    login: HostLogin,
    steps: Vec<TestStep>,
    sudoers: Option<String>,
}

impl Test<'_> {
    async fn run(&mut self) -> bool {
        if !self.host_keys().await {
            return false;
        }
        let plain = self.without_sudo();
        let host = match self.connect(&plain).await {
            Ok(host) => host,
            Err(error) => return self.fail("Log in", &error),
        };
        self.ok("Log in", host.route());
        let host =
            if sudo_of(&self.connection) == Sudo::None { host } else { self.sudo(host).await.unwrap_or_else(|h| h) };
        let worked = !self.steps.iter().any(|step| step.state == "failed");
        let tools = worked && self.tools(host.as_ref()).await;
        if worked {
            self.room(host.as_ref()).await;
        }
        host.close().await;
        worked && tools
    }

    async fn connect(&self, connection: &Connection) -> Result<Arc<dyn Host>> {
        let pins = Arc::new(StorePins::new(self.inner.store.clone(), connection));
        self.inner.parts.connect(&self.name, connection, self.login.clone(), pins).await
    }

    fn without_sudo(&self) -> Connection {
        match &self.connection {
            Connection::Local { .. } => Connection::Local { sudo: Sudo::None },
            Connection::Ssh(ssh) => {
                Connection::Ssh(backstay_core::config::SshConnection { sudo: Sudo::None, ..ssh.clone() })
            }
        }
    }

    async fn host_keys(&mut self) -> bool {
        let Connection::Ssh(ssh) = self.connection.clone() else { return true };
        let pins = Arc::new(StorePins::new(self.inner.store.clone(), &self.connection));
        let keys = match self.inner.parts.probe_host_keys(&ssh, &self.login, pins).await {
            Ok(keys) => keys,
            Err(error) if matches!(error.class, ErrorClass::HostKeyChanged | ErrorClass::HostKeyUnknown) => {
                return self.fail("Check the host key", &error);
            }
            Err(error) => return self.fail("Reach the server", &error),
        };
        self.ok("Reach the server", format!("{}:{} answers", ssh.host, ssh.port));
        for key in &keys {
            let place = format!("{}:{}", key.host, key.port);
            let error = match key.state {
                "pinned" | "known_hosts" => continue,
                "changed" => Error::new(
                    ErrorClass::HostKeyChanged,
                    format!(
                        "The host key of {place} is not the one accepted before: expected {}, got {}",
                        key.expected.as_deref().unwrap_or("another"),
                        key.fingerprint
                    ),
                )
                .hint("Find out why before you go on: the server was set up anew, or someone is in between"),
                _ => Error::new(
                    ErrorClass::HostKeyUnknown,
                    format!("The host key of {place} is not accepted yet: {}", key.fingerprint),
                )
                .hint("Compare it with what the server itself shows, then accept it"),
            };
            return self.fail("Check the host key", &error);
        }
        let seen = keys.last().map(|key| key.fingerprint.clone()).unwrap_or_default();
        self.ok("Check the host key", seen);
        true
    }

    async fn sudo(&mut self, plain: Arc<dyn Host>) -> std::result::Result<Arc<dyn Host>, Arc<dyn Host>> {
        match self.connect(&self.connection.clone()).await {
            Ok(host) => match run(host.as_ref(), Command::new("id").arg("-u"), b"").await {
                Ok(output) if output.text().trim() == "0" => {
                    plain.close().await;
                    self.ok("Become root by sudo", "works".into());
                    return Ok(host);
                }
                Ok(output) => {
                    host.close().await;
                    let error = Error::new(ErrorClass::Refused, "sudo does not make us root").detail(output.stderr);
                    self.fail("Become root by sudo", &error);
                }
                Err(error) => {
                    self.fail("Become root by sudo", &error);
                }
            },
            Err(error) => {
                self.fail("Become root by sudo", &error);
            }
        }
        let user = match &self.connection {
            Connection::Local { .. } => self.inner.parts.user_name(),
            Connection::Ssh(ssh) => ssh.user.clone(),
        };
        let tag = if sudo_of(&self.connection) == Sudo::WithoutPassword { "NOPASSWD: " } else { "" };
        self.sudoers = Some(format!("{user} ALL=(root) {tag}ALL"));
        Err(plain)
    }

    async fn tools(&mut self, host: &dyn Host) -> bool {
        if !host.capabilities().commands {
            self.note(
                "Find tar and find",
                "No commands can run there: files are read over SFTP, databases cannot be backed up",
            );
            return true;
        }
        let output = match run(host, Command::sh::<&str>(TOOLS, []), b"").await {
            Ok(output) => output,
            Err(error) => return self.fail("Find tar and find", &error),
        };
        let text = output.text();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
        let missing: Vec<_> =
            ["tar ", "find "].into_iter().filter(|name| line(name).is_empty()).map(str::trim).collect();
        if missing.is_empty() {
            self.ok("Find tar and find", format!("{} and {}, as {}", line("tar "), line("find "), line("user ")));
            return true;
        }
        if host.capabilities().files {
            let text = format!("{} is not there: files are read one by one, which is slower", missing.join(" and "));
            self.note("Find tar and find", &text);
            return true;
        }
        let error = Error::new(ErrorClass::Unsupported, format!("{} is not there", missing.join(" and ")))
            .hint(format!("Install {} on the server with its package tool", missing.join(" and ")));
        self.fail("Find tar and find", &error)
    }

    async fn room(&mut self, host: &dyn Host) {
        let Ok(root) = RawPath::new("/") else { return };
        match host.space(&root).await {
            Ok(space) => {
                let text = format!("{} of {} free at /", size_text(space.free_bytes), size_text(space.total_bytes));
                self.ok("Look at the room", text);
            }
            Err(error) => self.note("Look at the room", &error.message),
        }
    }

    fn ok(&mut self, title: &str, text: String) {
        self.steps.push(TestStep { title: title.into(), state: "ok".into(), text, hint: None });
    }
    fn note(&mut self, title: &str, text: &str) {
        self.steps.push(TestStep { title: title.into(), state: "note".into(), text: text.into(), hint: None });
    }
    /// Adds a failed step; returns false, so that it reads well at the end of a check.
    fn fail(&mut self, title: &str, error: &Error) -> bool {
        let text = match &error.detail {
            Some(detail) if !error.message.contains(detail.as_str()) => format!("{} ({detail})", error.message),
            _ => error.message.clone(),
        };
        self.steps.push(TestStep { title: title.into(), state: "failed".into(), text, hint: error.hint.clone() });
        false
    }
}

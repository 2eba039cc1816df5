//! Testing a server's connection step by step, each with what to do about it.

use super::draft::{StorePins, connection_of, route_of, sudo_of};
use crate::backstay::{Backstay, Inner};
use crate::words::size_text;
use backstay_contract::{ConnectionTest, ServerDraft, TestStep};
use backstay_core::config::{Connection, Sudo};
use backstay_core::host::{Command, Host, run};
use backstay_core::secret::HostSecrets;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::sync::Arc;

/// Prints where the tools that read a server's files lie and whose they are, one "name text" a line, and the user.
const TOOLS: &str = r#"for tool in tar find; do
  printf '%s %s\n' "$tool" "$(command -v "$tool" 2>/dev/null)"
  printf '%s-version %s\n' "$tool" "$("$tool" --version 2>/dev/null </dev/null | head -n 1)"
done
printf 'user %s\n' "$(id -un 2>/dev/null)""#;

/// What to do about a host key that changed.
const CHANGED_KEY: &str = "Find out why before you go on: the server was set up anew, or someone is in between. If the new \
     key is right, accept it where the server is changed";

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
    login: HostSecrets,
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
                .hint(CHANGED_KEY),
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
        let Some(lacking) = lacking(&text) else {
            let line = |name| line_of(&text, name);
            self.ok("Find tar and find", format!("{} and {}, as {}", line("tar "), line("find "), line("user ")));
            return true;
        };
        let hint = "Install GNU's on the server (Alpine: apk add tar findutils; Debian: apt install tar findutils)";
        if host.capabilities().files {
            self.steps.push(TestStep {
                title: "Find tar and find".into(),
                state: "note".into(),
                text: format!(
                    "{lacking}: files are read one by one, which is slower; extended attributes and holes in files are not \
                     kept, hard links come back as copies, and times may be whole seconds"
                ),
                hint: Some(hint.into()),
            });
            return true;
        }
        self.fail("Find tar and find", &Error::new(ErrorClass::Unsupported, lacking).hint(hint))
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

/// Returns the line that begins so, without its beginning.
fn line_of<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim()
}

/// Says which tools are not there or not GNU's (busybox's, BSD's), from what [`TOOLS`] printed. Only GNU's can list and pack
/// all that a backup keeps.
fn lacking(text: &str) -> Option<String> {
    let tools = [("tar", "GNU tar"), ("find", "GNU findutils")];
    let missing: Vec<_> =
        tools.iter().map(|(tool, _)| *tool).filter(|tool| line_of(text, &format!("{tool} ")).is_empty()).collect();
    let other: Vec<_> = tools
        .iter()
        .filter(|(tool, maker)| !missing.contains(tool) && !line_of(text, &format!("{tool}-version ")).contains(maker))
        .map(|(tool, _)| *tool)
        .collect();
    let say = |names: Vec<&str>, one: &str, both: &str| match names.as_slice() {
        [] => None,
        [name] => Some(format!("{name} {one}")),
        names => Some(format!("{} {both}", names.join(" and "))),
    };
    let parts = [say(missing, "is not there", "are not there"), say(other, "is not GNU's", "are not GNU's")];
    let said: Vec<_> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_there_or_not_gnus_is_named() {
        let said = |tar: &str, find: &str| lacking(&format!("{tar}\n{find}\nuser root"));
        let gnu_tar = "tar /usr/bin/tar\ntar-version tar (GNU tar) 1.34";
        let gnu_find = "find /usr/bin/find\nfind-version find (GNU findutils) 4.9.0";
        let (busybox_tar, busybox_find) =
            ("tar /bin/tar\ntar-version tar (busybox) 1.36.1", "find /bin/find\nfind-version ");
        assert_eq!(said(gnu_tar, gnu_find), None);
        assert_eq!(said(busybox_tar, busybox_find).unwrap(), "tar and find are not GNU's");
        assert_eq!(said("tar /usr/bin/tar\ntar-version bsdtar 3.5.3", gnu_find).unwrap(), "tar is not GNU's");
        assert_eq!(said("tar \ntar-version ", busybox_find).unwrap(), "tar is not there, find is not GNU's");
        assert_eq!(said("", "").unwrap(), "tar and find are not there");
    }

    #[cfg(unix)]
    #[test]
    fn the_script_tells_whose_tools_are_there() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        for (tool, script) in
            [("tar", "echo 'tar (busybox) 1.36.1'"), ("find", "echo 'find: unrecognized: --version' >&2; exit 1")]
        {
            std::fs::write(folder.path().join(tool), format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(folder.path().join(tool), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let output = std::process::Command::new("sh").args(["-c", TOOLS]).env("PATH", path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lacking(&text).unwrap(), "tar and find are not GNU's", "{text}");
        assert!(line_of(&text, "tar ").ends_with("/tar") && !line_of(&text, "user ").is_empty(), "{text}");
    }
}

//! A server as the wizard fills it in, and as it is stored; its secrets and pinned keys.

use super::jumps::{self, Owner};
use crate::backstay::Inner;
use crate::words::invalid;
use backstay_contract::{JumpDraft, ServerDraft};
use backstay_core::config::{Connection, Server, SshAuth, SshConnection, SshJump, Sudo};
use backstay_core::host::HostKeyPins;
use backstay_core::secret::HostSecrets;
use backstay_core::secret::{Secret, SecretName};
use backstay_core::store::Store;
use backstay_core::{ErrorClass, Result, ServerId};
use std::sync::Arc;

/// The pinned keys of the store, and before them those the draft at hand brings.
pub(crate) struct StorePins {
    store: Arc<dyn Store>,
    own: Vec<(String, u16, String)>,
}

impl StorePins {
    pub(crate) fn new(store: Arc<dyn Store>, connection: &Connection) -> Self {
        let mut own = Vec::new();
        if let Connection::Ssh(ssh) = connection {
            let mut add = |host: &str, port: u16, fingerprint: &Option<String>| {
                if let Some(fingerprint) = fingerprint {
                    own.push((host.to_owned(), port, fingerprint.clone()));
                }
            };
            add(&ssh.host, ssh.port, &ssh.fingerprint);
            ssh.jumps.iter().for_each(|jump| add(&jump.host, jump.port, &jump.fingerprint));
        }
        Self { store, own }
    }
}

impl HostKeyPins for StorePins {
    fn pinned(&self, host: &str, port: u16) -> Option<String> {
        let own = self.own.iter().find(|(h, p, _)| h == host && *p == port).map(|(.., key)| key.clone());
        own.or_else(|| self.store.host_key(host, port).ok().flatten().map(|key| key.fingerprint))
    }
}

impl Inner {
    /// Returns the secrets a stored server's log-in needs.
    pub(crate) async fn login_of(&self, server: &Server) -> Result<HostSecrets> {
        self.stored_login(&server.id, &server.connection, &HostSecrets::default()).await
    }

    /// Returns what is stored; what was typed need not be there.
    async fn stored_login(&self, id: &ServerId, connection: &Connection, typed: &HostSecrets) -> Result<HostSecrets> {
        let mut login = HostSecrets::default();
        if has_password(connection) && typed.password.is_none() {
            login.password = self.secret(SecretName::server_password(id)).await?;
        }
        if let Connection::Ssh(ssh) = connection {
            login.jumps = self.stored_jumps(&Owner::server(id), ssh, &typed.jumps).await?;
        }
        if has_key_file(connection) {
            // Many keys have no passphrase; a locked store must not stop those.
            login.key_passphrase = match self.optional_secret(SecretName::server_key_passphrase(id)).await {
                Err(error) if error.class == ErrorClass::Locked => None,
                other => other?,
            };
        }
        if sudo_of(connection) == Sudo::WithPassword {
            let stored = self.optional_secret(SecretName::server_sudo_password(id)).await?;
            login.sudo_password = stored.or_else(|| login.password.clone());
        }
        Ok(login)
    }

    /// Returns the secrets of a draft: what was typed, else what is stored for the server it changes.
    pub(crate) async fn login_of_draft(&self, draft: &ServerDraft) -> Result<HostSecrets> {
        let connection = connection_of(draft)?;
        let mut login = HostSecrets::default();
        let typed = |text: &Option<String>| text.as_ref().filter(|t| !t.is_empty()).map(|t| Secret::new(t.as_str()));
        let jumps = jumps::typed(&draft.jumps);
        let jumps_complete = match &connection {
            Connection::Ssh(ssh) => jumps::complete(ssh, &jumps),
            Connection::Local { .. } => true,
        };
        let complete = jumps_complete
            && (!has_password(&connection) || typed(&draft.password).is_some())
            && (!has_key_file(&connection) || typed(&draft.key_passphrase).is_some())
            && (sudo_of(&connection) != Sudo::WithPassword || typed(&draft.sudo_password).is_some());
        if let (Some(id), false) = (&draft.id, complete) {
            let given =
                HostSecrets { password: typed(&draft.password), jumps: jumps.clone(), ..HostSecrets::default() };
            login = self.stored_login(&ServerId::from(id.as_str()), &connection, &given).await?;
        }
        login.jumps = jumps::over(jumps, login.jumps);
        login.password = typed(&draft.password).or(login.password).filter(|_| has_password(&connection));
        login.key_passphrase = typed(&draft.key_passphrase).or(login.key_passphrase);
        let same = login.password.clone().filter(|_| sudo_of(&connection) == Sudo::WithPassword);
        login.sudo_password = typed(&draft.sudo_password).or(login.sudo_password).or(same);
        Ok(login)
    }
}

/// The names of all secrets a server may have.
pub(super) fn secret_names(id: &ServerId) -> [SecretName; 3] {
    [SecretName::server_password(id), SecretName::server_key_passphrase(id), SecretName::server_sudo_password(id)]
}

/// Tells whether a password logs in, alone or besides a key.
pub(super) fn has_password(connection: &Connection) -> bool {
    matches!(connection, Connection::Ssh(ssh) if ssh.auth == SshAuth::Password || ssh.password_too)
}

/// Tells whether a key file logs in, on the server or a jump host (which tries the server's passphrase too).
pub(super) fn has_key_file(connection: &Connection) -> bool {
    let Connection::Ssh(ssh) = connection else { return false };
    let is_key = |auth: &SshAuth| matches!(auth, SshAuth::KeyFile { .. });
    is_key(&ssh.auth) || ssh.jumps.iter().any(|jump| jump.auth.as_ref().is_some_and(is_key))
}

/// How commands become root there.
pub(super) fn sudo_of(connection: &Connection) -> Sudo {
    match connection {
        Connection::Local { sudo } => *sudo,
        Connection::Ssh(ssh) => ssh.sudo,
    }
}

/// Names a connection, to find again what was discovered over it.
pub(super) fn connection_key(connection: &Connection) -> String {
    serde_json::to_string(connection).unwrap_or_default()
}

/// Reads a draft.
pub(crate) fn connection_of(draft: &ServerDraft) -> Result<Connection> {
    let sudo = match draft.sudo.as_str() {
        "" | "none" => Sudo::None,
        "without_password" => Sudo::WithoutPassword,
        "with_password" => Sudo::WithPassword,
        other => return Err(invalid(format!("There is no use of sudo called \"{other}\""))),
    };
    if draft.local {
        return Ok(Connection::Local { sudo });
    }
    let jumps = draft.jumps.iter().map(jump_of).collect::<Result<Vec<_>>>()?;
    let auth = auth_of(&draft.auth, draft.key_file.as_deref())?;
    Ok(Connection::Ssh(SshConnection {
        host: checked_host(&draft.host, "server")?,
        port: checked_port(draft.port),
        user: checked_user(&draft.user, &draft.host)?,
        password_too: draft.password_too && auth != SshAuth::Password,
        auth,
        jumps,
        sudo,
        fingerprint: checked_fingerprint(draft.fingerprint.as_deref())?,
    }))
}

fn jump_of(draft: &JumpDraft) -> Result<SshJump> {
    let auth = match draft.auth.as_str() {
        "" | "same" => None,
        other => Some(auth_of(other, draft.key_file.as_deref())?),
    };
    Ok(SshJump {
        host: checked_host(&draft.host, "jump host")?,
        port: checked_port(draft.port),
        user: checked_user(&draft.user, &draft.host)?,
        auth,
        fingerprint: checked_fingerprint(draft.fingerprint.as_deref())?,
    })
}

fn auth_of(word: &str, key_file: Option<&str>) -> Result<SshAuth> {
    match word {
        "" | "agent" => Ok(SshAuth::Agent),
        "password" => Ok(SshAuth::Password),
        "key" => match key_file.map(str::trim).filter(|path| !path.is_empty()) {
            Some(path) => Ok(SshAuth::KeyFile { path: path.into() }),
            None => Err(invalid("Cannot log in by a key: no key file is given").hint("Choose the private key's file")),
        },
        other => Err(invalid(format!("There is no way to log in called \"{other}\""))),
    }
}

fn checked_host(host: &str, of_what: &str) -> Result<String> {
    let host = host.trim();
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/@'\"\\".contains(c);
    if host.is_empty() || host.starts_with('-') || host.chars().any(bad) {
        return Err(invalid(format!("The address of the {of_what}, \"{}\", cannot be used", host.escape_debug()))
            .hint("Give a host name or an IP address, without user and port"));
    }
    Ok(host.into())
}

fn checked_user(user: &str, host: &str) -> Result<String> {
    let user = user.trim();
    if user.is_empty() || user.starts_with('-') || user.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid(format!("The user for {} is missing or cannot be used", host.trim()))
            .hint("Give the user to log in as, for example root"));
    }
    Ok(user.into())
}

fn checked_port(port: u16) -> u16 {
    if port == 0 { 22 } else { port }
}

fn checked_fingerprint(text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if !text.starts_with("SHA256:") || text.len() < 20 {
        return Err(invalid(format!("\"{}\" is no fingerprint of a host key", text.escape_debug()))
            .hint("It reads SHA256:… as ssh-keygen -l prints it"));
    }
    Ok(Some(text.into()))
}

/// Returns a stored server as the wizard shows it, without secrets.
pub(super) fn draft_of(server: &Server) -> ServerDraft {
    let draft = draft_of_connection(&server.name, &server.connection);
    ServerDraft { id: Some(server.id.to_string()), ..draft }
}

/// Returns a connection as the wizard shows it.
pub(crate) fn draft_of_connection(name: &str, connection: &Connection) -> ServerDraft {
    let sudo = match sudo_of(connection) {
        Sudo::None => "none",
        Sudo::WithoutPassword => "without_password",
        Sudo::WithPassword => "with_password",
    };
    let base = ServerDraft { name: name.into(), sudo: sudo.into(), ..ServerDraft::default() };
    match connection {
        Connection::Local { .. } => ServerDraft { local: true, ..base },
        Connection::Ssh(ssh) => {
            let (auth, key_file) = auth_words(&ssh.auth);
            ServerDraft {
                host: ssh.host.clone(),
                port: ssh.port,
                user: ssh.user.clone(),
                auth: auth.into(),
                password_too: ssh.password_too,
                key_file,
                jumps: ssh.jumps.iter().map(jump_draft).collect(),
                fingerprint: ssh.fingerprint.clone(),
                ..base
            }
        }
    }
}

fn jump_draft(jump: &SshJump) -> JumpDraft {
    let (auth, key_file) = jump.auth.as_ref().map_or(("same", None), auth_words);
    JumpDraft {
        host: jump.host.clone(),
        port: jump.port,
        user: jump.user.clone(),
        auth: auth.into(),
        key_file,
        fingerprint: jump.fingerprint.clone(),
        ..JumpDraft::default()
    }
}

fn auth_words(auth: &SshAuth) -> (&'static str, Option<String>) {
    match auth {
        SshAuth::Agent => ("agent", None),
        SshAuth::KeyFile { path } => ("key", Some(path.clone())),
        SshAuth::Password => ("password", None),
    }
}

/// Returns a server's address: "this computer" or "root@10.0.0.5:22".
pub(crate) fn address_of(connection: &Connection) -> String {
    match connection {
        Connection::Local { .. } => "this computer".into(),
        Connection::Ssh(ssh) => format!("{}@{}:{}", ssh.user, ssh.host, ssh.port),
    }
}

/// Returns the route in words.
pub(super) fn route_of(connection: &Connection) -> String {
    let mut text = match connection {
        Connection::Local { .. } => "on this computer".to_owned(),
        Connection::Ssh(ssh) => format!("over SSH to {}{}", address_of(connection), through(&ssh.jumps)),
    };
    if sudo_of(connection) != Sudo::None {
        text.push_str(", as root by sudo");
    }
    text
}

/// Returns one line about a host of `~/.ssh/config`.
pub(super) fn summary_of(ssh: &SshConnection) -> String {
    let how = match &ssh.auth {
        SshAuth::Agent => "agent".into(),
        SshAuth::KeyFile { path } => format!("key {path}"),
        SshAuth::Password => "password".into(),
    };
    format!("{}@{}:{}{}, {how}", ssh.user, ssh.host, ssh.port, through(&ssh.jumps))
}

fn through(jumps: &[SshJump]) -> String {
    let names: Vec<_> = jumps.iter().map(|jump| jump.host.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(" through {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn draft() -> ServerDraft {
        ServerDraft { name: "web".into(), host: "10.0.0.5".into(), user: "root".into(), ..ServerDraft::default() }
    }

    #[test]
    fn a_draft_goes_round() {
        let jump = JumpDraft { host: "bastion".into(), user: "me".into(), ..JumpDraft::default() };
        let draft = ServerDraft { jumps: vec![jump], sudo: "with_password".into(), ..draft() };
        let connection = connection_of(&draft).unwrap();
        assert_eq!(connection_of(&draft_of_connection("web", &connection)).unwrap(), connection);
        assert_eq!(route_of(&connection), "over SSH to root@10.0.0.5:22 through bastion, as root by sudo");
    }

    #[test]
    fn bad_drafts_are_refused() {
        let bad = [
            ServerDraft { host: "".into(), ..draft() },
            ServerDraft { host: "-oProxyCommand=x".into(), ..draft() },
            ServerDraft { host: "a b".into(), ..draft() },
            ServerDraft { user: " ".into(), ..draft() },
            ServerDraft { user: "-l".into(), ..draft() },
            ServerDraft { auth: "key".into(), ..draft() },
            ServerDraft { auth: "telnet".into(), ..draft() },
            ServerDraft { sudo: "maybe".into(), ..draft() },
            ServerDraft { fingerprint: Some("MD5:aa".into()), ..draft() },
        ];
        for draft in bad {
            let error = connection_of(&draft).expect_err("must be refused");
            assert_eq!(error.class, ErrorClass::Invalid);
        }
    }
}

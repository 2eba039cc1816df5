//! What a configuration that was taken over still needs: passwords, passphrases and key files, which no copy holds.

use super::access::own_ssh;
use crate::backstay::Inner;
use crate::servers::jumps::{self, Owner};
use backstay_core::Result;
use backstay_core::config::{Connection, DestinationConfig, Place, Server, SshAuth, SshConnection};
use backstay_core::secret::SecretName;

/// Lists what a server still needs, a line each; `held` are the names of the secrets the other installation has.
pub(super) fn of_server(name: &str, server: &Server, held: &[String]) -> Vec<String> {
    let mut asked = vec![
        (SecretName::server_password(&server.id), "log-in password".to_owned()),
        (SecretName::server_key_passphrase(&server.id), "passphrase of the key file".to_owned()),
        (SecretName::server_sudo_password(&server.id), "sudo password".to_owned()),
    ];
    let mut files = Vec::new();
    if let Connection::Ssh(ssh) = &server.connection {
        asked.extend(jumps::names(&Owner::server(&server.id), ssh));
        files = key_files(ssh);
    }
    lines(&format!("Server {name}"), asked, held, files)
}

fn lines(of: &str, asked: Vec<(SecretName, String)>, held: &[String], files: Vec<String>) -> Vec<String> {
    let asked = asked.into_iter().filter(|(secret, _)| held.contains(&secret.0)).map(|(_, what)| what);
    asked.chain(files).map(|what| format!("{of}: {what}")).collect()
}

fn key_files(ssh: &SshConnection) -> Vec<String> {
    let all = std::iter::once(&ssh.auth).chain(ssh.jumps.iter().filter_map(|jump| jump.auth.as_ref()));
    let mut files = Vec::new();
    for auth in all {
        if let SshAuth::KeyFile { path } = auth {
            let line = format!("key file {path}");
            if !files.contains(&line) {
                files.push(line);
            }
        }
    }
    files
}

impl Inner {
    /// Lists what a destination still needs, a line each. The password of a vault we know a copy of is stored.
    pub(super) async fn missing_of_destination(
        &self,
        name: &str,
        config: &DestinationConfig,
        held: &[String],
    ) -> Result<Vec<String>> {
        let login = if matches!(config.place, Place::S3(_)) { "secret key" } else { "log-in password" };
        let mut asked = vec![
            (SecretName::destination_login(&config.id), login.to_owned()),
            (SecretName::destination_key_passphrase(&config.id), "passphrase of the key file".to_owned()),
        ];
        let mut files = Vec::new();
        if let Some(ssh) = own_ssh(&config.place) {
            asked.extend(jumps::names(&Owner::destination(&config.id), ssh));
            files = key_files(ssh);
        }
        let mut missing = lines(&format!("Destination {name}"), asked, held, files);
        if config.vault_id.is_empty() {
            return Ok(missing);
        }
        // Copies of one vault have one password.
        for known in self.store.destinations()?.iter().filter(|known| known.vault_id == config.vault_id) {
            if let Ok(password) = self.vault_password(known).await {
                self.put_secret(SecretName::vault_password(&config.id), password).await?;
                return Ok(missing);
            }
        }
        missing.push(format!("Destination {name}: vault password (in its recovery kit)"));
        Ok(missing)
    }
}

//! The secrets of jump hosts that log in their own way, of servers and of destinations alike.

use crate::backstay::Inner;
use backstay_contract::JumpDraft;
use backstay_core::config::{SshAuth, SshConnection, SshJump};
use backstay_core::secret::{JumpSecrets, Secret, SecretName};
use backstay_core::{ErrorClass, Result};

/// Whose jump hosts they are, as the names of secrets begin: `server/ID` or `destination/ID`.
pub(crate) struct Owner(String);

impl Owner {
    /// The jump hosts on the way to a server.
    pub(crate) fn server(id: &backstay_core::ServerId) -> Self {
        Self(format!("server/{id}"))
    }
    /// The jump hosts on the way to a destination.
    pub(crate) fn destination(id: &backstay_core::DestinationId) -> Self {
        Self(format!("destination/{id}"))
    }
    /// The name of the secret a jump host logs in with, where it has one of its own.
    fn name_for(&self, jump: &SshJump) -> Option<SecretName> {
        match &jump.auth {
            Some(SshAuth::Password) => Some(SecretName::jump_password(&self.0, jump)),
            Some(SshAuth::KeyFile { .. }) => Some(SecretName::jump_key_passphrase(&self.0, jump)),
            Some(SshAuth::Agent) | None => None,
        }
    }
}

/// Returns the names of the secrets of all jump hosts on a way, each with what it is: "password of jump host bastion".
pub(crate) fn names(owner: &Owner, ssh: &SshConnection) -> Vec<(SecretName, String)> {
    let named = |jump: &SshJump| {
        let what = if jump.auth == Some(SshAuth::Password) { "password" } else { "passphrase of the key" };
        Some((owner.name_for(jump)?, format!("{what} of jump host {}", jump.host)))
    };
    ssh.jumps.iter().filter_map(named).collect()
}

/// Returns what was typed for the jump hosts of a draft.
pub(crate) fn typed(jumps: &[JumpDraft]) -> Vec<JumpSecrets> {
    let secret = |text: &Option<String>| text.as_ref().filter(|text| !text.is_empty()).map(|t| Secret::new(t.as_str()));
    let of = |jump: &JumpDraft| JumpSecrets {
        password: secret(&jump.password),
        key_passphrase: secret(&jump.key_passphrase),
    };
    jumps.iter().map(of).collect()
}

/// The one of these secrets that a jump host logs in with.
fn wanted<'a>(jump: &SshJump, secrets: &'a JumpSecrets) -> Option<&'a Secret> {
    match &jump.auth {
        Some(SshAuth::Password) => secrets.password.as_ref(),
        Some(SshAuth::KeyFile { .. }) => secrets.key_passphrase.as_ref(),
        Some(SshAuth::Agent) | None => None,
    }
}

/// Tells whether everything was typed that the jump hosts may need, so that nothing stored is wanted.
pub(crate) fn complete(ssh: &SshConnection, typed: &[JumpSecrets]) -> bool {
    let owns = |jump: &SshJump| matches!(jump.auth, Some(SshAuth::Password | SshAuth::KeyFile { .. }));
    ssh.jumps.iter().zip(typed).all(|(jump, typed)| !owns(jump) || wanted(jump, typed).is_some())
}

/// Takes what was typed, else what is stored.
pub(crate) fn over(typed: Vec<JumpSecrets>, mut stored: Vec<JumpSecrets>) -> Vec<JumpSecrets> {
    stored.resize_with(typed.len(), JumpSecrets::default);
    let both = typed.into_iter().zip(stored).map(|(typed, stored)| JumpSecrets {
        password: typed.password.or(stored.password),
        key_passphrase: typed.key_passphrase.or(stored.key_passphrase),
    });
    both.collect()
}

impl Inner {
    /// Returns what is stored for the jump hosts on a way, in their order; nothing is asked for what was typed.
    pub(crate) async fn stored_jumps(
        &self,
        owner: &Owner,
        ssh: &SshConnection,
        typed: &[JumpSecrets],
    ) -> Result<Vec<JumpSecrets>> {
        let mut all = Vec::new();
        for (at, jump) in ssh.jumps.iter().enumerate() {
            let mut secrets = JumpSecrets::default();
            let is_typed = typed.get(at).is_some_and(|typed| wanted(jump, typed).is_some());
            if let Some(name) = owner.name_for(jump).filter(|_| !is_typed) {
                match jump.auth {
                    Some(SshAuth::Password) => secrets.password = self.secret(name).await?,
                    // Many keys have no passphrase; a locked store must not stop those.
                    _ => {
                        secrets.key_passphrase = match self.optional_secret(name).await {
                            Err(error) if error.class == ErrorClass::Locked => None,
                            other => other?,
                        }
                    }
                }
            }
            all.push(secrets);
        }
        Ok(all)
    }

    /// Stores what was typed for the jump hosts on a way, and forgets what those of the way `before` no longer need.
    pub(crate) async fn store_jumps(
        &self,
        owner: &Owner,
        now: &SshConnection,
        typed: &[JumpSecrets],
        before: Option<&SshConnection>,
    ) -> Result<()> {
        for (jump, typed) in now.jumps.iter().zip(typed) {
            if let (Some(name), Some(secret)) = (owner.name_for(jump), wanted(jump, typed)) {
                self.put_secret(name, secret.clone()).await?;
            }
        }
        let kept: Vec<_> = now.jumps.iter().filter_map(|jump| owner.name_for(jump)).collect();
        for name in before.iter().flat_map(|ssh| &ssh.jumps).filter_map(|jump| owner.name_for(jump)) {
            if !kept.contains(&name) {
                self.forget_secret(name).await;
            }
        }
        Ok(())
    }

    /// Forgets the secrets of all jump hosts on a way.
    pub(crate) async fn forget_jumps(&self, owner: &Owner, ssh: &SshConnection) {
        for name in ssh.jumps.iter().filter_map(|jump| owner.name_for(jump)) {
            self.forget_secret(name).await;
        }
    }
}

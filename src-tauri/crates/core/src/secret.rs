//! Secrets: wiped from memory when dropped, never printed, never serialised.

use crate::error::Result;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password, passphrase or key. `Debug` and `Display` show nothing of it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// Returns the secret itself. Keep the borrow short; never put it into argv, logs or errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Tells whether the secret is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The secrets a connection to a server may need.
#[derive(Clone, Debug, Default)]
pub struct HostSecrets {
    /// The log-in password, also given to keyboard-interactive prompts; besides a key, the second factor.
    pub password: Option<Secret>,
    /// What opens the key file.
    pub key_passphrase: Option<Secret>,
    /// What `sudo` asks for; `None` with password log-in means the same password.
    pub sudo_password: Option<Secret>,
    /// Those of the jump hosts that log in their own way, in the order of the way; none for those beyond its end.
    pub jumps: Vec<JumpSecrets>,
}

/// The secrets of a jump host that logs in its own way.
#[derive(Clone, Debug, Default)]
pub struct JumpSecrets {
    /// The log-in password.
    pub password: Option<Secret>,
    /// What opens its key file; `None` tries the server's.
    pub key_passphrase: Option<Secret>,
}

/// Names one secret in a [`SecretStore`], e.g. `server/3f…/password`. Not secret itself; it may be stored and logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(pub String);

impl SecretName {
    /// The log-in password of a server.
    pub fn server_password(server: &crate::ServerId) -> Self {
        Self(format!("server/{server}/password"))
    }
    /// The passphrase of a server's key file.
    pub fn server_key_passphrase(server: &crate::ServerId) -> Self {
        Self(format!("server/{server}/key-passphrase"))
    }
    /// The password `sudo` asks for on a server.
    pub fn server_sudo_password(server: &crate::ServerId) -> Self {
        Self(format!("server/{server}/sudo-password"))
    }
    /// The log-in password of a jump host on the way to a server or destination; `owner` is `server/ID` or `destination/ID`.
    pub fn jump_password(owner: &str, jump: &crate::config::SshJump) -> Self {
        Self(format!("{owner}/jump/{}@{}:{}/password", jump.user, jump.host, jump.port))
    }
    /// The passphrase of a jump host's own key file; `owner` as for [`Self::jump_password`].
    pub fn jump_key_passphrase(owner: &str, jump: &crate::config::SshJump) -> Self {
        Self(format!("{owner}/jump/{}@{}:{}/key-passphrase", jump.user, jump.host, jump.port))
    }
    /// The password of the vault at a destination.
    pub fn vault_password(destination: &crate::DestinationId) -> Self {
        Self(format!("destination/{destination}/vault-password"))
    }
    /// What logs in to a destination: an S3 secret key, an FTP or SSH password.
    pub fn destination_login(destination: &crate::DestinationId) -> Self {
        Self(format!("destination/{destination}/login"))
    }
    /// The passphrase of the SSH key file a destination is reached with.
    pub fn destination_key_passphrase(destination: &crate::DestinationId) -> Self {
        Self(format!("destination/{destination}/key-passphrase"))
    }
    /// What seals a plan's archives: 64 hex digits, or a passphrase.
    pub fn archive_key(plan: &crate::PlanId) -> Self {
        Self(format!("plan/{plan}/archive-key"))
    }
    /// A key of archives found at a destination, by its key id.
    pub fn known_archive_key(key_id: &str) -> Self {
        Self(format!("archive-key/{key_id}"))
    }
    /// The password a plan's item logs in to its database with.
    pub fn item_password(plan: &crate::PlanId, item: &str) -> Self {
        Self(format!("plan/{plan}/{item}/password"))
    }
}

/// Where secrets rest: the OS keyring, or a file sealed by a passphrase.
///
/// Calls block and may wait for the user (an unlock prompt): never call them on an async worker; use `spawn_blocking`.
/// `get` of an absent name is `Ok(None)`; `delete` of an absent name is `Ok(())`. A locked or absent store is
/// [`crate::ErrorClass::Locked`].
pub trait SecretStore: Send + Sync {
    /// Stores or replaces a secret.
    fn set(&self, name: &SecretName, secret: &Secret) -> Result<()>;
    /// Returns a secret, or `None` when there is none of that name.
    fn get(&self, name: &SecretName) -> Result<Option<Secret>>;
    /// Removes a secret.
    fn delete(&self, name: &SecretName) -> Result<()>;
}

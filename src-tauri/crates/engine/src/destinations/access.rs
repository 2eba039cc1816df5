//! What logs in to a destination, and the way there.

use crate::backstay::Inner;
use crate::parts::{DestinationAccess, SshWay};
use crate::servers::StorePins;
use crate::servers::jumps::{self, Owner};
use crate::words::invalid;
use backstay_contract::DestinationDraft;
use backstay_core::config::{Connection, DestinationLogin, Place, SftpPlace, SftpVia, SshAuth, SshConnection};
use backstay_core::destination::Traffic;
use backstay_core::secret::{HostSecrets, Secret, SecretName};
use backstay_core::{DestinationId, Error, ErrorClass, Result};
use std::sync::Arc;

/// Which secrets a place logs in with.
struct Needs {
    secret: bool,
    key_passphrase: bool,
}

fn needs(place: &Place) -> Needs {
    let key = |ssh: &SshConnection| {
        let is_key = |auth: &SshAuth| matches!(auth, SshAuth::KeyFile { .. });
        is_key(&ssh.auth) || ssh.jumps.iter().any(|jump| jump.auth.as_ref().is_some_and(is_key))
    };
    match place {
        Place::Local { .. } | Place::Sftp(SftpPlace { via: SftpVia::Server { .. }, .. }) => {
            Needs { secret: false, key_passphrase: false }
        }
        Place::S3(_) | Place::Ftp(_) => Needs { secret: true, key_passphrase: false },
        Place::Sftp(SftpPlace { via: SftpVia::Own(ssh), .. }) => {
            Needs { secret: ssh.auth == SshAuth::Password || ssh.password_too, key_passphrase: key(ssh) }
        }
    }
}

/// Returns what was typed into a draft.
fn typed(draft: &DestinationDraft, place: &Place) -> DestinationLogin {
    let secret = |text: Option<&String>| text.filter(|text| !text.is_empty()).map(|text| Secret::new(text.as_str()));
    let ssh = draft.sftp.ssh.as_ref();
    match place {
        Place::Local { .. } => DestinationLogin::default(),
        Place::S3(_) => {
            DestinationLogin { secret: secret(draft.s3.secret_key.as_ref()), ..DestinationLogin::default() }
        }
        Place::Ftp(_) => {
            DestinationLogin { secret: secret(draft.ftp.password.as_ref()), ..DestinationLogin::default() }
        }
        Place::Sftp(_) => DestinationLogin {
            secret: secret(ssh.and_then(|ssh| ssh.password.as_ref())),
            key_passphrase: secret(ssh.and_then(|ssh| ssh.key_passphrase.as_ref())),
            jumps: ssh.map(|ssh| jumps::typed(&ssh.jumps)).unwrap_or_default(),
        },
    }
}

/// Returns the SSH connection a place is reached by, where it is the place's own.
pub(super) fn own_ssh(place: &Place) -> Option<&SshConnection> {
    match place {
        Place::Sftp(SftpPlace { via: SftpVia::Own(ssh), .. }) => Some(ssh),
        _ => None,
    }
}

impl Inner {
    /// Returns what is stored to log in to a place; what was typed need not be there.
    pub(crate) async fn stored_destination_login(
        &self,
        id: &DestinationId,
        place: &Place,
        typed: &DestinationLogin,
    ) -> Result<DestinationLogin> {
        let needs = needs(place);
        let mut login = DestinationLogin::default();
        if needs.secret && typed.secret.is_none() {
            login.secret = self.secret(SecretName::destination_login(id)).await?;
        }
        if needs.key_passphrase {
            // Many keys have no passphrase; a locked store must not stop those.
            login.key_passphrase = match self.optional_secret(SecretName::destination_key_passphrase(id)).await {
                Err(error) if error.class == ErrorClass::Locked => None,
                other => other?,
            };
        }
        if let Some(ssh) = own_ssh(place) {
            login.jumps = self.stored_jumps(&Owner::destination(id), ssh, &typed.jumps).await?;
        }
        Ok(login)
    }

    /// Fills in what was not typed for an SSH way with what is stored for the destination it leads to.
    pub(crate) async fn fill_from_destination(
        &self,
        id: &str,
        ssh: &SshConnection,
        login: &mut HostSecrets,
    ) -> Result<()> {
        let place = Place::Sftp(SftpPlace { via: SftpVia::Own(ssh.clone()), path: String::new() });
        let typed = DestinationLogin {
            secret: login.password.clone(),
            key_passphrase: login.key_passphrase.clone(),
            jumps: login.jumps.clone(),
        };
        let stored = self.stored_destination_login(&DestinationId::from(id), &place, &typed).await?;
        login.password = login.password.take().or(stored.secret);
        login.key_passphrase = login.key_passphrase.take().or(stored.key_passphrase);
        login.jumps = jumps::over(std::mem::take(&mut login.jumps), stored.jumps);
        Ok(())
    }

    /// Returns what logs in to a draft's place: what was typed, else what is stored for the destination it changes.
    pub(super) async fn login_of_destination(
        &self,
        draft: &DestinationDraft,
        place: &Place,
    ) -> Result<DestinationLogin> {
        let mut login = typed(draft, place);
        let needs = needs(place);
        let complete = (!needs.secret || login.secret.is_some())
            && (!needs.key_passphrase || login.key_passphrase.is_some())
            && own_ssh(place).is_none_or(|ssh| jumps::complete(ssh, &login.jumps));
        if let (Some(id), false) = (&draft.id, complete) {
            let id = DestinationId::from(id.as_str());
            let stored = self.stored_destination_login(&id, place, &login).await?;
            login.secret = login.secret.or(stored.secret);
            login.key_passphrase = login.key_passphrase.or(stored.key_passphrase);
            login.jumps = jumps::over(login.jumps, stored.jumps);
        }
        match place {
            Place::S3(_) if login.secret.is_none() => {
                Err(invalid("The secret key is missing").hint("It is shown once, when the access key is made"))
            }
            Place::Sftp(_) if needs.secret && login.secret.is_none() => Err(invalid("The SSH password is missing")),
            _ => Ok(login),
        }
    }

    /// Stores what logs in, read back, and removes what the place no longer needs; `before` is how it was reached so far.
    pub(super) async fn store_destination_login(
        &self,
        id: &DestinationId,
        place: &Place,
        login: &DestinationLogin,
        before: Option<&Place>,
    ) -> Result<()> {
        let needs = needs(place);
        let both = [
            (SecretName::destination_login(id), login.secret.clone().filter(|_| needs.secret)),
            (SecretName::destination_key_passphrase(id), login.key_passphrase.clone().filter(|_| needs.key_passphrase)),
        ];
        for (name, secret) in both {
            match secret {
                Some(secret) => self.put_secret(name, secret).await?,
                None => self.forget_secret(name).await,
            }
        }
        let (owner, before) = (Owner::destination(id), before.and_then(own_ssh));
        match own_ssh(place) {
            Some(ssh) => self.store_jumps(&owner, ssh, &login.jumps, before).await?,
            None => {
                if let Some(before) = before {
                    self.forget_jumps(&owner, before).await;
                }
            }
        }
        Ok(())
    }

    /// Forgets all secrets of a destination.
    pub(super) async fn forget_destination_secrets(&self, id: &DestinationId, place: &Place) {
        if let Some(ssh) = own_ssh(place) {
            self.forget_jumps(&Owner::destination(id), ssh).await;
        }
        self.forget_secret(SecretName::vault_password(id)).await;
        self.forget_secret(SecretName::destination_login(id)).await;
        self.forget_secret(SecretName::destination_key_passphrase(id)).await;
    }

    /// Puts together what opening a place takes.
    pub(crate) async fn access(
        &self,
        place: &Place,
        login: DestinationLogin,
        traffic: Arc<dyn Traffic>,
    ) -> Result<DestinationAccess> {
        let ssh = match place {
            Place::Sftp(place) => Some(self.ssh_way(place, &login).await?),
            _ => None,
        };
        Ok(DestinationAccess { login, traffic, ssh, on_retry: None })
    }

    async fn ssh_way(&self, place: &SftpPlace, login: &DestinationLogin) -> Result<SshWay> {
        match &place.via {
            SftpVia::Own(ssh) => Ok(SshWay {
                name: ssh.host.clone(),
                login: HostSecrets {
                    password: login.secret.clone(),
                    key_passphrase: login.key_passphrase.clone(),
                    sudo_password: None,
                    jumps: login.jumps.clone(),
                },
                pins: Arc::new(StorePins::new(self.store.clone(), &Connection::Ssh(ssh.clone()))),
                connection: ssh.clone(),
            }),
            SftpVia::Server { server } => {
                let server = self.store.server(server)?;
                let Connection::Ssh(ssh) = &server.connection else {
                    return Err(Error::new(ErrorClass::Invalid, format!("{} is not reached over SSH", server.name)));
                };
                Ok(SshWay {
                    name: server.name.clone(),
                    login: self.login_of(&server).await?,
                    pins: Arc::new(StorePins::new(self.store.clone(), &server.connection)),
                    connection: ssh.clone(),
                })
            }
        }
    }
}

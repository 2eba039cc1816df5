//! Changing a destination: its name, what logs in there, its limits; never another place.

use super::access::own_ssh;
use super::draft::identity;
use super::limits::bandwidth_of;
use crate::backstay::{Backstay, Inner};
use crate::servers::{Fingerprint, fingerprints};
use crate::words::{checked_name, invalid};
use backstay_contract::{DestinationDraft, DestinationRow};
use backstay_core::config::{Connection, DestinationConfig, Place, S3Place};
use backstay_core::{DestinationId, Error, ErrorClass, Result};

impl Backstay {
    /// Changes a destination's name, log-in and limits.
    pub async fn change_destination(&self, draft: DestinationDraft) -> Result<DestinationRow> {
        let Some(id) = draft.id.clone() else { return Err(invalid("The destination to change is not named")) };
        let known = self.inner.store.destination(&DestinationId::from(id.as_str()))?;
        let result = self.inner.change(&known, &draft).await;
        let config = self.inner.audited("destination.change", &known.name, result)?;
        self.inner.store_configuration_copies().await;
        self.inner.changed("destinations");
        self.inner.destination_row(&config).await
    }
}

impl Inner {
    async fn change(&self, known: &DestinationConfig, draft: &DestinationDraft) -> Result<DestinationConfig> {
        let name = checked_name(&draft.name, "destination")?;
        let bandwidth = bandwidth_of(&draft.bandwidth)?;
        let mut place = self.place_of(draft)?;
        if identity(&place) != identity(&known.place) {
            return Err(invalid(format!(
                "Cannot change {} into another place: its backups lie at {}",
                known.name,
                self.place_text(&known.place)
            ))
            .hint("Add the other place as a destination of its own; a plan can write to both"));
        }
        keep_what_was_found(&known.place, &mut place);
        let login = self.login_of_destination(draft, &place).await?;
        let changed =
            place != known.place || login.secret.is_some() || login.key_passphrase.is_some() || !login.jumps.is_empty();
        if changed {
            self.check_log_in(&name, &place, login.clone()).await?;
            self.store_destination_login(&known.id, &place, &login, Some(&known.place)).await?;
        }
        let config = DestinationConfig { name, place, ..known.clone() };
        self.store.put_destination(&config)?;
        self.audit_accepted(&config.name, &known.place, &config.place)?;
        self.put_limits(None, &[(config.id.clone(), bandwidth)])?;
        self.drop_vault(&config.id).await;
        Ok(config)
    }

    /// Says in the audit log which host keys and which certificate a change accepts.
    fn audit_accepted(&self, name: &str, before: &Place, now: &Place) -> Result<()> {
        let known = host_keys(before);
        for accepted in host_keys(now).iter().filter(|key| !known.contains(key)) {
            let (host, port, fingerprint) = accepted;
            let earlier = known.iter().find(|(h, p, _)| (h, p) == (host, port));
            let instead = earlier.map(|(.., key)| format!(", instead of {key}")).unwrap_or_default();
            self.audit("host_key.accept", &format!("{name}: {host}:{port} {fingerprint}{instead}"), "ok")?;
        }
        let earlier = certificate(before);
        match certificate(now) {
            Some(accepted) if Some(&accepted) != earlier.as_ref() => {
                let (at, sha256) = accepted;
                let instead = earlier.map(|(_, sha256)| format!(", instead of {sha256}")).unwrap_or_default();
                self.audit("certificate.accept", &format!("{name}: {at} {sha256}{instead}"), "ok")
            }
            _ => Ok(()),
        }
    }

    /// A log-in that is refused is not stored; a place that cannot be reached now may come back.
    async fn check_log_in(
        &self,
        name: &str,
        place: &Place,
        login: backstay_core::config::DestinationLogin,
    ) -> Result<()> {
        let look = async {
            let destination = self.open_draft(name, place, login).await?;
            destination.list("backstay/").await.map(|_| ())
        };
        match look.await {
            Err(Error { class: ErrorClass::Offline | ErrorClass::TimedOut, .. }) => Ok(()),
            other => other,
        }
    }
}

impl Inner {
    /// What a test just found out holds for a destination that is set up already, whatever becomes of the draft: a store
    /// may have stopped to check what it takes.
    pub(super) async fn take_what_was_found(&self, found: &S3Place) -> Result<()> {
        let found = Place::S3(found.clone());
        let known = self.store.destinations()?;
        let Some(known) = known.into_iter().find(|known| identity(&known.place) == identity(&found)) else {
            return Ok(());
        };
        let mut place = known.place.clone();
        keep_what_was_found(&found, &mut place);
        if place == known.place {
            return Ok(());
        }
        let config = DestinationConfig { place, ..known };
        self.audited("destination.change", &config.name, self.store.put_destination(&config))?;
        self.drop_vault(&config.id).await;
        self.changed("destinations");
        Ok(())
    }
}

/// Returns the host keys accepted on a place's own way.
fn host_keys(place: &Place) -> Vec<Fingerprint> {
    own_ssh(place).map(|ssh| fingerprints(&Connection::Ssh(ssh.clone()))).unwrap_or_default()
}

/// Returns the address and the accepted certificate of a place.
fn certificate(place: &Place) -> Option<(String, String)> {
    match place {
        Place::S3(s3) => Some((s3.endpoint.clone(), s3.pinned_certificate.clone()?)),
        Place::Ftp(ftp) => Some((format!("{}:{}", ftp.host, ftp.port), ftp.pinned_certificate.clone()?)),
        Place::Local { .. } | Place::Sftp(_) => None,
    }
}

/// What a bucket's test found out is not in the wizard's draft, and stays.
fn keep_what_was_found(known: &Place, place: &mut Place) {
    if let (Place::S3(known), Place::S3(place)) = (known, place) {
        place.list_v1 = known.list_v1;
        place.conditional_writes = known.conditional_writes;
        place.checks_md5 = known.checks_md5;
    }
}

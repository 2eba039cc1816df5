//! The app itself: about, settings, secrets, the audit log.

use crate::backstay::Backstay;
use crate::words::{invalid, millis};
use backstay_contract::{AppInfo, AuditCheck, AuditPage, AuditRow, SecretsStatus, Settings};
use backstay_core::secret::Secret;
use backstay_core::{Error, ErrorClass, Result};
use std::io::Write;
use std::path::Path;

/// A passphrase that seals every other secret must have so many characters.
const SHORTEST_PASSPHRASE: usize = 8;

impl Backstay {
    /// Returns what this installation is.
    pub async fn app_info(&self) -> Result<AppInfo> {
        Ok(AppInfo {
            version: env!("CARGO_PKG_VERSION").into(),
            platform: std::env::consts::OS.into(),
            home: self.inner.home.display().to_string(),
            user_home: self.inner.parts.user_home().display().to_string(),
            user: self.inner.parts.user_name(),
        })
    }

    /// Returns the settings.
    pub async fn settings(&self) -> Result<Settings> {
        self.inner.settings()
    }

    /// Stores the settings.
    pub async fn save_settings(&self, settings: Settings) -> Result<Settings> {
        if !["system", "light", "dark"].contains(&settings.theme.as_str()) {
            return Err(invalid(format!("There is no theme called \"{}\"", settings.theme)));
        }
        if !["never", "problems", "always"].contains(&settings.notify.as_str()) {
            return Err(invalid(format!("There is no notification rule called \"{}\"", settings.notify)));
        }
        if settings.stall_minutes > 24 * 60 || !(1..=365).contains(&settings.stale_days) {
            return Err(invalid("A limit in the settings is out of its range")
                .hint("Silence: 0 to 1,440 minutes; age of the newest backup: 1 to 365 days"));
        }
        let result = self.inner.put_settings(&settings);
        self.inner.audited("settings.change", "settings", result)?;
        self.inner.changed("settings");
        Ok(settings)
    }

    /// Tells where secrets rest and whether they can be read now.
    pub async fn secrets_status(&self) -> Result<SecretsStatus> {
        self.inner.with_secret_store(|parts| Ok(parts.secrets_status())).await
    }

    /// Tries a keyring anew that could not be used. One that still cannot is no error: the status says why.
    pub async fn secrets_try_keyring(&self) -> Result<SecretsStatus> {
        let opened = self.inner.with_secret_store(|parts| Ok(parts.secrets_try_keyring().is_ok())).await?;
        self.inner.audit("secrets.try_keyring", "keyring", if opened { "ok" } else { "closed" })?;
        self.inner.changed("secrets");
        self.secrets_status().await
    }

    /// Opens the sealed file of secrets.
    pub async fn secrets_unlock(&self, passphrase: &str) -> Result<SecretsStatus> {
        let passphrase = Secret::new(passphrase);
        let result = self.inner.with_secret_store(move |parts| parts.secrets_unlock(&passphrase)).await;
        self.inner.audited("secrets.unlock", "sealed file", result)?;
        self.inner.changed("secrets");
        self.secrets_status().await
    }

    /// Makes a sealed file of secrets.
    pub async fn secrets_create_file(&self, passphrase: &str) -> Result<SecretsStatus> {
        if passphrase.chars().count() < SHORTEST_PASSPHRASE {
            return Err(invalid(format!("The passphrase is too short: use at least {SHORTEST_PASSPHRASE} characters"))
                .hint("A few words in a row are easy to type and hard to guess"));
        }
        let passphrase = Secret::new(passphrase);
        let result = self.inner.with_secret_store(move |parts| parts.secrets_create_file(&passphrase)).await;
        self.inner.audited("secrets.create_file", "sealed file", result)?;
        self.inner.changed("secrets");
        self.secrets_status().await
    }

    /// Returns a page of the audit log, newest first.
    pub async fn audit(&self, offset: u64, limit: u64) -> Result<AuditPage> {
        let page = self.inner.store.audit_entries(offset, limit.clamp(1, 1000))?;
        let rows = page.rows.into_iter().map(|entry| AuditRow {
            seq: entry.seq,
            at: millis(entry.at),
            who: entry.who,
            action: entry.action,
            subject: entry.subject,
            outcome: entry.outcome,
            hash: entry.hash,
        });
        Ok(AuditPage { rows: rows.collect(), total: page.total })
    }

    /// Recomputes the audit log's chain.
    pub async fn verify_audit(&self) -> Result<AuditCheck> {
        match self.inner.store.audit_verify() {
            Ok(good) => Ok(AuditCheck { good, fault: None }),
            Err(error) if error.class == ErrorClass::Corrupt => Ok(AuditCheck { good: 0, fault: Some(error.message) }),
            Err(error) => Err(error),
        }
    }

    /// Writes the audit log into a file that is not there yet, oldest first, one JSON object a line.
    pub async fn export_audit(&self, file: &str) -> Result<()> {
        let result = self.write_audit(Path::new(file));
        self.inner.audited("audit.export", file, result)
    }

    fn write_audit(&self, file: &Path) -> Result<()> {
        const PAGE: u64 = 1000;
        let tried = || format!("Cannot write the audit log to {}", file.display());
        if !file.is_absolute() {
            return Err(invalid(format!("{}: give a full path", tried())));
        }
        let open = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
        let mut out = std::io::BufWriter::new(open.map_err(|e| Error::io(tried(), e))?);
        let total = self.inner.store.audit_entries(0, 1)?.total;
        let mut written = 0;
        while written < total {
            // Pages are newest first; entries added meanwhile would shift them, so the end is counted from `total`.
            let grown = self.inner.store.audit_entries(0, 1)?.total.saturating_sub(total);
            let take = PAGE.min(total - written);
            let offset = grown + total - written - take;
            let page = self.inner.store.audit_entries(offset, take)?.rows;
            for entry in page.iter().rev() {
                serde_json::to_writer(&mut out, entry)
                    .map_err(|e| Error::new(ErrorClass::Internal, tried()).source(e))?;
                out.write_all(b"\n").map_err(|e| Error::io(tried(), e))?;
            }
            if page.is_empty() {
                break;
            }
            written += page.len() as u64;
        }
        let inner = out.into_inner().map_err(|e| Error::io(tried(), e.into_error()))?;
        inner.sync_all().map_err(|e| Error::io(tried(), e))
    }
}

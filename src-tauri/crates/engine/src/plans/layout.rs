//! How a plan's backups lie at its destinations: the layout as it is filled in, and what seals archives.

use crate::backstay::{Backstay, Inner};
use crate::destinations::key_bytes;
use crate::words::{invalid, parse_format};
use backstay_contract::{LayoutDraft, PlanDraft, RecoveryKit};
use backstay_core::config::{ArchiveSettings, Plan, PlanLayout, Seal};
use backstay_core::layout::{ArchiveKey, BackupManifest};
use backstay_core::secret::{Secret, SecretName};
use backstay_core::{Error, ErrorClass, PlanId, Result, ServerId};
use rand::RngExt;

/// A passphrase must have so many characters: it is all that guards an archive whoever has the file can try it on.
const SHORTEST_PASSPHRASE: usize = 12;

impl Backstay {
    /// Returns the recovery kit of a plan's archive key.
    pub async fn plan_kit(&self, id: &str) -> Result<RecoveryKit> {
        let plan = self.inner.store.plan(&PlanId::from(id))?;
        let result = self.inner.kit_of_sealing_plan(&plan).await;
        self.inner.audited("kit.show", &plan.name, result)
    }

    /// Returns the file name an archive of a plan would get now, or why its template cannot be used.
    pub async fn archive_name(&self, draft: PlanDraft) -> Result<String> {
        match layout_of(&draft.layout)? {
            PlanLayout::Archive(settings) => self.inner.name_now(&draft, &settings),
            PlanLayout::Vault => Err(invalid("Backups in a vault are no files")),
        }
    }
}

impl Inner {
    /// Makes a name as if the backup began now.
    pub(super) fn name_now(&self, draft: &PlanDraft, settings: &ArchiveSettings) -> Result<String> {
        let server = ServerId::from(draft.server.as_str());
        let server_name = self.store.server(&server).map_or_else(|_| "server".into(), |server| server.name);
        let plan_name = if draft.name.trim().is_empty() { "plan" } else { draft.name.trim() };
        self.parts.archive_name(
            settings,
            &BackupManifest {
                version: 1,
                server,
                server_name,
                plan: PlanId::from(draft.id.as_deref().unwrap_or("new")),
                plan_name: plan_name.into(),
                items: super::name_items(&draft.items).unwrap_or_default(),
                started: self.clock.now(),
                app_version: env!("CARGO_PKG_VERSION").into(),
                facts: Vec::new(),
                problems: Vec::new(),
            },
        )
    }

    /// Stores what seals a plan's archives, and tells whether it is new. The key before is kept: archives that are there
    /// still need it.
    pub(super) async fn store_archive_key(
        &self,
        id: &PlanId,
        known: Option<&Plan>,
        layout: &PlanLayout,
        given: Option<&str>,
    ) -> Result<bool> {
        let PlanLayout::Archive(settings) = layout else { return self.retire_archive_key(known).await };
        let given = given.map(str::trim).filter(|text| !text.is_empty());
        let same_seal =
            matches!(known.map(|plan| &plan.layout), Some(PlanLayout::Archive(old)) if old.seal == settings.seal);
        let stored = match (same_seal, known) {
            (true, Some(plan)) if settings.seal != Seal::None => self.secret(SecretName::archive_key(&plan.id)).await?,
            _ => None,
        };
        let secret = match (settings.seal, given, stored) {
            (Seal::None, ..) => return self.retire_archive_key(known).await,
            (Seal::PlanKey, _, Some(_)) => return Ok(false),
            (Seal::PlanKey, ..) => new_key(),
            (_, None, Some(_)) => return Ok(false),
            (Seal::Passphrase, Some(text), _) => checked_passphrase(text)?,
            (Seal::OwnKey, Some(text), _) => checked_key(text)?,
            (Seal::Passphrase, None, None) => {
                return Err(
                    invalid("The archives' passphrase is missing").hint("Choose one, or let Backstay make a key")
                );
            }
            (Seal::OwnKey, None, None) => {
                return Err(invalid("The archives' key is missing").hint("Give it as 64 hex digits"));
            }
        };
        self.secrets_ready().await?;
        let name = SecretName::archive_key(id);
        if self.optional_secret(name.clone()).await?.as_ref() == Some(&secret) {
            return Ok(false);
        }
        self.retire_archive_key(known).await?;
        self.put_secret(name, secret).await?;
        Ok(true)
    }

    /// Keeps a plan's key for the archives that are there, when it seals no more. Always returns that no key is new.
    pub(super) async fn retire_archive_key(&self, known: Option<&Plan>) -> Result<bool> {
        if let Some(plan) = known
            && self.keep_key_of(plan).await?
        {
            self.forget_secret(SecretName::archive_key(&plan.id)).await;
        }
        Ok(false)
    }

    /// Keeps what seals a plan's archives for those that are there, whatever becomes of the plan. Tells whether there is
    /// such a key.
    pub(super) async fn keep_key_of(&self, plan: &Plan) -> Result<bool> {
        let PlanLayout::Archive(settings) = &plan.layout else { return Ok(false) };
        if settings.seal == Seal::None {
            return Ok(false);
        }
        let Some(secret) = self.secret(SecretName::archive_key(&plan.id)).await? else { return Ok(false) };
        let key = match settings.seal {
            Seal::Passphrase => ArchiveKey::Passphrase(secret),
            _ => ArchiveKey::Key(secret),
        };
        self.keep_archive_key(key).await?;
        Ok(true)
    }
}

/// Makes a random key of 32 bytes, as 64 hex digits.
fn new_key() -> Secret {
    let bytes: [u8; 32] = rand::rng().random();
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn checked_passphrase(text: &str) -> Result<Secret> {
    if text.chars().count() < SHORTEST_PASSPHRASE {
        return Err(invalid(format!(
            "The archives' passphrase is too short: use at least {SHORTEST_PASSPHRASE} characters"
        ))
        .hint("A few words in a row are easy to type and hard to guess"));
    }
    Ok(Secret::new(text))
}

fn checked_key(text: &str) -> Result<Secret> {
    let joined: String = text.split_whitespace().collect();
    if key_bytes(&joined).is_none() {
        return Err(invalid("The archives' key cannot be used: it must be 64 hex digits")
            .hint("That is 32 bytes; openssl rand -hex 32 makes one"));
    }
    let first = joined.chars().next();
    if joined.chars().all(|digit| Some(digit) == first) {
        return Err(
            invalid("The archives' key is one digit over and over").hint("openssl rand -hex 32 makes a good one")
        );
    }
    Ok(Secret::new(joined.to_ascii_lowercase()))
}

/// Reads a layout as it was filled in.
pub(super) fn layout_of(draft: &LayoutDraft) -> Result<PlanLayout> {
    match draft.kind.as_str() {
        "" | "vault" => return Ok(PlanLayout::Vault),
        "archive" => {}
        other => return Err(invalid(format!("There is no layout \"{other}\"")).hint("Choose vault or archive")),
    }
    let seal = match draft.seal.as_str() {
        "none" => Seal::None,
        "" | "plan_key" => Seal::PlanKey,
        "passphrase" => Seal::Passphrase,
        "own_key" => Seal::OwnKey,
        other => {
            return Err(
                invalid(format!("There is no seal \"{other}\"")).hint("Choose none, plan_key, passphrase or own_key")
            );
        }
    };
    let template = draft.template.trim();
    let template = if template.is_empty() { LayoutDraft::default().template } else { template.to_owned() };
    let format = parse_format(&draft.format)
        .map_err(|_| Error::new(ErrorClass::Invalid, format!("There is no archive format \"{}\"", draft.format)))
        .map_err(|error| error.hint("Choose tar.gz, tar.zst or zip"))?;
    Ok(PlanLayout::Archive(ArchiveSettings { format, seal, template }))
}

/// Returns a layout as the wizard shows it, without its key.
pub(super) fn draft_of_layout(layout: &PlanLayout) -> LayoutDraft {
    let PlanLayout::Archive(settings) = layout else { return LayoutDraft::default() };
    LayoutDraft {
        kind: "archive".into(),
        format: settings.format.extension().into(),
        seal: match settings.seal {
            Seal::None => "none",
            Seal::PlanKey => "plan_key",
            Seal::Passphrase => "passphrase",
            Seal::OwnKey => "own_key",
        }
        .into(),
        key: None,
        template: settings.template.clone(),
    }
}

/// Tells whether backups are sealed by a key of the plan.
pub(crate) fn seals(layout: &PlanLayout) -> bool {
    matches!(layout, PlanLayout::Archive(settings) if settings.seal != Seal::None)
}

/// Returns a layout in words: "vault", "tar.zst, sealed".
pub(super) fn layout_words(layout: &PlanLayout) -> String {
    match layout {
        PlanLayout::Vault => "vault".into(),
        PlanLayout::Archive(settings) if settings.seal == Seal::None => settings.format.extension().into(),
        PlanLayout::Archive(settings) => format!("{}, sealed", settings.format.extension()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn layouts_go_round() {
        for seal in ["none", "plan_key", "passphrase", "own_key"] {
            let draft = LayoutDraft { kind: "archive".into(), seal: seal.into(), ..LayoutDraft::default() };
            assert_eq!(draft_of_layout(&layout_of(&draft).unwrap()), draft);
        }
        assert_eq!(layout_of(&LayoutDraft::default()).unwrap(), PlanLayout::Vault);
        let bad = |draft: LayoutDraft| layout_of(&draft).unwrap_err().class;
        let base = LayoutDraft { kind: "archive".into(), ..LayoutDraft::default() };
        assert_eq!(bad(LayoutDraft { kind: "tape".into(), ..base.clone() }), ErrorClass::Invalid);
        assert_eq!(bad(LayoutDraft { format: "rar".into(), ..base.clone() }), ErrorClass::Invalid);
        assert_eq!(bad(LayoutDraft { seal: "wax".into(), ..base }), ErrorClass::Invalid);
    }

    #[test]
    fn keys_and_passphrases_are_checked() {
        assert_ne!(new_key(), new_key());
        assert!(key_bytes(new_key().expose()).is_some());
        assert!(checked_passphrase("too short").is_err());
        assert!(checked_key("0123").is_err());
        assert!(checked_key(&"ab".repeat(31)).is_err());
        assert!(checked_key(&"0".repeat(64)).is_err());
        let grouped = "0123ABCD ".repeat(8);
        assert_eq!(checked_key(&grouped).unwrap().expose(), "0123abcd".repeat(8));
    }
}

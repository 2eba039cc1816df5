//! The recovery kit: all that is needed to restore without Backstay, on one printable page.

use super::kit_page::{Page, commands_for_archives, commands_for_vault, repository};
use crate::backstay::{Backstay, Inner};
use crate::words::invalid;
use backstay_contract::RecoveryKit;
use backstay_core::config::{Connection, DestinationConfig, Place, Plan, PlanLayout, Seal, SftpPlace, SftpVia};
use backstay_core::layout::ArchiveKey;
use backstay_core::secret::Secret;
use backstay_core::{DestinationId, Error, ErrorClass, PlanId, Result};
use diceware_wordlists::EFF_LONG_WORDLIST;
use rand::seq::IndexedRandom;
use std::path::Path;

/// Ten words of 7,772 are 129 bits.
const WORDS: usize = 10;
/// A password of so many words by hyphens is shown and asked for word by word.
const FEWEST_WORDS: usize = 6;

impl Backstay {
    /// Returns a destination's recovery kit.
    pub async fn recovery_kit(&self, id: &str) -> Result<RecoveryKit> {
        let config = self.inner.store.destination(&DestinationId::from(id))?;
        let result = self.inner.kit(&config).await;
        self.inner.audited("kit.show", &config.name, result)
    }

    /// Writes a recovery kit into a file that is not there yet, as "html" or "txt". `id` is a destination's, for its
    /// vault, or a plan's, for the key of its archives.
    pub async fn save_recovery_kit(&self, id: &str, file: &str, format: &str) -> Result<()> {
        let (name, kit) = match self.inner.store.destination(&DestinationId::from(id)) {
            Ok(config) => (config.name.clone(), self.inner.kit(&config).await),
            Err(error) if error.class == ErrorClass::Missing => {
                let plan = self.inner.store.plan(&PlanId::from(id)).map_err(|_| error)?;
                let kit = self.plan_kit(id).await;
                (plan.name, kit)
            }
            Err(error) => return Err(error),
        };
        let result = match kit {
            Ok(kit) => save_kit(kit, Path::new(file), format).await,
            Err(error) => Err(error),
        };
        self.inner.audited("kit.save", &format!("{name} into {file}"), result)
    }

    /// Compares one word of a kit (counted from 1) with what the user read from the printed one; a right one is remembered.
    /// `id` is a destination's, for its vault, or a plan's, for the key of its archives.
    pub async fn confirm_recovery_kit(&self, id: &str, word_number: u32, word: &str) -> Result<bool> {
        match self.inner.store.destination(&DestinationId::from(id)) {
            Ok(config) => self.confirm_vault_kit(&config, word_number, word).await,
            Err(error) if error.class == ErrorClass::Missing => {
                let plan = self.inner.store.plan(&PlanId::from(id)).map_err(|_| error)?;
                self.confirm_plan_kit(plan, word_number, word).await
            }
            Err(error) => Err(error),
        }
    }

    async fn confirm_vault_kit(&self, config: &DestinationConfig, word_number: u32, word: &str) -> Result<bool> {
        let equal = is_word(&self.inner.kit(config).await?, word_number, word)?;
        self.inner.audit("kit.confirm", &config.name, if equal { "ok" } else { "wrong_word" })?;
        if equal && !config.kit_confirmed {
            // Copies of one vault have one kit.
            for copy in self.inner.store.destinations()?.into_iter().filter(|copy| copy.vault_id == config.vault_id) {
                self.inner.store.put_destination(&DestinationConfig { kit_confirmed: true, ..copy })?;
            }
            self.inner.changed("destinations");
        }
        Ok(equal)
    }

    async fn confirm_plan_kit(&self, plan: Plan, word_number: u32, word: &str) -> Result<bool> {
        let equal = is_word(&self.inner.kit_of_sealing_plan(&plan).await?, word_number, word)?;
        self.inner.audit("kit.confirm", &plan.name, if equal { "ok" } else { "wrong_word" })?;
        if equal && !plan.kit_confirmed {
            self.inner.store.put_plan(&Plan { kit_confirmed: true, ..plan })?;
            self.inner.changed("plans");
        }
        Ok(equal)
    }
}

/// Tells whether this is that word of a kit.
fn is_word(kit: &RecoveryKit, word_number: u32, word: &str) -> Result<bool> {
    let at = usize::try_from(word_number).ok().and_then(|n| n.checked_sub(1));
    let Some(expected) = at.and_then(|at| kit.words.get(at)) else {
        return Err(invalid(format!("The recovery kit has no word {word_number}"))
            .hint(format!("Its words are numbered from 1 to {}", kit.words.len())));
    };
    Ok(match kit.words.len() {
        // A password the user chose is asked for whole, and its letters' case matters.
        1 => expected == word.trim(),
        _ => expected.eq_ignore_ascii_case(word.trim()),
    })
}

impl Inner {
    async fn kit(&self, config: &DestinationConfig) -> Result<RecoveryKit> {
        if config.vault_id.is_empty() {
            return Err(invalid(format!("{} has no recovery kit: there is no vault", config.name))
                .hint("The keys of archives are in the recovery kits of their plans"));
        }
        Ok(self.kit_of(config, &self.vault_password(config).await?))
    }

    /// Makes the kit of a destination's vault.
    pub(crate) fn kit_of(&self, config: &DestinationConfig, password: &Secret) -> RecoveryKit {
        // A server we know may be gone on the day the kit is needed: its address is on the page.
        let mut place = config.place.clone();
        if let Place::Sftp(SftpPlace { via, .. }) = &mut place
            && let SftpVia::Server { server } = via
            && let Ok(server) = self.store.server(server)
            && let Connection::Ssh(ssh) = server.connection
        {
            *via = SftpVia::Own(ssh);
        }
        make_kit(&DestinationConfig { place, ..config.clone() }, password)
    }

    /// Makes the kit of a plan that must have one.
    pub(crate) async fn kit_of_sealing_plan(&self, plan: &Plan) -> Result<RecoveryKit> {
        self.kit_of_plan(plan).await?.ok_or_else(|| {
            invalid(format!("The plan \"{}\" has no recovery kit: it seals no archives", plan.name))
                .hint("The keys of vaults are in the recovery kits of their destinations")
        })
    }

    /// Makes the kit of a plan's archive key; `None` for plain archives and vaults.
    pub(crate) async fn kit_of_plan(&self, plan: &Plan) -> Result<Option<RecoveryKit>> {
        let PlanLayout::Archive(settings) = &plan.layout else { return Ok(None) };
        let Some(key) = self.archive_key(plan).await? else { return Ok(None) };
        let configs = plan.destinations.iter().filter_map(|id| self.store.destination(id).ok());
        let places: Vec<String> = configs.map(|config| self.destination_label(&config.name, &config.place)).collect();
        let key_id = self.parts.archive_key_id(&key).unwrap_or_default();
        let (secret, words) = match &key {
            ArchiveKey::Key(secret) => (secret, groups_of(secret.expose())),
            ArchiveKey::Passphrase(secret) => (secret, words_of(secret)),
        };
        let what = match settings.seal {
            Seal::Passphrase => "Passphrase",
            _ => "Key (64 hex digits)",
        };
        let mut kit = RecoveryKit {
            destination: plan.name.clone(),
            repository: places.join(", "),
            vault_id: key_id,
            password: secret.expose().to_owned(),
            words,
            created: plan.created.timestamp_millis(),
            html: String::new(),
            text: String::new(),
        };
        let page = Page {
            what: WHAT_ARCHIVES,
            facts: vec![
                ("Plan", kit.destination.clone()),
                ("Archives lie at", kit.repository.clone()),
                ("Key id", if kit.vault_id.is_empty() { "differs by file".into() } else { kit.vault_id.clone() }),
                ("Made", plan.created.format("%-d %B %Y").to_string()),
            ],
            secret_title: what,
            kit: &kit,
            joined_by: if matches!(key, ArchiveKey::Key(_)) { "Its groups, joined by nothing" } else { JOINED },
            how: HOW_ARCHIVES,
            commands: commands_for_archives(settings),
            end: DUMPS,
        };
        (kit.text, kit.html) = (page.text(), page.html());
        Ok(Some(kit))
    }
}

async fn save_kit(kit: RecoveryKit, file: &Path, format: &str) -> Result<()> {
    let text = match format {
        "html" => kit.html,
        "txt" => kit.text,
        other => {
            return Err(invalid(format!("Cannot write a recovery kit as \"{other}\"")).hint("Choose html or txt"));
        }
    };
    if !file.is_absolute() {
        return Err(invalid(format!("Cannot write the recovery kit to {}: give a full path", file.display())));
    }
    let file = file.to_owned();
    tokio::task::spawn_blocking(move || write_private(&file, text.as_bytes()))
        .await
        .map_err(|e| Error::new(ErrorClass::Internal, "Writing the recovery kit ended unexpectedly").source(e))?
}

/// Writes a file only its owner may read. Never overwrites: an older kit may be the only one of another vault.
fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    use std::io::Write;
    let tried = || format!("Cannot write {}", file.display());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(file).map_err(|e| {
        let error = Error::io(tried(), e);
        match error.class {
            ErrorClass::Exists => error.hint("Name another file: what is there may be the only kit of another vault"),
            _ => error,
        }
    })?;
    open.write_all(content).and_then(|()| open.sync_all()).map_err(|e| Error::io(tried(), e))
}

/// Makes a strong password that can be read aloud and typed.
pub(super) fn new_password() -> Result<Secret> {
    // Words with a hyphen inside would be cut in two on the page.
    let words: Vec<&str> = EFF_LONG_WORDLIST.iter().copied().filter(|word| !word.contains('-')).collect();
    let mut random = rand::rng();
    let picked: Option<Vec<&str>> = (0..WORDS).map(|_| words.choose(&mut random).copied()).collect();
    let picked = picked.ok_or_else(|| Error::new(ErrorClass::Internal, "The list of words is empty"))?;
    Ok(Secret::new(picked.join("-")))
}

/// Picks the word to ask back.
pub(super) fn ask_word(kit: &RecoveryKit) -> u32 {
    let numbers: Vec<u32> = (1..=kit.words.len().max(1) as u32).collect();
    numbers.choose(&mut rand::rng()).copied().unwrap_or(1)
}

/// Takes a password apart into its words; one the user chose stays whole.
fn words_of(password: &Secret) -> Vec<String> {
    let split: Vec<String> = password.expose().split('-').map(str::to_owned).collect();
    let by_words = split.len() >= FEWEST_WORDS
        && split.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    if by_words { split } else { vec![password.expose().to_owned()] }
}

/// Takes a key apart into groups that can be compared by eye.
fn groups_of(key: &str) -> Vec<String> {
    key.as_bytes().chunks(8).map(|group| String::from_utf8_lossy(group).into_owned()).collect()
}

/// Makes the kit of a vault.
fn make_kit(config: &DestinationConfig, password: &Secret) -> RecoveryKit {
    let mut kit = RecoveryKit {
        destination: config.name.clone(),
        repository: repository(&config.place),
        vault_id: config.vault_id.clone(),
        password: password.expose().to_owned(),
        words: words_of(password),
        created: config.created.timestamp_millis(),
        html: String::new(),
        text: String::new(),
    };
    let page = Page {
        what: WHAT_VAULT,
        facts: vec![
            ("Destination", kit.destination.clone()),
            ("Repository", kit.repository.clone()),
            ("Vault id", kit.vault_id.clone()),
            ("Made", config.created.format("%-d %B %Y").to_string()),
        ],
        secret_title: "Password",
        kit: &kit,
        joined_by: JOINED,
        how: HOW_VAULT,
        commands: commands_for_vault(&config.place),
        end: DUMPS,
    };
    (kit.text, kit.html) = (page.text(), page.html());
    kit
}

const JOINED: &str = "Its words, joined by hyphens";
const WHAT_VAULT: &str = "With this page, anyone can read every backup in this vault; without it, and without the computer \
that runs Backstay, nobody can. Print it, and keep it where the computer is not.";
const WHAT_ARCHIVES: &str = "With this page, anyone can read every sealed archive of this plan; without it, and without the \
computer that runs Backstay, nobody can. Print it, and keep it where the computer is not.";
const HOW_VAULT: &str = "Backstay is not needed: the vault is a restic repository. Install restic 0.14 or newer \
(https://restic.net, or your system's packages), make the place reachable, and run:";
const HOW_ARCHIVES: &str = "Backstay is not needed: how a sealed archive is built is told to the byte in \
docs/formats/archive.md of Backstay's source, and tests/interop/read_archive.py there reads it (it needs the Python package \
cryptography). Copy a file that ends in .sealed and the .manifest beside it to a computer, and run:";
const DUMPS: &str = "Databases lie below .backstay in each backup, as dumps their own tools can load.";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(path: &str) -> DestinationConfig {
        DestinationConfig {
            id: DestinationId::random(),
            name: "nas <1>".into(),
            place: Place::Local { path: path.into() },
            vault_id: "abc".into(),
            kit_confirmed: false,
            created: chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_made_password_is_ten_words_and_never_the_same() {
        let (one, two) = (new_password().unwrap(), new_password().unwrap());
        assert_ne!(one, two);
        let kit = make_kit(&config("/mnt/x"), &one);
        assert_eq!(kit.words.len(), WORDS);
        assert_eq!(kit.words.join("-"), kit.password);
        assert!((1..=10).contains(&ask_word(&kit)));
    }

    #[test]
    fn the_page_holds_all_and_escapes_it() {
        let kit = make_kit(&config("/mnt/my disk"), &Secret::new("Own <Password> 123"));
        assert_eq!(kit.words, ["Own <Password> 123"]);
        for page in [&kit.text, &kit.html] {
            assert!(page.contains("RESTIC_REPOSITORY='/mnt/my disk'"));
            assert!(page.contains("restic check --read-data"));
            assert!(page.contains("abc"));
        }
        assert!(kit.html.contains("nas &lt;1&gt;") && !kit.html.contains("<1>"));
        assert!(kit.html.contains("Own &lt;Password&gt; 123"));
    }
}

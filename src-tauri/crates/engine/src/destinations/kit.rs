//! The recovery kit: all that is needed to restore without Backstay, on one printable page.

use crate::backstay::{Backstay, Inner};
use crate::words::invalid;
use backstay_contract::RecoveryKit;
use backstay_core::config::{DestinationConfig, Place};
use backstay_core::secret::Secret;
use backstay_core::{DestinationId, Error, ErrorClass, Result};
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

    /// Writes a recovery kit into a file that is not there yet, as "html" or "txt".
    pub async fn save_recovery_kit(&self, id: &str, file: &str, format: &str) -> Result<()> {
        let config = self.inner.store.destination(&DestinationId::from(id))?;
        let result = self.inner.save_kit(&config, Path::new(file), format).await;
        self.inner.audited("kit.save", &format!("{} into {file}", config.name), result)
    }

    /// Compares one word of the vault's password (counted from 1) with what the user read from the printed kit.
    pub async fn confirm_recovery_kit(&self, id: &str, word_number: u32, word: &str) -> Result<bool> {
        let config = self.inner.store.destination(&DestinationId::from(id))?;
        let kit = self.inner.kit(&config).await?;
        let at = usize::try_from(word_number).ok().and_then(|n| n.checked_sub(1));
        let Some(expected) = at.and_then(|at| kit.words.get(at)) else {
            return Err(invalid(format!("The recovery kit has no word {word_number}"))
                .hint(format!("Its words are numbered from 1 to {}", kit.words.len())));
        };
        let equal = match kit.words.len() {
            // A password the user chose is asked for whole, and its letters' case matters.
            1 => expected == word.trim(),
            _ => expected.eq_ignore_ascii_case(word.trim()),
        };
        self.inner.audit("kit.confirm", &config.name, if equal { "ok" } else { "wrong_word" })?;
        if equal && !config.kit_confirmed {
            self.inner.store.put_destination(&DestinationConfig { kit_confirmed: true, ..config })?;
            self.inner.changed("destinations");
        }
        Ok(equal)
    }
}

impl Inner {
    async fn kit(&self, config: &DestinationConfig) -> Result<RecoveryKit> {
        Ok(make_kit(config, &self.vault_password(config).await?))
    }

    async fn save_kit(&self, config: &DestinationConfig, file: &Path, format: &str) -> Result<()> {
        let kit = self.kit(config).await?;
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
}

/// Writes a file only its owner may read. Never overwrites: an older kit may be the only one of another vault.
fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    use std::io::Write;
    let tried = || format!("Cannot write {}", file.display());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(file).map_err(|e| Error::io(tried(), e))?;
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

/// Makes the kit of a destination.
pub(super) fn make_kit(config: &DestinationConfig, password: &Secret) -> RecoveryKit {
    let Place::Local { path } = &config.place;
    let split: Vec<String> = password.expose().split('-').map(str::to_owned).collect();
    let by_words = split.len() >= FEWEST_WORDS
        && split.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    let words = if by_words { split } else { vec![password.expose().to_owned()] };
    let mut kit = RecoveryKit {
        destination: config.name.clone(),
        repository: path.clone(),
        vault_id: config.vault_id.clone(),
        password: password.expose().to_owned(),
        words,
        created: config.created.timestamp_millis(),
        html: String::new(),
        text: String::new(),
    };
    let made = config.created.format("%-d %B %Y").to_string();
    kit.text = text_page(&kit, &made);
    kit.html = html_page(&kit, &made);
    kit
}

/// The restic commands of the page, with the words that say what each does.
fn commands(kit: &RecoveryKit) -> Vec<(&'static str, String)> {
    let repository = shell_quoted(&kit.repository);
    vec![
        ("Say where it is (restic asks for the password)", format!("export RESTIC_REPOSITORY={repository}")),
        ("See every backup", "restic snapshots".into()),
        ("See what is in the newest one", "restic ls latest".into()),
        ("Restore the newest one into a folder", "restic restore latest --target /restored".into()),
        ("Restore one folder of it", "restic restore latest --target /restored --include /etc".into()),
        ("Check that all is whole", "restic check --read-data".into()),
    ]
}

fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const WHAT: &str = "With this page, anyone can read every backup in this vault; without it, and without the computer \
that runs Backstay, nobody can. Print it, and keep it where the computer is not.";
const HOW: &str = "Backstay is not needed: the vault is a restic repository. Install restic 0.14 or newer \
(https://restic.net, or your system's packages), make the folder reachable, and run:";
const DUMPS: &str = "Databases lie below .backstay in each backup, as dumps their own tools can load.";

fn text_page(kit: &RecoveryKit, made: &str) -> String {
    let mut page = format!(
        "BACKSTAY RECOVERY KIT\n=====================\n\n{WHAT}\n\nDestination:  {}\nRepository:   {}\nVault id:     {}\n\
         Made:         {made}\n\nPassword:\n\n    {}\n\n",
        kit.destination, kit.repository, kit.vault_id, kit.password
    );
    if kit.words.len() > 1 {
        page.push_str("Its words, joined by hyphens:\n\n");
        for (at, word) in kit.words.iter().enumerate() {
            page.push_str(&format!("    {:>2}  {word}\n", at + 1));
        }
        page.push('\n');
    }
    page.push_str(&format!("HOW TO RESTORE\n--------------\n\n{HOW}\n\n"));
    for (what, command) in commands(kit) {
        page.push_str(&format!("  # {what}\n  {command}\n\n"));
    }
    page.push_str(DUMPS);
    page.push('\n');
    page
}

fn html_page(kit: &RecoveryKit, made: &str) -> String {
    let words = match kit.words.len() {
        1 => String::new(),
        _ => {
            let items: String = kit.words.iter().map(|word| format!("<li>{}</li>", escaped(word))).collect();
            format!("<p>Its words, joined by hyphens:</p><ol>{items}</ol>")
        }
    };
    let commands: String = commands(kit)
        .into_iter()
        .map(|(what, command)| format!("<dt>{}</dt><dd><code>{}</code></dd>", escaped(what), escaped(&command)))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backstay recovery kit: {name}</title>\n\
         <style>{STYLE}</style></head>\n<body><h1>Backstay recovery kit</h1>\n<p>{WHAT}</p>\n<table>\
         <tr><th>Destination</th><td>{name}</td></tr><tr><th>Repository</th><td><code>{repository}</code></td></tr>\
         <tr><th>Vault id</th><td><code>{id}</code></td></tr><tr><th>Made</th><td>{made}</td></tr></table>\n\
         <h2>Password</h2>\n<p class=\"password\">{password}</p>\n{words}\n<h2>How to restore</h2>\n<p>{HOW}</p>\n\
         <dl>{commands}</dl>\n<p>{DUMPS}</p>\n</body></html>\n",
        name = escaped(&kit.destination),
        repository = escaped(&kit.repository),
        id = escaped(&kit.vault_id),
        password = escaped(&kit.password),
    )
}

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;color:#111;background:#fff;max-width:44em;margin:2em auto;\
padding:0 1em}h1{font-size:22px}h2{font-size:16px;margin-top:1.6em}th{text-align:left;padding-right:1.5em;\
font-weight:600;vertical-align:top}code,.password{font-family:ui-monospace,monospace;word-break:break-all}\
.password{font-size:20px;border:1px solid #999;border-radius:6px;padding:12px}ol{columns:2;font-size:16px}\
dt{margin-top:.6em}dd{margin:0}@media print{body{margin:0}}";

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

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

//! The user's known_hosts file, read the way OpenSSH reads it. It is never written.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{PublicKey, PublicKeyBase64, parse_public_key_base64};
use sha1::Sha1;
use std::path::Path;

/// The keys known_hosts tells for one host.
#[derive(Default)]
pub struct KnownKeys {
    /// Good ones.
    pub trusted: Vec<PublicKey>,
    /// Ones marked `@revoked`.
    pub revoked: Vec<PublicKey>,
}

/// Tells whether two keys are the same, whatever their comments say.
pub fn same_key(a: &PublicKey, b: &PublicKey) -> bool {
    a.public_key_bytes() == b.public_key_bytes()
}

/// Reads the lines that name this host. An absent or unreadable file knows nobody; a broken line is passed over.
/// Lines of `@cert-authority` are passed over too: host certificates are not asked for.
pub fn lookup(file: &Path, host: &str, port: u16) -> KnownKeys {
    let text = std::fs::read(file).unwrap_or_default();
    find(&String::from_utf8_lossy(&text), host, port)
}

fn find(text: &str, host: &str, port: u16) -> KnownKeys {
    let wanted = if port == 22 { host.to_lowercase() } else { format!("[{}]:{port}", host.to_lowercase()) };
    let mut known = KnownKeys::default();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let (Some(names), Some(_), Some(key)) = (words.next(), words.next(), words.next()) else { continue };
        if !names_match(names, &wanted) {
            continue;
        }
        let Ok(key) = parse_public_key_base64(key) else { continue };
        match marker {
            None => known.trusted.push(key),
            Some("@revoked") => known.revoked.push(key),
            Some(_) => {}
        }
    }
    known
}

fn names_match(names: &str, wanted: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return hash_matches(hashed, wanted).unwrap_or(false);
    }
    let mut found = false;
    for name in names.split(',') {
        let (negated, pattern) = name.strip_prefix('!').map_or((false, name), |rest| (true, rest));
        if super::config::glob(&pattern.to_lowercase(), wanted) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// Checks `salt|hash`, both base64: HMAC-SHA1 of the name under the salt.
fn hash_matches(hashed: &str, wanted: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = BASE64.decode(salt.as_bytes()).ok()?;
    let hash = BASE64.decode(hash.as_bytes()).ok()?;
    let mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    Some(mac.chain_update(wanted).verify_slice(&hash).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const HASHED: &str = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= \
        ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn count(text: &str, host: &str, port: u16) -> (usize, usize) {
        let known = find(text, host, port);
        (known.trusted.len(), known.revoked.len())
    }

    #[test]
    fn plain_ported_and_wildcard_names() {
        let text = format!("# note\nweb,10.0.0.5 {KEY}\n[web]:2222\t{KEY} me@here\n*.lab,!bad.lab {KEY}\n");
        assert_eq!(count(&text, "web", 22), (1, 0));
        assert_eq!(count(&text, "WEB", 22), (1, 0));
        assert_eq!(count(&text, "10.0.0.5", 22), (1, 0));
        assert_eq!(count(&text, "web", 2222), (1, 0));
        assert_eq!(count(&text, "web", 2223), (0, 0));
        assert_eq!(count(&text, "good.lab", 22), (1, 0));
        assert_eq!(count(&text, "bad.lab", 22), (0, 0));
    }

    #[test]
    fn hashed_names_match_only_their_host() {
        assert_eq!(count(HASHED, "example.com", 22), (1, 0));
        assert_eq!(count(HASHED, "example.org", 22), (0, 0));
    }

    #[test]
    fn markers_and_broken_lines() {
        let text = format!("@revoked web {KEY}\n@cert-authority web {KEY}\nweb ssh-ed25519 !!!\nweb\n|1|x web\n");
        assert_eq!(count(&text, "web", 22), (0, 1));
    }
}

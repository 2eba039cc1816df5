//! The sealed file, and its faults.

use super::*;

#[test]
fn nothing_is_kept_before_a_file_is_made() {
    let temp = tempfile::tempdir().unwrap();
    let secrets = without_keyring(temp.path());
    let status = secrets.status();
    assert_eq!((status.backend, status.state), (Backend::None, State::NotSetUp));
    assert_eq!(status.reason.as_deref(), Some("The keyring is switched off by BACKSTAY_NO_KEYRING"));
    assert_eq!(status.file, temp.path().join("secrets.sealed"));
    let error = secrets.set(&name("a"), &secret("x")).unwrap_err();
    assert_eq!(error.class, ErrorClass::Locked);
    assert!(error.hint.unwrap().contains("passphrase"));
    assert_eq!(class(secrets.get(&name("a"))), ErrorClass::Locked);
    assert_eq!(class(secrets.unlock(&secret("x"))), ErrorClass::Missing);
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "asking leaves nothing behind");
}

#[test]
fn the_sealed_file_keeps_secrets_for_those_who_know_the_passphrase() {
    let temp = tempfile::tempdir().unwrap();
    let home = temp.path().join("new/home");
    let secrets = without_keyring(&home);
    assert_eq!(class(secrets.create_file(&secret(""))), ErrorClass::Invalid);
    secrets.create_file(&secret(PASSPHRASE)).unwrap();
    assert_eq!((secrets.status().backend, secrets.status().state), (Backend::File, State::Ready));
    assert_eq!(class(secrets.create_file(&secret("other"))), ErrorClass::Exists);
    let long = "ü\n\"\\\u{1f600}".repeat(20_000);
    for (key, value) in [("server/1/password", "hunter2-PLAIN"), ("empty", ""), ("long", &long)] {
        secrets.set(&name(key), &secret(value)).unwrap();
    }
    secrets.set(&name("gone"), &secret("x")).unwrap();
    secrets.set(&name("gone"), &secret("y")).unwrap();
    assert_eq!(secrets.get(&name("gone")).unwrap(), Some(secret("y")));
    secrets.delete(&name("gone")).unwrap();
    secrets.delete(&name("gone")).unwrap();
    assert_eq!(secrets.get(&name("gone")).unwrap(), None);

    let bytes = std::fs::read(home.join("secrets.sealed")).unwrap();
    for plain in ["hunter2-PLAIN", "server/1", PASSPHRASE] {
        assert!(!bytes.windows(plain.len()).any(|window| window == plain.as_bytes()), "{plain} is readable");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(home.join("secrets.sealed")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    // Another process, later.
    let later = without_keyring(&home);
    assert_eq!((later.status().backend, later.status().state), (Backend::File, State::Locked));
    assert_eq!(class(later.get(&name("long"))), ErrorClass::Locked);
    assert_eq!(class(later.set(&name("long"), &secret("x"))), ErrorClass::Locked);
    let error = later.unlock(&secret("not-the-one")).unwrap_err();
    assert_eq!(error.class, ErrorClass::WrongKey);
    assert!(!format!("{error:?}").contains("not-the-one"), "no passphrase in an error");
    later.unlock(&secret(PASSPHRASE)).unwrap();
    assert_eq!(later.status().state, State::Ready);
    assert_eq!(later.get(&name("long")).unwrap(), Some(secret(&long)));
    assert_eq!(later.get(&name("empty")).unwrap(), Some(secret("")));

    // Both go on, and neither loses what the other stored.
    later.set(&name("from-later"), &secret("1")).unwrap();
    secrets.set(&name("from-first"), &secret("2")).unwrap();
    assert_eq!(secrets.get(&name("from-later")).unwrap(), Some(secret("1")));
    assert_eq!(later.get(&name("from-first")).unwrap(), Some(secret("2")));

    // Made anew under another passphrase: the key at hand opens it no more.
    std::fs::remove_file(home.join("secrets.sealed")).unwrap();
    without_keyring(&home).create_file(&secret("another")).unwrap();
    assert_eq!((later.status().state, class(later.get(&name("long")))), (State::Locked, ErrorClass::Locked));
    assert_eq!(class(later.set(&name("long"), &secret("x"))), ErrorClass::Locked);
}

#[test]
fn many_writers_lose_nothing() {
    let temp = tempfile::tempdir().unwrap();
    without_keyring(temp.path()).create_file(&secret(PASSPHRASE)).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let secrets = without_keyring(temp.path());
            scope.spawn(move || {
                secrets.unlock(&secret(PASSPHRASE)).unwrap();
                for number in 0..15 {
                    secrets.set(&name(&format!("{writer}/{number}")), &secret("x")).unwrap();
                }
            });
        }
    });
    let secrets = without_keyring(temp.path());
    secrets.unlock(&secret(PASSPHRASE)).unwrap();
    for writer in 0..3 {
        for number in 0..15 {
            assert!(secrets.get(&name(&format!("{writer}/{number}"))).unwrap().is_some(), "{writer}/{number} was lost");
        }
    }
}

#[test]
fn every_flipped_bit_and_every_cut_shows() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("secrets.sealed");
    let secrets = without_keyring(temp.path());
    secrets.create_file(&secret(PASSPHRASE)).unwrap();
    secrets.set(&name("a"), &secret("value")).unwrap();
    let good = std::fs::read(&file).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&file, &bad).unwrap();
        let seen = class(secrets.get(&name("a")));
        // A version byte that counts up reads as a newer version; all else is damage.
        let newer = at == 8 && bad[8] > 1;
        assert_eq!(seen, if newer { ErrorClass::Unsupported } else { ErrorClass::Corrupt }, "byte {at}");
        assert_ne!(class(secrets.set(&name("b"), &secret("x"))), ErrorClass::Internal);
        assert!(std::fs::read(&file).unwrap() == bad, "a damaged file is left for repair");
    }
    for length in 0..good.len() {
        std::fs::write(&file, &good[..length]).unwrap();
        assert_eq!(class(secrets.get(&name("a"))), ErrorClass::Corrupt, "cut to {length}");
    }
    // The head is checked before the slow key derivation, the rest after it.
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &bad).unwrap();
    assert_eq!(class(without_keyring(temp.path()).unlock(&secret(PASSPHRASE))), ErrorClass::Corrupt);
    assert_eq!(class(without_keyring(temp.path()).unlock(&secret("wrong"))), ErrorClass::WrongKey);
    std::fs::write(&file, &good).unwrap();
    assert_eq!(secrets.get(&name("a")).unwrap(), Some(secret("value")));
}

#[test]
fn a_forged_head_cannot_take_all_memory() {
    use sha2::Digest;
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("secrets.sealed");
    without_keyring(temp.path()).create_file(&secret(PASSPHRASE)).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
    let checksum = sha2::Sha256::digest(&bytes[..66]);
    bytes[66..82].copy_from_slice(&checksum[..16]);
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(class(without_keyring(temp.path()).unlock(&secret(PASSPHRASE))), ErrorClass::Corrupt);
}

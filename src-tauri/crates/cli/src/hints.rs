//! What to do next, for who has no window: the engine's hints name places of the window, here the verb that does it.

use backstay_core::{Error, ErrorClass};

/// Words of the engine's hints, and what does the same on the command line. The first that fits counts.
const VERBS: [(&str, &str); 11] = [
    ("Settings, Secrets", SECRETS),
    ("in the settings", SECRETS),
    ("limit is in Settings", "backstay settings --stall-minutes MINUTES"),
    ("in Activity", CANCEL),
    ("ee Activity", CANCEL),
    ("Refresh the list of backups", REFRESH),
    ("Read the list of backups anew", REFRESH),
    ("ead the destination anew", REFRESH),
    ("(Thaw)", "backstay thaw BACKUP --at DESTINATION"),
    ("Print the recovery kit", KIT),
    ("leave it empty: Backstay makes", "leave --vault-password-stdin out"),
];
const SECRETS: &str = "set BACKSTAY_PASSPHRASE to what opens the sealed file; backstay secrets create makes one";
const KIT: &str =
    "backstay destination kit NAME prints it, backstay destination confirm NAME --word NUMBER confirms it";
const CANCEL: &str = "backstay runs --active lists what goes on, backstay cancel RUN ends it";
const REFRESH: &str = "backstay backups lists those known, backstay destination refresh DESTINATION looks anew";

/// Returns what to do next about an error.
pub fn of(error: &Error) -> Option<String> {
    match &error.hint {
        Some(hint) => Some(in_verbs(hint)),
        None => list_of(error).map(|verb| format!("See: {verb}")),
    }
}

/// Adds to a hint the verb that does what it says.
pub fn in_verbs(hint: &str) -> String {
    let found = VERBS.iter().find(|(words, _)| hint.contains(words)).map(|(_, verb)| *verb);
    // A word, and no part of a destination's name.
    let has_sync = || hint.split(|c: char| !c.is_alphanumeric()).any(|word| word == "Sync");
    match found.or_else(|| has_sync().then_some("backstay sync DESTINATION")) {
        Some(verb) => format!("{hint}. On the command line: {verb}"),
        None => hint.to_owned(),
    }
}

/// Returns the verb that lists what an error says is not there.
fn list_of(error: &Error) -> Option<&'static str> {
    let lists = [("There is no backup ", "backstay backups"), ("There is no run ", "backstay runs")];
    let found = lists.iter().find(|(begin, _)| error.class == ErrorClass::Missing && error.message.starts_with(begin));
    found.map(|(_, verb)| *verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_the_window_become_verbs() {
        for (hint, verb) in [
            ("Unlock it with its passphrase in Settings, Secrets", "BACKSTAY_PASSPHRASE"),
            ("Unlock the keyring and try again, or set a passphrase in the settings", "backstay secrets create"),
            ("Wait for it to end, or cancel it in Activity", "backstay cancel RUN"),
            ("Check the server's load and the connection; the limit is in Settings", "--stall-minutes"),
            ("Read the destination anew if it was made on another computer", "backstay destination refresh"),
            ("Run Sync for one of its destinations first", "backstay sync"),
        ] {
            let said = in_verbs(hint);
            assert!(said.starts_with(hint) && said.contains(verb), "{said}");
        }
        for hint in ["Choose another name", "Use Syncthing disk: it is the same place"] {
            assert_eq!(in_verbs(hint), hint);
        }
    }

    #[test]
    fn what_is_not_there_is_listed_by_a_verb() {
        let hint = |message: &str| of(&Error::new(ErrorClass::Missing, message));
        assert_eq!(hint("There is no backup 000000").as_deref(), Some("See: backstay backups"));
        assert_eq!(hint("There is no run 01").as_deref(), Some("See: backstay runs"));
        assert_eq!(hint("The vault is not there"), None);
    }
}

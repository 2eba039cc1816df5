//! Steps and abilities as a test tells them.

use crate::probe::{Ability, ProbeStep};
use backstay_core::Error;

pub(super) fn passed(title: &str, text: impl Into<String>) -> ProbeStep {
    ProbeStep { title: title.to_owned(), ok: true, note: false, text: text.into(), hint: None }
}

pub(super) fn noted(title: &str, text: impl Into<String>, hint: Option<&str>) -> ProbeStep {
    ProbeStep { note: true, hint: hint.map(str::to_owned), ..passed(title, text) }
}

pub(super) fn failed(title: &str, error: &Error) -> ProbeStep {
    ProbeStep { ok: false, hint: error.hint.clone(), ..passed(title, error.message.clone()) }
}

pub(super) fn wrong(title: &str, text: &str, hint: &str) -> ProbeStep {
    ProbeStep { ok: false, hint: Some(hint.to_owned()), ..passed(title, text) }
}

/// Makes an ability of an answer: yes, no, or not told.
pub(super) fn ability(id: &str, title: &str, can: Option<bool>, yes: &str, no: &str) -> Ability {
    let (state, text) = match can {
        Some(true) => ("yes", yes),
        Some(false) => ("no", no),
        None => ("unknown", "The store does not tell, or this key may not ask"),
    };
    Ability { id: id.to_owned(), title: title.to_owned(), state: state.to_owned(), text: text.to_owned() }
}

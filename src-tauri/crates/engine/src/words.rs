//! Texts and shapes for those who show things: errors, sizes, states.

use backstay_contract::{IpcError, ProblemRow};
use backstay_core::layout::ArchiveFormat;
use backstay_core::run::{Phase, Problem, ProblemKind, RunKind, RunState, StoredError};
use backstay_core::{Error, ErrorClass, Result};
use chrono::{DateTime, Utc};

/// Returns an error as it crosses IPC and as `--json` prints it.
pub fn ipc_error(error: &Error) -> IpcError {
    IpcError {
        code: error.class.as_str().into(),
        message: error.message.clone(),
        hint: error.hint.clone(),
        detail: error.detail.clone(),
    }
}

/// Returns an error kept with a run.
pub(crate) fn stored_error(error: &StoredError) -> IpcError {
    IpcError {
        code: error.class.as_str().into(),
        message: error.message.clone(),
        hint: error.hint.clone(),
        detail: error.detail.clone(),
    }
}

/// Returns an error that was kept as an error again.
pub(crate) fn error_of(stored: &StoredError) -> Error {
    let mut error = Error::new(stored.class, stored.message.clone());
    if let Some(hint) = &stored.hint {
        error = error.hint(hint.clone());
    }
    error.detail(stored.detail.clone().unwrap_or_default())
}

/// Returns a size in words, as the window writes it: "310 B", "12 KiB", "1.2 GiB".
pub fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} KiB") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Returns a count with its noun: "1 file", "12,300 files".
pub fn count_text(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// Returns a number with commas: "12,300".
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns a moment in words: "20 Nov 2026 10:12 UTC".
pub(crate) fn time_text(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y %H:%M UTC").to_string()
}

/// Returns Unix milliseconds.
pub(crate) fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

pub(crate) fn run_kind_word(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Backup => "backup",
        RunKind::Restore => "restore",
        RunKind::Download => "download",
        RunKind::Verify => "verify",
        RunKind::Sync => "sync",
        RunKind::Prune => "prune",
    }
}

pub(crate) fn parse_run_kind(word: &str) -> Result<RunKind> {
    match word {
        "backup" => Ok(RunKind::Backup),
        "restore" => Ok(RunKind::Restore),
        "download" => Ok(RunKind::Download),
        "verify" => Ok(RunKind::Verify),
        "sync" => Ok(RunKind::Sync),
        "prune" => Ok(RunKind::Prune),
        other => Err(invalid(format!("There is no sort of run called \"{other}\""))),
    }
}

pub(crate) fn run_state_word(state: RunState) -> &'static str {
    match state {
        RunState::Waiting => "waiting",
        RunState::Running => "running",
        RunState::Done => "done",
        RunState::DoneWithProblems => "done_with_problems",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
        RunState::Interrupted => "interrupted",
    }
}

pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Connecting => "connecting",
        Phase::Preflight => "preflight",
        Phase::Opening => "opening",
        Phase::Listing => "listing",
        Phase::Reading => "reading",
        Phase::Dumping => "dumping",
        Phase::Saving => "saving",
        Phase::Checking => "checking",
        Phase::Comparing => "comparing",
        Phase::Restoring => "restoring",
        Phase::Deleting => "deleting",
        Phase::Packing => "packing",
        Phase::Copying => "copying",
        Phase::Thawing => "thawing",
        Phase::Pruning => "pruning",
    }
}

pub(crate) fn problem_word(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Unreadable => "unreadable",
        ProblemKind::Vanished => "vanished",
        ProblemKind::Changed => "changed",
        ProblemKind::Skipped => "skipped",
        ProblemKind::Unwritable => "unwritable",
        ProblemKind::Database => "database",
        ProblemKind::Damaged => "damaged",
        ProblemKind::Other => "other",
    }
}

pub(crate) fn problem_row(problem: &Problem) -> ProblemRow {
    ProblemRow {
        kind: problem_word(problem.kind).into(),
        item: problem.item.clone(),
        subject: problem.subject.clone(),
        reason: problem.reason.clone(),
    }
}

pub(crate) fn parse_format(word: &str) -> Result<ArchiveFormat> {
    match word {
        "tar.gz" => Ok(ArchiveFormat::TarGz),
        "tar.zst" => Ok(ArchiveFormat::TarZst),
        "zip" => Ok(ArchiveFormat::Zip),
        other => Err(invalid(format!("Cannot pack a download as \"{other}\"")).hint("Choose tar.gz, tar.zst or zip")),
    }
}

/// Makes the error of an input that cannot be used.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorClass::Invalid, message)
}

/// Checks a name the user gave: not empty, one line, at most 100 characters. Returns it trimmed.
pub(crate) fn checked_name(name: &str, of_what: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(invalid(format!("The {of_what} needs a name")));
    }
    if name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(invalid(format!("The name of the {of_what} is too long or holds control characters"))
            .hint("Use at most 100 printable characters"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_and_counts_in_words() {
        assert_eq!(size_text(0), "0 B");
        assert_eq!(size_text(1700), "2 KiB");
        assert_eq!(size_text(1 << 30), "1.0 GiB");
        assert_eq!(size_text((1 << 20) - 1), "1.0 MiB");
        assert_eq!(count_text(1, "file", "files"), "1 file");
        assert_eq!(count_text(1_234_567, "file", "files"), "1,234,567 files");
        assert_eq!(grouped(999), "999");
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(checked_name("  web 1 ", "server").unwrap(), "web 1");
        assert!(checked_name(" ", "server").is_err());
        assert!(checked_name("a\nb", "server").is_err());
        assert!(checked_name(&"x".repeat(101), "server").is_err());
    }
}

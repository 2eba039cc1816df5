//! What is printed, and how the program ends.

use crate::hints;
use backstay_contract::IpcError;
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::ipc_error;
use serde::Serialize;
use std::io::Write;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All done.
    Done,
    /// Done, but something is missing.
    Problems,
    /// Cancelled.
    Cancelled,
    /// Wrong usage.
    Usage,
    /// Failed.
    Failed,
}

impl Exit {
    /// Returns how an error ends the program.
    pub fn of_error(error: &Error) -> Self {
        match error.class {
            ErrorClass::Invalid => Self::Usage,
            ErrorClass::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
    /// Returns how a run's state ends the program.
    pub fn of_state(state: &str) -> Self {
        match state {
            "done" => Self::Done,
            "done_with_problems" => Self::Problems,
            "cancelled" => Self::Cancelled,
            _ => Self::Failed,
        }
    }
    /// Ends the program at once, with nothing printed left behind.
    pub fn leave(self) -> ! {
        let _ = std::io::stdout().flush();
        let _ = std::io::stderr().flush();
        std::process::exit(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Problems => 3,
            Self::Cancelled => 4,
        })
    }
}

/// Prints an error: text to standard error, JSON to standard output, on one line where lines of events went before.
pub fn error(error: &Error, json: bool, lines: bool) {
    let hint = hints::of(error);
    if json {
        let value = serde_json::json!({ "error": IpcError { hint, ..ipc_error(error) } });
        let _ = if lines { line(&value) } else { object(&value) };
        return;
    }
    eprintln!("{}", sentence(&error.message));
    if let Some(detail) = &error.detail {
        detail.lines().take(20).for_each(|line| eprintln!("  {line}"));
    }
    if let Some(hint) = &hint {
        eprintln!("{}", sentence(hint));
    }
}

/// Ends a sentence that is not ended.
fn sentence(text: &str) -> String {
    if text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

/// Prints one JSON value.
pub fn object<T: Serialize>(value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::new(ErrorClass::Internal, "Cannot write JSON").source(e))?;
    text.push(b'\n');
    print_bytes(&text)
}

/// Prints one JSON value on one line.
pub fn line<T: Serialize>(value: &T) -> Result<()> {
    let mut text =
        serde_json::to_vec(value).map_err(|e| Error::new(ErrorClass::Internal, "Cannot write JSON").source(e))?;
    text.push(b'\n');
    print_bytes(&text)
}

/// Prints text; a reader that went away (`| head`) is no failure.
pub fn text(text: &str) -> Result<()> {
    print_bytes(format!("{text}\n").as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("Cannot write to standard output", error))
        }
        _ => Ok(()),
    }
}

/// Prints rows in columns, the first row being the heads.
pub fn table(rows: &[Vec<String>]) -> Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    text(out.trim_end_matches('\n'))
}

/// Makes a row of cells.
pub fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Returns a moment as text: "2026-11-20 10:12:03 UTC".
pub fn time(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis)
        .map_or_else(|| "?".into(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Returns a moment as text, or "never".
pub fn time_or_never(millis: Option<i64>) -> String {
    millis.map_or_else(|| "never".into(), time)
}

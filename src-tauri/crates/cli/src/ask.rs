//! Reading from standard input: secrets one a line, and a yes.

use backstay_core::{Error, ErrorClass, Result};
use std::io::{BufRead, IsTerminal, Write};
use zeroize::Zeroizing;

/// Reads one secret, a line of standard input.
pub fn secret(what: &str) -> Result<String> {
    let mut line = Zeroizing::new(String::new());
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprint!("{what} (it will be shown as you type): ");
    }
    stdin.lock().read_line(&mut line).map_err(|e| Error::io(format!("Cannot read {what} from standard input"), e))?;
    let text = line.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Error::new(
            ErrorClass::Invalid,
            format!("Cannot read {what}: standard input ended or the line is empty"),
        )
        .hint("Give each secret on a line of its own"));
    }
    Ok(text.to_owned())
}

/// Asks for a yes; `None` when nobody can be asked.
pub fn yes(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    eprint!("{question} Type yes: ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim() == "yes")
}

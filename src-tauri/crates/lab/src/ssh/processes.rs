//! Processes of this machine: running programs, seeing what runs, ending it.

use super::DEADLINE;
use std::fs;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(super) fn run(command: &mut Command, stdin: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        let _ = pipe.write_all(stdin);
    }
    child.wait_with_output()
}

#[allow(clippy::panic)]
pub(super) fn retry(mut work: impl FnMut() -> io::Result<Output>) {
    let end = Instant::now() + DEADLINE;
    loop {
        let said = match work() {
            // 12: userdel could not remove a mail spool that never was.
            Ok(output) if output.status.success() || output.status.code() == Some(12) => return,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > end {
            // Clean-up runs while a failed test unwinds: a second panic would hide the first.
            if std::thread::panicking() {
                return;
            }
            panic!("gave up: {said}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[allow(clippy::panic)]
pub(super) fn succeed(command: &mut Command) {
    match run(command, b"") {
        Ok(output) if output.status.success() => {}
        other => panic!("{command:?}: {other:?}"),
    }
}

/// Returns the command lines of all processes of this machine, arguments separated by blanks: what any user of a server
/// could see.
pub fn process_list() -> Vec<String> {
    let mut lines = Vec::new();
    for item in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if item.file_name().to_string_lossy().parse::<u32>().is_ok()
            && let Ok(line) = fs::read(item.path().join("cmdline"))
        {
            lines.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    lines
}

pub(crate) fn kill(pid: u32) {
    let _ = run(Command::new("kill").arg("-KILL").arg(pid.to_string()), b"");
}

/// All processes below one, by their parents in /proc.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for item in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = item.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(item.path().join("stat")) else { continue };
        // The name stands in brackets and may hold anything; the parent is the second field after it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.remove(0);
    found
}

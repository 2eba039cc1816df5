//! restic as the judge of our vaults: its command on what lies in memory.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::MemoryDestination;
use std::path::Path;
use std::process::Command;

/// Writes a destination's objects into a folder, for restic.
pub fn to_folder(memory: &MemoryDestination, folder: &Path) {
    for key in memory.keys() {
        let file = folder.join(&key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, memory.object(&key).unwrap()).unwrap();
    }
}

/// Reads a folder restic wrote.
pub fn from_folder(folder: &Path) -> MemoryDestination {
    let memory = MemoryDestination::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                open.push(entry);
            } else {
                let key = entry.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                memory.tamper(&key, Some(std::fs::read(&entry).unwrap().into()));
            }
        }
    }
    memory
}

/// Returns the restic command on a repository, or `None` (and says so) where there is none.
pub fn restic(repository: &Path, password: &str, cache: &Path) -> Option<Command> {
    if Command::new("restic").arg("version").output().is_err() {
        println!("skipped: restic is not installed");
        return None;
    }
    let mut command = Command::new("restic");
    command.env("RESTIC_PASSWORD", password).env("RESTIC_REPOSITORY", repository);
    command.env("XDG_CACHE_HOME", cache).env("HOME", cache).arg("--no-cache");
    Some(command)
}

/// Runs a command and returns what it printed; anything but success is a failed test.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}\n{errors}", output.status);
    text
}

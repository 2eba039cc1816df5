//! The real `backstay` program: the main job, its JSON, its exit codes, its secrets, and what a kill leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod copies;
#[cfg(unix)]
mod databases;
#[cfg(unix)]
mod everywhere;
mod faults;
mod main_job;
#[cfg(unix)]
mod onlookers;
#[cfg(unix)]
mod over_ssh;

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// Never in any output, file or argument but the sealed file.
const PASSPHRASE: &str = "correct horse battery staple";

/// A home of its own for one test.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { dir: TempDir::with_prefix("backstay-cli-").unwrap() }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
    /// Writes so many files of 2 MiB that do not compress: they keep a backup busy for a while.
    fn write_noise(&self, files: usize, seed: u64) {
        let mut state = 88_172_645_463_325_252_u64 ^ seed;
        for n in 0..files {
            let mut content = Vec::with_capacity(2 << 20);
            while content.len() < 2 << 20 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                content.extend_from_slice(&state.to_le_bytes());
            }
            self.write(&format!("data/big-{n}"), &content);
        }
    }
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstay"));
        command
            .args(args)
            .env("BACKSTAY_HOME", self.path("home"))
            .env("BACKSTAY_PASSPHRASE", PASSPHRASE)
            .env("BACKSTAY_NO_KEYRING", "1")
            .env("HOME", self.dir.path())
            // What is kept of far vaults stays in this home as well.
            .env_remove("XDG_CACHE_HOME")
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
    fn run_with(&self, args: &[&str], stdin: &str) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
    fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }
    /// Runs a command that must end with 0, and returns its JSON.
    fn json(&self, args: &[&str]) -> Value {
        self.json_ending(0, args)
    }
    fn json_ending(&self, code: i32, args: &[&str]) -> Value {
        let all: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let output = self.run(&all);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", said(&output)))
    }
    /// A vault, and a plan "p" of the folder `data`.
    fn with_plan() -> Self {
        let home = Self::new();
        home.write("data/a.txt", b"content");
        home.add_plan();
        home
    }
    fn add_plan(&self) {
        self.json(&["destination", "add", "nas", "local", text(&self.path("vault"))]);
        let item = format!("files:{}", text(&self.path("data")));
        self.json(&["plan", "add", "p", "--server", "This computer", "--item", &item, "--to", "nas"]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

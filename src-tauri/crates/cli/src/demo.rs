//! `backstay demo`: the main job on made-up files, by this very program, each step as it would be typed.

use crate::options::DemoArgs;
use crate::output::{self, Exit};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::{count_text, size_text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Folders and files of the made-up data.
const FOLDERS: usize = 12;
const FILES_EACH: usize = 20;
/// One bigger file, so that there is something to cut into pieces.
const BIG_BYTES: usize = 6 << 20;

/// Runs the demo; ends with 0 only if what came back is what went in. With `json`, standard output gets what came of it
/// and nothing else.
pub async fn run(args: &DemoArgs, json: bool) -> Result<Exit> {
    let keep = args.keep;
    tokio::task::spawn_blocking(move || demo(keep, json))
        .await
        .map_err(|e| Error::new(ErrorClass::Internal, "The demo ended unexpectedly").source(e))?
}

fn demo(keep: bool, json: bool) -> Result<Exit> {
    let folder = tempfile::Builder::new()
        .prefix("backstay-demo-")
        .tempdir()
        .map_err(|e| Error::io("Cannot make a folder for the demo", e))?;
    let top = folder.path().to_path_buf();
    let demo = Demo::new(&top, json)?;
    let outcome = demo.main_job();
    let kept = keep.then(|| folder.keep());
    if let Some(kept) = &kept {
        demo.say(&format!("\nKept in {}", kept.display()));
    }
    match outcome {
        Ok(whole) => {
            demo.say(&format!("\n{whole}"));
            if json {
                output::object(&serde_json::json!({
                    "entries": whole.entries,
                    "bytes": whole.bytes,
                    "seconds": whole.seconds,
                    "kept": kept.map(|folder| folder.display().to_string()),
                }))?;
            }
            Ok(Exit::Done)
        }
        Err(error) => {
            demo.say("\nThe demo failed");
            Err(error)
        }
    }
}

/// What came back whole.
struct Whole {
    entries: u64,
    bytes: u64,
    seconds: f64,
}

impl std::fmt::Display for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (entries, size) = (count_text(self.entries, "entry", "entries"), size_text(self.bytes));
        write!(f, "All whole: {entries}, {size}, restored and compared byte by byte in {:.1} s", self.seconds)
    }
}

struct Demo {
    top: PathBuf,
    program: PathBuf,
    passphrase: String,
    json: bool,
}

impl Demo {
    fn new(top: &Path, json: bool) -> Result<Self> {
        let program = std::env::current_exe().map_err(|e| Error::io("Cannot find this program's own file", e))?;
        // It seals the secrets of a home that is thrown away.
        let passphrase = backstay_core::RunId::random().to_string();
        Ok(Self { top: top.to_owned(), program, passphrase, json })
    }

    /// Tells the user. Standard output is left to the JSON where that was asked for.
    fn say(&self, text: &str) {
        if self.json { eprintln!("{text}") } else { println!("{text}") }
    }

    fn main_job(&self) -> Result<Whole> {
        let began = Instant::now();
        let (data, vault, restored) = (self.top.join("data"), self.top.join("vault"), self.top.join("restored"));
        self.say("A sample folder goes into a vault, is looked at, restored elsewhere and compared, byte by byte.");
        self.say(&format!("All of it lies below {} and touches nothing else.\n", self.top.display()));
        make_data(&data)?;
        let show = |path: &Path| path.display().to_string();
        self.step(&["destination", "add", "demo-vault", "local", &show(&vault)])?;
        let item = format!("files:{}", show(&data));
        self.step(&["plan", "add", "demo", "--server", "This computer", "--item", &item, "--to", "demo-vault"])?;
        self.step(&["backup", "demo"])?;
        change_data(&data)?;
        self.step(&["backup", "demo"])?;
        self.step(&["backups"])?;
        self.step(&["ls", "demo@latest", show(&data).trim_start_matches('/')])?;
        self.step(&["verify", "demo@latest"])?;
        let to = format!("This computer:{}", show(&restored));
        let only = show(&data);
        self.step(&["restore", "demo@latest", "--to", &to, "--only", only.trim_start_matches('/'), "--yes"])?;
        let (before, after) = (tree(&data)?, tree(&restored)?);
        compare(&before, &after)?;
        let bytes: u64 = before.values().map(|entry| entry.content.len() as u64).sum();
        Ok(Whole { entries: before.len() as u64, bytes, seconds: began.elapsed().as_secs_f64() })
    }

    /// Runs one command of this program, showing it and what it says.
    fn step(&self, args: &[&str]) -> Result<()> {
        let shown: Vec<String> =
            args.iter().map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() }).collect();
        self.say(&format!("$ backstay {}", shown.join(" ")));
        let said = if self.json { Stdio::from(std::io::stderr()) } else { Stdio::inherit() };
        let status = Command::new(&self.program)
            .args(args)
            .env("BACKSTAY_HOME", self.top.join("home"))
            .env("BACKSTAY_PASSPHRASE", &self.passphrase)
            .env("BACKSTAY_NO_KEYRING", "1")
            .stdin(Stdio::null())
            .stdout(said)
            .status()
            .map_err(|e| Error::io("Cannot run this program again", e))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::new(ErrorClass::Internal, format!("backstay {} ended with {status}", shown.join(" "))))
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let tried = || format!("Cannot write {}", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| Error::io(tried(), e))?;
    }
    std::fs::write(path, content).map_err(|e| Error::io(tried(), e))
}

fn make_data(data: &Path) -> Result<()> {
    for folder in 0..FOLDERS {
        for file in 0..FILES_EACH {
            let text = format!("folder {folder}, file {file}\n").repeat(1 + (folder * 31 + file * 17) % 400);
            write(&data.join(format!("folder-{folder}/file-{file}.txt")), text.as_bytes())?;
        }
    }
    write(&data.join("empty"), b"")?;
    write(&data.join("naïve name, with a comma & more.txt"), "ünïcode\n".as_bytes())?;
    write(&data.join("big.bin"), &noise(BIG_BYTES, 1))?;
    #[cfg(unix)]
    std::os::unix::fs::symlink("folder-0/file-0.txt", data.join("link"))
        .map_err(|e| Error::io("Cannot make a link", e))?;
    Ok(())
}

fn change_data(data: &Path) -> Result<()> {
    write(&data.join("folder-0/file-0.txt"), b"changed since the first backup\n")?;
    write(&data.join("folder-new/file.txt"), b"new since the first backup\n")?;
    let gone = data.join("folder-1/file-1.txt");
    std::fs::remove_file(&gone).map_err(|e| Error::io(format!("Cannot remove {}", gone.display()), e))
}

/// Bytes that do not compress, the same each time.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[derive(PartialEq, Eq)]
struct Kept {
    is_dir: bool,
    link: Option<PathBuf>,
    content: Vec<u8>,
    mode: u32,
    modified: Option<std::time::SystemTime>,
}

fn tree(top: &Path) -> Result<BTreeMap<PathBuf, Kept>> {
    let mut kept = BTreeMap::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let tried = || format!("Cannot read {}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(tried(), e))? {
            let path = entry.map_err(|e| Error::io(tried(), e))?.path();
            let one = look(&path).map_err(|e| Error::io(format!("Cannot read {}", path.display()), e))?;
            if one.is_dir {
                folders.push(path.clone());
            }
            kept.insert(path.strip_prefix(top).unwrap_or(&path).to_owned(), one);
        }
    }
    Ok(kept)
}

fn look(path: &Path) -> std::io::Result<Kept> {
    let about = path.symlink_metadata()?;
    #[cfg(unix)]
    let mode = std::os::unix::fs::MetadataExt::mode(&about);
    #[cfg(not(unix))]
    let mode = 0;
    Ok(Kept {
        is_dir: about.is_dir(),
        link: if about.is_symlink() { Some(std::fs::read_link(path)?) } else { None },
        content: if about.is_file() { std::fs::read(path)? } else { Vec::new() },
        mode,
        modified: if about.is_file() { about.modified().ok() } else { None },
    })
}

fn compare(before: &BTreeMap<PathBuf, Kept>, after: &BTreeMap<PathBuf, Kept>) -> Result<()> {
    let differs = |path: &Path, why: &str| {
        Err(Error::new(ErrorClass::Corrupt, format!("What came back differs: {} {why}", path.display())))
    };
    for (path, kept) in before {
        match after.get(path) {
            None => return differs(path, "is missing"),
            Some(other) if other != kept => return differs(path, "is not the same"),
            Some(_) => {}
        }
    }
    match after.keys().find(|path| !before.contains_key(*path)) {
        Some(path) => differs(path, "was not there before"),
        None => Ok(()),
    }
}

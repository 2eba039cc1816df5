//! The TypeScript client is written from the commands. A difference is a failure, so that nobody forgets to commit it.

use specta_typescript::Typescript;
use std::fs;
use std::path::{Path, PathBuf};

const HEADER: &str = "// Written by `cargo test -p backstay-app` from the commands and the contract. Do not edit.\n";

/// Where the generated client lies.
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/ipc/generated/bindings.ts")
}

/// Returns the client as the commands of this build make it.
pub fn written() -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bindings.ts");
    backstay_app::commands::all::<tauri::test::MockRuntime>()
        .export(Typescript::default().header(HEADER), &file)
        .unwrap();
    fs::read_to_string(file).unwrap().lines().fold(String::new(), |text, line| text + &always_there(line) + "\n")
}

/// `#[serde(default)]` lets a field be left out, for older writers of JSON. What we send is always whole, and what the
/// window sends must be: a forgotten field of a draft would silently become empty.
fn always_there(line: &str) -> String {
    match line.split_once("?: ") {
        Some((name, rest)) if name.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            format!("{name}: {rest}")
        }
        _ => line.to_owned(),
    }
}

#[test]
fn the_generated_client_is_up_to_date() {
    let fresh = written();
    let committed = fs::read_to_string(file()).unwrap_or_default();
    if fresh != committed {
        fs::create_dir_all(file().parent().unwrap()).unwrap();
        fs::write(file(), fresh).unwrap();
        panic!("{} was out of date; it is written anew: look at the difference and commit it", file().display());
    }
}

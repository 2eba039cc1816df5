//! Every command of the contract is registered, permitted, and used by the window; and nothing else is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Commands of the window itself, which no other front end has.
const OF_THE_WINDOW: [&str; 1] = ["quit"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The first column of the contract's table of commands.
fn in_the_contract() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("src-tauri/crates/contract/src/lib.rs")).unwrap();
    let names: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .filter_map(|line| line.split(" |").next())
        .flat_map(|column| column.split('/').map(|name| name.trim().trim_matches('`').to_owned()))
        .collect();
    assert!(names.len() > 40, "the contract's table was not understood: {names:?}");
    names
}

fn with_the_windows_own(mut names: BTreeSet<String>) -> BTreeSet<String> {
    names.extend(OF_THE_WINDOW.map(String::from));
    names
}

fn registered() -> BTreeSet<String> {
    let written = super::bindings::written();
    written.split("__TAURI_INVOKE(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(String::from).collect()
}

fn permitted() -> BTreeSet<String> {
    let capability = fs::read_to_string(root().join("src-tauri/capabilities/main.json")).unwrap();
    let capability: serde_json::Value = serde_json::from_str(&capability).unwrap();
    let granted: Vec<&str> = capability["permissions"].as_array().unwrap().iter().filter_map(|p| p.as_str()).collect();
    let mut names = BTreeSet::new();
    for file in fs::read_dir(root().join("src-tauri/permissions")).unwrap() {
        let path = file.unwrap().path();
        let area = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(granted.contains(&area.as_str()), "the capability does not grant {area}");
        let text = fs::read_to_string(&path).unwrap();
        let list = text.split_once("commands.allow = [").expect("a list of commands").1;
        names.extend(list.split('"').skip(1).step_by(2).map(String::from));
    }
    names
}

#[test]
fn every_command_of_the_contract_is_registered() {
    assert_eq!(with_the_windows_own(in_the_contract()), registered());
}

#[test]
fn every_registered_command_is_permitted() {
    assert_eq!(registered(), permitted());
}

#[test]
fn every_command_of_the_contract_is_used_by_the_window() {
    let client: String = ["client.ts", "tauri.ts"]
        .map(|name| fs::read_to_string(root().join("ui/src/ipc").join(name)).unwrap_or_default())
        .concat();
    let used =
        |name: &str| client.contains(&format!("'{name}'")) || client.contains(&format!("commands.{}(", camel(name)));
    let missing: Vec<String> = in_the_contract().into_iter().filter(|name| !used(name)).collect();
    assert!(missing.is_empty(), "ui/src/ipc does not use {missing:?}");
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + &part[..1].to_uppercase() + &part[1..])
}

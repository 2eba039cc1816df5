//! Names that share one file's content, however they came to.

use crate::support::*;
use backstay_core::RunContext;
use backstay_core::entry::{Content, EntryType};
use backstay_core::layout::{BackupWriter, Layout, Selection};
use backstay_lab::MemoryDestination;
use backstay_transfer::Sha256Sum;
use serde_json::Value;
use std::io::Read;
use tokio::io::AsyncReadExt;

/// Adds a further name of a file.
async fn link(writer: &mut dyn BackupWriter, name: &str, to: &str) {
    let mut entry = file(name, b"").1.0;
    (entry.links, entry.inode, entry.device) = (3, 77, 1);
    writer.as_sink().add(entry, Content::SameAs(&path(to))).await.unwrap();
}

/// Reads the lines of a manifest, the first one too.
fn lines(object: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    zstd::Decoder::new(object).unwrap().read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes the manifest of a backup anew, its entries changed, as a version might have written it that did not look.
fn rewrite(memory: &MemoryDestination, key: &str, change: impl Fn(&mut Value)) {
    let manifest = format!("{key}.manifest");
    let mut object = Vec::new();
    zstd::Decoder::new(&*memory.object(&manifest).unwrap()).unwrap().read_to_end(&mut object).unwrap();
    let text = String::from_utf8(object).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    let mut lines: Vec<String> = rest.lines().map(str::to_owned).collect();
    for line in lines.iter_mut().filter(|line| line.starts_with("{\"path\":")) {
        let mut value: Value = serde_json::from_str(line).unwrap();
        change(&mut value);
        // The path stays the first key of every entry.
        let fields = value.as_object_mut().unwrap();
        let path = fields.remove("path").unwrap();
        let others = serde_json::to_string(fields).unwrap();
        *line = format!("{{\"path\":{path},{}", others.strip_prefix('{').unwrap());
    }
    let mut end: Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
    let rest = lines.join("\n") + "\n";
    end["end"]["sha256"] = Sha256Sum::of(rest.as_bytes()).into();
    let pack = |text: String| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let object = [pack(format!("{head}\n")), pack(format!("{rest}{end}\n"))].concat();
    memory.tamper(&manifest, Some(object.into()));
}

#[tokio::test]
async fn a_further_name_of_a_further_name_is_one_of_the_first() {
    for format in FORMATS {
        let memory = MemoryDestination::new();
        let (archives, ctx, backup) = (open(&memory), RunContext::silent(), manifest("links", 3));
        let mut writer = archives.begin(&ctx, start(&backup, format, None)).await.unwrap();
        let content = words(1, 50_000);
        add(writer.as_mut(), &file("a", &content).1.0, &content).await.unwrap();
        link(writer.as_mut(), "b", "a").await;
        link(writer.as_mut(), "c", "b").await;
        link(writer.as_mut(), "d", "c").await;
        let record = writer.commit(backup).await.unwrap();
        let key = record.archive.unwrap().key;
        let written = lines(&memory.object(&format!("{key}.manifest")).unwrap());
        let firsts: Vec<_> = written.iter().filter_map(|line| line.get("same")).collect();
        assert_eq!(firsts, ["a", "a", "a"], "{format:?}");
        let whole = async |why: &str| {
            let back = read(&open(&memory), &record.id).await.unwrap();
            assert_eq!(back.len(), 4);
            assert!(back.values().all(|(entry, is)| *is == content && entry.size_bytes == 50_000), "{format:?} {why}");
            assert_eq!(open(&memory).check(&ctx, 100).await.unwrap().faults, [], "{format:?} {why}");
        };
        whole("as it is written").await;
        // As they were written before: each names the one before it.
        rewrite(&memory, &key, |line| match line["path"].as_str() {
            Some("c") => line["same"] = "b".into(),
            Some("d") => line["same"] = "c".into(),
            _ => {}
        });
        whole("as it was written").await;
    }
}

#[tokio::test]
async fn further_names_keep_their_content_when_the_first_becomes_something_else() {
    for format in FORMATS {
        for kind in [EntryType::File, EntryType::Dir, EntryType::Symlink(b"elsewhere".to_vec())] {
            let memory = MemoryDestination::new();
            let (archives, ctx, backup) = (open(&memory), RunContext::silent(), manifest("links", 3));
            let mut writer = archives.begin(&ctx, start(&backup, format, None)).await.unwrap();
            let (old, new) = (words(1, 50_000), words(2, 70_000));
            add(writer.as_mut(), &file("a", &old).1.0, &old).await.unwrap();
            link(writer.as_mut(), "b", "a").await;
            let mut entry = file("a", &new).1.0;
            entry.kind = kind.clone();
            add(writer.as_mut(), &entry, &new).await.unwrap();
            link(writer.as_mut(), "c", "b").await;
            link(writer.as_mut(), "d", "c").await;
            if kind == EntryType::File {
                link(writer.as_mut(), "e", "a").await;
            }
            let record = writer.commit(backup).await.unwrap();
            let back = read(&open(&memory), &record.id).await.unwrap();
            for name in ["b", "c", "d"] {
                assert!(back[&path(name)].1 == old, "{format:?} {kind:?} {name}");
            }
            assert_eq!(back[&path("a")].0.kind, kind);
            if kind == EntryType::File {
                assert!(back[&path("a")].1 == new && back[&path("e")].1 == new, "{format:?}");
            }
            assert_eq!(open(&memory).check(&ctx, 100).await.unwrap().faults, [], "{format:?} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_further_name_without_its_first_is_named_and_the_rest_comes_back() {
    for format in FORMATS {
        let memory = MemoryDestination::new();
        let (archives, ctx, backup) = (open(&memory), RunContext::silent(), manifest("links", 3));
        let mut writer = archives.begin(&ctx, start(&backup, format, None)).await.unwrap();
        add(writer.as_mut(), &file("a", b"").1.0, b"content").await.unwrap();
        link(writer.as_mut(), "b", "a").await;
        add(writer.as_mut(), &file("c", b"").1.0, b"other").await.unwrap();
        let record = writer.commit(backup).await.unwrap();
        rewrite(&memory, &record.archive.unwrap().key, |line| {
            if line["path"] == "b" {
                line["same"] = "nowhere".into();
            }
        });
        let archives = open(&memory);
        let reader = archives.open(&record.id).await.unwrap();
        let rest = Selection { exclude: vec![path(".backstay")], ..Selection::default() };
        let mut source = reader.stream(&ctx, rest).await.unwrap();
        let mut came = Vec::new();
        while let Some(entry) = source.next().await.unwrap() {
            let mut content = Vec::new();
            let end = source.content().read_to_end(&mut content).await;
            came.push((entry.path.to_text(), content, end.map_err(|error| error.to_string()).err()));
        }
        assert_eq!(came.iter().map(|(path, ..)| path.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(came[0].1 == b"content" && came[2].1 == b"other", "{came:?}");
        let why = came[1].2.as_ref().unwrap();
        assert!(came[1].1.is_empty() && why.contains("b") && why.contains("another name"), "{why}");
        let faults = archives.check(&ctx, 100).await.unwrap().faults;
        assert!(faults.len() == 1 && faults[0].0.ends_with(": b"), "{format:?} {faults:?}");
    }
}

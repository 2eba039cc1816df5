//! Links to archives in a bucket: anybody with the address gets the very file, and nobody with another address anything.

use super::*;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Asks for an address as any program would, without anything that logs in.
fn get(url: &str) -> (u16, Vec<u8>) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url}"));
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP answer");
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    assert!(!head.contains("transfer-encoding"), "its length is told: {head}");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer[end + 4..].to_vec())
}

fn hex(sum: impl AsRef<[u8]>) -> String {
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_link_gives_the_very_archive_and_an_altered_one_nothing() {
    let Some(lab) = Lab::start() else { return };
    let home = Home::new();
    let data = home.path("data");
    make_tree(&data, 1);
    lab.add(&home, Far::S3, "backups");
    let plain = ["--layout", "archive", "--format", "zip", "--name", "the archive {id}"];
    for (plan, layout) in [("plain", &plain[..]), ("sealed", &ARCHIVES)] {
        add_plan(&home, plan, "This computer", &data, &["cloud"], layout);
        let backup = format!("{plan}@latest");
        assert_eq!(home.json(&["backup", plan])["row"]["state"], "done");
        let link = home.json(&["link", &backup, "--at", "cloud", "--minutes", "10"]);
        let (url, file) = (link["url"].as_str().unwrap(), link["file"].as_str().unwrap());
        assert_eq!(link["sealed"], plan == "sealed", "{link}");
        assert!(!url.contains(&lab.secret(Far::S3)), "the secret key is not in it");
        let (status, body) = get(url);
        assert_eq!(status, 200);
        let names = lab.objects(Far::S3, "backups");
        let name = names.iter().find(|name| name.ends_with(file)).unwrap_or_else(|| panic!("no {file} in {names:?}"));
        assert!(body == lab.object(Far::S3, "backups", name), "{plan}: the very file");
        let run = home.json(&["download", &backup, "--out", text(&home.path("")), "--as", "as-is"]);
        assert!(run["log"].to_string().contains(&hex(Sha256::digest(&body))), "{plan}: its SHA-256 is the archive's");
        refuses_what_is_altered(&home, url, name);
    }
    home.json_ending(2, &["link", "plain@latest", "--at", "cloud", "--minutes", "9"]);
    home.json_ending(2, &["link", "plain@latest", "--at", "cloud", "--minutes", "10081"]);
}

fn refuses_what_is_altered(home: &Home, url: &str, name: &str) {
    let at = url.find("X-Amz-Signature=").expect("a signature") + "X-Amz-Signature=".len();
    let other = if &url[at..=at] == "0" { "1" } else { "0" };
    let (path, query) = url.split_once('?').unwrap();
    let manifest = format!("{path}.manifest?{query}");
    let altered = [
        format!("{}{other}{}", &url[..at], &url[at + 1..]),
        url.replace("X-Amz-Expires=600", "X-Amz-Expires=60000"),
        manifest,
        path.to_owned(),
        url.replacen("GET", "PUT", 1).replace("X-Amz-Date=2", "X-Amz-Date=1"),
    ];
    for altered in altered {
        assert_ne!(altered, url);
        let (status, body) = get(&altered);
        assert_eq!(status, 403, "{altered}: {}", String::from_utf8_lossy(&body));
        assert!(body.len() < 2_000, "{name} is not given");
    }
    assert_eq!(home.json(&["audit", "verify"])["fault"], Value::Null);
    let audit = home.json(&["audit", "list"]).to_string();
    assert!(audit.contains("backup.link") && !audit.contains("X-Amz-Signature"), "told, but not the address: {audit}");
}

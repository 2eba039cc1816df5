//! What logs in and what unlocks shows nowhere: not in files, not in what is said, not in arguments, not at the places.

use super::*;
use crate::PASSPHRASE;
use std::cell::RefCell;
use std::io::Write;
use std::process::Stdio;

const PHRASE: &str = "the archives' own \"phrase\"";

/// Runs programs as loud as they can be, and keeps all they say and the arguments others see meanwhile.
struct Listener<'a> {
    home: &'a Home,
    heard: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Listener<'_> {
    fn run(&self, code: i32, args: &[&str], stdin: &str) -> Output {
        let mut command = self.home.command(args);
        command.env("BACKSTAY_LOG", "trace").env("RUST_BACKTRACE", "1").stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let about = format!("/proc/{}", child.id());
        // Read by a thread of its own: what is said must not fill the pipe.
        let watch = std::thread::spawn(move || {
            let mut seen: Vec<u8> = Vec::new();
            // Empty before it has begun and once it has ended; away when that was noticed.
            while let Ok(line) = std::fs::read(format!("{about}/cmdline")) {
                if !seen.ends_with(&line) {
                    seen.extend(line);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            seen
        });
        let output = child.wait_with_output().unwrap();
        let seen = watch.join().unwrap();
        assert!(!seen.is_empty(), "the arguments of {args:?} were seen");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        let mut heard = self.heard.borrow_mut();
        heard.push((format!("the arguments of {args:?}"), seen));
        heard.push((format!("standard output of {args:?}"), output.stdout.clone()));
        heard.push((format!("standard error of {args:?}"), output.stderr.clone()));
        output
    }
}

/// A secret as it may be written: as it is, in JSON, in an address.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(secret).unwrap();
    let address: String = secret
        .bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let mut forms =
        vec![secret.into(), json.trim_matches('"').into(), address.into_bytes(), format!("{secret:?}").into()];
    forms.sort();
    forms.dedup();
    forms
}

#[test]
fn secrets_show_nowhere() {
    let Some(lab) = Lab::start() else { return };
    let home = Home::new();
    let data = home.path("data");
    // Little of it: all that comes of it is looked through.
    (0..5).for_each(|n| put(&data.join(format!("file {n}")), &noise(n, 20_000)));
    home.json(&["destination", "add", "near", "local", text(&home.path("near"))]);
    let listener = Listener { home: &home, heard: RefCell::default() };
    for far in Far::ALL {
        let place = lab.place(far, "backups");
        let mut args = vec!["destination", "add", far.name(), "--no-vault", "--json"];
        args.extend(place.iter().map(String::as_str));
        // One that does not let us in is told, and not what was typed.
        let wrong = format!("wrong-{}", far.name());
        let refused = listener.run(1, &args, &format!("{wrong}\n"));
        assert!(!said(&refused).contains(&wrong), "{}", said(&refused));
        listener.run(0, &args, &format!("{}\n", lab.secret(far)));
    }
    let item = format!("files:{}", text(&data));
    let to = NAMES.iter().flat_map(|name| ["--to", name]);
    let plan = ["plan", "add", "vault", "--server", "This computer", "--item", &item, "--json"];
    listener.run(0, &plan.into_iter().chain(to.clone()).collect::<Vec<_>>(), "");
    let archive =
        ["plan", "add", "phrase", "--server", "This computer", "--item", &item, "--json", "--layout", "archive"];
    let sealed = archive.into_iter().chain(["--seal", "passphrase"]).chain(to.clone());
    listener.run(0, &sealed.collect::<Vec<_>>(), &format!("{PHRASE}\n"));
    let keyed = ["plan", "add", "key", "--server", "This computer", "--item", &item, "--json"];
    listener.run(0, &keyed.into_iter().chain(ARCHIVES).chain(to).collect::<Vec<_>>(), "");
    for plan in ["vault", "phrase", "key"] {
        listener.run(0, &["backup", plan, "--json"], "");
        let latest = format!("{plan}@latest");
        listener.run(0, &["verify", &latest, "--json"], "");
        listener.run(0, &["show", &latest], "");
        listener.run(0, &["download", &latest, "--out", text(&home.path("")), "--progress", "json"], "");
    }
    lab.cut_off(Far::Ftp);
    lab.cut_off(Far::Sftp);
    lab.cut_off(Far::S3);
    listener.run(3, &["backup", "key", "--progress", "json"], "");
    Far::ALL.iter().for_each(|far| lab.let_in(*far));
    for far in Far::ALL {
        listener.run(0, &["sync", far.name(), "--progress", "json"], "");
        listener.run(0, &["destination", "test", far.name(), "--json"], "");
    }
    for args in [&["destination", "list"][..], &["plan", "show", "key"], &["runs"], &["status"], &["audit", "list"]] {
        listener.run(0, &[args, &["--json"]].concat(), "");
    }
    let export = home.path("audit.jsonl");
    listener.run(0, &["audit", "export", text(&export)], "");
    let heard = listener.heard.into_inner();
    look_for_them(&home, &lab, heard);
}

fn look_for_them(home: &Home, lab: &Lab, mut heard: Vec<(String, Vec<u8>)>) {
    let vault = home.json(&["destination", "kit", "near"])["password"].as_str().unwrap().to_owned();
    let key = home.json(&["plan", "kit", "key"])["password"].as_str().unwrap().to_owned();
    assert_eq!(home.json(&["plan", "kit", "phrase"])["password"], PHRASE, "what is looked for is what is kept");
    // Its home, with the database, the logs, the sealed secrets and what is kept of far vaults; and all four places.
    let tops = [home.path(""), lab.user.home.clone(), lab.ftp.root()];
    for top in tops {
        heard.extend(tree(&top).into_iter().map(|(name, content)| (format!("{}{name}", top.display()), content)));
    }
    heard.extend(lab.objects(Far::S3, "backups").into_iter().map(|name| {
        let content = lab.object(Far::S3, "backups", &name);
        (format!("the bucket's {name}"), content)
    }));
    for needed in ["backstay.db", ".cache/", "standard error", "the arguments of", "snapshots/"] {
        assert!(heard.iter().any(|(name, _)| name.contains(needed)), "{needed} is looked through");
    }
    let is_heard =
        |form: &[u8]| heard.iter().find(|(_, content)| content.windows(form.len()).any(|piece| piece == form));
    // What is no secret is found, so that not to find is a finding.
    assert!(is_heard(lab.s3.place().access_key.as_bytes()).is_some(), "the access key is told");
    let secrets = [
        ("the S3 secret key", lab.secret(Far::S3)),
        ("the SFTP password", lab.secret(Far::Sftp)),
        ("the FTP password", lab.secret(Far::Ftp)),
        ("the vault's password", vault),
        ("the archives' key", key),
        ("the archives' passphrase", PHRASE.to_owned()),
        ("the passphrase of the sealed file", PASSPHRASE.to_owned()),
    ];
    for (what, secret) in secrets {
        assert!(secret.len() >= 8, "{what} is long enough not to be met by chance");
        for form in forms(&secret) {
            let found = is_heard(&form);
            assert!(found.is_none(), "{what} is in {}", found.map_or("", |(name, _)| name));
        }
    }
}

//! The same main job with real S3, SFTP and FTPS servers behind proxies: one plan written to all of them at once.

mod at_once;
mod down;
mod kills;
mod links;
mod removed;
mod reopened;
mod secrets;
pub mod trees;

use crate::{Home, said, text};
use backstay_lab::ftp::{FtpOptions, LabFtp, PASSWORD, Proftpd, Proxies, TlsMode, USER};
use backstay_lab::proxy::FaultProxy;
use backstay_lab::s3::{Does, Reply, S3Server};
use backstay_lab::ssh::{LabUser, Sshd, SudoRight};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use trees::{Dice, assert_same, make_tree, noise, put, tree};

/// No wait in these tests is longer.
const DEADLINE: Duration = Duration::from_secs(120);

/// A plan's layout in words: sealed archives.
const ARCHIVES: [&str; 7] = ["--layout", "archive", "--format", "tar.zst", "--seal", "--name", "{plan}_{id}"];

/// A kind of place far away; its name is the destination's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Far {
    S3,
    Sftp,
    Ftp,
}

impl Far {
    const ALL: [Self; 3] = [Self::S3, Self::Sftp, Self::Ftp];

    fn name(self) -> &'static str {
        match self {
            Self::S3 => "cloud",
            Self::Sftp => "box",
            Self::Ftp => "old",
        }
    }
}

/// One server of each kind, a proxy before each port.
struct Lab {
    s3: S3Server,
    user: LabUser,
    sshd: Sshd,
    ftp: Proftpd,
    s3_proxy: FaultProxy,
    sftp_proxy: FaultProxy,
    ftp_proxies: Proxies,
    _runtime: Runtime,
}

impl Lab {
    /// Starts all of them; where one cannot be, says why and returns `None`.
    fn start() -> Option<Self> {
        let sshd = Sshd::start()?;
        let ftp = Proftpd::start(&FtpOptions { tls: TlsMode::Explicit, known_ports: true, ..FtpOptions::default() })?;
        let runtime = Runtime::new().unwrap();
        let (s3, s3_proxy, sftp_proxy, ftp_proxies) = runtime.block_on(async {
            let s3 = S3Server::start().await;
            let s3_proxy = FaultProxy::start(s3.port()).await.unwrap();
            let sftp_proxy = FaultProxy::start(sshd.port()).await.unwrap();
            let ftp_proxies = Proxies::before(&ftp).await.unwrap();
            (s3, s3_proxy, sftp_proxy, ftp_proxies)
        });
        let user = sshd.add_sftp_user();
        Some(Self { s3, user, sshd, ftp, s3_proxy, sftp_proxy, ftp_proxies, _runtime: runtime })
    }

    /// How a folder there is given to `destination add` and `destination open`.
    fn place(&self, far: Far, folder: &str) -> Vec<String> {
        let port = |proxy: &FaultProxy| proxy.port();
        let words = match far {
            Far::S3 => {
                let place = self.s3.place();
                let endpoint = format!("http://127.0.0.1:{}", port(&self.s3_proxy));
                format!(
                    "s3 --endpoint {endpoint} --region {} --bucket {} --access-key {} --path-style true --prefix {folder}",
                    place.region, place.bucket, place.access_key
                )
            }
            Far::Sftp => format!(
                "sftp --ssh {}@127.0.0.1:{} --password-stdin --path {folder} --fingerprint {}",
                self.user.name,
                port(&self.sftp_proxy),
                self.sshd.fingerprint()
            ),
            Far::Ftp => format!(
                "ftp {USER}@127.0.0.1:{} --path {folder} --tls explicit --certificate {}",
                port(&self.ftp_proxies.control),
                self.ftp.certificate().sha256
            ),
        };
        words.split(' ').map(str::to_owned).collect()
    }

    /// What logs in there.
    fn secret(&self, far: Far) -> String {
        match far {
            Far::S3 => self.s3.secret().expose().to_owned(),
            Far::Sftp => self.user.password.expose().to_owned(),
            Far::Ftp => PASSWORD.to_owned(),
        }
    }

    /// Adds a folder there, without a vault of its own.
    fn add(&self, home: &Home, far: Far, folder: &str) {
        let place = self.place(far, folder);
        let mut args = vec!["destination", "add", far.name(), "--no-vault", "--json"];
        args.extend(place.iter().map(String::as_str));
        let added = home.run_with(&args, &format!("{}\n", self.secret(far)));
        assert_eq!(added.status.code(), Some(0), "{far:?}: {}", said(&added));
    }

    /// Opens what lies there by a key, and takes over what other computers kept there.
    fn open(&self, home: &Home, far: Far, folder: &str, key: &str) -> Output {
        let place = self.place(far, folder);
        let mut args = vec!["destination", "open", far.name(), "--adopt", "--json"];
        args.extend(place.iter().map(String::as_str));
        home.run_with(&args, &format!("{}\n{key}\n", self.secret(far)))
    }

    /// From now on nobody gets through. What is under way is cut.
    fn cut_off(&self, far: Far) {
        match far {
            // Who is not let in by a bucket knows it at once; a line that is dead is tried for minutes.
            Far::S3 => {
                let gone = Does::Says(Reply::error(404, "NoSuchBucket", "The specified bucket does not exist"));
                self.s3.fault(u32::MAX, gone, |_| true);
            }
            Far::Sftp => refuse(&self.sftp_proxy),
            Far::Ftp => {
                refuse(&self.ftp_proxies.control);
                self.ftp_proxies.cut_data();
            }
        }
    }

    /// All get through again.
    fn let_in(&self, far: Far) {
        match far {
            Far::S3 => self.s3.behave(),
            Far::Sftp => self.sftp_proxy.set(|faults| faults.refuse = false),
            Far::Ftp => self.ftp_proxies.control.set(|faults| faults.refuse = false),
        }
    }

    /// How many bytes went to a server so far, of all connections.
    fn sent(&self, far: Far) -> u64 {
        self.proxies(far).iter().map(|proxy| proxy.sent_bytes()).sum()
    }

    /// How many bytes came from a server so far, of all connections.
    fn came(&self, far: Far) -> u64 {
        self.proxies(far).iter().map(|proxy| proxy.passed_bytes()).sum()
    }

    fn proxies(&self, far: Far) -> Vec<&FaultProxy> {
        match far {
            Far::S3 => vec![&self.s3_proxy],
            Far::Sftp => vec![&self.sftp_proxy],
            Far::Ftp => self.ftp_proxies.data.iter().chain([&self.ftp_proxies.control]).collect(),
        }
    }

    /// The names of all objects in a folder there, as the server itself has them; ours that are not whole are left out.
    fn objects(&self, far: Far, folder: &str) -> Vec<String> {
        let (root, prefix) = match far {
            Far::S3 => {
                let prefix = format!("{folder}/");
                let names = self.s3.names();
                return names.iter().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect();
            }
            Far::Sftp => (self.user.home.clone(), folder),
            Far::Ftp => (self.ftp.root(), folder),
        };
        let all = tree(&root.join(prefix)).into_keys();
        all.filter(|name| !name.contains(".backstay-tmp-")).collect()
    }

    /// The content of an object, read behind everybody's back.
    fn object(&self, far: Far, folder: &str, name: &str) -> Vec<u8> {
        let file = match far {
            Far::S3 => self.s3.object(&format!("{folder}/{name}")).unwrap_or_else(|| panic!("no object {name}")),
            Far::Sftp => self.user.home.join(folder).join(name),
            Far::Ftp => self.ftp.root().join(folder).join(name),
        };
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }
}

fn refuse(proxy: &FaultProxy) {
    proxy.set(|faults| faults.refuse = true);
    proxy.cut_now();
}

/// The plan "p" of a server's files to four places, one of them near.
struct All {
    home: Home,
    lab: Lab,
    source: Source,
}

/// The four places of [`All`], the primary first.
const NAMES: [&str; 4] = ["near", "cloud", "box", "old"];

impl All {
    /// Sets all up; a vault where `layout` says nothing else.
    fn start(layout: &[&str]) -> Option<Self> {
        let home = Home::new();
        let lab = Lab::start()?;
        let source = Source::start(&home)?;
        make_tree(&source.data, 1);
        let near = home.path("near");
        match layout {
            [] => home.json(&["destination", "add", "near", "local", text(&near)]),
            _ => home.json(&["destination", "add", "near", "--no-vault", "local", text(&near)]),
        };
        Far::ALL.iter().for_each(|far| lab.add(&home, *far, "backups"));
        add_plan(&home, "p", "web", &source.data, &NAMES, layout);
        Some(Self { home, lab, source })
    }

    /// Each destination tells of so many backups, from its own objects, and all that lies there is sound.
    fn each_holds(&self, backups: u64) {
        assert_eq!(missing_at(&self.home), Vec::<String>::new());
        for name in NAMES {
            assert_eq!(self.home.json(&["destination", "refresh", name])["backups"], backups, "{name}");
            let page = self.home.json(&["backups", "--destination", name]);
            assert_eq!(page["total"], backups, "{name}: {page}");
        }
        let shown = self.home.json(&["show", "p@latest"]);
        let copies = shown["copies"].as_array().unwrap();
        assert_eq!(copies.len(), NAMES.len(), "{shown}");
        assert!(copies.iter().all(|copy| copy["state"] == "there"), "{shown}");
        let verify = self.home.json(&["verify", "p@latest"]);
        assert_eq!((&verify["row"]["state"], &verify["row"]["problems"]), (&"done".into(), &0.into()), "{verify}");
    }

    /// Does something while only one destination can be reached.
    fn with_only(&self, name: &str, work: impl Fn()) {
        let (near, away) = (self.home.path("near"), self.home.path("away"));
        // What was read of far vaults before must not stand in for them.
        let _ = std::fs::remove_dir_all(self.home.path(".cache"));
        if name != "near" {
            std::fs::rename(&near, &away).unwrap();
        }
        let gone: Vec<Far> = Far::ALL.into_iter().filter(|far| far.name() != name).collect();
        gone.iter().for_each(|far| self.lab.cut_off(*far));
        work();
        gone.iter().for_each(|far| self.lab.let_in(*far));
        if name != "near" {
            std::fs::rename(&away, &near).unwrap();
        }
    }
}

/// A server to back up, of its own, so that it can be stopped without the destinations.
struct Source {
    sshd: Sshd,
    data: PathBuf,
}

impl Source {
    fn start(home: &Home) -> Option<Self> {
        let sshd = Sshd::start()?;
        let user = sshd.add_user(SudoRight::None);
        let (address, key) = (format!("{}@127.0.0.1:{}", user.name, sshd.port()), sshd.key_file());
        let fingerprint = sshd.fingerprint();
        home.json(&["server", "add", "web", "--ssh", &address, "--key", text(&key), "--fingerprint", &fingerprint]);
        Some(Self { sshd, data: user.home.join("data") })
    }
}

/// A backup's plan; `layout` are the words for it.
fn add_plan(home: &Home, name: &str, server: &str, data: &Path, to: &[&str], layout: &[&str]) {
    let item = format!("files:{}", text(data));
    let mut args = vec!["plan", "add", name, "--server", server, "--item", &item];
    args.extend(to.iter().flat_map(|name| ["--to", name]));
    args.extend(layout);
    home.json(&args);
}

/// Restores a folder of a backup into a new folder of this computer, and compares.
fn restore_and_compare(home: &Home, backup: &str, data: &Path, what: &str) {
    let out = home.path("restored").join(what);
    let to = format!("This computer:{}", text(&out));
    let only = text(data).trim_start_matches('/');
    let run = home.json(&["restore", backup, "--to", &to, "--only", only, "--yes"]);
    assert_eq!(run["row"]["state"], "done", "{what}: {run}");
    assert_same(data, &out, what);
    std::fs::remove_dir_all(&out).unwrap();
}

/// Downloads a backup; returns the one file that came, in a folder of its own.
fn download(home: &Home, backup: &str, what: &str, args: &[&str]) -> PathBuf {
    let out = home.path("downloads").join(what);
    std::fs::create_dir_all(&out).unwrap();
    let run = home.json(&[&["download", backup, "--out", text(&out)], args].concat());
    assert_eq!(run["row"]["state"], "done", "{what}: {run}");
    let mut files: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{what}: {files:?}");
    files.pop().unwrap()
}

/// Downloads a backup as a tar, unpacks it by tar, and compares.
fn download_and_compare(home: &Home, backup: &str, data: &Path, what: &str, args: &[&str]) {
    let file = download(home, backup, what, &[&["--as", "tar.gz"], args].concat());
    let out = home.path("unpacked").join(what);
    std::fs::create_dir_all(&out).unwrap();
    let status = Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(&out).status().unwrap();
    assert!(status.success(), "{what}: tar cannot read {}", file.display());
    assert_same(data, &out.join(text(data).trim_start_matches('/')), what);
    std::fs::remove_dir_all(&out).unwrap();
}

/// The names of the destinations that lack a plan's newest backup.
fn missing_at(home: &Home) -> Vec<String> {
    let rows = home.json(&["backups"]);
    let missing = rows["rows"][0]["missing_at"].as_array().unwrap_or_else(|| panic!("{rows}")).clone();
    missing.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Waits until something is so, or a program ended. Returns whether it is so.
fn wait_until(child: &mut Child, is_so: impl Fn() -> bool) -> bool {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if is_so() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it neither came so far nor ended");
}

/// What the problems of a run are about.
fn subjects(run: &Value) -> Vec<&str> {
    run["problem_list"].as_array().unwrap().iter().map(|problem| problem["subject"].as_str().unwrap()).collect()
}

//! What a server is: system, tools, room, telling folders. One script, one round trip.

use crate::shell_files::df_line;
use backstay_core::config::ServerFacts;
use backstay_core::host::{Command, Host, run};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use std::collections::HashSet;
use std::time::Duration;

/// Prints one fact a line, `word TAB value`. The folders are measured side by side, each for three seconds at most.
const SCRIPT: &str = concat!(
    r#"o=; if [ -r /etc/os-release ]; then o=$(. /etc/os-release; printf %s "$PRETTY_NAME"); fi; "#,
    r#"printf 'os\t%s\n' "$o"; printf 'kernel\t%s\n' "$(uname -srm)"; printf 'hostname\t%s\n' "$(uname -n)"; "#,
    r#"printf 'user\t%s\n' "$(id -un)"; "#,
    r#"PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH; "#,
    r#"for t in tar find zstd gzip pigz rsync sudo mariadb mysql mariadb-dump mysqldump psql pg_dump pg_dumpall sqlite3 "#,
    r#"mongodump redis-cli docker podman kubectl systemctl getfacl restic; do "#,
    r#"command -v "$t" >/dev/null 2>&1 || continue; "#,
    r#"case $t in kubectl) a='version --client';; restic) a=version;; *) a=--version;; esac; "#,
    r#"v=$( { if command -v timeout >/dev/null 2>&1; then timeout 5 "$t" $a; else "$t" $a; fi; } "#,
    r#"</dev/null 2>&1 | head -n 1 | tr '\t' ' '); printf 'tool\t%s\t%s\n' "$t" "$v"; done; "#,
    r#"df -Pk 2>/dev/null | while IFS= read -r l; do printf 'df\t%s\n' "$l"; done; "#,
    r#"for d in /etc /home /root /srv /opt /usr/local /var/www /var/lib /var/log /var/mail /var/spool /var/backups /data; "#,
    r#"do [ -d "$d" ] && [ ! -L "$d" ] || continue; "#,
    r#"{ k=; if command -v timeout >/dev/null 2>&1; then k=$(timeout 3 du -skx "$d" 2>/dev/null); fi; "#,
    r#"printf 'folder\t%s\t%s\n' "$d" "${k%%[!0-9]*}"; } & done; wait"#,
);

/// File systems that hold nothing to back up.
const PSEUDO: &[&str] = &[
    "tmpfs", "devtmpfs", "udev", "none", "shm", "efivarfs", "overlay", "cgroup", "cgroup2", "proc", "sysfs", "run",
    "dev",
];

/// Finds out what a server is. `found` is left empty: kinds fill it in.
///
/// An SFTP-only account tells nothing but the room. Errors: a lost connection, `Cancelled`, `TimedOut` after a minute.
pub async fn facts(ctx: &RunContext, host: &dyn Host) -> Result<ServerFacts> {
    let mut facts = ServerFacts { seen: Some(ctx.clock.now()), ..ServerFacts::default() };
    if !host.capabilities().commands {
        if let Ok(root) = RawPath::new("/")
            && let Ok(space) = ctx.or_cancel(host.space(&root)).await
        {
            facts.space.push(("/".to_owned(), space.total_bytes, space.free_bytes));
        }
        return Ok(facts);
    }
    facts.commands = true;
    if host.route() == "on this computer" && !cfg!(unix) {
        return this_computer(facts);
    }
    let work = async {
        tokio::time::timeout(Duration::from_secs(60), run(host, Command::sh(SCRIPT, [""; 0]), b"")).await.map_err(
            |_| {
                Error::new(
                    ErrorClass::TimedOut,
                    format!("Cannot look around on {}: no answer for a minute", host.label()),
                )
            },
        )?
    };
    let output = ctx.or_cancel(work).await?;
    read(&output.text(), &mut facts);
    if facts.kernel.is_empty() {
        return Err(Error::new(ErrorClass::Unsupported, format!("Cannot look around on {}", host.label()))
            .hint("The account needs a POSIX shell")
            .detail(output.stderr));
    }
    Ok(facts)
}

/// Where there is no POSIX shell on this computer.
fn this_computer(mut facts: ServerFacts) -> Result<ServerFacts> {
    facts.os = std::env::consts::OS.to_owned();
    facts.kernel = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    facts.hostname = std::env::var("COMPUTERNAME").unwrap_or_default();
    facts.user = std::env::var("USERNAME").unwrap_or_default();
    Ok(facts)
}

fn read(text: &str, facts: &mut ServerFacts) {
    let mut devices = HashSet::new();
    for line in text.lines() {
        let Some((word, value)) = line.split_once('\t') else { continue };
        match word {
            "os" => facts.os = value.to_owned(),
            "kernel" => facts.kernel = value.to_owned(),
            "hostname" => facts.hostname = value.to_owned(),
            "user" => facts.user = value.to_owned(),
            "tool" => {
                let (name, version) = value.split_once('\t').unwrap_or((value, ""));
                facts.tools.push((name.to_owned(), version.trim().chars().take(120).collect()));
            }
            "df" => {
                let Some((device, mount, space)) = df_line(value) else { continue };
                let real = mount == "/" || (!PSEUDO.contains(&device.as_str()) && space.total_bytes > 0);
                // One device bound to many places is one room.
                if real && (mount == "/" || devices.insert(device)) {
                    facts.space.push((mount, space.total_bytes, space.free_bytes));
                }
            }
            "folder" => {
                let (path, kib) = value.split_once('\t').unwrap_or((value, ""));
                let bytes = kib.parse::<u64>().ok().map(|kib| kib.saturating_mul(1024));
                facts.folders.push((path.to_owned(), bytes));
            }
            _ => {}
        }
    }
    if facts.os.is_empty() {
        facts.os = facts.kernel.split(' ').next().unwrap_or_default().to_owned();
    }
    facts.folders.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn reads_what_the_script_prints() {
        let text = "os\tDebian GNU/Linux 12 (bookworm)\nkernel\tLinux 6.1 x86_64\nhostname\tweb\nuser\troot\n\
            tool\ttar\ttar (GNU tar) 1.34\ndf\tFilesystem 1024-blocks Used Available Capacity Mounted on\n\
            df\toverlay 100 40 60 40% /\ndf\ttmpfs 9 0 9 0% /run\ndf\t/dev/sdb1 1000 1 999 1% /data\n\
            df\t/dev/sdb1 1000 1 999 1% /data/bind\nfolder\t/etc\t7\nfolder\t/srv\t\nfolder\t/home\t900\nnoise\n";
        let mut facts = ServerFacts::default();
        read(text, &mut facts);
        assert_eq!((facts.os.as_str(), facts.user.as_str()), ("Debian GNU/Linux 12 (bookworm)", "root"));
        assert_eq!(facts.tools, [("tar".to_owned(), "tar (GNU tar) 1.34".to_owned())]);
        let mounts: Vec<_> = facts.space.iter().map(|(mount, ..)| mount.as_str()).collect();
        assert_eq!(mounts, ["/", "/data"]);
        let folders: Vec<_> = facts.folders.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
        assert_eq!(folders, [("/home", Some(921_600)), ("/etc", Some(7168)), ("/srv", None)]);
    }
}

//! The printed page of a recovery kit, as text and as HTML; and the commands on it.

use backstay_contract::RecoveryKit;
use backstay_core::config::{ArchiveSettings, FtpTls, Place, S3Place, Seal, SftpPlace, SftpVia};
use backstay_core::layout::ArchiveFormat;

/// What a page is made of.
pub(super) struct Page<'a> {
    pub what: &'static str,
    pub facts: Vec<(&'static str, String)>,
    pub secret_title: &'static str,
    pub kit: &'a RecoveryKit,
    pub joined_by: &'static str,
    pub how: &'static str,
    /// What each does, and the command.
    pub commands: Vec<(&'static str, String)>,
    pub end: &'static str,
}

impl Page<'_> {
    /// Writes it as plain text.
    pub fn text(&self) -> String {
        let mut page = format!("BACKSTAY RECOVERY KIT\n=====================\n\n{}\n\n", self.what);
        for (name, value) in &self.facts {
            page.push_str(&format!("{:<17}{value}\n", format!("{name}:")));
        }
        page.push_str(&format!("\n{}:\n\n    {}\n\n", self.secret_title, self.kit.password));
        if self.kit.words.len() > 1 {
            page.push_str(&format!("{}:\n\n", self.joined_by));
            for (at, word) in self.kit.words.iter().enumerate() {
                page.push_str(&format!("    {:>2}  {word}\n", at + 1));
            }
            page.push('\n');
        }
        page.push_str(&format!("HOW TO RESTORE\n--------------\n\n{}\n\n", self.how));
        for (what, command) in &self.commands {
            page.push_str(&format!("  # {what}\n  {command}\n\n"));
        }
        page.push_str(self.end);
        page.push('\n');
        page
    }

    /// Writes it as one self-contained HTML page.
    pub fn html(&self) -> String {
        let words = match self.kit.words.len() {
            1 => String::new(),
            _ => {
                let items: String = self.kit.words.iter().map(|word| format!("<li>{}</li>", escaped(word))).collect();
                format!("<p>{}:</p><ol>{items}</ol>", self.joined_by)
            }
        };
        let fact = |(name, value): &(&str, String)| format!("<tr><th>{name}</th><td>{}</td></tr>", escaped(value));
        let command = |(what, command): &(&str, String)| {
            format!("<dt>{}</dt><dd><code>{}</code></dd>", escaped(what), escaped(command))
        };
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backstay recovery kit: {name}</title>\n\
             <style>{STYLE}</style></head>\n<body><h1>Backstay recovery kit</h1>\n<p>{what}</p>\n<table>{facts}</table>\n\
             <h2>{title}</h2>\n<p class=\"password\">{password}</p>\n{words}\n<h2>How to restore</h2>\n<p>{how}</p>\n\
             <dl>{commands}</dl>\n<p>{end}</p>\n</body></html>\n",
            name = escaped(&self.kit.destination),
            what = self.what,
            facts = self.facts.iter().map(fact).collect::<String>(),
            title = self.secret_title,
            password = escaped(&self.kit.password),
            how = escaped(self.how),
            commands = self.commands.iter().map(command).collect::<String>(),
            end = self.end,
        )
    }
}

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;color:#111;background:#fff;max-width:44em;margin:2em auto;\
padding:0 1em}h1{font-size:22px}h2{font-size:16px;margin-top:1.6em}th{text-align:left;padding-right:1.5em;\
font-weight:600;vertical-align:top}code,.password{font-family:ui-monospace,monospace;word-break:break-all}\
.password{font-size:20px;border:1px solid #999;border-radius:6px;padding:12px}ol{columns:2;font-size:16px}\
dt{margin-top:.6em}dd{margin:0}@media print{body{margin:0}}";

/// Returns the repository as restic takes it.
pub(super) fn repository(place: &Place) -> String {
    match place {
        Place::Local { path } => path.clone(),
        Place::S3(place) => {
            let base = format!("s3:{}/{}", place.endpoint.trim_end_matches('/'), place.bucket);
            if place.prefix.is_empty() { base } else { format!("{base}/{}", place.prefix) }
        }
        Place::Sftp(SftpPlace { via: SftpVia::Own(ssh), path }) => {
            // Two slashes: a path from the root, not from the log-in folder.
            format!("sftp://{}@{}:{}/{path}", ssh.user, ssh.host, ssh.port)
        }
        Place::Sftp(_) => place.text(),
        Place::Ftp(place) => format!("rclone:backstay:{}", place.path),
    }
}

/// The restic commands of the page, with the words that say what each does.
pub(super) fn commands_for_vault(place: &Place) -> Vec<(&'static str, String)> {
    let mut commands = log_in(place);
    commands.extend([
        (
            "Say where it is (restic asks for the password)",
            format!("export RESTIC_REPOSITORY={}", shell_quoted(&repository(place))),
        ),
        ("See every backup", "restic snapshots".into()),
        ("See what is in the newest one", "restic ls latest".into()),
        ("Restore the newest one into a folder", "restic restore latest --target /restored".into()),
        ("Restore one folder of it", "restic restore latest --target /restored --include /etc".into()),
        ("Check that all is whole", "restic check --read-data".into()),
    ]);
    commands
}

/// What restic must be told before it reaches the place. Its secrets are not the vault's, and not on the page.
fn log_in(place: &Place) -> Vec<(&'static str, String)> {
    match place {
        Place::Local { .. } | Place::Sftp(_) => Vec::new(),
        Place::S3(S3Place { access_key, region, .. }) => vec![
            (
                "Say which key logs in to the store (a new one will do, if you can sign in at the provider)",
                format!(
                    "export AWS_ACCESS_KEY_ID={} AWS_DEFAULT_REGION={}",
                    shell_quoted(access_key),
                    shell_quoted(region)
                ),
            ),
            (
                "Give its secret key; it is not on this page",
                "read -rs AWS_SECRET_ACCESS_KEY; export AWS_SECRET_ACCESS_KEY".into(),
            ),
        ],
        Place::Ftp(place) => {
            let tls = match place.tls {
                FtpTls::Explicit => " RCLONE_CONFIG_BACKSTAY_EXPLICIT_TLS=true",
                FtpTls::Implicit => " RCLONE_CONFIG_BACKSTAY_TLS=true",
                FtpTls::None => "",
            };
            vec![
                (
                    "Say which server it is; restic reaches FTP through rclone (https://rclone.org)",
                    format!(
                        "export RCLONE_CONFIG_BACKSTAY_TYPE=ftp RCLONE_CONFIG_BACKSTAY_HOST={} RCLONE_CONFIG_BACKSTAY_PORT={} \
                         RCLONE_CONFIG_BACKSTAY_USER={}{tls}",
                        shell_quoted(&place.host),
                        place.port,
                        shell_quoted(&place.user)
                    ),
                ),
                (
                    "Give the FTP password; it is not on this page",
                    "read -rs P; export RCLONE_CONFIG_BACKSTAY_PASS=$(printf %s \"$P\" | rclone obscure -)".into(),
                ),
            ]
        }
    }
}

/// The commands that open a sealed archive.
pub(super) fn commands_for_archives(settings: &ArchiveSettings) -> Vec<(&'static str, String)> {
    let name = format!("archive.{}", settings.format.extension());
    let (asks, option) = match settings.seal {
        Seal::Passphrase => ("Put the passphrase into a file; it is not shown as you type", "--passphrase-file"),
        _ => ("Put the key into a file; it is not shown as you type", "--key-file"),
    };
    let unpack = match settings.format {
        ArchiveFormat::TarGz => format!("mkdir restored && tar -xzpf {name} -C restored"),
        ArchiveFormat::TarZst => format!("mkdir restored && tar --zstd -xpf {name} -C restored"),
        ArchiveFormat::Zip => format!("unzip {name} -d restored"),
    };
    vec![
        (asks, "read -rs KEY; printf %s \"$KEY\" > key.txt".into()),
        ("Open the seal", format!("python3 read_archive.py {name}.sealed {option} key.txt --plain {name}")),
        ("Unpack it; as root, owners come back too", unpack),
    ]
}

fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

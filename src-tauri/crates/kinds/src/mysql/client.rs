//! Talking to MySQL or MariaDB through the server's own tools.

use crate::dump::tool_error;
use backstay_core::host::{Command, Host, run};
use backstay_core::kind::{Item, ItemInput};
use backstay_core::{Error, ErrorClass, Result};
use serde::Deserialize;

/// Settings of kind "mysql".
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub databases: Vec<String>,
    pub socket: String,
    pub host: String,
    pub port: u16,
    pub user: String,
}

impl Settings {
    pub(super) fn parse(item: &Item) -> Result<Self> {
        serde_json::from_value(item.settings.clone())
            .map_err(|error| Error::new(ErrorClass::Invalid, format!("Cannot use the item \"{}\": {error}", item.name)))
    }
}

/// The tools found on a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Tools {
    /// The client's path; empty when there is none.
    pub client: String,
    /// The client's version line.
    pub client_version: String,
    /// The dump tool's path; empty when there is none.
    pub dump: String,
    /// The dump tool's version line.
    pub dump_version: String,
    /// The dump tool knows `--column-statistics`.
    column_statistics: bool,
    /// The dump tool knows `--set-gtid-purged`.
    gtid_purged: bool,
    /// The dump tool knows `--dump-history`.
    pub history: bool,
}

const PROBE: &str = r#"c=$(command -v mariadb || command -v mysql); d=$(command -v mariadb-dump || command -v mysqldump)
printf '%s\036' "$c"; [ -n "$c" ] && "$c" --version </dev/null 2>/dev/null | head -n 1; printf '\036'
printf '%s\036' "$d"; [ -n "$d" ] && "$d" --version </dev/null 2>/dev/null | head -n 1; printf '\036'
[ -n "$d" ] && "$d" --no-defaults --help </dev/null 2>/dev/null | grep -e column-statistics -e set-gtid-purged -e dump-history; printf '\036'"#;

impl Tools {
    pub(super) async fn probe(host: &dyn Host) -> Result<Self> {
        if !host.capabilities().commands {
            return Ok(Self::default());
        }
        let no_args: [&str; 0] = [];
        let text = run(host, Command::sh(PROBE, no_args), b"").await?.text();
        let mut parts = text.split('\u{1e}').map(|part| part.trim().to_owned());
        let mut next = || parts.next().unwrap_or_default();
        let (client, client_version, dump, dump_version, help) = (next(), next(), next(), next(), next());
        let (column_statistics, gtid_purged) = (help.contains("column-statistics"), help.contains("set-gtid-purged"));
        let history = help.contains("dump-history");
        Ok(Self { client, client_version, dump, dump_version, column_statistics, gtid_purged, history })
    }

    /// Tells whether the client understands MariaDB's sandbox line. Older ones stumble over it.
    pub(super) fn knows_sandbox(&self) -> bool {
        self.client_version.contains("MariaDB") && {
            // "… Distrib 10.11.19-MariaDB": the line came with 10.5.25, 10.6.18, 10.11.8, 11.0.6, 11.1.5, 11.2.4, 11.4.2.
            let numbers = version_numbers(&self.client_version);
            let since = [(10, 5, 25), (10, 6, 18), (10, 11, 8), (11, 0, 6), (11, 1, 5), (11, 2, 4), (11, 4, 2)];
            numbers.is_some_and(|(major, minor, patch)| {
                let line = since.iter().find(|(a, b, _)| (*a, *b) == (major, minor));
                line.map_or((major, minor) > (11, 4), |(_, _, first)| patch >= *first)
            })
        }
    }
}

/// Finds "10.11.19" right before "-MariaDB".
fn version_numbers(line: &str) -> Option<(u32, u32, u32)> {
    let before = line.split("-MariaDB").next()?;
    let text: String = before.chars().rev().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let text: String = text.chars().rev().collect();
    let mut numbers = text.split('.').map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

/// How large a row may be, or a command: as large as the protocol knows. The tools' own limit is 16 or 24 MiB.
const MOST_IN_ONE: &str = "--max-allowed-packet=1G";

/// A log-in to one database server.
pub(super) struct Client<'a> {
    pub host: &'a dyn Host,
    pub settings: &'a Settings,
    pub tools: &'a Tools,
    /// The option file that carries the password; empty when there is none.
    pub options: Vec<u8>,
}

/// Becomes the tool `$2`, which finds the first `$1` bytes of standard input as its option file, and the rest as its
/// input. The option file is a pipe that the shell fills: on no disk, and no matter what sort of thing standard input is
/// (some SSH servers make it a socket, which cannot be opened by its name).
const WITH_OPTION_FILE: &str = r#"options=$(dd bs=1 count="$1" 2>/dev/null); tool=$2; shift 2
exec "$tool" --defaults-file=/dev/fd/4 "$@" 4<<END
$options
END"#;

impl<'a> Client<'a> {
    /// Makes a client; `Unsupported` when the server has no client program.
    pub(super) fn new(host: &'a dyn Host, settings: &'a Settings, tools: &'a Tools, input: &ItemInput) -> Result<Self> {
        if tools.client.is_empty() || tools.dump.is_empty() {
            let why =
                format!("Cannot reach databases on {}: mariadb-dump or mysqldump is not installed there", host.label());
            let hint = "Install the client there (Debian: apt install mariadb-client; Alpine: apk add mariadb-client).";
            return Err(Error::new(ErrorClass::Unsupported, why).hint(hint));
        }
        let options = input.password.as_ref().filter(|p| !p.is_empty()).map(|password| {
            let quoted = password.expose().replace('\\', "\\\\").replace('"', "\\\"");
            format!("[client]\npassword=\"{quoted}\"\n").into_bytes()
        });
        Ok(Self { host, settings, tools, options: options.unwrap_or_default() })
    }

    fn log_in(&self) -> Vec<String> {
        let settings = self.settings;
        let mut args = Vec::new();
        if !settings.user.is_empty() {
            args.push(format!("--user={}", settings.user));
        }
        if !settings.host.is_empty() {
            args.push(format!("--host={}", settings.host));
            // "localhost" would mean the socket.
            args.push("--protocol=tcp".into());
        } else if !settings.socket.is_empty() {
            args.push(format!("--socket={}", settings.socket));
        }
        if settings.port != 0 {
            args.push(format!("--port={}", settings.port));
        }
        args.push("--default-character-set=utf8mb4".into());
        args
    }

    /// A tool that gets the option file first on its standard input, where there is one.
    fn command(&self, tool: &str) -> Command {
        let command = if self.options.is_empty() {
            Command::new(tool)
        } else {
            Command::sh(WITH_OPTION_FILE, [&self.options.len().to_string(), tool])
        };
        command.args(self.log_in())
    }

    /// The dump of one database, with what its tables held before where that is wanted.
    pub(super) fn dump(&self, database: &str, with_history: bool) -> Command {
        let mut command = self.command(&self.tools.dump).args([
            "--single-transaction",
            "--quick",
            "--routines",
            "--triggers",
            "--events",
            "--hex-blob",
            "--no-tablespaces",
            MOST_IN_ONE,
        ]);
        if self.tools.column_statistics {
            command = command.arg("--column-statistics=0");
        }
        if self.tools.gtid_purged {
            command = command.arg("--set-gtid-purged=OFF");
        }
        if with_history {
            command = command.arg("--dump-history");
        }
        command.args(["--databases", "--", database]).packable()
    }

    /// The dump of what a database holds beside tables and these views: triggers, routines and events.
    pub(super) fn dump_code(&self, database: &str, views: &[String]) -> Command {
        let code = ["--no-data", "--no-create-info", "--no-create-db", "--triggers", "--routines", "--events"];
        let ignored = views.iter().map(|view| format!("--ignore-table={database}.{view}"));
        self.dump_without_rows(&code).args(ignored).args(["--", database])
    }

    /// The dump of these views of a database.
    pub(super) fn dump_views(&self, database: &str, views: &[String]) -> Command {
        self.dump_without_rows(&["--no-data", "--skip-triggers"]).args(["--", database]).args(views)
    }

    fn dump_without_rows(&self, options: &[&str]) -> Command {
        let mut command = self.command(&self.tools.dump).args(["--skip-lock-tables", "--no-tablespaces"]).args(options);
        if self.tools.column_statistics {
            command = command.arg("--column-statistics=0");
        }
        if self.tools.gtid_purged {
            command = command.arg("--set-gtid-purged=OFF");
        }
        command
    }

    /// The client, fed with SQL after the option file. In binary mode no line of a dump is a command to the client itself:
    /// `\! COMMAND` would be run on the server, by whoever could change what was dumped.
    pub(super) fn load(&self) -> Command {
        self.command(&self.tools.client).args(["--batch", "--binary-mode", MOST_IN_ONE]).packable()
    }

    /// Asks one question; rows of columns come back.
    pub(super) async fn query(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let command = self.command(&self.tools.client).args(["--batch", "--skip-column-names"]);
        let output = run(self.host, command.arg(format!("--execute={sql}")), &self.options).await?;
        if !output.status.success() {
            let tried = format!("Cannot log in to the database server on {}", self.host.label());
            return Err(tool_error(&tried, "the client", &output.status.to_string(), &output.stderr));
        }
        Ok(output.text().lines().map(|line| line.split('\t').map(unescape).collect()).collect())
    }
}

/// Undoes the escapes of `--batch`.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('0')) => out.push('\0'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

/// Quotes a name for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_line_is_kept_only_for_clients_that_know_it() {
        for (line, want) in [
            ("mariadb  Ver 15.1 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)", true),
            ("mysql  Ver 15.1 Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)", false),
            ("mysql  Ver 15.1 Distrib 10.3.39-MariaDB, for debian-linux-gnu", false),
            ("mariadb from 11.8.2-MariaDB, client 15.2 for debian-linux-gnu", true),
            ("mysql  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)", false),
        ] {
            let tools = Tools { client_version: line.into(), ..Tools::default() };
            assert_eq!(tools.knows_sandbox(), want, "{line}");
        }
    }
}

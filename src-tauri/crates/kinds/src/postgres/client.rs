//! Talking to PostgreSQL through the server's own tools.

use crate::dump::tool_error;
use backstay_core::host::{Command, Host, Output, run};
use backstay_core::kind::{Item, ItemInput};
use backstay_core::{Error, ErrorClass, Result, Secret};
use serde::Deserialize;

/// Settings of kind "postgres".
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub databases: Vec<String>,
    pub host: String,
    pub port: u16,
    pub user: String,
    pub format: String,
    pub globals: bool,
}

impl Settings {
    pub(super) fn parse(item: &Item) -> Result<Self> {
        let invalid =
            |why: String| Error::new(ErrorClass::Invalid, format!("Cannot use the item \"{}\": {why}", item.name));
        let settings: Self = serde_json::from_value(item.settings.clone()).map_err(|e| invalid(e.to_string()))?;
        if !["", "custom", "plain"].contains(&settings.format.as_str()) {
            return Err(invalid(format!("the format \"{}\" is neither custom nor plain", settings.format)));
        }
        Ok(settings)
    }

    pub(super) fn is_plain(&self) -> bool {
        self.format == "plain"
    }
}

/// A log-in to one database server, with the tools that fit it.
pub(super) struct Client<'a> {
    pub host: &'a dyn Host,
    settings: &'a Settings,
    password: Option<Secret>,
    /// Commands are run as the system's user `postgres`, because we are root and no user is set.
    as_postgres: bool,
    /// The folder of the tools, with its slash; empty means those in PATH.
    tools: String,
    /// The server's version: "15.8", and 15.
    pub version: String,
    pub major: u32,
    /// The version line of pg_dump.
    pub dump_version: String,
}

const PROBE: &str = r#"cd /; id -u; printf '\036'; command -v psql; printf '\036'; pg_dump --version </dev/null 2>/dev/null; printf '\036'
ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin 2>/dev/null; printf '\036'; command -v runuser; printf '\036'"#;

/// Enters a folder everyone may enter, so that tools do not complain about the one we came from.
const FROM_ROOT: &str = r#"cd /; exec "$@""#;

impl<'a> Client<'a> {
    /// Finds the tools, logs in and compares versions. `Unsupported` when the tools are missing or too old.
    pub(super) async fn connect(host: &'a dyn Host, settings: &'a Settings, input: &ItemInput) -> Result<Self> {
        let no_args: [&str; 0] = [];
        let probe = if host.capabilities().commands {
            run(host, Command::sh(PROBE, no_args), b"").await?.text()
        } else {
            String::new()
        };
        let mut parts = probe.split('\u{1e}').map(|part| part.trim().to_owned());
        let mut next = || parts.next().unwrap_or_default();
        let (uid, psql, dump_version, folders, runuser) = (next(), next(), next(), next(), next());
        let label = host.label();
        if psql.is_empty() || dump_version.is_empty() {
            let why = format!("Cannot reach databases on {label}: psql and pg_dump are not installed there");
            let hint =
                "Install the client there (Debian: apt install postgresql-client; Alpine: apk add postgresql-client).";
            return Err(Error::new(ErrorClass::Unsupported, why).hint(hint));
        }
        let mut client = Self {
            host,
            settings,
            password: input.password.clone().filter(|password| !password.is_empty()),
            as_postgres: settings.user.is_empty() && uid == "0" && !runuser.is_empty(),
            tools: String::new(),
            version: String::new(),
            major: 0,
            dump_version,
        };
        let rows = client.query("postgres", "show server_version", 1).await?;
        client.version = rows.into_iter().flatten().next().unwrap_or_default();
        client.major = leading_number(&client.version);
        client.choose_tools(&folders).await?;
        Ok(client)
    }

    /// A pg_dump older than the server refuses to work; another version may lie beside it.
    async fn choose_tools(&mut self, folders: &str) -> Result<()> {
        let dump_major = |line: &str| {
            line.split_whitespace()
                .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
                .map_or(0, leading_number)
        };
        if dump_major(&self.dump_version) >= self.major {
            return Ok(());
        }
        for folder in folders.lines() {
            let output = run(self.host, Command::new(format!("{folder}/pg_dump")).arg("--version"), b"").await?;
            let line = output.text().trim().to_owned();
            if output.status.success() && dump_major(&line) >= self.major {
                (self.tools, self.dump_version) = (format!("{folder}/"), line);
                return Ok(());
            }
        }
        let why = format!(
            "Cannot dump databases on {}: {} is older than the server, which is {}",
            self.host.label(),
            self.dump_version,
            self.version
        );
        let hint = format!(
            "Install the client of version {} there (Debian: apt install postgresql-client-{}).",
            self.major, self.major
        );
        Err(Error::new(ErrorClass::Unsupported, why).hint(hint))
    }

    /// A tool with the log-in in its environment, where no name can be taken for an option or a connection string.
    fn command(&self, tool: &str, database: &str) -> Command {
        let program = format!("{}{tool}", self.tools);
        let mut command = if self.as_postgres {
            Command::sh(FROM_ROOT, ["runuser", "-u", "postgres", "--", program.as_str()])
        } else {
            Command::sh(FROM_ROOT, [program.as_str()])
        };
        let settings = self.settings;
        command = command.env("PGDATABASE", database).env("PGCLIENTENCODING", "UTF8").env("PGAPPNAME", "backstay");
        if !settings.user.is_empty() {
            command = command.env("PGUSER", &settings.user);
        }
        if !settings.host.is_empty() {
            command = command.env("PGHOST", &settings.host);
        }
        if settings.port != 0 {
            command = command.env("PGPORT", &settings.port.to_string());
        }
        if let Some(password) = &self.password {
            command = command.secret_env("PGPASSWORD", password.clone());
        }
        command
    }

    /// Asks one question of `columns` columns; rows come back.
    pub(super) async fn query(&self, database: &str, sql: &str, columns: usize) -> Result<Vec<Vec<String>>> {
        let command =
            self.command("psql", database).args(["-X", "-A", "-t", "-q", "-w", "-z", "-0", "-v", "ON_ERROR_STOP=1"]);
        let output = self.psql(command.args(["-c", sql]), b"").await?;
        let text = output.text();
        let fields: Vec<String> = text.strip_suffix('\0').unwrap_or(&text).split('\0').map(str::to_owned).collect();
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        Ok(fields.chunks(columns).map(<[String]>::to_vec).collect())
    }

    /// Runs statements, all of them or none. They go in by standard input: settings hold secrets at times.
    pub(super) async fn execute(&self, database: &str, sql: &str) -> Result<()> {
        self.psql(self.load_plain(database, true), format!("{sql};\n").as_bytes()).await.map(drop)
    }

    async fn psql(&self, command: Command, stdin: &[u8]) -> Result<Output> {
        let output = run(self.host, command, stdin).await?;
        if !output.status.success() {
            let tried = format!("Cannot ask the database server on {}", self.host.label());
            return Err(tool_error(&tried, "psql", &output.status.to_string(), &output.stderr));
        }
        Ok(output)
    }

    /// Tells whether psql can be kept from obeying commands in what it reads.
    pub(super) async fn can_restrict(&self) -> Result<bool> {
        let command = self.command("psql", "postgres").arg("--help=commands");
        Ok(run(self.host, command, b"").await?.text().contains("\\restrict"))
    }

    /// Tells whether the server makes objects of JSON: since 9.4.
    pub(super) fn has_json(&self) -> bool {
        self.major >= 10 || ["9.4", "9.5", "9.6"].iter().any(|version| self.version.starts_with(version))
    }

    /// The dump of one database.
    pub(super) fn dump(&self, database: &str) -> Command {
        let command = self.command("pg_dump", database).arg("--no-password");
        if self.settings.is_plain() {
            command.args(["--format=plain", "--clean", "--if-exists"]).packable()
        } else {
            command.arg("--format=custom")
        }
    }

    /// The dump of roles and tablespaces.
    pub(super) fn dump_globals(&self) -> Command {
        self.command("pg_dumpall", "postgres").args(["--no-password", "--globals-only"])
    }

    /// psql, fed with SQL; stops at the first error when told so.
    pub(super) fn load_plain(&self, database: &str, stop: bool) -> Command {
        let stop = if stop { "ON_ERROR_STOP=1" } else { "ON_ERROR_STOP=0" };
        let command = self.command("psql", database).args(["-X", "-q", "-w", "-o", "/dev/null", "-v", stop]).packable();
        if stop == "ON_ERROR_STOP=1" { command.arg("--single-transaction") } else { command }
    }

    /// pg_restore, fed with a custom dump, all of it or nothing.
    pub(super) fn load_custom(&self, database: &str, clean: bool) -> Command {
        // Without a database named it would print SQL; as a connection string any name is safe.
        let name = format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"));
        let command =
            self.command("pg_restore", database).args(["--no-password", "--exit-on-error", "--single-transaction"]);
        let command = if clean { command.args(["--clean", "--if-exists"]) } else { command };
        command.args(["--dbname", &name])
    }
}

fn leading_number(text: &str) -> u32 {
    text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// Quotes a name for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text for SQL, so that it is the same whatever a server takes a backslash for.
pub(super) fn literal(text: &str) -> String {
    let text = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
}

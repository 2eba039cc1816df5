//! Real MariaDB and PostgreSQL servers on loopback, each test its own.
//!
//! Making a data folder takes seconds, copying one takes milliseconds: it is made once for each user of this machine,
//! under a lock, and copied for each test.

mod start;

use start::{end, from_template, on_free_port, wait_for};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The password of both servers' owner.
pub const OWNER_PASSWORD: &str = "owner \"pass\\word' #1";

fn failed(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Finds a program in PATH or in one of `folders`.
fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).chain(folders.iter().cloned());
    all.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn postgres_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// A command run as another user of this machine; as ourselves where we are not root.
fn as_user(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}

/// Runs a command to its end; what it said is the error.
fn run(command: &mut Command) -> io::Result<()> {
    let output = command.current_dir("/").stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(failed(&format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&said))))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A folder that other users of this machine may pass through.
fn open_folder() -> io::Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("bslab").tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    Ok(dir)
}

fn give(user: &str, path: &Path) -> io::Result<()> {
    if is_root() { run(Command::new("chown").arg("-R").arg(format!("{user}:")).arg(path)) } else { Ok(()) }
}

/// Runs a client with `sql` as its input and returns what it printed.
fn ask(mut command: Command, sql: &str) -> io::Result<String> {
    let mut child =
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or_else(|| failed("no standard input"))?;
    let sql = sql.to_owned();
    let feed = std::thread::spawn(move || stdin.write_all(sql.as_bytes()));
    let output = child.wait_with_output()?;
    let _ = feed.join();
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A running MariaDB whose owner is `root` with [`OWNER_PASSWORD`]. Dropping it ends it.
pub struct MariaDb {
    dir: TempDir,
    server: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl MariaDb {
    /// Starts a server, or returns `None` after printing why this machine cannot.
    pub fn start() -> io::Result<Option<Self>> {
        let programs =
            ["mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump"].map(|name| (name, find(name, &[])));
        if let Some((name, _)) = programs.iter().find(|(_, path)| path.is_none()) {
            println!("skipped: {name} is not installed");
            return Ok(None);
        }
        on_free_port(Self::try_start).map(Some)
    }

    fn try_start() -> io::Result<Self> {
        let dir = open_folder()?;
        let data = dir.path().join("data");
        let program = find("mariadbd", &[]).unwrap_or_default();
        from_template("mariadb", &program, &data, Self::make_template)?;
        let port = free_port()?;
        let log = dir.path().join("log");
        let mut command = Command::new(program);
        command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
        command.arg(format!("--socket={}", dir.path().join("s.sock").display()));
        command.arg(format!("--pid-file={}", dir.path().join("data/pid").display()));
        command.args([&format!("--port={port}"), "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=32M"]);
        command.args(["--performance-schema=OFF", "--innodb-flush-log-at-trx-commit=0", "--event-scheduler=OFF"]);
        if is_root() {
            command.arg("--user=mysql");
            give("mysql", dir.path())?;
        }
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?).spawn()?;
        let mut started = Self { dir, server, port };
        let socket = started.socket();
        wait_for(&mut started.server, &log, || std::os::unix::net::UnixStream::connect(&socket).is_ok())?;
        let password = OWNER_PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
        let open = started.client_as(None);
        ask(open, &format!("alter user root@localhost identified by '{password}';"))?;
        Ok(started)
    }

    fn make_template(data: &Path) -> io::Result<()> {
        fs::create_dir(data)?;
        let mut command = Command::new(find("mariadb-install-db", &[]).unwrap_or_default());
        command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        command.arg("--innodb-log-file-size=8M").arg(format!("--datadir={}", data.display()));
        if is_root() {
            command.arg("--user=mysql");
            give("mysql", data)?;
        }
        run(&mut command)
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s.sock")
    }

    fn client_as(&self, password: Option<&str>) -> Command {
        let mut command = Command::new(find("mariadb", &[]).unwrap_or_default());
        command.args([
            "--no-defaults",
            "--user=root",
            "--default-character-set=utf8mb4",
            "--batch",
            "--skip-column-names",
        ]);
        command.arg(format!("--socket={}", self.socket().display()));
        command.envs(password.map(|password| ("MYSQL_PWD", password)));
        command
    }

    /// Runs SQL as the owner and returns what it printed.
    pub fn sql(&self, sql: &str) -> io::Result<String> {
        ask(self.client_as(Some(OWNER_PASSWORD)), sql)
    }

    /// Makes a database with views, triggers, procedures, events, blobs and emoji in it.
    pub fn load_fixture(&self, database: &str) -> io::Result<()> {
        let name = database.replace('`', "``");
        self.sql(&format!(
            "create database `{name}` character set utf8mb4 collate utf8mb4_bin; use `{name}`;\n{}",
            include_str!("databases/fixture-mysql.sql")
        ))?;
        Ok(())
    }

    /// Returns what tells one content of a database from another: checksums of its tables, and what else is in it.
    pub fn fingerprint(&self, database: &str) -> io::Result<String> {
        let name = database.replace('\'', "''");
        let quoted = format!("`{}`", database.replace('`', "``"));
        let tables = self.sql(&format!(
            "select table_name from information_schema.tables where table_schema = '{name}' and table_type = 'BASE TABLE' order by 1"
        ))?;
        let mut out = String::new();
        for table in tables.lines() {
            let sum = self.sql(&format!("checksum table {quoted}.`{}`", table.replace('`', "``")))?;
            out.push_str(&format!("{table} {}\n", sum.split('\t').nth(1).unwrap_or_default().trim()));
        }
        out.push_str(&self.sql(&format!(
            "select 'view', table_name from information_schema.views where table_schema = '{name}' order by 2; \
             select 'trigger', trigger_name, action_statement from information_schema.triggers where trigger_schema = '{name}' order by 2; \
             select 'routine', routine_name, routine_definition from information_schema.routines where routine_schema = '{name}' order by 2; \
             select 'event', event_name, event_definition from information_schema.events where event_schema = '{name}' order by 2; \
             select default_character_set_name, default_collation_name from information_schema.schemata where schema_name = '{name}'"
        ))?);
        Ok(out)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        end(&mut self.server, "-TERM");
    }
}

/// A running PostgreSQL whose owner is `postgres` with [`OWNER_PASSWORD`]. Dropping it ends it.
pub struct Postgres {
    dir: TempDir,
    server: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Postgres {
    /// Starts a server, or returns `None` after printing why this machine cannot.
    pub fn start() -> io::Result<Option<Self>> {
        let folders = postgres_folders();
        for name in ["postgres", "initdb", "psql", "pg_dump", "pg_restore"] {
            if find(name, &folders).is_none() {
                println!("skipped: {name} is not installed");
                return Ok(None);
            }
        }
        on_free_port(Self::try_start).map(Some)
    }

    fn try_start() -> io::Result<Self> {
        let dir = open_folder()?;
        let data = dir.path().join("data");
        let program = find("postgres", &postgres_folders()).unwrap_or_default();
        from_template("postgres", &program, &data, Self::make_template)?;
        give("postgres", dir.path())?;
        let port = free_port()?;
        let log = dir.path().join("log");
        let mut command = as_user("postgres", &program);
        command.arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        command.arg("-c").arg(format!("port={port}")).arg("-c");
        command.arg(format!("unix_socket_directories={}", dir.path().display()));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut started = Self { server: command.spawn()?, dir, port };
        let mut probe = started.client("postgres");
        // By its socket: should its port be another's, that one must not answer for it.
        probe.env("PGHOST", started.socket_folder());
        probe.args(["-c", "select 1"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let probe = std::sync::Mutex::new(probe);
        wait_for(&mut started.server, &log, || {
            probe.lock().is_ok_and(|mut probe| probe.status().is_ok_and(|status| status.success()))
        })?;
        Ok(started)
    }

    fn make_template(data: &Path) -> io::Result<()> {
        let base = data.parent().ok_or_else(|| failed("no folder"))?;
        let password = base.join("password");
        fs::write(&password, OWNER_PASSWORD)?;
        fs::create_dir(data)?;
        fs::set_permissions(data, fs::Permissions::from_mode(0o700))?;
        give("postgres", data)?;
        give("postgres", &password)?;
        let mut command = as_user("postgres", &find("initdb", &postgres_folders()).unwrap_or_default());
        command.arg("-D").arg(data).args([
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "scram-sha-256",
            "--no-sync",
        ]);
        run(command.arg(format!("--pwfile={}", password.display())))?;
        fs::remove_file(password)
    }

    /// The folder of its socket.
    pub fn socket_folder(&self) -> &Path {
        self.dir.path()
    }

    fn client(&self, database: &str) -> Command {
        let mut command = Command::new(find("psql", &postgres_folders()).unwrap_or_default());
        command.args(["-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1"]);
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "postgres");
        command
            .env("PGPASSWORD", OWNER_PASSWORD)
            .env("PGDATABASE", OsStr::new(database))
            .env("PGCLIENTENCODING", "UTF8");
        command
    }

    /// Runs SQL in a database as the owner and returns what it printed.
    pub fn sql(&self, database: &str, sql: &str) -> io::Result<String> {
        ask(self.client(database), sql)
    }

    /// Logs in to a database and stays there; returns once it is there. The caller ends it.
    pub fn session(&self, database: &str) -> io::Result<Child> {
        let mut child = self.client(database).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.as_mut().ok_or_else(|| failed("no standard input"))?.write_all(b"select 1;\n")?;
        let mut answer = [0; 2];
        io::Read::read_exact(&mut child.stdout.as_mut().ok_or_else(|| failed("no standard output"))?, &mut answer)?;
        Ok(child)
    }

    /// Makes a database with views, triggers, functions, sequences, large objects and emoji in it.
    pub fn load_fixture(&self, database: &str) -> io::Result<()> {
        self.sql("postgres", &format!("create database \"{}\" template template0", database.replace('"', "\"\"")))?;
        self.sql(database, include_str!("databases/fixture-postgres.sql"))?;
        Ok(())
    }

    /// Returns what tells one content of a database from another.
    pub fn fingerprint(&self, database: &str) -> io::Result<String> {
        self.sql(
            database,
            "select 'note', id, body, md5(data), made from note order by id; select 'view', * from long_notes order by 1, 2; \
             select 'audit', count(*) from audit; select 'next', last_value from note_id_seq; \
             select 'lob', md5(lo_get(oid)) from pg_largeobject_metadata order by 2; \
             select 'function', proname, prosrc from pg_proc where proname in ('shout', 'watch') order by 2; \
             select 'trigger', tgname from pg_trigger where not tgisinternal order by 2; \
             select 'index', indexdef from pg_indexes where schemaname = 'public' order by 2; \
             select 'odd', * from \"odd \"\"schema\".\"Odd Table\"",
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Fast shutdown; below runuser the server is a child that gets the signal passed on.
        let pid = fs::read_to_string(self.dir.path().join("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            let _ = Command::new("kill").args(["-INT", pid]).status();
        }
        end(&mut self.server, "-TERM");
    }
}

//! Kind "postgres": databases of PostgreSQL through pg_dump, roles and tablespaces through pg_dumpall.

mod beside;
mod client;
mod globals;
mod made;
mod plain;
mod restore;
mod toc;

use crate::dump::{self, Dump, Whole};
use crate::problems::Problems;
use async_trait::async_trait;
use backstay_core::entry::{Entry, EntrySink, EntrySource};
use backstay_core::host::{Host, SharedHost};
use backstay_core::kind::{
    ABOUT_FILE, CheckReport, CollectReport, Found, Item, ItemInput, Kind, Preflight, RestoreOptions, RestorePlan,
    RestoreReport,
};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use client::{Client, Settings};
use made::Made;

/// PostgreSQL.
pub(crate) struct Postgres;

/// How whole dumps look.
const PLAIN: Whole = Whole { head: b"--", tail: b"-- PostgreSQL database dump complete", at_least: 100 };
const CUSTOM: Whole = Whole { head: b"PGDMP", tail: b"", at_least: 100 };
const GLOBALS: Whole = Whole { head: b"--", tail: b"-- PostgreSQL database cluster dump complete", at_least: 50 };

/// The file of roles and tablespaces. No database's file begins so, and it comes first, as databases need the roles.
const GLOBALS_FILE: &str = "!globals.sql";

/// One database of a server, with what is needed to make it anew.
#[derive(Clone)]
struct Database {
    name: String,
    bytes: u64,
    owner: String,
    encoding: String,
    collate: String,
    ctype: String,
}

const LIST: &str = "select datname, coalesce(case when has_database_privilege(datname, 'CONNECT') \
    then pg_database_size(datname) end, 0), pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype \
    from pg_database where datallowconn and not datistemplate order by datname";

const COUNT_TABLES: &str = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')";

async fn databases(client: &Client<'_>) -> Result<Vec<Database>> {
    let rows = client.query("postgres", LIST, 6).await?;
    let database = |row: Vec<String>| {
        let mut fields = row.into_iter();
        let mut next = || fields.next().unwrap_or_default();
        Database {
            name: next(),
            bytes: next().parse().unwrap_or_default(),
            owner: next(),
            encoding: next(),
            collate: next(),
            ctype: next(),
        }
    };
    Ok(rows.into_iter().map(database).collect())
}

#[async_trait]
impl Kind for Postgres {
    fn id(&self) -> &'static str {
        "postgres"
    }

    fn validate(&self, item: &Item) -> Result<()> {
        Settings::parse(item).map(drop)
    }

    fn describe(&self, item: &Item) -> String {
        match Settings::parse(item) {
            Ok(settings) if !settings.databases.is_empty() => format!("PostgreSQL: {}", settings.databases.join(", ")),
            _ => "all PostgreSQL databases".into(),
        }
    }

    async fn discover(&self, ctx: &RunContext, host: &dyn Host) -> Result<Vec<Found>> {
        let item = Item { name: "postgres".into(), kind: "postgres".into(), settings: serde_json::json!({}) };
        let input = ItemInput { item, password: None };
        let settings = Settings::default();
        ctx.check()?;
        let found = async {
            let client = Client::connect(host, &settings, &input).await?;
            let list = databases(&client).await?;
            Ok::<_, backstay_core::Error>((client.version, list))
        };
        let (version, list) = match found.await {
            Ok(found) => found,
            Err(error) if error.class.ends_the_run() => return Err(error),
            Err(_) => return Ok(Vec::new()),
        };
        let found = |database: Database| Found {
            kind: "postgres".into(),
            title: format!("PostgreSQL {version}: {}", database.name),
            note: "through the local socket".into(),
            size_bytes: Some(database.bytes),
            suggested: database.name != "postgres",
            settings: serde_json::json!({ "databases": [database.name], "format": "custom", "globals": true }),
        };
        Ok(list.into_iter().map(found).collect())
    }

    async fn preflight(&self, ctx: &RunContext, host: &dyn Host, input: &ItemInput) -> Result<Preflight> {
        let settings = Settings::parse(&input.item)?;
        let client = Client::connect(host, &settings, input).await?;
        ctx.check()?;
        let (wanted, missing) = pick(databases(&client).await?, &settings);
        if wanted.is_empty() {
            return Err(nothing_there(host, &settings));
        }
        let mut preflight = Preflight {
            facts: vec![format!("PostgreSQL {}", client.version), client.dump_version.clone()],
            warnings: missing.iter().map(|name| format!("The database {name} is not there")).collect(),
            bytes: Some(wanted.iter().map(|database| database.bytes).sum()),
        };
        let rows = client.query("postgres", "select rolsuper from pg_roles where rolname = current_user", 1).await?;
        if rows.into_iter().flatten().next().as_deref() != Some("t") {
            let why = "The user is no superuser: large objects of others, and roles, cannot be dumped; the database then fails whole";
            preflight.warnings.push(why.into());
        }
        Ok(preflight)
    }

    async fn collect(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        sink: &mut dyn EntrySink,
    ) -> Result<CollectReport> {
        ctx.or_cancel(collect(ctx, host, input, sink)).await
    }

    async fn plan_restore(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        listing: &[Entry],
        options: &RestoreOptions,
    ) -> Result<RestorePlan> {
        ctx.or_cancel(restore::plan(host, input, listing, options)).await
    }

    async fn restore(
        &self,
        ctx: &RunContext,
        host: &SharedHost,
        input: &ItemInput,
        source: &mut dyn EntrySource,
        plan: &RestorePlan,
        options: &RestoreOptions,
    ) -> Result<RestoreReport> {
        restore::restore(ctx, host.as_ref(), input, source, plan, options).await
    }

    async fn check(&self, ctx: &RunContext, _: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport> {
        toc::check(ctx, source).await
    }
}

fn nothing_there(host: &dyn Host, settings: &Settings) -> Error {
    let what = if settings.databases.is_empty() { "any database".into() } else { settings.databases.join(", ") };
    let why = format!("Cannot back up {what} on {}: there is none, or this user may not see it", host.label());
    Error::new(ErrorClass::Missing, why).hint("Check the databases in the plan and what its user may read")
}

fn pick(there: Vec<Database>, settings: &Settings) -> (Vec<Database>, Vec<String>) {
    if settings.databases.is_empty() {
        return (there, Vec::new());
    }
    let known = |name: &String| there.iter().any(|database| database.name == *name);
    let missing = settings.databases.iter().filter(|name| !known(name)).cloned().collect();
    (there.into_iter().filter(|database| settings.databases.contains(&database.name)).collect(), missing)
}

async fn collect(
    ctx: &RunContext,
    host: &dyn Host,
    input: &ItemInput,
    sink: &mut dyn EntrySink,
) -> Result<CollectReport> {
    let settings = Settings::parse(&input.item)?;
    let client = Client::connect(host, &settings, input).await?;
    let mut problems = Problems::new(ctx, &input.item.name);
    ctx.progress.phase(Phase::Dumping);
    let (wanted, missing) = pick(databases(&client).await?, &settings);
    for name in missing {
        problems.report(ProblemKind::Database, format!("database {name}"), "It is not there");
    }
    if wanted.is_empty() {
        return Err(nothing_there(host, &settings));
    }
    ctx.progress.total(Some(wanted.len() as u64), Some(wanted.iter().map(|d| d.bytes).sum()));
    let mut report = CollectReport::default();
    if settings.globals {
        let dumping = Dump {
            subject: "roles and tablespaces".into(),
            tool: "pg_dumpall".into(),
            stdin: Vec::new(),
            whole: GLOBALS,
            like: None,
        };
        let process = host.start(client.dump_globals()).await?;
        let path = input.root().join(GLOBALS_FILE)?;
        count(&mut report, dumping.collect(ctx, host, process, path, &mut problems, sink).await?);
    }
    let mut around = Made::look(&client).await?;
    let mut listed = Vec::new();
    for database in &wanted {
        ctx.check()?;
        ctx.progress.current(&format!("database {}", database.name));
        let (ending, whole) = if settings.is_plain() { ("sql", PLAIN) } else { ("dump", CUSTOM) };
        let path = input.root().join(format!("{}.{ending}", dump::file_name(&database.name)))?;
        let tables =
            client.query(&database.name, COUNT_TABLES, 1).await.ok().and_then(|rows| rows.into_iter().flatten().next());
        let dumping = Dump {
            subject: format!("database {}", database.name),
            tool: "pg_dump".into(),
            stdin: Vec::new(),
            whole,
            like: None,
        };
        let process = host.start(client.dump(&database.name)).await?;
        let length = dumping.collect(ctx, host, process, path.clone(), &mut problems, sink).await?;
        count(&mut report, length);
        if let Some(length) = length {
            ctx.progress.advance(1, 0);
            let mut about = serde_json::json!({
                "name": database.name, "file": path.name().map(backstay_core::path::escape), "dump_bytes": length,
                "database_bytes": database.bytes, "tables": tables.and_then(|n| n.parse::<u64>().ok()),
                "owner": database.owner, "encoding": database.encoding,
                "collate": database.collate, "ctype": database.ctype,
            });
            if let (Some(about), Some(serde_json::Value::Object(more))) =
                (about.as_object_mut(), around.remove(&database.name))
            {
                about.extend(more);
            }
            listed.push(about);
        }
    }
    if listed.is_empty() {
        let why = format!("Cannot back up databases on {}: none of {} could be dumped", host.label(), wanted.len());
        return Err(Error::new(ErrorClass::Internal, why).hint("See the problems of this run for the reasons"));
    }
    let about = serde_json::json!({
        "version": 1, "kind": "postgres", "server": format!("PostgreSQL {}", client.version),
        "tool": client.dump_version, "format": if settings.is_plain() { "plain" } else { "custom" }, "databases": listed,
    });
    let text = serde_json::to_string_pretty(&about).unwrap_or_default();
    dump::add_text(ctx, sink, input.root().join(ABOUT_FILE)?, &text).await?;
    Ok(report)
}

fn count(report: &mut CollectReport, length: Option<u64>) {
    if let Some(length) = length {
        report.files += 1;
        report.files_read += 1;
        report.bytes += length;
        report.bytes_read += length;
    }
}

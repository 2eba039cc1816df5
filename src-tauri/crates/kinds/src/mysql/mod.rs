//! Kind "mysql": databases of MySQL and MariaDB, through mysqldump.

mod client;
mod history;
mod holding;
mod rename;
mod restore;
mod room;
mod swap;
mod trigger;

use crate::dump::{self, Dump, Whole};
use crate::problems::Problems;
use async_trait::async_trait;
use backstay_core::entry::{Entry, EntrySink, EntrySource};
use backstay_core::host::{Host, SharedHost};
use backstay_core::kind::{
    CheckReport, CollectReport, Found, Item, ItemInput, Kind, Preflight, RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use client::{Client, Settings, Tools};
use history::History;

/// MySQL and MariaDB.
pub(crate) struct Mysql;

/// How a whole dump looks. MariaDB's begins with its sandbox line, MySQL's with a comment; both end with this.
pub(super) const WHOLE: Whole = Whole { head: b"", tail: b"-- Dump completed", at_least: 100 };

/// One database of a server.
struct Database {
    name: String,
    bytes: u64,
    tables: u64,
    /// Tables whose engine has no transactions: a dump of them is not of one moment.
    without_transactions: u64,
}

const LIST: &str = "select s.schema_name, coalesce(sum(t.data_length + t.index_length), 0), count(t.table_name), \
    coalesce(sum(t.engine in ('MyISAM', 'Aria', 'MEMORY', 'CSV')), 0) from information_schema.schemata s \
    left join information_schema.tables t on t.table_schema = s.schema_name and t.table_type = 'BASE TABLE' \
    where s.schema_name not in ('information_schema', 'performance_schema', 'mysql', 'sys') \
    group by s.schema_name order by s.schema_name";

async fn databases(client: &Client<'_>) -> Result<Vec<Database>> {
    let rows = client.query(LIST).await?;
    let number = |row: &[String], at: usize| row.get(at).and_then(|n| n.parse().ok()).unwrap_or_default();
    let database = |row: Vec<String>| Database {
        bytes: number(&row, 1),
        tables: number(&row, 2),
        without_transactions: number(&row, 3),
        name: row.into_iter().next().unwrap_or_default(),
    };
    Ok(rows.into_iter().map(database).collect())
}

async fn version(client: &Client<'_>) -> Result<String> {
    let rows = client.query("select version(), @@version_comment").await?;
    let row = rows.into_iter().next().unwrap_or_default();
    let version = row.first().cloned().unwrap_or_default();
    let product = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    Ok(format!("{product} {}", version.trim_end_matches("-log").replace("-MariaDB", "")))
}

#[async_trait]
impl Kind for Mysql {
    fn id(&self) -> &'static str {
        "mysql"
    }

    fn validate(&self, item: &Item) -> Result<()> {
        Settings::parse(item).map(drop)
    }

    fn describe(&self, item: &Item) -> String {
        match Settings::parse(item) {
            Ok(settings) if !settings.databases.is_empty() => format!("MySQL: {}", settings.databases.join(", ")),
            _ => "all MySQL databases".into(),
        }
    }

    async fn discover(&self, ctx: &RunContext, host: &dyn Host) -> Result<Vec<Found>> {
        let tools = Tools::probe(host).await?;
        let settings = Settings::default();
        let item = Item { name: "mysql".into(), kind: "mysql".into(), settings: serde_json::json!({}) };
        let input = ItemInput { item, password: None };
        let Ok(client) = Client::new(host, &settings, &tools, &input) else {
            return Ok(Vec::new());
        };
        ctx.check()?;
        let (version, list) = match (version(&client).await, databases(&client).await) {
            (Ok(version), Ok(list)) => (version, list),
            (Err(error), _) | (_, Err(error)) if error.class == ErrorClass::Offline => return Err(error),
            _ => return Ok(Vec::new()),
        };
        let found = |database: Database| Found {
            kind: "mysql".into(),
            title: format!("{version}: {}", database.name),
            note: format!("{} tables, through the local socket", database.tables),
            size_bytes: Some(database.bytes),
            settings: serde_json::json!({ "databases": [database.name] }),
            suggested: true,
        };
        Ok(list.into_iter().map(found).collect())
    }

    async fn preflight(&self, ctx: &RunContext, host: &dyn Host, input: &ItemInput) -> Result<Preflight> {
        let settings = Settings::parse(&input.item)?;
        let tools = Tools::probe(host).await?;
        let client = Client::new(host, &settings, &tools, input)?;
        ctx.check()?;
        let mut preflight =
            Preflight { facts: vec![version(&client).await?, tools.dump_version.clone()], ..Preflight::default() };
        let (wanted, missing) = pick(databases(&client).await?, &settings);
        missing.iter().for_each(|name| preflight.warnings.push(format!("The database {name} is not there")));
        if wanted.is_empty() {
            return Err(nothing_there(host, &settings));
        }
        preflight.bytes = Some(wanted.iter().map(|database| database.bytes).sum());
        for database in wanted.iter().filter(|database| database.without_transactions > 0) {
            let count = database.without_transactions;
            let why = format!(
                "{}: {count} tables without transactions (MyISAM); what is written to them during the dump may be torn",
                database.name
            );
            preflight.warnings.push(why);
        }
        preflight.warnings.extend(missing_grants(&client).await?);
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
        restore::restore(ctx, host, input, source, plan, options).await
    }

    async fn check(&self, ctx: &RunContext, _: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport> {
        crate::check::dumps(ctx, source, |name| name.ends_with(b".sql").then_some(WHOLE)).await
    }
}

fn nothing_there(host: &dyn Host, settings: &Settings) -> Error {
    let what = if settings.databases.is_empty() { "any database".into() } else { settings.databases.join(", ") };
    let why = format!("Cannot back up {what} on {}: there is none, or this user may not see it", host.label());
    Error::new(ErrorClass::Missing, why).hint("Check the databases in the plan and what its user may read")
}

/// Splits into what is wanted and there, and the names of what is not there.
fn pick(there: Vec<Database>, settings: &Settings) -> (Vec<Database>, Vec<String>) {
    if settings.databases.is_empty() {
        return (there, Vec::new());
    }
    let known = |name: &String| there.iter().any(|database| database.name == *name);
    let missing = settings.databases.iter().filter(|name| !known(name)).cloned().collect();
    (there.into_iter().filter(|database| settings.databases.contains(&database.name)).collect(), missing)
}

/// Says which rights a whole dump would need and the user lacks, as far as `show grants` tells.
async fn missing_grants(client: &Client<'_>) -> Result<Vec<String>> {
    let rows = client.query("show grants").await.unwrap_or_default();
    let text = rows.into_iter().flatten().collect::<Vec<_>>().join("\n").to_uppercase();
    if text.is_empty() || text.contains("ALL PRIVILEGES") {
        return Ok(Vec::new());
    }
    let needed = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "LOCK TABLES"];
    let missing: Vec<&str> = needed.into_iter().filter(|right| !text.contains(right)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![format!("The user lacks the rights {}: what needs them will be missing or fail", missing.join(", "))])
}

async fn collect(
    ctx: &RunContext,
    host: &dyn Host,
    input: &ItemInput,
    sink: &mut dyn EntrySink,
) -> Result<CollectReport> {
    let settings = Settings::parse(&input.item)?;
    let tools = Tools::probe(host).await?;
    let client = Client::new(host, &settings, &tools, input)?;
    let mut problems = Problems::new(ctx, &input.item.name);
    ctx.progress.phase(Phase::Dumping);
    let server = version(&client).await?;
    let (wanted, missing) = pick(databases(&client).await?, &settings);
    for name in missing {
        problems.report(ProblemKind::Database, format!("database {name}"), "It is not there");
    }
    if wanted.is_empty() {
        return Err(nothing_there(host, &settings));
    }
    ctx.progress.total(Some(wanted.len() as u64), Some(wanted.iter().map(|d| d.bytes).sum()));
    let mut report = CollectReport::default();
    let mut listed = Vec::new();
    for database in &wanted {
        ctx.check()?;
        ctx.progress.current(&format!("database {}", database.name));
        let path = input.root().join(format!("{}.sql", dump::file_name(&database.name)))?;
        let history = History::of(&client, &database.name).await?;
        if let History::Left(Some(why)) = &history {
            problems.report(ProblemKind::Skipped, format!("database {}", database.name), why);
        }
        let process = host.start(client.dump(&database.name, history == History::Dumped)).await?;
        let dumping = Dump {
            subject: format!("database {}", database.name),
            tool: tool_name(&tools.dump),
            stdin: client.options.clone(),
            whole: WHOLE,
            like: None,
        };
        let Some(length) = dumping.collect(ctx, host, process, path.clone(), &mut problems, sink).await? else {
            continue;
        };
        ctx.progress.advance(1, 0);
        report.files += 1;
        report.files_read += 1;
        report.bytes += length;
        report.bytes_read += length;
        listed.push(serde_json::json!({
            "name": database.name, "file": path.name().map(backstay_core::path::escape), "dump_bytes": length,
            "database_bytes": database.bytes, "tables": database.tables,
        }));
    }
    if listed.is_empty() {
        let why = format!("Cannot back up databases on {}: none of {} could be dumped", host.label(), wanted.len());
        return Err(Error::new(ErrorClass::Internal, why).hint("See the problems of this run for the reasons"));
    }
    let about = serde_json::json!({
        "version": 1, "kind": "mysql", "server": server, "tool": tools.dump_version, "databases": listed,
    });
    let text = serde_json::to_string_pretty(&about).unwrap_or_default();
    dump::add_text(ctx, sink, input.root().join("item.json")?, &text).await?;
    Ok(report)
}

fn tool_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

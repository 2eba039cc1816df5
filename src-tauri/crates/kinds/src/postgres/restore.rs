//! Bringing PostgreSQL databases back.

use super::beside::Beside;
use super::client::{Client, Settings};
use super::globals::There;
use super::made::Made;
use super::{CUSTOM, GLOBALS, GLOBALS_FILE, PLAIN, databases, plain};
use crate::databases::{self as common, Target};
use crate::dump::{Edges, Whole};
use crate::load::Load;
use crate::problems::Problems;
use backstay_core::entry::{Entry, EntrySource};
use backstay_core::host::Host;
use backstay_core::kind::{
    ABOUT_FILE, Change, ChangeKind, ItemInput, RestoreMode, RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use std::collections::HashMap;
use tokio::io::AsyncReadExt;

/// What the file of them is called in messages.
const ROLES: &str = "roles and tablespaces";
/// What we wrote ourselves needs no look.
const ANY: Whole = Whole { head: b"", tail: b"", at_least: 0 };
const TOO_OLD: &str = "psql there obeys commands within a plain dump: restore only what comes from a server you trust, or \
    update it first (to 13.22, 14.19, 15.14, 16.10, 17.6 or later)";
/// So many roles are named in a warning.
const NAMED: usize = 20;
/// Roles are few; a file beyond this is none.
const GLOBALS_BYTES: u64 = 64 << 20;

fn ending(entry: &Entry) -> &'static str {
    let plain = entry.path.name().is_some_and(|name| name.ends_with(b".sql"));
    if plain { ".sql" } else { ".dump" }
}

pub(super) async fn plan(
    host: &dyn Host,
    input: &ItemInput,
    listing: &[Entry],
    options: &RestoreOptions,
) -> Result<RestorePlan> {
    let settings = Settings::parse(&input.item)?;
    let client = Client::connect(host, &settings, input).await?;
    let there: Vec<String> = databases(&client).await?.into_iter().map(|database| database.name).collect();
    let mut plan =
        RestorePlan { facts: vec![format!("PostgreSQL {} there", client.version)], ..RestorePlan::default() };
    let is_globals = |entry: &&Entry| entry.path.name() == Some(GLOBALS_FILE.as_bytes());
    let globals = listing.iter().filter(|entry| options.to.is_none() && options.picks(&entry.path)).find(is_globals);
    if let Some(entry) = globals {
        let (kind, target) = match options.mode {
            RestoreMode::Replace => (ChangeKind::Overwrite, ROLES.to_owned()),
            _ => (ChangeKind::Create, format!("{ROLES} that are missing")),
        };
        if kind == ChangeKind::Overwrite {
            plan.warnings.push(what_replace_means(&There::look(&client).await?));
        }
        plan.changes.push(Change {
            kind,
            item: input.item.name.clone(),
            target,
            path: Some(entry.path.clone()),
            is_dir: false,
            size_bytes: entry.size_bytes,
            target_mtime: None,
        });
    }
    for ending in [".dump", ".sql"] {
        let part = common::plan(input, listing, options, &there, ending);
        if ending == ".sql" && !part.changes.is_empty() && !client.can_restrict().await? {
            plan.warnings.push(TOO_OLD.into());
        }
        plan.changes.extend(part.changes);
        plan.kept += part.kept;
        plan.warnings.extend(part.warnings);
        plan.facts.extend(part.facts);
    }
    Ok(plan)
}

/// Says whom it concerns that roles are set as they were; what is in the backup is read only when it is restored.
fn what_replace_means(there: &There) -> String {
    let roles = there.may_change();
    let more = if roles.len() > NAMED { format!(" and {} more", roles.len() - NAMED) } else { String::new() };
    let named = roles.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let there_now = if named.is_empty() { String::new() } else { format!(" There are now: {named}{more}.") };
    let stay = there.untouchable.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!(
        "Roles get the passwords, rights and memberships they had in the backup, also those taken away since.{there_now} \
         Not changed: {stay}"
    )
}

pub(super) async fn restore(
    ctx: &RunContext,
    host: &dyn Host,
    input: &ItemInput,
    source: &mut dyn EntrySource,
    plan: &RestorePlan,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    let settings = Settings::parse(&input.item)?;
    let client = ctx.or_cancel(Client::connect(host, &settings, input)).await?;
    let mut problems = Problems::new(ctx, &input.item.name);
    ctx.progress.phase(Phase::Restoring);
    let mut wanted = common::wanted(plan);
    ctx.progress.total(Some(wanted.len() as u64), Some(plan.changes.iter().map(|c| c.size_bytes).sum()));
    let mut report = RestoreReport { kept: plan.kept, ..RestoreReport::default() };
    let mut made = HashMap::new();
    while let Some(entry) = ctx.or_cancel(source.next()).await? {
        ctx.check()?;
        if entry.path.name() == Some(ABOUT_FILE.as_bytes()) {
            made = ctx.or_cancel(read_about(source)).await?;
            continue;
        }
        let Some(kind) = wanted.get(&entry.path).copied() else {
            continue;
        };
        let is_globals = entry.path.name() == Some(GLOBALS_FILE.as_bytes());
        let target = Target::of(&entry.path, ending(&entry), options);
        let subject = match (&target, is_globals) {
            (_, true) => ROLES.to_owned(),
            (Some(target), _) => format!("database {}", target.name),
            (None, _) => continue,
        };
        ctx.progress.current(&subject);
        let loading = Loading { ctx, client: &client, mode: options.mode, exists: kind == ChangeKind::Overwrite };
        let loaded = match &target {
            Some(target) if !is_globals => {
                loading.database(&entry, target, made.get(&target.original), source, &mut problems).await.map(Some)
            }
            _ => ctx.or_cancel(loading.globals(source, &mut problems)).await,
        };
        match loaded {
            Ok(None) => {
                wanted.remove(&entry.path);
                report.kept += 1;
                ctx.progress.advance(1, 0);
            }
            Ok(Some(bytes)) => {
                report.files += 1;
                report.bytes += bytes;
                ctx.progress.advance(1, 0);
            }
            Err(error) if error.class.ends_the_run() => return Err(error),
            Err(error) => problems.report(ProblemKind::Database, subject, common::advice(&error)),
        }
    }
    common::finish(host, &wanted, report)
}

struct Loading<'a> {
    ctx: &'a RunContext,
    client: &'a Client<'a>,
    mode: RestoreMode,
    exists: bool,
}

impl Loading<'_> {
    /// Loads a database that is made anew beside the place it takes at the end, so that what was there before stays as it
    /// was until the new one is whole; or, to be merged, loads into the one that is there.
    async fn database(
        &self,
        entry: &Entry,
        target: &Target,
        made: Option<&Made>,
        source: &mut dyn EntrySource,
        problems: &mut Problems<'_>,
    ) -> Result<u64> {
        let name = &target.name;
        if self.exists && self.mode != RestoreMode::Replace {
            return self.load(entry, name, name, source).await;
        }
        // Only what the plan saw there, and said is replaced, may go.
        let may_replace = self.exists && self.mode == RestoreMode::Replace;
        let beside = Beside::make(self.client, name, made, may_replace).await?;
        let whole = match self.load(entry, name, &beside.temporary, source).await {
            Ok(bytes) => beside.take_the_place().await.map(|notes| (bytes, notes)),
            Err(error) => Err(error),
        };
        match whole {
            Ok((bytes, notes)) => {
                for note in notes {
                    problems.report(ProblemKind::Database, format!("database {name}"), note);
                }
                Ok(bytes)
            }
            Err(error) => Err(beside.give_up(error).await),
        }
    }

    /// Loads the dump of `name` into the database `into`, all of it or nothing.
    async fn load(&self, entry: &Entry, name: &str, into: &str, source: &mut dyn EntrySource) -> Result<u64> {
        let subject = format!("database {name}");
        let mut load = Load { subject: &subject, tool: "pg_restore", before: Vec::new(), whole: CUSTOM };
        let mut content = source.content();
        let mut command = self.client.load_custom(into, into == name);
        if ending(entry) == ".sql" {
            (load.tool, load.whole) = ("psql", PLAIN);
            command = self.client.load_plain(into, true);
            let tried = format!("Cannot restore {subject}: the backup");
            let unlocking = async { plain::unlocked(content).await.map_err(|e| Error::io(tried, e)) };
            content = self.ctx.or_cancel(unlocking).await?;
            if self.client.can_restrict().await? {
                load.before = plain::lock();
            }
        }
        let loading = load.run(self.ctx, self.client.host, command, content, Edges::default());
        let (bytes, said) = self.ctx.or_cancel(loading).await?;
        said.lines().filter(|line| !line.trim().is_empty()).for_each(|line| self.ctx.progress.log(line));
        Ok(bytes)
    }

    /// Makes what is missing, and in `replace` sets also what is there; `None` when that is nothing. What fails is a
    /// problem, and the rest goes on.
    async fn globals(&self, source: &mut dyn EntrySource, problems: &mut Problems<'_>) -> Result<Option<u64>> {
        let (ctx, host) = (self.ctx, self.client.host);
        let damaged = |why: String| {
            let why = format!("Cannot restore {ROLES} on {}: {why}", host.label());
            Error::new(ErrorClass::Corrupt, why).hint("Verify the backup, and restore an older one")
        };
        let dump = read_small(source, GLOBALS_BYTES).await?;
        let mut edges = Edges::default();
        edges.push(&dump);
        if let Some(fault) = GLOBALS.fault(edges.length, &edges.head, &edges.tail) {
            return Err(damaged(fault));
        }
        let text = String::from_utf8(dump).map_err(|_| damaged("it is not UTF-8".into()))?;
        let chosen = There::look(self.client).await?.choose(&text, self.mode).map_err(damaged)?;
        for words in chosen.strange {
            problems.report(
                ProblemKind::Database,
                ROLES,
                format!("Not run, as pg_dumpall writes no such thing: {words}"),
            );
        }
        if chosen.count == 0 {
            ctx.progress.log(&format!("All {ROLES} of the backup are there, and stay as they are"));
            return Ok(None);
        }
        for (what, names) in [("Made", chosen.made), ("Set as in the backup", chosen.changed)] {
            if !names.is_empty() {
                let names = names.into_iter().collect::<Vec<_>>().join(", ");
                ctx.progress.log(&format!("{what}, of {ROLES}: {names}"));
            }
        }
        let load = Load { subject: ROLES, tool: "psql", before: Vec::new(), whole: ANY };
        let command = self.client.load_plain("postgres", false);
        let sql = Box::new(std::io::Cursor::new(chosen.sql.into_bytes()));
        let (bytes, said) = load.run(ctx, host, command, sql, Edges::default()).await?;
        for line in said.lines().filter(|line| line.contains("ERROR:")) {
            problems.report(ProblemKind::Database, ROLES, line.trim());
        }
        Ok(Some(bytes))
    }
}

async fn read_small(source: &mut dyn EntrySource, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut content = source.content().take(limit);
    content.read_to_end(&mut bytes).await.map_err(|e| Error::io("Cannot read the backup", e))?;
    Ok(bytes)
}

async fn read_about(source: &mut dyn EntrySource) -> Result<HashMap<String, Made>> {
    let bytes = read_small(source, 16 << 20).await?;
    let about: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let list = about["databases"].as_array().cloned().unwrap_or_default();
    Ok(list.iter().filter_map(|value| Some((value["name"].as_str()?.to_owned(), Made::parse(value)))).collect())
}

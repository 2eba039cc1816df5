//! Bringing PostgreSQL databases back.

use super::beside::Beside;
use super::client::{Client, Settings};
use super::{CUSTOM, GLOBALS, GLOBALS_FILE, PLAIN, databases};
use crate::databases::{self as common, Target};
use crate::dump::Edges;
use crate::load::Load;
use crate::problems::Problems;
use backstay_core::entry::{Entry, EntrySource};
use backstay_core::host::Host;
use backstay_core::kind::{Change, ChangeKind, ItemInput, RestoreMode, RestoreOptions, RestorePlan, RestoreReport};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, Result, RunContext};
use std::collections::HashMap;
use tokio::io::AsyncReadExt;

/// What the item knows of its databases. It comes before them in path order, since it tells how to make them.
pub(super) const ABOUT_FILE: &str = "!item.json";

/// How a database was made: owner, encoding, collation, character type.
#[derive(Clone, Default)]
pub(super) struct Made {
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
}

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
    for entry in listing.iter().filter(|entry| options.picks(&entry.path)) {
        // What tells how to make the databases comes along whenever it can.
        let (kind, target) = match entry.path.name() {
            Some(name) if name == GLOBALS_FILE.as_bytes() && options.to.is_none() => {
                (ChangeKind::Overwrite, "roles and tablespaces")
            }
            Some(name) if name == ABOUT_FILE.as_bytes() => (ChangeKind::Create, "settings of the databases"),
            _ => continue,
        };
        plan.changes.push(Change {
            kind,
            item: input.item.name.clone(),
            target: target.into(),
            path: Some(entry.path.clone()),
            is_dir: false,
            size_bytes: entry.size_bytes,
            target_mtime: None,
        });
    }
    for ending in [".dump", ".sql"] {
        let part = common::plan(input, listing, options, &there, ending);
        plan.changes.extend(part.changes);
        plan.kept += part.kept;
        plan.warnings.extend(part.warnings);
        plan.facts.extend(part.facts);
    }
    Ok(plan)
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
    wanted.retain(|path, _| path.name() != Some(ABOUT_FILE.as_bytes()));
    ctx.progress.total(Some(wanted.len() as u64), Some(plan.changes.iter().map(|c| c.size_bytes).sum()));
    let mut report = RestoreReport { kept: plan.kept, ..RestoreReport::default() };
    let mut made = HashMap::new();
    while let Some(entry) = ctx.or_cancel(source.next()).await? {
        ctx.check()?;
        if entry.path.name() == Some(ABOUT_FILE.as_bytes()) {
            made = ctx.or_cancel(read_about(source)).await?;
            continue;
        }
        let Some(kind) = wanted.get(&entry.path) else {
            continue;
        };
        let is_globals = entry.path.name() == Some(GLOBALS_FILE.as_bytes());
        let target = Target::of(&entry.path, ending(&entry), options);
        let subject = match (&target, is_globals) {
            (_, true) => "roles and tablespaces".to_owned(),
            (Some(target), _) => format!("database {}", target.name),
            (None, _) => continue,
        };
        ctx.progress.current(&subject);
        let loading = Loading { ctx, client: &client, mode: options.mode, exists: *kind == ChangeKind::Overwrite };
        let loaded = match &target {
            Some(target) if !is_globals => {
                loading.database(&entry, target, made.get(&target.original), source, &mut problems).await
            }
            _ => loading.globals(source, &mut problems).await,
        };
        match loaded {
            Ok(bytes) => {
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
        let beside = Beside::make(self.ctx, self.client, name, made, may_replace).await?;
        let whole = match self.load(entry, name, &beside.temporary, source).await {
            Ok(bytes) => beside.take_the_place().await.map(|left| (bytes, left)),
            Err(error) => Err(error),
        };
        match whole {
            Ok((bytes, left)) => {
                if let Some(left) = left {
                    problems.report(ProblemKind::Database, format!("database {name}"), left);
                }
                Ok(bytes)
            }
            Err(error) => Err(beside.give_up(error).await),
        }
    }

    /// Loads the dump of `name` into the database `into`, all of it or nothing.
    async fn load(&self, entry: &Entry, name: &str, into: &str, source: &mut dyn EntrySource) -> Result<u64> {
        let subject = format!("database {name}");
        let (command, tool, whole) = if ending(entry) == ".sql" {
            (self.client.load_plain(into, true), "psql", PLAIN)
        } else {
            (self.client.load_custom(into, into == name), "pg_restore", CUSTOM)
        };
        let load = Load { subject: &subject, tool, before: Vec::new(), whole };
        let loading = load.run(self.ctx, self.client.host, command, source.content(), Edges::default());
        let (bytes, said) = self.ctx.or_cancel(loading).await?;
        said.lines().filter(|line| !line.trim().is_empty()).for_each(|line| self.ctx.progress.log(line));
        Ok(bytes)
    }

    /// Roles that are there already are no problem; anything else that fails is one, and the rest goes on.
    async fn globals(&self, source: &mut dyn EntrySource, problems: &mut Problems<'_>) -> Result<u64> {
        let load = Load { subject: "roles and tablespaces", tool: "psql", before: Vec::new(), whole: GLOBALS };
        let command = self.client.load_plain("postgres", false);
        let loading = load.run(self.ctx, self.client.host, command, source.content(), Edges::default());
        let (bytes, said) = self.ctx.or_cancel(loading).await?;
        for line in said.lines().filter(|line| line.contains("ERROR:")) {
            if line.contains("already exists") || line.contains("current user cannot be") {
                self.ctx.progress.log(line);
            } else {
                problems.report(ProblemKind::Database, "roles and tablespaces", line.trim());
            }
        }
        Ok(bytes)
    }
}

async fn read_about(source: &mut dyn EntrySource) -> Result<HashMap<String, Made>> {
    let mut bytes = Vec::new();
    let mut content = source.content().take(16 << 20);
    content.read_to_end(&mut bytes).await.map_err(|e| Error::io("Cannot read the backup", e))?;
    let about: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = about["databases"].as_array().cloned().unwrap_or_default();
    let made = |value: &serde_json::Value| Made {
        owner: text(value, "owner"),
        encoding: text(value, "encoding"),
        collate: text(value, "collate"),
        ctype: text(value, "ctype"),
    };
    Ok(list.iter().map(|value| (text(value, "name"), made(value))).collect())
}

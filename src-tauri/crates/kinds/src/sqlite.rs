//! Kind "sqlite": database files, copied by SQLite's own backup command, never as live files.

mod link;
mod put;

use crate::databases as common;
use crate::dump::{self, Dump, Edges, Whole};
use crate::problems::Problems;
use async_trait::async_trait;
use backstay_core::entry::{Entry, EntrySink, EntrySource};
use backstay_core::host::{Command, Host, SharedHost, run};
use backstay_core::kind::{
    Change, ChangeKind, CheckReport, CollectReport, Found, Item, ItemInput, Kind, Preflight, RestoreMode,
    RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

/// SQLite.
pub(crate) struct Sqlite;

const HEAD: &[u8] = b"SQLite format 3\0";
const WHOLE: Whole = Whole { head: HEAD, tail: b"", at_least: 512 };

/// Copies the database `$1` into a private folder, checks the copy and prints it. The copy has no name any more while
/// it is printed, so that nothing can leave it behind.
///
/// Whatever another process writes makes `.backup` begin anew: of a database in constant use it would never end. A read
/// transaction around it holds the moment fast. With a write-ahead log that is in nobody's way; with a rollback journal
/// it holds off who writes for as long as the copy takes, so there it comes second, when a minute without did not do.
const BACKUP: &str = r#"umask 077; d=$(mktemp -d) || exit 70; trap 'rm -rf "$d"' EXIT; trap 'exit 71' HUP INT TERM PIPE
[ -f "$1" ] || { echo "unable to open database file: No such file" >&2; exit 74; }
m=$(sqlite3 -readonly "$1" 'pragma journal_mode' 2>/dev/null)
[ "$m" != wal ] && timeout 60 sqlite3 -bail -readonly "$1" '.timeout 60000' ".backup '$d/copy'" >/dev/null 2>&1 || {
rm -f "$d"/copy*; begin='begin; select 1 from sqlite_master where rowid < 0'
sqlite3 -bail -readonly "$1" '.timeout 60000' "$begin" ".backup '$d/copy'" >&2 || exit 72; }
[ -s "$d/copy" ] || { echo 'the copy is empty' >&2; exit 72; }
r=$(sqlite3 -bail -readonly "$d/copy" 'pragma integrity_check(10)' 2>&1)
[ "$r" = ok ] || { echo "integrity check: $r" >&2; exit 73; }
exec 3<"$d/copy"; rm -rf "$d"; cat <&3"#;

const FIND: &str = r#"find /srv /var/lib /var/www /opt /home /root -xdev -maxdepth 7 -type f \( -name '*.db' -o -name '*.sqlite' -o -name '*.sqlite3' -o -name '*.db3' \) -size +0 -print 2>/dev/null | head -n 500 | while IFS= read -r f; do
h=$(head -c 15 "$f" 2>/dev/null | tr -d '\0'); [ "$h" = 'SQLite format 3' ] && printf '%s\037%s\036' "$(wc -c <"$f")" "$f"; done; exit 0"#;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    paths: Vec<String>,
}

/// Returns the databases' absolute paths.
fn parse(item: &Item) -> Result<Vec<RawPath>> {
    let invalid =
        |why: String| Error::new(ErrorClass::Invalid, format!("Cannot use the item \"{}\": {why}", item.name));
    let settings: Settings = serde_json::from_value(item.settings.clone()).map_err(|e| invalid(e.to_string()))?;
    if settings.paths.is_empty() {
        return Err(invalid("no database file is picked".into()).hint("Pick at least one file"));
    }
    let mut paths = Vec::new();
    for text in settings.paths {
        let path = RawPath::from_text(&text).map_err(|e| invalid(e.to_string()))?;
        if !path.is_absolute() {
            return Err(invalid(format!("{text} is not an absolute path")));
        }
        paths.push(path);
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

async fn tool(host: &dyn Host) -> Result<String> {
    if host.capabilities().commands {
        let output = run(host, Command::new("sqlite3").arg("--version"), b"").await;
        match output {
            Ok(output) if output.status.success() => {
                let version = output.text().split_whitespace().next().unwrap_or_default().to_owned();
                return Ok(format!("sqlite3 {version}"));
            }
            Err(error) if error.class.ends_the_run() => return Err(error),
            _ => {}
        }
    }
    let why = format!("Cannot copy SQLite databases on {}: sqlite3 is not installed there", host.label());
    let hint = "Install it there (Debian: apt install sqlite3; Alpine: apk add sqlite). A live copy could be torn";
    Err(Error::new(ErrorClass::Unsupported, why).hint(hint))
}

#[async_trait]
impl Kind for Sqlite {
    fn id(&self) -> &'static str {
        "sqlite"
    }

    fn validate(&self, item: &Item) -> Result<()> {
        parse(item).map(drop)
    }

    fn describe(&self, item: &Item) -> String {
        let paths = parse(item).unwrap_or_default();
        format!("SQLite: {}", paths.iter().map(RawPath::to_text).collect::<Vec<_>>().join(", "))
    }

    async fn discover(&self, ctx: &RunContext, host: &dyn Host) -> Result<Vec<Found>> {
        if !host.capabilities().commands {
            return Ok(Vec::new());
        }
        let no_args: [&str; 0] = [];
        let output = ctx.or_cancel(run(host, Command::sh(FIND, no_args), b"")).await?;
        let mut found = Vec::new();
        for record in output.stdout.split(|b| *b == 0x1e).filter(|record| !record.is_empty()) {
            let mut parts = record.splitn(2, |b| *b == 0x1f);
            let size = parts.next().and_then(|n| std::str::from_utf8(n).ok()).and_then(|n| n.trim().parse().ok());
            let Some(Ok(path)) = parts.next().map(RawPath::new) else {
                continue;
            };
            found.push(Found {
                kind: "sqlite".into(),
                title: format!("SQLite: {path}"),
                note: String::new(),
                size_bytes: size,
                settings: serde_json::json!({ "paths": [path.to_text()] }),
                suggested: false,
            });
        }
        Ok(found)
    }

    async fn preflight(&self, ctx: &RunContext, host: &dyn Host, input: &ItemInput) -> Result<Preflight> {
        let mut preflight = Preflight { facts: vec![tool(host).await?], ..Preflight::default() };
        let mut bytes = 0;
        let mut there = 0;
        for path in parse(&input.item)? {
            ctx.check()?;
            match link::stat(host, &path).await {
                Ok(entry) => {
                    there += 1;
                    bytes += entry.size_bytes;
                }
                Err(error) if error.class.ends_the_run() => return Err(error),
                Err(_) => preflight.warnings.push(format!("{path} is not there, or not to be seen by this user")),
            }
        }
        if there == 0 {
            let why = format!("Cannot back up SQLite databases on {}: none of the files is there", host.label());
            return Err(Error::new(ErrorClass::Missing, why).hint("Check the paths in the plan"));
        }
        preflight.bytes = Some(bytes);
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
        let mut plan = RestorePlan { facts: vec![tool(host).await?], ..RestorePlan::default() };
        for entry in listing.iter().filter(|entry| entry.is_file() && options.picks(&entry.path)) {
            ctx.check()?;
            let Some(target) = target(input, &entry.path, options)? else {
                continue;
            };
            let real = match link::target(host, &target).await {
                Ok(real) => real,
                Err(error) if error.class.ends_the_run() => return Err(error),
                Err(error) => {
                    plan.warnings.push(error.message);
                    target.clone()
                }
            };
            if real != target {
                plan.warnings.push(format!("{target} is a link: the database goes where it leads, {real}"));
            }
            let there = match host.stat(&real).await {
                Ok(there) => Some(there),
                Err(error) if error.class == ErrorClass::Missing => None,
                Err(error) => return Err(error),
            };
            let keep = match (&there, options.mode) {
                (None, _) => false,
                (Some(_), RestoreMode::Missing) => true,
                (Some(there), RestoreMode::Newer) => there.mtime >= entry.mtime,
                _ => false,
            };
            if keep {
                plan.kept += 1;
                continue;
            }
            if there.is_some() {
                plan.warnings.push(format!("Stop what uses {target} first: it is replaced under its feet"));
            }
            plan.changes.push(Change {
                kind: if there.is_some() { ChangeKind::Overwrite } else { ChangeKind::Create },
                item: input.item.name.clone(),
                target: target.to_text(),
                path: Some(entry.path.clone()),
                is_dir: false,
                size_bytes: entry.size_bytes,
                target_mtime: there.map(|there| there.mtime.to_parts().0),
            });
        }
        Ok(plan)
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
        restore(ctx, host, input, source, plan, options).await
    }

    async fn check(&self, ctx: &RunContext, input: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport> {
        ctx.progress.phase(Phase::Checking);
        let about = input.root().join("item.json")?;
        let mut report = CheckReport::default();
        while let Some(entry) = source.next().await? {
            ctx.check()?;
            if !entry.is_file() || entry.path == about {
                continue;
            }
            report.checked += 1;
            let mut content = source.content();
            let mut edges = Edges::default();
            let mut piece = vec![0; 256 << 10];
            let fault = loop {
                match content.read(&mut piece).await {
                    Ok(0) => break fault(&edges),
                    Ok(read) => edges.push(&piece[..read]),
                    Err(error) => break Some(Error::io("Cannot read it", error).message),
                }
            };
            ctx.progress.advance(1, edges.length);
            report.faults.extend(fault.map(|why| (entry.path.to_text(), why)));
        }
        Ok(report)
    }
}

/// Compares the header's page size and count with the length.
fn fault(edges: &Edges) -> Option<String> {
    if let Some(fault) = WHOLE.fault(edges.length, &edges.head, &edges.tail) {
        return Some(fault);
    }
    let number =
        |at: usize, length: usize| edges.head[at..at + length].iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let page = match number(16, 2) {
        1 => 65_536,
        page => page,
    };
    let wanted = page * number(28, 4);
    (wanted != edges.length).then(|| format!("it has {} bytes where its header says {wanted}", edges.length))
}

/// Returns where a database goes; `None` for what is no database of the item.
fn target(input: &ItemInput, path: &RawPath, options: &RestoreOptions) -> Result<Option<RawPath>> {
    let Some(below) = path.below(&input.root()).filter(|below| below.as_bytes() != b"item.json") else {
        return Ok(None);
    };
    match &options.to {
        None => Ok(Some(below.to_absolute())),
        // Its own name is enough at another place, unless more than one database goes there.
        Some(to) if parse(&input.item)?.len() == 1 => Ok(Some(to.join(below.name().unwrap_or_default())?)),
        Some(to) => Ok(Some(to.join(below.as_bytes())?)),
    }
}

async fn collect(
    ctx: &RunContext,
    host: &dyn Host,
    input: &ItemInput,
    sink: &mut dyn EntrySink,
) -> Result<CollectReport> {
    let paths = parse(&input.item)?;
    let tool = tool(host).await?;
    let mut problems = Problems::new(ctx, &input.item.name);
    ctx.progress.phase(Phase::Dumping);
    ctx.progress.total(Some(paths.len() as u64), None);
    let mut report = CollectReport::default();
    let mut listed = Vec::new();
    for path in &paths {
        ctx.check()?;
        ctx.progress.current(&path.to_text());
        let like = match link::stat(host, path).await {
            Err(error) if error.class.ends_the_run() => return Err(error),
            known => known.ok(),
        };
        let process = host.start(Command::sh(BACKUP, [path.as_bytes()]).packable()).await?;
        let (subject, tool) = (path.to_text(), "sqlite3".to_owned());
        let dumping = Dump { subject, tool, stdin: Vec::new(), whole: WHOLE, like };
        let place = input.root().join(path.to_relative().as_bytes())?;
        let Some(length) = dumping.collect(ctx, host, process, place, &mut problems, sink).await? else {
            continue;
        };
        ctx.progress.advance(1, 0);
        report.files += 1;
        report.files_read += 1;
        report.bytes += length;
        report.bytes_read += length;
        listed.push(serde_json::json!({ "path": path.to_text(), "bytes": length }));
    }
    if listed.is_empty() {
        let why =
            format!("Cannot back up SQLite databases on {}: none of {} could be copied", host.label(), paths.len());
        return Err(Error::new(ErrorClass::Internal, why).hint("See the problems of this run for the reasons"));
    }
    let about = serde_json::json!({ "version": 1, "kind": "sqlite", "tool": tool, "databases": listed });
    let text = serde_json::to_string_pretty(&about).unwrap_or_default();
    dump::add_text(ctx, sink, input.root().join("item.json")?, &text).await?;
    Ok(report)
}

async fn restore(
    ctx: &RunContext,
    host: &SharedHost,
    input: &ItemInput,
    source: &mut dyn EntrySource,
    plan: &RestorePlan,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    ctx.or_cancel(tool(host.as_ref())).await?;
    let mut problems = Problems::new(ctx, &input.item.name);
    ctx.progress.phase(Phase::Restoring);
    let wanted = common::wanted(plan);
    ctx.progress.total(Some(wanted.len() as u64), Some(plan.changes.iter().map(|c| c.size_bytes).sum()));
    let mut report = RestoreReport { kept: plan.kept, ..RestoreReport::default() };
    while let Some(entry) = ctx.or_cancel(source.next()).await? {
        ctx.check()?;
        let Some(target) = wanted.get(&entry.path).map(|_| target(input, &entry.path, options)).transpose()?.flatten()
        else {
            continue;
        };
        let subject = target.to_text();
        ctx.progress.current(&subject);
        match put::put(ctx, host, &entry, &target, source.content()).await {
            Ok((bytes, note)) => {
                if let Some(note) = note {
                    problems.report(ProblemKind::Unwritable, subject, note);
                }
                report.files += 1;
                report.bytes += bytes;
                ctx.progress.advance(1, 0);
            }
            Err(error) if error.class.ends_the_run() => return Err(error),
            Err(error) => problems.report(ProblemKind::Database, subject, common::advice(&error)),
        }
    }
    common::finish(host.as_ref(), &wanted, report)
}

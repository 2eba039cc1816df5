//! Bringing MySQL and MariaDB databases back.

use super::client::{Client, Settings, Tools, quoted};
use super::room::Room;
use super::swap::{self, Swap};
use super::{WHOLE, databases, tool_name, version};
use crate::databases::{self as common, Target};
use crate::dump::Edges;
use crate::load::Load;
use crate::problems::Problems;
use backstay_core::entry::{ByteStream, Entry, EntrySource};
use backstay_core::host::{Host, SharedHost};
use backstay_core::kind::{ChangeKind, ItemInput, RestoreMode, RestoreOptions, RestorePlan, RestoreReport};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, Result, RunContext};
use tokio::io::AsyncReadExt;

pub(super) async fn plan(
    host: &dyn Host,
    input: &ItemInput,
    listing: &[Entry],
    options: &RestoreOptions,
) -> Result<RestorePlan> {
    let settings = Settings::parse(&input.item)?;
    let tools = Tools::probe(host).await?;
    let client = Client::new(host, &settings, &tools, input)?;
    let there: Vec<String> = databases(&client).await?.into_iter().map(|database| database.name).collect();
    let mut plan = common::plan(input, listing, options, &there, ".sql");
    plan.facts.push(format!("{} there", version(&client).await?));
    Ok(plan)
}

pub(super) async fn restore(
    ctx: &RunContext,
    host: &SharedHost,
    input: &ItemInput,
    source: &mut dyn EntrySource,
    plan: &RestorePlan,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    let settings = Settings::parse(&input.item)?;
    let tools = ctx.or_cancel(Tools::probe(host.as_ref())).await?;
    let client = Client::new(host.as_ref(), &settings, &tools, input)?;
    let loading = Loading { ctx, host, client: &client, mode: options.mode };
    let mut problems = Problems::new(ctx, &input.item.name);
    ctx.progress.phase(Phase::Restoring);
    let wanted = common::wanted(plan);
    ctx.progress.total(Some(wanted.len() as u64), Some(plan.changes.iter().map(|c| c.size_bytes).sum()));
    let mut report = RestoreReport { kept: plan.kept, ..RestoreReport::default() };
    while let Some(entry) = ctx.or_cancel(source.next()).await? {
        ctx.check()?;
        let Some((kind, target)) = wanted.get(&entry.path).zip(Target::of(&entry.path, ".sql", options)) else {
            continue;
        };
        let subject = format!("database {}", target.name);
        ctx.progress.current(&subject);
        let is_new = *kind == ChangeKind::Create;
        let dump = Content { bytes: entry.size_bytes, stream: source.content() };
        match loading.database(&target, is_new, dump).await {
            Ok((bytes, notes)) => {
                for note in notes {
                    problems.report(ProblemKind::Database, subject.clone(), note);
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

/// A dump that is to be loaded.
struct Content {
    bytes: u64,
    stream: ByteStream,
}

struct Loading<'a> {
    ctx: &'a RunContext,
    host: &'a SharedHost,
    client: &'a Client<'a>,
    mode: RestoreMode,
}

impl Loading<'_> {
    /// Brings one database back. One that is to be replaced stays as it is until the new one is whole beside it; one that
    /// was not there before is not there afterwards either when it could not be loaded. Returns the bytes loaded, and what
    /// is to be said though it worked.
    async fn database(&self, target: &Target, is_new: bool, content: Content) -> Result<(u64, Vec<String>)> {
        let (ctx, client, name) = (self.ctx, self.client, target.name.as_str());
        let there = ctx.or_cancel(databases(client)).await?.iter().any(|database| database.name == name);
        if there && is_new {
            // Nobody was told that anything happens to it.
            return Err(common::appeared(client.host, name));
        }
        if !there {
            return match self.load(target, content, Make::New).await {
                Ok(bytes) => Ok((bytes, Vec::new())),
                // Made by somebody in this moment: not ours to drop.
                Err(error) if is_there_already(&error) => Err(common::appeared(client.host, name)),
                Err(error) => {
                    let _ = client.query(&format!("drop database if exists {}", quoted(name))).await;
                    Err(error)
                }
            };
        }
        if self.mode != RestoreMode::Replace {
            let loaded = self.load(target, content, Make::Nothing).await;
            return loaded.map(|bytes| (bytes, Vec::new()));
        }
        let swap = ctx.or_cancel(Swap::prepare(client, name)).await?;
        let beside = Target { original: target.original.clone(), name: swap.temporary.clone() };
        match self.load(&beside, content, Make::Marked).await {
            Ok(bytes) => {
                let exchange = swap.of_its_own(self.host.clone());
                ctx.unbroken(&swap.tried(), exchange.run()).await.map(|notes| (bytes, notes))
            }
            Err(error) if is_there_already(&error) => Err(error),
            Err(error) => Err(swap.give_up(swap.way_out(error), true).await),
        }
    }

    /// Loads one dump, with room for its largest command. The server is as before when it returns.
    async fn load(&self, target: &Target, content: Content, make: Make) -> Result<u64> {
        let (ctx, client) = (self.ctx, self.client);
        // Not ended by a cancel: whether it has changed the server would not be known.
        let room = ctx.while_it_runs(Room::make(ctx, client, content.bytes)).await?;
        match ctx.or_cancel(load(ctx, client, target, content.stream, make, room.back())).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(ctx.while_it_runs(room.failed(client, error)).await),
        }
    }
}

/// Tells whether a database could not be made because it is there already (1007).
fn is_there_already(error: &Error) -> bool {
    error.detail.as_deref().is_some_and(|said| said.contains("ERROR 1007 "))
}

/// Whether the database is to be made.
#[derive(Clone, Copy, PartialEq)]
enum Make {
    /// It is there.
    Nothing,
    /// It must not be there yet.
    New,
    /// As `New`, and it gets a mark, by which it is known as ours.
    Marked,
}

/// Loads one dump after the SQL `first`. Its head names the database; another target gets other names there.
async fn load(
    ctx: &RunContext,
    client: &Client<'_>,
    target: &Target,
    mut content: ByteStream,
    make: Make,
    first: String,
) -> Result<u64> {
    if target.name != target.original {
        content = super::rename::renamed(content, &target.original, &target.name);
    }
    let mut edges = Edges::default();
    let head = read_head(&mut content, &mut edges).await?;
    let mut before = client.options.clone();
    before.extend(first.into_bytes());
    before.extend(rewrite_head(&head, target, client.tools.knows_sandbox(), make));
    let tool = tool_name(&client.tools.client);
    let subject = format!("database {}", target.name);
    let load = Load { subject: &subject, tool: &tool, before, whole: WHOLE };
    let (bytes, said) = load.run(ctx, client.host, client.load(), content, edges).await?;
    said.lines().filter(|line| !line.trim().is_empty()).for_each(|line| ctx.progress.log(line));
    Ok(bytes)
}

/// Reads the dump's head, in which the database is named.
async fn read_head(content: &mut ByteStream, edges: &mut Edges) -> Result<Vec<u8>> {
    let mut head = vec![0; 64 << 10];
    let mut length = 0;
    while length < head.len() {
        let read = content.read(&mut head[length..]).await.map_err(|e| Error::io("Cannot read the backup", e))?;
        if read == 0 {
            break;
        }
        length += read;
    }
    head.truncate(length);
    edges.push(&head);
    Ok(head)
}

/// Takes out the sandbox line where the client does not know it, names the target where it is another one, and has it
/// made as told.
fn rewrite_head(head: &[u8], target: &Target, knows_sandbox: bool, make: Make) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 100);
    let mut named = false;
    let (from, to) = (quoted(&target.original), quoted(&target.name));
    for line in head.split_inclusive(|b| *b == b'\n') {
        let is_sandbox = out.is_empty() && line.starts_with(b"/*M!999999") && line.windows(7).any(|w| w == b"sandbox");
        if is_sandbox && !knows_sandbox {
            continue;
        }
        let names = !named && (line.starts_with(b"CREATE DATABASE ") || line.starts_with(b"USE "));
        let uses = !named && line.starts_with(b"USE ");
        named |= uses;
        if names {
            let mut line = String::from_utf8_lossy(line).into_owned();
            if make != Make::Nothing && !uses {
                // One that is there by now is somebody else's, and must be an error.
                line = line.replacen("/*!32312 IF NOT EXISTS*/ ", "", 1);
            }
            out.extend(line.replacen(&from, &to, 1).into_bytes());
        } else {
            out.extend_from_slice(line);
        }
        if uses && make == Make::Marked {
            out.extend(format!("CREATE TABLE {} (a int primary key);\n", swap::MARK).into_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_names_the_target() {
        let head = b"/*M!999999\\- enable the sandbox mode */ \n-- x\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `a``b` /*!40100 DEFAULT */;\n\nUSE `a``b`;\nUSE `a``b`;\n";
        let target = Target { original: "a`b".into(), name: "c".into() };
        let text = String::from_utf8(rewrite_head(head, &target, false, Make::Nothing)).unwrap_or_default();
        assert_eq!(
            text,
            "-- x\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `c` /*!40100 DEFAULT */;\n\nUSE `c`;\nUSE `a``b`;\n"
        );
        assert!(rewrite_head(head, &target, true, Make::Nothing).starts_with(b"/*M!999999"));
        let text = String::from_utf8(rewrite_head(head, &target, false, Make::Marked)).unwrap_or_default();
        assert_eq!(
            text,
            "-- x\nCREATE DATABASE `c` /*!40100 DEFAULT */;\n\nUSE `c`;\n\
             CREATE TABLE backstay_restoring (a int primary key);\nUSE `a``b`;\n"
        );
    }
}

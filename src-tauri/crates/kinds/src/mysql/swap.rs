//! A database that takes the place of another of the same server, without its data being written again.
//!
//! Tables change places in one `RENAME TABLE`: all of them, or none. Views, triggers, routines and events cannot be renamed
//! into another database, and are small: the server's own dump tool writes them out, and they are loaded at their new
//! place. Until all of that has worked, what was there before is kept in a database of its own; when it does not work, it
//! goes back.

use super::client::{Client, quoted};
use super::rename::renamed;
use super::tool_name;
use crate::databases as common;
use crate::dump::tool_error;
use backstay_core::entry::ByteStream;
use backstay_core::host::{Command, run};
use backstay_core::{Error, ErrorClass, Result};
use std::io::Cursor;
use tokio::io::AsyncReadExt;

/// The table by which a database that a restore left behind is known as ours. A restore makes it first of all.
pub(super) const MARK: &str = "backstay_restoring";
/// The table in which the old views, triggers, routines and events are kept.
const KEPT: &str = "backstay_kept";
/// Hex digits double it, and a server takes 16 MiB in one statement at least.
const KEPT_PIECE: usize = 1 << 20;

/// A database that is loaded beside the one it replaces.
pub(super) struct Swap<'a> {
    client: &'a Client<'a>,
    name: &'a str,
    /// What it is called until then.
    pub temporary: String,
    /// Where the old one is kept meanwhile.
    aside: String,
}

/// What a database holds beside rows.
struct Holding {
    tables: Vec<String>,
    /// Its views, triggers, routines and events as SQL.
    code: Vec<u8>,
    /// "character set x collate y".
    charset: String,
}

impl<'a> Swap<'a> {
    /// Looks whether `name` can be replaced, and clears the way. Nothing is made yet.
    pub(super) async fn prepare(client: &'a Client<'a>, name: &'a str) -> Result<Self> {
        let (temporary, aside) = (common::beside(name, "new"), common::beside(name, "old"));
        let swap = Self { client, name, temporary, aside };
        let refuse = |class, why: String, hint: String| {
            let tried = format!("Cannot replace database {name} on {}", client.host.label());
            Err(Error::new(class, format!("{tried}: {why}")).hint(hint))
        };
        let there = client.query("select schema_name from information_schema.schemata").await?;
        for left in [&swap.temporary, &swap.aside] {
            if !there.iter().flatten().any(|schema| schema == left) {
                continue;
            }
            if left == &swap.temporary && swap.tables(left).await?.iter().any(|table| table == MARK) {
                swap.drop_database(left).await?;
                continue;
            }
            let hint = format!("Look whether anything in {left} is needed, then drop it.");
            return refuse(ErrorClass::Exists, format!("the database {left} is in the way"), hint);
        }
        let sql = format!(
            "select concat(constraint_schema, '.', table_name) from information_schema.referential_constraints \
             where unique_constraint_schema = {0} and constraint_schema <> {0}",
            literal(name)
        );
        let tied: Vec<String> = client.query(&sql).await?.into_iter().flatten().collect();
        if !tied.is_empty() {
            let hint = "Restore it with the mode that merges, or drop these foreign keys first.";
            let why = format!("tables of other databases refer to it: {}", tied.join(", "));
            return refuse(ErrorClass::Unsupported, why, hint.into());
        }
        Ok(swap)
    }

    /// Puts what was loaded in the place it is for. On an error what was there before is there again, unless it says so.
    /// Returns what is to be said when something of ours could not be dropped.
    pub(super) async fn take_the_place(&self) -> Result<Option<String>> {
        let new = self.holding(&self.temporary, self.name).await?;
        let old = self.holding(self.name, self.name).await?;
        let exchanged = match self.keep(&old).await {
            Ok(()) => match self.exchange(&new, &old).await {
                Err(error) => Err((self.put_back(&new, &old).await, error)),
                Ok(()) => Ok(()),
            },
            Err(error) => Err((Ok(()), error)),
        };
        match exchanged {
            Err((Err(second), mut error)) => {
                error.message.push_str(&format!("; it could not be put back ({})", second.message));
                let hint = format!(
                    "The tables that were there before are in {}, their views, triggers and routines in its table {KEPT}.",
                    self.aside
                );
                Err(error.hint(hint))
            }
            Err((Ok(()), error)) => {
                let _ = self.drop_database(&self.aside).await;
                Err(error)
            }
            Ok(()) => {
                let mut left = Vec::new();
                for name in [&self.temporary, &self.aside] {
                    left.extend(self.drop_database(name).await.err().map(|error| (name, common::reason(&error))));
                }
                Ok(left.pop().map(|(name, why)| format!("It is replaced, but {name} could not be dropped: {why}")))
            }
        }
    }

    /// Drops what was loaded so far, and says in the error what is there.
    pub(super) async fn give_up(&self, mut error: Error) -> Error {
        // When the connection was lost, the exchange may have happened all the same.
        if error.class != ErrorClass::Offline && !error.message.contains("could not be put back") {
            error.message.push_str(&format!("; the database {} is as it was", self.name));
        }
        if self.drop_database(&self.temporary).await.is_err() {
            error
                .message
                .push_str(&format!("; what was loaded lies in {}, which the next restore drops", self.temporary));
        }
        error
    }

    async fn drop_database(&self, name: &str) -> Result<()> {
        self.client.query(&format!("drop database if exists {}", quoted(name))).await.map(drop)
    }

    async fn tables(&self, database: &str) -> Result<Vec<String>> {
        let sql = format!(
            "select table_name from information_schema.tables where table_schema = {} and table_type <> 'VIEW' order by 1",
            literal(database)
        );
        Ok(self.client.query(&sql).await?.into_iter().flatten().collect())
    }

    /// Looks what a database holds, its code written for the database `for_name`.
    async fn holding(&self, database: &str, for_name: &str) -> Result<Holding> {
        let tables = self.tables(database).await?.into_iter().filter(|table| table != MARK).collect();
        let sql = format!(
            "select concat('character set ', default_character_set_name, ' collate ', default_collation_name) \
             from information_schema.schemata where schema_name = {}",
            literal(database)
        );
        let charset = self.client.query(&sql).await?.into_iter().flatten().next().unwrap_or_default();
        let sql = format!(
            "select table_name from information_schema.views where table_schema = {} order by 1",
            literal(database)
        );
        let views: Vec<String> = self.client.query(&sql).await?.into_iter().flatten().collect();
        let mut code = self.dump(self.client.dump_code(database, &views)).await?;
        if !views.is_empty() {
            // Views may call functions: they come last.
            match self.dump(self.client.dump_views(database, &views)).await {
                Err(error) if is_broken_view(&error) => code.extend(self.whole_views(database, &views).await?),
                dumped => code.extend(dumped?),
            }
        }
        if database != for_name {
            let content: ByteStream = Box::new(Cursor::new(code));
            code = Vec::new();
            let mut renaming = renamed(content, database, for_name);
            renaming.read_to_end(&mut code).await.map_err(|e| Error::io("Cannot rename a database's code", e))?;
        }
        Ok(Holding { tables, code, charset })
    }

    /// Dumps the views one by one. One whose tables are gone works no more, and nothing can make it again: it is passed over.
    async fn whole_views(&self, database: &str, views: &[String]) -> Result<Vec<u8>> {
        let mut code = Vec::new();
        for view in views {
            match self.dump(self.client.dump_views(database, std::slice::from_ref(view))).await {
                Err(error) if is_broken_view(&error) => {}
                dumped => code.extend(dumped?),
            }
        }
        Ok(code)
    }

    async fn dump(&self, command: Command) -> Result<Vec<u8>> {
        let output = run(self.client.host, command, &self.client.options).await?;
        if !output.status.success() || !output.text().contains("-- Dump completed") {
            return Err(self.failed(&self.client.tools.dump, &output.status.to_string(), &output.stderr));
        }
        let sandbox = output.stdout.starts_with(b"/*M!999999");
        let skip = if sandbox { output.stdout.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1) } else { 0 };
        Ok(output.stdout[skip..].to_vec())
    }

    async fn sql(&self, database: &str, sql: &[u8]) -> Result<()> {
        let command = self.client.load().arg(format!("--database={database}"));
        let output = run(self.client.host, command, &[&self.client.options, sql].concat()).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(self.failed(&self.client.tools.client, &output.status.to_string(), &output.stderr))
    }

    fn failed(&self, tool: &str, status: &str, said: &str) -> Error {
        let tried = format!("Cannot replace database {} on {}", self.name, self.client.host.label());
        tool_error(&tried, &tool_name(tool), status, said)
    }

    /// Makes the database the old tables go to, with the old code in it: a kill in between must not lose it.
    async fn keep(&self, old: &Holding) -> Result<()> {
        self.client.query(&format!("create database {} {}", quoted(&self.aside), old.charset)).await?;
        let mut sql = format!("create table {KEPT} (part int primary key, code longblob);\n");
        for (part, piece) in old.code.chunks(KEPT_PIECE).enumerate() {
            let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            sql.push_str(&format!("insert into {KEPT} values ({part}, 0x{hex});\n"));
        }
        self.sql(&self.aside, sql.as_bytes()).await
    }

    async fn exchange(&self, new: &Holding, old: &Holding) -> Result<()> {
        let triggers = self.drops(&self.temporary, true).await?;
        self.sql(&self.temporary, triggers.as_bytes()).await?;
        let drops = self.drops(self.name, false).await?;
        self.sql(self.name, drops.as_bytes()).await?;
        self.rename(&[(self.name, &self.aside, &old.tables), (&self.temporary, self.name, &new.tables)]).await?;
        self.sql(self.name, format!("alter database {} {};", quoted(self.name), new.charset).as_bytes()).await?;
        self.sql(self.name, &new.code).await
    }

    /// The way back from wherever [`Self::exchange`] came to.
    async fn put_back(&self, new: &Holding, old: &Holding) -> Result<()> {
        let drops = self.drops(self.name, false).await?;
        self.sql(self.name, drops.as_bytes()).await?;
        let waiting = self.tables(&self.temporary).await?.iter().any(|table| table != MARK);
        if !waiting && !new.tables.is_empty() || self.tables(&self.aside).await?.len() > 1 {
            self.rename(&[(self.name, &self.temporary, &new.tables), (&self.aside, self.name, &old.tables)]).await?;
        }
        self.sql(self.name, format!("alter database {} {};", quoted(self.name), old.charset).as_bytes()).await?;
        self.sql(self.name, &old.code).await
    }

    /// Moves tables between databases, all of them or none. A table that stays in use for a minute ends it.
    async fn rename(&self, moves: &[(&str, &str, &Vec<String>)]) -> Result<()> {
        let one =
            |from: &str, to: &str, table: &str| format!("{}.{1} to {2}.{1}", quoted(from), quoted(table), quoted(to));
        let all: Vec<String> =
            moves.iter().flat_map(|(from, to, tables)| tables.iter().map(|table| one(from, to, table))).collect();
        if all.is_empty() {
            return Ok(());
        }
        let sql = format!("set lock_wait_timeout = 60; rename table {};", all.join(", "));
        self.sql(self.name, sql.as_bytes()).await
    }

    /// Writes the SQL that drops a database's triggers, and, unless only these are to go, its routines, events and views.
    async fn drops(&self, database: &str, only_triggers: bool) -> Result<String> {
        let name = literal(database);
        let mut lists = vec![format!(
            "select 'trigger', trigger_name from information_schema.triggers where trigger_schema = {name}"
        )];
        if !only_triggers {
            lists.push(format!(
                "select routine_type, routine_name from information_schema.routines where routine_schema = {name}"
            ));
            lists
                .push(format!("select 'event', event_name from information_schema.events where event_schema = {name}"));
            lists.push(format!("select 'view', table_name from information_schema.views where table_schema = {name}"));
        }
        let mut sql = String::new();
        for list in lists {
            for row in self.client.query(&list).await? {
                if let [what, which] = row.as_slice() {
                    sql.push_str(&format!("drop {what} if exists {}.{};\n", quoted(database), quoted(which)));
                }
            }
        }
        Ok(sql)
    }
}

/// Tells whether a dump failed at a view that refers to what is not there (1356).
fn is_broken_view(error: &Error) -> bool {
    error.detail.as_deref().is_some_and(|said| said.contains("(1356)"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

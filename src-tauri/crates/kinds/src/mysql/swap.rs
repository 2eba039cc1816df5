//! A database that takes the place of another of the same server, without its data being written again.
//!
//! Tables change places in one `RENAME TABLE`: all of them, or none. Views, triggers, routines and events cannot be renamed
//! into another database, and are small: the server's own dump tool writes them out, and they are loaded at their new
//! place. Until all of that has worked, what was there before is kept in a database of its own; when it does not work, it
//! goes back.

use super::client::{Client, Settings, Tools, quoted};
use super::holding::Holding;
use super::tool_name;
use crate::databases as common;
use crate::dump::{is_lost, tool_error};
use backstay_core::host::{Output, SharedHost, run};
use backstay_core::{Error, ErrorClass, Result};

/// The table by which a database that a restore left behind is known as ours. A restore makes it first of all.
pub(super) const MARK: &str = "backstay_restoring";
/// The table in which the old views, triggers, routines and events are kept.
pub(super) const KEPT: &str = "backstay_kept";
/// Hex digits double it, and a server takes 16 MiB in one statement at least.
const KEPT_PIECE: usize = 1 << 20;
/// What stays in use for a minute ends a command. The server's own limit is a day or a year, and half an exchange must
/// not wait that long.
const PATIENCE: &str = "set lock_wait_timeout = 60;";

/// A database that is loaded beside the one it replaces.
pub(super) struct Swap<'a> {
    pub client: &'a Client<'a>,
    pub name: &'a str,
    /// What it is called until then.
    pub temporary: String,
    /// Where the old one is kept meanwhile.
    aside: String,
}

impl<'a> Swap<'a> {
    /// Looks whether `name` can be replaced, and clears the way. Nothing is made yet.
    pub(super) async fn prepare(client: &'a Client<'a>, name: &'a str) -> Result<Self> {
        let (temporary, aside) = (common::beside(name, "new"), common::beside(name, "old"));
        let swap = Self { client, name, temporary, aside };
        let refuse =
            |class, why: String, hint: String| Err(Error::new(class, format!("{}: {why}", swap.tried())).hint(hint));
        let there = client.query("select schema_name from information_schema.schemata").await?;
        // As long as the old one is kept, an exchange may be at work: it needs the new one.
        for left in [&swap.aside, &swap.temporary] {
            if !there.iter().flatten().any(|schema| schema == left) {
                continue;
            }
            if left == &swap.temporary && swap.tables(left).await?.iter().any(|table| table == MARK) {
                swap.drop_database(left).await?;
                continue;
            }
            if left == &swap.aside && swap.tables(left).await?.iter().any(|table| table == KEPT) {
                let why = format!(
                    "the database {left} is there; it holds what {name} held before a restore that was cut short: its \
                     tables, or its views, triggers and routines (in the table {KEPT}); it must not be dropped before \
                     {name} was looked at"
                );
                let hint =
                    format!("Look whether {name} is whole. What it lacks is in {left}; drop that only afterwards");
                return refuse(ErrorClass::Exists, why, hint);
            }
            let hint = format!("Look whether anything in {left} is needed, then drop it");
            return refuse(ErrorClass::Exists, format!("the database {left} is in the way"), hint);
        }
        let sql = format!(
            "select concat(constraint_schema, '.', table_name) from information_schema.referential_constraints \
             where unique_constraint_schema = {0} and constraint_schema <> {0}",
            literal(name)
        );
        let tied: Vec<String> = client.query(&sql).await?.into_iter().flatten().collect();
        if !tied.is_empty() {
            let hint = "Restore it with the mode that merges, or drop these foreign keys first";
            let why = format!("tables of other databases refer to it: {}", tied.join(", "));
            return refuse(ErrorClass::Unsupported, why, hint.into());
        }
        Ok(swap)
    }

    /// Returns the exchange with all it needs, so that it can go on when nobody waits for it any more.
    pub(super) fn of_its_own(&self, host: SharedHost) -> Exchange {
        Exchange {
            host,
            settings: self.client.settings.clone(),
            tools: self.client.tools.clone(),
            options: self.client.options.clone(),
            name: self.name.to_owned(),
            temporary: self.temporary.clone(),
            aside: self.aside.clone(),
        }
    }

    /// Puts what was loaded in the place it is for. On an error what was there before is there again, unless it says so.
    /// Returns what is to be said though it worked. Not to be cut: half of it is neither the old database nor the new.
    async fn take_the_place(&self) -> Result<Vec<String>> {
        let (new, old) = match self.both_kept().await {
            Ok(both) => both,
            Err(error) => return Err(self.give_up(error, true).await),
        };
        if let Err(error) = self.exchange(&new, &old).await {
            let (error, as_it_was) = self.go_back(self.way_out(error), &new, &old).await;
            return Err(self.give_up(error, as_it_was).await);
        }
        let mut notes: Vec<String> = self.give_rights(&old).await.into_iter().collect();
        if !new.broken.is_empty() {
            notes.push(format!(
                "these views of the backup work no more here, and are left out: {}",
                new.broken.join(", ")
            ));
        }
        if let Err(error) = self.drop_database(&self.temporary).await {
            notes.push(format!("{} could not be dropped: {}", self.temporary, common::reason(&error)));
        }
        notes.extend(self.clear_aside(&old).await);
        Ok(notes.into_iter().map(|note| format!("It is replaced, but {note}")).collect())
    }

    /// Drops what was there before, unless somebody put something beside it meanwhile. Returns what is to be said.
    async fn clear_aside(&self, old: &Holding) -> Option<String> {
        let aside = &self.aside;
        let dropped = match self.others_beside_kept(aside, &old.tables).await {
            Ok(others) if !others.is_empty() => {
                let others = others.join(", ");
                return Some(format!(
                    "{aside} stays, with what was there before: Backstay did not put all of it there ({others}); look \
                     whether that is needed, then drop it"
                ));
            }
            Ok(_) => self.drop_database(aside).await,
            Err(error) => Err(error),
        };
        dropped.err().map(|error| format!("{aside} could not be dropped: {}", common::reason(&error)))
    }

    /// Looks what both databases hold, and keeps the old one's code. The one that is replaced is not touched.
    async fn both_kept(&self) -> Result<(Holding, Holding)> {
        let (new, old) = (self.holding(&self.temporary).await?, self.holding(self.name).await?);
        // One that is there already is somebody else's, and is not dropped.
        let sql = format!("create database {} {}", quoted(&self.aside), old.charset);
        self.client.query(&sql).await?;
        if let Err(error) = self.keep(&old).await {
            if self.others_beside_kept(&self.aside, &[]).await.is_ok_and(|others| others.is_empty()) {
                let _ = self.drop_database(&self.aside).await;
            }
            return Err(error);
        }
        Ok((new, old))
    }

    /// Goes back after the exchange failed, and says in the error what is not as it was; true when all is.
    async fn go_back(&self, mut error: Error, new: &Holding, old: &Holding) -> (Error, bool) {
        let (name, aside) = (self.name, &self.aside);
        let back = match self.put_back(new, old).await {
            // The old tables may be in there still: then it must stay.
            Ok(()) => match self.others_beside_kept(aside, &[]).await {
                Ok(others) if others.is_empty() => Ok(()),
                Ok(others) => Err(format!("{aside} holds {}", others.join(", "))),
                Err(second) => Err(common::reason(&second)),
            },
            Err(second) => Err(common::reason(&second)),
        };
        if let Err(why) = back {
            error.message.push_str(&format!(
                "; it could not be put back ({why}): tables that were there before are in {aside}, views, triggers and \
                 routines in its table {KEPT}; it must not be dropped before {name} was looked at"
            ));
            let hint = format!("What {name} lacks now is in {aside}: move it back, then drop {aside}.");
            return (error.hint(hint), false);
        }
        let mut as_it_was = true;
        if !old.broken.is_empty() {
            as_it_was = false;
            let views = old.broken.join(", ");
            error.message.push_str(&format!("; these views, which worked no more, are gone: {views}"));
        }
        if let Some(note) = self.give_rights(old).await {
            as_it_was = false;
            error.message.push_str(&format!("; {note}"));
        }
        if is_lost(&error) {
            // The command whose connection was lost may still be at work there: what is kept stays.
            error.message.push_str(&format!("; {aside} must not be dropped before {name} was looked at"));
        } else if let Err(second) = self.drop_database(aside).await {
            error.message.push_str(&format!("; {aside} could not be dropped ({})", common::reason(&second)));
        }
        (error, as_it_was)
    }

    /// Says how it can be restored all the same, where a dump fails only because it is loaded beside the original: what
    /// is in it may name the original, or be allowed there alone.
    pub(super) fn way_out(&self, error: Error) -> Error {
        let said = error.detail.as_deref().unwrap_or_default();
        if !["ERROR 1435 ", "ERROR 1146 ", "ERROR 1054 ", "ERROR 1044 "].iter().any(|code| said.contains(code)) {
            return error;
        }
        let name = self.name;
        error.hint(format!(
            "Something in it may work only under the name {name}. Back {name} up, drop it by hand, then restore it as \
             a new one"
        ))
    }

    /// Drops what was loaded so far, and says in the error what is there.
    pub(super) async fn give_up(&self, mut error: Error, as_it_was: bool) -> Error {
        // When the connection was lost, the exchange may have happened all the same.
        if as_it_was && !is_lost(&error) {
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
        self.client.query(&format!("{PATIENCE} drop database if exists {}", quoted(name))).await.map(drop)
    }

    async fn sql(&self, database: &str, sql: &[u8]) -> Result<()> {
        let output = self.run_sql(database, &[], sql).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(self.failed(&self.client.tools.client, &output.status.to_string(), &output.stderr))
    }

    pub(super) async fn run_sql(&self, database: &str, options: &[&str], sql: &[u8]) -> Result<Output> {
        let command = self.client.load().args(options).arg(format!("--database={database}"));
        let patience = format!("{PATIENCE}\n");
        run(self.client.host, command, &[self.client.options.as_slice(), patience.as_bytes(), sql].concat()).await
    }

    /// Returns what is tried, for errors.
    pub(super) fn tried(&self) -> String {
        format!("Cannot replace database {} on {}", self.name, self.client.host.label())
    }

    pub(super) fn failed(&self, tool: &str, status: &str, said: &str) -> Error {
        tool_error(&self.tried(), &tool_name(tool), status, said)
    }

    /// Writes the old code into the database the old tables go to: a kill in between must not lose it.
    async fn keep(&self, old: &Holding) -> Result<()> {
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
        let sql = format!("rename table {};", all.join(", "));
        self.sql(self.name, sql.as_bytes()).await
    }
}

/// An exchange with all it needs.
pub(super) struct Exchange {
    host: SharedHost,
    settings: Settings,
    tools: Tools,
    options: Vec<u8>,
    name: String,
    temporary: String,
    aside: String,
}

impl Exchange {
    /// Puts what was loaded in the place it is for. Returns what is to be said though it worked.
    pub(super) async fn run(self) -> Result<Vec<String>> {
        let Self { host, settings, tools, options, name, temporary, aside } = self;
        let client = Client { host: host.as_ref(), settings: &settings, tools: &tools, options };
        let swap = Swap { client: &client, name: &name, temporary, aside };
        swap.take_the_place().await
    }
}

/// Quotes a text for SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests;

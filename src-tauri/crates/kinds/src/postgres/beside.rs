//! A database made beside the one it replaces, and put in its place once all of it is there.

use super::client::{Client, literal, quoted};
use super::made::Made;
use crate::databases as common;
use crate::dump::is_lost;
use backstay_core::{Error, ErrorClass, Result};
use std::collections::HashSet;

/// The comment by which a database that a restore left behind is known as ours.
const MARK: &str = "Made by Backstay for a restore that is not over";
/// Somebody may log in again between the end of all sessions and the renaming.
const TRIES: u32 = 5;

/// A new database under a name of its own.
pub(super) struct Beside<'a> {
    client: &'a Client<'a>,
    name: &'a str,
    /// What it is called while it is loaded.
    pub temporary: String,
    /// What the old one is called until it is dropped.
    aside: String,
    replaces: bool,
    /// What belongs to the name and is in no dump: of the one replaced, or else as the backup tells.
    belongs: Made,
    /// What is to be said though it worked.
    notes: Vec<String>,
}

impl<'a> Beside<'a> {
    /// Makes an empty database as the backup tells, or as the one it is to replace. One that is there and that nobody
    /// said is to be replaced is an error.
    pub(super) async fn make(
        client: &'a Client<'a>,
        name: &'a str,
        made: Option<&Made>,
        may_replace: bool,
    ) -> Result<Self> {
        let (temporary, aside) = (common::beside(name, "new"), common::beside(name, "old"));
        let (belongs, notes) = (made.cloned().unwrap_or_default(), Vec::new());
        let mut beside = Self { client, name, temporary, aside, replaces: false, belongs, notes };
        beside.clear_leftovers().await?;
        let there = format!("select 1 from pg_database where datname = {}", literal(name));
        beside.replaces = !client.query("template1", &there, 1).await?.is_empty();
        if beside.replaces && !may_replace {
            return Err(common::appeared(client.host, name));
        }
        let mut how = beside.belongs.clone();
        let mut tablespace = None;
        if beside.replaces {
            let old = Made::look(client).await?.get(name).map(Made::parse);
            if old.is_none() {
                beside.notes.push("The rights and settings it had cannot be read, and are left out".into());
            }
            let old = old.unwrap_or_default();
            tablespace = old.tablespace.clone();
            if how.encoding.is_empty() {
                how = old.clone();
            } else if how.provider.is_none() {
                // An older backup does not tell.
                (how.provider, how.locale, how.rules) = (old.provider.clone(), old.locale.clone(), old.rules.clone());
            }
            beside.belongs = old;
        }
        let (end, lost) = how.how(client.major);
        beside.notes.extend(lost);
        let mut sql = format!("create database {} template template0{end}", quoted(&beside.temporary));
        if let Some(tablespace) = tablespace {
            sql.push_str(&format!(" tablespace {}", quoted(&tablespace)));
        }
        client.query("template1", &sql, 1).await?;
        match beside.mark_and_give(&how.owner).await {
            Ok(()) => Ok(beside),
            Err(error) => Err(beside.give_up(error).await),
        }
    }

    async fn mark_and_give(&mut self, owner: &str) -> Result<()> {
        let name = quoted(&self.temporary);
        let sql = format!("comment on database {name} is {}", literal(MARK));
        self.client.query("template1", &sql, 1).await?;
        if owner.is_empty() {
            return Ok(());
        }
        let sql = format!("alter database {name} owner to {}", quoted(owner));
        match self.client.query("template1", &sql, 1).await {
            Err(error) if !error.class.ends_the_run() => {
                let why = common::reason(&error);
                self.notes.push(format!("It is not given to its owner {owner}, and belongs to who restored it: {why}"));
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Gives the new database the rights and settings that belong to it. Returns what cannot be given.
    async fn carry(&self) -> Result<Vec<String>> {
        let owner = format!("(select datdba from pg_database where datname = {})", literal(&self.temporary));
        let rows = self.client.query("template1", &format!("select rolname, oid = {owner} from pg_roles"), 2).await?;
        let owner = rows.iter().find(|row| row[1] == "t").map(|row| row[0].clone()).unwrap_or_default();
        let roles: HashSet<String> = rows.into_iter().map(|mut row| row.swap_remove(0)).collect();
        let carry = self.belongs.carry(&self.temporary, &owner, &roles);
        let mut lost = carry.lost;
        if carry.sql.is_empty() || self.client.execute("template1", &carry.sql.join(";\n")).await.is_ok() {
            return Ok(lost);
        }
        // One of them is refused: then each by itself.
        for sql in &carry.sql {
            match self.client.execute("template1", sql).await {
                Err(error) if error.class.ends_the_run() => return Err(error),
                Err(error) => lost.push(format!("Not carried over: {}", common::reason(&error))),
                Ok(()) => {}
            }
        }
        Ok(lost)
    }

    /// Drops what an earlier restore left; anything else under our names is not ours to drop.
    async fn clear_leftovers(&self) -> Result<()> {
        let sql = format!(
            "select datname, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database where datname in ({}, {})",
            literal(&self.temporary),
            literal(&self.aside)
        );
        for row in self.client.query("template1", &sql, 2).await? {
            if row[0] == self.temporary && row[1] == MARK {
                self.drop_database(&self.temporary).await?;
                continue;
            }
            let (name, place) = (self.name, self.client.host.label());
            let why = format!("Cannot restore database {name} on {place}: the database {} is in the way", row[0]);
            let hint = format!("Look whether anything in {} is needed, then drop it", row[0]);
            return Err(Error::new(ErrorClass::Exists, why).hint(hint));
        }
        Ok(())
    }

    /// Renames the new one to the name it is for, and drops what had that name. Both renamings happen, or neither.
    /// Returns what is to be said though it worked.
    pub(super) async fn take_the_place(&self) -> Result<Vec<String>> {
        let mut notes = self.notes.clone();
        notes.extend(self.carry().await?);
        let (name, new, aside) = (quoted(self.name), quoted(&self.temporary), quoted(&self.aside));
        // The mark goes in the same moment as the name: until then the next restore may drop it.
        let comment = self.belongs.comment.as_deref().map_or_else(|| "null".into(), literal);
        let mut sql = format!("comment on database {new} is {comment}; ");
        if let Some(limit) = self.belongs.limit.filter(|limit| *limit >= 0) {
            sql.push_str(&format!("alter database {new} connection limit {limit}; "));
        }
        if self.replaces {
            sql.push_str(&format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = {} and pid <> pg_backend_pid(); \
                 alter database {name} rename to {aside}; ",
                literal(self.name)
            ));
        }
        sql.push_str(&format!("alter database {new} rename to {name}"));
        let mut tries = 0;
        while let Err(error) = self.client.query("template1", &sql, 1).await {
            tries += 1;
            let in_use = error.detail.as_deref().is_some_and(|said| said.contains("being accessed by other users"));
            if !in_use || tries == TRIES {
                let is_there = error.detail.as_deref().is_some_and(|said| said.contains("already exists"));
                // Made by somebody while ours was loaded.
                let appeared = is_there && !self.replaces;
                return Err(if appeared { common::appeared(self.client.host, self.name) } else { error });
            }
        }
        if let Some(error) = if self.replaces { self.drop_database(&self.aside).await.err() } else { None } {
            notes.push(format!(
                "It is replaced, but what was there before is still there as {}: {}",
                self.aside,
                common::reason(&error)
            ));
        }
        Ok(notes)
    }

    /// Drops what was loaded so far, and says in the error that nothing else happened.
    pub(super) async fn give_up(&self, mut error: Error) -> Error {
        let dropped = self.drop_database(&self.temporary).await;
        // When the connection was lost, the exchange may have happened all the same.
        if self.replaces && !is_lost(&error) {
            error.message.push_str(&format!("; the database {} is as it was", self.name));
        }
        if dropped.is_err() {
            error
                .message
                .push_str(&format!("; what was loaded lies in {}, which the next restore drops", self.temporary));
        }
        error
    }

    async fn drop_database(&self, name: &str) -> Result<()> {
        // Before 13 a database in use cannot be dropped at all.
        let force = if self.client.major >= 13 { " with (force)" } else { "" };
        let sql = format!("drop database if exists {}{force}", quoted(name));
        self.client.query("template1", &sql, 1).await.map(drop)
    }
}

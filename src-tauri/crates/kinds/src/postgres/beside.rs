//! A database made beside the one it replaces, and put in its place once all of it is there.

use super::client::{Client, literal, quoted};
use super::restore::Made;
use crate::databases as common;
use crate::dump::is_lost;
use backstay_core::{Error, ErrorClass, Result, RunContext};

/// The comment by which a database that a restore left behind is known as ours.
const MARK: &str = "Made by Backstay for a restore that is not over";
/// Somebody may log in again between the end of all sessions and the renaming.
const TRIES: u32 = 5;

/// A new database under a name of its own.
pub(super) struct Beside<'a> {
    ctx: &'a RunContext,
    client: &'a Client<'a>,
    name: &'a str,
    /// What it is called while it is loaded.
    pub temporary: String,
    /// What the old one is called until it is dropped.
    aside: String,
    replaces: bool,
}

const OLD: &str = "select pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, spcname \
    from pg_database d join pg_tablespace t on t.oid = d.dattablespace where datname = ";

/// Gives the new database what belongs to the name and is in no dump: rights, comment, limit of connections, settings.
/// Values of settings that are lists of names are quoted already.
const CARRY: &str = "do $backstay$ declare old oid := (select oid from pg_database where datname = OLD); fresh text := NEW; \
    r record; begin \
    if (select datacl is not null from pg_database where oid = old) then \
        execute format('revoke all on database %I from public, %I', fresh, \
            (select pg_get_userbyid(datdba) from pg_database where datname = fresh)); \
        for r in select case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as who, a.* \
            from pg_database, aclexplode(datacl) a where oid = old loop \
            execute format('grant %s on database %I to %s%s', r.privilege_type, fresh, r.who, \
                case when r.is_grantable then ' with grant option' else '' end); \
        end loop; \
    end if; \
    execute format('comment on database %I is %L', fresh, shobj_description(old, 'pg_database')); \
    execute format('alter database %I connection limit %s', fresh, (select datconnlimit from pg_database where oid = old)); \
    for r in select setrole, split_part(c, '=', 1) as name, substr(c, strpos(c, '=') + 1) as value \
        from pg_db_role_setting, unnest(setconfig) c where setdatabase = old loop \
        execute format('alter %s set %I to %s', case when r.setrole = 0 then format('database %I', fresh) \
            else format('role %I in database %I', pg_get_userbyid(r.setrole), fresh) end, r.name, \
            case when r.name in ('search_path', 'temp_tablespaces') then r.value else quote_literal(r.value) end); \
    end loop; end $backstay$; ";

impl<'a> Beside<'a> {
    /// Makes an empty database as the backup tells, or as the one it is to replace. One that is there and that nobody
    /// said is to be replaced is an error.
    pub(super) async fn make(
        ctx: &'a RunContext,
        client: &'a Client<'a>,
        name: &'a str,
        made: Option<&Made>,
        may_replace: bool,
    ) -> Result<Self> {
        let temporary = common::beside(name, "new");
        let beside = Self { ctx, client, name, temporary, aside: common::beside(name, "old"), replaces: false };
        beside.clear_leftovers().await?;
        let old = client.query("template1", &format!("{OLD}{}", literal(name)), 5).await?.into_iter().next();
        if old.is_some() && !may_replace {
            return Err(common::appeared(client.host, name));
        }
        let beside = Self { replaces: old.is_some(), ..beside };
        let mut old = old.unwrap_or_default().into_iter();
        let mut next = || old.next().unwrap_or_default();
        let like = Made { owner: next(), encoding: next(), collate: next(), ctype: next() };
        let tablespace = next();
        let made = made.filter(|made| !made.encoding.is_empty()).unwrap_or(&like);
        let mut sql = format!("create database {} template template0", quoted(&beside.temporary));
        if !made.encoding.is_empty() {
            let (collate, ctype) = (literal(&made.collate), literal(&made.ctype));
            sql.push_str(&format!(" encoding {} lc_collate {collate} lc_ctype {ctype}", literal(&made.encoding)));
        }
        if !tablespace.is_empty() {
            sql.push_str(&format!(" tablespace {}", quoted(&tablespace)));
        }
        client.query("template1", &sql, 1).await?;
        match beside.mark_and_give(&made.owner).await {
            Ok(()) => Ok(beside),
            Err(error) => Err(beside.give_up(error).await),
        }
    }

    async fn mark_and_give(&self, owner: &str) -> Result<()> {
        let name = quoted(&self.temporary);
        let sql = format!("comment on database {name} is {}", literal(MARK));
        self.client.query("template1", &sql, 1).await?;
        if !owner.is_empty() {
            let sql = format!("alter database {name} owner to {}", quoted(owner));
            if let Err(error) = self.client.query("template1", &sql, 1).await {
                self.ctx.progress.log(&common::reason(&error));
            }
        }
        Ok(())
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
    /// Returns what is to be said when the old one could not be dropped.
    pub(super) async fn take_the_place(&self) -> Result<Option<String>> {
        let (name, new, aside) = (quoted(self.name), quoted(&self.temporary), quoted(&self.aside));
        let mut sql = format!("comment on database {new} is null; alter database {new} rename to {name}");
        if self.replaces {
            let carry = CARRY.replacen("OLD", &literal(self.name), 1).replacen("NEW", &literal(&self.temporary), 1);
            let end = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = {} and pid <> pg_backend_pid(); ",
                literal(self.name)
            );
            sql = format!("{carry}{end}alter database {name} rename to {aside}; alter database {new} rename to {name}");
        }
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
        if !self.replaces {
            return Ok(None);
        }
        let left = self.drop_database(&self.aside).await.err();
        Ok(left.map(|error| {
            format!(
                "It is replaced, but what was there before is still there as {}: {}",
                self.aside,
                common::reason(&error)
            )
        }))
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

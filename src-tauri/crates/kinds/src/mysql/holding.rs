//! What a database holds beside rows: read before it is replaced, dropped, given again.

use super::client::quoted;
use super::rename::renamed;
use super::swap::{KEPT, MARK, Swap, literal};
use crate::databases as common;
use crate::dump::is_lost;
use backstay_core::entry::ByteStream;
use backstay_core::host::{Command, run};
use backstay_core::{Error, Result};
use std::io::Cursor;
use tokio::io::AsyncReadExt;

/// What a database holds beside rows.
pub(super) struct Holding {
    pub tables: Vec<String>,
    /// Its views, triggers, routines and events as SQL.
    pub code: Vec<u8>,
    /// "character set x collate y".
    pub charset: String,
    /// Views that work no more, and that nothing can make again.
    pub broken: Vec<String>,
    /// Who may use its routines: user, host, sort, name, rights. `None` when that may not be read.
    pub rights: Option<Vec<Vec<String>>>,
}

impl Swap<'_> {
    /// Looks what a database holds, its code written for the one that is replaced.
    pub(super) async fn holding(&self, database: &str) -> Result<Holding> {
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
        let mut broken = Vec::new();
        if !views.is_empty() {
            // Views may call functions: they come last.
            match self.dump(self.client.dump_views(database, &views)).await {
                Err(error) if is_broken_view(&error) => {
                    let (whole, others) = self.whole_views(database, &views).await?;
                    code.extend(whole);
                    broken = others;
                }
                dumped => code.extend(dumped?),
            }
        }
        if database != self.name {
            let content: ByteStream = Box::new(Cursor::new(code));
            code = Vec::new();
            let mut renaming = renamed(content, database, self.name);
            renaming.read_to_end(&mut code).await.map_err(|e| Error::io("Cannot rename a database's code", e))?;
        }
        let rights = self.rights(database).await?;
        Ok(Holding { tables, code, charset, broken, rights })
    }

    /// Returns the tables of a database.
    pub(super) async fn tables(&self, database: &str) -> Result<Vec<String>> {
        let sql = format!(
            "select table_name from information_schema.tables where table_schema = {} and table_type <> 'VIEW' order by 1",
            literal(database)
        );
        Ok(self.client.query(&sql).await?.into_iter().flatten().collect())
    }

    /// Returns what the database in which the old one is kept holds beside [`KEPT`] and `ours`, the tables put there.
    pub(super) async fn others_beside_kept(&self, database: &str, ours: &[String]) -> Result<Vec<String>> {
        let name = literal(database);
        let sql = format!(
            "select table_name from information_schema.tables where table_schema = {name} union all \
             select routine_name from information_schema.routines where routine_schema = {name} union all \
             select event_name from information_schema.events where event_schema = {name}"
        );
        let all = self.client.query(&sql).await?.into_iter().flatten();
        Ok(all.filter(|one| one != KEPT && !ours.contains(one)).collect())
    }

    /// Dumps the views one by one. One whose tables are gone works no more, and nothing can make it again: it is passed
    /// over, and named.
    async fn whole_views(&self, database: &str, views: &[String]) -> Result<(Vec<u8>, Vec<String>)> {
        let (mut code, mut broken) = (Vec::new(), Vec::new());
        for view in views {
            match self.dump(self.client.dump_views(database, std::slice::from_ref(view))).await {
                Err(error) if is_broken_view(&error) => broken.push(view.clone()),
                dumped => code.extend(dumped?),
            }
        }
        Ok((code, broken))
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

    /// Reads who may use a database's routines: dropping these takes it away (`automatic_sp_privileges`).
    async fn rights(&self, database: &str) -> Result<Option<Vec<Vec<String>>>> {
        let name = literal(database);
        let sql = format!("select routine_name from information_schema.routines where routine_schema = {name} limit 1");
        if self.client.query(&sql).await?.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let sql =
            format!("select user, host, routine_type, routine_name, proc_priv from mysql.procs_priv where db = {name}");
        match self.client.query(&sql).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if is_lost(&error) => Err(error),
            // Most users may not read the server's own tables.
            Err(_) => Ok(None),
        }
    }

    /// Gives the rights to use routines again, as far as there are such routines now. Returns what is to be said.
    pub(super) async fn give_rights(&self, old: &Holding) -> Option<String> {
        let Some(rights) = &old.rights else {
            return Some(self.unread_rights().await);
        };
        let sql: String = rights.iter().filter_map(|row| grant(self.name, row)).collect();
        if sql.is_empty() {
            return None;
        }
        // One that is not there any more must not keep the rights on the others away.
        let output = match self.run_sql(self.name, &["--force"], sql.as_bytes()).await {
            Ok(output) => output,
            Err(error) => {
                return Some(format!("rights on its routines could not be granted: {}", common::reason(&error)));
            }
        };
        let is_gone = |line: &&str| line.starts_with("ERROR 1305");
        let mut errors = output.stderr.lines().filter(|line| line.starts_with("ERROR")).peekable();
        let silent = errors.peek().is_none() && !output.status.success();
        let first = if silent { Some("the client failed") } else { errors.find(|line| !is_gone(line)) };
        first.map(|line| format!("rights on its routines must be granted again by hand: {line}"))
    }

    /// Says which rights are gone where they could not be read, and what gives them back.
    async fn unread_rights(&self) -> String {
        let rows = self.client.query("select current_user()").await.unwrap_or_default();
        let user = rows.into_iter().flatten().next().unwrap_or_default();
        let who =
            user.rsplit_once('@').map_or_else(|| "the plan's user".to_owned(), |(user, host)| account(user, host));
        format!(
            "rights of single users on its procedures and functions (EXECUTE, ALTER ROUTINE), where there were any, \
             are gone: {who} may not read them (mysql.procs_priv). Give them again by hand: GRANT EXECUTE ON PROCEDURE \
             {}.NAME TO USER. To have them brought back next time: GRANT SELECT ON mysql.procs_priv TO {who}",
            quoted(self.name)
        )
    }

    /// Writes the SQL that drops a database's triggers, and, unless only these are to go, its routines, events and views.
    pub(super) async fn drops(&self, database: &str, only_triggers: bool) -> Result<String> {
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

/// Writes the grant of one row of `mysql.procs_priv`.
fn grant(database: &str, row: &[String]) -> Option<String> {
    let [user, host, sort, name, set] = row else { return None };
    let (option, rights): (Vec<&str>, Vec<&str>) =
        set.split(',').filter(|right| !right.is_empty()).partition(|right| *right == "Grant");
    let rights = if rights.is_empty() { "usage".to_owned() } else { rights.join(", ") };
    let option = if option.is_empty() { "" } else { " with grant option" };
    let who = account(user, host);
    Some(format!("grant {rights} on {sort} {}.{} to {who}{option};\n", quoted(database), quoted(name)))
}

/// Quotes an account for SQL. A role of MariaDB has no host.
fn account(user: &str, host: &str) -> String {
    if host.is_empty() { literal(user) } else { format!("{}@{}", literal(user), literal(host)) }
}

/// Tells whether a dump failed at a view that refers to what is not there (1356).
fn is_broken_view(error: &Error) -> bool {
    error.detail.as_deref().is_some_and(|said| said.contains("(1356)") || said.contains(" 1356:"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn rights_on_routines_are_written_as_grants() {
        let grant = |row: [&str; 5]| super::grant("a`b", &row.map(str::to_owned)).unwrap_or_default();
        assert_eq!(
            grant(["o'k", "%", "PROCEDURE", "greet", "Execute,Alter Routine,Grant"]),
            "grant Execute, Alter Routine on PROCEDURE `a``b`.`greet` to 'o''k'@'%' with grant option;\n"
        );
        assert_eq!(grant(["r", "", "FUNCTION", "f", "Execute"]), "grant Execute on FUNCTION `a``b`.`f` to 'r';\n");
        assert_eq!(
            grant(["u", "h", "FUNCTION", "f", "Grant"]),
            "grant usage on FUNCTION `a``b`.`f` to 'u'@'h' with grant option;\n"
        );
    }
}

//! MariaDB's tables with a history: what their rows were before. A dump leaves that out unless told otherwise.

use super::client::Client;
use super::swap::literal;
use backstay_core::Result;

/// What becomes of the history of a database's tables.
#[derive(Debug, PartialEq)]
pub(super) enum History {
    /// There is none, or it is left out for the reason that is told.
    Left(Option<String>),
    /// It is dumped.
    Dumped,
}

impl History {
    /// Looks which tables of a database have a history, and whether it can be dumped.
    pub(super) async fn of(client: &Client<'_>, database: &str) -> Result<Self> {
        let name = literal(database);
        let sql = format!(
            "select table_name from information_schema.tables where table_schema = {name} and table_type = \
             'SYSTEM VERSIONED' order by 1"
        );
        let tables: Vec<String> = client.query(&sql).await?.into_iter().flatten().collect();
        if tables.is_empty() {
            // A server that knows no such tables may not know what is asked for next either.
            return Ok(Self::Left(None));
        }
        let sql = format!(
            "select table_name from information_schema.columns where table_schema = {name} and generation_expression = \
             'ROW START' and data_type = 'bigint' order by 1"
        );
        let by_transactions = client.query(&sql).await?.into_iter().flatten().collect();
        Ok(Self::told(tables, by_transactions, client.tools.history))
    }

    /// Decides by the tables, those whose history is kept by transactions, and whether the tool can.
    fn told(tables: Vec<String>, by_transactions: Vec<String>, tool_can: bool) -> Self {
        if !tool_can {
            let why = "is not in the backup: the dump tool there does not know it (mariadb-dump does from 10.11 on)";
            return Self::Left(Some(format!("The history of {} {why}", tables.join(", "))));
        }
        if by_transactions.is_empty() {
            return Self::Dumped;
        }
        let why = "cannot be dumped, for it is kept by transactions; so no table's history is in the backup";
        Self::Left(Some(format!("The history of {} {why}", by_transactions.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_dumped_or_it_is_said_why_not() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(History::told(names(&["a"]), Vec::new(), true), History::Dumped);
        for (can, want) in [(true, "The history of b cannot be dumped"), (false, "The history of a, b is not in the")] {
            let told = History::told(names(&["a", "b"]), names(&["b"]), can);
            assert!(matches!(&told, History::Left(Some(why)) if why.contains(want)), "{told:?}");
        }
    }
}

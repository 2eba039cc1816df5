//! Kinds of data: what they find on a server, how they collect it, and how they bring it back.

mod check;
mod databases;
mod dump;
mod files;
mod gnu;
mod load;
mod mysql;
mod postgres;
mod problems;
mod sqlite;
mod wire;

use backstay_core::kind::Kind;
use std::sync::Arc;

/// Returns every kind.
pub fn all() -> Vec<Arc<dyn Kind>> {
    vec![Arc::new(files::Files), Arc::new(mysql::Mysql), Arc::new(postgres::Postgres), Arc::new(sqlite::Sqlite)]
}

//! The schema and how it grew. Numbered, forward only: a released migration is never changed, a new one is added.

use crate::errors::{Fault, Query};
use backstay_core::{Error, ErrorClass};
use rusqlite::{Connection, TransactionBehavior};

/// "Back": tells our files from other programs' databases.
pub(crate) const APPLICATION_ID: i32 = 0x4261_636B;

/// Each brings the schema from the number before to its own, counting from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_everywhere.sql"),
    include_str!("migrations/0003_plan_kits.sql"),
    include_str!("migrations/0004_proofs.sql"),
];

/// The newest schema this version knows.
pub(crate) const NEWEST: usize = MIGRATIONS.len();

/// Returns the schema a database has; 0 for a new file.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).map(|version| version.max(0) as usize)
}

/// Brings a database to the newest schema. Another process may be doing the same: one of them waits, then finds it done.
pub(crate) fn migrate(connection: &mut Connection) -> Query<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&transaction)?;
    if from > NEWEST {
        return Err(Fault::Ours(
            Error::new(
                ErrorClass::Unsupported,
                format!("Cannot open the local database: it has schema {from}, this version knows up to {NEWEST}"),
            )
            .hint("Use the newer version of Backstay that wrote it"),
        ));
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", (index + 1) as i64)?;
    }
    transaction.commit()?;
    Ok(())
}

//! The schema and how it grew. Numbered, forward only: a released migration is never changed, a new one is added.

use crate::errors::{Fault, Query};
use crate::queue::Queue;
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

/// Returns the schema, unless a newer version of Backstay made it.
fn known(connection: &Connection) -> Query<usize> {
    let version = version(connection)?;
    if version > NEWEST {
        return Err(Fault::Ours(
            Error::new(
                ErrorClass::Unsupported,
                format!("Cannot open the local database: it has schema {version}, this version knows up to {NEWEST}"),
            )
            .hint("Use the newer version of Backstay that wrote it"),
        ));
    }
    Ok(version)
}

/// Brings a database to the newest schema. Another process may be doing the same: one of them waits, then finds it done.
pub(crate) fn migrate(connection: &mut Connection, queue: &Queue) -> Query<()> {
    // Mostly there is nothing to do, and nobody to wait for.
    if known(connection)? == NEWEST {
        return Ok(());
    }
    let next = queue.next()?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    drop(next);
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(known(&transaction)?) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", (index + 1) as i64)?;
    }
    transaction.commit()?;
    Ok(())
}

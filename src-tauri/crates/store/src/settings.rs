//! Queries on `settings`.

use crate::errors::Query;
use crate::values::{from_json, to_json};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

pub(crate) fn one(connection: &Connection, key: &str) -> Query<Option<Value>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM settings WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    match text {
        Some(text) => Ok(Some(from_json(&format!("setting {key}"), &text)?)),
        None => Ok(None),
    }
}

pub(crate) fn put(connection: &Connection, key: &str, value: &Value) -> Query<()> {
    connection
        .execute("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)", params![key, to_json(value)?])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::SqliteStore;
    use backstay_core::store::Store;
    use backstay_core::{Error, ErrorClass, Result};
    use serde_json::{Value, json};

    fn one_more(kept: Option<Value>) -> Result<Value> {
        Ok(json!(kept.and_then(|count| count.as_u64()).unwrap_or_default() + 1))
    }

    #[test]
    fn what_two_processes_change_at_the_same_time_is_all_there() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("backstay.db");
        let stores = [SqliteStore::open(&file).unwrap(), SqliteStore::open(&file).unwrap()];
        std::thread::scope(|scope| {
            for store in &stores {
                scope.spawn(move || (0..20).for_each(|_| store.update_setting("n", &mut one_more).unwrap()));
            }
        });
        assert_eq!(stores[0].setting("n").unwrap(), Some(json!(40)));
        stores[1].update_setting("n", &mut one_more).unwrap();
        let refused = stores[0].update_setting("n", &mut |_| Err(Error::new(ErrorClass::Invalid, "no"))).unwrap_err();
        assert_eq!(refused.class, ErrorClass::Invalid);
        assert_eq!(stores[0].setting("n").unwrap(), Some(json!(41)), "what is refused changes nothing");
    }
}

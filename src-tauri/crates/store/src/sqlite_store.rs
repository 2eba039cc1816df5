//! The store itself: a connection, and each call as one transaction.

use crate::errors::Query;
use crate::owner::Owner;
use crate::queue::Queue;
use crate::{
    audit, backups, database, destinations, host_keys, plans, problems, run_log, runs, servers, settings, transfers,
};
use backstay_core::config::{
    AuditEntry, AuditRecord, BackupCopies, BackupQuery, DestinationConfig, KnownBackup, PinnedHostKey, Plan, Server,
};
use backstay_core::context::{Clock, SystemClock};
use backstay_core::run::{Problem, Run};
use backstay_core::store::{Page, RunQuery, Store};
use backstay_core::{BackupId, DestinationId, PlanId, Result, RunId, ServerId};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::Value;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The local database in a SQLite file.
pub struct SqliteStore {
    inner: Mutex<Inner>,
}

struct Inner {
    connection: Connection,
    queue: Queue,
    owner: Owner,
}

impl SqliteStore {
    /// Opens the database file, making it when it is not there and bringing its schema up to date.
    ///
    /// `Unsupported` when a newer version wrote it. `Corrupt` when it is damaged or another program's: it was then moved
    /// aside, as the message says, and the next call begins with an empty one.
    pub fn open(file: &Path) -> Result<Self> {
        Self::ready(database::open(file)?, Owner::new(file.parent()))
    }

    /// Opens a database that lives as long as the value, for tests.
    pub fn in_memory() -> Result<Self> {
        Self::ready(database::open_in_memory()?, Owner::new(None))
    }

    fn ready((connection, queue): (Connection, Queue), owner: Owner) -> Result<Self> {
        let store = Self { inner: Mutex::new(Inner { connection, queue, owner }) };
        let (tried, now) = ("Cannot open the local database", SystemClock.now());
        // Only the first opening waits for those who write.
        if !store.read(tried, servers::knows_this_computer)? {
            store.write(tried, |connection| servers::ensure_this_computer(connection, now))?;
        }
        Ok(store)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in another thread rolled its transaction back; the connection is sound.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs queries that see one state of the database.
    fn read<T>(&self, tried: &str, query: impl FnOnce(&Connection) -> Query<T>) -> Result<T> {
        self.transact(tried, TransactionBehavior::Deferred, |connection, _| query(connection))
    }

    /// Runs queries that all take effect or none. The write lock is taken at once, so that two processes wait for one another
    /// instead of failing half way; they take turns.
    fn write<T>(&self, tried: &str, query: impl FnOnce(&Connection) -> Query<T>) -> Result<T> {
        self.transact(tried, TransactionBehavior::Immediate, |connection, _| query(connection))
    }

    fn transact<T>(
        &self,
        tried: &str,
        behavior: TransactionBehavior,
        query: impl FnOnce(&Connection, &mut Owner) -> Query<T>,
    ) -> Result<T> {
        let mut inner = self.lock();
        let Inner { connection, queue, owner } = &mut *inner;
        let run = || -> Query<T> {
            let writes = matches!(behavior, TransactionBehavior::Immediate);
            let next = if writes { Some(queue.next()?) } else { None };
            let transaction = connection.transaction_with_behavior(behavior)?;
            drop(next);
            let result = query(&transaction, owner)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|fault| fault.into_error(tried))
    }
}

impl Store for SqliteStore {
    fn servers(&self) -> Result<Vec<Server>> {
        self.read("Cannot list the servers", servers::all)
    }
    fn server(&self, id: &ServerId) -> Result<Server> {
        self.read("Cannot read a server", |connection| servers::one(connection, id))
    }
    fn put_server(&self, server: &Server) -> Result<()> {
        self.write(&format!("Cannot save server \"{}\"", server.name), |connection| servers::put(connection, server))
    }
    fn delete_server(&self, id: &ServerId) -> Result<()> {
        self.write("Cannot remove a server", |connection| servers::delete(connection, id))
    }

    fn destinations(&self) -> Result<Vec<DestinationConfig>> {
        self.read("Cannot list the destinations", destinations::all)
    }
    fn destination(&self, id: &DestinationId) -> Result<DestinationConfig> {
        self.read("Cannot read a destination", |connection| destinations::one(connection, id))
    }
    fn put_destination(&self, destination: &DestinationConfig) -> Result<()> {
        let tried = format!("Cannot save destination \"{}\"", destination.name);
        self.write(&tried, |connection| destinations::put(connection, destination))
    }
    fn delete_destination(&self, id: &DestinationId) -> Result<()> {
        self.write("Cannot remove a destination", |connection| destinations::delete(connection, id))
    }

    fn plans(&self) -> Result<Vec<Plan>> {
        self.read("Cannot list the plans", plans::all)
    }
    fn plan(&self, id: &PlanId) -> Result<Plan> {
        self.read("Cannot read a plan", |connection| plans::one(connection, id))
    }
    fn put_plan(&self, plan: &Plan) -> Result<()> {
        self.write(&format!("Cannot save plan \"{}\"", plan.name), |connection| plans::put(connection, plan))
    }
    fn delete_plan(&self, id: &PlanId) -> Result<()> {
        self.write("Cannot remove a plan", |connection| plans::delete(connection, id))
    }

    fn insert_run(&self, run: &Run) -> Result<()> {
        let tried = format!("Cannot save run \"{}\"", run.title);
        self.transact(&tried, TransactionBehavior::Immediate, |connection, owner| {
            runs::insert(connection, run, owner.take())
        })
    }
    fn update_run(&self, run: &Run) -> Result<()> {
        self.write(&format!("Cannot save run \"{}\"", run.title), |connection| runs::update(connection, run))
    }
    fn run(&self, id: &RunId) -> Result<Run> {
        self.read("Cannot read a run", |connection| runs::one(connection, id))
    }
    fn runs(&self, query: &RunQuery) -> Result<Page<Run>> {
        self.read("Cannot list the runs", |connection| runs::page(connection, query))
    }
    fn interrupt_open_runs(&self, now: DateTime<Utc>) -> Result<u64> {
        self.transact("Cannot end the runs of before", TransactionBehavior::Immediate, |connection, owner| {
            runs::interrupt_open(connection, owner, now)
        })
    }
    fn add_problems(&self, run: &RunId, problems: &[Problem]) -> Result<()> {
        self.write("Cannot save a run's problems", |connection| problems::add(connection, run, problems))
    }
    fn problems(&self, run: &RunId, text: &str, offset: u64, limit: u64) -> Result<Page<Problem>> {
        self.read("Cannot list a run's problems", |connection| problems::page(connection, run, text, offset, limit))
    }
    fn add_log(&self, run: &RunId, lines: &[(DateTime<Utc>, String)]) -> Result<()> {
        self.write("Cannot save a run's log", |connection| run_log::add(connection, run, lines))
    }
    fn log(&self, run: &RunId) -> Result<Vec<(DateTime<Utc>, String)>> {
        self.read("Cannot read a run's log", |connection| run_log::all(connection, run))
    }

    fn replace_backups(&self, destination: &DestinationId, backups: &[KnownBackup]) -> Result<()> {
        self.write("Cannot save the list of backups", |connection| backups::replace(connection, destination, backups))
    }
    fn put_backup(&self, backup: &KnownBackup) -> Result<()> {
        self.write("Cannot save a backup in the list", |connection| backups::put(connection, backup))
    }
    fn backup_rows(&self, query: &BackupQuery) -> Result<Page<BackupCopies>> {
        self.read("Cannot list the backups", |connection| backups::rows(connection, query))
    }
    fn backups(&self, query: &BackupQuery) -> Result<Page<KnownBackup>> {
        self.read("Cannot list the backups", |connection| backups::page(connection, query))
    }
    fn missing_backups(&self, plan: &PlanId, destination: &DestinationId) -> Result<Vec<BackupId>> {
        self.read("Cannot list the missing backups", |connection| backups::missing_at(connection, plan, destination))
    }
    fn bytes_added_since(&self, since: DateTime<Utc>) -> Result<u64> {
        self.read("Cannot add up what backups added", |connection| backups::added_since(connection, since))
    }
    fn last_verified(&self, server: &ServerId) -> Result<Option<DateTime<Utc>>> {
        self.read("Cannot read when a backup was verified", |connection| backups::last_verified(connection, server))
    }
    fn backup(&self, id: &BackupId) -> Result<Vec<KnownBackup>> {
        self.read("Cannot read a backup in the list", |connection| backups::copies(connection, id))
    }

    fn host_key(&self, host: &str, port: u16) -> Result<Option<PinnedHostKey>> {
        self.read("Cannot read a pinned host key", |connection| host_keys::one(connection, host, port))
    }
    fn put_host_key(&self, key: &PinnedHostKey) -> Result<()> {
        self.write("Cannot pin a host key", |connection| host_keys::put(connection, key))
    }
    fn delete_host_key(&self, host: &str, port: u16) -> Result<()> {
        self.write("Cannot forget a pinned host key", |connection| host_keys::delete(connection, host, port))
    }

    fn transfer(&self, name: &str) -> Result<Option<String>> {
        self.read("Cannot read how far a transfer came", |connection| transfers::one(connection, name))
    }
    fn transfers(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        self.read("Cannot read which transfers are under way", |connection| transfers::all(connection, prefix))
    }
    fn put_transfer(&self, name: &str, state: &str) -> Result<()> {
        self.write("Cannot save how far a transfer came", |connection| transfers::put(connection, name, state))
    }
    fn update_transfer(
        &self,
        name: &str,
        change: &mut dyn FnMut(Option<String>) -> Result<Option<String>>,
    ) -> Result<()> {
        self.write("Cannot save how far a transfer came", |connection| transfers::update(connection, name, change))
    }
    fn delete_transfer(&self, name: &str) -> Result<()> {
        self.write("Cannot forget a transfer", |connection| transfers::delete(connection, name))
    }
    fn delete_backup(&self, id: &BackupId, destination: &DestinationId) -> Result<()> {
        self.write("Cannot take a backup off the list", |connection| backups::delete(connection, id, destination))
    }

    fn audit(&self, at: DateTime<Utc>, record: &AuditRecord) -> Result<AuditEntry> {
        self.write("Cannot write the audit log", |connection| audit::append(connection, at, record))
    }
    fn audit_entries(&self, offset: u64, limit: u64) -> Result<Page<AuditEntry>> {
        self.read("Cannot read the audit log", |connection| audit::page(connection, offset, limit))
    }
    fn audit_verify(&self) -> Result<u64> {
        self.read("Cannot read the audit log", audit::verify)
    }

    fn setting(&self, key: &str) -> Result<Option<Value>> {
        self.read("Cannot read a setting", |connection| settings::one(connection, key))
    }
    fn put_setting(&self, key: &str, value: &Value) -> Result<()> {
        self.write("Cannot save a setting", |connection| settings::put(connection, key, value))
    }
    fn update_setting(&self, key: &str, change: &mut dyn FnMut(Option<Value>) -> Result<Value>) -> Result<()> {
        self.write("Cannot save a setting", |connection| {
            let value = change(settings::one(connection, key)?)?;
            settings::put(connection, key, &value)
        })
    }
}

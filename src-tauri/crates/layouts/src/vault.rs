//! The vault: backups in a restic repository. Deduplicated, compressed, sealed; restic itself can read and check it.
//!
//! rustic_core makes and opens the repository and holds its keys. Backups are written and read by code of ours, because
//! a backup must never leave out a file silently and must fill all cores; docs/adr/0001-own-archiver.md says more, and
//! docs/formats/vault.md describes every byte.

mod backend;
mod cache;
mod check;
mod chunker;
mod collected;
mod copy;
mod crypto;
mod diff;
mod fetch;
mod id;
mod index;
mod lock;
mod mend;
mod node;
mod object;
mod pack;
mod parent;
mod pool;
mod proof;
mod prune;
mod reader;
mod repo;
mod snapshot;
mod stream;
mod tree;
mod twins;
mod used;
mod walk;
mod writer;

use async_trait::async_trait;
use backend::made_meanwhile;
use backstay_core::destination::{Destination, Key};
use backstay_core::layout::{
    BackupDiff, BackupReader, BackupRecord, BackupStart, BackupWriter, Deleted, Layout, LayoutCheck, Mended, Pruned,
    Suspects, Synced, TransferJournal,
};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext, Secret};
use repo::{Access, Repo};
use std::path::Path;
use std::sync::Arc;

/// What lies at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing, or only what an interrupted making of a vault left.
    Empty,
    /// A vault, ours or one restic made.
    Vault,
    /// Archives of ours or copies of a configuration, and no vault: one can be made beside them.
    Archives,
    /// Something else.
    Foreign,
}

/// Archives lie below this.
const ARCHIVES: &str = "archives/";
/// Copies of configurations lie below this.
const OWN: &str = "backstay/";

/// Tells what lies at a destination, without any key.
pub async fn presence(destination: &dyn Destination) -> Result<Presence> {
    match destination.head(&Key::new("config")?).await {
        // A program's own "config" is not a vault's: that one has keys beside it.
        Ok(_) if !destination.list("keys/").await?.is_empty() => return Ok(Presence::Vault),
        Ok(_) => return Ok(Presence::Foreign),
        Err(error) if error.class == ErrorClass::Missing => {}
        Err(error) => return Err(error),
    }
    let objects = destination.list("").await?;
    let below = |key: &str, folders: &[&str]| folders.iter().any(|folder| key.starts_with(folder));
    let all = |folders: &[&str]| objects.iter().all(|object| below(object.key.as_str(), folders));
    Ok(match (all(&["keys/"]), all(&["keys/", ARCHIVES, OWN])) {
        (true, _) => Presence::Empty,
        (_, true) => Presence::Archives,
        _ => Presence::Foreign,
    })
}

/// An opened vault. Keep it: opening it again costs half a second for its key.
pub struct Vault {
    repo: Arc<Repo>,
}

impl Vault {
    /// Makes a new vault, then opens it anew with the password, so that what is returned is known to open.
    ///
    /// Errors: `Exists` where a vault lies already, `Invalid` where something else lies.
    pub async fn create(destination: Arc<dyn Destination>, password: &Secret) -> Result<Self> {
        let label = destination.label().to_owned();
        if password.is_empty() {
            let text = format!("Cannot make a vault at {label}: the password is empty");
            return Err(Error::new(ErrorClass::Invalid, text));
        }
        match presence(destination.as_ref()).await? {
            Presence::Empty | Presence::Archives => {}
            Presence::Vault => {
                let text = format!("Cannot make a vault at {label}: there is one already");
                let error = Error::new(ErrorClass::Exists, text).hint("Open the existing vault with its password");
                return Err(or_make_anew(error, destination.as_ref()).await);
            }
            Presence::Foreign => {
                return Err(Error::new(
                    ErrorClass::Invalid,
                    format!("Cannot make a vault at {label}: other things lie there"),
                )
                .hint("Choose an empty folder"));
            }
        }
        let made = Repo::start(destination.clone(), password, Access::Create).await?;
        let opened = Self::open(destination, password).await?;
        if opened.id() != made.id {
            return Err(made_meanwhile(&label));
        }
        Ok(opened)
    }

    /// Opens an existing vault.
    ///
    /// Errors: `Missing` where none lies, `WrongKey`, `Unsupported` for a newer format, `Corrupt`.
    pub async fn open(destination: Arc<dyn Destination>, password: &Secret) -> Result<Self> {
        let label = destination.label().to_owned();
        match destination.head(&Key::new("config")?).await {
            Ok(_) => {}
            Err(error) if error.class == ErrorClass::Missing => {
                return Err(no_vault(&label, destination.as_ref()).await);
            }
            Err(error) => return Err(error),
        }
        match Repo::start(destination.clone(), password, Access::Open).await {
            Ok(repo) => Ok(Self { repo: Arc::new(repo) }),
            Err(error) if error.class == ErrorClass::WrongKey => Err(or_make_anew(error, destination.as_ref()).await),
            Err(error) => Err(error),
        }
    }

    /// Keeps what is read of the vault below this folder of this computer, so that one far away opens fast. Everything
    /// there lies as sealed as at the destination, and may be deleted at any time.
    #[must_use]
    pub fn with_cache(self, folder: &Path) -> Self {
        let mut repo = self.repo.over(self.repo.destination.clone());
        repo.cache = Some(Arc::new(cache::Cache::new(folder, &repo.id)));
        Self { repo: Arc::new(repo) }
    }

    /// Makes `other` a copy of this vault, as yet without backups: the same keys, then the same config. One that is a
    /// copy already stays as it is.
    ///
    /// Errors: `Invalid` where another vault or something else lies.
    pub async fn found_copy(&self, other: &dyn Destination) -> Result<()> {
        copy::found_copy(&self.repo, other).await
    }

    /// Returns the vault's own id, from its config: 64 hex digits.
    pub fn id(&self) -> &str {
        &self.repo.id
    }
}

/// Adds what helps where the password is lost and nothing else would be, as after a kill between the making of a vault
/// and the keeping of its password.
async fn or_make_anew(error: Error, destination: &dyn Destination) -> Error {
    for folder in ["snapshots/", "data/"] {
        if !destination.list(folder).await.is_ok_and(|objects| objects.is_empty()) {
            return error;
        }
    }
    let hint = error.hint.clone().unwrap_or_default();
    error.hint(format!(
        "{hint}; if nobody has it, delete the file \"config\" and the folder \"keys\" there and make the vault anew: no \
         backup lies in it yet"
    ))
}

async fn no_vault(label: &str, destination: &dyn Destination) -> Error {
    let has = async |prefix: &str| destination.list(prefix).await.is_ok_and(|objects| !objects.is_empty());
    if has("data/").await && has("keys/").await {
        let text = format!("Cannot open the vault at {label}: its config file is missing");
        return Error::new(ErrorClass::Corrupt, text)
            .hint("Bring the file \"config\" back from another copy of the vault");
    }
    if has("keys/").await {
        let text = format!("Cannot open a vault at {label}: the making of one was interrupted there");
        return Error::new(ErrorClass::Missing, text).hint("Make the vault again; nothing was stored in it yet");
    }
    Error::new(ErrorClass::Missing, format!("Cannot open a vault at {label}: none lies there"))
        .hint("Is the right disk mounted? To fill it anew from another copy, use Sync")
}

#[async_trait]
impl Layout for Vault {
    async fn begin(&self, ctx: &RunContext, start: BackupStart) -> Result<Box<dyn BackupWriter>> {
        Ok(Box::new(writer::Writer::begin(self.repo.clone(), ctx, start).await?))
    }

    async fn list(&self) -> Result<Vec<BackupRecord>> {
        let snapshots = self.repo.snapshots().await?;
        Ok(snapshots.iter().map(|(id, snapshot)| snapshot.record(id)).collect())
    }

    fn damage_met(&self) -> Vec<String> {
        self.repo.damage_met()
    }

    async fn open(&self, id: &BackupId) -> Result<Arc<dyn BackupReader>> {
        let (id, snapshot) = self.repo.find_snapshot(id).await?;
        Ok(Arc::new(reader::Reader::open(self.repo.clone(), id, &snapshot).await?))
    }

    async fn diff(&self, ctx: &RunContext, older: &BackupId, newer: &BackupId) -> Result<BackupDiff> {
        let old = ctx.or_cancel(self.repo.find_snapshot(older)).await?.1.tree;
        let new = ctx.or_cancel(self.repo.find_snapshot(newer)).await?.1.tree;
        let index = ctx.or_cancel(self.repo.index()).await?;
        diff::diff(&self.repo, &index, ctx, old, new).await
    }

    async fn check(&self, ctx: &RunContext, read_data_percent: u8) -> Result<LayoutCheck> {
        check::check(&self.repo, ctx, read_data_percent).await
    }

    async fn used_bytes(&self) -> Result<u64> {
        let objects = self.repo.destination.list("").await?;
        let own = objects.iter().filter(|object| {
            let key = object.key.as_str();
            !key.starts_with(ARCHIVES) && !key.starts_with(OWN)
        });
        Ok(own.map(|object| object.size_bytes).sum())
    }

    async fn delete(&self, ctx: &RunContext, id: &BackupId) -> Result<Deleted> {
        let (id, _) = ctx.or_cancel(self.repo.find_snapshot(id)).await?;
        let key = repo::object_key("snapshots", &id)?;
        let freed_bytes = ctx.or_cancel(self.repo.destination.head(&key)).await?.size_bytes;
        self.repo.destination.delete(&key).await?;
        self.repo.forget_snapshot(&id).await;
        // The backup is gone; that it is not known what it leaves behind is no failure.
        let unused_bytes = match prune::prunable_bytes(&self.repo, ctx).await {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                tracing::info!(%error, "what pruning would free is not known");
                None
            }
        };
        Ok(Deleted { freed_bytes, unused_bytes })
    }

    async fn sync_to(
        &self,
        ctx: &RunContext,
        other: Arc<dyn Destination>,
        backups: &[BackupId],
        _: Arc<dyn TransferJournal>,
    ) -> Result<Synced> {
        copy::sync(&self.repo, ctx, other, backups).await
    }

    fn over(&self, other: Arc<dyn Destination>) -> Option<Arc<dyn Layout>> {
        Some(Arc::new(Self { repo: Arc::new(self.repo.over(other)) }))
    }

    fn afresh(&self) -> Option<Arc<dyn Layout>> {
        Some(Arc::new(Self { repo: Arc::new(self.repo.afresh()) }))
    }

    async fn is_level_with(&self, ctx: &RunContext, other: Arc<dyn Destination>) -> Result<bool> {
        copy::is_level(&self.repo, ctx, other).await
    }

    async fn mend(&self, ctx: &RunContext, other: Arc<dyn Destination>, suspects: &Suspects) -> Result<Mended> {
        mend::mend(&self.repo, ctx, other, suspects).await
    }

    async fn make_copy(&self, other: Arc<dyn Destination>) -> Result<()> {
        copy::found_copy(&self.repo, other.as_ref()).await
    }

    async fn prune(&self, ctx: &RunContext) -> Result<Pruned> {
        prune::prune(&self.repo, ctx).await
    }
}

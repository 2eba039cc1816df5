//! What a download is to do and how far it came, kept so that it can go on after a stop, a quit or a lost connection.

use crate::backstay::Inner;
use backstay_core::config::DestinationConfig;
use backstay_core::layout::{ArchiveFormat, ExportMark};
use backstay_core::run::{Run, RunKind, RunState};
use backstay_core::store::Store;
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, RawPath, Result, RunId};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A download as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptDownload {
    /// `None`: the archives just as they lie there.
    pub format: Option<ArchiveFormat>,
    /// Paths picked, text form; empty: all.
    pub paths: Vec<String>,
    /// The only destination to be asked.
    pub destination: Option<DestinationId>,
    pub folder: PathBuf,
    pub files: Vec<KeptFile>,
}

/// One file of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptFile {
    pub backup: BackupId,
    /// Its name in the folder, once it was begun.
    pub name: Option<String>,
    /// Its size and SHA-256, once it is whole.
    pub done: Option<(u64, String)>,
    /// How far packing it came.
    #[serde(default)]
    pub packed: Option<ExportMark>,
}

impl KeptDownload {
    /// Returns the paths picked.
    pub fn include(&self) -> Result<Vec<RawPath>> {
        let include = self.paths.iter().map(|text| Ok(RawPath::from_text(text)?.to_relative()));
        let include = include.collect::<Result<Vec<_>>>()?;
        Ok(if include.iter().any(RawPath::is_root) { Vec::new() } else { include })
    }

    /// Tells whether a file is there as it was left, so that it need not come again.
    pub fn is_there(&self, file: &KeptFile) -> bool {
        let (Some(name), Some((size, _))) = (&file.name, &file.done) else { return false };
        self.folder.join(name).metadata().is_ok_and(|meta| meta.is_file() && meta.len() == *size)
    }

    pub fn load(store: &dyn Store, run: &RunId) -> Result<Option<Self>> {
        let kept = store.transfer(&name_of(run))?;
        Ok(kept.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub fn save(&self, store: &dyn Store, run: &RunId) -> Result<()> {
        let text = serde_json::to_string(self)
            .map_err(|e| Error::new(ErrorClass::Internal, "Cannot keep how far a download came").source(e))?;
        store.put_transfer(&name_of(run), &text)
    }

    pub fn forget(store: &dyn Store, run: &RunId) -> Result<()> {
        store.delete_transfer(&name_of(run))
    }
}

fn name_of(run: &RunId) -> String {
    format!("download/{run}")
}

impl Inner {
    /// Tells whether a download that ended early can go on.
    pub(crate) fn is_resumable(&self, run: &Run) -> bool {
        run.kind == RunKind::Download
            && matches!(run.state, RunState::Failed | RunState::Cancelled | RunState::Interrupted)
            && self.store.transfer(&name_of(&run.id)).is_ok_and(|kept| kept.is_some())
    }

    /// Returns the destination a download is bound to.
    pub(super) fn bound_to(&self, kept: &KeptDownload) -> Result<Option<DestinationConfig>> {
        kept.destination.as_ref().map(|id| self.store.destination(id)).transpose()
    }
}

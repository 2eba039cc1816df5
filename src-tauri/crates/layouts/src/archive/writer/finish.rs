//! The end of an archive: its manifest, the proof that all of it arrived, and what makes it a backup.

use super::super::manifest::{ManifestBody, head_line};
use super::super::seal::{MANIFEST_SEGMENT, seal_all};
use super::{MANIFEST_FILE, READ, Writer, manifest_key, over};
use backstay_core::destination::{Key, ObjectInfo, WriteMode};
use backstay_core::entry::{Content, Entry, EntryType, TimeNs};
use backstay_core::kind::BACKSTAY_DIR;
use backstay_core::layout::{ArchiveFile, BackupManifest, BackupRecord};
use backstay_core::path::RawPath;
use backstay_core::run::Phase;
use backstay_core::{Error, ErrorClass, Result, tar};
use backstay_transfer::{Uploaded, confirm};
use std::io::Read;
use std::sync::atomic::Ordering;

/// The backup's own description, for people.
const BACKUP_FILE: &str = "backup.json";

impl Writer {
    /// Adds the description people read.
    async fn add_backup_file(&mut self, backup: &BackupManifest) -> Result<()> {
        let json = serde_json::to_vec_pretty(backup)
            .map_err(|error| Error::new(ErrorClass::Internal, "Cannot describe the backup").source(error))?;
        let counts = self.counts;
        let path = RawPath::new(format!("{BACKSTAY_DIR}/{BACKUP_FILE}"))?;
        let mut entry = Entry::plain(path, EntryType::File, 0o600, time_of(backup));
        entry.size_bytes = json.len() as u64;
        self.add_entry(entry, Content::Stream(&mut json.as_slice())).await?;
        self.counts = counts;
        Ok(())
    }

    /// Writes the manifest into the archive and ends it; returns what lies beside it, and the upload.
    async fn finish_file(&mut self, backup: &BackupManifest) -> Result<(ManifestBody, Uploaded)> {
        self.add_backup_file(backup).await?;
        let pack = self.pack.as_mut().ok_or_else(over)?;
        let blocks = match pack.settle(&self.ctx).await {
            Ok(blocks) => blocks,
            Err(error) => return Err(self.why(error).await),
        };
        let body = self.manifest.take().ok_or_else(over)?.finish(&blocks, backup)?;
        drop(blocks);
        let head = head_line(&self.record(backup, None))?;
        let path = RawPath::new(format!("{BACKSTAY_DIR}/{MANIFEST_FILE}"))?;
        let mut entry = Entry::plain(path, EntryType::File, 0o600, time_of(backup));
        entry.size_bytes = head.len() as u64 + body.text_bytes;
        if self.is_zip() {
            self.zip_begin(&entry).await?;
        } else {
            let header = tar::header(&entry, entry.path.as_bytes(), entry.size_bytes, None, &[]);
            self.push(&header).await?;
        }
        self.push(&head).await?;
        let mut text = body.text()?;
        let mut piece = vec![0; READ];
        loop {
            let read = text.read(&mut piece).map_err(|error| Error::io("Cannot unpack the manifest", error))?;
            if read == 0 {
                break;
            }
            self.push(&piece[..read]).await?;
        }
        drop(text);
        if self.is_zip() {
            self.zip_end().await?;
        } else {
            self.push_zeros(tar::padding(entry.size_bytes) as u64).await?;
            self.push(&tar::END).await?;
        }
        let pack = self.pack.take().ok_or_else(over)?;
        let ended = match pack.finish(&self.ctx).await {
            Ok(written) => written.output.finish().await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            return Err(self.why(error).await);
        }
        let upload = self.upload.take().ok_or_else(over)?;
        let uploaded = upload.await.map_err(|error| over().source(error))??;
        Ok((body, uploaded))
    }

    /// Uploads the rest, looks at what arrived, and makes it a backup by its manifest.
    pub(super) async fn finish(&mut self, backup: &BackupManifest) -> Result<BackupRecord> {
        self.ctx.progress.phase(Phase::Saving);
        let (body, uploaded) = self.finish_file(backup).await?;
        let proven = self.prove(&uploaded).await;
        if proven.is_err() && self.has_no_manifest().await {
            // Without its manifest it is nothing. Where it cannot be removed now, a check names it.
            let _ = self.shared.destination.delete(&self.new.key).await;
        }
        proven?;
        self.commit_file(backup, &body, &uploaded).await
    }

    /// Tells whether no manifest lies beside the archive. One that does makes what lies there another computer's, which
    /// took the same name at the same time: not every store can refuse the second.
    async fn has_no_manifest(&self) -> bool {
        let Ok(key) = manifest_key(&self.new.key) else { return false };
        self.shared.destination.head(&key).await.is_err_and(|error| error.class == ErrorClass::Missing)
    }

    /// Tells whether a manifest is that of another computer's backup of the same name.
    async fn is_anothers(&self, manifest: &Key, size_bytes: u64) -> bool {
        let there = ObjectInfo { key: manifest.clone(), size_bytes, modified: None };
        match self.shared.head(&there).await {
            Ok(record) => record.id != self.new.id,
            // What cannot be told is left alone.
            Err(error) => !matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing),
        }
    }

    /// Looks at what arrived.
    async fn prove(&self, uploaded: &Uploaded) -> Result<()> {
        let destination = self.shared.destination.as_ref();
        self.ctx.check()?;
        self.ctx.progress.phase(Phase::Checking);
        if uploaded.size != self.sent.load(Ordering::Relaxed) {
            let text = format!("Cannot store {} on {}: not all of it arrived", self.new.key, destination.label());
            return Err(Error::new(ErrorClass::Corrupt, text));
        }
        confirm(destination, &self.new.key, uploaded, &self.ctx).await?;
        self.ctx.check()
    }

    /// Writes the manifest and reads it back.
    async fn commit_file(
        &self,
        backup: &BackupManifest,
        body: &ManifestBody,
        uploaded: &Uploaded,
    ) -> Result<BackupRecord> {
        let destination = self.shared.destination.as_ref();
        let mut record = self.record(backup, Some(uploaded));
        record.counts.bytes_added = uploaded.size;
        let mut object = body.object(&record)?;
        if let Some(key) = &self.new.seal {
            object = seal_all(key, MANIFEST_SEGMENT, &object)?;
        }
        let object = bytes::Bytes::from(object);
        let key = manifest_key(&self.new.key)?;
        let put = destination.put(&key, object.clone(), WriteMode::CreateNew).await;
        // What lies there counts, not what was answered: an answer can be lost.
        let (is_there, is_ours, error) = match destination.get(&key, None).await {
            Ok(back) if back == object => return Ok(record),
            Ok(back) => (true, !self.is_anothers(&key, back.len() as u64).await, None),
            Err(error) => (error.class != ErrorClass::Missing, true, Some(error)),
        };
        // A manifest that cannot be taken away keeps its archive: the two are a whole backup, one alone is half of it.
        if is_ours && (!is_there || destination.delete(&key).await.is_ok()) {
            let _ = destination.delete(&self.new.key).await;
        }
        Err(put.err().or(error).unwrap_or_else(|| {
            let text = format!("What was written to {} is not what lies there", destination.label());
            Error::new(ErrorClass::Corrupt, text)
        }))
    }

    fn record(&self, backup: &BackupManifest, uploaded: Option<&Uploaded>) -> BackupRecord {
        let mut kinds: Vec<String> = backup.items.iter().map(|item| item.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        let spoiling = backup.problems.iter().filter(|problem| problem.kind.spoils_outcome());
        BackupRecord {
            id: self.new.id.clone(),
            started: backup.started,
            ended: self.ctx.clock.now(),
            server: Some(backup.server.clone()),
            server_name: backup.server_name.clone(),
            plan: Some(backup.plan.clone()),
            plan_name: backup.plan_name.clone(),
            kinds,
            problems: spoiling.count() as u64,
            counts: self.counts,
            parent: None,
            verified: None,
            archive: Some(ArchiveFile {
                key: self.new.key.to_string(),
                format: self.new.format,
                sealed: self.new.seal.is_some(),
                size_bytes: uploaded.map_or(0, |uploaded| uploaded.size),
                sha256: uploaded.map(|uploaded| uploaded.sha256.clone()).unwrap_or_default(),
            }),
        }
    }
}

fn time_of(backup: &BackupManifest) -> TimeNs {
    TimeNs::from_parts(backup.started.timestamp(), backup.started.timestamp_subsec_nanos())
}

//! A download: a backup, or parts of it, into one file on this computer.

use super::{Finish, Job, RunStart};
use crate::backstay::Backstay;
use crate::words::{count_text, invalid, parse_format, size_text, time_text};
use backstay_contract::DownloadRequest;
use backstay_core::config::{DestinationConfig, KnownBackup};
use backstay_core::layout::{ArchiveFormat, Selection};
use backstay_core::run::{Phase, RunCounts, RunKind};
use backstay_core::{BackupId, Error, ErrorClass, RawPath, Result};
use std::path::{Path, PathBuf};

/// Names tried before giving up: a folder with so many downloads of one second is not ours to fill.
const NAMES_TRIED: u32 = 1000;

struct Download {
    backup: KnownBackup,
    destination: DestinationConfig,
    selection: Selection,
    format: ArchiveFormat,
    folder: PathBuf,
}

impl Backstay {
    /// Starts a download and returns the run's id.
    pub async fn start_download(&self, request: DownloadRequest) -> Result<String> {
        let format = parse_format(&request.format)?;
        let folder = PathBuf::from(&request.folder);
        if !folder.is_absolute() || !folder.is_dir() {
            return Err(invalid(format!(
                "Cannot download into {}: it is no folder of this computer",
                folder.display()
            ))
            .hint("Choose a folder that is there"));
        }
        let include = request.paths.iter().map(|text| Ok(RawPath::from_text(text)?.to_relative()));
        let include = include.collect::<Result<Vec<_>>>()?;
        let include = if include.iter().any(RawPath::is_root) { Vec::new() } else { include };
        let (backup, destination) = self.inner.known_backup(&BackupId::from(request.backup.as_str()))?;
        let record = &backup.record;
        let text = format!("{}, {}", record.plan_name, time_text(record.started));
        let start = RunStart {
            kind: RunKind::Download,
            title: text.clone(),
            plan: record.plan.clone(),
            server: record.server.clone(),
            destination: Some(destination.id.clone()),
            backup: Some(record.id.clone()),
            plan_lock: None,
            subject: format!("{text} into {}", folder.display()),
        };
        let selection = Selection { include, ..Selection::default() };
        let work = Download { backup, destination, selection, format, folder };
        Ok(self.inner.start_run(start, move |job| work.run(job))?.to_string())
    }
}

impl Download {
    async fn run(self, job: Job) -> Result<Finish> {
        job.phase(Phase::Opening);
        let layout = job.ctx.or_cancel(job.inner.vault(&self.destination)).await?.layout;
        let reader = job.ctx.or_cancel(layout.open(&self.backup.record.id)).await?;
        job.phase(Phase::Packing);
        let (files, bytes) = self.totals(&job, reader.as_ref()).await?;
        backstay_core::context::Progress::total(job.progress.as_ref(), Some(files), Some(bytes));
        let mut source = job.ctx.or_cancel(reader.stream(&job.ctx, self.selection.clone())).await?;
        let file = self.free_name()?;
        let report = job.inner.parts.exporter().export(&job.ctx, source.as_mut(), self.format, &file).await?;
        job.log(format!(
            "Wrote {}: {}, {}; SHA-256 {}",
            file.display(),
            count_text(report.files, "file", "files"),
            size_text(report.file_bytes),
            report.sha256
        ));
        let counts = RunCounts { files: report.files, bytes: report.bytes, ..RunCounts::default() };
        Ok(Finish { counts, backup: None, result: Some(file.display().to_string()) })
    }

    async fn totals(&self, job: &Job, reader: &dyn backstay_core::layout::BackupReader) -> Result<(u64, u64)> {
        if self.selection.include.is_empty() {
            let counts = reader.record().counts;
            return Ok((counts.files, counts.bytes));
        }
        let entries = job.ctx.or_cancel(reader.walk(&job.ctx, &self.selection)).await?;
        for path in &self.selection.include {
            if !entries.iter().any(|entry| entry.path.starts_with(path)) {
                return Err(Error::new(
                    ErrorClass::Missing,
                    format!("Cannot download {path}: it is not in this backup"),
                )
                .hint("Pick it from the backup's contents"));
            }
        }
        let files = entries.iter().filter(|entry| entry.is_file());
        Ok(files.fold((0, 0), |(files, bytes), entry| (files + 1, bytes + entry.size_bytes)))
    }

    fn free_name(&self) -> Result<PathBuf> {
        let record = &self.backup.record;
        let time = record.started.format("%Y%m%d_%H%M%S");
        let stem = format!("{}_{time}", file_stem(&record.plan_name));
        (1..=NAMES_TRIED)
            .map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") })
            .map(|stem| self.folder.join(format!("{stem}.{}", self.format.extension())))
            .find(|file| !taken(file))
            .ok_or_else(|| Error::new(ErrorClass::Exists, format!("No free file name in {}", self.folder.display())))
    }
}

fn taken(file: &Path) -> bool {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    file.symlink_metadata().is_ok() || Path::new(&part).symlink_metadata().is_ok()
}

/// Makes a plan's name safe as a file name on every system.
fn file_stem(name: &str) -> String {
    let safe: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let safe = safe.trim_matches(['-', '.']).chars().take(80).collect::<String>();
    if safe.is_empty() { "backup".into() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_everywhere() {
        assert_eq!(file_stem("web nightly"), "web-nightly");
        assert_eq!(file_stem("../../etc/passwd"), "etc-passwd");
        assert_eq!(file_stem("a:b*c?"), "a-b-c");
        assert_eq!(file_stem("..."), "backup");
        assert_eq!(file_stem("日本"), "日本");
    }
}

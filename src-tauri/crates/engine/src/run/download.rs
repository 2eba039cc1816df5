//! A download: backups, or parts of one, into files on this computer. One that was cut off goes on where it was.

use super::legs::being_freed;
use super::request::{KeptDownload, KeptFile};
use super::thaw::{Turns, one_ready};
use super::{Finish, Job, RunStart};
use crate::backstay::Backstay;
use crate::backups::copies::{Copy, file_name, frozen};
use crate::backups::spare::Copies;
use crate::words::{count_text, invalid, parse_format, size_text, time_text};
use backstay_contract::DownloadRequest;
use backstay_core::context::Progress;
use backstay_core::destination::Availability;
use backstay_core::layout::{
    ArchiveFile, ArchiveFormat, BackupReader, BackupRecord, ExportFrom, ExportMark, Selection,
};
use backstay_core::run::{Phase, RunCounts, RunKind};
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, RawPath, Result, RunId};
use backstay_transfer::download_resumable;
use std::path::{Path, PathBuf};

/// Names tried before giving up: a folder with so many downloads of one second is not ours to fill.
const NAMES_TRIED: u32 = 1000;
/// The word for archives just as they lie at their destination.
const AS_IS: &str = "as_is";

struct Download {
    kept: KeptDownload,
}

impl Backstay {
    /// Starts a download and returns the run's id.
    pub async fn start_download(&self, request: DownloadRequest) -> Result<String> {
        let format = match request.format.as_str() {
            AS_IS => None,
            word => Some(parse_format(word)?),
        };
        let folder = PathBuf::from(&request.folder);
        if !folder.is_absolute() || !folder.is_dir() {
            return Err(invalid(format!(
                "Cannot download into {}: it is no folder of this computer",
                folder.display()
            ))
            .hint("Choose a folder that is there"));
        }
        if request.backups.is_empty() {
            return Err(invalid("No backup is picked"));
        }
        if !request.paths.is_empty() && (request.backups.len() > 1 || format.is_none()) {
            return Err(invalid("Paths can be picked of a single backup only, and not of an archive as it is"));
        }
        let mut files: Vec<KeptFile> = Vec::new();
        for id in &request.backups {
            let copies = self.inner.copies(&BackupId::from(id.as_str()))?;
            let Some(copy) = copies.first() else { continue };
            if format.is_none() && copy.known.record.archive.is_none() {
                return Err(invalid("This backup lies in a vault: it has no file to be fetched as it is")
                    .hint("Choose tar.gz, tar.zst or zip"));
            }
            if !files.iter().any(|file| file.backup == *copy.id()) {
                files.push(KeptFile { backup: copy.id().clone(), name: None, done: None, packed: None });
            }
        }
        let destination = request.destination.map(DestinationId::from);
        let kept = KeptDownload { format, paths: request.paths, destination, folder, files };
        kept.include()?;
        self.inner.bound_to(&kept)?;
        self.begin_download(kept)
    }

    /// Goes on with a download that ended early, as a run of its own; returns its id.
    pub async fn resume_download(&self, run: &str) -> Result<String> {
        let id = RunId::from(run);
        // The window and the command line may ask for it at the same time: the second finds that another run took over.
        let _lock = self.inner.locks.hold_resume(&id)?.ok_or_else(|| {
            Error::new(ErrorClass::Locked, "Cannot go on with this download: it goes on already")
                .hint("See Activity for the run that took over")
        })?;
        self.inner.sweep_interrupted()?;
        let old = self.inner.store.run(&id)?;
        let kept = KeptDownload::load(self.inner.store.as_ref(), &id)?.filter(|_| self.inner.is_resumable(&old));
        let kept = kept.ok_or_else(|| {
            invalid("This run cannot go on: it is no download that ended early").hint("Start the download anew")
        })?;
        let started = self.begin_download(kept)?;
        KeptDownload::forget(self.inner.store.as_ref(), &id)?;
        self.inner.emit(backstay_contract::Event::Run { run: self.inner.run_row(&old) });
        Ok(started)
    }

    fn begin_download(&self, kept: KeptDownload) -> Result<String> {
        let first = kept.files.first().ok_or_else(|| invalid("No backup is picked"))?;
        let copy = self.inner.copies(&first.backup)?.into_iter().next();
        let copy = copy.ok_or_else(|| Error::new(ErrorClass::Missing, "There is no such backup"))?;
        let record = &copy.known.record;
        let one = kept.files.len() == 1;
        let text = match one {
            true => format!("{}, {}", record.plan_name, time_text(record.started)),
            false => count_text(kept.files.len() as u64, "backup", "backups"),
        };
        let start = RunStart {
            kind: RunKind::Download,
            title: text.clone(),
            plan: record.plan.clone().filter(|_| one),
            server: record.server.clone().filter(|_| one),
            destination: Some(copy.config.id.clone()),
            backup: one.then(|| record.id.clone()),
            plan_lock: None,
            subject: format!("{text} into {}", kept.folder.display()),
        };
        let work = Download { kept: kept.clone() };
        let (keep, kept_before) = tokio::sync::oneshot::channel::<()>();
        let run = self.inner.start_run(start, move |job| async move {
            let _ = kept_before.await;
            work.run(job).await
        })?;
        // Before the run has its turn: it may wait for long, and be cancelled or killed while it does.
        kept.save(self.inner.store.as_ref(), &run)?;
        let _ = keep.send(());
        Ok(run.to_string())
    }
}

impl Download {
    async fn run(mut self, job: Job) -> Result<Finish> {
        let store = job.inner.store.clone();
        let mut counts = RunCounts::default();
        for at in 0..self.kept.files.len() {
            job.ctx.check()?;
            if self.kept.is_there(&self.kept.files[at]) {
                let name = self.kept.files[at].name.clone().unwrap_or_default();
                job.log(format!("{name} is there already"));
                continue;
            }
            let done = self.one(&job, at).await?;
            counts.files += done.files;
            counts.bytes += done.bytes;
        }
        KeptDownload::forget(store.as_ref(), job.id())?;
        let result = match self.kept.files.as_slice() {
            [KeptFile { name: Some(name), .. }] => self.kept.folder.join(name).display().to_string(),
            _ => self.kept.folder.display().to_string(),
        };
        Ok(Finish { counts, backup: None, result: Some(result) })
    }

    /// Brings one file, from the nearest copy that can be read.
    async fn one(&mut self, job: &Job, at: usize) -> Result<RunCounts> {
        job.phase(Phase::Opening);
        let mut copies = job.inner.copies(&self.kept.files[at].backup)?;
        if let Some(config) = job.inner.bound_to(&self.kept)? {
            copies.retain(|copy| copy.config.id == config.id);
        }
        let Some(record) = copies.first().map(|copy| copy.known.record.clone()) else {
            return Err(Error::new(ErrorClass::Missing, "This backup does not lie at that destination"));
        };
        let mut locks = Vec::new();
        for copy in &copies {
            locks.push(job.inner.locks.use_destination(&copy.config.id)?.ok_or_else(|| being_freed(&copy.config))?);
        }
        let path = self.name(job, at, &record)?;
        let (counts, file_bytes, sha256) = match self.kept.format {
            None => self.fetch(job, &copies, &path).await?,
            Some(format) => self.pack(job, at, copies, format, &path).await?,
        };
        job.log(format!("Wrote {}: {}; SHA-256 {sha256}", path.display(), size_text(file_bytes)));
        self.kept.files[at].done = Some((file_bytes, sha256));
        self.kept.files[at].packed = None;
        self.kept.save(job.inner.store.as_ref(), job.id())?;
        Ok(counts)
    }

    /// Chooses the file's name, and keeps it, so that what comes into it belongs to this download.
    fn name(&mut self, job: &Job, at: usize, record: &BackupRecord) -> Result<PathBuf> {
        let begun = self.kept.files[at].name.clone().map(|name| self.kept.folder.join(name));
        if let Some(path) = begun.filter(|path| path.symlink_metadata().is_err()) {
            return Ok(path);
        }
        let path = self.free_name(record)?;
        self.kept.files[at].name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.kept.files[at].done = None;
        self.kept.files[at].packed = None;
        self.kept.save(job.inner.store.as_ref(), job.id())?;
        Ok(path)
    }

    fn free_name(&self, record: &BackupRecord) -> Result<PathBuf> {
        let (stem, extension) = match (self.kept.format, &record.archive) {
            (None, Some(file)) => {
                let name = file_name(&file.key);
                let (stem, extension) = split_name(&name, file);
                (file_stem(stem), extension.to_owned())
            }
            (format, _) => {
                let time = record.started.format("%Y%m%d_%H%M%S");
                let extension = format.map_or("tar.gz", |format| format.extension());
                (format!("{}_{time}", file_stem(&record.plan_name)), extension.to_owned())
            }
        };
        (1..=NAMES_TRIED)
            .map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") })
            .map(|stem| self.kept.folder.join(format!("{stem}.{extension}")))
            .find(|file| !taken(file))
            .ok_or_else(|| {
                Error::new(ErrorClass::Exists, format!("No free file name in {}", self.kept.folder.display()))
            })
    }

    /// Fetches an archive as it lies there.
    async fn fetch(&self, job: &Job, copies: &[Copy], path: &Path) -> Result<(RunCounts, u64, String)> {
        let mut first = None;
        let mut turns = Turns::of(copies.to_vec());
        while let Some((copy, told)) = turns.next(job).await {
            let Some(file) = copy.known.record.archive.clone() else { continue };
            let fetched = match told {
                Ok(Availability::Frozen) => Err(frozen(&copy)),
                Ok(_) => fetch_from(job, &copy, &file, path).await,
                Err(error) => Err(error),
            };
            match fetched {
                Ok(()) => {
                    let counts = RunCounts { files: 1, bytes: file.size_bytes, ..RunCounts::default() };
                    return Ok((counts, file.size_bytes, file.sha256));
                }
                Err(error) if error.is_cancelled() || is_this_computers(&error) => return Err(error),
                Err(error) => {
                    job.log(format!("The copy at {} was not used: {}", copy.config.name, error.message));
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| Error::new(ErrorClass::Missing, "This archive lies nowhere any more")))
    }

    /// Packs a backup, or parts of it, into a file; goes on after the last mark of an earlier run.
    async fn pack(
        &mut self,
        job: &Job,
        at: usize,
        copies: Vec<Copy>,
        format: ArchiveFormat,
        path: &Path,
    ) -> Result<(RunCounts, u64, String)> {
        one_ready(job, &copies).await?;
        let copies = job.copies(copies);
        let reader = copies.open().await?;
        let mut selection = Selection { include: self.kept.include()?, ..Selection::default() };
        job.phase(Phase::Packing);
        let (files, bytes) = totals(reader.as_ref(), &copies, &selection).await?;
        job.progress.total(Some(files), Some(bytes));
        let exporter = job.inner.parts.exporter();
        let mark = self.kept.files[at].packed.take().filter(|mark| exporter.can_go_on(path, mark));
        let from = match mark {
            Some(mark) => go_on(&copies, &mut selection, mark).await?,
            None => None,
        };
        if from.is_none() {
            // A mark that is not gone on with must not meet the part written from here on.
            self.kept.save(job.inner.store.as_ref(), job.id())?;
        }
        let part = part_of(path);
        match &from {
            Some(from) => job.log(format!("Went on after {} that were packed", size_text(from.mark.bytes))),
            None if part.symlink_metadata().is_ok() => {
                // Taken over by the exporter, unless another run is writing it.
                job.log(format!("{} is packed anew: it had not come far enough to go on", path.display()));
            }
            None => {}
        }
        let mut source = copies.stream(selection).await?;
        let mut keep = |mark: ExportMark| {
            self.kept.files[at].packed = Some(mark);
            self.kept.save(job.inner.store.as_ref(), job.id())
        };
        let report = exporter.export(&job.ctx, source.as_mut(), format, path, from, &mut keep).await?;
        let counts = RunCounts { files: report.files, bytes: report.bytes, ..RunCounts::default() };
        Ok((counts, report.file_bytes, report.sha256))
    }
}

/// Leaves out of a selection what was packed before a mark; `None` where the backup's entries are not those of the mark, or
/// cannot be listed: packing anew then tells what is damaged.
async fn go_on(copies: &Copies, selection: &mut Selection, mark: ExportMark) -> Result<Option<ExportFrom>> {
    let mut before = match copies.walk(selection).await {
        Ok(entries) => entries,
        Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => return Ok(None),
        Err(error) => return Err(error),
    };
    let done = usize::try_from(mark.entries).unwrap_or(usize::MAX);
    let same =
        done.checked_sub(1).and_then(|last| before.get(last)).is_some_and(|last| last.path.to_text() == mark.last);
    if !same {
        return Ok(None);
    }
    selection.only = Some(before.split_off(done).into_iter().map(|entry| entry.path).collect());
    Ok(Some(ExportFrom { mark, before }))
}

async fn fetch_from(job: &Job, copy: &Copy, file: &ArchiveFile, path: &Path) -> Result<()> {
    let Some(key) = copy.key()? else { return Ok(()) };
    let place = job.ctx.or_cancel(job.inner.place(&copy.config)).await?;
    job.phase(Phase::Copying);
    job.progress_current(&file_name(&file.key));
    job.progress.total(Some(1), Some(file.size_bytes));
    let came = download_resumable(place, &key, file.size_bytes, &file.sha256, path, &job.ctx).await?;
    if came.resumed_bytes > 0 {
        job.log(format!("Went on after {} that were there", size_text(came.resumed_bytes)));
    }
    Ok(())
}

async fn totals(reader: &dyn BackupReader, copies: &Copies, selection: &Selection) -> Result<(u64, u64)> {
    if selection.include.is_empty() {
        let counts = reader.record().counts;
        return Ok((counts.files, counts.bytes));
    }
    let entries = copies.walk(selection).await?;
    for path in &selection.include {
        if !entries.iter().any(|entry| entry.path.starts_with(path)) {
            return Err(not_in_it(path));
        }
    }
    let files = entries.iter().filter(|entry| entry.is_file());
    Ok(files.fold((0, 0), |(files, bytes), entry| (files + 1, bytes + entry.size_bytes)))
}

fn not_in_it(path: &RawPath) -> Error {
    Error::new(ErrorClass::Missing, format!("Cannot download {path}: it is not in this backup"))
        .hint("Pick it from the backup's contents")
}

/// Tells whether an error is about the folder downloaded into, so that another copy would not help.
fn is_this_computers(error: &Error) -> bool {
    matches!(error.class, ErrorClass::Full | ErrorClass::Exists)
}

/// Splits an archive's name before its ending: "web.tar.zst.sealed" is "web" and "tar.zst.sealed".
fn split_name<'a>(name: &'a str, file: &ArchiveFile) -> (&'a str, &'a str) {
    let ending = format!(".{}", file.format.extension());
    match name.rfind(&ending) {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => name.rsplit_once('.').unwrap_or((name, file.format.extension())),
    }
}

fn part_of(file: &Path) -> PathBuf {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}

fn taken(file: &Path) -> bool {
    file.symlink_metadata().is_ok() || part_of(file).symlink_metadata().is_ok()
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
    use backstay_core::layout::ArchiveFormat;

    #[test]
    fn file_names_are_safe_everywhere() {
        assert_eq!(file_stem("web nightly"), "web-nightly");
        assert_eq!(file_stem("../../etc/passwd"), "etc-passwd");
        assert_eq!(file_stem("a:b*c?"), "a-b-c");
        assert_eq!(file_stem("..."), "backup");
        assert_eq!(file_stem("日本"), "日本");
    }

    #[test]
    fn an_archives_name_keeps_its_whole_ending() {
        let file =
            |format| ArchiveFile { key: String::new(), format, sealed: true, size_bytes: 1, sha256: String::new() };
        assert_eq!(split_name("a.b.tar.zst.sealed", &file(ArchiveFormat::TarZst)), ("a.b", "tar.zst.sealed"));
        assert_eq!(split_name("a.zip", &file(ArchiveFormat::Zip)), ("a", "zip"));
        assert_eq!(split_name("odd", &file(ArchiveFormat::Zip)), ("odd", "zip"));
    }
}

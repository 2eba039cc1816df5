//! The writing half: compresses events into the part, on a thread of its own.

use super::Event;
use super::gzip::GzipWriter;
use super::part::Part;
use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::layout::ArchiveFormat;
use backstay_core::{Error, ErrorClass, Result};
use chrono::{Datelike, Timelike};
use std::io::{self, BufWriter, Write};
use tokio::sync::mpsc::Receiver;
use zip::result::ZipError;
use zip::write::{ExtendedFileOptions, FileOptions};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// zstd's own default; 3 is fast and packs better than gzip.
const ZSTD_LEVEL: i32 = 3;
const BUFFER_BYTES: usize = 256 * 1024;
/// From here on a zip entry needs the large form. A little below 4 GiB: deflate may make noise larger.
const ZIP_LARGE_BYTES: u64 = 0xF000_0000;
/// Info-ZIP's extended timestamp.
const TIMESTAMP_FIELD: u16 = 0x5455;
const FILE_TYPE_LINK: u32 = 0o120_000;
const FILE_TYPE_FILE: u32 = 0o100_000;
const FILE_TYPE_FOLDER: u32 = 0o040_000;

/// Writes all events into the part. An `Internal` error where the events ended early.
pub(super) fn write(events: Receiver<Event>, part: Part, format: ArchiveFormat) -> Result<Part> {
    match format {
        ArchiveFormat::TarGz => write_stream(events, GzipWriter::new(part, threads())?, GzipWriter::finish),
        ArchiveFormat::TarZst => {
            let encoder = zstd_encoder(part)?;
            write_stream(events, encoder, |encoder| encoder.finish())
        }
        ArchiveFormat::Zip => write_zip(events, part.without_hash()),
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(16))
}

fn zstd_encoder(part: Part) -> Result<zstd::Encoder<'static, Part>> {
    let setup = |part| -> io::Result<zstd::Encoder<'static, Part>> {
        let mut encoder = zstd::Encoder::new(part, ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.multithread(u32::try_from(threads()).unwrap_or(1))?;
        Ok(encoder)
    };
    setup(part).map_err(|error| Error::new(ErrorClass::Internal, "Cannot start zstd").source(error))
}

fn write_stream<W: Write>(
    mut events: Receiver<Event>,
    mut writer: W,
    finish: impl FnOnce(W) -> io::Result<Part>,
) -> Result<Part> {
    loop {
        match events.blocking_recv() {
            Some(Event::Bytes(bytes)) => writer.write_all(&bytes).map_err(write_error)?,
            Some(Event::ZipEntry { .. }) => {}
            Some(Event::End) => return finish(writer).map_err(write_error),
            None => return Err(ended_early()),
        }
    }
}

fn write_zip(mut events: Receiver<Event>, part: Part) -> Result<Part> {
    let mut zip = ZipWriter::new(BufWriter::with_capacity(BUFFER_BYTES, part));
    loop {
        let step = match events.blocking_recv() {
            Some(Event::Bytes(bytes)) => zip.write_all(&bytes).map_err(ZipError::Io),
            Some(Event::ZipEntry { name, entry }) => begin_zip_entry(&mut zip, &name, &entry),
            Some(Event::End) => break,
            None => return Err(ended_early()),
        };
        step.map_err(zip_error)?;
    }
    let part = zip.finish().map_err(zip_error)?;
    let part = part.into_inner().map_err(|error| write_error(error.into_error()))?;
    check_zip(&part)?;
    Ok(part)
}

fn begin_zip_entry(zip: &mut ZipWriter<BufWriter<Part>>, name: &str, entry: &Entry) -> Result<(), ZipError> {
    let kind = match entry.kind {
        EntryType::Dir => FILE_TYPE_FOLDER,
        EntryType::Symlink(_) => FILE_TYPE_LINK,
        _ => FILE_TYPE_FILE,
    };
    let mut options = FileOptions::<ExtendedFileOptions>::default()
        .compression_method(CompressionMethod::Deflated)
        .large_file(entry.size_bytes >= ZIP_LARGE_BYTES)
        .last_modified_time(dos_time(entry.mtime))
        // All mode bits, which `unix_permissions` would cut.
        .external_attributes((kind | entry.mode & 0o7777) << 16)
        .system(System::Unix);
    if let Ok(seconds) = i32::try_from(entry.mtime.to_parts().0) {
        let field = [&[1][..], &seconds.to_le_bytes()].concat();
        options.add_extra_field(TIMESTAMP_FIELD, field, false)?;
    }
    match &entry.kind {
        EntryType::Dir => zip.add_directory(name, options),
        EntryType::Symlink(target) => zip.add_symlink(name, String::from_utf8_lossy(target), options),
        _ => zip.start_file(name, options),
    }
}

/// The old field of two-second steps, in UTC; what reads the extended one gets the exact second.
fn dos_time(time: TimeNs) -> DateTime {
    let (seconds, _) = time.to_parts();
    let dos = chrono::DateTime::from_timestamp(seconds, 0).and_then(|utc| {
        let year = u16::try_from(utc.year()).ok()?;
        let (month, day) = (utc.month() as u8, utc.day() as u8);
        DateTime::from_date_and_time(year, month, day, utc.hour() as u8, utc.minute() as u8, utc.second() as u8).ok()
    });
    dos.unwrap_or_default()
}

/// Reads the zip back, entry by entry, against its checksums: a zip's writer goes back to fill in sizes, so that a hash
/// of what was written cannot be kept along the way.
fn check_zip(part: &Part) -> Result<()> {
    let damaged = |error: ZipError| {
        Error::new(ErrorClass::Corrupt, "Cannot read the zip back: it is not what was written").source(error)
    };
    let reader = part.reader().map_err(|error| part.error(error))?;
    let mut archive = zip::ZipArchive::new(io::BufReader::with_capacity(BUFFER_BYTES, reader)).map_err(damaged)?;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(damaged)?;
        io::copy(&mut file, &mut io::sink()).map_err(|error| damaged(ZipError::Io(error)))?;
    }
    Ok(())
}

fn zip_error(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => write_error(error),
        other => Error::new(ErrorClass::Invalid, "Cannot write the zip").hint("Use .tar.gz or .tar.zst").source(other),
    }
}

fn write_error(error: io::Error) -> Error {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let error = Error::io("Cannot write the download", error);
    if full { error.hint("Make room on that disk, or pick another folder") } else { error }
}

/// The feed knows why, and says so itself.
fn ended_early() -> Error {
    Error::new(ErrorClass::Internal, "Reading the backup ended early")
}

//! Looks whether archives are what was written.

use super::places::{Opened, Places, format_of};
use super::reader::Reader;
use super::stream::start;
use super::writer::manifest_key;
use super::{MANIFEST_ENDING, Shared};
use backstay_core::destination::{Availability, Destination, Key};
use backstay_core::entry::EntrySource;
use backstay_core::layout::LayoutCheck;
use backstay_core::path::RawPath;
use backstay_core::run::{Phase, Problem};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use backstay_transfer::Sha256Sum;
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::io::AsyncReadExt;

const READ: usize = 256 << 10;

/// Checks all archives, and reads back this share of their files.
pub(crate) async fn check(shared: &Shared, ctx: &RunContext, percent: u8) -> Result<LayoutCheck> {
    ctx.progress.phase(Phase::Checking);
    let places = ctx.or_cancel(Places::read(shared.destination.as_ref())).await?;
    let mut found = LayoutCheck::default();
    for key in places.orphans() {
        found.objects += 1;
        let why = "it has no manifest: a backup that was cut off, or one whose manifest was lost";
        found.faults.push((key.to_string(), why.to_owned()));
    }
    let heads = ctx.or_cancel(shared.heads()).await?;
    let sizes = heads.iter().filter_map(|(_, opened)| match opened {
        Opened::Record(record) | Opened::Alone(record) => record.archive.as_ref().map(|file| file.size_bytes),
        _ => None,
    });
    let bytes = sizes.sum::<u64>() / 100 * u64::from(percent.min(100));
    ctx.progress.total(Some(heads.len() as u64), Some(bytes));
    for (key, opened) in heads {
        ctx.check()?;
        found.objects += 1;
        match opened {
            Opened::Bad(why) => found.faults.push((key.to_string(), why)),
            Opened::Locked => found.faults.push((key.to_string(), "no key at hand opens it".to_owned())),
            Opened::Record(_) | Opened::Alone(_) => one(shared, ctx, &places, &key, percent, &mut found).await?,
        }
        ctx.progress.advance(1, 0);
    }
    Ok(found)
}

/// Checks one archive by its manifest's key.
async fn one(
    shared: &Shared,
    ctx: &RunContext,
    places: &Places,
    manifest: &Key,
    percent: u8,
    found: &mut LayoutCheck,
) -> Result<()> {
    let archive = Key::new(manifest.as_str().strip_suffix(MANIFEST_ENDING).unwrap_or(manifest.as_str()))?;
    let subject = archive.to_string();
    ctx.progress.current(&subject);
    found.objects += 1;
    let Some(size) = places.files.get(archive.as_str()).copied() else {
        damaged(found, &subject);
        found.faults.push((subject, "the archive is missing; only its manifest is there".to_owned()));
        return Ok(());
    };
    let opened = async {
        let (read, bytes) = shared.manifest(&manifest_key(&archive)?).await?;
        found.bytes += bytes;
        let expected = read.record.archive.as_ref().map(|file| file.size_bytes);
        if expected != Some(size) {
            let text = format!("it has {size} bytes instead of {}", expected.unwrap_or(0));
            return Err(Error::new(ErrorClass::Corrupt, text));
        }
        let reader = shared.reader(&archive, read)?;
        // Of a sealed one its seal's header is read, whatever the share.
        if percent == 0 && format_of(archive.as_str()).is_none_or(|(_, sealed)| !sealed) {
            return Ok((reader, Availability::Ready));
        }
        let availability = shared.destination.availability(&archive).await?;
        if availability == Availability::Ready {
            reader.contents().await?;
        }
        Ok((reader, availability))
    };
    let reader = match ctx.or_cancel(opened).await {
        Ok((reader, Availability::Ready)) => reader,
        Ok((_, Availability::Frozen | Availability::Thawing)) => {
            found.not_read += 1;
            ctx.progress.problem(Problem::frozen(subject));
            return Ok(());
        }
        Err(error) => return fault(found, &archive, subject, error),
    };
    if percent == 0 {
        return Ok(());
    }
    if percent >= 100 {
        let expected = reader.record.archive.as_ref().map(|file| file.sha256.clone()).unwrap_or_default();
        match hash_of(ctx, shared.destination.as_ref(), &archive, size).await {
            Ok(sum) if sum == expected => {}
            Ok(_) => {
                damaged(found, &subject);
                found.faults.push((subject.clone(), "it is not what was written: its checksum differs".to_owned()))
            }
            Err(error) => fault(found, &archive, subject.clone(), error)?,
        }
        found.bytes += size;
    }
    entries(ctx, &reader, percent, &archive, found).await
}

/// Remembers that an archive is to be written anew, whichever part of it was found damaged.
fn damaged(found: &mut LayoutCheck, archive: &str) {
    if !found.damaged.iter().any(|key| key == archive) {
        found.damaged.push(archive.to_owned());
    }
}

/// Damage is a fault to be told; what keeps us from looking ends the check.
fn fault(found: &mut LayoutCheck, archive: &Key, subject: String, error: Error) -> Result<()> {
    if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) {
        damaged(found, archive.as_str());
    }
    match error.class {
        ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Unsupported | ErrorClass::WrongKey => {
            found.faults.push((subject, error.message));
            Ok(())
        }
        _ => Err(error),
    }
}

/// Reads files back and compares them with their hashes. Which ones are a smaller share changes from day to day.
async fn entries(ctx: &RunContext, reader: &Reader, percent: u8, archive: &Key, found: &mut LayoutCheck) -> Result<()> {
    let index = reader.index();
    let day = ctx.clock.now().timestamp() / 86_400;
    let share = |row: &usize| {
        let mut hasher = DefaultHasher::new();
        (index.path(*row), day).hash(&mut hasher);
        hasher.finish() % 100 < u64::from(percent)
    };
    let rows = (0..index.len()).filter(|row| index.is_file(*row) && !index.is_further_name(*row));
    let rows: Vec<usize> = rows.filter(|row| percent >= 100 || share(row)).collect();
    let mut source = start(ctx.or_cancel(reader.contents()).await?, rows, ctx.clone());
    let mut buffer = vec![0; READ];
    while let Some(row) = source.next_row().await? {
        let mut content = source.content();
        loop {
            let read =
                ctx.or_cancel(async { content.read(&mut buffer).await.map_err(|e| Error::io("Cannot read", e)) });
            match read.await {
                Ok(0) => break,
                Ok(read) => {
                    if percent < 100 {
                        found.bytes += read as u64;
                        ctx.progress.advance(0, read as u64);
                    }
                }
                Err(error) => {
                    let path = RawPath::new(index.path(row)).unwrap_or_default();
                    fault(found, archive, format!("{archive}: {path}"), error)?;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Reads a whole object; returns its SHA-256. `Corrupt` where it has not this size.
pub(crate) async fn hash_of(ctx: &RunContext, destination: &dyn Destination, key: &Key, size: u64) -> Result<String> {
    let mut stream = ctx.or_cancel(destination.get_stream(key, 0)).await?;
    let mut sum = Sha256Sum::new();
    let mut buffer = vec![0; READ];
    let mut read_bytes = 0;
    loop {
        let tried = || format!("Cannot read {key} at {}", destination.label());
        let read = ctx.or_cancel(async { stream.read(&mut buffer).await.map_err(|e| Error::io(tried(), e)) }).await?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
        read_bytes += read as u64;
        ctx.progress.advance(0, read as u64);
    }
    if read_bytes != size {
        let text = format!("{key} at {} has {read_bytes} bytes instead of {size}", destination.label());
        return Err(Error::new(ErrorClass::Corrupt, text));
    }
    Ok(sum.finish())
}

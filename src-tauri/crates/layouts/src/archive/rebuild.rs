//! An archive whose manifest was lost: the one inside it, found by the pointer at its end, tells the same.

use super::check::hash_of;
use super::manifest::{Manifest, read_text};
use super::pack::{Codec, LOCATOR_BYTES, parse_locator};
use super::places::format_of;
use super::reader::Reader;
use super::seal::{MANIFEST_SEGMENT, seal_all};
use super::writer::{MANIFEST_FILE, manifest_key};
use super::{Shared, keys::blocking};
use backstay_core::destination::{Key, WriteMode};
use backstay_core::kind::BACKSTAY_DIR;
use backstay_core::layout::{ArchiveFile, BackupRecord};
use backstay_core::{Error, ErrorClass, Result, RunContext, tar};
use std::io::{self, Read};

/// The pointer lies within so many last bytes.
const TAIL: u64 = 512;

fn lost(key: &Key, why: &str) -> Error {
    Error::new(ErrorClass::Corrupt, format!("Cannot rebuild the manifest of {key}: {why}"))
        .hint("It may be half of a backup that was cut off. tar, unzip or docs/formats/archive.md open what is there")
}

/// Opens an archive by the manifest inside it.
pub(crate) async fn open(shared: &Shared, key: &Key) -> Result<Reader> {
    Ok(inner(shared, key).await?.0)
}

async fn inner(shared: &Shared, key: &Key) -> Result<(Reader, Vec<u8>)> {
    let (format, sealed) = format_of(key.as_str()).ok_or_else(|| lost(key, "its name is not that of an archive"))?;
    let size = shared.destination.head(key).await?.size_bytes;
    let bytes = shared.bytes(key, size, sealed).await?;
    let end = bytes.len();
    let tail = bytes.read(end.saturating_sub(TAIL)..end).await.map_err(|error| super::file::copy_error(&error))?;
    let locator = if tail.len() >= LOCATOR_BYTES { parse_locator(&tail) } else { None };
    let (at, length, raw) = locator.ok_or_else(|| lost(key, "it does not end as a whole archive"))?;
    let stop = at.checked_add(length).filter(|stop| *stop <= end).ok_or_else(|| lost(key, "its end is damaged"))?;
    let packed = bytes.read(at..stop).await.map_err(|error| super::file::copy_error(&error))?;
    drop(bytes);
    let (codec, is_tar, name) = (Codec::of(format), format != backstay_core::layout::ArchiveFormat::Zip, key.clone());
    let text = blocking(move || {
        let unpacked = unpack(codec, &packed, raw).map_err(|_| lost(&name, "its manifest cannot be unpacked"))?;
        if is_tar {
            from_tar(unpacked).ok_or_else(|| lost(&name, "its last entry is no manifest"))
        } else {
            Ok(unpacked)
        }
    })
    .await?;
    let name = shared.name_of(key);
    let (manifest, text) = blocking(move || {
        let manifest = read_text(text.as_slice(), &name)?;
        Ok((manifest, text))
    })
    .await?;
    let Manifest { mut record, backup, index, blocks } = manifest;
    let file = ArchiveFile { key: key.to_string(), format, sealed, size_bytes: size, sha256: String::new() };
    record.archive = Some(file);
    let reader = shared.reader(key, Manifest { record, backup, index, blocks })?;
    Ok((reader, text))
}

/// Unpacks the blocks of the manifest, one after another.
fn unpack(codec: Codec, packed: &[u8], raw: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    match codec {
        Codec::Zstd => zstd::Decoder::new(packed)?.take(raw).read_to_end(&mut out)?,
        Codec::Deflate => flate2::read::DeflateDecoder::new(packed).take(raw).read_to_end(&mut out)?,
    };
    if out.len() as u64 == raw { Ok(out) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Takes the manifest out of the end of a tar that holds nothing else.
fn from_tar(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let header = bytes.get(..tar::BLOCK)?;
    let name = format!("{BACKSTAY_DIR}/{MANIFEST_FILE}");
    // Its name and size are short and its time is whole or follows in a header before: look for the real one.
    let (start, size) = match header.get(156)? {
        b'x' => {
            let pax = octal(header.get(124..136)?)?;
            let start = tar::BLOCK + pax as usize + tar::padding(pax);
            (start + tar::BLOCK, octal(bytes.get(start + 124..start + 136)?)?)
        }
        _ => (tar::BLOCK, octal(header.get(124..136)?)?),
    };
    let named = bytes.get(start - tar::BLOCK..)?.starts_with(name.as_bytes());
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    if !named || end > bytes.len() {
        return None;
    }
    bytes.truncate(end);
    bytes.drain(..start);
    Some(bytes)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_end_matches(['\0', ' ']).trim_start(), 8).ok()
}

/// Writes the manifest anew beside its archive, after the archive was read from its first byte to its last.
pub(crate) async fn adopt(shared: &Shared, ctx: &RunContext, key: &Key) -> Result<BackupRecord> {
    let (reader, text) = ctx.or_cancel(inner(shared, key)).await?;
    let mut record = reader.record.clone();
    let Some(file) = &mut record.archive else { return Err(lost(key, "it names no archive")) };
    file.sha256 = hash_of(ctx, shared.destination.as_ref(), key, file.size_bytes).await?;
    let bytes_added = file.size_bytes;
    record.counts.bytes_added = bytes_added;
    let seal = match file.sealed {
        true => {
            let header = shared.seal_header(key, file.size_bytes).await?;
            let header = header.ok_or_else(|| lost(key, "it was removed meanwhile"))?;
            Some(shared.keys.find(&header, key.as_str()).await?)
        }
        false => None,
    };
    let made = record.clone();
    let object = blocking(move || {
        let rest = text.iter().position(|byte| *byte == b'\n').map_or(&[][..], |at| &text[at + 1..]);
        let object = super::manifest::pack_object(&made, rest)?;
        seal.map_or(Ok(object.clone()), |key| seal_all(&key, MANIFEST_SEGMENT, &object))
    })
    .await?;
    let (beside, object) = (manifest_key(key)?, bytes::Bytes::from(object));
    ctx.or_cancel(shared.destination.put(&beside, object.clone(), WriteMode::CreateNew)).await?;
    if shared.destination.get(&beside, None).await? != object {
        let _ = shared.destination.delete(&beside).await;
        return Err(lost(key, "what was written is not what lies there"));
    }
    shared.remember(&record);
    Ok(record)
}

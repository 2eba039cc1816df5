//! The content of objects: files, taken in with their sums and given out in parts.

use super::shelf::Stored;
use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};
use std::io::SeekFrom;
use std::ops::Range;
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio_util::io::ReaderStream;

const PIECE: usize = 256 << 10;

/// Content that was taken in.
pub(super) struct Taken {
    pub(super) file: PathBuf,
    pub(super) md5: [u8; 16],
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn internal(error: std::io::Error) -> s3s::S3Error {
    s3_error!(error, InternalError)
}

/// Takes content in; wrong sums are refused, and nothing of it stays.
pub(super) async fn take(
    file: PathBuf,
    mut body: StreamingBlob,
    md5: Option<String>,
    crc32: Option<String>,
) -> S3Result<Taken> {
    let taken = async {
        let mut out = BufWriter::with_capacity(PIECE, File::create(&file).await.map_err(internal)?);
        let mut sum = Md5::new();
        let mut crc = s3s::checksum::ChecksumHasher { crc32: Some(s3s::crypto::Checksum::new()), ..Default::default() };
        while let Some(piece) = body.next().await {
            let piece: Bytes = piece.map_err(|_| s3_error!(IncompleteBody))?;
            sum.update(&piece);
            if crc32.is_some() {
                crc.update(&piece);
            }
            out.write_all(&piece).await.map_err(internal)?;
        }
        out.flush().await.map_err(internal)?;
        let sum: [u8; 16] = sum.finalize().into();
        if md5.is_some_and(|given| given != encoded(&sum)) {
            return Err(s3_error!(BadDigest));
        }
        if crc32.is_some() && crc.finalize().checksum_crc32 != crc32 {
            return Err(s3_error!(BadDigest));
        }
        Ok(sum)
    }
    .await;
    match taken {
        Ok(md5) => Ok(Taken { file, md5 }),
        Err(error) => {
            let _ = std::fs::remove_file(&file);
            Err(error)
        }
    }
}

fn encoded(sum: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(sum)
}

/// Gives a part of a file out.
pub(super) async fn give(file: std::fs::File, range: Range<u64>) -> S3Result<StreamingBlob> {
    let mut file = File::from_std(file);
    file.seek(SeekFrom::Start(range.start)).await.map_err(internal)?;
    Ok(StreamingBlob::wrap(ReaderStream::with_capacity(file.take(range.end - range.start), PIECE)))
}

/// Puts parts together.
pub(super) async fn join(file: PathBuf, parts: &[Stored]) -> S3Result<(PathBuf, [u8; 16])> {
    let mut sum = Md5::new();
    let mut out = File::create(&file).await.map_err(internal)?;
    for part in parts {
        sum.update(part.md5);
        let mut from = File::open(&part.file).await.map_err(internal)?;
        tokio::io::copy_buf(&mut tokio::io::BufReader::with_capacity(PIECE, &mut from), &mut out)
            .await
            .map_err(internal)?;
    }
    out.flush().await.map_err(internal)?;
    Ok((file, sum.finalize().into()))
}

//! Uploads a made-up stream of unknown length, and prints the peak memory that took, in KiB. For the benchmark.
//!
//! `stream_to_s3 ENDPOINT GIGABYTES`: a store that takes anything, as `scripts/bench/sink.mjs` does.

use backstay_core::RunContext;
use backstay_core::config::{DestinationLogin, Place, S3Place};
use backstay_core::destination::{Key, WriteMode};
use backstay_core::secret::Secret;
use backstay_destinations::{Opening, open};
use backstay_transfer::upload_stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Noise that does not compress, so many bytes of it.
struct Noise {
    left: u64,
    state: u64,
}

impl AsyncRead for Noise {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let mut room = out.remaining().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= room as u64;
        while room > 0 {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            let bytes = self.state.to_le_bytes();
            let count = room.min(bytes.len());
            out.put_slice(&bytes[..count]);
            room -= count;
        }
        Poll::Ready(Ok(()))
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

#[tokio::main]
async fn main() -> backstay_core::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_default();
    let gigabytes: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let place = Place::S3(S3Place {
        provider: "generic".into(),
        endpoint,
        region: "us-east-1".into(),
        bucket: "sink".into(),
        access_key: "sink".into(),
        path_style: true,
        checks_md5: true,
        ..S3Place::default()
    });
    let login = DestinationLogin { secret: Some(Secret::new("sink")), ..DestinationLogin::default() };
    let destination = open("sink", &place, Opening { login, ..Opening::default() }).await?;
    let bytes = gigabytes * 1_000_000_000;
    let stream = Box::new(Noise { left: bytes, state: 0x9E37_79B9_7F4A_7C15 });
    let context = RunContext::silent();
    let key = Key::new("archives/stream.bin")?;
    let uploaded = upload_stream(destination.as_ref(), &key, stream, None, WriteMode::Replace, &context).await?;
    println!("{{\"bytes\":{},\"peakKib\":{}}}", uploaded.size, peak_kib());
    Ok(())
}

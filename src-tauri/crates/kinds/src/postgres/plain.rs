//! Plain dumps go through psql, which obeys commands of its own in what it reads: a dump from a server that was broken into
//! could run anything where it is restored. psql's `\restrict KEY` ends that, by a key that no dump can know.

use backstay_core::RunId;
use backstay_core::entry::ByteStream;
use bytes::Bytes;
use std::io;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

/// A dump's own lock stands in its first lines.
const HEAD: u64 = 4 << 10;
const PIECE: usize = 256 << 10;
const LOCK: &[u8] = b"\\restrict ";

/// Returns the line that locks psql until the end of its input.
pub(super) fn lock() -> Vec<u8> {
    format!("\\restrict {}{}\n", RunId::random(), RunId::random()).into_bytes()
}

/// Takes a dump's own lock out: within ours it would be one command too many, and an older psql knows none. The two lines
/// become comments; nobody who wrote the texts of a database knew the key.
pub(super) async fn unlocked(mut content: ByteStream) -> io::Result<ByteStream> {
    let mut head = Vec::new();
    (&mut content).take(HEAD).read_to_end(&mut head).await?;
    let Some((at, key)) = own_lock(&head) else {
        return Ok(Box::new(io::Cursor::new(head).chain(content)));
    };
    head[at..at + 2].copy_from_slice(b"--");
    let unlock = [b"\n\\unrestrict ", key.as_slice(), b"\n"].concat();
    let pieces = futures::stream::try_unfold((content, head), move |(mut content, mut held)| {
        let unlock = unlock.clone();
        async move {
            let before = held.len();
            held.resize(before + PIECE, 0);
            let read = content.read(&mut held[before..]).await?;
            held.truncate(before + read);
            if held.is_empty() {
                return Ok(None);
            }
            while let Some(at) = held.windows(unlock.len()).position(|window| window == unlock) {
                held[at + 1..at + 3].copy_from_slice(b"--");
            }
            // It may lie across two pieces.
            let kept = if read == 0 { 0 } else { (unlock.len() - 1).min(held.len()) };
            let rest = held.split_off(held.len() - kept);
            Ok::<_, io::Error>(Some((Bytes::from(held), (content, rest))))
        }
    });
    Ok(Box::new(StreamReader::new(Box::pin(pieces))))
}

/// Finds the lock among a dump's first comments: where it stands, and its key.
fn own_lock(head: &[u8]) -> Option<(usize, Vec<u8>)> {
    let mut at = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        if let Some(key) = text.strip_prefix(LOCK) {
            return key.iter().all(u8::is_ascii_alphanumeric).then(|| (at, key.to_vec()));
        }
        if !text.is_empty() && !text.starts_with(b"--") {
            return None;
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Hands out a few bytes at a time.
    struct Drip(Vec<u8>);

    impl tokio::io::AsyncRead for Drip {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            let count = self.0.len().min(buffer.remaining()).min(7);
            buffer.put_slice(&self.0.drain(..count).collect::<Vec<_>>());
            std::task::Poll::Ready(Ok(()))
        }
    }

    async fn read(dump: &str) -> String {
        let mut out = String::new();
        unlocked(Box::new(Drip(dump.into()))).await.unwrap().read_to_string(&mut out).await.unwrap();
        out
    }

    #[tokio::test]
    async fn a_dumps_own_lock_becomes_a_comment_and_nothing_else_changes() {
        let body = "select '\n\\unrestrict other\n\\restrict abc\n';\n".repeat(500);
        let dump = format!("--\n-- dump\n--\n\n\\restrict abc1\n\n{body}-- complete\n\n\\unrestrict abc1\n\n");
        let expected = format!("--\n-- dump\n--\n\n--estrict abc1\n\n{body}-- complete\n\n--nrestrict abc1\n\n");
        assert_eq!(read(&dump).await, expected);
        for same in [format!("-- dump\nselect 1;\n\\restrict abc\n{body}\\unrestrict abc\n"), "--\n".into(), body] {
            assert_eq!(read(&same).await, same);
        }
    }
}

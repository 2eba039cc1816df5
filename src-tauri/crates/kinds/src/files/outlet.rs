//! Gathers a stream's many small parts into few large writes: each write of its own costs a packet, and waking the
//! tasks and processes on its way.

use backstay_core::{Error, Result};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Bytes gathered before they are written.
const PIECE: usize = 256 << 10;
/// What stands before a file's content in an archive, with room for long names and attributes.
const HEADERS: u64 = 16 << 10;

/// A command's standard input, written in large pieces.
pub(super) struct Outlet<'a> {
    stdin: &'a mut (dyn AsyncWrite + Send + Unpin),
    place: &'a str,
    buffer: Vec<u8>,
    used: usize,
    /// Where the last entry begins, while nothing of it is written.
    begun: Option<usize>,
}

impl<'a> Outlet<'a> {
    /// Starts with nothing gathered; `place` is the server's name, for errors.
    pub fn new(stdin: &'a mut (dyn AsyncWrite + Send + Unpin), place: &'a str) -> Self {
        Self { stdin, place, buffer: vec![0; PIECE], used: 0, begun: None }
    }

    /// Says that an entry begins, with so many bytes of content. One that has room is gathered whole before any of it is
    /// written.
    pub async fn begin(&mut self, content: u64) -> Result<()> {
        let free = (self.buffer.len() - self.used) as u64;
        let needed = content.saturating_add(HEADERS);
        if needed > free && needed <= self.buffer.len() as u64 {
            self.flush().await?;
        }
        self.begun = Some(self.used);
        Ok(())
    }

    /// Takes back what was added since the entry began; false if some of it is written.
    pub fn take_back(&mut self) -> bool {
        let begun = self.begun.take();
        self.used = begun.unwrap_or(self.used);
        begun.is_some()
    }

    /// Adds bytes.
    pub async fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.room(bytes.len() as u64).await?;
            let (part, rest) = bytes.split_at(room.len());
            room.copy_from_slice(part);
            self.used += part.len();
            bytes = rest;
        }
        Ok(())
    }

    /// Returns room for at least one byte and at most `limit`, to be filled in place; see `filled`.
    pub async fn room(&mut self, limit: u64) -> Result<&mut [u8]> {
        if self.used == self.buffer.len() {
            self.flush().await?;
        }
        let length = limit.min((self.buffer.len() - self.used) as u64) as usize;
        Ok(&mut self.buffer[self.used..self.used + length])
    }

    /// Says that the first `length` bytes of the room are to be written.
    pub fn filled(&mut self, length: usize) {
        self.used = (self.used + length).min(self.buffer.len());
    }

    /// Writes what is gathered.
    pub async fn flush(&mut self) -> Result<()> {
        let written = self.stdin.write_all(&self.buffer[..self.used]).await;
        (self.used, self.begun) = (0, None);
        written.map_err(|error| Error::io(format!("Cannot write files to {}", self.place), error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn what_is_not_written_yet_is_taken_back() {
        let mut out: Vec<u8> = Vec::new();
        let mut outlet = Outlet::new(&mut out, "web");
        let large = vec![2; PIECE - HEADERS as usize];
        outlet.begin(3).await.unwrap();
        outlet.put(b"one").await.unwrap();
        outlet.begin(large.len() as u64).await.unwrap();
        outlet.put(&large[..10]).await.unwrap();
        assert!(outlet.take_back());
        outlet.begin(2 * PIECE as u64).await.unwrap();
        outlet.put(&large).await.unwrap();
        outlet.put(&large).await.unwrap();
        assert!(!outlet.take_back(), "the server has some of it");
        outlet.flush().await.unwrap();
        assert_eq!(out, [b"one".as_slice(), &large, &large].concat());
    }

    #[tokio::test]
    async fn what_went_in_comes_out_in_order_whatever_the_sizes() {
        let mut out: Vec<u8> = Vec::new();
        let mut expected = Vec::new();
        let mut outlet = Outlet::new(&mut out, "web");
        for (at, length) in [1, 511, PIECE - 512, 1, 3 * PIECE + 7, 0, 100].into_iter().enumerate() {
            let part = vec![at as u8 + 1; length];
            outlet.put(&part).await.unwrap();
            expected.extend(part);
        }
        // Room that was asked for and not filled, as for a hole's zeros, leaves no trace.
        outlet.room(50).await.unwrap().fill(0xff);
        let room = outlet.room(9).await.unwrap();
        assert_eq!(room.len(), 9);
        room.fill(9);
        outlet.filled(4);
        expected.extend([9; 4]);
        outlet.flush().await.unwrap();
        assert_eq!(out, expected);
    }
}

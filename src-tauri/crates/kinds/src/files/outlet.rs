//! Gathers a stream's many small parts into few large writes: each write of its own costs a packet, and waking the
//! tasks and processes on its way.

use backstay_core::{Error, Result};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Bytes gathered before they are written.
const PIECE: usize = 256 << 10;

/// A command's standard input, written in large pieces.
pub(super) struct Outlet<'a> {
    stdin: &'a mut (dyn AsyncWrite + Send + Unpin),
    place: &'a str,
    buffer: Vec<u8>,
    used: usize,
}

impl<'a> Outlet<'a> {
    /// Starts with nothing gathered; `place` is the server's name, for errors.
    pub fn new(stdin: &'a mut (dyn AsyncWrite + Send + Unpin), place: &'a str) -> Self {
        Self { stdin, place, buffer: vec![0; PIECE], used: 0 }
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
        self.used = 0;
        written.map_err(|error| Error::io(format!("Cannot write files to {}", self.place), error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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

//! What is mounted where, for a server without GNU find: what its `-xdev` and `-fstype` know by themselves.

use super::listing::PSEUDO;
use crate::gnu;
use backstay_core::entry::Entry;
use backstay_core::host::Host;
use backstay_core::{Error, RawPath, Result};
use std::collections::HashMap;
use tokio::io::AsyncReadExt;

/// More than any server has; bounds memory.
const LIMIT: u64 = 16 << 20;

/// Mount points, each with whether a pseudo file system lies there. None where the server does not tell.
#[derive(Default)]
pub(super) struct Mounts(HashMap<RawPath, bool>);

impl Mounts {
    /// Asks the server. One without a `/proc` tells nothing, and needs to tell less.
    pub(super) async fn read(host: &dyn Host) -> Result<Self> {
        let path = RawPath::new("/proc/mounts")?;
        let reading = async {
            let mut table = Vec::new();
            let read = host.read(&path).await?.take(LIMIT).read_to_end(&mut table).await;
            read.map_err(|e| Error::io(format!("Cannot read {path} on {}", host.label()), e))?;
            Ok::<_, Error>(table)
        };
        match reading.await {
            Ok(table) => Ok(Self::parse(&table)),
            Err(error) if error.class.ends_the_run() => Err(error),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Reads lines of `DEVICE POINT TYPE ...`. Of two on one point the later one counts, which lies over the other.
    fn parse(table: &[u8]) -> Self {
        let mount = |line: &[u8]| {
            let mut words = line.split(|b| *b == b' ').skip(1);
            let point = RawPath::new(gnu::unquote(words.next()?)).ok()?;
            let kind = words.next()?;
            Some((point, PSEUDO.iter().any(|name| name.as_bytes() == kind)))
        };
        Self(table.split(|b| *b == b'\n').filter_map(mount).collect())
    }

    /// Tells whether find would go into `below`, a folder that lies in `folder`.
    pub(super) fn enters(&self, folder: &Entry, below: &Entry, one_file_system: bool) -> bool {
        let is_pseudo = below.path.and_above().find_map(|path| self.0.get(&path)).is_some_and(|pseudo| *pseudo);
        let is_closed = is_pseudo || (one_file_system && self.crosses(folder, below));
        !is_closed
    }

    /// Tells whether another file system begins at `below`, a folder that lies in `folder`.
    pub(super) fn crosses(&self, folder: &Entry, below: &Entry) -> bool {
        if folder.device != 0 && below.device != 0 {
            return folder.device != below.device;
        }
        // SFTP tells no devices.
        self.0.contains_key(&below.path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_mount_that_lies_on_top_counts() {
        let table = b"auto /net autofs rw 0 0\nproc /jail/proc\\040x proc rw 0 0\nnas:/ /net nfs4 rw 0 0\n\nodd\n";
        let mounts = Mounts::parse(table);
        let at = |path: &str| mounts.0.get(&RawPath::new(path).unwrap()).copied();
        assert_eq!((at("/net"), at("/jail/proc x"), mounts.0.len()), (Some(false), Some(true), 2));
    }
}

//! What extended headers say of the entry that follows them.

use super::sparse::damaged;
use super::{ACL_PREFIX, XATTR_PREFIX};
use crate::entry::{TimeNs, Xattr};
use std::io;

/// What extended headers said about the entry that follows them.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) mtime: Option<TimeNs>,
    pub(super) ctime: Option<TimeNs>,
    pub(super) xattrs: Vec<Xattr>,
    /// The names of attributes that are left out, because they are not UTF-8.
    pub(super) odd_xattrs: Vec<Vec<u8>>,
    pub(super) sparse_major: Option<u64>,
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    pub(super) map: Vec<(u64, u64)>,
    /// The offset of sparse 0.0 that waits for its length.
    open_offset: Option<u64>,
}

impl Extra {
    /// Takes in the records of a pax header.
    pub(super) fn read_pax(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let blank =
                bytes.iter().take(21).position(|b| *b == b' ').ok_or_else(|| damaged("a pax record has no length"))?;
            let length = decimal(&bytes[..blank])? as usize;
            if length <= blank + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
                return Err(damaged("a pax record has a wrong length"));
            }
            let record = &bytes[blank + 1..length - 1];
            let equals = record.iter().position(|b| *b == b'=').ok_or_else(|| damaged("a pax record has no value"))?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match std::str::from_utf8(key) {
                Ok(key) => self.record(key, value)?,
                // Under any other name it would be another attribute.
                Err(_) => self.odd_xattrs.extend(key.strip_prefix(XATTR_PREFIX.as_bytes()).map(<[u8]>::to_vec)),
            }
            bytes = &bytes[length..];
        }
        Ok(())
    }

    fn record(&mut self, key: &str, value: &[u8]) -> io::Result<()> {
        let text = || String::from_utf8_lossy(value).into_owned();
        match key {
            "path" => self.name = Some(value.to_vec()),
            "linkpath" => self.link = Some(value.to_vec()),
            "size" => self.size = Some(decimal(value)?),
            "uid" => self.uid = u32::try_from(decimal(value)?).ok(),
            "gid" => self.gid = u32::try_from(decimal(value)?).ok(),
            "uname" => self.user = Some(text()),
            "gname" => self.group = Some(text()),
            "mtime" => self.mtime = Some(time(value)?),
            "ctime" => self.ctime = Some(time(value)?),
            "GNU.sparse.major" => self.sparse_major = Some(decimal(value)?),
            "GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            "GNU.sparse.realsize" | "GNU.sparse.size" => self.real_size = Some(decimal(value)?),
            "GNU.sparse.offset" => self.open_offset = Some(decimal(value)?),
            "GNU.sparse.numbytes" => {
                let offset =
                    self.open_offset.take().ok_or_else(|| damaged("a map of holes has a length without place"))?;
                self.map.push((offset, decimal(value)?));
            }
            "GNU.sparse.map" => {
                let numbers: Vec<u64> = value.split(|b| *b == b',').map(decimal).collect::<io::Result<_>>()?;
                self.map = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            }
            key if key.starts_with(ACL_PREFIX) => self.xattrs.push(Xattr { name: key.into(), value: value.to_vec() }),
            key => {
                if let Some(name) = key.strip_prefix(XATTR_PREFIX) {
                    let name = name.replace("%3D", "=").replace("%25", "%");
                    self.xattrs.push(Xattr { name, value: value.to_vec() });
                }
            }
        }
        Ok(())
    }
}

fn decimal(bytes: &[u8]) -> io::Result<u64> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| damaged("a pax record holds a number that is none"))
}

/// Reads decimal seconds with a fraction of any length; what is finer than nanoseconds is cut off.
fn time(value: &[u8]) -> io::Result<TimeNs> {
    let (negative, value) = value.strip_prefix(b"-").map_or((false, value), |rest| (true, rest));
    let mut parts = value.splitn(2, |b| *b == b'.');
    let seconds = decimal(parts.next().unwrap_or_default())?;
    let mut fraction = parts.next().unwrap_or_default().to_vec();
    fraction.resize(9, b'0');
    let ns = i128::from(seconds) * 1_000_000_000 + i128::from(decimal(&fraction)?);
    Ok(TimeNs(if negative { -ns } else { ns }))
}

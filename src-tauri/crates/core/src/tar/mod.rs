//! The tar format: entries to header blocks, and a stream of blocks back to entries.
//!
//! Written is what GNU tar calls `--format=posix`: ustar headers, with pax records only where ustar cannot hold a value
//! (long names, nanoseconds, big numbers, extended attributes, holes as GNU sparse 1.0). An ACL the kernel gave is written
//! as text too, for GNU tar. Names are raw bytes. Read is all that plus GNU long names, the older sparse forms and base-256
//! numbers, since servers have tars of any age.

mod acl;
mod decode;
mod encode;
mod extra;
mod read;
mod sparse;

pub use encode::{header, padding, stored_size};
pub use read::{TarEntry, TarReader};
pub use sparse::data_segments;

/// The size of a block.
pub const BLOCK: usize = 512;

/// What ends an archive: two blocks of zeros.
pub const END: [u8; 1024] = [0; 1024];

/// The prefix of pax records that carry an extended attribute.
const XATTR_PREFIX: &str = "SCHILY.xattr.";
/// The prefix of pax records that carry an ACL as text; such attributes keep their whole name in [`crate::entry::Xattr`].
const ACL_PREFIX: &str = "SCHILY.acl.";

#[cfg(test)]
mod tests;

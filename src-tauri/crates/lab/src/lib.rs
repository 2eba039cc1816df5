//! For tests: doubles in memory, contract suites, and the real servers that tests start.

#[cfg(unix)]
pub mod databases;
pub mod destination_contract;
pub mod fake_host;
#[cfg(unix)]
pub mod ftp;
pub mod host_contract;
pub mod memory_destination;
pub mod proxy;
pub mod restic;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(unix)]
pub mod ssh;
pub mod trees;

pub use memory_destination::MemoryDestination;

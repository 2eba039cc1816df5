//! Destinations: the places where backups lie. Each backend is a folder with the same file names.

mod asides;
pub mod ftp;
pub mod local;
mod look;
pub mod mirror;
mod open;
mod probe;
pub mod s3;
mod server_names;
pub mod sftp;
mod tls;
pub mod wrap;

pub use local::Local;
pub use look::look;
pub use open::{Opening, open, open_bare, open_once};
pub use probe::{Ability, ProbeStep, Probed, probe};
pub use tls::CertificateSeen;

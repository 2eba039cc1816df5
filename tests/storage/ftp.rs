//! FTP destinations against real servers, with TLS and without: the contract, cuts, certificates, odd servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

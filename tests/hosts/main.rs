//! Hosts against real servers.

//! Kinds against real trees and real databases: what is collected comes back the same.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;
mod exchange;
mod files;
mod files_damaged;
mod files_faults;
mod files_further_names;
mod files_giving_way;
mod files_half;
mod files_links;
mod files_links_chained;
mod files_links_closed;
mod files_links_foreign;
mod files_since;
mod host;
mod made_anew;
mod memory;
mod mysql_history;
mod mysql_large;
mod plain_dumps;
mod random;
mod replace;
mod roles;
mod silence;
mod sqlite;
mod sqlite_places;
mod tree;
mod without_gnu;

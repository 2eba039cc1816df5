//! A bucket of an S3-compatible store.

mod bucket;
mod certificate;
mod client;
mod cold;
mod config;
mod delete;
mod errors;
mod list;
mod lock;
mod look;
mod pinned_client;
mod probe;
mod probe_delete;
mod probe_link;
mod probe_report;
mod probe_tries;
mod providers;
mod reader;
mod settings;
mod steps;
mod sweep;
mod upload;
mod verdicts;
mod wire;
mod writer;

pub use bucket::make_bucket;
pub use certificate::untrusted_certificate;
pub use client::S3;
pub use probe::probe;
pub use providers::{Provider, provider, providers};
pub use settings::{BucketSettings, set_cleanup_rule};

//! Kinds of data: what they find on a server, how they collect it, and how they bring it back.

mod files;
mod gnu;
mod problems;
mod wire;

use backstay_core::kind::Kind;
use std::sync::Arc;

/// Returns every kind.
pub fn all() -> Vec<Arc<dyn Kind>> {
    vec![Arc::new(files::Files)]
}

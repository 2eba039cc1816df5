//! The tar format, as pure functions over bytes: entries to header blocks and back.

//! The words of the verbs about recovery kits, which destinations and plans have alike.

use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct KitArgs {
    /// The name of the destination or plan
    pub name: String,
    /// Write it into this new file (.html or .txt) instead of printing it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct ConfirmArgs {
    /// The name of the destination or plan
    pub name: String,
    /// Which word, counted from 1
    #[arg(long, value_name = "NUMBER")]
    pub word: u32,
}

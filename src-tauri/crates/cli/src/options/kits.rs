//! The words of the verbs about recovery kits, which destinations and plans have alike.

use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct KitArgs {
    pub name: String,
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct ConfirmArgs {
    pub name: String,
    /// Which word, counted from 1
    #[arg(long, value_name = "NUMBER")]
    pub word: u32,
}

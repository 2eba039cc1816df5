//! The words of the verbs about backups: listed, restored, downloaded, checked, deleted.

use crate::items;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
pub struct BackupsArgs {
    /// Of this server
    #[arg(long)]
    pub server: Option<String>,
    /// Of this plan
    #[arg(long)]
    pub plan: Option<String>,
    /// At this destination
    #[arg(long)]
    pub destination: Option<String>,
    /// With this kind in it
    #[arg(long, value_parser = ["files", "mysql", "postgres", "sqlite"])]
    pub kind: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
}

/// How a restore treats what is there.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Add and overwrite; leave alone what is not in the backup
    Merge,
    /// Like merge, but keep what is newer at the target
    Newer,
    /// Only what is missing at the target
    Missing,
    /// Exactly as in the backup: what is not in it is deleted
    Replace,
}

impl Mode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Newer => "newer",
            Self::Missing => "missing",
            Self::Replace => "replace",
        }
    }
}

#[derive(Args)]
pub struct RestoreArgs {
    /// An id, its first digits (at least 6), or PLAN@latest
    pub backup: String,
    /// The server, and a folder on it, from the root on; without: the server it came from, at the original places
    #[arg(long, value_name = "SERVER[:/PATH]")]
    pub to: Option<String>,
    /// Only this path of the backup; several times for several
    #[arg(long, value_name = "PATH")]
    pub only: Vec<String>,
    /// How to treat what is there
    #[arg(long, value_enum, default_value_t = Mode::Merge)]
    pub mode: Mode,
    /// Log in to the databases of this item in another way than the plan does, for a restore to another server
    #[arg(long, value_name = "ITEM[:SETTINGS]", long_help = items::LOGIN_HELP)]
    pub database_login: Vec<String>,
    /// Read the password of this item's --database-login from standard input; several times, one a line
    #[arg(long, value_name = "ITEM", requires = "database_login")]
    pub database_password_stdin: Vec<String>,
    /// Show what would happen, and change nothing
    #[arg(long)]
    pub preview: bool,
    /// Show every line of the preview's lists, and not the first of each only
    #[arg(long)]
    pub all: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "preview")]
    pub yes: bool,
    /// The server's name, typed to confirm --mode replace
    #[arg(long, value_name = "NAME")]
    pub type_name: Option<String>,
}

#[derive(Args)]
pub struct DownloadArgs {
    /// Ids, their first digits (at least 6), or PLAN@latest
    #[arg(required_unless_present = "resume")]
    pub backups: Vec<String>,
    /// The folder to write into
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with a download that ended early: its run's id, or "last"
    #[arg(long, value_name = "RUN", conflicts_with_all = ["backups", "out", "only"])]
    pub resume: Option<String>,
    /// Only from this destination
    #[arg(long, value_name = "DESTINATION")]
    pub from: Option<String>,
    /// The format: tar.gz, tar.zst, zip, or as-is: the archive just as it lies there
    #[arg(long = "as", value_name = "FORMAT", default_value = "tar.gz", value_parser = ["tar.gz", "tar.zst", "zip", "as-is"])]
    pub format: String,
    /// Only this path of the backup; several times for several
    #[arg(long, value_name = "PATH")]
    pub only: Vec<String>,
}

#[derive(Args)]
pub struct VerifyArgs {
    /// An id, its first digits (at least 6), or PLAN@latest
    #[arg(required_unless_present = "destination", conflicts_with = "destination")]
    pub backup: Option<String>,
    /// Check all that lies at this destination
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,
    /// Read back so many percent of its data
    #[arg(long, value_name = "PERCENT", default_value_t = 0, requires = "destination", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub read_data: u8,
}

#[derive(Args)]
pub struct DeleteArgs {
    /// An id, its first digits (at least 6), or PLAN@latest
    pub backup: String,
    /// Only at this destination; several times for several
    #[arg(long, value_name = "DESTINATION")]
    pub at: Vec<String>,
    /// Show what would happen, and change nothing
    #[arg(long)]
    pub preview: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "preview")]
    pub yes: bool,
}

//! The command line's words.

mod backups;
mod destinations;
mod kits;
mod names;
mod plans;
mod servers;

pub use backups::*;
pub use destinations::*;
pub use kits::*;
pub use names::mark;
pub use plans::*;
pub use servers::*;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Back up servers over SSH and bring them back.
#[derive(Parser)]
#[command(name = "backstay", version, propagate_version = true)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done with problems, 4 cancelled.\n\
    Secrets are read from standard input, one a line, in the order the options are listed here; never from arguments.\n\
    BACKUP is an id, its first digits (at least 6), or PLAN@latest.")]
pub struct Options {
    /// Folder in which Backstay keeps its state
    #[arg(long, global = true, env = "BACKSTAY_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// How a run shows its progress
    #[arg(long, global = true, value_enum, default_value_t = ProgressForm::Auto)]
    pub progress: ProgressForm,
    #[command(subcommand)]
    pub verb: Verb,
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressForm {
    /// A line on a terminal, nothing elsewhere
    Auto,
    /// One JSON event a line
    Json,
    /// Nothing
    None,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Servers: this computer, and those reached over SSH
    #[command(subcommand)]
    Server(ServerVerb),
    /// Destinations: where backups lie
    #[command(subcommand)]
    Destination(DestinationVerb),
    /// Plans: what is backed up, from where, to where
    #[command(subcommand)]
    Plan(PlanVerb),
    /// Back up a plan now
    Backup {
        /// The plan's name
        plan: String,
    },
    /// List backups
    Backups(BackupsArgs),
    /// Show one backup
    Show {
        /// An id, its first digits (at least 6), or PLAN@latest
        backup: String,
    },
    /// List a folder of a backup
    Ls {
        /// An id, its first digits (at least 6), or PLAN@latest
        backup: String,
        /// The folder, as the backup has it: srv/www (without: its top)
        path: Option<String>,
    },
    /// Find entries of a backup by a part of their path
    Find {
        /// An id, its first digits (at least 6), or PLAN@latest
        backup: String,
        /// A part of the path; capitals make no difference
        text: String,
    },
    /// Compare two backups
    Diff {
        /// An id, its first digits (at least 6), or PLAN@latest
        older: String,
        /// The same, of the other one
        newer: String,
    },
    /// Restore a backup, or parts of it, to a server
    Restore(RestoreArgs),
    /// Bring backups into files on this computer; one that was cut off goes on with --resume
    Download(DownloadArgs),
    /// Read all copies of a backup back whole, or check all that lies at a destination
    Verify(VerifyArgs),
    /// Make good what a destination lacks, from the other copies, without the servers
    Sync {
        /// The destination's name
        destination: String,
    },
    /// Free up the space deleted backups left in a destination's vault
    Prune {
        /// The destination's name
        destination: String,
    },
    /// Delete a backup, at some destinations or at all
    Delete(DeleteArgs),
    /// Make an address anybody can read an archive at for some time
    Link {
        /// An id, its first digits (at least 6), or PLAN@latest
        backup: String,
        /// The destination it lies at
        #[arg(long, value_name = "DESTINATION")]
        at: String,
        /// How long it holds: 10 to 10080
        #[arg(long, default_value_t = 60, value_name = "MINUTES")]
        minutes: u32,
    },
    /// Ask a cold storage class for an archive
    Thaw {
        /// An id, its first digits (at least 6), or PLAN@latest
        backup: String,
        /// The destination it lies at
        #[arg(long, value_name = "DESTINATION")]
        at: String,
        /// How long it stays readable then
        #[arg(long, default_value_t = 3, value_name = "DAYS")]
        days: u32,
    },
    /// Show how protected everything is, and what needs you
    Status,
    /// List runs, or show one
    Runs(RunsArgs),
    /// Cancel a run
    Cancel {
        /// Its id, as "runs" lists it
        run: String,
    },
    /// The audit log
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Where secrets rest
    #[command(subcommand)]
    Secrets(SecretsVerb),
    /// Show the settings, or change those that are named
    Settings(SettingsArgs),
    /// Try the main job on made-up files of this computer, away from all your data
    Demo(DemoArgs),
}

#[derive(Args)]
pub struct RunsArgs {
    /// Show this run: its id
    pub run: Option<String>,
    /// Only those going on or waiting
    #[arg(long)]
    pub active: bool,
    /// Of this plan
    #[arg(long)]
    pub plan: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
}

#[derive(Args)]
pub struct SettingsArgs {
    /// How the window looks
    #[arg(long, value_parser = ["system", "light", "dark"])]
    pub theme: Option<String>,
    /// Notify on the desktop when a run ends
    #[arg(long, value_name = "WHEN", value_parser = ["never", "problems", "always"])]
    pub notify: Option<String>,
    /// A run without any sign of life for so long fails; 0 means never
    #[arg(long, value_name = "MINUTES")]
    pub stall_minutes: Option<u32>,
    /// A server without a good backup for so long is stale
    #[arg(long, value_name = "DAYS")]
    pub stale_days: Option<u32>,
}

#[derive(Subcommand)]
pub enum AuditVerb {
    /// List the newest entries
    List {
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
    },
    /// Recompute the chain of hashes
    Verify,
    /// Write all entries into a new file, one JSON object a line
    Export {
        /// The file, which must not be there yet
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum SecretsVerb {
    /// Show where secrets rest, and whether they can be read now
    Status,
    /// Make a sealed file; its passphrase comes from BACKSTAY_PASSPHRASE or standard input
    Create {
        /// Read the passphrase from standard input, even if BACKSTAY_PASSPHRASE is set
        #[arg(long)]
        passphrase_stdin: bool,
    },
}

#[derive(Args)]
pub struct DemoArgs {
    /// Keep what was made, and say where
    #[arg(long)]
    pub keep: bool,
}

//! The command line's words.

mod destinations;

pub use destinations::*;

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
    /// Print one JSON object instead of text
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
    Show { backup: String },
    /// List a folder of a backup
    Ls { backup: String, path: Option<String> },
    /// Find entries of a backup by a part of their path
    Find { backup: String, text: String },
    /// Compare two backups
    Diff { older: String, newer: String },
    /// Restore a backup, or parts of it, to a server
    Restore(RestoreArgs),
    /// Bring backups into files on this computer; one that was cut off goes on with --resume
    Download(DownloadArgs),
    /// Read all copies of a backup back whole, or check all that lies at a destination
    Verify(VerifyArgs),
    /// Make good what a destination lacks, from the other copies, without the servers
    Sync { destination: String },
    /// Free the room deleted backups left in a destination's vault
    Prune { destination: String },
    /// Delete a backup, at some destinations or at all
    Delete(DeleteArgs),
    /// Make an address anybody can read an archive at for some time
    Link {
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
    Cancel { run: String },
    /// The audit log
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Where secrets rest
    #[command(subcommand)]
    Secrets(SecretsVerb),
    /// Try the main job on made-up files of this computer, away from all your data
    Demo(DemoArgs),
}

#[derive(Subcommand)]
pub enum ServerVerb {
    /// Add a server; it is logged in to before it is kept
    Add(Box<ServerAddArgs>),
    /// List servers
    List,
    /// Show one server
    Show { name: String },
    /// Test a server's connection step by step
    Test { name: String },
    /// Look what is on a server
    Discover { name: String },
    /// List a folder of a server
    Browse { name: String, path: Option<String> },
    /// Remove a server; its backups stay
    Remove { name: String },
}

#[derive(Args)]
pub struct ServerAddArgs {
    pub name: String,
    /// This computer
    #[arg(long, required_unless_present = "ssh", conflicts_with = "ssh")]
    pub local: bool,
    /// Reached over SSH
    #[arg(long, value_name = "USER@HOST[:PORT]")]
    pub ssh: Option<String>,
    /// Log in by this private key file
    #[arg(long, value_name = "FILE", conflicts_with = "agent")]
    pub key: Option<PathBuf>,
    /// Log in by the SSH agent (the default)
    #[arg(long)]
    pub agent: bool,
    /// Log in by a password, read from standard input
    #[arg(long, conflicts_with_all = ["key", "agent"])]
    pub password_stdin: bool,
    /// Read the key's passphrase from standard input
    #[arg(long, requires = "key")]
    pub key_passphrase_stdin: bool,
    /// Run commands as root by sudo
    #[arg(long)]
    pub sudo: bool,
    /// Read sudo's password from standard input
    #[arg(long, requires = "sudo")]
    pub sudo_password_stdin: bool,
    /// Sudo asks for the log-in password
    #[arg(long, requires = "sudo", requires = "password_stdin")]
    pub sudo_same_password: bool,
    /// Go through a jump host; several in order
    #[arg(long, value_name = "USER@HOST[:PORT]")]
    pub jump: Vec<String>,
    /// Accept just this host key
    #[arg(long, value_name = "SHA256:...")]
    pub fingerprint: Option<String>,
    /// Accept the host keys met now
    #[arg(long, conflicts_with = "fingerprint")]
    pub trust_first_use: bool,
    /// Keep the server even if it cannot be logged in to now
    #[arg(long)]
    pub no_test: bool,
}

#[derive(Subcommand)]
pub enum PlanVerb {
    /// Add a plan
    Add(PlanAddArgs),
    /// List plans
    List,
    /// Show one plan
    Show { name: String },
    /// Change where a plan writes to, or its name
    Change {
        name: String,
        /// The destination; several times for several, the primary first (without: as it is)
        #[arg(long, value_name = "DESTINATION", required_unless_present = "rename")]
        to: Vec<String>,
        /// Its new name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
    },
    /// Leave paths out of a plan's files from now on
    Exclude {
        name: String,
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Print the recovery kit of a plan's archive key, or write it into a file (.html or .txt)
    Kit {
        name: String,
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Remove a plan; its backups stay
    Remove { name: String },
}

#[derive(Args)]
pub struct PlanAddArgs {
    #[arg(value_name = "NAME", id = "plan_name")]
    pub name: String,
    /// The server to read
    #[arg(long)]
    pub server: String,
    /// What to back up; several times for several items
    #[arg(long, value_name = "KIND[:SETTINGS]", required = true, long_help = items::HELP)]
    pub item: Vec<String>,
    /// The destination; several times for several, the primary first
    #[arg(long, value_name = "DESTINATION", required = true)]
    pub to: Vec<String>,
    /// How its backups lie there
    #[arg(long, default_value = "vault", value_parser = ["vault", "archive"])]
    pub layout: String,
    /// The archives' format
    #[arg(long, value_name = "FORMAT", default_value = "tar.zst", value_parser = ["tar.gz", "tar.zst", "zip"])]
    pub format: String,
    /// Seal the archives: by a key made for the plan, or by a passphrase or key read from standard input
    #[arg(long, value_name = "BY", num_args = 0..=1, default_missing_value = "plan-key", value_parser = ["plan-key", "passphrase", "own-key"])]
    pub seal: Option<String>,
    /// The archives' file name: {server}, {plan}, {type}, {time:%Y%m%d_%H%M%S}, {id}
    #[arg(long = "name", id = "template", value_name = "TEMPLATE", default_value = "")]
    pub template: String,
    /// Read the password of this item's database log-in from standard input; several times, one a line
    #[arg(long, value_name = "ITEM")]
    pub item_password_stdin: Vec<String>,
}

use crate::items;

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
    #[arg(long)]
    pub kind: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
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
    pub backup: String,
    /// The server, and a folder on it; without: the server it came from, at the original places
    #[arg(long, value_name = "SERVER[:PATH]")]
    pub to: Option<String>,
    /// Only this path of the backup; several times for several
    #[arg(long, value_name = "PATH")]
    pub only: Vec<String>,
    /// How to treat what is there
    #[arg(long, value_enum, default_value_t = Mode::Merge)]
    pub mode: Mode,
    /// Show what would happen, and change nothing
    #[arg(long)]
    pub preview: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "preview")]
    pub yes: bool,
    /// The server's name, typed to confirm --mode replace
    #[arg(long, value_name = "NAME")]
    pub type_name: Option<String>,
}

#[derive(Args)]
pub struct DownloadArgs {
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

#[derive(Args)]
pub struct RunsArgs {
    /// Show this run
    pub run: Option<String>,
    /// Only those going on or waiting
    #[arg(long)]
    pub active: bool,
    /// Of this plan
    #[arg(long)]
    pub plan: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: u64,
}

#[derive(Subcommand)]
pub enum AuditVerb {
    /// List the newest entries
    List {
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// Recompute the chain of hashes
    Verify,
    /// Write all entries into a new file, one JSON object a line
    Export { file: PathBuf },
}

#[derive(Subcommand)]
pub enum SecretsVerb {
    /// Show where secrets rest, and whether they can be read now
    Status,
    /// Make a sealed file; its passphrase comes from BACKSTAY_PASSPHRASE or standard input
    Create {
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

//! The words of the verbs about plans.

use super::{ConfirmArgs, KitArgs};
use crate::items;
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum PlanVerb {
    /// Add a plan
    Add(PlanAddArgs),
    /// List plans
    List,
    /// Show one plan
    Show {
        /// The plan's name
        name: String,
    },
    /// Change what a plan backs up, where it writes to, or its name; what is not named stays
    Change(PlanChangeArgs),
    /// Leave paths out of a plan's files from now on
    Exclude {
        /// The plan's name
        name: String,
        /// Paths from the root on (/srv/www/cache), or patterns as exclude= of an item takes them (*.log)
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Print the recovery kit of a plan's archive key, or write it into a file (.html or .txt)
    Kit(KitArgs),
    /// Confirm that the recovery kit is kept, by one of its words, read from standard input
    Confirm(ConfirmArgs),
    /// Remove a plan; its backups stay
    Remove {
        /// The plan's name
        name: String,
    },
}

#[derive(Args)]
pub struct PlanChangeArgs {
    /// The plan's name
    pub name: String,
    /// Add an item, or put it in the place of the one of that name; several times for several
    #[arg(long, value_name = "KIND[:SETTINGS]", long_help = items::HELP)]
    pub item: Vec<String>,
    /// Back up this item no more; several times for several
    #[arg(long, value_name = "ITEM")]
    pub remove_item: Vec<String>,
    /// The destination; several times for several, the primary first
    #[arg(long, value_name = "DESTINATION")]
    pub to: Vec<String>,
    /// Its new name
    #[arg(long, value_name = "NAME")]
    pub rename: Option<String>,
    /// Read the password of this item's database log-in from standard input; several times, one a line
    #[arg(long, value_name = "ITEM")]
    pub item_password_stdin: Vec<String>,
}

#[derive(Args)]
pub struct PlanAddArgs {
    /// The name it gets
    #[arg(value_name = "NAME", id = "plan_name")]
    pub name: String,
    /// The server to read
    #[arg(long)]
    pub server: String,
    /// What to back up; several times for several items
    #[arg(long, value_name = "KIND[:SETTINGS]", required = true, long_help = items::HELP)]
    pub item: Vec<String>,
    /// Read the password of this item's database log-in from standard input; several times, one a line
    #[arg(long, value_name = "ITEM")]
    pub item_password_stdin: Vec<String>,
    /// The destination; several times for several, the primary first
    #[arg(long, value_name = "DESTINATION", required = true)]
    pub to: Vec<String>,
    /// How its backups lie there
    #[arg(long, default_value = "vault", value_parser = ["vault", "archive"])]
    pub layout: String,
    /// The archives' format (without: tar.zst)
    #[arg(long, value_name = "FORMAT", value_parser = ["tar.gz", "tar.zst", "zip"])]
    pub format: Option<String>,
    /// Seal the archives: by a key made for the plan, or by a passphrase or key read from standard input
    #[arg(long, value_name = "BY", num_args = 0..=1, default_missing_value = "plan-key", value_parser = ["plan-key", "passphrase", "own-key"])]
    pub seal: Option<String>,
    /// The archives' file name: {server}, {plan}, {type}, {time:%Y%m%d_%H%M%S}, {id}
    #[arg(long = "name", id = "template", value_name = "TEMPLATE", default_value = "")]
    pub template: String,
}

//! The words of the verbs about servers.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum ServerVerb {
    /// Add a server; it is logged in to before it is kept
    Add(Box<ServerAddArgs>),
    /// Change how a server is reached, or accept its new host key; what is not named stays
    Change(Box<ServerChangeArgs>),
    /// List servers
    List,
    /// Show one server
    Show {
        /// The server's name
        name: String,
    },
    /// Test a server's connection step by step
    Test {
        /// The server's name
        name: String,
    },
    /// Look what is on a server
    Discover {
        /// The server's name
        name: String,
    },
    /// List a folder of a server
    Browse {
        /// The server's name
        name: String,
        /// The folder, from the root on (without: the root)
        path: Option<String>,
    },
    /// Remove a server; its backups stay
    Remove {
        /// The server's name
        name: String,
    },
}

#[derive(Args)]
pub struct ServerAddArgs {
    /// The name it gets
    pub name: String,
    /// This computer
    #[arg(long, required_unless_present = "ssh", conflicts_with = "ssh")]
    pub local: bool,
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Keep the server even if it cannot be logged in to now
    #[arg(long)]
    pub no_test: bool,
}

#[derive(Args)]
pub struct ServerChangeArgs {
    /// The server's name
    pub name: String,
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Go through no jump host any more
    #[arg(long, conflicts_with = "jump")]
    pub no_jump: bool,
    /// Run commands as the user who logs in
    #[arg(long, conflicts_with = "sudo")]
    pub no_sudo: bool,
    /// Keep the change even if the server cannot be logged in to now
    #[arg(long)]
    pub no_test: bool,
}

/// How a server is reached, and which host keys are accepted.
#[derive(Args, Default, PartialEq)]
pub struct ReachArgs {
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
    /// The server asks for the account's password besides the key: read it from standard input
    #[arg(long, conflicts_with = "password_stdin")]
    pub second_password_stdin: bool,
    /// The server no longer asks for a password besides the key
    #[arg(long, conflicts_with_all = ["second_password_stdin", "password_stdin"])]
    pub no_second_password: bool,
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
    /// The jump hosts log in by a key file of their own, not as the server; several in the order of the jump hosts
    #[arg(long, value_name = "FILE", conflicts_with = "jump_password_stdin")]
    pub jump_key: Vec<PathBuf>,
    /// Read the passphrase of each jump host's key from standard input, in their order
    #[arg(long, requires = "jump_key")]
    pub jump_key_passphrase_stdin: bool,
    /// The jump hosts log in by a password of their own: read one for each from standard input, in their order
    #[arg(long)]
    pub jump_password_stdin: bool,
    /// Accept just this host key of the server
    #[arg(long, value_name = "SHA256:...")]
    pub fingerprint: Option<String>,
    /// Accept just this host key of a jump host; several in the order of the jump hosts
    #[arg(long, value_name = "SHA256:...")]
    pub jump_fingerprint: Vec<String>,
    /// Accept the host keys met now, where none was known; never a changed one
    #[arg(long, conflicts_with_all = ["fingerprint", "jump_fingerprint"])]
    pub trust_first_use: bool,
}

//! The words of `backstay destination …`.

use super::{ConfirmArgs, KitArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum DestinationVerb {
    /// Add a destination: make a vault there, or open the one that is there
    Add(Box<DestinationAddArgs>),
    /// Add a destination whose backups are there already; its key is read from standard input
    Open(Box<DestinationOpenArgs>),
    /// Take over the servers, plans and destinations another computer kept at a destination
    Adopt {
        /// The destination's name
        name: String,
        /// The copy's id, as "destination open" prints it
        configuration: String,
    },
    /// List destinations
    List,
    /// List the providers of S3-compatible storage, or the regions of one
    Providers {
        /// One of them, to see its regions
        provider: Option<String>,
    },
    /// Make a bucket that is private, versioned, encrypted and swept of stray uploads
    MakeBucket(Box<S3Args>),
    /// Let a bucket clear away unfinished uploads and old versions by itself
    CleanUpRule {
        /// The destination's name
        name: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Change a destination's name or what logs in there
    Change(DestinationChangeArgs),
    /// Show how fast bytes may go, or change what is named; without a name: for all destinations together
    Limits(LimitsArgs),
    /// Test a destination step by step
    Test {
        /// The destination's name
        name: String,
    },
    /// Show how much room a destination uses
    Usage {
        /// The destination's name
        name: String,
    },
    /// Read a destination's backups anew
    Refresh {
        /// The destination's name
        name: String,
    },
    /// Print the recovery kit, or write it into a file (.html or .txt)
    Kit(KitArgs),
    /// Confirm that the recovery kit is kept, by one of its words, read from standard input
    Confirm(ConfirmArgs),
    /// Forget a destination; what lies there stays
    Remove {
        /// The destination's name
        name: String,
    },
}

#[derive(Args)]
pub struct DestinationAddArgs {
    /// The name it gets
    #[arg(value_parser = super::names::unmark)]
    pub name: String,
    /// Make no vault there: for archives, or for a copy of another destination's vault
    #[arg(long)]
    pub no_vault: bool,
    #[command(subcommand)]
    pub place: PlaceVerb,
}

#[derive(Args)]
pub struct DestinationOpenArgs {
    /// The name it gets
    #[arg(value_parser = super::names::unmark)]
    pub name: String,
    /// Take over what every other computer kept there
    #[arg(long)]
    pub adopt: bool,
    #[command(subcommand)]
    pub place: PlaceVerb,
}

#[derive(Args)]
pub struct DestinationChangeArgs {
    /// The destination's name
    pub name: String,
    /// Its new name
    #[arg(long, value_name = "NAME")]
    pub rename: Option<String>,
    /// The new access key of a bucket
    #[arg(long, value_name = "KEY")]
    pub access_key: Option<String>,
    /// Read the new secret key or password from standard input
    #[arg(long)]
    pub secret_stdin: bool,
    /// Accept just this host key (SFTP with an address of its own)
    #[arg(long, value_name = "SHA256:...")]
    pub fingerprint: Option<String>,
    /// Accept just this host key of a jump host; several in the order of the jump hosts
    #[arg(long, value_name = "SHA256:...")]
    pub jump_fingerprint: Vec<String>,
    /// Accept just this certificate, by its SHA-256 (S3 and FTPS)
    #[arg(long, value_name = "SHA256")]
    pub certificate: Option<String>,
}

#[derive(Args)]
pub struct LimitsArgs {
    /// The destination's name; without: all destinations together
    pub name: Option<String>,
    /// Bytes a second when no rule holds: 500K, 10M, or none
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// A rule for some hours: mon-fri@08:00-18:00=2M; several times, the first that holds counts; in place of those before
    #[arg(long, value_name = "DAYS@FROM-TO=RATE")]
    pub rule: Vec<String>,
    /// Hold by no rule any more
    #[arg(long, conflicts_with = "rule")]
    pub no_rules: bool,
}

#[derive(Subcommand)]
pub enum PlaceVerb {
    /// A folder of this computer, or one mounted on it
    Local {
        /// The folder
        path: PathBuf,
        /// Read the vault's password from standard input (without: "add" makes a strong one, "open" reads a key)
        #[arg(long)]
        vault_password_stdin: bool,
    },
    /// A bucket of S3-compatible storage; its secret key is read from standard input
    S3 {
        #[command(flatten)]
        bucket: S3Args,
        /// Then read the vault's password from standard input (without: "add" makes a strong one, "open" reads a key)
        #[arg(long)]
        vault_password_stdin: bool,
    },
    /// A folder of a server, over SFTP
    Sftp {
        #[command(flatten)]
        folder: SftpArgs,
        /// Read the vault's password from standard input (without: "add" makes a strong one, "open" reads a key)
        #[arg(long)]
        vault_password_stdin: bool,
    },
    /// A folder of an FTP server; its password is read from standard input
    Ftp {
        #[command(flatten)]
        folder: FtpArgs,
        /// Then read the vault's password from standard input (without: "add" makes a strong one, "open" reads a key)
        #[arg(long)]
        vault_password_stdin: bool,
    },
}

#[derive(Args)]
pub struct S3Args {
    /// The provider; see "destination providers"
    #[arg(long, default_value = "generic")]
    pub provider: String,
    /// The bucket
    #[arg(long)]
    pub bucket: String,
    /// Folder in the bucket
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Region
    #[arg(long, default_value = "")]
    pub region: String,
    /// Address of the store; without: the provider's for the region
    #[arg(long, default_value = "", value_name = "URL")]
    pub endpoint: String,
    /// Access key id
    #[arg(long, value_name = "KEY")]
    pub access_key: String,
    /// Put the bucket into the path instead of the host name
    #[arg(long, value_name = "true|false")]
    pub path_style: Option<bool>,
    /// Trust the certificates in this PEM file too
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Accept just this certificate, by its SHA-256
    #[arg(long, value_name = "SHA256")]
    pub certificate: Option<String>,
    /// Accept the certificate met now, if it is not trusted anyway
    #[arg(long, conflicts_with = "certificate")]
    pub trust_first_use: bool,
    /// Storage class of archives: STANDARD_IA, GLACIER, ...
    #[arg(long, value_name = "CLASS")]
    pub storage_class: Option<String>,
    /// Encryption at rest by the store
    #[arg(long, value_parser = ["AES256", "aws:kms"])]
    pub encryption: Option<String>,
    /// The key of aws:kms
    #[arg(long, value_name = "ID")]
    pub kms_key: Option<String>,
    /// Days archives are locked against deletion
    #[arg(long, value_name = "DAYS")]
    pub lock_days: Option<u32>,
    /// How they are locked
    #[arg(long, value_parser = ["GOVERNANCE", "COMPLIANCE"])]
    pub lock_mode: Option<String>,
}

#[derive(Args)]
pub struct SftpArgs {
    /// The folder
    #[arg(long)]
    pub path: String,
    /// A server that is set up already
    #[arg(long, required_unless_present = "ssh", conflicts_with = "ssh")]
    pub server: Option<String>,
    /// An address of its own
    #[arg(long, value_name = "USER@HOST[:PORT]")]
    pub ssh: Option<String>,
    /// Log in by this private key file
    #[arg(long, value_name = "FILE", requires = "ssh")]
    pub key: Option<PathBuf>,
    /// Log in by a password, read from standard input (without: by the SSH agent)
    #[arg(long, conflicts_with = "key", requires = "ssh")]
    pub password_stdin: bool,
    /// Read the key's passphrase from standard input
    #[arg(long, requires = "key")]
    pub key_passphrase_stdin: bool,
    /// Go through a jump host; several in order
    #[arg(long, value_name = "USER@HOST[:PORT]", requires = "ssh")]
    pub jump: Vec<String>,
    /// Accept just this host key
    #[arg(long, value_name = "SHA256:...", requires = "ssh")]
    pub fingerprint: Option<String>,
    /// Accept just this host key of a jump host; several in the order of the jump hosts
    #[arg(long, value_name = "SHA256:...", requires = "ssh")]
    pub jump_fingerprint: Vec<String>,
    /// Accept the host keys met now, where none was known; never a changed one
    #[arg(long, conflicts_with_all = ["fingerprint", "jump_fingerprint"], requires = "ssh")]
    pub trust_first_use: bool,
}

#[derive(Args)]
pub struct FtpArgs {
    /// The server
    #[arg(value_name = "USER@HOST[:PORT]")]
    pub address: String,
    /// The folder
    #[arg(long, default_value = "")]
    pub path: String,
    /// How the connection is secured
    #[arg(long, default_value = "explicit", value_parser = ["explicit", "implicit", "none"])]
    pub tls: String,
    /// Accept just this certificate, by its SHA-256
    #[arg(long, value_name = "SHA256")]
    pub certificate: Option<String>,
    /// Accept the certificate met now
    #[arg(long, conflicts_with = "certificate")]
    pub trust_first_use: bool,
    /// How data connections are asked for; auto is EPSV, and PASV where that does not work
    #[arg(long, default_value = "auto", value_parser = ["auto", "epsv", "pasv"])]
    pub passive: String,
    /// Connect data connections to the control connection's address
    #[arg(long)]
    pub ignore_pasv_address: bool,
    /// Connections at the same time
    #[arg(long, default_value_t = 4)]
    pub connections: u8,
}

//! Destinations: where they are and what logs in there.

use super::server::SshConnection;
use crate::ids::{DestinationId, ServerId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A place where backups lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationConfig {
    /// Its id.
    pub id: DestinationId,
    /// Its name, unique.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// The vault's own id, written in its config file; empty where there is no vault (yet). Destinations with the same
    /// id hold copies of one vault: the same objects under the same key.
    pub vault_id: String,
    /// Whether the recovery kit was confirmed by typing a word of it back.
    pub kit_confirmed: bool,
    /// When it was added.
    pub created: DateTime<Utc>,
}

/// Where a destination is. What logs in there lies in the secret store, see [`crate::secret::SecretName`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Place {
    /// A folder of this computer, or one mounted on it.
    Local {
        /// Its absolute path.
        path: String,
    },
    /// A bucket of an S3-compatible store.
    S3(S3Place),
    /// A folder of a server, over SFTP.
    Sftp(SftpPlace),
    /// A folder of an FTP server.
    Ftp(FtpPlace),
}

impl Place {
    /// The word for this sort of place: "local", "s3", "sftp" or "ftp".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::S3(_) => "s3",
            Self::Sftp(_) => "sftp",
            Self::Ftp(_) => "ftp",
        }
    }
    /// Returns the place in words: "/mnt/backup", "s3://bucket/prefix", "sftp://u@nas:2222/srv", "ftps://u@host/backup". A port is
    /// named where it is not the usual one.
    pub fn text(&self) -> String {
        match self {
            Self::Local { path } => path.clone(),
            Self::S3(place) if place.prefix.is_empty() => format!("s3://{}", place.bucket),
            Self::S3(place) => format!("s3://{}/{}", place.bucket, place.prefix),
            Self::Sftp(place) => {
                let path = place.path.trim_start_matches('/');
                match &place.via {
                    SftpVia::Server { server } => format!("sftp://{server}/{path}"),
                    SftpVia::Own(ssh) => format!("sftp://{}@{}{}/{path}", ssh.user, ssh.host, port_text(ssh.port, 22)),
                }
            }
            Self::Ftp(place) => {
                let scheme = if place.tls == FtpTls::None { "ftp" } else { "ftps" };
                let port = port_text(place.port, if place.tls == FtpTls::Implicit { 990 } else { 21 });
                format!("{scheme}://{}@{}{port}/{}", place.user, place.host, place.path.trim_start_matches('/'))
            }
        }
    }
}

/// Returns ":2222", or nothing for the usual port.
fn port_text(port: u16, usual: u16) -> String {
    if port == 0 || port == usual { String::new() } else { format!(":{port}") }
}

/// A bucket, or a part of one. The secret key lies in the secret store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct S3Place {
    /// Whose store it is: an id of the table of providers ("aws", "wasabi", "generic").
    pub provider: String,
    /// Address of the store: `https://s3.eu-central-1.amazonaws.com`. `http://` is allowed and warned of.
    pub endpoint: String,
    /// Region, as requests are signed with.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// All our objects lie under this, without slashes at its ends; empty is the whole bucket.
    pub prefix: String,
    /// Access key id.
    pub access_key: String,
    /// The bucket is a part of the path, not of the host name.
    pub path_style: bool,
    /// Send the SDK's own checksums with every upload. Off for most stores but Amazon's (awslabs/aws-sdk-rust #1240).
    pub checksums: bool,
    /// List with the first version of the call.
    pub list_v1: bool,
    /// The store was seen to honour `If-None-Match: *`.
    pub conditional_writes: bool,
    /// The store was seen to refuse content whose Content-MD5 is wrong.
    pub checks_md5: bool,
    /// Certificates to trust beside the system's, PEM text.
    pub ca_pem: Option<String>,
    /// SHA-256 of the certificate the user accepted (64 hex digits), for one that is not trusted otherwise. It alone
    /// counts then.
    pub pinned_certificate: Option<String>,
    /// Storage class of archives: "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"; `None` is the store's default.
    pub storage_class: Option<String>,
    /// Encryption at rest by the store: "AES256", or "aws:kms" with an optional key id in `kms_key`.
    pub encryption: Option<String>,
    /// The key of "aws:kms".
    pub kms_key: Option<String>,
    /// Days an archive cannot be deleted by anybody (object lock); `None` is no lock.
    pub lock_days: Option<u32>,
    /// "GOVERNANCE" or "COMPLIANCE", for `lock_days`.
    pub lock_mode: Option<String>,
}

/// A folder reached over SFTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpPlace {
    /// The way there.
    pub via: SftpVia,
    /// The folder; relative to the log-in folder unless it begins with a slash.
    pub path: String,
}

/// The way to an SFTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SftpVia {
    /// One of the servers set up, with its log-in.
    Server {
        /// Its id.
        server: ServerId,
    },
    /// An address of its own; its log-in lies under the destination's secrets.
    Own(SshConnection),
}

/// A folder of an FTP server. The password lies in the secret store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FtpPlace {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User.
    pub user: String,
    /// The folder; relative to the log-in folder unless it begins with a slash.
    pub path: String,
    /// How the connection is secured.
    pub tls: FtpTls,
    /// SHA-256 of the certificate the user accepted (64 hex digits), for one no authority vouches for.
    pub pinned_certificate: Option<String>,
    /// How data connections are asked for.
    #[serde(default)]
    pub passive: FtpPassive,
    /// Connect data connections to the control connection's address, whatever PASV answers (servers behind NAT). EPSV
    /// tells no address.
    pub ignore_pasv_address: bool,
    /// Connections at the same time; servers cap them and answer 421.
    pub connections: u8,
}

/// How data connections are asked for over FTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FtpPassive {
    /// By EPSV; by PASV where that is refused or its port cannot be reached.
    #[default]
    Auto,
    /// By EPSV alone.
    Epsv,
    /// By PASV alone.
    Pasv,
}

/// How an FTP connection is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FtpTls {
    /// AUTH TLS on the ordinary port.
    #[default]
    Explicit,
    /// TLS from the first byte, port 990.
    Implicit,
    /// Not at all: password and data can be read on the way.
    None,
}

/// What logs in to a destination. Empty for a local folder.
#[derive(Clone, Debug, Default)]
pub struct DestinationLogin {
    /// The S3 secret key, the FTP or SSH password.
    pub secret: Option<crate::secret::Secret>,
    /// The passphrase of the SSH key file.
    pub key_passphrase: Option<crate::secret::Secret>,
    /// Those of jump hosts on the way that log in their own way, in the order of the way.
    pub jumps: Vec<crate::secret::JumpSecrets>,
}

//! A destination as the wizard fills it in, and as it is stored.

use crate::backstay::Inner;
use crate::servers::{connection_of, draft_of_connection};
use crate::words::invalid;
use backstay_contract::{DestinationDraft, FtpDraft, S3Draft, S3Provider, SftpDraft};
use backstay_core::config::{
    Connection, DestinationConfig, FtpPassive, FtpPlace, FtpTls, Place, S3Place, SftpPlace, SftpVia, Sudo,
};
use backstay_core::{Result, ServerId};

/// Connections to an FTP server when nothing else is asked for; many servers allow no more.
pub(super) const FTP_CONNECTIONS: u8 = 4;
/// More connections than this, and servers lock us out.
const MOST_FTP_CONNECTIONS: u8 = 16;

impl Inner {
    /// Reads a draft's place.
    pub(super) fn place_of(&self, draft: &DestinationDraft) -> Result<Place> {
        match draft.kind.as_str() {
            "local" | "" => local_place(&draft.path),
            "s3" => s3_place(&draft.s3, &self.parts.s3_providers()).map(Place::S3),
            "sftp" => self.sftp_place(&draft.sftp).map(Place::Sftp),
            "ftp" => ftp_place(&draft.ftp).map(Place::Ftp),
            other => {
                Err(invalid(format!("There are no destinations of kind \"{other}\""))
                    .hint("Choose local, s3, sftp or ftp"))
            }
        }
    }

    fn sftp_place(&self, draft: &SftpDraft) -> Result<SftpPlace> {
        let path = remote_folder(&draft.path)?;
        if let Some(id) = draft.server.as_deref().filter(|id| !id.is_empty()) {
            let server = self.store.server(&ServerId::from(id))?;
            if matches!(server.connection, Connection::Local { .. }) {
                return Err(invalid(format!("{} is not reached over SSH", server.name))
                    .hint("Use a local folder as destination instead"));
            }
            return Ok(SftpPlace { via: SftpVia::Server { server: server.id }, path });
        }
        let Some(ssh) = &draft.ssh else {
            return Err(invalid("The destination has no SFTP server").hint("Choose a server, or give an address"));
        };
        match connection_of(ssh)? {
            // Files of a destination belong to the user who logs in: SFTP knows no sudo.
            Connection::Ssh(ssh) if ssh.sudo == Sudo::None => Ok(SftpPlace { via: SftpVia::Own(ssh), path }),
            Connection::Ssh(_) => Err(invalid("An SFTP destination cannot be used by sudo")
                .hint("Log in as a user who may write into the folder")),
            Connection::Local { .. } => {
                Err(invalid("This computer is not reached over SFTP").hint("Use a local folder as destination instead"))
            }
        }
    }

    /// Returns a destination as the wizard shows it, without secrets.
    pub(super) fn draft_of(&self, config: &DestinationConfig) -> Result<DestinationDraft> {
        let mut draft = DestinationDraft {
            id: Some(config.id.to_string()),
            name: config.name.clone(),
            kind: config.place.kind().into(),
            use_for: if config.vault_id.is_empty() { "none" } else { "vault" }.into(),
            bandwidth: self.bandwidth(&config.id)?,
            ..DestinationDraft::default()
        };
        match &config.place {
            Place::Local { path } => draft.path = path.clone(),
            Place::S3(place) => draft.s3 = s3_draft(place),
            Place::Sftp(place) => {
                draft.sftp.path = place.path.clone();
                match &place.via {
                    SftpVia::Server { server } => draft.sftp.server = Some(server.to_string()),
                    SftpVia::Own(ssh) => {
                        draft.sftp.ssh = Some(draft_of_connection(&config.name, &Connection::Ssh(ssh.clone())));
                    }
                }
            }
            Place::Ftp(place) => draft.ftp = ftp_draft(place),
        }
        Ok(draft)
    }

    /// Returns a place in words, a server by its name.
    pub(crate) fn place_text(&self, place: &Place) -> String {
        if let Place::Sftp(SftpPlace { via: SftpVia::Server { server }, path }) = place
            && let Ok(server) = self.store.server(server)
        {
            let path = if path.starts_with('/') { path.clone() } else { format!("/{path}") };
            return format!("sftp://{}{path}", server.name);
        }
        place.text()
    }
}

/// Names what makes a place this place and no other, whatever logs in there.
pub(super) fn identity(place: &Place) -> String {
    match place {
        Place::Local { path } => format!("local {}", path.trim_end_matches('/')),
        Place::S3(place) => {
            format!("s3 {} {}/{}", place.endpoint.to_ascii_lowercase(), place.bucket, place.prefix)
        }
        Place::Sftp(place) => match &place.via {
            SftpVia::Server { server } => format!("sftp server {server} {}", place.path),
            SftpVia::Own(ssh) => {
                format!("sftp {}@{}:{} {}", ssh.user, ssh.host.to_ascii_lowercase(), ssh.port, place.path)
            }
        },
        Place::Ftp(place) => {
            format!("ftp {}@{}:{} {}", place.user, place.host.to_ascii_lowercase(), place.port, place.path)
        }
    }
}

fn local_place(path: &str) -> Result<Place> {
    let path = path.trim();
    if path.is_empty() || !std::path::Path::new(path).is_absolute() {
        return Err(invalid(format!("\"{path}\" cannot be a destination: give a folder's full path"))
            .hint("For example /mnt/backup/backstay"));
    }
    Ok(Place::Local { path: path.into() })
}

/// Checks a folder on another machine. Empty is the log-in folder.
fn remote_folder(path: &str) -> Result<String> {
    let path = path.trim();
    let rooted = path.starts_with('/');
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.chars().any(|c| c.is_control() || c == '\\') || parts.contains(&"..") {
        return Err(invalid(format!("\"{}\" cannot be a destination's folder", path.escape_debug()))
            .hint("Give a path with slashes, without \"..\", for example /srv/backup"));
    }
    Ok(format!("{}{}", if rooted { "/" } else { "" }, parts.join("/")))
}

fn s3_place(draft: &S3Draft, providers: &[S3Provider]) -> Result<S3Place> {
    let wanted = if draft.provider.trim().is_empty() { "generic" } else { draft.provider.trim() };
    let Some(provider) = providers.iter().find(|provider| provider.id == wanted) else {
        let ids: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
        return Err(
            invalid(format!("There is no S3 provider \"{wanted}\"")).hint(format!("Use one of {}", ids.join(", ")))
        );
    };
    let region = s3_region(draft, provider)?;
    let encryption = text(&draft.encryption);
    if encryption.as_deref().is_some_and(|word| word != "AES256" && word != "aws:kms") {
        return Err(invalid("The encryption at rest is not known").hint("Use AES256 or aws:kms"));
    }
    let kms_key = text(&draft.kms_key);
    if kms_key.is_some() && encryption.as_deref() != Some("aws:kms") {
        return Err(invalid("A KMS key is given, but the encryption at rest is not aws:kms"));
    }
    let access_key = draft.access_key.trim().to_owned();
    if access_key.is_empty() || access_key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid("The access key is missing or cannot be used").hint(provider.keys_hint.clone()));
    }
    let ca_pem = text(&draft.ca_pem);
    if ca_pem.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
        return Err(
            invalid("The certificate to trust is not in PEM form").hint("It begins with -----BEGIN CERTIFICATE-----")
        );
    }
    let (lock_days, lock_mode) = s3_lock(draft)?;
    let endpoint = s3_endpoint(&draft.endpoint, provider, &region)?;
    Ok(S3Place {
        provider: provider.id.clone(),
        pinned_certificate: pinned(&draft.pinned_certificate)?.filter(|_| endpoint.starts_with("https://")),
        endpoint,
        bucket: s3_bucket(&draft.bucket)?,
        prefix: s3_prefix(&draft.prefix)?,
        region,
        access_key,
        path_style: draft.path_style.unwrap_or(provider.path_style),
        checksums: draft.checksums.unwrap_or(provider.checksums),
        ca_pem,
        storage_class: s3_class(draft, provider)?,
        encryption,
        kms_key,
        lock_days,
        lock_mode,
        ..S3Place::default()
    })
}

fn text(value: &Option<String>) -> Option<String> {
    value.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads the SHA-256 of an accepted certificate, with or without colons.
fn pinned(value: &Option<String>) -> Result<Option<String>> {
    let pin = text(value).map(|pin| pin.replace(':', "").to_ascii_lowercase());
    if pin.as_ref().is_some_and(|pin| pin.len() != 64 || !pin.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(invalid("The accepted certificate is not named by its SHA-256").hint("That is 64 hex digits"));
    }
    Ok(pin)
}

fn s3_region(draft: &S3Draft, provider: &S3Provider) -> Result<String> {
    let region = draft.region.trim();
    let known = provider.regions.iter().any(|known| known.id == region);
    match region {
        "" => match provider.regions.as_slice() {
            [] => Ok("us-east-1".into()),
            [only] => Ok(only.id.clone()),
            _ => Err(invalid(format!("The region of the bucket at {} is missing", provider.name))
                .hint("It is shown beside the bucket in the provider's console")),
        },
        _ if !known && !provider.free_region && !provider.regions.is_empty() => {
            let ids: Vec<&str> = provider.regions.iter().map(|region| region.id.as_str()).collect();
            Err(invalid(format!("{} has no region \"{region}\"", provider.name))
                .hint(format!("It has {}", ids.join(", "))))
        }
        _ if region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') => Ok(region.into()),
        _ => Err(invalid(format!("\"{}\" cannot be a region", region.escape_debug()))),
    }
}

fn s3_endpoint(typed: &str, provider: &S3Provider, region: &str) -> Result<String> {
    let typed = typed.trim().trim_end_matches('/');
    let address = match typed {
        "" => provider.endpoint.replace("{region}", region),
        text if text.contains("://") => text.to_owned(),
        text => format!("https://{text}"),
    };
    let bad = || {
        invalid(format!("\"{}\" cannot be the address of an S3 store", address.escape_debug()))
            .hint("Give it as https://host or https://host:port, without a path or a bucket")
    };
    if address.is_empty() || address.contains('{') {
        return Err(invalid(format!("The address of the store is missing: {} has none of its own", provider.name))
            .hint("Give it as https://host or https://host:port"));
    }
    let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")).ok_or_else(bad)?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(good) {
        return Err(bad());
    }
    Ok(address)
}

fn s3_bucket(bucket: &str) -> Result<String> {
    let bucket = bucket.trim();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !(3..=255).contains(&bucket.len())
        || !bucket.chars().all(good)
        || bucket.starts_with('.')
        || bucket.contains("..")
    {
        return Err(invalid(format!("\"{}\" cannot be a bucket's name", bucket.escape_debug())).hint(
            "A bucket has 3 to 63 small letters, digits, dots and hyphens; a folder in it goes into its own field",
        ));
    }
    Ok(bucket.into())
}

fn s3_prefix(prefix: &str) -> Result<String> {
    let parts: Vec<&str> = prefix.trim().split('/').filter(|part| !part.is_empty()).collect();
    let bad = |part: &&str| matches!(*part, "." | "..") || part.chars().any(|c| c.is_control() || c == '\\');
    let prefix = parts.join("/");
    // A longer one leaves no room for the keys behind it: S3 takes 1,024 bytes.
    if parts.iter().any(bad) || prefix.len() > 123 {
        return Err(invalid(format!("\"{}\" cannot be a folder of a bucket", prefix.escape_debug()))
            .hint("Use at most 123 bytes (letters beyond ASCII take two to four), without \"..\" and backslashes"));
    }
    Ok(prefix)
}

fn s3_class(draft: &S3Draft, provider: &S3Provider) -> Result<Option<String>> {
    let Some(class) = text(&draft.storage_class).map(|class| class.to_ascii_uppercase()) else { return Ok(None) };
    let known = provider.storage_classes.contains(&class);
    let free =
        provider.id == "generic" && class.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if known || free {
        return Ok(Some(class));
    }
    let hint = match provider.storage_classes.is_empty() {
        true => "It has but one: leave it empty".to_owned(),
        false => format!("It has {}", provider.storage_classes.join(", ")),
    };
    Err(invalid(format!("{} has no storage class {class}", provider.name)).hint(hint))
}

fn s3_lock(draft: &S3Draft) -> Result<(Option<u32>, Option<String>)> {
    let Some(days) = draft.lock_days.filter(|days| *days > 0) else { return Ok((None, None)) };
    if days > 36_500 {
        return Err(invalid(format!("Archives cannot be locked for {days} days")).hint("Use at most 36,500 days"));
    }
    let mode = text(&draft.lock_mode).unwrap_or_else(|| "GOVERNANCE".into()).to_ascii_uppercase();
    if mode != "GOVERNANCE" && mode != "COMPLIANCE" {
        return Err(invalid(format!("There is no lock mode {mode}")).hint("Use GOVERNANCE or COMPLIANCE"));
    }
    Ok((Some(days), Some(mode)))
}

fn ftp_place(draft: &FtpDraft) -> Result<FtpPlace> {
    let tls = match draft.tls.as_str() {
        "" | "explicit" => FtpTls::Explicit,
        "implicit" => FtpTls::Implicit,
        "none" => FtpTls::None,
        other => {
            return Err(invalid(format!("There is no FTP security \"{other}\"")).hint("Use explicit, implicit or none"));
        }
    };
    let host = draft.host.trim();
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/@'\"\\".contains(c);
    if host.is_empty() || host.chars().any(bad) {
        return Err(invalid(format!("\"{}\" cannot be an FTP server's address", host.escape_debug()))
            .hint("Give a host name or an IP address, without user and port"));
    }
    let user = draft.user.trim();
    if user.is_empty() || user.chars().any(char::is_control) {
        return Err(invalid(format!("The user for {host} is missing")).hint("Give the user to log in as"));
    }
    let port = match (draft.port, tls) {
        (0, FtpTls::Implicit) => 990,
        (0, _) => 21,
        (port, _) => port,
    };
    let passive = match draft.passive.as_str() {
        "" | "auto" => FtpPassive::Auto,
        "epsv" => FtpPassive::Epsv,
        "pasv" => FtpPassive::Pasv,
        other => {
            return Err(invalid(format!("Data connections cannot be asked for by \"{other}\""))
                .hint("Choose auto, epsv or pasv"));
        }
    };
    Ok(FtpPlace {
        host: host.into(),
        port,
        user: user.into(),
        path: remote_folder(&draft.path)?,
        tls,
        pinned_certificate: pinned(&draft.pinned_certificate)?.filter(|_| tls != FtpTls::None),
        passive,
        ignore_pasv_address: draft.ignore_pasv_address,
        connections: if draft.connections == 0 { FTP_CONNECTIONS } else { draft.connections.min(MOST_FTP_CONNECTIONS) },
    })
}

/// Returns a bucket as the wizard shows it, without its secret key.
pub(super) fn s3_draft(place: &S3Place) -> S3Draft {
    S3Draft {
        provider: place.provider.clone(),
        region: place.region.clone(),
        endpoint: place.endpoint.clone(),
        bucket: place.bucket.clone(),
        prefix: place.prefix.clone(),
        access_key: place.access_key.clone(),
        secret_key: None,
        path_style: Some(place.path_style),
        checksums: Some(place.checksums),
        ca_pem: place.ca_pem.clone(),
        pinned_certificate: place.pinned_certificate.clone(),
        storage_class: place.storage_class.clone(),
        encryption: place.encryption.clone(),
        kms_key: place.kms_key.clone(),
        lock_days: place.lock_days,
        lock_mode: place.lock_mode.clone(),
    }
}

fn ftp_draft(place: &FtpPlace) -> FtpDraft {
    FtpDraft {
        host: place.host.clone(),
        port: place.port,
        user: place.user.clone(),
        password: None,
        path: place.path.clone(),
        tls: match place.tls {
            FtpTls::Explicit => "explicit",
            FtpTls::Implicit => "implicit",
            FtpTls::None => "none",
        }
        .into(),
        pinned_certificate: place.pinned_certificate.clone(),
        passive: match place.passive {
            FtpPassive::Auto => "auto",
            FtpPassive::Epsv => "epsv",
            FtpPassive::Pasv => "pasv",
        }
        .into(),
        ignore_pasv_address: place.ignore_pasv_address,
        connections: place.connections,
    }
}

//! A place as it is typed: local, s3, sftp or ftp.

use crate::ask;
use crate::common::{Session, absolute, path_text};
use crate::options::{FtpArgs, PlaceVerb, ReachArgs, S3Args, SftpArgs};
use crate::servers;
use backstay_contract::{DestinationDraft, FtpDraft, S3Draft, SftpDraft};
use backstay_core::{Error, ErrorClass, Result};

/// Reads a place; secrets come from standard input in the order of the options.
pub async fn draft_of(session: &Session, name: &str, place: &PlaceVerb) -> Result<DestinationDraft> {
    let mut draft = DestinationDraft { name: name.to_owned(), ..DestinationDraft::default() };
    let password = match place {
        PlaceVerb::Local { path, vault_password_stdin } => {
            draft.kind = "local".into();
            draft.path = path_text(&absolute(path)?)?;
            *vault_password_stdin
        }
        PlaceVerb::S3 { bucket, vault_password_stdin } => {
            draft.kind = "s3".into();
            draft.s3 = s3_draft(bucket)?;
            if bucket.trust_first_use {
                accept_certificate(session, &mut draft).await?;
            }
            *vault_password_stdin
        }
        PlaceVerb::Sftp { folder, vault_password_stdin } => {
            draft.kind = "sftp".into();
            draft.sftp = sftp_draft(session, folder).await?;
            *vault_password_stdin
        }
        PlaceVerb::Ftp { folder, vault_password_stdin } => {
            draft.kind = "ftp".into();
            draft.ftp = ftp_draft(folder)?;
            if folder.trust_first_use {
                accept_certificate(session, &mut draft).await?;
            }
            *vault_password_stdin
        }
    };
    draft.vault_password = password.then(|| ask::secret("the vault's password")).transpose()?;
    if let Some(text) = warning(&draft).filter(|_| !session.json) {
        eprintln!("{text}.");
    }
    Ok(draft)
}

/// Says what is dangerous about a place, or nothing; the window says the same.
fn warning(draft: &DestinationDraft) -> Option<&'static str> {
    let plain = |address: &str| address.trim().to_ascii_lowercase().starts_with("http:");
    match draft.kind.as_str() {
        "s3" if plain(&draft.s3.endpoint) => Some(
            "Warning: the address is not encrypted. Whoever is on the way can see the names and sizes of files and change \
             what is sent; use it only on a network of your own",
        ),
        "ftp" if draft.ftp.tls == "none" => Some(
            "Warning: without TLS the password and everything sent can be read on the way. Backups in a vault and sealed \
             archives stay unreadable; the password does not",
        ),
        _ => None,
    }
}

/// Reads a bucket and its secret key.
pub fn s3_draft(args: &S3Args) -> Result<S3Draft> {
    let ca = args
        .ca
        .as_ref()
        .map(|file| std::fs::read_to_string(file).map_err(|e| Error::io(format!("Cannot read {}", file.display()), e)));
    Ok(S3Draft {
        provider: args.provider.clone(),
        region: args.region.clone(),
        endpoint: args.endpoint.clone(),
        bucket: args.bucket.clone(),
        prefix: args.prefix.clone(),
        access_key: args.access_key.clone(),
        path_style: args.path_style,
        checksums: None,
        ca_pem: ca.transpose()?,
        pinned_certificate: args.certificate.clone(),
        storage_class: args.storage_class.clone(),
        encryption: args.encryption.clone(),
        kms_key: args.kms_key.clone(),
        lock_days: args.lock_days,
        lock_mode: args.lock_mode.clone(),
        secret_key: Some(ask::secret("the secret key")?),
    })
}

async fn sftp_draft(session: &Session, args: &SftpArgs) -> Result<SftpDraft> {
    if let Some(name) = &args.server {
        let server = session.server(name).await?.id;
        return Ok(SftpDraft { server: Some(server), path: args.path.clone(), ssh: None });
    }
    let reach = ReachArgs {
        ssh: args.ssh.clone(),
        key: args.key.clone(),
        password_stdin: args.password_stdin,
        key_passphrase_stdin: args.key_passphrase_stdin,
        jump: args.jump.clone(),
        fingerprint: args.fingerprint.clone(),
        jump_fingerprint: args.jump_fingerprint.clone(),
        trust_first_use: args.trust_first_use,
        ..ReachArgs::default()
    };
    let mut ssh = servers::new_draft("the destination's server", false);
    servers::apply(&reach, &mut ssh)?;
    servers::accept_keys(session, &reach, &mut ssh).await?;
    Ok(SftpDraft { server: None, ssh: Some(ssh), path: args.path.clone() })
}

fn ftp_draft(args: &FtpArgs) -> Result<FtpDraft> {
    let wrong = || {
        Error::new(ErrorClass::Invalid, format!("Cannot use the address {}", args.address))
            .hint("Write it as USER@HOST or USER@HOST:PORT")
    };
    let (user, place) = args.address.rsplit_once('@').ok_or_else(wrong)?;
    // Without a port the engine takes the usual one of the way it is secured.
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, 0),
        Some((host, port)) => (host, port.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(wrong)?),
        None => match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (place, 0),
        },
    };
    Ok(FtpDraft {
        host: host.into(),
        port,
        user: user.into(),
        password: Some(ask::secret("the FTP password")?),
        path: args.path.clone(),
        tls: args.tls.clone(),
        pinned_certificate: args.certificate.clone(),
        passive: args.passive.clone(),
        ignore_pasv_address: args.ignore_pasv_address,
        connections: args.connections,
    })
}

/// Accepts the certificate the server or store shows now, as the user asked for.
pub async fn accept_certificate(session: &Session, draft: &mut DestinationDraft) -> Result<()> {
    let test = session.backstay.look_at_destination(draft.clone(), "").await?;
    if let Some(certificate) = test.certificate {
        if !session.json {
            eprintln!("Accepted the certificate {certificate}");
        }
        match draft.kind.as_str() {
            "s3" => draft.s3.pinned_certificate = Some(certificate),
            _ => draft.ftp.pinned_certificate = Some(certificate),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_the_clear_is_warned_of() {
        let mut draft = DestinationDraft { kind: "ftp".into(), ..DestinationDraft::default() };
        for (tls, warned) in [("explicit", false), ("implicit", false), ("none", true)] {
            draft.ftp.tls = tls.into();
            assert_eq!(warning(&draft).is_some(), warned, "{tls}");
        }
        draft.kind = "s3".into();
        for (endpoint, warned) in [("", false), ("https://nas:9000", false), (" HTTP://nas:9000", true)] {
            draft.s3.endpoint = endpoint.into();
            assert_eq!(warning(&draft).is_some(), warned, "{endpoint}");
        }
        draft.kind = "local".into();
        assert_eq!(warning(&draft), None);
    }
}

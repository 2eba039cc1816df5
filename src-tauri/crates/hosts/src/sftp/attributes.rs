//! Links and attributes over SFTP.

use super::session::SftpSession;
use super::session_files::{attrs_of, failed};
use super::wire::{Payload, kind};
use backstay_core::entry::{Entry, EntryType};
use backstay_core::host::Attribute;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::io;

/// OpenSSH's extension that does not follow a link.
const LSETSTAT: &str = "lsetstat@openssh.com";

/// Makes a symbolic link, in the place of what is there unless that is a folder.
pub async fn make_link(session: &SftpSession, path: &RawPath, target: &[u8]) -> Result<()> {
    let tried = || format!("Cannot make the link {} on {}", path.to_text(), session.label());
    match attrs_of(session, kind::LSTAT, path.as_bytes()).await {
        Ok(attrs) if attrs.is_dir() => {
            return Err(Error::new(ErrorClass::Exists, format!("{}: a folder is there", tried())));
        }
        Ok(_) => {
            let gone = session.ask(kind::REMOVE, Payload::default().bytes(path.as_bytes())).await;
            gone.map_err(failed(tried))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(tried)(error)),
    }
    // The draft has the link first; OpenSSH has it last, and the others do as it does.
    let payload = Payload::default().bytes(target).bytes(path.as_bytes());
    session.ask(kind::SYMLINK, payload).await.map_err(failed(tried))?;
    let made = attrs_of(session, kind::LSTAT, path.as_bytes()).await;
    if made.map_err(failed(tried))?.is_symlink() {
        return Ok(());
    }
    Err(Error::new(ErrorClass::Unsupported, format!("{}: the server made something else", tried())))
}

/// Sets owner, mode and time, one after the other: a change of the owner takes setuid away.
pub async fn set_attributes(session: &SftpSession, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
    let mut unset = Vec::new();
    for entry in entries {
        let is_link = matches!(entry.kind, EntryType::Symlink(_));
        let mut sets = vec![(Attribute::Owner, Some(Payload::default().owner(entry.uid, entry.gid)))];
        if !is_link {
            sets.push((Attribute::Mode, Some(Payload::default().attrs(Some(entry.mode & 0o7777)))));
        }
        let seconds = u32::try_from(entry.mtime.to_parts().0).ok();
        sets.push((Attribute::Time, seconds.map(|seconds| Payload::default().times(seconds))));
        let mut asked = Vec::new();
        for (what, attrs) in sets {
            let path = entry.path.as_bytes();
            let sent = match attrs {
                Some(attrs) if !is_link => session.send(kind::SETSTAT, Payload::default().bytes(path).and(attrs)).await,
                Some(attrs) if session.offers(LSETSTAT) => {
                    let payload = Payload::default().bytes(LSETSTAT.as_bytes()).bytes(path).and(attrs);
                    session.send(kind::EXTENDED, payload).await
                }
                _ => Err(io::ErrorKind::Unsupported.into()),
            };
            asked.push((what, sent));
        }
        for (what, sent) in asked {
            let answer = match sent {
                Ok(waiting) => waiting.reply().await.map(drop),
                Err(error) => Err(error),
            };
            match answer {
                Ok(()) => {}
                Err(_) if !session.is_closed() => unset.push((entry.path.clone(), what)),
                Err(error) => {
                    let tried = format!("Cannot set the {what} of {} on {}", entry.path.to_text(), session.label());
                    return Err(Error::io(tried, error));
                }
            }
        }
    }
    Ok(unset)
}

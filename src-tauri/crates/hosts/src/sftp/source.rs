//! A server's files for a destination: connections of their own, opened when they are needed and again after a loss.

use super::remote::{ArcLanes, Lanes};
use super::session::SftpSession;
use crate::ssh::link::{self, Link};
use crate::{ConnectOptions, HostSecrets};
use async_trait::async_trait;
use backstay_core::config::SshConnection;
use backstay_core::host::HostKeyPins;
use backstay_core::remote::{RemoteFiles, RemoteFilesSource};
use backstay_core::{Error, ErrorClass, Result};
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// Channels of one connection. Servers grant ten by default, and one TCP stream is not always as fast as the line.
const CHANNELS_OF_A_LINK: usize = 4;
/// How long an open connection may take to grant a channel before it counts as stuck.
pub(super) const CHANNEL_LIMIT: Duration = Duration::from_secs(60);

/// Opens channels, and connections for them.
pub struct Opener {
    name: String,
    connection: SshConnection,
    secrets: HostSecrets,
    pins: Arc<dyn HostKeyPins>,
    options: ConnectOptions,
    /// The newest connection, and how many channels it carries.
    newest: Mutex<Option<(Arc<Link>, usize)>>,
    /// Whether the server has a command that hashes; tried at first need.
    pub(super) hashes: OnceCell<bool>,
}

impl Opener {
    /// Returns how messages name the server.
    pub fn label(&self) -> &str {
        &self.name
    }

    /// Opens one more channel with SFTP on it.
    pub async fn session(&self) -> Result<SftpSession> {
        start_sftp(&self.name, &self.link().await?).await
    }

    /// Returns a connection with room for one more channel.
    pub(super) async fn link(&self) -> Result<Arc<Link>> {
        let mut newest = self.newest.lock().await;
        let usable = newest.take().filter(|(link, used)| *used < CHANNELS_OF_A_LINK && !link.handle.is_closed());
        let (link, used) = match usable {
            Some(link) => link,
            None => {
                let (connection, secrets) = (&self.connection, &self.secrets);
                let link = link::open(&self.name, connection, secrets, &self.pins, &self.options).await?;
                (Arc::new(link), 0)
            }
        };
        *newest = Some((link.clone(), used + 1));
        Ok(link)
    }

    /// A channel of this connection has ended.
    pub(super) async fn give_back(&self, link: &Arc<Link>) {
        if let Some((newest, used)) = self.newest.lock().await.as_mut()
            && Arc::ptr_eq(newest, link)
        {
            *used = used.saturating_sub(1);
        }
    }
}

/// Opens a channel and starts SFTP on it.
async fn start_sftp(name: &str, link: &Arc<Link>) -> Result<SftpSession> {
    let tried = format!("Cannot open SFTP on {name}");
    let silent = |_| Error::new(ErrorClass::TimedOut, format!("{tried}: the server does not answer"));
    let opened = tokio::time::timeout(CHANNEL_LIMIT, link.handle.channel_open_session()).await.map_err(silent)?;
    let channel = opened.map_err(|error| match error {
        russh::Error::ChannelOpenFailure(_) => {
            Error::new(ErrorClass::Refused, format!("{tried}: the server grants no more channels"))
                .hint("Raise MaxSessions in sshd_config, or run less at once")
                .source(error)
        }
        _ => Error::new(ErrorClass::Offline, format!("{tried}: {}", link.lost.text())).source(error),
    })?;
    start_sftp_on(channel, name, link).await
}

/// Starts SFTP on a fresh channel.
pub async fn start_sftp_on(mut channel: Channel<Msg>, name: &str, link: &Arc<Link>) -> Result<SftpSession> {
    let tried = format!("Cannot open SFTP on {name}");
    let silent = |_| Error::new(ErrorClass::TimedOut, format!("{tried}: the server does not answer"));
    let lost = || Error::new(ErrorClass::Offline, format!("{tried}: {}", link.lost.text()));
    channel.request_subsystem(true, "sftp").await.map_err(|_| lost())?;
    loop {
        match tokio::time::timeout(CHANNEL_LIMIT, channel.wait()).await.map_err(silent)? {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure) => {
                return Err(Error::new(ErrorClass::Unsupported, format!("{tried}: the server refuses it"))
                    .hint("Switch the SFTP subsystem on in the server's sshd_config"));
            }
            None => return Err(lost()),
            Some(_) => {}
        }
    }
    SftpSession::open(channel, name.to_owned(), link.clone()).await
}

struct Source {
    opener: Arc<Opener>,
    channels: usize,
    now: Mutex<Option<Arc<Lanes>>>,
}

/// Returns the files of a server over SFTP. `name` is how messages call the server; `channels` is how many SFTP channels
/// may be open at the same time at most (8 is a good number): one is opened at first, more while there is much to carry
/// and the way is long. Connects at the first [`RemoteFilesSource::open`], and anew after a connection was lost.
pub fn remote_files_source(
    name: &str,
    connection: &SshConnection,
    secrets: HostSecrets,
    pins: Arc<dyn HostKeyPins>,
    options: ConnectOptions,
    channels: usize,
) -> Arc<dyn RemoteFilesSource> {
    let (newest, hashes) = (Mutex::new(None), OnceCell::new());
    let opener =
        Opener { name: name.to_owned(), connection: connection.clone(), secrets, pins, options, newest, hashes };
    Arc::new(Source { opener: Arc::new(opener), channels, now: Mutex::new(None) })
}

#[async_trait]
impl RemoteFilesSource for Source {
    fn label(&self) -> &str {
        self.opener.label()
    }
    async fn open(&self) -> Result<Arc<dyn RemoteFiles>> {
        let mut now = self.now.lock().await;
        if let Some(lanes) = now.as_ref().filter(|lanes| !lanes.is_closed()) {
            return Ok(Arc::new(ArcLanes(lanes.clone())));
        }
        // What is left of a broken set must not be mixed with the new one.
        *now = None;
        *self.opener.newest.lock().await = None;
        let lanes = Lanes::open(self.opener.clone(), self.channels).await?;
        *now = Some(lanes.clone());
        Ok(Arc::new(ArcLanes(lanes)))
    }
}

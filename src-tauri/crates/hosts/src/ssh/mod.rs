//! A server over SSH.

pub mod auth;
pub mod config;
mod known_hosts;
pub mod link;
mod marker;
mod packing;
pub mod process;
pub mod trust;

use crate::sftp::{SftpSession, attributes, session_files, start_sftp_on};
use crate::{ConnectOptions, HostSecrets, shell_attributes, shell_files};
use async_trait::async_trait;
use backstay_core::config::SshConnection;
use backstay_core::entry::{ByteStream, Entry};
use backstay_core::host::{Attribute, Command, Findings, Host, HostCapabilities, HostKeyPins, Process, Space};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use link::Link;
use marker::Marker;
use packing::Packing;
use russh::{Channel, ChannelMsg, client::Msg};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::Mutex;

/// How long an open connection may take to grant a channel before it counts as stuck.
const CHANNEL_LIMIT: Duration = Duration::from_secs(60);
/// Connections to one server at most. One does for commands that follow one another. A command that runs beside another
/// gets one of its own: russh widens a channel's window before its reader has read, so a reader that waits holds up
/// every other channel of its connection.
const LANES: usize = 4;

/// What the account offers, found out at the first connection.
enum Account {
    /// A shell that prints only what commands print.
    Shell,
    /// A shell that prints something of its own first.
    NoisyShell(Marker),
    /// No shell, but SFTP.
    SftpOnly,
}

/// A server over SSH. Connections that were lost are opened anew by the next call.
pub struct Ssh {
    label: String,
    connection: SshConnection,
    secrets: HostSecrets,
    pins: Arc<dyn HostKeyPins>,
    options: ConnectOptions,
    /// The first is the one that is always there; the others are opened while it is busy.
    lanes: [Mutex<Option<Arc<Link>>>; LANES],
    /// One connection that packs what passes (SSH's own compression), for commands that may be packed.
    packing: Packing,
    sftp: Mutex<Option<Arc<SftpSession>>>,
    account: OnceLock<Account>,
    findings: Findings,
}

impl Ssh {
    /// Connects, logs in, and finds out what the account offers.
    pub async fn connect(
        label: &str,
        connection: SshConnection,
        secrets: HostSecrets,
        pins: Arc<dyn HostKeyPins>,
        options: ConnectOptions,
    ) -> Result<Arc<dyn Host>> {
        let host = Self {
            label: label.to_owned(),
            connection,
            secrets,
            pins,
            options,
            lanes: Default::default(),
            packing: Packing::default(),
            sftp: Mutex::new(None),
            account: OnceLock::new(),
            findings: Findings::default(),
        };
        let account = host.look_at_account().await?;
        let _ = host.account.set(account);
        Ok(Arc::new(host))
    }

    async fn look_at_account(&self) -> Result<Account> {
        // Each hop and each log-in has a limit of its own; what follows is about the shell alone.
        self.first_link().await?;
        let marker = Marker::new();
        let probe = tokio::time::timeout(self.options.connect_timeout.max(Duration::from_secs(10)), async {
            let process = self.start_line(&marker.command(b""), "look at the account".into()).await?;
            let lost = |error| Error::io(format!("Cannot look at the account on {}", self.label), error);
            marker.find_in(process).await.map_err(lost)
        });
        let told = probe.await.map_err(|_| {
            Error::new(
                ErrorClass::TimedOut,
                format!("Cannot run a command on {}: its shell does not answer", self.label),
            )
            .hint("Something in the account's .bashrc or .profile may wait for input")
        })?;
        let said = match told {
            Ok(marker::Found::First) => return Ok(Account::Shell),
            Ok(marker::Found::AfterNoise) => return Ok(Account::NoisyShell(marker)),
            Ok(marker::Found::Not(said)) => said,
            Err(error) if error.class == ErrorClass::Unsupported => error.message,
            Err(error) => return Err(error),
        };
        match self.sftp().await {
            Ok(_) => Ok(Account::SftpOnly),
            Err(error) if error.class.may_retry() => Err(error),
            Err(error) => Err(Error::new(
                ErrorClass::Unsupported,
                format!("Cannot use {}: the account {} has neither a shell nor SFTP", self.label, self.connection.user),
            )
            .hint("Give the account a shell (usermod -s /bin/sh), or switch the SFTP subsystem on in sshd_config")
            .detail(format!("{said}\n{error}"))),
        }
    }

    /// Returns a connection nothing runs on, opening one where there is room; else the first one, shared.
    async fn idle_link(&self) -> Result<Arc<Link>> {
        for (at, lane) in self.lanes.iter().enumerate() {
            // A lane somebody else is opening will be busy. The first is waited for: without it there is nothing.
            let mut place = match lane.try_lock() {
                Ok(place) => place,
                Err(_) if at > 0 => continue,
                Err(_) => lane.lock().await,
            };
            match place.as_ref().filter(|link| !link.handle.is_closed()) {
                // The lane's own reference is the only one: nothing runs on it.
                Some(link) if Arc::strong_count(link) == 1 => return Ok(link.clone()),
                Some(_) => continue,
                None => {}
            }
            *place = None;
            match link::open(&self.label, &self.connection, &self.secrets, &self.pins, &self.options).await {
                Ok(link) => {
                    let link = Arc::new(link);
                    *place = Some(link.clone());
                    return Ok(link);
                }
                Err(error) if at == 0 => return Err(error),
                // A log-in that works only once (a one-time code) must not fail what the first connection can carry.
                Err(error) => {
                    tracing::debug!(%error, "no further connection; sharing the first");
                    break;
                }
            }
        }
        self.first_link().await
    }

    /// Returns the first connection, busy or not.
    async fn first_link(&self) -> Result<Arc<Link>> {
        let mut place = self.lanes[0].lock().await;
        if let Some(link) = place.as_ref().filter(|link| !link.handle.is_closed()) {
            return Ok(link.clone());
        }
        let link = link::open(&self.label, &self.connection, &self.secrets, &self.pins, &self.options).await?;
        let link = Arc::new(link);
        *place = Some(link.clone());
        Ok(link)
    }

    /// Opens a channel. A connection that turns out dead is replaced once.
    async fn channel(&self, tried: &str) -> Result<(Channel<Msg>, Arc<Link>)> {
        let link = self.idle_link().await?;
        let opened = tokio::time::timeout(CHANNEL_LIMIT, link.handle.channel_open_session()).await;
        if !matches!(&opened, Ok(Err(error)) if !matches!(error, russh::Error::ChannelOpenFailure(_))) {
            return self.granted(opened, tried).map(|channel| (channel, link));
        }
        // Seen as lost only now. Its task may need a moment to end; the lane must not hand it out again.
        for lane in &self.lanes {
            let mut place = lane.lock().await;
            if place.as_ref().is_some_and(|held| Arc::ptr_eq(held, &link)) {
                *place = None;
            }
        }
        let link = self.idle_link().await?;
        let opened = tokio::time::timeout(CHANNEL_LIMIT, link.handle.channel_open_session()).await;
        self.granted(opened, tried).map(|channel| (channel, link))
    }

    fn granted(
        &self,
        opened: std::result::Result<std::result::Result<Channel<Msg>, russh::Error>, tokio::time::error::Elapsed>,
        tried: &str,
    ) -> Result<Channel<Msg>> {
        let tried = format!("Cannot {tried} on {}", self.label);
        match opened {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error @ russh::Error::ChannelOpenFailure(_))) => {
                Err(Error::new(ErrorClass::Refused, format!("{tried}: the server grants no more channels"))
                    .hint("Raise MaxSessions in sshd_config, or run less at once")
                    .source(error))
            }
            Ok(Err(error)) => {
                Err(Error::new(ErrorClass::Offline, format!("{tried}: the connection was lost")).source(error))
            }
            Err(_) => Err(Error::new(ErrorClass::TimedOut, format!("{tried}: the server does not answer"))),
        }
    }

    /// Starts one command line, as it is.
    async fn start_line(&self, line: &[u8], tried: String) -> Result<Process> {
        let (channel, link) = self.channel(&tried).await?;
        self.start_on(channel, link, line, tried).await
    }

    async fn start_on(
        &self,
        mut channel: Channel<Msg>,
        link: Arc<Link>,
        line: &[u8],
        tried: String,
    ) -> Result<Process> {
        let text = format!("Cannot {tried} on {}", self.label);
        let lost = |link: &Link| Error::new(ErrorClass::Offline, format!("{text}: {}", link.lost.text()));
        channel.exec(true, line).await.map_err(|_| lost(&link))?;
        loop {
            match tokio::time::timeout(CHANNEL_LIMIT, channel.wait()).await {
                Ok(Some(ChannelMsg::Success)) => break,
                Ok(Some(ChannelMsg::Failure)) => {
                    return Err(Error::new(
                        ErrorClass::Unsupported,
                        format!("{text}: the server runs no commands for this account"),
                    ));
                }
                Ok(Some(ChannelMsg::Close) | None) => return Err(lost(&link)),
                Ok(Some(_)) => {}
                Err(_) => {
                    return Err(Error::new(ErrorClass::TimedOut, format!("{text}: the server does not answer")));
                }
            }
        }
        Ok(process::process(channel, link, text))
    }

    /// Returns the SFTP session, opening one where there is none.
    async fn sftp(&self) -> Result<Arc<SftpSession>> {
        let mut place = self.sftp.lock().await;
        if let Some(session) = place.as_ref().filter(|session| !session.is_closed()) {
            return Ok(session.clone());
        }
        let (channel, link) = self.channel("open SFTP").await?;
        let session = start_sftp_on(channel, &self.label, &link).await?;
        let session = Arc::new(session);
        *place = Some(session.clone());
        Ok(session)
    }

    fn is_sftp_only(&self) -> bool {
        matches!(self.account.get(), Some(Account::SftpOnly))
    }
}

#[async_trait]
impl Host for Ssh {
    fn label(&self) -> &str {
        &self.label
    }
    fn capabilities(&self) -> HostCapabilities {
        HostCapabilities { commands: !self.is_sftp_only(), files: true }
    }
    fn route(&self) -> String {
        let c = &self.connection;
        let mut route = format!("over SSH to {}@{}:{}", c.user, c.host, c.port);
        for (at, jump) in c.jumps.iter().enumerate() {
            route.push_str(if at == 0 { " through " } else { ", " });
            route.push_str(&format!("{}@{}:{}", jump.user, jump.host, jump.port));
        }
        if self.is_sftp_only() {
            route.push_str(", SFTP only");
        }
        route
    }
    fn findings(&self) -> &Findings {
        &self.findings
    }
    async fn start(&self, command: Command) -> Result<Process> {
        let program = command.program();
        let Some(account) = self.account.get().filter(|account| !matches!(account, Account::SftpOnly)) else {
            return Err(Error::new(
                ErrorClass::Unsupported,
                format!("Cannot run {program} on {}: the account has no shell, only SFTP", self.label),
            )
            .hint("Databases and fast file reading need a shell; give the account one, or back up its files only"));
        };
        let lowered = crate::argv::lower(&command)?;
        let line = crate::argv::shell_line(&lowered.argv)?;
        let tried = format!("run {program}");
        let packed = if command.packable { self.packed_channel().await? } else { None };
        let (line, marker) = match account {
            Account::NoisyShell(marker) => (marker.command(&line), Some(marker)),
            _ => (line, None),
        };
        let mut process = match packed {
            Some((channel, link)) => self.start_on(channel, link, &line, tried).await?,
            None => self.start_line(&line, tried).await?,
        };
        if let Some(marker) = marker {
            process = marker.strip(process, &self.label);
        }
        if !lowered.stdin_prefix.is_empty() {
            use tokio::io::AsyncWriteExt;
            // A command that is gone already is no failure here: its exit status tells.
            let _ = process.stdin.write_all(&lowered.stdin_prefix).await;
        }
        Ok(process)
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<Entry>> {
        if self.is_sftp_only() {
            return session_files::list(&*self.sftp().await?, dir).await;
        }
        shell_files::list(self, dir).await
    }
    async fn stat(&self, path: &RawPath) -> Result<Entry> {
        if self.is_sftp_only() {
            return session_files::stat(&*self.sftp().await?, path).await;
        }
        shell_files::stat(self, path).await
    }
    async fn read(&self, path: &RawPath) -> Result<ByteStream> {
        if self.is_sftp_only() {
            return session_files::read(self.sftp().await?, path).await;
        }
        shell_files::read(self, path).await
    }
    async fn write(&self, path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64> {
        if self.is_sftp_only() {
            return session_files::write(&*self.sftp().await?, path, mode, content).await;
        }
        shell_files::write(self, path, mode, content).await
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        if self.is_sftp_only() {
            return session_files::make_dir(&*self.sftp().await?, path).await;
        }
        shell_files::make_dir(self, path).await
    }
    async fn make_link(&self, path: &RawPath, target: &[u8]) -> Result<()> {
        if self.is_sftp_only() {
            return attributes::make_link(&*self.sftp().await?, path, target).await;
        }
        shell_attributes::make_link(self, path, target).await
    }
    async fn set_attributes(&self, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
        if self.is_sftp_only() {
            return attributes::set_attributes(&*self.sftp().await?, entries).await;
        }
        shell_attributes::set_attributes(self, entries).await
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        if self.is_sftp_only() {
            return session_files::remove(&*self.sftp().await?, path).await;
        }
        shell_files::remove(self, path).await
    }
    async fn space(&self, path: &RawPath) -> Result<Space> {
        if self.is_sftp_only() {
            return session_files::space(&*self.sftp().await?, path).await;
        }
        shell_files::space(self, path).await
    }
    async fn close(&self) {
        *self.sftp.lock().await = None;
        for lane in self.lanes.iter().chain([&self.packing.link]) {
            if let Some(link) = lane.lock().await.take() {
                let bye = link.handle.disconnect(russh::Disconnect::ByApplication, "", "");
                let _ = tokio::time::timeout(Duration::from_secs(2), bye).await;
            }
        }
    }
}

//! One logged-in control connection and its data connections.

use super::data::{Asked, SyncFuture};
use super::errors::{self, code};
use super::greet::greet_in_version;
use crate::tls::Trust;
use backstay_core::config::FtpPlace;
use backstay_core::{Error, ErrorClass, Result, Secret};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use suppaftp::tokio::{AsyncRustlsFtpStream, AsyncRustlsStream, TransferStream};
use suppaftp::types::{FileType, Response};
use suppaftp::{FtpError, Mode, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long reaching the server, TLS and log-in may take. Some servers make wrong passwords wait.
pub(super) const LOG_IN_LIMIT: Duration = Duration::from_secs(30);
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long a short command may take to be answered.
const REPLY_LIMIT: Duration = Duration::from_secs(60);
/// How long the end of a transfer may take to be answered: the server may have much to write out.
const FINISH_LIMIT: Duration = Duration::from_secs(300);
/// How long a server is listened to for the reason of a failure.
const REASON_LIMIT: Duration = Duration::from_secs(5);
/// A listing longer than this is not read.
const LISTING_LIMIT: u64 = 256 << 20;

/// A data connection under way.
pub(super) type Transfer = TransferStream<AsyncRustlsStream>;
/// What the library's calls return.
pub(super) type Answer<T> = std::result::Result<T, FtpError>;

/// How the sessions of a place are made; learnt while they are used.
pub(super) struct Ways {
    /// TLS 1.3 too: the server does not know 1.2.
    pub(super) tls13: AtomicBool,
    /// PASV in place of EPSV.
    pub(super) pasv: AtomicBool,
    /// Whether it may be found out that PASV is better.
    pub(super) finds_pasv: bool,
}

/// What a server offers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features {
    pub(super) mlst: bool,
    pub(super) mdtm: bool,
}

/// A logged-in control connection.
pub(super) struct Session {
    ftp: AsyncRustlsFtpStream,
    pub(super) features: Features,
    /// The log-in folder.
    pub(super) home: String,
    asked: Arc<Asked>,
    ways: Arc<Ways>,
    /// It uses PASV.
    pasv: bool,
    /// PASV tells IPv4 addresses alone: over IPv6 it is no way out.
    ipv6: bool,
    used: Instant,
    /// A transfer was left half way: its end is still to be heard.
    unfinished: bool,
    /// More answers may come than were asked for: nothing can be made of what is heard next.
    spoilt: bool,
}

/// Runs a step with a limit; silence is `TimedOut`, and names the step.
async fn within<T>(limit: Duration, what: &str, step: impl Future<Output = Answer<T>>) -> Answer<T> {
    let silent = |_| {
        let text = format!("no answer to {what} within {} seconds", limit.as_secs());
        FtpError::ConnectionError(io::Error::new(io::ErrorKind::TimedOut, text))
    };
    tokio::time::timeout(limit, step).await.map_err(silent)?
}

impl Session {
    /// Connects, agrees on TLS and logs in.
    pub(super) async fn open(
        place: &FtpPlace,
        password: &Secret,
        trust: &Arc<Trust>,
        ways: &Arc<Ways>,
        tried: &str,
    ) -> Result<Self> {
        let mut ftp = match greet_in_version(place, trust, ways, tried).await {
            // It did not get as far as a certificate: an old version may be what is refused.
            Err(error) if error.class == ErrorClass::Unsupported && !ways.tls13.swap(true, Ordering::Relaxed) => {
                let again = greet_in_version(place, trust, ways, tried).await;
                ways.tls13.store(again.is_ok(), Ordering::Relaxed);
                again.map_err(|_| error)?
            }
            greeted => greeted?,
        };
        let logged_in = tokio::time::timeout(LOG_IN_LIMIT, log_in(&mut ftp, place, password)).await;
        let silent = |_| Error::new(ErrorClass::TimedOut, format!("{tried}: the server does not answer the log-in"));
        let (features, home) = logged_in.map_err(silent)?.map_err(|error| match error {
            FtpError::UnexpectedResponse(reply) if matches!(code(&reply), 530 | 430) && !errors::is_crowded(&reply) => {
                Error::new(ErrorClass::Refused, format!("{tried}: user {} or its password was refused", place.user))
                    .hint("Check user and password; some servers want TLS before they let anybody in")
                    .detail(format!("{} {}", code(&reply), errors::words(&reply)))
            }
            other => errors::classify(tried, other),
        })?;
        let peer = ftp.get_ref().await.peer_addr().ok().map(|peer| peer.ip());
        let ipv6 = peer.is_some_and(|peer| peer.to_canonical().is_ipv6());
        ftp.set_mode(Mode::ExtendedPassive);
        ftp.set_passive_nat_workaround(place.ignore_pasv_address);
        let asked = Arc::new(Asked::default());
        let told = asked.clone();
        let ftp = ftp.passive_stream_builder(move |address| {
            let told = told.clone();
            Box::pin(SyncFuture::new(async move { told.reach(address, peer).await.map_err(FtpError::ConnectionError) }))
        });
        let (ways, used) = (ways.clone(), Instant::now());
        Ok(Self { ftp, features, home, asked, ways, pasv: false, ipv6, used, unfinished: false, spoilt: false })
    }

    /// Tells whether the session can still be used, hearing first what it owes.
    pub(super) async fn is_alive(&mut self) -> bool {
        if !self.unfinished && self.used.elapsed() < Duration::from_secs(2) {
            return true;
        }
        self.is_awake().await
    }

    /// Says something that does nothing, and tells whether it was answered.
    pub(super) async fn is_awake(&mut self) -> bool {
        let alive = within(REASON_LIMIT, "NOOP", self.ftp.noop()).await.is_ok();
        self.unfinished = false;
        alive
    }

    /// Notes that the session was used just now.
    pub(super) fn touch(&mut self) {
        self.used = Instant::now();
    }

    /// Tells whether what is heard next will be the answer to what is said next.
    pub(super) fn is_in_step(&self) -> bool {
        !self.spoilt
    }

    /// Sends a command of one line. Names in it are checked before: no control characters.
    pub(super) async fn command(&mut self, line: String, expected: &[Status]) -> Answer<Response> {
        let verb = line.split(' ').next().unwrap_or_default().to_owned();
        within(REPLY_LIMIT, &verb, self.ftp.custom_command(line, expected)).await
    }

    /// Returns a file's size, as the server counts it in binary mode.
    pub(super) async fn size(&mut self, path: &str) -> Answer<u64> {
        let reply = self.command(format!("SIZE {path}"), &[Status::File]).await?;
        errors::words(&reply).trim().parse().map_err(|_| FtpError::BadResponse)
    }

    /// Gives a file another name, over what is there as far as the server lets us.
    pub(super) async fn rename(&mut self, from: &str, to: &str) -> Answer<()> {
        self.command(format!("RNFR {from}"), &[Status::RequestFilePending]).await?;
        self.command(format!("RNTO {to}"), &[Status::RequestedFileActionOk, Status::CommandOk]).await.map(drop)
    }

    /// Removes a file.
    pub(super) async fn delete(&mut self, path: &str) -> Answer<()> {
        self.command(format!("DELE {path}"), &[Status::RequestedFileActionOk, Status::CommandOk]).await.map(drop)
    }

    /// Makes a folder.
    pub(super) async fn make_dir(&mut self, path: &str) -> Answer<()> {
        self.command(format!("MKD {path}"), &[Status::PathCreated, Status::CommandOk]).await.map(drop)
    }

    /// Goes into a folder. It is how a folder is told from everything else on every server.
    pub(super) async fn enter(&mut self, path: &str) -> Answer<()> {
        self.command(format!("CWD {path}"), &[Status::RequestedFileActionOk, Status::CommandOk]).await.map(drop)
    }

    /// Returns when a file was changed, by the server's clock.
    pub(super) async fn changed(&mut self, path: &str) -> Answer<Option<i64>> {
        if !self.features.mdtm {
            return Ok(None);
        }
        let reply = self.command(format!("MDTM {path}"), &[Status::File]).await?;
        Ok(super::listing::utc(&errors::words(&reply)))
    }

    /// Opens a data connection for a transfer. `offset` is sent as REST before.
    pub(super) async fn transfer(&mut self, line: String, offset: u64) -> Answer<Transfer> {
        let finds_pasv = self.ways.finds_pasv && !self.ipv6;
        // What one session finds out, the others know. Who chose PASV gets it whatever the address.
        if self.ways.pasv.load(Ordering::Relaxed) && (finds_pasv || !self.ways.finds_pasv) {
            self.use_pasv(true);
        }
        self.asked.begin();
        let opened = self.open_transfer(line.clone(), offset).await;
        let pasv_may_do = opened.as_ref().err().is_some_and(|error| self.asked.pasv_may_do(error));
        if self.pasv || !finds_pasv || !pasv_may_do {
            return opened;
        }
        self.use_pasv(true);
        let opened = self.open_transfer(line, offset).await;
        // EPSV may have failed for once: PASV stays only where it is seen to work.
        match &opened {
            Ok(_) => self.ways.pasv.store(true, Ordering::Relaxed),
            Err(_) => self.use_pasv(false),
        }
        opened
    }

    fn use_pasv(&mut self, pasv: bool) {
        self.pasv = pasv;
        self.ftp.set_mode(if pasv { Mode::Passive } else { Mode::ExtendedPassive });
    }

    async fn open_transfer(&mut self, line: String, offset: u64) -> Answer<Transfer> {
        if offset > 0 {
            let offset = usize::try_from(offset).map_err(|_| FtpError::BadResponse)?;
            self.ftp.resume_transfer(offset).await?;
        }
        let expected = [Status::AboutToSend, Status::AlreadyOpen];
        let (verb, path) = line.split_once(' ').unwrap_or((&line, ""));
        let opening = async {
            match verb {
                "STOR" => self.ftp.put_with_stream(path).await,
                "APPE" => self.ftp.append_with_stream(path).await,
                "RETR" => self.ftp.retr_as_stream(path).await,
                _ => self.ftp.custom_data_command(&line, &expected).await.map(|(_, transfer)| transfer),
            }
        };
        match within(REPLY_LIMIT, &format!("{verb} and its data connection"), opening).await {
            Ok(transfer) => Ok(transfer),
            // TLS of the data connection failed after the server said that it begins: it will say why.
            Err(FtpError::SecureError(text)) => Err(self.reason().await.unwrap_or(FtpError::SecureError(text))),
            Err(error) => Err(error),
        }
    }

    /// Listens for the reply that tells why something broke off.
    async fn reason(&mut self) -> Option<FtpError> {
        self.spoilt = true;
        let none: &[Status] = &[];
        match within(REASON_LIMIT, "nothing", self.ftp.read_response_in(none)).await {
            Err(FtpError::UnexpectedResponse(reply)) if code(&reply) >= 400 => {
                Some(FtpError::UnexpectedResponse(reply))
            }
            _ => None,
        }
    }

    /// Ends an upload and hears whether it went well. `written` is what writing came to.
    pub(super) async fn end_upload(&mut self, mut transfer: Transfer, written: io::Result<()>) -> Answer<()> {
        let mut ended = written;
        if ended.is_ok() {
            ended = transfer.get_mut().shutdown().await;
        }
        let Err(error) = ended else { return within(FINISH_LIMIT, "the end of a transfer", transfer.finish()).await };
        // The server hung up while we wrote: it has said why, or will.
        self.spoilt = true;
        match within(REASON_LIMIT, "the end of a transfer", self.ftp.abort(transfer)).await {
            Err(FtpError::UnexpectedResponse(reply)) if code(&reply) >= 400 => Err(FtpError::UnexpectedResponse(reply)),
            _ => Err(FtpError::ConnectionError(error)),
        }
    }

    /// Ends a download that was read to its end.
    pub(super) async fn end_download(&mut self, transfer: Transfer) -> Answer<()> {
        within(FINISH_LIMIT, "the end of a transfer", transfer.finish()).await
    }

    /// Ends a download half way. The server's word on it is heard before the next command.
    pub(super) fn leave(&mut self, transfer: Transfer) {
        drop(transfer);
        self.unfinished = true;
    }

    /// Lists the folder we are in, as the server prints it.
    pub(super) async fn list_here(&mut self, command: &str) -> Answer<Vec<u8>> {
        let mut transfer = self.transfer(command.to_owned(), 0).await?;
        let mut text = Vec::new();
        let read = within(FINISH_LIMIT, "a listing", async {
            let mut limited = (&mut transfer).take(LISTING_LIMIT + 1);
            limited.read_to_end(&mut text).await.map_err(FtpError::ConnectionError)
        });
        let read = read.await;
        if text.len() as u64 > LISTING_LIMIT {
            return Err(FtpError::BadResponse);
        }
        // A connection that broke off has its reason in the reply.
        self.end_download(transfer).await?;
        read.map(|_| text)
    }

    /// Leaves the server in good order.
    pub(super) async fn quit(mut self) {
        let _ = within(Duration::from_secs(2), "QUIT", self.ftp.quit()).await;
    }
}

async fn log_in(ftp: &mut AsyncRustlsFtpStream, place: &FtpPlace, password: &Secret) -> Answer<(Features, String)> {
    ftp.login(place.user.as_str(), password.expose()).await?;
    let told = ftp.feat().await.unwrap_or_default();
    let offers = |name: &str| told.keys().any(|key| key.eq_ignore_ascii_case(name));
    if offers("UTF8") {
        // Many servers speak it anyway and refuse the question.
        let _ = ftp.opts("UTF8", Some("ON")).await;
    }
    ftp.transfer_type(FileType::Binary).await?;
    let home = ftp.pwd().await.unwrap_or_else(|_| "/".into());
    Ok((Features { mlst: offers("MLST") || offers("MLSD"), mdtm: offers("MDTM") }, home))
}

// The library writes every command into the log at trace level, the password too. Our build has no such level.
const _: () = assert!((log::STATIC_MAX_LEVEL as usize) <= (log::LevelFilter::Debug as usize));

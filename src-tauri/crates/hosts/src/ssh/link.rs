//! One SSH connection: dial (through jump hosts), key exchange, host-key check, log-in.

use super::auth::Login;
use super::trust::{HostKey, HostKeyState, Trust};
use crate::{ConnectOptions, HostSecrets};
use backstay_core::attempts::first_of;
use backstay_core::config::{SshAuth, SshConnection};
use backstay_core::host::HostKeyPins;
use backstay_core::{Error, ErrorClass, Result};
use russh::client::{self, DisconnectReason, Handle};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use russh::{Preferred, cipher, compression};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;

/// Receive window of a channel: wide enough for a fast link with a long way.
const WINDOW_BYTES: u32 = 8 << 20;
/// The largest packet russh takes.
const PACKET_BYTES: u32 = 65_535;
/// Packets that wait for one reader before the connection itself waits for it: 4 MiB.
const CHANNEL_PACKETS: usize = 64;
/// A log-in may wait for a human: a touched security key, an agent that asks.
const LOG_IN_LIMIT: Duration = Duration::from_secs(90);

/// A byte stream to a host: TCP, or a channel through a jump host.
/// Many small answers, but not much of a packet of content, which goes where it is wanted without a copy on the way.
const READ_AHEAD_BYTES: usize = 16 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A logged-in connection.
pub struct Link {
    /// The connection to the server itself.
    pub handle: Handle<ClientHandler>,
    /// Why it ended, once it has.
    pub lost: LostReason,
    /// The connections it runs through, kept alive with it.
    _jumps: Vec<Handle<ClientHandler>>,
}

/// Why a connection ended, filled in when it does.
#[derive(Clone, Default)]
pub struct LostReason(Arc<Mutex<Option<Lost>>>);

#[derive(Clone)]
struct Lost {
    text: String,
    /// The server said it itself.
    servers_word: bool,
}

impl LostReason {
    /// Returns the reason, in words.
    pub fn text(&self) -> String {
        let reason = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        reason.map_or_else(|| "the connection was lost".to_owned(), |reason| reason.text)
    }
    /// Tells whether the server ended the connection, and said so.
    pub fn is_the_servers_word(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|reason| reason.servers_word)
    }
    fn set(&self, text: String, servers_word: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Lost { text, servers_word });
    }
}

/// What russh asks us during a connection's life.
pub struct ClientHandler {
    trust: Arc<Trust>,
    seen: Arc<Mutex<Option<HostKey>>>,
    lost: LostReason,
}

impl client::Handler for ClientHandler {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> std::result::Result<bool, russh::Error> {
        let judged = self.trust.judge(&key.public_key());
        let trusted = judged.is_trusted();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(judged);
        Ok(trusted)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> std::result::Result<(), russh::Error> {
        let servers_word = matches!(reason, DisconnectReason::ReceivedDisconnect(_));
        let text = match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                format!("the server ended the connection: {}", said.message.trim())
            }
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => {
                "the server gave no sign of life any more".to_owned()
            }
            DisconnectReason::Error(error) => format!("the connection was lost ({error})"),
        };
        self.lost.set(text, servers_word);
        Ok(())
    }
}

/// One host on the way.
struct Hop<'a> {
    name: String,
    host: &'a str,
    port: u16,
    user: &'a str,
    auth: &'a SshAuth,
    fingerprint: Option<&'a str>,
    /// The jump host's number, where it logs in its own way.
    own_way: Option<usize>,
}

impl Hop<'_> {
    /// Returns what logs in here: a host that logs in its own way is never shown the server's password.
    fn secrets<'a>(&self, all: &'a HostSecrets) -> Cow<'a, HostSecrets> {
        let Some(at) = self.own_way else { return Cow::Borrowed(all) };
        let own = all.jumps.get(at).cloned().unwrap_or_default();
        Cow::Owned(HostSecrets {
            password: own.password,
            key_passphrase: own.key_passphrase.or_else(|| all.key_passphrase.clone()),
            ..HostSecrets::default()
        })
    }
}

fn hops<'a>(server: &str, connection: &'a SshConnection) -> Vec<Hop<'a>> {
    let mut hops: Vec<Hop<'a>> = connection
        .jumps
        .iter()
        .enumerate()
        .map(|(at, jump)| Hop {
            name: format!("jump host {}", jump.host),
            host: &jump.host,
            port: jump.port,
            user: &jump.user,
            auth: jump.auth.as_ref().unwrap_or(&connection.auth),
            fingerprint: jump.fingerprint.as_deref(),
            own_way: jump.auth.as_ref().map(|_| at),
        })
        .collect();
    hops.push(Hop {
        name: server.to_owned(),
        host: &connection.host,
        port: connection.port,
        user: &connection.user,
        auth: &connection.auth,
        fingerprint: connection.fingerprint.as_deref(),
        own_way: None,
    });
    hops
}

/// Connects and logs in, hop by hop.
pub async fn open(
    server: &str,
    connection: &SshConnection,
    secrets: &HostSecrets,
    pins: &Arc<dyn HostKeyPins>,
    options: &ConnectOptions,
) -> Result<Link> {
    let mut through: Vec<Handle<ClientHandler>> = Vec::new();
    let mut lost = LostReason::default();
    for hop in hops(server, connection) {
        let (handle, key, reason) = meet(&hop, through.last(), pins, options).await?;
        if let Some(error) = key.refusal(&hop.name) {
            return Err(error);
        }
        let mut handle = handle.ok_or_else(|| Error::new(ErrorClass::Internal, "A trusted key was refused"))?;
        log_in(&hop, &mut handle, &reason, secrets, options).await?;
        lost = reason;
        through.push(handle);
    }
    let handle = through.pop().ok_or_else(|| Error::new(ErrorClass::Internal, "No server to connect to"))?;
    Ok(Link { handle, lost, _jumps: through })
}

/// Asks every hop for its key; see [`crate::probe_host_keys`].
pub async fn probe(
    connection: &SshConnection,
    secrets: &HostSecrets,
    pins: Arc<dyn HostKeyPins>,
    options: &ConnectOptions,
) -> Result<Vec<HostKey>> {
    let hops = hops(&connection.host, connection);
    let mut through: Vec<Handle<ClientHandler>> = Vec::new();
    let mut keys = Vec::new();
    for (at, hop) in hops.iter().enumerate() {
        let (handle, key, lost) = meet(hop, through.last(), &pins, options).await?;
        keys.push(key);
        let Some(mut handle) = handle else { break };
        if at + 1 < hops.len() {
            log_in(hop, &mut handle, &lost, secrets, options).await?;
            through.push(handle);
        }
    }
    Ok(keys)
}

async fn log_in(
    hop: &Hop<'_>,
    handle: &mut Handle<ClientHandler>,
    lost: &LostReason,
    secrets: &HostSecrets,
    options: &ConnectOptions,
) -> Result<()> {
    let secrets = hop.secrets(secrets);
    let login = Login { server: &hop.name, user: hop.user, auth: hop.auth, secrets: &secrets, options, lost };
    tokio::time::timeout(LOG_IN_LIMIT, login.log_in(handle)).await.map_err(|_| {
        Error::new(
            ErrorClass::TimedOut,
            format!("Cannot log in to {} as {}: no answer for {} seconds", hop.name, hop.user, LOG_IN_LIMIT.as_secs()),
        )
        .hint("If the agent or a security key waits for you, confirm there and try again")
    })?
}

/// Reaches a hop and agrees on keys. The handle is there only when the host key is trusted.
async fn meet(
    hop: &Hop<'_>,
    through: Option<&Handle<ClientHandler>>,
    pins: &Arc<dyn HostKeyPins>,
    options: &ConnectOptions,
) -> Result<(Option<Handle<ClientHandler>>, HostKey, LostReason)> {
    let trust = Arc::new(Trust::of(hop.host, hop.port, hop.fingerprint, pins, options));
    let preferred = trust.preferred_algorithms();
    let first = shake_hands(hop, through, &trust, preferred, options).await?;
    if first.1.state != HostKeyState::Changed || !trust.is_pinned() {
        return Ok(first);
    }
    // A fingerprint does not tell its algorithm. The pinned key may be another one this server has: ask for each.
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    let others: [Vec<Algorithm>; 3] = [
        vec![Algorithm::Ed25519],
        vec![ecdsa(EcdsaCurve::NistP256), ecdsa(EcdsaCurve::NistP384), ecdsa(EcdsaCurve::NistP521)],
        vec![Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, Algorithm::Rsa { hash: Some(HashAlg::Sha256) }],
    ];
    for algorithms in others {
        if algorithms.iter().any(|algorithm| family(algorithm.as_ref()) == family(&first.1.algorithm)) {
            continue;
        }
        if let Ok(other) = shake_hands(hop, through, &trust, Cow::Owned(algorithms), options).await
            && other.1.is_trusted()
        {
            return Ok(other);
        }
    }
    Ok(first)
}

/// RSA keys go by several names.
fn family(algorithm: &str) -> &str {
    ["rsa", "ecdsa", "ed25519"].into_iter().find(|family| algorithm.contains(family)).unwrap_or(algorithm)
}

async fn shake_hands(
    hop: &Hop<'_>,
    through: Option<&Handle<ClientHandler>>,
    trust: &Arc<Trust>,
    algorithms: Cow<'static, [Algorithm]>,
    options: &ConnectOptions,
) -> Result<(Option<Handle<ClientHandler>>, HostKey, LostReason)> {
    let limit = options.connect_timeout;
    let tried = format!("Cannot connect to {} at {}:{}", hop.name, hop.host, hop.port);
    let stream = tokio::time::timeout(limit, dial(hop, through)).await.map_err(|_| {
        Error::new(ErrorClass::TimedOut, format!("{tried}: no answer for {}", seconds(limit)))
            .hint("Check the address, and that no firewall drops the packets")
    })??;
    let seen = Arc::new(Mutex::new(None));
    let lost = LostReason::default();
    let handler = ClientHandler { trust: trust.clone(), seen: seen.clone(), lost: lost.clone() };
    let shaken =
        tokio::time::timeout(limit, client::connect_stream(config(algorithms, options), stream, handler)).await;
    let key = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (shaken, key) {
        (Ok(Ok(handle)), Some(key)) => Ok((Some(handle), key, lost)),
        (Ok(Err(_)), Some(key)) if !key.is_trusted() => Ok((None, key, lost)),
        (Err(_), _) => Err(Error::new(
            ErrorClass::TimedOut,
            format!("{tried}: it takes the connection but does not answer as SSH within {}", seconds(limit)),
        )
        .hint("Check that an SSH server listens on this port; a server under heavy load may also be this slow")),
        (Ok(Err(error)), _) => Err(handshake_error(&tried, error)),
        (Ok(Ok(_)), None) => Err(Error::new(ErrorClass::Internal, format!("{tried}: it showed no host key"))),
    }
}

fn handshake_error(tried: &str, error: russh::Error) -> Error {
    use russh::Error as E;
    match &error {
        E::Version => Error::new(ErrorClass::Unsupported, format!("{tried}: what listens there is not an SSH server"))
            .hint("Check the port"),
        E::NoCommonAlgo { kind, .. } => {
            Error::new(ErrorClass::Unsupported, format!("{tried}: no {kind:?} algorithm that both sides take"))
                .hint("The server is too old or set up too strictly; see the details")
        }
        _ => Error::new(ErrorClass::Offline, format!("{tried}: it hung up before the keys were agreed on"))
            .hint("The server may be too busy (MaxStartups), or refuse this address"),
    }
    .source(error)
}

fn seconds(limit: Duration) -> String {
    if limit.subsec_millis() == 0 {
        format!("{} seconds", limit.as_secs())
    } else {
        format!("{:.1} seconds", limit.as_secs_f32())
    }
}

async fn dial(hop: &Hop<'_>, through: Option<&Handle<ClientHandler>>) -> Result<Box<dyn Stream>> {
    let tried = format!("Cannot connect to {} at {}:{}", hop.name, hop.host, hop.port);
    if let Some(jump) = through {
        let channel = jump.channel_open_direct_tcpip(hop.host, u32::from(hop.port), "127.0.0.1", 0).await;
        let channel = channel.map_err(|e| {
            Error::new(ErrorClass::Offline, format!("{tried}: the jump host cannot reach it"))
                .hint("Check the address as the jump host sees it, and that the jump host allows forwarding")
                .source(e)
        })?;
        return Ok(Box::new(channel.into_stream()));
    }
    let addresses = tokio::net::lookup_host((hop.host, hop.port)).await.map_err(|e| {
        Error::new(ErrorClass::Offline, format!("{tried}: the name cannot be resolved"))
            .hint("Check the host name and this computer's network")
            .source(e)
    })?;
    let last = match first_of(addresses, TcpStream::connect).await {
        Ok(stream) => {
            // Requests are small and answers waited for: Nagle would hold each back.
            let _ = stream.set_nodelay(true);
            // A packet is read in two steps, its length first; many of them are small answers that came together.
            return Ok(Box::new(BufReader::with_capacity(READ_AHEAD_BYTES, stream)));
        }
        Err(last) => last,
    };
    let (why, hint) = match last.as_ref().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => {
            ("nothing listens on this port", "Check the port, and that sshd runs there")
        }
        _ => ("it cannot be reached", "Check the address and this computer's network"),
    };
    let error = Error::new(ErrorClass::Offline, format!("{tried}: {why}")).hint(hint);
    Err(match last {
        Some(cause) => error.source(cause),
        None => error,
    })
}

fn config(algorithms: Cow<'static, [Algorithm]>, options: &ConnectOptions) -> Arc<client::Config> {
    // AES-GCM is the fastest where the processor has AES, and that is nearly everywhere.
    let mut ciphers: Vec<cipher::Name> = vec![cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];
    ciphers
        .extend(Preferred::DEFAULT.cipher.iter().filter(|c| !ciphers[..2].contains(*c)).copied().collect::<Vec<_>>());
    let preferred = Preferred {
        key: algorithms,
        cipher: Cow::Owned(ciphers),
        compression: if options.compress {
            Cow::Borrowed(&[compression::ZLIB_LEGACY, compression::ZLIB, compression::NONE])
        } else {
            Cow::Borrowed(&[compression::NONE])
        },
        ..Preferred::DEFAULT
    };
    Arc::new(client::Config {
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES,
        channel_buffer_size: CHANNEL_PACKETS,
        keepalive_interval: Some(options.keepalive),
        keepalive_max: 3,
        nodelay: true,
        preferred,
        ..client::Config::default()
    })
}

//! Reaching a server, and agreeing on TLS with it.

use super::errors::{self, code};
use super::session::{CONNECT_LIMIT, LOG_IN_LIMIT, Ways};
use super::tls::{Connector, Versions};
use crate::tls::Trust;
use backstay_core::attempts::first_of;
use backstay_core::config::{FtpPlace, FtpTls};
use backstay_core::{Error, ErrorClass, Result};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use suppaftp::tokio::AsyncRustlsFtpStream;
use suppaftp::{FtpError, Status};
use tokio::net::TcpStream;

/// A control connection is quiet during a transfer, and routers forget quiet connections. Commands in between confuse
/// many servers; the network's own signs of life do not.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Where a place's server is, for messages.
fn address(place: &FtpPlace) -> String {
    format!("{}:{}", place.host, place.port)
}

/// Reaches the server and agrees on TLS, without logging in.
pub(super) async fn greet(place: &FtpPlace, connector: &Connector, tried: &str) -> Result<AsyncRustlsFtpStream> {
    let greeted = tokio::time::timeout(LOG_IN_LIMIT, shake_hands(place, connector, tried)).await;
    let failed = match greeted {
        Ok(Ok(ftp)) => {
            let alive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
            let _ = socket2::SockRef::from(&*ftp.get_ref().await).set_tcp_keepalive(&alive);
            return Ok(ftp);
        }
        Ok(Err(error)) => error,
        Err(_) => {
            let text = format!("{tried}: {} takes the connection but does not answer", address(place));
            Error::new(ErrorClass::TimedOut, text)
                .hint("Check the port, and whether TLS is explicit, implicit or off there")
        }
    };
    Err(connector.refusal(tried, &place.host).unwrap_or(failed))
}

async fn shake_hands(place: &FtpPlace, connector: &Connector, tried: &str) -> Result<AsyncRustlsFtpStream> {
    let failed = |error| greeting_error(tried, place, error);
    if place.tls == FtpTls::Implicit {
        let to = (place.host.as_str(), place.port);
        let connected = AsyncRustlsFtpStream::connect_secure_implicit(to, connector.for_library(), &place.host).await;
        let mut ftp = match connected {
            Ok(ftp) => ftp,
            Err(error) => {
                // Tells what is wrong with the way there, if that is it.
                dial(place, tried).await?;
                return Err(failed(error));
            }
        };
        for command in ["PBSZ 0", "PROT P"] {
            ftp.custom_command(command, &[Status::CommandOk]).await.map_err(failed)?;
        }
        return Ok(ftp);
    }
    let stream = dial(place, tried).await?;
    let ftp = AsyncRustlsFtpStream::connect_with_stream(stream).await.map_err(failed)?;
    if place.tls == FtpTls::None {
        return Ok(ftp);
    }
    ftp.into_secure(connector.for_library(), &place.host).await.map_err(|error| match &error {
        FtpError::UnexpectedResponse(reply) if code(reply) >= 500 => {
            Error::new(ErrorClass::Unsupported, format!("{tried}: the server does not take AUTH TLS"))
                .hint("Try implicit TLS (port 990); without TLS the password can be read on the way")
                .detail(format!("{} {}", code(reply), errors::words(reply)))
        }
        _ => failed(error),
    })
}

fn greeting_error(tried: &str, place: &FtpPlace, error: FtpError) -> Error {
    match error {
        FtpError::ConnectionError(error) if error.kind() != io::ErrorKind::TimedOut => {
            Error::new(ErrorClass::Offline, format!("{tried}: {} hung up before it greeted", address(place)))
                .hint("Check the port, and whether TLS is explicit, implicit or off there")
                .source(error)
        }
        FtpError::SecureError(text) => {
            // The library keeps of the error but its words. A server that wants another TLS says so; a line that broke
            // off is worth another try.
            let (class, what) = match text.contains("eof") || text.contains("(os error") {
                true => (ErrorClass::Offline, "hung up while TLS was agreed on"),
                false => (ErrorClass::Unsupported, "does not agree on TLS"),
            };
            Error::new(class, format!("{tried}: {} {what}", address(place)))
                .hint("Check the port, and whether TLS is explicit, implicit or off there")
                .detail(text)
        }
        other => errors::classify(tried, other),
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connected = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn dial(place: &FtpPlace, tried: &str) -> Result<TcpStream> {
    let addresses = tokio::net::lookup_host((place.host.as_str(), place.port)).await.map_err(|error| {
        Error::new(ErrorClass::Offline, format!("{tried}: the name {} cannot be resolved", place.host))
            .hint("Check the host name and this computer's network")
            .source(error)
    })?;
    let last = match first_of(addresses, connect).await {
        Ok(stream) => {
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
        Err(last) => last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()),
    };
    let at = address(place);
    let (class, why, hint) = match last.kind() {
        io::ErrorKind::ConnectionRefused => {
            (ErrorClass::Offline, "nothing listens on this port", "Check the port, and that the FTP server runs there")
        }
        io::ErrorKind::TimedOut => {
            (ErrorClass::TimedOut, "it does not answer", "Check the address, and that no firewall drops the packets")
        }
        _ => (ErrorClass::Offline, "it cannot be reached", "Check the address and this computer's network"),
    };
    Err(Error::new(class, format!("{tried}: cannot connect to {at}: {why}")).hint(hint).source(last))
}

/// Greets in the version of TLS that is known to work there.
pub(super) async fn greet_in_version(
    place: &FtpPlace,
    trust: &Arc<Trust>,
    ways: &Ways,
    tried: &str,
) -> Result<AsyncRustlsFtpStream> {
    let versions = if ways.tls13.load(Ordering::Relaxed) { Versions::All } else { Versions::Tls12 };
    greet(place, &Connector::new(trust, versions)?, tried).await
}

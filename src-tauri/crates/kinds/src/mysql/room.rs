//! The room a server has for one command, `max_allowed_packet`: 16 MiB where nobody set it.
//!
//! A dump writes bytes as hex digits, two for each. A value of more than half the room is taken by a server, is dumped, and
//! would not be taken again.

use super::client::Client;
use crate::dump::is_lost;
use backstay_core::{Error, Result, RunContext};

/// The most a server can be set to.
const MOST: u64 = 1 << 30;

/// What became of the room for one dump.
pub(super) enum Room {
    /// It is enough as it is.
    Enough,
    /// It was made larger, and was so many bytes before.
    Made(u64),
    /// It is so many bytes, and this user may not change it.
    Kept(u64),
}

impl Room {
    /// Makes room for a dump of so many bytes, of which one command may be nearly all.
    pub(super) async fn make(ctx: &RunContext, client: &Client<'_>, bytes: u64) -> Result<Self> {
        let rows = client.query("select @@global.max_allowed_packet").await?;
        let Some(now) = rows.first().and_then(|row| row.first()).and_then(|n| n.parse().ok()) else {
            return Ok(Self::Enough);
        };
        if now >= bytes.min(MOST) {
            return Ok(Self::Enough);
        }
        match client.query(&format!("set global max_allowed_packet = {MOST}")).await {
            Ok(_) => {
                ctx.progress.log(&format!("max_allowed_packet is set to 1 GiB for one log-in, then back to {now}"));
                Ok(Self::Made(now))
            }
            Err(error) if is_lost(&error) => Err(error),
            Err(_) => Ok(Self::Kept(now)),
        }
    }

    /// Returns the command that sets the server back. It may come first in the connection that loads: a connection's
    /// own room is what the server's was when it logged in. So no end of a load, not even a kill, leaves it changed.
    pub(super) fn back(&self) -> String {
        match self {
            Self::Made(before) => format!("set global max_allowed_packet = {before};\n"),
            Self::Enough | Self::Kept(_) => String::new(),
        }
    }

    /// Sets the server back after a load that may not even have logged in, and says what to do where the room is why.
    pub(super) async fn failed(&self, client: &Client<'_>, error: Error) -> Error {
        match self {
            Self::Enough => error,
            Self::Made(_) => match client.query(&self.back()).await {
                Ok(_) => error,
                Err(_) => {
                    let hint = format!("Look whether the server is as it was: {}", self.back().trim_end());
                    error.hint(hint)
                }
            },
            // A server that finds a command too large ends the connection; the client may see no more than that.
            Self::Kept(now) if is_lost(&error) || says_too_large(&error) => error.hint(format!(
                "A value in it may be larger than the server takes in one command: max_allowed_packet is {now} there, and \
                 the plan's user may not change it. Have an administrator set it for the restore (set global \
                 max_allowed_packet = {MOST}) and back afterwards"
            )),
            Self::Kept(_) => error,
        }
    }
}

fn says_too_large(error: &Error) -> bool {
    error.detail.as_deref().is_some_and(|said| said.contains("max_allowed_packet"))
}

//! The sessions of a place: as many as it allows, kept while they are good, fewer when the server says so.

use super::errors;
use super::session::{Answer, Session, Ways};
use super::turns::Turns;
use crate::tls::Trust;
use backstay_core::config::{FtpPassive, FtpPlace};
use backstay_core::{Error, ErrorClass, Result, Secret};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use suppaftp::FtpError;
use tokio::sync::OwnedSemaphorePermit;

/// How long sessions wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// Sessions nobody uses are spoken to so often: some servers hang up after a minute of silence. One with a transfer
    /// under way is left alone: many servers answer nothing until it ends, and take what was said meanwhile for its answer.
    pub awake: Duration,
    /// Whoever has waited for a session for so long is given that of a download, which goes on later.
    pub turn: Duration,
    /// A download nobody has read from for so long gives its session back, and goes on when it is read again. Servers cut
    /// one that stands still: vsftpd after five minutes.
    pub reader: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        let [awake, turn, reader] = [25, 10, 60].map(Duration::from_secs);
        Self { awake, turn, reader }
    }
}

/// After so long without any use sessions are closed: a server has few of them to give.
const REST: Duration = Duration::from_secs(300);

/// Sessions of a place.
pub(super) struct Pool {
    place: FtpPlace,
    password: Secret,
    trust: Arc<Trust>,
    pub(super) ways: Arc<Ways>,
    pub(super) turns: Turns,
    pub(super) waits: Waits,
    limit: AtomicUsize,
    idle: Mutex<Vec<Session>>,
    /// When one was taken or given back last.
    used: Mutex<Instant>,
}

/// A session in use. Dropped without [`Lease::done`] it is closed: what state it is in is not known.
pub(super) struct Lease {
    pool: Arc<Pool>,
    session: Option<Session>,
    // Given back after the session is gone or idle, so that the server never sees more than the limit.
    turn: OwnedSemaphorePermit,
}

impl Pool {
    /// Makes a pool without sessions.
    pub(super) fn new(place: FtpPlace, password: Secret, trust: Arc<Trust>, waits: Waits) -> Arc<Self> {
        let limit = usize::from(place.connections.max(1));
        let ways = Arc::new(Ways {
            tls13: AtomicBool::new(false),
            pasv: AtomicBool::new(place.passive == FtpPassive::Pasv),
            finds_pasv: place.passive == FtpPassive::Auto,
        });
        let turns = Turns::new(limit, waits.turn);
        let (limit, used) = (AtomicUsize::new(limit), Mutex::new(Instant::now()));
        let pool = Arc::new(Self { place, password, trust, ways, turns, waits, limit, idle: Mutex::default(), used });
        tokio::spawn(keep_awake(Arc::downgrade(&pool), waits.awake));
        pool
    }

    /// Returns how many sessions there may be.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Takes a session, waiting while all are in use.
    pub(super) async fn take(self: &Arc<Self>, tried: &str) -> Result<Lease> {
        loop {
            let turn = self.turns.take().await?;
            self.note_use();
            while let Some(mut session) = self.pop() {
                if session.is_alive().await {
                    return Ok(Lease { pool: self.clone(), session: Some(session), turn });
                }
            }
            match Session::open(&self.place, &self.password, &self.trust, &self.ways, tried).await {
                Ok(session) => return Ok(Lease { pool: self.clone(), session: Some(session), turn }),
                // Others of ours are connected: go on with so many.
                Err(error) if error.class == ErrorClass::Throttled && self.lower() => {
                    tracing::info!(%error, "fewer FTP connections: {}", self.limit());
                    turn.forget();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Lowers the limit by one; not below one.
    fn lower(&self) -> bool {
        let less = |limit: usize| (limit > 1).then(|| limit - 1);
        self.limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn pop(&self) -> Option<Session> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_oldest(&self) -> Option<Session> {
        let mut idle = self.idle();
        if idle.is_empty() { None } else { Some(idle.remove(0)) }
    }

    fn note_use(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Says a word on each idle session, or closes them all when nobody has used any for long.
    async fn look_after(&self) {
        let in_use = self.turns.free() < self.limit();
        let rested = self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > REST;
        let idle = self.idle().len();
        for _ in 0..idle {
            // Held meanwhile: or somebody opens another session in its place, one too many for the server.
            let Some(_turn) = self.turns.try_take() else { return };
            // The one used last is taken first; the oldest is spoken to first.
            let Some(mut session) = self.take_oldest() else { return };
            if rested && !in_use {
                session.quit().await;
            } else if session.is_awake().await {
                self.idle().push(session);
            }
        }
    }
}

/// Looks after the idle sessions as long as the pool is there.
async fn keep_awake(pool: Weak<Pool>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.look_after().await;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let idle = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        for session in idle {
            runtime.spawn(session.quit());
        }
    }
}

impl Lease {
    /// Returns the session.
    pub(super) fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().ok_or_else(|| Error::new(ErrorClass::Internal, "The FTP session is gone"))
    }

    /// Gives the session back in good order.
    pub(super) fn done(mut self) {
        if let Some(mut session) = self.session.take() {
            session.touch();
            self.pool.note_use();
            self.pool.idle().push(session);
        }
        drop(self.turn);
    }

    /// Looks at what a call came to. A session that only heard a "no" stays good; any other error ends it here.
    pub(super) fn judge<T>(&mut self, tried: &str, answer: Answer<T>) -> Result<T> {
        answer.map_err(|error| {
            if !is_a_no(&error) {
                self.session = None;
            }
            self.session.take_if(|session| !session.is_in_step());
            errors::classify(tried, error)
        })
    }
}

/// A plain refusal of a command leaves the session as it was.
fn is_a_no(error: &FtpError) -> bool {
    matches!(error, FtpError::UnexpectedResponse(reply)
        if matches!(errors::code(reply), 450..=459 | 500..=504 | 521 | 550..=559))
}

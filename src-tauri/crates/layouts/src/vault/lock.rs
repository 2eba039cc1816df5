//! restic's lock files: a backup holds a shared one; whoever removes data (prune) holds an exclusive one.

use super::id::Id;
use super::node::go_time;
use super::repo::{Repo, object_key};
use backstay_core::context::Clock;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A lock is written anew so often; restic takes one older than 30 minutes for dead.
const REFRESH: Duration = Duration::from_secs(5 * 60);
const STALE_MINUTES: i64 = 30;
/// Who holds the vault for himself and could not renew his lock for so long must stop before others take it for dead.
const RENEWED_WITHIN: Duration = Duration::from_secs(20 * 60);

#[derive(Serialize, Deserialize, Debug)]
struct LockFile {
    #[serde(serialize_with = "write_time")]
    time: DateTime<Utc>,
    #[serde(default)]
    exclusive: bool,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    pid: u32,
    /// Where `pid` counts; restic passes over it.
    #[serde(default, rename = "backstay_machine", skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
}

/// This boot of this computer, and the numbering of processes we are in: a host name may be another's too, and a
/// container sees only its own processes. `None` where the system does not tell.
static MACHINE: LazyLock<Option<String>> = LazyLock::new(|| {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let processes = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(Id::of(format!("{} {}", boot.trim(), processes.display()).as_bytes()).hex())
});

fn write_time<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&go_time(time))
}

/// A lock, held until dropped or released.
pub(crate) struct Lock {
    clock: Arc<dyn Clock>,
    /// When it was written last, by both clocks: one of them stands still while the computer sleeps.
    renewed: Arc<Mutex<(Instant, DateTime<Utc>)>>,
    end: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Lock {
    /// Takes the lock. `Locked` while somebody alive holds it exclusively.
    pub async fn shared(repo: Arc<Repo>, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::take(repo, clock, false).await
    }

    /// Takes the lock that nobody else may hold one beside. `Locked` while anybody alive holds any.
    pub async fn exclusive(repo: Arc<Repo>, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::take(repo, clock, true).await
    }

    async fn take(repo: Arc<Repo>, clock: Arc<dyn Clock>, exclusive: bool) -> Result<Self> {
        refuse_others(&repo, clock.now(), exclusive, None).await?;
        let at = clock.now();
        let (mut id, sealed) = repo.seal(&LockFile::ours(at, exclusive))?;
        // Who is cancelled from here on must not leave it: its owner would live, and keep others out.
        let mut unheld = Unheld(Some((repo.clone(), id)));
        repo.put(&object_key("locks", &id)?, sealed).await?;
        // Somebody may have locked between the look and the lock.
        if let Err(error) = refuse_others(&repo, clock.now(), exclusive, Some(&id)).await {
            remove(&repo, &id).await;
            unheld.0 = None;
            return Err(error);
        }
        unheld.0 = None;
        let renewed = Arc::new(Mutex::new((Instant::now(), at)));
        let (stamp, time) = (renewed.clone(), clock.clone());
        let (end, mut ended) = oneshot::channel();
        let task = Handle::current().spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut ended => break,
                    () = tokio::time::sleep(REFRESH) => {}
                }
                // A refresh that fails is tried again at the next turn; the old lock holds for 30 minutes.
                let now = (Instant::now(), time.now());
                if let Ok(fresh) = repo.save("locks", &LockFile::ours(now.1, exclusive)).await {
                    remove(&repo, &id).await;
                    id = fresh;
                    *stamp.lock().unwrap_or_else(PoisonError::into_inner) = now;
                }
            }
            remove(&repo, &id).await;
        });
        Ok(Self { clock, renewed, end: Some(end), task: Some(task) })
    }

    /// Fails once the lock was not renewed for so long that others may soon take it for dead, or do so already: the
    /// destination did not answer, or this computer slept.
    pub fn check(&self, label: &str) -> Result<()> {
        let (renewed, at) = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let by_the_clock = (self.clock.now() - at).to_std().unwrap_or_default();
        if renewed.elapsed().max(by_the_clock) < RENEWED_WITHIN {
            return Ok(());
        }
        Err(Error::new(ErrorClass::Offline, format!("Lost the lock of the vault at {label}: it could not be renewed"))
            .hint("Check the connection, then start again; every backup is whole"))
    }

    /// Gives the lock back and waits until it is gone.
    pub async fn release(mut self) {
        self.end.take();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.end.take();
    }
}

/// A lock nobody holds yet: removed when whoever takes it gives up half way.
struct Unheld(Option<(Arc<Repo>, Id)>);

impl Drop for Unheld {
    fn drop(&mut self) {
        let (Some((repo, id)), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        runtime.spawn(async move { remove(&repo, &id).await });
    }
}

async fn remove(repo: &Repo, id: &Id) {
    if let Ok(key) = object_key("locks", id) {
        // A lock that stays is dead in 30 minutes at the latest.
        let _ = repo.destination.delete(&key).await;
    }
}

/// Fails while somebody alive holds the vault exclusively, or, for who wants it so, in any way.
pub(crate) async fn refuse_others(repo: &Repo, now: DateTime<Utc>, exclusive: bool, own: Option<&Id>) -> Result<()> {
    refuse(repo, now, own, |lock| lock.exclusive || exclusive).await
}

/// Fails while anybody alive but this process uses the vault: he took a lock of ours for dead.
pub(crate) async fn refuse_strangers(repo: &Repo, now: DateTime<Utc>) -> Result<()> {
    refuse(repo, now, None, |lock| !lock.is_ours()).await
}

/// Fails if somebody frees room now, or did since these index files were seen: then he took our lock for dead, and what
/// `work` (a backup, a copy) counts on may be gone.
pub(crate) async fn refuse_freed(repo: &Repo, ctx: &RunContext, work: &str, seen: &HashSet<Id>) -> Result<()> {
    let there: HashSet<Id> = ctx.or_cancel(repo.ids("index")).await?.into_iter().collect();
    if !seen.is_subset(&there) {
        return Err(freed(repo, work));
    }
    ctx.or_cancel(refuse_others(repo, ctx.clock.now(), false, None)).await
}

/// Makes the error of work that counted on what is gone.
pub(crate) fn freed(repo: &Repo, work: &str) -> Error {
    Error::new(
        ErrorClass::Locked,
        format!("Cannot complete the {work} at {}: somebody freed room there meanwhile", repo.label()),
    )
    .hint(format!("Start the {work} again; let nobody prune while one runs"))
}

async fn refuse(
    repo: &Repo,
    now: DateTime<Utc>,
    own: Option<&Id>,
    minds: impl Fn(&LockFile) -> bool + Send + Sync,
) -> Result<()> {
    for id in repo.ids("locks").await? {
        if own == Some(&id) {
            continue;
        }
        let lock = match repo.load::<LockFile>("locks", &id).await {
            Ok(lock) => lock,
            // Gone meanwhile, or half-written by a program without our care: it cannot be anybody's lock.
            Err(error) if matches!(error.class, ErrorClass::Missing | ErrorClass::Corrupt) => continue,
            Err(error) => return Err(error),
        };
        if lock.is_dead(now) {
            // A lock that only looks old may be a living one seen by a wrong clock: no reason to remove it.
            if lock.owner_died(now) || now - lock.time > TimeDelta::days(1) {
                remove(repo, &id).await;
            }
        } else if minds(&lock) {
            let who = format!("{}@{}, process {}", lock.username, lock.hostname, lock.pid);
            let since = lock.time.format("%Y-%m-%d %H:%M UTC");
            let how = if lock.exclusive { "holds it for itself" } else { "uses it" };
            let hint = if lock.time - now > TimeDelta::days(1) {
                format!(
                    "That date is yet to come: a clock is wrong, here or there. If nobody uses the vault, remove {} at its \
                     place, or the lock counts until then",
                    object_key("locks", &id)?
                )
            } else {
                "Wait until it has ended; a lock whose owner died counts for nothing after 30 minutes".into()
            };
            return Err(Error::new(
                ErrorClass::Locked,
                format!("Cannot use the vault at {}: {who} {how} since {since}", repo.label()),
            )
            .hint(hint));
        }
    }
    Ok(())
}

impl LockFile {
    fn ours(now: DateTime<Utc>, exclusive: bool) -> Self {
        Self {
            time: now,
            exclusive,
            hostname: this_host(),
            username: this_user(),
            pid: std::process::id(),
            machine: MACHINE.clone(),
        }
    }

    fn is_dead(&self, now: DateTime<Utc>) -> bool {
        now - self.time > TimeDelta::minutes(STALE_MINUTES) || self.owner_died(now)
    }

    fn is_ours(&self) -> bool {
        self.hostname == this_host() && self.machine == *MACHINE && self.pid == std::process::id()
    }

    fn owner_died(&self, now: DateTime<Utc>) -> bool {
        self.owner_died_by(now, booted())
    }

    /// Tells whether its process is known to be gone. Where only the host's name speaks for it being one of ours, as in
    /// restic's locks, it must have missed two renewals as well: another computer of that name would have made them. So
    /// must one from before this computer was started.
    fn owner_died_by(&self, now: DateTime<Utc>, booted: Option<DateTime<Utc>>) -> bool {
        if self.machine.is_some() && self.machine == *MACHINE {
            return !is_alive(self.pid);
        }
        let missed = (now - self.time).to_std().is_ok_and(|age| age > 2 * REFRESH);
        let gone = match self.machine {
            Some(_) => booted.is_some_and(|booted| self.time < booted),
            None => !is_alive(self.pid),
        };
        self.hostname == this_host() && missed && gone
    }
}

fn this_host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

fn this_user() -> String {
    std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_default()
}

/// When this computer was started; see proc_stat(5).
fn booted() -> Option<DateTime<Utc>> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    DateTime::from_timestamp(seconds.trim().parse().ok()?, 0)
}

/// Tells whether a process of this computer may be alive. Only Linux shows it cheaply; elsewhere 30 minutes decide.
fn is_alive(pid: u32) -> bool {
    let proc = Path::new("/proc");
    !proc.join("self").exists() || proc.join(pid.to_string()).exists()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::repo::Access;
    use super::*;
    use backstay_core::Secret;
    use backstay_core::context::SystemClock;
    use backstay_lab::MemoryDestination;

    /// No process has this number.
    const GONE: u32 = u32::MAX;

    /// Tells whether the vault can be had beside an exclusive lock of a process that is gone, and whether that stays.
    async fn beside(repo: &Arc<Repo>, machine: Option<&str>, hostname: &str, minutes: i64) -> (bool, bool) {
        let clock = Arc::new(SystemClock);
        let time = clock.now() - TimeDelta::minutes(minutes);
        let left = LockFile { hostname: hostname.to_owned(), pid: GONE, ..LockFile::ours(time, true) };
        let id = repo.save("locks", &LockFile { machine: machine.map(str::to_owned), ..left }).await.unwrap();
        let had = match Lock::exclusive(repo.clone(), clock).await {
            Ok(lock) => {
                lock.release().await;
                true
            }
            Err(error) => {
                assert_eq!(error.class, ErrorClass::Locked, "{error:?}");
                false
            }
        };
        let stays = repo.ids("locks").await.unwrap().contains(&id);
        remove(repo, &id).await;
        (had, stays)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_process_counts_for_dead_only_where_it_would_be_seen() {
        let place = Arc::new(MemoryDestination::new());
        let repo = Arc::new(Repo::start(place, &Secret::new("x"), Access::Create).await.unwrap());
        let (host, here, other) = (this_host(), MACHINE.as_deref(), Some("another"));
        assert!(here.is_some());
        assert_eq!(beside(&repo, here, &host, 0).await, (true, false), "ours, killed just now");
        assert_eq!(beside(&repo, other, &host, 9).await, (false, true), "another computer of our name");
        assert_eq!(beside(&repo, other, &host, 31).await, (true, true), "one that did not renew it");
        assert_eq!(beside(&repo, None, &host, 9).await, (false, true), "restic's: it may be anybody's of our name");
        assert_eq!(beside(&repo, None, &host, 11).await, (true, false), "restic's, not renewed");
        assert_eq!(beside(&repo, None, "elsewhere", 11).await, (false, true));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lock_dated_far_ahead_is_named_with_the_clock_that_is_to_blame() {
        let place = Arc::new(MemoryDestination::new());
        let repo = Arc::new(Repo::start(place, &Secret::new("x"), Access::Create).await.unwrap());
        let now = Utc::now();
        for (ahead, blamed) in [(TimeDelta::hours(3), false), (TimeDelta::days(900), true)] {
            let id = repo.save("locks", &LockFile::ours(now + ahead, true)).await.unwrap();
            let error = refuse_others(&repo, now, false, None).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Locked);
            let hint = error.hint.unwrap();
            let key = object_key("locks", &id).unwrap();
            assert_eq!(hint.contains("clock") && hint.contains(key.as_str()), blamed, "{hint}");
            remove(&repo, &id).await;
        }
    }

    #[test]
    fn a_lock_from_before_a_restart_counts_for_nothing_once_two_renewals_are_missing() {
        assert!(booted().unwrap() < Utc::now());
        let left = LockFile { machine: Some("another".to_owned()), ..LockFile::ours(Utc::now(), true) };
        let died = |minutes, restarted_after| {
            let booted = left.time + TimeDelta::minutes(restarted_after);
            left.owner_died_by(left.time + TimeDelta::minutes(minutes), Some(booted))
        };
        assert!(died(11, 1) && !died(9, 1), "another computer of our name would have renewed it");
        assert!(!died(11, -1), "one that was taken since this computer was started is of another");
        let elsewhere = LockFile { hostname: "elsewhere".to_owned(), ..LockFile::ours(left.time, true) };
        let elsewhere = LockFile { machine: left.machine.clone(), ..elsewhere };
        assert!(!elsewhere.owner_died_by(left.time + TimeDelta::minutes(11), Some(left.time + TimeDelta::minutes(1))));
    }

    #[test]
    fn a_process_of_our_number_in_another_container_is_a_stranger() {
        let ours = LockFile::ours(Utc::now(), false);
        assert!(ours.is_ours() && !ours.owner_died(Utc::now() + TimeDelta::hours(1)));
        assert!(!LockFile { machine: Some("another".to_owned()), ..ours }.is_ours());
    }
}

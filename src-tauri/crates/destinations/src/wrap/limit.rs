//! Limits: how fast bytes may go, by the hours of a week, changeable while they go.

use async_trait::async_trait;
use backstay_core::config::{Bandwidth, BandwidthRule};
use backstay_core::destination::{Direction, PIECE, Traffic};
use chrono::{Datelike, Local, NaiveDateTime, Timelike};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Tells the time on the wall.
pub type LocalTime = Arc<dyn Fn() -> NaiveDateTime + Send + Sync>;

/// How often the table is looked at again while bytes go or wait.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Time nobody used makes up for at most so much: what a late timer lost, and no burst.
const MAKE_UP: Duration = Duration::from_millis(100);

/// Returns how fast bytes may go at a moment of local time; `None` is no limit.
pub fn rate_at(bandwidth: &Bandwidth, now: NaiveDateTime) -> Option<u64> {
    let day = u8::try_from(now.weekday().num_days_from_monday()).unwrap_or(0);
    let minute = u16::try_from(now.hour() * 60 + now.minute()).unwrap_or(0);
    let rule = bandwidth.rules.iter().find(|rule| holds(rule, day, minute));
    rule.map_or(bandwidth.bytes_per_second, |rule| rule.bytes_per_second)
}

fn holds(rule: &BandwidthRule, day: u8, minute: u16) -> bool {
    let yesterday = (day + 6) % 7;
    if rule.to_minute > rule.from_minute {
        return rule.days.contains(&day) && (rule.from_minute..rule.to_minute).contains(&minute);
    }
    (rule.days.contains(&day) && minute >= rule.from_minute)
        || (rule.days.contains(&yesterday) && minute < rule.to_minute)
}

/// One limit, for one destination or for all of them. Each direction has all of it.
pub struct Limit {
    bandwidth: Mutex<Bandwidth>,
    changed: watch::Sender<u64>,
    time: LocalTime,
    up: Bucket,
    down: Bucket,
}

impl Limit {
    /// Makes a limit that goes by this computer's clock.
    pub fn new(bandwidth: Bandwidth) -> Arc<Self> {
        Self::with_clock(bandwidth, Arc::new(|| Local::now().naive_local()))
    }
    /// Makes a limit that goes by another clock.
    pub fn with_clock(bandwidth: Bandwidth, time: LocalTime) -> Arc<Self> {
        Arc::new(Self {
            bandwidth: Mutex::new(bandwidth),
            changed: watch::channel(0).0,
            time,
            up: Bucket::default(),
            down: Bucket::default(),
        })
    }
    /// Changes the limit, at once, for what is under way too.
    pub fn set(&self, bandwidth: Bandwidth) {
        *lock(&self.bandwidth) = bandwidth;
        self.changed.send_modify(|count| *count += 1);
    }
    /// Returns how fast bytes may go now; `None` is no limit.
    pub fn rate(&self) -> Option<u64> {
        let bandwidth = lock(&self.bandwidth);
        if bandwidth.rules.is_empty() { bandwidth.bytes_per_second } else { rate_at(&bandwidth, (self.time)()) }
    }
}

#[async_trait]
impl Traffic for Limit {
    async fn pass(&self, direction: Direction, bytes: usize) {
        let bucket = if direction == Direction::Up { &self.up } else { &self.down };
        // Whoever came first goes first.
        let mut level = bucket.0.lock().await;
        loop {
            let mut changed = self.changed.subscribe();
            let rate = level.rate(self, *changed.borrow_and_update());
            let wait = match rate {
                None => return level.forget(),
                Some(0) => {
                    level.forget();
                    LOOK_AGAIN
                }
                Some(rate) => match level.draw(rate, bytes) {
                    None => return,
                    Some(wait) => wait.min(LOOK_AGAIN),
                },
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = changed.changed() => {}
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Bucket(tokio::sync::Mutex<Level>);

/// How much a bucket holds. It may go below zero by one piece; the next one waits until that is made good.
#[derive(Default)]
struct Level {
    bytes: f64,
    at: Option<Instant>,
    /// The rate, until when it holds, and the change it belongs to.
    known: Option<(Option<u64>, Instant, u64)>,
}

impl Level {
    fn rate(&mut self, limit: &Limit, change: u64) -> Option<u64> {
        let now = Instant::now();
        match self.known {
            Some((rate, until, of)) if now < until && of == change => rate,
            _ => {
                let rate = limit.rate();
                self.known = Some((rate, now + LOOK_AGAIN, change));
                rate
            }
        }
    }

    fn forget(&mut self) {
        self.bytes = 0.0;
        self.at = None;
    }

    /// Takes the bytes and returns `None`, or returns how long to wait.
    fn draw(&mut self, rate: u64, bytes: usize) -> Option<Duration> {
        let (now, rate) = (Instant::now(), rate as f64);
        let passed = self.at.map_or(Duration::ZERO, |at| now.duration_since(at));
        let most = (rate * MAKE_UP.as_secs_f64()).min((16 * PIECE) as f64);
        self.bytes = (self.bytes + passed.as_secs_f64() * rate).min(most);
        self.at = Some(now);
        // Less than a byte short is rounding, not a debt.
        if self.bytes > -0.5 {
            self.bytes -= bytes as f64;
            return None;
        }
        Some(Duration::from_secs_f64(-self.bytes / rate))
    }
}

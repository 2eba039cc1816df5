//! Limits: the table of hours, rates, and changes while bytes go.

use super::*;
use async_trait::async_trait;
use backstay_core::config::BandwidthRule;
use backstay_core::destination::Direction;
use backstay_destinations::wrap::{LocalTime, rate_at};
use chrono::{NaiveDate, NaiveDateTime};
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock on the wall that goes with the test's own.
fn wall(start: NaiveDateTime) -> LocalTime {
    let began = Instant::now();
    Arc::new(move || start + began.elapsed())
}

fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
    // The 2nd of November 2026 is a Monday.
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap().and_hms_opt(hour, minute, 0).unwrap()
}

#[test]
fn the_table_of_hours() {
    let rule = |days: &[u8], from: u16, to: u16, rate| BandwidthRule {
        days: days.to_vec(),
        from_minute: from,
        to_minute: to,
        bytes_per_second: rate,
    };
    let table = Bandwidth {
        bytes_per_second: Some(1),
        rules: vec![
            rule(&[0, 1, 2, 3, 4], 8 * 60, 18 * 60, Some(2)),
            rule(&[4], 22 * 60, 6 * 60, None),
            rule(&[6], 0, 0, Some(0)),
        ],
    };
    let rates = [
        (at(2, 7, 59), Some(1)),
        (at(2, 8, 0), Some(2)),
        (at(6, 17, 59), Some(2)),
        (at(6, 18, 0), Some(1)),
        (at(6, 22, 0), None),
        (at(7, 5, 59), None),
        (at(7, 6, 0), Some(1)),
        (at(7, 23, 59), Some(1)),
        (at(8, 0, 0), Some(0)),
        (at(8, 23, 59), Some(0)),
        (at(9, 0, 0), Some(1)),
    ];
    for (moment, rate) in rates {
        assert_eq!(rate_at(&table, moment), rate, "{moment}");
    }
}

/// Counts what a limit let pass, and when.
struct Log {
    limit: Arc<Limit>,
    bytes: AtomicU64,
    passed: Mutex<Vec<(Instant, usize)>>,
}

impl Log {
    fn of(limit: &Arc<Limit>) -> Arc<Self> {
        Arc::new(Self { limit: Arc::clone(limit), bytes: AtomicU64::new(0), passed: Mutex::default() })
    }
}

#[async_trait]
impl Traffic for Log {
    async fn pass(&self, direction: Direction, bytes: usize) {
        self.limit.pass(direction, bytes).await;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.passed.lock().unwrap().push((Instant::now(), bytes));
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_within_five_percent_and_smoothly() {
    let limit = Limit::new(Bandwidth { bytes_per_second: Some(10_000_000), rules: Vec::new() });
    let log = Log::of(&limit);
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let log = Arc::clone(&log);
        senders.spawn(async move { transfer::pass(&*log, Direction::Up, 40_000_000).await });
    }
    senders.join_all().await;
    let took = began.elapsed().as_secs_f64();
    assert!((11.4..12.6).contains(&took), "120 MB at 10 MB/s took {took:.2} s");
    let passed = log.passed.lock().unwrap();
    for quarter in 0..44_u64 {
        let from = began + Duration::from_millis(quarter * 250);
        let window = passed.iter().filter(|(at, _)| *at >= from && *at < from + Duration::from_millis(250));
        let bytes: usize = window.map(|(_, bytes)| bytes).sum();
        assert!((2_000_000..3_000_000).contains(&bytes), "{bytes} bytes in a quarter of a second");
    }
}

#[tokio::test(start_paused = true)]
async fn each_direction_has_the_whole_rate_and_two_share_it() {
    let limit = Limit::new(Bandwidth { bytes_per_second: Some(2_000_000), rules: Vec::new() });
    let seconds = |began: Instant| began.elapsed().as_secs_f64();
    let began = Instant::now();
    let (up, down) =
        (transfer::pass(&*limit, Direction::Up, 20_000_000), transfer::pass(&*limit, Direction::Down, 20_000_000));
    tokio::join!(up, down);
    assert!((9.5..10.5).contains(&seconds(began)), "each way: {}", seconds(began));
    let began = Instant::now();
    let (one, two) =
        (transfer::pass(&*limit, Direction::Up, 10_000_000), transfer::pass(&*limit, Direction::Up, 10_000_000));
    tokio::join!(one, two);
    assert!((9.5..10.5).contains(&seconds(began)), "shared: {}", seconds(began));
}

#[tokio::test(start_paused = true)]
async fn a_change_and_the_clock_take_effect_while_bytes_go() {
    let rule = BandwidthRule { days: vec![0], from_minute: 600, to_minute: 601, bytes_per_second: Some(0) };
    let table = Bandwidth { bytes_per_second: Some(1_000_000), rules: vec![rule] };
    // Half a minute before the rule that holds everything for a minute.
    let start = at(2, 9, 59) + Duration::from_secs(30);
    let limit = Limit::with_clock(table, wall(start));
    let log = Log::of(&limit);
    let traffic = Arc::clone(&log);
    let sending = tokio::spawn(async move { transfer::pass(&*traffic, Direction::Up, 1_000_000_000).await });
    let passed = || log.bytes.load(Ordering::Relaxed) as f64 / 1e6;
    tokio::time::sleep(Duration::from_secs(32)).await;
    let held = passed();
    assert!((29.0..32.0).contains(&held), "30 s at 1 MB/s: {held}");
    tokio::time::sleep(Duration::from_secs(56)).await;
    assert!(passed() - held < 0.1, "nothing for a minute");
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!((8.0..11.0).contains(&(passed() - held)), "and on: {}", passed() - held);
    let before = passed();
    limit.set(Bandwidth { bytes_per_second: Some(20_000_000), rules: Vec::new() });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!((190.0..210.0).contains(&(passed() - before)), "faster at once: {}", passed() - before);
    limit.set(Bandwidth { bytes_per_second: Some(0), rules: Vec::new() });
    let before = passed();
    tokio::time::sleep(MINUTE).await;
    assert!(passed() - before < 0.1, "held at once");
    limit.set(Bandwidth::default());
    sending.await.unwrap();
    assert_eq!(log.bytes.load(Ordering::Relaxed), 1_000_000_000);
}

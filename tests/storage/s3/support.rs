//! What all S3 tests need.

use backstay_core::config::S3Place;
use backstay_core::destination::{FreeTraffic, Key};
use backstay_destinations::s3::S3;
use backstay_lab::s3::S3Server;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const MIB: usize = 1 << 20;

pub fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub fn open(server: &S3Server) -> S3 {
    open_with(server, |_| {})
}

pub fn open_with(server: &S3Server, change: impl FnOnce(&mut S3Place)) -> S3 {
    let mut place = server.place();
    change(&mut place);
    S3::open("store", &place, &server.login(), Arc::new(FreeTraffic)).unwrap()
}

/// Waits until something holds; fails when it never does.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < limit, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

//! Several ways to the same thing, tried each a little after the one before.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// How long a way is tried alone before the next one is tried beside it.
pub const HEAD_START: Duration = Duration::from_millis(300);

/// Returns what the first way that leads there came to. The next one is tried as soon as one has failed, or none has
/// ended for [`HEAD_START`]: a way that swallows what is sent (an address of a network that is not routed) must not use up
/// the time of the others. Fails as the last of them; `None` where there is none.
pub async fn first_of<W, T, E, F: Future<Output = Result<T, E>>>(
    ways: impl IntoIterator<Item = W>,
    attempt: impl Fn(W) -> F,
) -> Result<T, Option<E>> {
    let mut ways = ways.into_iter().peekable();
    let mut under_way = Vec::new();
    let mut failure = None;
    loop {
        match ways.next() {
            Some(way) => under_way.push(Box::pin(attempt(way))),
            None if under_way.is_empty() => return Err(failure),
            None => {}
        }
        let ended = poll_fn(|cx| {
            for at in 0..under_way.len() {
                if let Poll::Ready(outcome) = under_way[at].as_mut().poll(cx) {
                    drop(under_way.swap_remove(at));
                    return Poll::Ready(outcome);
                }
            }
            Poll::Pending
        });
        tokio::select! {
            outcome = ended => match outcome {
                Ok(there) => return Ok(there),
                Err(error) => failure = Some(error),
            },
            () = tokio::time::sleep(HEAD_START), if ways.peek().is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use tokio::time::{Instant, sleep};

    /// Tries ways that take so many milliseconds each, and fail where told. Returns which led there, and how long it took.
    async fn tried(ways: &[(u64, bool)]) -> (Result<u64, Option<u64>>, u128) {
        let began = Instant::now();
        let attempt = |(takes, leads): (u64, bool)| async move {
            sleep(Duration::from_millis(takes)).await;
            if leads { Ok(takes) } else { Err(takes) }
        };
        let outcome = first_of(ways.iter().copied(), attempt).await;
        (outcome, began.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_swallows_everything_holds_the_next_up_for_a_moment_only() {
        const SILENT: u64 = 100_000;
        assert_eq!(tried(&[(SILENT, false), (20, true)]).await, (Ok(20), 320));
        assert_eq!(tried(&[(SILENT, false), (SILENT, false), (20, true)]).await, (Ok(20), 620));
        assert_eq!(tried(&[(350, true), (100, true)]).await, (Ok(350), 350), "a slow one is not given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_fails_makes_room_at_once() {
        assert_eq!(tried(&[(10, false), (20, true), (1, true)]).await, (Ok(20), 30));
        assert_eq!(tried(&[(10, false), (20, false)]).await, (Err(Some(20)), 30));
        assert_eq!(tried(&[]).await, (Err(None), 0));
    }
}

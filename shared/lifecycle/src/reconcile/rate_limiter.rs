//! The limiter of requests to AWS.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A rate limiter that lets requests through one by one, at a minimum distance in time.
#[derive(Debug)]
pub struct RateLimiter {
    interval: Duration,
    /// The time from which the next request may be sent; `None` before the first.
    next: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// Creates a rate limiter of one request an interval. An interval of zero lets everything through.
    pub fn new(interval: Duration) -> Self {
        Self { interval, next: Mutex::new(None) }
    }

    /// Waits for the turn of one request.
    pub async fn wait_turn(&self) {
        tokio::time::sleep_until(self.take(Instant::now())).await;
    }

    /// Returns the time at which a request of `now` may be sent. Unused time is not saved up.
    fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_their_distance_however_many_ask_at_once() {
        let limiter = RateLimiter::new(Duration::from_millis(100));
        let began = Instant::now();
        let turns: Vec<Duration> = (0..41).map(|_| limiter.take(began) - began).collect();
        assert_eq!(turns.last(), Some(&Duration::from_secs(4)));
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] == Duration::from_millis(100)));
        let later = began + Duration::from_secs(60);
        let turns: Vec<Duration> = (0..3).map(|_| limiter.take(later) - later).collect();
        assert_eq!(turns, [0, 100, 200].map(Duration::from_millis), "time that nobody used is not saved up");
    }
}

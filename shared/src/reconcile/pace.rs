//! How fast AWS is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets requests through one by one, no sooner after each other than it was told.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    /// From when on the next request may go; none before the first.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// One request in that time. No time at all lets everything through.
    pub fn of(every: Duration) -> Self {
        Self { every, next: Mutex::new(None) }
    }

    /// Waits for the turn of one request.
    pub async fn turn(&self) {
        tokio::time::sleep_until(self.take(Instant::now())).await;
    }

    /// When a request that is to be made now may go. Time that nobody used is not saved up.
    fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.every);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_their_distance_however_many_ask_at_once() {
        let pace = Pace::of(Duration::from_millis(100));
        let began = Instant::now();
        let turns: Vec<Duration> = (0..41).map(|_| pace.take(began) - began).collect();
        assert_eq!(turns.last(), Some(&Duration::from_secs(4)));
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] == Duration::from_millis(100)));
        let later = began + Duration::from_secs(60);
        let turns: Vec<Duration> = (0..3).map(|_| pace.take(later) - later).collect();
        assert_eq!(turns, [0, 100, 200].map(Duration::from_millis), "time that nobody used is not saved up");
    }
}

//! The rate limit of requests.

use jiff::Timestamp;
use tokio::time::Instant;

/// A token bucket that holds the requests of one second.
///
/// It fills by the clock of the local AWS or by the machine's, whichever has advanced further: a stopped clock must not starve
/// a caller that backs off and retries, and an advanced clock must not make it wait.
#[derive(Debug)]
pub(super) struct Rate {
    a_second: f64,
    left: f64,
    at: Timestamp,
    instant: Instant,
}

impl Rate {
    pub(super) fn full(a_second: u32, at: Timestamp, instant: Instant) -> Self {
        let a_second = f64::from(a_second);
        Self { a_second, left: a_second, at, instant }
    }

    /// Takes one request from the bucket; returns `false` if there is none.
    pub(super) fn admit(&mut self, at: Timestamp, instant: Instant) -> bool {
        let by_clock = at.duration_since(self.at).as_secs_f64();
        let by_machine = instant.saturating_duration_since(self.instant).as_secs_f64();
        let passed = by_clock.max(by_machine);
        self.left = (self.left + passed * self.a_second).min(self.a_second);
        self.at = at;
        self.instant = instant;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn twenty_requests_at_one_moment_pass_and_either_clock_refills_the_rate() {
        let at = Timestamp::UNIX_EPOCH;
        let instant = Instant::now();
        let mut rate = Rate::full(20, at, instant);
        let admitted = (0..30).filter(|_| rate.admit(at, instant)).count();
        assert_eq!(admitted, 20);

        let second_later = Timestamp::from_second(1).unwrap();
        assert_eq!((0..30).filter(|_| rate.admit(second_later, instant)).count(), 20);

        let half_a_second_on = instant + Duration::from_millis(500);
        assert_eq!((0..30).filter(|_| rate.admit(second_later, half_a_second_on)).count(), 10);

        assert!(!rate.admit(at, half_a_second_on), "a clock that is set back brings nothing");
    }
}

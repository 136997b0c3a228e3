//! The clock that every component reads.
//!
//! Deployed functions read the system's clock. The sandbox and the tests use a clock that can be set, so that an hour
//! passes in a moment. Both are the same type, so no code knows the difference.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// A source of the current time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's own time.
    #[default]
    System,
    /// A time that can be set; clones share it.
    Settable(Arc<SettableClock>),
}

/// A time that can be set; see [`Clock::ticking_from`] and [`Clock::fixed_at`].
#[derive(Debug)]
pub struct SettableClock(Mutex<Reading>);

#[derive(Debug)]
struct Reading {
    at: Timestamp,
    /// The time at which `at` was set, for a clock that runs.
    ticking_since: Option<Instant>,
}

impl Clock {
    /// Creates a clock that shows `at` now and runs from there.
    pub fn ticking_from(at: Timestamp) -> Self {
        Self::settable(at, Some(Instant::now()))
    }

    /// Creates a clock that shows `at` until it is set.
    pub fn fixed_at(at: Timestamp) -> Self {
        Self::settable(at, None)
    }

    fn settable(at: Timestamp, ticking_since: Option<Instant>) -> Self {
        Self::Settable(Arc::new(SettableClock(Mutex::new(Reading { at, ticking_since }))))
    }

    /// Returns the time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Settable(clock) => clock.now(),
        }
    }

    /// Returns the time now in whole seconds since 1970, as DynamoDB's TTL counts it.
    pub fn seconds(&self) -> i64 {
        self.now().as_second()
    }

    /// Sets a settable clock, forward or back. The system's clock is not changed.
    pub fn set(&self, at: Timestamp) {
        match self {
            Self::System => {}
            Self::Settable(clock) => clock.set(at),
        }
    }
}

impl SettableClock {
    fn now(&self) -> Timestamp {
        let reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reading.ticking_since {
            None => reading.at,
            Some(since) => SignedDuration::try_from(since.elapsed())
                .ok()
                .and_then(|elapsed| reading.at.checked_add(elapsed).ok())
                .unwrap_or(reading.at),
        }
    }

    fn set(&self, at: Timestamp) {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.at = at;
        reading.ticking_since = reading.ticking_since.map(|_| Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_fixed_clock_share_its_time() {
        let clock = Clock::fixed_at(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        let later = Timestamp::from_second(3600).unwrap();
        clock.set(later);
        assert_eq!(other.now(), later);
        assert_eq!(other.seconds(), 3600);
    }
}

//! The tasks that run by the clock, as EventBridge Scheduler would run them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};

/// A run that was started.
pub(crate) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that run at the multiples of their interval since 1970: an interval of 5 minutes runs at :00, :05, :10 and so
/// on.
#[derive(Default)]
pub(crate) struct Schedules(Vec<Schedule>);

struct Schedule {
    name: String,
    every: SignedDuration,
    next: Timestamp,
    run: Box<dyn Fn(Timestamp) -> Run + Send + Sync>,
}

impl Schedules {
    /// Adds a task; `run` receives the moment at which it is due.
    pub(crate) fn add<F>(
        &mut self,
        name: &str,
        every: SignedDuration,
        now: Timestamp,
        run: impl Fn(Timestamp) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        // An interval of zero would never let the clock move on.
        let every = every.max(SignedDuration::from_secs(1));
        let run = Box::new(move |at| -> Run { Box::pin(run(at)) });
        self.0.push(Schedule { name: name.to_owned(), every, next: first_after(now, every), run });
    }

    /// Returns the time at which the next task is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.0.iter().map(|schedule| schedule.next).min()
    }

    /// Starts the task that is due at `now` and has waited longest, and returns its name.
    pub(crate) fn start_due(&mut self, now: Timestamp) -> Option<(&str, Run)> {
        let schedule = self.0.iter_mut().min_by_key(|schedule| schedule.next).filter(|due| due.next <= now)?;
        let at = schedule.next;
        schedule.next = first_after(at, schedule.every);
        Some((&schedule.name, (schedule.run)(at)))
    }

    /// Restarts the schedules from an earlier time.
    pub(crate) fn rewind(&mut self, to: Timestamp) {
        for schedule in &mut self.0 {
            schedule.next = first_after(to, schedule.every);
        }
    }
}

impl fmt::Debug for Schedules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|schedule| (&schedule.name, schedule.next))).finish()
    }
}

/// Returns the first multiple of the interval after a moment.
fn first_after(at: Timestamp, every: SignedDuration) -> Timestamp {
    let every = every.as_nanos().max(1);
    let next = (at.as_nanosecond().div_euclid(every) + 1) * every;
    Timestamp::from_nanosecond(next).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_due_at_the_multiples_of_its_interval() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut schedules = Schedules::default();
        schedules.add("reporter", SignedDuration::from_mins(5), at("2026-11-23T10:02:11Z"), |_| async {});
        assert_eq!(schedules.next_due(), Some(at("2026-11-23T10:05:00Z")));
        assert!(schedules.start_due(at("2026-11-23T10:04:59Z")).is_none());
        assert!(schedules.start_due(at("2026-11-23T10:12:00Z")).is_some());
        assert_eq!(schedules.next_due(), Some(at("2026-11-23T10:10:00Z")), "no moment is skipped");
        schedules.rewind(at("2026-11-01T00:00:00Z"));
        assert_eq!(schedules.next_due(), Some(at("2026-11-01T00:05:00Z")));
    }
}

//! The schedules and the reserved concurrency of the template (`template.yaml`).
//!
//! EventBridge Scheduler starts a run within the minute in which it is due (`FlexibleTimeWindow: OFF`), at least once.
//! The invocation is asynchronous: while the one reserved execution is in use, Lambda retries with growing pauses until
//! the event is older than `MaximumEventAgeInSeconds`. A run that fails is not repeated (`MaximumRetryAttempts: 0`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::concurrency::{Concurrency, Execution};
use crate::simulation::Simulation;
use crate::time::Period;

/// A schedule of the template with the function that it starts.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// The time between two runs, in minutes from the start of the hour.
    every_minutes: i64,
    /// The function's `Timeout`.
    pub time_limit: Duration,
    /// The function's `MaximumEventAgeInSeconds`.
    event_age_max: Duration,
    /// The share of runs that are started twice, since a schedule is delivered at least once.
    doubled: f64,
    /// The share of runs that are never started.
    missed: f64,
}

/// `MeteringSchedule`: `cron(0/5 * * * ? *)`, a function of 900 seconds, events up to 1200 seconds old.
pub const REPORTER: Schedule = Schedule {
    every_minutes: 5,
    time_limit: Duration::from_secs(900),
    event_age_max: Duration::from_secs(1200),
    doubled: 0.04,
    missed: 0.03,
};

/// `ReconcileSchedule`: `cron(0 * * * ? *)`, a function of 900 seconds, events up to 900 seconds old.
pub const RECONCILIATION: Schedule = Schedule {
    every_minutes: 60,
    time_limit: Duration::from_secs(900),
    event_age_max: Duration::from_secs(900),
    doubled: 0.04,
    missed: 0.1,
};

impl Schedule {
    /// Returns the times within a period at which a run starts, without those in outages.
    pub fn starts(&self, sim: &Simulation, period: Period, outages: &[Period]) -> Vec<Timestamp> {
        let (from, until) = period;
        let every = self.every_minutes * 60;
        let mut due = from.as_second().div_euclid(every) * every + every;
        let mut starts = Vec::new();
        while due < until.as_second() {
            let late = sim.draw(|rng| rng.i64(0..59_999));
            let start = Timestamp::from_millisecond(due * 1000 + late).unwrap_or(until);
            due += every;
            if is_within(outages, start)
                || sim.chance(if sim.scenario.is_last_chance(start) { 0.0 } else { self.missed })
            {
                continue;
            }
            starts.push(start);
            if sim.chance(self.doubled) {
                starts.push(start + SignedDuration::from_millis(sim.draw(|rng| rng.i64(0..20_000))));
            }
        }
        starts
    }

    /// Waits until the one execution is free, as Lambda's queue of asynchronous invocations does, and starts another.
    /// Returns `None` if the event gets too old.
    pub async fn queue<'a>(&self, sim: &Simulation, concurrency: &'a Concurrency) -> Option<Execution<'a>> {
        let (mut waited, mut pause) = (Duration::ZERO, Duration::from_secs(1));
        while concurrency.is_taken() {
            if waited + pause > self.event_age_max {
                sim.count("invocations that grew too old", 1);
                return None;
            }
            sim.count("invocations throttled", 1);
            tokio::time::sleep(pause).await;
            waited += pause;
            pause *= 2;
        }
        Some(concurrency.start())
    }
}

fn is_within(outages: &[Period], at: Timestamp) -> bool {
    outages.iter().any(|(from, until)| *from <= at && at < *until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../template.yaml");

    /// Returns the part of the template from a resource's name to the next resource.
    fn resource(name: &str) -> &'static str {
        let begin = TEMPLATE.find(&format!("\n  {name}:\n")).unwrap() + 1;
        let rest = &TEMPLATE[begin..];
        let end = rest.match_indices("\n  ").find(|(at, _)| !rest[at + 3..].starts_with([' ', '#', '\n']));
        &rest[..end.map_or(rest.len(), |(at, _)| at)]
    }

    #[test]
    fn the_schedules_match_the_template() {
        for (schedule, cron, name) in
            [(REPORTER, "cron(0/5 * * * ? *)", "Metering"), (RECONCILIATION, "cron(0 * * * ? *)", "Reconcile")]
        {
            let planned = resource(&format!("{name}Schedule"));
            assert!(planned.contains(&format!("ScheduleExpression: {cron}\n")), "{planned}");
            assert!(planned.contains("Mode: \"OFF\"") && planned.contains("MaximumRetryAttempts: 0"), "{planned}");
            let function = resource(&format!("{name}Function"));
            assert!(function.contains(&format!("Timeout: {}\n", schedule.time_limit.as_secs())), "{function}");
            assert!(function.contains("ReservedConcurrentExecutions: 1"), "{function}");
            let retries = resource(&format!("{name}Retries"));
            let age = format!("MaximumEventAgeInSeconds: {}\n", schedule.event_age_max.as_secs());
            assert!(retries.contains(&age) && retries.contains("MaximumRetryAttempts: 0"), "{retries}");
        }
    }
}

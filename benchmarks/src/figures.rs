//! Figures: counts and times, the rates that follow from them, and their printed form.

use std::fmt;
use std::time::Duration;

use local_aws::{Count, Counts, Service};
use serde::{Deserialize, Serialize};

/// The requests that AWS received between two moments, and the time that they took.
#[derive(Debug, Clone)]
pub(crate) struct RequestCounts {
    counts: Counts,
}

impl RequestCounts {
    /// Returns the requests of `after` that are not in `before`.
    pub(crate) fn since(before: &Counts, after: &Counts) -> Self {
        let mut counts = after.clone();
        for (service, operations) in &mut counts {
            for (operation, count) in operations.iter_mut() {
                let earlier = before.get(service).and_then(|then| then.get(operation)).copied().unwrap_or_default();
                count.calls -= earlier.calls;
                count.failed -= earlier.failed;
                count.busy -= earlier.busy;
            }
            operations.retain(|_, count| count.calls > 0);
        }
        Self { counts }
    }

    /// Returns the counts of an operation.
    pub(crate) fn count(&self, service: Service, operation: &str) -> Count {
        self.counts.get(&service).and_then(|operations| operations.get(operation)).copied().unwrap_or_default()
    }

    /// Returns the number of requests of a service.
    pub(crate) fn requests(&self, service: Service) -> u64 {
        self.counts.get(&service).into_iter().flatten().map(|(_, count)| count.calls).sum()
    }

    /// Returns the time that AWS took to answer all requests, added up.
    pub(crate) fn busy(&self) -> Duration {
        self.counts.values().flatten().map(|(_, count)| count.busy).sum()
    }

    /// Returns the number of requests of all services.
    pub(crate) fn all(&self) -> u64 {
        self.counts.values().flatten().map(|(_, count)| count.calls).sum()
    }

    /// Returns the number of requests of DynamoDB.
    pub(crate) fn dynamodb(&self) -> u64 {
        self.requests(Service::DynamoDb)
    }

    fn of_dynamodb(&self) -> impl Iterator<Item = (&str, &Count)> {
        let operations = self.counts.get(&Service::DynamoDb).into_iter().flatten();
        operations.map(|(operation, count)| (operation.as_str(), count))
    }

    /// Returns the requests of DynamoDB by operation, in a line.
    pub(crate) fn operations(&self) -> String {
        let one = |(operation, count): (&str, &Count)| format!("{operation} {}", grouped(count.calls));
        self.of_dynamodb().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// Percentiles of the times that many repetitions of the same took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Half of them took at most this long.
    pub(crate) p50: Duration,
    /// 99 of 100 took at most this long.
    pub(crate) p99: Duration,
}

impl Latency {
    /// Computes the percentiles of these times; both are zero if there are none.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let percentile = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times.get(place).copied().unwrap_or_default()
        };
        Self { p50: percentile(50), p99: percentile(99) }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |time: Duration| rounded(time.as_secs_f64() * 1e6);
        write!(f, "p50 {} µs, p99 {} µs", micros(self.p50), micros(self.p99))
    }
}

/// Returns one time as a multiple of another; 0 if the other is zero.
pub(crate) fn times_as_long(one: Duration, other: Duration) -> f64 {
    ratio(one.as_secs_f64(), other.as_secs_f64())
}

/// Returns a count per second; 0 if the time is zero.
pub(crate) fn a_second(count: u64, time: Duration) -> f64 {
    ratio(count as f64, time.as_secs_f64())
}

/// Returns a count per unit of another; 0 if the other is zero.
pub(crate) fn per(count: u64, of: u64) -> f64 {
    ratio(count as f64, of as f64)
}

fn ratio(one: f64, other: f64) -> f64 {
    if other > 0.0 { one / other } else { 0.0 }
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Rounds a number, and writes it with commas between its thousands.
pub(crate) fn rounded(number: f64) -> String {
    grouped(number.max(0.0).round() as u64)
}

/// The bound of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// A goal, and the measured figure.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) wanted: Wanted,
    pub(crate) got: f64,
}

impl Goal {
    fn is_met(&self) -> bool {
        match self.wanted {
            Wanted::AtLeast(least) => self.got >= least,
            Wanted::AtMost(most) => self.got <= most,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_met() { "met   " } else { "MISSED" };
        let (words, limit) = match self.wanted {
            Wanted::AtLeast(least) => ("at least", least),
            Wanted::AtMost(most) => ("at most", most),
        };
        write!(f, "goal {verdict}  {}: {}, {words} {}", self.what, figure(self.got), figure(limit))
    }
}

/// Writes a figure with as many decimals as are significant.
fn figure(number: f64) -> String {
    match number {
        large if large >= 100.0 => rounded(large),
        small if small >= 10.0 => format!("{small:.1}"),
        tiny => format!("{tiny:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(calls: u64, failed: u64) -> Counts {
        let operations = |count: Count| [("Query".to_owned(), count), ("PutItem".to_owned(), count)].into();
        let metering = [("BatchMeterUsage".to_owned(), Count { calls: 4, failed, busy: Duration::ZERO })].into();
        [(Service::DynamoDb, operations(Count { calls, ..Count::default() })), (Service::Metering, metering)].into()
    }

    #[test]
    fn only_calls_during_the_measurement_count() {
        let asked = RequestCounts::since(&counts(1000, 0), &counts(2500, 1));
        assert_eq!(asked.dynamodb(), 3000);
        assert_eq!(asked.requests(Service::Metering), 0);
        assert_eq!(asked.operations(), "PutItem 1,500, Query 1,500");
        assert_eq!(asked.count(Service::Metering, "BatchMeterUsage"), Count::default());
        let all = RequestCounts::since(&Counts::new(), &counts(7, 1));
        assert_eq!((all.dynamodb(), all.requests(Service::Metering)), (14, 4));
        assert_eq!(
            all.count(Service::Metering, "BatchMeterUsage"),
            Count { calls: 4, failed: 1, busy: Duration::ZERO }
        );
    }

    #[test]
    fn a_percentile_is_a_measured_time() {
        let latency = |times: Vec<u64>| Latency::of(times.into_iter().map(Duration::from_micros).collect()).to_string();
        assert_eq!(latency((1..=1000).rev().collect()), "p50 500 µs, p99 990 µs");
        assert_eq!(latency(vec![7, 3]), "p50 3 µs, p99 7 µs");
        assert_eq!(latency(Vec::new()), "p50 0 µs, p99 0 µs");
        assert_eq!(times_as_long(Duration::from_micros(3), Duration::from_micros(2)), 1.5);
    }

    #[test]
    fn a_rate_is_a_count_per_second_and_absent_without_time() {
        assert_eq!(a_second(500, Duration::from_millis(250)), 2000.0);
        assert_eq!(a_second(500, Duration::ZERO), 0.0);
        assert_eq!((per(100, 4), per(100, 0)), (25.0, 0.0));
    }

    #[test]
    fn numbers_are_printed_with_grouped_digits() {
        let written = [0, 12, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(written, ["0", "12", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!([24.96, 1.1234, 4321.4].map(figure), ["25.0", "1.123", "4,321"]);
    }

    #[test]
    fn a_goal_shows_whether_it_is_met() {
        let goal = |wanted, got| Goal { what: "records a call", wanted, got }.to_string();
        assert_eq!(goal(Wanted::AtLeast(24.5), 25.0), "goal met     records a call: 25.0, at least 24.5");
        assert_eq!(goal(Wanted::AtLeast(24.5), 24.4), "goal MISSED  records a call: 24.4, at least 24.5");
        assert_eq!(goal(Wanted::AtMost(2.0), 2.0), "goal met     records a call: 2.000, at most 2.000");
    }
}

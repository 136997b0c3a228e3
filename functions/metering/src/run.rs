//! A run: its clients, the time that is left, and its counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::errors::chain;
use domain::ids::{AgreementId, LicenseId, ProductCode};
use domain::license::License;
use domain::metering::RecordName;
use domain::time::UsageHour;
use futures_util::future::{BoxFuture, try_join_all};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::{Metric, Metrics};
use marketplace::Marketplace;
use serde::Serialize;
use store::keys::SHARDS;
use store::{ProblemKind, Store, StoreError};
use tokio::time::Instant;

use crate::mode::Mode;

/// The part of a run's time limit that is reserved for what it has started: a call of 20 seconds, and the writes after
/// it.
const RESERVE: Duration = Duration::from_secs(40);

/// The time before a month's window closes from which a pending record of the month needs an operator.
const CLOSES_SOON_PERIOD: SignedDuration = SignedDuration::from_mins(10);

/// The most closed licenses of a product that a run remembers.
const MAX_REMEMBERED_LICENSES: usize = 5;

/// The time that measuring the backlog may take.
const BACKLOG_TIMEOUT: Duration = Duration::from_secs(10);

/// A run of the reporter.
pub(crate) struct Run<'a> {
    pub(crate) store: &'a Store,
    pub(crate) marketplace: &'a Marketplace,
    pub(crate) mode: Mode,
    pub(crate) id: String,
    /// The moment that the whole run uses as the current time.
    pub(crate) now: Timestamp,
    /// The moment from which nothing new may be started.
    until: Instant,
    /// The moment at which closing hours must stop, so that there is time to send.
    closes_until: Instant,
    counted: Mutex<BTreeMap<Metric, u64>>,
    sent: Mutex<u64>,
    evidence: Mutex<EvidenceOfRun>,
    /// Set if something was left for lack of time.
    ran_out_of_time: AtomicBool,
    /// The start of each agreement that was looked up, as far as it is known.
    starts: Mutex<BTreeMap<AgreementId, Option<AgreementStart>>>,
}

/// The results of a run that are evidence.
#[derive(Debug, Default)]
pub(crate) struct EvidenceOfRun {
    /// The products of which AWS has booked something.
    pub(crate) booked: BTreeSet<ProductCode>,
    /// Some of the licenses that were closed, by product.
    pub(crate) closed: BTreeMap<ProductCode, Vec<LicenseId>>,
}

/// The start of an agreement, and the agreement that it renewed.
pub(crate) type AgreementStart = (Timestamp, Option<AgreementId>);

/// The result of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records frozen.
    pub frozen: u64,
    /// Amounts carried to another hour.
    pub carried: u64,
    /// Calls of BatchMeterUsage.
    pub calls: u64,
    /// Records sent, each counted as often as it was sent.
    pub sent: u64,
    /// Records that AWS has booked.
    pub accepted: u64,
    /// Records that ended otherwise, and other problems that need an operator.
    pub problems: u64,
    /// Set if there was no time for all of it.
    pub unfinished: bool,
    /// Set if nothing was sent, because of the dry-run mode.
    pub dry_run: bool,
    /// The time of the run that must follow this one, because AWS accepts something for a few more minutes only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<Timestamp>,
}

impl Report {
    /// Adds the result of the next run of the same invocation.
    pub(crate) fn add(&mut self, next: &Self) {
        self.frozen += next.frozen;
        self.carried += next.carried;
        self.calls += next.calls;
        self.sent += next.sent;
        self.accepted += next.accepted;
        self.problems += next.problems;
        self.unfinished = next.unfinished;
        self.dry_run = next.dry_run;
        self.next_run_at = next.next_run_at;
    }
}

impl<'a> Run<'a> {
    pub(crate) fn start(store: &'a Store, marketplace: &'a Marketplace, mode: Mode, time_limit: Duration) -> Self {
        let began = Instant::now();
        Self {
            store,
            marketplace,
            mode,
            id: ulid::Ulid::generate().to_string(),
            now: store.clock().now(),
            until: began + time_limit.saturating_sub(RESERVE),
            closes_until: began + time_limit / 2,
            counted: Mutex::default(),
            sent: Mutex::default(),
            evidence: Mutex::default(),
            ran_out_of_time: AtomicBool::new(false),
            starts: Mutex::default(),
        }
    }

    /// Returns `true` if no more hours may be started. To be called only while hours are left: `true` marks the run as
    /// unfinished.
    pub(crate) fn closing_deadline_passed(&self) -> bool {
        self.is_past(self.closes_until)
    }

    /// Returns `true` if nothing new may be started. To be called only while something is left: `true` marks the run as
    /// unfinished.
    pub(crate) fn is_out_of_time(&self) -> bool {
        self.is_past(self.until)
    }

    fn is_past(&self, moment: Instant) -> bool {
        let is_past = Instant::now() >= moment;
        self.ran_out_of_time.fetch_or(is_past, Ordering::Relaxed);
        is_past
    }

    /// Returns the remembered start of an agreement; `None` if this run has not looked it up yet.
    pub(crate) fn known_start(&self, agreement: &AgreementId) -> Option<Option<AgreementStart>> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(agreement).cloned()
    }

    pub(crate) fn set_known_start(&self, agreement: &AgreementId, began: Option<AgreementStart>) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(agreement.clone(), began);
    }

    /// Sets the value of a metric that is measured instead of counted.
    pub(crate) fn measure(&self, metric: Metric, value: u64) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(metric, value);
    }

    pub(crate) fn count(&self, metric: Metric, by: usize) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.entry(metric).or_default() += u64::try_from(by).unwrap_or(u64::MAX);
    }

    /// Counts the records of a call.
    pub(crate) fn count_sent(&self, records: usize) {
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) += u64::try_from(records).unwrap_or(u64::MAX);
    }

    /// Notes that AWS has booked something of a product.
    pub(crate) fn booked(&self, product: &ProductCode) {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).booked.insert(product.clone());
    }

    /// Notes that an ended license is closed.
    pub(crate) fn closed(&self, license: License) {
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        let of_product = evidence.closed.entry(license.product).or_default();
        if of_product.len() < MAX_REMEMBERED_LICENSES {
            of_product.push(license.id);
        }
    }

    pub(crate) fn take_evidence(&self) -> EvidenceOfRun {
        std::mem::take(&mut self.evidence.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a problem that needs an operator, and logs it.
    pub(crate) fn problem(&self, metric: Metric, about: &RecordName, reason: &str) {
        self.count(metric, 1);
        let RecordName { license, hour, dimension } = about;
        let (run, problem) = (self.id.as_str(), metric.name());
        tracing::error!(run, %license, %hour, %dimension, problem, reason, "Found a problem that an operator must resolve");
    }

    /// Ends the run: writes its metrics and logs its report, also if it ended with an error.
    pub(crate) async fn end(self, metrics: &Metrics, done: Result<(), StoreError>) -> Result<Report, StoreError> {
        let unfinished = self.ran_out_of_time.load(Ordering::Relaxed) || Instant::now() >= self.until;
        let mut values = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A metric with an alarm is written in every run, so that the alarm can return to OK.
        for metric in ALARM_METRICS {
            values.entry(metric).or_default();
        }
        values.insert(Metric::RunsUnfinished, u64::from(unfinished));
        values.insert(Metric::RunsCompleted, u64::from(done.is_ok()));
        values.insert(Metric::RunsFailed, u64::from(done.is_err()));
        metrics.write(self.now, &values);
        if metrics.is_enabled() {
            // This reads the table, which may take the rest of the time: the counts are written already.
            match tokio::time::timeout(BACKLOG_TIMEOUT, self.backlog()).await {
                Ok(Ok(backlog)) => metrics.write(self.now, &backlog),
                Ok(Err(error)) => tracing::warn!(run = self.id, error = chain(&error), "Failed to measure the backlog"),
                Err(_) => tracing::warn!(run = self.id, "Failed to measure the backlog in time"),
            }
        }
        let value = |metric: Metric| values.get(&metric).copied().unwrap_or_default();
        let report = Report {
            frozen: value(Metric::RecordsFrozen),
            carried: value(Metric::UsageCarried),
            calls: value(Metric::MeteringCalls),
            sent: *self.sent.lock().unwrap_or_else(PoisonError::into_inner),
            accepted: value(Metric::RecordsAccepted),
            problems: PROBLEM_METRICS.into_iter().map(value).sum(),
            unfinished,
            dry_run: self.mode.dry_run,
            next_run_at: None,
        };
        match done {
            Ok(()) => {
                tracing::info!(run = self.id, ?report, "Finished a run");
                Ok(report)
            }
            Err(error) => {
                tracing::error!(run = self.id, ?report, error = chain(&error), "A run failed");
                Err(error)
            }
        }
    }

    /// Measures what is left to do now.
    async fn backlog(&self) -> Result<BTreeMap<Metric, u64>, StoreError> {
        let shards = try_join_all((0..SHARDS).map(|shard| self.store.pending(shard))).await?;
        let mut of_hour: BTreeMap<UsageHour, u64> = BTreeMap::new();
        for (hour, count) in shards.iter().flat_map(|pending| &pending.of_hour) {
            *of_hour.entry(*hour).or_default() += count;
        }
        let age = |since: Option<Timestamp>| {
            let age = since.map_or(0, |since| self.now.duration_since(since).as_secs());
            u64::try_from(age).unwrap_or_default()
        };
        let oldest = of_hour.first_key_value().map(|(hour, _)| hour.start());
        let closes_soon =
            |hour: &UsageHour| hour.month().window_closes().duration_since(self.now) <= CLOSES_SOON_PERIOD;
        let held = shards.iter().map(|pending| pending.held).sum();
        let urgent: BTreeSet<LicenseId> = shards.into_iter().flat_map(|pending| pending.urgent).collect();
        let ended = self.store.licenses(&urgent.into_iter().collect::<Vec<_>>()).await?;
        let paused = self.store.problems(Some(ProblemKind::Paused), None, 1000).await?;
        Ok(BTreeMap::from([
            (Metric::RecordsPending, of_hour.values().sum()),
            (Metric::RecordsHeld, held),
            (Metric::OldestPendingAge, age(oldest)),
            (Metric::EndingPendingAge, age(ended.iter().filter_map(License::usage_until).min())),
            (
                Metric::OldMonthPending,
                of_hour.iter().filter(|(hour, _)| closes_soon(hour)).map(|(_, count)| count).sum(),
            ),
            (Metric::Paused, u64::try_from(paused.found.len()).unwrap_or_default()),
        ]))
    }
}

/// Awaits futures, `max_concurrency` of them at a time, and returns their results in no particular order.
pub(crate) async fn run_concurrently<T>(max_concurrency: usize, futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(futures).buffer_unordered(max_concurrency).collect().await
}

/// The metrics of problems that need an operator.
const PROBLEM_METRICS: [Metric; 6] = [
    Metric::RecordsConflict,
    Metric::RecordsRefused,
    Metric::RecordsExpired,
    Metric::RecordsUnconfirmed,
    Metric::UsageOverbilled,
    Metric::UsageUncarried,
];

/// The metrics of a run that have an alarm.
const ALARM_METRICS: [Metric; 12] = [
    Metric::RecordsAccepted,
    Metric::RecordsConflict,
    Metric::RecordsRefused,
    Metric::RecordsExpired,
    Metric::RecordsUnconfirmed,
    Metric::UsageOverbilled,
    Metric::UsageUncarried,
    Metric::UsageHeld,
    Metric::HoursNotSettled,
    Metric::ClosingDelay,
    Metric::RecordsUnreadable,
    Metric::MeteringThrottles,
];

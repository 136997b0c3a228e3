//! The metrics, in CloudWatch's embedded metric format: each write is one line of JSON on the function's output
//! (CloudWatch user guide, Embedded metric format specification).
//!
//! Every metric is named here and nowhere else. No metric contains a license, a tenant or personal data: these are in
//! the log lines beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of the metrics in CloudWatch.
pub const NAMESPACE: &str = "Stallkeeper";

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident in $unit:literal,)*) => {
        /// A value that is counted or measured.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric {
            $($(#[$doc])* $name,)*
        }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns its name in CloudWatch.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            fn unit(self) -> &'static str {
                match self {
                    $(Self::$name => $unit,)*
                }
            }
        }
    };
}

metrics! {
    /// Hourly records that were frozen.
    RecordsFrozen in "Count",
    /// Records that AWS has booked.
    RecordsAccepted in "Count",
    /// Accepted records that AWS already had, from an earlier attempt whose answer was lost.
    RecordsConfirmedLater in "Count",
    /// Records for which AWS has another quantity than Stallkeeper.
    RecordsConflict in "Count",
    /// Records that AWS does not accept.
    RecordsRefused in "Count",
    /// Records whose window closed before AWS accepted them.
    RecordsExpired in "Count",
    /// Records that ended after an attempt that AWS may have booked.
    RecordsUnconfirmed in "Count",
    /// Records that a dry run did not send.
    RecordsDryRun in "Count",
    /// Attempts after which a record is sent again.
    RecordsRetried in "Count",
    /// Records that an operator has sent again.
    RecordsRequeued in "Count",
    /// Records that are waiting to be sent now.
    RecordsPending in "Count",
    /// Pending records that cannot be sent until missing information is known.
    RecordsHeld in "Count",
    /// The age of the oldest pending record's hour.
    OldestPendingAge in "Seconds",
    /// The time since the earliest ending of a license with a pending record.
    EndingPendingAge in "Seconds",
    /// Pending records of a month whose window closes in ten minutes or less.
    OldMonthPending in "Count",
    /// Products and dimensions that are paused now.
    Paused in "Count",
    /// Amounts that were carried to another hour.
    UsageCarried in "Count",
    /// Hours for which more is billed than they contain.
    UsageOverbilled in "Count",
    /// Amounts that no hour of their billing month can hold any more.
    UsageUncarried in "Count",
    /// Hours that wait until the amount that a contract includes is known.
    UsageHeld in "Count",
    /// Hours of a license that could not be settled this time.
    HoursNotSettled in "Count",
    /// The time for which the oldest due hour has not been summed for all licenses.
    ClosingDelay in "Seconds",
    /// Records that cannot be read and are left out.
    RecordsUnreadable in "Count",
    /// Tagged amounts that went into a record's untagged allocation.
    AllocationsFolded in "Count",
    /// Calls of BatchMeterUsage.
    MeteringCalls in "Count",
    /// Calls of BatchMeterUsage that AWS answered with too many requests.
    MeteringThrottles in "Count",
    /// Calls of BatchMeterUsage that failed for another reason.
    MeteringFailures in "Count",
    /// Runs of the reporter that succeeded, also if they had no time for all of the work.
    RunsCompleted in "Count",
    /// Runs of the reporter that had no time for all of the work.
    RunsUnfinished in "Count",
    /// Runs of the reporter that ended with an error.
    RunsFailed in "Count",
    /// Usage events that were accepted.
    UsageAccepted in "Count",
    /// Usage events that were already stored.
    UsageDuplicate in "Count",
    /// Usage events that differ from the stored one and arrive too late to correct it.
    UsageConflict in "Count",
    /// Usage events that were refused.
    UsageRefused in "Count",
    /// Usage events whose write was not confirmed.
    UsageRetry in "Count",
    /// Events that were published to the topic of the seller's application.
    EventsPublished in "Count",
    /// Events that the topic did not accept; they are published again.
    EventsRetried in "Count",
    /// Events that the topic never accepts; they stay in the table.
    EventsRejected in "Count",
    /// Mails that were sent to buyers.
    MailsSent in "Count",
    /// Mails that could not be sent this time.
    MailsFailed in "Count",
    /// Licenses that were compared with what AWS shows.
    LicensesReconciled in "Count",
    /// Licenses that could not be compared with AWS this time.
    ReconcileFailures in "Count",
    /// Differences between AWS and the table that no rule repairs.
    ReconcileFindings in "Count",
    /// Runs of the reconciliation that had no time for all of the work, or that AWS did not answer.
    ReconcileRunsUnfinished in "Count",
    /// Runs of the reconciliation that ended with an error.
    ReconcileRunsFailed in "Count",
    /// Licenses whose events were all lost.
    RepairsFound in "Count",
    /// Licenses whose activation was repaired.
    RepairsActivated in "Count",
    /// Licenses whose ending was repaired.
    RepairsEnded in "Count",
    /// Licenses that were recorded as ended and are not.
    RepairsReopened in "Count",
    /// Licenses whose renewal was repaired.
    RepairsRenewed in "Count",
    /// Licenses whose successor was found.
    RepairsHandedOver in "Count",
    /// Licenses whose change of entitlements was repaired.
    RepairsEntitlements in "Count",
}

/// The output of a function's metrics. Clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    stage: String,
    dry_run: bool,
    /// The output; `None` if the metrics are discarded.
    out: Option<Mutex<Box<dyn Write + Send>>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("stage", &self.0.stage).field("dry_run", &self.0.dry_run).finish()
    }
}

impl Metrics {
    /// Creates the metrics of a stage. If the stack's reporter is in dry run, all of them have a dimension that says
    /// so, and none is written without it, so that no alarm confuses the two.
    pub fn new(stage: impl Into<String>, dry_run: bool, out: impl Write + Send + 'static) -> Self {
        Self::with(stage.into(), dry_run, Some(Box::new(out)))
    }

    fn with(stage: String, dry_run: bool, out: Option<Box<dyn Write + Send>>) -> Self {
        Self(Arc::new(Inner { stage, dry_run, out: out.map(Mutex::new) }))
    }

    /// Creates metrics that are discarded.
    pub fn discarded() -> Self {
        Self::with("none".to_owned(), false, None)
    }

    /// Returns `true` if the metrics are written, so that measuring for them alone is worthwhile.
    pub fn is_enabled(&self) -> bool {
        self.0.out.is_some()
    }

    /// Writes values that were counted or measured at `at`. An empty map writes nothing.
    pub fn write(&self, at: Timestamp, values: &BTreeMap<Metric, u64>) {
        let Some(out) = self.0.out.as_ref().filter(|_| !values.is_empty()) else { return };
        let line = format!("{}\n", self.document(at, values));
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            tracing::error!(%error, "Failed to write metrics");
        }
    }

    fn document(&self, at: Timestamp, values: &BTreeMap<Metric, u64>) -> Value {
        let definitions: Vec<Value> =
            values.keys().map(|metric| json!({ "Name": metric.name(), "Unit": metric.unit() })).collect();
        let dimensions = if self.0.dry_run { json!([["Stage", "Reporter"]]) } else { json!([["Stage"]]) };
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": definitions });
        let mut document = Map::new();
        document
            .insert("_aws".to_owned(), json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive] }));
        document.insert("Stage".to_owned(), Value::from(self.0.stage.as_str()));
        if self.0.dry_run {
            document.insert("Reporter".to_owned(), Value::from("dry_run"));
        }
        document.extend(values.iter().map(|(metric, value)| (metric.name().to_owned(), Value::from(*value))));
        Value::Object(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
        let at: Timestamp = "2026-11-10T10:10:00Z".parse().unwrap();
        let values = BTreeMap::from([(Metric::RecordsAccepted, 24), (Metric::OldestPendingAge, 4200)]);
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&Metrics::new("staging", false, std::io::sink()).document(at, &values))
                .unwrap()
        );
        let dry = Metrics::new("staging", true, std::io::sink()).document(at, &values);
        assert_eq!(dry["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stage", "Reporter"]]));
        assert_eq!(dry["Reporter"], "dry_run");
    }

    #[test]
    fn a_document_holds_no_more_metrics_than_cloudwatch_takes() {
        assert!(Metric::ALL.len() <= 100);
    }
}

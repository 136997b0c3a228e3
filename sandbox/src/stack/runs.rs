//! The functions that run by the clock, and not for a caller: the reporter, the reconciliation and the auditor.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Stack;
use crate::queue::uuid;
use crate::wiring::Schedule;

/// The reporter's name in the template.
const METERING_FUNCTION: &str = "MeteringFunction";

/// The reconciliation's name in the template.
pub(crate) const RECONCILE_FUNCTION: &str = "ReconcileFunction";

/// The auditor's name in the template.
const READINESS_FUNCTION: &str = "ReadinessFunction";

/// The timeout of the auditor, as in the template.
const READINESS_TIME_LIMIT: Duration = Duration::from_secs(29);

/// The timeout of a run of the reporter. An invocation of several runs may take 900 seconds, as in the template.
const REPORTER_TIME_LIMIT: Duration = Duration::from_secs(290);

/// The timeout of the reconciliation, as in the template.
const RECONCILIATION_TIME_LIMIT: Duration = Duration::from_secs(900);

/// The hour of the day (UTC) in which the auditor runs, as in the template.
const READINESS_HOUR: i64 = 6;

impl Stack {
    /// Runs the function of a schedule, unless the schedule is switched off or is not due yet.
    pub(crate) async fn run_schedule(&self, schedule: Schedule, at: Timestamp) {
        if !self.runs_by(schedule) {
            return;
        }
        match schedule {
            Schedule::Metering => self.report_usage().await,
            Schedule::Reconcile => drop(self.reconcile().await),
            Schedule::Readiness if at.as_second().div_euclid(3600).rem_euclid(24) == READINESS_HOUR => {
                self.run_auditor().await;
            }
            Schedule::Readiness => {}
        }
    }

    /// Runs the reporter once, as its schedule does.
    pub(crate) async fn report_usage(&self) {
        let metering = self.running().metering;
        let stage = self.stage.as_str();
        self.set_next_run(None);
        match self.within(REPORTER_TIME_LIMIT, async move { metering.run(REPORTER_TIME_LIMIT).await }).await {
            Ok(Ok(report)) => {
                tracing::info!(stage, ?report, "the reporter has run");
                self.set_next_run(report.next_run_at);
            }
            Ok(Err(error)) => {
                tracing::error!(stage, error = %domain::errors::chain(&error), "the reporter failed");
                self.put_failed_run(METERING_FUNCTION, "StoreError");
            }
            Err(error) => {
                tracing::error!(stage, %error, "the reporter did not answer");
                self.put_failed_run(METERING_FUNCTION, "Runtime.ExitError");
            }
        }
    }

    /// Returns the time at which the reporter runs again before its schedule, as its invocation does for usage that AWS
    /// accepts only for minutes more; `None` if it does not.
    pub(crate) fn next_run(&self) -> Option<Timestamp> {
        let next = *self.next_run.lock().unwrap_or_else(PoisonError::into_inner);
        next.filter(|_| self.runs_by(Schedule::Metering))
    }

    fn set_next_run(&self, at: Option<Timestamp>) {
        *self.next_run.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Runs the reconciliation once, as its schedule does; returns `None` if it failed.
    pub(crate) async fn reconcile(&self) -> Option<reconcile::Report> {
        let report = self.run_reconciliation(false).await;
        if report.is_none() {
            self.put_failed_run(RECONCILE_FUNCTION, "StoreError");
        }
        report
    }

    /// Runs the reconciliation once, from the start of the day's walk if `restart` is `true`; returns `None` if it failed.
    pub(crate) async fn run_reconciliation(&self, restart: bool) -> Option<reconcile::Report> {
        let reconciliation = self.running().reconciliation;
        let stage = self.stage.as_str();
        let limit = RECONCILIATION_TIME_LIMIT;
        let run = async move {
            match restart {
                true => reconciliation.run_restarted(limit).await,
                false => reconciliation.run(limit).await,
            }
        };
        match self.within(limit, run).await {
            Ok(Ok(report)) => return Some(report),
            Ok(Err(error)) => {
                tracing::error!(stage, error = %domain::errors::chain(&error), "the reconciliation failed");
            }
            Err(error) => tracing::error!(stage, %error, "the reconciliation did not answer"),
        }
        None
    }

    /// Runs the auditor once, as its schedule does.
    async fn run_auditor(&self) {
        let readiness = self.running().readiness;
        let stage = self.stage.as_str();
        match self.within(READINESS_TIME_LIMIT, async move { readiness.run(None).await }).await {
            Ok(Ok(reports)) => tracing::info!(stage, reports = reports.len(), "the auditor has looked"),
            Ok(Err(error)) => {
                tracing::error!(stage, error = %domain::errors::chain(&error), "the auditor failed");
                self.put_failed_run(READINESS_FUNCTION, "StoreError");
            }
            Err(error) => {
                tracing::error!(stage, %error, "the auditor did not answer");
                self.put_failed_run(READINESS_FUNCTION, "Runtime.ExitError");
            }
        }
    }

    /// Puts a run that Lambda gave up among the dead letters, as Lambda does (Lambda developer guide, "Retaining
    /// records").
    fn put_failed_run(&self, function: &str, error: &str) {
        let now = self.clock.now();
        let function = format!("arn:aws:lambda:us-east-1:{}:function:{}:$LATEST", self.account, self.name_of(function));
        let body = json!({
            "version": "1.0",
            "timestamp": now.to_string(),
            "requestContext": {
                "requestId": uuid(),
                "functionArn": function,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 1,
            },
            "requestPayload": {},
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "responsePayload": { "errorType": error, "errorMessage": "the function's log says why" },
        });
        self.runs.put_dead_letter(body.to_string(), now);
    }
}

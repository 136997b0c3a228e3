//! The scheduled reconciliation: once a day, every license that has not long ended, and every agreement that is in
//! force in AWS, is compared with what AWS shows.
//!
//! It runs every hour. The first run of a day starts the walk, and a run continues where the one before stopped. Once
//! the walk is done, the runs check only failed licenses and pending ones that registered lately, whose usage must not
//! wait a day: AWS accepts none that is older. The reconciliation sends ten requests a second at most. AWS allows
//! twenty (GetEntitlements), and the rest is for events, for pages and for repeated requests.

use aws_config::SdkConfig;
use clock::Clock;
use domain::errors::chain;
use domain::ids::{LicenseId, ProductCode};
use domain::license::{License, StateName};
use domain::listing::{Listing, Mode};
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::{Metric, Metrics};
use lifecycle::reconcile::{Outcome, RateLimiter, ReconcileError, Reconciler, RepairKind};
use marketplace::{Agreements, Marketplace, MarketplaceError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{ReconciliationProgress, Store, StoreError, WalkPosition};
use tokio::time::Instant;

/// The time from one request to the next.
const REQUEST_INTERVAL: Duration = Duration::from_millis(100);

/// The part of a run's time limit that is reserved for the license that it has started.
const RESERVE: Duration = Duration::from_secs(60);

/// The number of licenses that are read together. The walk is stored after each page.
const PAGE_SIZE: i32 = 25;

/// The number of failures in a row after which AWS counts as not answering. The walk waits for the next run, which
/// starts with what failed.
const MAX_FAILURES_IN_A_ROW: usize = 5;

/// The most failed licenses that are kept for the next run; the next walk covers the others.
const MAX_RETRIED_LICENSES: usize = 200;

/// The time after its end for which a license is checked.
const CHECKED_AFTER_END: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The time after its registration for which a pending license is checked in every run: AWS accepts usage for 24 hours.
const CHECKED_AFTER_REGISTRATION: SignedDuration = SignedDuration::from_hours(26);

/// The state in which the walk starts: access and money depend on what is in force.
const FIRST_STATE: StateName = StateName::Active;

/// The reconciliation function.
#[derive(Debug)]
pub struct Reconciliation {
    store: Store,
    marketplace: Marketplace,
    metrics: Metrics,
    rate_limiter: RateLimiter,
}

/// The result of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The number of licenses that were checked.
    pub licenses: u64,
    /// The number of repairs, by kind.
    pub repairs: BTreeMap<&'static str, u64>,
    /// The number of findings that an operator must resolve, by kind.
    pub findings: BTreeMap<&'static str, u64>,
    /// The number of licenses and listings that could not be checked. They are unchanged.
    pub failures: u64,
    /// The number of licenses that the next run starts with, since they could not be checked.
    pub to_retry: u64,
    /// The number of failures that wait for the next walk: AWS refused them, or there was no room to keep them.
    pub skipped: u64,
    /// Set if the day's walk continues in the next run.
    pub unfinished: bool,
}

impl Reconciliation {
    /// Creates the function on the given table. Its metrics are discarded, unless [`reporting_to`](Self::reporting_to)
    /// sets their destination.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self {
            store: Store::new(config, table, clock),
            marketplace: Marketplace::new(config),
            metrics: Metrics::discarded(),
            rate_limiter: RateLimiter::new(REQUEST_INTERVAL),
        }
    }

    /// Returns the function with the given destination of its metrics.
    #[must_use]
    pub fn reporting_to(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Runs once, within a time limit.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. What was done stays done, and the next run continues from there.
    pub async fn run(&self, time_limit: Duration) -> Result<Report, StoreError> {
        let report = self.run_from(time_limit, false).await?;
        self.store.note_run("reconcile").await;
        Ok(report)
    }

    /// Runs once and restarts the day's walk, regardless of its position: for an operator who has fixed something. The
    /// next runs continue it.
    ///
    /// # Errors
    ///
    /// Fails as [`run`](Self::run) does.
    pub async fn run_restarted(&self, time_limit: Duration) -> Result<Report, StoreError> {
        self.run_from(time_limit, true).await
    }

    /// Runs once. The future is on the heap: the caller's stack has no room for its state.
    fn run_from(&self, time_limit: Duration, restart: bool) -> BoxFuture<'_, Result<Report, StoreError>> {
        Box::pin(async move {
            let mut run = Run {
                restart,
                store: &self.store,
                reconciler: Reconciler::new(&self.store, &self.marketplace, &self.rate_limiter),
                marketplace: &self.marketplace,
                now: self.store.clock().now(),
                until: Instant::now() + time_limit.saturating_sub(RESERVE),
                failures_in_a_row: 0,
                to_retry: Vec::new(),
                report: Report::default(),
            };
            let done = run.all().await;
            let report = run.report;
            self.store.note_outcomes("reconcile", self.marketplace.take_outcomes()).await;
            self.metrics.write(self.store.clock().now(), &measured(&report, done.is_err()));
            match done {
                Ok(()) => tracing::info!(?report, "Finished a run of the reconciliation"),
                Err(error) => {
                    tracing::error!(?report, error = %chain(&error), "A run of the reconciliation failed");
                    return Err(error);
                }
            }
            Ok(report)
        })
    }
}

fn measured(report: &Report, failed: bool) -> BTreeMap<Metric, u64> {
    let repairs = |kind: RepairKind| report.repairs.get(kind.as_str()).copied().unwrap_or_default();
    BTreeMap::from([
        (Metric::LicensesReconciled, report.licenses),
        (Metric::ReconcileFailures, report.failures),
        (Metric::ReconcileFindings, report.findings.values().sum()),
        (Metric::ReconcileRunsUnfinished, u64::from(report.unfinished)),
        (Metric::ReconcileRunsFailed, u64::from(failed)),
        (Metric::RepairsFound, repairs(RepairKind::Found)),
        (Metric::RepairsActivated, repairs(RepairKind::Activated)),
        (Metric::RepairsEnded, repairs(RepairKind::Ended)),
        (Metric::RepairsReopened, repairs(RepairKind::Reopened)),
        (Metric::RepairsRenewed, repairs(RepairKind::Renewed)),
        (Metric::RepairsHandedOver, repairs(RepairKind::HandedOver)),
        (Metric::RepairsEntitlements, repairs(RepairKind::Entitlements)),
    ])
}

/// A run of the reconciliation.
struct Run<'a> {
    /// Set if the walk restarts.
    restart: bool,
    store: &'a Store,
    reconciler: Reconciler<'a>,
    marketplace: &'a Marketplace,
    /// The moment that the whole run uses as the current time.
    now: Timestamp,
    /// The moment from which nothing new may be started.
    until: Instant,
    failures_in_a_row: usize,
    /// The licenses that failed.
    to_retry: Vec<LicenseId>,
    report: Report,
}

impl Run<'_> {
    /// Checks the licenses that failed in the last run, then the pending ones, then continues the walk of the day.
    async fn all(&mut self) -> Result<(), StoreError> {
        let known = self.store.reconciliation_progress().await?;
        let mut reconciled = self.progress_of_today(known.clone());
        for license in std::mem::take(&mut reconciled.to_retry) {
            if self.must_stop() {
                self.retry_later(license);
            } else {
                self.check(&license).await;
            }
        }
        // A walk that starts in this run covers all of them.
        let restarts = self.restart || known.as_ref().is_none_or(|known| known.day != reconciled.day);
        let checked = if restarts { Ok(()) } else { self.check_pending_licenses().await };
        let walked = match checked {
            Ok(()) => self.walk(&mut reconciled).await,
            Err(error) => Err(error),
        };
        self.report.unfinished = reconciled.at.is_some();
        reconciled.to_retry = std::mem::take(&mut self.to_retry);
        self.report.to_retry = reconciled.to_retry.len() as u64;
        if known.as_ref() != Some(&reconciled) {
            self.store.set_reconciliation_progress(&reconciled).await?;
        }
        walked
    }

    /// Returns the position of the walk. A walk of an earlier day is finished first, unless the walk restarts.
    fn progress_of_today(&self, known: Option<ReconciliationProgress>) -> ReconciliationProgress {
        let day = TimeZone::UTC.to_datetime(self.now).date();
        match known {
            Some(known) if !self.restart && (known.day == day || known.at.is_some()) => known,
            known => ReconciliationProgress {
                day,
                at: Some(WalkPosition::Licenses { state: FIRST_STATE, after: None }),
                to_retry: known.map(|known| known.to_retry).unwrap_or_default(),
            },
        }
    }

    /// Checks the pending licenses that registered lately.
    async fn check_pending_licenses(&mut self) -> Result<(), StoreError> {
        self.failures_in_a_row = 0;
        let mut after = None;
        loop {
            let page = self.store.licenses_in_state(StateName::Pending, after.as_deref(), PAGE_SIZE).await?;
            let registered_lately = |license: &&License| {
                license.registered_at.is_some_and(|at| self.now.duration_since(at) < CHECKED_AFTER_REGISTRATION)
            };
            let waiting: Vec<LicenseId> =
                page.licenses.iter().filter(registered_lately).map(|license| license.id.clone()).collect();
            for license in waiting {
                if self.must_stop() {
                    return Ok(());
                }
                self.check(&license).await;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Continues the walk until it is done, the time has run out, or AWS does not answer.
    async fn walk(&mut self, reconciled: &mut ReconciliationProgress) -> Result<(), StoreError> {
        self.failures_in_a_row = 0;
        while let Some(stop) = reconciled.at.clone().filter(|_| !self.must_stop()) {
            let next = match stop {
                WalkPosition::Licenses { state, after } => self.walk_licenses(state, after).await?,
                WalkPosition::Agreements { after } => self.walk_agreements(after).await?,
            };
            let WalkResult::Through(next) = next else { return Ok(()) };
            reconciled.at = next;
            reconciled.to_retry.clone_from(&self.to_retry);
            self.store.set_reconciliation_progress(reconciled).await?;
        }
        Ok(())
    }

    /// Checks a page of the licenses in a state.
    async fn walk_licenses(&mut self, state: StateName, after: Option<String>) -> Result<WalkResult, StoreError> {
        let page = self.store.licenses_in_state(state, after.as_deref(), PAGE_SIZE).await?;
        let now = self.now;
        for license in page.licenses.iter().filter(|license| needs_check(license, now)) {
            if self.is_out_of_time() {
                return Ok(WalkResult::OutOfTime);
            }
            // A license that keeps failing must not hold the walk at this page.
            match self.is_aws_answering() {
                true => self.check(&license.id).await,
                false => self.retry_later(license.id.clone()),
            }
        }
        Ok(WalkResult::Through(Some(match (page.next, state_after(state)) {
            (Some(after), _) => WalkPosition::Licenses { state, after: Some(after) },
            (None, Some(state)) => WalkPosition::Licenses { state, after: None },
            (None, None) => WalkPosition::Agreements { after: None },
        })))
    }

    /// Checks the agreements about the next listing.
    async fn walk_agreements(&mut self, after: Option<ProductCode>) -> Result<WalkResult, StoreError> {
        let mut listings = self.store.all_listings().await?.into_iter();
        let next = listings.find(|listing| after.as_ref().is_none_or(|done| listing.product_code > *done));
        let Some(listing) = next else { return Ok(WalkResult::Through(None)) };
        let failures = self.report.failures;
        match listing.mode {
            Mode::License => self.find_unknown_licenses(&listing).await,
            // The agreements of these listings name no license, and their notifications name no agreement.
            Mode::Customer => {}
        }
        // A failed listing is checked again tomorrow: one that AWS refuses must not prevent the walk from ending.
        if self.is_out_of_time() {
            return Ok(WalkResult::OutOfTime);
        }
        self.report.skipped += self.report.failures - failures;
        Ok(WalkResult::Through(Some(WalkPosition::Agreements { after: Some(listing.product_code) })))
    }

    /// Checks every agreement in force about a listing for licenses that the table does not know.
    async fn find_unknown_licenses(&mut self, listing: &Listing) {
        let (mut page, about) = (None, listing.product_code.to_string());
        loop {
            self.reconciler.wait_turn().await;
            let answer = self.marketplace.search_agreements(&listing.product_id, Agreements::InForce, page).await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => return self.failed(&about, &error.into()),
            };
            for agreement in &answer.agreements {
                if self.must_stop() {
                    return;
                }
                match self.reconciler.find_unknown_licenses(listing, agreement).await {
                    Ok(outcome) => self.count(&outcome),
                    Err(error) => self.failed(&about, &error),
                }
            }
            page = answer.next;
            if page.is_none() || self.must_stop() {
                return;
            }
        }
    }

    /// Checks a license. A failure stops nothing, and the next run tries the license again, unless AWS refuses it.
    async fn check(&mut self, license: &LicenseId) {
        match self.reconciler.reconcile(license).await {
            Ok(outcome) => {
                self.report.licenses += 1;
                self.to_retry.retain(|failed| failed != license);
                self.count(&outcome);
            }
            Err(error) => {
                self.failed(license.as_str(), &error);
                // AWS would refuse it again: an operator fixes the cause, and the next walk covers it.
                match is_refused(&error) {
                    true => self.report.skipped += 1,
                    false => self.retry_later(license.clone()),
                }
            }
        }
    }

    fn retry_later(&mut self, license: LicenseId) {
        match self.to_retry.contains(&license) {
            true => {}
            false if self.to_retry.len() < MAX_RETRIED_LICENSES => self.to_retry.push(license),
            false => self.report.skipped += 1,
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        self.failures_in_a_row = 0;
        for repair in &outcome.repairs {
            *self.report.repairs.entry(repair.kind.as_str()).or_default() += 1;
        }
        for finding in &outcome.findings {
            *self.report.findings.entry(finding.kind.as_str()).or_default() += 1;
        }
    }

    fn failed(&mut self, about: &str, error: &ReconcileError) {
        // A refusal says nothing about the other licenses.
        if !is_refused(error) {
            self.failures_in_a_row += 1;
        }
        self.report.failures += 1;
        tracing::warn!(about, error = %chain(error), counter = "reconcile_failed", "Failed to reconcile; a later run retries");
    }

    /// Returns `true` if nothing new may be started: the time has run out, or AWS does not answer.
    fn must_stop(&self) -> bool {
        self.is_out_of_time() || !self.is_aws_answering()
    }

    fn is_out_of_time(&self) -> bool {
        Instant::now() >= self.until
    }

    fn is_aws_answering(&self) -> bool {
        self.failures_in_a_row < MAX_FAILURES_IN_A_ROW
    }
}

fn is_refused(error: &ReconcileError) -> bool {
    matches!(error, ReconcileError::Marketplace(MarketplaceError::Refused { .. }))
}

/// The progress of a part of the walk.
enum WalkResult {
    /// The part is done, and this is the next stop.
    Through(Option<WalkPosition>),
    /// The part is not done: the next run starts it again.
    OutOfTime,
}

fn state_after(state: StateName) -> Option<StateName> {
    match state {
        StateName::Active => Some(StateName::Pending),
        StateName::Pending => Some(StateName::Failed),
        StateName::Failed => Some(StateName::Ending),
        StateName::Ending => Some(StateName::Ended),
        StateName::Ended => None,
    }
}

fn needs_check(license: &License, now: Timestamp) -> bool {
    license.usage_until().is_none_or(|until| now.duration_since(until) < CHECKED_AFTER_END)
}

//! The scheduled reconciliation: every license that is not long over, and every agreement that AWS has in force, is held
//! against what AWS shows, once a day.
//!
//! It runs every hour. The first run of a day begins the walk, and a run goes on where the one before stopped; once the
//! walk is done, what is left are licenses that began lately and wait, since their usage must not wait a day: AWS takes
//! none that is older. AWS is asked ten times a second at most. It answers twenty (GetEntitlements), and the rest is
//! for news, for pages and for what is sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use stallkeeper::aws::chain;
use stallkeeper::ids::{LicenseId, ProductCode};
use stallkeeper::license::{License, StateName};
use stallkeeper::listing::{Listing, Mode};
use stallkeeper::marketplace::{Agreements, Marketplace, MarketplaceError};
use stallkeeper::metrics::{Metric, Metrics};
use stallkeeper::reconcile::{Outcome, Pace, ReconcileError, Reconciler, RepairKind};
use stallkeeper::store::{Reconciled, Stop, Store, StoreError};
use stallkeeper::time::Clock;
use tokio::time::Instant;

/// From one request to the next.
const PACE: Duration = Duration::from_millis(100);

/// What a run leaves of its time limit for the license that it has begun.
const RESERVE: Duration = Duration::from_secs(60);

/// How many licenses are read at once. The walk is written down after each page.
const PAGE: i32 = 25;

/// After so many failures in a row AWS is taken not to answer. The walk waits for the next run, which begins with what
/// failed.
const MOST_FAILURES: usize = 5;

/// How many licenses that failed are kept for the next run; the next walk comes by the others.
const MOST_AGAIN: usize = 200;

/// For how long a license that is over is looked at.
const STILL_OF_INTEREST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// For how long a license that waits is looked at in every run: AWS takes usage for 24 hours.
const BEGAN_LATELY: SignedDuration = SignedDuration::from_hours(26);

/// Where the walk begins: access and money depend on what is in force.
const FIRST: StateName = StateName::Active;

/// The function.
#[derive(Debug)]
pub struct Reconciliation {
    store: Store,
    marketplace: Marketplace,
    metrics: Metrics,
    pace: Pace,
}

/// What a run has done.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Licenses that were looked at.
    pub licenses: u64,
    /// What was made good, by kind.
    pub repairs: BTreeMap<&'static str, u64>,
    /// What a person must look at, by kind.
    pub findings: BTreeMap<&'static str, u64>,
    /// Licenses and listings that could not be looked at. They are as they were.
    pub failures: u64,
    /// How many licenses are left that the next run begins with, since they could not be looked at.
    pub again: u64,
    /// What could not be looked at and waits for the next walk: what AWS refuses, and what there was no room to keep.
    pub not_kept: u64,
    /// Whether the day's walk goes on in the next run.
    pub unfinished: bool,
}

impl Reconciliation {
    /// The function on the table of that name. Nobody reads its metrics, unless [`reporting_to`](Self::reporting_to)
    /// says where they go.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self {
            store: Store::new(config, table, clock),
            marketplace: Marketplace::new(config),
            metrics: Metrics::unread(),
            pace: Pace::of(PACE),
        }
    }

    /// The function with its metrics going there.
    #[must_use]
    pub fn reporting_to(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Runs once, within a time limit.
    ///
    /// # Errors
    ///
    /// When the table does not answer. What was done stays done, and the next run goes on from there.
    pub async fn run(&self, time_limit: Duration) -> Result<Report, StoreError> {
        let report = self.run_from(time_limit, false).await?;
        self.store.note_run("reconcile").await;
        Ok(report)
    }

    /// Runs once and begins the day's walk anew, whatever was walked of it: for an operator who has mended something.
    /// The next runs go on with it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_anew(&self, time_limit: Duration) -> Result<Report, StoreError> {
        self.run_from(time_limit, true).await
    }

    /// On the heap: its caller's stack has no room for all that is under way in it.
    fn run_from(&self, time_limit: Duration, anew: bool) -> BoxFuture<'_, Result<Report, StoreError>> {
        Box::pin(async move {
            let mut run = Run {
                anew,
                store: &self.store,
                reconciler: Reconciler::new(&self.store, &self.marketplace, &self.pace),
                marketplace: &self.marketplace,
                now: self.store.clock().now(),
                until: Instant::now() + time_limit.saturating_sub(RESERVE),
                failures_in_a_row: 0,
                again: Vec::new(),
                report: Report::default(),
            };
            let done = run.all().await;
            let report = run.report;
            self.store.note_outcomes("reconcile", self.marketplace.take_outcomes()).await;
            self.metrics.write(self.store.clock().now(), &measured(&report, done.is_err()));
            match done {
                Ok(()) => tracing::info!(?report, "the reconciliation has run"),
                Err(error) => {
                    tracing::error!(?report, error = %chain(&error), "the reconciliation has failed");
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
        (Metric::ReconcileUnfinished, u64::from(report.unfinished)),
        (Metric::ReconcileFailed, u64::from(failed)),
        (Metric::RepairsFound, repairs(RepairKind::Found)),
        (Metric::RepairsActivated, repairs(RepairKind::Activated)),
        (Metric::RepairsEnded, repairs(RepairKind::Ended)),
        (Metric::RepairsReopened, repairs(RepairKind::Reopened)),
        (Metric::RepairsRenewed, repairs(RepairKind::Renewed)),
        (Metric::RepairsHandedOver, repairs(RepairKind::HandedOver)),
        (Metric::RepairsEntitlements, repairs(RepairKind::Entitlements)),
    ])
}

/// One run.
struct Run<'a> {
    /// Whether the walk begins again.
    anew: bool,
    store: &'a Store,
    reconciler: Reconciler<'a>,
    marketplace: &'a Marketplace,
    /// The moment that the whole run goes by.
    now: Timestamp,
    /// When nothing new may be begun.
    until: Instant,
    failures_in_a_row: usize,
    /// The licenses that failed.
    again: Vec<LicenseId>,
    report: Report,
}

impl Run<'_> {
    /// First what failed in the last run, then what waits, then the walk of the day.
    async fn all(&mut self) -> Result<(), StoreError> {
        let known = self.store.reconciled().await?;
        let mut reconciled = self.of_today(known.clone());
        for license in std::mem::take(&mut reconciled.again) {
            if self.is_over() {
                self.keep(license);
            } else {
                self.look_at(&license).await;
            }
        }
        // The walk comes by all of them, if it only begins now.
        let begins = self.anew || known.as_ref().is_none_or(|known| known.day != reconciled.day);
        let waited = if begins { Ok(()) } else { self.look_at_what_waits().await };
        let walked = match waited {
            Ok(()) => self.walk(&mut reconciled).await,
            Err(error) => Err(error),
        };
        self.report.unfinished = reconciled.at.is_some();
        reconciled.again = std::mem::take(&mut self.again);
        self.report.again = reconciled.again.len() as u64;
        if known.as_ref() != Some(&reconciled) {
            self.store.set_reconciled(&reconciled).await?;
        }
        walked
    }

    /// Where the walk is: that of an earlier day is ended first, unless it begins anew.
    fn of_today(&self, known: Option<Reconciled>) -> Reconciled {
        let day = TimeZone::UTC.to_datetime(self.now).date();
        match known {
            Some(known) if !self.anew && (known.day == day || known.at.is_some()) => known,
            known => Reconciled {
                day,
                at: Some(Stop::Licenses { state: FIRST, after: None }),
                again: known.map(|known| known.again).unwrap_or_default(),
            },
        }
    }

    /// The licenses that wait and began lately.
    async fn look_at_what_waits(&mut self) -> Result<(), StoreError> {
        self.failures_in_a_row = 0;
        let mut after = None;
        loop {
            let page = self.store.licenses_in_state(StateName::Pending, after.as_deref(), PAGE).await?;
            let began_lately =
                |license: &&License| license.registered_at.is_some_and(|at| self.now.duration_since(at) < BEGAN_LATELY);
            let waiting: Vec<LicenseId> =
                page.licenses.iter().filter(began_lately).map(|license| license.id.clone()).collect();
            for license in waiting {
                if self.is_over() {
                    return Ok(());
                }
                self.look_at(&license).await;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Goes on with the walk until it is done, or time is over, or AWS does not answer.
    async fn walk(&mut self, reconciled: &mut Reconciled) -> Result<(), StoreError> {
        self.failures_in_a_row = 0;
        while let Some(stop) = reconciled.at.clone().filter(|_| !self.is_over()) {
            let next = match stop {
                Stop::Licenses { state, after } => self.walk_licenses(state, after).await?,
                Stop::Agreements { after } => self.walk_agreements(after).await?,
            };
            let Walked::Through(next) = next else { return Ok(()) };
            reconciled.at = next;
            reconciled.again.clone_from(&self.again);
            self.store.set_reconciled(reconciled).await?;
        }
        Ok(())
    }

    /// A page of the licenses in a state.
    async fn walk_licenses(&mut self, state: StateName, after: Option<String>) -> Result<Walked, StoreError> {
        let page = self.store.licenses_in_state(state, after.as_deref(), PAGE).await?;
        let now = self.now;
        for license in page.licenses.iter().filter(|license| is_of_interest(license, now)) {
            if self.is_late() {
                return Ok(Walked::Short);
            }
            // What keeps failing must not keep the walk at this page.
            match self.aws_answers() {
                true => self.look_at(&license.id).await,
                false => self.keep(license.id.clone()),
            }
        }
        Ok(Walked::Through(Some(match (page.next, after_state(state)) {
            (Some(after), _) => Stop::Licenses { state, after: Some(after) },
            (None, Some(state)) => Stop::Licenses { state, after: None },
            (None, None) => Stop::Agreements { after: None },
        })))
    }

    /// The agreements about the next listing.
    async fn walk_agreements(&mut self, after: Option<ProductCode>) -> Result<Walked, StoreError> {
        let mut listings = self.store.all_listings().await?.into_iter();
        let next = listings.find(|listing| after.as_ref().is_none_or(|done| listing.product_code > *done));
        let Some(listing) = next else { return Ok(Walked::Through(None)) };
        let failures = self.report.failures;
        match listing.mode {
            Mode::License => self.look_for_unknown(&listing).await,
            // Their agreements name no license, and their news none of them.
            Mode::Customer => {}
        }
        // What failed is looked for tomorrow: a listing that AWS refuses must not keep the walk from its end.
        if self.is_late() {
            return Ok(Walked::Short);
        }
        self.report.not_kept += self.report.failures - failures;
        Ok(Walked::Through(Some(Stop::Agreements { after: Some(listing.product_code) })))
    }

    /// Every agreement in force about a listing, for licenses that the table does not know.
    async fn look_for_unknown(&mut self, listing: &Listing) {
        let (mut page, about) = (None, listing.product_code.to_string());
        loop {
            self.reconciler.turn().await;
            let answer = self.marketplace.search_agreements(&listing.product_id, Agreements::InForce, page).await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => return self.failed(&about, &error.into()),
            };
            for agreement in &answer.agreements {
                if self.is_over() {
                    return;
                }
                match self.reconciler.look_for_unknown(listing, agreement).await {
                    Ok(outcome) => self.count(&outcome),
                    Err(error) => self.failed(&about, &error),
                }
            }
            page = answer.next;
            if page.is_none() || self.is_over() {
                return;
            }
        }
    }

    /// Looks at a license. One that fails stops nothing, and is tried again in the next run.
    async fn look_at(&mut self, license: &LicenseId) {
        match self.reconciler.reconcile(license).await {
            Ok(outcome) => {
                self.report.licenses += 1;
                self.again.retain(|failed| failed != license);
                self.count(&outcome);
            }
            Err(error) => {
                self.failed(license.as_str(), &error);
                // What AWS refuses it refuses again: an operator mends it, and the next walk comes by.
                match is_refused(&error) {
                    true => self.report.not_kept += 1,
                    false => self.keep(license.clone()),
                }
            }
        }
    }

    fn keep(&mut self, license: LicenseId) {
        match self.again.contains(&license) {
            true => {}
            false if self.again.len() < MOST_AGAIN => self.again.push(license),
            false => self.report.not_kept += 1,
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
        // One that is refused says nothing about the others.
        if !is_refused(error) {
            self.failures_in_a_row += 1;
        }
        self.report.failures += 1;
        tracing::warn!(about, error = %chain(error), counter = "reconcile_failed", "it is looked at again later");
    }

    /// Whether nothing new may be begun: time is over, or AWS does not answer.
    fn is_over(&self) -> bool {
        self.is_late() || !self.aws_answers()
    }

    fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    fn aws_answers(&self) -> bool {
        self.failures_in_a_row < MOST_FAILURES
    }
}

fn is_refused(error: &ReconcileError) -> bool {
    matches!(error, ReconcileError::Marketplace(MarketplaceError::Refused { .. }))
}

/// How far a part of the walk came.
enum Walked {
    /// To its end, and this is next.
    Through(Option<Stop>),
    /// Not to its end: it is begun again in the next run.
    Short,
}

fn after_state(state: StateName) -> Option<StateName> {
    match state {
        StateName::Active => Some(StateName::Pending),
        StateName::Pending => Some(StateName::Failed),
        StateName::Failed => Some(StateName::Ending),
        StateName::Ending => Some(StateName::Ended),
        StateName::Ended => None,
    }
}

fn is_of_interest(license: &License, now: Timestamp) -> bool {
    license.usage_until().is_none_or(|until| now.duration_since(until) < STILL_OF_INTEREST)
}

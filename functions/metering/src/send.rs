//! Sending: due records are packed into calls, claimed, sent, and settled by AWS's answer.
//!
//! Product by product, urgent records first. What rejects a whole call is found by halving it. What AWS will not take
//! at all of a product pauses that product, or one dimension of it; a run then sends one record as a probe.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::SignedDuration;
use stallkeeper::ids::{DimensionKey, ProductCode};
use stallkeeper::license::{FINAL_REPORTING, State};
use stallkeeper::metering::{
    AcceptedBy, Answer, Buyer, HoldReason, HourlyRecord, Outcome, RecordName, RecordState, Rejection, Status, ended,
    expired, next_attempt, pack, read_status,
};
use stallkeeper::store::keys::SHARDS;
use stallkeeper::store::{Pause, StoreError};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::Run;
use crate::hour::problem;

/// How many due records of a shard are looked at together.
const PAGE: usize = 500;

/// The pace of calls: AWS takes 10 a second of an account and region.
const PACE: Duration = Duration::from_millis(100);

/// When a record that waits behind a pause is looked at again.
const PAUSED: SignedDuration = SignedDuration::from_mins(4);

/// How many records are tried before a paused product is left for this run, each of another license.
const PROBES: usize = 3;

/// Sends what is due, until nothing is or time is over.
pub(crate) async fn send_due_records(run: &mut Run<'_>) -> Result<(), StoreError> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen: HashSet<RecordName> = HashSet::new();
    for urgent in [true, false] {
        loop {
            let mut due: BTreeMap<ProductCode, Vec<HourlyRecord>> = BTreeMap::new();
            let shards = (0..SHARDS).map(|shard| run.store.due_records(shard, urgent, run.now, PAGE));
            for record in try_join_all(shards).await?.into_iter().flatten() {
                // The index may still show what this run has dealt with.
                if seen.insert(record.name.clone()) {
                    due.entry(record.product.clone()).or_default().push(record);
                }
            }
            if due.is_empty() || run.is_over() {
                break;
            }
            for (product, mut records) in due {
                records.sort_by_key(|record| record.name.hour);
                let records = sendable(run, records).await?;
                Sending::begin(run, &mut pace, product).await?.send_all(records).await?;
            }
        }
    }
    judge_rejected(run).await
}

/// A record before and after its outcome, counted.
fn settled(run: &mut Run<'_>, record: HourlyRecord, outcome: Outcome) -> (HourlyRecord, HourlyRecord) {
    let mut after = record.clone();
    match outcome {
        Outcome::Final(state) => {
            match &state {
                RecordState::Accepted { by, .. } => {
                    run.get_through.insert(record.product.clone());
                    run.report.accepted += 1;
                    if *by == AcceptedBy::Duplicate {
                        tracing::info!(license = %record.name.license, hour = %record.name.hour, "booked before");
                    }
                }
                RecordState::Conflict => problem(run, &record, "conflict"),
                RecordState::Refused { .. } => problem(run, &record, "refused"),
                RecordState::Unconfirmed { .. } => problem(run, &record, "unconfirmed"),
                RecordState::Expired => problem(run, &record, "expired"),
                RecordState::Held { .. }
                | RecordState::Sealed
                | RecordState::Claimed { .. }
                | RecordState::Folded { .. } => {}
            }
            after.state = state;
        }
        Outcome::Again { unanswered } => {
            after.state = RecordState::Sealed;
            after.unanswered |= unanswered;
            after.not_before = next_attempt(&record, run.store.clock().now());
        }
    }
    (record, after)
}

/// Decides about the records that AWS has rejected: where others of the product were booked in this run, the fault is
/// theirs; where nothing of several licenses gets through, it is the product's, and they wait. One alone proves
/// neither and goes again.
async fn judge_rejected(run: &mut Run<'_>) -> Result<(), StoreError> {
    for (record, rejection) in std::mem::take(&mut run.rejected) {
        let outcome = if run.get_through.contains(&record.product) {
            Outcome::Final(ended(&record, rejection.code()))
        } else {
            Outcome::Again { unanswered: false }
        };
        let change = settled(run, record, outcome);
        run.store.settle(&[change]).await?;
    }
    Ok(())
}

/// The records that can be sent: their window is open and their buyer known. The others are settled.
async fn sendable(run: &mut Run<'_>, records: Vec<HourlyRecord>) -> Result<Vec<HourlyRecord>, StoreError> {
    let mut sendable = Vec::new();
    let mut settled = Vec::new();
    for record in records {
        let mut after = record.clone();
        if is_held_by_a_run(&record, run) {
            continue;
        } else if run.now >= record.window_closes() {
            after.unanswered |= matches!(record.state, RecordState::Claimed { .. });
            after.state = expired(&after);
            problem(run, &after, "window_closed");
        } else if record.buyer.is_none() {
            let license = run.store.license(&record.name.license).await?;
            after.buyer = license.as_ref().and_then(Buyer::of);
            after.state = match after.buyer {
                Some(_) => RecordState::Sealed,
                None => RecordState::Held { reason: HoldReason::BuyerUnknown },
            };
            after.not_before = if after.buyer.is_some() { run.now } else { run.now + PAUSED };
        } else {
            sendable.push(record);
            continue;
        }
        settled.push((record, after));
    }
    run.store.settle(&settled).await?;
    let identified = settled.into_iter().map(|(_, after)| after).filter(|after| after.state == RecordState::Sealed);
    sendable.extend(identified);
    Ok(sendable)
}

/// Whether another run's claim is still good.
fn is_held_by_a_run(record: &HourlyRecord, run: &Run<'_>) -> bool {
    matches!(&record.state, RecordState::Claimed { .. }) && record.not_before > run.now
}

/// The sending of one product's records.
struct Sending<'r, 'a> {
    run: &'r mut Run<'a>,
    pace: &'r mut Interval,
    product: ProductCode,
    pauses: Vec<Pause>,
}

/// Whether the rest of a product's records can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    Go,
    Stop,
}

impl<'r, 'a> Sending<'r, 'a> {
    async fn begin(run: &'r mut Run<'a>, pace: &'r mut Interval, product: ProductCode) -> Result<Self, StoreError> {
        let pauses = run.store.pauses(&product).await?;
        Ok(Self { run, pace, product, pauses })
    }

    async fn send_all(mut self, records: Vec<HourlyRecord>) -> Result<(), StoreError> {
        let records = match self.probe(records).await? {
            Ok(free) => free,
            Err(waiting) => return self.put_off(waiting).await,
        };
        let mut calls: VecDeque<Vec<HourlyRecord>> = pack(records).into();
        while let Some(call) = calls.pop_front() {
            if self.run.is_over() {
                break;
            }
            let call: Vec<HourlyRecord> = self.without_paused_dimensions(call).await?;
            if call.is_empty() {
                continue;
            }
            if self.send(call, &mut calls).await? == Onward::Stop {
                let waiting = calls.into_iter().flatten().collect();
                return self.put_off(waiting).await;
            }
        }
        self.pause_if_nothing_gets_through().await
    }

    /// Sends one record for each pause. Answers the records that are free to go, or, where the whole product stays
    /// paused, those that wait.
    async fn probe(
        &mut self,
        mut records: Vec<HourlyRecord>,
    ) -> Result<Result<Vec<HourlyRecord>, Vec<HourlyRecord>>, StoreError> {
        for pause in self.pauses.clone() {
            let is_paused =
                |record: &HourlyRecord| pause.dimension.as_ref().is_none_or(|paused| *paused == record.name.dimension);
            let mut tried = HashSet::new();
            while tried.len() < PROBES {
                // The least tried first, so that one that is rejected for itself is not the probe for ever.
                let candidates = records.iter().enumerate().filter(|(_, record)| is_paused(record));
                let fresh = candidates.filter(|(_, record)| !tried.contains(&record.name.license));
                let Some(place) = fresh.min_by_key(|(_, record)| record.attempts).map(|(place, _)| place) else {
                    break;
                };
                let probe = records.remove(place);
                tried.insert(probe.name.license.clone());
                let accepted_before = self.run.report.accepted;
                self.send(vec![probe], &mut VecDeque::new()).await?;
                if self.run.report.accepted > accepted_before {
                    self.run.store.lift_pause(&pause).await?;
                    self.pauses.retain(|other| *other != pause);
                    tracing::info!(product = %pause.product, counter = "pause_lifted", "a probe was accepted");
                    break;
                }
            }
            if pause.dimension.is_none() && self.pauses.contains(&pause) {
                return Ok(Err(records));
            }
        }
        Ok(Ok(records))
    }

    async fn without_paused_dimensions(&mut self, call: Vec<HourlyRecord>) -> Result<Vec<HourlyRecord>, StoreError> {
        let is_paused = |dimension: &DimensionKey| {
            self.pauses.iter().any(|pause| pause.dimension.as_ref().is_none_or(|paused| paused == dimension))
        };
        let (waiting, free) = call.into_iter().partition(|record| is_paused(&record.name.dimension));
        self.put_off(waiting).await?;
        Ok(free)
    }

    /// Makes one call. What rejects it as a whole is put back in halves, until it is a single record.
    async fn send(
        &mut self,
        call: Vec<HourlyRecord>,
        calls: &mut VecDeque<Vec<HourlyRecord>>,
    ) -> Result<Onward, StoreError> {
        let Some(call) = self.claim(call).await? else { return Ok(Onward::Go) };
        self.pace.tick().await;
        let answer = self.run.marketplace.batch_meter_usage(&call).await;
        self.run.report.calls += 1;
        self.run.report.sent += call.len();
        match answer {
            Answer::Records(statuses) => {
                let mut changes = Vec::new();
                for record in call {
                    let status = statuses.iter().find(|(name, _)| *name == record.name).map(|(_, status)| status);
                    let outcome = match status {
                        Some(status @ Status::NotSubscribed) => {
                            read_status(&record, status, self.is_open(&record).await.unwrap_or(true))
                        }
                        Some(status) => read_status(&record, status, true),
                        None => Outcome::Again { unanswered: true },
                    };
                    changes.push(settled(self.run, record, outcome));
                }
                self.run.store.settle(&changes).await?;
                Ok(Onward::Go)
            }
            Answer::NotBooked(code) => self.again(call, false, &code).await,
            Answer::Nothing => self.again(call, true, "no_answer").await,
            Answer::Rejected(Rejection::Configuration(code)) => {
                self.pause(None, &code).await?;
                self.again(call, false, &code).await?;
                Ok(Onward::Stop)
            }
            Answer::Rejected(rejection) if call.len() > 1 => {
                let mut first = self.not_booked(call).await?;
                let second = first.split_off(first.len() / 2);
                tracing::info!(code = rejection.code(), "a call was rejected; its halves are sent");
                calls.push_front(second);
                calls.push_front(first);
                Ok(Onward::Go)
            }
            Answer::Rejected(rejection) => self.single_rejected(call, rejection).await,
        }
    }

    /// Gives back the claim of records that AWS has certainly not booked: they can go again at once.
    async fn not_booked(&self, call: Vec<HourlyRecord>) -> Result<Vec<HourlyRecord>, StoreError> {
        let not_before = self.run.store.clock().now();
        let free = |record: &HourlyRecord| HourlyRecord { state: RecordState::Sealed, not_before, ..record.clone() };
        let changes: Vec<_> = call.into_iter().map(|record| (record.clone(), free(&record))).collect();
        self.run.store.settle(&changes).await?;
        Ok(changes.into_iter().map(|(_, after)| after).collect())
    }

    /// Claims a call's records. Where one was changed since it was read, each is read again, and those that can be
    /// claimed are.
    async fn claim(&self, call: Vec<HourlyRecord>) -> Result<Option<Vec<HourlyRecord>>, StoreError> {
        let (store, id, now) = (self.run.store, self.run.id.as_str(), self.run.store.clock().now());
        if let Some(claimed) = store.claim(&call, id, now).await? {
            return Ok(Some(claimed));
        }
        let mut current = Vec::new();
        for record in &call {
            let record = store.record(&record.name).await?;
            current.extend(record.filter(|record| match &record.state {
                RecordState::Sealed => record.not_before <= now,
                RecordState::Claimed { run, .. } => run == id || record.not_before <= now,
                RecordState::Held { .. }
                | RecordState::Accepted { .. }
                | RecordState::Conflict
                | RecordState::Refused { .. }
                | RecordState::Expired
                | RecordState::Unconfirmed { .. }
                | RecordState::Folded { .. } => false,
            }));
        }
        if current.is_empty() { Ok(None) } else { store.claim(&current, id, now).await }
    }

    /// Whether AWS may still take usage of a record's license.
    async fn is_open(&self, record: &HourlyRecord) -> Result<bool, StoreError> {
        let Some(license) = self.run.store.license(&record.name.license).await? else { return Ok(false) };
        Ok(match license.state_at(self.run.now) {
            State::Pending | State::Failed | State::Active => true,
            State::Ending { usage_until } => self.run.now.duration_since(usage_until) < FINAL_REPORTING,
            State::Ended { .. } => false,
        })
    }

    /// The same records go again later.
    async fn again(&mut self, call: Vec<HourlyRecord>, unanswered: bool, code: &str) -> Result<Onward, StoreError> {
        tracing::warn!(product = %self.product, code, unanswered, counter = "metering_call_failed", "the call goes again");
        let changes: Vec<_> =
            call.into_iter().map(|record| settled(self.run, record, Outcome::Again { unanswered })).collect();
        self.run.store.settle(&changes).await?;
        Ok(Onward::Go)
    }

    /// AWS rejects this one record.
    async fn single_rejected(&mut self, call: Vec<HourlyRecord>, rejection: Rejection) -> Result<Onward, StoreError> {
        for record in call {
            let dimension = &record.name.dimension;
            let listing = self.run.store.listing(&self.product).await?;
            let is_declared = listing.is_some_and(|listing| listing.dimension(dimension).is_some());
            match &rejection {
                // By our clock its window is open; if ours is wrong it expires by name.
                Rejection::Timestamp => {
                    self.again(vec![record], false, rejection.code()).await?;
                }
                // The listing declares it and AWS does not know it yet: it waits for its publication.
                Rejection::Dimension(code) if is_declared => {
                    self.pause(Some(dimension.clone()), code).await?;
                    self.again(vec![record], false, code).await?;
                }
                Rejection::Dimension(_) | Rejection::Data(_) | Rejection::Configuration(_) => {
                    let free = self.not_booked(vec![record]).await?;
                    self.run.rejected.extend(free.into_iter().map(|record| (record, rejection.clone())));
                }
            }
        }
        Ok(Onward::Go)
    }

    /// Pauses the product if AWS has rejected records of several of its licenses and booked none.
    async fn pause_if_nothing_gets_through(&mut self) -> Result<(), StoreError> {
        let of_product = self.run.rejected.iter().filter(|(record, _)| record.product == self.product);
        let licenses: BTreeSet<_> = of_product.clone().map(|(record, _)| record.name.license.clone()).collect();
        let code = of_product.map(|(_, rejection)| rejection.code().to_owned()).next();
        match code {
            Some(code) if licenses.len() > 1 && !self.run.get_through.contains(&self.product) => {
                self.pause(None, &code).await
            }
            _ => Ok(()),
        }
    }

    async fn pause(&mut self, dimension: Option<DimensionKey>, reason: &str) -> Result<(), StoreError> {
        if self.pauses.iter().any(|pause| pause.dimension == dimension) {
            return Ok(());
        }
        let pause = Pause { product: self.product.clone(), dimension, reason: reason.to_owned(), since: self.run.now };
        tracing::error!(
            product = %pause.product, dimension = pause.dimension.as_ref().map(DimensionKey::as_str), reason,
            counter = "paused", "nothing of it gets through to AWS; a person must mend it"
        );
        self.run.store.pause(&pause).await?;
        self.pauses.push(pause);
        Ok(())
    }

    /// Leaves records for a later run, so that they do not stand in the way of others.
    async fn put_off(&self, records: Vec<HourlyRecord>) -> Result<(), StoreError> {
        let changes: Vec<_> = records
            .into_iter()
            .filter(|record| record.state == RecordState::Sealed)
            .map(|record| {
                let not_before = self.run.now.checked_add(PAUSED).unwrap_or(self.run.now);
                (record.clone(), HourlyRecord { not_before, ..record })
            })
            .collect();
        self.run.store.settle(&changes).await
    }
}

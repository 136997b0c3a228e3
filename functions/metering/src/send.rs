//! Sends records: packs due records into calls, urgent ones first, with as many calls in flight as the pace needs.
//!
//! The record that makes AWS reject a whole call is found by halving the call. A rejection that concerns a product or a
//! dimension pauses it ([`pause`](crate::pause)), and delays nothing else.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use domain::ids::ProductCode;
use domain::metering::{
    Buyer, HoldReason, HourlyRecord, Outcome, Packer, RecordName, RecordState, Rejection, ended, expired,
};
use domain::time::UsageHour;
use futures_util::future::{BoxFuture, try_join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::Metric;
use store::keys::{Rank, SHARDS};
use store::{IndexKey, StoreError};

use crate::call::{Answered, RateLimiter, attempt, count, retry, with_outcome};
use crate::pause::ProductState;
use crate::run::Run;

/// The most calls in flight: enough for AWS's 10 calls a second if one takes a second and a half.
const MAX_CONCURRENT_CALLS: usize = 16;

/// The time after which a waiting record is checked again.
pub(crate) const RECHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(4);

/// Sends the due records, until none is left or the time has run out.
pub(crate) async fn send_due_records(run: &Run<'_>) -> Result<(), StoreError> {
    let rate_limiter = RateLimiter::new(run.mode.call_interval);
    let mut sending = Sending::new(run, &rate_limiter);
    let sent = sending.all_due().await;
    // Calls in flight are settled in any case: each of their records is claimed.
    let finished = sending.finish().await;
    sent.and(finished)
}

/// The sending of one run.
struct Sending<'r, 'a> {
    run: &'r Run<'a>,
    rate_limiter: &'r RateLimiter,
    packer: Packer,
    products: BTreeMap<ProductCode, ProductState>,
    /// Calls that wait for a place among those in flight.
    waiting: VecDeque<Vec<HourlyRecord>>,
    in_flight: FuturesUnordered<BoxFuture<'r, Result<Answered, StoreError>>>,
    /// The records that this run has read. The index may still show them.
    read_records: HashSet<RecordName>,
}

impl<'r, 'a> Sending<'r, 'a> {
    fn new(run: &'r Run<'a>, rate_limiter: &'r RateLimiter) -> Self {
        Self {
            run,
            rate_limiter,
            packer: Packer::default(),
            products: BTreeMap::new(),
            waiting: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
            read_records: HashSet::new(),
        }
    }

    /// Processes the due records: those of small shards together; those of large shards rank by rank, a page of each
    /// shard at a time, the oldest hours of the pages first.
    async fn all_due(&mut self) -> Result<(), StoreError> {
        let run = self.run;
        let small = try_join_all((0..SHARDS).map(|shard| run.store.few_due_records(shard, run.now))).await?;
        let large: Vec<u8> =
            (0..SHARDS).zip(&small).filter(|(_, page)| page.is_none()).map(|(shard, _)| shard).collect();
        let mut due: Vec<HourlyRecord> = Vec::new();
        for page in small.into_iter().flatten() {
            run.count(Metric::RecordsUnreadable, page.unreadable);
            due.extend(page.records);
        }
        due.sort_by_key(|record| (!record.is_urgent(run.now), record.name.hour));
        self.take(due).await?;
        if large.is_empty() {
            return Ok(());
        }
        for rank in Rank::ALL {
            let mut shards: Vec<(u8, Option<IndexKey>)> = large.iter().map(|shard| (*shard, None)).collect();
            while !shards.is_empty() && !run.is_out_of_time() {
                let reading =
                    shards.iter().map(|(shard, from)| run.store.due_records(*shard, rank, run.now, from.clone()));
                let pages = try_join_all(reading).await?;
                let mut due = Vec::new();
                for ((shard, _), page) in std::mem::take(&mut shards).into_iter().zip(pages) {
                    run.count(Metric::RecordsUnreadable, page.unreadable);
                    due.extend(page.records);
                    shards.extend(page.next.map(|next| (shard, Some(next))));
                }
                due.sort_by_key(|record| record.name.hour);
                self.take(due).await?;
            }
        }
        Ok(())
    }

    /// Packs records, and sends the calls that are full.
    async fn take(&mut self, due: Vec<HourlyRecord>) -> Result<(), StoreError> {
        let mut of_product: BTreeMap<ProductCode, Vec<HourlyRecord>> = BTreeMap::new();
        let due = due.into_iter().filter(|record| self.read_records.insert(record.name.clone())).collect();
        for record in sendable(self.run, due).await? {
            of_product.entry(record.product.clone()).or_default().push(record);
        }
        for (product, records) in of_product {
            let free = self.filter_paused(&product, records).await?;
            for record in free {
                if let Some(call) = self.packer.add(record) {
                    self.waiting.push_back(call);
                    self.pump(MAX_CONCURRENT_CALLS).await?;
                }
            }
        }
        Ok(())
    }

    /// Returns the records of a product that no pause holds back, after sending the probes of each pause. Puts off the
    /// others.
    async fn filter_paused(
        &mut self,
        product: &ProductCode,
        mut records: Vec<HourlyRecord>,
    ) -> Result<Vec<HourlyRecord>, StoreError> {
        if !self.products.contains_key(product) {
            let pauses = self.run.store.pauses(product).await?;
            self.products.insert(product.clone(), ProductState::with(pauses));
        }
        while let Some((pause, probe)) = self.product(product).next_probe(&mut records) {
            if self.run.is_out_of_time() {
                return Ok(Vec::new());
            }
            // The run waits for the probe, and no claimed call may stall meanwhile.
            while !self.in_flight.is_empty() {
                self.await_next_call().await?;
            }
            let answered = attempt(self.run, self.rate_limiter, product.clone(), vec![probe]).await?;
            let is_judged = answered.is_judged;
            self.record_answer(answered).await?;
            if is_judged {
                self.run.store.lift_pause(&pause).await?;
                self.product(product).lift(&pause);
                tracing::info!(run = self.run.id, %product, "Lifted a pause: AWS accepted or refused a probe");
            }
        }
        let state = self.product(product);
        let (waiting, free) = records.into_iter().partition(|record| state.is_paused(&record.name.dimension));
        postpone(self.run, waiting).await?;
        Ok(free)
    }

    fn product(&mut self, product: &ProductCode) -> &mut ProductState {
        self.products.entry(product.clone()).or_default()
    }

    /// Starts waiting calls until no more than `left` wait, or the time has run out.
    async fn pump(&mut self, left: usize) -> Result<(), StoreError> {
        loop {
            while self.in_flight.len() < MAX_CONCURRENT_CALLS && !self.run.is_out_of_time() {
                let Some(call) = self.waiting.pop_front() else { break };
                self.start(call).await?;
            }
            if self.waiting.len() <= left || self.in_flight.is_empty() {
                return Ok(());
            }
            self.await_next_call().await?;
        }
    }

    /// Starts a call, without the records that were paused since it was packed.
    async fn start(&mut self, call: Vec<HourlyRecord>) -> Result<(), StoreError> {
        let Some(product) = call.first().map(|record| record.product.clone()) else { return Ok(()) };
        let state = self.product(&product);
        let (waiting, free): (Vec<_>, Vec<_>) =
            call.into_iter().partition(|record| state.is_paused(&record.name.dimension));
        postpone(self.run, waiting).await?;
        if !free.is_empty() {
            self.in_flight.push(attempt(self.run, self.rate_limiter, product, free).boxed());
        }
        Ok(())
    }

    async fn await_next_call(&mut self) -> Result<(), StoreError> {
        match self.in_flight.next().await {
            Some(answered) => self.record_answer(answered?).await,
            None => Ok(()),
        }
    }

    /// Processes the result of a call: notes a booking, pauses the product, or halves a rejected call.
    async fn record_answer(&mut self, answered: Answered) -> Result<(), StoreError> {
        let Answered { product, booked, is_judged: _, rejected } = answered;
        if booked > 0 {
            self.product(&product).has_booking = true;
            self.run.booked(&product);
        }
        let Some((rejection, mut records)) = rejected else { return Ok(()) };
        let run = self.run;
        if let Rejection::Configuration(code) = &rejection {
            self.product(&product).pause(run, &product, None, code).await?;
            return retry(run, &product, records, false, code).await;
        }
        if records.len() > 1 {
            let second = records.split_off(records.len() / 2);
            tracing::info!(run = run.id, %product, code = rejection.code(), "AWS rejected a call; sending its halves");
            self.waiting.push_front(second);
            self.waiting.push_front(records);
            return Ok(());
        }
        for record in records {
            self.record_rejected(&product, record, &rejection).await?;
        }
        Ok(())
    }

    /// Handles the rejection of a single record.
    async fn record_rejected(
        &mut self,
        product: &ProductCode,
        record: HourlyRecord,
        rejection: &Rejection,
    ) -> Result<(), StoreError> {
        let run = self.run;
        let dimension = record.name.dimension.clone();
        let listing = run.store.listing(product).await?;
        let is_declared = listing.is_some_and(|listing| listing.dimension(&dimension).is_some());
        match rejection {
            // By our clock its window is open. If our clock is wrong, the record expires and is reported as a problem.
            Rejection::Timestamp => retry(run, product, vec![record], false, rejection.code()).await,
            // The listing declares the dimension and AWS does not know it yet: the record waits for the dimension's
            // publication.
            Rejection::Dimension(code) if is_declared => {
                self.product(product).pause(run, product, Some(dimension), code).await?;
                retry(run, product, vec![record], false, code).await
            }
            Rejection::Dimension(_) | Rejection::Data(_) | Rejection::Configuration(_) => {
                self.product(product).rejected.push((record, rejection.clone()));
                Ok(())
            }
        }
    }

    /// Sends what is packed, waits for the calls in flight, and judges the rejected records. An error does not prevent
    /// calls in flight from being settled.
    async fn finish(&mut self) -> Result<(), StoreError> {
        self.waiting.extend(self.packer.finish());
        let mut finished = Ok(());
        loop {
            finished = finished.and(self.pump(0).await);
            if self.in_flight.is_empty() {
                break;
            }
            // An answer may make two halves of a call wait.
            finished = finished.and(self.await_next_call().await);
        }
        finished?;
        for (product, state) in &mut self.products {
            state.pause_if_nothing_is_booked(self.run, product).await?;
            judge_rejected(self.run, state).await?;
        }
        Ok(())
    }
}

/// Settles the single records that AWS has rejected. If another record of their product was booked in this run, they
/// are refused; otherwise the product may be at fault, and they are sent again.
async fn judge_rejected(run: &Run<'_>, state: &mut ProductState) -> Result<(), StoreError> {
    let has_booking = state.has_booking;
    let changes: Vec<_> = state
        .rejected
        .drain(..)
        .map(|(record, rejection)| {
            if has_booking {
                return with_outcome(run, record.clone(), Outcome::Final(ended(&record, rejection.code())));
            }
            let (before, mut after) = with_outcome(run, record, Outcome::Retry { unanswered: false });
            after.not_before = after.not_before.min(next_closing(run.now));
            (before, after)
        })
        .collect();
    run.store.settle(&changes).await
}

/// Returns the time at which the next hour is summed: then other records of every product are sent, which shows if the
/// product is at fault.
fn next_closing(now: Timestamp) -> Timestamp {
    let hour = UsageHour::of(now);
    let closes = hour.previous().summed_from();
    if closes > now { closes } else { hour.summed_from() }
}

/// Returns the records that can be sent: their window is open and their buyer known. Settles the others.
async fn sendable(run: &Run<'_>, records: Vec<HourlyRecord>) -> Result<Vec<HourlyRecord>, StoreError> {
    let unknown = records.iter().filter(|record| record.buyer.is_none()).map(|record| record.name.license.clone());
    let unknown: Vec<_> = unknown.collect::<BTreeSet<_>>().into_iter().collect();
    let licenses = run.store.licenses(&unknown).await?;
    let mut sendable = Vec::new();
    let mut changes = Vec::new();
    for record in records {
        if is_claimed(&record, run) {
            continue;
        }
        // The run that held it may have sent it.
        let unanswered = record.unanswered || matches!(record.state, RecordState::Claimed { .. });
        let tried = || HourlyRecord { unanswered, ..record.clone() };
        let after = if run.now >= record.window_closes() {
            end_record(run, &tried(), expired(&tried()))
        } else if record.buyer.is_none() {
            let license = licenses.iter().find(|license| license.id == record.name.license);
            match license.and_then(Buyer::of) {
                Some(buyer) => HourlyRecord {
                    buyer: Some(buyer),
                    not_before: run.now,
                    ..record.with_state_at(RecordState::Sealed, run.now)
                },
                None => HourlyRecord {
                    state: RecordState::Held { reason: HoldReason::BuyerUnknown },
                    not_before: waits_until(run, &record),
                    ..record.clone()
                },
            }
        } else if run.mode.dry_run {
            let state = if unanswered { ended(&tried(), "dry_run") } else { RecordState::DryRun };
            end_record(run, &tried(), state)
        } else {
            sendable.push(record);
            continue;
        };
        changes.push((record, after));
    }
    run.store.settle(&changes).await?;
    let identified = changes.into_iter().map(|(_, after)| after).filter(|after| after.state == RecordState::Sealed);
    if !run.mode.dry_run {
        sendable.extend(identified);
    }
    Ok(sendable)
}

/// Ends a record without a call, and counts it.
fn end_record(run: &Run<'_>, record: &HourlyRecord, state: RecordState) -> HourlyRecord {
    count(run, record, &state);
    record.with_state_at(state, run.now)
}

/// Returns `true` if another run's claim is still valid.
fn is_claimed(record: &HourlyRecord, run: &Run<'_>) -> bool {
    matches!(&record.state, RecordState::Claimed { .. }) && record.not_before > run.now
}

/// Leaves records for a later run, so that they do not delay others.
pub(crate) async fn postpone(run: &Run<'_>, records: Vec<HourlyRecord>) -> Result<(), StoreError> {
    let changes: Vec<_> = records
        .into_iter()
        .filter(|record| record.state == RecordState::Sealed)
        .map(|record| (record.clone(), HourlyRecord { not_before: waits_until(run, &record), ..record }))
        .collect();
    run.store.settle(&changes).await
}

fn waits_until(run: &Run<'_>, record: &HourlyRecord) -> Timestamp {
    record.retry_at(run.now.checked_add(RECHECK_INTERVAL).unwrap_or(run.now), run.now)
}

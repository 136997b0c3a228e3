//! Hourly records: frozen once, claimed before each call, settled on the condition of the claim.

use super::keys::{Rank, Work};
use super::problem_kind::ProblemKind;
use super::usage::after;
use super::{IndexKey, Item, Store, StoreError, attribute, is_conflict_code, keys, read, unavailable, values, write};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::LicenseId;
use domain::metering::{AcceptedBy, CLAIM_DURATION, HourlyRecord, MAX_BATCH_RECORDS, RecordName, RecordState};
use domain::time::UsageHour;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The time that a record is kept.
pub(super) const RECORD_RETENTION: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The most bytes of records in one transaction. A transaction holds 4 MB at most, and several are under way at the
/// same time.
const MAX_TRANSACTION_BYTES: usize = 500_000;

/// The most due records of a shard in one page.
const DUE_PAGE_SIZE: i32 = 500;

/// The records of a shard that are not decided yet.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The number of records, by their hour.
    pub of_hour: BTreeMap<UsageHour, u64>,
    /// The number of records that are held.
    pub held: u64,
    /// The licenses of the records that are sent first because their license has ended.
    pub urgent: BTreeSet<LicenseId>,
}

/// A page of the records to send.
#[derive(Debug)]
pub struct DuePage {
    /// The records.
    pub records: Vec<HourlyRecord>,
    /// The number of further records that cannot be read. They do not block other records.
    pub unreadable: usize,
    /// The place where the next page starts; `None` after the last.
    pub next: Option<IndexKey>,
}

/// A page of records.
#[derive(Debug)]
pub struct RecordPage {
    /// The records, newest first.
    pub records: Vec<HourlyRecord>,
    /// The cursor of the next page; `None` after the last.
    pub next: Option<String>,
}

impl Store {
    /// Freezes records. Each record is written unless its name has one already, and never changes its quantity
    /// afterwards. Returns `true` for each record that this call has written. Any other record existed already, or
    /// another write came first.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. Some of the records may be written then.
    pub async fn freeze(&self, records: &[HourlyRecord]) -> Result<Vec<bool>, StoreError> {
        let mut frozen = Vec::with_capacity(records.len());
        for chunk in chunks(records, HourlyRecord::size) {
            let puts: Vec<Put> = chunk.iter().map(|record| self.frozen(record)).collect::<Result<_, _>>()?;
            let writes = puts.iter().map(|put| TransactWriteItem::builder().put(put.clone()).build()).collect();
            if self.transact_unless_lost(writes).await? {
                frozen.extend(chunk.iter().map(|_| true));
            } else {
                // One of them exists already, from an earlier run: write each record separately.
                frozen.extend(try_join_all(puts.into_iter().map(|put| self.put_new(put))).await?);
            }
        }
        Ok(frozen)
    }

    /// Reads one record.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn record(&self, name: &RecordName) -> Result<Option<HourlyRecord>, StoreError> {
        self.get(&keys::record(name)).await
    }

    /// Returns the records of a license's hour.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn records_of_hour(&self, license: &LicenseId, hour: UsageHour) -> Result<Vec<HourlyRecord>, StoreError> {
        self.query(&keys::records(license), &format!("{hour}#")).await
    }

    /// Returns a page of the records of a license between two hours, both included, newest first.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or the cursor is not one of this license's.
    pub async fn records_between(
        &self,
        license: &LicenseId,
        (from, to): (UsageHour, UsageHour),
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<RecordPage, StoreError> {
        let pk = keys::records(license);
        let (first, last) = (format!("{from}#"), format!("{to}#~"));
        let start = cursor.map(|cursor| read_cursor(cursor, &pk, &first, &last)).transpose()?;
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .expression_attribute_values(":from", AttributeValue::S(first))
            .expression_attribute_values(":to", AttributeValue::S(last))
            .consistent_read(true)
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(unavailable)?;
        let records = answer.items.unwrap_or_default().into_iter().map(read).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key.as_ref().and_then(write_cursor);
        Ok(RecordPage { records, next })
    }

    /// Returns all records of one shard that are to be sent now, urgent ones first, if the shard is small enough for
    /// one read. Otherwise returns `None`, and [`due_records`](Self::due_records) reads the shard rank by rank.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn few_due_records(&self, shard: u8, now: Timestamp) -> Result<Option<DuePage>, StoreError> {
        let (items, next) = self.work_items(Work::Pending(shard), keys::all_pending(), None, DUE_PAGE_SIZE).await?;
        if next.is_some() {
            return Ok(None);
        }
        let mut page = due_page(items, None);
        page.records.retain(|record| record.not_before <= now);
        Ok(Some(page))
    }

    /// Returns a page of the records of one shard and rank that are to be sent now, from the index of work, in the
    /// order in which they are due. Each rank is read separately, so that records that wait for their time hide no
    /// others.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn due_records(
        &self,
        shard: u8,
        rank: Rank,
        now: Timestamp,
        from: Option<IndexKey>,
    ) -> Result<DuePage, StoreError> {
        let between = keys::pending_due(rank, now);
        let (items, next) = self.work_items(Work::Pending(shard), between, from, DUE_PAGE_SIZE).await?;
        Ok(due_page(items, next))
    }

    /// Returns a page of the pending records of one shard that are sent before others, including those that wait for
    /// their time.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn urgent_records(&self, shard: u8) -> Result<Vec<HourlyRecord>, StoreError> {
        let (items, next) = self.work_items(Work::Pending(shard), keys::all_urgent(), None, DUE_PAGE_SIZE).await?;
        Ok(due_page(items, next).records)
    }

    /// Counts the pending records of a shard.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn pending(&self, shard: u8) -> Result<Pending, StoreError> {
        #[derive(Deserialize)]
        struct Waiting {
            license: LicenseId,
            hour: UsageHour,
            state: StateOnly,
            #[serde(default)]
            urgent: bool,
        }
        #[derive(Deserialize)]
        struct StateOnly {
            name: String,
        }
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::WORK_INDEX)
            .key_condition_expression("work_key = :work")
            .expression_attribute_values(":work", AttributeValue::S(keys::work(Work::Pending(shard))))
            .projection_expression("license, #hour, #state.#name, urgent")
            .expression_attribute_names("#hour", "hour")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#name", "name")
            .into_paginator()
            .items()
            .send();
        let mut pending = Pending::default();
        while let Some(item) = pages.next().await {
            let waiting: Waiting = read(item.map_err(unavailable)?)?;
            *pending.of_hour.entry(waiting.hour).or_default() += 1;
            pending.held += u64::from(waiting.state.name == "held");
            if waiting.urgent {
                pending.urgent.insert(waiting.license);
            }
        }
        Ok(pending)
    }

    /// Claims records for a run before it sends them: counts the attempt, and reserves the records for the run alone
    /// until the claim expires. Claims all of the records or, if one of them was changed meanwhile, none. Returns the
    /// records as they then are; `None` if none was claimed.
    ///
    /// A record whose claim by another run has expired counts as sent by that run, since its answer is not known.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn claim(
        &self,
        records: &[HourlyRecord],
        run: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<HourlyRecord>>, StoreError> {
        let mut claimed = Vec::new();
        let mut writes = Vec::new();
        for record in records {
            let mut next = record.clone();
            next.attempts += 1;
            next.state = RecordState::Claimed { run: run.to_owned(), at: now };
            next.since = now;
            next.not_before = now.checked_add(CLAIM_DURATION).unwrap_or(now);
            next.unanswered |= is_claimed_by_another(&record.state, run);
            writes.push(self.update(record, &next)?);
            claimed.push(next);
        }
        let writes = writes.into_iter().map(|update| TransactWriteItem::builder().update(update).build()).collect();
        Ok(self.transact_unless_lost(writes).await?.then_some(claimed))
    }

    /// Writes the results of records. Each pair is a record as it was and as it is now. A record that another run has
    /// changed meanwhile stays as that run left it.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. Some of the records may be written then.
    pub async fn settle(&self, changes: &[(HourlyRecord, HourlyRecord)]) -> Result<(), StoreError> {
        for chunk in chunks(changes, |(before, _)| before.size()) {
            let updates: Vec<Update> =
                chunk.iter().map(|(before, after)| self.update(before, after)).collect::<Result<_, _>>()?;
            let writes =
                updates.iter().map(|update| TransactWriteItem::builder().update(update.clone()).build()).collect();
            if !self.transact_unless_lost(writes).await? {
                for update in updates {
                    self.update_one(update).await?;
                }
            }
        }
        Ok(())
    }

    /// Builds the write of a new record.
    pub(super) fn frozen(&self, record: &HourlyRecord) -> Result<Put, StoreError> {
        let mut item = write(&keys::record(&record.name), record)?;
        item.insert("expires_at".to_owned(), AttributeValue::N(after(self.clock.now(), RECORD_RETENTION).to_string()));
        item.extend(work_of(record).into_iter().flatten());
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        put.condition_expression("attribute_not_exists(pk)").build().map_err(super::unbuildable)
    }

    async fn put_new(&self, put: Put) -> Result<bool, StoreError> {
        let request = self.client.put_item().table_name(&self.table).set_item(Some(put.item));
        match request.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(true),
            Err(error) if is_conflict_code(error.code()) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Makes one update by itself. An update whose condition does not hold is skipped.
    async fn update_one(&self, update: Update) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(update.key))
            .update_expression(update.update_expression)
            .set_condition_expression(update.condition_expression)
            .set_expression_attribute_names(update.expression_attribute_names)
            .set_expression_attribute_values(update.expression_attribute_values);
        match request.send().await {
            Err(error) if error.code() != Some("ConditionalCheckFailedException") => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    /// Builds the update of a record's state. It holds only if the record is as it was read: in the same attempt and
    /// state and, if it is claimed, by the same run. The quantity, the carried amount and unchanged attributes are not
    /// written.
    pub(super) fn update(&self, before: &HourlyRecord, after: &HourlyRecord) -> Result<Update, StoreError> {
        let mut condition = "attempts = :attempts AND #state.#name = :name".to_owned();
        let mut set = "SET #state = :state, since = :since".to_owned();
        let mut given = values([
            (":attempts", AttributeValue::N(before.attempts.to_string())),
            (":name", AttributeValue::S(before.state.name().to_owned())),
            (":state", attribute(&after.state)?),
            (":since", attribute(&after.since)?),
        ])
        .unwrap_or_default();
        let mut names = vec![("#state", "state"), ("#name", "name")];
        if let RecordState::Claimed { run, .. } = &before.state {
            condition.push_str(" AND #state.#run = :run");
            names.push(("#run", "run"));
            given.insert(":run".to_owned(), AttributeValue::S(run.clone()));
        }
        let mut change = |name: &str, value: AttributeValue| {
            set.push_str(&format!(", {name} = :new_{name}"));
            given.insert(format!(":new_{name}"), value);
        };
        if after.attempts != before.attempts {
            change("attempts", AttributeValue::N(after.attempts.to_string()));
        }
        if after.unanswered != before.unanswered {
            change("unanswered", AttributeValue::Bool(after.unanswered));
        }
        if after.urgent != before.urgent {
            change("urgent", AttributeValue::Bool(after.urgent));
        }
        if let Some(until) = after.final_until.as_ref().filter(|until| before.final_until.as_ref() != Some(*until)) {
            change("final_until", attribute(until)?);
        }
        if after.not_before != before.not_before {
            change("not_before", attribute(&after.not_before)?);
        }
        if let Some(buyer) = after.buyer.as_ref().filter(|_| before.buyer.is_none()) {
            change("buyer", attribute(buyer)?);
        }
        match work_of(after) {
            None => set.push_str(" REMOVE work_key, work_sort"),
            Some(work) => work.into_iter().for_each(|(name, value)| change(&name, value)),
        }
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::record(&before.name).attributes()))
            .update_expression(set)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(
                names.into_iter().map(|(short, name)| (short.to_owned(), name.to_owned())).collect(),
            ))
            .set_expression_attribute_values(Some(given))
            .build()
            .map_err(super::unbuildable)
    }
}

fn due_page(items: Vec<Item>, next: Option<IndexKey>) -> DuePage {
    let mut page = DuePage { records: Vec::with_capacity(items.len()), unreadable: 0, next };
    for item in items {
        match read(item) {
            Ok(record) => page.records.push(record),
            Err(error) => {
                tracing::error!(error = domain::errors::chain(&error), "Ignored a record that cannot be read");
                page.unreadable += 1;
            }
        }
    }
    page
}

/// Splits items into chunks in the order given, each as large as one transaction allows.
fn chunks<T>(all: &[T], size_of: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut left = all;
    std::iter::from_fn(move || {
        let mut size = 0;
        let fits = left.iter().take(MAX_BATCH_RECORDS).take_while(|one| {
            size += size_of(one);
            size <= MAX_TRANSACTION_BYTES
        });
        // A single item always fits.
        let (chunk, rest) = left.split_at_checked(fits.count().max(1))?;
        left = rest;
        Some(chunk)
    })
}

fn is_claimed_by_another(state: &RecordState, run: &str) -> bool {
    matches!(state, RecordState::Claimed { run: holder, .. } if holder != run)
}

/// Returns the attributes that list a record in the index of work: among the records to send, those that need an
/// operator, or those that are not verified.
fn work_of(record: &HourlyRecord) -> Option<Item> {
    let shard = keys::shard(&record.name.license);
    let (work, sort) = match &record.state {
        RecordState::Held { .. } => (Work::Pending(shard), keys::pending_sort(Rank::Held, record)),
        RecordState::Sealed | RecordState::Claimed { .. } => {
            let rank = if record.is_urgent(record.since.max(record.not_before)) { Rank::Urgent } else { Rank::Normal };
            (Work::Pending(shard), keys::pending_sort(rank, record))
        }
        RecordState::Conflict
        | RecordState::Refused { .. }
        | RecordState::Expired
        | RecordState::Unconfirmed { .. } => {
            let sort = keys::problem_sort(record.state.name(), record.since, &record.name);
            (Work::Problem(shard), sort)
        }
        RecordState::Accepted { by: AcceptedBy::Duplicate, .. } => {
            let sort = keys::problem_sort(ProblemKind::Unverified.name(), record.since, &record.name);
            (Work::Unverified(shard), sort)
        }
        RecordState::Accepted { by: AcceptedBy::Success, .. } | RecordState::Folded { .. } | RecordState::DryRun => {
            return None;
        }
    };
    Some(Item::from([
        (keys::WORK_KEY.to_owned(), AttributeValue::S(keys::work(work))),
        (keys::WORK_SORT.to_owned(), AttributeValue::S(sort)),
    ]))
}

/// Encodes a cursor: the sort key at which the last page ended.
fn write_cursor(last: &Item) -> Option<String> {
    last.get("sk").and_then(|sk| sk.as_s().ok()).map(|sk| URL_SAFE_NO_PAD.encode(sk))
}

fn read_cursor(cursor: &str, pk: &str, first: &str, last: &str) -> Result<Item, StoreError> {
    let sk = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|sk| String::from_utf8(sk).ok());
    let is_between = |sk: &String| sk.as_str() >= first && sk.as_str() <= last && sk.len() < 200;
    let sk = sk.filter(is_between).ok_or(StoreError::BadCursor)?;
    Ok(keys::Key { pk: pk.to_owned(), sk }.attributes())
}

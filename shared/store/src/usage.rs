//! The ledger of usage: one item for each event. An item is written without a read while its hour is open, and on a
//! condition afterwards.

use super::keys::Key;
use super::{Item, Store, StoreError, is_conflict_code, keys, pause, read, unavailable, write};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use domain::allocation::{Allocation, allocate};
use domain::ids::{DimensionKey, LicenseId};
use domain::ledger::{HourSum, LedgerItem, Source, Summing};
use domain::metering::RecordName;
use domain::tags::Tags;
use domain::time::UsageHour;
use domain::usage::{KeyHash, Quantity, UsageEvent};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

/// The most items of one BatchWriteItem.
const MAX_BATCH_ITEMS: usize = 25;

/// The most BatchWriteItems of one request that are under way at the same time.
const MAX_CONCURRENT_BATCHES: usize = 8;

/// The most events of an hour in one page.
const SUM_PAGE_SIZE: i32 = 1000;

/// The most attempts at one batch of a BatchWriteItem, with what the last attempt left unprocessed.
const MAX_ATTEMPTS: u32 = 5;

/// The time that usage is kept.
const USAGE_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The place of an item: its `pk` and `sk`.
pub(super) type PrimaryKey = (String, String);

/// An item of usage.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct UsageItem {
    dimension: DimensionKey,
    /// The idempotency key, in the item of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<KeyHash>,
    /// The revision, in the item of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
    /// `true` in the item of an event that arrived after its hour was open.
    #[serde(default, skip_serializing_if = "is_false")]
    is_late: bool,
    quantity: Decimal,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    tags: Tags,
    /// The breakdown by tags, as far as it is known, in the item of carried usage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allocations: Vec<Allocation>,
    at: Timestamp,
    /// The time at which intake received it, in the item of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received_at: Option<Timestamp>,
    expires_at: i64,
}

impl UsageItem {
    /// Returns the precedence among the items of one key: the highest revision, and of that the item that was received
    /// first.
    fn precedence(&self) -> (Option<u32>, Reverse<Option<Timestamp>>) {
        (self.revision, Reverse(self.received_at))
    }
}

impl From<UsageItem> for LedgerItem {
    fn from(item: UsageItem) -> Self {
        let source = match item.key {
            Some(key) => Source::Reported {
                key,
                revision: item.revision.unwrap_or_default(),
                received_at: item.received_at.unwrap_or(item.at),
                tags: item.tags,
            },
            None => Source::Carried(item.allocations),
        };
        Self { dimension: item.dimension, source, amount: item.quantity }
    }
}

/// A marker that a license has usage in an hour.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) license: LicenseId,
    pub(super) expires_at: i64,
}

/// The usage that is known under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedUsage {
    /// The amount that counts.
    pub amount: Decimal,
    /// The tags.
    pub tags: Tags,
    /// `true` if it was written while its hour was open.
    pub in_open_hour: bool,
}

impl From<UsageItem> for ReportedUsage {
    fn from(item: UsageItem) -> Self {
        Self { amount: item.quantity, tags: item.tags, in_open_hour: !item.is_late }
    }
}

impl From<&UsageEvent> for ReportedUsage {
    /// Returns what is known once the event is written.
    fn from(event: &UsageEvent) -> Self {
        Self { amount: event.quantity.amount(), tags: event.tags.clone(), in_open_hour: false }
    }
}

/// The result of a late write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LatePut {
    /// The event is written.
    Written,
    /// The key has usage already.
    Known(ReportedUsage),
}

impl Store {
    /// Writes events of open hours and the markers of their hours, all without reading. Returns `true` for each event
    /// that is written. If one key and revision has several contents, all of them are kept, and the first one counts.
    ///
    /// `marked` holds the markers that are known to exist. The markers that are written are added to it.
    ///
    /// # Errors
    ///
    /// Fails only when an event cannot be expressed as an item. An event that the table does not accept is returned as
    /// not written.
    pub async fn write_open_usage(
        &self,
        events: &[UsageEvent],
        marked: &mut HashSet<(LicenseId, UsageHour)>,
    ) -> Result<Vec<bool>, StoreError> {
        let now = self.clock.now();
        let mut items: BTreeMap<PrimaryKey, Item> = BTreeMap::new();
        let mut places = Vec::new();
        for event in events {
            let key = usage_key(event, &keys::usage_open(event, now));
            let place = (key.pk.clone(), key.sk.clone());
            items.insert(place.clone(), write(&key, &item_of(event, false, now))?);
            let of = (event.license.clone(), event.hour());
            let marker = keys::marker(of.1, &of.0);
            let marker_place = (marker.pk.clone(), marker.sk.clone());
            if !marked.contains(&of) {
                items.insert(marker_place.clone(), write(&marker, &self.marker(&event.license))?);
            }
            places.push((place, marker_place, of));
        }
        let written = self.write_batches(items).await;
        Ok(places
            .into_iter()
            .map(|(place, marker, of)| {
                if written.contains(&marker) {
                    marked.insert(of.clone());
                }
                written.contains(&place) && marked.contains(&of)
            })
            .collect())
    }

    /// Returns what counts of the usage under an event's key in its hour: the highest revision, and of that the content
    /// that was received first.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn usage_of_key(&self, event: &UsageEvent) -> Result<Option<ReportedUsage>, StoreError> {
        let prefix = keys::usage_of_key(&event.dimension, &event.key);
        let items: Vec<UsageItem> = self.query(&keys::usage(&event.license, event.hour()), &prefix).await?;
        let counted = items.into_iter().max_by_key(UsageItem::precedence);
        Ok(counted.map(ReportedUsage::from))
    }

    /// Returns `true` if the usage of an event's hour and dimension is accounted for: by a record, by a note, or by a
    /// mark that the hour must be checked again. A quantity of zero needs none of them.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn is_accounted_for(&self, event: &UsageEvent) -> Result<bool, StoreError> {
        let (license, hour) = (event.license.clone(), event.hour());
        let name = RecordName { license, hour, dimension: event.dimension.clone() };
        let keys = [keys::record(&name), keys::note(&name), keys::dirty(&event.license, hour)];
        let found = self.get_many(keys.map(|key| key.attributes()).to_vec()).await?;
        Ok(!found.is_empty() || event.quantity == Quantity::ZERO)
    }

    /// Writes an event whose hour may be summed already, unless its key has usage. First marks that the hour must be
    /// checked again, then writes the event.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn write_late_usage(&self, event: &UsageEvent) -> Result<LatePut, StoreError> {
        let known = self.usage_of_key(event).await?;
        if known.as_ref().is_none_or(|known| known.in_open_hour) {
            // Also for usage from the open hour: its marker may be missing, if its write was not confirmed.
            self.mark_dirty(&event.license, event.hour()).await?;
        }
        if let Some(known) = known {
            return Ok(LatePut::Known(known));
        }
        let key = usage_key(event, &keys::usage_late(&event.dimension, &event.key));
        let written = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(&key, &item_of(event, true, self.clock.now()))?))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match written {
            Ok(_) => Ok(LatePut::Written),
            Err(error) if is_conflict_code(error.code()) => {
                let known = self.usage_of_key(event).await?;
                known.map(LatePut::Known).ok_or_else(|| StoreError::Contended(key.pk))
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Returns the sums of an hour of a license, by dimension. The items are summed while they are read, with one page
    /// in memory.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn sums_of_hour(
        &self,
        license: &LicenseId,
        hour: UsageHour,
    ) -> Result<BTreeMap<DimensionKey, HourSum>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(keys::usage(license, hour)))
            .consistent_read(true)
            .limit(SUM_PAGE_SIZE)
            .into_paginator()
            .items()
            .send();
        let mut summing = Summing::default();
        while let Some(item) = pages.next().await {
            summing.add(read::<UsageItem>(item.map_err(unavailable)?)?.into());
        }
        Ok(summing.finish())
    }

    /// Builds an item that carries what another hour could not hold.
    pub(super) fn carried_item(&self, dimension: &DimensionKey, amount: &HourSum) -> impl Serialize + use<> {
        let now = self.clock.now();
        UsageItem {
            dimension: dimension.clone(),
            key: None,
            revision: None,
            is_late: false,
            quantity: amount.amount,
            tags: Tags::default(),
            allocations: allocate(&amount.tagged, Quantity::capped(amount.amount)).parts,
            at: now,
            received_at: None,
            expires_at: after(now, USAGE_RETENTION),
        }
    }

    pub(super) fn marker(&self, license: &LicenseId) -> Marker {
        Marker { license: license.clone(), expires_at: after(self.clock.now(), USAGE_RETENTION) }
    }

    /// Writes items in batches of 25, several batches at the same time. Returns the keys of the items that are written.
    async fn write_batches(&self, items: BTreeMap<PrimaryKey, Item>) -> BTreeSet<PrimaryKey> {
        let mut written: BTreeSet<PrimaryKey> = items.keys().cloned().collect();
        let items: Vec<Item> = items.into_values().collect();
        let batches: Vec<Vec<Item>> = items.chunks(MAX_BATCH_ITEMS).map(<[Item]>::to_vec).collect();
        let mut under_way = stream::iter(batches)
            .map(|batch| self.write_until_accepted(batch))
            .buffer_unordered(MAX_CONCURRENT_BATCHES);
        while let Some(left) = under_way.next().await {
            for item in &left {
                written.remove(&place(item));
            }
        }
        written
    }

    /// Writes one batch. Items that the table leaves unprocessed are sent again for a while. Returns the items that are
    /// not confirmed.
    async fn write_until_accepted(&self, batch: Vec<Item>) -> Vec<Item> {
        let mut left = batch;
        for round in 0..MAX_ATTEMPTS {
            if left.is_empty() {
                break;
            }
            pause(Duration::from_millis(u64::from(20 * round * round))).await;
            match self.write_batch(left.clone()).await {
                Ok(unprocessed) => left = unprocessed,
                Err(error) => {
                    tracing::warn!(error = %domain::errors::chain(&error), "Failed to confirm a batch of usage");
                    break;
                }
            }
        }
        left
    }

    async fn write_batch(&self, items: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut requests = Vec::new();
        for item in items {
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        let answer =
            self.client.batch_write_item().request_items(&self.table, requests).send().await.map_err(unavailable)?;
        let left = answer.unprocessed_items.unwrap_or_default().into_values().flatten();
        Ok(left.filter_map(|request| request.put_request).map(|put| put.item).collect())
    }
}

fn usage_key(event: &UsageEvent, sk: &str) -> Key {
    Key { pk: keys::usage(&event.license, event.hour()), sk: sk.to_owned() }
}

fn item_of(event: &UsageEvent, is_late: bool, now: Timestamp) -> UsageItem {
    UsageItem {
        dimension: event.dimension.clone(),
        key: Some(event.key.clone()),
        revision: Some(event.revision),
        is_late,
        quantity: event.quantity.amount(),
        tags: event.tags.clone(),
        allocations: Vec::new(),
        at: event.time,
        received_at: Some(now),
        expires_at: after(now, USAGE_RETENTION),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Returns a later moment in seconds since 1970, as the table's TTL counts.
pub(super) fn after(now: Timestamp, by: SignedDuration) -> i64 {
    now.as_second().saturating_add(by.as_secs())
}

pub(super) fn place(item: &Item) -> PrimaryKey {
    let part = |name: &str| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
    (part("pk").unwrap_or_default(), part("sk").unwrap_or_default())
}

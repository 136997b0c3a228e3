//! The DynamoDB table.
//!
//! Each kind of item has its own file; this file holds what they share. Reads that decide something are consistent
//! reads of the base table; an index is only a hint where to read. A row that several writers may write at the same
//! time carries a `version`. A write holds only if the row still has the version that the write was computed from.
//! Otherwise the write is computed again from the newer row.

mod agreements;
mod audit;
mod carry;
mod evidence;
mod hours;
pub mod keys;
mod licenses;
mod listing_cache;
mod listings;
mod mails;
mod noted;
mod overage;
mod pauses;
mod problem_kind;
mod problems;
mod readiness;
mod reconciliation;
mod records;
mod usage;
mod visits;

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem};
use futures_util::future::try_join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;

use clock::Clock;
use domain::notification::OutboundEvent;
use keys::Key;
use listing_cache::ListingCache;
use noted::Noted;

pub use carry::{Carry, Origin};
pub use hours::{Closing, Dirty, Position, Progress, Walk};
pub use licenses::{Also, Change, Page};
pub use pauses::Pause;
pub use problem_kind::{NoteKind, ProblemKind, UnknownKind};
pub use problems::{Listed, Note, Problem};
pub use reconciliation::{ReconciliationProgress, WalkPosition};
pub use records::{DuePage, Pending, RecordPage};
pub use usage::{LatePut, ReportedUsage};

/// An item in the form of DynamoDB.
type Item = HashMap<String, AttributeValue>;

/// The place where a page of the index of work ended.
#[derive(Debug, Clone)]
pub struct IndexKey(Item);

/// The most items of one BatchGetItem.
const MAX_BATCH_GET_KEYS: usize = 100;

/// The most attempts at one operation, each from newer data, before it is given up for now.
const MAX_ATTEMPTS: u32 = 20;

/// The table, and the clock that its callers use.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
    clock: Clock,
    listings: ListingCache,
    noted: Noted,
}

/// An error of the table.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB did not perform the operation this time. The same call may succeed later.
    #[error("the table did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Other writers kept writing the same row. The same call may succeed later.
    #[error("other writers keep changing the row {0}")]
    Contended(String),
    /// An item does not have the form that this version of the code writes.
    #[error("the item {key} cannot be read")]
    Unreadable {
        /// The key of the item.
        key: String,
        /// The error of the conversion.
        #[source]
        source: serde_dynamo::Error,
    },
    /// The cursor of a page is not one that the query returned.
    #[error("the cursor does not belong to this query")]
    BadCursor,
}

impl Store {
    /// Creates a store on the table of that name.
    pub fn new(config: &SdkConfig, table: impl Into<String>, clock: Clock) -> Self {
        let (listings, noted) = (ListingCache::default(), Noted::default());
        Self { client: Client::new(config), table: table.into(), clock, listings, noted }
    }

    /// Returns the clock that dates the writes.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Reads one item, consistently.
    async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        answer.item.map(read).transpose()
    }

    /// Writes one item, and replaces an existing one.
    async fn put<T: Serialize>(&self, key: &Key, value: &T) -> Result<(), StoreError> {
        let request = self.client.put_item().table_name(&self.table).set_item(Some(write(key, value)?));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }

    /// Reads items by their keys, consistently, in no order. Items that do not exist are left out.
    async fn get_many(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let chunks = keys.chunks(MAX_BATCH_GET_KEYS).map(|chunk| self.get_batch(chunk.to_vec()));
        Ok(try_join_all(chunks).await?.into_iter().flatten().collect())
    }

    /// Reads one batch with BatchGetItem. Keys that DynamoDB leaves unprocessed are requested again.
    async fn get_batch(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for attempt in 0..MAX_ATTEMPTS {
            backoff(attempt).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let request = self.client.batch_get_item().request_items(&self.table, wanted.map_err(unbuildable)?);
            let answer = request.send().await.map_err(unavailable)?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            keys = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
        }
        Err(StoreError::Contended("BatchGetItem".to_owned()))
    }

    /// Returns a page of the index of work between two sort keys, in their order, and the place where the next page
    /// starts. An index is only a hint where to read.
    async fn work_items(
        &self,
        work: keys::Work,
        (first, last): (String, String),
        from: Option<IndexKey>,
        limit: i32,
    ) -> Result<(Vec<Item>, Option<IndexKey>), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::WORK_INDEX)
            .key_condition_expression("work_key = :work AND work_sort BETWEEN :first AND :last")
            .expression_attribute_values(":first", AttributeValue::S(first))
            .expression_attribute_values(":work", AttributeValue::S(keys::work(work)))
            .expression_attribute_values(":last", AttributeValue::S(last))
            .set_exclusive_start_key(from.map(|from| from.0))
            .limit(limit)
            .send()
            .await
            .map_err(unavailable)?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.map(IndexKey)))
    }

    /// Returns the same page, with its items deserialized.
    async fn work_page<T: DeserializeOwned>(
        &self,
        work: keys::Work,
        between: (String, String),
        from: Option<IndexKey>,
        limit: i32,
    ) -> Result<(Vec<T>, Option<IndexKey>), StoreError> {
        let (items, next) = self.work_items(work, between, from, limit).await?;
        Ok((items.into_iter().map(read).collect::<Result<_, _>>()?, next))
    }

    /// Returns the items of one partition whose sort key starts with `prefix`: every page, read consistently.
    async fn query<T: DeserializeOwned>(&self, pk: &str, prefix: &str) -> Result<Vec<T>, StoreError> {
        let request = self.client.query().table_name(&self.table);
        let request = request.expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
        // DynamoDB accepts no empty string in a condition on a key.
        let request = if prefix.is_empty() {
            request.key_condition_expression("pk = :pk")
        } else {
            request
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
        };
        let mut pages = request.consistent_read(true).into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(item) = pages.next().await {
            found.push(read(item.map_err(unavailable)?)?);
        }
        Ok(found)
    }

    /// Builds a transaction's put of an item, which replaces an existing one.
    fn put_any(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        Ok(TransactWriteItem::builder().put(put.build().map_err(unbuildable)?).build())
    }

    /// Builds a transaction's put of an item that must not exist yet.
    fn put_new_item(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)");
        Ok(TransactWriteItem::builder().put(put.build().map_err(unbuildable)?).build())
    }

    /// Builds a transaction's delete of an item, if it exists.
    fn delete_item(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key.attributes()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(unbuildable)?).build())
    }

    /// Makes writes in one transaction. Returns `false`, and writes nothing, if one of their conditions does not hold
    /// or another write came first.
    async fn transact_unless_lost(&self, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(is_conflict) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// Deserializes an item. Attributes that only the table uses are ignored.
fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    let key = format!("{} {}", part("pk"), part("sk"));
    serde_dynamo::from_item(item).map_err(|source| StoreError::Unreadable { key, source })
}

/// Reads the event in an item of the table's stream.
///
/// # Errors
///
/// Fails when the item holds no event.
pub fn event_in(image: serde_dynamo::Item) -> Result<OutboundEvent, serde_dynamo::Error> {
    serde_dynamo::from_item(image)
}

/// Builds an item that holds `value` at `key`.
fn write<T: Serialize>(key: &Key, value: &T) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(value)
        .map_err(|source| StoreError::Unreadable { key: format!("{} {}", key.pk, key.sk), source })?;
    item.extend(key.attributes());
    Ok(item)
}

fn unavailable<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    StoreError::Unavailable(Box::new(error))
}

fn unbuildable(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// Builds the values of an expression.
fn values<const N: usize>(values: [(&str, AttributeValue); N]) -> Option<HashMap<String, AttributeValue>> {
    Some(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Serializes a value as an attribute.
fn attribute<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value)
        .map_err(|source| StoreError::Unreadable { key: "an attribute".to_owned(), source })
}

/// Returns `true` if a write failed because another write came first. The write must be computed again from the current
/// row.
fn is_conflict_code(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "ConditionalCheckFailedException"
                | "ConditionalCheckFailed"
                | "TransactionConflictException"
                | "TransactionConflict"
        )
    )
}

/// Returns `true` if a transaction failed for such a reason, and for no other.
fn is_conflict(error: &TransactWriteItemsError) -> bool {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let mut codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code());
            codes.all(|code| matches!(code, None | Some("None")) || is_conflict_code(code))
        }
        other => is_conflict_code(other.code()),
    }
}

/// Waits before a write is made again, longer each time.
async fn backoff(attempt: u32) {
    pause(Duration::from_millis(u64::from(5 * attempt * attempt).min(200))).await;
}

/// Waits. A wait of zero returns immediately, since a timer would take its tick of one millisecond for it.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

//! The table.
//!
//! One file an item kind; this one holds what they share. Reads that decide are consistent reads of the base table;
//! an index only says where to look. A row that others may write at the same time carries a `version`: a write holds
//! only on the version that it was made from, and is made again from the newer row otherwise.

mod agreements;
mod audit;
mod carry;
mod evidence;
mod hours;
pub mod keys;
mod licenses;
mod listings;
mod mails;
mod overage;
mod pauses;
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

use crate::notification::OutboundEvent;
use crate::time::Clock;
use keys::Key;

pub use carry::{Carry, Origin};
pub use hours::{Closing, Dirty, Position, Progress, Walk};
pub use licenses::{Also, Change, Page};
pub use pauses::Pause;
pub use problems::{Listed, Note, NoteKind, Problem, ProblemKind, UnknownKind};
pub use reconciliation::{Reconciled, Stop};
pub use records::{DuePage, Pending, RecordPage};
pub use usage::{LatePut, ReportedUsage};

/// An item as DynamoDB has it.
type Item = HashMap<String, AttributeValue>;

/// Where a page of the index of work ended.
#[derive(Debug, Clone)]
pub struct IndexKey(Item);

/// How many items one BatchGetItem reads.
const MOST_GETS: usize = 100;

/// How often a write is made again from a newer row before it is given up for now.
const RACES: u32 = 20;

/// The table, and the clock that its callers go by.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
    clock: Clock,
    listings: listings::Cache,
    noted: evidence::Noted,
}

/// Why the table did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB did not do it this time; the same call may go through later.
    #[error("the table did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Others kept writing the same row; the same call may go through later.
    #[error("the row {0} is being written by others")]
    Contended(String),
    /// An item is not what this version of the code writes.
    #[error("the item {key} cannot be read")]
    Unreadable {
        /// Where it is.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_dynamo::Error,
    },
    /// A page's cursor is not one that was handed out.
    #[error("the cursor is not one of this query's")]
    BadCursor,
}

impl Store {
    /// The table of that name.
    pub fn new(config: &SdkConfig, table: impl Into<String>, clock: Clock) -> Self {
        let (listings, noted) = (listings::Cache::default(), evidence::Noted::default());
        Self { client: Client::new(config), table: table.into(), clock, listings, noted }
    }

    /// The clock that writes go by.
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

    /// Writes one item, whatever was there.
    async fn put<T: Serialize>(&self, key: &Key, value: &T) -> Result<(), StoreError> {
        let request = self.client.put_item().table_name(&self.table).set_item(Some(write(key, value)?));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }

    /// Items of the table by their keys, consistently, in no order; those that are not there are left out.
    async fn get_many(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let chunks = keys.chunks(MOST_GETS).map(|chunk| self.get_batch(chunk.to_vec()));
        Ok(try_join_all(chunks).await?.into_iter().flatten().collect())
    }

    /// One BatchGetItem. What DynamoDB leaves over is asked for again.
    async fn get_batch(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for race in 0..RACES {
            backoff(race).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let request =
                self.client.batch_get_item().request_items(&self.table, wanted.map_err(licenses::unbuildable)?);
            let answer = request.send().await.map_err(unavailable)?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            keys = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
        }
        Err(StoreError::Contended("BatchGetItem".to_owned()))
    }

    /// A page of what the index of work has between two sort keys, in its order, and where the next page begins. An
    /// index is only a hint of where to look.
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

    /// The same, read.
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

    /// The items of one partition whose sort key begins with `prefix`, every page, consistently.
    async fn query<T: DeserializeOwned>(&self, pk: &str, prefix: &str) -> Result<Vec<T>, StoreError> {
        let request = self.client.query().table_name(&self.table);
        let request = request.expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
        // DynamoDB takes no empty text in a condition on a key.
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

    /// In a transaction: an item, whatever is there.
    fn put_any(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        Ok(TransactWriteItem::builder().put(put.build().map_err(licenses::unbuildable)?).build())
    }

    /// In a transaction: an item where there is none.
    fn put_new_item(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)");
        Ok(TransactWriteItem::builder().put(put.build().map_err(licenses::unbuildable)?).build())
    }

    /// In a transaction: takes an item away, if it is there.
    fn take_away(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key.attributes()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(licenses::unbuildable)?).build())
    }

    /// Makes writes together, unless one of their conditions does not hold or another write came between. Answers
    /// whether they are made.
    async fn write_unless_lost(&self, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(is_lost_race) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// Reads what an item holds; attributes that are only for the table are passed over.
fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    let key = format!("{} {}", part("pk"), part("sk"));
    serde_dynamo::from_item(item).map_err(|source| StoreError::Unreadable { key, source })
}

/// The event that an item of the table's stream holds.
///
/// # Errors
///
/// When it holds none.
pub fn event_in(image: serde_dynamo::Item) -> Result<OutboundEvent, serde_dynamo::Error> {
    serde_dynamo::from_item(image)
}

/// An item that holds `value` at `key`.
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

/// What an expression of a write is about.
fn values<const N: usize>(values: [(&str, AttributeValue); N]) -> Option<HashMap<String, AttributeValue>> {
    Some(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A value as an attribute.
fn attribute<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value)
        .map_err(|source| StoreError::Unreadable { key: "an attribute".to_owned(), source })
}

/// Whether a write did not hold because another came between: it is to be made again from the row as it is now.
fn is_race(code: Option<&str>) -> bool {
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

/// Whether a transaction did not hold for such a reason, and for no other.
fn is_lost_race(error: &TransactWriteItemsError) -> bool {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let mut codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code());
            codes.all(|code| matches!(code, None | Some("None")) || is_race(code))
        }
        other => is_race(other.code()),
    }
}

/// Waits before a write is made again, longer each time.
async fn backoff(race: u32) {
    pause(Duration::from_millis(u64::from(5 * race * race).min(200))).await;
}

/// Waits. No time is none at all: a timer would take its tick of a millisecond for it.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

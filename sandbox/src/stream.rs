//! The table's stream, as Lambda's poller reads it for a function: filtered to inserted events, in batches. A failed
//! batch is delivered again from its first failed record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::DynamoDbEventResponse;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

/// The time that the poller waits before it delivers a failed batch again. (Lambda chooses its own waits; the mapping
/// sets none.)
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// The most records of a batch, as in the template.
const BATCH: usize = 100;

/// The most records that one read of the stream returns, as in DynamoDB.
const READ: usize = 1000;

/// The stream of one table.
#[derive(Debug)]
pub(crate) struct Stream {
    client: reqwest::Client,
    url: String,
    place: Mutex<ShardPosition>,
}

/// The position up to which the stream is read.
#[derive(Debug)]
struct ShardPosition {
    iterator: String,
    /// The records that were read and not processed, oldest first.
    waiting: Vec<Value>,
    /// The time before which no batch is delivered, after a batch has failed.
    again_at: Option<Timestamp>,
}

impl Stream {
    /// Opens the stream of a table for the records from now on.
    ///
    /// # Errors
    ///
    /// Fails when DynamoDB does not answer, or the table has no stream or one of several shards.
    pub(crate) async fn from_now(url: &str, table: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let ask = |operation, body| ask(&client, url, operation, body);
        let streams = ask("ListStreams", json!({ "TableName": table })).await?;
        let arn = text(&streams, "/Streams/0/StreamArn").context("the table has no stream")?;
        let stream = ask("DescribeStream", json!({ "StreamArn": arn })).await?;
        let shards = stream.pointer("/StreamDescription/Shards").and_then(Value::as_array).map_or(0, Vec::len);
        if shards != 1 {
            bail!("the embedded DynamoDB's streams have one shard, this one has {shards}");
        }
        let shard = text(&stream, "/StreamDescription/Shards/0/ShardId").context("the shard has no id")?;
        let start = json!({ "StreamArn": arn, "ShardId": shard, "ShardIteratorType": "LATEST" });
        let started = ask("GetShardIterator", start).await?;
        let iterator = text(&started, "/ShardIterator").context("there is no iterator")?;
        let place = ShardPosition { iterator, waiting: Vec::new(), again_at: None };
        Ok(Self { url: url.to_owned(), client: client.clone(), place: Mutex::new(place) })
    }

    /// Returns the next batch, if there is one and it need not wait.
    ///
    /// # Errors
    ///
    /// Fails when DynamoDB does not answer.
    pub(crate) async fn next(&self, now: Timestamp) -> anyhow::Result<Option<Event>> {
        if self.lock().again_at.is_some_and(|at| at > now) {
            return Ok(None);
        }
        while self.lock().waiting.is_empty() {
            let iterator = self.lock().iterator.clone();
            let body = json!({ "ShardIterator": iterator, "Limit": READ });
            let read = ask(&self.client, &self.url, "GetRecords", body).await?;
            let records = read.get("Records").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let mut place = self.lock();
            place.iterator = text(&read, "/NextShardIterator").context("the stream has ended")?;
            place.waiting.extend(records.iter().filter(|record| is_told(record)).cloned());
            if records.is_empty() {
                return Ok(None);
            }
        }
        let batch: Vec<Value> = self.lock().waiting.iter().take(BATCH).cloned().collect();
        Ok(Some(Event::deserialize(json!({ "Records": batch }))?))
    }

    /// Removes the records that the function has processed: those before the first record that it reported as failed,
    /// or all of them. No answer is a failure of the whole batch.
    pub(crate) fn finish(&self, batch: &Event, answer: Option<DynamoDbEventResponse>, now: Timestamp) {
        let failed = answer.map(|answer| {
            let number = answer.batch_item_failures.into_iter().next()?.item_identifier;
            batch.records.iter().position(|record| record.change.sequence_number == number)
        });
        let done = match failed {
            Some(None) => batch.records.len(),
            Some(Some(first)) => first,
            None => 0,
        };
        let mut place = self.lock();
        place.waiting.drain(..done);
        place.again_at = (done < batch.records.len()).then(|| now + PAUSE);
    }

    /// Returns the time at which a failed batch is delivered again.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.lock().again_at
    }

    fn lock(&self) -> MutexGuard<'_, ShardPosition> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mapping's filter: `{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"sk": {"S": [{"prefix": "EVENT#"}]}}}}`.
fn is_told(record: &Value) -> bool {
    let sk = text(record, "/dynamodb/NewImage/sk/S").unwrap_or_default();
    text(record, "/eventName").as_deref() == Some("INSERT") && sk.starts_with("EVENT#")
}

fn text(document: &Value, path: &str) -> Option<String> {
    document.pointer(path).and_then(Value::as_str).map(str::to_owned)
}

async fn ask(client: &reqwest::Client, url: &str, operation: &str, body: Value) -> anyhow::Result<Value> {
    let request = client
        .post(url)
        .header("x-amz-target", format!("DynamoDBStreams_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20261123T000000Z")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIASANDBOX/20261123/us-east-1/dynamodb/aws4_request, SignedHeaders=host, \
             Signature=0",
        )
        .body(body.to_string());
    let answer = request.send().await.with_context(|| format!("DynamoDB does not answer {operation}"))?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("DynamoDB answers {operation} with {status}: {text}");
    }
    Ok(serde_json::from_str(&text)?)
}

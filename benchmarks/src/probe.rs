//! The store's own rate: the number of requests of a kind that it answers per second to the same client over the same
//! port.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, PutRequest, TransactWriteItem, WriteRequest};
use futures_util::{StreamExt, TryStreamExt, stream};
use sandbox::sdk_config;
use serde::{Deserialize, Serialize};

use crate::figures::{a_second, rounded};
use crate::job::{JobEnvironment, JobKind, run_job};

/// The number of concurrent requests, as in the reporter.
const AT_ONCE: usize = 24;

/// The number of items of a batch or a transaction.
const BATCH: u64 = 25;

/// The place of the measurement, and the time for each kind of request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProbeJob {
    pub(crate) place: JobEnvironment,
    pub(crate) time: Duration,
}

/// A kind of request, and the number of them that were answered per second.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rate {
    request: String,
    a_second: f64,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    PutItem,
    GetItem,
    Query,
    BatchWriteItem,
    TransactWriteItems,
}

impl Kind {
    const ALL: [Self; 5] = [Self::PutItem, Self::GetItem, Self::Query, Self::BatchWriteItem, Self::TransactWriteItems];

    fn name(self) -> &'static str {
        match self {
            Self::PutItem => "PutItem",
            Self::GetItem => "GetItem",
            Self::Query => "Query of one item",
            Self::BatchWriteItem => "BatchWriteItem of 25",
            Self::TransactWriteItems => "TransactWriteItems of 25",
        }
    }
}

/// Measures the store in a process of its own, and returns its rates in a line.
pub(crate) async fn store_rates(place: JobEnvironment, time: Duration) -> anyhow::Result<String> {
    let rates: Vec<Rate> = run_job(JobKind::Probe, &ProbeJob { place, time }).await?;
    let one = |rate: &Rate| format!("{} {}", rounded(rate.a_second), rate.request);
    Ok(rates.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// Measures each kind of request in turn. The reads read the items that were put.
pub(crate) async fn rates(job: &ProbeJob) -> anyhow::Result<Vec<Rate>> {
    let client = Client::new(&sdk_config(&job.place.aws));
    let (client, table) = (&client, job.place.table.as_str());
    let mut rates = Vec::new();
    for kind in Kind::ALL {
        let began = Instant::now();
        let numbers = stream::iter(0_u64..).take_while(|_| std::future::ready(began.elapsed() < job.time));
        let asking = numbers.map(|number| ask_one(client, table, kind, number)).buffer_unordered(AT_ONCE);
        let asked = asking.try_fold(0, async |count: u64, ()| Ok(count + 1)).await?;
        rates.push(Rate { request: kind.name().to_owned(), a_second: a_second(asked, began.elapsed()) });
    }
    Ok(rates)
}

async fn ask_one(client: &Client, table: &str, kind: Kind, number: u64) -> anyhow::Result<()> {
    match kind {
        Kind::PutItem => {
            client.put_item().table_name(table).set_item(Some(item("put", number))).send().await?;
        }
        Kind::GetItem => {
            let request = client.get_item().table_name(table).set_key(Some(key("put", number % 1000)));
            request.consistent_read(true).send().await?;
        }
        Kind::Query => {
            let pk = AttributeValue::S(pk("put", number % 1000));
            let request = client.query().table_name(table).key_condition_expression("pk = :pk");
            request.expression_attribute_values(":pk", pk).consistent_read(true).send().await?;
        }
        Kind::BatchWriteItem => {
            let put = |of| Ok(PutRequest::builder().set_item(Some(item("batch", number * BATCH + of))).build()?);
            let write = |put: anyhow::Result<PutRequest>| Ok(WriteRequest::builder().put_request(put?).build());
            let writes = (0..BATCH).map(put).map(write).collect::<anyhow::Result<Vec<_>>>()?;
            client.batch_write_item().request_items(table, writes).send().await?;
        }
        Kind::TransactWriteItems => {
            let put = |of| {
                let put = Put::builder().table_name(table).set_item(Some(item("transaction", number * BATCH + of)));
                let put = put.condition_expression("attribute_not_exists(pk)").build()?;
                Ok(TransactWriteItem::builder().put(put).build())
            };
            let writes = (0..BATCH).map(put).collect::<anyhow::Result<Vec<_>>>()?;
            client.transact_write_items().set_transact_items(Some(writes)).send().await?;
        }
    }
    Ok(())
}

fn pk(of: &str, number: u64) -> String {
    format!("PROBE#{of}#{number}")
}

fn key(of: &str, number: u64) -> HashMap<String, AttributeValue> {
    let text = |text: String| AttributeValue::S(text);
    HashMap::from([("pk".to_owned(), text(pk(of, number))), ("sk".to_owned(), text("units#0".to_owned()))])
}

/// Returns an item about as large as an event's or a record's.
fn item(of: &str, number: u64) -> HashMap<String, AttributeValue> {
    let mut item = key(of, number);
    for name in ["dimension", "key", "at", "since", "product"] {
        item.insert(name.to_owned(), AttributeValue::S(format!("{number:032}")));
    }
    item.insert("quantity".to_owned(), AttributeValue::N(number.to_string()));
    item
}

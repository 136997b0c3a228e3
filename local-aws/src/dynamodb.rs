//! DynamoDB: the embedded database of `dynoxide`. Callers reach it through the shared port or in this process, so the
//! fault plan and the wire log apply to it too. This module produces the answers that the database itself never gives:
//! unprocessed items and transaction conflicts.
//!
//! Requests of the Rust SDK, in this process or through the port, are well-formed, and the database is called for them
//! directly. Requests of other clients are forwarded to the HTTP server of the database, which handles unusual requests
//! as DynamoDB does. A request that the database refuses is forwarded too, unless it is a transaction: a refused
//! request has changed nothing, and the server answers with DynamoDB's error messages.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::{Database, DynoxideError};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::error::ServiceError;
use crate::idempotency::IdempotentTransactions;
use crate::protocol::{Document, Record};

/// The embedded DynamoDB.
#[derive(Clone)]
pub(crate) struct DynamoDb {
    database: Database,
    idempotency: Arc<IdempotentTransactions>,
    server: Option<Server>,
}

/// The HTTP server of the embedded DynamoDB, and a client of it.
#[derive(Clone)]
struct Server {
    url: String,
    client: reqwest::Client,
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb").field("url", &self.url()).finish()
    }
}

impl DynamoDb {
    /// Opens a database in memory that has no server.
    pub(crate) fn without_server() -> anyhow::Result<Self> {
        let database = Database::memory().context("the database in memory cannot be opened")?;
        Ok(Self { database, idempotency: Arc::default(), server: None })
    }

    /// Starts the database with its server, in memory or in a file. It stops when the sender of `stop` is dropped.
    pub(crate) async fn serve(data: Option<&Path>, mut stop: watch::Receiver<()>) -> anyhow::Result<Self> {
        let database = match data {
            None => Database::memory().context("the database in memory cannot be opened")?,
            Some(path) => {
                let name = path.to_str().ok_or_else(|| anyhow!("{} is no UTF-8 name", path.display()))?;
                Database::new(name).with_context(|| format!("{name} cannot be opened as a database"))?
            }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port for DynamoDB")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let served = database.clone();
        tokio::spawn(async move {
            let stopped = async move {
                // No value is ever sent: the drop of the sender is the signal.
                let _ = stop.changed().await;
            };
            if let Err(error) = dynoxide::server::serve_with_shutdown(listener, served, stopped).await {
                tracing::error!(error, "the embedded DynamoDB has stopped");
            }
        });
        // Connects directly, past any proxy that the environment names.
        let client = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
        Ok(Self { database, idempotency: Arc::default(), server: Some(Server { url, client }) })
    }

    /// Returns the URL of the database's own server, which has no faults and no wire log; empty if there is no server.
    pub(crate) fn url(&self) -> &str {
        self.server.as_ref().map_or("", |server| &server.url)
    }

    /// Performs a request and returns its answer. The first `unprocessed` items of a BatchWriteItem are not written and
    /// come back in `UnprocessedItems`.
    ///
    /// # Errors
    ///
    /// Fails when the connection to the embedded server fails.
    pub(crate) async fn answer(
        &self,
        operation: &str,
        headers: &HeaderMap,
        body: &[u8],
        unprocessed: usize,
    ) -> Result<Response, reqwest::Error> {
        let split = if unprocessed == 0 { None } else { Batch::split(body, unprocessed) };
        let Some(Batch { passed, kept }) = split else {
            return self.ask(operation, headers, body).await.map(IntoResponse::into_response);
        };
        let (status, mut headers, answer) = match passed {
            None => (StatusCode::OK, HeaderMap::new(), Bytes::from_static(b"{}")),
            Some(passed) => self.ask(operation, headers, passed.to_string().as_bytes()).await?,
        };
        if !status.is_success() {
            return Ok((status, headers, answer).into_response());
        }
        // The checksum was that of the body before this change.
        headers.remove("x-amz-crc32");
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        Ok((status, headers, Body::from(with_unprocessed(&answer, kept))).into_response())
    }

    async fn ask(
        &self,
        operation: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(StatusCode, HeaderMap, Bytes), reqwest::Error> {
        let (status, answer) = match &self.server {
            Some(server) if !is_of_rust_sdk(headers) => return server.ask(headers, body).await,
            server => match (self.call(operation, body), server) {
                (Ok(answer), _) => (StatusCode::OK, answer),
                // The server does not know the tokens of the transactions that were made here.
                (Err(_), Some(server)) if operation != TRANSACTION => return server.ask(headers, body).await,
                (Err(error), _) => {
                    let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
                    (status, error.to_json())
                }
            },
        };
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, CONTENT_TYPE)]);
        Ok((status, headers, Bytes::from(answer)))
    }

    /// Calls the database for a request in the form in which an SDK writes it.
    fn call(&self, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
        match operation {
            "CreateTable" => run(body, |request| self.database.create_table(request)),
            "DescribeTable" => run(body, |request| self.database.describe_table(request)),
            "UpdateTimeToLive" => run(body, |request| self.database.update_time_to_live(request)),
            "GetItem" => run(body, |request| self.database.get_item(request)),
            "PutItem" => run(body, |request| self.database.put_item(request)),
            "UpdateItem" => run(body, |request| self.database.update_item(request)),
            "DeleteItem" => run(body, |request| self.database.delete_item(request)),
            "Query" => run(body, |request| self.database.query(request)),
            "Scan" => run(body, |request| self.database.scan(request)),
            "BatchGetItem" => run(body, |request| self.database.batch_get_item(request)),
            "BatchWriteItem" => run(body, |request| self.database.batch_write_item(request)),
            "TransactGetItems" => run(body, |request| self.database.transact_get_items(request)),
            TRANSACTION => self.transact(body),
            _ => Err(DynoxideError::ValidationException(format!("{operation} has no way without a port"))),
        }
    }

    fn transact(&self, body: &[u8]) -> Result<String, DynoxideError> {
        let mut request: TransactWriteItemsRequest = read(body)?;
        match request.client_request_token.take() {
            Some(token) => {
                self.idempotency.perform_once(&token, body, || write(&self.database.transact_write_items(request)?))
            }
            None => write(&self.database.transact_write_items(request)?),
        }
    }
}

impl Server {
    async fn ask(&self, headers: &HeaderMap, body: &[u8]) -> Result<(StatusCode, HeaderMap, Bytes), reqwest::Error> {
        let headers = end_to_end(headers.clone());
        let answer = self.client.post(&self.url).headers(headers).body(body.to_vec()).send().await?;
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        let headers = end_to_end(answer.headers().clone());
        Ok((status, headers, answer.bytes().await?))
    }
}

/// Returns `true` if the Rust SDK made the request. It never sends a malformed one.
fn is_of_rust_sdk(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.starts_with("aws-sdk-rust/"))
}

const TRANSACTION: &str = "TransactWriteItems";

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

fn run<Request: DeserializeOwned, Answer: Serialize>(
    body: &[u8],
    act: impl FnOnce(Request) -> dynoxide::Result<Answer>,
) -> Result<String, DynoxideError> {
    write(&act(read(body)?)?)
}

fn read<Request: DeserializeOwned>(body: &[u8]) -> Result<Request, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| DynoxideError::ValidationException(error.to_string()))
}

fn write(answer: &impl Serialize) -> Result<String, DynoxideError> {
    serde_json::to_string(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// A BatchWriteItem request, split into the items to forward and the items to keep back.
struct Batch {
    /// The request without the items that are kept back; `None` if those are all of its items.
    passed: Option<Value>,
    kept: Map<String, Value>,
}

impl Batch {
    /// Keeps back the first `keep` items. Returns `None` if the body is not a batch.
    fn split(body: &[u8], mut keep: usize) -> Option<Self> {
        let mut request: Value = serde_json::from_slice(body).ok()?;
        let tables = request.get_mut("RequestItems")?.as_object_mut()?;
        let mut kept = Map::new();
        for (table, items) in tables.iter_mut() {
            let items = items.as_array_mut()?;
            let here: Vec<Value> = items.drain(..keep.min(items.len())).collect();
            keep -= here.len();
            if !here.is_empty() {
                kept.insert(table.clone(), here.into());
            }
        }
        tables.retain(|_, items| items.as_array().is_some_and(|items| !items.is_empty()));
        let passed = (!tables.is_empty()).then_some(request);
        Some(Self { passed, kept })
    }
}

/// Adds the items that were kept back to the unprocessed items of an answer.
fn with_unprocessed(answer: &[u8], kept: Map<String, Value>) -> Vec<u8> {
    let mut answer: Map<String, Value> = serde_json::from_slice(answer).unwrap_or_default();
    let unprocessed = answer.entry("UnprocessedItems").or_insert_with(|| json!({}));
    if let Some(tables) = unprocessed.as_object_mut() {
        for (table, items) in kept {
            match tables.get_mut(&table).and_then(Value::as_array_mut) {
                Some(there) => there.extend(items.as_array().into_iter().flatten().cloned()),
                None => {
                    tables.insert(table, items);
                }
            }
        }
    }
    Value::from(answer).to_string().into_bytes()
}

/// Returns the error with which DynamoDB refuses a call while another transaction works on an item (DynamoDB API
/// reference, TransactionCanceledException and TransactionConflictException). For a transaction, its first
/// `conflicting` items are in conflict.
pub(crate) fn transaction_conflict(operation: &str, request: Option<&Document>, conflicting: usize) -> ServiceError {
    let message = "Transaction is ongoing for the item";
    if !operation.starts_with("Transact") {
        return ServiceError::modelled("TransactionConflictException", 400, message);
    }
    let items = match request {
        Some(Document::Map(members)) => match members.get("TransactItems") {
            Some(Document::List(items)) => items.len(),
            _ => 0,
        },
        _ => 0,
    };
    let code = |item: usize| if item < conflicting { "TransactionConflict" } else { "None" };
    let codes: Vec<&str> = (0..items).map(code).collect();
    let reasons = codes.iter().map(|code| {
        let conflict = (*code != "None").then_some(message);
        Record::new().with("Code", *code).with_some("Message", conflict)
    });
    let reasons: Vec<Record> = reasons.collect();
    let reason = codes.join(", ");
    let message = format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{reason}]");
    let mut error = ServiceError::modelled("TransactionCanceledException", 400, message);
    error.members = error.members.with("CancellationReasons", reasons);
    error
}

/// Removes the headers that belong to one connection only, or that the next connection sets itself.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::EXPECT,
        header::TE,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
    headers
}

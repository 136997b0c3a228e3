//! The Lambda Runtime API (Lambda developer guide, runtimes-api), for one function at a time: a process asks for work,
//! gets an event, and posts its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

/// The time that a function may take to ask for work, and to answer.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A call of a function to the runtime API.
enum RuntimeCall {
    /// A request for work, which is sent back through this channel.
    Ask {
        at: Instant,
        work: oneshot::Sender<Work>,
    },
    Answer {
        at: Instant,
        body: Bytes,
    },
    Fail {
        body: Bytes,
    },
}

struct Work {
    number: u64,
    event: Bytes,
}

/// Lambda's side of the runtime API.
pub(crate) struct RuntimeApi {
    address: String,
    call: mpsc::Receiver<RuntimeCall>,
    invocations: u64,
}

/// A function that waits for its work.
pub(crate) struct Idle(oneshot::Sender<Work>);

impl RuntimeApi {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (sender, call) = mpsc::channel(1);
        let sender = Arc::new(Mutex::new(sender));
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
            .route("/2018-06-01/runtime/init/error", post(init_failure))
            .with_state(sender);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, call, invocations: 0 })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the function asks for work, and returns the time at which it did.
    pub(crate) async fn idle(&mut self) -> anyhow::Result<(Instant, Idle)> {
        match self.next().await? {
            RuntimeCall::Ask { at, work } => Ok((at, Idle(work))),
            RuntimeCall::Answer { .. } => bail!("it answered without an event"),
            RuntimeCall::Fail { body } => bail!("it did not start: {}", String::from_utf8_lossy(&body)),
        }
    }

    /// Sends the function an event, and waits for the answer. Returns the time that it took, and the answer.
    pub(crate) async fn invoke(&mut self, idle: Idle, event: &Value) -> anyhow::Result<(Duration, Value)> {
        self.invocations += 1;
        let work = Work { number: self.invocations, event: serde_json::to_vec(event)?.into() };
        let began = Instant::now();
        idle.0.send(work).ok().context("it no longer asks for work")?;
        match self.next().await? {
            RuntimeCall::Answer { at, body } => Ok((at - began, serde_json::from_slice(&body)?)),
            RuntimeCall::Ask { .. } => bail!("it asked for more without an answer"),
            RuntimeCall::Fail { body } => bail!("it failed: {}", String::from_utf8_lossy(&body)),
        }
    }

    async fn next(&mut self) -> anyhow::Result<RuntimeCall> {
        let call = timeout(START_TIMEOUT, self.call.recv()).await.context("it does not respond")?;
        call.context("the Runtime API has stopped")
    }
}

type CallSender = State<Arc<Mutex<mpsc::Sender<RuntimeCall>>>>;

async fn next(State(sender): CallSender) -> axum::response::Response {
    let at = Instant::now();
    let (work, given) = oneshot::channel();
    let sent = sender.lock().await.send(RuntimeCall::Ask { at, work }).await;
    let (Ok(()), Ok(Work { number, event })) = (sent, given.await) else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{number:012}")),
        ("lambda-runtime-deadline-ms", deadline().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:444455556666:function:bench".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
    ];
    (headers, event).into_response()
}

/// The deadline of an invocation: five minutes from now, in milliseconds since 1970.
fn deadline() -> i64 {
    jiff::Timestamp::now().as_millisecond() + 300_000
}

async fn response(State(sender): CallSender, Path(_): Path<String>, body: Bytes) -> StatusCode {
    answered(&sender, RuntimeCall::Answer { at: Instant::now(), body }).await
}

async fn failure(State(sender): CallSender, Path(_): Path<String>, body: Bytes) -> StatusCode {
    answered(&sender, RuntimeCall::Fail { body }).await
}

async fn init_failure(State(sender): CallSender, body: Bytes) -> StatusCode {
    answered(&sender, RuntimeCall::Fail { body }).await
}

async fn answered(sender: &Mutex<mpsc::Sender<RuntimeCall>>, call: RuntimeCall) -> StatusCode {
    let sent = sender.lock().await.send(call).await;
    if sent.is_ok() { StatusCode::ACCEPTED } else { StatusCode::GONE }
}

//! The network between the functions and AWS: it delays calls, loses none by itself, and observes all of them.
//!
//! As in AWS, a request that is under way is executed even if its caller dies. A request that was not sent is not
//! executed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use fastrand::Rng;
use sandbox::aws::InProcess;
use serde_json::Value;

use crate::story::Story;
use crate::telling;
use crate::time::{InStep, Time, actor};

/// The network. Clones are the same network.
#[derive(Clone)]
pub struct Network(Arc<Inside>);

struct Inside {
    aws: InProcess,
    time: Time,
    story: Story,
    rng: Mutex<Rng>,
    calm: AtomicBool,
    seen: Mutex<Seen>,
}

/// The observations of the calls.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// The number of calls of each operation.
    pub calls: BTreeMap<String, u64>,
    /// A hash that differs if anything happened differently or at another time.
    pub digest: u64,
    /// The content of each record when it was first sent.
    sent: BTreeMap<String, String>,
    /// The hours that have a record, each with its license.
    frozen: BTreeSet<(String, String)>,
    /// Violations: a record that was sent again with another content, or usage that was written into an hour that had a
    /// record, without a read of that hour.
    pub broken: Vec<String>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Network {
    /// Returns the network in front of an AWS.
    pub fn new(aws: InProcess, time: &Time, story: &Story, seed: u64) -> Self {
        Self(Arc::new(Inside {
            aws,
            time: time.clone(),
            story: story.clone(),
            rng: Mutex::new(Rng::with_seed(seed)),
            calm: AtomicBool::new(false),
            seen: Mutex::default(),
        }))
    }

    /// Makes every call quick from now on.
    pub fn calm(&self) {
        self.0.calm.store(true, Ordering::Relaxed);
    }

    /// Returns the observations so far.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the delays of a call: before it is sent, until it is executed, and until its answer arrives.
    fn delays(&self, operation: &str) -> [Duration; 3] {
        let mut rng = self.0.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let is_calm = self.0.calm.load(Ordering::Relaxed);
        let slow = if operation == "BatchMeterUsage" { 0.08 } else { 0.01 };
        let (slow_by, quick_by) = (if operation == "BatchMeterUsage" { 28_000 } else { 4_000 }, 15);
        let by = if !is_calm && rng.f64() < slow { rng.u64(quick_by..slow_by) } else { rng.u64(1..quick_by) };
        let mut delays = [Duration::ZERO; 3];
        if let Some(delay) = delays.get_mut(rng.usize(0..3)) {
            *delay = Duration::from_millis(by);
        }
        delays
    }

    fn note(&self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        let mut seen = self.lock();
        (seen.digest, self.0.time.passed(), what).hash(&mut hasher);
        seen.digest = hasher.finish();
    }

    /// Checks that a record has the same content each time that it is sent.
    fn compare(&self, body: &[u8]) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        let mut seen = self.lock();
        for record in body.get("UsageRecords").and_then(Value::as_array).into_iter().flatten() {
            let (name, what) = telling::sent_record(&body, record);
            let first = seen.sent.entry(name.clone()).or_insert_with(|| what.clone());
            if *first != what {
                let changed = format!("{name} was sent as {first} and then as {what}");
                seen.broken.push(changed);
            }
        }
    }
}

impl Network {
    /// Checks that no usage is written into an hour without a read once the hour is summed. The fence exists to prevent
    /// such a write.
    fn guard(&self, body: &[u8]) {
        let mut seen = self.lock();
        for (license, hour) in telling::blind_hours(body) {
            let of = (license, hour);
            if seen.frozen.contains(&of) {
                seen.broken.push(format!("usage of {} was put blindly into {}, which has a record", of.0, of.1));
            }
        }
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = telling::operation(&request);
        *self.lock().calls.entry(operation.clone()).or_default() += 1;
        self.note(&operation);
        let (network, actor) = (self.clone(), actor());
        let [before, under_way, back] = self.delays(&operation);
        HttpConnectorFuture::new(async move {
            let Inside { time, story, aws, .. } = &*network.0;
            wait(before).await;
            let body = request.body().bytes().unwrap_or_default();
            match operation.as_str() {
                "BatchMeterUsage" => network.compare(body),
                "BatchWriteItem" => network.guard(body),
                _ => {}
            }
            let frozen = if operation == "TransactWriteItems" { telling::frozen_hours(body) } else { Vec::new() };
            let asked = story.is_told().then(|| telling::request(&operation, request.body().bytes()));
            if let Some(asked) = &asked {
                story.tell(time.now(), || format!("  > {operation} {asked}"));
            }
            let aws = aws.clone();
            let answering = tokio::spawn(InStep::new(time, actor, async move {
                wait(under_way).await;
                aws.ask(request).await
            }));
            let answer = answering.await.unwrap_or_else(|error| Err(ConnectorError::other(error.into(), None)));
            if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                network.lock().frozen.extend(frozen);
            }
            wait(back).await;
            network.note(answer.as_ref().map(|answer| answer.status().as_u16()).ok());
            story.tell(time.now(), || format!("  < {operation} {}", telling::answer(&operation, &answer)));
            answer
        })
    }
}

impl HttpClient for Network {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

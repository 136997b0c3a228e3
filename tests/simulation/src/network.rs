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
use local_aws::InProcess;
use serde_json::Value;

use crate::describe;
use crate::event_log::EventLog;
use crate::time::{InStep, Time, actor};

/// The network. Clones are the same network.
#[derive(Clone)]
pub struct Network(Arc<NetworkState>);

struct NetworkState {
    aws: InProcess,
    time: Time,
    log: EventLog,
    rng: Mutex<Rng>,
    calm: AtomicBool,
    observations: Mutex<Observations>,
}

/// The observations of the calls.
#[derive(Debug, Default, Clone)]
pub struct Observations {
    /// The number of calls of each operation.
    pub calls: BTreeMap<String, u64>,
    /// A hash that differs if anything happened differently or at another time.
    pub digest: u64,
    /// The content of each record when it was first sent.
    sent: BTreeMap<String, String>,
    /// The hours that have a record, each with its license.
    summed: BTreeSet<(String, String)>,
    /// Violations: a record that was sent again with another content, or usage that was written into an hour that had a
    /// record, without a read of that hour.
    pub violations: Vec<String>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Network {
    /// Returns the network in front of an AWS.
    pub fn new(aws: InProcess, time: &Time, log: &EventLog, seed: u64) -> Self {
        Self(Arc::new(NetworkState {
            aws,
            time: time.clone(),
            log: log.clone(),
            rng: Mutex::new(Rng::with_seed(seed)),
            calm: AtomicBool::new(false),
            observations: Mutex::default(),
        }))
    }

    /// Makes every call quick from now on.
    pub fn calm(&self) {
        self.0.calm.store(true, Ordering::Relaxed);
    }

    /// Returns the observations so far.
    pub fn observations(&self) -> Observations {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Observations> {
        self.0.observations.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut observations = self.lock();
        (observations.digest, self.0.time.passed(), what).hash(&mut hasher);
        observations.digest = hasher.finish();
    }

    /// Checks that a record has the same content each time that it is sent.
    fn compare(&self, body: &[u8]) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        let mut observations = self.lock();
        for record in body.get("UsageRecords").and_then(Value::as_array).into_iter().flatten() {
            let (name, what) = describe::sent_record(&body, record);
            let first = observations.sent.entry(name.clone()).or_insert_with(|| what.clone());
            if *first != what {
                let changed = format!("{name} was sent as {first} and then as {what}");
                observations.violations.push(changed);
            }
        }
    }
}

impl Network {
    /// Checks that no usage is written into an hour without a read once the hour is summed. The fence exists to prevent
    /// such a write.
    fn check_unread_writes(&self, body: &[u8]) {
        let mut observations = self.lock();
        for (license, hour) in describe::unread_hours(body) {
            let of = (license, hour);
            if observations.summed.contains(&of) {
                observations
                    .violations
                    .push(format!("usage of {} was written without a read into {}, which has a record", of.0, of.1));
            }
        }
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = describe::operation(&request);
        *self.lock().calls.entry(operation.clone()).or_default() += 1;
        self.note(&operation);
        let (network, actor) = (self.clone(), actor());
        let [before, under_way, back] = self.delays(&operation);
        HttpConnectorFuture::new(async move {
            let NetworkState { time, log, aws, .. } = &*network.0;
            wait(before).await;
            let body = request.body().bytes().unwrap_or_default();
            match operation.as_str() {
                "BatchMeterUsage" => network.compare(body),
                "BatchWriteItem" => network.check_unread_writes(body),
                _ => {}
            }
            let summed = if operation == "TransactWriteItems" { describe::summed_hours(body) } else { Vec::new() };
            let description = log.is_kept().then(|| describe::request(&operation, request.body().bytes()));
            if let Some(description) = &description {
                log.record(time.now(), || format!("  > {operation} {description}"));
            }
            let aws = aws.clone();
            let answering = tokio::spawn(InStep::new(time, actor, async move {
                wait(under_way).await;
                aws.ask(request).await
            }));
            let answer = answering.await.unwrap_or_else(|error| Err(ConnectorError::other(error.into(), None)));
            if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                network.lock().summed.extend(summed);
            }
            wait(back).await;
            network.note(answer.as_ref().map(|answer| answer.status().as_u16()).ok());
            log.record(time.now(), || format!("  < {operation} {}", describe::answer(&operation, &answer)));
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

//! The log of the calls to the services, for tests that assert on the requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::service::Service;

/// The most calls that the log keeps.
const REMEMBERED: usize = 10_000;

/// A call, as it arrived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WireCall {
    /// The time of arrival, by the clock of the local AWS.
    pub at: Timestamp,
    /// The service that was called.
    pub service: Service,
    /// The operation that was called.
    pub operation: String,
    /// The request as JSON, in any protocol; null if it could not be read. A registration token is redacted.
    pub body: Value,
    /// The HTTP status of the answer; `None` while the call is in progress, or if the answer was lost.
    pub status: Option<u16>,
    #[serde(skip)]
    number: u64,
}

/// The number of calls of one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// The number of all calls.
    pub calls: u64,
    /// The number of calls that were answered with an error, or not at all.
    pub failed: u64,
    /// The total time of the calls.
    pub busy: Duration,
}

/// The number of calls, by service and operation.
pub type Counts = BTreeMap<Service, BTreeMap<String, Count>>;

/// The newest calls to all services, in the order of their arrival, and the number of all calls. Clones share it.
#[derive(Debug, Clone)]
pub struct WireLog {
    ring: Arc<Mutex<Ring>>,
    counts: Arc<Mutex<Counts>>,
    kept: Arc<AtomicBool>,
}

impl Default for WireLog {
    fn default() -> Self {
        Self { ring: Arc::default(), counts: Arc::default(), kept: Arc::new(AtomicBool::new(true)) }
    }
}

#[derive(Debug, Default)]
struct Ring {
    calls: VecDeque<WireCall>,
    arrived: u64,
}

impl WireLog {
    /// Creates a log that keeps no calls.
    pub(crate) fn none() -> Self {
        let wire = Self::default();
        wire.keep(false);
        wire
    }

    /// Turns the log of calls on or off. Calls are counted in any case.
    pub fn keep(&self, kept: bool) {
        self.kept.store(kept, Ordering::Relaxed);
    }

    /// Returns `true` if calls are logged.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// Returns the number of calls that ended since the start.
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a call that has ended.
    pub(crate) fn count(&self, service: Service, operation: &str, failed: bool, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_service = counts.entry(service).or_default();
        let count = match of_service.get_mut(operation) {
            Some(count) => count,
            None => of_service.entry(operation.to_owned()).or_default(),
        };
        count.calls += 1;
        count.failed += u64::from(failed);
        count.busy += took;
    }

    /// Returns the calls of an operation, or for `*` of all operations of the service.
    pub fn calls(&self, service: Service, operation: &str) -> Vec<WireCall> {
        let wanted = |call: &&WireCall| call.service == service && (operation == "*" || call.operation == operation);
        self.lock().calls.iter().filter(wanted).cloned().collect()
    }

    /// Returns all calls.
    pub fn all(&self) -> Vec<WireCall> {
        self.lock().calls.iter().cloned().collect()
    }

    /// Removes all calls.
    pub fn clear(&self) {
        self.lock().calls.clear();
    }

    /// Logs a call before it is answered, and returns its number.
    pub(crate) fn arrived(&self, at: Timestamp, service: Service, operation: &str, mut body: Value) -> u64 {
        redact(service, &mut body);
        let mut ring = self.lock();
        let number = ring.arrived;
        ring.arrived += 1;
        if ring.calls.len() == REMEMBERED {
            ring.calls.pop_front();
        }
        ring.calls.push_back(WireCall { at, service, operation: operation.to_owned(), body, status: None, number });
        number
    }

    /// Adds the status of a call's answer.
    pub(crate) fn answered(&self, number: u64, status: u16) {
        if let Some(call) = self.lock().calls.iter_mut().rev().find(|call| call.number == number) {
            call.status = Some(status);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes secrets from a request. A token proves a purchase, so it is never stored; a mail is stored in the outbox
/// only.
fn redact(service: Service, body: &mut Value) {
    if service == Service::Ses {
        *body = "(redacted)".into();
    }
    if let Some(token) = body.get_mut("RegistrationToken") {
        *token = "(redacted)".into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_oldest_calls_are_dropped_first_and_tokens_are_redacted() {
        let wire = WireLog::default();
        for number in 0..=REMEMBERED {
            let body = json!({"RegistrationToken": "secret", "n": number});
            let number = wire.arrived(Timestamp::UNIX_EPOCH, Service::Metering, "ResolveCustomer", body);
            wire.answered(number, 200);
        }
        let calls = wire.calls(Service::Metering, "ResolveCustomer");
        assert_eq!(calls.len(), REMEMBERED);
        assert_eq!(calls[0].body, json!({"RegistrationToken": "(redacted)", "n": 1}));
        assert_eq!(calls[0].status, Some(200));
        assert!(wire.calls(Service::Metering, "BatchMeterUsage").is_empty());
        assert_eq!(wire.calls(Service::Metering, "*").len(), REMEMBERED);
        wire.clear();
        assert!(wire.all().is_empty());
    }

    #[test]
    fn calls_are_counted_whether_they_are_kept_or_not() {
        let wire = WireLog::none();
        assert!(!wire.is_kept());
        for failed in [false, true, false] {
            wire.count(Service::DynamoDb, "Query", failed, Duration::from_millis(2));
        }
        assert_eq!(
            wire.counts()[&Service::DynamoDb]["Query"],
            Count { calls: 3, failed: 1, busy: Duration::from_millis(6) }
        );
    }
}

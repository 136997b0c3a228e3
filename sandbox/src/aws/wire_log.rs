//! What was asked of the services, for tests that assert what stands on the wire.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::service::Service;

/// How many calls are remembered.
const REMEMBERED: usize = 10_000;

/// One call, as it arrived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WireCall {
    /// When it arrived, by the sandbox's clock.
    pub at: Timestamp,
    /// Whom it asked.
    pub service: Service,
    /// What it asked.
    pub operation: String,
    /// The request as JSON, whatever its protocol was; null if it could not be read. A registration token is left out.
    pub body: Value,
    /// The HTTP status of the answer; none while it is being answered, or if the answer was lost.
    pub status: Option<u16>,
    #[serde(skip)]
    number: u64,
}

/// The newest calls to all services, in the order of their arrival. Clones share it.
#[derive(Debug, Clone)]
pub struct WireLog {
    ring: Arc<Mutex<Ring>>,
    kept: bool,
}

impl Default for WireLog {
    fn default() -> Self {
        Self { ring: Arc::default(), kept: true }
    }
}

#[derive(Debug, Default)]
struct Ring {
    calls: VecDeque<WireCall>,
    arrived: u64,
}

impl WireLog {
    /// One that stays empty.
    pub(crate) fn none() -> Self {
        Self { kept: false, ..Self::default() }
    }

    /// Whether calls are written down.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    /// The calls of an operation, or of all operations of the service for `*`.
    pub fn calls(&self, service: Service, operation: &str) -> Vec<WireCall> {
        let wanted = |call: &&WireCall| call.service == service && (operation == "*" || call.operation == operation);
        self.lock().calls.iter().filter(wanted).cloned().collect()
    }

    /// All calls.
    pub fn all(&self) -> Vec<WireCall> {
        self.lock().calls.iter().cloned().collect()
    }

    /// Forgets all calls.
    pub fn clear(&self) {
        self.lock().calls.clear();
    }

    /// Writes a call down before it is answered, and gives it a number.
    pub(crate) fn arrived(&self, at: Timestamp, service: Service, operation: &str, mut body: Value) -> u64 {
        redact(&mut body);
        let mut ring = self.lock();
        let number = ring.arrived;
        ring.arrived += 1;
        if ring.calls.len() == REMEMBERED {
            ring.calls.pop_front();
        }
        ring.calls.push_back(WireCall { at, service, operation: operation.to_owned(), body, status: None, number });
        number
    }

    /// Adds how a call was answered.
    pub(crate) fn answered(&self, number: u64, status: u16) {
        if let Some(call) = self.lock().calls.iter_mut().rev().find(|call| call.number == number) {
            call.status = Some(status);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token proves a purchase, so it is kept nowhere.
fn redact(body: &mut Value) {
    if let Some(token) = body.get_mut("RegistrationToken") {
        *token = "(redacted)".into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_oldest_calls_are_forgotten_first_and_no_token_is_kept() {
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
}

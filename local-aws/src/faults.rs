//! The fault plan: the calls that fail, and the manner in which they fail.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marketplace_ids::ProductCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::control_error::ControlError;
use crate::service::Service;

/// An entry of the plan: some calls of an operation fail in one manner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The service that is called.
    pub service: Service,
    /// The operation, or `*` for all operations of the service.
    pub operation: String,
    /// The first call that fails, counted from the moment the fault is added; the next call is 1.
    #[serde(default = "one")]
    pub call: u32,
    /// The number of consecutive calls that fail.
    #[serde(default = "one")]
    pub times: u32,
    /// The kind of failure.
    pub kind: FaultKind,
    /// The time for which the connection is held before it closes, by the machine's clock, in milliseconds: for
    /// `timeout` (default 30 seconds), `before` and `after` (default 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The number of records or items that the fault affects, from the first one on: for `unprocessed` (default all)
    /// and for `transaction_conflict` on a transaction (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// For BatchMeterUsage: the plan counts only the calls for this product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductCode>,
}

fn one() -> u32 {
    1
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection closes without an answer, and the call was not performed.
    Before,
    /// The call is performed, then the connection closes without an answer.
    After,
    /// The service answers that the request rate is exceeded.
    Throttle,
    /// The service answers with its internal error, and the call was not performed.
    #[serde(alias = "500")]
    Error500,
    /// The connection is held open, then closes without an answer. The call was not performed.
    Timeout,
    /// The service does not answer for as long as the caller waits. The call was not performed.
    Hang,
    /// The service answers that the caller is not authorized.
    AccessDenied,
    /// The service answers that it is not available in this region (Metering Service API reference,
    /// DisabledApiException).
    DisabledApi,
    /// The first records are not booked and come back in `UnprocessedRecords` (BatchMeterUsage), or the first items are
    /// not written and come back in `UnprocessedItems` (BatchWriteItem). The rest of the call is performed.
    Unprocessed,
    /// The function that makes the call crashes before the call is performed, as does every function that runs at that
    /// moment. Later invocations start a new instance.
    CrashBefore,
    /// The call is performed, then the function that made the call crashes, as for `CrashBefore`.
    CrashAfter,
    /// DynamoDB answers that another transaction works on the item, and the call was not performed.
    TransactionConflict,
}

impl FaultKind {
    const ALL: [(&'static str, Self); 12] = [
        ("before", Self::Before),
        ("after", Self::After),
        ("throttle", Self::Throttle),
        ("error500", Self::Error500),
        ("timeout", Self::Timeout),
        ("hang", Self::Hang),
        ("access_denied", Self::AccessDenied),
        ("disabled_api", Self::DisabledApi),
        ("unprocessed", Self::Unprocessed),
        ("crash_before", Self::CrashBefore),
        ("crash_after", Self::CrashAfter),
        ("transaction_conflict", Self::TransactionConflict),
    ];

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, kind)| *kind == self).map(|(name, _)| name).unwrap_or_default()
    }

    /// Describes the operations that this kind can affect, and reports if `operation` is one of them.
    fn fits(self, service: Service, operation: &str) -> (&'static str, bool) {
        match self {
            Self::Before
            | Self::After
            | Self::Throttle
            | Self::Error500
            | Self::Timeout
            | Self::Hang
            | Self::AccessDenied
            | Self::CrashBefore
            | Self::CrashAfter => ("every operation", true),
            Self::DisabledApi => ("every operation of metering", service == Service::Metering),
            Self::Unprocessed => (
                "BatchMeterUsage of metering, BatchWriteItem of dynamodb",
                operation == "BatchMeterUsage" || operation == "BatchWriteItem",
            ),
            Self::TransactionConflict => (
                "TransactWriteItems, TransactGetItems, PutItem, UpdateItem, DeleteItem of dynamodb",
                ["TransactWriteItems", "TransactGetItems", "PutItem", "UpdateItem", "DeleteItem"].contains(&operation),
            ),
        }
    }
}

impl FromStr for FaultKind {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        let known = if text == "500" { "error500" } else { text };
        Self::ALL.into_iter().find(|(name, _)| *name == known).map(|(_, kind)| kind).ok_or_else(|| {
            ControlError::KindUnknown {
                given: text.chars().take(80).collect(),
                allowed: Self::ALL.map(|(name, _)| name).join(", "),
            }
        })
    }
}

impl Fault {
    /// Reads a fault from JSON:
    /// `{"service": "metering", "operation": "ResolveCustomer", "call": 1, "times": 1, "kind": "throttle"}`.
    ///
    /// # Errors
    ///
    /// Fails with the field at fault and the services, operations or kinds that exist.
    pub fn read(plan: &Value) -> Result<Self, ControlError> {
        // These two are parsed first, for their own error codes; serde reports every other problem.
        if let Some(service) = plan.get("service").and_then(Value::as_str) {
            service.parse::<Service>()?;
        }
        if let Some(kind) = plan.get("kind").and_then(Value::as_str) {
            kind.parse::<FaultKind>()?;
        }
        let fault: Self = serde_json::from_value(plan.clone())
            .map_err(|error| ControlError::FaultMalformed { problem: error.to_string() })?;
        fault.check()?;
        Ok(fault)
    }

    fn check(&self) -> Result<(), ControlError> {
        let operations = self.service.operations();
        if self.operation != "*" && !operations.contains(&self.operation.as_str()) {
            return Err(ControlError::OperationUnknown {
                given: self.operation.chars().take(80).collect(),
                allowed: operations.join(", "),
            });
        }
        if self.call == 0 || self.times == 0 {
            return Err(ControlError::FaultMalformed { problem: "`call` and `times` count from 1".to_owned() });
        }
        let (fitting, fits) = self.kind.fits(self.service, &self.operation);
        if !fits {
            let operation = format!("{} of {}", self.operation, self.service);
            return Err(ControlError::KindUnfit { kind: self.kind.name(), operation, fitting });
        }
        let problem = match (self.records, self.kind) {
            (Some(0), _) => "`records` counts from 1",
            (Some(_), FaultKind::Unprocessed | FaultKind::TransactionConflict) | (None, _) => "",
            (Some(_), _) => "`records` is for the kinds unprocessed and transaction_conflict only",
        };
        let problem = match &self.product {
            Some(_) if self.operation != "BatchMeterUsage" => "`product` is for BatchMeterUsage only",
            Some(_) | None => problem,
        };
        if !problem.is_empty() {
            return Err(ControlError::FaultMalformed { problem: problem.to_owned() });
        }
        Ok(())
    }

    /// Returns the number of records or items that the fault affects.
    pub(crate) fn first_records(&self) -> usize {
        let standard = if self.kind == FaultKind::Unprocessed { usize::MAX } else { 1 };
        self.records.unwrap_or(standard)
    }

    /// Returns the time for which the connection is held before it is cut.
    pub(crate) fn hold(&self) -> Duration {
        let standard = match self.kind {
            FaultKind::Timeout => 30_000,
            FaultKind::Before
            | FaultKind::After
            | FaultKind::Hang
            | FaultKind::CrashBefore
            | FaultKind::CrashAfter
            | FaultKind::Throttle
            | FaultKind::Error500
            | FaultKind::AccessDenied
            | FaultKind::DisabledApi
            | FaultKind::Unprocessed
            | FaultKind::TransactionConflict => 0,
        };
        Duration::from_millis(self.delay_ms.unwrap_or(standard))
    }
}

/// A fault of the plan, with its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFault {
    /// The planned fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// The number of calls that it has counted.
    pub calls: u32,
    /// The number of calls that it has made fail.
    pub applied: u32,
}

impl PlannedFault {
    /// Counts a call and returns `true` if that call fails.
    fn count(&mut self) -> bool {
        self.calls = self.calls.saturating_add(1);
        self.calls >= self.fault.call && self.calls - self.fault.call < self.fault.times
    }
}

/// The fault plan, which applies to every service. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<PlannedFault>>>);

impl Faults {
    /// Adds a fault to the plan.
    ///
    /// # Errors
    ///
    /// Fails for an operation that the service does not have, and for counts that start at 0.
    pub fn add(&self, fault: Fault) -> Result<(), ControlError> {
        fault.check()?;
        self.lock().push(PlannedFault { fault, calls: 0, applied: 0 });
        Ok(())
    }

    /// Returns the plan, in the order in which the faults were added, with their progress.
    pub fn list(&self) -> Vec<PlannedFault> {
        self.lock().clone()
    }

    /// Removes all faults: no further call fails.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Counts a call in every entry that it matches. Returns the oldest of the entries that make the call fail.
    pub(crate) fn apply(&self, service: Service, operation: &str, product: Option<&str>) -> Option<Fault> {
        let mut plan = self.lock();
        let mut applying: Option<&mut PlannedFault> = None;
        for planned in plan.iter_mut() {
            let matches = planned.fault.service == service
                && (planned.fault.operation == "*" || planned.fault.operation == operation)
                && planned.fault.product.as_ref().is_none_or(|wanted| product == Some(wanted.as_str()));
            if matches && planned.count() && applying.is_none() {
                applying = Some(planned);
            }
        }
        let planned = applying?;
        planned.applied += 1;
        Some(planned.fault.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PlannedFault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;

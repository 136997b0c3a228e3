//! Faults by plan: which calls fail, and how.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stallkeeper::ids::ProductCode;

use super::refused::Refused;
use super::service::Service;

/// One entry of the plan: some calls of an operation fail in some way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Whose calls.
    pub service: Service,
    /// Which operation, or `*` for all of the service.
    pub operation: String,
    /// The first call that fails, counted from the moment the fault is added; the next call is 1.
    #[serde(default = "one")]
    pub call: u32,
    /// How many calls in a row fail.
    #[serde(default = "one")]
    pub times: u32,
    /// How they fail.
    pub kind: FaultKind,
    /// How long the connection is held before it is closed, by the machine's clock: for `timeout` (30 seconds unless
    /// said otherwise), `before` and `after` (not at all unless said otherwise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// How many records or items it is about, from the first one on: for `unprocessed` (all unless said otherwise)
    /// and for `transaction_conflict` on a transaction (one unless said otherwise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// For BatchMeterUsage: only the calls that are about this product count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductCode>,
}

fn one() -> u32 {
    1
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection closes without an answer, and nothing was done.
    Before,
    /// It is done, and then the connection closes without an answer.
    After,
    /// The service says that it is asked too often.
    Throttle,
    /// The service answers with its internal error, and nothing was done.
    #[serde(alias = "500")]
    Error500,
    /// The connection is held open, then closes without an answer; nothing was done.
    Timeout,
    /// There is no answer for as long as the caller waits; nothing was done.
    Hang,
    /// The service says that the caller may not do this.
    AccessDenied,
    /// The service says that it is not there in this region (Metering Service API reference, DisabledApiException).
    DisabledApi,
    /// The first records are not booked and come back in `UnprocessedRecords` (BatchMeterUsage), or the first items
    /// are not written and come back in `UnprocessedItems` (BatchWriteItem). The rest is done.
    Unprocessed,
    /// The function that makes the call dies before it is done, as does every function that runs at that moment. What
    /// runs after that is started anew.
    CrashBefore,
    /// It is done, and then the function that made the call dies, as above.
    CrashAfter,
    /// DynamoDB says that another transaction is at work on the item, and nothing was done.
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

    /// What it can strike, in words, and whether that operation is of it.
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
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let known = if text == "500" { "error500" } else { text };
        Self::ALL.into_iter().find(|(name, _)| *name == known).map(|(_, kind)| kind).ok_or_else(|| {
            Refused::KindUnknown {
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
    /// Names the field, and the services, operations or kinds that there are.
    pub fn read(plan: &Value) -> Result<Self, Refused> {
        // These two first, for their own codes; what else is wrong is told by the type.
        if let Some(service) = plan.get("service").and_then(Value::as_str) {
            service.parse::<Service>()?;
        }
        if let Some(kind) = plan.get("kind").and_then(Value::as_str) {
            kind.parse::<FaultKind>()?;
        }
        let fault: Self = serde_json::from_value(plan.clone())
            .map_err(|error| Refused::FaultMalformed { problem: error.to_string() })?;
        fault.check()?;
        Ok(fault)
    }

    fn check(&self) -> Result<(), Refused> {
        let operations = self.service.operations();
        if self.operation != "*" && !operations.contains(&self.operation.as_str()) {
            return Err(Refused::OperationUnknown {
                given: self.operation.chars().take(80).collect(),
                allowed: operations.join(", "),
            });
        }
        if self.call == 0 || self.times == 0 {
            return Err(Refused::FaultMalformed { problem: "`call` and `times` count from 1".to_owned() });
        }
        let (fitting, fits) = self.kind.fits(self.service, &self.operation);
        if !fits {
            let operation = format!("{} of {}", self.operation, self.service);
            return Err(Refused::KindUnfit { kind: self.kind.name(), operation, fitting });
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
            return Err(Refused::FaultMalformed { problem: problem.to_owned() });
        }
        Ok(())
    }

    /// How many records or items it is about.
    pub(crate) fn first_records(&self) -> usize {
        let standard = if self.kind == FaultKind::Unprocessed { usize::MAX } else { 1 };
        self.records.unwrap_or(standard)
    }

    /// How long the connection is held before it is cut.
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

/// A fault of the plan, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFault {
    /// What was planned.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many calls it has counted.
    pub seen: u32,
    /// How many calls it has made fail.
    pub struck: u32,
}

impl PlannedFault {
    /// Counts a call, and says whether it is one that fails.
    fn count(&mut self) -> bool {
        self.seen = self.seen.saturating_add(1);
        self.seen >= self.fault.call && self.seen - self.fault.call < self.fault.times
    }
}

/// The plan of faults, in front of every service. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<PlannedFault>>>);

impl Faults {
    /// Adds a fault to the plan.
    ///
    /// # Errors
    ///
    /// Refuses an operation that the service does not have, and counts that begin at 0.
    pub fn add(&self, fault: Fault) -> Result<(), Refused> {
        fault.check()?;
        self.lock().push(PlannedFault { fault, seen: 0, struck: 0 });
        Ok(())
    }

    /// The plan, in the order in which it was made, with what has already happened.
    pub fn list(&self) -> Vec<PlannedFault> {
        self.lock().clone()
    }

    /// Forgets the plan: no further call fails.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Counts a call in every entry that is about it. Of those that want it to fail, the oldest has its way.
    pub(crate) fn strike(&self, service: Service, operation: &str, product: Option<&str>) -> Option<Fault> {
        let mut plan = self.lock();
        let mut striking: Option<&mut PlannedFault> = None;
        for planned in plan.iter_mut() {
            let about_it = planned.fault.service == service
                && (planned.fault.operation == "*" || planned.fault.operation == operation)
                && planned.fault.product.as_ref().is_none_or(|wanted| product == Some(wanted.as_str()));
            if about_it && planned.count() && striking.is_none() {
                striking = Some(planned);
            }
        }
        let planned = striking?;
        planned.struck += 1;
        Some(planned.fault.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PlannedFault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;

//! The kinds of faults: every valid kind at every operation that the functions call.

use std::collections::BTreeMap;

use fastrand::Rng;
use local_aws::{Fault, FaultKind, Faults, Service};

/// The operations that the functions call.
const CALLED: [(Service, &[&str]); 4] = [
    (
        Service::DynamoDb,
        &[
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "TransactWriteItems",
            "UpdateItem",
        ],
    ),
    (Service::Metering, &["BatchMeterUsage", "ResolveCustomer"]),
    (Service::Entitlement, &["GetEntitlements"]),
    (Service::Agreement, &["DescribeAgreement", "GetAgreementEntitlements", "SearchAgreements"]),
];

const KINDS: [FaultKind; 9] = [
    FaultKind::Before,
    FaultKind::After,
    FaultKind::Throttle,
    FaultKind::Error500,
    FaultKind::Timeout,
    FaultKind::AccessDenied,
    FaultKind::DisabledApi,
    FaultKind::Unprocessed,
    FaultKind::TransactionConflict,
];

/// An operation and a kind of fault.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    service: Service,
    operation: &'static str,
    kind: FaultKind,
}

impl Pair {
    /// Returns all valid pairs.
    pub fn all() -> Vec<Self> {
        let operations = CALLED.iter().flat_map(|(service, of)| of.iter().map(|operation| (*service, *operation)));
        let pairs = operations.flat_map(|(service, operation)| KINDS.map(|kind| Self { service, operation, kind }));
        // The fault plan refuses kinds that do not apply to the operation.
        pairs.filter(|pair| Faults::default().add(pair.fault()).is_ok()).collect()
    }

    /// Returns the name in the table of reached faults.
    pub fn name(&self) -> String {
        name(self.kind, self.operation)
    }

    /// Returns `true` if the fault strikes in nearly every run of the reporter.
    pub fn is_of_every_run(&self) -> bool {
        ["Query", "GetItem", "PutItem"].contains(&self.operation)
    }

    fn fault(&self) -> Fault {
        Fault {
            service: self.service,
            operation: self.operation.to_owned(),
            call: 1,
            times: 1,
            kind: self.kind,
            delay_ms: None,
            records: None,
            product: None,
        }
    }

    /// Draws a fault of this pair: immediately or after a few calls, for one call or a few in a row.
    pub fn drawn(&self, rng: &mut Rng) -> Fault {
        let mut fault = self.fault();
        if rng.bool() {
            fault.call = rng.u32(1..10);
        }
        if rng.u8(0..3) == 0 {
            // Three faults in a row exhaust the SDK's retries.
            fault.times = rng.u32(2..5);
        }
        if matches!(self.kind, FaultKind::Before | FaultKind::After) && rng.bool() {
            fault.delay_ms = Some(rng.u64(1..8000));
        }
        if matches!(self.kind, FaultKind::Unprocessed) && rng.bool() {
            fault.records = Some(rng.usize(1..8));
            // The upper bound exceeds the number of times that a request sends unprocessed items again.
            fault.times = rng.u32(1..12);
        }
        fault
    }
}

/// Draws a fault of every BatchMeterUsage call that lasts until it is cleared: AWS does not answer, refuses the calls,
/// or books the records and does not answer.
pub fn outage(rng: &mut Rng) -> Fault {
    let kinds = [
        FaultKind::Before,
        FaultKind::After,
        FaultKind::Throttle,
        FaultKind::Error500,
        FaultKind::AccessDenied,
        FaultKind::DisabledApi,
        FaultKind::Unprocessed,
    ];
    let kind = rng.choice(kinds).unwrap_or(FaultKind::Before);
    let pair = Pair { service: Service::Metering, operation: "BatchMeterUsage", kind };
    Fault { times: u32::MAX / 2, ..pair.fault() }
}

/// Draws a fault of the agreement service that lasts until it is cleared: an ending cannot be confirmed, and a move
/// cannot read the agreement.
pub fn agreement_outage(rng: &mut Rng) -> Fault {
    let kinds = [FaultKind::Before, FaultKind::Throttle, FaultKind::Error500, FaultKind::AccessDenied];
    let kind = rng.choice(kinds).unwrap_or(FaultKind::Before);
    let pair = Pair { service: Service::Agreement, operation: "DescribeAgreement", kind };
    Fault { times: u32::MAX / 2, ..pair.fault() }
}

/// Draws a fault in which BatchMeterUsage books nothing and reports that, until it is cleared.
pub fn refusal(rng: &mut Rng) -> Fault {
    let kind =
        rng.choice([FaultKind::Throttle, FaultKind::Error500, FaultKind::Unprocessed]).unwrap_or(FaultKind::Throttle);
    let pair = Pair { service: Service::Metering, operation: "BatchMeterUsage", kind };
    Fault { times: u32::MAX / 2, ..pair.fault() }
}

/// Draws a fault in which the reporter's next calls have no answer and no effect.
pub fn lost_answer(rng: &mut Rng) -> Fault {
    let kind = rng.choice([FaultKind::Before, FaultKind::Timeout]).unwrap_or(FaultKind::Before);
    let pair = Pair { service: Service::Metering, operation: "BatchMeterUsage", kind };
    Fault { times: rng.u32(1..5), ..pair.fault() }
}

/// Returns `true` if the simulation can make the operation fail.
pub fn is_called(operation: &str) -> bool {
    CALLED.iter().any(|(_, operations)| operations.contains(&operation))
}

/// Returns, for each pair, the number of times that its faults in the plan were applied.
pub fn applied(faults: &Faults) -> BTreeMap<String, u64> {
    let mut applied = BTreeMap::new();
    for planned in faults.list() {
        if planned.applied > 0 {
            *applied.entry(name(planned.fault.kind, &planned.fault.operation)).or_default() +=
                u64::from(planned.applied);
        }
    }
    applied
}

fn name(kind: FaultKind, operation: &str) -> String {
    let kind = serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    format!("{operation} {}", kind.unwrap_or_default())
}

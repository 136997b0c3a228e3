//! BatchMeterUsage, failing as planned.

use aws_sdk_marketplacemetering::types::{UsageRecord, UsageRecordResultStatus as Status};
use sandbox::aws::{Behavior, Delays, Fault, Service};
use serde_json::{Value, json};

use crate::fixture::{CONSUMPTION, SUBSCRIPTION, Sandbox, code, start_with, usage};

async fn unlimited() -> Sandbox {
    start_with(Behavior { rate_limits: false, ..Behavior::default() }, Delays::none()).await
}

fn plan(sandbox: &Sandbox, mut fault: Value) {
    fault["service"] = "metering".into();
    fault["operation"] = "BatchMeterUsage".into();
    sandbox.aws.faults().add(Fault::read(&fault).unwrap()).unwrap();
}

fn three(sandbox: &Sandbox) -> Vec<UsageRecord> {
    let usage = |number| usage(&sandbox.buy(SUBSCRIPTION, json!({})), "requests", number, sandbox.now());
    [1, 2, 4].map(usage).into()
}

#[tokio::test]
async fn unprocessed_records_are_returned_and_not_booked() {
    let sandbox = unlimited().await;
    let records = three(&sandbox);
    plan(&sandbox, json!({"kind": "unprocessed"}));
    let answer = sandbox.meter(None, &records).await.unwrap();
    assert!(answer.results().is_empty());
    assert_eq!(answer.unprocessed_records(), records);
    assert!(sandbox.billed().is_empty());

    plan(&sandbox, json!({"kind": "unprocessed", "records": 2}));
    let answer = sandbox.meter(None, &records).await.unwrap();
    assert_eq!(answer.unprocessed_records(), &records[..2]);
    assert_eq!(answer.results()[0].usage_record(), Some(&records[2]));
    assert_eq!(sandbox.sum(), "4");

    let rest = sandbox.meter(None, answer.unprocessed_records()).await.unwrap();
    assert!(rest.results().iter().all(|result| result.status() == Some(&Status::Success)));
    assert_eq!(sandbox.sum(), "7");

    let mut bad = records.clone();
    bad[0].dimension = "desks".to_owned();
    plan(&sandbox, json!({"kind": "unprocessed"}));
    assert_eq!(sandbox.refusal(None, &bad).await, "InvalidUsageDimensionException", "it is refused all the same");
}

#[tokio::test]
async fn a_lost_answer_leaves_the_records_booked() {
    let sandbox = unlimited().await;
    let records = three(&sandbox);
    plan(&sandbox, json!({"kind": "before"}));
    assert!(sandbox.meter(None, &records).await.is_err());
    assert!(sandbox.billed().is_empty());
    plan(&sandbox, json!({"kind": "after"}));
    assert!(sandbox.meter(None, &records).await.is_err());
    assert_eq!(sandbox.sum(), "7");
    let calls = sandbox.aws.wire().calls(Service::Metering, "BatchMeterUsage");
    let statuses: Vec<_> = calls.iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, None]);
    assert_eq!(calls[0].body["UsageRecords"][0].get("CustomerIdentifier"), None);
}

#[tokio::test]
async fn a_call_fails_with_the_errors_of_the_metering_service() {
    let sandbox = unlimited().await;
    let records = three(&sandbox);
    for (kind, error) in [
        ("throttle", "ThrottlingException"),
        ("error500", "InternalServiceErrorException"),
        ("access_denied", "AccessDeniedException"),
        ("disabled_api", "DisabledApiException"),
    ] {
        plan(&sandbox, json!({"kind": kind}));
        assert_eq!(sandbox.refusal(None, &records).await, error);
    }
    assert!(sandbox.billed().is_empty());
}

#[tokio::test]
async fn a_metering_fault_of_one_product_does_not_affect_other_products() {
    let sandbox = unlimited().await;
    let records = three(&sandbox);
    let other = sandbox.buy(CONSUMPTION, json!({"events_included": 1}));
    let other = usage(&other, "events_extra", 1, sandbox.now());
    plan(&sandbox, json!({"kind": "access_denied", "times": 2, "product": SUBSCRIPTION}));
    assert_eq!(sandbox.refusal(None, &records).await, "AccessDeniedException");
    assert_eq!(sandbox.meter_one(None, other).await.0, Status::Success);
    let named = sandbox.metering().batch_meter_usage().product_code(SUBSCRIPTION).set_usage_records(Some(vec![]));
    assert_eq!(code(named.send().await), "AccessDeniedException");
    sandbox.meter(None, &records).await.unwrap();
}

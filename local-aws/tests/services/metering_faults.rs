//! BatchMeterUsage, failing as planned.

use aws_sdk_marketplacemetering::types::{UsageRecord, UsageRecordResultStatus as Status};
use local_aws::{Behavior, Delays, Fault, Service};
use serde_json::{Value, json};

use crate::fixture::{CONSUMPTION, LocalAws, SUBSCRIPTION, code, start_with, usage};

async fn unlimited() -> LocalAws {
    start_with(Behavior { rate_limits: false, ..Behavior::default() }, Delays::none()).await
}

fn plan(local: &LocalAws, mut fault: Value) {
    fault["service"] = "metering".into();
    fault["operation"] = "BatchMeterUsage".into();
    local.aws.faults().add(Fault::read(&fault).unwrap()).unwrap();
}

fn three(local: &LocalAws) -> Vec<UsageRecord> {
    let usage = |number| usage(&local.buy(SUBSCRIPTION, json!({})), "requests", number, local.now());
    [1, 2, 4].map(usage).into()
}

#[tokio::test]
async fn unprocessed_records_are_returned_and_not_booked() {
    let local = unlimited().await;
    let records = three(&local);
    plan(&local, json!({"kind": "unprocessed"}));
    let answer = local.meter(None, &records).await.unwrap();
    assert!(answer.results().is_empty());
    assert_eq!(answer.unprocessed_records(), records);
    assert!(local.billed().is_empty());

    plan(&local, json!({"kind": "unprocessed", "records": 2}));
    let answer = local.meter(None, &records).await.unwrap();
    assert_eq!(answer.unprocessed_records(), &records[..2]);
    assert_eq!(answer.results()[0].usage_record(), Some(&records[2]));
    assert_eq!(local.sum(), "4");

    let rest = local.meter(None, answer.unprocessed_records()).await.unwrap();
    assert!(rest.results().iter().all(|result| result.status() == Some(&Status::Success)));
    assert_eq!(local.sum(), "7");

    let mut bad = records.clone();
    bad[0].dimension = "desks".to_owned();
    plan(&local, json!({"kind": "unprocessed"}));
    assert_eq!(local.refusal(None, &bad).await, "InvalidUsageDimensionException", "it is refused all the same");
}

#[tokio::test]
async fn a_lost_answer_leaves_the_records_booked() {
    let local = unlimited().await;
    let records = three(&local);
    plan(&local, json!({"kind": "before"}));
    assert!(local.meter(None, &records).await.is_err());
    assert!(local.billed().is_empty());
    plan(&local, json!({"kind": "after"}));
    assert!(local.meter(None, &records).await.is_err());
    assert_eq!(local.sum(), "7");
    let calls = local.aws.wire().calls(Service::Metering, "BatchMeterUsage");
    let statuses: Vec<_> = calls.iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, None]);
    assert_eq!(calls[0].body["UsageRecords"][0].get("CustomerIdentifier"), None);
}

#[tokio::test]
async fn a_call_fails_with_the_errors_of_the_metering_service() {
    let local = unlimited().await;
    let records = three(&local);
    for (kind, error) in [
        ("throttle", "ThrottlingException"),
        ("error500", "InternalServiceErrorException"),
        ("access_denied", "AccessDeniedException"),
        ("disabled_api", "DisabledApiException"),
    ] {
        plan(&local, json!({"kind": kind}));
        assert_eq!(local.refusal(None, &records).await, error);
    }
    assert!(local.billed().is_empty());
}

#[tokio::test]
async fn a_metering_fault_of_one_product_does_not_affect_other_products() {
    let local = unlimited().await;
    let records = three(&local);
    let other = local.buy(CONSUMPTION, json!({"events_included": 1}));
    let other = usage(&other, "events_extra", 1, local.now());
    plan(&local, json!({"kind": "access_denied", "times": 2, "product": SUBSCRIPTION}));
    assert_eq!(local.refusal(None, &records).await, "AccessDeniedException");
    assert_eq!(local.meter_one(None, other).await.0, Status::Success);
    let named = local.metering().batch_meter_usage().product_code(SUBSCRIPTION).set_usage_records(Some(vec![]));
    assert_eq!(code(named.send().await), "AccessDeniedException");
    local.meter(None, &records).await.unwrap();
}

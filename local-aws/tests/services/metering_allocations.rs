//! BatchMeterUsage: usage in parts, by tags.

use aws_sdk_marketplacemetering::types::{Tag, UsageAllocation, UsageRecordResultStatus as Status};
use local_aws::{Behavior, Delays};
use serde_json::{Value, json};

use crate::fixture::{SUBSCRIPTION, start_with, usage};

fn part(quantity: i32, tags: &[(&str, &str)]) -> UsageAllocation {
    let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build().unwrap();
    let tags = (!tags.is_empty()).then(|| tags.iter().map(tag).collect());
    UsageAllocation::builder().allocated_usage_quantity(quantity).set_tags(tags).build().unwrap()
}

#[tokio::test]
async fn usage_allocations_appear_on_the_bill() {
    let local = start_with(Behavior::default(), Delays::none()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let mut record = usage(&bought, "requests", 10, local.now());
    record.usage_allocations = Some(vec![
        part(6, &[("team", "blue"), ("cost centre", "4 + 4 = 8")]),
        part(3, &[("team", "red")]),
        part(1, &[]),
    ]);
    let answer = local.meter(None, &[record.clone()]).await.unwrap();
    assert_eq!(answer.results()[0].status(), Some(&Status::Success));
    assert_eq!(answer.results()[0].usage_record(), Some(&record), "with its parts");
    let bill = serde_json::to_value(local.aws.marketplace().bill()).unwrap();
    assert_eq!(
        bill["records"][0]["allocations"],
        json!([
            {"quantity": "6", "tags": {"cost centre": "4 + 4 = 8", "team": "blue"}},
            {"quantity": "3", "tags": {"team": "red"}},
            {"quantity": "1", "tags": {}},
        ])
    );
}

fn tagged(quantity: Value, tags: Value) -> Value {
    json!({"AllocatedUsageQuantity": quantity, "Tags": tags})
}

fn tags(count: usize) -> Value {
    (0..count).map(|number| json!({"Key": format!("k{number}"), "Value": "v"})).collect()
}

fn tag(key: &str, value: &str) -> Value {
    json!([{"Key": key, "Value": value}])
}

#[tokio::test]
async fn invalid_allocations_refuse_the_whole_call() {
    let local = start_with(Behavior { rate_limits: false, ..Behavior::default() }, Delays::none()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let send = async |quantity: Value, allocations: Value| {
        let mut record = json!({
            "Timestamp": local.now().as_second(),
            "Dimension": "requests",
            "CustomerAWSAccountId": bought.account_id,
            "LicenseArn": bought.license_arn,
            "UsageAllocations": allocations,
        });
        record.as_object_mut().unwrap().extend(quantity.as_object().unwrap().clone());
        let (status, answer) = local.meter_json(json!({"UsageRecords": [record]})).await;
        match status {
            200 => answer["Results"][0]["Status"].as_str().unwrap().to_owned(),
            _ => answer["__type"].as_str().unwrap().rsplit('#').next().unwrap().to_owned(),
        }
    };
    let whole = || json!({"Quantity": 10});
    let many = |count: usize| -> Value {
        (0..count).map(|number| tagged(json!(0), tag("k", &format!("v{number}")))).collect()
    };
    let of_six_keys: Value =
        (0..6).map(|number| tagged(json!(if number == 0 { 10 } else { 0 }), tag(&format!("k{number}"), "v"))).collect();
    let cases = [
        (whole(), json!([]), "InvalidUsageAllocationsException"),
        (json!({}), many(2501), "InvalidUsageAllocationsException"),
        (whole(), json!([tagged(json!(9), tags(1))]), "InvalidUsageAllocationsException"),
        (whole(), json!([{"Tags": tags(1)}]), "InvalidUsageAllocationsException"),
        (
            whole(),
            json!([{"AllocatedUsageQuantityAsDecimal": "10", "Tags": tags(1)}]),
            "InvalidUsageAllocationsException",
        ),
        (json!({"QuantityAsDecimal": "10"}), json!([tagged(json!(10), tags(1))]), "InvalidUsageAllocationsException"),
        (
            whole(),
            json!([{"AllocatedUsageQuantityAsDecimal": "10", "AllocatedUsageQuantity": 10}]),
            "ValidationException",
        ),
        (
            whole(),
            json!([{"AllocatedUsageQuantity": 5}, {"AllocatedUsageQuantity": 5}]),
            "InvalidUsageAllocationsException",
        ),
        (
            whole(),
            json!([
                tagged(json!(5), json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])),
                tagged(json!(5), json!([{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])),
            ]),
            "InvalidUsageAllocationsException",
        ),
        (whole(), json!([tagged(json!(10), json!([]))]), "InvalidTagException"),
        (whole(), json!([tagged(json!(10), tags(6))]), "InvalidTagException"),
        (whole(), of_six_keys, "InvalidTagException"),
        (whole(), json!([tagged(json!(10), tag("", "v"))]), "InvalidTagException"),
        (whole(), json!([tagged(json!(10), tag("k", ""))]), "InvalidTagException"),
        (whole(), json!([tagged(json!(10), json!([{"Key": "k"}]))]), "InvalidTagException"),
        (whole(), json!([tagged(json!(10), tag(&"k".repeat(101), "v"))]), "InvalidTagException"),
        (whole(), json!([tagged(json!(10), tag("k", &"v".repeat(257)))]), "InvalidTagException"),
        (whole(), json!([tagged(json!(10), tag("k", "50 %?"))]), "InvalidTagException"),
        (whole(), json!([tagged(json!(10), tag("チーム", "v"))]), "InvalidTagException"),
        (
            whole(),
            json!([tagged(json!(10), json!([{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]))]),
            "InvalidTagException",
        ),
        (whole(), json!([tagged(json!("10"), tags(1))]), "SerializationException"),
        (whole(), json!({"Tags": []}), "SerializationException"),
    ];
    for (quantity, allocations, error) in cases {
        let shown = allocations.to_string();
        assert_eq!(send(quantity, allocations).await, error, "{}", shown.chars().take(200).collect::<String>());
    }
    assert!(local.billed().is_empty());

    let halves = json!([
        {"AllocatedUsageQuantityAsDecimal": "0.25", "Tags": tags(5)},
        {"AllocatedUsageQuantityAsDecimal": "0.250", "Tags": tags(4)},
    ]);
    assert_eq!(send(json!({"QuantityAsDecimal": "0.5"}), halves).await, "Success");
    local.advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(send(json!({}), many(2500)).await, "Success", "of 0 units in 2500 parts");
}

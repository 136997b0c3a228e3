//! A restore of the table to an earlier time, by the steps of `docs/OPERATIONS.md`: nothing is billed twice, and
//! nothing is missing from the bill.

use aws_lambda_events::encodings::Body;
use domain::listing::Stage;
use jiff::{SignedDuration, Timestamp};
use metering::{Metering, Mode};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};
use usage::UsageApi;

/// The Authorization header. The sandbox does not verify the signature, but requires one.
const SIGNATURE: &str =
    "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261110/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";

const REPORT: &str = include_str!("../../../events/usage/report.json");

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn usage(purchase: &TestPurchase, quantity: i64, key: &str, time: Timestamp) -> Value {
    json!({
        "license": purchase.license, "dimension": "requests", "quantity": quantity, "key": key,
        "time": time.to_string(),
    })
}

/// Calls DynamoDB on the stack's table, as an operator does.
async fn dynamodb(world: &TestEnvironment, operation: &str, mut call: Value) -> Value {
    call["TableName"] = json!(world.sandbox.table(Stage::Staging).unwrap());
    let request = reqwest::Client::new()
        .post(world.sandbox.aws_url())
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("x-amz-date", "20261110T000000Z")
        .header("authorization", SIGNATURE)
        .body(call.to_string());
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{operation}: {}", answer.text().await.unwrap());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

async fn items(world: &TestEnvironment) -> Vec<Value> {
    let mut items = Vec::new();
    let mut from = Value::Null;
    loop {
        let call = if from.is_null() { json!({}) } else { json!({ "ExclusiveStartKey": from }) };
        let page = dynamodb(world, "Scan", call).await;
        items.extend(page["Items"].as_array().unwrap().iter().cloned());
        from = page["LastEvaluatedKey"].clone();
        if from.is_null() {
            return items;
        }
    }
}

async fn restore(world: &TestEnvironment, earlier: &[Value]) {
    for item in items(world).await {
        dynamodb(world, "DeleteItem", json!({ "Key": { "pk": item["pk"], "sk": item["sk"] } })).await;
    }
    for item in earlier {
        dynamodb(world, "PutItem", json!({ "Item": item })).await;
    }
}

/// Reports usage to a new instance of intake, whose cache is empty. Returns the status of each event.
pub(crate) async fn report_to_new_instance(world: &TestEnvironment, events: Value) -> Vec<Value> {
    let table = world.sandbox.table(Stage::Staging).unwrap();
    let intake = UsageApi::new(world.sandbox.sdk_config(), table, world.sandbox.clock().clone());
    let mut request: Value = serde_json::from_str(REPORT).unwrap();
    request["body"] = json!(json!({ "events": events }).to_string());
    let answer = intake.handle(serde_json::from_value(request).unwrap()).await;
    let Some(Body::Text(body)) = answer.body else { panic!("no document") };
    let answer: Value = serde_json::from_str(&body).unwrap();
    answer["results"].as_array().unwrap().iter().map(|result| result["status"].clone()).collect()
}

#[tokio::test]
async fn usage_is_billed_once_after_a_restore_of_the_table() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let booked =
        |hour: &str, quantity: &str| (format!("2026-11-10T{hour}"), "requests".to_owned(), quantity.to_owned());
    let nine = world.now();
    assert_eq!(world.report(json!([usage(&purchase, 100, "nine", nine)])).await, ["accepted"]);
    world.advance(minutes(60)).await;
    let before = usage(&purchase, 40, "before", world.now());
    assert_eq!(world.report(json!([before])).await, ["accepted"]);
    let earlier = items(&world).await;

    // The restored table lacks this usage: late usage of a booked hour, which is carried and booked in the next; usage
    // of an hour that is booked; and usage of the running hour.
    let late = usage(&purchase, 30, "late", nine);
    assert_eq!(world.report(json!([late])).await, ["accepted"]);
    world.advance(minutes(10)).await;
    let after = usage(&purchase, 5, "after", world.now());
    assert_eq!(world.report(json!([after])).await, ["accepted"]);
    world.advance(minutes(50)).await;
    let running = usage(&purchase, 7, "running", world.now());
    assert_eq!(world.report(json!([running])).await, ["accepted"]);
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100"), booked("10", "75")]);

    world.sandbox.set_schedule(false);
    restore(&world, &earlier).await;
    assert_eq!(world.states(&purchase.license).await, ["accepted"], "it knows nothing of the hour from 10:00");
    let again = json!([before, late, after, running]);
    assert_eq!(report_to_new_instance(&world, again).await, ["duplicate", "accepted", "accepted", "accepted"]);

    let table = world.sandbox.table(Stage::Staging).unwrap();
    let reporter = Metering::new(world.sandbox.sdk_config(), table, world.sandbox.clock().clone());
    let reporter = reporter.in_mode(Mode { dry_run: true, ..Mode::default() });
    let limit = std::time::Duration::from_secs(290);
    let (first, second) = (reporter.run(limit).await.unwrap(), reporter.run(limit).await.unwrap());
    assert!(first.frozen > 0 && first.carried == 1, "{first:?}");
    assert_eq!((second.frozen, second.carried, second.unfinished), (0, 0, false));
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100"), booked("10", "75")], "nothing was sent");

    // AWS has booked 75 for the hour from 10:00, and the table has 45. The difference was carried to the next hour, and
    // must not be booked again.
    let records = world.records(&purchase.license).await;
    let made = records.iter().find(|record| record["quantity"] == "45").unwrap();
    assert_eq!(made["state"]["name"], "dry_run");
    let found = json!({
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": {
            ":pk": { "S": format!("USAGE#{}#2026-11-10T11", purchase.license) },
            ":sk": { "S": "requests#~2026-11-10T09#" },
        },
    });
    let found = dynamodb(&world, "Query", found).await;
    let [carried] = found["Items"].as_array().unwrap().as_slice() else { panic!("{found}") };
    dynamodb(&world, "DeleteItem", json!({ "Key": { "pk": carried["pk"], "sk": carried["sk"] } })).await;

    // A requeue of a record that AWS has booked does no harm.
    let (status, answer) =
        world.api(Method::POST, &format!("/v1/usage/{}/requeue", made["record"].as_str().unwrap()), None).await;
    assert_eq!(status, 200, "{answer}");
    world.sandbox.set_schedule(true);
    world.advance(minutes(60)).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100"), booked("10", "75"), booked("11", "7")]);
    assert_eq!(world.total(&purchase.license).await, Decimal::from(100 + 40 + 30 + 5 + 7));
}

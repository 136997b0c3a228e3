//! The reporter when its process dies, when it runs twice, and when it does not run.

use domain::listing::Stage;
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::Metric;
use local_aws::Service;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn usage(world: &TestEnvironment, purchase: &TestPurchase, quantity: i64, key: &str) -> Value {
    json!({
        "license": purchase.license, "dimension": "requests", "quantity": quantity, "key": key,
        "time": world.now().to_string(),
    })
}

/// Reports usage as an application that needs an answer: sends it again after no answer and after `retry`.
async fn report_until_answered(world: &TestEnvironment, event: Value) {
    for _ in 0..5 {
        let body = Some(json!({ "events": [event] }));
        let (status, answer) = world.api(Method::POST, "/v1/usage", body).await;
        if status == 200 && answer["results"][0]["status"] != "retry" {
            let status = &answer["results"][0]["status"];
            assert!(*status == "accepted" || *status == "duplicate", "{answer}");
            return;
        }
    }
    panic!("usage got no answer in five attempts");
}

/// Returns `true` if every planned fault was applied.
async fn has_fault_applied(world: &TestEnvironment) -> bool {
    let plan = world.control(Method::GET, "/sandbox/faults", Value::Null).await;
    plan["faults"].as_array().unwrap().iter().all(|fault| fault["applied"] != 0)
}

/// Makes the process die at another call in each hour: before the call is executed, or after.
async fn crash_at_every_call(service: Service, kind: &str, first: i64) -> (usize, TestEnvironment, TestPurchase) {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let mut hours = 0;
    for call in 1.. {
        report_until_answered(&world, usage(&world, &purchase, 100, "k")).await;
        // The clock stops shortly before the hour is summed. From there on the calls are counted.
        world.advance(minutes(first)).await;
        world.fault(json!({ "service": service.name(), "operation": "*", "call": call, "kind": kind })).await;
        world.advance(minutes(8)).await;
        let is_applied = has_fault_applied(&world).await;
        world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
        world.advance(minutes(60 - 8 - first)).await;
        hours += 1;
        if !is_applied || call > 120 {
            break;
        }
    }
    world.advance(minutes(80)).await;
    (hours, world, purchase)
}

#[tokio::test]
async fn usage_is_billed_once_when_the_reporter_crashes_at_any_table_call() {
    for kind in ["crash_before", "crash_after"] {
        // From 09:20 to 10:08, and likewise in each hour.
        let (hours, world, purchase) = crash_at_every_call(Service::DynamoDb, kind, 48).await;
        assert!(hours > 30, "{kind}: {hours} calls are fewer than two runs of the reporter make");
        let billed = world.billed(&purchase.license).await;
        assert_eq!(billed.len(), hours, "{kind}");
        assert!(billed.iter().all(|(_, _, quantity)| quantity == "100"), "{kind}: {billed:?}");
        assert!(world.states(&purchase.license).await.iter().all(|state| state == "accepted"), "{kind}");
    }
}

#[tokio::test]
async fn usage_is_billed_once_when_the_reporter_crashes_at_any_marketplace_call() {
    for kind in ["crash_before", "crash_after"] {
        let (hours, world, purchase) = crash_at_every_call(Service::Metering, kind, 48).await;
        assert!(hours > 1, "{kind}: no call failed");
        assert_eq!(world.total(&purchase.license).await, Decimal::from(100 * hours), "{kind}");
        assert!(world.states(&purchase.license).await.iter().all(|state| state == "accepted"), "{kind}");
    }
}

#[tokio::test]
async fn usage_is_billed_once_when_the_intake_crashes_at_any_call() {
    for kind in ["crash_before", "crash_after"] {
        let world = TestEnvironment::new().await;
        let purchase = world.buy("demo-subscription", json!({})).await;
        // A license that was not read before would cause a read. One license is enough, since a new process remembers
        // nothing.
        for call in 1..=6 {
            world.fault(json!({ "service": "dynamodb", "operation": "*", "call": call, "kind": kind })).await;
            report_until_answered(&world, usage(&world, &purchase, 10, &format!("open {call}"))).await;
            world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
        }
        world.advance(minutes(47)).await;
        // At 10:07 the hour accepts late usage only.
        for call in 1..=6 {
            let mut event = usage(&world, &purchase, 10, &format!("late {call}"));
            event["time"] = json!("2026-11-10T09:30:00Z");
            world.fault(json!({ "service": "dynamodb", "operation": "*", "call": call, "kind": kind })).await;
            report_until_answered(&world, event).await;
            world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
        }
        world.advance(minutes(140)).await;
        assert_eq!(world.total(&purchase.license).await, Decimal::from(120), "{kind}");
    }
}

#[tokio::test]
async fn two_concurrent_reporters_bill_usage_once() {
    let world = TestEnvironment::new().await;
    let mut buyers = Vec::new();
    for _ in 0..60 {
        buyers.push(world.buy("demo-subscription", json!({})).await);
    }
    world.sandbox.set_schedule(false);
    let events: Vec<Value> = buyers.iter().map(|buyer| usage(&world, buyer, 7, "k")).collect();
    assert_eq!(world.report(json!(events)).await, ["accepted"; 60]);
    for minute in ["10:10", "10:15", "10:20"] {
        world.sandbox.set(at(&format!("2026-11-10T{minute}:00Z"))).await;
        tokio::join!(world.sandbox.report_usage(Stage::Staging), world.sandbox.report_usage(Stage::Staging));
    }
    for buyer in &buyers {
        assert_eq!(world.total(&buyer.license).await, Decimal::from(7));
    }
    // No record is sent twice either: each of the two runs claimed what it sent.
    let calls = world.sandbox.aws().wire().calls(Service::Metering, "BatchMeterUsage");
    let mut sent: Vec<String> = calls
        .iter()
        .flat_map(|call| call.body["UsageRecords"].as_array().unwrap())
        .map(|record| format!("{} {} {}", record["LicenseArn"], record["Timestamp"], record["Dimension"]))
        .collect();
    let all = sent.len();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), all, "a record was sent twice");
}

#[tokio::test]
async fn a_claim_is_taken_over_only_after_its_lease() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    report_until_answered(&world, usage(&world, &purchase, 100, "k")).await;
    world.sandbox.set_schedule(false);
    world.sandbox.set(at("2026-11-10T10:10:00Z")).await;
    world.fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "crash_after" })).await;
    world.sandbox.report_usage(Stage::Staging).await;
    let calls = || world.sandbox.aws().wire().calls(Service::Metering, "BatchMeterUsage").len();
    assert_eq!(calls(), 1);
    world.sandbox.set(at("2026-11-10T10:10:59Z")).await;
    world.sandbox.report_usage(Stage::Staging).await;
    assert_eq!(calls(), 1, "the claim is 59 seconds old");
    world.sandbox.set(at("2026-11-10T10:11:00Z")).await;
    world.sandbox.report_usage(Stage::Staging).await;
    assert_eq!(calls(), 2);
    assert_eq!(world.total(&purchase.license).await, Decimal::from(100));
    assert_eq!(world.states(&purchase.license).await, ["accepted"]);
}

#[tokio::test]
async fn usage_of_a_month_is_billed_when_the_reporter_was_down_at_its_end() {
    for (back_at, expected) in [("05:59", "accepted"), ("06:01", "expired")] {
        let world = TestEnvironment::at("2026-11-30T22:20:00Z").await;
        let purchase = world.buy("demo-subscription", json!({})).await;
        world.sandbox.set(at("2026-11-30T23:59:59Z")).await;
        report_until_answered(&world, usage(&world, &purchase, 100, "k")).await;
        world.sandbox.set_schedule(false);
        world.sandbox.set(at(&format!("2026-12-01T{back_at}:00Z"))).await;
        world.sandbox.set_schedule(true);
        world.sandbox.report_usage(Stage::Staging).await;
        assert_eq!(world.states(&purchase.license).await, [expected], "{back_at}");
        world.sandbox.set(at("2026-12-01T08:00:00Z")).await;
        let november = ("2026-11-30T23".to_owned(), "requests".to_owned(), "100".to_owned());
        let billed = if expected == "accepted" { vec![november] } else { Vec::new() };
        assert_eq!(world.billed(&purchase.license).await, billed, "{back_at}");
        let alarmed = world.counted(Metric::RecordsExpired);
        assert_eq!(alarmed > 0, expected == "expired", "{back_at}: {alarmed}");
    }
}

#[tokio::test]
async fn a_run_without_time_left_continues_in_the_next() {
    // A function with a time limit of 30 seconds has no time, since 40 seconds are kept in reserve: it closes nothing
    // and sends nothing.
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    report_until_answered(&world, usage(&world, &purchase, 100, "k")).await;
    world.sandbox.set_schedule(false);
    world.sandbox.set(at("2026-11-10T10:10:00Z")).await;
    let table = world.sandbox.table(Stage::Staging).unwrap();
    let reporter = metering::Metering::new(world.sandbox.sdk_config(), table, world.sandbox.clock().clone());
    let report = reporter.run(std::time::Duration::from_secs(30)).await.unwrap();
    assert!(report.unfinished && report.sent == 0, "{report:?}");
    let report = reporter.run(std::time::Duration::from_secs(290)).await.unwrap();
    assert!(!report.unfinished && report.accepted > 0, "{report:?}");
    assert_eq!(world.total(&purchase.license).await, Decimal::from(100));
}

//! The operator's view of the bill, and the operator's actions: pending records, problems, requeue, dry run, metrics.

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

fn usage(world: &TestEnvironment, purchase: &TestPurchase, quantity: i64, key: &str) -> Value {
    json!({
        "license": purchase.license, "dimension": "requests", "quantity": quantity, "key": key,
        "time": world.now().to_string(),
    })
}

async fn get(world: &TestEnvironment, path: &str) -> Value {
    let (status, answer) = world.api(Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn problems(world: &TestEnvironment, kind: &str) -> Vec<Value> {
    get(world, &format!("/v1/usage/problems?kind={kind}")).await["problems"].as_array().unwrap().clone()
}

/// Makes a license that AWS rejects and one that AWS accepts, each with 7 requests in the hour from 09:00.
async fn one_refused() -> (TestEnvironment, TestPurchase, TestPurchase) {
    let world = TestEnvironment::new().await;
    let good = world.buy("demo-subscription", json!({})).await;
    let bad = TestPurchase { license: "l-00000000000000000000000000000bad".to_owned(), ..good.clone() };
    let arn = format!("arn:aws:license-manager::444455556666:license:{}", bad.license);
    world.send_event(&tests::license_event("Updated", &bad, &arn, "strange", world.now())).await;
    let events = json!([usage(&world, &good, 7, "k"), usage(&world, &bad, 7, "k")]);
    assert_eq!(world.report(events).await, ["accepted"; 2]);
    world.advance(minutes(80)).await;
    (world, good, bad)
}

#[tokio::test]
async fn a_refused_record_is_listed_and_can_be_requeued() {
    let (world, good, bad) = one_refused().await;
    let listed = problems(&world, "refused").await;
    let problem = listed.iter().find(|problem| problem["quantity"] == "7").unwrap();
    assert_eq!(problem["license"], json!(bad.license));
    assert_eq!((&problem["reason"], &problem["requeue"]), (&json!("InvalidLicenseException"), &json!(true)));
    assert!(world.counted(Metric::RecordsRefused) > 0);

    let record = problem["record"].as_str().unwrap();
    let path = format!("/v1/usage/{record}/requeue");
    let (status, answer) = world.api(Method::POST, &path, None).await;
    assert_eq!((status, &answer["state"]["name"]), (200, &json!("sealed")), "{answer}");
    assert_eq!(world.counted(Metric::RecordsRequeued), 1);
    // The cause was not fixed: the record is refused again once another record of its product was accepted, and the
    // attempts continue to count.
    world.advance(minutes(60)).await;
    let records = world.records(&bad.license).await;
    let again = records.iter().find(|record| record["quantity"] == "7").unwrap();
    assert_eq!(again["state"]["name"], "refused");
    assert!(again["attempts"].as_u64() > Some(2));

    let log = world.store(Stage::Staging).audit_log("2026-11").await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].action.as_str(), log[0].subject.as_str()), ("usage.requeue", record));
    assert!(log[0].actor.starts_with("arn:aws:iam::"), "{}", log[0].actor);
    assert_eq!(log[0].before["reason"], "InvalidLicenseException");

    // A record that AWS has accepted is never sent again, nor is one that does not exist.
    let records = world.records(&good.license).await;
    let accepted = records.iter().find(|record| record["quantity"] == "7").unwrap()["record"].as_str().unwrap();
    for (record, status, code) in [
        (accepted, 409, "record_not_requeueable"),
        ("l-1@2026-11-10T09@requests", 404, "record_unknown"),
        ("nonsense", 400, "parameter_invalid"),
    ] {
        let (given, problem) = world.api(Method::POST, &format!("/v1/usage/{record}/requeue"), None).await;
        assert_eq!((given, &problem["code"]), (status, &json!(code)), "{problem}");
    }
    world.advance(minutes(24 * 60)).await;
    let (status, problem) = world.api(Method::POST, &path, None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("window_closed")), "{problem}");
    assert_eq!(world.store(Stage::Staging).audit_log("2026-11").await.unwrap().len(), 1);
}

#[tokio::test]
async fn pending_records_and_pauses_are_listed_and_measured() {
    let world = TestEnvironment::new().await;
    let mut buyers = Vec::new();
    for _ in 0..7 {
        buyers.push(world.buy("demo-subscription", json!({})).await);
    }
    let events: Vec<Value> = buyers.iter().map(|buyer| usage(&world, buyer, 7, "k")).collect();
    assert_eq!(world.report(json!(events)).await, ["accepted"; 7]);
    let fault =
        json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "access_denied", "times": 1000 });
    world.fault(fault).await;
    world.advance(minutes(80)).await;

    let paused = problems(&world, "paused").await;
    assert_eq!((paused.len(), &paused[0]["reason"]), (1, &json!("AccessDeniedException")));
    assert_eq!(world.measured(Metric::Paused), Some(1));
    assert_eq!(world.measured(Metric::RecordsPending), Some(14), "2 dimensions of 7 licenses");
    assert_eq!(world.measured(Metric::OldestPendingAge), Some(100 * 60));
    // All pages together contain each record once.
    let mut cursor = None;
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = get(&world, &format!("/v1/usage/pending?limit=4{from}")).await;
        for record in page["records"].as_array().unwrap() {
            assert!(seen.insert(record["record"].as_str().unwrap().to_owned()), "{record} stands twice");
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 14);

    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(60)).await;
    assert!(problems(&world, "paused").await.is_empty());
    assert_eq!((world.measured(Metric::Paused), world.measured(Metric::RecordsPending)), (Some(0), Some(0)));
    for buyer in &buyers {
        assert_eq!(world.total(&buyer.license).await, Decimal::from(7));
    }
}

#[tokio::test]
async fn pending_records_of_ending_licenses_and_closing_months_are_measured() {
    let world = TestEnvironment::at("2026-11-30T22:20:00Z").await;
    let (ended, other) =
        (world.buy("demo-subscription", json!({})).await, world.buy("demo-subscription", json!({})).await);
    let events = [usage(&world, &ended, 7, "k"), usage(&world, &other, 5, "k")];
    assert_eq!(world.report(json!(events)).await, ["accepted"; 2]);
    let fault =
        json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "access_denied", "times": 10_000 });
    world.fault(fault).await;
    world.end(&ended.agreement).await;
    world.advance(minutes(40)).await;
    let age = world.measured(Metric::EndingPendingAge).unwrap();
    assert!((35 * 60..=40 * 60).contains(&age), "{age} s since the ending");
    assert_eq!(world.counted(Metric::RunsFailed), 0);
    assert_eq!(world.counted(Metric::RunsCompleted), 8);

    // AWS accepts no record of November from 06:00 on.
    world.sandbox.set("2026-12-01T05:49:00Z".parse::<Timestamp>().unwrap()).await;
    assert_eq!(world.measured(Metric::OldMonthPending), Some(0));
    assert!(world.measured(Metric::RecordsPending) > Some(0));
    world.sandbox.set("2026-12-01T05:50:00Z".parse::<Timestamp>().unwrap()).await;
    let november = world.measured(Metric::OldMonthPending).unwrap();
    assert!(november > 0 && Some(november) < world.measured(Metric::RecordsPending), "{november}");
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(5)).await;
    assert_eq!(world.measured(Metric::OldMonthPending), Some(0));
    assert_eq!(world.measured(Metric::EndingPendingAge), Some(0));
    assert_eq!(world.total(&other.license).await, Decimal::from(5));
}

#[tokio::test]
async fn invalid_requests_are_answered_with_the_problem() {
    let world = TestEnvironment::new().await;
    for path in [
        "/v1/usage/problems?kind=strange",
        "/v1/usage/problems?cursor=strange",
        "/v1/usage/problems?limit=0",
        "/v1/usage/pending?kind=held",
        "/v1/usage/pending?cursor=e30",
    ] {
        let (status, problem) = world.api(Method::GET, path, None).await;
        assert_eq!(status, 400, "{path}: {problem}");
        assert!(problem["code"].is_string() && problem["action"].is_string(), "{path}: {problem}");
    }
    let (status, problem) = world.api(Method::POST, "/v1/usage/problems", None).await;
    assert_eq!((status, &problem["code"]), (405, &json!("method_not_allowed")));
}

#[tokio::test]
async fn a_stack_in_dry_run_creates_records_and_sends_none() {
    let world = TestEnvironment::with(|options| options.dry_run = true).await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    assert_eq!(world.report(json!([usage(&world, &purchase, 7, "k")])).await, ["accepted"]);
    world.advance(minutes(80)).await;
    assert!(world.sandbox.aws().wire().calls(Service::Metering, "BatchMeterUsage").is_empty());
    assert_eq!(world.states(&purchase.license).await, ["dry_run"]);
    assert!(world.counted(Metric::RecordsDryRun) > 0);
    let received = world.sandbox.metrics(Stage::Staging).unwrap();
    assert_eq!(received.dimensions["Reporter"], "dry_run", "no alarm on the stage takes it for the real thing");
    for path in ["/v1/usage/pending", "/v1/usage/problems?kind=strange"] {
        let answer = world.send_raw(Method::GET, path, "application/json", Vec::new()).await;
        assert_eq!(answer.reporter.as_deref(), Some("dry_run"), "{path}");
    }
    let records = world.records(&purchase.license).await;
    let record = records.iter().find(|record| record["quantity"] == "7").unwrap()["record"].as_str().unwrap();
    let (status, problem) = world.api(Method::POST, &format!("/v1/usage/{record}/requeue"), None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("reporter_dry_run")));
}

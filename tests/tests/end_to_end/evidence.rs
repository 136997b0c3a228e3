//! The evidence that the functions write for the auditor.

use std::collections::{BTreeMap, BTreeSet};

use domain::evidence::{Evidence, EvidenceKind};
use domain::ids::ProductCode;
use domain::listing::Stage;
use jiff::SignedDuration;
use local_aws::Service;
use reqwest::Method;
use sandbox::test_client::handoff_code;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

/// A contract whose consumption is billed: its life produces every kind of evidence.
const CONSUMPTION: &str = "6democonsumption0000000ab";
const CONTRACT: &str = "4democontract0000000000ab";
const LEGACY: &str = "7demolegacy00000000000ab";

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

async fn evidence(world: &TestEnvironment, product: &str) -> BTreeMap<EvidenceKind, Evidence> {
    let product: ProductCode = product.parse().unwrap();
    world.store(Stage::Staging).evidence(&product).await.unwrap()
}

async fn kinds(world: &TestEnvironment, product: &str) -> BTreeSet<EvidenceKind> {
    evidence(world, product).await.into_keys().collect()
}

/// Returns `true` if AWS allowed the function's last such call, `false` if AWS refused it, and `None` if there was no
/// call.
async fn outcome(world: &TestEnvironment, function: &str, action: &str) -> Option<bool> {
    let outcomes = world.store(Stage::Staging).outcomes().await.unwrap();
    let seen = outcomes.iter().find(|seen| seen.function == function && seen.action == action);
    seen.map(|seen| seen.is_allowed)
}

/// Returns the number of requests to the table to write evidence, whether the table did so or not.
fn writes(world: &TestEnvironment) -> usize {
    let calls = world.sandbox.aws().wire().calls(Service::DynamoDb, "UpdateItem");
    let of_evidence = |body: &Value| body["Key"]["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("EVIDENCE#"));
    calls.iter().filter(|call| of_evidence(&call.body)).count()
}

/// Runs one purchase from start to end. Calls `expect_evidence` after each step with the evidence that the step leaves.
async fn run_purchase(
    world: &TestEnvironment,
    tenant: &str,
    mut expect_evidence: impl AsyncFnMut(&[EvidenceKind]),
) -> TestPurchase {
    let purchase = world.buy("demo-consumption", json!({ "events_included": 100 })).await;
    world.sandbox.settle().await;
    expect_evidence(&[EvidenceKind::LicenseActivated, EvidenceKind::EntitlementRead]).await;

    assert_eq!(world.post_token("forged").await.code.as_deref(), Some("token_invalid"));
    expect_evidence(&[EvidenceKind::BadTokenRefused]).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    expect_evidence(&[EvidenceKind::TokenResolved]).await;
    let visit = world.submit_contact(&cookie, "buyer@example.com", "existing").await;
    world.sandbox.settle().await;
    expect_evidence(&[EvidenceKind::BuyerNotified]).await;

    assert_eq!(world.redeem(tenant, &handoff_code(&visit).unwrap()).await.0, 200);
    expect_evidence(&[]).await;
    assert_eq!(world.link(&purchase.license, tenant).await.0, 200);
    expect_evidence(&[EvidenceKind::ExistingAccountLinked]).await;
    assert_eq!(world.link(&purchase.license, "somebody-else").await.0, 409);
    expect_evidence(&[EvidenceKind::SecondClaimRefused]).await;
    world.license(&purchase.license).await;
    expect_evidence(&[]).await;
    world.decide(tenant, "events_included").await;
    expect_evidence(&[EvidenceKind::EntitlementAsked]).await;

    let used = json!({
        "license": purchase.license, "dimension": "events_extra", "quantity": 150, "key": "k",
        "time": world.now().to_string(),
    });
    assert_eq!(world.report(json!([used])).await, ["accepted"]);
    expect_evidence(&[]).await;
    world.advance(minutes(75)).await;
    expect_evidence(&[EvidenceKind::UsageAccepted]).await;
    let amend = json!({ "action": "amend", "dimensions": { "events_included": 200 } });
    world.change(&purchase.agreement, amend).await;
    world.sandbox.settle().await;
    expect_evidence(&[EvidenceKind::AgreementChanged]).await;

    world.end(&purchase.agreement).await;
    world.advance(minutes(10)).await;
    expect_evidence(&[]).await;
    world.advance(minutes(65)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "ended");
    expect_evidence(&[EvidenceKind::EndingFlushed]).await;
    purchase
}

#[tokio::test]
async fn each_step_of_a_purchase_writes_evidence_once_a_day() {
    let world = TestEnvironment::new().await;
    let mut expected = BTreeSet::new();
    let mut step = 0;
    run_purchase(&world, "acme", async |left: &[EvidenceKind]| {
        step += 1;
        expected.extend(left);
        assert_eq!(kinds(&world, CONSUMPTION).await, expected, "step {step}");
    })
    .await;
    assert_eq!(expected, BTreeSet::from(EvidenceKind::ALL));
    // A token that AWS refuses names no product. All other evidence is about this product.
    assert_eq!(kinds(&world, CONTRACT).await, BTreeSet::from([EvidenceKind::BadTokenRefused]));

    let first = evidence(&world, CONSUMPTION).await;
    assert!(first.values().all(|evidence| evidence.first == evidence.last), "{first:?}");
    world.sandbox.aws().wire().clear();
    run_purchase(&world, "globex", async |_: &[EvidenceKind]| {}).await;
    assert_eq!(writes(&world), 0);
    assert_eq!(evidence(&world, CONSUMPTION).await, first);
}

#[tokio::test]
async fn a_new_account_and_a_return_to_it_are_no_evidence_of_an_existing_account() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    world.submit_contact(&cookie, "buyer@example.com", "existing").await;
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    assert!(!kinds(&world, CONTRACT).await.contains(&EvidenceKind::ExistingAccountLinked));
}

#[tokio::test]
async fn a_renewal_and_a_legacy_purchase_write_evidence() {
    let world = TestEnvironment::new().await;
    let changed = EvidenceKind::AgreementChanged;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.sandbox.settle().await;
    assert!(!kinds(&world, CONTRACT).await.contains(&changed), "a beginning is no change");
    world.advance(minutes(10)).await;
    world.change(&purchase.agreement, json!({ "action": "renew" })).await;
    world.advance(minutes(10)).await;
    assert!(kinds(&world, CONTRACT).await.contains(&changed));

    world.buy("demo-legacy", json!({})).await;
    world.sandbox.settle().await;
    assert_eq!(kinds(&world, LEGACY).await, BTreeSet::from([EvidenceKind::LicenseActivated]));
}

#[tokio::test]
async fn the_end_of_a_contract_without_metering_writes_evidence() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.sandbox.settle().await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(10)).await;
    assert!(!kinds(&world, CONTRACT).await.contains(&EvidenceKind::EndingFlushed), "its hour is not over");
    world.advance(minutes(65)).await;
    assert!(kinds(&world, CONTRACT).await.contains(&EvidenceKind::EndingFlushed));
}

#[tokio::test]
async fn findings_of_the_reconciliation_are_no_evidence_of_events() {
    let world = TestEnvironment::new().await;
    world.deliver(json!({ "hold": true })).await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.deliver(json!({ "lose": "" })).await;
    world.deliver(json!({ "release": true })).await;
    world.post_token(&purchase.token).await;
    world.advance(SignedDuration::from_hours(2)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    let seen = BTreeSet::from([EvidenceKind::TokenResolved, EvidenceKind::EntitlementRead]);
    assert_eq!(kinds(&world, CONTRACT).await, seen);
}

#[tokio::test]
async fn an_end_whose_usage_aws_refuses_writes_no_evidence() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let used = json!({
        "license": purchase.license, "dimension": "requests", "quantity": 5, "key": "k",
        "time": world.now().to_string(),
    });
    assert_eq!(world.report(json!([used])).await, ["accepted"]);
    world.end(&purchase.agreement).await;
    let fault = json!({ "service": "metering", "operation": "BatchMeterUsage", "times": 1000, "kind": "throttle" });
    world.fault(fault).await;
    world.advance(minutes(90)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "ended");
    let seen = kinds(&world, "5demosubscription000000ab").await;
    assert_eq!(seen, BTreeSet::from([EvidenceKind::LicenseActivated]));
    assert_eq!(outcome(&world, "metering", "aws-marketplace:BatchMeterUsage").await, None, "throttling proves nothing");
}

#[tokio::test]
async fn a_probe_writes_no_evidence() {
    let world = TestEnvironment::new().await;
    let wanted = json!({ "product": CONTRACT, "entry_point": "sign_in" });
    let (status, probe) = world.api(Method::POST, "/v1/probes", Some(wanted)).await;
    assert_eq!(status, 201, "{probe}");
    let license = probe["license"].as_str().unwrap();
    let (_, code) = probe["url"].as_str().unwrap().split_once("code=").unwrap();
    assert_eq!(world.redeem("k", code).await.0, 200);
    assert_eq!(world.link(license, "probe-1").await.0, 200);
    assert_eq!(world.link(license, "probe-2").await.0, 409);
    assert_eq!(world.decide("probe-1", "seats").await["allowed"], true);
    assert_eq!(world.api(Method::GET, "/v1/tenants/probe-1", None).await.0, 200);
    world.advance(SignedDuration::from_hours(2)).await;
    assert_eq!(kinds(&world, CONTRACT).await, BTreeSet::new());
}

#[tokio::test]
async fn a_refusal_by_aws_is_recorded_and_so_is_its_recovery() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let resolve = ("registration", "aws-marketplace:ResolveCustomer");
    assert_eq!(outcome(&world, resolve.0, resolve.1).await, None);
    assert_eq!(world.post_token("forged").await.status, 400);
    assert_eq!(outcome(&world, resolve.0, resolve.1).await, Some(true), "AWS looked at the token");
    let denied = |service: &str, operation: &str, times: u32| json!({ "service": service, "operation": operation, "times": times, "kind": "access_denied" });
    world.fault(denied("metering", "ResolveCustomer", 1)).await;
    assert!(world.post_token(&purchase.token).await.status >= 500);
    assert_eq!(outcome(&world, resolve.0, resolve.1).await, Some(false));
    assert_eq!(world.post_token(&purchase.token).await.status, 303);
    assert_eq!(outcome(&world, resolve.0, resolve.1).await, Some(true));

    let meter = ("metering", "aws-marketplace:BatchMeterUsage");
    world.fault(denied("metering", "BatchMeterUsage", 1000)).await;
    world.advance(minutes(75)).await;
    assert_eq!(outcome(&world, meter.0, meter.1).await, Some(false));
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(60)).await;
    assert_eq!(outcome(&world, meter.0, meter.1).await, Some(true));
}

#[tokio::test]
async fn scheduled_functions_record_their_runs() {
    let world = TestEnvironment::new().await;
    world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.advance(SignedDuration::from_hours(3)).await;
    let runs = world.store(Stage::Staging).runs().await.unwrap();
    assert_eq!(runs.keys().map(String::as_str).collect::<Vec<_>>(), ["metering", "reconcile"]);
    assert!(world.now().duration_since(runs["metering"]) <= minutes(35), "{runs:?}");
    assert!(world.now().duration_since(runs["reconcile"]) <= minutes(65), "{runs:?}");
    for action in ["DescribeAgreement", "GetEntitlements", "SearchAgreements"] {
        let action = format!("aws-marketplace:{action}");
        assert_eq!(outcome(&world, "reconcile", &action).await, Some(true), "{action}");
    }
}

#[tokio::test]
async fn a_failed_evidence_write_has_no_other_effect() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.sandbox.settle().await;
    let begun = kinds(&world, CONTRACT).await;
    let denied = json!({ "service": "dynamodb", "operation": "UpdateItem", "times": 1000, "kind": "access_denied" });
    world.fault(denied).await;
    assert_eq!(world.post_token("forged").await.status, 400);
    assert_eq!(world.post_token(&purchase.token).await.status, 303);
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    assert_eq!(world.link(&purchase.license, "other").await.0, 409);
    assert_eq!(world.decide("acme", "seats").await["allowed"], true);
    assert_eq!(kinds(&world, CONTRACT).await, begun);
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(1)).await;
    world.decide("acme", "seats").await;
    assert!(kinds(&world, CONTRACT).await.contains(&EvidenceKind::EntitlementAsked));
}

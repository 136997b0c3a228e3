//! The reconciliation: whatever events are lost, the table reaches the state that they would have produced.

use domain::listing::{Listing, Mode, Stage};
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::Metric;
use reqwest::Method;
use sandbox::{DescribedListing, Listings};
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase, license_event, notification};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn arn(license: &str) -> String {
    format!("arn:aws:license-manager::444455556666:license:{license}")
}

/// Runs a change in AWS, and loses those of its events that contain one of the texts.
async fn losing<T>(world: &TestEnvironment, texts: &[&str], happens: impl Future<Output = T>) -> T {
    world.deliver(json!({ "hold": true })).await;
    let happened = happens.await;
    for text in texts {
        world.deliver(json!({ "lose": text })).await;
    }
    world.deliver(json!({ "release": true })).await;
    happened
}

/// Runs the reconciliation of the staging stack and returns its report.
async fn reconcile(world: &TestEnvironment) -> Value {
    world.control(Method::POST, "/sandbox/reconcile", json!({ "stage": "staging" })).await["staging"].clone()
}

/// Reconciles one license on demand.
async fn on_demand(world: &TestEnvironment, license: &str) -> (u16, Value) {
    world.api(Method::POST, &format!("/v1/licenses/{license}/reconcile"), None).await
}

/// Reconciles one license on demand and returns the kinds of its repairs.
async fn repairs(world: &TestEnvironment, license: &str) -> Vec<String> {
    let (status, answer) = on_demand(world, license).await;
    assert_eq!(status, 200, "{answer}");
    let repairs = answer["repairs"].as_array().unwrap();
    repairs.iter().map(|repair| repair["kind"].as_str().unwrap().to_owned()).collect()
}

/// Asserts that another reconciliation changes neither the state of a license nor its events.
async fn assert_unchanged_by_reconciliation(world: &TestEnvironment, license: &str) {
    let (before, event_types) = (world.license(license).await, world.event_types(license).await);
    assert_eq!(repairs(world, license).await, Vec::<String>::new());
    let mut after = world.license(license).await;
    after["entitlements_read_at"] = before["entitlements_read_at"].clone();
    assert_eq!((after, world.event_types(license).await), (before, event_types));
}

async fn registered(world: &TestEnvironment, product: &str, dimensions: Value) -> TestPurchase {
    let purchase = world.buy(product, dimensions).await;
    world.register(&purchase.token, "buyer@example.com").await;
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    purchase
}

/// Buys and registers. The `License Updated` event never arrives.
async fn registered_without_events(world: &TestEnvironment, product: &str, dimensions: Value) -> TestPurchase {
    let purchase = losing(world, &["License Updated"], world.buy(product, dimensions)).await;
    world.register(&purchase.token, "buyer@example.com").await;
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    assert_eq!(world.license(&purchase.license).await["state"], "pending");
    purchase
}

#[tokio::test]
async fn a_contract_with_a_lost_activation_is_activated_by_its_entitlements() {
    let world = TestEnvironment::new().await;
    let purchase = registered_without_events(&world, "demo-contract", json!({ "seats": 5 })).await;
    assert_eq!(repairs(&world, &purchase.license).await, ["activated"]);
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["grants_access"]), (&json!("active"), &json!(true)));
    assert_eq!(world.decide("acme", "seats").await["held"], "5");
    assert!(world.event_types(&purchase.license).await.contains(&"license.activated".to_owned()));
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;

    // The event arrives after all, and later events count as usual.
    let event_types = world.event_types(&purchase.license).await;
    world
        .send_event(&license_event(
            "Updated",
            &purchase,
            &arn(&purchase.license),
            "late",
            "2026-11-10T09:20:00Z".parse().unwrap(),
        ))
        .await;
    assert_eq!(world.event_types(&purchase.license).await, event_types);
    world.advance(minutes(5)).await;
    world.end(&purchase.agreement).await;
    let license = world.license(&purchase.license).await;
    assert_eq!(license["usage_until"], world.now().to_string());
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;
}

#[tokio::test]
async fn usage_after_a_lost_activation_is_billed_from_the_reconciliation() {
    let world = TestEnvironment::new().await;
    let purchase = registered_without_events(&world, "demo-subscription", json!({})).await;
    let event = |key: &str, time: Timestamp| json!([{ "license": purchase.license, "dimension": "requests", "quantity": 5, "time": time.to_string(), "key": key }]);
    world.advance(minutes(10)).await;
    assert_eq!(world.report(event("before", world.now())).await, ["accepted"]);
    world.advance(minutes(10)).await;
    assert_eq!(repairs(&world, &purchase.license).await, ["activated"]);
    let seen_at = world.now();
    world.advance(minutes(5)).await;
    assert_eq!(world.report(event("after", world.now())).await, ["accepted"]);
    world.advance(hours(2)).await;
    assert_eq!(world.total(&purchase.license).await.to_string(), "10");
    let first = world.records(&purchase.license).await.pop().unwrap();
    assert_eq!(first["timestamp"], seen_at.to_string(), "no moment before is claimed: {first}");
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;
}

#[tokio::test]
async fn an_active_agreement_without_a_license_activates_nothing() {
    let world = TestEnvironment::with(|options| options.delays.provision = hours(2)).await;
    let by_use = world.buy("demo-subscription", json!({})).await;
    let contract = world.buy("demo-contract", json!({ "seats": 5 })).await;
    for purchase in [&by_use, &contract] {
        world.register(&purchase.token, "buyer@example.com").await;
        world.advance(minutes(50)).await;
        assert_eq!(repairs(&world, &purchase.license).await, Vec::<String>::new());
        assert_eq!(world.license(&purchase.license).await["state"], "pending");
    }
    assert_eq!(world.counted(Metric::ReconcileFindings), 0);

    // If AWS does not show the progress of provisioning to this account, the operator gets a finding.
    world
        .fault(json!({ "service": "agreement", "operation": "GetAgreementEntitlements", "kind": "access_denied" }))
        .await;
    let (status, answer) = on_demand(&world, &by_use.license).await;
    assert_eq!((status, &answer["repairs"]), (200, &json!([])), "{answer}");
    assert_eq!(answer["findings"][0]["kind"], "unproven");
    assert_eq!(answer["license"]["state"], "pending");
}

#[tokio::test]
async fn waiting_licenses_are_reconciled_hourly_and_all_daily() {
    let world = TestEnvironment::at("2026-11-10T21:20:00Z").await;
    let settled = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
    world.advance(minutes(41)).await;
    assert_eq!(world.counted(Metric::LicensesReconciled), 1, "the walk of the first day");
    let purchase = registered_without_events(&world, "demo-subscription", json!({})).await;
    world.change(&settled.agreement, json!({ "action": "amend", "dimensions": { "seats": 6 } })).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    assert_eq!(world.counted(Metric::RepairsActivated), 1);
    assert_eq!(world.counted(Metric::LicensesReconciled), 2, "only what waits");
    world.advance(minutes(60)).await;
    assert_eq!(world.counted(Metric::LicensesReconciled), 4, "the walk of the next day");
    assert_eq!(world.counted(Metric::ReconcileFailures), 0);
}

#[tokio::test]
async fn a_lost_end_is_dated_correctly_and_usage_before_it_is_billed() {
    let world = TestEnvironment::new().await;
    let purchase = registered(&world, "demo-subscription", json!({})).await;
    world.advance(minutes(45)).await;
    let event = json!([{ "license": purchase.license, "dimension": "requests", "quantity": 7,
                         "time": world.now().to_string(), "key": "last" }]);
    assert_eq!(world.report(event).await, ["accepted"]);
    world.advance(minutes(5)).await;
    losing(&world, &["Ended", "Deprovisioned"], world.end(&purchase.agreement)).await;
    let ended_at = world.now();
    world.advance(minutes(20)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");

    assert_eq!(repairs(&world, &purchase.license).await, ["ended"]);
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["usage_until"]), (&json!("ending"), &json!(ended_at.to_string())));
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;
    world.advance(minutes(61)).await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["end_reason"]), (&json!("ended"), &json!("cancelled")));
    assert_eq!(world.decide("acme", "requests").await["allowed"], false);
    assert_eq!(world.total(&purchase.license).await.to_string(), "7");
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;

    // The lost event arrives after all, and agrees.
    let event_types = world.event_types(&purchase.license).await;
    world.send_event(&license_event("Deprovisioned", &purchase, &arn(&purchase.license), "late", ended_at)).await;
    assert_eq!(world.event_types(&purchase.license).await, event_types);
}

#[tokio::test]
async fn a_long_lost_end_revokes_access_immediately() {
    let world = TestEnvironment::at("2026-11-10T21:20:00Z").await;
    let purchase = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
    world.advance(hours(1)).await;
    losing(&world, &["Ended", "Deprovisioned"], world.end(&purchase.agreement)).await;
    assert_eq!(world.decide("acme", "seats").await["allowed"], true);
    world.advance(hours(2)).await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["end_reason"]), (&json!("ended"), &json!("cancelled")));
    assert_eq!(license["grants_access"], false);
    assert_eq!(world.decide("acme", "seats").await["allowed"], false);
    assert_eq!(world.counted(Metric::RepairsEnded), 1);
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;
}

#[tokio::test]
async fn a_lost_change_of_entitlements_is_repaired() {
    let world = TestEnvironment::new().await;
    let purchase = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
    world.advance(minutes(10)).await;
    let amend = json!({ "action": "amend", "dimensions": { "seats": 9 } });
    losing(&world, &["License Updated"], world.change(&purchase.agreement, amend)).await;
    assert_eq!(world.decide("acme", "seats").await["held"], "5");
    let report = reconcile(&world).await;
    assert_eq!(report["repairs"], json!({ "entitlements": 1 }), "{report}");
    assert_eq!(world.decide("acme", "seats").await["held"], "9");
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;
}

/// Returns the demo contract as a product of the older kind.
fn legacy_contract() -> Listings {
    let text = include_str!("../../../listings/demo-contract.toml");
    let listing = Listing::parse(&text.replacen("mode = \"license\"", "mode = \"customer\"", 1)).unwrap();
    assert_eq!(listing.mode, Mode::Customer);
    Listings::These(vec![DescribedListing { file: "legacy-contract".to_owned(), listing }])
}

#[tokio::test]
async fn a_legacy_contract_is_queried_only_by_its_customer() {
    let world = TestEnvironment::with(|options| options.listings = legacy_contract()).await;
    let purchase = losing(&world, &["subscribe-success"], world.buy("legacy-contract", json!({ "seats": 5 }))).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    assert_eq!(world.license(&purchase.license).await["state"], "pending");
    assert_eq!(repairs(&world, &purchase.license).await, ["activated"]);
    assert_eq!(world.decide("acme", "seats").await["held"], "5");
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;

    world.advance(minutes(20)).await;
    let amend = json!({ "action": "amend", "dimensions": { "seats": 9 } });
    losing(&world, &[""], world.change(&purchase.agreement, amend)).await;
    assert_eq!(repairs(&world, &purchase.license).await, ["entitlements"]);
    assert_eq!(world.decide("acme", "seats").await["held"], "9");

    // A finished contract grants nothing (GetEntitlements), and no event announces the end.
    losing(&world, &[""], world.end(&purchase.agreement)).await;
    assert_eq!(repairs(&world, &purchase.license).await, ["entitlements"]);
    assert_eq!(world.decide("acme", "seats").await["allowed"], false);
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;
    let calls = world.control(Method::GET, "/sandbox/wire?service=agreement", Value::Null).await;
    assert_eq!(calls["calls"], json!([]), "no agreement is asked for");

    // An event about an end counts, also for a license that was only observed to be in force.
    let pending = notification("unsubscribe-pending", &purchase, "late", world.now());
    world.send_event(&pending).await;
    assert_eq!(world.license(&purchase.license).await["state"], "ending");
}

#[tokio::test]
async fn a_lost_renewal_with_the_same_license_keeps_it_active() {
    let world = TestEnvironment::new().await;
    let purchase = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
    world.advance(minutes(10)).await;
    let all = ["Created", "License Updated", "Ended"];
    let renew = json!({ "action": "renew" });
    let renewed = losing(&world, &all, world.change(&purchase.agreement, renew)).await;
    world.advance(minutes(20)).await;
    let found = repairs(&world, &purchase.license).await;
    assert_eq!(found, ["renewed", "entitlements"]);
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["agreement"]), (&json!("active"), &renewed["agreement_id"]));
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;

    // From here on the new agreement determines the license.
    world.end(renewed["agreement_id"].as_str().unwrap()).await;
    assert_eq!(world.license(&purchase.license).await["usage_until"], world.now().to_string());
}

#[tokio::test]
async fn a_renewal_and_its_end_that_were_both_lost_end_the_license() {
    for new_license in [false, true] {
        let world = TestEnvironment::new().await;
        let purchase = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
        world.advance(minutes(10)).await;
        world.deliver(json!({ "hold": true })).await;
        let renew = json!({ "action": "renew", "new_license": new_license });
        let renewed = world.change(&purchase.agreement, renew).await;
        world.advance(minutes(10)).await;
        world.end(renewed["agreement_id"].as_str().unwrap()).await;
        let ended_at = world.now();
        world.deliver(json!({ "lose": "", "release": true })).await;
        world.advance(minutes(10)).await;
        assert!(repairs(&world, &purchase.license).await.contains(&"ended".to_owned()), "{new_license}");
        let license = world.license(&purchase.license).await;
        assert_eq!(
            (&license["state"], &license["usage_until"]),
            (&json!("ending"), &json!(ended_at.to_string())),
            "{new_license}"
        );
        assert_unchanged_by_reconciliation(&world, &purchase.license).await;
    }
}

#[tokio::test]
async fn a_lost_renewal_with_a_new_license_passes_on_the_tenant() {
    for lost in [&["Created", "License Updated", "Ended", "Deprovisioned"][..], &["Created"], &["License Updated"]] {
        let world = TestEnvironment::new().await;
        let purchase = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
        world.advance(minutes(10)).await;
        let renew = json!({ "action": "renew", "new_license": true });
        let renewed_at = world.now();
        let renewed = losing(&world, lost, world.change(&purchase.agreement, renew)).await;
        let successor = renewed["license"].as_str().unwrap().to_owned();
        world.advance(minutes(20)).await;
        let found = repairs(&world, &purchase.license).await;
        assert!(found.contains(&"handed_over".to_owned()), "{lost:?}: {found:?}");
        let new = world.license(&successor).await;
        assert_eq!((&new["state"], &new["tenant"]), (&json!("active"), &json!("acme")), "{lost:?}: {new}");
        assert_eq!(new["predecessor"], purchase.license.as_str(), "{lost:?}");
        let old = world.license(&purchase.license).await;
        assert_eq!((&old["state"], &old["successor"]), (&json!("ending"), &json!(successor)), "{lost:?}: {old}");
        assert_eq!(old["usage_until"], renewed_at.to_string(), "{lost:?}");
        assert_eq!(world.decide("acme", "seats").await["held"], "5", "{lost:?}");
        assert_unchanged_by_reconciliation(&world, &purchase.license).await;
        assert_unchanged_by_reconciliation(&world, &successor).await;
    }
}

#[tokio::test]
async fn two_lost_renewals_pass_the_tenant_to_the_last_license() {
    // The events that are lost of each renewal.
    let cases = [
        ("the license between is unknown", [&[""][..], &[""]], false),
        ("the license between was active", [&["Created", "Deprovisioned"], &[""]], true),
        ("the license between is known only as ended", [&["License Updated", "Ended", "Deprovisioned"], &[]], true),
    ];
    for (case, lost, is_known) in cases {
        let world = TestEnvironment::new().await;
        let purchase = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
        let (mut agreement, mut line) = (purchase.agreement.clone(), vec![purchase.license.clone()]);
        for lost in lost {
            world.advance(minutes(5)).await;
            let renew = json!({ "action": "renew", "new_license": true });
            let renewed = losing(&world, lost, world.change(&agreement, renew)).await;
            agreement = renewed["agreement_id"].as_str().unwrap().to_owned();
            line.push(renewed["license"].as_str().unwrap().to_owned());
        }
        world.advance(minutes(20)).await;
        let report = reconcile(&world).await;
        assert_eq!(report["findings"], json!({}), "{case}: {report}");
        let last = world.license(&line[2]).await;
        assert_eq!((&last["state"], &last["tenant"]), (&json!("active"), &json!("acme")), "{case}: {last}");
        assert_eq!(world.license(&line[0]).await["state"], "ending", "{case}");
        assert_eq!(world.decide("acme", "seats").await["held"], "5", "{case}");
        for license in line.iter().filter(|license| is_known || **license != line[1]) {
            assert_unchanged_by_reconciliation(&world, license).await;
        }
    }
}

#[tokio::test]
async fn a_license_without_any_event_is_found_by_the_daily_run() {
    let world = TestEnvironment::new().await;
    let purchases = [
        losing(&world, &[""], world.buy("demo-contract", json!({ "seats": 5 }))).await,
        losing(&world, &[""], world.buy("demo-subscription", json!({}))).await,
    ];
    world.advance(minutes(20)).await;
    let report = reconcile(&world).await;
    assert_eq!((&report["repairs"], &report["findings"]), (&json!({ "found": 2 }), &json!({})), "{report}");
    for purchase in &purchases {
        let license = world.license(&purchase.license).await;
        assert_eq!((&license["state"], &license["account"]), (&json!("active"), &json!(purchase.account)));
        assert_eq!(license["agreement"], purchase.agreement.as_str());
        assert_unchanged_by_reconciliation(&world, &purchase.license).await;
        assert_eq!(world.register(&purchase.token, "buyer@example.com").await.status, 303);
    }
    assert_eq!(world.license(&purchases[0].license).await["entitlements"][0]["value"], json!({ "integer": 5 }));
}

#[tokio::test]
async fn a_revoked_license_is_reported_and_not_reopened() {
    let world = TestEnvironment::new().await;
    let purchase = registered(&world, "demo-subscription", json!({})).await;
    world.advance(minutes(10)).await;
    world.send_event(&license_event("Deprovisioned", &purchase, &arn(&purchase.license), "revoked", world.now())).await;
    world.advance(minutes(20)).await;
    let (status, answer) = on_demand(&world, &purchase.license).await;
    assert_eq!((status, &answer["repairs"]), (200, &json!([])), "{answer}");
    assert_eq!(answer["findings"][0]["kind"], "closed_but_active");
    assert_eq!(answer["license"]["state"], "ending");
}

#[tokio::test]
async fn an_end_that_aws_does_not_confirm_is_reverted_by_the_reconciliation() {
    let world = TestEnvironment::new().await;
    let purchase = registered(&world, "demo-subscription", json!({})).await;
    world.advance(minutes(10)).await;
    // AWS does not answer while the event is processed, so the event counts.
    world
        .fault(json!({ "service": "agreement", "operation": "DescribeAgreement", "times": 3, "kind": "error500" }))
        .await;
    let ended = json!({
        "version": "0", "id": "wrong", "detail-type": "Purchase Agreement Ended - Proposer",
        "source": "aws.agreement-marketplace", "time": world.now().to_string(),
        "detail": { "agreement": { "id": purchase.agreement, "status": "CANCELLED" } },
    });
    world.send_event(&ended).await;
    assert_eq!(world.license(&purchase.license).await["state"], "ending");
    world.advance(minutes(10)).await;
    assert_eq!(repairs(&world, &purchase.license).await, Vec::<String>::new(), "AWS may not have caught up");
    world.advance(minutes(10)).await;
    assert_eq!(repairs(&world, &purchase.license).await, ["reopened"]);
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    assert_unchanged_by_reconciliation(&world, &purchase.license).await;
    world.send_event(&ended).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");

    // A real end counts as usual.
    world.advance(minutes(10)).await;
    world.end(&purchase.agreement).await;
    assert_eq!(world.license(&purchase.license).await["usage_until"], world.now().to_string());
}

#[tokio::test]
async fn an_empty_answer_for_an_active_agreement_is_not_trusted() {
    let world = TestEnvironment::new().await;
    let purchase = registered(&world, "demo-contract", json!({ "seats": 5 })).await;
    world.advance(minutes(30)).await;
    // From now on AWS delays entitlements so much that there are none.
    world.control(Method::POST, "/sandbox/behavior", json!({ "entitlements_delay": "90m" })).await;
    let (status, answer) = on_demand(&world, &purchase.license).await;
    assert_eq!((status, &answer["repairs"]), (200, &json!([])), "{answer}");
    assert_eq!(answer["findings"][0]["kind"], "entitlements_empty");
    assert_eq!(world.decide("acme", "seats").await["held"], "5");
}

#[tokio::test]
async fn a_throttled_license_is_unchanged_and_reconciled_in_the_next_run() {
    let world = TestEnvironment::new().await;
    let mut purchases = Vec::new();
    for _ in 0..3 {
        purchases.push(world.buy("demo-contract", json!({ "seats": 5 })).await);
    }
    world.advance(minutes(30)).await;
    for purchase in &purchases {
        let amend = json!({ "action": "amend", "dimensions": { "seats": 9 } });
        losing(&world, &["License Updated"], world.change(&purchase.agreement, amend)).await;
    }
    // The number covers all three attempts of one call.
    world
        .fault(json!({ "service": "entitlement", "operation": "GetEntitlements", "times": 3, "kind": "throttle" }))
        .await;
    let report = reconcile(&world).await;
    assert_eq!((&report["failures"], &report["repairs"]), (&json!(1), &json!({ "entitlements": 2 })), "{report}");
    assert_eq!((&report["unfinished"], &report["to_retry"], &report["skipped"]), (&json!(false), &json!(1), &json!(0)));
    let report = reconcile(&world).await;
    assert_eq!((&report["licenses"], &report["repairs"]), (&json!(1), &json!({ "entitlements": 1 })), "{report}");
    assert_eq!((&report["to_retry"], &report["skipped"]), (&json!(0), &json!(0)));
    for purchase in &purchases {
        assert_eq!(world.license(&purchase.license).await["entitlements"][0]["value"], json!({ "integer": 9 }));
    }
    let report = reconcile(&world).await;
    assert_eq!((&report["licenses"], &report["repairs"]), (&json!(0), &json!({})), "{report}");
    assert_eq!(world.counted(Metric::ReconcileFailures), 1);

    let gone = json!({ "service": "agreement", "operation": "DescribeAgreement", "times": 3, "kind": "throttle" });
    world.fault(gone).await;
    let (status, problem) = on_demand(&world, &purchases[0].license).await;
    assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{problem}");
}

#[tokio::test]
async fn a_run_stops_when_aws_does_not_answer_and_the_next_run_continues() {
    let world = TestEnvironment::new().await;
    for _ in 0..30 {
        world.buy("demo-subscription", json!({})).await;
    }
    world.fault(json!({ "service": "agreement", "operation": "*", "call": 26, "times": 15, "kind": "error500" })).await;
    let report = reconcile(&world).await;
    assert_eq!((&report["failures"], &report["unfinished"]), (&json!(5), &json!(true)), "{report}");
    assert_eq!((&report["to_retry"], &report["skipped"]), (&json!(5), &json!(0)), "{report}");
    let looked = report["licenses"].as_u64().unwrap();
    assert_eq!(looked, 25, "{report}");
    let report = reconcile(&world).await;
    assert_eq!((&report["failures"], &report["unfinished"]), (&json!(0), &json!(false)), "{report}");
    assert_eq!(report["licenses"], 5, "those that failed: {report}");
    assert_eq!(reconcile(&world).await["licenses"], 0);
}

#[tokio::test]
async fn reconciliation_stays_within_the_quota_of_aws() {
    let world = TestEnvironment::new().await;
    for _ in 0..40 {
        world.buy("demo-contract", json!({ "seats": 5 })).await;
    }
    world.control(Method::DELETE, "/sandbox/wire", Value::Null).await;
    let report = reconcile(&world).await;
    assert_eq!((&report["licenses"], &report["failures"]), (&json!(40), &json!(0)), "{report}");
    let calls = world.control(Method::GET, "/sandbox/wire?service=entitlement", Value::Null).await;
    let calls = calls["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 40, "one request a license, and none of them again");
    assert!(calls.iter().all(|call| call["status"] == 200), "AWS asked to slow down");
}

#[tokio::test]
async fn staging_and_production_reconcile_only_their_own_licenses() {
    let world = TestEnvironment::with(|options| options.stages = vec![Stage::Staging, Stage::Production]).await;
    world.deliver(json!({ "hold": true })).await;
    let staging = world.buy("demo-subscription", json!({})).await;
    let production = world.buy("demo-production", json!({})).await;
    world.deliver(json!({ "lose": "", "release": true })).await;
    world.advance(minutes(20)).await;
    let reports = world.control(Method::POST, "/sandbox/reconcile", json!({})).await;
    for (stage, own, other) in [(Stage::Staging, &staging, &production), (Stage::Production, &production, &staging)] {
        let store = world.store(stage);
        assert!(store.license(&own.license.parse().unwrap()).await.unwrap().is_some(), "{reports}");
        assert!(store.license(&other.license.parse().unwrap()).await.unwrap().is_none(), "{reports}");
    }
    assert_eq!(reports["staging"]["repairs"], json!({ "found": 1 }));
    assert_eq!(reports["production"]["repairs"], json!({ "found": 1 }));
}

#[tokio::test]
async fn an_unknown_license_is_not_reconciled() {
    let world = TestEnvironment::new().await;
    let (status, problem) = on_demand(&world, "l-unknown").await;
    assert_eq!((status, &problem["code"]), (404, &json!("license_unknown")));
}

#[tokio::test]
async fn an_advisory_is_shown_and_published_and_changes_nothing_else() {
    let world = TestEnvironment::new().await;
    let purchase = registered(&world, "demo-subscription", json!({})).await;
    world.advance(minutes(10)).await;
    let issued_at = world.now();
    world.change(&purchase.agreement, json!({ "action": "advise" })).await;
    let license = world.license(&purchase.license).await;
    assert_eq!(license["advisory"], json!({ "since": issued_at.to_string() }));
    assert_eq!((&license["state"], &license["grants_access"]), (&json!("active"), &json!(true)));
    let (_, tenant) = world.api(Method::GET, "/v1/tenants/acme", None).await;
    assert_eq!(tenant["licenses"][0]["advisory"]["since"], issued_at.to_string());
    assert_eq!(world.event_types(&purchase.license).await.last().unwrap(), "license.advisory_issued");

    world.advance(minutes(10)).await;
    world.change(&purchase.agreement, json!({ "action": "resolve" })).await;
    assert_eq!(world.license(&purchase.license).await["advisory"], Value::Null);
    let event_types = world.event_types(&purchase.license).await;
    assert_eq!(event_types.last().unwrap(), "license.advisory_resolved");

    // Redelivery of all events in any order changes nothing.
    world.deliver(json!({ "hold": true, "redeliver": 50 })).await;
    world.deliver(json!({ "duplicate": 1, "reorder": 3, "release": true })).await;
    assert_eq!(world.license(&purchase.license).await["advisory"], Value::Null);
    assert_eq!(world.event_types(&purchase.license).await, event_types);

    world.advance(minutes(10)).await;
    world.change(&purchase.agreement, json!({ "action": "advise" })).await;
    assert_eq!(world.license(&purchase.license).await["advisory"]["since"], world.now().to_string());
}

#[tokio::test]
async fn an_advisory_resolved_before_its_event_arrives_is_ignored() {
    let world = TestEnvironment::new().await;
    world.deliver(json!({ "hold": true })).await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    world.change(&purchase.agreement, json!({ "action": "advise" })).await;
    world.advance(minutes(5)).await;
    world.change(&purchase.agreement, json!({ "action": "resolve" })).await;
    world.deliver(json!({ "duplicate": 1, "reorder": 5, "release": true })).await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["advisory"]), (&json!("active"), &Value::Null));
}

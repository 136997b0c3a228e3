//! A buyer's move from a customer key to a license key, with everything that may happen around it: each unit is billed
//! once, and access follows AWS.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

use crate::existing_customers::{booked, import, move_of, mover, usage};

fn at(time: &str) -> Timestamp {
    format!("2026-11-{time}:00Z").parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Makes every DescribeAgreement call fail, so that the state of agreements is unknown.
async fn fail_agreement_calls(world: &TestEnvironment) {
    let fault = json!({
        "service": "agreement", "operation": "DescribeAgreement", "kind": "error500", "times": 100_000,
    });
    world.fault(fault).await;
}

async fn clear_faults(world: &TestEnvironment) {
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
}

async fn assert_one_style_per_hour(world: &TestEnvironment, legacy: &str, expected: i64) {
    let (units, styles) = booked(world, legacy).await;
    assert_eq!(units, Decimal::from(expected), "{styles:?}");
    assert!(styles.values().all(|styles| styles.len() == 1), "{styles:?}");
}

async fn assert_billed_under_both_keys(world: &TestEnvironment, legacy: &str) {
    let keys: BTreeSet<String> = booked(world, legacy).await.1.into_values().flatten().collect();
    assert_eq!(keys, BTreeSet::from(["customer".to_owned(), "license".to_owned()]));
}

async fn assert_customer_key_is_used(world: &TestEnvironment, legacy: &str, seed: i32) {
    let license = world.license(legacy).await;
    assert_eq!((&license["state"], &license["successor"]), (&json!("active"), &Value::Null), "seed {seed}: {license}");
}

/// Ends the buyer's agreement and subscribes again, while the events of both are held.
async fn resubscribe_with_held_events(world: &TestEnvironment, purchase: &TestPurchase) {
    world.advance(minutes(2)).await;
    world.deliver(json!({ "hold": true })).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(5)).await;
    world.buy_as(json!({ "product": "demo-legacy", "account": purchase.account })).await;
}

/// Returns the event of an agreement that renews another, as EventBridge sends it.
fn renewal(next: &TestPurchase, previous: &str, time: Timestamp) -> Value {
    json!({
        "version": "0", "id": "created", "detail-type": "Purchase Agreement Created - Proposer",
        "source": "aws.agreement-marketplace", "account": "444455556666", "time": time.to_string(),
        "region": "us-east-1", "resources": [],
        "detail": {
            "requestId": "r", "catalog": "AWSMarketplace",
            "agreement": {
                "id": next.agreement, "intent": "RENEW", "status": "ACTIVE", "acceptanceTime": time.to_string(),
                "startTime": time.to_string(), "endTime": "9999-01-01T00:00:00Z", "previousAgreementId": previous,
            },
            "product": { "id": "prod-any", "title": "any" }, "acceptor": { "accountId": next.account },
            "proposer": { "name": "seller", "accountId": "444455556666" }, "offer": { "id": "offer-any" },
        },
    })
}

#[tokio::test]
async fn an_event_under_both_ids_is_billed_once_without_the_intakes_memory() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let (csv, _, new) = move_of(&world, &purchase).await;
    let (old, now) = (purchase.license.clone(), world.now());
    // From here on intake remembers the customer key without its move.
    assert_eq!(world.report(json!([usage(&old, 10, "k1", now)])).await, ["accepted"]);
    assert_eq!(import(&world, &csv).await[0]["status"], "imported");
    let both = json!([usage(&old, 1, "other", now), usage(&new, 10, "k1", now)]);
    assert_eq!(world.report(both).await, ["accepted", "accepted"]);
    let mut corrected = usage(&new, 12, "k1", now);
    corrected["revision"] = json!(1);
    assert_eq!(world.report(json!([usage(&old, 1, "other", now), corrected])).await, ["accepted", "accepted"]);
    world.advance(minutes(120)).await;
    assert_one_style_per_hour(&world, &old, 12 + 1).await;
}

#[tokio::test]
async fn a_buyer_who_cancelled_before_the_move_is_not_activated_by_a_late_event() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let old = purchase.license.clone();
    world.sandbox.set(at("10T09:35")).await;
    assert_eq!(world.report(json!([usage(&old, 7, "before", world.now())])).await, ["accepted"]);
    world.deliver(json!({ "hold": true })).await;
    world.end(&purchase.agreement).await;
    world.sandbox.set(at("10T10:20")).await;
    for license in [&old, &new] {
        let row = world.license(license).await;
        assert_eq!(row["grants_access"], false, "AWS was asked at the hour of the move: {row}");
    }
    world.deliver(json!({ "release": true })).await;
    world.advance(minutes(2)).await;
    assert_eq!(
        world.event_types(&new).await.iter().filter(|event_types| *event_types == "license.activated").count(),
        0
    );
    let refused = world.results(json!([usage(&new, 1, "after", world.now())])).await;
    assert_eq!(refused[0]["code"], "license_ended", "{refused:?}");
    world.advance(minutes(60)).await;
    for license in [&old, &new] {
        assert_eq!(world.license(license).await["state"], "ended");
    }
    assert_one_style_per_hour(&world, &old, 7).await;
}

#[tokio::test]
async fn a_move_that_waits_for_aws_refuses_no_usage() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let (old, before) = (purchase.license.clone(), world.now());
    fail_agreement_calls(&world).await;
    world.sandbox.set(at("10T10:09")).await;
    let late = world.results(json!([usage(&old, 2, "late", before)])).await;
    assert_eq!((&late[0]["status"], &late[0]["code"]), (&json!("retry"), &json!("license_moving")));
    world.sandbox.set(at("10T10:11")).await;
    let events =
        json!([usage(&old, 2, "late", before), usage(&new, 2, "late", before), usage(&old, 4, "now", world.now())]);
    assert_eq!(world.report(events).await, ["accepted", "duplicate", "accepted"]);
    world.sandbox.set(at("10T13:00")).await;
    assert_eq!(world.license(&old).await["state"], "active", "the customer key stands for both until AWS answers");
    assert_eq!(world.license(&new).await["state"], "pending");
    let (_, tenant) = world.api(Method::GET, "/v1/tenants/acme", None).await;
    assert_eq!(tenant["managed"], true, "{tenant}");
    clear_faults(&world).await;
    world.advance(minutes(30)).await;
    assert_eq!(world.license(&new).await["state"], "active");
    assert_eq!(world.license(&old).await["successor"], new);
    world.advance(minutes(120)).await;
    assert_one_style_per_hour(&world, &old, 2 + 4).await;
}

#[tokio::test]
async fn an_end_before_a_move_without_an_answer_ends_the_license_permanently() {
    for reconciled in [false, true] {
        let world = TestEnvironment::new().await;
        let (purchase, _, new) = mover(&world).await;
        fail_agreement_calls(&world).await;
        world.deliver(json!({ "hold": true })).await;
        world.sandbox.set(at("10T09:35")).await;
        world.end(&purchase.agreement).await;
        // Four hours before AWS would refuse the waiting usage, the move is made as it was planned.
        world.sandbox.set(at("11T06:20")).await;
        assert_eq!(world.license(&new).await["state"], "active");
        clear_faults(&world).await;
        if reconciled {
            let (_, looked) = world.api(Method::POST, &format!("/v1/licenses/{new}/reconcile"), None).await;
            assert_eq!(looked["repairs"][0]["kind"], "ended", "{looked}");
        }
        world.deliver(json!({ "release": true })).await;
        world.advance(minutes(70)).await;
        let event_types = world.event_types(&new).await;
        let place = |kind: &str| event_types.iter().rposition(|other| other == kind);
        assert!(place("license.activated") < place("license.ended"), "{event_types:?}");
        let license = world.license(&new).await;
        assert_eq!((&license["state"], &license["end_reason"]), (&json!("ended"), &json!("cancelled")));
    }
}

#[tokio::test]
async fn cancelling_by_the_customer_key_after_the_move_ends_the_license() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    world.sandbox.set(at("10T10:20")).await;
    assert_eq!(world.license(&new).await["state"], "active");
    world.send_event(&tests::notification("unsubscribe-pending", &purchase, "leaves", world.now())).await;
    assert_eq!(world.license(&new).await["state"], "ending");
}

#[tokio::test]
async fn a_moved_buyer_who_cancels_and_resubscribes_uses_the_customer_key() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let old = purchase.license.clone();
    world.sandbox.set(at("10T10:20")).await;
    assert_eq!(world.report(json!([usage(&old, 3, "by the license", world.now())])).await, ["accepted"]);
    world.end(&purchase.agreement).await;
    world.sandbox.set(at("10T12:30")).await;
    assert_eq!(world.license(&new).await["state"], "ended");
    let again = world.buy_as(json!({ "product": "demo-legacy", "account": purchase.account })).await;
    assert_eq!(again.license, old, "AWS knows the buyer by the same key");
    world.advance(minutes(5)).await;
    let license = world.license(&old).await;
    assert_eq!((&license["state"], &license["tenant"]), (&json!("active"), &json!("acme")), "{license}");
    assert_eq!(world.report(json!([usage(&old, 5, "by the key", world.now())])).await, ["accepted"]);
    assert_eq!(world.report(json!([usage(&new, 5, "by the key", world.now())])).await, ["duplicate"]);
    world.advance(minutes(180)).await;
    assert_one_style_per_hour(&world, &old, 5 + 3).await;
    assert_billed_under_both_keys(&world, &old).await;
}

#[tokio::test]
async fn cancelling_and_resubscribing_before_the_move_completes_restores_access() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let old = purchase.license.clone();
    world.sandbox.set(at("10T10:01")).await;
    assert_eq!(world.report(json!([usage(&new, 3, "by the license", world.now())])).await, ["accepted"]);
    world.end(&purchase.agreement).await;
    world.advance(minutes(4)).await;
    world.buy_as(json!({ "product": "demo-legacy", "account": purchase.account })).await;
    world.advance(minutes(2)).await;
    let results = world.results(json!([usage(&old, 5, "by the key", world.now())])).await;
    assert_eq!(
        (&results[0]["status"], &results[0]["code"]),
        (&json!("retry"), &json!("license_moving")),
        "{results:?}"
    );
    world.sandbox.set(at("10T10:12")).await;
    let license = world.license(&old).await;
    assert_eq!((&license["state"], &license["successor"]), (&json!("active"), &Value::Null), "{license}");
    assert_eq!(world.license(&new).await["grants_access"], false);
    world.advance(minutes(8)).await;
    assert_eq!(world.report(json!([usage(&old, 5, "by the key", world.now())])).await, ["accepted"]);
    world.advance(minutes(180)).await;
    assert_one_style_per_hour(&world, &old, 5 + 3).await;
    assert_billed_under_both_keys(&world, &old).await;
}

#[tokio::test]
async fn usage_accepted_before_a_move_is_a_duplicate_under_either_id_a_day_later() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let (old, time) = (purchase.license.clone(), world.now());
    assert_eq!(world.report(json!([usage(&old, 6, "lost answer", time)])).await, ["accepted"]);
    world.sandbox.set(at("11T10:00")).await;
    for license in [&old, &new] {
        assert_eq!(world.report(json!([usage(license, 6, "lost answer", time)])).await, ["duplicate"]);
        assert_eq!(world.report(json!([usage(license, 8, "lost answer", time)])).await, ["conflict"]);
        let unknown = world.results(json!([usage(license, 6, "never sent", time)])).await;
        assert_eq!((&unknown[0]["status"], &unknown[0]["code"]), (&json!("refused"), &json!("too_old")));
    }
}

#[tokio::test]
async fn a_renewal_of_a_moved_buyers_license_gets_its_events() {
    for seed in 0..2 {
        let world = TestEnvironment::new().await;
        let (purchase, arn, new) = mover(&world).await;
        world.sandbox.set(at("10T10:20")).await;
        let next = TestPurchase { agreement: "agmt-next".to_owned(), ..purchase.clone() };
        let heir = new.replace("l-", "l-f");
        let created = renewal(&next, &purchase.agreement, world.now());
        let updated = tests::license_event("Updated", &next, &arn.replace(&new, &heir), "provisioned", world.now());
        let events = if seed == 0 { [created, updated] } else { [updated, created] };
        for event in &events {
            world.send_event(event).await;
        }
        world.advance(minutes(5)).await;
        let license = world.license(&heir).await;
        assert_eq!((&license["state"], &license["tenant"]), (&json!("active"), &json!("acme")), "{license}");
        assert_eq!(world.license(&new).await["successor"], heir);
    }
    // A license that continues none would be a duplicate of the customer key.
    let world = TestEnvironment::new().await;
    let (purchase, arn, new) = mover(&world).await;
    world.sandbox.set(at("10T10:20")).await;
    let stranger = TestPurchase { agreement: "agmt-other".to_owned(), ..purchase };
    let other = arn.replace(&new, &new.replace("l-", "l-f"));
    world.send_event(&tests::license_event("Updated", &stranger, &other, "provisioned", world.now())).await;
    world.advance(minutes(10)).await;
    let (status, _) = world.api(Method::GET, &format!("/v1/licenses/{}", new.replace("l-", "l-f")), None).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn resubscribing_before_the_move_restores_access_when_the_event_comes_late() {
    for seed in 0..3 {
        let world = TestEnvironment::new().await;
        let (purchase, _, new) = mover(&world).await;
        let old = purchase.license.clone();
        resubscribe_with_held_events(&world, &purchase).await;
        world.sandbox.set(at("10T10:23")).await;
        assert_eq!(world.license(&new).await["grants_access"], false, "seed {seed}");
        world.deliver(json!({ "reorder": seed, "release": true })).await;
        world.advance(minutes(2)).await;
        assert_customer_key_is_used(&world, &old, seed).await;
        world.advance(minutes(5)).await;
        assert_eq!(world.report(json!([usage(&old, 6, "k", world.now())])).await, ["accepted"]);
        world.advance(minutes(180)).await;
        assert_one_style_per_hour(&world, &old, 6).await;
    }
}

#[tokio::test]
async fn resubscribing_before_the_move_keeps_the_customer_key() {
    for seed in 0..3 {
        let world = TestEnvironment::new().await;
        let (purchase, _, new) = mover(&world).await;
        let old = purchase.license.clone();
        resubscribe_with_held_events(&world, &purchase).await;
        world.advance(minutes(3)).await;
        world.deliver(json!({ "reorder": seed, "release": true })).await;
        world.sandbox.set(at("10T12:00")).await;
        assert_customer_key_is_used(&world, &old, seed).await;
        assert_eq!(world.license(&new).await["grants_access"], false);
        assert_eq!(world.report(json!([usage(&old, 6, "k", world.now())])).await, ["accepted"]);
        world.advance(minutes(80)).await;
        assert_one_style_per_hour(&world, &old, 6).await;
    }
}

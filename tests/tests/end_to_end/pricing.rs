//! Further cases of pricing: contracts with consumption, tags, free trials, and listings without records of quantity 0.

use domain::listing::Listing;
use jiff::SignedDuration;
use lambda::metrics::Metric;
use local_aws::Service;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn usage(
    world: &TestEnvironment,
    purchase: &TestPurchase,
    dimension: &str,
    quantity: impl Into<Value>,
    key: &str,
) -> Value {
    json!({
        "license": purchase.license, "dimension": dimension, "quantity": quantity.into(), "key": key,
        "time": world.now().to_string(),
    })
}

async fn accepted(world: &TestEnvironment, event: Value) {
    assert_eq!(world.report(json!([event])).await, ["accepted"]);
}

fn billed(hour: &str, dimension: &str, quantity: &str) -> (String, String, String) {
    (format!("2026-11-10T{hour}"), dimension.to_owned(), quantity.to_owned())
}

/// Makes a purchase of 100 events, with further events billed by use.
async fn with_consumption(world: &TestEnvironment) -> TestPurchase {
    world.buy("demo-consumption", json!({ "events_included": 100 })).await
}

#[tokio::test]
async fn only_the_overage_beyond_the_contract_is_billed() {
    let world = TestEnvironment::new().await;
    let purchase = with_consumption(&world).await;
    let extra = |quantity: i64, key: &str| usage(&world, &purchase, "events_extra", quantity, key);
    accepted(&world, extra(60, "09")).await;
    world.advance(minutes(60)).await;
    assert!(world.billed(&purchase.license).await.is_empty(), "60 of 100 are used");
    accepted(&world, extra(60, "10")).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.billed(&purchase.license).await, [billed("10", "events_extra", "20")]);
    // Late usage of a closed hour is carried, and counts towards the contract in the hour that it is carried to.
    let mut late = extra(5, "late");
    late["time"] = json!("2026-11-10T09:30:00Z");
    accepted(&world, late).await;
    world.advance(minutes(60)).await;
    let expected = [billed("10", "events_extra", "20"), billed("11", "events_extra", "5")];
    assert_eq!(world.billed(&purchase.license).await, expected);
    let records = world.records(&purchase.license).await;
    let first = records.iter().find(|record| record["hour"] == "2026-11-10T09").unwrap();
    assert_eq!((&first["quantity"], &first["used"], &first["carried"]), (&json!("0"), &json!("60"), &json!("5")));
}

#[tokio::test]
async fn an_amendment_changes_the_included_amount_and_keeps_billed_overage() {
    let world = TestEnvironment::new().await;
    let purchase = with_consumption(&world).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 150, "09")).await;
    world.advance(minutes(60)).await;
    world.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "events_included": 300 } })).await;
    // 250 of 300 events are used, and 50 were billed before: 350 in all are covered.
    accepted(&world, usage(&world, &purchase, "events_extra", 100, "10")).await;
    world.advance(minutes(60)).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 110, "11")).await;
    world.advance(minutes(60)).await;
    let expected = [billed("09", "events_extra", "50"), billed("11", "events_extra", "10")];
    assert_eq!(world.billed(&purchase.license).await, expected);
}

#[tokio::test]
async fn a_renewal_starts_a_new_period() {
    let world = TestEnvironment::new().await;
    let purchase = with_consumption(&world).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 130, "09")).await;
    world.advance(minutes(60)).await;
    world.change(&purchase.agreement, json!({ "action": "renew" })).await;
    world.advance(minutes(60)).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 70, "11")).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.billed(&purchase.license).await, [billed("09", "events_extra", "30")], "70 of the next 100");
    accepted(&world, usage(&world, &purchase, "events_extra", 70, "12")).await;
    world.advance(minutes(60)).await;
    let expected = [billed("09", "events_extra", "30"), billed("12", "events_extra", "40")];
    assert_eq!(world.billed(&purchase.license).await, expected);
}

#[tokio::test]
async fn overage_of_the_last_hour_is_billed_although_entitlements_are_gone() {
    let world = TestEnvironment::new().await;
    let purchase = with_consumption(&world).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 90, "09")).await;
    world.advance(minutes(60)).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 25, "10")).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(70)).await;
    assert_eq!(world.billed(&purchase.license).await, [billed("10", "events_extra", "15")]);
}

#[tokio::test]
async fn overage_waits_until_the_included_amount_is_known() {
    let world = TestEnvironment::new().await;
    let fault = json!({ "service": "entitlement", "operation": "GetEntitlements", "kind": "error500", "times": 10000 });
    world.fault(fault).await;
    let purchase = with_consumption(&world).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 130, "09")).await;
    world.advance(minutes(60)).await;
    assert!(world.records(&purchase.license).await.is_empty(), "nothing is frozen before it is known");
    let (_, problems) = world.api(Method::GET, "/v1/usage/problems?kind=held", None).await;
    let problem = &problems["problems"][0];
    assert_eq!((&problem["reason"], &problem["quantity"]), (&json!("entitlement_unknown"), &json!("130")));
    assert!(world.counted(Metric::UsageHeld) > 0);
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    // The next event about the license makes the function read the entitlements.
    world.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "events_included": 100 } })).await;
    world.advance(minutes(60)).await;
    let (_, problems) = world.api(Method::GET, "/v1/usage/problems", None).await;
    let records = world.records(&purchase.license).await;
    assert_eq!(
        world.billed(&purchase.license).await,
        [billed("09", "events_extra", "30")],
        "{problems} {records:?} {}",
        world.license(&purchase.license).await
    );
    assert_eq!(problems["problems"], json!([]));
}

#[tokio::test]
async fn the_start_of_an_agreement_without_events_is_queried() {
    let world = TestEnvironment::new().await;
    // The time is after the day's walk of the reconciliation, which would otherwise repair the lost event before the
    // hour is summed.
    world.advance(minutes(45)).await;
    world.deliver(json!({ "hold": true })).await;
    let purchase = with_consumption(&world).await;
    world.deliver(json!({ "lose": "Purchase Agreement Created", "release": true })).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 130, "10")).await;
    world.sandbox.aws().wire().clear();
    world.advance(minutes(75)).await;
    assert_eq!(world.billed(&purchase.license).await, [billed("10", "events_extra", "30")]);
    let asked = world.sandbox.aws().wire().calls(Service::Agreement, "DescribeAgreement");
    assert_eq!(asked.len(), 1, "{asked:?}");
}

#[tokio::test]
async fn overage_whose_included_amount_stays_unknown_is_reported_as_a_problem() {
    let world = TestEnvironment::new().await;
    let fault = json!({ "service": "entitlement", "operation": "GetEntitlements", "kind": "error500", "times": 10000 });
    world.fault(fault).await;
    let purchase = with_consumption(&world).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 2_147_483_647_i64, "09")).await;
    accepted(&world, usage(&world, &purchase, "events_extra", 130, "09, too")).await;
    world.advance(minutes(25 * 60)).await;
    let named = |problems: &Value| -> Vec<(String, String)> {
        let text = |problem: &Value, name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let problems = problems["problems"].as_array().unwrap();
        problems.iter().map(|problem| (text(problem, "kind"), text(problem, "quantity"))).collect()
    };
    let (_, problems) = world.api(Method::GET, "/v1/usage/problems", None).await;
    // A record cannot hold the whole quantity.
    let expected = [("expired".to_owned(), "2147483647".to_owned()), ("uncarried".to_owned(), "130".to_owned())];
    assert_eq!(named(&problems), expected, "{problems}");
    assert!(world.counted(Metric::RecordsExpired) > 0 && world.counted(Metric::UsageUncarried) > 0);
    assert!(world.billed(&purchase.license).await.is_empty());
}

/// Returns the allocations of the sent records, as they were sent.
fn allocations_sent(world: &TestEnvironment) -> Vec<Value> {
    let calls = world.sandbox.aws().wire().calls(Service::Metering, "BatchMeterUsage");
    let records = calls.iter().flat_map(|call| call.body["UsageRecords"].as_array().unwrap().clone());
    records.filter(|record| !record["UsageAllocations"].is_null()).collect()
}

#[tokio::test]
async fn usage_with_tags_becomes_allocations() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let tagged = |quantity: Value, key: &str, tags: Value| {
        let mut event = usage(&world, &purchase, "requests", quantity, key);
        event["tags"] = tags;
        event
    };
    accepted(&world, tagged(json!(10), "a", json!({ "team": "blue" }))).await;
    accepted(&world, tagged(json!(5), "b", json!({ "team": "blue" }))).await;
    accepted(&world, tagged(json!(7), "c", json!({ "team": "red", "cost_center": "42" }))).await;
    accepted(&world, usage(&world, &purchase, "requests", 3, "d")).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.billed(&purchase.license).await, [billed("09", "requests", "25")]);
    let sent = allocations_sent(&world);
    let expected = json!([
        { "AllocatedUsageQuantity": 15, "Tags": [{ "Key": "team", "Value": "blue" }] },
        { "AllocatedUsageQuantity": 7,
          "Tags": [{ "Key": "cost_center", "Value": "42" }, { "Key": "team", "Value": "red" }] },
        { "AllocatedUsageQuantity": 3 },
    ]);
    assert_eq!(sent[0]["UsageAllocations"], expected);
    let records = world.records(&purchase.license).await;
    let record = records.iter().find(|record| record["quantity"] == "25").unwrap();
    assert_eq!(record["allocations"][0], json!({ "tags": { "team": "blue" }, "quantity": "15" }));
    // Late usage keeps its tags when it is carried to the running hour. One fraction makes all quantities of a record
    // decimals.
    let mut late = tagged(json!("0.5"), "late", json!({ "team": "green" }));
    late["time"] = json!("2026-11-10T09:59:00Z");
    accepted(&world, late).await;
    accepted(&world, tagged(json!(2), "e", json!({ "team": "blue" }))).await;
    world.advance(minutes(60)).await;
    let sent = allocations_sent(&world);
    let decimals = json!([
        { "AllocatedUsageQuantityAsDecimal": "2", "Tags": [{ "Key": "team", "Value": "blue" }] },
        { "AllocatedUsageQuantityAsDecimal": "0.5", "Tags": [{ "Key": "team", "Value": "green" }] },
    ]);
    assert_eq!(sent[1]["UsageAllocations"], decimals);
    assert_eq!(sent[1]["QuantityAsDecimal"], "2.5");
}

#[tokio::test]
async fn usage_with_too_many_tags_is_billed_without_them() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let events: Vec<Value> = (0..8)
        .map(|number| {
            let mut event = usage(&world, &purchase, "requests", 10 - number, &format!("k{number}"));
            event["tags"] = json!({ format!("key{number}"): "x" });
            event
        })
        .collect();
    assert_eq!(world.report(json!(events)).await, ["accepted"; 8]);
    world.advance(minutes(60)).await;
    assert_eq!(world.total(&purchase.license).await, Decimal::from(10 + 9 + 8 + 7 + 6 + 5 + 4 + 3));
    let sent = allocations_sent(&world);
    let parts = sent[0]["UsageAllocations"].as_array().unwrap();
    assert_eq!((parts.len(), &parts[5]), (6, &json!({ "AllocatedUsageQuantity": 5 + 4 + 3 })));
    assert_eq!(world.counted(Metric::AllocationsFolded), 3);
}

#[tokio::test]
async fn a_free_trial_is_metered() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy_as(json!({ "product": "demo-subscription", "free_trial": true })).await;
    accepted(&world, usage(&world, &purchase, "requests", 12, "k")).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.billed(&purchase.license).await, [billed("09", "requests", "12")]);
}

#[tokio::test]
async fn a_listing_can_disable_records_of_zero() {
    let mut listing = Listing::parse(include_str!("../../../listings/demo-subscription.toml")).unwrap();
    listing.zero_records = false;
    let quiet = sandbox::DescribedListing { file: "quiet".to_owned(), listing };
    let world = TestEnvironment::with(|options| options.listings = sandbox::Listings::These(vec![quiet])).await;
    let purchase = world.buy("quiet", json!({})).await;
    accepted(&world, usage(&world, &purchase, "requests", 12, "k")).await;
    world.advance(minutes(180)).await;
    assert_eq!(world.records(&purchase.license).await.len(), 1);
}

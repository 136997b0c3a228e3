//! Usage that becomes a bill, under faults, repeats, late reports and changes of the agreement.

use clock::Clock;
use domain::listing::Stage;
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::Metric;
use local_aws::{StartOfPurchaseHour, UsageOutsideLicense};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Makes an environment at 09:20 with an active buyer of the demo subscription.
async fn subscribed() -> (TestEnvironment, TestPurchase) {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    (world, purchase)
}

fn usage_at(purchase: &TestPurchase, quantity: impl Into<Value>, key: &str, time: Timestamp) -> Value {
    json!({
        "license": purchase.license, "dimension": "requests", "quantity": quantity.into(), "key": key,
        "time": time.to_string(),
    })
}

fn usage(world: &TestEnvironment, purchase: &TestPurchase, quantity: i64, key: &str) -> Value {
    usage_at(purchase, quantity, key, world.now())
}

async fn accepted(world: &TestEnvironment, events: Value) {
    let count = events.as_array().unwrap().len();
    assert_eq!(world.report(events).await, vec!["accepted"; count]);
}

/// Advances the clock to 10:20: the hour in which the test started is summed, sent and swept.
async fn an_hour_passes(world: &TestEnvironment) {
    world.advance(minutes(60)).await;
}

fn booked(hour: &str, quantity: &str) -> (String, String, String) {
    (format!("2026-11-10T{hour}"), "requests".to_owned(), quantity.to_owned())
}

#[tokio::test]
async fn unprocessed_records_are_sent_again() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    world.fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "unprocessed" })).await;
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100")]);
    assert_eq!(world.states(&purchase.license).await, ["accepted"]);
}

#[tokio::test]
async fn one_failed_call_is_repeated() {
    for kind in ["throttle", "error500", "before", "after", "access_denied"] {
        let (world, purchase) = subscribed().await;
        accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
        world.fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": kind })).await;
        world.advance(minutes(80)).await;
        assert_eq!(world.billed(&purchase.license).await, [booked("09", "100")], "{kind}");
        assert_eq!(world.states(&purchase.license).await, ["accepted"], "{kind}");
    }
}

#[tokio::test]
async fn thirty_dimensions_in_an_hour_are_billed() {
    let mut listing =
        domain::listing::Listing::parse(include_str!("../../../listings/demo-subscription.toml")).unwrap();
    let one = listing.dimensions[0].clone();
    let keys: Vec<String> = (0..30).map(|number| format!("dimension_{number:02}")).collect();
    listing.dimensions = keys
        .iter()
        .map(|key| {
            let mut dimension = one.clone();
            dimension.key = key.parse().unwrap();
            dimension
        })
        .collect();
    let broad = sandbox::DescribedListing { file: "broad".to_owned(), listing };
    let world = TestEnvironment::with(|options| options.listings = sandbox::Listings::These(vec![broad])).await;
    let purchase = world.buy("broad", json!({})).await;
    let events = keys.iter().map(|key| {
        let mut event = usage(&world, &purchase, 1, "k");
        event["dimension"] = json!(key);
        event
    });
    accepted(&world, events.collect()).await;
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await.len(), 30);
    assert_eq!(world.total(&purchase.license).await, Decimal::from(30));
}

#[tokio::test]
async fn usage_before_and_after_a_run_of_the_reporter_is_billed_together() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "one")])).await;
    world.advance(minutes(20)).await;
    accepted(&world, json!([usage(&world, &purchase, 40, "two")])).await;
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "140")]);
}

#[tokio::test]
async fn a_booked_record_whose_write_fails_is_billed_once() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    world.advance(minutes(49)).await;
    // In the run of 10:10 the claim succeeds, and the write after AWS's answer fails.
    world.fault(json!({ "service": "dynamodb", "operation": "TransactWriteItems", "call": 3, "times": 3, "kind": "before" })).await;
    world.advance(minutes(2)).await;
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(70)).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100")]);
    assert_eq!(world.states(&purchase.license).await, ["accepted"]);
}

#[tokio::test]
async fn more_usage_than_a_query_page_is_billed() {
    let (world, purchase) = subscribed().await;
    for part in 0..20 {
        let events = (0..500).map(|number| {
            // Long keys do not make long items, but their number does.
            usage(&world, &purchase, 1, &format!("{part}-{number}"))
        });
        accepted(&world, events.collect()).await;
    }
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "10000")]);
    let pages = world.sandbox.aws().wire().calls(local_aws::Service::DynamoDb, "Query");
    let paged = pages.iter().filter(|call| call.body.get("ExclusiveStartKey").is_some()).count();
    assert!(paged > 0, "all of it was in one page, which proves nothing");
}

#[tokio::test]
async fn two_events_of_a_dimension_in_one_report_are_summed() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 10, "a"), usage(&world, &purchase, 5, "b")])).await;
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "15")]);
}

#[tokio::test]
async fn unreadable_usage_is_refused() {
    let (world, purchase) = subscribed().await;
    let good = usage(&world, &purchase, 1, "k");
    let envelopes = [
        json!({}),
        json!({ "events": [] }),
        json!({ "events": {} }),
        json!({ "events": [good.clone()], "also": 1 }),
        json!({ "events": vec![good.clone(); 501] }),
        json!([good.clone()]),
        json!("text"),
    ];
    for envelope in envelopes {
        let (status, problem) = world.api(Method::POST, "/v1/usage", Some(envelope)).await;
        assert_eq!((status, &problem["code"]), (400, &json!("body_invalid")), "{problem}");
    }
    for body in [vec![0xff, 0xfe], b"{".to_vec()] {
        let answer = world.send_raw(Method::POST, "/v1/usage", "application/json", body).await;
        assert_eq!(answer.status, 400);
    }
    // The body exceeds one megabyte.
    let long =
        json!({ "events": vec![json!({ "license": purchase.license, "key": "k".repeat(2700) }); 500] }).to_string();
    assert!(long.len() > 1_340_000, "{}", long.len());
    for (path, content_type, body) in [
        ("/v1/usage", "application/json", long.into_bytes()),
        ("/v1/usage?dry_run=true", "text/csv", vec![b'x'; 2 * 1024 * 1024]),
        ("/v1/imports", "text/csv", vec![b'x'; 1024 * 1024 + 1]),
        ("/v1/events/replay", "application/json", vec![b' '; 1024 * 1024 + 1]),
    ] {
        let answer = world.send_raw(Method::POST, path, content_type, body).await;
        let problem: Value = serde_json::from_str(&answer.page).unwrap();
        assert_eq!((answer.status, &problem["code"]), (413, &json!("body_too_large")), "{path}: {problem}");
    }
    let header = "license,dimension,quantity,time,key";
    let row = format!("{},requests,1,{},k", purchase.license, world.now());
    let files = [
        String::new(),
        header.to_owned(),
        row.clone(),
        format!("license,dimension,quantity,time\n{row}"),
        format!("{header},key\n{row},k"),
        format!("{header},also\n{row},1"),
        format!("{header}\n{row}\n\"{row}\n{row}"),
        format!("{header}\n{}", format!("{row}\n").repeat(501)),
    ];
    for file in files {
        let answer = world.send_raw(Method::POST, "/v1/usage", "text/csv", file.into_bytes()).await;
        let problem: Value = serde_json::from_str(&answer.page).unwrap();
        assert_eq!((answer.status, &problem["code"]), (400, &json!("body_invalid")), "{problem}");
    }
    let no_text = [format!("{header}\n").as_bytes(), &[0xff, 0xfe]].concat();
    let answer = world.send_raw(Method::POST, "/v1/usage", "text/csv", no_text).await;
    let problem: Value = serde_json::from_str(&answer.page).unwrap();
    assert_eq!((answer.status, &problem["code"]), (400, &json!("body_unreadable")), "{problem}");
    let results = world.results(json!([5, good, { "license": purchase.license }, null, "x"])).await;
    let statuses: Vec<&str> = results.iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["refused", "accepted", "refused", "refused", "refused"]);
    assert!(results.iter().all(|result| result["status"] == "accepted" || result["code"].is_string()));
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "1")]);
}

#[tokio::test]
async fn one_bad_record_does_not_block_the_others() {
    // A license that AWS does not know for this product, among the records of 24 good ones.
    let world = TestEnvironment::new().await;
    let mut good = Vec::new();
    for _ in 0..24 {
        good.push(world.buy("demo-subscription", json!({})).await);
    }
    let strange = TestPurchase { license: "l-00000000000000000000000000000bad".to_owned(), ..good[0].clone() };
    let arn = format!("arn:aws:license-manager::444455556666:license:{}", strange.license);
    world.send_event(&tests::license_event("Updated", &strange, &arn, "strange", world.now())).await;
    let events: Vec<Value> = good.iter().chain([&strange]).map(|buyer| usage(&world, buyer, 7, "k")).collect();
    accepted(&world, json!(events)).await;
    world.advance(minutes(80)).await;
    for buyer in &good {
        assert_eq!(world.billed(&buyer.license).await, [booked("09", "7")]);
    }
    let records = world.records(&strange.license).await;
    let used = records.iter().find(|record| record["quantity"] == "7").unwrap();
    assert_eq!(used["state"], json!({ "name": "refused", "reason": "InvalidLicenseException" }));
}

#[tokio::test]
async fn usage_of_the_last_hour_of_a_month_is_accepted_until_half_past_five() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for (reported_at, expected) in [("00:20", "accepted"), ("05:29", "accepted"), ("05:31", "refused")] {
        let world = TestEnvironment::at("2026-11-30T22:20:00Z").await;
        let purchase = world.buy("demo-subscription", json!({})).await;
        world.sandbox.set(at(&format!("2026-12-01T{reported_at}:00Z"))).await;
        let event = usage_at(&purchase, 100, "k", at("2026-11-30T23:59:59Z"));
        let result = world.results(json!([event])).await.remove(0);
        assert_eq!(result["status"], expected, "{reported_at}: {result}");
        world.sandbox.set(at("2026-12-01T07:00:00Z")).await;
        if expected == "refused" {
            assert_eq!(result["code"], "month_closed");
            assert!(world.billed(&purchase.license).await.is_empty());
        } else {
            let november = ("2026-11-30T23".to_owned(), "requests".to_owned(), "100".to_owned());
            assert_eq!(world.billed(&purchase.license).await, [november], "{reported_at}");
        }
    }
}

#[tokio::test]
async fn usage_sent_twice_is_billed_once() {
    let (world, purchase) = subscribed().await;
    let event = usage(&world, &purchase, 100, "k");
    accepted(&world, json!([event, event])).await;
    accepted(&world, json!([event])).await;
    an_hour_passes(&world).await;
    assert_eq!(world.report(json!([event])).await, ["duplicate"]);
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100")]);
}

#[tokio::test]
async fn a_correction_counts_before_the_close_and_conflicts_after() {
    let (world, purchase) = subscribed().await;
    let first = usage(&world, &purchase, 100, "k");
    let mut corrected = usage(&world, &purchase, 70, "k");
    corrected["revision"] = json!(1);
    accepted(&world, json!([first])).await;
    accepted(&world, json!([corrected])).await;
    accepted(&world, json!([first])).await;
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "70")]);
    let mut late = usage_at(&purchase, 60, "k", world.now() - minutes(60));
    late["revision"] = json!(2);
    let result = world.results(json!([late])).await.remove(0);
    assert_eq!((&result["status"], &result["code"]), (&json!("conflict"), &json!("quantity_conflict")));
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "70")]);
}

#[tokio::test]
async fn late_usage_is_carried_once() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    let late = usage(&world, &purchase, 30, "late");
    an_hour_passes(&world).await;
    // The answer is lost, and the event is sent again in the next hour.
    accepted(&world, json!([late])).await;
    an_hour_passes(&world).await;
    assert_eq!(world.report(json!([late])).await, ["duplicate"]);
    world.advance(minutes(120)).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100"), booked("10", "30")]);

    let too_old = usage_at(&purchase, 5, "old", world.now() - SignedDuration::from_hours(25));
    let result = world.results(json!([too_old])).await.remove(0);
    assert_eq!((&result["status"], &result["code"]), (&json!("refused"), &json!("too_old")));
}

#[tokio::test]
async fn usage_of_the_current_hour_is_billed_when_an_agreement_ends() {
    for end in [18, 58] {
        let (world, purchase) = subscribed().await;
        accepted(&world, json!([usage(&world, &purchase, 100, "nine")])).await;
        let late = usage(&world, &purchase, 7, "late");
        // At 10:16 the hour before is billed. Late usage for it follows, and usage in the running hour.
        world.advance(minutes(56)).await;
        accepted(&world, json!([late, usage(&world, &purchase, 40, "ten")])).await;
        world.advance(minutes(end - 16)).await;
        world.end(&purchase.agreement).await;
        assert_eq!(world.results(json!([usage(&world, &purchase, 1, "after")])).await[0]["code"], "license_ended");
        world.advance(minutes(10)).await;
        assert_eq!(world.billed(&purchase.license).await, [booked("09", "100"), booked("10", "47")], "end at :{end}");
        world.advance(minutes(55)).await;
        assert_eq!(world.license(&purchase.license).await["state"], "ended");
        assert!(world.event_types(&purchase.license).await.contains(&"license.ended".to_owned()));
        assert_eq!(world.total(&purchase.license).await, Decimal::from(147), "end at :{end}");
    }
}

#[tokio::test]
async fn usage_of_the_current_hour_is_billed_when_a_legacy_buyer_unsubscribes() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    world.advance(minutes(10)).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(10)).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100")]);
}

#[tokio::test]
async fn an_hour_without_usage_is_a_record_of_zero() {
    let (world, purchase) = subscribed().await;
    let contract = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.advance(minutes(120)).await;
    let bill = world.control(Method::GET, "/sandbox/bill", Value::Null).await;
    let zeros: Vec<&Value> =
        bill["records"].as_array().unwrap().iter().filter(|r| r["license"] == purchase.license.as_str()).collect();
    assert_eq!(zeros.len(), 4, "two hours of two dimensions: {bill}");
    assert!(zeros.iter().all(|record| record["quantity"] == "0"));
    assert!(world.records(&contract.license).await.is_empty());
}

#[tokio::test]
async fn usage_of_two_licenses_of_one_account_is_billed_separately() {
    let (world, one) = subscribed().await;
    let other = world.buy_as(json!({ "product": "demo-subscription", "account": one.account })).await;
    accepted(&world, json!([usage(&world, &one, 100, "k"), usage(&world, &other, 40, "k")])).await;
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&one.license).await, [booked("09", "100")]);
    assert_eq!(world.billed(&other.license).await, [booked("09", "40")]);
}

#[tokio::test]
async fn two_events_in_one_second_are_both_billed() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "a")])).await;
    accepted(&world, json!([usage(&world, &purchase, 40, "b")])).await;
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "140")]);
}

#[tokio::test]
async fn the_smallest_and_the_largest_quantity_are_billed() {
    let (world, purchase) = subscribed().await;
    let other = world.buy("demo-subscription", json!({})).await;
    let event = |buyer: &TestPurchase, quantity: Value, key: &str| usage_at(buyer, quantity, key, world.now());
    let statuses = world
        .report(json!([
            event(&purchase, json!(0.000001), "small"),
            event(&other, json!(2147483647), "large"),
            event(&purchase, json!(-1), "negative"),
            event(&purchase, json!("NaN"), "nan"),
            event(&purchase, json!(0.0000001), "places"),
            event(&purchase, json!(2147483648_u64), "beyond"),
        ]))
        .await;
    assert_eq!(statuses, ["accepted", "accepted", "refused", "refused", "refused", "refused"]);
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "0.000001")]);
    assert_eq!(world.billed(&other.license).await, [booked("09", "2147483647")]);
}

#[tokio::test]
async fn usage_beyond_the_largest_record_is_carried() {
    let (world, purchase) = subscribed().await;
    let events = json!([usage(&world, &purchase, 2147483647, "a"), usage(&world, &purchase, 5, "b")]);
    accepted(&world, events).await;
    world.advance(minutes(130)).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "2147483647"), booked("10", "5")]);
}

#[tokio::test]
async fn usage_beyond_a_record_of_a_never_active_license_is_reported() {
    let world = TestEnvironment::new().await;
    world.deliver(json!({ "hold": true })).await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.register(&purchase.token, "kim@example.com").await;
    assert_eq!(world.license(&purchase.license).await["state"], "pending");
    let events = json!([usage(&world, &purchase, 2147483647, "a"), usage(&world, &purchase, 4, "b")]);
    accepted(&world, events).await;
    world.advance(minutes(26 * 60)).await;
    let (_, problems) = world.api(Method::GET, "/v1/usage/problems", None).await;
    let named = problems["problems"].as_array().unwrap().iter();
    let named: Vec<(&str, &str)> =
        named.map(|problem| (problem["kind"].as_str().unwrap(), problem["quantity"].as_str().unwrap())).collect();
    assert_eq!(named, [("expired", "2147483647"), ("uncarried", "4")], "{problems}");
    assert!(world.billed(&purchase.license).await.is_empty());
}

#[tokio::test]
async fn only_the_stack_of_the_listing_meters() {
    let world = TestEnvironment::with(|options| options.stages = vec![Stage::Staging, Stage::Production]).await;
    let staging = world.buy("demo-subscription", json!({})).await;
    let production = world.buy("demo-production", json!({})).await;
    accepted(&world, json!([usage(&world, &staging, 100, "k")])).await;
    let elsewhere = world.results(json!([usage(&world, &production, 40, "k")])).await.remove(0);
    assert_eq!(elsewhere["code"], "license_unknown");
    an_hour_passes(&world).await;
    assert_eq!(world.billed(&staging.license).await, [booked("09", "100")]);
    let bill = world.control(Method::GET, "/sandbox/bill", Value::Null).await;
    let hours: Vec<&Value> =
        bill["records"].as_array().unwrap().iter().filter(|r| r["license"] == staging.license.as_str()).collect();
    assert_eq!(hours.len(), 2, "once for each dimension: {bill}");
}

#[tokio::test]
async fn a_duplicate_after_a_lost_answer_counts_as_sent() {
    for answer in ["success", "duplicate_record"] {
        let (world, purchase) = subscribed().await;
        world.control(Method::POST, "/sandbox/behavior", json!({ "identical_repeat": answer })).await;
        accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
        world.fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "after" })).await;
        world.advance(minutes(80)).await;
        assert_eq!(world.billed(&purchase.license).await, [booked("09", "100")], "{answer}");
        let used: Vec<Value> =
            world.records(&purchase.license).await.into_iter().filter(|r| r["quantity"] == "100").collect();
        let by = if answer == "success" { "success" } else { "duplicate" };
        assert_eq!((&used[0]["state"]["name"], &used[0]["state"]["by"]), (&json!("accepted"), &json!(by)));
        assert_eq!(used[0]["attempts"], 2);
    }
}

/// Books usage in AWS without Stallkeeper, with a direct call.
pub(crate) async fn book_from_another_system(
    world: &TestEnvironment,
    purchase: &TestPurchase,
    quantity: i64,
    at: Timestamp,
) {
    let record = json!({
        "Timestamp": at.as_second(), "Dimension": "requests", "Quantity": quantity,
        "CustomerAWSAccountId": purchase.account,
        "LicenseArn": format!("arn:aws:license-manager::444455556666:license:{}", purchase.license),
    });
    let answer = reqwest::Client::new()
        .post(world.sandbox.aws_url())
        .header("x-amz-target", "AWSMPMeteringService.BatchMeterUsage")
        .header("content-type", "application/x-amz-json-1.1")
        .body(json!({ "UsageRecords": [record] }).to_string())
        .send()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(answer["Results"][0]["Status"], "Success", "{answer}");
}

#[tokio::test]
async fn a_duplicate_on_a_first_attempt_is_a_conflict() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    book_from_another_system(&world, &purchase, 3, world.now()).await;
    an_hour_passes(&world).await;
    assert_eq!(world.states(&purchase.license).await, ["conflict"]);
    assert_eq!(world.counted(Metric::RecordsConflict), 1);
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "3")]);
}

#[tokio::test]
async fn a_record_is_unconfirmed_if_its_window_closes_after_a_lost_answer() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    world.fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "after" })).await;
    world
        .fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "throttle", "times": 1000 }))
        .await;
    world.advance(SignedDuration::from_hours(26)).await;
    assert_eq!(world.states(&purchase.license).await, ["unconfirmed"]);
    assert!(world.counted(Metric::RecordsUnconfirmed) > 0 && world.counted(Metric::MeteringThrottles) > 0);
}

#[tokio::test]
async fn a_record_outside_the_window_expires_alone() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    world
        .fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "throttle", "times": 1000 }))
        .await;
    world.advance(SignedDuration::from_hours(23)).await;
    accepted(&world, json!([usage(&world, &purchase, 40, "next day")])).await;
    world.advance(minutes(120)).await;
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.states(&purchase.license).await, ["accepted", "expired"]);
    assert!(world.counted(Metric::RecordsExpired) > 0, "alarmed");
    assert_eq!(world.total(&purchase.license).await, Decimal::from(40));
}

#[tokio::test]
async fn no_usage_is_lost_while_metering_is_paused_for_an_operator() {
    for kind in ["access_denied", "disabled_api"] {
        let (world, purchase) = subscribed().await;
        let other = world.buy("demo-consumption", json!({ "events_included": 5 })).await;
        accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
        let mut extra = usage(&world, &other, 14, "k");
        extra["dimension"] = json!("events_extra");
        accepted(&world, json!([extra])).await;
        let fault = json!({
            "service": "metering", "operation": "BatchMeterUsage", "kind": kind, "times": 1000,
            "product": purchase.product,
        });
        world.fault(fault).await;
        world.advance(minutes(90)).await;
        assert_eq!(world.states(&purchase.license).await, ["sealed"], "{kind}");
        assert_eq!(
            world.total(&other.license).await,
            Decimal::from(9),
            "the other product is unhindered: 5 of 14 are included"
        );
        world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
        world.advance(minutes(60)).await;
        assert_eq!(world.billed(&purchase.license).await, [booked("09", "100")], "{kind}");
    }
}

#[tokio::test]
async fn a_pause_ends_once_aws_answers_for_a_record_even_if_it_rejects_it() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    let fault = json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "disabled_api", "times": 1000 });
    world.fault(fault).await;
    world.advance(minutes(70)).await;
    assert_eq!(world.measured(Metric::Paused), Some(1));
    world.end(&purchase.agreement).await;
    world.advance(minutes(70)).await;
    assert_eq!(world.measured(Metric::Paused), Some(1), "its final hour passed meanwhile");
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(20)).await;
    assert!(world.states(&purchase.license).await.iter().all(|state| state == "refused"));
    assert_eq!(world.measured(Metric::Paused), Some(0), "the next buyer's usage need not wait");
}

#[tokio::test]
async fn records_of_an_unpublished_dimension_wait() {
    let (world, purchase) = subscribed().await;
    let mut storage = usage(&world, &purchase, 8, "k");
    storage["dimension"] = json!("storage_gb");
    accepted(&world, json!([usage(&world, &purchase, 100, "k"), storage])).await;
    let publish =
        |published: bool| json!({ "product": "demo-subscription", "dimension": "requests", "published": published });
    world.control(Method::POST, "/sandbox/dimensions", publish(false)).await;
    world.advance(minutes(90)).await;
    let billed = world.billed(&purchase.license).await;
    assert_eq!(billed.len(), 1, "{billed:?}");
    assert_eq!(billed[0].1, "storage_gb");
    assert_eq!(world.measured(Metric::Paused), Some(1), "alarmed");
    world.control(Method::POST, "/sandbox/dimensions", publish(true)).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.total(&purchase.license).await, Decimal::from(108));
    assert!(world.states(&purchase.license).await.iter().all(|state| state == "accepted"));
}

#[tokio::test]
async fn usage_before_and_after_resubscribing_within_an_hour_is_billed_once() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    accepted(&world, json!([usage(&world, &purchase, 100, "before")])).await;
    world.advance(minutes(5)).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(5)).await;
    assert_eq!(world.total(&purchase.license).await, Decimal::from(100), "flushed");
    let again = world.buy_as(json!({ "product": "demo-legacy", "account": purchase.account })).await;
    assert_eq!(again.license, purchase.license);
    world.advance(minutes(2)).await;
    accepted(&world, json!([usage(&world, &purchase, 40, "after")])).await;
    world.advance(minutes(120)).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("09", "100"), booked("10", "40")]);
}

#[tokio::test]
async fn usage_before_the_license_is_active_is_billed_in_its_first_hour() {
    let world = TestEnvironment::with(|options| {
        options.clock = Clock::fixed_at("2026-11-10T09:58:00Z".parse().unwrap());
        options.delays.provision = minutes(5);
    })
    .await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    world.post_token(&purchase.token).await;
    accepted(&world, json!([usage(&world, &purchase, 100, "early")])).await;
    world.advance(minutes(6)).await;
    accepted(&world, json!([usage(&world, &purchase, 40, "active")])).await;
    world.advance(minutes(120)).await;
    assert_eq!(world.billed(&purchase.license).await, [booked("10", "140")]);
    let folded = world.records(&purchase.license).await;
    assert!(folded.iter().any(|record| record["state"]["name"] == "folded" && record["hour"] == "2026-11-10T09"));
}

/// The AWS documentation leaves open whether AWS accepts a record whose timestamp is the start of the hour of the
/// purchase.
#[tokio::test]
async fn usage_of_the_hour_of_the_purchase_is_billed_once_whichever_records_aws_accepts() {
    use StartOfPurchaseHour::{Accepted, OutsideLicense};
    use UsageOutsideLicense::{CustomerNotSubscribed, InvalidLicense};
    let behavior =
        [(OutsideLicense, CustomerNotSubscribed), (OutsideLicense, InvalidLicense), (Accepted, CustomerNotSubscribed)];
    // The license is ready in the hour of the purchase, or in the next.
    let times = [("2026-11-10T09:20:30Z", "09"), ("2026-11-10T09:58:30Z", "10")];
    for ((start_of_purchase_hour, usage_outside_license), (purchased, billed)) in
        behavior.into_iter().flat_map(|behavior| times.map(|times| (behavior, times)))
    {
        let world = TestEnvironment::with(|options| {
            options.clock = Clock::fixed_at(purchased.parse().unwrap());
            options.delays.provision = minutes(5);
            options.behavior.start_of_purchase_hour = start_of_purchase_hour;
            options.behavior.usage_outside_license = usage_outside_license;
        })
        .await;
        let case = format!("{start_of_purchase_hour:?}, {usage_outside_license:?}, purchased at {purchased}");
        let purchases = [world.buy("demo-subscription", json!({})).await, world.buy("demo-legacy", json!({})).await];
        for purchase in &purchases {
            world.post_token(&purchase.token).await;
            accepted(&world, json!([usage(&world, purchase, 100, "before it is ready")])).await;
        }
        world.advance(minutes(6)).await;
        for purchase in &purchases {
            accepted(&world, json!([usage(&world, purchase, 40, "after it is ready")])).await;
        }
        world.advance(minutes(80)).await;
        for purchase in &purchases {
            assert_eq!(world.billed(&purchase.license).await, [booked(billed, "140")], "{}: {case}", purchase.product);
        }
    }
}

#[tokio::test]
async fn no_record_names_the_product_or_an_empty_customer() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    an_hour_passes(&world).await;
    let calls = world.sandbox.aws().wire().calls(local_aws::Service::Metering, "BatchMeterUsage");
    assert!(!calls.is_empty());
    for call in calls {
        assert!(call.body.get("ProductCode").is_none(), "{}", call.body);
        for record in call.body["UsageRecords"].as_array().unwrap() {
            assert!(record.get("CustomerIdentifier").is_none(), "{record}");
            assert!(record["LicenseArn"].as_str().unwrap().starts_with("arn:aws:license-manager::"));
        }
    }
}

#[tokio::test]
async fn usage_before_a_late_activation_event_is_billed() {
    let world = TestEnvironment::with(|options| {
        options.clock = Clock::fixed_at("2026-11-10T08:30:00Z".parse().unwrap());
        options.delays.provision = minutes(80);
    })
    .await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    world.post_token(&purchase.token).await;
    accepted(&world, json!([usage(&world, &purchase, 100, "early")])).await;
    // AWS activates the license at 09:50. The queue delivers the event at 10:17, when hour 09 is summed and swept.
    world.advance(minutes(79)).await;
    world.deliver(json!({ "hold": true })).await;
    world.advance(minutes(28)).await;
    world.deliver(json!({ "release": true })).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    world.advance(minutes(70)).await;
    assert_eq!(
        world.total(&purchase.license).await,
        Decimal::from(100),
        "{:?}",
        world.records(&purchase.license).await
    );
}

#[tokio::test]
async fn at_the_end_of_a_month_a_flush_bills_late_usage_in_the_old_month() {
    let world = TestEnvironment::at("2026-11-30T22:20:00Z").await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let late = usage(&world, &purchase, 7, "late");
    accepted(&world, json!([usage(&world, &purchase, 100, "in time")])).await;
    // At 00:08 on the 1st, hour 22 is billed and hour 23 is still open.
    world.advance(minutes(108)).await;
    accepted(&world, json!([late])).await;
    world.advance(minutes(1)).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(40)).await;
    let november =
        |hour: &str, quantity: &str| (format!("2026-11-30T{hour}"), "requests".to_owned(), quantity.to_owned());
    assert_eq!(world.billed(&purchase.license).await, [november("22", "100"), november("23", "7")]);
}

#[tokio::test]
async fn a_record_rejected_alone_pauses_no_other() {
    let (world, good) = subscribed().await;
    let strange = TestPurchase { license: "l-00000000000000000000000000000bad".to_owned(), ..good.clone() };
    let arn = format!("arn:aws:license-manager::444455556666:license:{}", strange.license);
    world.send_event(&tests::license_event("Updated", &strange, &arn, "strange", world.now())).await;
    accepted(&world, json!([usage(&world, &strange, 7, "k")])).await;
    // The license ends and is flushed alone. The other license's hour follows later.
    let gone = tests::license_event("Deprovisioned", &strange, &arn, "gone", world.now());
    world.send_event(&gone).await;
    world.advance(minutes(15)).await;
    assert_eq!(world.states(&strange.license).await, ["sealed"]);
    accepted(&world, json!([usage(&world, &good, 100, "k")])).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.billed(&good.license).await, [booked("09", "100")]);
    assert_eq!(world.states(&strange.license).await, ["refused"]);
}

#[tokio::test]
async fn halves_of_a_rejected_call_do_not_count_as_unanswered() {
    let (world, one) = subscribed().await;
    let other = world.buy("demo-subscription", json!({})).await;
    let publish =
        |published: bool| json!({ "product": "demo-subscription", "dimension": "requests", "published": published });
    accepted(&world, json!([usage(&world, &one, 100, "k"), usage(&world, &other, 40, "k")])).await;
    world.control(Method::POST, "/sandbox/dimensions", publish(false)).await;
    world.advance(minutes(60)).await;
    world.control(Method::POST, "/sandbox/dimensions", publish(true)).await;
    // Another system books the same hour in the meantime, which is a conflict and not an answer to Stallkeeper's call.
    let hour = world.now() - minutes(60);
    for (buyer, quantity) in [(&one, 3), (&other, 4)] {
        book_from_another_system(&world, buyer, quantity, hour).await;
    }
    world.advance(minutes(60)).await;
    assert_eq!(world.states(&one.license).await, ["conflict"]);
    assert_eq!(world.states(&other.license).await, ["conflict"]);
}

#[tokio::test]
async fn key_conditions_have_no_empty_strings() {
    let (world, purchase) = subscribed().await;
    accepted(&world, json!([usage(&world, &purchase, 100, "k")])).await;
    an_hour_passes(&world).await;
    world.records(&purchase.license).await;
    let queries = world.sandbox.aws().wire().calls(local_aws::Service::DynamoDb, "Query");
    assert!(!queries.is_empty());
    for query in queries {
        // The embedded store accepts them, whereas DynamoDB answers with a ValidationException.
        let values = query.body["ExpressionAttributeValues"].as_object().unwrap();
        assert!(values.values().all(|value| value["S"] != ""), "{}", query.body);
    }
}

#[tokio::test]
async fn late_usage_of_an_hour_without_a_record_is_billed_after_its_window() {
    let mut listing =
        domain::listing::Listing::parse(include_str!("../../../listings/demo-subscription.toml")).unwrap();
    listing.zero_records = false;
    let quiet = sandbox::DescribedListing { file: "quiet".to_owned(), listing };
    let world = TestEnvironment::with(|options| options.listings = sandbox::Listings::These(vec![quiet])).await;
    let purchase = world.buy("quiet", json!({})).await;
    world.advance(minutes(24 * 60)).await;
    // At 09:20 AWS accepts no more records for the hour from 09:00 of the day before.
    let event = usage_at(&purchase, 100, "k", "2026-11-10T09:40:00Z".parse().unwrap());
    accepted(&world, json!([event])).await;
    world.advance(minutes(80)).await;
    let running = ("2026-11-11T09".to_owned(), "requests".to_owned(), "100".to_owned());
    assert_eq!(world.billed(&purchase.license).await, [running]);
}

#[tokio::test]
async fn a_repeat_of_an_event_written_without_its_marker_is_billed() {
    let (world, purchase) = subscribed().await;
    world.advance(minutes(44)).await;
    // At 10:04 the marker, which sorts first, stays unprocessed until intake gives up, and the event is written.
    let fault = json!({
        "service": "dynamodb", "operation": "BatchWriteItem", "kind": "unprocessed", "records": 1, "times": 5,
    });
    world.fault(fault).await;
    let event = usage_at(&purchase, 100, "k", "2026-11-10T09:30:00Z".parse().unwrap());
    assert_eq!(world.report(json!([event])).await, ["retry"]);
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
    world.advance(minutes(2)).await;
    assert_eq!(world.report(json!([event])).await, ["duplicate"]);
    world.advance(minutes(120)).await;
    assert_eq!(world.total(&purchase.license).await, Decimal::from(100));
}

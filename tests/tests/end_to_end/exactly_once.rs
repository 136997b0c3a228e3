//! Usage that is billed exactly once when an answer is late, a key is used twice, or AWS answers in the last minute.

use jiff::{SignedDuration, Timestamp};
use lambda::metrics::Metric;
use local_aws::LicenseArnForm;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

use crate::existing_customers::usage;
use crate::restore::report_to_new_instance;
use crate::usage_becomes_a_bill::book_from_another_system;

fn at(time: &str) -> Timestamp {
    format!("2026-{time}Z").parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

async fn subscriber(world: &TestEnvironment) -> TestPurchase {
    let purchase = world.buy("demo-subscription", json!({})).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    purchase
}

async fn bookings_fail(world: &TestEnvironment, kind: &str) {
    let fault = json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": kind, "times": 1_000_000 });
    world.fault(fault).await;
}

async fn clear_faults(world: &TestEnvironment) {
    world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
}

async fn problems(world: &TestEnvironment, kind: &str) -> Vec<Value> {
    let (status, listed) = world.api(Method::GET, &format!("/v1/usage/problems?kind={kind}"), None).await;
    assert_eq!(status, 200, "{listed}");
    listed["problems"].as_array().unwrap().clone()
}

#[tokio::test]
async fn accepted_usage_stays_a_duplicate_after_a_day_and_after_its_month() {
    let world = TestEnvironment::at("2026-11-30T09:20:00Z").await;
    let license = subscriber(&world).await.license;
    let (early, time) = (world.now(), at("11-30T20:10:00"));
    assert_eq!(world.report(json!([usage(&license, 5, "early", early)])).await, ["accepted"]);
    world.sandbox.set(time).await;
    assert_eq!(world.report(json!([usage(&license, 7, "k", time)])).await, ["accepted"]);
    for now in ["12-01T05:31:00", "12-01T20:15:00"] {
        world.sandbox.set(at(now)).await;
        let results = world
            .results(json!([
                usage(&license, 7, "k", time),
                usage(&license, 8, "k", time),
                usage(&license, 7, "never sent", time),
                usage(&license, 5, "early", early),
            ]))
            .await;
        let statuses: Vec<&Value> = results.iter().map(|result| &result["status"]).collect();
        assert_eq!(statuses, ["duplicate", "conflict", "refused", "duplicate"], "{now}: {results:?}");
        assert_eq!(results[2]["code"], "month_closed");
    }
    assert_eq!(world.total(&license).await, Decimal::from(5 + 7));
}

#[tokio::test]
async fn usage_is_not_refused_while_an_earlier_attempt_may_be_in_progress() {
    let world = TestEnvironment::new().await;
    let license = subscriber(&world).await;
    let time = world.now();
    world.sandbox.set(at("11-11T09:20:30")).await;
    let young = world.results(json!([usage(&license.license, 1, "k", time)])).await;
    assert_eq!((&young[0]["status"], &young[0]["code"]), (&json!("retry"), &json!("too_old")), "{young:?}");
    world.sandbox.set(at("11-11T09:21:00")).await;
    let old = world.results(json!([usage(&license.license, 1, "k", time)])).await;
    assert_eq!((&old[0]["status"], &old[0]["code"]), (&json!("refused"), &json!("too_old")), "{old:?}");

    // No instance remembers the license any more.
    world.advance(minutes(2)).await;
    world.end(&license.agreement).await;
    let ended_at = world.now();
    for (after, status) in [(0, "retry"), (2, "retry"), (3, "refused")] {
        world.sandbox.set(ended_at + minutes(after)).await;
        let result = world.results(json!([usage(&license.license, 1, "after", ended_at)])).await.remove(0);
        assert_eq!((&result["status"], &result["code"]), (&json!(status), &json!("license_ended")), "{result}");
    }
}

#[tokio::test]
async fn usage_from_the_last_minute_of_a_month_is_billed_by_the_deployed_schedule() {
    for kind in ["throttle", "access_denied", "error500"] {
        let world = TestEnvironment::at("2026-11-30T22:20:00Z").await;
        let license = subscriber(&world).await.license;
        let time = at("11-30T23:59:59");
        world.sandbox.set(at("12-01T00:20:00")).await;
        assert_eq!(world.report(json!([usage(&license, 100, "k", time)])).await, ["accepted"]);
        bookings_fail(&world, kind).await;
        world.sandbox.set(at("12-01T05:59:00")).await;
        clear_faults(&world).await;
        world.sandbox.set(at("12-01T06:30:00")).await;
        let november = ("2026-11-30T23".to_owned(), "requests".to_owned(), "100".to_owned());
        assert_eq!(world.billed(&license).await, [november], "{kind}");
        assert_eq!(world.states(&license).await, ["accepted"], "{kind}");
    }
}

#[tokio::test]
async fn usage_from_the_last_minute_of_a_final_hour_or_day_is_billed() {
    let world = TestEnvironment::new().await;
    let purchase = subscriber(&world).await;
    assert_eq!(world.report(json!([usage(&purchase.license, 9, "k", world.now())])).await, ["accepted"]);
    world.sandbox.set(at("11-10T09:31:00")).await;
    bookings_fail(&world, "throttle").await;
    world.end(&purchase.agreement).await;
    world.sandbox.set(at("11-10T10:30:00")).await;
    clear_faults(&world).await;
    world.sandbox.set(at("11-10T10:40:00")).await;
    assert_eq!(world.total(&purchase.license).await, Decimal::from(9), "the final hour ends at 10:31");

    let world = TestEnvironment::new().await;
    let license = subscriber(&world).await.license;
    assert_eq!(world.report(json!([usage(&license, 9, "k", world.now())])).await, ["accepted"]);
    bookings_fail(&world, "access_denied").await;
    world.sandbox.set(at("11-11T09:19:00")).await;
    clear_faults(&world).await;
    world.sandbox.set(at("11-11T10:00:00")).await;
    let used = world.billed(&license).await;
    assert_eq!(used, [("2026-11-10T09".to_owned(), "requests".to_owned(), "9".to_owned())], "a day ends at 09:20");
}

#[tokio::test]
async fn conflicting_contents_of_one_key_and_revision_count_as_first_accepted_and_are_both_listed() {
    let world = TestEnvironment::new().await;
    let license = subscriber(&world).await.license;
    let time = world.now();
    for quantity in [10, 12, 10] {
        assert_eq!(world.report(json!([usage(&license, quantity, "k", time)])).await, ["accepted"]);
        world.advance(minutes(1)).await;
    }
    let both = world.results(json!([usage(&license, 3, "twice", time), usage(&license, 4, "twice", time)])).await;
    assert_eq!((&both[0]["status"], &both[1]["code"]), (&json!("accepted"), &json!("revision_conflict")));
    world.advance(minutes(70)).await;
    assert_eq!(world.total(&license).await, Decimal::from(10 + 3));
    let listed = problems(&world, "key_reused").await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let contents = listed[0]["reported"]["contents"].as_array().unwrap();
    let quantities: Vec<&Value> = contents.iter().map(|content| &content["quantity"]).collect();
    assert_eq!(quantities, ["10", "12"], "{listed:?}");
    assert_eq!(listed[0]["requeue"], false);
    // The answer to a late repeat depends on the content that counts.
    assert_eq!(world.report(json!([usage(&license, 10, "k", time)])).await, ["duplicate"]);
    assert_eq!(world.report(json!([usage(&license, 12, "k", time)])).await, ["conflict"]);
}

#[tokio::test]
async fn late_usage_counts_before_another_content_that_an_instance_with_an_old_cache_accepts() {
    let world = TestEnvironment::at("2026-11-10T09:50:00Z").await;
    let TestPurchase { license, agreement, account, .. } = world.buy("demo-legacy", json!({})).await;
    let time = world.now();
    world.advance(minutes(1)).await;
    world.deliver(json!({ "hold": true })).await;
    world.end(&agreement).await;
    world.advance(minutes(4)).await;
    // From here on this instance takes the license for active, for a minute.
    assert_eq!(world.report(json!([usage(&license, 1, "other", time)])).await, ["accepted"]);
    // The ending closes the hour, and the buyer subscribes again at once.
    world.deliver(json!({ "release": true })).await;
    world.buy_as(json!({ "product": "demo-legacy", "account": account })).await;
    assert_eq!(world.license(&license).await["state"], "active");
    assert_eq!(report_to_new_instance(&world, json!([usage(&license, 10, "k", time)])).await, ["accepted"]);
    assert_eq!(world.report(json!([usage(&license, 12, "k", time)])).await, ["accepted"]);
    assert_eq!(report_to_new_instance(&world, json!([usage(&license, 10, "k", time)])).await, ["duplicate"]);
    world.advance(minutes(70)).await;
    assert_eq!(world.total(&license).await, Decimal::from(1 + 10));
    let listed = problems(&world, "key_reused").await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let contents = listed[0]["reported"]["contents"].as_array().unwrap();
    let quantities: Vec<&Value> = contents.iter().map(|content| &content["quantity"]).collect();
    assert_eq!(quantities, ["10", "12"], "{listed:?}");
}

#[tokio::test]
async fn a_duplicate_after_a_lost_answer_is_a_problem_only_if_another_system_books_the_product() {
    let world = TestEnvironment::new().await;
    world.control(Method::POST, "/sandbox/behavior", json!({ "identical_repeat": "duplicate_record" })).await;
    let purchase = subscriber(&world).await;
    let other = subscriber(&world).await;
    assert_eq!(world.report(json!([usage(&purchase.license, 100, "k", world.now())])).await, ["accepted"]);
    world.fault(json!({ "service": "metering", "operation": "BatchMeterUsage", "kind": "after" })).await;
    world.advance(minutes(80)).await;
    let (_, unverified) = world.api(Method::GET, "/v1/usage/unverified", None).await;
    let records = unverified["records"].as_array().unwrap();
    let used: Vec<&Value> = records.iter().filter(|record| record["quantity"] == "100").collect();
    assert_eq!((used.len(), &used[0]["unverified"]), (1, &json!(true)), "{unverified}");
    assert_eq!(used[0]["state"]["name"], "accepted");
    assert_eq!(problems(&world, "unverified").await, Vec::<Value>::new(), "nothing else meters the product");
    assert_eq!(world.counted(Metric::RecordsConflict), 0);

    book_from_another_system(&world, &other, 3, world.now()).await;
    assert_eq!(world.report(json!([usage(&other.license, 4, "k", world.now())])).await, ["accepted"]);
    world.advance(minutes(80)).await;
    let listed = problems(&world, "unverified").await;
    assert!(listed.iter().any(|problem| problem["quantity"] == "100"), "{listed:?}");
    assert!(listed.iter().all(|problem| problem["requeue"] == false));
}

#[tokio::test]
async fn a_renewal_with_an_arn_in_the_documented_form_is_billed() {
    let world = TestEnvironment::with(|options| options.behavior.license_arn = LicenseArnForm::Documented).await;
    let purchase = subscriber(&world).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    world.advance(minutes(10)).await;
    let renewed = world.change(&purchase.agreement, json!({ "action": "replace", "new_license": true })).await;
    world.advance(minutes(5)).await;
    let license = renewed["license"].as_str().unwrap();
    assert_ne!(license, purchase.license);
    assert_eq!(world.report(json!([usage(license, 8, "k", world.now())])).await, ["accepted"]);
    world.advance(minutes(80)).await;
    assert_eq!(world.total(license).await, Decimal::from(8));
    assert_eq!(problems(&world, "held").await, Vec::<Value>::new());
}

#[tokio::test]
async fn usage_beyond_the_largest_quantity_in_a_final_hour_is_reported_and_not_sent_after_the_end() {
    let world = TestEnvironment::new().await;
    let purchase = subscriber(&world).await;
    world.advance(minutes(60)).await;
    let (license, time) = (purchase.license.as_str(), world.now());
    let largest = 2_147_483_647_i64;
    let events = json!([usage(license, largest, "a", time), usage(license, 5, "b", time)]);
    assert_eq!(world.report(events).await, ["accepted", "accepted"]);
    world.end(&purchase.agreement).await;
    world.advance(minutes(120)).await;
    assert_eq!(world.total(license).await, Decimal::from(largest));
    assert_eq!(problems(&world, "refused").await, Vec::<Value>::new());
    let uncarried = problems(&world, "uncarried").await;
    assert_eq!((uncarried.len(), &uncarried[0]["quantity"]), (1, &json!("5")), "{uncarried:?}");
}

#[tokio::test]
async fn usage_after_resubscribing_in_the_last_hour_of_a_month_is_refused_with_a_reason() {
    let world = TestEnvironment::at("2026-11-30T21:20:00Z").await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.sandbox.set(at("11-30T23:10:00")).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(10)).await;
    let again = world.buy_as(json!({ "product": "demo-legacy", "account": purchase.account })).await;
    assert_eq!(world.license(&again.license).await["state"], "active");
    let refused = world.results(json!([usage(&again.license, 1, "k", world.now())])).await;
    assert_eq!((&refused[0]["status"], &refused[0]["code"]), (&json!("refused"), &json!("hour_closed")));
}

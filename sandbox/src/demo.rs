//! The demo: the actions of a buyer, AWS and the seller's application with Stallkeeper, one line per step, each step
//! checked.
//!
//! Everything goes over HTTP and AWS's wire protocols: the registration URL, AWS's event bus, the application's signed
//! calls. Only time is simulated: the clock does not tick, and the demo moves it.

mod moving;
mod phases;
mod steps;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use local_aws::Delays;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use terminal::say;

use crate::test_client::{TestClient, text};
use crate::{Options, Sandbox};
use steps::{Demo, Steps};

/// The time at which the demo starts.
const START: &str = "2026-11-10T09:20:00Z";

/// Runs the demo, and fails at the first step with an unexpected result.
///
/// # Errors
///
/// Fails with the first failed step and the answer that it got.
pub async fn run() -> Result<()> {
    let began = Instant::now();
    let start: Timestamp = START.parse()?;
    let options = Options { clock: Clock::fixed_at(start), delays: Delays::default(), ..Options::default() };
    let sandbox = Sandbox::start(options).await?;
    let client = TestClient::at(sandbox.url())?;
    let mut demo = Demo { sandbox, client, steps: Steps::default(), used: BTreeMap::new(), included: Decimal::ZERO };
    say(format_args!("Stallkeeper on one machine: API {}, AWS {}\n", demo.sandbox.url(), demo.sandbox.aws_url()))?;
    contract(&mut demo).await?;
    subscription(&mut demo).await?;
    consumption(&mut demo).await?;
    legacy(&mut demo).await?;
    moving::run(&mut demo).await?;
    phases::run(&mut demo.steps).await?;
    say(format_args!("\n{} steps succeeded in {:.1} s", demo.steps.0, began.elapsed().as_secs_f64()))?;
    demo.compare_bill().await
}

/// Runs the steps of a contract buyer, who registers before AWS has provisioned anything, changes, renews and leaves.
async fn contract(demo: &mut Demo) -> Result<()> {
    demo.section("A contract buyer")?;
    let purchase =
        demo.client.buy(json!({ "product": "demo-contract", "dimensions": { "seats": 5, "projects": 2 } })).await?;
    demo.say(format!("buys 5 seats; AWS creates agreement {}", purchase.agreement))?;

    let throttle = json!({ "service": "metering", "operation": "ResolveCustomer", "kind": "throttle" });
    demo.client.control(Method::POST, "/sandbox/faults", throttle).await?;
    let cookie = demo.post_token(&purchase.token).await?;
    demo.say("opens the registration page, although AWS throttled the first ResolveCustomer")?;

    let location = demo.submit_contact(&cookie).await?;
    let code = location.split_once("/sign-up?code=").map(|(_, code)| code.to_owned());
    let code = code.with_context(|| format!("handed on to {location}"))?;
    demo.say("enters a mail address and is redirected to the application's sign-up page with a one-time code")?;

    let (status, handoff) = demo.client.redeem("demo", &code).await?;
    ensure!(status == 200 && handoff.get("license") == Some(&json!(purchase.license)), "{status} {handoff}");
    demo.say("the application redeems the code and gets the buyer's details and the license")?;

    demo.expect_license(&purchase.license, json!({ "state": "pending", "tenant": null })).await?;
    demo.link(&purchase.license, "acme").await?;
    demo.expect_decision("acme", "seats", json!({ "allowed": false, "reason": "no_active_license" })).await?;
    demo.say("is linked to tenant acme by the application; the license is pending, so nothing is allowed yet")?;

    demo.advance(SignedDuration::from_secs(61)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "active", "tenant": "acme" })).await?;
    demo.expect_decision("acme", "seats", json!({ "allowed": true, "reason": "entitled", "held": "5" })).await?;
    demo.say("61 seconds later AWS sends License Updated: active, 5 seats allowed")?;

    let other = demo
        .client
        .buy(json!({ "product": "demo-contract", "dimensions": { "seats": 3 }, "account": purchase.account }))
        .await?;
    demo.post_token(&other.token).await?;
    demo.link(&other.license, "acme").await?;
    demo.advance(SignedDuration::from_secs(61)).await?;
    demo.expect_decision("acme", "seats", json!({ "allowed": true, "held": "8" })).await?;
    demo.say("buys a second license with 3 seats on the same account: 8 seats from two separate licenses")?;

    demo.client.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "seats": 10 } })).await?;
    demo.advance(SignedDuration::from_secs(61)).await?;
    demo.expect_decision("acme", "seats", json!({ "held": "13" })).await?;
    demo.say("amends the first agreement to 10 seats: 13 seats")?;

    let renewed = demo.client.change(&purchase.agreement, json!({ "action": "renew" })).await?;
    demo.advance(SignedDuration::from_secs(61)).await?;
    let next = text(&renewed, "agreement_id")?;
    let expected = json!({ "state": "active", "tenant": "acme", "agreement": next });
    demo.expect_license(&purchase.license, expected).await?;
    demo.say("renews: the license follows the new agreement, and the end of the old one does not affect it")?;

    demo.client.change(&next, json!({ "action": "end" })).await?;
    demo.advance(SignedDuration::from_secs(31)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "ending", "grants_access": false })).await?;
    demo.expect_decision("acme", "seats", json!({ "allowed": true, "held": "3" })).await?;
    demo.say(
        "ends it: AWS revokes the license, and the hour for the last usage starts; the second license stays active",
    )?;

    demo.advance(SignedDuration::from_mins(65)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "ended", "end_reason": "cancelled" })).await?;
    demo.expect_events(&purchase.license, &["license.linked", "license.activated", "license.ending", "license.ended"])
        .await?;
    demo.say("an hour later the license has ended; the application got an event for each change")?;
    Ok(())
}

/// Runs the steps of a subscription buyer, whose events arrive before the registration, and whose usage is billed
/// despite failures of AWS.
async fn subscription(demo: &mut Demo) -> Result<()> {
    demo.section("A subscription buyer")?;
    let purchase = demo.client.buy(json!({ "product": "demo-subscription" })).await?;
    demo.advance(SignedDuration::from_mins(5)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "active", "registered_at": null })).await?;
    demo.say("subscribes and does not register yet: AWS's events make the license active without a registration")?;

    let cookie = demo.post_token(&purchase.token).await?;
    demo.submit_contact(&cookie).await?;
    demo.link(&purchase.license, "globex").await?;
    demo.expect_license(&purchase.license, json!({ "state": "active", "tenant": "globex" })).await?;
    demo.expect_decision("globex", "requests", json!({ "allowed": true, "reason": "metered" })).await?;
    demo.say("registers later: still active, now with a tenant; usage of any amount is allowed")?;

    let (status, problem) = demo.client.link(&purchase.license, "initech").await?;
    ensure!(status == 409 && problem.get("code") == Some(&json!("license_linked_elsewhere")), "{status} {problem}");
    demo.expect_license(&purchase.license, json!({ "tenant": "globex" })).await?;
    demo.say("another tenant claims the license: 409, and the license keeps its tenant")?;

    let report = demo.uses(&purchase.license, "requests", 100).await?;
    let again = demo.client.report(json!([report])).await?;
    ensure!(again.iter().all(|result| result.get("status") == Some(&json!("accepted"))), "{again:?}");
    demo.fault("metering", "BatchMeterUsage", "throttle").await?;
    demo.advance(SignedDuration::from_mins(80)).await?;
    demo.expect_billed(&purchase.license, 100).await?;
    demo.say("uses 100 requests, reported twice by the application and throttled once by AWS: 100 billed")?;

    demo.uses(&purchase.license, "requests", 40).await?;
    demo.fault("metering", "BatchMeterUsage", "after").await?;
    demo.advance(SignedDuration::from_mins(80)).await?;
    demo.expect_billed(&purchase.license, 140).await?;
    demo.say("uses 40 more; AWS books them, but its answer is lost: sent again, billed once")?;

    demo.uses(&purchase.license, "requests", 7).await?;
    demo.uses(&purchase.license, "storage_gb", 3).await?;
    demo.client.change(&purchase.agreement, json!({ "action": "end" })).await?;
    demo.advance(SignedDuration::from_mins(15)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "ending" })).await?;
    demo.expect_billed(&purchase.license, 150).await?;
    demo.say("cancels with usage in the current hour: summed and billed within minutes")?;

    demo.advance(SignedDuration::from_mins(60)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "ended" })).await?;
    demo.expect_events(&purchase.license, &["license.linked", "license.ending", "license.ended"]).await?;
    demo.say("an hour later the license has ended, and the application got its events")?;
    Ok(())
}

/// Runs the steps of a contract buyer who uses more than the contract includes.
async fn consumption(demo: &mut Demo) -> Result<()> {
    demo.section("A buyer of a contract with consumption")?;
    let order = json!({ "product": "demo-consumption", "dimensions": { "events_included": 1000 } });
    let purchase = demo.client.buy(order).await?;
    let cookie = demo.post_token(&purchase.token).await?;
    demo.submit_contact(&cookie).await?;
    demo.link(&purchase.license, "umbrella").await?;
    demo.advance(SignedDuration::from_secs(61)).await?;
    demo.expect_decision("umbrella", "events_included", json!({ "allowed": true, "held": "1000" })).await?;
    demo.expect_decision("umbrella", "events_extra", json!({ "allowed": true, "reason": "metered" })).await?;
    demo.uses(&purchase.license, "events_extra", 1012).await?;
    demo.include_in_contract(&purchase.license, "events_extra", 1000);
    demo.advance(SignedDuration::from_mins(80)).await?;
    demo.expect_billed(&purchase.license, 12).await?;
    demo.say("holds 1000 events and uses 1012: the 12 beyond the contract are billed")?;
    Ok(())
}

/// Runs the steps of a buyer of a legacy product, whose notifications arrive over SNS.
async fn legacy(demo: &mut Demo) -> Result<()> {
    demo.section("A legacy buyer")?;
    let purchase = demo.client.buy(json!({ "product": "demo-legacy" })).await?;
    let cookie = demo.post_token(&purchase.token).await?;
    demo.submit_contact(&cookie).await?;
    demo.link(&purchase.license, "hooli").await?;
    demo.advance(SignedDuration::from_secs(61)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "active", "tenant": "hooli" })).await?;
    demo.say("subscribes and registers; subscribe-success over SNS makes the license active")?;

    demo.uses(&purchase.license, "requests", 25).await?;
    demo.advance(SignedDuration::from_mins(80)).await?;
    demo.expect_billed(&purchase.license, 25).await?;
    demo.say("uses 25 requests: billed by product code and customer identifier")?;

    demo.uses(&purchase.license, "requests", 5).await?;
    demo.client.change(&purchase.agreement, json!({ "action": "end" })).await?;
    demo.advance(SignedDuration::from_mins(10)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "ending", "grants_access": true })).await?;
    demo.expect_billed(&purchase.license, 30).await?;
    demo.say("unsubscribes: access stays for the last hour, and its usage is billed")?;

    demo.advance(SignedDuration::from_mins(62)).await?;
    demo.expect_license(&purchase.license, json!({ "state": "ended", "end_reason": "unsubscribed" })).await?;
    demo.client.control(Method::POST, "/sandbox/deliver", json!({ "redeliver": 20 })).await?;
    demo.expect_license(&purchase.license, json!({ "state": "ended" })).await?;
    demo.say("an hour later it has ended, and does not change when the queue delivers every message again")?;

    let forged = demo.client.post_token("forged").await?;
    ensure!(forged.status == 400, "a forged token was answered {forged:?}");
    let queues = demo.client.control(Method::GET, "/sandbox/queues", Value::Null).await?;
    ensure!(queues.pointer("/staging/dead_letters") == Some(&json!([])), "dead letters: {queues}");
    demo.say("a forged token gets a page with instructions; no event was lost")?;
    Ok(())
}

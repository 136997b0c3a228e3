//! The demo: the actions of a buyer, AWS and the seller's application with Stallkeeper, one line per step, each step
//! checked.
//!
//! Everything goes over HTTP and AWS's wire protocols: the registration URL, AWS's event bus, the application's signed
//! calls. Only time is simulated: the clock does not tick, and the demo moves it.

mod moving;
mod phases;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use local_aws::Delays;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use terminal::{SayError, say};

use crate::test_client::{TestClient, text};
use crate::{Options, Sandbox};

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

/// The number of steps that were printed.
#[derive(Debug, Default)]
struct Steps(usize);

impl Steps {
    fn section(&self, what: &str) -> Result<(), SayError> {
        say(what)
    }

    /// Prints and counts a step that was checked.
    fn say(&mut self, what: impl std::fmt::Display) -> Result<(), SayError> {
        self.0 += 1;
        say(format_args!("  ok  {what}"))
    }
}

/// The sandbox of the demo, and its progress.
struct Demo {
    sandbox: Sandbox,
    client: TestClient,
    steps: Steps,
    /// The used quantities as the application knows them, by license and dimension.
    used: BTreeMap<(String, String), Decimal>,
    /// The part of the usage that a contract includes, and that is not in `used`.
    included: Decimal,
}

impl Demo {
    fn section(&self, who: &str) -> Result<(), SayError> {
        self.steps.section(who)
    }

    fn say(&mut self, what: impl std::fmt::Display) -> Result<(), SayError> {
        self.steps.say(what)
    }

    async fn advance(&self, by: SignedDuration) -> Result<()> {
        self.sandbox.advance(by).await?;
        Ok(())
    }

    /// Posts the token as the browser does, and returns the session's cookie.
    async fn post_token(&self, token: &str) -> Result<String> {
        let arrived = self.client.post_token(token).await?;
        ensure!(arrived.status == 303, "the registration URL answered {arrived:?}");
        arrived.cookie.context("no session")
    }

    /// Fills in the page and submits it; returns the address to which the browser is redirected.
    async fn submit_contact(&self, cookie: &str) -> Result<String> {
        let answer = self.client.submit_contact(cookie, "buyer@example.com", "new").await?;
        ensure!(answer.status == 303, "the details were answered {answer:?}");
        answer.location.context("no redirect")
    }

    async fn link(&self, license: &str, tenant: &str) -> Result<()> {
        let (status, answer) = self.client.link(license, tenant).await?;
        ensure!(status == 200, "linking was answered {status} {answer}");
        Ok(())
    }

    /// Makes the next call of an operation fail.
    async fn fault(&self, service: &str, operation: &str, kind: &str) -> Result<()> {
        let fault = json!({ "service": service, "operation": operation, "kind": kind });
        self.client.control(Method::POST, "/sandbox/faults", fault).await?;
        Ok(())
    }

    /// Uses a quantity, and reports it as the application does. Returns the report.
    async fn uses(&mut self, license: &str, dimension: &str, quantity: i64) -> Result<Value> {
        let report = json!({
            "license": license, "dimension": dimension, "quantity": quantity,
            "time": self.sandbox.clock().now().to_string(), "key": format!("report {}", self.used.len() + self.steps.0),
        });
        let results = self.client.report(json!([report])).await?;
        let accepted = results.first().and_then(|result| result.get("status")) == Some(&json!("accepted"));
        ensure!(accepted, "usage was answered {results:?}");
        *self.used.entry((license.to_owned(), dimension.to_owned())).or_default() += Decimal::from(quantity);
        Ok(report)
    }

    /// Moves a used quantity to the part that a contract includes.
    fn include_in_contract(&mut self, license: &str, dimension: &str, quantity: i64) {
        *self.used.entry((license.to_owned(), dimension.to_owned())).or_default() -= Decimal::from(quantity);
        self.included += Decimal::from(quantity);
    }

    /// Returns the quantities that AWS has booked, by license and dimension, without those that are zero.
    async fn billed(&self) -> Result<BTreeMap<(String, String), Decimal>> {
        let mut billed: BTreeMap<(String, String), Decimal> = BTreeMap::new();
        for record in self.client.bill().await? {
            let quantity: Decimal = text(&record, "quantity")?.parse()?;
            if !quantity.is_zero() {
                *billed.entry((text(&record, "license")?, text(&record, "dimension")?)).or_default() += quantity;
            }
        }
        Ok(billed)
    }

    async fn expect_billed(&self, license: &str, expected: i64) -> Result<()> {
        let billed = self.billed().await?;
        let of_license = billed.iter().filter(|((of, _), _)| of == license);
        let sum: Decimal = of_license.map(|(_, quantity)| *quantity).sum();
        ensure!(sum == Decimal::from(expected), "AWS has booked {sum} and should have {expected}");
        Ok(())
    }

    /// Compares the used quantities with those that AWS has booked, each as its own side recorded them.
    async fn compare_bill(&self) -> Result<()> {
        let billed = self.billed().await?;
        let (mut lost, mut doubled) = (Decimal::ZERO, Decimal::ZERO);
        for key in self.used.keys().chain(billed.keys()).collect::<BTreeSet<_>>() {
            let of = |side: &BTreeMap<_, Decimal>| side.get(key).copied().unwrap_or_default();
            let difference = of(&self.used) - of(&billed);
            if difference.is_sign_negative() {
                doubled += difference.abs();
            } else {
                lost += difference;
            }
        }
        let total = |side: &BTreeMap<_, Decimal>| side.values().sum::<Decimal>();
        let used = total(&self.used) + self.included;
        let included = self.included;
        say(format_args!(
            "billed {} of {used} units used, {included} included in a contract, {lost} lost, {doubled} doubled",
            total(&billed)
        ))?;
        ensure!(lost.is_zero() && doubled.is_zero(), "the bill differs from the usage");
        Ok(())
    }

    async fn expect_license(&self, license: &str, expected: Value) -> Result<()> {
        self.expect(&format!("/v1/licenses/{license}"), expected).await
    }

    async fn expect_decision(&self, tenant: &str, dimension: &str, expected: Value) -> Result<()> {
        self.expect(&format!("/v1/tenants/{tenant}/entitlements?dimension={dimension}"), expected).await
    }

    /// Checks that the answer of a path has these members with these values.
    async fn expect(&self, path: &str, expected: Value) -> Result<()> {
        let (status, answer) = self.client.call(Method::GET, path, None).await?;
        ensure!(status == 200, "{path} was answered {status} {answer}");
        for (name, value) in expected.as_object().into_iter().flatten() {
            let given = answer.get(name).unwrap_or(&Value::Null);
            ensure!(given == value, "{path}: `{name}` is {given} and should be {value}\n{answer:#}");
        }
        Ok(())
    }

    /// Checks that these events were written for the application in this order; others may be among them.
    async fn expect_events(&self, license: &str, expected: &[&str]) -> Result<()> {
        let answer = self.client.control(Method::GET, "/sandbox/events", Value::Null).await?;
        let events = answer.get("events").and_then(Value::as_array).context("no events")?;
        let of_license = events.iter().filter(|event| event.get("license").is_some_and(|id| id == license));
        let mut types = of_license.filter_map(|event| event.get("type")?.as_str());
        for kind in expected {
            if !types.any(|other| other == *kind) {
                bail!("{kind} was not sent, or not in this order: {answer:#}");
            }
        }
        Ok(())
    }
}

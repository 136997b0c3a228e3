//! A legacy buyer moves to a license key, and uses the product meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::steps::Demo;
use crate::test_client::{TestPurchase, text};

const TENANT: &str = "stark";
const DIMENSION: &str = "requests";

/// The time from the planned hour of the move to a minute after the move has been made.
const MOVE_COMPLETED: SignedDuration = SignedDuration::from_mins(16);

/// Runs the steps.
pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.section("A legacy buyer who moves to a license key")?;
    let purchase = demo.client.buy(json!({ "product": "demo-legacy" })).await?;
    let cookie = demo.post_token(&purchase.token).await?;
    demo.submit_contact(&cookie).await?;
    demo.link(&purchase.license, TENANT).await?;
    // A move is planned at least ten minutes ahead.
    let hour = next_hour(demo.sandbox.clock().now() + SignedDuration::from_mins(40))?;
    demo.sandbox.set(hour - SignedDuration::from_mins(40)).await;
    let (arn, new) = license_of(demo, &purchase).await?;
    let mut buyer = MovingBuyer { demo, old: purchase.license.clone(), new, unsent: Vec::new(), reported: 0 };
    let early = buyer.now();
    buyer.uses(ReportedLicense::Old, 20, early).await?;
    buyer.demo.expect_license(&buyer.old, json!({ "state": "active", "tenant": TENANT })).await?;
    buyer.demo.say("subscribes by a customer key and uses 20 requests")?;

    import(&buyer, &purchase, &arn, hour).await?;
    buyer.demo.say(format!("POST /v1/imports plans the move to the license for {hour}"))?;

    buyer.demo.sandbox.set(hour - SignedDuration::from_mins(1)).await;
    let before = buyer.now();
    buyer.uses(ReportedLicense::Old, 10, before).await?;
    buyer.demo.sandbox.set(hour + SignedDuration::from_mins(6)).await;
    let after = buyer.now();
    buyer.uses(ReportedLicense::Old, 3, after).await?;
    buyer.uses(ReportedLicense::New, 2, after).await?;
    buyer.uses(ReportedLicense::Old, 4, before).await?;
    buyer.uses(ReportedLicense::New, 5, before).await?;
    let waiting = buyer.unsent.len();
    buyer.demo.say(format!("uses 24 more around the hour, reported under either id: {waiting} must be sent again"))?;

    buyer.demo.sandbox.set(hour + MOVE_COMPLETED).await;
    buyer.send().await?;
    ensure!(buyer.unsent.is_empty(), "the move is complete, but events are not accepted: {:?}", buyer.unsent);
    buyer.demo.expect_license(&buyer.new, json!({ "state": "active", "tenant": TENANT })).await?;
    buyer.demo.expect_license(&buyer.old, json!({ "successor": buyer.new })).await?;
    buyer.demo.say("the move is complete: the license has the tenant, and accepts the events that are sent again")?;

    let now = buyer.now();
    buyer.uses(ReportedLicense::Old, 6, now).await?;
    buyer.uses(ReportedLicense::New, 7, now).await?;
    buyer.uses(ReportedLicense::Old, 8, early).await?;
    buyer.repeats(ReportedLicense::New, 20, early).await?;
    buyer
        .demo
        .say("uses 21 more, some of it before the move; an event sent again under the other id is a duplicate")?;

    buyer.demo.advance(SignedDuration::from_mins(150)).await?;
    buyer.demo.expect_billed(&buyer.old, 65).await?;
    buyer.expect_one_style(hour).await?;
    buyer.demo.say("65 are billed: by customer key before the hour, by license from then on, no hour by both")?;
    Ok(())
}

/// The license id that an event names.
#[derive(Debug, Clone, Copy)]
enum ReportedLicense {
    Old,
    New,
}

/// The buyer, and the application's outbox.
struct MovingBuyer<'a> {
    demo: &'a mut Demo,
    /// The customer key, by which the bill names the buyer before and after the move.
    old: String,
    new: String,
    unsent: Vec<Value>,
    reported: usize,
}

impl MovingBuyer<'_> {
    fn now(&self) -> Timestamp {
        self.demo.sandbox.clock().now()
    }

    /// Uses a quantity, and has the application report it.
    async fn uses(&mut self, id: ReportedLicense, quantity: i64, at: Timestamp) -> Result<()> {
        self.reported += 1;
        let event = self.event(id, quantity, at, &format!("move {}", self.reported));
        self.unsent.push(event);
        *self.demo.used.entry((self.old.clone(), DIMENSION.to_owned())).or_default() += Decimal::from(quantity);
        self.send().await
    }

    /// Reports the first usage once more, under another license id.
    async fn repeats(&self, id: ReportedLicense, quantity: i64, at: Timestamp) -> Result<()> {
        let results = self.demo.client.report(json!([self.event(id, quantity, at, "move 1")])).await?;
        let status = results.first().and_then(|result| result.get("status"));
        ensure!(status == Some(&json!("duplicate")), "what was reported before was answered {results:?}");
        Ok(())
    }

    fn event(&self, id: ReportedLicense, quantity: i64, at: Timestamp, key: &str) -> Value {
        let license = match id {
            ReportedLicense::Old => &self.old,
            ReportedLicense::New => &self.new,
        };
        json!({
            "license": license, "dimension": DIMENSION, "quantity": quantity, "time": at.to_string(), "key": key,
        })
    }

    /// Reports the events in the outbox. Events that must be sent again stay in it.
    async fn send(&mut self) -> Result<()> {
        let events = std::mem::take(&mut self.unsent);
        let results = self.demo.client.report(events.clone().into()).await?;
        for (event, result) in events.into_iter().zip(results) {
            match result.get("status").and_then(Value::as_str) {
                Some("accepted") => {}
                Some("retry") => self.unsent.push(event),
                _ => bail!("{event} was answered {result}"),
            }
        }
        Ok(())
    }

    /// Checks that AWS has booked each hour in one style, the buyer's style of that hour.
    async fn expect_one_style(&self, moved: Timestamp) -> Result<()> {
        let mut styles: BTreeMap<Timestamp, BTreeSet<String>> = BTreeMap::new();
        for record in self.demo.client.bill().await? {
            if text(&record, "license")? == self.old {
                styles.entry(text(&record, "hour")?.parse()?).or_default().insert(text(&record, "style")?);
            }
        }
        for (hour, styles) in styles {
            let expected = if hour < moved { "customer" } else { "license" };
            ensure!(
                styles == BTreeSet::from([expected.to_owned()]),
                "{hour} is booked by {styles:?}, not by {expected}"
            );
        }
        Ok(())
    }
}

/// Plans the move, with the file that a seller sends.
async fn import(buyer: &MovingBuyer<'_>, purchase: &TestPurchase, arn: &str, hour: Timestamp) -> Result<()> {
    let customer = purchase.customer.as_deref().context("the buyer has no customer key")?;
    let csv = format!(
        "product,tenant,customer_identifier,license_arn,agreement_id,account\n{},{TENANT},{customer},{arn},{},{}\n",
        purchase.product, purchase.agreement, purchase.account
    );
    let answer = buyer.demo.client.send_raw(Method::POST, "/v1/imports", "text/csv", csv.into_bytes()).await?;
    let page: Value = serde_json::from_str(&answer.page)?;
    let result = page.pointer("/results/0").cloned().unwrap_or_default();
    let planned = [("status", json!("imported")), ("moves_to", json!(buyer.new)), ("moves_at", json!(hour))];
    ensure!(planned.iter().all(|(name, value)| result.get(*name) == Some(value)), "the import was answered {page}");
    Ok(())
}

/// Returns the license that AWS has for a legacy buyer: its ARN, and its id.
async fn license_of(demo: &Demo, purchase: &TestPurchase) -> Result<(String, String)> {
    let bought = demo.client.control(Method::GET, "/sandbox/purchases", Value::Null).await?;
    let mut licenses = bought.get("licenses").and_then(Value::as_array).into_iter().flatten();
    let theirs = licenses.find(|license| license.get("agreement_id") == Some(&json!(purchase.agreement)));
    let arn = text(theirs.context("AWS has no license for the buyer")?, "license_arn")?;
    let id = arn.rsplit(':').next().unwrap_or_default().to_owned();
    Ok((arn, id))
}

/// Returns the first full hour after a time.
fn next_hour(time: Timestamp) -> Result<Timestamp> {
    Ok(Timestamp::from_second((time.as_second().div_euclid(3600) + 1) * 3600)?)
}

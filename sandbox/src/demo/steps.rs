//! The sandbox of the demo, with the actions and checks of which its steps consist.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use jiff::SignedDuration;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use terminal::{SayError, say};

use crate::Sandbox;
use crate::test_client::{TestClient, text};

/// The number of steps that were printed.
#[derive(Debug, Default)]
pub(super) struct Steps(pub(super) usize);

impl Steps {
    pub(super) fn section(&self, what: &str) -> Result<(), SayError> {
        say(what)
    }

    /// Prints and counts a step that was checked.
    pub(super) fn say(&mut self, what: impl std::fmt::Display) -> Result<(), SayError> {
        self.0 += 1;
        say(format_args!("  ok  {what}"))
    }
}

/// The sandbox of the demo, and its progress.
pub(super) struct Demo {
    pub(super) sandbox: Sandbox,
    pub(super) client: TestClient,
    pub(super) steps: Steps,
    /// The used quantities as the application knows them, by license and dimension.
    pub(super) used: BTreeMap<(String, String), Decimal>,
    /// The part of the usage that a contract includes, and that is not in `used`.
    pub(super) included: Decimal,
}

impl Demo {
    pub(super) fn section(&self, who: &str) -> Result<(), SayError> {
        self.steps.section(who)
    }

    pub(super) fn say(&mut self, what: impl std::fmt::Display) -> Result<(), SayError> {
        self.steps.say(what)
    }

    pub(super) async fn advance(&self, by: SignedDuration) -> Result<()> {
        self.sandbox.advance(by).await?;
        Ok(())
    }

    /// Posts the token as the browser does, and returns the session's cookie.
    pub(super) async fn post_token(&self, token: &str) -> Result<String> {
        let arrived = self.client.post_token(token).await?;
        ensure!(arrived.status == 303, "the registration URL answered {arrived:?}");
        arrived.cookie.context("no session")
    }

    /// Fills in the page and submits it; returns the address to which the browser is redirected.
    pub(super) async fn submit_contact(&self, cookie: &str) -> Result<String> {
        let answer = self.client.submit_contact(cookie, "buyer@example.com", "new").await?;
        ensure!(answer.status == 303, "the details were answered {answer:?}");
        answer.location.context("no redirect")
    }

    pub(super) async fn link(&self, license: &str, tenant: &str) -> Result<()> {
        let (status, answer) = self.client.link(license, tenant).await?;
        ensure!(status == 200, "linking was answered {status} {answer}");
        Ok(())
    }

    /// Makes the next call of an operation fail.
    pub(super) async fn fault(&self, service: &str, operation: &str, kind: &str) -> Result<()> {
        let fault = json!({ "service": service, "operation": operation, "kind": kind });
        self.client.control(Method::POST, "/sandbox/faults", fault).await?;
        Ok(())
    }

    /// Uses a quantity, and reports it as the application does. Returns the report.
    pub(super) async fn uses(&mut self, license: &str, dimension: &str, quantity: i64) -> Result<Value> {
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
    pub(super) fn include_in_contract(&mut self, license: &str, dimension: &str, quantity: i64) {
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

    pub(super) async fn expect_billed(&self, license: &str, expected: i64) -> Result<()> {
        let billed = self.billed().await?;
        let of_license = billed.iter().filter(|((of, _), _)| of == license);
        let sum: Decimal = of_license.map(|(_, quantity)| *quantity).sum();
        ensure!(sum == Decimal::from(expected), "AWS has booked {sum} and should have {expected}");
        Ok(())
    }

    /// Compares the used quantities with those that AWS has booked, each as its own side recorded them.
    pub(super) async fn compare_bill(&self) -> Result<()> {
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

    pub(super) async fn expect_license(&self, license: &str, expected: Value) -> Result<()> {
        self.expect(&format!("/v1/licenses/{license}"), expected).await
    }

    pub(super) async fn expect_decision(&self, tenant: &str, dimension: &str, expected: Value) -> Result<()> {
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
    pub(super) async fn expect_events(&self, license: &str, expected: &[&str]) -> Result<()> {
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

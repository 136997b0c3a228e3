//! A listing from nothing to published: the work of a seller, and the auditor's report, which follows it.

use anyhow::{Context, Result, ensure};
use clock::Clock;
use domain::listing::{Listing, Stage};
use jiff::{SignedDuration, Timestamp};
use local_aws::Delays;
use marketplace::catalog::{Catalog, Change, ChangeSet, Status, Target, plan};
use readiness_checks::{Report, StepState};
use reqwest::Method;
use serde_json::{Value, json};
use store::Store;
use terminal::say;

use super::steps::Steps;
use crate::products::fulfillment_url;
use crate::test_client::{TestClient, TestPurchase};
use crate::{Listings, Options, Sandbox};

/// The time of the start: a Monday, shortly before the hour of the auditor's schedule.
const START: &str = "2026-11-09T05:20:00Z";

/// A little more than the time that AWS takes for a change of the catalog.
const CATALOG: SignedDuration = SignedDuration::from_mins(5);

/// The checks that an operator attests, because no program can check them, each with a note.
const ATTESTATIONS: [(&str, &str); 4] = [
    ("seller.public_profile", "Name, logo and text are in the portal."),
    ("seller.bank_and_tax", "The tax interview is done, the bank account is verified."),
    ("app.no_payment_data", "No form asks for a card."),
    ("app.data_policy", "Deletion and incidents are on the page."),
];

/// Runs both phases.
pub(super) async fn run(steps: &mut Steps) -> Result<()> {
    let start: Timestamp = START.parse()?;
    let options = Options {
        stages: vec![Stage::Staging, Stage::Production],
        clock: Clock::fixed_at(start),
        delays: Delays::default(),
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await?;
    let mut test = Phase::create(&sandbox, Stage::Staging, "demo-subscription").await?;
    steps.section("A listing, the test phase: from nothing to a verified product")?;
    test.run_common_steps(steps).await?;

    let mut production = Phase::create(&sandbox, Stage::Production, "demo-production").await?;
    steps.section("The production phase: the real listing, from nothing to published")?;
    production.run_common_steps(steps).await?;
    production.publish(steps).await?;
    ensure!(test.audit().await?.is_done() && production.audit().await?.is_done(), "a phase is not done");
    Ok(())
}

/// A listing on its way to publication, on the stack of its stage.
struct Phase<'a> {
    sandbox: &'a Sandbox,
    client: TestClient,
    catalog: Catalog,
    file: &'static str,
    listing: Listing,
    /// The newest report.
    report: Report,
}

impl<'a> Phase<'a> {
    /// Starts with a listing that does not exist in AWS.
    async fn create(sandbox: &'a Sandbox, stage: Stage, file: &'static str) -> Result<Self> {
        let url = sandbox.stage_url(stage).context("the stage has no stack")?;
        let client = TestClient::at(url)?;
        client.control(Method::DELETE, &format!("/sandbox/catalog/{file}"), Value::Null).await?;
        let table = sandbox.table(stage).context("the stage has no table")?;
        let listings = Store::new(sandbox.sdk_config(), table, sandbox.clock().clone()).all_listings().await?;
        let described = Listings::Demo.load()?.into_iter().find(|described| described.file == file);
        let product = described.with_context(|| format!("{file} is not described"))?.listing.product_code;
        let listing = listings
            .into_iter()
            .find(|listing| listing.product_code == product)
            .with_context(|| format!("{file} is not loaded"))?;
        let catalog = Catalog::new(sandbox.sdk_config());
        let report = audit(&client, &listing).await?;
        Ok(Self { sandbox, client, catalog, file, listing, report })
    }

    /// Runs the steps that both phases have.
    async fn run_common_steps(&mut self, steps: &mut Steps) -> Result<()> {
        let is_test = self.listing.stage == Stage::Staging;
        let of_phase = |step: &str| format!("{}.{step}", if is_test { "test" } else { "production" });
        if is_test {
            ensure!(self.report.steps_done() == 0, "done from the start: {:?}", self.done());
            steps.say(format!("the auditor runs: none of {} steps is done", self.report.steps.len()))?;
        }
        for (check, note) in ATTESTATIONS {
            let body = json!({ "product": self.listing.product_code, "note": note });
            let path = format!("/v1/readiness/attestations/{check}");
            let (status, answer) = self.client.call(Method::PUT, &path, Some(body)).await?;
            ensure!(status == 200, "{check} was answered {status} {answer}");
        }
        self.expect_steps_done(
            steps,
            "the seller attests what no program can check",
            &["seller.public_profile", "seller.bank_and_tax"],
        )
        .await?;

        if is_test {
            self.sandbox.advance(SignedDuration::from_hours(1)).await?;
            let prepared = of_phase("product_prepared");
            self.expect_steps_done(steps, "the stack has run for an hour, and its schedules with it", &[&prepared])
                .await?;
        }

        self.client.control(Method::POST, &format!("/sandbox/catalog/{}/bare", self.file), json!({})).await?;
        self.expect_steps_done(steps, "the seller makes an empty product in AWS's portal", &["seller.registration"])
            .await?;

        let sent = self.apply().await?;
        ensure!(sent > 0 && self.apply().await? == 0, "applying twice sends nothing the second time");
        let what = format!("`listing apply` sends {sent} change sets; applied once more, there is nothing to send");
        self.expect_steps_done(steps, what, &[&of_phase("product_registered")]).await?;

        let bought = self.sell().await?;
        self.expect_steps_done(
            steps,
            "a test account buys, registers with its old account and uses 100 requests",
            &[&of_phase("api_integrated")],
        )
        .await?;

        self.client.change(&bought.agreement, json!({ "action": "end" })).await?;
        self.sandbox.advance(SignedDuration::from_mins(90)).await?;
        self.expect_steps_done(
            steps,
            "it unsubscribes, and its last hour is billed",
            &[&of_phase("integration_verified")],
        )
        .await
    }

    /// Runs the steps of AWS's review.
    async fn publish(&mut self, steps: &mut Steps) -> Result<()> {
        self.request_publication().await?;
        self.expect_steps_done(
            steps,
            "the seller requests the publication from AWS",
            &["production.final_review_requested"],
        )
        .await?;

        let host = "production.app.example.com";
        let broken = json!({ "host": host, "path": "/sign-up", "answer": { "status": 500 } });
        self.client.control(Method::POST, "/sandbox/web", broken).await?;
        let report = self.audit().await?;
        let failing = report.steps.iter().find(|step| step.state == StepState::Failing);
        let next = failing.and_then(|step| step.next_check.as_deref());
        ensure!(next == Some("app.self_signup"), "a broken page is reported as {failing:?}");
        steps.say("the application's sign-up page breaks: `app.self_signup` fails in the auditor's next run")?;
        let review = self.review().await?;
        let message = review.pointer("/change_set/changes/0/errors/0/message").and_then(Value::as_str);
        let message = message.with_context(|| format!("the review has no objections: {review:#}"))?;
        steps.say(format!("AWS's reviewer rejects the listing: {}", message))?;

        self.client.control(Method::DELETE, "/sandbox/web", Value::Null).await?;
        self.request_publication().await?;
        let report = self.audit().await?;
        ensure!(report.steps.iter().all(|step| step.state != StepState::Failing), "{:?}", report.steps);
        self.report = report;
        let review = self.review().await?;
        ensure!(review.get("approved") == Some(&json!(true)), "the review has objections: {review:#}");
        let points = review.get("points").and_then(Value::as_array).map(Vec::len).unwrap_or_default();
        let what = format!(
            "repaired and requested again: the reviewer subscribes, signs up, and approves all {points} points"
        );
        self.expect_steps_done(steps, what, &["production.published"]).await
    }

    /// Sells to a test account, whose buyer has an account in the application already.
    async fn sell(&self) -> Result<TestPurchase> {
        let client = &self.client;
        let bought = client.buy(json!({ "product": self.file })).await?;
        let cookie = client.post_token(&bought.token).await?.cookie.context("no session")?;
        client.submit_contact(&cookie, "buyer@example.com", "existing").await?;
        let (status, answer) = client.link(&bought.license, "acme").await?;
        ensure!(status == 200, "linking was answered {status} {answer}");
        let (status, answer) = client.link(&bought.license, "initech").await?;
        ensure!(status == 409, "another's claim was answered {status} {answer}");
        self.sandbox.advance(SignedDuration::from_secs(61)).await?;
        let (status, answer) = client.call(Method::GET, "/v1/tenants/acme/entitlements", None).await?;
        ensure!(status == 200, "the question was answered {status} {answer}");
        let event = json!({
            "license": bought.license, "dimension": "requests", "quantity": 100,
            "time": self.sandbox.clock().now().to_string(), "key": "the first",
        });
        client.report(json!([event])).await?;
        self.sandbox.advance(SignedDuration::from_mins(90)).await?;
        Ok(bought)
    }

    /// Applies the listing as `stallkeeper listing apply` does; returns the number of change sets that were sent.
    async fn apply(&self) -> Result<usize> {
        let id = &self.listing.product_id;
        let product = self.catalog.product(id).await?.context("AWS has no such product")?;
        let offers = self.catalog.offers(id).await?;
        let registration = fulfillment_url(self.listing.stage).parse()?;
        let plan = plan(&self.listing, &registration, &product, &offers, self.sandbox.clock().now());
        for change_set in &plan.change_sets {
            let id = self.catalog.start(change_set).await?;
            self.sandbox.advance(CATALOG).await?;
            let ended = self.catalog.change_set(&id).await?;
            ensure!(ended.status == Status::Succeeded, "{} has not succeeded: {:?}", ended.name, ended.failure);
        }
        Ok(plan.change_sets.len())
    }

    /// Sends the change set that the portal sends for "Update visibility".
    async fn request_publication(&self) -> Result<()> {
        let change = Change {
            change_type: "UpdateVisibility",
            entity: Target::Product(self.listing.product_id.to_string()),
            details: json!({ "TargetVisibility": "Public" }),
            differences: Vec::new(),
        };
        self.catalog.start(&ChangeSet { name: "Update visibility".to_owned(), changes: vec![change] }).await?;
        Ok(())
    }

    async fn review(&self) -> Result<Value> {
        self.client.control(Method::POST, "/sandbox/review", json!({ "product": self.file })).await
    }

    /// Runs the auditor again, and returns its report.
    async fn audit(&self) -> Result<Report> {
        audit(&self.client, &self.listing).await
    }

    fn done(&self) -> Vec<String> {
        let done = self.report.steps.iter().filter(|step| step.state == StepState::Done);
        done.map(|step| step.step.clone()).collect()
    }

    /// Prints an action, once the auditor confirms it: these steps, and no others, have become done.
    async fn expect_steps_done(
        &mut self,
        steps: &mut Steps,
        what: impl std::fmt::Display,
        expected: &[&str],
    ) -> Result<()> {
        let before = self.done();
        self.report = self.audit().await?;
        let mut after = self.done();
        after.retain(|step| !before.contains(step));
        let mut expected = expected.to_vec();
        expected.retain(|step| !before.iter().any(|done| done == step));
        if after != expected {
            let open = self.report.checks.iter().filter(|finding| !finding.outcome.holds());
            let open: Vec<_> = open.map(|finding| (&finding.check, &finding.message)).collect();
            anyhow::bail!("{what}: {after:?} are done now, and not {expected:?}; open are {open:?}");
        }
        steps.say(what)?;
        for (step, done) in after.iter().zip(before.len() + 1..) {
            say(format_args!("      -> {step} is done ({done} of {})", self.report.steps.len()))?;
        }
        Ok(())
    }
}

async fn audit(client: &TestClient, listing: &Listing) -> Result<Report> {
    let body = json!({ "product": listing.product_code });
    let (status, report) = client.call(Method::POST, "/v1/readiness/runs", Some(body)).await?;
    ensure!(status == 201, "the auditor answered {status} {report}");
    Ok(serde_json::from_value(report)?)
}

//! The auditor with other kinds of listings: one of the older kind, and the production listing on its way to the
//! public.

use domain::listing::Stage;
use jiff::SignedDuration;
use readiness_checks::{Outcome, Report};
use reqwest::Method;
use sandbox::Options;
use serde_json::{Value, json};
use tests::TestEnvironment;
use tests::audit::{Outcomes, changed_outcomes, each, outcomes};

use super::review::request_publication;

const LEGACY: &str = "7demolegacy00000000000ab";
const PRODUCTION: &str = "8demoproduction00000000ab";

#[tokio::test]
async fn a_legacy_listing_depends_on_its_topics_and_not_on_the_rule() {
    let world = TestEnvironment::new().await;
    // The auditor's own invalid token is the first that is refused.
    world.audit(LEGACY).await;
    let before = world.outcomes(LEGACY).await;
    let topic = format!("aws-mp-subscription-notification-{LEGACY}");
    for (patch, wanted) in [
        (json!({ "subscriptions": { &topic: "PENDING" } }), each("wiring.sns_subscription", Outcome::Fail)),
        (json!({ "subscriptions": { &topic: null } }), each("wiring.sns_subscription", Outcome::Fail)),
        (json!({ "rule": { "state": "DISABLED" } }), Outcomes::new()),
    ] {
        world.control(Method::PATCH, "/sandbox/deployed/staging", patch).await;
        assert_eq!(changed_outcomes(&before, &world.outcomes(LEGACY).await), wanted);
        world.control(Method::POST, "/sandbox/deployed/staging/reset", json!({})).await;
        assert_eq!(changed_outcomes(&before, &world.outcomes(LEGACY).await), Outcomes::new());
    }
    let fault =
        json!({ "service": "sns", "operation": "GetSubscriptionAttributes", "times": 9, "kind": "access_denied" });
    world.fault(fault).await;
    let blind = changed_outcomes(&before, &world.outcomes(LEGACY).await);
    assert_eq!(blind, each("wiring.sns_subscription", Outcome::Unknown));
}

#[tokio::test]
async fn the_production_listing_is_reviewed_with_its_real_prices_and_published() {
    let world = TestEnvironment::with(|options: &mut Options| options.stages = vec![Stage::Production]).await;
    // The sandbox's own prices differ from those in the listing's file.
    let unlike = world.audit(PRODUCTION).await;
    let found = |report: &Report, check: &str| {
        let finding = report.checks.iter().find(|finding| finding.check == check).unwrap();
        (finding.outcome, finding.is_defect)
    };
    assert_eq!(
        found(&unlike, "production.final_review_requested"),
        (Outcome::Fail, false),
        "no review was asked for yet"
    );
    let catalog = world.control(Method::GET, "/sandbox/catalog", Value::Null).await;
    let entities = catalog["entities"].as_array().unwrap();
    let offer = entities.iter().find(|entity| entity["id"] == "offer-demoproduction01").unwrap();
    let mut terms = offer["details"]["Terms"].clone();
    for term in terms.as_array_mut().unwrap().iter_mut().filter(|term| term["Type"] == "UsageBasedPricingTerm") {
        term["RateCards"] = json!([{ "RateCard": [
            { "DimensionKey": "requests", "Price": "0.002" }, { "DimensionKey": "storage_gb", "Price": "0.00014" },
        ] }]);
    }
    world.control(Method::PATCH, "/sandbox/catalog/offer-demoproduction01", json!({ "Terms": terms })).await;
    let priced = world.audit(PRODUCTION).await;
    assert_eq!(found(&priced, "production.final_review_requested"), (Outcome::Fail, false), "it is only to be done");

    request_publication(&world, "prod-demoproduction01").await;
    let requested = world.audit(PRODUCTION).await;
    assert_eq!(
        changed_outcomes(&outcomes(&priced), &outcomes(&requested)),
        each("production.final_review_requested", Outcome::Pass)
    );
    let change_sets = world.control(Method::GET, "/sandbox/change-sets", Value::Null).await;
    let path = format!("/sandbox/change-sets/{}", change_sets["change_sets"][0]["id"].as_str().unwrap());
    world.control(Method::POST, &path, json!({ "verdict": "reject", "message": "No video." })).await;
    let refused = world.audit(PRODUCTION).await;
    assert_eq!(
        changed_outcomes(&outcomes(&priced), &outcomes(&refused)),
        Outcomes::new(),
        "what was refused is asked again"
    );
    let finding = refused.checks.iter().find(|finding| finding.check == "production.final_review_requested").unwrap();
    assert_eq!(finding.message.arguments["reason"], "No video.");

    request_publication(&world, "prod-demoproduction01").await;
    let change_sets = world.control(Method::GET, "/sandbox/change-sets", Value::Null).await;
    let path = format!("/sandbox/change-sets/{}", change_sets["change_sets"][1]["id"].as_str().unwrap());
    world.control(Method::POST, &path, json!({ "verdict": "approve" })).await;
    let published = world.audit(PRODUCTION).await;
    assert_eq!(
        changed_outcomes(&outcomes(&requested), &outcomes(&published)),
        each("production.published", Outcome::Pass)
    );
}

#[tokio::test]
async fn the_auditor_runs_once_a_day_unless_its_schedule_is_disabled() {
    let world = TestEnvironment::new().await;
    let reports = async |world: &TestEnvironment| {
        let path = format!("/v1/readiness/history?product={LEGACY}");
        let (_, history) = world.api(Method::GET, &path, None).await;
        history["reports"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(reports(&world).await, 0);
    world.sandbox.set_schedule(false);
    world.advance(SignedDuration::from_hours(24)).await;
    assert_eq!(reports(&world).await, 1, "at six");
    let off = json!({ "schedules": { "readiness": "DISABLED" } });
    world.control(Method::PATCH, "/sandbox/deployed/staging", off).await;
    world.advance(SignedDuration::from_hours(24)).await;
    assert_eq!(reports(&world).await, 1);
}

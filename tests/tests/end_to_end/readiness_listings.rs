//! The auditor with other kinds of listings: one of the older kind, and the production listing on its way to the
//! public.

use domain::listing::Stage;
use jiff::SignedDuration;
use readiness_checks::{Outcome, Report};
use reqwest::Method;
use sandbox::Options;
use serde_json::{Value, json};
use tests::World;
use tests::audit::{Outcomes, each, outcomes, turned};

use super::review::ask_for_the_public;

const LEGACY: &str = "7demolegacy00000000000ab";
const PRODUCTION: &str = "8demoproduction00000000ab";

#[tokio::test]
async fn a_listing_of_the_older_kind_rests_on_its_topics_and_not_on_the_rule() {
    let world = World::new().await;
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
        assert_eq!(turned(&before, &world.outcomes(LEGACY).await), wanted);
        world.control(Method::POST, "/sandbox/deployed/staging/reset", json!({})).await;
        assert_eq!(turned(&before, &world.outcomes(LEGACY).await), Outcomes::new());
    }
    let fault =
        json!({ "service": "sns", "operation": "GetSubscriptionAttributes", "times": 9, "kind": "access_denied" });
    world.fault(fault).await;
    let blind = turned(&before, &world.outcomes(LEGACY).await);
    assert_eq!(blind, each("wiring.sns_subscription", Outcome::Unknown));
}

#[tokio::test]
async fn the_real_listing_is_reviewed_at_its_real_prices_and_published() {
    let world = World::with(|options: &mut Options| options.stages = vec![Stage::Production]).await;
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

    ask_for_the_public(&world, "prod-demoproduction01").await;
    let requested = world.audit(PRODUCTION).await;
    assert_eq!(
        turned(&outcomes(&priced), &outcomes(&requested)),
        each("production.final_review_requested", Outcome::Pass)
    );
    let change_sets = world.control(Method::GET, "/sandbox/change-sets", Value::Null).await;
    let path = format!("/sandbox/change-sets/{}", change_sets["change_sets"][0]["id"].as_str().unwrap());
    world.control(Method::POST, &path, json!({ "verdict": "reject", "message": "No video." })).await;
    let refused = world.audit(PRODUCTION).await;
    assert_eq!(turned(&outcomes(&priced), &outcomes(&refused)), Outcomes::new(), "what was refused is asked again");
    let told = refused.checks.iter().find(|finding| finding.check == "production.final_review_requested").unwrap();
    assert_eq!(told.message.arguments["reason"], "No video.");

    ask_for_the_public(&world, "prod-demoproduction01").await;
    let change_sets = world.control(Method::GET, "/sandbox/change-sets", Value::Null).await;
    let path = format!("/sandbox/change-sets/{}", change_sets["change_sets"][1]["id"].as_str().unwrap());
    world.control(Method::POST, &path, json!({ "verdict": "approve" })).await;
    let published = world.audit(PRODUCTION).await;
    assert_eq!(turned(&outcomes(&requested), &outcomes(&published)), each("production.published", Outcome::Pass));
}

#[tokio::test]
async fn the_auditor_looks_once_a_day_by_itself_unless_its_schedule_is_off() {
    let world = World::new().await;
    let reports = async |world: &World| {
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

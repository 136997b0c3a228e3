//! The sandbox's reviewer: its actions from outside, its objections, and the auditor's checks that report them first.

use jiff::SignedDuration;
use readiness_checks::Outcome;
use reqwest::Method;
use sandbox::review::{Opinion, Point};
use serde_json::{Value, json};
use tests::TestEnvironment;

/// A call of the control API.
type Call = (Method, &'static str, Value);

const PRODUCT: &str = "6democonsumption0000000ab";
const REGISTER: &str = "staging.register.example.com";
const APPLICATION: &str = "staging.app.example.com";

/// Returns the names of points in a review.
fn names(points: &[Point]) -> Vec<Value> {
    points.iter().map(|point| serde_json::to_value(point).unwrap()).collect()
}

fn with_opinion(review: &Value, opinion: Opinion) -> Vec<Value> {
    let opinion = serde_json::to_value(opinion).unwrap();
    let points = review["points"].as_array().unwrap().iter();
    points.filter(|looked| looked["opinion"] == opinion).map(|looked| looked["point"].clone()).collect()
}

/// Makes an environment in which a listing was bought and used for two hours.
async fn sold() -> TestEnvironment {
    let world = TestEnvironment::new().await;
    let bought = world.buy("demo-consumption", json!({ "events_included": 10 })).await;
    world.register(&bought.token, "buyer@example.com").await;
    world.advance(SignedDuration::from_hours(2)).await;
    world
}

async fn review(world: &TestEnvironment) -> Value {
    world.control(Method::POST, "/sandbox/review", json!({ "product": "demo-consumption" })).await
}

/// Requests that the product becomes public, as the portal does.
pub(crate) async fn request_publication(world: &TestEnvironment, product: &str) {
    use aws_sdk_marketplacecatalog::types::{Change, Entity};
    let client = aws_sdk_marketplacecatalog::Client::new(world.sandbox.sdk_config());
    let entity = Entity::builder().r#type("SaaSProduct@1.0").identifier(product).build().unwrap();
    let change = Change::builder().change_type("UpdateVisibility").entity(entity);
    let change = change.details(json!({ "TargetVisibility": "Public" }).to_string()).build().unwrap();
    client.start_change_set().catalog("AWSMarketplace").change_set(change).send().await.unwrap();
}

#[tokio::test]
async fn a_working_listing_is_approved_and_published() {
    let world = sold().await;
    request_publication(&world, "prod-democonsumption01").await;
    let review = review(&world).await;
    assert_eq!(review["approved"], true, "{review:#}");
    assert_eq!(with_opinion(&review, Opinion::Passed).len(), review["points"].as_array().unwrap().len());
    assert_eq!(review["change_set"]["status"], "SUCCEEDED");
    let catalog = world.control(Method::GET, "/sandbox/catalog", Value::Null).await;
    let entities = catalog["entities"].as_array().unwrap();
    let product = entities.iter().find(|entity| entity["id"] == "prod-democonsumption01").unwrap();
    assert_eq!(product["details"]["Description"]["Visibility"], "Public");
    // The reviewer leaves nothing behind except a license that ends.
    let account = review["account"].as_str().unwrap();
    let (_, licenses) = world.api(Method::GET, &format!("/v1/licenses?account={account}"), None).await;
    assert_eq!(licenses["licenses"].as_array().unwrap().len(), 1);
    assert_eq!(licenses["licenses"][0]["state"], "ending", "{licenses}");
}

#[tokio::test]
async fn an_unused_listing_is_rejected_with_the_required_actions() {
    let world = TestEnvironment::new().await;
    request_publication(&world, "prod-democonsumption01").await;
    let first = review(&world).await;
    assert_eq!(first["approved"], false);
    assert_eq!(with_opinion(&first, Opinion::Objection), names(&[Point::EntitlementsRead, Point::UsageReported]));
    assert_eq!(first["change_set"]["status"], "FAILED");
    let why = first["change_set"]["changes"][0]["errors"][0]["message"].as_str().unwrap();
    assert!(why.starts_with("Action required: GetEntitlements was called"), "{why}");
    assert_eq!(world.outcomes(PRODUCT).await["evidence.usage_accepted"], Outcome::Fail);
    // No request waits any more.
    assert_eq!(review(&world).await["change_set"], Value::Null);
}

#[tokio::test]
async fn a_product_missing_in_the_catalog_gets_objections() {
    let world = TestEnvironment::new().await;
    world.control(Method::DELETE, "/sandbox/catalog/demo-consumption", Value::Null).await;
    let review = review(&world).await;
    let objections = [Point::ListingComplete, Point::OfferComplete, Point::EntitlementsRead, Point::UsageReported];
    assert_eq!(with_opinion(&review, Opinion::Objection), names(&objections));
    assert_eq!(review["account"], Value::Null);
}

#[tokio::test]
async fn a_legacy_listing_needs_its_topics() {
    let world = TestEnvironment::new().await;
    let product = json!({ "product": "demo-legacy" });
    let good = world.control(Method::POST, "/sandbox/review", product.clone()).await;
    assert_eq!(with_opinion(&good, Opinion::Objection), names(&[Point::UsageReported]), "{good:#}");
    let lost = json!({ "subscriptions": { "aws-mp-subscription-notification-7demolegacy00000000000ab": null } });
    world.control(Method::PATCH, "/sandbox/deployed/staging", lost).await;
    let deaf = world.control(Method::POST, "/sandbox/review", product).await;
    let objections = names(&[Point::EventsDelivered, Point::UsageReported]);
    assert_eq!(with_opinion(&deaf, Opinion::Objection), objections, "{deaf:#}");
}

#[tokio::test]
async fn the_auditor_fails_what_the_reviewer_rejects() {
    let page = |answer: Value| {
        (Method::POST, "/sandbox/web", json!({ "host": REGISTER, "path": "/register", "answer": answer }))
    };
    let application = |path: &str, answer: Value| {
        (Method::POST, "/sandbox/web", json!({ "host": APPLICATION, "path": path, "answer": answer }))
    };
    let product = |patch: Value| (Method::PATCH, "/sandbox/catalog/demo-consumption", patch);
    let offer = |patch: Value| (Method::PATCH, "/sandbox/catalog/offer-democonsumption01", patch);
    let replace = |what: &str, with: &str| json!({ "replace": { "what": what, "with": with } });
    let one = |call: Call| vec![call];
    let table: Vec<(Vec<Call>, Vec<Point>)> = vec![
        (one(product(json!({ "PromotionalResources": { "LogoUrl": null } }))), vec![Point::ListingComplete]),
        (one(product(json!({ "SupportInformation": { "Description": "" } }))), vec![Point::ListingComplete]),
        (one(product(json!({ "Versions": [] }))), vec![Point::ListingComplete]),
        (one(product(json!({ "Description": { "Visibility": "Draft" } }))), vec![Point::CanSubscribe]),
        (one(offer(json!({ "State": "Draft" }))), vec![Point::OfferComplete]),
        (one(offer(json!({ "Terms": [] }))), vec![Point::OfferComplete]),
        (
            one((Method::PATCH, "/sandbox/deployed/staging", json!({ "rule": { "state": "DISABLED" } }))),
            vec![Point::EventsDelivered],
        ),
        (one((Method::PUT, "/sandbox/web/certificate", json!({ "days": -1 }))), vec![Point::OverHttps]),
        (one(page(json!({ "status": 502 }))), vec![Point::InvalidToken, Point::TokenAccepted]),
        (one(page(replace("</body>", "panicked at</body>"))), vec![Point::InvalidToken]),
        (one(page(replace("lang=\"en", "lang=\"xx"))), vec![Point::InEnglish]),
        (one(page(replace("\"email\"", "\"mail\""))), vec![Point::AsksForEmail]),
        (one(page(replace("support@example.com", "nobody"))), vec![Point::NamesSupport]),
        (
            [replace("lready have an account", "lready"), replace("ign in", "…"), replace("existing account", "…")]
                .map(page)
                .into(),
            vec![Point::ExistingAccountSignIn],
        ),
        (one(application("/sign-up", json!({ "status": 500 }))), vec![Point::Registers]),
        (one(application("/sign-up", replace("email", "mail"))), vec![Point::SignsUp]),
        (
            [
                ("/", replace("ubscription", "…")),
                ("/", replace("our plan", "…")),
                ("/", replace("AWS Marketplace", "…")),
            ]
            .into_iter()
            .chain([("/", replace("ontract", "…")), ("/plan", json!({ "status": 404 }))])
            .map(|(path, answer)| application(path, answer))
            .collect(),
            vec![Point::ShowsSubscription],
        ),
    ];
    let world = sold().await;
    for (broken, wanted) in table {
        for (method, path, body) in broken.clone() {
            world.control(method, path, body).await;
        }
        let review = review(&world).await;
        let objections = with_opinion(&review, Opinion::Objection);
        assert_eq!(objections, names(&wanted), "{broken:?}: {review:#}");
        let said = world.outcomes(PRODUCT).await;
        for looked in review["points"].as_array().unwrap().iter().filter(|it| objections.contains(&it["point"])) {
            let mut checks = looked["checks"].as_array().unwrap().iter().map(|check| check.as_str().unwrap());
            let says_so = |check: &str| !said[check].holds();
            assert!(checks.any(says_so), "the auditor says nothing of {looked:#}");
        }
        world.control(Method::POST, "/sandbox/catalog/demo-consumption/reset", json!({})).await;
        world.control(Method::POST, "/sandbox/deployed/staging/reset", json!({})).await;
        world.control(Method::DELETE, "/sandbox/web", Value::Null).await;
    }
    assert_eq!(review(&world).await["approved"], true, "everything is mended");
}

//! Plans and sends the differences from AWS Marketplace: from a bare product to a complete one.

use domain::listing::{Listing, Stage};
use local_aws::{EntityKind, Status};
use marketplace::Catalog;
use readiness_checks::{CHECKS, Facts, ObservedApplication, ObservedPage, ObservedStack, Outcome, Unobserved, assess};
use reqwest::Method;
use sandbox::products::fulfillment_url;
use serde_json::{Value, json};

use crate::fixture::{CommandOutput, World};

const CONSUMPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../listings/demo-consumption.toml");

const PRODUCT: &str = "6democonsumption0000000ab";

/// Starts a sandbox whose demo contract with consumption is an empty draft.
async fn bare() -> World {
    let world = World::new().await;
    world.sandbox.aws().catalog().strip(&PRODUCT.parse().unwrap()).unwrap();
    world
}

async fn apply(world: &World) -> CommandOutput {
    world.run(&["listing", "apply", "--yes", CONSUMPTION]).await
}

/// Writes the described listing with one text replaced to a file of its own.
fn changed(from: &str, to: &str) -> (tempfile::TempDir, String) {
    let text = std::fs::read_to_string(CONSUMPTION).unwrap();
    assert!(text.contains(from), "the sample has no {from:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("listing.toml");
    std::fs::write(&file, text.replace(from, to)).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

/// Returns the auditor's findings on the listing in AWS: each check, its outcome and its text.
async fn judged(world: &World) -> Vec<(String, Outcome, String)> {
    let unobserved = Unobserved::NotDescribed { field: "of this test".to_owned() };
    let listing = Listing::parse(&std::fs::read_to_string(CONSUMPTION).unwrap()).unwrap();
    let catalog = Catalog::new(world.sandbox.sdk_config());
    let facts = Facts {
        listing: &listing,
        now: world.sandbox.clock().now(),
        product: Ok(catalog.product(&listing.product_id).await.unwrap()),
        offers: Ok(catalog.offers(&listing.product_id).await.unwrap()),
        review: Err(unobserved.clone()),
        page: ObservedPage {
            address: Ok(fulfillment_url(Stage::Staging).parse().unwrap()),
            ..ObservedPage::unobserved(&unobserved)
        },
        application: ObservedApplication::unobserved(&unobserved),
        stack: ObservedStack::unobserved(&unobserved),
        evidence: Err(unobserved),
    };
    let checks = assess(&facts, &Default::default(), None).checks.into_iter();
    let of_listing = checks.filter(|finding| finding.check.starts_with("listing."));
    of_listing.map(|finding| (finding.check, finding.outcome, finding.message.id)).collect()
}

#[tokio::test]
async fn a_draft_passes_every_check_after_apply_and_then_nothing_is_planned() {
    let world = bare().await;
    let before = judged(&world).await;
    assert!(before.iter().filter(|(_, outcome, _)| *outcome == Outcome::Fail).count() >= 10, "{before:?}");

    let planned = world.run(&["listing", "plan", CONSUMPTION]).await;
    assert!(planned.err.contains("Nothing was sent."), "{planned:?}");
    let planned = planned.text();
    for wanted in
        ["ReleaseProduct", "AddDimensions", "dimension events_extra", "price of events_included for 12 months"]
    {
        assert!(planned.contains(wanted), "{wanted} is not in {planned}");
    }
    let json = world.run(&["listing", "plan", "--json", CONSUMPTION]).await.json();
    assert_eq!(json["product_id"], "prod-democonsumption01");
    let sets = json["change_sets"].as_array().unwrap();
    assert_eq!((sets.len(), json["hints"].as_array().unwrap().len()), (2, 0), "{json}");
    let error = world.run(&["listing", "apply", CONSUMPTION]).await.error();
    assert!(error.contains("There is no terminal for the confirmation prompt: add --yes"), "{error}");
    assert_eq!(world.sandbox.aws().catalog().change_set_overviews(), [], "nothing was sent");

    let said = apply(&world).await.text();
    assert!(said.contains("SUCCEEDED") && said.contains("There is nothing to change for"), "{said}");
    let after = judged(&world).await;
    let wanted = CHECKS.iter().filter(|check| check.id.starts_with("listing.")).count();
    assert!(after.len() == wanted && after.iter().all(|(_, outcome, _)| *outcome == Outcome::Pass), "{after:?}");

    let said = apply(&world).await.text();
    assert_eq!(said, "There is nothing to change for prod-democonsumption01 (Demo Contract with Consumption).\n");
    assert_eq!(world.sandbox.aws().catalog().change_set_overviews().len(), 2, "the second run sent nothing");
}

#[tokio::test]
async fn a_product_without_an_offer_gets_one() {
    let world = bare().await;
    let offers = world.sandbox.aws().catalog().entity_overviews().into_iter();
    let is_its_offer = |details: &Value| details["ProductId"] == "prod-democonsumption01";
    let mut offers = offers.filter(|it| it.kind == EntityKind::Offer && is_its_offer(&json!(it.details)));
    let elsewhere = json!({ "ProductId": "prod-elsewhere" });
    world.sandbox.aws().catalog().patch(&offers.next().unwrap().id, elsewhere.as_object().unwrap().clone()).unwrap();
    let said = apply(&world).await.text();
    assert!(said.contains("CreateOffer") && said.contains("There is nothing to change for"), "{said}");
    let after = judged(&world).await;
    assert!(after.iter().all(|(_, outcome, _)| *outcome == Outcome::Pass), "{after:?}");
}

#[tokio::test]
async fn only_described_attributes_are_changed_and_nothing_is_removed() {
    let world = World::new().await;
    let details = |kind: EntityKind| {
        let entities = world.sandbox.aws().catalog().entity_overviews().into_iter();
        let mut details = entities.filter(|it| it.kind == kind).map(|it| json!(it.details));
        details.find(|it| it.to_string().contains("democonsumption01")).unwrap()
    };
    let before = details(EntityKind::Product);
    let said = apply(&world).await.text();
    assert!(!said.contains("ReleaseProduct") && !said.contains("UpdatePricingTerms"), "{said}");
    let after = details(EntityKind::Product);
    let accounts = "/Targeting/PositiveTargeting/BuyerAccounts";
    let number = |product: &Value| product.pointer(accounts).unwrap().as_array().unwrap().len();
    assert_eq!((number(&before), number(&after)), (5, 10));
    assert_eq!(before.pointer("/PromotionalResources"), after.pointer("/PromotionalResources"));
    assert_eq!(before["Versions"], after["Versions"]);

    // A price, a name and a title; the others stay.
    let (_folder, dearer) = changed("\"events_extra\", usd = \"0.01\"", "\"events_extra\", usd = \"0.25\"");
    let planned = world.run(&["listing", "plan", "--json", &dearer]).await.json();
    let change = &planned["change_sets"][0]["changes"][0];
    let difference = json!({ "what": "price of events_extra", "current": "0.01 USD", "described": "0.25 USD" });
    assert_eq!((&change["change_type"], &change["differences"]), (&json!("UpdatePricingTerms"), &json!([difference])));
    let applied = world.run(&["listing", "apply", "--json", "--yes", &dearer]).await.json();
    assert_eq!(
        (&applied["sent"][0]["status"], &applied["remaining"]["change_sets"]),
        (&json!("SUCCEEDED"), &json!([]))
    );
    let terms = details(EntityKind::Offer)["Terms"].to_string();
    assert!(terms.contains("0.25") && terms.contains("P12M") && terms.contains("RenewalTerm"), "{terms}");
}

#[tokio::test]
async fn a_difference_that_remains_after_apply_is_a_failure() {
    let world = World::new().await;
    let option = |number: u8| {
        json!({
            "Id": format!("do-{number}"), "Type": "SoftwareRegistration", "Visibility": "Limited",
            "FulfillmentUrl": format!("https://old{number}.example.com/register"),
        })
    };
    let two = json!({ "Versions": [{ "Id": "version-1", "DeliveryOptions": [option(1), option(2)] }] });
    world.sandbox.aws().catalog().patch("prod-democonsumption01", two.as_object().unwrap().clone()).unwrap();
    let said = apply(&world).await;
    assert!(said.out.contains("SUCCEEDED") && said.out.contains("https://old2.example.com/register"), "{said:?}");
    let error = said.error();
    assert!(error.contains("differences remain: apply again"), "{error}");
    assert!(apply(&world).await.text().contains("There is nothing to change for"));

    // A difference that cannot be changed is no failure, and is not reported as no difference.
    let gone = json!({ "Description": { "Visibility": "Restricted" } });
    world.sandbox.aws().catalog().patch("prod-democonsumption01", gone.as_object().unwrap().clone()).unwrap();
    let said = apply(&world).await.text();
    assert!(
        said.contains("Nothing can be changed for ") && said.contains("\nNote: the product is Restricted"),
        "{said}"
    );
}

#[tokio::test]
async fn a_listing_of_the_stack_is_selected_by_its_product() {
    let world = bare().await;
    for product in [PRODUCT, "prod-democonsumption01"] {
        let planned = world.run(&["listing", "plan", "--product", product]).await.text();
        assert!(planned.contains("ReleaseProduct"), "{planned}");
    }
    let said = world.run(&["listing", "apply", "--yes", "--product", PRODUCT]).await.text();
    assert!(said.contains("SUCCEEDED") && said.contains("There is nothing to change for"), "{said}");
    let error = world.run(&["listing", "plan", "--product", "another"]).await.error();
    assert!(error.contains("no listing of \"another\". It has: ") && error.contains(PRODUCT), "{error}");
    let (_folder, unknown) = changed("prod-democonsumption01", "prod-unknown01");
    let error = world.run(&["listing", "plan", &unknown]).await.error();
    assert!(error.contains("shows no product prod-unknown01 to this account"), "{error}");
    let (_folder, production) = changed("stage = \"staging\"", "stage = \"production\"");
    let error = world.run(&["listing", "apply", "--yes", &production]).await.error();
    assert!(error.contains("is described for production, not for staging"), "{error}");
}

#[tokio::test]
async fn a_refusal_by_aws_is_reported_with_the_next_step() {
    let world = bare().await;
    // Immediately: the details break a limit.
    let (_folder, odd) = changed("https://www.example.com/logo.png", "https://localhost/logo.png");
    let error = world.run(&["listing", "apply", "--yes", &odd]).await.error();
    assert!(error.contains("ValidationException") && error.contains("LogoUrl"), "{error}");
    assert!(error.contains("refuses the change set") && error.contains("Fix the named part"), "{error}");

    // Later, while AWS processes the change set.
    let refusal = json!({ "next": "client_error", "code": "INVALID_TITLE", "message": "The title is taken." });
    world.control("/sandbox/change-sets", refusal).await;
    let error = apply(&world).await.error();
    assert!(error.contains("UpdateInformation: INVALID_TITLE: The title is taken."), "{error}");
    assert!(error.contains("has failed, and none of its changes is made"), "{error}");
    world.control("/sandbox/change-sets", json!({ "next": "server_fault" })).await;
    let error = apply(&world).await.error();
    assert!(
        error.contains("The fault is in AWS: apply again") && error.contains("An internal error occurred"),
        "{error}"
    );

    // The credentials lack a permission.
    world.fault("catalog", "StartChangeSet", "access_denied", 1).await;
    let error = apply(&world).await.error();
    assert!(error.contains("AccessDeniedException") && error.contains("aws-marketplace:StartChangeSet"), "{error}");
    world.fault("catalog", "DescribeEntity", "access_denied", 1).await;
    let error = world.run(&["listing", "plan", CONSUMPTION]).await.error();
    assert!(error.contains("AccessDeniedException") && error.contains("aws-marketplace:DescribeEntity"), "{error}");
    world.fault("catalog", "ListEntities", "throttle", 3).await;
    let error = world.run(&["listing", "plan", CONSUMPTION]).await.error();
    assert!(error.contains("throttled the request"), "{error}");

    // Lost answers start nothing twice, and every change set is followed.
    world.fault("catalog", "StartChangeSet", "after", 1).await;
    world.fault("catalog", "DescribeChangeSet", "error500", 4).await;
    assert!(apply(&world).await.text().contains("There is nothing to change for"));
    let succeeded = world.sandbox.aws().catalog().change_set_overviews().into_iter();
    assert_eq!(succeeded.filter(|change_set| change_set.status == Status::Succeeded).count(), 2);
}

#[tokio::test]
async fn succeeded_change_sets_are_kept_if_a_later_one_fails() {
    let world = bare().await;
    world.control("/sandbox/change-sets", json!({ "next": "hang_preparing" })).await;
    let apply_for_programs = world.run(&["listing", "apply", "--yes", "--json", CONSUMPTION]);
    let (said, ()) = tokio::join!(apply_for_programs, async {
        let product = waiting(&world).await;
        // The second one fails.
        world.control("/sandbox/change-sets", json!({ "next": "client_error", "code": "MISSING_TERMS" })).await;
        world.control(&format!("/sandbox/change-sets/{product}"), json!({ "verdict": "approve" })).await;
    });
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (printed["sent"].as_array().unwrap().len(), &printed["sent"][0]["status"]),
        (1, &json!("SUCCEEDED")),
        "{printed}"
    );
    assert_eq!(printed["remaining"]["change_sets"][0]["name"], "Stallkeeper: offer of prod-democonsumption01");
    let error = said.error();
    assert!(
        error.contains("1 of 2 change sets have succeeded and are kept") && error.contains("MISSING_TERMS"),
        "{error}"
    );
    let planned = world.run(&["listing", "plan", "--json", CONSUMPTION]).await.json();
    let names: Vec<&str> =
        planned["change_sets"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Stallkeeper: offer of prod-democonsumption01"]);
    assert!(apply(&world).await.text().contains("There is nothing to change for"));
}

#[tokio::test]
async fn a_blocked_change_set_is_reported_with_its_blocker_and_how_to_cancel_that() {
    let world = bare().await;
    for (next, stoppable) in [("hang_preparing", true), ("hang_applying", false)] {
        world.control("/sandbox/change-sets", json!({ "next": next })).await;
        let (first, ()) = tokio::join!(apply(&world), async {
            let holder = waiting(&world).await;
            let error = apply(&world).await.error();
            assert!(error.contains(&format!("the change set {holder} (Stallkeeper: product prod-demo")), "{error}");
            assert!(error.contains("Wait until it has ended and apply again"), "{error}");
            assert_eq!(
                error.contains(&format!(
                    "cancel-change-set --region us-east-1 --catalog AWSMarketplace --change-set-id {holder}"
                )),
                stoppable,
                "{error}"
            );
            world
                .control(&format!("/sandbox/change-sets/{holder}"), json!({ "verdict": "reject", "message": "No." }))
                .await;
        });
        let error = first.error();
        assert!(error.contains("INVALID_INPUT: No."), "{error}");
    }
}

/// Returns the id of the waiting change set, once there is one.
async fn waiting(world: &World) -> String {
    loop {
        let all = world.client.control(Method::GET, "/sandbox/change-sets", Value::Null).await.unwrap();
        let mut all = all["change_sets"].as_array().unwrap().iter();
        if let Some(waits) = all.find(|change_set| change_set["waits"] == true) {
            return waits["id"].as_str().unwrap().to_owned();
        }
    }
}

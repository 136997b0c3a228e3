//! The Catalog API: the effects of change sets, and the requests that it refuses.

use aws_sdk_marketplacecatalog::error::SdkError;
use aws_sdk_marketplacecatalog::operation::start_change_set::{StartChangeSetError, StartChangeSetOutput};
use aws_sdk_marketplacecatalog::types::{Change, ChangeStatus, Entity, FailureCode, Intent};
use serde_json::{Value, json};

use crate::fixture::{CONSUMPTION, LocalAws, code, start};

pub(crate) const CATALOG: &str = "AWSMarketplace";
pub(crate) const PRODUCT: &str = "prod-democonsumption01";
const OFFER: &str = "offer-democonsumption01";
const OPTION: &str = "do-democonsumption01";

/// Returns a change of an entity: of an offer if its id or reference contains `offer`, else of a product.
pub(crate) fn change(change_type: &str, entity: &str, details: Value) -> Change {
    let kind = if entity.to_lowercase().contains("offer") { "Offer@1.0" } else { "SaaSProduct@1.0" };
    let entity = Entity::builder().r#type(kind).identifier(entity).build().unwrap();
    Change::builder().change_type(change_type).entity(entity).details(details.to_string()).build().unwrap()
}

/// Returns a change that creates an entity, and names the change.
fn creation(change_type: &str, kind: &str, name: &str, details: Value) -> Change {
    let entity = Entity::builder().r#type(kind).build().unwrap();
    let change = Change::builder().change_type(change_type).entity(entity).change_name(name);
    change.details(details.to_string()).build().unwrap()
}

pub(crate) async fn start_changes(
    local: &LocalAws,
    changes: Vec<Change>,
) -> Result<StartChangeSetOutput, SdkError<StartChangeSetError>> {
    local.catalog().start_change_set().catalog(CATALOG).set_change_set(Some(changes)).send().await
}

/// Starts a change set that must end immediately. Returns its status, and the codes of the errors of its changes.
async fn outcome(local: &LocalAws, changes: Vec<Change>) -> (ChangeStatus, Vec<Vec<String>>) {
    let id = start_changes(local, changes).await.unwrap().change_set_id.unwrap();
    let described = local.catalog().describe_change_set().catalog(CATALOG).change_set_id(id).send().await.unwrap();
    assert!(described.end_time().is_some());
    let is_clients = described.failure_code() == Some(&FailureCode::ClientError);
    assert_eq!(is_clients, described.status() == Some(&ChangeStatus::Failed));
    let codes = described
        .change_set()
        .iter()
        .map(|change| change.error_detail_list().iter().map(|error| error.error_code().unwrap().to_owned()).collect());
    (described.status().unwrap().clone(), codes.collect())
}

async fn succeeds(local: &LocalAws, changes: Vec<Change>) {
    let (status, errors) = outcome(local, changes).await;
    assert_eq!(status, ChangeStatus::Succeeded, "{errors:?}");
}

/// Starts a change set of one change that must fail, and returns the code of its error.
async fn failure(local: &LocalAws, change: Change) -> String {
    let (status, errors) = outcome(local, vec![change]).await;
    assert_eq!(status, ChangeStatus::Failed);
    errors[0][0].clone()
}

async fn refusal(local: &LocalAws, changes: Vec<Change>) -> String {
    code(start_changes(local, changes).await)
}

async fn details(local: &LocalAws, entity: &str) -> Value {
    let answer = local.catalog().describe_entity().catalog(CATALOG).entity_id(entity).send().await.unwrap();
    serde_json::from_str(answer.details().unwrap()).unwrap()
}

fn information() -> Value {
    json!({
        "ProductTitle": "Harbor",
        "ShortDescription": "Counts ships.",
        "LongDescription": "Counts ships as they come in.",
        "Highlights": ["Ships"],
        "SearchKeywords": ["ships"],
        "Categories": ["Monitoring"],
        "LogoUrl": "https://www.example.com/harbor.png",
        "VideoUrls": ["https://www.example.com/tour"],
        "AdditionalResources": [{ "Text": "Manual", "Url": "https://www.example.com/manual" }],
        "SupportDescription": "Write to us.",
    })
}

fn dimension(key: &str, kind: &str) -> Value {
    json!({ "Key": key, "Name": key, "Description": key, "Unit": "Units", "Types": [kind] })
}

fn delivery() -> Value {
    let details = json!({ "FulfillmentUrl": "https://harbor.example.com/register" });
    json!({ "DeliveryOptions": [{ "Details": { "SaaSUrlDeliveryOptionDetails": details } }] })
}

fn pricing(key: &str) -> Value {
    let card = json!([{ "RateCard": [{ "DimensionKey": key, "Price": "0.15" }] }]);
    let term = json!({ "Type": "UsageBasedPricingTerm", "CurrencyCode": "USD", "RateCards": card });
    json!({ "PricingModel": "Usage", "Terms": [term] })
}

fn legal() -> Value {
    let documents = json!([{ "Type": "StandardEula", "Version": "2022-07-14" }]);
    json!({ "Terms": [{ "Type": "LegalTerm", "Documents": documents }] })
}

/// All changes from a draft product and its draft offer to released ones.
fn to_limited(product: &str, offer: &str) -> Vec<Change> {
    vec![
        change("UpdateInformation", product, information()),
        change("UpdateTargeting", product, json!({ "PositiveTargeting": { "BuyerAccounts": ["111122223333"] } })),
        change("AddDeliveryOptions", product, delivery()),
        change("AddDimensions", product, json!([dimension("ships", "ExternallyMetered")])),
        change("ReleaseProduct", product, json!({})),
        change("UpdateInformation", offer, json!({ "Name": "Public offer", "Description": "For all" })),
        change("UpdatePricingTerms", offer, pricing("ships")),
        change("UpdateLegalTerms", offer, legal()),
        change("UpdateSupportTerms", offer, json!({ "Terms": [{ "Type": "SupportTerm", "RefundPolicy": "None." }] })),
        change("ReleaseOffer", offer, json!({})),
    ]
}

#[tokio::test]
async fn a_bare_product_becomes_limited() {
    let local = start().await;
    local.aws.catalog().strip(&CONSUMPTION.parse().unwrap()).unwrap();
    let bare = details(&local, PRODUCT).await;
    assert_eq!(bare["Description"]["Visibility"], "Draft");
    assert_eq!(bare["Dimensions"], json!([]));
    assert_eq!(failure(&local, change("ReleaseProduct", PRODUCT, json!({}))).await, "MISSING_PRODUCT_TITLE");

    succeeds(&local, to_limited(PRODUCT, OFFER)).await;
    let product = details(&local, PRODUCT).await;
    assert_eq!(product["Description"]["ProductTitle"], "Harbor");
    assert_eq!(product["Description"]["ProductCode"], CONSUMPTION, "what was there stays");
    assert_eq!(product["Description"]["Visibility"], "Limited");
    assert_eq!(product["SupportInformation"]["Description"], "Write to us.");
    assert_eq!(product["PromotionalResources"]["Videos"][0]["Url"], "https://www.example.com/tour");
    assert_eq!(product["PromotionalResources"]["AdditionalResources"][0]["Text"], "Manual");
    assert_eq!(product["Targeting"]["PositiveTargeting"]["BuyerAccounts"], json!(["111122223333"]));
    let option = &product["Versions"][0]["DeliveryOptions"][0];
    assert_eq!(option["Id"], OPTION);
    assert_eq!(option["FulfillmentUrl"], "https://harbor.example.com/register");
    assert_eq!(option["Visibility"], "Limited");
    let offer = details(&local, OFFER).await;
    assert_eq!(offer["State"], "Released");
    assert_eq!(offer["Terms"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_product_and_its_offer_are_created_by_one_change_set() {
    let local = start().await;
    let product = "$CreateProductChange.Entity.Identifier";
    let created = creation("CreateProduct", "SaaSProduct@1.0", "CreateProductChange", json!({}));
    let offered = creation("CreateOffer", "Offer@1.0", "CreateOfferChange", json!({ "ProductId": product }));
    let mut changes = to_limited(product, "$CreateOfferChange.Entity.Identifier");
    changes.insert(5, offered);
    changes.insert(0, created);
    succeeds(&local, changes).await;

    let listed = local.catalog().list_entities().catalog(CATALOG).entity_type("SaaSProduct").send().await.unwrap();
    let summary = listed.entity_summary_list().iter().find(|summary| summary.name() == Some("Harbor")).unwrap();
    let id = summary.entity_id().unwrap();
    assert!(id.starts_with("prod-"), "{id}");
    let product = details(&local, id).await;
    assert_eq!(product["Description"]["ProductCode"].as_str().unwrap().len(), 25);
    let offers = local.catalog().list_entities().catalog(CATALOG).entity_type("Offer").send().await.unwrap();
    let offers = offers.entity_summary_list().iter().filter_map(|summary| summary.offer_summary());
    assert_eq!(offers.filter(|offer| offer.product_id() == Some(id)).count(), 1);
}

#[tokio::test]
async fn dimensions_are_added_renamed_and_restricted() {
    let local = start().await;
    let keys = async || {
        let product = details(&local, PRODUCT).await;
        let dimensions = product["Dimensions"].as_array().unwrap().clone();
        dimensions.into_iter().map(|it| it["Key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    succeeds(&local, vec![change("AddDimensions", PRODUCT, json!([dimension("ships", "Entitled")]))]).await;
    assert_eq!(keys().await, ["events_included", "events_extra", "ships"]);
    let again = change("AddDimensions", PRODUCT, json!([dimension("ships", "Entitled")]));
    assert_eq!(failure(&local, again).await, "INVALID_INPUT");

    let named = json!([{ "Key": "ships", "Types": ["Entitled"], "Name": "Ships" }]);
    succeeds(&local, vec![change("UpdateDimensions", PRODUCT, named)]).await;
    assert_eq!(details(&local, PRODUCT).await["Dimensions"][2]["Name"], "Ships");
    let retyped = json!([{ "Key": "ships", "Types": ["Metered"] }]);
    assert_eq!(failure(&local, change("UpdateDimensions", PRODUCT, retyped)).await, "INVALID_INPUT");

    let gone = json!([{ "Key": "ships", "Types": ["Entitled"] }]);
    succeeds(&local, vec![change("RestrictDimensions", PRODUCT, gone.clone())]).await;
    assert_eq!(keys().await, ["events_included", "events_extra"]);
    assert_eq!(failure(&local, change("RestrictDimensions", PRODUCT, gone)).await, "INVALID_INPUT");
}

#[tokio::test]
async fn a_change_that_the_state_of_an_entity_does_not_allow_fails_the_change_set() {
    let local = start().await;
    let option = |id: &str| {
        let details = json!({ "FulfillmentUrl": "https://harbor.example.com/register" });
        json!({ "DeliveryOptions": [{ "Id": id, "Details": { "SaaSUrlDeliveryOptionDetails": details } }] })
    };
    let cases = [
        (change("ReleaseProduct", PRODUCT, json!({})), "INCOMPATIBLE_PRODUCT_STATUS"),
        (change("UpdateVisibility", PRODUCT, json!({ "TargetVisibility": "Limited" })), "INCOMPATIBLE_PRODUCT_STATUS"),
        (change("AddDeliveryOptions", PRODUCT, delivery()), "INVALID_INPUT"),
        (change("UpdateDeliveryOptions", PRODUCT, option("do-none")), "INVALID_INPUT"),
        (change("UpdatePricingTerms", OFFER, pricing("events_extra")), "INCOMPATIBLE_PRICING_MODEL"),
        (change("ReleaseOffer", OFFER, json!({})), "INCOMPATIBLE_OFFER_STATUS"),
    ];
    for (change, code) in cases {
        assert_eq!(failure(&local, change.clone()).await, code, "{change:?}");
    }
    succeeds(&local, vec![change("UpdateDeliveryOptions", PRODUCT, option(OPTION))]).await;
    let url = &details(&local, PRODUCT).await["Versions"][0]["DeliveryOptions"][0]["FulfillmentUrl"];
    assert_eq!(url, "https://harbor.example.com/register");

    // A second offer for everybody, and one that lacks its terms.
    let create = creation("CreateOffer", "Offer@1.0", "OtherOffer", json!({ "ProductId": PRODUCT, "Name": "Other" }));
    let other = "$OtherOffer.Entity.Identifier";
    let mut changes = vec![
        create,
        change("UpdateInformation", other, json!({ "Description": "For all" })),
        change("UpdatePricingTerms", other, pricing("events_extra")),
        change("ReleaseOffer", other, json!({})),
    ];
    let (_, errors) = outcome(&local, changes.clone()).await;
    assert_eq!(errors, [vec![], vec![], vec![], vec!["MISSING_MANDATORY_TERMS".to_owned()]]);
    let support = json!({ "Terms": [{ "Type": "SupportTerm", "RefundPolicy": "None." }] });
    changes.insert(1, change("UpdateLegalTerms", other, legal()));
    changes.insert(1, change("UpdateSupportTerms", other, support));
    let (_, errors) = outcome(&local, changes.clone()).await;
    assert_eq!(errors[5], ["TOO_MANY_OFFERS"]);
    let buyers = json!({ "PositiveTargeting": { "BuyerAccounts": ["111122223333"] } });
    changes.insert(1, change("UpdateTargeting", other, buyers));
    succeeds(&local, changes).await;
}

#[tokio::test]
async fn a_change_set_applies_all_changes_or_none() {
    let local = start().await;
    let before = details(&local, PRODUCT).await;
    let (status, errors) = outcome(
        &local,
        vec![
            change("UpdateInformation", PRODUCT, json!({ "ProductTitle": "Other" })),
            change("ReleaseProduct", PRODUCT, json!({})),
        ],
    )
    .await;
    assert_eq!(status, ChangeStatus::Failed);
    assert_eq!(errors, [vec![], vec!["INCOMPATIBLE_PRODUCT_STATUS".to_owned()]]);
    assert_eq!(details(&local, PRODUCT).await, before);
}

#[tokio::test]
async fn an_invalid_change_set_is_refused_immediately() {
    let local = start().await;
    let renamed = |title: &str| change("UpdateInformation", PRODUCT, json!({ "ProductTitle": title }));
    let invalid = [
        vec![],
        vec![renamed("One"); 21],
        vec![renamed("One"), renamed("Two")],
        vec![renamed(&"x".repeat(73))],
        vec![change("UpdateInformation", PRODUCT, json!({ "Colour": "red" }))],
        vec![change("PaintProduct", PRODUCT, json!({}))],
        vec![change("UpdatePricingTerms", PRODUCT, pricing("events_extra"))],
        vec![change("UpdateInformation", "$Nothing.Entity.Identifier", json!({ "ProductTitle": "One" }))],
        vec![change("CreateProduct", PRODUCT, json!({}))],
        vec![creation("ReleaseProduct", "SaaSProduct@1.0", "Release", json!({}))],
        vec![creation("CreateProduct", "AmiProduct@1.0", "Create", json!({}))],
    ];
    for changes in invalid {
        assert_eq!(refusal(&local, changes.clone()).await, "ValidationException", "{changes:?}");
    }
    assert_eq!(
        refusal(&local, vec![change("ReleaseProduct", "prod-none", json!({}))]).await,
        "ResourceNotFoundException"
    );
    let validated = local.catalog().start_change_set().catalog(CATALOG).change_set(renamed("One"));
    assert_eq!(code(validated.intent(Intent::Validate).send().await), "ValidationException");
    let listed = local.catalog().list_change_sets().catalog(CATALOG).send().await.unwrap();
    assert!(listed.change_set_summary_list().is_empty(), "nothing was started");
}

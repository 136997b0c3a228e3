//! The seller's catalog through the control API: entities in any state, change sets that fail, hang or are reviewed.

use aws_sdk_marketplacecatalog::types::{Change, Entity};
use domain::listing::Stage;
use sandbox::products::fulfillment_url;

use super::refused_calls::problem;
use super::*;

const PRODUCT: &str = "prod-democontract01";

/// Returns an entity of an answer.
fn entity<'a>(answer: &'a Value, id: &str) -> &'a Value {
    answer["entities"].as_array().unwrap().iter().find(|entity| entity["id"] == id).unwrap()
}

impl TestSandbox {
    /// Changes a product in AWS, as the seller's programs do, and returns the change set's id.
    async fn change(&self, change_type: &str, details: Value) -> String {
        let client = aws_sdk_marketplacecatalog::Client::new(self.sandbox.sdk_config());
        let entity = Entity::builder().r#type("SaaSProduct@1.0").identifier(PRODUCT).build().unwrap();
        let change = Change::builder().change_type(change_type).entity(entity).details(details.to_string());
        let request = client.start_change_set().catalog("AWSMarketplace").change_set(change.build().unwrap());
        request.send().await.unwrap().change_set_id.unwrap()
    }
}

#[tokio::test]
async fn an_entity_can_be_broken_and_reset() {
    let sandbox = TestSandbox::start().await;
    let all = sandbox.get("/sandbox/catalog").await;
    assert_eq!(all["entities"].as_array().unwrap().len(), 10, "a product and an offer of each listing");
    let product = entity(&all, PRODUCT);
    assert_eq!(product["type"], "SaaSProduct@1.0");
    assert_eq!(product["last_modified"], START);
    let option = product["details"]["Versions"][0]["DeliveryOptions"][0].clone();
    assert_eq!(option["FulfillmentUrl"], fulfillment_url(Stage::Staging));

    let broken = json!({ "PromotionalResources": { "LogoUrl": null }, "Dimensions": [] });
    let after = sandbox.patch(&format!("/sandbox/catalog/{PRODUCT}"), broken).await;
    let details = &entity(&after, PRODUCT)["details"];
    assert_eq!(details["PromotionalResources"]["LogoUrl"], Value::Null);
    assert_eq!(details["PromotionalResources"]["Videos"], json!([]), "what is not named stays");
    assert_eq!(details["Dimensions"], json!([]));
    assert_eq!(entity(&after, PRODUCT)["revision"], 2);
    let after = sandbox.patch("/sandbox/catalog/offer-democontract01", json!({ "State": "Draft" })).await;
    assert_eq!(entity(&after, "offer-democontract01")["details"]["State"], "Draft");
    let after = sandbox.patch("/sandbox/catalog/demo-contract", json!({ "Versions": null })).await;
    assert_eq!(entity(&after, PRODUCT)["details"]["Versions"], Value::Null, "by the name of its listing");

    let bare = sandbox.post("/sandbox/catalog/demo-contract/bare", json!({})).await;
    assert_eq!(entity(&bare, PRODUCT)["details"]["Description"]["Visibility"], "Draft");
    assert_eq!(entity(&bare, "offer-democontract01")["details"]["Terms"], json!([]));

    let reset = sandbox.post(&format!("/sandbox/catalog/{PRODUCT}/reset"), json!({})).await;
    for id in [PRODUCT, "offer-democontract01"] {
        assert_eq!(entity(&reset, id)["details"], entity(&all, id)["details"], "{id}");
    }
}

#[tokio::test]
async fn a_review_ends_with_the_given_verdict() {
    let sandbox = TestSandbox::start().await;
    let id = sandbox.change("UpdateVisibility", json!({ "TargetVisibility": "Public" })).await;
    let waiting = sandbox.get("/sandbox/change-sets").await["change_sets"][0].clone();
    assert_eq!(waiting["id"], id.as_str());
    assert_eq!(waiting["status"], "PREPARING");
    assert_eq!(waiting["waits"], true);
    assert_eq!(waiting["changes"][0]["change_type"], "UpdateVisibility");
    assert_eq!(entity(&sandbox.get("/sandbox/catalog").await, PRODUCT)["locked_by"], id.as_str());

    let path = format!("/sandbox/change-sets/{id}");
    let rejected = sandbox.post(&path, json!({ "verdict": "reject", "message": "No video." })).await;
    assert_eq!(rejected["status"], "FAILED");
    assert_eq!(rejected["failure_code"], "CLIENT_ERROR");
    assert_eq!(rejected["changes"][0]["errors"], json!([{ "code": "INVALID_INPUT", "message": "No video." }]));
    let answer = sandbox.client.post(sandbox.url(&path)).json(&json!({ "verdict": "approve" })).send().await.unwrap();
    assert_eq!(problem(answer, 409, &path).await["code"], "change_set_does_not_wait");

    let id = sandbox.change("UpdateVisibility", json!({ "TargetVisibility": "Public" })).await;
    let approved = sandbox.post(&format!("/sandbox/change-sets/{id}"), json!({ "verdict": "approve" })).await;
    assert_eq!(approved["status"], "SUCCEEDED");
    let product = sandbox.get("/sandbox/catalog").await;
    assert_eq!(entity(&product, PRODUCT)["details"]["Description"]["Visibility"], "Public");
}

#[tokio::test]
async fn a_reset_removes_a_hanging_change_set() {
    let sandbox = TestSandbox::start().await;
    sandbox.post("/sandbox/change-sets", json!({ "next": "hang_applying" })).await;
    let id = sandbox.change("UpdateInformation", json!({ "ProductTitle": "Harbor" })).await;
    assert_eq!(entity(&sandbox.get("/sandbox/catalog").await, PRODUCT)["locked_by"], id.as_str());
    let reset = sandbox.post("/sandbox/catalog/demo-contract/reset", json!({})).await;
    assert_eq!(entity(&reset, PRODUCT)["locked_by"], Value::Null);
    let change_sets = sandbox.get("/sandbox/change-sets").await["change_sets"].clone();
    assert_eq!(change_sets[0]["status"], "CANCELLED");
    assert_eq!(change_sets[0]["ended"], START);
}

#[tokio::test]
async fn a_call_for_an_unknown_entity_lists_the_known_ones() {
    let sandbox = TestSandbox::start().await;
    let cases = [
        ("PATCH", "/sandbox/catalog/prod-none", json!({}), 404, "entity_unknown", PRODUCT),
        ("PATCH", "/sandbox/catalog/prod-none", json!([]), 400, "body_invalid", "JSON object"),
        ("POST", "/sandbox/catalog/prod-none/reset", json!({}), 400, "product_unknown", "demo-contract"),
        ("POST", "/sandbox/catalog/prod-none/bare", json!({}), 400, "product_unknown", "demo-contract"),
        ("PATCH", "/sandbox/catalog/%ff", json!({}), 400, "parameter_invalid", "UTF-8"),
        ("POST", "/sandbox/change-sets/none", json!({ "verdict": "approve" }), 404, "change_set_unknown", "`none`"),
        ("POST", "/sandbox/change-sets/none", json!({ "verdict": "later" }), 400, "body_invalid", "`approve`"),
        ("POST", "/sandbox/change-sets", json!({ "next": "success" }), 400, "body_invalid", "`hang_preparing`"),
        ("POST", "/sandbox/change-sets", json!({ "next": "server_fault", "code": "X" }), 400, "body_invalid", "code"),
    ];
    for (method, path, body, status, code, part) in cases {
        let request = sandbox.client.request(method.parse().unwrap(), sandbox.url(path)).json(&body);
        let problem = problem(request.send().await.unwrap(), status, path).await;
        assert_eq!(problem["code"], code, "{path} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{path} {problem}");
    }
}

//! The client of the AWS Marketplace Catalog API: products, offers and requests to become public.

use domain::catalog::{EulaAtAws, PublicRequest, Visibility};
use domain::ids::ProductId;
use jiff::{SignedDuration, Timestamp};
use marketplace::{Catalog, MarketplaceError};
use reqwest::Method;
use serde_json::{Value, json};
use tests::TestEnvironment;

fn product() -> ProductId {
    "prod-democontract01".parse().unwrap()
}

fn catalog(world: &TestEnvironment) -> Catalog {
    Catalog::new(world.sandbox.sdk_config())
}

/// Sends a change set of one change of the product.
async fn change(world: &TestEnvironment, change_type: &str, details: Value) {
    let client = aws_sdk_marketplacecatalog::Client::new(world.sandbox.sdk_config());
    let entity = aws_sdk_marketplacecatalog::types::Entity::builder().r#type("SaaSProduct@1.0");
    let change = aws_sdk_marketplacecatalog::types::Change::builder()
        .change_type(change_type)
        .entity(entity.identifier(product().as_str()).build().unwrap())
        .details(details.to_string());
    client.start_change_set().catalog("AWSMarketplace").change_set(change.build().unwrap()).send().await.unwrap();
}

#[tokio::test]
async fn a_product_and_its_offers_are_read() {
    let world = TestEnvironment::new().await;
    let catalog = catalog(&world);
    let read = catalog.product(&product()).await.unwrap().unwrap();
    assert_eq!(
        (read.visibility, read.product_code.as_deref()),
        (Visibility::Limited, Some("4democontract0000000000ab"))
    );
    assert_eq!(read.dimensions[0].unit, "users");
    let offers = catalog.offers(&product()).await.unwrap();
    assert_eq!((offers.len(), &offers[0].eula), (1, &Some(EulaAtAws::Standard)));
    assert!(offers[0].is_public(world.now()));

    let unknown = "prod-unknown01".parse().unwrap();
    assert_eq!(catalog.product(&unknown).await.unwrap(), None);
    assert_eq!(catalog.offers(&unknown).await.unwrap(), []);
    assert_eq!(public_requested(&catalog, &unknown).await, None);
}

#[tokio::test]
async fn a_visibility_request_is_pending_until_it_is_rejected() {
    let world = TestEnvironment::new().await;
    let catalog = catalog(&world);
    assert_eq!(public_requested(&catalog, &product()).await, None);
    let asked_at = world.now();
    change(&world, "UpdateVisibility", json!({ "TargetVisibility": "Public" })).await;
    world.advance(SignedDuration::from_hours(24)).await;
    assert_eq!(public_requested(&catalog, &product()).await, Some(asked_at));

    let change_sets = world.control(Method::GET, "/sandbox/change-sets", Value::Null).await;
    let id = change_sets["change_sets"][0]["id"].as_str().unwrap();
    let rejected = json!({ "verdict": "reject", "message": "No video" });
    world.control(Method::POST, &format!("/sandbox/change-sets/{id}"), rejected).await;
    let refused = PublicRequest { at: asked_at, refused: Some("No video".to_owned()) };
    assert_eq!(public_request(&catalog, &product()).await, Some(refused));
    assert_eq!(public_requested(&catalog, &product()).await, None);

    // A second request follows, and other changes after it.
    let asked_at = world.now();
    change(&world, "UpdateVisibility", json!({ "TargetVisibility": "Public" })).await;
    let change_sets = world.control(Method::GET, "/sandbox/change-sets", Value::Null).await;
    let waits = change_sets["change_sets"].as_array().unwrap().iter().find(|one| one["waits"] == true).unwrap();
    let path = format!("/sandbox/change-sets/{}", waits["id"].as_str().unwrap());
    world.control(Method::POST, &path, json!({ "verdict": "approve" })).await;
    for hour in 0..25 {
        world.advance(SignedDuration::from_hours(1)).await;
        change(&world, "UpdateInformation", json!({ "ShortDescription": format!("Number {hour}") })).await;
    }
    assert_eq!(public_requested(&catalog, &product()).await, Some(asked_at));
    assert_eq!(catalog.product(&product()).await.unwrap().unwrap().visibility, Visibility::Public);
}

#[tokio::test]
async fn catalog_errors_are_distinguished() {
    let world = TestEnvironment::new().await;
    let fault = json!({ "service": "catalog", "operation": "DescribeEntity", "kind": "access_denied", "times": 9 });
    world.fault(fault).await;
    let refused = catalog(&world).product(&product()).await;
    assert!(matches!(refused, Err(MarketplaceError::Refused { code }) if code == "AccessDeniedException"));
    let fault = json!({ "service": "catalog", "operation": "ListEntities", "kind": "throttle", "times": 9 });
    world.fault(fault).await;
    assert!(matches!(catalog(&world).offers(&product()).await, Err(MarketplaceError::Throttled)));
}

/// Returns the time of the last request that a product becomes public, or `None` if AWS has refused it.
async fn public_requested(catalog: &Catalog, id: &ProductId) -> Option<Timestamp> {
    public_request(catalog, id).await.filter(|request| request.refused.is_none()).map(|request| request.at)
}

async fn public_request(catalog: &Catalog, id: &ProductId) -> Option<PublicRequest> {
    let change_sets = catalog.change_sets_of(id).await.unwrap();
    catalog.public_request(id, change_sets).await.unwrap()
}

//! The Catalog API: the seller's products and offers.

use aws_sdk_marketplacecatalog::types::{
    EntityTypeFilters, EntityTypeSort, Filter, OfferFilters, OfferProductIdFilter, OfferSetFilters, OwnershipType,
    SaaSProductFilters, SaaSProductSort, SaaSProductSortBy, SaaSProductTitleFilter, SaaSProductVisibilityFilter,
    SaaSProductVisibilityString, Sort, SortOrder,
};
use local_aws::{Fault, Service};
use serde_json::{Value, json};

use crate::fixture::{CONSUMPTION, FULFILLMENT_URL, LocalAws, code, start};

const CATALOG: &str = "AWSMarketplace";
const PRODUCT: &str = "prod-democonsumption01";
const OFFER: &str = "offer-democonsumption01";

async fn details(local: &LocalAws, entity: &str) -> Value {
    let answer = local.catalog().describe_entity().catalog(CATALOG).entity_id(entity).send().await.unwrap();
    serde_json::from_str(answer.details().unwrap()).unwrap()
}

#[tokio::test]
async fn a_product_is_a_complete_limited_product() {
    let local = start().await;
    let client = local.catalog();
    let product = client.describe_entity().catalog(CATALOG).entity_id(PRODUCT).send().await.unwrap();
    assert_eq!(product.entity_type(), Some("SaaSProduct@1.0"));
    assert_eq!(product.entity_identifier(), Some("prod-democonsumption01@1"));
    assert_eq!(
        product.entity_arn(),
        Some("arn:aws:aws-marketplace:us-east-1:444455556666:AWSMarketplace/SaaSProduct/prod-democonsumption01")
    );
    assert_eq!(product.last_modified_date(), Some("2026-11-30T12:00:00Z"));
    let document = product.details_document().unwrap().as_object().unwrap();
    assert_eq!(
        document["Description"].as_object().unwrap()["ProductTitle"].as_string(),
        Some("Demo Contract with Consumption")
    );

    let product = details(&local, PRODUCT).await;
    assert_eq!(product["Description"]["ProductCode"], CONSUMPTION);
    assert_eq!(product["Description"]["Visibility"], "Limited");
    let dimension = json!({
        "Key": "events_extra",
        "Name": "Events beyond the contract",
        "Description": "Events beyond the contract",
        "Unit": "events",
        "Types": ["ExternallyMetered"],
    });
    assert_eq!(product["Dimensions"][1], dimension);
    let option = &product["Versions"][0]["DeliveryOptions"][0];
    assert_eq!(option["Type"], "SoftwareRegistration");
    assert_eq!(option["FulfillmentUrl"], FULFILLMENT_URL);
    assert_eq!(product["Targeting"]["PositiveTargeting"]["BuyerAccounts"].as_array().unwrap().len(), 5);
    for place in ["/PromotionalResources/LogoUrl", "/SupportInformation/Description", "/Description/LongDescription"] {
        assert!(product.pointer(place).unwrap().as_str().unwrap().len() > 10, "{place}");
    }
}

#[tokio::test]
async fn the_offer_of_a_product_has_its_prices_and_terms() {
    let local = start().await;
    let offer = details(&local, OFFER).await;
    assert_eq!(offer["ProductId"], PRODUCT);
    assert_eq!(offer["State"], "Released");
    let terms: Vec<&str> =
        offer["Terms"].as_array().unwrap().iter().map(|term| term["Type"].as_str().unwrap()).collect();
    let expected =
        ["LegalTerm", "SupportTerm", "UsageBasedPricingTerm", "ConfigurableUpfrontPricingTerm", "RenewalTerm"];
    assert_eq!(terms, expected);
    let priced = |term: usize| offer["Terms"][term]["RateCards"][0]["RateCard"].clone();
    assert_eq!(priced(2), json!([{ "DimensionKey": "events_extra", "Price": "0.01" }]));
    assert_eq!(priced(3), json!([{ "DimensionKey": "events_included", "Price": "0.01" }]));
}

#[tokio::test]
async fn an_unknown_entity_is_not_found() {
    let local = start().await;
    let describe =
        |catalog: &str, entity: &str| local.catalog().describe_entity().catalog(catalog).entity_id(entity).send();
    assert_eq!(code(describe(CATALOG, "prod-none").await), "ResourceNotFoundException");
    assert_eq!(code(describe("AWSChina", PRODUCT).await), "ValidationException");
    assert_eq!(code(describe(CATALOG, "no id").await), "ValidationException");
    assert!(describe(CATALOG, "prod-democonsumption01@1").await.is_ok(), "with its revision");
}

#[tokio::test]
async fn products_are_listed_page_by_page() {
    let local = start().await;
    let mut pages = local
        .catalog()
        .list_entities()
        .catalog(CATALOG)
        .entity_type("SaaSProduct")
        .max_results(2)
        .into_paginator()
        .send();
    let mut sizes = Vec::new();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.entity_summary_list().len());
        ids.extend(page.entity_summary_list().iter().map(|summary| summary.entity_id().unwrap().to_owned()));
    }
    assert_eq!(sizes, [2, 2, 1]);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);

    let list = || local.catalog().list_entities().catalog(CATALOG).entity_type("SaaSProduct");
    assert_eq!(code(list().max_results(51).send().await), "ValidationException");
    assert_eq!(code(list().next_token("MC4wLjA").send().await), "ValidationException");
    let shared = list().ownership_type(OwnershipType::Shared).send().await.unwrap();
    assert!(shared.entity_summary_list().is_empty());
    let others = local.catalog().list_entities().catalog(CATALOG).entity_type("AmiProduct").send().await.unwrap();
    assert!(others.entity_summary_list().is_empty());
    let unknown = local.catalog().list_entities().catalog(CATALOG).entity_type("Horse").send().await;
    assert_eq!(code(unknown), "ValidationException");
}

#[tokio::test]
async fn products_are_found_by_id_title_and_visibility() {
    let local = start().await;
    let found = async |filters: SaaSProductFilters| -> Vec<String> {
        let sort = SaaSProductSort::builder().sort_by(SaaSProductSortBy::EntityId).sort_order(SortOrder::Ascending);
        let listed = local
            .catalog()
            .list_entities()
            .catalog(CATALOG)
            .entity_type("SaaSProduct")
            .entity_type_filters(EntityTypeFilters::SaaSProductFilters(filters))
            .entity_type_sort(EntityTypeSort::SaaSProductSort(sort.build()))
            .send()
            .await
            .unwrap();
        listed.entity_summary_list().iter().map(|summary| summary.entity_id().unwrap().to_owned()).collect()
    };
    let title = |title: SaaSProductTitleFilter| SaaSProductFilters::builder().product_title(title).build();
    let exact = SaaSProductTitleFilter::builder().value_list("Demo Subscription").build();
    assert_eq!(found(title(exact)).await, ["prod-demosubscription01"]);
    let part = SaaSProductTitleFilter::builder().wild_card_value("Subscription").build();
    assert_eq!(found(title(part)).await, ["prod-demolegacy01", "prod-demosubscription01"]);
    let public = SaaSProductVisibilityFilter::builder().value_list(SaaSProductVisibilityString::Public).build();
    let public = SaaSProductFilters::builder().visibility(public).build();
    assert!(found(public.clone()).await.is_empty());
    let patch = json!({ "Description": { "Visibility": "Public" } });
    local.aws.catalog().patch(PRODUCT, patch.as_object().unwrap().clone()).unwrap();
    assert_eq!(found(public).await, [PRODUCT]);

    let by_id = Filter::builder().name("EntityId").value_list(PRODUCT).build();
    let list = || local.catalog().list_entities().catalog(CATALOG).entity_type("SaaSProduct");
    let listed = list().filter_list(by_id).send().await.unwrap();
    let [summary] = listed.entity_summary_list() else { panic!("{listed:?}") };
    assert_eq!(summary.name(), Some("Demo Contract with Consumption"));
    assert_eq!(summary.visibility(), Some("Public"));
    assert_eq!(summary.saa_s_product_summary().unwrap().visibility(), Some(&SaaSProductVisibilityString::Public));
    let other = Filter::builder().name("Colour").value_list("red").build();
    assert_eq!(code(list().filter_list(other).send().await), "ValidationException");
}

#[tokio::test]
async fn the_offers_of_a_product_are_found() {
    let local = start().await;
    let filter = OfferProductIdFilter::builder().value_list(PRODUCT).build();
    let filters = EntityTypeFilters::OfferFilters(OfferFilters::builder().product_id(filter).build());
    let list = || local.catalog().list_entities().catalog(CATALOG).entity_type("Offer");
    let listed = list().entity_type_filters(filters).send().await.unwrap();
    let [summary] = listed.entity_summary_list() else { panic!("{listed:?}") };
    assert_eq!(summary.entity_id(), Some(OFFER));
    assert_eq!(summary.offer_summary().unwrap().product_id(), Some(PRODUCT));

    let by_state = Sort::builder().sort_by("State").build();
    assert!(list().sort(by_state.clone()).send().await.is_ok());
    let products = || local.catalog().list_entities().catalog(CATALOG).entity_type("SaaSProduct");
    assert_eq!(code(products().sort(by_state).send().await), "ValidationException", "a product has no state");
    let others = EntityTypeFilters::OfferSetFilters(OfferSetFilters::builder().build());
    assert_eq!(code(list().entity_type_filters(others).send().await), "ValidationException", "of another type");
}

#[tokio::test]
async fn planned_faults_apply_to_the_catalog_and_its_calls_are_logged() {
    let local = start().await;
    let describe = || local.catalog().describe_entity().catalog(CATALOG).entity_id(PRODUCT).send();
    for (kind, expected) in [
        ("throttle", "ThrottlingException"),
        ("access_denied", "AccessDeniedException"),
        ("error500", "InternalServiceException"),
    ] {
        let fault = json!({ "service": "catalog", "operation": "DescribeEntity", "kind": kind });
        local.aws.faults().add(Fault::read(&fault).unwrap()).unwrap();
        let refused = describe().await;
        assert!(refused.as_ref().unwrap_err().raw_response().unwrap().headers().get("x-amzn-errortype").is_some());
        assert_eq!(code(refused), expected);
        assert!(describe().await.is_ok());
    }
    let calls = local.aws.wire().calls(Service::Catalog, "DescribeEntity");
    assert_eq!(calls.len(), 6);
    assert_eq!(calls[0].body, json!({ "catalog": CATALOG, "entityId": PRODUCT }));
    let statuses: Vec<_> = calls.iter().map(|call| call.status.unwrap()).collect();
    assert_eq!(statuses, [429, 200, 403, 200, 500, 200]);
}

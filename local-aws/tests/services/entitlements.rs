use std::collections::BTreeMap;

use aws_sdk_marketplaceentitlement::operation::get_entitlements::builders::GetEntitlementsFluentBuilder;
use aws_sdk_marketplaceentitlement::types::GetEntitlementFilterName as By;
use aws_sdk_marketplaceentitlement::types::{Entitlement, EntitlementValue};
use jiff::SignedDuration;
use local_aws::{Behavior, Change, Delays, EndStatus, Purchase};
use serde_json::{Value, json};

use crate::fixture::{CONTRACT, LEGACY_CONTRACT, LocalAws, SUBSCRIPTION, account, code, purchase, start, start_with};

fn ask(local: &LocalAws, product: &str) -> GetEntitlementsFluentBuilder {
    local.entitlement().get_entitlements().product_code(product)
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

async fn entitlements_of(local: &LocalAws, license: &str) -> Vec<Entitlement> {
    ask(local, CONTRACT).filter(By::LicenseArn, texts(&[license])).send().await.unwrap().entitlements().to_vec()
}

fn amounts(entitlements: &[Entitlement]) -> BTreeMap<&str, i32> {
    let amount = |it: &Entitlement| it.value().unwrap().integer_value().unwrap();
    entitlements.iter().map(|it| (it.dimension().unwrap(), amount(it))).collect()
}

#[tokio::test]
async fn entitlements_exist_from_provisioning_until_revocation() {
    let local = start_with(Behavior::default(), Delays::default()).await;
    let bought = local.buy(CONTRACT, json!({"seats": 5, "projects": 2}));
    let license = bought.license_arn.unwrap().to_string();
    assert!(entitlements_of(&local, &license).await.is_empty());
    local.advance(SignedDuration::from_secs(60));
    assert!(entitlements_of(&local, &license).await.is_empty());
    local.advance(SignedDuration::from_secs(1));
    let held = entitlements_of(&local, &license).await;
    assert_eq!(amounts(&held), BTreeMap::from([("seats", 5), ("projects", 2)]));
    assert_eq!(held[0].license_arn(), Some(license.as_str()));
    assert_eq!(held[0].customer_aws_account_id(), Some(bought.account_id.as_str()));
    assert_eq!(held[0].customer_identifier(), None);
    assert_eq!(held[0].product_code(), Some(CONTRACT));
    let expires = held[0].expiration_date().unwrap();
    assert_eq!(expires.secs(), "2027-11-30T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second());

    local.aws.marketplace().change(&bought.agreement_id, Change::End { status: EndStatus::Cancelled }).unwrap();
    local.advance(SignedDuration::from_secs(30));
    assert_eq!(entitlements_of(&local, &license).await.len(), 2);
    local.advance(SignedDuration::from_secs(1));
    assert!(entitlements_of(&local, &license).await.is_empty());
}

#[tokio::test]
async fn an_amendment_is_visible_with_its_event() {
    let local = start_with(Behavior::default(), Delays::default()).await;
    let bought = local.buy_contract();
    let license = bought.license_arn.unwrap().to_string();
    local.advance(SignedDuration::from_hours(1));
    let dimensions = serde_json::from_value(json!({"projects": 1})).unwrap();
    local.aws.marketplace().change(&bought.agreement_id, Change::Amend { dimensions }).unwrap();
    assert_eq!(amounts(&entitlements_of(&local, &license).await), BTreeMap::from([("seats", 5)]));
    local.advance(SignedDuration::from_secs(61));
    assert_eq!(amounts(&entitlements_of(&local, &license).await), BTreeMap::from([("seats", 5), ("projects", 1)]));
}

#[tokio::test]
async fn entitlements_can_lag_behind_their_events() {
    let behavior = Behavior { entitlements_delay: SignedDuration::from_secs(30), ..Behavior::default() };
    let local = start_with(behavior, Delays::default()).await;
    let bought = local.buy_contract();
    let license = bought.license_arn.unwrap().to_string();
    let seats = async || amounts(&entitlements_of(&local, &license).await).get("seats").copied();
    local.advance(SignedDuration::from_secs(61 + 29));
    assert_eq!(seats().await, None, "License Updated is 29 seconds old");
    local.advance(SignedDuration::from_secs(1));
    assert_eq!(seats().await, Some(5));

    let dimensions = serde_json::from_value(json!({"seats": 9})).unwrap();
    local.aws.marketplace().change(&bought.agreement_id, Change::Amend { dimensions }).unwrap();
    local.advance(SignedDuration::from_secs(61 + 29));
    assert_eq!(seats().await, Some(5));
    local.advance(SignedDuration::from_secs(1));
    assert_eq!(seats().await, Some(9));

    local.aws.marketplace().change(&bought.agreement_id, Change::End { status: EndStatus::Cancelled }).unwrap();
    local.advance(SignedDuration::from_secs(31));
    assert_eq!(seats().await, None, "revoked entitlements disappear immediately");
}

#[tokio::test]
async fn one_license_can_have_expired_and_valid_entitlements() {
    let local = start().await;
    let bought = local.buy(CONTRACT, json!({"seats": 5, "projects": 2}));
    let market = local.aws.marketplace();
    let past = local.now() - SignedDuration::from_hours(1);
    market.set_expiration(&bought.agreement_id, &"projects".parse().unwrap(), past).unwrap();
    let held = entitlements_of(&local, bought.license_arn.unwrap().as_str()).await;
    let expired = |it: &Entitlement| it.expiration_date().unwrap().secs() < local.now().as_second();
    let expired: BTreeMap<_, _> = held.iter().map(|it| (it.dimension().unwrap(), expired(it))).collect();
    assert_eq!(expired, BTreeMap::from([("projects", true), ("seats", false)]));

    let refused = market.set_expiration(&bought.agreement_id, &"desks".parse().unwrap(), past).unwrap_err();
    assert_eq!(refused.code(), "dimension_unknown");
}

#[tokio::test]
async fn values_keep_their_types() {
    let local = start().await;
    type Arrived = fn(&EntitlementValue) -> bool;
    let cases: [(Value, Arrived); 4] = [
        (json!(7), |value| value.integer_value() == Some(7)),
        (json!(2.5), |value| value.double_value() == Some(2.5)),
        (json!(true), |value| value.boolean_value() == Some(true)),
        (json!("gold"), |value| value.string_value() == Some("gold")),
    ];
    for (given, arrived) in cases {
        let bought = local.buy(CONTRACT, json!({"seats": given}));
        let held = entitlements_of(&local, bought.license_arn.unwrap().as_str()).await;
        let value = held[0].value().unwrap();
        assert!(arrived(value), "{given} arrived as {value:?}");
        let set = usize::from(value.integer_value().is_some())
            + usize::from(value.double_value().is_some())
            + usize::from(value.boolean_value().is_some())
            + usize::from(value.string_value().is_some());
        assert_eq!(set, 1);
    }
}

#[tokio::test]
async fn filters_unite_within_a_key_and_intersect_across_keys() {
    let local = start().await;
    let buy = |who: &str| {
        let purchase =
            Purchase { account: Some(account(who)), ..purchase(CONTRACT, json!({"seats": 1, "projects": 2})) };
        local.aws.marketplace().purchase(purchase).unwrap().license_arn.unwrap().to_string()
    };
    let (one, two, other) = (buy("111111111111"), buy("111111111111"), buy("222222222222"));
    assert_ne!(one, two, "one account holds several licenses of one product");
    let count = async |request: GetEntitlementsFluentBuilder| request.send().await.unwrap().entitlements().len();
    let all = || ask(&local, CONTRACT);
    assert_eq!(count(all()).await, 6);
    assert_eq!(count(all().filter(By::LicenseArn, texts(&[&one]))).await, 2);
    assert_eq!(count(all().filter(By::LicenseArn, texts(&[&one, &other]))).await, 4);
    assert_eq!(count(all().filter(By::CustomerAwsAccountId, texts(&["111111111111"]))).await, 4);
    let seats = all().filter(By::Dimension, texts(&["seats"]));
    assert_eq!(count(seats.clone()).await, 3);
    assert_eq!(count(seats.clone().filter(By::CustomerAwsAccountId, texts(&["222222222222"]))).await, 1);
    assert_eq!(count(seats.filter(By::LicenseArn, texts(&[&two, &other]))).await, 2);
    assert_eq!(count(all().filter(By::LicenseArn, texts(&["arn:aws:license-manager::1:license:l-0"]))).await, 0);
}

#[tokio::test]
async fn a_legacy_buyer_is_found_by_customer() {
    let local = start().await;
    let bought = local.buy(LEGACY_CONTRACT, json!({"seats": 3}));
    let customer = bought.customer_identifier.unwrap().to_string();
    let answer = ask(&local, LEGACY_CONTRACT).filter(By::CustomerIdentifier, texts(&[&customer])).send().await.unwrap();
    assert_eq!(answer.entitlements()[0].customer_identifier(), Some(customer.as_str()));
    assert_eq!(answer.entitlements()[0].license_arn(), None);
}

#[tokio::test]
async fn invalid_requests_are_invalid_parameters() {
    let local = start_with(Behavior { rate_limits: false, ..Behavior::default() }, Delays::none()).await;
    local.buy_contract();
    let both = ask(&local, CONTRACT)
        .filter(By::CustomerIdentifier, texts(&["c"]))
        .filter(By::CustomerAwsAccountId, texts(&["111111111111"]));
    let cases = [
        both,
        ask(&local, "nobodysproduct"),
        ask(&local, ""),
        ask(&local, &"x".repeat(256)),
        local.entitlement().get_entitlements().set_product_code(Some(String::new())),
        ask(&local, CONTRACT).max_results(0),
        ask(&local, CONTRACT).max_results(26),
        ask(&local, CONTRACT).next_token("invented"),
        ask(&local, CONTRACT).next_token("with blank"),
        ask(&local, CONTRACT).filter(By::LicenseArn, Vec::new()),
        ask(&local, CONTRACT).filter(By::from("COLOUR"), texts(&["red"])),
    ];
    for request in cases {
        let asked = format!("{request:?}");
        assert_eq!(code(request.send().await), "InvalidParameterException", "{asked}");
    }
}

#[tokio::test]
async fn pages_end_and_the_first_may_be_empty() {
    let local = start().await;
    for _ in 0..30 {
        local.buy_contract();
    }
    let first = ask(&local, CONTRACT).send().await.unwrap();
    assert_eq!(first.entitlements().len(), 25);
    let next = first.next_token().unwrap();
    let second = ask(&local, CONTRACT).next_token(next).send().await.unwrap();
    assert_eq!((second.entitlements().len(), second.next_token()), (5, None));
    let other_query = ask(&local, CONTRACT).filter(By::Dimension, texts(&["seats"])).next_token(next);
    assert_eq!(code(other_query.send().await), "InvalidParameterException");

    local.aws.marketplace().set_empty_first_pages(2);
    let mut pages = ask(&local, CONTRACT).max_results(20).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().entitlements().len());
    }
    assert_eq!(sizes, [0, 0, 20, 10]);
}

#[tokio::test]
async fn a_product_that_is_paid_by_use_has_no_entitlements() {
    let local = start().await;
    local.buy(SUBSCRIPTION, json!({}));
    assert!(ask(&local, SUBSCRIPTION).send().await.unwrap().entitlements().is_empty());
}

#[tokio::test]
async fn more_than_twenty_requests_in_a_second_are_throttled_until_the_next_second() {
    let local = start().await;
    // The machine's clock fills the bucket too, so a burst must be quicker than that: ten times as many concurrent
    // calls.
    let burst = (0..200).map(|_| tokio::spawn(ask(&local, CONTRACT).send()));
    let mut throttled = 0;
    for answer in burst.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        if answer.is_err() {
            assert_eq!(code(answer), "ThrottlingException");
            throttled += 1;
        }
    }
    assert!((1..=180).contains(&throttled), "{throttled} were throttled");
    local.advance(SignedDuration::from_secs(1));
    ask(&local, CONTRACT).send().await.unwrap();

    let unlimited = start_with(Behavior { rate_limits: false, ..Behavior::default() }, Delays::none()).await;
    for _ in 0..30 {
        ask(&unlimited, CONTRACT).send().await.unwrap();
    }
}

use aws_sdk_marketplaceagreement::operation::search_agreements::builders::SearchAgreementsFluentBuilder;
use aws_sdk_marketplaceagreement::types::{AcceptedTerm, AgreementStatus, Filter, Sort, SortOrder};
use jiff::{SignedDuration, Timestamp};
use local_aws::{Behavior, Change, Delays, EndStatus, Purchase};
use marketplace_ids::AgreementId;
use serde_json::json;

use crate::fixture::{
    CONSUMPTION, CONTRACT, LEGACY, LocalAws, SUBSCRIPTION, account, code, purchase, start, start_with,
};

async fn status(local: &LocalAws, agreement: &AgreementId) -> AgreementStatus {
    let answer = local.agreement().describe_agreement().agreement_id(agreement.as_str()).send().await.unwrap();
    answer.status().unwrap().clone()
}

#[tokio::test]
async fn a_contract_is_described() {
    let local = start().await;
    let bought = local.buy_contract();
    let answer =
        local.agreement().describe_agreement().agreement_id(bought.agreement_id.as_str()).send().await.unwrap();
    assert_eq!(answer.agreement_id(), Some(bought.agreement_id.as_str()));
    assert_eq!(answer.agreement_type(), Some("PurchaseAgreement"));
    assert_eq!(answer.status(), Some(&AgreementStatus::Active));
    assert_eq!(answer.acceptor().unwrap().account_id(), Some(bought.account_id.as_str()));
    assert_eq!(answer.proposer().unwrap().account_id(), Some(local.aws.marketplace().seller().as_str()));
    let product = &answer.proposal_summary().unwrap().resources()[0];
    assert_eq!((product.id(), product.r#type()), (Some("prod-democontract01"), Some("SaaSProduct")));
    assert!(answer.proposal_summary().unwrap().offer_id().unwrap().starts_with("offer-"));
    let seconds = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
    assert_eq!(answer.acceptance_time().unwrap().secs(), seconds("2026-11-30T12:00:00Z"));
    assert_eq!(answer.start_time().unwrap().secs(), seconds("2026-11-30T12:00:00Z"));
    assert_eq!(answer.end_time().unwrap().secs(), seconds("2027-11-30T12:00:00Z"));
}

#[tokio::test]
async fn an_agreement_that_is_paid_by_use_has_no_end() {
    let local = start().await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let answer =
        local.agreement().describe_agreement().agreement_id(bought.agreement_id.as_str()).send().await.unwrap();
    assert_eq!(answer.end_time(), None);
}

#[tokio::test]
async fn entitlements_are_provisioned_after_a_delay_and_deprovisioned_after_the_end() {
    let local = start_with(Behavior::default(), Delays::default()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let arn = bought.license_arn.unwrap().to_string();
    for (passes, expected) in [(0, "PENDING"), (61, "PROVISIONED"), (1, "DEPROVISIONED")] {
        local.advance(SignedDuration::from_secs(passes));
        if expected == "DEPROVISIONED" {
            let end = Change::End { status: EndStatus::Cancelled };
            local.aws.marketplace().change(&bought.agreement_id, end).unwrap();
            local.advance(SignedDuration::from_secs(31));
        }
        let request = local.agreement().get_agreement_entitlements().agreement_id(bought.agreement_id.as_str());
        let answer = request.send().await.unwrap();
        let [entitlement] = answer.agreement_entitlements() else { panic!("{answer:?}") };
        assert_eq!(entitlement.status().unwrap().as_str(), expected);
        assert_eq!(entitlement.license_arn(), Some(arn.as_str()));
        assert_eq!(entitlement.registration_token(), None);
    }
}

#[tokio::test]
async fn the_status_follows_the_changes_of_an_agreement() {
    let local = start_with(Behavior::default(), Delays::default()).await;
    for (end, expected) in [
        (EndStatus::Cancelled, AgreementStatus::Cancelled),
        (EndStatus::Expired, AgreementStatus::Expired),
        (EndStatus::Terminated, AgreementStatus::Terminated),
    ] {
        let bought = local.buy_contract();
        assert_eq!(status(&local, &bought.agreement_id).await, AgreementStatus::Active);
        local.aws.marketplace().change(&bought.agreement_id, Change::End { status: end }).unwrap();
        assert_eq!(status(&local, &bought.agreement_id).await, expected);
    }
    for (change, expected) in [
        (Change::Renew { new_license: None }, AgreementStatus::Renewed),
        (Change::Replace { dimensions: Default::default(), new_license: None }, AgreementStatus::Replaced),
    ] {
        let bought = local.buy_contract();
        let next = local.aws.marketplace().change(&bought.agreement_id, change).unwrap();
        assert_ne!(next.agreement_id, bought.agreement_id);
        assert_eq!(next.license_arn, bought.license_arn);
        // The older agreement is in force until the license of the newer one is ready.
        assert_eq!(status(&local, &bought.agreement_id).await, AgreementStatus::Active);
        local.advance(SignedDuration::from_secs(61));
        assert_eq!(status(&local, &bought.agreement_id).await, expected);
        assert_eq!(status(&local, &next.agreement_id).await, AgreementStatus::Active);
    }
}

#[tokio::test]
async fn an_unknown_agreement_is_not_found_and_a_missing_one_is_invalid() {
    let local = start().await;
    let describe = |id: &str| local.agreement().describe_agreement().agreement_id(id).send();
    assert_eq!(code(describe("agmt-nobodys").await), "ResourceNotFoundException");
    assert_eq!(code(describe("").await), "ValidationException");
    assert_eq!(code(describe("no agreement").await), "ValidationException");
    assert_eq!(code(describe(&"a".repeat(65)).await), "ValidationException");
    let terms = local.agreement().get_agreement_terms().agreement_id("agmt-nobodys").send().await;
    assert_eq!(code(terms), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_validation_error_has_a_reason_and_the_field() {
    let local = start().await;
    let error = local.agreement().describe_agreement().agreement_id("!").send().await.unwrap_err().into_service_error();
    let aws_sdk_marketplaceagreement::operation::describe_agreement::DescribeAgreementError::ValidationException(error) =
        error
    else {
        panic!("{error:?}")
    };
    assert_eq!(error.reason().unwrap().as_str(), "INVALID_AGREEMENT_ID");
    assert_eq!(error.fields()[0].name(), "agreementId");
    assert!(error.request_id.is_some());
}

#[tokio::test]
async fn the_terms_are_those_of_the_purchase() {
    let local = start().await;
    let bought = local
        .aws
        .marketplace()
        .purchase(Purchase { free_trial: true, ..purchase(CONSUMPTION, json!({"events_included": 1000})) })
        .unwrap();
    let mut pages = local
        .agreement()
        .get_agreement_terms()
        .agreement_id(bought.agreement_id.as_str())
        .max_results(2)
        .into_paginator()
        .send();
    let mut terms = Vec::new();
    while let Some(page) = pages.next().await {
        terms.extend(page.unwrap().accepted_terms().to_vec());
    }
    let upfront = terms.iter().find_map(|term| term.as_configurable_upfront_pricing_term().ok()).unwrap();
    let chosen = &upfront.configuration().unwrap().dimensions()[0];
    assert_eq!((chosen.dimension_key(), chosen.dimension_value()), ("events_included", 1000));
    let usage = terms.iter().find_map(|term| term.as_usage_based_pricing_term().ok()).unwrap();
    assert_eq!(usage.rate_cards()[0].rate_card()[0].dimension_key(), Some("events_extra"));
    let trial = terms.iter().find_map(|term| term.as_free_trial_pricing_term().ok()).unwrap();
    assert_eq!(trial.duration(), Some("P14D"));
    assert!(terms.iter().any(AcceptedTerm::is_renewal_term));

    let bought = local.buy(SUBSCRIPTION, json!({}));
    let answer =
        local.agreement().get_agreement_terms().agreement_id(bought.agreement_id.as_str()).send().await.unwrap();
    assert!(answer.accepted_terms().iter().any(AcceptedTerm::is_usage_based_pricing_term));
    assert!(!answer.accepted_terms().iter().any(AcceptedTerm::is_configurable_upfront_pricing_term));
    assert!(!answer.accepted_terms().iter().any(AcceptedTerm::is_free_trial_pricing_term));
}

fn search(local: &LocalAws, filters: &[(&str, &str)]) -> SearchAgreementsFluentBuilder {
    let filters = [("PartyType", "Proposer"), ("AgreementType", "PurchaseAgreement")].iter().chain(filters);
    let filters = filters.map(|(name, value)| Filter::builder().name(*name).values(*value).build()).collect();
    local.agreement().search_agreements().catalog("AWSMarketplace").set_filters(Some(filters))
}

async fn found(request: SearchAgreementsFluentBuilder) -> Vec<String> {
    let mut pages = request.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        found.extend(page.agreement_view_summaries().iter().map(|it| it.agreement_id().unwrap().to_owned()));
    }
    found
}

#[tokio::test]
async fn a_search_returns_the_agreements_that_match_its_filters() {
    let local = start().await;
    let buy = |product: &str, dimensions, who: &str| {
        let purchase = Purchase { account: Some(account(who)), ..purchase(product, dimensions) };
        local.aws.marketplace().purchase(purchase).unwrap()
    };
    let contract = buy(CONTRACT, json!({"seats": 1}), "111111111111");
    local.advance(SignedDuration::from_hours(1));
    let subscription = buy(SUBSCRIPTION, json!({}), "111111111111");
    let legacy = buy(LEGACY, json!({}), "222222222222");
    local.advance(SignedDuration::from_hours(1));
    let end = Change::End { status: EndStatus::Cancelled };
    local.aws.marketplace().change(&subscription.agreement_id, end).unwrap();
    let renewed = local.aws.marketplace().change(&contract.agreement_id, Change::Renew { new_license: None }).unwrap();

    let [contract_id, subscription_id, legacy_id, renewed_id] =
        [&contract.agreement_id, &subscription.agreement_id, &legacy.agreement_id, &renewed.agreement_id]
            .map(|id| id.as_str().to_owned());
    let arn = contract.license_arn.unwrap().to_string();
    // By end time: the contract, its renewal, and then the agreements without an end, in the order of purchase.
    let all = vec![contract_id.clone(), renewed_id.clone(), subscription_id.clone(), legacy_id.clone()];
    assert_eq!(found(search(&local, &[])).await, all);
    assert_eq!(found(search(&local, &[]).max_results(1)).await, all);
    type Filters<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Filters<'_>, Vec<&String>); 12] = [
        (&[("AcceptorAccountId", "222222222222")], vec![&legacy_id]),
        (&[("Status", "ACTIVE")], vec![&renewed_id, &legacy_id]),
        (&[("Status", "CANCELLED")], vec![&subscription_id]),
        (&[("Status", "RENEWED"), ("AcceptorAccountId", "111111111111")], vec![&contract_id]),
        (&[("ResourceIdentifier", "prod-demolegacy01")], vec![&legacy_id]),
        (&[("ResourceType", "AmiProduct")], vec![]),
        (&[("InitialAgreementId", &contract_id)], vec![&contract_id, &renewed_id]),
        (&[("LicenseArn", &arn)], vec![&contract_id, &renewed_id]),
        (&[("BeforeEndTime", "2027-12-31")], vec![&contract_id]),
        (&[("AfterStartTime", "2026-11-30T12:30:00Z"), ("Status", "ACTIVE")], vec![&renewed_id, &legacy_id]),
        (&[("AfterLastUpdateTime", "2026-11-30T13:30:00Z")], vec![&contract_id, &renewed_id, &subscription_id]),
        (&[("EndTimeBehaviorType", "RENEW")], vec![&renewed_id]),
    ];
    for (filters, expected) in cases {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(found(search(&local, filters)).await, expected, "{filters:?}");
    }
    let newest_first = Sort::builder().sort_by("StartTime").sort_order(SortOrder::Descending).build();
    assert_eq!(found(search(&local, &[]).sort(newest_first)).await[0], renewed_id);

    let answer = search(&local, &[("Status", "ACTIVE")]).send().await.unwrap();
    let renewal = &answer.agreement_view_summaries()[0];
    assert_eq!(renewal.acceptor().unwrap().account_id(), Some("111111111111"));
    assert_eq!(renewal.proposal_summary().unwrap().resources()[0].id(), Some("prod-democontract01"));
    assert_eq!(renewal.status(), Some(&AgreementStatus::Active));
}

#[tokio::test]
async fn an_invalid_search_is_a_validation_error() {
    let local = start().await;
    let plain = || local.agreement().search_agreements();
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let acceptor =
        || plain().filters(filter("AgreementType", "PurchaseAgreement")).filters(filter("PartyType", "Acceptor"));
    let cases = [
        plain(),
        plain().filters(filter("PartyType", "Proposer")),
        plain().filters(filter("AgreementType", "PurchaseAgreement")).filters(filter("Colour", "red")),
        search(&local, &[("Status", "MISLAID")]),
        search(&local, &[("BeforeEndTime", "tomorrow")]),
        search(&local, &[("OfferId", "no blanks")]),
        search(&local, &[]).catalog("AWSCorner"),
        search(&local, &[]).max_results(51),
        search(&local, &[]).next_token("invented"),
        search(&local, &[]).sort(Sort::builder().sort_by("Colour").build()),
        plain().filters(Filter::builder().name("AgreementType").build()),
        plain().filters(Filter::builder().name("Status").values("ACTIVE").values("EXPIRED").build()),
        acceptor().filters(filter("AcceptorAccountId", "111111111111")),
        acceptor().filters(filter("ResourceType", "SaaSProduct")).filters(filter("Status", "ACTIVE")),
        acceptor().sort(Sort::builder().sort_by("StartTime").build()),
    ];
    for request in cases {
        let asked = format!("{request:?}");
        assert_eq!(code(request.send().await), "ValidationException", "{asked}");
    }
    let accepted = acceptor().filters(filter("Status", "ACTIVE")).send().await.unwrap();
    assert!(accepted.agreement_view_summaries().is_empty(), "the seller has bought nothing");
}

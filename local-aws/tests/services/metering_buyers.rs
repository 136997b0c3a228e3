//! BatchMeterUsage: the buyers and the products of usage.

use aws_sdk_marketplacemetering::types::{UsageRecord, UsageRecordResultStatus as Status};
use local_aws::{Behavior, BillingStyle, Delays, EmptyCustomerIdentifier, ProductCodeWithLicense};
use serde_json::json;

use crate::fixture::{CONSUMPTION, LEGACY, LocalAws, SUBSCRIPTION, code, start_with, usage, usage_of};

async fn unlimited(behavior: Behavior) -> LocalAws {
    start_with(Behavior { rate_limits: false, ..behavior }, Delays::none()).await
}

fn changed(record: &UsageRecord, change: impl FnOnce(&mut UsageRecord)) -> UsageRecord {
    let mut record = record.clone();
    change(&mut record);
    record
}

fn styles(local: &LocalAws) -> Vec<BillingStyle> {
    local.aws.marketplace().bill().records.into_iter().map(|record| record.style).collect()
}

#[tokio::test]
async fn a_call_is_about_one_product() {
    let local = unlimited(Behavior::default()).await;
    let now = local.now();
    let one = usage(&local.buy(SUBSCRIPTION, json!({})), "requests", 1, now);
    let other = usage(&local.buy(CONSUMPTION, json!({"events_included": 5})), "events_extra", 1, now);
    assert_eq!(local.refusal(None, &[one.clone(), other.clone()]).await, "InvalidLicenseException");
    assert_eq!(local.refusal(Some(SUBSCRIPTION), std::slice::from_ref(&other)).await, "InvalidLicenseException");
    assert!(local.billed().is_empty(), "nothing of such a call is booked");
    local.meter(None, &[one]).await.unwrap();
    local.meter(None, &[other]).await.unwrap();
    assert_eq!(local.sum(), "2");
}

#[tokio::test]
async fn one_bad_record_refuses_the_whole_call() {
    let local = unlimited(Behavior::default()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let good = usage(&bought, "requests", 1, local.now());
    let arn = |arn: &str| changed(&good, |record| record.license_arn = Some(arn.to_owned()));
    let documented = format!("aws:license-manager:us-east-1:444455556666:{}", bought.license_arn.unwrap().id());
    let cases = [
        (changed(&good, |record| record.dimension = "Requests".to_owned()), "InvalidUsageDimensionException"),
        (changed(&good, |record| record.dimension = "desks".to_owned()), "InvalidUsageDimensionException"),
        (changed(&good, |record| record.dimension = "x".repeat(256)), "ValidationException"),
        (changed(&good, |record| record.customer_aws_account_id = None), "InvalidCustomerIdentifierException"),
        (
            changed(&good, |record| record.customer_aws_account_id = Some("999999999999".to_owned())),
            "InvalidLicenseException",
        ),
        (changed(&good, |record| record.customer_aws_account_id = Some("me".to_owned())), "ValidationException"),
        (changed(&good, |record| record.customer_identifier = "Me".to_owned()), "InvalidCustomerIdentifierException"),
        (arn("arn:aws:license-manager::444455556666:license:l-0123"), "InvalidLicenseException"),
        (arn(&documented), "InvalidLicenseException"),
        (arn("nonsense"), "InvalidLicenseException"),
        (changed(&good, |record| record.license_arn = None), "InvalidProductCodeException"),
    ];
    for (bad, error) in cases {
        assert_eq!(local.refusal(None, &[good.clone(), bad.clone()]).await, error, "{bad:?}");
    }
    assert!(local.billed().is_empty());
}

#[tokio::test]
async fn only_metered_and_published_dimensions_are_accepted() {
    let local = unlimited(Behavior::default()).await;
    let bought = local.buy(CONSUMPTION, json!({"events_included": 5}));
    let entitled = usage(&bought, "events_included", 1, local.now());
    assert_eq!(local.refusal(None, &[entitled]).await, "InvalidUsageDimensionException");

    let market = local.aws.marketplace();
    let (product, extra) = (CONSUMPTION.parse().unwrap(), "events_extra".parse().unwrap());
    let record = usage(&bought, "events_extra", 1, local.now());
    market.set_unpublished(&product, &extra, true).unwrap();
    assert_eq!(local.refusal(None, std::slice::from_ref(&record)).await, "InvalidUsageDimensionException");
    market.set_unpublished(&product, &extra, false).unwrap();
    assert_eq!(local.meter_one(None, record).await.0, Status::Success);

    let refused = market.set_unpublished(&product, &"events_included".parse().unwrap(), true).unwrap_err();
    assert_eq!(refused.code(), "dimension_not_metered");
    assert!(refused.to_string().contains("events_extra"), "{refused}");
    let refused = market.set_unpublished(&"nobodys".parse().unwrap(), &extra, true).unwrap_err();
    assert_eq!(refused.code(), "product_unknown");
}

#[tokio::test]
async fn a_product_code_beside_a_license_bills_twice() {
    let local = unlimited(Behavior::default()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let record = usage(&bought, "requests", 10, local.now());
    let by_account = changed(&record, |record| record.license_arn = None);
    for (product, record) in [(None, &record), (Some(SUBSCRIPTION), &record), (Some(SUBSCRIPTION), &by_account)] {
        assert_eq!(local.meter_one(product, record.clone()).await.0, Status::Success);
    }
    assert_eq!(local.sum(), "30", "AWS takes the styles for different usage");
    assert_eq!(styles(&local), [BillingStyle::License, BillingStyle::ProductCode, BillingStyle::ProductCode]);
    let total = &local.aws.marketplace().bill().totals[0];
    assert_eq!((&total.license, total.quantity.to_string()), (bought.license_arn.unwrap().id(), "30".to_owned()));
}

#[tokio::test]
async fn a_product_code_beside_a_license_can_be_refused() {
    let refused = ProductCodeWithLicense::Refused;
    let local = unlimited(Behavior { product_code_with_license: refused, ..Behavior::default() }).await;
    let record = usage(&local.buy(SUBSCRIPTION, json!({})), "requests", 10, local.now());
    assert_eq!(local.refusal(Some(SUBSCRIPTION), std::slice::from_ref(&record)).await, "InvalidLicenseException");
    assert_eq!(local.meter_one(None, record).await.0, Status::Success);
}

#[tokio::test]
async fn an_empty_customer_identifier_is_refused_or_ignored() {
    let local = unlimited(Behavior::default()).await;
    let record = usage(&local.buy(SUBSCRIPTION, json!({})), "requests", 1, local.now());
    // The request as the SDK sends it by default.
    let send = || local.metering().batch_meter_usage().usage_records(record.clone()).send();
    assert_eq!(code(send().await), "InvalidCustomerIdentifierException");
    let ignored = Behavior { empty_customer_identifier: EmptyCustomerIdentifier::Ignored, ..Behavior::default() };
    local.aws.marketplace().set_behavior(ignored);
    let answer = send().await.unwrap();
    assert_eq!(answer.results()[0].status(), Some(&Status::Success));
}

#[tokio::test]
async fn a_legacy_buyer_is_identified_by_product_and_customer_or_account() {
    let local = unlimited(Behavior::default()).await;
    let bought = local.buy(LEGACY, json!({}));
    let customer = bought.customer_identifier.clone().unwrap();
    let record = usage_of(customer.as_str(), "requests", 3, local.now());
    let (status, id) = local.meter_one(Some(LEGACY), record.clone()).await;
    assert_eq!(status, Status::Success);
    let by_account = usage(&bought, "requests", 3, local.now());
    assert_eq!(local.meter_one(Some(LEGACY), by_account).await, (Status::Success, id), "it is the same buyer");
    let other = changed(&record, |record| record.quantity = Some(4));
    assert_eq!(local.meter_one(Some(LEGACY), other).await.0, Status::DuplicateRecord);
    let stranger = changed(&record, |record| record.customer_identifier = "Nobody".to_owned());
    assert_eq!(local.meter_one(Some(LEGACY), stranger).await, (Status::CustomerNotSubscribed, None));
    let nobodys = changed(&record, |record| {
        record.customer_identifier = String::new();
        record.customer_aws_account_id = Some("999999999999".to_owned());
    });
    assert_eq!(local.meter_one(Some(LEGACY), nobodys).await.0, Status::CustomerNotSubscribed);

    let both = changed(&record, |record| record.customer_aws_account_id = Some(bought.account_id.to_string()));
    for (product, record, error) in [
        (None, &record, "InvalidProductCodeException"),
        (Some("nobodysproduct"), &record, "InvalidProductCodeException"),
        (Some(""), &record, "InvalidProductCodeException"),
        (Some("no code"), &record, "ValidationException"),
        (Some(SUBSCRIPTION), &record, "InvalidCustomerIdentifierException"),
        (Some(LEGACY), &both, "InvalidCustomerIdentifierException"),
    ] {
        assert_eq!(local.refusal(product, std::slice::from_ref(record)).await, error, "{product:?} {record:?}");
    }
    assert_eq!(styles(&local), [BillingStyle::Customer]);
    assert_eq!(local.billed()[0].0, format!("{LEGACY}~{customer}"));
    assert_eq!(local.sum(), "3");
}

#[tokio::test]
async fn a_legacy_buyer_who_is_metered_by_license_too_is_billed_twice() {
    let local = unlimited(Behavior::default()).await;
    let bought = local.buy(LEGACY, json!({}));
    let customer = bought.customer_identifier.clone().unwrap();
    // License events contain the license ARNs of legacy buyers too.
    let arn = local.aws.marketplace().overview().licenses[0].license_arn.clone();
    let by_license = local_aws::Purchased { license_arn: Some(arn), ..bought };
    let now = local.now();
    local.meter_one(Some(LEGACY), usage_of(customer.as_str(), "requests", 3, now)).await;
    local.meter_one(None, usage(&by_license, "requests", 3, now)).await;
    assert_eq!(styles(&local), [BillingStyle::License, BillingStyle::Customer]);
    let totals = local.aws.marketplace().bill().totals;
    assert_eq!((totals.len(), totals[0].quantity.to_string()), (1, "6".to_owned()));
}

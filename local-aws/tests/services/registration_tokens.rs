use aws_sdk_marketplacemetering::operation::resolve_customer::ResolveCustomerOutput;
use jiff::SignedDuration;
use local_aws::{Behavior, Change, Delays, EndStatus, Purchase, ResolveCustomerKeys, TokenLifetime};
use serde_json::json;

use crate::fixture::{CONTRACT, LEGACY, LocalAws, SUBSCRIPTION, code, purchase, start, start_with};

async fn resolve(local: &LocalAws, token: &str) -> ResolveCustomerOutput {
    local.metering().resolve_customer().registration_token(token).send().await.unwrap()
}

async fn refusal(local: &LocalAws, token: &str) -> String {
    code(local.metering().resolve_customer().registration_token(token).send().await)
}

#[tokio::test]
async fn a_token_resolves_to_license_account_product_and_agreement() {
    let local = start().await;
    let bought = local.buy_contract();
    let answer = resolve(&local, &bought.token).await;
    assert_eq!(answer.product_code(), Some(CONTRACT));
    assert_eq!(answer.customer_aws_account_id(), Some(bought.account_id.as_str()));
    assert_eq!(answer.license_arn(), bought.license_arn.as_ref().map(|arn| arn.as_str()));
    assert_eq!(answer.metadata().unwrap().agreement_id(), Some(bought.agreement_id.as_str()));
    assert_eq!(answer.customer_identifier(), None);
    assert!(bought.license_arn.unwrap().is_sendable());
}

#[tokio::test]
async fn a_token_of_a_legacy_product_resolves_to_a_customer_without_a_license() {
    let local = start().await;
    let bought = local.buy(LEGACY, json!({}));
    assert_eq!(bought.license_arn, None);
    let answer = resolve(&local, &bought.token).await;
    assert_eq!(answer.customer_identifier(), bought.customer_identifier.as_ref().map(|id| id.as_str()));
    assert!(answer.customer_identifier().is_some());
    assert_eq!(answer.customer_aws_account_id(), Some(bought.account_id.as_str()));
    assert_eq!(answer.license_arn(), None);
}

#[tokio::test]
async fn resolve_customer_can_return_both_keys_for_products_of_both_kinds() {
    let behavior = Behavior { resolve_customer_keys: ResolveCustomerKeys::BothKeys, ..Behavior::default() };
    let local = start_with(behavior, Delays::none()).await;
    let bought = local.buy_contract();
    let first = resolve(&local, &bought.token).await;
    assert_eq!(first.license_arn(), bought.license_arn.as_ref().map(|arn| arn.as_str()));
    let customer = first.customer_identifier().unwrap();
    assert_eq!(customer.len(), 11);
    assert_eq!(first.customer_aws_account_id(), Some(bought.account_id.as_str()));
    assert_eq!(resolve(&local, &bought.token).await.customer_identifier(), Some(customer));

    let buy_again = |product: &str, dimensions| {
        let again = Purchase { account: Some(bought.account_id.clone()), ..purchase(product, dimensions) };
        local.aws.marketplace().purchase(again).unwrap()
    };
    let second = resolve(&local, &buy_again(CONTRACT, json!({"seats": 1})).token).await;
    assert_ne!(second.license_arn(), first.license_arn());
    assert_eq!(second.customer_identifier(), Some(customer), "the same buyer of the same product");
    let other = resolve(&local, &buy_again(SUBSCRIPTION, json!({})).token).await;
    assert_ne!(other.customer_identifier(), Some(customer), "of another product");

    let legacy = local.buy(LEGACY, json!({}));
    let answer = resolve(&local, &legacy.token).await;
    assert_eq!(answer.customer_identifier(), legacy.customer_identifier.as_ref().map(|id| id.as_str()));
    let license = &local.aws.marketplace().overview().licenses[3];
    assert_eq!(license.customer_identifier, legacy.customer_identifier);
    assert_eq!(answer.license_arn(), Some(license.license_arn.as_str()), "the one of its License events");
}

#[tokio::test]
async fn a_token_resolves_repeatedly_for_four_hours_and_then_expires() {
    let local = start().await;
    let bought = local.buy_contract();
    let first = resolve(&local, &bought.token).await;
    local.advance(SignedDuration::from_hours(4) - SignedDuration::from_secs(1));
    assert_eq!(resolve(&local, &bought.token).await.license_arn(), first.license_arn());
    local.advance(SignedDuration::from_secs(1));
    assert_eq!(refusal(&local, &bought.token).await, "ExpiredTokenException");
}

#[tokio::test]
async fn a_token_can_expire_after_an_hour() {
    let behavior = Behavior { token_lifetime: TokenLifetime::OneHour, ..Behavior::default() };
    let local = start_with(behavior, Delays::none()).await;
    let bought = local.buy_contract();
    local.advance(SignedDuration::from_mins(59));
    resolve(&local, &bought.token).await;
    local.advance(SignedDuration::from_mins(1));
    assert_eq!(refusal(&local, &bought.token).await, "ExpiredTokenException");
}

#[tokio::test]
async fn an_unknown_token_is_invalid() {
    let local = start().await;
    assert_eq!(refusal(&local, "forged").await, "InvalidTokenException");
    assert_eq!(refusal(&local, "").await, "ValidationException");
}

#[tokio::test]
async fn a_buyer_can_get_another_token() {
    let local = start().await;
    let bought = local.buy_contract();
    local.advance(SignedDuration::from_hours(5));
    let token = local.aws.marketplace().new_token(&bought.agreement_id).unwrap();
    assert_ne!(token, bought.token);
    let answer = resolve(&local, &token).await;
    assert_eq!(answer.license_arn(), bought.license_arn.as_ref().map(|arn| arn.as_str()));
    assert_eq!(refusal(&local, &bought.token).await, "ExpiredTokenException");

    let end = Change::End { status: EndStatus::default() };
    local.aws.marketplace().change(&bought.agreement_id, end).unwrap();
    let refused = local.aws.marketplace().new_token(&bought.agreement_id).unwrap_err();
    assert_eq!(refused.code(), "agreement_not_active");
}

use aws_sdk_marketplacemetering::operation::resolve_customer::ResolveCustomerOutput;
use jiff::SignedDuration;
use sandbox::aws::{Behavior, Change, Delays, EndStatus, Purchase, ResolveCustomerKeys, TokenLifetime};
use serde_json::json;

use crate::fixture::{CONTRACT, LEGACY, SUBSCRIPTION, Sandbox, code, purchase, start, start_with};

async fn resolve(sandbox: &Sandbox, token: &str) -> ResolveCustomerOutput {
    sandbox.metering().resolve_customer().registration_token(token).send().await.unwrap()
}

async fn refusal(sandbox: &Sandbox, token: &str) -> String {
    code(sandbox.metering().resolve_customer().registration_token(token).send().await)
}

#[tokio::test]
async fn a_token_resolves_to_license_account_product_and_agreement() {
    let sandbox = start().await;
    let bought = sandbox.buy_contract();
    let answer = resolve(&sandbox, &bought.token).await;
    assert_eq!(answer.product_code(), Some(CONTRACT));
    assert_eq!(answer.customer_aws_account_id(), Some(bought.account_id.as_str()));
    assert_eq!(answer.license_arn(), bought.license_arn.as_ref().map(|arn| arn.as_str()));
    assert_eq!(answer.metadata().unwrap().agreement_id(), Some(bought.agreement_id.as_str()));
    assert_eq!(answer.customer_identifier(), None);
    assert!(bought.license_arn.unwrap().is_sendable());
}

#[tokio::test]
async fn a_token_of_a_legacy_product_resolves_to_a_customer_without_a_license() {
    let sandbox = start().await;
    let bought = sandbox.buy(LEGACY, json!({}));
    assert_eq!(bought.license_arn, None);
    let answer = resolve(&sandbox, &bought.token).await;
    assert_eq!(answer.customer_identifier(), bought.customer_identifier.as_ref().map(|id| id.as_str()));
    assert!(answer.customer_identifier().is_some());
    assert_eq!(answer.customer_aws_account_id(), Some(bought.account_id.as_str()));
    assert_eq!(answer.license_arn(), None);
}

#[tokio::test]
async fn resolve_customer_can_return_both_keys_for_products_of_both_kinds() {
    let behavior = Behavior { resolve_customer_keys: ResolveCustomerKeys::BothKeys, ..Behavior::default() };
    let sandbox = start_with(behavior, Delays::none()).await;
    let bought = sandbox.buy_contract();
    let first = resolve(&sandbox, &bought.token).await;
    assert_eq!(first.license_arn(), bought.license_arn.as_ref().map(|arn| arn.as_str()));
    let customer = first.customer_identifier().unwrap();
    assert_eq!(customer.len(), 11);
    assert_eq!(first.customer_aws_account_id(), Some(bought.account_id.as_str()));
    assert_eq!(resolve(&sandbox, &bought.token).await.customer_identifier(), Some(customer));

    let buy_again = |product: &str, dimensions| {
        let again = Purchase { account: Some(bought.account_id.clone()), ..purchase(product, dimensions) };
        sandbox.aws.marketplace().purchase(again).unwrap()
    };
    let second = resolve(&sandbox, &buy_again(CONTRACT, json!({"seats": 1})).token).await;
    assert_ne!(second.license_arn(), first.license_arn());
    assert_eq!(second.customer_identifier(), Some(customer), "the same buyer of the same product");
    let other = resolve(&sandbox, &buy_again(SUBSCRIPTION, json!({})).token).await;
    assert_ne!(other.customer_identifier(), Some(customer), "of another product");

    let legacy = sandbox.buy(LEGACY, json!({}));
    let answer = resolve(&sandbox, &legacy.token).await;
    assert_eq!(answer.customer_identifier(), legacy.customer_identifier.as_ref().map(|id| id.as_str()));
    let license = &sandbox.aws.marketplace().overview().licenses[3];
    assert_eq!(license.customer_identifier, legacy.customer_identifier);
    assert_eq!(answer.license_arn(), Some(license.license_arn.as_str()), "the one of its License events");
}

#[tokio::test]
async fn a_token_resolves_repeatedly_for_four_hours_and_then_expires() {
    let sandbox = start().await;
    let bought = sandbox.buy_contract();
    let first = resolve(&sandbox, &bought.token).await;
    sandbox.advance(SignedDuration::from_hours(4) - SignedDuration::from_secs(1));
    assert_eq!(resolve(&sandbox, &bought.token).await.license_arn(), first.license_arn());
    sandbox.advance(SignedDuration::from_secs(1));
    assert_eq!(refusal(&sandbox, &bought.token).await, "ExpiredTokenException");
}

#[tokio::test]
async fn a_token_can_expire_after_an_hour() {
    let behavior = Behavior { token_lifetime: TokenLifetime::OneHour, ..Behavior::default() };
    let sandbox = start_with(behavior, Delays::none()).await;
    let bought = sandbox.buy_contract();
    sandbox.advance(SignedDuration::from_mins(59));
    resolve(&sandbox, &bought.token).await;
    sandbox.advance(SignedDuration::from_mins(1));
    assert_eq!(refusal(&sandbox, &bought.token).await, "ExpiredTokenException");
}

#[tokio::test]
async fn an_unknown_token_is_invalid() {
    let sandbox = start().await;
    assert_eq!(refusal(&sandbox, "forged").await, "InvalidTokenException");
    assert_eq!(refusal(&sandbox, "").await, "ValidationException");
}

#[tokio::test]
async fn a_buyer_can_get_another_token() {
    let sandbox = start().await;
    let bought = sandbox.buy_contract();
    sandbox.advance(SignedDuration::from_hours(5));
    let token = sandbox.aws.marketplace().new_token(&bought.agreement_id).unwrap();
    assert_ne!(token, bought.token);
    let answer = resolve(&sandbox, &token).await;
    assert_eq!(answer.license_arn(), bought.license_arn.as_ref().map(|arn| arn.as_str()));
    assert_eq!(refusal(&sandbox, &bought.token).await, "ExpiredTokenException");

    let end = Change::End { status: EndStatus::default() };
    sandbox.aws.marketplace().change(&bought.agreement_id, end).unwrap();
    let refused = sandbox.aws.marketplace().new_token(&bought.agreement_id).unwrap_err();
    assert_eq!(refused.code(), "agreement_not_active");
}

use local_aws::{Change, EndStatus, Purchase};
use serde_json::json;

use crate::fixture::{CONTRACT, LEGACY, SUBSCRIPTION, account, purchase, start};

#[tokio::test]
async fn an_invalid_purchase_is_refused_with_a_reason_and_has_no_effect() {
    let mut local = start().await;
    let cases = [
        ("nobodysproduct", json!({}), "product_unknown", CONTRACT),
        (CONTRACT, json!({}), "value_missing", "seats, projects"),
        (CONTRACT, json!({"desks": 1}), "dimension_unknown", "seats, projects"),
        (CONTRACT, json!({"seats": -1}), "value_invalid", "`seats`"),
        (CONTRACT, json!({"seats": 1e30}), "value_invalid", "from 0 to 2147483647"),
        (CONTRACT, json!({"seats": 2_147_483_647.5}), "value_invalid", "from 0 to 2147483647"),
        (CONTRACT, json!({"seats": null}), "value_invalid", "`seats`"),
        (CONTRACT, json!({"seats": [1]}), "value_invalid", "`seats`"),
        (SUBSCRIPTION, json!({"requests": 1}), "dimension_not_entitled", "`requests`"),
    ];
    for (product, dimensions, code, part) in cases {
        let refused = local.aws.marketplace().purchase(purchase(product, dimensions)).unwrap_err();
        assert_eq!(refused.code(), code);
        assert!(refused.to_string().contains(part), "{refused}");
    }
    assert!(local.scheduled_events().is_empty());
    assert!(local.aws.marketplace().overview().agreements.is_empty());
}

#[tokio::test]
async fn an_account_can_have_one_legacy_subscription_but_many_licenses() {
    let local = start().await;
    let of = |product: &str| Purchase { account: Some(account("111111111111")), ..purchase(product, json!({})) };
    let market = local.aws.marketplace();
    let first = market.purchase(of(LEGACY)).unwrap();
    assert_eq!(market.purchase(of(LEGACY)).unwrap_err().code(), "already_subscribed");
    let one = market.purchase(of(SUBSCRIPTION)).unwrap();
    let two = market.purchase(of(SUBSCRIPTION)).unwrap();
    assert_ne!(one.license_arn, two.license_arn);
    market.change(&first.agreement_id, Change::End { status: EndStatus::Cancelled }).unwrap();
    market.purchase(of(LEGACY)).unwrap();
}

#[tokio::test]
async fn an_invalid_change_is_refused_with_a_reason() {
    let local = start().await;
    let market = local.aws.marketplace();
    let end = || Change::End { status: EndStatus::Cancelled };
    assert_eq!(market.change(&"agmt-0".parse().unwrap(), end()).unwrap_err().code(), "agreement_unknown");
    assert_eq!(market.new_token(&"agmt-0".parse().unwrap()).unwrap_err().code(), "agreement_unknown");

    let by_use = local.buy(SUBSCRIPTION, json!({})).agreement_id;
    let renew = Change::Renew { new_license: None };
    assert_eq!(market.change(&by_use, renew.clone()).unwrap_err().code(), "nothing_to_renew");
    let amend: Change = serde_json::from_value(json!({"action": "amend", "dimensions": {"requests": 1}})).unwrap();
    assert_eq!(market.change(&by_use, amend).unwrap_err().code(), "dimension_not_entitled");
    market.change(&by_use, end()).unwrap();
    assert_eq!(market.change(&by_use, end()).unwrap_err().code(), "agreement_not_active");

    let contract = local.buy_contract().agreement_id;
    market.change(&contract, renew).unwrap();
    assert_eq!(market.change(&contract, end()).unwrap_err().code(), "agreement_not_active");
}

#[test]
fn a_change_is_read_from_json() {
    let read = |change| serde_json::from_value::<Change>(change);
    assert_eq!(read(json!({"action": "end"})).unwrap(), Change::End { status: EndStatus::Cancelled });
    assert_eq!(
        read(json!({"action": "renew", "new_license": true})).unwrap(),
        Change::Renew { new_license: Some(true) }
    );
    assert!(read(json!({"action": "end", "status": "RENEWED"})).is_err());
    assert!(read(json!({"action": "vanish"})).is_err());
    assert!(read(json!({"action": "renew", "colour": "red"})).is_err());
}

#[tokio::test]
async fn the_overview_shows_purchases_without_tokens() {
    let local = start().await;
    let bought = local.buy_contract();
    let overview = serde_json::to_value(local.aws.marketplace().overview()).unwrap();
    assert_eq!(overview["agreements"][0]["agreement_id"], json!(bought.agreement_id));
    assert_eq!(overview["agreements"][0]["status"], "ACTIVE");
    assert_eq!(overview["licenses"][0]["dimensions"], json!({"seats": 5}));
    assert!(!overview.to_string().contains(&bought.token));
}

use local_aws::{Behavior, Change, Delays, EndStatus, LicenseArnForm, MarketplaceEvent, Purchase};
use serde_json::{Value, json};

use crate::fixture::{
    CONTRACT, LEGACY, LEGACY_CONTRACT, LocalAws, SUBSCRIPTION, account, purchase, start, start_with, text,
};

async fn real_time() -> LocalAws {
    start_with(Behavior::default(), Delays::default()).await
}

const END: Change = Change::End { status: EndStatus::Cancelled };

#[tokio::test]
async fn a_purchase_event_is_sent_immediately_and_the_license_event_after_a_minute() {
    let mut local = real_time().await;
    let bought = local.buy_contract();
    let events = local.events();
    let [created, updated] = &events[..] else { panic!("{events:?}") };
    let seller = local.aws.marketplace().seller().as_str();

    let id = text(created, "/id");
    let request = text(created, "/detail/requestId");
    let offer = text(created, "/detail/offer/id");
    assert_ne!(id, text(updated, "/id"));
    assert_eq!(
        *created,
        json!({
            "version": "0", "id": id, "detail-type": "Purchase Agreement Created - Proposer",
            "source": "aws.agreement-marketplace", "account": seller, "time": "2026-11-30T12:00:00Z",
            "region": "us-east-1",
            "resources": [format!("arn:aws:aws-marketplace::aws:agreement:{}", bought.agreement_id)],
            "detail": {
                "requestId": request, "catalog": "AWSMarketplace",
                "agreement": {
                    "id": bought.agreement_id, "intent": "NEW", "status": "ACTIVE",
                    "acceptanceTime": "2026-11-30T12:00:00Z", "startTime": "2026-11-30T12:00:00Z",
                    "endTime": "2027-11-30T12:00:00Z",
                },
                "resaleAuthorization": {"id": null},
                "acceptor": {"accountId": bought.account_id}, "proposer": {"accountId": seller},
                "offer": {"id": offer},
            },
        })
    );
    assert_eq!(text(updated, "/detail-type"), "License Updated - Manufacturer");
    assert_eq!(text(updated, "/time"), "2026-11-30T12:01:01Z");
    let request = text(updated, "/detail/requestId");
    assert_eq!(
        updated["detail"],
        json!({
            "requestId": request, "catalog": "AWSMarketplace", "agreement": {"id": bought.agreement_id},
            "product": {"code": CONTRACT, "id": "prod-democontract01"},
            "license": {"arn": bought.license_arn},
            "acceptor": {"accountId": bought.account_id}, "proposer": {"accountId": seller},
            "offer": {"id": offer},
        })
    );
}

#[tokio::test]
async fn an_agreement_paid_by_use_ends_in_the_year_9999() {
    let mut local = start().await;
    local.buy(SUBSCRIPTION, json!({}));
    assert_eq!(text(&local.events()[0], "/detail/agreement/endTime"), "9999-01-01T00:00:00Z");
}

#[tokio::test]
async fn a_license_event_can_have_the_arn_form_of_the_user_guide() {
    let behavior = Behavior { license_arn: LicenseArnForm::Documented, ..Behavior::default() };
    let mut local = start_with(behavior, Delays::none()).await;
    let bought = local.buy_contract();
    let events = local.events();
    let arn: marketplace_ids::LicenseArn = text(&events[1], "/detail/license/arn").parse().unwrap();
    assert!(arn.as_str().starts_with("aws:license-manager:us-east-1:"));
    assert_eq!(arn.id(), bought.license_arn.unwrap().id());
}

#[tokio::test]
async fn an_amendment_names_product_and_renewal() {
    let mut local = real_time().await;
    let bought = local.buy_contract();
    local.scheduled_events();
    let dimensions = serde_json::from_value(json!({"seats": 10})).unwrap();
    let changed = local.aws.marketplace().change(&bought.agreement_id, Change::Amend { dimensions }).unwrap();
    assert_eq!(changed.agreement_id, bought.agreement_id);
    let events = local.events();
    assert_eq!(text(&events[0], "/detail-type"), "Purchase Agreement Amended - Proposer");
    assert_eq!(text(&events[0], "/detail/agreement/intent"), "AMEND");
    assert_eq!(text(&events[0], "/detail/product/id"), "prod-democontract01");
    assert_eq!(events[0]["detail"]["agreement"]["autoRenewalEnabled"], true);
    assert_eq!(events[0]["detail"]["renewalSummary"], json!({"lockoutStartTime": null, "disabledBy": null}));
    assert_eq!(text(&events[1], "/detail-type"), "License Updated - Manufacturer");
    assert_eq!(text(&events[1], "/time"), "2026-11-30T12:01:01Z");
}

#[tokio::test]
async fn a_renewal_is_a_new_agreement_for_the_same_license() {
    let mut local = real_time().await;
    let bought = local.buy_contract();
    local.scheduled_events();
    let renewed = local.aws.marketplace().change(&bought.agreement_id, Change::Renew { new_license: None }).unwrap();
    let events = local.events();
    let [created, updated, ended] = &events[..] else { panic!("{events:?}") };
    let agreement = &created["detail"]["agreement"];
    assert_eq!(text(agreement, "/intent"), "RENEW");
    assert_eq!(text(agreement, "/id"), renewed.agreement_id.as_str());
    assert_eq!(text(agreement, "/previousAgreementId"), bought.agreement_id.as_str());
    assert_eq!(text(agreement, "/endTime"), "2028-11-30T12:00:00Z");
    assert_eq!(created["detail"]["product"], json!({"id": "prod-democontract01", "title": "Demo Contract"}));
    assert!(created["detail"]["proposer"]["name"].is_string());
    assert_eq!(text(updated, "/detail/agreement/id"), renewed.agreement_id.as_str());
    assert_eq!(text(updated, "/detail/license/arn"), bought.license_arn.unwrap().as_str());
    assert_eq!(text(ended, "/detail-type"), "Purchase Agreement Ended - Proposer");
    assert_eq!(ended["detail"]["agreement"], json!({"id": bought.agreement_id, "status": "RENEWED"}));
    assert!(ended["detail"].get("product").is_none());
}

#[tokio::test]
async fn a_renewal_can_bring_a_new_license_and_revoke_the_old_one() {
    let behavior = Behavior { license_survives_renewal: false, ..Behavior::default() };
    let mut local = start_with(behavior, Delays::default()).await;
    let bought = local.buy_contract();
    local.scheduled_events();
    let renewed = local.aws.marketplace().change(&bought.agreement_id, Change::Renew { new_license: None }).unwrap();
    assert_ne!(renewed.license_arn, bought.license_arn);
    let events = local.scheduled_events();
    let event = |number: usize| match &events[number].event {
        MarketplaceEvent::EventBridge(event) => event,
        MarketplaceEvent::Sns { .. } => panic!("{events:?}"),
    };
    assert_eq!(text(event(1), "/detail/license/arn"), renewed.license_arn.as_ref().unwrap().as_str());
    let deprovisioned = event(3);
    assert_eq!(text(deprovisioned, "/detail-type"), "License Deprovisioned - Manufacturer");
    assert_eq!(text(deprovisioned, "/detail/license/arn"), bought.license_arn.as_ref().unwrap().as_str());
    assert_eq!(text(deprovisioned, "/detail/agreement/id"), bought.agreement_id.as_str());
    assert_eq!(text(deprovisioned, "/time"), "2026-11-30T12:01:32Z");

    // One change can differ from the configured behavior.
    let again = Change::Renew { new_license: Some(false) };
    let kept = local.aws.marketplace().change(&renewed.agreement_id, again).unwrap();
    assert_eq!(kept.license_arn, renewed.license_arn);
}

#[tokio::test]
async fn a_replacement_is_a_new_agreement_of_another_offer() {
    let mut local = real_time().await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let first_offer = text(&local.events()[0], "/detail/offer/id").to_owned();
    let replace = Change::Replace { dimensions: Default::default(), new_license: Some(true) };
    let replaced = local.aws.marketplace().change(&bought.agreement_id, replace).unwrap();
    let events = local.events();
    assert_eq!(text(&events[0], "/detail/agreement/intent"), "REPLACE");
    assert_ne!(text(&events[0], "/detail/offer/id"), first_offer);
    assert_eq!(text(&events[1], "/detail/license/arn"), replaced.license_arn.unwrap().as_str());
    assert_eq!(text(&events[2], "/detail/agreement/status"), "REPLACED");
    assert_eq!(text(&events[3], "/detail-type"), "License Deprovisioned - Manufacturer");
}

#[tokio::test]
async fn the_end_event_is_sent_before_the_license_is_revoked() {
    let mut local = real_time().await;
    let bought = local.buy_contract();
    local.scheduled_events();
    local.advance(jiff::SignedDuration::from_hours(1));
    local.aws.marketplace().change(&bought.agreement_id, END).unwrap();
    assert_eq!(
        local.headlines(),
        ["+0 Purchase Agreement Ended - Proposer", "+31 License Deprovisioned - Manufacturer"]
    );
}

#[tokio::test]
async fn a_license_is_never_revoked_before_it_is_provisioned() {
    let mut local = real_time().await;
    let bought = local.buy_contract();
    local.aws.marketplace().change(&bought.agreement_id, END).unwrap();
    assert_eq!(
        local.headlines(),
        [
            "+0 Purchase Agreement Created - Proposer",
            "+61 License Updated - Manufacturer",
            "+0 Purchase Agreement Ended - Proposer",
            "+92 License Deprovisioned - Manufacturer",
        ]
    );
}

#[tokio::test]
async fn a_legacy_subscription_is_also_announced_by_sns() {
    let mut local = real_time().await;
    let buyer = Purchase { account: Some(account("222222222222")), free_trial: true, ..purchase(LEGACY, json!({})) };
    let bought = local.aws.marketplace().purchase(buyer.clone()).unwrap();
    let events = local.scheduled_events();
    let offer = match &events[0].event {
        MarketplaceEvent::EventBridge(event) => text(event, "/detail/offer/id").to_owned(),
        MarketplaceEvent::Sns { .. } => panic!("{events:?}"),
    };
    assert_eq!(
        events[2].event,
        MarketplaceEvent::Sns {
            topic_arn: format!("arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{LEGACY}"),
            message: json!({
                "action": "subscribe-success", "customer-identifier": bought.customer_identifier,
                "product-code": LEGACY, "offer-identifier": offer, "isFreeTrialTermPresent": "true",
            }),
        }
    );
    local.advance(jiff::SignedDuration::from_hours(1));
    local.aws.marketplace().change(&bought.agreement_id, END).unwrap();
    assert_eq!(
        local.headlines(),
        [
            "+0 Purchase Agreement Ended - Proposer",
            "+0 sns subscription unsubscribe-pending",
            "+31 License Deprovisioned - Manufacturer",
            "+3600 sns subscription unsubscribe-success",
        ]
    );
    let again = local.aws.marketplace().purchase(buyer).unwrap();
    assert_eq!(again.customer_identifier, bought.customer_identifier, "the same buyer has the same key");
    assert_ne!(again.agreement_id, bought.agreement_id);
}

#[tokio::test]
async fn a_legacy_contract_has_a_topic_for_its_entitlements() {
    let behavior = Behavior { legacy_license_events: false, ..Behavior::default() };
    let mut local = start_with(behavior, Delays::default()).await;
    let bought = local.buy(LEGACY_CONTRACT, json!({"seats": 1}));
    let events = local.scheduled_events();
    assert_eq!(
        events[2].event,
        MarketplaceEvent::Sns {
            topic_arn: format!("arn:aws:sns:us-east-1:287250355862:aws-mp-entitlement-notification-{LEGACY_CONTRACT}"),
            message: json!({
                "action": "entitlement-updated", "customer-identifier": bought.customer_identifier,
                "product-code": LEGACY_CONTRACT,
            }),
        }
    );
    let headlines_after = |local: &mut LocalAws, change: Value| {
        let agreement = local.aws.marketplace().overview().agreements.last().unwrap().agreement_id.clone();
        local.aws.marketplace().change(&agreement, serde_json::from_value(change).unwrap()).unwrap();
        local.headlines()
    };
    assert_eq!(
        headlines_after(&mut local, json!({"action": "amend", "dimensions": {"seats": 2}})),
        ["+0 Purchase Agreement Amended - Proposer", "+61 sns entitlement entitlement-updated"]
    );
    assert_eq!(
        headlines_after(&mut local, json!({"action": "renew"})),
        [
            "+0 Purchase Agreement Created - Proposer",
            "+61 sns entitlement entitlement-updated",
            "+61 Purchase Agreement Ended - Proposer",
        ]
    );
    assert_eq!(
        headlines_after(&mut local, json!({"action": "replace"})),
        [
            "+0 Purchase Agreement Created - Proposer",
            "+61 sns subscription subscribe-success",
            "+61 sns entitlement entitlement-updated",
            "+61 Purchase Agreement Ended - Proposer",
        ]
    );
    local.advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(
        headlines_after(&mut local, json!({"action": "end", "status": "EXPIRED"})),
        [
            "+0 Purchase Agreement Ended - Proposer",
            "+0 sns subscription unsubscribe-pending",
            "+31 sns entitlement entitlement-updated",
            "+3600 sns subscription unsubscribe-success",
        ]
    );
}

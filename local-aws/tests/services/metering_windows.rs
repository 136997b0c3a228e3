//! BatchMeterUsage: the times in which usage is accepted.

use aws_sdk_marketplacemetering::types::UsageRecordResultStatus as Status;
use jiff::{SignedDuration, Timestamp};
use local_aws::{
    Behavior, Change, Delays, EndStatus, FinalWindow, Purchased, StartOfPurchaseHour, UsageOutsideLicense,
};
use serde_json::json;

use crate::fixture::{LEGACY, LocalAws, SUBSCRIPTION, start_with, usage, usage_of};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

async fn unlimited(behavior: Behavior) -> LocalAws {
    start_with(Behavior { rate_limits: false, ..behavior }, Delays::default()).await
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn end(local: &LocalAws, bought: &Purchased) {
    let end = Change::End { status: EndStatus::Cancelled };
    local.aws.marketplace().change(&bought.agreement_id, end).unwrap();
}

#[tokio::test]
async fn usage_is_accepted_for_24_hours_and_until_six_for_the_previous_month() {
    let local = unlimited(Behavior::default()).await;
    local.clock.set(at("2026-11-28T00:00:00Z"));
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let good = |local: &LocalAws| usage(&bought, "storage_gb", 1, local.now());
    for (now, of, taken) in [
        ("2026-11-30T09:59:59Z", "2026-11-29T10:00:00Z", true),
        ("2026-11-30T10:00:00Z", "2026-11-29T10:00:00Z", false),
        ("2026-12-01T05:59:59Z", "2026-11-30T23:00:00Z", true),
        ("2026-12-01T06:00:00Z", "2026-11-30T22:00:00Z", false),
        ("2026-12-01T06:00:00Z", "2026-12-01T00:00:00Z", true),
        ("2026-12-01T06:00:00Z", "2026-12-01T06:10:00Z", false),
        ("2026-12-01T06:00:00Z", "2026-12-01T06:05:00Z", true),
    ] {
        local.clock.set(at(now));
        let record = usage(&bought, "requests", 1, at(of));
        if taken {
            assert_eq!(local.meter_one(None, record).await.0, Status::Success, "{of} at {now}");
        } else {
            let refusal = local.refusal(None, &[good(&local), record]).await;
            assert_eq!(refusal, "TimestampOutOfBoundsException", "{of} at {now}");
        }
    }
    assert!(local.billed().iter().all(|(_, dimension, ..)| dimension == "requests"), "the good ones went with it");
}

#[tokio::test]
async fn usage_is_accepted_once_the_license_is_provisioned() {
    let local = unlimited(Behavior::default()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let start = local.now();
    let ready = start + SignedDuration::from_secs(61);
    local.advance(SignedDuration::from_secs(60));
    let meter = async |at: Timestamp| local.meter_one(None, usage(&bought, "requests", 1, at)).await.0;
    assert_eq!(meter(local.now()).await, Status::CustomerNotSubscribed);
    local.advance(SECOND);
    assert_eq!(meter(start).await, Status::CustomerNotSubscribed, "of a time before it was ready");
    assert_eq!(meter(ready).await, Status::Success);

    let behavior = local.aws.marketplace().behavior();
    let strict = Behavior { usage_outside_license: UsageOutsideLicense::InvalidLicense, ..behavior };
    local.aws.marketplace().set_behavior(strict);
    let records = [usage(&bought, "storage_gb", 1, ready), usage(&bought, "requests", 1, start)];
    assert_eq!(local.refusal(None, &records).await, "InvalidLicenseException");
    assert_eq!(local.sum(), "1");
}

#[tokio::test]
async fn usage_can_be_accepted_from_the_start_of_the_hour_of_the_purchase() {
    let behavior = Behavior { start_of_purchase_hour: StartOfPurchaseHour::Accepted, ..Behavior::default() };
    let local = unlimited(behavior).await;
    local.clock.set(at("2026-11-30T12:59:30Z"));
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let meter = async |of: &str| local.meter_one(None, usage(&bought, "requests", 1, at(of))).await.0;
    assert_eq!(meter("2026-11-30T12:00:00Z").await, Status::CustomerNotSubscribed, "it is not ready yet");
    local.clock.set(at("2026-11-30T13:00:31Z"));
    assert_eq!(meter("2026-11-30T11:59:59Z").await, Status::CustomerNotSubscribed, "the hour before the purchase");
    assert_eq!(meter("2026-11-30T12:00:00Z").await, Status::Success, "the hour of the purchase");
    assert_eq!(meter("2026-11-30T13:00:00Z").await, Status::Success, "the hour in which it is ready");
}

/// Ends licenses at 13:18, and meters usage of their last hour at times around the limits of both behaviors.
async fn final_hour(window: FinalWindow) -> Vec<(&'static str, Status)> {
    let local = unlimited(Behavior { final_window: window, ..Behavior::default() }).await;
    let licenses: Vec<Purchased> = (0..7).map(|_| local.buy(SUBSCRIPTION, json!({}))).collect();
    local.clock.set(at("2026-11-30T13:18:00Z"));
    for license in &licenses {
        end(&local, license);
    }
    let mut licenses = licenses.into_iter();
    let mut statuses = Vec::new();
    for (now, of, name) in [
        ("2026-11-30T13:18:40Z", "2026-11-30T13:00:00Z", "the running hour"),
        ("2026-11-30T13:18:40Z", "2026-11-30T13:18:00Z", "the moment of the ending"),
        ("2026-11-30T13:18:40Z", "2026-11-30T13:18:31Z", "the moment of the revocation"),
        ("2026-11-30T13:18:40Z", "2026-11-30T13:18:32Z", "later"),
        ("2026-11-30T14:17:59Z", "2026-11-30T12:05:00Z", "59 minutes on"),
        ("2026-11-30T14:18:30Z", "2026-11-30T13:00:00Z", "60 minutes on"),
        ("2026-11-30T14:18:31Z", "2026-11-30T13:00:00Z", "60 minutes after the revocation"),
    ] {
        local.clock.set(at(now));
        let record = usage(&licenses.next().unwrap(), "requests", 1, at(of));
        statuses.push((name, local.meter_one(None, record).await.0));
    }
    statuses
}

#[tokio::test]
async fn the_last_usage_is_accepted_for_60_minutes_after_the_configured_event() {
    use Status::{CustomerNotSubscribed as No, Success as Yes};
    let names = [
        "the running hour",
        "the moment of the ending",
        "the moment of the revocation",
        "later",
        "59 minutes on",
        "60 minutes on",
        "60 minutes after the revocation",
    ];
    let expected = |statuses: [Status; 7]| names.into_iter().zip(statuses).collect::<Vec<_>>();
    let from_ended = final_hour(FinalWindow::AgreementEnded).await;
    assert_eq!(from_ended, expected([Yes, Yes, No, No, Yes, No, No]));
    let from_deprovisioned = final_hour(FinalWindow::LicenseDeprovisioned).await;
    assert_eq!(from_deprovisioned, expected([Yes, Yes, Yes, No, Yes, Yes, No]));
}

#[tokio::test]
async fn a_renewal_does_not_end_metering_unless_it_brings_a_new_license() {
    let local = unlimited(Behavior::default()).await;
    let bought = local.buy(crate::fixture::CONSUMPTION, json!({"events_included": 5}));
    local.advance(HOUR);
    let renew = |new_license| Change::Renew { new_license: Some(new_license) };
    let market = local.aws.marketplace();
    let second = market.change(&bought.agreement_id, renew(false)).unwrap();
    local.advance(HOUR * 3);
    assert_eq!(local.meter_one(None, usage(&bought, "events_extra", 1, local.now())).await.0, Status::Success);

    let third = market.change(&second.agreement_id, renew(true)).unwrap();
    local.advance(HOUR * 3);
    let old = usage(&bought, "events_extra", 1, local.now());
    assert_eq!(local.meter_one(None, old).await.0, Status::CustomerNotSubscribed);
    let renewed = Purchased { license_arn: third.license_arn, ..bought };
    assert_eq!(local.meter_one(None, usage(&renewed, "events_extra", 1, local.now())).await.0, Status::Success);
}

#[tokio::test]
async fn a_legacy_buyer_who_resubscribes_within_the_hour_is_the_same_buyer() {
    let local = unlimited(Behavior { final_window: FinalWindow::LicenseDeprovisioned, ..Behavior::default() }).await;
    let bought = local.buy(LEGACY, json!({}));
    let customer = bought.customer_identifier.clone().unwrap();
    let meter = async |quantity: i32| {
        local.meter_one(Some(LEGACY), usage_of(customer.as_str(), "requests", quantity, local.now())).await.0
    };
    assert_eq!(meter(1).await, Status::CustomerNotSubscribed, "before subscribe-success");
    local.clock.set(at("2026-11-30T13:05:00Z"));
    end(&local, &bought);
    assert_eq!(meter(5).await, Status::Success, "the last usage, from unsubscribe-pending on");
    local.advance(SECOND);
    assert_eq!(meter(5).await, Status::CustomerNotSubscribed, "usage of a time after it");

    let purchase =
        local_aws::Purchase { account: Some(bought.account_id.clone()), ..crate::fixture::purchase(LEGACY, json!({})) };
    local.aws.marketplace().purchase(purchase).unwrap();
    local.advance(SignedDuration::from_secs(61));
    assert_eq!(meter(7).await, Status::DuplicateRecord, "the hour was booked before the ending");
    local.advance(HOUR);
    assert_eq!(meter(7).await, Status::Success);
    let licenses: std::collections::BTreeSet<_> = local.billed().into_iter().map(|(license, ..)| license).collect();
    assert_eq!(licenses.len(), 1);
    assert_eq!(local.sum(), "12");
}

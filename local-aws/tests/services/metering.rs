//! BatchMeterUsage: records that are booked once, the limits of a call, and the bill.

use aws_sdk_marketplacemetering::types::UsageRecordResultStatus as Status;
use jiff::SignedDuration;
use local_aws::{Behavior, BillingStyle, Delays, IdenticalRepeat};
use serde_json::{Value, json};

use crate::fixture::{LocalAws, SUBSCRIPTION, code, purchase, start, start_with, usage};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn unlimited() -> LocalAws {
    start_with(Behavior { rate_limits: false, ..Behavior::default() }, Delays::none()).await
}

#[tokio::test]
async fn the_first_record_of_an_hour_wins() {
    let local = unlimited().await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let now = local.now();
    let (status, id) = local.meter_one(None, usage(&bought, "requests", 17, now)).await;
    assert_eq!(status, Status::Success);
    assert!(id.is_some());

    local.advance(SignedDuration::from_mins(59));
    let later = local.now();
    let repeat = local.meter_one(None, usage(&bought, "requests", 17, now)).await;
    assert_eq!(repeat, (Status::Success, id.clone()), "an identical repeat is the same record");
    let same_hour = local.meter_one(None, usage(&bought, "requests", 17, later)).await;
    assert_eq!(same_hour, (Status::Success, id), "the minute does not count");
    let other = local.meter_one(None, usage(&bought, "requests", 18, later)).await;
    assert_eq!(other, (Status::DuplicateRecord, None));

    assert_eq!(local.meter_one(None, usage(&bought, "storage_gb", 1, now)).await.0, Status::Success);
    local.advance(SignedDuration::from_mins(1));
    assert_eq!(local.meter_one(None, usage(&bought, "requests", 5, local.now())).await.0, Status::Success);
    assert_eq!(local.sum(), "23");
}

#[tokio::test]
async fn the_same_record_is_billed_once_in_each_region_that_it_is_sent_to() {
    let behavior = Behavior { identical_repeat: IdenticalRepeat::DuplicateRecord, ..Behavior::default() };
    let local = start_with(behavior, Delays::none()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let record = usage(&bought, "requests", 17, local.now());
    let meter_in = async |region| {
        let answer = local.meter_in(region, None, std::slice::from_ref(&record)).await.unwrap();
        answer.results()[0].status().unwrap().clone()
    };
    for region in ["us-east-1", "eu-west-1"] {
        assert_eq!(meter_in(region).await, Status::Success, "{region}");
        assert_eq!(meter_in(region).await, Status::DuplicateRecord, "{region}");
    }
    let bill = local.aws.marketplace().bill();
    let booked: Vec<_> = bill.records.iter().map(|it| (it.region.to_string(), it.quantity.to_string())).collect();
    assert_eq!(booked, [("eu-west-1".to_owned(), "17".to_owned()), ("us-east-1".to_owned(), "17".to_owned())]);
    assert_eq!(bill.totals[0].quantity.to_string(), "34");
}

#[tokio::test]
async fn an_identical_repeat_can_be_a_duplicate() {
    let behavior = Behavior { identical_repeat: IdenticalRepeat::DuplicateRecord, ..Behavior::default() };
    let local = start_with(behavior, Delays::none()).await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let record = usage(&bought, "requests", 17, local.now());
    let answer = local.meter(None, &[record.clone(), record.clone()]).await.unwrap();
    let mut statuses: Vec<_> = answer.results().iter().map(|result| result.status().unwrap().as_str()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["DuplicateRecord", "Success"]);
    local.aws.marketplace().set_behavior(Behavior::default());
    assert_eq!(local.meter_one(None, record).await.0, Status::Success);
    assert_eq!(local.sum(), "17");
}

#[tokio::test]
async fn two_licenses_of_one_account_are_billed_separately() {
    let local = start().await;
    let account = Some("111122223333".parse().unwrap());
    let buy = || {
        let purchase = local_aws::Purchase { account: account.clone(), ..purchase(SUBSCRIPTION, json!({})) };
        local.aws.marketplace().purchase(purchase).unwrap()
    };
    let (one, two) = (buy(), buy());
    let now = local.now();
    let records = [usage(&one, "requests", 1, now), usage(&two, "requests", 2, now)];
    local.meter(None, &records).await.unwrap();
    let totals = local.aws.marketplace().bill().totals;
    let of = |license: &local_aws::Purchased| {
        let id = license.license_arn.as_ref().unwrap().id();
        totals.iter().find(|total| total.license == *id).unwrap().quantity.to_string()
    };
    assert_eq!((of(&one), of(&two)), ("1".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn a_call_with_25_records_is_processed_and_one_with_26_is_refused() {
    let local = unlimited().await;
    let bought: Vec<_> = (0..26).map(|_| local.buy(SUBSCRIPTION, json!({}))).collect();
    let records: Vec<_> =
        bought.iter().zip(1..).map(|(bought, number)| usage(bought, "requests", number, local.now())).collect();
    assert_eq!(local.refusal(None, &records).await, "ValidationException");
    assert!(local.billed().is_empty());

    let records = &records[..25];
    let answer = local.meter(None, records).await.unwrap();
    assert!(answer.unprocessed_records().is_empty());
    let echoed: Vec<_> = answer.results().iter().map(|result| result.usage_record().unwrap().clone()).collect();
    assert_eq!(echoed.len(), 25);
    assert!(records.iter().all(|record| echoed.contains(record)), "every record comes back as it was sent");
    assert_ne!(echoed, records, "but not in its place");
    assert!(answer.results().iter().all(|result| result.status() == Some(&Status::Success)));

    let again = local.meter(None, records).await.unwrap();
    let order = |answer: &aws_sdk_marketplacemetering::operation::batch_meter_usage::BatchMeterUsageOutput| {
        answer.results().iter().map(|result| result.usage_record().unwrap().quantity()).collect::<Vec<_>>()
    };
    assert_eq!(order(&again), order(&answer), "the same call is answered in the same order");
    assert_eq!(local.sum(), "325");

    let nothing = local.meter(None, &[]).await.unwrap();
    assert!(nothing.results().is_empty());
    let (status, problem) = local.meter_json(json!({})).await;
    assert_eq!((status, problem["__type"].as_str()), (400, Some("com.amazon.coral.service#ValidationException")));
}

#[tokio::test]
async fn a_request_of_one_megabyte_is_refused() {
    let local = start().await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let request = json!({"UsageRecords": [{
        "Timestamp": local.now().as_second(),
        "Dimension": "requests",
        "Quantity": 1,
        "CustomerAWSAccountId": bought.account_id,
        "LicenseArn": bought.license_arn,
    }]})
    .to_string();
    let of_size = |size: usize| format!("{request}{}", " ".repeat(size - request.len()));
    let (status, problem) = local.meter_text(of_size(1_000_000)).await;
    assert_eq!(status, 413, "{problem}");
    assert!(local.billed().is_empty());
    let (status, answer) = local.meter_text(of_size(999_999)).await;
    assert_eq!((status, answer["Results"][0]["Status"].as_str()), (200, Some("Success")));
}

#[tokio::test]
async fn whole_and_decimal_quantities_are_compared_by_value() {
    let local = unlimited().await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let meter = async |dimension: &str, quantity: Value| {
        let mut record = json!({
            "Timestamp": local.now().as_second(),
            "Dimension": dimension,
            "CustomerAWSAccountId": bought.account_id,
            "LicenseArn": bought.license_arn,
        });
        record.as_object_mut().unwrap().extend(quantity.as_object().unwrap().clone());
        let (status, answer) = local.meter_json(json!({"UsageRecords": [record]})).await;
        match status {
            200 => answer["Results"][0]["Status"].as_str().unwrap().to_owned(),
            _ => answer["__type"].as_str().unwrap().rsplit('#').next().unwrap().to_owned(),
        }
    };
    for (quantity, status) in [
        (json!({"Quantity": 17}), "Success"),
        (json!({"QuantityAsDecimal": "17"}), "Success"),
        (json!({"QuantityAsDecimal": "17.00"}), "Success"),
        (json!({"QuantityAsDecimal": "17.000001"}), "DuplicateRecord"),
        (json!({}), "DuplicateRecord"),
        (json!({"Quantity": 17, "QuantityAsDecimal": "17"}), "ValidationException"),
        (json!({"Quantity": -1}), "ValidationException"),
        (json!({"Quantity": 2_147_483_648_i64}), "ValidationException"),
        (json!({"Quantity": 1.5}), "SerializationException"),
        (json!({"Quantity": "1"}), "SerializationException"),
        (json!({"QuantityAsDecimal": 1}), "SerializationException"),
        (json!({"QuantityAsDecimal": "1.0000001"}), "ValidationException"),
        (json!({"QuantityAsDecimal": "1e3"}), "ValidationException"),
        (json!({"QuantityAsDecimal": "-1"}), "ValidationException"),
    ] {
        assert_eq!(meter("requests", quantity.clone()).await, status, "{quantity}");
    }
    assert_eq!(meter("storage_gb", json!({"QuantityAsDecimal": "0.000001"})).await, "Success");
    assert_eq!(local.sum(), "17.000001");
    local.advance(HOUR);
    assert_eq!(meter("storage_gb", json!({})).await, "Success", "no quantity is 0");
    assert_eq!(local.billed().last().unwrap().3, "0");
}

#[tokio::test]
async fn the_bill_sums_by_license_dimension_and_month() {
    let local = unlimited().await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let license = bought.license_arn.clone().unwrap().id().clone();
    local.clock.set("2026-11-30T23:30:00Z".parse().unwrap());
    for quantity in [1, 2, 4] {
        local.meter_one(None, usage(&bought, "requests", quantity, local.now())).await;
        local.advance(HOUR);
    }
    let bill = local.aws.marketplace().bill();
    let record = &bill.records[0];
    assert_eq!((&record.license, &record.account), (&license, &bought.account_id));
    assert_eq!((record.product.as_str(), record.style), (SUBSCRIPTION, BillingStyle::License));
    let sums: Vec<_> = bill.totals.iter().map(|total| (total.month.as_str(), total.quantity.to_string())).collect();
    assert_eq!(sums, [("2026-11", "1".to_owned()), ("2026-12", "6".to_owned())]);
    let json = serde_json::to_value(&bill).unwrap();
    assert_eq!(json["records"][0]["quantity"], "1");
    assert_eq!(json["records"][0]["hour"], "2026-11-30T23:00:00Z");
    assert_eq!(json["records"][0].get("allocations"), None);
    assert_eq!(json["totals"][1]["quantity"], "6");
    assert!(bill.of_product(&"another".parse().unwrap()).records.is_empty());
}

#[tokio::test]
async fn more_than_ten_requests_in_a_second_are_throttled() {
    let local = start().await;
    let bought = local.buy(SUBSCRIPTION, json!({}));
    let request = |local: &LocalAws| {
        let record = usage(&bought, "requests", 1, local.now());
        local.metering().batch_meter_usage().usage_records(record).send()
    };
    // The machine's clock fills the bucket too, so a burst must be quicker than that.
    let burst = (0..150).map(|_| tokio::spawn(request(&local)));
    let mut throttled = 0;
    for answer in burst.collect::<Vec<_>>() {
        // A call that is not throttled is refused for its empty CustomerIdentifier, but it counts.
        if code(answer.await.unwrap()) == "ThrottlingException" {
            throttled += 1;
        }
    }
    assert!((1..=140).contains(&throttled), "{throttled} were throttled");
    local.advance(SignedDuration::from_secs(1));
    assert_eq!(local.meter_one(None, usage(&bought, "requests", 1, local.now())).await.0, Status::Success);
}

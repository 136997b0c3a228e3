use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::license::{AgreementRef, EventStamp, LicenseEvent};
use crate::tags::Tags;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn license() -> License {
    let mut license = License::new("l-1".parse().unwrap(), "p".parse().unwrap());
    let stamp = EventStamp { at: at("2026-11-10T08:30:00Z"), event: "e".to_owned() };
    license.apply(LicenseEvent::Updated(AgreementRef { stamp, agreement: "agmt-a".parse().unwrap() }));
    license.complete_buyer(
        Some(&"111122223333".parse().unwrap()),
        Some(&"arn:aws:license-manager::444455556666:license:l-1".parse().unwrap()),
    );
    license
}

fn tags(value: &str) -> Tags {
    Tags::try_from(BTreeMap::from([("team".to_owned(), value.to_owned())])).unwrap()
}

fn sum(amount: i64) -> HourSum {
    HourSum { amount: amount.into(), ..HourSum::default() }
}

fn record(hour: &str) -> HourlyRecord {
    let hour: UsageHour = hour.parse().unwrap();
    HourlyRecord::freeze(&license(), hour, "requests".parse().unwrap(), &sum(100), hour.summed_from())
}

fn after_an_unanswered_attempt() -> HourlyRecord {
    HourlyRecord { unanswered: true, attempts: 1, ..record("2026-11-10T09") }
}

#[test]
fn each_status_is_read_by_the_attempts_before_it() {
    let success = Status::Success { metering_record_id: Some("m".to_owned()) };
    let accepted =
        |id: Option<&str>, by| Outcome::Final(RecordState::Accepted { metering_record_id: id.map(str::to_owned), by });
    let reason = || "CustomerNotSubscribed".to_owned();
    let again = Outcome::Retry { unanswered: false };
    let cases = [
        (false, success.clone(), true, accepted(Some("m"), AcceptedBy::Success)),
        (true, success, true, accepted(Some("m"), AcceptedBy::Success)),
        (true, Status::Duplicate, true, accepted(None, AcceptedBy::Duplicate)),
        (false, Status::Duplicate, true, Outcome::Final(RecordState::Conflict)),
        (false, Status::Unprocessed, true, again.clone()),
        (false, Status::NotSubscribed, true, again),
        (false, Status::NotSubscribed, false, Outcome::Final(RecordState::Refused { reason: reason() })),
        (true, Status::NotSubscribed, false, Outcome::Final(RecordState::Unconfirmed { reason: reason() })),
    ];
    for (unanswered, status, open, expected) in cases {
        let record = if unanswered { after_an_unanswered_attempt() } else { record("2026-11-10T09") };
        assert_eq!(read_status(&record, &status, open), expected, "{status:?} unanswered={unanswered} open={open}");
    }
}

#[test]
fn a_window_that_closes_after_an_unanswered_attempt_leaves_it_unconfirmed() {
    assert_eq!(expired(&record("2026-11-10T09")), RecordState::Expired);
    let unconfirmed = RecordState::Unconfirmed { reason: "window_closed".to_owned() };
    assert_eq!(expired(&after_an_unanswered_attempt()), unconfirmed);
}

#[test]
fn the_window_is_a_day_and_ends_at_six_on_the_first() {
    assert_eq!(record("2026-11-10T09").window_closes(), at("2026-11-11T09:00:00Z"));
    assert_eq!(record("2026-11-30T20").window_closes(), at("2026-12-01T06:00:00Z"));
}

#[test]
fn the_time_of_the_first_hour_is_not_before_the_license() {
    assert_eq!(record("2026-11-10T08").timestamp, at("2026-11-10T08:30:00Z"));
    assert_eq!(record("2026-11-10T09").timestamp, at("2026-11-10T09:00:00Z"));
    let mut amended = license();
    let stamp = EventStamp { at: at("2026-11-10T09:40:00Z"), event: "amended".to_owned() };
    amended.apply(LicenseEvent::Updated(AgreementRef { stamp, agreement: "agmt-a".parse().unwrap() }));
    let hour: UsageHour = "2026-11-10T08".parse().unwrap();
    let record = HourlyRecord::freeze(&amended, hour, "requests".parse().unwrap(), &sum(1), hour.summed_from());
    assert_eq!(record.timestamp, at("2026-11-10T08:30:00Z"));
}

#[test]
fn a_sum_beyond_what_a_record_holds_is_capped() {
    let hour: UsageHour = "2026-11-10T09".parse().unwrap();
    let sum = sum(2_147_483_650);
    let record = HourlyRecord::freeze(&license(), hour, "requests".parse().unwrap(), &sum, hour.summed_from());
    assert_eq!(record.quantity.to_string(), "2147483647");
}

#[test]
fn a_record_without_a_sendable_arn_is_held() {
    let mut license = license();
    license.arn = Some("aws:license-manager:us-east-1:444455556666:l-1".parse().unwrap());
    let hour: UsageHour = "2026-11-10T09".parse().unwrap();
    let record = HourlyRecord::freeze(&license, hour, "requests".parse().unwrap(), &sum(1), hour.summed_from());
    assert_eq!(record.state, RecordState::Held { reason: HoldReason::BuyerUnknown });
    assert!(pack(vec![record]).is_empty());
}

/// Returns all calls that the records make.
fn pack(records: Vec<HourlyRecord>) -> Vec<Vec<HourlyRecord>> {
    let mut packer = Packer::default();
    let mut calls: Vec<_> = records.into_iter().filter_map(|record| packer.add(record)).collect();
    calls.extend(packer.finish());
    calls
}

#[test]
fn a_record_is_named_by_license_hour_and_dimension() {
    let name = record("2026-11-10T09").name;
    assert_eq!(name.to_string(), "l-1@2026-11-10T09@requests");
    assert_eq!(name.to_string().parse(), Ok(name));
    for bad in ["", "l-1", "l-1@2026-11-10T09", "l-1@2026-11-10@requests", "l-1@2026-11-10T09@requests@x", "@@"] {
        assert_eq!(bad.parse::<RecordName>(), Err(InvalidRecordName), "{bad}");
    }
}

fn any_record() -> impl Strategy<Value = HourlyRecord> {
    ("[ab]", 0u8..3, any::<bool>(), "[a-z]{1,90}").prop_map(|(product, license, legacy, dimension)| {
        let mut record = record("2026-11-10T09");
        record.product = product.parse().unwrap();
        record.name.license = format!("l-{license}").parse().unwrap();
        record.name.dimension = dimension.parse().unwrap();
        if legacy {
            record.buyer = Some(Buyer::Customer { customer: "c".parse().unwrap() });
        }
        record
    })
}

#[test]
fn what_is_beyond_a_record_has_the_tags_that_the_record_lacks() {
    let hour: UsageHour = "2026-11-10T09".parse().unwrap();
    let license = License::new("l-1".parse().unwrap(), "p".parse().unwrap());
    let tagged = BTreeMap::from([(tags("a"), Decimal::from(6))]);
    let before = HourSum { amount: Decimal::from(10), tagged, ..HourSum::default() };
    let record = HourlyRecord::freeze(&license, hour, "requests".parse().unwrap(), &before, hour.summed_from());
    let after = HourSum {
        amount: Decimal::from(18),
        tagged: BTreeMap::from([(tags("a"), Decimal::from(9)), (tags("b"), Decimal::from(4))]),
        ..HourSum::default()
    };
    let beyond = record.usage_beyond(&after, Decimal::from(8));
    assert_eq!(beyond.amount, Decimal::from(8));
    assert_eq!(beyond.tagged, BTreeMap::from([(tags("a"), Decimal::from(3)), (tags("b"), Decimal::from(4))]));
}

proptest! {
    #[test]
    fn packing_keeps_every_record_and_every_limit(records in prop::collection::vec(any_record(), 0..120)) {
        let calls = pack(records.clone());
        let mut packed: Vec<RecordName> = calls.iter().flatten().map(|record| record.name.clone()).collect();
        let mut given: Vec<RecordName> = records.iter().map(|record| record.name.clone()).collect();
        packed.sort();
        given.sort();
        prop_assert_eq!(packed, given);
        for call in &calls {
            prop_assert!(!call.is_empty() && call.len() <= MAX_BATCH_RECORDS);
            prop_assert!(call.iter().map(HourlyRecord::wire_size).sum::<usize>() < MAX_CALL_BYTES);
            let first = call.first().unwrap();
            for record in call {
                prop_assert_eq!(&record.product, &first.product);
                prop_assert!(record.buyer.as_ref().unwrap().is_of_style(first.buyer.as_ref().unwrap()));
            }
        }
    }

    #[test]
    fn packing_fills_its_calls(count in 0usize..200) {
        let calls = pack(vec![record("2026-11-10T09"); count]);
        prop_assert_eq!(calls.len(), count.div_ceil(MAX_BATCH_RECORDS));
    }
}

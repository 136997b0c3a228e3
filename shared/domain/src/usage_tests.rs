use proptest::prelude::*;

use super::*;
use crate::license::{AgreementRef, EventStamp, LicenseEvent};

const SUBSCRIPTION: &str = include_str!("../../../listings/demo-subscription.toml");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn agreement_ref(time: &str) -> AgreementRef {
    AgreementRef { stamp: EventStamp { at: at(time), event: "e".to_owned() }, agreement: "agmt-a".parse().unwrap() }
}

fn active() -> License {
    let mut license = License::new("l-1".parse().unwrap(), "p".parse().unwrap());
    license.apply(LicenseEvent::Updated(agreement_ref("2026-11-01T00:00:00Z")));
    license
}

fn event(time: &str) -> UsageEvent {
    UsageEvent {
        license: "l-1".parse().unwrap(),
        dimension: "requests".parse().unwrap(),
        quantity: Quantity::ZERO,
        time: at(time),
        key: KeyHash::of("k"),
        revision: 0,
        tags: Tags::default(),
    }
}

#[test]
fn the_clock_decides_how_usage_is_taken_in() {
    use Refusal::{MonthClosed, TimeInFuture, TooOld};
    let listing = Listing::parse(SUBSCRIPTION).unwrap();
    let cases = [
        ("2026-11-10T09:20:00Z", "2026-11-10T09:20:00Z", Intake::Open),
        ("2026-11-10T09:20:01Z", "2026-11-10T09:20:00Z", Intake::Refused(TimeInFuture)),
        ("2026-11-10T08:59:59Z", "2026-11-10T09:04:59Z", Intake::Open),
        ("2026-11-10T08:59:59Z", "2026-11-10T09:05:00Z", Intake::Late),
        ("2026-11-09T09:20:00Z", "2026-11-10T09:20:00Z", Intake::Late),
        ("2026-11-09T09:19:59Z", "2026-11-10T09:20:00Z", Intake::Refused(TooOld)),
        ("2026-11-30T23:59:59Z", "2026-12-01T00:20:00Z", Intake::Open),
        ("2026-11-30T23:59:59Z", "2026-12-01T05:29:59Z", Intake::Open),
        ("2026-11-30T23:59:59Z", "2026-12-01T05:30:00Z", Intake::Refused(MonthClosed)),
        ("2026-11-30T20:00:00Z", "2026-12-01T00:20:00Z", Intake::Late),
        ("2026-11-30T20:00:00Z", "2026-12-01T05:30:00Z", Intake::Refused(MonthClosed)),
        ("2026-12-01T04:00:00Z", "2026-12-01T05:31:00Z", Intake::Late),
    ];
    for (time, now, expected) in cases {
        assert_eq!(judge(&event(time), Some(&active()), Some(&listing), at(now)), expected, "{time} at {now}");
    }
}

#[test]
fn the_license_and_the_dimension_decide_too() {
    let listing = Listing::parse(SUBSCRIPTION).unwrap();
    let now = "2026-11-10T09:20:00Z";
    let judged = |license: Option<&License>, dimension: &str| {
        let event = UsageEvent { dimension: dimension.parse().unwrap(), ..event(now) };
        judge(&event, license, Some(&listing), at(now))
    };
    assert_eq!(judged(None, "requests"), Intake::Refused(Refusal::LicenseUnknown));
    assert_eq!(judged(Some(&active()), "teapots"), Intake::Refused(Refusal::DimensionUnknown));
    let pending = License::new("l-1".parse().unwrap(), "p".parse().unwrap());
    assert_eq!(judged(Some(&pending), "requests"), Intake::Open);
    let mut ending = active();
    ending.apply(LicenseEvent::Deprovisioned(agreement_ref("2026-11-10T09:18:00Z")));
    assert_eq!(judged(Some(&ending), "requests"), Intake::Refused(Refusal::LicenseEnded));
    let mut failed = License::new("l-1".parse().unwrap(), "p".parse().unwrap());
    failed.apply(LicenseEvent::SubscribeFailed(EventStamp { at: at(now), event: "e".to_owned() }));
    assert_eq!(judged(Some(&failed), "requests"), Intake::Refused(Refusal::LicenseFailed));
    let contract = Listing::parse(include_str!("../../../listings/demo-contract.toml")).unwrap();
    let seats = UsageEvent { dimension: "seats".parse().unwrap(), ..event(now) };
    let refused = Intake::Refused(Refusal::DimensionNotMetered);
    assert_eq!(judge(&seats, Some(&active()), Some(&contract), at(now)), refused);
}

#[test]
fn what_an_ending_has_sealed_is_late_and_goes_to_the_next_hour() {
    let listing = Listing::parse(SUBSCRIPTION).unwrap();
    let mut license = active();
    license.sealed_through = Some("2026-11-10T09".parse().unwrap());
    let now = at("2026-11-10T09:40:00Z");
    assert_eq!(judge(&event("2026-11-10T09:35:00Z"), Some(&license), Some(&listing), now), Intake::Late);
    let origin = "2026-11-10T09".parse().unwrap();
    assert_eq!(carry_target(&license, origin, now), Some("2026-11-10T10".parse().unwrap()));

    let now = at("2026-11-30T23:40:00Z");
    license.sealed_through = Some("2026-11-30T23".parse().unwrap());
    let refused = Intake::Refused(Refusal::HourClosed);
    assert_eq!(judge(&event("2026-11-30T23:35:00Z"), Some(&license), Some(&listing), now), refused);
}

#[test]
fn late_usage_of_the_old_month_goes_to_its_last_hour() {
    let target = carry_target(&active(), "2026-11-30T20".parse().unwrap(), at("2026-12-01T03:00:00Z"));
    assert_eq!(target, Some("2026-11-30T23".parse().unwrap()));
    let target = carry_target(&active(), "2026-11-10T08".parse().unwrap(), at("2026-11-10T12:00:00Z"));
    assert_eq!(target, Some("2026-11-10T12".parse().unwrap()));
}

#[test]
fn quantities_have_six_places_and_a_limit() {
    for (text, read) in [("0", "0"), ("0.000001", "0.000001"), ("2147483647", "2147483647"), ("5.50", "5.5")] {
        assert_eq!(text.parse::<Quantity>().unwrap().to_string(), read);
    }
    for text in [
        "",
        "-1",
        "-0.000001",
        "NaN",
        "inf",
        "0.0000001",
        "2147483648",
        "2147483647.000001",
        "1e99",
        "1e-6",
        "1_000",
        "+5",
        ".5",
        "5.",
        "05",
        " 5",
        "five",
        "１",
    ] {
        assert!(text.parse::<Quantity>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_as_a_quantity(text in ".*") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            prop_assert!(quantity.amount() >= Decimal::ZERO && quantity.amount() <= MAX_QUANTITY);
        }
    }
}

use super::*;
use crate::license::{AgreementRef, EventStamp, LicenseEvent};

const CONTRACT: &str = include_str!("../../../listings/demo-contract.toml");
const SUBSCRIPTION: &str = include_str!("../../../listings/demo-subscription.toml");
const CONSUMPTION: &str = include_str!("../../../listings/demo-consumption.toml");

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + day * 86_400).unwrap()
}

fn entitlement(dimension: &str, value: Value, expires: Option<i64>) -> Entitlement {
    Entitlement { dimension: dimension.parse().unwrap(), value, expires_at: expires.map(at) }
}

fn seats(amount: i64, expires: i64) -> Entitlement {
    entitlement("seats", Value::Integer(amount), Some(expires))
}

fn holding(listing: &str, id: &str, entitlements: Vec<Entitlement>) -> Holding {
    let listing = Listing::parse(listing).unwrap();
    let mut license = License::new(id.parse().unwrap(), listing.product_code.clone());
    let stamp = EventStamp { at: at(0), event: "e".to_owned() };
    license.apply(LicenseEvent::Updated(AgreementRef { stamp, agreement: "agmt-a".parse().unwrap() }));
    license.entitlements = entitlements;
    license.entitlements_read_at = Some(at(1));
    Holding { license, listing: Some(listing) }
}

fn ended(mut holding: Holding) -> Holding {
    let stamp = EventStamp { at: at(2), event: "e".to_owned() };
    holding.license.apply(LicenseEvent::Deprovisioned(AgreementRef { stamp, agreement: "agmt-a".parse().unwrap() }));
    holding
}

fn ask(dimension: &str, quantity: Option<&str>, holdings: &[Holding]) -> Decision {
    let quantity = quantity.map(|text| text.parse().unwrap());
    decide(&Question { dimension: dimension.parse().unwrap(), quantity }, holdings, at(10))
}

#[test]
fn the_decision_follows_from_what_is_held() {
    let contract = |entitlements| holding(CONTRACT, "l-1", entitlements);
    let subscription = || holding(SUBSCRIPTION, "l-2", vec![]);
    let consumption = || holding(CONSUMPTION, "l-3", vec![entitlement("events_included", Value::Integer(100), None)]);
    let mut unread = contract(vec![]);
    unread.license.entitlements_read_at = None;
    let cases = [
        ("nothing", "seats", None, vec![], false, Reason::NoLicense),
        ("held", "seats", None, vec![contract(vec![seats(5, 30)])], true, Reason::Entitled),
        ("held, all of it", "seats", Some("5"), vec![contract(vec![seats(5, 30)])], true, Reason::Entitled),
        (
            "held, too much",
            "seats",
            Some("5.000001"),
            vec![contract(vec![seats(5, 30)])],
            false,
            Reason::QuantityExceeded,
        ),
        ("none of it", "seats", None, vec![contract(vec![seats(0, 30)])], false, Reason::NotEntitled),
        ("not of it", "projects", None, vec![contract(vec![seats(5, 30)])], false, Reason::NotEntitled),
        ("not read yet", "seats", None, vec![unread], false, Reason::EntitlementsNotReadYet),
        ("unknown", "teapots", None, vec![contract(vec![seats(5, 30)])], false, Reason::DimensionUnknown),
        ("over", "seats", None, vec![ended(contract(vec![seats(5, 30)]))], false, Reason::NoActiveLicense),
        (
            "one over, one not",
            "seats",
            None,
            vec![ended(contract(vec![seats(5, 30)])), holding(CONTRACT, "l-9", vec![seats(1, 30)])],
            true,
            Reason::Entitled,
        ),
        (
            "on",
            "seats",
            Some("1000"),
            vec![contract(vec![entitlement("seats", Value::Boolean(true), None)])],
            true,
            Reason::Entitled,
        ),
        (
            "off",
            "seats",
            None,
            vec![contract(vec![entitlement("seats", Value::Boolean(false), None)])],
            false,
            Reason::NotEntitled,
        ),
        (
            "a name",
            "seats",
            None,
            vec![contract(vec![entitlement("seats", Value::String("gold".into()), None)])],
            true,
            Reason::Entitled,
        ),
        (
            "a name is no amount",
            "seats",
            Some("1"),
            vec![contract(vec![entitlement("seats", Value::String("gold".into()), None)])],
            false,
            Reason::QuantityExceeded,
        ),
        (
            "a fraction",
            "seats",
            Some("2.5"),
            vec![contract(vec![entitlement("seats", Value::Double("2.5".parse().unwrap()), None)])],
            true,
            Reason::Entitled,
        ),
        ("by use", "requests", Some("1000000"), vec![subscription()], true, Reason::Metered),
        ("by use, over", "requests", None, vec![ended(subscription())], false, Reason::NoActiveLicense),
        ("consumption, within", "events_included", Some("100"), vec![consumption()], true, Reason::Entitled),
        ("consumption, beyond", "events_extra", Some("5"), vec![consumption()], true, Reason::Metered),
    ];
    for (name, dimension, quantity, holdings, allowed, reason) in cases {
        let decision = ask(dimension, quantity, &holdings);
        assert_eq!((decision.allowed, decision.reason), (allowed, reason), "{name}");
    }
}

#[test]
fn amounts_of_two_licenses_add_up() {
    let holdings = [holding(CONTRACT, "l-1", vec![seats(5, 30)]), holding(CONTRACT, "l-2", vec![seats(3, 20)])];
    let decision = ask("seats", Some("8"), &holdings);
    assert!(decision.allowed);
    assert_eq!(decision.held, Some(Decimal::from(8)));
    assert_eq!(decision.until, Some(at(20)));
    assert_eq!(decision.licenses.len(), 2);
}

#[test]
fn an_expired_entitlement_beside_a_valid_one_does_not_count() {
    let decision = ask("seats", None, &[holding(CONTRACT, "l-1", vec![seats(5, 3), seats(7, 30)])]);
    assert_eq!(decision.held, Some(Decimal::from(7)));
    assert!(decision.allowed);
    assert!(!decision.expiry_passed);
}

#[test]
fn a_date_that_has_passed_locks_nobody_out_but_is_shown() {
    let decision = ask("seats", Some("5"), &[holding(CONTRACT, "l-1", vec![seats(5, 3)])]);
    assert!(decision.allowed);
    assert!(decision.expiry_passed);
    assert_eq!(decision.until, None);
}

#[test]
fn the_decision_names_the_age_of_the_entitlements() {
    let decision = ask("seats", None, &[holding(CONTRACT, "l-1", vec![seats(5, 30)])]);
    assert_eq!(decision.as_of, Some(at(1)));
    assert_eq!(decision.age_seconds, Some(9 * 86_400));
}

#[test]
fn every_known_dimension_is_answered() {
    let decisions = decide_all(
        &[holding(CONTRACT, "l-1", vec![seats(5, 30), entitlement("extra", Value::Integer(1), None)])],
        at(10),
    );
    let keys: Vec<&str> = decisions.iter().map(|decision| decision.dimension.as_str()).collect();
    assert_eq!(keys, ["extra", "projects", "seats"]);
}

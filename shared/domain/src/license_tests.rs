use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::agreement::{AgreementEvent, AgreementObservation, AgreementStatus, ObservedStatus};
use crate::notification::OutboundEventKind;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn stamp(minute: i64) -> EventStamp {
    EventStamp { at: at(minute), event: format!("e-{minute}") }
}

fn agreement_ref(minute: i64, agreement: &str) -> AgreementRef {
    AgreementRef { stamp: stamp(minute), agreement: agreement.parse().unwrap() }
}

/// A step in the life of one license, from any source.
#[derive(Debug, Clone)]
enum Step {
    License(LicenseEvent),
    Agreement(AgreementEvent),
    Seen(AgreementObservation),
    Advised(AgreementId, Advisory),
    Succeeded(Succession),
    Registered,
}

fn updated(minute: i64, agreement: &str) -> Step {
    Step::License(LicenseEvent::Updated(agreement_ref(minute, agreement)))
}

fn deprovisioned(minute: i64, agreement: &str) -> Step {
    Step::License(LicenseEvent::Deprovisioned(agreement_ref(minute, agreement)))
}

fn agreement(minute: i64, id: &str, status: AgreementStatus) -> Step {
    let stamp = EventStamp { at: at(minute), event: format!("e-{minute}-{id}-{status:?}") };
    Step::Agreement(AgreementEvent { agreement: id.parse().unwrap(), stamp, status, previous: None, starts_at: None })
}

/// Builds the observation of an agreement.
fn observed(minute: i64, id: &str, status: AgreementStatus) -> Step {
    let observed = ObservedStatus { observed_at: at(minute), status, at: at(minute) };
    Step::Seen(AgreementObservation { agreement: id.parse().unwrap(), observed, previous: None, starts_at: None })
}

fn observed_in_force(minute: i64, id: &str, starts: i64) -> Step {
    let (agreement, starts_at) = (id.parse().ok(), Some(at(starts)));
    Step::License(LicenseEvent::ObservedInForce(ObservedInForce { agreement, starts_at, at: at(minute) }))
}

fn advised(minute: i64, id: &str, is_issued: bool) -> Step {
    let at = Some(at(minute));
    let advisory = match is_issued {
        true => Advisory { issued_at: at, resolved_at: None },
        false => Advisory { issued_at: None, resolved_at: at },
    };
    Step::Advised(id.parse().unwrap(), advisory)
}

fn subscribed(minute: i64) -> Step {
    Step::License(LicenseEvent::Subscribed { stamp: stamp(minute), free_trial: false })
}

fn failed(minute: i64) -> Step {
    Step::License(LicenseEvent::SubscribeFailed(stamp(minute)))
}

fn unsubscribing(minute: i64) -> Step {
    Step::License(LicenseEvent::Unsubscribing(stamp(minute)))
}

fn unsubscribed(minute: i64) -> Step {
    Step::License(LicenseEvent::Unsubscribed(stamp(minute)))
}

fn succeeded(minute: i64) -> Step {
    Step::Succeeded(Succession {
        undated: false,
        at: at(minute),
        by: "l-next".parse().unwrap(),
        from: Some("agmt-a".parse().unwrap()),
    })
}

/// Applies steps to a license and its agreements in the order of the store: an agreement's row first, then the license.
fn after(events: &[Step]) -> License {
    let mut license = License::new("l-1".parse().unwrap(), "prod".parse().unwrap());
    let mut agreements: BTreeMap<AgreementId, Agreement> = BTreeMap::new();
    let row = |agreements: &mut BTreeMap<AgreementId, Agreement>, id: &AgreementId, change: &dyn Fn(&mut Agreement)| {
        change(agreements.entry(id.clone()).or_insert_with(|| Agreement::new(id.clone())));
    };
    for item in events {
        match item {
            Step::License(event) => license.apply(event.clone()),
            Step::Agreement(event) => row(&mut agreements, &event.agreement, &|known| known.apply(event)),
            Step::Seen(look) => row(&mut agreements, &look.agreement, &|known| known.observe(look)),
            Step::Advised(id, advisory) => row(&mut agreements, id, &|known| known.advisory.apply(advisory)),
            Step::Succeeded(succession) => license.succeed(succession.clone()),
            Step::Registered => license.register(
                &Purchase {
                    license: license.id.clone(),
                    product: license.product.clone(),
                    account: "111122223333".parse().unwrap(),
                    arn: None,
                    customer: None,
                    agreement: Some("agmt-a".parse().unwrap()),
                },
                at(5),
            ),
        }
        agreements.values().for_each(|known| license.follow(known));
    }
    license
}

#[test]
fn the_state_follows_from_the_events() {
    use AgreementStatus::{Active, Cancelled, Expired, Renewed};
    let ended = |reason| State::Ended { reason };
    let cases: Vec<(&str, Vec<Step>, i64, State)> = vec![
        ("no event", vec![], 0, State::Pending),
        ("registered only", vec![Step::Registered], 9, State::Pending),
        ("created only", vec![agreement(0, "agmt-a", Active), Step::Registered], 9, State::Pending),
        ("updated", vec![updated(1, "agmt-a")], 9, State::Active),
        (
            "agreement ended, then deprovisioned: the earlier is the limit",
            vec![updated(1, "agmt-a"), agreement(20, "agmt-a", Cancelled), deprovisioned(21, "agmt-a")],
            40,
            State::Ending { usage_until: at(20) },
        ),
        (
            "an hour after the ending it is closed",
            vec![updated(1, "agmt-a"), agreement(20, "agmt-a", Expired), deprovisioned(21, "agmt-a")],
            80,
            ended(EndReason::Expired),
        ),
        (
            "deprovisioned alone",
            vec![updated(1, "agmt-a"), deprovisioned(20, "agmt-a")],
            80,
            ended(EndReason::Deprovisioned),
        ),
        ("deprovisioned and never active", vec![deprovisioned(20, "agmt-a")], 21, ended(EndReason::Deprovisioned)),
        (
            "ended in the second of the update",
            vec![updated(20, "agmt-a"), deprovisioned(20, "agmt-a")],
            21,
            State::Ending { usage_until: at(20) },
        ),
        (
            "updated again after the end",
            vec![updated(1, "agmt-a"), deprovisioned(20, "agmt-a"), updated(30, "agmt-a")],
            31,
            State::Active,
        ),
        (
            "renewed under the same license: the old agreement's end means nothing",
            vec![updated(1, "agmt-a"), agreement(30, "agmt-a", Renewed), updated(31, "agmt-b")],
            200,
            State::Active,
        ),
        (
            "an old agreement that expired means nothing either",
            vec![
                updated(1, "agmt-a"),
                updated(31, "agmt-b"),
                agreement(40, "agmt-a", Expired),
                deprovisioned(41, "agmt-a"),
            ],
            200,
            State::Active,
        ),
        (
            "renewed and no later event",
            vec![updated(1, "agmt-a"), agreement(30, "agmt-a", Renewed)],
            200,
            State::Active,
        ),
        (
            "another license took over",
            vec![updated(1, "agmt-a"), succeeded(31), agreement(30, "agmt-a", Renewed)],
            32,
            State::Ending { usage_until: at(31) },
        ),
        (
            "another license took over, later",
            vec![updated(1, "agmt-a"), succeeded(31)],
            91,
            ended(EndReason::Succeeded),
        ),
        (
            "what took over for good is not undone by later events of the old agreement",
            vec![updated(1, "agmt-a"), succeeded(31), updated(32, "agmt-a")],
            33,
            State::Ending { usage_until: at(31) },
        ),
        (
            "the end of an older agreement does not hide that of the newer",
            vec![updated(1, "agmt-a"), updated(31, "agmt-b"), deprovisioned(40, "agmt-b"), deprovisioned(41, "agmt-a")],
            42,
            State::Ending { usage_until: at(40) },
        ),
        ("payment failed", vec![failed(1)], 2, State::Failed),
        ("payment failed, then not", vec![failed(1), subscribed(2)], 3, State::Active),
        ("a failed payment for a later offer ends nothing", vec![subscribed(1), failed(2)], 3, State::Active),
        ("unsubscribing", vec![subscribed(1), unsubscribing(10)], 20, State::Ending { usage_until: at(10) }),
        ("unsubscribed", vec![subscribed(1), unsubscribing(10), unsubscribed(20)], 21, ended(EndReason::Unsubscribed)),
        ("a late success is no new one", vec![unsubscribed(20), subscribed(1)], 21, ended(EndReason::Unsubscribed)),
        (
            "subscribed anew",
            vec![subscribed(1), unsubscribing(10), unsubscribed(20), subscribed(30)],
            31,
            State::Active,
        ),
        ("observed in force", vec![observed_in_force(9, "agmt-a", 1)], 9, State::Active),
        (
            "what AWS revoked is not opened by seeing the same agreement",
            vec![updated(1, "agmt-a"), deprovisioned(20, "agmt-a"), observed_in_force(90, "agmt-a", 1)],
            91,
            ended(EndReason::Deprovisioned),
        ),
        (
            "observed in force by the next agreement, after the older one was revoked",
            vec![updated(1, "agmt-a"), deprovisioned(20, "agmt-a"), observed_in_force(90, "agmt-b", 19)],
            91,
            State::Active,
        ),
        (
            "the event knows the time of an ending that was observed before",
            vec![updated(1, "agmt-a"), observed(30, "agmt-a", Cancelled), agreement(20, "agmt-a", Cancelled)],
            40,
            State::Ending { usage_until: at(20) },
        ),
        (
            "an ending that AWS does not know of a quarter of an hour later is none",
            vec![updated(1, "agmt-a"), agreement(20, "agmt-a", Cancelled), observed(35, "agmt-a", Active)],
            40,
            State::Active,
        ),
        (
            "until then AWS may not have caught up",
            vec![updated(1, "agmt-a"), agreement(20, "agmt-a", Cancelled), observed(34, "agmt-a", Active)],
            40,
            State::Ending { usage_until: at(20) },
        ),
        ("subscribed anew within the hour", vec![subscribed(1), unsubscribing(10), subscribed(12)], 13, State::Active),
    ];
    for (name, events, minute, expected) in cases {
        assert_eq!(after(&events).state_at(at(minute)), expected, "{name}");
    }
}

#[test]
fn access_stays_through_the_final_hour_until_aws_revokes_it() {
    use AgreementStatus::Cancelled;
    let announced = after(&[updated(1, "agmt-a"), agreement(20, "agmt-a", Cancelled)]);
    assert!(announced.grants_access_at(at(21)));
    assert!(!announced.grants_access_at(at(80)));
    let revoked = after(&[updated(1, "agmt-a"), agreement(20, "agmt-a", Cancelled), deprovisioned(21, "agmt-a")]);
    assert!(!revoked.grants_access_at(at(22)));
    let unsubscribing = after(&[subscribed(1), unsubscribing(20)]);
    assert!(unsubscribing.grants_access_at(at(21)));
}

#[test]
fn registration_overwrites_nothing_that_an_event_wrote() {
    let mut license = after(&[updated(1, "agmt-b")]);
    license.complete_buyer(Some(&"999988887777".parse().unwrap()), None);
    let before = license.clone();
    license.register(
        &Purchase {
            license: license.id.clone(),
            product: license.product.clone(),
            account: "111122223333".parse().unwrap(),
            arn: Some("arn:aws:license-manager::111122223333:license:l-1".parse().unwrap()),
            customer: None,
            agreement: Some("agmt-a".parse().unwrap()),
        },
        at(2),
    );
    assert_eq!(license.account, before.account);
    assert_eq!(license.history, before.history);
    assert_eq!(license.agreement(), before.agreement());
    assert!(license.arn.is_some());
}

#[test]
fn the_arn_that_aws_takes_back_wins_over_the_documented_form() {
    let documented = "aws:license-manager:us-east-1:111122223333:l-1".parse().unwrap();
    let real: LicenseArn = "arn:aws:license-manager::111122223333:license:l-1".parse().unwrap();
    let mut license = License::new("l-1".parse().unwrap(), "prod".parse().unwrap());
    license.complete_buyer(None, Some(&documented));
    license.complete_buyer(None, Some(&real));
    license.complete_buyer(None, Some(&documented));
    assert_eq!(license.arn, Some(real));
}

#[test]
fn each_change_is_published_once() {
    let mut license = License::new("l-1".parse().unwrap(), "prod".parse().unwrap());
    assert_eq!(transition(None, &mut license, at(0)), []);

    let before = license.clone();
    license.apply(LicenseEvent::Updated(agreement_ref(1, "agmt-a")));
    license.tenant = Some("acme".parse().unwrap());
    let events = transition(Some(&before), &mut license, at(1));
    assert_eq!(
        events,
        [OutboundEventKind::LicenseActivated, OutboundEventKind::LicenseLinked { tenant: "acme".parse().unwrap() }]
    );

    let before = license.clone();
    license.apply(LicenseEvent::Updated(agreement_ref(1, "agmt-a")));
    assert_eq!(transition(Some(&before), &mut license, at(2)), []);
    assert_eq!(license, before);

    let before = license.clone();
    license.apply(LicenseEvent::Deprovisioned(agreement_ref(20, "agmt-a")));
    assert_eq!(
        transition(Some(&before), &mut license, at(21)),
        [OutboundEventKind::LicenseEnding { usage_until: at(20) }]
    );

    let before = license.clone();
    let events = transition(Some(&before), &mut license, at(90));
    assert_eq!(events, [OutboundEventKind::LicenseEnded { reason: EndReason::Deprovisioned, successor: None }]);
}

fn any_event() -> impl Strategy<Value = Step> {
    let minute = 0i64..6;
    let id = prop_oneof![Just("agmt-a"), Just("agmt-b")];
    let status = prop_oneof![
        Just(AgreementStatus::Active),
        Just(AgreementStatus::Cancelled),
        Just(AgreementStatus::Expired),
        Just(AgreementStatus::Renewed)
    ];
    prop_oneof![
        (minute.clone(), id.clone()).prop_map(|(m, id)| updated(m, id)),
        (minute.clone(), id.clone()).prop_map(|(m, id)| deprovisioned(m, id)),
        (minute.clone(), id.clone(), status.clone()).prop_map(|(m, id, status)| agreement(m, id, status)),
        (minute.clone(), id.clone(), status).prop_map(|(m, id, status)| observed(m, id, status)),
        (minute.clone(), id.clone(), minute.clone()).prop_map(|(m, id, starts)| observed_in_force(m, id, starts)),
        (minute.clone(), id, any::<bool>()).prop_map(|(m, id, is_issued)| advised(m, id, is_issued)),
        minute.clone().prop_map(subscribed),
        minute.clone().prop_map(failed),
        minute.clone().prop_map(unsubscribing),
        minute.clone().prop_map(unsubscribed),
        minute.prop_map(succeeded),
        Just(Step::Registered),
    ]
}

proptest! {
    /// The order of arrival and duplicates do not matter.
    #[test]
    fn af_the_state_is_the_same_in_every_order_and_with_every_duplicate(
        (events, shuffled) in prop::collection::vec(any_event(), 0..12).prop_flat_map(|events| {
            let doubled: Vec<Step> = events.iter().chain(&events).cloned().collect();
            (Just(events), Just(doubled).prop_shuffle())
        }),
        minute in 0i64..90,
    ) {
        let (one, other) = (after(&events), after(&shuffled));
        prop_assert_eq!(&one.history, &other.history);
        prop_assert_eq!(one.state_at(at(minute)), other.state_at(at(minute)));
        prop_assert_eq!(one.grants_access_at(at(minute)), other.grants_access_at(at(minute)));
        prop_assert_eq!(one.advisory_since(), other.advisory_since());
    }

    /// The end of an agreement that the license does not follow does not count.
    #[test]
    fn an_end_of_another_agreement_changes_nothing(events in prop::collection::vec(any_event(), 0..12), minute in 0i64..90) {
        let before = after(&events);
        prop_assume!(before.agreement().is_some());
        for end in [deprovisioned(5, "agmt-other"), agreement(5, "agmt-other", AgreementStatus::Cancelled)] {
            let more: Vec<Step> = events.iter().cloned().chain([end]).collect();
            let license = after(&more);
            if license.agreement() == before.agreement() {
                prop_assert_eq!(license.state_at(at(minute)), before.state_at(at(minute)));
            }
        }
    }

    #[test]
    fn time_never_lifts_an_end(events in prop::collection::vec(any_event(), 0..12), minute in 0i64..90) {
        let license = after(&events);
        if let State::Ended { .. } = license.state_at(at(minute)) {
            prop_assert_eq!(license.state_at(at(minute + 1)), license.state_at(at(minute)));
        }
    }
}

//! Random histories of a license in AWS, whose events arrive late or not at all, and whose status is sometimes checked.

use proptest::prelude::*;

use super::*;
use domain::agreement::{Agreement, AgreementEvent};
use domain::license::{AgreementRef, EventStamp, Purchase};

const ENDS: i64 = 400_000;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

/// The history of a license in AWS, in minutes.
#[derive(Debug, Clone)]
struct Life {
    is_contract: bool,
    provisioned: i64,
    amended: Option<i64>,
    renewed: Option<i64>,
    ended: Option<i64>,
}

/// An event of AWS.
#[derive(Debug, Clone)]
enum AwsEvent {
    License(LicenseEvent),
    Agreement(AgreementEvent),
}

impl Life {
    /// The agreement in force last.
    fn last(&self) -> &'static str {
        if self.renewed.is_some() { "agmt-b" } else { "agmt-a" }
    }

    /// Every event of AWS, with the minute in which it happened.
    fn events(&self) -> Vec<(i64, AwsEvent)> {
        let stamp = |minute: i64, what: &str| EventStamp { at: at(minute), event: format!("{what}-{minute}") };
        let agreement_ref =
            |minute, agreement: &str| AgreementRef { stamp: stamp(minute, "l"), agreement: agreement.parse().unwrap() };
        let updated =
            |minute, agreement| (minute, AwsEvent::License(LicenseEvent::Updated(agreement_ref(minute, agreement))));
        let agreement = |minute, id: &str, status, previous: Option<&str>| {
            let (agreement, previous) = (id.parse().unwrap(), previous.map(|id| id.parse().unwrap()));
            let stamp = stamp(minute, &format!("a-{id}-{status:?}"));
            (minute, AwsEvent::Agreement(AgreementEvent { agreement, stamp, status, previous, starts_at: None }))
        };
        let mut events =
            vec![agreement(0, "agmt-a", AgreementStatus::Active, None), updated(self.provisioned, "agmt-a")];
        if let Some(minute) = self.amended {
            events.push(agreement(minute, "agmt-a", AgreementStatus::Active, None));
            events.push(updated(minute + 1, "agmt-a"));
        }
        if let Some(minute) = self.renewed {
            events.push(agreement(minute, "agmt-b", AgreementStatus::Active, Some("agmt-a")));
            events.push(updated(minute + 1, "agmt-b"));
            events.push(agreement(minute + 1, "agmt-a", AgreementStatus::Renewed, None));
        }
        if let Some(minute) = self.ended {
            events.push(agreement(minute, self.last(), AgreementStatus::Cancelled, None));
            events.push((
                minute + 1,
                AwsEvent::License(LicenseEvent::Deprovisioned(agreement_ref(minute + 1, self.last()))),
            ));
        }
        events
    }

    /// The agreements as AWS shows them at a minute.
    fn shown(&self, minute: i64) -> Vec<FoundAgreement> {
        let is_ended = |id: &str| self.last() == id && self.ended.is_some_and(|ended| ended <= minute);
        let is_renewed = self.renewed.is_some_and(|renewed| renewed < minute);
        let starts = [("agmt-a", Some(0)), ("agmt-b", self.renewed)];
        let begun = starts.into_iter().filter_map(|(id, start)| Some((id, start.filter(|start| *start <= minute)?)));
        begun
            .map(|(id, start)| {
                let status = match id {
                    _ if is_ended(id) => AgreementStatus::Cancelled,
                    "agmt-a" if is_renewed => AgreementStatus::Renewed,
                    _ => AgreementStatus::Active,
                };
                let changes = [Some(start), self.amended, self.renewed.map(|at| at + 1), self.ended];
                let last_update = changes.into_iter().flatten().filter(|change| *change <= minute).max();
                let ends_at = self.is_contract.then(|| at(ENDS));
                FoundAgreement {
                    id: id.parse().unwrap(),
                    initial: "agmt-a".parse().ok(),
                    account: "111122223333".parse().ok(),
                    described: DescribedAgreement { status, starts_at: Some(at(start)), ends_at },
                    last_update: last_update.map(at),
                    licenses: vec!["arn:aws:license-manager::444455556666:license:l-1".parse().unwrap()],
                }
            })
            .collect()
    }

    fn is_provisioned(&self, minute: i64) -> bool {
        self.provisioned <= minute && self.ended.is_none_or(|ended| minute <= ended)
    }
}

/// The rows, written in the order of the store.
struct Table {
    license: License,
    agreements: Vec<Agreement>,
}

impl Table {
    /// Creates the rows of a license whose buyer has registered.
    fn new() -> Self {
        let mut license = License::new("l-1".parse().unwrap(), "prod".parse().unwrap());
        let purchase = Purchase {
            license: license.id.clone(),
            product: license.product.clone(),
            account: "111122223333".parse().unwrap(),
            arn: None,
            customer: None,
            agreement: "agmt-a".parse().ok(),
        };
        license.register(&purchase, at(0));
        Self { license, agreements: Vec::new() }
    }

    fn agreement(&mut self, id: &domain::ids::AgreementId, change: impl FnOnce(&mut Agreement)) {
        if !self.agreements.iter().any(|known| known.id == *id) {
            self.agreements.push(Agreement::new(id.clone()));
        }
        change(self.agreements.iter_mut().find(|known| known.id == *id).unwrap());
    }

    fn follow(&mut self) {
        self.agreements.iter().for_each(|agreement| self.license.follow(agreement));
    }

    fn apply(&mut self, event: &AwsEvent) {
        match event {
            AwsEvent::License(event) => self.license.apply(event.clone()),
            AwsEvent::Agreement(event) => self.agreement(&event.agreement, |agreement| agreement.apply(event)),
        }
        self.follow();
    }

    /// Checks AWS at a minute, and returns `true` if that changed the license. AWS may show the state of `stale`
    /// minutes ago.
    fn check(&mut self, life: &Life, minute: i64, stale: i64) -> bool {
        let shown = life.shown((minute - stale).max(0));
        let license = self.license.clone();
        let described = shown.iter().find(|found| Some(&found.id) == license.agreement()).map(|found| &found.described);
        let view = View { license: &license, observed_at: at(minute), described, found: &[], is_provisioned: false };
        let view = if view.needs_search() { View { found: &shown, ..view } } else { view };
        let is_provisioned = view.needs_proof().is_some() && life.is_provisioned(minute - stale);
        let judged = judge(&View { is_provisioned, ..view });
        for observation in &judged.observations {
            self.agreement(&observation.agreement, |agreement| agreement.observe(observation));
        }
        self.follow();
        if let Some(observed) = judged.in_force {
            self.license.apply(LicenseEvent::ObservedInForce(observed));
        }
        self.follow();
        assert!(judged.successor_candidates.is_empty(), "there is one license");
        self.license != license
    }

    /// Returns everything that matters of a license at a minute.
    fn shows(&self, minute: i64) -> impl PartialEq + std::fmt::Debug + use<> {
        let license = &self.license;
        (
            license.state_at(at(minute)),
            license.grants_access_at(at(minute)),
            license.usage_until(),
            license.active_since(),
            license.first_active(),
            license.agreement().cloned(),
        )
    }
}

fn any_life() -> impl Strategy<Value = Life> {
    let some = |range: std::ops::Range<i64>| prop::option::of(range);
    (any::<bool>(), 1i64..4, some(5..20), some(30..60), some(70..200)).prop_map(
        |(is_contract, provisioned, amended, renewed, ended)| {
            let renewed = renewed.filter(|_| is_contract);
            Life { is_contract, provisioned, amended, renewed, ended }
        },
    )
}

/// Generates the delay of each event, and the minute and staleness of each check.
fn any_way() -> impl Strategy<Value = (Vec<i64>, Vec<(i64, i64)>)> {
    let delay = prop_oneof![Just(0), 0i64..10, 0i64..300];
    (prop::collection::vec(delay, 12), prop::collection::vec((0i64..400, 0i64..10), 0..8))
}

/// A step in the table. Steps run in the order of time.
enum Step<'a> {
    Apply(&'a AwsEvent),
    Check(i64, i64),
}

fn play(life: &Life, delays: &[i64], observations: &[(i64, i64)], lost: &[bool]) -> Table {
    let events = life.events();
    let arrived = events.iter().zip(delays).zip(lost).filter(|(_, lost)| !**lost);
    let mut steps: Vec<(i64, Step<'_>)> =
        arrived.map(|(((minute, event), delay), _)| (minute + delay, Step::Apply(event))).collect();
    steps.extend(observations.iter().map(|(minute, stale)| (*minute, Step::Check(*minute, *stale))));
    steps.sort_by_key(|(minute, _)| *minute);
    let mut table = Table::new();
    for (_, step) in steps {
        match step {
            Step::Apply(event) => table.apply(event),
            Step::Check(minute, stale) => {
                table.check(life, minute, stale);
            }
        }
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Once all events have arrived, the checks have no effect.
    #[test]
    fn observations_leave_nothing_behind_that_the_events_would_not((delays, observations) in any_way(), life in any_life()) {
        let nothing_lost = vec![false; 12];
        let looked = play(&life, &delays, &observations, &nothing_lost);
        let alone = play(&life, &delays, &[], &nothing_lost);
        for minute in [400, 700] {
            prop_assert_eq!(looked.shows(minute), alone.shows(minute));
        }
    }

    /// If events are lost, a check after the end gives the license the state that the events would have given it, and
    /// another check changes nothing.
    #[test]
    fn a_look_makes_good_whatever_was_lost(
        (delays, observations) in any_way(),
        life in any_life(),
        lost in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut table = play(&life, &delays, &observations, &lost);
        table.check(&life, 700, 0);
        let alone = play(&life, &delays, &[], &[false; 12]);
        prop_assert_eq!(table.license.state_at(at(700)).name(), alone.license.state_at(at(700)).name());
        prop_assert_eq!(table.license.grants_access_at(at(700)), alone.license.grants_access_at(at(700)));
        prop_assert_eq!(table.license.agreement(), alone.license.agreement());
        if let (Some(until), Some(real)) = (table.license.usage_until(), alone.license.usage_until()) {
            // The event of the revocation is one minute late, if it arrived alone.
            prop_assert!(until == real || until == real + jiff::SignedDuration::from_mins(1));
        }
        prop_assert!(!table.check(&life, 760, 0), "a second check changes something");
    }
}

//! The seller's application: the usage that it reports, the answers that it receives, and the amounts that may be
//! billed for that usage.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{DimensionKey, LicenseId};
use domain::listing::Stage;
use domain::time::UsageHour;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A usage event with its corrections.
#[derive(Debug, Clone)]
pub struct UsageEvent {
    /// The stage whose intake receives it.
    pub stage: Stage,
    /// The buyer, by the license key or customer key that it had first.
    pub buyer: LicenseId,
    /// The dimension that was used.
    pub dimension: DimensionKey,
    /// The time of the usage.
    pub time: Timestamp,
    /// Its idempotency key.
    pub key: String,
    /// The reported contents, the newest last.
    pub versions: Vec<Version>,
    /// The number of requests with this event that are under way.
    pub under_way: u32,
}

/// A reported content of a fact: the first report or a correction.
#[derive(Debug, Clone)]
pub struct Version {
    /// The revision. Two versions with one revision contradict each other, which is a mistake of the application.
    pub revision: usize,
    /// The quantity.
    pub quantity: Decimal,
    /// The outcome at intake, as far as the application knows it.
    pub known: Known,
    /// `true` if the version was sent and has no certain answer.
    pub in_doubt: bool,
    /// `true` if another version with this revision was accepted before this one was sent. Then this one never counts.
    pub is_second: bool,
}

impl Version {
    /// Returns a version that was not sent yet.
    pub fn new(revision: usize, quantity: Decimal) -> Self {
        Self { revision, quantity, known: Known::Open, in_doubt: false, is_second: false }
    }
}

/// The application's knowledge about a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing is certain yet.
    Open,
    /// Intake has accepted it.
    Accepted,
    /// Intake has not accepted it, and has another content under its key.
    Conflict,
    /// Intake has refused it.
    Refused,
}

/// The answer of intake to one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntakeAnswer {
    /// `accepted` or `duplicate`.
    Accepted,
    /// `conflict`.
    Conflict,
    /// `refused`, with the code.
    Refused(String),
    /// `retry`, with the code.
    Retry(String),
    /// There was no answer.
    Nothing,
}

/// Versions to send, each as the index of its fact and its own index within the fact.
pub type Sent = Vec<(usize, usize)>;

/// The state of the application.
#[derive(Debug, Default)]
pub struct Application {
    /// All facts.
    pub usage_events: Vec<UsageEvent>,
    /// Answers that are never allowed.
    pub differences: Vec<(LicenseId, String)>,
    keys: BTreeMap<(LicenseId, DimensionKey, UsageHour), u32>,
}

impl Application {
    /// Records that something was used. Returns the index of the new fact.
    pub fn uses(
        &mut self,
        (stage, buyer, dimension): (Stage, LicenseId, DimensionKey),
        time: Timestamp,
        quantity: Decimal,
    ) -> usize {
        // Every hour and dimension uses the same keys, which are scoped to both.
        let number = self.keys.entry((buyer.clone(), dimension.clone(), UsageHour::of(time))).or_default();
        *number += 1;
        let key = format!("key-{number}");
        let versions = vec![Version::new(0, quantity)];
        self.usage_events.push(UsageEvent { stage, buyer, dimension, time, key, versions, under_way: 0 });
        self.usage_events.len() - 1
    }

    /// Returns, for each version, `true` if it was accepted before.
    pub fn accepted_before(&self, sent: &[(usize, usize)]) -> Vec<bool> {
        let version =
            |(usage_event, version): &(usize, usize)| self.usage_events.get(*usage_event)?.versions.get(*version);
        sent.iter().map(|of| version(of).is_some_and(|version| version.known == Known::Accepted)).collect()
    }

    /// Returns the events for these versions. Each event uses the id at the same position.
    pub fn events(&mut self, sent: &[(usize, usize)], ids: &[LicenseId]) -> Value {
        let events = sent.iter().zip(ids).filter_map(|((usage_event, version), id)| {
            let usage_event = self.usage_events.get_mut(*usage_event)?;
            usage_event.under_way += 1;
            let Version { revision, quantity, .. } = *usage_event.versions.get(*version)?;
            // Intake accepts both JSON numbers and strings.
            let quantity = match u32::try_from(quantity) {
                Ok(whole) if quantity.is_integer() && whole.is_multiple_of(2) => json!(whole),
                _ => json!(quantity.to_string()),
            };
            Some(json!({
                "license": id.as_str(), "dimension": usage_event.dimension.as_str(), "quantity": quantity,
                "time": usage_event.time.to_string(), "key": usage_event.key, "revision": revision,
            }))
        });
        json!({ "events": events.collect::<Vec<_>>() })
    }

    /// Records the answers and returns the versions that have to be sent again. `before` contains, for each version,
    /// `true` if it was accepted before this request was sent.
    pub fn apply_answers(&mut self, sent: &[(usize, usize)], before: &[bool], outcome: &[IntakeAnswer]) -> Sent {
        let mut again = Vec::new();
        for (((number, place), outcome), before) in sent.iter().zip(outcome).zip(before) {
            let Some(usage_event) = self.usage_events.get_mut(*number) else { continue };
            let UsageEvent { buyer, dimension, time, key, versions, under_way, .. } = usage_event;
            *under_way -= 1;
            let is_alone = *under_way == 0;
            let newest = versions.len() - 1;
            let Some(version) = versions.get_mut(*place) else { continue };
            if let (true, IntakeAnswer::Refused(code)) = (before, outcome)
                && code != "time_in_future"
            {
                let what = format!("{buyer} {dimension} {key} of {time}: refused as {code}, yet accepted before");
                self.differences.push((buyer.clone(), what));
                continue;
            }
            match outcome {
                IntakeAnswer::Accepted => version.known = Known::Accepted,
                // An accepted version stays accepted: the conflict is with a later correction.
                IntakeAnswer::Conflict | IntakeAnswer::Refused(_) if version.known == Known::Accepted => {}
                // Both answers guarantee that this version is not billed by itself, whatever the outcome of an earlier
                // attempt.
                IntakeAnswer::Conflict => {
                    version.known = Known::Conflict;
                    version.in_doubt &= !is_alone;
                }
                IntakeAnswer::Refused(_) => {
                    version.known = Known::Refused;
                    version.in_doubt &= !is_alone;
                }
                IntakeAnswer::Retry(_) | IntakeAnswer::Nothing => version.in_doubt = true,
            }
            if *place == newest && version.known == Known::Open {
                again.push((*number, *place));
            }
        }
        again
    }

    /// Returns the facts of a stage whose newest version was accepted.
    pub fn accepted(&self, stage: Stage) -> BTreeSet<(usize, usize)> {
        let newest = |(number, usage_event): (usize, &UsageEvent)| {
            let place = usage_event.versions.len() - 1;
            let version = usage_event.versions.get(place)?;
            (usage_event.stage == stage && version.known == Known::Accepted).then_some((number, place))
        };
        self.usage_events.iter().enumerate().filter_map(newest).collect()
    }
}

impl UsageEvent {
    /// Returns the smallest and the largest amount that may be billed for the fact.
    ///
    /// The accepted version with the highest revision counts, and the first of two versions with one revision. A
    /// version that was sent later and has no certain answer may count instead.
    pub fn billable(&self) -> (Decimal, Decimal) {
        let counting = || self.versions.iter().filter(|version| !version.is_second);
        let taken = counting().filter(|version| version.known == Known::Accepted).map(|version| version.revision).max();
        let may_count = |version: &&Version| match taken {
            Some(taken) if version.revision == taken => version.known == Known::Accepted || version.in_doubt,
            Some(taken) => version.revision > taken && version.in_doubt,
            None => version.in_doubt,
        };
        let base = counting().find(|version| Some(version.revision) == taken && version.known == Known::Accepted);
        let base = base.map_or(Decimal::ZERO, |version| version.quantity);
        let may = counting().filter(may_count).map(|version| version.quantity);
        may.fold((base, base), |(least, most), quantity| (least.min(quantity), most.max(quantity)))
    }

    /// Returns `true` if the highest revision was accepted with two contents.
    pub fn counts_after_a_contradiction(&self) -> bool {
        let newest = self.versions.iter().map(|version| version.revision).max();
        let mut of_newest = self.versions.iter().filter(|version| Some(version.revision) == newest);
        of_newest.any(|version| version.is_second && version.known == Known::Accepted)
    }

    /// Adds a version with the newest revision and another quantity, unless a request with the fact is under way.
    /// Returns its index.
    pub fn contradict(&mut self, by: Decimal) -> Option<usize> {
        let newest = self.versions.last()?;
        if self.under_way > 0 {
            return None;
        }
        let is_second = newest.known == Known::Accepted;
        let quantity = newest.quantity + by;
        self.versions.push(Version { is_second, ..Version::new(newest.revision, quantity) });
        Some(self.versions.len() - 1)
    }
}

/// Reads the answer to a request with `count` events. Returns `None` if it is not a valid answer.
pub fn read_answer(status: i64, body: &str, count: usize) -> Option<Vec<IntakeAnswer>> {
    let answer: Value = serde_json::from_str(body).ok().filter(|_| status == 200)?;
    let results = answer.get("results")?.as_array()?;
    let text = |result: &Value, name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let outcome = results.iter().map(|result| match text(result, "status").as_str() {
        "accepted" | "duplicate" => IntakeAnswer::Accepted,
        "conflict" => IntakeAnswer::Conflict,
        "refused" => IntakeAnswer::Refused(text(result, "code")),
        "retry" => IntakeAnswer::Retry(text(result, "code")),
        _ => IntakeAnswer::Nothing,
    });
    Some(outcome.collect()).filter(|outcome: &Vec<IntakeAnswer>| outcome.len() == count)
}

//! The seller's application: what it says was used, what it was answered, and what may be billed for that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use stallkeeper::ids::{DimensionKey, LicenseId};
use stallkeeper::listing::Stage;
use stallkeeper::time::UsageHour;

/// One thing that was used, with its corrections.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Whose intake it is sent to.
    pub stage: Stage,
    /// Whose usage: the key of the license or customer that the buyer had first.
    pub buyer: LicenseId,
    /// Of what.
    pub dimension: DimensionKey,
    /// When.
    pub time: Timestamp,
    /// Its idempotency key.
    pub key: String,
    /// What was said of it, the newest last.
    pub versions: Vec<Version>,
    /// How many requests with it are under way.
    pub under_way: u32,
}

/// What the application says of a fact: the first word, or a correction.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number; two versions of one number contradict each other, which is the application's mistake.
    pub revision: usize,
    /// How much.
    pub quantity: Decimal,
    /// What intake made of it, as far as the application knows.
    pub known: Known,
    /// Whether it was sent and not answered for certain.
    pub in_doubt: bool,
    /// Whether another version of its number was accepted before it was sent: then it counts never.
    pub is_second: bool,
}

impl Version {
    /// A version that was not sent yet.
    pub fn new(revision: usize, quantity: Decimal) -> Self {
        Self { revision, quantity, known: Known::Open, in_doubt: false, is_second: false }
    }
}

/// What the application knows of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing for certain yet.
    Open,
    /// It is taken in.
    Taken,
    /// It is not taken in, and something else stands under its key.
    Conflict,
    /// It was refused.
    Refused,
}

/// What intake says to one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// `accepted` or `duplicate`.
    Taken,
    /// `conflict`.
    Conflict,
    /// `refused`, with the code.
    Refused(String),
    /// `retry`, with the code.
    Retry(String),
    /// There was no answer.
    Nothing,
}

/// The names of facts and of a version of each.
pub type Sent = Vec<(usize, usize)>;

/// Everything that the application has to say.
#[derive(Debug, Default)]
pub struct Application {
    /// All facts.
    pub facts: Vec<Fact>,
    /// What was answered that no answer may be.
    pub differences: Vec<(LicenseId, String)>,
    keys: BTreeMap<(LicenseId, DimensionKey, UsageHour), u32>,
}

impl Application {
    /// Something was used.
    pub fn uses(
        &mut self,
        (stage, buyer, dimension): (Stage, LicenseId, DimensionKey),
        time: Timestamp,
        quantity: Decimal,
    ) -> usize {
        // The same keys in every hour and dimension: they are scoped to those.
        let number = self.keys.entry((buyer.clone(), dimension.clone(), UsageHour::of(time))).or_default();
        *number += 1;
        let key = format!("key-{number}");
        let versions = vec![Version::new(0, quantity)];
        self.facts.push(Fact { stage, buyer, dimension, time, key, versions, under_way: 0 });
        self.facts.len() - 1
    }

    /// Whether each of these was accepted before.
    pub fn accepted_before(&self, sent: &[(usize, usize)]) -> Vec<bool> {
        let version = |(fact, version): &(usize, usize)| self.facts.get(*fact)?.versions.get(*version);
        sent.iter().map(|of| version(of).is_some_and(|version| version.known == Known::Taken)).collect()
    }

    /// What is sent for these, each under the id beside it.
    pub fn events(&mut self, sent: &[(usize, usize)], ids: &[LicenseId]) -> Value {
        let events = sent.iter().zip(ids).filter_map(|((fact, version), id)| {
            let fact = self.facts.get_mut(*fact)?;
            fact.under_way += 1;
            let Version { revision, quantity, .. } = *fact.versions.get(*version)?;
            // Numbers of JSON and texts are both taken.
            let quantity = match u32::try_from(quantity) {
                Ok(whole) if quantity.is_integer() && whole.is_multiple_of(2) => json!(whole),
                _ => json!(quantity.to_string()),
            };
            Some(json!({
                "license": id.as_str(), "dimension": fact.dimension.as_str(), "quantity": quantity,
                "time": fact.time.to_string(), "key": fact.key, "revision": revision,
            }))
        });
        json!({ "events": events.collect::<Vec<_>>() })
    }

    /// Writes down what was said, and answers those whose newest version is to be sent again. `before` says which were
    /// accepted before this was sent.
    pub fn hears(&mut self, sent: &[(usize, usize)], before: &[bool], said: &[Said]) -> Sent {
        let mut again = Vec::new();
        for (((number, place), said), before) in sent.iter().zip(said).zip(before) {
            let Some(fact) = self.facts.get_mut(*number) else { continue };
            let Fact { buyer, dimension, time, key, versions, under_way, .. } = fact;
            *under_way -= 1;
            let is_alone = *under_way == 0;
            let newest = versions.len() - 1;
            let Some(version) = versions.get_mut(*place) else { continue };
            if let (true, Said::Refused(code)) = (before, said)
                && code != "time_in_future"
            {
                let what = format!("{buyer} {dimension} {key} of {time}: refused as {code}, yet accepted before");
                self.differences.push((buyer.clone(), what));
                continue;
            }
            match said {
                Said::Taken => version.known = Known::Taken,
                // Taken once is taken: a conflict is with a later correction.
                Said::Conflict | Said::Refused(_) if version.known == Known::Taken => {}
                // Both promise that this version is not billed by itself, whatever became of an earlier attempt.
                Said::Conflict => {
                    version.known = Known::Conflict;
                    version.in_doubt &= !is_alone;
                }
                Said::Refused(_) => {
                    version.known = Known::Refused;
                    version.in_doubt &= !is_alone;
                }
                Said::Retry(_) | Said::Nothing => version.in_doubt = true,
            }
            if *place == newest && version.known == Known::Open {
                again.push((*number, *place));
            }
        }
        again
    }

    /// The facts whose newest version was accepted, of one stage.
    pub fn accepted(&self, stage: Stage) -> BTreeSet<(usize, usize)> {
        let newest = |(number, fact): (usize, &Fact)| {
            let place = fact.versions.len() - 1;
            let version = fact.versions.get(place)?;
            (fact.stage == stage && version.known == Known::Taken).then_some((number, place))
        };
        self.facts.iter().enumerate().filter_map(newest).collect()
    }
}

impl Fact {
    /// The least and the most that may be billed for it.
    ///
    /// What was taken counts, of several versions the newest, of two of one number the first; one that was sent later and
    /// never answered for certain may count instead.
    pub fn billable(&self) -> (Decimal, Decimal) {
        let counting = || self.versions.iter().filter(|version| !version.is_second);
        let taken = counting().filter(|version| version.known == Known::Taken).map(|version| version.revision).max();
        let may_count = |version: &&Version| match taken {
            Some(taken) if version.revision == taken => version.known == Known::Taken || version.in_doubt,
            Some(taken) => version.revision > taken && version.in_doubt,
            None => version.in_doubt,
        };
        let base = counting().find(|version| Some(version.revision) == taken && version.known == Known::Taken);
        let base = base.map_or(Decimal::ZERO, |version| version.quantity);
        let may = counting().filter(may_count).map(|version| version.quantity);
        may.fold((base, base), |(least, most), quantity| (least.min(quantity), most.max(quantity)))
    }

    /// Whether the revision that counts for certain was accepted with two contents.
    pub fn counts_after_a_contradiction(&self) -> bool {
        let newest = self.versions.iter().map(|version| version.revision).max();
        let mut of_newest = self.versions.iter().filter(|version| Some(version.revision) == newest);
        of_newest.any(|version| version.is_second && version.known == Known::Taken)
    }

    /// Adds a version of the newest number with another quantity, if nothing of it is under way. Returns its place.
    pub fn contradict(&mut self, by: Decimal) -> Option<usize> {
        let newest = self.versions.last()?;
        if self.under_way > 0 {
            return None;
        }
        let is_second = newest.known == Known::Taken;
        let quantity = newest.quantity + by;
        self.versions.push(Version { is_second, ..Version::new(newest.revision, quantity) });
        Some(self.versions.len() - 1)
    }
}

/// Reads the answer to a request with so many events; none for one that is no answer.
pub fn read_answer(status: i64, body: &str, count: usize) -> Option<Vec<Said>> {
    let answer: Value = serde_json::from_str(body).ok().filter(|_| status == 200)?;
    let results = answer.get("results")?.as_array()?;
    let text = |result: &Value, name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let said = results.iter().map(|result| match text(result, "status").as_str() {
        "accepted" | "duplicate" => Said::Taken,
        "conflict" => Said::Conflict,
        "refused" => Said::Refused(text(result, "code")),
        "retry" => Said::Retry(text(result, "code")),
        _ => Said::Nothing,
    });
    Some(said.collect()).filter(|said: &Vec<Said>| said.len() == count)
}

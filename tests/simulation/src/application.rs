//! The seller's application: what it says was used, what it was answered, and what may be billed for that.

use std::collections::BTreeMap;

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
    /// Whose usage.
    pub license: LicenseId,
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
    /// How much.
    pub quantity: Decimal,
    /// What intake made of it, as far as the application knows.
    pub known: Known,
    /// Whether it was sent and not answered for certain.
    pub in_doubt: bool,
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
    /// `retry`, or there was no answer.
    Nothing,
}

/// The names of facts and of a version of each.
pub type Sent = Vec<(usize, usize)>;

/// Everything that the application has to say.
#[derive(Debug, Default)]
pub struct Application {
    /// All facts.
    pub facts: Vec<Fact>,
    keys: BTreeMap<(LicenseId, DimensionKey, UsageHour), u32>,
}

impl Application {
    /// Something was used.
    pub fn uses(
        &mut self,
        (stage, license, dimension): (Stage, LicenseId, DimensionKey),
        time: Timestamp,
        quantity: Decimal,
    ) -> usize {
        // The same keys in every hour and dimension: they are scoped to those.
        let number = self.keys.entry((license.clone(), dimension.clone(), UsageHour::of(time))).or_default();
        *number += 1;
        let key = format!("key-{number}");
        let versions = vec![Version { quantity, known: Known::Open, in_doubt: false }];
        self.facts.push(Fact { stage, license, dimension, time, key, versions, under_way: 0 });
        self.facts.len() - 1
    }

    /// What is sent for these.
    pub fn events(&mut self, sent: &[(usize, usize)]) -> Value {
        let events = sent.iter().filter_map(|(fact, version)| {
            let fact = self.facts.get_mut(*fact)?;
            fact.under_way += 1;
            let quantity = fact.versions.get(*version)?.quantity;
            // Numbers of JSON and texts are both taken.
            let quantity = match u32::try_from(quantity) {
                Ok(whole) if quantity.is_integer() && whole.is_multiple_of(2) => json!(whole),
                _ => json!(quantity.to_string()),
            };
            Some(json!({
                "license": fact.license.as_str(), "dimension": fact.dimension.as_str(), "quantity": quantity,
                "time": fact.time.to_string(), "key": fact.key, "revision": version,
            }))
        });
        json!({ "events": events.collect::<Vec<_>>() })
    }

    /// Writes down what was said, and answers those whose newest version is to be sent again.
    pub fn hears(&mut self, sent: &[(usize, usize)], said: &[Said]) -> Sent {
        let mut again = Vec::new();
        for ((number, place), said) in sent.iter().zip(said) {
            let Some(fact) = self.facts.get_mut(*number) else { continue };
            fact.under_way -= 1;
            let is_alone = fact.under_way == 0;
            let newest = fact.versions.len() - 1;
            let Some(version) = fact.versions.get_mut(*place) else { continue };
            match said {
                Said::Taken => version.known = Known::Taken,
                // Taken once is taken; a later word is about a repeat.
                Said::Conflict | Said::Refused(_) if version.known == Known::Taken => {}
                Said::Conflict => {
                    version.known = Known::Conflict;
                    version.in_doubt &= !is_alone;
                }
                Said::Refused(_) => version.known = Known::Refused,
                Said::Nothing => version.in_doubt = true,
            }
            if *place == newest && version.known == Known::Open {
                again.push((*number, *place));
            }
        }
        again
    }
}

impl Fact {
    /// The least and the most that may be billed for it.
    ///
    /// What was taken counts, of several versions the newest; one that was sent later and never answered for certain
    /// may count instead.
    pub fn billable(&self) -> (Decimal, Decimal) {
        let taken = self.versions.iter().rposition(|version| version.known == Known::Taken);
        let base = taken.and_then(|taken| self.versions.get(taken)).map_or(Decimal::ZERO, |version| version.quantity);
        let later = self.versions.iter().skip(taken.map_or(0, |taken| taken + 1));
        let doubtful = later.filter(|version| version.in_doubt).map(|version| version.quantity);
        doubtful.fold((base, base), |(least, most), quantity| (least.min(quantity), most.max(quantity)))
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
        _ => Said::Nothing,
    });
    Some(said.collect()).filter(|said: &Vec<Said>| said.len() == count)
}

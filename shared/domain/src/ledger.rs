//! The ledger of usage: the items of an hour, and their sum.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::allocation::Allocation;
use crate::ids::DimensionKey;
use crate::schema::Amount;
use crate::tags::Tags;
use crate::usage::KeyHash;

/// An item of the ledger: usage as it counts in its hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerItem {
    /// The dimension.
    pub dimension: DimensionKey,
    /// The source of the item.
    pub source: Source,
    /// The amount.
    pub amount: Decimal,
}

/// The source of an item of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Reported by the application, while the hour was open or later.
    Reported {
        /// The idempotency key.
        key: KeyHash,
        /// The number of the correction.
        revision: u32,
        /// The time at which intake received it.
        received_at: Timestamp,
        /// The tags.
        tags: Tags,
    },
    /// Carried from another hour, with what is known of its tags.
    Carried(Vec<Allocation>),
}

/// The sum of an hour's usage in a dimension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HourSum {
    /// The whole amount.
    pub amount: Decimal,
    /// The tagged amounts.
    pub tagged: BTreeMap<Tags, Decimal>,
    /// Keys that were reported with several contents in one revision.
    pub contested: Vec<ContestedKey>,
}

/// A key that was reported in one revision with several contents. The content that was received first counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContestedKey {
    /// The idempotency key.
    pub key: KeyHash,
    /// The revision.
    pub revision: u32,
    /// Its contents. The first one counts.
    pub contents: Vec<Content>,
}

/// The content of a usage event: the part of it that is billed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportedContent)]
pub struct Content {
    /// The time at which it was received first.
    pub received_at: Timestamp,
    /// The quantity.
    #[schema(value_type = Amount)]
    pub quantity: Decimal,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The most contents of one key and revision that are distinguished. A program that sends more is shown these.
const MAX_CONTENTS: usize = 10;

impl HourSum {
    fn add(&mut self, amount: Decimal, tags: &Tags) {
        self.amount += amount;
        self.tag(amount, tags);
    }

    /// Adds a tagged amount, which is a part of the whole amount.
    pub(crate) fn tag(&mut self, amount: Decimal, tags: &Tags) {
        if tags.is_empty() {
            return;
        }
        match self.tagged.get_mut(tags) {
            Some(tagged) => *tagged += amount,
            None => {
                self.tagged.insert(tags.clone(), amount);
            }
        }
    }
}

/// Sums an hour by dimension, item by item, without keeping the items.
///
/// Of a key's revisions the highest counts, and of several contents of one revision the one that was received first,
/// however often each was sent again. That also holds for usage that arrived late: an instance of intake whose cache
/// is old may take an hour for open after another one has closed it. The items of one key must follow each other, as
/// they do in the ledger.
#[derive(Debug, Default)]
pub struct Summing {
    sums: BTreeMap<DimensionKey, HourSum>,
    /// The content that counts so far for the current key.
    current: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    dimension: DimensionKey,
    key: KeyHash,
    revision: u32,
    contents: Vec<Content>,
}

impl Counted {
    /// Adds another item of the same key.
    fn add(&mut self, next: Self) {
        if self.revision < next.revision {
            *self = next;
        } else if self.revision == next.revision {
            for content in next.contents {
                self.add_content(content);
            }
        }
    }

    fn add_content(&mut self, content: Content) {
        let is_same = |known: &&mut Content| known.quantity == content.quantity && known.tags == content.tags;
        match self.contents.iter_mut().find(is_same) {
            Some(known) => known.received_at = known.received_at.min(content.received_at),
            None => self.contents.push(content),
        }
        self.contents.sort();
        self.contents.truncate(MAX_CONTENTS);
    }
}

impl Summing {
    /// Adds the next item.
    pub fn add(&mut self, item: LedgerItem) {
        let LedgerItem { dimension, source, amount } = item;
        let (key, revision, received_at, tags) = match source {
            Source::Reported { key, revision, received_at, tags } => (key, revision, received_at, tags),
            Source::Carried(parts) => {
                let sum = self.sums.entry(dimension).or_default();
                sum.amount += amount;
                for part in parts {
                    sum.tag(part.quantity.amount(), &part.tags);
                }
                return;
            }
        };
        let contents = vec![Content { received_at, quantity: amount, tags }];
        let next = Counted { dimension, key, revision, contents };
        match &mut self.current {
            Some(current) if current.dimension == next.dimension && current.key == next.key => current.add(next),
            _ => {
                self.count_current();
                self.current = Some(next);
            }
        }
    }

    /// Returns the sums, after the last item.
    pub fn finish(mut self) -> BTreeMap<DimensionKey, HourSum> {
        self.count_current();
        self.sums
    }

    fn count_current(&mut self) {
        let Some(Counted { dimension, key, revision, contents }) = self.current.take() else { return };
        let Some(counts) = contents.first() else { return };
        let sum = self.sums.entry(dimension).or_default();
        sum.add(counts.quantity, &counts.tags);
        if contents.len() > 1 {
            sum.contested.push(ContestedKey { key, revision, contents });
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;

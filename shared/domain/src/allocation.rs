//! Usage allocations: the breakdown of a record's quantity by tags (vendor-metered tagging).
//!
//! AWS refuses a whole call if the allocations of one record break a rule (BatchMeterUsage, `UsageAllocations`). So
//! what does not fit goes into the allocation without tags: its tags are lost, and all of it is billed.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::Amount;
use crate::tags::{MAX_TAGS, Tags};
use crate::usage::Quantity;

/// The most allocations of a record (BatchMeterUsage).
pub const MAX_ALLOCATIONS: usize = 2500;

/// The most bytes of tags in a record, so that it fits in an item of the table (400 KB).
const MAX_ALLOCATION_BYTES: usize = 250_000;

/// A part of a record's quantity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Allocation {
    /// The tags of the part. Absent for the part without tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The quantity of the part.
    #[schema(value_type = Amount)]
    pub quantity: Quantity,
}

impl Allocation {
    /// Returns the approximate size in bytes, in the table and in a request.
    pub fn size(&self) -> usize {
        60 + self.tags.iter().map(|(key, value)| 25 + key.len() + value.len()).sum::<usize>()
    }
}

/// A quantity that is broken down by tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocated {
    /// The parts, which sum up to the quantity; empty if nothing is tagged.
    pub parts: Vec<Allocation>,
    /// The number of tagged amounts that went into the part without tags.
    pub folded: usize,
}

/// Breaks a quantity down by an hour's tagged amounts, the largest first.
///
/// There are at most 2500 parts and 5 keys of tags in all of them, each set of tags occurs once, and at most one part
/// has no tags. If the quantity is less than the hour's sum (for an overage, or for what exceeds a record), the
/// smallest amounts are cut.
pub fn allocate(tagged: &BTreeMap<Tags, Decimal>, quantity: Quantity) -> Allocated {
    let mut by_size: Vec<_> = tagged.iter().filter(|(_, amount)| !amount.is_zero()).collect();
    by_size.sort_by_key(|(tags, amount)| (std::cmp::Reverse(**amount), *tags));
    let mut left = quantity.amount();
    let mut allocated = Allocated::default();
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    let mut bytes = 0;
    for (tags, amount) in by_size {
        if left.is_zero() {
            break;
        }
        let part = Allocation { tags: tags.clone(), quantity: Quantity::capped((*amount).min(left)) };
        let with_its_keys: BTreeSet<&str> = keys.iter().copied().chain(tags.iter().map(|(key, _)| key)).collect();
        let fits = with_its_keys.len() <= MAX_TAGS && bytes + part.size() <= MAX_ALLOCATION_BYTES;
        if !fits || allocated.parts.len() == MAX_ALLOCATIONS {
            allocated.folded += 1;
            continue;
        }
        keys = with_its_keys;
        bytes += part.size();
        left -= part.quantity.amount();
        allocated.parts.push(part);
    }
    if allocated.parts.is_empty() || left.is_zero() {
        return Allocated { parts: allocated.parts, folded: allocated.folded };
    }
    if allocated.parts.len() == MAX_ALLOCATIONS
        && let Some(smallest) = allocated.parts.pop()
    {
        left += smallest.quantity.amount();
        allocated.folded += 1;
    }
    allocated.parts.push(Allocation { tags: Tags::default(), quantity: Quantity::capped(left) });
    allocated
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::HourSum;

    fn total(parts: &[Allocation]) -> Decimal {
        parts.iter().map(|part| part.quantity.amount()).sum()
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        let pairs: BTreeMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Tags::try_from(pairs).unwrap()
    }

    fn sum(amount: i64, tagged: &[(&[(&str, &str)], i64)]) -> HourSum {
        let tagged = tagged.iter().map(|(pairs, amount)| (tags(pairs), Decimal::from(*amount))).collect();
        HourSum { amount: Decimal::from(amount), tagged, ..HourSum::default() }
    }

    fn parts(sum: &HourSum, quantity: i64) -> Vec<(Tags, String)> {
        let allocated = allocate(&sum.tagged, Quantity::try_from(Decimal::from(quantity)).unwrap());
        allocated.parts.into_iter().map(|part| (part.tags, part.quantity.to_string())).collect()
    }

    #[test]
    fn the_parts_sum_up_with_one_without_tags() {
        let sum = sum(10, &[(&[("team", "a")], 3), (&[("team", "b")], 5)]);
        let expected =
            [(tags(&[("team", "b")]), "5".into()), (tags(&[("team", "a")]), "3".into()), (tags(&[]), "2".into())];
        assert_eq!(parts(&sum, 10), expected);
        // Of an overage of 6, the largest comes first and the next is cut.
        assert_eq!(parts(&sum, 6), [(tags(&[("team", "b")]), "5".into()), (tags(&[("team", "a")]), "1".into())]);
        assert!(parts(&sum, 0).is_empty());
    }

    #[test]
    fn nothing_tagged_has_no_allocations() {
        assert_eq!(allocate(&sum(10, &[]).tagged, Quantity::capped(Decimal::TEN)), Allocated::default());
    }

    #[test]
    fn a_sixth_key_goes_into_the_part_without_tags() {
        let sum = sum(
            21,
            &[
                (&[("a", "1"), ("b", "1"), ("c", "1")], 6),
                (&[("d", "1")], 5),
                (&[("e", "1"), ("f", "1")], 4),
                (&[("e", "1")], 3),
                (&[("f", "1")], 2),
            ],
        );
        let allocated = allocate(&sum.tagged, Quantity::capped(sum.amount));
        assert_eq!(allocated.folded, 2);
        assert_eq!(total(&allocated.parts), sum.amount);
        assert_eq!(allocated.parts.last().unwrap().quantity.to_string(), "7");
    }

    #[test]
    fn more_sets_of_tags_than_a_record_holds_are_folded() {
        let many = |count: i64| {
            let tagged = (0..count).map(|n| (tags(&[("n", &n.to_string())]), Decimal::ONE)).collect();
            HourSum { amount: Decimal::from(count), tagged, ..HourSum::default() }
        };
        let exact = allocate(&many(2500).tagged, Quantity::capped(Decimal::from(2500)));
        assert_eq!((exact.parts.len(), exact.folded), (2500, 0));
        let over = allocate(&many(2600).tagged, Quantity::capped(Decimal::from(2600)));
        assert_eq!((over.parts.len(), over.folded), (2500, 101));
        assert_eq!(over.parts.last().unwrap().quantity.to_string(), "101");
        assert!(over.parts.last().unwrap().tags.is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_tagged_every_rule_of_aws_holds(
            tagged in prop::collection::btree_map(
                prop::collection::btree_map("[a-h]", "[x-z]{1,256}", 1..4), 0u32..2000, 0..40),
            untagged in 0u32..50, cut in 0u32..100,
        ) {
            let tagged: BTreeMap<Tags, Decimal> =
                tagged.into_iter().map(|(tags, n)| (Tags::try_from(tags).unwrap(), Decimal::new(i64::from(n), 3))).collect();
            let amount = tagged.values().sum::<Decimal>() + Decimal::from(untagged);
            let quantity = Quantity::capped(amount - Decimal::from(cut));
            let allocated = allocate(&tagged, quantity);
            if !allocated.parts.is_empty() {
                prop_assert_eq!(total(&allocated.parts), quantity.amount());
            }
            prop_assert!(allocated.parts.len() <= MAX_ALLOCATIONS);
            let keys: BTreeSet<&str> =
                allocated.parts.iter().flat_map(|part| part.tags.iter().map(|(key, _)| key)).collect();
            prop_assert!(keys.len() <= MAX_TAGS);
            let sets: BTreeSet<&Tags> = allocated.parts.iter().map(|part| &part.tags).collect();
            prop_assert_eq!(sets.len(), allocated.parts.len());
            prop_assert!(allocated.parts.iter().all(|part| part.quantity > Quantity::ZERO));
        }
    }
}

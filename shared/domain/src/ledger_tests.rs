use proptest::prelude::*;

use super::*;
use crate::usage::Quantity;

fn reported(key: &str, revision: u32, amount: i64) -> LedgerItem {
    reported_at(key, revision, 0, amount)
}

/// Builds an item that intake received at that second.
fn reported_at(key: &str, revision: u32, second: i64, amount: i64) -> LedgerItem {
    let received_at = Timestamp::from_second(second).unwrap();
    item(Source::Reported { key: KeyHash::of(key), revision, received_at, tags: Tags::default() }, amount)
}

fn item(source: Source, amount: i64) -> LedgerItem {
    LedgerItem { dimension: "requests".parse().unwrap(), source, amount: amount.into() }
}

fn tags(value: &str) -> Tags {
    Tags::try_from(BTreeMap::from([("team".to_owned(), value.to_owned())])).unwrap()
}

fn sum(items: impl IntoIterator<Item = LedgerItem>) -> HourSum {
    let mut summing = Summing::default();
    items.into_iter().for_each(|item| summing.add(item));
    summing.finish().remove(&"requests".parse().unwrap()).unwrap_or_default()
}

#[test]
fn the_highest_revision_of_each_key_counts() {
    let items = [
        reported("a", 1, 7),
        reported("a", 0, 5),
        reported("b", 0, 10),
        item(Source::Carried(Vec::new()), 1),
        item(Source::Carried(Vec::new()), 1),
    ];
    assert_eq!(sum(items).amount, Decimal::from(7 + 10 + 2));
}

#[test]
fn of_several_contents_of_one_revision_the_first_counts_however_often_each_is_sent_again() {
    let sum_of = |items: &[LedgerItem]| sum(items.to_vec());
    let contested = sum_of(&[reported_at("a", 0, 5, 10), reported_at("a", 0, 9, 10), reported_at("a", 0, 7, 12)]);
    assert_eq!(contested.amount, Decimal::from(10));
    let [key] = contested.contested.as_slice() else { panic!("{contested:?}") };
    let contents: Vec<_> =
        key.contents.iter().map(|content| (content.received_at.as_second(), content.quantity)).collect();
    assert_eq!(contents, [(5, Decimal::from(10)), (7, Decimal::from(12))]);
    assert_eq!(sum_of(&[reported_at("a", 0, 5, 10), reported_at("a", 0, 9, 10)]).contested, []);
    // A correction settles it.
    let corrected = sum_of(&[reported_at("a", 0, 5, 10), reported_at("a", 0, 7, 12), reported_at("a", 1, 8, 11)]);
    assert_eq!((corrected.amount, corrected.contested.len()), (Decimal::from(11), 0));
}

#[test]
fn tags_are_summed_apart() {
    let tagged = |key: &str, revision, value: &str, amount| {
        let received_at = Timestamp::UNIX_EPOCH;
        item(Source::Reported { key: KeyHash::of(key), revision, received_at, tags: tags(value) }, amount)
    };
    let carried = Allocation { tags: tags("b"), quantity: Quantity::capped(Decimal::from(4)) };
    let items = [
        tagged("a", 0, "a", 100),
        tagged("a", 1, "b", 7),
        tagged("b", 0, "a", 2),
        reported("c", 0, 3),
        item(Source::Carried(vec![carried]), 5),
    ];
    let sum = sum(items);
    assert_eq!(sum.amount, Decimal::from(7 + 2 + 3 + 5));
    assert_eq!(sum.tagged, BTreeMap::from([(tags("a"), Decimal::from(2)), (tags("b"), Decimal::from(7 + 4))]));
}

proptest! {
    #[test]
    fn the_sum_does_not_depend_on_the_order_of_a_keys_items(
        (keys, shuffled) in prop::collection::btree_map(0u8..5, prop::collection::btree_map(0u32..4, 0i64..100, 1..4), 0..5)
            .prop_flat_map(|facts| {
                let keys: Vec<Vec<LedgerItem>> = facts.into_iter().map(|(key, revisions)| {
                    revisions.into_iter().map(|(at, amount)| {
                        reported_at(&key.to_string(), at % 3, at.into(), amount)
                    }).collect()
                }).collect();
                let shuffled: Vec<_> = keys.iter().map(|items| Just(items.clone()).prop_shuffle()).collect();
                (Just(keys), shuffled)
            })
    ) {
        prop_assert_eq!(sum(keys.into_iter().flatten()), sum(shuffled.into_iter().flatten()));
    }
}

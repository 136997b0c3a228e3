//! The steps that a seller takes once, and AWS's decisions: registration, review, publication.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::judgement::{Verdict, fail, listed, missing, not_yet, of, pass, unsure};
use domain::catalog::{Life, PriceAtAws, PublicRequest};
use domain::listing::Price;

pub(super) fn registration(facts: &Facts<'_>) -> Verdict {
    // The Catalog API answers sellers only. A product that it does not have says nothing about the account.
    match &facts.product {
        Ok(Some(_)) => pass("ok", []),
        Ok(None) => unsure("no_product", []),
        Err(blind) => Verdict::Blind(blind.clone()),
    }
}

pub(super) fn only_a_person_can_say(_: &Facts<'_>) -> Verdict {
    Verdict::OnlyAPersonCanSay
}

pub(super) fn final_review_requested(facts: &Facts<'_>) -> Verdict {
    let life = facts.product.as_ref().ok().and_then(Option::as_ref).map(|product| product.life);
    if matches!(life, Some(Life::Public | Life::Restricted)) {
        return pass("done", []);
    }
    of_prices(facts).unwrap_or_else(|| {
        of(&facts.review, |review| match &review.public_request {
            Some(PublicRequest { at, refused: None }) => pass("ok", [("at", at.to_string())]),
            Some(PublicRequest { at, refused: Some(why) }) => {
                fail("refused", [("at", at.to_string()), ("why", why.clone())])
            }
            None => missing("none", []),
        })
    })
}

/// Returns the verdict that prevents a request to review the prices; `None` if AWS has the described ones, or none are
/// described.
fn of_prices(facts: &Facts<'_>) -> Option<Verdict> {
    let described = &facts.listing.catalog.as_ref()?.prices;
    let offers = match &facts.offers {
        Ok(offers) => offers.iter().filter(|offer| offer.is_public(facts.now)),
        Err(blind) => return Some(Verdict::Blind(blind.clone())),
    };
    let at_aws: Vec<&PriceAtAws> = offers.flat_map(|offer| &offer.prices).collect();
    let is_of =
        |known: &PriceAtAws, price: &Price| known.dimension == price.dimension.as_str() && known.months == price.months;
    let is_described = |known: &PriceAtAws| {
        known.currency == "USD" && described.iter().any(|price| is_of(known, price) && known.amount == price.usd)
    };
    // Prices of other contract lengths count, too: buyers pay what AWS shows.
    let unlike = at_aws.iter().filter(|known| !is_described(known));
    let unlike: BTreeSet<String> = unlike.map(|known| named(&known.dimension, known.months)).collect();
    let lacking = described.iter().filter(|price| !at_aws.iter().any(|known| is_of(known, price)));
    let lacking: Vec<String> = lacking.map(|price| named(price.dimension.as_str(), price.months)).collect();
    let request = facts.review.as_ref().ok().and_then(|review| review.public_request.as_ref());
    let is_requested = request.is_some_and(|request| request.refused.is_none());
    // Prices are small while a listing is being tested.
    let judge = if is_requested { fail } else { not_yet };
    if !unlike.is_empty() {
        Some(judge("prices", [("keys", listed(unlike))]))
    } else if !lacking.is_empty() {
        Some(judge("unpriced", [("keys", listed(lacking))]))
    } else {
        None
    }
}

/// Returns the name of a price, with the contract length as AWS writes it.
fn named(dimension: &str, months: Option<u8>) -> String {
    months.map_or_else(|| dimension.to_owned(), |months| format!("{dimension} (P{months}M)"))
}

pub(super) fn published(facts: &Facts<'_>) -> Verdict {
    of(&facts.product, |product| match product.as_ref().map(|product| product.life) {
        Some(Life::Public) => pass("ok", []),
        Some(life) => missing("other", [("life", life.as_str().to_owned())]),
        None => missing("none", []),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::facts::{Blind, ReviewSeen};
    use crate::testing::{blind, complete, listing};

    #[test]
    fn an_account_that_the_catalog_answers_is_a_sellers() {
        let listing = listing();
        let mut facts = complete(&listing);
        assert!(matches!(registration(&facts), Verdict::Pass(_)));
        facts.product = Ok(None);
        assert_eq!(registration(&facts), unsure("no_product", []));
        facts.product = Err(blind());
        assert_eq!(registration(&facts), Verdict::Blind(blind()));
    }

    #[test]
    fn a_review_is_requested_by_a_change_of_visibility_or_was_before_publication() {
        let listing = listing();
        let mut facts = complete(&listing);
        for (requested, life, wanted) in [
            (Ok(Some(facts.now)), Life::Limited, Some("ok")),
            (Ok(None), Life::Limited, None),
            (Ok(None), Life::Public, Some("done")),
            (Err(()), Life::Restricted, Some("done")),
            (Err(()), Life::Limited, None),
        ] {
            let request = |at| PublicRequest { at, refused: None };
            facts.review = requested
                .map_err(|()| blind())
                .map(|at: Option<Timestamp>| ReviewSeen { public_request: at.map(request) });
            facts.product.as_mut().unwrap().as_mut().unwrap().life = life;
            let got = match final_review_requested(&facts) {
                Verdict::Pass(words) => Some(words.attribute),
                Verdict::Missing(_) | Verdict::Blind(Blind::TimedOut { .. }) => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(got, wanted, "{requested:?} {life:?}");
        }
    }

    #[test]
    fn a_review_waits_for_the_prices_that_are_described() {
        const DESCRIBED: &str = include_str!("../../../listings/demo-consumption.toml");
        fn prices<'a>(facts: &'a mut Facts<'_>) -> &'a mut Vec<PriceAtAws> {
            &mut facts.offers.as_mut().unwrap().first_mut().unwrap().prices
        }
        type Change = fn(&mut Facts<'_>);
        let table: [(Change, &str); 12] = [
            (|_| {}, "pass ok"),
            (|facts| prices(facts).first_mut().unwrap().amount = 9.into(), "fail prices events_included (P12M)"),
            (|facts| prices(facts).last_mut().unwrap().amount = 9.into(), "fail prices events_extra"),
            (|facts| prices(facts).last_mut().unwrap().currency = "EUR".to_owned(), "fail prices events_extra"),
            (
                |facts| {
                    prices(facts).last_mut().unwrap().amount = 9.into();
                    facts.review = Ok(ReviewSeen { public_request: None });
                },
                "not yet prices events_extra",
            ),
            // The same price for another contract length is another price.
            (|facts| prices(facts).first_mut().unwrap().months = Some(1), "fail prices events_included (P1M)"),
            (
                |facts| {
                    let monthly = PriceAtAws { months: Some(1), ..prices(facts).first().unwrap().clone() };
                    prices(facts).push(monthly);
                },
                "fail prices events_included (P1M)",
            ),
            (|facts| drop(prices(facts).pop()), "fail unpriced events_extra"),
            (|facts| facts.offers = Ok(Vec::new()), "fail unpriced events_included (P12M), events_extra"),
            (|facts| facts.offers = Err(blind()), "blind"),
            (|facts| facts.review.as_mut().unwrap().public_request = None, "missing none"),
            (
                |facts| {
                    let request = facts.review.as_mut().unwrap().public_request.as_mut().unwrap();
                    request.refused = Some("No video.".to_owned());
                },
                "fail refused",
            ),
        ];
        let listing = domain::listing::Listing::parse(DESCRIBED).unwrap();
        for (change, wanted) in table {
            let mut facts = complete(&listing);
            change(&mut facts);
            let (kind, words) = match final_review_requested(&facts) {
                Verdict::Pass(words) => ("pass", Some(words)),
                Verdict::Missing(words) => ("missing", Some(words)),
                Verdict::Fail(words) => ("fail", Some(words)),
                Verdict::NotYet(words) => ("not yet", Some(words)),
                Verdict::Blind(_) => ("blind", None),
                other => panic!("{other:?}"),
            };
            let keys = words.iter().flat_map(|words| &words.with).filter(|(name, _)| *name == "keys");
            let said = words.iter().map(|words| words.attribute).chain(keys.map(|(_, keys)| keys.as_str()));
            let got = [kind].into_iter().chain(said).collect::<Vec<_>>().join(" ");
            assert_eq!(got, wanted);
        }
        // If no prices are described, none are compared.
        let mut undescribed = listing.clone();
        undescribed.catalog = None;
        let mut facts = complete(&undescribed);
        facts.offers = Err(blind());
        assert!(matches!(final_review_requested(&facts), Verdict::Pass(_)));
        // A review that has ended stays so.
        let mut facts = complete(&listing);
        facts.offers = Err(blind());
        facts.product.as_mut().unwrap().as_mut().unwrap().life = Life::Public;
        assert!(matches!(final_review_requested(&facts), Verdict::Pass(_)));
    }

    #[test]
    fn only_a_public_product_is_published() {
        let listing = listing();
        let mut facts = complete(&listing);
        for life in [Life::Draft, Life::Limited, Life::Public, Life::Restricted, Life::Unknown] {
            facts.product.as_mut().unwrap().as_mut().unwrap().life = life;
            assert_eq!(matches!(published(&facts), Verdict::Pass(_)), life == Life::Public, "{life:?}");
        }
        facts.product = Ok(None);
        assert!(matches!(published(&facts), Verdict::Missing(_)));
        facts.product = Err(blind());
        assert_eq!(published(&facts), Verdict::Blind(blind()));
    }
}

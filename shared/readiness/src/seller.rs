//! The steps that a seller takes once, and AWS's decisions: registration, review, publication.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::judgement::{Verdict, fail, if_observed, listed, missing, not_yet, pass, unsure};
use domain::catalog::{PriceAtAws, PublicRequest, Visibility};
use domain::listing::Price;

pub(super) fn registration(facts: &Facts<'_>) -> Verdict {
    // The Catalog API answers sellers only. A product that it does not have says nothing about the account.
    match &facts.product {
        Ok(Some(_)) => pass("ok", []),
        Ok(None) => unsure("no_product", []),
        Err(unobserved) => Verdict::Unobserved(unobserved.clone()),
    }
}

pub(super) fn attestation_only(_: &Facts<'_>) -> Verdict {
    Verdict::AttestationOnly
}

pub(super) fn final_review_requested(facts: &Facts<'_>) -> Verdict {
    let visibility = facts.product.as_ref().ok().and_then(Option::as_ref).map(|product| product.visibility);
    if matches!(visibility, Some(Visibility::Public | Visibility::Restricted)) {
        return pass("completed", []);
    }
    price_obstacle(facts).unwrap_or_else(|| {
        if_observed(&facts.review, |review| match &review.public_request {
            Some(PublicRequest { at, refused: None }) => pass("ok", [("at", at.to_string())]),
            Some(PublicRequest { at, refused: Some(why) }) => {
                fail("refused", [("at", at.to_string()), ("reason", why.clone())])
            }
            None => missing("none", []),
        })
    })
}

/// Returns the verdict that prevents a request to review the prices; `None` if AWS has the described ones, or none are
/// described.
fn price_obstacle(facts: &Facts<'_>) -> Option<Verdict> {
    let described = &facts.listing.catalog.as_ref()?.prices;
    let offers = match &facts.offers {
        Ok(offers) => offers.iter().filter(|offer| offer.is_public(facts.now)),
        Err(unobserved) => return Some(Verdict::Unobserved(unobserved.clone())),
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
        Some(judge("prices_differ", [("keys", listed(unlike))]))
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
    if_observed(&facts.product, |product| match product.as_ref().map(|product| product.visibility) {
        Some(Visibility::Public) => pass("ok", []),
        Some(visibility) => missing("not_public", [("visibility", visibility.as_str().to_owned())]),
        None => missing("none", []),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::facts::{ObservedReview, Unobserved};
    use crate::testing::{complete, listing, unobserved};

    #[test]
    fn an_account_whose_catalog_has_the_product_is_registered() {
        let listing = listing();
        let mut facts = complete(&listing);
        assert!(matches!(registration(&facts), Verdict::Pass(_)));
        facts.product = Ok(None);
        assert_eq!(registration(&facts), unsure("no_product", []));
        facts.product = Err(unobserved());
        assert_eq!(registration(&facts), Verdict::Unobserved(unobserved()));
    }

    #[test]
    fn a_review_is_requested_by_a_change_of_visibility_or_completed_before_publication() {
        let listing = listing();
        let mut facts = complete(&listing);
        for (requested, visibility, wanted) in [
            (Ok(Some(facts.now)), Visibility::Limited, Some("ok")),
            (Ok(None), Visibility::Limited, None),
            (Ok(None), Visibility::Public, Some("completed")),
            (Err(()), Visibility::Restricted, Some("completed")),
            (Err(()), Visibility::Limited, None),
        ] {
            let request = |at| PublicRequest { at, refused: None };
            facts.review = requested
                .map_err(|()| unobserved())
                .map(|at: Option<Timestamp>| ObservedReview { public_request: at.map(request) });
            facts.product.as_mut().unwrap().as_mut().unwrap().visibility = visibility;
            let got = match final_review_requested(&facts) {
                Verdict::Pass(detail) => Some(detail.attribute),
                Verdict::Missing(_) | Verdict::Unobserved(Unobserved::TimedOut { .. }) => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(got, wanted, "{requested:?} {visibility:?}");
        }
    }

    #[test]
    fn a_review_waits_for_the_described_prices() {
        const DESCRIBED: &str = include_str!("../../../listings/demo-consumption.toml");
        fn prices<'a>(facts: &'a mut Facts<'_>) -> &'a mut Vec<PriceAtAws> {
            &mut facts.offers.as_mut().unwrap().first_mut().unwrap().prices
        }
        type Change = fn(&mut Facts<'_>);
        let table: [(Change, &str); 12] = [
            (|_| {}, "pass ok"),
            (|facts| prices(facts).first_mut().unwrap().amount = 9.into(), "fail prices_differ events_included (P12M)"),
            (|facts| prices(facts).last_mut().unwrap().amount = 9.into(), "fail prices_differ events_extra"),
            (|facts| prices(facts).last_mut().unwrap().currency = "EUR".to_owned(), "fail prices_differ events_extra"),
            (
                |facts| {
                    prices(facts).last_mut().unwrap().amount = 9.into();
                    facts.review = Ok(ObservedReview { public_request: None });
                },
                "not yet prices_differ events_extra",
            ),
            // The same price for another contract length is another price.
            (|facts| prices(facts).first_mut().unwrap().months = Some(1), "fail prices_differ events_included (P1M)"),
            (
                |facts| {
                    let monthly = PriceAtAws { months: Some(1), ..prices(facts).first().unwrap().clone() };
                    prices(facts).push(monthly);
                },
                "fail prices_differ events_included (P1M)",
            ),
            (|facts| drop(prices(facts).pop()), "fail unpriced events_extra"),
            (|facts| facts.offers = Ok(Vec::new()), "fail unpriced events_included (P12M), events_extra"),
            (|facts| facts.offers = Err(unobserved()), "unobserved"),
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
            let (kind, detail) = match final_review_requested(&facts) {
                Verdict::Pass(detail) => ("pass", Some(detail)),
                Verdict::Missing(detail) => ("missing", Some(detail)),
                Verdict::Fail(detail) => ("fail", Some(detail)),
                Verdict::NotYet(detail) => ("not yet", Some(detail)),
                Verdict::Unobserved(_) => ("unobserved", None),
                other => panic!("{other:?}"),
            };
            let keys = detail.iter().flat_map(|detail| &detail.arguments).filter(|(name, _)| *name == "keys");
            let parts = detail.iter().map(|detail| detail.attribute).chain(keys.map(|(_, keys)| keys.as_str()));
            let got = [kind].into_iter().chain(parts).collect::<Vec<_>>().join(" ");
            assert_eq!(got, wanted);
        }
        // If no prices are described, none are compared.
        let mut undescribed = listing.clone();
        undescribed.catalog = None;
        let mut facts = complete(&undescribed);
        facts.offers = Err(unobserved());
        assert!(matches!(final_review_requested(&facts), Verdict::Pass(_)));
        // A review that has ended stays so.
        let mut facts = complete(&listing);
        facts.offers = Err(unobserved());
        facts.product.as_mut().unwrap().as_mut().unwrap().visibility = Visibility::Public;
        assert!(matches!(final_review_requested(&facts), Verdict::Pass(_)));
    }

    #[test]
    fn only_a_public_product_is_published() {
        let listing = listing();
        let mut facts = complete(&listing);
        for visibility in
            [Visibility::Draft, Visibility::Limited, Visibility::Public, Visibility::Restricted, Visibility::Unknown]
        {
            facts.product.as_mut().unwrap().as_mut().unwrap().visibility = visibility;
            assert_eq!(
                matches!(published(&facts), Verdict::Pass(_)),
                visibility == Visibility::Public,
                "{visibility:?}"
            );
        }
        facts.product = Ok(None);
        assert!(matches!(published(&facts), Verdict::Missing(_)));
        facts.product = Err(unobserved());
        assert_eq!(published(&facts), Verdict::Unobserved(unobserved()));
    }
}

//! What a seller does once, and what AWS decides: registration, review, publication.

use super::facts::Facts;
use super::judgement::{Verdict, listed, missing, of, pass};
use crate::ids::DimensionKey;
use crate::listing::Price;
use crate::marketplace::{Life, PriceAtAws};

pub(super) fn registration(facts: &Facts<'_>) -> Verdict {
    // The Catalog API answers sellers only; that it has no product of ours says nothing of the account.
    match &facts.product {
        Ok(Some(_)) => pass("ok", []),
        Ok(None) => Verdict::OnlyAPersonCanSay,
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
    let unlike = unlike_prices(facts);
    if !unlike.is_empty() {
        return missing("prices", [("keys", listed(unlike))]);
    }
    of(&facts.review, |review| match review.public_requested {
        Some(at) => pass("ok", [("at", at.to_string())]),
        None => missing("none", []),
    })
}

/// The dimensions of which AWS has another price than the one that is described, where both are known.
fn unlike_prices(facts: &Facts<'_>) -> Vec<DimensionKey> {
    let (Some(catalog), Ok(offers)) = (&facts.listing.catalog, &facts.offers) else { return Vec::new() };
    let public = offers.iter().filter(|offer| offer.is_public(facts.now));
    let public: Vec<&PriceAtAws> = public.flat_map(|offer| &offer.prices).collect();
    let at_aws = |price: &&Price| {
        public.iter().any(|known| known.dimension == price.dimension.as_str() && known.amount == price.usd)
    };
    catalog.prices.iter().filter(|price| !at_aws(price)).map(|price| price.dimension.clone()).collect()
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
    use super::*;
    use crate::readiness::facts::{Blind, ReviewSeen};
    use crate::readiness::testing::{blind, complete, listing};

    #[test]
    fn an_account_that_the_catalog_answers_is_a_sellers() {
        let listing = listing();
        let mut facts = complete(&listing);
        assert!(matches!(registration(&facts), Verdict::Pass(_)));
        facts.product = Ok(None);
        assert_eq!(registration(&facts), Verdict::OnlyAPersonCanSay);
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
            facts.review = requested.map_err(|()| blind()).map(|public_requested| ReviewSeen { public_requested });
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
        let mut listing =
            crate::listing::Listing::parse(include_str!("../../../listings/demo-consumption.toml")).unwrap();
        let usd = |listing: &mut crate::listing::Listing, cents: i64| {
            for price in &mut listing.catalog.as_mut().unwrap().prices {
                price.usd = rust_decimal::Decimal::new(cents, 2);
            }
        };
        usd(&mut listing, 1);
        assert!(matches!(final_review_requested(&complete(&listing)), Verdict::Pass(_)));
        usd(&mut listing, 900);
        let verdict = final_review_requested(&complete(&listing));
        assert!(matches!(&verdict, Verdict::Missing(words) if words.attribute == "prices"), "{verdict:?}");
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

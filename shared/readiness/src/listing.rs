//! The product in AWS, compared with the described listing.

use std::collections::BTreeMap;

use url::Url;

use super::facts::Facts;
use super::judgement::{Verdict, fail, if_observed, listed, missing, pass, unsure};
use super::terms;
use domain::catalog::{OfferAtAws, ProductAtAws, Visibility};
use domain::ids::DimensionKey;
use domain::listing::{DimensionType, Pricing};

/// The least number of accounts that a limited listing must allow, besides the seller's own tests.
const TEST_ACCOUNTS: usize = 5;

/// Judges the product in AWS, if it exists.
fn product(facts: &Facts<'_>, judge: impl FnOnce(&ProductAtAws) -> Verdict) -> Verdict {
    if_observed(&facts.product, |product| product.as_ref().map_or_else(|| missing("no_product", []), judge))
}

/// Judges the offers that every buyer may accept.
fn public_offers(facts: &Facts<'_>, judge: impl FnOnce(&[&OfferAtAws]) -> Verdict) -> Verdict {
    product(facts, |_| {
        if_observed(&facts.offers, |offers| {
            let public: Vec<&OfferAtAws> = offers.iter().filter(|offer| offer.is_public(facts.now)).collect();
            if public.is_empty() { missing("no_offer", []) } else { judge(&public) }
        })
    })
}

pub(super) fn found(facts: &Facts<'_>) -> Verdict {
    product(facts, |product| {
        let with = [("product", product.id.to_string()), ("visibility", product.visibility.as_str().to_owned())];
        match product.visibility {
            Visibility::Draft => missing("draft", with),
            Visibility::Limited | Visibility::Public => pass("ok", with),
            Visibility::Restricted => fail("restricted", with),
            Visibility::Unknown => unsure("unknown", with),
        }
    })
}

pub(super) fn product_code(facts: &Facts<'_>) -> Verdict {
    let described = facts.listing.product_code.as_str();
    product(facts, |product| match product.product_code.as_deref() {
        Some(code) if code == described => pass("ok", [("code", code.to_owned())]),
        Some(code) => fail("different", [("code", code.to_owned()), ("described", described.to_owned())]),
        None => missing("none", []),
    })
}

pub(super) fn fulfillment_url(facts: &Facts<'_>) -> Verdict {
    product(facts, |product| {
        if_observed(&facts.page.address, |address| {
            // A slash at the end makes it another URL, at which there is no page.
            let same = |url: &str| Url::parse(url).is_ok_and(|url| url == *address);
            let urls = product.delivery_options.iter().map(|option| option.fulfillment_url.as_str());
            match urls.collect::<Vec<_>>().as_slice() {
                [] => missing("none", [("url", address.to_string())]),
                urls if urls.iter().all(|url| same(url)) => pass("ok", [("url", address.to_string())]),
                urls => fail("different", [("url", address.to_string()), ("current", listed(urls.iter().copied()))]),
            }
        })
    })
}

pub(super) fn dimensions(facts: &Facts<'_>) -> Verdict {
    product(facts, |product| {
        let at_aws: BTreeMap<&str, _> = product.dimensions.iter().map(|found| (found.key.as_str(), found)).collect();
        let described: BTreeMap<&str, _> =
            facts.listing.dimensions.iter().map(|dimension| (dimension.key.as_str(), dimension)).collect();
        let lacking: Vec<&str> = described.keys().filter(|key| !at_aws.contains_key(*key)).copied().collect();
        if !lacking.is_empty() {
            return missing("missing", [("keys", listed(lacking))]);
        }
        let others: Vec<&str> = at_aws.keys().filter(|key| !described.contains_key(*key)).copied().collect();
        if !others.is_empty() {
            return fail("undescribed", [("keys", listed(others))]);
        }
        let mistyped: Vec<&str> = described
            .iter()
            .filter(|(key, dimension)| at_aws.get(*key).is_none_or(|found| found.types != dimension.types))
            .map(|(key, _)| *key)
            .collect();
        if !mistyped.is_empty() {
            return fail("types_differ", [("keys", listed(mistyped))]);
        }
        let kinds: Vec<DimensionType> = product.dimensions.iter().flat_map(|found| found.types.clone()).collect();
        let is_entitled = kinds.contains(&DimensionType::Entitled);
        let is_metered = kinds.iter().any(|kind| *kind != DimensionType::Entitled);
        let fits = match facts.listing.pricing {
            Pricing::Contract => is_entitled && !is_metered,
            Pricing::Subscription => is_metered && !is_entitled,
            Pricing::ContractWithConsumption => is_entitled && is_metered,
        };
        if fits { pass("ok", [("count", at_aws.len().to_string())]) } else { fail("pricing", []) }
    })
}

pub(super) fn description_complete(facts: &Facts<'_>) -> Verdict {
    product(facts, |product| {
        let long = |text: &str, most: usize| text.chars().count() > most;
        let several = |texts: &[String], most: usize, length: usize| {
            texts.len() > most || texts.iter().any(|text| long(text, length))
        };
        let lacking: Vec<&str> = [
            (terms::TITLE, product.title.is_empty()),
            (terms::SHORT_DESCRIPTION, product.short_description.is_empty()),
            (terms::LONG_DESCRIPTION, product.long_description.is_empty()),
            (terms::HIGHLIGHTS, product.highlights.is_empty()),
            (terms::SEARCH_KEYWORDS, product.search_keywords.is_empty()),
            (terms::CATEGORIES, product.categories.is_empty()),
        ]
        .into_iter()
        .filter_map(|(field, is_missing)| is_missing.then_some(field))
        .collect();
        let too_long: Vec<&str> = [
            (terms::TITLE, long(&product.title, 72)),
            (terms::SHORT_DESCRIPTION, long(&product.short_description, 1000)),
            (terms::LONG_DESCRIPTION, long(&product.long_description, 5000)),
            (terms::HIGHLIGHTS, several(&product.highlights, 3, 500)),
            (terms::SEARCH_KEYWORDS, several(&product.search_keywords, 15, 50)),
            (terms::CATEGORIES, product.categories.len() > 3),
        ]
        .into_iter()
        .filter_map(|(field, is_long)| is_long.then_some(field))
        .collect();
        if !too_long.is_empty() {
            fail("too_long", [("fields", listed(too_long))])
        } else if lacking.is_empty() {
            pass("ok", [])
        } else {
            missing("missing", [("fields", listed(lacking))])
        }
    })
}

pub(super) fn logo(facts: &Facts<'_>) -> Verdict {
    product(facts, |product| if product.logo_url.is_empty() { missing("none", []) } else { pass("ok", []) })
}

pub(super) fn support_text(facts: &Facts<'_>) -> Verdict {
    product(facts, |product| if product.support.is_empty() { missing("none", []) } else { pass("ok", []) })
}

pub(super) fn eula(facts: &Facts<'_>) -> Verdict {
    public_offers(facts, |offers| {
        if offers.iter().all(|offer| offer.eula.is_some()) { pass("ok", []) } else { missing("none", []) }
    })
}

pub(super) fn refund_policy(facts: &Facts<'_>) -> Verdict {
    public_offers(facts, |offers| {
        let has_policy = |offer: &&OfferAtAws| !offer.refund_policy.is_empty();
        if offers.iter().all(has_policy) { pass("ok", []) } else { missing("none", []) }
    })
}

pub(super) fn price_positive(facts: &Facts<'_>) -> Verdict {
    public_offers(facts, |offers| {
        let prices: Vec<_> = offers.iter().flat_map(|offer| &offer.prices).collect();
        let unpriced: Vec<&DimensionKey> = facts
            .listing
            .dimensions
            .iter()
            .map(|dimension| &dimension.key)
            .filter(|key| !prices.iter().any(|price| price.dimension == key.as_str()))
            .collect();
        if prices.is_empty() {
            missing("none", [])
        } else if !unpriced.is_empty() {
            missing("unpriced", [("keys", listed(unpriced))])
        } else if prices.iter().any(|price| price.amount.is_sign_positive() && !price.amount.is_zero()) {
            pass("ok", [])
        } else {
            fail("free", [])
        }
    })
}

pub(super) fn not_private_only(facts: &Facts<'_>) -> Verdict {
    product(facts, |_| {
        if_observed(&facts.offers, |offers| match offers.as_slice() {
            [] => missing("no_offer", []),
            offers if offers.iter().any(|offer| offer.is_public(facts.now)) => pass("ok", []),
            offers if offers.iter().any(|offer| offer.is_for_everyone && !offer.is_released) => missing("draft", []),
            offers if offers.iter().any(|offer| offer.is_for_everyone) => fail("ended", []),
            _ => fail("private", []),
        })
    })
}

pub(super) fn targeting(facts: &Facts<'_>) -> Verdict {
    product(facts, |product| {
        let count = [("count", product.buyer_accounts.len().to_string())];
        match product.visibility {
            Visibility::Public => pass("public", []),
            _ if product.buyer_accounts.len() >= TEST_ACCOUNTS => pass("ok", count),
            _ => missing("few", count),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Case, table, unobserved};

    fn at_aws<'a>(facts: &'a mut Facts<'_>) -> &'a mut ProductAtAws {
        facts.product.as_mut().unwrap().as_mut().unwrap()
    }

    fn offer<'a>(facts: &'a mut Facts<'_>) -> &'a mut OfferAtAws {
        facts.offers.as_mut().unwrap().first_mut().unwrap()
    }

    #[test]
    fn every_check_of_the_listing_needs_the_product_in_aws() {
        for check in crate::CHECKS.iter().filter(|check| check.id.starts_with("listing.")) {
            table(
                check.id,
                &[
                    Case::pass_any(|_| {}),
                    Case::missing("no_product", |facts| facts.product = Ok(None)),
                    Case::unobserved(|facts| facts.product = Err(unobserved())),
                ],
            );
        }
    }

    #[test]
    fn a_product_is_found_once_it_is_released() {
        table(
            "listing.found",
            &[
                Case::pass("ok", |facts| at_aws(facts).visibility = Visibility::Limited),
                Case::pass("ok", |facts| at_aws(facts).visibility = Visibility::Public),
                Case::missing("draft", |facts| at_aws(facts).visibility = Visibility::Draft),
                Case::fail("restricted", |facts| at_aws(facts).visibility = Visibility::Restricted),
                Case::unsure("unknown", |facts| at_aws(facts).visibility = Visibility::Unknown),
            ],
        );
    }

    #[test]
    fn the_code_the_address_and_the_dimensions_match_the_description() {
        table(
            "listing.product_code",
            &[
                Case::fail("different", |facts| at_aws(facts).product_code = Some("another".to_owned())),
                Case::missing("none", |facts| at_aws(facts).product_code = None),
            ],
        );
        table(
            "listing.fulfillment_url",
            &[
                Case::fail("different", |facts| {
                    at_aws(facts).delivery_options.iter_mut().for_each(|it| it.fulfillment_url.push('/'))
                }),
                Case::missing("none", |facts| at_aws(facts).delivery_options.clear()),
                Case::fail("different", |facts| {
                    let mut old = at_aws(facts).delivery_options.first().unwrap().clone();
                    old.fulfillment_url = "https://old.example.com/register".to_owned();
                    at_aws(facts).delivery_options.push(old);
                }),
                Case::unobserved(|facts| facts.page.address = Err(unobserved())),
            ],
        );
        table(
            "listing.dimensions",
            &[
                Case::missing("missing", |facts| {
                    at_aws(facts).dimensions.pop();
                }),
                Case::fail("undescribed", |facts| {
                    let mut another = at_aws(facts).dimensions.first().unwrap().clone();
                    another.key = "another".to_owned();
                    at_aws(facts).dimensions.push(another);
                }),
                Case::fail("types_differ", |facts| {
                    at_aws(facts).dimensions.first_mut().unwrap().types = [DimensionType::Metered].into();
                }),
            ],
        );
    }

    #[test]
    fn descriptions_are_complete_and_within_their_limits() {
        table(
            "listing.description_complete",
            &[
                Case::missing("missing", |facts| at_aws(facts).title.clear()),
                Case::missing("missing", |facts| at_aws(facts).short_description.clear()),
                Case::missing("missing", |facts| at_aws(facts).long_description.clear()),
                Case::missing("missing", |facts| at_aws(facts).highlights.clear()),
                Case::missing("missing", |facts| at_aws(facts).search_keywords.clear()),
                Case::missing("missing", |facts| at_aws(facts).categories.clear()),
                Case::pass("ok", |facts| at_aws(facts).title = "あ".repeat(72)),
                Case::fail("too_long", |facts| at_aws(facts).title = "あ".repeat(73)),
                Case::fail("too_long", |facts| at_aws(facts).short_description = "a".repeat(1001)),
                Case::fail("too_long", |facts| at_aws(facts).long_description = "a".repeat(5001)),
                Case::fail("too_long", |facts| at_aws(facts).highlights = vec!["a".to_owned(); 4]),
                Case::fail("too_long", |facts| at_aws(facts).highlights = vec!["a".repeat(501)]),
                Case::fail("too_long", |facts| at_aws(facts).search_keywords = vec!["a".to_owned(); 16]),
                Case::fail("too_long", |facts| at_aws(facts).search_keywords = vec!["a".repeat(51)]),
                Case::fail("too_long", |facts| at_aws(facts).categories = vec!["a".to_owned(); 4]),
            ],
        );
        table("listing.logo", &[Case::missing("none", |facts| at_aws(facts).logo_url.clear())]);
        table("listing.support_text", &[Case::missing("none", |facts| at_aws(facts).support.clear())]);
    }

    #[test]
    fn the_public_offer_has_terms_and_a_price_for_each_dimension() {
        for id in ["listing.eula", "listing.refund_policy", "listing.price_positive"] {
            table(
                id,
                &[
                    Case::missing("no_offer", |facts| facts.offers = Ok(Vec::new())),
                    Case::missing("no_offer", |facts| offer(facts).is_released = false),
                    Case::missing("no_offer", |facts| offer(facts).is_for_everyone = false),
                    Case::missing("no_offer", |facts| offer(facts).available_until = Some(facts.now)),
                    Case::unobserved(|facts| facts.offers = Err(unobserved())),
                ],
            );
        }
        table("listing.eula", &[Case::missing("none", |facts| offer(facts).eula = None)]);
        table("listing.refund_policy", &[Case::missing("none", |facts| offer(facts).refund_policy.clear())]);
        table(
            "listing.price_positive",
            &[
                Case::missing("none", |facts| offer(facts).prices.clear()),
                Case::missing("unpriced", |facts| {
                    offer(facts).prices.pop();
                }),
                Case::fail("free", |facts| {
                    offer(facts).prices.iter_mut().for_each(|price| price.amount = 0.into());
                }),
            ],
        );
        table(
            "listing.not_private_only",
            &[
                Case::missing("no_offer", |facts| facts.offers = Ok(Vec::new())),
                Case::missing("draft", |facts| offer(facts).is_released = false),
                Case::fail("private", |facts| offer(facts).is_for_everyone = false),
                Case::fail("ended", |facts| offer(facts).available_until = Some(facts.now)),
                Case::unobserved(|facts| facts.offers = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn a_limited_listing_allows_five_test_accounts() {
        table(
            "listing.targeting",
            &[
                Case::missing("few", |facts| {
                    at_aws(facts).buyer_accounts.truncate(4);
                }),
                Case::pass("public", |facts| {
                    at_aws(facts).buyer_accounts.clear();
                    at_aws(facts).visibility = Visibility::Public;
                }),
            ],
        );
    }
}

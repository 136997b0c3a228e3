//! The changes of an offer's prices. The pricing terms are sent whole, with their parts that are not described.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Difference;
use super::compared::Compared;
use crate::catalog::details::months;
use domain::catalog::{OfferAtAws, ProductAtAws, Visibility};
use domain::listing::{Catalog, Listing, Price};

const USAGE: &str = "UsageBasedPricingTerm";
const UPFRONT: &str = "ConfigurableUpfrontPricingTerm";
const TRIAL: &str = "FreeTrialPricingTerm";

/// A pricing term, with the members that UpdatePricingTerms accepts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Term {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency_code: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rate_cards: Vec<RateCard>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grants: Option<Value>,
}

/// The prices of several dimensions; for those bought in advance, of one contract length.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RateCard {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    selector: Option<Selector>,
    #[serde(default)]
    rate_card: Vec<Rate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constraints: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Selector {
    #[serde(rename = "Type")]
    kind: String,
    value: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rate {
    dimension_key: String,
    price: Decimal,
}

impl RateCard {
    /// Returns the contract length of its prices, in months.
    fn months(&self) -> Option<u8> {
        months(&self.selector.as_ref()?.value)
    }
}

pub(super) fn changes(
    listing: &Listing,
    catalog: &Catalog,
    product: &ProductAtAws,
    offer: Option<&OfferAtAws>,
    unlike: &[String],
    hints: &mut Vec<String>,
) -> Compared {
    let current = offer.map(|offer| offer.pricing_terms.as_slice()).unwrap_or_default();
    let mut terms = match read(current) {
        Ok(terms) => terms,
        Err(why) => {
            hints.push(format!("{why}: the prices are not compared. Change them in the portal"));
            return Compared::STAYS;
        }
    };
    let model = if listing.pricing.has_entitlements() { "Contract" } else { "Usage" };
    let (is_released, current) = (offer.is_some_and(|offer| offer.is_released), model_of(&terms));
    if current != model && is_released {
        hints.push(format!(
            "the offer is released with the pricing model {current}, which cannot be changed, and {model} is described: \
             describe it as it is, or make another product"
        ));
        return Compared::STAYS;
    }
    if current != model && !terms.is_empty() {
        hints.push(format!(
            "the draft of the offer has the pricing model {current}, and {model} is described: describe it as it is, or \
             take its prices away in the portal"
        ));
        return Compared::STAYS;
    }
    let (mut differences, mut raised) = (Vec::new(), Vec::new());
    for price in catalog.prices.iter().filter(|price| !unlike.iter().any(|key| key == price.dimension.as_str())) {
        let before = set(&mut terms, price);
        if before == Some(price.usd) {
            continue;
        }
        if before.is_some_and(|before| before < price.usd) {
            raised.push(price.dimension.to_string());
        }
        let usd = |usd: Decimal| format!("{} USD", usd.normalize());
        let before = before.map(usd).unwrap_or_default();
        differences.push(Difference::of(name(price.dimension.as_str(), price.months), before, usd(price.usd)));
    }
    let undescribed = undescribed(&terms, catalog);
    let will_fit = unlike.is_empty() && undescribed.is_none();
    hints.extend(undescribed);
    if differences.is_empty() {
        return Compared { change: None, will_fit };
    }
    if !raised.is_empty() && product.visibility == Visibility::Public {
        hints.push(format!(
            "the price of {} rises: AWS tells the buyers, and prices cannot be changed for 90 days after that",
            raised.join(", ")
        ));
    }
    Compared { change: Some((json!({ "PricingModel": model, "Terms": terms }), differences)), will_fit }
}

fn read(terms: &[Value]) -> Result<Vec<Term>, String> {
    let read = |term: &Value| {
        let term: Term =
            serde_json::from_value(term.clone()).map_err(|_| "AWS shows prices in a form that is not known here")?;
        if ![USAGE, UPFRONT, TRIAL].contains(&term.kind.as_str()) {
            return Err(format!("AWS shows a {}, which is not known here", term.kind));
        }
        match term.currency_code.as_deref() {
            None | Some("USD") => Ok(term),
            Some(other) => Err(format!("AWS shows prices in {other}, and described are some in USD")),
        }
    };
    terms.iter().map(read).collect()
}

/// Returns the pricing model of an offer with these terms.
fn model_of(terms: &[Term]) -> &'static str {
    let has = |kind: &str| terms.iter().any(|term| term.kind == kind);
    if has(UPFRONT) {
        "Contract"
    } else if has(USAGE) {
        "Usage"
    } else {
        "Free"
    }
}

/// Puts a described price into the terms and returns the previous one.
fn set(terms: &mut Vec<Term>, price: &Price) -> Option<Decimal> {
    let kind = if price.months.is_some() { UPFRONT } else { USAGE };
    let is_its_card = |card: &RateCard| price.months.is_none() || card.months() == price.months;
    let cards = terms.iter_mut().filter(|term| term.kind == kind).flat_map(|term| &mut term.rate_cards);
    let mut rates = cards.filter(|card| is_its_card(card)).flat_map(|card| &mut card.rate_card);
    if let Some(rate) = rates.find(|rate| rate.dimension_key == price.dimension.as_str()) {
        let before = rate.price;
        if before != price.usd {
            rate.price = price.usd.normalize();
        }
        return Some(before);
    }
    let rate = Rate { dimension_key: price.dimension.to_string(), price: price.usd.normalize() };
    let Some(term) = terms.iter_mut().find(|term| term.kind == kind) else {
        let rate_cards = vec![new_card(price.months, None, rate)];
        let currency_code = Some("USD".to_owned());
        terms.push(Term { kind: kind.to_owned(), currency_code, rate_cards, duration: None, grants: None });
        return None;
    };
    match term.rate_cards.iter_mut().find(|card| is_its_card(card)) {
        Some(card) => card.rate_card.push(rate),
        None => {
            let like = term.rate_cards.first().and_then(|card| card.constraints.clone());
            term.rate_cards.push(new_card(price.months, like, rate));
        }
    }
    None
}

/// Creates a card with one price. Buyers may choose several dimensions, and a quantity of each, unless the cards of
/// other contract lengths have other constraints.
fn new_card(months: Option<u8>, constraints: Option<Value>, rate: Rate) -> RateCard {
    let open = || json!({ "MultipleDimensionSelection": "Allowed", "QuantityConfiguration": "Allowed" });
    RateCard {
        selector: months.map(|months| Selector { kind: "Duration".to_owned(), value: format!("P{months}M") }),
        rate_card: vec![rate],
        constraints: months.map(|_| constraints.unwrap_or_else(open)),
    }
}

/// Returns a hint with the prices in AWS that are not described.
fn undescribed(terms: &[Term], catalog: &Catalog) -> Option<String> {
    let cards = terms.iter().flat_map(|term| &term.rate_cards);
    let rates = cards.flat_map(|card| card.rate_card.iter().map(|rate| (rate.dimension_key.as_str(), card.months())));
    let is_described = |key: &str, months: Option<u8>| {
        catalog.prices.iter().any(|price| price.dimension.as_str() == key && price.months == months)
    };
    let others: Vec<String> =
        rates.filter(|(key, months)| !is_described(key, *months)).map(|(key, months)| name(key, months)).collect();
    (!others.is_empty()).then(|| {
        format!("AWS shows prices that are not described, and they stay: {}. Describe them", others.join(", "))
    })
}

fn name(dimension: &str, months: Option<u8>) -> String {
    match months {
        None => format!("price of {dimension}"),
        Some(1) => format!("price of {dimension} for 1 month"),
        Some(months) => format!("price of {dimension} for {months} months"),
    }
}

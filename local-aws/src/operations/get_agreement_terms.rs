//! GetAgreementTerms (Agreement Service API reference): the accepted terms of an agreement.

use super::agreement_requests::{AgreementPageInput, found};
use crate::error::ServiceError;
use crate::marketplace::{Agreement, Marketplace};
use crate::product::Dimension;
use crate::protocol::{Document, Record};

pub(super) fn answer(marketplace: &Marketplace, request: &Document) -> Result<Document, ServiceError> {
    let input = AgreementPageInput::read(request)?;
    let agreement = found(marketplace, input.agreement)?;
    let (page, next) = input.cursor.page(terms(marketplace, &agreement), input.size);
    Ok(Record::new().with("acceptedTerms", page).with_some("nextToken", next).into())
}

/// Returns the accepted terms, each alone in a union.
fn terms(marketplace: &Marketplace, agreement: &Agreement) -> Vec<Record> {
    let Some(product) = marketplace.product(agreement.product.as_str()) else { return Vec::new() };
    let (entitled, metered): (Vec<&Dimension>, Vec<&Dimension>) =
        product.dimensions.iter().partition(|dimension| dimension.is_entitled());
    let document = Record::new().with("type", "StandardEula").with("version", "2022-07-14");
    let mut terms = vec![
        term(agreement, "legalTerm", "LegalTerm", Record::new().with("documents", vec![document])),
        term(agreement, "supportTerm", "SupportTerm", Record::new().with("refundPolicy", "No refunds.")),
    ];
    if agreement.end.is_some() {
        let renewal = Record::new().with("configuration", Record::new().with("enableAutoRenew", true));
        terms.push(term(agreement, "renewalTerm", "RenewalTerm", renewal));
        terms.push(upfront(agreement, &entitled));
    }
    if !metered.is_empty() {
        let card = Record::new().with("rateCard", rate_card(&metered));
        let usage = Record::new().with("currencyCode", "USD").with("rateCards", vec![card]);
        terms.push(term(agreement, "usageBasedPricingTerm", "UsageBasedPricingTerm", usage));
    }
    if let Some(end) = agreement.free_trial_end {
        let days = end.duration_since(agreement.start).as_hours() / 24;
        let grants: Vec<Record> = product
            .dimensions
            .iter()
            .map(|dimension| Record::new().with("dimensionKey", dimension.key.as_str()))
            .collect();
        let trial = Record::new().with("duration", format!("P{days}D")).with("grants", grants);
        terms.push(term(agreement, "freeTrialPricingTerm", "FreeTrialPricingTerm", trial));
    }
    terms
}

/// Returns the term of a contract for twelve months, with the dimensions that the buyer chose.
fn upfront(agreement: &Agreement, entitled: &[&Dimension]) -> Record {
    let card = Record::new()
        .with("selector", Record::new().with("type", "Duration").with("value", "P12M"))
        .with(
            "constraints",
            Record::new().with("multipleDimensionSelection", "Allowed").with("quantityConfiguration", "Allowed"),
        )
        .with("rateCard", rate_card(entitled));
    let chosen: Vec<Record> = agreement
        .dimensions
        .iter()
        .map(|(key, value)| Record::new().with("dimensionKey", key.as_str()).with("dimensionValue", value.units()))
        .collect();
    let configuration = Record::new().with("selectorValue", "P12M").with("dimensions", chosen);
    let upfront =
        Record::new().with("currencyCode", "USD").with("rateCards", vec![card]).with("configuration", configuration);
    term(agreement, "configurableUpfrontPricingTerm", "ConfigurableUpfrontPricingTerm", upfront)
}

fn rate_card(dimensions: &[&Dimension]) -> Vec<Record> {
    dimensions
        .iter()
        .map(|dimension| {
            Record::new().with("dimensionKey", dimension.key.as_str()).with("price", dimension.price.to_string())
        })
        .collect()
}

/// Returns a term in its union, with a stable id.
fn term(agreement: &Agreement, member: &str, kind: &str, content: Record) -> Record {
    let id = format!("term-{}-{}", agreement.id, kind.to_ascii_lowercase());
    Record::new().with(member, content.with("type", kind).with("id", id))
}

//! The changes to an offer (`Offer@1.0`).

use serde_json::{Map, Value, json};

use super::members::{items, list, take_items, text};
use super::product::{types_of, visibility};
use super::{Entities, EntityKind, ErrorDetail};

/// The types of the terms that set a price.
const PRICING: [&str; 3] = ["UsageBasedPricingTerm", "ConfigurableUpfrontPricingTerm", "FreeTrialPricingTerm"];

/// Returns an offer as CreateOffer leaves it.
pub(super) fn fresh(id: &str, product: &str, name: Option<&Value>) -> Value {
    let mut offer = json!({ "Id": id, "ProductId": product, "Terms": [], "Rules": [], "State": "Draft" });
    if let (Some(members), Some(name)) = (offer.as_object_mut(), name) {
        members.insert("Name".to_owned(), name.clone());
    }
    offer
}

/// Applies a change whose details are within the limits of its type.
///
/// # Errors
///
/// Fails if the current state of the offer and its product does not allow the change.
pub(super) fn apply(
    change_type: &str,
    details: &Value,
    offer: &mut Map<String, Value>,
    entities: &Entities,
) -> Result<(), ErrorDetail> {
    match change_type {
        "CreateOffer" => product_of(offer, entities).map(|_| ()),
        "UpdateInformation" => {
            offer.extend(details.as_object().cloned().unwrap_or_default());
            Ok(())
        }
        "UpdatePricingTerms" => update_pricing(details, offer, entities),
        "UpdateLegalTerms" | "UpdateSupportTerms" | "UpdateRenewalTerms" => {
            for term in items(details, "Terms") {
                replace(offer, "Terms", &[text(term, "Type")], vec![term.clone()]);
            }
            Ok(())
        }
        "UpdateTargeting" => {
            let mut rule = json!({ "Type": "TargetingRule" });
            super::members::set_all(&mut rule, Some(details));
            replace(offer, "Rules", &["TargetingRule"], vec![rule]);
            Ok(())
        }
        "UpdateAvailability" => {
            let end = format!("{}T23:59:59.999Z", text(details, "AvailabilityEndDate"));
            let rule = json!({ "Type": "AvailabilityRule", "AvailabilityEndDate": end });
            replace(offer, "Rules", &["AvailabilityRule"], vec![rule]);
            Ok(())
        }
        "ReleaseOffer" => release(offer, entities),
        _ => Ok(()),
    }
}

/// Replaces the terms or rules of some types.
fn replace(offer: &mut Map<String, Value>, part: &str, types: &[&str], by: Vec<Value>) {
    let mut all = take_items(offer, part);
    all.retain(|item| !types.contains(&text(item, "Type")));
    all.extend(by);
    offer.insert(part.to_owned(), all.into());
}

fn update_pricing(details: &Value, offer: &mut Map<String, Value>, entities: &Entities) -> Result<(), ErrorDetail> {
    let (model, terms) = (text(details, "PricingModel"), items(details, "Terms"));
    let held: Vec<&str> = offer.get("Terms").map(list).unwrap_or_default().iter().map(|it| text(it, "Type")).collect();
    if is_released(offer) && pricing_model(&held) != model {
        let message = format!("The offer is released with the pricing model {}.", pricing_model(&held));
        return Err(ErrorDetail::new("INCOMPATIBLE_PRICING_MODEL", message));
    }
    let is_upfront = terms.iter().any(|term| text(term, "Type") == "ConfigurableUpfrontPricingTerm");
    if (model == "Contract") != is_upfront {
        let message = format!("The pricing model {model} does not go with these terms.");
        return Err(ErrorDetail::new("INCOMPATIBLE_PRICING_MODEL", message));
    }
    let product = product_of(offer, entities)?;
    let dimensions = product.get("Dimensions").map(list).unwrap_or_default();
    for term in terms {
        let wanted: &[&str] = match text(term, "Type") {
            "UsageBasedPricingTerm" => &["Metered", "ExternallyMetered"],
            "ConfigurableUpfrontPricingTerm" => &["Entitled"],
            _ => &["Entitled", "Metered", "ExternallyMetered"],
        };
        let cards = items(term, "RateCards").iter().flat_map(|card| items(card, "RateCard"));
        for key in cards.chain(items(term, "Grants")).map(|priced| text(priced, "DimensionKey")) {
            let fits = |dimension: &&Value| {
                text(dimension, "Key") == key && types_of(dimension).iter().any(|kind| wanted.contains(kind))
            };
            if !dimensions.iter().any(|dimension| fits(&dimension)) {
                let message = format!("The product has no dimension '{key}' of the type {}.", wanted.join(" or "));
                return Err(ErrorDetail::new("INVALID_INPUT", message));
            }
        }
    }
    replace(offer, "Terms", &PRICING, terms.to_vec());
    Ok(())
}

/// Returns the pricing model of an offer with these terms.
fn pricing_model(terms: &[&str]) -> &'static str {
    if terms.contains(&"ConfigurableUpfrontPricingTerm") {
        "Contract"
    } else if terms.contains(&"UsageBasedPricingTerm") {
        "Usage"
    } else {
        "Free"
    }
}

/// Changes the state from Draft to Released.
fn release(offer: &mut Map<String, Value>, entities: &Entities) -> Result<(), ErrorDetail> {
    if is_released(offer) {
        return Err(ErrorDetail::new("INCOMPATIBLE_OFFER_STATUS", "The offer is released already."));
    }
    let product = product_of(offer, entities)?;
    if visibility(product) == "Draft" {
        let message = "The product of the offer is Draft; release it first, or in the same change set.";
        return Err(ErrorDetail::new("INCOMPATIBLE_PRODUCT_STATUS", message));
    }
    for (member, code) in [("Name", "MISSING_NAME"), ("Description", "MISSING_DESCRIPTION")] {
        if offer.get(member).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(ErrorDetail::new(code, format!("The offer has no {member}.")));
        }
    }
    let terms: Vec<&str> = offer.get("Terms").map(list).unwrap_or_default().iter().map(|it| text(it, "Type")).collect();
    let is_trial = terms.contains(&"FreeTrialPricingTerm");
    let mut missing = Vec::new();
    if !terms.iter().any(|term| PRICING.contains(term)) {
        missing.push("PricingTerm");
    }
    if !terms.contains(&"LegalTerm") {
        missing.push("LegalTerm");
    }
    if !terms.contains(&"SupportTerm") && !is_trial {
        missing.push("SupportTerm");
    }
    if !missing.is_empty() {
        let message = format!("The offer lacks mandatory terms: {}.", missing.join(", "));
        return Err(ErrorDetail::new("MISSING_MANDATORY_TERMS", message));
    }
    let is_rival = |other: &Map<String, Value>| {
        other.get("ProductId") == offer.get("ProductId") && is_released(other) && is_public(other)
    };
    let offers = entities.values().filter(|entity| entity.kind == EntityKind::Offer);
    if is_public(offer) && !is_trial && offers.into_iter().any(|entity| is_rival(&entity.details)) {
        return Err(ErrorDetail::new("TOO_MANY_OFFERS", "The product has a public offer already."));
    }
    offer.insert("State".to_owned(), "Released".into());
    Ok(())
}

fn is_released(offer: &Map<String, Value>) -> bool {
    offer.get("State").and_then(Value::as_str) == Some("Released")
}

/// Returns `true` if every buyer can accept the offer: it names no buyers, and is not a trial beside the actual offer.
fn is_public(offer: &Map<String, Value>) -> bool {
    let of = |part: &str| offer.get(part).map(list).unwrap_or_default();
    !of("Rules").iter().any(|rule| rule.pointer("/PositiveTargeting/BuyerAccounts").is_some())
        && !of("Terms").iter().any(|term| text(term, "Type") == "FreeTrialPricingTerm")
}

fn product_of<'a>(offer: &Map<String, Value>, entities: &'a Entities) -> Result<&'a Map<String, Value>, ErrorDetail> {
    let id = offer.get("ProductId").and_then(Value::as_str).unwrap_or_default();
    match entities.get(id) {
        Some(product) if product.kind == EntityKind::Product => Ok(&product.details),
        Some(_) | None => Err(ErrorDetail::new("INVALID_INPUT", format!("There is no product '{id}'."))),
    }
}

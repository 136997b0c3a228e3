//! The allowed details of each change type: the limits of AWS's shapes, as `change_types.json` describes them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::EntityKind;

/// The reason for which details are refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InvalidDetails {
    /// The local AWS does not have this change type for the entity.
    UnknownType,
    /// The details break a limit, which the sentence names.
    Breaks(String),
}

struct ChangeTypes {
    schemas: Schemas,
    /// The schemas by entity type and change type.
    index: BTreeMap<String, SchemaIndex>,
}

static CHANGE_TYPES: LazyLock<ChangeTypes> = LazyLock::new(|| {
    read().unwrap_or_else(|error| {
        // No change type is known then, and each call answers so; a test checks the file.
        tracing::error!(%error, "change_types.json is no schema");
        ChangeTypes { schemas: Schemas::new(), index: BTreeMap::new() }
    })
});

fn read() -> anyhow::Result<ChangeTypes> {
    const FILE: &str = "https://local-aws.invalid/change_types.json";
    let described: Value = serde_json::from_str(include_str!("change_types.json"))?;
    let definitions = described.get("$defs").and_then(Value::as_object);
    let names: Vec<String> = definitions.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let failed = |error: boon::CompileError| anyhow::anyhow!("{error}");
    compiler.add_resource(FILE, described).map_err(failed)?;
    let mut index = BTreeMap::new();
    for name in names.into_iter().filter(|name| name.contains('@')) {
        let place = format!("{FILE}#/$defs/{}", name.replace(' ', "%20"));
        index.insert(name, compiler.compile(&place, &mut schemas).map_err(failed)?);
    }
    Ok(ChangeTypes { schemas, index })
}

/// Checks the details of a change against the limits of its type.
pub(super) fn check(kind: EntityKind, change_type: &str, details: &Value) -> Result<(), InvalidDetails> {
    let types = &*CHANGE_TYPES;
    let schema = types.index.get(&format!("{} {change_type}", kind.versioned())).ok_or(InvalidDetails::UnknownType)?;
    types.schemas.validate(details, *schema).map_err(|error| {
        // The first line names the schema, each further line a place in the details and the problem there.
        let sentence = error.to_string();
        let problems: Vec<&str> = sentence.lines().skip(1).map(|line| line.trim_start_matches([' ', '-'])).collect();
        InvalidDetails::Breaks(problems.join("; ").chars().take(1500).collect())
    })
}

/// Returns the change types of an entity.
pub(super) fn of(kind: EntityKind) -> Vec<&'static str> {
    let names = CHANGE_TYPES.index.keys().filter_map(|name| name.split_once(' '));
    names.filter(|(entity, _)| *entity == kind.versioned()).map(|(_, change_type)| change_type).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_file_is_a_schema_of_every_change_type() {
        read().unwrap();
        let products = [
            "AddDeliveryOptions",
            "AddDimensions",
            "CreateProduct",
            "ReleaseProduct",
            "RestrictDimensions",
            "UpdateDeliveryOptions",
            "UpdateDimensions",
            "UpdateInformation",
            "UpdateTargeting",
            "UpdateVisibility",
        ];
        assert_eq!(of(EntityKind::Product), products);
        let offers = [
            "CreateOffer",
            "ReleaseOffer",
            "UpdateAvailability",
            "UpdateInformation",
            "UpdateLegalTerms",
            "UpdatePricingTerms",
            "UpdateRenewalTerms",
            "UpdateSupportTerms",
            "UpdateTargeting",
        ];
        assert_eq!(of(EntityKind::Offer), offers);
    }

    #[test]
    fn a_violated_limit_is_reported_with_its_path() {
        let long = |length: usize| "x".repeat(length);
        let dimension = |key: &str, name: String| json!([{ "Key": key, "Name": name, "Description": "d", "Unit": "u", "Types": ["Entitled"] }]);
        let url = |url: &str| json!({ "DeliveryOptions": [{ "Details": { "SaaSUrlDeliveryOptionDetails": { "FulfillmentUrl": url } } }] });
        let price = |price: &str| {
            let card = json!([{ "RateCard": [{ "DimensionKey": "k", "Price": price }] }]);
            let term = json!({ "Type": "UsageBasedPricingTerm", "CurrencyCode": "USD", "RateCards": card });
            json!({ "PricingModel": "Usage", "Terms": [term] })
        };
        let (product, offer) = (EntityKind::Product, EntityKind::Offer);
        let cases = [
            (product, "UpdateInformation", json!({ "ProductTitle": long(72) }), None),
            (product, "UpdateInformation", json!({ "ProductTitle": long(73) }), Some("'/ProductTitle'")),
            (product, "UpdateInformation", json!({ "Highlights": ["a", "b", "c", "d"] }), Some("'/Highlights'")),
            (product, "UpdateInformation", json!({ "LogoUrl": "http://www.example.com/a.png" }), Some("'/LogoUrl'")),
            (product, "UpdateInformation", json!({ "Title": "t" }), Some("'Title'")),
            (product, "AddDimensions", dimension("a.b-c_1", long(80)), None),
            (product, "AddDimensions", dimension("a b", long(80)), Some("'/0/Key'")),
            (product, "AddDimensions", dimension("a", long(81)), Some("'/0/Name'")),
            (product, "AddDeliveryOptions", url("https://register.example.com/register"), None),
            (product, "AddDeliveryOptions", url("http://register.example.com/"), Some("FulfillmentUrl'")),
            (product, "AddDeliveryOptions", url("https://example.com:8443/register"), Some("FulfillmentUrl'")),
            (product, "AddDeliveryOptions", url("https://example.com/register?a=b"), Some("FulfillmentUrl'")),
            (product, "UpdateTargeting", json!({ "PositiveTargeting": { "BuyerAccounts": ["12"] } }), Some("/0'")),
            (product, "UpdateVisibility", json!({ "TargetVisibility": "Draft" }), Some("'/TargetVisibility'")),
            (product, "ReleaseProduct", json!({ "now": true }), Some("at ''")),
            (offer, "UpdatePricingTerms", price("0.15"), None),
            (offer, "UpdatePricingTerms", price("-1"), Some("Price'")),
            (offer, "UpdateAvailability", json!({ "AvailabilityEndDate": "2027-13-01" }), Some("EndDate'")),
        ];
        for (kind, change_type, details, wrong) in cases {
            match (check(kind, change_type, &details), wrong) {
                (Ok(()), None) => {}
                (Err(InvalidDetails::Breaks(sentence)), Some(part)) => {
                    assert!(sentence.contains(part), "{sentence}");
                    assert!(!sentence.contains('\n'), "{sentence}");
                }
                (answer, _) => panic!("{change_type} {details}: {answer:?}"),
            }
        }
        assert_eq!(check(product, "UpdatePricingTerms", &json!({})), Err(InvalidDetails::UnknownType));
    }
}

//! Reading of the details of entities, as DescribeEntity returns them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{MarketplaceError, unexpected};
use domain::catalog::{
    DeliveryOptionAtAws, DimensionAtAws, EulaAtAws, OfferAtAws, PriceAtAws, ProductAtAws, Visibility,
};
use domain::ids::{AccountId, ProductId};

/// Reads an object and refuses an array, whose elements serde would read as the fields of a struct.
fn read<T: DeserializeOwned>(what: &str, details: Value) -> Result<T, MarketplaceError> {
    if !details.is_object() {
        return Err(unexpected(format!("{what} without details")));
    }
    serde_json::from_value(details).map_err(|error| unexpected(format!("{what} with other details: {error}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProductDetails {
    #[serde(default)]
    description: Description,
    #[serde(default)]
    promotional_resources: PromotionalResources,
    #[serde(default)]
    support_information: SupportInformation,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    #[serde(default)]
    versions: Vec<Version>,
    #[serde(default)]
    targeting: Option<Targeting>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Description {
    product_title: Option<String>,
    product_code: Option<String>,
    short_description: Option<String>,
    long_description: Option<String>,
    highlights: Option<Vec<String>>,
    search_keywords: Option<Vec<String>>,
    categories: Option<Vec<String>>,
    visibility: Option<String>,
    product_state: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PromotionalResources {
    logo_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SupportInformation {
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    key: String,
    name: Option<String>,
    description: Option<String>,
    unit: Option<String>,
    #[serde(default)]
    types: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(default)]
    delivery_options: Vec<DeliveryOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeliveryOption {
    #[serde(default)]
    id: String,
    #[serde(rename = "Type")]
    kind: Option<String>,
    fulfillment_url: Option<String>,
    visibility: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Targeting {
    positive_targeting: Option<PositiveTargeting>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PositiveTargeting {
    buyer_accounts: Option<Vec<AccountId>>,
}

/// Reads the details of a `SaaSProduct@1.0`. A field that a draft does not have yet is empty.
///
/// # Errors
///
/// Fails when the details do not have that form.
pub(super) fn read_product(id: ProductId, details: Value) -> Result<ProductAtAws, MarketplaceError> {
    let details: ProductDetails = read("a product", details)?;
    let Description { visibility, product_state, .. } = &details.description;
    let visibility = match (visibility.as_deref(), product_state.as_deref()) {
        (Some("Public"), _) => Visibility::Public,
        (Some("Limited"), _) => Visibility::Limited,
        (Some("Restricted"), _) => Visibility::Restricted,
        (Some("Draft" | "Staging") | None, _) | (_, Some("Draft" | "Staging")) => Visibility::Draft,
        (Some(_), _) => Visibility::Unknown,
    };
    let options = details.versions.into_iter().flat_map(|version| version.delivery_options);
    // A product may also have an option for its API, through which buyers do not register.
    let delivery_options = options
        .filter(|option| option.kind.as_deref().is_none_or(|kind| kind == "SoftwareRegistration"))
        .filter(|option| !matches!(option.visibility.as_deref(), Some("Unavailable" | "Restricted")))
        .filter_map(|option| Some(DeliveryOptionAtAws { id: option.id, fulfillment_url: option.fulfillment_url? }))
        .collect();
    let dimensions = details.dimensions.into_iter().map(|dimension| DimensionAtAws {
        key: dimension.key,
        name: dimension.name.unwrap_or_default(),
        description: dimension.description.unwrap_or_default(),
        unit: dimension.unit.unwrap_or_default(),
        // Unknown types belong to other kinds of products.
        types: dimension.types.into_iter().filter_map(|kind| serde_json::from_value(kind).ok()).collect(),
    });
    let targeting = details.targeting.and_then(|targeting| targeting.positive_targeting);
    let description = details.description;
    Ok(ProductAtAws {
        id,
        visibility,
        product_code: description.product_code.filter(|code| !code.is_empty()),
        title: description.product_title.unwrap_or_default(),
        short_description: description.short_description.unwrap_or_default(),
        long_description: description.long_description.unwrap_or_default(),
        highlights: description.highlights.unwrap_or_default(),
        search_keywords: description.search_keywords.unwrap_or_default(),
        categories: description.categories.unwrap_or_default(),
        logo_url: details.promotional_resources.logo_url.unwrap_or_default(),
        support: details.support_information.description.unwrap_or_default(),
        dimensions: dimensions.collect(),
        delivery_options,
        buyer_accounts: targeting.and_then(|targeting| targeting.buyer_accounts).unwrap_or_default(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfferDetails {
    name: Option<String>,
    description: Option<String>,
    state: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    terms: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    positive_targeting: Option<PositiveTargeting>,
    availability_end_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Term {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    documents: Vec<TermDocument>,
    refund_policy: Option<String>,
    #[serde(default)]
    currency_code: String,
    #[serde(default)]
    rate_cards: Vec<RateCards>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TermDocument {
    #[serde(rename = "Type", default)]
    kind: String,
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RateCards {
    selector: Option<Selector>,
    #[serde(default)]
    rate_card: Vec<Rate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Selector {
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rate {
    dimension_key: String,
    price: Decimal,
}

impl RateCards {
    /// Returns the prices of the card, with the length of the contract that they are for.
    fn prices<'a>(&'a self, currency: &'a str) -> impl Iterator<Item = PriceAtAws> + 'a {
        let months = self.selector.as_ref().and_then(|selector| months(&selector.value));
        let price = move |rate: &Rate| PriceAtAws {
            dimension: rate.dimension_key.clone(),
            months,
            currency: currency.to_owned(),
            amount: rate.price,
        };
        self.rate_card.iter().map(price)
    }
}

/// Returns the months of an ISO 8601 duration, as AWS writes contract lengths; `None` for other durations.
pub(super) fn months(duration: &str) -> Option<u8> {
    match duration.strip_prefix('P')? {
        "30D" => Some(1),
        "365D" | "1Y" => Some(12),
        "730D" | "2Y" => Some(24),
        "1095D" | "3Y" => Some(36),
        months => months.strip_suffix('M')?.parse().ok(),
    }
}

/// Reads the details of an `Offer@1.0`.
///
/// # Errors
///
/// Fails when the details do not have that form.
pub(super) fn read_offer(id: String, details: Value) -> Result<OfferAtAws, MarketplaceError> {
    let details: OfferDetails = read("an offer", details)?;
    let terms = details.terms.iter().map(|term| read("a term", term.clone()));
    let terms = terms.collect::<Result<Vec<Term>, _>>()?;
    let names_accounts = |rule: &Rule| {
        let accounts = rule.positive_targeting.as_ref().and_then(|targeting| targeting.buyer_accounts.as_ref());
        accounts.is_some_and(|accounts| !accounts.is_empty())
    };
    let until = details.rules.iter().find_map(|rule| rule.availability_end_date.as_deref());
    let available_until = until.map(end).transpose()?;
    let of_kind = |kind: &'static str| terms.iter().filter(move |term| term.kind == kind);
    let eula = of_kind("LegalTerm").flat_map(|term| &term.documents).next().map(|document| {
        match (document.kind.as_str(), &document.url) {
            ("StandardEula", _) => EulaAtAws::Standard,
            ("CustomEula", Some(url)) => EulaAtAws::Custom { url: url.clone() },
            _ => EulaAtAws::Other,
        }
    });
    let prices = terms.iter().flat_map(|term| term.rate_cards.iter().flat_map(|card| card.prices(&term.currency_code)));
    let prices = prices.collect();
    let refund_policy = of_kind("SupportTerm").find_map(|term| term.refund_policy.clone()).unwrap_or_default();
    let is_pricing = |term: &Term| term.kind.ends_with("PricingTerm");
    let mut pricing = terms.iter().filter(|term| is_pricing(term)).peekable();
    let is_only_a_trial = pricing.peek().is_some() && pricing.all(|term| term.kind == "FreeTrialPricingTerm");
    let whole_with = details.terms.iter().zip(&terms);
    let pricing_terms = whole_with.filter(|(_, term)| is_pricing(term)).map(|(whole, _)| whole.clone()).collect();
    Ok(OfferAtAws {
        is_released: details.state.as_deref() == Some("Released"),
        is_for_everyone: !details.rules.iter().any(names_accounts) && !is_only_a_trial,
        available_until,
        eula,
        refund_policy,
        prices,
        pricing_terms,
        name: details.name.unwrap_or_default(),
        description: details.description.unwrap_or_default(),
        id,
    })
}

/// Returns the time at which availability ends: AWS gives the last day, or a time.
fn end(text: &str) -> Result<Timestamp, MarketplaceError> {
    let day = || {
        let end = text.parse::<Date>().ok()?.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(end.timestamp())
    };
    text.parse().ok().or_else(day).ok_or_else(|| unexpected(format!("an offer that is available until {text:?}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use domain::listing::DimensionType;

    fn product(details: Value) -> ProductAtAws {
        read_product("prod-example1".parse().unwrap(), details).unwrap()
    }

    #[test]
    fn a_product_is_read_whole() {
        let product = product(json!({
            "Description": {
                "ProductTitle": "Example", "ProductCode": "abc123", "ShortDescription": "Short",
                "LongDescription": "Long", "Sku": "", "Highlights": ["Fast"], "SearchKeywords": ["example"],
                "Categories": ["Monitoring"], "Visibility": "Limited", "ProductState": "Active",
            },
            "PromotionalResources": { "LogoUrl": "https://s3.amazonaws.com/example/logo.png", "Videos": [] },
            "SupportInformation": { "Description": "Write to us." },
            "Dimensions": [{ "Key": "seats", "Name": "Seats", "Types": ["Entitled", "Another"], "Unit": "Units" }],
            "Versions": [{ "DeliveryOptions": [
                { "Id": "do-1", "FulfillmentUrl": "https://a.example.com/register", "Visibility": "Public" },
                { "Id": "do-2", "FulfillmentUrl": "https://b.example.com/register", "Visibility": "Restricted" },
                { "Id": "do-3", "FulfillmentUrl": "https://c.example.com/register", "Type": "SoftwareRegistration" },
                { "Id": "do-4", "FulfillmentUrl": "https://api.example.com/v1", "Type": "ApiEndpoint" },
            ] }],
            "Targeting": { "PositiveTargeting": { "BuyerAccounts": ["111122223333"] } },
        }));
        assert_eq!(product.visibility, Visibility::Limited);
        assert_eq!(product.product_code.as_deref(), Some("abc123"));
        let options = [("do-1", "https://a.example.com/register"), ("do-3", "https://c.example.com/register")];
        let options = options.map(|(id, fulfillment_url)| DeliveryOptionAtAws {
            id: id.to_owned(),
            fulfillment_url: fulfillment_url.to_owned(),
        });
        assert_eq!(product.delivery_options, options);
        assert_eq!(product.dimensions.len(), 1);
        assert_eq!(product.dimensions.first().unwrap().types, [DimensionType::Entitled].into());
        assert_eq!(product.buyer_accounts.len(), 1);
        assert_eq!((product.logo_url.is_empty(), product.support.as_str()), (false, "Write to us."));
    }

    #[test]
    fn a_draft_has_nothing_yet() {
        for details in [
            json!({}),
            json!({ "Description": { "Visibility": "Draft" } }),
            json!({ "Description": { "ProductTitle": null, "Highlights": null }, "Targeting": null }),
        ] {
            let product = product(details);
            assert_eq!(product.visibility, Visibility::Draft);
            assert!(product.title.is_empty() && product.dimensions.is_empty() && product.product_code.is_none());
        }
    }

    #[test]
    fn a_life_is_read_from_the_visibility() {
        for (visibility, wanted) in [
            ("Public", Visibility::Public),
            ("Restricted", Visibility::Restricted),
            ("Staging", Visibility::Draft),
            ("New", Visibility::Unknown),
        ] {
            let product = product(json!({ "Description": { "Visibility": visibility } }));
            assert_eq!(product.visibility, wanted, "{visibility}");
        }
    }

    #[test]
    fn an_offer_is_read_with_its_prices_and_for_whom_it_is() {
        let details = |state: &str, accounts: Value| {
            json!({
                "State": state,
                "Rules": [
                    { "Type": "TargetingRule", "PositiveTargeting": { "BuyerAccounts": accounts } },
                    { "Type": "AvailabilityRule", "AvailabilityEndDate": "2030-01-01" },
                ],
                "Terms": [
                    { "Type": "UsageBasedPricingTerm", "CurrencyCode": "USD",
                      "RateCards": [{ "RateCard": [{ "DimensionKey": "events", "Price": "0.01" }] }] },
                    { "Type": "ConfigurableUpfrontPricingTerm", "CurrencyCode": "USD",
                      "RateCards": [{ "Selector": { "Type": "Duration", "Value": "P365D" },
                                      "RateCard": [{ "DimensionKey": "seats", "Price": "300.00" }] }] },
                    { "Type": "LegalTerm", "Documents": [{ "Type": "StandardEula", "Version": "2022-07-14" }] },
                    { "Type": "SupportTerm", "RefundPolicy": "Within 30 days." },
                ],
            })
        };
        let read = |state, accounts| read_offer("offer-1".to_owned(), details(state, accounts)).unwrap();
        let offer = read("Released", json!([]));
        assert_eq!(offer.eula, Some(EulaAtAws::Standard));
        assert_eq!(offer.refund_policy, "Within 30 days.");
        let prices = offer.prices.iter().map(|price| (price.dimension.as_str(), price.months, price.amount));
        let wanted = [("events", None, Decimal::new(1, 2)), ("seats", Some(12), Decimal::new(300, 0))];
        assert!(prices.eq(wanted), "{:?}", offer.prices);
        assert_eq!(offer.pricing_terms.len(), 2);
        // The offer is open until the end of its last day.
        for (now, is_public) in [("2030-01-01T23:59:59Z", true), ("2030-01-02T00:00:00Z", false)] {
            assert_eq!(offer.is_public(now.parse().unwrap()), is_public, "{now}");
        }
        let now = "2026-11-10T09:20:00Z".parse().unwrap();
        for (state, accounts) in [("Released", json!(["111122223333"])), ("Draft", json!([]))] {
            assert!(!read(state, accounts).is_public(now), "{state}");
        }
    }

    #[test]
    fn the_length_of_a_contract_is_read_in_months() {
        for (duration, wanted) in [
            ("P1M", Some(1)),
            ("P12M", Some(12)),
            ("P36M", Some(36)),
            ("P30D", Some(1)),
            ("P365D", Some(12)),
            ("P2Y", Some(24)),
            ("P14D", None),
            ("12M", None),
            ("", None),
        ] {
            assert_eq!(months(duration), wanted, "{duration}");
        }
    }

    #[test]
    fn a_trial_beside_the_offer_is_not_the_offer() {
        let trial = json!({ "Type": "FreeTrialPricingTerm", "Duration": "P14D", "Grants": [{ "DimensionKey": "a" }] });
        let price = json!({ "Type": "UsageBasedPricingTerm", "RateCards": [] });
        for (terms, is_for_everyone) in [
            (json!([]), true),
            (json!([trial]), false),
            (json!([trial, { "Type": "LegalTerm" }]), false),
            (json!([trial, price]), true),
        ] {
            let offer = read_offer("offer-1".to_owned(), json!({ "Terms": terms })).unwrap();
            assert_eq!(offer.is_for_everyone, is_for_everyone, "{terms}");
        }
    }

    #[test]
    fn other_details_are_an_unexpected_response() {
        for details in [json!([]), json!({ "Description": "text" }), json!({ "Dimensions": [{}] })] {
            let answer = read_product("prod-example1".parse().unwrap(), details.clone());
            assert!(matches!(answer, Err(MarketplaceError::Unavailable(_))), "{details}");
        }
    }
}

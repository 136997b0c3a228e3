//! Plans for what AWS shows.

use serde_json::json;

use super::super::details::{read_offer, read_product};
use super::*;
use domain::catalog::{DeliveryOptionAtAws, DimensionAtAws, EulaAtAws};
use domain::ids::AccountId;
use domain::listing::DimensionType;

const REGISTRATION: &str = "https://marketplace.example.com/register";

/// The inputs of a plan.
struct Case {
    listing: Listing,
    registration: Url,
    product: ProductAtAws,
    offers: Vec<OfferAtAws>,
}

/// A change of a case.
type Otherwise = fn(&mut Case);

impl Case {
    /// Returns a case in which AWS shows everything that is described.
    fn same() -> Self {
        let listing = Listing::parse(include_str!("../../../../../listings/demo-consumption.toml")).unwrap();
        let catalog = listing.catalog.clone().unwrap();
        let dimension = |dimension: &domain::listing::Dimension| DimensionAtAws {
            key: dimension.key.to_string(),
            name: dimension.name.clone(),
            description: dimension.name.clone(),
            unit: dimension.unit.clone().unwrap(),
            types: dimension.types.clone(),
        };
        let product = ProductAtAws {
            id: listing.product_id.clone(),
            visibility: Visibility::Limited,
            product_code: Some(listing.product_code.to_string()),
            title: listing.name.clone(),
            short_description: catalog.short_description.clone(),
            long_description: catalog.long_description.clone(),
            highlights: catalog.highlights.clone(),
            search_keywords: catalog.search_keywords.clone(),
            categories: catalog.categories.clone(),
            logo_url: catalog.logo.to_string(),
            support: catalog.support.clone(),
            dimensions: listing.dimensions.iter().map(dimension).collect(),
            delivery_options: vec![DeliveryOptionAtAws {
                id: "do-1".to_owned(),
                fulfillment_url: REGISTRATION.to_owned(),
            }],
            buyer_accounts: catalog.allowed_accounts.clone(),
        };
        let offer = OfferAtAws {
            id: "offer-1".to_owned(),
            name: "Offer".to_owned(),
            description: "Of everything".to_owned(),
            is_released: true,
            is_for_everyone: true,
            available_until: None,
            eula: Some(EulaAtAws::Standard),
            refund_policy: catalog.refund_policy.clone(),
            prices: Vec::new(),
            pricing_terms: vec![
                json!({ "Type": USAGE, "CurrencyCode": "USD", "RateCards": [
                    { "RateCard": [{ "DimensionKey": "events_extra", "Price": "0.01" }] },
                ] }),
                json!({ "Type": UPFRONT, "Id": "term-1", "CurrencyCode": "USD", "RateCards": [{
                    "Selector": { "Type": "Duration", "Value": "P12M" },
                    "RateCard": [{ "DimensionKey": "events_included", "Price": "0.01" }],
                    "Constraints": { "MultipleDimensionSelection": "Disallowed", "QuantityConfiguration": "Allowed" },
                }] }),
            ],
        };
        Self { listing, registration: REGISTRATION.parse().unwrap(), product, offers: vec![offer] }
    }

    /// Returns a case with a product fresh from CreateProduct, without an offer.
    fn bare() -> Self {
        let mut case = Self::same();
        let product = read_product(case.product.id.clone(), json!({})).unwrap();
        case.product = ProductAtAws { product_code: case.product.product_code, ..product };
        case.offers.clear();
        case
    }

    fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn catalog(&mut self) -> &mut domain::listing::Catalog {
        self.listing.catalog.as_mut().unwrap()
    }

    fn plan(&self) -> Plan {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        plan(&self.listing, &self.registration, &self.product, &self.offers, now)
    }
}

const USAGE: &str = "UsageBasedPricingTerm";
const UPFRONT: &str = "ConfigurableUpfrontPricingTerm";

/// Returns the kinds of changes, by change set, in the order in which they are sent.
fn kinds(plan: &Plan) -> String {
    let set = |set: &ChangeSet| set.changes.iter().map(|change| change.change_type).collect::<Vec<_>>().join(" ");
    plan.change_sets.iter().map(set).collect::<Vec<_>>().join(" | ")
}

#[test]
fn what_aws_shows_as_it_is_described_is_left_alone() {
    for case in [
        Case::same(),
        Case::same().but(|it| it.product.visibility = Visibility::Public),
        // The changes that AWS and editors make to texts and lists are no differences.
        Case::same().but(|it| it.product.search_keywords.reverse()),
        Case::same().but(|it| it.product.long_description.push_str("\r\n")),
        Case::same().but(|it| it.offers[0].pricing_terms[0]["RateCards"][0]["RateCard"][0]["Price"] = json!("0.0100")),
        Case::same().but(|it| it.offers[0].pricing_terms[1]["RateCards"][0]["Selector"]["Value"] = json!("P365D")),
        // Additional allowed accounts are no differences either.
        Case::same().but(|it| it.product.buyer_accounts.push("444455556666".parse().unwrap())),
        Case::same().but(|it| it.product.visibility = Visibility::Public).but(|it| it.product.buyer_accounts.clear()),
        // A private offer and a trial beside the public one, and an expired one, are ignored.
        Case::same().but(|it| {
            let mut other = it.offers[0].clone();
            other.is_for_everyone = false;
            it.offers.push(other.clone());
            other.is_for_everyone = true;
            other.available_until = Some("2026-11-01T00:00:00Z".parse().unwrap());
            it.offers.push(other.clone());
            other.is_released = false;
            it.offers.push(other);
        }),
    ] {
        assert_eq!(case.plan(), Plan::default());
    }
}

#[test]
fn each_difference_is_a_change_of_its_kind() {
    let cases: [(&str, Otherwise, &str, &str, &str); 13] = [
        (
            "UpdateInformation",
            |it| it.product.title = "Old".to_owned(),
            "title",
            "Old",
            "Demo Contract with Consumption",
        ),
        ("UpdateInformation", |it| it.product.logo_url.clear(), "logo", "", "https://www.example.com/logo.png"),
        (
            "UpdateInformation",
            |it| it.product.highlights.reverse(),
            "highlights",
            "A year of events included in every contract; Set up in five minutes",
            "Set up in five minutes; A year of events included in every contract",
        ),
        (
            "UpdateTargeting",
            |it| it.product.buyer_accounts.truncate(1),
            "allowed accounts",
            "111122223301",
            "111122223301, 111122223302, 111122223303, 111122223304, 111122223305",
        ),
        ("AddDeliveryOptions", |it| it.product.delivery_options.clear(), "fulfillment URL", "", REGISTRATION),
        (
            "UpdateDeliveryOptions",
            |it| it.product.delivery_options[0].fulfillment_url.push('/'),
            "fulfillment URL",
            "https://marketplace.example.com/register/",
            REGISTRATION,
        ),
        (
            "AddDimensions",
            |it| drop(it.product.dimensions.remove(0)),
            "dimension events_included",
            "",
            "Events included, Entitled",
        ),
        (
            "UpdateDimensions",
            |it| it.product.dimensions[1].name = "Old".to_owned(),
            "name of events_extra",
            "Old",
            "Events beyond the contract",
        ),
        (
            "UpdateSupportTerms",
            |it| it.offers[0].refund_policy = "None.".to_owned(),
            "refund policy",
            "None.",
            "Contracts can be cancelled within 30 days for a full refund. Usage is not refunded.",
        ),
        (
            "UpdateLegalTerms",
            |it| it.offers[0].eula = None,
            "license agreement",
            "",
            "AWS Marketplace's standard contract",
        ),
        (
            "UpdateLegalTerms",
            |it| it.catalog().eula = Some("https://www.example.com/eula.pdf".parse().unwrap()),
            "license agreement",
            "AWS Marketplace's standard contract",
            "https://www.example.com/eula.pdf",
        ),
        (
            "UpdatePricingTerms",
            |it| it.catalog().prices[1].usd = "0.25".parse().unwrap(),
            "price of events_extra",
            "0.01 USD",
            "0.25 USD",
        ),
        ("ReleaseOffer", |it| it.offers[0].is_released = false, "state of the offer", "Draft", "Released"),
    ];
    for (kind, change, what, current, described) in cases {
        let plan = Case::same().but(change).plan();
        assert_eq!((kinds(&plan).as_str(), plan.hints.len()), (kind, 0), "{what}: {plan:#?}");
        assert_eq!(plan.change_sets[0].changes[0].differences, [Difference::of(what, current, described)]);
    }
}

#[test]
fn a_bare_product_gets_everything_in_order() {
    let product = "UpdateInformation UpdateTargeting AddDeliveryOptions AddDimensions ReleaseProduct";
    let offer = "UpdateInformation UpdatePricingTerms UpdateLegalTerms UpdateSupportTerms ReleaseOffer";
    let plan = Case::bare().plan();
    assert_eq!((kinds(&plan), plan.hints.len()), (format!("{product} | CreateOffer {offer}"), 0), "{plan:#?}");
    assert!(plan.change_sets[1].changes.iter().all(|change| change.entity == Target::NewOffer));
    let draft = Case::bare().but(|it| {
        it.offers.push(read_offer("offer-1".to_owned(), json!({ "State": "Draft" })).unwrap());
    });
    let plan = draft.plan();
    assert_eq!(kinds(&plan), format!("{product} | {offer}"));
    assert!(plan.change_sets[1].changes.iter().all(|change| change.entity == Target::Offer("offer-1".to_owned())));
    let pricing = &plan.change_sets[1].changes[1].details;
    assert_eq!(pricing["PricingModel"], "Contract");
    let upfront = &pricing["Terms"][0];
    assert_eq!((&upfront["Type"], &upfront["RateCards"][0]["Selector"]["Value"]), (&json!(UPFRONT), &json!("P12M")));
    assert_eq!(upfront["RateCards"][0]["Constraints"]["MultipleDimensionSelection"], "Allowed");
    assert_eq!(
        pricing["Terms"][1]["RateCards"][0]["RateCard"],
        json!([{ "DimensionKey": "events_extra", "Price": "0.01" }])
    );
}

#[test]
fn prices_that_are_not_described_are_sent_as_they_are() {
    let trial =
        json!({ "Type": "FreeTrialPricingTerm", "Duration": "P14D", "Grants": [{ "DimensionKey": "events_extra" }] });
    let case = Case::same().but(|it| {
        let terms = &mut it.offers[0].pricing_terms;
        terms.push(trial.clone());
        let another = json!({ "DimensionKey": "another", "Price": "7" });
        terms[0]["RateCards"][0]["RateCard"].as_array_mut().unwrap().push(another);
        let mut longer = it.catalog().prices[0].clone();
        (longer.months, longer.usd) = (Some(24), "0.020".parse().unwrap());
        it.catalog().prices.push(longer);
    });
    let plan = case.plan();
    assert_eq!(kinds(&plan), "UpdatePricingTerms");
    let card = |months: &str, price: &str| {
        json!({
            "Selector": { "Type": "Duration", "Value": months },
            "RateCard": [{ "DimensionKey": "events_included", "Price": price }],
            "Constraints": { "MultipleDimensionSelection": "Disallowed", "QuantityConfiguration": "Allowed" },
        })
    };
    let usage =
        json!([{ "DimensionKey": "events_extra", "Price": "0.01" }, { "DimensionKey": "another", "Price": "7" }]);
    let terms = json!([
        { "Type": USAGE, "CurrencyCode": "USD", "RateCards": [{ "RateCard": usage }] },
        // Members that the change does not accept are left out.
        { "Type": UPFRONT, "CurrencyCode": "USD", "RateCards": [card("P12M", "0.01"), card("P24M", "0.02")] },
        trial,
    ]);
    assert_eq!(plan.change_sets[0].changes[0].details["Terms"], terms);
    assert_eq!(plan.hints.len(), 1);
    assert!(plan.hints[0].contains("they stay: price of another"), "{:?}", plan.hints);
}

#[test]
fn what_cannot_be_changed_is_a_hint_and_nothing_is_sent_of_it() {
    let cases: [(Otherwise, &str, &str); 17] = [
        (|it| it.product.visibility = Visibility::Restricted, "", "the product is Restricted"),
        (|it| it.product.product_code = Some("other".to_owned()), "", "gave the product the code other"),
        (|it| it.listing.catalog = None, "", "add [catalog]"),
        (
            |it| it.product.dimensions[0].types = [DimensionType::Metered].into(),
            "",
            "events_included is Metered at AWS and described as Entitled",
        ),
        (|it| it.product.dimensions[0].unit = "pieces".to_owned(), "", "the unit of events_included is \"pieces\""),
        (|it| drop(it.listing.dimensions.pop()), "", "AWS has the dimension events_extra, which is not described"),
        (|it| it.registration = "http://127.0.0.1:8080/register".parse().unwrap(), "", "because of its https"),
        (|it| it.product.logo_url = "https://awsmp-logos.s3.amazonaws.com/1".to_owned(), "", "its own copy of a logo"),
        (
            |it| {
                it.offers[0].eula =
                    Some(EulaAtAws::Custom { url: "https://www.example.com/old.pdf?key=secret".to_owned() })
            },
            "",
            "is not described, and it stays: https://www.example.com/old.pdf",
        ),
        (
            |it| {
                let url = "https://aws-mp-offer-legal-artifacts.s3.amazonaws.com/1?key=secret".to_owned();
                it.offers[0].eula = Some(EulaAtAws::Custom { url });
                it.catalog().eula = Some("https://www.example.com/eula.pdf".parse().unwrap());
            },
            "",
            "its own copy of a license agreement",
        ),
        (
            |it| drop(it.offers[0].pricing_terms.pop()),
            "",
            "released with the pricing model Usage, which cannot be changed, and Contract",
        ),
        (|it| it.offers[0].pricing_terms.push(json!({ "Type": "ByolPricingTerm" })), "", "AWS shows a ByolPricingTerm"),
        (|it| it.offers[0].pricing_terms[0]["CurrencyCode"] = json!("EUR"), "", "prices in EUR"),
        (|it| it.offers.push(it.offers[0].clone()), "", "several offers that may be the one for every buyer"),
        (
            |it| {
                it.product.visibility = Visibility::Public;
                it.catalog().prices[1].usd = "0.02".parse().unwrap();
            },
            "UpdatePricingTerms",
            "the price of events_extra rises: AWS tells the buyers",
        ),
        (
            |it| it.product.buyer_accounts = (0..97).map(|number| account(number + 500)).collect(),
            "",
            "5 allowed accounts are described that AWS does not have",
        ),
        (
            |it| {
                let other = |id: &str| DeliveryOptionAtAws {
                    id: id.to_owned(),
                    fulfillment_url: "https://a.example.com/".to_owned(),
                };
                it.product.delivery_options = vec![other("do-1"), other("do-2")];
            },
            "UpdateDeliveryOptions",
            "takes one at a time: apply again",
        ),
    ];
    for (change, sent, hint) in cases {
        let plan = Case::same().but(change).plan();
        assert_eq!(kinds(&plan), sent, "{hint}: {plan:#?}");
        assert!(plan.hints.iter().any(|said| said.contains(hint)), "{hint}: {:?}", plan.hints);
        assert!(!plan.hints.concat().contains("secret"), "{:?}", plan.hints);
    }
}

#[test]
fn a_draft_is_not_released_before_it_is_as_it_is_described() {
    let cases: [Otherwise; 3] = [
        |it| it.registration = "http://127.0.0.1:8080/register".parse().unwrap(),
        |it| it.listing.catalog = None,
        |it| {
            it.product.dimensions = Case::same().product.dimensions;
            it.product.dimensions[0].types = [DimensionType::Metered].into();
        },
    ];
    for change in cases {
        let plan = Case::bare().but(change).plan();
        assert!(!kinds(&plan).contains("Release"), "{plan:#?}");
        assert!(plan.hints.iter().any(|hint| hint.contains("the product stays a draft")), "{:?}", plan.hints);
    }
    let cases: [(Otherwise, &str, &str); 7] = [
        (|it| it.offers[0].pricing_terms[0]["CurrencyCode"] = json!("EUR"), "", "prices in EUR"),
        (|it| it.offers[0].pricing_terms.push(json!({ "Type": "ByolPricingTerm" })), "", "AWS shows a ByolPricingTerm"),
        (|it| drop(it.catalog().prices.pop()), "", "they stay: price of events_extra"),
        (
            |it| drop(it.offers[0].pricing_terms.pop()),
            "",
            "the draft of the offer has the pricing model Usage, and Contract is described",
        ),
        (
            |it| {
                it.listing.pricing = domain::listing::Pricing::Subscription;
                it.offers[0].refund_policy.clear();
            },
            "UpdateSupportTerms",
            "the draft of the offer has the pricing model Contract, and Usage is described",
        ),
        (
            |it| it.offers[0].eula = Some(EulaAtAws::Custom { url: "https://www.example.com/old.pdf".to_owned() }),
            "",
            "is not described, and it stays: https://www.example.com/old.pdf",
        ),
        (
            |it| {
                let url = "https://aws-mp-offer-legal-artifacts.s3.amazonaws.com/1".to_owned();
                it.offers[0].eula = Some(EulaAtAws::Custom { url });
                it.catalog().eula = Some("https://www.example.com/eula.pdf".parse().unwrap());
            },
            "",
            "its own copy of a license agreement",
        ),
    ];
    for (change, sent, hint) in cases {
        let plan = Case::same().but(|it| it.offers[0].is_released = false).but(change).plan();
        assert_eq!(kinds(&plan), sent, "{hint}: {plan:#?}");
        for wanted in [hint, "the offer stays a draft until what its buyers pay and agree to is as it is described"] {
            assert!(plan.hints.iter().any(|said| said.contains(wanted)), "{wanted}: {:?}", plan.hints);
        }
    }
}

fn account(number: u32) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

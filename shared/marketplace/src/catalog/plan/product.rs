//! The changes of the product.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use url::Url;

use super::{Change, Difference, Target, is_copy_of_aws, tidy};
use domain::catalog::{DimensionAtAws, ProductAtAws, Visibility};
use domain::listing::{Dimension, Listing, unfit_for_fulfillment};

/// The most accounts that may see a limited product.
const MAX_ACCOUNTS: usize = 100;

/// The changes of the product, and the facts that the offer depends on.
pub(super) struct ProductChanges {
    pub(super) changes: Vec<Change>,
    /// The dimensions that differ between AWS and the listing and are not changed.
    pub(super) unlike: Vec<String>,
    /// `true` if the product is released, or becomes released by these changes.
    pub(super) will_be_released: bool,
}

pub(super) fn changes(
    listing: &Listing,
    registration: &Url,
    product: &ProductAtAws,
    hints: &mut Vec<String>,
) -> ProductChanges {
    let of_dimensions = Dimensions::compare(listing, product, hints);
    let delivery = delivery(registration, product, hints);
    let is_whole = listing.catalog.is_some() && of_dimensions.unlike.is_empty() && delivery.is_ok();
    let is_draft = product.visibility == Visibility::Draft;
    if is_draft && !is_whole {
        hints.push("the product stays a draft until the rest is mended: it is not released".to_owned());
    }
    let release = || {
        let difference = Difference::of("visibility", "Draft", "Limited");
        ("ReleaseProduct", json!({}), vec![difference])
    };
    let planned = [
        information(listing, product, hints).map(|(details, differences)| ("UpdateInformation", details, differences)),
        targeting(listing, product, hints).map(|(details, difference)| ("UpdateTargeting", details, vec![difference])),
        delivery.ok().flatten(),
        of_dimensions.added,
        of_dimensions.updated,
        (is_draft && is_whole).then(release),
    ];
    let change = |(change_type, details, differences)| Change {
        change_type,
        entity: Target::Product(product.id.to_string()),
        details,
        differences,
    };
    ProductChanges {
        changes: planned.into_iter().flatten().map(change).collect(),
        unlike: of_dimensions.unlike,
        will_be_released: !is_draft || is_whole,
    }
}

/// A kind of change, the details that AWS receives, and the differences that the operator sees.
type Planned = (&'static str, Value, Vec<Difference>);

fn information(listing: &Listing, product: &ProductAtAws, hints: &mut Vec<String>) -> Option<(Value, Vec<Difference>)> {
    let (mut details, mut differences) = (Map::new(), Vec::new());
    let mut compare = |member: &str, what: &str, current: &str, described: &str| {
        if tidy(current) != tidy(described) {
            details.insert(member.to_owned(), tidy(described).into());
            differences.push(Difference::of(what, current, tidy(described)));
        }
    };
    compare("ProductTitle", "title", &product.title, &listing.name);
    if let Some(catalog) = &listing.catalog {
        compare("ShortDescription", "short description", &product.short_description, &catalog.short_description);
        compare("LongDescription", "long description", &product.long_description, &catalog.long_description);
        compare("SupportDescription", "support", &product.support, &catalog.support);
        if !is_copy_of_aws(&product.logo_url) {
            compare("LogoUrl", "logo", &product.logo_url, catalog.logo.as_str());
        } else if product.logo_url != catalog.logo.as_str() {
            hints.push(
                "AWS shows its own copy of a logo, which cannot be compared with the described one: if the logo has \
                 changed, change it in the portal as well"
                    .to_owned(),
            );
        }
        let lists = [
            ("Highlights", "highlights", &product.highlights, &catalog.highlights),
            ("SearchKeywords", "search keywords", &product.search_keywords, &catalog.search_keywords),
            ("Categories", "categories", &product.categories, &catalog.categories),
        ];
        for (member, what, current, described) in lists {
            let described: Vec<String> = described.iter().map(|text| tidy(text)).collect();
            // Only highlights are read in their order.
            let is_same = match member {
                "Highlights" => *current == described,
                _ => BTreeSet::from_iter(current) == BTreeSet::from_iter(&described),
            };
            if !is_same {
                differences.push(Difference::of(what, current.join("; "), described.join("; ")));
                details.insert(member.to_owned(), described.into());
            }
        }
    }
    (!differences.is_empty()).then(|| (details.into(), differences))
}

/// Compares the accounts that see the product while it is limited. No account is removed.
fn targeting(listing: &Listing, product: &ProductAtAws, hints: &mut Vec<String>) -> Option<(Value, Difference)> {
    let described = listing.catalog.as_ref().map(|catalog| catalog.allowed_accounts.as_slice()).unwrap_or_default();
    let lacking: Vec<_> = described.iter().filter(|account| !product.buyer_accounts.contains(account)).collect();
    if lacking.is_empty() || product.visibility == Visibility::Public {
        return None;
    }
    let all: Vec<String> =
        product.buyer_accounts.iter().chain(lacking.iter().copied()).map(ToString::to_string).collect();
    if all.len() > MAX_ACCOUNTS {
        hints.push(format!(
            "{} allowed accounts are described that AWS does not have, and it takes {MAX_ACCOUNTS} in all: take some away \
             in the portal first",
            lacking.len()
        ));
        return None;
    }
    let listed = |accounts: &mut dyn Iterator<Item = String>| accounts.collect::<Vec<_>>().join(", ");
    let current = listed(&mut product.buyer_accounts.iter().map(ToString::to_string));
    let difference = Difference::of("allowed accounts", current, all.join(", "));
    Some((json!({ "PositiveTargeting": { "BuyerAccounts": all } }), difference))
}

/// Compares the URLs to which AWS sends buyers with the registration URL. Fails when AWS would not accept the latter.
fn delivery(registration: &Url, product: &ProductAtAws, hints: &mut Vec<String>) -> Result<Option<Planned>, ()> {
    let wanted = registration.as_str();
    let is_wanted = |url: &str| Url::parse(url).is_ok_and(|url| url == *registration);
    let mut others = product.delivery_options.iter().filter(|option| !is_wanted(&option.fulfillment_url));
    let other = others.next();
    if other.is_none() && !product.delivery_options.is_empty() {
        return Ok(None);
    }
    if let Some(part) = unfit_for_fulfillment(registration) {
        hints.push(format!(
            "AWS does not take the stack's registration URL {wanted} because of its {part}: it must be https, without a \
             port or a query. Give the stack a domain (its parameter DomainName)"
        ));
        return Err(());
    }
    let details = json!({ "SaaSUrlDeliveryOptionDetails": { "FulfillmentUrl": wanted } });
    let Some(other) = other else {
        let difference = Difference::of("fulfillment URL", "", wanted);
        let details = json!({ "DeliveryOptions": [{ "Details": details }] });
        return Ok(Some(("AddDeliveryOptions", details, vec![difference])));
    };
    if others.next().is_some() {
        hints.push("AWS has several delivery options with another URL and takes one at a time: apply again".to_owned());
    }
    let difference = Difference::of("fulfillment URL", other.fulfillment_url.as_str(), wanted);
    let details = json!({ "DeliveryOptions": [{ "Id": other.id, "Details": details }] });
    Ok(Some(("UpdateDeliveryOptions", details, vec![difference])))
}

struct Dimensions {
    added: Option<Planned>,
    updated: Option<Planned>,
    unlike: Vec<String>,
}

impl Dimensions {
    fn compare(listing: &Listing, product: &ProductAtAws, hints: &mut Vec<String>) -> Self {
        let (mut added, mut updated, mut unlike) = (Vec::new(), Vec::new(), Vec::new());
        for dimension in &listing.dimensions {
            let key = dimension.key.as_str();
            match product.dimensions.iter().find(|known| known.key == key) {
                None => added.push(add(dimension)),
                Some(known) if known.types != dimension.types => {
                    unlike.push(key.to_owned());
                    hints.push(format!(
                        "the dimension {key} is {} at AWS and described as {}; the types of a dimension cannot be changed. \
                         Describe it as it is, or describe one with another key",
                        types(known.types.iter()),
                        types(dimension.types.iter()),
                    ));
                }
                Some(known) => {
                    updated.extend(update(dimension, known));
                    hints.extend(other_unit(dimension, known));
                }
            }
        }
        let is_described = |key: &str| listing.dimensions.iter().any(|dimension| dimension.key.as_str() == key);
        for known in product.dimensions.iter().filter(|known| !is_described(&known.key)) {
            hints.push(format!(
                "AWS has the dimension {}, which is not described and is left alone: describe it, or restrict it in the \
                 portal once nobody holds it",
                known.key
            ));
        }
        let all = |change_type, changed: Vec<(Value, Vec<Difference>)>| {
            let (details, differences): (Vec<Value>, Vec<Vec<Difference>>) = changed.into_iter().unzip();
            (!details.is_empty()).then(|| (change_type, details.into(), differences.concat()))
        };
        Self { added: all("AddDimensions", added), updated: all("UpdateDimensions", updated), unlike }
    }
}

fn add(dimension: &Dimension) -> (Value, Vec<Difference>) {
    let described = format!("{}, {}", dimension.name, types(dimension.types.iter()));
    let details = json!({
        "Key": dimension.key,
        "Name": dimension.name,
        "Description": dimension.description.as_ref().unwrap_or(&dimension.name),
        "Unit": dimension.unit.as_deref().unwrap_or("Units"),
        "Types": dimension.types,
    });
    (details, vec![Difference::of(format!("dimension {}", dimension.key), "", described)])
}

fn update(dimension: &Dimension, known: &DimensionAtAws) -> Option<(Value, Vec<Difference>)> {
    let mut details =
        Map::from_iter([("Key".to_owned(), json!(dimension.key)), ("Types".to_owned(), json!(dimension.types))]);
    let mut differences = Vec::new();
    let described = [
        ("Name", "name", &known.name, Some(&dimension.name)),
        ("Description", "description", &known.description, dimension.description.as_ref()),
    ];
    for (member, what, current, described) in described {
        let described = described.map(|text| tidy(text)).filter(|text| tidy(current) != *text);
        if let Some(described) = described {
            let what = format!("{what} of {}", dimension.key);
            differences.push(Difference::of(what, current.as_str(), described.as_str()));
            details.insert(member.to_owned(), described.into());
        }
    }
    (!differences.is_empty()).then(|| (details.into(), differences))
}

fn other_unit(dimension: &Dimension, known: &DimensionAtAws) -> Option<String> {
    let unit = dimension.unit.as_deref().filter(|unit| tidy(unit) != tidy(&known.unit))?;
    let (key, current) = (&dimension.key, &known.unit);
    Some(format!(
        "the unit of {key} is {current:?} at AWS and described as {unit:?}; the Catalog API does not change units: ask AWS \
         Marketplace's seller operations, or describe it as it is"
    ))
}

fn types<'a>(types: impl Iterator<Item = &'a domain::listing::DimensionType>) -> String {
    types.map(|kind| kind.as_str()).collect::<Vec<_>>().join(" and ")
}

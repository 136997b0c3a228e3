//! The changes of the offer that every buyer may accept.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use super::compared::Compared;
use super::product::ProductChanges;
use super::{Change, Difference, Target, is_copy_of_aws, prices, tidy};
use domain::catalog::{EulaAtAws, OfferAtAws, ProductAtAws};
use domain::listing::{Catalog, Listing};

/// The version of AWS Marketplace's standard contract.
const STANDARD_EULA: &str = "2022-07-14";

pub(super) fn changes(
    listing: &Listing,
    product: &ProductAtAws,
    offers: &[OfferAtAws],
    of_product: &ProductChanges,
    now: Timestamp,
    hints: &mut Vec<String>,
) -> Vec<Change> {
    let Some(catalog) = &listing.catalog else { return Vec::new() };
    let Ok(offer) = public(offers, now, hints) else { return Vec::new() };
    let is_released = offer.is_some_and(|offer| offer.is_released);
    let create = || {
        let difference = Difference::of("offer", "", "one for every buyer");
        ("CreateOffer", json!({ "ProductId": product.id }), vec![difference])
    };
    let product_will_fit = of_product.will_be_released && of_product.unlike.is_empty();
    let prices = prices::changes(listing, catalog, product, offer, &of_product.unlike, hints);
    let legal = legal(catalog, offer, hints);
    // Buyers who accept the offer are bound to its contents at that time.
    let may_release = product_will_fit && prices.will_fit && legal.will_fit;
    let release = || {
        let current = if offer.is_some() { "Draft" } else { "" };
        ("ReleaseOffer", json!({}), vec![Difference::of("state of the offer", current, "Released")])
    };
    if !is_released && !may_release {
        let what = if product_will_fit { "what its buyers pay and agree to" } else { "the product" };
        hints.push(format!("the offer stays a draft until {what} is as it is described"));
    }
    let planned = [
        offer.is_none().then(create),
        information(listing, offer).map(|(details, differences)| ("UpdateInformation", details, differences)),
        prices.change.map(|(details, differences)| ("UpdatePricingTerms", details, differences)),
        legal.change.map(|(details, differences)| ("UpdateLegalTerms", details, differences)),
        support(catalog, offer).map(|(details, difference)| ("UpdateSupportTerms", details, vec![difference])),
        (!is_released && may_release).then(release),
    ];
    let entity = offer.map_or(Target::NewOffer, |offer| Target::Offer(offer.id.clone()));
    let change =
        |(change_type, details, differences)| Change { change_type, entity: entity.clone(), details, differences };
    planned.into_iter().flatten().map(change).collect()
}

/// Returns the offer that every buyer may accept, or the draft that becomes it. Fails when there are several
/// candidates.
fn public<'a>(offers: &'a [OfferAtAws], now: Timestamp, hints: &mut Vec<String>) -> Result<Option<&'a OfferAtAws>, ()> {
    let all = |is_wanted: &dyn Fn(&OfferAtAws) -> bool| -> Vec<&'a OfferAtAws> {
        offers.iter().filter(|offer| is_wanted(offer)).collect()
    };
    let released = all(&|offer| offer.is_public(now));
    // A draft for everyone may be a private one whose buyers are named last. It is left alone if there is a released
    // offer.
    let drafts = all(&|offer| offer.is_for_everyone && !offer.is_released);
    let candidates = if released.is_empty() { drafts } else { released };
    match candidates.as_slice() {
        [] => Ok(None),
        [offer] => Ok(Some(offer)),
        several => {
            let ids: Vec<&str> = several.iter().map(|offer| offer.id.as_str()).collect();
            hints.push(format!(
                "AWS has several offers that may be the one for every buyer, and none is changed: {}. Say in the portal \
                 which it is, by ending the others or naming their buyers",
                ids.join(", ")
            ));
            Err(())
        }
    }
}

/// Returns a name and a description, which AWS requires before a release, where the offer has none. Existing ones stay,
/// because the listing describes neither.
fn information(listing: &Listing, offer: Option<&OfferAtAws>) -> Option<(Value, Vec<Difference>)> {
    let (mut details, mut differences) = (Map::new(), Vec::new());
    let wanted = [
        ("Name", "name of the offer", offer.map(|offer| &offer.name), listing.name.clone()),
        (
            "Description",
            "description of the offer",
            offer.map(|offer| &offer.description),
            format!("The public offer of {}", listing.name),
        ),
    ];
    for (member, what, current, described) in wanted {
        if current.is_none_or(String::is_empty) {
            differences.push(Difference::of(what, "", described.as_str()));
            details.insert(member.to_owned(), described.into());
        }
    }
    (!differences.is_empty()).then(|| (details.into(), differences))
}

fn legal(catalog: &Catalog, offer: Option<&OfferAtAws>, hints: &mut Vec<String>) -> Compared {
    const STANDARD: &str = "AWS Marketplace's standard contract";
    let current = match offer.and_then(|offer| offer.eula.as_ref()) {
        None => String::new(),
        Some(EulaAtAws::Standard) => STANDARD.to_owned(),
        // The query is left out, because it may grant access to the document.
        Some(EulaAtAws::Custom { url }) => url.split_once('?').map_or(url.as_str(), |(url, _)| url).to_owned(),
        Some(EulaAtAws::Other) => "another kind of agreement".to_owned(),
    };
    let described = catalog.eula.as_ref().map_or(STANDARD, Url::as_str);
    if current == described {
        return Compared { change: None, will_fit: true };
    }
    if !current.is_empty() && catalog.eula.is_none() {
        hints.push(format!("AWS shows a license agreement that is not described, and it stays: {current}"));
        return Compared::STAYS;
    }
    if is_copy_of_aws(&current) {
        hints.push(
            "AWS shows its own copy of a license agreement, which cannot be compared with the described one: if the \
             agreement has changed, change it in the portal as well"
                .to_owned(),
        );
        return Compared::STAYS;
    }
    let document = match &catalog.eula {
        Some(url) => json!({ "Type": "CustomEula", "Url": url }),
        None => json!({ "Type": "StandardEula", "Version": STANDARD_EULA }),
    };
    let details = json!({ "Terms": [{ "Type": "LegalTerm", "Documents": [document] }] });
    let difference = Difference::of("license agreement", current, described);
    Compared { change: Some((details, vec![difference])), will_fit: true }
}

fn support(catalog: &Catalog, offer: Option<&OfferAtAws>) -> Option<(Value, Difference)> {
    let (current, described) = (offer.map(|offer| offer.refund_policy.as_str()), tidy(&catalog.refund_policy));
    let current = current.unwrap_or_default();
    (tidy(current) != described).then(|| {
        let details = json!({ "Terms": [{ "Type": "SupportTerm", "RefundPolicy": described }] });
        (details, Difference::of("refund policy", current, described.as_str()))
    })
}

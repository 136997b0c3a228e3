//! The reviewer's checks of AWS's own records: the catalog, the delivery of events, and the seller's calls.

use domain::listing::{Dimension, Mode};
use jiff::{SignedDuration, Timestamp};
use local_aws::{EntityOverview, MarketplaceEvent};
use serde_json::{Value, json};
use url::Url;

use super::{Point, Reviewer};
use crate::wiring::{Subscription, Wiring};

/// The age up to which AWS counts the calls of a seller.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Reviewer<'_> {
    /// Checks the listing, and returns its registration URL, if there is one.
    pub(super) fn check_listing(&mut self, product: &EntityOverview) -> Option<Url> {
        let details = Value::Object(product.details.clone());
        let address = details.pointer("/Versions/0/DeliveryOptions/0/FulfillmentUrl").and_then(Value::as_str);
        let address = address.and_then(|url| Url::parse(url).ok());
        let wanted = [
            "/Description/ProductTitle",
            "/Description/ShortDescription",
            "/Description/LongDescription",
            "/Description/Highlights",
            "/Description/SearchKeywords",
            "/Description/Categories",
            "/PromotionalResources/LogoUrl",
            "/SupportInformation/Description",
        ];
        let is_there = |place: &&str| match details.pointer(place) {
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            _ => false,
        };
        let mut lacking: Vec<&str> = wanted.into_iter().filter(|place| !is_there(place)).collect();
        if address.is_none() {
            lacking.push("/Versions/0/DeliveryOptions/0/FulfillmentUrl");
        }
        match lacking.as_slice() {
            [] => self.pass(Point::ListingComplete, "nothing is missing"),
            lacking => self.object(Point::ListingComplete, format!("nothing at {}", lacking.join(", "))),
        }
        address
    }

    pub(super) fn check_offers(&mut self, entities: &[EntityOverview]) {
        let of_product = |entity: &&EntityOverview| {
            let text = |name: &str| entity.details.get(name).and_then(Value::as_str);
            text("ProductId") == Some(self.listing.product_id.as_str()) && text("State") == Some("Released")
        };
        let is_public = |entity: &&EntityOverview| {
            let rules = entity.details.get("Rules").and_then(Value::as_array);
            rules.is_none_or(|rules| rules.iter().all(|rule| rule.get("PositiveTargeting").is_none()))
        };
        let Some(offer) = entities.iter().filter(of_product).find(is_public) else {
            return self.object(Point::OfferComplete, "there is no released offer to everyone");
        };
        let terms = offer.details.get("Terms").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut lacking: Vec<&str> = ["LegalTerm", "SupportTerm"]
            .into_iter()
            .filter(|kind| !terms.iter().any(|term| term.get("Type").and_then(Value::as_str) == Some(kind)))
            .collect();
        let entitled = self.listing.dimensions.iter().any(Dimension::is_entitled);
        let metered = self.listing.dimensions.iter().any(Dimension::is_metered);
        let wanted = [(entitled, "ConfigurableUpfrontPricingTerm"), (metered, "UsageBasedPricingTerm")];
        for (_, kind) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
            let term = terms.iter().find(|term| term.get("Type").and_then(Value::as_str) == Some(kind));
            if !term.is_some_and(has_a_price) {
                lacking.push(kind);
            }
        }
        match lacking.as_slice() {
            [] => self.pass(Point::OfferComplete, format!("{} has terms and prices", offer.id)),
            lacking => self.object(Point::OfferComplete, format!("{} lacks {}", offer.id, lacking.join(", "))),
        }
    }

    pub(super) fn check_event_delivery(&mut self) {
        let wiring = self.stack.wiring();
        match self.listing.mode {
            Mode::License => {
                let kinds = ["Purchase Agreement Created - Proposer", "License Updated - Manufacturer"];
                let event = |kind: &str| json!({ "source": "aws.agreement-marketplace", "detail-type": kind });
                let lost = kinds.into_iter().find(|kind| !wiring.delivers(&MarketplaceEvent::EventBridge(event(kind))));
                match lost {
                    None => self.pass(Point::EventsDelivered, "a rule on the default bus matches it"),
                    Some(kind) => self.object(Point::EventsDelivered, format!("no enabled rule matches `{kind}`")),
                }
            }
            Mode::Customer => {
                let wanted = Wiring::deployed(std::slice::from_ref(self.listing)).subscriptions.into_keys();
                let is_open = |topic: &String| wiring.subscriptions.get(topic) != Some(&Subscription::Confirmed);
                match wanted.filter(is_open).collect::<Vec<_>>().as_slice() {
                    [] => self.pass(Point::EventsDelivered, "the topics are subscribed to"),
                    open => {
                        self.object(Point::EventsDelivered, format!("no confirmed subscription to {}", open.join(", ")))
                    }
                }
            }
        }
    }

    /// Checks AWS's own records of the seller's calls.
    pub(super) fn check_calls(&mut self) {
        let product = &self.listing.product_code;
        let since = self.state.clock.now().checked_sub(RECENT).unwrap_or(Timestamp::MIN);
        if Point::EntitlementsRead.applies(self.listing) {
            let read = self.state.aws.marketplace().entitlements_read(product).filter(|at| *at >= since);
            let observation = read.map_or("no call that was answered".to_owned(), |at| format!("the last at {at}"));
            self.note(Point::EntitlementsRead, read.is_some(), observation);
        }
        if Point::UsageReported.applies(self.listing) {
            let bill = self.state.aws.marketplace().bill();
            let of_product = bill.records.iter().filter(|record| record.product == *product && record.hour >= since);
            let count = of_product.count();
            self.note(Point::UsageReported, count > 0, format!("{count} records that were accepted"));
        }
    }
}

/// Returns `true` if a pricing term has a price above zero.
fn has_a_price(term: &Value) -> bool {
    let cards = term.get("RateCards").and_then(Value::as_array).into_iter().flatten();
    let rates = cards.filter_map(|card| card.get("RateCard").and_then(Value::as_array)).flatten();
    rates
        .filter_map(|rate| rate.get("Price")?.as_str()?.parse::<rust_decimal::Decimal>().ok())
        .any(|price| price > 0.into())
}

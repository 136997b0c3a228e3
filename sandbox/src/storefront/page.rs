//! The storefront's page: the products, the purchases, and Stallkeeper's records of them.

use askama::Template;
use domain::entitlement;
use domain::license::License;
use domain::listing::{Listing, Mode, Pricing};
use domain::notification::OutboundEvent;
use jiff::Timestamp;
use local_aws::{AgreementOverview, LicenseOverview, Overview};
use serde_json::Value;

use crate::listings::{DescribedListing, find};
use crate::queue::QueueOverview;
use crate::stack::Stack;
use crate::state::SandboxState;

/// The most events of a stage that are shown.
const SHOWN_EVENTS: usize = 50;

/// The page.
#[derive(Template)]
#[template(path = "storefront.html")]
pub(super) struct Storefront {
    now: String,
    aws_url: String,
    products: Vec<Product>,
    agreements: Vec<Agreement>,
    stacks: Vec<StackView>,
}

struct Product {
    name: String,
    code: String,
    stage: &'static str,
    running: bool,
    pricing: &'static str,
    mode: &'static str,
    entitled: Vec<Dimension>,
    /// The names of the dimensions that are paid by use.
    metered: String,
}

struct Dimension {
    key: String,
    name: String,
}

struct Agreement {
    id: String,
    product: String,
    account: String,
    status: &'static str,
    active: bool,
    term: String,
    holds: String,
    renewable: bool,
    entitled: Vec<Dimension>,
}

/// The records of one stage's Stallkeeper.
struct StackView {
    stage: &'static str,
    url: String,
    queue: QueueOverview,
    readable: bool,
    licenses: Vec<LicenseView>,
    events: Vec<Event>,
}

struct LicenseView {
    id: String,
    product: String,
    state: &'static str,
    tenant: String,
    entitlements: String,
}

struct Event {
    at: String,
    kind: String,
    license: String,
    sequence: u64,
}

impl Storefront {
    /// Returns the page in its current state.
    pub(super) async fn of(state: &SandboxState) -> Self {
        let overview = state.aws.marketplace().overview();
        let mut stacks = Vec::new();
        for stack in &state.stacks {
            stacks.push(StackView::of(stack, state).await);
        }
        Self {
            now: minute(state.clock.now()),
            aws_url: state.aws.url().to_owned(),
            products: state.listings.iter().map(|described| Product::of(described, state)).collect(),
            agreements: overview
                .agreements
                .iter()
                .rev()
                .map(|agreement| Agreement::of(agreement, &overview, state))
                .collect(),
            stacks,
        }
    }
}

impl Product {
    fn of(described: &DescribedListing, state: &SandboxState) -> Self {
        let listing = &described.listing;
        let metered: Vec<&str> = listing
            .dimensions
            .iter()
            .filter(|dimension| dimension.is_metered())
            .map(|dimension| dimension.name.as_str())
            .collect();
        Self {
            name: listing.name.clone(),
            code: listing.product_code.to_string(),
            stage: listing.stage.as_str(),
            running: state.stack(listing.stage).is_some(),
            pricing: match listing.pricing {
                Pricing::Contract => "Contract",
                Pricing::Subscription => "Subscription",
                Pricing::ContractWithConsumption => "Contract with consumption",
            },
            mode: match listing.mode {
                Mode::License => "keyed by license",
                Mode::Customer => "keyed by customer (legacy)",
            },
            entitled: entitled(listing),
            metered: metered.join(", "),
        }
    }
}

fn entitled(listing: &Listing) -> Vec<Dimension> {
    let entitled = listing.dimensions.iter().filter(|dimension| dimension.is_entitled());
    entitled.map(|dimension| Dimension { key: dimension.key.to_string(), name: dimension.name.clone() }).collect()
}

impl Agreement {
    fn of(agreement: &AgreementOverview, overview: &Overview, state: &SandboxState) -> Self {
        let listing = find(&state.listings, agreement.product_code.as_str()).map(|described| &described.listing);
        let status = agreement.status.as_str();
        let holder = |license: &&LicenseOverview| license.agreement_id.as_ref() == Some(&agreement.agreement_id);
        let until = agreement.end.map_or_else(|| "for use".to_owned(), |end| format!("until {}", day(end)));
        let trial = agreement.free_trial_end.map(|end| format!(", free trial until {}", day(end)));
        Self {
            id: agreement.agreement_id.to_string(),
            product: listing.map_or_else(|| agreement.product_code.to_string(), |listing| listing.name.clone()),
            account: agreement.account_id.to_string(),
            status,
            active: status == "ACTIVE",
            term: format!("since {} {until}{}", minute(agreement.start), trial.unwrap_or_default()),
            holds: overview.licenses.iter().find(holder).map(holds).unwrap_or_default(),
            renewable: agreement.end.is_some(),
            entitled: listing.map(entitled).unwrap_or_default(),
        }
    }
}

fn holds(license: &LicenseOverview) -> String {
    let amounts = license.dimensions.iter().map(|(key, value)| format!("{key}: {}", plain(&serde_json::json!(value))));
    amounts.collect::<Vec<_>>().join(", ")
}

impl StackView {
    async fn of(stack: &Stack, state: &SandboxState) -> Self {
        let licenses = stack.licenses().await;
        let events = stack.events().await;
        let now = state.clock.now();
        Self {
            stage: stack.stage.as_str(),
            url: stack.url.clone(),
            queue: stack.queue.overview(),
            readable: licenses.is_ok() && events.is_ok(),
            licenses: licenses.unwrap_or_default().iter().map(|license| LicenseView::of(license, state, now)).collect(),
            events: events.unwrap_or_default().iter().rev().take(SHOWN_EVENTS).map(Event::of).collect(),
        }
    }
}

impl LicenseView {
    fn of(license: &License, state: &SandboxState, now: Timestamp) -> Self {
        let product = find(&state.listings, license.product.as_str());
        let entitlements = license
            .entitlements
            .iter()
            .map(|entitlement| format!("{}: {}", entitlement.dimension, amount(&entitlement.value)));
        Self {
            id: license.id.to_string(),
            product: product.map_or_else(|| license.product.to_string(), |described| described.listing.name.clone()),
            state: license.state_at(now).name().as_str(),
            tenant: license.tenant.as_ref().map_or_else(|| "none yet".to_owned(), ToString::to_string),
            entitlements: entitlements.collect::<Vec<_>>().join(", "),
        }
    }
}

impl Event {
    fn of(event: &OutboundEvent) -> Self {
        let kind = serde_json::to_value(&event.kind).ok().and_then(|kind| kind.get("type").map(plain));
        Self {
            at: minute(event.at),
            kind: kind.unwrap_or_default(),
            license: event.license.to_string(),
            sequence: event.sequence,
        }
    }
}

fn amount(value: &entitlement::Value) -> String {
    match value {
        entitlement::Value::Integer(whole) => whole.to_string(),
        entitlement::Value::Double(number) => number.to_string(),
        entitlement::Value::Boolean(on) => on.to_string(),
        entitlement::Value::String(name) => name.clone(),
    }
}

/// Returns a JSON value as plain text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

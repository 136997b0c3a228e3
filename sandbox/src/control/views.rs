//! The views of the sandbox: the listings, the purchases and the bill, the plan of faults, the published events and
//! mails, the metrics, and the wire log.
//!
//! The events are read from the tables past the fault plan and the wire log, which are about Stallkeeper's calls.

use axum::Json;
use domain::ids::{ProductCode, ProductId};
use domain::listing::{Dimension, Mode, Pricing, Stage};
use domain::notification::OutboundEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Here, Sent, described, stacks};
use crate::aws::{Bill, Fault, Left, Overview, PlannedFault, WireCall};
use crate::sandbox::Inside;

/// A listing, and the URL at which its buyers register.
#[derive(Debug, Serialize)]
pub(super) struct Sold {
    file: String,
    name: String,
    stage: Stage,
    product_code: ProductCode,
    product_id: ProductId,
    mode: Mode,
    pricing: Pricing,
    dimensions: Vec<Dimension>,
    /// `None` if the stage has no stack here.
    registration_url: Option<String>,
}

pub(super) async fn listings(Here(inside, _): Here) -> Answer<Value> {
    let sold = |described: &crate::listings::DescribedListing| {
        let listing = described.listing.clone();
        Sold {
            file: described.file.clone(),
            name: listing.name,
            registration_url: inside.stack(listing.stage).map(|stack| format!("{}/register", stack.url)),
            stage: listing.stage,
            product_code: listing.product_code,
            product_id: listing.product_id,
            mode: listing.mode,
            pricing: listing.pricing,
            dimensions: listing.dimensions,
        }
    };
    let listings: Vec<Sold> = inside.listings.iter().map(sold).collect();
    inside.timeline.settle().await;
    Ok(Json(json!({ "listings": listings })))
}

pub(super) async fn purchases(Here(inside, _): Here) -> Answer<Overview> {
    inside.timeline.settle().await;
    Ok(Json(inside.aws.marketplace().overview()))
}

pub(super) async fn faults(Here(inside, _): Here) -> Answer<Value> {
    inside.timeline.settle().await;
    Ok(Json(plan(&inside)))
}

pub(super) async fn add_fault(Here(inside, _): Here, Sent(fault): Sent<Value>) -> Answer<Value> {
    let fault = Fault::read(&fault)?;
    inside.aws.faults().add(fault)?;
    inside.timeline.settle().await;
    Ok(Json(plan(&inside)))
}

pub(super) async fn clear_faults(Here(inside, _): Here) -> Answer<Value> {
    inside.aws.faults().clear();
    inside.timeline.settle().await;
    Ok(Json(plan(&inside)))
}

fn plan(inside: &Inside) -> Value {
    let faults: Vec<PlannedFault> = inside.aws.faults().list();
    json!({ "faults": faults })
}

/// The stage; all stages if none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfStage {
    stage: Option<String>,
}

/// An event for the seller's application, and the stage whose table has it.
#[derive(Debug, Serialize)]
struct Event {
    stage: Stage,
    #[serde(flatten)]
    event: OutboundEvent,
}

pub(super) async fn events(Here(inside, of): Here<OfStage>) -> Answer<Value> {
    inside.timeline.settle().await;
    let mut events: Vec<Event> = Vec::new();
    for stack in stacks(&inside, of.stage.as_deref())? {
        events.extend(stack.events().await?.into_iter().map(|event| Event { stage: stack.stage, event }));
    }
    Ok(Json(json!({ "events": events })))
}

/// Returns what was published to SNS for the seller's application, and sent by SES to buyers.
pub(super) async fn outbox(Here(inside, _): Here) -> Answer<Left> {
    inside.timeline.settle().await;
    Ok(Json(inside.aws.outbox().left()))
}

/// Returns the metrics of each stage in CloudWatch.
pub(super) async fn metrics(Here(inside, of): Here<OfStage>) -> Answer<Value> {
    inside.timeline.settle().await;
    let stacks = stacks(&inside, of.stage.as_deref())?;
    let metrics = stacks.iter().map(|stack| (stack.stage.as_str().to_owned(), json!(stack.metrics())));
    Ok(Json(json!({ "metrics": metrics.collect::<serde_json::Map<_, _>>() })))
}

/// The product; all products if none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfProduct {
    product: Option<String>,
}

pub(super) async fn bill(Here(inside, of): Here<OfProduct>) -> Answer<Bill> {
    inside.timeline.settle().await;
    let bill = inside.aws.marketplace().bill();
    Ok(Json(match of.product {
        Some(product) => bill.of_product(&described(&inside, &product)?.listing.product_code),
        None => bill,
    }))
}

/// The service and the operation of the calls; all if none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfCalls {
    service: Option<String>,
    operation: Option<String>,
}

pub(super) async fn wire(Here(inside, of): Here<OfCalls>) -> Answer<Value> {
    inside.timeline.settle().await;
    if let Some(service) = &of.service {
        service.parse::<crate::aws::Service>()?;
    }
    let is_wanted = |call: &WireCall| {
        of.service.as_deref().is_none_or(|service| service == call.service.name())
            && of.operation.as_deref().is_none_or(|operation| operation == call.operation)
    };
    let calls: Vec<WireCall> = inside.aws.wire().all().into_iter().filter(is_wanted).collect();
    Ok(Json(json!({ "calls": calls })))
}

pub(super) async fn clear_wire(Here(inside, _): Here) -> Answer<Value> {
    inside.timeline.settle().await;
    inside.aws.wire().clear();
    Ok(Json(json!({ "calls": [] })))
}

//! The views of the sandbox: the listings, the purchases and the bill, the plan of faults, the published events and
//! mails, the metrics, and the wire log.
//!
//! The events are read from the tables past the fault plan and the wire log, which are about Stallkeeper's calls.

use axum::Json;
use domain::ids::{ProductCode, ProductId};
use domain::listing::{Dimension, Mode, Pricing, Stage};
use domain::notification::OutboundEvent;
use local_aws::{Bill, Fault, OutboxContents, Overview, PlannedFault, WireCall};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Context, JsonBody};
use super::failure::Answer;
use super::lookup::{described, stacks};
use crate::state::SandboxState;

/// A listing, and the URL at which its buyers register.
#[derive(Debug, Serialize)]
pub(super) struct ListingView {
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

pub(super) async fn listings(Context(state, _): Context) -> Answer<Value> {
    let sold = |described: &crate::listings::DescribedListing| {
        let listing = described.listing.clone();
        ListingView {
            file: described.file.clone(),
            name: listing.name,
            registration_url: state.stack(listing.stage).map(|stack| format!("{}/register", stack.url)),
            stage: listing.stage,
            product_code: listing.product_code,
            product_id: listing.product_id,
            mode: listing.mode,
            pricing: listing.pricing,
            dimensions: listing.dimensions,
        }
    };
    let listings: Vec<ListingView> = state.listings.iter().map(sold).collect();
    state.timeline.settle().await;
    Ok(Json(json!({ "listings": listings })))
}

pub(super) async fn purchases(Context(state, _): Context) -> Answer<Overview> {
    state.timeline.settle().await;
    Ok(Json(state.aws.marketplace().overview()))
}

pub(super) async fn faults(Context(state, _): Context) -> Answer<Value> {
    state.timeline.settle().await;
    Ok(Json(plan(&state)))
}

pub(super) async fn add_fault(Context(state, _): Context, JsonBody(fault): JsonBody<Value>) -> Answer<Value> {
    let fault = Fault::read(&fault)?;
    state.aws.faults().add(fault)?;
    state.timeline.settle().await;
    Ok(Json(plan(&state)))
}

pub(super) async fn clear_faults(Context(state, _): Context) -> Answer<Value> {
    state.aws.faults().clear();
    state.timeline.settle().await;
    Ok(Json(plan(&state)))
}

fn plan(state: &SandboxState) -> Value {
    let faults: Vec<PlannedFault> = state.aws.faults().list();
    json!({ "faults": faults })
}

/// The stage; all stages if none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageQuery {
    stage: Option<String>,
}

/// An event for the seller's application, and the stage whose table has it.
#[derive(Debug, Serialize)]
struct Event {
    stage: Stage,
    #[serde(flatten)]
    event: OutboundEvent,
}

pub(super) async fn events(Context(state, of): Context<StageQuery>) -> Answer<Value> {
    state.timeline.settle().await;
    let mut events: Vec<Event> = Vec::new();
    for stack in stacks(&state, of.stage.as_deref())? {
        events.extend(stack.events().await?.into_iter().map(|event| Event { stage: stack.stage, event }));
    }
    Ok(Json(json!({ "events": events })))
}

/// Returns what was published to SNS for the seller's application, and sent by SES to buyers.
pub(super) async fn outbox(Context(state, _): Context) -> Answer<OutboxContents> {
    state.timeline.settle().await;
    Ok(Json(state.aws.outbox().contents()))
}

/// Returns the metrics of each stage in CloudWatch.
pub(super) async fn metrics(Context(state, of): Context<StageQuery>) -> Answer<Value> {
    state.timeline.settle().await;
    let stacks = stacks(&state, of.stage.as_deref())?;
    let metrics = stacks.iter().map(|stack| (stack.stage.as_str().to_owned(), json!(stack.metrics())));
    Ok(Json(json!({ "metrics": metrics.collect::<serde_json::Map<_, _>>() })))
}

/// The product; all products if none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductQuery {
    product: Option<String>,
}

pub(super) async fn bill(Context(state, of): Context<ProductQuery>) -> Answer<Bill> {
    state.timeline.settle().await;
    let bill = state.aws.marketplace().bill();
    Ok(Json(match of.product {
        Some(product) => bill.of_product(&described(&state, &product)?.listing.product_code),
        None => bill,
    }))
}

/// The service and the operation of the calls; all if none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallQuery {
    service: Option<String>,
    operation: Option<String>,
}

pub(super) async fn wire(Context(state, of): Context<CallQuery>) -> Answer<Value> {
    state.timeline.settle().await;
    if let Some(service) = &of.service {
        service.parse::<local_aws::Service>()?;
    }
    let is_wanted = |call: &WireCall| {
        of.service.as_deref().is_none_or(|service| service == call.service.name())
            && of.operation.as_deref().is_none_or(|operation| operation == call.operation)
    };
    let calls: Vec<WireCall> = state.aws.wire().all().into_iter().filter(is_wanted).collect();
    Ok(Json(json!({ "calls": calls })))
}

pub(super) async fn clear_wire(Context(state, _): Context) -> Answer<Value> {
    state.timeline.settle().await;
    state.aws.wire().clear();
    Ok(Json(json!({ "calls": [] })))
}

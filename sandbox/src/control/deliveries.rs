//! The queues of AWS's events: held back, released, duplicated, shuffled, filled with messages that cannot be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use domain::listing::Stage;
use serde::Deserialize;

use super::call::{Context, JsonBody};
use super::failure::{Answer, Failure};
use super::lookup::stacks;
use crate::queue::QueueOverview;
use crate::stack::Stack;
use crate::state::SandboxState;

/// The actions on the queues. Several actions of one call happen in the order of these fields, so that `{"duplicate":
/// 1, "reorder": 7, "release": true}` duplicates, shuffles and then releases.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeliveryRequest {
    /// The stage whose queue is meant; all stages if none is named.
    stage: Option<String>,
    /// Deliver nothing from now on.
    hold: bool,
    /// Put a message with this body on the queue.
    message: Option<String>,
    /// Lose the waiting messages that contain this text, for example `License Updated`.
    lose: Option<String>,
    /// Put the last processed messages, this many, on the queue once more.
    redeliver: Option<usize>,
    /// Put this many more copies of every waiting message on the queue.
    duplicate: Option<usize>,
    /// Shuffle the waiting messages by this seed.
    reorder: Option<u64>,
    /// Deliver again.
    release: bool,
}

/// The most copies of one call; more than any test needs would only fill the memory.
const MOST_COPIES: usize = 100;

pub(super) async fn deliver(
    Context(state, _): Context,
    JsonBody(delivery): JsonBody<DeliveryRequest>,
) -> Answer<BTreeMap<&'static str, QueueOverview>> {
    if delivery == (DeliveryRequest { stage: delivery.stage.clone(), ..DeliveryRequest::default() }) {
        let wanted = "one of hold, message, lose, redeliver, duplicate, reorder and release must be there";
        return Err(Failure::invalid("body", wanted));
    }
    if delivery.hold && delivery.release {
        return Err(Failure::invalid("release", "it cannot be there beside `hold`"));
    }
    if delivery.duplicate.is_some_and(|copies| copies > MOST_COPIES) {
        return Err(Failure::invalid("duplicate", format!("at most {MOST_COPIES} copies of each")));
    }
    for stack in stacks(&state, delivery.stage.as_deref())? {
        let queue = &stack.queue;
        if delivery.hold {
            queue.hold();
        }
        if let Some(body) = &delivery.message {
            queue.put(body.clone(), state.clock.now());
        }
        if let Some(text) = &delivery.lose {
            queue.lose(text);
        }
        if let Some(last) = delivery.redeliver {
            queue.redeliver(last);
        }
        if let Some(copies) = delivery.duplicate {
            queue.duplicate(copies);
        }
        if let Some(seed) = delivery.reorder {
            queue.reorder(seed);
        }
        if delivery.release {
            queue.release();
        }
    }
    state.timeline.settle().await;
    Ok(Json(overview(&state)))
}

pub(super) async fn queues(Context(state, _): Context) -> Answer<BTreeMap<&'static str, QueueOverview>> {
    state.timeline.settle().await;
    Ok(Json(overview(&state)))
}

fn overview(state: &SandboxState) -> BTreeMap<&'static str, QueueOverview> {
    let of_stack = |stack: &Arc<Stack>| {
        let mail = match stack.stage {
            Stage::Staging => "staging-mail",
            Stage::Production => "production-mail",
        };
        [(stack.stage.as_str(), stack.queue.overview()), (mail, stack.mail.overview())]
    };
    state.stacks.iter().flat_map(of_stack).collect()
}

//! The control API: the actions of an operator or a test on everything around Stallkeeper.
//!
//! JSON in and out, whatever content type a body claims to have. Every call settles before it answers, so that no work
//! is pending when the caller gets the answer. A bad call is answered with a problem document that names the fault.

mod behavior;
mod call;
mod catalog;
mod deliveries;
mod deployed;
mod purchases;
mod reconciliation;
mod review;
mod time;
mod views;
mod web;

use std::sync::Arc;

use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use domain::listing::Stage;
use http::{HeaderValue, Method, StatusCode, header};
use lambda::http::Problem;
use store::StoreError;

use crate::aws::ControlError;
use crate::listings::{DescribedListing, find};
use crate::sandbox::SandboxState;
use crate::stack::Stack;

use call::{AgreementPath, Context, JsonBody, NamePath};
pub(crate) use purchases::{FreshToken, Order, agreement_id, buy, fresh_token};
pub(crate) use time::{ClockChange, move_clock};

/// The routes of the control API.
pub(crate) fn routes(state: Arc<SandboxState>) -> Router {
    Router::new()
        .route("/sandbox/listings", get(views::listings))
        .route("/sandbox/purchases", get(views::purchases).post(purchases::purchase))
        .route("/sandbox/agreements/{agreement}", post(purchases::change))
        .route("/sandbox/agreements/{agreement}/token", post(purchases::token))
        .route("/sandbox/clock", get(time::show).post(time::move_on))
        .route("/sandbox/faults", get(views::faults).post(views::add_fault).delete(views::clear_faults))
        .route("/sandbox/deliver", post(deliveries::deliver))
        .route("/sandbox/reconcile", post(reconciliation::run))
        .route("/sandbox/queues", get(deliveries::queues))
        .route("/sandbox/events", get(views::events))
        .route("/sandbox/outbox", get(views::outbox))
        .route("/sandbox/metrics", get(views::metrics))
        .route("/sandbox/bill", get(views::bill))
        .route("/sandbox/behavior", get(behavior::show).post(behavior::change))
        .route("/sandbox/dimensions", post(behavior::publish))
        .route("/sandbox/catalog", get(catalog::entities))
        .route("/sandbox/catalog/{name}", patch(catalog::patch).delete(catalog::remove))
        .route("/sandbox/catalog/{name}/reset", post(catalog::reset))
        .route("/sandbox/catalog/{name}/bare", post(catalog::strip))
        .route("/sandbox/change-sets", get(catalog::change_sets).post(catalog::plan))
        .route("/sandbox/change-sets/{change_set}", post(catalog::decide))
        .route("/sandbox/review", post(review::review))
        .route("/sandbox/web", get(web::show).post(web::alter).delete(web::restore))
        .route("/sandbox/web/certificate", put(web::set_certificate_validity))
        .route("/sandbox/deployed/{stage}", get(deployed::show).patch(deployed::patch_wiring))
        .route("/sandbox/deployed/{stage}/reset", post(deployed::reset))
        .route("/sandbox/wire", get(views::wire).delete(views::clear_wire))
        .method_not_allowed_fallback(no_such_method)
        .with_state(state)
}

/// Answers a method that a path does not have; axum adds the header that the action names.
async fn no_such_method(method: Method, OriginalUri(uri): OriginalUri) -> Failure {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path has no such method.")
        .detail(format!("{method} {}", uri.path()))
        .action("Use a method that the Allow header names.")
        .into()
}

/// Answers a path that does not exist: as API Gateway does, or as the control API does below `/sandbox`.
pub(crate) async fn nothing_here(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    if uri.path() == "/sandbox" || uri.path().starts_with("/sandbox/") {
        let problem = Problem::new(StatusCode::NOT_FOUND, "route_unknown", "The control API has no such path.")
            .detail(format!("{method} {}", uri.path()))
            .action("Look up the path and the method in docs/SANDBOX.md.");
        Failure::from(problem).into_response()
    } else {
        (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], r#"{"message":"Not Found"}"#)
            .into_response()
    }
}

/// The answer of a control call.
type Answer<T> = Result<Json<T>, Failure>;

/// Returns the listing that a call is about: by product code, product id, name or file.
fn described<'a>(state: &'a SandboxState, product: &str) -> Result<&'a DescribedListing, Failure> {
    find(&state.listings, product).ok_or_else(|| {
        let known: Vec<&str> = state.listings.iter().map(|described| described.file.as_str()).collect();
        Problem::new(StatusCode::BAD_REQUEST, "product_unknown", "There is no such listing.")
            .detail(format!("product: `{product}` is none of the listings: {}", known.join(", ")))
            .action("Name a listing by its product code, its product id, its name or its file.")
            .into()
    })
}

/// Returns the stacks that a call is about: that of the stage that it names, or all.
fn stacks<'a>(state: &'a SandboxState, stage: Option<&str>) -> Result<Vec<&'a Arc<Stack>>, Failure> {
    match stage {
        Some(name) => Ok(vec![stack(state, name)?]),
        None => Ok(state.stacks.iter().collect()),
    }
}

/// Returns the stack of a stage.
fn stack<'a>(state: &'a SandboxState, stage: &str) -> Result<&'a Arc<Stack>, Failure> {
    let found = stage.parse().ok().and_then(|stage: Stage| state.stack(stage));
    found.ok_or_else(|| {
        let running: Vec<&str> = state.stacks.iter().map(|stack| stack.stage.as_str()).collect();
        Failure::invalid("stage", format!("there is no stage `{stage}` here, only: {}", running.join(", ")))
    })
}

/// The error of a control call.
#[derive(Debug)]
pub(crate) struct Failure(Box<Problem>);

impl Failure {
    /// Returns the fault in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let document = serde_json::to_value(&*self.0).unwrap_or_default();
        let text =
            |member: &str| document.get(member).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Some(text("detail")).filter(|detail| !detail.is_empty()).unwrap_or_else(|| text("title"))
    }

    /// Returns the error for a member or parameter with an invalid value.
    fn invalid(what: &str, why: impl std::fmt::Display) -> Self {
        Problem::invalid(what, why).into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<ControlError> for Failure {
    fn from(refused: ControlError) -> Self {
        let status = match refused {
            ControlError::AgreementUnknown { .. }
            | ControlError::EntityUnknown { .. }
            | ControlError::ChangeSetUnknown { .. } => StatusCode::NOT_FOUND,
            ControlError::AgreementNotActive { .. }
            | ControlError::AlreadySubscribed { .. }
            | ControlError::NothingToRenew { .. }
            | ControlError::ChangeSetDoesNotWait { .. } => StatusCode::CONFLICT,
            ControlError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            ControlError::ProductUnknown { .. }
            | ControlError::DimensionUnknown { .. }
            | ControlError::DimensionNotEntitled { .. }
            | ControlError::ValueMissing { .. }
            | ControlError::ValueInvalid { .. }
            | ControlError::ServiceUnknown { .. }
            | ControlError::OperationUnknown { .. }
            | ControlError::KindUnknown { .. }
            | ControlError::KindUnfit { .. }
            | ControlError::BehaviorUnknown { .. }
            | ControlError::BehaviorInvalid { .. }
            | ControlError::DimensionNotMetered { .. }
            | ControlError::WiringInvalid { .. }
            | ControlError::FaultMalformed { .. } => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, refused.code(), "The sandbox does not do that.")
            .detail(&refused)
            .action("Change the call as the detail says and send it again.")
            .into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the table did not answer");
        Problem::unavailable().detail("the table did not answer").into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

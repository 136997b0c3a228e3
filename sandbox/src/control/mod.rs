//! The control API: the actions of an operator or a test on everything around Stallkeeper.
//!
//! JSON in and out, whatever content type a body claims to have. Every call settles before it answers, so that no work
//! is pending when the caller gets the answer. A bad call is answered with a problem document that names the fault.

mod behavior;
mod call;
mod catalog;
mod deliveries;
mod deployed;
mod failure;
mod lookup;
mod purchases;
mod reconciliation;
mod review;
mod time;
mod views;
mod web;

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use http::{Method, StatusCode, header};
use lambda::http::Problem;

use crate::state::SandboxState;

pub(crate) use call::agreement_id;
pub(crate) use failure::Failure;
pub(crate) use purchases::{FreshToken, Order, buy, fresh_token};
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

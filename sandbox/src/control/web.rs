//! The web around the stacks: its hosts, and its altered pages.

use axum::Json;
use http::StatusCode;
use lambda::http::extract::NoParameters;
use serde::{Deserialize, Serialize};

use super::call::{Context, JsonBody};
use super::failure::{Answer, Failure};
use crate::web::{Alteration, AlteredPage};

/// The hosts and the altered pages.
#[derive(Debug, Serialize)]
pub(super) struct WebView {
    hosts: Vec<String>,
    altered: Vec<AlteredPage>,
}

/// The days for which the certificates are to be valid; a negative number makes them expired.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    days: i64,
}

pub(super) async fn show(Context(state, _): Context) -> Answer<WebView> {
    Ok(Json(WebView { hosts: state.web.hosts().to_vec(), altered: state.web.altered_pages() }))
}

/// Alters the answers of a page.
pub(super) async fn alter(Context(state, _): Context, JsonBody(wanted): JsonBody<AlteredPage>) -> Answer<WebView> {
    if !state.web.hosts().contains(&wanted.host) {
        return Err(Failure::invalid("host", format!("must be one of {}", state.web.hosts().join(", "))));
    }
    if !wanted.path.starts_with('/') {
        return Err(Failure::invalid("path", "must start with /"));
    }
    if let Alteration::Status(status) = wanted.answer
        && !(200..600).contains(&status)
    {
        return Err(Failure::invalid("answer", "a status is from 200 to 599"));
    }
    state.web.alter(&wanted.host, &wanted.path, wanted.answer);
    show(Context(state, NoParameters {})).await
}

/// Restores every answer.
pub(super) async fn restore(Context(state, _): Context) -> Result<StatusCode, Failure> {
    state.web.restore().map_err(|error| Failure::invalid("certificate", error))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_certificate_validity(
    Context(state, _): Context,
    JsonBody(wanted): JsonBody<Certificate>,
) -> Result<StatusCode, Failure> {
    if !(-3650..=3650).contains(&wanted.days) {
        return Err(Failure::invalid("days", "must be from -3650 to 3650"));
    }
    state.web.set_certificate_validity(wanted.days).map_err(|error| Failure::invalid("days", error))?;
    Ok(StatusCode::NO_CONTENT)
}

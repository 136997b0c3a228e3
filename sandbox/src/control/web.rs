//! The web around the stacks: its hosts, and its spoiled pages.

use axum::Json;
use http::StatusCode;
use lambda::http::extract::NoParameters;
use serde::{Deserialize, Serialize};

use super::{Answer, Failure, Here, Sent};
use crate::web::{Spoil, Spoiled};

/// The hosts and the spoiled pages.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    hosts: Vec<String>,
    spoiled: Vec<Spoiled>,
}

/// The days for which the certificates are to be valid; a negative number makes them expired.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    days: i64,
}

pub(super) async fn show(Here(inside, _): Here) -> Answer<Shown> {
    Ok(Json(Shown { hosts: inside.web.hosts().to_vec(), spoiled: inside.web.all_spoiled() }))
}

/// Spoils the answers of a page.
pub(super) async fn spoil(Here(inside, _): Here, Sent(wanted): Sent<Spoiled>) -> Answer<Shown> {
    if !inside.web.hosts().contains(&wanted.host) {
        return Err(Failure::invalid("host", format!("must be one of {}", inside.web.hosts().join(", "))));
    }
    if !wanted.path.starts_with('/') {
        return Err(Failure::invalid("path", "begins with /"));
    }
    if let Spoil::Status(status) = wanted.answer
        && !(200..600).contains(&status)
    {
        return Err(Failure::invalid("answer", "a status is from 200 to 599"));
    }
    inside.web.spoil(&wanted.host, &wanted.path, wanted.answer);
    show(Here(inside, NoParameters {})).await
}

/// Restores every answer.
pub(super) async fn mend(Here(inside, _): Here) -> Result<StatusCode, Failure> {
    inside.web.mend().map_err(|error| Failure::invalid("certificate", error))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn certify(Here(inside, _): Here, Sent(wanted): Sent<Certificate>) -> Result<StatusCode, Failure> {
    if !(-3650..=3650).contains(&wanted.days) {
        return Err(Failure::invalid("days", "must be from -3650 to 3650"));
    }
    inside.web.certify(wanted.days).map_err(|error| Failure::invalid("days", error))?;
    Ok(StatusCode::NO_CONTENT)
}

//! The web around the stacks: what is there, and what is spoiled.

use axum::Json;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Answer, Failure, Here, Sent};
use crate::web::{Spoil, Spoiled};

/// What there is.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    hosts: Vec<String>,
    spoiled: Vec<Spoiled>,
}

/// For how many days the certificates are to be good; fewer than none lets them be over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    days: i64,
}

pub(super) async fn show(Here(inside, _): Here) -> Answer<Shown> {
    Ok(Json(Shown { hosts: inside.web.hosts().to_vec(), spoiled: inside.web.all_spoiled() }))
}

/// Spoils what a page answers.
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
    show(Here(inside, super::call::NoParameters {})).await
}

/// Everything answers as it would again.
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

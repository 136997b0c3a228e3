//! `GET /register/status`: the state of the license.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use domain::license::StateName;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failed;
use crate::preferences::{Preferences, parameter};
use crate::view::{self, Reload};
use crate::visit::SessionCookie;

/// The status as a document.
#[derive(Serialize)]
struct Status<'a> {
    state: StateName,
    product: &'a str,
}

/// `GET /register/status?reload=`: the state of the license, as a page or as JSON. With `reload=off`, the page does not
/// reload itself.
pub(crate) async fn status(
    State(context): State<Arc<Context>>,
    Preferences { language, prefers_json }: Preferences,
    RawQuery(query): RawQuery,
    session: SessionCookie,
) -> Result<Response, Failed> {
    let visit = context.visit(session).await?;
    let state = visit.license.state_at(context.store.clock().now()).name();
    if prefers_json {
        return Ok(Json(Status { state, product: &visit.listing.name }).into_response());
    }
    let reload = reload(state, parameter(query.as_deref(), "reload").as_deref());
    Ok(view::status(language, &visit.listing, state, reload))
}

/// Reloads only the page of a state that may change by itself within minutes.
fn reload(state: StateName, asked: Option<&str>) -> Reload {
    match (state, asked) {
        (StateName::Pending, Some("off")) => Reload::Off,
        (StateName::Pending, _) => Reload::On,
        (StateName::Failed | StateName::Active | StateName::Ending | StateName::Ended, _) => Reload::NotNeeded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pending_license_is_looked_at_again_and_only_if_wanted() {
        assert_eq!(reload(StateName::Pending, None), Reload::On);
        assert_eq!(reload(StateName::Pending, Some("off")), Reload::Off);
        for state in StateName::ALL.into_iter().filter(|state| *state != StateName::Pending) {
            assert_eq!(reload(state, None), Reload::NotNeeded);
        }
    }

    #[test]
    fn the_document_has_the_state_and_the_product() {
        let document = serde_json::to_value(Status { state: StateName::Pending, product: "Demo" }).unwrap();
        assert_eq!(document, serde_json::json!({"state": "pending", "product": "Demo"}));
    }
}

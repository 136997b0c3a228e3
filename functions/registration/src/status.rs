//! `GET /register/status`: whether the license is active yet.

use http::{StatusCode, header};
use serde::Serialize;
use stallkeeper::http::{Request, Response};
use stallkeeper::license::StateName;

use crate::Registration;
use crate::failure::Failed;
use crate::texts::Language;
use crate::view::{self, Reload};
use stallkeeper::http::negotiate;

/// The status as a document.
#[derive(Serialize)]
struct Status<'a> {
    state: StateName,
    product: &'a str,
}

impl Registration {
    pub(crate) async fn status(&self, request: &Request, language: Language) -> Result<Response, Failed> {
        let visit = self.visit(request).await?;
        let state = visit.license.state_at(self.store.clock().now()).name();
        if negotiate::prefers_json(request.header(header::ACCEPT).unwrap_or_default()) {
            return Ok(Response::json(StatusCode::OK, &Status { state, product: &visit.listing.name }));
        }
        Ok(view::status(language, &visit.listing, state, reload(state, request.parameter("reload"))))
    }
}

/// Only what may change by itself within minutes is looked at again.
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

//! Contacts: the personal data that a buyer entered on the registration page. Each read is a request of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::audit::AuditEntry;
use stallkeeper::http::extract::{Caller, NoParameters, Path, Query};
use stallkeeper::http::{ApiError, Problem};
use stallkeeper::ids::LicenseId;
use stallkeeper::lifecycle;
use stallkeeper::registration::Contact;

use crate::Context;

/// A contact as the API shows it.
#[derive(Serialize)]
pub(crate) struct ContactView {
    email: String,
    name: Option<String>,
    company: Option<String>,
    /// The answers to the other questions of the listing's form, by the keys of the form's fields.
    answers: BTreeMap<String, String>,
    /// The language of the page that the buyer filled in, `en` or `ja`.
    language: String,
    saved_at: Timestamp,
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        let Contact { license: _, session: _, email, name, company, answers, language, saved_at } = contact;
        Self { email, name, company, answers, language, saved_at }
    }
}

/// `GET /v1/licenses/{license}/contact`: all personal data that is stored of the buyer.
pub(crate) async fn show(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<ContactView>, ApiError> {
    let license = context.license(&license).await?;
    let contact = context.store.contact(&license.id).await?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "contact_unknown", "Nothing is kept of the buyer.")
            .detail(format!("{} has no contact: none was left, or it was erased", license.id))
            .action("Ask the buyer, or go without.")
    })?;
    Ok(Json(ContactView::from(contact)))
}

/// `DELETE /v1/licenses/{license}/contact`: erases the contact, also where the license's predecessors and successors have
/// it. Repeating the request changes nothing.
pub(crate) async fn erase(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let store = &context.store;
    let license = context.license(&license).await?;
    let entry = AuditEntry::new(caller.arn(), "contact.erase", &license.id, [], store.clock().now());
    let existed = lifecycle::erase_contact(store, &license, &entry).await?;
    tracing::info!(license = %license.id, existed, audit = %entry.id, "Erased a contact");
    Ok(StatusCode::NO_CONTENT)
}

//! Contacts: the personal data that a buyer entered on the registration page. Each read is a request of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::audit::AuditEntry;
use domain::ids::LicenseId;
use http::StatusCode;
use jiff::Timestamp;
use lambda::http::contract::{
    Failed, Forbidden, LicensePath, LicenseUnknown, ParameterInvalid, TooLarge, TooMany, Unavailable,
};
use lambda::http::extract::{Caller, NoParameters, Path, Query};
use lambda::http::{ApiError, Problem};
use serde::Serialize;

use domain::language::Language;
use domain::registration::Contact;
use utoipa::ToSchema;

use crate::context::Context;
use crate::problem_responses::ContactUnknown;

/// The personal data that a buyer entered on the registration page.
#[derive(Serialize, ToSchema)]
#[schema(as = Contact, example = json!({
    "email": "kim@example.com",
    "name": "Kim",
    "company": null,
    "answers": {},
    "language": "en",
    "saved_at": "2026-11-10T09:20:30Z",
}))]
pub(crate) struct ContactView {
    email: String,
    name: Option<String>,
    company: Option<String>,
    /// The answers to the other questions of the listing's form, by the keys of the form's fields.
    answers: BTreeMap<String, String>,
    /// The language of the page that the buyer filled in.
    #[schema(value_type = Language)]
    language: String,
    saved_at: Timestamp,
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        let Contact { license: _, session: _, email, name, company, answers, language, saved_at } = contact;
        Self { email, name, company, answers, language, saved_at }
    }
}

/// Shows all personal data that is stored of the buyer.
#[utoipa::path(
    get,
    path = "/v1/licenses/{license}/contact",
    operation_id = "showContact",
    tag = "buyers",
    params(LicensePath),
    responses(
        (status = 200, description = "The contact that the buyer entered on the registration page.", body = ContactView),
        ParameterInvalid, Forbidden, ContactUnknown, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn show(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<ContactView>, ApiError> {
    let license = context.license(&license).await?;
    let contact = context.store.contact(&license.id).await?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "contact_unknown", "The license has no contact.")
            .detail(format!("no contact of {} was entered, or it was erased", license.id))
            .action("Ask the buyer for the contact, or continue without it.")
    })?;
    Ok(Json(ContactView::from(contact)))
}

/// Erases the personal data that is stored of the buyer.
///
/// The contacts of the license's predecessors and successors are erased too. Repeating the request changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/licenses/{license}/contact",
    operation_id = "eraseContact",
    tag = "buyers",
    params(LicensePath),
    responses(
        (status = 204, description = "No personal data is stored any more."),
        ParameterInvalid, Forbidden, LicenseUnknown, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
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

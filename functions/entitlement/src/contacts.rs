//! Contacts: what a buyer left on the registration page. Personal data, so each reading of it is a call of its own.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::audit::AuditEntry;
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::lifecycle;
use stallkeeper::registration::Contact;
use stallkeeper::store::Store;

use crate::licenses::known;

/// A contact as the API shows it.
#[derive(Serialize)]
pub(crate) struct ContactView {
    email: String,
    name: Option<String>,
    company: Option<String>,
    /// What else the listing's form asked, by the fields' keys.
    answers: BTreeMap<String, String>,
    /// The language of the page that it was left on, `en` or `ja`.
    language: String,
    saved_at: Timestamp,
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        let Contact { license: _, session: _, email, name, company, answers, language, saved_at } = contact;
        Self { email, name, company, answers, language, saved_at }
    }
}

/// `GET /v1/licenses/{license}/contact`: all that is kept of the buyer as a person.
pub(crate) async fn show(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let license = known(store, license).await?;
    let contact = store.contact(&license.id).await?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "contact_unknown", "Nothing is kept of the buyer.")
            .detail(format!("{} has no contact: none was left, or it was erased", license.id))
            .action("Ask the buyer, or go without.")
    })?;
    Ok(Response::json(StatusCode::OK, &ContactView::from(contact)))
}

/// `DELETE /v1/licenses/{license}/contact`: erases it, with what the licenses before and after this one have of it. Done
/// again it changes nothing.
pub(crate) async fn erase(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let license = known(store, license).await?;
    let entry = AuditEntry::new(request.caller.as_deref(), "contact.erase", &license.id, [], store.clock().now());
    let was_there = lifecycle::erase_contact(store, &license, &entry).await?;
    tracing::info!(license = %license.id, was_there, audit = %entry.id, "a contact is erased");
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

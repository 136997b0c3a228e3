//! `POST /register/details`: the buyer enters a contact and continues in the application.
//!
//! The checks, in order: the form comes from our own page, it can be read, there is a session, it is the form of this
//! session about this license, the entered values are valid. Nothing is written before all of them pass.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use domain::license::License;
use domain::notification::OutboundEventKind;
use domain::registration::{Contact, EntryPoint, HANDOFF_LIFETIME, Handoff, Secret, SecretHash};
use jiff::Timestamp;
use lambda::http::extract::ReceivedAt;
use store::{Also, Change};

use crate::contact_form::{ANSWER, Field, FormValues};
use crate::context::Context;
use crate::failure::{CODE, Failed, Failure};
use crate::form::FormFields;
use crate::preferences::Preferences;
use crate::same_origin::SameOrigin;
use crate::view;
use crate::visit::{SessionCookie, Visit};

/// The code of a form that has errors. It is not a [`Failure`]: the answer is the form itself.
const DETAILS_INVALID: &str = "details_invalid";

/// `POST /register/details`: saves the contact and redirects the buyer to the application.
pub(crate) async fn details(
    State(context): State<Arc<Context>>,
    _: SameOrigin,
    Preferences { language, .. }: Preferences,
    session: SessionCookie,
    ReceivedAt(received_at): ReceivedAt,
    FormFields(fields): FormFields,
) -> Result<Response, Failed> {
    let form = PostedForm::read(&fields)?;
    let visit = context.visit(session).await?;
    if form.token != visit.form_token {
        return Err(Failed::of(&visit.listing, Failure::FormStale));
    }
    let contact = if visit.license.tenant.is_some() {
        None
    } else {
        let errors = form.entered.errors(&visit.listing, language);
        if !errors.is_empty() {
            let (license, code) = (&visit.license.id, DETAILS_INVALID);
            tracing::info!(%license, code, fields = errors.len(), "Returned a form with errors to the buyer");
            let page = view::register(language, visit.form(), &form.entered, &errors);
            return Ok(([(CODE, DETAILS_INVALID)], page).into_response());
        }
        let now = context.store.clock().now();
        let contact = form.entered.contact(&visit.license.id, &visit.listing, language, now);
        Some(Contact { session: Some(visit.session.clone()), ..contact })
    };
    context.redirect_to_application(&visit, contact.as_ref(), form.entry_point, received_at).await
}

impl Context {
    /// Writes the contact and a handoff, and redirects the buyer to the application with the code of the handoff.
    async fn redirect_to_application(
        &self,
        visit: &Visit,
        contact: Option<&Contact>,
        asked: EntryPoint,
        received_at: Timestamp,
    ) -> Result<Response, Failed> {
        let of_listing = |error| Failed::of(&visit.listing, error);
        let id = &visit.license.id;
        let code = Secret::random().map_err(|error| Failed::of(&visit.listing, error))?;
        let expires_at = self.store.clock().seconds().saturating_add(HANDOFF_LIFETIME.as_secs());
        let mut version = visit.license.version;
        let written = loop {
            let known = self.store.contact(id).await.map_err(of_listing)?;
            let mut newer = None;
            let written = self.store.change_license(id, |license| {
                let license = license?;
                if license.version != version {
                    // The contact was read with another version of the license: a second click may have saved the same.
                    newer = Some(license.version);
                    return None;
                }
                let (mut license, session) = (license, visit.session.clone());
                if license.tenant.is_none() {
                    license.entry_point = Some(asked);
                }
                let entry_point = entry_point(&license, asked);
                let handoff = Handoff { license: license.id.clone(), session, entry_point, expires_at, redeemed: None };
                let handoff = Also::Handoff(code.hash(), handoff);
                Some(complete(license, contact, known.as_ref(), &visit.session, handoff))
            });
            let written = written.await.map_err(of_listing)?;
            match newer {
                Some(newer) => version = newer,
                None => break written,
            }
        };
        let license = written.ok_or_else(|| Failed::of(&visit.listing, Failure::SessionMissing))?;
        let hash = code.hash();
        self.store.use_handoff(&visit.session, &hash, received_at).await.map_err(of_listing)?;
        let entry_point = entry_point(&license, asked);
        let (license, product) = (&license.id, &license.product);
        tracing::info!(%license, %product, ?entry_point, counter = "registered", "Redirected a buyer to the application");
        Ok(Redirect::to(visit.listing.urls.entry_url(entry_point, &code).as_str()).into_response())
    }
}

/// Returns the page of the application that the buyer is redirected to: the one that they asked for, but for a license
/// that belongs to a tenant always the one to sign in.
fn entry_point(license: &License, asked: EntryPoint) -> EntryPoint {
    if license.tenant.is_some() { EntryPoint::SignIn } else { asked }
}

/// Decides what is written when the form is complete, by the current version of the license. If the license was linked
/// since the form was read, the contact stays as it is. A contact with the saved values is written as that of this visit,
/// without an event, so that a form sent twice sends one mail. A visit to a license that belongs to a tenant publishes one
/// event, unless the license was registered in this visit.
fn complete(
    mut license: License,
    contact: Option<&Contact>,
    known: Option<&Contact>,
    session: &SecretHash,
    handoff: Also,
) -> Change {
    let contact = contact.filter(|_| license.tenant.is_none());
    let mut events = Vec::new();
    if contact.is_some_and(|contact| !known.is_some_and(|known| is_same_contact(known, contact))) {
        events.push(OutboundEventKind::RegistrationCompleted);
    }
    let registered_it = known.is_some_and(|known| known.session.as_ref() == Some(session));
    if license.tenant.is_some() && !registered_it && license.returned.as_ref() != Some(session) {
        license.returned = Some(session.clone());
        events.push(OutboundEventKind::RegistrationReturned);
    }
    let also = contact.into_iter().cloned().map(Also::Contact).chain([handoff]).collect();
    Change { license, events, also }
}

fn is_same_contact(one: &Contact, other: &Contact) -> bool {
    let Contact { license, session: _, email, name, company, answers, language, saved_at: _ } = one;
    (license, email, name, company, answers, language)
        == (&other.license, &other.email, &other.name, &other.company, &other.answers, &other.language)
}

/// The form as it was posted.
struct PostedForm {
    token: String,
    entry_point: EntryPoint,
    entered: FormValues,
}

impl PostedForm {
    fn read(form: &[(String, String)]) -> Result<Self, Failure> {
        let value = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        let entered = |field: Field| value(field.name()).unwrap_or_default().to_owned();
        Ok(Self {
            token: value("form_token").unwrap_or_default().to_owned(),
            entry_point: match value("account") {
                Some("existing") => EntryPoint::SignIn,
                // The first button is the one that Enter presses, and not every browser then says so.
                Some("new") | None => EntryPoint::SignUp,
                Some(_) => return Err(Failure::FieldUnreadable("account")),
            },
            entered: FormValues {
                email: entered(Field::Email),
                name: entered(Field::Name),
                company: entered(Field::Company),
                answers: form
                    .iter()
                    .filter_map(|(name, value)| Some((name.strip_prefix(ANSWER)?.to_owned(), value.trim().to_owned())))
                    .collect(),
            },
        })
    }
}

#[cfg(test)]
#[path = "details_tests.rs"]
mod tests;

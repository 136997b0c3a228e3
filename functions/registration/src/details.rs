//! `POST /register/details`: the buyer enters a contact and continues in the application.
//!
//! The checks, in order: the form comes from our own page, it can be read, there is a session, it is the form of this
//! session about this license, the entered values are valid. Nothing is written before all of them pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::LicenseId;
use domain::license::License;
use domain::listing::{ExtraField, FieldKind, InvalidAnswer, Listing, is_mail_address};
use domain::notification::OutboundEventKind;
use domain::registration::{Contact, EntryPoint, HANDOFF_LIFETIME, Handoff, MAX_NAME_CHARS, Secret, SecretHash};
use jiff::Timestamp;
use lambda::http::extract::ReceivedAt;
use store::{Also, Change};

use crate::failure::{CODE, Failed, Failure};
use crate::form::FormFields;
use crate::preferences::Preferences;
use crate::same_origin::SameOrigin;
use crate::texts::{MessageId, texts};
use crate::visit::{SessionCookie, Visit};
use crate::{Context, view};
use domain::language::Language;

/// The prefix of the names of a listing's own fields, which keeps them apart from the page's.
const ANSWER: &str = "answer-";

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

/// The values that the buyer entered. It has no `Debug`: it is personal.
#[derive(Default)]
pub(crate) struct FormValues {
    email: String,
    name: String,
    company: String,
    /// The answers to the listing's own fields, by their keys. Those to fields that it does not have are ignored.
    answers: BTreeMap<String, String>,
}

impl FormValues {
    pub(crate) fn value(&self, field: &Field) -> &str {
        match field {
            Field::Email => &self.email,
            Field::Name => &self.name,
            Field::Company => &self.company,
        }
    }

    pub(crate) fn answer(&self, field: &ExtraField) -> &str {
        self.answers.get(&field.key).map_or("", String::as_str)
    }

    /// Returns the errors, in the order of the form, at most one per field.
    fn errors(&self, listing: &Listing, language: Language) -> Vec<FieldError> {
        let of_listing = listing.page.fields.iter().filter_map(|field| {
            let wrong = field.judge(self.answer(field)).err()?;
            Some(FieldError { id: answer_id(field), message: answer_error(field, wrong, language) })
        });
        let own = self.own_errors().into_iter().map(|(field, message)| FieldError {
            id: field.name().to_owned(),
            message: texts(language).say(message.0),
        });
        own.chain(of_listing).collect()
    }

    fn own_errors(&self) -> Vec<(Field, MessageId)> {
        let email = match self.email.as_str() {
            "" => Some(MessageId("error-email-missing")),
            email if !is_mail_address(email) => Some(MessageId("error-email-invalid")),
            _ => None,
        };
        let name = name_error(&self.name, MessageId("error-name-long"), MessageId("error-name-characters"));
        let company = name_error(&self.company, MessageId("error-company-long"), MessageId("error-company-characters"));
        [(Field::Email, email), (Field::Name, name), (Field::Company, company)]
            .into_iter()
            .filter_map(|(field, message)| Some((field, message?)))
            .collect()
    }

    fn contact(&self, license: &LicenseId, listing: &Listing, language: Language, now: Timestamp) -> Contact {
        let unless_blank = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let asked = listing.page.fields.iter();
        Contact {
            license: license.clone(),
            session: None,
            email: self.email.clone(),
            name: unless_blank(&self.name),
            company: unless_blank(&self.company),
            answers: asked.filter_map(|field| Some((field.key.clone(), unless_blank(self.answer(field))?))).collect(),
            language: language.tag().to_owned(),
            saved_at: now,
        }
    }
}

fn name_error(text: &str, too_long: MessageId, control_characters: MessageId) -> Option<MessageId> {
    if text.chars().any(char::is_control) {
        Some(control_characters)
    } else {
        (text.chars().count() > MAX_NAME_CHARS).then_some(too_long)
    }
}

/// The name of a listing's own field in the form and its id on the page.
pub(crate) fn answer_id(field: &ExtraField) -> String {
    format!("{ANSWER}{}", field.key)
}

fn answer_error(field: &ExtraField, wrong: InvalidAnswer, language: Language) -> String {
    let label = field.label.text(language);
    let id = match wrong {
        InvalidAnswer::Missing if field.kind == FieldKind::Consent => MessageId("error-answer-consent"),
        InvalidAnswer::Missing if field.kind == FieldKind::Choice => MessageId("error-answer-choice"),
        InvalidAnswer::Missing => MessageId("error-answer-missing"),
        InvalidAnswer::TooLong(_) => MessageId("error-answer-long"),
        InvalidAnswer::Characters => MessageId("error-answer-characters"),
        InvalidAnswer::NoChoice => MessageId("error-answer-choice"),
    };
    texts(language).say_with(id.0, [("field", label), ("max_length", &field.max_length().to_string())])
}

/// The error of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// The field's id on the page.
    pub(crate) id: String,
    pub(crate) message: String,
}

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Email,
    Name,
    Company,
}

impl Field {
    /// All fields, in the order of the form.
    pub(crate) const ALL: [Self; 3] = [Self::Email, Self::Name, Self::Company];

    /// Returns the name in the form, which is the id on the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Name => "name",
            Self::Company => "company",
        }
    }

    pub(crate) fn label(self) -> MessageId {
        match self {
            Self::Email => MessageId("register-email"),
            Self::Name => MessageId("register-name"),
            Self::Company => MessageId("register-company"),
        }
    }

    pub(crate) fn is_required(self) -> bool {
        self == Self::Email
    }

    pub(crate) fn input_type(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Name | Self::Company => "text",
        }
    }

    /// The purpose as browsers know it (WCAG 2.2, success criterion 1.3.5).
    pub(crate) fn autocomplete(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Name => "name",
            Self::Company => "organization",
        }
    }

    pub(crate) fn max_length(self) -> usize {
        match self {
            Self::Email => 254,
            Self::Name | Self::Company => MAX_NAME_CHARS,
        }
    }
}

#[cfg(test)]
pub(crate) fn form_values_for_tests(email: &str, name: &str, company: &str, answers: &[(&str, &str)]) -> FormValues {
    let [email, name, company] = [email, name, company].map(str::to_owned);
    let answers = answers.iter().map(|(key, answer)| ((*key).to_owned(), (*answer).to_owned())).collect();
    FormValues { email, name, company, answers }
}

#[cfg(test)]
#[path = "details_tests.rs"]
mod tests;

//! `POST /register/details`: the buyer leaves a contact and goes on into the application.
//!
//! What is asked, in order: does the form come from our own page, can it be read, is there a session, is it this
//! session's form about this license, is what was entered right. Only then is anything written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stallkeeper::http::{Request, Response};
use stallkeeper::ids::LicenseId;
use stallkeeper::license::License;
use stallkeeper::listing::{ExtraField, FieldKind, Listing, Words, WrongAnswer, is_mail_address};
use stallkeeper::notification::Told;
use stallkeeper::registration::{Contact, Door, HANDOFF_LIFE, Handoff, LONGEST_NAME, Secret, SecretHash};
use stallkeeper::store::{Also, Change};

use crate::Registration;
use crate::failure::{CODE, Failed, Failure};
use crate::same_origin;
use crate::texts::{Language, MessageId, texts};
use crate::view;

/// What the names of a listing's own fields begin with, so that they are no other's.
const ANSWER: &str = "answer-";

/// The code of a form that has to be corrected. It is no [`Failure`]: its page is the form itself.
const DETAILS_INVALID: &str = "details_invalid";

impl Registration {
    pub(crate) async fn details(&self, request: &Request, language: Language) -> Result<Response, Failed> {
        if !same_origin::is_own_form(request) {
            return Err(Failure::CrossSite.into());
        }
        let form = Posted::read(&request.form().map_err(Failure::from)?)?;
        let visit = self.visit(request).await?;
        let of_listing = |error| Failed::of(&visit.listing, error);
        if form.token != visit.form_token {
            return Err(Failed::of(&visit.listing, Failure::FormStale));
        }
        let contact = if visit.license.tenant.is_some() {
            None
        } else {
            let errors = form.entered.errors(&visit.listing, language);
            if !errors.is_empty() {
                tracing::info!(license = %visit.license.id, code = DETAILS_INVALID, fields = errors.len(), "a buyer must correct");
                let page = view::register(language, visit.form(), &form.entered, &errors);
                return Ok(page.header(CODE, DETAILS_INVALID));
            }
            let mut contact =
                form.entered.contact(&visit.license.id, &visit.listing, language, self.store.clock().now());
            contact.session = Some(visit.session.clone());
            Some(contact)
        };
        let id = &visit.license.id;
        let code = Secret::random().map_err(|error| Failed::of(&visit.listing, error))?;
        let expires_at = self.store.clock().seconds().saturating_add(HANDOFF_LIFE.as_secs());
        let mut version = visit.license.version;
        let written = loop {
            let known = self.store.contact(id).await.map_err(of_listing)?;
            let mut newer = None;
            let written = self.store.change_license(id, |license| {
                let license = license?;
                if license.version != version {
                    // The contact was read with another row: a second click may have saved the same meanwhile.
                    newer = Some(license.version);
                    return None;
                }
                let (mut license, session) = (license, visit.session.clone());
                if license.tenant.is_none() {
                    license.door = Some(form.door);
                }
                let door = door(&license, form.door);
                let handoff = Handoff { license: license.id.clone(), session, door, expires_at, redeemed: None };
                let handoff = Also::Handoff(code.hash(), handoff);
                Some(complete(license, contact.as_ref(), known.as_ref(), &visit.session, handoff))
            });
            let written = written.await.map_err(of_listing)?;
            match newer {
                Some(newer) => version = newer,
                None => break written,
            }
        };
        let license = written.ok_or_else(|| Failed::of(&visit.listing, Failure::SessionMissing))?;
        let hash = code.hash();
        self.store.use_handoff(&visit.session, &hash, request.arrived_at).await.map_err(of_listing)?;
        let door = door(&license, form.door);
        tracing::info!(license = %license.id, product = %license.product, ?door, counter = "registered", "a buyer goes on");
        Ok(Response::see_other(visit.listing.urls.way_in(door, &code).as_str()))
    }
}

/// Which door the buyer goes through: the one that they asked for, but a license that belongs to a tenant opens none
/// but to those who can sign in.
fn door(license: &License, asked: Door) -> Door {
    if license.tenant.is_some() { Door::SignIn } else { asked }
}

/// What is written as the buyer goes on, by the row as it is in that moment: were the license linked since the form was
/// read, the contact is left alone. One that says what was saved before is written, as this visit's, and not told again,
/// so that a form sent twice brings one mail. A visit to a license that belongs to a tenant is told once, unless it is
/// the one that the license was registered in.
fn complete(
    mut license: License,
    contact: Option<&Contact>,
    known: Option<&Contact>,
    session: &SecretHash,
    handoff: Also,
) -> Change {
    let contact = contact.filter(|_| license.tenant.is_none());
    let mut told = Vec::new();
    if contact.is_some_and(|contact| !known.is_some_and(|known| says_the_same(known, contact))) {
        told.push(Told::RegistrationCompleted);
    }
    let registered_it = known.is_some_and(|known| known.session.as_ref() == Some(session));
    if license.tenant.is_some() && !registered_it && license.returned.as_ref() != Some(session) {
        license.returned = Some(session.clone());
        told.push(Told::RegistrationReturned);
    }
    let also = contact.into_iter().cloned().map(Also::Contact).chain([handoff]).collect();
    Change { license, told, also }
}

fn says_the_same(one: &Contact, other: &Contact) -> bool {
    let Contact { license, session: _, email, name, company, answers, language, saved_at: _ } = one;
    (license, email, name, company, answers, language)
        == (&other.license, &other.email, &other.name, &other.company, &other.answers, &other.language)
}

/// The form as it was posted.
struct Posted {
    token: String,
    door: Door,
    entered: Entered,
}

impl Posted {
    fn read(form: &[(String, String)]) -> Result<Self, Failure> {
        let value = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        let entered = |field: Field| value(field.name()).unwrap_or_default().to_owned();
        Ok(Self {
            token: value("form_token").unwrap_or_default().to_owned(),
            door: match value("account") {
                Some("existing") => Door::SignIn,
                // The first button is the one that Enter presses, and not every browser then says so.
                Some("new") | None => Door::SignUp,
                Some(_) => return Err(Failure::FieldUnreadable("account")),
            },
            entered: Entered {
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

/// What the buyer typed. It has no `Debug`: it is personal.
#[derive(Default)]
pub(crate) struct Entered {
    email: String,
    name: String,
    company: String,
    /// What was answered to the listing's own fields, by their keys; what it does not ask is passed over.
    answers: BTreeMap<String, String>,
}

impl Entered {
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

    /// What is wrong with it, in the order of the form; at most one error a field.
    fn errors(&self, listing: &Listing, language: Language) -> Vec<FieldError> {
        let of_listing = listing.page.fields.iter().filter_map(|field| {
            let wrong = field.judge(self.answer(field)).err()?;
            Some(FieldError { id: answer_id(field), message: wrong_answer(field, wrong, language) })
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
        let name = wrong_text(&self.name, MessageId("error-name-long"), MessageId("error-name-characters"));
        let company = wrong_text(&self.company, MessageId("error-company-long"), MessageId("error-company-characters"));
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

fn wrong_text(text: &str, too_long: MessageId, control_characters: MessageId) -> Option<MessageId> {
    if text.chars().any(char::is_control) {
        Some(control_characters)
    } else {
        (text.chars().count() > LONGEST_NAME).then_some(too_long)
    }
}

/// The name of a listing's own field in the form and its id on the page.
pub(crate) fn answer_id(field: &ExtraField) -> String {
    format!("{ANSWER}{}", field.key)
}

/// A listing's words in a language.
pub(crate) fn words(words: &Words, language: Language) -> &str {
    match language {
        Language::English => &words.en,
        Language::Japanese => &words.ja,
    }
}

fn wrong_answer(field: &ExtraField, wrong: WrongAnswer, language: Language) -> String {
    let label = words(&field.label, language);
    let id = match wrong {
        WrongAnswer::Missing if field.kind == FieldKind::Consent => MessageId("error-answer-consent"),
        WrongAnswer::Missing if field.kind == FieldKind::Choice => MessageId("error-answer-choice"),
        WrongAnswer::Missing => MessageId("error-answer-missing"),
        WrongAnswer::TooLong(_) => MessageId("error-answer-long"),
        WrongAnswer::Characters => MessageId("error-answer-characters"),
        WrongAnswer::NoChoice => MessageId("error-answer-choice"),
    };
    texts(language).say_with(id.0, [("field", label), ("longest", &field.longest().to_string())])
}

/// What is wrong with one field.
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
    /// In the order of the form.
    pub(crate) const ALL: [Self; 3] = [Self::Email, Self::Name, Self::Company];

    /// Its name in the form and its id on the page.
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

    pub(crate) fn longest(self) -> usize {
        match self {
            Self::Email => 254,
            Self::Name | Self::Company => LONGEST_NAME,
        }
    }
}

#[cfg(test)]
pub(crate) fn entered_for_tests(email: &str, name: &str, company: &str, answers: &[(&str, &str)]) -> Entered {
    let [email, name, company] = [email, name, company].map(str::to_owned);
    let answers = answers.iter().map(|(key, answer)| ((*key).to_owned(), (*answer).to_owned())).collect();
    Entered { email, name, company, answers }
}

#[cfg(test)]
#[path = "details_tests.rs"]
mod tests;

//! `POST /register/details`: the buyer leaves a contact and goes on into the application.
//!
//! What is asked, in order: does the form come from our own page, can it be read, is there a session, is it this
//! session's form about this license, is what was entered right. Only then is anything written.

use jiff::Timestamp;
use stallkeeper::http::{Request, Response};
use stallkeeper::ids::LicenseId;
use stallkeeper::license::License;
use stallkeeper::listing::{Listing, is_mail_address};
use stallkeeper::notification::Told;
use stallkeeper::registration::{Contact, Door, HANDOFF_LIFE, Handoff, Secret};
use stallkeeper::store::{Also, Change};
use url::Url;

use crate::Registration;
use crate::failure::{CODE, Failed, Failure};
use crate::same_origin;
use crate::texts::{Language, MessageId};
use crate::view;

/// The longest name of a person or company, in characters.
const LONGEST_NAME: usize = 200;

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
            let errors = form.entered.errors();
            if !errors.is_empty() {
                tracing::info!(license = %visit.license.id, code = DETAILS_INVALID, fields = errors.len(), "a buyer must correct");
                let page = view::register(language, visit.form(), &form.entered, &errors);
                return Ok(page.header(CODE, DETAILS_INVALID));
            }
            Some(form.entered.contact(&visit.license.id, language, self.store.clock().now()))
        };
        let id = &visit.license.id;
        let known = self.store.contact(id).await.map_err(of_listing)?;
        let code = Secret::random().map_err(|error| Failed::of(&visit.listing, error))?;
        let expires_at = self.store.clock().seconds().saturating_add(HANDOFF_LIFE.as_secs());
        let written = self.store.change_license(id, |license| {
            let license = license?;
            let door = door(&license, form.door);
            let session = visit.session.clone();
            let handoff = Handoff { license: license.id.clone(), session, door, expires_at, redeemed: None };
            let handoff = Also::Handoff(code.hash(), handoff);
            Some(complete(license, contact.as_ref(), known.as_ref(), handoff))
        });
        let written = written.await.map_err(of_listing)?;
        let license = written.ok_or_else(|| Failed::of(&visit.listing, Failure::SessionMissing))?;
        let hash = code.hash();
        self.store.use_handoff(&visit.session, &hash, request.arrived_at).await.map_err(of_listing)?;
        let door = door(&license, form.door);
        tracing::info!(license = %license.id, product = %license.product, ?door, counter = "registered", "a buyer goes on");
        Ok(Response::see_other(way_in(&visit.listing, door, &code).as_str()))
    }
}

/// Which door the buyer goes through: the one that they asked for, but a license that belongs to a tenant opens none
/// but to those who can sign in.
fn door(license: &License, asked: Door) -> Door {
    if license.tenant.is_some() { Door::SignIn } else { asked }
}

/// What is written as the buyer goes on, by the row as it is in that moment: were the license linked since the form was
/// read, the contact is left alone. A contact that was saved before just so is not told again, so that a form sent
/// twice brings one mail.
fn complete(license: License, contact: Option<&Contact>, known: Option<&Contact>, handoff: Also) -> Change {
    let contact = contact.filter(|_| license.tenant.is_none());
    let news = contact.filter(|contact| !known.is_some_and(|known| says_the_same(known, contact)));
    let told = news.iter().map(|_| Told::RegistrationCompleted).collect();
    let also = news.into_iter().cloned().map(Also::Contact).chain([handoff]).collect();
    Change { license, told, also }
}

fn says_the_same(one: &Contact, other: &Contact) -> bool {
    let Contact { license, email, name, company, language, saved_at: _ } = one;
    (license, email, name, company, language)
        == (&other.license, &other.email, &other.name, &other.company, &other.language)
}

/// The application's door, with the code.
fn way_in(listing: &Listing, door: Door, code: &Secret) -> Url {
    let mut url = match door {
        Door::SignUp => listing.urls.sign_up.clone(),
        Door::SignIn => listing.urls.sign_in.clone(),
    };
    url.query_pairs_mut().append_pair("code", code.reveal());
    url
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
}

impl Entered {
    pub(crate) fn value(&self, field: &Field) -> &str {
        match field {
            Field::Email => &self.email,
            Field::Name => &self.name,
            Field::Company => &self.company,
        }
    }

    /// What is wrong with it, in the order of the form; at most one error a field.
    fn errors(&self) -> Vec<FieldError> {
        let email = match self.email.as_str() {
            "" => Some(MessageId("error-email-missing")),
            email if !is_mail_address(email) => Some(MessageId("error-email-invalid")),
            _ => None,
        };
        let name = wrong_text(&self.name, MessageId("error-name-long"), MessageId("error-name-characters"));
        let company = wrong_text(&self.company, MessageId("error-company-long"), MessageId("error-company-characters"));
        [(Field::Email, email), (Field::Name, name), (Field::Company, company)]
            .into_iter()
            .filter_map(|(field, message)| message.map(|message| FieldError { field, message }))
            .collect()
    }

    fn contact(&self, license: &LicenseId, language: Language, now: Timestamp) -> Contact {
        let unless_blank = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Contact {
            license: license.clone(),
            email: self.email.clone(),
            name: unless_blank(&self.name),
            company: unless_blank(&self.company),
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

/// What is wrong with one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: Field,
    pub(crate) message: MessageId,
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
pub(crate) fn entered_for_tests(email: &str, name: &str, company: &str) -> Entered {
    Entered { email: email.to_owned(), name: name.to_owned(), company: company.to_owned() }
}

#[cfg(test)]
#[path = "details_tests.rs"]
mod tests;

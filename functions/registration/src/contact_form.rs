//! The contact form of the registration page: its fields, the values that a buyer entered, and their errors.

use std::collections::BTreeMap;

use domain::ids::LicenseId;
use domain::language::Language;
use domain::listing::{ExtraField, FieldKind, InvalidAnswer, Listing, is_mail_address};
use domain::registration::{Contact, MAX_NAME_CHARS};
use jiff::Timestamp;

use crate::texts::{MessageId, texts};

/// The prefix of the names of a listing's own fields, which keeps them apart from the page's.
pub(crate) const ANSWER: &str = "answer-";

/// The values that the buyer entered. It has no `Debug`: it is personal.
#[derive(Default)]
pub(crate) struct FormValues {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) company: String,
    /// The answers to the listing's own fields, by their keys. Those to fields that it does not have are ignored.
    pub(crate) answers: BTreeMap<String, String>,
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
    pub(crate) fn errors(&self, listing: &Listing, language: Language) -> Vec<FieldError> {
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

    pub(crate) fn contact(
        &self,
        license: &LicenseId,
        listing: &Listing,
        language: Language,
        now: Timestamp,
    ) -> Contact {
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
#[path = "contact_form_tests.rs"]
mod tests;

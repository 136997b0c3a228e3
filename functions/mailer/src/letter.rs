//! The content of the mails: by occasion and language, as plain text and as HTML.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::language::Language;
use domain::license::EndReason;
use domain::listing::{Listing, SUBSCRIPTIONS_PAGE};
use domain::notification::OutboundEventKind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use texts::{Catalog, Texts};

/// The most bytes of a name in one encoded word, which may have 75 characters (RFC 2047, section 2).
const MAX_ENCODED_BYTES: usize = 45;

/// The reason for which a buyer gets mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The buyer has registered.
    Completed,
    /// A user came with the token of the buyer's license.
    Returned,
    /// The buyer's license has ended.
    Ended(EndReason),
}

impl Occasion {
    /// Returns the occasion of an event; `None` if buyers get no mail about it.
    pub(crate) fn of(kind: &OutboundEventKind) -> Option<Self> {
        match kind {
            OutboundEventKind::RegistrationCompleted => Some(Self::Completed),
            OutboundEventKind::RegistrationReturned => Some(Self::Returned),
            // For the buyer the subscription continues, under the license that took over.
            OutboundEventKind::LicenseEnded { reason: EndReason::Succeeded, .. } => None,
            OutboundEventKind::LicenseEnded { reason, .. } => Some(Self::Ended(*reason)),
            OutboundEventKind::LicenseFailed
            | OutboundEventKind::LicenseActivated
            | OutboundEventKind::LicenseEnding { .. }
            | OutboundEventKind::LicenseLinked { .. }
            | OutboundEventKind::LicenseUnlinked { .. }
            | OutboundEventKind::EntitlementsChanged { .. }
            | OutboundEventKind::AdvisoryIssued { .. }
            | OutboundEventKind::AdvisoryResolved { .. } => None,
        }
    }
}

/// A mail.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The content of both forms of a mail.
struct Content {
    language: Language,
    title: String,
    paragraphs: Vec<String>,
    steps: Vec<String>,
    /// The text of a link, and its URL.
    link: (String, String),
    support: String,
    support_email: String,
    support_page: Option<String>,
    why: String,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    content: &'a Content,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    content: &'a Content,
}

impl Letter {
    /// Writes the mail about an occasion, with its time.
    ///
    /// # Errors
    ///
    /// Fails when a template fails, which none does.
    pub(crate) fn write(
        occasion: Occasion,
        listing: &Listing,
        language: Language,
        at: Timestamp,
    ) -> Result<Self, askama::Error> {
        let content = Content::new(occasion, listing, texts(language), at);
        let (text, html) = (Text { content: &content }.render()?, Html { content: &content }.render()?);
        Ok(Self { subject: content.title, text, html })
    }
}

impl Content {
    fn new(occasion: Occasion, listing: &Listing, texts: &Texts, at: Timestamp) -> Self {
        let at = TimeZone::UTC.to_datetime(at).strftime("%Y-%m-%d %H:%M UTC").to_string();
        let say = |id: &str| texts.say_with(id, [("product", &listing.name), ("at", &at)]);
        let all = |ids: &[&str]| ids.iter().map(|id| say(id)).collect::<Vec<_>>();
        let sign_in = listing.urls.sign_in.to_string();
        let (title, paragraphs, steps, link) = match occasion {
            Occasion::Completed => (
                say("completed"),
                all(&["completed.lead"]),
                all(&["completed.step-continue", "completed.step-again", "completed.step-later"]),
                (say("completed.link"), sign_in),
            ),
            Occasion::Returned => (
                say("returned"),
                all(&["returned.lead", "returned.unchanged"]),
                all(&["returned.step-you", "returned.step-stranger"]),
                (say("returned.link"), sign_in),
            ),
            Occasion::Ended(reason) => (
                say("ended"),
                all(&[why_ended(reason), "ended.access", "ended.charges"]),
                all(&["ended.step-again", "ended.step-data"]),
                (say("ended.link"), SUBSCRIPTIONS_PAGE.to_owned()),
            ),
        };
        Self {
            language: texts.language,
            title,
            paragraphs,
            steps,
            link,
            support: say("support"),
            support_email: listing.support.email.clone(),
            support_page: listing.support.url.as_ref().map(ToString::to_string),
            why: say("why"),
        }
    }
}

fn why_ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Expired => "ended.expired",
        EndReason::Cancelled | EndReason::Unsubscribed => "ended.cancelled",
        EndReason::Terminated => "ended.terminated",
        EndReason::AgreementEnded | EndReason::Deprovisioned | EndReason::Succeeded => "ended.over",
    }
}

fn texts(language: Language) -> &'static Texts {
    static CATALOG: Catalog = Catalog::new(domain::fluent_files!("../i18n"));
    CATALOG.texts(language)
}

/// Returns an address with a name before it, as SES accepts it: in ASCII only (SES API v2 reference, SendEmail,
/// `FromEmailAddress`).
pub(crate) fn mailbox(name: &str, address: &str) -> String {
    let mut words = vec![String::new()];
    for character in name.chars() {
        match words.last_mut() {
            Some(word) if word.len() + character.len_utf8() <= MAX_ENCODED_BYTES => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    format!("{} <{address}>", words.join(" "))
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;

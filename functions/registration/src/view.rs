//! The pages: what the templates are given, and the headers that go with them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::language::{Language, LocalizedText};
use domain::license::StateName;
use domain::listing::{Colour, FieldKind, Listing};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use texts::Texts;
use url::Url;

use crate::contact_form::{Field, FieldError, FormValues};
use crate::texts::texts;

/// The style that stands in every page.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

/// The parts that every page has around its own.
struct Frame<'a> {
    texts: &'static Texts,
    listing: Option<&'a Listing>,
    /// The path of the page, if asking for it in another language brings the same page.
    here: Option<&'static str>,
}

impl Frame<'_> {
    fn brand(&self) -> String {
        self.listing.map_or_else(|| self.texts.say("brand"), |listing| listing.name.clone())
    }

    /// A described listing may name any URL here; only one that a browser opens as a page becomes a link.
    fn support_page(&self) -> Option<&Url> {
        let url = self.listing?.support.url.as_ref();
        url.filter(|url| ["https", "http"].contains(&url.scheme()))
    }

    fn product_page(&self) -> Option<&Url> {
        self.listing?.urls.product.as_ref().filter(|url| url.scheme() == "https")
    }

    fn logo(&self) -> Option<&Url> {
        self.listing?.page.logo.as_ref().filter(|url| url.scheme() == "https")
    }

    fn accents(&self) -> Option<String> {
        self.listing.and_then(accents)
    }
}

/// The listing's colours, as a style of their own.
fn accents(listing: &Listing) -> Option<String> {
    let rule = |accent: Colour| format!(":root{{--accent:{accent};--accent-strong:{accent}}}");
    let light = listing.page.accent.map(rule);
    let dark =
        listing.page.accent_dark.map(|accent| format!("@media (prefers-color-scheme: dark){{{}}}", rule(accent)));
    // Without one for dark screens, those keep the page's own.
    let light = light.map(|light| format!("@media (prefers-color-scheme: light){{{light}}}"));
    let style: String = light.into_iter().chain(dark).collect();
    (!style.is_empty()).then_some(style)
}

/// The listing of a page, and the token that proves that a form comes from it.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    pub(crate) listing: &'a Listing,
    pub(crate) token: &'a str,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    frame: Frame<'a>,
    listing: &'a Listing,
    form_token: &'a str,
    entered: &'a FormValues,
    errors: &'a [FieldError],
}

impl RegisterPage<'_> {
    fn error_of(&self, id: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.id == id).map(|error| error.message.as_str())
    }

    /// The ids of the texts that say more about a field.
    fn described_by(&self, field: &Field) -> Option<String> {
        let hint = field.is_required().then(|| format!("{}-hint", field.name()));
        let error = self.error_of(field.name()).map(|_| format!("{}-error", field.name()));
        let ids: Vec<String> = hint.into_iter().chain(error).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn localize<'w>(&self, text: &'w LocalizedText) -> &'w str {
        text.text(self.frame.texts.language)
    }
}

/// Renders the registration page, with the entered values and their errors.
pub(crate) fn register(language: Language, form: Form<'_>, entered: &FormValues, errors: &[FieldError]) -> Response {
    let Form { listing, token: form_token } = form;
    let frame = Frame { texts: texts(language), listing: Some(listing), here: Some("/register") };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    page(status, &RegisterPage { frame, listing, form_token, entered, errors }, Some(listing), true)
}

#[derive(Template)]
#[template(path = "linked.html")]
struct LinkedPage<'a> {
    frame: Frame<'a>,
    listing: &'a Listing,
    form_token: &'a str,
}

/// Renders the page of a license that already belongs to a tenant. It asks for no contact and only offers to sign in.
pub(crate) fn linked(language: Language, form: Form<'_>) -> Response {
    let Form { listing, token: form_token } = form;
    let frame = Frame { texts: texts(language), listing: Some(listing), here: Some("/register") };
    page(StatusCode::OK, &LinkedPage { frame, listing, form_token }, Some(listing), true)
}

/// The seconds after which the status page reloads itself, in which the buyer can stop it (WCAG 2.2, success criterion
/// 2.2.1, requires 20). It is a header, since checkers refuse every `meta` of this kind without reading it.
const RELOAD_SECONDS: &str = "20";

/// The reloading of the status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reload {
    On,
    Off,
    NotNeeded,
}

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    frame: Frame<'a>,
    listing: &'a Listing,
    state: String,
    explanation: String,
    /// The state does not change until the buyer acts on AWS Marketplace.
    needs_the_buyer: bool,
    reload: Reload,
}

/// Renders the status page.
pub(crate) fn status(language: Language, listing: &Listing, state: StateName, reload: Reload) -> Response {
    let frame = Frame { texts: texts(language), listing: Some(listing), here: Some("/register/status") };
    let needs_the_buyer = matches!(state, StateName::Failed | StateName::Ended);
    let state = format!("status-{}", state.as_str());
    let explanation = format!("{state}.explanation");
    let template = StatusPage { frame, listing, state, explanation, needs_the_buyer, reload };
    let page = page(StatusCode::OK, &template, Some(listing), false);
    match reload {
        Reload::On => ([(header::REFRESH, RELOAD_SECONDS)], page).into_response(),
        Reload::Off | Reload::NotNeeded => page,
    }
}

/// The link on the page of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// AWS Marketplace, for another "Set up your account".
    Marketplace,
    /// The registration page of the session that there may be.
    Register,
    /// Nowhere: reload, go back, or write to support.
    None,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    /// The other languages, folded on the same page: most of these pages answer a POST, which no link repeats.
    others: Vec<&'static Texts>,
    code: &'static str,
    next_step: NextStep,
}

impl ProblemPage<'_> {
    fn title(&self) -> String {
        format!("problem-{}", self.code)
    }

    fn explanation(&self) -> String {
        format!("problem-{}.explanation", self.code)
    }

    fn action(&self) -> String {
        format!("problem-{}.action", self.code)
    }
}

/// Renders the page of a failure.
pub(crate) fn problem(
    status: StatusCode,
    code: &'static str,
    next_step: NextStep,
    language: Language,
    listing: Option<&Listing>,
) -> Response {
    let frame = Frame { texts: texts(language), listing, here: None };
    page(
        status,
        &ProblemPage { frame, others: language.others().map(texts).collect(), code, next_step },
        listing,
        false,
    )
}

/// Renders a page. `posts_to_application` is `true` if a form on it leads to the application.
fn page(
    status: StatusCode,
    template: &impl Template,
    listing: Option<&Listing>,
    posts_to_application: bool,
) -> Response {
    match template.render() {
        Ok(html) => {
            let policy = (header::CONTENT_SECURITY_POLICY, content_security_policy(listing, posts_to_application));
            (status, [policy], Html(html)).into_response()
        }
        // Writing into a string does not fail. If it did, the status would show it.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Nothing is loaded but the listing's logo, and no script runs; each style is named by its hash. Browsers hold the
/// redirect that follows a form against `form-action` too, and every further one, so it names the application's
/// pages, and such a page must answer itself before it sends the buyer to a third origin.
fn content_security_policy(listing: Option<&Listing>, posts_to_application: bool) -> String {
    static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE)));
    let mut policy = format!("default-src 'none'; style-src 'sha256-{}'", *STYLE_HASH);
    if let Some(accents) = listing.and_then(accents) {
        let _ = write!(policy, " 'sha256-{}'", STANDARD.encode(Sha256::digest(accents)));
    }
    policy.push_str("; form-action 'self'");
    if let Some(listing) = listing.filter(|_| posts_to_application) {
        let [sign_up, sign_in] = [&listing.urls.sign_up, &listing.urls.sign_in].map(Url::origin);
        let _ = write!(policy, " {}", sign_up.ascii_serialization());
        if sign_in != sign_up {
            let _ = write!(policy, " {}", sign_in.ascii_serialization());
        }
    }
    let logo = listing.and_then(|listing| listing.page.logo.as_ref()).map(|logo| logo.origin().ascii_serialization());
    let _ =
        write!(policy, "; base-uri 'none'; frame-ancestors 'none'; img-src {}", logo.as_deref().unwrap_or("'none'"));
    policy
}

/// Adds the headers that every answer has, where it has none of its own.
pub(crate) fn secure(headers: &mut HeaderMap, language: Language) {
    const FIXED: [(HeaderName, &str); 7] = [
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // `no-referrer` would make the Origin of our own form null, and the same-origin check would refuse it.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::VARY, "Accept, Accept-Language, Cookie"),
    ];
    for (name, value) in FIXED {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_LANGUAGE).or_insert(HeaderValue::from_static(language.tag()));
    if let Ok(policy) = HeaderValue::from_str(&content_security_policy(None, false)) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;

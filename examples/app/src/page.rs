//! The common parts of the pages: the visitor, the posted form, the frame of a page, and the page of an error.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use crate::accounts::{Session, Tenant};
use crate::application::Application;
use crate::stallkeeper::CallFailed;

/// The address of the support page.
pub(crate) const SUPPORT: &str = "https://www.example.com/support";

/// The answer of a handler.
pub(crate) type Answer = Result<Response, PageError>;

/// A browser with a session.
pub(crate) struct Visitor {
    pub(crate) secret: String,
    pub(crate) session: Session,
}

impl Visitor {
    /// Reads the session by the cookie.
    pub(crate) fn read(headers: &HeaderMap, application: &Application) -> Option<Self> {
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
        let pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
        let (_, secret) = pairs.into_iter().find(|(name, _)| *name == cookie_name(application))?;
        let session = application.accounts.session(secret, application.now())?;
        Some(Self { secret: secret.to_owned(), session })
    }

    /// Reads the session by the cookie, or starts a new one.
    pub(crate) fn read_or_start(headers: &HeaderMap, application: &Application) -> Result<Self, PageError> {
        if let Some(visitor) = Self::read(headers, application) {
            return Ok(visitor);
        }
        let (secret, session) = application.accounts.create_session(application.now())?;
        Ok(Self { secret, session })
    }

    /// Returns the visitor's mail address. A visitor who has not signed in is sent to the sign-in page.
    pub(crate) fn user(&self) -> Result<&str, PageError> {
        self.session.user.as_deref().ok_or(PageError::Redirect("/sign-in"))
    }

    /// Returns the tenant that the visitor works for. A visitor who has picked none is sent to the list of tenants.
    pub(crate) fn tenant(&self, application: &Application) -> Result<Tenant, PageError> {
        let user = self.user()?;
        let picked = self.session.tenant.as_deref();
        picked.and_then(|id| application.accounts.tenant_of(user, id)).ok_or(PageError::Redirect("/tenants"))
    }

    /// Returns the parts that every page has.
    pub(crate) fn frame(&self, tenant: Option<&Tenant>) -> Frame {
        Frame {
            signed_in: self.session.user.is_some(),
            tenant: tenant.map(|tenant| tenant.name.clone()),
            form_token: self.session.form_token.clone(),
        }
    }
}

impl FromRequestParts<Arc<Application>> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, application: &Arc<Application>) -> Result<Self, PageError> {
        Self::read(&parts.headers, application).ok_or(PageError::Redirect("/sign-in"))
    }
}

/// A form that was posted from one of this visitor's own pages.
pub(crate) struct PostedForm {
    pub(crate) visitor: Visitor,
    fields: Vec<(String, String)>,
}

impl PostedForm {
    /// Returns a field without surrounding white space; it is empty if it does not exist.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }
}

impl FromRequest<Arc<Application>> for PostedForm {
    type Rejection = PageError;

    async fn from_request(request: Request, application: &Arc<Application>) -> Result<Self, PageError> {
        let visitor = Visitor::read(request.headers(), application).ok_or(PageError::Redirect("/sign-in"))?;
        let form = Form::<Vec<(String, String)>>::from_request(request, application).await;
        let Form(fields) = form.map_err(|_| PageError::refused(StatusCode::BAD_REQUEST, FORM_OLD, FORM_OLD_TEXT))?;
        let form_post = Self { visitor, fields };
        if form_post.field("form_token") != form_post.visitor.session.form_token {
            return Err(PageError::refused(StatusCode::FORBIDDEN, FORM_OLD, FORM_OLD_TEXT));
        }
        Ok(form_post)
    }
}

const FORM_OLD: &str = "This page was open for too long";
const FORM_OLD_TEXT: &str = "Nothing was changed. Please go back, load the page again, and send the form once more.";

/// The parts that every page has.
pub(crate) struct Frame {
    pub(crate) signed_in: bool,
    /// The name of the tenant that the visitor works for.
    pub(crate) tenant: Option<String>,
    pub(crate) form_token: String,
}

/// The reason why a page is not shown.
pub(crate) enum PageError {
    /// Another page comes first.
    Redirect(&'static str),
    /// The request is refused, and the page gives the reason.
    Refused(StatusCode, Box<Message>),
}

impl PageError {
    pub(crate) fn refused(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self::Refused(status, Box::new(Message { title, text: text.into(), on: None }))
    }

    /// Adds a next step to the page: its name, and its address.
    pub(crate) fn with_next_step(self, name: &'static str, to: impl Into<String>) -> Self {
        match self {
            Self::Refused(status, message) => {
                Self::Refused(status, Box::new(Message { on: Some((name, to.into())), ..*message }))
            }
            stop @ Self::Redirect(_) => stop,
        }
    }
}

/// A page with one message.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message {
    title: &'static str,
    text: String,
    on: Option<(&'static str, String)>,
}

impl Message {
    /// Returns a frame without a visitor.
    fn frame(&self) -> Frame {
        Frame { signed_in: false, tenant: None, form_token: String::new() }
    }
}

impl From<CallFailed> for PageError {
    fn from(error: CallFailed) -> Self {
        tracing::error!(%error, "a page needs what Stallkeeper did not give");
        let text = "Your account and what you use are safe. Please try again in a few minutes.";
        match error {
            CallFailed::NoAnswer(_) => {
                Self::refused(StatusCode::SERVICE_UNAVAILABLE, "We cannot look up your subscription just now", text)
            }
            CallFailed::Refused(_) => Self::refused(StatusCode::BAD_GATEWAY, "Something is wrong on our side", text),
        }
    }
}

impl From<getrandom::Error> for PageError {
    fn from(error: getrandom::Error) -> Self {
        tracing::error!(%error, "there is no randomness");
        Self::refused(StatusCode::INTERNAL_SERVER_ERROR, "Something is wrong on our side", "Please try again.")
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::Redirect(path) => Redirect::to(path).into_response(),
            Self::Refused(status, message) => html(status, &*message),
        }
    }
}

/// Renders a page.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page was not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Sets the session's cookie. Browsers accept `__Host-` only with HTTPS, and then from this host alone.
pub(crate) fn set_cookie(application: &Application, secret: &str) -> [(http::HeaderName, String); 1] {
    let secure = if application.https { "; Secure" } else { "" };
    let name = cookie_name(application);
    // Lax, because buyers come from another site.
    [(header::SET_COOKIE, format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600{secure}"))]
}

fn cookie_name(application: &Application) -> &'static str {
    if application.https { "__Host-session" } else { "session" }
}

pub(crate) async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("../templates/style.css")).into_response()
}

pub(crate) async fn nothing_here() -> PageError {
    PageError::refused(StatusCode::NOT_FOUND, "There is no such page", "The address may be mistyped.")
}

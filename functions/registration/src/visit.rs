//! The session of a buyer, and `GET /register`, the registration page.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use domain::license::License;
use domain::listing::Listing;
use domain::registration::{SESSION_COOKIE, Secret, SecretHash};
use http::request::Parts;
use http::{HeaderMap, header};

use crate::contact_form::FormValues;
use crate::context::Context;
use crate::failure::{Failed, Failure};
use crate::preferences::Preferences;
use crate::view::{self, Form};

/// The secret of a session, as its cookie has it; none without such a cookie.
pub(crate) struct SessionCookie(Option<Secret>);

impl SessionCookie {
    /// Reads the cookie from the headers.
    ///
    /// Nothing is percent-decoded. A browser accepts a cookie whose name starts with `__Host-` from this host alone, but
    /// `__%48ost-` from any host of the same domain; decoded, that one would replace the session.
    fn of(headers: &HeaderMap) -> Self {
        // The cookies of other applications on the same domain may have bytes that are not ASCII, or not UTF-8.
        let cookies = headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|b| *b == b';'));
        let cookies = cookies.filter_map(|cookie| std::str::from_utf8(cookie).ok()?.trim().split_once('='));
        let session = cookies.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value).next();
        Self(session.and_then(Secret::presented))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SessionCookie {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// A buyer with a session.
pub(crate) struct Visit {
    pub(crate) listing: Listing,
    pub(crate) license: License,
    pub(crate) session: SecretHash,
    /// The token that a form of this session about this license must have.
    pub(crate) form_token: String,
}

impl Visit {
    pub(crate) fn form(&self) -> Form<'_> {
        Form { listing: &self.listing, token: &self.form_token }
    }
}

impl Context {
    /// Reads the license and the listing of a session.
    pub(crate) async fn visit(&self, SessionCookie(secret): SessionCookie) -> Result<Visit, Failed> {
        let secret = secret.ok_or(Failure::SessionMissing)?;
        let session = self.store.session(&secret).await?.ok_or(Failure::SessionMissing)?;
        let listing = self.store.listing(&session.product).await?;
        let listing = listing.ok_or_else(|| Failure::ProductUnknown(session.product.clone()))?;
        let license = self.store.license(&session.license).await.map_err(|error| Failed::of(&listing, error))?;
        let license = license.ok_or_else(|| Failed::of(&listing, Failure::SessionMissing))?;
        Ok(Visit { form_token: secret.form_token(&session.license), session: secret.hash(), listing, license })
    }
}

/// `GET /register`: the registration page.
///
/// It is always empty: the session proves a purchase, not an identity, and the next holder of the token must not read
/// what an earlier one entered.
pub(crate) async fn show(
    State(context): State<Arc<Context>>,
    Preferences { language, .. }: Preferences,
    session: SessionCookie,
) -> Result<Response, Failed> {
    let visit = context.visit(session).await?;
    Ok(match visit.license.tenant {
        Some(_) => view::linked(language, visit.form()),
        None => view::register(language, visit.form(), &FormValues::default(), &[]),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn session(cookies: &[&str]) -> Option<String> {
        let headers = cookies.iter().map(|cookie| (header::COOKIE, HeaderValue::from_str(cookie).unwrap()));
        SessionCookie::of(&headers.collect()).0.map(|secret| secret.reveal().to_owned())
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let secret = Secret::random().unwrap().reveal().to_owned();
        let other = Secret::random().unwrap().reveal().to_owned();
        let (ours, another) = (format!("{SESSION_COOKIE}={secret}"), format!("{SESSION_COOKIE}={other}"));
        for cookies in [
            vec![ours.as_str()],
            vec!["a=1", ours.as_str()],
            vec![&format!("a; b=2=3;{ours} ; c=")],
            vec![&format!("name=日本; {ours}")],
            vec![&format!("{ours}; {another}")],
        ] {
            assert_eq!(session(&cookies).as_ref(), Some(&secret), "{cookies:?}");
        }
    }

    #[test]
    fn a_cookie_that_another_host_may_set_is_no_session() {
        let secret = Secret::random().unwrap().reveal().to_owned();
        for name in ["__%48ost-stallkeeper", "%5F_Host-stallkeeper", "__host-stallkeeper", "stallkeeper", ""] {
            assert_eq!(session(&[&format!("{name}={secret}")]), None, "{name:?}");
        }
        assert_eq!(session(&[&format!("{SESSION_COOKIE}={}", &secret[1..])]), None);
        assert_eq!(session(&[]), None);
    }
}

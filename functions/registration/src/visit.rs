//! Whom a session is about, and `GET /register`, the page that they see.

use stallkeeper::http::{Request, Response};
use stallkeeper::license::License;
use stallkeeper::listing::Listing;
use stallkeeper::registration::{SESSION_COOKIE, Secret, SecretHash};

use crate::Registration;
use crate::details::Entered;
use crate::failure::{Failed, Failure};
use crate::texts::Language;
use crate::view::{self, Form};

/// A buyer with a session.
pub(crate) struct Visit {
    pub(crate) listing: Listing,
    pub(crate) license: License,
    pub(crate) session: SecretHash,
    /// What a form of this session about this license must bring.
    pub(crate) form_token: String,
}

impl Visit {
    pub(crate) fn form(&self) -> Form<'_> {
        Form { listing: &self.listing, token: &self.form_token }
    }
}

impl Registration {
    /// Reads whom the request's session is about.
    pub(crate) async fn visit(&self, request: &Request) -> Result<Visit, Failed> {
        let secret = request.cookie(SESSION_COOKIE).and_then(Secret::presented).ok_or(Failure::SessionMissing)?;
        let session = self.store.session(&secret).await?.ok_or(Failure::SessionMissing)?;
        let listing = self.store.listing(&session.product).await?;
        let listing = listing.ok_or_else(|| Failure::ProductUnknown(session.product.clone()))?;
        let license = self.store.license(&session.license).await.map_err(|error| Failed::of(&listing, error))?;
        let license = license.ok_or_else(|| Failed::of(&listing, Failure::SessionMissing))?;
        Ok(Visit { form_token: secret.form_token(&session.license), session: secret.hash(), listing, license })
    }

    /// Answers the registration page.
    ///
    /// It is always empty: the session proves a purchase, not a person, and whoever holds the token next must not
    /// read what another has left.
    pub(crate) async fn show(&self, request: &Request, language: Language) -> Result<Response, Failed> {
        let visit = self.visit(request).await?;
        Ok(match visit.license.tenant {
            Some(_) => view::linked(language, visit.form()),
            None => view::register(language, visit.form(), &Entered::default(), &[]),
        })
    }
}

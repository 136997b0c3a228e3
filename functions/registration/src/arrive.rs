//! `POST /register`: a buyer arrives from AWS Marketplace with a registration token.
//!
//! The token is resolved at once and goes nowhere else. Everything may happen again with the same token: the same
//! license, another session.

use std::time::Duration;

use futures_util::future::join;
use stallkeeper::aws::chain;
use stallkeeper::http::{Request, Response};
use stallkeeper::license::{License, Resolved};
use stallkeeper::lifecycle;
use stallkeeper::listing::Listing;
use stallkeeper::marketplace::ResolveError;
use stallkeeper::readiness::EvidenceKind;
use stallkeeper::registration::{HANDOFF_LIFE, SESSION_COOKIE, SESSION_LIFE, Secret, Session};

use crate::Registration;
use crate::failure::{Failed, Failure};

/// The form's field with the token. What else stands in the form is the browser's word alone and is not used.
const TOKEN: &str = "x-amzn-marketplace-token";

/// Longer than any token: nothing of this size is worth a call to AWS.
const LONGEST_TOKEN: usize = 16 * 1024;

/// How long a buyer waits for the entitlements to be read.
const PATIENCE: Duration = Duration::from_secs(3);

impl Registration {
    pub(crate) async fn arrive(&self, request: &Request) -> Result<Response, Failed> {
        let token = token(request)?;
        let resolved = match self.marketplace.resolve_customer(&token).await {
            Ok(resolved) => resolved,
            Err(error) => {
                if matches!(error, ResolveError::Expired | ResolveError::Invalid) {
                    // Whose product it was to be for, nobody says.
                    self.store.note_evidence_of_all(EvidenceKind::BadTokenRefused).await;
                }
                return Err(error.into());
            }
        };
        let Some(listing) = self.store.listing(&resolved.product).await? else {
            return Err(Failure::ProductUnknown(resolved.product).into());
        };
        let noted =
            join(self.store.note_evidence(&listing.product_code, EvidenceKind::TokenResolved), self.note_outcomes());
        join(self.let_in(&listing, resolved), noted).await.0
    }

    async fn let_in(&self, listing: &Listing, resolved: Resolved) -> Result<Response, Failed> {
        let Some(purchase) = resolved.purchase(listing.mode) else {
            return Err(Failed::of(listing, Failure::PurchaseIncomplete(listing.product_code.clone())));
        };
        let of_listing = |error| Failed::of(listing, error);
        let license = lifecycle::register(&self.store, &purchase).await.map_err(of_listing)?;
        let secret = Secret::random().map_err(|error| Failed::of(listing, error))?;
        let over_at = self.store.clock().seconds().saturating_add(SESSION_LIFE.as_secs());
        let session = Session {
            license: license.id.clone(),
            product: license.product.clone(),
            over_at,
            expires_at: over_at.saturating_add(HANDOFF_LIFE.as_secs()),
            handoff: None,
        };
        self.store.open_session(&secret, &session).await.map_err(of_listing)?;
        self.read_entitlements(listing, &license).await;
        tracing::info!(license = %license.id, product = %license.product, counter = "arrived", "a buyer has arrived");
        Ok(Response::see_other("/register").cookie(session_cookie(&secret)))
    }

    /// Has the entitlements at hand when the application asks. The news of its activation reads them too, so neither
    /// a failure nor a slow answer holds up the buyer.
    async fn read_entitlements(&self, listing: &Listing, license: &License) {
        if !listing.pricing.has_entitlements() {
            return;
        }
        let reading = lifecycle::refresh_entitlements(&self.store, &self.marketplace, license, false);
        let error = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => chain(&error),
            Err(_) => "it took too long".to_owned(),
        };
        tracing::warn!(license = %license.id, error, counter = "entitlements_not_read", "the news will bring them");
    }
}

/// The token of the form. AWS makes tokens without blanks, and would find one with them malformed.
fn token(request: &Request) -> Result<String, Failure> {
    let form = request.form()?;
    let token = form.into_iter().find(|(name, value)| name == TOKEN && !value.trim().is_empty());
    let (_, token) = token.ok_or(Failure::TokenMissing)?;
    if token.len() > LONGEST_TOKEN || token.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Failure::TokenInvalid);
    }
    Ok(token)
}

/// `Lax`, since the redirect that follows the POST of another site would not carry a `Strict` one.
fn session_cookie(secret: &Secret) -> String {
    let life = SESSION_LIFE.as_secs();
    format!("{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={life}", secret.reveal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_for_tests;

    fn token_of(body: &str) -> Result<String, &'static str> {
        let form =
            request_for_tests("POST", "/register", &[("content-type", "application/x-www-form-urlencoded")], body);
        token(&form).map_err(|failure| match failure {
            Failure::TokenMissing => "missing",
            Failure::TokenInvalid => "invalid",
            _ => "something else",
        })
    }

    #[test]
    fn the_token_is_taken_from_among_whatever_else_comes() {
        let body = "x-amzn-marketplace-offer-type=free-trial&x-amzn-marketplace-product-id=forged\
            &x-amzn-marketplace-token=abc%2B%2F%3D&x-amzn-marketplace-agreement-id=forged";
        assert_eq!(token_of(body).as_deref(), Ok("abc+/="));
    }

    #[test]
    fn what_cannot_be_a_token_costs_no_call() {
        assert_eq!(token_of(""), Err("missing"));
        assert_eq!(token_of("x-amzn-marketplace-token="), Err("missing"));
        assert_eq!(token_of("x-amzn-marketplace-token=%20%09"), Err("missing"));
        assert_eq!(token_of("token=abc"), Err("missing"));
        assert_eq!(token_of("x-amzn-marketplace-token=a%00b"), Err("invalid"));
        assert_eq!(token_of("x-amzn-marketplace-token=a+b"), Err("invalid"));
        assert_eq!(token_of(&format!("x-amzn-marketplace-token={}", "x".repeat(16 * 1024 + 1))), Err("invalid"));
    }

    #[test]
    fn the_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
        let secret = Secret::random().unwrap();
        let expected =
            format!("__Host-stallkeeper={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=14400", secret.reveal());
        assert_eq!(session_cookie(&secret), expected);
    }
}

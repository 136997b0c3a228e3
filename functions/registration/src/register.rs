//! `POST /register`: a buyer arrives from AWS Marketplace with a registration token.
//!
//! The token is resolved once and passed to nothing else. A buyer may send the same token again: the license is the same,
//! the session another.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use domain::errors::chain;
use domain::license::{License, Resolved};
use futures_util::future::join;
use http::header;
use std::sync::Arc;
use std::time::Duration;

use crate::context::Context;
use crate::failure::{Failed, Failure};
use crate::form::FormFields;
use domain::evidence::EvidenceKind;
use domain::listing::Listing;
use domain::registration::{HANDOFF_LIFETIME, SESSION_COOKIE, SESSION_LIFETIME, Secret, Session};
use marketplace::ResolveError;

/// The field of the form with the token. The other fields are not used: nothing but the browser vouches for them.
const TOKEN: &str = "x-amzn-marketplace-token";

/// The longest token that AWS is asked about, in bytes. It is longer than any token.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The longest time that a buyer waits for the entitlements to be read.
const ENTITLEMENTS_TIMEOUT: Duration = Duration::from_secs(3);

/// `POST /register`: resolves the token, opens a session, and redirects the buyer to the registration page.
pub(crate) async fn register(State(context): State<Arc<Context>>, form: FormFields) -> Result<Response, Failed> {
    let token = token(form)?;
    let resolved = match context.marketplace.resolve_customer(&token).await {
        Ok(resolved) => resolved,
        Err(error) => {
            if matches!(error, ResolveError::Expired | ResolveError::Invalid) {
                // AWS does not answer which product the token was for.
                context.store.note_evidence_of_all(EvidenceKind::BadTokenRefused).await;
            }
            return Err(error.into());
        }
    };
    let Some(listing) = context.store.listing(&resolved.product).await? else {
        return Err(Failure::ProductUnknown(resolved.product).into());
    };
    let noted =
        join(context.store.note_evidence(&listing.product_code, EvidenceKind::TokenResolved), context.note_outcomes());
    join(context.open_session(&listing, resolved), noted).await.0
}

impl Context {
    async fn open_session(&self, listing: &Listing, resolved: Resolved) -> Result<Response, Failed> {
        let Some(purchase) = resolved.purchase(listing.mode) else {
            return Err(Failed::of(listing, Failure::PurchaseIncomplete(listing.product_code.clone())));
        };
        let of_listing = |error| Failed::of(listing, error);
        let license = lifecycle::register(&self.store, &purchase).await.map_err(of_listing)?;
        let secret = Secret::random().map_err(|error| Failed::of(listing, error))?;
        let ends_at = self.store.clock().seconds().saturating_add(SESSION_LIFETIME.as_secs());
        let session = Session {
            license: license.id.clone(),
            product: license.product.clone(),
            ends_at,
            expires_at: ends_at.saturating_add(HANDOFF_LIFETIME.as_secs()),
            handoff: None,
        };
        self.store.open_session(&secret, &session).await.map_err(of_listing)?;
        self.read_entitlements(listing, &license).await;
        let (license, product) = (&license.id, &license.product);
        tracing::info!(%license, %product, counter = "registration_started", "Opened a session for a buyer");
        Ok(([(header::SET_COOKIE, session_cookie(&secret))], Redirect::to("/register")).into_response())
    }

    /// Reads the entitlements before the application asks for them. Neither a failure nor a slow answer stops the buyer:
    /// they are read again when AWS announces that the license is active.
    async fn read_entitlements(&self, listing: &Listing, license: &License) {
        if !listing.pricing.has_entitlements() {
            return;
        }
        let reading = lifecycle::refresh_entitlements(&self.store, &self.marketplace, license, false);
        let error = match tokio::time::timeout(ENTITLEMENTS_TIMEOUT, reading).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} seconds", ENTITLEMENTS_TIMEOUT.as_secs()),
        };
        let (license, counter) = (&license.id, "entitlements_not_read");
        tracing::warn!(%license, error, counter, "Failed to read entitlements; AWS's next event will have them read again");
    }
}

/// Returns the token of the form. A token of AWS has no whitespace, and AWS calls one with whitespace malformed.
fn token(FormFields(fields): FormFields) -> Result<String, Failure> {
    let token = fields.into_iter().find(|(name, value)| name == TOKEN && !value.trim().is_empty());
    let (_, token) = token.ok_or(Failure::TokenMissing)?;
    if token.len() > MAX_TOKEN_BYTES || token.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Failure::TokenInvalid);
    }
    Ok(token)
}

/// Returns the cookie of a session. It is `Lax`, since the redirect that follows the POST of another site would not carry
/// a `Strict` one.
fn session_cookie(secret: &Secret) -> String {
    let life = SESSION_LIFETIME.as_secs();
    format!("{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={life}", secret.reveal())
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequest;

    use super::*;
    use crate::request_for_tests;

    async fn token_of(body: &str) -> Result<String, &'static str> {
        let request = request_for_tests(&[("content-type", "application/x-www-form-urlencoded")], body);
        let form = FormFields::from_request(request, &()).await.unwrap();
        token(form).map_err(|failure| match failure {
            Failure::TokenMissing => "missing",
            Failure::TokenInvalid => "invalid",
            _ => "something else",
        })
    }

    #[tokio::test]
    async fn the_token_is_taken_from_among_whatever_else_comes() {
        let body = "x-amzn-marketplace-offer-type=free-trial&x-amzn-marketplace-product-id=forged\
            &x-amzn-marketplace-token=abc%2B%2F%3D&x-amzn-marketplace-agreement-id=forged";
        assert_eq!(token_of(body).await.as_deref(), Ok("abc+/="));
    }

    #[tokio::test]
    async fn what_cannot_be_a_token_costs_no_call() {
        assert_eq!(token_of("").await, Err("missing"));
        assert_eq!(token_of("x-amzn-marketplace-token=").await, Err("missing"));
        assert_eq!(token_of("x-amzn-marketplace-token=%20%09").await, Err("missing"));
        assert_eq!(token_of("token=abc").await, Err("missing"));
        assert_eq!(token_of("x-amzn-marketplace-token=a%00b").await, Err("invalid"));
        assert_eq!(token_of("x-amzn-marketplace-token=a+b").await, Err("invalid"));
        let too_long = format!("x-amzn-marketplace-token={}", "x".repeat(16 * 1024 + 1));
        assert_eq!(token_of(&too_long).await, Err("invalid"));
    }

    #[test]
    fn the_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
        let secret = Secret::random().unwrap();
        let expected =
            format!("__Host-stallkeeper={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=14400", secret.reveal());
        assert_eq!(session_cookie(&secret), expected);
    }
}

//! A buyer's visit to the registration page: the session, the contact that the buyer leaves, and the handoff to the
//! application.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::ids::{LicenseId, ProductCode};

/// The session cookie. Its prefix binds it to this host, path `/` and HTTPS.
pub const SESSION_COOKIE: &str = "__Host-stallkeeper";

/// The lifetime of a session. It is that of a registration token of AWS.
pub const SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(4);

/// The time in which a handoff code can be redeemed.
pub const HANDOFF_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// The longest name of a buyer's employee or company, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// A random secret that is handed out once and kept only as its [`SecretHash`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The hash of a [`Secret`], which is stored in place of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

/// The system's random source failed.
#[derive(Debug, thiserror::Error)]
#[error("the system's random source failed")]
pub struct NoRandomness;

impl Secret {
    /// Creates a secret of 256 random bits.
    ///
    /// # Errors
    ///
    /// Fails when the system's random source fails.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads a presented secret; returns `None` if it does not have the form of one.
    pub fn presented(text: &str) -> Option<Self> {
        let formed = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        formed.then(|| Self(text.to_owned()))
    }

    /// Returns the secret itself, for the one place that hands it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the hash, which may be stored.
    pub fn hash(&self) -> SecretHash {
        SecretHash(digest(&[&self.0]))
    }

    /// Returns a token for a form of this session about this license. Only the holder of the session can make it, and a
    /// token of another license does not match.
    pub fn form_token(&self, license: &LicenseId) -> String {
        digest(&[&self.0, "form", license.as_str()])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl SecretHash {
    /// Returns the hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}

/// A session of a browser, about one license.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The license.
    pub license: LicenseId,
    /// Its product.
    pub product: ProductCode,
    /// The end of the session, in seconds since 1970.
    pub ends_at: i64,
    /// The time from which the table may delete it (TTL), in seconds since 1970: not before its last code is void.
    pub expires_at: i64,
    /// The newest code of the session, the only one that can be redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<SecretHash>,
}

/// A handoff from the registration page to the application, by a one-time code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// The license.
    pub license: LicenseId,
    /// The session that it was made in.
    pub session: SecretHash,
    /// The page of the application.
    pub entry_point: EntryPoint,
    /// The time from which the code is void, in seconds since 1970.
    pub expires_at: i64,
    /// The redemption, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Redeemed>,
}

/// The one redemption of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// The identity that redeemed it; see [`redeemer`].
    pub by: String,
    /// `true` if the license belonged to a tenant already.
    pub was_linked: bool,
}

impl Handoff {
    /// Returns `true` if the handoff may be returned to a caller that redeems it: the first one, or the same one again,
    /// whose answer may have been lost. Once the license is linked, the answer has arrived.
    pub fn is_open_to(&self, by: &str, is_linked: bool) -> bool {
        self.redeemed.as_ref().is_none_or(|redeemed| redeemed.by == by && redeemed.was_linked == is_linked)
    }
}

/// Returns the identity that redeems a code: a caller of the API, with its key for this redemption.
///
/// A caller that has assumed a role counts as the role: its sessions differ from one process of the application to the
/// next.
pub fn redeemer(caller: &str, idempotency_key: &str) -> String {
    let role = caller.contains(":assumed-role/").then(|| caller.rsplit_once('/')).flatten();
    digest(&[role.map_or(caller, |(role, _session)| role), idempotency_key])
}

/// The application's page that a buyer continues to: `sign_up` for a new account, `sign_in` for an existing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryPoint {
    /// The page for a new account.
    SignUp,
    /// The page for buyers who have an account.
    SignIn,
}

/// The contact of the buyer. It is personal data, kept apart so that it can be erased; its `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The license that it belongs to.
    pub license: LicenseId,
    /// The session in which it was left; `None` if it was inherited from the license before. A code of another session
    /// does not return it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SecretHash>,
    /// A mail address.
    pub email: String,
    /// A person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A company's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The other answers to the listing's form, by the keys of the fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, String>,
    /// The language of the page, `en` or `ja`.
    pub language: String,
    /// The time at which it was left.
    pub saved_at: Timestamp,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact").field("license", &self.license).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_show_nothing_of_themselves() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert!(!format!("{one:?}").contains(one.reveal()));
        assert!(!one.hash().as_str().contains(one.reveal()));
        assert_eq!(Secret::presented(one.reveal()).unwrap().hash(), one.hash());
    }

    #[test]
    fn what_is_no_secret_is_not_looked_up() {
        for text in ["", "x", &"x".repeat(44), &"é".repeat(43), &format!("{} ", "x".repeat(42))] {
            assert!(Secret::presented(text).is_none());
        }
    }

    #[test]
    fn a_form_token_fits_its_session_and_its_license_alone() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        let (a, b): (LicenseId, LicenseId) = ("l-a".parse().unwrap(), "l-b".parse().unwrap());
        assert_eq!(one.form_token(&a), one.form_token(&a));
        assert_ne!(one.form_token(&a), one.form_token(&b));
        assert_ne!(one.form_token(&a), other.form_token(&a));
    }

    #[test]
    fn a_code_is_one_redeemers() {
        let mut handoff = Handoff {
            license: "l-a".parse().unwrap(),
            session: Secret::random().unwrap().hash(),
            entry_point: EntryPoint::SignUp,
            expires_at: 0,
            redeemed: None,
        };
        assert!(handoff.is_open_to("a", false) && handoff.is_open_to("a", true));
        handoff.redeemed = Some(Redeemed { by: "a".to_owned(), was_linked: false });
        assert!(handoff.is_open_to("a", false) && !handoff.is_open_to("b", false));
        assert!(!handoff.is_open_to("a", true), "it has arrived");
        handoff.redeemed = Some(Redeemed { by: "a".to_owned(), was_linked: true });
        assert!(handoff.is_open_to("a", true), "a sign-in links nothing");
    }

    #[test]
    fn a_role_is_one_redeemer_whichever_process_has_assumed_it() {
        let one = redeemer("arn:aws:sts::444455556666:assumed-role/App/i-1", "key");
        assert_eq!(one, redeemer("arn:aws:sts::444455556666:assumed-role/App/i-2", "key"));
        assert_ne!(one, redeemer("arn:aws:sts::444455556666:assumed-role/Other/i-1", "key"));
        assert_ne!(one, redeemer("arn:aws:sts::444455556666:assumed-role/App/i-1", "another"));
        assert_ne!(redeemer("arn:aws:iam::444455556666:user/a", ""), redeemer("arn:aws:iam::444455556666:user/b", ""));
    }

    #[test]
    fn a_contact_shows_nobody() {
        let contact = Contact {
            license: "l-a".parse().unwrap(),
            session: None,
            email: "someone@example.com".to_owned(),
            name: Some("Someone".to_owned()),
            company: None,
            answers: BTreeMap::from([("team".to_owned(), "Someone's".to_owned())]),
            language: "en".to_owned(),
            saved_at: Timestamp::UNIX_EPOCH,
        };
        assert!(!format!("{contact:?}").to_lowercase().contains("someone"));
    }
}

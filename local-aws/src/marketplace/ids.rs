//! Ids that cannot be guessed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use marketplace_ids::{AccountId, AgreementId, CustomerIdentifier, InvalidId, ProductCode};
use sha2::{Digest, Sha256};

/// A generator of ids, from a secret and a counter: they are as hard to guess as the secret, and never repeat.
pub(crate) struct IdGenerator {
    secret: [u8; 32],
    count: AtomicU64,
}

impl fmt::Debug for IdGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdGenerator")
    }
}

impl IdGenerator {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| anyhow!("the machine has no randomness: {error}"))?;
        Ok(Self { secret, count: AtomicU64::new(0) })
    }

    /// Creates a generator that returns the same ids for the same seed: for repeatable runs without secrets.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { secret: Sha256::digest(seed.to_be_bytes()).into(), count: AtomicU64::new(0) }
    }

    fn next_bytes(&self) -> [u8; 32] {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Sha256::new().chain_update(self.secret).chain_update(number.to_be_bytes()).finalize().into()
    }

    /// Returns `length` characters of an alphabet; at most 32.
    fn text(&self, length: usize, alphabet: &str) -> String {
        encode_letters(self.next_bytes(), length, alphabet)
    }

    fn lower(&self, length: usize) -> String {
        self.text(length, "abcdefghijklmnopqrstuvwxyz0123456789")
    }

    fn hex(&self, length: usize) -> String {
        self.text(length, "0123456789abcdef")
    }

    /// Returns a registration token in Base64, the form of AWS's tokens. Each has a `+`, a `/` and an `=`, so that a
    /// caller that puts it into a form without encoding it is always refused.
    pub(super) fn token(&self) -> String {
        loop {
            let token = STANDARD.encode([self.next_bytes(), self.next_bytes()].as_flattened());
            if token.contains('+') && token.contains('/') {
                return token;
            }
        }
    }

    pub(super) fn agreement(&self) -> Result<AgreementId, InvalidId> {
        format!("agmt-{}", self.lower(25)).parse()
    }

    pub(crate) fn offer(&self) -> String {
        format!("offer-{}", self.lower(13))
    }

    pub(crate) fn product(&self) -> String {
        format!("prod-{}", self.lower(13))
    }

    pub(crate) fn product_code(&self) -> String {
        self.lower(25)
    }

    /// Returns the id of a change set.
    pub(crate) fn change_set(&self) -> String {
        self.lower(25)
    }

    /// Returns a license's id: `l-` and 32 hexadecimal digits.
    pub(super) fn license(&self) -> String {
        format!("l-{}", self.hex(32))
    }

    pub(super) fn account(&self) -> Result<AccountId, InvalidId> {
        format!("{}{}", self.text(1, "123456789"), self.text(11, "0123456789")).parse()
    }

    pub(super) fn customer(&self) -> Result<CustomerIdentifier, InvalidId> {
        self.text(11, LETTERS_AND_DIGITS).parse()
    }

    /// Returns the CustomerIdentifier that a buyer of a product has in addition to licenses: the same each time.
    pub(super) fn secondary_customer(&self, product: &ProductCode, account: &AccountId) -> String {
        let buyer = format!("{product}/{account}");
        let count = Sha256::new().chain_update(self.secret).chain_update(buyer).finalize().into();
        encode_letters(count, 11, LETTERS_AND_DIGITS)
    }

    /// Returns a UUID (version 4).
    pub(super) fn uuid(&self) -> String {
        let (a, b, c, d, e) = (self.hex(8), self.hex(4), self.hex(3), self.text(1, "89ab"), self.hex(3));
        format!("{a}-{b}-4{c}-{d}{e}-{}", self.hex(12))
    }
}

const LETTERS_AND_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn encode_letters(count: [u8; 32], length: usize, alphabet: &str) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let letter = |byte: &u8| letters.get(usize::from(*byte) % letters.len().max(1)).copied();
    count.iter().filter_map(letter).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_forms_and_never_repeat() {
        let ids = IdGenerator::new().unwrap();
        assert_eq!(ids.license().len(), 34);
        assert_eq!(ids.uuid().len(), 36);
        ids.account().unwrap();
        ids.customer().unwrap();
        ids.agreement().unwrap();
        let count: std::collections::BTreeSet<String> = (0..1000).map(|_| ids.token()).collect();
        assert_eq!(count.len(), 1000);
        for token in count {
            assert_eq!(STANDARD.decode(&token).unwrap().len(), 64);
            assert!(['+', '/', '='].into_iter().all(|letter| token.contains(letter)), "{token}");
            assert!(!token.starts_with('-'), "the AWS CLI takes it for an option: {token}");
        }
    }
}

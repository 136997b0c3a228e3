//! Transactions that are repeated with the same token (ClientRequestToken) and performed once.
//!
//! The embedded DynamoDB knows tokens too, but scans those of the last ten minutes for every transaction: the more
//! there are, the longer each transaction takes. So this module keeps the tokens, and the database receives none.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dynoxide::DynoxideError;

/// The time for which a token is valid (DynamoDB API reference, TransactWriteItems).
const TOKEN_LIFETIME: Duration = Duration::from_mins(10);

/// The transactions that were performed with tokens.
#[derive(Debug, Default)]
pub(super) struct IdempotentTransactions(Mutex<PerformedTransactions>);

#[derive(Debug, Default)]
struct PerformedTransactions {
    by_token: HashMap<String, Transaction>,
    /// The tokens, in the order of their transactions.
    tokens: VecDeque<(Instant, String)>,
}

#[derive(Debug)]
struct Transaction {
    request: u64,
    answer: String,
}

impl IdempotentTransactions {
    /// Performs a transaction, or returns the earlier answer if it was performed before with that token. A failed
    /// transaction can be repeated. Two calls with one token at the same time run one after the other.
    pub(super) fn perform_once(
        &self,
        token: &str,
        request: &[u8],
        perform: impl FnOnce() -> Result<String, DynoxideError>,
    ) -> Result<String, DynoxideError> {
        let mut performed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        performed.remove_expired();
        let request = hash(request);
        match performed.by_token.get(token) {
            Some(known) if known.request == request => return Ok(known.answer.clone()),
            Some(_) => {
                let message = "An error occurred (IdempotentParameterMismatchException)".to_owned();
                return Err(DynoxideError::IdempotentParameterMismatchException(message));
            }
            None => {}
        }
        let answer = perform()?;
        performed.by_token.insert(token.to_owned(), Transaction { request, answer: answer.clone() });
        performed.tokens.push_back((Instant::now(), token.to_owned()));
        Ok(answer)
    }
}

impl PerformedTransactions {
    fn remove_expired(&mut self) {
        while self.tokens.front().is_some_and(|(at, _)| at.elapsed() >= TOKEN_LIFETIME) {
            if let Some((_, token)) = self.tokens.pop_front() {
                self.by_token.remove(&token);
            }
        }
    }
}

fn hash(request: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_performed_once_per_token_and_repeated_after_a_failure() {
        let idempotency = IdempotentTransactions::default();
        let failing = || Err(DynoxideError::InternalServerError("no".to_owned()));
        assert!(idempotency.perform_once("one", b"a", failing).is_err());
        assert_eq!(idempotency.perform_once("one", b"a", || Ok("made".to_owned())).unwrap(), "made");
        assert_eq!(idempotency.perform_once("one", b"a", failing).unwrap(), "made");
        let other = idempotency.perform_once("one", b"b", || Ok("made".to_owned())).unwrap_err();
        assert!(matches!(other, DynoxideError::IdempotentParameterMismatchException(_)));
        assert!(idempotency.perform_once("two", b"a", failing).is_err());
    }
}

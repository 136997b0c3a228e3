//! The gate in front of features: it decides whether a tenant may use a dimension.
//!
//! An answer is kept for a minute, so that a busy page does not send a request for each click. If Stallkeeper does not
//! answer, the last known answer applies for a day, so that an outage takes nothing from paying tenants.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::stallkeeper::{CallFailed, Decision, Stallkeeper};

/// The time for which an answer applies without a new request. Access that ends is locked at most this much later.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// The time for which an answer applies while there is no newer one.
const LAST_KNOWN: SignedDuration = SignedDuration::from_hours(24);

/// The cached answers.
#[derive(Debug, Default)]
pub struct Gate(Mutex<HashMap<Question, Answer>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    tenant: String,
    dimension: String,
    quantity: Option<u64>,
}

#[derive(Debug, Clone)]
struct Answer {
    decision: Decision,
    at: Timestamp,
    /// The time of the last request. While Stallkeeper does not answer, a user waits for it at most once a minute.
    asked_at: Timestamp,
}

impl Gate {
    /// Decides whether a tenant may use a dimension, `quantity` of it in total if it is counted.
    ///
    /// # Errors
    ///
    /// Fails when Stallkeeper does not answer and no answer is cached.
    pub async fn ask(
        &self,
        stallkeeper: &Stallkeeper,
        now: Timestamp,
        (tenant, dimension, quantity): (&str, &str, Option<u64>),
    ) -> Result<Decision, CallFailed> {
        let question = Question { tenant: tenant.to_owned(), dimension: dimension.to_owned(), quantity };
        let known = self.lock().get(&question).cloned();
        if let Some(answer) = known.as_ref().filter(|answer| now.duration_since(answer.asked_at) < FRESH) {
            return Ok(answer.decision.clone());
        }
        match (stallkeeper.decide(tenant, dimension, quantity).await, known) {
            (Ok(decision), _) => {
                let mut answers = self.lock();
                answers.retain(|_, answer| now.duration_since(answer.at) < LAST_KNOWN);
                answers.insert(question, Answer { decision: decision.clone(), at: now, asked_at: now });
                Ok(decision)
            }
            (Err(error @ CallFailed::NoAnswer(_)), Some(last)) if now.duration_since(last.at) < LAST_KNOWN => {
                tracing::warn!(%error, tenant, dimension, "the last known answer counts");
                self.lock().insert(question, Answer { asked_at: now, ..last.clone() });
                Ok(last.decision)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Removes the cached answers of a tenant, after it got a license.
    pub fn forget(&self, tenant: &str) {
        self.lock().retain(|question, _| question.tenant != tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Question, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

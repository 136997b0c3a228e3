//! The cache of decisions: whether a tenant may use a dimension.
//!
//! An answer is kept for a minute, so that a busy page does not send a request for each click. If Stallkeeper does not
//! answer, the last known answer applies for a day, so that an outage takes nothing from paying tenants.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::stallkeeper::{CallFailed, Decision, Stallkeeper};

/// The time for which an answer applies without a new request. Access that ends is locked at most this much later.
const REFRESH_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// The time for which an answer applies while there is no newer one.
const FALLBACK_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The cached decisions.
#[derive(Debug, Default)]
pub struct DecisionCache(Mutex<HashMap<DecisionKey, CachedDecision>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct DecisionKey {
    tenant: String,
    dimension: String,
    quantity: Option<u64>,
}

#[derive(Debug, Clone)]
struct CachedDecision {
    decision: Decision,
    at: Timestamp,
    /// The time of the last request. While Stallkeeper does not answer, a user waits for it at most once a minute.
    requested_at: Timestamp,
}

impl DecisionCache {
    /// Decides whether a tenant may use a dimension, `quantity` of it in total if it is counted.
    ///
    /// # Errors
    ///
    /// Fails when Stallkeeper does not answer and no answer is cached.
    pub async fn decide(
        &self,
        stallkeeper: &Stallkeeper,
        now: Timestamp,
        (tenant, dimension, quantity): (&str, &str, Option<u64>),
    ) -> Result<Decision, CallFailed> {
        let key = DecisionKey { tenant: tenant.to_owned(), dimension: dimension.to_owned(), quantity };
        let known = self.lock().get(&key).cloned();
        if let Some(answer) = known.as_ref().filter(|answer| now.duration_since(answer.requested_at) < REFRESH_INTERVAL)
        {
            return Ok(answer.decision.clone());
        }
        match (stallkeeper.decide(tenant, dimension, quantity).await, known) {
            (Ok(decision), _) => {
                let mut cached = self.lock();
                cached.retain(|_, answer| now.duration_since(answer.at) < FALLBACK_LIFETIME);
                cached.insert(key, CachedDecision { decision: decision.clone(), at: now, requested_at: now });
                Ok(decision)
            }
            (Err(error @ CallFailed::NoAnswer(_)), Some(last)) if now.duration_since(last.at) < FALLBACK_LIFETIME => {
                tracing::warn!(%error, tenant, dimension, "the last known answer counts");
                self.lock().insert(key, CachedDecision { requested_at: now, ..last.clone() });
                Ok(last.decision)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Removes the cached answers of a tenant, after it got a license.
    pub fn remove(&self, tenant: &str) {
        self.lock().retain(|key, _| key.tenant != tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DecisionKey, CachedDecision>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

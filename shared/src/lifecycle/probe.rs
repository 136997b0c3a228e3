//! Probes: licenses that the seller makes to see its application take a buyer in.

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use crate::entitlement::{Entitlement, Value};
use crate::ids::LicenseId;
use crate::license::{License, LicenseEvent, SeenInForce};
use crate::listing::Listing;
use crate::registration::{Door, HANDOFF_LIFE, Handoff, SecretHash};
use crate::store::{Also, Change, Store, StoreError};

/// How long a probe is there.
const PROBE_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// Makes a probe of a listing: a license that is in force, and grants one of whatever can be held. Its handoff goes with it.
///
/// # Errors
///
/// When the table does not answer.
pub async fn make_probe(
    store: &Store,
    listing: &Listing,
    (code, session): (SecretHash, SecretHash),
    door: Door,
) -> Result<License, StoreError> {
    let now = store.clock().now();
    let id = LicenseId::probe(Ulid::from_datetime(now.into()));
    let mut probe = License::new(id.clone(), listing.product_code.clone());
    probe.hear(LicenseEvent::SeenInForce(SeenInForce { agreement: None, starts_at: Some(now), at: now }));
    let granted = listing.dimensions.iter().filter(|dimension| dimension.is_entitled());
    probe.entitlements = granted
        .map(|dimension| Entitlement { dimension: dimension.key.clone(), value: Value::Integer(1), expires_at: None })
        .collect();
    probe.entitlements_read_at = Some(now);
    probe.expires_at = now.checked_add(PROBE_LIFE).ok().map(Timestamp::as_second);
    let expires_at = store.clock().seconds().saturating_add(HANDOFF_LIFE.as_secs());
    let handoff = Handoff { license: id.clone(), session, door, expires_at, redeemed: None };
    let handoff = Also::Handoff(code, handoff);
    let made = |_| Some(Change { license: probe.clone(), told: Vec::new(), also: vec![handoff.clone()] });
    Ok(store.change_license(&id, made).await?.unwrap_or(probe.clone()))
}

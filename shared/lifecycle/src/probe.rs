//! Probes: licenses that the seller creates to test how its application receives a buyer.

use domain::entitlement::{Entitlement, Value};
use domain::ids::LicenseId;
use domain::license::{License, LicenseEvent, ObservedInForce};
use domain::listing::Listing;
use domain::registration::{EntryPoint, HANDOFF_LIFETIME, Handoff, Secret, Session};
use jiff::{SignedDuration, Timestamp};
use store::{Also, Change, Store, StoreError};
use ulid::Ulid;

/// The lifetime of a probe.
const PROBE_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// A license for testing a stack and an application as a buyer uses them.
#[derive(Debug)]
pub struct Probe {
    /// The license.
    pub license: License,
    /// The handoff code for the application.
    pub code: Secret,
    /// The secret of the probe's session on the registration page.
    pub session: Secret,
}

/// Creates a probe of a listing: a license that is in force and grants one unit of every entitled dimension, with a
/// session on the registration page and a handoff to a page of the application.
///
/// # Errors
///
/// Fails when the table or the system's random source does not answer.
pub async fn create_probe(store: &Store, listing: &Listing, entry_point: EntryPoint) -> Result<Probe, StoreError> {
    let random = || Secret::random().map_err(|error| StoreError::Unavailable(Box::new(error)));
    let (code, session) = (random()?, random()?);
    let now = store.clock().now();
    let id = LicenseId::probe(Ulid::from_datetime(now.into()));
    let mut probe = License::new(id.clone(), listing.product_code.clone());
    probe.apply(LicenseEvent::ObservedInForce(ObservedInForce { agreement: None, starts_at: Some(now), at: now }));
    let granted = listing.dimensions.iter().filter(|dimension| dimension.is_entitled());
    probe.entitlements = granted
        .map(|dimension| Entitlement { dimension: dimension.key.clone(), value: Value::Integer(1), expires_at: None })
        .collect();
    probe.entitlements_read_at = Some(now);
    probe.expires_at = now.checked_add(PROBE_LIFETIME).ok().map(Timestamp::as_second);
    // A code is valid as long as its session has made no newer one.
    let ends_at = store.clock().seconds().saturating_add(HANDOFF_LIFETIME.as_secs());
    let handoff =
        Handoff { license: id.clone(), session: session.hash(), entry_point, expires_at: ends_at, redeemed: None };
    let handoff = Also::Handoff(code.hash(), handoff);
    let made = |_| Some(Change { license: probe.clone(), events: Vec::new(), also: vec![handoff.clone()] });
    let license = store.change_license(&id, made).await?.unwrap_or(probe.clone());
    let visit = Session {
        license: id,
        product: listing.product_code.clone(),
        ends_at,
        expires_at: ends_at,
        handoff: Some(code.hash()),
    };
    store.open_session(&session, &visit).await?;
    Ok(Probe { license, code, session })
}

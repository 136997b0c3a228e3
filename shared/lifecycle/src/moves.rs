//! The move of a buyer from a customer key to a license key.
//!
//! Usage changes its key by the clock alone ([`Moving::key_of`]). This module does the rest: the license takes over
//! tenant and access after AWS was asked. `license_updates` ends one key by an ending that is known of the other.

use crate::license_updates::{
    LicenseUpdate, apply_agreement_observation, cancel_move, follow_other_key, return_to_customer_key,
};
use crate::succession::{change, follow_agreement, inherit, licenses_following};
use domain::ids::LicenseId;
use domain::license::{License, LicenseEvent, Moving, ObservedInForce, Succession};
use domain::metering::window_closes_of;
use jiff::{SignedDuration, Timestamp};
use marketplace::{DescribedAgreement, Marketplace, MarketplaceError};
use store::{Store, StoreError};

/// The time before AWS's window for a move's first hour closes, from which the move no longer waits for AWS to report
/// the status of the agreement.
const GIVE_UP_BEFORE_CLOSE: SignedDuration = SignedDuration::from_hours(4);

/// An error of a move. A planned move stays planned, and the next run continues it.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// AWS did not report the status of the agreement; see [`MarketplaceError`].
    #[error(transparent)]
    Marketplace(#[from] MarketplaceError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Creates the row of the license that a customer key moves to, and links the two rows. Before the move the license
/// waits, and has no tenant and no usage of its own.
pub(super) async fn prepare_move(store: &Store, old: &License, moving: &Moving) -> Result<License, StoreError> {
    let license = change(store, moving.arn.id(), &old.product, |license| {
        license.complete_buyer(Some(&moving.account), Some(&moving.arn));
        license.registered_agreement.get_or_insert_with(|| moving.agreement.clone());
        license.predecessor.get_or_insert_with(|| old.id.clone());
        if license.metered_from.is_none() || license.first_active().is_none() {
            license.metered_from = Some(moving.at);
        }
    })
    .await?;
    let license = follow_agreement(store, license).await?;
    follow_other_key(store, &license).await?;
    Ok(license)
}

/// Moves a buyer from a customer key to a license key, if the move is due. A repeated call changes nothing.
///
/// AWS is asked for the status of the agreement (DescribeAgreement). The license starts, with the tenant and the
/// entitlements, before the customer key ends, so that the tenant is never without either. If the agreement has ended,
/// the license ends with it and never starts. A buyer who has subscribed again since then stays with the customer key,
/// or returns to it if the license had an hour. While AWS does not answer, the customer key keeps tenant and access,
/// until four hours before AWS would refuse the waiting usage. Then the move is made as the seller planned it. The last
/// hour of the customer key is the one before the move.
///
/// # Errors
///
/// Fails when AWS or the table does not answer. Some of the changes may be written then; a repeated call makes the
/// rest.
pub async fn move_if_due(store: &Store, marketplace: &Marketplace, id: &LicenseId) -> Result<(), MoveError> {
    let now = store.clock().now();
    let Some((old, moving)) = planned(store, id).await?.filter(|(_, moving)| moving.due_at() <= now) else {
        return Ok(());
    };
    if old.first_active().is_none() {
        return Ok(cancel_move(store, id, &moving, "the customer key was never in force").await?);
    }
    let license = store.license(moving.arn.id()).await?;
    let has_ended = license.is_some_and(|license| license.state_at(now).has_ended());
    // If the license is known to have ended, AWS is not asked: a buyer who returns need not wait for its answer.
    let described = if has_ended { None } else { ask_aws(marketplace, id, &moving, now).await? };
    let mut ending = described.as_ref().and_then(|described| described.ending(&moving.agreement, now));
    if let Some(ending) = &mut ending {
        // AWS reports that the agreement has ended, and the customer key may know the time.
        let left = ending.starts_at.and_then(|began| old.unsubscribed_since(began));
        ending.observed.at = left.unwrap_or(ending.observed.at).min(ending.observed.at);
        apply_agreement_observation(store, ending).await?;
    }
    let target = prepare_move(store, &old, &moving).await?;
    // AWS's answer about the agreement may have ended the customer key, and so cancelled the move.
    let Some((old, moving)) = planned(store, id).await? else { return Ok(()) };
    let ended_at = target.usage_until().or(ending.as_ref().map(|ending| ending.observed.at));
    if ended_at.is_some_and(|ended_at| ended_at < moving.at.start()) && !old.state_at(now).has_ended() {
        return Ok(cancel_move(store, id, &moving, "the license that it moves to has ended").await?);
    }
    let in_force = (ending.is_none() && !has_ended).then(|| ObservedInForce {
        agreement: Some(moving.agreement.clone()),
        // It lifts no ending: an ending before the hour of the move counts, no matter when its event arrives.
        starts_at: described.and_then(|described| described.starts_at),
        at: moving.at.start(),
    });
    start_license(store, &old, &moving, in_force).await?;
    end_customer_key(store, &old, &moving).await?;
    tracing::info!(license = %id, moved_to = %moving.arn.id(), from = %moving.at, "Moved a buyer to a license key");
    Ok(return_to_customer_key(store, id).await?)
}

/// Asks AWS for the status of a move's agreement. Returns `None` if AWS does not show the agreement, or if AWS does not
/// answer and the move waits no longer.
async fn ask_aws(
    marketplace: &Marketplace,
    id: &LicenseId,
    moving: &Moving,
    now: Timestamp,
) -> Result<Option<DescribedAgreement>, MarketplaceError> {
    match marketplace.agreement(&moving.agreement).await {
        Err(error) if now >= waits_until(moving) => {
            let error = domain::errors::chain(&error);
            tracing::error!(license = %id, error, "Failed to read the agreement; moving the buyer as planned");
            Ok(None)
        }
        answer => answer,
    }
}

/// Reads a customer key and its planned move, as the table has them at this moment; `None` if no move is planned.
async fn planned(store: &Store, id: &LicenseId) -> Result<Option<(License, Moving)>, StoreError> {
    let old = store.license(id).await?;
    Ok(old.and_then(|old| Some((old.clone(), old.moving.filter(Moving::is_planned)?))))
}

/// Returns the moment until which a move waits for AWS to answer.
fn waits_until(moving: &Moving) -> Timestamp {
    let closes = window_closes_of(moving.at);
    closes.checked_sub(GIVE_UP_BEFORE_CLOSE).unwrap_or(closes)
}

/// Gives the license tenant and entitlements, if it has none yet, and puts it in force, if it is not known to have
/// been.
async fn start_license(
    store: &Store,
    old: &License,
    moving: &Moving,
    in_force: Option<ObservedInForce>,
) -> Result<(), StoreError> {
    let agreement = store.agreement(&moving.agreement).await?;
    let license = change(store, moving.arn.id(), &old.product, |license| {
        license.tenant = license.tenant.take().or_else(|| old.tenant.clone());
        if license.entitlements_read_at.is_none() {
            license.entitlements.clone_from(&old.entitlements);
            license.entitlements_read_at = old.entitlements_read_at;
        }
        if let Some(in_force) = in_force.as_ref().filter(|_| license.first_active().is_none()) {
            license.apply(LicenseEvent::ObservedInForce(in_force.clone()));
        }
        if let Some(agreement) = &agreement {
            license.follow(agreement);
        }
    })
    .await?;
    follow_agreement(store, license).await.map(drop)
}

async fn end_customer_key(store: &Store, old: &License, moving: &Moving) -> Result<(), StoreError> {
    let (now, begins) = (store.clock().now(), moving.at.start());
    let last_moment = begins.checked_sub(SignedDuration::from_secs(1)).unwrap_or(begins);
    let succession = Succession { undated: false, at: last_moment, by: moving.arn.id().clone(), from: None };
    let done = |license: Option<License>| {
        let mut license = license.filter(|license| license.moving.as_ref() == Some(moving))?;
        license.moving = Some(Moving { done_at: Some(now), ..moving.clone() });
        license.succeed(succession.clone());
        Some(license.into())
    };
    match store.change_license(&old.id, done).await? {
        Some(old) => inherit(store, &old, succession).await,
        None => Ok(()),
    }
}

/// The relation of a license that the table does not know to a license that a buyer moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continues {
    /// Its agreement renews or replaces the agreement of a license that its buyer moved to.
    Yes,
    /// Its buyer has moved, and nothing is known of its agreement yet.
    NotYetKnown,
    /// The license is not related to a license that a buyer moved to.
    No,
}

/// Determines whether a license of a listing that is keyed by customer continues one that its buyer has moved to. Any
/// other license would duplicate the buyer's customer key.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn continues_moved_license(store: &Store, update: &LicenseUpdate) -> Result<Continues, StoreError> {
    let is_moved = |license: &License| {
        license.product == update.product && license.predecessor.as_ref().is_some_and(LicenseId::is_legacy)
    };
    let agreement = update.event.as_ref().and_then(LicenseEvent::agreement);
    let (Some(agreement), Some(account)) = (agreement, &update.account) else { return Ok(Continues::No) };
    let theirs = store.licenses_of_account(account, None, 100).await?.licenses;
    if !theirs.iter().any(is_moved) {
        return Ok(Continues::No);
    }
    let Some(row) = store.agreement(agreement).await? else { return Ok(Continues::NotYetKnown) };
    let Some(previous) = &row.previous else { return Ok(Continues::No) };
    let continued = licenses_following(store, previous).await?;
    let line = |license: &License| license.product == update.product && !license.id.is_legacy();
    Ok(if continued.iter().any(line) { Continues::Yes } else { Continues::No })
}

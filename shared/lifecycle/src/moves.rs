//! The move of a buyer from a customer key to a license key, and the synchronization of the two keys.
//!
//! Usage changes its key by the clock alone ([`Moving::key_of`]). This module does the rest: the license takes over
//! tenant and access after AWS was asked, and an ending that is known of one key ends the other.

use super::{LicenseUpdate, apply_agreement_observation, change, follow_agreement, inherit, licenses_following};
use domain::agreement::{Agreement, AgreementObservation, AgreementStatus, ObservedStatus};
use domain::ids::LicenseId;
use domain::license::{License, LicenseEvent, Moving, ObservedInForce, Return, Succession};
use domain::metering::window_closes_of;
use domain::time::UsageHour;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use marketplace::{DescribedAgreement, Marketplace, MarketplaceError};
use store::{Store, StoreError};

/// The time before AWS's window for a move's first hour closes, from which the move no longer waits for AWS to report
/// the status of the agreement.
const GIVE_UP_BEFORE_CLOSE: SignedDuration = SignedDuration::from_hours(4);

/// The longest time from the start of an agreement to its `subscribe-success`.
const MAX_SUBSCRIBE_DELAY: SignedDuration = SignedDuration::from_hours(1);

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

async fn cancel_move(store: &Store, id: &LicenseId, moving: &Moving, why: &str) -> Result<(), StoreError> {
    let now = store.clock().now();
    let cancelled = |license: Option<License>| {
        let mut license = license.filter(|license| license.moving.as_ref() == Some(moving))?;
        license.moving = Some(Moving { cancelled_at: Some(now), ..moving.clone() });
        Some(license.into())
    };
    store.change_license(id, cancelled).await?;
    tracing::error!(license = %id, to = %moving.arn.id(), why, "Cancelled the move of a buyer to a license key");
    Ok(())
}

/// Updates the other key of a buyer who moves, or has moved, after a change of this one. An ending that is known of one
/// key, from any kind of event, ends the other.
///
/// # Errors
///
/// Fails when the table does not answer.
pub(super) fn follow_other_key<'a>(store: &'a Store, license: &'a License) -> BoxFuture<'a, Result<(), StoreError>> {
    async move {
        match (&license.moving, &license.predecessor) {
            (Some(moving), _) => customer_key_changed(store, license, moving).await,
            (None, Some(old)) if old.is_legacy() => match store.license(old).await? {
                Some(old) => license_changed(store, &old, license).await,
                None => Ok(()),
            },
            (None, _) => Ok(()),
        }
    }
    .boxed()
}

/// Ends the agreement of a buyer who unsubscribed by the customer key. For a buyer who has moved, this applies even if
/// the buyer has subscribed again.
async fn customer_key_changed(store: &Store, old: &License, moving: &Moving) -> Result<(), StoreError> {
    let license = store.license(moving.arn.id()).await?;
    let followed = license.as_ref().and_then(License::agreement).unwrap_or(&moving.agreement);
    let agreement = store.agreement(followed).await?;
    let began = agreement.as_ref().and_then(|agreement| agreement.starts_at);
    let left = match moving.is_in_effect() {
        true => old.unsubscribed_since(began.unwrap_or(moving.at.start())),
        false => began.and_then(|began| old.unsubscribed_since(began)).or(old.own_end_at()),
    };
    // The buyer's unsubscription is the exact time of an ending that AWS showed only later.
    let ended_at = agreement.as_ref().and_then(Agreement::ended_at);
    if let Some(at) = left.filter(|left| ended_at.is_none_or(|ended_at| *left < ended_at)) {
        let observed = ObservedStatus { observed_at: store.clock().now(), status: AgreementStatus::Cancelled, at };
        let observation =
            AgreementObservation { agreement: followed.clone(), observed, previous: None, starts_at: None };
        apply_agreement_observation(store, &observation).await?;
    }
    return_to_customer_key(store, &old.id).await
}

/// Ends the customer key of a buyer whose agreement ended before the move was made. If the buyer has subscribed again
/// since then, which is another agreement, the move is cancelled instead.
async fn license_changed(store: &Store, old: &License, license: &License) -> Result<(), StoreError> {
    let Some(moving) = old.moving.as_ref().filter(|moving| moving.arn.id() == &license.id) else { return Ok(()) };
    let ended_at = license.agreement_ended_at();
    if let Some(at) = ended_at.filter(|at| moving.agreement_ended_at.is_some_and(|known| known != *at)) {
        set_agreement_end(store, &old.id, at).await?;
    }
    if moving.done_at.is_some() {
        return return_to_customer_key(store, &old.id).await;
    }
    let Some(at) = ended_at.filter(|_| moving.is_planned()) else { return Ok(()) };
    if has_subscribed_again(store, old, moving, at).await? {
        return match at < moving.at.start() {
            true => cancel_move(store, &old.id, moving, "the buyer has another agreement").await,
            // The license bills the hours until then: the move is made, and the buyer returns.
            false => Ok(()),
        };
    }
    if old.own_end_at().is_none() { set_agreement_end(store, &old.id, at).await } else { Ok(()) }
}

/// Writes the time at which the agreement behind a customer key ended.
async fn set_agreement_end(store: &Store, id: &LicenseId, at: Timestamp) -> Result<(), StoreError> {
    let left = |row: Option<License>| {
        let mut row = row?;
        row.moving.as_mut()?.agreement_ended_at = Some(at);
        Some(row.into())
    };
    store.change_license(id, left).await.map(drop)
}

/// Returns `true` if a customer key is in force by a later subscription than the one whose agreement a move named.
async fn has_subscribed_again(
    store: &Store,
    old: &License,
    moving: &Moving,
    ended_at: Timestamp,
) -> Result<bool, StoreError> {
    let Some(subscribed) = &old.history.subscribed else { return Ok(false) };
    if subscribed.at > ended_at {
        return Ok(true);
    }
    let agreement = store.agreement(&moving.agreement).await?;
    let started = agreement.and_then(|agreement| agreement.starts_at);
    Ok(started.is_some_and(|started| subscribed.at.duration_since(started) > MAX_SUBSCRIBE_DELAY))
}

/// Puts the customer key in force again for a buyer who has moved, left and subscribed again. The new subscription has
/// an agreement and a license of its own.
async fn return_to_customer_key(store: &Store, id: &LicenseId) -> Result<(), StoreError> {
    let now = store.clock().now();
    let Some(old) = store.license(id).await? else { return Ok(()) };
    let Some(moving) = old.moving.as_ref().filter(|moving| moving.is_in_effect()) else { return Ok(()) };
    let license = store.license(moving.arn.id()).await?;
    let Some(left) = license.and_then(|license| license.own_end_at()) else { return Ok(()) };
    let again = |row: Option<License>| {
        let mut row = row.filter(|row| row.moving.as_ref() == Some(moving))?;
        let at = row.history.subscribed.as_ref().map(|subscribed| subscribed.at).filter(|at| *at > left)?;
        // The hours up to this one may have records under the license.
        let metered_from = UsageHour::of(at.max(now)).next();
        row.history.succeeded = None;
        row.metered_from = Some(metered_from);
        row.moving = Some(Moving { returned: Some(Return { at, noted_at: now, metered_from }), ..moving.clone() });
        Some(row.into())
    };
    store.change_license(id, again).await.map(drop)
}

/// The relation of a license that the table does not know to a license that a buyer moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continues {
    /// Its agreement renews or replaces the agreement of a license that its buyer moved to.
    Yes,
    /// Its buyer has moved, and nothing is known of its agreement yet.
    NotYetKnown,
    /// It is not related to a license that a buyer moved to.
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

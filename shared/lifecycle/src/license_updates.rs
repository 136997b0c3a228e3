//! The changes of licenses: by their own events, by their agreements, and by the other key of a buyer who moves.
//!
//! These call each other. An ending of one key of a moving buyer is an observation of the agreement behind the other
//! key, which updates the licenses that follow the agreement.

use std::collections::BTreeSet;

use domain::agreement::{Advisory, Agreement, AgreementEvent, AgreementObservation, AgreementStatus, ObservedStatus};
use domain::evidence::EvidenceKind;
use domain::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode};
use domain::license::{License, LicenseEvent, Moving, Purchase, Return, State};
use domain::listing::{Listing, Mode};
use domain::time::UsageHour;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use jiff::{SignedDuration, Timestamp};
use store::{Store, StoreError};

use crate::succession::{change, follow_agreement, following, hand_over};

/// The longest time from the start of an agreement to its `subscribe-success`.
const MAX_SUBSCRIBE_DELAY: SignedDuration = SignedDuration::from_hours(1);

/// A license event, with the details that it carries about the license and its buyer.
#[derive(Debug, Clone)]
pub struct LicenseUpdate {
    /// The license.
    pub license: LicenseId,
    /// Its product.
    pub product: ProductCode,
    /// Its ARN, in any form.
    pub arn: Option<LicenseArn>,
    /// The buyer's account.
    pub account: Option<AccountId>,
    /// The buyer's key in a legacy product.
    pub customer: Option<CustomerIdentifier>,
    /// The event; `None` if the message shows only that the license exists.
    pub event: Option<LicenseEvent>,
}

/// Applies an update of one license, and returns the license as it then is.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn apply_license_update(store: &Store, update: &LicenseUpdate) -> Result<License, StoreError> {
    let license = change(store, &update.license, &update.product, |license| {
        license.customer = license.customer.take().or_else(|| update.customer.clone());
        license.complete_buyer(update.account.as_ref(), update.arn.as_ref());
        if let Some(event) = &update.event {
            license.apply(event.clone());
        }
    })
    .await?;
    let activated_at = update.event.as_ref().and_then(LicenseEvent::activated_at);
    let came_into_force =
        license.state == State::Active && activated_at.is_some() && activated_at == license.history.first_active;
    let noted = async {
        if came_into_force {
            store.note_evidence(&update.product, EvidenceKind::LicenseActivated).await;
        }
    };
    let license = join(Box::pin(follow_agreement(store, license)), noted).await.0?;
    follow_other_key(store, &license).await?;
    Ok(license)
}

/// Applies a buyer's registration, and returns the license as it then is.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn register(store: &Store, purchase: &Purchase) -> Result<License, StoreError> {
    let now = store.clock().now();
    let license =
        change(store, &purchase.license, &purchase.product, |license| license.register(purchase, now)).await?;
    let license = follow_agreement(store, license).await?;
    // A buyer who has moved to a license key may return by the customer key too.
    let moved = license.moving.as_ref().filter(|moving| moving.is_in_effect());
    match moved {
        Some(moving) => Ok(store.license(moving.arn.id()).await?.unwrap_or(license)),
        None => Ok(license),
    }
}

/// Applies an event of an agreement: writes the agreement, then updates the licenses that follow it. Returns the
/// products of those licenses.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn apply_agreement_event(store: &Store, event: &AgreementEvent) -> Result<BTreeSet<ProductCode>, StoreError> {
    let agreement = store.change_agreement(&event.agreement, |agreement| agreement.apply(event)).await?;
    update_licenses(store, &agreement).await
}

/// Applies an observation of an agreement, as [`apply_agreement_event`] applies an event.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn apply_agreement_observation(store: &Store, observation: &AgreementObservation) -> Result<(), StoreError> {
    let agreement = store.change_agreement(&observation.agreement, |agreement| agreement.observe(observation)).await?;
    update_licenses(store, &agreement).await.map(drop)
}

/// Applies AWS's advisory about an agreement's buyer: writes it, and shows it on the licenses.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn apply_advisory(store: &Store, id: &AgreementId, advisory: &Advisory) -> Result<(), StoreError> {
    let agreement = store.change_agreement(id, |agreement| agreement.advisory.apply(advisory)).await?;
    update_licenses(store, &agreement).await.map(drop)
}

/// Updates the licenses that were ever linked to an agreement. The row of the agreement must be written before. Returns
/// the products of the licenses.
async fn update_licenses(store: &Store, agreement: &Agreement) -> Result<BTreeSet<ProductCode>, StoreError> {
    let mut products = BTreeSet::new();
    for license in store.licenses_of_agreement(&agreement.id).await? {
        let follow = |license: Option<License>| license.map(|license| following(license, agreement));
        if let Some(license) = store.change_license(&license, follow).await? {
            follow_other_key(store, &license).await?;
            products.insert(license.product);
        }
    }
    if let Some(previous) = &agreement.previous {
        store.change_agreement(previous, |previous| previous.apply_successor(&agreement.id)).await?;
        hand_over(store, previous, &agreement.id).await?;
    }
    Ok(products)
}

/// Returns `true` if an update is in the style of its listing. An update in the other style belongs to a product that
/// is moving, and must not create a duplicate license.
pub fn fits(listing: &Listing, update: &LicenseUpdate) -> bool {
    match listing.mode {
        Mode::License => update.arn.is_some(),
        Mode::Customer => update.customer.is_some(),
    }
}

/// Updates the other key of a buyer who moves, or has moved, after a change of this one. An ending that is known of one
/// key, from any kind of event, ends the other.
///
/// # Errors
///
/// Fails when the table does not answer.
pub(crate) fn follow_other_key<'a>(store: &'a Store, license: &'a License) -> BoxFuture<'a, Result<(), StoreError>> {
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
pub(crate) async fn return_to_customer_key(store: &Store, id: &LicenseId) -> Result<(), StoreError> {
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

/// Cancels the planned move of a customer key.
pub(crate) async fn cancel_move(store: &Store, id: &LicenseId, moving: &Moving, why: &str) -> Result<(), StoreError> {
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

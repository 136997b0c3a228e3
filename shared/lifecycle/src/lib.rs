//! The application of events and registrations to the table.
//!
//! Each function applies one event and brings every license that it concerns up to date. A function may be called again
//! with the same event, at any time and in any order: the row keeps the newest event of each kind, and a write holds
//! only if the row is still the one that the write was computed from.

mod customers;
mod moves;
mod probe;
pub mod reconcile;
mod tenants;

use domain::agreement::{Advisory, Agreement, AgreementEvent, AgreementObservation};
use domain::evidence::EvidenceKind;
use domain::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode};
use domain::license::{License, LicenseEvent, Purchase, State, Succession};
use domain::listing::{Listing, Mode};
use futures_util::future::join;
use jiff::Timestamp;
use marketplace::{Grants, Marketplace, MarketplaceError};
use moves::follow_other_key;
use std::collections::BTreeSet;
use store::{Change, Store, StoreError};
use tenants::transfer;

pub use customers::{Customer, Imported, import};
pub use moves::{Continues, MoveError, continues_moved_license, move_if_due};
pub use probe::{Probe, create_probe};
pub use tenants::{Linking, erase_contact, link_tenant, move_license};

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

/// The result of reading a license's entitlements again.
#[derive(Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// AWS's answer is kept, or a newer one already was.
    Kept,
    /// AWS returned nothing for a license that has not ended. It may be too early: nothing was kept, and the caller
    /// must ask again later.
    EmptyTooEarly,
}

/// An error of refreshing entitlements. What was known before stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// See [`MarketplaceError`].
    #[error(transparent)]
    Marketplace(#[from] MarketplaceError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a license's entitlements from AWS and keeps them, unless the result of a read that started later was kept
/// already.
///
/// An empty answer for a license that has not ended is kept only if `accept_empty` is set, or if the license is known
/// to have been empty since it came into force: AWS may take minutes to show entitlements that were just bought.
///
/// # Errors
///
/// Fails when AWS or the table does not answer.
pub async fn refresh_entitlements(
    store: &Store,
    marketplace: &Marketplace,
    license: &License,
    accept_empty: bool,
) -> Result<Refreshed, RefreshError> {
    let began = store.clock().now();
    let grants = marketplace.grants(license).await?;
    let read = store.note_evidence(&license.product, EvidenceKind::EntitlementRead);
    let kept = Box::pin(keep_entitlements(store, license, began, grants, accept_empty));
    let (refreshed, ()) = join(kept, read).await;
    Ok(refreshed?)
}

async fn keep_entitlements(
    store: &Store,
    license: &License,
    began: Timestamp,
    Grants { entitlements, arn }: Grants,
    accept_empty: bool,
) -> Result<Refreshed, StoreError> {
    let has_ended = license.state_at(began).has_ended();
    let read_in_force = license.active_since().is_some_and(|since| license.entitlements_read_at >= Some(since));
    let known_empty = license.entitlements.is_empty() && read_in_force;
    if entitlements.is_empty() && !has_ended && !accept_empty && !known_empty {
        return Ok(Refreshed::EmptyTooEarly);
    }
    let mut is_change = false;
    let kept = store.change_license(&license.id, |license| {
        let mut license = license.filter(|license| license.entitlements_read_at.is_none_or(|read| read <= began))?;
        let is_beginning_or_end = license.entitlements.is_empty() || entitlements.is_empty();
        is_change = !is_beginning_or_end && license.entitlements != entitlements;
        license.entitlements.clone_from(&entitlements);
        license.entitlements_read_at = Some(began);
        license.complete_buyer(None, arn.as_ref());
        Some(license.into())
    });
    kept.await?;
    if is_change {
        store.note_evidence(&license.product, EvidenceKind::AgreementChanged).await;
    }
    Ok(Refreshed::Kept)
}

/// Returns `true` if an update is in the style of its listing. An update in the other style belongs to a product that
/// is moving, and must not create a duplicate license.
pub fn fits(listing: &Listing, update: &LicenseUpdate) -> bool {
    match listing.mode {
        Mode::License => update.arn.is_some(),
        Mode::Customer => update.customer.is_some(),
    }
}

/// Changes a license. Creates it if it was not known.
async fn change(
    store: &Store,
    id: &LicenseId,
    product: &ProductCode,
    mut apply: impl FnMut(&mut License),
) -> Result<License, StoreError> {
    let changed = store
        .change_license(id, |license| {
            let mut license = license.unwrap_or_else(|| License::new(id.clone(), product.clone()));
            apply(&mut license);
            Some(license.into())
        })
        .await?;
    Ok(changed.unwrap_or_else(|| License::new(id.clone(), product.clone())))
}

fn following(mut license: License, agreement: &Agreement) -> Change {
    license.follow(agreement);
    license.into()
}

/// Links a license to the agreement that it follows, and applies what is known of that agreement.
///
/// The order is: write the license's row, write the link, read the agreement. The writer of an agreement's event writes
/// the agreement first and reads the links then, so at least one of the two observes the write of the other.
async fn follow_agreement(store: &Store, license: License) -> Result<License, StoreError> {
    let Some(id) = license.agreement().cloned() else { return Ok(license) };
    store.link_to_agreement(&id, &license.id).await?;
    let Some(agreement) = store.agreement(&id).await? else { return Ok(license) };
    let followed = |license: Option<License>| license.map(|license| following(license, &agreement));
    store.change_license(&license.id, followed).await?;
    if let Some(previous) = &agreement.previous {
        hand_over(store, previous, &id).await?;
    }
    for next in &agreement.next {
        hand_over(store, &id, next).await?;
    }
    Ok(store.license(&license.id).await?.unwrap_or(license))
}

/// Hands over to the new license, if AWS made one for the next agreement: it inherits tenant and contact, and the old
/// one ends.
pub(crate) async fn hand_over(store: &Store, previous: &AgreementId, next: &AgreementId) -> Result<(), StoreError> {
    for old in licenses_following(store, previous).await? {
        for new in licenses_following(store, next).await? {
            let same_buyer = old.product == new.product && old.account == new.account;
            let in_force = new.first_in_force().filter(|_| same_buyer && old.id != new.id);
            let Some((at, undated)) = in_force else { continue };
            let from = Some(previous.clone());
            inherit(store, &old, Succession { undated, at, by: new.id.clone(), from }).await?;
        }
    }
    Ok(())
}

/// Returns the licenses that follow an agreement now.
async fn licenses_following(store: &Store, agreement: &AgreementId) -> Result<Vec<License>, StoreError> {
    let mut following = Vec::new();
    for id in store.licenses_of_agreement(agreement).await? {
        following.extend(store.license(&id).await?.filter(|license| license.agreement() == Some(agreement)));
    }
    Ok(following)
}

/// Writes the succession to the old license first. Then the new license inherits from the row as it then is: a tenant
/// that is linked meanwhile either is in that row, or its linking observes the successor.
async fn inherit(store: &Store, old: &License, succession: Succession) -> Result<(), StoreError> {
    let new = &succession.by;
    let succeeded = store
        .change_license(&old.id, |license| {
            let mut license = license?;
            license.succeed(succession.clone());
            Some(license.into())
        })
        .await?;
    let Some(old) = succeeded else { return Ok(()) };
    store
        .change_license(new, |license| {
            let mut license = license?;
            license.predecessor.get_or_insert_with(|| old.id.clone());
            license.registered_at = license.registered_at.or(old.registered_at);
            // An event may name the ARN only in a form that AWS does not accept.
            let arn = old.arn.as_ref().and_then(|arn| arn.of_sibling(&license.id));
            license.complete_buyer(old.account.as_ref(), arn.as_ref());
            Some(license.into())
        })
        .await?;
    if let Some(contact) = store.contact(&old.id).await? {
        store.inherit_contact(&contact, new).await?;
    }
    if let Some(tenant) = &old.tenant {
        // Along the whole line: the new license may have a successor already.
        Box::pin(link_tenant(store, new, tenant, None)).await?;
        // If an operator moved the old license meanwhile, the new one follows it.
        let moved = store.license(&old.id).await?.and_then(|old| old.tenant);
        if moved.as_ref() != Some(tenant) {
            transfer(store, new, tenant, moved.as_ref()).await?;
        }
    }
    Ok(())
}

//! The entitlements of licenses, as last read from AWS.

use domain::evidence::EvidenceKind;
use domain::license::License;
use futures_util::future::join;
use jiff::Timestamp;
use marketplace::{Grants, Marketplace, MarketplaceError};
use store::{Store, StoreError};

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

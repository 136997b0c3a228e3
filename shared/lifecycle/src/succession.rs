//! The agreement that a license follows, and the license that takes over from it.

use domain::agreement::Agreement;
use domain::ids::{AgreementId, LicenseId, ProductCode};
use domain::license::{License, Succession};
use store::{Change, Store, StoreError};

use crate::tenants::{link_tenant, transfer};

/// Changes a license. Creates it if it was not known.
pub(crate) async fn change(
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

/// Returns the change by which a license applies what is known of an agreement.
pub(crate) fn following(mut license: License, agreement: &Agreement) -> Change {
    license.follow(agreement);
    license.into()
}

/// Links a license to the agreement that it follows, and applies what is known of that agreement.
///
/// The order is: write the license's row, write the link, read the agreement. The writer of an agreement's event writes
/// the agreement first and reads the links then, so at least one of the two observes the write of the other.
pub(crate) async fn follow_agreement(store: &Store, license: License) -> Result<License, StoreError> {
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
pub(crate) async fn licenses_following(store: &Store, agreement: &AgreementId) -> Result<Vec<License>, StoreError> {
    let mut following = Vec::new();
    for id in store.licenses_of_agreement(agreement).await? {
        following.extend(store.license(&id).await?.filter(|license| license.agreement() == Some(agreement)));
    }
    Ok(following)
}

/// Writes the succession to the old license first. Then the new license inherits from the row as it then is: a tenant
/// that is linked meanwhile either is in that row, or its linking observes the successor.
pub(crate) async fn inherit(store: &Store, old: &License, succession: Succession) -> Result<(), StoreError> {
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

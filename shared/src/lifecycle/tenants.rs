//! Whose a license is: links to tenants, and the line of licenses that goes with one.

use crate::audit::AuditEntry;
use crate::ids::{LicenseId, ProductCode, TenantId};
use crate::license::License;
use crate::store::{Also, Change, Store, StoreError};

/// How an attempt to give a license to a tenant, or to take it away, went.
#[derive(Debug)]
pub enum Linking {
    /// It belongs to whom it was to, since now or before.
    Linked(Box<License>),
    /// It belongs to somebody else, and stays there. It is for this product.
    LinkedElsewhere(ProductCode),
    /// There is no such license.
    Unknown,
}

/// Links a license to a tenant, unless it belongs to another. A license that took over from it goes with it. If somebody
/// does so by hand, the entry says who.
///
/// # Errors
///
/// When the table does not answer.
pub async fn link_tenant(
    store: &Store,
    id: &LicenseId,
    tenant: &TenantId,
    entry: Option<&AuditEntry>,
) -> Result<Linking, StoreError> {
    give(store, id, (None, Some(tenant)), entry).await
}

/// Takes a license away from a tenant, and gives it to another or to none, with the licenses that it took over from and
/// that took over from it: a renewal must not bring the old tenant back. One that does not belong to that tenant stays
/// where it is. Done again it changes nothing.
///
/// # Errors
///
/// When the table does not answer. Some of the line may have changed then; done again the rest follows.
pub async fn move_license(
    store: &Store,
    id: &LicenseId,
    from: &TenantId,
    to: Option<&TenantId>,
    entry: &AuditEntry,
) -> Result<Linking, StoreError> {
    let Some(license) = store.license(id).await? else { return Ok(Linking::Unknown) };
    if license.tenant.as_ref() != Some(from) && license.tenant.as_ref() != to {
        return Ok(Linking::LinkedElsewhere(license.product));
    }
    // Oldest first, as `inherit` looks at them: whichever comes second sees the other's write.
    for member in line_of(store, &license).await? {
        let entry = (member == *id).then_some(entry);
        store.change_license(&member, |license| given(license, (Some(from), to), entry)).await?;
    }
    let Some(license) = store.license(id).await? else { return Ok(Linking::Unknown) };
    Ok(match license.tenant.as_ref() == to {
        true => Linking::Linked(Box::new(license)),
        false => Linking::LinkedElsewhere(license.product),
    })
}

/// Gives a license from one to another, each a tenant or none, and the licenses that took over from it too. Done again it
/// changes nothing.
pub(super) async fn give(
    store: &Store,
    id: &LicenseId,
    whose: (Option<&TenantId>, Option<&TenantId>),
    entry: Option<&AuditEntry>,
) -> Result<Linking, StoreError> {
    let (_, to) = whose;
    let changed = store.change_license(id, |license| given(license, whose, entry)).await?;
    let Some(license) = changed else { return Ok(Linking::Unknown) };
    if license.tenant.as_ref() != to {
        return Ok(Linking::LinkedElsewhere(license.product));
    }
    let mut seen = vec![id.clone()];
    let mut next = license.successor().cloned();
    while let Some(successor) = next.filter(|successor| !seen.contains(successor)) {
        let heir = store.change_license(&successor, |license| given(license, whose, None)).await?;
        let heir = heir.filter(|heir| heir.tenant.as_ref() == to);
        next = heir.and_then(|heir| heir.successor().cloned());
        seen.push(successor);
    }
    Ok(Linking::Linked(Box::new(license)))
}

/// A license that goes from one to another; none if it is not that one's.
fn given(
    license: Option<License>,
    (from, to): (Option<&TenantId>, Option<&TenantId>),
    entry: Option<&AuditEntry>,
) -> Option<Change> {
    let mut license = license.filter(|license| license.tenant.as_ref() == from && from != to)?;
    license.tenant = to.cloned();
    Some(Change { license, told: Vec::new(), also: entry.into_iter().cloned().map(Also::Audit).collect() })
}

/// A license, with those that it took over from before it and those that took over from it after it.
async fn line_of(store: &Store, license: &License) -> Result<Vec<LicenseId>, StoreError> {
    let mut line = vec![license.id.clone()];
    let mut before = license.predecessor.clone();
    while let Some(id) = before.filter(|id| !line.contains(id)) {
        before = store.license(&id).await?.and_then(|license| license.predecessor);
        line.insert(0, id);
    }
    let mut after = license.successor().cloned();
    while let Some(id) = after.filter(|id| !line.contains(id)) {
        after = store.license(&id).await?.and_then(|license| license.successor().cloned());
        line.push(id);
    }
    Ok(line)
}

/// Erases the contact of a license, and of those that it took over from or that took over from it: it is the same
/// person's. Answers whether there was one.
///
/// # Errors
///
/// When the table does not answer.
pub async fn erase_contact(store: &Store, license: &License, entry: &AuditEntry) -> Result<bool, StoreError> {
    store.erase_contacts(&line_of(store, license).await?, entry).await
}

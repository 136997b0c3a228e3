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

/// Links a license to a tenant, with the licenses that took over from it, unless one of its line belongs to another
/// tenant. If somebody does so by hand, the entry says who.
///
/// The newest license of the line decides: its row is written first, on condition that it is nobody's and still the
/// newest. So of two tenants that want licenses of one line at the same time, one gets all of it.
///
/// # Errors
///
/// When the table does not answer. Some of the line may have changed then; done again the rest follows.
pub async fn link_tenant(
    store: &Store,
    id: &LicenseId,
    tenant: &TenantId,
    entry: Option<&AuditEntry>,
) -> Result<Linking, StoreError> {
    loop {
        let Some(license) = store.license(id).await? else { return Ok(Linking::Unknown) };
        if !may_link(store, &license, tenant).await? {
            return Ok(Linking::LinkedElsewhere(license.product));
        }
        let heirs = heirs_of(store, &license).await?;
        // The line has grown meanwhile: another license decides.
        let Some(newest) = claim(store, &heirs, tenant, entry.filter(|_| heirs.newest == *id)).await? else { continue };
        let is_won = newest.tenant.as_ref() == Some(tenant);
        return match is_won {
            true if heirs.before.is_empty() => Ok(Linking::Linked(Box::new(newest))),
            true => follow_newest(store, id, &heirs, tenant, entry).await,
            // Each had a tenant before they were one line: both stay.
            false if license.tenant.as_ref() == Some(tenant) => Ok(Linking::Linked(Box::new(license))),
            false => Ok(Linking::LinkedElsewhere(license.product)),
        };
    }
}

/// Gives the newest license of a line to a tenant, if it is nobody's. Returns it as it then is; none if it is no longer the
/// newest.
async fn claim(
    store: &Store,
    heirs: &Heirs,
    tenant: &TenantId,
    entry: Option<&AuditEntry>,
) -> Result<Option<License>, StoreError> {
    let is_newest = |row: &License| row.successor() == heirs.next.as_ref();
    let claimed = |row: Option<License>| given(row.filter(is_newest), (None, Some(tenant)), entry);
    Ok(store.change_license(&heirs.newest, claimed).await?.filter(is_newest))
}

/// Gives a license, and those between it and the newest of its line, to the tenant that has won that.
async fn follow_newest(
    store: &Store,
    id: &LicenseId,
    heirs: &Heirs,
    tenant: &TenantId,
    entry: Option<&AuditEntry>,
) -> Result<Linking, StoreError> {
    for member in heirs.before.iter().rev() {
        let entry = entry.filter(|_| member == id);
        store.change_license(member, |row| given(row, (None, Some(tenant)), entry)).await?;
    }
    // Were the newest taken away by hand meanwhile, `move_license` may have passed the others before they were given.
    let owner = store.license(&heirs.newest).await?.and_then(|newest| newest.tenant);
    if owner.as_ref() != Some(tenant) {
        for member in &heirs.before {
            store.change_license(member, |row| given(row, (Some(tenant), owner.as_ref()), None)).await?;
        }
    }
    let Some(license) = store.license(id).await? else { return Ok(Linking::Unknown) };
    Ok(match license.tenant.as_ref() == Some(tenant) {
        true => Linking::Linked(Box::new(license)),
        false => Linking::LinkedElsewhere(license.product),
    })
}

/// Returns `true` if a license belongs to the tenant, or neither it nor a license of its line belongs to another.
pub(super) async fn may_link(store: &Store, license: &License, tenant: &TenantId) -> Result<bool, StoreError> {
    if let Some(owner) = &license.tenant {
        return Ok(owner == tenant);
    }
    let line = store.licenses(&line_of(store, license).await?).await?;
    Ok(line.iter().all(|member| member.tenant.as_ref().is_none_or(|owner| owner == tenant)))
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
    let mut entry = Some(entry);
    loop {
        let line = line_of(store, &license).await?;
        // Oldest first, as `inherit` looks at them: whichever comes second sees the other's write.
        for member in &line {
            let entry = entry.filter(|_| member == id);
            store.change_license(member, |license| given(license, (Some(from), to), entry)).await?;
        }
        // A link to the old tenant that began before the newest was moved may have written behind this.
        let is_left = |member: &License| member.tenant.as_ref() == Some(from) && to != Some(from);
        if !store.licenses(&line).await?.iter().any(is_left) {
            break;
        }
        entry = None;
    }
    let Some(license) = store.license(id).await? else { return Ok(Linking::Unknown) };
    Ok(match license.tenant.as_ref() == to {
        true => Linking::Linked(Box::new(license)),
        false => Linking::LinkedElsewhere(license.product),
    })
}

/// Gives a license from a tenant to another or to none, and the licenses that took over from it too. Done again it changes
/// nothing.
pub(super) async fn give(
    store: &Store,
    id: &LicenseId,
    from: &TenantId,
    to: Option<&TenantId>,
) -> Result<(), StoreError> {
    let Some(license) = store.license(id).await? else { return Ok(()) };
    let heirs = heirs_of(store, &license).await?;
    for member in heirs.before.iter().chain([&heirs.newest]) {
        store.change_license(member, |license| given(license, (Some(from), to), None)).await?;
    }
    Ok(())
}

/// A license that goes from one to another; none if it is not that one's.
fn given(
    license: Option<License>,
    (from, to): (Option<&TenantId>, Option<&TenantId>),
    entry: Option<&AuditEntry>,
) -> Option<Change> {
    let mut license = license.filter(|license| license.tenant.as_ref() == from && from != to)?;
    license.tenant = to.cloned();
    Some(Change { license, events: Vec::new(), also: entry.into_iter().cloned().map(Also::Audit).collect() })
}

/// A license and those that took over from it, one after the other.
struct Heirs {
    /// The newest: the license itself, if none took over from it.
    newest: LicenseId,
    /// Those before it, from the license on.
    before: Vec<LicenseId>,
    /// The successor that the newest names all the same: it has no row, or is one of the others.
    next: Option<LicenseId>,
}

async fn heirs_of(store: &Store, license: &License) -> Result<Heirs, StoreError> {
    let (mut newest, mut before) = (license.id.clone(), Vec::new());
    let mut next = license.successor().cloned();
    while let Some(id) = next.clone().filter(|id| *id != newest && !before.contains(id)) {
        let Some(successor) = store.license(&id).await? else { break };
        before.push(std::mem::replace(&mut newest, id));
        next = successor.successor().cloned();
    }
    Ok(Heirs { newest, before, next })
}

/// A license, with those that it took over from before it and those that took over from it after it.
async fn line_of(store: &Store, license: &License) -> Result<Vec<LicenseId>, StoreError> {
    let Heirs { newest, before: mut line, .. } = heirs_of(store, license).await?;
    line.push(newest);
    let mut before = license.predecessor.clone();
    while let Some(id) = before.filter(|id| !line.contains(id)) {
        before = store.license(&id).await?.and_then(|license| license.predecessor);
        line.insert(0, id);
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

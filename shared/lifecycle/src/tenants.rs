//! The tenants of licenses: links, and the line of licenses that a link includes.

use domain::audit::AuditEntry;
use domain::ids::{LicenseId, ProductCode, TenantId};
use domain::license::License;
use store::{Also, Change, Store, StoreError};

/// The result of linking a license to a tenant, or of unlinking it.
#[derive(Debug)]
pub enum Linking {
    /// The license belongs to the requested tenant, or to none if that was requested, since this call or an earlier
    /// one.
    Linked(Box<License>),
    /// The license belongs to another tenant, and stays there. The value is the license's product.
    LinkedElsewhere(ProductCode),
    /// The license does not exist.
    Unknown,
}

/// Links a license, and the licenses that took over from it, to a tenant, unless a license of its line belongs to
/// another tenant. For a manual link, `entry` names the operator.
///
/// The newest license of the line decides. Its row is written first, on the condition that it has no tenant and is
/// still the newest. If two tenants request licenses of one line at the same time, one of them gets the whole line.
///
/// # Errors
///
/// Fails when the table does not answer. Some of the line may have changed then; a repeated call changes the rest.
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
        let successors = successors_of(store, &license).await?;
        // The line has grown meanwhile: another license decides.
        let Some(newest) = claim(store, &successors, tenant, entry.filter(|_| successors.newest == *id)).await? else {
            continue;
        };
        let is_won = newest.tenant.as_ref() == Some(tenant);
        return match is_won {
            true if successors.before.is_empty() => Ok(Linking::Linked(Box::new(newest))),
            true => follow_newest(store, id, &successors, tenant, entry).await,
            // Each license had a tenant before they became one line: both keep theirs.
            false if license.tenant.as_ref() == Some(tenant) => Ok(Linking::Linked(Box::new(license))),
            false => Ok(Linking::LinkedElsewhere(license.product)),
        };
    }
}

/// Links the newest license of a line to a tenant, if it has none. Returns the license as it then is; `None` if it is
/// no longer the newest.
async fn claim(
    store: &Store,
    successors: &Successors,
    tenant: &TenantId,
    entry: Option<&AuditEntry>,
) -> Result<Option<License>, StoreError> {
    let is_newest = |row: &License| row.successor() == successors.next.as_ref();
    let claimed = |row: Option<License>| tenant_change(row.filter(is_newest), (None, Some(tenant)), entry);
    Ok(store.change_license(&successors.newest, claimed).await?.filter(is_newest))
}

/// Links a license, and those between it and the newest of its line, to the tenant that has won the newest.
async fn follow_newest(
    store: &Store,
    id: &LicenseId,
    successors: &Successors,
    tenant: &TenantId,
    entry: Option<&AuditEntry>,
) -> Result<Linking, StoreError> {
    for member in successors.before.iter().rev() {
        let entry = entry.filter(|_| member == id);
        store.change_license(member, |row| tenant_change(row, (None, Some(tenant)), entry)).await?;
    }
    // If an operator moved the newest license meanwhile, `move_license` may have passed the others before they were
    // linked.
    let owner = store.license(&successors.newest).await?.and_then(|newest| newest.tenant);
    if owner.as_ref() != Some(tenant) {
        for member in &successors.before {
            store.change_license(member, |row| tenant_change(row, (Some(tenant), owner.as_ref()), None)).await?;
        }
    }
    let Some(license) = store.license(id).await? else { return Ok(Linking::Unknown) };
    Ok(match license.tenant.as_ref() == Some(tenant) {
        true => Linking::Linked(Box::new(license)),
        false => Linking::LinkedElsewhere(license.product),
    })
}

/// Returns `true` if the license belongs to the tenant, or if neither it nor a license of its line belongs to another
/// tenant.
pub(super) async fn may_link(store: &Store, license: &License, tenant: &TenantId) -> Result<bool, StoreError> {
    if let Some(owner) = &license.tenant {
        return Ok(owner == tenant);
    }
    let line = store.licenses(&line_of(store, license).await?).await?;
    Ok(line.iter().all(|member| member.tenant.as_ref().is_none_or(|owner| owner == tenant)))
}

/// Takes a license from one tenant, and gives it to another or to none, with the licenses that it took over from and
/// that took over from it: a renewal must not bring the old tenant back. A license that does not belong to `from` stays
/// where it is. A repeated call changes nothing.
///
/// # Errors
///
/// Fails when the table does not answer. Some of the line may have changed then; a repeated call changes the rest.
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
        // Oldest first, in the order of `inherit`: the later of the two observes the write of the other.
        for member in &line {
            let entry = entry.filter(|_| member == id);
            store.change_license(member, |license| tenant_change(license, (Some(from), to), entry)).await?;
        }
        // A link to the old tenant that started before the newest license was moved may have been written after this
        // loop.
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

/// Moves a license, and the licenses that took over from it, from a tenant to another or to none. A repeated call
/// changes nothing.
pub(super) async fn transfer(
    store: &Store,
    id: &LicenseId,
    from: &TenantId,
    to: Option<&TenantId>,
) -> Result<(), StoreError> {
    let Some(license) = store.license(id).await? else { return Ok(()) };
    let successors = successors_of(store, &license).await?;
    for member in successors.before.iter().chain([&successors.newest]) {
        store.change_license(member, |license| tenant_change(license, (Some(from), to), None)).await?;
    }
    Ok(())
}

/// Returns the change of a license's tenant; `None` if the license is not `from`'s, or if nothing changes.
fn tenant_change(
    license: Option<License>,
    (from, to): (Option<&TenantId>, Option<&TenantId>),
    entry: Option<&AuditEntry>,
) -> Option<Change> {
    let mut license = license.filter(|license| license.tenant.as_ref() == from && from != to)?;
    license.tenant = to.cloned();
    Some(Change { license, events: Vec::new(), also: entry.into_iter().cloned().map(Also::Audit).collect() })
}

/// A license and the licenses that took over from it, in their order.
struct Successors {
    /// The newest license: the license itself, if none took over from it.
    newest: LicenseId,
    /// The licenses before the newest, starting with the license itself.
    before: Vec<LicenseId>,
    /// The successor that the newest license names nevertheless: it has no row, or is one of the others.
    next: Option<LicenseId>,
}

async fn successors_of(store: &Store, license: &License) -> Result<Successors, StoreError> {
    let (mut newest, mut before) = (license.id.clone(), Vec::new());
    let mut next = license.successor().cloned();
    while let Some(id) = next.clone().filter(|id| *id != newest && !before.contains(id)) {
        let Some(successor) = store.license(&id).await? else { break };
        before.push(std::mem::replace(&mut newest, id));
        next = successor.successor().cloned();
    }
    Ok(Successors { newest, before, next })
}

/// Returns the line of a license: the licenses that it took over from, the license itself, and those that took over
/// from it.
async fn line_of(store: &Store, license: &License) -> Result<Vec<LicenseId>, StoreError> {
    let Successors { newest, before: mut line, .. } = successors_of(store, license).await?;
    line.push(newest);
    let mut before = license.predecessor.clone();
    while let Some(id) = before.filter(|id| !line.contains(id)) {
        before = store.license(&id).await?.and_then(|license| license.predecessor);
        line.insert(0, id);
    }
    Ok(line)
}

/// Erases the contact of a license and of the other licenses of its line, since it is that of the same buyer. Returns
/// `true` if there was a contact.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn erase_contact(store: &Store, license: &License, entry: &AuditEntry) -> Result<bool, StoreError> {
    store.erase_contacts(&line_of(store, license).await?, entry).await
}

//! Customers that the seller had before Stallkeeper: their import, and their move from customer keys to license keys.

use jiff::Timestamp;

use super::moves::prepare_move;
use super::succession::follow_agreement;
use super::tenants::{Linking, link_tenant, may_link};
use domain::audit::AuditEntry;
use domain::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use domain::license::{License, LicenseEvent, Moving, ObservedInForce};
use domain::registration::Contact;
use domain::time::UsageHour;
use store::{Also, Change, Store, StoreError};

/// A customer that the seller had before Stallkeeper.
#[derive(Debug, Clone)]
pub struct Customer {
    /// The license: that of the ARN, or the customer key.
    pub license: LicenseId,
    /// Its product.
    pub product: ProductCode,
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// The buyer's key in a legacy product.
    pub identifier: Option<CustomerIdentifier>,
    /// The license's ARN; `None` for a customer key, even for one that moves.
    pub arn: Option<LicenseArn>,
    /// The license's agreement; `None` for a customer key, even for one that moves.
    pub agreement: Option<AgreementId>,
    /// The buyer's account.
    pub account: Option<AccountId>,
    /// The time since which the license is in force, if the seller knows it.
    pub since: Option<Timestamp>,
    /// The first hour that Stallkeeper bills, if it does not know the license yet.
    pub metered_from: UsageHour,
    /// The move to a license key, for a buyer who moves.
    pub moving: Option<Moving>,
    /// `true` if the seller named the hour of the move.
    pub is_move_hour_given: bool,
    /// The contact of the buyer.
    pub contact: Option<Contact>,
}

/// The result of an import.
#[derive(Debug)]
pub enum Imported {
    /// The license is as the seller states.
    Done {
        /// The license as it is now.
        license: Box<License>,
        /// `true` if the license or its contact was different before.
        changed: bool,
    },
    /// The license belongs to another tenant, and stays there.
    LinkedElsewhere,
    /// The license is known with this account, which is not the customer's.
    AccountMismatch(AccountId),
    /// The license moves to another license, or at another hour.
    MovesElsewhere,
    /// The license has ended, so it cannot move.
    NotInForce,
    /// The license that it moves to belongs to another product, buyer, tenant or customer key.
    Another,
}

/// Imports a customer that the seller had before, on the seller's statement that the license is in force. Any event of
/// AWS takes precedence over that statement, whether it arrives before or after. A dry run writes nothing.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn import(
    store: &Store,
    customer: &Customer,
    entry: &AuditEntry,
    dry_run: bool,
) -> Result<Imported, StoreError> {
    let now = store.clock().now();
    if let Some(moving) = &customer.moving
        && let Some(target) = store.license(moving.arn.id()).await?
        && !can_move_to(&target, customer, moving)
    {
        return Ok(Imported::Another);
    }
    let known_contact = store.contact(&customer.license).await?;
    let contact = customer.contact.as_ref().filter(|_| known_contact.is_none());
    let before = store.license(&customer.license).await?;
    let taken = |license: Option<License>| imported_license(license, customer, now);
    if let Some(license) = &before
        && !may_link(store, license, &customer.tenant).await?
    {
        return Ok(Imported::LinkedElsewhere);
    }
    if dry_run {
        return Ok(taken(before.clone()).map_or_else(
            |refused| refused,
            |license| {
                let changed = before.as_ref() != Some(&license) || contact.is_some();
                Imported::Done { license: Box::new(license), changed }
            },
        ));
    }
    // The newest license of a line decides the tenant of those that it took over from, so the tenant is linked first.
    let is_free = |license: &License| license.tenant.is_none() && license.successor().is_some();
    let is_tenant_linked_first = before.as_ref().is_some_and(is_free) && taken(before.clone()).is_ok();
    if is_tenant_linked_first {
        let linking = link_tenant(store, &customer.license, &customer.tenant, None).await?;
        if matches!(linking, Linking::LinkedElsewhere(_)) {
            return Ok(Imported::LinkedElsewhere);
        }
    }
    let (mut refused, mut changed) = (None, false);
    let written = store
        .change_license(&customer.license, |before| match taken(before.clone()) {
            Ok(license) => {
                changed = is_tenant_linked_first || before.as_ref() != Some(&license) || contact.is_some();
                let also = contact.cloned().map(Also::Contact).into_iter();
                let also = also.chain(changed.then(|| Also::Audit(entry.clone()))).collect();
                changed.then_some(Change { license, events: Vec::new(), also })
            }
            Err(why) => {
                refused = Some(why);
                None
            }
        })
        .await?;
    match (refused, written) {
        (Some(refused), _) => Ok(refused),
        (None, Some(license)) => {
            let license = follow_agreement(store, license).await?;
            if let Some(moving) = license.moving.as_ref().filter(|moving| moving.is_planned()) {
                prepare_move(store, &license, moving).await?;
            }
            Ok(Imported::Done { license: Box::new(license), changed })
        }
        // No code deletes a license.
        (None, None) => Ok(Imported::NotInForce),
    }
}

/// Returns `true` if nothing known contradicts that a license is the one that a buyer's customer key moves to.
fn can_move_to(target: &License, customer: &Customer, moving: &Moving) -> bool {
    target.product == customer.product
        && target.account.as_ref().is_none_or(|account| *account == moving.account)
        && target.tenant.as_ref().is_none_or(|tenant| *tenant == customer.tenant)
        && target.predecessor.as_ref().is_none_or(|before| *before == customer.license)
}

/// Returns a license as its import makes it, or the reason why it stays as it is.
fn imported_license(before: Option<License>, customer: &Customer, now: Timestamp) -> Result<License, Imported> {
    let mut license = before.unwrap_or_else(|| License::new(customer.license.clone(), customer.product.clone()));
    if license.tenant.as_ref().is_some_and(|tenant| *tenant != customer.tenant) {
        return Err(Imported::LinkedElsewhere);
    }
    if let (Some(known), Some(given)) = (&license.account, &customer.account)
        && known != given
    {
        return Err(Imported::AccountMismatch(known.clone()));
    }
    license.tenant = Some(customer.tenant.clone());
    license.customer = license.customer.take().or_else(|| customer.identifier.clone());
    license.complete_buyer(customer.account.as_ref(), customer.arn.as_ref());
    license.registered_agreement = license.registered_agreement.take().or_else(|| customer.agreement.clone());
    license.registered_at = license.registered_at.or(customer.since).or(Some(now));
    // Nothing shows that its payment has failed, or that it has ended.
    let has_no_contrary_event = license.history.failed.is_none() && license.usage_until().is_none();
    if license.first_active().is_none() && has_no_contrary_event {
        license.metered_from = Some(customer.metered_from);
        let agreement = license.registered_agreement.clone().filter(|_| license.customer.is_none());
        license.apply(LicenseEvent::ObservedInForce(ObservedInForce { agreement, starts_at: customer.since, at: now }));
    }
    if let Some(moving) = &customer.moving {
        let is_the_same = |known: &Moving| {
            let same_hour = !customer.is_move_hour_given || known.at == moving.at;
            known.arn.id() == moving.arn.id() && known.agreement == moving.agreement && same_hour
        };
        match license.moving.as_ref().filter(|known| known.cancelled_at.is_none()) {
            Some(known) if !is_the_same(known) => return Err(Imported::MovesElsewhere),
            Some(_) => {}
            None if license.state_at(now).has_ended() => return Err(Imported::NotInForce),
            None => license.moving = Some(moving.clone()),
        }
    }
    Ok(license)
}

//! Where news and registrations become changes of the table.
//!
//! Each function takes one thing that happened and brings every license that it concerns up to date. All of them may
//! be called again with the same thing, at any time and in any order: the row keeps the newest of each kind, and the
//! writes hold only on the row that they were made from.

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use crate::agreement::{Advisory, Agreement, AgreementEvent, AgreementLook};
use crate::audit::AuditEntry;
use crate::entitlement::{Entitlement, Value};
use crate::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use crate::license::{INTAKE_HAS_SEEN, License, LicenseEvent, Moving, Purchase, SeenInForce, State, Succession};
use crate::listing::{Listing, Mode};
use crate::marketplace::{Marketplace, MarketplaceError};
use crate::registration::{Contact, Door, HANDOFF_LIFE, Handoff, SecretHash};
use crate::store::{Also, Change, Store, StoreError};
use crate::time::UsageHour;

/// A license event, with what it says about whose license it is.
#[derive(Debug, Clone)]
pub struct LicenseNews {
    /// The license.
    pub license: LicenseId,
    /// Its product.
    pub product: ProductCode,
    /// Its ARN, in whichever form.
    pub arn: Option<LicenseArn>,
    /// The buyer's account.
    pub account: Option<AccountId>,
    /// The buyer's key in a legacy product.
    pub customer: Option<CustomerIdentifier>,
    /// What happened; none where all that is said is that the license exists.
    pub event: Option<LicenseEvent>,
}

/// Takes in what AWS says about one license, and answers the license as it then is.
///
/// # Errors
///
/// When the table does not answer.
pub async fn hear_of_license(store: &Store, news: &LicenseNews) -> Result<License, StoreError> {
    let license = change(store, &news.license, &news.product, |license| {
        license.customer = license.customer.take().or_else(|| news.customer.clone());
        license.know_buyer(news.account.as_ref(), news.arn.as_ref());
        if let Some(event) = &news.event {
            license.hear(event.clone());
        }
    })
    .await?;
    follow_agreement(store, license).await
}

/// Takes in a buyer's registration, and answers the license as it then is.
///
/// # Errors
///
/// When the table does not answer.
pub async fn register(store: &Store, purchase: &Purchase) -> Result<License, StoreError> {
    let now = store.clock().now();
    let license =
        change(store, &purchase.license, &purchase.product, |license| license.register(purchase, now)).await?;
    let license = follow_agreement(store, license).await?;
    // A buyer who has moved to a license key comes back by the customer key as well.
    let moved = license.moving.as_ref().filter(|moving| moving.done_at.is_some());
    match moved {
        Some(moving) => Ok(store.license(moving.arn.id()).await?.unwrap_or(license)),
        None => Ok(license),
    }
}

/// Takes in what AWS says about an agreement: keeps it, then tells the licenses that follow the agreement.
///
/// # Errors
///
/// When the table does not answer.
pub async fn hear_of_agreement(store: &Store, event: &AgreementEvent) -> Result<(), StoreError> {
    let agreement = store.change_agreement(&event.agreement, |agreement| agreement.hear(event)).await?;
    tell_licenses(store, &agreement).await
}

/// Takes in what AWS showed of an agreement when it was asked, as [`hear_of_agreement`] takes in an event.
///
/// # Errors
///
/// When the table does not answer.
pub async fn see_agreement(store: &Store, look: &AgreementLook) -> Result<(), StoreError> {
    let agreement = store.change_agreement(&look.agreement, |agreement| agreement.see(look)).await?;
    tell_licenses(store, &agreement).await
}

/// Takes in what AWS advises about an agreement's buyer: keeps it, and shows it on the licenses.
///
/// # Errors
///
/// When the table does not answer.
pub async fn hear_of_advisory(store: &Store, id: &AgreementId, advisory: &Advisory) -> Result<(), StoreError> {
    let agreement = store.change_agreement(id, |agreement| agreement.advisory.hear(advisory)).await?;
    tell_licenses(store, &agreement).await
}

/// Brings the licenses up to date that were ever linked to an agreement; its row must be written before.
async fn tell_licenses(store: &Store, agreement: &Agreement) -> Result<(), StoreError> {
    for license in store.licenses_of_agreement(&agreement.id).await? {
        store.change_license(&license, |license| license.map(|license| following(license, agreement))).await?;
    }
    if let Some(previous) = &agreement.previous {
        store.change_agreement(previous, |previous| previous.hear_of_next(&agreement.id)).await?;
        hand_over(store, previous, &agreement.id).await?;
    }
    Ok(())
}

/// How long a probe is there.
const PROBE_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// Makes a probe of a listing: a license that is in force, and grants one of whatever can be held. Its handoff goes with it.
///
/// # Errors
///
/// When the table does not answer.
pub async fn make_probe(
    store: &Store,
    listing: &Listing,
    (code, session): (SecretHash, SecretHash),
    door: Door,
) -> Result<License, StoreError> {
    let now = store.clock().now();
    let id = LicenseId::probe(Ulid::from_datetime(now.into()));
    let mut probe = License::new(id.clone(), listing.product_code.clone());
    probe.hear(LicenseEvent::SeenInForce(SeenInForce { agreement: None, starts_at: Some(now), at: now }));
    let granted = listing.dimensions.iter().filter(|dimension| dimension.is_entitled());
    probe.entitlements = granted
        .map(|dimension| Entitlement { dimension: dimension.key.clone(), value: Value::Integer(1), expires_at: None })
        .collect();
    probe.entitlements_read_at = Some(now);
    probe.expires_at = now.checked_add(PROBE_LIFE).ok().map(Timestamp::as_second);
    let expires_at = store.clock().seconds().saturating_add(HANDOFF_LIFE.as_secs());
    let handoff = Handoff { license: id.clone(), session, door, expires_at, redeemed: None };
    let handoff = Also::Handoff(code, handoff);
    let made = |_| Some(Change { license: probe.clone(), told: Vec::new(), also: vec![handoff.clone()] });
    Ok(store.change_license(&id, made).await?.unwrap_or(probe.clone()))
}

/// A customer whom the seller had before Stallkeeper.
#[derive(Debug, Clone)]
pub struct Customer {
    /// The license: of the ARN, or the customer key.
    pub license: LicenseId,
    /// Its product.
    pub product: ProductCode,
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// The buyer's key in a legacy product.
    pub identifier: Option<CustomerIdentifier>,
    /// The license's ARN; none of a customer key, also if that moves.
    pub arn: Option<LicenseArn>,
    /// The license's agreement, likewise.
    pub agreement: Option<AgreementId>,
    /// The buyer's account.
    pub account: Option<AccountId>,
    /// Since when the license is in force, where the seller knows.
    pub since: Option<Timestamp>,
    /// The first hour that Stallkeeper bills, if it does not know the license yet.
    pub metered_from: UsageHour,
    /// The license that it becomes, of a buyer who moves.
    pub moving: Option<Moving>,
    /// Whether the seller said at which hour.
    pub says_when: bool,
    /// How to reach the buyer.
    pub contact: Option<Contact>,
}

/// How the import of a customer went.
#[derive(Debug)]
pub enum Imported {
    /// The license is as the seller says.
    Done {
        /// As it is now.
        license: Box<License>,
        /// Whether it was otherwise before.
        changed: bool,
    },
    /// It belongs to another tenant, and stays there.
    LinkedElsewhere,
    /// It moves to another license, or at another hour.
    MovesElsewhere,
    /// It is over, so that it cannot move.
    NotInForce,
    /// The license that it moves to is somebody else's.
    Another,
}

/// Takes over a customer whom the seller had before, on the seller's word that the license is in force. What AWS says
/// counts for more: any event of it, before or after. A dry run writes nothing.
///
/// # Errors
///
/// When the table does not answer.
pub async fn import(
    store: &Store,
    customer: &Customer,
    entry: &AuditEntry,
    dry_run: bool,
) -> Result<Imported, StoreError> {
    let now = store.clock().now();
    if let Some(moving) = &customer.moving
        && let Some(target) = store.license(moving.arn.id()).await?
        && !may_become(&target, customer, moving)
    {
        return Ok(Imported::Another);
    }
    let known_contact = store.contact(&customer.license).await?;
    let contact = customer.contact.as_ref().filter(|_| known_contact.is_none());
    let before = store.license(&customer.license).await?;
    let taken = |license: Option<License>| taken_over(license, customer, now);
    if dry_run {
        return Ok(taken(before.clone()).map_or_else(
            |refused| refused,
            |license| {
                let changed = before.as_ref() != Some(&license) || contact.is_some();
                Imported::Done { license: Box::new(license), changed }
            },
        ));
    }
    let (mut refused, mut changed) = (None, false);
    let written = store
        .change_license(&customer.license, |before| match taken(before.clone()) {
            Ok(license) => {
                changed = before.as_ref() != Some(&license) || contact.is_some();
                let also = contact.cloned().map(Also::Contact).into_iter();
                let also = also.chain(changed.then(|| Also::Audit(entry.clone()))).collect();
                changed.then_some(Change { license, told: Vec::new(), also })
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
            if let Some(moving) = license.moving.as_ref().filter(|moving| moving.done_at.is_none()) {
                prepare_move(store, &license, moving).await?;
            }
            Ok(Imported::Done { license: Box::new(license), changed })
        }
        // Nothing takes a license away.
        (None, None) => Ok(Imported::NotInForce),
    }
}

/// Whether a license is, for all that is known, the one that a buyer's customer key moves to.
fn may_become(target: &License, customer: &Customer, moving: &Moving) -> bool {
    target.product == customer.product
        && target.account.as_ref().is_none_or(|account| *account == moving.account)
        && target.tenant.as_ref().is_none_or(|tenant| *tenant == customer.tenant)
        && target.predecessor.as_ref().is_none_or(|before| *before == customer.license)
}

/// Makes the row of the license that a customer key moves to, so that both keys lead to each other from now on. It waits,
/// and takes no tenant and no usage of its own before the move.
async fn prepare_move(store: &Store, old: &License, moving: &Moving) -> Result<License, StoreError> {
    change(store, moving.arn.id(), &old.product, |license| {
        license.know_buyer(Some(&moving.account), Some(&moving.arn));
        license.registered_agreement.get_or_insert_with(|| moving.agreement.clone());
        license.metered_from.get_or_insert(moving.at);
        license.predecessor.get_or_insert_with(|| old.id.clone());
    })
    .await
}

/// A license as its import makes it, or why it stays as it is.
fn taken_over(before: Option<License>, customer: &Customer, now: Timestamp) -> Result<License, Imported> {
    let mut license = before.unwrap_or_else(|| License::new(customer.license.clone(), customer.product.clone()));
    if license.tenant.as_ref().is_some_and(|tenant| *tenant != customer.tenant) {
        return Err(Imported::LinkedElsewhere);
    }
    let is_anothers = |moving: &Moving| license.account.as_ref().is_some_and(|account| *account != moving.account);
    if customer.moving.as_ref().is_some_and(is_anothers) {
        return Err(Imported::Another);
    }
    license.tenant = Some(customer.tenant.clone());
    license.customer = license.customer.take().or_else(|| customer.identifier.clone());
    license.know_buyer(customer.account.as_ref(), customer.arn.as_ref());
    license.registered_agreement = license.registered_agreement.take().or_else(|| customer.agreement.clone());
    license.registered_at = license.registered_at.or(customer.since).or(Some(now));
    // Nothing has said that it is in force, or that it is over.
    let says_nothing = license.news.failed.is_none() && license.usage_until().is_none();
    if license.first_active().is_none() && says_nothing {
        license.metered_from = Some(customer.metered_from);
        let agreement = license.registered_agreement.clone().filter(|_| license.customer.is_none());
        license.hear(LicenseEvent::SeenInForce(SeenInForce { agreement, starts_at: customer.since, at: now }));
    }
    if let Some(moving) = &customer.moving {
        let is_the_same = |known: &Moving| {
            let same_hour = !customer.says_when || known.at == moving.at;
            known.arn.id() == moving.arn.id() && known.agreement == moving.agreement && same_hour
        };
        match &license.moving {
            Some(known) if !is_the_same(known) => return Err(Imported::MovesElsewhere),
            Some(_) => {}
            None if matches!(license.state_at(now), State::Ending { .. } | State::Ended { .. }) => {
                return Err(Imported::NotInForce);
            }
            None => license.moving = Some(moving.clone()),
        }
    }
    Ok(license)
}

/// Moves a buyer from a customer key to a license key, if that is due. Done again it changes nothing.
///
/// The license begins, with the tenant and what it is known to grant, before the customer key ends, so that its tenant is
/// never without either. The customer key's last hour is the one before the move.
///
/// # Errors
///
/// When the table does not answer. Some of it may have changed then; done again the rest follows.
pub async fn move_if_due(store: &Store, id: &LicenseId) -> Result<(), StoreError> {
    let now = store.clock().now();
    let Some(old) = store.license(id).await? else { return Ok(()) };
    let is_due = |moving: &&Moving| moving.done_at.is_none() && moving.at.start() <= now;
    let Some(moving) = old.moving.as_ref().filter(is_due) else { return Ok(()) };
    let begins = moving.at.start();
    // One that ended after the hour has moved before that.
    let was_in_force =
        old.first_active().is_some_and(|at| at <= now) && old.usage_until().is_none_or(|until| until >= begins);
    if !was_in_force {
        return give_up_move(store, id, moving, "it was not in force in that hour").await;
    }
    let target = prepare_move(store, &old, moving).await?;
    if matches!(target.state_at(now), State::Ending { .. } | State::Ended { .. }) {
        return give_up_move(store, id, moving, "the license that it moves to is over").await;
    }
    let new = change(store, moving.arn.id(), &old.product, |license| {
        license.tenant = license.tenant.take().or_else(|| old.tenant.clone());
        if license.entitlements_read_at.is_none() {
            license.entitlements.clone_from(&old.entitlements);
            license.entitlements_read_at = old.entitlements_read_at;
        }
        // What AWS has said of it counts for more.
        if license.first_active().is_none() {
            let agreement = license.registered_agreement.clone();
            license.hear(LicenseEvent::SeenInForce(SeenInForce { agreement, starts_at: Some(begins), at: begins }));
        }
    })
    .await?;
    follow_agreement(store, new).await?;
    let last_moment = begins.checked_sub(SignedDuration::from_secs(1)).unwrap_or(begins);
    let succession = Succession { undated: false, at: last_moment, by: moving.arn.id().clone(), from: None };
    let done = |license: Option<License>| {
        let mut license = license.filter(|license| license.moving.as_ref() == Some(moving))?;
        license.moving = Some(Moving { done_at: Some(now), ..moving.clone() });
        license.succeed(succession.clone());
        // One that was over already is summed anew once every intake has seen the move.
        let seen = now.checked_add(INTAKE_HAS_SEEN).unwrap_or(now);
        license.flush_at = license.flush_at.map(|at| at.max(seen));
        Some(license.into())
    };
    let Some(old) = store.change_license(id, done).await? else { return Ok(()) };
    inherit(store, &old, succession).await?;
    tracing::info!(license = %id, moved_to = %moving.arn.id(), from = %moving.at, "a buyer has moved to a license key");
    Ok(())
}

async fn give_up_move(store: &Store, id: &LicenseId, moving: &Moving, why: &str) -> Result<(), StoreError> {
    let given_up = |license: Option<License>| {
        license.map(|license| License { moving: license.moving.filter(|now| now != moving), ..license }.into())
    };
    store.change_license(id, given_up).await?;
    tracing::error!(license = %id, to = %moving.arn.id(), why, "a buyer does not move to a license key");
    Ok(())
}

/// How an attempt to give a license to a tenant, or to take it away, went.
#[derive(Debug)]
pub enum Linking {
    /// It belongs to whom it was to, since now or before.
    Linked(Box<License>),
    /// It belongs to somebody else, and stays there.
    LinkedElsewhere,
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
        return Ok(Linking::LinkedElsewhere);
    }
    // Oldest first, as `inherit` looks at them: whichever comes second sees the other's write.
    for member in line_of(store, &license).await? {
        let entry = (member == *id).then_some(entry);
        store.change_license(&member, |license| given(license, (Some(from), to), entry)).await?;
    }
    let Some(license) = store.license(id).await? else { return Ok(Linking::Unknown) };
    Ok(if license.tenant.as_ref() == to { Linking::Linked(Box::new(license)) } else { Linking::LinkedElsewhere })
}

/// Gives a license from one to another, each a tenant or none, and the licenses that took over from it too. Done again it
/// changes nothing.
async fn give(
    store: &Store,
    id: &LicenseId,
    whose: (Option<&TenantId>, Option<&TenantId>),
    entry: Option<&AuditEntry>,
) -> Result<Linking, StoreError> {
    let (_, to) = whose;
    let changed = store.change_license(id, |license| given(license, whose, entry)).await?;
    let Some(license) = changed else { return Ok(Linking::Unknown) };
    if license.tenant.as_ref() != to {
        return Ok(Linking::LinkedElsewhere);
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

/// How a fresh look at a license's entitlements went.
#[derive(Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// What AWS answered is kept, or something newer already was.
    Kept,
    /// AWS answered nothing for a license that is not over. It may be too early: nothing was kept, ask again later.
    EmptyTooEarly,
}

/// Why entitlements could not be refreshed. What was known before stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// See [`MarketplaceError`].
    #[error(transparent)]
    Marketplace(#[from] MarketplaceError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a license's entitlements at AWS and keeps them, unless a read that began later was kept already.
///
/// An empty answer for a license that is not over is kept only if `believe_empty`: AWS may take minutes to show entitlements
/// that were just bought.
///
/// # Errors
///
/// When AWS or the table does not answer.
pub async fn refresh_entitlements(
    store: &Store,
    marketplace: &Marketplace,
    license: &License,
    believe_empty: bool,
) -> Result<Refreshed, RefreshError> {
    let began = store.clock().now();
    let entitlements = marketplace.entitlements(license).await?;
    let is_over = matches!(license.state_at(began), State::Ending { .. } | State::Ended { .. });
    let read_in_force = license.active_since().is_some_and(|since| license.entitlements_read_at >= Some(since));
    let known_empty = license.entitlements.is_empty() && read_in_force;
    if entitlements.is_empty() && !is_over && !believe_empty && !known_empty {
        return Ok(Refreshed::EmptyTooEarly);
    }
    store
        .change_license(&license.id, |license| {
            let mut license =
                license.filter(|license| license.entitlements_read_at.is_none_or(|read| read <= began))?;
            license.entitlements.clone_from(&entitlements);
            license.entitlements_read_at = Some(began);
            Some(license.into())
        })
        .await?;
    Ok(Refreshed::Kept)
}

/// Whether news is in the style of its listing: what comes in the other belongs to a product in the middle of its move,
/// and must make no twin.
pub fn fits(listing: &Listing, news: &LicenseNews) -> bool {
    match listing.mode {
        Mode::License => news.arn.is_some(),
        Mode::Customer => news.customer.is_some(),
    }
}

/// Changes a license, which begins if it was not known.
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

/// Links a license to the agreement that it follows, and takes in what is known of that.
///
/// In this order: the license's row, the link, the read of the agreement. Whoever keeps an agreement's news writes
/// it first and reads the links then, so one of the two sees the other's write.
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

/// Where AWS made a new license for the next agreement: the new one inherits tenant and contact, the old one ends.
async fn hand_over(store: &Store, previous: &AgreementId, next: &AgreementId) -> Result<(), StoreError> {
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

/// The licenses that follow an agreement now.
async fn licenses_following(store: &Store, agreement: &AgreementId) -> Result<Vec<License>, StoreError> {
    let mut following = Vec::new();
    for id in store.licenses_of_agreement(agreement).await? {
        following.extend(store.license(&id).await?.filter(|license| license.agreement() == Some(agreement)));
    }
    Ok(following)
}

/// First the old license learns who took over, then the new one inherits from the row as it then is: a tenant that is
/// linked meanwhile either is in that row, or its linking sees the successor.
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
            Some(license.into())
        })
        .await?;
    if let Some(contact) = store.contact(&old.id).await? {
        store.inherit_contact(&contact, new).await?;
    }
    if let Some(tenant) = &old.tenant {
        // Down the whole line: the new license may have a successor already.
        Box::pin(link_tenant(store, new, tenant, None)).await?;
        // Were the old one moved by hand meanwhile, the new one goes after it.
        let moved = store.license(&old.id).await?.and_then(|old| old.tenant);
        if moved.as_ref() != Some(tenant) {
            Box::pin(give(store, new, (Some(tenant), moved.as_ref()), None)).await?;
        }
    }
    Ok(())
}

//! Changes of agreements: endings, renewals, replacements and amendments.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{AccountId, AgreementId, LicenseId};
use domain::listing::Listing;
use jiff::SignedDuration;
use sandbox::aws::{Change, EndStatus, Purchased};

use crate::buyers::{buy, holds, register, some_time};
use crate::final_hour::last_hour;
use crate::tenants::link_later;
use crate::world::World;

/// Plans a change of an agreement in the remaining time.
pub fn live_on(world: &Arc<World>, listing: &Listing, agreement: AgreementId, account: &AccountId) {
    let left = world.scene.over().duration_since(world.now()).as_secs();
    if left <= 120 {
        return;
    }
    let mut at = world.later(SignedDuration::from_secs(world.draw(|rng| rng.i64(60..left))));
    if let Some(end) = world.scene.month_end.filter(|end| *end > world.now() && world.chance(0.3)) {
        // Around the end of the month, half of the time within its last hour.
        let until = if world.chance(0.5) { -2 } else { 7 * 60 };
        at = end + SignedDuration::from_mins(world.draw(|rng| rng.i64(-60..until)));
    }
    let (listing, account, here) = (listing.clone(), account.clone(), Arc::clone(world));
    world.act_at(at.max(world.now()), "buyer", async move {
        match here.draw(|rng| rng.u8(0..20)) {
            0..12 => leave(&here, &listing, &agreement, &account),
            12..16 => change(&here, &listing, &agreement, &account),
            16..18 => advise(&here, &agreement),
            _ => {}
        }
    });
}

/// Has AWS issue an advisory about a risk on the buyer's account, and perhaps resolve it. Nothing else changes.
fn advise(world: &Arc<World>, agreement: &AgreementId) {
    if world.aws.marketplace().change(agreement, Change::Advise {}).is_err() {
        return;
    }
    world.count("changes: advise", 1);
    let (at, here, agreement) = (world.later(some_time(world, 30, 6 * 3600)), Arc::clone(world), agreement.clone());
    world.act_at(at, "buyer", async move {
        if !here.is_over() && here.aws.marketplace().change(&agreement, Change::Resolve {}).is_ok() {
            here.count("changes: resolve", 1);
        }
    });
}

/// Ends an agreement, after which the buyer perhaps buys again.
pub fn leave(world: &Arc<World>, listing: &Listing, agreement: &AgreementId, account: &AccountId) {
    let statuses = [EndStatus::Cancelled, EndStatus::Expired, EndStatus::Terminated];
    let status = world.draw(|rng| rng.choice(statuses)).unwrap_or_default();
    let Some(license) = end(world, agreement, status) else { return };
    world.tell(|| format!("{account} ends its agreement on {}", listing.product_code));
    world.count("endings", 1);
    last_hour(world, Some(&license));
    if world.chance(0.5) {
        let mut at = world.later(some_time(world, 30, 6 * 3600));
        if world.chance(0.3) {
            at = world.later(some_time(world, 30, 600));
        }
        let (here, product, account) = (Arc::clone(world), listing.product_code.clone(), account.clone());
        world.act_at(at, "buyer", async move {
            if !here.is_over() && buy(&here, &product, Some(account)).is_some() {
                here.count("subscribed again", 1);
            }
        });
    }
}

/// Ends an agreement in AWS. Returns the license that it granted, or `None` if it had ended before.
///
/// A buyer with a customer key does not leave before AWS has provisioned the subscription: its notifications name no
/// agreement, so that a `subscribe-success` after the end cannot be distinguished from that of the next subscription.
fn end(world: &World, agreement: &AgreementId, status: EndStatus) -> Option<LicenseId> {
    if is_on_its_way(world, agreement) {
        world.tell(|| format!("{agreement} is not provisioned yet"));
        return None;
    }
    match world.aws.marketplace().change(agreement, Change::End { status }) {
        Ok(_) => {
            let now = world.now();
            let mut buyers = world.buyers();
            let license = buyers.holdings.iter().find(|holding| holding.agreement == *agreement)?.license.clone();
            buyers.endings.insert((license.clone(), now));
            Some(license)
        }
        Err(refused) => {
            world.tell(|| format!("an ending is refused: {refused}"));
            None
        }
    }
}

fn is_on_its_way(world: &World, agreement: &AgreementId) -> bool {
    let (buyers, now) = (world.buyers(), world.now());
    let holding = buyers.holdings.iter().find(|holding| holding.agreement == *agreement);
    let holding = holding.filter(|holding| holding.has_customer_key());
    holding
        .is_some_and(|holding| buyers.activations.iter().any(|(license, at)| *license == holding.license && *at > now))
}

/// Ends every agreement that is in force.
pub fn everyone_leaves(world: &World) {
    let agreements = world.buyers().agreements.clone();
    for (agreement, _) in agreements {
        // An agreement that has ended before refuses the change.
        let _ = end(world, &agreement, EndStatus::default());
    }
}

/// Renews, replaces or amends an agreement.
pub fn change(world: &Arc<World>, listing: &Listing, agreement: &AgreementId, account: &AccountId) {
    let (kind, new_license) = world.draw(|rng| (rng.u8(0..3), rng.choice([None, Some(true), Some(false)]).flatten()));
    let change = match kind {
        0 if listing.pricing.has_entitlements() => Change::Renew { new_license },
        1 => Change::Amend { dimensions: BTreeMap::new() },
        _ => Change::Replace { dimensions: BTreeMap::new(), new_license },
    };
    world.tell(|| format!("{account}: {change:?} of {}", listing.product_code));
    let name = format!("changes: {}", kind_of(&change));
    let changed = match world.aws.marketplace().change(agreement, change) {
        Ok(changed) => changed,
        Err(refused) => return world.tell(|| format!("it is refused: {refused}")),
    };
    world.count(&name, 1);
    let before = {
        let buyers = world.buyers();
        buyers.holdings.iter().find(|holding| holding.agreement == *agreement).cloned()
    };
    let bought = Purchased {
        token: String::new(),
        license_arn: changed.license_arn,
        agreement_id: changed.agreement_id.clone(),
        account_id: account.clone(),
        customer_identifier: changed.customer_identifier,
        product_code: listing.product_code.clone(),
    };
    let included = before.as_ref().and_then(|before| before.included);
    let license = holds(world, listing, &bought, included);
    if let (Some(before), Some(license)) = (before, license)
        && before.license != license
    {
        world.count("renewals with a new license", 1);
        let over = world.later(world.scene.delays.provision);
        world.buyers().endings.insert((before.license, over));
        world.buyers().unregistered.insert(changed.agreement_id.clone());
        if world.chance(0.4) {
            link_later(world, world.now(), &license);
        }
    }
    if world.chance(0.3)
        && let Ok(token) = world.aws.marketplace().new_token(&changed.agreement_id)
    {
        let at = world.later(some_time(world, 5, 3 * 3600));
        register(world, at, listing.stage, token);
    }
    live_on(world, listing, changed.agreement_id, account);
}

fn kind_of(change: &Change) -> &'static str {
    match change {
        Change::Amend { .. } => "amend",
        Change::Renew { .. } => "renew",
        Change::Replace { .. } => "replace",
        Change::End { .. } => "end",
        Change::Advise {} => "advise",
        Change::Resolve {} => "resolve",
    }
}

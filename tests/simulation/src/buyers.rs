//! Buyers, who buy, renew, replace and amend their agreements, leave, and perhaps buy again.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{AccountId, AgreementId, LicenseId, ProductCode};
use domain::listing::Listing;
use jiff::SignedDuration;
use local_aws::{Change, EndStatus, Purchased};

use crate::final_hour::last_hour;
use crate::purchases::{purchase, record_holding, register};
use crate::simulation::Simulation;
use crate::tenants::link_later;

/// Buys a product, as a new buyer or as an existing account. Returns the license's key.
pub fn buy(sim: &Arc<Simulation>, product: &ProductCode, account: Option<AccountId>) -> Option<LicenseId> {
    let listing = sim.listing(product.as_str()).cloned()?;
    let (bought, included) = purchase(sim, &listing, account)?;
    let license = record_holding(sim, &listing, &bought, included)?;
    if sim.chance(0.85) {
        let times = if sim.chance(0.2) { 2 } else { 1 };
        for _ in 0..times {
            let at = sim.later(sim.some_time(5, 3 * 3600));
            register(sim, at, listing.stage, bought.token.clone());
            link_later(sim, at, &license);
        }
    }
    plan_change(sim, &listing, bought.agreement_id, &bought.account_id);
    Some(license)
}

/// Plans a change of an agreement in the remaining time.
pub fn plan_change(sim: &Arc<Simulation>, listing: &Listing, agreement: AgreementId, account: &AccountId) {
    let left = sim.scenario.faults_end().duration_since(sim.now()).as_secs();
    if left <= 120 {
        return;
    }
    let mut at = sim.later(SignedDuration::from_secs(sim.draw(|rng| rng.i64(60..left))));
    if let Some(end) = sim.scenario.month_end.filter(|end| *end > sim.now() && sim.chance(0.3)) {
        // Around the end of the month, half of the time within its last hour.
        let until = if sim.chance(0.5) { -2 } else { 7 * 60 };
        at = end + SignedDuration::from_mins(sim.draw(|rng| rng.i64(-60..until)));
    }
    let (listing, account, handle) = (listing.clone(), account.clone(), Arc::clone(sim));
    sim.act_at(at.max(sim.now()), "buyer", async move {
        match handle.draw(|rng| rng.u8(0..20)) {
            0..12 => cancel(&handle, &listing, &agreement, &account),
            12..16 => change(&handle, &listing, &agreement, &account),
            16..18 => advise(&handle, &agreement),
            _ => {}
        }
    });
}

/// Has AWS issue an advisory about a risk on the buyer's account, and perhaps resolve it. Nothing else changes.
fn advise(sim: &Arc<Simulation>, agreement: &AgreementId) {
    if sim.aws.marketplace().change(agreement, Change::Advise {}).is_err() {
        return;
    }
    sim.count("changes: advise", 1);
    let (at, handle, agreement) = (sim.later(sim.some_time(30, 6 * 3600)), Arc::clone(sim), agreement.clone());
    sim.act_at(at, "buyer", async move {
        if !handle.have_faults_ended() && handle.aws.marketplace().change(&agreement, Change::Resolve {}).is_ok() {
            handle.count("changes: resolve", 1);
        }
    });
}

/// Ends an agreement, after which the buyer perhaps buys again.
pub fn cancel(sim: &Arc<Simulation>, listing: &Listing, agreement: &AgreementId, account: &AccountId) {
    let statuses = [EndStatus::Cancelled, EndStatus::Expired, EndStatus::Terminated];
    let status = sim.draw(|rng| rng.choice(statuses)).unwrap_or_default();
    let Some(license) = end(sim, agreement, status) else { return };
    sim.log(|| format!("{account} ends its agreement on {}", listing.product_code));
    sim.count("endings", 1);
    last_hour(sim, Some(&license));
    if sim.chance(0.5) {
        let mut at = sim.later(sim.some_time(30, 6 * 3600));
        if sim.chance(0.3) {
            at = sim.later(sim.some_time(30, 600));
        }
        let (handle, product, account) = (Arc::clone(sim), listing.product_code.clone(), account.clone());
        sim.act_at(at, "buyer", async move {
            if !handle.have_faults_ended() && buy(&handle, &product, Some(account)).is_some() {
                handle.count("resubscriptions", 1);
            }
        });
    }
}

/// Ends an agreement in AWS. Returns the license that it granted, or `None` if it had ended before.
///
/// A buyer with a customer key does not leave before AWS has provisioned the subscription: its notifications name no
/// agreement, so that a `subscribe-success` after the end cannot be distinguished from that of the next subscription.
fn end(sim: &Simulation, agreement: &AgreementId, status: EndStatus) -> Option<LicenseId> {
    if is_provisioning(sim, agreement) {
        sim.log(|| format!("{agreement} is not provisioned yet"));
        return None;
    }
    match sim.aws.marketplace().change(agreement, Change::End { status }) {
        Ok(_) => {
            let now = sim.now();
            let mut buyers = sim.buyers();
            let license = buyers.holdings.iter().find(|holding| holding.agreement == *agreement)?.license.clone();
            buyers.endings.insert((license.clone(), now));
            Some(license)
        }
        Err(refused) => {
            sim.log(|| format!("an ending is refused: {refused}"));
            None
        }
    }
}

fn is_provisioning(sim: &Simulation, agreement: &AgreementId) -> bool {
    let (buyers, now) = (sim.buyers(), sim.now());
    let holding = buyers.holdings.iter().find(|holding| holding.agreement == *agreement);
    let holding = holding.filter(|holding| holding.has_customer_key());
    holding
        .is_some_and(|holding| buyers.activations.iter().any(|(license, at)| *license == holding.license && *at > now))
}

/// Ends every agreement that is in force.
pub fn end_all_agreements(sim: &Simulation) {
    let agreements = sim.buyers().agreements.clone();
    for (agreement, _) in agreements {
        // An agreement that has ended before refuses the change.
        let _ = end(sim, &agreement, EndStatus::default());
    }
}

/// Renews, replaces or amends an agreement.
pub fn change(sim: &Arc<Simulation>, listing: &Listing, agreement: &AgreementId, account: &AccountId) {
    let (kind, new_license) = sim.draw(|rng| (rng.u8(0..3), rng.choice([None, Some(true), Some(false)]).flatten()));
    let change = match kind {
        0 if listing.pricing.has_entitlements() => Change::Renew { new_license },
        1 => Change::Amend { dimensions: BTreeMap::new() },
        _ => Change::Replace { dimensions: BTreeMap::new(), new_license },
    };
    sim.log(|| format!("{account}: {change:?} of {}", listing.product_code));
    let name = format!("changes: {}", kind_of(&change));
    let changed = match sim.aws.marketplace().change(agreement, change) {
        Ok(changed) => changed,
        Err(refused) => return sim.log(|| format!("it is refused: {refused}")),
    };
    sim.count(&name, 1);
    let before = {
        let buyers = sim.buyers();
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
    let license = record_holding(sim, listing, &bought, included);
    if let (Some(before), Some(license)) = (before, license)
        && before.license != license
    {
        sim.count("renewals with a new license", 1);
        let end = sim.later(sim.scenario.delays.provision);
        sim.buyers().endings.insert((before.license, end));
        sim.buyers().unregistered.insert(changed.agreement_id.clone());
        if sim.chance(0.4) {
            link_later(sim, sim.now(), &license);
        }
    }
    if sim.chance(0.3)
        && let Ok(token) = sim.aws.marketplace().new_token(&changed.agreement_id)
    {
        let at = sim.later(sim.some_time(5, 3 * 3600));
        register(sim, at, listing.stage, token);
    }
    plan_change(sim, listing, changed.agreement_id, account);
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

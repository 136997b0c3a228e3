//! Judges access: a buyer whom AWS serves has access, and a buyer whom AWS has not served for an hour has none.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::LicenseId;
use jiff::{SignedDuration, Timestamp};
use sandbox::aws::LicenseOverview;
use serde_json::Value;

use crate::buyers::Holding;
use crate::stack::Stack;
use crate::world::World;

/// The longest time for which a license that has ended may still grant access.
const FINAL_HOUR: SignedDuration = SignedDuration::from_mins(61);

/// The longest time that events may take after AWS has provisioned a license, once nothing delays them.
const SETTLED: SignedDuration = SignedDuration::from_mins(30);

/// The state of a buyer in AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// AWS has provisioned a license and not revoked it.
    Served { since: Timestamp },
    /// AWS has revoked every license.
    Revoked { since: Timestamp },
    /// A license will soon be provisioned or revoked.
    Between,
}

/// Compares the access of every buyer with the state of the buyer in AWS.
///
/// Until the faults end, only revoked access is judged, and only if every event was delivered.
pub async fn judge_all(world: &Arc<World>) {
    let stacks = world.stacks.clone();
    for stack in &stacks {
        if !has_heard_all(world, stack) {
            world.count("looks at access while events wait", 1);
            continue;
        }
        let holdings = world.buyers().holdings.clone();
        let mut granting: BTreeMap<String, Vec<Standing>> = BTreeMap::new();
        for holding in holdings.iter().filter(|holding| holding.stage == stack.stage) {
            judge_holding(world, stack, holding, &mut granting).await;
        }
        if world.is_over() {
            judge_tenants(world, stack, &granting).await;
        }
    }
}

/// Returns `true` if the faults have ended, or if every due event has been delivered and none was lost.
fn has_heard_all(world: &World, stack: &Stack) -> bool {
    if world.is_over() {
        return true;
    }
    let now = world.now();
    let queue = stack.queue.overview();
    let is_due = world.bus().next_due().is_some_and(|due| due <= now);
    let waits = queue.held || queue.waiting + queue.in_flight + queue.dead_letters.len() > 0;
    !is_due && !waits && !world.losses().has_lost(now)
}

async fn judge_holding(
    world: &World,
    stack: &Stack,
    holding: &Holding,
    granting: &mut BTreeMap<String, Vec<Standing>>,
) {
    let now = world.now();
    let standing = standing_of(world, holding, now);
    let mut linked: Vec<(String, bool)> = Vec::new();
    let mut has_access = false;
    for id in holding.ids() {
        let Some(shown) = world.observe(stack, &format!("/v1/licenses/{id}")).await else {
            return world.differ(&holding.license, format!("{id} cannot be shown"));
        };
        let grants = shown.body.get("grants_access") == Some(&Value::Bool(true));
        has_access |= grants;
        if shown.status == 200 && !shown.text("/tenant").is_empty() {
            linked.push((shown.text("/tenant").to_owned(), grants));
        }
    }
    // The key that grants access serves the buyer. The other key may have another tenant, or one from which an operator
    // has unlinked it.
    for (tenant, _) in linked.into_iter().filter(|(_, grants)| *grants || !has_access) {
        granting.entry(tenant).or_default().push(standing);
    }
    let license = &holding.license;
    match standing {
        // Only the reconciliation detects an end whose events went to another backend.
        Standing::Revoked { since } if !world.is_over() && world.losses().went_elsewhere(holding, since) => {}
        Standing::Revoked { since } if has_access && now.duration_since(since) > FINAL_HOUR => {
            world.differ(license, format!("{license} has access, and AWS has not served its buyer since {since}"));
        }
        Standing::Revoked { .. } => world.count("looks at revoked access", 1),
        Standing::Served { since } if world.is_over() && now.duration_since(since) > SETTLED => {
            world.count("looks at granted access", 1);
            if !has_access {
                world.differ(license, format!("{license} has no access, and AWS has served its buyer since {since}"));
            }
        }
        Standing::Served { .. } | Standing::Between => {}
    }
}

/// Compares the decisions about each tenant with AWS: a tenant is allowed something if AWS serves one of its licenses,
/// and nothing if AWS serves none.
async fn judge_tenants(world: &World, stack: &Stack, granting: &BTreeMap<String, Vec<Standing>>) {
    let now = world.now();
    let tenants: Vec<(String, LicenseId)> = {
        let buyers = world.buyers();
        let theirs = buyers.holdings.iter().filter(|holding| holding.stage == stack.stage);
        theirs.flat_map(|it| it.tenants.iter().map(|tenant| (tenant.clone(), it.license.clone()))).collect()
    };
    for (tenant, license) in tenants {
        let Some(shown) = world.observe(stack, &format!("/v1/tenants/{tenant}/entitlements")).await else {
            return world.differ(&license, format!("the decisions of {tenant} cannot be read"));
        };
        let is_allowed = shown.list("/decisions").any(|decision| decision.get("allowed") == Some(&Value::Bool(true)));
        let standings = granting.get(&tenant).map(Vec::as_slice).unwrap_or_default();
        let is_served = |standing: &Standing| matches!(standing, Standing::Served { since } if now.duration_since(*since) > SETTLED);
        let is_over = |standing: &Standing| matches!(standing, Standing::Revoked { since } if now.duration_since(*since) > FINAL_HOUR);
        world.count("looks at decisions of tenants", 1);
        if standings.iter().any(is_served) && !is_allowed {
            world.differ(&license, format!("{tenant} may use nothing, and AWS serves it: {}", shown.body));
        }
        if standings.iter().all(is_over) && is_allowed {
            world.differ(&license, format!("{tenant} may use something, and AWS serves it no more: {}", shown.body));
        }
    }
}

/// Returns `true` if AWS certainly serves the buyer of a holding.
pub(super) fn is_served(world: &World, holding: &Holding) -> bool {
    matches!(standing_of(world, holding, world.now()), Standing::Served { .. })
}

fn standing_of(world: &World, holding: &Holding, now: Timestamp) -> Standing {
    let overview = world.aws.marketplace().overview();
    let theirs: Vec<LicenseOverview> = overview.licenses.into_iter().filter(|it| is_theirs(it, holding)).collect();
    let starts = |license: &LicenseOverview| {
        let agreement = overview.agreements.iter().find(|it| Some(&it.agreement_id) == license.agreement_id.as_ref());
        agreement.map(|agreement| agreement.start + world.scene.delays.provision)
    };
    let in_force = theirs.iter().filter(|license| license.revoked.is_none() && license.agreement_id.is_some());
    if let Some(since) = in_force.filter_map(starts).max() {
        return Standing::Served { since };
    }
    match theirs.iter().map(|license| license.revoked).max().flatten() {
        Some(since) if since <= now && theirs.iter().all(|license| license.revoked.is_some()) => {
            Standing::Revoked { since }
        }
        Some(_) | None => Standing::Between,
    }
}

fn is_theirs(license: &LicenseOverview, holding: &Holding) -> bool {
    match &license.customer_identifier {
        Some(customer) => license.product_code == holding.product && holding.customer() == Some(customer.as_str()),
        None => license.license_arn.id() == &holding.license,
    }
}

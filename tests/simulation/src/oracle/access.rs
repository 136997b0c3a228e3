//! Judges access: a buyer whom AWS serves has access, and a buyer whom AWS has not served for an hour has none.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::LicenseId;
use jiff::{SignedDuration, Timestamp};
use local_aws::LicenseOverview;
use serde_json::Value;

use crate::holding::Holding;
use crate::simulation::Simulation;
use crate::stack::Stack;

/// The longest time for which a license that has ended may still grant access.
const FINAL_HOUR: SignedDuration = SignedDuration::from_mins(61);

/// The longest time that events may take after AWS has provisioned a license, once nothing delays them.
const SETTLED: SignedDuration = SignedDuration::from_mins(30);

/// The state of a buyer in AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceStatus {
    /// AWS has provisioned a license and not revoked it.
    Served { since: Timestamp },
    /// AWS has revoked every license.
    Revoked { since: Timestamp },
    /// A license will soon be provisioned or revoked.
    Changing,
}

/// Compares the access of every buyer with the state of the buyer in AWS.
///
/// Until the faults end, only revoked access is judged, and only if every event was delivered.
pub async fn judge_all(sim: &Arc<Simulation>) {
    let stacks = sim.stacks.clone();
    for stack in &stacks {
        if !has_delivered_all(sim, stack) {
            sim.count("checks of access skipped while events wait", 1);
            continue;
        }
        let holdings = sim.buyers().holdings.clone();
        let mut granting: BTreeMap<String, Vec<ServiceStatus>> = BTreeMap::new();
        for holding in holdings.iter().filter(|holding| holding.stage == stack.stage) {
            judge_holding(sim, stack, holding, &mut granting).await;
        }
        if sim.have_faults_ended() {
            judge_tenants(sim, stack, &granting).await;
        }
    }
}

/// Returns `true` if the faults have ended, or if every due event has been delivered and none was lost.
fn has_delivered_all(sim: &Simulation, stack: &Stack) -> bool {
    if sim.have_faults_ended() {
        return true;
    }
    let now = sim.now();
    let queue = stack.queue.overview();
    let is_due = sim.bus().next_due().is_some_and(|due| due <= now);
    let waits = queue.held || queue.waiting + queue.in_flight + queue.dead_letters.len() > 0;
    !is_due && !waits && !sim.losses().has_lost(now)
}

async fn judge_holding(
    sim: &Simulation,
    stack: &Stack,
    holding: &Holding,
    granting: &mut BTreeMap<String, Vec<ServiceStatus>>,
) {
    let now = sim.now();
    let status = service_status(sim, holding, now);
    let mut linked: Vec<(String, bool)> = Vec::new();
    let mut has_access = false;
    for id in holding.ids() {
        let Some(shown) = sim.observe(stack, &format!("/v1/licenses/{id}")).await else {
            return sim.differ(&holding.license, format!("{id} cannot be shown"));
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
        granting.entry(tenant).or_default().push(status);
    }
    let license = &holding.license;
    match status {
        // Only the reconciliation detects an end whose events went to another backend.
        ServiceStatus::Revoked { since }
            if !sim.have_faults_ended() && sim.losses().went_to_other_backend(holding, since) => {}
        ServiceStatus::Revoked { since } if has_access && now.duration_since(since) > FINAL_HOUR => {
            sim.differ(license, format!("{license} has access, and AWS has not served its buyer since {since}"));
        }
        ServiceStatus::Revoked { .. } => sim.count("checks of revoked access", 1),
        ServiceStatus::Served { since } if sim.have_faults_ended() && now.duration_since(since) > SETTLED => {
            sim.count("checks of granted access", 1);
            if !has_access {
                sim.differ(license, format!("{license} has no access, and AWS has served its buyer since {since}"));
            }
        }
        ServiceStatus::Served { .. } | ServiceStatus::Changing => {}
    }
}

/// Compares the decisions about each tenant with AWS: a tenant is allowed something if AWS serves one of its licenses,
/// and nothing if AWS serves none.
async fn judge_tenants(sim: &Simulation, stack: &Stack, granting: &BTreeMap<String, Vec<ServiceStatus>>) {
    let now = sim.now();
    let tenants: Vec<(String, LicenseId)> = {
        let buyers = sim.buyers();
        let theirs = buyers.holdings.iter().filter(|holding| holding.stage == stack.stage);
        theirs.flat_map(|it| it.tenants.iter().map(|tenant| (tenant.clone(), it.license.clone()))).collect()
    };
    for (tenant, license) in tenants {
        let Some(shown) = sim.observe(stack, &format!("/v1/tenants/{tenant}/entitlements")).await else {
            return sim.differ(&license, format!("the decisions of {tenant} cannot be read"));
        };
        let is_allowed = shown.list("/decisions").any(|decision| decision.get("allowed") == Some(&Value::Bool(true)));
        let statuses = granting.get(&tenant).map(Vec::as_slice).unwrap_or_default();
        let lasts = |since: &Timestamp, limit: SignedDuration| now.duration_since(*since) > limit;
        let is_served = |it: &ServiceStatus| matches!(it, ServiceStatus::Served { since } if lasts(since, SETTLED));
        let is_revoked =
            |it: &ServiceStatus| matches!(it, ServiceStatus::Revoked { since } if lasts(since, FINAL_HOUR));
        sim.count("checks of tenant decisions", 1);
        if statuses.iter().any(is_served) && !is_allowed {
            sim.differ(&license, format!("{tenant} may use nothing, and AWS serves it: {}", shown.body));
        }
        if statuses.iter().all(is_revoked) && is_allowed {
            sim.differ(&license, format!("{tenant} may use something, and AWS serves it no more: {}", shown.body));
        }
    }
}

/// Returns `true` if AWS certainly serves the buyer of a holding.
pub(super) fn is_served(sim: &Simulation, holding: &Holding) -> bool {
    matches!(service_status(sim, holding, sim.now()), ServiceStatus::Served { .. })
}

fn service_status(sim: &Simulation, holding: &Holding, now: Timestamp) -> ServiceStatus {
    let overview = sim.aws.marketplace().overview();
    let theirs: Vec<LicenseOverview> = overview.licenses.into_iter().filter(|it| is_theirs(it, holding)).collect();
    let starts = |license: &LicenseOverview| {
        let agreement = overview.agreements.iter().find(|it| Some(&it.agreement_id) == license.agreement_id.as_ref());
        agreement.map(|agreement| agreement.start + sim.scenario.delays.provision)
    };
    let in_force = theirs.iter().filter(|license| license.revoked.is_none() && license.agreement_id.is_some());
    if let Some(since) = in_force.filter_map(starts).max() {
        return ServiceStatus::Served { since };
    }
    match theirs.iter().map(|license| license.revoked).max().flatten() {
        Some(since) if since <= now && theirs.iter().all(|license| license.revoked.is_some()) => {
            ServiceStatus::Revoked { since }
        }
        Some(_) | None => ServiceStatus::Changing,
    }
}

fn is_theirs(license: &LicenseOverview, holding: &Holding) -> bool {
    match &license.customer_identifier {
        Some(customer) => license.product_code == holding.product && holding.customer() == Some(customer.as_str()),
        None => license.license_arn.id() == &holding.license,
    }
}

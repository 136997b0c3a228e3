//! Links of licenses to tenants: the application makes them, and operators remove or move them.

use std::sync::Arc;

use domain::ids::LicenseId;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::api::{Answer, Call};
use crate::holding::Holding;
use crate::simulation::Simulation;
use crate::stack::Stack;

/// The most retries of a link while its license is not known.
const TRIES: u32 = 8;

/// Plans that the application links a license to its buyer's tenant some time after a given time. Rarely, another
/// tenant claims the license around the same time.
pub fn link_later(sim: &Arc<Simulation>, after: Timestamp, license: &LicenseId) {
    let at = after + sim.some_time(1, 3600);
    let tenant = tenant_of(sim, license);
    link_at(sim, at, license, tenant, 0);
    if sim.chance(0.1) {
        let other = another_tenant(sim);
        link_at(sim, at + SignedDuration::from_secs(sim.draw(|rng| rng.i64(-5..60))), license, other, 0);
    }
}

fn tenant_of(sim: &Simulation, license: &LicenseId) -> String {
    let account = sim.buyers().holding(license).map(|holding| holding.account.to_string());
    format!("tenant-{}", account.unwrap_or_default())
}

/// Returns the name of a new tenant.
pub fn another_tenant(sim: &Simulation) -> String {
    format!("other-{}", sim.draw(|rng| rng.u32(..)))
}

/// Plans that the application links a license to a tenant, and retries until it has an answer.
pub fn link_at(sim: &Arc<Simulation>, at: Timestamp, license: &LicenseId, tenant: String, times: u32) {
    let (handle, license) = (Arc::clone(sim), license.clone());
    sim.act_at(at, "application", async move {
        let Some(holding) = handle.buyers().holding(&license).cloned() else { return };
        let Some(stack) = handle.stack(holding.stage) else { return };
        let id = handle.draw(|rng| rng.choice(holding.ids().cloned().collect::<Vec<_>>())).unwrap_or(license);
        note_tenant(&handle, &holding, &tenant);
        let call = Call::put(format!("/v1/licenses/{id}/tenant"), &json!({ "tenant": tenant }));
        let answer = handle.ask(stack, &call).await;
        count(&handle, "link", answer.as_ref());
        let is_again = answer.is_none_or(|answer| answer.status == 404 && times < TRIES);
        if is_again {
            let at = handle.later(handle.some_time(2, 30_i64 << times.min(8)));
            link_at(&handle, at, &id, tenant, times + 1);
        }
    });
}

fn note_tenant(sim: &Simulation, holding: &Holding, tenant: &str) {
    if let Some(holding) = sim.buyers().holding_mut(&holding.license)
        && !holding.tenants.iter().any(|known| known == tenant)
    {
        holding.tenants.push(tenant.to_owned());
    }
}

fn count(sim: &Simulation, action: &str, answer: Option<&Answer>) {
    let outcome = match answer {
        None => "not answered".to_owned(),
        Some(answer) if answer.status == 200 => "done".to_owned(),
        Some(answer) => answer.text("/code").to_owned(),
    };
    sim.count(&format!("{action}: {outcome}"), 1);
}

/// Unlinks a license from its tenant or moves it to another, as an operator. The application may link an unlinked
/// license again later.
pub async fn reassign(sim: &Arc<Simulation>, stack: &Arc<Stack>, holding: &Holding) {
    let Some(id) = sim.draw(|rng| rng.choice(holding.ids().cloned().collect::<Vec<_>>())) else { return };
    let Some(shown) = sim.ask(stack, &Call::get(format!("/v1/licenses/{id}"))).await else { return };
    let from = match shown.text("/tenant") {
        "" => tenant_of(sim, &id),
        tenant => tenant.to_owned(),
    };
    let is_move = sim.chance(0.5);
    let to = another_tenant(sim);
    let (action, body) = match is_move {
        true => ("move", json!({ "from": from, "to": to, "reason": "the simulation" })),
        false => ("unlink", json!({ "from": from, "reason": "the simulation" })),
    };
    if is_move {
        note_tenant(sim, holding, &to);
    }
    let call = Call::post(format!("/v1/licenses/{id}/tenant/{action}"), "application/json", body.to_string());
    // Without an answer a part of the line may have changed. The repeated call changes the rest.
    for _ in 0..20 {
        let answer = sim.ask(stack, &call).await;
        count(sim, action, answer.as_ref());
        if answer.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    }
    if !is_move && sim.chance(0.7) {
        let at = sim.later(sim.some_time(1, 3600));
        let tenant = if sim.chance(0.5) { from } else { to };
        link_at(sim, at, &id, tenant, 0);
    }
}

//! Links of licenses to tenants: the application makes them, and operators remove or move them.

use std::sync::Arc;

use domain::ids::LicenseId;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::api::{Answer, Call};
use crate::buyers::{Holding, some_time};
use crate::stack::Stack;
use crate::world::World;

/// The most retries of a link while its license is not known.
const TRIES: u32 = 8;

/// Plans that the application links a license to its buyer's tenant some time after a given time. Rarely, another
/// tenant claims the license around the same time.
pub fn link_later(world: &Arc<World>, after: Timestamp, license: &LicenseId) {
    let at = after + some_time(world, 1, 3600);
    let tenant = tenant_of(world, license);
    link_at(world, at, license, tenant, 0);
    if world.chance(0.1) {
        let other = another_tenant(world);
        link_at(world, at + SignedDuration::from_secs(world.draw(|rng| rng.i64(-5..60))), license, other, 0);
    }
}

fn tenant_of(world: &World, license: &LicenseId) -> String {
    let account = world.buyers().holding(license).map(|holding| holding.account.to_string());
    format!("tenant-{}", account.unwrap_or_default())
}

/// Returns the name of a new tenant.
pub fn another_tenant(world: &World) -> String {
    format!("other-{}", world.draw(|rng| rng.u32(..)))
}

/// Plans that the application links a license to a tenant, and retries until it has an answer.
pub fn link_at(world: &Arc<World>, at: Timestamp, license: &LicenseId, tenant: String, times: u32) {
    let (here, license) = (Arc::clone(world), license.clone());
    world.act_at(at, "application", async move {
        let Some(holding) = here.buyers().holding(&license).cloned() else { return };
        let Some(stack) = here.stack(holding.stage) else { return };
        let id = here.draw(|rng| rng.choice(holding.ids().cloned().collect::<Vec<_>>())).unwrap_or(license);
        wants(&here, &holding, &tenant);
        let call = Call::put(format!("/v1/licenses/{id}/tenant"), &json!({ "tenant": tenant }));
        let answer = here.ask(stack, &call).await;
        count(&here, "link", answer.as_ref());
        let is_again = answer.is_none_or(|answer| answer.status == 404 && times < TRIES);
        if is_again {
            let at = here.later(some_time(&here, 2, 30_i64 << times.min(8)));
            link_at(&here, at, &id, tenant, times + 1);
        }
    });
}

fn wants(world: &World, holding: &Holding, tenant: &str) {
    if let Some(holding) = world.buyers().holding_mut(&holding.license)
        && !holding.tenants.iter().any(|known| known == tenant)
    {
        holding.tenants.push(tenant.to_owned());
    }
}

fn count(world: &World, action: &str, answer: Option<&Answer>) {
    let outcome = match answer {
        None => "not answered".to_owned(),
        Some(answer) if answer.status == 200 => "done".to_owned(),
        Some(answer) => answer.text("/code").to_owned(),
    };
    world.count(&format!("{action}: {outcome}"), 1);
}

/// Unlinks a license from its tenant or moves it to another, as an operator. The application may link an unlinked
/// license again later.
pub async fn give(world: &Arc<World>, stack: &Arc<Stack>, holding: &Holding) {
    let Some(id) = world.draw(|rng| rng.choice(holding.ids().cloned().collect::<Vec<_>>())) else { return };
    let Some(shown) = world.ask(stack, &Call::get(format!("/v1/licenses/{id}"))).await else { return };
    let from = match shown.text("/tenant") {
        "" => tenant_of(world, &id),
        tenant => tenant.to_owned(),
    };
    let is_move = world.chance(0.5);
    let to = another_tenant(world);
    let (action, body) = match is_move {
        true => ("move", json!({ "from": from, "to": to, "reason": "the simulation" })),
        false => ("unlink", json!({ "from": from, "reason": "the simulation" })),
    };
    if is_move {
        wants(world, holding, &to);
    }
    let call = Call::post(format!("/v1/licenses/{id}/tenant/{action}"), "application/json", body.to_string());
    // Without an answer a part of the line may have changed. The repeated call changes the rest.
    for _ in 0..20 {
        let answer = world.ask(stack, &call).await;
        count(world, action, answer.as_ref());
        if answer.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    }
    if !is_move && world.chance(0.7) {
        let at = world.later(some_time(world, 1, 3600));
        let tenant = if world.chance(0.5) { from } else { to };
        link_at(world, at, &id, tenant, 0);
    }
}

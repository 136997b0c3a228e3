//! The seller's existing customers: buyers whom another backend serves until they are imported, and buyers who move from
//! a customer key to a license key.

use std::sync::Arc;

use domain::ids::LicenseId;
use domain::listing::{Listing, Mode};
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};

use crate::buyers::{buy, plan_change};
use crate::import_file::{Row, Times};
use crate::moves::{move_now, send_file, use_around};
use crate::purchases::{purchase, record_holding, register};
use crate::simulation::Simulation;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Plans the purchases of buyers whom the seller had before. Returns their number.
pub fn plan_imports(sim: &Arc<Simulation>) -> usize {
    let stages = &sim.scenario.stages;
    let listings: Vec<Listing> =
        sim.scenario.listings.iter().filter(|listing| stages.contains(&listing.stage)).cloned().collect();
    let most = if sim.chance(0.4) { sim.draw(|rng| rng.usize(1..3)) } else { 0 };
    for _ in 0..most {
        let Some(listing) = sim.draw(|rng| rng.choice(listings.iter().cloned())) else { return 0 };
        let at = sim.some_second((sim.scenario.start, sim.scenario.start + SignedDuration::from_hours(24)));
        let handle = Arc::clone(sim);
        sim.act_at(at, "buyer", async move {
            had_before(&handle, &listing, None);
        });
    }
    most
}

/// Makes a purchase by a buyer whom another backend serves until the import: AWS's events go there. Returns the
/// license's key.
pub fn had_before(sim: &Arc<Simulation>, listing: &Listing, import: Option<Timestamp>) -> Option<LicenseId> {
    let (bought, included) = purchase(sim, listing, None)?;
    let license = record_holding(sim, listing, &bought, included)?;
    let at = import.unwrap_or_else(|| sim.later(sim.some_time(1300, 10 * 3600)));
    let text = match (&bought.customer_identifier, &bought.license_arn) {
        (Some(customer), _) => customer.to_string(),
        (None, _) => bought.agreement_id.to_string(),
    };
    sim.losses().send_to_other_backend(&text, at);
    if listing.mode == Mode::Customer {
        // The events of its agreement and of the license behind it go there too.
        sim.losses().send_to_other_backend(bought.agreement_id.as_str(), at);
    }
    sim.count("buyers of another backend", 1);
    if sim.chance(0.3) {
        register(sim, sim.later(sim.some_time(5, 3 * 3600)), listing.stage, bought.token);
    }
    if import.is_none() {
        let (handle, key) = (Arc::clone(sim), license.clone());
        sim.act_at(at, "operator", async move { import_holding(&handle, &key) });
    }
    plan_change(sim, listing, bought.agreement_id, &bought.account_id);
    Some(license)
}

fn import_holding(sim: &Arc<Simulation>, license: &LicenseId) {
    let Some(holding) = sim.buyers().holding(license).cloned() else { return };
    if sim.aws.marketplace().new_token(&holding.agreement).is_err() {
        // The agreement has ended, so there is no customer to import.
        return;
    }
    let now = sim.now();
    let hour =
        |ahead: i64| (UsageHour::of(now + SignedDuration::from_mins(70)).start()) + SignedDuration::from_hours(ahead);
    let times = Times {
        since: Some(holding.since).filter(|_| sim.chance(0.6)),
        metered_from: Some(hour(sim.draw(|rng| rng.i64(0..4)))).filter(|_| sim.chance(0.4)),
        move_at: None,
    };
    send_file(sim, holding.stage, vec![Row::new(&holding, &times)]);
}

/// Plans the buyers who move. Returns their number.
pub fn plan_moves(sim: &Arc<Simulation>) -> usize {
    let is_sold = |listing: &&Listing| listing.mode == Mode::Customer && sim.stack(listing.stage).is_some();
    let Some(listing) = sim.scenario.listings.iter().find(is_sold).cloned() else { return 0 };
    let count = sim.draw(|rng| rng.usize(0..3));
    for _ in 0..count {
        let at = sim.some_second((sim.scenario.start, sim.scenario.start + SignedDuration::from_hours(20)));
        let (handle, listing) = (Arc::clone(sim), listing.clone());
        sim.act_at(at, "buyer", async move { buy_and_move(&handle, &listing) });
    }
    count
}

/// Makes a purchase by a customer key, and moves the buyer some hours later.
fn buy_and_move(sim: &Arc<Simulation>, listing: &Listing) {
    let at = sim.later(seconds(sim.draw(|rng| rng.i64(1300..9 * 3600))));
    let license = match sim.chance(0.25) {
        true => had_before(sim, listing, Some(at)),
        false => buy(sim, &listing.product_code, None),
    };
    let Some(license) = license else { return };
    // This usage makes every instance of intake read the license before the move.
    for before in [50, 30, 12, 3] {
        use_around(sim, at - seconds(before), &license, at);
    }
    let (handle, key) = (Arc::clone(sim), license.clone());
    sim.act_at(at, "operator", async move { move_now(&handle, &key) });
    for after in [3, 9, 22, 40, 57, 80] {
        use_around(sim, at + seconds(after), &license, at);
    }
}

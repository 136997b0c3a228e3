//! Purchases on AWS Marketplace, and the registrations of the buyers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{AccountId, DimensionKey, LicenseId};
use domain::listing::{Listing, Stage};
use jiff::{SignedDuration, Timestamp};
use local_aws::{Purchase, Purchased};
use registration::Registration;
use serde_json::{Value, json};

use crate::api::Call;
use crate::holding::Holding;
use crate::simulation::Simulation;

/// The registration function's time limit in the template.
const TIME_LIMIT: Duration = Duration::from_secs(25);

/// Makes a purchase on AWS Marketplace. Returns the purchase, and the amount that its contract includes.
pub fn purchase(sim: &Simulation, listing: &Listing, account: Option<AccountId>) -> Option<(Purchased, Option<u32>)> {
    let entitled = listing.dimensions.iter().filter(|dimension| dimension.is_entitled());
    let included: Vec<(DimensionKey, u32)> =
        entitled.map(|dimension| (dimension.key.clone(), sim.draw(|rng| rng.u32(1..100)))).collect();
    let dimensions: BTreeMap<DimensionKey, Value> =
        included.iter().map(|(dimension, amount)| (dimension.clone(), json!(amount))).collect();
    let included = included.first().map(|(_, amount)| *amount);
    let free_trial = sim.chance(0.1);
    let purchase = Purchase { product: listing.product_code.clone(), account, dimensions, free_trial };
    match sim.aws.marketplace().purchase(purchase) {
        Ok(bought) => {
            sim.count("purchases", 1);
            Some((bought, included))
        }
        Err(refused) => {
            sim.log(|| format!("a purchase is refused: {refused}"));
            None
        }
    }
}

/// Records that a buyer holds a license from now on. Returns its key.
pub fn record_holding(
    sim: &Simulation,
    listing: &Listing,
    bought: &Purchased,
    included: Option<u32>,
) -> Option<LicenseId> {
    let arn = bought.license_arn.as_ref();
    let license = match (arn, &bought.customer_identifier) {
        (Some(arn), _) => arn.id().clone(),
        (None, Some(customer)) => LicenseId::legacy(&listing.product_code, customer),
        (None, None) => return None,
    };
    let kind =
        listing.product_id.as_str().trim_start_matches("prod-demo").trim_end_matches(char::is_numeric).to_owned();
    sim.event_log.name(license.as_str(), |number| format!("{kind}-{number}"));
    sim.log(|| format!("{license} is bought by {} ({})", bought.account_id, bought.agreement_id));
    let mut buyers = sim.buyers();
    buyers.agreements.push((bought.agreement_id.clone(), listing.stage));
    buyers.activations.insert((license.clone(), sim.later(sim.scenario.delays.provision)));
    if let Some(known) = buyers.holding_mut(&license) {
        known.agreement = bought.agreement_id.clone();
        return Some(license);
    }
    let dimensions = listing.dimensions.iter().filter(|dimension| dimension.is_metered());
    buyers.holdings.push(Holding {
        license: license.clone(),
        product: listing.product_code.clone(),
        stage: listing.stage,
        arn: arn.cloned(),
        account: bought.account_id.clone(),
        agreement: bought.agreement_id.clone(),
        dimensions: dimensions.map(|dimension| dimension.key.clone()).collect(),
        included,
        since: sim.now(),
        move_to: None,
        tenants: Vec::new(),
    });
    Some(license)
}

/// Registers every buyer with an agreement in force, so that records that are held because the buyer is unknown can
/// continue. Buyers who have only renewed do not register.
pub fn register_everyone(sim: &Arc<Simulation>) {
    let (agreements, unregistered) = {
        let buyers = sim.buyers();
        (buyers.agreements.clone(), buyers.unregistered.clone())
    };
    for (agreement, stage) in agreements.into_iter().filter(|(agreement, _)| !unregistered.contains(agreement)) {
        if let Ok(token) = sim.aws.marketplace().new_token(&agreement) {
            let at = sim.later(SignedDuration::from_secs(90));
            register(sim, at, stage, token);
        }
    }
}

/// Plans that the buyer's browser posts the token at the given time.
pub fn register(sim: &Arc<Simulation>, at: Timestamp, stage: Stage, token: String) {
    let handle = Arc::clone(sim);
    sim.act_at(at, "registration", async move {
        let Some(stack) = handle.stack(stage) else { return };
        let body: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = format!("x-amzn-marketplace-token={body}");
        let Some(event) = Call::post("/register", "application/x-www-form-urlencoded", body).event() else { return };
        let handled = async move |function: Arc<Registration>| function.handle(event).await;
        let answer = handle.run_in(&stack.registration, TIME_LIMIT, (0.15, 30), handled).await;
        if let Some(answer) = answer {
            handle.log(|| format!("it is answered {}", answer.status_code));
        }
    });
}

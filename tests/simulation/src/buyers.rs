//! Buyers, who buy, register and buy again. [`changes`](crate::changes) contains the later life of their agreements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{AccountId, AgreementId, DimensionKey, LicenseArn, LicenseId, ProductCode};
use domain::listing::{Listing, Stage};
use jiff::{SignedDuration, Timestamp};
use local_aws::{Purchase, Purchased};
use registration::Registration;
use serde_json::{Value, json};

use crate::api::Call;
use crate::changes::plan_change;
use crate::simulation::Simulation;
use crate::tenants::link_later;

/// The registration function's time limit in the template.
const TIME_LIMIT: Duration = Duration::from_secs(25);

/// All buyers with their licenses and agreements.
#[derive(Debug, Default)]
pub struct Buyers {
    /// The current and former licenses, oldest first.
    pub holdings: Vec<Holding>,
    /// Every agreement, with the stage of its listing.
    pub agreements: Vec<(AgreementId, Stage)>,
    /// The agreements of renewals with a new license, whose buyers do not need to register again.
    pub unregistered: BTreeSet<AgreementId>,
    /// The times at which a license came into force, or came into force again, according to AWS's events.
    pub activations: BTreeSet<(LicenseId, Timestamp)>,
    /// The times at which a license ended, according to AWS's events.
    pub endings: BTreeSet<(LicenseId, Timestamp)>,
}

/// A license that a buyer has bought.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Its key: the license, or the customer key of a buyer who has one.
    pub license: LicenseId,
    /// The product.
    pub product: ProductCode,
    /// The listing's stage.
    pub stage: Stage,
    /// The ARN under which AWS bills it, or `None` for a customer key.
    pub arn: Option<LicenseArn>,
    /// The buyer.
    pub account: AccountId,
    /// The newest agreement that grants it.
    pub agreement: AgreementId,
    /// The metered dimensions.
    pub dimensions: Vec<DimensionKey>,
    /// The amount that its contract includes, if it is a contract. Changes of an agreement do not change this amount.
    pub included: Option<u32>,
    /// The time of the purchase.
    pub since: Timestamp,
    /// The license that the customer key moves to, once an import has planned that.
    pub move_to: Option<Move>,
    /// The tenants to which the application or an operator wanted to link it, the newest last.
    pub tenants: Vec<String>,
}

/// A planned move of a customer key to a license key.
#[derive(Debug, Clone)]
pub struct Move {
    /// The ARN of the license.
    pub arn: LicenseArn,
    /// The first moment that is billed under the license.
    pub at: Timestamp,
}

impl Holding {
    /// Returns the ids under which the product knows the buyer.
    pub fn ids(&self) -> impl Iterator<Item = &LicenseId> {
        std::iter::once(&self.license).chain(self.move_to.as_ref().map(|to| to.arn.id()))
    }

    /// Returns `true` if the buyer has a customer key.
    pub fn has_customer_key(&self) -> bool {
        self.license.is_legacy()
    }

    /// Returns the customer key of the buyer, or `None` for a license key.
    pub fn customer(&self) -> Option<&str> {
        self.license.as_str().split_once('~').map(|(_, customer)| customer)
    }
}

impl Buyers {
    /// Returns the holding with an id.
    pub fn holding(&self, id: &LicenseId) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.ids().any(|known| known == id))
    }

    /// Returns the holding with an id for modification.
    pub fn holding_mut(&mut self, id: &LicenseId) -> Option<&mut Holding> {
        self.holdings.iter_mut().find(|holding| holding.ids().any(|known| known == id))
    }

    /// Returns the single key of a buyer who is known by two ids.
    pub fn key_of(&self, id: &LicenseId) -> LicenseId {
        self.holding(id).map_or_else(|| id.clone(), |holding| holding.license.clone())
    }
}

/// Returns a random duration between two bounds in seconds, distributed so that seconds are as likely as hours.
pub fn some_time(sim: &Simulation, shortest: i64, longest: i64) -> SignedDuration {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "seconds of a few days")]
    let seconds = sim.draw(|rng| {
        let (low, high) = ((shortest as f64).ln(), (longest as f64).ln());
        (low + rng.f64() * (high - low)).exp() as i64
    });
    SignedDuration::from_secs(seconds)
}

/// Buys a product, as a new buyer or as an existing account. Returns the license's key.
pub fn buy(sim: &Arc<Simulation>, product: &ProductCode, account: Option<AccountId>) -> Option<LicenseId> {
    let listing = sim.listing(product.as_str()).cloned()?;
    let (bought, included) = purchase(sim, &listing, account)?;
    let license = record_holding(sim, &listing, &bought, included)?;
    if sim.chance(0.85) {
        let times = if sim.chance(0.2) { 2 } else { 1 };
        for _ in 0..times {
            let at = sim.later(some_time(sim, 5, 3 * 3600));
            register(sim, at, listing.stage, bought.token.clone());
            link_later(sim, at, &license);
        }
    }
    plan_change(sim, &listing, bought.agreement_id, &bought.account_id);
    Some(license)
}

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

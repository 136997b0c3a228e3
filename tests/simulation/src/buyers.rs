//! Buyers: they buy, register, change what they have, leave, and come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use jiff::{SignedDuration, Timestamp};
use sandbox::aws::{Change, EndStatus, Purchase};
use serde_json::{Value, json};
use stallkeeper::ids::{AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode};
use stallkeeper::listing::{Listing, Stage};

use crate::life::{End, Life};
use crate::plot::last_hour;
use crate::world::World;

/// What the registration function may take, as the template has it.
const TIME_LIMIT: Duration = Duration::from_secs(25);

/// Everyone who has bought something.
#[derive(Debug, Default)]
pub struct Buyers {
    /// What they hold or held, oldest first.
    pub holdings: Vec<Holding>,
    /// Every agreement that was made, with its listing's stage.
    agreements: Vec<(AgreementId, Stage)>,
}

/// A license that somebody bought.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Its key.
    pub license: LicenseId,
    /// The product.
    pub product: ProductCode,
    /// The listing's stage.
    pub stage: Stage,
    /// How AWS is told of it: by ARN, or by the customer's key.
    pub arn: Option<LicenseArn>,
    /// The buyer.
    pub account: AccountId,
    /// The metered dimensions.
    pub dimensions: Vec<DimensionKey>,
    /// What its contract includes, where it is one; changes of an agreement leave it as it is.
    pub included: Option<u32>,
    /// Since when.
    pub since: Timestamp,
}

/// A random time, as often seconds as hours.
pub fn some_time(world: &World, shortest: i64, longest: i64) -> SignedDuration {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "seconds of a few days")]
    let seconds = world.draw(|rng| {
        let (low, high) = ((shortest as f64).ln(), (longest as f64).ln());
        (low + rng.f64() * (high - low)).exp() as i64
    });
    SignedDuration::from_secs(seconds)
}

/// Someone buys a product, new or once more.
pub fn buy(world: &Arc<World>, product: &ProductCode, account: Option<AccountId>) {
    let Some(listing) = world.listing(product.as_str()).cloned() else { return };
    let entitled = listing.dimensions.iter().filter(|dimension| dimension.is_entitled());
    let included: Vec<(DimensionKey, u32)> =
        entitled.map(|dimension| (dimension.key.clone(), world.draw(|rng| rng.u32(1..100)))).collect();
    let dimensions: BTreeMap<DimensionKey, Value> =
        included.iter().map(|(dimension, amount)| (dimension.clone(), json!(amount))).collect();
    let included = included.first().map(|(_, amount)| *amount);
    let free_trial = world.chance(0.1);
    let purchase = Purchase { product: product.clone(), account, dimensions, free_trial };
    let bought = match world.aws.marketplace().purchase(purchase) {
        Ok(bought) => bought,
        Err(refused) => return world.tell(|| format!("a purchase is refused: {refused}")),
    };
    let keys = (bought.license_arn.as_ref(), bought.customer_identifier.as_ref());
    holds(world, &listing, &bought.account_id, keys, included);
    world.count("purchases", 1);
    if world.chance(0.85) {
        let times = if world.chance(0.2) { 2 } else { 1 };
        for _ in 0..times {
            let at = world.later(some_time(world, 5, 3 * 3600));
            register(world, at, listing.stage, bought.token.clone());
        }
    }
    live_on(world, &listing, bought.agreement_id, &bought.account_id);
}

/// A license is somebody's.
fn holds(
    world: &World,
    listing: &Listing,
    account: &AccountId,
    (arn, customer): (Option<&LicenseArn>, Option<&CustomerIdentifier>),
    included: Option<u32>,
) {
    let license = match (arn, customer) {
        (Some(arn), _) => arn.id().clone(),
        (None, Some(customer)) => LicenseId::legacy(&listing.product_code, customer),
        (None, None) => return,
    };
    let kind =
        listing.product_id.as_str().trim_start_matches("prod-demo").trim_end_matches(char::is_numeric).to_owned();
    world.story.call(license.as_str(), |number| format!("{kind}-{number}"));
    world.tell(|| format!("{license} is bought by {account}"));
    let mut buyers = world.buyers();
    if buyers.holdings.iter().any(|holding| holding.license == license) {
        return;
    }
    let dimensions = listing.dimensions.iter().filter(|dimension| dimension.is_metered());
    buyers.holdings.push(Holding {
        license,
        product: listing.product_code.clone(),
        stage: listing.stage,
        arn: arn.cloned(),
        account: account.clone(),
        dimensions: dimensions.map(|dimension| dimension.key.clone()).collect(),
        included,
        since: world.now(),
    });
}

/// Whoever still has an agreement registers, if they never did: what is held for want of a buyer's name goes on then.
pub fn everyone_registers(world: &Arc<World>) {
    let agreements = world.buyers().agreements.clone();
    for (agreement, stage) in agreements {
        if let Ok(token) = world.aws.marketplace().new_token(&agreement) {
            let at = world.later(SignedDuration::from_secs(90));
            register(world, at, stage, token);
        }
    }
}

/// Whoever still has an agreement ends it.
pub fn everyone_leaves(world: &Arc<World>) {
    let agreements = world.buyers().agreements.clone();
    for (agreement, _) in agreements {
        // One that has ended before is refused, which is as well.
        let _ = world.aws.marketplace().change(&agreement, Change::End { status: EndStatus::default() });
    }
}

/// What becomes of an agreement in the time that is left.
fn live_on(world: &Arc<World>, listing: &Listing, agreement: AgreementId, account: &AccountId) {
    world.buyers().agreements.push((agreement.clone(), listing.stage));
    let left = world.scene.over().duration_since(world.now()).as_secs();
    if left <= 120 {
        return;
    }
    let mut at = world.later(SignedDuration::from_secs(world.draw(|rng| rng.i64(60..left))));
    if let Some(end) = world.scene.month_end.filter(|end| *end > world.now() && world.chance(0.3)) {
        // Around the end of the month.
        at = end + SignedDuration::from_mins(world.draw(|rng| rng.i64(-70..7 * 60)));
    }
    let (listing, account, here) = (listing.clone(), account.clone(), Arc::clone(world));
    world.act_at(at.max(world.now()), "buyer", async move {
        let kind = here.draw(|rng| rng.u8(0..10));
        match kind {
            0..=5 => leave(&here, &listing, &agreement, &account),
            6..=7 => change(&here, &listing, &agreement, &account),
            _ => {}
        }
    });
}

fn leave(world: &Arc<World>, listing: &Listing, agreement: &AgreementId, account: &AccountId) {
    let statuses = ["CANCELLED", "EXPIRED", "TERMINATED"];
    let status = world.draw(|rng| rng.choice(statuses)).unwrap_or("CANCELLED");
    let end = serde_json::from_value(json!({ "action": "end", "status": status }));
    let Ok(end) = end.or_else(|_| serde_json::from_value(json!({ "action": "end" }))) else { return };
    match world.aws.marketplace().change(agreement, end) {
        Ok(_) => world.tell(|| format!("{account} ends its agreement on {}", listing.product_code)),
        Err(refused) => return world.tell(|| format!("an ending is refused: {refused}")),
    }
    world.count("endings", 1);
    let license = {
        let buyers = world.buyers();
        let theirs = |it: &&Holding| it.account == *account && it.product == listing.product_code;
        buyers.holdings.iter().rev().find(theirs).map(|holding| holding.license.clone())
    };
    last_hour(world, license.as_ref());
    if world.chance(0.5) {
        let at = world.later(some_time(world, 30, 6 * 3600));
        let (here, product, account) = (Arc::clone(world), listing.product_code.clone(), account.clone());
        world.act_at(at, "buyer", async move {
            if !here.is_over() {
                buy(&here, &product, Some(account));
            }
        });
    }
}

/// Renews, replaces or amends.
fn change(world: &Arc<World>, listing: &Listing, agreement: &AgreementId, account: &AccountId) {
    let (kind, new_license) = world.draw(|rng| (rng.u8(0..3), rng.choice([None, Some(true), Some(false)]).flatten()));
    let change = match kind {
        0 if listing.pricing.has_entitlements() => Change::Renew { new_license },
        1 => Change::Amend { dimensions: BTreeMap::new() },
        _ => Change::Replace { dimensions: BTreeMap::new(), new_license },
    };
    world.tell(|| format!("{account}: {change:?} of {}", listing.product_code));
    match world.aws.marketplace().change(agreement, change) {
        Ok(changed) => {
            world.count("renewals and changes", 1);
            let theirs = |it: &&Holding| it.account == *account && it.product == listing.product_code;
            let included = world.buyers().holdings.iter().rev().find(theirs).and_then(|holding| holding.included);
            let keys = (changed.license_arn.as_ref(), changed.customer_identifier.as_ref());
            holds(world, listing, account, keys, included);
            live_on(world, listing, changed.agreement_id, account);
        }
        Err(refused) => world.tell(|| format!("it is refused: {refused}")),
    }
}

/// The buyer's browser posts the token.
fn register(world: &Arc<World>, at: Timestamp, stage: Stage, token: String) {
    let here = Arc::clone(world);
    world.act_at(at, "registration", async move {
        let Some(stack) = here.stack(stage) else { return };
        let body: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = format!("x-amzn-marketplace-token={body}");
        let Some(event) = request("/register", "application/x-www-form-urlencoded", &body) else { return };
        let chance = if here.is_over() { 0.0 } else { 0.15 };
        let life = here.draw(|rng| Life::drawn(rng, chance, 30));
        let function = stack.registration.function();
        let end = life.of(TIME_LIMIT, async move { function.handle(event).await }).await;
        match end {
            End::Answer(answer) => here.tell(|| format!("it is answered {}", answer.status_code)),
            End::Crash | End::TimeLimit => {
                here.tell(|| "its process died".to_owned());
                here.count("crashes", 1);
                stack.registration.dies();
            }
        }
    });
}

/// A POST, as API Gateway hands it on.
pub fn request(path: &str, content_type: &str, body: &str) -> Option<ApiGatewayV2httpRequest> {
    let event = json!({
        "version": "2.0",
        "routeKey": format!("ANY {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "accept": "*/*", "content-type": content_type, "host": "api.example.com" },
        "requestContext": {
            "accountId": "444455556666",
            "apiId": "simulation",
            "domainName": "api.example.com",
            "http": {
                "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "simulation",
            },
            "requestId": "simulation",
            "routeKey": format!("ANY {path}"),
            "stage": "$default",
            "time": "20/Aug/2026:12:00:00 +0000",
            "timeEpoch": 0,
        },
        "isBase64Encoded": false,
        "body": body,
    });
    serde_json::from_value(event).ok()
}

//! Imports of the seller's existing customers from a file.

use std::sync::Arc;

use domain::ids::LicenseId;
use domain::listing::{Listing, Mode, Stage};
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};

use crate::api::{Answer, Call};
use crate::buyers::{Holding, Move, holds, purchase, register, some_time};
use crate::changes::live_on;
use crate::moves::around_the_move;
use crate::world::World;

/// The columns of a file. The last column has a constant value, so that a row that is cut off there has the same
/// meaning.
const COLUMNS: &str =
    "product,tenant,customer_identifier,license_arn,agreement_id,account,since,metered_from,move_at,language";

/// A row of a file.
#[derive(Debug, Clone)]
pub struct Row {
    /// The license that it imports.
    pub license: LicenseId,
    text: String,
}

/// The times in a row.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// The start of the license.
    pub since: Option<Timestamp>,
    /// The first hour that is metered.
    pub metered_from: Option<Timestamp>,
    /// The hour of the move.
    pub move_at: Option<Timestamp>,
}

impl Row {
    /// Returns the row of a holding without a move: by its ARN, or by its customer key.
    pub fn new(holding: &Holding, times: &Times) -> Self {
        let arn = holding.arn.as_ref().map(ToString::to_string);
        Self::written(holding, arn, times)
    }

    /// Returns the row of a customer key that moves to a license.
    pub fn moving(holding: &Holding, arn: &str, times: &Times) -> Self {
        Self::written(holding, Some(arn.to_owned()), times)
    }

    fn written(holding: &Holding, arn: Option<String>, times: &Times) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let text = [
            holding.product.to_string(),
            format!("tenant-{}", holding.account),
            holding.customer().unwrap_or_default().to_owned(),
            arn.unwrap_or_default(),
            holding.agreement.to_string(),
            holding.account.to_string(),
            time(times.since),
            time(times.metered_from),
            time(times.move_at),
            "en".to_owned(),
        ]
        .join(",");
        Self { license: holding.license.clone(), text }
    }

    /// Returns the row without the hour of its move, so that the stack chooses the hour.
    fn moving_when_possible(&self) -> Self {
        let cells = COLUMNS.split(',').zip(self.text.split(','));
        let cells: Vec<&str> = cells.map(|(column, cell)| if column == "move_at" { "" } else { cell }).collect();
        Self { license: self.license.clone(), text: cells.join(",") }
    }
}

/// Plans the purchases of buyers whom the seller had before. Returns their number.
pub fn plan_imports(world: &Arc<World>) -> usize {
    let stages = &world.scene.stages;
    let listings: Vec<Listing> =
        world.scene.listings.iter().filter(|listing| stages.contains(&listing.stage)).cloned().collect();
    let most = if world.chance(0.4) { world.draw(|rng| rng.usize(1..3)) } else { 0 };
    for _ in 0..most {
        let Some(listing) = world.draw(|rng| rng.choice(listings.iter().cloned())) else { return 0 };
        let at = world.some_second((world.scene.start, world.scene.start + SignedDuration::from_hours(24)));
        let here = Arc::clone(world);
        world.act_at(at, "buyer", async move {
            had_before(&here, &listing, None);
        });
    }
    most
}

/// Makes a purchase by a buyer whom another backend serves until the import: AWS's events go there. Returns the
/// license's key.
pub fn had_before(world: &Arc<World>, listing: &Listing, import: Option<Timestamp>) -> Option<LicenseId> {
    let (bought, included) = purchase(world, listing, None)?;
    let license = holds(world, listing, &bought, included)?;
    let at = import.unwrap_or_else(|| world.later(some_time(world, 1300, 10 * 3600)));
    let text = match (&bought.customer_identifier, &bought.license_arn) {
        (Some(customer), _) => customer.to_string(),
        (None, _) => bought.agreement_id.to_string(),
    };
    world.losses().send_elsewhere(&text, at);
    if listing.mode == Mode::Customer {
        // The events of its agreement and of the license behind it go there too.
        world.losses().send_elsewhere(bought.agreement_id.as_str(), at);
    }
    world.count("buyers of another backend", 1);
    if world.chance(0.3) {
        register(world, world.later(some_time(world, 5, 3 * 3600)), listing.stage, bought.token);
    }
    if import.is_none() {
        let (here, key) = (Arc::clone(world), license.clone());
        world.act_at(at, "operator", async move { import_holding(&here, &key) });
    }
    live_on(world, listing, bought.agreement_id, &bought.account_id);
    Some(license)
}

fn import_holding(world: &Arc<World>, license: &LicenseId) {
    let Some(holding) = world.buyers().holding(license).cloned() else { return };
    if world.aws.marketplace().new_token(&holding.agreement).is_err() {
        // The agreement has ended, so there is no customer to import.
        return;
    }
    let now = world.now();
    let hour =
        |ahead: i64| (UsageHour::of(now + SignedDuration::from_mins(70)).start()) + SignedDuration::from_hours(ahead);
    let times = Times {
        since: Some(holding.since).filter(|_| world.chance(0.6)),
        metered_from: Some(hour(world.draw(|rng| rng.i64(0..4)))).filter(|_| world.chance(0.4)),
        move_at: None,
    };
    send_file(world, holding.stage, vec![Row::new(&holding, &times)]);
}

/// Sends a file until it is answered. The file is perhaps cut off first, and perhaps sent twice.
pub fn send_file(world: &Arc<World>, stage: Stage, rows: Vec<Row>) {
    let now = world.now();
    if world.chance(0.2) {
        let text = file(&rows);
        let is_header_alone = world.chance(0.15);
        let end = world.draw(|rng| rng.usize(COLUMNS.len()..text.len()));
        let end = if is_header_alone { COLUMNS.len() } else { end };
        let here = Arc::clone(world);
        let rows = rows.clone();
        world.act_at(now, "operator", async move {
            here.count("files that break off", 1);
            if let Some(text) = text.get(..end) {
                send(&here, stage, text.to_owned(), &rows).await;
            }
        });
    }
    send_at(world, now + SignedDuration::from_secs(2), stage, rows.clone());
    if world.chance(0.3) {
        let at = if world.chance(0.5) { now + SignedDuration::from_secs(2) } else { now + some_time(world, 5, 7200) };
        send_at(world, at, stage, rows);
    }
}

fn file(rows: &[Row]) -> String {
    let rows: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    format!("{COLUMNS}\n{}", rows.join("\n"))
}

fn send_at(world: &Arc<World>, at: Timestamp, stage: Stage, rows: Vec<Row>) {
    let here = Arc::clone(world);
    world.act_at(at, "operator", async move {
        if !send(&here, stage, file(&rows), &rows).await {
            let at = here.later(some_time(&here, 2, 90));
            send_at(&here, at, stage, rows);
        }
    });
}

/// Sends a file once. Returns `true` if it was answered.
async fn send(world: &Arc<World>, stage: Stage, text: String, rows: &[Row]) -> bool {
    let Some(stack) = world.stack(stage) else { return true };
    let Some(answer) = world.ask(stack, &Call::post("/v1/imports", "text/csv", text)).await else { return false };
    if answer.status != 200 {
        world.count(&format!("import: {}", answer.text("/code")), 1);
        return true;
    }
    let results: Vec<Answer> =
        answer.list("/results").map(|result| Answer { status: 200, body: result.clone() }).collect();
    for (row, result) in rows.iter().zip(results) {
        let (status, code) = (result.text("/status"), result.text("/code"));
        world.count(&format!("import: {}", if code.is_empty() { status } else { code }), 1);
        if result.text("/detail").starts_with("move_at") {
            world.count("import: move at an hour that is refused", 1);
            send_at(world, world.later(some_time(world, 5, 90)), stage, vec![row.moving_when_possible()]);
        }
        learn_of_move(world, &row.license, &result);
    }
    true
}

/// Reads the license to which a customer key moves from the result. From now on the application may use either id.
fn learn_of_move(world: &Arc<World>, license: &LicenseId, result: &Answer) {
    let (Ok(id), Ok(at)) =
        (result.text("/moves_to").parse::<LicenseId>(), result.text("/moves_at").parse::<Timestamp>())
    else {
        return;
    };
    let Some(arn) = arn_of(world, &id) else { return };
    let is_first = {
        let mut buyers = world.buyers();
        let Some(holding) = buyers.holding_mut(license) else { return };
        let is_first = holding.move_to.is_none();
        holding.move_to = Some(Move { arn, at });
        is_first
    };
    if is_first {
        world.count("moves planned", 1);
        let short = world.story.short(license.as_str());
        world.story.call(id.as_str(), |_| format!("{short}-moved"));
        world.story.join(license.as_str(), id.as_str());
        around_the_move(world, license, at);
    }
}

/// Returns the ARN of a license in AWS.
pub fn arn_of(world: &World, id: &LicenseId) -> Option<domain::ids::LicenseArn> {
    let licenses = world.aws.marketplace().overview().licenses;
    licenses.into_iter().map(|license| license.license_arn).find(|arn| arn.id() == id)
}

//! Imports of the seller's existing customers from a file.

use std::sync::Arc;

use domain::ids::LicenseId;
use domain::listing::{Listing, Mode, Stage};
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};

use crate::api::{Answer, Call};
use crate::buyers::{Holding, Move, purchase, record_holding, register, some_time};
use crate::changes::plan_change;
use crate::moves::around_the_move;
use crate::simulation::Simulation;

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
    let at = import.unwrap_or_else(|| sim.later(some_time(sim, 1300, 10 * 3600)));
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
        register(sim, sim.later(some_time(sim, 5, 3 * 3600)), listing.stage, bought.token);
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

/// Sends a file until it is answered. The file is perhaps cut off first, and perhaps sent twice.
pub fn send_file(sim: &Arc<Simulation>, stage: Stage, rows: Vec<Row>) {
    let now = sim.now();
    if sim.chance(0.2) {
        let text = file(&rows);
        let is_header_alone = sim.chance(0.15);
        let end = sim.draw(|rng| rng.usize(COLUMNS.len()..text.len()));
        let end = if is_header_alone { COLUMNS.len() } else { end };
        let handle = Arc::clone(sim);
        let rows = rows.clone();
        sim.act_at(now, "operator", async move {
            handle.count("truncated files", 1);
            if let Some(text) = text.get(..end) {
                send(&handle, stage, text.to_owned(), &rows).await;
            }
        });
    }
    send_at(sim, now + SignedDuration::from_secs(2), stage, rows.clone());
    if sim.chance(0.3) {
        let at = if sim.chance(0.5) { now + SignedDuration::from_secs(2) } else { now + some_time(sim, 5, 7200) };
        send_at(sim, at, stage, rows);
    }
}

fn file(rows: &[Row]) -> String {
    let rows: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    format!("{COLUMNS}\n{}", rows.join("\n"))
}

fn send_at(sim: &Arc<Simulation>, at: Timestamp, stage: Stage, rows: Vec<Row>) {
    let handle = Arc::clone(sim);
    sim.act_at(at, "operator", async move {
        if !send(&handle, stage, file(&rows), &rows).await {
            let at = handle.later(some_time(&handle, 2, 90));
            send_at(&handle, at, stage, rows);
        }
    });
}

/// Sends a file once. Returns `true` if it was answered.
async fn send(sim: &Arc<Simulation>, stage: Stage, text: String, rows: &[Row]) -> bool {
    let Some(stack) = sim.stack(stage) else { return true };
    let Some(answer) = sim.ask(stack, &Call::post("/v1/imports", "text/csv", text)).await else { return false };
    if answer.status != 200 {
        sim.count(&format!("import: {}", answer.text("/code")), 1);
        return true;
    }
    let results: Vec<Answer> =
        answer.list("/results").map(|result| Answer { status: 200, body: result.clone() }).collect();
    for (row, result) in rows.iter().zip(results) {
        let (status, code) = (result.text("/status"), result.text("/code"));
        sim.count(&format!("import: {}", if code.is_empty() { status } else { code }), 1);
        if result.text("/detail").starts_with("move_at") {
            sim.count("import: move at an hour that is refused", 1);
            send_at(sim, sim.later(some_time(sim, 5, 90)), stage, vec![row.moving_when_possible()]);
        }
        learn_of_move(sim, &row.license, &result);
    }
    true
}

/// Reads the license to which a customer key moves from the result. From now on the application may use either id.
fn learn_of_move(sim: &Arc<Simulation>, license: &LicenseId, result: &Answer) {
    let (Ok(id), Ok(at)) =
        (result.text("/moves_to").parse::<LicenseId>(), result.text("/moves_at").parse::<Timestamp>())
    else {
        return;
    };
    let Some(arn) = arn_of(sim, &id) else { return };
    let is_first = {
        let mut buyers = sim.buyers();
        let Some(holding) = buyers.holding_mut(license) else { return };
        let is_first = holding.move_to.is_none();
        holding.move_to = Some(Move { arn, at });
        is_first
    };
    if is_first {
        sim.count("moves planned", 1);
        let short = sim.event_log.short_name(license.as_str());
        sim.event_log.name(id.as_str(), |_| format!("{short}-moved"));
        sim.event_log.link(license.as_str(), id.as_str());
        around_the_move(sim, license, at);
    }
}

/// Returns the ARN of a license in AWS.
pub fn arn_of(sim: &Simulation, id: &LicenseId) -> Option<domain::ids::LicenseArn> {
    let licenses = sim.aws.marketplace().overview().licenses;
    licenses.into_iter().map(|license| license.license_arn).find(|arn| arn.id() == id)
}

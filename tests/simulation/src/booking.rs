//! Another system that meters the same licenses: an older backend, or another stack with the same listing.

use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use domain::ledger_schedule::LedgerSchedule;
use domain::metering::RecordName;
use domain::time::UsageHour;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::faults::lost_answer;
use crate::holding::Holding;
use crate::simulation::Simulation;
use crate::usage_reports::use_some;

/// Plans the bookings of another system. Some of them follow a lost answer of the reporter.
pub fn plan_bookings(sim: &Arc<Simulation>) {
    let count = if sim.chance(0.3) { sim.draw(|rng| rng.usize(1..4)) } else { 0 };
    for _ in 0..count {
        let (at, handle) = (sim.some_second((sim.scenario.start, sim.scenario.faults_end())), Arc::clone(sim));
        sim.act_at(at, "another system", async move {
            let Some(holding) = some_holding(&handle) else { return };
            use_some(&handle, Some(&holding.license));
            let hour = UsageHour::of(handle.now());
            match handle.chance(0.5) {
                true => book(&handle, &holding, hour).await,
                false => book_after_a_lost_answer(&handle, holding, hour),
            }
        });
    }
}

/// Makes the reporter's call for an hour fail without an answer and without an effect. The other system then books the
/// hour before the reporter's next call.
fn book_after_a_lost_answer(sim: &Arc<Simulation>, holding: Holding, hour: UsageHour) {
    let sent = LedgerSchedule::HOUR.summed_from(hour.end());
    let handle = Arc::clone(sim);
    sim.act_at(sent - SignedDuration::from_secs(1), "fault", async move {
        let fault = handle.draw(lost_answer);
        handle.log(|| format!("{fault:?} is planned"));
        // This fault is always valid, so that `add` does not fail.
        let _ = handle.aws.faults().add(fault);
    });
    let handle = Arc::clone(sim);
    let at = sent + SignedDuration::from_secs(sim.draw(|rng| rng.i64(60..420)));
    sim.act_at(at, "another system", async move { book(&handle, &holding, hour).await });
}

fn some_holding(sim: &Simulation) -> Option<Holding> {
    let holdings = sim.buyers().holdings.clone();
    sim.draw(|rng| rng.choice(holdings))
}

/// Books an hour of a license with a quantity of another system, under the key that the buyer has in that hour.
async fn book(sim: &Simulation, holding: &Holding, hour: UsageHour) {
    let Some(dimension) = holding.dimensions.first() else { return };
    let at = sim.now().min(hour.end() - SignedDuration::from_secs(1)).as_second();
    let mut record = json!({ "Timestamp": at, "Dimension": dimension.as_str(), "Quantity": 987_654 });
    let mut call = json!({});
    let moved = holding.move_to.as_ref().filter(|to| to.at <= hour.start()).map(|to| &to.arn);
    let license = match (moved.or(holding.arn.as_ref()), holding.customer()) {
        (Some(arn), _) => {
            record["LicenseArn"] = json!(arn.as_str());
            record["CustomerAWSAccountId"] = json!(holding.account.as_str());
            arn.id().clone()
        }
        (None, Some(customer)) => {
            call["ProductCode"] = json!(holding.product);
            record["CustomerIdentifier"] = json!(customer);
            holding.license.clone()
        }
        (None, None) => return,
    };
    call["UsageRecords"] = json!([record]);
    let mut request = HttpRequest::new(call.to_string().into());
    if request.set_method("POST").is_err() {
        return;
    }
    request.headers_mut().insert("x-amz-target", "AWSMPMeteringService.BatchMeterUsage");
    request.headers_mut().insert("content-type", "application/x-amz-json-1.1");
    let answer = sim.aws.in_process().without_faults().ask(request).await;
    let body = answer.ok().and_then(|answer| serde_json::from_slice::<Value>(answer.body().bytes()?).ok());
    let status = body.as_ref().and_then(|body| body.pointer("/Results/0/Status")).and_then(Value::as_str);
    if status == Some("Success") {
        sim.log(|| format!("another system books {} {hour} {dimension}", holding.license));
        sim.count("bookings of another system", 1);
        let name = RecordName { license, hour, dimension: dimension.clone() };
        sim.watch().booked_elsewhere.insert(name);
    }
}

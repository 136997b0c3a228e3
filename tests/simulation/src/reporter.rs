//! The scheduled runs of the reporter.

use std::sync::Arc;

use domain::ledger_schedule::LedgerSchedule;
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};
use metering::Metering;

use crate::schedule::REPORTER;
use crate::simulation::Simulation;
use crate::stack::Stack;
use crate::time::Period;

/// Plans the runs of the reporter in every stack. In some seeds the schedule stops for hours.
pub fn plan_reporter(sim: &Arc<Simulation>) {
    let fault_period = (sim.scenario.start, sim.scenario.faults_end());
    for stack in &sim.stacks {
        let mut outages = sim.some_periods(fault_period, 3, 600..7 * 3600);
        outages.retain(|outage| !is_in_last_chance(sim, *outage));
        for at in REPORTER.starts(sim, fault_period, &outages) {
            report_usage_at(sim, at, stack);
        }
    }
}

/// Returns `true` if a period overlaps the last hour of the month's window in a seed whose reporter must run then.
fn is_in_last_chance(sim: &Simulation, (from, until): Period) -> bool {
    sim.scenario.refused_until.is_some_and(|refused| from < refused + minutes(5) && until > refused - minutes(65))
}

fn report_usage_at(sim: &Arc<Simulation>, at: Timestamp, stack: &Arc<Stack>) {
    let (handle, stack) = (Arc::clone(sim), Arc::clone(stack));
    sim.act_at(at, "reporter", async move {
        if !handle.scenario.has_all_runs && handle.chance(left_out(&handle, &stack)) {
            handle.count("runs left out", 1);
            return;
        }
        report_usage(&handle, &stack).await;
    });
}

/// Returns the chance that a run is skipped.
///
/// Runs are skipped only to save time, since each costs as much as all usage of an hour. A run without work writes
/// nothing, and another follows in five minutes. Some seeds skip no run.
fn left_out(sim: &Simulation, stack: &Stack) -> f64 {
    let now = sim.now();
    let into_hour = now.duration_since(UsageHour::of(now).start());
    let closes_month = sim.scenario.month_end.is_some_and(|end| {
        now >= LedgerSchedule::intake_closes(end) - minutes(10) && now < LedgerSchedule::window_closes(end) + minutes(5)
    });
    let moves = sim.buyers().holdings.iter().filter_map(|holding| holding.move_to.as_ref()).any(|to| {
        let since = now.duration_since(to.at);
        since > minutes(-6) && since < minutes(40)
    });
    if closes_month || moves || stack.is_skipping_disabled(now) {
        0.0
    } else if into_hour >= LedgerSchedule::HOUR.summed_after && into_hour < minutes(20) {
        0.3
    } else {
        0.95
    }
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Invokes the reporter once. The invocation waits for the one reserved execution, unless the seed has no reserved
/// concurrency.
pub async fn report_usage(sim: &Arc<Simulation>, stack: &Arc<Stack>) {
    let execution = match sim.scenario.has_reserved_concurrency {
        true => REPORTER.queue(sim, &stack.reporting).await,
        false => {
            sim.count("runs beside another", usize::from(stack.reporting.is_taken()));
            Some(stack.reporting.start())
        }
    };
    let Some(_execution) = execution else { return };
    let next_runs = sim.later(minutes(6));
    sim.log(|| format!("run of {}", stack.stage.as_str()));
    let run = async move |function: Arc<Metering>| function.invoke(REPORTER.time_limit).await;
    match sim.run_in(&stack.metering, REPORTER.time_limit, (0.12, 500), run).await {
        Some(Ok(report)) => {
            sim.log(|| format!("run is done: {report:?}"));
            if report.sent > report.accepted || report.unfinished {
                stack.disable_skipping_until(next_runs);
            }
            return sim.count("runs", 1);
        }
        Some(Err(error)) => {
            sim.log(|| format!("run failed: {}", domain::errors::chain(&error)));
            sim.count("runs that failed", 1);
        }
        None => sim.log(|| "run is cut short".to_owned()),
    }
    stack.disable_skipping_until(next_runs);
    sim.count("runs", 1);
}

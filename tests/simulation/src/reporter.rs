//! The scheduled runs of the reporter.

use std::sync::Arc;

use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};
use metering::Metering;

use crate::schedule::{REPORTER, Stretch};
use crate::stack::Stack;
use crate::world::World;

/// Plans the runs of the reporter in every stack. In some worlds the schedule stops for hours.
pub fn plan_reporter(world: &Arc<World>) {
    let storm = (world.scene.start, world.scene.over());
    for stack in &world.stacks {
        let mut outages = world.some_stretches(storm, 3, 600..7 * 3600);
        outages.retain(|outage| !is_in_last_chance(world, *outage));
        for at in REPORTER.starts(world, storm, &outages) {
            report_usage_at(world, at, stack);
        }
    }
}

/// Returns `true` if a period overlaps the last hour of the month's window in a world whose reporter must run then.
fn is_in_last_chance(world: &World, (from, until): Stretch) -> bool {
    world.scene.refused_until.is_some_and(|refused| from < refused + minutes(5) && until > refused - minutes(65))
}

fn report_usage_at(world: &Arc<World>, at: Timestamp, stack: &Arc<Stack>) {
    let (here, stack) = (Arc::clone(world), Arc::clone(stack));
    world.act_at(at, "reporter", async move {
        if !here.scene.has_all_runs && here.chance(left_out(&here, &stack)) {
            here.count("runs left out", 1);
            return;
        }
        report_usage(&here, &stack).await;
    });
}

/// Returns the chance that a run is skipped.
///
/// Runs are skipped only to save time, since each costs as much as all usage of an hour. A run without work writes
/// nothing, and another follows in five minutes. Some worlds skip no run.
fn left_out(world: &World, stack: &Stack) -> f64 {
    let now = world.now();
    let into_hour = now.duration_since(UsageHour::of(now).start());
    let closes_month = world.scene.month_end.is_some_and(|end| now >= end + minutes(320) && now < end + minutes(365));
    let moves = world.buyers().holdings.iter().filter_map(|holding| holding.move_to.as_ref()).any(|to| {
        let since = now.duration_since(to.at);
        since > minutes(-6) && since < minutes(40)
    });
    if closes_month || moves || stack.has_attention(now) {
        0.0
    } else if into_hour >= minutes(10) && into_hour < minutes(20) {
        0.3
    } else {
        0.95
    }
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Invokes the reporter once. The invocation waits for the one reserved execution, unless the world has no reserved
/// concurrency.
pub async fn report_usage(world: &Arc<World>, stack: &Arc<Stack>) {
    let execution = match world.scene.has_reserved_concurrency {
        true => stack.reporting.queue(world, &REPORTER).await,
        false => {
            world.count("runs beside another", usize::from(stack.reporting.is_taken()));
            Some(stack.reporting.start())
        }
    };
    let Some(_execution) = execution else { return };
    let next_runs = world.later(minutes(6));
    world.tell(|| format!("run of {}", stack.stage.as_str()));
    let run = async move |function: Arc<Metering>| function.invoke(REPORTER.time_limit).await;
    match world.run_in(&stack.metering, REPORTER.time_limit, (0.12, 500), run).await {
        Some(Ok(report)) => {
            world.tell(|| format!("run is done: {report:?}"));
            if report.sent > report.accepted || report.unfinished {
                stack.attend(next_runs);
            }
            return world.count("runs", 1);
        }
        Some(Err(error)) => {
            world.tell(|| format!("run failed: {}", domain::errors::chain(&error)));
            world.count("runs that failed", 1);
        }
        None => world.tell(|| "run is cut short".to_owned()),
    }
    stack.attend(next_runs);
    world.count("runs", 1);
}

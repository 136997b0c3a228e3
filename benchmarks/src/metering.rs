//! The reporter at scale: an hour in which every license has usage is closed, sent and swept.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use domain::ids::{DimensionKey, LicenseId};
use domain::tags::Tags;
use domain::usage::{KeyHash, Quantity, UsageEvent};
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use local_aws::{BilledRecord, BillingStyle, Service};
use rust_decimal::Decimal;
use store::Progress;
use store::keys::SHARDS;
use terminal::{SayError, say};

use crate::environment::{BenchEnvironment, Sold, TABLE, for_chunks};
use crate::figures::{Goal, RequestCounts, Wanted, a_second, grouped, per, rounded};
use crate::job::{JobKind, run_job};
use crate::report::{Part, ReportJob, RunResult};
use crate::resources::ResourceUsage;

/// The rate that AWS accepts, in calls per second.
const QUOTA: f64 = 10.0;

/// The most runs of a phase before the bench fails.
const MOST_RUNS: usize = 100;

/// The work of the reporter, and its limits.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The number of hourly records to make and to send. With the quota on, AWS accepts 250 a second.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: u32,
    /// The number of dimensions that a license uses: it has a record of each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    dimensions: u32,
    /// Send as fast as possible, to an AWS that does not throttle.
    #[arg(long)]
    no_quota: bool,
    /// The time limit of a run of the reporter, in seconds, as its Lambda function's timeout.
    #[arg(long, default_value_t = 290, value_name = "SECONDS")]
    time_limit: u64,
    /// The file in which the store keeps its tables, which must not exist; in memory if none is given.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The time for which each of the store's own rates is measured, in milliseconds.
    #[arg(long, default_value_t = 1000, value_name = "MILLISECONDS")]
    probe: u64,
}

/// The runs of one phase.
struct Phase {
    name: &'static str,
    runs: Vec<Run>,
}

/// A run of the reporter, and its requests.
struct Run {
    ran: RunResult,
    asked: RequestCounts,
    /// The CPU time that AWS used meanwhile.
    aws_cpu: Duration,
}

impl Phase {
    fn took(&self) -> Duration {
        self.runs.iter().map(|run| run.ran.took).sum()
    }

    fn sent(&self) -> u64 {
        self.runs.iter().map(|run| run.ran.sent).sum()
    }

    fn calls(&self) -> u64 {
        self.runs.iter().map(|run| run.asked.count(Service::Metering, "BatchMeterUsage").calls).sum()
    }

    fn dynamodb(&self) -> u64 {
        self.runs.iter().map(|run| run.asked.dynamodb()).sum()
    }

    fn peak_mib(&self) -> f64 {
        self.runs.iter().map(|run| run.ran.spent.peak_kib).max().unwrap_or_default() as f64 / 1024.0
    }

    fn print(&self, records: u64) -> Result<(), SayError> {
        let took = self.took();
        say(format_args!(
            "{}: {:.1} s, {} records/s, {} DynamoDB requests ({:.3} a record), {} run(s), peak memory {:.0} MiB",
            self.name,
            took.as_secs_f64(),
            rounded(a_second(records, took)),
            grouped(self.dynamodb()),
            per(self.dynamodb(), records),
            self.runs.len(),
            self.peak_mib(),
        ))?;
        for (number, run) in self.runs.iter().enumerate() {
            say(format_args!(
                "  run {}: {:.1} s; on CPUs the reporter {:.1} s, AWS and the store {:.1} s; {}",
                number + 1,
                run.ran.took.as_secs_f64(),
                run.ran.spent.cpu.as_secs_f64(),
                run.aws_cpu.as_secs_f64(),
                run.asked.operations(),
            ))?;
            let calls = run.asked.count(Service::Metering, "BatchMeterUsage");
            if calls.calls > 0 {
                say(format_args!(
                    "    {} calls of BatchMeterUsage, {:.2} a second, {} throttled; {:.2} records a call",
                    grouped(calls.calls),
                    a_second(calls.calls, run.ran.took),
                    calls.failed,
                    per(run.ran.sent, calls.calls),
                ))?;
            }
        }
        Ok(())
    }
}

/// Fills a test environment, and measures the reporter in it.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let dimensions = arguments.dimensions as usize;
    ensure!(arguments.records.is_multiple_of(arguments.dimensions), "--records must be a multiple of --dimensions");
    let licenses = arguments.records as usize / dimensions;
    let records = u64::from(arguments.records);
    let env = BenchEnvironment::make(licenses, dimensions, Sold::ByUse, !arguments.no_quota, arguments.data.as_deref())
        .await?;
    let used = use_all(&env).await?;
    say(format_args!(
        "{} records of {} licenses, one event each; the quota is {}; {} CPUs",
        grouped(records),
        grouped(licenses as u64),
        if arguments.no_quota { "off" } else { "on" },
        std::thread::available_parallelism()?,
    ))?;

    env.store.set_closed_through(env.hour.previous()).await?;
    env.clock.set(env.hour.summed_from());
    let close = close(&env, arguments, "close", Progress::Summed).await?;
    close.print(records)?;
    let send = send(&env, arguments).await?;
    send.print(records)?;
    env.clock.set(env.hour.swept_from().max(env.clock.now()));
    let sweep = self::close(&env, arguments, "sweep", Progress::Swept).await?;
    sweep.print(records)?;
    let rates = env.store_rates(Duration::from_millis(arguments.probe)).await?;
    say(format_args!("the store alone, a second, to the same client: {rates}"))?;

    let is_right = is_billed_once(&env, &used);
    say(format_args!("the bill is {}", if is_right { "exactly what was used" } else { "NOT what was used" }))?;
    let together = a_second(records, close.took() + send.took());
    let mut goals = vec![
        Goal { what: "records a call", wanted: Wanted::AtLeast(24.5), got: per(send.sent(), send.calls()) },
        Goal {
            what: "DynamoDB requests a record, close and send",
            wanted: Wanted::AtMost(2.0),
            got: per(close.dynamodb() + send.dynamodb(), records),
        },
        Goal {
            what: "peak memory of the reporter in MiB",
            wanted: Wanted::AtMost(256.0),
            got: [&close, &send, &sweep].map(Phase::peak_mib).into_iter().fold(0.0, f64::max),
        },
    ];
    goals.push(if arguments.no_quota {
        Goal { what: "records a second, close and send", wanted: Wanted::AtLeast(4000.0), got: together }
    } else {
        let share = a_second(send.calls(), send.took()) / QUOTA * 100.0;
        Goal { what: "% of the quota of calls used", wanted: Wanted::AtLeast(95.0), got: share }
    });
    for goal in goals {
        say(format_args!("{goal}"))?;
    }
    ensure!(is_right, "the bill is not exactly what was used");
    Ok(())
}

type Used = HashMap<(LicenseId, DimensionKey), Decimal>;

/// Writes an event of each dimension of each license, as the intake writes them.
async fn use_all(env: &BenchEnvironment) -> anyhow::Result<Used> {
    let time = env.clock.now();
    let mut used = Used::new();
    let mut events = Vec::new();
    for (number, license) in env.licenses.iter().enumerate() {
        for dimension in &env.dimensions {
            // Every tenth quantity is not a whole number.
            let amount = Decimal::from(number % 1000) + Decimal::new(i64::from(number % 10 == 0) * 25, 2);
            used.insert((license.clone(), dimension.clone()), amount.normalize());
            events.push(UsageEvent {
                license: license.clone(),
                dimension: dimension.clone(),
                quantity: Quantity::try_from(amount)?,
                time,
                key: KeyHash::of(&format!("{license}-{dimension}")),
                revision: 0,
                tags: Tags::default(),
            });
        }
    }
    let write = |events: Vec<UsageEvent>| {
        let store = env.store.clone();
        async move {
            let written = store.write_open_usage(&events, &mut HashSet::new()).await?;
            ensure!(written.into_iter().all(|written| written), "an event was not written");
            Ok(())
        }
    };
    for_chunks(&events, 500, write).await?;
    Ok(used)
}

/// Runs the reporter's first part until the hour has reached a progress.
async fn close(
    env: &BenchEnvironment,
    arguments: &Arguments,
    name: &'static str,
    until: Progress,
) -> anyhow::Result<Phase> {
    let mut phase = Phase { name, runs: Vec::new() };
    while env.store.closing(env.hour).await?.progress < until {
        ensure!(phase.runs.len() < MOST_RUNS, "the hour was not closed");
        phase.runs.push(run_once(env, arguments, Part::Closing).await?);
    }
    Ok(phase)
}

/// Runs the reporter's second part until nothing is pending.
async fn send(env: &BenchEnvironment, arguments: &Arguments) -> anyhow::Result<Phase> {
    let mut phase = Phase { name: "send", runs: Vec::new() };
    for _ in 0..MOST_RUNS {
        phase.runs.push(run_once(env, arguments, Part::Sending).await?);
        let shards = try_join_all((0..SHARDS).map(|shard| env.store.pending(shard))).await?;
        if shards.iter().all(|pending| pending.of_hour.is_empty()) {
            return Ok(phase);
        }
        if phase.runs.last().is_some_and(|run| run.ran.sent == 0) {
            // The remaining records wait for their time: advance the clock by the schedule's interval.
            env.clock.set(env.clock.now() + SignedDuration::from_mins(5));
        }
    }
    bail!("not all records were sent")
}

async fn run_once(env: &BenchEnvironment, arguments: &Arguments, part: Part) -> anyhow::Result<Run> {
    let pace = if arguments.no_quota { Duration::ZERO } else { ::metering::Mode::default().call_interval };
    let job = ReportJob { place: env.place(TABLE), part, pace, time_limit: Duration::from_secs(arguments.time_limit) };
    let (counts, cpu) = (env.aws.wire().counts(), ResourceUsage::so_far()?.cpu);
    let ran = run_job(JobKind::Report, &job).await?;
    let asked = RequestCounts::since(&counts, &env.aws.wire().counts());
    Ok(Run { ran, asked, aws_cpu: ResourceUsage::so_far()?.cpu.saturating_sub(cpu) })
}

/// Returns `true` if AWS has booked what was used: all of it, once, and nothing else.
fn is_billed_once(env: &BenchEnvironment, used: &Used) -> bool {
    let bill = env.aws.marketplace().bill();
    let is_right = |record: &BilledRecord| {
        let amount = used.get(&(record.license.clone(), record.dimension.clone()));
        record.style == BillingStyle::License
            && record.hour == env.hour.start()
            && amount.is_some_and(|amount| *amount == record.quantity)
    };
    // The bill has each hour and style of a license and dimension once: equal numbers mean that all are there.
    bill.records.len() == used.len() && bill.records.iter().all(is_right)
}

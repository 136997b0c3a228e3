//! The intake at scale: requests of 500 events of open hours, each answered by the real handler.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use clap::Args;
use clock::Clock;
use rust_decimal::Decimal;
use sandbox::sdk_config;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use terminal::say;
use tokio::task::JoinSet;
use usage::UsageApi;

use crate::environment::{BenchEnvironment, Sold, TABLE};
use crate::figures::{Goal, RequestCounts, Wanted, a_second, grouped, per, rounded};
use crate::job::{JobEnvironment, JobKind, run_job};
use crate::resources::ResourceUsage;

/// The reported usage, and the function's instances.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The number of reported events.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    events: u32,
    /// The number of events of a request.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=500))]
    batch: u32,
    /// The number of licenses that the events are spread over.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    licenses: u32,
    /// The number of instances of the function; each answers one request at a time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    instances: u32,
    /// The file in which the store keeps its tables, which must not exist; in memory if none is given.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The time for which each of the store's own rates is measured, in milliseconds.
    #[arg(long, default_value_t = 1000, value_name = "MILLISECONDS")]
    probe: u64,
}

/// The job of ingesting usage.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IngestJob {
    place: JobEnvironment,
    licenses: Vec<String>,
    dimension: String,
    events: u32,
    batch: u32,
    instances: u32,
}

/// The result of the job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IngestResult {
    took: Duration,
    accepted: usize,
    /// The resources used, including writing the requests and reading the answers.
    spent: ResourceUsage,
    /// The CPU time used between those.
    cpu: Duration,
}

/// Builds a test environment, and measures the intake in it.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let env =
        BenchEnvironment::make(arguments.licenses as usize, 1, Sold::ByUse, true, arguments.data.as_deref()).await?;
    let dimension = env.dimensions.first().context("the listing has no dimension")?;
    let events = u64::from(arguments.events);
    say(format_args!(
        "{} events of {} licenses in requests of {}, {} instances of the function in a process of their own; {} CPUs",
        grouped(events),
        grouped(arguments.licenses.into()),
        arguments.batch,
        arguments.instances,
        std::thread::available_parallelism()?,
    ))?;
    let job = IngestJob {
        place: env.place(TABLE),
        licenses: env.licenses.iter().map(ToString::to_string).collect(),
        dimension: dimension.to_string(),
        events: arguments.events,
        batch: arguments.batch,
        instances: arguments.instances,
    };
    let (counts, cpu) = (env.aws.wire().counts(), ResourceUsage::so_far()?.cpu);
    let taken: IngestResult = run_job(JobKind::Ingest, &job).await?;
    let asked = RequestCounts::since(&counts, &env.aws.wire().counts());
    let aws_cpu = ResourceUsage::so_far()?.cpu.saturating_sub(cpu);
    let rate = a_second(events, taken.took);
    say(format_args!(
        "intake: {:.1} s, {} events/s, {} DynamoDB requests ({:.3} an event), peak memory {:.0} MiB",
        taken.took.as_secs_f64(),
        rounded(rate),
        grouped(asked.dynamodb()),
        per(asked.dynamodb(), events),
        taken.spent.peak_kib as f64 / 1024.0,
    ))?;
    say(format_args!(
        "  on CPUs the function {:.1} s, AWS and the store {:.1} s; {}",
        taken.cpu.as_secs_f64(),
        aws_cpu.as_secs_f64(),
        asked.operations(),
    ))?;
    let rates = env.store_rates(Duration::from_millis(arguments.probe)).await?;
    say(format_args!("the store alone, a second, to one client: {rates}"))?;

    let is_right = taken.accepted == arguments.events as usize && is_summed_once(&env, arguments.events).await?;
    say(format_args!(
        "the ledger has {}",
        if is_right { "exactly what was reported" } else { "NOT what was reported" }
    ))?;
    for goal in [
        Goal { what: "events a second", wanted: Wanted::AtLeast(20_000.0), got: rate },
        Goal { what: "DynamoDB requests an event", wanted: Wanted::AtMost(0.1), got: per(asked.dynamodb(), events) },
    ] {
        say(format_args!("{goal}"))?;
    }
    ensure!(is_right, "the ledger has not exactly what was reported");
    Ok(())
}

/// Returns `true` if the hours hold as much as was reported: one of each event.
async fn is_summed_once(env: &BenchEnvironment, events: u32) -> anyhow::Result<bool> {
    let mut sum = Decimal::ZERO;
    for license in &env.licenses {
        let sums = env.store.sums_of_hour(license, env.hour).await?;
        sum += sums.values().map(|sum| sum.amount).sum::<Decimal>();
    }
    Ok(sum == Decimal::from(events))
}

/// Passes requests to instances of the function until all are answered. The requests are written before the measured
/// time starts, and their answers are read after it ends.
pub(crate) async fn ingest(job: IngestJob) -> anyhow::Result<IngestResult> {
    let requests: Arc<[ApiGatewayV2httpRequest]> = requests(&job)?.into();
    let next = Arc::new(AtomicUsize::new(0));
    let clock = Clock::ticking_from(job.place.at);
    let mut instances = JoinSet::new();
    let (began, spent_before) = (Instant::now(), ResourceUsage::so_far()?.cpu);
    for _ in 0..job.instances {
        // Each instance has its own connections and its own memory.
        let function = UsageApi::new(&sdk_config(&job.place.aws), &job.place.table, clock.clone());
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        instances.spawn(async move {
            let mut answers = Vec::new();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                answers.push(function.handle(request.clone()).await);
            }
            answers
        });
    }
    let answers = instances.join_all().await;
    let took = began.elapsed();
    let cpu = ResourceUsage::so_far()?.cpu.saturating_sub(spent_before);
    let accepted = answers.iter().flatten().map(accepted).sum();
    Ok(IngestResult { took, accepted, spent: ResourceUsage::so_far()?, cpu })
}

/// Returns the requests as API Gateway passes them on. The events of each request are spread over the licenses in turn.
fn requests(job: &IngestJob) -> anyhow::Result<Vec<ApiGatewayV2httpRequest>> {
    let event = |number: u32| {
        let license = job.licenses.get(number as usize % job.licenses.len().max(1));
        json!({
            "license": license,
            "dimension": job.dimension,
            "quantity": 1,
            "time": job.place.at,
            "key": format!("event-{number}"),
        })
    };
    let numbers: Vec<u32> = (0..job.events).collect();
    numbers
        .chunks(job.batch as usize)
        .map(|batch| request(batch.iter().map(|number| event(*number)).collect()))
        .collect()
}

fn request(events: Vec<Value>) -> anyhow::Result<ApiGatewayV2httpRequest> {
    Ok(serde_json::from_value(json!({
        "version": "2.0",
        "rawPath": "/v1/usage",
        "rawQueryString": "",
        "headers": { "content-type": "application/json" },
        "requestContext": { "http": { "method": "POST", "path": "/v1/usage" } },
        "body": json!({ "events": events }).to_string(),
        "isBase64Encoded": false,
    }))?)
}

/// Returns the number of events that an answer accepts.
fn accepted(answer: &ApiGatewayV2httpResponse) -> usize {
    let Some(Body::Text(body)) = &answer.body else { return 0 };
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let results = body.get("results").and_then(Value::as_array).into_iter().flatten();
    results.filter(|result| result.get("status").and_then(Value::as_str) == Some("accepted")).count()
}

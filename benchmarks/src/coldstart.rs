//! Cold starts: each function's own release binary, started as Lambda starts it, until it asks for its first work; then
//! at work. Each is compared with a Lambda function that does nothing, with the same AWS clients (`examples/bare`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use clock::Clock;
use domain::license::License;
use entitlement::EntitlementApi;
use registration::Registration;
use serde_json::{Value, json};
use terminal::say;

use crate::environment::{BenchEnvironment, Sold, TABLE};
use crate::figures::{Goal, Latency, RequestCounts, Wanted, per, times_as_long};
use crate::requests::{Sample, TENANT, decision, history, http, license_event, mail, page, schedule, stream, usage};
use crate::runtime_api::{Idle, RuntimeApi};

const TOPIC: &str = "arn:aws:sns:us-east-1:444455556666:stallkeeper-bench";
/// The deployment that is passed to the auditor; no request of the bench reads it.
const DEPLOYMENT: &str = r#"{"stack": "stallkeeper-bench", "marketplace_events_rule": "any", "marketplace_events_queue": "any", "schedules": [],
    "dead_letters": [], "alarms": [], "audit_log": "any", "subscriptions": []}"#;
const MIB: f64 = 1024.0 * 1024.0;

/// The number of invocations before the measured ones.
const WARM_UP: u32 = 50;

/// The number of starts and of invocations.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The number of starts of each function.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    starts: u32,
    /// The number of measured invocations of each function.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    invocations: u32,
    /// The folder of the binaries; if not given, they are built first, with the profile `release`.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
}

/// A function, and the event that it is invoked with.
struct Function {
    name: &'static str,
    /// The AWS clients that it builds.
    clients: &'static str,
    event: fn(&Sample, u32) -> Value,
}

const FUNCTIONS: [Function; 9] = [
    Function { name: "registration", clients: "dynamodb,metering,entitlement,agreement", event: page },
    Function { name: "subscription", clients: "dynamodb,metering,entitlement,agreement", event: license_event },
    Function { name: "entitlement", clients: "dynamodb,metering,entitlement,agreement,sns", event: decision },
    Function { name: "reconcile", clients: "dynamodb,metering,entitlement,agreement", event: schedule },
    Function { name: "usage", clients: "dynamodb", event: usage },
    Function { name: "metering", clients: "dynamodb,metering,entitlement,agreement", event: schedule },
    Function { name: "notifier", clients: "sns", event: stream },
    Function { name: "mailer", clients: "dynamodb,ses", event: mail },
    // Its other clients are built at its first audit run.
    Function { name: "readiness", clients: "dynamodb", event: history },
];

/// The measurements of a binary.
struct Measured {
    ready: Latency,
    /// The resident memory when it asks for its first work, in MiB.
    resident: f64,
    /// The peak of its memory at the end, in MiB.
    peak: f64,
    invocation: Latency,
    /// The number of AWS calls of an invocation, and the time that AWS took to answer them.
    calls: f64,
    aws: Duration,
}

/// Builds the binaries and measures each.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let binaries = match &arguments.binaries {
        Some(folder) => folder.clone(),
        None => build()?,
    };
    let env = BenchEnvironment::make(1, 1, Sold::ByUse, false, None).await?;
    let sample = settle(&env).await?;
    let mut runtime = RuntimeApi::start().await?;
    say(format_args!(
        "each started {} times, then {} invocations; medians; {} CPUs",
        arguments.starts,
        arguments.invocations,
        std::thread::available_parallelism()?,
    ))?;
    let mut bench = Bench { arguments, binaries: &binaries, env: &env, sample: &sample, runtime: &mut runtime };
    let nothing = |_: &Sample, _| json!({});
    let bare = bench.run("bare", "", nothing).await?;
    say(format_args!("a bare Lambda: {} ms to ready, {:.1} MiB resident", millis(bare.ready.p50), bare.resident))?;
    say("")?;
    say(format_args!(
        "| function | binary, MB | to ready, ms | p99 | bare with the same clients, ms | times | resident at ready, MiB | \
         peak, MiB | warm invocation, ms | AWS calls in it | AWS's part, ms | the rest, ms |"
    ))?;
    say(format_args!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"))?;
    let mut worst: BTreeMap<&'static str, f64> = BTreeMap::new();
    for Function { name, clients, event } in FUNCTIONS {
        let bare = bench.run("bare", clients, nothing).await?;
        let ours = bench.run(name, "", event).await?;
        let size = std::fs::metadata(binaries.join(name))?.len() as f64 / 1e6;
        let rest = ours.invocation.p50.saturating_sub(ours.aws);
        let times = times_as_long(ours.ready.p50, bare.ready.p50);
        say(format_args!(
            "| {name} | {size:.2} | {} | {} | {} | {times:.2} | {:.1} | {:.1} | {} | {:.1} | {} | {} |",
            millis(ours.ready.p50),
            millis(ours.ready.p99),
            millis(bare.ready.p50),
            ours.resident,
            ours.peak,
            millis(ours.invocation.p50),
            ours.calls,
            millis(ours.aws),
            millis(rest),
        ))?;
        for (what, got) in [
            (READY, in_millis(ours.ready.p50)),
            (TIMES, times),
            (RESIDENT, ours.peak),
            (SIZE, size),
            (REST, in_millis(rest)),
        ] {
            let known = worst.entry(what).or_default();
            *known = known.max(got);
        }
    }
    say("")?;
    for (what, most) in [(READY, 10.0), (TIMES, 1.5), (RESIDENT, 20.0), (SIZE, 12.0), (REST, 1.0)] {
        let got = worst.get(what).copied().context("nothing was measured")?;
        say(format_args!("{}", Goal { what, wanted: Wanted::AtMost(most), got }))?;
    }
    Ok(())
}

const READY: &str = "milliseconds to ready, of the slowest";
const TIMES: &str = "times a bare Lambda with the same clients, of the worst";
const RESIDENT: &str = "MiB resident at most, of the largest";
const SIZE: &str = "MB of the largest binary";
const REST: &str = "milliseconds of a warm invocation beside AWS's answers, of the slowest";

fn in_millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn millis(time: Duration) -> String {
    format!("{:.2}", in_millis(time))
}

/// Builds the measured binaries, and returns their folder.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").context("run this by cargo, or name the folder by --binaries")?;
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--bins"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    for package in ["bare"].into_iter().chain(FUNCTIONS.iter().map(|function| function.name)) {
        command.args(["--package", package]);
    }
    ensure!(command.status()?.success(), "the binaries were not built");
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program is in no folder")?.to_owned())
}

/// Imports the one license for a tenant, with a contact address.
async fn settle(env: &BenchEnvironment) -> anyhow::Result<Sample> {
    let license = env.licenses.first().context("nothing was bought")?;
    let license = env.store.license(license).await?.context("the license is not there")?;
    let arn = license.arn.as_ref().context("the license has no ARN")?;
    let product = &license.product;
    let csv = format!("product,tenant,license_arn,email\n{product},{TENANT},{arn},buyer@example.com\n");
    let api = EntitlementApi::new(&env.config, TABLE, TOPIC, env.clock.clone());
    let answer = api.handle(serde_json::from_value(http("POST", "/v1/imports", "", "text/csv", &csv))?).await;
    ensure!(answer.status_code == 200, "the import was answered {}", answer.status_code);
    let license = env.store.license(&license.id).await?.context("the license is not there")?;
    ensure!(license.tenant.is_some(), "the license was not taken over");
    let dimension = env.dimensions.first().context("the listing has no dimension")?.to_string();
    let cookie = post_token(env, &license).await?;
    Ok(Sample { license, dimension, cookie })
}

/// Posts a registration token as a buyer's browser does, and returns the cookie of the answer.
async fn post_token(env: &BenchEnvironment, license: &License) -> anyhow::Result<String> {
    let agreement = license.agreement().context("the license has no agreement")?;
    let token = env.aws.marketplace().new_token(agreement).ok().context("there is no such agreement")?;
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("x-amzn-marketplace-token", &token).finish();
    let request = http("POST", "/register", "", "application/x-www-form-urlencoded", &form);
    // By the clock that the function itself uses.
    let registration = Registration::new(&env.config, TABLE, Clock::System);
    let answer = registration.handle(serde_json::from_value(request)?).await;
    let cookie = answer.cookies.first().and_then(|cookie| cookie.split(';').next());
    Ok(cookie.with_context(|| format!("the token was answered {}", answer.status_code))?.to_owned())
}

/// The context for measuring one binary.
struct Bench<'a> {
    arguments: &'a Arguments,
    binaries: &'a Path,
    env: &'a BenchEnvironment,
    sample: &'a Sample,
    runtime: &'a mut RuntimeApi,
}

/// A function's process. It ends when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bench<'_> {
    /// Starts a binary as often as asked, and invokes the last one.
    async fn run(&mut self, name: &str, clients: &str, event: fn(&Sample, u32) -> Value) -> anyhow::Result<Measured> {
        let mut ready = Vec::new();
        // The first start reads the binary from the disk.
        let mut last = self.start(name, clients).await?;
        for _ in 0..self.arguments.starts {
            drop(last);
            last = self.start(name, clients).await?;
            ready.push(last.2);
        }
        let (process, mut idle, _) = last;
        let resident = mebibytes(&process, "VmRSS:")?;
        let mut took = Vec::new();
        let mut before = self.env.aws.wire().counts();
        for number in 0..WARM_UP + self.arguments.invocations {
            if number == WARM_UP {
                before = self.env.aws.wire().counts();
            }
            let (time, answer) =
                self.runtime.invoke(idle, &event(self.sample, number)).await.context(name.to_owned())?;
            check(name, &answer)?;
            if number >= WARM_UP {
                took.push(time);
            }
            idle = self.runtime.idle().await?.1;
        }
        let asked = RequestCounts::since(&before, &self.env.aws.wire().counts());
        Ok(Measured {
            ready: Latency::of(ready),
            resident,
            peak: mebibytes(&process, "VmHWM:")?,
            invocation: Latency::of(took),
            calls: per(asked.all(), self.arguments.invocations.into()),
            aws: asked.busy() / self.arguments.invocations,
        })
    }

    /// Starts a binary, and returns it with the time that it took to ask for work.
    async fn start(&mut self, name: &str, clients: &str) -> anyhow::Result<(Running, Idle, Duration)> {
        let mut command = Command::new(self.binaries.join(name));
        command
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", self.runtime.address()),
                ("AWS_LAMBDA_FUNCTION_NAME", name),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "bench"),
                ("AWS_SECRET_ACCESS_KEY", "bench"),
                ("AWS_ENDPOINT_URL", self.env.aws.url()),
                ("TABLE_NAME", TABLE),
                ("TOPIC_ARN", TOPIC),
                ("MAIL_FROM", "no-reply@example.com"),
                ("STAGE", "staging"),
                ("REPORTER", "send"),
                ("DEPLOYMENT", DEPLOYMENT),
                ("RUST_LOG", "info"),
                ("CLIENTS", clients),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let began = Instant::now();
        let process = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let process = Running(process);
        let (at, idle) = self.runtime.idle().await.context(name.to_owned())?;
        Ok((process, idle, at - began))
    }
}

/// Checks that an answer is the right one for its event.
fn check(name: &str, answer: &Value) -> anyhow::Result<()> {
    let failures = answer.get("batchItemFailures").and_then(Value::as_array);
    let status = answer.get("statusCode").and_then(Value::as_u64);
    let is_right = status.is_none_or(|status| status == 200) && failures.is_none_or(Vec::is_empty);
    if is_right { Ok(()) } else { bail!("{name} answered {answer}") }
}

/// Returns the value of a line of Linux's status of a process, in MiB.
fn mebibytes(process: &Running, line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).context("only Linux says it")?;
    let found = status.lines().find_map(|found| found.strip_prefix(line)).with_context(|| format!("no {line}"))?;
    let kibibytes: f64 = found.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024.0 / MIB)
}

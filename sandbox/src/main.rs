//! The sandbox as a program.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use clock::Clock;
use domain::listing::Stage;
use jiff::Timestamp;
use local_aws::Delays;
use sandbox::{Listings, Options, Sandbox};
use terminal::{READER_GONE, SayError, is_reader_gone, note_line, say};
use url::Url;

/// The global allocator. The embedded DynamoDB makes so many small objects that the system's allocator takes a quarter
/// of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A local AWS Marketplace with the whole of Stallkeeper around it.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until Ctrl-C.
    Serve(Box<Serve>),
    /// Run a demo of Stallkeeper that checks each step; fail at the first step that fails.
    Demo,
}

/// The ports and the parts of the sandbox.
#[derive(Debug, Args)]
struct Serve {
    /// The port of the first stage's API, the storefront and the control API; each further stage has the next one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port of every AWS service.
    #[arg(long, default_value_t = 4600)]
    aws_port: u16,
    /// The stages that have a stack: staging, production or both, separated by a comma.
    #[arg(long, value_delimiter = ',', default_value = "staging")]
    stages: Vec<Stage>,
    /// A folder of described listings (*.toml); the demo listings if none is given.
    #[arg(long, value_name = "DIR")]
    listings: Option<PathBuf>,
    /// The file to keep the tables in; in memory if none is given. Purchases are kept in memory only: after a
    /// restart the licenses still exist, but AWS does not know their agreements.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The URL of your application: buyers are sent to the paths of the listing's sign-up and sign-in pages there, and
    /// not to the sample application.
    #[arg(long, value_name = "URL")]
    app_url: Option<Url>,
    /// The port of the first stage's sample application; 10 above `--port` if none is given.
    #[arg(long, value_name = "PORT")]
    app_port: Option<u16>,
    /// Create hourly records, but send none.
    #[arg(long)]
    dry_run: bool,
    /// Use the observed delays of AWS, a minute to provision and four to change the catalog, instead of none.
    #[arg(long)]
    real_delays: bool,
    /// Give purchases the same ids in each run.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// The time at the start, such as 2026-11-30T23:55:00Z; the current time if none is given.
    #[arg(long, value_name = "TIMESTAMP")]
    start: Option<Timestamp>,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let usual = match &command {
        Command::Serve(_) => "warn,dynoxide=error",
        // The demo reports its failures itself.
        Command::Demo => "off",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match command {
        Command::Serve(arguments) => run(serve(*arguments)),
        Command::Demo => run(sandbox::demo::run()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_reader_gone(error.as_ref()) => READER_GONE.into(),
        Err(error) => {
            // The error and its causes in one line; the `Debug` form would add a backtrace.
            note_line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(command)
}

async fn serve(arguments: Serve) -> anyhow::Result<()> {
    if arguments.app_url.as_ref().is_some_and(Url::cannot_be_a_base) {
        bail!("--app-url must be an address such as http://localhost:3000");
    }
    let sandbox = Sandbox::start(Options {
        port: arguments.port,
        aws_port: arguments.aws_port,
        stages: arguments.stages,
        listings: arguments.listings.map_or(Listings::Demo, Listings::Folder),
        data: arguments.data,
        clock: Clock::ticking_from(arguments.start.unwrap_or_else(Timestamp::now)),
        delays: if arguments.real_delays { Delays::default() } else { Delays::none() },
        app_url: arguments.app_url,
        app_port: arguments.app_port.unwrap_or(if arguments.port == 0 { 0 } else { arguments.port.saturating_add(10) }),
        dry_run: arguments.dry_run,
        seed: arguments.seed,
        ..Options::default()
    })
    .await?;
    greet(&sandbox)?;
    tokio::signal::ctrl_c().await.context("Ctrl-C cannot be handled")?;
    Ok(say("\nThe sandbox has stopped.")?)
}

/// Prints the addresses of the sandbox, and their purposes.
fn greet(sandbox: &Sandbox) -> Result<(), SayError> {
    let (url, aws) = (sandbox.url(), sandbox.aws_url());
    say(format_args!("storefront   {url}/"))?;
    say(format_args!("control API  {url}/sandbox/listings"))?;
    for stage in sandbox.stages() {
        let api = sandbox.stage_url(stage).unwrap_or_default();
        let name = stage.as_str();
        say(format_args!(
            "{name:<12} {api}/register and {api}/v1 (table {})",
            sandbox.table(stage).unwrap_or_default()
        ))?;
        if let Some(application) = sandbox.app_url(stage) {
            say(format_args!("application  {application} (buyers of {name} are redirected to it)"))?;
        }
    }
    say(format_args!("AWS          {aws} (signatures are not verified: do not expose this port)"))?;
    say("")?;
    say(format_args!("Open {url}/ and subscribe to something, or buy through the control API:"))?;
    say(format_args!("  curl {url}/sandbox/purchases -d '{{\"product\": \"demo-subscription\"}}'"))?;
    say(format_args!("Point your own SDK or the AWS CLI here: export AWS_ENDPOINT_URL={aws} AWS_REGION=us-east-1"))
}

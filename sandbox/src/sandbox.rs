//! The whole sandbox in one process: AWS on one port, a stack for each stage in front of it, and the clock that all of
//! them use.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_config::SdkConfig;
use axum::Router;
use axum::serve::ListenerExt;
use clock::Clock;
use domain::listing::Stage;
use jiff::{SignedDuration, Timestamp};
use local_aws::{Aws, AwsOptions, Behavior, Delays};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use url::Url;

use crate::bus::Bus;
use crate::data::DataLock;
use crate::deployed::Deployed;
use crate::gateway::{self, Api};
use crate::listings::Listings;
use crate::products::product;
use crate::sdk::sdk_config;
use crate::stack::{Setting, Stack};
use crate::state::SandboxState;
use crate::timeline::Timeline;
use crate::web::{self, Sites, WEBSITE, Web, application_host, registration_host};
use crate::wiring::{DeployedNames, InvalidWiring, Schedule, Wiring};
use crate::{application, control, storefront};

pub use crate::metrics::Received;
pub use crate::timeline::TimeOutOfRange;

/// The interval of the reporter's schedule, as in the template.
const REPORTER: SignedDuration = SignedDuration::from_mins(5);

/// The interval of the reconciliation's schedule, as in the template. The sandbox also checks at this interval whether
/// the auditor is due.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The interval at which the sandbox does the work that is due by a ticking clock.
const SETTLE_INTERVAL: Duration = Duration::from_millis(200);

/// The settings of a sandbox. The default is one staging stack with the demo listings on free ports, in memory, with a
/// clock that ticks from now and an AWS that publishes its events immediately.
#[derive(Debug)]
pub struct Options {
    /// The port of the first stage, of the control API and of the storefront; each further stage has the next one. 0
    /// takes free ports.
    pub port: u16,
    /// The port of AWS; 0 takes a free one.
    pub aws_port: u16,
    /// The stages that have a stack here. One event bus delivers to all of them.
    pub stages: Vec<Stage>,
    /// The listings that can be bought, of any stage.
    pub listings: Listings,
    /// The file in which the tables are kept; `None` keeps them in memory. Purchases are in memory only.
    pub data: Option<PathBuf>,
    /// The clock: [`Clock::ticking_from`] or [`Clock::fixed_at`]. The system's clock, which cannot be set, is taken
    /// as one that ticks from now.
    pub clock: Clock,
    /// The delays of AWS's events.
    pub delays: Delays,
    /// The behavior where AWS's documents disagree.
    pub behavior: Behavior,
    /// The address of the seller's application; `None` starts the sample application, one for each stage.
    pub app_url: Option<Url>,
    /// The port of the first stage's sample application; each further stage's has the next one. 0 takes free ports.
    pub app_port: u16,
    /// `true` if the reporters send nothing.
    pub dry_run: bool,
    /// The seed of the ids of all purchases: the same seed gives the same ids. `None` gives other ids each time.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            aws_port: 0,
            stages: vec![Stage::Staging],
            listings: Listings::Demo,
            data: None,
            clock: Clock::ticking_from(Timestamp::now()),
            delays: Delays::none(),
            behavior: Behavior::default(),
            app_url: None,
            app_port: 0,
            dry_run: false,
            seed: None,
        }
    }
}

/// A running sandbox. Dropping it stops everything in it.
#[derive(Debug)]
pub struct Sandbox {
    state: Arc<SandboxState>,
    _running: watch::Sender<()>,
    _lock: Option<DataLock>,
}

impl Sandbox {
    /// Starts a sandbox, which is ready for calls when this returns. Needs a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails when a port is taken, a listing or a file is invalid, there is no stage, or a stage is given twice.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options {
            port,
            aws_port,
            stages,
            listings,
            data,
            clock,
            delays,
            behavior,
            app_url,
            app_port,
            dry_run,
            seed,
        } = options;
        let clock = match clock {
            Clock::System => Clock::ticking_from(Timestamp::now()),
            settable @ Clock::Settable(_) => settable,
        };
        let lock = data.as_deref().map(DataLock::of).transpose()?;
        let listeners = bind_stages(port, &stages).await?;
        let applications = application::for_stages(&stages, app_url.as_ref(), app_port).await?;
        let mut listings = listings.load()?;
        for described in &mut listings {
            application::send_buyers(&mut described.listing, &applications);
        }

        let (event_sender, event_receiver) = mpsc::unbounded_channel();
        let products = listings.iter().map(|described| product(&described.listing)).collect();
        let deployed = Arc::new(Deployed::default());
        let aws = Aws::start(AwsOptions {
            port: aws_port,
            data,
            behavior,
            delays,
            seed,
            recording: std::env::var_os("SANDBOX_OPERATIONS").map(PathBuf::from),
            host: Some(deployed.service()),
            ..AwsOptions::new(clock.clone(), products, event_sender)
        })
        .await?;
        let hosts = stages.iter().flat_map(|stage| [registration_host(*stage), application_host(stage.as_str())]);
        let (web, listener) = Web::open(hosts.chain([WEBSITE.to_owned()]).collect(), clock.clone()).await?;
        let web = Arc::new(web);
        let mut known = web.known();
        for application in applications.iter().filter(|application| application.listener.is_some()) {
            known.stand_in(&application.url, &application_host(application.stage.as_str()));
        }
        let config = sdk_config(aws.url());
        let direct = sdk_config(aws.dynamodb_url());
        let account: Arc<str> = aws.marketplace().seller().as_str().into();
        let crashes = aws.crashes();
        let setting = Setting {
            config: &config,
            direct: &direct,
            clock: &clock,
            account: &account,
            dynamodb_url: aws.dynamodb_url(),
            dry_run,
            crashes,
            known: &known,
        };
        let mut stacks = Vec::new();
        for bound in &listeners {
            let theirs = listings.iter().map(|described| &described.listing);
            let theirs = theirs.filter(|listing| listing.stage == bound.stage).cloned().collect();
            let stack = Stack::set_up(bound.stage, bound.url.clone(), theirs, &setting).await?;
            stacks.push(Arc::new(stack));
        }
        deployed.set_up(aws.url(), &account, clock.now(), stacks.clone());

        let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let timeline = Timeline::new(clock.clone(), Bus::new(event_receiver), Arc::clone(aws.outbox()), stacks.clone());
        let app_urls = applications.iter().map(|application| (application.stage, application.url.clone())).collect();
        let state = Arc::new(SandboxState {
            clock: clock.clone(),
            timeline,
            aws,
            stacks,
            app_urls,
            listings,
            browser,
            config,
            web,
            known,
        });
        let (running, stop) = watch::channel(());
        let mut sites = Sites::from([(WEBSITE.to_owned(), web::website())]);
        for (application, stack) in applications.into_iter().zip(&state.stacks) {
            if let Some(listener) = application.listener {
                let router = application::sample(&stack.url, &clock);
                sites.insert(application_host(stack.stage.as_str()), router.clone());
                tokio::spawn(serve(listener, router, stop.clone()));
            }
        }
        for (bound, stack) in listeners.into_iter().zip(state.stacks.clone()) {
            let api = Api { stack, clock: clock.clone(), account: Arc::clone(&account) };
            let api = gateway::routes(api);
            sites.insert(registration_host(bound.stage), api.clone());
            let router = api
                .merge(storefront::routes(Arc::clone(&state)))
                .merge(control::routes(Arc::clone(&state)))
                .fallback(control::nothing_here);
            tokio::spawn(serve(bound.listener, router, stop.clone()));
        }
        tokio::spawn(web::serve(Arc::clone(&state.web), listener, sites, stop.clone()));
        for (schedule, every) in
            [(Schedule::Metering, REPORTER), (Schedule::Reconcile, HOUR), (Schedule::Readiness, HOUR)]
        {
            for stack in &state.stacks {
                let (stack, name) = (Arc::clone(stack), format!("{} of {}", schedule.name(), stack.stage));
                let run = move |at| {
                    let stack = Arc::clone(&stack);
                    async move { stack.run_schedule(schedule, at).await }
                };
                state.timeline.every(every, &name, run).await;
            }
        }
        if ticks(&clock).await {
            tokio::spawn(keep_settling(Arc::clone(&state), stop));
        }
        Ok(Self { state, _running: running, _lock: lock })
    }

    /// The address of the first stage's API, of the control API and of the storefront.
    pub fn url(&self) -> &str {
        self.state.stacks.first().map(|stack| stack.url.as_str()).unwrap_or_default()
    }

    /// Returns the address of a stage's API, or `None` if the stage has no stack here.
    pub fn stage_url(&self, stage: Stage) -> Option<&str> {
        self.state.stack(stage).map(|stack| stack.url.as_str())
    }

    /// Returns the address to which a stage's buyers are sent after the registration: its sample application, or the
    /// one that was named; `None` if the stage has no stack here.
    pub fn app_url(&self, stage: Stage) -> Option<&Url> {
        self.state.app_urls.iter().find(|(of, _)| *of == stage).map(|(_, url)| url)
    }

    /// Returns the name of a stage's table, or `None` if the stage has no stack here.
    pub fn table(&self, stage: Stage) -> Option<&str> {
        self.state.stack(stage).map(|stack| stack.table.as_str())
    }

    /// The stages that have a stack here, in the order of their ports.
    pub fn stages(&self) -> impl Iterator<Item = Stage> {
        self.state.stacks.iter().map(|stack| stack.stage)
    }

    /// The endpoint URL of every AWS service.
    pub fn aws_url(&self) -> &str {
        self.state.aws.url()
    }

    /// AWS itself: the purchases, the recorded calls, and the plan of faults.
    pub fn aws(&self) -> &Aws {
        &self.state.aws
    }

    /// The configuration for clients of this AWS, which the stacks use as well.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.state.config
    }

    /// Runs the reporter of a stage once, now, concurrently with other work.
    pub async fn report_usage(&self, stage: Stage) {
        if let Some(stack) = self.state.stack(stage) {
            stack.report_usage().await;
        }
    }

    /// Switches the schedule of every stage's reporter on or off.
    pub fn set_schedule(&self, is_on: bool) {
        for stack in &self.state.stacks {
            stack.set_schedule(is_on);
        }
    }

    /// The web around the stacks.
    pub fn web(&self) -> &Web {
        &self.state.web
    }

    /// Returns the names of a stage's stack and its parts in AWS, or `None` if the stage has no stack here.
    pub fn deployed_names(&self, stage: Stage) -> Option<&DeployedNames> {
        self.state.stack(stage).map(|stack| &stack.names)
    }

    /// Returns the wiring of a stage's stack, or `None` if the stage has no stack here.
    pub fn wiring(&self, stage: Stage) -> Option<Wiring> {
        self.state.stack(stage).map(|stack| stack.wiring())
    }

    /// Breaks or repairs a part of a stage's stack by a merge patch (RFC 7396) on its [`Wiring`], for example `{"rule":
    /// {"state": "DISABLED"}}`; null removes a part that can be removed. Does nothing for a stage without a stack.
    ///
    /// # Errors
    ///
    /// Fails for a part that a stack does not have, and for a value that AWS does not know.
    pub fn patch_wiring(&self, stage: Stage, patch: Map<String, Value>) -> Result<(), InvalidWiring> {
        self.state.stack(stage).map_or(Ok(()), |stack| stack.patch_wiring(patch))
    }

    /// Wires a stage's stack as the template deploys it. There are no dead letters then.
    pub fn reset_wiring(&self, stage: Stage) {
        if let Some(stack) = self.state.stack(stage) {
            stack.reset_wiring();
        }
    }

    /// Returns the metrics of a stage in CloudWatch, or `None` if the stage has no stack here.
    pub fn metrics(&self, stage: Stage) -> Option<Received> {
        self.state.stack(stage).map(|stack| stack.metrics())
    }

    /// The clock. Move it with [`advance`](Self::advance) and [`set`](Self::set): setting it here would skip the work
    /// that is due in between.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Does everything that is due now, until nothing more follows. A sandbox whose clock ticks does this by itself
    /// five times a second.
    pub async fn settle(&self) {
        self.state.timeline.settle().await;
    }

    /// Moves the clock forward, and stops at every moment at which something is due: a delivery, a redelivery, a
    /// schedule.
    ///
    /// # Errors
    ///
    /// Fails when the resulting time is out of range.
    pub async fn advance(&self, by: SignedDuration) -> Result<Timestamp, TimeOutOfRange> {
        self.state.timeline.advance(by).await
    }

    /// Sets the clock: forward as [`advance`](Self::advance) does, or back, which undoes nothing.
    pub async fn set(&self, at: Timestamp) -> Timestamp {
        self.state.timeline.set(at).await
    }

    /// Runs a task at every multiple of an interval since 1970, by this clock: an interval of 5 minutes runs at :00,
    /// :05, :10 and so on, however far the clock is moved in one step.
    ///
    /// Time stands still while the task runs, so it must not move this clock or [`settle`](Self::settle).
    pub async fn every<F>(
        &self,
        every: SignedDuration,
        name: &str,
        run: impl Fn(Timestamp) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.state.timeline.every(every, name, run).await;
    }
}

/// The address and the listener of a stage's server.
struct StageListener {
    stage: Stage,
    url: String,
    listener: TcpListener,
}

async fn bind_stages(port: u16, stages: &[Stage]) -> anyhow::Result<Vec<StageListener>> {
    let mut listeners: Vec<StageListener> = Vec::new();
    for (stage, number) in stages.iter().copied().zip(0_u16..) {
        let name = stage.as_str();
        if listeners.iter().any(|bound| bound.stage == stage) {
            bail!("the stage {name} is named twice");
        }
        let port = match port {
            0 => 0,
            first => first.checked_add(number).context("there is no port for every stage")?,
        };
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("the stage {name} cannot listen on 127.0.0.1:{port}"))?;
        let url = format!("http://{}", listener.local_addr()?);
        listeners.push(StageListener { stage, url, listener });
    }
    if listeners.is_empty() {
        bail!("a sandbox needs at least one stage");
    }
    Ok(listeners)
}

async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<()>) {
    let stopped = async move {
        // Nothing is ever sent: dropping the sender is the signal.
        let _ = stop.changed().await;
    };
    // Answers are small: without this, each would wait for the peer's delayed acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is off");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "a stage's server has stopped");
    }
}

async fn ticks(clock: &Clock) -> bool {
    let before = clock.now();
    tokio::time::sleep(Duration::from_millis(1)).await;
    clock.now() != before
}

async fn keep_settling(state: Arc<SandboxState>, mut stop: watch::Receiver<()>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SETTLE_INTERVAL) => state.timeline.settle().await,
            _ = stop.changed() => return,
        }
    }
}

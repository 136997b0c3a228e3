//! A simulation: AWS, the stacks, and the actors.

use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::HttpClient;
use domain::ids::LicenseId;
use domain::listing::{Listing, Stage};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use local_aws::{Aws, AwsOptions};
use sandbox::bus::Bus;
use sandbox::products::product;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::application::Application;
use crate::difference::Difference;
use crate::event_log::EventLog;
use crate::holding::Buyers;
use crate::losses::Losses;
use crate::network::Network;
use crate::scenario::Scenario;
use crate::stack::Stack;
use crate::tally::{Tally, add};
use crate::time::{InStep, Period, Time};
use crate::watch::Watch;

/// A simulation.
#[derive(Debug)]
pub struct Simulation {
    /// The properties of the simulation.
    pub scenario: Scenario,
    /// The time in the simulation.
    pub time: Time,
    /// The log of the simulation.
    pub event_log: EventLog,
    /// AWS.
    pub aws: Aws,
    /// The network between the functions and AWS.
    pub network: Network,
    /// A configuration of clients that meet neither faults nor delays.
    pub direct: SdkConfig,
    /// The stacks, one per stage.
    pub stacks: Vec<Arc<Stack>>,
    bus: Mutex<Bus>,
    rng: Mutex<Rng>,
    application: Mutex<Application>,
    buyers: Mutex<Buyers>,
    losses: Mutex<Losses>,
    watch: Mutex<Watch>,
    tally: Mutex<Tally>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Simulation {
    /// Creates the simulation of a seed, in a runtime whose clock is paused.
    ///
    /// # Errors
    ///
    /// Fails when AWS or a table cannot be made.
    pub async fn make(seed: u64, keeps_log: bool) -> anyhow::Result<Arc<Self>> {
        let mut rng = Rng::with_seed(seed);
        let scenario = Scenario::drawn(&mut rng)?;
        let time = Time::starting_at(scenario.start);
        let event_log = EventLog::new(keeps_log);
        let (event_sender, event_receiver) = mpsc::unbounded_channel();
        let options = AwsOptions {
            behavior: scenario.behavior.clone(),
            delays: scenario.delays,
            seed: Some(seed),
            ..AwsOptions::new(time.clock().clone(), scenario.listings.iter().map(product).collect(), event_sender)
        };
        let aws = Aws::without_ports(options)?;
        let network = Network::new(aws.in_process(), &time, &event_log, rng.u64(..));
        let config = sdk_config(network.clone(), &aws, &format!("seed {seed}"));
        let direct = sdk_config(aws.in_process().without_faults(), &aws, "direct");
        let mut stacks = Vec::new();
        for stage in &scenario.stages {
            let theirs = scenario.listings.iter().filter(|listing| listing.stage == *stage).cloned().collect();
            stacks.push(Arc::new(Stack::set_up(*stage, theirs, &config, &direct, time.clock()).await?));
        }
        Ok(Arc::new(Self {
            scenario,
            time,
            event_log,
            aws,
            network,
            direct,
            stacks,
            bus: Mutex::new(Bus::new(event_receiver)),
            rng: Mutex::new(rng),
            application: Mutex::default(),
            buyers: Mutex::default(),
            losses: Mutex::default(),
            watch: Mutex::default(),
            tally: Mutex::default(),
            tasks: Mutex::default(),
        }))
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Returns the time after a duration from now.
    pub fn later(&self, by: SignedDuration) -> Timestamp {
        self.now().saturating_add(by).unwrap_or(Timestamp::MAX)
    }

    /// Returns `true` if the faults have ended.
    pub fn have_faults_ended(&self) -> bool {
        self.now() >= self.scenario.faults_end()
    }

    /// Draws a random value.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut lock(&self.rng))
    }

    /// Draws a random second of a period.
    pub fn some_second(&self, (from, until): Period) -> Timestamp {
        from + SignedDuration::from_secs(self.draw(|rng| rng.i64(1..until.duration_since(from).as_secs().max(2))))
    }

    /// Returns a random duration between two bounds in seconds, distributed so that seconds are as likely as hours.
    pub fn some_time(&self, shortest: i64, longest: i64) -> SignedDuration {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "seconds of a few days")]
        let seconds = self.draw(|rng| {
            let (low, high) = ((shortest as f64).ln(), (longest as f64).ln());
            (low + rng.f64() * (high - low)).exp() as i64
        });
        SignedDuration::from_secs(seconds)
    }

    /// Draws fewer than the given number of periods that start within another, each with a duration from a range of
    /// seconds.
    pub fn some_periods(&self, within: Period, fewer_than: usize, seconds: Range<i64>) -> Vec<Period> {
        let count = self.draw(|rng| rng.usize(0..fewer_than));
        let period = |_| {
            let from = self.some_second(within);
            (from, from + SignedDuration::from_secs(self.draw(|rng| rng.i64(seconds.clone()))))
        };
        (0..count).map(period).collect()
    }

    /// Returns `true` with the given chance.
    pub fn chance(&self, chance: f64) -> bool {
        self.draw(|rng| rng.f64() < chance)
    }

    /// Returns the application.
    pub fn application(&self) -> MutexGuard<'_, Application> {
        lock(&self.application)
    }

    /// Returns the buyers.
    pub fn buyers(&self) -> MutexGuard<'_, Buyers> {
        lock(&self.buyers)
    }

    /// Returns the events that are lost.
    pub fn losses(&self) -> MutexGuard<'_, Losses> {
        lock(&self.losses)
    }

    /// Returns the bus.
    pub fn bus(&self) -> MutexGuard<'_, Bus> {
        lock(&self.bus)
    }

    /// Returns the watch over the records.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        lock(&self.watch)
    }

    /// Returns the counts.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Records a difference about a license.
    pub fn differ(&self, license: &LicenseId, what: String) {
        self.log(|| format!("!!! {what}"));
        let difference = Difference::about(license, what);
        let mut watch = self.watch();
        if !watch.differences.contains(&difference) {
            watch.differences.push(difference);
        }
    }

    /// Adds to a count.
    pub fn count(&self, name: &str, by: usize) {
        add(&mut self.tally().counts, name, by as u64);
    }

    /// Adds a line to the log.
    pub fn log(&self, text: impl FnOnce() -> String) {
        self.event_log.record(self.now(), text);
    }

    /// Returns the stack of a stage, or `None` if the stage has none.
    pub fn stack(&self, stage: Stage) -> Option<&Arc<Stack>> {
        self.stacks.iter().find(|stack| stack.stage == stage)
    }

    /// Returns the listing of a product.
    pub fn listing(&self, product: &str) -> Option<&Listing> {
        self.scenario.listings.iter().find(|listing| listing.product_code.as_str() == product)
    }

    /// Starts a task of an actor that does its work at the given time.
    pub fn act_at<F>(self: &Arc<Self>, at: Timestamp, who: &str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let actor = self.event_log.actor(|| who.to_owned());
        let time = self.time.clone();
        let work = async move {
            time.reach(at).await;
            work.await;
        };
        let task = tokio::spawn(InStep::new(&self.time, actor, work));
        lock(&self.tasks).push(task);
    }

    /// Waits until all tasks have ended, and returns the number of those that panicked.
    pub async fn end(&self) -> usize {
        let mut panicked = 0;
        loop {
            let tasks = std::mem::take(&mut *lock(&self.tasks));
            if tasks.is_empty() {
                return panicked;
            }
            for task in tasks {
                panicked += usize::from(task.await.is_err());
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the SDK configuration of the functions, for this AWS. Each seed has its own region name, so that no
/// simulation uses the retry quota of another.
fn sdk_config(client: impl HttpClient + 'static, aws: &Aws, name: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIASIMULATION", "not-verified", None, None, "simulation");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(client)
        .endpoint_url(aws.url())
        .region(Region::new(local_aws::Region::alias_of_home(name)))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(lambda::setup::retries())
        .timeout_config(lambda::setup::timeouts())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

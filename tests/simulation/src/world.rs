//! One world: AWS, the stacks around it, and everyone who acts there.

use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::HttpClient;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use sandbox::aws::{Aws, AwsOptions};
use sandbox::bus::Bus;
use stallkeeper::ids::LicenseId;
use stallkeeper::listing::{Listing, Stage};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::application::Application;
use crate::buyers::Buyers;
use crate::delivery::Losses;
use crate::network::Network;
use crate::oracle::Difference;
use crate::scene::Scene;
use crate::schedule::Stretch;
use crate::stack::Stack;
use crate::story::Story;
use crate::tally::{Tally, add};
use crate::time::{InStep, Time};
use crate::watch::Watch;

/// See the module.
#[derive(Debug)]
pub struct World {
    /// What kind of world it is.
    pub scene: Scene,
    /// Its time.
    pub time: Time,
    /// What happens in it.
    pub story: Story,
    /// AWS.
    pub aws: Aws,
    /// What lies between the functions and AWS.
    pub network: Network,
    /// A configuration of clients that meet neither faults nor delays.
    pub direct: SdkConfig,
    /// The stacks, one a stage.
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

impl World {
    /// Makes the world of a seed, in a runtime whose clock is paused.
    ///
    /// # Errors
    ///
    /// When AWS or a table cannot be made.
    pub async fn make(seed: u64, told: bool) -> anyhow::Result<Arc<Self>> {
        let mut rng = Rng::with_seed(seed);
        let scene = Scene::drawn(&mut rng)?;
        let time = Time::beginning_at(scene.start);
        let story = Story::new(told);
        let (announcements, announced) = mpsc::unbounded_channel();
        let options = AwsOptions {
            port: 0,
            clock: time.clock().clone(),
            listings: scene.listings.clone(),
            data: None,
            readings: scene.readings.clone(),
            delays: scene.delays,
            announcements,
            seed: Some(seed),
        };
        let aws = Aws::without_ports(options)?;
        let network = Network::new(aws.in_process(), &time, &story, rng.u64(..));
        let config = sdk_config(network.clone(), &aws, &format!("seed {seed}"));
        let direct = sdk_config(aws.in_process().past_faults(), &aws, "direct");
        let mut stacks = Vec::new();
        for stage in &scene.stages {
            let theirs = scene.listings.iter().filter(|listing| listing.stage == *stage).cloned().collect();
            stacks.push(Arc::new(Stack::set_up(*stage, theirs, &config, &direct, time.clock()).await?));
        }
        Ok(Arc::new(Self {
            scene,
            time,
            story,
            aws,
            network,
            direct,
            stacks,
            bus: Mutex::new(Bus::new(announced)),
            rng: Mutex::new(rng),
            application: Mutex::default(),
            buyers: Mutex::default(),
            losses: Mutex::default(),
            watch: Mutex::default(),
            tally: Mutex::default(),
            tasks: Mutex::default(),
        }))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// A moment so much later.
    pub fn later(&self, by: SignedDuration) -> Timestamp {
        self.now().saturating_add(by).unwrap_or(Timestamp::MAX)
    }

    /// Whether faults are over, and everything is to come to an end.
    pub fn is_over(&self) -> bool {
        self.now() >= self.scene.over()
    }

    /// Draws something at random.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut lock(&self.rng))
    }

    /// A random second of a stretch of time.
    pub fn some_second(&self, (from, until): Stretch) -> Timestamp {
        from + SignedDuration::from_secs(self.draw(|rng| rng.i64(1..until.duration_since(from).as_secs().max(2))))
    }

    /// Fewer than so many stretches of time that begin within another, each of some seconds.
    pub fn some_stretches(&self, within: Stretch, fewer_than: usize, seconds: Range<i64>) -> Vec<Stretch> {
        let count = self.draw(|rng| rng.usize(0..fewer_than));
        let stretch = |_| {
            let from = self.some_second(within);
            (from, from + SignedDuration::from_secs(self.draw(|rng| rng.i64(seconds.clone()))))
        };
        (0..count).map(stretch).collect()
    }

    /// Happens with that chance.
    pub fn chance(&self, chance: f64) -> bool {
        self.draw(|rng| rng.f64() < chance)
    }

    /// The application.
    pub fn application(&self) -> MutexGuard<'_, Application> {
        lock(&self.application)
    }

    /// The buyers.
    pub fn buyers(&self) -> MutexGuard<'_, Buyers> {
        lock(&self.buyers)
    }

    /// The events that never arrive.
    pub fn losses(&self) -> MutexGuard<'_, Losses> {
        lock(&self.losses)
    }

    /// The bus.
    pub fn bus(&self) -> MutexGuard<'_, Bus> {
        lock(&self.bus)
    }

    /// Who keeps an eye on the records.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        lock(&self.watch)
    }

    /// What is counted.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Notes that something is not as it must be.
    pub fn differ(&self, license: &LicenseId, what: String) {
        self.tell(|| format!("!!! {what}"));
        let difference = Difference::about(license, what);
        let mut watch = self.watch();
        if !watch.differences.contains(&difference) {
            watch.differences.push(difference);
        }
    }

    /// Counts something that happened.
    pub fn count(&self, name: &str, by: usize) {
        add(&mut self.tally().counts, name, by as u64);
    }

    /// Tells what happens.
    pub fn tell(&self, text: impl FnOnce() -> String) {
        self.story.tell(self.now(), text);
    }

    /// The stack of a stage, if it has one.
    pub fn stack(&self, stage: Stage) -> Option<&Arc<Stack>> {
        self.stacks.iter().find(|stack| stack.stage == stage)
    }

    /// The listing of a product.
    pub fn listing(&self, product: &str) -> Option<&Listing> {
        self.scene.listings.iter().find(|listing| listing.product_code.as_str() == product)
    }

    /// Someone acts, at some moment.
    pub fn act_at<F>(self: &Arc<Self>, at: Timestamp, who: &str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let actor = self.story.actor(|| who.to_owned());
        let time = self.time.clone();
        let work = async move {
            time.reach(at).await;
            work.await;
        };
        let task = tokio::spawn(InStep::new(&self.time, actor, work));
        lock(&self.tasks).push(task);
    }

    /// Waits for everyone who acts to end, and answers how many did not end well.
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

/// As the functions have it, but for this AWS. Each seed has a name of its own for the region, so that no
/// world spends the retries of another.
fn sdk_config(client: impl HttpClient + 'static, aws: &Aws, name: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIASIMULATION", "not-verified", None, None, "simulation");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(client)
        .endpoint_url(aws.url())
        .region(Region::new(sandbox::aws::Region::alias_of_home(name)))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(stallkeeper::aws::retries())
        .timeout_config(stallkeeper::aws::timeouts())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

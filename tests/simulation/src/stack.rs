//! One stage's deployment: its table, its queue, and the processes that its functions run in.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use entitlement::{EntitlementApi, Reconciliation};
use jiff::Timestamp;
use metering::Metering;
use registration::Registration;
use sandbox::queue::{Queue, Redelivery};
use sandbox::table::{self, Stream};
use stallkeeper::listing::{Listing, Stage};
use stallkeeper::store::Store;
use stallkeeper::time::Clock;
use subscription::Subscription;
use usage::UsageApi;

use crate::schedule::Concurrency;

/// The topic of the application's events; nothing publishes to it, since the table has no stream.
const TOPIC: &str = "arn:aws:sns:us-east-1:444455556666:stallkeeper-events";

/// See the module.
#[derive(Debug)]
pub struct Stack {
    /// Its stage.
    pub stage: Stage,
    /// What it sells.
    pub listings: Vec<Listing>,
    /// The queue of its news.
    pub queue: Queue,
    /// The table, past the network and its faults.
    pub store: Store,
    /// Intake runs in several instances, each with a cache of its own.
    pub usage: [Process<UsageApi>; 3],
    /// The seller's API but for usage.
    pub entitlement: [Process<EntitlementApi>; 2],
    /// The same API without faults, for checks.
    pub observer: EntitlementApi,
    /// The reporter.
    pub metering: Process<Metering>,
    /// The invocations of the reporter.
    pub reporting: Concurrency,
    /// Up to when each scheduled run of the reporter is likely to find something.
    attention: Mutex<Timestamp>,
    /// The scheduled reconciliation.
    pub reconciliation: Process<Reconciliation>,
    /// The invocations of the reconciliation.
    pub reconciling: Concurrency,
    /// The function that hears news.
    pub subscription: Process<Subscription>,
    /// The registration URL.
    pub registration: Process<Registration>,
}

/// A process with a function in it. One that died is followed by a new one, which remembers nothing.
pub struct Process<F> {
    now: Mutex<Arc<F>>,
    start: Box<dyn Fn() -> F + Send + Sync>,
}

impl<F> Debug for Process<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Process")
    }
}

impl<F> Process<F> {
    fn new(start: impl Fn() -> F + Send + Sync + 'static) -> Self {
        Self { now: Mutex::new(Arc::new(start())), start: Box::new(start) }
    }

    /// The function in it.
    pub fn function(&self) -> Arc<F> {
        Arc::clone(&self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The process died.
    pub fn dies(&self) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new((self.start)());
    }
}

impl Stack {
    /// Makes the table with the listings, and starts the processes. They use `config`, the simulation itself `direct`.
    ///
    /// # Errors
    ///
    /// When DynamoDB does not make the table.
    pub async fn set_up(
        stage: Stage,
        listings: Vec<Listing>,
        config: &SdkConfig,
        direct: &SdkConfig,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let name = format!("stallkeeper-{}", stage.as_str());
        table::make(direct, &name, Stream::Off).await?;
        let store = Store::new(direct, &name, clock.clone());
        for listing in &listings {
            store.put_listing(listing).await?;
        }
        let functions = Functions { config, name: &name, clock };
        Ok(Self {
            stage,
            listings,
            queue: Queue::new(format!("arn:aws:sqs:us-east-1:444455556666:{name}-news"), Redelivery::NEWS),
            store,
            usage: std::array::from_fn(|_| functions.process(UsageApi::new)),
            entitlement: std::array::from_fn(|_| {
                functions.process(|config, name, clock| EntitlementApi::new(config, name, TOPIC, clock))
            }),
            observer: EntitlementApi::new(direct, &name, TOPIC, clock.clone()),
            metering: functions.process(Metering::new),
            reporting: Concurrency::default(),
            attention: Mutex::new(Timestamp::MIN),
            reconciliation: functions.process(Reconciliation::new),
            reconciling: Concurrency::default(),
            subscription: functions.process(Subscription::new),
            registration: functions.process(Registration::new),
        })
    }
}

impl Stack {
    /// Has every scheduled run of the reporter made up to a moment.
    pub fn attend(&self, until: Timestamp) {
        let mut attention = self.attention.lock().unwrap_or_else(PoisonError::into_inner);
        *attention = until.max(*attention);
    }

    /// Whether a run at a moment is likely to find something.
    pub fn has_attention(&self, at: Timestamp) -> bool {
        at <= *self.attention.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every function of a stack is started with.
struct Functions<'a> {
    config: &'a SdkConfig,
    name: &'a str,
    clock: &'a Clock,
}

impl Functions<'_> {
    fn process<F>(&self, new: impl Fn(&SdkConfig, &str, Clock) -> F + Send + Sync + 'static) -> Process<F> {
        let (config, name, clock) = (self.config.clone(), self.name.to_owned(), self.clock.clone());
        Process::new(move || new(&config, &name, clock.clone()))
    }
}

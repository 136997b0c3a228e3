//! The deployment of one stage: its table, its queue, and the processes of its functions.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use clock::Clock;
use domain::listing::{Listing, Stage};
use entitlement::EntitlementApi;
use jiff::Timestamp;
use metering::Metering;
use reconcile::Reconciliation;
use registration::Registration;
use sandbox::queue::{Queue, Redelivery};
use sandbox::table::{self, Stream};
use store::Store;
use subscription::Subscription;
use usage::UsageApi;

use crate::concurrency::Concurrency;

/// The topic of the application's events. Nothing publishes to it, since the table has no stream.
const TOPIC: &str = "arn:aws:sns:us-east-1:444455556666:stallkeeper-events";

/// The deployment of one stage.
#[derive(Debug)]
pub struct Stack {
    /// Its stage.
    pub stage: Stage,
    /// The listings of the stage.
    pub listings: Vec<Listing>,
    /// The queue of AWS's events.
    pub queue: Queue,
    /// The store on the table, without the network and its faults.
    pub store: Store,
    /// The intake, as several instances with a cache each.
    pub usage: [Process<UsageApi>; 3],
    /// The seller's API without the usage routes.
    pub entitlement: [Process<EntitlementApi>; 2],
    /// The same API without faults, for checks.
    pub observer: EntitlementApi,
    /// The reporter.
    pub metering: Process<Metering>,
    /// The invocations of the reporter.
    pub reporting: Concurrency,
    /// The time until which each scheduled run of the reporter probably has work.
    no_skipping_until: Mutex<Timestamp>,
    /// The scheduled reconciliation.
    pub reconciliation: Process<Reconciliation>,
    /// The invocations of the reconciliation.
    pub reconciling: Concurrency,
    /// The function that processes AWS's events.
    pub subscription: Process<Subscription>,
    /// The registration function.
    pub registration: Process<Registration>,
}

/// A process that runs a function. After it dies, a new process without memory replaces it.
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

    /// Returns the function of the current process.
    pub fn function(&self) -> Arc<F> {
        Arc::clone(&self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the process, which died, with a new one.
    pub fn restart(&self) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new((self.start)());
    }
}

impl Stack {
    /// Makes the table with the listings, and starts the processes. The processes use `config`, the simulation itself
    /// uses `direct`.
    ///
    /// # Errors
    ///
    /// Fails when DynamoDB does not make the table or does not store a listing.
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
            queue: Queue::new(
                format!("arn:aws:sqs:us-east-1:444455556666:{name}-marketplace-events"),
                Redelivery::MARKETPLACE_EVENTS,
            ),
            store,
            usage: std::array::from_fn(|_| functions.process(UsageApi::new)),
            entitlement: std::array::from_fn(|_| {
                functions.process(|config, name, clock| EntitlementApi::new(config, name, TOPIC, clock))
            }),
            observer: EntitlementApi::new(direct, &name, TOPIC, clock.clone()),
            metering: functions.process(Metering::new),
            reporting: Concurrency::default(),
            no_skipping_until: Mutex::new(Timestamp::MIN),
            reconciliation: functions.process(Reconciliation::new),
            reconciling: Concurrency::default(),
            subscription: functions.process(Subscription::new),
            registration: functions.process(Registration::new),
        })
    }
}

impl Stack {
    /// Prevents the skipping of scheduled reporter runs until the given time.
    pub fn disable_skipping_until(&self, until: Timestamp) {
        let mut no_skipping_until = self.no_skipping_until.lock().unwrap_or_else(PoisonError::into_inner);
        *no_skipping_until = until.max(*no_skipping_until);
    }

    /// Returns `true` if a run at the given time probably has work.
    pub fn is_skipping_disabled(&self, at: Timestamp) -> bool {
        at <= *self.no_skipping_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The arguments with which every function of a stack is started.
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

//! One stage's deployment: its table, its queue, and the processes that its functions run in.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use metering::Metering;
use registration::Registration;
use sandbox::queue::{Queue, Redelivery};
use sandbox::table::{self, Stream};
use stallkeeper::listing::{Listing, Stage};
use stallkeeper::store::Store;
use stallkeeper::time::Clock;
use subscription::Subscription;
use usage::UsageApi;

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
    /// Intake runs in two processes at a time, each with what it remembers.
    pub usage: [Process<UsageApi>; 2],
    /// The reporter.
    pub metering: Process<Metering>,
    /// The function that hears news.
    pub subscription: Process<Subscription>,
    /// The registration URL.
    pub registration: Process<Registration>,
    /// How many runs of the reporter are under way.
    pub reporters: AtomicU32,
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
        let with = |name: &str| (config.clone(), name.to_owned(), clock.clone());
        let usage = || {
            let (config, name, clock) = with(&name);
            Process::new(move || UsageApi::new(&config, &name, clock.clone()))
        };
        Ok(Self {
            stage,
            listings,
            queue: Queue::new(format!("arn:aws:sqs:us-east-1:444455556666:{name}-news"), Redelivery::NEWS),
            store,
            usage: [usage(), usage()],
            metering: {
                let (config, name, clock) = with(&name);
                Process::new(move || Metering::new(&config, &name, clock.clone()))
            },
            subscription: {
                let (config, name, clock) = with(&name);
                Process::new(move || Subscription::new(&config, &name, clock.clone()))
            },
            registration: {
                let (config, name, clock) = with(&name);
                Process::new(move || Registration::new(&config, &name, clock.clone()))
            },
            reporters: AtomicU32::new(0),
        })
    }

    /// Whether a run of the reporter is under way.
    pub fn is_reporting(&self) -> bool {
        self.reporters.load(Ordering::Relaxed) > 0
    }
}

//! The deployment of a stage: its table, its functions and its queues.
//!
//! The functions are the real handlers on the real AWS clients; only the endpoint is the sandbox's AWS.

mod runs;
mod wiring;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use clock::Clock;
use domain::license::{License, StateName};
use domain::listing::{Listing, Stage};
use domain::notification::OutboundEvent;
use entitlement::EntitlementApi;
use jiff::Timestamp;
use lambda::metrics::Metrics;
use local_aws::{MarketplaceEvent, Outbox, named};
use mailer::Mailer;
use metering::Metering;
use notifier::Notifier;
use readiness::{Deployment, Internet, Known, Readiness};
use reconcile::Reconciliation;
use registration::Registration;
use store::{Store, StoreError};
use subscription::Subscription;
use tokio::sync::watch;
use usage::UsageApi;

use crate::metrics::{CloudWatch, Received};
use crate::products::fulfillment_url;
use crate::queue::{Queue, Redelivery};
use crate::stream::Stream;
use crate::wiring::{DeployedNames, Wiring};
use crate::{bus, table};

pub(crate) use runs::RECONCILE_FUNCTION;

/// The timeout of the function that processes AWS's events, as in the template.
const SUBSCRIPTION_TIME_LIMIT: Duration = Duration::from_secs(60);

/// The timeout of the functions that publish and mail license events, as in the template.
const PUBLISHING_TIME_LIMIT: Duration = Duration::from_secs(60);

/// The sender address of the mails to buyers.
const MAIL_FROM: &str = "no-reply@seller.example";

/// A function of the stack that API Gateway calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// The registration pages for buyers.
    Registration,
    /// The seller's API: licenses, tenants, entitlements.
    Entitlement,
    /// The seller's API: usage.
    Usage,
    /// The seller's API: the readiness of the listings.
    Readiness,
}

impl Function {
    /// Returns the timeout of the function, as in the template.
    fn time_limit(self) -> Duration {
        match self {
            Self::Registration | Self::Entitlement => Duration::from_secs(25),
            Self::Usage => Duration::from_secs(30),
            Self::Readiness => Duration::from_secs(29),
        }
    }
}

/// The reason for which a function did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The call took longer than its timeout.
    #[error("it took longer than it may")]
    TimedOut,
    /// The call ended without an answer.
    #[error("it panicked")]
    Crashed,
}

/// The running functions. Their state in memory is lost when they are restarted.
#[derive(Debug, Clone)]
struct Functions {
    registration: Arc<Registration>,
    subscription: Arc<Subscription>,
    entitlement: Arc<EntitlementApi>,
    usage: Arc<UsageApi>,
    metering: Arc<Metering>,
    notifier: Arc<Notifier>,
    mailer: Arc<Mailer>,
    reconciliation: Arc<Reconciliation>,
    readiness: Arc<Readiness>,
}

/// The deployment of a stage.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) stage: Stage,
    /// The address of its API.
    pub(crate) url: String,
    pub(crate) table: String,
    pub(crate) queue: Queue,
    pub(crate) mail: Queue,
    /// The queue whose dead letters are the failed runs of the reporter, the reconciliation and the auditor.
    pub(crate) runs: Queue,
    stream: Stream,
    /// The topic of the seller's application.
    pub(crate) topic: String,
    /// The number of SNS's messages that the mail queue has received or filtered out.
    published_read: AtomicUsize,
    listings: Vec<Listing>,
    functions: Mutex<Functions>,
    config: SdkConfig,
    clock: Clock,
    account: String,
    dry_run: bool,
    known: Known,
    /// The names of its parts in AWS.
    pub(crate) names: DeployedNames,
    wiring: Mutex<Wiring>,
    /// The time at which the reporter runs again in addition to its schedule.
    next_run: Mutex<Option<Timestamp>>,
    /// Changes whenever a planned fault crashes the running functions.
    crashes: watch::Receiver<u64>,
    store: Store,
    cloudwatch: CloudWatch,
}

/// The settings that a stack is set up with.
pub(crate) struct Setting<'a> {
    /// The configuration of the functions.
    pub(crate) config: &'a SdkConfig,
    /// The configuration of the sandbox itself, which bypasses the fault plan and the wire log.
    pub(crate) direct: &'a SdkConfig,
    pub(crate) clock: &'a Clock,
    pub(crate) account: &'a str,
    /// The address of DynamoDB for reads of its streams, which bypass the fault plan and the wire log.
    pub(crate) dynamodb_url: &'a str,
    /// `true` if the reporter sends nothing.
    pub(crate) dry_run: bool,
    /// Changes whenever the running functions are to crash.
    pub(crate) crashes: watch::Receiver<u64>,
    /// The addresses and certificates of the internet around the stack.
    pub(crate) known: &'a Known,
}

impl Stack {
    /// Creates the table, if it does not exist, loads the stage's listings into it, and starts the functions.
    ///
    /// # Errors
    ///
    /// Fails when DynamoDB refuses a call or does not answer.
    pub(crate) async fn set_up(
        stage: Stage,
        url: String,
        listings: Vec<Listing>,
        setting: &Setting<'_>,
    ) -> anyhow::Result<Self> {
        let Setting { config, direct, clock, account, dynamodb_url, dry_run, crashes, known } = setting;
        let name = format!("stallkeeper-{}", stage.as_str());
        table::make(direct, &name, table::Stream::On).await?;
        let store = Store::new(direct, &name, (*clock).clone());
        for listing in &listings {
            store.put_listing(listing).await?;
        }
        let cloudwatch = CloudWatch::default();
        let arn = |service: &str, of: &str| format!("arn:aws:{service}:us-east-1:{account}:{name}-{of}");
        let topic = arn("sns", "events");
        let aws = config.endpoint_url().unwrap_or_default();
        let names = DeployedNames::new(&name, aws, account, &listings);
        let wiring = Mutex::new(Wiring::deployed(&listings));
        let dry_run = *dry_run;
        let environment =
            Environment { stage, config, table: &name, topic: &topic, clock, dry_run, names: &names, known };
        let functions = Mutex::new(Functions::start(&environment, &cloudwatch));
        Ok(Self {
            stage,
            url,
            queue: Queue::new(arn("sqs", "marketplace-events"), Redelivery::MARKETPLACE_EVENTS),
            mail: Queue::new(arn("sqs", "mail"), Redelivery::MAIL),
            runs: Queue::new(arn("sqs", "run"), Redelivery::MARKETPLACE_EVENTS),
            stream: Stream::from_now(dynamodb_url, &name).await?,
            published_read: AtomicUsize::new(0),
            listings,
            functions,
            topic,
            config: (*config).clone(),
            clock: (*clock).clone(),
            account: (*account).to_owned(),
            dry_run,
            known: (*known).clone(),
            names,
            wiring,
            next_run: Mutex::default(),
            crashes: crashes.clone(),
            store,
            cloudwatch,
            table: name,
        })
    }

    /// Returns the functions that are running.
    fn running(&self) -> Functions {
        self.lock().clone()
    }

    fn environment(&self) -> Environment<'_> {
        let Self { stage, config, table, topic, clock, dry_run, names, known, .. } = self;
        Environment { stage: *stage, config, table, topic, clock, dry_run: *dry_run, names, known }
    }

    fn lock(&self) -> MutexGuard<'_, Functions> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a function, and restarts the functions if it crashes.
    async fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        run: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let answer = within(limit, self.crashes.clone(), run).await;
        if matches!(answer, Err(NoAnswer::Crashed)) {
            *self.lock() = Functions::start(&self.environment(), &self.cloudwatch);
        }
        answer
    }

    /// Puts an event on the queue, if the stack's wiring delivers it.
    pub(crate) fn receive(&self, at: Timestamp, event: &MarketplaceEvent) {
        if self.delivers(event) {
            self.queue.put(bus::body(at, event), at);
        }
    }

    /// Delivers the next messages of the queue to their function, and returns `true` if there were any.
    pub(crate) async fn deliver(&self, now: Timestamp) -> bool {
        let call = |event| {
            let subscription = self.running().subscription;
            self.within(SUBSCRIPTION_TIME_LIMIT, async move { subscription.handle(event).await })
        };
        self.deliver_to(&self.queue, "subscription", now, call).await
    }

    /// Delivers the next messages of a queue to a function, and returns `true` if there were any.
    async fn deliver_to<F>(&self, queue: &Queue, name: &str, now: Timestamp, call: impl FnOnce(SqsEvent) -> F) -> bool
    where
        F: Future<Output = Result<SqsBatchResponse, NoAnswer>>,
    {
        let Some(batch) = queue.receive(now) else { return false };
        let answer = match batch.event() {
            Ok(event) => call(event).await,
            Err(error) => {
                tracing::error!(%error, "the queue's event is none");
                Err(NoAnswer::Crashed)
            }
        };
        if let Err(error) = &answer {
            tracing::error!(stage = self.stage.as_str(), %error, "the function `{name}` did not answer");
        }
        queue.finish(&batch, answer.ok());
        true
    }

    /// Delivers the next records of the table's stream to their function, and returns `true` if there were any.
    pub(crate) async fn publish_events(&self, now: Timestamp) -> bool {
        let batch = match self.stream.next(now).await {
            Ok(Some(batch)) => batch,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the table's stream cannot be read");
                return false;
            }
        };
        let (notifier, event) = (self.running().notifier, batch.clone());
        let answer = self.within(PUBLISHING_TIME_LIMIT, async move { notifier.handle(event).await }).await;
        if let Err(error) = &answer {
            tracing::error!(stage = self.stage.as_str(), %error, "the function `notifier` did not answer");
        }
        self.stream.finish(&batch, answer.ok(), now);
        true
    }

    /// Puts the messages that were published to the topic and pass its subscription's filter on the mail queue, and
    /// delivers the next messages there to their function. Returns `true` if there were any.
    pub(crate) async fn send_mail(&self, outbox: &Outbox, now: Timestamp) -> bool {
        let (published, published_read) =
            outbox.published_since(self.published_read.load(Ordering::Relaxed), &self.topic);
        self.published_read.store(published_read, Ordering::Relaxed);
        for message in published {
            let kind = message.attributes.get("type").map(String::as_str).unwrap_or_default();
            if mailer::MAILED.contains(&kind) {
                self.mail.put(message.message, now);
            }
        }
        let call = |event| {
            let mailer = self.running().mailer;
            self.within(PUBLISHING_TIME_LIMIT, async move { mailer.handle(event).await })
        };
        self.deliver_to(&self.mail, "mailer", now, call).await
    }

    /// Returns the time of the next redelivery.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.queue.next_due().into_iter().chain(self.mail.next_due()).chain(self.stream.next_due()).min()
    }

    /// Passes a request to its function.
    ///
    /// # Errors
    ///
    /// Fails when the function does not answer.
    pub(crate) async fn call(
        &self,
        function: Function,
        event: ApiGatewayV2httpRequest,
    ) -> Result<ApiGatewayV2httpResponse, NoAnswer> {
        let limit = function.time_limit();
        match function {
            Function::Registration => {
                let registration = self.running().registration;
                self.within(limit, async move { registration.handle(event).await }).await
            }
            Function::Entitlement => {
                let entitlement = self.running().entitlement;
                self.within(limit, async move { entitlement.handle(event).await }).await
            }
            Function::Usage => {
                let usage = self.running().usage;
                self.within(limit, async move { usage.handle(event).await }).await
            }
            Function::Readiness => {
                let readiness = self.running().readiness;
                self.within(limit, async move { readiness.handle(event).await }).await
            }
        }
    }

    /// The stack's name in CloudFormation.
    pub(crate) fn name(&self) -> &str {
        &self.table
    }

    /// Returns the name in AWS of a part of the template.
    pub(crate) fn name_of(&self, part: &str) -> String {
        format!("{}-{part}", self.name())
    }

    /// Returns the stack's metrics in CloudWatch.
    pub(crate) fn metrics(&self) -> Received {
        self.cloudwatch.received()
    }

    /// Returns every license of the table, in the order of the states.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub(crate) async fn licenses(&self) -> Result<Vec<License>, StoreError> {
        let mut licenses = Vec::new();
        for state in StateName::ALL {
            let mut cursor = None;
            loop {
                let page = self.store.licenses_in_state(state, cursor.as_deref(), 100).await?;
                licenses.extend(page.licenses);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(licenses)
    }

    /// Returns every event that was written for the seller's application, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub(crate) async fn events(&self) -> Result<Vec<OutboundEvent>, StoreError> {
        let mut events = Vec::new();
        for license in self.licenses().await? {
            events.extend(self.store.events_of_license(&license.id).await?);
        }
        events.sort_by(|one, other| {
            (one.at, &one.license, one.sequence).cmp(&(other.at, &other.license, other.sequence))
        });
        Ok(events)
    }
}

/// The settings that functions are started with.
struct Environment<'a> {
    stage: Stage,
    config: &'a SdkConfig,
    table: &'a str,
    topic: &'a str,
    clock: &'a Clock,
    dry_run: bool,
    names: &'a DeployedNames,
    known: &'a Known,
}

impl Functions {
    fn start(environment: &Environment<'_>, cloudwatch: &CloudWatch) -> Self {
        let &Environment { stage, config, table, topic, clock, dry_run, names, known } = environment;
        let metrics = Metrics::new(stage.as_str(), dry_run, cloudwatch.clone());
        let of = |function| named(config, function);
        let metering = Metering::new(&of("metering"), table, clock.clone())
            .reporting_to(metrics.clone())
            .in_mode(metering::Mode { dry_run, ..metering::Mode::default() });
        let reconciliation = Reconciliation::new(&of("reconcile"), table, clock.clone()).reporting_to(metrics.clone());
        Self {
            registration: Arc::new(Registration::new(&of("registration"), table, clock.clone())),
            subscription: Arc::new(Subscription::new(&of("subscription"), table, clock.clone())),
            entitlement: Arc::new(EntitlementApi::new(&of("entitlement"), table, topic, clock.clone())),
            usage: Arc::new(UsageApi::with_settings(
                &of("usage"),
                table,
                clock.clone(),
                usage::Settings { metrics: metrics.clone(), dry_run },
            )),
            metering: Arc::new(metering),
            notifier: Arc::new(Notifier::new(&of("notifier"), topic, clock.clone()).reporting_to(metrics.clone())),
            mailer: Arc::new(Mailer::new(&of("mailer"), table, MAIL_FROM, clock.clone()).reporting_to(metrics)),
            reconciliation: Arc::new(reconciliation),
            readiness: Arc::new(Readiness::new(
                &of("readiness"),
                table,
                deployment(stage, table, names),
                Internet::new(known.clone(), clock.clone()),
                clock.clone(),
            )),
        }
    }
}

/// Returns the names of the stack's parts, as the template passes them to the auditor.
fn deployment(stage: Stage, name: &str, names: &DeployedNames) -> Deployment {
    let schedules = names.schedules.iter().map(|(of, name)| readiness::Schedule {
        name: name.clone(),
        runs: of.name().to_owned(),
        max_interval_minutes: of.max_interval_minutes(),
    });
    Deployment {
        stack: name.to_owned(),
        registration_url: fulfillment_url(stage).parse().ok(),
        marketplace_events_rule: names.marketplace_events_rule.clone(),
        marketplace_events_queue: names.marketplace_events_queue.clone(),
        schedules: schedules.collect(),
        dead_letters: names.dead_letters.values().cloned().collect(),
        alarms: names.alarms.clone(),
        audit_log: names.audit_log.clone(),
        subscriptions: names.subscriptions.values().cloned().collect(),
    }
}

/// Runs a function as Lambda does: independently of its caller, who may disconnect, with a timeout, and until it
/// crashes. A panic is a crash of that one run; a planned crash ends every run.
async fn within<T: Send + 'static>(
    limit: Duration,
    mut crashes: watch::Receiver<u64>,
    run: impl Future<Output = T> + Send + 'static,
) -> Result<T, NoAnswer> {
    crashes.mark_unchanged();
    let mut running = tokio::spawn(run);
    let end = tokio::select! {
        ended = tokio::time::timeout(limit, &mut running) => match ended {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(_)) => NoAnswer::Crashed,
            Err(_) => NoAnswer::TimedOut,
        },
        Ok(()) = crashes.changed() => NoAnswer::Crashed,
    };
    running.abort();
    Err(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_function_that_times_out_or_crashes_gives_no_answer() {
        let limit = Function::Usage.time_limit();
        let (crashes, crash) = watch::channel(0);
        assert_eq!(within(limit, crash.clone(), async { 7 }).await, Ok(7));
        let never = || std::future::pending::<()>();
        assert_eq!(within(Duration::from_millis(1), crash.clone(), never()).await, Err(NoAnswer::TimedOut));
        let panics = async { panic!("as a test") };
        assert_eq!(within(limit, crash.clone(), panics).await, Err::<(), _>(NoAnswer::Crashed));
        let dies = tokio::spawn(within(limit, crash, never()));
        tokio::task::yield_now().await;
        crashes.send_replace(1);
        assert_eq!(dies.await.unwrap(), Err(NoAnswer::Crashed));
    }
}

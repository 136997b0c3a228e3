//! One stage's deployment: its table, its functions and its news queue.
//!
//! The functions are the real handlers on the real AWS clients; only the endpoint is the sandbox's AWS.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use entitlement::EntitlementApi;
use jiff::Timestamp;
use metering::Metering;
use registration::Registration;
use stallkeeper::license::{License, StateName};
use stallkeeper::listing::{Listing, Stage};
use stallkeeper::notification::OutboundEvent;
use stallkeeper::store::{Store, StoreError};
use stallkeeper::time::Clock;
use subscription::Subscription;
use usage::UsageApi;

use crate::aws::News;
use crate::bus;
use crate::listings::stage_name;
use crate::queue::Queue;
use crate::table::{self, Stream};

/// How long the function that takes in news may take, as the template has it.
const NEWS_TIME_LIMIT: Duration = Duration::from_secs(60);

/// How long the reporter may take, as the template has it.
const REPORTER_TIME_LIMIT: Duration = Duration::from_secs(290);

/// A function of the stack that API Gateway calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// What buyers meet.
    Registration,
    /// The seller's API: licenses, tenants, entitlements.
    Entitlement,
    /// The seller's API: usage.
    Usage,
}

impl Function {
    /// How long it may take, as the template has it.
    fn time_limit(self) -> Duration {
        match self {
            Self::Registration | Self::Entitlement => Duration::from_secs(25),
            Self::Usage => Duration::from_secs(30),
        }
    }
}

/// A function did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It took longer than it may.
    #[error("it took longer than it may")]
    TimedOut,
    /// It ended without an answer.
    #[error("it panicked")]
    Crashed,
}

/// One stage's deployment.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) stage: Stage,
    /// Where its API is.
    pub(crate) url: String,
    pub(crate) table: String,
    pub(crate) queue: Queue,
    listings: Vec<Listing>,
    registration: Arc<Registration>,
    subscription: Arc<Subscription>,
    entitlement: Arc<EntitlementApi>,
    usage: Arc<UsageApi>,
    metering: Arc<Metering>,
    store: Store,
}

impl Stack {
    /// Makes the table, if there is none, loads the stage's listings into it, and sets the functions up.
    ///
    /// The functions use `config`; what the sandbox itself does with the table goes by `direct`, past the fault plan
    /// and the wire log.
    ///
    /// # Errors
    ///
    /// When DynamoDB does not do it.
    pub(crate) async fn set_up(
        stage: Stage,
        url: String,
        listings: Vec<Listing>,
        config: &SdkConfig,
        direct: &SdkConfig,
        clock: &Clock,
        account: &str,
    ) -> anyhow::Result<Self> {
        let name = format!("stallkeeper-{}", stage_name(stage));
        table::make(direct, &name, Stream::On).await?;
        let store = Store::new(direct, &name, clock.clone());
        for listing in &listings {
            store.put_listing(listing).await?;
        }
        Ok(Self {
            stage,
            url,
            queue: Queue::new(format!("arn:aws:sqs:us-east-1:{account}:{name}-news")),
            listings,
            registration: Arc::new(Registration::new(config, &name, clock.clone())),
            subscription: Arc::new(Subscription::new(config, &name, clock.clone())),
            entitlement: Arc::new(EntitlementApi::new(config, &name, clock.clone())),
            usage: Arc::new(UsageApi::new(config, &name, clock.clone())),
            metering: Arc::new(Metering::new(config, &name, clock.clone())),
            store,
            table: name,
        })
    }

    /// Puts a piece of news on the queue, if the stack is told of it.
    pub(crate) fn hear(&self, at: Timestamp, news: &News) {
        if let Some(body) = bus::message(at, news, &self.listings) {
            self.queue.put(body, at);
        }
    }

    /// Hands the next messages of the queue to their function, and says whether there were any.
    pub(crate) async fn deliver(&self, now: Timestamp) -> bool {
        let Some(batch) = self.queue.receive(now) else { return false };
        let answer = match batch.event() {
            Ok(event) => {
                let subscription = Arc::clone(&self.subscription);
                within(NEWS_TIME_LIMIT, async move { subscription.handle(event).await }).await
            }
            Err(error) => {
                tracing::error!(%error, "the queue's event is none");
                Err(NoAnswer::Crashed)
            }
        };
        if let Err(error) = &answer {
            tracing::error!(stage = stage_name(self.stage), %error, "the function `subscription` did not answer");
        }
        self.queue.finish(&batch, answer.ok());
        true
    }

    /// Hands a request to its function.
    ///
    /// # Errors
    ///
    /// When the function does not answer.
    pub(crate) async fn call(
        &self,
        function: Function,
        event: ApiGatewayV2httpRequest,
    ) -> Result<ApiGatewayV2httpResponse, NoAnswer> {
        let limit = function.time_limit();
        match function {
            Function::Registration => {
                let registration = Arc::clone(&self.registration);
                within(limit, async move { registration.handle(event).await }).await
            }
            Function::Entitlement => {
                let entitlement = Arc::clone(&self.entitlement);
                within(limit, async move { entitlement.handle(event).await }).await
            }
            Function::Usage => {
                let usage = Arc::clone(&self.usage);
                within(limit, async move { usage.handle(event).await }).await
            }
        }
    }

    /// Runs the reporter once, as its schedule does.
    pub(crate) async fn report_usage(&self) {
        let metering = Arc::clone(&self.metering);
        let stage = stage_name(self.stage);
        match within(REPORTER_TIME_LIMIT, async move { metering.run(REPORTER_TIME_LIMIT).await }).await {
            Ok(Ok(report)) => tracing::info!(stage, ?report, "the reporter has run"),
            Ok(Err(error)) => tracing::error!(stage, error = %stallkeeper::aws::chain(&error), "the reporter failed"),
            Err(error) => tracing::error!(stage, %error, "the reporter did not answer"),
        }
    }

    /// Every license of the table, in the order of the states.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
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

    /// Every event that was written for the seller's application, oldest first.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
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

/// Runs a function as Lambda does: apart from its caller, who may go away, and for a limited time. A panic is a
/// crash of that one run.
async fn within<T: Send + 'static>(
    limit: Duration,
    run: impl Future<Output = T> + Send + 'static,
) -> Result<T, NoAnswer> {
    let mut running = tokio::spawn(run);
    match tokio::time::timeout(limit, &mut running).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(NoAnswer::Crashed),
        Err(_) => {
            running.abort();
            Err(NoAnswer::TimedOut)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_function_that_takes_too_long_or_panics_gives_no_answer() {
        let limit = Function::Usage.time_limit();
        assert_eq!(within(limit, async { 7 }).await, Ok(7));
        let never = within(Duration::from_millis(1), std::future::pending::<()>());
        assert_eq!(never.await, Err(NoAnswer::TimedOut));
        assert_eq!(within(limit, async { panic!("as a test") }).await, Err::<(), _>(NoAnswer::Crashed));
    }
}

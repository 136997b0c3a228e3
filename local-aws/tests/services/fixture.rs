//! An AWS on a free port with a clock that stands still, and clients of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_marketplacemetering::operation::batch_meter_usage::{BatchMeterUsageError, BatchMeterUsageOutput};
use aws_sdk_marketplacemetering::primitives::DateTime;
use aws_sdk_marketplacemetering::types::{UsageRecord, UsageRecordResultStatus};
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use local_aws::{
    Aws, AwsOptions, Behavior, BuyerKey, Delays, Dimension, DimensionType, MarketplaceEvent, Pricing, Product,
    ProductPage, Purchase, Purchased, ScheduledEvent,
};
use marketplace_ids::AccountId;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

pub(crate) const CONTRACT: &str = "4democontract0000000000ab";
pub(crate) const SUBSCRIPTION: &str = "5demosubscription000000ab";
pub(crate) const CONSUMPTION: &str = "6democonsumption0000000ab";
pub(crate) const LEGACY: &str = "7demolegacy00000000000ab";
pub(crate) const LEGACY_CONTRACT: &str = "9demolegacycontract0000ab";

/// The fulfillment URL of every product.
pub(crate) const FULFILLMENT_URL: &str = "https://register.example.com/register";

pub(crate) struct LocalAws {
    pub(crate) aws: Aws,
    pub(crate) clock: Clock,
    events: UnboundedReceiver<ScheduledEvent>,
}

pub(crate) async fn start() -> LocalAws {
    start_with(Behavior::default(), Delays::none()).await
}

pub(crate) async fn start_with(behavior: Behavior, delays: Delays) -> LocalAws {
    start_as(behavior, delays, None).await
}

/// Starts one with the tables in a file.
pub(crate) async fn start_in(data: Option<PathBuf>) -> LocalAws {
    start_as(Behavior::default(), Delays::none(), data).await
}

async fn start_as(behavior: Behavior, delays: Delays, data: Option<PathBuf>) -> LocalAws {
    let clock = Clock::fixed_at("2026-11-30T12:00:00Z".parse().unwrap());
    let (event_sender, events) = tokio::sync::mpsc::unbounded_channel();
    let options =
        AwsOptions { data, behavior, delays, ..AwsOptions::new(clock.clone(), products().into(), event_sender) };
    LocalAws { aws: Aws::start(options).await.unwrap(), clock, events }
}

/// A product of each pricing model, and two legacy ones.
fn products() -> [Product; 5] {
    let seats = Dimension { description: Some("Who may sign in".to_owned()), ..entitled("seats", "Seats", "users") };
    let contract = [seats, entitled("projects", "Projects", "projects")];
    [
        Product {
            page: ProductPage {
                logo: None,
                about: "https://www.example.com/contract".parse().ok(),
                support: "Write to support@example.com for help. Help is at https://www.example.com/support."
                    .to_owned(),
            },
            ..product(CONTRACT, "prod-democontract01", "Demo Contract", Pricing::Contract, contract.clone())
        },
        product(
            SUBSCRIPTION,
            "prod-demosubscription01",
            "Demo Subscription",
            Pricing::Subscription,
            [metered("requests", "Requests", "requests"), metered("storage_gb", "Storage", "GB-hours")],
        ),
        product(
            CONSUMPTION,
            "prod-democonsumption01",
            "Demo Contract with Consumption",
            Pricing::ContractWithConsumption,
            [
                entitled("events_included", "Events included", "events"),
                metered("events_extra", "Events beyond the contract", "events"),
            ],
        ),
        Product {
            buyer_key: BuyerKey::Customer,
            ..product(
                LEGACY,
                "prod-demolegacy01",
                "Demo Legacy Subscription",
                Pricing::Subscription,
                [metered("requests", "Requests", "requests")],
            )
        },
        Product {
            buyer_key: BuyerKey::Customer,
            ..product(LEGACY_CONTRACT, "prod-demolegacycontract01", "Demo Contract", Pricing::Contract, contract)
        },
    ]
}

fn product<const N: usize>(code: &str, id: &str, name: &str, pricing: Pricing, dimensions: [Dimension; N]) -> Product {
    Product {
        code: code.parse().unwrap(),
        id: id.parse().unwrap(),
        name: name.to_owned(),
        buyer_key: BuyerKey::License,
        pricing,
        dimensions: dimensions.into(),
        fulfillment_url: FULFILLMENT_URL.to_owned(),
        page: ProductPage { support: "Write to support@example.com for help.".to_owned(), ..ProductPage::default() },
    }
}

fn entitled(key: &str, name: &str, unit: &str) -> Dimension {
    Dimension {
        key: key.parse().unwrap(),
        name: name.to_owned(),
        description: None,
        unit: Some(unit.to_owned()),
        types: [DimensionType::Entitled].into(),
        price: "0.01".parse().unwrap(),
    }
}

fn metered(key: &str, name: &str, unit: &str) -> Dimension {
    Dimension { types: [DimensionType::ExternallyMetered].into(), ..entitled(key, name, unit) }
}

impl LocalAws {
    pub(crate) fn config(&self) -> SdkConfig {
        self.config_in("us-east-1")
    }

    fn config_in(&self, region: &'static str) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .endpoint_url(self.aws.url())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIDSANDBOX",
                "any",
                None,
                None,
                "test",
            )))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .build()
    }

    pub(crate) fn metering(&self) -> aws_sdk_marketplacemetering::Client {
        aws_sdk_marketplacemetering::Client::new(&self.config())
    }

    pub(crate) fn entitlement(&self) -> aws_sdk_marketplaceentitlement::Client {
        aws_sdk_marketplaceentitlement::Client::new(&self.config())
    }

    pub(crate) fn agreement(&self) -> aws_sdk_marketplaceagreement::Client {
        aws_sdk_marketplaceagreement::Client::new(&self.config())
    }

    pub(crate) fn catalog(&self) -> aws_sdk_marketplacecatalog::Client {
        aws_sdk_marketplacecatalog::Client::new(&self.config())
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config())
    }

    /// Meters usage as the SDK does, but without the empty CustomerIdentifier that it puts into every record.
    pub(crate) async fn meter(
        &self,
        product: Option<&str>,
        records: &[UsageRecord],
    ) -> Result<BatchMeterUsageOutput, SdkError<BatchMeterUsageError>> {
        self.meter_in("us-east-1", product, records).await
    }

    /// Meters usage in a region.
    pub(crate) async fn meter_in(
        &self,
        region: &'static str,
        product: Option<&str>,
        records: &[UsageRecord],
    ) -> Result<BatchMeterUsageOutput, SdkError<BatchMeterUsageError>> {
        let client = aws_sdk_marketplacemetering::Client::new(&self.config_in(region));
        let request = client.batch_meter_usage().set_product_code(product.map(str::to_owned));
        let stripped = request.set_usage_records(Some(records.to_vec())).customize().mutate_request(|request| {
            let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            for record in body["UsageRecords"].as_array_mut().unwrap() {
                let members = record.as_object_mut().unwrap();
                if members["CustomerIdentifier"] == "" {
                    members.remove("CustomerIdentifier");
                }
            }
            let body = body.to_string();
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = body.into();
        });
        stripped.send().await
    }

    /// Meters one record, which must not make the call fail, and returns its status and id.
    pub(crate) async fn meter_one(
        &self,
        product: Option<&str>,
        record: UsageRecord,
    ) -> (UsageRecordResultStatus, Option<String>) {
        let answer = self.meter(product, &[record]).await.unwrap();
        let [result] = answer.results() else { panic!("{answer:?}") };
        (result.status().unwrap().clone(), result.metering_record_id().map(str::to_owned))
    }

    /// Returns the error code with which a call as a whole is refused.
    pub(crate) async fn refusal(&self, product: Option<&str>, records: &[UsageRecord]) -> String {
        code(self.meter(product, records).await)
    }

    /// Meters usage as JSON that no SDK sends.
    pub(crate) async fn meter_json(&self, request: Value) -> (u16, Value) {
        self.meter_text(request.to_string()).await
    }

    pub(crate) async fn meter_text(&self, request: String) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .post(self.aws.url())
            .header("x-amz-target", "AWSMPMeteringService.BatchMeterUsage")
            .header("content-type", "application/x-amz-json-1.1")
            .body(request)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Returns the license, dimension, hour and quantity of each billed record, oldest first.
    pub(crate) fn billed(&self) -> Vec<(String, String, String, String)> {
        let records = self.aws.marketplace().bill().records.into_iter();
        let line = |it: local_aws::BilledRecord| {
            (it.license.to_string(), it.dimension.to_string(), it.hour.to_string(), it.quantity.to_string())
        };
        records.map(line).collect()
    }

    /// Returns the sum of all billed quantities.
    pub(crate) fn sum(&self) -> String {
        let quantities = self.aws.marketplace().bill().records.into_iter().map(|record| record.quantity);
        quantities.fold(rust_decimal::Decimal::ZERO, |sum, quantity| sum + quantity).to_string()
    }

    pub(crate) fn advance(&self, time: SignedDuration) {
        self.clock.set(self.clock.now() + time);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Buys a contract of five seats.
    pub(crate) fn buy_contract(&self) -> Purchased {
        self.buy(CONTRACT, json!({"seats": 5}))
    }

    pub(crate) fn buy(&self, product: &str, dimensions: Value) -> Purchased {
        self.aws.marketplace().purchase(purchase(product, dimensions)).unwrap()
    }

    /// Returns the events since the last call.
    pub(crate) fn scheduled_events(&mut self) -> Vec<ScheduledEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Returns the same events as one line each: the time, in seconds from now, and the event.
    pub(crate) fn headlines(&mut self) -> Vec<String> {
        let now = self.now();
        let headline = |scheduled: &ScheduledEvent| {
            let after = scheduled.at.duration_since(now).as_secs();
            match &scheduled.event {
                MarketplaceEvent::EventBridge(event) => format!("+{after} {}", text(event, "/detail-type")),
                MarketplaceEvent::Sns { topic_arn, message } => {
                    let topic = if topic_arn.contains("entitlement") { "entitlement" } else { "subscription" };
                    format!("+{after} sns {topic} {}", text(message, "/action"))
                }
            }
        };
        self.scheduled_events().iter().map(headline).collect()
    }

    /// Returns the events on the bus since the last call.
    pub(crate) fn events(&mut self) -> Vec<Value> {
        let event = |scheduled: ScheduledEvent| match scheduled.event {
            MarketplaceEvent::EventBridge(event) => Some(event),
            MarketplaceEvent::Sns { .. } => None,
        };
        self.scheduled_events().into_iter().filter_map(event).collect()
    }
}

pub(crate) fn purchase(product: &str, dimensions: Value) -> Purchase {
    let dimensions: BTreeMap<_, _> = serde_json::from_value(dimensions).unwrap();
    Purchase { product: product.parse().unwrap(), account: None, dimensions, free_trial: false }
}

/// Returns a usage record of a license.
pub(crate) fn usage(bought: &Purchased, dimension: &str, quantity: i32, at: Timestamp) -> UsageRecord {
    let record = UsageRecord::builder()
        .customer_aws_account_id(bought.account_id.as_str())
        .set_license_arn(bought.license_arn.as_ref().map(|arn| arn.as_str().to_owned()));
    some(record.customer_identifier(""), dimension, quantity, at)
}

/// Returns a usage record of a legacy buyer.
pub(crate) fn usage_of(customer: &str, dimension: &str, quantity: i32, at: Timestamp) -> UsageRecord {
    some(UsageRecord::builder().customer_identifier(customer), dimension, quantity, at)
}

fn some(
    record: aws_sdk_marketplacemetering::types::builders::UsageRecordBuilder,
    dimension: &str,
    quantity: i32,
    at: Timestamp,
) -> UsageRecord {
    let at = DateTime::from_millis(at.as_millisecond());
    record.dimension(dimension).quantity(quantity).timestamp(at).build().unwrap()
}

pub(crate) fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{value} has no text at {pointer}"))
}

/// Returns the error code of the service's answer; panics if the service did not answer.
pub(crate) fn code<T: std::fmt::Debug, E, R>(result: Result<T, SdkError<E, R>>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match result.unwrap_err() {
        SdkError::ServiceError(error) => error.err().code().unwrap_or("no code").to_owned(),
        other => panic!("no answer of the service: {other:?}"),
    }
}

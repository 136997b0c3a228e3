//! The environment of every end-to-end test: a sandbox with a stopped clock, and its entry points.
//!
//! Buyers use the registration URL, the seller's application sends signed requests to `/v1`, and AWS events arrive
//! through the event bus. Apart from the sandbox's control API, metrics and table, nothing here bypasses these entry
//! points.

pub mod audit;
pub mod log;

mod contract;

use clock::Clock;
use domain::listing::Stage;
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::Metric;
use reqwest::Method;
use rust_decimal::Decimal;
pub use sandbox::test_client::{PageResponse, TestPurchase};
use sandbox::test_client::{TestClient, handoff_code};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use store::Store;

pub use contract::contract;

/// The time at which a test starts, unless it chooses another one.
pub const START: &str = "2026-11-10T09:20:00Z";

/// A sandbox with its test clients. A call that fails unexpectedly fails the test.
pub struct TestEnvironment {
    pub sandbox: Sandbox,
    client: TestClient,
}

impl TestEnvironment {
    /// Starts one staging stack with the demo listings.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts one staging stack with the demo listings at another time.
    pub async fn at(start: &str) -> Self {
        Self::with(|options| options.clock = Clock::fixed_at(start.parse().unwrap())).await
    }

    /// Starts a sandbox with the default options as `change` modifies them.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        log::watch();
        let mut options = Options { clock: Clock::fixed_at(START.parse().unwrap()), ..Options::default() };
        change(&mut options);
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = TestClient::at(sandbox.url()).unwrap();
        Self { sandbox, client }
    }

    /// Calls the sandbox's control API, which must succeed.
    pub async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        self.client.control(method, path, body).await.unwrap()
    }

    /// Buys a product without registering.
    pub async fn buy(&self, product: &str, dimensions: Value) -> TestPurchase {
        self.buy_as(json!({ "product": product, "dimensions": dimensions })).await
    }

    /// Buys a product as `order` describes, without registering.
    pub async fn buy_as(&self, order: Value) -> TestPurchase {
        let bought = self.client.buy(order).await.unwrap();
        log::keep_secret(&bought.token);
        bought
    }

    /// Changes an agreement and returns its new state.
    pub async fn change(&self, agreement: &str, action: Value) -> Value {
        self.client.change(agreement, action).await.unwrap()
    }

    /// Ends an agreement.
    pub async fn end(&self, agreement: &str) {
        self.change(agreement, json!({ "action": "end" })).await;
    }

    /// Plans a fault in AWS.
    pub async fn fault(&self, fault: Value) {
        self.control(Method::POST, "/sandbox/faults", fault).await;
    }

    /// Controls the delivery of the marketplace events queues: holds, releases, loses, repeats or reorders messages.
    pub async fn deliver(&self, what: Value) -> Value {
        self.control(Method::POST, "/sandbox/deliver", what).await
    }

    /// Puts a message on the queues, as AWS does.
    pub async fn send_event(&self, body: &Value) {
        self.deliver(json!({ "message": body.to_string() })).await;
    }

    /// Advances the clock.
    pub async fn advance(&self, by: SignedDuration) {
        self.sandbox.advance(by).await.unwrap();
    }

    /// Returns the current time of the sandbox.
    pub fn now(&self) -> Timestamp {
        self.sandbox.clock().now()
    }

    /// Opens the registration page with a token, as a browser that AWS Marketplace redirects.
    pub async fn post_token(&self, token: &str) -> PageResponse {
        guarded(self.client.post_token(token).await.unwrap())
    }

    /// Posts a form from a page of the given session.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)], cookie: Option<&str>) -> PageResponse {
        guarded(self.client.post_form(path, fields, cookie).await.unwrap())
    }

    /// Sends an arbitrary body, as the application.
    pub async fn send_raw(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> PageResponse {
        self.client.send_raw(method, path, content_type, body).await.unwrap()
    }

    /// Opens a page of the given session.
    pub async fn open(&self, path: &str, cookie: Option<&str>) -> PageResponse {
        self.client.open(path, cookie).await.unwrap()
    }

    /// Completes a registration: opens the page and sends the contact form. The answer redirects to the application.
    pub async fn register(&self, token: &str, email: &str) -> PageResponse {
        guarded(self.client.register(token, email).await.unwrap())
    }

    /// Fills in and sends the contact form of a session.
    pub async fn submit_contact(&self, cookie: &str, email: &str, account: &str) -> PageResponse {
        guarded(self.client.submit_contact(cookie, email, account).await.unwrap())
    }

    /// Sends a signed request of the seller's application.
    pub async fn api(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.client.call(method, path, body).await.unwrap()
    }

    /// Redeems a code, as the application.
    pub async fn redeem(&self, key: &str, code: &str) -> (u16, Value) {
        self.client.redeem(key, code).await.unwrap()
    }

    /// Redeems a code with another access key of the seller's account.
    pub async fn redeem_as(&self, access_key: &str, key: &str, code: &str) -> (u16, Value) {
        self.client.redeem_as(access_key, key, code).await.unwrap()
    }

    /// Returns a license as the API shows it to the application.
    pub async fn license(&self, id: &str) -> Value {
        let (status, license) = self.api(Method::GET, &format!("/v1/licenses/{id}"), None).await;
        assert_eq!(status, 200, "{license}");
        license
    }

    /// Links a license to a tenant.
    pub async fn link(&self, license: &str, tenant: &str) -> (u16, Value) {
        self.client.link(license, tenant).await.unwrap()
    }

    /// Reports usage and returns the status of each event.
    pub async fn report(&self, events: Value) -> Vec<String> {
        let results = self.client.report(events).await.unwrap();
        results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Reports usage and returns the whole result of each event.
    pub async fn results(&self, events: Value) -> Vec<Value> {
        self.client.report(events).await.unwrap()
    }

    /// Returns the records that AWS has booked for a license: hour, dimension and quantity, without those of quantity
    /// 0.
    pub async fn billed(&self, license: &str) -> Vec<(String, String, String)> {
        let text = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
        let bill = self.client.bill().await.unwrap();
        let of_license = bill.iter().filter(|record| record["license"] == license && record["quantity"] != "0");
        let mut billed: Vec<_> = of_license
            .map(|record| (text(record, "hour")[..13].to_owned(), text(record, "dimension"), text(record, "quantity")))
            .collect();
        billed.sort();
        billed
    }

    /// Returns the quantity that AWS has booked for a license, over all hours and dimensions.
    pub async fn total(&self, license: &str) -> Decimal {
        self.billed(license).await.iter().map(|(_, _, quantity)| quantity.parse::<Decimal>().unwrap()).sum()
    }

    /// Returns every hourly record of a license, newest first.
    pub async fn records(&self, license: &str) -> Vec<Value> {
        let (status, answer) = self.api(Method::GET, &format!("/v1/licenses/{license}/usage?limit=500"), None).await;
        assert_eq!((status, &answer["next"]), (200, &Value::Null), "{answer}");
        answer["records"].as_array().unwrap().clone()
    }

    /// Returns the states of the records of a license that have usage.
    pub async fn states(&self, license: &str) -> Vec<String> {
        let records = self.records(license).await;
        let used = records.iter().filter(|record| record["quantity"] != "0");
        used.map(|record| record["state"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the decision about whether a tenant may use a dimension.
    pub async fn decide(&self, tenant: &str, dimension: &str) -> Value {
        let (status, decision) =
            self.api(Method::GET, &format!("/v1/tenants/{tenant}/entitlements?dimension={dimension}"), None).await;
        assert_eq!(status, 200, "{decision}");
        decision
    }

    /// Returns the types of the events of a license so far, in the order of their sequence.
    pub async fn event_types(&self, license: &str) -> Vec<String> {
        let events = self.store(Stage::Staging).events_of_license(&license.parse().unwrap()).await.unwrap();
        let events: Vec<Value> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the sum of a metric of the staging stack, or 0 if the stack never emitted it.
    pub fn counted(&self, metric: Metric) -> u64 {
        let received = self.sandbox.metrics(Stage::Staging).unwrap();
        assert_eq!(received.unreadable, 0, "CloudWatch could not read all of it");
        received.sums.get(metric.name()).map_or(0, |sum| *sum as u64)
    }

    /// Returns the newest value of a metric of the staging stack, or `None` if the stack never emitted it.
    pub fn measured(&self, metric: Metric) -> Option<u64> {
        let received = self.sandbox.metrics(Stage::Staging).unwrap();
        received.newest.get(metric.name()).map(|value| *value as u64)
    }

    /// Returns a store on a stage's table, through the real DynamoDB client.
    pub fn store(&self, stage: Stage) -> Store {
        let table = self.sandbox.table(stage).unwrap();
        Store::new(self.sandbox.sdk_config(), table, self.sandbox.clock().clone())
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        // A failed test already reports its reason.
        if !std::thread::panicking() {
            assert_eq!(log::leaked(), Vec::<String>::new(), "a secret or an address is in the log");
        }
    }
}

/// Registers the cookie and the code of a browser's answer as secrets, which no log line may contain.
fn guarded(visit: PageResponse) -> PageResponse {
    let cookie = visit.cookie.as_deref().and_then(|cookie| cookie.split_once('='));
    cookie.into_iter().for_each(|(_, secret)| log::keep_secret(secret));
    handoff_code(&visit).iter().for_each(|code| log::keep_secret(code));
    visit
}

/// Returns a license event as EventBridge sends it.
pub fn license_event(kind: &str, purchase: &TestPurchase, arn: &str, id: &str, time: Timestamp) -> Value {
    json!({
        "version": "0", "id": id, "detail-type": format!("License {kind} - Manufacturer"),
        "source": "aws.agreement-marketplace", "account": "444455556666", "time": time.to_string(),
        "region": "us-east-1", "resources": [],
        "detail": {
            "requestId": "r", "catalog": "AWSMarketplace", "agreement": { "id": purchase.agreement },
            "product": { "code": purchase.product, "id": "prod-any" }, "license": { "arn": arn },
            "acceptor": { "accountId": purchase.account }, "proposer": { "accountId": "444455556666" },
            "offer": { "id": "offer-any" },
        },
    })
}

/// Returns a notification of the subscription topic as SNS passes it to a queue.
pub fn notification(action: &str, purchase: &TestPurchase, id: &str, time: Timestamp) -> Value {
    let message = json!({
        "action": action, "customer-identifier": purchase.customer, "product-code": purchase.product,
    });
    json!({
        "Type": "Notification", "MessageId": id, "Message": message.to_string(), "Timestamp": time.to_string(),
        "TopicArn": format!("arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{}", purchase.product),
    })
}

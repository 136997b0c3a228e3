//! The world that every end-to-end test starts from: a sandbox with a clock that stands, and the doors to it.
//!
//! Buyers come in by the registration URL, the seller's application by signed calls of `/v1`, AWS's news by its event
//! bus. Nothing here reaches past those.

pub mod audit;
pub mod log;

mod contract;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use rust_decimal::Decimal;
pub use sandbox::people::{Bought, Visit};
use sandbox::people::{People, handoff_code};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use stallkeeper::listing::Stage;
use stallkeeper::metrics::Metric;
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

pub use contract::contract;

/// When every test begins.
pub const BEGINNING: &str = "2026-11-10T09:20:00Z";

/// A sandbox, and everyone around it. What fails here fails the test.
pub struct World {
    pub sandbox: Sandbox,
    people: People,
}

impl World {
    /// One staging stack with the demo listings.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One staging stack with the demo listings, at another time.
    pub async fn at(beginning: &str) -> Self {
        Self::with(|options| options.clock = Clock::standing_at(beginning.parse().unwrap())).await
    }

    /// A sandbox that differs in what `change` says.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        log::watch();
        let mut options = Options { clock: Clock::standing_at(BEGINNING.parse().unwrap()), ..Options::default() };
        change(&mut options);
        let sandbox = Sandbox::start(options).await.unwrap();
        let people = People::at(sandbox.url()).unwrap();
        Self { sandbox, people }
    }

    /// A call of the sandbox's control API, which must succeed.
    pub async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        self.people.control(method, path, body).await.unwrap()
    }

    /// Buys without registering.
    pub async fn buy(&self, product: &str, dimensions: Value) -> Bought {
        self.buy_as(json!({ "product": product, "dimensions": dimensions })).await
    }

    /// Buys as `order` says, without registering.
    pub async fn buy_as(&self, order: Value) -> Bought {
        let bought = self.people.buy(order).await.unwrap();
        log::keep_secret(&bought.token);
        bought
    }

    /// Something happens to an agreement; answers what it became.
    pub async fn change(&self, agreement: &str, action: Value) -> Value {
        self.people.change(agreement, action).await.unwrap()
    }

    /// Ends an agreement.
    pub async fn end(&self, agreement: &str) {
        self.change(agreement, json!({ "action": "end" })).await;
    }

    /// Plans a fault at AWS.
    pub async fn fault(&self, fault: Value) {
        self.control(Method::POST, "/sandbox/faults", fault).await;
    }

    /// Does something to the news queues.
    pub async fn deliver(&self, what: Value) -> Value {
        self.control(Method::POST, "/sandbox/deliver", what).await
    }

    /// Puts a message on the queues, as AWS would.
    pub async fn send_news(&self, body: &Value) {
        self.deliver(json!({ "message": body.to_string() })).await;
    }

    /// Moves the clock on.
    pub async fn advance(&self, by: SignedDuration) {
        self.sandbox.advance(by).await.unwrap();
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.sandbox.clock().now()
    }

    /// The browser arrives with a token, as AWS Marketplace sends it.
    pub async fn arrive(&self, token: &str) -> Visit {
        guarded(self.people.arrive(token).await.unwrap())
    }

    /// Posts a form from a page of the given session.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)], cookie: Option<&str>) -> Visit {
        guarded(self.people.post_form(path, fields, cookie).await.unwrap())
    }

    /// Sends whatever it is, as the application.
    pub async fn send_raw(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Visit {
        self.people.send_raw(method, path, content_type, body).await.unwrap()
    }

    /// Opens a page of the given session.
    pub async fn open(&self, path: &str, cookie: Option<&str>) -> Visit {
        self.people.open(path, cookie).await.unwrap()
    }

    /// Registers all the way: arrives, leaves a contact, and is handed to the application.
    pub async fn register(&self, token: &str, email: &str) -> Visit {
        guarded(self.people.register(token, email).await.unwrap())
    }

    /// Fills in the page of a session and sends it.
    pub async fn leave_contact(&self, cookie: &str, email: &str, account: &str) -> Visit {
        guarded(self.people.leave_contact(cookie, email, account).await.unwrap())
    }

    /// A signed call of the seller's application.
    pub async fn api(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.people.call(method, path, body).await.unwrap()
    }

    /// The application redeems a code.
    pub async fn redeem(&self, key: &str, code: &str) -> (u16, Value) {
        self.people.redeem(key, code).await.unwrap()
    }

    /// Somebody else in the seller's account redeems a code.
    pub async fn redeem_as(&self, access_key: &str, key: &str, code: &str) -> (u16, Value) {
        self.people.redeem_as(access_key, key, code).await.unwrap()
    }

    /// A license, as the application sees it.
    pub async fn license(&self, id: &str) -> Value {
        let (status, license) = self.api(Method::GET, &format!("/v1/licenses/{id}"), None).await;
        assert_eq!(status, 200, "{license}");
        license
    }

    /// Links a license to a tenant.
    pub async fn link(&self, license: &str, tenant: &str) -> (u16, Value) {
        self.people.link(license, tenant).await.unwrap()
    }

    /// Reports usage; answers the status of each event.
    pub async fn report(&self, events: Value) -> Vec<String> {
        let results = self.people.report(events).await.unwrap();
        results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Reports usage; answers the whole result of each event.
    pub async fn results(&self, events: Value) -> Vec<Value> {
        self.people.report(events).await.unwrap()
    }

    /// What AWS has booked for a license: hour, dimension and quantity, without the hours of zero.
    pub async fn billed(&self, license: &str) -> Vec<(String, String, String)> {
        let text = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
        let bill = self.people.bill().await.unwrap();
        let of_license = bill.iter().filter(|record| record["license"] == license && record["quantity"] != "0");
        let mut billed: Vec<_> = of_license
            .map(|record| (text(record, "hour")[..13].to_owned(), text(record, "dimension"), text(record, "quantity")))
            .collect();
        billed.sort();
        billed
    }

    /// How much AWS has booked for a license, over all hours and dimensions.
    pub async fn total(&self, license: &str) -> Decimal {
        self.billed(license).await.iter().map(|(_, _, quantity)| quantity.parse::<Decimal>().unwrap()).sum()
    }

    /// Every hourly record of a license, newest first.
    pub async fn records(&self, license: &str) -> Vec<Value> {
        let (status, answer) = self.api(Method::GET, &format!("/v1/licenses/{license}/usage?limit=500"), None).await;
        assert_eq!((status, &answer["next"]), (200, &Value::Null), "{answer}");
        answer["records"].as_array().unwrap().clone()
    }

    /// The states of a license's records with usage.
    pub async fn states(&self, license: &str) -> Vec<String> {
        let records = self.records(license).await;
        let used = records.iter().filter(|record| record["quantity"] != "0");
        used.map(|record| record["state"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The answer to: may the tenant use the dimension?
    pub async fn decide(&self, tenant: &str, dimension: &str) -> Value {
        let (status, decision) =
            self.api(Method::GET, &format!("/v1/tenants/{tenant}/entitlements?dimension={dimension}"), None).await;
        assert_eq!(status, 200, "{decision}");
        decision
    }

    /// The types of the events told of a license so far, in the order of their sequence.
    pub async fn told(&self, license: &str) -> Vec<String> {
        let events = self.store(Stage::Staging).events_of_license(&license.parse().unwrap()).await.unwrap();
        let events: Vec<Value> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The sum of what the staging stack has counted in a metric; 0 if it never was.
    pub fn counted(&self, metric: Metric) -> u64 {
        let received = self.sandbox.metrics(Stage::Staging).unwrap();
        assert_eq!(received.unreadable, 0, "CloudWatch could not read all of it");
        received.sums.get(metric.name()).map_or(0, |sum| *sum as u64)
    }

    /// The newest value of a metric of the staging stack.
    pub fn measured(&self, metric: Metric) -> Option<u64> {
        let received = self.sandbox.metrics(Stage::Staging).unwrap();
        received.newest.get(metric.name()).map(|value| *value as u64)
    }

    /// A stage's table, read by the real client.
    pub fn store(&self, stage: Stage) -> Store {
        let table = self.sandbox.table(stage).unwrap();
        Store::new(self.sandbox.sdk_config(), table, self.sandbox.clock().clone())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that fails already says why.
        if !std::thread::panicking() {
            assert_eq!(log::leaked(), Vec::<String>::new(), "a secret or an address is in the log");
        }
    }
}

/// What a browser was answered: its cookie and its code belong into no log.
fn guarded(visit: Visit) -> Visit {
    let cookie = visit.cookie.as_deref().and_then(|cookie| cookie.split_once('='));
    cookie.into_iter().for_each(|(_, secret)| log::keep_secret(secret));
    handoff_code(&visit).iter().for_each(|code| log::keep_secret(code));
    visit
}

/// A license event as EventBridge sends it.
pub fn license_event(kind: &str, purchase: &Bought, arn: &str, id: &str, time: Timestamp) -> Value {
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

/// A notification of the subscription topic as SNS hands it to a queue.
pub fn notification(action: &str, purchase: &Bought, id: &str, time: Timestamp) -> Value {
    let message = json!({
        "action": action, "customer-identifier": purchase.customer, "product-code": purchase.product,
    });
    json!({
        "Type": "Notification", "MessageId": id, "Message": message.to_string(), "Timestamp": time.to_string(),
        "TopicArn": format!("arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{}", purchase.product),
    })
}

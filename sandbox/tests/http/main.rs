//! The sandbox over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test; clippy knows test functions, but not what they share"
)]

mod catalog_calls;
mod control_calls;
mod deployed_calls;
mod gateway_requests;
mod metered_usage;
mod program;
mod queue_deliveries;
mod refused_calls;
mod storefront_pages;
mod time_passing;

use clock::Clock;
use jiff::Timestamp;
use reqwest::{Client, Response, redirect};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

/// The time at which every test starts.
const START: &str = "2026-11-23T10:00:00Z";

/// A sandbox, and a client that calls it.
struct TestSandbox {
    sandbox: Sandbox,
    client: Client,
}

impl TestSandbox {
    /// Starts a sandbox whose clock stands still.
    async fn start() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let clock = Clock::fixed_at(START.parse().unwrap());
        let sandbox = Sandbox::start(Options { clock, ..options }).await.unwrap();
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { sandbox, client }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.url())
    }

    async fn get(&self, path: &str) -> Value {
        read(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        read(self.client.post(self.url(path)).json(&body).send().await.unwrap()).await
    }

    async fn patch(&self, path: &str, body: Value) -> Value {
        read(self.client.patch(self.url(path)).json(&body).send().await.unwrap()).await
    }

    /// Buys a product without registering.
    async fn buy(&self, product: &str) -> Value {
        self.post("/sandbox/purchases", json!({ "product": product, "register": false })).await
    }

    /// Returns the types of the events so far, in their order.
    async fn event_types(&self) -> Vec<String> {
        let events = self.get("/sandbox/events").await;
        events["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    fn now(&self) -> Timestamp {
        self.sandbox.clock().now()
    }
}

/// Returns the JSON of an answer that must be a success.
async fn read(response: Response) -> Value {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

//! Requests to the functions, as API Gateway passes them on, in processes that may die.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use entitlement::EntitlementApi;
use serde_json::{Value, json};

use crate::process_lifetime::{ProcessLifetime, RunEnd};
use crate::simulation::Simulation;
use crate::stack::{Process, Stack};

/// The time limit of the seller's API (`Globals: Function: Timeout`).
const TIME_LIMIT: Duration = Duration::from_secs(25);

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    method: &'static str,
    path: String,
    content_type: &'static str,
    body: String,
}

/// An answer: the status, and the body as far as it is JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: i64,
    /// The body, or `null` if it is not JSON.
    pub body: Value,
}

impl Call {
    /// Returns a GET request.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), content_type: "application/json", body: String::new() }
    }

    /// Returns a POST request.
    pub fn post(path: impl Into<String>, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { method: "POST", path: path.into(), content_type, body: body.into() }
    }

    /// Returns a PUT request with a JSON body.
    pub fn put(path: impl Into<String>, body: &Value) -> Self {
        Self { method: "PUT", path: path.into(), content_type: "application/json", body: body.to_string() }
    }

    /// Returns the API Gateway event of the request.
    pub fn event(&self) -> Option<ApiGatewayV2httpRequest> {
        let Self { method, path, content_type, body } = self;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let event = json!({
            "version": "2.0",
            "routeKey": format!("ANY {path}"),
            "rawPath": path,
            "rawQueryString": query,
            "headers": { "accept": "*/*", "content-type": content_type, "host": "api.example.com" },
            "requestContext": {
                "accountId": "444455556666",
                "apiId": "simulation",
                "domainName": "api.example.com",
                "http": {
                    "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "simulation",
                },
                "requestId": "simulation",
                "routeKey": format!("ANY {path}"),
                "stage": "$default",
                "time": "20/Aug/2026:12:00:00 +0000",
                "timeEpoch": 0,
            },
            "isBase64Encoded": false,
            "body": body,
        });
        serde_json::from_value(event).ok()
    }
}

impl Answer {
    /// Reads an answer.
    pub fn read(answer: &ApiGatewayV2httpResponse) -> Self {
        let body = match &answer.body {
            Some(Body::Text(text)) => serde_json::from_str(text).unwrap_or_default(),
            _ => Value::Null,
        };
        Self { status: answer.status_code, body }
    }

    /// Returns a string of the body, or an empty string if there is none at the pointer.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the elements of a list of the body.
    pub fn list(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        self.body.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
    }
}

impl Simulation {
    /// Runs a function in its process, which dies with the given chance within about the given number of steps. Returns
    /// `None` if the process died or exceeded the time limit.
    pub async fn run_in<F, W>(
        self: &Arc<Self>,
        process: &Process<F>,
        limit: Duration,
        (chance, steps): (f64, u32),
        work: impl FnOnce(Arc<F>) -> W,
    ) -> Option<W::Output>
    where
        W: Future,
    {
        let chance = if self.have_faults_ended() || self.scenario.is_last_chance(self.now()) { 0.0 } else { chance };
        let process_lifetime = self.draw(|rng| ProcessLifetime::drawn(rng, chance, steps));
        match process_lifetime.of(limit, work(process.function())).await {
            RunEnd::Answer(answer) => return Some(answer),
            RunEnd::Crash => {
                self.log(|| "the process died".to_owned());
                self.count("crashes", 1);
            }
            RunEnd::TimeLimit => {
                self.log(|| "the process took too long".to_owned());
                self.count("runs that took too long", 1);
            }
        }
        process.restart();
        None
    }

    /// Sends a request to the seller's API. Returns `None` if there is no answer or the status is 500 or higher.
    pub async fn ask(self: &Arc<Self>, stack: &Stack, call: &Call) -> Option<Answer> {
        let event = call.event()?;
        let process = self.draw(|rng| rng.choice(stack.entitlement.iter()))?;
        self.log(|| format!("{} {} {}", call.method, call.path, call.body));
        let fragile = (0.08, 40);
        let answer = self.run_in(process, TIME_LIMIT, fragile, async move |function: Arc<EntitlementApi>| {
            function.handle(event).await
        });
        let answer = Answer::read(&answer.await?);
        self.log(|| format!("is answered {} {}", answer.status, answer.body));
        (answer.status < 500).then_some(answer)
    }

    /// Sends a GET request to the seller's API without faults.
    pub async fn observe(&self, stack: &Stack, path: &str) -> Option<Answer> {
        let event = Call::get(path).event()?;
        Some(Answer::read(&stack.observer.handle(event).await)).filter(|answer| answer.status < 500)
    }
}

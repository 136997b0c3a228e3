//! The entry points of the functions: requests as API Gateway passes them on, and the answers with the calls that the
//! function made to AWS.

use std::future::Future;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clock::Clock;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::aws::Aws;
use crate::call::Call;
use crate::time::now;

/// The table's name.
pub(crate) const TABLE: &str = "fuzz";

thread_local! {
    /// A runtime with a paused clock, in which every wait ends immediately.
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
}

/// The answer to a request, with the calls that it caused.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: i64,
    pub(crate) http: ApiGatewayV2httpResponse,
    pub(crate) calls: Vec<Call>,
}

impl Answer {
    /// Returns the body.
    pub(crate) fn text(&self) -> &str {
        match &self.http.body {
            Some(Body::Text(text)) => text,
            _ => "",
        }
    }

    /// Returns the value of a header, or an empty string if the header is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.http.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// Returns `true` if the request changed something in AWS or sent a message.
    pub(crate) fn has_written(&self) -> bool {
        self.calls.iter().any(Call::is_write)
    }

    /// Returns the document of an API answer, and `null` for status 204.
    ///
    /// Panics unless the body matches its content type and forbids caching, and unless a refused request has written
    /// nothing.
    pub(crate) fn document(&self) -> Value {
        assert!((200..=503).contains(&self.status), "{}", self.status);
        if self.status == 204 {
            return Value::Null;
        }
        let document: Value = serde_json::from_str(self.text()).expect("JSON");
        assert_eq!(self.header("cache-control"), "no-store");
        if self.status >= 400 {
            assert_eq!(self.header("content-type"), "application/problem+json");
            assert_eq!(document["status"], self.status);
            assert!(["code", "title"].iter().all(|name| document[name].as_str().is_some_and(|text| !text.is_empty())));
            assert!(!self.has_written(), "refused with {document}, but written");
        } else {
            assert_eq!(self.header("content-type"), "application/json");
        }
        document
    }
}

/// Runs a future to completion.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Runs a function against a new stand-in for AWS. Returns its result, with the calls that it made.
pub(crate) fn invoke<T, F: Future<Output = T>>(function: impl FnOnce(SdkConfig, Clock) -> F) -> (T, Vec<Call>) {
    let aws = Aws::default();
    let clock = Clock::fixed_at(now());
    let config = aws.config();
    let answer = block_on(async { function(config, clock).await });
    (answer, aws.calls())
}

/// Runs the function on a request and returns the answer.
pub(crate) fn answer<F>(function: impl FnOnce(SdkConfig, Clock, ApiGatewayV2httpRequest) -> F, event: Value) -> Answer
where
    F: Future<Output = ApiGatewayV2httpResponse>,
{
    let event: ApiGatewayV2httpRequest = serde_json::from_value(event).expect("an event of API Gateway");
    let (http, calls) = invoke(|config, clock| function(config, clock, event));
    Answer { status: http.status_code, http, calls }
}

/// Returns a request event of an HTTP API. The body is in base64, as API Gateway passes on a body that may be binary.
pub(crate) fn event(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "http": { "method": method, "path": path },
            "stage": "$default",
            "timeEpoch": now().as_millisecond(),
            "authorizer": { "iam": { "userArn": "arn:aws:iam::111122223333:user/application" } },
        },
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
    })
}

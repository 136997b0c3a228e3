//! A minimal client of Lambda, which invokes a function. The call is one signed request, and the SDK's client of Lambda
//! would be the largest part of this command.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_config::SdkConfig;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::signed::{Answer, Call, Signed, encoded};
use crate::stack::REGION;

pub(crate) struct Lambda {
    url: String,
    signed: Signed,
}

/// The result of invoking a function.
pub(crate) enum Invoked {
    /// The function's response.
    Answered(Value),
    /// The function is throttled: it runs already, as often as its concurrency allows.
    Busy,
}

impl Lambda {
    /// Creates a client for the stack's region, or for the endpoint URL of the configuration.
    pub(crate) fn new(config: &SdkConfig) -> anyhow::Result<Self> {
        let url = match config.endpoint_url() {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://lambda.{REGION}.amazonaws.com"),
        };
        Ok(Self { url, signed: Signed::new(config)? })
    }

    /// Invokes a function, and waits for its response.
    pub(crate) async fn invoke(&self, function: &str, payload: &Value, limit: Duration) -> anyhow::Result<Invoked> {
        let answer = self.call(function, "RequestResponse", &payload.to_string(), limit).await?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(Invoked::Busy);
        }
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.headers.contains_key("x-amz-function-error") {
            let of = |member: &str| document.get(member).and_then(Value::as_str).unwrap_or_default();
            bail!("the function {function} failed: {} {}. See its log", of("errorType"), of("errorMessage"));
        }
        Ok(Invoked::Answered(document))
    }

    /// Checks that these credentials may invoke a function, without running it. The check also works while the function
    /// is throttled.
    pub(crate) async fn may_invoke(&self, function: &str) -> anyhow::Result<()> {
        self.call(function, "DryRun", "{}", Duration::from_secs(10)).await.map(|_| ())
    }

    async fn call(&self, function: &str, kind: &str, payload: &str, time_limit: Duration) -> anyhow::Result<Answer> {
        let url = format!("{}/2015-03-31/functions/{}/invocations", self.url, encoded(function));
        let headers = [("content-type", "application/json"), ("x-amz-invocation-type", kind)];
        let call =
            Call { service: "lambda", method: Method::POST, url: &url, headers: &headers, body: payload, time_limit };
        let answer = self.signed.call(&call).await.with_context(|| format!("Lambda does not answer for {function}"))?;
        match answer.status {
            status if status.is_success() || status == StatusCode::TOO_MANY_REQUESTS => Ok(answer),
            StatusCode::FORBIDDEN => {
                bail!("Lambda denies these credentials to invoke {function}: they need lambda:InvokeFunction on it")
            }
            status => {
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let message = body.get("Message").or_else(|| body.get("message")).and_then(Value::as_str);
                bail!("Lambda answers {status} for {function}: {}", message.unwrap_or_default())
            }
        }
    }
}

//! Lambda, as far as an operator needs it: a function that is run now. It is one signed call, and the whole of Lambda's
//! client would be the largest part of this command.

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

/// What came of running a function.
pub(crate) enum Invoked {
    /// What it answered.
    Answered(Value),
    /// It runs already, as often as it may at a time.
    Busy,
}

impl Lambda {
    /// In the stack's region, or where AWS is instead.
    pub(crate) fn new(config: &SdkConfig) -> anyhow::Result<Self> {
        let url = match config.endpoint_url() {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://lambda.{REGION}.amazonaws.com"),
        };
        Ok(Self { url, signed: Signed::new(config)? })
    }

    /// Runs a function, and waits for what it answers.
    pub(crate) async fn invoke(&self, function: &str, payload: &Value, limit: Duration) -> anyhow::Result<Invoked> {
        let answer = self.call(function, "RequestResponse", &payload.to_string(), limit).await?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(Invoked::Busy);
        }
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.headers.contains_key("x-amz-function-error") {
            let of = |member: &str| document.get(member).and_then(Value::as_str).unwrap_or_default();
            bail!("the function {function} failed: {} {}. Its log says why", of("errorType"), of("errorMessage"));
        }
        Ok(Invoked::Answered(document))
    }

    /// Whether a function may be run with these credentials; it is not run. Of one that is busy that is known as well.
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
                bail!("Lambda does not let these credentials run {function}: they need lambda:InvokeFunction on it")
            }
            status => {
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let message = body.get("Message").or_else(|| body.get("message")).and_then(Value::as_str);
                bail!("Lambda answers {status} for {function}: {}", message.unwrap_or_default())
            }
        }
    }
}

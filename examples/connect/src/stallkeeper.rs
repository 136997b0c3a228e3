//! Signed calls of Stallkeeper's API.

use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use aws_config::BehaviorVersion;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use http::response::Parts;
use http::{Method, Request};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

/// The address of the API, and the credentials of the calls.
#[derive(Clone)]
pub(crate) struct Stallkeeper {
    url: String,
    credentials: SharedCredentialsProvider,
    http: Client<HttpsConnector<HttpConnector>, String>,
    /// The most attempts of one call.
    pub(crate) attempts: u32,
    /// The time that one attempt may take.
    pub(crate) timeout: Duration,
}

/// The error of a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The call is refused.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// There is no answer at the moment.
    #[error("{0:#}")]
    Unavailable(anyhow::Error),
}

/// The problem with a call. The code is stable; the other texts are for operators.
#[derive(Debug, Default, Deserialize, thiserror::Error)]
#[error("{status} {code}{message} {detail} {action}")]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: String,
    message: String,
    detail: String,
    action: String,
}

impl Stallkeeper {
    /// Reads the environment. The credentials come from the default provider chain of the AWS SDKs.
    pub(crate) async fn connect() -> anyhow::Result<Self> {
        let url = std::env::var("STALLKEEPER_API_URL").context("STALLKEEPER_API_URL is not set")?;
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            credentials: config.credentials_provider().context("there are no credentials")?,
            http: Client::builder(TokioExecutor::new()).build(https),
            attempts: 4,
            timeout: Duration::from_secs(30),
        })
    }

    /// Returns the answer's JSON document.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, &[], &Value::Null).await
    }

    /// Returns the answer's JSON document. Sends the same call again until it is answered or the attempts are used up.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Value, Failure> {
        let mut failure = anyhow!("it was not tried");
        let mut wait = Duration::ZERO;
        for attempt in 0..self.attempts {
            if attempt > 0 {
                let longest = 0.5 * f64::from(2_u32.pow(attempt));
                tokio::time::sleep(wait.max(Duration::from_secs_f64(fastrand::f64() * longest))).await;
            }
            // Each attempt is signed: a signature is valid for five minutes.
            let request = self.signed(&method, path, headers, body).await.map_err(Failure::Unavailable)?;
            let (head, text) = match tokio::time::timeout(self.timeout, self.send(request)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => {
                    failure = error;
                    continue;
                }
                Err(_) => {
                    failure = anyhow!("there was no answer in time");
                    continue;
                }
            };
            if matches!(head.status.as_u16(), 429 | 500 | 502 | 503 | 504) {
                failure = anyhow!("status {}", head.status);
                let seconds = head.headers.get("retry-after").and_then(|seconds| seconds.to_str().ok()?.parse().ok());
                wait = Duration::from_secs(seconds.unwrap_or_default());
                continue;
            }
            if head.status.is_success() {
                let text = if text.is_empty() { "null" } else { &text };
                return serde_json::from_str(text).map_err(|error| Failure::Unavailable(error.into()));
            }
            let problem: Problem = serde_json::from_str(&text).unwrap_or_default();
            return Err(Problem { status: head.status.as_u16(), ..problem }.into());
        }
        Err(Failure::Unavailable(failure.context(format!("{method} {path}"))))
    }

    async fn signed(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Request<String>> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in [("content-type", "application/json")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body)?;
        let identity = self.credentials.provide_credentials().await?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("execute-api")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let to_sign = SignableRequest::new(
            method.as_str(),
            request.uri().to_string(),
            request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))),
            SignableBody::Bytes(request.body().as_bytes()),
        )?;
        let (signature, _) = sign(to_sign, &parameters)?.into_parts();
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    async fn send(&self, request: Request<String>) -> anyhow::Result<(Parts, String)> {
        let (head, body) = self.http.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok((head, String::from_utf8_lossy(&body).into_owned()))
    }
}

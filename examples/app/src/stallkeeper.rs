//! The client of Stallkeeper's API. It depends on nothing else here: copy this file and `stallkeeper/answers.rs`.
//!
//! Every call of the API can be repeated: reads change nothing, linking the same license to the same tenant changes
//! nothing, a code is redeemed under an `Idempotency-Key`, and usage has keys of its own. So this client repeats a call
//! whose answer was lost, unchanged, and a call that fails in the end is of two kinds only: see [`CallFailed`].

mod answers;

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use answers::{
    Contact, Decision, EventResult, Handoff, License, Permission, Record, RecordState, Tenant, UsageEvent,
};

/// The region in which Stallkeeper is deployed: AWS Marketplace's events reach no other region.
const REGION: &str = "us-east-1";

/// The most attempts of one call.
const ATTEMPTS: u32 = 3;

/// The wait before the second attempt; it is twice as long before the third.
const PAUSE: Duration = Duration::from_millis(100);

/// The time that one attempt may take. API Gateway gives up after 30 seconds.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The most events of one report.
pub const MOST_EVENTS: usize = 500;

/// The characters that are encoded in a path or query: all but the unreserved ones (RFC 3986).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The error of a call.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    /// Stallkeeper refused the call, and would refuse the same call again. Decide by [`Problem::code`].
    #[error("Stallkeeper refused: {0}")]
    Refused(Problem),
    /// The result of the call is unknown. The same call is safe, now or later.
    #[error("Stallkeeper does not answer: {0}")]
    NoAnswer(String),
}

impl CallFailed {
    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            Self::NoAnswer(_) => None,
        }
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Deserialize, thiserror::Error)]
#[error("{status} {code}: {title} {detail} {action}")]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The error code, whose meaning never changes.
    pub code: String,
    /// The same as a text for users.
    pub title: String,
    /// The details of this case.
    #[serde(default)]
    pub detail: String,
    /// The advised action.
    #[serde(default)]
    pub action: String,
}

/// The client. It keeps its connections, so create one and share it.
#[derive(Debug)]
pub struct Stallkeeper {
    api_url: String,
    credentials: SharedCredentialsProvider,
    http: Client<HttpsConnector<HttpConnector>, String>,
}

impl Stallkeeper {
    /// Creates a client of the stack at that address. It gets the credentials again for every call, so temporary ones,
    /// such as a role's, can be passed as they come from `aws_config`.
    pub fn new(api_url: &str, credentials: SharedCredentialsProvider) -> Self {
        let https = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let http = Client::builder(TokioExecutor::new()).build(https);
        Self { api_url: api_url.trim_end_matches('/').to_owned(), credentials, http }
    }

    /// Redeems the code that a buyer arrived with. Generate the key once per code and keep it: a lost answer is
    /// repeated for the same key alone.
    ///
    /// # Errors
    ///
    /// Fails with `handoff_gone` if the code is used, replaced, or older than 15 minutes.
    pub async fn redeem(&self, code: &str, key: &str) -> Result<Handoff, CallFailed> {
        let body = json!({ "code": code }).to_string();
        self.call(&Call { method: Method::POST, path: "/v1/handoffs".to_owned(), key: Some(key), body }).await
    }

    /// Links a license to a tenant.
    ///
    /// # Errors
    ///
    /// Fails with `license_linked_elsewhere` if the license is linked to another tenant, which keeps it.
    pub async fn link(&self, license: &str, tenant: &str) -> Result<License, CallFailed> {
        let path = format!("/v1/licenses/{}/tenant", encoded(license));
        self.call(&Call { method: Method::PUT, path, key: None, body: json!({ "tenant": tenant }).to_string() }).await
    }

    /// Returns a license.
    ///
    /// # Errors
    ///
    /// Fails with `license_unknown` if there is no such license.
    pub async fn license(&self, license: &str) -> Result<License, CallFailed> {
        self.get(format!("/v1/licenses/{}", encoded(license))).await
    }

    /// Returns a tenant: its licenses, and its permissions in the application. A tenant without a license is not an
    /// error.
    ///
    /// # Errors
    ///
    /// Fails only for reasons that are common to all calls.
    pub async fn tenant(&self, tenant: &str) -> Result<Tenant, CallFailed> {
        self.get(format!("/v1/tenants/{}", encoded(tenant))).await
    }

    /// Decides whether the tenant may use that dimension, `quantity` of it in total; with `None`, whether it may use
    /// any.
    ///
    /// # Errors
    ///
    /// Fails only for reasons that are common to all calls: a denial is not an error.
    pub async fn decide(&self, tenant: &str, dimension: &str, quantity: Option<u64>) -> Result<Decision, CallFailed> {
        let quantity = quantity.map(|quantity| format!("&quantity={quantity}")).unwrap_or_default();
        let (tenant, dimension) = (encoded(tenant), encoded(dimension));
        self.get(format!("/v1/tenants/{tenant}/entitlements?dimension={dimension}{quantity}")).await
    }

    /// Returns the decisions about every dimension of the tenant.
    ///
    /// # Errors
    ///
    /// Fails only for reasons that are common to all calls.
    pub async fn decisions(&self, tenant: &str) -> Result<Vec<Decision>, CallFailed> {
        #[derive(Deserialize)]
        struct All {
            decisions: Vec<Decision>,
        }
        let all: All = self.get(format!("/v1/tenants/{}/entitlements", encoded(tenant))).await?;
        Ok(all.decisions)
    }

    /// Returns a license's hourly records since a moment such as `2026-11-01T00:00:00Z`, newest first.
    ///
    /// # Errors
    ///
    /// Fails with `license_unknown` if there is no such license.
    pub async fn records(&self, license: &str, since: &str) -> Result<Vec<Record>, CallFailed> {
        #[derive(Deserialize)]
        struct Page {
            records: Vec<Record>,
            next: Option<String>,
        }
        let first = format!("/v1/licenses/{}/usage?from={}&limit=500", encoded(license), encoded(since));
        let mut path = first.clone();
        let mut records = Vec::new();
        loop {
            let page: Page = self.get(path).await?;
            records.extend(page.records);
            match page.next {
                Some(next) => path = format!("{first}&cursor={}", encoded(&next)),
                None => return Ok(records),
            }
        }
    }

    /// Reports usage, at most [`MOST_EVENTS`] events, in one attempt: the caller keeps the events until they are
    /// answered, and must know of every report without an answer. Returns the result of each event, in their order.
    ///
    /// # Errors
    ///
    /// Fails only if none of the events was accepted, or the result is unknown.
    pub async fn report(&self, events: &[UsageEvent]) -> Result<Vec<EventResult>, CallFailed> {
        #[derive(Deserialize)]
        struct Results {
            results: Vec<EventResult>,
        }
        let body = json!({ "events": events }).to_string();
        let call = Call { method: Method::POST, path: "/v1/usage".to_owned(), key: None, body };
        let Results { results } = self.attempt(&call).await?;
        if results.len() == events.len() {
            Ok(results)
        } else {
            Err(CallFailed::NoAnswer("it did not answer for every event".to_owned()))
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, CallFailed> {
        self.call(&Call { method: Method::GET, path, key: None, body: String::new() }).await
    }

    /// Makes a call, and repeats it unchanged until it is answered or the attempts are used up.
    async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, CallFailed> {
        let mut attempt = 1;
        loop {
            match self.attempt(call).await {
                Err(CallFailed::NoAnswer(why)) if attempt < ATTEMPTS => {
                    tracing::info!(attempt, why, "a call of Stallkeeper is made again");
                    tokio::time::sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                answered => return answered,
            }
        }
    }

    async fn attempt<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, CallFailed> {
        let request = self.signed(call).await.map_err(no_answer)?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(no_answer)?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(no_answer)?.to_bytes();
            Ok((status, body))
        };
        let in_time = tokio::time::timeout(TIME_LIMIT, exchange);
        let (status, body) = in_time.await.map_err(no_answer)??;
        if status.is_success() {
            serde_json::from_slice(&body).map_err(no_answer)
        } else if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Err(CallFailed::NoAnswer(status.to_string()))
        } else {
            Err(CallFailed::Refused(read_problem(status, &body)))
        }
    }

    /// Returns the request of a call, signed with SigV4 as API Gateway requires.
    async fn signed(&self, call: &Call<'_>) -> Result<Request<String>, Box<dyn std::error::Error + Send + Sync>> {
        let identity = self.credentials.provide_credentials().await?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("execute-api")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let uri = format!("{}{}", self.api_url, call.path);
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(call.key.map(|key| ("idempotency-key", key)));
        let body = SignableBody::Bytes(call.body.as_bytes());
        let signable = SignableRequest::new(call.method.as_str(), &uri, headers.iter().copied(), body)?;
        let (signature, _) = sign(signable, &parameters)?.into_parts();
        let mut request = Request::builder().method(&call.method).uri(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(call.body.clone())?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// A call. It has no `Debug`, because the body may hold a code.
struct Call<'a> {
    method: Method,
    /// The path, with the query.
    path: String,
    /// The `Idempotency-Key`.
    key: Option<&'a str>,
    body: String,
}

fn encoded(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ENCODED)
}

fn no_answer(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallFailed {
    let error = error.into();
    let causes = std::iter::successors(Some(error.as_ref() as &dyn std::error::Error), |error| error.source());
    CallFailed::NoAnswer(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// Reads a problem document. API Gateway itself answers `{"message": …}`, for example if the caller's role may not make
/// the call.
fn read_problem(status: StatusCode, body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|_| Problem {
        status: status.as_u16(),
        code: "not_a_problem_document".to_owned(),
        title: String::from_utf8_lossy(body).chars().take(200).collect(),
        detail: String::new(),
        action: "See whether the caller may call the API (execute-api:Invoke), and whether its address is right."
            .to_owned(),
    })
}

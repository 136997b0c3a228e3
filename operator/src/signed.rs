//! HTTPS requests signed with the operator's credentials (SigV4): to the stack's API, and to Lambda.

use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use domain::errors::chain;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::failure::{Failure, SIGN_IN};
use crate::stack::REGION;

/// The characters that are percent-encoded in a path or a query: all but RFC 3986's unreserved ones.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The idle time of a connection after which TCP keepalive starts. A function may take up to 15 minutes, and a NAT on
/// the way forgets an idle connection earlier (AWS's own NAT gateways after 350 seconds).
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Percent-encodes a part of a path or a query.
pub(crate) fn encoded(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ENCODED)
}

/// A client that signs its requests.
pub(crate) struct Signed {
    credentials: SharedCredentialsProvider,
    http: Client<HttpsConnector<HttpConnector>, String>,
}

/// A call.
pub(crate) struct Call<'a> {
    /// The name of the service in the signature.
    pub(crate) service: &'static str,
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: &'a str,
    pub(crate) time_limit: Duration,
}

/// The answer, of any status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Returns the time in the answer's `Date` header.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        let date = self.headers.get(header::DATE)?.to_str().ok()?;
        Some(rfc2822::parse(date).ok()?.timestamp())
    }
}

impl Signed {
    /// Creates a client with the credentials of a configuration, which are resolved at every call.
    pub(crate) fn new(config: &SdkConfig) -> anyhow::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_keepalive(Some(KEEPALIVE));
        // Accepts HTTPS URLs as well: the connector around this one adds TLS.
        tcp.enforce_http(false);
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self {
            credentials: config.credentials_provider().context("there are no credentials")?,
            http: Client::builder(TokioExecutor::new()).build(https),
        })
    }

    /// Makes a call once.
    pub(crate) async fn call(&self, call: &Call<'_>) -> anyhow::Result<Answer> {
        let request = self.sign(call).await?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| anyhow!(chain(&error)))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| anyhow!(chain(&error)))?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_vec() })
        };
        let limit = call.time_limit;
        let answered = tokio::time::timeout(limit, exchange).await;
        answered.unwrap_or_else(|_| Err(anyhow!("no answer within {} seconds", limit.as_secs())))
    }

    /// Returns the credentials that sign the requests.
    pub(crate) async fn credentials(&self) -> anyhow::Result<Credentials> {
        let credentials = self.credentials.provide_credentials().await;
        credentials.map_err(|error| anyhow!("{}: {SIGN_IN}", Failure::of(&error)))
    }

    async fn sign(&self, call: &Call<'_>) -> anyhow::Result<Request<String>> {
        let identity = self.credentials().await?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(call.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let body = SignableBody::Bytes(call.body.as_bytes());
        let signable = SignableRequest::new(call.method.as_str(), call.url, call.headers.iter().copied(), body)?;
        let (signature, _) = sign(signable, &parameters)?.into_parts();
        let mut request = Request::builder().method(&call.method).uri(call.url);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(call.body.to_owned())?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Returns `true` if the kernel keeps the connection alive that is open to this port on this machine: one of its
    /// rows in /proc/net/tcp has the keepalive timer, 02, of an established connection, 01.
    fn is_kept_alive(port: u16) -> bool {
        let rows = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let to = format!("0100007F:{port:04X}");
        rows.lines().map(|row| row.split_whitespace().collect::<Vec<_>>()).any(|row| {
            row.get(2) == Some(&to.as_str())
                && row.get(3) == Some(&"01")
                && row.get(5).is_some_and(|timer| timer.starts_with("02:"))
        })
    }

    #[tokio::test]
    async fn a_connection_is_kept_alive_while_its_answer_takes_long() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let credentials = Credentials::new("any", "any", None, None, "test");
        let config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
        let signed = Signed::new(&config).unwrap();
        let url = format!("http://127.0.0.1:{port}/");
        let time_limit = Duration::from_secs(10);
        let call = Call { service: "lambda", method: Method::POST, url: &url, headers: &[], body: "{}", time_limit };
        let kept_alive = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            tokio::io::AsyncReadExt::read(&mut connection, &mut [0; 1024]).await.unwrap();
            // Until the sent data is acknowledged there is another timer.
            while !is_kept_alive(port) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = signed.call(&call) => panic!("it was not kept alive"),
            () = kept_alive => {}
        }
    }
}

//! AWS without a port: an HTTP client for SDKs that passes its requests to the services of this process.
//!
//! Everything behind the port also applies here: the protocols, the fault plan, the wire log. Only the sockets are
//! missing, and with them the time of the machine: under a paused Tokio clock, every wait ends immediately.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::body::to_bytes;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::server::{AwsRequest, Outcome, Services};
use crate::service::Call;

/// An HTTP client that reaches the services of this process; see the module. Clones lead to the same AWS.
#[derive(Clone)]
pub struct InProcess {
    services: Arc<Services>,
    has_faults: bool,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl InProcess {
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { services, has_faults: true }
    }

    /// Returns a client that bypasses the fault plan and the wire log, for the reads of a test itself.
    pub fn without_faults(self) -> Self {
        Self { has_faults: false, ..self }
    }

    /// Sends a request and returns its answer. Dropping the future cancels a request that has not been performed yet.
    /// To have the request performed in any case, as AWS does, call this in a task of its own.
    ///
    /// # Errors
    ///
    /// Fails when the request's body is a stream or its service is not served here, and when a planned fault drops the
    /// connection.
    pub async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let headers = headers(&request);
        let body = request.body().bytes().ok_or_else(|| lost("a body that streams does not get here"))?.to_vec();
        let call = Call::read(request.method(), request.uri(), &headers, &body)
            .ok_or_else(|| lost("AWS has no such service here"))?;
        let aws_request = AwsRequest::new(call, headers, body);
        let outcome = match self.has_faults {
            true => self.services.answer(aws_request).await,
            false => self.services.answer_without_faults(aws_request).await,
        };
        match outcome {
            Outcome::Answer(response) => answered(response).await,
            Outcome::Lost => Err(lost("the connection was closed without an answer")),
        }
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let here = self.clone();
        HttpConnectorFuture::new(async move {
            // A separate task: as in AWS, a sent request is performed even if the caller disconnects.
            let answering = tokio::spawn(async move { here.ask(request).await });
            answering.await.unwrap_or_else(|_| Err(lost("the call was not answered")))
        })
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn headers(request: &HttpRequest) -> HeaderMap {
    let read =
        |(name, value): (&str, &str)| Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?));
    request.headers().iter().filter_map(read).collect()
}

async fn answered(response: Response) -> Result<HttpResponse, ConnectorError> {
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|error| ConnectorError::io(error.into()))?;
    let status = head.status.as_u16().try_into().map_err(|_| lost("the answer has no status"))?;
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &head.headers {
        if let Ok(value) = value.to_str() {
            answer.headers_mut().insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(answer)
}

fn lost(how: &'static str) -> ConnectorError {
    ConnectorError::io(how.into())
}

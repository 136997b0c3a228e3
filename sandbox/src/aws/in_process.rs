//! The way to AWS without a port: an SDK's HTTP client that hands its requests to the services of this process.
//!
//! Everything that stands behind the port stands behind this too: the protocols, the plan of faults, the wire log.
//! What is saved is the sockets, and with them the machine's own time: under a paused clock of Tokio's everything
//! that is waited for passes at once.

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

use super::server::{AwsRequest, Outcome, Services};
use super::service::Call;

/// See the module. Clones lead to the same AWS.
#[derive(Clone)]
pub struct InProcess {
    services: Arc<Services>,
    meets_faults: bool,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl InProcess {
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { services, meets_faults: true }
    }

    /// The same way, past the plan of faults and the wire log: for reads of a test's own.
    pub fn past_faults(self) -> Self {
        Self { meets_faults: false, ..self }
    }

    /// Has a request answered. Dropping the future takes the request back, if it was not done yet; who wants it done
    /// all the same, as at AWS, gives it a task of its own.
    ///
    /// # Errors
    ///
    /// When the connection is lost, by a planned fault.
    pub async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let headers = headers(&request);
        let body = request.body().bytes().ok_or_else(|| lost("a body that streams does not get here"))?.to_vec();
        let call = Call::read(request.method(), request.uri(), &headers, &body)
            .ok_or_else(|| lost("AWS has no such service here"))?;
        let asked = AwsRequest::new(call, headers, body);
        let outcome = match self.meets_faults {
            true => self.services.answer(asked).await,
            false => self.services.answer_plainly(asked).await,
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
            // A task of its own: as at AWS, what a caller has sent is done even if the caller hangs up.
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

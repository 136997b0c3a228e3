//! A port for every service: reads the service and the operation of a request, applies the fault plan, and answers.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::caller;
use crate::catalog::Catalog;
use crate::connection::{CuttableListener, Switch};
use crate::dynamodb::{self, DynamoDb};
use crate::error::ServiceError;
use crate::faults::{Fault, FaultKind, Faults};
use crate::host::{HostCall, HostReply, HostService};
use crate::marketplace::Marketplace;
use crate::operations;
use crate::outbox::Outbox;
use crate::protocol::{Document, Malformed, Protocol, Record};
use crate::recording::Recording;
use crate::region::Region;
use crate::service::{Call, Service};
use crate::wire_log::WireLog;

/// The largest request body that is read, in bytes: the limit of DynamoDB.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// Everything that answers calls.
#[derive(Debug)]
pub(crate) struct Services {
    pub marketplace: Marketplace,
    pub catalog: Catalog,
    pub dynamodb: DynamoDb,
    pub outbox: Arc<Outbox>,
    pub host: Option<HostService>,
    pub faults: Faults,
    pub wire: WireLog,
    pub recording: Option<Recording>,
    /// The number of function crashes that planned faults have caused.
    pub crashes: watch::Sender<u64>,
    pub stop: watch::Receiver<()>,
}

/// Serves until the sender of `services.stop` is dropped.
pub(crate) async fn serve(listener: TcpListener, services: Arc<Services>) {
    let mut stop = services.stop.clone();
    let router = Router::new().fallback(answer).with_state(services);
    let stopped = async move {
        let _ = stop.changed().await;
    };
    let served = axum::serve(CuttableListener(listener), router.into_make_service_with_connect_info::<Switch>())
        .with_graceful_shutdown(stopped)
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the AWS endpoint has stopped");
    }
}

/// A request that names a service that the local AWS serves.
pub(crate) struct AwsRequest {
    call: Call,
    headers: HeaderMap,
    body: Vec<u8>,
    document: OnceLock<Result<Document, Malformed>>,
}

impl AwsRequest {
    pub(crate) fn new(call: Call, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { call, headers, body, document: OnceLock::new() }
    }

    /// Returns the decoded body together with the query. It is decoded on first use: the embedded DynamoDB decodes its
    /// requests itself.
    fn document(&self) -> Result<&Document, &Malformed> {
        let read = || {
            let mut document = self.call.protocol.decode(&self.body)?;
            if let Document::Map(members) = &mut document {
                members.extend(self.call.query.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
            }
            Ok(document)
        };
        self.document.get_or_init(read).as_ref()
    }
}

/// The result of a call.
pub(crate) enum Outcome {
    Answer(Response),
    /// The connection closes without an answer.
    Lost,
}

async fn answer(
    State(services): State<Arc<Services>>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let Some(call) = Call::read(head.method.as_str(), target, &head.headers, &body) else {
        return not_served(&services, &head.headers);
    };
    // A separate task: as in AWS, a sent request is performed even if the caller disconnects.
    let answering =
        tokio::spawn(async move { services.answer(AwsRequest::new(call, head.headers, body.to_vec())).await });
    match answering.await {
        Ok(Outcome::Answer(response)) => response,
        Ok(Outcome::Lost) => {
            switch.cut();
            Response::default()
        }
        Err(error) => {
            tracing::error!(%error, "a call was not answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Answers a request for a service that the local AWS does not serve, in the protocol that the request seems to use.
fn not_served(services: &Services, headers: &HeaderMap) -> Response {
    let protocol = if headers.contains_key("smithy-protocol") { Protocol::Cbor } else { Protocol::Json11 };
    let mut error = ServiceError::unknown_operation();
    error.status = 404;
    error.message =
        "The local AWS serves DynamoDB, AWS Marketplace Metering, Entitlement, Agreement and Catalog, SNS, SES and STS, \
         and where its host answers them some of CloudFormation, SQS, Lambda, EventBridge and its Scheduler, CloudWatch \
         and its Logs."
            .to_owned();
    failure(protocol, None, &error, &services.marketplace.request_id())
}

impl Services {
    /// Creates the services with an empty fault plan.
    pub(crate) fn new(
        marketplace: Marketplace,
        catalog: Catalog,
        dynamodb: DynamoDb,
        host: Option<HostService>,
        (wire, recording): (WireLog, Option<Recording>),
        stop: watch::Receiver<()>,
    ) -> Arc<Self> {
        let (faults, crashes) = (Faults::default(), watch::Sender::new(0));
        let outbox = Arc::default();
        Arc::new(Self { marketplace, catalog, dynamodb, outbox, host, faults, wire, recording, crashes, stop })
    }

    pub(crate) async fn answer(&self, aws_request: AwsRequest) -> Outcome {
        let began = Instant::now();
        let AwsRequest { call, .. } = &aws_request;
        let is_watched = self.wire.is_kept() || self.recording.is_some();
        let seen = is_watched.then(|| aws_request.document().map_or(serde_json::Value::Null, Document::to_json));
        if let (Some(recording), Some(seen)) = (&self.recording, &seen) {
            recording.note(&aws_request.headers, call, seen);
        }
        let number = seen
            .filter(|_| self.wire.is_kept())
            .map(|seen| self.wire.arrived(self.marketplace.now(), call.service, &call.operation, seen));

        // No call of DynamoDB is about a product.
        let known = if call.service == Service::DynamoDb { None } else { aws_request.document().ok() };
        let product =
            known.and_then(|request| operations::product(&self.marketplace, call.service, &call.operation, request));
        let outcome = match self.faults.apply(call.service, &call.operation, product.as_deref()) {
            None => Outcome::Answer(self.perform(&aws_request, 0).await),
            Some(fault) => self.fail(&fault, &aws_request).await,
        };
        if let (Outcome::Answer(response), Some(number)) = (&outcome, number) {
            self.wire.answered(number, response.status().as_u16());
        }
        let done = matches!(&outcome, Outcome::Answer(response) if response.status().is_success());
        self.wire.count(call.service, &call.operation, !done, began.elapsed());
        outcome
    }

    /// Answers a call without planned faults and without a log entry.
    pub(crate) async fn answer_without_faults(&self, aws_request: AwsRequest) -> Outcome {
        Outcome::Answer(self.perform(&aws_request, 0).await)
    }

    /// Performs the call so that it fails as planned.
    async fn fail(&self, fault: &Fault, aws_request: &AwsRequest) -> Outcome {
        let call = &aws_request.call;
        let error = match fault.kind {
            FaultKind::Before | FaultKind::Timeout => {
                self.hold(fault.hold()).await;
                return Outcome::Lost;
            }
            FaultKind::Hang => {
                let mut stop = self.stop.clone();
                let _ = stop.changed().await;
                return Outcome::Lost;
            }
            FaultKind::After => {
                self.perform(aws_request, 0).await;
                self.hold(fault.hold()).await;
                return Outcome::Lost;
            }
            FaultKind::CrashBefore | FaultKind::CrashAfter => {
                if fault.kind == FaultKind::CrashAfter {
                    self.perform(aws_request, 0).await;
                }
                self.crashes.send_modify(|crashes| *crashes += 1);
                return Outcome::Lost;
            }
            FaultKind::Unprocessed => {
                let unprocessed = fault.first_records();
                return Outcome::Answer(self.perform(aws_request, unprocessed).await);
            }
            FaultKind::Throttle => ServiceError::throttling(call.service),
            FaultKind::Error500 => ServiceError::internal(call.service),
            FaultKind::AccessDenied => ServiceError::access_denied(call.service, &call.operation),
            FaultKind::DisabledApi => ServiceError::disabled_api(),
            FaultKind::TransactionConflict => {
                dynamodb::transaction_conflict(&call.operation, aws_request.document().ok(), fault.first_records())
            }
        };
        let request_id = self.marketplace.request_id();
        Outcome::Answer(failure(call.protocol, Some(call.service), &error, &request_id))
    }

    /// Waits, but at most until the server stops.
    async fn hold(&self, time: std::time::Duration) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = stop.changed() => {}
        }
    }

    /// Performs the call itself. Its first `unprocessed` records or items come back unprocessed, if the operation has
    /// any.
    async fn perform(&self, aws_request: &AwsRequest, unprocessed: usize) -> Response {
        let AwsRequest { call, body, .. } = aws_request;
        if call.service.is_of_host(&call.operation) {
            return self.ask_host(aws_request).await;
        }
        if call.service == Service::DynamoDb {
            // A malformed request is forwarded too: DynamoDB has its own error messages for it.
            return self
                .dynamodb
                .answer(&call.operation, &aws_request.headers, body, unprocessed)
                .await
                .unwrap_or_else(|error| {
                    tracing::error!(%error, "the embedded DynamoDB did not answer");
                    let request_id = self.marketplace.request_id();
                    failure(call.protocol, Some(call.service), &ServiceError::internal(call.service), &request_id)
                });
        }
        let request_id = self.marketplace.request_id();
        let answer = if operations::is_too_large(call.service, &call.operation, body) {
            Err(ServiceError::too_large())
        } else {
            aws_request.document().map_err(|malformed| ServiceError::serialization(malformed.to_string())).and_then(
                |request| match call.service {
                    Service::Sns | Service::Ses => {
                        let (at, address) = (self.marketplace.now(), (call.service, call.operation.as_str()));
                        self.outbox.answer(address, request, at, &request_id)
                    }
                    Service::Catalog => operations::catalog::call(&self.catalog, &call.operation, request),
                    Service::Sts => {
                        caller::identity(&call.operation, &aws_request.headers, self.marketplace.seller().as_str())
                    }
                    _ => {
                        let region = Region::of_request(&aws_request.headers);
                        operations::call(
                            &self.marketplace,
                            (call.service, &call.operation),
                            request,
                            &region,
                            unprocessed,
                        )
                    }
                },
            )
        };
        match answer {
            Ok(document) => success(call, document, &request_id),
            Err(error) => failure(call.protocol, Some(call.service), &error, &request_id),
        }
    }

    /// Has the host answer a call.
    async fn ask_host(&self, aws_request: &AwsRequest) -> Response {
        let call = &aws_request.call;
        let request_id = self.marketplace.request_id();
        match self.host_reply(aws_request).await {
            Ok(HostReply::Answer(document)) => success(call, document, &request_id),
            Ok(HostReply::Empty) => StatusCode::NO_CONTENT.into_response(),
            Ok(HostReply::FunctionError(error)) => {
                let mut response = response(call.protocol, 200, &error, &request_id);
                response.headers_mut().insert("x-amz-function-error", http::HeaderValue::from_static("Unhandled"));
                response
            }
            Err(error) => failure(call.protocol, Some(call.service), &error, &request_id),
        }
    }

    async fn host_reply(&self, aws_request: &AwsRequest) -> Result<HostReply, ServiceError> {
        let call = &aws_request.call;
        let request = aws_request.document().map_err(|malformed| match call.service {
            Service::Lambda => {
                ServiceError::modelled("InvalidRequestContentException", 400, "The payload is not JSON.")
            }
            _ => ServiceError::serialization(malformed.to_string()),
        })?;
        let host = self.host.as_ref().filter(|_| call.service.operations().contains(&call.operation.as_str()));
        let host = host.ok_or_else(ServiceError::unknown_operation)?;
        let host_call = HostCall {
            service: call.service,
            operation: call.operation.clone(),
            function: call.function.clone(),
            headers: aws_request.headers.clone(),
            request: request.clone(),
            now: self.marketplace.now(),
        };
        host.clone().oneshot(host_call).await
    }
}

fn success(call: &Call, document: Document, request_id: &str) -> Response {
    let document = match call.protocol {
        Protocol::Query => Record::new().with(&format!("{}Response", call.operation), document).into(),
        _ => document,
    };
    response(call.protocol, 200, &document, request_id)
}

fn failure(protocol: Protocol, service: Option<Service>, error: &ServiceError, request_id: &str) -> Response {
    let document = match protocol {
        Protocol::Query => error.in_xml(request_id),
        _ => error.document(service, request_id),
    };
    let mut response = response(protocol, error.status, &document, request_id);
    if protocol != Protocol::Cbor
        && let Ok(shape) = error.shape_id(service).parse()
    {
        response.headers_mut().insert("x-amzn-errortype", shape);
    }
    if matches!(service, Some(Service::CloudWatch | Service::Sqs))
        && let Ok(query_error) = error.query_error().parse()
    {
        response.headers_mut().insert("x-amzn-query-error", query_error);
    }
    response
}

fn response(protocol: Protocol, status: u16, document: &Document, request_id: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(header::CONTENT_TYPE.as_str(), protocol.content_type()), ("x-amzn-requestid", request_id)];
    let mut response = (status, headers, Body::from(protocol.encode(document))).into_response();
    if protocol == Protocol::Cbor {
        response.headers_mut().insert("smithy-protocol", http::HeaderValue::from_static("rpc-v2-cbor"));
    }
    response
}

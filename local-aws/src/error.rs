//! The errors with which a service answers.

use crate::protocol::{Document, Record};
use crate::service::Service;

/// An error that a service answers with.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceError {
    /// The shape's name, without its namespace.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The message, for a human reader.
    pub message: String,
    /// `true` if the service's own model has the shape; `false` for an error that every AWS service has.
    pub modelled: bool,
    /// The shape's other members.
    pub members: Record,
}

impl ServiceError {
    /// Creates an error of the service's own model.
    pub fn modelled(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into(), modelled: true, members: Record::new() }
    }

    /// Creates an error that any service may answer with.
    fn common(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { modelled: false, ..Self::modelled(code, status, message) }
    }

    /// Returns the error for a body that is not valid in the protocol, or a member of the wrong type.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::common("SerializationException", 400, message)
    }

    /// Returns the common error for invalid input, for a service whose model has none.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::common("ValidationException", 400, message)
    }

    /// Returns the error for a body that is larger than the operation accepts.
    pub(crate) fn too_large() -> Self {
        Self::common("RequestEntityTooLargeException", 413, "The request must be less than 1 MB in size.")
    }

    /// Returns the error for an operation that the local AWS does not serve.
    pub fn unknown_operation() -> Self {
        Self::common("UnknownOperationException", 400, "The local AWS does not serve this operation.")
    }

    /// Returns the service's error for a caller that exceeds the request rate.
    pub(crate) fn throttling(service: Service) -> Self {
        let message = "Rate exceeded";
        match service {
            Service::DynamoDb => Self::modelled(
                "ProvisionedThroughputExceededException",
                400,
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            Service::Metering | Service::Entitlement => Self::modelled("ThrottlingException", 400, message),
            Service::Agreement => Self::modelled("ThrottlingException", 429, message),
            Service::Catalog => Self::modelled("ThrottlingException", 429, message),
            Service::Sns => Self::modelled("Throttled", 429, message),
            Service::Ses | Service::Lambda => Self::modelled("TooManyRequestsException", 429, message),
            Service::CloudFormation | Service::Sts | Service::CloudWatch => Self::common("Throttling", 400, message),
            Service::Sqs | Service::EventBridge | Service::Logs => Self::common("ThrottlingException", 400, message),
            Service::Scheduler => Self::modelled("ThrottlingException", 429, message),
        }
    }

    /// Returns the service's internal error.
    pub fn internal(service: Service) -> Self {
        let message = "An internal error occurred.";
        match service {
            Service::DynamoDb => Self::modelled("InternalServerError", 500, message),
            Service::Metering | Service::Entitlement => Self::modelled("InternalServiceErrorException", 500, message),
            Service::Agreement => Self::modelled("InternalServerException", 500, message),
            Service::Catalog => Self::modelled("InternalServiceException", 500, message),
            Service::Sns => Self::modelled("InternalError", 500, message),
            Service::Ses => Self::modelled("InternalServiceErrorException", 500, message),
            Service::CloudFormation | Service::Sts | Service::Sqs => Self::common("InternalFailure", 500, message),
            Service::Lambda => Self::modelled("ServiceException", 500, message),
            Service::EventBridge => Self::modelled("InternalException", 500, message),
            Service::CloudWatch => Self::modelled("InternalServiceFault", 500, message),
            Service::Logs => Self::modelled("ServiceUnavailableException", 500, message),
            Service::Scheduler => Self::modelled("InternalServerException", 500, message),
        }
    }

    /// Returns the service's error for a caller without authorization.
    pub fn access_denied(service: Service, operation: &str) -> Self {
        let message = format!("User: the caller is not authorized to perform: {operation}");
        match service {
            Service::DynamoDb
            | Service::Metering
            | Service::Entitlement
            | Service::Sqs
            | Service::EventBridge
            | Service::Logs => Self::common("AccessDeniedException", 400, message),
            Service::Catalog => Self::modelled("AccessDeniedException", 403, message),
            Service::CloudFormation | Service::Sts | Service::CloudWatch => Self::common("AccessDenied", 403, message),
            Service::Sns => Self::modelled("AuthorizationError", 403, message),
            Service::Ses | Service::Lambda | Service::Scheduler => Self::common("AccessDeniedException", 403, message),
            Service::Agreement => {
                let mut error = Self::modelled("AccessDeniedException", 403, message);
                error.members = error.members.with("reason", "INVALID_ACCESS");
                error
            }
        }
    }

    /// Returns the error for a region in which the Metering Service is not available.
    pub(crate) fn disabled_api() -> Self {
        Self::modelled("DisabledApiException", 400, "The API is disabled in the Region.")
    }

    /// Returns the full id of the shape, in the form that the wire carries.
    pub(crate) fn shape_id(&self, service: Option<Service>) -> String {
        let namespace = match service {
            Some(service) if self.modelled => service.namespace(),
            Some(_) | None => "com.amazon.coral.service",
        };
        format!("{namespace}#{}", self.code)
    }

    /// Returns the side that is at fault, in the term of awsQuery: `Sender` or `Receiver`.
    fn kind(&self) -> &'static str {
        if self.status < 500 { "Sender" } else { "Receiver" }
    }

    /// Returns the value of the header `x-amzn-query-error`, which a service that used awsQuery before sends: the code
    /// that the error had there.
    pub(crate) fn query_error(&self) -> String {
        let code = match self.code {
            "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue", // SQS's model, awsQueryError
            code => code,
        };
        format!("{code};{}", self.kind())
    }

    /// Returns the body of the answer in awsQuery.
    pub(crate) fn in_xml(&self, request_id: &str) -> Document {
        let error =
            Record::new().with("Type", self.kind()).with("Code", self.code).with("Message", self.message.as_str());
        let body = Record::new().with("Error", Document::from(error)).with("RequestId", request_id);
        Record::new().with("ErrorResponse", Document::from(body)).into()
    }

    /// Returns the body of the answer.
    pub(crate) fn document(&self, service: Option<Service>, request_id: &str) -> Document {
        // DynamoDB's model spells the member `Message` in this one shape; the Catalog API's and the Scheduler's do in
        // all shapes.
        let is_large = self.code == "TransactionCanceledException"
            || matches!(service, Some(Service::Catalog | Service::Scheduler));
        let message = if is_large { "Message" } else { "message" };
        let mut body = self.members.clone().with("__type", self.shape_id(service)).with(message, self.message.as_str());
        if service == Some(Service::Agreement) && self.modelled {
            body = body.with("requestId", request_id);
        }
        body.into()
    }
}

//! The services that are served, and the identification of the service in a request.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::control_error::ControlError;
use crate::protocol::Protocol;

/// A service of AWS that the local AWS serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// DynamoDB with its streams.
    DynamoDb,
    /// The AWS Marketplace Metering Service.
    Metering,
    /// The AWS Marketplace Entitlement Service.
    Entitlement,
    /// The AWS Marketplace Agreement Service.
    Agreement,
    /// The AWS Marketplace Catalog API.
    Catalog,
    /// The Simple Notification Service.
    Sns,
    /// The Simple Email Service, version 2.
    Ses,
    /// CloudFormation, as the host answers it.
    CloudFormation,
    /// The Security Token Service.
    Sts,
    /// The Simple Queue Service, as the host answers it.
    Sqs,
    /// Lambda, as the host answers it.
    Lambda,
    /// EventBridge, as the host answers it.
    EventBridge,
    /// EventBridge Scheduler, as the host answers it.
    Scheduler,
    /// CloudWatch, as the host answers it.
    CloudWatch,
    /// CloudWatch Logs, as the host answers it.
    Logs,
}

impl Service {
    /// All services.
    pub const ALL: [Self; 15] = [
        Self::DynamoDb,
        Self::Metering,
        Self::Entitlement,
        Self::Agreement,
        Self::Catalog,
        Self::Sns,
        Self::Ses,
        Self::CloudFormation,
        Self::Sts,
        Self::Sqs,
        Self::Lambda,
        Self::EventBridge,
        Self::Scheduler,
        Self::CloudWatch,
        Self::Logs,
    ];

    /// Returns the name that fault plans and the wire log use.
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Metering => "metering",
            Self::Entitlement => "entitlement",
            Self::Agreement => "agreement",
            Self::Catalog => "catalog",
            Self::Sns => "sns",
            Self::Ses => "ses",
            Self::CloudFormation => "cloudformation",
            Self::Sts => "sts",
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
            Self::EventBridge => "eventbridge",
            Self::Scheduler => "scheduler",
            Self::CloudWatch => "cloudwatch",
            Self::Logs => "logs",
        }
    }

    /// Returns the operations that the service answers.
    pub fn operations(self) -> &'static [&'static str] {
        match self {
            Self::DynamoDb => &[
                "BatchGetItem",
                "BatchWriteItem",
                "CreateTable",
                "DeleteItem",
                "DeleteTable",
                "DescribeContinuousBackups",
                "DescribeStream",
                "DescribeTable",
                "DescribeTimeToLive",
                "GetItem",
                "GetRecords",
                "GetShardIterator",
                "ListStreams",
                "ListTables",
                "PutItem",
                "Query",
                "Scan",
                "TransactGetItems",
                "TransactWriteItems",
                "UpdateContinuousBackups",
                "UpdateItem",
                "UpdateTable",
                "UpdateTimeToLive",
            ],
            Self::Metering => &["ResolveCustomer", "BatchMeterUsage"],
            Self::Entitlement => &["GetEntitlements"],
            Self::Agreement => {
                &["DescribeAgreement", "GetAgreementEntitlements", "GetAgreementTerms", "SearchAgreements"]
            }
            Self::Catalog => &[
                "CancelChangeSet",
                "DescribeChangeSet",
                "DescribeEntity",
                "ListChangeSets",
                "ListEntities",
                "StartChangeSet",
            ],
            Self::Sns => &["GetSubscriptionAttributes", "Publish"],
            Self::Ses => &["SendEmail"],
            Self::CloudFormation => &["DescribeStackResource", "DescribeStacks"],
            Self::Sts => &["GetCallerIdentity"],
            Self::Sqs => &[
                "ChangeMessageVisibilityBatch",
                "GetQueueAttributes",
                "ListMessageMoveTasks",
                "ReceiveMessage",
                "StartMessageMoveTask",
            ],
            Self::Lambda => &["Invoke"],
            Self::EventBridge => &["DescribeRule", "ListTargetsByRule"],
            Self::Scheduler => &["GetSchedule"],
            Self::CloudWatch => &["DescribeAlarms"],
            Self::Logs => &["DescribeLogGroups"],
        }
    }

    /// Returns `true` if the host answers the operation, and not the local AWS itself.
    pub(crate) fn is_of_host(self, operation: &str) -> bool {
        match self {
            Self::CloudFormation
            | Self::Sqs
            | Self::Lambda
            | Self::EventBridge
            | Self::Scheduler
            | Self::CloudWatch
            | Self::Logs => true,
            Self::DynamoDb => operation == "DescribeContinuousBackups",
            Self::Sns => operation == "GetSubscriptionAttributes",
            Self::Metering | Self::Entitlement | Self::Agreement | Self::Catalog | Self::Ses | Self::Sts => false,
        }
    }

    /// Returns the namespace of the shapes that the service's errors name.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::DynamoDb => "com.amazonaws.dynamodb.v20120810",
            Self::Metering => "com.amazonaws.marketplacemetering",
            Self::Entitlement => "com.amazonaws.marketplaceentitlementservice",
            Self::Agreement => "com.amazonaws.marketplaceagreement",
            Self::Catalog => "com.amazonaws.marketplacecatalog",
            Self::Sns => "com.amazonaws.sns",
            Self::Ses => "com.amazonaws.sesv2",
            Self::CloudFormation => "com.amazonaws.cloudformation",
            Self::Sts => "com.amazonaws.sts",
            Self::Sqs => "com.amazonaws.sqs",
            Self::Lambda => "com.amazonaws.lambda",
            Self::EventBridge => "com.amazonaws.eventbridge",
            Self::Scheduler => "com.amazonaws.scheduler",
            Self::CloudWatch => "com.amazonaws.cloudwatch",
            Self::Logs => "com.amazonaws.cloudwatchlogs",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Service {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        Self::ALL.into_iter().find(|service| service.name() == text).ok_or_else(|| ControlError::ServiceUnknown {
            given: text.chars().take(80).collect(),
            allowed: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// The service, the operation and the protocol of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub service: Service,
    /// The operation as the request names it; it need not exist.
    pub operation: String,
    pub protocol: Protocol,
    /// The parameters in the path and the query, in restJson1.
    pub query: Vec<(String, String)>,
    /// The function that the path names, for a call of Lambda.
    pub function: Option<String>,
}

impl Call {
    fn of(service: Service, operation: &str, protocol: Protocol) -> Self {
        Self { service, operation: operation.to_owned(), protocol, query: Vec::new(), function: None }
    }

    /// Reads the address of a call: the `X-Amz-Target` header of the awsJson protocols, the path of Smithy RPC v2 CBOR,
    /// method, path and query of restJson1, or the `Action` in the form of awsQuery, whose `Version` distinguishes the
    /// services. Returns `None` for a request that names no service of the local AWS.
    pub(crate) fn read(method: &str, target: &str, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if let Some(operation) = of_catalog(method, path) {
            let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            return Some(Self { query, ..Self::of(Service::Catalog, operation, Protocol::RestJson) });
        }
        if let Some((_, name)) = path.rsplit_once("/schedules/").filter(|_| method == "GET") {
            let name = percent_decode_str(name).decode_utf8().ok()?.into_owned();
            let label = ("Name".to_owned(), name);
            let query = form_urlencoded::parse(query.as_bytes()).into_owned().chain([label]).collect();
            return Some(Self { query, ..Self::of(Service::Scheduler, "GetSchedule", Protocol::RestJson) });
        }
        if method != "POST" {
            return None;
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(target) = header("x-amz-target") {
            let (prefix, operation) = target.rsplit_once('.')?;
            let (service, protocol) = match prefix {
                "DynamoDB_20120810" | "DynamoDBStreams_20120810" => (Service::DynamoDb, Protocol::Json10),
                "AWSMPMeteringService" => (Service::Metering, Protocol::Json11),
                "AWSMPEntitlementService" => (Service::Entitlement, Protocol::Json11),
                "AWSMPCommerceService_v20200301" => (Service::Agreement, Protocol::Json10),
                "AmazonSQS" => (Service::Sqs, Protocol::Json10),
                "Logs_20140328" => (Service::Logs, Protocol::Json11),
                "AWSEvents" => (Service::EventBridge, Protocol::Json11),
                _ => return None,
            };
            return Some(Self::of(service, operation, protocol));
        }
        if path.ends_with("/v2/email/outbound-emails") {
            return Some(Self::of(Service::Ses, "SendEmail", Protocol::RestJson));
        }
        if let Some((_, function)) = path.rsplit_once("/2015-03-31/functions/") {
            let function = percent_decode_str(function.strip_suffix("/invocations")?).decode_utf8().ok()?;
            let call = Self::of(Service::Lambda, "Invoke", Protocol::RestJson);
            return Some(Self { function: Some(function.into_owned()), ..call });
        }
        if header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            let of = |wanted| form_urlencoded::parse(body).find(|(name, _)| name == wanted).map(|(_, value)| value);
            let service = match of("Version").as_deref() {
                Some("2010-05-15") => Service::CloudFormation,
                Some("2011-06-15") => Service::Sts,
                _ => Service::Sns,
            };
            return Some(Self::of(service, &of("Action")?, Protocol::Query));
        }
        if header("smithy-protocol") != Some("rpc-v2-cbor") {
            return None;
        }
        // The protocol allows a prefix before `/service/`: an endpoint may have a path of its own.
        let (_, address) = path.rsplit_once("/service/")?;
        let (service, operation) = address.split_once("/operation/")?;
        let service = match service {
            "AWSMPEntitlementService" => Service::Entitlement,
            "AWSMPCommerceService_v20200301" => Service::Agreement,
            "GraniteServiceVersion20100801" => Service::CloudWatch,
            _ => return None,
        };
        Some(Self::of(service, operation, Protocol::Cbor))
    }
}

/// Returns the operation of the Catalog API with this method and path. As for other services, an endpoint may have a
/// path of its own before it.
fn of_catalog(method: &str, path: &str) -> Option<&'static str> {
    let (_, name) = path.rsplit_once('/')?;
    let operation = Service::Catalog.operations().iter().find(|operation| **operation == name)?;
    let its_method = match *operation {
        "DescribeChangeSet" | "DescribeEntity" => "GET",
        "CancelChangeSet" => "PATCH",
        _ => "POST",
    };
    (method == its_method).then_some(*operation)
}

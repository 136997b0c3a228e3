//! A record of the AWS actions that each function uses, in the terms of IAM, with which policies can be checked.
//!
//! A line names a function, an action and the resource of the action: `usage dynamodb:Query table/any/index/work`. Each
//! process has its own file in that folder, to which each AWS in it adds the actions that it sees for the first
//! time.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use aws_config::{AppName, SdkConfig};
use http::{HeaderMap, header};
use serde_json::Value;

use crate::service::{Call, Service};

/// Returns the same configuration, whose clients put the name of their function into each request.
pub fn named(config: &SdkConfig, function: &'static str) -> SdkConfig {
    let mut named = config.to_builder();
    named.set_app_name(AppName::new(function).ok());
    named.build()
}

/// Returns the name of the function that makes the request, if it has a [`named`] configuration.
fn function(headers: &HeaderMap) -> Option<&str> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    agent.split(' ').find_map(|part| part.strip_prefix("app/"))
}

/// The file to which the actions are written.
#[derive(Debug)]
pub(crate) struct Recording {
    file: File,
    written: Mutex<BTreeSet<String>>,
}

impl Recording {
    /// Opens the recording in a folder.
    ///
    /// # Errors
    ///
    /// Fails for a folder that cannot be written to: an action that is missing there would count as never used.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(format!("{}.txt", std::process::id()));
        let opened = fs::create_dir_all(folder).and_then(|()| File::options().create(true).append(true).open(&path));
        let file = opened.with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { file, written: Mutex::default() })
    }

    /// Writes the actions that a call needs, if a function made it and they were not written before.
    pub(crate) fn note(&self, headers: &HeaderMap, call: &Call, request: &Value) {
        let Some(function) = function(headers) else { return };
        for RequiredAction { action, on } in required_actions(call.service, &call.operation, request) {
            let line = format!("{function} {action} {on}\n");
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if !written.contains(&line) {
                // The whole line in one write: all AWSs of one process write to the same file.
                if let Err(error) = (&self.file).write_all(line.as_bytes()) {
                    tracing::error!(%error, "the recording of operations is not complete");
                }
                written.insert(line);
            }
        }
    }
}

/// An action that a policy must allow.
#[derive(Debug, PartialEq, Eq)]
struct RequiredAction {
    action: String,
    /// The end of the resource's ARN, or `*` where the action supports no resource.
    on: String,
}

/// Returns the actions that IAM checks for a call. IAM knows no transactions: each part of one is an action of its own
/// (DynamoDB developer guide, "Using IAM with DynamoDB transactions").
fn required_actions(service: Service, operation: &str, request: &Value) -> Vec<RequiredAction> {
    let of = |name: &str| request.get(name).and_then(Value::as_str);
    let one =
        |prefix: &str, on: &str| vec![RequiredAction { action: format!("{prefix}:{operation}"), on: on.to_owned() }];
    match service {
        Service::DynamoDb => in_table(operation, request),
        Service::Metering | Service::Entitlement | Service::Agreement => one("aws-marketplace", "*"),
        Service::Catalog => in_catalog(request).into_iter().flat_map(|on| one("aws-marketplace", &on)).collect(),
        // This action does not support a single subscription as its resource.
        Service::Sns if operation == "GetSubscriptionAttributes" => one("sns", "*"),
        // These are requested by the prefix of their names.
        Service::CloudWatch => one("cloudwatch", "alarm:*"),
        Service::Logs => one("logs", "log-group:*"),
        Service::Sns => one("sns", of("TopicArn").and_then(|arn| arn.rsplit(':').next()).unwrap_or_default()),
        // The identity depends on what is verified in SES: the address, or its domain.
        Service::Ses => one("ses", "identity"),
        Service::Sqs => one("sqs", of("QueueUrl").and_then(|url| url.rsplit('/').next()).unwrap_or("*")),
        Service::EventBridge => {
            one("events", &format!("rule/{}", of("Name").or_else(|| of("Rule")).unwrap_or_default()))
        }
        Service::Scheduler => one("scheduler", &format!("schedule/default/{}", of("Name").unwrap_or_default())),
        // Operators call these; no function does.
        Service::CloudFormation | Service::Sts | Service::Lambda => one(service.name(), "*"),
    }
}

/// Returns the ends of the ARNs of the entities and change sets that a call is about; a list call is about none
/// (Service Authorization Reference, AWS Marketplace Catalog).
fn in_catalog(request: &Value) -> Vec<String> {
    let end = |kind: &str, id: &str| {
        let id = id.split_once('@').map_or(id, |(id, _)| id);
        // A value that a caller makes up does not go into a line, and neither does an entity that does not exist yet.
        let is_id = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        format!("AWSMarketplace/{kind}/{}", if is_id && !id.is_empty() { id } else { "*" })
    };
    let of = |value: &Value, place: &str| value.pointer(place).and_then(Value::as_str).map(str::to_owned);
    if let Some(id) = of(request, "/changeSetId") {
        return vec![end("ChangeSet", &id)];
    }
    if let Some(id) = of(request, "/entityId") {
        return vec![end(if id.starts_with("offer-") { "Offer" } else { "SaaSProduct" }, &id)];
    }
    let Some(changes) = request.get("ChangeSet").and_then(Value::as_array) else { return vec!["*".to_owned()] };
    let of_change = |change: &Value| {
        let kind = if of(change, "/Entity/Type").is_some_and(|kind| kind.starts_with("Offer")) {
            "Offer"
        } else {
            "SaaSProduct"
        };
        end(kind, &of(change, "/Entity/Identifier").unwrap_or_default())
    };
    let entities: BTreeSet<String> = changes.iter().map(of_change).collect();
    entities.into_iter().collect()
}

fn in_table(operation: &str, request: &Value) -> Vec<RequiredAction> {
    let table_action = |action: &str, table: &str| RequiredAction {
        action: format!("dynamodb:{action}"),
        on: format!("table/{table}"),
    };
    let table_of = |part: &Value| part.get("TableName").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(items) = request.get("TransactItems").and_then(Value::as_array) {
        let parts = items.iter().filter_map(Value::as_object).flatten();
        return parts.map(|(part, what)| table_action(&format!("{part}Item"), &table_of(what))).collect();
    }
    if let Some(tables) = request.get("RequestItems").and_then(Value::as_object) {
        return tables.keys().map(|table| table_action(operation, table)).collect();
    }
    let mut required = table_action(operation, &table_of(request));
    if let Some(index) = request.get("IndexName").and_then(Value::as_str) {
        required.on.push_str("/index/");
        required.on.push_str(index);
    }
    vec![required]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(service: Service, operation: &str, request: &Value) -> Vec<String> {
        let required_actions = required_actions(service, operation, request).into_iter();
        required_actions.map(|RequiredAction { action, on }| format!("{action} {on}")).collect()
    }

    #[test]
    fn dynamodb_calls_require_actions_on_the_table_the_index_and_each_part_of_a_transaction() {
        let of = |operation, request| lines(Service::DynamoDb, operation, &request);
        assert_eq!(of("GetItem", json!({ "TableName": "t" })), ["dynamodb:GetItem table/t"]);
        let query = json!({ "TableName": "t", "IndexName": "work" });
        assert_eq!(of("Query", query), ["dynamodb:Query table/t/index/work"]);
        let batch = json!({ "RequestItems": { "t": [], "u": [] } });
        assert_eq!(of("BatchWriteItem", batch), ["dynamodb:BatchWriteItem table/t", "dynamodb:BatchWriteItem table/u"]);
        let transaction = json!({ "TransactItems": [
            { "Put": { "TableName": "t" } },
            { "ConditionCheck": { "TableName": "t" } },
            { "Update": { "TableName": "u" } },
            { "Delete": { "TableName": "t" } },
        ] });
        let parts = [
            "dynamodb:PutItem table/t",
            "dynamodb:ConditionCheckItem table/t",
            "dynamodb:UpdateItem table/u",
            "dynamodb:DeleteItem table/t",
        ];
        assert_eq!(of("TransactWriteItems", transaction), parts);
    }

    #[test]
    fn other_calls_require_actions_on_a_topic_an_identity_or_everything() {
        let topic = json!({ "TopicArn": "arn:aws:sns:us-east-1:444455556666:events" });
        assert_eq!(lines(Service::Sns, "Publish", &topic), ["sns:Publish events"]);
        assert_eq!(lines(Service::Ses, "SendEmail", &json!({})), ["ses:SendEmail identity"]);
        let metering = lines(Service::Metering, "BatchMeterUsage", &json!({}));
        assert_eq!(metering, ["aws-marketplace:BatchMeterUsage *"]);
        let subscription = json!({ "SubscriptionArn": "arn:aws:sns:us-east-1:287250355862:topic:1" });
        let asked = lines(Service::Sns, "GetSubscriptionAttributes", &subscription);
        assert_eq!(asked, ["sns:GetSubscriptionAttributes *"]);
    }

    #[test]
    fn the_auditors_calls_require_actions_on_a_rule_a_schedule_and_a_queue() {
        for (service, operation, request, asked) in [
            (Service::EventBridge, "DescribeRule", json!({ "Name": "news" }), "events:DescribeRule rule/news"),
            (Service::EventBridge, "ListTargetsByRule", json!({ "Rule": "r" }), "events:ListTargetsByRule rule/r"),
            (Service::Scheduler, "GetSchedule", json!({ "Name": "s" }), "scheduler:GetSchedule schedule/default/s"),
            (Service::Sqs, "GetQueueAttributes", json!({ "QueueUrl": "http://a/1/q" }), "sqs:GetQueueAttributes q"),
            (Service::CloudWatch, "DescribeAlarms", json!({}), "cloudwatch:DescribeAlarms alarm:*"),
            (Service::Logs, "DescribeLogGroups", json!({}), "logs:DescribeLogGroups log-group:*"),
        ] {
            assert_eq!(lines(service, operation, &request), [asked]);
        }
    }

    #[test]
    fn catalog_calls_require_actions_on_entities_and_change_sets() {
        let of = |operation, request| lines(Service::Catalog, operation, &request);
        let described = of("DescribeEntity", json!({ "catalog": "AWSMarketplace", "entityId": "prod-1@3" }));
        assert_eq!(described, ["aws-marketplace:DescribeEntity AWSMarketplace/SaaSProduct/prod-1"]);
        let followed = of("DescribeChangeSet", json!({ "changeSetId": "4x" }));
        assert_eq!(followed, ["aws-marketplace:DescribeChangeSet AWSMarketplace/ChangeSet/4x"]);
        let changes = json!({ "ChangeSet": [
            { "Entity": { "Type": "SaaSProduct@1.0", "Identifier": "prod-1" } },
            { "Entity": { "Type": "SaaSProduct@1.0", "Identifier": "prod-1" } },
            { "Entity": { "Type": "Offer@1.0", "Identifier": "$Create Offer.Entity.Identifier" } },
        ] });
        let started = [
            "aws-marketplace:StartChangeSet AWSMarketplace/Offer/*",
            "aws-marketplace:StartChangeSet AWSMarketplace/SaaSProduct/prod-1",
        ];
        assert_eq!(of("StartChangeSet", changes), started);
        let listed = of("ListEntities", json!({ "EntityType": "SaaSProduct" }));
        assert_eq!(listed, ["aws-marketplace:ListEntities *"]);
    }

    #[test]
    fn the_user_agent_names_the_function() {
        let by = |agent: &'static str| HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]);
        assert_eq!(function(&by("aws-sdk-rust/1.3.14 os/linux lang/rust/1.95.0 m/E app/usage")), Some("usage"));
        assert_eq!(function(&by("aws-sdk-rust/1.3.14 os/linux lang/rust/1.95.0")), None);
        assert_eq!(function(&HeaderMap::new()), None);
    }
}

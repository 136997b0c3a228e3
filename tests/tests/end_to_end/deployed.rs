//! The auditor's questions to AWS about a stack, asked with the AWS SDK: about the stack as the template deploys it,
//! with each switch turned, and with calls that AWS refuses or does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types::AlarmType;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::listing::Stage;
use local_aws::{Fault, Service};
use sandbox::wiring::{DeadLetters, DeployedNames, Schedule};
use serde_json::{Value, json};
use tests::TestEnvironment;

/// The observed value, or the code of the error, with a text of its own if there is no answer.
type CheckResult = Result<Value, String>;

const SUBSCRIPTION: &str = "aws-mp-subscription-notification-7demolegacy00000000000ab";

/// A stack as its auditor observes it.
struct Auditor {
    names: DeployedNames,
    table: String,
    config: SdkConfig,
}

impl Auditor {
    fn of(world: &TestEnvironment) -> Self {
        let names = world.sandbox.deployed_names(Stage::Staging).unwrap().clone();
        let table = world.sandbox.table(Stage::Staging).unwrap().to_owned();
        let config = world.sandbox.sdk_config().to_builder().retry_config(RetryConfig::disabled()).build();
        Self { names, table, config }
    }

    /// Returns all observations, by their name in the wiring.
    async fn observe(&self) -> BTreeMap<&'static str, CheckResult> {
        let names = &self.names;
        let mut schedules = Ok(json!({}));
        for (schedule, name) in &names.schedules {
            schedules = with(schedules, &json!(schedule), self.schedule(name).await);
        }
        let mut letters = Ok(json!({}));
        for (queue, url) in &names.dead_letters {
            letters = with(letters, &json!(queue), self.messages(url).await);
        }
        let mut subscriptions = Ok(json!({}));
        for (topic, arn) in &names.subscriptions {
            subscriptions = with(subscriptions, &json!(topic), self.subscription(arn).await);
        }
        BTreeMap::from([
            ("rule", self.rule(&names.marketplace_events_rule).await),
            ("schedules", schedules),
            ("alarms", self.alarms(&names.alarm_prefix).await),
            ("subscriptions", subscriptions),
            ("dead_letters", letters),
            ("point_in_time_recovery", self.recovery(&self.table).await),
            ("audit_log", self.log(&names.audit_log).await),
        ])
    }

    async fn rule(&self, name: &str) -> CheckResult {
        let client = aws_sdk_eventbridge::Client::new(&self.config);
        let rule = client.describe_rule().name(name).send().await.map_err(code)?;
        let targets = client.list_targets_by_rule().rule(name).send().await.map_err(code)?;
        let targets: Vec<&str> = targets.targets().iter().map(|target| target.arn()).collect();
        let pattern: Value = serde_json::from_str(rule.event_pattern().unwrap()).unwrap();
        Ok(json!({ "state": rule.state().unwrap().as_str(), "pattern": pattern, "targets": targets }))
    }

    async fn schedule(&self, name: &str) -> CheckResult {
        let client = aws_sdk_scheduler::Client::new(&self.config);
        let schedule = client.get_schedule().name(name).send().await.map_err(code)?;
        Ok(json!([schedule.state().unwrap().as_str(), schedule.schedule_expression().unwrap()]))
    }

    /// Returns the states of the alarms, read page by page.
    async fn alarms(&self, prefix: &str) -> CheckResult {
        let client = aws_sdk_cloudwatch::Client::new(&self.config);
        let request = client.describe_alarms().alarm_name_prefix(prefix).alarm_types(AlarmType::MetricAlarm);
        let mut pages = request.max_records(20).into_paginator().send();
        let (mut seen, mut count) = (Ok(json!({})), 0);
        while let Some(page) = pages.next().await {
            for alarm in page.map_err(code)?.metric_alarms() {
                let state = Ok(json!(alarm.state_value().unwrap().as_str()));
                seen = with(seen, &json!(alarm.alarm_name().unwrap().strip_prefix(prefix)), state);
            }
            count += 1;
        }
        assert!(count > 1, "there are more alarms than fit on a page");
        seen
    }

    async fn subscription(&self, arn: &str) -> CheckResult {
        let client = aws_sdk_sns::Client::new(&self.config);
        let answer = client.get_subscription_attributes().subscription_arn(arn).send().await.map_err(code)?;
        let attributes = answer.attributes().unwrap();
        Ok(json!({
            "pending": attributes["PendingConfirmation"], "topic": attributes["TopicArn"].rsplit(':').next(),
            "protocol": attributes["Protocol"], "endpoint": attributes["Endpoint"],
        }))
    }

    async fn messages(&self, url: &str) -> CheckResult {
        let client = aws_sdk_sqs::Client::new(&self.config);
        let wanted = QueueAttributeName::ApproximateNumberOfMessages;
        let request = client.get_queue_attributes().queue_url(url).attribute_names(wanted.clone());
        Ok(json!(request.send().await.map_err(code)?.attributes().unwrap()[&wanted]))
    }

    async fn recovery(&self, table: &str) -> CheckResult {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let answer = client.describe_continuous_backups().table_name(table).send().await.map_err(code)?;
        let description = answer.continuous_backups_description().unwrap();
        let recovery = description.point_in_time_recovery_description().unwrap();
        Ok(json!(recovery.point_in_time_recovery_status().unwrap().as_str()))
    }

    /// Returns the retention of the log group in days: `[[null]]` if it never deletes logs, and `[]` if there is no
    /// such group.
    async fn log(&self, name: &str) -> CheckResult {
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.config);
        let answer = client.describe_log_groups().log_group_name_prefix(name).send().await.map_err(code)?;
        Ok(answer.log_groups().iter().map(|group| json!([group.retention_in_days()])).collect())
    }
}

/// Returns the value with one more member, or the error of either.
fn with(seen: CheckResult, name: &Value, look: CheckResult) -> CheckResult {
    let (mut seen, look) = (seen?, look?);
    seen[name.as_str().unwrap()] = look;
    Ok(seen)
}

fn code<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> String {
    match &error {
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::ServiceError(service) => service.err().code().unwrap_or("no code").to_owned(),
        _ => "no answer".to_owned(),
    }
}

fn resources() -> serde_json::Map<String, Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
    let mut template: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    serde_json::from_value(template["Resources"].take()).unwrap()
}

#[tokio::test]
async fn the_sandboxs_deployment_matches_the_template() {
    let world = TestEnvironment::new().await;
    let seen = Auditor::of(&world).observe().await;
    let template = resources();
    let queue = "arn:aws:sqs:us-east-1:444455556666:stallkeeper-staging-marketplace-events";

    let pattern = &template["MarketplaceEventsRule"]["Properties"]["EventPattern"];
    assert_eq!(seen["rule"], Ok(json!({ "state": "ENABLED", "pattern": pattern, "targets": [queue] })));

    let mut expressions: BTreeMap<String, Value> = BTreeMap::new();
    for (name, of) in template.iter().filter(|(_, of)| of["Type"] == "AWS::Scheduler::Schedule") {
        let name = name.strip_suffix("Schedule").unwrap().to_lowercase();
        expressions.insert(name, json!(["ENABLED", of["Properties"]["ScheduleExpression"]]));
    }
    let schedules = seen["schedules"].clone().unwrap();
    assert!(expressions.contains_key("metering") && expressions.contains_key("reconcile"), "{expressions:?}");
    for (name, scheduled) in expressions {
        assert_eq!(schedules[&name], scheduled, "{name}");
    }

    let alarms = template.iter().filter(|(_, of)| of["Type"] == "AWS::CloudWatch::Alarm");
    let alarms: BTreeMap<&String, &str> = alarms.map(|(name, _)| (name, "OK")).collect();
    assert!(alarms.len() > 40, "{alarms:?}");
    assert_eq!(seen["alarms"], Ok(json!(alarms)));

    let subscription = json!({ "pending": "false", "topic": SUBSCRIPTION, "protocol": "sqs", "endpoint": queue });
    assert_eq!(seen["subscriptions"], Ok(json!({ SUBSCRIPTION: subscription })));
    assert_eq!(seen["dead_letters"], Ok(json!({ "marketplace_events": "0", "mail": "0", "run": "0" })));
    assert_eq!(seen["point_in_time_recovery"], Ok(json!("ENABLED")));
    assert_eq!(seen["audit_log"], Ok(json!([[template["AuditLog"]["Properties"]["RetentionInDays"]]])));
}

/// The effect of a switch: another value at a place of the observation, or an error.
type Broken = Result<(&'static str, Value), String>;

#[tokio::test]
async fn each_switch_breaks_one_part() {
    let world = TestEnvironment::new().await;
    let auditor = Auditor::of(&world);
    let whole = auditor.observe().await;
    let gone = Err("ResourceNotFoundException".to_owned());
    let cases: [(Value, &str, Broken); 16] = [
        (json!({ "rule": { "state": "DISABLED" } }), "rule", Ok(("/state", json!("DISABLED")))),
        (
            json!({ "rule": { "pattern": { "source": ["aws.ec2"] } } }),
            "rule",
            Ok(("/pattern/source", json!(["aws.ec2"]))),
        ),
        (json!({ "rule": { "has_target": false } }), "rule", Ok(("/targets", json!([])))),
        (json!({ "rule": null }), "rule", gone.clone()),
        (json!({ "schedules": { "metering": "DISABLED" } }), "schedules", Ok(("/metering/0", json!("DISABLED")))),
        (json!({ "schedules": { "reconcile": "DISABLED" } }), "schedules", Ok(("/reconcile/0", json!("DISABLED")))),
        (json!({ "schedules": { "readiness": null } }), "schedules", gone),
        (json!({ "alarms": { "PausedAlarm": "ALARM" } }), "alarms", Ok(("/PausedAlarm", json!("ALARM")))),
        (
            json!({ "alarms": { "PausedAlarm": "INSUFFICIENT_DATA" } }),
            "alarms",
            Ok(("/PausedAlarm", json!("INSUFFICIENT_DATA"))),
        ),
        (
            json!({ "subscriptions": { SUBSCRIPTION: "PENDING" } }),
            "subscriptions",
            Ok(("/aws-mp-subscription-notification-7demolegacy00000000000ab/pending", json!("true"))),
        ),
        (json!({ "subscriptions": { SUBSCRIPTION: null } }), "subscriptions", Err("NotFound".to_owned())),
        (json!({ "dead_letters": { "run": 3 } }), "dead_letters", Ok(("/run", json!("3")))),
        (json!({ "point_in_time_recovery": false }), "point_in_time_recovery", Ok(("", json!("DISABLED")))),
        (json!({ "audit_log": { "retention_days": 30 } }), "audit_log", Ok(("/0/0", json!(30)))),
        (json!({ "audit_log": { "retention_days": null } }), "audit_log", Ok(("/0/0", Value::Null))),
        (json!({ "audit_log": null }), "audit_log", Ok(("", json!([])))),
    ];
    for (patch, part, broken) in cases {
        let mut expected = whole.clone();
        let broken = broken.map(|(place, value)| {
            let mut seen = whole[part].clone().unwrap();
            *seen.pointer_mut(place).unwrap() = value;
            seen
        });
        assert_ne!(broken, whole[part], "{patch}");
        expected.insert(part, broken);
        world.sandbox.patch_wiring(Stage::Staging, patch.as_object().unwrap().clone()).unwrap();
        assert_eq!(auditor.observe().await, expected, "{patch}");
        world.sandbox.reset_wiring(Stage::Staging);
    }
    world.sandbox.patch_wiring(Stage::Staging, json!({ "alarms": null }).as_object().unwrap().clone()).unwrap();
    let alarms = aws_sdk_cloudwatch::Client::new(&auditor.config).describe_alarms().send().await.unwrap();
    assert!(alarms.metric_alarms().is_empty());
    world.sandbox.reset_wiring(Stage::Staging);
    assert_eq!(auditor.observe().await, whole);

    world.sandbox.set_schedule(false);
    assert_eq!(auditor.observe().await["schedules"].as_ref().unwrap()["metering"][0], "DISABLED");
}

/// Each service with the observation that its calls produce, and its error code for a refused call.
const ASKED: [(Service, &str, &str); 7] = [
    (Service::EventBridge, "rule", "AccessDeniedException"),
    (Service::Scheduler, "schedules", "AccessDeniedException"),
    (Service::CloudWatch, "alarms", "AccessDenied"),
    (Service::Logs, "audit_log", "AccessDeniedException"),
    (Service::Sns, "subscriptions", "AuthorizationError"),
    (Service::Sqs, "dead_letters", "AccessDeniedException"),
    (Service::DynamoDb, "point_in_time_recovery", "AccessDeniedException"),
];

fn always(service: Service, kind: &str) -> Fault {
    Fault::read(&json!({ "service": service.name(), "operation": "*", "times": u32::MAX, "kind": kind })).unwrap()
}

#[tokio::test]
async fn each_service_can_refuse_or_time_out() {
    let world = TestEnvironment::new().await;
    let mut auditor = Auditor::of(&world);
    let whole = auditor.observe().await;
    for (service, part, refusal) in ASKED {
        world.sandbox.aws().faults().add(always(service, "access_denied")).unwrap();
        let mut expected = whole.clone();
        expected.insert(part, Err(refusal.to_owned()));
        assert_eq!(auditor.observe().await, expected, "{service}");
        world.sandbox.aws().faults().clear();
    }
    let patience = TimeoutConfig::builder().operation_timeout(Duration::from_millis(50)).build();
    auditor.config = auditor.config.to_builder().timeout_config(patience).build();
    for (service, ..) in ASKED {
        world.sandbox.aws().faults().add(always(service, "hang")).unwrap();
    }
    for (part, look) in auditor.observe().await {
        assert_eq!(look, Err("no answer in time".to_owned()), "{part}");
    }
}

#[tokio::test]
async fn unknown_parts_are_not_found_and_unserved_requests_are_refused() {
    let world = TestEnvironment::new().await;
    let auditor = Auditor::of(&world);
    let (names, config) = (&auditor.names, &auditor.config);
    let gone = |code: &str| Err::<Value, _>(code.to_owned());
    assert_eq!(auditor.rule("none").await, gone("ResourceNotFoundException"));
    assert_eq!(auditor.rule("no rule").await, gone("ValidationException"));
    assert_eq!(auditor.schedule("none").await, gone("ResourceNotFoundException"));
    assert_eq!(auditor.schedule("no schedule").await, gone("ValidationException"));
    assert_eq!(auditor.subscription("arn:aws:sns:us-east-1:444455556666:events:none").await, gone("NotFound"));
    assert_eq!(auditor.subscription("none").await, gone("InvalidParameter"));
    assert_eq!(
        auditor.messages(&format!("{}-none", names.dead_letters[&DeadLetters::Run])).await,
        gone("AWS.SimpleQueueService.NonExistentQueue")
    );
    assert_eq!(auditor.recovery("none").await, gone("TableNotFoundException"));
    assert_eq!(auditor.log("none").await, Ok(json!([])));

    let events = aws_sdk_eventbridge::Client::new(config);
    let elsewhere = events.describe_rule().name(&names.marketplace_events_rule).event_bus_name("other").send().await;
    assert_eq!(elsewhere.map_err(code).unwrap_err(), "ResourceNotFoundException");
    let scheduler = aws_sdk_scheduler::Client::new(config);
    let schedule = scheduler.get_schedule().name(&names.schedules[&Schedule::Metering]);
    assert_eq!(schedule.group_name("other").send().await.map_err(code).unwrap_err(), "ResourceNotFoundException");

    let alarms = aws_sdk_cloudwatch::Client::new(config);
    let composite = alarms.describe_alarms().alarm_types(AlarmType::CompositeAlarm).send().await.unwrap();
    assert!(composite.metric_alarms().is_empty());
    let ringing = alarms.describe_alarms().state_value("ALARM".into()).send().await.unwrap();
    assert!(ringing.metric_alarms().is_empty());
    let unserved = alarms.describe_alarms().action_prefix("arn:").send().await;
    assert_eq!(unserved.map_err(code).unwrap_err(), "ValidationError");
    let strange = alarms.describe_alarms().next_token("strange").send().await.unwrap_err();
    assert!(strange.into_service_error().is_invalid_next_token());

    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    let named = logs.describe_log_groups().log_group_identifiers(&names.audit_log).send().await.unwrap();
    assert_eq!(named.log_groups()[0].log_group_name(), Some(names.audit_log.as_str()));
    let unserved = logs.describe_log_groups().log_group_name_pattern("audit").send().await.unwrap_err();
    assert!(unserved.into_service_error().is_invalid_parameter_exception());
}

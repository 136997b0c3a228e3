//! `stallkeeper doctor`

use serde_json::Value;

use crate::fixture::{World, typed};

/// The result of a check.
fn result<'a>(lines: &'a Value, check: &str) -> &'a Value {
    &lines.as_array().unwrap().iter().find(|line| line["check"] == check).unwrap()["result"]
}

#[tokio::test]
async fn a_complete_stack_passes_every_check() {
    let world = World::new().await;
    let said = world.run(&["doctor"]).await.text();
    for part in [
        "user/AKIAOPERATOR",
        "us-east-1",
        "stallkeeper-staging is CREATE_COMPLETE",
        "listings",
        "lambda:InvokeFunction",
        "aws-marketplace:DescribeEntity",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 11, "{said}");
    assert!(!said.contains("To fix"), "{said}");
    let lines = world.run(&["doctor", "--json"]).await.json();
    assert!(lines.as_array().unwrap().iter().all(|line| line["result"] == "ok"), "{lines}");
}

#[tokio::test]
async fn a_missing_stack_is_reported_with_the_remediation_and_the_rest_is_not_checked() {
    let world = World::new().await;
    let at = ["doctor", "--stage", "production", "--endpoint-url", world.sandbox.aws_url()];
    let said = typed(at.iter()).await;
    assert!(said.out.contains("there is no stack stallkeeper-production in us-east-1"), "{said:?}");
    assert!(said.out.contains("To fix stack: deploy it with `sam deploy --config-env production`"), "{said:?}");
    assert!(said.error().contains("1 of 11 checks has failed"));
    let said = typed(at.iter().chain(&["--json"])).await;
    let lines: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((result(&lines, "credentials"), result(&lines, "stack")), (&"ok".into(), &"not_ok".into()));
    assert_eq!(
        (result(&lines, "table"), result(&lines, "clock")),
        (&"could_not_check".into(), &"could_not_check".into())
    );
}

#[tokio::test]
async fn denied_permissions_are_listed() {
    let world = World::new().await;
    world.fault("sqs", "*", "access_denied", 10).await;
    world.fault("lambda", "*", "access_denied", 10).await;
    world.fault("catalog", "DescribeEntity", "access_denied", 10).await;
    let said = world.run(&["doctor", "--json"]).await;
    let lines: Value = serde_json::from_str(&said.out).unwrap();
    for (check, expected) in [
        ("stack", "ok"),
        ("table", "ok"),
        ("catalog", "not_ok"),
        ("API", "ok"),
        ("dead letters", "not_ok"),
        ("reconciliation", "not_ok"),
        ("permissions", "not_ok"),
    ] {
        assert_eq!(result(&lines, check), expected, "{check}: {lines}");
    }
    let permissions = lines.as_array().unwrap().iter().find(|line| line["check"] == "permissions").unwrap();
    assert_eq!(
        permissions["remediation"],
        "allow aws-marketplace:DescribeEntity, sqs:GetQueueAttributes, lambda:InvokeFunction"
    );
    assert!(said.error().contains("4 of 11 checks have failed"));
}

#[tokio::test]
async fn nothing_passes_if_aws_does_not_answer() {
    let said = typed(["doctor", "--stage", "staging", "--endpoint-url", "http://127.0.0.1:9", "--json"].iter()).await;
    let lines: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((result(&lines, "credentials"), result(&lines, "stack")), (&"not_ok".into(), &"could_not_check".into()));
    assert!(said.error().contains("1 of 11 checks has failed"));
}

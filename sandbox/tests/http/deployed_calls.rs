//! The deployed parts through the control API: broken, repaired, and restored as in the template.

use super::refused_calls::problem;
use super::*;

const STAGING: &str = "/sandbox/deployed/staging";

#[tokio::test]
async fn a_stack_can_be_broken_and_reset() {
    let sandbox = TestSandbox::start().await;
    let whole = sandbox.get(STAGING).await;
    assert_eq!(whole["rule"]["state"], "ENABLED");
    assert_eq!(whole["schedules"], json!({ "metering": "ENABLED", "reconcile": "ENABLED", "readiness": "ENABLED" }));
    assert_eq!(whole["audit_log"], json!({ "retention_days": 400 }));

    let patch = json!({
        "rule": { "state": "DISABLED" }, "schedules": { "metering": null }, "alarms": { "PausedAlarm": "ALARM" },
        "dead_letters": { "mail": 2 }, "point_in_time_recovery": false, "audit_log": { "retention_days": null },
    });
    let broken = sandbox.patch(STAGING, patch).await;
    assert_eq!((&broken["rule"]["state"], &broken["rule"]["pattern"]), (&json!("DISABLED"), &whole["rule"]["pattern"]));
    assert_eq!(broken["schedules"], json!({ "reconcile": "ENABLED", "readiness": "ENABLED" }));
    assert_eq!(broken["alarms"]["PausedAlarm"], "ALARM");
    assert_eq!(broken["dead_letters"], json!({ "marketplace_events": 0, "mail": 2, "run": 0 }));
    assert_eq!(broken["audit_log"], json!({ "retention_days": null }));
    assert_eq!(sandbox.get("/sandbox/queues").await["staging-mail"]["dead_letters"].as_array().unwrap().len(), 2);

    let fewer = sandbox.patch(STAGING, json!({ "dead_letters": { "mail": 1 }, "rule": null })).await;
    assert_eq!((&fewer["dead_letters"]["mail"], &fewer["rule"]), (&json!(1), &Value::Null));
    assert_eq!(sandbox.post(&format!("{STAGING}/reset"), json!({})).await, whole);
    assert_eq!(sandbox.get(STAGING).await, whole);
}

#[tokio::test]
async fn events_are_delivered_only_by_a_working_wiring() {
    let sandbox = TestSandbox::start().await;
    sandbox.post("/sandbox/deliver", json!({ "hold": true })).await;
    let pending = json!({ "aws-mp-subscription-notification-7demolegacy00000000000ab": "PENDING" });
    for (patch, product, is_delivered) in [
        (json!({}), "demo-subscription", true),
        (json!({ "rule": { "state": "DISABLED" } }), "demo-subscription", false),
        (json!({ "rule": { "has_target": false } }), "demo-subscription", false),
        (json!({ "rule": { "pattern": { "source": ["aws.ec2"] } } }), "demo-subscription", false),
        (json!({ "rule": null }), "demo-subscription", false),
        (json!({ "rule": null }), "demo-legacy", true),
        (json!({ "rule": null, "subscriptions": pending }), "demo-legacy", false),
    ] {
        sandbox.post(&format!("{STAGING}/reset"), json!({})).await;
        sandbox.post("/sandbox/deliver", json!({ "lose": "" })).await;
        sandbox.patch(STAGING, patch.clone()).await;
        sandbox.buy(product).await;
        let waiting = sandbox.get("/sandbox/queues").await["staging"]["waiting"].as_u64().unwrap();
        assert_eq!(waiting > 0, is_delivered, "{patch} {product}: {waiting}");
    }
}

#[tokio::test]
async fn an_unknown_part_is_refused_with_the_known_ones() {
    let sandbox = TestSandbox::start().await;
    let cases = [
        ("production", json!({}), "parameter_invalid", "only: staging"),
        ("staging", json!([]), "body_invalid", "JSON object"),
        ("staging", json!({ "rules": {} }), "wiring_invalid", "`rules`"),
        ("staging", json!({ "rule": { "state": "OFF" } }), "wiring_invalid", "`DISABLED`"),
        (
            "staging",
            json!({ "rule": { "pattern": { "source": [{ "wildcard": "*" }] } } }),
            "wiring_invalid",
            "`suffix`",
        ),
        ("staging", json!({ "schedules": { "mailer": "ENABLED" } }), "wiring_invalid", "`reconcile`"),
        ("staging", json!({ "alarms": { "NoAlarm": "ALARM" } }), "wiring_invalid", "PausedAlarm"),
        ("staging", json!({ "alarms": { "PausedAlarm": "RINGING" } }), "wiring_invalid", "`INSUFFICIENT_DATA`"),
        ("staging", json!({ "subscriptions": { "any": "PENDING" } }), "wiring_invalid", "aws-mp-subscription"),
        ("staging", json!({ "dead_letters": { "marketplace_events": 1001 } }), "wiring_invalid", "1000"),
        ("staging", json!({ "dead_letters": { "marketplace_events": -1 } }), "wiring_invalid", "-1"),
        ("staging", json!({ "audit_log": { "retention_days": 100 } }), "wiring_invalid", "120"),
        ("staging", json!({ "point_in_time_recovery": "off" }), "wiring_invalid", "boolean"),
    ];
    let whole = sandbox.get(STAGING).await;
    for (stage, patch, code, part) in cases {
        let path = format!("/sandbox/deployed/{stage}");
        let request = sandbox.client.patch(sandbox.url(&path)).json(&patch);
        let problem = problem(request.send().await.unwrap(), 400, &path).await;
        assert_eq!(problem["code"], code, "{patch} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{patch} {problem}");
    }
    assert_eq!(sandbox.get(STAGING).await, whole, "what is refused changes nothing");
}

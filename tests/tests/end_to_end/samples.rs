//! The sample events of `events/`, passed to the handlers of their functions with a working table.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use clock::Clock;
use domain::listing::Stage;
use entitlement::EntitlementApi;
use jiff::Timestamp;
use mailer::Mailer;
use metering::Metering;
use notifier::Notifier;
use serde_json::Value;
use subscription::Subscription;
use tests::TestEnvironment;
use usage::UsageApi;

/// A topic other than the stack's own.
const TOPIC: &str = "arn:aws:sns:us-east-1:444455556666:events";

fn sample(function: &str, name: &str) -> Value {
    let path = format!("{}/../events/{function}/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn the_sample_events_are_handled() {
    let world = TestEnvironment::at("2026-08-20T12:30:00Z").await;
    let (config, table) = (world.sandbox.sdk_config(), world.sandbox.table(Stage::Staging).unwrap());
    let clock: Clock = world.sandbox.clock().clone();

    let subscription = Subscription::new(config, table, clock.clone());
    for name in [
        "agreement-created",
        "agreement-created-reseller",
        "agreement-created-renewal",
        "agreement-created-replacement",
        "agreement-amended",
        "agreement-ending-notice",
        "agreement-advisory",
        "license-updated",
        "license-updated-documented-arn",
        "subscribe-success",
        "subscribe-success-with-blanks",
        "entitlement-updated",
        "subscribe-fail",
        "unsubscribe-pending",
        "unsubscribe-success",
    ] {
        let mut batch = sample("subscription", name);
        // The sandbox has sold nothing of this product. The receive count makes the function accept AWS's empty answer.
        batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = "3".into();
        let response = subscription.handle(serde_json::from_value(batch).unwrap()).await;
        assert!(response.batch_item_failures.is_empty(), "{name}");
    }
    let license = world.license("l-0123456789abcdef0123456789abcdef").await;
    assert_eq!((&license["state"], &license["account"]), (&"active".into(), &"111122223333".into()));
    assert_eq!(world.license("7demolegacy00000000000ab~X01EXAMPLEX").await["free_trial"], true);

    let entitlement = EntitlementApi::new(config, table, TOPIC, clock.clone());
    for name in [
        "list-licenses",
        "show-license",
        "show-legacy-license",
        "link-tenant",
        "show-tenant",
        "decide",
        "decide-all",
        "list-events",
        "replay-license",
        "replay-time",
    ] {
        let event: ApiGatewayV2httpRequest = serde_json::from_value(sample("entitlement", name)).unwrap();
        assert_eq!(entitlement.handle(event).await.status_code, 200, "{name}");
    }

    let usage = UsageApi::new(config, table, clock.clone());
    for name in ["report", "report-mixed", "report-csv", "query"] {
        let event: ApiGatewayV2httpRequest = serde_json::from_value(sample("usage", name)).unwrap();
        assert_eq!(usage.handle(event).await.status_code, 200, "{name}");
    }

    for name in ["agreement-ended", "license-deprovisioned"] {
        let batch = serde_json::from_value(sample("subscription", name)).unwrap();
        assert!(subscription.handle(batch).await.batch_item_failures.is_empty(), "{name}");
    }
    let ended: Timestamp = "2026-08-20T12:00:00Z".parse().unwrap();
    let license = world.license("l-0123456789abcdef0123456789abcdef").await;
    assert_eq!((&license["state"], &license["usage_until"]), (&"ending".into(), &ended.to_string().into()));

    let notifier = Notifier::new(config, TOPIC, clock.clone());
    for (name, published) in [("events", 2), ("unreadable-among-others", 3)] {
        let response = notifier.handle(serde_json::from_value(sample("notifier", name)).unwrap()).await;
        assert!(response.batch_item_failures.is_empty(), "{name}");
        let outbox = world.sandbox.aws().outbox().contents();
        assert_eq!(outbox.published.iter().filter(|message| message.topic_arn == TOPIC).count(), published, "{name}");
    }
    let mailer = Mailer::new(config, table, "no-reply@seller.example", clock.clone());
    for (name, failed) in [("registration-completed", 0), ("unreadable-among-others", 1)] {
        let response = mailer.handle(serde_json::from_value(sample("mailer", name)).unwrap()).await;
        assert_eq!(response.batch_item_failures.len(), failed, "{name}");
    }

    assert!(sample("metering", "schedule").is_object());
    let report = Metering::new(config, table, clock).run(std::time::Duration::from_secs(290)).await.unwrap();
    assert!(!report.unfinished, "{report:?}");
}

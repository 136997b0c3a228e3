//! Outbound events: the events on the topic of the seller's application, and mail to buyers.

use std::collections::BTreeSet;
use std::path::Path;

use boon::{Compiler, Schemas};
use domain::entitlement::{Entitlement, Value as Amount};
use domain::license::{EndReason, License};
use domain::listing::Stage;
use domain::notification::{OutboundEvent, OutboundEventKind};
use jiff::SignedDuration;
use lambda::metrics::Metric;
use lambda::topic::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

/// Returns the messages of the topic, oldest first: each body with its attributes.
async fn published(world: &TestEnvironment) -> Vec<(Value, Value)> {
    let outbox = world.control(Method::GET, "/sandbox/outbox", json!({})).await;
    let published = outbox["published"].as_array().unwrap().iter();
    published
        .map(|message| {
            assert_eq!(message["topic_arn"], "arn:aws:sns:us-east-1:444455556666:stallkeeper-staging-events");
            (serde_json::from_str(message["message"].as_str().unwrap()).unwrap(), message["attributes"].clone())
        })
        .collect()
}

async fn mails(world: &TestEnvironment) -> Vec<Value> {
    world.control(Method::GET, "/sandbox/outbox", json!({})).await["mails"].as_array().unwrap().clone()
}

fn types(published: &[(Value, Value)]) -> Vec<&str> {
    published.iter().map(|(body, _)| body["type"].as_str().unwrap()).collect()
}

/// Makes a buyer of a contract who registers and whose license is linked.
async fn customer(world: &TestEnvironment, tenant: &str) -> TestPurchase {
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    assert_eq!(world.link(&purchase.license, tenant).await.0, 200);
    purchase
}

/// Asserts that the schema describes every member of a value.
fn described(schema: &Value, value: &Value, place: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let of_member = &schema["properties"][name];
                assert!(of_member.is_object(), "{place}/{name} is in no schema");
                described(of_member, member, &format!("{place}/{name}"));
            }
        }
        Value::Array(values) => values.iter().for_each(|value| described(&schema["items"], value, place)),
        _ => {}
    }
}

#[tokio::test]
async fn every_event_is_published_in_the_form_of_its_schema() {
    let world = TestEnvironment::new().await;
    let purchase = customer(&world, "acme").await;
    world.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "seats": 9 } })).await;
    for action in ["advise", "resolve"] {
        world.change(&purchase.agreement, json!({ "action": action })).await;
        world.advance(SignedDuration::from_secs(1)).await;
    }
    let path = |end: &str| format!("/v1/licenses/{}/{end}", purchase.license);
    let moved = json!({ "from": "acme", "to": "other", "reason": "a mistake" });
    assert_eq!(world.api(Method::POST, &path("tenant/move"), Some(moved)).await.0, 200);
    let stranger = world.post_token(&purchase.token).await;
    world.submit_contact(&stranger.cookie.unwrap(), "stranger@example.com", "existing").await;
    world.change(&purchase.agreement, json!({ "action": "renew", "new_license": true })).await;
    world.advance(SignedDuration::from_hours(2)).await;
    let legacy = world.buy("demo-legacy", json!({})).await;
    world.send_event(&tests::notification("subscribe-fail", &legacy, "failed", world.now())).await;
    let unpaid = tests::TestPurchase { customer: Some("Unpaid".to_owned()), ..legacy.clone() };
    world.send_event(&tests::notification("subscribe-fail", &unpaid, "unpaid", world.now())).await;
    world.advance(SignedDuration::from_mins(5)).await;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events");
    let published = published(&world).await;
    let mut seen = BTreeSet::new();
    for (body, attributes) in &published {
        let kind = body["type"].as_str().unwrap();
        let file = folder.join(format!("{kind}.schema.json"));
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let compiled = compiler.compile(file.to_str().unwrap(), &mut schemas).unwrap();
        schemas.validate(body, compiled).unwrap_or_else(|error| panic!("{body}: {error}"));
        described(&schema, body, kind);
        for (name, value) in attributes.as_object().unwrap() {
            let of_body = &body[if name == "event_id" { "id" } else { name }];
            let of_body = of_body.as_str().map_or_else(|| of_body.to_string(), str::to_owned);
            assert_eq!(value, &of_body, "{name}");
        }
        assert_eq!(attributes.get("tenant").is_some(), body.get("tenant").is_some());
        assert!(
            ["event_id", "type", "license", "product", "sequence", "version"]
                .iter()
                .all(|name| attributes.get(name).is_some())
        );
        assert!(!body.to_string().contains("@example.com"));
        seen.insert(format!("{kind}.schema.json"));
    }
    let all: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".schema.json"))
        .collect();
    assert_eq!(seen, all, "a type was not seen, or has no schema");
    assert_eq!(world.counted(Metric::EventsPublished), published.len() as u64);
}

#[test]
fn the_schemas_have_every_reason_and_every_kind_of_value() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events");
    let entitlement = |value| Entitlement { dimension: "seats".parse().unwrap(), value, expires_at: None };
    let values = [
        Amount::Integer(5),
        Amount::Double("0.5".parse().unwrap()),
        Amount::Boolean(true),
        Amount::String("gold".into()),
    ];
    let reasons = [
        EndReason::Cancelled,
        EndReason::Expired,
        EndReason::Terminated,
        EndReason::AgreementEnded,
        EndReason::Deprovisioned,
        EndReason::Unsubscribed,
        EndReason::Succeeded,
    ];
    let kinds = reasons.map(|reason| OutboundEventKind::LicenseEnded { reason, successor: None }).into_iter();
    let kinds =
        kinds.chain([OutboundEventKind::EntitlementsChanged { entitlements: values.map(entitlement).to_vec() }]);
    let mut license = License::new("l-a".parse().unwrap(), "4democontract0000000000ab".parse().unwrap());
    for event in OutboundEvent::number(kinds.collect(), &mut license, "2026-11-10T09:20:00Z".parse().unwrap()) {
        let file = folder.join(format!("{}.schema.json", event.kind.name()));
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let compiled = compiler.compile(file.to_str().unwrap(), &mut schemas).unwrap();
        let body = serde_json::to_value(Message::of(&event)).unwrap();
        schemas.validate(&body, compiled).unwrap_or_else(|error| panic!("{body}: {error}"));
    }
}

#[test]
fn the_mail_queues_filter_matches_the_mailed_events() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template = std::fs::read_to_string(template).unwrap();
    let (_, policy) = template.split_once("FilterPolicy:\n").unwrap();
    let listed = policy.trim_start().lines().next().unwrap();
    assert_eq!(listed, format!("type: [{}]", mailer::MAILED.join(", ")));
}

#[tokio::test]
async fn unpublished_events_are_retried_without_delaying_registrations() {
    for kind in ["throttle", "error500", "access_denied", "before", "after"] {
        let world = TestEnvironment::new().await;
        world.fault(json!({ "service": "sns", "operation": "Publish", "kind": kind, "times": 30 })).await;
        let purchase = customer(&world, "acme").await;
        let event_types = world.event_types(&purchase.license).await;
        assert!(event_types.len() >= 3, "{event_types:?}");
        world.control(Method::DELETE, "/sandbox/faults", json!({})).await;
        world.advance(SignedDuration::from_mins(2)).await;
        let all = published(&world).await;
        let ids: BTreeSet<&str> = all.iter().map(|(body, _)| body["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), event_types.len(), "{kind}: {:?}", types(&all));
        assert!(world.counted(Metric::EventsRetried) > 0, "{kind}");
    }
}

#[tokio::test]
async fn a_buyer_gets_one_mail_in_their_language_with_the_next_steps() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let visit = world.post_token(&purchase.token).await;
    let cookie = visit.cookie.unwrap();
    // This is a double click.
    let twice = || world.submit_contact(&cookie, "buyer@example.com", "new");
    futures(twice(), twice()).await;
    let mails_now = mails(&world).await;
    assert_eq!(mails_now.len(), 1, "{mails_now:?}");
    let mail = &mails_now[0];
    assert_eq!(mail["to"], json!(["buyer@example.com"]));
    assert_eq!(mail["reply_to"], json!(["support@example.com"]));
    assert_eq!(mail["subject"], "Welcome to Demo Contract: your next steps");
    for part in ["text", "html"] {
        let said = mail[part].as_str().unwrap();
        assert!(said.contains("Set up your account") && said.contains("support@example.com"), "{said}");
        assert!(!said.contains("code=") && !said.contains(&purchase.token), "{said}");
    }
    assert!(mail["from"].as_str().unwrap().ends_with(" <no-reply@seller.example>"));
    assert_eq!(world.counted(Metric::MailsSent), 1);

    let japanese = world.buy("demo-contract", json!({ "seats": 1 })).await;
    let visit = world.post_token(&japanese.token).await;
    let page = world.open("/register?lang=ja", visit.cookie.as_deref()).await;
    let token = page.page.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let fields = [("form_token", token), ("email", "kounyu@example.com"), ("account", "new")];
    let sent = world.post_form("/register/details?lang=ja", &fields, visit.cookie.as_deref()).await;
    assert_eq!(sent.status, 303, "{}", sent.page);
    assert_eq!(mails(&world).await[1]["subject"], "Demo Contract へようこそ: 次のステップのご案内");
}

/// Runs both futures concurrently.
async fn futures<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) {
    tokio::join!(one, other);
}

#[tokio::test]
async fn a_mail_that_cannot_be_sent_is_retried_and_then_raises_an_alarm() {
    let world = TestEnvironment::new().await;
    world.fault(json!({ "service": "ses", "operation": "SendEmail", "kind": "access_denied", "times": 3 })).await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let registered = world.register(&purchase.token, "buyer@example.com").await;
    assert_eq!((registered.status, registered.location.is_some()), (303, true));
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    assert!(mails(&world).await.is_empty());
    assert_eq!(world.counted(Metric::MailsFailed), 1);
    // The events of the application do not wait for the mail.
    assert!(types(&published(&world).await).contains(&"registration.completed"));
    world.advance(SignedDuration::from_mins(20)).await;
    assert_eq!(mails(&world).await.len(), 1);
    assert_eq!((world.counted(Metric::MailsFailed), world.counted(Metric::MailsSent)), (3, 1));

    world.fault(json!({ "service": "ses", "operation": "SendEmail", "kind": "access_denied", "times": 1000 })).await;
    let unlucky = world.buy("demo-contract", json!({ "seats": 5 })).await;
    assert_eq!(world.register(&unlucky.token, "unlucky@example.com").await.status, 303);
    world.advance(SignedDuration::from_hours(4)).await;
    let queues = world.control(Method::GET, "/sandbox/queues", json!({})).await;
    let dead = queues["staging-mail"]["dead_letters"].as_array().unwrap();
    assert_eq!((dead.len(), &dead[0]["receives"]), (1, &json!(40)));
    assert!(!dead[0]["body"].as_str().unwrap().contains("@example.com"));
    assert_eq!(world.counted(Metric::MailsFailed), 43);
    assert_eq!(mails(&world).await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_causes_at_most_a_second_mail() {
    for (service, operation, kind) in [("ses", "SendEmail", "after"), ("dynamodb", "PutItem", "error500")] {
        let world = TestEnvironment::new().await;
        let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
        let visit = world.post_token(&purchase.token).await;
        world.fault(json!({ "service": service, "operation": operation, "kind": kind, "times": 3 })).await;
        world.submit_contact(&visit.cookie.unwrap(), "buyer@example.com", "new").await;
        world.control(Method::DELETE, "/sandbox/faults", json!({})).await;
        world.advance(SignedDuration::from_mins(30)).await;
        let sent = mails(&world).await;
        assert!(!sent.is_empty() && sent.len() <= 4, "{service}: {}", sent.len());
        let queues = world.control(Method::GET, "/sandbox/queues", json!({})).await;
        assert_eq!(queues["staging-mail"]["dead_letters"], json!([]), "{service}");
    }
}

#[tokio::test]
async fn a_buyer_gets_a_mail_about_the_end_but_not_about_a_renewal() {
    let world = TestEnvironment::new().await;
    let purchase = customer(&world, "acme").await;
    let renewed = world.change(&purchase.agreement, json!({ "action": "renew", "new_license": true })).await;
    world.advance(SignedDuration::from_hours(2)).await;
    let subjects = |mails: &[Value]| mails.iter().map(|mail| mail["subject"].as_str().unwrap().to_owned()).collect();
    let after_renewal: Vec<String> = subjects(&mails(&world).await);
    assert_eq!(after_renewal, ["Welcome to Demo Contract: your next steps"]);
    let newest = renewed["agreement_id"].as_str().unwrap().to_owned();
    world.end(&newest).await;
    world.advance(SignedDuration::from_hours(2)).await;
    let after_end: Vec<String> = subjects(&mails(&world).await);
    assert_eq!(
        after_end,
        ["Welcome to Demo Contract: your next steps", "Your subscription to Demo Contract has ended"]
    );
    let last = mails(&world).await.pop().unwrap();
    assert_eq!(last["to"], json!(["buyer@example.com"]), "the contact was inherited");
}

#[tokio::test]
async fn the_old_contact_gets_one_mail_per_visit_to_a_linked_license() {
    let world = TestEnvironment::new().await;
    let purchase = customer(&world, "acme").await;
    let visit = world.post_token(&purchase.token).await;
    let cookie = visit.cookie.unwrap();
    for _ in 0..2 {
        world.submit_contact(&cookie, "second@example.com", "new").await;
    }
    let new_mails = mails(&world).await.split_off(1);
    assert_eq!(new_mails.len(), 1);
    assert_eq!(new_mails[0]["to"], json!(["buyer@example.com"]));
    assert_eq!(new_mails[0]["subject"], "Somebody set up your Demo Contract subscription again");
    assert!(!new_mails[0]["text"].as_str().unwrap().contains("second@example.com"));
    let another = world.post_token(&purchase.token).await;
    world.submit_contact(&another.cookie.unwrap(), "third@example.com", "existing").await;
    assert_eq!(mails(&world).await.len(), 3);
    // A buyer whose contact was deleted gets no mail.
    let path = format!("/v1/licenses/{}/contact", purchase.license);
    assert_eq!(world.api(Method::DELETE, &path, None).await.0, 204);
    let third = world.post_token(&purchase.token).await;
    world.submit_contact(&third.cookie.unwrap(), "fourth@example.com", "existing").await;
    assert_eq!(mails(&world).await.len(), 3);
}

#[tokio::test]
async fn events_are_looked_up_and_replayed_by_license_and_by_time() {
    let world = TestEnvironment::new().await;
    let first = customer(&world, "acme").await;
    let between = world.now() + SignedDuration::from_mins(30);
    world.advance(SignedDuration::from_hours(1)).await;
    let second = customer(&world, "other").await;
    let path = |license: &str, end: &str| format!("/v1/licenses/{license}/events{end}");

    let (_, all) = world.api(Method::GET, &path(&first.license, ""), None).await;
    let events = all["events"].as_array().unwrap();
    let sequences: Vec<u64> = events.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
    let bodies: Vec<Value> = published(&world).await.into_iter().map(|(body, _)| body).collect();
    assert!(events.iter().all(|event| bodies.contains(event)), "they are as they were published");
    let (_, page) = world.api(Method::GET, &path(&first.license, "?after=1&limit=1"), None).await;
    assert_eq!((&page["events"][0]["sequence"], &page["next"]), (&json!(2), &json!("2")));
    let (_, page) = world.api(Method::GET, &path(&first.license, "?after=1&limit=1&cursor=2"), None).await;
    assert_eq!(page["events"][0]["sequence"], 3);

    let before = bodies.len();
    let mailed = mails(&world).await.len();
    let (status, replayed) =
        world.api(Method::POST, &path(&first.license, "/replay"), Some(json!({ "after": 1 }))).await;
    assert_eq!((status, &replayed["published"]), (200, &json!(events.len() - 1)));
    assert_eq!(published(&world).await.len(), before + events.len() - 1);

    let window = |from: Value, to: Value| json!({ "from": from, "to": to });
    let since = window(json!(between), json!(world.now()));
    let (mut replayed_events, mut cursor) = (0, Value::Null);
    loop {
        let mut body = since.clone();
        body["cursor"] = cursor;
        let (status, replayed) = world.api(Method::POST, "/v1/events/replay", Some(body)).await;
        assert_eq!(status, 200, "{replayed}");
        replayed_events += replayed["published"].as_u64().unwrap();
        cursor = replayed["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(replayed_events, world.event_types(&second.license).await.len() as u64);
    assert_eq!(mails(&world).await.len(), mailed, "a replay brings no second mail");

    world.fault(json!({ "service": "sns", "operation": "Publish", "kind": "access_denied", "times": 9 })).await;
    let (status, refused) = world.api(Method::POST, &path(&first.license, "/replay"), Some(json!({}))).await;
    assert_eq!((status, &refused["code"]), (503, &json!("unavailable")));
    let (status, refused) =
        world.api(Method::POST, "/v1/events/replay", Some(window(json!(world.now()), json!(between)))).await;
    assert_eq!((status, &refused["code"]), (400, &json!("parameter_invalid")));

    let log = world.store(Stage::Staging).audit_log("2026-11").await.unwrap();
    let replays: Vec<&str> =
        log.iter().filter(|entry| entry.action == "events.replay").map(|entry| entry.subject.as_str()).collect();
    assert_eq!(replays.iter().filter(|subject| **subject == first.license).count(), 2);
    assert!(replays.contains(&format!("{between}/{}", world.now()).as_str()), "{replays:?}");
}

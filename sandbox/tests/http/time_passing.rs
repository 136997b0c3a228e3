use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use local_aws::Delays;

use super::*;

/// Returns the clock's time at each event so far.
async fn times(sandbox: &TestSandbox) -> Vec<Timestamp> {
    let events = sandbox.get("/sandbox/events").await;
    events["events"].as_array().unwrap().iter().map(|event| event["at"].as_str().unwrap().parse().unwrap()).collect()
}

fn after(seconds: i64) -> Timestamp {
    START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

#[tokio::test]
async fn events_are_delivered_when_they_are_due_however_far_the_clock_is_moved() {
    let sandbox = TestSandbox::with(Options { delays: Delays::default(), ..Options::default() }).await;
    let bought = sandbox.buy("demo-subscription").await;
    sandbox.post("/sandbox/clock", json!({ "advance": "60s" })).await;
    assert!(sandbox.event_types().await.is_empty());
    let answer = sandbox.post("/sandbox/clock", json!({ "advance": "1h" })).await;
    assert_eq!(answer["now"], after(3660).to_string());
    assert_eq!(times(&sandbox).await, [after(61)]);

    let path = format!("/sandbox/agreements/{}", bought["agreement_id"].as_str().unwrap());
    sandbox.post(&path, json!({ "action": "end" })).await;
    sandbox.post("/sandbox/clock", json!({ "advance": "1d" })).await;
    assert_eq!(sandbox.event_types().await[..2], ["license.activated", "license.ending"]);
    assert_eq!(times(&sandbox).await[1], after(3660));
}

#[tokio::test]
async fn failed_messages_are_redelivered_after_the_visibility_timeout() {
    let sandbox = TestSandbox::start().await;
    let fault = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "access_denied" });
    sandbox.post("/sandbox/faults", fault).await;
    sandbox.buy("demo-subscription").await;
    assert!(sandbox.event_types().await.is_empty());
    assert_eq!(sandbox.get("/sandbox/queues").await["staging"]["in_flight"], 1);
    sandbox.post("/sandbox/clock", json!({ "advance": "6h" })).await;
    assert_eq!(times(&sandbox).await, [after(90)]);
    assert_eq!(sandbox.get("/sandbox/queues").await["staging"]["in_flight"], 0);
}

#[tokio::test]
async fn a_schedule_runs_at_each_due_time_in_order_with_the_events() {
    let sandbox = TestSandbox::with(Options { delays: Delays::default(), ..Options::default() }).await;
    let seen: Arc<Mutex<Vec<(Timestamp, Timestamp)>>> = Arc::default();
    let (noted, clock) = (Arc::clone(&seen), sandbox.sandbox.clock().clone());
    sandbox
        .sandbox
        .every(SignedDuration::from_mins(5), "reporter", move |due| {
            noted.lock().unwrap().push((due, clock.now()));
            async {}
        })
        .await;
    sandbox.post("/sandbox/clock", json!({ "advance": "1h" })).await;
    let seen = seen.lock().unwrap().clone();
    let expected: Vec<_> = (1..=12).map(|five| (after(300 * five), after(300 * five))).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_clock_can_be_set_forward_and_back() {
    let sandbox = TestSandbox::start().await;
    let later = (sandbox.now() + jiff::SignedDuration::from_hours(6)).to_string();
    for at in [later.as_str(), "2026-11-01T00:00:00Z"] {
        assert_eq!(sandbox.post("/sandbox/clock", json!({ "set": at })).await["now"], at);
        assert_eq!(sandbox.get("/sandbox/clock").await["now"], at);
        assert_eq!(sandbox.now().to_string(), at);
    }
    sandbox.buy("demo-subscription").await;
    assert_eq!(sandbox.event_types().await, ["license.activated"], "what is due at an earlier time comes then");
}

#[tokio::test]
async fn with_a_ticking_clock_events_are_delivered_without_a_call() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let order = json!({ "product": "5demosubscription000000ab", "account": "111122223333" });
    sandbox.aws().marketplace().purchase(serde_json::from_value(order).unwrap()).unwrap();
    let request = Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("{}/v1/licenses?account=111122223333&state=active", sandbox.url()))
        .header("authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261123/us-east-1/execute-api/aws4_request");
    let arrived =
        async { while read(request.try_clone().unwrap().send().await.unwrap()).await["licenses"] == json!([]) {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), arrived).await.unwrap();
}

#[tokio::test]
async fn a_dropped_sandbox_stops_answering() {
    let sandbox = TestSandbox::start().await;
    sandbox.buy("demo-subscription").await;
    let (client, urls) = (sandbox.client.clone(), [sandbox.url("/"), sandbox.sandbox.aws_url().to_owned()]);
    drop(sandbox);
    let gone = async {
        for url in urls {
            while client.get(&url).send().await.is_ok() {}
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.unwrap();
}

//! The intake of usage reports: as JSON or CSV, with tags, as a dry run, in open and in closed hours.

use jiff::{SignedDuration, Timestamp};
use local_aws::Service;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase, license_event};

/// Makes an environment at 09:20 with an active buyer of the demo subscription.
async fn subscribed() -> (TestEnvironment, TestPurchase) {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    (world, purchase)
}

fn event(purchase: &TestPurchase, quantity: i64, key: &str, time: Timestamp) -> Value {
    json!({
        "license": purchase.license, "dimension": "requests", "quantity": quantity, "key": key,
        "time": time.to_string(),
    })
}

fn tagged(mut event: Value, tags: Value) -> Value {
    event["tags"] = tags;
    event
}

/// Sends a file and returns the status and the document.
async fn send_csv(world: &TestEnvironment, path: &str, file: String) -> (u16, Value) {
    let answer = world.send_raw(Method::POST, path, "text/csv; charset=utf-8; header=present", file.into_bytes()).await;
    (answer.status, serde_json::from_str(&answer.page).unwrap())
}

/// Returns the results of a dry run of events.
async fn tried(world: &TestEnvironment, events: &Value) -> Vec<Value> {
    let (status, answer) = world.api(Method::POST, "/v1/usage?dry_run=true", Some(json!({ "events": events }))).await;
    assert_eq!((status, &answer["dry_run"]), (200, &json!(true)), "{answer}");
    answer["results"].as_array().unwrap().clone()
}

fn texts(results: &[Value], name: &str) -> Vec<String> {
    results.iter().map(|result| result[name].as_str().unwrap_or_default().to_owned()).collect()
}

fn clear_wire_log(world: &TestEnvironment) {
    world.sandbox.aws().wire().clear();
}

/// Returns the operations on the table since the recorded calls were cleared.
fn operations(world: &TestEnvironment) -> Vec<String> {
    let calls = world.sandbox.aws().wire().calls(Service::DynamoDb, "*");
    calls.into_iter().map(|call| call.operation).collect()
}

/// Returns the tags of the events that were written while their hour was open, with `null` for those without.
fn written_tags(world: &TestEnvironment) -> Vec<Value> {
    let mut tags = Vec::new();
    for call in world.sandbox.aws().wire().calls(Service::DynamoDb, "BatchWriteItem") {
        for requests in call.body["RequestItems"].as_object().unwrap().values() {
            let items = requests.as_array().unwrap().iter().map(|request| &request["PutRequest"]["Item"]);
            tags.extend(items.filter(|item| item.get("quantity").is_some()).map(|item| item["tags"].clone()));
        }
    }
    tags.sort_by_key(Value::to_string);
    tags
}

/// Returns `true` if the table was only read since the recorded calls were cleared.
fn only_read(world: &TestEnvironment) -> bool {
    operations(world).iter().all(|operation| ["GetItem", "Query"].contains(&operation.as_str()))
}

#[tokio::test]
async fn a_file_is_answered_row_by_row_and_billed() {
    let (world, purchase) = subscribed().await;
    let (license, now) = (&purchase.license, world.now());
    let file = [
        "\u{feff}quantity,tag:team,license,dimension,time,key,revision".to_owned(),
        format!("5,red,{license},requests,{now},\"one, quoted\","),
        format!("7,,{license},requests,{now},two,0"),
        String::new(),
        format!("1,red,{license},requests,{now}"),
        format!("1,réd,{license},requests,{now},three,"),
        format!("1,,{license},teapots,{now},four,"),
        format!("30,blue,{license},requests,{now},one,3"),
    ];
    let (status, answer) = send_csv(&world, "/v1/usage", file.join("\r\n")).await;
    assert_eq!((status, &answer["accepted"], &answer["refused"]), (200, &json!(3), &json!(3)), "{answer}");
    assert_eq!(answer.get("dry_run"), None);
    let results = answer["results"].as_array().unwrap();
    let lines: Vec<u64> = results.iter().map(|result| result["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7, 8]);
    assert_eq!(texts(results, "code"), ["", "", "row_invalid", "tags_invalid", "dimension_unknown", ""]);

    let tag = |value: &str| json!({ "M": { "team": { "S": value } } });
    assert_eq!(written_tags(&world), [Value::Null, tag("blue"), tag("red")]);
    world.advance(SignedDuration::from_mins(60)).await;
    assert_eq!(world.total(license).await, Decimal::from(42));
}

#[tokio::test]
async fn every_time_in_the_api_is_rfc_3339() {
    let (world, purchase) = subscribed().await;
    let path = format!("/v1/licenses/{}/usage", purchase.license);
    // Each of these names 09:00 of that day. Only those marked `true` have the form that the API accepts.
    for (time, is_right) in [
        ("2026-11-10T09:00:00Z", true),
        ("2026-11-10T18:00:00.000+09:00", true),
        ("2026-11-10 09:00Z", false),
        ("2026-11-10T09:00Z", false),
        ("20261110T090000Z", false),
        ("2026-11-10T09:00:00Z[UTC]", false),
        ("2026-11-10T09:00:00+09", false),
    ] {
        let fields =
            json!({ "license": purchase.license, "dimension": "requests", "quantity": 1, "key": time, "time": time });
        let of_json = &world.results(json!([fields])).await[0];
        let file = format!("license,dimension,quantity,time,key\n{},requests,1,{time},{time}\n", purchase.license);
        let of_csv = &send_csv(&world, "/v1/usage", file).await.1["results"][0];
        for result in [of_json, of_csv] {
            let expected = if is_right { Value::Null } else { json!("time_invalid") };
            assert_eq!(result["code"], expected, "{time}: {result}");
        }
        let status = if is_right { 200 } else { 400 };
        for name in ["from", "to"] {
            let query = format!("{path}?{name}={}", time.replace('+', "%2B").replace(' ', "%20"));
            let (answered, answer) = world.api(Method::GET, &query, None).await;
            assert_eq!(answered, status, "{query}: {answer}");
        }
        let replay = json!({ "from": time, "to": "2026-11-10T10:00:00Z" });
        let (answered, answer) = world.api(Method::POST, "/v1/events/replay", Some(replay)).await;
        assert_eq!(answered, status, "{time}: {answer}");
        for column in ["since", "metered_from", "move_at"] {
            let file = format!(
                "product,tenant,customer_identifier,license_arn,agreement_id,account,{column}\n7demolegacy00000000000ab,\
                 acme,X1,arn:aws:license-manager::1:license:l-0123456789abcdef0123456789abcdef,agmt-1,111122223333,{time}\n"
            );
            let (_, answer) = send_csv(&world, "/v1/imports?dry_run=true", file).await;
            let detail = answer["results"][0]["detail"].as_str().unwrap_or_default();
            let is_read = !detail.contains("RFC 3339");
            assert_eq!(is_read, is_right, "{column} {time}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_same_event_in_json_and_csv_is_one_event() {
    let (world, purchase) = subscribed().await;
    let late = event(&purchase, 5, "late", world.now());
    let row = format!("{},requests,5,{},late,red", purchase.license, world.now());
    world.advance(SignedDuration::from_mins(60)).await;
    let results = world.results(json!([tagged(late, json!({ "team": "red" }))])).await;
    assert_eq!(texts(&results, "status"), ["accepted"]);
    assert_eq!(results[0].get("line"), None);
    let file = format!("license,dimension,quantity,time,key,tag:team\n{row}\n");
    let (_, answer) = send_csv(&world, "/v1/usage", file).await;
    assert_eq!(answer["results"], json!([{ "line": 2, "status": "duplicate" }]));
}

#[tokio::test]
async fn an_unsupported_content_type_is_refused_with_the_supported_ones() {
    let (world, purchase) = subscribed().await;
    let body = json!({ "events": [event(&purchase, 5, "k", world.now())] }).to_string();
    clear_wire_log(&world);
    for content_type in ["text/plain", "", "application/xml", "text/csv; charset=shift_jis", "text/csv; header=absent"]
    {
        let answer = world.send_raw(Method::POST, "/v1/usage", content_type, body.clone().into_bytes()).await;
        let problem: Value = serde_json::from_str(&answer.page).unwrap();
        assert_eq!((answer.status, &problem["code"]), (415, &json!("content_type_unsupported")));
        assert!(problem["action"].as_str().unwrap().contains("application/json, or text/csv"), "{problem}");
    }
    assert!(only_read(&world));
}

#[tokio::test]
async fn a_dry_run_validates_everything_and_writes_nothing() {
    let (world, purchase) = subscribed().await;
    let hour_ago = world.now();
    world.advance(SignedDuration::from_mins(60)).await;
    let known = tagged(event(&purchase, 5, "known", hour_ago), json!({ "team": "red" }));
    assert_eq!(world.report(json!([known])).await, ["accepted"]);
    let unknown = TestPurchase { license: "l-unheard0of".to_owned(), ..purchase.clone() };
    let events = json!([
        event(&purchase, 1, "open", world.now()),
        event(&purchase, 2, "open", world.now()),
        known,
        event(&purchase, 6, "known", hour_ago),
        event(&purchase, 5, "known", hour_ago),
        event(&purchase, 3, "new", hour_ago),
        event(&purchase, 3, "new", hour_ago),
        event(&purchase, 4, "new", hour_ago),
        event(&purchase, 1, "old", hour_ago - SignedDuration::from_hours(25)),
        event(&unknown, 1, "k", world.now()),
        { "license": purchase.license },
    ]);
    clear_wire_log(&world);
    let judged = tried(&world, &events).await;
    assert!(only_read(&world) && operations(&world).contains(&"Query".to_owned()), "{:?}", operations(&world));
    assert_eq!(
        texts(&judged, "status"),
        [
            "accepted",
            "conflict",
            "duplicate",
            "conflict",
            "conflict",
            "accepted",
            "duplicate",
            "conflict",
            "refused",
            "refused",
            "refused",
        ]
    );
    // The real report has the results of the dry run.
    assert_eq!(world.results(events).await, judged);
}

#[tokio::test]
async fn a_dry_run_of_a_file_bills_nothing() {
    let (world, purchase) = subscribed().await;
    let file = format!("license,dimension,quantity,time,key\n{},requests,5,{},k\n", purchase.license, world.now());
    clear_wire_log(&world);
    let (status, answer) = send_csv(&world, "/v1/usage?dry_run=true", file.clone()).await;
    let expected = json!({
        "dry_run": true, "accepted": 1, "duplicate": 0, "conflict": 0, "refused": 0, "retry": 0,
        "results": [{ "line": 2, "status": "accepted" }],
    });
    assert_eq!((status, answer), (200, expected));
    assert!(only_read(&world));
    world.advance(SignedDuration::from_mins(60)).await;
    assert!(world.billed(&purchase.license).await.is_empty());
    assert_eq!(send_csv(&world, "/v1/usage?dry_run=false", file).await.1["accepted"], 1);
}

#[tokio::test]
async fn dry_run_must_be_true_or_false() {
    let (world, purchase) = subscribed().await;
    let body = json!({ "events": [event(&purchase, 5, "k", world.now())] });
    clear_wire_log(&world);
    for query in
        ["dry_run=1", "dry_run=", "dry_run=True", "dry_run=yes", "dry_run", "dry_run=true&dry_run=true", "dryrun=true"]
    {
        let (status, problem) = world.api(Method::POST, &format!("/v1/usage?{query}"), Some(body.clone())).await;
        assert_eq!((status, &problem["code"]), (400, &json!("parameter_invalid")), "{query}");
    }
    let (_, problem) = world.api(Method::POST, "/v1/usage?dry_run=yes", Some(body)).await;
    assert_eq!(problem["detail"], "dry_run: provided string was not `true` or `false`");
    assert!(only_read(&world));
}

#[tokio::test]
async fn late_usage_with_other_tags_is_a_conflict() {
    let (world, purchase) = subscribed().await;
    let usage = |quantity, tags| tagged(event(&purchase, quantity, "k", "2026-11-10T09:20:00Z".parse().unwrap()), tags);
    assert_eq!(world.report(json!([usage(5, json!({ "team": "red" }))])).await, ["accepted"]);
    world.advance(SignedDuration::from_mins(60)).await;
    let results = world
        .results(json!([
            usage(5, json!({ "team": "red" })),
            usage(5, json!({ "team": "blue" })),
            usage(5, json!({})),
            usage(6, json!({ "team": "red" })),
            usage(6, json!({ "team": "blue" })),
        ]))
        .await;
    assert_eq!(texts(&results, "status"), ["duplicate", "conflict", "conflict", "conflict", "conflict"]);
    let codes = ["", "tags_conflict", "tags_conflict", "quantity_conflict", "quantity_conflict"];
    assert_eq!(texts(&results, "code"), codes);
    assert!(results[1]["detail"].as_str().unwrap().contains("its tags differ"), "{}", results[1]);
    assert_eq!(world.total(&purchase.license).await, Decimal::from(5));
}

#[tokio::test]
async fn late_events_of_one_key_stay_in_order_among_many() {
    let (world, purchase) = subscribed().await;
    let hour_ago = world.now();
    world.advance(SignedDuration::from_mins(60)).await;
    let mut events = Vec::new();
    for number in 0..40 {
        let key = format!("key-{number}");
        events.push(event(&purchase, 1, &key, hour_ago));
        events.push(event(&purchase, 2, &key, hour_ago));
        events.push(event(&purchase, 1, &key, hour_ago));
    }
    let statuses = world.report(json!(events)).await;
    assert!(statuses.chunks(3).all(|of_key| of_key == ["accepted", "conflict", "duplicate"]), "{statuses:?}");
    world.advance(SignedDuration::from_mins(60)).await;
    assert_eq!(world.total(&purchase.license).await, Decimal::from(40));
}

#[tokio::test]
async fn an_unconfirmed_event_can_be_repeated_and_counts_once() {
    let (world, purchase) = subscribed().await;
    let events: Vec<Value> =
        (0..500).map(|number| event(&purchase, 1, &format!("key-{number}"), world.now())).collect();
    let fault = json!({
        "service": "dynamodb", "operation": "BatchWriteItem", "call": 4, "times": 5, "kind": "access_denied",
    });
    world.fault(fault).await;
    let statuses = world.report(json!(events)).await;
    let unconfirmed = statuses.iter().filter(|status| *status == "retry").count();
    assert!(unconfirmed >= 100 && statuses.iter().all(|status| ["accepted", "retry"].contains(&status.as_str())));
    assert_eq!(world.report(json!(events)).await, vec!["accepted"; 500]);
    world.advance(SignedDuration::from_mins(60)).await;
    assert_eq!(world.total(&purchase.license).await, Decimal::from(500));
}

#[tokio::test]
async fn a_reactivated_license_is_not_refused_from_the_cache() {
    let (world, purchase) = subscribed().await;
    world.end(&purchase.agreement).await;
    let events = json!([event(&purchase, 5, "a", world.now()), event(&purchase, 7, "b", world.now())]);
    let ended = world.results(events.clone()).await;
    assert_eq!(texts(&ended, "code"), ["license_ended", "license_ended"]);

    // A refusal by a cached license costs one read of the license, and one read of what is known for each key.
    clear_wire_log(&world);
    assert_eq!(world.results(events.clone()).await, ended);
    assert_eq!(operations(&world), ["GetItem", "Query", "Query"]);

    world.advance(SignedDuration::from_secs(5)).await;
    let arn = format!("arn:aws:license-manager::444455556666:license:{}", purchase.license);
    world.send_event(&license_event("Updated", &purchase, &arn, "back", world.now())).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    assert_eq!(texts(&tried(&world, &events).await, "status"), ["accepted", "accepted"]);
    assert_eq!(world.report(events).await, ["accepted", "accepted"]);

    // A license that is cached as being in force is not read.
    clear_wire_log(&world);
    assert_eq!(world.report(json!([event(&purchase, 1, "c", world.now())])).await, ["accepted"]);
    assert!(!operations(&world).contains(&"GetItem".to_owned()));
}

#[tokio::test]
async fn a_failed_read_of_a_license_is_not_a_refusal() {
    let (world, purchase) = subscribed().await;
    world.end(&purchase.agreement).await;
    let events = json!([event(&purchase, 5, "a", world.now())]);
    world.advance(SignedDuration::from_mins(3)).await;
    assert_eq!(world.report(events.clone()).await, ["refused"]);
    world.fault(json!({ "service": "dynamodb", "operation": "GetItem", "kind": "access_denied" })).await;
    assert_eq!(world.report(events.clone()).await, ["retry"]);
    assert_eq!(world.report(events).await, ["refused"]);
}

#[tokio::test]
async fn usage_accepted_before_the_end_is_a_duplicate_after_it() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    world.register(&purchase.token, "buyer@example.com").await;
    let at = world.now();
    let event = |key: &str, quantity: i64| {
        json!({
            "license": purchase.license, "dimension": "requests", "quantity": quantity, "key": key,
            "time": at.to_string(),
        })
    };
    assert_eq!(world.report(json!([event("a", 5)])).await, ["accepted"]);
    world.end(&purchase.agreement).await;
    // No instance of intake has the earlier state in its cache any more.
    world.advance(SignedDuration::from_mins(2)).await;
    // The first answer was lost. If the repeat were refused, an application would report the usage to the successor of
    // the license.
    let again = world.results(json!([event("a", 5), event("a", 6), event("b", 5)])).await;
    assert_eq!(again[0]["status"], "duplicate");
    assert_eq!(again[1]["code"], "quantity_conflict");
    assert_eq!(again[2]["code"], "license_ended");
    world.fault(json!({ "service": "dynamodb", "operation": "Query", "kind": "error500", "times": 3 })).await;
    assert_eq!(world.report(json!([event("a", 5)])).await, ["retry"]);
}

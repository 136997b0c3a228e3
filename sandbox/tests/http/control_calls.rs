use domain::listing::Stage;

use super::refused_calls::problem;
use super::*;

#[tokio::test]
async fn an_invalid_call_is_answered_with_the_problem() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.buy("demo-subscription").await;
    let agreement = format!("/sandbox/agreements/{}", bought["agreement_id"].as_str().unwrap());
    let cases: &[(&str, Value, u16, &str, &str)] = &[
        ("/sandbox/purchases", json!({}), 400, "body_invalid", "missing field `product`"),
        (
            "/sandbox/purchases",
            json!({ "product": "demo" }),
            400,
            "product_unknown",
            "demo-contract, demo-subscription",
        ),
        ("/sandbox/purchases", json!({ "product": "demo-contract" }), 400, "value_missing", "seats, projects"),
        (
            "/sandbox/purchases",
            json!({ "product": "demo-contract", "dimensions": { "beds": 1 } }),
            400,
            "dimension_unknown",
            "`beds`",
        ),
        (
            "/sandbox/purchases",
            json!({ "product": "demo-contract", "dimensions": { "seats": -1 } }),
            400,
            "value_invalid",
            "`seats`",
        ),
        (
            "/sandbox/purchases",
            json!({ "product": "demo-subscription", "account": "12" }),
            400,
            "body_invalid",
            "12 digits",
        ),
        (
            "/sandbox/purchases",
            json!({ "product": "demo-subscription", "colour": "red" }),
            400,
            "body_invalid",
            "unknown field `colour`",
        ),
        ("/sandbox/purchases", json!({ "product": "demo-production" }), 400, "stage_not_running", "production"),
        ("/sandbox/review", json!({ "product": "nothing" }), 400, "product_unknown", "`nothing`"),
        ("/sandbox/review", json!({ "product": "demo-production" }), 400, "stage_not_running", "production"),
        (
            "/sandbox/review",
            json!({ "product": "demo-contract", "kind": 1 }),
            400,
            "body_invalid",
            "unknown field `kind`",
        ),
        (&agreement, json!({ "action": "marry" }), 400, "body_invalid", "`amend`, `renew`, `replace`, `end`"),
        (&agreement, json!({ "action": "renew" }), 409, "nothing_to_renew", "paid by use"),
        ("/sandbox/agreements/agmt-none", json!({ "action": "end" }), 404, "agreement_unknown", "`agmt-none`"),
        ("/sandbox/agreements/agmt-none/token", json!({}), 404, "agreement_unknown", "`agmt-none`"),
        ("/sandbox/agreements/no!id/token", json!({}), 400, "parameter_invalid", "agreement: "),
        ("/sandbox/clock", json!({}), 400, "parameter_invalid", "advance: "),
        ("/sandbox/clock", json!({ "advance": "soon" }), 400, "parameter_invalid", "`soon`"),
        ("/sandbox/clock", json!({ "set": "noon" }), 400, "parameter_invalid", "`noon`"),
        ("/sandbox/clock", json!({ "set": START, "advance": "1h" }), 400, "parameter_invalid", "beside `advance`"),
        ("/sandbox/clock", json!({ "advance": "5000000d" }), 400, "parameter_invalid", "advance: "),
        ("/sandbox/faults", json!({ "service": "kms" }), 400, "service_unknown", "dynamodb, metering"),
        (
            "/sandbox/faults",
            json!({ "service": "dynamodb", "operation": "Query", "kind": "unprocessed" }),
            400,
            "kind_unfit",
            "BatchWriteItem of dynamodb",
        ),
        ("/sandbox/behavior", json!({ "colour": "red" }), 400, "behavior_unknown", "final_window, identical_repeat"),
        ("/sandbox/behavior", json!({ "final_window": "soon" }), 400, "behavior_invalid", "agreement_ended"),
        (
            "/sandbox/dimensions",
            json!({ "product": "demo-contract", "dimension": "seats", "published": false }),
            400,
            "dimension_not_metered",
            "`seats`",
        ),
        ("/sandbox/deliver", json!({}), 400, "parameter_invalid", "hold, message"),
        ("/sandbox/deliver", json!({ "hold": true, "release": true }), 400, "parameter_invalid", "beside `hold`"),
        ("/sandbox/deliver", json!({ "hold": true, "stage": "moon" }), 400, "parameter_invalid", "only: staging"),
        ("/sandbox/deliver", json!({ "hold": true, "stage": "production" }), 400, "parameter_invalid", "only: staging"),
        ("/sandbox/deliver", json!({ "duplicate": -1 }), 400, "body_invalid", "-1"),
        ("/sandbox/deliver", json!({ "duplicate": 1_000_000 }), 400, "parameter_invalid", "duplicate: "),
        ("/sandbox/nothing", json!({}), 404, "route_unknown", "POST /sandbox/nothing"),
        ("/sandbox/listings", json!({}), 405, "method_not_allowed", "POST /sandbox/listings"),
    ];
    for (path, body, status, code, part) in cases {
        let answer = sandbox.client.post(sandbox.url(path)).json(body).send().await.unwrap();
        let problem = problem(answer, *status, &format!("{path} {body}")).await;
        assert_eq!(problem["code"], *code, "{path} {body} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{path} {body} {problem}");
        assert!(problem["action"].is_string(), "{problem}");
    }
    for path in ["/sandbox/events?stage=moon", "/sandbox/wire?service=kms"] {
        let answer = sandbox.client.get(sandbox.url(path)).send().await.unwrap();
        problem(answer, 400, path).await;
    }
    let answer = sandbox.client.post(sandbox.url("/sandbox/clock")).body("no json").send().await.unwrap();
    problem(answer, 400, "no json").await;
}

#[tokio::test]
async fn a_purchase_registers_its_buyer_and_returns_all_keys() {
    let sandbox = TestSandbox::start().await;
    let order = json!({
        "product": "prod-democontract01",
        "account": "111122223333",
        "dimensions": { "seats": 5 },
        "free_trial": true,
    });
    let bought = sandbox.post("/sandbox/purchases", order).await;
    assert_eq!(bought["registration"], json!({ "status": 303, "location": "/register" }));
    assert_eq!(bought["account_id"], "111122223333");
    assert_eq!(bought["product_code"], "4democontract0000000000ab");
    assert_eq!(bought["customer_identifier"], Value::Null);
    assert!(bought["license_arn"].as_str().unwrap().ends_with(bought["license"].as_str().unwrap()));
    assert!(bought["agreement_id"].as_str().unwrap().starts_with("agmt-"));
    assert!(bought["token"].is_string());
    assert_eq!(sandbox.event_types().await, ["license.activated", "license.entitlements_changed"]);

    let legacy = sandbox.buy("Demo Legacy Subscription").await;
    assert_eq!(legacy["registration"], Value::Null);
    assert_eq!(legacy["license_arn"], Value::Null);
    let customer = legacy["customer_identifier"].as_str().unwrap();
    assert_eq!(legacy["license"], format!("7demolegacy00000000000ab~{customer}"));
}

#[tokio::test]
async fn a_product_of_a_stage_without_a_stack_can_be_bought_but_not_registered() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.buy("demo-production").await;
    assert_eq!(bought["registration_url"], Value::Null);
    assert!(sandbox.event_types().await.is_empty());
}

#[tokio::test]
async fn an_agreement_is_amended_renewed_replaced_and_ended() {
    let sandbox = TestSandbox::start().await;
    let order = json!({ "product": "demo-contract", "dimensions": { "seats": 5 } });
    let bought = sandbox.post("/sandbox/purchases", order).await;
    let path = |id: &Value| format!("/sandbox/agreements/{}", id.as_str().unwrap());
    let mut agreement = bought["agreement_id"].clone();
    for change in [
        json!({ "action": "amend", "dimensions": { "seats": 9 } }),
        json!({ "action": "renew" }),
        json!({ "action": "replace", "dimensions": { "seats": 3 }, "new_license": false }),
    ] {
        sandbox.sandbox.advance(jiff::SignedDuration::from_hours(1)).await.unwrap();
        let changed = sandbox.post(&path(&agreement), change.clone()).await;
        assert_eq!(changed["license"], bought["license"], "{change}");
        agreement = changed["agreement_id"].clone();
    }
    let fresh = sandbox.post(&format!("{}/token", path(&agreement)), json!({})).await;
    assert_ne!(fresh["token"], bought["token"]);
    assert_eq!(fresh["registration_url"], sandbox.url("/register"));

    sandbox.post(&path(&agreement), json!({ "action": "end", "status": "EXPIRED" })).await;
    let overview = sandbox.get("/sandbox/purchases").await;
    let statuses: Vec<_> =
        overview["agreements"].as_array().unwrap().iter().map(|agreement| agreement["status"].clone()).collect();
    assert_eq!(statuses, ["RENEWED", "REPLACED", "EXPIRED"]);
    let event_types = sandbox.event_types().await;
    assert!(event_types.contains(&"license.ending".to_owned()), "{event_types:?}");
}

#[tokio::test]
async fn the_listings_have_their_registration_urls() {
    let sandbox = TestSandbox::start().await;
    let listings = sandbox.get("/sandbox/listings").await["listings"].clone();
    let listings = listings.as_array().unwrap();
    assert_eq!(listings.len(), 5);
    for listing in listings {
        let expected = match listing["stage"].as_str().unwrap() {
            "staging" => Value::from(sandbox.url("/register")),
            _ => Value::Null,
        };
        assert_eq!(listing["registration_url"], expected);
        assert!(listing["dimensions"][0]["key"].is_string());
    }
}

#[tokio::test]
async fn faults_can_be_planned_listed_and_cleared() {
    let sandbox = TestSandbox::start().await;
    let fault = json!({ "service": "metering", "operation": "ResolveCustomer", "kind": "access_denied" });
    let plan = sandbox.post("/sandbox/faults", fault).await;
    assert_eq!(plan["faults"][0]["applied"], 0);
    let bought = sandbox.post("/sandbox/purchases", json!({ "product": "demo-subscription" })).await;
    assert_eq!(bought["registration"]["status"], 503);
    assert_eq!(sandbox.get("/sandbox/faults").await["faults"][0]["applied"], 1);

    let calls = sandbox.get("/sandbox/wire?service=metering&operation=ResolveCustomer").await["calls"].clone();
    assert_eq!(calls.as_array().unwrap().len(), 1);
    assert_eq!(calls[0]["status"], 400);
    assert_eq!(calls[0]["body"]["RegistrationToken"], "(redacted)");

    for path in ["/sandbox/faults", "/sandbox/wire"] {
        read(sandbox.client.delete(sandbox.url(path)).send().await.unwrap()).await;
    }
    assert_eq!(sandbox.get("/sandbox/faults").await["faults"], json!([]));
    assert_eq!(sandbox.get("/sandbox/wire").await["calls"], json!([]));
}

#[tokio::test]
async fn each_stage_has_its_own_port_and_table_and_shares_the_control_api() {
    let stages = vec![Stage::Staging, Stage::Production];
    let sandbox = TestSandbox::with(Options { stages, ..Options::default() }).await;
    let second = sandbox.sandbox.stage_url(Stage::Production).unwrap();
    assert_ne!(sandbox.sandbox.table(Stage::Staging), sandbox.sandbox.table(Stage::Production));
    let bought = sandbox.post("/sandbox/purchases", json!({ "product": "demo-production" })).await;
    assert_eq!(bought["registration_url"], format!("{second}/register"));
    assert_eq!(bought["registration"]["status"], 303);

    let by_second = read(sandbox.client.get(format!("{second}/sandbox/events")).send().await.unwrap()).await;
    assert_eq!(by_second, sandbox.get("/sandbox/events").await);
    assert_eq!(sandbox.get("/sandbox/events?stage=staging").await["events"], json!([]));
    assert_eq!(sandbox.get("/sandbox/events?stage=production").await["events"][0]["stage"], "production");

    // The token of a product of one stage is invalid on the other stage.
    let form = [("x-amzn-marketplace-token", bought["token"].as_str().unwrap())];
    let elsewhere = sandbox.client.post(sandbox.url("/register")).form(&form).send().await.unwrap();
    assert!(elsewhere.status().is_client_error(), "{}", elsewhere.status());
}

#[tokio::test]
async fn a_file_keeps_the_tables() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("a_file_keeps_the_tables.db");
    let _ = std::fs::remove_file(&file);
    let kept = {
        let sandbox = TestSandbox::with(Options { data: Some(file.clone()), ..Options::default() }).await;
        sandbox.post("/sandbox/purchases", json!({ "product": "demo-subscription" })).await;
        sandbox.get("/sandbox/events").await
    };
    assert_eq!(kept["events"][0]["type"], "license.activated");
    let sandbox = TestSandbox::with(Options { data: Some(file), ..Options::default() }).await;
    assert_eq!(sandbox.get("/sandbox/events").await, kept);
    assert_eq!(sandbox.get("/sandbox/purchases").await["agreements"], json!([]), "what was bought is in memory only");
}

/// Otherwise the faults of one test use up the retries of another.
#[tokio::test]
async fn sandboxes_of_one_process_do_not_share_retry_quotas() {
    let (one, other) = (TestSandbox::start().await, TestSandbox::start().await);
    assert_ne!(one.sandbox.sdk_config().region(), other.sandbox.sdk_config().region());
}

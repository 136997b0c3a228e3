//! The registration page in browsers.

use domain::listing::Stage;
use domain::registration::Secret;
use jiff::SignedDuration;
use reqwest::Method;
use sandbox::test_client::hidden_field;
use serde_json::{Value, json};
use tests::TestEnvironment;

#[tokio::test]
async fn the_handoff_code_is_stored_only_as_a_hash() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let handed_on = world.register(&purchase.token, "buyer@example.com").await;
    let location = handed_on.location.unwrap();
    let (page, code) = location.split_once("?code=").unwrap();
    assert!(page.ends_with("/sign-up"), "{location}");
    let handoff = world.store(Stage::Staging).handoff(&Secret::presented(code).unwrap()).await.unwrap().unwrap();
    assert_eq!(handoff.license.as_str(), purchase.license);
    let wire = world.control(Method::GET, "/sandbox/wire", Value::Null).await.to_string();
    assert!(wire.contains("HANDOFF#") && !wire.contains(code), "the code itself went to the table");

    world.advance(SignedDuration::from_mins(15)).await;
    assert!(world.store(Stage::Staging).handoff(&Secret::presented(code).unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_expires_after_four_hours() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    assert_eq!(world.open("/register", Some(&cookie)).await.status, 200);
    world.advance(SignedDuration::from_hours(4)).await;
    let over = world.open("/register", Some(&cookie)).await;
    assert_eq!((over.status, over.code.as_deref()), (400, Some("session_missing")));
    let nobody = world.open("/register", None).await;
    assert_eq!((nobody.status, nobody.code.as_deref()), (400, Some("session_missing")));
}

#[tokio::test]
async fn two_tabs_have_separate_forms() {
    let world = TestEnvironment::new().await;
    let one = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let other = world.buy("demo-subscription", json!({})).await;
    let first_tab = world.post_token(&one.token).await.cookie.unwrap();
    let form_token = hidden_field(&world.open("/register", Some(&first_tab)).await.page, "form_token").unwrap();
    // The session of the second tab replaces the cookie in the browser.
    let second_tab = world.post_token(&other.token).await.cookie.unwrap();
    let fields = [("form_token", form_token.as_str()), ("email", "buyer@example.com"), ("account", "new")];
    let mixed = world.post_form("/register/details", &fields, Some(&second_tab)).await;
    assert_eq!((mixed.status, mixed.code.as_deref()), (409, Some("form_stale")));
    for purchase in [&one, &other] {
        assert!(world.store(Stage::Staging).contact(&purchase.license.parse().unwrap()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_invalid_form_writes_nothing_and_keeps_its_input() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    let wrong = world.submit_contact(&cookie, "no address", "new").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.page.contains("value=\"no address\""), "{}", wrong.page);
    assert!(world.store(Stage::Staging).contact(&purchase.license.parse().unwrap()).await.unwrap().is_none());
    assert_eq!(world.submit_contact(&cookie, "an@address.example", "existing").await.status, 303);
}

#[tokio::test]
async fn a_double_click_is_one_registration() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    for _ in 0..2 {
        assert_eq!(world.submit_contact(&cookie, "buyer@example.com", "new").await.status, 303);
    }
    let event_types = world.event_types(&purchase.license).await;
    assert_eq!(event_types.iter().filter(|kind| *kind == "registration.completed").count(), 1, "{event_types:?}");
}

#[tokio::test]
async fn the_page_is_in_japanese_or_english() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    let japanese = world.open("/register?lang=ja", Some(&cookie)).await.page;
    let english = world.open("/register?lang=en", Some(&cookie)).await.page;
    assert!(japanese.contains("<html lang=\"ja\">") && japanese.contains("メールアドレス"), "{japanese}");
    assert!(english.contains("<html lang=\"en\">") && english.contains("support@example.com"), "{english}");
}

#[tokio::test]
async fn the_status_page_follows_the_license() {
    let world = TestEnvironment::with(|options| options.delays = local_aws::Delays::default()).await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    let pending = world.open("/register/status", Some(&cookie)).await;
    assert!(pending.page.contains("reload=off"), "{}", pending.page);
    world.advance(SignedDuration::from_secs(61)).await;
    let active = world.open("/register/status", Some(&cookie)).await;
    assert!(!active.page.contains("reload=off"), "{}", active.page);
}

#[tokio::test]
async fn buyers_are_not_lost_when_aws_does_not_answer() {
    for kind in ["throttle", "error500", "before", "after", "access_denied"] {
        let world = TestEnvironment::new().await;
        let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
        world.fault(json!({ "service": "metering", "operation": "ResolveCustomer", "times": 3, "kind": kind })).await;
        let first = world.post_token(&purchase.token).await;
        assert_eq!(first.status, 503, "{kind}: {first:?}");
        assert!(!first.page.contains(&purchase.token), "{kind}");
        world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
        assert_eq!(world.register(&purchase.token, "buyer@example.com").await.status, 303, "{kind}");
    }
}

#[tokio::test]
async fn buyers_are_not_lost_when_the_table_does_not_answer() {
    for (operation, kind) in [
        ("GetItem", "error500"),
        ("PutItem", "after"),
        ("TransactWriteItems", "throttle"),
        ("TransactWriteItems", "after"),
    ] {
        let world = TestEnvironment::new().await;
        let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
        world.fault(json!({ "service": "dynamodb", "operation": operation, "times": 4, "kind": kind })).await;
        let first = world.post_token(&purchase.token).await;
        assert!([303, 503].contains(&first.status), "{operation} {kind}: {first:?}");
        world.control(Method::DELETE, "/sandbox/faults", Value::Null).await;
        assert_eq!(world.register(&purchase.token, "buyer@example.com").await.status, 303, "{operation} {kind}");
        let event_types = world.event_types(&purchase.license).await;
        assert_eq!(
            event_types.iter().filter(|kind| *kind == "license.activated").count(),
            1,
            "{operation} {kind}: {event_types:?}"
        );
    }
}

#[tokio::test]
async fn logs_contain_no_personal_data() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let visit = world.post_token(&purchase.token).await;
    let page = world.open("/register", visit.cookie.as_deref()).await;
    let token = hidden_field(&page.page, "form_token").unwrap();
    let said = [("name", "Kim Personally"), ("company", "Kims Own Works"), ("answer-order_number", "PO-personal-7")];
    // `TestEnvironment` searches every log line of this test for these texts.
    said.iter().for_each(|(_, text)| tests::log::keep_secret(text));
    let mut fields = vec![("form_token", token.as_str()), ("email", "kim@example.com"), ("account", "new")];
    fields.extend(said);
    let sent = world.post_form("/register/details", &fields, visit.cookie.as_deref()).await;
    assert_eq!(sent.status, 303, "{}", sent.page);
    let path = format!("/v1/licenses/{}/contact", purchase.license);
    let (_, contact) = world.api(Method::GET, &path, None).await;
    assert_eq!((&contact["name"], &contact["company"]), (&json!("Kim Personally"), &json!("Kims Own Works")));
    let csv = format!(
        "product,tenant,customer_identifier,email,name,company\n7demolegacy00000000000ab,acme,X9,kim@example.com,{},{}\n",
        said[0].1, said[1].1
    );
    assert_eq!(world.send_raw(Method::POST, "/v1/imports", "text/csv", csv.into_bytes()).await.status, 200);
    world.end(&purchase.agreement).await;
    world.advance(SignedDuration::from_hours(2)).await;
    let outbox = world.control(Method::GET, "/sandbox/outbox", json!({})).await;
    assert_eq!(outbox["mails"].as_array().unwrap().len(), 2);
    assert_eq!(world.api(Method::DELETE, &path, None).await.0, 204);
}

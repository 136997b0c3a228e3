//! AWS events and registrations under lost, repeated, reordered and invalid input.

use domain::listing::{Listing, Stage};
use jiff::SignedDuration;
use local_aws::LicenseArnForm;
use reqwest::Method;
use sandbox::{DescribedListing, Listings};
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase, license_event, notification};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn real_arn(license: &str) -> String {
    format!("arn:aws:license-manager::444455556666:license:{license}")
}

fn documented_arn(license: &str) -> String {
    format!("aws:license-manager:us-east-1:444455556666:{license}")
}

/// Asserts that the license is active and stays active through the registration, with contact and tenant.
async fn assert_kept_by_registration(world: &TestEnvironment, purchase: &TestPurchase) {
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    assert_eq!(world.license(&purchase.license).await["registered_at"], Value::Null);

    let handed_on = world.register(&purchase.token, "buyer@example.com").await;
    assert_eq!(handed_on.status, 303, "{handed_on:?}");
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);

    let license = world.license(&purchase.license).await;
    assert_eq!(license["state"], "active");
    assert_eq!(license["tenant"], "acme");
    assert_eq!(license["account"], purchase.account.as_str());
    let contact = world.store(Stage::Staging).contact(&purchase.license.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(contact.email, "buyer@example.com");
    let event_types = world.event_types(&purchase.license).await;
    assert_eq!(event_types.first().unwrap(), "license.activated");
    assert!(event_types.contains(&"registration.completed".to_owned()), "{event_types:?}");
    assert_eq!(event_types.last().unwrap(), "license.linked");
}

#[tokio::test]
async fn events_before_the_registration_activate_the_license() {
    let world = TestEnvironment::new().await;
    let license_keyed = world.buy("demo-subscription", json!({})).await;
    assert_kept_by_registration(&world, &license_keyed).await;
    let legacy = world.buy("demo-legacy", json!({})).await;
    assert_kept_by_registration(&world, &legacy).await;
}

#[tokio::test]
async fn unsubscribe_pending_keeps_access() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    world.end(&purchase.agreement).await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["grants_access"]), (&json!("ending"), &json!(true)));
    assert_eq!(license["usage_until"], world.now().to_string());
    assert_eq!(world.decide("acme", "requests").await["allowed"], true);

    world.advance(minutes(61)).await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["end_reason"]), (&json!("ended"), &json!("unsubscribed")));
    assert_eq!(world.decide("acme", "requests").await["reason"], "no_active_license");
}

#[tokio::test]
async fn a_late_unsubscribe_success_does_not_reopen_the_license() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    let subscribed_at = world.now();
    world.advance(minutes(10)).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(90)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "ended");

    world.send_event(&notification("subscribe-success", &purchase, "again", subscribed_at)).await;
    world.deliver(json!({ "redeliver": 50 })).await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["grants_access"]), (&json!("ended"), &json!(false)));

    world.send_event(&notification("subscribe-success", &purchase, "new", world.now())).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
}

#[tokio::test]
async fn only_valid_entitlements_count() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "projects": 3, "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let marketplace = world.sandbox.aws().marketplace();
    let passed = world.now() - SignedDuration::from_hours(24);
    world.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "seats": 6 } })).await;
    marketplace.set_expiration(&purchase.agreement.parse().unwrap(), &"projects".parse().unwrap(), passed).unwrap();
    world.send_event(&license_event("Updated", &purchase, &real_arn(&purchase.license), "again", world.now())).await;

    let license = world.license(&purchase.license).await;
    assert_eq!(license["state"], "active");
    assert_eq!(license["entitlements"].as_array().unwrap().len(), 2);
    let seats = world.decide("acme", "seats").await;
    assert_eq!((&seats["allowed"], &seats["held"]), (&json!(true), &json!("6")));
    assert_eq!(seats["expiry_passed"], false);
    // A date alone removes no access: AWS keeps it for buyers who are about to renew.
    let projects = world.decide("acme", "projects").await;
    assert_eq!((&projects["allowed"], &projects["expiry_passed"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn an_unreadable_message_becomes_a_dead_letter() {
    let world = TestEnvironment::new().await;
    let form = "application/x-www-form-urlencoded";
    let register: [(&str, Vec<u8>, &str, u16); 5] = [
        (form, vec![0xff, 0xfe, 0x00], "body_unreadable", 400),
        (form, b"nothing of interest".to_vec(), "token_missing", 400),
        (form, Vec::new(), "token_missing", 400),
        ("application/json", br#"{"x-amzn-marketplace-token":"t"}"#.to_vec(), "body_unreadable", 400),
        (form, vec![b'a'; 4 * 1024 * 1024], "body_too_large", 413),
    ];
    for (content_type, body, code, status) in register {
        let visit = world.send_raw(Method::POST, "/register", content_type, body).await;
        assert_eq!((visit.status, visit.code.as_deref()), (status, Some(code)), "{content_type}");
        assert!(visit.page.contains("<h1>"), "no HTML page");
    }
    let purchase = world.buy("demo-contract", json!({ "seats": 1 })).await;
    let path = format!("/v1/licenses/{}/tenant", purchase.license);
    for (content_type, body) in [
        ("application/json", vec![0xff, 0xfe]),
        ("application/json", b"{".to_vec()),
        ("application/json", br#"{"tenant":"a#b"}"#.to_vec()),
        ("application/json", br#"{"tenant":"acme","also":1}"#.to_vec()),
        (form, b"tenant=acme".to_vec()),
        ("application/json", vec![b' '; 4 * 1024 * 1024]),
    ] {
        let status = if body.len() > 1024 * 1024 { 413 } else { 400 };
        let answer = world.send_raw(Method::PUT, &path, content_type, body).await;
        assert_eq!(answer.status, status, "{content_type}: {answer:?}");
        let problem: Value = serde_json::from_str(&answer.page).unwrap();
        assert!(problem["code"].is_string() && problem["action"].is_string(), "{problem}");
    }
    // As in AWS, a request that is too large for Lambda reaches no handler.
    assert_eq!(world.send_raw(Method::POST, "/register", form, vec![b'a'; 10 * 1024 * 1024]).await.status, 413);
    assert_eq!(world.license(&purchase.license).await["tenant"], Value::Null);
}

#[tokio::test]
async fn one_poison_message_does_not_affect_its_batch() {
    let world = TestEnvironment::new().await;
    world.deliver(json!({ "hold": true })).await;
    world.deliver(json!({ "message": "neither JSON nor anything" })).await;
    let mut licenses = Vec::new();
    for _ in 0..5 {
        licenses.push(world.buy("demo-subscription", json!({})).await.license);
    }
    world.deliver(json!({ "release": true })).await;
    for license in &licenses {
        assert_eq!(world.license(license).await["state"], "active");
    }
    world.advance(minutes(30)).await;
    let queues = world.control(Method::GET, "/sandbox/queues", Value::Null).await;
    let dead = queues["staging"]["dead_letters"].as_array().unwrap();
    assert_eq!(dead.len(), 1, "{queues}");
    assert_eq!(dead[0]["body"], "neither JSON nor anything");
    assert_eq!(queues["staging"]["waiting"], 0, "{queues}");
}

#[tokio::test]
async fn throttled_entitlements_keep_the_last_answer() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let read_at = world.license(&purchase.license).await["entitlements_read_at"].clone();

    world
        .fault(json!({ "service": "entitlement", "operation": "GetEntitlements", "times": 3, "kind": "throttle" }))
        .await;
    world.advance(minutes(1)).await;
    world.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "seats": 9 } })).await;
    let decision = world.decide("acme", "seats").await;
    assert_eq!(decision["held"], "5");
    assert_eq!(decision["as_of"], read_at);
    assert_eq!(decision["age_seconds"], 60);

    world.advance(minutes(2)).await;
    assert_eq!(world.decide("acme", "seats").await["held"], "9");
}

#[tokio::test]
async fn revoking_one_license_of_an_account_keeps_the_other() {
    let world = TestEnvironment::new().await;
    let one = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let other =
        world.buy_as(json!({ "product": "demo-contract", "dimensions": { "seats": 3 }, "account": one.account })).await;
    for purchase in [&one, &other] {
        world.register(&purchase.token, "buyer@example.com").await;
        world.link(&purchase.license, "acme").await;
    }
    assert_eq!(world.decide("acme", "seats").await["held"], "8");
    world.end(&one.agreement).await;
    assert_eq!(world.license(&one.license).await["grants_access"], false);
    assert_eq!(world.license(&other.license).await["state"], "active");
    assert_eq!(world.decide("acme", "seats").await["held"], "3");
}

#[tokio::test]
async fn two_agreements_of_one_account_stay_separate() {
    let world = TestEnvironment::new().await;
    let one = world.buy("demo-subscription", json!({})).await;
    let other = world.buy_as(json!({ "product": "demo-subscription", "account": one.account })).await;
    assert_ne!(one.license, other.license);
    world.register(&one.token, "one@example.com").await;
    world.register(&other.token, "other@example.com").await;
    world.link(&one.license, "tenant-one").await;
    world.link(&other.license, "tenant-other").await;

    let path = format!("/v1/licenses?account={}", one.account);
    let (_, list) = world.api(Method::GET, &path, None).await;
    assert_eq!(list["licenses"].as_array().unwrap().len(), 2, "{list}");

    world.end(&one.agreement).await;
    world.advance(minutes(61)).await;
    assert_eq!(world.license(&one.license).await["state"], "ended");
    assert_eq!(world.license(&other.license).await["state"], "active");
    assert_eq!(world.decide("tenant-one", "requests").await["allowed"], false);
    assert_eq!(world.decide("tenant-other", "requests").await["allowed"], true);
}

#[tokio::test]
async fn every_order_of_events_with_duplicates_ends_in_the_same_state() {
    for seed in 0..6 {
        let world = TestEnvironment::new().await;
        world.deliver(json!({ "hold": true })).await;
        let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
        world.advance(minutes(5)).await;
        world.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "seats": 7 } })).await;
        world.advance(minutes(5)).await;
        if seed % 2 == 0 {
            world.register(&purchase.token, "buyer@example.com").await;
        }
        world.end(&purchase.agreement).await;
        let ended_at = world.now();
        world.deliver(json!({ "duplicate": 1, "reorder": seed, "release": true })).await;
        world.advance(minutes(8)).await;
        if seed % 2 == 1 {
            world.register(&purchase.token, "buyer@example.com").await;
        }
        let license = world.license(&purchase.license).await;
        assert_eq!(license["state"], "ending", "seed {seed}: {license}");
        assert_eq!(license["usage_until"], ended_at.to_string(), "seed {seed}");
        world.advance(minutes(60)).await;
        let license = world.license(&purchase.license).await;
        assert_eq!((&license["state"], &license["end_reason"]), (&json!("ended"), &json!("cancelled")), "seed {seed}");
    }
}

#[tokio::test]
async fn a_token_can_be_posted_twice_but_not_expired_or_for_another_product() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let (first, second) = (world.post_token(&purchase.token).await, world.post_token(&purchase.token).await);
    assert_eq!((first.status, second.status), (303, 303));
    assert_ne!(first.cookie, second.cookie);
    for path in ["/v1/licenses".to_owned(), format!("/v1/licenses?account={}", purchase.account)] {
        let (_, list) = world.api(Method::GET, &path, None).await;
        assert_eq!(list["licenses"].as_array().unwrap().len(), 1, "{list}");
    }

    let forged = world.post_token("forged").await;
    assert_eq!((forged.status, forged.code.as_deref()), (400, Some("token_invalid")));

    let other = world.buy("demo-production", json!({})).await;
    let elsewhere = world.post_token(&other.token).await;
    assert_eq!((elsewhere.status, elsewhere.code.as_deref()), (404, Some("product_unknown")));

    world.advance(SignedDuration::from_hours(4)).await;
    let expired = world.post_token(&purchase.token).await;
    assert_eq!((expired.status, expired.code.as_deref()), (410, Some("token_expired")));
    for visit in [&forged, &elsewhere, &expired] {
        assert!(!visit.page.contains(&purchase.token) && !visit.page.contains(&other.token));
        assert!(visit.cookie.is_none());
    }
}

#[tokio::test]
async fn a_linked_license_is_not_given_to_another_tenant() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    let (status, problem) = world.link(&purchase.license, "other").await;
    assert_eq!((status, &problem["code"]), (409, &json!("license_linked_elsewhere")));
    assert!(!problem.to_string().contains("acme"));
    assert_eq!(world.license(&purchase.license).await["tenant"], "acme");
    assert_eq!(world.event_types(&purchase.license).await.iter().filter(|kind| *kind == "license.linked").count(), 1);
    let (status, problem) = world.link("l-unknown", "acme").await;
    assert_eq!((status, &problem["code"]), (404, &json!("license_unknown")));
}

/// Returns a contract listing with the given number of dimensions.
fn broad_listing(dimensions: usize) -> Listing {
    let mut listing = Listing::parse(include_str!("../../../listings/demo-contract.toml")).unwrap();
    let one = listing.dimensions[0].clone();
    listing.dimensions = (0..dimensions)
        .map(|number| {
            let mut dimension = one.clone();
            dimension.key = format!("dimension_{number:02}").parse().unwrap();
            dimension
        })
        .collect();
    listing
}

#[tokio::test]
async fn entitlements_are_read_from_all_pages_even_behind_an_empty_one() {
    let listing = DescribedListing { file: "broad".to_owned(), listing: broad_listing(60) };
    let world = TestEnvironment::with(|options| options.listings = Listings::These(vec![listing])).await;
    world.sandbox.aws().marketplace().set_empty_first_pages(1);
    let dimensions: serde_json::Map<String, Value> =
        (0..60).map(|number| (format!("dimension_{number:02}"), json!(number + 1))).collect();
    let purchase = world.buy("broad", Value::Object(dimensions)).await;
    world.link(&purchase.license, "acme").await;
    assert_eq!(world.license(&purchase.license).await["entitlements"].as_array().unwrap().len(), 60);
    assert_eq!(world.decide("acme", "dimension_59").await["held"], "60");
}

#[tokio::test]
async fn both_forms_of_the_arn_are_the_same_license() {
    for form in [LicenseArnForm::Documented, LicenseArnForm::Real] {
        let world = TestEnvironment::with(|options| options.behavior.license_arn = form).await;
        let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
        assert_eq!(world.license(&purchase.license).await["state"], "active");
        world.register(&purchase.token, "buyer@example.com").await;
        let (now, arn) = (world.now(), documented_arn(&purchase.license));
        world.send_event(&license_event("Updated", &purchase, &arn, "documented", now)).await;
        world.send_event(&license_event("Updated", &purchase, &real_arn(&purchase.license), "real", now)).await;
        let (_, list) = world.api(Method::GET, "/v1/licenses?state=active", None).await;
        let licenses = list["licenses"].as_array().unwrap();
        assert_eq!(licenses.len(), 1, "{list}");
        assert!(licenses[0]["arn"].as_str().unwrap().starts_with("arn:aws:license-manager::"));
        assert_eq!(licenses[0]["entitlements"][0]["value"], json!({ "integer": 5 }));
    }
}

#[tokio::test]
async fn only_the_stack_of_the_listing_applies_events() {
    let world = TestEnvironment::with(|options| options.stages = vec![Stage::Staging, Stage::Production]).await;
    let staging = world.buy("demo-subscription", json!({})).await;
    let production = world.buy("demo-production", json!({})).await;
    let legacy = world.buy("demo-legacy", json!({})).await;
    let known = |stage: Stage, purchase: &TestPurchase| {
        let (store, id) = (world.store(stage), purchase.license.parse().unwrap());
        async move { store.license(&id).await.unwrap().is_some() }
    };
    for (purchase, stage) in [(&staging, Stage::Staging), (&production, Stage::Production), (&legacy, Stage::Staging)] {
        let other = if stage == Stage::Staging { Stage::Production } else { Stage::Staging };
        assert!(known(stage, purchase).await);
        assert!(!known(other, purchase).await);
    }
    let queues = world.control(Method::GET, "/sandbox/queues", Value::Null).await;
    for stage in ["staging", "production"] {
        assert_eq!(queues[stage]["waiting"], 0, "{queues}");
        assert_eq!(queues[stage]["dead_letters"], json!([]), "{queues}");
    }
}

#[tokio::test]
async fn a_renewal_with_the_same_license_keeps_the_tenant() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let told_before = world.event_types(&purchase.license).await;
    world.advance(minutes(10)).await;
    let renewed = world.change(&purchase.agreement, json!({ "action": "renew" })).await;
    world.advance(minutes(10)).await;
    assert_eq!(renewed["license"], purchase.license.as_str());
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["tenant"]), (&json!("active"), &json!("acme")));
    assert_eq!(license["agreement"], renewed["agreement_id"]);
    assert_eq!(world.decide("acme", "seats").await["held"], "5");
    let event_types: Vec<String> = world.event_types(&purchase.license).await.split_off(told_before.len());
    assert!(event_types.iter().all(|kind| kind == "license.entitlements_changed"), "{event_types:?}");

    world.end(renewed["agreement_id"].as_str().unwrap()).await;
    world.advance(minutes(61)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "ended");
}

#[tokio::test]
async fn a_renewal_with_a_new_license_inherits_the_tenant() {
    for (seed, link_after) in [(0, false), (1, true), (2, false), (3, true), (4, false)] {
        let world = TestEnvironment::new().await;
        let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
        world.register(&purchase.token, "buyer@example.com").await;
        if !link_after {
            world.link(&purchase.license, "acme").await;
        }
        world.advance(minutes(10)).await;
        world.deliver(json!({ "hold": true })).await;
        let renewed = world.change(&purchase.agreement, json!({ "action": "renew", "new_license": true })).await;
        let renewed_at = world.now();
        let successor = renewed["license"].as_str().unwrap().to_owned();
        assert_ne!(successor, purchase.license);
        world.deliver(json!({ "duplicate": 1, "reorder": seed, "release": true })).await;
        world.advance(minutes(5)).await;
        if link_after {
            world.link(&purchase.license, "acme").await;
        }

        let new = world.license(&successor).await;
        assert_eq!((&new["state"], &new["tenant"]), (&json!("active"), &json!("acme")), "seed {seed}: {new}");
        assert_eq!(new["predecessor"], purchase.license.as_str());
        let contact = world.store(Stage::Staging).contact(&successor.parse().unwrap()).await.unwrap();
        assert_eq!(contact.unwrap().email, "buyer@example.com");
        let old = world.license(&purchase.license).await;
        assert_eq!((&old["state"], &old["successor"]), (&json!("ending"), &json!(successor)), "seed {seed}: {old}");
        assert_eq!(old["usage_until"], renewed_at.to_string(), "seed {seed}");
        assert_eq!(world.decide("acme", "seats").await["held"], "5", "seed {seed}");
        world.advance(minutes(61)).await;
        assert_eq!(world.license(&purchase.license).await["end_reason"], "succeeded");
        assert_eq!(world.license(&successor).await["state"], "active");
    }
}

#[tokio::test]
async fn a_line_of_renewals_passes_the_tenant_to_the_last_license() {
    let world = TestEnvironment::new().await;
    let first = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let mut agreement = first.agreement.clone();
    let mut line = vec![first.license.clone()];
    for _ in 0..2 {
        world.advance(minutes(10)).await;
        let renewed = world.change(&agreement, json!({ "action": "renew", "new_license": true })).await;
        agreement = renewed["agreement_id"].as_str().unwrap().to_owned();
        line.push(renewed["license"].as_str().unwrap().to_owned());
    }
    world.link(&first.license, "acme").await;
    for license in &line {
        assert_eq!(world.license(license).await["tenant"], "acme", "{license}");
    }
    assert_eq!(world.decide("acme", "seats").await["held"], "5");

    // A later event about a license that has a successor does not reactivate the license.
    let old = TestPurchase { license: line[0].clone(), ..first };
    world.send_event(&license_event("Updated", &old, &real_arn(&line[0]), "stray", world.now())).await;
    assert_ne!(world.license(&line[0]).await["state"], "active");
    assert_eq!(world.decide("acme", "seats").await["held"], "5");
}

#[tokio::test]
async fn the_end_of_an_older_agreement_does_not_affect_the_newer() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.advance(minutes(10)).await;
    let renewed = world.change(&purchase.agreement, json!({ "action": "renew" })).await;
    world.advance(minutes(10)).await;
    let newer = TestPurchase { agreement: renewed["agreement_id"].as_str().unwrap().to_owned(), ..purchase.clone() };
    let (arn, now) = (real_arn(&purchase.license), world.now());
    world.send_event(&license_event("Deprovisioned", &newer, &arn, "newer", now)).await;
    world
        .send_event(&license_event("Deprovisioned", &purchase, &arn, "older", now + SignedDuration::from_secs(1)))
        .await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["grants_access"]), (&json!("ending"), &json!(false)));
}

#[tokio::test]
async fn the_contact_is_kept_when_another_user_registers_a_linked_license() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "first@example.com").await;
    world.link(&purchase.license, "acme").await;

    let arrived = world.post_token(&purchase.token).await;
    let cookie = arrived.cookie.unwrap();
    let page = world.open("/register", Some(&cookie)).await;
    assert!(!page.page.contains("first@example.com") && !page.page.contains("name=\"email\""), "{}", page.page);
    let handed_on = world.submit_contact(&cookie, "second@example.com", "new").await;
    assert_eq!(handed_on.status, 303, "{handed_on:?}");
    assert!(handed_on.location.unwrap().contains("/sign-in?code="));
    let contact = world.store(Stage::Staging).contact(&purchase.license.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(contact.email, "first@example.com");
    assert_eq!(world.license(&purchase.license).await["tenant"], "acme");
}

#[tokio::test]
async fn a_product_during_its_move_uses_the_key_of_its_listing() {
    let world = TestEnvironment::new().await;
    world.control(Method::POST, "/sandbox/behavior", json!({ "resolve_customer_keys": "both_keys" })).await;
    let license_keyed = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let legacy = world.buy("demo-legacy", json!({})).await;
    for purchase in [&license_keyed, &legacy] {
        assert_eq!(world.register(&purchase.token, "buyer@example.com").await.status, 303);
        assert_eq!(world.license(&purchase.license).await["state"], "active");
        world.end(&purchase.agreement).await;
        assert_eq!(world.license(&purchase.license).await["state"], "ending", "{}", purchase.license);
    }
    assert_eq!(world.license(&license_keyed.license).await["entitlements"][0]["value"], json!({ "integer": 5 }));
}

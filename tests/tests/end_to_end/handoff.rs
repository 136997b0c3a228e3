//! The way from the registration page into the application: redeemed codes, links, moves, and the stored personal data.

use domain::audit::AuditEntry;
use domain::listing::Stage;
use jiff::SignedDuration;
use reqwest::Method;
use sandbox::test_client::{PageResponse, handoff_code, hidden_field};
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

async fn bought(world: &TestEnvironment) -> TestPurchase {
    world.buy("demo-contract", json!({ "seats": 5 })).await
}

/// Makes a buyer who has registered. Returns the purchase, and the code of the redirect to the application.
async fn registered(world: &TestEnvironment) -> (TestPurchase, String) {
    let purchase = bought(world).await;
    let code = handoff_code(&world.register(&purchase.token, "buyer@example.com").await).unwrap();
    (purchase, code)
}

fn is_gone(answer: &(u16, Value)) -> bool {
    answer.0 == 410 && answer.1["code"] == "handoff_gone"
}

async fn audit(world: &TestEnvironment) -> Vec<AuditEntry> {
    world.store(Stage::Staging).audit_log("2026-11").await.unwrap()
}

#[tokio::test]
async fn a_code_gives_the_application_the_buyers_details() {
    let world = TestEnvironment::new().await;
    let (purchase, code) = registered(&world).await;
    let (status, handoff) = world.redeem("first", &code).await;
    assert_eq!(status, 200, "{handoff}");
    let license = world.license(&purchase.license).await;
    assert_eq!(
        handoff,
        json!({
            "license": purchase.license, "product": license["product"], "account": license["account"],
            "customer_identifier": null, "state": "active", "grants_access": true, "entry_point": "sign_up", "linked": false,
            "probe": false,
            "contact": {
                "email": "buyer@example.com", "name": null, "company": null, "answers": {}, "language": "en",
                "saved_at": "2026-11-10T09:20:00Z",
            },
            "expires_at": "2026-11-10T09:35:00Z",
        })
    );
}

#[tokio::test]
async fn the_listings_extra_fields_are_part_of_the_contact() {
    let world = TestEnvironment::new().await;
    let purchase = bought(&world).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    let page = world.open("/register?lang=ja", Some(&cookie)).await.page;
    assert!(page.contains("貴社の発注番号") && page.contains("101 人以上"), "{page}");
    let form_token = hidden_field(&page, "form_token").unwrap();
    let post = |team_size: &'static str| {
        let (world, cookie, form_token) = (&world, &cookie, &form_token);
        async move {
            let fields = [
                ("form_token", form_token.as_str()),
                ("email", "buyer@example.com"),
                ("account", "new"),
                ("answer-team_size", team_size),
                ("answer-order_number", " PO-7 "),
            ];
            world.post_form("/register/details", &fields, Some(cookie)).await
        }
    };
    let wrong = post("a few").await;
    assert_eq!((wrong.status, wrong.code.as_deref()), (400, Some("details_invalid")));
    assert!(wrong.page.contains("href=\"#answer-team_size\"") && wrong.page.contains("value=\"PO-7\""), "{wrong:?}");
    let code = handoff_code(&post("11-100").await).unwrap();
    let (_, handoff) = world.redeem("key", &code).await;
    assert_eq!(handoff["contact"]["answers"], json!({ "team_size": "11-100", "order_number": "PO-7" }));
}

#[tokio::test]
async fn a_lost_answer_is_repeated_to_the_same_caller_until_the_license_is_linked() {
    let world = TestEnvironment::new().await;
    let (purchase, code) = registered(&world).await;
    let (_, first) = world.redeem("one", &code).await;
    assert_eq!(world.redeem("one", &code).await, (200, first));
    assert!(is_gone(&world.redeem("another", &code).await), "another request of the same caller");
    assert!(is_gone(&world.redeem_as("AKIASOMEBODY", "one", &code).await), "another caller with the same key");
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200);
    assert!(is_gone(&world.redeem("one", &code).await), "the answer has arrived");
}

#[tokio::test]
async fn a_code_is_redeemed_by_only_one_of_two_concurrent_callers() {
    let world = TestEnvironment::new().await;
    let (_, code) = registered(&world).await;
    let (one, other) = tokio::join!(world.redeem("one", &code), world.redeem("other", &code));
    let statuses = [one.0, other.0];
    assert!(statuses.contains(&200) && statuses.contains(&410), "{statuses:?}");
}

#[tokio::test]
async fn a_code_lasts_15_minutes_and_a_newer_one_revokes_it() {
    let world = TestEnvironment::new().await;
    let purchase = bought(&world).await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    let go_on = || async { handoff_code(&world.submit_contact(&cookie, "buyer@example.com", "new").await).unwrap() };
    let first = go_on().await;
    world.advance(SignedDuration::from_secs(1)).await;
    let second = go_on().await;
    assert!(is_gone(&world.redeem("a", &first).await), "it was replaced");
    world.advance(SignedDuration::from_secs(15 * 60 - 1)).await;
    assert_eq!(world.redeem("a", &second).await.0, 200);
    world.advance(SignedDuration::from_secs(1)).await;
    assert!(is_gone(&world.redeem("a", &second).await), "it is 15 minutes old");
    // The session still exists, and creates another code.
    assert_eq!(world.redeem("b", &go_on().await).await.0, 200);
}

#[tokio::test]
async fn an_invalid_redemption_is_refused_with_the_reason() {
    let world = TestEnvironment::new().await;
    for code in ["", "no code", &"x".repeat(43)] {
        assert!(is_gone(&world.redeem("key", code).await), "{code:?}");
    }
    for key in ["", "a b", &"x".repeat(256)] {
        let (status, problem) = world.redeem(key, &"x".repeat(43)).await;
        assert_eq!((status, &problem["code"]), (400, &json!("idempotency_key_invalid")), "{key:?}");
    }
    let (status, problem) = world.api(Method::POST, "/v1/handoffs", Some(json!({ "code": "x" }))).await;
    assert_eq!((status, &problem["code"]), (400, &json!("idempotency_key_invalid")));
    let (status, _) = world.api(Method::GET, "/v1/handoffs", None).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn a_second_registration_of_a_linked_license_reveals_nothing_of_the_first() {
    let world = TestEnvironment::new().await;
    let (purchase, _) = registered(&world).await;
    world.link(&purchase.license, "acme").await;
    let cookie = world.post_token(&purchase.token).await.cookie.unwrap();
    let on: PageResponse = world.submit_contact(&cookie, "second@example.com", "new").await;
    let code = handoff_code(&on).unwrap();
    let (status, handoff) = world.redeem("second", &code).await;
    assert_eq!((status, &handoff["linked"], &handoff["entry_point"]), (200, &json!(true), &json!("sign_in")));
    assert_eq!(handoff["contact"], Value::Null);
    assert!(!handoff.to_string().contains("acme"), "{handoff}");
    // A sign-in links nothing, so the answer can be given again after it was lost.
    assert_eq!(world.redeem("second", &code).await, (200, handoff));
    let (status, problem) = world.link(&purchase.license, "mallory").await;
    assert_eq!((status, &problem["code"]), (409, &json!("license_linked_elsewhere")));
    assert_eq!(world.link(&purchase.license, "acme").await.0, 200, "its own tenant comes back");
}

#[tokio::test]
async fn moving_and_unlinking_a_license_is_written_to_the_audit_log() {
    let world = TestEnvironment::new().await;
    let (purchase, _) = registered(&world).await;
    world.link(&purchase.license, "acme").await;
    world.link(&purchase.license, "acme").await;
    let path = |what: &str| format!("/v1/licenses/{}/tenant/{what}", purchase.license);
    let ask = |what: &'static str, body: Value| {
        let path = path(what);
        let world = &world;
        async move { world.api(Method::POST, &path, Some(body)).await }
    };
    let to_globex = json!({ "from": "acme", "to": "globex", "reason": "the buyer merged two accounts" });
    for (body, code) in [
        (json!({ "from": "acme", "to": "globex", "reason": "  " }), "parameter_invalid"),
        (json!({ "from": "acme", "to": "acme", "reason": "none" }), "parameter_invalid"),
        (json!({ "from": "acme", "to": "globex" }), "body_invalid"),
    ] {
        let (status, problem) = ask("move", body).await;
        assert_eq!((status, &problem["code"]), (400, &json!(code)));
    }
    let (status, problem) = ask("move", json!({ "from": "initech", "to": "globex", "reason": "a slip" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("license_not_of_tenant")));
    for _ in 0..2 {
        let (status, license) = ask("move", to_globex.clone()).await;
        assert_eq!((status, &license["tenant"]), (200, &json!("globex")));
    }
    assert_eq!(world.decide("acme", "seats").await["reason"], "no_license");
    for _ in 0..2 {
        let (status, license) = ask("unlink", json!({ "from": "globex", "reason": "the wrong one" })).await;
        assert_eq!((status, &license["tenant"]), (200, &Value::Null));
    }
    assert_eq!(world.link(&purchase.license, "initech").await.0, 200);
    let event_types = world.event_types(&purchase.license).await;
    let of_tenant: Vec<&str> = event_types.iter().map(String::as_str).filter(|kind| kind.contains("linked")).collect();
    let expected = ["license.linked", "license.unlinked", "license.linked", "license.unlinked", "license.linked"];
    assert_eq!(of_tenant, expected);
    let mut log = audit(&world).await;
    log.sort_by_key(|entry| (entry.action.clone(), entry.before["to"].clone()));
    let done: Vec<(&str, &str)> = log.iter().map(|it| (it.action.as_str(), it.before["to"].as_str())).collect();
    let expected = [
        ("license.link", "acme"),
        ("license.link", "initech"),
        ("license.move", "globex"),
        ("license.unlink", "nobody"),
    ];
    assert_eq!(done, expected, "each once, though each was asked for twice");
    assert!(log.iter().all(|entry| entry.subject == purchase.license && entry.actor.ends_with("AKIAAPPLICATION")));
    assert_eq!(log[2].before["reason"], "the buyer merged two accounts");
}

#[tokio::test]
async fn an_unlinked_license_is_not_linked_again_by_a_renewal_or_a_registration() {
    let world = TestEnvironment::with(|options| options.behavior.license_survives_renewal = false).await;
    let (purchase, _) = registered(&world).await;
    world.link(&purchase.license, "acme").await;
    let renewed = world.change(&purchase.agreement, json!({ "action": "renew" })).await;
    let heir = world.license(&purchase.license).await["successor"].as_str().unwrap().to_owned();
    assert_eq!(world.license(&heir).await["tenant"], "acme");
    let unlink = json!({ "from": "acme", "reason": "linked by mistake" });
    let (status, license) = world.api(Method::POST, &format!("/v1/licenses/{heir}/tenant/unlink"), Some(unlink)).await;
    assert_eq!((status, &license["tenant"]), (200, &Value::Null));
    let agreement = renewed["agreement_id"].as_str().unwrap_or(&purchase.agreement).to_owned();
    let token = world.control(Method::POST, &format!("/sandbox/agreements/{agreement}/token"), Value::Null).await;
    assert_eq!(world.post_token(token["token"].as_str().unwrap()).await.status, 303);
    for license in [&purchase.license, &heir] {
        assert_eq!(world.license(license).await["tenant"], Value::Null, "{license}");
    }
    let events = world.control(Method::GET, "/sandbox/events", Value::Null).await;
    let unlinked = events["events"].as_array().unwrap().iter().filter(|event| event["type"] == "license.unlinked");
    let tenants: Vec<&Value> = unlinked.map(|event| &event["tenant"]).collect();
    assert_eq!(tenants, ["acme", "acme"], "each says from whom: {events}");
}

/// Makes a line of three licenses that belong to no tenant: three years of one buyer.
async fn unlinked_line(world: &TestEnvironment) -> (TestPurchase, Vec<String>) {
    let (purchase, _) = registered(world).await;
    let mut line = vec![purchase.license.clone()];
    let mut agreement = purchase.agreement.clone();
    for _ in 0..2 {
        world.advance(SignedDuration::from_mins(5)).await;
        let renewed = world.change(&agreement, json!({ "action": "renew", "new_license": true })).await;
        agreement = renewed["agreement_id"].as_str().unwrap().to_owned();
        line.push(renewed["license"].as_str().unwrap().to_owned());
    }
    for (old, new) in line.iter().zip(&line[1..]) {
        assert_eq!(world.license(new).await["predecessor"], old.as_str());
    }
    (purchase, line)
}

#[tokio::test]
async fn a_line_of_renewals_belongs_to_one_tenant_whichever_license_is_linked_first() {
    for first in 0..3 {
        let world = TestEnvironment::new().await;
        let (purchase, line) = unlinked_line(&world).await;
        assert_eq!(world.link(&line[first], "acme").await.0, 200);
        for license in &line {
            let (status, refused) = world.link(license, "globex").await;
            assert_eq!((status, &refused["code"]), (409, &json!("license_linked_elsewhere")), "{first}: {license}");
        }
        let (_, tenant) = world.api(Method::GET, "/v1/tenants/globex", None).await;
        assert_eq!(tenant["licenses"], json!([]), "{tenant}");
        // An import cannot link it either.
        let arn = format!("arn:aws:license-manager::294406891311:license:{}", line[0]);
        let csv = format!("product,tenant,license_arn\n{},globex,{arn}\n", purchase.product);
        for path in ["/v1/imports?dry_run=true", "/v1/imports"] {
            let answer = world.send_raw(Method::POST, path, "text/csv", csv.clone().into_bytes()).await;
            assert!(answer.page.contains("license_linked_elsewhere"), "{first}: {}", answer.page);
        }
        for license in &line {
            assert_eq!(world.link(license, "acme").await.0, 200, "{first}: {license}");
        }
    }
}

#[tokio::test]
async fn only_one_of_two_concurrent_tenants_gets_a_line_of_renewals() {
    let world = TestEnvironment::new().await;
    let (_, line) = unlinked_line(&world).await;
    for round in 0..30 {
        let (old, new) = (&line[round % 3], &line[(round + 1 + round % 2) % 3]);
        let ((first, _), (second, _)) = tokio::join!(world.link(old, "acme"), world.link(new, "globex"));
        let winner = match (first, second) {
            (200, 409) => "acme",
            (409, 200) => "globex",
            both => panic!("round {round}: {both:?}"),
        };
        let newest = world.license(&line[2]).await;
        assert_eq!(newest["tenant"], winner, "round {round}");
        for license in &line {
            let tenant = &world.license(license).await["tenant"];
            assert!(tenant.is_null() || *tenant == winner, "round {round}: {license} is {tenant}'s");
        }
        // The license is unlinked while the winner links it again, through any license of the line. Afterwards it
        // belongs to the winner or to no tenant.
        let unlink = json!({ "from": winner, "reason": "linked by mistake" });
        let path = format!("/v1/licenses/{}/tenant/unlink", line[2]);
        tokio::join!(world.api(Method::POST, &path, Some(unlink.clone())), world.link(old, winner));
        let owner = world.license(&line[2]).await["tenant"].clone();
        for license in &line {
            let tenant = &world.license(license).await["tenant"];
            assert!(tenant.is_null() || *tenant == owner, "round {round}: {license} is {tenant}'s, not {owner}'s");
        }
        assert_eq!(world.api(Method::POST, &path, Some(unlink)).await.0, 200, "round {round}");
    }
}

#[tokio::test]
async fn a_code_returns_only_the_contact_of_its_own_session() {
    let world = TestEnvironment::new().await;
    let purchase = bought(&world).await;
    let leave = |email: &'static str| {
        let (world, token) = (&world, &purchase.token);
        async move { handoff_code(&world.register(token, email).await).unwrap() }
    };
    let first = leave("first@example.com").await;
    let second = leave("second@example.com").await;
    let (_, handoff) = world.redeem("first", &first).await;
    assert_eq!((&handoff["license"], &handoff["contact"]), (&json!(purchase.license), &Value::Null));
    let (_, handoff) = world.redeem("second", &second).await;
    assert_eq!(handoff["contact"]["email"], "second@example.com");
    // A code that was made while the license had a tenant does not return the contact, even after the unlink.
    world.link(&purchase.license, "acme").await;
    let code = leave("third@example.com").await;
    let unlink = json!({ "from": "acme", "reason": "linked by mistake" });
    let path = format!("/v1/licenses/{}/tenant/unlink", purchase.license);
    assert_eq!(world.api(Method::POST, &path, Some(unlink)).await.0, 200);
    let (_, handoff) = world.redeem("third", &code).await;
    assert_eq!((&handoff["linked"], &handoff["contact"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn personal_data_is_exported_and_erased() {
    let world = TestEnvironment::new().await;
    let (purchase, _) = registered(&world).await;
    let path = format!("/v1/licenses/{}/contact", purchase.license);
    let (status, contact) = world.api(Method::GET, &path, None).await;
    assert_eq!((status, &contact["email"]), (200, &json!("buyer@example.com")));
    for _ in 0..2 {
        assert_eq!(world.api(Method::DELETE, &path, None).await, (204, Value::Null));
    }
    let (status, problem) = world.api(Method::GET, &path, None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("contact_unknown")));
    let log = audit(&world).await;
    assert_eq!(log.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["contact.erase"]);
    assert!(!format!("{log:?}").contains("buyer@"));
    let (status, _) = world.api(Method::DELETE, "/v1/licenses/l-unknown/contact", None).await;
    assert_eq!(status, 404);
    let (status, _) = world.api(Method::POST, &path, None).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn a_contact_is_erased_along_the_whole_line_of_licenses() {
    let world = TestEnvironment::with(|options| options.behavior.license_survives_renewal = false).await;
    let (purchase, _) = registered(&world).await;
    world.link(&purchase.license, "acme").await;
    world.advance(SignedDuration::from_mins(5)).await;
    world.change(&purchase.agreement, json!({ "action": "renew" })).await;
    world.advance(SignedDuration::from_mins(5)).await;
    let successor = world.license(&purchase.license).await["successor"].as_str().unwrap().to_owned();
    let path = |license: &str| format!("/v1/licenses/{license}/contact");
    assert_eq!(world.api(Method::GET, &path(&successor), None).await.0, 200, "it is inherited");
    assert_eq!(world.api(Method::DELETE, &path(&successor), None).await.0, 204);
    for license in [&successor, &purchase.license] {
        assert_eq!(world.api(Method::GET, &path(license), None).await.0, 404, "{license}");
    }
}

#[tokio::test]
async fn a_probe_is_redeemed_but_never_metered_published_or_listed() {
    let world = TestEnvironment::new().await;
    let buyer = world.buy("demo-subscription", json!({})).await;
    world.register(&buyer.token, "buyer@example.com").await;
    let make = |product: &str| json!({ "product": product, "entry_point": "sign_in" });
    let (status, probe) = world.api(Method::POST, "/v1/probes", Some(make(&buyer.product))).await;
    assert_eq!(status, 201, "{probe}");
    let (license, url) = (probe["license"].as_str().unwrap(), probe["url"].as_str().unwrap());
    assert!(license.starts_with("l-probe") && url.contains("/sign-in?code="), "{probe}");
    let (status, handoff) = world.redeem("key", url.split("code=").nth(1).unwrap()).await;
    assert_eq!((status, &handoff["probe"], &handoff["state"]), (200, &json!(true), &json!("active")), "{handoff}");

    // A probe has its own tenants.
    for (license, tenant) in [(license, "acme"), (buyer.license.as_str(), "probe-1")] {
        let (status, refused) = world.link(license, tenant).await;
        assert_eq!((status, &refused["code"]), (400, &json!("parameter_invalid")), "{refused}");
    }
    assert_eq!(world.link(license, "probe-1").await.0, 200);
    let (_, tenant) = world.api(Method::GET, "/v1/tenants/probe-1", None).await;
    assert_eq!((&tenant["managed"], &tenant["change_plan"]["in_application"]), (&json!(true), &json!(false)));

    let event = json!({ "license": license, "dimension": "requests", "quantity": 5, "key": "k", "time": world.now().to_string() });
    assert_eq!(world.results(json!([event])).await[0]["code"], "license_probe");
    world.advance(SignedDuration::from_mins(120)).await;
    let bill = world.control(Method::GET, "/sandbox/bill", json!({})).await;
    assert!(!bill.to_string().contains(license) && bill.to_string().contains(&buyer.license));
    assert_eq!(world.event_types(license).await, Vec::<String>::new());
    let (_, listed) = world.api(Method::GET, "/v1/licenses", None).await;
    assert!(!listed.to_string().contains(license) && listed.to_string().contains(&buyer.license), "{listed}");
    let path = format!("/v1/licenses/{license}/reconcile");
    assert_eq!(world.api(Method::POST, &path, None).await.0, 404);

    world.advance(SignedDuration::from_hours(23)).await;
    assert_eq!(world.api(Method::GET, &format!("/v1/licenses/{license}"), None).await.0, 404);
    let (_, tenant) = world.api(Method::GET, "/v1/tenants/probe-1", None).await;
    assert_eq!(tenant["licenses"], json!([]), "{tenant}");
    assert_eq!(world.api(Method::POST, "/v1/probes", Some(make("4unknown000000000000000ab"))).await.0, 400);
}

//! Customers whom the seller had before Stallkeeper: imported with their tenants, and moved from customer keys to
//! license keys without billing a unit twice.

use std::collections::{BTreeMap, BTreeSet};

use domain::listing::Stage;
use jiff::{SignedDuration, Timestamp};
use lambda::metrics::Metric;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestEnvironment, TestPurchase};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

pub(crate) async fn import(world: &TestEnvironment, csv: &str) -> Vec<Value> {
    import_as(world, csv, "/v1/imports").await["results"].as_array().unwrap().clone()
}

async fn import_as(world: &TestEnvironment, csv: &str, path: &str) -> Value {
    let answer = world.send_raw(Method::POST, path, "text/csv", csv.as_bytes().to_vec()).await;
    assert_eq!(answer.status, 200, "{}", answer.page);
    serde_json::from_str(&answer.page).unwrap()
}

/// Makes a purchase by a buyer whom the seller had before: AWS's events about the purchase went elsewhere.
pub(crate) async fn old_customer(world: &TestEnvironment, product: &str, dimensions: Value) -> TestPurchase {
    world.deliver(json!({ "hold": true })).await;
    let purchase = world.buy(product, dimensions).await;
    world.deliver(json!({ "lose": "" })).await;
    world.deliver(json!({ "release": true })).await;
    assert_eq!(world.api(Method::GET, &format!("/v1/licenses/{}", purchase.license), None).await.0, 404);
    purchase
}

/// Returns the ARN of the license that a legacy buyer has in AWS.
async fn arn_of(world: &TestEnvironment, purchase: &TestPurchase) -> String {
    let bought = world.control(Method::GET, "/sandbox/purchases", json!({})).await;
    let mut licenses = bought["licenses"].as_array().unwrap().iter();
    let of_agreement = licenses.find(|license| license["agreement_id"] == purchase.agreement.as_str()).unwrap();
    of_agreement["license_arn"].as_str().unwrap().to_owned()
}

pub(crate) fn usage(license: &str, quantity: i64, key: &str, time: Timestamp) -> Value {
    json!({ "license": license, "dimension": "requests", "quantity": quantity, "key": key, "time": time.to_string() })
}

/// Returns the bookings of a buyer in AWS: the units, and the styles of each hour.
pub(crate) async fn booked(world: &TestEnvironment, legacy: &str) -> (Decimal, BTreeMap<String, BTreeSet<String>>) {
    let bill = world.control(Method::GET, "/sandbox/bill", json!({})).await;
    let (mut units, mut styles) = (Decimal::ZERO, BTreeMap::<String, BTreeSet<String>>::new());
    for record in bill["records"].as_array().unwrap().iter().filter(|record| record["license"] == legacy) {
        units += record["quantity"].as_str().unwrap().parse::<Decimal>().unwrap();
        let hour = record["hour"].as_str().unwrap().to_owned();
        styles.entry(hour).or_default().insert(record["style"].as_str().unwrap().to_owned());
    }
    (units, styles)
}

#[tokio::test]
async fn customers_are_imported_with_their_tenants() {
    let world = TestEnvironment::new().await;
    let legacy = old_customer(&world, "demo-legacy", json!({})).await;
    let contract = old_customer(&world, "demo-contract", json!({ "seats": 5 })).await;
    let customer = legacy.customer.clone().unwrap();
    let arn = arn_of(&world, &contract).await;
    let csv = format!(
        "product,tenant,customer_identifier,license_arn,agreement_id,account,since,email,language\n\
         {},old-acme,{customer},,,{},2025-04-01T00:00:00Z,buyer@example.com,ja\n\
         {},new-acme,,{arn},{},{},,,\n",
        legacy.product, legacy.account, contract.product, contract.agreement, contract.account
    );
    let tried = import_as(&world, &csv, "/v1/imports?dry_run=true").await;
    assert_eq!((&tried["dry_run"], &tried["imported"]), (&json!(true), &json!(2)));
    assert_eq!(world.api(Method::GET, &format!("/v1/licenses/{}", legacy.license), None).await.0, 404);

    let results = import(&world, &csv).await;
    for (result, purchase) in results.iter().zip([&legacy, &contract]) {
        assert_eq!((&result["status"], &result["license"]), (&json!("imported"), &json!(purchase.license)), "{result}");
        assert_eq!(result["metered_from"], "2026-11-10T10:00:00Z");
    }
    for (purchase, tenant) in [(&legacy, "old-acme"), (&contract, "new-acme")] {
        let license = world.license(&purchase.license).await;
        assert_eq!((&license["state"], &license["tenant"]), (&json!("active"), &json!(tenant)), "{license}");
    }
    let contact = world.store(Stage::Staging).contact(&legacy.license.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((contact.email.as_str(), contact.language.as_str()), ("buyer@example.com", "ja"));
    let outbox = world.control(Method::GET, "/sandbox/outbox", json!({})).await;
    assert_eq!(outbox["mails"], json!([]), "who is taken over has an account already");
    // The entitlements of a contract arrive without further action, with the daily reconciliation at the latest.
    world.control(Method::POST, "/sandbox/reconcile", json!({})).await;
    assert_eq!(world.decide("new-acme", "seats").await["allowed"], true);

    let again = import(&world, &csv).await;
    assert!(again.iter().all(|result| result["status"] == "unchanged"), "{again:?}");
    let log = world.store(Stage::Staging).audit_log("2026-11").await.unwrap();
    assert_eq!(log.iter().filter(|entry| entry.action == "license.import").count(), 2);

    // The old backend has billed up to 10:00, and Stallkeeper bills from then on.
    let at = world.now();
    let refused = world.results(json!([usage(&legacy.license, 7, "before", at)])).await;
    assert_eq!(refused[0]["code"], "not_metered_yet");
    world.advance(minutes(60)).await;
    assert_eq!(world.report(json!([usage(&legacy.license, 5, "after", world.now())])).await, ["accepted"]);
    world.advance(minutes(60)).await;
    let (units, styles) = booked(&world, &legacy.license).await;
    assert_eq!(units, Decimal::from(5));
    let hours: Vec<&str> = styles.keys().map(|hour| &hour[11..13]).collect();
    assert_eq!(hours, ["10"], "nothing is said of the hour that the old backend has billed");

    // An AWS event has precedence over the import.
    world.end(&contract.agreement).await;
    assert_eq!(world.license(&contract.license).await["state"], "ending");
}

#[tokio::test]
async fn an_invalid_row_is_refused_alone() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let (product, customer) = (&purchase.product, purchase.customer.as_deref().unwrap());
    let arn = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef0123456789abcdef";
    let row = |cells: &str| {
        format!(
            "product,tenant,customer_identifier,license_arn,agreement_id,account,since,metered_from,move_at,email,name,language\n{cells}\n"
        )
    };
    for (cells, code) in [
        (format!("{product},other,{customer},,,,,,,,,"), "license_linked_elsewhere"),
        ("4unknown000000000000000ab,acme,X9,,,,,,,,,".to_owned(), "product_unknown"),
        (format!("{product},acme,,,,,,,,,,"), "row_invalid"),
        (format!("{product},,X9,,,,,,,,,"), "row_invalid"),
        (format!("{product},acme,X9,,,,2027-01-01T00:00:00Z,,,,,"), "row_invalid"),
        (format!("{product},acme,X9,,,,yesterday,,,,,"), "row_invalid"),
        (format!("{product},acme,X9,,,,,2026-11-10T10:30:00Z,,,,"), "row_invalid"),
        (format!("{product},acme,X9,,,,,2026-11-10T09:00:00Z,,,,"), "row_invalid"),
        (format!("{product},acme,X9,{arn},,111122223333,,,,,,"), "row_invalid"),
        (format!("{product},acme,X9,{arn},agmt-1,,,,,,,"), "row_invalid"),
        (format!("{product},acme,,aws:license-manager:us-east-1:1:l-1,,,,,,,,"), "row_invalid"),
        (format!("{product},acme,X9,,,,,,,nobody,,"), "row_invalid"),
        (format!("{product},acme,X9,,,,,,,,,fr"), "row_invalid"),
        (format!("{product},acme,X9"), "row_invalid"),
    ] {
        let results = import(&world, &row(&cells)).await;
        let expected = if cells.ends_with("fr") { "imported" } else { "refused" };
        assert_eq!(results[0]["status"], expected, "{cells}: {results:?}");
        if expected == "refused" {
            assert_eq!(results[0]["code"], code, "{cells}: {results:?}");
            assert!(results[0]["action"].is_string());
        }
    }
    assert_eq!(world.license(&purchase.license).await["tenant"], "acme");
    // The line numbers of refused rows are correct, whatever the line endings and however many lines a cell has.
    let file = "\u{feff}\"product\",tenant,name\r\n4x,,\"a\r\nb\"\r\n\r\n\"4x\",,c\r\n4x,,d";
    let lines: Vec<Value> = import(&world, file).await.iter().map(|result| result["line"].clone()).collect();
    assert_eq!(lines, [2, 5, 6]);
    for file in [
        "",
        "product,tenant\n",
        "product,tenant,colour\na,b,c\n",
        "product\na\n",
        "product,tenant,tenant\na,b,c\n",
        // The unclosed quote would otherwise swallow the customer in the next row.
        "product,tenant,name\n4x,acme,\"Acme\n4x,globex,Globex\n",
    ] {
        let answer = world.send_raw(Method::POST, "/v1/imports", "text/csv", file.as_bytes().to_vec()).await;
        assert_eq!(answer.status, 400, "{file}: {}", answer.page);
        assert!(answer.page.contains("body_invalid"), "{file}: {}", answer.page);
    }
    let answer = world.send_raw(Method::POST, "/v1/imports?dry_run=maybe", "text/csv", b"x".to_vec()).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn unconfirmed_rows_are_answered_beside_imported_ones() {
    let world = TestEnvironment::new().await;
    let csv = "product,tenant,customer_identifier\n7demolegacy00000000000ab,a,XA\n7demolegacy00000000000ab,b,XB\n\
               7demolegacy00000000000ab,c,XC\n";
    let statuses = |answer: &Value| -> Vec<String> {
        let results = answer["results"].as_array().unwrap().iter();
        results.map(|result| result["status"].as_str().unwrap().to_owned()).collect()
    };
    let fault = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "error500" });
    let mut from_the_second = fault;
    (from_the_second["call"], from_the_second["times"]) = (json!(2), json!(1000));
    world.fault(from_the_second).await;
    let broken = import_as(&world, csv, "/v1/imports").await;
    world.control(Method::DELETE, "/sandbox/faults", json!({})).await;
    assert_eq!(statuses(&broken), ["imported", "retry", "retry"], "{broken}");
    assert_eq!((&broken["imported"], &broken["retry"]), (&json!(1), &json!(2)));
    let of_second = &broken["results"][1];
    assert_eq!((&of_second["code"], of_second["action"].is_string()), (&json!("not_confirmed"), true));
    assert_eq!(statuses(&import_as(&world, csv, "/v1/imports").await), ["unchanged", "imported", "imported"]);
}

#[tokio::test]
async fn a_row_with_another_account_than_the_licenses_is_refused_and_changes_nothing() {
    let world = TestEnvironment::new().await;
    let legacy = world.buy("demo-legacy", json!({})).await;
    let contract = world.buy("demo-contract", json!({ "seats": 5 })).await;
    for purchase in [&legacy, &contract] {
        world.register(&purchase.token, "buyer@example.com").await;
    }
    let key = legacy.customer.as_deref().unwrap();
    let (own, other) = (arn_of(&world, &legacy).await, arn_of(&world, &contract).await);
    let header = "product,tenant,customer_identifier,license_arn,agreement_id,account,email";
    for (license, row) in [
        (&legacy.license, format!("{},acme,{key},,,210987654321,other@example.com", legacy.product)),
        (&legacy.license, format!("{},acme,{key},{own},{},210987654321,", legacy.product, legacy.agreement)),
        (&contract.license, format!("{},acme,,{other},{},210987654321,", contract.product, contract.agreement)),
    ] {
        let before = world.license(license).await;
        for path in ["/v1/imports?dry_run=true", "/v1/imports"] {
            let refused = import_as(&world, &format!("{header}\n{row}\n"), path).await["results"][0].clone();
            assert_eq!(refused["code"], "account_mismatch", "{path} {row}: {refused}");
            let detail = refused["detail"].as_str().unwrap();
            assert!(detail.contains(before["account"].as_str().unwrap()), "{detail}");
        }
        assert_eq!(world.license(license).await, before, "{row}");
    }
    let name = own.rsplit(':').next().unwrap();
    assert_eq!(world.api(Method::GET, &format!("/v1/licenses/{name}"), None).await.0, 404, "nothing is prepared");
    // The correct account, or none, is accepted.
    let right = format!("{header}\n{},acme,{key},,,{},\n", legacy.product, legacy.account);
    assert_eq!(import(&world, &right).await[0]["status"], "imported");
    let none = format!("{header}\n{},acme,,{other},{},,\n", contract.product, contract.agreement);
    assert_eq!(import(&world, &none).await[0]["status"], "imported");
}

/// Makes a legacy buyer whom Stallkeeper serves, and who moves at 10:00. Returns the purchase, and the ARN and id of
/// the license.
pub(crate) async fn mover(world: &TestEnvironment) -> (TestPurchase, String, String) {
    mover_at(world, "2026-11-10T10:00:00Z").await
}

/// Returns the file that moves a legacy buyer to a license key at the next hour, with the license's ARN and id.
pub(crate) async fn move_of(world: &TestEnvironment, purchase: &TestPurchase) -> (String, String, String) {
    let arn = arn_of(world, purchase).await;
    let csv = format!(
        "product,tenant,customer_identifier,license_arn,agreement_id,account\n{},acme,{},{arn},{},{}\n",
        purchase.product,
        purchase.customer.as_deref().unwrap(),
        purchase.agreement,
        purchase.account
    );
    let license = arn.rsplit(':').next().unwrap().to_owned();
    (csv, arn, license)
}

/// Makes a legacy buyer who moves at the given hour.
pub(crate) async fn mover_at(world: &TestEnvironment, at: &str) -> (TestPurchase, String, String) {
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let (csv, arn, new) = move_of(world, &purchase).await;
    let results = import(world, &csv).await;
    assert_eq!((&results[0]["status"], &results[0]["moves_to"]), (&json!("imported"), &json!(new)), "{results:?}");
    assert_eq!(results[0]["moves_at"], at);
    assert_eq!(import(world, &csv).await[0]["status"], "unchanged");
    (purchase, arn, new)
}

#[tokio::test]
async fn a_buyer_moves_to_a_license_key_at_an_hour_and_nothing_is_billed_twice() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let old = purchase.license.clone();
    let early = world.now();
    assert_eq!(world.report(json!([usage(&old, 100, "a", early)])).await, ["accepted"]);
    assert_eq!(world.license(&old).await["state"], "active");

    world.sandbox.set("2026-11-10T09:59:00Z".parse().unwrap()).await;
    let before = world.now();
    assert_eq!(world.report(json!([usage(&old, 10, "b", before)])).await, ["accepted"]);
    // The answer was lost, so the event is sent again while its hour is open, and while the move is under way, under
    // either key.
    world.sandbox.set("2026-11-10T10:00:30Z".parse().unwrap()).await;
    assert_eq!(
        world.report(json!([usage(&old, 10, "b", before), usage(&new, 10, "b", before)])).await,
        ["accepted"; 2]
    );
    world.sandbox.set("2026-11-10T10:05:30Z".parse().unwrap()).await;
    let after = world.now();
    let again = world.results(json!([usage(&old, 10, "b", before), usage(&old, 1, "c", after)])).await;
    assert_eq!((&again[0]["code"], &again[1]["status"]), (&json!("license_moving"), &json!("accepted")), "{again:?}");
    assert_eq!(again[1]["successor"], new);
    world.advance(minutes(5)).await;
    let again = world
        .results(json!([
            usage(&old, 10, "b", before),
            usage(&new, 10, "b", before),
            usage(&old, 1, "c", after),
            usage(&new, 1, "c", after),
            usage(&old, 20, "late", before),
            usage(&new, 20, "late", before),
            usage(&old, 11, "b", before),
        ]))
        .await;
    let statuses: Vec<&str> = again.iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!(
        statuses,
        ["duplicate", "duplicate", "accepted", "accepted", "accepted", "duplicate", "conflict"],
        "{again:?}"
    );

    let (ended, begun) = (world.license(&old).await, world.license(&new).await);
    assert_eq!((&ended["successor"], &begun["predecessor"]), (&json!(new), &json!(old)));
    assert_eq!((&begun["state"], &begun["tenant"]), (&json!("active"), &json!("acme")));
    let (_, tenant) = world.api(Method::GET, "/v1/tenants/acme", None).await;
    assert_eq!(tenant["managed"], true, "{tenant}");

    world.advance(minutes(70)).await;
    let much_later = world.now();
    // Late usage from before the move, more than an hour after it.
    assert_eq!(world.report(json!([usage(&old, 3, "much later", early)])).await, ["accepted"]);
    assert_eq!(world.report(json!([usage(&old, 5, "now", much_later)])).await, ["accepted"]);
    world.advance(minutes(180)).await;
    assert_eq!(world.license(&old).await["state"], "ended");
    let (units, styles) = booked(&world, &old).await;
    assert_eq!(units, Decimal::from(100 + 10 + 1 + 20 + 3 + 5));
    for (hour, styles) in &styles {
        let expected = if hour.as_str() < "2026-11-10T10" { "customer" } else { "license" };
        assert_eq!(styles, &BTreeSet::from([expected.to_owned()]), "{hour}");
    }
    assert!(styles.len() >= 4, "{styles:?}");
}

#[tokio::test]
async fn a_moved_buyer_is_found_by_both_keys_and_gets_events_by_the_new_one() {
    let world = TestEnvironment::new().await;
    let (purchase, arn, new) = mover(&world).await;
    world.advance(minutes(60)).await;
    // The buyer returns by the customer key.
    let visit = world.post_token(&purchase.token).await;
    let page = world.open("/register", visit.cookie.as_deref()).await;
    assert!(page.page.contains("Sign in"), "{}", page.page);
    let handed_on = world.submit_contact(&visit.cookie.unwrap(), "buyer@example.com", "existing").await;
    let code = handed_on.location.unwrap().split("code=").nth(1).unwrap().to_owned();
    let (status, handoff) = world.redeem("key", &code).await;
    assert_eq!((status, &handoff["license"], &handoff["linked"]), (200, &json!(new), &json!(true)));

    // Events about the license are processed although the listing still uses customer keys. Those about an unrelated
    // license still create no second license.
    let event = tests::license_event("Deprovisioned", &purchase, &arn, "gone", world.now());
    world.send_event(&event).await;
    assert_eq!(world.license(&new).await["state"], "ending");
    let stranger = arn.replace("license:l-", "license:l-f");
    world.send_event(&tests::license_event("Updated", &purchase, &stranger, "stranger", world.now())).await;
    let name = stranger.rsplit(':').next().unwrap();
    assert_eq!(world.api(Method::GET, &format!("/v1/licenses/{name}"), None).await.0, 404);
    let late = world.results(json!([usage(&purchase.license, 1, "x", world.now())])).await;
    assert_eq!(late[0]["code"], "license_ended");
}

#[tokio::test]
async fn a_move_to_another_buyers_license_or_at_the_end_of_a_month_is_refused() {
    let world = TestEnvironment::at("2026-11-30T22:20:00Z").await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let stranger = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&stranger.token, "stranger@example.com").await;
    let (own, other) = (arn_of(&world, &purchase).await, arn_of(&world, &stranger).await);
    let move_to = async |arn: &str, at: &str| {
        let csv = format!(
            "product,tenant,customer_identifier,license_arn,agreement_id,account,move_at\n{},acme,{},{arn},{},{},{at}\n",
            purchase.product,
            purchase.customer.as_deref().unwrap(),
            purchase.agreement,
            purchase.account
        );
        import(&world, &csv).await.remove(0)
    };
    assert_eq!(move_to(&other, "").await["code"], "license_another_buyers");
    // The cells of a row are shifted: another buyer's license and account are beside this customer's key.
    let csv = format!(
        "product,tenant,customer_identifier,license_arn,agreement_id,account\n{},acme,{},{},{},{}\n",
        purchase.product,
        purchase.customer.as_deref().unwrap(),
        other.replace("license:l-", "license:l-f"),
        stranger.agreement,
        stranger.account
    );
    assert_eq!(import(&world, &csv).await[0]["code"], "account_mismatch");
    assert_eq!(move_to(&own, "2026-12-01T05:00:00Z").await["code"], "row_invalid");
    assert_eq!(move_to(&own, "").await["moves_at"], "2026-11-30T23:00:00Z");
    assert_eq!(move_to(&own, "2026-12-02T00:00:00Z").await["code"], "license_moves_elsewhere");
    assert_eq!(move_to(&own, "").await["status"], "unchanged");

    let world = TestEnvironment::at("2026-11-30T23:20:00Z").await;
    let (_, _, new) = mover_at(&world, "2026-12-01T06:00:00Z").await;
    assert_eq!(world.license(&new).await["state"], "pending");
}

#[tokio::test]
async fn both_keys_in_one_report_are_one_event_before_the_move_completes() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let (old, before) = (purchase.license.clone(), world.now());
    let both = json!([usage(&old, 4, "same", before), usage(&new, 4, "same", before)]);
    assert_eq!(world.report(both).await, ["accepted", "accepted"]);
    world.sandbox.set("2026-11-10T10:00:20Z".parse().unwrap()).await;
    let after = world.now();
    let both = json!([usage(&old, 2, "next", after), usage(&new, 2, "next", after)]);
    assert_eq!(world.report(both).await, ["accepted", "accepted"]);
    // The buyer leaves within the hour of the move.
    world.send_event(&tests::notification("unsubscribe-pending", &purchase, "leaves", after)).await;
    world.advance(minutes(150)).await;
    let (units, styles) = booked(&world, &old).await;
    assert_eq!(units, Decimal::from(6));
    assert!(styles.values().all(|styles| styles.len() == 1), "{styles:?}");
}

#[tokio::test]
async fn a_moved_buyer_is_reconciled_by_the_license() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.license(&new).await["state"], "active");
    world.deliver(json!({ "hold": true })).await;
    world.end(&purchase.agreement).await;
    world.deliver(json!({ "lose": "" })).await;
    world.deliver(json!({ "release": true })).await;
    assert_eq!(world.license(&new).await["state"], "active", "all events about it were lost");
    let look = async |license: &str| {
        let (status, looked) = world.api(Method::POST, &format!("/v1/licenses/{license}/reconcile"), None).await;
        assert_eq!(status, 200, "{looked}");
        looked
    };
    assert_eq!(look(&new).await["repairs"][0]["kind"], "ended");
    assert_eq!(world.license(&new).await["state"], "ending");
    assert_eq!(look(&purchase.license).await["findings"], json!([]));
}

#[tokio::test]
async fn an_unmoved_buyer_gets_no_second_license() {
    let world = TestEnvironment::new().await;
    let legacy = world.buy("demo-legacy", json!({})).await;
    world.register(&legacy.token, "buyer@example.com").await;
    let arn = arn_of(&world, &legacy).await;
    // The listing's mode changes before its buyers have moved.
    let store = world.store(Stage::Staging);
    let mut listing = store.listing(&legacy.product.parse().unwrap()).await.unwrap().unwrap();
    listing.mode = domain::listing::Mode::License;
    store.put_listing(&listing).await.unwrap();
    // The next day's walk searches for licenses that no event has announced.
    world.sandbox.set_schedule(false);
    world.sandbox.set("2026-11-11T00:05:00Z".parse().unwrap()).await;
    assert!(world.counted(Metric::ReconcileFindings) >= 1);
    let name = arn.rsplit(':').next().unwrap();
    assert_eq!(world.api(Method::GET, &format!("/v1/licenses/{name}"), None).await.0, 404);
}

#[tokio::test]
async fn an_import_with_an_immediate_move_does_not_bill_usage_of_the_old_backend() {
    let world = TestEnvironment::new().await;
    let purchase = old_customer(&world, "demo-legacy", json!({})).await;
    let arn = arn_of(&world, &purchase).await;
    let (old, new, before) = (purchase.license.clone(), arn.rsplit(':').next().unwrap().to_owned(), world.now());
    let row = |more: &str| {
        format!(
            "product,tenant,customer_identifier,license_arn,agreement_id,account,metered_from,move_at\n\
             {},acme,{},{arn},{},{},{more}\n",
            purchase.product,
            purchase.customer.as_deref().unwrap(),
            purchase.agreement,
            purchase.account
        )
    };
    let early = row("2026-11-10T12:00:00Z,2026-11-10T11:00:00Z");
    assert_eq!(import(&world, &early).await[0]["code"], "row_invalid");
    let result = import(&world, &row("2026-11-10T11:00:00Z,")).await.remove(0);
    assert_eq!(
        (&result["metered_from"], &result["moves_at"]),
        (&json!("2026-11-10T11:00:00Z"), &json!("2026-11-10T11:00:00Z"))
    );
    for time in ["09:30", "10:59", "11:04", "11:30"] {
        world.sandbox.set(format!("2026-11-10T{time}:00Z").parse().unwrap()).await;
        for license in [&old, &new] {
            let refused = world.results(json!([usage(license, 9, "the old backend's", before)])).await;
            assert_eq!(refused[0]["code"], "not_metered_yet", "{time}: {refused:?}");
        }
    }
    assert_eq!(world.report(json!([usage(&old, 4, "now", world.now())])).await, ["accepted"]);
    world.advance(minutes(120)).await;
    let (units, styles) = booked(&world, &old).await;
    assert_eq!(units, Decimal::from(4));
    assert!(styles.keys().all(|hour| hour.as_str() >= "2026-11-10T11"), "{styles:?}");
}

#[tokio::test]
async fn moving_to_a_revoked_license_is_refused() {
    let world = TestEnvironment::new().await;
    let (purchase, arn, new) = mover(&world).await;
    world.send_event(&tests::license_event("Updated", &purchase, &arn, "in force", world.now())).await;
    world.advance(SignedDuration::from_secs(5)).await;
    world.send_event(&tests::license_event("Deprovisioned", &purchase, &arn, "gone", world.now())).await;
    world.advance(minutes(60)).await;
    assert_eq!(world.license(&new).await["grants_access"], false);
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["successor"]), (&json!("active"), &Value::Null), "{license}");
}

#[tokio::test]
async fn a_pending_license_is_activated_by_the_sellers_import() {
    let world = TestEnvironment::new().await;
    world.deliver(json!({ "hold": true })).await;
    let purchase = world.buy("demo-legacy", json!({})).await;
    world.deliver(json!({ "lose": "" })).await;
    world.deliver(json!({ "release": true })).await;
    world.post_token(&purchase.token).await;
    assert_eq!(world.license(&purchase.license).await["state"], "pending");
    let csv = format!(
        "product,tenant,customer_identifier\n{},acme,{}\n",
        purchase.product,
        purchase.customer.as_deref().unwrap()
    );
    assert_eq!(import(&world, &csv).await[0]["status"], "imported");
    assert_eq!(world.license(&purchase.license).await["state"], "active");
}

#[tokio::test]
async fn a_buyer_who_cancels_before_the_move_is_not_moved_and_a_stopped_reporter_moves_later() {
    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    world.end(&purchase.agreement).await;
    world.advance(minutes(120)).await;
    let waiting = world.license(&new).await;
    assert_eq!((&waiting["state"], &waiting["tenant"]), (&json!("ended"), &Value::Null));
    assert_eq!(world.license(&purchase.license).await["end_reason"], "unsubscribed");

    let world = TestEnvironment::new().await;
    let (purchase, _, new) = mover(&world).await;
    let (old, before) = (purchase.license.clone(), world.now());
    world.sandbox.set_schedule(false);
    assert_eq!(world.report(json!([usage(&old, 2, "before", before)])).await, ["accepted"]);
    world.sandbox.set("2026-11-10T10:30:00Z".parse().unwrap()).await;
    let both = json!([usage(&old, 4, "after", world.now()), usage(&old, 8, "late", before)]);
    assert_eq!(world.report(both).await, ["accepted", "accepted"], "the move that waits holds up no usage");
    world.sandbox.set_schedule(true);
    world.advance(minutes(20)).await;
    assert_eq!(world.license(&new).await["state"], "active");
    assert_eq!(world.report(json!([usage(&old, 8, "late", before)])).await, ["duplicate"]);
    world.advance(minutes(120)).await;
    let (units, styles) = booked(&world, &old).await;
    assert_eq!(units, Decimal::from(2 + 4 + 8));
    assert!(styles.values().all(|styles| styles.len() == 1), "{styles:?}");
}

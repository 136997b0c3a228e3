//! The sample application, as buyers and users see it in their browsers.

mod browser;
mod network;
mod signature;

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use browser::{Browser, Page};
use domain::listing::Stage;
use jiff::SignedDuration;
use network::LossyNetwork;
use reqwest::Method;
use rust_decimal::Decimal;
use sandbox::test_client::hidden_field;
use serde_json::json;
use tests::{TestEnvironment, TestPurchase};
use tokio::net::TcpListener;

const PASSWORD: &str = "a short sentence";
const SECRET_ACCESS_KEY: &str = "the secret of the application's role";

/// An environment whose buyers are redirected to a sample application that reaches Stallkeeper through an unreliable
/// network.
struct Shop {
    world: TestEnvironment,
    network: LossyNetwork,
    application: String,
}

impl Shop {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut sandbox::Options)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let application = format!("http://{}", listener.local_addr().unwrap());
        let world = TestEnvironment::with(|options| {
            options.app_url = Some(application.parse().unwrap());
            change(options);
        })
        .await;
        let network = LossyNetwork::before(world.sandbox.url()).await;
        let clock = world.sandbox.clock().clone();
        let credentials =
            Credentials::new("ASIAAPPLICATION", SECRET_ACCESS_KEY, Some("a-session".to_owned()), None, "test");
        let router = sample_app::router(sample_app::Settings {
            api_url: network.url.clone(),
            credentials: SharedCredentialsProvider::new(credentials),
            https: false,
            clock: Arc::new(move || clock.now()),
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { world, network, application }
    }

    fn browser(&self) -> Browser {
        Browser::at(&self.application)
    }

    /// Makes a buyer who has a workspace with the purchase.
    async fn customer(&self, product: &str, dimensions: serde_json::Value) -> (TestPurchase, Browser) {
        let purchase = self.world.buy(product, dimensions).await;
        let mut browser = self.browser();
        let page = register(&self.world, &mut browser, &purchase, "buyer@example.com").await;
        assert_eq!((page.status, page.path.as_str()), (200, "/sign-up"), "{page:?}");
        sign_up(&mut browser, "buyer@example.com").await;
        let page = link_to_new(&mut browser, "Acme").await;
        assert_eq!((page.status, page.path.as_str()), (200, "/"), "{page:?}");
        (purchase, browser)
    }

    /// Advances the clock by an hour, and by the minutes until the hour is billed.
    async fn next_hour(&self) {
        self.world.advance(SignedDuration::from_mins(75)).await;
    }
}

/// Leaves a contact on the registration page, and follows the redirect to the application.
async fn register(world: &TestEnvironment, browser: &mut Browser, purchase: &TestPurchase, email: &str) -> Page {
    let on = world.register(&purchase.token, email).await.location.unwrap();
    browser.open(&on).await
}

async fn sign_up(browser: &mut Browser, email: &str) -> Page {
    browser.send("/sign-up", &[("email", email), ("password", PASSWORD)]).await
}

async fn link_to_new(browser: &mut Browser, name: &str) -> Page {
    browser.send("/tenants", &[("account_is_ours", "yes"), ("tenant", "new"), ("name", name)]).await
}

/// Signs up without a purchase, with a workspace of its own.
async fn sign_up_without_purchase(browser: &mut Browser, email: &str, workspace: &str) -> Page {
    browser.open("/sign-up").await;
    sign_up(browser, email).await;
    browser.open("/tenants").await;
    browser.send("/tenants", &[("tenant", "new"), ("name", workspace)]).await
}

async fn make_requests(browser: &mut Browser, quantity: &str) -> Page {
    browser.open("/work").await;
    browser.send("/work", &[("dimension", "requests"), ("quantity", quantity)]).await
}

/// Presses "Send now" until no report waits.
async fn send_all(browser: &mut Browser) -> Page {
    for _ in 0..10 {
        let page = browser.open("/work").await;
        if !page.shows("Send now") {
            return page;
        }
        browser.send("/work/send", &[]).await;
    }
    panic!("something still waits");
}

#[tokio::test]
async fn a_buyer_registers_and_their_usage_is_billed_once() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    let mut browser = Browser::at(world.sandbox.app_url(Stage::Staging).unwrap().as_str());
    let page = register(&world, &mut browser, &purchase, "buyer@example.com").await;
    assert!(page.path == "/sign-up" && page.shows("value=\"buyer@example.com\""), "{page:?}");
    let page = sign_up(&mut browser, "buyer@example.com").await;
    let last = &purchase.account[8..];
    assert!(page.path == "/tenants" && page.shows(&format!("•••• {last}")), "{page:?}");
    assert!(!page.shows(&purchase.account), "the account is masked");
    let page = browser.send("/tenants", &[("tenant", "new"), ("name", "Acme")]).await;
    assert!(page.status == 422 && page.shows("Please confirm"), "the account is not confirmed: {page:?}");
    assert_eq!(world.license(&purchase.license).await["tenant"], json!(null));

    let page = link_to_new(&mut browser, "Acme").await;
    for part in ["<h1>Acme</h1>", "5demosubscription000000ab", "active", "paid by use", "Nothing was used"] {
        assert!(page.shows(part), "no {part} in {page:?}");
    }
    assert!(page.shows("href=\"https://console.aws.amazon.com/marketplace/home#/subscriptions\""), "{page:?}");

    make_requests(&mut browser, "7").await;
    send_all(&mut browser).await;
    assert!(browser.open("/").await.shows("accepted"));
    world.advance(SignedDuration::from_mins(75)).await;
    assert_eq!(world.billed(&purchase.license).await, [("2026-11-10T09".into(), "requests".into(), "7".into())]);
    let page = browser.open("/").await;
    assert!(page.shows("<b>7</b> requests") && page.shows("on your AWS bill"), "{page:?}");
}

#[tokio::test]
async fn a_lost_answer_to_the_redemption_does_not_block_the_buyer() {
    let shop = Shop::open().await;
    let purchase = shop.world.buy("demo-contract", json!({ "seats": 5 })).await;
    let mut browser = shop.browser();
    shop.network.lose("POST /v1/handoffs", 4);
    let page = register(&shop.world, &mut browser, &purchase, "buyer@example.com").await;
    assert!(page.status == 503 && page.shows("try again in a few minutes"), "{page:?}");
    let page = browser.open("/sign-up").await;
    assert!(page.status == 200 && page.shows("buyer@example.com"), "{page:?}");
    assert_eq!(shop.network.count("POST /v1/handoffs"), 5);
    sign_up(&mut browser, "buyer@example.com").await;
    // A lost answer to the link costs the buyer nothing either: the license is linked already when the buyer asks for
    // another workspace.
    shop.network.lose("PUT /v1/licenses", 3);
    assert_eq!(link_to_new(&mut browser, "Acme").await.status, 503);
    browser.open("/tenants").await;
    let page = link_to_new(&mut browser, "Acme again").await;
    assert!(page.path == "/" && page.shows("<h1>Acme</h1>"), "{page:?}");
    assert_eq!(shop.network.count("PUT /v1/licenses"), 4);
    assert!(!browser.open("/tenants").await.shows("Acme again"));
    assert_eq!(shop.network.count("POST /v1/handoffs"), 5, "what is redeemed is kept");
}

#[tokio::test]
async fn usage_whose_answers_were_lost_is_billed_once() {
    let shop = Shop::open().await;
    let (purchase, mut browser) = shop.customer("demo-subscription", json!({})).await;
    shop.network.lose("POST /v1/usage", 3);
    for quantity in ["5", "8"] {
        make_requests(&mut browser, quantity).await;
    }
    send_all(&mut browser).await;
    assert!(shop.network.count("POST /v1/usage") > 3);
    shop.next_hour().await;
    assert_eq!(shop.world.total(&purchase.license).await, Decimal::from(13));
}

#[tokio::test]
async fn every_call_has_a_valid_signature() {
    let shop = Shop::open().await;
    let (legacy, mut browser) = shop.customer("demo-legacy", json!({})).await;
    assert!(legacy.license.contains('~'));
    make_requests(&mut browser, "5").await;
    send_all(&mut browser).await;
    browser.open("/").await;
    browser.send("/sign-out", &[]).await;
    let requests = shop.network.requests();
    for request in &requests {
        let signed = signature::check(request, SECRET_ACCESS_KEY);
        for name in ["content-type", "host", "x-amz-date", "x-amz-security-token"] {
            assert!(signed.iter().any(|known| known == name), "{name} is not signed");
        }
        let redeems = request.starts_with(b"POST /v1/handoffs");
        assert_eq!(redeems, signed.iter().any(|name| name == "idempotency-key"));
    }
    let mut kinds = ["POST /v1/handoffs", "PUT /v1/licenses/", "GET /v1/tenants/", "POST /v1/usage"].into_iter();
    assert!(kinds.all(|kind| shop.network.count(kind) > 0) && requests.iter().any(|it| it.contains(&b'?')));
}

#[tokio::test]
async fn during_an_outage_of_stallkeeper_work_continues_and_usage_waits() {
    let shop = Shop::open().await;
    let (purchase, mut browser) = shop.customer("demo-subscription", json!({})).await;
    make_requests(&mut browser, "1").await;
    send_all(&mut browser).await;
    shop.network.set_down(true);
    // The gate's cached decisions are old by now, but they are the last known ones.
    shop.world.advance(SignedDuration::from_mins(2)).await;
    let page = make_requests(&mut browser, "6").await;
    assert!(page.status == 200 && page.shows("1 of your reports waits to be sent"), "{page:?}");
    assert_eq!(browser.open("/").await.status, 503);
    // The usage happened in this hour, and is sent in the next.
    shop.world.advance(SignedDuration::from_mins(50)).await;
    shop.network.set_down(false);
    send_all(&mut browser).await;
    shop.world.advance(SignedDuration::from_hours(3)).await;
    assert_eq!(shop.world.total(&purchase.license).await, Decimal::from(7));
}

#[tokio::test]
async fn a_feature_without_a_known_decision_is_locked() {
    let shop = Shop::open().await;
    let (purchase, mut browser) = shop.customer("demo-subscription", json!({})).await;
    browser.open("/plan").await;
    shop.network.set_down(true);
    let page = browser.send("/work", &[("dimension", "requests"), ("quantity", "1")]).await;
    assert_eq!(page.status, 503, "{page:?}");
    let page = browser.open("/plan").await;
    assert_eq!(page.status, 503, "{page:?}");
    shop.network.set_down(false);
    shop.next_hour().await;
    assert_eq!(shop.world.total(&purchase.license).await, Decimal::ZERO);
}

#[tokio::test]
async fn a_correction_counts_despite_a_lost_answer_and_a_late_original() {
    let shop = Shop::open().await;
    let (purchase, mut browser) = shop.customer("demo-subscription", json!({})).await;
    make_requests(&mut browser, "50").await;
    let page = send_all(&mut browser).await;
    let key = hidden_field(&page.text, "key").unwrap();
    shop.network.lose("POST /v1/usage", 1);
    browser.send("/work/correct", &[("key", &key), ("quantity", "30")]).await;
    send_all(&mut browser).await;
    shop.network.repeat_first("POST /v1/usage").await;
    shop.next_hour().await;
    browser.open("/work").await;
    let page = browser.send("/work/correct", &[("key", &key), ("quantity", "1")]).await;
    assert!(page.status == 409 && page.shows("too late"), "{page:?}");
    assert_eq!(shop.world.total(&purchase.license).await, Decimal::from(30));
}

#[tokio::test]
async fn a_user_with_an_account_links_a_second_license_to_their_tenant() {
    let shop = Shop::open().await;
    let (first, _) = shop.customer("demo-contract", json!({ "seats": 5 })).await;
    let second = shop.world.buy("demo-contract", json!({ "seats": 3 })).await;
    let tenant = shop.world.license(&first.license).await["tenant"].as_str().unwrap().to_owned();

    // The buyer uses another browser without a session.
    let mut browser = shop.browser();
    let cookie = shop.world.post_token(&second.token).await.cookie.unwrap();
    let on = shop.world.submit_contact(&cookie, "buyer@example.com", "existing").await.location.unwrap();
    assert_eq!(browser.open(&on).await.path, "/sign-in");
    let wrong = browser.send("/sign-in", &[("email", "buyer@example.com"), ("password", "not my password")]).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let page = browser.send("/sign-in", &[("email", "Buyer@example.com"), ("password", PASSWORD)]).await;
    assert!(page.path == "/tenants" && page.shows(">Acme</label>"), "{page:?}");
    let page = browser.send("/tenants", &[("account_is_ours", "yes"), ("tenant", &tenant)]).await;
    assert!(page.path == "/" && page.shows("8, included") && page.shows("just now"), "{page:?}");
    assert_eq!(shop.world.license(&second.license).await["tenant"], json!(tenant));
}

#[tokio::test]
async fn a_linked_license_admits_only_its_tenants_users() {
    let shop = Shop::open().await;
    let (purchase, mut browser) = shop.customer("demo-contract", json!({ "seats": 5 })).await;
    let page = register(&shop.world, &mut browser, &purchase, "buyer@example.com").await;
    assert!(page.path == "/" && page.shows("<h1>Acme</h1>"), "{page:?}");

    let mut stranger = shop.browser();
    sign_up_without_purchase(&mut stranger, "stranger@example.com", "Globex").await;
    let page = register(&shop.world, &mut stranger, &purchase, "stranger@example.com").await;
    assert!(page.status == 409 && page.shows("belongs to another account already"), "{page:?}");
    assert!(!page.shows("Acme") && !page.shows(&purchase.account), "{page:?}");
    assert!(stranger.open("/").await.shows("<h1>Globex</h1>"), "their own workspace stays theirs");
    // A buyer without an account is not offered a workspace either.
    let page = register(&shop.world, &mut shop.browser(), &purchase, "third@example.com").await;
    assert_eq!(page.path, "/sign-in");
}

#[tokio::test]
async fn a_license_that_an_operator_unlinked_can_be_linked_again() {
    let shop = Shop::open().await;
    let (purchase, _) = shop.customer("demo-contract", json!({ "seats": 5 })).await;
    let tenant = shop.world.license(&purchase.license).await["tenant"].clone();
    let mut browser = shop.browser();
    let page = register(&shop.world, &mut browser, &purchase, "buyer@example.com").await;
    assert_eq!(page.path, "/sign-in");
    let unlink = json!({ "from": tenant, "reason": "linked by mistake" });
    let path = format!("/v1/licenses/{}/tenant/unlink", purchase.license);
    assert_eq!(shop.world.api(Method::POST, &path, Some(unlink)).await.0, 200);
    let page = browser.send("/sign-in", &[("email", "buyer@example.com"), ("password", PASSWORD)]).await;
    assert!(page.path == "/tenants" && page.shows("Which workspace is it for?"), "{page:?}");
    assert!(link_to_new(&mut browser, "Acme Japan").await.shows("<h1>Acme Japan</h1>"));
}

#[tokio::test]
async fn declining_the_account_links_nothing() {
    let shop = Shop::open().await;
    let purchase = shop.world.buy("demo-contract", json!({ "seats": 5 })).await;
    let mut browser = shop.browser();
    register(&shop.world, &mut browser, &purchase, "buyer@example.com").await;
    sign_up(&mut browser, "buyer@example.com").await;
    let page = browser.send("/tenants", &[("account_is_ours", "no")]).await;
    assert!(page.path == "/tenants" && page.shows("Your workspaces"), "{page:?}");
    assert_eq!(shop.world.license(&purchase.license).await["tenant"], json!(null));
}

#[tokio::test]
async fn a_second_tenant_for_the_same_license_is_refused_with_a_message() {
    let shop = Shop::open().await;
    let purchase = shop.world.buy("demo-contract", json!({ "seats": 5 })).await;
    let (mut first, mut second) = (shop.browser(), shop.browser());
    for (browser, email) in [(&mut first, "first@example.com"), (&mut second, "second@example.com")] {
        register(&shop.world, browser, &purchase, email).await;
        assert_eq!(sign_up(browser, email).await.path, "/tenants");
    }
    assert_eq!(link_to_new(&mut first, "Acme").await.status, 200);
    let page = link_to_new(&mut second, "Globex").await;
    assert!(page.status == 409 && page.shows("belongs to another account already"), "{page:?}");
    assert!(!second.open("/tenants").await.shows("Globex"), "nothing of it stays");
    assert!(first.open("/").await.shows("5, included"));
}

#[tokio::test]
async fn marketplace_buyers_cannot_change_the_plan_in_the_application() {
    let shop = Shop::open().await;
    let (purchase, mut buyer) = shop.customer("demo-contract", json!({ "seats": 5 })).await;
    let page = buyer.open("/plan").await;
    assert!(page.shows("the plan is changed there") && !page.shows("Change the plan"), "{page:?}");
    for (path, fields) in [("/plan", [("plan", "Team")].as_slice()), ("/leave", &[])] {
        let page = buyer.send(path, fields).await;
        assert!(page.status == 409 && page.shows("at AWS Marketplace"), "{page:?}");
        assert!(page.shows("href=\"https://console.aws.amazon.com/"), "{page:?}");
        buyer.open(path).await;
    }

    let mut other = shop.browser();
    assert_eq!(sign_up_without_purchase(&mut other, "other@example.com", "Globex").await.path, "/");
    other.open("/plan").await;
    assert!(other.send("/plan", &[("plan", "Team")]).await.shows("on the plan <b>Team</b>"));
    other.open("/leave").await;
    assert_eq!(other.send("/leave", &[]).await.path, "/tenants");
    assert!(!other.open("/tenants").await.shows("Globex"));

    // After the agreement has ended, the buyer can leave here as well.
    shop.world.end(&purchase.agreement).await;
    shop.world.advance(SignedDuration::from_mins(70)).await;
    buyer.open("/leave").await;
    assert_eq!(buyer.send("/leave", &[]).await.path, "/tenants");
}

#[tokio::test]
async fn a_probe_signs_up_like_a_buyer_and_its_plan_is_locked() {
    let shop = Shop::open().await;
    let wanted = json!({ "product": "4democontract0000000000ab" });
    let (status, probe) = shop.world.api(Method::POST, "/v1/probes", Some(wanted)).await;
    assert_eq!(status, 201, "{probe}");
    let mut browser = shop.browser();
    browser.open(probe["url"].as_str().unwrap()).await;
    sign_up(&mut browser, "probe@example.com").await;
    let page = link_to_new(&mut browser, "A look").await;
    assert_eq!((page.status, page.path.as_str()), (200, "/"), "{page:?}");
    let tenant = shop.world.license(probe["license"].as_str().unwrap()).await["tenant"].clone();
    assert!(tenant.as_str().unwrap().starts_with("probe-"), "{tenant}");
    browser.open("/plan").await;
    assert_eq!(browser.send("/plan", &[("plan", "Team")]).await.status, 409);
}

#[tokio::test]
async fn the_probe_page_answers_only_for_probe_tenants() {
    let shop = Shop::open().await;
    let ask = async |body: serde_json::Value| {
        let page = format!("{}/plan/probe", shop.application);
        reqwest::Client::new().post(page).json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(json!({ "tenant": "probe-1" })).await, 409);
    let (bought, _) = shop.customer("demo-contract", json!({ "seats": 5 })).await;
    let theirs = shop.world.license(&bought.license).await["tenant"].clone();
    assert_eq!(ask(json!({ "tenant": theirs })).await, 404, "it reveals nothing of other tenants");
    assert_eq!(ask(json!({})).await, 422);
}

#[tokio::test]
async fn a_feature_ends_with_the_license_and_counts_what_is_held() {
    let shop = Shop::open().await;
    let (purchase, mut browser) = shop.customer("demo-contract", json!({ "seats": 5, "projects": 2 })).await;
    browser.open("/work").await;
    for name in ["one", "two"] {
        assert!(browser.send("/work/projects", &[("name", name)]).await.shows(&format!("<li>{name}</li>")));
    }
    let page = browser.send("/work/projects", &[("name", "three")]).await;
    assert!(page.status == 403 && page.shows("covers 2"), "{page:?}");
    shop.world.change(&purchase.agreement, json!({ "action": "amend", "dimensions": { "projects": 3 } })).await;
    shop.world.advance(SignedDuration::from_mins(2)).await;
    browser.open("/work").await;
    assert!(browser.send("/work/projects", &[("name", "three")]).await.shows("<li>three</li>"));

    shop.world.end(&purchase.agreement).await;
    shop.world.advance(SignedDuration::from_mins(70)).await;
    browser.open("/work").await;
    let page = browser.send("/work/projects", &[("name", "four")]).await;
    assert!(page.status == 403 && page.shows("not in force"), "{page:?}");
    assert!(browser.open("/work").await.shows("<li>three</li>"), "what was made is kept");
}

#[tokio::test]
async fn metered_work_ends_with_the_license_and_refused_usage_is_kept() {
    let shop = Shop::open().await;
    let (purchase, mut browser) = shop.customer("demo-subscription", json!({})).await;
    browser.open("/work").await;
    shop.world.end(&purchase.agreement).await;
    // The gate still has its cached decision, and does not know about the end.
    browser.send("/work", &[("dimension", "requests"), ("quantity", "4")]).await;
    // Until then an earlier attempt to report the usage may be under way.
    shop.world.advance(SignedDuration::from_mins(3)).await;
    let page = send_all(&mut browser).await;
    assert!(page.shows("Not billed") && page.shows("4 requests: license_ended"), "{page:?}");
    shop.world.advance(SignedDuration::from_mins(70)).await;
    let page = browser.open("/work").await;
    assert!(!page.shows("Make requests") && page.shows("4 requests: license_ended"), "{page:?}");
    let page = browser.send("/work", &[("dimension", "requests"), ("quantity", "4")]).await;
    assert!(page.status == 403 && page.shows("not in force"), "{page:?}");
}

/// Makes a buyer who has bought 10 events in advance and pays for more, in an environment where a renewal creates
/// another license.
async fn renewing(shop: &Shop) -> (TestPurchase, Browser) {
    let (purchase, mut browser) = shop.customer("demo-consumption", json!({ "events_included": 10 })).await;
    browser.open("/work").await;
    (purchase, browser)
}

async fn renew(shop: &Shop, purchase: &TestPurchase) -> String {
    shop.world.change(&purchase.agreement, json!({ "action": "renew" })).await;
    shop.world.license(&purchase.license).await["successor"].as_str().unwrap().to_owned()
}

const RECORD_EVENTS: [(&str, &str); 2] = [("dimension", "events_extra"), ("quantity", "25")];

#[tokio::test]
async fn usage_of_a_license_renewed_as_another_goes_to_the_new_one() {
    let shop = Shop::with(|options| options.behavior.license_survives_renewal = false).await;
    let (purchase, mut browser) = renewing(&shop).await;
    let heir = renew(&shop, &purchase).await;
    // The gate still has its cached decision.
    browser.send("/work", &RECORD_EVENTS).await;
    shop.world.advance(SignedDuration::from_mins(3)).await;
    send_all(&mut browser).await;
    shop.next_hour().await;
    assert_eq!(shop.world.total(&purchase.license).await, Decimal::ZERO);
    assert_eq!(shop.world.total(&heir).await, Decimal::from(15), "10 are included");
}

#[tokio::test]
async fn usage_possibly_accepted_before_a_renewal_is_not_billed_to_both_licenses() {
    let shop = Shop::with(|options| options.behavior.license_survives_renewal = false).await;
    let (purchase, mut browser) = renewing(&shop).await;
    shop.network.lose("POST /v1/usage", 100);
    browser.send("/work", &RECORD_EVENTS).await;
    browser.send("/work/send", &[]).await;
    let heir = renew(&shop, &purchase).await;
    // Until then Stallkeeper may remember the license as it was, and bills it correctly.
    shop.world.advance(SignedDuration::from_mins(2)).await;
    shop.network.lose("", 0);
    let page = send_all(&mut browser).await;
    assert!(!page.shows("license_ended"), "it was taken in before the end: {page:?}");
    shop.next_hour().await;
    assert_eq!(shop.world.total(&purchase.license).await, Decimal::from(15));
    assert_eq!(shop.world.total(&heir).await, Decimal::ZERO);
}

#[tokio::test]
async fn a_code_is_valid_once_and_a_form_only_in_its_session() {
    let shop = Shop::open().await;
    let purchase = shop.world.buy("demo-contract", json!({ "seats": 5 })).await;
    let on = shop.world.register(&purchase.token, "buyer@example.com").await.location.unwrap();
    let mut browser = shop.browser();
    assert_eq!(browser.open(&on).await.status, 200);
    let page = shop.browser().open(&on).await;
    assert!(page.status == 410 && page.shows("Set up your account"), "{page:?}");

    // The page belongs to another session, and so does its form token.
    let mut other = shop.browser();
    other.open("/sign-up").await;
    std::mem::swap(&mut browser.page_mut().text, &mut other.page_mut().text);
    let page = sign_up(&mut browser, "buyer@example.com").await;
    assert!(page.status == 403 && page.shows("open for too long"), "{page:?}");
    for path in ["/", "/work", "/plan", "/leave", "/tenants"] {
        assert_eq!(shop.browser().open(path).await.path, "/sign-in", "{path}");
    }
    assert_eq!(shop.browser().open("/nowhere").await.status, 404);
}

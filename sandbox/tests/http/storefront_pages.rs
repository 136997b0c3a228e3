use domain::listing::Listing;
use sandbox::{DescribedListing, Listings};

use super::*;

async fn page(sandbox: &TestSandbox, path: &str) -> String {
    let answer = sandbox.client.get(sandbox.url(path)).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.text().await.unwrap()
}

async fn submit(sandbox: &TestSandbox, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    let answer = sandbox.client.post(sandbox.url(path)).form(form).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Returns the text between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap_or_else(|| panic!("no {from} in {text}")) + from.len();
    let length = text[start..].find(to).unwrap();
    &text[start..start + length]
}

#[tokio::test]
async fn a_browser_subscribes_and_is_sent_to_the_registration_page() {
    let sandbox = TestSandbox::start().await;
    assert!(page(&sandbox, "/").await.contains("Nothing was bought yet"));
    let form =
        [("product", "demo-contract"), ("dimension.seats", "5"), ("dimension.projects", ""), ("free_trial", "true")];
    let (status, handover) = submit(&sandbox, "/storefront/subscribe", &form).await;
    assert_eq!(status, 200);
    assert_eq!(between(&handover, "action=\"", "\""), sandbox.url("/register"));
    assert_eq!(between(&handover, "name=\"x-amzn-marketplace-offer-type\" value=\"", "\""), "free-trial");
    assert!(handover.contains("<button>Set up your account</button>"));

    let token = between(&handover, "name=\"x-amzn-marketplace-token\" value=\"", "\"");
    let (status, _) = submit(&sandbox, "/register", &[("x-amzn-marketplace-token", token)]).await;
    assert_eq!(status, 303);
    let front = page(&sandbox, "/").await;
    for part in ["Demo Contract", "ACTIVE", "seats: 5", "license.activated", "free trial until", "none yet"] {
        assert!(front.contains(part), "no {part} in {front}");
    }
    assert!(!front.contains(token));
}

#[tokio::test]
async fn a_purchase_is_changed_by_its_buttons() {
    let sandbox = TestSandbox::start().await;
    let order = json!({ "product": "demo-contract", "dimensions": { "seats": 5 } });
    let bought = sandbox.post("/sandbox/purchases", order).await;
    let path = format!("/storefront/agreements/{}", bought["agreement_id"].as_str().unwrap());
    sandbox.post("/sandbox/clock", json!({ "advance": "1h" })).await;
    assert_eq!(submit(&sandbox, &path, &[("action", "amend"), ("dimension.seats", "12")]).await.0, 303);
    assert!(page(&sandbox, "/").await.contains("seats: 12"));

    let (_, handover) = submit(&sandbox, &format!("{path}/token"), &[]).await;
    assert_ne!(between(&handover, "name=\"x-amzn-marketplace-token\" value=\"", "\""), bought["token"]);

    assert_eq!(submit(&sandbox, "/storefront/clock", &[("advance", "1h")]).await.0, 303);
    assert_eq!(submit(&sandbox, &path, &[("action", "end")]).await.0, 303);
    let front = page(&sandbox, "/").await;
    assert!(front.contains("CANCELLED"));
    assert!(front.contains("2026-11-23 12:00:00"));
    let (status, refused) = submit(&sandbox, &path, &[("action", "end")]).await;
    assert_eq!(status, 400);
    assert!(refused.contains("no longer active"), "{refused}");
}

#[tokio::test]
async fn listing_and_form_values_are_escaped() {
    let mut listing = Listing::parse(include_str!("../../../listings/demo-contract.toml")).unwrap();
    listing.name = "<script>alert('name')</script>".to_owned();
    listing.dimensions[0].name = "\"><img src=x>".to_owned();
    let listings = Listings::These(vec![DescribedListing { file: "odd".to_owned(), listing }]);
    let sandbox = TestSandbox::with(Options { listings, ..Options::default() }).await;
    sandbox.post("/sandbox/purchases", json!({ "product": "odd", "dimensions": { "seats": "<b>" } })).await;
    let front = page(&sandbox, "/").await;
    for bad in ["<script>alert", "<img", "seats: <b>"] {
        assert!(!front.contains(bad), "{bad} in {front}");
    }
    assert!(front.contains("&#60;script&#62;alert"));

    for form in [
        [("product", "<i>"), ("dimension.seats", "1")],
        [("product", "odd"), ("dimension.<i>", "1")],
        [("product", "odd"), ("account", "<i>")],
    ] {
        let (status, refused) = submit(&sandbox, "/storefront/subscribe", &form).await;
        assert_eq!(status, 400);
        assert!(!refused.contains("<i>"), "{refused}");
    }
}

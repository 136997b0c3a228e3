use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;

use super::*;
use crate::details::entered_for_tests;

const DESCRIBED: &str = include_str!("../../../listings/demo-contract.toml");

fn listing() -> Listing {
    Listing::parse(DESCRIBED).unwrap()
}

/// A listing whose every text tries to break out of the page.
fn hostile_listing() -> Listing {
    let mut listing = listing();
    listing.name = "<script>alert(1)</script> & \"Co\"".to_owned();
    listing.support.email = "\"><img/src=x>@example.com".to_owned();
    listing.support.url = Some("javascript:alert(1)".parse().unwrap());
    listing
}

/// A page's text, without the style that all of them share.
fn html(response: Response) -> String {
    match ApiGatewayV2httpResponse::from(response).body {
        Some(Body::Text(text)) => text.replace(STYLE, "…"),
        _ => String::new(),
    }
}

fn form(listing: &Listing) -> Form<'_> {
    Form { listing, token: "the-form-token" }
}

#[test]
fn the_registration_page() {
    let listing = listing();
    for language in Language::ALL {
        let page = html(register(language, form(&listing), &Entered::default(), &[]));
        insta::assert_snapshot!(format!("register-{}", language.tag()), page);
    }
}

#[test]
fn the_registration_page_with_errors_keeps_what_was_typed_and_says_what_is_wrong_at_the_field() {
    let listing = listing();
    let entered = entered_for_tests("<script>\"'&@", "O'Neil \"><b>", "");
    let errors = [
        FieldError { field: Field::Email, message: MessageId("error-email-invalid") },
        FieldError { field: Field::Company, message: MessageId("error-company-long") },
    ];
    for language in Language::ALL {
        let response = register(language, form(&listing), &entered, &errors);
        assert_eq!(response.status, StatusCode::BAD_REQUEST);
        let page = html(response);
        assert!(!page.contains("<script>") && !page.contains("\"><b>"), "{page}");
        insta::assert_snapshot!(format!("register-errors-{}", language.tag()), page);
    }
}

#[test]
fn the_page_of_a_linked_license_asks_for_nothing() {
    let listing = listing();
    for language in Language::ALL {
        let page = html(linked(language, form(&listing)));
        assert!(!page.contains("name=\"email\"") && !page.contains("value=\"new\""), "{page}");
        insta::assert_snapshot!(format!("linked-{}", language.tag()), page);
    }
}

#[test]
fn the_status_page() {
    let listing = listing();
    insta::assert_snapshot!(
        "status-pending-en",
        html(status(Language::English, &listing, StateName::Pending, Reload::On))
    );
    insta::assert_snapshot!(
        "status-active-ja",
        html(status(Language::Japanese, &listing, StateName::Active, Reload::NotNeeded))
    );
    let stopped = html(status(Language::English, &listing, StateName::Pending, Reload::Off));
    assert!(!stopped.contains("http-equiv"), "{stopped}");
}

#[test]
fn the_page_of_something_that_went_wrong() {
    let (status, listing) = (StatusCode::GONE, listing());
    let unknown = problem(status, "token_expired", WayOn::Marketplace, Language::English, None);
    insta::assert_snapshot!("problem-en", html(unknown));
    let known = problem(StatusCode::CONFLICT, "form_stale", WayOn::Register, Language::Japanese, Some(&listing));
    insta::assert_snapshot!("problem-ja", html(known));
}

#[test]
fn no_text_of_a_listing_breaks_out_of_a_page() {
    let listing = hostile_listing();
    for language in Language::ALL {
        for response in [
            register(language, form(&listing), &Entered::default(), &[]),
            linked(language, form(&listing)),
            status(language, &listing, StateName::Pending, Reload::On),
            problem(StatusCode::NOT_FOUND, "product_unknown", WayOn::None, language, Some(&listing)),
        ] {
            let page = html(response);
            for broken in ["<script", "<img", "javascript:"] {
                assert!(!page.contains(broken), "{broken} in {page}");
            }
        }
    }
}

#[test]
fn the_policy_names_the_doors_of_the_application_and_the_hash_of_the_style() {
    let mut listing = listing();
    listing.urls.sign_in = "https://id.example.com:8443/in?tenant=x".parse().unwrap();
    let policy = content_security_policy(Some(&listing));
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self' https://app.example.com \
             https://id.example.com:8443; base-uri 'none'; frame-ancestors 'none'; img-src 'none'"
        )
    );
    let page = ApiGatewayV2httpResponse::from(linked(Language::English, form(&listing)));
    let Some(Body::Text(html)) = page.body else { panic!("no page") };
    assert!(html.contains(&format!("<style>{STYLE}</style>")));
    assert_eq!(page.headers[header::CONTENT_SECURITY_POLICY], policy.as_str());
}

/// The colours that stand on each other, in both schemes: at least 4.5 to 1 for text and 3 to 1 for the borders of
/// fields (WCAG 2.2, success criteria 1.4.3 and 1.4.11).
#[test]
fn the_colours_can_be_told_apart() {
    let (light, dark) = STYLE.split_once("@media").unwrap();
    for scheme in [light, dark] {
        let luminance = |name: &str| {
            let value = scheme.split(&format!("--{name}: #")).nth(1).unwrap();
            let channel = |at: usize| {
                let channel = f64::from(u8::from_str_radix(&value[at..at + 2], 16).unwrap()) / 255.0;
                if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        for (front, ground, least) in [
            ("text", "page", 4.5),
            ("text", "card", 4.5),
            ("muted", "page", 4.5),
            ("muted", "card", 4.5),
            ("accent", "page", 4.5),
            ("accent", "card", 4.5),
            ("accent-strong", "card", 4.5),
            ("on-accent", "accent", 4.5),
            ("on-accent", "accent-strong", 4.5),
            ("wrong", "card", 4.5),
            ("wrong", "wrong-ground", 4.5),
            ("text", "wrong-ground", 4.5),
            ("field", "card", 3.0),
        ] {
            let (a, b) = (luminance(front), luminance(ground));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= least, "{front} on {ground}: {contrast:.2}");
        }
    }
}

use domain::listing::SUBSCRIPTIONS_PAGE;

use super::*;
use crate::contact_form::form_values_for_tests;
use crate::text_for_tests;

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
    listing.urls.product = Some("javascript:alert(1)".parse().unwrap());
    listing.page.logo = Some("javascript:alert(1)".parse().unwrap());
    for field in &mut listing.page.fields {
        field.label = LocalizedText::new([
            (Language::English, "<script>alert(1)</script>".to_owned()),
            (Language::Japanese, "\"><img/src=x>".to_owned()),
        ]);
        for choice in &mut field.choices {
            choice.value = "\"><script>".to_owned();
            choice.label = LocalizedText::new(Language::ALL.iter().map(|of| (*of, "</option><script>".to_owned())));
        }
    }
    listing
}

/// A page's text, without the style that all of them share.
fn html(response: Response) -> String {
    text_for_tests(response).replace(STYLE, "…")
}

fn form(listing: &Listing) -> Form<'_> {
    Form { listing, token: "the-form-token" }
}

#[test]
fn the_registration_page() {
    let listing = listing();
    for &language in Language::ALL {
        let page = html(register(language, form(&listing), &FormValues::default(), &[]));
        insta::assert_snapshot!(format!("register-{}", language.tag()), page);
    }
}

#[test]
fn the_registration_page_with_errors_keeps_what_was_typed_and_says_what_is_wrong_at_the_field() {
    let listing = listing();
    let entered = form_values_for_tests(
        "<script>\"'&@",
        "O'Neil \"><b>",
        "",
        &[("order_number", "\"><b>7"), ("team_size", "11-100")],
    );
    let errors = [
        ("email", "error-email-invalid"),
        ("company", "error-company-long"),
        ("answer-order_number", "error-answer-long"),
    ];
    for &language in Language::ALL {
        let errors = errors.map(|(id, message)| FieldError {
            id: id.to_owned(),
            message: texts(language).say_with(message, [("field", "<order>"), ("max_length", "40")]),
        });
        let response = register(language, form(&listing), &entered, &errors);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let page = html(response);
        assert!(!page.contains("<script>") && !page.contains("\"><b>"), "{page}");
        insta::assert_snapshot!(format!("register-errors-{}", language.tag()), page);
    }
}

#[test]
fn the_page_of_a_linked_license_asks_for_nothing() {
    let listing = listing();
    for &language in Language::ALL {
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
    for state in [StateName::Failed, StateName::Ended] {
        let page = html(status(Language::English, &listing, state, Reload::NotNeeded));
        assert!(page.contains(SUBSCRIPTIONS_PAGE) && !page.contains("href=\"/register?"), "{page}");
    }
    for (reload, seconds) in [(Reload::On, Some("20")), (Reload::Off, None), (Reload::NotNeeded, None)] {
        let page = status(Language::English, &listing, StateName::Pending, reload);
        assert_eq!(page.headers().get(header::REFRESH).map(|value| value.to_str().unwrap()), seconds);
    }
}

#[test]
fn the_page_of_something_that_went_wrong() {
    let (status, listing) = (StatusCode::GONE, listing());
    let unknown = problem(status, "token_expired", NextStep::Marketplace, Language::English, None);
    insta::assert_snapshot!("problem-en", html(unknown));
    let known = problem(StatusCode::CONFLICT, "form_stale", NextStep::Register, Language::Japanese, Some(&listing));
    insta::assert_snapshot!("problem-ja", html(known));
}

#[test]
fn no_text_of_a_listing_breaks_out_of_a_page() {
    let listing = hostile_listing();
    for &language in Language::ALL {
        for response in [
            register(language, form(&listing), &FormValues::default(), &[]),
            linked(language, form(&listing)),
            status(language, &listing, StateName::Pending, Reload::On),
            problem(StatusCode::NOT_FOUND, "product_unknown", NextStep::None, language, Some(&listing)),
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
    let policy = content_security_policy(Some(&listing), true);
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let colours = accents(&listing).unwrap();
    let hash_of_colours = STANDARD.encode(Sha256::digest(&colours));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}' 'sha256-{hash_of_colours}'; form-action 'self' https://app.example.com \
             https://id.example.com:8443; base-uri 'none'; frame-ancestors 'none'; img-src 'none'"
        )
    );
    let page = linked(Language::English, form(&listing));
    assert_eq!(page.headers()[header::CONTENT_SECURITY_POLICY], policy.as_str());
    let html = text_for_tests(page);
    assert!(html.contains(&format!("<style>{STYLE}</style>")) && html.contains(&format!("<style>{colours}</style>")));
}

#[test]
fn a_listing_brings_its_logo_and_its_colours_and_nothing_else_is_loaded() {
    let mut listing = listing();
    listing.page.logo = Some("https://cdn.example.com/logo.svg?v=2&x=1".parse().unwrap());
    let page = register(Language::English, form(&listing), &FormValues::default(), &[]);
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.ends_with("; img-src https://cdn.example.com"), "{policy}");
    let html = text_for_tests(page);
    assert!(html.contains("<img src=\"https://cdn.example.com/logo.svg?v=2&#38;x=1\" alt=\"Demo"), "{html}");
    for colour in ["--accent:#0a6b57", "--accent:#7fd1bd"] {
        assert!(html.contains(colour), "{html}");
    }
    let plain = Listing { page: domain::listing::Page::default(), ..listing };
    assert_eq!(accents(&plain), None);
    let status = status(Language::English, &plain, StateName::Active, Reload::NotNeeded);
    let policy = content_security_policy(Some(&plain), false);
    assert_eq!(status.headers()[header::CONTENT_SECURITY_POLICY], policy.as_str());
    assert!(policy.contains("form-action 'self';") && policy.ends_with("img-src 'none'"), "{policy}");
}

/// The colours that stand on each other, in both schemes: at least 4.5 to 1 for text and 3 to 1 for the borders of
/// fields (WCAG 2.2, success criteria 1.4.3 and 1.4.11).
#[test]
fn the_colours_are_distinguishable() {
    let (light, dark) = STYLE.split_once("@media").unwrap();
    for scheme in [light, dark] {
        let colour = |name: &str| -> Colour {
            let value = scheme.split(&format!("--{name}: ")).nth(1).unwrap();
            value[..7].parse().unwrap()
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
            let contrast = colour(front).contrast(colour(ground));
            assert!(contrast >= least, "{front} on {ground}: {contrast:.2}");
        }
    }
}

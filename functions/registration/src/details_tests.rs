use std::collections::BTreeMap;

use domain::language::Language;
use domain::listing::Listing;

use super::*;
use crate::contact_form::form_values_for_tests;

fn license(tenant: Option<&str>) -> License {
    let mut license = License::new("l-a".parse().unwrap(), "demo".parse().unwrap());
    license.tenant = tenant.map(|tenant| tenant.parse().unwrap());
    license
}

fn contact(email: &str, saved_at: i64) -> Contact {
    let now = Timestamp::from_second(saved_at).unwrap();
    form_values_for_tests(email, "", "", &[]).contact(&"l-a".parse().unwrap(), &listing(), Language::English, now)
}

/// A listing that asks for a choice and an order number.
fn listing() -> Listing {
    Listing::parse(include_str!("../../../listings/demo-contract.toml")).unwrap()
}

fn session() -> SecretHash {
    Secret::random().unwrap().hash()
}

fn handoff() -> Also {
    let handoff = Handoff {
        license: "l-a".parse().unwrap(),
        session: session(),
        entry_point: EntryPoint::SignIn,
        expires_at: 0,
        redeemed: None,
    };
    Also::Handoff(Secret::random().unwrap().hash(), handoff)
}

/// Returns whether a change writes a contact and a handoff, and the number of its events.
fn written(change: &Change) -> (bool, bool, usize) {
    let has = |matches: fn(&Also) -> bool| change.also.iter().any(matches);
    let contact = has(|also| matches!(also, Also::Contact(_)));
    let handoff = has(|also| matches!(also, Also::Handoff(..)));
    (contact, handoff, change.events.len())
}

#[test]
fn a_form_is_read_field_by_field_and_what_is_not_asked_is_passed_over() {
    let fields = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let form = [
        ("email", " a@example.com "),
        ("account", "existing"),
        ("form_token", "t"),
        ("tenant", "acme"),
        ("answer-order_number", " PO-7 "),
    ];
    let posted = PostedForm::read(&fields(&form)).ok().unwrap();
    assert_eq!(
        (posted.entered.email.as_str(), posted.entry_point, posted.token.as_str()),
        ("a@example.com", EntryPoint::SignIn, "t")
    );
    assert_eq!(posted.entered.answers, BTreeMap::from([("order_number".to_owned(), "PO-7".to_owned())]));
    assert_eq!(PostedForm::read(&fields(&[("account", "new")])).ok().unwrap().entry_point, EntryPoint::SignUp);
    assert_eq!(PostedForm::read(&[]).ok().unwrap().entry_point, EntryPoint::SignUp);
    assert!(PostedForm::read(&fields(&[("account", "admin")])).is_err());
}

#[test]
fn a_license_of_a_tenant_opens_only_to_those_who_sign_in() {
    assert_eq!(entry_point(&license(None), EntryPoint::SignUp), EntryPoint::SignUp);
    assert_eq!(entry_point(&license(None), EntryPoint::SignIn), EntryPoint::SignIn);
    assert_eq!(entry_point(&license(Some("acme")), EntryPoint::SignUp), EntryPoint::SignIn);
    assert_eq!(entry_point(&license(Some("acme")), EntryPoint::SignIn), EntryPoint::SignIn);
}

#[test]
fn a_contact_is_saved_and_published_once() {
    let new = contact("a@example.com", 10);
    let first = complete(license(None), Some(&new), None, &session(), handoff());
    assert_eq!(written(&first), (true, true, 1));
    let again = complete(license(None), Some(&new), Some(&contact("a@example.com", 9)), &session(), handoff());
    assert_eq!(written(&again), (true, true, 0));
    let corrected = complete(license(None), Some(&new), Some(&contact("b@example.com", 9)), &session(), handoff());
    assert_eq!(written(&corrected), (true, true, 1));
}

#[test]
fn a_license_that_was_linked_meanwhile_keeps_its_contact() {
    let change = complete(license(Some("acme")), Some(&contact("a@example.com", 10)), None, &session(), handoff());
    assert_eq!(written(&change), (false, true, 1));
    assert_eq!(change.events, [OutboundEventKind::RegistrationReturned]);
}

#[test]
fn a_return_to_a_license_of_a_tenant_is_published_once_and_not_for_its_own_visitors() {
    let (visit, other) = (session(), session());
    let mut known = contact("a@example.com", 9);
    known.session = Some(other.clone());
    let first = complete(license(Some("acme")), None, Some(&known), &visit, handoff());
    assert_eq!(first.events, [OutboundEventKind::RegistrationReturned]);
    let again = complete(first.license, None, Some(&known), &visit, handoff());
    assert_eq!(written(&again), (false, true, 0));
    assert_eq!(written(&complete(again.license, None, Some(&known), &other, handoff())), (false, true, 0));
}

#[test]
fn the_code_is_added_to_whatever_url_the_application_has() {
    let mut listing = listing();
    let code = Secret::random().unwrap();
    let revealed = code.reveal();
    for (url, expected) in [
        ("https://app.example.com/sign-up", format!("https://app.example.com/sign-up?code={revealed}")),
        ("https://app.example.com", format!("https://app.example.com/?code={revealed}")),
        ("https://app.example.com/?", format!("https://app.example.com/?code={revealed}")),
        ("https://app.example.com/in?a=1&b=%20", format!("https://app.example.com/in?a=1&b=%20&code={revealed}")),
        ("https://app.example.com/#/in", format!("https://app.example.com/?code={revealed}#/in")),
    ] {
        listing.urls.sign_up = url.parse().unwrap();
        assert_eq!(listing.urls.entry_url(EntryPoint::SignUp, &code).as_str(), expected);
    }
    assert!(
        listing.urls.entry_url(EntryPoint::SignIn, &code).as_str().starts_with("https://app.example.com/sign-in?code=")
    );
}

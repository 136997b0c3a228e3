use super::*;

/// A listing that asks for a choice and an order number.
fn listing() -> Listing {
    Listing::parse(include_str!("../../../listings/demo-contract.toml")).unwrap()
}

#[test]
fn what_was_entered_is_judged_field_by_field() {
    let long = "x".repeat(201);
    let as_long_as_may_be = "社".repeat(200);
    let long_mail = format!("{}@example.com", "x".repeat(250));
    let cases: [(&str, &str, &str, &[&str]); 14] = [
        ("a@example.com", "", "", &[]),
        ("o'neil+tag@sub.example.co.jp", "Zoë \"Z\" <O'Neil>", "株式会社 例", &[]),
        ("検証@example.jp", "", "", &[]),
        ("a@example.com", &as_long_as_may_be, &as_long_as_may_be, &[]),
        ("", "", "", &["error-email-missing"]),
        ("a", "", "", &["error-email-invalid"]),
        ("a@b", "", "", &["error-email-invalid"]),
        ("a@example.com, b@example.com", "", "", &["error-email-invalid"]),
        ("a@example.com\r\nBcc: b@example.com", "", "", &["error-email-invalid"]),
        (&long_mail, "", "", &["error-email-invalid"]),
        ("a@example.com", &long, "", &["error-name-long"]),
        ("a@example.com", "A\r\nB", "", &["error-name-characters"]),
        ("a@example.com", "", "A\0B", &["error-company-characters"]),
        ("", &long, &long, &["error-email-missing", "error-name-long", "error-company-long"]),
    ];
    for (email, name, company, expected) in cases {
        let errors = form_values_for_tests(email, name, company, &[]).own_errors();
        let messages: Vec<_> = errors.iter().map(|(_, message)| message.0).collect();
        assert_eq!(messages, expected, "{email:?} {name:?} {company:?}");
    }
}

#[test]
fn the_answers_to_a_listings_own_fields_are_judged_after_the_pages() {
    let long = "x".repeat(41);
    let answers = [("team_size", "a few"), ("order_number", long.as_str())];
    let mut listing = listing();
    listing.page.fields[0].required = true;
    for (entered, expected) in [
        (form_values_for_tests("", "", "", &answers), vec!["email", "answer-team_size", "answer-order_number"]),
        (form_values_for_tests("a@example.com", "", "", &[]), vec!["answer-team_size"]),
        (form_values_for_tests("a@example.com", "", "", &[("team_size", "101+")]), vec![]),
    ] {
        let errors = entered.errors(&listing, Language::English);
        let ids: Vec<&str> = errors.iter().map(|error| error.id.as_str()).collect();
        assert_eq!(ids, expected);
    }
    let said = |language| form_values_for_tests("a@example.com", "", "", &answers).errors(&listing, language);
    assert_eq!(said(Language::English)[1].message, "Enter at most 40 characters for “Your order number”.");
    assert_eq!(said(Language::Japanese)[1].message, "「貴社の発注番号」は 40 文字以内で入力してください。");
}

#[test]
fn a_contact_keeps_the_language_and_leaves_out_what_is_blank() {
    let answers = [("order_number", "PO-7"), ("team_size", ""), ("never_asked", "x")];
    let entered = form_values_for_tests("a@example.com", "", "Example", &answers);
    let contact = entered.contact(&"l-a".parse().unwrap(), &listing(), Language::Japanese, Timestamp::UNIX_EPOCH);
    assert_eq!(contact.answers, BTreeMap::from([("order_number".to_owned(), "PO-7".to_owned())]));
    assert_eq!(contact.name, None);
    assert_eq!(contact.company.as_deref(), Some("Example"));
    assert_eq!(contact.language, "ja");
}

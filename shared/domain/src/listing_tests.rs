use super::*;

const GOOD: &str = include_str!("../../../listings/demo-contract.toml");

/// Returns the error of a listing in which a text is replaced, and the first line, from 1, that differs from before.
pub(super) fn refused(good: &str, from: &str, to: &str) -> (ListingError, usize) {
    let bad = good.replacen(from, to, 1);
    assert_ne!(bad, good, "the sample has no {from:?}");
    let changed = 1 + good.lines().zip(bad.lines()).take_while(|(good, bad)| good == bad).count();
    (Listing::parse(&bad).unwrap_err(), changed)
}

#[test]
fn every_described_listing_is_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../listings");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            Listing::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            seen += 1;
        }
    }
    assert!(seen >= 4);
}

#[test]
fn an_error_names_the_line_and_what_would_be_right() {
    let cases = [
        ("mode = \"license\"", "mode = \"licence\"", "unknown variant `licence`, expected `license` or `customer`"),
        ("product_id = \"prod-", "product_id = \"product-", "a product id must be `prod-` and up to 100 letters"),
        ("types = [\"Entitled\"]", "types = [\"Entitled\", \"Metered\"]", "has only Entitled dimensions"),
        ("types = [\"Entitled\"]", "types = []", "needs at least one type"),
        ("key = \"projects\"", "key = \"seats\"", "dimension `seats` is described twice"),
        ("sign_up = \"https:", "sign_up = \"http:", "`urls.sign_up` must begin with https://"),
        ("email = \"", "email = \"no address ", "`support.email` must be a mail address"),
        ("name = \"Demo", "nam = \"Demo", "unknown field `nam`"),
    ];
    for (from, to, expected) in cases {
        let (error, changed) = refused(GOOD, from, to);
        assert!(error.problem.contains(expected), "{error}");
        assert_eq!(error.line, Some(changed), "{error}");
    }
}

#[test]
fn the_line_of_a_field_of_the_page_is_its_own() {
    for (from, to, expected) in [
        ("accent = \"", "logo = \"http://www.example.com/logo.png\"\naccent = \"", "`page.logo`"),
        ("accent = \"#0a6b57\"", "accent = \"#ffcc00\"", "`page.accent`"),
        ("accent_dark = \"#7fd1bd\"", "accent_dark = \"#0b5cad\"", "`page.accent_dark`"),
        ("key = \"order_number\"", "key = \"team_size\"", "described twice"),
        ("key = \"order_number\"", "key = \"Order\"", "small letters"),
        ("ja = \"貴社の発注番号\"", "ja = \"\"", "in English and Japanese"),
        ("max_length = 40", "max_length = 201", "must be 1 to 200"),
        ("en = \"More than 100\"", "en = \" \"", "in English and Japanese"),
        ("value = \"101+\"", "value = \"1-10\"", "have the same value"),
        ("value = \"101+\"", "value = \" 101+\"", "without blanks around it"),
    ] {
        let (error, changed) = refused(GOOD, from, to);
        assert!(error.problem.contains(expected), "{error}");
        assert_eq!(error.line, Some(changed), "{error}");
    }
    let kindless = GOOD.replacen("kind = \"choice\"\n", "", 1);
    let choices = kindless.lines().position(|line| line == "choices = [");
    assert_eq!(Listing::parse(&kindless).unwrap_err().line, choices.map(|before| before + 1));
}

#[test]
fn a_contract_with_consumption_needs_both_kinds_of_dimension() {
    let bad = GOOD.replacen("pricing = \"contract\"", "pricing = \"contract-with-consumption\"", 1);
    assert!(Listing::parse(&bad).unwrap_err().problem.contains("an Entitled dimension and an ExternallyMetered one"));
}

#[test]
fn an_overage_is_of_an_entitled_dimension_of_a_contract_with_consumption() {
    let good = include_str!("../../../listings/demo-consumption.toml");
    let listing = Listing::parse(good).unwrap();
    assert!(listing.dimensions.iter().any(|dimension| dimension.overage_of.is_some()));
    for (from, to, expected) in [
        ("overage_of = \"", "overage_of = \"no_", "which is no Entitled dimension"),
        ("types = [\"ExternallyMetered\"]", "types = [\"Entitled\"]", "is not metered"),
        ("pricing = \"contract-with-consumption\"", "pricing = \"contract\"", ""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "the sample has no {from:?}");
        assert!(Listing::parse(&bad).unwrap_err().problem.contains(expected), "{from}");
    }
}

#[test]
fn the_texts_of_a_dimension_are_held_to_the_limits_of_the_catalog() {
    let good = GOOD.parse::<toml::Table>().unwrap();
    let parsed = |field: &str, text: &str| {
        let mut listing = good.clone();
        let dimension = listing["dimensions"].as_array_mut().unwrap()[0].as_table_mut().unwrap();
        dimension.insert(field.to_owned(), text.into());
        Listing::parse(&listing.to_string()).map_err(|error| error.problem)
    };
    for (field, most) in [("key", 100), ("name", 80), ("description", 1000), ("unit", 20)] {
        // Characters count, not bytes.
        let letter = if field == "key" { "a" } else { "席" };
        assert_eq!(parsed(field, &letter.repeat(most)).err(), None, "{field}");
        for text in [letter.repeat(most + 1), " ".to_owned(), String::new()] {
            let problem = parsed(field, &text).unwrap_err();
            assert!(problem.contains(&format!("1 to {most} ")), "{field} {text:?}: {problem}");
        }
    }
}

#[test]
fn mail_addresses_are_judged_loosely() {
    for good in ["a@example.com", "o'neil+tag@sub.example.co.jp", "検証@example.jp"] {
        assert!(is_mail_address(good), "{good}");
    }
    for bad in
        ["", "a", "@example.com", "a@", "a@b", "a b@example.com", "a@b@example.com", "a@example..com", "a@x.com\n"]
    {
        assert!(!is_mail_address(bad), "{bad:?}");
    }
}

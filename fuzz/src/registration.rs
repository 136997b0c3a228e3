//! The forms that a buyer's browser sends to the registration page.

use ::registration::Registration;
use domain::registration::Secret;
use serde_json::Value;
use url::Url;

use crate::invocation::{Answer, TABLE, answer, event};
use crate::table::{CONTRACT, SECRET, VISITED, listing, secret, written};

const FORM: &str = "application/x-www-form-urlencoded";
const TOKEN: &str = "x-amzn-marketplace-token";

fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers = [&[("content-type", FORM), ("host", "register.example.com")], headers].concat();
    let event = event("POST", path, &headers, body);
    let answer =
        answer(async |config, clock, event| Registration::new(&config, TABLE, clock).handle(event).await, event);
    assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    written(&answer.calls);
    answer
}

fn fields(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

fn form(fields: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Fuzzes a form for `/register`.
///
/// Without a token the function calls nothing and writes nothing. A token is passed to ResolveCustomer unchanged, and
/// the answer contains no part of it: another token has the same answer.
pub fn registration_token(input: &[u8]) {
    let given = post("/register", &[], input);
    if std::str::from_utf8(input).is_err() {
        assert_eq!((given.status, given.calls.len()), (400, 0));
        return;
    }
    let mut fields = fields(input);
    let token = fields.iter_mut().find(|(name, value)| name == TOKEN && !value.trim().is_empty());
    let is_one =
        |token: &str| token.len() <= 16 * 1024 && !token.contains(|c: char| c.is_whitespace() || c.is_control());
    let Some((_, token)) = token.filter(|(_, token)| is_one(token)) else {
        assert_eq!((given.status, given.calls.len()), (400, 0));
        return;
    };
    let asked = given.calls.first().expect("a call");
    assert_eq!(
        (asked.operation.as_str(), asked.body["RegistrationToken"].as_str()),
        ("ResolveCustomer", Some(&**token))
    );
    assert_eq!((given.status, given.header("location")), (303, "/register"));
    let [cookie] = given.http.cookies.as_slice() else { panic!("one cookie") };
    let cookie = cookie.strip_prefix("__Host-stallkeeper=").expect("the session's");
    let (session, attributes) = cookie.split_once(';').expect("attributes");
    assert!(Secret::presented(session).is_some());
    assert_eq!(attributes, " Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=14400");

    *token = "another".to_owned();
    let other = post("/register", &[], form(&fields).as_bytes());
    assert_eq!((given.status, &given.http.headers, given.text()), (other.status, &other.http.headers, other.text()));
    let kinds = |answer: &Answer| answer.calls.iter().map(|call| call.operation.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&given), kinds(&other));
}

/// Posts the form of the page of the one session.
fn post_details(fields: &[(String, String)]) -> Answer {
    let cookie = format!("__Host-stallkeeper={SECRET}");
    let headers = [("origin", "https://register.example.com"), ("cookie", cookie.as_str())];
    post("/register/details", &headers, form(fields).as_bytes())
}

/// Returns the form's token as a field.
fn form_token() -> (String, String) {
    ("form_token".to_owned(), secret().form_token(&VISITED.parse().expect("a license id")))
}

/// Fuzzes a form for `/register/details`.
///
/// A form from another origin, or without the form's token, writes nothing. Input that the page shows again is text and
/// never markup. Every stored value is valid, and the buyer is redirected only to the application.
pub fn registration_details(input: &[u8]) {
    let foreign = post("/register/details", &[("origin", "https://evil.example")], input);
    assert_eq!((foreign.status, foreign.calls.len()), (403, 0));
    let mut of_input = fields(input);
    of_input.retain(|(name, _)| name != "form_token");
    assert!(!post_details(&of_input).has_written());

    let fields = [vec![form_token()], of_input].concat();
    let given = post_details(&fields);
    if given.status == 303 {
        assert_goes_on(&given);
    } else {
        assert!(!given.has_written(), "{}", given.status);
        let plain = post_details(&without_markup(fields));
        let tags = |answer: &Answer| answer.text().matches('<').count();
        assert_eq!((given.status, tags(&given)), (plain.status, tags(&plain)));
    }
}

fn assert_goes_on(given: &Answer) {
    let listing = listing(CONTRACT).expect("a listing");
    let location = Url::parse(given.header("location")).expect("a URL");
    let mut query = location.query_pairs();
    let code = query.next().filter(|(name, _)| name == "code").expect("a code").1.into_owned();
    assert!(query.next().is_none() && Secret::presented(&code).is_some());
    let mut door = location.clone();
    door.set_query(None);
    assert!([&listing.urls.sign_up, &listing.urls.sign_in].contains(&&door), "{door}");

    let written = written(&given.calls);
    assert!(
        !serde_json::to_string(&written.values().collect::<Vec<_>>()).expect("JSON").contains(&code),
        "kept as it is"
    );
    let contact = written.iter().find(|((_, sk), _)| sk == "CONTACT").expect("a contact").1;
    let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
    let email = text(&contact["email"]);
    assert!(email.len() <= 254 && email.contains('@') && !email.contains(char::is_whitespace), "{email:?}");
    for name in ["name", "company"] {
        let text = text(&contact[name]);
        assert!(text.chars().count() <= 200 && !text.chars().any(char::is_control), "{text:?}");
    }
    for (key, answer) in contact["answers"]["M"].as_object().into_iter().flatten() {
        let field = listing.page.fields.iter().find(|field| field.key == *key).expect("an answer to what is asked");
        assert_eq!(field.judge(&text(answer)), Ok(()));
    }
}

/// Replaces the characters that are special in HTML with others. The number of characters stays the same, and so does
/// the validity of an address.
fn without_markup(mut fields: Vec<(String, String)>) -> Vec<(String, String)> {
    for (_, value) in &mut fields {
        *value = value.replace(['<', '>', '"'], ";").replace(['&', '\''], "-");
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_input_is_accepted() {
        let given = fields(include_bytes!("../corpus/registration_details/new"));
        assert_eq!(post_details(&[vec![form_token()], given].concat()).status, 303);
        let given = fields(include_bytes!("../corpus/registration_details/markup"));
        let shown = post_details(&[vec![form_token()], given].concat());
        assert!(shown.status == 400 && shown.text().contains("&#60;"), "{}", shown.status);
        let arrived = post("/register", &[], include_bytes!("../corpus/registration_token/token"));
        assert!(arrived.status == 303 && arrived.has_written());
    }
}

//! What is read into a type: ids, amounts, described listings, and requests as API Gateway hands them over.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stallkeeper::http::Request;
use stallkeeper::ids::{
    AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode, ProductId, TenantId,
};
use stallkeeper::listing::{Colour, Listing};
use stallkeeper::metering::RecordName;
use stallkeeper::registration::Secret;
use stallkeeper::time::UsageHour;
use stallkeeper::usage::{LARGEST, Quantity, plain_decimal};
use url::Url;

/// A text that may name something, or be an amount. What parses is written as it was read, also by serde, which refuses
/// what is refused; an id breaks no key apart and stands in a URL as it is.
pub fn ids(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    id::<AccountId>(text);
    id::<AgreementId>(text);
    id::<CustomerIdentifier>(text);
    id::<DimensionKey>(text);
    id::<ProductCode>(text);
    id::<ProductId>(text);
    same::<UsageHour>(text);
    for is_one in [id::<TenantId>(text), id::<LicenseId>(text), name::<RecordName>(text)] {
        assert!(!is_one || in_path(text), "{text}");
    }
    if same::<LicenseArn>(text) {
        let arn: LicenseArn = text.parse().expect("it was read");
        assert!(text.ends_with(arn.id().as_str()) && id::<LicenseId>(arn.id().as_str()) && !arn.id().is_legacy());
    }
    if let Some(secret) = Secret::presented(text) {
        assert_eq!(secret.reveal(), text);
        assert!(in_path(text));
    }
    if let Ok(colour) = text.parse::<Colour>() {
        assert_eq!(colour.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(quantity) = text.parse::<Quantity>() {
        let amount = quantity.amount();
        assert!(!amount.is_sign_negative() && amount <= LARGEST && amount.scale() <= 6, "{text}");
        assert_eq!(Some(amount), plain_decimal(text));
        assert_eq!(quantity.to_string().parse(), Ok(quantity));
        assert_eq!(serde_json::from_value::<Quantity>(json!(quantity)).ok(), Some(quantity));
        assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{text}");
    }
}

/// Whether it is read, and then written as it was.
fn name<T: FromStr + Display>(text: &str) -> bool {
    text.parse::<T>().is_ok_and(|read| {
        assert_eq!(read.to_string(), text);
        true
    })
}

/// The same, by serde too.
fn same<T>(text: &str) -> bool
where
    T: FromStr + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let by_serde = serde_json::from_value::<T>(json!(text)).ok();
    assert_eq!(text.parse().ok(), by_serde, "{text}");
    if let Some(read) = &by_serde {
        assert_eq!(serde_json::to_value(read).ok(), Some(json!(text)));
    }
    name::<T>(text)
}

/// The same of what stands in a key.
fn id<T>(text: &str) -> bool
where
    T: FromStr + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let is_one = same::<T>(text);
    assert!(!is_one || text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#@/\"".contains(&byte)), "{text}");
    is_one
}

/// Whether a URL has it as a part of its path as it is.
fn in_path(part: &str) -> bool {
    let url = Url::parse(&format!("https://api.example.com/v1/{part}/end")).expect("a URL");
    url.path_segments().is_some_and(|path| path.eq(["v1", part, "end"])) && url.query().is_none()
}

/// A described listing. What is taken is the same once it is written as TOML, as JSON or as an item of the table; what is
/// refused is refused at a line of the file.
pub fn listing(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let listing = match Listing::parse(text) {
        Ok(listing) => listing,
        Err(error) => {
            assert!(error.line.is_none_or(|line| (1..=text.lines().count() + 1).contains(&line)), "{error}");
            return;
        }
    };
    let described = toml::to_string(&listing).expect("TOML");
    assert_eq!(Listing::parse(&described).as_ref(), Ok(&listing), "{described}");
    assert_eq!(serde_json::from_value::<Listing>(json!(listing)).expect("JSON"), listing);
    let item: serde_dynamo::Item = serde_dynamo::to_item(&listing).expect("an item");
    assert_eq!(serde_dynamo::from_item::<_, Listing>(item).expect("a listing"), listing);
    assert!([&listing.urls.sign_up, &listing.urls.sign_in].iter().all(|url| url.scheme() == "https"));
}

/// What stands in a request beside its body: a line each of path, query, cookies, content type and idempotency key. The
/// query is what it would be if it were written again, and cookies are the same in their header and apart.
pub fn request(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let [path, query, cookies, content_type, key] = [next(), next(), next(), next(), next()];
    let headers = json!({ "content-type": content_type, "idempotency-key": key, "cookie": cookies });
    let read = |path: &str, stage: &str, headers: &Value, cookies: &[&str]| {
        let event = json!({ "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": headers, "cookies": cookies,
            "requestContext": { "http": { "method": "GET" }, "stage": stage } });
        serde_json::from_value::<ApiGatewayV2httpRequest>(event).ok().map(Request::read)
    };
    // What no header may hold does not get here.
    let Some(request) = read(path, "$default", &headers, &[]) else { return };

    let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(&request.query).finish();
    assert_eq!(form_urlencoded::parse(written.as_bytes()).into_owned().collect::<Vec<_>>(), request.query);
    let names: Vec<&str> = request.query.iter().map(|(name, _)| name.as_str()).collect();
    let is_once = names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1);
    assert_eq!(request.only_parameters(&names).is_ok(), is_once);
    assert!(
        request.limit(10, 500).is_ok_and(|limit| (1..=500).contains(&limit)) || request.parameter("limit").is_some()
    );

    // API Gateway takes cookies apart. A header that is no text is none.
    let apart: Vec<&str> = request.header("cookie").unwrap_or_default().split(';').collect();
    let apart = read(path, "$default", &json!({}), &apart).expect("the same request");
    for name in ["__Host-stallkeeper", "a"] {
        assert_eq!(request.cookie(name), apart.cookie(name));
        assert!(request.cookie(name).is_none_or(|value| !value.contains(';')));
    }
    let content_type = request.content_type();
    assert!(content_type == content_type.trim().to_ascii_lowercase() && !content_type.contains(';'));
    if let Ok(key) = request.idempotency_key() {
        assert!((1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if path.starts_with('/') {
        let below = read(&format!("/prod{path}"), "prod", &headers, &[]).expect("the same request");
        assert_eq!(below.path, path);
        assert_eq!(below.segments(), request.segments());
    }
}

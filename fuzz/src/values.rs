//! Values that are parsed into a type: ids, quantities, listings, and requests as API Gateway passes them on.

use crate::invocation::block_on;
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use axum::Router;
use axum::extract::OriginalUri;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use domain::ids::{
    AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode, ProductId, TenantId,
};
use domain::listing::{Colour, Listing};
use domain::metering::RecordName;
use domain::registration::Secret;
use domain::time::UsageHour;
use domain::usage::{MAX_QUANTITY, Quantity, plain_decimal};
use lambda::http::gateway;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use url::Url;

/// Fuzzes a string that may be an id or a quantity.
///
/// A parsed value has the same text as the input, also through serde, which refuses the same inputs. An id contains no
/// character that separates the parts of a key, and needs no encoding in a URL.
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
        assert!(!amount.is_sign_negative() && amount <= MAX_QUANTITY && amount.scale() <= 6, "{text}");
        assert_eq!(Some(amount), plain_decimal(text));
        assert_eq!(quantity.to_string().parse(), Ok(quantity));
        assert_eq!(serde_json::from_value::<Quantity>(json!(quantity)).ok(), Some(quantity));
        assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{text}");
    }
}

/// Returns `true` if the text parses. Asserts that the value displays as the text.
fn name<T: FromStr + Display>(text: &str) -> bool {
    text.parse::<T>().is_ok_and(|read| {
        assert_eq!(read.to_string(), text);
        true
    })
}

/// Returns `true` if the text parses. Asserts the properties of [`name`], and that serde agrees.
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

/// Returns `true` if the text parses. Asserts the properties of [`same`], and that the id is valid as a part of a key.
fn id<T>(text: &str) -> bool
where
    T: FromStr + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let is_one = same::<T>(text);
    assert!(!is_one || text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#@/\"".contains(&byte)), "{text}");
    is_one
}

/// Returns `true` if the text is one path segment of a URL without encoding.
fn in_path(part: &str) -> bool {
    let url = Url::parse(&format!("https://api.example.com/v1/{part}/end")).expect("a URL");
    url.path_segments().is_some_and(|path| path.eq(["v1", part, "end"])) && url.query().is_none()
}

/// Fuzzes the file of a listing. An accepted listing stays the same through TOML, JSON and an item of the table. An
/// error names a line of the file, if it names one.
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

/// Fuzzes the parts of a request beside its body: a line each for path, query, cookies, content type and idempotency
/// key.
///
/// A handler receives the path as API Gateway decoded it, the query as it was sent, and the same cookies from the
/// header as from the separate list. Otherwise the event is refused.
pub fn request(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let [path, query, cookies, content_type, key] = [next(), next(), next(), next(), next()];
    let event = |path: &str, stage: &str, headers: &Value, cookies: Option<&[&str]>| {
        let event = json!({ "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": headers, "cookies": cookies,
            "requestContext": { "http": { "method": "GET" }, "stage": stage } });
        serde_json::from_value::<ApiGatewayV2httpRequest>(event).ok()
    };
    let headers = json!({ "content-type": content_type, "idempotency-key": key, "cookie": cookies });
    // An event with a value that no header may contain ends here.
    let Some(in_header) = event(path, "$default", &headers, None) else { return };
    let has_dots = path.split('/').any(|segment| [".", ".."].contains(&segment));
    let Some(request) = handed_over(in_header) else {
        assert!(has_dots || !query.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?} {query:?}");
        return;
    };
    assert!(!has_dots, "{path:?}");
    assert_eq!(request.path.strip_prefix('/'), Some(path.strip_prefix('/').unwrap_or(path)));
    assert_eq!(request.query, query);

    let apart: Vec<&str> = cookies.split("; ").collect();
    let apart = event(path, "$default", &json!({}), Some(&apart)).and_then(handed_over).expect("the same request");
    assert_eq!(apart.cookies, request.cookies);
    if path.starts_with('/') {
        let below = event(&format!("/prod{path}"), "prod", &headers, None).and_then(handed_over);
        assert_eq!(below.expect("the same request").path, request.path);
    }
}

/// The parts of a request as a handler receives them.
#[derive(Debug, Clone, Default)]
struct HandedOver {
    path: String,
    query: String,
    cookies: String,
}

/// Passes an event to a handler that accepts every path. Returns what the handler received, or `None` if the event is
/// refused.
fn handed_over(event: ApiGatewayV2httpRequest) -> Option<HandedOver> {
    let given = Arc::new(Mutex::new(HandedOver::default()));
    let here = Arc::clone(&given);
    let handler = async move |OriginalUri(uri): OriginalUri, headers: HeaderMap| {
        *here.lock().expect("one handler") = HandedOver {
            path: percent_decode_str(uri.path()).decode_utf8().expect("UTF-8").into_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            cookies: headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned(),
        };
    };
    block_on(gateway::answer(&Router::new().fallback(handler), event)).ok()?;
    let given = given.lock().expect("one handler").clone();
    Some(given)
}

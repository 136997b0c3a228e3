//! API Gateway's language: requests of an HTTP API (payload version 2), answers, problem documents.
//!
//! Requests are read here and not by `lambda_http`, which panics on a body that is not the base64 it claims to be.

pub mod negotiate;
mod problem;

use std::fmt::Display;
use std::str::FromStr;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::ser::Serialize;

pub use problem::{Problem, Refusal};

/// The largest body that is read; what API Gateway lets through is larger than any form or document needs.
const LONGEST_BODY: usize = 1024 * 1024;

/// A request, with its body decoded.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path below the API's stage. API Gateway hands `rawPath` on percent-decoded, once, and the query as it was sent;
    /// so nothing here decodes it again.
    pub path: String,
    /// The query, in order.
    pub query: Vec<(String, String)>,
    /// The ARN of who signed the call, where API Gateway has checked a signature.
    pub caller: Option<String>,
    /// When API Gateway took it.
    pub arrived_at: Timestamp,
    headers: HeaderMap,
    cookies: Vec<String>,
    host: Option<String>,
    body: Result<Vec<u8>, BodyError>,
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It claims to be base64 and is not.
    #[error("the body is not the base64 that it is said to be")]
    NotBase64,
    /// It is longer than anything asked for here.
    #[error("the body is larger than 1 MiB, which is 1048576 bytes")]
    TooLarge,
    /// It is not UTF-8.
    #[error("the body is not UTF-8 text")]
    NotText,
    /// It is not of the content type that is asked for here.
    #[error("the body must be {0}")]
    WrongType(&'static str),
}

impl Request {
    /// Reads what API Gateway hands to a function.
    pub fn read(event: ApiGatewayV2httpRequest) -> Self {
        // `$default` stands in no path; where a path begins so, it is the caller's.
        let stage = event.request_context.stage.filter(|stage| stage != "$default").unwrap_or_default();
        let path = event.raw_path.unwrap_or_default();
        let path = match path.strip_prefix('/').and_then(|path| path.strip_prefix(&stage)) {
            Some(below) if !stage.is_empty() && below.starts_with('/') => below.to_owned(),
            _ => path,
        };
        let iam = event.request_context.authorizer.and_then(|authorizer| authorizer.iam);
        let query = event.raw_query_string.unwrap_or_default();
        let host = event.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        Self {
            method: event.request_context.http.method,
            path,
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            caller: iam.and_then(|iam| iam.user_arn),
            arrived_at: Timestamp::from_millisecond(event.request_context.time_epoch).unwrap_or_default(),
            cookies: event.cookies.unwrap_or_default(),
            host: host.or(event.request_context.domain_name),
            headers: event.headers,
            body: decode(event.body.unwrap_or_default(), event.is_base64_encoded),
        }
    }

    /// The parts of the path between its slashes.
    pub fn segments(&self) -> Vec<&str> {
        self.path.trim_start_matches('/').split('/').collect()
    }

    /// Refuses every other method.
    ///
    /// # Errors
    ///
    /// A problem document that names the method that the path has.
    pub fn only_method(&self, method: &Method) -> Result<(), Problem> {
        self.only_methods(std::slice::from_ref(method))
    }

    /// Refuses every method but these.
    ///
    /// # Errors
    ///
    /// A problem document that names the methods that the path has.
    pub fn only_methods(&self, methods: &[Method]) -> Result<(), Problem> {
        if methods.contains(&self.method) {
            return Ok(());
        }
        let allowed = &methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path has no such method.")
            .detail(format!("{} is not {allowed}", self.method))
            .action("Use the method that the Allow header names.")
            .header(header::ALLOW, allowed))
    }

    /// Refuses query parameters that are not there, so that a slip of the pen is not taken for no filter at all.
    ///
    /// # Errors
    ///
    /// A problem document that names the parameter, and those that are known.
    pub fn only_parameters(&self, known: &[&str]) -> Result<(), Problem> {
        for (at, (name, _)) in self.query.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let name = shortened(name);
                return Err(Problem::invalid("query", format!("no parameter `{name}`; known here: {known}")));
            }
            if self.query.iter().take(at).any(|(earlier, _)| earlier == name) {
                return Err(Problem::invalid(name, "given more than once"));
            }
        }
        Ok(())
    }

    /// A header's value, if it is there and is text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The key by which the caller knows this request again if it sends it again.
    ///
    /// # Errors
    ///
    /// A problem document, when there is none or it is not one to 255 visible ASCII characters.
    pub fn idempotency_key(&self) -> Result<&str, Problem> {
        let refuse = |why| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_invalid",
                "The header Idempotency-Key is missing or no key.",
            )
            .detail(why)
            .action("Send a new random key with each new request, and the same one when you send it again.")
        };
        let key = self.header("idempotency-key").ok_or_else(|| refuse("there is none"))?;
        let is_one = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one { Ok(key) } else { Err(refuse("it must be 1 to 255 visible ASCII characters")) }
    }

    /// The host that the browser asked.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The value of a query parameter: the first, if it is there more than once.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter that is yes or no; no, if it is not there.
    ///
    /// # Errors
    ///
    /// A problem document that names the parameter.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.parameter(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::invalid(name, "is `true` or `false`")),
        }
    }

    /// How many rows a page has at most: the query parameter `limit`, if it is there.
    ///
    /// # Errors
    ///
    /// A problem document that says what it may be.
    pub fn limit<N>(&self, usual: N, most: N) -> Result<N, Problem>
    where
        N: FromStr + PartialOrd + Display + From<u8>,
    {
        let Some(given) = self.parameter("limit") else { return Ok(usual) };
        let limit = given.parse().ok().filter(|limit| *limit >= N::from(1) && *limit <= most);
        limit.ok_or_else(|| Problem::invalid("limit", format!("must be a number from 1 to {most}")))
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let in_header = self.header(header::COOKIE).unwrap_or_default().split(';');
        let all = self.cookies.iter().map(String::as_str).chain(in_header);
        all.filter_map(|cookie| cookie.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The fields of an HTML form.
    ///
    /// # Errors
    ///
    /// When the body is not such a form, not text, or could not be decoded.
    pub fn form(&self) -> Result<Vec<(String, String)>, BodyError> {
        let text = self.text("application/x-www-form-urlencoded")?;
        Ok(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// A JSON document.
    ///
    /// # Errors
    ///
    /// A problem document that says what is wrong with the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let text = self.text("application/json").map_err(Problem::body)?;
        let document = serde_json::from_str::<serde_json::Value>(text);
        // serde would also read an object from a list of its members.
        let object = document.map(|document| if document.is_array() { serde_json::Value::Null } else { document });
        object.and_then(serde_json::from_value).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "body_invalid", "The body is not what is asked for here.")
                .detail(error.to_string())
                .action("Mend the body as the detail says and send it again.")
        })
    }

    /// A CSV file, not yet read. API Gateway hands text on with U+FFFD in the place of bytes that are not UTF-8, in which
    /// two different keys could become the same; so a file with one is not taken for text.
    ///
    /// # Errors
    ///
    /// A problem document that says why the body is none.
    pub fn csv(&self) -> Result<&str, Problem> {
        let text = self.text("text/csv").map_err(Problem::body)?;
        if text.contains(char::REPLACEMENT_CHARACTER) { Err(Problem::body(BodyError::NotText)) } else { Ok(text) }
    }

    /// What the body is said to be, in lower case and without parameters; empty if nothing is said.
    pub fn content_type(&self) -> String {
        let given = self.header(header::CONTENT_TYPE).unwrap_or_default();
        given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// A parameter of the content type, such as `charset`.
    pub fn content_type_parameter(&self, name: &str) -> Option<&str> {
        let parameters = self.header(header::CONTENT_TYPE).unwrap_or_default().split(';').skip(1);
        let mut parameters = parameters.filter_map(|parameter| parameter.split_once('='));
        let value = parameters.find(|(given, _)| given.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value);
        value.map(|value| value.trim().trim_matches('"'))
    }

    fn text(&self, content_type: &'static str) -> Result<&str, BodyError> {
        if self.content_type() != content_type {
            return Err(BodyError::WrongType(content_type));
        }
        let bytes = self.body.as_ref().map_err(|error| *error)?;
        std::str::from_utf8(bytes).map_err(|_| BodyError::NotText)
    }
}

/// As much of a name that is not known as an answer repeats.
pub fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

fn decode(body: String, is_base64: bool) -> Result<Vec<u8>, BodyError> {
    let longest = if is_base64 { LONGEST_BODY.div_ceil(3) * 4 } else { LONGEST_BODY };
    if body.len() > longest {
        return Err(BodyError::TooLarge);
    }
    let bytes = if is_base64 { STANDARD.decode(body).map_err(|_| BodyError::NotBase64)? } else { body.into_bytes() };
    if bytes.len() > LONGEST_BODY { Err(BodyError::TooLarge) } else { Ok(bytes) }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    headers: HeaderMap,
    cookies: Vec<String>,
    body: String,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), cookies: Vec::new(), body: String::new() }
    }

    /// A JSON document. Nothing between here and the caller keeps it.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        Self::document(status, "application/json", value)
    }

    /// An HTML page.
    pub fn html(status: StatusCode, page: String) -> Self {
        Self::of(status, "text/html; charset=utf-8", page)
    }

    /// Plain text.
    pub fn text(status: StatusCode, text: String) -> Self {
        Self::of(status, "text/plain; charset=utf-8", text)
    }

    fn of(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self { body, ..Self::empty(status) }
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CACHE_CONTROL, "no-store")
    }

    /// Sends the browser on with a GET (303).
    pub fn see_other(location: &str) -> Self {
        Self::empty(StatusCode::SEE_OTHER).header(header::LOCATION, location).header(header::CACHE_CONTROL, "no-store")
    }

    fn document(status: StatusCode, content_type: &'static str, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(body) => Self::of(status, content_type, body),
            Err(_) => Self::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Adds a header; a value that cannot stand in one is left out.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets a cookie.
    pub fn cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }
}

impl From<Response> for ApiGatewayV2httpResponse {
    fn from(response: Response) -> Self {
        let mut answer = Self::default();
        answer.status_code = response.status.as_u16().into();
        answer.headers = response.headers;
        answer.cookies = response.cookies;
        answer.body = Some(if response.body.is_empty() { Body::Empty } else { Body::Text(response.body) });
        answer
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A request with these parts beside what every event has.
    fn request(mut event: Value) -> Request {
        event["requestContext"]["http"] = json!({ "method": "GET" });
        Request::read(serde_json::from_value(event).unwrap())
    }

    fn form(body: &str, base64: bool) -> Result<Vec<(String, String)>, BodyError> {
        let headers = json!({ "content-type": "application/x-www-form-urlencoded; charset=utf-8" });
        request(json!({ "headers": headers, "body": body, "isBase64Encoded": base64 })).form()
    }

    #[test]
    fn a_form_is_read_plain_and_in_base64() {
        let fields = vec![("a".to_owned(), "1 2".to_owned()), ("b".to_owned(), "é".to_owned())];
        assert_eq!(form("a=1+2&b=%C3%A9", false), Ok(fields.clone()));
        assert_eq!(form(&STANDARD.encode("a=1+2&b=%C3%A9"), true), Ok(fields));
    }

    #[test]
    fn a_body_that_cannot_be_read_says_why() {
        assert_eq!(form("%%%", true), Err(BodyError::NotBase64));
        assert_eq!(form(&STANDARD.encode([0xff, 0xfe]), true), Err(BodyError::NotText));
        assert_eq!(form(&"a".repeat(LONGEST_BODY + 1), false), Err(BodyError::TooLarge));
        let plain = request(json!({ "headers": { "content-type": "text/plain" }, "body": "a=1" }));
        assert_eq!(plain.form(), Err(BodyError::WrongType("application/x-www-form-urlencoded")));
    }

    #[test]
    fn a_body_is_as_large_as_what_was_sent_plain_or_in_base64() {
        for (size, expected) in [(LONGEST_BODY, Ok(())), (LONGEST_BODY + 1, Err(BodyError::TooLarge))] {
            for (body, base64) in [("a".repeat(size), false), (STANDARD.encode("a".repeat(size)), true)] {
                assert_eq!(form(&body, base64).map(drop), expected, "{size} {base64}");
            }
        }
    }

    #[test]
    fn a_content_type_is_read_apart_from_its_parameters() {
        let of = |given: &str| request(json!({ "headers": { "content-type": given } }));
        let csv = of("Text/CSV; Charset=\"utf-8\"; header = present");
        assert_eq!(csv.content_type(), "text/csv");
        assert_eq!(csv.content_type_parameter("charset"), Some("utf-8"));
        assert_eq!(csv.content_type_parameter("header"), Some("present"));
        assert_eq!(of("text/csv").content_type_parameter("charset"), None);
        assert_eq!(request(json!({})).content_type(), "");
    }

    #[test]
    fn a_file_that_was_not_utf_8_is_not_taken_for_text() {
        let file = |body: &str| {
            let event = json!({ "headers": { "content-type": "text/csv" }, "body": body });
            request(event).csv().map(str::to_owned).map_err(|problem| problem.code)
        };
        assert_eq!(file("key\né"), Ok("key\né".to_owned()));
        assert_eq!(file(&String::from_utf8_lossy(b"key\n\x8e\xfa")), Err("body_unreadable"));
    }

    #[test]
    fn the_stage_is_no_part_of_the_path() {
        let path =
            |stage: &str, raw: &str| request(json!({ "rawPath": raw, "requestContext": { "stage": stage } })).path;
        assert_eq!(path("$default", "/register"), "/register");
        assert_eq!(path("$default", "/$default/register"), "/$default/register");
        assert_eq!(path("prod", "/prod/register"), "/register");
        assert_eq!(path("prod", "/product"), "/product");
        assert_eq!(path("register", "/register"), "/register");
    }

    #[test]
    fn cookies_come_from_their_own_list_or_from_the_header() {
        let listed = request(json!({ "cookies": ["a=1", "b=2=3"] }));
        assert_eq!((listed.cookie("b"), listed.cookie("c")), (Some("2=3"), None));
        let in_header = request(json!({ "headers": { "cookie": "a=1; b=2" } }));
        assert_eq!(in_header.cookie("b"), Some("2"));
    }

    #[test]
    fn a_problem_is_a_document_with_code_and_action() {
        let problem = Problem::invalid("limit", "must be a number").header(header::RETRY_AFTER, "5");
        let answer: ApiGatewayV2httpResponse = Response::from(problem).into();
        assert_eq!(answer.status_code, 400);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers["retry-after"], "5");
        let Some(Body::Text(body)) = answer.body else { panic!("no document") };
        let expected = json!({
            "type": "urn:stallkeeper:problem:parameter_invalid",
            "title": "A parameter is not what it must be.",
            "status": 400,
            "code": "parameter_invalid",
            "detail": "limit: must be a number",
            "action": "Mend the parameter and send the request again.",
        });
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    }
}

//! An HTTP request as API Gateway passes it to a function, and the function's answer as HTTP.
//!
//! The format is that of an HTTP API with payload version 2.0 (API Gateway developer guide,
//! http-api-develop-integrations-lambda). As on AWS, `rawPath` is percent-decoded while `rawQueryString` is not, and a
//! body is base64 unless its content type is text, JSON, XML or JavaScript.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings;
use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use local_aws::Caller;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

/// A request, with the context that API Gateway adds to it.
#[derive(Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) method: &'a Method,
    /// The path as in the request line.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) source_ip: String,
    pub(crate) at: Timestamp,
    pub(crate) request_id: String,
    /// The account that owns the API.
    pub(crate) account: &'a str,
    /// The route that the request matches, such as `/v1/licenses/{proxy+}`.
    pub(crate) route: &'a str,
    /// The caller that signed the request, where a signature is required.
    pub(crate) caller: Option<Caller>,
}

/// Returns the caller that signed a request, as the IAM authorizer describes it to a function.
fn authorizer(caller: &Caller, account: &str) -> Value {
    let user = caller.user_id();
    json!({ "iam": {
        "accessKey": caller.access_key(),
        "accountId": account,
        "callerId": user,
        "cognitoIdentity": null,
        "principalOrgId": null,
        "userArn": caller.arn(account),
        "userId": user,
    }})
}

/// Returns the values of a route's parameters in a path; a greedy parameter takes the rest of the path.
fn parameters_in_path(route: &str, path: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    let mut rest = path.trim_start_matches('/');
    for place in route.trim_start_matches('/').split('/') {
        let (segment, below) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some(name) = place.strip_prefix('{').and_then(|place| place.strip_suffix("+}")) {
            parameters.insert(name.to_owned(), rest.into());
        } else if let Some(name) = place.strip_prefix('{').and_then(|place| place.strip_suffix('}')) {
            parameters.insert(name.to_owned(), segment.into());
        }
        rest = below;
    }
    parameters
}

impl Arrived<'_> {
    /// The event, as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let decoded = percent_decode_str(self.path).decode_utf8_lossy();
        // API Gateway cuts a decoded path off at a question mark.
        let path = decoded.split('?').next().unwrap_or_default();
        let route_key = format!("ANY {}", self.route);
        let in_path = parameters_in_path(self.route, path);
        let cookies = self.cookies();
        let body = self.body();
        let event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": path,
            "rawQueryString": self.query,
            "headers": self.headers_json(),
            "requestContext": self.context(path, &route_key),
            "isBase64Encoded": body.as_ref().is_some_and(|(_, is_base64)| *is_base64),
        });
        let optional = [
            ("cookies", (!cookies.is_empty()).then(|| cookies.into())),
            ("queryStringParameters", (!self.query.is_empty()).then(|| self.parameters())),
            ("pathParameters", (!in_path.is_empty()).then(|| in_path.into())),
            ("body", body.map(|(body, _)| body.into())),
        ];
        with(event, optional)
    }

    fn context(&self, path: &str, route_key: &str) -> Value {
        let domain = self.text(header::HOST).split(':').next().unwrap_or_default();
        let context = json!({
            "accountId": self.account,
            "apiId": "sandbox",
            "domainName": domain,
            "domainPrefix": domain.split('.').next(),
            "http": {
                "method": self.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": self.source_ip,
                "userAgent": self.text(header::USER_AGENT),
            },
            "requestId": self.request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": format!("{} +0000", self.at.strftime("%d/%b/%Y:%H:%M:%S")),
            "timeEpoch": self.at.as_millisecond(),
        });
        with(context, [("authorizer", self.caller.as_ref().map(|caller| authorizer(caller, self.account)))])
    }

    /// Returns the body, and `true` if it is base64; `None` if the body is empty.
    fn body(&self) -> Option<(String, bool)> {
        if self.body.is_empty() {
            None
        } else if is_text(self.text(header::CONTENT_TYPE)) {
            Some((String::from_utf8_lossy(self.body).into_owned(), false))
        } else {
            Some((STANDARD.encode(self.body), true))
        }
    }

    fn text(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the headers, with names in lower case and the values of one name joined by commas, but without cookies,
    /// which have their own member.
    fn headers_json(&self) -> Map<String, Value> {
        let mut headers = Map::new();
        for name in self.headers.keys().filter(|name| **name != header::COOKIE) {
            let values: Vec<_> =
                self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            headers.insert(name.as_str().to_owned(), values.join(",").into());
        }
        headers.insert("x-forwarded-for".to_owned(), self.source_ip.as_str().into());
        headers.insert("x-forwarded-proto".to_owned(), "http".into());
        headers
    }

    fn cookies(&self) -> Vec<String> {
        let values = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = values.flat_map(|value| value.split(';')).map(|cookie| cookie.trim().to_owned());
        cookies.filter(|cookie| !cookie.is_empty()).collect()
    }

    /// Returns the query's parameters, decoded, with the values of one name joined by commas.
    fn parameters(&self) -> Value {
        let mut parameters = Map::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            let joined = match parameters.get(name.as_ref()).and_then(Value::as_str) {
                Some(earlier) => format!("{earlier},{value}"),
                None => value.into_owned(),
            };
            parameters.insert(name.into_owned(), joined.into());
        }
        parameters.into()
    }
}

/// Returns a JSON object with those of the optional members that have a value.
fn with<const N: usize>(mut object: Value, optional: [(&str, Option<Value>); N]) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    object
}

/// Returns `true` if API Gateway passes a body of that content type on without base64.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&essence.as_str())
}

/// Reads the event as a function receives it.
///
/// # Errors
///
/// Fails when `aws_lambda_events` cannot read it.
pub(crate) fn read(event: &Value) -> Result<ApiGatewayV2httpRequest, serde_json::Error> {
    ApiGatewayV2httpRequest::deserialize(event)
}

/// Converts a function's answer to HTTP; returns `None` if API Gateway would not accept it.
pub(crate) fn http_response(answer: ApiGatewayV2httpResponse) -> Option<Response> {
    let status = StatusCode::from_u16(u16::try_from(answer.status_code).ok()?).ok()?;
    let body = match answer.body.unwrap_or_default() {
        encodings::Body::Text(text) if answer.is_base64_encoded => STANDARD.decode(text).ok()?,
        encodings::Body::Text(text) => text.into_bytes(),
        encodings::Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    let is_typed = body.is_empty() || answer.headers.contains_key(header::CONTENT_TYPE);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(answer.headers);
    headers.extend(answer.multi_value_headers);
    for cookie in answer.cookies {
        headers.append(header::SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
    }
    if !is_typed {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    Some(response)
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;

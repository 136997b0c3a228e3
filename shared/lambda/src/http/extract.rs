//! The parts of a request, as handlers take them. What is wrong with one is answered with a [`Problem`] that names it.

use std::error::Error as _;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::body::BodyError;
use super::gateway::context;
use super::problem::Problem;

/// The query's parameters: those of `T`, each once at most, and no other, where `T` denies unknown fields.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query_of(&parts.uri).map(Self).map_err(|error| Problem::parameter_invalid(&error))
    }
}

/// Parses the parameters of a query.
///
/// # Errors
///
/// Fails with a sentence that names the parameter.
pub fn query_of<T: DeserializeOwned>(uri: &Uri) -> Result<T, String> {
    let query = axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(query)| query);
    // The rejection says only what it is; the error behind it says which parameter it is about.
    query.map_err(|rejection| rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string))
}

/// A query without parameters.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// The parameter `limit`: how many rows a page has at most, from 1 to `MAX`; `DEFAULT` where the caller names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<const DEFAULT: u16, const MAX: u16>(u16);

impl<const DEFAULT: u16, const MAX: u16> Limit<DEFAULT, MAX> {
    /// Returns the limit as DynamoDB takes it.
    pub fn get(self) -> i32 {
        self.0.into()
    }
}

impl<const DEFAULT: u16, const MAX: u16> PartialSchema for Limit<DEFAULT, MAX> {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MAX));
        number.default(Some(DEFAULT.into())).into()
    }
}

impl<const DEFAULT: u16, const MAX: u16> ToSchema for Limit<DEFAULT, MAX> {}

impl<const DEFAULT: u16, const MAX: u16> Default for Limit<DEFAULT, MAX> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u16, const MAX: u16> Deserialize<'de> for Limit<DEFAULT, MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let limit = text.parse().ok().filter(|limit| (1..=MAX).contains(limit));
        let invalid = || serde::de::Error::custom(format_args!("must be a number from 1 to {MAX}"));
        limit.map(Self).ok_or_else(invalid)
    }
}

/// A parameter that its [`FromStr`] parses: where its type has another form in JSON, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// The parameter of the path, on routes that have one.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let error = match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => return Ok(Self(path)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => failed.into_kind().to_string(),
            Err(other) => other.to_string(),
        };
        // A type that refuses the text says why, and not which parameter that was.
        let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
        let name = parameters.as_ref().and_then(|parameters| parameters.iter().next()).map_or("path", |(name, _)| name);
        Err(Problem::invalid(name, error))
    }
}

/// A JSON object.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = TextBody::from_request(request, state).await?;
        body.json().map(Self)
    }
}

/// A CSV file, not parsed yet.
#[derive(Debug, Clone)]
pub struct Csv(pub String);

impl<S: Send + Sync> FromRequest<S> for Csv {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = TextBody::from_request(request, state).await?;
        body.csv().map(|text| Self(text.to_owned()))
    }
}

/// A body with its content type, whichever it is: for paths that take several.
#[derive(Debug, Clone)]
pub struct TextBody {
    content_type: String,
    bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for TextBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = text_of(request.headers(), header::CONTENT_TYPE).unwrap_or_default().to_owned();
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| Problem::body(BodyError::from(rejection)))?;
        Ok(Self { content_type, bytes })
    }
}

impl TextBody {
    /// Returns the media type of the body, in lower case and without parameters; empty if the request names none.
    pub fn content_type(&self) -> String {
        media_type(&self.content_type)
    }

    /// Returns a parameter of the content type, such as `charset`.
    pub fn content_type_parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        let value = parameters.find(|(given, _)| given.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value);
        value.map(|value| value.trim().trim_matches('"'))
    }

    /// Parses a JSON object.
    ///
    /// # Errors
    ///
    /// Fails with a problem document that describes the error in the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let text = self.text("application/json").map_err(Problem::body)?;
        let document = serde_json::from_str::<serde_json::Value>(text);
        // serde would also read an object from a list of its members.
        let object = document.map(|document| if document.is_array() { serde_json::Value::Null } else { document });
        object.and_then(serde_json::from_value).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "body_invalid", "The body does not have the documented form.")
                .detail(error.to_string())
                .action("Correct the body as the detail says, and send it again.")
        })
    }

    /// Returns a CSV file, not parsed yet. API Gateway hands text on with U+FFFD in the place of bytes that are not
    /// UTF-8, in which two different keys could become the same; so a file with one is not taken for text.
    ///
    /// # Errors
    ///
    /// Fails with a problem document that explains why the body is not a CSV file.
    pub fn csv(&self) -> Result<&str, Problem> {
        let text = self.text("text/csv").map_err(Problem::body)?;
        if text.contains(char::REPLACEMENT_CHARACTER) { Err(Problem::body(BodyError::NotText)) } else { Ok(text) }
    }

    /// Returns the body as text of a content type.
    ///
    /// # Errors
    ///
    /// Fails where the body has another content type or is not UTF-8.
    pub fn text(&self, content_type: &'static str) -> Result<&str, BodyError> {
        if self.content_type() != content_type {
            return Err(BodyError::WrongType(content_type));
        }
        std::str::from_utf8(&self.bytes).map_err(|_| BodyError::NotText)
    }
}

/// The ARN of the principal that signed the request, where API Gateway has checked a signature.
#[derive(Debug, Clone)]
pub struct Caller(pub Option<String>);

impl Caller {
    /// Returns the ARN; none where API Gateway checked no signature.
    pub fn arn(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let authorizer = context(&parts.extensions).and_then(|context| context.authorizer.as_ref());
        let iam = authorizer.and_then(|authorizer| authorizer.iam.as_ref());
        Ok(Self(iam.and_then(|iam| iam.user_arn.clone())))
    }
}

/// The moment at which API Gateway received the request.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedAt(pub Timestamp);

impl<S: Send + Sync> FromRequestParts<S> for ReceivedAt {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let epoch_ms = context(&parts.extensions).map_or(0, |context| context.time_epoch);
        Ok(Self(Timestamp::from_millisecond(epoch_ms).unwrap_or_default()))
    }
}

/// The host that the request was sent to, as its `Host` header or API Gateway names it.
#[derive(Debug, Clone)]
pub struct Host(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Host {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let named = text_of(&parts.headers, header::HOST).map(str::to_owned);
        let domain = || context(&parts.extensions).and_then(|context| context.domain_name.clone());
        Ok(Self(named.or_else(domain)))
    }
}

/// The header `Idempotency-Key`: the key by which the caller sends the same request again.
#[derive(Debug, Clone, IntoParams)]
#[into_params(names("Idempotency-Key"), parameter_in = Header)]
pub struct IdempotencyKey(
    /// A key that is new and random for each new request, and the same when the request is sent again.
    #[param(pattern = "^[!-~]{1,255}$", example = "5f0c3f0a-8a53-4a39-9a60-0d3a4a8e9d11")]
    pub String,
);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let invalid = |why| {
            let title = "The header Idempotency-Key is missing or invalid.";
            Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", title)
                .detail(why)
                .action("Send a new random key with each new request, and the same one when you send it again.")
        };
        let key = text_of(&parts.headers, "idempotency-key").ok_or_else(|| invalid("the header is missing"))?;
        let is_valid = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(key.to_owned())) } else { Err(invalid("it must be 1 to 255 visible ASCII characters")) }
    }
}

/// Returns the media type of a `Content-Type` header, in lower case and without parameters.
pub fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns a header's value, if it is there and is text.
pub fn text_of(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde_json::json;

    use super::*;

    async fn body(content_type: &str, bytes: impl Into<Body>) -> TextBody {
        let request = Request::builder().header(header::CONTENT_TYPE, content_type).body(bytes.into()).unwrap();
        TextBody::from_request(request, &()).await.unwrap()
    }

    #[tokio::test]
    async fn a_content_type_is_read_apart_from_its_parameters() {
        let csv = body("Text/CSV; Charset=\"utf-8\"; header = present", "").await;
        assert_eq!(csv.content_type(), "text/csv");
        assert_eq!(csv.content_type_parameter("charset"), Some("utf-8"));
        assert_eq!(csv.content_type_parameter("header"), Some("present"));
        assert_eq!(body("text/csv", "").await.content_type_parameter("charset"), None);
        assert_eq!(body("", "").await.content_type(), "");
    }

    #[tokio::test]
    async fn a_body_that_cannot_be_read_says_why() {
        assert_eq!(body("text/plain", vec![0xff]).await.text("text/plain"), Err(BodyError::NotText));
        assert_eq!(body("text/plain", "").await.text("text/csv"), Err(BodyError::WrongType("text/csv")));
    }

    #[tokio::test]
    async fn a_file_that_was_not_utf_8_is_not_taken_for_text() {
        assert_eq!(body("text/csv", "key\né").await.csv().unwrap(), "key\né");
        let replaced = String::from_utf8_lossy(b"key\n\x8e\xfa").into_owned();
        assert_eq!(
            serde_json::to_value(body("text/csv", replaced).await.csv().unwrap_err()).unwrap()["code"],
            "body_unreadable"
        );
    }

    #[tokio::test]
    async fn json_is_an_object() {
        for text in ["[]", "[1]", "1", "null", "{", ""] {
            let problem = body("application/json", text).await.json::<NoParameters>().unwrap_err();
            assert_eq!(serde_json::to_value(problem).unwrap()["code"], "body_invalid", "{text}");
        }
        body("application/json", "{}").await.json::<NoParameters>().unwrap();
    }

    async fn query(text: &str) -> Result<(i32, bool), String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted {
            #[serde(default)]
            limit: Limit<10, 500>,
            #[serde(default)]
            dry_run: bool,
        }
        let (mut parts, ()) = Request::builder().uri(format!("/?{text}")).body(()).unwrap().into_parts();
        match Query::<Wanted>::from_request_parts(&mut parts, &()).await {
            Ok(Query(Wanted { limit, dry_run })) => Ok((limit.get(), dry_run)),
            Err(problem) => Err(serde_json::to_value(problem).unwrap()["detail"].as_str().unwrap().to_owned()),
        }
    }

    #[tokio::test]
    async fn a_query_has_known_parameters_once_each() {
        assert_eq!(query("").await, Ok((10, false)));
        assert_eq!(query("limit=500&dry_run=true").await, Ok((500, true)));
        for limit in ["0", "501", "-1", "x", ""] {
            assert_eq!(query(&format!("limit={limit}")).await, Err("limit: must be a number from 1 to 500".to_owned()));
        }
        assert_eq!(query("limit=1&limit=2").await, Err("duplicate field `limit`".to_owned()));
        assert_eq!(
            query("dryrun=1").await,
            Err("dryrun: unknown field `dryrun`, expected `limit` or `dry_run`".to_owned())
        );
        let long = query(&"x".repeat(1000)).await.unwrap_err();
        assert_eq!(long.chars().count(), 300);
    }

    #[tokio::test]
    async fn an_idempotency_key_is_visible_ascii() {
        for (key, is_valid) in
            [("a", true), ("a b", false), ("", false), (&"k".repeat(255), true), (&"k".repeat(256), false)]
        {
            let request = Request::builder().header("idempotency-key", key).body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            let read = IdempotencyKey::from_request_parts(&mut parts, &()).await;
            assert_eq!(read.map(|IdempotencyKey(key)| json!(key)).ok(), is_valid.then(|| json!(key)), "{key:?}");
        }
    }
}

//! Answers other than success: problem documents, and what API Gateway answers by itself.

use serde_json::{Value, json};
use utoipa::openapi::schema::SchemaFormat;
use utoipa::openapi::{
    Components, ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
    Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::headers::NO_STORE;
use crate::http::Problem;

/// Declares the answers to requests that fail: one type for each, which handlers name among their `responses(…)`, and
/// one type that adds them all to a contract as one of its `modifiers(…)`.
///
/// Each has a description, a status, and the codes that its problem document may have. `or gateway` says that API
/// Gateway gives an answer of that status too, and `as` gives an example.
#[macro_export]
macro_rules! problem_responses {
    (
        $(#[$attribute:meta])*
        $vis:vis $all:ident {
            $(
                $(#[doc = $description:literal])+
                $name:ident = $status:literal [$($code:literal),*] $(or $gateway:ident)? $(as $example:expr)?;
            )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy)]
        $vis struct $all;

        impl utoipa::Modify for $all {
            fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
                let components = openapi.components.get_or_insert_default();
                $(
                    $crate::http::contract::ProblemResponse {
                        name: stringify!($name),
                        description: concat!($($description, "\n"),+),
                        status: $status,
                        codes: &[$($code),*],
                        is_of_gateway: false $(|| stringify!($gateway) == "gateway")?,
                        example: None$(.or(Some($example)))?,
                    }
                    .add_to(components);
                )+
            }
        }

        $(
            $(#[doc = $description])+
            #[derive(Debug)]
            $vis enum $name {}

            impl utoipa::IntoResponses for $name {
                fn responses()
                -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                    let response = utoipa::openapi::Ref::from_response_name(stringify!($name));
                    [(stringify!($status).to_owned(), response.into())].into()
                }
            }
        )+
    };
}

problem_responses! {
    /// The failures that operations of several functions have.
    pub CommonProblems {
        /// A parameter of the path or the query is invalid.
        ParameterInvalid = 400 ["parameter_invalid"] as Problem::invalid("limit", "must be a number from 1 to 200");
        /// A parameter or the body is invalid.
        BodyInvalid = 400 ["parameter_invalid", "body_unreadable", "body_invalid"];
        /// The license is unknown.
        LicenseUnknown = 404 ["license_unknown"];
        /// The call is not signed, or its caller is not allowed to make it.
        Forbidden = 403 [] or gateway;
        /// The request is larger than API Gateway or Lambda accepts.
        TooLarge = 413 [] or gateway;
        /// The body is larger than 1 MiB, or the request is larger than API Gateway or Lambda accepts.
        BodyTooLarge = 413 ["body_too_large"] or gateway;
        /// There are too many calls. Send the same request again later.
        TooMany = 429 [] or gateway;
        /// The result of the call is unknown. Send the same request again.
        Failed = 500 [] or gateway;
        /// The API cannot answer right now. Send the same request again, after the time that `Retry-After` names if the
        /// header is there.
        Unavailable = 503 ["unavailable"] or gateway as Problem::unavailable();
    }
}

/// An answer that API Gateway gives by itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "API Gateway makes it")]
struct GatewayMessage {
    message: String,
}

/// An answer to a request that fails.
#[derive(Debug)]
pub struct ProblemResponse {
    /// The name among the contract's components.
    pub name: &'static str,
    /// The cases in which it is given.
    pub description: &'static str,
    /// The status.
    pub status: u16,
    /// The codes of its problem document; none if it has no problem document.
    pub codes: &'static [&'static str],
    /// API Gateway gives an answer of this status too.
    pub is_of_gateway: bool,
    /// A problem document of it.
    pub example: Option<Problem>,
}

impl ProblemResponse {
    /// Adds the response, and the schema of its problem document, to the components of a contract.
    pub fn add_to(self, components: &mut Components) {
        let mut response = ResponseBuilder::new().description(self.description.trim());
        if !self.codes.is_empty() {
            let schema = format!("{}Problem", self.name);
            let example = self.example.as_ref().and_then(|example| serde_json::to_value(example).ok());
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(&schema))).example(example).build();
            response = response.content("application/problem+json", content);
            components.schemas.insert(schema, self.schema().into());
        }
        if self.is_of_gateway {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(GatewayMessage::name()))).build();
            response = response.content("application/json", content);
            components.schemas.insert(GatewayMessage::name().into_owned(), GatewayMessage::schema());
        }
        if self.status == 503 {
            response = response.header("Retry-After", retry_after());
        }
        let mut response: Response = response.build();
        if !self.is_of_gateway {
            response.headers.insert("Cache-Control".to_owned(), RefOr::Ref(Ref::new(NO_STORE)));
        }
        components.responses.insert(self.name.to_owned(), response.into());
    }

    fn schema(&self) -> Schema {
        let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(self.codes.to_vec()));
        problem(self.description.trim(), Some(json!(self.status)), code.into())
    }
}

fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    HeaderBuilder::new().description(Some("The time to wait, in seconds.")).schema(Some(seconds)).build()
}

/// Returns the schema of a problem document with that status, or any, and that code.
pub(super) fn problem(description: &str, status: Option<Value>, code: RefOr<Schema>) -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    let status = match status {
        Some(status) => number.enum_values(Some([status])),
        None => number.minimum(Some(400)).maximum(Some(599)),
    };
    let uri = SchemaFormat::Custom("uri".to_owned());
    let kind = text().format(Some(uri)).pattern(Some("^urn:stallkeeper:problem:[a-z_]+$"));
    ObjectBuilder::new()
        .description(Some(description))
        .property("type", kind.description(Some("The code as a URN.")))
        .property("title", text().description(Some("The same sentence for every problem of the code.")))
        .property("status", status.description(Some("The status of the answer.")))
        .property("code", code)
        .property("detail", text().description(Some("The reason in this case.")))
        .property("action", text().description(Some("The next step for the caller.")))
        .required("type")
        .required("title")
        .required("status")
        .required("code")
        .into()
}

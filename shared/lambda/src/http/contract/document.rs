//! The whole document: the contracts of the functions, and what all of them have in common.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Components, Object, ObjectBuilder, OpenApi as Document, Ref, RefOr, Response, Schema, Type};

use super::headers::{NO_STORE, required_header};
use super::problems::{CommonProblems, problem};

const DESCRIPTION: &str = "\
Every call is signed with SigV4 for the service `execute-api`.

A request that fails is answered with a problem document (RFC 9457). Its `code` is stable: programs read the code, and
show the other fields to people. A path that is not in this document is answered 404 `route_unknown`. A method that a path
does not have is answered 405 `method_not_allowed`, with the methods that it has in the header `Allow`; every path that has
GET has HEAD. A query parameter that is unknown, or that is given twice, is answered 400 `parameter_invalid`. Answers of the
form `{\"message\": …}` come from API Gateway itself.

Amounts are texts, such as `\"5\"` or `\"0.25\"`, so that no decimal is lost. Times are UTC. To read a whole list, send the
request again with `next` as the parameter `cursor` and all other parameters unchanged, until `next` is null. A page may be
shorter than asked for.";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stallkeeper",
        version = "1",
        description = DESCRIPTION,
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers(
        (
            url = "https://{api}.execute-api.us-east-1.amazonaws.com",
            description = "A deployed stack.",
            variables(("api" = (default = "api-id", description = "The id of the stack's HTTP API."))),
        ),
        (
            url = "http://127.0.0.1:8080",
            description = "The sandbox. It accepts any signature, but not a request without one.",
        ),
    ),
    security(("sigv4" = [])),
    tags(
        (name = "buyers", description = "Buyers who arrive from AWS Marketplace."),
        (name = "licenses", description = "Purchases, and the tenants that they belong to."),
        (name = "tenants", description = "The entitlements of the application's tenants."),
        (name = "events", description = "Events that your application was notified of; see [events](events/README.md)."),
        (name = "readiness", description = "The readiness of listings for AWS's review."),
        (name = "usage", description = "Reported usage, and its way to AWS."),
    ),
    modifiers(&CommonProblems),
)]
struct Frame;

/// Returns the contract of the API: the operations of the functions, put together.
pub fn document(functions: impl IntoIterator<Item = Document>) -> Document {
    let mut document = functions.into_iter().fold(Frame::openapi(), Document::merge_from);
    // These two have no field in utoipa.
    document.info.extensions = Some(Extensions::from_iter([("summary", "The API for the seller's application.")]));
    let aws = Extensions::from_iter([("x-amazon-apigateway-authtype", "awsSigv4")]);
    let signature = "AWS Signature Version 4 for the service `execute-api`.";
    let mut signature = ApiKeyValue::with_description("Authorization", signature);
    signature.extensions = Some(aws);
    let operations = document.paths.paths.values_mut().flat_map(operations_of);
    operations.for_each(complete);

    let components = document.components.get_or_insert_default();
    components.add_security_scheme("sigv4", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    let no_store = required_header("Forbids every cache to keep the answer.", &["no-store"]);
    components.headers.insert("NoStore".to_owned(), no_store.into());
    add_problem(components);
    let mut schemas = std::mem::take(&mut components.schemas);
    schemas.values_mut().for_each(finish);
    components.schemas = schemas;
    document
}

fn operations_of(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, .. } = path;
    [get, put, post, delete].into_iter().filter_map(Option::as_mut)
}

/// Returns the answers of a contract's operations that are no problems, with their statuses.
pub fn responses_of(contract: &mut Document) -> impl Iterator<Item = (&str, &mut Response)> {
    let operations = contract.paths.paths.values_mut().flat_map(operations_of);
    let responses = operations.flat_map(|operation| &mut operation.responses.responses);
    responses.filter_map(|(status, response)| match response {
        RefOr::T(response) => Some((status.as_str(), response)),
        RefOr::Ref(_) => None,
    })
}

/// Adds what the router of every function adds to its answers, and gives each parameter the schema of its value.
fn complete(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let (RefOr::T(response), true) = (response, status != "204") {
            response.headers.insert("Cache-Control".to_owned(), RefOr::Ref(Ref::new(NO_STORE)));
        }
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            parameter.schema = parameter.schema.take().map(not_null);
        }
    }
}

/// Returns the schema without null: an optional parameter is left out, and is never null.
fn not_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::OneOf(mut choice)) => {
            let null = RefOr::T(Schema::from(Object::with_type(Type::Null)));
            let is_nullable = choice.items.contains(&null);
            choice.items.retain(|item| *item != null);
            match choice.items.as_slice() {
                [schema] if is_nullable => schema.clone(),
                _ => RefOr::T(Schema::OneOf(choice)),
            }
        }
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &object.schema_type
                && let [kind, Type::Null] | [Type::Null, kind] = types.as_slice()
            {
                object.schema_type = kind.clone().into();
            }
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

/// Adds the general problem document, with every code that a problem may have.
fn add_problem(components: &mut Components) {
    let codes_of = |schema: &RefOr<Schema>| -> Vec<Value> {
        let RefOr::T(Schema::Object(schema)) = schema else { return Vec::new() };
        match schema.properties.get("code") {
            Some(RefOr::T(Schema::Object(code))) => code.enum_values.clone().unwrap_or_default(),
            _ => Vec::new(),
        }
    };
    let problems = components.schemas.iter().filter(|(name, _)| name.ends_with("Problem"));
    let of_operations = problems.flat_map(|(_, schema)| codes_of(schema));
    let codes = of_operations.chain([json!("route_unknown"), json!("method_not_allowed")]);
    let codes: BTreeSet<String> = codes.filter_map(|code| code.as_str().map(str::to_owned)).collect();
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("The kind of a problem. A code is stable, and is never used for anything else."))
        .enum_values(Some(codes));
    components.schemas.insert("ProblemCode".to_owned(), code.into());
    let code = Ref::from_schema_name("ProblemCode").into();
    components.schemas.insert("Problem".to_owned(), problem("A problem document (RFC 9457).", None, code).into());
}

/// Completes a schema. One that is put together of several objects becomes one object. An object that its type does not
/// close is an answer: it has no other properties, and its nullable ones are always there.
fn finish(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::AllOf(parts)) = schema {
        let mut whole = Object::builder().description(parts.description.take()).build();
        whole.schema_type = Type::Object.into();
        for part in std::mem::take(&mut parts.items) {
            if let RefOr::T(Schema::Object(part)) = part {
                whole.properties.extend(part.properties);
                whole.required.extend(part.required);
            }
        }
        *schema = whole.into();
    }
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.properties.values_mut().for_each(finish);
            object.property_names.take_if(|names| **names == Schema::from(Object::with_type(Type::String)));
            if !object.properties.is_empty() && object.additional_properties.is_none() {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
                let is_there = |(name, schema): &(&String, &RefOr<Schema>)| {
                    object.required.contains(*name) || not_null((*schema).clone()) != **schema
                };
                object.required = object.properties.iter().filter(is_there).map(|(name, _)| name.clone()).collect();
            }
        }
        RefOr::T(Schema::OneOf(choice)) => choice.items.iter_mut().for_each(finish),
        _ => {}
    }
}

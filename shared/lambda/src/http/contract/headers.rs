//! The headers of answers in the contract.

use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::{Header, HeaderBuilder, ObjectBuilder, Type};

/// The reference to the header that forbids caches to keep an answer.
pub const NO_STORE: &str = "#/components/headers/NoStore";

/// Returns a header that an answer always has, with its possible values.
pub fn required_header(description: &str, values: &[&str]) -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values.to_vec()));
    let required = Extensions::from_iter([("required", true)]); // utoipa has no field for it
    HeaderBuilder::new().description(Some(description)).schema(Some(schema)).extensions(Some(required)).build()
}

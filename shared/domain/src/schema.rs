//! The JSON forms of the domain's values, as the API's contract declares them.
//!
//! Structs and enums derive their schemas. The macro here declares those of values that are a text in JSON, and the
//! types here stand for values whose own types belong to other crates.

/// Declares the schema of a type that is a text in JSON: its name, description, pattern, and an example.
macro_rules! text_schema {
    ($type:ty, $name:expr, $description:expr, $pattern:expr, $example:expr $(, length $min:literal to $max:literal)?) => {
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .description(Some($description.trim()))
                    .pattern(Some($pattern))
                    $(.min_length(Some($min)).max_length(Some($max)))?
                    .examples([$example])
                    .into()
            }
        }

        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed($name)
            }
        }
    };
}

pub(crate) use text_schema;

/// An amount that is not negative.
#[derive(Debug)]
pub enum Amount {}

text_schema!(
    Amount,
    "Amount",
    "A decimal number that is not negative, as a text so that no digit is lost.",
    "^[0-9]+(\\.[0-9]+)?$",
    "0.25"
);

/// An amount that may be negative.
#[derive(Debug)]
pub enum SignedAmount {}

text_schema!(
    SignedAmount,
    "SignedAmount",
    "A decimal number as a text, so that no digit is lost.",
    "^-?[0-9]+(\\.[0-9]+)?$",
    "5"
);

/// The id of a report of readiness.
#[derive(Debug)]
pub enum ReportId {}

text_schema!(
    ReportId,
    "ReportId",
    "The id of a report (ULID). Ids sort by time.",
    "^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    "01KCMGXD3800000000000000A1"
);

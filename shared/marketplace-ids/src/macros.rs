//! Macros that declare ids and the schemas of texts.

/// Declares an id: a text with a rule, read through that rule wherever it comes from. The pattern states the rule in
/// an OpenAPI document. The crate that uses it depends on `serde` and `utoipa`.
#[macro_export]
macro_rules! id {
    (
        $(#[doc = $doc:literal])* $name:ident, $what:literal, $rule:literal, $valid:expr,
        $pattern:literal, $example:literal $(, length $min:literal to $max:literal)?
    ) => {
        $(#[doc = $doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::InvalidId;

            fn from_str(text: &str) -> Result<Self, $crate::InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err($crate::InvalidId::new($what, $rule, text))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::InvalidId;

            fn try_from(text: String) -> Result<Self, $crate::InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        $crate::text_schema!(
            $name,
            stringify!($name),
            concat!($($doc, "\n"),*),
            $pattern,
            $example
            $(, length $min to $max)?
        );
    };
}

/// Declares the schema of a type that is a text in JSON: its name, description, pattern, and an example. The crate
/// that uses it depends on `utoipa`.
#[macro_export]
macro_rules! text_schema {
    ($type:ty, $name:expr, $description:expr, $pattern:expr, $example:expr $(, length $min:literal to $max:literal)?) => {
        impl ::utoipa::PartialSchema for $type {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                ::utoipa::openapi::ObjectBuilder::new()
                    .schema_type(::utoipa::openapi::Type::String)
                    .description(Some($description.trim()))
                    .pattern(Some($pattern))
                    $(.min_length(Some($min)).max_length(Some($max)))?
                    .examples([$example])
                    .into()
            }
        }

        impl ::utoipa::ToSchema for $type {
            fn name() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed($name)
            }
        }
    };
}

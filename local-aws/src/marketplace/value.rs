//! The amount of a dimension that a buyer holds.

use serde::Serialize;
use serde_json::Value;

use crate::protocol::Document;

/// The largest number that can be sold, with or without a fraction.
const LARGEST: f64 = i32::MAX as f64;

/// The value of an entitlement, in one of the four types that AWS supports (Entitlement Service API reference,
/// `EntitlementValue`).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DimensionValue {
    /// `IntegerValue`
    Integer(i32),
    /// `DoubleValue`
    Double(f64),
    /// `BooleanValue`
    Boolean(bool),
    /// `StringValue`
    Text(String),
}

impl DimensionValue {
    /// Reads the value of an entitlement from JSON. Returns `None` for null, a list, an object, or a number that is
    /// negative or too large for AWS.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Boolean(*value)),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) if number.is_f64() => {
                number.as_f64().filter(|number| (0.0..=LARGEST).contains(number)).map(Self::Double)
            }
            Value::Number(number) => number
                .as_i64()
                .and_then(|whole| i32::try_from(whole).ok())
                .filter(|whole| *whole >= 0)
                .map(Self::Integer),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Returns the member of `EntitlementValue` that is set, and its value.
    pub(crate) fn member(&self) -> (&'static str, Document) {
        match self {
            Self::Integer(value) => ("IntegerValue", i64::from(*value).into()),
            Self::Double(value) => ("DoubleValue", Document::Double(*value)),
            Self::Boolean(value) => ("BooleanValue", (*value).into()),
            Self::Text(value) => ("StringValue", value.as_str().into()),
        }
    }

    /// Returns the number of units, for the terms of an agreement, which support only whole numbers.
    pub(crate) fn units(&self) -> i64 {
        match self {
            Self::Integer(value) => i64::from(*value),
            Self::Double(value) => value.ceil() as i64,
            Self::Boolean(value) => i64::from(*value),
            Self::Text(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_keeps_its_type() {
        assert_eq!(DimensionValue::read(&json!(5)), Some(DimensionValue::Integer(5)));
        assert_eq!(DimensionValue::read(&json!(5.0)), Some(DimensionValue::Double(5.0)));
        assert_eq!(DimensionValue::read(&json!(true)), Some(DimensionValue::Boolean(true)));
        assert_eq!(DimensionValue::read(&json!("gold")), Some(DimensionValue::Text("gold".to_owned())));
        for bad in [
            json!(null),
            json!([1]),
            json!({}),
            json!(-1),
            json!(-0.5),
            json!(2_147_483_648_i64),
            json!(2_147_483_647.5),
            json!(1e30),
        ] {
            assert_eq!(DimensionValue::read(&bad), None, "{bad}");
        }
    }
}

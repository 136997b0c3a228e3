//! Entitlements: what a license grants, as AWS's entitlement service has it.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::DimensionKey;
use crate::schema::SignedAmount;

/// The entitlement of a license in one dimension, as AWS's entitlement service has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entitlement {
    /// The dimension.
    pub dimension: DimensionKey,
    /// The amount, switch or name that is granted.
    #[schema(value_type = EntitlementValue)]
    pub value: Value,
    /// The time until which it holds at least; a renewal moves it. Access does not end at this time by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp)]
    pub expires_at: Option<Timestamp>,
}

/// The name in the contract; derived schemas take `Value` for any JSON.
type EntitlementValue = Value;

/// The value of an entitlement, of one of the four types of AWS's `GetEntitlements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EntitlementValue)]
pub enum Value {
    /// A whole amount.
    #[schema(title = "IntegerEntitlement")]
    Integer(i64),
    /// An amount with a fraction.
    #[schema(title = "DoubleEntitlement", value_type = SignedAmount)]
    Double(Decimal),
    /// A switch.
    #[schema(title = "BooleanEntitlement")]
    Boolean(bool),
    /// A name, such as an edition's.
    #[schema(title = "StringEntitlement")]
    String(String),
}

impl Value {
    /// Returns the amount, if the value is one.
    pub fn amount(&self) -> Option<Decimal> {
        match self {
            Self::Integer(amount) => Some(Decimal::from(*amount)),
            Self::Double(amount) => Some(*amount),
            Self::Boolean(_) | Self::String(_) => None,
        }
    }
}

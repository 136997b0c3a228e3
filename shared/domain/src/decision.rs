//! Decisions about what a tenant may use, with their reasons.
//!
//! [`decide`] answers from the tenant's licenses alone. It makes no call to AWS and uses only what was last read from
//! AWS, with its age. It uses the states of the licenses at the moment of the question.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::entitlement::{Entitlement, Value};
use crate::ids::{DimensionKey, LicenseId};
use crate::license::License;
use crate::listing::{Dimension, Listing};
use crate::schema::SignedAmount;

/// A question of the seller's application: may this tenant use the dimension, and that much of it?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The dimension.
    pub dimension: DimensionKey,
    /// The total quantity that is wanted; `None` asks only whether there is any.
    pub quantity: Option<Decimal>,
}

/// The decision about one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Decision {
    /// The dimension.
    pub dimension: DimensionKey,
    /// The tenant may use it.
    pub allowed: bool,
    /// The reason of the decision.
    pub reason: Reason,
    /// The amount held, summed over the tenant's licenses. Absent where it is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SignedAmount)]
    pub held: Option<Decimal>,
    /// The names held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(min_items = 1)]
    pub values: Vec<String>,
    /// The time until which it holds at least. Absent where AWS named no date in the future.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp)]
    pub until: Option<Timestamp>,
    /// A date that AWS named has passed, and AWS has announced neither a renewal nor an end.
    pub expiry_passed: bool,
    /// The time at which the oldest entitlement that was used was read from AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp)]
    pub as_of: Option<Timestamp>,
    /// The age of that entitlement, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64)]
    pub age_seconds: Option<i64>,
    /// The licenses that the decision rests on.
    pub licenses: Vec<LicenseId>,
}

/// The reason of a decision. `entitled`: the contract covers it. `metered`: it is billed by use. These two allow it;
/// the others do not. `quantity_exceeded`: the contract covers less. `not_entitled`: the contract does not cover it.
/// `entitlements_not_read_yet`: the license is active, but AWS had no entitlements yet when it was last asked.
/// `no_active_license`: no license of the tenant is in force. `dimension_unknown`: none of the tenant's listings has
/// the dimension. `no_license`: the tenant has no license.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DecisionReason)]
pub enum Reason {
    /// The contract covers it.
    Entitled,
    /// The dimension is paid by use.
    Metered,
    /// The contract does not cover that much.
    QuantityExceeded,
    /// The contract does not cover it at all.
    NotEntitled,
    /// The license is active, but its entitlements were not available yet when AWS was last asked.
    EntitlementsNotReadYet,
    /// No license of the tenant is in force.
    NoActiveLicense,
    /// None of the tenant's listings has such a dimension.
    DimensionUnknown,
    /// The tenant has no license.
    NoLicense,
}

/// A license of the tenant, with the listing of its product if there still is one.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The license.
    pub license: License,
    /// The listing.
    pub listing: Option<Listing>,
}

impl Holding {
    fn dimension(&self, key: &DimensionKey) -> Option<&Dimension> {
        self.listing.as_ref().and_then(|listing| listing.dimension(key))
    }
}

/// Answers a question from the tenant's licenses.
///
/// Amounts of several licenses add up. In one license, an entitlement whose date has passed counts only if no other
/// entitlement of that dimension is still valid. A dimension that is metered under any license in force is allowed in
/// any quantity, since usage beyond a contract is billed.
pub fn decide(question: &Question, holdings: &[Holding], now: Timestamp) -> Decision {
    let key = &question.dimension;
    let in_force: Vec<&Holding> = holdings.iter().filter(|holding| holding.license.grants_access_at(now)).collect();
    let metered: Vec<&Holding> =
        in_force.iter().copied().filter(|holding| holding.dimension(key).is_some_and(Dimension::is_metered)).collect();
    let held = Held::of(key, &in_force, now);
    let (allowed, reason) = if holdings.is_empty() {
        (false, Reason::NoLicense)
    } else if held.covers(question.quantity) {
        (true, Reason::Entitled)
    } else if !metered.is_empty() {
        (true, Reason::Metered)
    } else if held.is_any() {
        (false, Reason::QuantityExceeded)
    } else {
        (false, refusal(key, holdings, &in_force))
    };
    let granting = if reason == Reason::Metered { &metered } else { &held.from };
    let as_of = in_force.iter().filter_map(|holding| holding.license.entitlements_read_at).min();
    Decision {
        dimension: key.clone(),
        allowed,
        reason,
        held: held.amount.filter(|_| !held.switched_on),
        until: held.until,
        expiry_passed: held.expiry_passed,
        as_of,
        age_seconds: as_of.map(|at| now.duration_since(at).as_secs().max(0)),
        licenses: granting.iter().map(|holding| holding.license.id.clone()).collect(),
        values: held.names,
    }
}

/// Answers for every dimension that the tenant's listings or entitlements know, in order of their keys.
pub fn decide_all(holdings: &[Holding], now: Timestamp) -> Vec<Decision> {
    let mut keys = BTreeMap::new();
    for holding in holdings {
        for dimension in holding.listing.iter().flat_map(|listing| &listing.dimensions) {
            keys.insert(dimension.key.clone(), ());
        }
        for entitlement in &holding.license.entitlements {
            keys.insert(entitlement.dimension.clone(), ());
        }
    }
    keys.into_keys().map(|dimension| decide(&Question { dimension, quantity: None }, holdings, now)).collect()
}

/// Returns the reason why nothing of a dimension is held.
fn refusal(key: &DimensionKey, holdings: &[Holding], in_force: &[&Holding]) -> Reason {
    let unread = |holding: &&Holding| {
        holding.license.entitlements_read_at.is_none()
            && holding.listing.as_ref().is_some_and(|listing| listing.pricing.has_entitlements())
    };
    if in_force.is_empty() {
        Reason::NoActiveLicense
    } else if !holdings.iter().any(|holding| holding.dimension(key).is_some()) {
        Reason::DimensionUnknown
    } else if in_force.iter().any(unread) {
        Reason::EntitlementsNotReadYet
    } else {
        Reason::NotEntitled
    }
}

/// The entitlements of the licenses in force in one dimension.
#[derive(Default)]
struct Held<'a> {
    amount: Option<Decimal>,
    switched_on: bool,
    names: Vec<String>,
    until: Option<Timestamp>,
    expiry_passed: bool,
    from: Vec<&'a Holding>,
}

impl<'a> Held<'a> {
    fn of(key: &DimensionKey, in_force: &[&'a Holding], now: Timestamp) -> Self {
        let mut held = Self::default();
        for holding in in_force {
            let all: Vec<&Entitlement> =
                holding.license.entitlements.iter().filter(|entitlement| entitlement.dimension == *key).collect();
            let is_valid = |entitlement: &Entitlement| entitlement.expires_at.is_none_or(|expiry| expiry > now);
            let any_valid = all.iter().any(|entitlement| is_valid(entitlement));
            for entitlement in all.iter().filter(|entitlement| is_valid(entitlement) || !any_valid) {
                held.add(entitlement);
                if is_valid(entitlement) {
                    held.until = held.until.into_iter().chain(entitlement.expires_at).min();
                } else {
                    held.expiry_passed = true;
                }
            }
            if !all.is_empty() {
                held.from.push(holding);
            }
        }
        held
    }

    fn add(&mut self, entitlement: &Entitlement) {
        let amount = match &entitlement.value {
            Value::Integer(amount) => Decimal::from(*amount),
            Value::Double(amount) => *amount,
            Value::Boolean(on) => {
                self.switched_on |= on;
                return;
            }
            Value::String(name) => {
                self.names.push(name.clone());
                return;
            }
        };
        self.amount = Some(self.amount.unwrap_or_default().saturating_add(amount));
    }

    fn is_any(&self) -> bool {
        self.switched_on || !self.names.is_empty() || self.amount.is_some_and(|amount| amount > Decimal::ZERO)
    }

    fn covers(&self, quantity: Option<Decimal>) -> bool {
        match quantity {
            None => self.is_any(),
            Some(_) if self.switched_on => true,
            Some(wanted) => self.amount.is_some_and(|amount| self.is_any() && wanted <= amount),
        }
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;

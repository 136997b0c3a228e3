//! The entitlement service: GetEntitlements.

use aws_sdk_marketplaceentitlement::types::{self, GetEntitlementFilterName};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{Marketplace, MarketplaceError, odd, read_error};
use crate::entitlement::{Entitlement, Value};
use crate::ids::{LicenseArn, LicenseId};
use crate::license::License;

impl Marketplace {
    /// Everything that AWS says a license grants: every page, also those behind an empty one that has a NextToken.
    ///
    /// Asked by the license's ARN. A legacy license is asked for by its CustomerIdentifier; one whose ARN is known
    /// only in the form that AWS does not take back, by its account, keeping what names the license.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`]; also when the license has nothing that it could be asked for by.
    pub async fn entitlements(&self, license: &License) -> Result<Vec<Entitlement>, MarketplaceError> {
        let (name, value) = match (&license.customer, &license.arn, &license.account) {
            (Some(customer), _, _) => (GetEntitlementFilterName::CustomerIdentifier, customer.as_str()),
            (_, Some(arn), _) if arn.is_sendable() => (GetEntitlementFilterName::LicenseArn, arn.as_str()),
            (_, _, Some(account)) => (GetEntitlementFilterName::CustomerAwsAccountId, account.as_str()),
            (None, _, None) => return Err(odd(format!("nothing to ask for the entitlements of {} by", license.id))),
        };
        let mut pages = self
            .entitlement
            .get_entitlements()
            .product_code(license.product.as_str())
            .filter(name, vec![value.to_owned()])
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(read_error)?;
            for entitlement in page.entitlements() {
                if license.customer.is_some() || names(entitlement, &license.id) {
                    found.push(read(entitlement)?);
                }
            }
        }
        Ok(found)
    }
}

/// Whether an entitlement is of that license; one that names none was asked for by the license itself.
fn names(entitlement: &types::Entitlement, license: &LicenseId) -> bool {
    entitlement.license_arn().and_then(|arn| arn.parse::<LicenseArn>().ok()).is_none_or(|arn| arn.id() == license)
}

fn read(entitlement: &types::Entitlement) -> Result<Entitlement, MarketplaceError> {
    let dimension = entitlement.dimension().unwrap_or_default().parse().map_err(odd)?;
    let value = entitlement.value().and_then(read_value);
    let value = value.ok_or_else(|| odd(format!("no value for the dimension {dimension}")))?;
    let expires_at =
        entitlement.expiration_date().map(|date| Timestamp::new(date.secs(), 0)).transpose().map_err(odd)?;
    Ok(Entitlement { dimension, value, expires_at })
}

fn read_value(value: &types::EntitlementValue) -> Option<Value> {
    None.or(value.integer_value().map(|amount| Value::Integer(amount.into())))
        .or_else(|| value.double_value().and_then(|amount| Decimal::try_from(amount).ok()).map(Value::Double))
        .or_else(|| value.boolean_value().map(Value::Boolean))
        .or_else(|| value.string_value().map(|name| Value::String(name.to_owned())))
}

//! The entitlement service: GetEntitlements.

use super::{Marketplace, MarketplaceError, read_error, unexpected};
use aws_sdk_marketplaceentitlement::types::{self, GetEntitlementFilterName};
use domain::entitlement::{Entitlement, Value};
use domain::ids::{LicenseArn, LicenseId};
use domain::license::License;
use jiff::Timestamp;
use rust_decimal::Decimal;

/// AWS's answer about the entitlements of a license.
#[derive(Debug, Default)]
pub struct Grants {
    /// The entitlements.
    pub entitlements: Vec<Entitlement>,
    /// The license's ARN in the form of this answer; `None` if the license grants nothing, or AWS names none.
    pub arn: Option<LicenseArn>,
}

impl Marketplace {
    /// Returns all entitlements of a license; see [`grants`](Self::grants).
    ///
    /// # Errors
    ///
    /// See [`grants`](Self::grants).
    pub async fn entitlements(&self, license: &License) -> Result<Vec<Entitlement>, MarketplaceError> {
        Ok(self.grants(license).await?.entitlements)
    }

    /// Returns all entitlements of a license, and its ARN. It reads every page, also those after an empty one that has
    /// a NextToken.
    ///
    /// The request filters by the license's ARN. A legacy license is filtered by its CustomerIdentifier; a license
    /// whose ARN is known only in the form that AWS does not accept, by its account, and only entitlements that name
    /// the license are kept.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`]. Also fails when the license has nothing to filter by.
    pub async fn grants(&self, license: &License) -> Result<Grants, MarketplaceError> {
        let (name_of_filter, value) = match (&license.customer, &license.arn, &license.account) {
            (Some(customer), _, _) => (GetEntitlementFilterName::CustomerIdentifier, customer.as_str()),
            (_, Some(arn), _) if arn.is_sendable() => (GetEntitlementFilterName::LicenseArn, arn.as_str()),
            (_, _, Some(account)) => (GetEntitlementFilterName::CustomerAwsAccountId, account.as_str()),
            (None, _, None) => {
                return Err(unexpected(format!("nothing to ask for the entitlements of {} by", license.id)));
            }
        };
        let mut pages = self
            .entitlement_client()
            .get_entitlements()
            .product_code(license.product.as_str())
            .filter(name_of_filter.clone(), vec![value.to_owned()])
            .into_paginator()
            .send();
        let by_account = matches!(name_of_filter, GetEntitlementFilterName::CustomerAwsAccountId);
        let mut found = Grants::default();
        while let Some(page) = pages.next().await {
            self.outcomes.record("aws-marketplace:GetEntitlements", &page);
            let page = page.map_err(read_error)?;
            for entitlement in page.entitlements() {
                let named = entitlement.license_arn().and_then(|arn| arn.parse::<LicenseArn>().ok());
                let is_of_license = match &named {
                    Some(arn) => license.customer.is_some() || *arn.id() == license.id,
                    None => !by_account,
                };
                if is_of_license {
                    found.arn = named.filter(|arn| *arn.id() == license.id).or(found.arn);
                    found.entitlements.extend(read(entitlement, &license.id));
                }
            }
        }
        Ok(found)
    }
}

/// Reads one entitlement. An entitlement that cannot be read is left out, so that it does not hide the others.
fn read(entitlement: &types::Entitlement, license: &LicenseId) -> Option<Entitlement> {
    let dimension = entitlement.dimension().unwrap_or_default();
    let expires_at = entitlement.expiration_date().map(|date| Timestamp::new(date.secs(), 0)).transpose();
    let parts = (dimension.parse().ok(), entitlement.value().and_then(read_value), expires_at.ok());
    let (Some(dimension), Some(value), Some(expires_at)) = parts else {
        tracing::error!(%license, dimension, counter = "entitlement_unreadable", "Ignored an entitlement that cannot be read");
        return None;
    };
    Some(Entitlement { dimension, value, expires_at })
}

fn read_value(value: &types::EntitlementValue) -> Option<Value> {
    None.or(value.integer_value().map(|amount| Value::Integer(amount.into())))
        .or_else(|| value.double_value().and_then(|amount| Decimal::try_from(amount).ok()).map(Value::Double))
        .or_else(|| value.boolean_value().map(Value::Boolean))
        .or_else(|| value.string_value().map(|name| Value::String(name.to_owned())))
}

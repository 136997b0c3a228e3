//! An overview of the purchases, for display. It does not contain tokens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use marketplace_ids::{AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, ProductCode};
use serde::Serialize;

use super::Marketplace;
use super::state::AgreementStatus;
use super::value::DimensionValue;

/// All purchases, oldest first, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// The moment of the overview.
    pub now: Timestamp,
    /// All agreements.
    pub agreements: Vec<AgreementOverview>,
    /// All licenses.
    pub licenses: Vec<LicenseOverview>,
}

/// An agreement in its current state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgreementOverview {
    /// The agreement's id.
    pub agreement_id: AgreementId,
    /// The agreement that it follows.
    pub previous_agreement_id: Option<AgreementId>,
    /// The product.
    pub product_code: ProductCode,
    /// The buyer.
    pub account_id: AccountId,
    /// The offer's id.
    pub offer_id: String,
    /// The status.
    pub status: AgreementStatus,
    /// The start, from which it is in force.
    pub start: Timestamp,
    /// The end date; `None` if it is paid by use.
    pub end: Option<Timestamp>,
    /// The end of the free trial.
    pub free_trial_end: Option<Timestamp>,
    /// The license that it grants, also for a legacy product.
    pub license_arn: Option<LicenseArn>,
}

/// A license in its current state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LicenseOverview {
    /// The license's ARN, also for a legacy product, whose seller receives it only in License events.
    pub license_arn: LicenseArn,
    /// The product.
    pub product_code: ProductCode,
    /// The buyer.
    pub account_id: AccountId,
    /// The buyer's CustomerIdentifier, for a legacy product.
    pub customer_identifier: Option<CustomerIdentifier>,
    /// The agreement from which it comes, once it is provisioned and until it is revoked.
    pub agreement_id: Option<AgreementId>,
    /// The dimensions that it grants now.
    pub dimensions: BTreeMap<DimensionKey, DimensionValue>,
    /// The end date of the current grant.
    pub expires: Option<Timestamp>,
    /// The time at which it was or will be revoked.
    pub revoked: Option<Timestamp>,
}

impl Marketplace {
    /// Returns all purchases in their current state.
    pub fn overview(&self) -> Overview {
        let now = self.now();
        let state = self.state();
        let agreements = state.agreements.iter().map(|agreement| AgreementOverview {
            agreement_id: agreement.id.clone(),
            previous_agreement_id: agreement.previous.clone(),
            product_code: agreement.product.clone(),
            account_id: agreement.account.clone(),
            offer_id: agreement.offer.clone(),
            status: agreement.status(now),
            start: agreement.start,
            end: agreement.end,
            free_trial_end: agreement.free_trial_end,
            license_arn: state.license(&agreement.license).map(|license| license.arn.clone()),
        });
        let licenses = state.licenses.iter().map(|license| {
            let grant = license.grant(now);
            LicenseOverview {
                license_arn: license.arn.clone(),
                product_code: license.product.clone(),
                account_id: license.account.clone(),
                customer_identifier: license.customer.clone(),
                agreement_id: grant.map(|grant| grant.agreement.clone()),
                dimensions: grant.map(|grant| grant.dimensions.clone()).unwrap_or_default(),
                expires: grant.and_then(|grant| grant.expires),
                revoked: license.revoked,
            }
        });
        Overview { now, agreements: agreements.collect(), licenses: licenses.collect() }
    }
}

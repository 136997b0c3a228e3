//! What was bought so far, for people to look at. Tokens are not in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::ids::{AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, ProductCode};

use super::Marketplace;
use super::books::AgreementStatus;
use super::value::DimensionValue;

/// Everything that was bought, oldest first, as it is at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// The moment.
    pub now: Timestamp,
    /// All agreements.
    pub agreements: Vec<AgreementOverview>,
    /// All licenses.
    pub licenses: Vec<LicenseOverview>,
}

/// An agreement, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgreementOverview {
    /// Its id.
    pub agreement_id: AgreementId,
    /// The one that it follows.
    pub previous_agreement_id: Option<AgreementId>,
    /// The product.
    pub product_code: ProductCode,
    /// The buyer.
    pub account_id: AccountId,
    /// Its offer.
    pub offer_id: String,
    /// Its status.
    pub status: AgreementStatus,
    /// Since when it is in force.
    pub start: Timestamp,
    /// Its end date; none if it is paid by use.
    pub end: Option<Timestamp>,
    /// The end of its free trial.
    pub free_trial_end: Option<Timestamp>,
    /// The license that it grants, also for a product of the older kind.
    pub license_arn: Option<LicenseArn>,
}

/// A license, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LicenseOverview {
    /// Its ARN, also for a product of the older kind, whose seller sees it in License events only.
    pub license_arn: LicenseArn,
    /// The product.
    pub product_code: ProductCode,
    /// The buyer.
    pub account_id: AccountId,
    /// The buyer's key, for a product of the older kind.
    pub customer_identifier: Option<CustomerIdentifier>,
    /// The agreement that it comes from, once it is provisioned and until it is revoked.
    pub agreement_id: Option<AgreementId>,
    /// What it grants now.
    pub dimensions: BTreeMap<DimensionKey, DimensionValue>,
    /// The end date of what it grants now.
    pub expires: Option<Timestamp>,
    /// When it was revoked, or will be.
    pub revoked: Option<Timestamp>,
}

impl Marketplace {
    /// Everything that was bought, as it is now.
    pub fn overview(&self) -> Overview {
        let now = self.now();
        let books = self.books();
        let agreements = books.agreements.iter().map(|agreement| AgreementOverview {
            agreement_id: agreement.id.clone(),
            previous_agreement_id: agreement.previous.clone(),
            product_code: agreement.product.clone(),
            account_id: agreement.account.clone(),
            offer_id: agreement.offer.clone(),
            status: agreement.status(now),
            start: agreement.start,
            end: agreement.end,
            free_trial_end: agreement.free_trial_end,
            license_arn: books.license(&agreement.license).map(|license| license.arn.clone()),
        });
        let licenses = books.licenses.iter().map(|license| {
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

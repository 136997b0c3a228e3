//! The records that AWS keeps: agreements, the licenses that they grant, and the registration tokens that refer to
//! them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use marketplace_ids::{AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode};
use serde::{Deserialize, Serialize};

use super::ledger::{Entry, LedgerKey};
use super::value::DimensionValue;
use crate::control_error::ControlError;

/// The status of an agreement (Agreement Service API reference, `AgreementStatus`), limited to those that occur
/// here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AgreementStatus {
    /// Its terms are in force.
    Active,
    /// The buyer ended it before its end date.
    Cancelled,
    /// Ended at its end date.
    Expired,
    /// AWS ended it, for example for a failed payment.
    Terminated,
    /// Was renewed into a new agreement.
    Renewed,
    /// Was replaced by an agreement of another offer.
    Replaced,
}

impl AgreementStatus {
    /// Returns the status in the form in which AWS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::Terminated => "TERMINATED",
            Self::Renewed => "RENEWED",
            Self::Replaced => "REPLACED",
        }
    }
}

/// The status with which an agreement ends that has no successor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EndStatus {
    /// The buyer ends it before its end date.
    #[default]
    Cancelled,
    /// Ends at its end date.
    Expired,
    /// AWS ends it.
    Terminated,
}

impl From<EndStatus> for AgreementStatus {
    fn from(status: EndStatus) -> Self {
        match status {
            EndStatus::Cancelled => Self::Cancelled,
            EndStatus::Expired => Self::Expired,
            EndStatus::Terminated => Self::Terminated,
        }
    }
}

/// A contract between a buyer and the seller about one product.
#[derive(Debug, Clone)]
pub(crate) struct Agreement {
    pub id: AgreementId,
    /// The first agreement of its chain of renewals and replacements; its own id if it is the first.
    pub initial: AgreementId,
    /// The agreement that it follows.
    pub previous: Option<AgreementId>,
    pub product: ProductCode,
    pub account: AccountId,
    pub license: LicenseId,
    pub offer: String,
    /// The time of acceptance, which is also its start: there are no future-dated agreements.
    pub start: Timestamp,
    /// `None` for an agreement that is paid by use.
    pub end: Option<Timestamp>,
    pub updated: Timestamp,
    pub free_trial_end: Option<Timestamp>,
    /// The dimensions that were bought in advance.
    pub dimensions: BTreeMap<DimensionKey, DimensionValue>,
    /// The time at which its license is ready.
    pub provisioned: Timestamp,
    pub ending: Option<Ending>,
}

/// The time and the status with which an agreement ends or has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub at: Timestamp,
    pub status: AgreementStatus,
}

impl Agreement {
    pub(crate) fn status(&self, now: Timestamp) -> AgreementStatus {
        match self.ending {
            Some(ending) if ending.at <= now => ending.status,
            Some(_) | None => AgreementStatus::Active,
        }
    }

    /// Returns the time of the last change, which may be its end.
    pub(crate) fn last_update(&self, now: Timestamp) -> Timestamp {
        self.ending.map(|ending| ending.at).filter(|at| *at <= now).unwrap_or(self.updated)
    }
}

/// The license that an agreement grants for its product.
#[derive(Debug, Clone)]
pub(crate) struct License {
    pub arn: LicenseArn,
    pub product: ProductCode,
    pub account: AccountId,
    /// The buyer's CustomerIdentifier, only for a legacy product.
    pub customer: Option<CustomerIdentifier>,
    /// The time of acceptance of the agreement for which the license was issued.
    pub purchased: Timestamp,
    /// The current and earlier grants, oldest first.
    pub grants: Vec<Grant>,
    /// The time from which it grants nothing.
    pub revoked: Option<Timestamp>,
}

/// The dimensions that a license grants from some moment on.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub from: Timestamp,
    /// The agreement from which it comes.
    pub agreement: AgreementId,
    pub dimensions: BTreeMap<DimensionKey, DimensionValue>,
    /// The end of the agreement; `None` for one that is paid by use.
    pub expires: Option<Timestamp>,
    /// The dimensions that expire at another time than the rest.
    pub expires_apart: BTreeMap<DimensionKey, Timestamp>,
}

impl Grant {
    /// Returns the expiration date of a dimension's entitlement.
    pub(crate) fn expiration(&self, dimension: &DimensionKey) -> Option<Timestamp> {
        self.expires_apart.get(dimension).copied().or(self.expires)
    }
}

impl License {
    /// Returns the current grant; `None` before it is provisioned and after it is revoked.
    pub(crate) fn grant(&self, now: Timestamp) -> Option<&Grant> {
        if self.revoked.is_some_and(|revoked| revoked <= now) {
            return None;
        }
        self.grants.iter().rev().find(|grant| grant.from <= now)
    }

    /// Returns the grant that GetEntitlements shows now: the grant of `after` ago, and `None` once the license is
    /// revoked.
    pub(crate) fn shown_grant(&self, now: Timestamp, after: SignedDuration) -> Option<&Grant> {
        self.grant(now)?;
        let then = now.checked_sub(after).unwrap_or(Timestamp::MIN);
        self.grants.iter().rev().find(|grant| grant.from <= then)
    }
}

/// The content of a registration token. It stays the same as long as the token can be resolved.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub issued: Timestamp,
    pub agreement: AgreementId,
    pub product: ProductCode,
    pub account: AccountId,
    pub license: LicenseArn,
    pub customer: Option<CustomerIdentifier>,
}

#[derive(Debug, Default)]
pub(super) struct MarketplaceState {
    /// The agreements, oldest first.
    pub agreements: Vec<Agreement>,
    pub licenses: Licenses,
    pub tokens: HashMap<String, Token>,
    /// The metered usage: the first record of each key.
    pub ledger: HashMap<LedgerKey, Entry>,
    /// The time of the last answer of GetEntitlements for a product.
    pub entitlements_read: BTreeMap<ProductCode, Timestamp>,
    /// The dimensions that the catalog does not publish yet.
    pub unpublished: BTreeSet<(ProductCode, DimensionKey)>,
}

/// Licenses, oldest first, with an index by id.
#[derive(Debug, Default)]
pub(super) struct Licenses {
    all: Vec<License>,
    places: HashMap<LicenseId, usize>,
}

impl Licenses {
    pub(super) fn push(&mut self, license: License) {
        self.places.insert(license.arn.id().clone(), self.all.len());
        self.all.push(license);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &License> {
        self.all.iter()
    }

    fn get(&self, id: &LicenseId) -> Option<&License> {
        self.all.get(*self.places.get(id)?)
    }

    fn get_mut(&mut self, id: &LicenseId) -> Option<&mut License> {
        self.all.get_mut(*self.places.get(id)?)
    }
}

impl MarketplaceState {
    pub(super) fn license(&self, id: &LicenseId) -> Option<&License> {
        self.licenses.get(id)
    }

    pub(super) fn license_mut(&mut self, id: &LicenseId) -> Option<&mut License> {
        self.licenses.get_mut(id)
    }

    pub(super) fn agreement_mut(&mut self, id: &AgreementId) -> Option<&mut Agreement> {
        self.agreements.iter_mut().find(|agreement| agreement.id == *id)
    }

    /// Returns an agreement that is in force and has no successor yet.
    pub(super) fn active(&self, id: &AgreementId) -> Result<&Agreement, ControlError> {
        let agreement = self
            .agreements
            .iter()
            .find(|agreement| agreement.id == *id)
            .ok_or_else(|| ControlError::AgreementUnknown { agreement: id.clone() })?;
        match agreement.ending {
            None => Ok(agreement),
            Some(_) => Err(ControlError::AgreementNotActive { agreement: id.clone() }),
        }
    }
}

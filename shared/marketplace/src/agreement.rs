//! The agreement service: DescribeAgreement, GetAgreementEntitlements, SearchAgreements.

use super::{Marketplace, MarketplaceError, read_error, unexpected};
use aws_sdk_marketplaceagreement::operation::describe_agreement::{DescribeAgreementError, DescribeAgreementOutput};
use aws_sdk_marketplaceagreement::primitives::DateTime;
use aws_sdk_marketplaceagreement::types::{
    AgreementEntitlement, AgreementEntitlementStatus, AgreementViewSummary, Filter,
};
use domain::agreement::{AgreementObservation, AgreementStatus, ObservedStatus};
use domain::ids::{AccountId, AgreementId, LicenseArn, ProductId};
use jiff::Timestamp;

/// The state of an agreement in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedAgreement {
    /// Its status.
    pub status: AgreementStatus,
    /// The time at which it started or starts.
    pub starts_at: Option<Timestamp>,
    /// The time at which it ends or has ended; `None` for one that is paid by use.
    pub ends_at: Option<Timestamp>,
}

impl DescribedAgreement {
    /// Returns the status to store for an agreement that AWS showed as ended at `observed_at`; `None` for any other.
    ///
    /// It ended at its end date, or at `observed_at` if that is earlier or AWS gives no end date.
    pub fn ending(&self, agreement: &AgreementId, observed_at: Timestamp) -> Option<AgreementObservation> {
        self.status.end_reason()?;
        let at = self.ends_at.map_or(observed_at, |ends_at| ends_at.min(observed_at));
        let observed = ObservedStatus { observed_at, status: self.status, at };
        Some(AgreementObservation { agreement: agreement.clone(), observed, previous: None, starts_at: self.starts_at })
    }
}

/// An agreement that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAgreement {
    /// Its id.
    pub id: AgreementId,
    /// The first agreement of its chain of renewals and replacements.
    pub initial: Option<AgreementId>,
    /// The buyer's account.
    pub account: Option<AccountId>,
    /// Its state in AWS.
    pub described: DescribedAgreement,
    /// The time of its last change, its ending included.
    pub last_update: Option<Timestamp>,
    /// The licenses that it has granted.
    pub licenses: Vec<LicenseArn>,
}

/// A page of agreements.
#[derive(Debug)]
pub struct AgreementPage {
    /// The agreements.
    pub agreements: Vec<FoundAgreement>,
    /// The token of the next page; `None` after the last one.
    pub next: Option<String>,
}

/// The filter of a search among this account's agreements about a product.
#[derive(Debug, Clone, Copy)]
pub enum Agreements<'a> {
    /// The agreements of one buyer, ended ones included.
    OfBuyer(&'a AccountId),
    /// The agreements in force, of all buyers.
    InForce,
}

impl Marketplace {
    /// Returns the time at which an agreement started or starts; `None` if AWS does not give it.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement_start(&self, id: &AgreementId) -> Result<Option<Timestamp>, MarketplaceError> {
        Ok(self.describe(id).await?.and_then(|answer| moment(answer.start_time())))
    }

    /// Returns the status of an agreement in AWS; `None` if AWS does not know the agreement.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement_status(&self, id: &AgreementId) -> Result<Option<AgreementStatus>, MarketplaceError> {
        Ok(self.agreement(id).await?.map(|agreement| agreement.status))
    }

    /// Returns the state of an agreement in AWS; `None` if AWS does not know it, or does not show it to this account.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement(&self, id: &AgreementId) -> Result<Option<DescribedAgreement>, MarketplaceError> {
        let Some(answer) = self.describe(id).await? else { return Ok(None) };
        let status = answer.status().ok_or_else(|| unexpected(format!("no status of {id}")))?;
        Ok(Some(DescribedAgreement {
            status: AgreementStatus::read(status.as_str()),
            starts_at: moment(answer.start_time()),
            ends_at: moment(answer.end_time()),
        }))
    }

    /// Returns a page of the agreements about a product that this account has proposed (SearchAgreements). Agreements
    /// that a reseller has proposed are not included.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn search_agreements(
        &self,
        product: &ProductId,
        which: Agreements<'_>,
        page: Option<String>,
    ) -> Result<AgreementPage, MarketplaceError> {
        let which = match which {
            Agreements::OfBuyer(account) => filter("AcceptorAccountId", account.as_str()),
            Agreements::InForce => filter("Status", "ACTIVE"),
        };
        let answer = self
            .agreement_client()
            .search_agreements()
            .catalog("AWSMarketplace")
            .filters(filter("AgreementType", "PurchaseAgreement"))
            .filters(filter("PartyType", "Proposer"))
            .filters(filter("ResourceIdentifier", product.as_str()))
            .filters(which)
            .set_next_token(page)
            .send()
            .await;
        self.outcomes.record("aws-marketplace:SearchAgreements", &answer);
        let answer = answer.map_err(read_error)?;
        let agreements = answer.agreement_view_summaries().iter().filter_map(found).collect();
        Ok(AgreementPage { agreements, next: answer.next_token().map(str::to_owned) })
    }

    /// Returns the licenses that AWS has provisioned for an agreement, and not revoked (GetAgreementEntitlements).
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn provisioned_licenses(&self, id: &AgreementId) -> Result<Vec<LicenseArn>, MarketplaceError> {
        let request = self.agreement_client().get_agreement_entitlements().agreement_id(id.as_str());
        let mut pages = request.into_paginator().send();
        let mut provisioned = Vec::new();
        while let Some(page) = pages.next().await {
            self.outcomes.record("aws-marketplace:GetAgreementEntitlements", &page);
            let page = page.map_err(read_error)?;
            let is_provisioned =
                |it: &&AgreementEntitlement| it.status() == Some(&AgreementEntitlementStatus::Provisioned);
            let arns = page.agreement_entitlements().iter().filter(is_provisioned).filter_map(|it| it.license_arn());
            provisioned.extend(arns.filter_map(|arn| arn.parse().ok()));
        }
        Ok(provisioned)
    }

    /// Returns an agreement; `None` if AWS does not know it.
    async fn describe(&self, id: &AgreementId) -> Result<Option<DescribeAgreementOutput>, MarketplaceError> {
        let answer = self.agreement_client().describe_agreement().agreement_id(id.as_str()).send().await;
        self.outcomes.record("aws-marketplace:DescribeAgreement", &answer);
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_unknown(error.as_service_error()) => Ok(None),
            Err(error) => Err(read_error(error)),
        }
    }
}

fn is_unknown(error: Option<&DescribeAgreementError>) -> bool {
    error.is_some_and(DescribeAgreementError::is_resource_not_found_exception)
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// Reads one agreement. An agreement that cannot be read is left out, so that it does not hide the others.
fn found(summary: &AgreementViewSummary) -> Option<FoundAgreement> {
    let account = summary.acceptor().and_then(|acceptor| acceptor.account_id()).map(str::parse).transpose();
    let licenses = summary.entitlements().iter().filter_map(|entitlement| entitlement.license_arn());
    let licenses: Result<Vec<LicenseArn>, _> = licenses.map(str::parse).collect();
    let initial = summary.initial_agreement_id().map(str::parse).transpose();
    let id = summary.agreement_id().unwrap_or_default();
    let parts = (id.parse().ok(), summary.status(), account, licenses, initial);
    let (Some(id), Some(status), Ok(account), Ok(licenses), Ok(initial)) = parts else {
        tracing::error!(agreement = id, counter = "agreement_unreadable", "Ignored an agreement that cannot be read");
        return None;
    };
    let described = DescribedAgreement {
        status: AgreementStatus::read(status.as_str()),
        starts_at: moment(summary.start_time()),
        ends_at: moment(summary.end_time()),
    };
    Some(FoundAgreement { id, initial, account, described, last_update: moment(summary.last_update_time()), licenses })
}

fn moment(at: Option<&DateTime>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::from_second(at.secs()).ok())
}

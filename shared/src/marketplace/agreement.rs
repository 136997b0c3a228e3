//! The agreement service: DescribeAgreement, GetAgreementEntitlements, SearchAgreements.

use aws_sdk_marketplaceagreement::operation::describe_agreement::{DescribeAgreementError, DescribeAgreementOutput};
use aws_sdk_marketplaceagreement::primitives::DateTime;
use aws_sdk_marketplaceagreement::types::{
    AgreementEntitlement, AgreementEntitlementStatus, AgreementViewSummary, Filter,
};

use jiff::Timestamp;

use super::{Marketplace, MarketplaceError, odd, read_error};
use crate::agreement::{AgreementLook, AgreementStatus, ObservedStatus};
use crate::ids::{AccountId, AgreementId, LicenseArn, ProductId};

/// How an agreement stands at AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementAtAws {
    /// Its status.
    pub status: AgreementStatus,
    /// When it began or begins.
    pub starts_at: Option<Timestamp>,
    /// When it ends or has ended; none for one that is paid by use.
    pub ends_at: Option<Timestamp>,
}

impl AgreementAtAws {
    /// Returns what is to be kept of an agreement that AWS showed as ended when it was asked; none for any other.
    ///
    /// It has not outlived its end date, and had ended when AWS was asked.
    pub fn ending(&self, agreement: &AgreementId, looked_at: Timestamp) -> Option<AgreementLook> {
        self.status.end_reason()?;
        let at = self.ends_at.map_or(looked_at, |ends_at| ends_at.min(looked_at));
        let seen = ObservedStatus { looked_at, status: self.status, at };
        Some(AgreementLook { agreement: agreement.clone(), seen, previous: None, starts_at: self.starts_at })
    }
}

/// An agreement among those that were searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAgreement {
    /// Its id.
    pub id: AgreementId,
    /// The first agreement of its chain of renewals and replacements.
    pub initial: Option<AgreementId>,
    /// The buyer's account.
    pub account: Option<AccountId>,
    /// How it stands.
    pub at_aws: AgreementAtAws,
    /// When anything of it last changed, its ending included.
    pub last_update: Option<Timestamp>,
    /// The licenses that it has granted.
    pub licenses: Vec<LicenseArn>,
}

/// One page of agreements.
#[derive(Debug)]
pub struct AgreementPage {
    /// The agreements.
    pub agreements: Vec<FoundAgreement>,
    /// What the next page is asked for by; none after the last.
    pub next: Option<String>,
}

/// Which of our agreements about a product are searched for.
#[derive(Debug, Clone, Copy)]
pub enum Agreements<'a> {
    /// Those of one buyer, also those that are over.
    OfBuyer(&'a AccountId),
    /// Those in force, of all buyers.
    InForce,
}

impl Marketplace {
    /// When an agreement began or begins, as AWS has it; none if AWS does not say.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement_start(&self, id: &AgreementId) -> Result<Option<Timestamp>, MarketplaceError> {
        Ok(self.describe(id).await?.and_then(|answer| moment(answer.start_time())))
    }

    /// The status of an agreement at AWS; none if AWS does not know it.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement_status(&self, id: &AgreementId) -> Result<Option<AgreementStatus>, MarketplaceError> {
        Ok(self.agreement(id).await?.map(|agreement| agreement.status))
    }

    /// How an agreement stands at AWS; none if AWS does not know it, or does not show it to this account.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement(&self, id: &AgreementId) -> Result<Option<AgreementAtAws>, MarketplaceError> {
        let Some(answer) = self.describe(id).await? else { return Ok(None) };
        let status = answer.status().ok_or_else(|| odd(format!("no status of {id}")))?;
        Ok(Some(AgreementAtAws {
            status: AgreementStatus::read(status.as_str()),
            starts_at: moment(answer.start_time()),
            ends_at: moment(answer.end_time()),
        }))
    }

    /// A page of the agreements about a product that this account has proposed (SearchAgreements). One that a reseller
    /// has proposed is not among them.
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

    /// The licenses that AWS has provisioned for an agreement, and not revoked (GetAgreementEntitlements).
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

    /// None where AWS does not know the agreement.
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

/// Reads one agreement. One that cannot be read is left out, so that it does not hide the others.
fn found(summary: &AgreementViewSummary) -> Option<FoundAgreement> {
    let account = summary.acceptor().and_then(|acceptor| acceptor.account_id()).map(str::parse).transpose();
    let licenses = summary.entitlements().iter().filter_map(|entitlement| entitlement.license_arn());
    let licenses: Result<Vec<LicenseArn>, _> = licenses.map(str::parse).collect();
    let initial = summary.initial_agreement_id().map(str::parse).transpose();
    let id = summary.agreement_id().unwrap_or_default();
    let parts = (id.parse().ok(), summary.status(), account, licenses, initial);
    let (Some(id), Some(status), Ok(account), Ok(licenses), Ok(initial)) = parts else {
        tracing::error!(agreement = id, counter = "agreement_unreadable", "an agreement is left out");
        return None;
    };
    let at_aws = AgreementAtAws {
        status: AgreementStatus::read(status.as_str()),
        starts_at: moment(summary.start_time()),
        ends_at: moment(summary.end_time()),
    };
    Some(FoundAgreement { id, initial, account, at_aws, last_update: moment(summary.last_update_time()), licenses })
}

fn moment(at: Option<&DateTime>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::from_second(at.secs()).ok())
}

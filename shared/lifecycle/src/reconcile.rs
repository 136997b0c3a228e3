//! Reconciliation: compares what the table has of a license with what AWS shows, and repairs lost and late events.
//!
//! AWS is asked (DescribeAgreement, SearchAgreements, GetEntitlements, GetAgreementEntitlements), and a pure function
//! [judges](judge) what its answers show that no event reported. The result takes the path of every event, into the row
//! and through the one function that derives a state from it. Observations are kept apart from events, and are weaker:
//! an event that arrives later gives the result that it would have given without the observation. A check that finds
//! nothing writes nothing.

mod judge;
mod outcome;
mod rate_limiter;

use crate::{LicenseUpdate, RefreshError, Refreshed};
use domain::agreement::AgreementStatus;
use domain::ids::{LicenseArn, LicenseId};
use domain::license::{License, LicenseEvent, ObservedInForce, State};
use domain::listing::Listing;
use judge::{SuccessorCandidate, View, in_force_by, is_settled, judge};
use marketplace::{Agreements, FoundAgreement, Marketplace, MarketplaceError};
use store::{Store, StoreError};

pub use outcome::{Finding, FindingKind, Outcome, Repair, RepairKind};
pub use rate_limiter::RateLimiter;

/// An error of checking a license. The license stays as it was, except for what was repaired before.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// See [`MarketplaceError`].
    #[error(transparent)]
    Marketplace(#[from] MarketplaceError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RefreshError> for ReconcileError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Marketplace(error) => Self::Marketplace(error),
            RefreshError::Store(error) => Self::Store(error),
        }
    }
}

/// Checks licenses, no faster than its rate limiter allows.
#[derive(Debug)]
pub struct Reconciler<'a> {
    store: &'a Store,
    marketplace: &'a Marketplace,
    rate_limiter: &'a RateLimiter,
}

impl<'a> Reconciler<'a> {
    /// Creates a reconciler that works on this table, and asks AWS no faster than the rate limiter allows.
    pub fn new(store: &'a Store, marketplace: &'a Marketplace, rate_limiter: &'a RateLimiter) -> Self {
        Self { store, marketplace, rate_limiter }
    }

    /// Waits for the turn of one request that the caller makes beside those of the reconciler.
    pub async fn wait_turn(&self) {
        self.rate_limiter.wait_turn().await;
    }

    /// Checks one license, and repairs what no event reported. A repeated call changes nothing.
    ///
    /// If the product of the license has no listing in this stack, AWS is not asked.
    ///
    /// # Errors
    ///
    /// Fails when AWS or the table does not answer.
    pub async fn reconcile(&self, id: &LicenseId) -> Result<Outcome, ReconcileError> {
        let mut outcome = Outcome::default();
        let Some(before) = self.store.license(id).await? else { return Ok(outcome) };
        let Some(listing) = self.store.listing(&before.product).await? else { return Ok(outcome) };
        // By its own key: a buyer of a customer-keyed listing may have moved to a license key.
        if before.customer.is_none() {
            if self.waits_for_its_move(&before).await? {
                return Ok(outcome);
            }
            // On the heap: the stack of the caller has no room for this future.
            Box::pin(self.reconcile_by_agreement(&listing, &before, &mut outcome)).await?;
        } else {
            Box::pin(self.reconcile_planned_move(&before)).await?;
            Box::pin(self.reconcile_by_customer(&listing, &before, &mut outcome)).await?;
        }
        if let Some(after) = self.store.license(id).await? {
            outcome.compare(Some(&before), &after, self.store);
        }
        Ok(outcome)
    }

    /// Checks an agreement that AWS has in force for licenses that the table does not know.
    ///
    /// # Errors
    ///
    /// Fails when AWS or the table does not answer.
    pub async fn find_unknown_licenses(
        &self,
        listing: &Listing,
        agreement: &FoundAgreement,
    ) -> Result<Outcome, ReconcileError> {
        let mut outcome = Outcome::default();
        if !is_settled(agreement.described.starts_at, self.store.clock().now()) {
            return Ok(outcome);
        }
        let ids: Vec<LicenseId> = agreement.licenses.iter().map(|arn| arn.id().clone()).collect();
        let known: Vec<LicenseId> = self.store.licenses(&ids).await?.into_iter().map(|license| license.id).collect();
        for arn in agreement.licenses.iter().filter(|arn| !known.contains(arn.id())) {
            self.adopt(listing, agreement, arn, &mut outcome).await?;
        }
        if ids.is_empty() && self.store.licenses_of_agreement(&agreement.id).await?.is_empty() {
            outcome.find(FindingKind::UnknownAgreement, None, Some(&agreement.id));
        }
        Ok(outcome)
    }

    /// Checks a license of concurrent agreements: the status of its agreement in AWS, and the agreement that is in
    /// force.
    async fn reconcile_by_agreement(
        &self,
        listing: &Listing,
        license: &License,
        outcome: &mut Outcome,
    ) -> Result<(), ReconcileError> {
        let observed_at = self.store.clock().now();
        let described = match license.agreement() {
            Some(agreement) => {
                self.wait_turn().await;
                self.marketplace.agreement(agreement).await?
            }
            None => None,
        };
        let view = View { license, observed_at, described: described.as_ref(), found: &[], is_provisioned: false };
        let lacks_arn = !license.arn.as_ref().is_some_and(LicenseArn::is_sendable);
        let mut found = match view.needs_search() || lacks_arn {
            true => self.agreements_of_buyer(listing, license).await?,
            false => Vec::new(),
        };
        if view.continues() {
            Box::pin(self.add_missing_licenses(&mut found)).await?;
        }
        if lacks_arn {
            Box::pin(self.store_arn(license, &found)).await?;
        }
        let view = View { found: &found, ..view };
        let is_provisioned = match view.needs_proof() {
            Some(agreement) => self.is_provisioned(listing, license, agreement, outcome).await?,
            None => false,
        };
        let judged = judge(&View { is_provisioned, ..view });
        for observation in &judged.observations {
            crate::apply_agreement_observation(self.store, observation).await?;
        }
        let mut has_successor = license.successor().is_some() || judged.in_force.is_some();
        if let Some(observed) = judged.in_force {
            crate::apply_license_update(self.store, &observation_update(license, observed)).await?;
        }
        for SuccessorCandidate { agreement, arn, observation } in judged.successor_candidates {
            if has_successor {
                break;
            }
            let is_active = agreement.described.status == AgreementStatus::Active;
            // Of a license that ended between two renewals, only its ending may be known.
            let row = self.store.license(arn.id()).await?;
            if is_active || row.is_some_and(|row| row.first_in_force().is_some()) {
                has_successor = true;
                crate::apply_agreement_observation(self.store, &observation).await?;
                Box::pin(self.adopt(listing, agreement, arn, outcome)).await?;
                // Agreements between the two may have no license that was ever in force.
                if let Some(followed) = license.agreement() {
                    crate::succession::hand_over(self.store, followed, &agreement.id).await?;
                }
            }
        }
        if let Some(observation) = judged.ended {
            has_successor = true;
            let row = self.store.license(&license.id).await?;
            let is_open = |row: &License| row.successor().is_none() && !row.state_at(observed_at).has_ended();
            if row.as_ref().is_some_and(is_open) {
                crate::apply_agreement_observation(self.store, &observation).await?;
                crate::apply_license_update(self.store, &observation_update(license, in_force_by(&observation)))
                    .await?;
            }
        }
        if view.continues() && !has_successor && !license.state_at(observed_at).has_ended() {
            outcome.find(FindingKind::NoSuccessor, Some(&license.id), license.agreement());
        }
        for kind in judged.findings {
            outcome.find(kind, Some(&license.id), license.agreement());
        }
        let row = self.store.license(&license.id).await?.filter(|_| listing.pricing.has_entitlements());
        // An ended license grants nothing, whatever AWS shows.
        let Some(row) = row.filter(|row| !row.state_at(observed_at).has_ended()) else { return Ok(()) };
        let refreshed = self.refresh(&row, view.is_active_in_aws()).await?;
        if refreshed == Refreshed::EmptyTooEarly && is_settled(row.active_since(), observed_at) {
            outcome.find(FindingKind::EntitlementsEmpty, Some(&row.id), row.agreement());
        }
        Ok(())
    }

    /// Returns `true` if a license waits for a buyer's move to it. Until then the customer key stands for both.
    async fn waits_for_its_move(&self, license: &License) -> Result<bool, StoreError> {
        let Some(before) = license.predecessor.as_ref().filter(|before| before.is_legacy()) else { return Ok(false) };
        let old = self.store.license(before).await?.and_then(|old| old.moving);
        Ok(old.is_some_and(|moving| moving.arn.id() == &license.id && moving.is_planned()))
    }

    /// Ends a customer key whose buyer is to move and whose agreement has ended in AWS.
    async fn reconcile_planned_move(&self, license: &License) -> Result<(), ReconcileError> {
        let Some(moving) = license.moving.as_ref().filter(|moving| moving.is_planned()) else { return Ok(()) };
        let observed_at = self.store.clock().now();
        self.wait_turn().await;
        let described = self.marketplace.agreement(&moving.agreement).await?;
        if let Some(ending) = described.and_then(|described| described.ending(&moving.agreement, observed_at)) {
            crate::apply_agreement_observation(self.store, &ending).await?;
        }
        Ok(())
    }

    /// Reads the licenses of agreements in force for which SearchAgreements names none: those of listings that are
    /// keyed by customer, whose buyer has moved to a license key.
    async fn add_missing_licenses(&self, found: &mut [FoundAgreement]) -> Result<(), MarketplaceError> {
        let is_nameless = |agreement: &&mut FoundAgreement| {
            agreement.licenses.is_empty() && agreement.described.status == AgreementStatus::Active
        };
        for agreement in found.iter_mut().filter(is_nameless) {
            self.wait_turn().await;
            match self.marketplace.provisioned_licenses(&agreement.id).await {
                Ok(licenses) => agreement.licenses = licenses,
                Err(MarketplaceError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes the ARN of a license in the form that AWS accepts, if an agreement shows it.
    async fn store_arn(&self, license: &License, found: &[FoundAgreement]) -> Result<(), StoreError> {
        let named = found.iter().flat_map(|agreement| &agreement.licenses).find(|arn| *arn.id() == license.id);
        let Some(arn) = named.filter(|arn| arn.is_sendable()) else { return Ok(()) };
        let learned = |row: Option<License>| {
            let mut row = row?;
            row.complete_buyer(None, Some(arn));
            Some(row.into())
        };
        self.store.change_license(&license.id, learned).await.map(drop)
    }

    /// Checks a license of a listing that is keyed by customer. AWS shows only its entitlements.
    async fn reconcile_by_customer(
        &self,
        listing: &Listing,
        license: &License,
        outcome: &mut Outcome,
    ) -> Result<(), ReconcileError> {
        let observed_at = self.store.clock().now();
        // For a buyer who has moved, AWS shows the new license.
        if !listing.pricing.has_entitlements() || license.successor().is_some() {
            return Ok(());
        }
        let state = license.state_at(observed_at);
        if let State::Ended { .. } = state {
            self.wait_turn().await;
            if !self.marketplace.entitlements(license).await?.is_empty() {
                // Only an event shows whether it was bought again.
                outcome.find(FindingKind::ClosedButActive, Some(&license.id), None);
            }
            return Ok(());
        }
        let kept = self.refresh(license, false).await? == Refreshed::Kept;
        let row = self.store.license(&license.id).await?;
        let is_entitled = kept && row.is_some_and(|row| !row.entitlements.is_empty());
        if is_entitled && matches!(state, State::Pending | State::Failed) {
            let observed = ObservedInForce { agreement: None, starts_at: None, at: observed_at };
            crate::apply_license_update(self.store, &observation_update(license, observed)).await?;
        }
        Ok(())
    }

    /// Adopts a license that AWS names in an agreement in force: checks it if it is known, and creates it if it is not
    /// and AWS proves it.
    async fn adopt(
        &self,
        listing: &Listing,
        agreement: &FoundAgreement,
        arn: &LicenseArn,
        outcome: &mut Outcome,
    ) -> Result<(), ReconcileError> {
        if self.store.license(arn.id()).await?.is_some() {
            outcome.merge(Box::pin(self.reconcile(arn.id())).await?);
            return Ok(());
        }
        let at = self.store.clock().now();
        if self.has_customer_key(listing, agreement).await? {
            // Beside the customer key, the license would be metered in the other style: AWS would bill twice.
            outcome.find(FindingKind::NotMoved, Some(arn.id()), Some(&agreement.id));
            return Ok(());
        }
        let mut license = License::new(arn.id().clone(), listing.product_code.clone());
        license.complete_buyer(agreement.account.as_ref(), Some(arn));
        if !self.is_provisioned(listing, &license, agreement, outcome).await? {
            return Ok(());
        }
        let starts_at = agreement.described.starts_at;
        let observed = ObservedInForce { agreement: Some(agreement.id.clone()), starts_at, at };
        let license = crate::apply_license_update(self.store, &observation_update(&license, observed)).await?;
        if listing.pricing.has_entitlements() {
            self.refresh(&license, true).await?;
        }
        outcome.compare(None, &license, self.store);
        Ok(())
    }

    /// Returns `true` if a customer key still serves the agreement's buyer.
    async fn has_customer_key(&self, listing: &Listing, agreement: &FoundAgreement) -> Result<bool, ReconcileError> {
        let Some(account) = &agreement.account else { return Ok(false) };
        let now = self.store.clock().now();
        let theirs = self.store.licenses_of_account(account, None, 100).await?.licenses;
        let is_served = |license: &License| {
            license.id.is_legacy() && license.product == listing.product_code && !license.state_at(now).has_ended()
        };
        Ok(theirs.iter().any(is_served))
    }

    /// Returns `true` if AWS proves that a license is provisioned, so that its buyer may use the product and AWS
    /// accepts its usage.
    ///
    /// An active agreement is no proof: AWS provisions later, and not before the buyer's means of payment are verified.
    /// GetEntitlements shows only what is provisioned. A license that is paid by use has no such entitlements;
    /// GetAgreementEntitlements shows how far its provisioning is. If AWS refuses that to this account, the check
    /// reports a finding to the operator, and the license keeps waiting.
    async fn is_provisioned(
        &self,
        listing: &Listing,
        license: &License,
        agreement: &FoundAgreement,
        outcome: &mut Outcome,
    ) -> Result<bool, ReconcileError> {
        self.wait_turn().await;
        if listing.pricing.has_entitlements() {
            return Ok(!self.marketplace.entitlements(license).await?.is_empty());
        }
        match self.marketplace.provisioned_licenses(&agreement.id).await {
            Ok(licenses) => Ok(licenses.iter().any(|arn| *arn.id() == license.id)),
            Err(MarketplaceError::Refused { .. }) => {
                outcome.find(FindingKind::Unproven, Some(&license.id), Some(&agreement.id));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns every agreement of a license's buyer about its product.
    async fn agreements_of_buyer(
        &self,
        listing: &Listing,
        license: &License,
    ) -> Result<Vec<FoundAgreement>, ReconcileError> {
        let Some(account) = &license.account else { return Ok(Vec::new()) };
        let (mut found, mut page) = (Vec::new(), None);
        loop {
            self.wait_turn().await;
            let which = Agreements::OfBuyer(account);
            let answer = self.marketplace.search_agreements(&listing.product_id, which, page).await?;
            found.extend(answer.agreements);
            page = answer.next;
            if page.is_none() {
                return Ok(found);
            }
        }
    }

    /// Reads the entitlements of a license. An empty answer is requested twice, and not believed while AWS shows the
    /// agreement as active: one of AWS's two answers is wrong then, and the buyer keeps the last known entitlements.
    async fn refresh(&self, license: &License, is_active_in_aws: bool) -> Result<Refreshed, ReconcileError> {
        self.wait_turn().await;
        let refreshed = crate::refresh_entitlements(self.store, self.marketplace, license, false).await?;
        let now = self.store.clock().now();
        if refreshed == Refreshed::Kept || is_active_in_aws || !is_settled(license.active_since(), now) {
            return Ok(refreshed);
        }
        self.wait_turn().await;
        Ok(crate::refresh_entitlements(self.store, self.marketplace, license, true).await?)
    }
}

/// Builds an update that carries only the observation of a license.
fn observation_update(license: &License, observed: ObservedInForce) -> LicenseUpdate {
    LicenseUpdate {
        license: license.id.clone(),
        product: license.product.clone(),
        arn: license.arn.clone(),
        account: license.account.clone(),
        customer: license.customer.clone(),
        event: Some(LicenseEvent::ObservedInForce(observed)),
    }
}

//! The changes of an agreement: amendment, renewal, replacement, end.

use std::collections::BTreeMap;

use jiff::Timestamp;
use marketplace_ids::{AgreementId, CustomerIdentifier, DimensionKey, LicenseArn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::{Subject, Succession};
use super::purchase::{a_year_after, bought, grant};
use super::state::{Agreement, AgreementStatus, EndStatus, Ending, License, MarketplaceState};
use super::{Marketplace, after};
use crate::control_error::ControlError;
use crate::product::BuyerKey;

/// A change to an agreement; as JSON, for example `{"action": "amend", "dimensions": {"seats": 10}}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Change {
    /// Continues the same agreement on other terms.
    Amend {
        /// The new values of some dimensions; the others stay.
        #[serde(default)]
        dimensions: BTreeMap<DimensionKey, Value>,
    },
    /// Makes a new agreement for another year on the same terms.
    Renew {
        /// `true` if AWS issues a new license for it; if absent, `license_survives_renewal` decides.
        #[serde(default)]
        new_license: Option<bool>,
    },
    /// Makes a new agreement of another offer.
    Replace {
        /// The new values of some dimensions; the others stay.
        #[serde(default)]
        dimensions: BTreeMap<DimensionKey, Value>,
        /// `true` if AWS issues a new license for it; if absent, `license_survives_renewal` decides.
        #[serde(default)]
        new_license: Option<bool>,
    },
    /// Ends the agreement.
    End {
        /// The status with which it ends.
        #[serde(default)]
        status: EndStatus,
    },
    /// Sends the seller an advisory about a risk on the buyer's account.
    Advise {},
    /// Sends the seller the notice that the risk is resolved.
    Resolve {},
}

/// The agreement that is in force after a change, or that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The agreement: a new one after a renewal or a replacement.
    pub agreement_id: AgreementId,
    /// The ARN of its license; `None` for a legacy product.
    pub license_arn: Option<LicenseArn>,
    /// The buyer's CustomerIdentifier, for a legacy product.
    pub customer_identifier: Option<CustomerIdentifier>,
}

impl Marketplace {
    /// Changes an agreement, and announces the events that AWS sends to the seller.
    ///
    /// The grant of the license changes when its event is due, not before.
    ///
    /// # Errors
    ///
    /// Fails for an agreement that is unknown or no longer active, for values that [`purchase`](Self::purchase)
    /// refuses, and for the renewal of an agreement that is paid by use.
    pub fn change(&self, agreement: &AgreementId, change: Change) -> Result<Changed, ControlError> {
        let now = self.now();
        let mut state = self.state();
        let agreement = state.active(agreement)?.clone();
        let unknown = || ControlError::AgreementUnknown { agreement: agreement.id.clone() };
        let product = self.0.products.get(&agreement.product).ok_or_else(unknown)?;
        let license = state.license(&agreement.license).ok_or_else(unknown)?.clone();
        let subject = Subject { product, agreement: &agreement, license: &license, now };
        match change {
            Change::Amend { dimensions } => self.amend(&mut state, subject, &dimensions),
            Change::Renew { new_license } => {
                let end =
                    agreement.end.ok_or_else(|| ControlError::NothingToRenew { agreement: agreement.id.clone() })?;
                let successor = Agreement { end: Some(a_year_after(end.max(now))), ..self.successor(&agreement, now)? };
                self.succeed(&mut state, subject, successor, Succession::Renewal, new_license)
            }
            Change::Replace { dimensions, new_license } => {
                let mut successor = Agreement {
                    offer: self.0.ids.offer(),
                    end: agreement.end.map(|_| a_year_after(now)),
                    ..self.successor(&agreement, now)?
                };
                successor.dimensions.extend(bought(product, &dimensions)?);
                self.succeed(&mut state, subject, successor, Succession::Replacement, new_license)
            }
            Change::End { status } => Ok(self.end(&mut state, subject, status)),
            Change::Advise {} => {
                self.announce_advisory(&subject, "Issued", "issuedAt");
                Ok(changed(&agreement, &license))
            }
            Change::Resolve {} => {
                self.announce_advisory(&subject, "Resolved", "resolvedAt");
                Ok(changed(&agreement, &license))
            }
        }
    }

    /// Sets an expiration date for the entitlement of one dimension only, until the next change of the agreement: a
    /// license may hold an expired entitlement beside one that has not expired. AWS sends no event for it.
    ///
    /// # Errors
    ///
    /// Fails for an agreement that is unknown or no longer active, and for a dimension that it does not hold.
    pub fn set_expiration(
        &self,
        agreement: &AgreementId,
        dimension: &DimensionKey,
        at: Timestamp,
    ) -> Result<(), ControlError> {
        let mut state = self.state();
        let license = state.active(agreement)?.license.clone();
        let grant = state
            .license_mut(&license)
            .and_then(|license| license.grants.last_mut())
            .ok_or_else(|| ControlError::AgreementUnknown { agreement: agreement.clone() })?;
        if !grant.dimensions.contains_key(dimension) {
            let known: Vec<&str> = grant.dimensions.keys().map(DimensionKey::as_str).collect();
            return Err(ControlError::DimensionUnknown { dimension: dimension.clone(), known: known.join(", ") });
        }
        grant.expires_apart.insert(dimension.clone(), at);
        Ok(())
    }

    fn amend(
        &self,
        state: &mut MarketplaceState,
        subject: Subject<'_>,
        dimensions: &BTreeMap<DimensionKey, Value>,
    ) -> Result<Changed, ControlError> {
        let mut amended =
            Agreement { updated: subject.now, provisioned: self.provisioned(subject.now), ..subject.agreement.clone() };
        amended.dimensions.extend(bought(subject.product, dimensions)?);
        self.announce_amendment(subject.product, &amended, subject.license, subject.now);
        if let Some(license) = state.license_mut(&amended.license) {
            license.grants.push(grant(&amended));
        }
        let changed = changed(&amended, subject.license);
        if let Some(agreement) = state.agreement_mut(&subject.agreement.id) {
            *agreement = amended;
        }
        Ok(changed)
    }

    /// Returns the next agreement of the chain, on the same terms so far.
    fn successor(&self, agreement: &Agreement, now: Timestamp) -> Result<Agreement, ControlError> {
        Ok(Agreement {
            id: self.0.ids.agreement()?,
            previous: Some(agreement.id.clone()),
            start: now,
            updated: now,
            free_trial_end: None,
            provisioned: self.provisioned(now),
            ..agreement.clone()
        })
    }

    fn succeed(
        &self,
        state: &mut MarketplaceState,
        subject: Subject<'_>,
        mut successor: Agreement,
        succession: Succession,
        new_license: Option<bool>,
    ) -> Result<Changed, ControlError> {
        // A seller identifies a legacy buyer by the CustomerIdentifier: a new license would change nothing that the
        // seller can see.
        let new_license = match subject.product.buyer_key {
            BuyerKey::License => new_license.unwrap_or(!self.behavior().license_survives_renewal),
            BuyerKey::Customer => false,
        };
        let license = if new_license {
            let arn: LicenseArn =
                format!("arn:aws:license-manager::{}:license:{}", self.0.seller, self.0.ids.license()).parse()?;
            License { arn, purchased: subject.now, grants: Vec::new(), revoked: None, ..subject.license.clone() }
        } else {
            subject.license.clone()
        };
        successor.license = license.arn.id().clone();
        // The older agreement ends when the newer one is ready, so that the buyer always has one.
        let over = successor.provisioned;
        let revoked = new_license.then(|| after(over, self.0.delays.revoke));
        self.announce_succession(&subject, &successor, &license, succession, revoked);

        if new_license {
            state.licenses.push(license.clone());
        }
        if let Some(old) = state.license_mut(&subject.agreement.license)
            && revoked.is_some()
        {
            old.revoked = revoked;
        }
        if let Some(current) = state.license_mut(&successor.license) {
            current.grants.push(grant(&successor));
        }
        if let Some(old) = state.agreement_mut(&subject.agreement.id) {
            old.ending = Some(Ending { at: over, status: succession.ended_as() });
        }
        let changed = changed(&successor, &license);
        state.agreements.push(successor);
        Ok(changed)
    }

    fn end(&self, state: &mut MarketplaceState, subject: Subject<'_>, status: EndStatus) -> Changed {
        let status = AgreementStatus::from(status);
        // AWS never revokes a license before it is provisioned, so a license that is not ready yet is provisioned
        // first.
        let revoked = after(subject.now.max(subject.agreement.provisioned), self.0.delays.revoke);
        self.announce_end(&subject, status, revoked);
        if let Some(license) = state.license_mut(&subject.agreement.license) {
            license.revoked = Some(revoked);
        }
        if let Some(agreement) = state.agreement_mut(&subject.agreement.id) {
            agreement.ending = Some(Ending { at: subject.now, status });
        }
        changed(subject.agreement, subject.license)
    }
}

fn changed(agreement: &Agreement, license: &License) -> Changed {
    Changed {
        agreement_id: agreement.id.clone(),
        license_arn: license.customer.is_none().then(|| license.arn.clone()),
        customer_identifier: license.customer.clone(),
    }
}

//! What becomes of an agreement: it is amended, renewed, replaced, ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stallkeeper::ids::{AgreementId, CustomerIdentifier, DimensionKey, LicenseArn};
use stallkeeper::listing::{Listing, Mode};

use super::books::{Agreement, AgreementStatus, Books, EndStatus, Ending, License};
use super::news::Succession;
use super::purchase::{a_year_after, bought, grant};
use super::{Marketplace, after};
use crate::aws::refused::Refused;

/// A change to an agreement; as JSON, for example `{"action": "amend", "dimensions": {"seats": 10}}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Change {
    /// The same agreement on other terms.
    Amend {
        /// The new values of some dimensions; the others stay.
        #[serde(default)]
        dimensions: BTreeMap<DimensionKey, Value>,
    },
    /// A new agreement for another year on the same terms.
    Renew {
        /// Whether AWS issues a new license for it; if not said, the reading decides.
        #[serde(default)]
        new_license: Option<bool>,
    },
    /// A new agreement of another offer.
    Replace {
        /// The new values of some dimensions; the others stay.
        #[serde(default)]
        dimensions: BTreeMap<DimensionKey, Value>,
        /// Whether AWS issues a new license for it; if not said, the reading decides.
        #[serde(default)]
        new_license: Option<bool>,
    },
    /// The end.
    End {
        /// How it ends.
        #[serde(default)]
        status: EndStatus,
    },
    /// AWS advises the seller of a risk on the buyer's account.
    Advise {},
    /// AWS says that the risk is over.
    Resolve {},
}

/// The agreement that is in force after a change, or the one that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The agreement: a new one after a renewal or a replacement.
    pub agreement_id: AgreementId,
    /// Its license; none for a product of the older kind.
    pub license_arn: Option<LicenseArn>,
    /// The buyer's key, for a product of the older kind.
    pub customer_identifier: Option<CustomerIdentifier>,
}

impl Marketplace {
    /// Changes an agreement, and announces what AWS tells the seller of it.
    ///
    /// What the license grants changes when its news is due, not before.
    ///
    /// # Errors
    ///
    /// Refuses an agreement that is unknown or no longer active, values as [`purchase`](Self::purchase) does, and the
    /// renewal of one that is paid by use.
    pub fn change(&self, agreement: &AgreementId, change: Change) -> Result<Changed, Refused> {
        let now = self.now();
        let mut books = self.books();
        let agreement = books.active(agreement)?.clone();
        let unknown = || Refused::AgreementUnknown { agreement: agreement.id.clone() };
        let listing = self.0.listings.get(&agreement.product).ok_or_else(unknown)?;
        let license = books.license(&agreement.license).ok_or_else(unknown)?.clone();
        let subject = Subject { listing, agreement: &agreement, license: &license, now };
        match change {
            Change::Amend { dimensions } => self.amend(&mut books, subject, &dimensions),
            Change::Renew { new_license } => {
                let end = agreement.end.ok_or_else(|| Refused::NothingToRenew { agreement: agreement.id.clone() })?;
                let successor = Agreement { end: Some(a_year_after(end.max(now))), ..self.successor(&agreement, now)? };
                self.succeed(&mut books, subject, successor, Succession::Renewal, new_license)
            }
            Change::Replace { dimensions, new_license } => {
                let mut successor = Agreement {
                    offer: self.0.names.offer(),
                    end: agreement.end.map(|_| a_year_after(now)),
                    ..self.successor(&agreement, now)?
                };
                successor.dimensions.extend(bought(listing, &dimensions)?);
                self.succeed(&mut books, subject, successor, Succession::Replacement, new_license)
            }
            Change::End { status } => Ok(self.end(&mut books, subject, status)),
            Change::Advise {} => Ok(self.announce_advisory(&subject, "Issued", "issuedAt")),
            Change::Resolve {} => Ok(self.announce_advisory(&subject, "Resolved", "resolvedAt")),
        }
    }

    /// Gives the entitlement of one dimension an expiration date of its own, until the next change of the agreement:
    /// a license may hold an entitlement that has expired beside one that has not. AWS tells no news of it.
    ///
    /// # Errors
    ///
    /// Refuses an agreement that is unknown or no longer active, and a dimension that it does not hold.
    pub fn set_expiration(
        &self,
        agreement: &AgreementId,
        dimension: &DimensionKey,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let mut books = self.books();
        let license = books.active(agreement)?.license.clone();
        let grant = books
            .license_mut(&license)
            .and_then(|license| license.grants.last_mut())
            .ok_or_else(|| Refused::AgreementUnknown { agreement: agreement.clone() })?;
        if !grant.dimensions.contains_key(dimension) {
            let known: Vec<&str> = grant.dimensions.keys().map(DimensionKey::as_str).collect();
            return Err(Refused::DimensionUnknown { dimension: dimension.clone(), known: known.join(", ") });
        }
        grant.expires_apart.insert(dimension.clone(), at);
        Ok(())
    }

    fn amend(
        &self,
        books: &mut Books,
        subject: Subject<'_>,
        dimensions: &BTreeMap<DimensionKey, Value>,
    ) -> Result<Changed, Refused> {
        let mut amended =
            Agreement { updated: subject.now, provisioned: self.provisioned(subject.now), ..subject.agreement.clone() };
        amended.dimensions.extend(bought(subject.listing, dimensions)?);
        self.announce_amendment(subject.listing, &amended, subject.license, subject.now);
        if let Some(license) = books.license_mut(&amended.license) {
            license.grants.push(grant(&amended));
        }
        let changed = changed(&amended, subject.license);
        if let Some(agreement) = books.agreement_mut(&subject.agreement.id) {
            *agreement = amended;
        }
        Ok(changed)
    }

    /// The next agreement of the chain, on the same terms so far.
    fn successor(&self, agreement: &Agreement, now: Timestamp) -> Result<Agreement, Refused> {
        Ok(Agreement {
            id: self.0.names.agreement()?,
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
        books: &mut Books,
        subject: Subject<'_>,
        mut successor: Agreement,
        succession: Succession,
        new_license: Option<bool>,
    ) -> Result<Changed, Refused> {
        // A legacy buyer is its CustomerIdentifier: the license behind it changes nothing that a seller sees.
        let new_license = match subject.listing.mode {
            Mode::License => new_license.unwrap_or(!self.readings().license_survives_renewal),
            Mode::Customer => false,
        };
        let license = if new_license {
            let arn: LicenseArn =
                format!("arn:aws:license-manager::{}:license:{}", self.0.seller, self.0.names.license()).parse()?;
            License { arn, purchased: subject.now, grants: Vec::new(), revoked: None, ..subject.license.clone() }
        } else {
            subject.license.clone()
        };
        successor.license = license.arn.id().clone();
        // The older one ends when the newer one is ready, so that the buyer is never without.
        let over = successor.provisioned;
        let revoked = new_license.then(|| after(over, self.0.delays.revoke));
        self.announce_succession(&subject, &successor, &license, succession, revoked);

        if new_license {
            books.licenses.push(license.clone());
        }
        if let Some(old) = books.license_mut(&subject.agreement.license)
            && revoked.is_some()
        {
            old.revoked = revoked;
        }
        if let Some(current) = books.license_mut(&successor.license) {
            current.grants.push(grant(&successor));
        }
        if let Some(old) = books.agreement_mut(&subject.agreement.id) {
            old.ending = Some(Ending { at: over, status: succession.ended_as() });
        }
        let changed = changed(&successor, &license);
        books.agreements.push(successor);
        Ok(changed)
    }

    fn end(&self, books: &mut Books, subject: Subject<'_>, status: EndStatus) -> Changed {
        let status = AgreementStatus::from(status);
        // A license that is not ready yet is first made ready: AWS never revokes what it has not provisioned.
        let revoked = after(subject.now.max(subject.agreement.provisioned), self.0.delays.revoke);
        self.announce_end(&subject, status, revoked);
        if let Some(license) = books.license_mut(&subject.agreement.license) {
            license.revoked = Some(revoked);
        }
        if let Some(agreement) = books.agreement_mut(&subject.agreement.id) {
            agreement.ending = Some(Ending { at: subject.now, status });
        }
        changed(subject.agreement, subject.license)
    }
}

/// What a change is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub listing: &'a Listing,
    pub agreement: &'a Agreement,
    pub license: &'a License,
    pub now: Timestamp,
}

pub(super) fn changed(agreement: &Agreement, license: &License) -> Changed {
    Changed {
        agreement_id: agreement.id.clone(),
        license_arn: license.customer.is_none().then(|| license.arn.clone()),
        customer_identifier: license.customer.clone(),
    }
}

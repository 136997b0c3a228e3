//! A license as the API shows it.

use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::entitlement::Entitlement;
use stallkeeper::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use stallkeeper::license::{EndReason, License, State, StateName};

/// A license, with its state at the moment of the answer.
#[derive(Debug, Serialize)]
pub(crate) struct LicenseView<'a> {
    id: &'a LicenseId,
    product: &'a ProductCode,
    arn: Option<&'a LicenseArn>,
    account: Option<&'a AccountId>,
    customer_identifier: Option<&'a CustomerIdentifier>,
    agreement: Option<&'a AgreementId>,
    state: StateName,
    /// While it is ending: the moment after which usage is no longer the license's.
    usage_until: Option<Timestamp>,
    /// Once it has ended.
    end_reason: Option<EndReason>,
    /// Whether the tenant may use the product.
    grants_access: bool,
    tenant: Option<&'a TenantId>,
    registered_at: Option<Timestamp>,
    /// Whether it began as a free trial; unknown for products of the newer kind.
    free_trial: Option<bool>,
    /// A risk on the buyer's account that AWS advises of; none if it does not.
    advisory: Option<AdvisoryView>,
    entitlements: &'a [Entitlement],
    entitlements_read_at: Option<Timestamp>,
    predecessor: Option<&'a LicenseId>,
    successor: Option<&'a LicenseId>,
    /// The number of the newest event told of it.
    sequence: u64,
}

/// A risk on the buyer's account.
#[derive(Debug, Serialize)]
struct AdvisoryView {
    since: Timestamp,
}

impl<'a> LicenseView<'a> {
    /// The license at a moment.
    pub(crate) fn at(license: &'a License, now: Timestamp) -> Self {
        let state = license.state_at(now);
        let (usage_until, end_reason) = match &state {
            State::Ending { usage_until } => (Some(*usage_until), None),
            State::Ended { reason } => (None, Some(*reason)),
            State::Pending | State::Failed | State::Active => (None, None),
        };
        Self {
            id: &license.id,
            product: &license.product,
            arn: license.arn.as_ref(),
            account: license.account.as_ref(),
            customer_identifier: license.customer.as_ref(),
            agreement: license.agreement().or(license.registered_agreement.as_ref()),
            state: state.name(),
            usage_until,
            end_reason,
            grants_access: license.grants_access_at(now),
            tenant: license.tenant.as_ref(),
            registered_at: license.registered_at,
            free_trial: license.customer.is_some().then_some(license.free_trial),
            advisory: license.advisory_since().map(|since| AdvisoryView { since }),
            entitlements: &license.entitlements,
            entitlements_read_at: license.entitlements_read_at,
            predecessor: license.predecessor.as_ref(),
            successor: license.successor(),
            sequence: license.sequence,
        }
    }
}

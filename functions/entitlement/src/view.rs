//! A license as the API shows it.

use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::entitlement::Entitlement;
use stallkeeper::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use stallkeeper::license::{EndReason, License, State, StateName};

/// A license, with its state at the moment of the answer.
#[derive(Debug, Serialize)]
pub(crate) struct LicenseView {
    id: LicenseId,
    product: ProductCode,
    arn: Option<LicenseArn>,
    account: Option<AccountId>,
    customer_identifier: Option<CustomerIdentifier>,
    agreement: Option<AgreementId>,
    state: StateName,
    /// The moment after which usage is no longer the license's, while it is ending.
    usage_until: Option<Timestamp>,
    /// The reason of an ended license.
    end_reason: Option<EndReason>,
    /// The tenant may use the product.
    grants_access: bool,
    tenant: Option<TenantId>,
    registered_at: Option<Timestamp>,
    /// The license started as a free trial; unknown for products that use license keys.
    free_trial: Option<bool>,
    /// The risk on the buyer's account that AWS reports; none if it reports none.
    advisory: Option<AdvisoryView>,
    entitlements: Vec<Entitlement>,
    entitlements_read_at: Option<Timestamp>,
    predecessor: Option<LicenseId>,
    successor: Option<LicenseId>,
    /// The number of the license's newest published event.
    sequence: u64,
}

/// A risk on the buyer's account.
#[derive(Debug, Serialize)]
struct AdvisoryView {
    since: Timestamp,
}

impl LicenseView {
    /// Returns the view of a license at a moment.
    pub(crate) fn at(license: License, now: Timestamp) -> Self {
        let state = license.state_at(now);
        let (usage_until, end_reason) = match &state {
            State::Ending { usage_until } => (Some(*usage_until), None),
            State::Ended { reason } => (None, Some(*reason)),
            State::Pending | State::Failed | State::Active => (None, None),
        };
        Self {
            agreement: license.agreement().or(license.registered_agreement.as_ref()).cloned(),
            state: state.name(),
            usage_until,
            end_reason,
            grants_access: license.grants_access_at(now),
            free_trial: license.customer.is_some().then_some(license.free_trial),
            advisory: license.advisory_since().map(|since| AdvisoryView { since }),
            successor: license.successor().cloned(),
            id: license.id,
            product: license.product,
            arn: license.arn,
            account: license.account,
            customer_identifier: license.customer,
            tenant: license.tenant,
            registered_at: license.registered_at,
            entitlements: license.entitlements,
            entitlements_read_at: license.entitlements_read_at,
            predecessor: license.predecessor,
            sequence: license.sequence,
        }
    }
}

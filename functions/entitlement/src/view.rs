//! A license as the API shows it.

use domain::entitlement::Entitlement;
use domain::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use domain::license::{EndReason, License, State, StateName};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A license, with its state at the moment of the answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = License, example = json!({
    "id": "l-0123456789abcdef0123456789abcdef",
    "product": "4democontract0000000000ab",
    "arn": "arn:aws:license-manager::294406891311:license:l-0123456789abcdef0123456789abcdef",
    "account": "111122223333",
    "customer_identifier": null,
    "agreement": "agmt-0123456789abcdefghijklmno",
    "state": "active",
    "usage_until": null,
    "end_reason": null,
    "grants_access": true,
    "tenant": "acme",
    "registered_at": "2026-11-10T09:20:30Z",
    "free_trial": null,
    "advisory": null,
    "entitlements": [{ "dimension": "seats", "value": { "integer": 5 }, "expires_at": "2027-11-10T09:20:00Z" }],
    "entitlements_read_at": "2026-11-10T09:21:01Z",
    "predecessor": null,
    "successor": null,
    "sequence": 3,
}))]
pub(crate) struct LicenseView {
    id: LicenseId,
    product: ProductCode,
    arn: Option<LicenseArn>,
    account: Option<AccountId>,
    customer_identifier: Option<CustomerIdentifier>,
    agreement: Option<AgreementId>,
    state: StateName,
    /// The moment after which usage is no longer the license's; null unless the license is ending.
    usage_until: Option<Timestamp>,
    /// The reason of the end; null unless the license has ended.
    end_reason: Option<EndReason>,
    /// The tenant may use the product.
    grants_access: bool,
    /// The tenant that the license is linked to.
    tenant: Option<TenantId>,
    /// The time of the buyer's registration.
    registered_at: Option<Timestamp>,
    /// The license started as a free trial; null where AWS does not report it.
    free_trial: Option<bool>,
    /// The risk on the buyer's account that AWS reports, such as its closure or its misuse. It changes nothing in the
    /// license: what to do about access is your decision.
    advisory: Option<AdvisoryView>,
    entitlements: Vec<Entitlement>,
    /// The time at which the entitlements were read from AWS.
    entitlements_read_at: Option<Timestamp>,
    /// The license that this one replaced.
    predecessor: Option<LicenseId>,
    /// The license that replaced this one.
    successor: Option<LicenseId>,
    /// The number of the license's newest published event.
    sequence: u64,
}

/// A risk on the buyer's account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Advisory)]
struct AdvisoryView {
    /// The time since which AWS reports it.
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

//! The contract of this part of the API. Nothing of it runs in the function.

use lambda::problem_responses;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::{contacts, events, handoffs, imports, licenses, probes, reconcile, tenants};

problem_responses! {
    /// The failures that only operations of this function have.
    pub(crate) Problems {
        /// The idempotency key, a parameter of the query, or the body is invalid.
        RedemptionInvalid = 400 ["idempotency_key_invalid", "parameter_invalid", "body_unreadable", "body_invalid"];
        /// The code is used, replaced by a newer one, older than 15 minutes, or was never made.
        HandoffGone = 410 ["handoff_gone"];
        /// The license belongs to another tenant. The answer does not name that tenant.
        LicenseLinkedElsewhere = 409 ["license_linked_elsewhere"];
        /// The license does not belong to the tenant `from`, and stays where it is.
        NotOfTenant = 409 ["license_not_of_tenant"];
        /// The license is unknown, or no contact of its buyer is stored.
        ContactUnknown = 404 ["license_unknown", "contact_unknown"];
    }
}

#[derive(OpenApi)]
#[openapi(
    paths(
        handoffs::redeem,
        licenses::list,
        licenses::show,
        reconcile::reconcile,
        licenses::link,
        licenses::unlink,
        licenses::move_to_tenant,
        contacts::show,
        contacts::erase,
        events::list,
        events::replay_license,
        events::replay_period,
        tenants::show,
        tenants::decide,
        imports::import,
        probes::create,
    ),
    modifiers(&Problems),
)]
struct Contract;

/// Returns the contract of the function's operations.
pub fn contract() -> Document {
    Contract::openapi()
}

//! The problems that only operations of this function answer with, as the API's contract declares them.

use lambda::problem_responses;

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

//! The contract of this part of the API. Nothing of it runs in the function.

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::problem_responses::Problems;
use crate::{contacts, events, handoffs, imports, licenses, probes, reconcile, tenants};

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

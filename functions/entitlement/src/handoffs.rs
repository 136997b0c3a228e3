//! Handoffs: the application redeems the code with which the registration page sends a buyer to it.

use crate::contacts::ContactView;
use crate::context::Context;
use crate::problem_responses::{HandoffGone, RedemptionInvalid};
use axum::Json;
use axum::extract::State;
use domain::ids::{AccountId, CustomerIdentifier, LicenseId, ProductCode};
use domain::license::{License, StateName};
use domain::registration::{EntryPoint, Handoff, Redeemed, Secret, redeemer};
use http::StatusCode;
use jiff::Timestamp;
use lambda::http::contract::{BodyTooLarge, Failed, Forbidden, TooMany, Unavailable};
use lambda::http::extract::{Caller, IdempotencyKey, NoParameters, Query};
use lambda::http::{ApiError, Problem, extract};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{Store, StoreError};
use utoipa::ToSchema;

// It is a secret, so it has no `Debug`.
/// The code to redeem.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redemption {
    /// The `code` of the URL with which the buyer arrived.
    code: String,
}

/// A buyer whom the application is about to sign up or sign in.
#[derive(Serialize, ToSchema)]
#[schema(as = Handoff, example = json!({
    "license": "l-0123456789abcdef0123456789abcdef",
    "product": "4democontract0000000000ab",
    "account": "111122223333",
    "customer_identifier": null,
    "state": "active",
    "grants_access": true,
    "entry_point": "sign_up",
    "linked": false,
    "probe": false,
    "contact": {
        "email": "kim@example.com",
        "name": "Kim",
        "company": null,
        "answers": {},
        "language": "en",
        "saved_at": "2026-11-10T09:20:30Z",
    },
    "expires_at": "2026-11-10T09:35:30Z",
}))]
pub(crate) struct HandoffView {
    license: LicenseId,
    product: ProductCode,
    /// The buyer's AWS account. The application shows it masked, and the user confirms it before the license is linked.
    account: Option<AccountId>,
    customer_identifier: Option<CustomerIdentifier>,
    state: StateName,
    /// The tenant may use the product.
    grants_access: bool,
    /// The page that the user chose.
    entry_point: EntryPoint,
    /// The license belongs to a tenant already. Then only a user of that tenant may continue.
    linked: bool,
    /// The license is a probe: there is no buyer, and an operator tests the application. It can be linked only to a
    /// tenant whose id starts with `probe-`.
    probe: bool,
    /// The contact that the buyer entered in this visit, to fill in the sign-up form with; null if nothing is stored of
    /// it, and if the license is linked.
    contact: Option<ContactView>,
    /// The end of the time in which the same caller with the same key gets this answer again, if the license is not
    /// linked.
    expires_at: Timestamp,
}

/// Redeems the code with which a buyer arrives.
///
/// A code is valid for 15 minutes, for one caller and one `Idempotency-Key`. Until the license is linked, the same
/// caller with the same key gets the same answer again. Every other request is answered 410. Show the account masked,
/// and have the user confirm it. If `linked` is true, let only a user of the license's tenant continue.
#[utoipa::path(
    post,
    path = "/v1/handoffs",
    operation_id = "redeemHandoff",
    tag = "buyers",
    params(IdempotencyKey),
    request_body(content = Redemption, example = json!({ "code": "c2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxlLXNhbXA" })),
    responses(
        (status = 200, description = "The license and the buyer that the code stands for.", body = HandoffView),
        RedemptionInvalid, HandoffGone, Forbidden, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn redeem(
    State(context): State<Arc<Context>>,
    Query(NoParameters {}): Query<NoParameters>,
    IdempotencyKey(key): IdempotencyKey,
    caller: Caller,
    extract::Json(Redemption { code }): extract::Json<Redemption>,
) -> Result<Json<HandoffView>, ApiError> {
    let store = &context.store;
    let by = redeemer(caller.arn().unwrap_or("unknown"), &key);
    let code = Secret::presented(&code).ok_or_else(gone)?;
    let (handoff, license) = redeemed(store, &code, by).await?.ok_or_else(gone)?;
    let linked = license.tenant.is_some();
    // The contact of another visit may be another person's.
    let contact = if linked { None } else { store.contact(&license.id).await? };
    let contact = contact.filter(|contact| contact.session.as_ref() == Some(&handoff.session));
    let now = store.clock().now();
    tracing::info!(license = %license.id, entry_point = ?handoff.entry_point, linked, counter = "handoff_redeemed", "Redeemed a handoff");
    Ok(Json(HandoffView {
        state: license.state_at(now).name(),
        grants_access: license.grants_access_at(now),
        entry_point: handoff.entry_point,
        linked,
        probe: license.id.is_probe(),
        contact: contact.map(ContactView::from),
        expires_at: Timestamp::from_second(handoff.expires_at).unwrap_or(now),
        license: license.id,
        product: license.product,
        account: license.account,
        customer_identifier: license.customer,
    }))
}

/// Redeems a code. Returns its handoff and its license; none if this redeemer cannot have it.
async fn redeemed(store: &Store, code: &Secret, by: String) -> Result<Option<(Handoff, License)>, StoreError> {
    loop {
        let Some(handoff) = store.handoff(code).await? else { return Ok(None) };
        let Some(license) = store.license(&handoff.license).await? else { return Ok(None) };
        let was_linked = license.tenant.is_some();
        if !handoff.is_open_to(&by, was_linked) {
            return Ok(None);
        }
        // If another redeemer was faster, the handoff names it: read it again.
        if handoff.redeemed.is_some() || store.redeem(code, &Redeemed { by: by.clone(), was_linked }).await? {
            return Ok(Some((handoff, license)));
        }
    }
}

fn gone() -> Problem {
    Problem::new(StatusCode::GONE, "handoff_gone", "The code can no longer be redeemed.")
        .detail("the code was redeemed, was replaced by a newer one, is older than 15 minutes, or never existed")
        .action(
            "Have the buyer continue from the registration page again, or choose “Set up your account” on AWS Marketplace: \
             the page creates a new code.",
        )
}

//! Handoffs: the application redeems the code that a buyer brings from the registration page.

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::ids::{AccountId, CustomerIdentifier, LicenseId, ProductCode};
use stallkeeper::license::{License, StateName};
use stallkeeper::registration::{Door, Handoff, Redeemed, Secret, redeemer};
use stallkeeper::store::{Store, StoreError};

use crate::contacts::ContactView;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redemption {
    code: String,
}

/// What the application learns of a buyer whom it is about to sign up or in.
#[derive(Serialize)]
struct HandoffView<'a> {
    license: &'a LicenseId,
    product: &'a ProductCode,
    /// The buyer's AWS account: shown masked and confirmed by the user before the license is linked.
    account: Option<&'a AccountId>,
    customer_identifier: Option<&'a CustomerIdentifier>,
    state: StateName,
    grants_access: bool,
    /// Whether the user wants a new account (`sign_up`) or has one (`sign_in`).
    door: Door,
    /// Whether the license belongs to a tenant already. Then only a user of that tenant may go on.
    linked: bool,
    /// Whether it is a probe: no buyer, but somebody who looks at the application.
    probe: bool,
    /// What the buyer left in this visit, to fill in the sign-up form with; never that of a license that is linked.
    contact: Option<ContactView>,
    /// Until when the same answer is given again to the same caller with the same key, if the license is not linked.
    expires_at: Timestamp,
}

/// `POST /v1/handoffs` with `{"code": "…"}` and a key in the header `Idempotency-Key`: what the code stands for.
///
/// A code is good for 15 minutes, for one caller and one key: an answer that was lost is given again to the same caller
/// with the same key until the license is linked. Whoever else brings it is answered 410, as one that is too old,
/// replaced by a newer one of the same visit, or was never made.
pub(crate) async fn redeem(store: &Store, request: &Request) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let key = request.idempotency_key()?;
    let Redemption { code } = request.json()?;
    let by = redeemer(request.caller.as_deref().unwrap_or("unknown"), key);
    let code = Secret::presented(&code).ok_or_else(gone)?;
    let (handoff, license) = redeemed(store, &code, by).await?.ok_or_else(gone)?;
    let linked = license.tenant.is_some();
    // What another visit has left may be another person's.
    let contact = if linked { None } else { store.contact(&license.id).await? };
    let contact = contact.filter(|contact| contact.session.as_ref() == Some(&handoff.session));
    let now = store.clock().now();
    tracing::info!(license = %license.id, door = ?handoff.door, linked, counter = "handoff_redeemed", "a handoff is redeemed");
    let view = HandoffView {
        license: &license.id,
        product: &license.product,
        account: license.account.as_ref(),
        customer_identifier: license.customer.as_ref(),
        state: license.state_at(now).name(),
        grants_access: license.grants_access_at(now),
        door: handoff.door,
        linked,
        probe: license.id.is_probe(),
        contact: contact.map(ContactView::from),
        expires_at: Timestamp::from_second(handoff.expires_at).unwrap_or(now),
    };
    Ok(Response::json(StatusCode::OK, &view))
}

/// The handoff of a code with its license, once it is this redeemer's; none if it is not to be had.
async fn redeemed(store: &Store, code: &Secret, by: String) -> Result<Option<(Handoff, License)>, StoreError> {
    loop {
        let Some(handoff) = store.handoff(code).await? else { return Ok(None) };
        let Some(license) = store.license(&handoff.license).await? else { return Ok(None) };
        let was_linked = license.tenant.is_some();
        if !handoff.is_open_to(&by, was_linked) {
            return Ok(None);
        }
        // Where another comes between, the handoff tells who it was.
        if handoff.redeemed.is_some() || store.redeem(code, &Redeemed { by: by.clone(), was_linked }).await? {
            return Ok(Some((handoff, license)));
        }
    }
}

fn gone() -> Problem {
    Problem::new(StatusCode::GONE, "handoff_gone", "The code can no longer be redeemed.")
        .detail("it is used, replaced by a newer one, older than 15 minutes, or was never made")
        .action(
            "Have the buyer go on from the registration page again, or choose “Set up your account” at AWS Marketplace: \
             that makes a new code.",
        )
}

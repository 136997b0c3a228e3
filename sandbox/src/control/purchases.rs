//! Buyers: they subscribe, register, and change or end their agreements.

use std::collections::BTreeMap;

use axum::Json;
use domain::ids::{AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode};
use http::{StatusCode, header};
use lambda::http::Problem;
use local_aws::{Change, Changed, Purchase, Purchased};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{AgreementPath, Context, JsonBody};
use super::failure::{Answer, Failure};
use super::lookup::described;
use crate::listings::find;
use crate::state::SandboxState;

/// A buyer's order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// A product code, a product id, the name of a listing or of its file.
    pub(crate) product: String,
    #[serde(default)]
    pub(crate) account: Option<AccountId>,
    #[serde(default)]
    pub(crate) dimensions: BTreeMap<DimensionKey, Value>,
    #[serde(default)]
    pub(crate) free_trial: bool,
    /// `true` if the buyer clicks "Set up your account" immediately.
    #[serde(default = "yes")]
    pub(crate) register: bool,
}

fn yes() -> bool {
    true
}

/// The result of an order.
#[derive(Debug, Serialize)]
pub(crate) struct PurchaseResult {
    #[serde(flatten)]
    pub(crate) purchased: Purchased,
    /// The license's key in Stallkeeper.
    pub(crate) license: LicenseId,
    /// The URL to which the token is posted; `None` if the product's stage has no stack here.
    pub(crate) registration_url: Option<String>,
    /// The result of the registration; `None` if the order does not register.
    pub(crate) registration: Option<Registered>,
}

/// The answer of the registration URL to the buyer's browser.
#[derive(Debug, Serialize)]
pub(crate) struct Registered {
    pub(crate) status: u16,
    /// The address to which it redirects the browser.
    pub(crate) location: Option<String>,
}

/// Places an order, without registering.
///
/// # Errors
///
/// Fails for a product that is not described, and where [`Marketplace::purchase`](local_aws::Marketplace::purchase)
/// does.
pub(crate) fn buy(state: &SandboxState, order: Order) -> Result<PurchaseResult, Failure> {
    let described = described(state, &order.product)?;
    let url = state.stack(described.listing.stage).map(|stack| format!("{}/register", stack.url));
    if order.register && url.is_none() {
        let stage = described.listing.stage.as_str();
        let problem = Problem::new(
            StatusCode::BAD_REQUEST,
            "stage_not_running",
            "The registration page of this stage is not running.",
        )
        .detail(format!("the listing `{}` is of the stage {stage}, which has no stack here", described.file))
        .action("Start the sandbox with that stage, or send \"register\": false to only buy.");
        return Err(problem.into());
    }
    let purchased = state.aws.marketplace().purchase(Purchase {
        product: described.listing.product_code.clone(),
        account: order.account,
        dimensions: order.dimensions,
        free_trial: order.free_trial,
    })?;
    let license = license(&purchased.product_code, &purchased.license_arn, &purchased.customer_identifier)?;
    Ok(PurchaseResult { purchased, license, registration_url: url, registration: None })
}

fn license(
    product: &ProductCode,
    arn: &Option<LicenseArn>,
    customer: &Option<CustomerIdentifier>,
) -> Result<LicenseId, Failure> {
    match (arn, customer) {
        (_, Some(customer)) => Ok(LicenseId::legacy(product, customer)),
        (Some(arn), None) => Ok(arn.id().clone()),
        (None, None) => {
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "A purchase has no key.").into())
        }
    }
}

pub(super) async fn purchase(Context(state, _): Context, JsonBody(order): JsonBody<Order>) -> Answer<PurchaseResult> {
    let (register, free_trial) = (order.register, order.free_trial);
    let mut bought = buy(&state, order)?;
    state.timeline.settle().await;
    if let (true, Some(url)) = (register, &bought.registration_url) {
        bought.registration = Some(post_form(&state, url, &bought.purchased.token, free_trial).await?);
    }
    state.timeline.settle().await;
    Ok(Json(bought))
}

/// Posts the form that AWS Marketplace makes the browser post.
async fn post_form(state: &SandboxState, url: &str, token: &str, free_trial: bool) -> Result<Registered, Failure> {
    let mut form = vec![("x-amzn-marketplace-token", token)];
    if free_trial {
        form.push(("x-amzn-marketplace-offer-type", "free-trial"));
    }
    let answer = state.browser.post(url).form(&form).send().await.map_err(|error| {
        tracing::error!(%error, "the registration URL did not answer");
        Problem::unavailable().detail("the registration URL did not answer")
    })?;
    let location = answer.headers().get(header::LOCATION.as_str()).and_then(|value| value.to_str().ok());
    Ok(Registered { status: answer.status().as_u16(), location: location.map(str::to_owned) })
}

/// An agreement after its change.
#[derive(Debug, Serialize)]
pub(super) struct ChangedAgreement {
    #[serde(flatten)]
    changed: Changed,
    /// The license's key in Stallkeeper.
    license: LicenseId,
}

pub(super) async fn change(
    Context(state, _): Context,
    AgreementPath(agreement): AgreementPath,
    JsonBody(change): JsonBody<Change>,
) -> Answer<ChangedAgreement> {
    let changed = state.aws.marketplace().change(&agreement, change)?;
    let product = product_of(&state, &changed.agreement_id)?;
    let license = license(&product, &changed.license_arn, &changed.customer_identifier)?;
    state.timeline.settle().await;
    Ok(Json(ChangedAgreement { changed, license }))
}

/// A fresh token, and the URL to which it is posted.
#[derive(Debug, Serialize)]
pub(crate) struct FreshToken {
    pub(crate) token: String,
    pub(crate) agreement_id: AgreementId,
    /// `None` if the product's stage has no stack here.
    pub(crate) registration_url: Option<String>,
}

pub(super) async fn token(Context(state, _): Context, AgreementPath(agreement): AgreementPath) -> Answer<FreshToken> {
    let fresh = fresh_token(&state, agreement)?;
    state.timeline.settle().await;
    Ok(Json(fresh))
}

/// Issues a fresh token, as when the buyer clicks "Set up your account" again.
///
/// # Errors
///
/// Fails for an agreement that is unknown or not active.
pub(crate) fn fresh_token(state: &SandboxState, agreement_id: AgreementId) -> Result<FreshToken, Failure> {
    let token = state.aws.marketplace().new_token(&agreement_id)?;
    let product = product_of(state, &agreement_id)?;
    let stage = find(&state.listings, product.as_str()).map(|described| described.listing.stage);
    let stack = stage.and_then(|stage| state.stack(stage));
    Ok(FreshToken { token, agreement_id, registration_url: stack.map(|stack| format!("{}/register", stack.url)) })
}

fn product_of(state: &SandboxState, agreement: &AgreementId) -> Result<ProductCode, Failure> {
    let agreements = state.aws.marketplace().overview().agreements;
    let found = agreements.into_iter().find(|known| known.agreement_id == *agreement);
    Ok(found.ok_or(local_aws::ControlError::AgreementUnknown { agreement: agreement.clone() })?.product_code)
}

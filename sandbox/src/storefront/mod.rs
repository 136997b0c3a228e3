//! The storefront: AWS Marketplace as a buyer's browser sees it.

mod page;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use domain::ids::{AccountId, DimensionKey};
use http::{HeaderName, HeaderValue, StatusCode, header};
use local_aws::Change;
use serde_json::{Value, json};

use crate::control::{ClockChange, Failure, FreshToken, Order, agreement_id, buy, fresh_token, move_clock};
use crate::state::SandboxState;

/// The sandbox, as the routes receive it.
type SharedState = State<Arc<SandboxState>>;

/// The fields of a form, in their order.
type Fields = Form<Vec<(String, String)>>;

/// The routes of the storefront.
pub(crate) fn routes(state: Arc<SandboxState>) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/storefront/subscribe", post(subscribe))
        .route("/storefront/agreements/{agreement}", post(change))
        .route("/storefront/agreements/{agreement}/token", post(set_up_again))
        .route("/storefront/clock", post(clock))
        .with_state(state)
}

async fn front(State(state): SharedState) -> Response {
    state.timeline.settle().await;
    html(StatusCode::OK, &page::Storefront::of(&state).await)
}

async fn subscribe(State(state): SharedState, Form(fields): Fields) -> Result<Response, ActionError> {
    let account = field(&fields, "account").map(str::trim).filter(|account| !account.is_empty());
    let free_trial = field(&fields, "free_trial").is_some();
    let order = Order {
        product: field(&fields, "product").unwrap_or_default().to_owned(),
        account: account.map(str::parse::<AccountId>).transpose().map_err(|error| ActionError(error.to_string()))?,
        dimensions: dimensions(&fields)?,
        free_trial,
        register: false,
    };
    let bought = buy(&state, order)?;
    state.timeline.settle().await;
    Ok(hand_over(bought.registration_url, bought.purchased.token, free_trial))
}

async fn set_up_again(State(state): SharedState, Path(agreement): Path<String>) -> Result<Response, ActionError> {
    let FreshToken { token, registration_url, .. } = fresh_token(&state, agreement_id(&agreement)?)?;
    Ok(hand_over(registration_url, token, false))
}

async fn change(
    State(state): SharedState,
    Path(agreement): Path<String>,
    Form(fields): Fields,
) -> Result<Response, ActionError> {
    let mut body = json!({ "action": field(&fields, "action").unwrap_or_default() });
    let dimensions = dimensions(&fields)?;
    if let (false, Some(members)) = (dimensions.is_empty(), body.as_object_mut()) {
        members.insert("dimensions".to_owned(), json!(dimensions));
    }
    let change: Change = serde_json::from_value(body).map_err(|error| ActionError(error.to_string()))?;
    state.aws.marketplace().change(&agreement_id(&agreement)?, change).map_err(Failure::from)?;
    state.timeline.settle().await;
    Ok(back())
}

async fn clock(State(state): SharedState, Form(fields): Fields) -> Result<Response, ActionError> {
    let moved = ClockChange { advance: field(&fields, "advance").map(str::to_owned), set: None };
    move_clock(&state, &moved).await?;
    Ok(back())
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The amounts that a buyer filled in.
fn dimensions(fields: &[(String, String)]) -> Result<BTreeMap<DimensionKey, Value>, ActionError> {
    fields
        .iter()
        .filter_map(|(name, amount)| Some((name.strip_prefix("dimension.")?, amount.trim())))
        .filter(|(_, amount)| !amount.is_empty())
        .map(|(key, amount)| {
            let key = key.parse::<DimensionKey>().map_err(|error| ActionError(error.to_string()))?;
            let value =
                serde_json::from_str::<serde_json::Number>(amount).map_or_else(|_| amount.into(), Value::Number);
            Ok((key, value))
        })
        .collect()
}

/// The page from which the browser goes to the registration URL, by itself or by its button.
#[derive(Template)]
#[template(path = "handover.html")]
struct Handover {
    url: String,
    token: String,
    free_trial: bool,
}

/// Shows the page that goes to the registration URL, or goes back if the product's stage has no stack.
fn hand_over(url: Option<String>, token: String, free_trial: bool) -> Response {
    match url {
        Some(url) => html(StatusCode::OK, &Handover { url, token, free_trial }),
        None => back(),
    }
}

/// The refusal of an action, as a page that gives the reason.
#[derive(Debug)]
struct ActionError(String);

impl From<Failure> for ActionError {
    fn from(failure: Failure) -> Self {
        Self(failure.sentence())
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    why: String,
}

impl IntoResponse for ActionError {
    fn into_response(self) -> Response {
        html(StatusCode::BAD_REQUEST, &RefusedPage { why: self.0 })
    }
}

fn back() -> Response {
    Redirect::to("/").into_response()
}

/// Returns a page. It may concern tokens and codes, so it is not cached, and no other site gets its address as a
/// referrer.
fn html(status: StatusCode, page: &impl Template) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    ];
    match page.render() {
        Ok(text) => (status, headers, text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page was not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

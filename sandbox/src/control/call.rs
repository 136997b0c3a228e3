//! A call as the control API receives it: the sandbox that it is about and the parameters of its query, the name in its
//! path, and its body.
//!
//! Every handler takes these and none of axum's own extractors, which refuse in plain text and accept unknown
//! parameters.

use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use domain::ids::AgreementId;
use http::StatusCode;
use http::request::Parts;
use lambda::http::Problem;
use lambda::http::extract::{NoParameters, query_of};
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::state::SandboxState;

/// The largest body, in bytes; the calls of this API need far less.
const LARGEST_BODY: usize = 2 * 1024 * 1024;

/// The most of a body that is received, in bytes. It is more than [`LARGEST_BODY`], because a caller whose connection
/// is closed while sending may never see the reason.
const LARGEST_SENT: usize = 8 * LARGEST_BODY;

/// The sandbox, and the parameters of the query: those of `Q`, each at most once, and no other.
#[derive(Debug)]
pub(super) struct Context<Q = NoParameters>(pub(super) Arc<SandboxState>, pub(super) Q);

impl<Q: DeserializeOwned> FromRequestParts<Arc<SandboxState>> for Context<Q> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<SandboxState>) -> Result<Self, Failure> {
        let query = query_of(&parts.uri).map_err(|error| Failure::invalid("query", error))?;
        Ok(Self(Arc::clone(state), query))
    }
}

/// The agreement in the path.
#[derive(Debug)]
pub(super) struct AgreementPath(pub(super) AgreementId);

impl<S: Send + Sync> FromRequestParts<S> for AgreementPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Failure::invalid("agreement", "it must be percent-encoded UTF-8"))?;
        agreement_id(&text).map(Self)
    }
}

/// The name in the path: of an entity, a product, a change set or a stage.
#[derive(Debug)]
pub(super) struct NamePath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = path.map_err(|_| Failure::invalid("path", "it must be percent-encoded UTF-8"))?;
        Ok(Self(name))
    }
}

/// The body.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let body = to_bytes(request.into_body(), LARGEST_SENT).await.map_err(|_| too_large())?;
        if body.len() > LARGEST_BODY {
            return Err(too_large());
        }
        read(&body).map(Self)
    }
}

fn too_large() -> Failure {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large.")
        .detail("the body is larger than 2 MB, or it breaks off")
        .action("Send the body that docs/SANDBOX.md describes, which is far smaller.")
        .into()
}

/// Reads a JSON object; serde alone would also read one from a list of its members.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    let invalid = |detail: String| {
        Problem::new(StatusCode::BAD_REQUEST, "body_invalid", "The body is invalid.")
            .detail(detail)
            .action("Correct the body as the detail says and send it again.")
    };
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid("the body must be a JSON object".to_owned()).into());
    }
    serde_json::from_slice(body).map_err(|error| invalid(error.to_string()).into())
}

/// Reads the id of an agreement.
///
/// # Errors
///
/// Fails for a text that is not an id.
pub(crate) fn agreement_id(text: &str) -> Result<AgreementId, Failure> {
    text.parse().map_err(|error| Failure::invalid("agreement", error))
}

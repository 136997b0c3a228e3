//! The error of a control call.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lambda::http::Problem;
use local_aws::ControlError;
use store::StoreError;

use crate::wiring::InvalidWiring;

/// The answer of a control call.
pub(super) type Answer<T> = Result<Json<T>, Failure>;

/// The error of a control call.
#[derive(Debug)]
pub(crate) struct Failure(Box<Problem>);

impl Failure {
    /// Returns the fault in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let document = serde_json::to_value(&*self.0).unwrap_or_default();
        let text =
            |member: &str| document.get(member).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Some(text("detail")).filter(|detail| !detail.is_empty()).unwrap_or_else(|| text("title"))
    }

    /// Returns the error for a member or parameter with an invalid value.
    pub(super) fn invalid(what: &str, why: impl std::fmt::Display) -> Self {
        Problem::invalid(what, why).into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<ControlError> for Failure {
    fn from(refused: ControlError) -> Self {
        let status = match refused {
            ControlError::AgreementUnknown { .. }
            | ControlError::EntityUnknown { .. }
            | ControlError::ChangeSetUnknown { .. } => StatusCode::NOT_FOUND,
            ControlError::AgreementNotActive { .. }
            | ControlError::AlreadySubscribed { .. }
            | ControlError::NothingToRenew { .. }
            | ControlError::ChangeSetDoesNotWait { .. } => StatusCode::CONFLICT,
            ControlError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            ControlError::ProductUnknown { .. }
            | ControlError::DimensionUnknown { .. }
            | ControlError::DimensionNotEntitled { .. }
            | ControlError::ValueMissing { .. }
            | ControlError::ValueInvalid { .. }
            | ControlError::ServiceUnknown { .. }
            | ControlError::OperationUnknown { .. }
            | ControlError::KindUnknown { .. }
            | ControlError::KindUnfit { .. }
            | ControlError::BehaviorUnknown { .. }
            | ControlError::BehaviorInvalid { .. }
            | ControlError::DimensionNotMetered { .. }
            | ControlError::FaultMalformed { .. } => StatusCode::BAD_REQUEST,
        };
        not_done(status, refused.code(), &refused)
    }
}

impl From<InvalidWiring> for Failure {
    fn from(refused: InvalidWiring) -> Self {
        not_done(StatusCode::BAD_REQUEST, "wiring_invalid", &refused)
    }
}

fn not_done(status: StatusCode, code: &'static str, refused: &dyn std::fmt::Display) -> Failure {
    Problem::new(status, code, "The sandbox does not do that.")
        .detail(refused)
        .action("Change the call as the detail says and send it again.")
        .into()
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the table did not answer");
        Problem::unavailable().detail("the table did not answer").into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

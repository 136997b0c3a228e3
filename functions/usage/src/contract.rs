//! The contract of this part of the API. Nothing of it runs in the function.

use lambda::http::contract::{required_header, responses_of};
use lambda::problem_responses;
use utoipa::OpenApi;
use utoipa::openapi::{Header, HeaderBuilder, ObjectBuilder, OpenApi as Document, RefOr, Type};

use crate::{body, intake, problems, query};

problem_responses! {
    /// The failures that only operations of this function have.
    pub(crate) Problems {
        /// The body is neither JSON nor CSV in UTF-8 with a header row.
        ContentTypeUnsupported = 415 ["content_type_unsupported"];
        /// The record is unknown.
        RecordUnknown = 404 ["record_unknown"];
        /// The record cannot be sent again, or no longer, or the stack sends nothing.
        RecordNotRequeueable = 409 ["record_not_requeueable", "record_changed", "window_closed", "reporter_dry_run"];
    }
}

#[derive(OpenApi)]
#[openapi(
    paths(
        intake::report,
        problems::pending,
        problems::unverified,
        problems::problems,
        problems::requeue,
        query::records,
    ),
    modifiers(&Problems),
)]
struct Contract;

/// Returns the contract of the function's operations.
pub fn contract() -> Document {
    let mut contract = Contract::openapi();
    for (_, response) in responses_of(&mut contract) {
        response.headers.insert("X-Stallkeeper-Reporter".to_owned(), reporter().into());
    }
    let unsupported = contract.components.as_mut().and_then(|all| all.responses.get_mut("ContentTypeUnsupported"));
    if let Some(RefOr::T(unsupported)) = unsupported {
        let accept = required_header("The content types that are accepted.", &[body::ACCEPTED]);
        unsupported.headers.insert("Accept".to_owned(), accept.into());
    }
    contract
}

fn reporter() -> Header {
    let dry_run = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["dry_run"]));
    let description = "Present only in a stack whose reporter sends nothing.";
    HeaderBuilder::new().description(Some(description)).schema(Some(dry_run)).build()
}

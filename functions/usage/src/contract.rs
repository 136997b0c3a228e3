//! The contract of this part of the API. Nothing of it runs in the function.

use lambda::http::contract::{required_header, responses_of};
use utoipa::OpenApi;
use utoipa::openapi::{Header, HeaderBuilder, ObjectBuilder, OpenApi as Document, RefOr, Type};

use crate::problem_responses::Problems;
use crate::{body, intake, problems, query};

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

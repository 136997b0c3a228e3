//! The common parts of requests to the Agreement Service.

use super::pages::{AGREEMENT_TOKEN, Cursor, query};
use crate::error::ServiceError;
use crate::input::{BadInput, Input, Problem, TextRule};
use crate::marketplace::{Agreement, AgreementStatus, Marketplace};
use crate::protocol::{Document, Record};

/// The most items on a page.
const MOST: usize = 50;

/// The model's `ResourceId`.
pub(super) const RESOURCE_ID: TextRule = TextRule {
    shortest: 1,
    longest: 64,
    pattern: "[A-Za-z0-9_/-]+",
    allows: |c| c.is_ascii_alphanumeric() || "_/-".contains(c),
};

/// Returns the service's error for bad input: a reason from its list, and the field.
pub(super) fn validation(bad: &BadInput) -> ServiceError {
    let subject = match bad.member {
        "agreementId" => "AGREEMENT_ID",
        "catalog" => "CATALOG",
        "filters" => "FILTERS",
        "name" => "FILTER_NAME",
        "values" => "FILTER_VALUES",
        "sortBy" => "SORT_BY",
        "sortOrder" => "SORT_ORDER",
        "nextToken" => "NEXT_TOKEN",
        "maxResults" => "MAX_RESULTS",
        _ => "",
    };
    let reason = match (&bad.problem, subject) {
        (_, "") => "OTHER".to_owned(),
        (Problem::Missing, subject) => format!("MISSING_{subject}"),
        (Problem::WrongType { .. } | Problem::Breaks { .. }, subject) => format!("INVALID_{subject}"),
    };
    invalid(&reason, bad.member, bad.sentence())
}

pub(super) fn invalid(reason: &str, member: &str, message: String) -> ServiceError {
    let field = Record::new().with("name", member).with("message", message.as_str());
    let mut error = ServiceError::modelled("ValidationException", 400, message);
    error.members = error.members.with("reason", reason).with("fields", vec![field]);
    error
}

/// A request for a page of the items of one agreement.
pub(super) struct AgreementPageInput<'a> {
    pub(super) agreement: &'a str,
    pub(super) size: usize,
    pub(super) cursor: Cursor,
}

impl<'a> AgreementPageInput<'a> {
    pub(super) fn read(request: &'a Document) -> Result<Self, ServiceError> {
        let read = || {
            let input = Input::of(request, "request")?;
            let agreement = input.required_text("agreementId", &RESOURCE_ID)?;
            let (size, cursor) = page(input, request)?;
            Ok(Self { agreement, size, cursor })
        };
        read().map_err(|bad: BadInput| bad.into_error(validation))
    }
}

/// Returns the requested page size and the position at which the page starts.
pub(super) fn page(input: Input<'_>, request: &Document) -> Result<(usize, Cursor), BadInput> {
    let size = input.page_size("maxResults", MOST)?;
    let cursor = match input.text("nextToken", &AGREEMENT_TOKEN)? {
        None => Cursor::start(query(request), 0),
        Some(token) => Cursor::read(token, query(request))
            .ok_or_else(|| BadInput::breaks("nextToken", "come from the previous answer to the same request"))?,
    };
    Ok((size, cursor))
}

/// Returns the agreement with that id.
pub(super) fn found(marketplace: &Marketplace, id: &str) -> Result<Agreement, ServiceError> {
    marketplace.agreement(id).ok_or_else(|| {
        let mut error = ServiceError::modelled("ResourceNotFoundException", 404, "The agreement was not found.");
        error.members = error.members.with("resourceId", id).with("resourceType", "Agreement");
        error
    })
}

pub(super) fn party(account: &str) -> Record {
    Record::new().with("accountId", account)
}

/// Returns the product and the offer of an agreement.
pub(super) fn proposal(marketplace: &Marketplace, agreement: &Agreement) -> Record {
    let product = marketplace
        .product(agreement.product.as_str())
        .map(|product| Record::new().with("id", product.id.as_str()).with("type", "SaaSProduct"));
    Record::new().with("resources", product.into_iter().collect::<Vec<_>>()).with("offerId", agreement.offer.as_str())
}

/// Returns the action at the end date: contracts renew automatically. Only an active agreement with an end date has
/// one.
pub(super) fn end_time_behavior(agreement: &Agreement, status: AgreementStatus) -> Option<&'static str> {
    (agreement.end.is_some() && status == AgreementStatus::Active).then_some("RENEW")
}

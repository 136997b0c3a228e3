//! DescribeAgreement (Agreement Service API reference): the current state of an agreement.

use super::agreement_requests::{RESOURCE_ID, end_time_behavior, found, party, proposal, validation};
use crate::error::ServiceError;
use crate::input::Input;
use crate::marketplace::Marketplace;
use crate::protocol::{Document, Record};

pub(super) fn answer(marketplace: &Marketplace, request: &Document) -> Result<Document, ServiceError> {
    let id = Input::of(request, "request")
        .and_then(|input| input.required_text("agreementId", &RESOURCE_ID))
        .map_err(|bad| bad.into_error(validation))?;
    let agreement = found(marketplace, id)?;
    let status = agreement.status(marketplace.now());
    let behavior = end_time_behavior(&agreement, status).map(|kind| {
        Record::new().with("type", kind).with("renewalSummary", Record::new().with("offerId", agreement.offer.as_str()))
    });
    let free_trial = agreement.free_trial_end.map(|end| Record::new().with("trialEndTime", end));
    Ok(Record::new()
        .with("agreementId", agreement.id.as_str())
        .with("acceptor", party(agreement.account.as_str()))
        .with("proposer", party(marketplace.seller().as_str()))
        .with("acceptanceTime", agreement.start)
        .with("startTime", agreement.start)
        // Null for an agreement that is paid by use, though its events write the year 9999.
        .with_some("endTime", agreement.end)
        .with("agreementType", "PurchaseAgreement")
        .with("proposalSummary", proposal(marketplace, &agreement))
        .with("status", status.as_str())
        .with("initialAgreementId", agreement.initial.as_str())
        .with_some("endTimeBehavior", behavior)
        .with_some("freeTrialSummary", free_trial)
        .into())
}

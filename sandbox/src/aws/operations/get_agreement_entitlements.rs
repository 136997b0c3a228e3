//! GetAgreementEntitlements (Agreement Service API reference): how far AWS is with what an agreement grants.

use super::agreement_requests::{RESOURCE_ID, found, validation};
use super::pages::{AGREEMENT_TOKEN, Cursor, query};
use crate::aws::error::ServiceError;
use crate::aws::input::{BadInput, Input};
use crate::aws::marketplace::{Agreement, Marketplace};
use crate::aws::protocol::{Document, Record};

const MOST: usize = 50;

pub(super) fn answer(marketplace: &Marketplace, request: &Document) -> Result<Document, ServiceError> {
    let (agreement, size, cursor) = read(request).map_err(|bad| bad.into_error(validation))?;
    let agreement = found(marketplace, agreement)?;
    let (page, next) = cursor.page(entitlement(marketplace, &agreement).into_iter().collect(), size);
    Ok(Record::new().with("agreementEntitlements", page).with_some("nextToken", next).into())
}

fn read(request: &Document) -> Result<(&str, usize, Cursor), BadInput> {
    let input = Input::of(request, "request")?;
    let agreement = input.required_text("agreementId", &RESOURCE_ID)?;
    let size = input.page_size("maxResults", MOST)?;
    let cursor = match input.text("nextToken", &AGREEMENT_TOKEN)? {
        None => Cursor::start(query(request), 0),
        Some(token) => Cursor::read(token, query(request))
            .ok_or_else(|| BadInput::breaks("nextToken", "come from the previous answer to the same request"))?,
    };
    Ok((agreement, size, cursor))
}

/// An agreement grants one license. Its registration token is the acceptor's to see, and the one caller is the seller.
fn entitlement(marketplace: &Marketplace, agreement: &Agreement) -> Option<Record> {
    let now = marketplace.now();
    let license = marketplace.license_of(agreement)?;
    let (status, reason) = if agreement.provisioned > now {
        ("PENDING", Some("PROVISIONING_IN_PROGRESS"))
    } else if license.revoked.is_some_and(|revoked| revoked <= now) {
        ("DEPROVISIONED", Some("AGREEMENT_INACTIVE"))
    } else {
        ("PROVISIONED", None)
    };
    let listing = marketplace.listing(agreement.product.as_str());
    let resource = listing.map(|it| Record::new().with("id", it.product_id.as_str()).with("type", "SaaSProduct"));
    // The license of a legacy buyer stands in no API.
    let arn = license.customer.is_none().then(|| license.arn.to_string());
    let record = Record::new().with_some("resource", resource).with("type", "Software").with("status", status);
    Some(record.with_some("statusReasonCode", reason).with_some("licenseArn", arn))
}

//! GetAgreementEntitlements (Agreement Service API reference): the provisioning status of the license that an agreement
//! grants.

use super::agreement_requests::{AgreementPageInput, found};
use crate::error::ServiceError;
use crate::marketplace::{Agreement, Marketplace};
use crate::protocol::{Document, Record};

pub(super) fn answer(marketplace: &Marketplace, request: &Document) -> Result<Document, ServiceError> {
    let input = AgreementPageInput::read(request)?;
    let agreement = found(marketplace, input.agreement)?;
    let entitlements = entitlement(marketplace, &agreement).into_iter().collect();
    let (page, next) = input.cursor.page(entitlements, input.size);
    Ok(Record::new().with("agreementEntitlements", page).with_some("nextToken", next).into())
}

/// Returns the one license that an agreement grants. The registration token is left out: only the acceptor may see it,
/// and the one caller is the seller.
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
    let product = marketplace.product(agreement.product.as_str());
    let resource = product.map(|it| Record::new().with("id", it.id.as_str()).with("type", "SaaSProduct"));
    // Where AWS names the license of a legacy buyer in events, it names it here too.
    let is_named = license.customer.is_none() || marketplace.behavior().legacy_license_events;
    let arn = is_named.then(|| license.arn.to_string());
    let record = Record::new().with_some("resource", resource).with("type", "Software").with("status", status);
    Some(record.with_some("statusReasonCode", reason).with_some("licenseArn", arn))
}

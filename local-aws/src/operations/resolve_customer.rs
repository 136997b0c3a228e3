//! ResolveCustomer (Metering Service API reference): the buyer that a registration token identifies.

use crate::behavior::ResolveCustomerKeys;
use crate::error::ServiceError;
use crate::input::{Input, TextRule};
use crate::marketplace::{Marketplace, Token};
use crate::protocol::{Document, Record};

const TOKEN: TextRule = TextRule { shortest: 1, longest: usize::MAX, pattern: r"[\s\S]+", allows: |_| true };

/// Answers the same for a token each time, until it expires.
pub(super) fn answer(marketplace: &Marketplace, request: &Document) -> Result<Document, ServiceError> {
    let text = Input::of(request, "request")
        .and_then(|input| input.required_text("RegistrationToken", &TOKEN))
        .map_err(|bad| bad.into_error(|bad| ServiceError::validation(bad.sentence())))?;
    let token = marketplace
        .token(text)
        .ok_or_else(|| ServiceError::modelled("InvalidTokenException", 400, "Registration token is invalid."))?;
    let behavior = marketplace.behavior();
    if marketplace.now().duration_since(token.issued) >= behavior.token_lifetime.duration() {
        return Err(ServiceError::modelled(
            "ExpiredTokenException",
            400,
            "The submitted registration token has expired.",
        ));
    }
    Ok(customer(marketplace, &token, behavior.resolve_customer_keys))
}

fn customer(marketplace: &Marketplace, token: &Token, sends: ResolveCustomerKeys) -> Document {
    let is_legacy = token.customer.is_some();
    let (customer, license) = match sends {
        ResolveCustomerKeys::OwnKey => (is_legacy, !is_legacy),
        ResolveCustomerKeys::BothKeys => (true, true),
    };
    Record::new()
        .with("ProductCode", token.product.as_str())
        .with("CustomerAWSAccountId", token.account.as_str())
        .with("Metadata", Record::new().with("AgreementId", token.agreement.as_str()))
        .with_some("CustomerIdentifier", customer.then(|| marketplace.customer_identifier(token)))
        .with_some("LicenseArn", license.then(|| token.license.as_str()))
        .into()
}

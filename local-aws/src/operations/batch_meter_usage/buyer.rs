//! The buyer of a record, named by license, or by product code with a customer or an account.

use marketplace_ids::ProductCode;

use super::errors::{invalid_license, malformed};
use super::record::UsageRecord;
use crate::behavior::{EmptyCustomerIdentifier, ProductCodeWithLicense};
use crate::error::ServiceError;
use crate::input::{Input, TextRule};
use crate::marketplace::{Buyer, Marketplace};
use crate::product::BuyerKey;
use crate::protocol::Document;

const PRODUCT_CODE: TextRule = TextRule {
    shortest: 0,
    longest: 255,
    pattern: "^[-a-zA-Z0-9/=:_.@]*$",
    allows: |c| c.is_ascii_alphanumeric() || "-/=:_.@".contains(c),
};

/// Returns the buyer and the product of each record, if all records are about one product.
pub(super) fn buyers(
    marketplace: &Marketplace,
    request: &Document,
    records: &[UsageRecord<'_>],
) -> Result<Vec<(Buyer, ProductCode)>, ServiceError> {
    let named = Input::of(request, "request").and_then(|input| input.text("ProductCode", &PRODUCT_CODE));
    let named = named.map_err(malformed)?.map(|code| product(marketplace, code)).transpose()?;
    let buyers = records.iter().map(|record| buyer(marketplace, named.as_ref(), record));
    let buyers: Vec<(Buyer, ProductCode)> = buyers.collect::<Result<_, _>>()?;
    let mut products = named.iter().chain(buyers.iter().map(|(_, product)| product));
    let first = products.next();
    if products.any(|product| Some(product) != first) {
        return Err(invalid_license("All usage records of a request must be of one product."));
    }
    Ok(buyers)
}

fn product(marketplace: &Marketplace, code: &str) -> Result<ProductCode, ServiceError> {
    let product = marketplace.product(code).ok_or_else(|| {
        let message = "The product code passed does not match the product code used for publishing the product.";
        invalid_product_code(message)
    })?;
    Ok(product.code.clone())
}

fn buyer(
    marketplace: &Marketplace,
    named: Option<&ProductCode>,
    record: &UsageRecord<'_>,
) -> Result<(Buyer, ProductCode), ServiceError> {
    let customer = match (record.customer, marketplace.behavior().empty_customer_identifier) {
        (Some(""), EmptyCustomerIdentifier::Ignored) => None,
        (Some(""), EmptyCustomerIdentifier::Refused) => return Err(invalid_customer("It must not be empty.")),
        (customer, _) => customer,
    };
    if customer.is_some() && record.account.is_some() {
        return Err(invalid_customer("CustomerIdentifier and CustomerAWSAccountId are mutually exclusive."));
    }
    match (record.license, named) {
        (Some(arn), _) => of_license(marketplace, named, record, customer, arn),
        (None, Some(product)) => of_product(marketplace, product, record.account, customer),
        (None, None) => Err(invalid_product_code("A record without a LicenseArn needs the request's ProductCode.")),
    }
}

fn of_license(
    marketplace: &Marketplace,
    named: Option<&ProductCode>,
    record: &UsageRecord<'_>,
    customer: Option<&str>,
    arn: &str,
) -> Result<(Buyer, ProductCode), ServiceError> {
    match (named, marketplace.behavior().product_code_with_license) {
        (Some(_), ProductCodeWithLicense::Refused) => {
            return Err(invalid_license("A ProductCode is not allowed together with a LicenseArn."));
        }
        (Some(_), ProductCodeWithLicense::BillsTwice) | (None, _) => {}
    }
    if customer.is_some() {
        return Err(invalid_customer("It is not supported together with a LicenseArn."));
    }
    let account = record.account.ok_or_else(|| invalid_customer("A LicenseArn needs a CustomerAWSAccountId."))?;
    let license = marketplace.license_of_arn(arn).ok_or_else(|| invalid_license("There is no such license."))?;
    if license.account.as_str() != account {
        return Err(invalid_license("The LicenseArn does not match the customer."));
    }
    let buyer = Buyer::License { license: license.arn.id().clone(), with_product_code: named.is_some() };
    Ok((buyer, license.product))
}

fn of_product(
    marketplace: &Marketplace,
    product: &ProductCode,
    account: Option<&str>,
    customer: Option<&str>,
) -> Result<(Buyer, ProductCode), ServiceError> {
    let key = marketplace.product(product.as_str()).map(|product| product.buyer_key);
    let of_customer = |customer: &str| Buyer::Customer { product: product.clone(), customer: customer.to_owned() };
    let buyer = match (key, customer, account) {
        (Some(BuyerKey::License), Some(_), _) => {
            return Err(invalid_customer("It is not supported for new SaaS product integrations."));
        }
        (_, Some(customer), _) => of_customer(customer),
        (_, None, Some(account)) => match marketplace.customer_of(product, account) {
            Some(customer) => of_customer(customer.as_str()),
            None => Buyer::Account { product: product.clone(), account: account.to_owned() },
        },
        (_, None, None) => return Err(invalid_customer("A record must name its customer.")),
    };
    Ok((buyer, product.clone()))
}

fn invalid_product_code(message: &str) -> ServiceError {
    ServiceError::modelled("InvalidProductCodeException", 400, message)
}

fn invalid_customer(message: &str) -> ServiceError {
    let message = format!("The customer identifier is invalid. {message}");
    ServiceError::modelled("InvalidCustomerIdentifierException", 400, message)
}

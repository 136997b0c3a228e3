//! GetEntitlements (Entitlement Service API reference): the entitlements of the buyers of a product.

use std::collections::BTreeMap;

use marketplace_ids::DimensionKey;

use super::pages::{Cursor, query};
use crate::error::ServiceError;
use crate::input::{self, BadInput, Input, TextRule};
use crate::marketplace::{DimensionValue, Grant, License, Marketplace};
use crate::protocol::{Document, Record};
use crate::service::Service;

const MOST: usize = 25;
const PRODUCT_CODE: TextRule = TextRule { shortest: 1, longest: 255, pattern: "", allows: |_| true };
const NEXT_TOKEN: TextRule =
    TextRule { shortest: 1, longest: usize::MAX, pattern: r"\S+", allows: |c| !c.is_whitespace() };
const FILTER_VALUE: TextRule = TextRule { shortest: 0, longest: usize::MAX, pattern: "", allows: |_| true };

pub(super) fn answer(marketplace: &Marketplace, request: &Document) -> Result<Document, ServiceError> {
    if !marketplace.admits_entitlement_request() {
        return Err(ServiceError::throttling(Service::Entitlement));
    }
    let input = read(marketplace, request).map_err(|bad| bad.into_error(|bad| invalid(bad.sentence())))?;
    let product = marketplace
        .product(input.product)
        .ok_or_else(|| invalid("The product code is not one of this seller's products.".to_owned()))?;

    let (now, after) = (marketplace.now(), marketplace.behavior().entitlements_delay);
    let held = match product.pricing.has_entitlements() {
        true => marketplace.licenses_of(&product.code),
        false => Vec::new(),
    };
    let shown = held.iter().filter_map(|license| Some((license, license.shown_grant(now, after)?)));
    let entitlements = shown.flat_map(|(license, grant)| input.filter.entitlements(license, grant)).collect();
    let (page, next) = input.cursor.page(entitlements, input.size);
    marketplace.note_entitlements_read(&product.code, now);
    Ok(Record::new().with("Entitlements", page).with_some("NextToken", next).into())
}

fn invalid(message: String) -> ServiceError {
    ServiceError::modelled("InvalidParameterException", 400, message)
}

struct GetEntitlementsInput<'a> {
    product: &'a str,
    filter: Filter<'a>,
    size: usize,
    cursor: Cursor,
}

fn read<'a>(marketplace: &Marketplace, request: &'a Document) -> Result<GetEntitlementsInput<'a>, BadInput> {
    let input = Input::of(request, "request")?;
    let product = input.required_text("ProductCode", &PRODUCT_CODE)?;
    let filter = Filter::read(input)?;
    let size = input.page_size("MaxResults", MOST)?;
    let cursor = match input.text("NextToken", &NEXT_TOKEN)? {
        None => Cursor::start(query(request), marketplace.empty_first_pages()),
        Some(token) => Cursor::read(token, query(request))
            .ok_or_else(|| BadInput::breaks("NextToken", "come from the previous answer to the same request"))?,
    };
    Ok(GetEntitlementsInput { product, filter, size, cursor })
}

/// The filter of a request: "Filtered requests are unioned for each value in the value list, and then intersected for
/// each filter key." A missing key matches everything.
#[derive(Default)]
struct Filter<'a> {
    customers: Option<Vec<&'a str>>,
    accounts: Option<Vec<&'a str>>,
    licenses: Option<Vec<&'a str>>,
    dimensions: Option<Vec<&'a str>>,
}

impl<'a> Filter<'a> {
    fn read(input: Input<'a>) -> Result<Self, BadInput> {
        let mut filter = Self::default();
        for (key, values) in input.map("Filter")?.into_iter().flatten() {
            let wanted = match key.as_str() {
                "CUSTOMER_IDENTIFIER" => &mut filter.customers,
                "CUSTOMER_AWS_ACCOUNT_ID" => &mut filter.accounts,
                "LICENSE_ARN" => &mut filter.licenses,
                "DIMENSION" => &mut filter.dimensions,
                _ => {
                    let allowed = "[CUSTOMER_IDENTIFIER, DIMENSION, CUSTOMER_AWS_ACCOUNT_ID, LICENSE_ARN]";
                    return Err(BadInput::breaks("Filter", format!("have keys of the enum value set: {allowed}")));
                }
            };
            let Document::List(values) = values else {
                return Err(BadInput {
                    member: "Filter",
                    problem: input::Problem::WrongType { wanted: "a map of lists" },
                });
            };
            if values.is_empty() {
                return Err(BadInput::breaks("Filter", "have lists of length greater than or equal to 1"));
            }
            let texts = values.iter().map(|value| input::text(value, "Filter", &FILTER_VALUE));
            *wanted = Some(texts.collect::<Result<_, _>>()?);
        }
        if filter.customers.is_some() && filter.accounts.is_some() {
            let rule = "have CUSTOMER_IDENTIFIER or CUSTOMER_AWS_ACCOUNT_ID: they are mutually exclusive";
            return Err(BadInput::breaks("Filter", rule));
        }
        Ok(filter)
    }

    /// Returns the entitlements of a license that pass the filter.
    fn entitlements(&self, license: &License, grant: &Grant) -> Vec<Document> {
        // No API returns the license of a legacy buyer.
        let arn = license.customer.is_none().then(|| license.arn.as_str());
        let passes = allows(&self.customers, license.customer.as_ref().map(|customer| customer.as_str()))
            && allows(&self.accounts, Some(license.account.as_str()))
            && allows(&self.licenses, arn);
        if !passes {
            return Vec::new();
        }
        self.values(&grant.dimensions)
            .map(|(dimension, value)| {
                let (member, value) = value.member();
                Record::new()
                    .with("ProductCode", license.product.as_str())
                    .with("Dimension", dimension.as_str())
                    .with("CustomerAWSAccountId", license.account.as_str())
                    .with_some("CustomerIdentifier", license.customer.as_ref().map(|customer| customer.as_str()))
                    .with_some("LicenseArn", arn)
                    .with_some("ExpirationDate", grant.expiration(dimension))
                    .with("Value", Record::new().with(member, value))
                    .into()
            })
            .collect()
    }

    fn values<'g>(
        &self,
        dimensions: &'g BTreeMap<DimensionKey, DimensionValue>,
    ) -> impl Iterator<Item = (&'g DimensionKey, &'g DimensionValue)> {
        dimensions.iter().filter(|(key, _)| allows(&self.dimensions, Some(key.as_str())))
    }
}

fn allows(wanted: &Option<Vec<&str>>, value: Option<&str>) -> bool {
    match wanted {
        None => true,
        Some(wanted) => value.is_some_and(|value| wanted.contains(&value)),
    }
}

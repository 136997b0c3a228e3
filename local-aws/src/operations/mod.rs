//! The operations of AWS Marketplace's services: each reads a request and answers it from the [`Marketplace`].

mod agreement_requests;
mod batch_meter_usage;
pub(crate) mod catalog;
mod describe_agreement;
mod get_agreement_entitlements;
mod get_agreement_terms;
mod get_entitlements;
pub(crate) mod pages;
mod resolve_customer;
mod search_agreements;

use crate::error::ServiceError;
use crate::marketplace::Marketplace;
use crate::protocol::Document;
use crate::region::Region;
use crate::service::Service;

/// Answers a call of an AWS Marketplace service. Any document is safe as a request: the worst result is an error of the
/// service.
///
/// The first `unprocessed` records of a BatchMeterUsage come back unprocessed; no other operation returns unprocessed
/// records, and no other depends on the region.
pub(crate) fn call(
    marketplace: &Marketplace,
    address: (Service, &str),
    request: &Document,
    region: &Region,
    unprocessed: usize,
) -> Result<Document, ServiceError> {
    match address {
        (Service::Metering, "BatchMeterUsage") => batch_meter_usage::answer(marketplace, request, region, unprocessed),
        (Service::Metering, "ResolveCustomer") => resolve_customer::answer(marketplace, request),
        (Service::Entitlement, "GetEntitlements") => get_entitlements::answer(marketplace, request),
        (Service::Agreement, "DescribeAgreement") => describe_agreement::answer(marketplace, request),
        (Service::Agreement, "GetAgreementEntitlements") => get_agreement_entitlements::answer(marketplace, request),
        (Service::Agreement, "GetAgreementTerms") => get_agreement_terms::answer(marketplace, request),
        (Service::Agreement, "SearchAgreements") => search_agreements::answer(marketplace, request),
        (_, _) => Err(ServiceError::unknown_operation()),
    }
}

/// Returns `true` if a body is larger than its operation accepts.
pub(crate) fn is_too_large(service: Service, operation: &str, body: &[u8]) -> bool {
    service == Service::Metering && operation == "BatchMeterUsage" && body.len() >= batch_meter_usage::LARGEST_BODY
}

/// Returns the product that a call is about, if it can be determined.
pub(crate) fn product(
    marketplace: &Marketplace,
    service: Service,
    operation: &str,
    request: &Document,
) -> Option<String> {
    match (service, operation) {
        (Service::Metering, "BatchMeterUsage") => batch_meter_usage::product(marketplace, request),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;
    use proptest::prelude::*;

    use super::*;
    use crate::marketplace::IdGenerator;
    use crate::protocol::Record;
    use crate::testing::subscription;
    use crate::{Behavior, Delays, Purchase};

    fn marketplace() -> Marketplace {
        let (event_sender, _) = tokio::sync::mpsc::unbounded_channel();
        let behavior = Behavior { rate_limits: false, ..Behavior::default() };
        Marketplace::open(
            Clock::System,
            Vec::new(),
            behavior,
            Delays::none(),
            event_sender,
            IdGenerator::new().unwrap(),
        )
        .unwrap()
    }

    /// Generates documents in the form of requests: members that exist, with values of every type.
    fn any_request() -> impl Strategy<Value = Document> {
        let name = prop_oneof![
            Just("RegistrationToken"),
            Just("ProductCode"),
            Just("Filter"),
            Just("NextToken"),
            Just("MaxResults"),
            Just("LICENSE_ARN"),
            Just("agreementId"),
            Just("catalog"),
            Just("filters"),
            Just("name"),
            Just("values"),
            Just("sort"),
            Just("sortBy"),
            Just("nextToken"),
            Just("maxResults"),
            Just("UsageRecords"),
            Just("UsageAllocations"),
            Just("Tags"),
        ]
        .prop_map(str::to_owned);
        let leaf = prop_oneof![
            Just(Document::Null),
            any::<bool>().prop_map(Document::Bool),
            any::<i64>().prop_map(Document::Integer),
            any::<f64>().prop_map(Document::Double),
            ".*".prop_map(Document::Text),
            Just(Document::from("AgreementType")),
            Just(Document::from("BeforeEndTime")),
            Just(Document::from("PurchaseAgreement")),
        ];
        leaf.prop_recursive(4, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Document::List),
                prop::collection::btree_map(name.clone(), inner, 0..8).prop_map(Document::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_document_makes_an_operation_panic(request in any_request()) {
            let marketplace = marketplace();
            for service in Service::ALL {
                for operation in service.operations() {
                    product(&marketplace, service, operation, &request);
                    if let Err(error) = call(&marketplace, (service, operation), &request, &Region::default(), 0) {
                        prop_assert!((400..500).contains(&error.status), "{:?}", error);
                    }
                }
            }
        }
    }

    /// Generates usage records that are nearly right, with values of every kind in any member.
    fn any_usage(license: String, account: String) -> impl Strategy<Value = Document> {
        let text = |text: &str| Just(Document::from(text)).boxed();
        let any_value = prop_oneof![
            Just(Document::Null),
            any::<i64>().prop_map(Document::Integer),
            any::<f64>().prop_map(Document::Double),
            ".{0,20}".prop_map(Document::Text),
            Just(Document::List(Vec::new())),
            Just(Record::new().into()),
        ];
        let now = jiff::Timestamp::now().as_second();
        let part = Record::new().with("AllocatedUsageQuantity", 1_i64);
        // The weights with which a member is right, wrong and missing.
        let required = (40, 1, 1);
        let optional = (1, 1, 60);
        let right = [
            ("Timestamp", required, Just(Document::Integer(now)).boxed()),
            ("Dimension", required, text("requests")),
            ("CustomerAWSAccountId", required, text(&account)),
            ("LicenseArn", required, text(&license)),
            ("Quantity", (20, 1, 20), (0..5_i64).prop_map(Document::Integer).boxed()),
            ("QuantityAsDecimal", optional, "[0-9.]{0,18}".prop_map(Document::Text).boxed()),
            ("CustomerIdentifier", optional, text("")),
            ("UsageAllocations", optional, Just(Document::List(vec![part.into()])).boxed()),
        ];
        let member = move |(name, weights, right): (&'static str, (u32, u32, u32), BoxedStrategy<Document>)| {
            let (right_weight, any_weight, none_weight) = weights;
            let any_value = any_value.clone();
            prop_oneof![
                right_weight => right.prop_map(Some),
                any_weight => any_value.prop_map(Some),
                none_weight => Just(None),
            ]
            .prop_map(move |value| (name, value))
        };
        let members = right.into_iter().map(member).collect::<Vec<_>>();
        let record = members.prop_map(|members| {
            let with = |record: Record, (name, value): (&str, Option<Document>)| record.with_some(name, value);
            Document::from(members.into_iter().fold(Record::new(), with))
        });
        let code = prop_oneof![9 => Just(None), 1 => ".{0,20}".prop_map(Some)];
        (prop::collection::vec(record, 0..6), code).prop_map(|(records, code)| {
            Record::new().with("UsageRecords", Document::List(records)).with_some("ProductCode", code).into()
        })
    }

    proptest! {
        #[test]
        fn no_usage_makes_metering_panic(
            (marketplace, request) in Just(()).prop_flat_map(|()| {
                let (marketplace, license, account) = sold();
                (Just(marketplace), any_usage(license, account))
            }),
            unprocessed in 0..30_usize,
        ) {
            let address = (Service::Metering, "BatchMeterUsage");
            match call(&marketplace, address, &request, &Region::default(), unprocessed) {
                Ok(_) => {}
                Err(error) => {
                    prop_assert!((400..500).contains(&error.status), "{:?}", error);
                    prop_assert!(marketplace.bill().records.is_empty(), "a refused call books nothing");
                }
            }
        }
    }

    /// Returns a marketplace that has sold a license.
    fn sold() -> (Marketplace, String, String) {
        let (event_sender, _) = tokio::sync::mpsc::unbounded_channel();
        let behavior = Behavior { rate_limits: false, ..Behavior::default() };
        let product = subscription();
        let code = product.code.clone();
        let ids = IdGenerator::new().unwrap();
        let marketplace =
            Marketplace::open(Clock::System, vec![product], behavior, Delays::none(), event_sender, ids).unwrap();
        let purchase = Purchase { product: code, account: None, dimensions: Default::default(), free_trial: false };
        let bought = marketplace.purchase(purchase).unwrap();
        (marketplace, bought.license_arn.unwrap().to_string(), bought.account_id.to_string())
    }
}

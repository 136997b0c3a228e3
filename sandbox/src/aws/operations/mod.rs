//! The operations of AWS Marketplace's services: what is asked, and what the [`Marketplace`] has to say to it.

mod agreement_requests;
mod describe_agreement;
mod get_agreement_terms;
mod get_entitlements;
mod pages;
mod resolve_customer;
mod search_agreements;

use super::error::ServiceError;
use super::marketplace::Marketplace;
use super::protocol::Document;
use super::service::Service;

/// Answers a call of an AWS Marketplace service. No document makes it fail but with an error of the service.
pub(crate) fn call(
    marketplace: &Marketplace,
    service: Service,
    operation: &str,
    request: &Document,
) -> Result<Document, ServiceError> {
    match (service, operation) {
        (Service::Metering, "ResolveCustomer") => resolve_customer::answer(marketplace, request),
        (Service::Entitlement, "GetEntitlements") => get_entitlements::answer(marketplace, request),
        (Service::Agreement, "DescribeAgreement") => describe_agreement::answer(marketplace, request),
        (Service::Agreement, "GetAgreementTerms") => get_agreement_terms::answer(marketplace, request),
        (Service::Agreement, "SearchAgreements") => search_agreements::answer(marketplace, request),
        (Service::DynamoDb | Service::Metering | Service::Entitlement | Service::Agreement, _) => {
            Err(ServiceError::unknown_operation())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stallkeeper::time::Clock;

    use super::*;
    use crate::aws::{Delays, Readings};

    fn marketplace() -> Marketplace {
        let (announcements, _) = tokio::sync::mpsc::unbounded_channel();
        let readings = Readings { rate_limits: false, ..Readings::default() };
        Marketplace::open(Clock::System, Vec::new(), readings, Delays::none(), announcements).unwrap()
    }

    /// Documents that look like requests: members that exist, with values of every type.
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
                    if let Err(error) = call(&marketplace, service, operation, &request) {
                        prop_assert!((400..500).contains(&error.status), "{:?}", error);
                    }
                }
            }
        }
    }
}

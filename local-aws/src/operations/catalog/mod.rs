//! The operations of the Catalog API (AWS Marketplace Catalog API reference), as far as a SaaS product needs them.

mod change_sets;
mod describe_entity;
mod entity_filters;
mod entity_members;
mod list_entities;
mod requests;
mod start_change_set;

use crate::catalog::Catalog;
use crate::error::ServiceError;
use crate::protocol::Document;

/// Answers a call. Any document is safe as a request: the worst result is an error of the service.
pub(crate) fn call(catalog: &Catalog, operation: &str, request: &Document) -> Result<Document, ServiceError> {
    match operation {
        "CancelChangeSet" => change_sets::cancel(catalog, request),
        "DescribeChangeSet" => change_sets::describe(catalog, request),
        "DescribeEntity" => describe_entity::answer(catalog, request),
        "ListChangeSets" => change_sets::list(catalog, request),
        "ListEntities" => list_entities::answer(catalog, request),
        "StartChangeSet" => start_change_set::answer(catalog, request),
        _ => Err(ServiceError::unknown_operation()),
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::marketplace::IdGenerator;
    use crate::protocol::Record;
    use crate::service::Service;
    use crate::testing::subscription;

    fn catalog() -> Catalog {
        let product = subscription();
        let (seller, ids) = ("444455556666".parse().unwrap(), IdGenerator::seeded(1));
        Catalog::open(Clock::System, seller, vec![product], SignedDuration::ZERO, ids)
    }

    /// Generates a value of a member, which may be valid.
    fn any_value() -> impl Strategy<Value = Document> {
        let known = ["AWSMarketplace", "SaaSProduct", "SaaSProduct@1.0", "Offer@1.0", "prod-demosubscription01"];
        let others =
            ["UpdateInformation", "AddDimensions", "ReleaseProduct", "EntityId", "Status", "$A.Entity.Identifier"];
        let leaf = prop_oneof![
            4 => prop::sample::select([known.as_slice(), others.as_slice()].concat()).prop_map(Document::from),
            1 => Just(Document::Null),
            1 => any::<i64>().prop_map(Document::Integer),
            1 => any::<f64>().prop_map(Document::Double),
            1 => ".{0,20}".prop_map(Document::Text),
        ];
        let names = ["Catalog", "EntityType", "ChangeSet", "ChangeType", "Entity", "Type", "Identifier", "Details"];
        let more = ["DetailsDocument", "FilterList", "Name", "ValueList", "Sort", "SortBy", "MaxResults", "ChangeName"];
        let last = ["EntityTypeFilters", "SaaSProductFilters", "ProductTitle", "WildCardValue", "NextToken", "Key"];
        let name = prop::sample::select([names.as_slice(), more.as_slice(), last.as_slice()].concat());
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Document::List),
                prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..6).prop_map(Document::Map),
            ]
        })
    }

    /// Generates a change that is nearly right: any part of it may be anything.
    fn any_change() -> impl Strategy<Value = Document> {
        let right = |text: &'static str| Just(Document::from(text));
        let types = Service::Catalog.operations().iter().copied();
        let types: Vec<&str> = types
            .chain(["UpdateInformation", "AddDimensions", "ReleaseProduct", "CreateProduct", "UpdateVisibility"])
            .collect();
        let change_type = prop::sample::select(types).prop_map(Document::from);
        let id = prop_oneof![9 => right("prod-demosubscription01"), 1 => any_value()];
        let kind = prop_oneof![9 => right("SaaSProduct@1.0"), 1 => any_value()];
        (change_type, kind, id, any_value()).prop_map(|(change_type, kind, id, details)| {
            let entity = Record::new().with("Type", kind).with("Identifier", id);
            Record::new().with("ChangeType", change_type).with("Entity", entity).with("DetailsDocument", details).into()
        })
    }

    proptest! {
        #[test]
        fn no_document_makes_the_catalog_panic(
            request in any_value(), changes in prop::collection::vec(any_change(), 0..4)
        ) {
            let catalog = catalog();
            let changes = Record::new().with("Catalog", "AWSMarketplace").with("ChangeSet", changes);
            for (operation, request) in Service::Catalog.operations().iter().map(|operation| (operation, &request)) {
                if let Err(error) = call(&catalog, operation, request) {
                    prop_assert!((400..500).contains(&error.status), "{:?}", error);
                }
            }
            if let Err(error) = call(&catalog, "StartChangeSet", &changes.into()) {
                prop_assert!((400..500).contains(&error.status), "{:?}", error);
            }
            catalog.change_set_overviews();
        }
    }
}

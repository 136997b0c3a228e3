//! The Catalog API: the progress of change sets, the entities that they lock, and their descriptions.

use aws_sdk_marketplacecatalog::types::{ChangeStatus, FailureCode, Filter, Sort, SortOrder};
use aws_smithy_types::Document;
use jiff::SignedDuration;
use local_aws::{Behavior, Decision, Delays, NextChangeSet, Verdict};
use serde_json::{Value, json};

use super::catalog_change_sets::{CATALOG, PRODUCT, change, start_changes};
use crate::fixture::{LocalAws, code, start, start_with};

const OTHER: &str = "prod-democontract01";

fn renamed(entity: &str) -> aws_sdk_marketplacecatalog::types::Change {
    change("UpdateInformation", entity, json!({ "ProductTitle": "Harbor" }))
}

async fn started(local: &LocalAws, changes: Vec<aws_sdk_marketplacecatalog::types::Change>) -> String {
    start_changes(local, changes).await.unwrap().change_set_id.unwrap()
}

async fn status(local: &LocalAws, id: &str) -> ChangeStatus {
    let described = local.catalog().describe_change_set().catalog(CATALOG).change_set_id(id).send().await.unwrap();
    described.status().unwrap().clone()
}

async fn title(local: &LocalAws, entity: &str) -> String {
    let answer = local.catalog().describe_entity().catalog(CATALOG).entity_id(entity).send().await.unwrap();
    let details: Value = serde_json::from_str(answer.details().unwrap()).unwrap();
    details["Description"]["ProductTitle"].as_str().unwrap().to_owned()
}

fn decided(verdict: Verdict) -> Decision {
    Decision { verdict, code: None, message: Some("The video is missing.".to_owned()) }
}

#[tokio::test]
async fn a_change_set_takes_minutes_and_locks_its_entities_until_its_end() {
    let local = start_with(Behavior::default(), Delays::default()).await;
    let first = started(&local, vec![renamed(PRODUCT)]).await;
    assert_eq!(status(&local, &first).await, ChangeStatus::Preparing);
    let refused = start_changes(&local, vec![renamed(PRODUCT)]).await.unwrap_err().into_service_error();
    assert!(refused.is_resource_in_use_exception(), "{refused:?}");
    let message = refused.meta().message().unwrap();
    assert!(message.contains(PRODUCT) && message.contains(&first), "{message}");
    let second = started(&local, vec![renamed(OTHER)]).await;

    local.advance(SignedDuration::from_mins(3));
    assert_eq!(status(&local, &first).await, ChangeStatus::Applying);
    assert_ne!(title(&local, PRODUCT).await, "Harbor");
    let cancel = local.catalog().cancel_change_set().catalog(CATALOG).change_set_id(&first).send().await;
    assert_eq!(code(cancel), "ResourceInUseException");

    local.advance(SignedDuration::from_mins(5));
    let client = local.catalog();
    let described = client.describe_change_set().catalog(CATALOG).change_set_id(&first).send().await.unwrap();
    assert_eq!(described.status(), Some(&ChangeStatus::Succeeded));
    assert_eq!(described.start_time(), Some("2026-11-30T12:00:00Z"));
    assert_eq!(described.end_time(), Some("2026-11-30T12:04:00Z"), "when it was due, not when it was described");
    assert_eq!(described.change_set_name(), Some("Submitted by 444455556666"));
    assert_eq!(title(&local, PRODUCT).await, "Harbor");
    assert_eq!(status(&local, &second).await, ChangeStatus::Succeeded);
    let entity = client.describe_entity().catalog(CATALOG).entity_id(PRODUCT).send().await.unwrap();
    assert_eq!(entity.entity_identifier(), Some("prod-democonsumption01@2"));
    assert_eq!(entity.last_modified_date(), Some("2026-11-30T12:04:00Z"));
}

#[tokio::test]
async fn a_change_set_is_cancelled_while_it_is_prepared() {
    let local = start_with(Behavior::default(), Delays::default()).await;
    let id = started(&local, vec![renamed(PRODUCT)]).await;
    let cancel = || local.catalog().cancel_change_set().catalog(CATALOG).change_set_id(&id).send();
    let cancelled = cancel().await.unwrap();
    assert_eq!(cancelled.change_set_id(), Some(id.as_str()));
    assert_eq!(status(&local, &id).await, ChangeStatus::Cancelled);
    assert_eq!(code(cancel().await), "ValidationException");
    local.advance(SignedDuration::from_hours(1));
    assert_ne!(title(&local, PRODUCT).await, "Harbor");
    let unknown = local.catalog().cancel_change_set().catalog(CATALOG).change_set_id("none").send().await;
    assert_eq!(code(unknown), "ResourceNotFoundException");
}

#[tokio::test]
async fn the_same_token_starts_no_second_change_set() {
    let local = start().await;
    let ask = |title: &str| {
        let changed = change("UpdateInformation", PRODUCT, json!({ "ProductTitle": title }));
        let request = local.catalog().start_change_set().catalog(CATALOG).change_set(changed);
        request.client_request_token("once").send()
    };
    let first = ask("One").await.unwrap();
    assert_eq!(ask("One").await.unwrap().change_set_id(), first.change_set_id());
    assert_eq!(code(ask("Two").await), "ValidationException");
    let listed = local.catalog().list_change_sets().catalog(CATALOG).send().await.unwrap();
    assert_eq!(listed.change_set_summary_list().len(), 1);
}

#[tokio::test]
async fn details_as_a_document_are_described_as_a_document() {
    let local = start().await;
    let details = Document::Object([("ProductTitle".to_owned(), Document::String("Harbor".to_owned()))].into());
    let asked = renamed(PRODUCT);
    let entity = asked.entity().unwrap().clone();
    let changed = aws_sdk_marketplacecatalog::types::Change::builder()
        .change_type("UpdateInformation")
        .entity(entity)
        .details_document(details.clone())
        .change_name("Rename");
    let id = started(&local, vec![changed.build().unwrap()]).await;
    let described = local.catalog().describe_change_set().catalog(CATALOG).change_set_id(id).send().await.unwrap();
    let [described_change] = described.change_set() else { panic!("{described:?}") };
    assert_eq!(described_change.details_document(), Some(&details));
    assert_eq!(described_change.details(), None);
    assert_eq!(described_change.change_name(), Some("Rename"));
    assert_eq!(title(&local, PRODUCT).await, "Harbor");
}

#[tokio::test]
async fn becoming_public_waits_for_a_review() {
    let local = start().await;
    let publish = || vec![change("UpdateVisibility", PRODUCT, json!({ "TargetVisibility": "Public" }))];
    let visibility = async || {
        let answer = local.catalog().describe_entity().catalog(CATALOG).entity_id(PRODUCT).send().await.unwrap();
        let details: Value = serde_json::from_str(answer.details().unwrap()).unwrap();
        details["Description"]["Visibility"].as_str().unwrap().to_owned()
    };
    let id = started(&local, publish()).await;
    local.advance(SignedDuration::from_hours(24 * 14));
    assert_eq!(status(&local, &id).await, ChangeStatus::Preparing);
    local.aws.catalog().decide(&id, decided(Verdict::Reject)).unwrap();
    let described = local.catalog().describe_change_set().catalog(CATALOG).change_set_id(&id).send().await.unwrap();
    assert_eq!(described.failure_code(), Some(&FailureCode::ClientError));
    let [described_change] = described.change_set() else { panic!("{described:?}") };
    assert_eq!(described_change.error_detail_list()[0].error_message(), Some("The video is missing."));
    assert_eq!(visibility().await, "Limited");

    let id = started(&local, publish()).await;
    local.aws.catalog().decide(&id, decided(Verdict::Approve)).unwrap();
    assert_eq!(status(&local, &id).await, ChangeStatus::Succeeded);
    assert_eq!(visibility().await, "Public");
    assert_eq!(
        local.aws.catalog().decide(&id, decided(Verdict::Approve)).unwrap_err().code(),
        "change_set_does_not_wait"
    );

    // A request that cannot succeed is not reviewed.
    let id = started(&local, publish()).await;
    assert_eq!(status(&local, &id).await, ChangeStatus::Failed);
    started(&local, vec![change("UpdateVisibility", PRODUCT, json!({ "TargetVisibility": "Restricted" }))]).await;
    assert_eq!(visibility().await, "Restricted");
}

#[tokio::test]
async fn the_next_change_set_fails_or_hangs_as_planned() {
    let local = start().await;
    let catalog = local.aws.catalog();
    catalog.plan(NextChangeSet::ServerFault {});
    let id = started(&local, vec![renamed(PRODUCT)]).await;
    let described = local.catalog().describe_change_set().catalog(CATALOG).change_set_id(&id).send().await.unwrap();
    assert_eq!(described.failure_code(), Some(&FailureCode::ServerFault));
    assert!(described.failure_description().is_some());
    assert!(described.change_set()[0].error_detail_list().is_empty());

    catalog.plan(NextChangeSet::ClientError { code: Some("SCAN_ERROR".to_owned()), message: None });
    let id = started(&local, vec![renamed(PRODUCT)]).await;
    let described = local.catalog().describe_change_set().catalog(CATALOG).change_set_id(&id).send().await.unwrap();
    assert_eq!(described.failure_code(), Some(&FailureCode::ClientError));
    assert_eq!(described.change_set()[0].error_detail_list()[0].error_code(), Some("SCAN_ERROR"));
    assert_ne!(title(&local, PRODUCT).await, "Harbor");

    catalog.plan(NextChangeSet::ServerFault {});
    let public = change("UpdateVisibility", PRODUCT, json!({ "TargetVisibility": "Public" }));
    let id = started(&local, vec![public]).await;
    assert_eq!(status(&local, &id).await, ChangeStatus::Failed, "also what would be reviewed");

    for (next, seen) in [
        (NextChangeSet::HangPreparing {}, ChangeStatus::Preparing),
        (NextChangeSet::HangApplying {}, ChangeStatus::Applying),
    ] {
        catalog.plan(next);
        let id = started(&local, vec![renamed(PRODUCT)]).await;
        local.advance(SignedDuration::from_hours(100));
        assert_eq!(status(&local, &id).await, seen);
        assert_eq!(code(start_changes(&local, vec![renamed(PRODUCT)]).await), "ResourceInUseException");
        catalog.decide(&id, decided(Verdict::Approve)).unwrap();
        assert_eq!(status(&local, &id).await, ChangeStatus::Succeeded);
    }
    let id = started(&local, vec![renamed(PRODUCT)]).await;
    assert_eq!(status(&local, &id).await, ChangeStatus::Succeeded, "the one after that goes well");
}

#[tokio::test]
async fn change_sets_are_listed_by_status_entity_name_and_time() {
    let local = start().await;
    let first = started(&local, vec![renamed(PRODUCT)]).await;
    local.advance(SignedDuration::from_mins(1));
    let named = local.catalog().start_change_set().catalog(CATALOG).change_set(renamed(OTHER)).change_set_name("mine");
    let second = named.send().await.unwrap().change_set_id.unwrap();
    local.advance(SignedDuration::from_mins(1));
    let third = started(&local, vec![change("ReleaseProduct", PRODUCT, json!({}))]).await;

    let found = async |name: &str, value: &str| -> Vec<String> {
        let filter = Filter::builder().name(name).value_list(value).build();
        let listed = local.catalog().list_change_sets().catalog(CATALOG).filter_list(filter).send().await.unwrap();
        listed.change_set_summary_list().iter().map(|it| it.change_set_id().unwrap().to_owned()).collect()
    };
    assert_eq!(found("Status", "SUCCEEDED").await, [second.as_str(), first.as_str()], "newest first");
    assert_eq!(found("Status", "FAILED").await, [third.as_str()]);
    assert_eq!(found("EntityId", PRODUCT).await, [third.as_str(), first.as_str()]);
    assert_eq!(found("ChangeSetName", "mine").await, [second.as_str()]);
    assert_eq!(found("AfterStartTime", "2026-11-30T12:00:30Z").await, [third.as_str(), second.as_str()]);
    assert_eq!(found("BeforeEndTime", "2026-11-30T12:00:30Z").await, [first.as_str()]);

    let sort = Sort::builder().sort_by("StartTime").sort_order(SortOrder::Ascending).build();
    let list = || local.catalog().list_change_sets().catalog(CATALOG).max_results(2);
    let mut pages = list().sort(sort).into_paginator().send();
    let mut ids: Vec<Vec<String>> = Vec::new();
    while let Some(page) = pages.next().await {
        ids.push(
            page.unwrap().change_set_summary_list().iter().map(|it| it.change_set_id().unwrap().to_owned()).collect(),
        );
    }
    assert_eq!(ids, [vec![first, second], vec![third]]);
    for (name, value) in [("Colour", "red"), ("Status", "LOST"), ("AfterEndTime", "soon")] {
        let filter = Filter::builder().name(name).value_list(value).build();
        assert_eq!(code(list().filter_list(filter).send().await), "ValidationException", "{name}");
    }
    assert_eq!(code(list().max_results(21).send().await), "ValidationException");
}

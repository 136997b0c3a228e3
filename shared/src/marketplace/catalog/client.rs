//! The client of the Catalog API: DescribeEntity, ListEntities, ListChangeSets.

use aws_config::SdkConfig;
use aws_sdk_marketplacecatalog::error::SdkError;
use aws_sdk_marketplacecatalog::operation::describe_entity::DescribeEntityError;
use aws_sdk_marketplacecatalog::types::{
    ChangeStatus, ChangeSummary, EntitySummary, EntityTypeFilters, Filter, OfferFilters, OfferProductIdFilter, Sort,
    SortOrder,
};
use aws_smithy_types::Document;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde_json::{Map, Number, Value};

use super::change_sets::errors;
use super::{MarketplaceError, OfferAtAws, ProductAtAws, PublicRequest, odd, read_error};
use crate::ids::ProductId;

/// The catalog that sellers' products are in.
pub(super) const CATALOG: &str = "AWSMarketplace";

/// How many entities or change sets are asked for at once.
const AT_ONCE: usize = 4;

/// How many of the offers for named accounts are asked for: they are only to be told from an offer for everyone, and a
/// seller may have hundreds.
const MOST_PRIVATE: usize = 5;

/// How many change sets are looked through for a request to become public, from the newest on.
const MOST_CHANGE_SETS: usize = 100;

/// AWS Marketplace's catalog, as its sellers read and change it.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) client: aws_sdk_marketplacecatalog::Client,
}

impl Catalog {
    /// A client of that configuration, whose region must be us-east-1: the catalog is nowhere else.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_marketplacecatalog::Client::new(config) }
    }

    /// A product, as the catalog has it now; none if this account has none of that id.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn product(&self, id: &ProductId) -> Result<Option<ProductAtAws>, MarketplaceError> {
        let details = self.details(id.as_str()).await?;
        details.map(|details| ProductAtAws::read(id.clone(), details)).transpose()
    }

    /// The offers of a product, drafts among them: every one that names no buyers, and some of those that do, at most
    /// five. One whose end has come is among them, too ([`OfferAtAws::is_public`]).
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn offers(&self, id: &ProductId) -> Result<Vec<OfferAtAws>, MarketplaceError> {
        self.offers_of(self.offer_ids(id).await?).await
    }

    /// The ids of these offers: the first half of [`offers`](Self::offers), by ListEntities alone.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn offer_ids(&self, id: &ProductId) -> Result<Vec<String>, MarketplaceError> {
        let of_product = OfferProductIdFilter::builder().value_list(id.as_str()).build();
        let filters = EntityTypeFilters::OfferFilters(OfferFilters::builder().product_id(of_product).build());
        let request = self.client.list_entities().catalog(CATALOG).entity_type("Offer").entity_type_filters(filters);
        let mut pages = request.into_paginator().send();
        let (mut ids, mut private) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            for summary in page.map_err(read_error)?.entity_summary_list() {
                private += usize::from(names_buyers(summary));
                if !names_buyers(summary) || private <= MOST_PRIVATE {
                    ids.extend(summary.entity_id().map(str::to_owned));
                }
            }
        }
        Ok(ids)
    }

    /// The offers of these ids that are there still: the second half, by DescribeEntity alone.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn offers_of(&self, ids: Vec<String>) -> Result<Vec<OfferAtAws>, MarketplaceError> {
        let offers = stream::iter(ids).map(|id| self.offer(id).boxed());
        let offers: Vec<Option<OfferAtAws>> = offers.buffered(AT_ONCE).try_collect().await?;
        Ok(offers.into_iter().flatten().collect())
    }

    /// An offer; none if it is gone since it was listed.
    async fn offer(&self, id: String) -> Result<Option<OfferAtAws>, MarketplaceError> {
        let details = self.details(&id).await?;
        details.map(|details| OfferAtAws::read(id, details)).transpose()
    }

    /// The ids of the newest 100 change sets of a product that nobody has cancelled, newest first: what
    /// [`public_request`](Self::public_request) goes through, by ListChangeSets alone.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn change_sets_of(&self, id: &ProductId) -> Result<Vec<String>, MarketplaceError> {
        let wanted = [ChangeStatus::Preparing, ChangeStatus::Applying, ChangeStatus::Succeeded, ChangeStatus::Failed];
        let wanted = wanted.iter().map(|status| status.as_str().to_owned()).collect();
        let request = self
            .client
            .list_change_sets()
            .catalog(CATALOG)
            .filter_list(Filter::builder().name("EntityId").value_list(id.as_str()).build())
            .filter_list(Filter::builder().name("Status").set_value_list(Some(wanted)).build())
            .sort(Sort::builder().sort_by("StartTime").sort_order(SortOrder::Descending).build());
        let mut pages = request.into_paginator().send();
        let mut ids: Vec<String> = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(read_error)?;
            for change_set in page.change_set_summary_list() {
                let id = change_set.change_set_id().ok_or_else(|| odd("a change set without an id"))?;
                ids.push(id.to_owned());
            }
            if ids.len() >= MOST_CHANGE_SETS {
                break;
            }
        }
        ids.truncate(MOST_CHANGE_SETS);
        Ok(ids)
    }

    /// The first of these change sets that asks that the product becomes public; none if none asks, by DescribeChangeSet
    /// alone.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn public_request(
        &self,
        id: &ProductId,
        change_sets: Vec<String>,
    ) -> Result<Option<PublicRequest>, MarketplaceError> {
        // Ordered, and no more is asked than is needed for the first that is found.
        let asked = change_sets.into_iter().map(|change_set| self.asks_for_public(id, change_set).boxed());
        let mut asked = stream::iter(asked).buffered(AT_ONCE);
        while let Some(asked) = asked.next().await {
            if let Some(request) = asked? {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    /// What a change set asks, if that is that the product becomes public.
    async fn asks_for_public(
        &self,
        product: &ProductId,
        id: String,
    ) -> Result<Option<PublicRequest>, MarketplaceError> {
        let described = self.describe_change_set(&id).await?;
        if !described.change_set().iter().any(|change| makes_public(product, change)) {
            return Ok(None);
        }
        let started = described.start_time().and_then(|at| at.parse().ok());
        let at = started.ok_or_else(|| odd(format!("no start of the change set {id}")))?;
        let refused = (described.status() == Some(&ChangeStatus::Failed)).then(|| {
            let errors = described.change_set().iter().flat_map(errors).map(|error| error.message);
            let said: Vec<String> = errors.chain(described.failure_description().map(str::to_owned)).collect();
            said.join(" ")
        });
        Ok(Some(PublicRequest { at, refused }))
    }

    /// The details of an entity; none if this account has none of that id.
    async fn details(&self, id: &str) -> Result<Option<Value>, MarketplaceError> {
        let answer = match self.client.describe_entity().catalog(CATALOG).entity_id(id).send().await {
            Ok(answer) => answer,
            Err(error) if is_unknown(&error) => return Ok(None),
            Err(error) => return Err(read_error(error)),
        };
        let details = details(answer.details(), answer.details_document());
        details.map(Some).ok_or_else(|| odd(format!("no details of {id} that can be read")))
    }
}

fn is_unknown<R>(error: &SdkError<DescribeEntityError, R>) -> bool {
    error.as_service_error().is_some_and(DescribeEntityError::is_resource_not_found_exception)
}

fn names_buyers(summary: &EntitySummary) -> bool {
    summary.offer_summary().is_some_and(|offer| !offer.buyer_accounts().is_empty())
}

fn makes_public(product: &ProductId, change: &ChangeSummary) -> bool {
    // An entity is named with its revision: prod-abc@7.
    let is_of_product = change
        .entity()
        .and_then(|entity| entity.identifier())
        .is_some_and(|id| id.split_once('@').map_or(id, |(id, _)| id) == product.as_str());
    let wanted = details(change.details(), change.details_document());
    let wanted = wanted.as_ref().and_then(|details| details.get("TargetVisibility")).and_then(Value::as_str);
    is_of_product && change.change_type() == Some("UpdateVisibility") && wanted == Some("Public")
}

/// Details come as a text or as a document, as whoever wrote them chose.
fn details(text: Option<&str>, document: Option<&Document>) -> Option<Value> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => serde_json::from_str(text).ok(),
        None => document.map(value),
    }
}

fn value(document: &Document) -> Value {
    match document {
        Document::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), value(member))).collect::<Map<_, _>>())
        }
        Document::Array(items) => Value::Array(items.iter().map(value).collect()),
        Document::Number(aws_smithy_types::Number::PosInt(number)) => Value::from(*number),
        Document::Number(aws_smithy_types::Number::NegInt(number)) => Value::from(*number),
        Document::Number(aws_smithy_types::Number::Float(number)) => Number::from_f64(*number).into(),
        Document::String(text) => Value::String(text.clone()),
        Document::Bool(yes) => Value::Bool(*yes),
        Document::Null => Value::Null,
    }
}

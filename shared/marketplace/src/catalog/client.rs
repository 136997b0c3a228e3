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

use super::change_errors::errors;
use super::details::{read_offer, read_product};
use crate::{MarketplaceError, read_error, unexpected};
use domain::catalog::{OfferAtAws, ProductAtAws, PublicRequest};
use domain::ids::ProductId;

/// The name of the catalog that contains the sellers' products.
pub(super) const CATALOG: &str = "AWSMarketplace";

/// The most entities or change sets that are requested concurrently.
const MAX_CONCURRENT_REQUESTS: usize = 4;

/// The most offers for named accounts that are requested. They only have to be told apart from an offer for everyone,
/// and a seller may have hundreds.
const MAX_PRIVATE_OFFERS: usize = 5;

/// The most change sets that are searched for a request to become public, newest first.
const MAX_CHANGE_SETS: usize = 100;

/// A client of AWS Marketplace's catalog, as its sellers read and change it.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) client: aws_sdk_marketplacecatalog::Client,
}

impl Catalog {
    /// Creates a client with a configuration whose region must be us-east-1, the only region of the catalog.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_marketplacecatalog::Client::new(config) }
    }

    /// Returns a product, as the catalog has it now; `None` if this account has no product of this id.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn product(&self, id: &ProductId) -> Result<Option<ProductAtAws>, MarketplaceError> {
        let details = self.details(id.as_str()).await?;
        details.map(|details| read_product(id.clone(), details)).transpose()
    }

    /// Returns the offers of a product, drafts included: every offer that names no buyers, and at most five of those
    /// that do. Expired offers are included, too; see [`OfferAtAws::is_public`].
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn offers(&self, id: &ProductId) -> Result<Vec<OfferAtAws>, MarketplaceError> {
        self.offers_of(self.offer_ids(id).await?).await
    }

    /// Returns the ids of these offers: the first half of [`offers`](Self::offers), with ListEntities alone.
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
                if !names_buyers(summary) || private <= MAX_PRIVATE_OFFERS {
                    ids.extend(summary.entity_id().map(str::to_owned));
                }
            }
        }
        Ok(ids)
    }

    /// Returns the offers of these ids that still exist: the second half of [`offers`](Self::offers), with
    /// DescribeEntity alone.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn offers_of(&self, ids: Vec<String>) -> Result<Vec<OfferAtAws>, MarketplaceError> {
        let offers = stream::iter(ids).map(|id| self.offer(id).boxed());
        let offers: Vec<Option<OfferAtAws>> = offers.buffered(MAX_CONCURRENT_REQUESTS).try_collect().await?;
        Ok(offers.into_iter().flatten().collect())
    }

    /// Returns an offer; `None` if it no longer exists.
    async fn offer(&self, id: String) -> Result<Option<OfferAtAws>, MarketplaceError> {
        let details = self.details(&id).await?;
        details.map(|details| read_offer(id, details)).transpose()
    }

    /// Returns the ids of the newest 100 change sets of a product that are not cancelled, newest first, for
    /// [`public_request`](Self::public_request) to search. It calls ListChangeSets alone.
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
                let id = change_set.change_set_id().ok_or_else(|| unexpected("a change set without an id"))?;
                ids.push(id.to_owned());
            }
            if ids.len() >= MAX_CHANGE_SETS {
                break;
            }
        }
        ids.truncate(MAX_CHANGE_SETS);
        Ok(ids)
    }

    /// Returns the first of these change sets that requests that the product becomes public; `None` if there is none.
    /// It calls DescribeChangeSet alone.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn public_request(
        &self,
        id: &ProductId,
        change_sets: Vec<String>,
    ) -> Result<Option<PublicRequest>, MarketplaceError> {
        // In order; the search stops at the first that is found.
        let asked = change_sets.into_iter().map(|change_set| self.asks_for_public(id, change_set).boxed());
        let mut asked = stream::iter(asked).buffered(MAX_CONCURRENT_REQUESTS);
        while let Some(asked) = asked.next().await {
            if let Some(request) = asked? {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    /// Returns the request that the product becomes public, if a change set contains it.
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
        let at = started.ok_or_else(|| unexpected(format!("no start of the change set {id}")))?;
        let refused = (described.status() == Some(&ChangeStatus::Failed)).then(|| {
            let errors = described.change_set().iter().flat_map(errors).map(|error| error.message);
            let said: Vec<String> = errors.chain(described.failure_description().map(str::to_owned)).collect();
            said.join(" ")
        });
        Ok(Some(PublicRequest { at, refused }))
    }

    /// Returns the details of an entity; `None` if this account has no entity of this id.
    async fn details(&self, id: &str) -> Result<Option<Value>, MarketplaceError> {
        let answer = match self.client.describe_entity().catalog(CATALOG).entity_id(id).send().await {
            Ok(answer) => answer,
            Err(error) if is_unknown(&error) => return Ok(None),
            Err(error) => return Err(read_error(error)),
        };
        let details = details(answer.details(), answer.details_document());
        details.map(Some).ok_or_else(|| unexpected(format!("no details of {id} that can be read")))
    }
}

fn is_unknown<R>(error: &SdkError<DescribeEntityError, R>) -> bool {
    error.as_service_error().is_some_and(DescribeEntityError::is_resource_not_found_exception)
}

fn names_buyers(summary: &EntitySummary) -> bool {
    summary.offer_summary().is_some_and(|offer| !offer.buyer_accounts().is_empty())
}

fn makes_public(product: &ProductId, change: &ChangeSummary) -> bool {
    // The identifier of an entity includes its revision: prod-abc@7.
    let is_of_product = change
        .entity()
        .and_then(|entity| entity.identifier())
        .is_some_and(|id| id.split_once('@').map_or(id, |(id, _)| id) == product.as_str());
    let wanted = details(change.details(), change.details_document());
    let wanted = wanted.as_ref().and_then(|details| details.get("TargetVisibility")).and_then(Value::as_str);
    is_of_product && change.change_type() == Some("UpdateVisibility") && wanted == Some("Public")
}

/// Reads details, which are a text or a document, depending on the client that wrote them.
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

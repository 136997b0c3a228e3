//! Change sets: starting one, and reading its status.

use aws_sdk_marketplacecatalog::error::ProvideErrorMetadata;
use aws_sdk_marketplacecatalog::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_marketplacecatalog::types::{Change as SentChange, ChangeStatus, Entity, FailureCode, Filter};
use jiff::Timestamp;
use serde::Serialize;
use ulid::Ulid;

use super::change_errors::{ChangeError, errors};
use super::client::{CATALOG, Catalog};
use super::plan::{Change, ChangeSet, Target};
use crate::{MarketplaceError, read_error, unexpected};

/// The name of the change that creates an offer, by which the other changes of its change set refer to the offer.
const NEW_OFFER: &str = "CreateOffer";

/// A change set in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeSetAtAws {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// The time at which it was started.
    pub started: Option<Timestamp>,
    /// The reason why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// The status of a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// AWS is checking it, and it can be cancelled.
    Preparing,
    /// AWS is applying it.
    Applying,
    /// All of its changes are applied.
    Succeeded,
    /// Cancelled on request; none of its changes is applied.
    Cancelled,
    /// Failed; none of its changes is applied.
    Failed,
}

impl Status {
    /// Returns the name that AWS uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "PREPARING",
            Self::Applying => "APPLYING",
            Self::Succeeded => "SUCCEEDED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }

    fn read(status: Option<&ChangeStatus>) -> Result<Self, MarketplaceError> {
        match status {
            Some(ChangeStatus::Preparing) => Ok(Self::Preparing),
            Some(ChangeStatus::Applying) => Ok(Self::Applying),
            Some(ChangeStatus::Succeeded) => Ok(Self::Succeeded),
            Some(ChangeStatus::Cancelled) => Ok(Self::Cancelled),
            Some(ChangeStatus::Failed) => Ok(Self::Failed),
            other => Err(unexpected(format!("a change set's status {other:?}"))),
        }
    }
}

/// The reason why a change set has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// `true` if AWS reports that the fault is its own.
    pub is_fault_of_aws: bool,
    /// AWS's description of the whole failure.
    pub description: Option<String>,
    /// The errors of each change.
    pub errors: Vec<ChangeError>,
}

/// The reason why a change set was not started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// Another change set is in progress on the same entities.
    #[error("another change set is being applied: {0}")]
    Held(String),
    /// AWS does not accept it in this form, or from this account.
    #[error("AWS Marketplace refused the change set: {code}: {message}")]
    Refused {
        /// AWS's error code.
        code: String,
        /// AWS's error message.
        message: String,
    },
    /// AWS could not accept it this time.
    #[error(transparent)]
    Later(MarketplaceError),
}

impl Catalog {
    /// Starts a change set and returns its id. The entities that it changes are locked for others until it ends.
    ///
    /// # Errors
    ///
    /// See [`NotStarted`].
    pub async fn start(&self, change_set: &ChangeSet) -> Result<String, NotStarted> {
        let changes = change_set.changes.iter().map(sent).collect::<Result<_, _>>().map_err(NotStarted::Later)?;
        let request = self.client.start_change_set().catalog(CATALOG).change_set_name(&change_set.name);
        // An attempt whose answer is lost may have started it; the next attempt then gets the same answer.
        let request = request.client_request_token(Ulid::generate().to_string()).set_change_set(Some(changes));
        let started = request.send().await.map_err(|error| {
            let message = error.message().unwrap_or_default().to_owned();
            match error.code() {
                Some("ResourceInUseException") => NotStarted::Held(message),
                Some(
                    code @ ("AccessDeniedException"
                    | "ValidationException"
                    | "ResourceNotFoundException"
                    | "ServiceQuotaExceededException"),
                ) => NotStarted::Refused { code: code.to_owned(), message },
                _ => NotStarted::Later(read_error(error)),
            }
        })?;
        let id = started.change_set_id().map(str::to_owned);
        id.ok_or_else(|| NotStarted::Later(unexpected("no id of the change set that it has started")))
    }

    /// Returns the status of a change set.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn change_set(&self, id: &str) -> Result<ChangeSetAtAws, MarketplaceError> {
        let described = self.describe_change_set(id).await?;
        let status = Status::read(described.status())?;
        Ok(ChangeSetAtAws {
            id: id.to_owned(),
            name: described.change_set_name().unwrap_or_default().to_owned(),
            status,
            started: described.start_time().and_then(|at| at.parse().ok()),
            failure: (status == Status::Failed).then(|| Failure {
                is_fault_of_aws: described.failure_code() == Some(&FailureCode::ServerFault),
                description: described.failure_description().map(str::to_owned),
                errors: described.change_set().iter().flat_map(errors).collect(),
            }),
        })
    }

    /// Returns the change sets in progress on an entity.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn at_work(&self, entity: &str) -> Result<Vec<ChangeSetAtAws>, MarketplaceError> {
        let open = [ChangeStatus::Preparing, ChangeStatus::Applying].map(|status| status.as_str().to_owned());
        let request = self
            .client
            .list_change_sets()
            .catalog(CATALOG)
            .filter_list(Filter::builder().name("EntityId").value_list(entity).build())
            .filter_list(Filter::builder().name("Status").set_value_list(Some(open.into())).build());
        let listed = request.send().await.map_err(read_error)?;
        let read = |line: &aws_sdk_marketplacecatalog::types::ChangeSetSummaryListItem| {
            Ok(ChangeSetAtAws {
                id: line.change_set_id().unwrap_or_default().to_owned(),
                name: line.change_set_name().unwrap_or_default().to_owned(),
                status: Status::read(line.status())?,
                started: line.start_time().and_then(|at| at.parse().ok()),
                failure: None,
            })
        };
        listed.change_set_summary_list().iter().map(read).collect()
    }

    pub(super) async fn describe_change_set(&self, id: &str) -> Result<DescribeChangeSetOutput, MarketplaceError> {
        self.client.describe_change_set().catalog(CATALOG).change_set_id(id).send().await.map_err(read_error)
    }
}

fn sent(change: &Change) -> Result<SentChange, MarketplaceError> {
    let creates = change.change_type == NEW_OFFER;
    let identifier = match &change.entity {
        Target::Product(id) | Target::Offer(id) => Some(id.clone()),
        Target::NewOffer if creates => None,
        Target::NewOffer => Some(format!("${NEW_OFFER}.Entity.Identifier")),
    };
    let entity = Entity::builder().r#type(change.entity.entity_type()).set_identifier(identifier).build();
    let sent = SentChange::builder()
        .change_type(change.change_type)
        .entity(entity.map_err(unexpected)?)
        .set_change_name(creates.then(|| NEW_OFFER.to_owned()))
        .details(change.details.to_string());
    sent.build().map_err(unexpected)
}

//! The reasons for which the local AWS refuses a request of an operator or a test.

use marketplace_ids::{AgreementId, DimensionKey, InvalidId, ProductCode};

/// A refused request, with a stable [code](ControlError::code) and a sentence that names what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No product has that product code.
    #[error("there is no product with the product code `{product}`; the products are: {known}")]
    ProductUnknown {
        /// The requested product code.
        product: ProductCode,
        /// The known product codes.
        known: String,
    },
    /// The product has no such dimension.
    #[error("the product has no dimension `{dimension}`; its entitled dimensions are: {known}")]
    DimensionUnknown {
        /// The requested dimension.
        dimension: DimensionKey,
        /// The entitled dimensions of the product.
        known: String,
    },
    /// The dimension is only metered, so buyers cannot buy an amount of it.
    #[error("dimension `{dimension}` is metered: an amount of it cannot be bought in advance")]
    DimensionNotEntitled {
        /// The requested dimension.
        dimension: DimensionKey,
    },
    /// A contract purchase has no amount for any dimension.
    #[error("a contract needs a value for at least one of its entitled dimensions: {known}")]
    ValueMissing {
        /// The entitled dimensions of the product.
        known: String,
    },
    /// The value has no type that an entitlement supports.
    #[error("the value of `{dimension}` must be a number from 0 to 2147483647, true, false or a text")]
    ValueInvalid {
        /// The dimension that the value is for.
        dimension: DimensionKey,
    },
    /// A buyer can hold only one subscription of a legacy product at a time.
    #[error("this account is already subscribed to this product by agreement `{agreement}`")]
    AlreadySubscribed {
        /// The agreement that is in force.
        agreement: AgreementId,
    },
    /// The agreement does not exist.
    #[error("there is no agreement `{agreement}`")]
    AgreementUnknown {
        /// The requested agreement.
        agreement: AgreementId,
    },
    /// The agreement has ended, or its successor already exists.
    #[error("agreement `{agreement}` is no longer active")]
    AgreementNotActive {
        /// The requested agreement.
        agreement: AgreementId,
    },
    /// An agreement that is paid by use has no end date at which it could renew.
    #[error("agreement `{agreement}` is paid by use: it has no end date and never renews")]
    NothingToRenew {
        /// The requested agreement.
        agreement: AgreementId,
    },
    /// The local AWS does not serve this service.
    #[error("there is no service `{given}`; the services are: {allowed}")]
    ServiceUnknown {
        /// The requested service.
        given: String,
        /// The services that the local AWS serves.
        allowed: String,
    },
    /// The service does not have this operation.
    #[error("there is no operation `{given}`; the operations are: *, {allowed}")]
    OperationUnknown {
        /// The requested operation.
        given: String,
        /// The operations of the service.
        allowed: String,
    },
    /// The kind of fault does not exist.
    #[error("there is no kind of fault `{given}`; the kinds are: {allowed}")]
    KindUnknown {
        /// The requested kind.
        given: String,
        /// The kinds that exist.
        allowed: String,
    },
    /// A fault of this kind cannot affect that operation.
    #[error("a fault of the kind `{kind}` cannot affect {operation}; it can affect: {fitting}")]
    KindUnfit {
        /// The kind.
        kind: &'static str,
        /// The operation of the fault.
        operation: String,
        /// The operations that the kind can affect.
        fitting: &'static str,
    },
    /// The fault plan cannot be read.
    #[error("the fault plan cannot be read: {problem}")]
    FaultMalformed {
        /// The problem.
        problem: String,
    },
    /// The behavior has no such option.
    #[error("there is no option `{given}`; the options are: {allowed}")]
    BehaviorUnknown {
        /// The requested option.
        given: String,
        /// The options that exist.
        allowed: String,
    },
    /// The value is invalid for the option.
    #[error("{option} cannot be read: {problem}")]
    BehaviorInvalid {
        /// The option.
        option: String,
        /// The problem.
        problem: String,
    },
    /// The product does not have this metered dimension.
    #[error("the product has no metered dimension `{dimension}`; its metered dimensions are: {known}")]
    DimensionNotMetered {
        /// The requested dimension.
        dimension: DimensionKey,
        /// The metered dimensions of the product.
        known: String,
    },
    /// The catalog does not have this entity.
    #[error("the catalog has no entity `{given}`; its entities are: {known}")]
    EntityUnknown {
        /// The requested entity.
        given: String,
        /// The entities of the catalog.
        known: String,
    },
    /// The change set does not exist.
    #[error("there is no change set `{given}`")]
    ChangeSetUnknown {
        /// The requested change set.
        given: String,
    },
    /// The change set runs by the clock, or has ended.
    #[error("change set `{change_set}` does not wait for a decision: it is {status}")]
    ChangeSetDoesNotWait {
        /// The change set.
        change_set: String,
        /// The status of the change set.
        status: &'static str,
    },
    /// The local AWS itself failed: it made an invalid id.
    #[error("the local AWS generated an invalid id: {0}")]
    Internal(#[from] InvalidId),
}

impl ControlError {
    /// Returns a code that stays the same when the sentence changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ProductUnknown { .. } => "product_unknown",
            Self::DimensionUnknown { .. } => "dimension_unknown",
            Self::DimensionNotEntitled { .. } => "dimension_not_entitled",
            Self::ValueMissing { .. } => "value_missing",
            Self::ValueInvalid { .. } => "value_invalid",
            Self::AlreadySubscribed { .. } => "already_subscribed",
            Self::AgreementUnknown { .. } => "agreement_unknown",
            Self::AgreementNotActive { .. } => "agreement_not_active",
            Self::NothingToRenew { .. } => "nothing_to_renew",
            Self::ServiceUnknown { .. } => "service_unknown",
            Self::OperationUnknown { .. } => "operation_unknown",
            Self::KindUnknown { .. } => "kind_unknown",
            Self::KindUnfit { .. } => "kind_unfit",
            Self::FaultMalformed { .. } => "fault_malformed",
            Self::BehaviorUnknown { .. } => "behavior_unknown",
            Self::BehaviorInvalid { .. } => "behavior_invalid",
            Self::DimensionNotMetered { .. } => "dimension_not_metered",
            Self::EntityUnknown { .. } => "entity_unknown",
            Self::ChangeSetUnknown { .. } => "change_set_unknown",
            Self::ChangeSetDoesNotWait { .. } => "change_set_does_not_wait",
            Self::Internal(_) => "internal",
        }
    }
}

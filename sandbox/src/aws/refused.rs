//! Why the sandbox does not do what a person or a test asked of it.

use stallkeeper::ids::{AgreementId, DimensionKey, InvalidId, ProductCode};

/// What was asked cannot be done, with a stable [code](Refused::code) and a sentence that says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No listing has that product code.
    #[error("no listing has the product code `{product}`; the listings are: {known}")]
    ProductUnknown {
        /// What was asked for.
        product: ProductCode,
        /// The product codes that there are.
        known: String,
    },
    /// The listing has no such dimension.
    #[error("the product has no dimension `{dimension}`; its entitled dimensions are: {known}")]
    DimensionUnknown {
        /// What was asked for.
        dimension: DimensionKey,
        /// The entitled dimensions that there are.
        known: String,
    },
    /// The dimension is only metered, so nobody buys an amount of it.
    #[error("dimension `{dimension}` is metered, nobody buys an amount of it in advance")]
    DimensionNotEntitled {
        /// What was asked for.
        dimension: DimensionKey,
    },
    /// A contract was to be bought without an amount of anything.
    #[error("a contract needs a value for at least one of its entitled dimensions: {known}")]
    ValueMissing {
        /// The entitled dimensions that there are.
        known: String,
    },
    /// The value has no type that an entitlement can have.
    #[error("the value of `{dimension}` must be a number from 0 to 2147483647, true, false or a text")]
    ValueInvalid {
        /// Whose value it is.
        dimension: DimensionKey,
    },
    /// A buyer holds one subscription of a legacy product at a time.
    #[error("this account is already subscribed to this product by agreement `{agreement}`")]
    AlreadySubscribed {
        /// The agreement that is in force.
        agreement: AgreementId,
    },
    /// There is no such agreement.
    #[error("there is no agreement `{agreement}`")]
    AgreementUnknown {
        /// What was asked for.
        agreement: AgreementId,
    },
    /// The agreement has ended, or its successor is already made.
    #[error("agreement `{agreement}` is no longer active")]
    AgreementNotActive {
        /// What was asked for.
        agreement: AgreementId,
    },
    /// An agreement that is paid by use has no end date at which it could renew.
    #[error("agreement `{agreement}` is paid by use: it has no end date and never renews")]
    NothingToRenew {
        /// What was asked for.
        agreement: AgreementId,
    },
    /// The sandbox serves no such service.
    #[error("there is no service `{given}`; the services are: {allowed}")]
    ServiceUnknown {
        /// What was asked for.
        given: String,
        /// The services that there are.
        allowed: String,
    },
    /// The service has no such operation.
    #[error("there is no operation `{given}`; the operations are: *, {allowed}")]
    OperationUnknown {
        /// What was asked for.
        given: String,
        /// The operations that there are.
        allowed: String,
    },
    /// There is no such kind of fault.
    #[error("there is no kind of fault `{given}`; the kinds are: {allowed}")]
    KindUnknown {
        /// What was asked for.
        given: String,
        /// The kinds that there are.
        allowed: String,
    },
    /// A fault of this kind cannot strike that operation.
    #[error("a fault of the kind `{kind}` cannot strike {operation}; it fits: {fitting}")]
    KindUnfit {
        /// The kind.
        kind: &'static str,
        /// What it was to strike.
        operation: String,
        /// What it can strike.
        fitting: &'static str,
    },
    /// The fault plan is not one.
    #[error("the fault plan cannot be read: {problem}")]
    FaultMalformed {
        /// What is wrong.
        problem: String,
    },
    /// There is no such reading.
    #[error("there is no reading `{given}`; the readings are: {allowed}")]
    ReadingUnknown {
        /// What was asked for.
        given: String,
        /// The readings that there are.
        allowed: String,
    },
    /// A reading cannot have that value.
    #[error("{reading} cannot be read: {problem}")]
    ReadingInvalid {
        /// Which.
        reading: String,
        /// What is wrong.
        problem: String,
    },
    /// The product has no such dimension that is metered.
    #[error("the product has no metered dimension `{dimension}`; its metered dimensions are: {known}")]
    DimensionNotMetered {
        /// What was asked for.
        dimension: DimensionKey,
        /// The metered dimensions that there are.
        known: String,
    },
    /// The catalog has no such entity.
    #[error("the catalog has no entity `{given}`; its entities are: {known}")]
    EntityUnknown {
        /// What was asked for.
        given: String,
        /// The entities that there are.
        known: String,
    },
    /// There is no such change set.
    #[error("there is no change set `{given}`")]
    ChangeSetUnknown {
        /// What was asked for.
        given: String,
    },
    /// The change set goes by the clock, or is over.
    #[error("change set `{change_set}` waits for nobody: it is {status}")]
    ChangeSetDoesNotWait {
        /// Which.
        change_set: String,
        /// How far it has come.
        status: &'static str,
    },
    /// A stack cannot be wired so.
    #[error("the stack cannot be wired so: {problem}")]
    WiringInvalid {
        /// What is wrong.
        problem: String,
    },
    /// The sandbox itself failed.
    #[error("the sandbox made a name that is none: {0}")]
    Internal(#[from] InvalidId),
}

impl Refused {
    /// A code that stays the same when the sentence is worded anew.
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
            Self::ReadingUnknown { .. } => "reading_unknown",
            Self::ReadingInvalid { .. } => "reading_invalid",
            Self::DimensionNotMetered { .. } => "dimension_not_metered",
            Self::EntityUnknown { .. } => "entity_unknown",
            Self::ChangeSetUnknown { .. } => "change_set_unknown",
            Self::ChangeSetDoesNotWait { .. } => "change_set_does_not_wait",
            Self::WiringInvalid { .. } => "wiring_invalid",
            Self::Internal(_) => "internal",
        }
    }
}

//! The steps of the listing process, in their order.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::listing::Stage;

/// A step of the listing process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The seller is registered at AWS Marketplace.
    Registration,
    /// Buyers can read who the seller is.
    PublicProfile,
    /// AWS knows where to pay to, and what is taxed.
    BankAndTax,
    /// The stack is deployed and healthy.
    Prepared,
    /// The product is at AWS, as it is described.
    Registered,
    /// AWS reaches the stack, and the stack AWS.
    Integrated,
    /// It was seen to work.
    Verified,
    /// AWS was asked to make it public.
    ReviewRequested,
    /// Everybody can buy it.
    Published,
}

/// The party that resolves a check. `seller`: in the AWS Marketplace Management Portal. `operator`: in the stack.
/// `developer`: in the application. `aws`: AWS's reviewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckActor)]
pub enum Actor {
    /// Who sells, in the AWS Marketplace Management Portal.
    Seller,
    /// Who runs the stack.
    Operator,
    /// Who develops the application.
    Developer,
    /// AWS's reviewers.
    Aws,
}

/// The outcome of a check. A check that could not be made is `unknown`, and never passes. `attested`: a person attests
/// that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckOutcome)]
pub enum Outcome {
    /// Seen, and as it must be.
    Pass,
    /// Seen, and not so.
    Fail,
    /// It could not be looked at, or what was seen does not tell.
    Unknown,
    /// A person says that it is so.
    Attested,
}

impl Outcome {
    /// Whether a step can rest on it.
    pub fn holds(self) -> bool {
        match self {
            Self::Pass | Self::Attested => true,
            Self::Fail | Self::Unknown => false,
        }
    }
}

/// The state of a step. `done`: every required check of it passes. `ready`: it is the next to do. `failing`: something
/// is wrong. `waiting`: an earlier step is not done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReadinessStepState)]
pub enum StepState {
    /// All that it rests on holds.
    Done,
    /// It is its turn.
    Ready,
    /// Something that was done is wrong.
    Failing,
    /// An earlier step is not done yet.
    Waiting,
}

impl Step {
    /// Every step, in their order.
    pub const ALL: [Self; 9] = [
        Self::Registration,
        Self::PublicProfile,
        Self::BankAndTax,
        Self::Prepared,
        Self::Registered,
        Self::Integrated,
        Self::Verified,
        Self::ReviewRequested,
        Self::Published,
    ];

    /// Whether a stack of that stage goes through it: the test phase ends when it was seen to work.
    pub fn is_in(self, stage: Stage) -> bool {
        stage == Stage::Production || !matches!(self, Self::ReviewRequested | Self::Published)
    }

    /// Its id in a report of that stage.
    pub fn id(self, stage: Stage) -> &'static str {
        let of_phase = |test: &'static str, production: &'static str| match stage {
            Stage::Staging => test,
            Stage::Production => production,
        };
        match self {
            Self::Registration => "seller.registration",
            Self::PublicProfile => "seller.public_profile",
            Self::BankAndTax => "seller.bank_and_tax",
            Self::Prepared => of_phase("test.product_prepared", "production.product_prepared"),
            Self::Registered => of_phase("test.product_registered", "production.product_registered"),
            Self::Integrated => of_phase("test.api_integrated", "production.api_integrated"),
            Self::Verified => of_phase("test.integration_verified", "production.integration_verified"),
            Self::ReviewRequested => "production.final_review_requested",
            Self::Published => "production.published",
        }
    }

    /// The id of its texts, which both phases share.
    pub fn message(self) -> &'static str {
        match self {
            Self::Registration => "step-registration",
            Self::PublicProfile => "step-public-profile",
            Self::BankAndTax => "step-bank-and-tax",
            Self::Prepared => "step-prepared",
            Self::Registered => "step-registered",
            Self::Integrated => "step-integrated",
            Self::Verified => "step-verified",
            Self::ReviewRequested => "step-review-requested",
            Self::Published => "step-published",
        }
    }
}

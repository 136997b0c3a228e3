//! The steps of the listing process, in order.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use domain::listing::Stage;

/// A step of the listing process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The seller is registered on AWS Marketplace.
    Registration,
    /// Buyers can read the seller's public profile.
    PublicProfile,
    /// AWS has the seller's bank account and tax information.
    BankAndTax,
    /// The stack is deployed and healthy.
    Prepared,
    /// The product is in AWS, as it is described.
    Registered,
    /// AWS reaches the stack, and the stack reaches AWS.
    Integrated,
    /// It was observed to work.
    Verified,
    /// AWS was asked to make it public.
    ReviewRequested,
    /// Every buyer can buy it.
    Published,
}

/// The party that resolves a check. `seller`: in the AWS Marketplace Management Portal. `operator`: in the stack.
/// `developer`: in the application. `aws`: AWS's reviewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckActor)]
pub enum Actor {
    /// The seller, in the AWS Marketplace Management Portal.
    Seller,
    /// The operator of the stack.
    Operator,
    /// The developer of the application.
    Developer,
    /// AWS's reviewers.
    Aws,
}

/// The outcome of a check. A check that could not be made is `unknown`, and never passes. `attested`: an operator attests
/// that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckOutcome)]
pub enum Outcome {
    /// The facts are as they must be.
    Pass,
    /// The facts are not as they must be.
    Fail,
    /// The facts could not be observed, or are not sufficient.
    Unknown,
    /// It is attested.
    Attested,
}

impl Outcome {
    /// Returns `true` if a step can be done with this outcome.
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
    /// Every required check of it holds.
    Done,
    /// All earlier steps are done, and it is next.
    Ready,
    /// Something that was done is wrong.
    Failing,
    /// An earlier step is not done yet.
    Waiting,
}

impl Step {
    /// Every step, in order.
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

    /// Returns `true` if the process in a stage has this step: the test phase ends when the integration is verified.
    pub fn is_in(self, stage: Stage) -> bool {
        stage == Stage::Production || !matches!(self, Self::ReviewRequested | Self::Published)
    }

    /// Returns its id in a report of a stage.
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

    /// Returns the id of its texts, which both phases share.
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

//! The points of a review, and the reviewer's opinions of them.

use domain::ids::{AccountId, ProductCode};
use domain::listing::{Dimension, Listing, Stage};
use jiff::Timestamp;
use local_aws::ChangeSetOverview;
use serde::Serialize;

/// A point of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// The product's texts, logo, support and registration URL.
    ListingComplete,
    /// The terms and prices of the offer to everyone.
    OfferComplete,
    /// The rule or the topics that deliver AWS's events to the seller.
    EventsDelivered,
    /// The registration URL opens over HTTPS.
    OverHttps,
    /// The answer to a token that AWS did not issue.
    InvalidToken,
    /// The reviewer can buy it.
    CanSubscribe,
    /// The registration URL accepts the token of the purchase.
    TokenAccepted,
    /// The token was resolved with AWS immediately.
    TokenResolved,
    /// The token is in no cookie and in no address.
    TokenNotExposed,
    /// The page can be read in English.
    InEnglish,
    /// The page asks for the buyer's mail address.
    AsksForEmail,
    /// The page names a support contact.
    NamesSupport,
    /// The page lets a buyer with an account sign in.
    ExistingAccountSignIn,
    /// A buyer who left the page without filling it in gets it again.
    CanReturn,
    /// A buyer who fills in the page is sent to the application.
    Registers,
    /// The application gives the buyer access without help.
    SignsUp,
    /// The application shows what was bought.
    ShowsSubscription,
    /// The seller asked AWS for the entitlements of its buyers.
    EntitlementsRead,
    /// The seller reported usage, and AWS accepted it.
    UsageReported,
}

impl Point {
    pub(super) const ALL: [Self; 19] = [
        Self::ListingComplete,
        Self::OfferComplete,
        Self::EventsDelivered,
        Self::OverHttps,
        Self::InvalidToken,
        Self::CanSubscribe,
        Self::TokenAccepted,
        Self::TokenResolved,
        Self::TokenNotExposed,
        Self::InEnglish,
        Self::AsksForEmail,
        Self::NamesSupport,
        Self::ExistingAccountSignIn,
        Self::CanReturn,
        Self::Registers,
        Self::SignsUp,
        Self::ShowsSubscription,
        Self::EntitlementsRead,
        Self::UsageReported,
    ];

    /// Returns the requirement in a sentence, and the auditor's checks of the same thing.
    pub(super) fn requirement(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::ListingComplete => (
                "The listing has its texts, a logo, support and a registration URL.",
                &["listing.description_complete", "listing.logo", "listing.support_text", "listing.fulfillment_url"],
            ),
            Self::OfferComplete => (
                "Everyone is offered terms, a refund policy and a price above zero.",
                &["listing.eula", "listing.refund_policy", "listing.price_positive", "listing.not_private_only"],
            ),
            Self::EventsDelivered => (
                "AWS's events of agreements and licenses are delivered to the seller.",
                &["wiring.eventbridge_rule", "wiring.sns_subscription"],
            ),
            Self::OverHttps => (
                "The registration URL opens over HTTPS.",
                &["page.https", "page.accepts_post", "listing.fulfillment_url"],
            ),
            Self::InvalidToken => (
                "A token that AWS did not issue gets a page with instructions, and no server error.",
                &["page.accepts_post", "page.bad_token_explained"],
            ),
            Self::CanSubscribe => ("The product can be subscribed to.", &["listing.found"]),
            Self::TokenAccepted => {
                ("The registration URL accepts a buyer's token within 10 seconds.", &["page.accepts_post"])
            }
            Self::TokenResolved => (
                "ResolveCustomer is called as soon as the token arrives.",
                &["evidence.token_resolved", "wiring.permissions"],
            ),
            Self::TokenNotExposed => ("The token is in no cookie and in no address.", &[]),
            Self::InEnglish => ("The registration page can be read in English.", &["page.english"]),
            Self::AsksForEmail => ("The registration page asks for the buyer's mail address.", &["page.email_field"]),
            Self::NamesSupport => ("The registration page names a support contact.", &["page.support_contact"]),
            Self::ExistingAccountSignIn => {
                ("A buyer who has an account can sign in from the registration page.", &["page.existing_account_link"])
            }
            Self::CanReturn => ("A buyer who left the page unfinished gets it again.", &["page.accepts_post"]),
            Self::Registers => {
                ("Any mail address will do, and the buyer is sent on to the application.", &["app.self_signup"])
            }
            Self::SignsUp => ("The buyer gets into the application immediately, without help.", &["app.self_signup"]),
            Self::ShowsSubscription => ("The application shows what was bought.", &["app.plan_visible"]),
            Self::EntitlementsRead => {
                ("GetEntitlements was called for the product in the last 7 days.", &["evidence.entitlement_read"])
            }
            Self::UsageReported => {
                ("BatchMeterUsage accepted usage of the product in the last 7 days.", &["evidence.usage_accepted"])
            }
        }
    }

    /// Returns `true` if the point applies to a listing.
    pub(super) fn applies(self, listing: &Listing) -> bool {
        match self {
            Self::EntitlementsRead => listing.pricing.has_entitlements(),
            Self::UsageReported => listing.dimensions.iter().any(Dimension::is_metered),
            _ => true,
        }
    }
}

/// The reviewer's opinion of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// The requirement is met.
    Passed,
    /// The requirement is not met.
    Objection,
    /// An earlier objection kept the reviewer from examining it.
    NotReached,
}

/// A point that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PointResult {
    /// The point.
    pub point: Point,
    /// The requirement.
    pub requirement: &'static str,
    /// The reviewer's opinion.
    pub opinion: Opinion,
    /// The reviewer's observation.
    pub observation: String,
    /// The auditor's checks of the same thing.
    pub checks: &'static [&'static str],
}

/// The result of a review.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Review {
    /// The product.
    pub product: ProductCode,
    /// Its stage.
    pub stage: Stage,
    /// The time of the review.
    pub at: Timestamp,
    /// `true` if the reviewer has no objections.
    pub approved: bool,
    /// The account that the reviewer subscribed with; its subscription has been cancelled.
    pub account: Option<AccountId>,
    /// Every point of the review.
    pub points: Vec<PointResult>,
    /// The decided request to become public that waited for the review; `None` if there was none.
    pub change_set: Option<ChangeSetOverview>,
}

impl Review {
    /// Returns the points to which the reviewer objects.
    pub fn objections(&self) -> impl Iterator<Item = &PointResult> {
        self.points.iter().filter(|result| result.opinion == Opinion::Objection)
    }
}

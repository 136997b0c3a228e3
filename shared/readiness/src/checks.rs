//! Every check, in one place. A new one is an entry here, its judge, and its texts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::facts::Facts;
use super::judgement::Verdict;
use super::steps::{Actor, Step};
use super::{application, evidence, listing, page, seller, wiring};
use domain::listing::{Dimension, Listing, Mode};

/// The weight of a check. `required`: its step is not done without it. `recommended`: its step can be done without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckSeverity)]
pub enum Severity {
    /// The step cannot be done without the check.
    Required,
    /// The step can be done without the check, but that is not recommended.
    Recommended,
}

/// A condition that must hold.
#[derive(Debug)]
pub struct Check {
    /// Its id, which never changes: attestations and histories are stored under it.
    pub id: &'static str,
    /// The step that depends on it.
    pub step: Step,
    /// The importance for that step.
    pub severity: Severity,
    /// The actor that fixes it.
    pub actor: Actor,
    /// The source of the rule.
    pub source: &'static str,
    /// `true` if an attestation counts, unless an observation contradicts it.
    pub is_attestable: bool,
    /// `true` if an attestation counts only in addition to an observation.
    needs_observation: bool,
    applies: fn(&Listing) -> bool,
    judge: fn(&Facts<'_>) -> Verdict,
}

impl Check {
    /// Returns `true` if it applies to a listing.
    pub fn applies(&self, listing: &Listing) -> bool {
        (self.applies)(listing)
    }

    /// Judges the observed facts.
    pub(super) fn judge(&self, facts: &Facts<'_>) -> Verdict {
        (self.judge)(facts)
    }

    /// Returns `true` if an attestation counts beside a verdict: no observation contradicts it.
    pub(super) fn accepts_attestation_beside(&self, verdict: &Verdict) -> bool {
        self.is_attestable
            && match verdict {
                Verdict::Pass(_) | Verdict::Fail(_) | Verdict::NotYet(_) => false,
                Verdict::Unsure(_) => true,
                Verdict::Missing(_) | Verdict::Unobserved(_) | Verdict::AttestationOnly => !self.needs_observation,
            }
    }

    /// Returns the id of its texts.
    pub fn message(&self) -> String {
        self.id.replace(['.', '_'], "-")
    }

    /// Creates a check as most are: required of every listing, and not attestable.
    const fn new(
        id: &'static str,
        step: Step,
        actor: Actor,
        source: &'static str,
        judge: fn(&Facts<'_>) -> Verdict,
    ) -> Self {
        let severity = Severity::Required;
        Self {
            id,
            step,
            severity,
            actor,
            source,
            is_attestable: false,
            needs_observation: false,
            applies: |_| true,
            judge,
        }
    }

    const fn recommended(self) -> Self {
        Self { severity: Severity::Recommended, ..self }
    }

    const fn attestable(self) -> Self {
        Self { is_attestable: true, ..self }
    }

    /// Makes it attestable, but only if something was observed that is not sufficient.
    const fn attestable_if_observed(self) -> Self {
        Self { is_attestable: true, needs_observation: true, ..self }
    }

    const fn only_for(self, applies: fn(&Listing) -> bool) -> Self {
        Self { applies, ..self }
    }
}

/// Returns the check with an id.
pub fn check(id: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.id == id)
}

/// The sources of the rules.
mod source {
    pub(super) const SELLER: &str = "AWS Marketplace Seller Guide: Getting started as an AWS Marketplace seller";
    pub(super) const GUIDELINES: &str = "AWS Marketplace Seller Guide: SaaS product guidelines";
    pub(super) const ONBOARDING: &str = "AWS Marketplace Seller Guide: SaaS customer onboarding";
    pub(super) const PRODUCT: &str = "AWS Marketplace Seller Guide: Creating a SaaS product";
    pub(super) const LIFECYCLE: &str = "AWS Marketplace Seller Guide: SaaS product lifecycle";
    pub(super) const CATALOG: &str = "AWS Marketplace Catalog API Reference: SaaSProduct@1.0 and Offer@1.0";
    pub(super) const EVENTS: &str = "AWS Marketplace Seller Guide: Amazon EventBridge notifications for SaaS products";
    pub(super) const TOPICS: &str = "AWS Marketplace Seller Guide: Amazon SNS notifications for SaaS products";
    pub(super) const INTEGRATION: &str = "AWS Marketplace Seller Guide: SaaS product integration checklist";
    pub(super) const STACK: &str = "Stallkeeper: docs/OPERATIONS.md";
}

/// Every check, in the order of the steps.
pub static CHECKS: &[Check] = &[
    Check::new("seller.registration", Step::Registration, Actor::Seller, source::SELLER, seller::registration)
        .attestable(),
    Check::new("seller.public_profile", Step::PublicProfile, Actor::Seller, source::SELLER, seller::attestation_only)
        .attestable(),
    Check::new("seller.bank_and_tax", Step::BankAndTax, Actor::Seller, source::SELLER, seller::attestation_only)
        .attestable(),
    Check::new("wiring.queues_drained", Step::Prepared, Actor::Operator, source::STACK, wiring::queues_drained),
    Check::new("wiring.schedules", Step::Prepared, Actor::Operator, source::STACK, wiring::schedules),
    Check::new("wiring.alarms", Step::Prepared, Actor::Operator, source::STACK, wiring::alarms),
    Check::new("wiring.backups", Step::Prepared, Actor::Operator, source::STACK, wiring::backups).recommended(),
    Check::new("wiring.audit_log", Step::Prepared, Actor::Operator, source::GUIDELINES, wiring::audit_log),
    Check::new("listing.found", Step::Registered, Actor::Seller, source::PRODUCT, listing::found),
    Check::new("listing.product_code", Step::Registered, Actor::Operator, source::CATALOG, listing::product_code),
    Check::new("listing.fulfillment_url", Step::Registered, Actor::Seller, source::PRODUCT, listing::fulfillment_url),
    Check::new("listing.dimensions", Step::Registered, Actor::Seller, source::CATALOG, listing::dimensions),
    Check::new(
        "listing.description_complete",
        Step::Registered,
        Actor::Seller,
        source::CATALOG,
        listing::description_complete,
    ),
    Check::new("listing.logo", Step::Registered, Actor::Seller, source::PRODUCT, listing::logo),
    Check::new("listing.support_text", Step::Registered, Actor::Seller, source::PRODUCT, listing::support_text),
    Check::new("listing.eula", Step::Registered, Actor::Seller, source::PRODUCT, listing::eula),
    Check::new("listing.refund_policy", Step::Registered, Actor::Seller, source::PRODUCT, listing::refund_policy),
    Check::new("listing.price_positive", Step::Registered, Actor::Seller, source::GUIDELINES, listing::price_positive),
    Check::new(
        "listing.not_private_only",
        Step::Registered,
        Actor::Seller,
        source::GUIDELINES,
        listing::not_private_only,
    ),
    Check::new("listing.targeting", Step::Registered, Actor::Seller, source::LIFECYCLE, listing::targeting),
    Check::new("wiring.eventbridge_rule", Step::Integrated, Actor::Operator, source::EVENTS, wiring::eventbridge_rule)
        .only_for(|listing| listing.mode == Mode::License),
    Check::new("wiring.sns_subscription", Step::Integrated, Actor::Operator, source::TOPICS, wiring::sns_subscription)
        .only_for(|listing| listing.mode == Mode::Customer),
    Check::new("wiring.permissions", Step::Integrated, Actor::Operator, source::STACK, wiring::permissions),
    Check::new("page.https", Step::Integrated, Actor::Operator, source::ONBOARDING, page::https),
    Check::new("page.accepts_post", Step::Integrated, Actor::Operator, source::INTEGRATION, page::accepts_post),
    Check::new(
        "page.bad_token_explained",
        Step::Integrated,
        Actor::Operator,
        source::ONBOARDING,
        page::bad_token_explained,
    ),
    Check::new("page.email_field", Step::Integrated, Actor::Operator, source::GUIDELINES, page::email_field),
    Check::new("page.support_contact", Step::Integrated, Actor::Operator, source::GUIDELINES, page::support_contact),
    Check::new("page.english", Step::Integrated, Actor::Operator, source::GUIDELINES, page::english),
    Check::new(
        "page.existing_account_link",
        Step::Integrated,
        Actor::Operator,
        source::GUIDELINES,
        page::existing_account_link,
    ),
    Check::new("page.security_headers", Step::Integrated, Actor::Operator, source::GUIDELINES, page::security_headers),
    Check::new(
        "evidence.token_resolved",
        Step::Verified,
        Actor::Operator,
        source::ONBOARDING,
        evidence::token_resolved,
    ),
    Check::new(
        "evidence.license_activated",
        Step::Verified,
        Actor::Operator,
        source::ONBOARDING,
        evidence::license_activated,
    ),
    Check::new(
        "evidence.entitlement_read",
        Step::Verified,
        Actor::Operator,
        source::GUIDELINES,
        evidence::entitlement_read,
    )
    .only_for(|listing| listing.pricing.has_entitlements()),
    Check::new(
        "evidence.usage_accepted",
        Step::Verified,
        Actor::Developer,
        source::GUIDELINES,
        evidence::usage_accepted,
    )
    .only_for(|listing| listing.dimensions.iter().any(Dimension::is_metered)),
    Check::new(
        "evidence.agreement_changed",
        Step::Verified,
        Actor::Operator,
        source::INTEGRATION,
        evidence::agreement_changed,
    )
    .recommended(),
    Check::new("evidence.ending_flushed", Step::Verified, Actor::Operator, source::EVENTS, evidence::ending_flushed),
    Check::new(
        "evidence.bad_token_refused",
        Step::Verified,
        Actor::Operator,
        source::INTEGRATION,
        evidence::bad_token_refused,
    ),
    Check::new(
        "evidence.buyer_notified",
        Step::Verified,
        Actor::Operator,
        source::GUIDELINES,
        evidence::buyer_notified,
    )
    // The seller's application may write to buyers instead of the stack.
    .attestable(),
    Check::new("app.self_signup", Step::Verified, Actor::Developer, source::GUIDELINES, application::self_signup)
        .attestable(),
    Check::new("app.plan_visible", Step::Verified, Actor::Developer, source::GUIDELINES, application::plan_visible)
        .attestable(),
    Check::new(
        "app.support_reachable",
        Step::Verified,
        Actor::Developer,
        source::GUIDELINES,
        application::support_reachable,
    )
    .attestable(),
    Check::new(
        "app.existing_account",
        Step::Verified,
        Actor::Developer,
        source::GUIDELINES,
        application::existing_account,
    )
    .attestable(),
    Check::new("app.plan_locked", Step::Verified, Actor::Developer, source::GUIDELINES, application::plan_locked)
        .attestable(),
    Check::new("app.no_payment_data", Step::Verified, Actor::Developer, source::GUIDELINES, seller::attestation_only)
        .attestable(),
    Check::new("app.data_policy", Step::Verified, Actor::Developer, source::GUIDELINES, application::data_policy)
        .attestable_if_observed(),
    Check::new(
        "production.final_review_requested",
        Step::ReviewRequested,
        Actor::Seller,
        source::LIFECYCLE,
        seller::final_review_requested,
    )
    .attestable(),
    Check::new("production.published", Step::Published, Actor::Aws, source::LIFECYCLE, seller::published),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_checks_are_the_specified_ones() {
        let wanted = "
            app.self_signup app.plan_visible app.support_reachable app.existing_account app.plan_locked
            app.no_payment_data app.data_policy
            page.https page.accepts_post page.bad_token_explained page.email_field page.support_contact page.english
            page.existing_account_link page.security_headers
            listing.found listing.product_code listing.fulfillment_url listing.dimensions listing.description_complete
            listing.logo listing.support_text listing.eula listing.refund_policy listing.price_positive
            listing.not_private_only listing.targeting
            wiring.eventbridge_rule wiring.sns_subscription wiring.queues_drained wiring.schedules wiring.alarms
            wiring.permissions wiring.backups wiring.audit_log
            evidence.token_resolved evidence.license_activated evidence.entitlement_read evidence.usage_accepted
            evidence.agreement_changed evidence.ending_flushed evidence.bad_token_refused evidence.buyer_notified
            seller.registration seller.public_profile seller.bank_and_tax
            production.final_review_requested production.published";
        let wanted: BTreeSet<&str> = wanted.split_whitespace().collect();
        let there: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(there, wanted);
        assert_eq!(CHECKS.len(), wanted.len(), "an id is not unique");
    }

    #[test]
    fn checks_are_in_the_order_of_their_steps() {
        let steps = Step::ALL;
        let order: Vec<usize> =
            CHECKS.iter().map(|check| steps.iter().position(|step| *step == check.step).unwrap()).collect();
        assert!(order.is_sorted(), "{order:?}");
        assert!((0..steps.len()).all(|step| order.contains(&step)), "a step has no check");
    }

    #[test]
    fn only_checks_that_need_an_operator_are_attestable() {
        for check in CHECKS {
            let prefixes = ["seller.", "app.", "production.final", "evidence.buyer_notified"];
            let needs_operator = prefixes.iter().any(|part| check.id.starts_with(part));
            assert_eq!(check.is_attestable, needs_operator, "{}", check.id);
        }
    }
}

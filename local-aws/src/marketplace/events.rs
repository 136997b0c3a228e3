//! The notifications of AWS to the seller: the events on the bus, and the messages of the two SNS topics.
//!
//! Agreement and License events have the members of the examples in the AWS Marketplace user guide,
//! notifications-eventbridge, and the ARNs of observed events; SNS messages have those of saas-notification.
//! `tests/services/documented_events.rs` compares them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::scheduled_event::{MarketplaceEvent, ScheduledEvent};
use super::state::{Agreement, AgreementStatus, License};
use super::{Marketplace, after};
use crate::behavior::LicenseArnForm;
use crate::product::{BuyerKey, Product, Topic};

/// The time between `unsubscribe-pending` and `unsubscribe-success`, in which the seller can send the last usage.
const FINAL_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The end date in events of an agreement that is paid by use and has no end.
const NO_END: &str = "9999-01-01T00:00:00Z";

/// The agreement that events are about, with its product and license.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub product: &'a Product,
    pub agreement: &'a Agreement,
    pub license: &'a License,
    pub now: Timestamp,
}

/// The relation of an agreement to the one that it follows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Succession {
    Renewal,
    Replacement,
}

impl Succession {
    fn intent(self) -> &'static str {
        match self {
            Self::Renewal => "RENEW",
            Self::Replacement => "REPLACE",
        }
    }

    pub(super) fn ended_as(self) -> AgreementStatus {
        match self {
            Self::Renewal => AgreementStatus::Renewed,
            Self::Replacement => AgreementStatus::Replaced,
        }
    }
}

impl Marketplace {
    pub(super) fn announce_purchase(&self, product: &Product, agreement: &Agreement, license: &License) {
        let created = json!({ "agreement": terms(agreement, "NEW"), "resaleAuthorization": { "id": null } });
        let detail = self.detail(agreement, created);
        self.agreement_event(agreement.start, "Purchase Agreement Created - Proposer", agreement, detail);
        self.license_event(agreement.provisioned, LICENSE_UPDATED, product, agreement, license);
        self.subscription_message(agreement.provisioned, "subscribe-success", product, agreement, license);
        self.entitlement_message(agreement.provisioned, product, license);
    }

    pub(super) fn announce_amendment(
        &self,
        product: &Product,
        agreement: &Agreement,
        license: &License,
        now: Timestamp,
    ) {
        let amended = json!({
            "agreement": with(terms(agreement, "AMEND"), "autoRenewalEnabled", agreement.end.is_some().into()),
            "renewalSummary": { "lockoutStartTime": null, "disabledBy": null },
            "product": reference(product),
            "resaleAuthorization": { "id": null },
        });
        let detail = self.detail(agreement, amended);
        self.agreement_event(now, "Purchase Agreement Amended - Proposer", agreement, detail);
        self.license_event(agreement.provisioned, LICENSE_UPDATED, product, agreement, license);
        self.entitlement_message(agreement.provisioned, product, license);
    }

    /// Announces that `successor` follows an agreement. `license` is the successor's; `revoked` is the time at which
    /// the older license ends, if it does.
    pub(super) fn announce_succession(
        &self,
        subject: &Subject<'_>,
        successor: &Agreement,
        license: &License,
        succession: Succession,
        revoked: Option<Timestamp>,
    ) {
        let Subject { product, agreement, .. } = *subject;
        // AWS shows no example of a replacement. Here it has the members of a renewal, which also follows an agreement.
        let terms = terms(successor, succession.intent());
        let created = json!({
            "agreement": with(terms, "previousAgreementId", agreement.id.as_str().into()),
            "product": reference(product),
            "proposer": { "name": "The Seller", "accountId": self.0.seller },
        });
        let detail = self.detail(successor, created);
        self.agreement_event(successor.start, "Purchase Agreement Created - Proposer", successor, detail);
        self.license_event(successor.provisioned, LICENSE_UPDATED, product, successor, license);
        match succession {
            Succession::Renewal => {}
            // "sent again … when an agreement-based offer is accepted" (saas-notification)
            Succession::Replacement => {
                self.subscription_message(successor.provisioned, "subscribe-success", product, successor, license);
            }
        }
        self.entitlement_message(successor.provisioned, product, license);
        self.ended_event(successor.provisioned, agreement, succession.ended_as());
        if let Some(revoked) = revoked {
            self.license_event(revoked, LICENSE_DEPROVISIONED, product, agreement, subject.license);
        }
    }

    pub(super) fn announce_end(&self, subject: &Subject<'_>, status: AgreementStatus, revoked: Timestamp) {
        let Subject { product, agreement, license, now } = *subject;
        self.ended_event(now, agreement, status);
        self.subscription_message(now, "unsubscribe-pending", product, agreement, license);
        self.license_event(revoked, LICENSE_DEPROVISIONED, product, agreement, license);
        self.entitlement_message(revoked, product, license);
        self.subscription_message(after(now, FINAL_HOUR), "unsubscribe-success", product, agreement, license);
    }

    /// Announces an advisory about a risk on the buyer's account: `what` happened to the risk, and `when`, the member
    /// that holds the time.
    pub(super) fn announce_advisory(&self, subject: &Subject<'_>, what: &str, when: &str) {
        let Subject { product, agreement, now, .. } = *subject;
        let own = json!({
            "agreement": { "id": agreement.id },
            "product": { "id": product.id },
            "advisory": with(json!({}), when, second(now).into()),
        });
        let detail = self.detail(agreement, own);
        let detail_type = format!("Purchase Agreement Advisory {what} - Manufacturer");
        self.agreement_event(now, &detail_type, agreement, detail);
    }

    /// Returns an event's detail: the members that all events of an agreement have, and these members of its own.
    fn detail(&self, agreement: &Agreement, own: Value) -> Value {
        let common = json!({
            "requestId": self.0.ids.uuid(),
            "catalog": "AWSMarketplace",
            "acceptor": { "accountId": agreement.account },
            "proposer": { "accountId": self.0.seller },
            "offer": { "id": agreement.offer },
        });
        let own = own.as_object().into_iter().flatten();
        own.fold(common, |detail, (name, value)| with(detail, name, value.clone()))
    }

    /// Announces the end of an agreement. This event has the fewest members: it does not even name the product.
    fn ended_event(&self, at: Timestamp, agreement: &Agreement, status: AgreementStatus) {
        let ended = json!({
            "agreement": { "id": agreement.id, "status": status.as_str() },
            "resaleAuthorization": { "id": null },
        });
        let detail = self.detail(agreement, ended);
        self.agreement_event(at, "Purchase Agreement Ended - Proposer", agreement, detail);
    }

    fn license_event(
        &self,
        at: Timestamp,
        detail_type: &str,
        product: &Product,
        agreement: &Agreement,
        license: &License,
    ) {
        match product.buyer_key {
            BuyerKey::Customer if !self.behavior().legacy_license_events => return,
            BuyerKey::Customer | BuyerKey::License => {}
        }
        let arn = match self.behavior().license_arn {
            LicenseArnForm::Real => license.arn.to_string(),
            LicenseArnForm::Documented => {
                format!("aws:license-manager:us-east-1:{}:{}", self.0.seller, license.arn.id())
            }
        };
        let own = json!({
            "agreement": { "id": agreement.id },
            "product": { "code": product.code, "id": product.id },
            "license": { "arn": arn },
        });
        let detail = self.detail(agreement, own);
        self.agreement_event(at, detail_type, agreement, detail);
    }

    fn agreement_event(&self, at: Timestamp, detail_type: &str, agreement: &Agreement, detail: Value) {
        let envelope = json!({
            "version": "0",
            "id": self.0.ids.uuid(),
            "detail-type": detail_type,
            "source": "aws.agreement-marketplace",
            "account": self.0.seller,
            "time": second(at),
            "region": "us-east-1",
            "resources": [format!("arn:aws:aws-marketplace::aws:agreement:{}", agreement.id)],
            "detail": detail,
        });
        self.announce(at, MarketplaceEvent::EventBridge(envelope));
    }

    fn subscription_message(
        &self,
        at: Timestamp,
        action: &str,
        product: &Product,
        agreement: &Agreement,
        license: &License,
    ) {
        let Some(customer) = &license.customer else { return };
        let mut message = json!({
            "action": action,
            "customer-identifier": customer,
            "product-code": product.code,
            // A text, as AWS writes it.
            "isFreeTrialTermPresent": agreement.free_trial_end.is_some().to_string(),
        });
        if let ("subscribe-success", Some(members)) = (action, message.as_object_mut()) {
            members.insert("offer-identifier".to_owned(), agreement.offer.as_str().into());
        }
        self.sns(at, Topic::Subscription, product, message);
    }

    /// Announces the only message of the entitlement topic. It says only that something changed, and exists only for
    /// contracts.
    fn entitlement_message(&self, at: Timestamp, product: &Product, license: &License) {
        let Some(customer) = &license.customer else { return };
        if product.pricing.has_entitlements() {
            let message = json!({
                "action": "entitlement-updated",
                "customer-identifier": customer,
                "product-code": product.code,
            });
            self.sns(at, Topic::Entitlement, product, message);
        }
    }

    fn sns(&self, at: Timestamp, topic: Topic, product: &Product, message: Value) {
        self.announce(at, MarketplaceEvent::Sns { topic_arn: product.topic(topic), message });
    }

    fn announce(&self, at: Timestamp, event: MarketplaceEvent) {
        // The marketplace continues to sell when no receiver is left.
        let _ = self.0.event_sender.send(ScheduledEvent { at, event });
    }
}

const LICENSE_UPDATED: &str = "License Updated - Manufacturer";
const LICENSE_DEPROVISIONED: &str = "License Deprovisioned - Manufacturer";

/// Returns the members of an agreement in Created and Amended events.
fn terms(agreement: &Agreement, intent: &str) -> Value {
    let start = second(agreement.start);
    json!({
        "id": agreement.id,
        "intent": intent,
        "status": "ACTIVE",
        "acceptanceTime": start,
        "startTime": start,
        "endTime": agreement.end.map_or_else(|| NO_END.to_owned(), second),
    })
}

/// Returns the product in the form in which Created and Amended events name it.
fn reference(product: &Product) -> Value {
    json!({ "id": product.id, "title": product.name })
}

/// Returns a JSON object with one more member, or with another value for it.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

/// Returns a time to the second, the precision of EventBridge.
fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

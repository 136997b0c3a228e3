//! The options of this AWS: its behavior where its documents disagree, and the delays of its events.

use jiff::SignedDuration;
use jiff::fmt::serde::duration::friendly::compact as duration;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::control_error::ControlError;

/// The behavior of this AWS where AWS's documents disagree or where the real AWS differs from them.
///
/// The default is the observed behavior. Where nothing was observed, it is what the API models say; where they say
/// nothing, it is the behavior that is hardest on a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behavior {
    /// The time for which a registration token can be resolved.
    pub token_lifetime: TokenLifetime,
    /// The keys of the buyer that ResolveCustomer returns.
    pub resolve_customer_keys: ResolveCustomerKeys,
    /// The delay after `License Updated` until GetEntitlements shows the change; `"30s"` in JSON. AWS does not say that
    /// it shows the change immediately. What a license no longer grants disappears immediately in any case.
    #[serde(serialize_with = "duration::required", deserialize_with = "not_negative")]
    pub entitlements_delay: SignedDuration,
    /// `true` if AWS also names the licenses of legacy products: in License events and in GetAgreementEntitlements. AWS
    /// does; a backend that identifies such buyers by customer must not take them for new ones.
    pub legacy_license_events: bool,
    /// `true` if a license stays the same when its agreement is renewed or replaced. AWS does not document it;
    /// [`Change`](super::Change) can choose for one case.
    pub license_survives_renewal: bool,
    /// The form of a license's ARN in License events.
    pub license_arn: LicenseArnForm,
    /// `true` if GetEntitlements accepts only 20 requests a second, and BatchMeterUsage only 10.
    ///
    /// The second runs by the clock of the local AWS or by the machine's, whichever has advanced further. So a stopped clock
    /// cannot starve a caller that backs off and retries, and a clock that is advanced by a second gives the full rate
    /// of a second immediately.
    pub rate_limits: bool,
    /// The answer of BatchMeterUsage to a record that was booked before with the same quantity.
    pub identical_repeat: IdenticalRepeat,
    /// The handling of a LicenseArn beside a ProductCode in BatchMeterUsage.
    pub product_code_with_license: ProductCodeWithLicense,
    /// The handling of an empty CustomerIdentifier in BatchMeterUsage.
    pub empty_customer_identifier: EmptyCustomerIdentifier,
    /// The event that opens the last hour in which usage is accepted.
    pub final_window: FinalWindow,
    /// The answer of BatchMeterUsage to usage from before its license was ready, or from after its end.
    pub usage_outside_license: UsageOutsideLicense,
    /// The answer to usage that is stamped with the start of the hour of its license's purchase, and so before it.
    pub start_of_purchase_hour: StartOfPurchaseHour,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            token_lifetime: TokenLifetime::FourHours,
            resolve_customer_keys: ResolveCustomerKeys::OwnKey,
            entitlements_delay: SignedDuration::ZERO,
            legacy_license_events: true,
            license_survives_renewal: true,
            license_arn: LicenseArnForm::Real,
            rate_limits: true,
            identical_repeat: IdenticalRepeat::Success,
            product_code_with_license: ProductCodeWithLicense::BillsTwice,
            empty_customer_identifier: EmptyCustomerIdentifier::Refused,
            final_window: FinalWindow::AgreementEnded,
            usage_outside_license: UsageOutsideLicense::CustomerNotSubscribed,
            start_of_purchase_hour: StartOfPurchaseHour::OutsideLicense,
        }
    }
}

impl Behavior {
    /// Returns this behavior with other values for the members of a JSON object; the others stay:
    /// `{"identical_repeat": "duplicate_record", "rate_limits": false}`.
    ///
    /// # Errors
    ///
    /// Fails with the options that exist, or with the values that an option accepts.
    pub fn with(&self, changes: &Value) -> Result<Self, ControlError> {
        let not_one = |problem: String| ControlError::BehaviorInvalid { option: "the body".to_owned(), problem };
        let changes = changes.as_object().ok_or_else(|| not_one("it must be a JSON object".to_owned()))?;
        let mut behavior = self.clone();
        for (name, value) in changes {
            let mut members = serde_json::to_value(&behavior).map_err(|error| not_one(error.to_string()))?;
            let allowed = || members.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect::<Vec<_>>();
            if !allowed().contains(name) {
                return Err(ControlError::BehaviorUnknown {
                    given: name.chars().take(80).collect(),
                    allowed: allowed().join(", "),
                });
            }
            if let Some(member) = members.get_mut(name) {
                *member = value.clone();
            }
            behavior = serde_json::from_value(members)
                .map_err(|error| ControlError::BehaviorInvalid { option: name.clone(), problem: error.to_string() })?;
        }
        Ok(behavior)
    }
}

fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let duration = SignedDuration::deserialize(deserializer)?;
    match duration.is_negative() {
        true => Err(serde::de::Error::custom("it cannot be negative")),
        false => Ok(duration),
    }
}

/// The time for which a registration token can be resolved (AWS Marketplace user guide, saas-product-customer-setup,
/// which gives both values).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLifetime {
    /// "each generated token has an expiration window of 4 hours".
    FourHours,
    /// "it may expire after approximately one hour".
    OneHour,
}

impl TokenLifetime {
    /// Returns the time as a duration.
    pub fn duration(self) -> SignedDuration {
        match self {
            Self::FourHours => SignedDuration::from_hours(4),
            Self::OneHour => SignedDuration::from_hours(1),
        }
    }
}

/// The keys of the buyer that ResolveCustomer returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolveCustomerKeys {
    /// The key that identifies the buyers of the product: the LicenseArn, or for a legacy product the
    /// CustomerIdentifier.
    OwnKey,
    /// Both, for products of both kinds: the model allows it, and says only of *new* integrations that the
    /// CustomerIdentifier is not populated (Metering Service API reference, ResolveCustomerResult).
    BothKeys,
}

/// The form of a license's ARN in License events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenseArnForm {
    /// `arn:aws:license-manager::<account>:license:l-…`, the form of real events.
    Real,
    /// `aws:license-manager:us-east-1:<account>:l-…`, the form of the user guide's example.
    Documented,
}

/// The answer of BatchMeterUsage to a record that was booked before with the same quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdenticalRepeat {
    /// `Success` with the same MeteringRecordId: "Identical requests are idempotent and can be retried with the same
    /// records or a subset of records" (Metering Service API reference, BatchMeterUsage).
    Success,
    /// `DuplicateRecord`, according to AWS's metering skill (aws/agent-toolkit-for-aws).
    DuplicateRecord,
}

/// The handling of a LicenseArn beside a ProductCode in BatchMeterUsage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductCodeWithLicense {
    /// Books the record separately from those without a ProductCode: "Sending metering records with both ProductCode
    /// and LicenseArn for the same customer within the same hour will result in duplicate billing" (Metering Service
    /// API reference, BatchMeterUsageRequest).
    BillsTwice,
    /// Refuses the call with InvalidLicenseException, as was observed (RedHatInsights/rhsm-subscriptions, PR 6539).
    Refused,
}

/// The handling of an empty CustomerIdentifier, which the API model allows and the Rust SDK sends, in BatchMeterUsage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyCustomerIdentifier {
    /// The customer does not exist: InvalidCustomerIdentifierException.
    Refused,
    /// The member counts as missing.
    Ignored,
}

/// The event that opens the last hour in which usage is accepted. For buyers of a legacy product it is always
/// `unsubscribe-pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalWindow {
    /// Purchase Agreement Ended "marks the start of the final reporting window" (AWS Marketplace user guide,
    /// saas-eventbridge-integration).
    AgreementEnded,
    /// License Deprovisioned opens it, according to a newer copy of that page and AWS's metering skill.
    LicenseDeprovisioned,
}

/// The answer of BatchMeterUsage to usage from before its license was ready, or from after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageOutsideLicense {
    /// `CustomerNotSubscribed` for that record: the customer "does not have an active agreement or subscription with
    /// this product" (Metering Service API reference, UsageRecordResult).
    CustomerNotSubscribed,
    /// InvalidLicenseException for the whole call: "Ensure … usage is within the license activation period" (the same,
    /// InvalidLicenseException). A record that names no license still gets `CustomerNotSubscribed`.
    InvalidLicense,
}

/// The answer to usage that is stamped with the start of the hour of its license's purchase. AWS does not document it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartOfPurchaseHour {
    /// The answer of [`UsageOutsideLicense`]: a license accepts usage from the second in which it is ready.
    OutsideLicense,
    /// `Success`, once the license is ready: AWS's metering skill (aws/agent-toolkit-for-aws) stamps all usage with the
    /// start of its hour, also in the hour of the purchase.
    Accepted,
}

/// The delays between a change and its effect, or the event about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// The time from the agreement to its license: until then the buyer has no entitlement.
    pub provision: SignedDuration,
    /// The time from the end of an agreement to the end of its license.
    pub revoke: SignedDuration,
    /// The time from the start of a change set in the catalog to its end.
    pub change_set: SignedDuration,
}

impl Delays {
    /// Returns delays of zero. What is due at the same moment still comes in AWS's order.
    pub const fn none() -> Self {
        Self { provision: SignedDuration::ZERO, revoke: SignedDuration::ZERO, change_set: SignedDuration::ZERO }
    }
}

impl Default for Delays {
    /// Returns the observed delays: 61 seconds to provision, 31 to revoke, 4 minutes to change the catalog.
    fn default() -> Self {
        Self {
            provision: SignedDuration::from_secs(61),
            revoke: SignedDuration::from_secs(31),
            change_set: SignedDuration::from_mins(4),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn with_changes_only_the_named_options() {
        let changed = Behavior::default()
            .with(
                &json!({ "identical_repeat": "duplicate_record", "rate_limits": false, "token_lifetime": "one_hour" }),
            )
            .unwrap();
        let expected = Behavior {
            identical_repeat: IdenticalRepeat::DuplicateRecord,
            rate_limits: false,
            token_lifetime: TokenLifetime::OneHour,
            ..Behavior::default()
        };
        assert_eq!(changed, expected);
        assert_eq!(changed.with(&json!({})).unwrap(), changed);
    }

    #[test]
    fn an_unknown_option_or_value_is_refused_with_the_allowed_ones() {
        let cases = [
            (json!({ "colour": "red" }), "behavior_unknown", "final_window, identical_repeat"),
            (json!({ "final_window": "soon" }), "behavior_invalid", "`agreement_ended` or `license_deprovisioned`"),
            (json!({ "rate_limits": 1 }), "behavior_invalid", "boolean"),
            (
                json!({ "entitlements_delay": "-1s" }),
                "behavior_invalid",
                "entitlements_delay cannot be read: it cannot be negative",
            ),
            (json!({ "entitlements_delay": "soon" }), "behavior_invalid", "entitlements_delay cannot be read"),
            (json!({ "entitlements_delay": 30 }), "behavior_invalid", "string"),
            (json!([]), "behavior_invalid", "JSON object"),
        ];
        for (changes, code, part) in cases {
            let refused = Behavior::default().with(&changes).unwrap_err();
            assert_eq!(refused.code(), code, "{refused}");
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }
}

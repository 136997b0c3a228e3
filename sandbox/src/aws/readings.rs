//! What can be chosen about this AWS: which reading of its documents holds where they disagree, and how long its news
//! takes.

use jiff::SignedDuration;
use jiff::fmt::serde::duration::friendly::compact as duration;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::refused::Refused;

/// Which reading of AWS's documents holds, where they disagree or where real life differs from them.
///
/// The default is what was observed, or where nothing was observed what the API models say, or where they say nothing
/// what is hardest on a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// How long a registration token can be resolved.
    pub token_life: TokenLife,
    /// Which keys of the buyer ResolveCustomer answers.
    pub resolve_customer_sends: ResolveCustomerSends,
    /// How long after `License Updated` GetEntitlements shows what it is about; `"30s"` in JSON. AWS does not say that
    /// it shows it at once. What a license no longer grants is gone at once all the same.
    #[serde(serialize_with = "duration::required", deserialize_with = "not_negative")]
    pub entitlements: SignedDuration,
    /// Whether License events are published for products of the older kind too. They are; a backend that keys such
    /// buyers by customer must not take them for new ones.
    pub legacy_license_events: bool,
    /// Whether a license stays the same when its agreement is renewed or replaced. AWS does not say;
    /// [`Change`](super::Change) can choose for one case.
    pub license_survives_renewal: bool,
    /// How License events write the ARN of a license.
    pub license_arn: LicenseArnForm,
    /// Whether GetEntitlements answers only 20 requests a second, and BatchMeterUsage only 10.
    ///
    /// The second runs by the sandbox's clock or by the machine's, whichever has moved on further. So a clock that
    /// stands cannot starve a caller that backs off and asks again, and one that is advanced by a second gives a full
    /// second's worth at once.
    pub rate_limits: bool,
    /// What BatchMeterUsage says to a record that was booked before with the same quantity.
    pub identical_repeat: IdenticalRepeat,
    /// What BatchMeterUsage does with a LicenseArn beside a ProductCode.
    pub product_code_with_license: ProductCodeWithLicense,
    /// What BatchMeterUsage does with an empty CustomerIdentifier.
    pub empty_customer_identifier: EmptyCustomerIdentifier,
    /// Which event opens the last hour in which usage is taken.
    pub final_window: FinalWindow,
    /// What BatchMeterUsage says to usage from before its license was ready, or from after its end.
    pub usage_outside_license: UsageOutsideLicense,
    /// The answer to usage that is stamped with the start of the hour of its license's purchase, and so before it.
    pub start_of_purchase_hour: StartOfPurchaseHour,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            token_life: TokenLife::FourHours,
            resolve_customer_sends: ResolveCustomerSends::OwnKey,
            entitlements: SignedDuration::ZERO,
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

impl Readings {
    /// The same with other values for the members of a JSON object; the others stay:
    /// `{"identical_repeat": "duplicate_record", "rate_limits": false}`.
    ///
    /// # Errors
    ///
    /// Names the readings that there are, or the values that a reading can have.
    pub fn with(&self, changes: &Value) -> Result<Self, Refused> {
        let not_one = |problem: String| Refused::ReadingInvalid { reading: "the body".to_owned(), problem };
        let changes = changes.as_object().ok_or_else(|| not_one("it must be a JSON object".to_owned()))?;
        let mut readings = self.clone();
        for (name, value) in changes {
            let mut members = serde_json::to_value(&readings).map_err(|error| not_one(error.to_string()))?;
            let allowed = || members.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect::<Vec<_>>();
            if !allowed().contains(name) {
                return Err(Refused::ReadingUnknown {
                    given: name.chars().take(80).collect(),
                    allowed: allowed().join(", "),
                });
            }
            if let Some(member) = members.get_mut(name) {
                *member = value.clone();
            }
            readings = serde_json::from_value(members)
                .map_err(|error| Refused::ReadingInvalid { reading: name.clone(), problem: error.to_string() })?;
        }
        Ok(readings)
    }
}

fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let duration = SignedDuration::deserialize(deserializer)?;
    match duration.is_negative() {
        true => Err(serde::de::Error::custom("it cannot be negative")),
        false => Ok(duration),
    }
}

/// How long a registration token can be resolved (AWS Marketplace user guide, saas-product-customer-setup, which gives
/// both).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLife {
    /// "each generated token has an expiration window of 4 hours".
    FourHours,
    /// "it may expire after approximately one hour".
    OneHour,
}

impl TokenLife {
    /// The same as a length of time.
    pub fn duration(self) -> SignedDuration {
        match self {
            Self::FourHours => SignedDuration::from_hours(4),
            Self::OneHour => SignedDuration::from_hours(1),
        }
    }
}

/// Which keys of the buyer ResolveCustomer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolveCustomerSends {
    /// The one that the product goes by: the LicenseArn, or for a product of the older kind the CustomerIdentifier.
    OwnKey,
    /// Both, for products of both kinds: the model allows it, and says only of *new* integrations that the
    /// CustomerIdentifier is not populated (Metering Service API reference, ResolveCustomerResult).
    BothKeys,
}

/// How License events write the ARN of a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenseArnForm {
    /// `arn:aws:license-manager::<account>:license:l-…`, as real events have it.
    Real,
    /// `aws:license-manager:us-east-1:<account>:l-…`, as the user guide's example has it.
    Documented,
}

/// What BatchMeterUsage says to a record that was booked before with the same quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdenticalRepeat {
    /// `Success` with the same MeteringRecordId: "Identical requests are idempotent and can be retried with the same
    /// records or a subset of records" (Metering Service API reference, BatchMeterUsage).
    Success,
    /// `DuplicateRecord`, as AWS's metering skill (aws/agent-toolkit-for-aws) has it.
    DuplicateRecord,
}

/// What BatchMeterUsage does with a LicenseArn beside a ProductCode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductCodeWithLicense {
    /// Books it apart from what is sent without a ProductCode: "Sending metering records with both ProductCode and
    /// LicenseArn for the same customer within the same hour will result in duplicate billing" (Metering Service API
    /// reference, BatchMeterUsageRequest).
    BillsTwice,
    /// Refuses the call with InvalidLicenseException, as was seen (RedHatInsights/rhsm-subscriptions, PR 6539).
    Refused,
}

/// What BatchMeterUsage does with an empty CustomerIdentifier, which the API model allows and the Rust SDK sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyCustomerIdentifier {
    /// It is one that does not exist: InvalidCustomerIdentifierException.
    Refused,
    /// It is as if it were not there.
    Ignored,
}

/// Which event opens the last hour in which usage is taken. For buyers of a legacy product it is always
/// `unsubscribe-pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalWindow {
    /// Purchase Agreement Ended "marks the start of the final reporting window" (AWS Marketplace user guide,
    /// saas-eventbridge-integration).
    AgreementEnded,
    /// License Deprovisioned does, as a newer copy of that page and AWS's metering skill have it.
    LicenseDeprovisioned,
}

/// What BatchMeterUsage says to usage from before its license was ready, or from after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageOutsideLicense {
    /// `CustomerNotSubscribed` for that record: the customer "does not have an active agreement or subscription with
    /// this product" (Metering Service API reference, UsageRecordResult).
    CustomerNotSubscribed,
    /// InvalidLicenseException for the whole call: "Ensure … usage is within the license activation period" (the same,
    /// InvalidLicenseException). A record that names no license is not subscribed even so.
    InvalidLicense,
}

/// The answer to usage that is stamped with the start of the hour of its license's purchase. AWS does not document it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartOfPurchaseHour {
    /// The one of [`UsageOutsideLicense`]: a license takes usage from the second in which it is ready.
    OutsideLicense,
    /// `Success`, once the license is ready: AWS's metering skill (aws/agent-toolkit-for-aws) stamps all usage with the
    /// start of its hour, that of the purchase too.
    Accepted,
}

/// How long AWS takes between a change and its effect, or the news of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// From the agreement to its license: until then its buyer holds no entitlement.
    pub provision: SignedDuration,
    /// From the end of an agreement to the end of its license.
    pub revoke: SignedDuration,
    /// From the start of a change set in the catalog to its end.
    pub change_set: SignedDuration,
}

impl Delays {
    /// Everything at once. What is due at the same moment still comes in AWS's order.
    pub const fn none() -> Self {
        Self { provision: SignedDuration::ZERO, revoke: SignedDuration::ZERO, change_set: SignedDuration::ZERO }
    }
}

impl Default for Delays {
    /// As observed: 61 seconds to provision, 31 to revoke, 4 minutes to change the catalog.
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
    fn some_readings_change_and_the_others_stay() {
        let changed = Readings::default()
            .with(&json!({ "identical_repeat": "duplicate_record", "rate_limits": false, "token_life": "one_hour" }))
            .unwrap();
        let expected = Readings {
            identical_repeat: IdenticalRepeat::DuplicateRecord,
            rate_limits: false,
            token_life: TokenLife::OneHour,
            ..Readings::default()
        };
        assert_eq!(changed, expected);
        assert_eq!(changed.with(&json!({})).unwrap(), changed);
    }

    #[test]
    fn what_is_no_reading_is_refused_with_what_could_be() {
        let cases = [
            (json!({ "colour": "red" }), "reading_unknown", "final_window, identical_repeat"),
            (json!({ "final_window": "soon" }), "reading_invalid", "`agreement_ended` or `license_deprovisioned`"),
            (json!({ "rate_limits": 1 }), "reading_invalid", "boolean"),
            (json!({ "entitlements": "-1s" }), "reading_invalid", "entitlements cannot be read: it cannot be negative"),
            (json!({ "entitlements": "soon" }), "reading_invalid", "entitlements cannot be read"),
            (json!({ "entitlements": 30 }), "reading_invalid", "string"),
            (json!([]), "reading_invalid", "JSON object"),
        ];
        for (changes, code, part) in cases {
            let refused = Readings::default().with(&changes).unwrap_err();
            assert_eq!(refused.code(), code, "{refused}");
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }
}

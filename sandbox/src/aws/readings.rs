//! What can be chosen about this AWS: which reading of its documents holds where they disagree, and how long its news
//! takes.

use jiff::SignedDuration;

/// Which reading of AWS's documents holds, where they disagree or where real life differs from them.
///
/// The default is what was observed, or where nothing was observed what the API models say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    /// How long a registration token can be resolved.
    pub token_life: TokenLife,
    /// Whether License events are published for products of the older kind too. They are; a backend that keys such
    /// buyers by customer must not take them for new ones.
    pub legacy_license_events: bool,
    /// Whether a license stays the same when its agreement is renewed or replaced. AWS does not say;
    /// [`Change`](super::Change) can choose for one case.
    pub license_survives_renewal: bool,
    /// How License events write the ARN of a license.
    pub license_arn: LicenseArnForm,
    /// Whether GetEntitlements answers only 20 requests a second.
    ///
    /// The second runs by the sandbox's clock or by the machine's, whichever has moved on further. So a clock that
    /// stands cannot starve a caller that backs off and asks again, and one that is advanced by a second gives a full
    /// second's worth at once.
    pub rate_limits: bool,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            token_life: TokenLife::FourHours,
            legacy_license_events: true,
            license_survives_renewal: true,
            license_arn: LicenseArnForm::Real,
            rate_limits: true,
        }
    }
}

/// How long a registration token can be resolved (AWS Marketplace user guide, saas-product-customer-setup, which gives
/// both).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// How License events write the ARN of a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenseArnForm {
    /// `arn:aws:license-manager::<account>:license:l-…`, as real events have it.
    Real,
    /// `aws:license-manager:us-east-1:<account>:l-…`, as the user guide's example has it.
    Documented,
}

/// How long AWS takes between a change and the news of its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// From the agreement to its license: until then its buyer holds no entitlement.
    pub provision: SignedDuration,
    /// From the end of an agreement to the end of its license.
    pub revoke: SignedDuration,
}

impl Delays {
    /// Everything at once. What is due at the same moment still comes in AWS's order.
    pub const fn none() -> Self {
        Self { provision: SignedDuration::ZERO, revoke: SignedDuration::ZERO }
    }
}

impl Default for Delays {
    /// As observed: 61 seconds to provision, 31 to revoke.
    fn default() -> Self {
        Self { provision: SignedDuration::from_secs(61), revoke: SignedDuration::from_secs(31) }
    }
}

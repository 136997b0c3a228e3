//! The properties of a seed's simulation: its time, its listings, and the behavior of AWS in it.

use domain::ledger_schedule::LedgerSchedule;
use domain::listing::{Listing, Stage};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use local_aws::{
    Behavior, Delays, EmptyCustomerIdentifier, FinalWindow, IdenticalRepeat, LicenseArnForm, ProductCodeWithLicense,
    ResolveCustomerKeys, StartOfPurchaseHour, TokenLifetime, UsageOutsideLicense,
};

/// The time during which faults happen.
const FAULT_PERIOD: SignedDuration = SignedDuration::from_hours(48);

/// The properties of a simulation.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The start.
    pub start: Timestamp,
    /// The end of the month that falls into the simulation, if one does.
    pub month_end: Option<Timestamp>,
    /// The stages that have a stack.
    pub stages: Vec<Stage>,
    /// The listings, of every stage.
    pub listings: Vec<Listing>,
    /// The behavior of AWS.
    pub behavior: Behavior,
    /// The delays of AWS.
    pub delays: Delays,
    /// `true` if the reporter has a reserved concurrency of 1. Without it a second run may start during a first.
    pub has_reserved_concurrency: bool,
    /// `true` if no run of the reporter is skipped.
    pub has_all_runs: bool,
    /// The time until which AWS refuses every record in the last hour before the month's window closes, if it does. No
    /// other fault happens then.
    pub refused_until: Option<Timestamp>,
}

const LISTINGS: [&str; 4] = [
    include_str!("../../../listings/demo-subscription.toml"),
    include_str!("../../../listings/demo-consumption.toml"),
    include_str!("../../../listings/demo-legacy.toml"),
    include_str!("../../../listings/demo-production.toml"),
];

impl Scenario {
    /// Draws a scenario.
    ///
    /// # Errors
    ///
    /// Fails when a listing cannot be read.
    pub fn drawn(rng: &mut Rng) -> anyhow::Result<Self> {
        let month = jiff::civil::date(2027, rng.i8(1..=12), 1).to_zoned(TimeZone::UTC)?;
        let minutes = SignedDuration::from_mins;
        let (start, month_end) = if rng.f64() < 0.6 {
            let end = month.timestamp();
            (end - minutes(rng.i64(5 * 60..44 * 60)), Some(end))
        } else {
            (month.checked_add(10.days())?.timestamp() + minutes(rng.i64(0..24 * 60)), None)
        };
        let mut listings = LISTINGS.map(Listing::parse).into_iter().collect::<Result<Vec<_>, _>>()?;
        for listing in &mut listings {
            listing.zero_records = rng.bool();
            if rng.bool() {
                // All reported usage is billed.
                listing.dimensions.iter_mut().for_each(|dimension| dimension.overage_of = None);
            }
        }
        let stages = if rng.f64() < 0.2 { vec![Stage::Staging, Stage::Production] } else { vec![Stage::Staging] };
        let (behavior, delays) = (behavior(rng), delays(rng));
        let has_reserved_concurrency = rng.f64() < 0.85;
        let has_all_runs = rng.f64() < 0.05;
        // The deployed schedule runs until the end of the faults.
        let closes = month_end.map(LedgerSchedule::window_closes).filter(|closes| *closes <= start + FAULT_PERIOD);
        let refused_until =
            closes.filter(|_| rng.f64() < 0.25).map(|closes| closes - SignedDuration::from_secs(rng.i64(70..260)));
        Ok(Self {
            start,
            month_end,
            stages,
            listings,
            behavior,
            delays,
            has_reserved_concurrency,
            has_all_runs,
            refused_until,
        })
    }

    /// Returns the time at which the faults end.
    pub fn faults_end(&self) -> Timestamp {
        self.start + FAULT_PERIOD
    }
}

impl Scenario {
    /// Returns `true` if a time belongs to the last hour of the month's window, in which only BatchMeterUsage fails.
    pub fn is_last_chance(&self, at: Timestamp) -> bool {
        self.refused_until.is_some_and(|until| {
            let since = at.duration_since(until);
            since > SignedDuration::from_mins(-65) && since < SignedDuration::from_mins(5)
        })
    }
}

fn one<T>(rng: &mut Rng, one: T, other: T) -> T {
    if rng.bool() { one } else { other }
}

/// Draws one of the possible values of every option of the behavior.
fn behavior(rng: &mut Rng) -> Behavior {
    Behavior {
        token_lifetime: one(rng, TokenLifetime::FourHours, TokenLifetime::OneHour),
        resolve_customer_keys: one(rng, ResolveCustomerKeys::OwnKey, ResolveCustomerKeys::BothKeys),
        entitlements_delay: SignedDuration::from_secs(one(rng, 0, 90)),
        legacy_license_events: rng.bool(),
        license_survives_renewal: rng.bool(),
        license_arn: one(rng, LicenseArnForm::Real, LicenseArnForm::Documented),
        rate_limits: rng.bool(),
        identical_repeat: one(rng, IdenticalRepeat::Success, IdenticalRepeat::DuplicateRecord),
        product_code_with_license: one(rng, ProductCodeWithLicense::BillsTwice, ProductCodeWithLicense::Refused),
        empty_customer_identifier: one(rng, EmptyCustomerIdentifier::Refused, EmptyCustomerIdentifier::Ignored),
        final_window: one(rng, FinalWindow::AgreementEnded, FinalWindow::LicenseDeprovisioned),
        usage_outside_license: one(
            rng,
            UsageOutsideLicense::CustomerNotSubscribed,
            UsageOutsideLicense::InvalidLicense,
        ),
        start_of_purchase_hour: one(rng, StartOfPurchaseHour::OutsideLicense, StartOfPurchaseHour::Accepted),
    }
}

fn delays(rng: &mut Rng) -> Delays {
    match rng.u8(0..3) {
        0 => Delays::none(),
        1 => Delays::default(),
        _ => Delays {
            provision: SignedDuration::from_secs(rng.i64(0..1200)),
            revoke: SignedDuration::from_secs(rng.i64(0..1200)),
            ..Delays::none()
        },
    }
}

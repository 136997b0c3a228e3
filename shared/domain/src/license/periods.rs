//! The periods after the end of a license.

use jiff::SignedDuration;

/// The time after an ending in which the last usage may be reported (AWS Marketplace user guide,
/// saas-eventbridge-integration).
pub const FINAL_REPORTING_PERIOD: SignedDuration = SignedDuration::from_mins(60);

/// The time from the write of an ending until every function that accepts usage has observed it. Such a function caches
/// a license for one minute and takes 30 seconds at most; the rest is margin.
pub const INTAKE_PROPAGATION_TIME: SignedDuration = SignedDuration::from_mins(3);

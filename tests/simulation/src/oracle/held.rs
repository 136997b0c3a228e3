//! Judges held records: no record stays held because the buyer is unknown, if AWS serves the buyer and the buyer has
//! registered, now or before a renewal.

use domain::metering::RecordState;
use domain::time::UsageHour;
use jiff::SignedDuration;

use super::access::is_served;
use crate::simulation::Simulation;
use crate::watch::{named, records};

/// The longest time that a record may be held once AWS identifies its buyer.
const RECONCILED_WITHIN: SignedDuration = SignedDuration::from_mins(61);

/// Judges that no record has been held for too long.
pub async fn judge(sim: &Simulation) {
    let now = sim.now();
    let hours = (UsageHour::of(now - SignedDuration::from_hours(30)), UsageHour::of(now).next());
    let holdings = sim.buyers().holdings.clone();
    for holding in &holdings {
        let Some(stack) = sim.stack(holding.stage).filter(|_| is_served(sim, holding)) else { continue };
        for id in holding.ids() {
            for record in records(stack, id, hours).await.unwrap_or_default() {
                let is_held = matches!(record.state, RecordState::Held { .. });
                if is_held && now.duration_since(record.since) > RECONCILED_WITHIN {
                    sim.differ(id, format!("{} is held since {}", named(&record.name), record.since));
                }
            }
        }
    }
}

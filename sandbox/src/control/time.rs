//! The clock.

use axum::Json;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};

use super::call::{Context, JsonBody};
use super::failure::{Answer, Failure};
use crate::state::SandboxState;

/// The time of the clock.
#[derive(Debug, Serialize)]
pub(crate) struct ClockTime {
    now: Timestamp,
}

/// A move of the clock: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockChange {
    /// The duration, such as `1h`, `90s` or `2d 30m`.
    #[serde(default)]
    pub(crate) advance: Option<String>,
    /// The time, such as `2026-11-30T23:55:00Z`.
    #[serde(default)]
    pub(crate) set: Option<String>,
}

pub(super) async fn show(Context(state, _): Context) -> Answer<ClockTime> {
    state.timeline.settle().await;
    Ok(Json(ClockTime { now: state.clock.now() }))
}

pub(super) async fn move_on(Context(state, _): Context, JsonBody(moved): JsonBody<ClockChange>) -> Answer<ClockTime> {
    let now = move_clock(&state, &moved).await?;
    state.timeline.settle().await;
    Ok(Json(ClockTime { now }))
}

/// Moves the clock through everything that is due in between, and returns its new time.
///
/// # Errors
///
/// Fails when neither or both members are given, or the duration or time is invalid.
pub(crate) async fn move_clock(state: &SandboxState, moved: &ClockChange) -> Result<Timestamp, Failure> {
    match (&moved.advance, &moved.set) {
        (Some(by), None) => {
            let by = duration(by)?;
            state.timeline.advance(by).await.map_err(|error| Failure::invalid("advance", error))
        }
        (None, Some(at)) => {
            let at = at
                .parse()
                .map_err(|_| Failure::invalid("set", format!("`{at}` is no time such as 2026-11-30T23:55:00Z")))?;
            Ok(state.timeline.set(at).await)
        }
        (None, None) => Err(Failure::invalid("advance", "either this or `set` must be there")),
        (Some(_), Some(_)) => Err(Failure::invalid("set", "it cannot be there beside `advance`")),
    }
}

/// Reads a duration whose largest unit is a day; a day has 24 hours.
fn duration(text: &str) -> Result<SignedDuration, Failure> {
    let span: Option<Span> = text.parse().ok();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .filter(|duration| !duration.is_negative())
        .ok_or_else(|| Failure::invalid("advance", format!("`{text}` is no duration such as 90s, 15m, 1h or 2d")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_days_hours_minutes_and_seconds() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172_800), ("1h 30m", 5400), ("0s", 0)] {
            assert_eq!(duration(text).unwrap(), SignedDuration::from_secs(seconds), "{text}");
        }
        for bad in ["", "1", "soon", "-1h", "1 month", "1y", "1h ago", "99999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}

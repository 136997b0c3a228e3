//! The result of comparing a part of the offer.

use serde_json::Value;

use super::Difference;

/// The result of comparing a part of the offer.
pub(super) struct Compared {
    /// The details that AWS receives, and the differences that the operator sees.
    pub(super) change: Option<(Value, Vec<Difference>)>,
    /// `true` if AWS shows the part as described after the change. Otherwise a hint gives the reason.
    pub(super) will_fit: bool,
}

impl Compared {
    /// A part that differs or cannot be compared, and is not changed.
    pub(super) const STAYS: Self = Self { change: None, will_fit: false };
}

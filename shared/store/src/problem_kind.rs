//! The kinds of notes and problems.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The records hold more usage than the hour.
    Overbilled,
    /// No hour of the billing month can take the usage any more.
    Uncarried,
    /// The usage waits until the start of its agreement is known.
    PeriodUnknown,
    /// The usage waits until the included quantity of the contract is known.
    IncludedUnknown,
    /// A key and revision was reported with several contents.
    KeyReused,
}

impl NoteKind {
    /// Returns the kind of problem that the note is.
    pub fn problem(self) -> ProblemKind {
        match self {
            Self::Overbilled => ProblemKind::Overbilled,
            Self::Uncarried => ProblemKind::Uncarried,
            Self::PeriodUnknown | Self::IncludedUnknown => ProblemKind::Held,
            Self::KeyReused => ProblemKind::KeyReused,
        }
    }
}

/// A kind of problem with usage. `held`: it cannot be sent until something is known. `conflict`: AWS has another
/// quantity. `refused`: AWS refuses it. `expired`: AWS's window closed. `unconfirmed`: AWS may have booked it.
/// `overbilled`: records hold more than was used. `uncarried`: no hour can bill the usage any more. `key_reused`: one
/// key and revision was reported with several contents. `unverified`: it counts as booked, but the booking may be that
/// of another program that meters the product. `paused`: AWS accepts nothing of a product or dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageProblemKind)]
pub enum ProblemKind {
    /// The record cannot be sent until something is known.
    Held,
    /// AWS has another quantity for the record.
    Conflict,
    /// AWS does not accept the record.
    Refused,
    /// AWS's window closed before the record was accepted.
    Expired,
    /// AWS may have booked the record.
    Unconfirmed,
    /// The records hold more usage than was used.
    Overbilled,
    /// Usage that no hour can take any more.
    Uncarried,
    /// Usage was reported twice with different content under one key and revision.
    KeyReused,
    /// The record counts as booked, but the booking may belong to another program that meters the product.
    Unverified,
    /// AWS accepts no records of a product or dimension.
    Paused,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Conflict,
        Self::Refused,
        Self::Expired,
        Self::Unconfirmed,
        Self::Overbilled,
        Self::Uncarried,
        Self::KeyReused,
        Self::Unverified,
        Self::Paused,
    ];

    /// Returns the name in the table and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Unconfirmed => "unconfirmed",
            Self::Overbilled => "overbilled",
            Self::Uncarried => "uncarried",
            Self::KeyReused => "key_reused",
            Self::Unverified => "unverified",
            Self::Paused => "paused",
        }
    }
}

impl FromStr for ProblemKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

/// A name that no kind of problem has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}", ProblemKind::ALL.map(ProblemKind::name).join(", "))]
pub struct UnknownKind;

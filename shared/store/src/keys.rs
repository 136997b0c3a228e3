//! The keys of the table, all in one place.
//!
//! The parts are parsed ids, so none of them contains a `#`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use ulid::Ulid;

use domain::evidence::EvidenceKind;
use domain::ids::{AccountId, AgreementId, DimensionKey, LicenseId, ProductCode, TenantId};
use domain::ledger::ContestedKey;
use domain::license::StateName;
use domain::metering::{HourlyRecord, RecordName};
use domain::registration::SecretHash;
use domain::time::UsageHour;
use domain::usage::{KeyHash, UsageEvent};

/// The index of licenses by tenant.
pub const TENANT_INDEX: &str = "tenant";
/// The index of licenses by the buyer's account.
pub const ACCOUNT_INDEX: &str = "account";
/// The index of licenses by state.
pub const STATE_INDEX: &str = "state";
/// The attribute that is the partition key of [`TENANT_INDEX`]. A key of the index has it besides the table's own keys.
pub const TENANT_KEY: &str = "tenant_key";
/// The attribute that is the partition key of [`ACCOUNT_INDEX`]; see [`TENANT_KEY`].
pub const ACCOUNT_KEY: &str = "account_key";
/// The attribute that is the partition key of [`STATE_INDEX`]; see [`TENANT_KEY`].
pub const STATE_KEY: &str = "state_key";

/// The sparse index of the work that is left.
pub const WORK_INDEX: &str = "work";
/// The attribute that is the partition key of [`WORK_INDEX`].
pub const WORK_KEY: &str = "work_key";
/// The attribute that is the sort key of [`WORK_INDEX`]: what is due first sorts first.
pub const WORK_SORT: &str = "work_sort";

/// The number of partitions over which the writes of every hour are spread.
pub const SHARDS: u8 = 4;

/// A kind of work that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Records to send, of the licenses of one shard.
    Pending(u8),
    /// Problems that need an operator, of the licenses of one shard.
    Problem(u8),
    /// Records that count as booked although the answer may be about another booking, of the licenses of one shard.
    Unverified(u8),
    /// Products and dimensions of which AWS accepts no records.
    Paused,
    /// Ended licenses that have hours to sum.
    Flush,
    /// Licenses that move to another key at an hour.
    Move,
    /// Listings, which are to be reconciled.
    Listings,
}

/// The order in which records are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Records whose license is ending, or whose window closes soon.
    Urgent,
    /// All other records.
    Normal,
    /// Records that cannot be sent yet. They are processed last.
    Held,
}

impl Rank {
    /// Every rank, in the order of sending.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Held];
}

/// Returns the prefix that sorts the records of a rank.
pub(crate) fn rank(rank: Rank) -> &'static str {
    match rank {
        Rank::Urgent => "0#",
        Rank::Normal => "1#",
        Rank::Held => "2#",
    }
}

/// The place of an item in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

pub(crate) const OVERAGE_PREFIX: &str = "OVERAGE#";
pub(crate) const EVENT_PREFIX: &str = "EVENT#";
pub(crate) const LINK_PREFIX: &str = "LICENSE#";
pub(crate) const EVIDENCE_PREFIX: &str = "EVIDENCE#";
pub(crate) const ATTESTATION_PREFIX: &str = "ATTESTATION#";
pub(crate) const REPORT_PREFIX: &str = "REPORT#";

pub(crate) fn listing(product: &ProductCode) -> Key {
    Key::new(format!("LISTING#{product}"), "LISTING")
}

/// Returns the key of the evidence that something was done for a listing.
pub(crate) fn evidence(product: &ProductCode, kind: EvidenceKind) -> Key {
    Key::new(listing(product).pk, format!("{EVIDENCE_PREFIX}{}", kind.as_str()))
}

/// Returns the key of an operator's attestation about a check of a listing.
pub(crate) fn attestation(product: &ProductCode, check: &str) -> Key {
    Key::new(listing(product).pk, format!("{ATTESTATION_PREFIX}{check}"))
}

/// Returns the key of a report about the readiness of a listing.
pub(crate) fn report(product: &ProductCode, id: &Ulid) -> Key {
    Key::new(listing(product).pk, format!("{REPORT_PREFIX}{id}"))
}

/// The partition of the outcomes: what AWS allowed the functions to do.
pub(crate) const OUTCOMES: &str = "OUTCOMES";

pub(crate) fn outcome(function: &str, action: &str) -> Key {
    Key::new(OUTCOMES.to_owned(), format!("{function}#{action}"))
}

/// The partition of the last runs of the scheduled jobs.
pub(crate) const RUNS: &str = "RUNS";

pub(crate) fn run(name: &str) -> Key {
    Key::new(RUNS.to_owned(), name)
}

pub(crate) fn license(id: &LicenseId) -> Key {
    Key::new(format!("LICENSE#{id}"), "LICENSE")
}

pub(crate) fn contact(license: &LicenseId) -> Key {
    Key::new(format!("LICENSE#{license}"), "CONTACT")
}

pub(crate) fn overage(license: &LicenseId, dimension: &DimensionKey, period: &AgreementId) -> Key {
    Key::new(format!("LICENSE#{license}"), format!("{OVERAGE_PREFIX}{dimension}#{period}"))
}

pub(crate) fn event(license: &LicenseId, id: &Ulid) -> Key {
    Key::new(format!("LICENSE#{license}"), format!("{EVENT_PREFIX}{id}"))
}

pub(crate) fn mail(license: &LicenseId, event: &Ulid) -> Key {
    Key::new(format!("LICENSE#{license}"), format!("MAIL#{event}"))
}

pub(crate) fn agreement(id: &AgreementId) -> Key {
    Key::new(format!("AGREEMENT#{id}"), "STATE")
}

pub(crate) fn link(agreement: &AgreementId, license: &LicenseId) -> Key {
    Key::new(format!("AGREEMENT#{agreement}"), format!("{LINK_PREFIX}{license}"))
}

pub(crate) fn session(hash: &SecretHash) -> Key {
    let key = format!("REGISTRATION#{}", hash.as_str());
    Key::new(key.clone(), key)
}

pub(crate) fn handoff(hash: &SecretHash) -> Key {
    let key = format!("HANDOFF#{}", hash.as_str());
    Key::new(key.clone(), key)
}

pub(crate) fn tenant(id: &TenantId) -> String {
    format!("TENANT#{id}")
}

pub(crate) fn account(id: &AccountId) -> String {
    format!("ACCOUNT#{id}")
}

pub(crate) fn state(name: StateName) -> String {
    format!("STATE#{}", name.as_str())
}

/// Returns the shard of a license. A license always has the same shard, and every shard has about as many licenses.
pub fn shard(license: &LicenseId) -> u8 {
    let sum = license.as_str().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    u8::try_from(sum % u32::from(SHARDS)).unwrap_or_default()
}

pub(crate) fn work(work: Work) -> String {
    match work {
        Work::Pending(shard) => format!("WORK#pending#{shard}"),
        Work::Problem(shard) => format!("WORK#problem#{shard}"),
        Work::Unverified(shard) => format!("WORK#unverified#{shard}"),
        Work::Paused => "WORK#paused".to_owned(),
        Work::Flush => "WORK#flush".to_owned(),
        Work::Move => "WORK#move".to_owned(),
        Work::Listings => "WORK#listings".to_owned(),
    }
}

/// Sorts listings by product.
pub(crate) fn listing_sort(product: &ProductCode) -> String {
    format!("LISTING#{product}")
}

/// Returns the sort keys before and after all listings.
pub(crate) fn all_listings() -> (String, String) {
    ("LISTING#".to_owned(), "LISTING#~".to_owned())
}

/// Formats a moment so that its text sorts by time.
pub(crate) fn moment(at: Timestamp) -> String {
    format!("{:012}", at.as_second())
}

/// Sorts pending records by rank, then by the time at which they are due, then by their hour.
pub(crate) fn pending_sort(rank: Rank, record: &HourlyRecord) -> String {
    let name = &record.name;
    format!("{}{}#{}#{}", self::rank(rank), moment(record.not_before), name.hour, name.license)
}

/// Returns the sort keys before and after all pending records.
pub(crate) fn all_pending() -> (String, String) {
    (rank(Rank::Urgent).to_owned(), format!("{}~", rank(Rank::Held)))
}

/// Returns the sort keys before and after the pending records that are sent before others.
pub(crate) fn all_urgent() -> (String, String) {
    (rank(Rank::Urgent).to_owned(), rank(Rank::Normal).to_owned())
}

/// Returns the sort keys before and after the records of one rank that are due.
pub(crate) fn pending_due(rank: Rank, now: Timestamp) -> (String, String) {
    (self::rank(rank).to_owned(), format!("{}{}#~", self::rank(rank), moment(now)))
}

/// Sorts problems by kind, then by age.
pub(crate) fn problem_sort(kind: &str, since: Timestamp, name: &RecordName) -> String {
    format!("{kind}#{}#{name}", moment(since))
}

/// Returns the partition of the usage of one license and hour.
pub(crate) fn usage(license: &LicenseId, hour: UsageHour) -> String {
    format!("USAGE#{license}#{hour}")
}

/// Returns the prefix of everything that was reported under one key.
pub(crate) fn usage_of_key(dimension: &DimensionKey, key: &KeyHash) -> String {
    format!("{dimension}#{}#", key.as_str())
}

/// Returns the sort key of an event of an open hour. Each content that is reported, and each time that intake received
/// it, is a separate item, so that a later write replaces no earlier one.
pub(crate) fn usage_open(event: &UsageEvent, received_at: Timestamp) -> String {
    let UsageEvent { dimension, key, revision, .. } = event;
    let (content, received) = (event.content_hash(), received_at.as_millisecond());
    format!("{}{revision:010}#{content}#{received:015}", usage_of_key(dimension, key))
}

pub(crate) fn usage_late(dimension: &DimensionKey, key: &KeyHash) -> String {
    format!("{}late", usage_of_key(dimension, key))
}

/// Returns the sort key of usage that was carried from another hour. `carried` is the new total of the other record, so
/// that each carry is one item.
pub(crate) fn usage_carried(dimension: &DimensionKey, origin: UsageHour, carried: &str) -> String {
    format!("{dimension}#~{origin}#{carried}")
}

pub(crate) fn hour(hour: UsageHour, shard: u8) -> String {
    format!("HOUR#{hour}#{shard}")
}

pub(crate) fn marker(of: UsageHour, license: &LicenseId) -> Key {
    Key::new(hour(of, shard(license)), license.as_str())
}

/// Returns the key of the reporter's progress with an hour.
pub(crate) fn progress(of: UsageHour) -> Key {
    Key::new(format!("HOUR#{of}"), "PROGRESS")
}

/// Returns the key of the hour up to which the reporter is done with every hour.
pub(crate) fn closed_through() -> Key {
    Key::new("REPORTER".to_owned(), "CLOSED_THROUGH")
}

/// Returns the key of the reconciliation's progress.
pub(crate) fn reconciliation() -> Key {
    Key::new("RECONCILIATION".to_owned(), "PROGRESS")
}

pub(crate) fn dirty_shard(shard: u8) -> String {
    format!("DIRTY#{shard}")
}

pub(crate) fn dirty(license: &LicenseId, hour: UsageHour) -> Key {
    Key::new(dirty_shard(shard(license)), format!("{hour}#{license}"))
}

pub(crate) fn records(license: &LicenseId) -> String {
    format!("RECORD#{license}")
}

pub(crate) fn record(name: &RecordName) -> Key {
    Key::new(records(&name.license), format!("{}#{}", name.hour, name.dimension))
}

/// Returns the key of a note: something about a record that its state does not show.
pub(crate) fn note(name: &RecordName) -> Key {
    Key::new(format!("NOTE#{}", name.license), format!("{}#{}", name.hour, name.dimension))
}

/// Returns the key of the note about a key that was reported with several contents in one revision.
pub(crate) fn contested(about: &RecordName, key: &ContestedKey) -> Key {
    let Key { pk, sk } = note(about);
    Key { pk, sk: format!("{sk}#{}#{:010}", key.key.as_str(), key.revision) }
}

/// Returns the key of the mark that AWS has shown a booking of a product that Stallkeeper did not make.
pub(crate) fn foreign_booking(product: &ProductCode) -> Key {
    Key::new(listing(product).pk, "FOREIGN_BOOKING")
}

/// Returns the key of an audit entry, in the partition of its month.
pub(crate) fn audit(month: &str, id: &Ulid) -> Key {
    Key::new(audit_month(month), id.to_string())
}

pub(crate) fn audit_month(month: &str) -> String {
    format!("AUDIT#{month}")
}

pub(crate) const PAUSE_OF_PRODUCT: &str = "PRODUCT";

pub(crate) fn pauses(product: &ProductCode) -> String {
    format!("PAUSE#{product}")
}

pub(crate) fn pause(product: &ProductCode, dimension: Option<&DimensionKey>) -> Key {
    let sk = dimension.map_or(PAUSE_OF_PRODUCT.to_owned(), |dimension| format!("DIMENSION#{dimension}"));
    Key::new(pauses(product), sk)
}

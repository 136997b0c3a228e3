//! Hours: the licenses that have usage in an hour, the progress of the reporter with it, and the hours to check again.

use super::keys::Key;
use super::usage::{Marker, after, place};
use super::{Store, StoreError, is_conflict_code, keys, read, unavailable};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::LicenseId;
use domain::time::UsageHour;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};

/// The progress of the reporter with an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// No step is done yet.
    Open,
    /// The records of every license are frozen.
    Summed,
    /// The hour was checked once more for late usage.
    Swept,
}

/// The progress of the reporter with an hour, and the place at which it stopped within the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The last step that is done.
    pub progress: Progress,
    /// The place reached in the next step; `None` if that step has not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
}

/// A place in a walk through all licenses of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The licenses of the walk.
    pub walk: Walk,
    /// The end of the last page that is done; `None` before the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A set of licenses to walk through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walk {
    /// The licenses of a shard that have usage in the hour.
    Used(u8),
    /// The licenses in force.
    InForce,
}

#[derive(Serialize, Deserialize)]
struct ClosingItem {
    #[serde(flatten)]
    closing: Closing,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct ClosedThrough {
    hour: UsageHour,
}

/// A mark that a license's hour must be checked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dirty {
    /// The license.
    pub license: LicenseId,
    /// The hour.
    pub hour: UsageHour,
    /// The time at which the mark was last written.
    pub since: Timestamp,
    /// The id of this write of the mark.
    token: String,
}

impl Store {
    /// Returns a page of the licenses of one shard that have usage in an hour. The page starts after the place where
    /// the last page ended. Also returns the place where this page ends, if it is not the last.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn licenses_with_usage(
        &self,
        hour: UsageHour,
        shard: u8,
        after: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<LicenseId>, Option<String>), StoreError> {
        let pk = keys::hour(hour, shard);
        let from = after.map(|after| Key { pk: pk.clone(), sk: after.to_owned() }.attributes());
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .consistent_read(true)
            .set_exclusive_start_key(from)
            .limit(limit)
            .send()
            .await
            .map_err(unavailable)?;
        let markers = answer.items.unwrap_or_default().into_iter().map(read::<Marker>);
        let licenses = markers.map(|marker| marker.map(|marker| marker.license)).collect::<Result<_, _>>()?;
        let last = answer.last_evaluated_key.and_then(|mut key| key.remove("sk"));
        Ok((licenses, last.and_then(|sk| sk.as_s().ok().cloned())))
    }

    /// Returns those of the given licenses that have usage in an hour.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn filter_with_usage(
        &self,
        hour: UsageHour,
        licenses: &[LicenseId],
    ) -> Result<HashSet<LicenseId>, StoreError> {
        let markers = licenses.iter().map(|license| keys::marker(hour, license).attributes()).collect();
        let markers = self.get_many(markers).await?.into_iter().map(read::<Marker>);
        markers.map(|marker| marker.map(|marker| marker.license)).collect()
    }

    /// Returns those of the given hours in which a license has usage, or that must be checked again.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn hours_to_settle(
        &self,
        license: &LicenseId,
        hours: &[UsageHour],
    ) -> Result<BTreeSet<UsageHour>, StoreError> {
        let places =
            hours.iter().flat_map(|hour| [(keys::marker(*hour, license), *hour), (keys::dirty(license, *hour), *hour)]);
        let places: Vec<(Key, UsageHour)> = places.collect();
        let found = self.get_many(places.iter().map(|(key, _)| key.attributes()).collect()).await?;
        let found: HashSet<_> = found.iter().map(place).collect();
        let is_found = |key: Key| found.contains(&(key.pk, key.sk));
        Ok(places.into_iter().filter_map(|(key, hour)| is_found(key).then_some(hour)).collect())
    }

    /// Reads the progress of the reporter with an hour.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn closing(&self, hour: UsageHour) -> Result<Closing, StoreError> {
        let item: Option<ClosingItem> = self.get(&keys::progress(hour)).await?;
        Ok(item.map_or(Closing { progress: Progress::Open, at: None }, |item| item.closing))
    }

    /// Writes the progress of the reporter with an hour. Repeating a part of a step does no harm.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn set_closing(&self, hour: UsageHour, closing: &Closing) -> Result<(), StoreError> {
        let expires_at = after(self.clock.now(), jiff::SignedDuration::from_hours(90 * 24));
        self.put(&keys::progress(hour), &ClosingItem { closing: closing.clone(), expires_at }).await
    }

    /// Returns the newest hour up to which every hour is swept; `None` before the reporter's first run.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn closed_through(&self) -> Result<Option<UsageHour>, StoreError> {
        let item: Option<ClosedThrough> = self.get(&keys::closed_through()).await?;
        Ok(item.map(|item| item.hour))
    }

    /// Writes the hour up to which every hour is swept.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn set_closed_through(&self, hour: UsageHour) -> Result<(), StoreError> {
        self.put(&keys::closed_through(), &ClosedThrough { hour }).await
    }

    /// Marks that a license's hour must be checked again.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn mark_dirty(&self, license: &LicenseId, hour: UsageHour) -> Result<(), StoreError> {
        self.put(&keys::dirty(license, hour), &self.dirty(license, hour)).await
    }

    /// Builds a new mark that an hour must be checked again.
    pub(super) fn dirty(&self, license: &LicenseId, hour: UsageHour) -> Dirty {
        let token = ulid::Ulid::generate().to_string();
        Dirty { license: license.clone(), hour, since: self.clock.now(), token }
    }

    /// Returns the hours of one shard that must be checked again.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn dirty_hours(&self, shard: u8) -> Result<Vec<Dirty>, StoreError> {
        self.query(&keys::dirty_shard(shard), "").await
    }

    /// Returns `true` if a license's hour must be checked again.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn is_dirty(&self, license: &LicenseId, hour: UsageHour) -> Result<bool, StoreError> {
        let dirty: Option<Dirty> = self.get(&keys::dirty(license, hour)).await?;
        Ok(dirty.is_some())
    }

    /// Removes the mark that an hour must be checked again, unless the mark was written again meanwhile.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn clear_dirty(&self, dirty: &Dirty) -> Result<(), StoreError> {
        let cleared = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(keys::dirty(&dirty.license, dirty.hour).attributes()))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", AttributeValue::S(dirty.token.clone()))
            .send()
            .await;
        match cleared {
            Err(error) if !is_conflict_code(error.code()) => Err(unavailable(error)),
            _ => Ok(()),
        }
    }
}

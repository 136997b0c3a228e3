//! Hours: which licenses have usage in one, how far the reporter is with it, and which are to be looked at again.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::usage::{Marker, after};
use super::{Store, StoreError, is_race, keys, unavailable};
use crate::ids::LicenseId;
use crate::time::UsageHour;

/// How far the reporter is with an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nothing is done yet.
    Open,
    /// Every license's records are frozen.
    Summed,
    /// What came late was looked for once more.
    Swept,
}

#[derive(Serialize, Deserialize)]
struct ProgressItem {
    progress: Progress,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct ClosedThrough {
    hour: UsageHour,
}

/// A license's hour that is to be looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dirty {
    /// The license.
    pub license: LicenseId,
    /// The hour.
    pub hour: UsageHour,
    /// When that was written last.
    pub since: Timestamp,
    /// Which writing of it this is.
    token: String,
}

impl Store {
    /// The licenses that have usage in an hour, of one shard.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn licenses_with_usage(&self, hour: UsageHour, shard: u8) -> Result<Vec<LicenseId>, StoreError> {
        let markers: Vec<Marker> = self.query(&keys::hour(hour, shard), "").await?;
        Ok(markers.into_iter().map(|marker| marker.license).collect())
    }

    /// Whether a license has usage in an hour.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn has_usage(&self, license: &LicenseId, hour: UsageHour) -> Result<bool, StoreError> {
        let marker: Option<Marker> = self.get(&keys::marker(hour, license)).await?;
        Ok(marker.is_some())
    }

    /// How far the reporter is with an hour.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn progress(&self, hour: UsageHour) -> Result<Progress, StoreError> {
        let item: Option<ProgressItem> = self.get(&keys::progress(hour)).await?;
        Ok(item.map_or(Progress::Open, |item| item.progress))
    }

    /// Writes down how far the reporter is with an hour.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn set_progress(&self, hour: UsageHour, progress: Progress) -> Result<(), StoreError> {
        let expires_at = after(self.clock.now(), jiff::SignedDuration::from_hours(90 * 24));
        self.put(&keys::progress(hour), &ProgressItem { progress, expires_at }).await
    }

    /// The newest hour up to which every hour is swept; none before the reporter's first run.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn closed_through(&self) -> Result<Option<UsageHour>, StoreError> {
        let item: Option<ClosedThrough> = self.get(&keys::closed_through()).await?;
        Ok(item.map(|item| item.hour))
    }

    /// Writes down up to which hour every hour is swept.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn set_closed_through(&self, hour: UsageHour) -> Result<(), StoreError> {
        self.put(&keys::closed_through(), &ClosedThrough { hour }).await
    }

    /// Writes down that a license's hour is to be looked at again.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn mark_dirty(&self, license: &LicenseId, hour: UsageHour) -> Result<(), StoreError> {
        self.put(&keys::dirty(license, hour), &self.dirty(license, hour)).await
    }

    /// A note, written anew, that an hour is to be looked at again.
    pub(super) fn dirty(&self, license: &LicenseId, hour: UsageHour) -> Dirty {
        let token = ulid::Ulid::generate().to_string();
        Dirty { license: license.clone(), hour, since: self.clock.now(), token }
    }

    /// The hours that are to be looked at again, of one shard.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn dirty_hours(&self, shard: u8) -> Result<Vec<Dirty>, StoreError> {
        self.query(&keys::dirty_shard(shard), "").await
    }

    /// Whether a license's hour is to be looked at again.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn is_dirty(&self, license: &LicenseId, hour: UsageHour) -> Result<bool, StoreError> {
        let dirty: Option<Dirty> = self.get(&keys::dirty(license, hour)).await?;
        Ok(dirty.is_some())
    }

    /// Takes back that an hour is to be looked at again, unless it was written anew meanwhile.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
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
            Err(error) if !is_race(error.code()) => Err(unavailable(error)),
            _ => Ok(()),
        }
    }
}

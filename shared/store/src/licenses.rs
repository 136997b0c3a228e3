//! Licenses: reads, lists, and changes that are written together with their events.

use super::{Item, MAX_ATTEMPTS, Store, StoreError, backoff, keys, read, unavailable, unbuildable, write};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::audit::AuditEntry;
use domain::ids::{AccountId, LicenseId, TenantId};
use domain::license::{License, StateName, transition};
use domain::notification::{OutboundEvent, OutboundEventKind};
use domain::registration::{Contact, Handoff, SecretHash};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::HashMap;

/// The change of a license, computed from its row.
#[derive(Debug)]
pub struct Change {
    /// The license after the change.
    pub license: License,
    /// The events to publish in addition to those that [`transition`] derives from the license.
    pub events: Vec<OutboundEventKind>,
    /// The items that are written in the same transaction.
    pub also: Vec<Also>,
}

/// An item that is written in the same transaction as a license.
#[derive(Debug, Clone)]
pub enum Also {
    /// The buyer's contact.
    Contact(Contact),
    /// A handoff, under the hash of its code.
    Handoff(SecretHash, Handoff),
    /// The audit entry of a manual change.
    Audit(AuditEntry),
}

impl From<License> for Change {
    fn from(license: License) -> Self {
        Self { license, events: Vec::new(), also: Vec::new() }
    }
}

/// The page of an index to read.
struct PageQuery {
    /// The place where the last page ended.
    from: Option<Item>,
    limit: Option<i32>,
    /// The one attribute to read; `None` for all.
    only: Option<&'static str>,
}

/// A page of licenses.
#[derive(Debug)]
pub struct Page {
    /// The licenses.
    pub licenses: Vec<License>,
    /// The cursor of the next page; `None` after the last.
    pub next: Option<String>,
}

impl Store {
    /// Reads a license, as the table has it at this moment.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn license(&self, id: &LicenseId) -> Result<Option<License>, StoreError> {
        let license: Option<License> = self.get(&keys::license(id)).await?;
        Ok(license.filter(|license| self.is_still_there(license)))
    }

    /// Returns `true` unless the license has expired. TTL deletes an expired item only after some time.
    fn is_still_there(&self, license: &License) -> bool {
        license.expires_at.is_none_or(|at| at > self.clock.now().as_second())
    }

    /// Reads licenses, as the table has them at this moment, in no order. Licenses that do not exist are left out.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn licenses(&self, ids: &[LicenseId]) -> Result<Vec<License>, StoreError> {
        let keys = ids.iter().map(|id| keys::license(id).attributes()).collect();
        self.get_many(keys).await?.into_iter().map(read).collect()
    }

    /// Changes a license. `change` receives the current row and returns the change, or `None` to leave the row as it
    /// is.
    ///
    /// The row, the events and the additional items are written in one transaction, on the condition that no other
    /// writer has written the row meanwhile. Otherwise `change` is called again with the newer row, so it must be a
    /// pure function of the row. A change without a difference, events and additional items writes nothing. Returns the
    /// row as it then is.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or when other writers keep writing the same license.
    pub async fn change_license(
        &self,
        id: &LicenseId,
        mut change: impl FnMut(Option<License>) -> Option<Change>,
    ) -> Result<Option<License>, StoreError> {
        for attempt in 0..MAX_ATTEMPTS {
            backoff(attempt).await;
            let before = self.license(id).await?;
            let Some(Change { mut license, events: mut asked_for, also }) = change(before.clone()) else {
                return Ok(before);
            };
            let now = self.clock.now();
            let mut events = transition(before.as_ref(), &mut license, now);
            events.append(&mut asked_for);
            if license.id.is_probe() {
                events.clear();
            }
            if events.is_empty() && also.is_empty() && Some(&license) == before.as_ref() {
                return Ok(before);
            }
            let based_on = license.version;
            license.version += 1;
            let events = OutboundEvent::number(events, &mut license, now);
            let mut writes = vec![self.license_write(&license, based_on)?];
            for event in &events {
                writes.push(self.put_new_item(write(&keys::event(&event.license, &event.id), event)?)?);
            }
            for item in &also {
                writes.push(self.also_write(item)?);
            }
            if self.transact_unless_lost(writes).await? {
                return Ok(Some(license));
            }
        }
        Err(StoreError::Contended(keys::license(id).pk))
    }

    /// Returns every license of a tenant, from the index.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn licenses_of_tenant(&self, tenant: &TenantId) -> Result<Vec<License>, StoreError> {
        let mut licenses = Vec::new();
        let mut from = None;
        loop {
            let page = PageQuery { from, limit: None, only: None };
            let answer = self.index_page(keys::TENANT_INDEX, keys::TENANT_KEY, keys::tenant(tenant), page).await?;
            for item in answer.0 {
                licenses.push(read(item)?);
            }
            licenses.retain(|license| self.is_still_there(license));
            from = answer.1;
            if from.is_none() {
                return Ok(licenses);
            }
        }
    }

    /// Returns a page of the licenses that an account bought, from the index.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or the cursor does not belong to this query.
    pub async fn licenses_of_account(
        &self,
        account: &AccountId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page, StoreError> {
        self.license_page(keys::ACCOUNT_INDEX, keys::ACCOUNT_KEY, keys::account(account), cursor, limit).await
    }

    /// Returns a page of the licenses that were written in a state, from the index. A license may have moved on with
    /// time since it was written.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or the cursor does not belong to this query.
    pub async fn licenses_in_state(
        &self,
        state: StateName,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page, StoreError> {
        self.license_page(keys::STATE_INDEX, keys::STATE_KEY, keys::state(state), cursor, limit).await
    }

    /// Returns a page of the ids of the licenses that were written in a state, from the index. The page starts after
    /// the place where the last page ended. Also returns the place where this page ends, if it is not the last.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or the cursor does not belong to this query.
    pub async fn names_in_state(
        &self,
        state: StateName,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<LicenseId>, Option<String>), StoreError> {
        #[derive(Deserialize)]
        struct Name {
            id: LicenseId,
        }
        let value = keys::state(state);
        let from = cursor.map(|cursor| read_cursor(cursor, keys::STATE_KEY, &value)).transpose()?;
        let page = PageQuery { from, limit: Some(limit), only: Some("id") };
        let (items, last) = self.index_page(keys::STATE_INDEX, keys::STATE_KEY, value, page).await?;
        let names = items.into_iter().map(read::<Name>).map(|name| name.map(|name| name.id));
        Ok((names.collect::<Result<_, _>>()?, last.as_ref().and_then(write_cursor)))
    }

    /// Returns the events of a license, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn events_of_license(&self, license: &LicenseId) -> Result<Vec<OutboundEvent>, StoreError> {
        let mut events: Vec<OutboundEvent> = self.query(&keys::license(license).pk, keys::EVENT_PREFIX).await?;
        events.sort_by_key(|event| event.sequence);
        Ok(events)
    }

    /// Returns the ended licenses whose last hours are to be settled now, from the index of work.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn licenses_to_flush(&self, now: Timestamp) -> Result<Vec<LicenseId>, StoreError> {
        self.licenses_due(keys::Work::Flush, now).await
    }

    /// Returns the licenses whose move to another key is due, from the index of work.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn licenses_to_move(&self, now: Timestamp) -> Result<Vec<LicenseId>, StoreError> {
        self.licenses_due(keys::Work::Move, now).await
    }

    async fn licenses_due(&self, work: keys::Work, now: Timestamp) -> Result<Vec<LicenseId>, StoreError> {
        #[derive(Deserialize)]
        struct Due {
            id: LicenseId,
        }
        let (mut due, mut from) = (Vec::new(), None);
        loop {
            let between = ("0".to_owned(), keys::moment(now));
            let (page, next) = self.work_page::<Due>(work, between, from, 1000).await?;
            due.extend(page.into_iter().map(|due| due.id));
            from = next;
            if from.is_none() {
                return Ok(due);
            }
        }
    }

    async fn license_page(
        &self,
        index: &str,
        attribute: &str,
        value: String,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page, StoreError> {
        let from = cursor.map(|cursor| read_cursor(cursor, attribute, &value)).transpose()?;
        let page = PageQuery { from, limit: Some(limit), only: None };
        let (items, last) = self.index_page(index, attribute, value, page).await?;
        let licenses = items.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Page { licenses, next: last.as_ref().and_then(write_cursor) })
    }

    async fn index_page(
        &self,
        index: &str,
        attribute: &str,
        value: String,
        PageQuery { from, limit, only }: PageQuery,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", attribute)
            .expression_attribute_values(":value", AttributeValue::S(value))
            .set_exclusive_start_key(from)
            .set_limit(limit)
            .set_projection_expression(only.map(str::to_owned))
            .send()
            .await
            .map_err(unavailable)?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }

    fn license_write(&self, license: &License, based_on: u64) -> Result<TransactWriteItem, StoreError> {
        let mut item = write(&keys::license(&license.id), license)?;
        let mut index = |name: &str, value: String| item.insert(name.to_owned(), AttributeValue::S(value));
        // A probe appears in no list.
        if !license.id.is_probe() {
            index(keys::STATE_KEY, keys::state(license.state.name()));
        }
        if let Some(tenant) = &license.tenant {
            index(keys::TENANT_KEY, keys::tenant(tenant));
        }
        if let Some(account) = &license.account {
            index(keys::ACCOUNT_KEY, keys::account(account));
        }
        let moves = license.moving.as_ref().filter(|moving| moving.is_planned());
        let moves = moves.map(|moving| (moving.due_at(), keys::Work::Move));
        let flushes = license.flush_at.map(|at| (at, keys::Work::Flush));
        // The earlier of the two; the other one is listed when that is done.
        if let Some((at, work)) = moves.into_iter().chain(flushes).min_by_key(|(at, _)| *at) {
            index(keys::WORK_KEY, keys::work(work));
            index(keys::WORK_SORT, keys::moment(at));
        }
        let condition = if based_on == 0 { "attribute_not_exists(pk)" } else { "version = :based_on" };
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(condition);
        let put = if based_on == 0 {
            put
        } else {
            put.expression_attribute_values(":based_on", AttributeValue::N(based_on.to_string()))
        };
        Ok(TransactWriteItem::builder().put(put.build().map_err(unbuildable)?).build())
    }

    fn also_write(&self, also: &Also) -> Result<TransactWriteItem, StoreError> {
        match also {
            Also::Contact(contact) => {
                let item = write(&keys::contact(&contact.license), contact)?;
                self.put_any(item)
            }
            Also::Handoff(hash, handoff) => self.put_new_item(write(&keys::handoff(hash), handoff)?),
            Also::Audit(entry) => self.audited(entry),
        }
    }
}

/// Encodes a cursor: the key at which the last page ended. All its attributes are strings.
fn write_cursor(last: &Item) -> Option<String> {
    let plain: HashMap<&str, &String> =
        last.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_s().ok()?))).collect();
    serde_json::to_vec(&plain).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

fn read_cursor(cursor: &str, attribute: &str, value: &str) -> Result<Item, StoreError> {
    let plain: Option<HashMap<String, String>> =
        URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let plain = plain.ok_or(StoreError::BadCursor)?;
    let fits = plain.len() == 3
        && plain.get(attribute).is_some_and(|of| of == value)
        && plain.get("pk").and_then(|pk| pk.strip_prefix("LICENSE#")).is_some_and(|id| id.parse::<LicenseId>().is_ok())
        && plain.get("sk").is_some_and(|sk| sk == "LICENSE");
    if !fits {
        return Err(StoreError::BadCursor);
    }
    Ok(plain.into_iter().map(|(name, value)| (name, AttributeValue::S(value))).collect())
}

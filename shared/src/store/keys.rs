//! The keys of the table, all in one place.
//!
//! The parts are ids that parse, so none of them holds a `#`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use ulid::Ulid;

use crate::ids::{AccountId, AgreementId, LicenseId, ProductCode, TenantId};
use crate::license::StateName;
use crate::registration::SecretHash;

/// The index of licenses by tenant.
pub const TENANT_INDEX: &str = "tenant";
/// The index of licenses by the buyer's account.
pub const ACCOUNT_INDEX: &str = "account";
/// The index of licenses by state.
pub const STATE_INDEX: &str = "state";
/// The attribute that each index of licenses hashes by, besides the table's own keys.
pub const TENANT_KEY: &str = "tenant_key";
/// See [`TENANT_KEY`].
pub const ACCOUNT_KEY: &str = "account_key";
/// See [`TENANT_KEY`].
pub const STATE_KEY: &str = "state_key";

/// Where an item is in the table.
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

pub(crate) const EVENT_PREFIX: &str = "EVENT#";
pub(crate) const LINK_PREFIX: &str = "LICENSE#";

pub(crate) fn listing(product: &ProductCode) -> Key {
    Key::new(format!("LISTING#{product}"), "LISTING")
}

pub(crate) fn license(id: &LicenseId) -> Key {
    Key::new(format!("LICENSE#{id}"), "LICENSE")
}

pub(crate) fn contact(license: &LicenseId) -> Key {
    Key::new(format!("LICENSE#{license}"), "CONTACT")
}

pub(crate) fn event(license: &LicenseId, id: &Ulid) -> Key {
    Key::new(format!("LICENSE#{license}"), format!("{EVENT_PREFIX}{id}"))
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

//! Ids: a value of these types is always valid.
//!
//! Every id that is used in a key of the table, a URL or a call to AWS is parsed first, by its type. No other code
//! checks whether an id is blank, too long, or contains a separator of keys. The ids of AWS Marketplace are those of
//! `marketplace_ids`; Stallkeeper's own are declared here.

use marketplace_ids::made_of;

pub use marketplace_ids::{
    AccountId, AgreementId, CustomerIdentifier, DimensionKey, InvalidId, LicenseArn, LicenseId, ProductCode, ProductId,
};

marketplace_ids::id!(
    /// The id of an account inside the seller's application, chosen by the application. It is part of URLs, so it is
    /// not a mail address.
    TenantId,
    "a tenant id",
    "1 to 128 letters, digits, '-', '_', '.' or ':', and not dots alone",
    |text| made_of(text, 128, "-_.:") && text.bytes().any(|b| b != b'.'),
    "^[A-Za-z0-9_.:-]*[A-Za-z0-9_:-][A-Za-z0-9_.:-]*$",
    "acme",
    length 1 to 128
);

/// The prefix of the ids of tenants that are reserved for probes.
pub const PROBE_TENANTS: &str = "probe-";

impl TenantId {
    /// Returns `true` if the tenant is reserved for probes.
    pub fn is_for_probes(&self) -> bool {
        self.0.starts_with(PROBE_TENANTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_could_break_a_key_apart_is_refused() {
        assert!("acme#1".parse::<TenantId>().is_err());
        assert!("acme/1".parse::<TenantId>().is_err());
        assert!("".parse::<TenantId>().is_err());
        assert!("..".parse::<TenantId>().is_err());
        assert!("x".repeat(129).parse::<TenantId>().is_err());
    }
}

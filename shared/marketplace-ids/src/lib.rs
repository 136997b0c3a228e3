//! The ids of AWS Marketplace: a value of these types is always valid.
//!
//! Every id that is used in a key of a table, a URL or a call to AWS is parsed here first. No other code checks whether
//! an id is blank, too long, or contains a separator of keys. [`id!`] declares further ids in the same way.

mod macros;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// The error of a text that is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}, not {given:?}")]
pub struct InvalidId {
    what: &'static str,
    rule: &'static str,
    given: String,
}

impl InvalidId {
    /// Creates the error for a text that is not `what`, because it breaks the rule.
    pub fn new(what: &'static str, rule: &'static str, given: &str) -> Self {
        let given = given.chars().take(80).collect();
        Self { what, rule, given }
    }
}

/// Returns `true` if a text has 1 to `longest` characters, each a letter, a digit, or one of `also`.
pub fn made_of(text: &str, longest: usize, also: &str) -> bool {
    (1..=longest).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

crate::id!(
    /// An AWS account: the buyer of an agreement.
    AccountId,
    "an AWS account id",
    "12 digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
    "^[0-9]{12}$",
    "111122223333"
);

crate::id!(
    /// The product code that AWS Marketplace gave a product.
    ProductCode,
    "a product code",
    "1 to 100 letters, digits, '-', '_' or '.'",
    |text| made_of(text, 100, "-_."),
    "^[A-Za-z0-9._-]{1,100}$",
    "4democontract0000000000ab"
);

crate::id!(
    /// The Catalog API's entity id of a product, `prod-…`.
    ProductId,
    "a product id",
    "`prod-` and up to 100 letters, digits or '-'",
    |text| text.strip_prefix("prod-").is_some_and(|rest| made_of(rest, 100, "-")),
    "^prod-[A-Za-z0-9-]{1,100}$",
    "prod-0123456789abc"
);

crate::id!(
    /// The key of a buyer of a legacy product (one without license keys), unique within that product.
    CustomerIdentifier,
    "a customer identifier",
    "1 to 255 letters, digits, '-' or '_'",
    |text| made_of(text, 255, "-_"),
    "^[A-Za-z0-9_-]{1,255}$",
    "X01EXAMPLEX"
);

crate::id!(
    // The pattern is that of the Agreement API's model, without its `/`, which no agreement id is known to have and
    // which a URL would not carry.
    /// An agreement between a buyer and the seller, `agmt-…`.
    AgreementId,
    "an agreement id",
    "1 to 64 letters, digits, '-' or '_'",
    |text| made_of(text, 64, "-_"),
    "^[A-Za-z0-9_-]{1,64}$",
    "agmt-0123456789abcdefghijklmno"
);

crate::id!(
    /// The key of a dimension in the listing, case-sensitive.
    DimensionKey,
    "a dimension key",
    "1 to 100 letters, digits, '-', '_' or '.'",
    |text| made_of(text, 100, "-_."),
    "^[A-Za-z0-9._-]{1,100}$",
    "seats"
);

crate::id!(
    /// The id of a license: the `l-…` name at the end of its ARN, or `<product code>~<customer identifier>` for a
    /// legacy product (one without license keys).
    LicenseId,
    "a license id",
    "`l-` and letters and digits, or `<product code>~<customer identifier>`",
    |text| is_license_name(text)
        || text.split_once('~').is_some_and(|(product, customer)| {
            product.parse::<ProductCode>().is_ok() && customer.parse::<CustomerIdentifier>().is_ok()
        }),
    "^(l-[A-Za-z0-9]{1,64}|[A-Za-z0-9._-]{1,100}~[A-Za-z0-9_-]{1,255})$",
    "l-0123456789abcdef0123456789abcdef"
);

/// The prefix of the ids of probes.
const PROBE: &str = "l-probe";

impl LicenseId {
    /// Returns the key of a buyer of a legacy product.
    pub fn legacy(product: &ProductCode, customer: &CustomerIdentifier) -> Self {
        Self(format!("{product}~{customer}"))
    }

    /// Returns the id of a probe. The ids of AWS's licenses have only hexadecimal digits, so none is a probe.
    pub fn probe(id: Ulid) -> Self {
        Self(format!("{PROBE}{}", id.to_string().to_lowercase()))
    }

    /// Returns `true` if the license is a probe: created to test the seller's application, and never metered, published
    /// or listed.
    pub fn is_probe(&self) -> bool {
        self.0.starts_with(PROBE)
    }

    /// Returns `true` if it is the key of a buyer of a legacy product.
    pub fn is_legacy(&self) -> bool {
        self.0.contains('~')
    }
}

fn is_license_name(text: &str) -> bool {
    text.strip_prefix("l-").is_some_and(|rest| made_of(rest, 64, ""))
}

/// The ARN of a license, in either of the two forms that AWS writes.
///
/// AWS's documentation shows `aws:license-manager:us-east-1:123456789012:l-…`; what really arrives is
/// `arn:aws:license-manager::123456789012:license:l-…`. Both name the same license, so both give the same
/// [`LicenseId`]; only the real one may be sent back to AWS (`aws-marketplace.md` 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LicenseArn {
    text: String,
    id: LicenseId,
}

impl LicenseArn {
    /// Returns the ARN as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the license that it names, the same for both forms.
    pub fn id(&self) -> &LicenseId {
        &self.id
    }

    /// Returns the ARN of another license of the same issuer, in the form that AWS accepts; `None` if this ARN does not
    /// have that form.
    pub fn of_sibling(&self, id: &LicenseId) -> Option<Self> {
        let issuer = self.text.strip_suffix(self.id.as_str()).filter(|_| self.is_sendable())?;
        format!("{issuer}{id}").parse().ok()
    }

    /// Returns `true` if AWS accepts this form in a request: the `arn:aws…:service:` form of the API's pattern.
    pub fn is_sendable(&self) -> bool {
        let mut parts = self.text.split(':');
        parts.next() == Some("arn")
            && parts.next().is_some_and(|partition| partition.starts_with("aws"))
            && parts.next().is_some_and(|service| !service.is_empty())
            && parts.count() >= 3
    }
}

impl FromStr for LicenseArn {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::new("a license ARN", "`arn:aws:license-manager::<account>:license:l-…`", text);
        let name = text.rsplit([':', '/']).next().ok_or_else(invalid)?;
        let rest = text.strip_suffix(name).ok_or_else(invalid)?;
        let is_arn = rest.len() <= 300
            && (rest.starts_with("arn:aws") || rest.starts_with("aws:"))
            && rest.chars().all(|c| c.is_ascii_alphanumeric() || ":/-_.".contains(c));
        if is_arn && is_license_name(name) {
            Ok(Self { text: text.to_owned(), id: LicenseId(name.to_owned()) })
        } else {
            Err(invalid())
        }
    }
}

impl TryFrom<String> for LicenseArn {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<LicenseArn> for String {
    fn from(arn: LicenseArn) -> String {
        arn.text
    }
}

impl fmt::Display for LicenseArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

crate::text_schema!(
    LicenseArn,
    "LicenseArn",
    "The ARN of a license.",
    "^(arn:aws|aws:)[A-Za-z0-9:/_.-]*l-[A-Za-z0-9]{1,64}$",
    "arn:aws:license-manager::294406891311:license:l-0123456789abcdef0123456789abcdef"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_arn_name_the_same_license() {
        let documented: LicenseArn = "aws:license-manager:us-east-1:123456789012:l-0af3".parse().unwrap();
        let real: LicenseArn = "arn:aws:license-manager::123456789012:license:l-0af3".parse().unwrap();
        assert_eq!(documented.id(), real.id());
        assert_eq!(real.id().as_str(), "l-0af3");
        assert!(real.is_sendable());
        assert!(!documented.is_sendable());
    }

    #[test]
    fn what_is_no_arn_of_a_license_is_refused() {
        for text in [
            "",
            "l-0af3",
            "arn:aws:license-manager::123456789012:license:",
            "arn:aws:license-manager::123456789012:license:l-",
            "arn:aws:license-manager::1234 56789012:license:l-0af3",
            "arn:aws:license-manager::123456789012:license:x-0af3",
            "http://example.com/l-0af3",
        ] {
            assert!(text.parse::<LicenseArn>().is_err(), "{text:?} was taken for a license ARN");
        }
    }

    #[test]
    fn an_id_that_could_break_a_key_apart_is_refused() {
        assert!("12345678901".parse::<AccountId>().is_err());
        assert!("１２３４５６７８９０１２".parse::<AccountId>().is_err());
        assert!("code~".parse::<LicenseId>().is_err());
        assert!("code~a~b".parse::<LicenseId>().is_err());
        assert!("code~a".parse::<LicenseId>().is_ok());
    }

    #[test]
    fn a_refusal_says_what_was_expected_and_what_came() {
        let refusal = "12".parse::<AccountId>().unwrap_err();
        assert_eq!(refusal.to_string(), "an AWS account id must be 12 digits, not \"12\"");
    }
}

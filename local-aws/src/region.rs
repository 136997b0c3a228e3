//! The AWS region of a request.
//!
//! All regions are behind the one port. Of the services here, only the metering service keeps them apart.

use std::fmt;

use http::{HeaderMap, header};
use serde::Serialize;

/// The region of the stacks, and of a request that is not signed.
const HOME: &str = "us-east-1";

/// A region, such as `us-east-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Region(String);

impl Region {
    /// Reads the region from the credential scope of a request's signature (AWS General Reference, "Elements of an AWS
    /// API request signature"): `Credential=<access key>/<date>/<region>/<service>/aws4_request`.
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        let signature = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let scope = signature.and_then(|signature| signature.split_once("Credential=")).map(|(_, rest)| rest);
        let region = scope.and_then(|scope| scope.split(',').next()?.rsplit('/').nth(2)).unwrap_or(HOME);
        Self(if is_alias_of_home(region) { HOME } else { region }.to_owned())
    }

    /// Returns another name for the region of the stacks, made of any text. The SDK keeps its retry budget by the name
    /// of the region, for the whole process; clients with a region name of their own have a budget of their own.
    pub fn alias_of_home(owner: &str) -> String {
        let suffix: String = owner.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{HOME}-{suffix}")
    }
}

/// Returns `true` if a region is an [alias of the stacks' region](Region::alias_of_home).
fn is_alias_of_home(region: &str) -> bool {
    region.strip_prefix(HOME).is_some_and(|suffix| suffix.starts_with('-'))
}

impl Default for Region {
    fn default() -> Self {
        Self(HOME.to_owned())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region_of(authorization: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        }
        Region::of_request(&headers).to_string()
    }

    #[test]
    fn the_region_is_read_from_the_signature() {
        let signed = |region: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261130/{region}/aws-marketplace/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature=0"
            )
        };
        assert_eq!(region_of(Some(&signed("eu-west-1"))), "eu-west-1");
        assert_eq!(region_of(Some(&signed("us-east-1"))), "us-east-1");
        assert_eq!(region_of(Some(&signed("us-east-2"))), "us-east-2");
        assert_eq!(region_of(Some(&signed(&Region::alias_of_home("http://127.0.0.1:4600")))), "us-east-1");
        for unsigned in [None, Some("Bearer abc"), Some("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE")] {
            assert_eq!(region_of(unsigned), "us-east-1", "{unsigned:?}");
        }
    }
}

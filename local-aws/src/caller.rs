//! The caller of a request, as its signature names it.

use http::{HeaderMap, header};

use crate::error::ServiceError;
use crate::protocol::{Document, Record};
use crate::service::Service;

/// The IAM user that signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    access_key: String,
}

impl Caller {
    /// Reads `Authorization: AWS4-HMAC-SHA256 Credential=AKID/…, …`. The signature is not verified.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let parameters = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let credential = parameters.split(',').find_map(|parameter| parameter.trim().strip_prefix("Credential="))?;
        let (access_key, _scope) = credential.split_once('/')?;
        let is_key = !access_key.is_empty() && access_key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_key.then(|| Self { access_key: access_key.to_owned() })
    }

    /// Returns the access key.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Returns the ARN of the IAM user of the access key: the same key is the same caller.
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:user/{}", self.access_key)
    }

    /// Returns the user's id.
    pub fn user_id(&self) -> String {
        let key = &self.access_key;
        format!("AIDA{}", key.strip_prefix("AKIA").unwrap_or(key))
    }
}

/// Answers GetCallerIdentity of STS.
pub(crate) fn identity(operation: &str, headers: &HeaderMap, account: &str) -> Result<Document, ServiceError> {
    if operation != "GetCallerIdentity" {
        return Err(ServiceError::unknown_operation());
    }
    let caller = Caller::read(headers).ok_or_else(|| ServiceError::access_denied(Service::Sts, operation))?;
    let result =
        Record::new().with("Account", account).with("Arn", caller.arn(account)).with("UserId", caller.user_id());
    Ok(Record::new().with("GetCallerIdentityResult", Document::from(result)).into())
}

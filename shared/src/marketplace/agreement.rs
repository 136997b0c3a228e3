//! The agreement service: DescribeAgreement.

use aws_sdk_marketplaceagreement::operation::describe_agreement::DescribeAgreementError;

use jiff::Timestamp;

use super::{Marketplace, MarketplaceError, odd, read_error};
use crate::agreement::AgreementStatus;
use crate::ids::AgreementId;

impl Marketplace {
    /// When an agreement began or begins, as AWS has it; none if AWS does not say.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement_start(&self, id: &AgreementId) -> Result<Option<Timestamp>, MarketplaceError> {
        match self.agreement.describe_agreement().agreement_id(id.as_str()).send().await {
            Ok(answer) => Ok(answer.start_time().and_then(|start| Timestamp::from_second(start.secs()).ok())),
            Err(error) if is_unknown(error.as_service_error()) => Ok(None),
            Err(error) => Err(read_error(error)),
        }
    }

    /// The status of an agreement at AWS; none if AWS does not know it.
    ///
    /// # Errors
    ///
    /// See [`MarketplaceError`].
    pub async fn agreement_status(&self, id: &AgreementId) -> Result<Option<AgreementStatus>, MarketplaceError> {
        match self.agreement.describe_agreement().agreement_id(id.as_str()).send().await {
            Ok(answer) => {
                let status = answer.status().ok_or_else(|| odd(format!("no status of {id}")))?;
                Ok(Some(AgreementStatus::read(status.as_str())))
            }
            Err(error) if is_unknown(error.as_service_error()) => Ok(None),
            Err(error) => Err(read_error(error)),
        }
    }
}

fn is_unknown(error: Option<&DescribeAgreementError>) -> bool {
    error.is_some_and(DescribeAgreementError::is_resource_not_found_exception)
}

//! Lambda, as far as an operator calls it: an immediate run of the reconciliation.

use http::HeaderMap;
use local_aws::host::{Document, HostReply, Record, ServiceError};

use super::stacks::Stacks;
use crate::stack::RECONCILE_FUNCTION;

impl Stacks {
    /// Runs a function and waits for it, or for a dry run reports that it could run.
    pub(super) async fn invoke(
        &self,
        function: &str,
        headers: &HeaderMap,
        payload: &Document,
    ) -> Result<HostReply, ServiceError> {
        let named = |name: &str| function == name || function.ends_with(&format!(":function:{name}"));
        let stack = self.stacks.iter().find(|stack| named(&stack.name_of(RECONCILE_FUNCTION)));
        let stack = stack.ok_or_else(|| {
            ServiceError::modelled("ResourceNotFoundException", 404, format!("Function not found: {function}"))
        })?;
        let kind = headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok());
        match kind.unwrap_or("RequestResponse") {
            "DryRun" => return Ok(HostReply::Empty),
            "RequestResponse" => {}
            _ => {
                let message = "The sandbox runs a function while its caller waits, or not at all.";
                return Err(ServiceError::modelled("InvalidParameterValueException", 400, message));
            }
        }
        let restart =
            matches!(payload, Document::Map(members) if members.get("restart") == Some(&Document::Bool(true)));
        let report = stack.run_reconciliation(restart).await.map(|report| serde_json::to_value(&report));
        Ok(match report {
            Some(Ok(report)) => HostReply::Answer(report.into()),
            Some(Err(_)) | None => {
                let error =
                    Record::new().with("errorType", "StoreError").with("errorMessage", "the table did not answer");
                HostReply::FunctionError(error.into())
            }
        })
    }
}

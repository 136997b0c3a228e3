//! Runs the reconciliation on its schedule, or from the start of the day's walk if an operator invokes it with
//! `{"restart": true}`: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use std::time::Duration;

use clock::Clock;
use lambda::setup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use reconcile::{Reconciliation, Report};
use serde_json::Value;

/// The time that one run may take: the function's timeout in the template.
const TIME_LIMIT: Duration = Duration::from_secs(900);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    setup::start_log();
    let function = Reconciliation::new(&setup::config().await, &setup::table_name()?, Clock::System)
        .reporting_to(setup::metrics()?);
    let function = &function;
    let handler = |event: LambdaEvent<Value>| async move {
        let left = setup::time_left(event.context.deadline(), TIME_LIMIT);
        let restart = event.payload.get("restart").and_then(Value::as_bool) == Some(true);
        let report = if restart { function.run_restarted(left).await? } else { function.run(left).await? };
        Ok::<Report, Error>(report)
    };
    run(service_fn(handler)).await
}

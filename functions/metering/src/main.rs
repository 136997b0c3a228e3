//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use std::time::Duration;

use clock::Clock;
use lambda::setup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use metering::{Metering, Mode, Report};
use serde_json::Value;

/// The time that one invocation may take: the function's timeout in the template.
const TIME_LIMIT: Duration = Duration::from_secs(900);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    setup::start_log();
    let mode = Mode { dry_run: setup::is_dry_run(), ..Mode::default() };
    let function = Metering::new(&setup::config().await, &setup::table_name()?, Clock::System)
        .reporting_to(setup::metrics()?)
        .in_mode(mode);
    let function = &function;
    let handler = |event: LambdaEvent<Value>| async move {
        let left = setup::time_left(event.context.deadline(), TIME_LIMIT);
        Ok::<Report, Error>(function.invoke(left).await?)
    };
    run(service_fn(handler)).await
}

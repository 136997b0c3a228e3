//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use metering::{Metering, Mode, Report};
use serde_json::Value;
use stallkeeper::aws;
use stallkeeper::time::Clock;

/// The time that one invocation may take: the function's timeout in the template.
const TIME_LIMIT: Duration = Duration::from_secs(900);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::start_log();
    let mode = Mode { dry_run: aws::is_dry_run(), ..Mode::default() };
    let function = Metering::new(&aws::config().await, &aws::table_name()?, Clock::System)
        .reporting_to(aws::metrics()?)
        .in_mode(mode);
    let function = &function;
    let handler = |event: LambdaEvent<Value>| async move {
        let left = aws::time_left(event.context.deadline(), TIME_LIMIT);
        Ok::<Report, Error>(function.invoke(left).await?)
    };
    run(service_fn(handler)).await
}

//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stallkeeper::aws;
use stallkeeper::time::Clock;
use usage::UsageApi;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::start_log();
    let function = UsageApi::new(&aws::config().await, &aws::table_name()?, Clock::System)
        .reporting_to(aws::metrics()?)
        .in_dry_run(aws::is_dry_run());
    let handler = |event: LambdaEvent<_>| async { Ok::<_, Error>(function.handle(event.payload).await) };
    run(service_fn(handler)).await
}

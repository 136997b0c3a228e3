//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use clock::Clock;
use lambda::setup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use usage::{Settings, UsageApi};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    setup::start_log();
    let settings = Settings { metrics: setup::metrics()?, dry_run: setup::is_dry_run() };
    let function = UsageApi::with_settings(&setup::config().await, &setup::table_name()?, Clock::System, settings);
    let handler = |event: LambdaEvent<_>| async { Ok::<_, Error>(function.handle(event.payload).await) };
    run(service_fn(handler)).await
}

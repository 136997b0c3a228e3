//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use clock::Clock;
use lambda::setup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use subscription::Subscription;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    setup::start_log();
    let function = Subscription::new(&setup::config().await, &setup::table_name()?, Clock::System);
    let handler = |event: LambdaEvent<_>| async { Ok::<_, Error>(function.handle(event.payload).await) };
    run(service_fn(handler)).await
}

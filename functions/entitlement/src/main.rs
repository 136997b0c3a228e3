//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use clock::Clock;
use entitlement::EntitlementApi;
use lambda::setup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    setup::start_log();
    let (table, topic) = (setup::table_name()?, setup::setting("TOPIC_ARN")?);
    let function = EntitlementApi::new(&setup::config().await, &table, &topic, Clock::System);
    let handler = |event: LambdaEvent<_>| async { Ok::<_, Error>(function.handle(event.payload).await) };
    run(service_fn(handler)).await
}

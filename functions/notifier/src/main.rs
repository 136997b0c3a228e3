//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use notifier::Notifier;
use stallkeeper::aws;
use stallkeeper::time::Clock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::start_log();
    let topic = aws::setting("TOPIC_ARN")?;
    let function = Notifier::new(&aws::config().await, &topic, Clock::System).reporting_to(aws::metrics()?);
    let handler = |event: LambdaEvent<_>| async { Ok::<_, Error>(function.handle(event.payload).await) };
    run(service_fn(handler)).await
}

//! Runs the function: clients are built once and handed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use clock::Clock;
use lambda::setup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use mailer::Mailer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    setup::start_log();
    let (table, sender) = (setup::table_name()?, setup::setting("MAIL_FROM")?);
    let function = Mailer::new(&setup::config().await, &table, sender, Clock::System).reporting_to(setup::metrics()?);
    let handler = |event: LambdaEvent<_>| async { Ok::<_, Error>(function.handle(event.payload).await) };
    run(service_fn(handler)).await
}

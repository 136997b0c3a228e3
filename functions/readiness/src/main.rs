//! Runs the function for requests and on its schedule. The clients are built once and passed to the handler.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use clock::Clock;
use lambda::setup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use readiness::{Deployment, Internet, Known, Readiness};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// The event that the schedule sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduledRun {
    /// The URL to which AWS Marketplace sends buyers to register.
    registration_url: Option<Url>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    setup::start_log();
    let deployment: Deployment = serde_json::from_str(&setup::setting("DEPLOYMENT")?)?;
    let (config, table) = (setup::config().await, setup::table_name()?);
    let internet = Internet::new(Known::default(), Clock::System);
    let function = &Readiness::new(&config, &table, deployment, internet, Clock::System);
    let handler = |event: LambdaEvent<Value>| async move {
        if event.payload.get("requestContext").is_some() {
            let request: ApiGatewayV2httpRequest = serde_json::from_value(event.payload)?;
            return Ok::<Value, Error>(serde_json::to_value(function.handle(request).await)?);
        }
        let ScheduledRun { registration_url } = serde_json::from_value(event.payload)?;
        let reports = function.run(registration_url).await?;
        Ok(serde_json::json!({ "reports": reports.len() }))
    };
    run(service_fn(handler)).await
}

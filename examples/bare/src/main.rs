//! A Lambda function that does nothing: the minimum cost of a function.
//!
//! `CLIENTS` names the AWS clients that it builds at its start, separated by commas: `dynamodb,metering`. Without it,
//! the function has no clients, no TLS and no configuration.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

/// The clients that a function of Stallkeeper keeps.
#[derive(Debug, Default)]
struct Clients {
    _dynamodb: Option<aws_sdk_dynamodb::Client>,
    _metering: Option<aws_sdk_marketplacemetering::Client>,
    _entitlement: Option<aws_sdk_marketplaceentitlement::Client>,
    _agreement: Option<aws_sdk_marketplaceagreement::Client>,
    _sns: Option<aws_sdk_sns::Client>,
    _ses: Option<aws_sdk_sesv2::Client>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let wanted = std::env::var("CLIENTS").unwrap_or_default();
    let clients = if wanted.is_empty() { Clients::default() } else { Clients::build(&wanted).await };
    let clients = &clients;
    run(service_fn(async move |_: LambdaEvent<Value>| {
        let _ = clients;
        Ok::<_, Error>(json!({ "statusCode": 200 }))
    }))
    .await
}

impl Clients {
    async fn build(wanted: &str) -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config: SdkConfig = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        let has = |name: &str| wanted.split(',').any(|client| client == name);
        Self {
            _dynamodb: has("dynamodb").then(|| aws_sdk_dynamodb::Client::new(&config)),
            _metering: has("metering").then(|| aws_sdk_marketplacemetering::Client::new(&config)),
            _entitlement: has("entitlement").then(|| aws_sdk_marketplaceentitlement::Client::new(&config)),
            _agreement: has("agreement").then(|| aws_sdk_marketplaceagreement::Client::new(&config)),
            _sns: has("sns").then(|| aws_sdk_sns::Client::new(&config)),
            _ses: has("ses").then(|| aws_sdk_sesv2::Client::new(&config)),
        }
    }
}

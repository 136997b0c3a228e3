//! The application by itself, in front of a deployed Stallkeeper or of the sandbox:
//!
//! ```sh
//! STALLKEEPER_API_URL=https://….execute-api.us-east-1.amazonaws.com AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… \
//!   cargo run -p sample-app
//! ```

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use sample_app::Settings;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let router = sample_app::router(Settings {
        api_url: setting("STALLKEEPER_API_URL")?,
        credentials: credentials()?,
        // TLS ends before this program. Set HTTPS=true, or browsers get cookies that are also sent without TLS.
        https: std::env::var("HTTPS").is_ok_and(|https| https == "true"),
        clock: Arc::new(Timestamp::now),
    });
    let listener = TcpListener::bind(&address).await.with_context(|| format!("nothing can listen on {address}"))?;
    println!("the sample application is at http://{address}/");
    Ok(axum::serve(listener, router).await?)
}

fn setting(name: &str) -> anyhow::Result<String> {
    std::env::var(name).map_err(|_| anyhow!("the environment variable {name} is not set"))
}

/// Reads the credentials of the environment, as Lambda and CI have them. On a machine with a role (ECS, EC2), use
/// `aws_config::load_defaults(…).await.credentials_provider()` instead.
fn credentials() -> anyhow::Result<SharedCredentialsProvider> {
    let (key, secret) = (setting("AWS_ACCESS_KEY_ID")?, setting("AWS_SECRET_ACCESS_KEY")?);
    let token = std::env::var("AWS_SESSION_TOKEN").ok();
    Ok(SharedCredentialsProvider::new(Credentials::new(key, secret, token, None, "environment")))
}

//! The setup that every function shares: the configuration of its AWS clients, its table, its log.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::metrics::Metrics;

/// A setting that the function needs is missing.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingSetting(pub &'static str);

/// Returns the configuration of the AWS clients, from the function's environment.
///
/// An attempt times out after 5 seconds, and a call makes up to three attempts within 10, so that a buyer is answered
/// within API Gateway's 30 seconds. `AWS_ENDPOINT_URL` points every client to another endpoint, such as the sandbox.
pub async fn config() -> SdkConfig {
    loader().load().await
}

/// Returns the loader of [`config`], for callers that add settings to those of the environment.
pub fn loader() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).retry_config(retries()).timeout_config(timeouts())
}

/// Returns the timeouts of [`config`].
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(10))
        .build()
}

/// Returns the retry policy of [`config`].
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3)
}

/// Returns the name of the stack's table, from `TABLE_NAME`.
///
/// # Errors
///
/// Fails when the variable is not set.
pub fn table_name() -> Result<String, MissingSetting> {
    setting("TABLE_NAME")
}

/// Returns a variable of the function's environment.
///
/// # Errors
///
/// Fails when the variable is not set.
pub fn setting(name: &'static str) -> Result<String, MissingSetting> {
    std::env::var(name).map_err(|_| MissingSetting(name))
}

/// Returns the function's metrics, which go to its standard output under the stage in `STAGE`.
///
/// # Errors
///
/// Fails when the stage is not set.
pub fn metrics() -> Result<Metrics, MissingSetting> {
    Ok(Metrics::new(setting("STAGE")?, is_dry_run(), std::io::stdout()))
}

/// Returns `true` if the stack's reporter sends nothing: `REPORTER` is `dry-run`.
pub fn is_dry_run() -> bool {
    std::env::var("REPORTER").is_ok_and(|reporter| reporter == "dry-run")
}

/// Returns the time that an invocation has until its deadline. If the deadline has passed, returns the function's
/// `time_limit`: `cargo lambda watch` sends a deadline in 1970.
pub fn time_left(deadline: SystemTime, time_limit: Duration) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or(time_limit)
}

/// Starts the function's log: one JSON object per line, with the level of `RUST_LOG` (`info` if it is not set).
pub fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_current_span(false).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_1970_is_none() {
        let limit = Duration::from_secs(290);
        let left = time_left(SystemTime::now() + Duration::from_secs(30), limit);
        assert!(left <= Duration::from_secs(30) && left > Duration::from_secs(20), "{left:?}");
        assert_eq!(time_left(SystemTime::UNIX_EPOCH + Duration::from_secs(600), limit), limit);
    }
}

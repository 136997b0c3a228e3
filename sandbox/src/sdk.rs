//! The configuration of SDK clients of a local AWS.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

/// Returns the configuration that `lambda::setup::config` returns, but for this AWS: the environment has no effect.
/// Each endpoint has its own name for the region, so that no sandbox spends the retries of another.
pub fn sdk_config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIASANDBOX", "not-verified", None, None, "sandbox");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new(local_aws::Region::alias_of_home(endpoint)))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(lambda::setup::retries())
        .timeout_config(lambda::setup::timeouts())
        .build()
}

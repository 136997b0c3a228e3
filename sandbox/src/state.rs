//! The state that the sandbox's servers share.

use std::sync::Arc;

use aws_config::SdkConfig;
use clock::Clock;
use domain::listing::Stage;
use local_aws::Aws;
use readiness::Known;
use url::Url;

use crate::listings::DescribedListing;
use crate::stack::Stack;
use crate::timeline::Timeline;
use crate::web::Web;

/// The state that the sandbox's servers share.
#[derive(Debug)]
pub(crate) struct SandboxState {
    pub(crate) clock: Clock,
    pub(crate) timeline: Timeline,
    pub(crate) aws: Aws,
    pub(crate) stacks: Vec<Arc<Stack>>,
    pub(crate) app_urls: Vec<(Stage, Url)>,
    pub(crate) listings: Vec<DescribedListing>,
    /// The browser of the buyers who buy through the control API. It follows no redirects.
    pub(crate) browser: reqwest::Client,
    pub(crate) config: SdkConfig,
    pub(crate) web: Arc<Web>,
    /// The addresses and certificates of the web, as clients outside know them.
    pub(crate) known: Known,
}

impl SandboxState {
    pub(crate) fn stack(&self, stage: Stage) -> Option<&Arc<Stack>> {
        self.stacks.iter().find(|stack| stack.stage == stage)
    }
}

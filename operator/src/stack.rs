//! Which stack is meant, and where its table is.

use anyhow::{Context, bail};
use aws_config::{Region, SdkConfig};
use clap::Args;
use stallkeeper::aws::chain;
use stallkeeper::listing::Stage;
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

/// The only region that a stack can be in.
const REGION: &str = "us-east-1";

/// Which stack is meant.
#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// The stage of the stack.
    #[arg(long)]
    stage: Stage,
    /// The stack's name at CloudFormation, if it is not `stallkeeper-<stage>`.
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// The stack's table. CloudFormation is not asked for it then.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Where AWS is, if it is not AWS: the sandbox, for one.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

impl StackArguments {
    /// The stage that is meant.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// The stack's table.
    pub(crate) async fn store(&self) -> anyhow::Result<Store> {
        let mut config = stallkeeper::aws::config().await.to_builder().region(Region::from_static(REGION));
        if let Some(url) = &self.endpoint_url {
            config = config.endpoint_url(url);
        }
        let config = config.build();
        let table = match &self.table {
            Some(table) => table.clone(),
            None => self.output(&config, "TableName").await?,
        };
        Ok(Store::new(&config, table, Clock::System))
    }

    /// One of the outputs that the stack has.
    async fn output(&self, config: &SdkConfig, name: &str) -> anyhow::Result<String> {
        let stack = self.stack_name.clone().unwrap_or_else(|| format!("stallkeeper-{}", self.stage()));
        let client = aws_sdk_cloudformation::Client::new(config);
        let described = match client.describe_stacks().stack_name(&stack).send().await {
            Ok(described) => described,
            Err(error) => bail!(
                "CloudFormation does not tell of the stack {stack} in {REGION}: {}. Is it deployed, and are these its \
                 account's credentials? Another name goes into --stack-name",
                chain(&error)
            ),
        };
        let mut outputs =
            described.stacks.unwrap_or_default().into_iter().flat_map(|it| it.outputs.unwrap_or_default());
        let output = outputs.find(|output| output.output_key.as_deref() == Some(name));
        output.and_then(|output| output.output_value).with_context(|| format!("the stack {stack} has no output {name}"))
    }
}

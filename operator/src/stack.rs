//! Which stack is meant, and what CloudFormation tells of it.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use aws_config::{Region, SdkConfig};
use clap::Args;
use stallkeeper::listing::Stage;
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

use crate::failure::{Failure, SIGN_IN};

/// The only region that a stack can be in.
pub(crate) const REGION: &str = "us-east-1";

/// Which stack is meant.
#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// The stage of the stack.
    #[arg(long)]
    stage: Stage,
    /// The stack's name at CloudFormation, if it is not `stallkeeper-<stage>`.
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Where AWS is, if it is not AWS: the sandbox, for one.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Which stack is meant, for what reads and writes its table.
#[derive(Debug, Args)]
pub(crate) struct TableArguments {
    #[command(flatten)]
    stack: StackArguments,
    /// The stack's table. CloudFormation is not asked for it then.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

/// A stack, as CloudFormation describes it.
pub(crate) struct Described {
    /// Its name.
    pub(crate) name: String,
    /// What became of its last deployment, in CloudFormation's words.
    pub(crate) status: String,
    outputs: BTreeMap<String, String>,
}

/// Nobody was there to answer.
pub(crate) struct Nobody {
    /// Why.
    pub(crate) says: String,
    /// What to do about it.
    pub(crate) mend: String,
}

/// Whether CloudFormation has none of what it calls so: "Stack with id … does not exist".
fn lacks(failure: &Failure, what: &str) -> bool {
    match failure {
        Failure::Refused { code, message } => {
            code == "ValidationError" && message.starts_with(what) && message.contains("does not exist")
        }
        Failure::NoCredentials(_) | Failure::Silent(_) | Failure::Other(_) => false,
    }
}

impl StackArguments {
    /// The stage that is meant.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// The name that the stack has at CloudFormation.
    pub(crate) fn name(&self) -> String {
        self.stack_name.clone().unwrap_or_else(|| format!("stallkeeper-{}", self.stage()))
    }

    /// The options that say which stack is meant, as they are typed.
    pub(crate) fn typed(&self) -> String {
        let option = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(" --{name} {value}")).unwrap_or_default()
        };
        let (name, endpoint) = (option("stack-name", &self.stack_name), option("endpoint-url", &self.endpoint_url));
        format!("--stage {}{name}{endpoint}", self.stage)
    }

    /// The configuration of clients of the stack's AWS. What is typed outweighs the environment and the profile: set
    /// after they are loaded, an endpoint would not.
    pub(crate) async fn config(&self) -> SdkConfig {
        let loader = stallkeeper::aws::loader().region(Region::from_static(REGION));
        match &self.endpoint_url {
            Some(url) => loader.endpoint_url(url).load().await,
            None => loader.load().await,
        }
    }

    /// The stack.
    pub(crate) async fn described(&self, config: &SdkConfig) -> anyhow::Result<Described> {
        let name = self.name();
        let client = aws_sdk_cloudformation::Client::new(config);
        let described = match client.describe_stacks().stack_name(&name).send().await {
            Ok(described) => described,
            Err(error) => bail!(self.silence(config, &Failure::of(&error), "the stack", "DescribeStacks")),
        };
        let stack = described.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.with_context(|| format!("CloudFormation describes no stack {name}"))?;
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        let outputs = outputs.filter_map(|output| Some((output.output_key?, output.output_value?))).collect();
        let status = stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
        Ok(Described { name, status, outputs })
    }

    /// What a part of the template is called at AWS.
    pub(crate) async fn resource(&self, config: &SdkConfig, part: &str) -> anyhow::Result<String> {
        let name = self.name();
        let client = aws_sdk_cloudformation::Client::new(config);
        let described = client.describe_stack_resource().stack_name(&name).logical_resource_id(part).send().await;
        let resource = match described {
            Ok(described) => described.stack_resource_detail.and_then(|detail| detail.physical_resource_id),
            Err(error) => match Failure::of(&error) {
                failure if lacks(&failure, "Resource ") => None,
                failure => bail!(self.silence(config, &failure, part, "DescribeStackResource")),
            },
        };
        resource.with_context(|| format!("the stack {name} has no {part}"))
    }

    /// Why CloudFormation does not tell of something, and what to do.
    fn silence(&self, config: &SdkConfig, failure: &Failure, of: &str, permission: &str) -> String {
        let name = self.name();
        if lacks(failure, "Stack ") {
            return format!(
                "there is no stack {name} in {REGION} in this account: is it deployed, and are these the right \
                 credentials? Another name goes into --stack-name"
            );
        }
        match self.nobody(config, failure) {
            Some(Nobody { says, mend }) => format!("{says}: {mend}"),
            None => format!(
                "CloudFormation does not tell of {of} ({name} in {REGION}): {failure}. Are these its account's \
                 credentials, and do they allow cloudformation:{permission}?"
            ),
        }
    }

    /// Why nobody was there to answer, if it was that: there are no credentials to ask with, or nothing answers.
    pub(crate) fn nobody(&self, config: &SdkConfig, failure: &Failure) -> Option<Nobody> {
        match failure {
            Failure::NoCredentials(_) => Some(Nobody { says: failure.to_string(), mend: SIGN_IN.to_owned() }),
            Failure::Silent(cause) => Some(match config.endpoint_url() {
                Some(url) => {
                    let by = self.endpoint_is_named_by();
                    Nobody {
                        says: format!("{url} ({by}) does not answer ({cause})"),
                        mend: format!("start the sandbox, if it is to be one, or mend {by}"),
                    }
                }
                None => Nobody {
                    says: format!("AWS in {REGION} does not answer ({cause})"),
                    mend: "see whether this machine reaches it, by its proxy if it has one".to_owned(),
                },
            }),
            Failure::Refused { .. } | Failure::Other(_) => None,
        }
    }

    fn endpoint_is_named_by(&self) -> &'static str {
        match (&self.endpoint_url, std::env::var_os("AWS_ENDPOINT_URL")) {
            (Some(_), _) => "--endpoint-url",
            (None, Some(_)) => "AWS_ENDPOINT_URL",
            (None, None) => "endpoint_url of the profile",
        }
    }
}

impl TableArguments {
    /// The stage that is meant.
    pub(crate) fn stage(&self) -> Stage {
        self.stack.stage()
    }

    /// The stack.
    pub(crate) fn stack(&self) -> &StackArguments {
        &self.stack
    }

    /// The stack's table.
    pub(crate) async fn store(&self) -> anyhow::Result<Store> {
        let config = self.stack.config().await;
        let table = match &self.table {
            Some(table) => table.clone(),
            None => self.stack.described(&config).await?.output("TableName")?.to_owned(),
        };
        Ok(Store::new(&config, table, Clock::System))
    }
}

impl Described {
    /// One of the outputs that the stack has.
    pub(crate) fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.optional_output(name).with_context(|| format!("the stack {} has no output {name}", self.name))
    }

    /// One of the outputs that some stacks have.
    pub(crate) fn optional_output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }
}

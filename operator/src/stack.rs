//! The stack that the options select, and CloudFormation's description of it.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use aws_config::{Region, SdkConfig};
use clap::Args;
use clock::Clock;
use domain::listing::Stage;
use store::Store;

use crate::failure::{Failure, SIGN_IN};

/// The only region that a stack can be in.
pub(crate) const REGION: &str = "us-east-1";

/// The options that select a stack.
#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// Select the stack by its stage.
    #[arg(long)]
    stage: Stage,
    /// Set the stack's name in CloudFormation if it is not `stallkeeper-<stage>`.
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Send AWS requests to this URL instead, such as the sandbox's.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// The options that select a stack, for commands that read and write its table.
#[derive(Debug, Args)]
pub(crate) struct TableArguments {
    #[command(flatten)]
    stack: StackArguments,
    /// Use this table of the stack instead of asking CloudFormation for it.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

/// A stack, as CloudFormation describes it.
pub(crate) struct Described {
    /// Its name.
    pub(crate) name: String,
    /// CloudFormation's status of its last deployment.
    pub(crate) status: String,
    outputs: BTreeMap<String, String>,
}

/// A failure without an answer.
pub(crate) struct NoAnswer {
    /// The reason.
    pub(crate) message: String,
    /// The advice on how to fix it.
    pub(crate) remediation: String,
}

/// Returns `true` if CloudFormation has no stack or resource of that name: "Stack with id … does not exist". `what` is
/// the start of its message.
fn lacks(failure: &Failure, what: &str) -> bool {
    match failure {
        Failure::Refused { code, message } => {
            code == "ValidationError" && message.starts_with(what) && message.contains("does not exist")
        }
        Failure::NoCredentials(_) | Failure::NoAnswer(_) | Failure::Other(_) => false,
    }
}

impl StackArguments {
    /// Returns the stage of the stack.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns the stack's name in CloudFormation.
    pub(crate) fn name(&self) -> String {
        self.stack_name.clone().unwrap_or_else(|| format!("stallkeeper-{}", self.stage()))
    }

    /// Returns the options that select the stack, as they are typed.
    pub(crate) fn typed(&self) -> String {
        let option = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(" --{name} {value}")).unwrap_or_default()
        };
        let (name, endpoint) = (option("stack-name", &self.stack_name), option("endpoint-url", &self.endpoint_url));
        format!("--stage {}{name}{endpoint}", self.stage)
    }

    /// Loads the configuration of clients of the stack's AWS. The typed endpoint overrides the environment's and the
    /// profile's: set after they are loaded, it would not.
    pub(crate) async fn config(&self) -> SdkConfig {
        let loader = lambda::setup::loader().region(Region::from_static(REGION));
        match &self.endpoint_url {
            Some(url) => loader.endpoint_url(url).load().await,
            None => loader.load().await,
        }
    }

    /// Reads the stack's description from CloudFormation.
    pub(crate) async fn described(&self, config: &SdkConfig) -> anyhow::Result<Described> {
        let name = self.name();
        let client = aws_sdk_cloudformation::Client::new(config);
        let described = match client.describe_stacks().stack_name(&name).send().await {
            Ok(described) => described,
            Err(error) => bail!(self.describe_failure(config, &Failure::of(&error), "the stack", "DescribeStacks")),
        };
        let stack = described.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.with_context(|| format!("CloudFormation does not describe the stack {name}"))?;
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        let outputs = outputs.filter_map(|output| Some((output.output_key?, output.output_value?))).collect();
        let status = stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
        Ok(Described { name, status, outputs })
    }

    /// Returns the physical id of a resource of the template.
    pub(crate) async fn resource(&self, config: &SdkConfig, part: &str) -> anyhow::Result<String> {
        let name = self.name();
        let client = aws_sdk_cloudformation::Client::new(config);
        let described = client.describe_stack_resource().stack_name(&name).logical_resource_id(part).send().await;
        let resource = match described {
            Ok(described) => described.stack_resource_detail.and_then(|detail| detail.physical_resource_id),
            Err(error) => match Failure::of(&error) {
                failure if lacks(&failure, "Resource ") => None,
                failure => bail!(self.describe_failure(config, &failure, part, "DescribeStackResource")),
            },
        };
        resource.with_context(|| format!("the stack {name} has no {part}"))
    }

    /// Describes why CloudFormation does not show something, and what to do.
    fn describe_failure(&self, config: &SdkConfig, failure: &Failure, of: &str, permission: &str) -> String {
        let name = self.name();
        if lacks(failure, "Stack ") {
            return format!(
                "there is no stack {name} in {REGION} in this account. Check that it is deployed and that the \
                 credentials belong to its account; --stack-name selects a stack of another name"
            );
        }
        match self.no_answer(config, failure) {
            Some(NoAnswer { message, remediation }) => format!("{message}: {remediation}"),
            None => format!(
                "CloudFormation does not describe {of} ({name} in {REGION}): {failure}. Check that the credentials \
                 belong to its account and allow cloudformation:{permission}"
            ),
        }
    }

    /// Describes a failure without an answer: there are no credentials to sign with, or nothing answers. `None` for any
    /// other failure.
    pub(crate) fn no_answer(&self, config: &SdkConfig, failure: &Failure) -> Option<NoAnswer> {
        match failure {
            Failure::NoCredentials(_) => {
                Some(NoAnswer { message: failure.to_string(), remediation: SIGN_IN.to_owned() })
            }
            Failure::NoAnswer(cause) => Some(match config.endpoint_url() {
                Some(url) => {
                    let by = self.endpoint_source();
                    NoAnswer {
                        message: format!("{url} ({by}) does not answer ({cause})"),
                        remediation: format!("start the sandbox if the URL is that of a sandbox, or fix {by}"),
                    }
                }
                None => NoAnswer {
                    message: format!("AWS in {REGION} does not answer ({cause})"),
                    remediation: "check the network and the proxy of this machine".to_owned(),
                },
            }),
            Failure::Refused { .. } | Failure::Other(_) => None,
        }
    }

    fn endpoint_source(&self) -> &'static str {
        match (&self.endpoint_url, std::env::var_os("AWS_ENDPOINT_URL")) {
            (Some(_), _) => "--endpoint-url",
            (None, Some(_)) => "AWS_ENDPOINT_URL",
            (None, None) => "endpoint_url of the profile",
        }
    }
}

impl TableArguments {
    /// Returns the stage of the stack.
    pub(crate) fn stage(&self) -> Stage {
        self.stack.stage()
    }

    /// Returns the options that select the stack.
    pub(crate) fn stack(&self) -> &StackArguments {
        &self.stack
    }

    /// Returns the store on the stack's table.
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
    /// Returns an output. Fails if the stack does not have it.
    pub(crate) fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.optional_output(name).with_context(|| format!("the stack {} has no output {name}", self.name))
    }

    /// Returns an output that only some stacks have; `None` if this one does not.
    pub(crate) fn optional_output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }
}

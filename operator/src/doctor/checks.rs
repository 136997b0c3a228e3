//! The checks: each call that operators make, made once in a way that changes nothing.

use aws_config::SdkConfig;
use clock::Clock;
use domain::ids::ProductId;
use domain::listing::Listing;
use http::Method;
use jiff::Timestamp;
use marketplace::Catalog;
use store::Store;

use super::{Line, Verdict, judge};
use crate::api::Api;
use crate::dlq::{Name, Queue};
use crate::failure::Failure;
use crate::lambda::Lambda;
use crate::licenses::RECONCILE_FUNCTION;
use crate::print::{Progress, counted};
use crate::signed::Signed;
use crate::stack::{Described, Nobody, REGION, StackArguments};

/// Makes all checks. A check that depends on something that is missing ends as [`Verdict::CouldNotLook`].
pub(super) async fn all(stack: &StackArguments, progress: &mut Progress) -> Vec<Line> {
    progress.say("whose credentials are these?");
    let surroundings = lambda::setup::config().await;
    let config = stack.config().await;
    let mut lines = vec![credentials(&config, stack).await, region(&surroundings)];
    let of_stack =
        ["stack", "table", "catalog", "API", "dead letters", "reconciliation", "permissions", "versions", "clock"];
    let skipped = |from: usize, why: &'static str| {
        of_stack.into_iter().skip(from).map(move |check| Line::could_not_look(check, why))
    };
    if lines.iter().any(|line| line.result != Verdict::Ok) {
        lines.extend(skipped(0, "nobody is asked before it is known who asks"));
        return lines;
    }
    progress.say("is the stack there?");
    let described = match stack.described(&config).await {
        Ok(described) => described,
        Err(error) => {
            let mend = format!(
                "deploy it by `sam deploy --config-env {}`, or name it by --stack-name; the credentials need \
                 cloudformation:DescribeStacks",
                stack.stage()
            );
            lines.push(Line::not_ok("stack", format!("{error:#}"), mend));
            lines.extend(skipped(1, "the stack is not known"));
            return lines;
        }
    };
    lines.push(judge::stack(&described.name, &described.status).needing("cloudformation:DescribeStacks"));
    progress.say("the table, the API, the queues and the functions");
    let ((table, catalog), (api, clock), dead_letters, reconciliation) = tokio::join!(
        table_and_catalog(&config, &described),
        api_and_clock(&config, &described),
        dead_letters(&config, &described),
        reconciliation(&config, stack),
    );
    lines.extend([table, catalog, api, dead_letters, reconciliation]);
    lines.push(judge::permissions(&lines));
    lines.push(judge::versions(env!("CARGO_PKG_VERSION"), described.optional_output("Version")));
    lines.push(clock);
    lines
}

async fn credentials(config: &SdkConfig, stack: &StackArguments) -> Line {
    match aws_sdk_sts::Client::new(config).get_caller_identity().send().await {
        Ok(caller) => {
            let (arn, account) = (caller.arn.unwrap_or_default(), caller.account.unwrap_or_default());
            Line::ok("credentials", format!("{arn}, of the account {account}"))
        }
        Err(error) => {
            let failure = Failure::of(&error);
            match stack.nobody(config, &failure) {
                Some(Nobody { says, mend }) => Line::not_ok("credentials", says, mend),
                None => Line::not_ok(
                    "credentials",
                    format!("STS does not say whose they are: {failure}"),
                    "sign in (`aws sso login`), or name a profile in AWS_PROFILE, of the account that the stack is in",
                ),
            }
        }
    }
}

/// Reports the region, which is not a choice. A different region of the environment is named, since other tools use it.
fn region(surroundings: &SdkConfig) -> Line {
    let other = surroundings.region().map(AsRef::as_ref).filter(|region| *region != REGION);
    Line::ok(
        "region",
        match other {
            Some(other) => {
                format!("{REGION}, the only one for a stack. The environment names {other}, which other tools take")
            }
            None => format!("{REGION}, the only one for a stack"),
        },
    )
}

/// Checks the table, and the catalog, which is asked for a product of the table.
async fn table_and_catalog(config: &SdkConfig, described: &Described) -> (Line, Line) {
    let no_listing = |why: &str| Line::could_not_look("catalog", why);
    let table = match described.output("TableName") {
        Ok(table) => table,
        Err(error) => {
            return (Line::could_not_look("table", format!("{error:#}")), no_listing("the table is not known"));
        }
    };
    let listings = Store::new(config, table, Clock::System).all_listings().await;
    let catalog = match listings.as_deref().map(<[Listing]>::first) {
        Ok(Some(listing)) => catalog(config, &listing.product_id).await,
        Ok(None) => no_listing("there is no listing to ask for"),
        Err(_) => no_listing("the table does not say which products there are"),
    };
    let line = match listings {
        Ok(listings) if listings.is_empty() => Line::not_ok(
            "table",
            format!("{table} answers, and has no listing"),
            "load what is sold by `stallkeeper listing push`",
        ),
        Ok(listings) => Line::ok("table", format!("{table} answers, and has {}", counted(listings.len(), "listing"))),
        Err(error) => Line::not_ok(
            "table",
            format!("{table} does not answer: {}", Failure::of(&error)),
            "the credentials need dynamodb:Query on it; was it deleted, or restored under another name?",
        ),
    };
    (line.needing("dynamodb:Query"), catalog)
}

/// Checks the call that `listing plan` and `listing apply` make first.
async fn catalog(config: &SdkConfig, product: &ProductId) -> Line {
    let line = match Catalog::new(config).product(product).await {
        Ok(Some(_)) => Line::ok("catalog", format!("AWS Marketplace shows {product}")),
        Ok(None) => Line::not_ok(
            "catalog",
            format!("AWS Marketplace shows no product {product} to this account"),
            "take the credentials of the account that sells it, or mend `product_id` in the listing's file and push it",
        ),
        Err(error) => Line::not_ok(
            "catalog",
            format!("AWS Marketplace does not show {product}: {}", Failure::of(&error)),
            "`stallkeeper listing plan` and `apply` need aws-marketplace:DescribeEntity (listings/README.md has the rest)",
        ),
    };
    line.needing("aws-marketplace:DescribeEntity")
}

/// Checks the API and this machine's clock by one call: the answer has the API's time.
async fn api_and_clock(config: &SdkConfig, described: &Described) -> (Line, Line) {
    let no_time = |why: &str| Line::could_not_look("clock", why);
    let api = match (described.output("ApiUrl"), Signed::new(config)) {
        (Ok(url), Ok(signed)) => Api::new(url, signed),
        (Err(error), _) | (_, Err(error)) => {
            return (Line::could_not_look("API", format!("{error:#}")), no_time("nobody was asked what time it is"));
        }
    };
    let mend = "the credentials need execute-api:Invoke (the policy of the output ApplicationPolicyArn gives it); \
                docs/OPERATIONS.md, ApiFailuresAlarm, says what else it may be";
    let answered = api.ask(Method::GET, "/v1/licenses?limit=1", "application/json", "").await;
    let (line, clock) = match answered {
        Ok(answer) => {
            let clock = match answer.date() {
                Some(there) => judge::clock(Timestamp::now(), there),
                None => no_time("the API does not say what time it is"),
            };
            let line = match api.read(answer) {
                Ok(_) => Line::ok("API", format!("{} answers", api.url())),
                Err(error) => Line::not_ok("API", format!("{error:#}"), mend),
            };
            (line, clock)
        }
        Err(error) => (Line::not_ok("API", format!("{error:#}"), mend), no_time("the API does not answer")),
    };
    (line.needing("execute-api:Invoke"), clock)
}

async fn dead_letters(config: &SdkConfig, described: &Described) -> Line {
    let client = aws_sdk_sqs::Client::new(config);
    let (mut seen, mut waiting) = (0, Vec::new());
    for name in Name::ALL {
        let Some(url) = described.optional_output(&format!("{}Url", name.part())) else { continue };
        match Queue::new(&client, name.part(), url).counted().await {
            Ok(counted) if counted.messages == 0 => {}
            Ok(counted) => waiting.push(format!("{} in {}", counted.messages, name.part())),
            Err(error) => {
                let mend = "the credentials need sqs:GetQueueAttributes on the stack's queues";
                return Line::not_ok("dead letters", format!("{error:#}"), mend).needing("sqs:GetQueueAttributes");
            }
        }
        seen += 1;
    }
    let line = match (seen, waiting.is_empty()) {
        (0, _) => Line::could_not_look("dead letters", "the stack names no queue of them"),
        (_, true) => Line::ok("dead letters", format!("{seen} queues, and nothing in them")),
        (_, false) => Line::ok("dead letters", format!("{}: see `stallkeeper dlq show`", waiting.join(", "))),
    };
    line.needing("sqs:GetQueueAttributes")
}

async fn reconciliation(config: &SdkConfig, stack: &StackArguments) -> Line {
    let function = match stack.resource(config, RECONCILE_FUNCTION).await {
        Ok(function) => function,
        Err(error) => {
            let mend = "the credentials need cloudformation:DescribeStackResource";
            return Line::not_ok("reconciliation", format!("{error:#}"), mend)
                .needing("cloudformation:DescribeStackResource");
        }
    };
    let may = match Lambda::new(config) {
        Ok(lambda) => lambda.may_invoke(&function).await,
        Err(error) => Err(error),
    };
    let line = match may {
        Ok(()) => Line::ok("reconciliation", format!("{function} may be run; it was not")),
        Err(error) => {
            Line::not_ok("reconciliation", format!("{error:#}"), "the credentials need lambda:InvokeFunction")
        }
    };
    line.needing("lambda:InvokeFunction")
}

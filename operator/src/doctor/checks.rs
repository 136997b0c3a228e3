//! The checks: each call that operators make, made once in a way that changes nothing.

use aws_config::SdkConfig;
use clock::Clock;
use domain::ids::ProductId;
use domain::listing::Listing;
use http::Method;
use jiff::Timestamp;
use marketplace::Catalog;
use store::Store;

use super::judge;
use super::line::{Line, Verdict};
use crate::api::Api;
use crate::dlq::{Name, Queue};
use crate::failure::Failure;
use crate::lambda::Lambda;
use crate::licenses::RECONCILE_FUNCTION;
use crate::print::{Progress, counted};
use crate::signed::Signed;
use crate::stack::{Described, NoAnswer, REGION, StackArguments};

/// Makes all checks. A check that depends on something that is missing ends as [`Verdict::CouldNotCheck`].
pub(super) async fn all(stack: &StackArguments, progress: &mut Progress) -> Vec<Line> {
    progress.say("Checking the credentials");
    let surroundings = lambda::setup::config().await;
    let config = stack.config().await;
    let mut lines = vec![credentials(&config, stack).await, region(&surroundings)];
    let of_stack =
        ["stack", "table", "catalog", "API", "dead letters", "reconciliation", "permissions", "versions", "clock"];
    let skipped = |from: usize, why: &'static str| {
        of_stack.into_iter().skip(from).map(move |check| Line::could_not_check(check, why))
    };
    if lines.iter().any(|line| line.result != Verdict::Ok) {
        lines.extend(skipped(0, "the credentials do not work, so nothing else was checked"));
        return lines;
    }
    progress.say("Checking the stack");
    let described = match stack.described(&config).await {
        Ok(described) => described,
        Err(error) => {
            let remediation = format!(
                "deploy it with `sam deploy --config-env {}`, or select it with --stack-name; the credentials need \
                 cloudformation:DescribeStacks",
                stack.stage()
            );
            lines.push(Line::not_ok("stack", format!("{error:#}"), remediation));
            lines.extend(skipped(1, "the stack is unknown"));
            return lines;
        }
    };
    lines.push(judge::stack(&described.name, &described.status).needing("cloudformation:DescribeStacks"));
    progress.say("Checking the table, the API, the queues and the functions");
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
            Line::ok("credentials", format!("They belong to {arn} in the account {account}"))
        }
        Err(error) => {
            let failure = Failure::of(&error);
            match stack.no_answer(config, &failure) {
                Some(NoAnswer { message, remediation }) => Line::not_ok("credentials", message, remediation),
                None => Line::not_ok(
                    "credentials",
                    format!("STS does not accept them: {failure}"),
                    "sign in (`aws sso login`), or set AWS_PROFILE to a profile of the account that the stack is in",
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
                format!("A stack is always in {REGION}. The environment sets {other}, which other tools use")
            }
            None => format!("A stack is always in {REGION}"),
        },
    )
}

/// Checks the table, and the catalog, which is asked for a product of the table.
async fn table_and_catalog(config: &SdkConfig, described: &Described) -> (Line, Line) {
    let no_listing = |why: &str| Line::could_not_check("catalog", why);
    let table = match described.output("TableName") {
        Ok(table) => table,
        Err(error) => {
            return (Line::could_not_check("table", format!("{error:#}")), no_listing("the table is unknown"));
        }
    };
    let listings = Store::new(config, table, Clock::System).all_listings().await;
    let catalog = match listings.as_deref().map(<[Listing]>::first) {
        Ok(Some(listing)) => catalog(config, &listing.product_id).await,
        Ok(None) => no_listing("the stack has no listing whose product could be read"),
        Err(_) => no_listing("the listings could not be read from the table"),
    };
    let line = match listings {
        Ok(listings) if listings.is_empty() => Line::not_ok(
            "table",
            format!("{table} answers, and has no listing"),
            "load a listing with `stallkeeper listing push`",
        ),
        Ok(listings) => Line::ok("table", format!("{table} answers, and has {}", counted(listings.len(), "listing"))),
        Err(error) => Line::not_ok(
            "table",
            format!("{table} does not answer: {}", Failure::of(&error)),
            "allow dynamodb:Query on it, and check that it was not deleted or restored under another name",
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
            "use the credentials of the account that sells it, or fix `product_id` in the listing's file and push it",
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
    let no_time = |why: &str| Line::could_not_check("clock", why);
    let api = match (described.output("ApiUrl"), Signed::new(config)) {
        (Ok(url), Ok(signed)) => Api::new(url, signed),
        (Err(error), _) | (_, Err(error)) => {
            return (Line::could_not_check("API", format!("{error:#}")), no_time("the API was not called"));
        }
    };
    let remediation = "allow execute-api:Invoke (the policy of the output ApplicationPolicyArn does); docs/OPERATIONS.md, \
                       ApiFailuresAlarm, describes other causes";
    let answered = api.ask(Method::GET, "/v1/licenses?limit=1", "application/json", "").await;
    let (line, clock) = match answered {
        Ok(answer) => {
            let clock = match answer.date() {
                Some(there) => judge::clock(Timestamp::now(), there),
                None => no_time("the API's answer has no Date header"),
            };
            let line = match api.read(answer) {
                Ok(_) => Line::ok("API", format!("{} answers", api.url())),
                Err(error) => Line::not_ok("API", format!("{error:#}"), remediation),
            };
            (line, clock)
        }
        Err(error) => (Line::not_ok("API", format!("{error:#}"), remediation), no_time("the API does not answer")),
    };
    (line.needing("execute-api:Invoke"), clock)
}

async fn dead_letters(config: &SdkConfig, described: &Described) -> Line {
    let client = aws_sdk_sqs::Client::new(config);
    let (mut checked, mut waiting) = (0, Vec::new());
    for name in Name::ALL {
        let Some(url) = described.optional_output(&format!("{}Url", name.part())) else { continue };
        match Queue::new(&client, name.part(), url).counted().await {
            Ok(counted) if counted.messages == 0 => {}
            Ok(counted) => waiting.push(format!("{} in {}", counted.messages, name.part())),
            Err(error) => {
                let remediation = "the credentials need sqs:GetQueueAttributes on the stack's queues";
                return Line::not_ok("dead letters", format!("{error:#}"), remediation)
                    .needing("sqs:GetQueueAttributes");
            }
        }
        checked += 1;
    }
    let line = match (checked, waiting.is_empty()) {
        (0, _) => Line::could_not_check("dead letters", "the stack has no output of a dead-letter queue"),
        (_, true) => Line::ok("dead letters", format!("All {checked} queues are empty")),
        (_, false) => Line::ok(
            "dead letters",
            format!("There are {}; `stallkeeper dlq show` prints what to do", waiting.join(", ")),
        ),
    };
    line.needing("sqs:GetQueueAttributes")
}

async fn reconciliation(config: &SdkConfig, stack: &StackArguments) -> Line {
    let function = match stack.resource(config, RECONCILE_FUNCTION).await {
        Ok(function) => function,
        Err(error) => {
            let remediation = "the credentials need cloudformation:DescribeStackResource";
            return Line::not_ok("reconciliation", format!("{error:#}"), remediation)
                .needing("cloudformation:DescribeStackResource");
        }
    };
    let may = match Lambda::new(config) {
        Ok(lambda) => lambda.may_invoke(&function).await,
        Err(error) => Err(error),
    };
    let line = match may {
        Ok(()) => Line::ok("reconciliation", format!("{function} may be invoked; it was not")),
        Err(error) => {
            Line::not_ok("reconciliation", format!("{error:#}"), "the credentials need lambda:InvokeFunction")
        }
    };
    line.needing("lambda:InvokeFunction")
}

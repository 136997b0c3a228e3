//! Compares a described listing with what AWS Marketplace shows: plans the changes, and sends them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use domain::errors::chain;
use domain::listing::Listing;
use jiff::Timestamp;
use marketplace::MarketplaceError;
use marketplace::catalog::{Catalog, ChangeSet, ChangeSetAtAws, Failure, NotStarted, Plan, Status, plan};
use serde::Serialize;
use terminal::note_line;
use url::Url;

use crate::print::{Progress, Table, ask, plain, say, say_json};
use crate::stack::TableArguments;

/// The time from one check of a change set to the next: at first, and the longest later.
const POLL_PAUSE_MIN: Duration = Duration::from_millis(500);
const POLL_PAUSE_MAX: Duration = Duration::from_secs(10);

/// The time for which a change set is followed. AWS takes minutes for most.
const CHANGE_SET_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// The most characters of a text in a table. A text is shown from `BEFORE` characters before its first difference, or
/// from its first character if `AFTER` characters after that place fit.
const WIDEST: usize = 60;
const BEFORE: usize = 20;
const AFTER: usize = 30;

/// The permissions to read and to change the catalog.
const READING: &str = "aws-marketplace:DescribeEntity, ListEntities, ListChangeSets and DescribeChangeSet";
const CHANGING: &str = "aws-marketplace:StartChangeSet and DescribeChangeSet";

/// A described listing, and the stack that sells it.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The file of the listing.
    #[arg(required_unless_present = "product", conflicts_with = "product")]
    file: Option<PathBuf>,
    /// Select a listing of the stack by its product code or product id.
    #[arg(long, value_name = "CODE")]
    product: Option<String>,
    #[command(flatten)]
    stack: TableArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The differences of a listing.
#[derive(Debug, Serialize)]
struct Planned<'a> {
    product_id: &'a str,
    name: &'a str,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// The change sets that were sent.
#[derive(Debug, Serialize)]
struct Applied<'a> {
    product_id: &'a str,
    name: &'a str,
    sent: &'a [ChangeSetAtAws],
    /// The differences afterwards; `None` if they could not be read.
    remaining: Option<&'a Plan>,
}

/// A listing, its registration URL, and the catalog that it is compared with.
struct Compared {
    listing: Listing,
    registration: Url,
    catalog: Catalog,
}

/// Shows the differences, and sends nothing.
pub(crate) async fn show_plan(which: &Which) -> anyhow::Result<()> {
    let compared = which.compared().await?;
    let plan = compared.plan().await?;
    if which.json {
        return say_json(&Planned {
            product_id: compared.listing.product_id.as_str(),
            name: &compared.listing.name,
            plan: &plan,
        });
    }
    show(&compared.listing, &plan)?;
    if !plan.change_sets.is_empty() {
        note_line("Nothing was sent. `stallkeeper listing apply` sends the changes.");
    }
    Ok(())
}

/// Sends the differences, after a confirmation.
pub(crate) async fn apply(which: &Which, yes: bool) -> anyhow::Result<()> {
    ensure!(yes || !which.json, "--json shows no confirmation prompt: add --yes");
    let compared = which.compared().await?;
    let plan = compared.plan().await?;
    if !which.json {
        show(&compared.listing, &plan)?;
    }
    if !plan.change_sets.is_empty() && !yes {
        ask("Send these changes to AWS Marketplace?")?;
    }
    let mut sent = Vec::new();
    let ended = compared.send_all(&plan, &mut sent, which.json).await;
    if sent.is_empty() && ended.is_err() {
        return ended;
    }
    let remaining = if sent.is_empty() { Ok(plan) } else { compared.plan().await };
    // The sent change sets are reported, even if something failed after them.
    if which.json {
        let Listing { product_id, name, .. } = &compared.listing;
        let remaining = remaining.as_ref().ok();
        say_json(&Applied { product_id: product_id.as_str(), name, sent: &sent, remaining })?;
    }
    ended?;
    let remaining =
        remaining.context("all change sets have succeeded, but the remaining differences could not be read")?;
    if !which.json && !sent.is_empty() {
        show(&compared.listing, &remaining)?;
    }
    ensure!(remaining.change_sets.is_empty(), "all change sets have succeeded, and differences remain: apply again");
    Ok(())
}

impl Which {
    async fn compared(&self) -> anyhow::Result<Compared> {
        let listing = match (&self.file, &self.product) {
            (Some(file), _) => {
                let name = file.display();
                let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
                Listing::parse(&text).with_context(|| name.to_string())?
            }
            (None, product) => self.loaded(product.as_deref().unwrap_or_default()).await?,
        };
        let (name, stage, wanted) = (&listing.name, listing.stage, self.stack.stage());
        ensure!(stage == wanted, "{name} is described for {stage}, not for {wanted}; nothing was changed");
        let stack = self.stack.stack();
        let config = stack.config().await;
        let registration = stack.described(&config).await?.output("RegistrationUrl")?.to_owned();
        let registration = registration.parse().with_context(|| format!("{registration} is not a URL"))?;
        Ok(Compared { listing, registration, catalog: Catalog::new(&config) })
    }

    /// Returns the stack's listing of a product.
    async fn loaded(&self, product: &str) -> anyhow::Result<Listing> {
        let listings = self.stack.store().await?.all_listings().await?;
        let known: Vec<String> = listings.iter().map(|listing| listing.product_code.to_string()).collect();
        let is_it = |listing: &Listing| [listing.product_code.as_str(), listing.product_id.as_str()].contains(&product);
        listings.into_iter().find(is_it).with_context(|| {
            format!(
                "the stack has no listing of {product:?}. It has: {}. `stallkeeper listing push` loads one",
                known.join(", ")
            )
        })
    }
}

impl Compared {
    async fn plan(&self) -> anyhow::Result<Plan> {
        Progress::begin().wait("Reading AWS Marketplace's catalog", self.compare()).await
    }

    async fn compare(&self) -> anyhow::Result<Plan> {
        let id = &self.listing.product_id;
        let product = self.catalog.product(id).await.map_err(|error| cannot_read(&error))?;
        let product = product.with_context(|| {
            format!(
                "AWS Marketplace shows no product {id} to this account. Check that the credentials belong to the account that \
                 sells it, and check `product_id`. To create a product, use the AWS Marketplace Management Portal, and \
                 enter its id and code in the listing's file"
            )
        })?;
        let offers = self.catalog.offers(id).await.map_err(|error| cannot_read(&error))?;
        Ok(plan(&self.listing, &self.registration, &product, &offers, Timestamp::now()))
    }

    /// Sends one change set after the other, and keeps those that are done.
    async fn send_all(&self, plan: &Plan, sent: &mut Vec<ChangeSetAtAws>, json: bool) -> anyhow::Result<()> {
        for change_set in &plan.change_sets {
            let ended = match (self.send(change_set).await, sent.len()) {
                (Ok(ended), _) => ended,
                (Err(error), 0) => return Err(error),
                (Err(error), done) => {
                    let all = plan.change_sets.len();
                    return Err(error.context(format!(
                        "{done} of {all} change sets have succeeded and are kept; the next one failed"
                    )));
                }
            };
            if !json {
                say(format_args!("{}  {}  {}", ended.status.as_str(), ended.id, ended.name))?;
            }
            sent.push(ended);
        }
        Ok(())
    }

    /// Starts a change set and follows it to its end. Fails unless it has succeeded.
    async fn send(&self, change_set: &ChangeSet) -> anyhow::Result<ChangeSetAtAws> {
        let id = match self.catalog.start(change_set).await {
            Ok(id) => id,
            Err(NotStarted::Held(message)) => bail!(self.held(change_set, &message).await),
            Err(NotStarted::Refused { code, message }) => bail!(refused(&code, &message)),
            Err(NotStarted::Later(error)) => bail!(
                "AWS Marketplace did not accept the change set {}: {}. Check with `stallkeeper listing plan`, and apply again",
                change_set.name,
                chain(&error)
            ),
        };
        let ended = self.follow(&id).await?;
        match (ended.status, &ended.failure) {
            (Status::Succeeded, _) => Ok(ended),
            (_, Some(failure)) => bail!(failed(&ended, failure)),
            (status, None) => bail!("the change set {id} is {}: it was cancelled", status.as_str()),
        }
    }

    /// Follows a change set to its end. Repeats a request that gets no answer.
    async fn follow(&self, id: &str) -> anyhow::Result<ChangeSetAtAws> {
        let (began, mut pause, mut progress) = (Instant::now(), POLL_PAUSE_MIN, Progress::begin());
        loop {
            let current = self.catalog.change_set(id).await;
            let waited = began.elapsed();
            match &current {
                Ok(current) if !matches!(current.status, Status::Preparing | Status::Applying) => {
                    return Ok(current.clone());
                }
                Ok(current) => progress.say(&format!(
                    "The change set {id} is {} since {} s",
                    current.status.as_str(),
                    waited.as_secs()
                )),
                Err(MarketplaceError::Refused { code }) => {
                    bail!(
                        "the change set {id} was started, but its status cannot be read: {code}. The credentials must allow {CHANGING}"
                    )
                }
                Err(MarketplaceError::Throttled | MarketplaceError::Unavailable(_)) => {
                    progress.say(&format!("The change set {id}: AWS does not answer since {} s", waited.as_secs()));
                }
            }
            ensure!(
                waited < CHANGE_SET_TIMEOUT,
                "the change set {id} has not ended after {} minutes. AWS continues with it; `stallkeeper listing plan` shows \
                 the remaining differences",
                CHANGE_SET_TIMEOUT.as_secs() / 60
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_PAUSE_MAX);
        }
    }

    /// Describes the change set that is at work on the entities of the given one, and what to do.
    async fn held(&self, change_set: &ChangeSet, message: &str) -> String {
        let mut entities: Vec<&str> = change_set.changes.iter().filter_map(|change| change.entity.id()).collect();
        entities.dedup();
        let mut holders = Vec::new();
        for entity in entities {
            // AWS's message names them as well, if they cannot be listed.
            holders.extend(self.catalog.at_work(entity).await.unwrap_or_default());
        }
        let Some(holder) = holders.first() else {
            return format!("another change set is in progress: {message}. Apply again once it has ended");
        };
        let ChangeSetAtAws { id, name, status, started, .. } = holder;
        let since = started.map(|at| format!(", since {at:.0}")).unwrap_or_default();
        let stop = match status {
            Status::Preparing => format!(
                ", or cancel it: aws marketplace-catalog cancel-change-set --region us-east-1 --catalog AWSMarketplace \
                 --change-set-id {id}"
            ),
            _ => String::new(),
        };
        format!(
            "the change set {id} ({}) is {}{since} and blocks this one. Wait until it has ended and apply again{stop}",
            plain(name),
            status.as_str(),
        )
    }
}

fn cannot_read(error: &MarketplaceError) -> anyhow::Error {
    match error {
        MarketplaceError::Refused { code } => {
            anyhow::anyhow!("AWS Marketplace's catalog refuses to answer: {code}. The credentials must allow {READING}")
        }
        error @ (MarketplaceError::Throttled | MarketplaceError::Unavailable(_)) => {
            anyhow::anyhow!("AWS Marketplace's catalog could not be read: {}. Try again", chain(error))
        }
    }
}

fn refused(code: &str, message: &str) -> String {
    let advice = match code {
        "AccessDeniedException" => format!("The credentials must allow {CHANGING}"),
        "ServiceQuotaExceededException" => {
            "Too many change sets are in progress: apply again once some have ended".to_owned()
        }
        "ResourceNotFoundException" => {
            "A part of the product was removed after the plan was made: apply again".to_owned()
        }
        _ => "Fix the named part in the listing's file, and apply again".to_owned(),
    };
    format!("AWS Marketplace refuses the change set: {code}: {}. {advice}", plain(message.trim_end_matches('.')))
}

fn failed(ended: &ChangeSetAtAws, failure: &Failure) -> String {
    let mut text =
        format!("the change set {} ({}) has failed, and none of its changes is made", ended.id, plain(&ended.name));
    if let Some(description) = &failure.description {
        text.push_str(&format!(": {}", plain(description)));
    }
    for error in &failure.errors {
        text.push_str(&format!("\n  {}: {}: {}", error.change_type, error.code, plain(&error.message)));
    }
    text.push_str(if failure.is_fault_of_aws {
        "\nThe fault is in AWS: apply again. If it persists, contact AWS Marketplace seller operations with the change \
         set's id"
    } else {
        "\nFix the named parts in the listing's file or in the AWS Marketplace Management Portal, and apply again"
    });
    text
}

/// Shows the differences and the hints.
fn show(listing: &Listing, plan: &Plan) -> anyhow::Result<()> {
    let Listing { name, product_id, .. } = listing;
    if plan.change_sets.is_empty() {
        let what = if plan.hints.is_empty() { "There is nothing to change" } else { "Nothing can be changed" };
        say(format_args!("{what} for {product_id} ({name})."))?;
    }
    for (number, change_set) in plan.change_sets.iter().enumerate() {
        let then = if number == 0 { "" } else { ", after the one above" };
        let mut table = Table::of(&["CHANGE", "ATTRIBUTE", "IN AWS", "DESCRIBED"]);
        for change in &change_set.changes {
            for difference in &change.differences {
                let [current, described] = beside([&difference.current, &difference.described]);
                let current = if current.is_empty() { "-".to_owned() } else { current };
                table.row([change.change_type.to_owned(), difference.what.clone(), current, described]);
            }
        }
        say(format_args!("# {}{then}\n\n{table}\n", change_set.name))?;
    }
    for hint in &plan.hints {
        say(format_args!("Note: {}", plain(hint)))?;
    }
    Ok(())
}

/// Returns the parts of long texts in which they start to differ, from the same place in both.
fn beside(texts: [&str; 2]) -> [String; 2] {
    let [one, other] = texts;
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let skipped = if same + AFTER > WIDEST { same.saturating_sub(BEFORE) } else { 0 };
    texts.map(|text| {
        let mut characters = text.chars().skip(skipped);
        let before = if skipped > 0 { "…" } else { "" };
        let part: String = characters.by_ref().take(WIDEST).collect();
        let after = if characters.next().is_some() { "…" } else { "" };
        format!("{before}{part}{after}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_long_texts_are_visible() {
        let long = "0123456789".repeat(10);
        let with = |place: usize, text: &str| format!("{}{text}{}", &long[..place], &long[place..]);
        let cases = [
            (["".to_owned(), "short".to_owned()], ["", "short"].map(str::to_owned)),
            // From the beginning, if the difference is visible there.
            (
                [long.clone(), with(30, "new")],
                [format!("{}…", &long[..60]), format!("{}new{}…", &long[..30], &long[30..57])],
            ),
            // From shortly before it, to the end or as far as there is room.
            (
                [long.clone(), with(70, "new")],
                [format!("…{}", &long[50..]), format!("…{}new{}", &long[50..70], &long[70..])],
            ),
            (
                [long.clone(), with(35, "new")],
                [format!("…{}…", &long[15..75]), format!("…{}new{}…", &long[15..35], &long[35..72])],
            ),
            // One text is the beginning of the other.
            (
                [long.clone(), with(100, ", and more")],
                [format!("…{}", &long[80..]), format!("…{}, and more", &long[80..])],
            ),
            // Characters are counted, not bytes.
            (
                ["席".repeat(70), format!("{}新", "席".repeat(69))],
                ["席", "新"].map(|end| format!("…{}{end}", "席".repeat(20))),
            ),
        ];
        for ([current, described], wanted) in cases {
            assert_eq!(beside([&current, &described]), wanted);
        }
    }
}

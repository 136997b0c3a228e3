//! Dead letters: shows them, and moves them back to the queue that they come from.

mod kind;
mod queue;

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use terminal::note_line;

use crate::print::{Progress, Table, ago, ask, say, say_json};
use crate::stack::StackArguments;
use queue::{DeadLetter, HIDDEN, Move, MoveStatus};

pub(crate) use queue::Queue;

/// The time from one check of a move to the next.
const POLL_PAUSE: Duration = Duration::from_secs(1);

/// The most checks in which SQS may not show a new move yet.
const MISSING_POLLS_MAX: u32 = 30;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the messages in each dead-letter queue. They stay there.
    Show {
        /// Print the kinds of some of the messages, too. Other content, which may be personal data, is not shown.
        #[arg(long)]
        peek: bool,
        #[command(flatten)]
        stack: StackArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Move dead letters back to the queue that they come from, and wait until all are there. First fix what made them
    /// fail: docs/OPERATIONS.md, "Dead letters".
    Redrive {
        /// The dead-letter queue.
        queue: Name,
        /// Skip the confirmation prompt.
        #[arg(long)]
        yes: bool,
        /// Limit the number of messages that are moved per second.
        #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=500))]
        per_second: i32,
        #[command(flatten)]
        stack: StackArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Events from AWS Marketplace that could not be processed.
    MarketplaceEvents,
    /// Mails that could not be sent.
    Mail,
    /// License events that could not be published.
    Notifier,
    /// Entries of the audit log that did not reach their log group.
    Audit,
    /// Runs of the reporter and the reconciliation that failed.
    Run,
}

impl Name {
    /// All dead-letter queues.
    pub(crate) const ALL: [Self; 5] = [Self::MarketplaceEvents, Self::Mail, Self::Notifier, Self::Audit, Self::Run];

    /// Returns the queue's name in the template.
    pub(crate) fn part(self) -> &'static str {
        match self {
            Self::MarketplaceEvents => "MarketplaceEventsDeadLetters",
            Self::Mail => "MailDeadLetters",
            Self::Notifier => "NotifierDeadLetters",
            Self::Audit => "AuditDeadLetters",
            Self::Run => "RunDeadLetters",
        }
    }

    /// Returns the output that names the queue that its messages come from, if that is a queue.
    fn from(self) -> Option<&'static str> {
        match self {
            Self::MarketplaceEvents => Some("MarketplaceEventsQueueUrl"),
            Self::Mail => Some("MailQueueUrl"),
            Self::Notifier | Self::Audit | Self::Run => None,
        }
    }

    /// Returns what to do with its messages once the cause is fixed.
    fn remediation(self) -> &'static str {
        match self {
            Self::MarketplaceEvents => {
                "stallkeeper dlq redrive marketplace-events; the reconciliation repairs it within a day, too"
            }
            Self::Mail => "stallkeeper dlq redrive mail, if the mails are still useful",
            Self::Notifier => "stallkeeper events replay --from … --to … for that period, then purge the queue",
            Self::Audit => "purge the queue: the table has the entries",
            Self::Run => "nothing: the next run repeats the work, and the messages expire after a day",
        }
    }
}

/// The content of a dead-letter queue.
#[derive(Debug, Serialize)]
struct Shown {
    queue: &'static str,
    messages: u64,
    /// The time at which the oldest of the checked messages was sent.
    oldest: Option<Timestamp>,
    oldest_age_seconds: Option<i64>,
    /// The number of checked messages: if the queue has more, one of the others may be older.
    inspected: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<Vec<DeadLetter>>,
    remediation: &'static str,
}

/// The most messages of a queue that are shown.
const SAMPLE_SIZE: usize = 10;

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Show { peek, stack, json } => show(peek, &stack, json).await,
        Command::Redrive { queue, yes, per_second, stack, json } => {
            ensure!(yes || !json, "--json shows no confirmation prompt: add --yes");
            let redriven = redrive(queue, yes, per_second, &stack).await?;
            if json { say_json(&redriven) } else { redriven.say() }
        }
    }
}

async fn show(peek: bool, stack: &StackArguments, json: bool) -> anyhow::Result<()> {
    let config = stack.config().await;
    let described = stack.described(&config).await?;
    let client = aws_sdk_sqs::Client::new(&config);
    let mut progress = Progress::begin();
    let mut all = Vec::new();
    for name in Name::ALL {
        let Some(url) = described.optional_output(&format!("{}Url", name.part())) else { continue };
        progress.say(&format!("Reading {}", name.part()));
        let queue = Queue::new(&client, name.part(), url);
        let messages = queue.counted().await?.messages;
        wait_until_visible(&queue).await?;
        let mut letters = if messages == 0 { Vec::new() } else { queue.peek().await? };
        letters.sort_by_key(|letter| letter.sent);
        let oldest = letters.first().map(|letter| letter.sent);
        let inspected = letters.len();
        letters.truncate(SAMPLE_SIZE);
        all.push(Shown {
            queue: name.part(),
            messages,
            oldest,
            oldest_age_seconds: oldest.map(|oldest| Timestamp::now().duration_since(oldest).as_secs().max(0)),
            inspected,
            sample: peek.then_some(letters),
            remediation: name.remediation(),
        });
    }
    drop(progress);
    if json {
        return say_json(&all);
    }
    if all.is_empty() {
        bail!(
            "the stack {} has no output of a dead-letter queue. Check that it is a stack of Stallkeeper",
            described.name
        );
    }
    say(table(&all))?;
    for shown in all.iter().filter(|shown| shown.inspected > 0) {
        if let Some(sample) = &shown.sample {
            let mut table = Table::of(&["SENT", "RECEIVED", "MESSAGE", "KIND"]);
            for DeadLetter { sent, receives, message_id, kind } in sample {
                table.row([sent.to_string(), receives.to_string(), message_id.clone(), kind.clone()]);
            }
            say(format!("\n{}", shown.queue))?;
            say(table)?;
        }
    }
    Ok(())
}

fn table(all: &[Shown]) -> Table {
    let mut table = Table::of(&["QUEUE", "MESSAGES", "OLDEST", "AFTER FIXING THE CAUSE"]);
    for Shown { queue, messages, oldest, inspected, remediation, .. } in all {
        let more = if (*inspected as u64) < *messages { "at least " } else { "" };
        let oldest = oldest.map(|oldest| format!("{more}{}", ago(oldest, Timestamp::now())));
        let remediation = if *messages == 0 { "" } else { remediation };
        table.row([
            (*queue).to_owned(),
            messages.to_string(),
            oldest.unwrap_or_else(|| "-".to_owned()),
            remediation.to_owned(),
        ]);
    }
    table
}

/// The result of a move.
#[derive(Debug, Serialize)]
struct Redriven {
    queue: &'static str,
    moved: i64,
    /// The number of messages in the dead-letter queue afterwards.
    messages: u64,
}

impl Redriven {
    fn say(&self) -> anyhow::Result<()> {
        match self {
            Self { queue, moved: 0, messages: 0 } => say(format!("{queue} is empty: there is nothing to move.")),
            Self { queue, moved, messages: 0 } => say(format!("{moved} messages of {queue} are back on their queue.")),
            Self { queue, moved, messages } => say(format!(
                "{moved} messages of {queue} are back on their queue.\n{messages} are still there: they arrived later, or \
                 another command was reading them. Repeat the command to move them."
            )),
        }
    }
}

async fn redrive(name: Name, yes: bool, per_second: i32, stack: &StackArguments) -> anyhow::Result<Redriven> {
    let Some(from) = name.from() else {
        bail!("the messages of {} cannot be moved back. Do this instead: {}", name.part(), name.remediation());
    };
    let config = stack.config().await;
    let described = stack.described(&config).await?;
    let client = aws_sdk_sqs::Client::new(&config);
    let dead = Queue::new(&client, name.part(), described.output(&format!("{}Url", name.part()))?);
    let to = Queue::new(&client, from.trim_end_matches("Url"), described.output(from)?).counted().await?.arn;
    let counted = dead.counted().await?;
    let before = dead.newest_move(&counted.arn).await?;
    // The move to wait for is the one that did not exist before.
    let known = match before {
        Some(Move { status: MoveStatus::Running, .. }) => {
            note_line("A move is already in progress.");
            None
        }
        _ if counted.messages == 0 => return Ok(Redriven { queue: name.part(), moved: 0, messages: 0 }),
        before => {
            if !yes {
                let messages = counted.messages;
                ask(&format!(
                    "Move {messages} messages of {} in {} back to their queue?",
                    name.part(),
                    described.name
                ))?;
            }
            wait_until_visible(&dead).await?;
            dead.start_move(&counted.arn, &to, per_second).await?;
            before.map(|before| before.started)
        }
    };
    let moved = follow(&dead, &counted.arn, known).await?;
    Ok(Redriven { queue: name.part(), moved, messages: dead.counted().await?.messages })
}

/// Waits until messages that another command has received are visible again: a check or a move would leave them out.
async fn wait_until_visible(dead: &Queue<'_>) -> anyhow::Result<()> {
    let mut progress = Progress::begin();
    for _ in 0..=HIDDEN {
        if dead.counted().await?.hidden == 0 {
            break;
        }
        progress.say("Waiting until recently read messages are visible again");
        tokio::time::sleep(POLL_PAUSE).await;
    }
    Ok(())
}

/// Waits for the end of a move, and returns the number of messages that it moved.
async fn follow(dead: &Queue<'_>, arn: &str, known: Option<i64>) -> anyhow::Result<i64> {
    let mut progress = Progress::begin();
    let mut missing_polls = 0;
    loop {
        match dead.newest_move(arn).await?.filter(|newest| Some(newest.started) != known) {
            Some(Move { status: MoveStatus::Completed, moved, .. }) => return Ok(moved),
            Some(Move { status: MoveStatus::Running, moved, of, .. }) => {
                progress.say(&format!("Moved {moved} of {of} messages"));
            }
            Some(Move { status: MoveStatus::Failed(why), moved, .. }) => {
                bail!("the move failed after {moved} messages: {why}. The others are still in the dead-letter queue")
            }
            None if missing_polls < MISSING_POLLS_MAX => missing_polls += 1,
            None => bail!("SQS does not list the move. Check the queue with `stallkeeper dlq show`"),
        }
        tokio::time::sleep(POLL_PAUSE).await;
    }
}

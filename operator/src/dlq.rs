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
use queue::{DeadLetter, HIDDEN, Move, Stands};

pub(crate) use queue::Queue;

/// The time from one check of a move to the next.
const LOOK: Duration = Duration::from_secs(1);

/// The most checks in which SQS may not show a new move yet.
const UNSEEN: u32 = 30;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the messages in each dead-letter queue. They stay there.
    Show {
        /// Print the kind of some of the messages, too. Other content, which may be personal data, is not shown.
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
        /// The most messages that are moved a second.
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
    News,
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
    pub(crate) const ALL: [Self; 5] = [Self::News, Self::Mail, Self::Notifier, Self::Audit, Self::Run];

    /// Returns the queue's name in the template.
    pub(crate) fn part(self) -> &'static str {
        match self {
            Self::News => "MarketplaceEventsDeadLetters",
            Self::Mail => "MailDeadLetters",
            Self::Notifier => "NotifierDeadLetters",
            Self::Audit => "AuditDeadLetters",
            Self::Run => "RunDeadLetters",
        }
    }

    /// Returns the output that names the queue that its messages come from, if that is a queue.
    fn from(self) -> Option<&'static str> {
        match self {
            Self::News => Some("MarketplaceEventsQueueUrl"),
            Self::Mail => Some("MailQueueUrl"),
            Self::Notifier | Self::Audit | Self::Run => None,
        }
    }

    /// Returns what to do with its messages once the cause is fixed.
    fn mend(self) -> &'static str {
        match self {
            Self::News => "stallkeeper dlq redrive news; the reconciliation makes it good within a day, too",
            Self::Mail => "stallkeeper dlq redrive mail, if the mails still help",
            Self::Notifier => "stallkeeper events replay --from … --to … of that time, then purge it",
            Self::Audit => "the entries are in the table; purge it",
            Self::Run => "the next run does it; the messages go after a day",
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
    looked_at: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    some: Option<Vec<DeadLetter>>,
    mend: &'static str,
}

/// The most messages of a queue that are shown.
const SOME: usize = 10;

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Show { peek, stack, json } => show(peek, &stack, json).await,
        Command::Redrive { queue, yes, per_second, stack, json } => {
            ensure!(yes || !json, "--json asks nobody: say --yes");
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
        progress.say(&format!("looking into {}", name.part()));
        let queue = Queue::new(&client, name.part(), url);
        let messages = queue.counted().await?.messages;
        in_sight(&queue).await?;
        let mut letters = if messages == 0 { Vec::new() } else { queue.look().await? };
        letters.sort_by_key(|letter| letter.sent);
        let oldest = letters.first().map(|letter| letter.sent);
        let looked_at = letters.len();
        letters.truncate(SOME);
        all.push(Shown {
            queue: name.part(),
            messages,
            oldest,
            oldest_age_seconds: oldest.map(|oldest| Timestamp::now().duration_since(oldest).as_secs().max(0)),
            looked_at,
            some: peek.then_some(letters),
            mend: name.mend(),
        });
    }
    drop(progress);
    if json {
        return say_json(&all);
    }
    if all.is_empty() {
        bail!("the stack {} names no queue of dead letters: is it Stallkeeper's?", described.name);
    }
    say(table(&all))?;
    for shown in all.iter().filter(|shown| shown.looked_at > 0) {
        if let Some(some) = &shown.some {
            let mut table = Table::of(&["SENT", "RECEIVED", "MESSAGE", "KIND"]);
            for DeadLetter { sent, receives, message_id, kind } in some {
                table.row([sent.to_string(), receives.to_string(), message_id.clone(), kind.clone()]);
            }
            say(format!("\n{}", shown.queue))?;
            say(table)?;
        }
    }
    Ok(())
}

fn table(all: &[Shown]) -> Table {
    let mut table = Table::of(&["QUEUE", "MESSAGES", "OLDEST", "WHEN THE CAUSE IS MENDED"]);
    for Shown { queue, messages, oldest, looked_at, mend, .. } in all {
        let more = if (*looked_at as u64) < *messages { "at least " } else { "" };
        let oldest = oldest.map(|oldest| format!("{more}{}", ago(oldest, Timestamp::now())));
        let mend = if *messages == 0 { "" } else { mend };
        table.row([
            (*queue).to_owned(),
            messages.to_string(),
            oldest.unwrap_or_else(|| "-".to_owned()),
            mend.to_owned(),
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
            Self { queue, moved: 0, messages: 0 } => say(format!("{queue} is empty: there is nothing to move")),
            Self { queue, moved, messages: 0 } => say(format!("{moved} messages of {queue} are back on their queue")),
            Self { queue, moved, messages } => say(format!(
                "{moved} messages of {queue} are back on their queue\n{messages} are still there: they came since, or \
                 somebody looked at them. The same again moves them"
            )),
        }
    }
}

async fn redrive(name: Name, yes: bool, per_second: i32, stack: &StackArguments) -> anyhow::Result<Redriven> {
    let Some(from) = name.from() else {
        bail!("what lies in {} is moved nowhere: {}", name.part(), name.mend());
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
        Some(Move { stands: Stands::Running, .. }) => {
            note_line("a move of them is under way already");
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
            in_sight(&dead).await?;
            dead.start_move(&counted.arn, &to, per_second).await?;
            before.map(|before| before.started)
        }
    };
    let moved = follow(&dead, &counted.arn, known).await?;
    Ok(Redriven { queue: name.part(), moved, messages: dead.counted().await?.messages })
}

/// Waits until messages that another command has received are visible again: a check or a move would leave them out.
async fn in_sight(dead: &Queue<'_>) -> anyhow::Result<()> {
    let mut progress = Progress::begin();
    for _ in 0..=HIDDEN {
        if dead.counted().await?.hidden == 0 {
            break;
        }
        progress.say("waiting for what was looked at just now");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Waits for the end of a move, and returns the number of messages that it moved.
async fn follow(dead: &Queue<'_>, arn: &str, known: Option<i64>) -> anyhow::Result<i64> {
    let mut progress = Progress::begin();
    let mut unseen = 0;
    loop {
        match dead.newest_move(arn).await?.filter(|newest| Some(newest.started) != known) {
            Some(Move { stands: Stands::Completed, moved, .. }) => return Ok(moved),
            Some(Move { stands: Stands::Running, moved, of, .. }) => {
                progress.say(&format!("{moved} of {of} messages are moved"));
            }
            Some(Move { stands: Stands::Failed(why), moved, .. }) => {
                bail!("the move ended after {moved} messages: {why}. The others are where they were")
            }
            None if unseen < UNSEEN => unseen += 1,
            None => bail!("SQS does not tell of the move: see what is there by `stallkeeper dlq show`"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

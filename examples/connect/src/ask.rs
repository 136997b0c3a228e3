//! The decisions about what a tenant may use.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use crate::stallkeeper::{Failure, Stallkeeper};

/// The known decisions, each with the time of its request.
struct Decisions {
    stallkeeper: Stallkeeper,
    fresh_for: Duration,
    known: HashMap<String, (Value, Instant)>,
}

impl Decisions {
    /// Returns the decision, and `true` if it is fresh; if there is no answer, the last known decision.
    async fn decide(&mut self, tenant: &str, dimension: &str, quantity: &str) -> Result<(Value, bool), Failure> {
        let path = format!("/v1/tenants/{tenant}/entitlements?dimension={dimension}&quantity={quantity}");
        let known = self.known.get(&path);
        if let Some((decision, _)) = known.filter(|(_, asked_at)| asked_at.elapsed() < self.fresh_for) {
            return Ok((decision.clone(), true));
        }
        match (self.stallkeeper.get(&path).await, known) {
            (Ok(decision), _) => {
                self.known.insert(path, (decision.clone(), Instant::now()));
                Ok((decision, true))
            }
            (Err(failure), Some((decision, _))) => {
                eprintln!("the last known answer is used: {failure}");
                Ok((decision.clone(), false))
            }
            (Err(failure), None) => Err(failure),
        }
    }
}

pub(crate) async fn run(mut stallkeeper: Stallkeeper, tenant: &str) -> anyhow::Result<()> {
    let fresh_for = std::env::var("FRESH_SECONDS").map_or(Ok(30), |seconds| seconds.parse())?;
    (stallkeeper.attempts, stallkeeper.timeout) = (1, Duration::from_secs(3));
    let mut decisions = Decisions { stallkeeper, fresh_for: Duration::from_secs(fresh_for), known: HashMap::new() };
    for line in std::io::stdin().lines() {
        let line = line?;
        let (dimension, quantity) = line.split_once(' ').context("a dimension and a quantity")?;
        let (decision, is_fresh) = decisions.decide(tenant, dimension, quantity).await?;
        let is_allowed = decision.get("allowed").and_then(Value::as_bool).unwrap_or_default();
        let word = if is_allowed { "yes" } else { "no" };
        let reason = decision.get("reason").and_then(Value::as_str).unwrap_or_default();
        println!("{dimension} {quantity}: {word}, {reason}{}", if is_fresh { "" } else { " (last known)" });
    }
    Ok(())
}

//! The tenant's purchases, and its usage of this month.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;

use crate::accounts::Tenant;
use crate::application::Application;
use crate::outbox::{Report, State as Sent};
use crate::page::{Answer, Frame, Visitor, html};
use crate::stallkeeper::{Decision, License, Record};

/// The number of records that are shown; the totals include all records.
const SHOWN_RECORDS: usize = 48;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Page {
    frame: Frame,
    tenant: Tenant,
    month: String,
    /// The address at which the subscription is managed, if that is on AWS Marketplace.
    manage_at: Option<String>,
    licenses: Vec<License>,
    decisions: Vec<Decision>,
    /// The totals by dimension.
    totals: BTreeMap<String, u128>,
    records: Vec<Record>,
    reports: Vec<Report>,
}

pub(crate) async fn show(State(application): State<Arc<Application>>, visitor: Visitor) -> Answer {
    let tenant = visitor.tenant(&application)?;
    let stallkeeper = &application.stallkeeper;
    let known = stallkeeper.tenant(&tenant.id).await?;
    let decisions = if known.licenses.is_empty() { Vec::new() } else { stallkeeper.decisions(&tenant.id).await? };
    let now = application.now();
    let month = now.strftime("%Y-%m").to_string();
    let mut records = Vec::new();
    for license in &known.licenses {
        records.extend(stallkeeper.records(&license.id, &format!("{month}-01T00:00:00Z")).await?);
    }
    records.retain(|record| record.quantity != "0");
    records.sort_by(|one, other| (&other.hour, &one.dimension).cmp(&(&one.hour, &other.dimension)));
    let mut totals = BTreeMap::new();
    for record in &records {
        // This application counts in whole units.
        *totals.entry(record.dimension.clone()).or_default() += record.quantity.parse::<u128>().unwrap_or_default();
    }
    records.truncate(SHOWN_RECORDS);
    let page = Page {
        frame: visitor.frame(Some(&tenant)),
        reports: application.outbox.of(&tenant.id),
        tenant,
        month,
        manage_at: known.change_plan.url,
        licenses: known.licenses,
        decisions,
        totals,
        records,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Formats a time for the page.
fn minute(time: &Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns the age of the decision's data, in words.
fn age(decision: &Decision) -> String {
    match decision.age_seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 120 => "just now".to_owned(),
        Some(seconds) if seconds < 7200 => format!("{} minutes ago", seconds / 60),
        Some(seconds) => format!("{} hours ago", seconds / 3600),
    }
}

/// Returns the tenant's permission for a dimension, in words.
fn may(decision: &Decision) -> &'static str {
    match decision.reason.as_str() {
        "entitled" => "included",
        "metered" => "paid by use",
        "entitlements_not_read_yet" => "being set up",
        "no_active_license" => "not in force",
        _ => "not included",
    }
}

/// Returns the progress of an hourly record, in words.
fn progress(record: &Record) -> &'static str {
    match record.state.name.as_str() {
        "accepted" => "on your AWS bill",
        "sealed" | "claimed" | "held" => "on its way to AWS",
        "folded" => "billed with another hour",
        "dry_run" => "not billed: this is a test",
        _ => "under review",
    }
}

/// Returns the progress of a report, in words.
fn state_text(report: &Report) -> &'static str {
    match &report.state {
        Sent::Waiting => "waits to be sent",
        Sent::Accepted => "accepted",
        Sent::Stuck(_) => "under review",
    }
}

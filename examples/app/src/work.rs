//! The features of the application. Projects are compared with the held quantity; work is metered and billed by use.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use http::StatusCode;

use crate::accounts::random;
use crate::application::Application;
use crate::outbox::{Report, State as Sent};
use crate::page::{Answer, Frame, PageError, PostedForm, Visitor, html};
use crate::stallkeeper::{Decision, UsageEvent};

/// The dimension that projects are counted in.
const PROJECTS: &str = "projects";

/// The largest quantity of one piece of work.
const MOST: u64 = 1_000_000;

/// The dimensions that are paid by use, and their names. They are those of the listing.
const METERED: [(&str, &str); 3] =
    [("requests", "Make requests"), ("storage_gb", "Store gigabytes for an hour"), ("events_extra", "Record events")];

#[derive(Template)]
#[template(path = "work.html")]
struct Page {
    frame: Frame,
    projects: Vec<String>,
    /// The dimensions that the tenant may use.
    metered: Vec<(&'static str, &'static str)>,
    /// The reports that can still be corrected.
    correctable: Vec<Report>,
    /// The number of reports that wait to be sent.
    waiting: usize,
    /// Refused usage, with the code of the reason.
    stuck: Vec<(Report, String)>,
}

pub(crate) async fn show(State(application): State<Arc<Application>>, visitor: Visitor) -> Answer {
    let tenant = visitor.tenant(&application)?;
    let now = application.now();
    let mut metered = Vec::new();
    for (dimension, name) in METERED {
        let question = (tenant.id.as_str(), dimension, None);
        if application.decisions.decide(&application.stallkeeper, now, question).await?.allowed {
            metered.push((dimension, name));
        }
    }
    let reports = application.outbox.of(&tenant.id);
    let waiting = reports.iter().filter(|report| report.state == Sent::Waiting).count();
    let stuck = reports.iter().filter_map(|report| match &report.state {
        Sent::Stuck(code) => Some((report.clone(), code.clone())),
        Sent::Waiting | Sent::Accepted => None,
    });
    let stuck = stuck.collect();
    let correctable = reports.into_iter().filter(|report| report.is_correctable(now)).collect();
    let (frame, projects) = (visitor.frame(Some(&tenant)), tenant.projects);
    Ok(html(StatusCode::OK, &Page { frame, projects, metered, correctable, waiting, stuck }))
}

/// Does a piece of work: checks the decision, does the work, and puts its usage into the outbox.
pub(crate) async fn work(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let tenant = form_post.visitor.tenant(&application)?;
    let quantity = quantity(&form_post)?;
    let now = application.now();
    let is_asked = |(dimension, _): &(&str, &str)| *dimension == form_post.field("dimension");
    let (dimension, _) = METERED.into_iter().find(is_asked).ok_or(PageError::Redirect("/work"))?;
    let question = (tenant.id.as_str(), dimension, None);
    let decision = application.decisions.decide(&application.stallkeeper, now, question).await?;
    let license = decision.licenses.first().filter(|_| decision.allowed).ok_or_else(|| locked(&decision))?.clone();
    // The work would be done here.
    let dimension = dimension.to_owned();
    let event = UsageEvent { license, dimension, quantity, time: now, key: random()?, revision: 0 };
    application.outbox.put(&tenant.id, event);
    // The request does not wait for the report.
    tokio::spawn(async move { application.outbox.send(&application.stallkeeper).await });
    Ok(Redirect::to("/work").into_response())
}

/// Corrects the quantity of a piece of work, for example because half of it failed.
pub(crate) async fn correct(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let tenant = form_post.visitor.tenant(&application)?;
    let corrected =
        application.outbox.correct(&tenant.id, form_post.field("key"), quantity(&form_post)?, application.now());
    corrected.map_err(|_| {
        let text = "What was used can be corrected within the same hour. Please write to support.";
        PageError::refused(StatusCode::CONFLICT, "It is too late to correct this", text)
    })?;
    tokio::spawn(async move { application.outbox.send(&application.stallkeeper).await });
    Ok(Redirect::to("/work").into_response())
}

/// Sends the waiting events now, instead of with the next interval.
pub(crate) async fn send(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    form_post.visitor.tenant(&application)?;
    application.outbox.send(&application.stallkeeper).await;
    Ok(Redirect::to("/work").into_response())
}

/// Adds a project, if it is still within the held quantity.
pub(crate) async fn add_project(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let tenant = form_post.visitor.tenant(&application)?;
    let name = form_post.field("name").to_owned();
    if name.is_empty() {
        return Err(PageError::refused(StatusCode::UNPROCESSABLE_ENTITY, "A project needs a name", "Please go back."));
    }
    let wanted = tenant.projects.len() + 1;
    let question = (tenant.id.as_str(), PROJECTS, Some(wanted as u64));
    let decision = application.decisions.decide(&application.stallkeeper, application.now(), question).await?;
    // A tenant that did not buy on AWS Marketplace has the application's own plan.
    let is_in_plan = decision.reason == "no_license" && wanted <= tenant.plan.projects();
    if !decision.allowed && !is_in_plan {
        return Err(locked(&decision));
    }
    let is_added = application.accounts.change_tenant(&tenant.id, |tenant| {
        // No other request has added one meanwhile.
        let is_next = tenant.projects.len() + 1 == wanted;
        is_next.then(|| tenant.projects.push(name)).is_some()
    });
    if is_added != Some(true) {
        return Err(PageError::refused(StatusCode::CONFLICT, "Somebody was faster", "Please go back and try again."));
    }
    Ok(Redirect::to("/work").into_response())
}

/// Returns the page that explains to a user why a feature is locked.
fn locked(decision: &Decision) -> PageError {
    let held = decision.held.as_deref().unwrap_or("0");
    let text = match decision.reason.as_str() {
        "quantity_exceeded" => format!("Your contract covers {held}. You can change it at AWS Marketplace."),
        "entitlements_not_read_yet" => "Your subscription is being set up. Please try again in a minute.".to_owned(),
        "no_active_license" => "Your subscription is not in force, or not yet. What you have made is kept.".to_owned(),
        "no_license" => "Your plan does not cover it. You can change it on the page Plan.".to_owned(),
        _ => "Your subscription does not cover it.".to_owned(),
    };
    PageError::refused(StatusCode::FORBIDDEN, "Your plan does not cover this", text)
        .with_next_step("To your plan", "/plan")
}

fn quantity(form_post: &PostedForm) -> Result<u64, PageError> {
    let quantity = form_post.field("quantity").parse().ok().filter(|quantity| *quantity <= MOST);
    quantity.ok_or_else(|| {
        let text = format!("It must be a whole number from 0 to {MOST}.");
        PageError::refused(StatusCode::UNPROCESSABLE_ENTITY, "That is no quantity", text)
    })
}

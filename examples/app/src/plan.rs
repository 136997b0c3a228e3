//! The plan, and leaving. A tenant that bought on AWS Marketplace does both there: AWS forbids it elsewhere, and a
//! change here would not reach the bill. So the page not only lacks the button: the server checks and refuses as well.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use http::StatusCode;
use serde::Deserialize;

use crate::accounts::{PROBE_TENANTS, Plan, Tenant};
use crate::application::Application;
use crate::page::{Answer, Frame, PageError, PostedForm, Visitor, html};
use crate::stallkeeper::Permission;

#[derive(Template)]
#[template(path = "plan.html")]
struct Page {
    frame: Frame,
    tenant: Tenant,
    change_plan: Permission,
}

#[derive(Template)]
#[template(path = "leave.html")]
struct LeavePage {
    frame: Frame,
    tenant: Tenant,
    cancel: Permission,
}

pub(crate) async fn show(State(application): State<Arc<Application>>, visitor: Visitor) -> Answer {
    let tenant = visitor.tenant(&application)?;
    let change_plan = application.stallkeeper.tenant(&tenant.id).await?.change_plan;
    Ok(html(StatusCode::OK, &Page { frame: visitor.frame(Some(&tenant)), tenant, change_plan }))
}

pub(crate) async fn change(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let tenant = form_post.visitor.tenant(&application)?;
    allow(application.stallkeeper.tenant(&tenant.id).await?.change_plan, "Your plan is changed at AWS Marketplace")?;
    let plan = Plan::ALL.into_iter().find(|plan| plan.name() == form_post.field("plan"));
    let Some(plan) = plan else {
        return Err(PageError::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "There is no such plan",
            "Nothing was changed.",
        ));
    };
    application.accounts.change_tenant(&tenant.id, |tenant| tenant.plan = plan);
    Ok(Redirect::to("/plan").into_response())
}

pub(crate) async fn show_leave(State(application): State<Arc<Application>>, visitor: Visitor) -> Answer {
    let tenant = visitor.tenant(&application)?;
    let cancel = application.stallkeeper.tenant(&tenant.id).await?.cancel;
    Ok(html(StatusCode::OK, &LeavePage { frame: visitor.frame(Some(&tenant)), tenant, cancel }))
}

pub(crate) async fn leave(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let tenant = form_post.visitor.tenant(&application)?;
    allow(application.stallkeeper.tenant(&tenant.id).await?.cancel, "Your subscription is ended at AWS Marketplace")?;
    application.accounts.remove_tenant(&tenant.id);
    Ok(Redirect::to("/tenants").into_response())
}

/// The body of a request that checks whether plans are locked.
#[derive(Deserialize)]
pub(crate) struct ProbeRequest {
    tenant: String,
}

/// Reports if a tenant of AWS Marketplace would be refused a change of plan, by the same lock that refuses it, and
/// changes nothing. The endpoint needs no credentials, so it accepts only the tenant ids that Stallkeeper reserves for
/// probes.
pub(crate) async fn probe(State(application): State<Arc<Application>>, Json(probed): Json<ProbeRequest>) -> Answer {
    if !probed.tenant.starts_with(PROBE_TENANTS) {
        return Err(PageError::refused(StatusCode::NOT_FOUND, "There is no such probe", "Nothing was looked at."));
    }
    allow(
        application.stallkeeper.tenant(&probed.tenant).await?.change_plan,
        "Your plan is changed at AWS Marketplace",
    )?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn allow(permission: Permission, refused: &'static str) -> Result<(), PageError> {
    if permission.in_application {
        return Ok(());
    }
    let text = "You bought through AWS Marketplace, so it is done there. Nothing was changed here.";
    let stop = PageError::refused(StatusCode::CONFLICT, refused, text);
    Err(match permission.url {
        Some(url) => stop.with_next_step("Manage your subscription at AWS Marketplace", url),
        None => stop,
    })
}

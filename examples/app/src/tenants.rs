//! The choice of the tenant that a user works for, and of the tenant that gets the license from AWS Marketplace.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use http::StatusCode;

use crate::accounts::Tenant;
use crate::application::Application;
use crate::page::{Answer, Frame, PageError, PostedForm, Visitor, html};
use crate::sign_in::handoff;

#[derive(Template)]
#[template(path = "tenants.html")]
struct Page {
    frame: Frame,
    tenants: Vec<Tenant>,
    bought: Option<Purchase>,
    wrong: Option<&'static str>,
}

/// The purchase that is about to be linked.
struct Purchase {
    /// The AWS account, masked: a user with another buyer's link notices the difference, but does not learn the number.
    account: String,
    /// The suggested name of a new tenant.
    company: String,
}

pub(crate) async fn show(State(application): State<Arc<Application>>, visitor: Visitor) -> Answer {
    page(&application, &visitor, None).await
}

async fn page(application: &Application, visitor: &Visitor, wrong: Option<&'static str>) -> Answer {
    let user = visitor.user()?;
    let handoff = handoff(application, visitor).await?;
    if let Some(handoff) = handoff.as_ref().filter(|handoff| handoff.linked) {
        let license = application.stallkeeper.license(&handoff.license).await?;
        if let Some(tenant) = license.tenant {
            return return_to_tenant(application, visitor, user, &tenant);
        }
        // The link to its tenant was removed meanwhile, so it may be linked again.
    }
    let bought = handoff.map(|handoff| Purchase {
        account: masked(handoff.account.as_deref()),
        company: handoff.contact.and_then(|contact| contact.company).unwrap_or_default(),
    });
    let current = visitor.tenant(application).ok();
    let tenants = application.accounts.tenants_of(user);
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(html(status, &Page { frame: visitor.frame(current.as_ref()), tenants, bought, wrong }))
}

/// Admits users of the tenant that a license is linked to, and no other users.
fn return_to_tenant(application: &Application, visitor: &Visitor, user: &str, tenant: &str) -> Answer {
    application.accounts.change_session(&visitor.secret, |session| session.pending_handoff = None);
    let theirs = application.accounts.tenant_of(user, tenant).ok_or_else(other_account)?;
    application.accounts.change_session(&visitor.secret, |session| session.tenant = Some(theirs.id));
    Ok(Redirect::to("/").into_response())
}

fn other_account() -> PageError {
    let text = "You are signed in, but not as somebody who belongs to it. If a colleague set it up, ask them, or sign in \
                with the account that you used then. Nothing was changed.";
    let title = "This subscription belongs to another account already";
    PageError::refused(StatusCode::CONFLICT, title, text)
}

/// Picks one of the visitor's tenants or creates a new one, and links the visitor's purchase to it.
pub(crate) async fn pick(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let visitor = &form_post.visitor;
    let user = visitor.user()?;
    if form_post.field("account_is_ours") == "no" {
        application.accounts.change_session(&visitor.secret, |session| session.pending_handoff = None);
        return Err(PageError::Redirect("/"));
    }
    let handoff = handoff(&application, visitor).await?;
    if handoff.is_some() && form_post.field("account_is_ours") != "yes" {
        let wrong = "Please confirm that this is your company's AWS account, so that nobody pays for somebody else.";
        return page(&application, visitor, Some(wrong)).await;
    }
    let (picked, name) = (form_post.field("tenant"), form_post.field("name"));
    let is_new = picked == "new";
    let tenant = if is_new && !name.is_empty() {
        // It is created before the license is linked: no license ever belongs to a tenant that does not exist.
        let is_probe = handoff.as_ref().is_some_and(|handoff| handoff.probe);
        Some(application.accounts.add_tenant(name, user, is_probe)?)
    } else {
        application.accounts.tenant_of(user, picked)
    };
    let Some(tenant) = tenant else {
        return page(&application, visitor, Some("Please choose a workspace, or name a new one.")).await;
    };
    if let Some(handoff) = handoff {
        match application.stallkeeper.link(&handoff.license, &tenant.id).await {
            Ok(_) => application.decisions.remove(&tenant.id),
            Err(error) if error.code() == Some("license_linked_elsewhere") => {
                if is_new {
                    application.accounts.remove_tenant(&tenant.id);
                }
                // It may be another tenant of the same user: the answer to an earlier attempt may have been lost.
                let license = application.stallkeeper.license(&handoff.license).await?;
                return return_to_tenant(&application, visitor, user, &license.tenant.unwrap_or_default());
            }
            // The license may be linked or not. The tenant stays, because it may have the license.
            Err(error) => return Err(error.into()),
        }
    }
    application.accounts.change_session(&visitor.secret, |session| {
        session.tenant = Some(tenant.id);
        session.pending_handoff = None;
    });
    Ok(Redirect::to("/").into_response())
}

fn masked(account: Option<&str>) -> String {
    let last: Vec<char> = account.unwrap_or_default().chars().rev().take(4).collect();
    if last.is_empty() {
        "an AWS account that AWS does not name".to_owned()
    } else {
        format!("•••• •••• {}", last.iter().rev().collect::<String>())
    }
}

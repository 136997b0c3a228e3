//! Buyers arrive from AWS Marketplace, by way of Stallkeeper's registration page, with a one-time code in the address.
//! They sign up or in, and continue with [`tenants`](crate::tenants).
//!
//! The code proves a purchase and not an identity: it signs no user in.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::accounts::{PendingHandoff, SHORTEST_PASSWORD, hash, random, verify};
use crate::application::Application;
use crate::page::{Answer, Frame, PageError, PostedForm, Visitor, html, set_cookie};
use crate::stallkeeper::Handoff;

#[derive(Deserialize)]
pub(crate) struct CodeQuery {
    code: Option<String>,
}

/// The form of both pages, sign-up and sign-in, which differ in their texts.
#[derive(Template)]
#[template(path = "sign.html")]
struct Sign {
    frame: Frame,
    is_new: bool,
    /// `true` if the visitor comes from AWS Marketplace.
    arrives: bool,
    email: String,
    wrong: Option<&'static str>,
    shortest: usize,
}

pub(crate) async fn show_sign_up(
    State(application): State<Arc<Application>>,
    headers: HeaderMap,
    Query(brought): Query<CodeQuery>,
) -> Answer {
    enter(&application, &headers, brought, true).await
}

pub(crate) async fn show_sign_in(
    State(application): State<Arc<Application>>,
    headers: HeaderMap,
    Query(brought): Query<CodeQuery>,
) -> Answer {
    enter(&application, &headers, brought, false).await
}

/// Moves the code into the visitor's session and out of the address, so that no history and no log has it. Then redeems
/// it, and shows the form.
async fn enter(application: &Application, headers: &HeaderMap, brought: CodeQuery, is_new: bool) -> Answer {
    let visitor = Visitor::read_or_start(headers, application)?;
    let cookie = set_cookie(application, &visitor.secret);
    if let Some(code) = brought.code {
        let arrival = PendingHandoff { code, key: random()?, handoff: None };
        application.accounts.change_session(&visitor.secret, |session| session.pending_handoff = Some(arrival));
        return Ok((cookie, Redirect::to(if is_new { "/sign-up" } else { "/sign-in" })).into_response());
    }
    if visitor.session.user.is_some() {
        return Err(PageError::Redirect(if visitor.session.pending_handoff.is_some() { "/tenants" } else { "/" }));
    }
    let handoff = handoff(application, &visitor).await?;
    if is_new && handoff.as_ref().is_some_and(|handoff| handoff.linked) {
        // A license that has a tenant is only for users who are in that tenant already.
        return Err(PageError::Redirect("/sign-in"));
    }
    let arrives = handoff.is_some();
    let contact = handoff.and_then(|handoff| handoff.contact);
    let email = contact.map(|contact| contact.email).unwrap_or_default();
    let frame = visitor.frame(None);
    let page = Sign { frame, is_new, arrives, email, wrong: None, shortest: SHORTEST_PASSWORD };
    Ok((cookie, html(StatusCode::OK, &page)).into_response())
}

/// Returns the purchase that the visitor's code stands for, or `None` if the visitor has no code. A code is redeemed
/// once: a lost answer is repeated for the same key, which the session has kept since before the first attempt.
pub(crate) async fn handoff(application: &Application, visitor: &Visitor) -> Result<Option<Handoff>, PageError> {
    let Some(PendingHandoff { code, key, handoff: redeemed }) = &visitor.session.pending_handoff else {
        return Ok(None);
    };
    if let Some(handoff) = redeemed {
        return Ok(Some(handoff.clone()));
    }
    let change = |change: &dyn Fn(&mut PendingHandoff)| {
        application.accounts.change_session(&visitor.secret, |session| {
            // Except if a newer code arrived meanwhile.
            session.pending_handoff.iter_mut().filter(|arrival| arrival.key == *key).for_each(change);
        });
    };
    match application.stallkeeper.redeem(code, key).await {
        Ok(handoff) => {
            change(&|arrival| arrival.handoff = Some(handoff.clone()));
            Ok(Some(handoff))
        }
        Err(error) if error.code() == Some("handoff_gone") => {
            application.accounts.change_session(&visitor.secret, |session| session.pending_handoff = None);
            let text = "It works once, within 15 minutes. Your purchase is safe: open your subscription at AWS \
                        Marketplace and press \"Set up your account\" again.";
            Err(PageError::refused(StatusCode::GONE, "This link has been used or is too old", text).with_next_step(
                "Go to your subscriptions",
                "https://console.aws.amazon.com/marketplace/home#/subscriptions",
            ))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn sign_up(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let (email, password) = (form_post.field("email").to_lowercase(), form_post.field("password").to_owned());
    if !email.contains('@') {
        return Ok(again(&form_post, true, "That is no mail address."));
    }
    if password.chars().count() < SHORTEST_PASSWORD {
        return Ok(again(&form_post, true, "The password is too short."));
    }
    let hashed = tokio::task::spawn_blocking(move || hash(&password)).await.ok().flatten();
    let Some(hashed) = hashed else {
        return Ok(again(&form_post, true, "That password does not work here. Please choose another."));
    };
    if !application.accounts.add_user(&email, hashed) {
        return Ok(again(&form_post, true, "There is an account with this mail address. Please sign in instead."));
    }
    start_session(&application, &form_post.visitor, &email)
}

/// Signs a user in. A real application limits the number of attempts.
pub(crate) async fn sign_in(State(application): State<Arc<Application>>, form_post: PostedForm) -> Answer {
    let (email, password) = (form_post.field("email").to_lowercase(), form_post.field("password").to_owned());
    let hashed = application.accounts.password_hash(&email);
    let is_theirs = tokio::task::spawn_blocking(move || verify(&password, hashed)).await.unwrap_or(false);
    if !is_theirs {
        return Ok(again(&form_post, false, "The mail address and the password do not belong together."));
    }
    start_session(&application, &form_post.visitor, &email)
}

fn start_session(application: &Application, visitor: &Visitor, email: &str) -> Answer {
    let secret = application.accounts.sign_in(&visitor.secret, email, application.now())?;
    let to = if visitor.session.pending_handoff.is_some() { "/tenants" } else { "/" };
    Ok((set_cookie(application, &secret), Redirect::to(to)).into_response())
}

fn again(form_post: &PostedForm, is_new: bool, wrong: &'static str) -> Response {
    let arrives = form_post.visitor.session.pending_handoff.is_some();
    let (frame, email) = (form_post.visitor.frame(None), form_post.field("email").to_owned());
    let page = Sign { frame, is_new, arrives, email, wrong: Some(wrong), shortest: SHORTEST_PASSWORD };
    html(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

pub(crate) async fn sign_out(State(application): State<Arc<Application>>, form_post: PostedForm) -> Redirect {
    application.accounts.end_session(&form_post.visitor.secret);
    Redirect::to("/sign-in")
}

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

use crate::Application;
use crate::accounts::{Arrival, SHORTEST_PASSWORD, hash, random, verify};
use crate::page::{Answer, Frame, Posted, Stop, Visitor, html, set_cookie};
use crate::stallkeeper::Handoff;

#[derive(Deserialize)]
pub(crate) struct ArrivalQuery {
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
    Query(brought): Query<ArrivalQuery>,
) -> Answer {
    enter(&application, &headers, brought, true).await
}

pub(crate) async fn show_sign_in(
    State(application): State<Arc<Application>>,
    headers: HeaderMap,
    Query(brought): Query<ArrivalQuery>,
) -> Answer {
    enter(&application, &headers, brought, false).await
}

/// Moves the code into the visitor's session and out of the address, so that no history and no log has it. Then redeems
/// it, and shows the form.
async fn enter(application: &Application, headers: &HeaderMap, brought: ArrivalQuery, is_new: bool) -> Answer {
    let visitor = Visitor::read_or_begin(headers, application)?;
    let cookie = set_cookie(application, &visitor.secret);
    if let Some(code) = brought.code {
        let arrival = Arrival { code, key: random()?, handoff: None };
        application.accounts.change_session(&visitor.secret, |session| session.arrival = Some(arrival));
        return Ok((cookie, Redirect::to(if is_new { "/sign-up" } else { "/sign-in" })).into_response());
    }
    if visitor.session.user.is_some() {
        return Err(Stop::To(if visitor.session.arrival.is_some() { "/tenants" } else { "/" }));
    }
    let handoff = handoff(application, &visitor).await?;
    if is_new && handoff.as_ref().is_some_and(|handoff| handoff.linked) {
        // A license that has a tenant is only for users who are in that tenant already.
        return Err(Stop::To("/sign-in"));
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
pub(crate) async fn handoff(application: &Application, visitor: &Visitor) -> Result<Option<Handoff>, Stop> {
    let Some(Arrival { code, key, handoff: redeemed }) = &visitor.session.arrival else { return Ok(None) };
    if let Some(handoff) = redeemed {
        return Ok(Some(handoff.clone()));
    }
    let change = |change: &dyn Fn(&mut Arrival)| {
        application.accounts.change_session(&visitor.secret, |session| {
            // Except if a newer code arrived meanwhile.
            session.arrival.iter_mut().filter(|arrival| arrival.key == *key).for_each(change);
        });
    };
    match application.stallkeeper.redeem(code, key).await {
        Ok(handoff) => {
            change(&|arrival| arrival.handoff = Some(handoff.clone()));
            Ok(Some(handoff))
        }
        Err(error) if error.code() == Some("handoff_gone") => {
            application.accounts.change_session(&visitor.secret, |session| session.arrival = None);
            let text = "It works once, within 15 minutes. Your purchase is safe: open your subscription at AWS \
                        Marketplace and press \"Set up your account\" again.";
            Err(Stop::refused(StatusCode::GONE, "This link has been used or is too old", text).with_way_on(
                "Go to your subscriptions",
                "https://console.aws.amazon.com/marketplace/home#/subscriptions",
            ))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn sign_up(State(application): State<Arc<Application>>, posted: Posted) -> Answer {
    let (email, password) = (posted.field("email").to_lowercase(), posted.field("password").to_owned());
    if !email.contains('@') {
        return Ok(again(&posted, true, "That is no mail address."));
    }
    if password.chars().count() < SHORTEST_PASSWORD {
        return Ok(again(&posted, true, "The password is too short."));
    }
    let hashed = tokio::task::spawn_blocking(move || hash(&password)).await.ok().flatten();
    let Some(hashed) = hashed else {
        return Ok(again(&posted, true, "That password does not work here. Please choose another."));
    };
    if !application.accounts.add_user(&email, hashed) {
        return Ok(again(&posted, true, "There is an account with this mail address. Please sign in instead."));
    }
    start_session(&application, &posted.visitor, &email)
}

/// Signs a user in. A real application limits the number of attempts.
pub(crate) async fn sign_in(State(application): State<Arc<Application>>, posted: Posted) -> Answer {
    let (email, password) = (posted.field("email").to_lowercase(), posted.field("password").to_owned());
    let hashed = application.accounts.password_hash(&email);
    let is_theirs = tokio::task::spawn_blocking(move || verify(&password, hashed)).await.unwrap_or(false);
    if !is_theirs {
        return Ok(again(&posted, false, "The mail address and the password do not belong together."));
    }
    start_session(&application, &posted.visitor, &email)
}

fn start_session(application: &Application, visitor: &Visitor, email: &str) -> Answer {
    let secret = application.accounts.sign_in(&visitor.secret, email, application.now())?;
    let to = if visitor.session.arrival.is_some() { "/tenants" } else { "/" };
    Ok((set_cookie(application, &secret), Redirect::to(to)).into_response())
}

fn again(posted: &Posted, is_new: bool, wrong: &'static str) -> Response {
    let arrives = posted.visitor.session.arrival.is_some();
    let (frame, email) = (posted.visitor.frame(None), posted.field("email").to_owned());
    let page = Sign { frame, is_new, arrives, email, wrong: Some(wrong), shortest: SHORTEST_PASSWORD };
    html(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

pub(crate) async fn sign_out(State(application): State<Arc<Application>>, posted: Posted) -> Redirect {
    application.accounts.end_session(&posted.visitor.secret);
    Redirect::to("/sign-in")
}

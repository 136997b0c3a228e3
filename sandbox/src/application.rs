//! The seller's application, to which buyers are sent: the sample application, one for each stage, unless another one
//! is named.

use std::sync::Arc;

use anyhow::Context;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use clock::Clock;
use domain::listing::{Listing, Stage};
use tokio::net::TcpListener;
use url::Url;

/// The application of a stage.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) stage: Stage,
    pub(crate) url: Url,
    /// The listener of the sample application; `None` for the seller's own application.
    pub(crate) listener: Option<TcpListener>,
}

/// Returns the application of each stage: the named one for all stages, or a sample application for each.
///
/// # Errors
///
/// Fails when a port is taken.
pub(crate) async fn for_stages(stages: &[Stage], named: Option<&Url>, port: u16) -> anyhow::Result<Vec<Application>> {
    let mut applications = Vec::new();
    for (stage, number) in stages.iter().copied().zip(0_u16..) {
        if let Some(url) = named {
            applications.push(Application { stage, url: url.clone(), listener: None });
            continue;
        }
        let port = match port {
            0 => 0,
            first => first.checked_add(number).context("there is no port for every sample application")?,
        };
        let name = stage.as_str();
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("the sample application of {name} cannot listen on 127.0.0.1:{port}"))?;
        // By name, so that its site differs from that of the registration page, as in a deployment.
        let url = format!("http://localhost:{}", listener.local_addr()?.port()).parse()?;
        applications.push(Application { stage, url, listener: Some(listener) });
    }
    Ok(applications)
}

/// Sends a listing's buyers to the application of its stage, or to that of the first stage if its own has no stack. The
/// seller's own application has the listing's paths; the sample application has paths of its own.
pub(crate) fn send_buyers(listing: &mut Listing, applications: &[Application]) {
    let of_stage = applications.iter().find(|application| application.stage == listing.stage);
    let Some(application) = of_stage.or(applications.first()) else { return };
    let urls = &mut listing.urls;
    let pages = [
        (Some(&mut urls.sign_up), "/sign-up"),
        (Some(&mut urls.sign_in), "/sign-in"),
        (urls.plan.as_mut(), "/plan"),
        (urls.probe.as_mut(), "/plan/probe"),
    ];
    for (url, path) in pages.into_iter().filter_map(|(url, path)| Some((url?, path))) {
        let mut there = application.url.clone();
        if application.listener.is_some() {
            there.set_path(path);
        } else {
            there.set_path(url.path());
            there.set_query(url.query());
        }
        *url = there;
    }
}

/// Builds the sample application in front of a stage's API, with the sandbox's clock.
pub(crate) fn sample(api_url: &str, clock: &Clock) -> Router {
    let clock = clock.clone();
    let credentials = Credentials::new("AKIASAMPLEAPPLICATION", "not-verified", None, None, "sandbox");
    sample_app::router(sample_app::Settings {
        api_url: api_url.to_owned(),
        credentials: SharedCredentialsProvider::new(credentials),
        https: false,
        clock: Arc::new(move || clock.now()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::Listings;

    #[tokio::test]
    async fn buyers_are_sent_to_the_paths_of_the_listing_or_of_the_sample_application() {
        let mut listing = Listings::Demo.load().unwrap().remove(0).listing;
        listing.urls.sign_up.set_path("/aws/welcome");
        listing.urls.sign_up.set_query(Some("from=aws"));
        let stages = [listing.stage];

        let mut own = listing.clone();
        let named = "http://localhost:3000".parse().unwrap();
        send_buyers(&mut own, &for_stages(&stages, Some(&named), 0).await.unwrap());
        assert_eq!(own.urls.sign_up.as_str(), "http://localhost:3000/aws/welcome?from=aws");
        assert_eq!(own.urls.sign_in.as_str(), "http://localhost:3000/sign-in");
        assert_eq!(own.urls.plan.unwrap().as_str(), "http://localhost:3000/plan");

        let samples = for_stages(&stages, None, 0).await.unwrap();
        send_buyers(&mut listing, &samples);
        assert_eq!(listing.urls.sign_up, samples[0].url.join("/sign-up").unwrap());
        assert_eq!(listing.urls.probe, samples[0].url.join("/plan/probe").ok());
        assert_eq!(listing.urls.data_policy.unwrap().as_str(), "https://www.example.com/data");
    }
}

//! A small application that is sold on AWS Marketplace through Stallkeeper, to copy from. `examples/README.md` lists
//! the parts to copy.
//!
//! `stallkeeper` is the client. A buyer passes through `sign_in` (sign up, sign in) and `tenants` (the choice of the
//! tenant that gets the license). Then there are `dashboard` (the purchases), `plan` (changes that are made here, and
//! changes that are made on AWS Marketplace) and `work` (usage), behind the `decisions` and with the `outbox`.

mod accounts;
mod application;
mod dashboard;
pub mod decisions;
pub mod outbox;
mod page;
mod plan;
mod sign_in;
pub mod stallkeeper;
mod tenants;
mod work;

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderValue, header};
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::application::Application;
use crate::decisions::DecisionCache;
use crate::outbox::Outbox;
use crate::stallkeeper::Stallkeeper;

/// The interval at which usage without an answer is sent again.
const RESEND_INTERVAL: Duration = Duration::from_secs(5);

/// The settings of the application.
pub struct Settings {
    /// The address of Stallkeeper's API.
    pub api_url: String,
    /// The credentials of the calls to it.
    pub credentials: SharedCredentialsProvider,
    /// `true` if browsers use HTTPS. Only the sandbox and tests do without it.
    pub https: bool,
    /// The clock. In the sandbox it is the sandbox's clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Returns the application. It sends usage until it is dropped, and needs a Tokio runtime for that.
pub fn router(settings: Settings) -> Router {
    let application = Arc::new(Application {
        stallkeeper: Stallkeeper::new(&settings.api_url, settings.credentials),
        accounts: Accounts::default(),
        decisions: DecisionCache::default(),
        outbox: Outbox::default(),
        https: settings.https,
        clock: settings.clock,
    });
    tokio::spawn({
        let application = Arc::downgrade(&application);
        async move {
            while let Some(application) = application.upgrade() {
                application.outbox.send(&application.stallkeeper).await;
                drop(application);
                tokio::time::sleep(RESEND_INTERVAL).await;
            }
        }
    });
    Router::new()
        .route("/", get(dashboard::show))
        .route("/sign-up", get(sign_in::show_sign_up).post(sign_in::sign_up))
        .route("/sign-in", get(sign_in::show_sign_in).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/tenants", get(tenants::show).post(tenants::pick))
        .route("/plan", get(plan::show).post(plan::change))
        .route("/plan/probe", post(plan::probe))
        .route("/leave", get(plan::show_leave).post(plan::leave))
        .route("/work", get(work::show).post(work::work))
        .route("/work/projects", post(work::add_project))
        .route("/work/correct", post(work::correct))
        .route("/work/send", post(work::send))
        .route("/style.css", get(page::style))
        .fallback(page::nothing_here)
        .layer(axum::middleware::map_response(with_security_headers))
        .with_state(application)
}

/// Adds headers to every answer, so that it is not cached, sends no referrer, is not framed, and runs no script.
async fn with_security_headers(mut response: Response) -> Response {
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

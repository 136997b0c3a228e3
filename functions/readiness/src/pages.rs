//! The pages that buyers see, checked from outside: the registration page and the seller's application.

use std::future::Future;
use std::sync::Arc;

use domain::ids::PROBE_TENANTS;
use domain::listing::Listing;
use domain::registration::{EntryPoint, SESSION_COOKIE};
use lifecycle::Probe;
use readiness_checks::{Answer, Observation, ObservedApplication, ObservedPage, Unobserved};
use tokio::time::{Instant, timeout};
use ulid::Ulid;
use url::Url;

use crate::internet::{ConnectError, Internet};
use crate::probe::{PageRequest, REQUEST_TIMEOUT, without_secrets};
use crate::query::within;

/// The field of AWS's form that holds the registration token.
const TOKEN: &str = "x-amzn-marketplace-token";

impl Internet {
    /// Checks the registration page as AWS's reviewers do, and its form in the session of a probe, once that exists.
    pub(crate) async fn registration_page(
        &self,
        address: Observation<Url>,
        probe: impl Future<Output = Observation<Arc<Probe>>>,
        until: Instant,
    ) -> ObservedPage {
        let url = match &address {
            Ok(url) => url,
            Err(reason) => return ObservedPage::unobserved(reason),
        };
        let form_body = format!("{TOKEN}=made-up-{}", Ulid::generate());
        let invalid = PageRequest::post(url.clone(), "application/x-www-form-urlencoded", form_body);
        let source = without_secrets(url);
        let form = within(until, &source, async {
            let probe = probe.await?;
            self.fetch(PageRequest::get(url.clone()).cookie(SESSION_COOKIE, probe.session.reveal())).await
        });
        let (certificate, invalid_token, form) = tokio::join!(self.certificate(url), self.fetch(invalid), form);
        ObservedPage { address, certificate, invalid_token, form }
    }

    /// Checks the pages of the application, at the URLs that the listing describes.
    pub(crate) async fn application(
        &self,
        listing: &Listing,
        probe: impl Future<Output = Observation<Arc<Probe>>>,
        until: Instant,
    ) -> ObservedApplication {
        let urls = &listing.urls;
        let source = without_secrets(&urls.sign_up);
        let sign_up = within(until, &source, async {
            let probe = probe.await?;
            self.fetch(PageRequest::get(urls.entry_url(EntryPoint::SignUp, &probe.code))).await
        });
        let plan_change = async |tenant: String| {
            let url = described("urls.probe", urls.probe.as_ref())?;
            let body = serde_json::json!({ "tenant": tenant }).to_string();
            // The page that a redirect leads to does not answer this request.
            self.fetch(PageRequest::post(url, "application/json", body).without_redirects()).await
        };
        let domain = listing.support.email.rsplit('@').next().unwrap_or_default();
        let mail = accepts_mail_in_time(domain, self.accepts_mail(domain));
        let (
            sign_up,
            plan,
            support_page,
            support_accepts_mail,
            plan_change,
            plan_change_of_unknown_tenant,
            data_policy,
        ) = tokio::join!(
            sign_up,
            self.described("urls.plan", urls.plan.as_ref()),
            self.described("support.url", listing.support.url.as_ref()),
            mail,
            plan_change(format!("{PROBE_TENANTS}{}", Ulid::generate())),
            plan_change(format!("unknown-{}", Ulid::generate())),
            self.described("urls.data_policy", urls.data_policy.as_ref()),
        );
        ObservedApplication {
            sign_up,
            plan,
            support_page,
            support_accepts_mail,
            plan_change,
            plan_change_of_unknown_tenant,
            data_policy,
        }
    }

    /// Fetches a page that the listing may describe.
    async fn described(&self, field: &str, url: Option<&Url>) -> Observation<Answer> {
        self.fetch(PageRequest::get(described(field, url)?)).await
    }
}

/// Limits an MX lookup to the timeout of a request: a resolver's own limits are longer.
async fn accepts_mail_in_time(
    domain: &str,
    asked: impl Future<Output = Result<bool, ConnectError>>,
) -> Observation<bool> {
    let source = format!("DNS (MX {domain})");
    match timeout(REQUEST_TIMEOUT, asked).await {
        Ok(Ok(accepts_mail)) => Ok(accepts_mail),
        Ok(Err(ConnectError::Refused(reason))) => Err(Unobserved::Refused { source, reason: reason.to_owned() }),
        Ok(Err(ConnectError::Unreachable(reason))) => Err(Unobserved::Unreachable { source, reason }),
        Err(_) => Err(Unobserved::TimedOut { source }),
    }
}

fn described(field: &str, url: Option<&Url>) -> Observation<Url> {
    url.cloned().ok_or_else(|| Unobserved::NotDescribed { field: field.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_does_not_answer_times_out() {
        let source = || "DNS (MX example.com)".to_owned();
        let start = Instant::now();
        let late = accepts_mail_in_time("example.com", pending()).await;
        assert_eq!((late, start.elapsed()), (Err(Unobserved::TimedOut { source: source() }), REQUEST_TIMEOUT));
        assert_eq!(accepts_mail_in_time("example.com", ready(Ok(false))).await, Ok(false));
        let failed =
            accepts_mail_in_time("example.com", ready(Err(ConnectError::Unreachable("SERVFAIL".to_owned())))).await;
        assert_eq!(failed, Err(Unobserved::Unreachable { source: source(), reason: "SERVFAIL".to_owned() }));
    }
}

//! The pages that buyers see, checked from outside: the registration page and the seller's application.

use crate::internet::{Internet, NoWay};
use crate::look::within;
use crate::probe::{Ask, REQUEST_TIMEOUT, without_secrets};
use domain::ids::PROBE_TENANTS;
use domain::listing::Listing;
use domain::registration::{EntryPoint, SESSION_COOKIE};
use lifecycle::Probe;
use readiness_checks::{Answer, ApplicationSeen, Blind, Look, PageSeen};
use std::future::Future;
use std::sync::Arc;
use tokio::time::{Instant, timeout};
use ulid::Ulid;
use url::Url;

/// The field of AWS's form that holds the registration token.
const TOKEN: &str = "x-amzn-marketplace-token";

impl Internet {
    /// Checks the registration page as AWS's reviewers do, and its form in the session of a probe, once that exists.
    pub(crate) async fn registration_page(
        &self,
        address: Look<Url>,
        probe: impl Future<Output = Look<Arc<Probe>>>,
        until: Instant,
    ) -> PageSeen {
        let there = match &address {
            Ok(there) => there,
            Err(blind) => {
                let blind = || blind.clone();
                return PageSeen {
                    address: Err(blind()),
                    certificate: Err(blind()),
                    made_up_token: Err(blind()),
                    form: Err(blind()),
                };
            }
        };
        let made_up = format!("{TOKEN}=made-up-{}", Ulid::generate());
        let made_up = Ask::post(there.clone(), "application/x-www-form-urlencoded", made_up);
        let what = without_secrets(there);
        let form = within(until, &what, async {
            let probe = probe.await?;
            self.ask(Ask::get(there.clone()).cookie(SESSION_COOKIE, probe.session.reveal())).await
        });
        let (certificate, made_up_token, form) = tokio::join!(self.certificate(there), self.ask(made_up), form);
        PageSeen { address, certificate, made_up_token, form }
    }

    /// Checks the pages of the application, at the URLs that the listing describes.
    pub(crate) async fn application(
        &self,
        listing: &Listing,
        probe: impl Future<Output = Look<Arc<Probe>>>,
        until: Instant,
    ) -> ApplicationSeen {
        let urls = &listing.urls;
        let what = without_secrets(&urls.sign_up);
        let sign_up = within(until, &what, async {
            let probe = probe.await?;
            self.ask(Ask::get(urls.entry_url(EntryPoint::SignUp, &probe.code))).await
        });
        let plan_change = async |tenant: String| {
            let url = described("urls.probe", urls.probe.as_ref())?;
            let body = serde_json::json!({ "tenant": tenant }).to_string();
            // The page that a redirect leads to does not answer this request.
            self.ask(Ask::post(url, "application/json", body).without_redirects()).await
        };
        let domain = listing.support.email.rsplit('@').next().unwrap_or_default();
        let mail = of_mail(domain, self.takes_mail(domain));
        let (sign_up, plan, support_page, support_takes_mail, plan_change, plan_change_of_nobody, data_policy) = tokio::join!(
            sign_up,
            self.described("urls.plan", urls.plan.as_ref()),
            self.described("support.url", listing.support.url.as_ref()),
            mail,
            plan_change(format!("{PROBE_TENANTS}{}", Ulid::generate())),
            plan_change(format!("nobody-{}", Ulid::generate())),
            self.described("urls.data_policy", urls.data_policy.as_ref()),
        );
        ApplicationSeen {
            sign_up,
            plan,
            support_page,
            support_takes_mail,
            plan_change,
            plan_change_of_nobody,
            data_policy,
        }
    }

    /// Fetches a page that the listing may describe.
    async fn described(&self, field: &str, url: Option<&Url>) -> Look<Answer> {
        self.ask(Ask::get(described(field, url)?)).await
    }
}

/// Limits an MX lookup to the timeout of a request: a resolver's own limits are longer.
async fn of_mail(domain: &str, asked: impl Future<Output = Result<bool, NoWay>>) -> Look<bool> {
    let what = format!("DNS (MX {domain})");
    match timeout(REQUEST_TIMEOUT, asked).await {
        Ok(Ok(takes_mail)) => Ok(takes_mail),
        Ok(Err(NoWay::Refused(reason))) => Err(Blind::Refused { what, reason: reason.to_owned() }),
        Ok(Err(NoWay::Unreachable(reason))) => Err(Blind::Unreachable { what, reason }),
        Err(_) => Err(Blind::TimedOut { what }),
    }
}

fn described(field: &str, url: Option<&Url>) -> Look<Url> {
    url.cloned().ok_or_else(|| Blind::NotDescribed { field: field.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_says_nothing_is_left_in_time() {
        let what = || "DNS (MX example.com)".to_owned();
        let began = Instant::now();
        let late = of_mail("example.com", pending()).await;
        assert_eq!((late, began.elapsed()), (Err(Blind::TimedOut { what: what() }), REQUEST_TIMEOUT));
        assert_eq!(of_mail("example.com", ready(Ok(false))).await, Ok(false));
        let broken = of_mail("example.com", ready(Err(NoWay::Unreachable("SERVFAIL".to_owned())))).await;
        assert_eq!(broken, Err(Blind::Unreachable { what: what(), reason: "SERVFAIL".to_owned() }));
    }
}

//! The pages that buyers meet, looked at from outside: the registration page and the seller's application.

use stallkeeper::ids::PROBE_TENANTS;
use stallkeeper::lifecycle::Probe;
use stallkeeper::listing::Listing;
use stallkeeper::readiness::{Answer, ApplicationSeen, Blind, Look, PageSeen};
use stallkeeper::registration::{Door, SESSION_COOKIE};
use ulid::Ulid;
use url::Url;

use crate::internet::{Internet, NoWay};
use crate::probe::Ask;

/// The field of AWS's form with the token.
const TOKEN: &str = "x-amzn-marketplace-token";

impl Internet {
    /// Looks at the registration page as AWS's reviewers do, and at its form by the visit of a probe.
    pub(crate) async fn registration_page(&self, address: Look<Url>, probe: &Look<Probe>) -> PageSeen {
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
        let form = async {
            let probe = probe.as_ref().map_err(Clone::clone)?;
            self.ask(Ask::get(there.clone()).cookie(SESSION_COOKIE, probe.session.reveal())).await
        };
        let (certificate, made_up_token, form) =
            tokio::join!(self.certificate(there), self.ask(made_up), form);
        PageSeen { address, certificate, made_up_token, form }
    }

    /// Looks at the application where the listing says that its pages are.
    pub(crate) async fn application(&self, listing: &Listing, probe: &Look<Probe>) -> ApplicationSeen {
        let urls = &listing.urls;
        let sign_up = async {
            let probe = probe.as_ref().map_err(Clone::clone)?;
            self.ask(Ask::get(urls.way_in(Door::SignUp, &probe.code))).await
        };
        let plan_change = async |tenant: String| {
            let url = described("urls.probe", urls.probe.as_ref())?;
            let body = serde_json::json!({ "tenant": tenant }).to_string();
            // What a redirect leads to is no answer to this.
            self.ask(Ask::post(url, "application/json", body).without_redirects()).await
        };
        let mail = async {
            let domain = listing.support.email.rsplit('@').next().unwrap_or_default();
            self.takes_mail(domain).await.map_err(|no_way| {
                let what = format!("the mail servers of {domain}");
                match no_way {
                    NoWay::Refused(reason) => Blind::Refused { what, reason: reason.to_owned() },
                    NoWay::Unreachable(reason) => Blind::Unreachable { what, reason },
                }
            })
        };
        let (sign_up, plan, support_page, support_takes_mail, plan_change, plan_change_of_nobody, data_policy) = tokio::join!(
            sign_up,
            self.described("urls.plan", urls.plan.as_ref()),
            self.described("support.url", listing.support.url.as_ref()),
            mail,
            plan_change(format!("{PROBE_TENANTS}{}", Ulid::generate())),
            plan_change(format!("nobody-{}", Ulid::generate())),
            self.described("urls.data_policy", urls.data_policy.as_ref()),
        );
        ApplicationSeen { sign_up, plan, support_page, support_takes_mail, plan_change, plan_change_of_nobody, data_policy }
    }

    /// Looks at a page that the listing may describe.
    async fn described(&self, field: &str, url: Option<&Url>) -> Look<Answer> {
        self.ask(Ask::get(described(field, url)?)).await
    }
}

fn described(field: &str, url: Option<&Url>) -> Look<Url> {
    url.cloned().ok_or_else(|| Blind::NotDescribed { field: field.to_owned() })
}

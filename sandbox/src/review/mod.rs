//! A reviewer of AWS Marketplace: examines a listing from outside, subscribes to it and registers as any buyer would,
//! and decides the request that waits for the review.
//!
//! It does what AWS's reviewers are known to do (seller guide, SaaS product guidelines and integration checklist;
//! `aws-samples/sample-aws-marketplace-listing-tools`), and shares no code with the auditor, whose purpose is to object
//! first: each point names the auditor's checks of the same thing. `records` reads AWS's own records; this module takes
//! the buyer's path.

mod browser;
mod form;
mod points;
mod records;

use domain::ids::AccountId;
use domain::listing::Listing;
use local_aws::{
    Change, ChangeSetOverview, Decision, EndStatus, EntityOverview, Purchase, Purchased, Service, Verdict,
};
use serde_json::Value;
use ulid::Ulid;
use url::Url;

use crate::stack::Stack;
use crate::state::SandboxState;
use browser::{Browser, NoPage, Page, REQUEST_TIMEOUT};
use form::{Form, User, forms, language, words};
pub use points::{Opinion, Point, PointResult, Review};

/// The most pages of the application that the reviewer opens before giving up.
const MOST_PAGES: usize = 6;

/// Texts that no buyer should be shown.
const TRACES: [&str; 5] = ["stack trace", "traceback", "internal server error", "panicked at", "exception"];

/// Texts of which an answer to an invalid token must have one.
const ADVICE: [&str; 6] = ["invalid", "expired", "error", "try again", "contact", "support"];

/// Texts with which an application shows a purchase.
const PLAN_TEXTS: [&str; 4] = ["subscription", "your plan", "contract", "aws marketplace"];

/// Reviews a listing that a stack sells, and decides its request to become public, if there is one.
///
/// # Errors
///
/// Fails when TLS cannot be set up, or the catalog lacks an entity that it has just listed.
pub(crate) async fn review(state: &SandboxState, stack: &Stack, listing: &Listing) -> anyhow::Result<Review> {
    let mut reviewer = Reviewer { state, stack, listing, notes: Vec::new() };
    let account = reviewer.review().await?;
    let points: Vec<PointResult> = Point::ALL
        .into_iter()
        .filter(|point| point.applies(listing))
        .map(|point| {
            let (requirement, checks) = point.requirement();
            let noted = reviewer.notes.iter().find(|(noted, ..)| *noted == point);
            let (opinion, observation) = noted
                .map_or((Opinion::NotReached, String::new()), |(_, opinion, observation)| {
                    (*opinion, observation.clone())
                });
            PointResult { point, requirement, opinion, observation, checks }
        })
        .collect();
    let approved = points.iter().all(|result| result.opinion == Opinion::Passed);
    let mut review = Review {
        product: listing.product_code.clone(),
        stage: listing.stage,
        at: state.clock.now(),
        approved,
        account,
        points,
        change_set: None,
    };
    review.change_set = reviewer.decide(&review)?;
    state.timeline.settle().await;
    Ok(review)
}

struct Reviewer<'a> {
    state: &'a SandboxState,
    stack: &'a Stack,
    listing: &'a Listing,
    notes: Vec<(Point, Opinion, String)>,
}

impl Reviewer<'_> {
    fn pass(&mut self, point: Point, observation: impl Into<String>) {
        self.notes.push((point, Opinion::Passed, observation.into()));
    }

    fn object(&mut self, point: Point, observation: impl Into<String>) {
        self.notes.push((point, Opinion::Objection, observation.into()));
    }

    fn note(&mut self, point: Point, is_good: bool, observation: impl Into<String>) {
        if is_good { self.pass(point, observation) } else { self.object(point, observation) }
    }

    /// Reviews as many points as possible; returns the account that it bought with.
    async fn review(&mut self) -> anyhow::Result<Option<AccountId>> {
        let entities = self.state.aws.catalog().entity_overviews();
        let product = entities.iter().find(|entity| entity.id == self.listing.product_id.as_str());
        let address = match product {
            Some(product) => self.check_listing(product),
            None => {
                self.object(Point::ListingComplete, "there is no such product");
                None
            }
        };
        self.check_offers(&entities);
        self.check_event_delivery();
        self.check_calls();
        let Some(address) = address else { return Ok(None) };
        if !self.post_invalid_token(&address).await? {
            return Ok(None);
        }
        let Some(purchased) = product.and_then(|product| self.subscribe(product)) else { return Ok(None) };
        self.state.timeline.settle().await;
        self.register(&address, &purchased).await?;
        // Reviewers leave no subscriptions behind (seller guide: test subscriptions are cancelled before publication).
        let end = Change::End { status: EndStatus::Cancelled };
        if let Err(error) = self.state.aws.marketplace().change(&purchased.agreement_id, end) {
            tracing::warn!(%error, "the reviewer's subscription was not cancelled");
        }
        Ok(Some(purchased.account_id))
    }

    /// Returns `true` if the page can be reached at all.
    async fn post_invalid_token(&mut self, address: &Url) -> anyhow::Result<bool> {
        let mut browser = self.browser()?;
        let page = match browser.send(None, address, &token_field(&format!("made-up-{}", Ulid::generate()))).await {
            Ok(page) => page,
            Err(NoPage(why)) => {
                self.object(Point::OverHttps, why);
                return Ok(false);
            }
        };
        self.note(
            Point::OverHttps,
            page.url.scheme() == "https",
            format!("{} answered", address.origin().ascii_serialization()),
        );
        let text = page.text.to_lowercase();
        let trace = TRACES.into_iter().find(|trace| text.contains(trace));
        match trace {
            Some(trace) => self.object(Point::InvalidToken, format!("the answer says `{trace}`")),
            None if page.status.is_server_error() => self.object(Point::InvalidToken, answered(&page)),
            None if page.took > REQUEST_TIMEOUT => self.object(Point::InvalidToken, slow(&page)),
            None if !ADVICE.into_iter().any(|advice| text.contains(advice)) => {
                self.object(Point::InvalidToken, "the answer does not say what to do");
            }
            None => self.pass(Point::InvalidToken, answered(&page)),
        }
        Ok(true)
    }

    fn subscribe(&mut self, product: &EntityOverview) -> Option<Purchased> {
        let visibility = product.details.get("Description").and_then(|it| it.get("Visibility")).and_then(Value::as_str);
        let visibility = visibility.unwrap_or("nothing");
        if !matches!(visibility, "Limited" | "Public") {
            self.object(Point::CanSubscribe, format!("the product is {visibility}"));
            return None;
        }
        let entitled = self.listing.dimensions.iter().filter(|dimension| dimension.is_entitled());
        let order = Purchase {
            product: self.listing.product_code.clone(),
            account: None,
            dimensions: entitled.map(|dimension| (dimension.key.clone(), 1.into())).collect(),
            free_trial: false,
        };
        match self.state.aws.marketplace().purchase(order) {
            Ok(purchased) => {
                self.pass(Point::CanSubscribe, format!("agreement {}", purchased.agreement_id));
                Some(purchased)
            }
            Err(refused) => {
                self.object(Point::CanSubscribe, refused.to_string());
                None
            }
        }
    }

    /// Follows the buyer's path: from "Set up your account" into the application.
    async fn register(&mut self, address: &Url, purchased: &Purchased) -> anyhow::Result<()> {
        let mut browser = self.browser()?;
        let resolved = self.resolved();
        let page = browser.send(None, address, &token_field(&purchased.token)).await;
        let is_resolved = self.resolved() > resolved;
        let observation = if is_resolved { "it was called" } else { "it was not called, or not answered" };
        self.note(Point::TokenResolved, is_resolved, observation);
        let page = match page {
            Ok(page) if !page.status.is_success() => {
                self.object(Point::TokenAccepted, answered(&page));
                return Ok(());
            }
            Ok(page) if page.took > REQUEST_TIMEOUT => {
                self.object(Point::TokenAccepted, slow(&page));
                return Ok(());
            }
            Ok(page) => page,
            Err(NoPage(why)) => {
                self.object(Point::TokenAccepted, why);
                return Ok(());
            }
        };
        self.pass(Point::TokenAccepted, answered(&page));
        let form = self.check_page(&page);
        self.check_return(address, &purchased.token).await?;
        if let Some(form) = form {
            self.fill_in(&mut browser, &page, &form).await;
        }
        let is_shown = browser.shows(&purchased.token);
        let observation =
            if is_shown { "it is in a cookie or in an address" } else { "it is in no cookie and in no address" };
        self.note(Point::TokenNotExposed, !is_shown, observation);
        Ok(())
    }

    /// Returns the form that asks for the buyer's mail address.
    fn check_page(&mut self, page: &Page) -> Option<Form> {
        let language = language(&page.text).unwrap_or_default();
        self.note(Point::InEnglish, language.starts_with("en"), format!("lang=\"{language}\""));
        let form = forms(&page.text).into_iter().find(Form::asks_for_email);
        let observation = if form.is_some() { "a form with a field for it" } else { "no form asks for it" };
        self.note(Point::AsksForEmail, form.is_some(), observation);
        let support = &self.listing.support;
        let named = [Some(support.email.as_str()), support.url.as_ref().map(Url::as_str)];
        let named = named.into_iter().flatten().find(|contact| page.text.contains(contact));
        self.note(Point::NamesSupport, named.is_some(), named.unwrap_or("no support contact").to_owned());
        let text = words(&page.text).to_lowercase();
        let way = ["already have an account", "existing account", "sign in", "log in"]
            .into_iter()
            .find(|way| text.contains(way));
        self.note(
            Point::ExistingAccountSignIn,
            way.is_some(),
            way.map_or("no way".to_owned(), |way| format!("`{way}`")),
        );
        form
    }

    /// Posts the same token from another browser: the first was closed before the form was filled in.
    async fn check_return(&mut self, address: &Url, token: &str) -> anyhow::Result<()> {
        match self.browser()?.send(None, address, &token_field(token)).await {
            Ok(page) => {
                let is_there = page.status.is_success() && !forms(&page.text).is_empty();
                self.note(Point::CanReturn, is_there, answered(&page));
            }
            Err(NoPage(why)) => self.object(Point::CanReturn, why),
        }
        Ok(())
    }

    async fn fill_in(&mut self, browser: &mut Browser, registration: &Page, form: &Form) {
        let user = User {
            // The integration checklist requires that addresses of public mail providers are accepted.
            email: format!("aws.reviewer+{}@gmail.com", Ulid::generate()).to_lowercase(),
            password: format!("review {} Aa1!", Ulid::generate()),
        };
        let mut page = match send(browser, registration, form, &user).await {
            Ok(page) => page,
            Err(NoPage(why)) => return self.object(Point::Registers, why),
        };
        let is_sent_on = page.status.is_success() && page.url.origin() != registration.url.origin();
        self.note(Point::Registers, is_sent_on, answered(&page));
        if !is_sent_on {
            return;
        }
        let mut filled_in = 0;
        while let Some(form) =
            forms(&page.text).into_iter().find(Form::must_be_filled_in).filter(|_| filled_in < MOST_PAGES)
        {
            filled_in += 1;
            page = match send(browser, &page, &form, &user).await {
                Ok(page) => page,
                Err(NoPage(why)) => return self.object(Point::SignsUp, why),
            };
        }
        let is_open = forms(&page.text).iter().any(Form::must_be_filled_in);
        let is_in = page.status.is_success() && filled_in > 0 && !is_open;
        self.note(Point::SignsUp, is_in, answered(&page));
        if is_in {
            self.check_plan(browser, &page).await;
        }
    }

    async fn check_plan(&mut self, browser: &mut Browser, first: &Page) {
        let shows_plan = |page: &Page| {
            let text = words(&page.text).to_lowercase();
            page.status.is_success() && PLAN_TEXTS.into_iter().any(|plan_text| text.contains(plan_text))
        };
        if shows_plan(first) {
            return self.pass(Point::ShowsSubscription, answered(first));
        }
        match &self.listing.urls.plan {
            None => self.object(Point::ShowsSubscription, "the page after signing up says nothing of it"),
            Some(plan) => match browser.open(plan).await {
                Ok(page) => self.note(Point::ShowsSubscription, shows_plan(&page), answered(&page)),
                Err(NoPage(why)) => self.object(Point::ShowsSubscription, why),
            },
        }
    }

    /// Decides the request to become public that waits for the review.
    fn decide(&self, review: &Review) -> anyhow::Result<Option<ChangeSetOverview>> {
        let catalog = self.state.aws.catalog();
        let product = self.listing.product_id.as_str();
        let waits = catalog.change_set_overviews().into_iter().find(|change_set| {
            let asks = change_set.changes.iter().any(|it| it.change_type == "UpdateVisibility" && it.entity == product);
            change_set.waits && asks
        });
        let Some(waits) = waits else { return Ok(None) };
        let objections: Vec<String> =
            review.objections().map(|it| format!("{} Seen: {}.", it.requirement, it.observation)).collect();
        let verdict = if review.approved { Verdict::Approve } else { Verdict::Reject };
        let message = (!review.approved).then(|| format!("Action required: {}", objections.join(" ")));
        Ok(Some(catalog.decide(&waits.id, Decision { verdict, code: None, message })?))
    }

    fn browser(&self) -> anyhow::Result<Browser> {
        Browser::new(self.state.known.clone(), self.state.clock.clone())
    }

    /// Returns the number of tokens that AWS was asked to resolve and resolved.
    fn resolved(&self) -> u64 {
        let counts = self.state.aws.wire().counts();
        let of_metering = counts.get(&Service::Metering);
        of_metering.and_then(|counts| counts.get("ResolveCustomer")).map_or(0, |count| count.calls - count.failed)
    }
}

async fn send(browser: &mut Browser, page: &Page, form: &Form, user: &User) -> Result<Page, NoPage> {
    // An invalid action leads to the page itself, as an empty one does.
    let to = page.url.join(&form.action).unwrap_or_else(|_| page.url.clone());
    browser.send(Some(page), &to, &form.filled_in_by(user)).await
}

fn token_field(token: &str) -> [(String, String); 1] {
    [("x-amzn-marketplace-token".to_owned(), token.to_owned())]
}

fn answered(page: &Page) -> String {
    let mut place = page.url.clone();
    place.set_query(None);
    format!("{place} answered {}", page.status.as_u16())
}

fn slow(page: &Page) -> String {
    format!("it took {:.1} seconds", page.took.as_secs_f64())
}

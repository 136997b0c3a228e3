//! A listing: one SaaS product on AWS Marketplace in one stage, as the seller describes it.
//!
//! Listings are written as TOML files (`listings/*.toml`), checked by [`Listing::parse`], and kept in the table,
//! where the functions read them. A stack acts only on products that it has a listing for.

mod catalog;
mod dimension;
mod page;
mod problem;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::ids::{DimensionKey, ProductCode, ProductId};
use crate::registration::{EntryPoint, Secret};
use problem::Problem;
use problem::Step::{Field, Item};

pub use catalog::{Catalog, Price, unfit_for_fulfillment};
pub use dimension::{Dimension, DimensionType};
pub use page::{Choice, Colour, ExtraField, FieldKind, InvalidAnswer, Page};

/// The page on which buyers see their subscriptions on AWS Marketplace. It has "Set up your account", and every change
/// of a plan.
pub const SUBSCRIPTIONS_PAGE: &str = "https://console.aws.amazon.com/marketplace/home#/subscriptions";

/// A SaaS product on AWS Marketplace in one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The product's name as buyers know it.
    pub name: String,
    /// The deployment that acts on this listing.
    pub stage: Stage,
    /// The code that ResolveCustomer and the license events name.
    pub product_code: ProductCode,
    /// The id of the product's entity in the Catalog API.
    pub product_id: ProductId,
    /// The identifier that keys its buyers.
    pub mode: Mode,
    /// The pricing model.
    pub pricing: Pricing,
    /// `true` if an hour without usage is reported as 0, as AWS recommends.
    #[serde(default = "yes")]
    pub zero_records: bool,
    /// The dimensions that it prices, at least one.
    pub dimensions: Vec<Dimension>,
    /// The URLs that buyers visit.
    pub urls: Urls,
    /// The support contact for buyers.
    pub support: Support,
    /// The appearance of the registration page, and the fields that it asks for.
    #[serde(default)]
    pub page: Page,
    /// The content and the prices for AWS Marketplace, if the listing describes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
}

fn yes() -> bool {
    true
}

/// The deployment that a listing belongs to: `staging` with a limited listing, `production` with the real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The test phase, with a limited listing.
    Staging,
    /// The real listing.
    Production,
}

impl Stage {
    /// Returns the name that files and URLs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(name: &str) -> Result<Self, UnknownStage> {
        [Self::Staging, Self::Production].into_iter().find(|stage| stage.as_str() == name).ok_or(UnknownStage)
    }
}

/// A name that no stage has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stage must be staging or production")]
pub struct UnknownStage;

/// The identifier that keys the buyers of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The LicenseArn, for concurrent agreements, with events over EventBridge. Every product listed since June 2026.
    License,
    /// The CustomerIdentifier, with notifications over SNS. Older products.
    Customer,
}

/// The pricing model of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pricing {
    /// Paid in advance: entitlements, no metering.
    Contract,
    /// Paid by use: metering, no entitlements.
    Subscription,
    /// A contract whose consumption beyond it is metered.
    ContractWithConsumption,
}

impl Pricing {
    /// Returns `true` if AWS holds entitlements for buyers of this pricing model.
    pub fn has_entitlements(self) -> bool {
        match self {
            Self::Contract | Self::ContractWithConsumption => true,
            Self::Subscription => false,
        }
    }
}

/// The URLs that buyers of a listing visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Urls {
    /// The application's page for new accounts; a registered buyer arrives there with a one-time code.
    pub sign_up: Url,
    /// The application's page for buyers who already have an account.
    pub sign_in: Url,
    /// The page about the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Url>,
    /// The application's page on which a tenant sees its plan, its status and its usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Url>,
    /// The application's endpoint that answers what happens when a tenant from AWS Marketplace is to change its plan
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Url>,
    /// The page on how data is handled and deleted, and what happens after an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_policy: Option<Url>,
}

impl Urls {
    /// Returns the application's page for a buyer who signs up or signs in, with the code of a handoff.
    pub fn entry_url(&self, entry_point: EntryPoint, code: &Secret) -> Url {
        let mut url = match entry_point {
            EntryPoint::SignUp => self.sign_up.clone(),
            EntryPoint::SignIn => self.sign_in.clone(),
        };
        url.query_pairs_mut().append_pair("code", code.reveal());
        url
    }

    fn problem(&self) -> Option<Problem> {
        let urls = [
            ("sign_up", Some(&self.sign_up)),
            ("sign_in", Some(&self.sign_in)),
            ("product", self.product.as_ref()),
            ("plan", self.plan.as_ref()),
            ("probe", self.probe.as_ref()),
            ("data_policy", self.data_policy.as_ref()),
        ];
        Problem::of_https("urls", urls)
    }
}

/// The support contact for buyers of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Support {
    /// A mail address that the seller reads.
    pub email: String,
    /// The help page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
}

impl Support {
    fn problem(&self) -> Option<Problem> {
        (!is_mail_address(&self.email)).then(|| Problem::of("email", "`support.email` must be a mail address"))
    }
}

/// A problem in a described listing, and its location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ListingError {
    /// The line of the file, from 1, if the error has one.
    pub line: Option<usize>,
    /// The problem, and what would be correct.
    pub problem: String,
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

/// A listing in the form of its file. Unlike the table's items, a file may not have unknown fields.
#[derive(Deserialize)]
#[serde(remote = "Listing", deny_unknown_fields)]
struct ListingFile {
    name: String,
    stage: Stage,
    product_code: ProductCode,
    product_id: ProductId,
    mode: Mode,
    pricing: Pricing,
    #[serde(default = "yes")]
    zero_records: bool,
    dimensions: Vec<Dimension>,
    urls: Urls,
    support: Support,
    #[serde(default)]
    page: Page,
    #[serde(default)]
    catalog: Option<Catalog>,
}

impl Listing {
    /// Reads a described listing.
    ///
    /// # Errors
    ///
    /// Fails when a field is missing, unknown or malformed: for example a name over 72 characters, a dimension twice,
    /// dimension types that the pricing model does not have, a URL without https, or texts and prices for AWS
    /// Marketplace, of dimensions too, beyond its limits. The error names the line and what would be correct.
    pub fn parse(text: &str) -> Result<Self, ListingError> {
        let file = toml::Deserializer::parse(text).and_then(ListingFile::deserialize);
        let listing = file.map_err(|error| ListingError {
            line: error.span().map(|span| line_at(text, span.start)),
            problem: error.message().to_owned(),
        })?;
        match listing.problem() {
            Some(problem) => {
                let line = problem.offset(text).map(|offset| line_at(text, offset));
                Err(ListingError { line, problem: problem.what })
            }
            None => Ok(listing),
        }
    }

    /// Returns the first problem with the values of its fields.
    fn problem(&self) -> Option<Problem> {
        if self.name.trim().is_empty() || self.name.chars().count() > 72 {
            return Some(Problem::of("name", "`name` must have 1 to 72 characters, as the product title at AWS"));
        }
        let urls = self.urls.problem().map(|problem| problem.within(&[Field("urls")]));
        let support = || self.support.problem().map(|problem| problem.within(&[Field("support")]));
        let page = || self.page.problem().map(|problem| problem.within(&[Field("page")]));
        let catalog = || {
            let problem = self.catalog.as_ref().and_then(|catalog| catalog.problem(&self.dimensions));
            problem.map(|problem| problem.within(&[Field("catalog")]))
        };
        urls.or_else(support).or_else(page).or_else(|| self.problem_of_dimensions()).or_else(catalog)
    }

    fn problem_of_dimensions(&self) -> Option<Problem> {
        let all = &self.dimensions;
        let at = |number, field, what| Problem::at([Field("dimensions"), Item(number), Field(field)], what);
        for (number, dimension) in all.iter().enumerate() {
            if all.iter().take(number).any(|earlier| earlier.key == dimension.key) {
                return Some(at(number, "key", format!("dimension `{}` is described twice", dimension.key)));
            }
            if let Some((field, what)) = invalid_text(dimension) {
                return Some(at(number, field, what));
            }
            if let Some(what) = mismatch(self.pricing, dimension) {
                return Some(at(number, "types", what));
            }
        }
        let overages = all.iter().enumerate().find_map(|(number, dimension)| {
            let what = invalid_overage((self.pricing, self.mode), dimension, all)?;
            Some(at(number, "overage_of", what))
        });
        overages.or_else(|| missing(self.pricing, all).map(|what| Problem::of("dimensions", what)))
    }

    /// Returns the dimension with a key.
    pub fn dimension(&self, key: &DimensionKey) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| dimension.key == *key)
    }
}

/// Returns `true` if a text looks like a mail address: a name, an at sign and a domain, without blanks.
///
/// The check is deliberately loose: only a mail that arrives proves an address, and AWS's reviewers try unusual ones.
pub fn is_mail_address(text: &str) -> bool {
    text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c))
        && text.rsplit_once('@').is_some_and(|(name, domain)| {
            !name.is_empty()
                && !name.contains('@')
                && domain.contains('.')
                && domain.split('.').all(|label| !label.is_empty())
        })
}

/// Returns the first text of a dimension that the catalog would not accept (`AddDimensions` of `SaaSProduct@1.0`).
fn invalid_text(dimension: &Dimension) -> Option<(&'static str, String)> {
    let texts = [
        ("name", Some(&dimension.name), 80),
        ("description", dimension.description.as_ref(), 1000),
        ("unit", dimension.unit.as_ref(), 20),
    ];
    let unfit = texts.into_iter().find(|(_, text, most)| text.is_some_and(|text| !catalog::fits(text, *most)));
    unfit.map(|(field, _, most)| {
        (field, format!("`{field}` of dimension `{}` must have 1 to {most} characters", dimension.key))
    })
}

/// Returns the problem with a dimension that the catalog would not allow under this pricing model.
fn mismatch(pricing: Pricing, dimension: &Dimension) -> Option<String> {
    let key = &dimension.key;
    match pricing {
        _ if dimension.types.is_empty() => Some(format!("dimension `{key}` needs at least one type")),
        Pricing::Contract if dimension.is_metered() => {
            Some(format!("dimension `{key}` is metered, but `pricing = \"contract\"` has only Entitled dimensions"))
        }
        Pricing::Subscription if dimension.is_entitled() => {
            Some(format!("dimension `{key}` is Entitled, but `pricing = \"subscription\"` has only metered dimensions"))
        }
        Pricing::Contract | Pricing::Subscription | Pricing::ContractWithConsumption => None,
    }
}

/// Returns the problem with a dimension's declaration as an overage.
fn invalid_overage((pricing, mode): (Pricing, Mode), dimension: &Dimension, all: &[Dimension]) -> Option<String> {
    let of = dimension.overage_of.as_ref()?;
    let key = &dimension.key;
    if pricing != Pricing::ContractWithConsumption {
        Some(format!("`overage_of` of `{key}` needs `pricing = \"contract-with-consumption\"`"))
    } else if mode != Mode::License {
        // Its period is an agreement, and AWS names none for a product in customer mode.
        Some(format!("`overage_of` of `{key}` needs `mode = \"license\"`"))
    } else if !dimension.is_metered() {
        Some(format!("dimension `{key}` has `overage_of` but is not metered"))
    } else if !all.iter().any(|other| other.key == *of && other.is_entitled()) {
        Some(format!("`overage_of` of `{key}` names `{of}`, which is no Entitled dimension of this listing"))
    } else {
        None
    }
}

/// Returns what the dimensions together lack under this pricing model.
fn missing(pricing: Pricing, dimensions: &[Dimension]) -> Option<&'static str> {
    if dimensions.is_empty() {
        return Some("a listing needs at least one dimension");
    }
    let both = dimensions.iter().any(Dimension::is_entitled) && dimensions.iter().any(Dimension::is_metered);
    match pricing {
        Pricing::ContractWithConsumption if !both => {
            Some("a contract with consumption needs an Entitled dimension and an ExternallyMetered one")
        }
        Pricing::Contract | Pricing::Subscription | Pricing::ContractWithConsumption => None,
    }
}

/// Returns the line, from 1, that contains the byte at `offset`.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;

//! The content and the prices of a listing for AWS Marketplace, which `stallkeeper listing sheet` writes.

use rust_decimal::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use super::Dimension;
use super::problem::Problem;
use super::problem::Step::{Field, Item};
use crate::ids::{AccountId, DimensionKey};

/// The most decimals of a price.
const MAX_DECIMAL_PLACES: u32 = 8;

/// The contract lengths that a price can be for, in months.
const CONTRACTS: [u8; 4] = [1, 12, 24, 36];

/// The content that buyers read and the prices that they pay on AWS Marketplace. The limits are those of the Catalog
/// API (`UpdateInformation` and `UpdateTargeting` of `SaaSProduct@1.0`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// One or two sentences: 1 to 1,000 characters.
    pub short_description: String,
    /// The product's purpose, audience and requirements: 1 to 5,000 characters.
    pub long_description: String,
    /// 1 to 3 highlights, each of 1 to 500 characters.
    pub highlights: Vec<String>,
    /// The keywords by which buyers find it: 1 to 15, each of 1 to 50 characters.
    pub search_keywords: Vec<String>,
    /// 1 to 3 of AWS Marketplace's categories.
    pub categories: Vec<String>,
    /// The URL of the logo, https.
    pub logo: Url,
    /// The text about how buyers reach support: 1 to 2,000 characters.
    pub support: String,
    /// The text about how refunds are made: 1 to 500 characters (Stallkeeper's own limit; AWS names none).
    pub refund_policy: String,
    /// The URL of the license agreement, https. `None` stands for AWS's standard contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eula: Option<Url>,
    /// The accounts that may buy it while it is limited: at most 100.
    #[serde(default)]
    pub allowed_accounts: Vec<AccountId>,
    /// The price of each dimension.
    pub prices: Vec<Price>,
}

/// The price of one unit of a dimension, in USD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The dimension.
    pub dimension: DimensionKey,
    /// The length of the contract in months, for a dimension that is bought in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<u8>,
    /// The amount.
    #[serde(deserialize_with = "amount")]
    pub usd: Decimal,
}

fn amount<'de, D: Deserializer<'de>>(written: D) -> Result<Decimal, D::Error> {
    let usd: Result<Decimal, D::Error> = Deserialize::deserialize(written);
    usd.map_err(|_| D::Error::custom("`usd` must be a price such as \"0.01\""))
}

impl Catalog {
    /// Returns the first problem with it, given the dimensions of the listing.
    pub(super) fn problem(&self, dimensions: &[Dimension]) -> Option<Problem> {
        let texts = [
            ("short_description", &self.short_description, 1000),
            ("long_description", &self.long_description, 5000),
            ("support", &self.support, 2000),
            ("refund_policy", &self.refund_policy, 500),
        ];
        for (field, text, most) in texts {
            if !fits(text, most) {
                return Some(Problem::of(field, format!("`catalog.{field}` must have 1 to {most} characters")));
            }
        }
        let lists = [
            ("highlights", &self.highlights, 3, 500),
            ("search_keywords", &self.search_keywords, 15, 50),
            ("categories", &self.categories, 3, 100),
        ];
        for (field, list, most, longest) in lists {
            if list.is_empty() || list.len() > most || !list.iter().all(|text| fits(text, longest)) {
                let problem =
                    format!("`catalog.{field}` must have 1 to {most} texts, each of 1 to {longest} characters");
                return Some(Problem::of(field, problem));
            }
        }
        let urls = Problem::of_https("catalog", [("logo", Some(&self.logo)), ("eula", self.eula.as_ref())]);
        if urls.is_some() {
            return urls;
        }
        if self.allowed_accounts.len() > 100 {
            return Some(Problem::of("allowed_accounts", "`catalog.allowed_accounts` must be at most 100"));
        }
        for (number, price) in self.prices.iter().enumerate() {
            let at = |what| Problem::at([Field("prices"), Item(number)], what);
            let is_same = |other: &Price| (&other.dimension, other.months) == (&price.dimension, price.months);
            if self.prices.iter().take(number).any(is_same) {
                return Some(at(format!("the price of `{}` stands twice", price.dimension)));
            }
            if let Some(problem) = price.problem(dimensions) {
                return Some(at(problem));
            }
        }
        self.prices_problem(dimensions).map(|what| Problem::of("prices", what))
    }

    /// Returns what the prices together lack.
    fn prices_problem(&self, dimensions: &[Dimension]) -> Option<String> {
        let priced = |dimension: &&Dimension| self.prices.iter().any(|price| price.dimension == dimension.key);
        if let Some(unpriced) = dimensions.iter().find(|dimension| !priced(dimension)) {
            return Some(format!("`catalog.prices` has none for `{}`", unpriced.key));
        }
        if self.prices.iter().all(|price| price.usd.is_zero()) {
            // AWS treats it as a free product otherwise (SaaS product guidelines, setup).
            return Some("at least one of `catalog.prices` must be above 0".to_owned());
        }
        None
    }
}

impl Price {
    fn problem(&self, dimensions: &[Dimension]) -> Option<String> {
        let key = &self.dimension;
        let Some(dimension) = dimensions.iter().find(|dimension| dimension.key == *key) else {
            return Some(format!("`catalog.prices` names `{key}`, which is no dimension of this listing"));
        };
        let is_bought_in_advance = !dimension.is_metered();
        match self.months {
            Some(_) if !dimension.is_entitled() => {
                return Some(format!("the price of `{key}` has `months`, but usage is paid as it is made"));
            }
            Some(months) if !CONTRACTS.contains(&months) => {
                return Some(format!("the price of `{key}` must be for 1, 12, 24 or 36 `months`"));
            }
            None if is_bought_in_advance => {
                return Some(format!("the price of `{key}` needs `months`: how long what it buys lasts"));
            }
            Some(_) | None => {}
        }
        let is_odd = self.usd.is_sign_negative() || self.usd.normalize().scale() > MAX_DECIMAL_PLACES;
        is_odd.then(|| format!("the price of `{key}` must be 0 or more, with at most {MAX_DECIMAL_PLACES} decimals"))
    }
}

/// Returns the name of the part of a fulfillment URL that AWS's catalog does not accept (the schema `FulfillmentUrl`).
pub fn unfit_for_fulfillment(url: &Url) -> Option<&'static str> {
    let path_fits = |c: char| c.is_ascii_alphanumeric() || "-_@+./".contains(c);
    if url.scheme() != "https" {
        Some("https")
    } else if !url.domain().is_some_and(|domain| domain.contains('.')) {
        Some("host")
    } else if url.port().is_some() {
        Some("port")
    } else if url.query().is_some() {
        Some("query")
    } else if url.fragment().is_some() {
        Some("fragment")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("user")
    } else if !url.path().chars().all(path_fits) || url.as_str().len() > 2048 {
        Some("path")
    } else {
        None
    }
}

/// Returns `true` if a text is not blank, and not too long for the catalog.
pub(super) fn fits(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

#[cfg(test)]
mod tests {
    use crate::listing::Listing;
    use crate::listing::tests::refused;

    const GOOD: &str = include_str!("../../../../listings/demo-consumption.toml");

    #[test]
    fn the_sample_says_what_aws_is_to_show() {
        let catalog = Listing::parse(GOOD).unwrap().catalog.unwrap();
        assert_eq!(catalog.allowed_accounts.len(), 5);
        assert!(catalog.prices.iter().any(|price| price.months.is_some()));
        assert!(catalog.prices.iter().any(|price| price.months.is_none()));
    }

    #[test]
    fn what_aws_would_refuse_is_reported_with_its_line() {
        let long = "a".repeat(1001);
        for (from, to, expected) in [
            ("short_description = \"", format!("short_description = \"{long}"), "must have 1 to 1000 characters"),
            ("refund_policy = \"", "refund_policy = \"\" #".to_owned(), "`catalog.refund_policy` must have 1 to 500"),
            ("highlights = [", "highlights = [\"a\", \"b\", \"c\", ".to_owned(), "must have 1 to 3 texts"),
            ("search_keywords = [", "search_keywords = [\" \", ".to_owned(), "each of 1 to 50 characters"),
            ("logo = \"https:", "logo = \"http:".to_owned(), "`catalog.logo` must begin with https://"),
            ("months = 12", "months = 13".to_owned(), "must be for 1, 12, 24 or 36 `months`"),
            ("months = 12, ", String::new(), "needs `months`"),
            ("\"events_extra\", usd", "\"events_extra\", months = 1, usd".to_owned(), "usage is paid as it is made"),
            ("\"events_extra\", usd", "\"events_other\", usd".to_owned(), "which is no dimension of this listing"),
            ("\"events_extra\", usd = \"0.01\"", "\"events_extra\", usd = \"-0.01\"".to_owned(), "must be 0 or more"),
            ("usd = \"0.01\"", "usd = \"0.123456789\"".to_owned(), "at most 8 decimals"),
            ("prices = [", "prices = [{ dimension = \"events_extra\", usd = \"1\" }, ".to_owned(), "stands twice"),
            ("111122223301", "11112222330".to_owned(), "12 digits"),
            ("usd = \"0.01\"", "usd = \"free\"".to_owned(), "`usd` must be a price such as \"0.01\""),
        ] {
            let (error, changed) = refused(GOOD, from, &to);
            assert!(error.problem.contains(expected), "{from}: {error}");
            // The line is the one that was changed; for a duplicate, the second one.
            let line = if expected == "stands twice" { changed + 2 } else { changed };
            assert_eq!(error.line, Some(line), "{error}");
        }
    }

    #[test]
    fn every_dimension_has_a_price_and_one_is_above_zero() {
        let unpriced = GOOD.replacen("    { dimension = \"events_extra\", usd = \"0.01\" },\n", "", 1);
        let error = Listing::parse(&unpriced).unwrap_err();
        assert!(error.problem.contains("has none for `events_extra`"), "{error}");
        assert_eq!(error.line, GOOD.lines().position(|line| line == "prices = [").map(|before| before + 1));
        let free = GOOD.replace("usd = \"0.01\"", "usd = \"0\"");
        assert!(Listing::parse(&free).unwrap_err().problem.contains("above 0"));
    }
}

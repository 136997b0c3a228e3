//! A purchase by a buyer.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use marketplace_ids::{AccountId, AgreementId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::{Agreement, Grant, License, MarketplaceState, Token};
use super::value::DimensionValue;
use super::{Marketplace, after};
use crate::control_error::ControlError;
use crate::product::{BuyerKey, Product};

/// The length of a free trial here; AWS allows 7 to 90 days.
const FREE_TRIAL: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A purchase that a buyer makes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Purchase {
    /// The product.
    pub product: ProductCode,
    /// The buyer; a new account if `None`.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// The amounts of the entitled dimensions: whole numbers, numbers, truth values or texts.
    #[serde(default)]
    pub dimensions: BTreeMap<DimensionKey, Value>,
    /// `true` if it starts with a free trial.
    #[serde(default)]
    pub free_trial: bool,
}

/// The result of a purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Purchased {
    /// The registration token that the buyer's browser posts.
    pub token: String,
    /// The license; `None` for a legacy product, whose seller never receives it from an API.
    pub license_arn: Option<LicenseArn>,
    /// The agreement.
    pub agreement_id: AgreementId,
    /// The buyer.
    pub account_id: AccountId,
    /// The buyer's CustomerIdentifier, for a legacy product.
    pub customer_identifier: Option<CustomerIdentifier>,
    /// The product.
    pub product_code: ProductCode,
}

impl Marketplace {
    /// Makes an agreement and a registration token, and announces the events that AWS sends to the seller.
    ///
    /// One account can buy a product with licenses any number of times. Of a legacy product an account holds one
    /// subscription at a time, and has the same CustomerIdentifier in each.
    ///
    /// # Errors
    ///
    /// Fails for an unknown product, dimensions that cannot be bought in advance, values of an unsupported type, a
    /// contract without any value, and a second subscription of a legacy product.
    pub fn purchase(&self, purchase: Purchase) -> Result<Purchased, ControlError> {
        let product = self.0.products.get(&purchase.product).ok_or_else(|| self.unknown(&purchase.product))?;
        let dimensions = bought(product, &purchase.dimensions)?;
        if product.pricing.has_entitlements() && dimensions.is_empty() {
            return Err(ControlError::ValueMissing { known: entitled(product) });
        }
        let account = match purchase.account {
            Some(account) => account,
            None => self.0.ids.account()?,
        };

        let now = self.now();
        let mut state = self.state();
        let customer = match product.buyer_key {
            BuyerKey::License => None,
            BuyerKey::Customer => Some(self.customer(&state, product, &account)?),
        };
        let arn: LicenseArn =
            format!("arn:aws:license-manager::{}:license:{}", self.0.seller, self.0.ids.license()).parse()?;
        let id = self.0.ids.agreement()?;
        let agreement = Agreement {
            id: id.clone(),
            initial: id.clone(),
            previous: None,
            product: purchase.product.clone(),
            account: account.clone(),
            license: arn.id().clone(),
            offer: self.0.ids.offer(),
            start: now,
            end: product.pricing.has_entitlements().then(|| a_year_after(now)),
            updated: now,
            free_trial_end: purchase.free_trial.then(|| after(now, FREE_TRIAL)),
            dimensions,
            provisioned: self.provisioned(now),
            ending: None,
        };
        let license = License {
            arn: arn.clone(),
            product: purchase.product.clone(),
            account: account.clone(),
            customer: customer.clone(),
            purchased: now,
            grants: vec![grant(&agreement)],
            revoked: None,
        };
        self.announce_purchase(product, &agreement, &license);
        state.agreements.push(agreement);
        state.licenses.push(license);
        let token = self.issue_token(&mut state, &id, arn.id(), now);
        Ok(Purchased {
            token,
            license_arn: customer.is_none().then_some(arn),
            agreement_id: id,
            account_id: account,
            customer_identifier: customer,
            product_code: purchase.product,
        })
    }

    pub(super) fn unknown(&self, product: &ProductCode) -> ControlError {
        ControlError::ProductUnknown {
            product: product.clone(),
            known: self.0.products.keys().map(ProductCode::as_str).collect::<Vec<_>>().join(", "),
        }
    }

    /// Returns the CustomerIdentifier of a buyer of a legacy product: the same each time this account buys this
    /// product.
    fn customer(
        &self,
        state: &MarketplaceState,
        product: &Product,
        account: &AccountId,
    ) -> Result<CustomerIdentifier, ControlError> {
        let mut theirs = state
            .agreements
            .iter()
            .filter(|agreement| agreement.product == product.code && agreement.account == *account);
        if let Some(agreement) = theirs.find(|agreement| agreement.ending.is_none()) {
            return Err(ControlError::AlreadySubscribed { agreement: agreement.id.clone() });
        }
        let earlier = state
            .licenses
            .iter()
            .find(|license| license.product == product.code && license.account == *account)
            .and_then(|license| license.customer.clone());
        Ok(match earlier {
            Some(customer) => customer,
            None => self.0.ids.customer()?,
        })
    }

    pub(super) fn issue_token(
        &self,
        state: &mut MarketplaceState,
        agreement: &AgreementId,
        license: &LicenseId,
        now: Timestamp,
    ) -> String {
        let text = self.0.ids.token();
        if let Some(license) = state.license(license) {
            let token = Token {
                issued: now,
                agreement: agreement.clone(),
                product: license.product.clone(),
                account: license.account.clone(),
                license: license.arn.clone(),
                customer: license.customer.clone(),
            };
            state.tokens.insert(text.clone(), token);
        }
        text
    }
}

/// Returns the grant of an agreement, which starts when its license is ready.
pub(super) fn grant(agreement: &Agreement) -> Grant {
    Grant {
        from: agreement.provisioned,
        agreement: agreement.id.clone(),
        dimensions: agreement.dimensions.clone(),
        expires: agreement.end,
        expires_apart: BTreeMap::new(),
    }
}

/// Returns the same moment of the next year, at which a contract of twelve months ends.
pub(super) fn a_year_after(at: Timestamp) -> Timestamp {
    at.to_zoned(TimeZone::UTC).checked_add(1.year()).map_or(at, |later| later.timestamp())
}

/// Reads the values that a buyer chose, for the dimensions that the product sells in advance.
pub(super) fn bought(
    product: &Product,
    chosen: &BTreeMap<DimensionKey, Value>,
) -> Result<BTreeMap<DimensionKey, DimensionValue>, ControlError> {
    chosen
        .iter()
        .map(|(key, value)| {
            let dimension = product
                .dimension(key)
                .ok_or_else(|| ControlError::DimensionUnknown { dimension: key.clone(), known: entitled(product) })?;
            if !dimension.is_entitled() {
                return Err(ControlError::DimensionNotEntitled { dimension: key.clone() });
            }
            let value =
                DimensionValue::read(value).ok_or_else(|| ControlError::ValueInvalid { dimension: key.clone() })?;
            Ok((key.clone(), value))
        })
        .collect()
}

/// Returns the keys of the dimensions that the product sells in advance, for a sentence.
fn entitled(product: &Product) -> String {
    let names: Vec<&str> = product
        .dimensions
        .iter()
        .filter(|dimension| dimension.is_entitled())
        .map(|dimension| dimension.key.as_str())
        .collect();
    if names.is_empty() { "none, it is paid by use".to_owned() } else { names.join(", ") }
}

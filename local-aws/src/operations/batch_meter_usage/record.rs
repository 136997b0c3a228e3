//! A UsageRecord, read by the rules of the API model.

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::input::{BadInput, Input, TextRule};
use crate::protocol::{Document, Record};

const DIMENSION: TextRule = TextRule { shortest: 1, longest: 255, pattern: r"[\s\S]+", allows: |_| true };
const CUSTOMER: TextRule = TextRule { shortest: 0, longest: 255, pattern: r"[\s\S]*", allows: |_| true };
const ACCOUNT: TextRule = TextRule { shortest: 1, longest: 255, pattern: "^[0-9]+$", allows: |c| c.is_ascii_digit() };
/// Any text is accepted here; one that is not an ARN is refused later like an unknown license, with the service's own
/// error.
const LICENSE: TextRule = TextRule { shortest: 0, longest: usize::MAX, pattern: "", allows: |_| true };
const DECIMAL: TextRule =
    TextRule { shortest: 1, longest: 17, pattern: DECIMAL_PATTERN, allows: |c| c.is_ascii_digit() || c == '.' };
const DECIMAL_PATTERN: &str = r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?$";

/// The members of a UsageRecord, which the answer repeats.
const MEMBERS: [&str; 8] = [
    "Timestamp",
    "CustomerIdentifier",
    "Dimension",
    "Quantity",
    "QuantityAsDecimal",
    "UsageAllocations",
    "CustomerAWSAccountId",
    "LicenseArn",
];

/// A record as it was sent.
pub(super) struct UsageRecord<'a> {
    input: Input<'a>,
    pub(super) at: Timestamp,
    pub(super) dimension: &'a str,
    pub(super) quantity: Quantity,
    pub(super) customer: Option<&'a str>,
    pub(super) account: Option<&'a str>,
    pub(super) license: Option<&'a str>,
    pub(super) allocations: Option<&'a [Document]>,
}

/// A quantity, with the type in which it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Whole(u32),
    Decimal(Decimal),
}

impl<'a> UsageRecord<'a> {
    pub(super) fn read(document: &'a Document) -> Result<Self, BadInput> {
        let input = Input::of(document, "UsageRecords")?;
        let quantity = Quantity::read(input, "Quantity", "QuantityAsDecimal")?;
        Ok(Self {
            input,
            at: input.required_timestamp("Timestamp")?,
            dimension: input.required_text("Dimension", &DIMENSION)?,
            // "Defaults to 0 if neither Quantity nor QuantityAsDecimal is specified."
            quantity: quantity.unwrap_or(Quantity::Whole(0)),
            customer: input.text("CustomerIdentifier", &CUSTOMER)?,
            account: input.text("CustomerAWSAccountId", &ACCOUNT)?,
            license: input.text("LicenseArn", &LICENSE)?,
            allocations: input.list("UsageAllocations")?,
        })
    }

    /// Returns the record as the answer repeats it.
    pub(super) fn echo(&self) -> Document {
        let member = |echo: Record, name: &&'static str| echo.with_some(name, self.input.value(name).cloned());
        MEMBERS.iter().fold(Record::new(), member).into()
    }
}

impl Quantity {
    /// Reads one of the two members, or `None` if both are missing.
    pub(super) fn read(input: Input<'_>, whole: &'static str, decimal: &'static str) -> Result<Option<Self>, BadInput> {
        match (input.quantity(whole)?, input.text(decimal, &DECIMAL)?) {
            (Some(_), Some(_)) => Err(BadInput::breaks(decimal, format!("not be specified together with {whole}"))),
            (Some(amount), None) => Ok(Some(Self::Whole(amount))),
            (None, Some(text)) => match read_decimal(text) {
                Some(amount) => Ok(Some(Self::Decimal(amount))),
                None => {
                    Err(BadInput::breaks(decimal, format!("satisfy regular expression pattern: {DECIMAL_PATTERN}")))
                }
            },
            (None, None) => Ok(None),
        }
    }

    /// Returns the amount. 17 equals 17.0, whichever type was sent.
    pub(super) fn amount(self) -> Decimal {
        match self {
            Self::Whole(amount) => amount.into(),
            Self::Decimal(amount) => amount,
        }
    }
}

/// Reads a decimal by the model's pattern, which allows no sign, no exponent, no bare point and no leading zeros.
fn read_decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let good_whole = all_digits(whole) && (whole == "0" || (1..=10).contains(&whole.len()) && !whole.starts_with('0'));
    let good_fraction = fraction.is_none_or(|rest| all_digits(rest) && (1..=6).contains(&rest.len()));
    (good_whole && good_fraction).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_pattern_of_the_api_model() {
        for good in ["0", "0.0", "17", "17.42", "0.000001", "9999999999.999999", "2147483648"] {
            assert_eq!(read_decimal(good).unwrap().to_string(), good);
        }
        for bad in ["", ".", "1.", ".5", "01", "00", "-1", "+1", "1e3", "1.0000000", "10000000000", "1.2.3", "1 ", "١"]
        {
            assert_eq!(read_decimal(bad), None, "{bad}");
        }
    }
}

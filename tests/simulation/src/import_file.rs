//! The file of an import, and its rows.

use domain::ids::LicenseId;
use jiff::Timestamp;

use crate::holding::Holding;

/// The columns of a file. The last column has a constant value, so that a row that is cut off there has the same
/// meaning.
pub const COLUMNS: &str =
    "product,tenant,customer_identifier,license_arn,agreement_id,account,since,metered_from,move_at,language";

/// A row of a file.
#[derive(Debug, Clone)]
pub struct Row {
    /// The license that it imports.
    pub license: LicenseId,
    text: String,
}

/// The times in a row.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// The start of the license.
    pub since: Option<Timestamp>,
    /// The first hour that is metered.
    pub metered_from: Option<Timestamp>,
    /// The hour of the move.
    pub move_at: Option<Timestamp>,
}

impl Row {
    /// Returns the row of a holding without a move: by its ARN, or by its customer key.
    pub fn new(holding: &Holding, times: &Times) -> Self {
        let arn = holding.arn.as_ref().map(ToString::to_string);
        Self::written(holding, arn, times)
    }

    /// Returns the row of a customer key that moves to a license.
    pub fn moving(holding: &Holding, arn: &str, times: &Times) -> Self {
        Self::written(holding, Some(arn.to_owned()), times)
    }

    fn written(holding: &Holding, arn: Option<String>, times: &Times) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let text = [
            holding.product.to_string(),
            format!("tenant-{}", holding.account),
            holding.customer().unwrap_or_default().to_owned(),
            arn.unwrap_or_default(),
            holding.agreement.to_string(),
            holding.account.to_string(),
            time(times.since),
            time(times.metered_from),
            time(times.move_at),
            "en".to_owned(),
        ]
        .join(",");
        Self { license: holding.license.clone(), text }
    }

    /// Returns the row without the hour of its move, so that the stack chooses the hour.
    pub fn moving_when_possible(&self) -> Self {
        let cells = COLUMNS.split(',').zip(self.text.split(','));
        let cells: Vec<&str> = cells.map(|(column, cell)| if column == "move_at" { "" } else { cell }).collect();
        Self { license: self.license.clone(), text: cells.join(",") }
    }
}

/// Returns the file with these rows.
pub fn file(rows: &[Row]) -> String {
    let rows: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    format!("{COLUMNS}\n{}", rows.join("\n"))
}

//! Customers whom the seller had before Stallkeeper: imported from CSV with their tenants, and moved from customer keys to
//! license keys.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use domain::audit::AuditEntry;
use domain::errors::chain;
use domain::ids::{
    AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, PROBE_TENANTS, ProductCode, TenantId,
};
use domain::language::Language;
use domain::license::{License, Moving};
use domain::listing::is_mail_address;
use domain::registration::{Contact, MAX_NAME_CHARS};
use domain::time::{Rfc3339, UsageHour};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use lambda::csv_file::{Columns, CsvFile, InvalidCsv, Row, WrongLength};
use lambda::http::contract::{BodyInvalid, BodyTooLarge, Failed, Forbidden, TooMany, Unavailable};
use lambda::http::extract::{Caller, Csv, Query};
use lambda::http::{ApiError, Problem};
use lifecycle::{Customer, Imported};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::StoreError;
use utoipa::{IntoParams, ToSchema};

/// The most customers of one request.
const MAX_ROWS: usize = 200;

const COLUMNS: Columns = Columns {
    required: &["product", "tenant"],
    optional: &[
        "customer_identifier",
        "license_arn",
        "agreement_id",
        "account",
        "since",
        "metered_from",
        "move_at",
        "email",
        "name",
        "company",
        "language",
    ],
    prefix: None,
};

/// The time before an hour by which its change of key must be known, so that every instance of the usage function has
/// read it.
const MIN_NOTICE: SignedDuration = SignedDuration::from_mins(10);

/// The parameters of an import.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportQuery {
    /// Judges the rows and writes nothing: the answer has the results that they would have.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
}

/// Customers as CSV: UTF-8 with a header row, and 1 to 200 rows below it. The columns are `product` and `tenant`, and
/// any of `customer_identifier`, `license_arn`, `agreement_id`, `account`, `since`, `metered_from`, `move_at`, `email`,
/// `name`, `company` and `language`. A row needs `customer_identifier` or `license_arn`; with both, it also needs
/// `agreement_id` and `account`. `metered_from` and `move_at` are first moments of hours, 10 minutes from now or later,
/// and no move is before 06:00 UTC on the 1st of a month. By default, they are the next such hour.
#[derive(ToSchema)]
#[schema(as = CustomersCsv)]
#[expect(dead_code, reason = "declares what `import` reads")]
pub(crate) struct CsvSchema(String);

/// The result of an import: the number of rows with each status, and the result of each row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportResults)]
pub(crate) struct ImportReport {
    /// Nothing was written: these are the results that the rows would have.
    dry_run: bool,
    #[schema(maximum = 200)]
    imported: usize,
    #[schema(maximum = 200)]
    unchanged: usize,
    #[schema(maximum = 200)]
    refused: usize,
    /// The number of rows that the table did not confirm. Send the same file again.
    #[schema(maximum = 200)]
    retry: usize,
    /// The results, in the order of the rows.
    #[schema(min_items = 1, max_items = 200)]
    results: Vec<RowResult>,
}

/// The status of a row. `imported`: the import changed the license. `unchanged`: the license was already like this.
/// `refused`: the row is invalid. `retry`: the table did not confirm the write.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportStatus)]
enum RowStatus {
    Imported,
    Unchanged,
    Refused,
    Retry,
}

/// The reason to refuse a row, as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportCode)]
enum RowCode {
    AccountMismatch,
    LicenseAnotherBuyers,
    LicenseLinkedElsewhere,
    LicenseMovesElsewhere,
    LicenseNotInForce,
    NotConfirmed,
    ProductUnknown,
    RowInvalid,
}

/// The result of a row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportResult)]
struct RowResult {
    /// The line that the row starts in.
    #[schema(minimum = 2)]
    line: usize,
    status: RowStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LicenseId)]
    license: Option<LicenseId>,
    /// The moment from which Stallkeeper bills the license's usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp)]
    metered_from: Option<Timestamp>,
    /// The license that replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LicenseId)]
    moves_to: Option<LicenseId>,
    /// The moment from which the other license replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp)]
    moves_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RowCode)]
    code: Option<RowCode>,
    /// The reason in this case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    detail: Option<String>,
    /// The next step for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    action: Option<&'static str>,
}

/// A reason to refuse a row.
struct Refused {
    code: RowCode,
    detail: String,
    action: &'static str,
}

impl Refused {
    fn cell(column: &str, why: impl std::fmt::Display) -> Self {
        Self::row(format!("{column}: {why}"), "Correct the cell and send the row again.")
    }

    fn row(detail: String, action: &'static str) -> Self {
        Self { code: RowCode::RowInvalid, detail, action }
    }

    fn in_line(self, line: usize, status: RowStatus) -> RowResult {
        let Self { code, detail, action } = self;
        RowResult { code: Some(code), detail: Some(detail), action: Some(action), ..RowResult::plain(line, status) }
    }
}

/// Imports customers whom the seller had before, and moves them to license keys, for an operator.
///
/// Each row has its own result, and repeating the request changes nothing. The license counts as in force until AWS
/// says otherwise. Usage before `metered_from` is billed by the seller's earlier backend, and refused here. A row with
/// `customer_identifier` and `license_arn` moves the customer: usage before `move_at` is billed under the customer key,
/// usage from then on under the license, and both ids are accepted for usage. The audit log has the changes.
#[utoipa::path(
    post,
    path = "/v1/imports",
    operation_id = "importCustomers",
    tag = "licenses",
    params(ImportQuery),
    request_body(content = CsvSchema, content_type = "text/csv", example = json!("\
product,tenant,customer_identifier,account,since
7demolegacy00000000000ab,acme,X01EXAMPLEX,111122223333,2025-04-01T00:00:00Z
")),
    responses(
        (status = 200, description = "The result of each row.", body = ImportReport),
        BodyInvalid, Forbidden, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn import(
    State(context): State<Arc<Context>>,
    Query(ImportQuery { dry_run }): Query<ImportQuery>,
    caller: Caller,
    Csv(text): Csv,
) -> Result<Json<ImportReport>, ApiError> {
    let file = CsvFile::read(&text, &COLUMNS, MAX_ROWS).map_err(|error| unreadable(&error))?;
    let mut report = ImportReport { dry_run, imported: 0, unchanged: 0, refused: 0, retry: 0, results: Vec::new() };
    let mut table_answers = true;
    for (line, row) in file.rows() {
        // Trying each of 200 rows against a table that does not answer would take longer than the caller waits.
        let result = match table_answers {
            true => context.import_row(&caller, row, dry_run).await,
            false => Err(not_confirmed()),
        };
        table_answers = !matches!(result, Err(Refused { code: RowCode::NotConfirmed, .. }));
        report.add(line, result);
    }
    if report.retry == report.results.len() {
        return Err(Problem::unavailable().into());
    }
    let ImportReport { imported, unchanged, refused, retry, .. } = report;
    tracing::info!(dry_run, imported, unchanged, refused, retry, counter = "customers_imported", "Imported customers");
    Ok(Json(report))
}

fn not_confirmed() -> Refused {
    Refused {
        code: RowCode::NotConfirmed,
        detail: "the table did not confirm the write".to_owned(),
        action: "Send the same row again later. Rows that were imported already are unchanged.",
    }
}

impl Context {
    /// Imports one row. Returns the license after the import, and `true` if the import changed it.
    async fn import_row(
        &self,
        caller: &Caller,
        row: Result<Row<'_>, WrongLength>,
        dry_run: bool,
    ) -> Result<(License, bool), Refused> {
        let row = row.map_err(|wrong| Refused::row(wrong.to_string(), "Correct the row and send it again."))?;
        let customer = customer(Cells(row), self.store.clock().now())?;
        self.import_customer(caller, customer, dry_run).await.unwrap_or_else(|error| {
            tracing::error!(error = %chain(&error), counter = "api_unavailable", "Failed to import a row: the table did not answer");
            Err(not_confirmed())
        })
    }

    /// Imports one customer. Returns the license after the import, and `true` if the import changed it.
    async fn import_customer(
        &self,
        caller: &Caller,
        customer: Customer,
        dry_run: bool,
    ) -> Result<Result<(License, bool), Refused>, StoreError> {
        if self.store.listing(&customer.product).await?.is_none() {
            return Ok(Err(Refused {
                code: RowCode::ProductUnknown,
                detail: format!("this stack has no listing of {}", customer.product),
                action: "Check the product code, and that the listing is in this stack.",
            }));
        }
        let entry = AuditEntry::new(
            caller.arn(),
            "license.import",
            &customer.license,
            [("tenant", customer.tenant.to_string())],
            self.store.clock().now(),
        );
        Ok(match lifecycle::import(&self.store, &customer, &entry, dry_run).await? {
            Imported::Done { license, changed } => Ok((*license, changed)),
            Imported::AccountMismatch(known) => Err(Refused {
                code: RowCode::AccountMismatch,
                detail: format!("account: {} is known with the account {known}", customer.license),
                action: "Check that the cells of the row belong to one customer. If they do, leave the account empty, or correct it.",
            }),
            Imported::LinkedElsewhere => Err(Refused {
                code: RowCode::LicenseLinkedElsewhere,
                detail: format!("{} belongs to another tenant", customer.license),
                action: "Check the tenant. To give the license to another tenant, move it.",
            }),
            Imported::MovesElsewhere => Err(Refused {
                code: RowCode::LicenseMovesElsewhere,
                detail: format!("{} moves to another license, or at another hour", customer.license),
                action: "Read the license. The move of an earlier import is unchanged.",
            }),
            Imported::Another => Err(Refused {
                code: RowCode::LicenseAnotherBuyers,
                detail: "the license that it moves to is known with another account, product, tenant or predecessor"
                    .to_owned(),
                action: "Check the ARN. A buyer cannot move to the license of another buyer.",
            }),
            Imported::NotInForce => Err(Refused {
                code: RowCode::LicenseNotInForce,
                detail: format!("{} has ended, so it cannot move", customer.license),
                action: "Import the license alone, or leave it out.",
            }),
        })
    }
}

impl ImportReport {
    /// Adds the result of the row that starts in a line.
    fn add(&mut self, line: usize, result: Result<(License, bool), Refused>) {
        let (count, result) = match result {
            Ok((license, true)) => (&mut self.imported, done(line, RowStatus::Imported, &license)),
            Ok((license, false)) => (&mut self.unchanged, done(line, RowStatus::Unchanged, &license)),
            Err(refused) if refused.code == RowCode::NotConfirmed => {
                (&mut self.retry, refused.in_line(line, RowStatus::Retry))
            }
            Err(refused) => (&mut self.refused, refused.in_line(line, RowStatus::Refused)),
        };
        *count += 1;
        self.results.push(result);
    }
}

fn done(line: usize, status: RowStatus, license: &License) -> RowResult {
    RowResult {
        license: Some(license.id.clone()),
        metered_from: license.metered_from.map(UsageHour::start),
        moves_to: license.moving.as_ref().map(|moving| moving.arn.id().clone()),
        moves_at: license.moving.as_ref().map(|moving| moving.at.start()),
        ..RowResult::plain(line, status)
    }
}

impl RowResult {
    fn plain(line: usize, status: RowStatus) -> Self {
        Self {
            line,
            status,
            license: None,
            metered_from: None,
            moves_to: None,
            moves_at: None,
            code: None,
            detail: None,
            action: None,
        }
    }
}

fn unreadable(why: &InvalidCsv) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "body_invalid", "The body does not have the documented form.")
        .detail(why.to_string())
        .action(
            "Correct the file as the detail says and send it again, with 1 to 200 rows. Nothing of it was imported.",
        )
}

/// Reads the customer of a row.
fn customer(cells: Cells<'_>, now: Timestamp) -> Result<Customer, Refused> {
    let product: ProductCode = cells.required("product")?;
    let tenant: TenantId = cells.required("tenant")?;
    if tenant.is_for_probes() {
        return Err(Refused::cell(
            "tenant",
            format!("an id that begins with `{PROBE_TENANTS}` is reserved for probes"),
        ));
    }
    let identifier: Option<CustomerIdentifier> = cells.optional("customer_identifier")?;
    let arn: Option<LicenseArn> = cells.optional("license_arn")?;
    let agreement: Option<AgreementId> = cells.optional("agreement_id")?;
    let account: Option<AccountId> = cells.optional("account")?;
    let since = cells.optional("since")?.map(|Rfc3339(since)| since);
    if since.is_some_and(|since| since > now) {
        return Err(Refused::cell("since", "is in the future"));
    }
    if arn.as_ref().is_some_and(|arn| !arn.is_sendable()) {
        return Err(Refused::cell("license_arn", "must have the form arn:aws:license-manager::<account>:license:l-…"));
    }
    if arn.as_ref().is_some_and(|arn| arn.id().is_probe()) {
        return Err(Refused::cell("license_arn", "names a probe"));
    }
    let metered_from = cells.hour("metered_from", now)?;
    let (license, moving) = match (&identifier, &arn) {
        (None, None) => return Err(Refused::cell("license_arn", "license_arn or customer_identifier is required")),
        (Some(identifier), None) => (LicenseId::legacy(&product, identifier), None),
        (None, Some(arn)) => (arn.id().clone(), None),
        (Some(identifier), Some(arn)) => {
            let agreement = agreement.clone().ok_or_else(|| Refused::cell("agreement_id", "a move needs it"))?;
            let account = account.clone().ok_or_else(|| Refused::cell("account", "a move needs it"))?;
            let is_move_hour_given = cells.text("move_at").is_some();
            let at = if is_move_hour_given { cells.hour("move_at", now)? } else { metered_from };
            let at = after_month_close(at, is_move_hour_given)?;
            if at < metered_from {
                return Err(Refused::cell("move_at", "must not be before metered_from"));
            }
            let moving = Moving {
                arn: arn.clone(),
                agreement,
                account,
                at,
                agreement_ended_at: None,
                done_at: None,
                cancelled_at: None,
                returned: None,
            };
            (LicenseId::legacy(&product, identifier), Some(moving))
        }
    };
    let (arn, agreement) = if moving.is_some() { (None, None) } else { (arn, agreement) };
    let contact = contact(&cells, &license, now)?;
    let is_move_hour_given = cells.text("move_at").is_some();
    Ok(Customer {
        license,
        product,
        tenant,
        identifier,
        arn,
        agreement,
        account,
        since,
        metered_from,
        moving,
        is_move_hour_given,
        contact,
    })
}

/// Returns the first hour from `hour` on after the billing month before has closed: its usage could not be carried over
/// a move.
fn after_month_close(hour: UsageHour, is_given: bool) -> Result<UsageHour, Refused> {
    let turn = hour.month_before().window_closes();
    match hour.start() < turn {
        true if is_given => Err(Refused::cell("move_at", "must not be before 06:00 UTC on the 1st of a month")),
        true => Ok(UsageHour::of(turn)),
        false => Ok(hour),
    }
}

/// Reads the contact of a row; `None` without a mail address.
fn contact(cells: &Cells<'_>, license: &LicenseId, now: Timestamp) -> Result<Option<Contact>, Refused> {
    let text = |column: &str| cells.text(column).map(str::to_owned);
    let Some(email) = text("email") else { return Ok(None) };
    if !is_mail_address(&email) {
        return Err(Refused::cell("email", "is no mail address"));
    }
    for column in ["name", "company"] {
        let is_wrong = |text: &str| text.chars().count() > MAX_NAME_CHARS || text.chars().any(char::is_control);
        if cells.text(column).is_some_and(is_wrong) {
            return Err(Refused::cell(column, format!("must be at most {MAX_NAME_CHARS} characters, none of control")));
        }
    }
    let language = Language::tagged(cells.text("language").unwrap_or("en"))
        .ok_or_else(|| Refused::cell("language", "must be en or ja"))?;
    Ok(Some(Contact {
        license: license.clone(),
        session: None,
        email,
        name: text("name"),
        company: text("company"),
        answers: std::collections::BTreeMap::new(),
        language: language.tag().to_owned(),
        saved_at: now,
    }))
}

/// The cells of a row. An empty cell is absent.
struct Cells<'a>(Row<'a>);

impl Cells<'_> {
    fn text(&self, column: &str) -> Option<&str> {
        self.0.cell(column).map(str::trim).filter(|text| !text.is_empty())
    }

    fn optional<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>, Refused>
    where
        T::Err: std::fmt::Display,
    {
        self.text(column).map(str::parse).transpose().map_err(|error: T::Err| Refused::cell(column, error))
    }

    fn required<T: std::str::FromStr>(&self, column: &str) -> Result<T, Refused>
    where
        T::Err: std::fmt::Display,
    {
        self.optional(column)?.ok_or_else(|| Refused::cell(column, "is required"))
    }

    /// Returns an hour that starts late enough from now: the one in the column, or the next.
    fn hour(&self, column: &str, now: Timestamp) -> Result<UsageHour, Refused> {
        let earliest = now.checked_add(MIN_NOTICE).unwrap_or(now);
        let next = UsageHour::of(earliest).next();
        let Some(Rfc3339(named)) = self.optional(column)? else { return Ok(next) };
        let hour = UsageHour::of(named);
        if hour.start() != named || named < earliest {
            return Err(Refused::cell(column, "must be the first moment of an hour, 10 minutes from now or later"));
        }
        Ok(hour)
    }
}

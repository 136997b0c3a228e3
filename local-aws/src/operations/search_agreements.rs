//! SearchAgreements (Agreement Service API reference): the agreements that match filters.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::agreement_requests::{end_time_behavior, invalid, page, party, proposal, validation};
use super::pages::Cursor;
use crate::error::ServiceError;
use crate::input::{self, BadInput, Input, Problem, TextRule};
use crate::marketplace::{Agreement, Marketplace};
use crate::protocol::{Document, Record};

const MOST_FILTERS: usize = 10;

const CATALOG: TextRule = TextRule {
    shortest: 1,
    longest: 64,
    pattern: "[a-zA-Z0-9.-]+",
    allows: |c| c.is_ascii_alphanumeric() || ".-".contains(c),
};
const FILTER_NAME: TextRule =
    TextRule { shortest: 1, longest: 32, pattern: "[A-Za-z_]+", allows: |c| c.is_ascii_alphabetic() || c == '_' };
const FILTER_VALUE: TextRule = TextRule {
    shortest: 1,
    longest: 256,
    pattern: "[A-Za-z0-9.,+:/_-]+",
    allows: |c| c.is_ascii_alphanumeric() || ".,+:/_-".contains(c),
};
const SORT_BY: TextRule = TextRule { longest: 255, ..FILTER_NAME };
const SORT_ORDER: TextRule = TextRule { pattern: "[ASCENDING, DESCENDING]", ..SORT_BY };

pub(super) fn answer(marketplace: &Marketplace, request: &Document) -> Result<Document, ServiceError> {
    let input = read(request).map_err(|bad| bad.into_error(validation))?;
    let role = role(&input.filters, &input.sort)?;
    let now = marketplace.now();
    let mut agreements: Vec<AgreementView> = match role {
        Role::Proposer => {
            marketplace.agreements().into_iter().map(|it| AgreementView::new(marketplace, it, now)).collect()
        }
        // The one caller is the seller, which has not accepted any agreement.
        Role::Acceptor => Vec::new(),
    };
    agreements.retain(|view| input.filters.iter().all(|filter| filter.passes(view)));
    agreements.sort_by(|one, other| input.sort.compare(one, other));
    let summaries = agreements.iter().map(|view| view.summary(marketplace)).collect();
    let (page, next) = input.cursor.page(summaries, input.size);
    Ok(Record::new().with("agreementViewSummaries", page).with_some("nextToken", next).into())
}

struct SearchAgreementsInput<'a> {
    filters: Vec<Filter<'a>>,
    sort: Sort,
    size: usize,
    cursor: Cursor,
}

fn read(request: &Document) -> Result<SearchAgreementsInput<'_>, BadInput> {
    let input = Input::of(request, "request")?;
    if input.text("catalog", &CATALOG)?.is_some_and(|catalog| catalog != "AWSMarketplace") {
        return Err(BadInput::breaks("catalog", "be AWSMarketplace"));
    }
    let filters = input.list("filters")?;
    if filters.is_some_and(|filters| filters.is_empty() || filters.len() > MOST_FILTERS) {
        return Err(BadInput::breaks("filters", format!("have from 1 to {MOST_FILTERS} entries")));
    }
    let filters = filters.unwrap_or_default().iter().map(Filter::read).collect::<Result<_, _>>()?;
    let sort = Sort::read(input)?;
    let (size, cursor) = page(input, request)?;
    Ok(SearchAgreementsInput { filters, sort, size, cursor })
}

/// The caller's side of the agreements that it searches.
enum Role {
    Proposer,
    Acceptor,
}

/// Returns the caller's role. "A proposer can use any combination of the preceding filters along with AgreementType,
/// which is required." An acceptor can use only a few.
fn role(filters: &[Filter<'_>], sort: &Sort) -> Result<Role, ServiceError> {
    let value = |name: &str| filters.iter().find(|filter| filter.name == name).map(|filter| filter.value);
    if value("AgreementType").is_none() {
        let message = "The filter AgreementType is required.".to_owned();
        return Err(invalid("MISSING_FILTER_NAME", "filters", message));
    }
    if value("PartyType") != Some("Acceptor") {
        return Ok(Role::Proposer);
    }
    let about = ["ResourceIdentifier", "ResourceType", "OfferId", "OfferSetId"];
    let others = ["PartyType", "AgreementType", "Status", "BeforeEndTime", "AfterEndTime"];
    let subjects: Vec<&str> = filters.iter().map(|filter| filter.name).filter(|name| about.contains(name)).collect();
    let all_known = filters.iter().all(|filter| about.contains(&filter.name) || others.contains(&filter.name));
    let by_type_and_status = subjects.contains(&"ResourceType") && value("Status").is_some();
    if !all_known || subjects.len() > 1 || by_type_and_status {
        let message = "This combination of filters is not supported for the party type Acceptor.".to_owned();
        return Err(invalid("UNSUPPORTED_FILTERS", "filters", message));
    }
    match sort.by {
        SortBy::End => Ok(Role::Acceptor),
        SortBy::Start | SortBy::LastUpdate => {
            let message = "An acceptor can sort by EndTime only.".to_owned();
            Err(invalid("INVALID_SORT_BY", "sortBy", message))
        }
    }
}

struct Filter<'a> {
    name: &'a str,
    value: &'a str,
    test: Test,
}

/// The property that a filter tests.
enum Test {
    ResourceIdentifier,
    ResourceType,
    /// The caller's side; it is not a property of the agreement.
    PartyType,
    AcceptorAccount,
    Offer,
    Status,
    Time(TimeOf, Ordering, Timestamp),
    AgreementType,
    EndTimeBehavior,
    InitialAgreement,
    LicenseArn,
    /// A property that no agreement here has: offer sets, reasons not to renew, contacts.
    Nothing,
}

#[derive(Clone, Copy)]
enum TimeOf {
    End,
    Start,
    LastUpdate,
}

impl<'a> Filter<'a> {
    fn read(filter: &'a Document) -> Result<Self, BadInput> {
        let input = Input::of(filter, "filters")?;
        let name = input.required_text("name", &FILTER_NAME)?;
        let values = input.list("values")?.ok_or(BadInput { member: "values", problem: Problem::Missing })?;
        let [value] = values else {
            return Err(BadInput::breaks("values", "have exactly 1 entry"));
        };
        let value = input::text(value, "values", &FILTER_VALUE)?;
        let time = |of, order| time(value).map(|at| Test::Time(of, order, at));
        let test = match name {
            "ResourceIdentifier" => Test::ResourceIdentifier,
            "ResourceType" => Test::ResourceType,
            "PartyType" if matches!(value, "Proposer" | "Acceptor") => Test::PartyType,
            "PartyType" => return Err(BadInput::breaks("values", "be Proposer or Acceptor")),
            "AcceptorAccountId" => Test::AcceptorAccount,
            "OfferId" => Test::Offer,
            "Status" if STATUSES.contains(&value) => Test::Status,
            "Status" => return Err(BadInput::breaks("values", format!("be one of {}", STATUSES.join(", ")))),
            "BeforeEndTime" => time(TimeOf::End, Ordering::Less)?,
            "AfterEndTime" => time(TimeOf::End, Ordering::Greater)?,
            "BeforeStartTime" => time(TimeOf::Start, Ordering::Less)?,
            "AfterStartTime" => time(TimeOf::Start, Ordering::Greater)?,
            "BeforeLastUpdateTime" => time(TimeOf::LastUpdate, Ordering::Less)?,
            "AfterLastUpdateTime" => time(TimeOf::LastUpdate, Ordering::Greater)?,
            "AgreementType" if value == "PurchaseAgreement" => Test::AgreementType,
            "AgreementType" => return Err(BadInput::breaks("values", "be PurchaseAgreement")),
            "EndTimeBehaviorType" => Test::EndTimeBehavior,
            "InitialAgreementId" => Test::InitialAgreement,
            "LicenseArn" => Test::LicenseArn,
            "OfferSetId" | "EndTimeBehaviorReasonCode" | "IncludesContactOfType" => Test::Nothing,
            _ => return Err(BadInput::breaks("name", "be the name of a supported filter")),
        };
        Ok(Self { name, value, test })
    }

    fn passes(&self, view: &AgreementView) -> bool {
        let agreement = &view.agreement;
        match &self.test {
            Test::ResourceIdentifier => view.product_id.as_deref() == Some(self.value),
            Test::ResourceType => self.value == "SaaSProduct",
            Test::PartyType | Test::AgreementType => true,
            Test::AcceptorAccount => agreement.account.as_str() == self.value,
            Test::Offer => agreement.offer == self.value,
            Test::Status => view.status == self.value,
            Test::Time(of, order, at) => view.time(*of).is_some_and(|time| time.cmp(at) == *order),
            Test::EndTimeBehavior => view.end_time_behavior == Some(self.value),
            Test::InitialAgreement => agreement.initial.as_str() == self.value,
            Test::LicenseArn => view.license_arn.as_deref() == Some(self.value),
            Test::Nothing => false,
        }
    }
}

const STATUSES: [&str; 9] =
    ["ACTIVE", "ARCHIVED", "CANCELLED", "EXPIRED", "RENEWED", "REPLACED", "ROLLED_BACK", "SUPERSEDED", "TERMINATED"];

/// Reads the time of a filter: RFC 3339, or a date, which means midnight UTC.
fn time(text: &str) -> Result<Timestamp, BadInput> {
    let date = |text: &str| text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    text.parse().ok().or_else(|| date(text)).ok_or_else(|| BadInput::breaks("values", "be a date in ISO 8601"))
}

struct Sort {
    by: SortBy,
    descending: bool,
}

type SortBy = TimeOf;

impl Sort {
    fn read(input: Input<'_>) -> Result<Self, BadInput> {
        let Some(sort) = input.value("sort") else {
            return Ok(Self { by: SortBy::End, descending: false });
        };
        let sort = Input::of(sort, "sort")?;
        let by = match sort.text("sortBy", &SORT_BY)? {
            None | Some("EndTime") => SortBy::End,
            Some("StartTime") => SortBy::Start,
            Some("LastUpdateTime") => SortBy::LastUpdate,
            Some(_) => return Err(BadInput::breaks("sortBy", "be EndTime, StartTime or LastUpdateTime")),
        };
        let descending = match sort.text("sortOrder", &SORT_ORDER)? {
            None | Some("ASCENDING") => false,
            Some("DESCENDING") => true,
            Some(_) => return Err(BadInput::breaks("sortOrder", "be ASCENDING or DESCENDING")),
        };
        Ok(Self { by, descending })
    }

    /// Compares two agreements. One without an end date counts as ending last; equal ones stay in the order of
    /// purchase.
    fn compare(&self, one: &AgreementView, other: &AgreementView) -> Ordering {
        let time = |view: &AgreementView| view.time(self.by).unwrap_or(Timestamp::MAX);
        let order = time(one).cmp(&time(other));
        if self.descending { order.reverse() } else { order }
    }
}

/// An agreement in its current state.
struct AgreementView {
    agreement: Agreement,
    product_id: Option<String>,
    license_arn: Option<String>,
    status: &'static str,
    end_time_behavior: Option<&'static str>,
    last_update: Timestamp,
}

impl AgreementView {
    fn new(marketplace: &Marketplace, agreement: Agreement, now: Timestamp) -> Self {
        let status = agreement.status(now);
        let product = marketplace.product(agreement.product.as_str());
        // No API returns the license of a legacy buyer.
        let license = marketplace.license_of(&agreement).filter(|license| license.customer.is_none());
        Self {
            product_id: product.map(|product| product.id.to_string()),
            license_arn: license.map(|license| license.arn.to_string()),
            status: status.as_str(),
            end_time_behavior: end_time_behavior(&agreement, status),
            last_update: agreement.last_update(now),
            agreement,
        }
    }

    fn time(&self, of: TimeOf) -> Option<Timestamp> {
        match of {
            TimeOf::End => self.agreement.end,
            TimeOf::Start => Some(self.agreement.start),
            TimeOf::LastUpdate => Some(self.last_update),
        }
    }

    fn summary(&self, marketplace: &Marketplace) -> Record {
        let agreement = &self.agreement;
        let license = self.license_arn.as_deref().map(|arn| Record::new().with("licenseArn", arn));
        Record::new()
            .with("agreementId", agreement.id.as_str())
            .with("acceptanceTime", agreement.start)
            .with("startTime", agreement.start)
            .with_some("endTime", agreement.end)
            .with("lastUpdateTime", self.last_update)
            .with("agreementType", "PurchaseAgreement")
            .with("acceptor", party(agreement.account.as_str()))
            .with("proposer", party(marketplace.seller().as_str()))
            .with("proposalSummary", proposal(marketplace, agreement))
            .with("status", self.status)
            .with("entitlements", license.into_iter().collect::<Vec<_>>())
            .with("initialAgreementId", agreement.initial.as_str())
            .with_some("endTimeBehaviorType", self.end_time_behavior)
            .with_some("freeTrialEndTime", agreement.free_trial_end)
    }
}

//! Judges money: accepted usage is billed once, or a record or a note has the reason why it is not billed.
//!
//! A buyer who moves from a customer key to a license key has one ledger: the sums are by buyer, dimension and month.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{DimensionKey, LicenseId};
use domain::listing::Mode;
use domain::metering::{HourlyRecord, RecordName, RecordState};
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};
use local_aws::{BilledRecord, BillingStyle};
use rust_decimal::Decimal;
use store::{Note, Problem, ProblemKind};

use crate::application::UsageEvent;
use crate::difference::Difference;
use crate::holding::Holding;
use crate::simulation::Simulation;
use crate::stack::Stack;
use crate::watch::{named, records, state};

/// A buyer's key and dimension in a billing month.
type Account = (LicenseId, DimensionKey, String);

/// The amounts that may be billed and are billed, and the amounts that records and notes list as not billed.
#[derive(Debug, Default)]
struct Sums {
    least: Decimal,
    most: Decimal,
    billed: Decimal,
    named: Decimal,
    /// The amount that the contract includes.
    included: Decimal,
}

/// Judges the bill.
pub(super) async fn judge(sim: &Simulation) -> Vec<Difference> {
    let mut judged = Judged::default();
    let bill = sim.aws.marketplace().bill().records;
    let booked_elsewhere = sim.watch().booked_elsewhere.clone();
    let bill = judged.read_bill(sim, bill, &booked_elsewhere);
    let mut sums: BTreeMap<Account, Sums> = BTreeMap::new();
    for usage_event in &sim.application().usage_events {
        let (least, most) = usage_event.billable();
        sim.log(|| {
            let versions = usage_event.versions.iter().map(|version| {
                let doubt = if version.in_doubt { "?" } else { "" };
                format!("{} {:?}{doubt}", version.quantity, version.known)
            });
            let (hour, versions) = (UsageHour::of(usage_event.time), versions.collect::<Vec<_>>().join(", "));
            format!(
                "in the end: {} {hour} {} {}: {versions}",
                usage_event.buyer, usage_event.dimension, usage_event.key
            )
        });
        let of = (usage_event.buyer.clone(), usage_event.dimension.clone(), month(UsageHour::of(usage_event.time)));
        let sum = sums.entry(of).or_default();
        sum.least += least;
        sum.most += most;
        if least != most {
            sim.count("facts that may or may not count", 1);
        }
    }
    for (name, quantity) in &bill {
        sums.entry(account(sim, name)).or_default().billed += quantity;
        sim.count("units billed", usize::try_from(quantity.trunc()).unwrap_or_default());
    }
    let holdings = sim.buyers().holdings.clone();
    let mut kept = BTreeSet::new();
    for holding in &holdings {
        for id in holding.ids() {
            let records = judged.records_of(sim, holding, id).await;
            judged.judge_overages(sim, holding, id, &records).await;
            for record in records {
                judged.judge_record(sim, &record, &bill, &booked_elsewhere, &mut sums);
                kept.insert(record.name);
            }
        }
    }
    judged.read_notes(sim, &mut sums).await;
    for stack in &sim.stacks {
        judged.judge_contradictions(sim, stack).await;
    }
    for name in bill.keys().filter(|name| !kept.contains(*name)) {
        judged.add(&name.license, format!("{} is billed and has no record", named(name)));
    }
    for ((license, dimension, month), sum) in sums {
        let Sums { least, most, billed, named, included } = sum;
        if billed + named + included < least || billed + named + included > most {
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            judged.add(
                &license,
                format!(
                    "{license} {dimension} {month}: {wanted} taken in, {billed} billed, {included} included, \
                     {named} named as not billed"
                ),
            );
        }
    }
    judged.0
}

#[derive(Debug, Default)]
struct Judged(Vec<Difference>);

impl Judged {
    fn add(&mut self, license: &LicenseId, what: String) {
        self.0.push(Difference::about(license, what));
    }

    /// Returns Stallkeeper's bookings in AWS by record. Judges that each is in the style of its key, that no hour has
    /// two styles, and that each product has a stack.
    fn read_bill(
        &mut self,
        sim: &Simulation,
        bill: Vec<BilledRecord>,
        booked_elsewhere: &BTreeSet<RecordName>,
    ) -> BTreeMap<RecordName, Decimal> {
        let mut booked = BTreeMap::new();
        let mut styles: BTreeMap<(LicenseId, UsageHour), BillingStyle> = BTreeMap::new();
        for billed in bill {
            let BilledRecord { license: buyer, product, dimension, hour, quantity, style, .. } = billed;
            let hour = UsageHour::of(hour);
            let holding = sim.buyers().holding(&buyer).cloned();
            let moved = holding.as_ref().and_then(|holding| holding.move_to.as_ref());
            let moved = moved.filter(|_| style == BillingStyle::License);
            let license = moved.map_or_else(|| buyer.clone(), |to| to.arn.id().clone());
            let name = RecordName { license, dimension, hour };
            if booked_elsewhere.contains(&name) {
                continue;
            }
            let listing = sim.listing(product.as_str());
            let wanted = match listing.map(|listing| listing.mode) {
                Some(Mode::Customer) if moved.is_none() => BillingStyle::Customer,
                Some(Mode::Customer | Mode::License) | None => BillingStyle::License,
            };
            if style != wanted {
                self.add(&name.license, format!("{} is billed in the style {style:?}", named(&name)));
            }
            if moved.is_some() {
                sim.count("records billed after a move", 1);
            }
            if let Some(first) = styles.insert((buyer, hour), style).filter(|first| *first != style) {
                self.add(&name.license, format!("the hour of {} is billed as {first:?} and {style:?}", named(&name)));
            }
            if listing.is_none_or(|listing| sim.stack(listing.stage).is_none()) {
                self.add(&name.license, format!("{} is billed, and no stack has its listing", named(&name)));
            }
            if booked.insert(name.clone(), quantity).is_some() {
                self.add(&name.license, format!("{} is billed twice", named(&name)));
            }
        }
        booked
    }

    /// Adds the amounts of the notes about usage that is not billed, since no hour of its month could take it any more.
    async fn read_notes(&mut self, sim: &Simulation, sums: &mut BTreeMap<Account, Sums>) {
        for stack in &sim.stacks {
            let mut cursor = None;
            loop {
                let page = match stack.store.problems(Some(ProblemKind::Uncarried), cursor.as_deref(), 1000).await {
                    Ok(page) => page,
                    Err(error) => {
                        let what = format!("the notes cannot be read: {error}");
                        return self.0.push(Difference::of_simulation(what));
                    }
                };
                for problem in page.found {
                    let Problem::Note(note) = problem else { continue };
                    sim.count("uncarried notes", 1);
                    sim.log(|| format!("in the end: {} of {} could not be carried", note.amount, named(&note.about)));
                    sums.entry(account(sim, &note.about)).or_default().named += note.amount;
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
    }

    /// Judges that every key that was accepted with two contents in the revision that counts is listed.
    async fn judge_contradictions(&mut self, sim: &Simulation, stack: &Stack) {
        let mut listed: BTreeSet<(LicenseId, UsageHour, DimensionKey)> = BTreeSet::new();
        let mut cursor = None;
        loop {
            let Ok(page) = stack.store.problems(Some(ProblemKind::KeyReused), cursor.as_deref(), 1000).await else {
                return self.0.push(Difference::of_simulation("the reused keys cannot be read".to_owned()));
            };
            for problem in page.found {
                if let Problem::Note(Note { about, .. }) = problem {
                    listed.insert((sim.buyers().key_of(&about.license), about.hour, about.dimension));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        for usage_event in sim.application().usage_events.iter().filter(|usage_event| usage_event.stage == stack.stage)
        {
            let is_accepted_twice = usage_event.counts_after_a_contradiction();
            let hour = UsageHour::of(usage_event.time);
            if !is_accepted_twice {
                continue;
            }
            sim.count("contradictions accepted", 1);
            if !listed.contains(&(usage_event.buyer.clone(), hour, usage_event.dimension.clone())) {
                let UsageEvent { buyer, dimension, key, .. } = usage_event;
                self.add(
                    buyer,
                    format!("{buyer} {dimension} {hour} {key}: accepted with two contents, and not listed"),
                );
            }
        }
    }

    /// Judges that the records bill exactly the usage beyond the contract, for each agreement.
    async fn judge_overages(&mut self, sim: &Simulation, holding: &Holding, id: &LicenseId, records: &[HourlyRecord]) {
        let Some(stack) = sim.stack(holding.stage) else { return };
        let overages = match stack.store.overages(id).await {
            Ok(overages) => overages,
            Err(error) => return self.add(&holding.license, format!("its overages cannot be read: {error}")),
        };
        let counted = records.iter().filter_map(|record| Some((record.counted?, record.quantity.amount())));
        let (mut consumed, mut billed) =
            counted.fold((Decimal::ZERO, Decimal::ZERO), |(all, part), (used, due)| (all + used, part + due));
        for overage in overages {
            sim.count("overages", 1);
            let exceeding = (overage.consumed - overage.included).max(Decimal::ZERO);
            let is_whole = holding.included.map(Decimal::from) == Some(overage.included);
            if overage.billed != exceeding || !is_whole {
                self.add(&holding.license, format!("of a contract of {:?}: {overage:?}", holding.included));
            }
            consumed -= overage.consumed;
            billed -= overage.billed;
        }
        if !consumed.is_zero() || !billed.is_zero() {
            let license = &holding.license;
            self.add(
                license,
                format!("{license}: its records count {consumed} and bill {billed} more than its overages"),
            );
        }
    }

    async fn records_of(&mut self, sim: &Simulation, holding: &Holding, id: &LicenseId) -> Vec<HourlyRecord> {
        let Some(stack) = sim.stack(holding.stage) else { return Vec::new() };
        let from = UsageHour::of(sim.scenario.start - SignedDuration::from_hours(80));
        let to = UsageHour::of(sim.now() + SignedDuration::from_hours(2));
        match records(stack, id, (from, to)).await {
            Ok(records) => {
                sim.watch().check(&records);
                records
            }
            Err(error) => {
                self.add(&holding.license, format!("its records cannot be read: {error}"));
                Vec::new()
            }
        }
    }

    /// Judges that a record agrees with the bill. Adds the quantity of a record that is not billed to the named
    /// amounts.
    fn judge_record(
        &mut self,
        sim: &Simulation,
        record: &HourlyRecord,
        bill: &BTreeMap<RecordName, Decimal>,
        booked_elsewhere: &BTreeSet<RecordName>,
        sums: &mut BTreeMap<Account, Sums>,
    ) {
        let name = state(&record.state);
        sim.log(|| {
            let HourlyRecord { name: of, quantity, carried, attempts, unanswered, .. } = record;
            format!(
                "in the end: {} {quantity}, carried {carried}, {name}, {attempts} attempts, unanswered: {unanswered}",
                named(of)
            )
        });
        sim.count(&format!("records {name}"), 1);
        crate::tally::add(&mut sim.tally().states, name, 1);
        let (billed, quantity) = (bill.get(&record.name), record.quantity.amount());
        let is_strange = booked_elsewhere.contains(&record.name);
        if let Some(counted) = record.counted {
            sums.entry(account(sim, &record.name)).or_default().included += counted - quantity;
        }
        let mut name_it = || sums.entry(account(sim, &record.name)).or_default().named += quantity;
        let name_of_record = named(&record.name);
        match &record.state {
            _ if is_strange => {
                name_it();
                if !record.state.is_final() {
                    self.add(&record.name.license, format!("{name_of_record} is still {name} in the end"));
                }
            }
            RecordState::Accepted { .. } if billed == Some(&quantity) => {}
            RecordState::Accepted { .. } => {
                self.add(
                    &record.name.license,
                    format!("{name_of_record} is accepted with {quantity}; billed: {billed:?}"),
                );
            }
            RecordState::Refused { .. } | RecordState::Expired if billed.is_some() => {
                self.add(
                    &record.name.license,
                    format!("{name_of_record} is {name} with {quantity}, and billed: {billed:?}"),
                );
            }
            RecordState::Expired if had_its_last_chance(sim, record) => {
                name_it();
                self.add(
                    &record.name.license,
                    format!("{name_of_record} is expired, and AWS would have accepted it in the last minutes"),
                );
            }
            RecordState::Refused { .. } | RecordState::Expired => name_it(),
            RecordState::Unconfirmed { .. } => match billed {
                None => name_it(),
                Some(billed) if *billed == quantity => sim.count("unconfirmed records that AWS has booked", 1),
                Some(billed) => {
                    self.add(
                        &record.name.license,
                        format!("{name_of_record} is unconfirmed with {quantity}, billed {billed}"),
                    );
                }
            },
            RecordState::Folded { .. } if billed.is_none() && quantity.is_zero() => {}
            RecordState::Folded { .. } => {
                self.add(
                    &record.name.license,
                    format!("{name_of_record} is folded with {quantity}, billed: {billed:?}"),
                );
            }
            RecordState::Conflict => {
                self.add(
                    &record.name.license,
                    format!("{name_of_record} is in conflict, and no other system booked it"),
                );
            }
            RecordState::DryRun => {
                self.add(&record.name.license, format!("{name_of_record} was not sent, and no stack runs dry"));
            }
            RecordState::Held { .. } | RecordState::Sealed | RecordState::Claimed { .. } => {
                self.add(&record.name.license, format!("{name_of_record} is still {name} in the end"));
            }
        }
    }
}

/// The time before the close of the month's window within which AWS must accept records again, for the reporter to have
/// to send them.
const LAST_CHANCE: SignedDuration = SignedDuration::from_mins(10);

/// Returns `true` if a record of the old month expired although AWS would have accepted it in the last minutes of the
/// month's window.
fn had_its_last_chance(sim: &Simulation, record: &HourlyRecord) -> bool {
    let Some(until) = sim.scenario.refused_until else { return false };
    let closes = record.name.hour.month().window_closes();
    let is_of_old_month = closes > until && closes.duration_since(until) < LAST_CHANCE;
    let is_open = record.window_closes() == closes;
    // After a buyer has left, AWS accepts the record for one hour. Two minutes of that hour are enough to send it.
    let is_too_late = |ending: Timestamp| until.duration_since(ending) > SignedDuration::from_mins(58);
    let buyers = sim.buyers();
    let mut endings = buyers.endings.iter().filter(|(license, _)| *license == record.name.license);
    let is_served = !endings.any(|(_, ending)| *ending >= record.timestamp && is_too_late(*ending));
    is_of_old_month && is_open && record.attempts > 0 && is_served
}

fn account(sim: &Simulation, name: &RecordName) -> Account {
    (sim.buyers().key_of(&name.license), name.dimension.clone(), month(name.hour))
}

/// Returns the billing month of an hour, such as `2027-03`.
fn month(hour: UsageHour) -> String {
    hour.to_string().chars().take(7).collect()
}

//! The test environment of a benchmark: AWS with one listing, the licenses that were bought, and the table that has
//! them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use clock::Clock;
use domain::ids::{AccountId, AgreementId, DimensionKey, LicenseArn, LicenseId};
use domain::license::{AgreementRef, EventStamp, License, LicenseEvent};
use domain::listing::Listing;
use domain::time::UsageHour;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use local_aws::{Aws, AwsOptions, Behavior, Purchase};
use sandbox::products::product;
use sandbox::sdk_config;
use sandbox::table;
use store::Store;
use tokio::sync::mpsc;

use crate::job::JobEnvironment;
use crate::probe::store_rates;

/// The name of the table, in the form of a stage's.
pub(crate) const TABLE: &str = "stallkeeper-bench";

/// The table in which the store's own rate is measured.
const PROBED: &str = "stallkeeper-probe";

/// The hour whose usage is measured.
const HOUR: &str = "2026-11-10T09:00:00Z";

/// The number of concurrent requests that fill the table.
const AT_ONCE: usize = 8;

type Item = HashMap<String, AttributeValue>;

/// Everything but the measured process.
pub(crate) struct BenchEnvironment {
    pub(crate) aws: Aws,
    pub(crate) clock: Clock,
    /// A store that bypasses the port; its requests are counted all the same.
    pub(crate) store: Store,
    pub(crate) hour: UsageHour,
    pub(crate) licenses: Vec<LicenseId>,
    pub(crate) dimensions: Vec<DimensionKey>,
    /// A configuration that bypasses the port as well.
    pub(crate) config: SdkConfig,
}

/// The pricing of the dimensions of the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sold {
    /// The dimensions are paid by use.
    ByUse,
    /// The first license holds 1 of each, the second 2, and so on.
    InAdvance,
}

/// A license as it was bought.
struct BenchLicense {
    arn: LicenseArn,
    account: AccountId,
    agreement: AgreementId,
}

impl BenchEnvironment {
    /// Builds an environment in the middle of the hour, in which this many licenses have been active since the hour
    /// before.
    pub(crate) async fn make(
        licenses: usize,
        dimensions: usize,
        sold: Sold,
        has_quota: bool,
        data: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let hour = UsageHour::of(HOUR.parse()?);
        let clock = Clock::ticking_from(hour.start() - SignedDuration::from_mins(30));
        let listing = listing(dimensions, sold)?;
        // Nothing receives the events.
        let (event_sender, _) = mpsc::unbounded_channel();
        let aws = Aws::start(AwsOptions {
            data: data.map(Path::to_owned),
            behavior: Behavior { rate_limits: has_quota, ..Behavior::default() },
            ..AwsOptions::new(clock.clone(), vec![product(&listing)], event_sender)
        })
        .await?;
        aws.wire().keep(false);
        let config = sdk_config(aws.url()).to_builder().http_client(aws.in_process()).build();
        table::make(&config, TABLE, table::Stream::Off).await?;
        let store = Store::new(&config, TABLE, clock.clone());
        store.put_listing(&listing).await?;
        let bought = buy(&aws, &listing, sold, licenses)?;
        let active_since = hour.start() - SignedDuration::from_mins(1);
        fill(&store, &Client::new(&config), &listing, &bought, active_since).await?;
        clock.set(hour.start() + SignedDuration::from_mins(30));
        let licenses = bought.iter().map(|bought| bought.arn.id().clone()).collect();
        let dimensions = listing.dimensions.into_iter().map(|dimension| dimension.key).collect();
        Ok(Self { aws, clock, store, hour, licenses, dimensions, config })
    }

    /// Returns the place and the current time, for a job that starts now.
    pub(crate) fn place(&self, table: &str) -> JobEnvironment {
        JobEnvironment { aws: self.aws.url().to_owned(), table: table.to_owned(), at: self.clock.now() }
    }

    /// Measures the store's own rate in an empty table, and returns it in a line.
    pub(crate) async fn store_rates(&self, time: Duration) -> anyhow::Result<String> {
        table::make(&self.config, PROBED, table::Stream::Off).await?;
        store_rates(self.place(PROBED), time).await
    }
}

/// Returns a listing with this many dimensions.
fn listing(dimensions: usize, sold: Sold) -> anyhow::Result<Listing> {
    let (pricing, kind) = match sold {
        Sold::ByUse => ("subscription", "ExternallyMetered"),
        Sold::InAdvance => ("contract", "Entitled"),
    };
    let dimension =
        |number| format!("[[dimensions]]\nkey = \"units_{number}\"\nname = \"Units {number}\"\ntypes = [\"{kind}\"]\n");
    let text = format!(
        "name = \"Bench\"\nstage = \"staging\"\nproduct_code = \"6bench000000000000000000ab\"\n\
         product_id = \"prod-bench0000000001\"\nmode = \"license\"\npricing = \"{pricing}\"\n{}\n\
         [urls]\nsign_up = \"https://app.example.com/sign-up\"\nsign_in = \"https://app.example.com/sign-in\"\n\
         [support]\nemail = \"support@example.com\"\nurl = \"https://www.example.com/support\"\n",
        (1..=dimensions).map(dimension).collect::<String>()
    );
    Ok(Listing::parse(&text)?)
}

/// Buys licenses on AWS Marketplace.
fn buy(aws: &Aws, listing: &Listing, sold: Sold, licenses: usize) -> anyhow::Result<Vec<BenchLicense>> {
    let one = |number: usize| {
        let dimensions = match sold {
            Sold::ByUse => BTreeMap::new(),
            Sold::InAdvance => {
                listing.dimensions.iter().map(|dimension| (dimension.key.clone(), (number + 1).into())).collect()
            }
        };
        let product = listing.product_code.clone();
        let purchased =
            aws.marketplace().purchase(Purchase { product, account: None, dimensions, free_trial: false })?;
        let arn = purchased.license_arn.context("the license has no ARN")?;
        Ok(BenchLicense { arn, account: purchased.account_id, agreement: purchased.agreement_id })
    };
    (0..licenses).map(one).collect()
}

/// Writes the items of licenses: the first as its event would, and the others as copies of the first with their own
/// ids, 25 a request.
async fn fill(
    store: &Store,
    client: &Client,
    listing: &Listing,
    bought: &[BenchLicense],
    active_since: Timestamp,
) -> anyhow::Result<()> {
    let Some((first, others)) = bought.split_first() else { return Ok(()) };
    let id = first.arn.id();
    let stamp = EventStamp { at: active_since, event: "bench".to_owned() };
    let active = |_| {
        let mut license = License::new(id.clone(), listing.product_code.clone());
        license.complete_buyer(Some(&first.account), Some(&first.arn));
        license.apply(LicenseEvent::Updated(AgreementRef { stamp: stamp.clone(), agreement: first.agreement.clone() }));
        Some(license.into())
    };
    store.change_license(id, active).await?;
    let row = row_of(client, id).await?;
    let batches: Vec<&[BenchLicense]> = others.chunks(25).collect();
    stream::iter(batches)
        .map(|batch| {
            let rows = batch.iter().map(|bought| renamed(&row, &names(first, bought))).collect();
            tokio::spawn(write(client.clone(), rows))
        })
        .buffer_unordered(AT_ONCE)
        .map(|written| written?)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

/// Reads the item of a license from the table.
async fn row_of(client: &Client, id: &LicenseId) -> anyhow::Result<Item> {
    let scanned = client.scan().table_name(TABLE).send().await?;
    let is_it = |item: &Item| {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
        text("id") == Some(id.as_str()) && text("sk") == Some("LICENSE")
    };
    scanned.items.unwrap_or_default().into_iter().find(is_it).context("the first license has no row")
}

type Names<'a> = [(&'a str, &'a str); 3];

/// Returns the ids of the first license, each with its replacement in another license's item.
fn names<'a>(one: &'a BenchLicense, other: &'a BenchLicense) -> Names<'a> {
    [
        (one.arn.id().as_str(), other.arn.id().as_str()),
        (one.account.as_str(), other.account.as_str()),
        (one.agreement.as_str(), other.agreement.as_str()),
    ]
}

fn renamed(item: &Item, names: &Names<'_>) -> Item {
    item.iter().map(|(name, value)| (name.clone(), renamed_value(value, names))).collect()
}

fn renamed_value(value: &AttributeValue, names: &Names<'_>) -> AttributeValue {
    match value {
        AttributeValue::S(text) => {
            AttributeValue::S(names.iter().fold(text.clone(), |text, (one, other)| text.replace(one, other)))
        }
        AttributeValue::M(members) => AttributeValue::M(renamed(members, names)),
        AttributeValue::L(values) => {
            AttributeValue::L(values.iter().map(|value| renamed_value(value, names)).collect())
        }
        other => other.clone(),
    }
}

async fn write(client: Client, items: Vec<Item>) -> anyhow::Result<()> {
    let put =
        |item| Ok(WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build()?).build());
    let requests: Vec<WriteRequest> = items.into_iter().map(put).collect::<anyhow::Result<_>>()?;
    let answer = client.batch_write_item().request_items(TABLE, requests).send().await?;
    ensure!(answer.unprocessed_items.unwrap_or_default().is_empty(), "a license was not written");
    Ok(())
}

/// Runs a task for each chunk of some items, a few at a time.
pub(crate) async fn for_chunks<T, F>(things: &[T], size: usize, run: impl Fn(Vec<T>) -> F) -> anyhow::Result<()>
where
    T: Clone,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let chunks: Vec<Vec<T>> = things.chunks(size).map(<[T]>::to_vec).collect();
    stream::iter(chunks)
        .map(|chunk| tokio::spawn(run(chunk)))
        .buffer_unordered(AT_ONCE)
        .map(|done| done?)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_written_for_another_license() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let item = Item::from([
            ("pk".to_owned(), text("LICENSE#l-1")),
            ("n".to_owned(), AttributeValue::N("1".to_owned())),
            ("news".to_owned(), AttributeValue::M(Item::from([("of".to_owned(), text("agmt-1"))]))),
        ]);
        let other = renamed(&item, &[("l-1", "l-2"), ("111", "222"), ("agmt-1", "agmt-2")]);
        assert_eq!(other["pk"], text("LICENSE#l-2"));
        assert_eq!(other["news"].as_m().unwrap()["of"], text("agmt-2"));
        assert_eq!(other["n"], item["n"]);
    }

    #[test]
    fn the_listing_has_the_requested_number_of_dimensions() {
        for sold in [Sold::ByUse, Sold::InAdvance] {
            let listing = listing(3, sold).unwrap();
            assert_eq!(listing.dimensions.len(), 3);
            assert!(listing.dimensions.iter().all(|dimension| dimension.is_metered() == (sold == Sold::ByUse)));
        }
    }
}

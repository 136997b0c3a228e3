//! The sheet: the values to enter into the AWS Marketplace Management Portal for a described listing.

use domain::listing::{Dimension, Listing, Price, Pricing};
use serde::Serialize;
use terminal::note_line;

use crate::print::{Table, say, say_json};
use crate::stack::StackArguments;

/// The values to enter for one listing: the fields of the portal, and their values.
#[derive(Debug, Serialize)]
struct Sheet<'a> {
    name: &'a str,
    stage: String,
    product_id: String,
    fields: Vec<Field>,
    dimensions: &'a [Dimension],
    /// The prices in USD; `None` if they are not described.
    prices: Option<&'a [Price]>,
}

#[derive(Debug, Serialize)]
struct Field {
    name: &'static str,
    values: Vec<String>,
}

/// Writes the sheets of listings, with the addresses of their stack.
pub(crate) async fn write(listings: &[Listing], stack: &StackArguments, json: bool) -> anyhow::Result<()> {
    let config = stack.config().await;
    let described = stack.described(&config).await?;
    let fulfillment_url = described.output("RegistrationUrl")?;
    let sheets: Vec<Sheet<'_>> = listings.iter().map(|listing| sheet(listing, fulfillment_url)).collect();
    if json {
        return say_json(&sheets);
    }
    for sheet in &sheets {
        say(format_args!("# {}, {} ({})\n", sheet.name, sheet.stage, sheet.product_id))?;
        for Field { name, values } in &sheet.fields {
            say(format_args!("{name}:\n{}\n", values.join("\n")))?;
        }
        say(format_args!("Dimensions:\n{}\n", dimensions(sheet.dimensions)))?;
        if let Some(known) = sheet.prices {
            say(format_args!("Prices of the public offer, in USD:\n{}\n", prices(known)))?;
        } else {
            note_line(format_args!(
                "The descriptions and prices of {} are not described. Add [catalog] to its file (listings/README.md).",
                sheet.name
            ));
        }
    }
    Ok(())
}

fn sheet<'a>(listing: &'a Listing, fulfillment_url: &str) -> Sheet<'a> {
    let single = |name, value: &str| Field { name, values: vec![value.to_owned()] };
    let several = |name, values: &[String]| Field { name, values: values.to_vec() };
    let mut fields = vec![
        single("Product title", &listing.name),
        single("Pricing model", pricing_model(listing.pricing)),
        single("Fulfillment URL", fulfillment_url),
    ];
    if let Some(catalog) = &listing.catalog {
        let eula = catalog.eula.as_ref().map_or("AWS Marketplace's standard contract", |eula| eula.as_str());
        let accounts: Vec<String> = catalog.allowed_accounts.iter().map(ToString::to_string).collect();
        fields.extend([
            single("Short description", &catalog.short_description),
            single("Long description", &catalog.long_description),
            several("Highlights", &catalog.highlights),
            several("Search keywords", &catalog.search_keywords),
            several("Categories", &catalog.categories),
            single("Logo", catalog.logo.as_str()),
            single("Support information", &catalog.support),
            single("License agreement", eula),
            single("Refund policy", &catalog.refund_policy),
            several("Allowed AWS accounts, while it is limited", &accounts),
        ]);
    }
    fields.retain(|field| !field.values.is_empty());
    Sheet {
        name: &listing.name,
        stage: listing.stage.to_string(),
        product_id: listing.product_id.to_string(),
        fields,
        dimensions: &listing.dimensions,
        prices: listing.catalog.as_ref().map(|catalog| catalog.prices.as_slice()),
    }
}

/// Returns the portal's name of a pricing model.
fn pricing_model(pricing: Pricing) -> &'static str {
    match pricing {
        Pricing::Contract => "SaaS contracts",
        Pricing::Subscription => "SaaS subscriptions",
        Pricing::ContractWithConsumption => "SaaS contracts with consumption",
    }
}

fn dimensions(described: &[Dimension]) -> Table {
    let mut table = Table::of(&["KEY", "NAME", "TYPES", "UNIT", "DESCRIPTION"]);
    for dimension in described {
        let types: Vec<&str> = dimension.types.iter().map(|kind| kind.as_str()).collect();
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        table.row([
            dimension.key.to_string(),
            dimension.name.clone(),
            types.join(" and "),
            text(&dimension.unit),
            text(&dimension.description),
        ]);
    }
    table
}

fn prices(described: &[Price]) -> Table {
    let mut table = Table::of(&["DIMENSION", "FOR", "PRICE"]);
    for price in described {
        let length = match price.months {
            Some(1) => "1 month".to_owned(),
            Some(months) => format!("{months} months"),
            None => "one unit used".to_owned(),
        };
        table.row([price.dimension.to_string(), length, price.usd.to_string()]);
    }
    table
}

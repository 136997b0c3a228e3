//! The changes to a product (`SaaSProduct@1.0`).
//!
//! The error codes are those that sellers report from AWS, where one is known; otherwise `INVALID_INPUT`, which AWS
//! uses for many errors.

use serde_json::{Map, Value, json};

use super::ErrorDetail;
use super::members::{items, list, set_all, set_in, take_items, text};

/// The type of a delivery option with a registration URL.
pub(super) const SAAS_URL: &str = "SoftwareRegistration";

/// Returns a product as CreateProduct leaves it.
pub(super) fn fresh(product_code: &str) -> Value {
    json!({
        "Description": { "ProductCode": product_code, "Visibility": "Draft", "ProductState": "Draft" },
        "PromotionalResources": { "Videos": [], "AdditionalResources": [] },
        "SupportInformation": {},
        "Dimensions": [],
        "Versions": [],
        "Targeting": { "PositiveTargeting": { "BuyerAccounts": [] } },
    })
}

/// Applies a change whose details are within the limits of its type. `fresh_id` is an id that no delivery option has.
///
/// # Errors
///
/// Fails if the current state of the product does not allow the change.
pub(super) fn apply(
    change_type: &str,
    details: &Value,
    product: &mut Map<String, Value>,
    fresh_id: &str,
) -> Result<(), Vec<ErrorDetail>> {
    match change_type {
        "UpdateInformation" => {
            update_information(details, product);
            Ok(())
        }
        "UpdateTargeting" => {
            product.insert("Targeting".to_owned(), details.clone());
            Ok(())
        }
        "AddDeliveryOptions" => add_delivery_options(details, product, fresh_id),
        "UpdateDeliveryOptions" => update_delivery_options(details, product),
        "AddDimensions" => each_dimension(details, product, add_dimension),
        "UpdateDimensions" => each_dimension(details, product, |change, all| update_dimension(change, all)),
        "RestrictDimensions" => each_dimension(details, product, restrict_dimension),
        "ReleaseProduct" => release(product),
        "UpdateVisibility" => update_visibility(details, product),
        // CreateProduct: the product exists already.
        _ => Ok(()),
    }
}

fn update_information(details: &Value, product: &mut Map<String, Value>) {
    for (name, value) in details.as_object().into_iter().flatten() {
        let (part, name, value) = match name.as_str() {
            "LogoUrl" => ("PromotionalResources", "LogoUrl", value.clone()),
            "VideoUrls" => {
                let videos = list(value).iter().map(|url| json!({ "Type": "Link", "Url": url }));
                ("PromotionalResources", "Videos", videos.collect())
            }
            "AdditionalResources" => {
                let linked = |resource: &Value| {
                    let mut linked = json!({ "Type": "Link" });
                    set_all(&mut linked, Some(resource));
                    linked
                };
                ("PromotionalResources", "AdditionalResources", list(value).iter().map(linked).collect())
            }
            "SupportDescription" => ("SupportInformation", "Description", value.clone()),
            name => ("Description", name, value.clone()),
        };
        set_in(product, part, name, value);
    }
}

fn add_delivery_options(
    details: &Value,
    product: &mut Map<String, Value>,
    fresh_id: &str,
) -> Result<(), Vec<ErrorDetail>> {
    let mut options = delivery_options(product);
    if options.iter().any(|option| text(option, "Type") == SAAS_URL) {
        let message = "The product has a delivery option of the type SoftwareRegistration already.";
        return Err(vec![ErrorDetail::new("INVALID_INPUT", message)]);
    }
    for option in items(details, "DeliveryOptions") {
        let mut added = json!({
            "Id": format!("do-{fresh_id}"),
            "Type": SAAS_URL,
            "QuickLaunchEnabled": false,
            "Visibility": visibility(product),
        });
        set_all(&mut added, option.pointer("/Details/SaaSUrlDeliveryOptionDetails"));
        options.push(added);
    }
    set_delivery_options(product, options, fresh_id);
    Ok(())
}

fn update_delivery_options(details: &Value, product: &mut Map<String, Value>) -> Result<(), Vec<ErrorDetail>> {
    let mut options = delivery_options(product);
    let mut errors = Vec::new();
    for change in items(details, "DeliveryOptions") {
        let id = text(change, "Id");
        match options.iter_mut().find(|option| text(option, "Id") == id) {
            Some(option) => set_all(option, change.pointer("/Details/SaaSUrlDeliveryOptionDetails")),
            None => {
                let message = format!("The product has no delivery option '{id}'.");
                errors.push(ErrorDetail::new("INVALID_INPUT", message));
            }
        }
    }
    all_good(errors)?;
    set_delivery_options(product, options, "");
    Ok(())
}

fn add_dimension(dimension: &Value, all: &mut Vec<Value>) -> Result<(), ErrorDetail> {
    let key = text(dimension, "Key");
    if all.iter().any(|there| text(there, "Key") == key) {
        return Err(ErrorDetail::new("INVALID_INPUT", format!("The dimension '{key}' exists already.")));
    }
    all.push(dimension.clone());
    Ok(())
}

fn update_dimension(change: &Value, all: &mut [Value]) -> Result<(), ErrorDetail> {
    let dimension = dimension_like(change, all)?;
    if types_of(dimension) != types_of(change) {
        let message = format!("The types of the dimension '{}' cannot be changed.", text(change, "Key"));
        return Err(ErrorDetail::new("INVALID_INPUT", message));
    }
    set_all(dimension, Some(change));
    Ok(())
}

fn restrict_dimension(change: &Value, all: &mut Vec<Value>) -> Result<(), ErrorDetail> {
    let gone = types_of(change);
    let dimension = dimension_like(change, all)?;
    let left: Vec<String> =
        types_of(dimension).into_iter().filter(|kind| !gone.contains(kind)).map(str::to_owned).collect();
    set_all(dimension, Some(&json!({ "Types": left })));
    all.retain(|dimension| !types_of(dimension).is_empty());
    Ok(())
}

/// Changes the visibility from Draft to Limited.
fn release(product: &mut Map<String, Value>) -> Result<(), Vec<ErrorDetail>> {
    if visibility(product) != "Draft" {
        let message = format!("The product is {} and not Draft.", visibility(product));
        return Err(vec![ErrorDetail::new("INCOMPATIBLE_PRODUCT_STATUS", message)]);
    }
    let required = [
        ("/Description/ProductTitle", "MISSING_PRODUCT_TITLE"),
        ("/Description/ShortDescription", "MISSING_SHORT_DESCRIPTION"),
        ("/Description/LongDescription", "MISSING_LONG_DESCRIPTION"),
        ("/Description/Highlights", "MISSING_HIGHLIGHTS"),
        ("/Description/SearchKeywords", "MISSING_SEARCH_KEYWORDS"),
        ("/Description/Categories", "MISSING_CATEGORIES"),
        ("/PromotionalResources/LogoUrl", "MISSING_LOGO_URL"),
        ("/Dimensions/0", "MISSING_DIMENSIONS"),
        ("/Versions/0/DeliveryOptions/0/FulfillmentUrl", "MISSING_DELIVERY_OPTIONS"),
    ];
    let whole = Value::Object(product.clone());
    let is_there = |place: &str| match whole.pointer(place) {
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Null) | None => false,
        Some(_) => true,
    };
    let missing = required.into_iter().filter(|(place, _)| !is_there(place));
    let errors = missing.map(|(place, code)| ErrorDetail::new(code, format!("The product has nothing at {place}.")));
    all_good(errors.collect())?;
    show(product, "Limited");
    Ok(())
}

fn update_visibility(details: &Value, product: &mut Map<String, Value>) -> Result<(), Vec<ErrorDetail>> {
    let (now, target) = (visibility(product).to_owned(), text(details, "TargetVisibility"));
    let is_allowed = match target {
        "Public" => now == "Limited" || now == "Restricted",
        "Restricted" => now == "Limited" || now == "Public",
        // A product that was public cannot become limited again.
        _ => false,
    };
    if !is_allowed {
        let message = format!("A product that is {now} cannot become {target}.");
        return Err(vec![ErrorDetail::new("INCOMPATIBLE_PRODUCT_STATUS", message)]);
    }
    show(product, target);
    if let Some(replacement) = details.get("ReplacementProductId") {
        set_in(product, "Description", "ReplacementProductId", replacement.clone());
    }
    Ok(())
}

/// Returns the visibility of a product to buyers: Draft, Limited, Public or Restricted.
pub(super) fn visibility(product: &Map<String, Value>) -> &str {
    product.get("Description").map_or("", |description| text(description, "Visibility"))
}

fn show(product: &mut Map<String, Value>, visibility: &str) {
    let state = if visibility == "Restricted" { "Restricted" } else { "Active" };
    set_in(product, "Description", "Visibility", visibility.into());
    set_in(product, "Description", "ProductState", state.into());
    let mut options = delivery_options(product);
    for option in &mut options {
        set_all(option, Some(&json!({ "Visibility": visibility })));
    }
    set_delivery_options(product, options, "");
}

fn each_dimension(
    details: &Value,
    product: &mut Map<String, Value>,
    apply: fn(&Value, &mut Vec<Value>) -> Result<(), ErrorDetail>,
) -> Result<(), Vec<ErrorDetail>> {
    let mut dimensions = take_items(product, "Dimensions");
    let errors = list(details).iter().filter_map(|dimension| apply(dimension, &mut dimensions).err()).collect();
    product.insert("Dimensions".to_owned(), dimensions.into());
    all_good(errors)
}

fn all_good(errors: Vec<ErrorDetail>) -> Result<(), Vec<ErrorDetail>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn dimension_like<'a>(change: &Value, all: &'a mut [Value]) -> Result<&'a mut Value, ErrorDetail> {
    let key = text(change, "Key");
    let found = all.iter_mut().find(|dimension| text(dimension, "Key") == key);
    found.ok_or_else(|| ErrorDetail::new("INVALID_INPUT", format!("The product has no dimension '{key}'.")))
}

/// Returns the types of a dimension, sorted.
pub(super) fn types_of(dimension: &Value) -> Vec<&str> {
    let mut types: Vec<&str> = items(dimension, "Types").iter().filter_map(Value::as_str).collect();
    types.sort_unstable();
    types
}

/// Returns the delivery options of the product's version.
fn delivery_options(product: &Map<String, Value>) -> Vec<Value> {
    let version = product.get("Versions").and_then(|versions| versions.get(0));
    version.map(|version| items(version, "DeliveryOptions").to_vec()).unwrap_or_default()
}

/// Sets the delivery options of the product's version. A product without a version gets one, if there are any options.
fn set_delivery_options(product: &mut Map<String, Value>, options: Vec<Value>, fresh_id: &str) {
    let mut versions = take_items(product, "Versions");
    if versions.is_empty() && !options.is_empty() {
        versions.push(json!({ "Id": format!("version-{fresh_id}") }));
    }
    if let Some(version) = versions.first_mut() {
        set_all(version, Some(&json!({ "DeliveryOptions": options })));
    }
    product.insert("Versions".to_owned(), versions.into());
}

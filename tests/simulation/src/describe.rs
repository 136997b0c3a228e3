//! Short descriptions of calls to AWS.

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use domain::time::UsageHour;
use jiff::Timestamp;
use serde_json::Value;

/// Returns the operation of a request.
pub fn operation(request: &HttpRequest) -> String {
    let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
    target.or_else(|| request.uri().rsplit('/').next()).unwrap_or_default().to_owned()
}

/// Returns the name of a record that is sent to AWS, and its content.
pub fn sent_record(call: &Value, record: &Value) -> (String, String) {
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let at = record.get("Timestamp").and_then(Value::as_f64).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
    let at = Timestamp::from_second(at as i64).unwrap_or_default();
    let arn = text(record, "LicenseArn");
    let license = arn.rsplit(':').next().filter(|id| !id.is_empty()).map(str::to_owned);
    let buyer =
        license.unwrap_or_else(|| format!("{}~{}", text(call, "ProductCode"), text(record, "CustomerIdentifier")));
    let name = format!("{buyer} {} {}", UsageHour::of(at), text(record, "Dimension"));
    let quantity = match record.get("QuantityAsDecimal") {
        Some(quantity) => quantity.as_str().unwrap_or_default().to_owned(),
        None => record.get("Quantity").map(Value::to_string).unwrap_or_default(),
    };
    (name, format!("{quantity} at {at}"))
}

/// Returns the license and hour of each new record in a transaction.
pub fn summed_hours(body: &[u8]) -> Vec<(String, String)> {
    let holds = |text: &[u8]| body.windows(text.len()).any(|part| part == text);
    if !holds(b"RECORD#") || !holds(b"\"Put\"") {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
    let hour = |item: &Value| {
        let part = |name: &str| item.pointer(&format!("/Put/Item/{name}/S")).and_then(Value::as_str);
        let license = part("pk")?.strip_prefix("RECORD#")?;
        Some((license.to_owned(), part("sk")?.split('#').next()?.to_owned()))
    };
    items.filter_map(hour).collect()
}

/// Returns the license and hour of each usage item that a batch puts.
pub fn unread_hours(body: &[u8]) -> Vec<(String, String)> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let tables = body.get("RequestItems").and_then(Value::as_object);
    let items = tables.into_iter().flat_map(|tables| tables.values()).filter_map(Value::as_array).flatten();
    let hour = |item: &Value| {
        let (license, hour) =
            item.pointer("/PutRequest/Item/pk/S")?.as_str()?.strip_prefix("USAGE#")?.split_once('#')?;
        Some((license.to_owned(), hour.to_owned()))
    };
    items.filter_map(hour).collect()
}

/// Returns the short description of a request.
pub fn request(operation: &str, body: Option<&[u8]>) -> String {
    let Some(body) = body.and_then(|body| serde_json::from_slice::<Value>(body).ok()) else { return String::new() };
    let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    match operation {
        "BatchMeterUsage" => {
            let records = list("UsageRecords");
            let records = records.iter().map(|record| sent_record(&body, record));
            records.map(|(name, what)| format!("[{name}: {what}]")).collect::<Vec<_>>().join(" ")
        }
        "TransactWriteItems" => {
            let items = list("TransactItems");
            items.iter().map(transact_item).collect::<Vec<_>>().join(" ")
        }
        "BatchWriteItem" => {
            let tables = body.get("RequestItems").and_then(Value::as_object);
            let items = tables.into_iter().flat_map(|tables| tables.values()).filter_map(Value::as_array).flatten();
            items.map(|item| put(item.pointer("/PutRequest/Item"))).collect::<Vec<_>>().join(" ")
        }
        "PutItem" => put(body.get("Item")),
        "GetItem" | "UpdateItem" | "DeleteItem" => format!("{}{}", key(body.get("Key")), given(&body)),
        "Query" => given(&body),
        _ => body.to_string().chars().take(200).collect(),
    }
}

fn transact_item(item: &Value) -> String {
    let Some((verb, what)) = item.as_object().and_then(|item| item.iter().next()) else { return String::new() };
    match verb.as_str() {
        "Put" => format!("put{}", put(what.get("Item"))),
        _ => format!("{}{}{}", verb.to_lowercase(), key(what.get("Key")), given(what)),
    }
}

fn key(key: Option<&Value>) -> String {
    let part = |name: &str| key.and_then(|key| key.pointer(&format!("/{name}/S"))).and_then(Value::as_str);
    format!("({} / {})", part("pk").unwrap_or_default(), part("sk").unwrap_or_default())
}

/// Returns an item's key and its important attributes.
fn put(item: Option<&Value>) -> String {
    let value = |name: &str| {
        let value = item.and_then(|item| item.get(name))?.as_object()?.values().next()?;
        Some(format!(" {name}={}", value.as_str().map_or_else(|| plain(value), str::to_owned)))
    };
    let attributes = ["quantity", "carried", "state", "progress", "hour", "flush_at", "sealed_through"];
    let attributes: String = attributes.into_iter().filter_map(value).collect();
    format!("{}{attributes}", key(item))
}

/// Returns the values of an expression.
fn given(body: &Value) -> String {
    let values = body.get("ExpressionAttributeValues").and_then(Value::as_object);
    let values = values.into_iter().flatten().map(|(name, value)| format!(" {name}={}", plain(value)));
    values.collect()
}

/// Returns a DynamoDB value without its type.
fn plain(value: &Value) -> String {
    match value {
        Value::Object(typed) => match typed.iter().next() {
            Some((name, value)) if name.len() <= 4 => match value {
                Value::Object(map) if name == "M" => {
                    let members = map.iter().map(|(name, value)| format!("{name}:{}", plain(value)));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// Returns the short description of an answer.
pub fn answer(operation: &str, answer: &Result<HttpResponse, ConnectorError>) -> String {
    let answer = match answer {
        Ok(answer) => answer,
        Err(_) => return "no answer".to_owned(),
    };
    let status = answer.status().as_u16();
    let body = answer.body().bytes().and_then(|body| serde_json::from_slice::<Value>(body).ok()).unwrap_or_default();
    if status != 200 {
        let code = body.get("__type").and_then(Value::as_str).and_then(|code| code.rsplit('#').next());
        let reasons = body.get("CancellationReasons").and_then(Value::as_array).map(|reasons| {
            let code = |reason: &Value| reason.get("Code").and_then(Value::as_str).unwrap_or("-").to_owned();
            reasons.iter().map(code).collect::<Vec<_>>().join(",")
        });
        return format!("{status} {} {}", code.unwrap_or_default(), reasons.unwrap_or_default());
    }
    let count = |name: &str| body.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    match operation {
        "BatchMeterUsage" => {
            let results = body.get("Results").and_then(Value::as_array).cloned().unwrap_or_default();
            let result = |result: &Value| {
                let (name, _) = sent_record(&body, result.get("UsageRecord").unwrap_or(&Value::Null));
                format!("[{name}: {}]", result.get("Status").and_then(Value::as_str).unwrap_or_default())
            };
            let results = results.iter().map(result).collect::<Vec<_>>().join(" ");
            format!("{results} unprocessed: {}", count("UnprocessedRecords"))
        }
        "Query" => format!("{} items", count("Items")),
        "GetItem" => put(body.get("Item")),
        "BatchWriteItem" => {
            let left = body.get("UnprocessedItems").and_then(Value::as_object).map_or(0, serde_json::Map::len);
            if left == 0 { "ok".to_owned() } else { format!("unprocessed: {}", body["UnprocessedItems"]) }
        }
        _ => "ok".to_owned(),
    }
}

//! The items in the table of [`Aws`](crate::aws::Aws), and the keys that written items may have.

use crate::call::Call;
use crate::time::now;
use domain::ids::LicenseId;
use domain::license::{AgreementRef, EventStamp, License, LicenseEvent};
use domain::listing::Listing;
use domain::registration::{Contact, EntryPoint, Handoff, Secret, Session};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The product of the licenses whose name starts with `l-c`.
pub(crate) const CONTRACT: &str = "4democontract0000000000ab";
/// The product of all other licenses.
pub(crate) const SUBSCRIPTION: &str = "5demosubscription000000ab";

/// The address in the contact of every license whose name starts with `l-ca`.
pub(crate) const ADDRESS: &str = "buyer@example.com";

/// The secret of the one session, which is also the code of the one handoff. Both belong to the license [`VISITED`].
pub(crate) const SECRET: &str = "fuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuz";
/// The license of the session and the handoff. See [`SECRET`].
pub(crate) const VISITED: &str = "l-c1";

/// Returns a listing of the table.
pub(crate) fn listing(product: &str) -> Option<&'static Listing> {
    static LISTINGS: LazyLock<[Listing; 2]> = LazyLock::new(|| {
        let texts =
            [include_str!("../../listings/demo-contract.toml"), include_str!("../../listings/demo-subscription.toml")];
        texts.map(|text| Listing::parse(text).expect("a described listing"))
    });
    LISTINGS.iter().find(|listing| listing.product_code.as_str() == product)
}

/// Returns the secret, parsed as a request presents it.
pub(crate) fn secret() -> Secret {
    Secret::presented(SECRET).expect("it has the form of one")
}

/// Returns the item at a key, or `null` if there is none. Every license of the newer kind exists and is in force,
/// unless its name starts with `l-x` or `l-probe`.
pub(crate) fn item_at(key: &Value) -> Value {
    let text = |name: &str| key[name]["S"].as_str().unwrap_or_default().to_owned();
    let (pk, sk) = (text("pk"), text("sk"));
    match (pk.split_once('#'), sk.as_str()) {
        (Some(("LISTING", product)), "LISTING") => listing(product).map_or(Value::Null, item),
        (Some(("LICENSE", id)), "LICENSE") => license(id).map_or(Value::Null, |license| item(&license)),
        (Some(("LICENSE", id)), "CONTACT") if id.starts_with("l-ca") => item(&contact(id)),
        (Some(("REGISTRATION", _)), _) => item(&Session {
            license: id(VISITED),
            product: CONTRACT.parse().expect("a product code"),
            ends_at: i64::from(u32::MAX),
            expires_at: i64::from(u32::MAX),
            handoff: Some(secret().hash()),
        }),
        (Some(("HANDOFF", _)), _) => item(&Handoff {
            license: id(VISITED),
            session: secret().hash(),
            entry_point: EntryPoint::SignUp,
            expires_at: i64::from(u32::MAX),
            redeemed: None,
        }),
        _ => Value::Null,
    }
}

fn id(text: &str) -> LicenseId {
    text.parse().expect("a license id")
}

fn license(name: &str) -> Option<License> {
    if !name.starts_with("l-") || name.starts_with("l-x") || name.starts_with("l-probe") {
        return None;
    }
    let product = if name.starts_with("l-c") { CONTRACT } else { SUBSCRIPTION };
    let mut license = License::new(id(name), product.parse().expect("a product code"));
    license.arn = format!("arn:aws:license-manager::294406891311:license:{name}").parse().ok();
    license.account = "111122223333".parse().ok();
    let stamp = EventStamp { at: "2026-11-01T00:00:00Z".parse().expect("a moment"), event: "updated".to_owned() };
    license.apply(LicenseEvent::Updated(AgreementRef { stamp, agreement: "agmt-1".parse().expect("an agreement") }));
    license.state = license.state_at(now());
    Some(license)
}

fn contact(license: &str) -> Contact {
    Contact {
        license: id(license),
        session: None,
        email: ADDRESS.to_owned(),
        name: None,
        company: None,
        answers: BTreeMap::new(),
        language: "en".to_owned(),
        saved_at: Timestamp::UNIX_EPOCH,
    }
}

fn item(value: &impl Serialize) -> Value {
    let item: serde_dynamo::Item = serde_dynamo::to_item(value).expect("an item");
    serde_json::to_value(item).expect("JSON")
}

/// Returns the items that calls write as a whole, by key. Panics if a key is not valid for its kind of item.
pub(crate) fn written(calls: &[Call]) -> BTreeMap<(String, String), Value> {
    let mut written = BTreeMap::new();
    for call in calls {
        let puts: Vec<&Value> = match call.operation.as_str() {
            "PutItem" => vec![&call.body["Item"]],
            "TransactWriteItems" => {
                let writes = call.body["TransactItems"].as_array().expect("writes");
                writes.iter().map(|write| &write["Put"]["Item"]).filter(|item| !item.is_null()).collect()
            }
            "BatchWriteItem" => {
                let tables = call.body["RequestItems"].as_object().expect("tables");
                let writes = tables.values().flat_map(|writes| writes.as_array().expect("writes"));
                writes.map(|write| &write["PutRequest"]["Item"]).collect()
            }
            _ => continue,
        };
        for item in puts {
            let text = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
            let key = (text("pk"), text("sk"));
            assert_key_parts(&key.0, &key.1);
            written.insert(key, item.clone());
        }
    }
    written
}

/// Asserts that a key has exactly the expected number of parts, so that no input splits one.
fn assert_key_parts(pk: &str, sk: &str) {
    let parts = |key: &str| key.matches('#').count();
    let of_sk = |kind: &str| sk == kind || sk.starts_with(&format!("{kind}#"));
    let (in_pk, in_sk) = match pk.split('#').next().unwrap_or_default() {
        "LICENSE" if of_sk("EVENT") || of_sk("MAIL") => (1, 1),
        "LICENSE" if of_sk("LICENSE") || of_sk("CONTACT") => (1, 0),
        "AGREEMENT" if of_sk("LICENSE") => (1, 1),
        "AGREEMENT" if of_sk("STATE") => (1, 0),
        "REGISTRATION" | "HANDOFF" => (1, 1),
        // A note on a late key has neither revision nor content in its name.
        "USAGE" if sk.ends_with("#late") => (2, 2),
        "USAGE" => (2, 4),
        "HOUR" => (2, 0),
        "DIRTY" => (1, 1),
        "RECORD" => (1, 1),
        "AUDIT" => (1, 0),
        _ => panic!("nothing is at {pk} {sk}"),
    };
    assert_eq!((parts(pk), parts(sk)), (in_pk, in_sk), "{pk} {sk}");
    assert!(!pk.chars().chain(sk.chars()).any(|c| c.is_control() || c.is_whitespace()), "{pk} {sk}");
}

//! Reading and writing members of an entity's details. A control call can set them to anything: a member of an
//! unexpected form counts as missing.

use serde_json::{Map, Value};

/// Returns a text member; an empty text if it is missing.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the items of a list member.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).map(list).unwrap_or_default()
}

/// Returns the items of a list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Removes a list member and returns its items.
pub(super) fn take_items(members: &mut Map<String, Value>, name: &str) -> Vec<Value> {
    match members.remove(name) {
        Some(Value::Array(items)) => items,
        Some(_) | None => Vec::new(),
    }
}

/// Removes an object member and returns its members.
pub(super) fn take_members(members: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match members.remove(name) {
        Some(Value::Object(members)) => members,
        Some(_) | None => Map::new(),
    }
}

/// Sets a member of an object member.
pub(super) fn set_in(members: &mut Map<String, Value>, part: &str, name: &str, value: Value) {
    let mut inner = take_members(members, part);
    inner.insert(name.to_owned(), value);
    members.insert(part.to_owned(), inner.into());
}

/// Sets all members of `from` in `into`.
pub(super) fn set_all(into: &mut Value, from: Option<&Value>) {
    let from = from.and_then(Value::as_object);
    if let (Some(into), Some(from)) = (into.as_object_mut(), from) {
        into.extend(from.clone());
    }
}

/// Applies a merge patch (RFC 7396): null removes a member, an object is merged into the existing object, and any other
/// value replaces the existing value.
pub fn merge_patch(into: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                into.remove(&name);
            }
            Value::Object(patch) => {
                let mut inner = take_members(into, &name);
                merge_patch(&mut inner, patch);
                into.insert(name, inner.into());
            }
            value => {
                into.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_matches_the_examples_of_rfc_7396() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (before, patch, after) in cases {
            let (mut document, patch) = (before.as_object().unwrap().clone(), patch.as_object().unwrap().clone());
            merge_patch(&mut document, patch);
            assert_eq!(Value::Object(document), after);
        }
    }
}

//! Event patterns of EventBridge, as far as a stack's rule needs them.

use serde_json::Value;

/// Returns `true` if a pattern matches an event; `None` if it has a part that is not supported here.
///
/// A leaf of a pattern is an array of values and of `{"prefix": text}`, one of which must match. Fields that the
/// pattern does not name are ignored (EventBridge user guide, "Creating event patterns").
pub(super) fn matches(pattern: &Value, event: &Value) -> Option<bool> {
    let mut all = true;
    for (name, wanted) in pattern.as_object()? {
        let is = event.get(name);
        all &= match wanted {
            Value::Object(_) => matches(wanted, is.unwrap_or(&Value::Null))?,
            Value::Array(choices) => {
                let fitting: Option<Vec<bool>> = choices.iter().map(|choice| fits(choice, is)).collect();
                fitting?.contains(&true)
            }
            _ => return None,
        };
    }
    Some(all)
}

fn fits(choice: &Value, is: Option<&Value>) -> Option<bool> {
    match choice {
        Value::Object(comparison) if comparison.len() == 1 => {
            let prefix = comparison.get("prefix")?.as_str()?;
            Some(is.and_then(Value::as_str).is_some_and(|is| is.starts_with(prefix)))
        }
        Value::Object(_) | Value::Array(_) => None,
        _ => Some(is == Some(choice)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_matches_what_its_fields_allow() {
        let event = json!({ "source": "aws.agreement-marketplace", "detail-type": "License Updated - Manufacturer",
            "detail": { "product": { "code": "abc" } } });
        for (pattern, wanted) in [
            (json!({ "source": ["aws.agreement-marketplace"] }), Some(true)),
            (json!({ "source": ["aws.ec2", "aws.agreement-marketplace"] }), Some(true)),
            (json!({ "source": [{ "prefix": "aws.agreement" }] }), Some(true)),
            (json!({ "source": ["aws.ec2"] }), Some(false)),
            (json!({ "detail-type": [{ "prefix": "Purchase " }, { "prefix": "License " }] }), Some(true)),
            (json!({ "detail": { "product": { "code": ["abc"] } } }), Some(true)),
            (json!({ "detail": { "product": { "code": ["other"] } } }), Some(false)),
            (json!({ "detail": { "offer": { "id": ["o"] } } }), Some(false)),
            (json!({ "source": [{ "suffix": "marketplace" }] }), None),
            (json!({ "source": "aws.agreement-marketplace" }), None),
            (json!("anything"), None),
        ] {
            assert_eq!(matches(&pattern, &event), wanted, "{pattern}");
        }
    }
}

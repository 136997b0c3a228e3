//! awsQuery: a request is a form, its answer is XML.

use std::fmt::Write;

use super::{Document, Malformed, Record};

/// Reads a form; every value is a text.
pub(super) fn decode(body: &[u8]) -> Result<Document, Malformed> {
    let form = std::str::from_utf8(body).map_err(|_| Malformed)?;
    let pairs = form_urlencoded::parse(form.as_bytes());
    Ok(pairs.fold(Record::new(), |record, (name, value)| record.with(&name, value.as_ref())).into())
}

/// Writes a document as nested elements.
pub(super) fn encode(document: &Document) -> Vec<u8> {
    let mut xml = String::new();
    write(&mut xml, document);
    xml.into_bytes()
}

fn write(xml: &mut String, document: &Document) {
    match document {
        Document::Map(members) => {
            for (name, value) in members {
                match value {
                    // The entries of a map are written one after another, without an enclosing element.
                    Document::List(entries) if name == "entry" => {
                        entries.iter().for_each(|entry| element(xml, name, entry));
                    }
                    value => element(xml, name, value),
                }
            }
        }
        Document::List(values) => values.iter().for_each(|value| element(xml, "member", value)),
        Document::Text(text) => xml.push_str(&escaped(text)),
        Document::Null => {}
        other => xml.push_str(&escaped(&other.to_json().to_string())),
    }
}

fn element(xml: &mut String, name: &str, value: &Document) {
    // Writing to a string cannot fail.
    let _ = write!(xml, "<{name}>");
    write(xml, value);
    let _ = write!(xml, "</{name}>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

//! The wire protocols: one document, written as JSON or as CBOR.
//!
//! Operations are functions from document to document and are independent of the protocol. A timestamp has a type of
//! its own in the document, since JSON writes it as seconds since 1970 and CBOR as the same under tag 1. SNS,
//! CloudFormation and STS still use awsQuery.

mod cbor;
mod document;
mod json;
mod query;

pub(crate) use document::Malformed;
pub use document::{Document, Record};

/// The protocol of a request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// awsJson1.0
    Json10,
    /// awsJson1.1
    Json11,
    /// Smithy RPC v2 CBOR
    Cbor,
    /// restJson1
    RestJson,
    /// awsQuery
    Query,
}

impl Protocol {
    /// Reads a body. An empty body is the empty document: operations without required members allow it.
    pub(crate) fn decode(self, body: &[u8]) -> Result<Document, Malformed> {
        match self {
            _ if body.is_empty() => Ok(Record::new().into()),
            Self::Json10 | Self::Json11 | Self::RestJson => json::decode(body),
            Self::Cbor => cbor::decode(body),
            Self::Query => query::decode(body),
        }
    }

    /// Writes a body.
    pub(crate) fn encode(self, document: &Document) -> Vec<u8> {
        match self {
            Self::Json10 | Self::Json11 | Self::RestJson => document.to_json().to_string().into_bytes(),
            Self::Cbor => cbor::encode(document),
            Self::Query => query::encode(document),
        }
    }

    /// Returns the content type of the bodies.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Json11 => "application/x-amz-json-1.1",
            Self::Cbor => "application/cbor",
            Self::RestJson => "application/json",
            Self::Query => "text/xml",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Protocol; 5] =
        [Protocol::Json10, Protocol::Json11, Protocol::Cbor, Protocol::RestJson, Protocol::Query];

    fn any_document() -> impl Strategy<Value = Document> {
        let leaf = prop_oneof![
            Just(Document::Null),
            any::<bool>().prop_map(Document::Bool),
            any::<i64>().prop_map(Document::Integer),
            (-1e12..1e12f64).prop_map(|number| Document::Double(number + 0.5)),
            ".*".prop_map(Document::Text),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Document::List),
                prop::collection::btree_map(".{0,8}", inner, 0..6).prop_map(Document::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_protocol_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
            for protocol in ALL {
                let _ = protocol.decode(&body);
            }
        }

        #[test]
        fn a_damaged_document_makes_no_protocol_panic(
            document in any_document(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            for protocol in ALL {
                let mut body = protocol.encode(&document);
                if body.is_empty() {
                    continue;
                }
                let at = at.index(body.len());
                body[at] = byte;
                let _ = protocol.decode(&body);
                let _ = protocol.decode(&body[..at]);
            }
        }

        #[test]
        fn encoded_documents_decode_to_the_same_values(document in any_document()) {
            prop_assert_eq!(Protocol::Cbor.decode(&Protocol::Cbor.encode(&document)).unwrap(), document);
        }
    }

    #[test]
    fn invalid_and_deeply_nested_bodies_are_malformed() {
        let nested = b"\x81".repeat(100_000);
        let huge_list = b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec();
        let huge_text = b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec();
        let two_values = b"\xa0\xa0".to_vec();
        let number_as_key = b"\xa1\x01\x02".to_vec();
        for body in [nested, huge_list, huge_text, two_values, number_as_key] {
            assert_eq!(Protocol::Cbor.decode(&body), Err(Malformed));
        }
        for body in [&b"[".repeat(100_000)[..], b"{} {}", b"{\"a\":", b"\xff"] {
            assert_eq!(Protocol::Json11.decode(body), Err(Malformed));
        }
    }

    #[test]
    fn a_timestamp_is_seconds_in_json_and_tagged_in_cbor() {
        let at = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let document = Record::new().with("t", at).into();
        assert_eq!(Protocol::Json11.encode(&document), br#"{"t":1700000000}"#);
        assert_eq!(Protocol::Cbor.encode(&document), b"\xa1\x61t\xc1\x1a\x65\x53\xf1\x00");
        assert_eq!(Protocol::Cbor.decode(b"\xa1\x61t\xc1\x1a\x65\x53\xf1\x00").unwrap(), document);
        let half = Record::new().with("t", jiff::Timestamp::from_millisecond(1_700_000_000_500).unwrap()).into();
        assert_eq!(Protocol::Json11.encode(&half), br#"{"t":1700000000.5}"#);
        assert_eq!(Protocol::Cbor.decode(&Protocol::Cbor.encode(&half)).unwrap(), half);
    }
}

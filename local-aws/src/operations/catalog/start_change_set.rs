//! StartChangeSet: changes of products and offers that belong together.

use serde_json::Value;

use super::requests::{invalid, not_found, of_catalog, refused};
use crate::catalog::{Catalog, RequestedChange, RequestedChangeSet, StartError};
use crate::error::ServiceError;
use crate::input::{BadInput, Input, TextRule};
use crate::protocol::{Document, Record};

const MOST_CHANGES: usize = 20;

const CHANGE_SET_NAME: TextRule = TextRule {
    shortest: 1,
    longest: 100,
    pattern: r"^[\w\s+=.:@-]+$",
    allows: |c| c.is_ascii_alphanumeric() || c.is_whitespace() || "_+=.:@-".contains(c),
};
const TOKEN: TextRule = TextRule { shortest: 1, longest: 64, pattern: "^[!-~]+$", allows: |c| c.is_ascii_graphic() };
const CHANGE_TYPE: TextRule =
    TextRule { shortest: 1, longest: 255, pattern: r"^[A-Z][\w]*$", allows: |c| c.is_ascii_alphanumeric() || c == '_' };
/// The model's pattern allows one letter only; AWS's examples have more.
const CHANGE_NAME: TextRule =
    TextRule { shortest: 1, longest: 72, pattern: "^[a-zA-Z]+$", allows: |c| c.is_ascii_alphabetic() };
const ENTITY_TYPE: TextRule = TextRule {
    shortest: 1,
    longest: 255,
    pattern: r"^[a-zA-Z]+@\d+\.\d+$",
    allows: |c| c.is_ascii_alphanumeric() || "@.".contains(c),
};
/// The model's pattern does not allow `$` and `.`, which references between changes contain.
const IDENTIFIER: TextRule = TextRule {
    shortest: 1,
    longest: 255,
    pattern: r"^[\w\-@]+$",
    allows: |c| c.is_ascii_alphanumeric() || "_-@$.".contains(c),
};
/// The model's `Json`.
const JSON: TextRule = TextRule { shortest: 2, longest: 16_384, pattern: "", allows: |_| true };

pub(super) fn answer(catalog: &Catalog, request: &Document) -> Result<Document, ServiceError> {
    let input = read(request).map_err(refused)?;
    let id = catalog.start(input).map_err(|error| match error {
        StartError::Invalid(sentence) => invalid(sentence.chars().take(2048).collect::<String>()),
        StartError::Unknown(id) => not_found(format!("Entity '{id}' does not exist.")),
        StartError::Locked(sentence) => ServiceError::modelled("ResourceInUseException", 423, sentence),
    })?;
    let arn = catalog.arn("ChangeSet", &id);
    Ok(Record::new().with("ChangeSetId", id).with("ChangeSetArn", arn).into())
}

fn read(request: &Document) -> Result<RequestedChangeSet, BadInput> {
    let input = of_catalog(request, "Catalog")?;
    let changes = input.required_list("ChangeSet")?;
    if changes.is_empty() || changes.len() > MOST_CHANGES {
        return Err(BadInput::breaks("ChangeSet", format!("have from 1 to {MOST_CHANGES} entries")));
    }
    match input.text("Intent", &CHANGE_TYPE)? {
        None | Some("APPLY") => {}
        // "This feature is currently available for adding versions to single-AMI products."
        Some("VALIDATE") => return Err(BadInput::breaks("Intent", "be APPLY for these entities")),
        Some(_) => return Err(BadInput::breaks("Intent", "satisfy enum value set: [VALIDATE, APPLY]")),
    }
    Ok(RequestedChangeSet {
        name: input.text("ChangeSetName", &CHANGE_SET_NAME)?.map(str::to_owned),
        token: input.text("ClientRequestToken", &TOKEN)?.map(str::to_owned),
        changes: changes.iter().map(read_change).collect::<Result<_, _>>()?,
    })
}

fn read_change(change: &Document) -> Result<RequestedChange, BadInput> {
    let input = Input::of(change, "ChangeSet")?;
    let entity = input.value("Entity").ok_or_else(|| super::requests::missing("Entity"))?;
    let entity = Input::of(entity, "Entity")?;
    let (text, document) = (input.text("Details", &JSON)?, input.value("DetailsDocument"));
    let details = match (text, document) {
        (Some(_), Some(_)) => {
            return Err(BadInput::breaks("Details", "not be there beside DetailsDocument"));
        }
        (Some(text), None) => {
            serde_json::from_str(text).map_err(|_| BadInput::breaks("Details", "be JSON in a text"))?
        }
        (None, Some(document)) => document.to_json(),
        (None, None) => Value::Object(serde_json::Map::new()),
    };
    Ok(RequestedChange {
        change_type: input.required_text("ChangeType", &CHANGE_TYPE)?.to_owned(),
        entity_type: entity.required_text("Type", &ENTITY_TYPE)?.to_owned(),
        identifier: entity.text("Identifier", &IDENTIFIER)?.map(str::to_owned),
        name: input.text("ChangeName", &CHANGE_NAME)?.map(str::to_owned),
        details,
        as_text: text.is_some(),
    })
}

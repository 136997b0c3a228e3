//! Forms as a user sees them: the fields that they ask for, and the values that a willing user fills in.

use html5gum::{StartTag, Token, Tokenizer};

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// The address to which it is submitted; empty for the page's own address.
    pub(super) action: String,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    kind: String,
    name: String,
    value: String,
    is_required: bool,
    /// `true` if the field is a checkbox or a radio button that is checked.
    is_checked: bool,
}

/// The user who fills in forms.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) email: String,
    pub(super) password: String,
}

/// Returns the forms of a page that are posted, in their order.
pub(super) fn forms(page: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut open: Option<Form> = None;
    // The select element that the next options belong to.
    let mut select: Option<Field> = None;
    for token in Tokenizer::new(page).flatten() {
        match token {
            Token::StartTag(tag) => match name(&tag).as_str() {
                "form" => {
                    let is_posted = attribute(&tag, "method").eq_ignore_ascii_case("post");
                    open = is_posted.then(|| Form { action: attribute(&tag, "action"), fields: Vec::new() });
                }
                "input" | "textarea" | "button" => {
                    if let Some(form) = &mut open {
                        form.fields.push(field(&tag));
                    }
                }
                "select" => select = Some(field(&tag)),
                "option" => {
                    if let Some(select) = select.as_mut().filter(|select| select.value.is_empty()) {
                        select.value = attribute(&tag, "value");
                    }
                }
                _ => {}
            },
            Token::EndTag(tag) => match String::from_utf8_lossy(&tag.name).as_ref() {
                "form" => forms.extend(open.take()),
                "select" => {
                    if let (Some(form), Some(select)) = (&mut open, select.take()) {
                        form.fields.push(select);
                    }
                }
                _ => {}
            },
            Token::String(_) | Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    forms
}

/// Returns the language that a page declares.
pub(super) fn language(page: &str) -> Option<String> {
    Tokenizer::new(page).flatten().find_map(|token| match token {
        Token::StartTag(tag) if name(&tag) == "html" => Some(attribute(&tag, "lang")),
        _ => None,
    })
}

/// Returns the text of a page without its tags.
pub(super) fn words(page: &str) -> String {
    let mut words = String::new();
    for token in Tokenizer::new(page).flatten() {
        if let Token::String(text) = token {
            words.push_str(&String::from_utf8_lossy(&text.value));
            words.push(' ');
        }
    }
    words
}

impl Form {
    /// Returns `true` if it asks for a mail address.
    pub(super) fn asks_for_email(&self) -> bool {
        self.fields.iter().any(Field::is_email)
    }

    /// Returns `true` if a user cannot continue without filling it in.
    pub(super) fn must_be_filled_in(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.is_shown() && (field.is_required || field.is_email() || field.kind == "password"))
    }

    /// Returns the fields that are sent after a user has filled the form in and clicked its first button.
    pub(super) fn filled_in_by(&self, user: &User) -> Vec<(String, String)> {
        let mut sent: Vec<(String, String)> = Vec::new();
        let mut is_pressed = false;
        for field in self.fields.iter().filter(|field| !field.name.is_empty()) {
            let is_there = |sent: &[(String, String)]| sent.iter().any(|(name, _)| *name == field.name);
            let value = match field.kind.as_str() {
                "checkbox" if !field.is_required && !field.is_checked => continue,
                // Of radio buttons, the checked one is sent, or else the first.
                "radio" if !field.is_checked && (is_there(&sent) || self.has_chosen(&field.name)) => continue,
                "submit" | "button" if is_pressed => continue,
                "reset" | "image" | "file" => continue,
                "password" => user.password.clone(),
                _ if field.is_email() => user.email.clone(),
                "text" | "search" | "textarea" if field.value.is_empty() => "Review".to_owned(),
                "tel" if field.value.is_empty() => "+1 206 555 0100".to_owned(),
                "url" if field.value.is_empty() => "https://www.example.com/".to_owned(),
                "number" if field.value.is_empty() => "1".to_owned(),
                _ => field.value.clone(),
            };
            is_pressed |= matches!(field.kind.as_str(), "submit" | "button");
            sent.push((field.name.clone(), value));
        }
        sent
    }

    fn has_chosen(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.kind == "radio" && field.name == name && field.is_checked)
    }
}

impl Field {
    fn is_email(&self) -> bool {
        self.is_shown() && (self.kind == "email" || self.name == "email")
    }

    fn is_shown(&self) -> bool {
        !matches!(self.kind.as_str(), "hidden" | "submit" | "button" | "reset")
    }
}

fn field(tag: &StartTag<()>) -> Field {
    let kind = match (name(tag).as_str(), attribute(tag, "type").to_ascii_lowercase()) {
        ("input", kind) if kind.is_empty() => "text".to_owned(),
        ("button", kind) if kind.is_empty() => "submit".to_owned(),
        ("input" | "button", kind) => kind,
        (other, _) => other.to_owned(),
    };
    // A checked checkbox sends "on" unless it has a value (HTML standard, checkbox).
    let value = match (kind.as_str(), attribute(tag, "value")) {
        ("checkbox" | "radio", value) if value.is_empty() => "on".to_owned(),
        (_, value) => value,
    };
    let has = |attribute: &str| tag.attributes.contains_key(attribute.as_bytes());
    Field { kind, name: attribute(tag, "name"), value, is_required: has("required"), is_checked: has("checked") }
}

fn name(tag: &StartTag<()>) -> String {
    String::from_utf8_lossy(&tag.name).into_owned()
}

fn attribute(tag: &StartTag<()>, name: &str) -> String {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        User { email: "me@example.com".to_owned(), password: "a long sentence".to_owned() }
    }

    fn sent(page: &str) -> Vec<(String, String)> {
        forms(page).first().unwrap().filled_in_by(&user())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_form_is_filled_in_as_a_user_would_fill_it_in() {
        let page = r#"<html lang="en-GB"><form method="post" action="/details?a=1&amp;b=2">
            <input type="hidden" name="token" value="t&quot;1"><input name="email" type="email" required>
            <input type=password name=password><input name=company value="Acme"><input name=name>
            <select name="size" required><option value="">Choose</option><option value="1-10">few</option></select>
            <input type="checkbox" name="consent" value="yes" required><input type="checkbox" name="news" value="yes">
            <input type="radio" name="tenant" value="a"><input type="radio" name="tenant" value="b" checked>
            <input type="radio" name="plan" value="x"><input type="radio" name="plan" value="y">
            <button name="account" value="new">New</button><button name="account" value="existing">Old</button></form>"#;
        let form = forms(page).remove(0);
        assert_eq!(form.action, "/details?a=1&b=2");
        assert!(form.asks_for_email() && form.must_be_filled_in());
        assert_eq!(
            sent(page),
            pairs(&[
                ("token", "t\"1"),
                ("email", "me@example.com"),
                ("password", "a long sentence"),
                ("company", "Acme"),
                ("name", "Review"),
                ("size", "1-10"),
                ("consent", "yes"),
                ("tenant", "b"),
                ("plan", "x"),
                ("account", "new"),
            ])
        );
        assert_eq!(language(page).as_deref(), Some("en-GB"));
    }

    #[test]
    fn forms_without_fields_to_fill_in_are_skipped() {
        let page =
            "<p>a <b>few</b> words</p><form><input name=q></form><form method=POST><button>Sign out</button></form>";
        let forms = forms(page);
        assert_eq!(forms.len(), 1, "a search is not posted");
        assert!(!forms[0].must_be_filled_in() && !forms[0].asks_for_email());
        assert_eq!(words(page).split_whitespace().collect::<Vec<_>>(), ["a", "few", "words", "Sign", "out"]);
        assert_eq!(language(page), None);
    }
}

//! The commands in the documents.

use std::path::Path;

/// Returns the shell scripts of a page, each with the number of its first line.
fn scripts(page: &str) -> Vec<(usize, String)> {
    let mut scripts = Vec::new();
    let mut script: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut script, line.trim_start()) {
            (None, fence) if fence.starts_with("```sh") => script = Some((number + 2, String::new())),
            (Some(_), "```") => scripts.extend(script.take()),
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    scripts
}

/// Returns a script without its quoted texts, comments and here documents.
fn unquoted(script: &str) -> String {
    let mut bare = String::new();
    let mut quote = None;
    let mut here_document: Option<&str> = None;
    for line in script.lines() {
        if let Some(end) = here_document {
            here_document = Some(end).filter(|end| line != *end);
            continue;
        }
        let mut before = ' ';
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match (quote, character) {
                (None, '#') if before == ' ' => break,
                (None, '\'' | '"') => quote = Some(character),
                (Some(open), _) if open == character => quote = None,
                (None | Some('"'), '\\') => drop(characters.next()),
                (None, _) => bare.push(character),
                (Some(_), _) => {}
            }
            before = character;
        }
        bare.push('\n');
        here_document = line.split_once("<<").map(|(_, end)| end.trim()).filter(|_| quote.is_none());
    }
    bare
}

#[test]
fn shell_patterns_in_documents_are_quoted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["", "docs", "examples", "listings"].map(|folder| root.join(folder).read_dir().unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for page in files.filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        for (line, script) in scripts(&std::fs::read_to_string(&page).unwrap()) {
            for word in unquoted(&script).replace("&&", "").split_whitespace() {
                // zsh refuses a pattern that matches no file. `&` within a word ends the command in every shell.
                let is_pattern = word.contains(['?', '*', '&']) || word.contains('[') && word != "[";
                assert!(!is_pattern, "{}, in the script of line {line}: `{word}` wants quotes", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 40, "{seen}");
}

use domain::usage::UsageEvent;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event;

const HEADER: &str = "license,dimension,quantity,time,key";
const ROW: &str = "l-1,requests,5,2026-11-10T09:20:00Z,k";

/// The rows: of each its line, and its event or the code of what is wrong with it.
fn rows(text: &str) -> Vec<(usize, Result<UsageEvent, &'static str>)> {
    let parsed = read(text).unwrap();
    parsed.into_iter().map(|row| (row.line.unwrap(), row.event.map_err(|unreadable| unreadable.code))).collect()
}

fn the_event() -> UsageEvent {
    event::read(&json!({
        "license": "l-1", "dimension": "requests", "quantity": 5, "time": "2026-11-10T09:20:00Z", "key": "k",
    }))
    .unwrap()
}

#[test]
fn a_row_is_the_event_that_the_same_fields_are_in_json() {
    for text in [
        format!("{HEADER}\n{ROW}"),
        format!("{HEADER}\r\n{ROW}\r\n"),
        format!("\u{feff}{HEADER}\n{ROW}\n"),
        format!("\u{feff}\u{feff}\"license\"{}\n{ROW}\n", HEADER.trim_start_matches("license")),
        "key,time,quantity,dimension,license\nk,2026-11-10T09:20:00Z,5,requests,l-1\n".to_owned(),
        "\"license\",dimension,quantity,time,\"key\"\n\"l-1\",\"requests\",\"5\",2026-11-10T09:20:00Z,\"k\"\n"
            .to_owned(),
        format!("{HEADER},revision,tag:team\n{ROW},,\n"),
        format!("{HEADER},revision\n{ROW},0\n"),
    ] {
        assert_eq!(rows(&text), [(2, Ok(the_event()))], "{text:?}");
    }
}

#[test]
fn revisions_and_tags_have_columns() {
    let text = format!("{HEADER},tag:env,revision,tag:team\n{ROW},\"a, \"\"b\"\"\",7,red\n{ROW},,,red\n");
    let rows = rows(&text);
    let event = rows[0].1.as_ref().unwrap();
    assert_eq!(event.revision, 7);
    assert_eq!(event.tags.iter().collect::<Vec<_>>(), [("env", "a, \"b\""), ("team", "red")]);
    let event = rows[1].1.as_ref().unwrap();
    assert_eq!((event.revision, event.tags.iter().collect::<Vec<_>>()), (0, vec![("team", "red")]));
}

#[test]
fn a_row_is_wrong_for_itself_and_named_by_its_line() {
    let text = [
        HEADER,
        ROW,
        "",
        "l-1,requests,5,2026-11-10T09:20:00Z",
        "l-1,requests,5,2026-11-10T09:20:00Z,k,k",
        " ",
        "l-1,requests,5,2026-11-10T09:20:00Z,",
        "l-1,requests,-5,2026-11-10T09:20:00Z,k",
        "nonsense,requests,5,2026-11-10T09:20:00Z,k",
        "l-1,requests,5,2026-11-10T09:20:00Z,\"k",
        "2\"",
        ROW,
    ];
    for end in ["\n", "\r\n", "\r"] {
        let judged: Vec<(usize, &str)> =
            rows(&text.join(end)).into_iter().map(|(line, event)| (line, event.err().unwrap_or("good"))).collect();
        let expected = [
            (2, "good"),
            (4, "row_invalid"),
            (5, "row_invalid"),
            (6, "row_invalid"),
            (7, "field_missing"),
            (8, "quantity_invalid"),
            (9, "license_invalid"),
            (10, "good"),
            (12, "good"),
        ];
        assert_eq!(judged, expected, "{end:?}");
    }
    let refused = read(&text.join("\n")).unwrap().remove(1).event.unwrap_err();
    assert_eq!(refused.detail, "line 4 has 4 fields, and the header has 5");
}

#[test]
fn fields_of_a_row_are_judged_as_in_json() {
    for (columns, cells, code) in [
        ("revision", "-1", "revision_invalid"),
        ("revision", "1.5", "revision_invalid"),
        ("revision", "first", "revision_invalid"),
        ("tag:team?", "red", "tags_invalid"),
        ("tag:team", "ré", "tags_invalid"),
        ("tag:1,tag:2,tag:3,tag:4,tag:5,tag:6", "a,b,c,d,e,f", "tags_invalid"),
    ] {
        assert_eq!(rows(&format!("{HEADER},{columns}\n{ROW},{cells}\n")), [(2, Err(code))], "{columns} {cells}");
    }
    let six = "tag:1,tag:2,tag:3,tag:4,tag:5,tag:6";
    let event = rows(&format!("{HEADER},{six}\n{ROW},a,b,,d,e,f\n")).remove(0).1.unwrap();
    assert_eq!(event.tags.iter().count(), 5);
}

#[test]
fn a_file_that_is_none_says_why() {
    let many = format!("{HEADER}\n{}", format!("{ROW}\n").repeat(501));
    for (text, why) in [
        ("", "the file has no header row"),
        ("\u{feff}\n\n", "the file has no header row"),
        (HEADER, "the file has no row below the header"),
        (
            ROW,
            "the column `l-1` is unknown; the columns are license, dimension, quantity, time, key, revision and tag:<key>",
        ),
        ("License,dimension,quantity,time,key\n", "the column `License` is unknown"),
        ("license,dimension,quantity,time,key,tag:\n", "the column `tag:` is unknown"),
        ("license,dimension,quantity,time,key,\n", "the column `` is unknown"),
        ("license;dimension;quantity;time;key\n", "the column `license;dimension;quantity;time;key` is unknown"),
        ("license,dimension,time\n", "the header row has no column quantity, key"),
        ("license,dimension,quantity,time,key,key\n", "the header row has the column `key` more than once"),
        ("license,dimension,quantity,time,key,tag:a,tag:a\n", "the header row has the column `tag:a` more than once"),
        (&many, "the file has 501 rows"),
    ] {
        let said = read(text).unwrap_err().to_string();
        assert!(said.starts_with(why), "{text:?}: {said}");
    }
}

#[test]
fn a_quote_that_is_not_closed_swallows_no_row() {
    let swallowing = "l-1,requests,5,2026-11-10T09:20:00Z,\"k";
    for (text, line) in [
        (format!("{HEADER}\n{ROW}\n{swallowing}\n{ROW}\n"), 3),
        (format!("{HEADER}\n{swallowing}\n{ROW}\n{swallowing}\n{ROW}\n"), 4),
        (format!("{HEADER}\n{swallowing}\"\"\n{ROW}\n"), 2),
        (format!("{HEADER}\n{swallowing}\"x\n{ROW}\n"), 2),
    ] {
        let said = read(&text).unwrap_err().to_string();
        assert!(said.starts_with(&format!("line {line}: a quoted field")), "{text:?}: {said}");
    }
    // A quote inside a field that is not quoted stands for itself.
    let text = format!("{HEADER},tag:size\n{ROW},5\"\n{ROW},\n");
    assert_eq!(rows(&text)[0].1.as_ref().unwrap().tags.iter().collect::<Vec<_>>(), [("size", "5\"")]);
}

/// A file as its usual writers make it.
fn written(table: &[Vec<String>]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in table {
        writer.write_record(row).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

proptest! {
    #[test]
    fn what_a_writer_writes_is_read_as_the_same_fields_in_json(
        keys in prop::collection::vec("[^\u{feff}]{1,12}", 1..8), tag in "[ -~]{0,4}", quantity in 0..9_u8,
    ) {
        let header = ["key", "license", "quantity", "tag:t", "time", "dimension"].map(str::to_owned).to_vec();
        let mut table = vec![header];
        let mut events = Vec::new();
        for key in keys {
            let fields = [&key, "l-1", &quantity.to_string(), &tag, "2026-11-10T09:20:00Z", "requests"];
            table.push(fields.map(str::to_owned).to_vec());
            let tags = if tag.is_empty() { json!({}) } else { json!({ "t": tag }) };
            events.push(event::read(&json!({
                "license": "l-1", "dimension": "requests", "quantity": quantity, "time": "2026-11-10T09:20:00Z",
                "key": key, "tags": tags,
            })));
        }
        let parsed = read(&written(&table)).unwrap();
        prop_assert_eq!(parsed.into_iter().map(|row| row.event).collect::<Vec<_>>(), events);
    }

    #[test]
    fn no_text_panics(text in ".*", rows in prop::collection::vec("[a\",\r\n]{0,12}", 0..6)) {
        let _ = read(&text);
        let _ = read(&format!("{HEADER}\n{}", rows.join("\n")));
    }

    #[test]
    fn no_row_is_lost(rows in prop::collection::vec("[a,]{1,9}", 1..9)) {
        prop_assert_eq!(read(&format!("{HEADER}\n{}", rows.join("\r\n"))).unwrap().len(), rows.len());
    }
}

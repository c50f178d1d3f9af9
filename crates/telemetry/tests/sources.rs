//! What operators read, held against the sources: the table of metrics, and the fields of log lines.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Spellings that are not used, and the one that is.
const FIELDS: [(&str, &[&str]); 5] = [
    ("error", &["e", "err", "failure", "why", "cause"]),
    ("conversation", &["conv", "conv_id", "conversation_id", "key"]),
    ("gateway", &["gw", "gateway_id"]),
    ("router", &["router_id", "owner"]),
    ("shard", &["shard_id"]),
];

/// Units that a histogram ends with.
const UNITS: [&str; 3] = ["_seconds", "_entries", "_bytes"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every source file of the product, without tests, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && !["tests", "target", "node_modules", "gen"].contains(&name.to_str().unwrap()) {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    ["crates", "services", "proto"].iter().for_each(|folder| walk(&root().join(folder), &mut found));
    assert!(found.len() > 100);
    found
}

/// What stands in the parentheses of each call of a macro.
fn calls<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("{name}!(");
    let places = text.match_indices(&begin).filter(|(place, _)| {
        let before = text[..*place].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    });
    places.map(|(place, _)| &text[place + begin.len()..]).map(|rest| &rest[..end(rest)]).collect()
}

/// The place of the parenthesis that closes.
fn end(text: &str) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '(' | '[' | '{' if !in_string => depth += 1,
            ')' if !in_string && depth == 0 => return place,
            ')' | ']' | '}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    panic!("a call does not end: {text:.60}");
}

/// The arguments of a call.
fn arguments(mut call: &str) -> Vec<&str> {
    let mut found = Vec::new();
    while !call.trim().is_empty() {
        let (mut depth, mut in_string, mut escaped) = (0, false, false);
        let comma = call.char_indices().find(|(_, c)| {
            match c {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                '(' | '[' | '{' if !in_string => depth += 1,
                ')' | ']' | '}' if !in_string => depth -= 1,
                ',' if !in_string && depth == 0 => return true,
                _ => {}
            }
            false
        });
        let place = comma.map_or(call.len(), |(place, _)| place);
        found.push(call[..place].trim());
        call = call.get(place + 1..).unwrap_or_default();
    }
    found
}

#[test]
fn a_field_of_a_log_line_has_one_spelling() {
    let mut lines = 0;
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for level in ["error", "warn", "info", "debug", "trace"] {
            for call in calls(&text, &format!("tracing::{level}")) {
                lines += 1;
                for argument in arguments(call).into_iter().take_while(|argument| !argument.starts_with('"')) {
                    let field = argument.split('=').next().unwrap_or_default().trim().trim_start_matches(['%', '?']);
                    let of = FIELDS.iter().find(|(_, others)| others.contains(&field));
                    wrong.extend(of.map(|(one, _)| format!("{}: {field} is spelt {one}", path.display())));
                }
            }
        }
    }
    assert!(lines > 50, "only {lines} log lines were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Kind and labels of each metric, by name, as the sources record it.
fn recorded() -> BTreeMap<String, (String, String)> {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (path, text) in sources() {
        for kind in ["counter", "gauge", "histogram"] {
            for call in calls(&text, kind) {
                let arguments = arguments(call);
                let literal = |text: &str| text.trim().trim_matches('"').to_owned();
                let name = literal(arguments[0]);
                let labels: Vec<String> =
                    arguments[1..].iter().filter_map(|label| Some(literal(label.split_once("=>")?.0))).collect();
                let (first_kind, first_labels) =
                    found.entry(name.clone()).or_insert_with(|| (kind.to_owned(), labels.join(", "))).clone();
                assert_eq!((first_kind.as_str(), first_labels), (kind, labels.join(", ")), "{name} in {}", path.display());
            }
        }
    }
    found
}

#[test]
fn the_table_of_metrics_is_what_the_sources_record() {
    let table = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let mut told = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (name, labels) = (cells[0].trim_matches('`'), cells[2].replace('`', ""));
        assert!(!cells[3].is_empty(), "{name} says nothing");
        assert!(told.insert(name.to_owned(), (cells[1].to_owned(), labels)).is_none(), "{name} is there twice");
    }
    let recorded = recorded();
    let missing: Vec<_> = recorded.iter().filter(|(name, what)| told.get(*name) != Some(what)).collect();
    let gone: Vec<_> = told.keys().filter(|name| !recorded.contains_key(*name)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in the table, or otherwise: {missing:#?}\nnot recorded: {gone:#?}");
}

#[test]
fn metrics_are_named_as_prometheus_has_it() {
    for (name, (kind, _)) in recorded() {
        let plain = name.starts_with("mynah_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(plain, "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(kind != "histogram" || UNITS.iter().any(|unit| name.ends_with(unit)), "{name} ends with no unit");
    }
}

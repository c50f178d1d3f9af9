//! The documentation of every endpoint, beside the code: what `/openapi.json`, the readable page and `docs/` are made from.
//!
//! An endpoint's words stand in the file of its area, joined to its row of the table by method and pattern. A row without them
//! fails a test, and so do words without a row.

mod endpoint;
mod errors;
mod openapi;
mod schema;

mod chatrooms;
mod cross_app;
mod groups;
mod history;
mod media;
mod messages;
mod relations;
mod rules;
mod statistics;
mod users;

use std::sync::LazyLock;

use endpoint::Doc;
pub use openapi::openapi;

/// The areas: the file under `docs/rest`, a heading, what it is about, its endpoints in the order of reading.
struct Area {
    file: &'static str,
    title: &'static str,
    text: &'static str,
    docs: Vec<Doc>,
}

static AREAS: LazyLock<Vec<Area>> = LazyLock::new(|| {
    let area = |file, title, text, docs| Area { file, title, text, docs };
    vec![
        area("users", "Users and admins", users::TEXT, users::docs()),
        area("relations", "Blacklists, friends, do not disturb", relations::TEXT, relations::docs()),
        area("messages", "Messages", messages::TEXT, messages::docs()),
        area("media", "Media", media::TEXT, media::docs()),
        area("groups", "Groups", groups::TEXT, groups::docs()),
        area("chatrooms", "Chatrooms", chatrooms::TEXT, chatrooms::docs()),
        area("cross-app", "Across apps", cross_app::TEXT, cross_app::docs()),
        area("rules", "Rules of the app", rules::TEXT, rules::docs()),
        area("history", "History", history::TEXT, history::docs()),
        area("statistics", "Statistics", statistics::TEXT, statistics::docs()),
    ]
});

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mynah_types::Reason;

    use super::*;
    use crate::rest::refusal::row;
    use crate::rest::table::TABLE;

    fn every_doc() -> impl Iterator<Item = &'static Doc> {
        AREAS.iter().flat_map(|area| &area.docs)
    }

    #[test]
    fn every_row_is_documented_and_every_word_has_its_row() {
        let documented: HashSet<_> = every_doc().map(|doc| (doc.method, doc.pattern)).collect();
        assert_eq!(documented.len(), every_doc().count(), "documented twice");
        let rows: HashSet<_> = TABLE.iter().map(|row| (row.method, row.pattern)).collect();
        let bare: Vec<_> = rows.difference(&documented).collect();
        assert!(bare.is_empty(), "rows without documentation: {bare:?}");
        let astray: Vec<_> = documented.difference(&rows).collect();
        assert!(astray.is_empty(), "documented without a row: {astray:?}");
    }

    #[test]
    fn bodies_are_documented_as_they_are_taken() {
        for row in TABLE {
            let doc = every_doc().find(|doc| (doc.method, doc.pattern) == (row.method, row.pattern)).unwrap();
            assert_eq!(doc.takes(), row.body, "{} {}", row.method, row.pattern);
        }
    }

    /// Every refusal that the code can make: of the one table, and of literals.
    fn made() -> HashSet<(u16, u32)> {
        let mut made: HashSet<_> = Reason::ALL.into_iter().map(row).collect();
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rest")).unwrap() {
            let path = file.unwrap().path();
            let text = if path.is_file() { std::fs::read_to_string(path).unwrap() } else { String::new() };
            for rest in text.split("Refusal::new(").skip(1) {
                let mut numbers = rest.split(", ");
                let number = |text: Option<&str>| text?.replace('_', "").replace("INVALID", "899003").parse().ok();
                if let (Some(status), Some(code)) = (number(numbers.next()), number(numbers.next())) {
                    made.insert((u16::try_from(status).unwrap(), code));
                }
            }
        }
        made
    }

    #[test]
    fn what_is_documented_is_what_the_code_can_answer() {
        let documented: HashSet<_> = errors::ALL.iter().map(|error| (error.status, error.code)).collect();
        assert_eq!(documented.len() + 1, errors::ALL.len(), "only the unknown path shares its pair, with the unknown file");
        let made = made();
        assert!(made.contains(&(405, 899_003)) && made.contains(&(400, 899_013)), "literals are found");
        assert_eq!(made.symmetric_difference(&documented).collect::<Vec<_>>(), Vec::<&(u16, u32)>::new());
        for error in errors::ALL {
            let listed = every_doc().any(|doc| doc.refusals().any(|listed| listed == *error));
            assert!(listed || errors::NOWHERE.contains(error), "no endpoint lists {error:?}");
        }
    }
}

//! Rules of the app: sensitive words, registration by devices.

use serde_json::{Value, json};

use super::endpoint::{Doc, doc};
use super::schema::{any, array, may, object, page, page_example, paged, switch, text};

pub(super) const TEXT: &str =
    "What holds for everybody in the app: words that no text may hold, and whether devices may register users.";

fn word() -> Value {
    text(1, 10, "1 to 10 characters; case does not matter where texts are held against it.")
}

fn status() -> Value {
    object(&["status"], json!({"status": switch("1: on.")}))
}

fn set_status(pattern: &'static str, summary: &'static str, text: &'static str) -> Doc {
    doc("PUT", pattern, summary, text)
        .query([may("status", "`1` on, `0` off.", json!({"type": "string", "enum": ["0", "1"]}), json!("1"))])
        .json_or_nothing(status(), Value::Null)
        .done(204, "It is as asked.")
}

fn get_status(pattern: &'static str, summary: &'static str, text: &'static str) -> Doc {
    doc("GET", pattern, summary, text).answers(200, "How it stands.", status(), json!({"status": 1}))
}

pub(super) fn docs() -> Vec<Doc> {
    let both = object(&["new_word", "old_word"], json!({"new_word": word(), "old_word": word()}));
    let listed =
        object(&["name", "itime"], json!({"name": word(), "itime": {"type": "string", "description": "When it was added."}}));
    vec![
        doc(
            "POST",
            "v1/sensitiveword",
            "Add sensitive words",
            "An app may have 100. Words that are there already are passed over.",
        )
        .json(array(word(), 1, 100), json!(["rude"]))
        .done(204, "They are in the list."),
        doc("PUT", "v1/sensitiveword", "Replace a sensitive word", "The old word must be in the list.")
            .json(both, json!({"old_word": "rude", "new_word": "crude"}))
            .done(204, "It is replaced."),
        doc(
            "DELETE",
            "v1/sensitiveword",
            "Remove a sensitive word",
            "A word that is not there is no error. An array of words is taken too.",
        )
        .json(any(vec![object(&["word"], json!({"word": word()})), array(word(), 1, 100)]), json!({"word": "crude"}))
        .done(204, "It is not in the list."),
        doc("GET", "v1/sensitiveword", "List sensitive words", "In the order of their adding.").query(paged(2000)).answers(
            200,
            "A page of words.",
            page("words", listed),
            page_example("words", json!({"name": "rude", "itime": "2026-01-01 10:00:00"})),
        ),
        set_status(
            "v1/sensitiveword/status",
            "Switch the word filter",
            "On: a text that holds a word is refused with 803009, by devices and by the API. The status stands in the query, or in the body.",
        ),
        get_status("v1/sensitiveword/status", "See whether the word filter is on", "It is off at first."),
        set_status(
            "v1/sdkregister/status",
            "Let devices register users, or not",
            "The API can always. The status stands in the query, or in the body.",
        ),
        get_status("v1/sdkregister/status", "See whether devices may register users", "They may at first."),
    ]
}

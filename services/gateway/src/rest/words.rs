//! Sensitive words, and the switch of the filter.

use mynah_proto::directory::{ListRequest, ReplaceWordRequest, SetWordFilterRequest, WordFilterRequest, WordsRequest};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outcome};
use super::lenient::Fields;
use super::refusal::Refusal;
use super::show;

/// Words of one page.
const PAGE: u32 = 2000;

fn texts(body: &Value) -> Result<Vec<String>, Refusal> {
    let bad = || Refusal::invalid("body", "must be an array of words");
    let items = body.as_array().ok_or_else(bad)?;
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(bad)).collect()
}

pub(crate) async fn add(call: Call) -> Outcome {
    let words = texts(&call.json()?)?;
    call.directory().add_words(WordsRequest { app_id: call.app.app_id, words }).await?;
    Answer::done()
}

/// One word, or, as one client writes it, an array of them.
pub(crate) async fn remove(call: Call) -> Outcome {
    let body = call.json()?;
    let words = if body.is_array() { texts(&body)? } else { vec![Fields::of("body", &body)?.required("word")?.to_owned()] };
    call.directory().remove_words(WordsRequest { app_id: call.app.app_id, words }).await?;
    Answer::done()
}

pub(crate) async fn replace(call: Call) -> Outcome {
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let (new_word, old_word) = (fields.required("new_word")?.to_owned(), fields.required("old_word")?.to_owned());
    call.directory().replace_word(ReplaceWordRequest { app_id: call.app.app_id, old_word, new_word }).await?;
    Answer::done()
}

pub(crate) async fn list(call: Call) -> Outcome {
    let page = call.query.page(PAGE)?;
    let request = ListRequest { app_id: call.app.app_id, start: page.start, count: page.count };
    let words = call.directory().list_words(request).await?;
    let shown = words.words.iter().map(|w| json!({"name": w.word, "itime": show::time(w.ctime_ms, call.zone())}));
    Answer::ok(show::page(words.total, page.start, "words", shown.collect()))
}

pub(crate) async fn get_status(call: Call) -> Outcome {
    let filter = call.directory().word_filter(WordFilterRequest { app_id: call.app.app_id }).await?;
    Answer::ok(json!({"status": u8::from(filter.on)}))
}

/// The status stands in the query, or, as one client writes it, in the body.
pub(crate) async fn set_status(call: Call) -> Outcome {
    let on = call.status()?;
    call.directory().set_word_filter(SetWordFilterRequest { app_id: call.app.app_id, on }).await?;
    Answer::done()
}

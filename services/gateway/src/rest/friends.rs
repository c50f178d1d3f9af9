//! Friends.

use mynah_proto::directory::{FriendNote, FriendsRequest, GetUserRequest, NoteFriendsRequest};
use serde_json::Value;

use super::call::{Answer, Call, Outcome};
use super::lenient::{Fields, names};
use super::refusal::Refusal;
use super::show;

/// Names in one call.
const NAMES: usize = 500;

fn named(call: &Call) -> Result<FriendsRequest, Refusal> {
    let username = call.username()?;
    let peers = names("body", &call.json()?, NAMES)?;
    Ok(FriendsRequest { app_id: call.app.app_id, username, peers, cross: Vec::new() })
}

pub(crate) async fn add(call: Call) -> Outcome {
    call.directory().add_friends(named(&call)?).await?;
    Ok(Answer { status: 201, body: None })
}

pub(crate) async fn remove(call: Call) -> Outcome {
    call.directory().remove_friends(named(&call)?).await?;
    Answer::done()
}

/// A list of notes, or one alone.
pub(crate) async fn note(call: Call) -> Outcome {
    let username = call.username()?;
    let body = call.json()?;
    let items: Vec<&Value> = match &body {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    if !(1..=NAMES).contains(&items.len()) {
        return Err(Refusal::invalid("body", "must be an array of 1 to 500 notes"));
    }
    let mut notes = Vec::with_capacity(items.len());
    for item in items {
        notes.push(read_note(Fields::of("body", item)?)?);
    }
    call.directory().note_friends(NoteFriendsRequest { app_id: call.app.app_id, username, notes }).await?;
    Answer::done()
}

/// A note of a friend of the calling app.
pub(crate) fn read_note(fields: Fields<'_>) -> Result<FriendNote, Refusal> {
    let text = |name| fields.text(name).map(|text| text.map(str::to_owned));
    let username = fields.required("username")?.to_owned();
    Ok(FriendNote { username, note_name: text("note_name")?, others: text("others")?, appkey: String::new() })
}

pub(crate) async fn list(call: Call) -> Outcome {
    let username = call.username()?;
    let request = GetUserRequest { app_id: call.app.app_id, username, uid: 0 };
    let friends = call.directory().friends(request).await?.friends;
    let shown = friends.iter().filter_map(|friend| {
        let mut shown = show::user(friend.user.as_ref()?, call.zone());
        for (name, text) in [("note_name", &friend.note_name), ("others", &friend.others)] {
            if !text.is_empty() {
                shown.insert(name.into(), text.as_str().into());
            }
        }
        Some(Value::Object(shown))
    });
    Answer::ok(shown.collect())
}

//! Across apps: users of an app that granted it to the calling one.

use mynah_proto::directory::{
    ChangeBlacklistRequest, ChangeDndRequest, ChangeMembersRequest, CrossGroups, CrossNames, FriendNote, FriendsRequest,
    GetUserRequest, GroupRequest, NoteFriendsRequest,
};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outcome};
use super::lenient::{Fields, names};
use super::refusal::Refusal;
use super::{friends, groups, nodisturb, show};

/// Elements of one call.
const ELEMENTS: usize = 500;
/// Names of one list.
const NAMES: usize = 500;
/// Names of one list of a chatroom's change.
const ROOM_NAMES: usize = 3000;

/// The elements of a body: an array, or one alone, as some clients write it.
fn elements(body: &Value) -> Result<Vec<&Value>, Refusal> {
    let items: Vec<&Value> = match body {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    if (1..=ELEMENTS).contains(&items.len()) {
        Ok(items)
    } else {
        Err(Refusal::invalid("body", &format!("must be an array of 1 to {ELEMENTS} objects")))
    }
}

/// The key of an element's app. The documentation's samples carry stray blanks.
fn appkey(fields: Fields<'_>) -> Result<String, Refusal> {
    let appkey = fields.required("appkey")?.trim();
    if appkey.is_empty() { Err(Refusal::invalid("appkey", "is missing")) } else { Ok(appkey.to_owned()) }
}

fn changes(body: &Value, most: usize) -> Result<Vec<CrossNames>, Refusal> {
    let read = |item: &Value| {
        let fields = Fields::of("body", item)?;
        let one = CrossNames { appkey: appkey(fields)?, add: fields.names("add", most)?, remove: fields.names("remove", most)? };
        if one.add.is_empty() && one.remove.is_empty() {
            return Err(Refusal::invalid("add", "or remove must name at least one user"));
        }
        Ok(one)
    };
    elements(body)?.into_iter().map(read).collect()
}

pub(crate) async fn change_members(call: Call) -> Outcome {
    let id = call.number(0, "gid")?;
    let cross = changes(&call.json()?, NAMES)?;
    let request = ChangeMembersRequest { app_id: call.app.app_id, id, cross, ..ChangeMembersRequest::default() };
    call.directory().change_members(request).await?;
    Answer::done()
}

pub(crate) async fn members(call: Call) -> Outcome {
    let request = GroupRequest { app_id: call.app.app_id, gid: call.number(0, "gid")?, member_uid: 0 };
    let members = call.directory().members(request).await?.members;
    Answer::ok(members.iter().map(|member| groups::member(&call, member)).collect())
}

pub(crate) async fn groups_of(call: Call) -> Outcome {
    let username = call.username()?;
    let request = GetUserRequest { app_id: call.app.app_id, username, uid: 0 };
    let groups = call.directory().groups_of(request).await?.groups;
    let shown = groups.iter().map(|group| {
        let mut shown = show::group(group, call.zone());
        shown.insert("max_member_count".into(), json!(group.max_members));
        Value::Object(shown)
    });
    Answer::ok(shown.collect())
}

pub(crate) async fn change_room_members(call: Call) -> Outcome {
    let id = call.number(0, "room_id")?;
    let cross = changes(&call.json()?, ROOM_NAMES)?;
    let request = ChangeMembersRequest { app_id: call.app.app_id, id, cross, ..ChangeMembersRequest::default() };
    call.directory().change_room_members(request).await?;
    Answer::done()
}

/// Elements with an app, or plain names of the calling app's own users.
fn named(call: &Call, body: &Value, member: &str) -> Result<Vec<CrossNames>, Refusal> {
    if body.as_array().is_some_and(|items| items.iter().any(Value::is_string)) {
        let add = names("body", body, NAMES)?;
        return Ok(vec![CrossNames { appkey: call.app.appkey.clone(), add, remove: Vec::new() }]);
    }
    let read = |item: &Value| {
        let fields = Fields::of("body", item)?;
        let list = fields.get(member).ok_or_else(|| Refusal::invalid(member, "is missing"))?;
        Ok(CrossNames { appkey: appkey(fields)?, add: names(member, list, NAMES)?, remove: Vec::new() })
    };
    elements(body)?.into_iter().map(read).collect()
}

pub(crate) async fn add_to_blacklist(call: Call) -> Outcome {
    let username = call.username()?;
    let cross = named(&call, &call.json()?, "usernames")?;
    let request = ChangeBlacklistRequest { app_id: call.app.app_id, username, cross, ..ChangeBlacklistRequest::default() };
    call.directory().change_blacklist(request).await?;
    Answer::done()
}

pub(crate) async fn remove_from_blacklist(call: Call) -> Outcome {
    let username = call.username()?;
    let named = named(&call, &call.json()?, "usernames")?;
    let turned = |one: CrossNames| CrossNames { appkey: one.appkey, add: Vec::new(), remove: one.add };
    let cross = named.into_iter().map(turned).collect();
    let request = ChangeBlacklistRequest { app_id: call.app.app_id, username, cross, ..ChangeBlacklistRequest::default() };
    call.directory().change_blacklist(request).await?;
    Answer::done()
}

pub(crate) async fn blacklist(call: Call) -> Outcome {
    let username = call.username()?;
    let request = GetUserRequest { app_id: call.app.app_id, username, uid: 0 };
    let users = call.directory().blacklist(request).await?.users;
    Answer::ok(users.iter().map(|user| Value::Object(show::user(user, call.zone()))).collect())
}

pub(crate) async fn nodisturb(call: Call) -> Outcome {
    let username = call.username()?;
    let mut request = ChangeDndRequest { app_id: call.app.app_id, username, ..ChangeDndRequest::default() };
    for item in elements(&call.json()?)? {
        let fields = Fields::of("body", item)?;
        let appkey = appkey(fields)?;
        let (add, remove) = nodisturb::users(fields)?;
        request.cross_users.push(CrossNames { appkey: appkey.clone(), add, remove });
        let (add, remove) = nodisturb::groups(fields)?;
        request.cross_groups.push(CrossGroups { appkey, add, remove });
    }
    call.directory().change_dnd(request).await?;
    Answer::done()
}

fn friends_named(call: &Call) -> Result<FriendsRequest, Refusal> {
    let username = call.username()?;
    let cross = named(call, &call.json()?, "users")?;
    Ok(FriendsRequest { app_id: call.app.app_id, username, peers: Vec::new(), cross })
}

pub(crate) async fn add_friends(call: Call) -> Outcome {
    call.directory().add_friends(friends_named(&call)?).await?;
    Ok(Answer { status: 201, body: None })
}

pub(crate) async fn remove_friends(call: Call) -> Outcome {
    call.directory().remove_friends(friends_named(&call)?).await?;
    Answer::done()
}

pub(crate) async fn note_friends(call: Call) -> Outcome {
    let username = call.username()?;
    let body = call.json()?;
    let read = |item: &Value| {
        let fields = Fields::of("body", item)?;
        Ok::<_, Refusal>(FriendNote { appkey: appkey(fields)?, ..friends::read_note(fields)? })
    };
    let notes = elements(&body)?.into_iter().map(read).collect::<Result<_, _>>()?;
    call.directory().note_friends(NoteFriendsRequest { app_id: call.app.app_id, username, notes }).await?;
    Answer::done()
}

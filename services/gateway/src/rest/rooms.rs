//! Chatrooms.

use mynah_proto::directory::{
    ChangeMembersRequest, CreateRoomRequest, GetRoomsRequest, GetUserRequest, ListRequest, MuteInRoomRequest, Room,
    RoomMembersRequest, RoomRequest, UpdateRoomRequest,
};
use serde_json::{Value, json};

use super::call::{self, Answer, Call, Outcome};
use super::lenient::{Fields, names};
use super::refusal::Refusal;
use super::show;

/// Names in one change of members.
const NAMES: usize = 3000;
/// Rows of one page.
const PAGE: u32 = 500;
/// Rooms of one batch.
const BATCH: usize = 500;

pub(crate) async fn create(call: Call) -> Outcome {
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let request = CreateRoomRequest {
        app_id: call.app.app_id,
        owner: fields.required("owner_username")?.to_owned(),
        name: fields.required("name")?.to_owned(),
        description: fields.text("description")?.unwrap_or_default().to_owned(),
        members: fields.names("members_username", NAMES)?,
    };
    let room = call.directory().create_room(request).await?;
    Answer::created(json!({"chatroom_id": room.room_id}))
}

pub(crate) async fn update(call: Call) -> Outcome {
    let room_id = call.number(0, "room_id")?;
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let text = |name| fields.text(name).map(|text| text.map(str::to_owned));
    let (owner, name, description) = (text("owner_username")?, text("name")?, text("description")?);
    call.directory().update_room(UpdateRoomRequest { app_id: call.app.app_id, room_id, owner, name, description }).await?;
    Answer::done()
}

pub(crate) async fn mute(call: Call) -> Outcome {
    let room_id = call.number(0, "room_id")?;
    let username = call.username_at(1)?;
    let muted = call.query.boolean("status")?;
    call.directory().mute_in_room(MuteInRoomRequest { app_id: call.app.app_id, room_id, username, muted }).await?;
    Answer::done()
}

fn shown(call: &Call, rooms: &[Room]) -> Vec<Value> {
    rooms.iter().map(|room| Value::Object(show::room(room, call.zone()))).collect()
}

pub(crate) async fn list(call: Call) -> Outcome {
    let page = call.query.page(PAGE)?;
    let request = ListRequest { app_id: call.app.app_id, start: page.start, count: page.count };
    let rooms = call.directory().list_rooms(request).await?;
    Answer::ok(show::page(rooms.total, page.start, "rooms", shown(&call, &rooms.rooms)))
}

/// Rooms that are not there are left out.
pub(crate) async fn batch(call: Call) -> Outcome {
    let bad = || Refusal::invalid("body", "must be an array of 1 to 500 chatroom ids");
    let body = call.json()?;
    let ids = body.as_array().filter(|ids| (1..=BATCH).contains(&ids.len())).ok_or_else(bad)?;
    let mut room_ids = Vec::with_capacity(ids.len());
    for id in ids {
        let id = match id {
            Value::Number(number) => call::number("body", &number.to_string())?,
            Value::String(text) => call::number("body", text)?,
            _ => return Err(bad()),
        };
        if !room_ids.contains(&id) {
            room_ids.push(id);
        }
    }
    let request = GetRoomsRequest { app_id: call.app.app_id, room_ids, strict: false, member_uid: 0 };
    let rooms = call.directory().get_rooms(request).await?.rooms;
    Answer::ok(shown(&call, &rooms).into())
}

pub(crate) async fn of_user(call: Call) -> Outcome {
    let username = call.username()?;
    let request = GetUserRequest { app_id: call.app.app_id, username, uid: 0 };
    let mut rooms = call.directory().rooms_of(request).await?.rooms;
    // As with groups, those of other apps are not in the plain list.
    rooms.retain(|room| room.appkey == call.app.appkey);
    Answer::ok(shown(&call, &rooms).into())
}

pub(crate) async fn delete(call: Call) -> Outcome {
    let room_id = call.number(0, "room_id")?;
    call.directory().delete_room(RoomRequest { app_id: call.app.app_id, room_id }).await?;
    Answer::done()
}

pub(crate) async fn members(call: Call) -> Outcome {
    let room_id = call.number(0, "room_id")?;
    let page = call.query.page(PAGE)?;
    let request = RoomMembersRequest { app_id: call.app.app_id, room_id, start: page.start, count: page.count };
    let members = call.directory().room_members(request).await?;
    let shown = members.members.iter().map(|member| {
        let user = member.user.clone().unwrap_or_default();
        let time = |ms| show::time(ms, call.zone());
        json!({
            "username": user.username, "flag": u8::from(member.muted), "room_ctime": time(member.entered_ms),
            "mtime": time(user.mtime_ms), "ctime": time(user.ctime_ms),
        })
    });
    Answer::ok(show::page(members.total, page.start, "users", shown.collect()))
}

pub(crate) async fn add_members(call: Call) -> Outcome {
    let room_id = call.number(0, "room_id")?;
    let add = names("body", &call.json()?, NAMES)?;
    change(&call, ChangeMembersRequest { app_id: call.app.app_id, id: room_id, add, remove: Vec::new(), cross: Vec::new() }).await
}

pub(crate) async fn remove_members(call: Call) -> Outcome {
    let room_id = call.number(0, "room_id")?;
    let remove = names("body", &call.json()?, NAMES)?;
    change(&call, ChangeMembersRequest { app_id: call.app.app_id, id: room_id, add: Vec::new(), remove, cross: Vec::new() }).await
}

async fn change(call: &Call, request: ChangeMembersRequest) -> Outcome {
    call.directory().change_room_members(request).await?;
    Answer::done()
}

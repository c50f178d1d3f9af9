//! The frames that a device says.

use serde_json::{Value, json};

use super::state::Pending;
use super::{Account, Target};

pub(super) fn hello(account: &Account) -> Value {
    json!({"id": 1, "hello": {"appkey": account.appkey, "platform": account.platform, "device_id": account.device_id}})
}

/// By session if there is one: it costs no hash.
pub(super) fn login(account: &Account, session: Option<&str>) -> Value {
    let resume = json!({"cursor": ""});
    match session {
        Some(session) => json!({"id": 2, "login": {"session": session, "resume": resume}}),
        None => json!({"id": 2, "login": {"username": account.username, "password": account.password, "resume": resume}}),
    }
}

pub(super) fn send(id: u32, pending: &Pending) -> Value {
    let (kind, target) = match &pending.target {
        Target::User(name) => ("single", name.clone()),
        Target::Group(gid) => ("group", gid.to_string()),
        Target::Room(room) => ("chatroom", room.to_string()),
    };
    json!({"id": id, "send": {
        "cmid": pending.cmid, "target_type": kind, "target_id": target, "msg_type": "text", "msg_body": {"text": pending.text},
    }})
}

pub(super) fn sync(id: u32, conv_id: &str, after: u64) -> Value {
    json!({"id": id, "sync": {"ranges": [{"conv_id": conv_id, "after_seq": after, "limit": 200}]}})
}

/// What follows a place. Upward is read from a place only: the first is asked for by the second.
pub(super) fn history(id: u32, conv_id: &str, after: u64) -> Value {
    let from = if after == 0 { ("before_seq", 2) } else { ("after_seq", after) };
    json!({"id": id, "history": {"conv_id": conv_id, from.0: from.1, "limit": 100}})
}

pub(super) fn enter(id: u32, room: u64, last_seq: u64) -> Value {
    json!({"id": id, "room_enter": {"room_id": room.to_string(), "last_seq": last_seq}})
}

pub(super) fn list(id: u32, cursor: &str) -> Value {
    json!({"id": id, "conv_list": {"cursor": cursor}})
}

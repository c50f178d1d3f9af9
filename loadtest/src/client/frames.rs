//! The frames that a device says, written without a tree.

use super::conv::{Key, number};
use super::text::Own;

/// Where a message goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// The user of this number.
    User(u32),
    /// A group's id.
    Group(u64),
    /// A room's id.
    Room(u64),
}

/// A user's name.
pub(crate) fn username(prefix: &str, user: u32) -> String {
    format!("{prefix}{user:06}")
}

/// The client message id of a message, for a retry too.
pub(crate) fn cmid(run: u32, own: &Own, out: &mut Vec<u8>) {
    out.push(b'l');
    for part in [run, own.conv, own.sender, own.ordinal] {
        out.push(b'.');
        number(u64::from(part), out);
    }
}

/// A user's devices: platform, and what is behind his name in the id of the installation. A platform of another class, or one would
/// log the other out.
pub(crate) const FIRST: (&str, &str) = ("a", "");
pub(crate) const SECOND: (&str, &str) = ("w", ".2");

/// Hello and login, in one message. By session if there is one: it costs no hash.
pub(crate) fn greeting(appkey: &str, name: &str, password: &str, (platform, nth): (&str, &str), session: Option<&str>) -> String {
    let login = match session {
        Some(session) => format!(r#""session":"{session}""#),
        None => format!(r#""username":"{name}","password":"{password}""#),
    };
    format!(
        "{{\"id\":1,\"hello\":{{\"appkey\":\"{appkey}\",\"platform\":\"{platform}\",\"device_id\":\"{name}{nth}\"}}}}\n{{\"id\":2,\"login\":{{{login},\"resume\":{{\"cursor\":\"\"}}}}}}"
    )
}

/// A send; returns the place of its text in what was written.
pub(crate) fn send(
    id: u32,
    run: u32,
    own: &Own,
    prefix: &str,
    target: Target,
    bytes: usize,
    out: &mut Vec<u8>,
) -> std::ops::Range<usize> {
    out.extend_from_slice(b"{\"id\":");
    number(u64::from(id), out);
    out.extend_from_slice(b",\"send\":{\"cmid\":\"");
    cmid(run, own, out);
    match target {
        Target::User(user) => {
            out.extend_from_slice(b"\",\"target_type\":\"single\",\"target_id\":\"");
            out.extend_from_slice(username(prefix, user).as_bytes());
        }
        Target::Group(gid) => {
            out.extend_from_slice(b"\",\"target_type\":\"group\",\"target_id\":\"");
            number(gid, out);
        }
        Target::Room(room) => {
            out.extend_from_slice(b"\",\"target_type\":\"chatroom\",\"target_id\":\"");
            number(room, out);
        }
    }
    out.extend_from_slice(b"\",\"msg_type\":\"text\",\"msg_body\":{\"text\":\"");
    let start = out.len();
    own.write(run, bytes, out);
    let text = start..out.len();
    out.extend_from_slice(b"\"}}}");
    text
}

/// Acknowledges what was pushed: how far in each conversation.
pub(crate) fn ack(items: &[(Key, u64)], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ack\":{\"items\":[");
    for (nth, (key, seq)) in items.iter().enumerate() {
        out.extend_from_slice(if nth == 0 { b"{\"conv_id\":\"" } else { b",{\"conv_id\":\"" });
        key.write(out);
        out.extend_from_slice(b"\",\"seq\":");
        number(*seq, out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}}");
}

/// Marks a conversation as read.
pub(crate) fn read(id: u32, key: Key, seq: u64) -> String {
    let name = key.text();
    format!(r#"{{"id":{id},"read":{{"conv_id":"{name}","read_seq":{seq}}}}}"#)
}

/// Asks for what comes after `after`: of a room by `history`.
pub(crate) fn catch_up(id: u32, key: Key, after: u64) -> String {
    let name = key.text();
    if key.is_room() {
        format!(r#"{{"id":{id},"history":{{"conv_id":"{name}","after_seq":{after},"limit":100}}}}"#)
    } else {
        format!(r#"{{"id":{id},"sync":{{"ranges":[{{"conv_id":"{name}","after_seq":{after},"limit":200}}]}}}}"#)
    }
}

pub(crate) fn enter(id: u32, room: u64, last_seq: u64) -> String {
    format!(r#"{{"id":{id},"room_enter":{{"room_id":"{room}","last_seq":{last_seq}}}}}"#)
}

pub(crate) fn list(id: u32, cursor: &str) -> String {
    format!(r#"{{"id":{id},"conv_list":{{"cursor":"{cursor}"}}}}"#)
}

pub(crate) fn ping(id: u32) -> String {
    format!(r#"{{"id":{id},"ping":{{}}}}"#)
}

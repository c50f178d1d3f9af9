//! Messages as the API's reports show them.

use prost::Message as _;
use serde_json::{Value, json};

use crate::device::{Entry, Message, Party, Target, entry};
use crate::report::ReportedMessage;

/// A message as reports and callbacks show it; none if its payload does not read.
#[must_use]
pub fn report_message(of: &ReportedMessage) -> Option<Value> {
    let Entry { from: Some(from), target: Some(target), kind: Some(entry::Kind::Message(message)), .. } =
        Entry::decode(of.payload.clone()).ok()?
    else {
        return None;
    };
    let mut shown = json!({
        "msg_type": message.msg_type,
        "msg_body": serde_json::from_slice::<Value>(&message.msg_body).ok()?,
        "create_time": of.ctime_ms / 1000,
        "version": 1,
        "msgid": of.msg_id,
        "msg_level": message.level,
        "msg_ctime": of.ctime_ms,
        "set_from_name": 0,
    });
    let members = shown.as_object_mut()?;
    for (name, value) in people(&from, &target) {
        members.insert(name.into(), value.into());
    }
    flags(members, &message, of.retracted);
    Some(shown)
}

fn people<'a>(from: &'a Party, target: &'a Target) -> [(&'static str, &'a str); 9] {
    [
        ("target_type", &target.r#type),
        ("target_id", &target.id),
        ("target_name", &target.name),
        ("target_appkey", &target.appkey),
        ("from_id", &from.username),
        ("from_name", &from.name),
        ("from_type", &from.r#type),
        ("from_platform", &from.platform),
        ("from_appkey", &from.appkey),
    ]
}

/// What is so with few messages is told only of those.
fn flags(members: &mut serde_json::Map<String, Value>, message: &Message, retracted: bool) {
    let flags = [("no_offline", message.no_offline), ("no_notification", message.no_notification), ("retracted", retracted)];
    for (name, _) in flags.into_iter().filter(|(_, set)| *set) {
        members.insert(name.into(), true.into());
    }
}

//! Sending and taking back.

use serde_json::{Map, Value, json};

use super::endpoint::{Doc, doc};
use super::errors::{
    BAD_WORD, BLOCKED, MUTED, NO_ADMIN, NO_GRANT, NO_GROUP, NO_NAMED_USER, NO_ROOM, RETRACT_FOREIGN, RETRACT_LATE,
    RETRACT_NOTHING, RETRACTED, SENDER_NO_MEMBER, SENDER_NOT_IN_ROOM, SILENCED,
};
use super::schema::{int, object, r, text};

pub(super) const TEXT: &str = "A message goes to one user, to a group or to a chatroom. It is stored before it is answered; nothing \
                               that was answered is lost, doubled or reordered.";

const U32: u64 = 4_294_967_295;

/// The content of one type: the members that it must have, and may have.
fn content(required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        required.iter().chain(optional).map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    object(&required.iter().map(|(name, _)| *name).collect::<Vec<_>>(), properties.into())
}

fn contents() -> Vec<(&'static str, Value)> {
    let says = |text: &str| json!({"type": "string", "minLength": 1, "description": text});
    let number = |text: &str| int(0, U32, text);
    let media =
        || vec![("media_id", says("As the upload answered.")), ("media_crc32", number("CRC-32.")), ("fsize", number("Bytes."))];
    let and = |more: Vec<(&'static str, Value)>| [media(), more].concat();
    let coordinate = || json!({"type": "number"});
    let extras = ("extras", json!({"type": "object"}));
    let plain = std::slice::from_ref(&extras);
    let image = and(vec![("width", number("Pixels.")), ("height", number("Pixels.")), ("format", says("As `jpg`."))]);
    let location =
        [("latitude", coordinate()), ("longitude", coordinate()), ("scale", number("Of the map.")), ("label", says("Where."))];
    let video = [("duration", number("Seconds.")), ("video", content(&media(), &[]))];
    vec![
        ("text", content(&[("text", says("What is said."))], plain)),
        ("image", content(&image, plain)),
        ("voice", content(&and(vec![("duration", number("Seconds."))]), plain)),
        ("file", content(&and(vec![("fname", says("The file's name."))]), plain)),
        ("location", content(&location, plain)),
        ("video", content(&video, plain)),
        ("custom", json!({"type": "object"})),
    ]
}

/// What `msg_body` must hold for each type, in words.
fn needs() -> String {
    let each = contents().into_iter().map(|(kind, body)| {
        let required = body.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<String> = required.iter().filter_map(Value::as_str).map(|name| format!("`{name}`")).collect();
        if names.is_empty() { format!("{kind}: anything") } else { format!("{kind}: {}", names.join(" ")) }
    });
    format!("By type, {}. Further members reach the receiver as they are.", each.collect::<Vec<_>>().join("; "))
}

/// The body of a send: one form for each type of message.
pub(super) fn message() -> Value {
    let shared = json!({
        "version": {"type": "integer", "enum": [1]},
        "target_type": {"type": "string", "enum": ["single", "group", "chatroom"]},
        "target_id": {"type": "string", "description": "A username, or the id of a group or chatroom as a text."},
        "target_appkey": {"type": "string", "description": "The app of the target, if another: it must have granted this one."},
        "from_type": {"type": "string", "enum": ["admin", "user"], "description": "An admin passes over membership, blacklists and silence."},
        "from_id": r("Username"),
        "from_name": text(0, 256, "Shown instead of the nickname."),
        "target_name": text(0, 256, "Shown as the target's name."),
        "no_offline": {"type": "boolean", "default": false, "description": "true: only for devices that are connected now."},
        "no_notification": {"type": "boolean", "default": false},
        "notification": object(&[], json!({"title": text(0, 1024, ""), "alert": text(0, 1024, "")})),
    });
    let required = ["version", "target_type", "target_id", "from_type", "from_id", "msg_type", "msg_body"];
    let needs = needs();
    let forms = contents().into_iter().map(|(kind, mut body)| {
        if let Some(members) = body.as_object_mut() {
            members.insert("description".into(), needs.clone().into());
        }
        let mut properties = shared.clone();
        if let Some(all) = properties.as_object_mut() {
            all.insert("msg_type".into(), json!({"type": "string", "enum": [kind]}));
            all.insert("msg_body".into(), body);
        }
        let mut form = object(&required, properties);
        if let Some(members) = form.as_object_mut() {
            members.insert("title".into(), kind.into());
        }
        form
    });
    json!({"description": "`msg_body` is at most 4096 bytes as it is sent.", "oneOf": forms.collect::<Vec<_>>()})
}

pub(super) fn docs() -> Vec<Doc> {
    let sent = object(
        &["msg_id", "msg_ctime"],
        json!({"msg_id": r("Id"), "msg_ctime": int(0, 1 << 53, "When it was stored, in ms since 1970.")}),
    );
    vec![
        doc(
            "POST",
            "v1/messages",
            "Send a message",
            "As an admin, or as a user of the app, who then keeps the rules of devices. With an `Idempotency-Key`, a repeat within \
             the conversation takes effect once and gets the first answer.",
        )
        .keyed()
        .json(
            r("Message"),
            json!({"version": 1, "target_type": "single", "target_id": "tommy", "from_type": "admin", "from_id": "admin",
                "msg_type": "text", "msg_body": {"text": "hello"}}),
        )
        .answers(201, "It is stored.", sent, json!({"msg_id": 43_143_728_109_u64, "msg_ctime": 1_767_225_600_000_u64}))
        .errors(&[
            NO_NAMED_USER,
            NO_ADMIN,
            NO_GROUP,
            NO_ROOM,
            NO_GRANT,
            SENDER_NO_MEMBER,
            BLOCKED,
            BAD_WORD,
            SILENCED,
            SENDER_NOT_IN_ROOM,
            MUTED,
        ]),
        doc(
            "POST",
            "v1/messages/*/*/retract",
            "Retract a message",
            "Within three minutes, by its sender; messages in chatrooms cannot be retracted. Any body is ignored. Devices that hold \
             the message are told to take it back.",
        )
        .done(204, "The message is retracted.")
        .errors(&[NO_GROUP, RETRACT_NOTHING, RETRACT_FOREIGN, RETRACTED, RETRACT_LATE]),
    ]
}

//! Schemas that the documentation is put together from, and the components that it shares.

use serde_json::{Map, Value, json};

use super::endpoint::Query;

/// Most that a JSON number carries exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// A shared schema, by its name.
pub(super) fn r(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A text; the bounds are bytes of UTF-8 in the contract, so that characters are bounded by them too.
pub(super) fn text(least: u32, most: u32, says: &str) -> Value {
    json!({"type": "string", "minLength": least, "maxLength": most, "description": says})
}

pub(super) fn int(least: u64, most: u64, says: &str) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": most, "description": says})
}

/// 0 or 1.
pub(super) fn switch(says: &str) -> Value {
    json!({"type": "integer", "enum": [0, 1], "description": says})
}

pub(super) fn array(items: Value, least: u32, most: u32) -> Value {
    json!({"type": "array", "items": items, "minItems": least, "maxItems": most})
}

/// A list in an answer.
pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

pub(super) fn usernames(least: u32, most: u32) -> Value {
    array(r("Username"), least, most)
}

pub(super) fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties})
}

/// An object with the members of another and some of its own.
pub(super) fn with(name: &str, required: &[&str], properties: Value) -> Value {
    json!({"allOf": [r(name), object(required, properties)]})
}

/// One of some forms.
pub(super) fn any(forms: Vec<Value>) -> Value {
    json!({"anyOf": forms})
}

/// A page of a list.
pub(super) fn page(name: &str, items: Value) -> Value {
    let count = |says| int(0, LARGEST, says);
    let mut properties = Map::new();
    properties.insert("total".into(), count("All that there are."));
    properties.insert("start".into(), count("The start that was asked for."));
    properties.insert("count".into(), count("How many are here."));
    properties.insert(name.into(), list(items));
    object(&["total", "start", "count", name], properties.into())
}

pub(super) fn page_example(name: &str, item: Value) -> Value {
    json!({"total": 1, "start": 0, "count": 1, name: [item]})
}

/// `start` and `count` of a list.
pub(super) fn paged(most: u32) -> [Query; 2] {
    [
        Query {
            name: "start",
            required: false,
            text: "How many to pass over, in the order of creation.",
            schema: json!({"type": "integer", "minimum": 0, "maximum": LARGEST, "default": 0}),
            example: json!(0),
        },
        Query {
            name: "count",
            required: false,
            text: "How many to answer at most.",
            schema: json!({"type": "integer", "minimum": 1, "maximum": most, "default": most}),
            example: json!(100),
        },
    ]
}

/// A parameter that must be there.
pub(super) fn must(name: &'static str, text: &'static str, schema: Value, example: Value) -> Query {
    Query { name, required: true, text, schema, example }
}

/// A parameter that may be there.
pub(super) fn may(name: &'static str, text: &'static str, schema: Value, example: Value) -> Query {
    Query { name, required: false, text, schema, example }
}

/// `true` or `false` in a query, in the spellings that clients use.
pub(super) fn truth() -> Value {
    json!({"type": "string", "enum": ["true", "false", "True", "False", "1", "0"]})
}

fn time(says: &str) -> Value {
    json!({"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}$", "description": says})
}

fn id(says: &str) -> Value {
    int(1, LARGEST, says)
}

fn profile() -> Value {
    json!({
        "nickname": text(0, 64, "At most 64 bytes, without line breaks."),
        "avatar": text(0, 1024, "A `media_id`, or any text."),
        "birthday": {"type": "string", "description": "A date, as `1990-01-24` or `1990-01-24 00:00:00`."},
        "signature": text(0, 250, "At most 250 bytes."),
        "gender": {"type": "integer", "enum": [0, 1, 2], "description": "0 unknown, 1 male, 2 female."},
        "region": text(0, 250, "At most 250 bytes."),
        "address": text(0, 250, "At most 250 bytes."),
        "extras": {"type": "object", "description": "Anything of the app's own; at most 512 bytes as compact JSON."},
    })
}

/// A profile's members and some more.
fn profile_and(more: Value) -> Value {
    let mut properties = more;
    if let (Some(all), Value::Object(profile)) = (properties.as_object_mut(), profile()) {
        all.extend(profile);
    }
    properties
}

fn user() -> Value {
    let more = json!({
        "username": r("Username"),
        "appkey": text(1, 64, "The app of the user."),
        "ctime": time("When it was made."),
        "mtime": time("When it was changed last."),
    });
    object(&["username", "ctime", "mtime"], profile_and(more))
}

fn group() -> Value {
    object(
        &["gid", "name", "appkey", "flag", "MaxMemberCount", "ctime", "mtime"],
        json!({
            "gid": id("The group."), "name": text(1, 64, "Its name."), "desc": text(0, 250, "What it is about."),
            "avatar": text(0, 1024, "A `media_id`, or any text."), "appkey": text(1, 64, "The app of the group."),
            "flag": {"type": "integer", "enum": [1, 2], "description": "1 private, 2 public."},
            "owner_username": r("Username"), "MaxMemberCount": int(1, 4_294_967_295, "Members that it may have."),
            "ctime": time("When it was made."), "mtime": time("When it was changed last."),
        }),
    )
}

fn room() -> Value {
    object(
        &["id", "max_member_count", "appkey", "name", "total_member_count", "ctime"],
        json!({
            "id": id("The chatroom."), "owner_username": r("Username"),
            "max_member_count": int(1, 4_294_967_295, "Members that it may have."), "appkey": text(1, 64, "Its app."),
            "name": text(1, 64, "Its name."), "description": text(0, 250, "What it is about."),
            "total_member_count": int(0, 4_294_967_295, "Its members, the owner among them."), "ctime": time("When it was made."),
        }),
    )
}

fn error() -> Value {
    let inner = object(
        &["code", "message"],
        json!({"code": int(800_000, 899_999, "See the table of codes."), "message": {"type": "string", "minLength": 1}}),
    );
    object(&["error"], json!({"error": inner}))
}

/// The shared schemas.
pub(super) fn components() -> Value {
    json!({
        "Username": {
            "type": "string", "minLength": 4, "maxLength": 128, "pattern": "^[A-Za-z0-9][A-Za-z0-9_.@-]{3,127}$",
            "description": "4 to 128 characters: a letter or digit, then letters, digits, `_` `.` `-` `@`. Case counts.",
        },
        "Id": id("A positive integer below 2^53."),
        "Profile": object(&[], profile()),
        "User": user(),
        "Registered": object(&["username"], profile_and(json!({"username": r("Username")}))),
        "Group": group(),
        "Room": room(),
        "Error": error(),
        "NameChange": {
            "description": "Users to add and to remove: at least one of both.",
            "anyOf": [
                object(&["add"], json!({"add": usernames(1, 500), "remove": usernames(0, 500)})),
                object(&["remove"], json!({"add": usernames(0, 500), "remove": usernames(1, 500)})),
            ],
        },
        "GroupIds": array(r("Id"), 0, 500),
        "Message": super::messages::message(),
        "Recorded": super::history::recorded(),
    })
}

pub(super) fn user_example() -> Value {
    json!({"username": "anna", "nickname": "Anna", "appkey": "0123456789abcdef01234567", "ctime": "2026-01-01 10:00:00",
        "mtime": "2026-01-01 10:00:00"})
}

pub(super) fn group_example() -> Value {
    json!({"gid": 10_000_001, "name": "hikers", "desc": "Sundays", "appkey": "0123456789abcdef01234567", "flag": 1,
        "owner_username": "anna", "MaxMemberCount": 500, "ctime": "2026-01-01 10:00:00", "mtime": "2026-01-01 10:00:00"})
}

pub(super) fn room_example() -> Value {
    json!({"id": 10_000_002, "owner_username": "anna", "max_member_count": 10_000, "appkey": "0123456789abcdef01234567",
        "name": "salon", "description": "open talk", "total_member_count": 2, "ctime": "2026-01-01 10:00:00"})
}

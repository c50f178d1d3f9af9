//! Chatrooms.

use serde_json::json;

use super::endpoint::{Doc, doc};
use super::errors::{GROUP_FULL, NO_NAMED_USER, NOT_IN_ROOM};
use super::schema::{array, list, must, object, page, page_example, paged, r, room_example, text, truth, usernames};

pub(super) const TEXT: &str = "Chatrooms hold many, keep no unread counts, and have an owner.";

pub(super) fn docs() -> Vec<Doc> {
    let details = json!({"owner_username": r("Username"), "name": text(1, 64, "1 to 64 bytes."), "description": text(0, 250, "At most 250 bytes.")});
    let mut wanted = object(&["owner_username", "name"], details.clone());
    if let Some(properties) = wanted.pointer_mut("/properties").and_then(|properties| properties.as_object_mut()) {
        properties.insert("members_username".into(), usernames(0, 3000));
    }
    let member = object(
        &["username", "flag", "room_ctime", "mtime", "ctime"],
        json!({"username": r("Username"), "flag": {"type": "integer", "enum": [0, 1], "description": "1: muted."},
            "room_ctime": {"type": "string", "description": "When he came in."}, "mtime": {"type": "string"}, "ctime": {"type": "string"}}),
    );
    let time = "2026-01-01 10:00:00";
    vec![
        doc("POST", "v1/chatroom", "Create a chatroom", "The owner is inside from the beginning.")
            .json(
                wanted,
                json!({"owner_username": "anna", "name": "salon", "members_username": ["tommy"], "description": "open talk"}),
            )
            .answers(
                201,
                "Its id.",
                object(&["chatroom_id"], json!({"chatroom_id": r("Id")})),
                json!({"chatroom_id": 10_000_002}),
            )
            .errors(&[NO_NAMED_USER, GROUP_FULL]),
        doc("GET", "v1/chatroom", "List chatrooms", "The chatrooms of the app, in the order of their creation.")
            .query(paged(500))
            .answers(200, "A page of chatrooms.", page("rooms", r("Room")), page_example("rooms", room_example())),
        doc("POST", "v1/chatroom/batch", "Look chatrooms up", "1 to 500 ids. Those that are not there are left out.")
            .json(array(r("Id"), 1, 500), json!([10_000_002]))
            .answers(200, "The chatrooms.", list(r("Room")), json!([room_example()])),
        doc("GET", "v1/users/*/chatroom", "List a user's chatrooms", "Those that he is in.").answers(
            200,
            "The chatrooms.",
            list(r("Room")),
            json!([room_example()]),
        ),
        doc(
            "PUT",
            "v1/chatroom/*",
            "Change a chatroom",
            "Members that are given replace what was there. A new owner must be inside.",
        )
        .json(object(&[], details), json!({"name": "parlour"}))
        .done(204, "The chatroom is changed.")
        .errors(&[NO_NAMED_USER, NOT_IN_ROOM]),
        doc("DELETE", "v1/chatroom/*", "Delete a chatroom", "All inside are put out.").done(204, "The chatroom is gone."),
        doc(
            "PUT",
            "v1/chatroom/*/forbidden/*",
            "Mute somebody in a chatroom",
            "He stays inside and cannot send, until it is lifted.",
        )
        .query([must("status", "`1` mutes, `0` lifts it.", truth(), json!("1"))])
        .done(204, "It is as asked.")
        .errors(&[NOT_IN_ROOM]),
        doc("GET", "v1/chatroom/*/members", "List members", "In the order of their coming.").query(paged(500)).answers(
            200,
            "A page of members.",
            page("users", member),
            page_example("users", json!({"username": "anna", "flag": 0, "room_ctime": time, "mtime": time, "ctime": time})),
        ),
        doc("PUT", "v1/chatroom/*/members", "Bring users in", "1 to 3000 names. Who is inside already is passed over.")
            .json(usernames(1, 3000), json!(["tommy"]))
            .done(204, "They are inside.")
            .errors(&[NO_NAMED_USER, GROUP_FULL]),
        doc("DELETE", "v1/chatroom/*/members", "Put users out", "1 to 3000 names, in the body. The owner cannot be put out.")
            .json(usernames(1, 3000), json!(["tommy"]))
            .done(204, "They are outside.")
            .errors(&[NO_NAMED_USER, NOT_IN_ROOM]),
    ]
}

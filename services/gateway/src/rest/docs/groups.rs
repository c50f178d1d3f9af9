//! Groups.

use serde_json::{Value, json};

use super::endpoint::{Doc, doc};
use super::errors::{Documented, GROUP_FULL, MEMBER_ALREADY, NO_GRANT, NO_MEMBER, NO_NAMED_USER, TOO_MANY_GROUPS};
use super::schema::{
    group_example, list, must, object, page, page_example, paged, r, text, truth, user_example, usernames, with,
};

pub(super) const TEXT: &str = "Groups have members, of whom one is the owner. A change is answered when it holds: who was added may send \
                               at once, who was removed may not.";

const ADDING: &[Documented] = &[NO_NAMED_USER, MEMBER_ALREADY, GROUP_FULL, TOO_MANY_GROUPS];

/// A member as lists show him.
pub(super) fn member() -> Value {
    with("User", &["flag"], json!({"flag": {"type": "integer", "enum": [0, 1], "description": "1: the owner."}}))
}

pub(super) fn member_example() -> Value {
    let mut member = user_example();
    if let Some(members) = member.as_object_mut() {
        members.insert("flag".into(), json!(1));
    }
    member
}

fn creation() -> Doc {
    let wanted = object(
        &["owner_username", "name"],
        json!({
            "owner_username": r("Username"), "name": text(1, 64, "1 to 64 bytes."),
            "members_username": {"type": "array", "items": r("Username"), "description": "The owner need not be named."},
            "desc": text(0, 250, "At most 250 bytes."), "avatar": text(0, 1024, "A `media_id`, or any text."),
            "flag": {"type": "integer", "enum": [1, 2], "default": 1, "description": "1 private, 2 public."},
        }),
    );
    let mut example = group_example();
    if let Some(members) = example.as_object_mut() {
        members.insert("members_username".into(), json!(["tommy"]));
    }
    doc("POST", "v1/groups", "Create a group", "With an owner, and members who are in it from the beginning.")
        .json(wanted, json!({"owner_username": "anna", "name": "hikers", "members_username": ["tommy"], "desc": "Sundays"}))
        .answers(
            201,
            "The group.",
            with("Group", &["members_username"], json!({"members_username": list(r("Username"))})),
            example,
        )
        .errors(&[NO_NAMED_USER, GROUP_FULL, TOO_MANY_GROUPS])
}

pub(super) fn docs() -> Vec<Doc> {
    let heir = json!({"username": r("Username"), "appkey": {"type": "string", "description": "Of the new owner, if of another app. `appKey` is read too."}});
    vec![
        creation(),
        doc("GET", "v1/groups", "List groups", "The groups of the app, in the order of their creation.")
            .query(paged(500))
            .answers(200, "A page of groups.", page("groups", r("Group")), page_example("groups", group_example())),
        doc("GET", "v1/groups/*", "Look a group up", "Without its members: they have a list of their own.")
            .answers(200, "The group.", r("Group"), group_example()),
        doc("PUT", "v1/groups/*", "Change a group", "Members that are given replace what was there.")
            .json(
                object(&[], json!({"name": text(1, 64, "1 to 64 bytes."), "desc": text(0, 250, ""), "avatar": text(0, 1024, "")})),
                json!({"name": "climbers"}),
            )
            .done(204, "The group is changed."),
        doc("DELETE", "v1/groups/*", "Dissolve a group", "All members are told.").done(204, "The group is gone."),
        doc("PUT", "v1/groups/owner/*", "Pass a group on", "The new owner must be a member.")
            .json(object(&["username"], heir), json!({"username": "tommy"}))
            .done(204, "He is the owner.")
            .errors(&[NO_NAMED_USER, NO_MEMBER, NO_GRANT]),
        doc("PUT", "v1/groups/messages/*/silence", "Silence members", "Who is silenced stays a member and cannot send, until it is lifted.")
            .query([must("status", "`true` silences, `false` lifts it.", truth(), json!("true"))])
            .json(usernames(1, 500), json!(["tommy"]))
            .done(204, "It is as asked.")
            .errors(&[NO_NAMED_USER, NO_MEMBER]),
        doc("GET", "v1/groups/*/members", "List members", "The owner first, then by joining. Members of other apps are in the list across apps.")
            .answers(200, "The members.", list(member()), json!([member_example()])),
        doc(
            "POST",
            "v1/groups/*/members",
            "Add and remove members",
            "First all are added, then all are removed. If somebody to be removed is no member, the added ones stay. The owner cannot \
             be removed.",
        )
        .json(r("NameChange"), json!({"add": ["lucy"], "remove": ["tommy"]}))
        .done(204, "It is as asked.")
        .errors(ADDING)
        .errors(&[NO_MEMBER]),
        doc("POST", "v2/groups/*/addMembers", "Add members", "The names alone.")
            .json(usernames(1, 500), json!(["lucy"]))
            .done(204, "They are members.")
            .errors(ADDING),
        doc("POST", "v2/groups/*/delMembers", "Remove members", "The names alone. The owner cannot be removed.")
            .json(usernames(1, 500), json!(["tommy"]))
            .done(204, "They are no members any more.")
            .errors(&[NO_NAMED_USER, NO_MEMBER]),
        doc("GET", "v1/users/*/groups", "List a user's groups", "Groups of this app; those of others are in the list across apps.")
            .answers(200, "The groups.", list(r("Group")), json!([group_example()])),
    ]
}

//! Across apps.

use serde_json::{Value, json};

use super::endpoint::{Doc, doc};
use super::errors::{
    BLACKLISTED_ALREADY, BLACKLISTS_ADMIN, DND_OFF, DND_ON, Documented, FRIENDS_ALREADY, GROUP_DND_OFF, GROUP_DND_ON, GROUP_FULL,
    MEMBER_ALREADY, NO_FRIENDS, NO_GRANT, NO_MEMBER, NO_NAMED_GROUP, NO_NAMED_USER, NOT_BLACKLISTED, NOT_IN_GROUP, NOT_IN_ROOM,
    TOO_MANY_GROUPS,
};
use super::groups::{member, member_example};
use super::relations::{note, quiet};
use super::schema::{any, array, group_example, list, object, r, text, user_example, usernames, with};

pub(super) const TEXT: &str = "Users of another app, which must have granted this one (`mynah app grant`). Own users may be named the same \
                               way. One object may stand for an array of one.";

const KEY: &str = "$OTHER_APPKEY";

fn appkey() -> Value {
    text(1, 64, "The app of the users.")
}

/// An array of objects, or one alone.
fn some(of: &Value) -> Value {
    any(vec![array(of.clone(), 1, 500), of.clone()])
}

/// Users of an app, by lists of names; or plain names of own users.
fn named(list: &str) -> Value {
    let mut properties = json!({"appkey": appkey()});
    if let Some(all) = properties.as_object_mut() {
        all.insert(list.into(), usernames(1, 500));
    }
    let one = object(&["appkey", list], properties);
    any(vec![array(one.clone(), 1, 500), one, usernames(1, 500)])
}

fn changes(most: u32) -> Value {
    let properties = json!({"appkey": appkey(), "add": usernames(0, most), "remove": usernames(0, most)});
    some(&object(&["appkey"], properties))
}

fn endpoint(
    method: &'static str,
    pattern: &'static str,
    summary: &'static str,
    text: &'static str,
    errors: &[Documented],
) -> Doc {
    doc(method, pattern, summary, text).errors(&[NO_NAMED_USER, NO_GRANT]).errors(errors)
}

fn lists() -> Vec<Doc> {
    let mut group = group_example();
    if let Some(members) = group.as_object_mut() {
        members.insert("max_member_count".into(), json!(500));
    }
    let shown = with("Group", &["max_member_count"], json!({"max_member_count": {"type": "integer"}}));
    vec![
        doc("GET", "v1/cross/groups/*/members", "List members of all apps", "As the plain list, with the members of other apps.")
            .answers(200, "The members.", list(member()), json!([member_example()])),
        doc("GET", "v1/cross/users/*/groups", "List a user's groups of all apps", "`appkey` tells whose a group is.").answers(
            200,
            "The groups.",
            list(shown),
            json!([group]),
        ),
        doc("GET", "v1/cross/users/*/blacklist", "List a blacklist of all apps", "Own users and those of other apps.").answers(
            200,
            "The users.",
            list(r("User")),
            json!([user_example()]),
        ),
    ]
}

pub(super) fn docs() -> Vec<Doc> {
    let quiet = {
        let mut properties = quiet();
        if let Some(all) = properties.as_object_mut() {
            all.insert("appkey".into(), appkey());
        }
        some(&object(&["appkey"], properties))
    };
    let noted = some(&note(&["appkey", "username"], &json!({"appkey": appkey(), "username": r("Username")})));
    let members = [MEMBER_ALREADY, GROUP_FULL, NO_MEMBER, TOO_MANY_GROUPS];
    let dnd = [DND_ON, DND_OFF, NO_NAMED_GROUP, NOT_IN_GROUP, GROUP_DND_ON, GROUP_DND_OFF];
    let mut docs = vec![
        endpoint(
            "POST",
            "v1/cross/groups/*/members",
            "Change members of several apps",
            "Each element adds or removes somebody. The group is of this app.",
            &members,
        )
        .json(changes(500), json!([{"appkey": KEY, "add": ["lucy"]}]))
        .done(204, "It is as asked."),
        endpoint(
            "PUT",
            "v1/cross/users/*/blacklist",
            "Add users of other apps to a blacklist",
            "Plain names are users of this app.",
            &[BLACKLISTED_ALREADY, BLACKLISTS_ADMIN],
        )
        .json(named("usernames"), json!([{"appkey": KEY, "usernames": ["lucy"]}]))
        .done(204, "All are in it."),
        endpoint(
            "DELETE",
            "v1/cross/users/*/blacklist",
            "Remove users of other apps from a blacklist",
            "Plain names are users of this app.",
            &[NOT_BLACKLISTED],
        )
        .json(named("usernames"), json!([{"appkey": KEY, "usernames": ["lucy"]}]))
        .done(204, "None is in it."),
        endpoint(
            "POST",
            "v1/cross/users/*/nodisturb",
            "Change do-not-disturb for other apps",
            "For users and groups of the apps that are named.",
            &dnd,
        )
        .json(quiet, json!([{"appkey": KEY, "single": {"add": ["lucy"]}}]))
        .done(204, "It is as asked."),
        endpoint(
            "POST",
            "v1/cross/users/*/friends",
            "Make friends in other apps",
            "The friendship is mutual at once.",
            &[FRIENDS_ALREADY],
        )
        .json(named("users"), json!({"appkey": KEY, "users": ["lucy"]}))
        .done(201, "They are friends; there is no body."),
        endpoint(
            "DELETE",
            "v1/cross/users/*/friends",
            "End friendships with other apps' users",
            "The friendship ends for both.",
            &[NO_FRIENDS],
        )
        .json(named("users"), json!({"appkey": KEY, "users": ["lucy"]}))
        .done(204, "They are no friends any more."),
        endpoint(
            "PUT",
            "v1/cross/users/*/friends",
            "Note friends of other apps",
            "As the plain call, with the app of each friend.",
            &[NO_FRIENDS],
        )
        .json(noted, json!([{"appkey": KEY, "username": "lucy", "note_name": "Lu"}]))
        .done(204, "The notes are kept."),
        endpoint(
            "POST",
            "v1/cross/chatroom/*/members",
            "Change members of a chatroom across apps",
            "Each element adds or removes somebody.",
            &[NOT_IN_ROOM, GROUP_FULL],
        )
        .json(changes(3000), json!([{"appkey": KEY, "add": ["lucy"]}]))
        .done(204, "It is as asked."),
    ];
    docs.extend(lists());
    docs
}

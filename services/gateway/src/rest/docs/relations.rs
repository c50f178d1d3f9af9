//! Blacklists, friends, do not disturb, shielded groups.

use serde_json::{Value, json};

use super::endpoint::{Doc, doc};
use super::errors::{
    ALL_DND_ON, BLACKLISTED_ALREADY, BLACKLISTS_ADMIN, DND_OFF, DND_ON, FRIENDS_ALREADY, GROUP_DND_OFF, GROUP_DND_ON, NO_FRIENDS,
    NO_NAMED_GROUP, NO_NAMED_USER, NOT_BLACKLISTED, NOT_IN_GROUP, SHIELD_OFF, SHIELD_ON,
};
use super::schema::{any, array, list, object, r, switch, text, user_example, usernames, with};

pub(super) const TEXT: &str = "What a user wants of others. Each call is all or nothing.";

fn names_of_friends() -> Value {
    usernames(1, 500)
}

/// A note of a friend: at least one of its two texts.
pub(super) fn note(required: &[&str], more: &Value) -> Value {
    let texts =
        json!({"note_name": text(0, 64, "At most 64 bytes, without line breaks."), "others": text(0, 250, "At most 250 bytes.")});
    let mut properties = more.clone();
    if let (Some(all), Value::Object(texts)) = (properties.as_object_mut(), texts) {
        all.extend(texts);
    }
    let one_of = |name: &str| object(&[required, &[name]].concat(), properties.clone());
    any(vec![one_of("note_name"), one_of("others")])
}

/// Users and groups that do not disturb.
pub(super) fn quiet() -> Value {
    let names = || usernames(0, 500);
    json!({
        "single": object(&[], json!({"add": names(), "remove": names()})),
        "group": object(&[], json!({"add": r("GroupIds"), "remove": r("GroupIds")})),
    })
}

fn do_not_disturb() -> Doc {
    let mut properties = quiet();
    if let Some(all) = properties.as_object_mut() {
        all.insert("global".into(), switch("1: nothing disturbs."));
    }
    doc(
        "POST",
        "v1/users/*/nodisturb",
        "Change do-not-disturb",
        "For users, for groups, for everything; each part may be left out. Messages still come; devices do not ring. Switching \
         `global` off when it is off is no error.",
    )
    .json(object(&[], properties), json!({"single": {"add": ["tommy"]}, "global": 0}))
    .done(204, "It is as asked.")
    .errors(&[NO_NAMED_USER, DND_ON, DND_OFF, NO_NAMED_GROUP, NOT_IN_GROUP, GROUP_DND_ON, GROUP_DND_OFF, ALL_DND_ON])
}

fn shield() -> Doc {
    let change = object(&[], json!({"add": r("GroupIds"), "remove": r("GroupIds")}));
    doc(
        "POST",
        "v1/users/*/groupsShield",
        "Shield groups",
        "The user gets no messages of a shielded group at all. At least one group.",
    )
    .json(change, json!({"add": [10_000_001]}))
    .done(204, "It is as asked.")
    .errors(&[NO_NAMED_GROUP, NOT_IN_GROUP, SHIELD_ON, SHIELD_OFF])
}

pub(super) fn docs() -> Vec<Doc> {
    let one_note = note(&["username"], &json!({"username": r("Username")}));
    let friend = with("User", &[], json!({"note_name": {"type": "string"}, "others": {"type": "string"}}));
    vec![
        doc("PUT", "v1/users/*/blacklist", "Add to a blacklist", "Who is in it cannot send to the user. Not himself, no admins.")
            .json(usernames(1, 500), json!(["tommy"]))
            .done(204, "All are in it.")
            .errors(&[NO_NAMED_USER, BLACKLISTED_ALREADY, BLACKLISTS_ADMIN]),
        doc("DELETE", "v1/users/*/blacklist", "Remove from a blacklist", "The names stand in the body.")
            .json(usernames(1, 500), json!(["tommy"]))
            .done(204, "None is in it.")
            .errors(&[NO_NAMED_USER, NOT_BLACKLISTED]),
        doc("GET", "v1/users/*/blacklist", "List a blacklist", "Users of this app; those of others are in the list across apps.")
            .answers(200, "The users.", list(r("User")), json!([user_example()])),
        doc("POST", "v1/users/*/friends", "Make friends", "The friendship is mutual at once.")
            .json(names_of_friends(), json!(["tommy"]))
            .done(201, "They are friends; there is no body.")
            .errors(&[NO_NAMED_USER, FRIENDS_ALREADY]),
        doc("DELETE", "v1/users/*/friends", "End friendships", "The friendship ends for both. The names stand in the body.")
            .json(names_of_friends(), json!(["tommy"]))
            .done(204, "They are no friends any more.")
            .errors(&[NO_NAMED_USER, NO_FRIENDS]),
        doc(
            "PUT",
            "v1/users/*/friends",
            "Note friends",
            "The user's own note of a friend; the friend does not see it. One alone may stand for an array.",
        )
        .json(
            any(vec![array(one_note.clone(), 1, 500), one_note]),
            json!([{"username": "tommy", "note_name": "Tom", "others": "from school"}]),
        )
        .done(204, "The notes are kept.")
        .errors(&[NO_NAMED_USER, NO_FRIENDS]),
        doc("GET", "v1/users/*/friends", "List friends", "Friends of other apps too: `appkey` tells whose.").answers(
            200,
            "The friends, with the user's notes.",
            list(friend),
            json!([user_example()]),
        ),
        do_not_disturb(),
        shield(),
    ]
}

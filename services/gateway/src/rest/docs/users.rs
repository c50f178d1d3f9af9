//! Users and admins.

use serde_json::{Value, json};

use super::endpoint::{Doc, doc};
use super::errors::{NO_NAMED_USER, TOO_MANY_USERS, USER_EXISTS};
use super::schema::{any, array, list, must, object, page, page_example, paged, r, text, truth, user_example, usernames, with};

pub(super) const TEXT: &str = "The people of an app. An admin is a user who may also send by the API; users and admins share one \
                               space of names.";

fn account() -> Value {
    with("Profile", &["username", "password"], json!({"username": r("Username"), "password": text(4, 128, "4 to 128 bytes.")}))
}

fn platforms() -> Value {
    let truth = json!({"type": "boolean"});
    let platform = json!({"type": "string", "enum": ["a", "i", "j", "w"], "description": "Android, iOS, browser, desktop."});
    list(object(&["platform", "login", "online"], json!({"platform": platform, "login": truth, "online": truth})))
}

fn states_of_names(method: &'static str, pattern: &'static str, summary: &'static str) -> Doc {
    let state = object(
        &["username", "devices", "statuscode"],
        json!({
            "username": r("Username"), "devices": platforms(),
            "statuscode": {"type": "integer", "enum": [0, 1], "description": "1: there is no such user."},
            "statusmsg": {"type": "string"},
        }),
    );
    let example = json!([
        {"username": "anna", "devices": [{"platform": "a", "login": true, "online": false}], "statuscode": 0},
        {"username": "nobody", "devices": [], "statuscode": 1, "statusmsg": "no_exist"},
    ]);
    doc(method, pattern, summary, "As `/v1/users/userstat`, but a missing user is no error: his `statuscode` is 1.")
        .json(usernames(1, 500), json!(["anna", "nobody"]))
        .answers(200, "One element a name, in the order of the request.", list(state), example)
}

fn profile_example() -> Value {
    json!({"nickname": "Anna", "signature": "on the road", "gender": 2})
}

fn registration() -> Doc {
    let failed = object(&["error"], json!({"username": {"type": "string"}, "error": r("Error/properties/error")}));
    let each = list(any(vec![r("Registered"), failed]));
    let example = json!([{"username": "anna"}, {"username": "tommy", "error": {"code": 899_001, "message": "user exist"}}]);
    doc(
        "POST",
        "v1/users",
        "Register users",
        "Makes 1 to 500 users. Each element stands alone: those in order are made though others fail. If none is made, the \
         status is that of the first failure, and the body is the array all the same.",
    )
    .json(
        array(account(), 1, 500),
        json!([{"username": "anna", "password": "secret"}, {"username": "tommy", "password": "secret"}]),
    )
    .answers(
        201,
        "At least one was made: one element each, in order. An element that failed carries `error`.",
        each.clone(),
        example,
    )
    .errors(&[USER_EXISTS, TOO_MANY_USERS])
    .refused_as(&[400, 403], each)
}

pub(super) fn docs() -> Vec<Doc> {
    vec![
        registration(),
        doc("GET", "v1/users", "List users", "The users of the app in the order of their registration, without admins.")
            .query(paged(500))
            .answers(200, "A page of users.", page("users", r("User")), page_example("users", user_example())),
        doc(
            "DELETE",
            "v1/users",
            "Delete users",
            "Deletes 1 to 100 users, all or none. What it does is told at the single deletion.",
        )
        .json(usernames(1, 100), json!(["tommy"]))
        .done(204, "All are deleted.")
        .errors(&[NO_NAMED_USER]),
        doc("GET", "v1/users/*", "Look a user up", "The profile of a user or admin. Members without a value are left out.")
            .answers(200, "The user.", r("User"), user_example()),
        doc(
            "PUT",
            "v1/users/*",
            "Change a profile",
            "Members that are given replace what was there; `\"\"` clears a text, `extras` is replaced as a whole. \
             `username` and `password` are ignored.",
        )
        .json(r("Profile"), profile_example())
        .done(204, "The profile is changed."),
        doc(
            "DELETE",
            "v1/users/*",
            "Delete a user",
            "He leaves his groups and chatrooms, friendships and blacklists end, his devices are put out. His groups pass to the \
             earliest member; his chatrooms are deleted. The name may be registered again, by somebody else.",
        )
        .done(204, "The user is deleted."),
        doc("PUT", "v1/users/*/password", "Set a password", "Sets a new password and ends the user's device sessions.")
            .json(
                object(&["new_password"], json!({"new_password": text(4, 128, "4 to 128 bytes.")})),
                json!({"new_password": "other-secret"}),
            )
            .done(204, "The password is set."),
        doc(
            "PUT",
            "v1/users/*/forbidden",
            "Disable or enable a user",
            "A disabled user cannot log in, and his devices are put out.",
        )
        .query([must("disable", "`true` disables, `false` enables.", truth(), json!("true"))])
        .done(204, "It is as asked."),
        doc(
            "GET",
            "v1/users/*/userstat",
            "See whether a user is online",
            "Over all his devices: any that is logged in, any that is connected.",
        )
        .answers(
            200,
            "Where he stands.",
            object(&["login", "online"], json!({"login": {"type": "boolean"}, "online": {"type": "boolean"}})),
            json!({"login": true, "online": false}),
        ),
        doc(
            "POST",
            "v1/users/userstat",
            "See which users are online",
            "For 1 to 500 users, by platform. A missing user refuses the whole call.",
        )
        .json(usernames(1, 500), json!(["anna"]))
        .answers(
            200,
            "One element a user, in the order of the request; no devices: never logged in.",
            list(object(&["username", "devices"], json!({"username": r("Username"), "devices": platforms()}))),
            json!([{"username": "anna", "devices": [{"platform": "a", "login": true, "online": false}]}]),
        )
        .errors(&[NO_NAMED_USER]),
        states_of_names("POST", "v2/users/statuser", "See which users are online, missing ones too"),
        states_of_names("POST", "v2/users/userstat", "See which users are online, by another name of the call"),
        doc("POST", "v1/admins", "Register an admin", "One admin, as an object or as an array of one.")
            .json(any(vec![account(), array(account(), 1, 1)]), json!({"username": "admin", "password": "secret"}))
            .done(201, "The admin is made; there is no body.")
            .errors(&[USER_EXISTS]),
        doc("GET", "v1/admins", "List admins", "The admins of the app in the order of their registration.")
            .query(paged(500))
            .answers(200, "A page of admins.", page("users", r("User")), page_example("users", admin_example())),
        doc("GET", "v1/admins/*", "Look an admin up", "As for a user; somebody who is no admin is not there.").answers(
            200,
            "The admin.",
            r("User"),
            admin_example(),
        ),
        doc("PUT", "v1/admins/*", "Change an admin's profile", "As for a user; somebody who is no admin is not there.")
            .json(r("Profile"), profile_example())
            .done(204, "The profile is changed."),
    ]
}

fn admin_example() -> Value {
    json!({"username": "admin", "ctime": "2026-01-01 10:00:00", "mtime": "2026-01-01 10:00:00"})
}

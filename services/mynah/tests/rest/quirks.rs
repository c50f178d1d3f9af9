//! What clients send that cannot be run here: requests as their sources write them, each on
//! a world of its own. What the contract's cases or the suites of real clients (`tests/clients`) show already is not repeated.

use serde_json::{Value, json};

use crate::faults::World;
use crate::world::{Answer, Server};

/// A request as a client writes it. `$group`, `$room`, `$message` and `$appkey` stand for those of the world.
struct Quirk {
    client: &'static str,
    what: &'static str,
    request: (&'static str, &'static str, &'static str),
    content_type: Option<&'static str>,
    status: u16,
    code: Option<u64>,
    /// What another call shows then: its path, where in its answer, and what stands there. Null: nothing.
    then: Option<(&'static str, &'static str, Value)>,
}

impl Quirk {
    fn kind(self, content_type: &'static str) -> Self {
        Self { content_type: Some(content_type), ..self }
    }

    fn then(self, path: &'static str, pointer: &'static str, shows: Value) -> Self {
        Self { then: Some((path, pointer, shows)), ..self }
    }
}

fn taken(client: &'static str, what: &'static str, request: (&'static str, &'static str, &'static str), status: u16) -> Quirk {
    Quirk { client, what, request, content_type: Some("application/json"), status, code: None, then: None }
}

fn refused(
    client: &'static str,
    what: &'static str,
    request: (&'static str, &'static str, &'static str),
    (status, code): (u16, u64),
) -> Quirk {
    Quirk { code: Some(code), ..taken(client, what, request, status) }
}

#[rustfmt::skip]
fn transport() -> Vec<Quirk> {
    vec![
        taken("go", "the method in mixed case", ("Get", "/v1/users/anna", ""), 200),
        taken("php", "a version doubled by a slash, in v2 too", ("POST", "/v2//users/userstat", r#"["anna"]"#), 200),
        taken("php", "JSON is announced where there is no body", ("PUT", "/v1/users/anna/forbidden?disable=true", ""), 204),
        taken("py1", "a colon in the type of a call without a body", ("DELETE", "/v1/users/lucy", ""), 204)
            .kind("application/json;charset:utf-8").then("/v1/users/lucy", "/error/code", json!(899_002)),
        taken("py1", "a body that is no JSON on a GET", ("GET", "/v1/users/anna/blacklist", "anna"), 200)
            .kind("application/json;charset:utf-8"),
        taken("cs", "white space around and inside", ("PUT", "/v1/users/lucy/blacklist", "\r\n[\r\n  \"anna\"\r\n]\r\n"), 204)
            .kind("application/json; charset=utf-8").then("/v1/users/lucy/blacklist", "/0/username", json!("anna")),
        taken("cs", "a mark of byte order before the JSON", ("PUT", "/v1/users/lucy", "\u{feff}{\"nickname\":\"Lu\"}"), 204)
            .then("/v1/users/lucy", "/nickname", json!("Lu")),
        taken("node", "no type at all", ("POST", "/v1/users/", r#"[{"username":"newbie","password":"secret"}]"#), 201)
            .kind("").then("/v1/users/newbie", "/username", json!("newbie")),
        taken("any", "a form's type over JSON", ("PUT", "/v1/users/lucy", r#"{"nickname":"Lu"}"#), 204)
            .kind("application/x-www-form-urlencoded").then("/v1/users/lucy", "/nickname", json!("Lu")),
        taken("go", "escapes in the path", ("GET", "/v1/users/%61nna", ""), 200),
        taken("php", "no slash at the end of a list", ("GET", "/v1/groups?start=0&count=10", ""), 200),
        taken("py2", "a slash at the end of members", ("GET", "/v1/groups/$group/members/", ""), 200),
        taken("py2", "a slash at the end of a room's members", ("GET", "/v1/chatroom/$room/members/?start=0&count=10", ""), 200),
        taken("node", "a slash at the end of the words", ("GET", "/v1/sensitiveword/?start=0&count=100", ""), 200),
        taken("seed", "no version before cross", ("GET", "/cross/groups/$group/members/", ""), 200),
        refused("any", "v2 paths need their version", ("POST", "/groups/$group/addMembers", r#"["lucy"]"#), (404, 899_003)),
    ]
}

#[rustfmt::skip]
fn without_body() -> Vec<Quirk> {
    vec![
        taken("node", "{} to put out a user", ("PUT", "/v1/users/anna/forbidden?disable=true", "{}"), 204),
        taken("node", "{} to delete a room", ("DELETE", "/v1/chatroom/$room", "{}"), 204)
            .then("/v1/users/anna/chatroom", "/0", Value::Null),
        taken("node", "{} to mute", ("PUT", "/v1/chatroom/$room/forbidden/tommy?status=1", "{}"), 204)
            .then("/v1/chatroom/$room/members", "/users/1/flag", json!(1)),
        taken("node", "{} to take back a message", ("POST", "/v1/messages/admin/$message/retract", "{}"), 204),
        taken("java", "nothing to take back a message", ("POST", "/v1/messages/admin/$message/retract", ""), 204),
        refused("node", "{} to take from a blacklist", ("DELETE", "/v1/users/anna/blacklist", "{}"), (400, 899_003))
            .then("/v1/users/anna/blacklist", "/0/username", json!("tommy")),
        refused("php", "an empty list is no body", ("PUT", "/v1/users/lucy/blacklist", ""), (400, 899_003)),
        refused("node", "another path for forbidden", ("PUT", "/v1/users/anna/nodisturb?disable=true", "{}"), (405, 899_003)),
        refused("node", "an upload as JSON", ("POST", "/v1/resource/?type=image", "{}"), (400, 899_003)),
    ]
}

#[rustfmt::skip]
fn users() -> Vec<Quirk> {
    vec![
        taken("cs", "a registration whose other members are null", ("POST", "/v1/users", r#"[{"username":"newbie","password":"secret",
            "nickname":null,"avatar":null,"birthday":null,"signature":null,"gender":0,"region":null,"address":null,"extras":null}]"#), 201)
            .then("/v1/users/newbie", "/gender", json!(0)),
        taken("go", "the birthday as star", ("POST", "/v1/users/", r#"[{"username":"newbie","password":"secret","star":"1990-01-24"}]"#), 201)
            .then("/v1/users/newbie", "/birthday", Value::Null),
        taken("go", "the gender as a text", ("PUT", "/v1/users/lucy", r#"{"gender":"2"}"#), 204)
            .then("/v1/users/lucy", "/gender", json!(2)),
        refused("go", "extras as a text", ("PUT", "/v1/users/lucy", r#"{"nickname":"Lu","extras":"{\"a\":1}"}"#), (400, 899_003))
            .then("/v1/users/lucy", "/nickname", Value::Null),
        taken("php", "extras as an empty list", ("PUT", "/v1/users/lucy", r#"{"extras":[]}"#), 204)
            .then("/v1/users/lucy", "/extras", json!({})),
        taken("php", "one admin with members of a user", ("POST", "/v1/admins", r#"{"username":"chief","password":"secret","nickname":"C"}"#), 201)
            .then("/v1/users/chief", "/nickname", json!("C")),
        taken("node", "a profile of an admin by the admin's path", ("PUT", "/v1/admins/admin", r#"{"nickname":"A"}"#), 204)
            .then("/v1/admins/admin", "/nickname", json!("A")),
        taken("py2", "0 and 1 for a truth in the query", ("PUT", "/v1/users/anna/forbidden?disable=1", ""), 204),
        taken("cs", "a name twice in a list", ("PUT", "/v1/users/lucy/blacklist", r#"["anna","anna"]"#), 204)
            .then("/v1/users/lucy/blacklist", "/1", Value::Null),
        taken("php", "one part of do not disturb alone", ("POST", "/v1/users/anna/nodisturb", r#"{"group":{"add":[$group]}}"#), 204),
        taken("cs", "do not disturb with null parts", ("POST", "/v1/users/anna/nodisturb",
            r#"{"single":{"add":["tommy"],"remove":null},"group":null,"global":null}"#), 204),
        taken("php", "a group's id as a text", ("POST", "/v1/users/anna/nodisturb", r#"{"group":{"add":["$group"]}}"#), 204),
        taken("php", "a shield's id as a text", ("POST", "/v1/users/anna/groupsShield", r#"{"add":["$group"],"remove":null}"#), 204),
        taken("py2", "a note as one object", ("PUT", "/v1/users/anna/friends", r#"{"username":"tommy","note_name":"T"}"#), 204)
            .then("/v1/users/anna/friends", "/0/note_name", json!("T")),
        refused("php", "one name where a list is wanted", ("PUT", "/v1/groups/messages/$group/silence?status=true", r#""tommy""#), (400, 899_003)),
    ]
}

#[rustfmt::skip]
fn groups_and_rooms() -> Vec<Quirk> {
    vec![
        taken("cs", "a group as it was read", ("PUT", "/v1/groups/$group", r#"{"name":"new","owner_username":null,"MaxMemberCount":7,
            "ctime":"2017-01-01 00:00:00","flag":2}"#), 204)
            .then("/v1/groups/$group", "/MaxMemberCount", json!(500)),
        taken("php", "a group's change without members", ("PUT", "/v1/groups/$group", "{}"), 204)
            .then("/v1/groups/$group", "/name", json!("g1")),
        taken("cs", "one list of a change null", ("POST", "/v1/groups/$group/members", r#"{"add":["lucy"],"remove":null}"#), 204)
            .then("/v1/groups/$group/members", "/2/username", json!("lucy")),
        taken("php", "one list of a change empty", ("POST", "/v1/groups/$group/members", r#"{"add":[],"remove":["tommy"]}"#), 204)
            .then("/v1/groups/$group/members", "/1", Value::Null),
        taken("cs", "a room as it was read", ("PUT", "/v1/chatroom/$room", r#"{"Id":$room,"name":"salon","owner_username":null,
            "description":"d","flag":0,"max_member_count":3,"total_member_count":9}"#), 204)
            .then("/v1/users/anna/chatroom", "/0/max_member_count", json!(10_000)),
        taken("cs", "a room with an id of null", ("POST", "/v1/chatroom", r#"{"Id":null,"name":"salon","owner_username":"lucy"}"#), 201)
            .then("/v1/users/lucy/chatroom", "/0/name", json!("salon")),
        taken("php", "a room's id as a text", ("POST", "/v1/chatroom/batch", r#"["$room"]"#), 200),
        taken("java", "the new owner beside another spelling", ("PUT", "/v1/groups/owner/$group", r#"{"appKey":null,"username":"tommy"}"#), 204)
            .then("/v1/groups/$group", "/owner_username", json!("tommy")),
        taken("node", "words to delete as a list", ("DELETE", "/v1/sensitiveword/", r#"["one","two"]"#), 204),
        taken("node", "the registration switch in the body", ("PUT", "/v1/sdkregister/status", r#"{"status":0}"#), 204)
            .then("/v1/sdkregister/status", "/status", json!(0)),
    ]
}

#[rustfmt::skip]
fn messages() -> Vec<Quirk> {
    vec![
        taken("go", "no_offline as a text, extra beside the text", ("POST", "/v1/messages", r#"{"version":1,"target_type":"single",
            "target_id":"tommy","from_type":"admin","from_id":"admin","msg_type":"text","msg_body":{"text":"hi","extra":{"a":1}},
            "no_offline":"true","no_notification":false}"#), 201),
        refused("go", "a picture without width and height", ("POST", "/v1/messages", r#"{"version":1,"target_type":"single",
            "target_id":"tommy","from_type":"admin","from_id":"admin","msg_type":"image","msg_body":{"media_id":"m","media_crc32":1,
            "format":"png","fsize":1}}"#), (400, 899_003)),
        taken("php", "empty objects as lists", ("POST", "/v1/messages", r#"{"version":1,"target_type":"single","target_id":"tommy",
            "from_type":"admin","from_id":"admin","msg_type":"text","msg_body":{"text":"hi","extras":[]},"notification":[]}"#), 201),
        taken("php", "numbers as texts", ("POST", "/v1/messages", r#"{"version":"1","target_type":"group","target_id":$group,
            "from_type":"admin","from_id":"admin","msg_type":"text","msg_body":{"text":"hi"}}"#), 201),
        refused("php", "a body as an empty list", ("POST", "/v1/messages", r#"{"version":1,"target_type":"single",
            "target_id":"tommy","from_type":"admin","from_id":"admin","msg_type":"custom","msg_body":[]}"#), (400, 899_003)),
        taken("cs", "names of null, switches that are set", ("POST", "/v1/messages/", r#"{"version":1,"target_type":"chatroom",
            "target_id":"$room","target_appkey":null,"target_name":null,"from_type":"admin","from_id":"admin","from_name":null,
            "no_offline":false,"no_notification":true,"msg_type":"text","msg_body":{"text":"hi","extras":null}}"#), 201),
    ]
}

#[rustfmt::skip]
fn cross() -> Vec<Quirk> {
    vec![
        taken("cs", "plain names without an app", ("PUT", "/v1/cross/users/lucy/blacklist", r#"["anna"]"#), 204)
            .then("/v1/cross/users/lucy/blacklist", "/0/username", json!("anna")),
        taken("cs", "one object to take from a blacklist", ("DELETE", "/v1/cross/users/anna/blacklist",
            r#"{"appkey":"$appkey","usernames":["tommy"]}"#), 204)
            .then("/v1/users/anna/blacklist", "/0", Value::Null),
        taken("seed", "blanks around the key of an app", ("PUT", "/v1/cross/users/lucy/blacklist",
            r#"[{"appkey":" $appkey","usernames":["anna"]}]"#), 204)
            .then("/v1/users/lucy/blacklist", "/0/username", json!("anna")),
        taken("php", "friends as one object", ("POST", "/v1/cross/users/lucy/friends", r#"{"appkey":"$appkey","users":["anna"]}"#), 201)
            .then("/v1/users/anna/friends", "/1/username", json!("lucy")),
        taken("php", "friends as a list of objects", ("DELETE", "/v1/cross/users/anna/friends",
            r#"[{"appkey":"$appkey","users":["tommy"]}]"#), 204)
            .then("/v1/users/anna/friends", "/0", Value::Null),
        taken("php", "lists of null beside a list", ("POST", "/v1/cross/users/anna/nodisturb",
            r#"[{"appkey":"$appkey","group":{"add":[$group],"remove":null}}]"#), 204),
    ]
}

fn fill(text: &str, world: &World) -> String {
    text.replace("$group", &world.group.to_string())
        .replace("$room", &world.room.to_string())
        .replace("$message", &world.message.to_string())
        .replace("$appkey", &world.app.appkey)
}

/// An error tells how it is broken.
async fn run(server: &Server, quirk: &Quirk) -> Result<(), String> {
    let world = World::new(server).await;
    let mut sender = world.app.clone();
    sender.content_type = quirk.content_type.filter(|kind| !kind.is_empty());
    let (method, path, body) = quirk.request;
    let answer = sender.raw(method, &fill(path, &world), fill(body, &world)).await;
    let shown = |answer: &Answer| format!("{} {}", answer.status, String::from_utf8_lossy(&answer.bytes));
    if answer.status != quirk.status || answer.code() != quirk.code {
        return Err(shown(&answer));
    }
    let Some((path, pointer, shows)) = &quirk.then else { return Ok(()) };
    let after = world.app.call("GET", &fill(path, &world), &Value::Null).await;
    let found = after.body.pointer(pointer).unwrap_or(&Value::Null);
    if found == shows { Ok(()) } else { Err(format!("then {path} has {found} at {pointer}: {}", shown(&after))) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_write_is_read() {
    let server = Server::start().await;
    let mut broken = Vec::new();
    for quirk in [transport(), without_body(), users(), groups_and_rooms(), messages(), cross()].iter().flatten() {
        if let Err(why) = run(&server, quirk).await {
            broken.push(format!("[{}] {}: {why}", quirk.client, quirk.what));
        }
    }
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
}

//! Every code that is documented can be had: one way for each status and code.

use std::collections::{BTreeMap, BTreeSet};

use mynah_gateway::openapi;
use mynah_settings::Product;
use serde_json::{Value, json};

use crate::setup::{Made, set_up};
use crate::world::{Answer, App, Server};

/// What only a fault of the server answers.
const ONLY_BY_A_FAULT: &[(u16, u64)] = &[(500, 899_000)];

/// How a code is had: the status and code, what is there before, and the call. `$g`, `$r`, `$m` stand for the group, room, message.
type Way = (u16, u64, &'static str, &'static str, &'static str, Value);

fn text(from_type: &str, from: &str, kind: &str, to: &str, text: &str) -> Value {
    json!({
        "version": 1, "target_type": kind, "target_id": to, "from_type": from_type, "from_id": from,
        "msg_type": "text", "msg_body": {"text": text},
    })
}

fn ways() -> Vec<Way> {
    let user = |name: &str| json!([{"username": name, "password": "secret"}]);
    let many: Value = (0..501).map(|n| json!({"username": format!("gen{n:05}"), "password": "secret"})).collect();
    let (none, dnd) = (Value::Null, "/v1/users/u1001/nodisturb");
    let (shield, retract) = ("/v1/users/u1002/groupsShield", "/v1/messages/adm1/$m/retract");
    let mut ways = vec![
        (401, 899_007, "send no header", "GET", "/v1/users", none.clone()),
        (401, 899_008, "send wrong secret", "GET", "/v1/users", none.clone()),
        (401, 899_009, "unknown appKey", "GET", "/v1/users", none.clone()),
        (400, 899_003, "none", "POST", "/v1/users", json!([])),
        (404, 899_003, "none", "GET", "/v1/resource?mediaId=nothing", none.clone()),
        (404, 899_003, "none", "GET", "/v1/nothing", none.clone()),
        (405, 899_003, "none", "DELETE", "/v1/messages", none.clone()),
        (404, 899_002, "none", "GET", "/v1/users/u1001", none.clone()),
        (400, 899_002, "u1001", "PUT", "/v1/users/u1001/blacklist", json!(["nobody"])),
        (403, 899_001, "u1001", "POST", "/v1/users", user("u1001")),
        (400, 899_013, "none", "POST", "/v1/users", many),
        (403, 899_006, "none", "GET", "/v1/groups/10009999", none.clone()),
        (400, 899_011, "g1 member u1002, u1002", "POST", "/v2/groups/$g/addMembers", json!(["u1002"])),
        (400, 899_012, "g1 with 500 members, u1900", "POST", "/v2/groups/$g/addMembers", json!(["u1900"])),
        (400, 899_014, "g1 u1001 u1002", "POST", "/v2/groups/$g/delMembers", json!(["u1002"])),
        (400, 899_015, "u1900 in most groups, g1", "POST", "/v2/groups/$g/addMembers", json!(["u1900"])),
        (403, 899_016, "u1001 u1002", "POST", "/v1/messages", text("admin", "u1001", "single", "u1002", "hi")),
        (400, 899_017, "u1001 u1002, u1002 in u1001's blacklist", "PUT", "/v1/users/u1001/blacklist", json!(["u1002"])),
        (403, 899_018, "u1001 adm1", "PUT", "/v1/users/u1001/blacklist", json!(["adm1"])),
        (400, 899_019, "u1001 u1002", "DELETE", "/v1/users/u1001/blacklist", json!(["u1002"])),
        (403, 899_020, "u1001", "PUT", "/v1/cross/users/u1001/blacklist", json!([{"appkey": "none", "usernames": ["u1002"]}])),
        (400, 899_043, "single DND for u1002 on", "POST", dnd, json!({"single": {"add": ["u1002"]}})),
        (400, 899_044, "u1001 u1002", "POST", dnd, json!({"single": {"remove": ["u1002"]}})),
        (400, 899_047, "group DND on", "POST", dnd, json!({"group": {"add": ["$g"]}})),
        (400, 899_049, "g1", "POST", dnd, json!({"group": {"remove": ["$g"]}})),
        (400, 899_048, "global DND on", "POST", dnd, json!({"global": 1})),
        (400, 899_051, "u1001", "POST", dnd, json!({"group": {"add": [10_009_999]}})),
        (400, 899_046, "g1 u1002", "POST", "/v1/users/u1002/nodisturb", json!({"group": {"add": ["$g"]}})),
        (400, 899_052, "shield on", "POST", shield, json!({"add": ["$g"]})),
        (400, 899_053, "g1 member u1002, u1002", "POST", shield, json!({"remove": ["$g"]})),
        (400, 899_070, "u1001-u1002 friends, u1001 u1002", "POST", "/v1/users/u1001/friends", json!(["u1002"])),
        (400, 899_071, "u1001 u1002", "DELETE", "/v1/users/u1001/friends", json!(["u1002"])),
        (404, 899_081, "none", "DELETE", "/v1/chatroom/10009999", none.clone()),
        (400, 899_082, "r1 u1002", "DELETE", "/v1/chatroom/$r/members", json!(["u1002"])),
    ];
    ways.extend([
        (404, 855_003, "adm1", "POST", "/v1/messages/adm1/999/retract", none.clone()),
        (403, 855_002, "m1 by adm1, adm1", "POST", "/v1/messages/u1001/$m/retract", none.clone()),
        (400, 855_004, "m1 retracted", "POST", retract, none.clone()),
        (400, 855_001, "m1 sent 181 s ago", "POST", retract, none),
    ]);
    ways.extend(refused_messages());
    ways
}

fn refused_messages() -> Vec<Way> {
    let send = |code: u64, status: u16, setup: &'static str, body: Value| (status, code, setup, "POST", "/v1/messages", body);
    vec![
        send(803_005, 400, "g1 u1002", text("user", "u1002", "group", "$g", "hi")),
        send(803_008, 403, "u1001 u1002, u1002 in u1001's blacklist", text("user", "u1002", "single", "u1001", "hi")),
        send(803_009, 400, "adm1, u1001, word 'fuck', status 1", text("admin", "adm1", "single", "u1001", "oh fuck")),
        send(803_012, 403, "u1002 silenced in g1", text("user", "u1002", "group", "$g", "hi")),
        send(847_001, 403, "r1 u1002", text("user", "u1002", "chatroom", "$r", "hi")),
        send(847_002, 403, "u1002 muted in r1", text("user", "u1002", "chatroom", "$r", "hi")),
    ]
}

fn filled(text: &str, made: &Made) -> String {
    // In lists ids are numbers, as targets they are texts; the server reads both.
    text.replace("$g", &made.group.to_string()).replace("$r", &made.room.to_string()).replace("$m", &made.message.to_string())
}

/// What the API's description lists.
fn described() -> BTreeSet<(u16, u64)> {
    let document = openapi();
    let errors = document["x-errors"].as_array().unwrap().iter();
    errors.map(|error| (u16::try_from(error["status"].as_u64().unwrap()).unwrap(), error["code"].as_u64().unwrap())).collect()
}

fn had(answer: &Answer) -> (u16, u64) {
    (answer.status, answer.code().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_code_can_be_had() {
    let server = Server::start().await;
    let mut seen: BTreeMap<(u16, u64), &str> = ONLY_BY_A_FAULT.iter().map(|pair| (*pair, "")).collect();
    let mut wrong = Vec::new();
    for (status, code, setup, method, path, body) in ways() {
        let mut app = server.app().await;
        let made = set_up(&server, &mut app, setup).await;
        let body = if body.is_null() { String::new() } else { filled(&body.to_string(), &made) };
        let answer = app.raw(method, &filled(path, &made), body).await;
        if had(&answer) != (status, code) {
            wrong.push(format!("{status} {code} ({setup}): {answer:?}"));
        }
        seen.insert((status, code), setup);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (settings, pair) in limits() {
        let server = Server::start_with(settings).await;
        let app = server.app().await;
        let answers = [list(&app).await, list(&app).await];
        assert!(answers.iter().any(|answer| had(answer) == pair), "{pair:?}: {answers:?}");
        seen.insert(pair, "");
    }
    let seen: BTreeSet<_> = seen.into_keys().collect();
    assert_eq!(seen, described(), "what can be had, and what is documented");
}

type Change = fn(Product) -> Product;

/// Servers that refuse whom others serve.
fn limits() -> [(Change, (u16, u64)); 2] {
    [
        (|settings| Product { rest_per_minute: 1, ..settings }, (429, 800_017)),
        (|settings| Product { requests: 0, ..settings }, (503, 899_030)),
    ]
}

async fn list(app: &App) -> Answer {
    app.call("GET", "/v1/users", &Value::Null).await
}

//! Every endpoint × every kind of bad input: the documented code, a message that names what is wrong, and nothing changed.

use mynah_gateway::endpoints;
use serde_json::{Value, json};

use crate::world::{App, Server, basic};

/// What the faults are made from: a good request of an endpoint. `required` are pointers of members that must be there.
pub struct Good {
    pub method: &'static str,
    pub pattern: &'static str,
    pub body: Value,
    required: &'static [&'static str],
}

fn good(method: &'static str, pattern: &'static str, body: Value, required: &'static [&'static str]) -> Good {
    Good { method, pattern, body, required }
}

fn bare(method: &'static str, pattern: &'static str) -> Good {
    good(method, pattern, Value::Null, &[])
}

#[rustfmt::skip]
pub fn table() -> Vec<Good> {
    let names = json!(["tommy"]);
    let change = json!({"add": ["lucy"], "remove": ["tommy"]});
    let message = json!({
        "version": 1, "target_type": "single", "target_id": "tommy", "from_type": "admin", "from_id": "admin",
        "msg_type": "text", "msg_body": {"text": "hi"}, "from_name": "n", "target_name": "t", "no_offline": false,
        "notification": {"title": "t", "alert": "a"},
    });
    vec![
        good("POST", "v1/users", json!([{"username": "newbie", "password": "secret", "nickname": "n", "birthday": "1990-01-24",
            "signature": "s", "gender": 1, "region": "r", "address": "a", "avatar": "x", "extras": {"a": 1}}]),
            &["/0/username", "/0/password"]),
        bare("GET", "v1/users"),
        good("DELETE", "v1/users", names.clone(), &[]),
        bare("GET", "v1/users/*"),
        good("PUT", "v1/users/*", json!({"nickname": "n", "birthday": "1990-01-24", "signature": "s", "gender": 1, "region": "r",
            "address": "a", "avatar": "x", "extras": {"a": 1}}), &[]),
        bare("DELETE", "v1/users/*"),
        good("PUT", "v1/users/*/password", json!({"new_password": "secret2"}), &["/new_password"]),
        bare("PUT", "v1/users/*/forbidden"),
        good("POST", "v1/admins", json!({"username": "admin2", "password": "secret"}), &["/username", "/password"]),
        bare("GET", "v1/admins"),
        good("POST", "v1/users/userstat", names.clone(), &[]),
        bare("GET", "v1/users/*/userstat"),
        good("PUT", "v1/users/*/blacklist", json!(["lucy"]), &[]),
        good("DELETE", "v1/users/*/blacklist", names.clone(), &[]),
        bare("GET", "v1/users/*/blacklist"),
        good("POST", "v1/users/*/nodisturb", json!({"single": {"add": ["tommy"], "remove": ["lucy"]},
            "group": {"add": [10_000_001], "remove": [10_000_002]}, "global": 1}), &[]),
        good("POST", "v1/users/*/friends", json!(["lucy"]), &[]),
        good("DELETE", "v1/users/*/friends", names.clone(), &[]),
        good("PUT", "v1/users/*/friends", json!([{"username": "tommy", "note_name": "n", "others": "o"}]), &["/0/username"]),
        bare("GET", "v1/users/*/friends"),
        bare("GET", "v1/users/*/groups"),
        bare("GET", "v1/users/*/chatroom"),
        good("POST", "v1/messages", message, &["/version", "/target_type", "/target_id", "/from_type", "/from_id", "/msg_type",
            "/msg_body", "/msg_body/text"]),
        bare("POST", "v1/messages/*/*/retract"),
        bare("GET", "v1/resource"),
        bare("POST", "v1/resource"),
        good("POST", "v1/groups", json!({"owner_username": "anna", "name": "g2", "members_username": ["tommy"], "desc": "d",
            "avatar": "x", "flag": 1}), &["/owner_username", "/name"]),
        bare("GET", "v1/groups"),
        bare("GET", "v1/groups/*"),
        good("PUT", "v1/groups/*", json!({"name": "n", "desc": "d", "avatar": "a"}), &[]),
        bare("DELETE", "v1/groups/*"),
        good("PUT", "v1/groups/owner/*", json!({"username": "tommy"}), &["/username"]),
        good("PUT", "v1/groups/messages/*/silence", names.clone(), &[]),
        bare("GET", "v1/groups/*/members"),
        good("POST", "v1/groups/*/members", change, &[]),
        good("POST", "v2/groups/*/addMembers", json!(["lucy"]), &[]),
        good("POST", "v2/groups/*/delMembers", names.clone(), &[]),
        good("POST", "v1/chatroom", json!({"owner_username": "anna", "name": "r2", "members_username": ["tommy"], "description": "d"}), &["/owner_username", "/name"]),
        bare("GET", "v1/chatroom"),
        good("POST", "v1/chatroom/batch", json!([0]), &[]),
        good("PUT", "v1/chatroom/*", json!({"owner_username": "tommy", "name": "n", "description": "d"}), &[]),
        bare("DELETE", "v1/chatroom/*"),
        bare("PUT", "v1/chatroom/*/forbidden/*"),
        bare("GET", "v1/chatroom/*/members"),
        good("PUT", "v1/chatroom/*/members", json!(["lucy"]), &[]),
        good("DELETE", "v1/chatroom/*/members", names, &[]),
        bare("GET", "v1/admins/*"),
        good("PUT", "v1/admins/*", json!({"nickname": "n", "birthday": "1990-01-24"}), &[]),
        good("POST", "v2/users/statuser", json!(["tommy"]), &[]),
        good("POST", "v2/users/userstat", json!(["tommy"]), &[]),
        good("POST", "v1/users/*/groupsShield", json!({"add": [10_000_001], "remove": [10_000_002]}), &[]),
        good("POST", "v1/cross/groups/*/members", json!([{"appkey": "k", "add": ["lucy"], "remove": ["tommy"]}]), &["/0/appkey"]),
        bare("GET", "v1/cross/groups/*/members"),
        bare("GET", "v1/cross/users/*/groups"),
        good("PUT", "v1/cross/users/*/blacklist", json!([{"appkey": "k", "usernames": ["lucy"]}]), &["/0/appkey", "/0/usernames"]),
        good("DELETE", "v1/cross/users/*/blacklist", json!([{"appkey": "k", "usernames": ["tommy"]}]), &["/0/appkey", "/0/usernames"]),
        bare("GET", "v1/cross/users/*/blacklist"),
        good("POST", "v1/cross/users/*/nodisturb", json!([{"appkey": "k", "single": {"add": ["tommy"], "remove": ["lucy"]},
            "group": {"add": [10_000_001], "remove": [10_000_002]}}]), &["/0/appkey"]),
        good("POST", "v1/cross/users/*/friends", json!({"appkey": "k", "users": ["lucy"]}), &["/appkey", "/users"]),
        good("DELETE", "v1/cross/users/*/friends", json!({"appkey": "k", "users": ["tommy"]}), &["/appkey", "/users"]),
        good("PUT", "v1/cross/users/*/friends", json!([{"appkey": "k", "username": "tommy", "note_name": "n", "others": "o"}]),
            &["/0/appkey", "/0/username"]),
        good("POST", "v1/cross/chatroom/*/members", json!([{"appkey": "k", "add": ["lucy"], "remove": ["tommy"]}]), &["/0/appkey"]),
        good("POST", "v1/sensitiveword", json!(["rude"]), &[]),
        good("PUT", "v1/sensitiveword", json!({"new_word": "mild", "old_word": "bad"}), &["/new_word", "/old_word"]),
        good("DELETE", "v1/sensitiveword", json!({"word": "bad"}), &["/word"]),
        bare("GET", "v1/sensitiveword"),
        bare("GET", "v1/sensitiveword/status"),
        good("PUT", "v1/sensitiveword/status", json!({"status": 1}), &["/status"]),
        bare("GET", "v1/sdkregister/status"),
        good("PUT", "v1/sdkregister/status", json!({"status": 1}), &["/status"]),
        bare("GET", "v1/messages"),
        bare("GET", "v1/users/*/messages"),
        bare("GET", "v2/messages"),
        bare("GET", "v2/users/*/messages"),
        bare("GET", "v2/groups/*/messages"),
        bare("GET", "v2/chatrooms/*/messages"),
        bare("GET", "v2/statistic/users"),
        bare("GET", "v2/statistic/messages"),
        bare("GET", "v2/statistic/groups"),
    ]
}

/// Users, a group, a room, a message, a blacklist.
pub struct World {
    pub app: App,
    pub group: u64,
    pub room: u64,
    pub message: u64,
}

impl World {
    pub async fn new(server: &Server) -> Self {
        let app = server.app().await;
        app.users(&["anna", "tommy", "lucy"]).await;
        app.works("POST", "/v1/admins", &json!({"username": "admin", "password": "secret"})).await;
        let (group, room) = (app.group("anna", &["tommy"]).await, app.room("anna", &["tommy"]).await);
        app.works("PUT", "/v1/users/anna/blacklist", &json!(["tommy"])).await;
        app.works("POST", "/v1/users/anna/friends", &json!(["tommy"])).await;
        app.works("POST", "/v1/sensitiveword", &json!(["bad"])).await;
        let message = app.text("admin", "tommy").await;
        Self { app, group, room, message }
    }

    /// The path of an endpoint; `instead` takes the place of a placeholder, counted from 0.
    pub fn path(&self, pattern: &str, instead: Option<(usize, &str)>) -> String {
        let kind = pattern.split('/').find(|part| !["v1", "v2", "cross"].contains(part)).unwrap();
        let ids = match kind {
            "admins" => vec!["admin".to_owned()],
            "groups" => vec![self.group.to_string()],
            "chatroom" | "chatrooms" => vec![self.room.to_string(), "tommy".to_owned()],
            "messages" => vec!["admin".to_owned(), self.message.to_string()],
            _ => vec!["anna".to_owned()],
        };
        let mut place = 0;
        let mut path = String::new();
        for part in pattern.split('/') {
            path.push('/');
            if part == "*" {
                path.push_str(instead.filter(|(at, _)| *at == place).map_or(ids[place].as_str(), |(_, text)| text));
                place += 1;
            } else {
                path.push_str(part);
            }
        }
        path.push_str(match pattern {
            "v1/users/*/forbidden" => "?disable=true",
            "v1/groups/messages/*/silence" => "?status=true",
            "v1/chatroom/*/forbidden/*" => "?status=1",
            _ if pattern.starts_with("v2") && pattern.ends_with("messages") && !pattern.contains("statistic") => {
                "?count=9&begin_time=2026-01-01+00:00:00&end_time=2026-01-02+00:00:00"
            }
            "v2/statistic/users" | "v2/statistic/messages" | "v2/statistic/groups" => {
                "?time_unit=DAY&start=2026-01-01&duration=1"
            }
            _ => "",
        });
        path
    }

    /// Everything that a request could have changed.
    pub async fn snapshot(&self) -> Vec<Value> {
        let paths = [
            "/v1/users/?start=0&count=500".to_owned(),
            "/v1/admins/?start=0&count=500".to_owned(),
            "/v1/groups/?start=0&count=500".to_owned(),
            "/v1/chatroom/?start=0&count=500".to_owned(),
            "/v1/users/anna/blacklist".to_owned(),
            "/v1/users/anna/friends".to_owned(),
            "/v1/users/tommy/friends".to_owned(),
            "/v1/sensitiveword".to_owned(),
            "/v1/sensitiveword/status".to_owned(),
            "/v1/sdkregister/status".to_owned(),
            "/v1/messages?start=0&count=100".to_owned(),
            format!("/v1/groups/{}/members/", self.group),
            format!("/v1/chatroom/{}/members?start=0&count=100", self.room),
        ];
        let mut all = Vec::new();
        for path in paths {
            all.push(self.app.works("GET", &path, &Value::Null).await);
        }
        all
    }

    async fn refuses(&self, good: &Good, path: &str, body: Vec<u8>, fault: &str) {
        let answer = self.app.raw(good.method, path, body).await;
        let what = format!("{} {} {fault}: {} {}", good.method, good.pattern, answer.status, answer.body);
        assert!((400..500).contains(&answer.status), "{what}");
        assert!(answer.code().is_some_and(|code| (800_000..900_000).contains(&code)), "{what}");
        let said = answer.body.to_string();
        assert!(said.contains("message") && !said.contains("\"message\":\"\""), "{what}");
    }
}

/// Pointers of all members and items.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{name}");
        // What an app keeps in its own members is its own.
        if !at.ends_with("extras") {
            into.push(pointer.clone());
            pointers(child, &pointer, into);
        }
    }
}

fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = body.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut changed = body.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    changed
}

/// Bodies with one fault each.
fn bad_bodies(good: &Good) -> Vec<(String, Vec<u8>)> {
    let text = good.body.to_string();
    let mut bad: Vec<(String, Vec<u8>)> = vec![
        ("missing".into(), Vec::new()),
        ("malformed".into(), text.as_bytes()[..text.len() - 1].to_vec()),
        ("trailing".into(), format!("{text} x").into_bytes()),
        ("deep".into(), "[".repeat(20_000).into_bytes()),
        ("huge".into(), format!("{text}{}", " ".repeat(1 << 20)).into_bytes()),
        ("number".into(), b"7".to_vec()),
        ("text".into(), b"\"x\"".to_vec()),
        ("not UTF-8".into(), [text.as_bytes(), b"\xff\xfe"].concat()),
    ];
    if let Some(quote) = text.find('"') {
        let inside = [&text.as_bytes()[..=quote], b"\xc3\x28", &text.as_bytes()[quote + 1..]].concat();
        bad.push(("not UTF-8 in a text".into(), inside));
    }
    if text.contains('{') {
        let twice = text.replacen('{', "{\"username\":\"a\",\"username\":\"b\",", 1);
        bad.push(("a member twice".into(), twice.into_bytes()));
    }
    let mut all = Vec::new();
    pointers(&good.body, "", &mut all);
    for pointer in &all {
        let wrong = match good.body.pointer(pointer).unwrap() {
            Value::Object(_) => json!(7),
            _ => json!({"a": 1}),
        };
        bad.push((format!("{pointer} of the wrong type"), with(&good.body, pointer, wrong).to_string().into_bytes()));
        if good.body.pointer(pointer).unwrap().is_string() {
            let long = with(&good.body, pointer, json!("x".repeat(70_000)));
            bad.push((format!("{pointer} too long"), long.to_string().into_bytes()));
        }
    }
    for pointer in good.required {
        bad.push((format!("{pointer} missing"), without(&good.body, pointer).to_string().into_bytes()));
    }
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_refuses_every_kind_of_bad_input_and_changes_nothing() {
    let server = Server::start().await;
    let world = World::new(&server).await;
    let table = table();
    let has_row = |method: &str, pattern: &str| table.iter().any(|good| good.method == method && good.pattern == pattern);
    let without: Vec<_> = endpoints().filter(|e| !has_row(e.method, e.pattern)).collect();
    assert!(without.is_empty(), "endpoints without a row: {without:?}");
    let before = world.snapshot().await;
    for good in &table {
        let endpoint = endpoints().find(|e| e.method == good.method && e.pattern == good.pattern).unwrap();
        assert_eq!(endpoint.takes_body, !good.body.is_null(), "{}", good.pattern);
        let path = world.path(good.pattern, None);
        if endpoint.takes_body {
            for (fault, body) in bad_bodies(good) {
                world.refuses(good, &path, body, &fault).await;
            }
        }
        let body = if good.body.is_null() { Vec::new() } else { good.body.to_string().into_bytes() };
        for place in 0..good.pattern.matches('*').count() {
            let long = "x".repeat(3000);
            for text in ["%ff", "%00", "a%20b", "-1", "0", "99999999999999999999", "1e3", "%2e%2e", &long] {
                let path = world.path(good.pattern, Some((place, text)));
                world.refuses(good, &path, body.clone(), &format!("segment {place} {text:.20}")).await;
            }
        }
        assert_eq!(world.snapshot().await, before, "{} {} changed something", good.method, good.pattern);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_endpoint_answers_without_the_right_credentials() {
    let server = Server::start().await;
    let world = World::new(&server).await;
    let other = server.app().await;
    let before = world.snapshot().await;
    let key = &world.app.appkey;
    let credentials = [
        None,
        Some(String::new()),
        Some("Basic".into()),
        Some("Basic !!!".into()),
        Some("Bearer x".into()),
        Some(basic("")),
        Some(basic(key)),
        Some(basic(&format!("{key}:"))),
        Some(basic(&format!("{key}:{}", "0".repeat(24)))),
        Some(basic(&format!("{key}:{}", "x".repeat(5000)))),
        Some(basic(&format!("{}:{}", other.appkey, "0".repeat(24)))),
    ];
    for authorization in credentials {
        let app = App { authorization: authorization.clone(), ..world.app.clone() };
        for good in &table() {
            let body = if good.body.is_null() { String::new() } else { good.body.to_string() };
            let answer = app.raw(good.method, &world.path(good.pattern, None), body).await;
            let what = format!("{} {} {authorization:.40?}: {answer:?}", good.method, good.pattern);
            assert!(answer.status == 401 && matches!(answer.code(), Some(899_004 | 899_008 | 899_009 | 899_007)), "{what}");
        }
    }
    assert_eq!(world.snapshot().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_out_of_range_are_refused_or_bounded() {
    let server = Server::start().await;
    let world = World::new(&server).await;
    let listed = ["v1/users", "v1/admins", "v1/groups", "v1/chatroom", "v1/chatroom/*/members"];
    for pattern in listed {
        let path = world.path(pattern, None);
        for query in
            ["start=-1&count=1", "start=a&count=1", "start=0&count=-1", "start=0&count=x", "start=0&count=99999999999999999999"]
        {
            let answer = world.app.call("GET", &format!("{path}?{query}"), &Value::Null).await;
            assert!(answer.status == 400 && answer.code() == Some(899_003), "{pattern} {query}: {answer:?}");
        }
        let answer = world.app.call("GET", &format!("{path}?start=18446744073709551615&count=1"), &Value::Null).await;
        assert!(answer.status < 500, "{answer:?}");
    }
}

/// Good bodies with a few bytes changed: never a fault of the server's, and still an answer in form.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_changed_at_random_are_answered_in_form() {
    let server = Server::start().await;
    let world = World::new(&server).await;
    let mut dice = mynah_oracle::Dice::new(11);
    let table: Vec<Good> = table().into_iter().filter(|good| !good.body.is_null()).collect();
    let (mut done, mut refused) = (0, 0);
    for _ in 0..3000 {
        let good = dice.one_of(&table).unwrap();
        let mut body = good.body.to_string().into_bytes();
        for _ in 0..=dice.below(3) {
            let at = usize::try_from(dice.below(body.len() as u64)).unwrap();
            let fresh = *dice.one_of(b"{}[]\",:\\0-9eE.tfn\x00\xc3\xff").unwrap();
            if dice.once_in(2) { body[at] = fresh } else { body.insert(at, fresh) }
        }
        let answer = world.app.raw(good.method, &world.path(good.pattern, None), body.clone()).await;
        let what = format!("{} {} {}: {answer:?}", good.method, good.pattern, String::from_utf8_lossy(&body));
        assert!(answer.status < 500, "{what}");
        if answer.status >= 400 {
            assert!(answer.code().is_some(), "{what}");
            refused += 1;
        } else {
            done += 1;
        }
    }
    assert!(done > 30 && refused > 1000, "{done} done, {refused} refused");
}

/// The head and a part of the body, and then nothing: every endpoint that reads a body says so, and does not wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::start().await;
    let world = World::new(&server).await;
    let before = world.snapshot().await;
    let bodies = table().into_iter().filter(|good| !good.body.is_null());
    let asking = bodies.map(|good| {
        let (text, world) = (good.body.to_string(), &world);
        async move {
            let half = axum::body::Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
            let endless = futures_util::stream::once(async { Ok::<_, std::io::Error>(half) });
            let endless = futures_util::StreamExt::chain(endless, futures_util::stream::pending());
            let body = axum::body::Body::from_stream(endless);
            let answer = world.app.raw(good.method, &world.path(good.pattern, None), body).await;
            assert!(answer.status == 400 && answer.code() == Some(899_003), "{} {}: {answer:?}", good.method, good.pattern);
        }
    });
    futures_util::future::join_all(asking).await;
    assert_eq!(world.snapshot().await, before);
}

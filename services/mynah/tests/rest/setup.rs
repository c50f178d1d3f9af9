//! What a case says must be there before it.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::files;
use crate::world::{App, Server, basic};

/// What a setup made: ids of the group, room and message, 0 if none.
#[derive(Default)]
pub struct Made {
    pub group: u64,
    pub room: u64,
    pub message: u64,
    /// Id of an uploaded picture.
    pub media: String,
    /// Where the history of the app goes on.
    pub cursor: String,
    /// Key of a second app; of none, if a case needs none.
    pub other: String,
}

/// Usernames in a text: a letter or three, and digits.
fn names<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut names: Vec<&str> = words
        .filter(|w| w.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Makes what the text of a case's setup names.
pub async fn set_up(server: &Server, app: &mut App, text: &str) -> Made {
    let mut made = Made::default();
    match text {
        "none" => return made,
        "send no header" => app.authorization = None,
        "send wrong secret" => app.authorization = Some(basic(&format!("{}:{}", app.appkey, "0".repeat(24)))),
        "send Bearer x" => app.authorization = Some("Bearer x".into()),
        "unknown appKey" => app.authorization = Some(basic(&format!("{0}:{0}", "0".repeat(24)))),
        "header Content-Type: application/json;charset:utf-8" => app.content_type = Some("application/json;charset:utf-8"),
        "uploaded media $mid" => made.media = files::upload(app, "image", "a.png", &files::png(2, 3)).await,
        "no Content-Type" => app.content_type = None,
        _ => made = people_and_things(server, app, text).await,
    }
    made
}

async fn people_and_things(server: &Server, app: &App, text: &str) -> Made {
    let mut made = Made::default();
    let mut users = names(text, "u");
    if text.contains("u1001..u1003") || text == "3 users" {
        users = vec!["u1001", "u1002", "u1003"];
    }
    let about_group = text.contains("g1") || text == "group DND on" || text == "2 groups" || text.contains("most groups");
    let about_others = text.contains("x2001") || text.contains("app2") || text == "cross friends";
    let about_group = about_group || text == "shield on" || text == "u1001 in a group";
    let about_room = text.contains("r1") || text == "1 room";
    let about_message = text.contains("m1 ") || text.starts_with("message") || text.starts_with("cursor");
    let about_somebody = about_others || about_group || about_room || about_message || text.contains("DND");
    if about_somebody && !users.contains(&"u1001") {
        users.push("u1001");
    }
    if text == "shield on" {
        users.push("u1002");
    }
    if !users.is_empty() {
        app.users(&users).await;
    }
    let mut admins = names(text, "adm");
    if about_message && admins.is_empty() {
        admins.push("adm1");
    }
    for admin in admins {
        app.works("POST", "/v1/admins", &json!({"username": admin, "password": "secret"})).await;
    }
    if about_group {
        made.group = groups(server, app, text).await;
    }
    if about_room {
        let members: &[&str] = if text.contains("u1002 in r1") || text.contains("u1002 muted") { &["u1002"] } else { &[] };
        made.room = app.room("u1001", members).await;
    }
    if about_message {
        made.message = app.text("adm1", "u1001").await;
    }
    if text == "messages in range" {
        made.group = groups(server, app, "g1").await;
        made.room = app.room("u1001", &[]).await;
        for (kind, id) in [("group", made.group), ("chatroom", made.room)] {
            app.say("adm1", kind, &id.to_string(), "hello all").await;
        }
    }
    if text == "cursor of a first page" {
        app.text("adm1", "u1001").await;
        let query = "count=1&begin_time=2026-01-01%2000:00:00&end_time=2026-01-02%2000:00:00";
        let page = app.works("GET", &format!("/v2/messages?{query}"), &Value::Null).await;
        page["cursor"].as_str().unwrap().clone_into(&mut made.cursor);
    }
    if about_others {
        made.other = others(server, app, text, &made).await;
    }
    happened(server, app, text, &made).await;
    made
}

/// A second app with `x2001`, and what he is to `u1001`. Answers its key.
async fn others(server: &Server, app: &App, text: &str, made: &Made) -> String {
    let other = server.app().await;
    other.users(&["x2001"]).await;
    if !text.contains("without grant") {
        server.operator.set_grant(&app.appkey, &other.appkey, true).await.unwrap();
    }
    let key = &other.appkey;
    if text == "x2001 in g1" {
        let body = json!([{"appkey": key, "add": ["x2001"]}]);
        app.works("POST", &format!("/v1/cross/groups/{}/members", made.group), &body).await;
    }
    if text == "x2001 blacklisted" {
        app.works("PUT", "/v1/cross/users/u1001/blacklist", &json!([{"appkey": key, "usernames": ["x2001"]}])).await;
    }
    if text == "cross friends" {
        app.works("POST", "/v1/cross/users/u1001/friends", &json!({"appkey": key, "users": ["x2001"]})).await;
    }
    other.appkey
}

async fn groups(server: &Server, app: &App, text: &str) -> u64 {
    if text == "2 groups" {
        app.group("u1001", &[]).await;
    }
    if text == "g1 with 500 members, u1900" {
        let members: Vec<String> = (0..499).map(|n| format!("gen{n:05}")).collect();
        app.users(&members).await;
        return app.group("u1001", &members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    if text.contains("most groups") {
        let apps = server.operator.list_apps().await.unwrap();
        let rules = apps.into_iter().find(|a| a.key.as_str() == app.appkey).unwrap().rules;
        let rules = mynah_ports::directory_store::AppRules { max_groups_per_user: 1, ..rules };
        let other = app.clone();
        other.group("u1900", &[]).await;
        let group = app.group("u1001", &[]).await;
        server.operator.set_rules(&app.appkey, rules).await.unwrap();
        // The server looks at an app again when what it knows of it is old.
        rules_seen(app).await;
        return group;
    }
    let members: &[&str] =
        if text.contains("member u1002") || text.contains("u1002 silenced") || text == "shield on" { &["u1002"] } else { &[] };
    app.group("u1001", members).await
}

/// Waits until a user may not make a second group any more.
async fn rules_seen(app: &App) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let body = json!({"owner_username": "u1001", "name": "one more"});
        if app.call("POST", "/v1/groups/", &body).await.status != 201 {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "the new rules are not seen");
    }
}

async fn happened(server: &Server, app: &App, text: &str, made: &Made) {
    let none = Value::Null;
    if text.contains("u1002 in u1001's blacklist") {
        app.works("PUT", "/v1/users/u1001/blacklist", &json!(["u1002"])).await;
    }
    if text.contains("birthday 1990-01-24") {
        app.works("PUT", "/v1/users/u1001", &json!({"birthday": "1990-01-24"})).await;
    }
    if text == "u1001 deleted" {
        app.works("DELETE", "/v1/users/u1001", &none).await;
    }
    if text == "u1001 disabled" {
        app.works("PUT", "/v1/users/u1001/forbidden?disable=true", &none).await;
    }
    if text == "u1002 silenced in g1" {
        let path = format!("/v1/groups/messages/{}/silence?status=true", made.group);
        app.works("PUT", &path, &json!(["u1002"])).await;
    }
    if text == "u1002 muted in r1" {
        app.works("PUT", &format!("/v1/chatroom/{}/forbidden/u1002?status=1", made.room), &none).await;
    }
    if text.contains("u1001-u1002 friends") {
        app.works("POST", "/v1/users/u1001/friends", &json!(["u1002"])).await;
    }
    if text == "u1001-u1002 friends with note" {
        let note = json!([{"username": "u1002", "note_name": "n", "others": "o"}]);
        app.works("PUT", "/v1/users/u1001/friends", &note).await;
    }
    let switched = match text {
        "single DND for u1002 on" => Some(json!({"single": {"add": ["u1002"]}})),
        "group DND on" => Some(json!({"group": {"add": [made.group]}})),
        "global DND on" => Some(json!({"global": 1})),
        _ => None,
    };
    if let Some(body) = switched {
        app.works("POST", "/v1/users/u1001/nodisturb", &body).await;
    }
    if let Some(word) = text.split('\'').nth(1).filter(|_| text.contains("word '")) {
        app.works("POST", "/v1/sensitiveword", &json!([word])).await;
    }
    if let Some(count) = text.strip_suffix(" words") {
        let words: Vec<String> = (0..count.parse::<u8>().unwrap()).map(|n| format!("word{n}")).collect();
        app.works("POST", "/v1/sensitiveword", &json!(words)).await;
    }
    if text.contains("word 'fuck', status 1") || text == "status 1" {
        app.works("PUT", "/v1/sensitiveword/status?status=1", &none).await;
    }
    if text == "shield on" {
        app.works("POST", "/v1/users/u1002/groupsShield", &json!({"add": [made.group]})).await;
    }
    if text == "status 0" {
        app.works("PUT", "/v1/sdkregister/status?status=0", &none).await;
    }
    if text == "g1 deleted" {
        app.works("DELETE", &format!("/v1/groups/{}", made.group), &none).await;
    }
    if text.contains("181 s ago") {
        server.clock.advance(181_000);
    }
    if text == "m1 retracted" {
        app.works("POST", &format!("/v1/messages/adm1/{}/retract", made.message), &none).await;
    }
    if text == "u1001 online on a" {
        online(server, app).await;
    }
}

/// Logs `u1001` in on an Android device, and keeps it connected while the test runs.
async fn online(server: &Server, app: &App) {
    let mut socket = device(server, app, "u1001").await;
    tokio::spawn(async move { while socket.next().await.is_some() {} });
}

/// A user's Android device, logged in.
pub async fn device(server: &Server, app: &App, username: &str) -> tokio_tungstenite::WebSocketStream<tokio::net::TcpStream> {
    let address = server.address().await;
    let tcp = tokio::net::TcpStream::connect(&address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/v1/ws"), tcp).await.unwrap();
    let frames = [
        json!({"id": 1, "hello": {"appkey": app.appkey, "platform": "a", "device_id": "phone"}}).to_string(),
        json!({"id": 2, "login": {"username": username, "password": "secret"}}).to_string(),
    ];
    socket.send(Message::text(frames.join("\n"))).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if message.to_text().is_ok_and(|text| text.contains("login_ack")) {
            break;
        }
    }
    socket
}

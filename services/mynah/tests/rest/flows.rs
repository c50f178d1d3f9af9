//! What holds across calls: apps that do not see one another, writes that are read at once, names that come back.

use futures_util::StreamExt as _;
use mynah_gateway::endpoints;
use serde_json::{Value, json};

use crate::faults::{World, table};
use crate::setup::device;
use crate::world::Server;

macro_rules! both_ways {
    ($($flow:ident),* $(,)?) => {
        mod called_directly {
            $(#[tokio::test(flavor = "multi_thread")] async fn $flow() { super::$flow(super::Server::start().await).await })*
        }
        mod over_channels {
            $(#[tokio::test(flavor = "multi_thread")] async fn $flow() { super::$flow(super::Server::over_channels().await).await })*
        }
    };
}

both_ways!(
    another_app_cannot_see_guess_or_touch_anything,
    who_was_added_may_send_at_once_and_who_was_removed_may_not,
    a_name_that_comes_back_is_somebody_else,
    racing_registrations_of_one_name_make_one_user,
    a_device_hears_a_rest_message_and_is_put_out_with_its_user
);

/// Another app gets for what is there just what it gets for what is nowhere, and changes nothing of it.
async fn another_app_cannot_see_guess_or_touch_anything(server: Server) {
    let (world, other) = (World::new(&server).await, server.app().await);
    other.works("POST", "/v1/admins", &json!({"username": "admin", "password": "secret"})).await;
    let before = world.snapshot().await;
    let asks_for_something = |pattern: &str| pattern.contains('*');
    let mut compared = 0;
    for good in table().iter().filter(|good| asks_for_something(good.pattern)) {
        let there = other.call(good.method, &world.path(good.pattern, None), &good.body).await;
        let last = good.pattern.matches('*').count() - 1;
        let nowhere = if good.pattern.starts_with("v1/users") { "nobody" } else { "4503599627370495" };
        let nothing = other.call(good.method, &world.path(good.pattern, Some((last, nowhere))), &good.body).await;
        let what = format!("{} {}: {there:?} and {nothing:?}", good.method, good.pattern);
        assert!((400..500).contains(&there.status), "{what}");
        let text = |answer: &crate::world::Answer, id: &str| String::from_utf8_lossy(&answer.bytes).replace(id, "ID");
        assert_eq!((there.status, there.code()), (nothing.status, nothing.code()), "{what}");
        let id = world.path(good.pattern, None);
        let id = id.split('/').nth(if last == 0 { 3 } else { 4 }).unwrap_or_default();
        assert_eq!(text(&there, id), text(&nothing, nowhere), "{what}");
        compared += 1;
    }
    assert_eq!(compared, endpoints().filter(|e| asks_for_something(e.pattern)).count());
    let message = json!({
        "version": 1, "target_type": "single", "target_id": "tommy", "from_type": "admin", "from_id": "admin",
        "msg_type": "text", "msg_body": {"text": "hi"},
    });
    assert_eq!(other.call("POST", "/v1/messages", &message).await.code(), Some(899_002));
    assert_eq!(world.snapshot().await, before);
}

async fn who_was_added_may_send_at_once_and_who_was_removed_may_not(server: Server) {
    let world = World::new(&server).await;
    let message = json!({
        "version": 1, "target_type": "group", "target_id": world.group.to_string(), "from_type": "user", "from_id": "lucy",
        "msg_type": "text", "msg_body": {"text": "hi"},
    });
    let members = format!("/v1/groups/{}/members", world.group);
    for _ in 0..20 {
        assert_eq!(world.app.call("POST", "/v1/messages", &message).await.code(), Some(803_005));
        world.app.works("POST", &members, &json!({"add": ["lucy"]})).await;
        world.app.works("POST", "/v1/messages", &message).await;
        world.app.works("POST", &members, &json!({"remove": ["lucy"]})).await;
    }
}

async fn a_name_that_comes_back_is_somebody_else(server: Server) {
    let world = World::new(&server).await;
    world.app.works("PUT", "/v1/users/tommy/blacklist", &json!(["lucy"])).await;
    world.app.works("DELETE", "/v1/users/tommy", &Value::Null).await;
    world.app.users(&["tommy"]).await;
    assert_eq!(world.app.works("GET", "/v1/users/tommy/groups/", &Value::Null).await, json!([]));
    assert_eq!(world.app.works("GET", "/v1/users/tommy/blacklist", &Value::Null).await, json!([]));
    assert_eq!(world.app.works("GET", "/v1/users/tommy/chatroom", &Value::Null).await, json!([]));
    assert_eq!(world.app.works("GET", "/v1/users/anna/blacklist", &Value::Null).await, json!([]));
    let members = world.app.works("GET", &format!("/v1/groups/{}/members/", world.group), &Value::Null).await;
    assert!(members.as_array().unwrap().iter().all(|member| member["username"] != "tommy"), "{members}");
}

async fn racing_registrations_of_one_name_make_one_user(server: Server) {
    let app = server.app().await;
    let body = json!([{"username": "contested", "password": "secret"}]);
    let racing = (0..16).map(|_| app.call("POST", "/v1/users/", &body));
    let answers = futures_util::future::join_all(racing).await;
    let won = answers.iter().filter(|answer| answer.code().is_none()).count();
    let lost = answers.iter().filter(|answer| answer.code() == Some(899_001)).count();
    assert_eq!((won, lost), (1, 15), "{answers:?}");
    assert_eq!(app.works("GET", "/v1/users/?start=0&count=10", &Value::Null).await["total"], 1);
}

async fn a_device_hears_a_rest_message_and_is_put_out_with_its_user(server: Server) {
    let world = World::new(&server).await;
    let mut phone = device(&server, &world.app, "tommy").await;
    let mut heard = async |wanted: &str| loop {
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), phone.next()).await;
        let message = next.expect("a frame in time").expect("still open").unwrap();
        let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if frame[wanted].is_object() {
            return frame[wanted].clone();
        }
    };
    let id = world.app.text("admin", "tommy").await;
    assert_eq!(heard("deliver").await["entries"][0]["msg_id"], id);
    world.app.works("PUT", "/v1/users/tommy/forbidden?disable=true", &Value::Null).await;
    assert_eq!(heard("kicked").await["reason"], "disabled");
}

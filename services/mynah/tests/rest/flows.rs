//! What holds across calls: apps that do not see one another, writes that are read at once, names that come back.

use futures_util::{SinkExt as _, StreamExt as _};
use mynah_gateway::endpoints;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::faults::{World, table};
use crate::setup::device;
use crate::world::{Server, each_way};

each_way!(
    another_app_cannot_see_guess_or_touch_anything,
    who_was_added_may_send_at_once_and_who_was_removed_may_not,
    a_name_that_comes_back_is_somebody_else,
    a_chat_goes_to_whoever_has_the_name_now,
    racing_registrations_of_one_name_make_one_user,
    a_device_hears_a_rest_message_and_is_put_out_with_its_user,
    a_group_changes_while_its_members_stay_and_they_hear_of_it,
    who_is_muted_in_a_room_may_not_send_there,
    devices_register_users_only_while_the_app_lets_them,
    a_send_with_a_key_of_its_own_takes_effect_once,
    a_device_sees_which_conversations_do_not_disturb,
    a_text_with_a_sensitive_word_is_refused_from_the_next_message_on,
);

/// Another app gets for what is there just what it gets for what is nowhere, and changes nothing of it.
async fn another_app_cannot_see_guess_or_touch_anything(server: Server) {
    let (world, other) = (World::new(&server).await, server.app().await);
    other.works("POST", "/v1/admins", &json!({"username": "chief", "password": "secret"})).await;
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
        let place = good.pattern.split('/').enumerate().filter(|(_, part)| *part == "*").nth(last).unwrap().0;
        let id = id.split(['/', '?']).nth(place + 1).unwrap();
        assert_eq!(text(&there, id), text(&nothing, nowhere), "{what}");
        compared += 1;
    }
    assert_eq!(compared, endpoints().filter(|e| asks_for_something(e.pattern)).count());
    let message = json!({
        "version": 1, "target_type": "single", "target_id": "tommy", "from_type": "admin", "from_id": "chief",
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

/// Her device has written to the name before: whoever keeps in mind whose it was, forgets it.
async fn a_chat_goes_to_whoever_has_the_name_now(server: Server) {
    let world = World::new(&server).await;
    let mut lucy = device(&server, &world.app, "lucy").await;
    let send = |id: u32, cmid: &str| {
        let body = json!({"text": cmid});
        let send = json!({"cmid": cmid, "target_type": "single", "target_id": "tommy", "msg_type": "text", "msg_body": body});
        Message::text(json!({"id": id, "send": send}).to_string())
    };
    lucy.send(send(11, "to the first")).await.unwrap();
    let first = heard(&mut lucy, "send_ack").await;
    for round in 2..5 {
        world.app.works("DELETE", "/v1/users/tommy", &Value::Null).await;
        world.app.users(&["tommy"]).await;
        let mut tommy = device(&server, &world.app, "tommy").await;
        let text = format!("to number {round}");
        lucy.send(send(10 + round, &text)).await.unwrap();
        let entry = heard(&mut tommy, "deliver").await["entries"][0].clone();
        assert_eq!((&entry["message"]["msg_body"]["text"], &entry["seq"]), (&json!(text), &json!(1)), "a chat of his own");
        assert_ne!(heard(&mut lucy, "send_ack").await["conv_id"], first["conv_id"]);
    }
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
    let id = world.app.text("admin", "tommy").await;
    assert_eq!(heard(&mut phone, "deliver").await["entries"][0]["msg_id"], id);
    world.app.works("PUT", "/v1/users/tommy/forbidden?disable=true", &Value::Null).await;
    assert_eq!(heard(&mut phone, "kicked").await["reason"], "disabled");
}

pub type Phone = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

/// The next frame of a kind.
pub async fn heard(phone: &mut Phone, wanted: &str) -> Value {
    loop {
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), phone.next()).await;
        let message = next.expect("a frame in time").expect("still open").unwrap();
        let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if frame[wanted].is_object() {
            return frame[wanted].clone();
        }
    }
}

pub async fn event(phone: &mut Phone) -> Value {
    heard(phone, "deliver").await["entries"][0]["event"].clone()
}

pub fn message(kind: &str, id: u64, from: &str) -> Value {
    json!({
        "version": 1, "target_type": kind, "target_id": id.to_string(), "from_type": "user", "from_id": from,
        "msg_type": "text", "msg_body": {"text": "hi"},
    })
}

async fn a_group_changes_while_its_members_stay_and_they_hear_of_it(server: Server) {
    let world = World::new(&server).await;
    let (app, group) = (&world.app, format!("/v1/groups/{}", world.group));
    let mut phone = device(&server, app, "tommy").await;
    let silence = |status: &str| format!("/v1/groups/messages/{}/silence?status={status}", world.group);
    for _ in 0..2 {
        // A repeat changes nothing, and tells nobody.
        app.works("PUT", &silence("true"), &json!(["tommy"])).await;
    }
    let told = event(&mut phone).await;
    assert_eq!((&told["event_type"], &told["extra"], &told["to"][0]["username"]), (&json!(65), &json!(1), &json!("tommy")));
    assert_eq!(app.call("POST", "/v1/messages", &message("group", world.group, "tommy")).await.code(), Some(803_012));
    app.works("PUT", &silence("false"), &json!(["tommy"])).await;
    assert_eq!(event(&mut phone).await["extra"], 2);
    app.works("POST", "/v1/messages", &message("group", world.group, "tommy")).await;
    app.works("PUT", &group, &json!({"name": "renamed"})).await;
    let told = loop {
        let told = event(&mut phone).await;
        if told.is_object() {
            break told;
        }
    };
    assert_eq!((&told["event_type"], &told["group_name"]), (&json!(12), &json!("renamed")));
    let shown = app.works("GET", &group, &Value::Null).await;
    assert_eq!((&shown["name"], &shown["desc"]), (&json!("renamed"), &Value::Null));
    app.works("PUT", &format!("/v1/groups/owner/{}", world.group), &json!({"username": "tommy"})).await;
    let told = event(&mut phone).await;
    assert_eq!((&told["event_type"], &told["new_owner"]["username"]), (&json!(82), &json!("tommy")));
    let members = app.works("GET", &format!("{group}/members/"), &Value::Null).await;
    assert_eq!((&members[0]["username"], &members[0]["flag"], &members[1]["flag"]), (&json!("tommy"), &json!(1), &json!(0)));
    let stranger = app.call("PUT", &format!("/v1/groups/owner/{}", world.group), &json!({"username": "lucy"})).await;
    assert_eq!(stranger.code(), Some(899_014));
}

async fn who_is_muted_in_a_room_may_not_send_there(server: Server) {
    let world = World::new(&server).await;
    let (app, room) = (&world.app, world.room);
    let mute = |status: u8| format!("/v1/chatroom/{room}/forbidden/tommy?status={status}");
    app.works("POST", "/v1/messages", &message("chatroom", room, "tommy")).await;
    app.works("PUT", &mute(1), &Value::Null).await;
    assert_eq!(app.call("POST", "/v1/messages", &message("chatroom", room, "tommy")).await.code(), Some(847_002));
    app.works("PUT", &mute(0), &Value::Null).await;
    app.works("POST", "/v1/messages", &message("chatroom", room, "tommy")).await;
    app.works("PUT", &format!("/v1/chatroom/{room}"), &json!({"owner_username": "tommy", "name": "salon"})).await;
    let shown = app.works("POST", "/v1/chatroom/batch", &json!([room])).await;
    assert_eq!((&shown[0]["name"], &shown[0]["owner_username"]), (&json!("salon"), &json!("tommy")));
}

async fn devices_register_users_only_while_the_app_lets_them(server: Server) {
    let world = World::new(&server).await;
    let mut phone = device(&server, &world.app, "tommy").await;
    for (status, name, code) in [(0, "late1", Some(880_007)), (1, "late2", None)] {
        world.app.works("PUT", &format!("/sdkregister/status?status={status}"), &Value::Null).await;
        let call = json!({"id": 9, "call": {"method": "user.register", "body": {"username": name, "password": "secret"}}});
        phone.send(Message::text(call.to_string())).await.unwrap();
        let answer = phone.next().await.unwrap().unwrap();
        let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
        assert_eq!(answer["error"]["code"].as_u64(), code, "{answer}");
    }
    // By the app's own server it is always open.
    world.app.works("PUT", "/v1/sdkregister/status", &json!({"status": 0})).await;
    world.app.users(&["by_server"]).await;
}

async fn a_send_with_a_key_of_its_own_takes_effect_once(server: Server) {
    let world = World::new(&server).await;
    let keyed = |key: &str| crate::world::App { idempotency_key: Some(key.into()), ..world.app.clone() };
    let body = |text: &str| {
        json!({
            "version": 1, "target_type": "single", "target_id": "tommy", "from_type": "admin", "from_id": "admin",
            "msg_type": "text", "msg_body": {"text": text},
        })
    };
    let first = keyed("order-77").works("POST", "/v1/messages", &body("shipped")).await;
    // Retries that race, with and without the quotes of a structured header.
    let racing = ["order-77", "\"order-77\""].repeat(8);
    let racing = racing.iter().map(|key| {
        let app = keyed(key);
        let body = body("shipped");
        async move { app.works("POST", "/v1/messages", &body).await }
    });
    for again in futures_util::future::join_all(racing).await {
        assert_eq!(again, first);
    }
    let other = keyed("order-77").call("POST", "/v1/messages", &body("cancelled")).await;
    assert!(other.status == 400 && other.code() == Some(899_003), "{other:?}");
    assert!(other.body["error"]["message"].as_str().unwrap().contains("Idempotency-Key"), "{other:?}");
    for key in ["", "  ", &"x".repeat(61), "a b", "naïve"] {
        assert_eq!(keyed(key).call("POST", "/v1/messages", &body("shipped")).await.code(), Some(899_003), "{key:?}");
    }
    let fresh = keyed("order-78").works("POST", "/v1/messages", &body("shipped")).await;
    assert_ne!(fresh["msg_id"], first["msg_id"]);
}

async fn a_device_sees_which_conversations_do_not_disturb(server: Server) {
    let world = World::new(&server).await;
    let mut phone = device(&server, &world.app, "tommy").await;
    for (body, expected) in [
        (json!({}), [false, false]),
        (json!({"single": {"add": ["anna"]}}), [false, true]),
        (json!({"group": {"add": [world.group.to_string()]}, "single": {"remove": ["anna"]}}), [true, false]),
        (json!({"global": 1}), [true, true]),
    ] {
        world.app.works("POST", "/v1/users/tommy/nodisturb", &body).await;
        let message = json!({
            "version": 1, "target_type": "single", "target_id": "tommy", "from_type": "user", "from_id": "anna",
            "msg_type": "text", "msg_body": {"text": "hi"},
        });
        world.app.call("POST", "/v1/messages", &message).await;
        phone.send(Message::text(json!({"id": 9, "conv_list": {}}).to_string())).await.unwrap();
        let page = heard(&mut phone, "conv_page").await;
        let quiet = |kind: &str, id: &str| {
            let items = page["items"].as_array().unwrap();
            items.iter().find(|i| i["type"] == kind && i["target"]["id"] == id).is_some_and(|i| i["dnd"] == true)
        };
        assert_eq!([quiet("group", &world.group.to_string()), quiet("single", "anna")], expected, "{page}");
    }
}

async fn a_text_with_a_sensitive_word_is_refused_from_the_next_message_on(server: Server) {
    let world = World::new(&server).await;
    let app = &world.app;
    let mut phone = device(&server, app, "anna").await;
    let text = |key: &str, text: &str| {
        let keyed = crate::world::App { idempotency_key: Some(key.into()), ..app.clone() };
        let body = json!({
            "version": 1, "target_type": "single", "target_id": "tommy", "from_type": "admin", "from_id": "admin",
            "msg_type": "text", "msg_body": {"text": text},
        });
        async move { keyed.call("POST", "/v1/messages", &body).await }
    };
    app.works("POST", "/v1/sensitiveword", &json!(["笨蛋", "Darn"])).await;
    let first = text("k1", "DARN it").await;
    assert_eq!(first.status, 201, "the filter is off: {first:?}");
    for round in 0..10 {
        app.works("PUT", "/v1/sensitiveword/status?status=1", &Value::Null).await;
        let refused = text(&format!("a{round}"), "oh dArN").await;
        assert_eq!((refused.status, refused.code()), (400, Some(803_009)));
        assert!(refused.body["error"]["message"].as_str().unwrap().ends_with(": Darn"), "{refused:?}");
        app.works("DELETE", "/v1/sensitiveword", &json!({"word": "Darn"})).await;
        assert_eq!(text(&format!("b{round}"), "oh dArN").await.status, 201);
        app.works("POST", "/v1/sensitiveword", &json!(["Darn"])).await;
        app.works("PUT", "/v1/sensitiveword/status?status=0", &Value::Null).await;
        assert_eq!(text(&format!("c{round}"), "oh dArN").await.status, 201);
    }
    app.works("PUT", "/v1/sensitiveword/status?status=1", &Value::Null).await;
    // A retry of what was let through gets its first answer again.
    assert_eq!(text("k1", "DARN it").await.body, first.body);
    let send = |id: u32, text: &str| {
        let send = json!({"id": id, "send": {"cmid": format!("m{id}"), "target_type": "single", "target_id": "tommy", "msg_type": "text", "msg_body": {"text": text}}});
        send.to_string()
    };
    // Refused in the middle of a run: its neighbours are sent all the same. The rest of the list is anna's to be told.
    app.works("DELETE", "/v1/users/anna/blacklist", &json!(["tommy"])).await;
    let together = [send(1, "hello"), send(2, "你这笨蛋"), send(3, "bye")].join("\n");
    phone.send(Message::text(together)).await.unwrap();
    let mut answers = Vec::new();
    while answers.len() < 3 {
        let message = phone.next().await.unwrap().unwrap();
        let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if frame["id"].is_u64() {
            answers.push(frame);
        }
    }
    assert!(answers[0]["send_ack"].is_object() && answers[2]["send_ack"].is_object(), "{answers:?}");
    assert_eq!(answers[1]["error"]["code"], 803_009, "{answers:?}");
    assert!(answers[1]["error"]["message"].as_str().unwrap().ends_with(": 笨蛋"), "{answers:?}");
}

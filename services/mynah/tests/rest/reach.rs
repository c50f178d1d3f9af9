//! What the REST API changes reaches the devices of those concerned: feeds, shields, users of other apps.

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::faults::World;
use crate::flows::{Phone, event, heard, message};
use crate::setup::device;
use crate::world::{App, PROCESSES, Server, each_way};

each_way!(
    a_device_hears_what_concerns_its_user_and_finds_what_it_missed,
    a_shield_keeps_messages_away_and_events_not,
    users_of_two_apps_talk_by_a_grant,
    racing_switches_leave_one_truth,
    a_room_hears_who_is_muted,
);

async fn ask(phone: &mut Phone, frame: Value, answer: &str) -> Value {
    phone.send(Message::text(frame.to_string())).await.unwrap();
    heard(phone, answer).await
}

async fn sync(phone: &mut Phone, conv_id: &str, after: u64) -> Value {
    let ranges = json!([{"conv_id": conv_id, "after_seq": after}]);
    ask(phone, json!({"id": 8, "sync": {"ranges": ranges}}), "sync_page").await["items"][0].clone()
}

async fn a_device_hears_what_concerns_its_user_and_finds_what_it_missed(server: Server) {
    let world = World::new(&server).await;
    let app = &world.app;
    let mut phone = device(&server, app, "lucy").await;
    app.works("POST", "/v1/users/lucy/friends", &json!(["anna"])).await;
    let told = heard(&mut phone, "deliver").await["entries"][0].clone();
    assert_eq!((&told["target"]["type"], &told["event"]["event_type"]), (&json!("feed"), &json!(7)));
    assert_eq!(told["event"]["to"][0]["username"], "anna");
    let feed = told["conv_id"].as_str().unwrap().to_owned();
    drop(phone);
    app.works("PUT", "/v1/users/lucy", &json!({"nickname": "Lu"})).await;
    app.works("PUT", "/v1/users/lucy/blacklist", &json!(["tommy"])).await;
    let mut phone = device(&server, app, "lucy").await;
    let page = ask(&mut phone, json!({"id": 7, "conv_list": {}}), "conv_page").await;
    let item = page["items"].as_array().unwrap().iter().find(|item| item["type"] == "feed").unwrap().clone();
    assert_eq!((&item["conv_id"], &item["head_seq"], &item["unread"]), (&json!(feed), &json!(3), &Value::Null));
    let missed = sync(&mut phone, &feed, 1).await;
    let types: Vec<_> = missed["entries"].as_array().unwrap().iter().map(|e| e["event"]["event_type"].clone()).collect();
    assert_eq!((types, &missed["covered_to"]), (vec![json!(40), json!(38)], &json!(3)));
    let mut stranger = device(&server, app, "tommy").await;
    assert_eq!(sync(&mut stranger, &feed, 0).await["error"]["code"], 803_004);
}

async fn a_shield_keeps_messages_away_and_events_not(server: Server) {
    let world = World::new(&server).await;
    let (app, gid) = (&world.app, world.group);
    let mut phone = device(&server, app, "tommy").await;
    let say = || async { app.works("POST", "/v1/messages", &message("group", gid, "anna")).await["msg_id"].clone() };
    let shield = |change: Value| async move { app.works("POST", "/v1/users/tommy/groupsShield", &change).await };
    shield(json!({"add": [gid]})).await;
    assert_eq!(event(&mut phone).await["event_type"], 39);
    let hidden = say().await;
    app.works("PUT", &format!("/v1/groups/{gid}"), &json!({"name": "renamed"})).await;
    // The next delivery is the event: the message was not pushed.
    let told = heard(&mut phone, "deliver").await["entries"][0].clone();
    assert_eq!(told["event"]["event_type"], 12, "{told}");
    let conv_id = told["conv_id"].as_str().unwrap().to_owned();
    let page = ask(&mut phone, json!({"id": 7, "conv_list": {"kinds": ["group"]}}), "conv_page").await;
    assert_eq!((&page["items"][0]["shielded"], &page["items"][0]["unread"]), (&json!(true), &Value::Null));
    let behind = say().await;
    shield(json!({"remove": [gid]})).await;
    // Where the group stands now: what came meanwhile is accounted for.
    let heads = heard(&mut phone, "heads").await;
    let head = heads["items"][0]["head_seq"].as_u64().unwrap();
    let covered = sync(&mut phone, &conv_id, told["seq"].as_u64().unwrap()).await;
    assert_eq!((covered["covered_to"].as_u64(), covered["entries"].as_array()), (Some(head), None), "{covered}");
    let shown = say().await;
    let told = loop {
        let told = heard(&mut phone, "deliver").await["entries"][0].clone();
        if told["message"].is_object() {
            break told;
        }
    };
    assert_eq!(told["msg_id"], shown);
    let all = sync(&mut phone, &conv_id, 0).await;
    let ids: Vec<&Value> = all["entries"].as_array().unwrap().iter().map(|entry| &entry["msg_id"]).collect();
    assert!(!ids.contains(&&hidden) && !ids.contains(&&behind) && ids.contains(&&shown), "{ids:?}");
    // A login with the shield up begins behind it.
    shield(json!({"add": [gid]})).await;
    let mut tablet = device(&server, app, "tommy").await;
    say().await;
    app.works("PUT", &format!("/v1/groups/{gid}"), &json!({"name": "again"})).await;
    assert_eq!(event(&mut tablet).await["event_type"], 12);
}

fn to(app: &App, kind: &str, id: &str, from: &str) -> Value {
    json!({
        "version": 1, "target_type": kind, "target_id": id, "target_appkey": app.appkey, "from_type": "user", "from_id": from,
        "msg_type": "text", "msg_body": {"text": "hi"},
    })
}

async fn users_of_two_apps_talk_by_a_grant(server: Server) {
    let world = World::new(&server).await;
    let (app, other) = (&world.app, server.app().await);
    other.users(&["xenia", "tommy"]).await;
    let mut phone = device(&server, &other, "xenia").await;
    let refused = app.call("POST", "/v1/messages", &to(&other, "single", "xenia", "anna")).await;
    assert_eq!((refused.status, refused.code()), (403, Some(899_020)));
    server.operator.set_grant(&app.appkey, &other.appkey, true).await.unwrap();
    app.works("POST", "/v1/messages", &to(&other, "single", "xenia", "anna")).await;
    let told = heard(&mut phone, "deliver").await["entries"][0].clone();
    assert_eq!((&told["from"]["username"], &told["from"]["appkey"]), (&json!("anna"), &json!(app.appkey)));
    assert_eq!((&told["message"]["level"], &told["target"]["appkey"]), (&json!(1), &json!(other.appkey)));
    // The answer goes the other way only by a grant of that direction; both ways share one conversation.
    let send = |cmid: &str| {
        json!({"id": 5, "send": {"cmid": cmid, "target_type": "single", "target_id": "anna", "target_appkey": app.appkey,
            "msg_type": "text", "msg_body": {"text": "hello"}}})
    };
    phone.send(Message::text(send("m1").to_string())).await.unwrap();
    assert_eq!(heard(&mut phone, "error").await["code"], 898_011);
    server.operator.set_grant(&other.appkey, &app.appkey, true).await.unwrap();
    let ack = ask(&mut phone, send("m2"), "send_ack").await;
    assert_eq!((&ack["conv_id"], &ack["seq"]), (&told["conv_id"], &json!(2)));
    // In a group of the other app: he hears, speaks, finds it in his list under that app's key, and sees no other.
    app.works("POST", &format!("/v1/cross/groups/{}/members", world.group), &json!([{"appkey": other.appkey, "add": ["xenia"]}]))
        .await;
    assert_eq!(event(&mut phone).await["event_type"], 10);
    let send = json!({"id": 6, "send": {"cmid": "m3", "target_type": "group", "target_id": world.group.to_string(),
        "msg_type": "text", "msg_body": {"text": "all"}}});
    assert!(ask(&mut phone, send, "send_ack").await["seq"].is_u64());
    let page = ask(&mut phone, json!({"id": 7, "conv_list": {"kinds": ["group", "single"]}}), "conv_page").await;
    let items = page["items"].as_array().unwrap();
    assert!(items.len() == 2 && items.iter().all(|item| item["target"]["appkey"] == app.appkey), "{page}");
    // The namesake in the other app is not in the group.
    let mut namesake = device(&server, &other, "tommy").await;
    let send = json!({"id": 6, "send": {"cmid": "m4", "target_type": "group", "target_id": world.group.to_string(),
        "msg_type": "text", "msg_body": {"text": "all"}}});
    namesake.send(Message::text(send.to_string())).await.unwrap();
    assert_eq!(heard(&mut namesake, "error").await["code"], 803_004);
    assert_eq!(other.works("GET", "/v1/users/xenia/groups", &Value::Null).await, json!([]));
    assert_eq!(other.works("GET", "/v1/cross/users/xenia/groups", &Value::Null).await[0]["gid"], world.group);
    assert_eq!(other.call("GET", &format!("/v1/groups/{}", world.group), &Value::Null).await.code(), Some(899_006));
}

/// One of the racing calls wins, the others hear how it stands, and nothing is left half done.
async fn racing_switches_leave_one_truth(server: Server) {
    let world = World::new(&server).await;
    let (app, gid) = (&world.app, world.group);
    for (path, body, already) in [
        ("/v1/users/tommy/groupsShield", json!({"add": [gid]}), 899_052),
        ("/v1/users/lucy/friends", json!(["tommy"]), 899_070),
        ("/v1/users/tommy/nodisturb", json!({"group": {"add": [gid]}}), 899_047),
    ] {
        let answers = futures_util::future::join_all((0..8).map(|_| app.call("POST", path, &body))).await;
        let won = answers.iter().filter(|answer| answer.status < 300).count();
        let lost = answers.iter().filter(|answer| answer.code() == Some(already)).count();
        // A process takes the change of another one that is not answered yet for its own.
        assert!((1..=PROCESSES).contains(&won) && won + lost == 8, "{path}: {answers:?}");
    }
    let off = futures_util::future::join_all(
        (0..8).map(|_| async { app.call("POST", "/v1/users/tommy/nodisturb", &json!({"global": 0})).await }),
    );
    assert!(off.await.iter().all(|answer| answer.status == 204), "switching off what is off is no refusal");
}

async fn a_room_hears_who_is_muted(server: Server) {
    let world = World::new(&server).await;
    let (app, room) = (&world.app, world.room);
    let mut phone = device(&server, app, "lucy").await;
    let entered = ask(&mut phone, json!({"id": 5, "room_enter": {"room_id": room.to_string()}}), "room_state").await;
    for (status, number) in [(1, 135), (1, 0), (0, 136)] {
        app.works("PUT", &format!("/v1/chatroom/{room}/forbidden/tommy?status={status}"), &Value::Null).await;
        // A repeat tells nobody.
        if number > 0 {
            let told = heard(&mut phone, "deliver").await["entries"][0].clone();
            assert_eq!((&told["conv_id"], &told["target"]["type"]), (&entered["conv_id"], &json!("chatroom")));
            assert_eq!((&told["event"]["event_type"], &told["event"]["to"][0]["username"]), (&json!(number), &json!("tommy")));
        }
    }
}

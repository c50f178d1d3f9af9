//! Chatrooms: heard from inside only, found again after an absence.

use std::time::Duration;

use mynah_device::Rate;
use mynah_ports::presence::Audience;
use mynah_proto::directory::CreateRoomRequest;
use mynah_types::ConversationKey;
use serde_json::{Value, json};

use crate::support::{Device, Server, serve, serve_with, text};

async fn room(server: &Server) -> String {
    let (owner, name) = ("anna".into(), "lounge".into());
    let request = CreateRoomRequest { app_id: server.app_id, owner, name, ..CreateRoomRequest::default() };
    server.directory.create_room(request).await.unwrap().room_id.to_string()
}

async fn enter(device: &mut Device, room: &str, last_seq: u64) -> Value {
    device.send(&[json!({"id": 5, "room_enter": {"room_id": room, "last_seq": last_seq}})]).await;
    device.until(|f| f["id"] == 5).await["room_state"].clone()
}

async fn say(device: &mut Device, room: &str, cmid: &str) -> Value {
    device.send(&[text(6, "chatroom", room, cmid)]).await;
    device.until(|f| f["id"] == 6).await
}

#[tokio::test(flavor = "multi_thread")]
async fn those_inside_hear_and_those_outside_do_not() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    let room = room(&server).await;
    assert_eq!(say(&mut tom, &room, "outside").await["error"]["code"], 847_001);
    let state = enter(&mut ann, &room, 0).await;
    assert_eq!((&state["info"]["name"], &state["my"]["owner"]), (&json!("lounge"), &json!(true)));
    enter(&mut tom, &room, 0).await;
    assert_eq!(say(&mut tom, &room, "hi").await["send_ack"]["seq"], 1);
    assert_eq!(ann.until(|f| f["deliver"].is_object()).await["deliver"]["entries"][0]["seq"], 1);
    ann.send(&[json!({"id": 7, "room_leave": {"room_id": room}})]).await;
    assert!(ann.until(|f| f["id"] == 7).await["ok"].is_object());
    for n in 2..=4 {
        assert_eq!(say(&mut tom, &room, &format!("m{n}")).await["send_ack"]["seq"], n);
    }
    ann.send(&[json!({"id": 8, "history": {"conv_id": state["conv_id"]}}), json!({"id": 9, "ping": {}})]).await;
    // Nothing of the three was pushed before the answers.
    assert_eq!(ann.next().await.unwrap()["error"]["code"], 803_004);
    assert!(ann.next().await.unwrap()["pong"].is_object());
    let again = enter(&mut ann, &room, 1).await;
    let missed: Vec<u64> = again["entries"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!((missed, &again["head_seq"]), (vec![2, 3, 4], &json!(4)));
    say(&mut tom, &room, "back").await;
    // What came through here while she entered may be pushed beside the answer: she has it, and drops it.
    let new = |f: &Value| f["deliver"]["entries"][0]["seq"].as_u64().is_some_and(|seq| seq > 4);
    assert_eq!(ann.until(new).await["deliver"]["entries"][0]["seq"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_leaves_its_rooms_and_the_others_stay() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    let room = room(&server).await;
    enter(&mut tom, &room, 0).await;
    // Entering and leaving beside one another never ends what somebody else hears.
    for n in 1..=20 {
        enter(&mut ann, &room, 0).await;
        if n % 2 == 0 {
            drop(std::mem::replace(&mut ann, Device::login(&server, "anna", "d1").await));
        } else {
            ann.send(&[json!({"id": 7, "room_leave": {"room_id": room}})]).await;
        }
        let mut other = Device::login(&server, "lucy1", "d3").await;
        enter(&mut other, &room, 0).await;
        assert_eq!(say(&mut other, &room, &format!("m{n}")).await["send_ack"]["seq"], n);
        let heard = tom.until(|f| f["deliver"].is_object()).await["deliver"]["entries"][0]["seq"].clone();
        assert_eq!(heard, n);
    }
}

/// Nobody is in the room on this gateway any more, so that nothing of it comes here.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_not_heard_when_its_last_connection_has_ended() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let room = room(&server).await;
    let key = ConversationKey::Room(room.parse().unwrap());
    let is_heard = async || server.presence.audience(key).await.unwrap() != Audience::Known(vec![]);
    enter(&mut ann, &room, 0).await;
    assert!(is_heard().await);
    drop(ann);
    let left = async {
        while is_heard().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), left).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_not_there_or_of_another_kind_is_refused() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    for (id, code) in [("4503599627370495", 847_003), ("x", 898_003), ("", 898_003), ("-1", 898_003)] {
        ann.send(&[json!({"id": 5, "room_enter": {"room_id": id}})]).await;
        assert_eq!(ann.until(|f| f["id"] == 5).await["error"]["code"], code, "{id}");
    }
}

/// A room that says more than it may push: whoever is in it hears the newest and what was skipped; others hear theirs meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_hot_room_is_skipped_in_parts_and_holds_up_nobody() {
    let settings = mynah_device::Settings {
        sends: Rate::per_minute(0),
        room_pushes: 1,
        room_patience: Duration::from_millis(1),
        ..mynah_device::Settings::default()
    };
    let server = serve_with(settings).await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    let room = room(&server).await;
    enter(&mut ann, &room, 0).await;
    enter(&mut tom, &room, 0).await;
    for n in 1..=40 {
        say(&mut ann, &room, &format!("m{n}")).await;
    }
    // The room owes for what it pushed; a single chat of the same gateway does not wait for that.
    ann.send(&[text(7, "single", "tommy", "aside")]).await;
    let (mut heard, mut skipped, mut aside) = (Vec::new(), 0, None);
    while heard.last() != Some(&40) {
        let frame = tom.next().await.unwrap();
        if let Some(range) = frame.get("skipped") {
            assert_eq!(range["conv_id"], format!("r.{room}"), "{range}");
            assert_eq!(range["from_seq"], heard.last().copied().unwrap_or(0) + 1, "from where it was heard last");
            skipped += range["to_seq"].as_u64().unwrap() - range["from_seq"].as_u64().unwrap() + 1;
            heard.push(range["to_seq"].as_u64().unwrap());
        }
        for entry in frame["deliver"]["entries"].as_array().into_iter().flatten() {
            if entry["cmid"] == "aside" {
                aside = Some(heard.len());
            } else {
                let seq = entry["seq"].as_u64().unwrap();
                assert_eq!(seq, heard.last().copied().unwrap_or(0) + 1, "no silent hole");
                heard.push(seq);
            }
        }
    }
    assert!(skipped > 30, "{skipped} skipped");
    assert!(aside.is_some(), "the single chat came before the room was done");
}

//! What the suites of bad input share: a good body of each frame, and what happens to a connection.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use mynah_device::{Rate, Settings};
use mynah_oracle::Dice;
use mynah_proto::json::CLIENT_FRAMES;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Device, Server, message, serve_with};

/// The close code of what is no frame.
pub const PROTOCOL: u16 = 4500;

pub fn unlimited() -> Settings {
    let rate = Rate::per_minute(0);
    Settings { sends: rate, calls: rate, syncs: rate, failed_logins: 1000, ..Settings::default() }
}

/// A good body of each frame. Frames of features that are off are refused as such, whatever they hold.
pub fn table() -> Vec<(&'static str, Value)> {
    let off = json!({});
    vec![
        ("hello", json!({"appkey": "x", "platform": "a", "device_id": "d", "recv_window": {"frames": 5, "bytes": 5}})),
        ("login", json!({"username": "anna", "password": "secret", "form": "plain", "resume": {"cursor": "1"}})),
        ("logout", json!({"all_devices": false})),
        ("ping", json!({"ts": 1})),
        ("pong", json!({"ts": 1})),
        ("state", json!({"background": false, "badge": 1})),
        (
            "send",
            json!({"cmid": "c1", "target_type": "single", "target_id": "tommy", "msg_type": "text", "msg_body": {"text": "hi"},
            "from_name": "n", "target_name": "t", "at": [{"username": "tommy"}], "at_all": false, "unread_delta": 1}),
        ),
        ("ack", json!({"items": [{"conv_id": "g.10000001", "seq": 1}]})),
        ("sync", json!({"ranges": [{"conv_id": "g.10000001", "after_seq": 1, "limit": 1}], "mode": "latest", "max_entries": 1})),
        ("history", json!({"conv_id": "g.10000001", "before_seq": 1, "after_seq": 1, "limit": 1})),
        ("conv_list", json!({"cursor": "1:g.10000001", "since_ms": 1, "limit": 1, "kinds": ["single"], "with_last": true})),
        ("read", json!({"conv_id": "g.10000001", "read_seq": 1})),
        ("receipt", off.clone()),
        ("receipt_query", off.clone()),
        ("retract", json!({"conv_id": "g.10000001", "msg_id": 1})),
        ("signal", off.clone()),
        ("presence", off),
        ("room_enter", json!({"room_id": "10000001", "last_seq": 1})),
        ("room_leave", json!({"room_id": "10000001"})),
        ("call", json!({"method": "user.get", "body": {"username": "anna"}})),
    ]
}

/// Pointers of all members and items.
pub fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{name}");
        into.push(pointer.clone());
        pointers(child, &pointer, into);
    }
}

pub fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = body.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

/// Waits until the connection is gone, however it goes.
pub async fn gone(device: &mut Device) -> bool {
    let gone = async { while let Some(Ok(_)) = device.0.next().await {} };
    tokio::time::timeout(Duration::from_secs(20), gone).await.is_ok()
}

/// Sends several messages in one write, so that they arrive together.
pub async fn send_together(device: &mut Device, messages: &[Message]) {
    for message in messages {
        device.0.feed(message.clone()).await.unwrap();
    }
    device.0.flush().await.unwrap();
}

pub async fn logged_in(server: &Server) -> Device {
    Device::login(server, "anna", "d1").await
}

/// Says a frame that is bad, and that the connection goes on: its error names the frame's id, and a ping is answered behind it.
pub async fn refused(device: &mut Device, name: &str, fault: &str, bad: Message) {
    device.0.send(bad).await.unwrap();
    device.send(&[json!({"id": 8, "ping": {}})]).await;
    let answer = device.next().await.unwrap_or_else(|close| panic!("{name} {fault}: closed with {close}"));
    let what = format!("{name} {fault}: {answer}");
    let error = &answer["error"];
    assert!(answer["id"] == 7 && error["code"].as_u64().is_some_and(|code| (800_000..900_000).contains(&code)), "{what}");
    assert!(!error["message"].as_str().unwrap_or_default().is_empty(), "{what}");
    if error["code"] == 898_003 {
        assert!(error["field"].as_str().is_some_and(|field| field.starts_with(name)), "{what}");
    }
    assert!(device.next().await.unwrap()["pong"].is_object(), "{what}");
}

/// Nothing of what was said is stored.
pub async fn nothing_stored(device: &mut Device) {
    device.send(&[json!({"id": 9, "conv_list": {}})]).await;
    assert!(device.next().await.unwrap()["conv_page"]["items"].is_null(), "nothing was stored");
}

/// The table, which has every frame.
pub fn whole_table() -> Vec<(&'static str, Value)> {
    let table = table();
    let without: Vec<_> = CLIENT_FRAMES.iter().filter(|name| !table.iter().any(|(row, _)| row == *name)).collect();
    assert!(without.is_empty(), "frames without a row: {without:?}");
    table
}

/// Good frames with a few bytes changed: an answer or a close of the protocol, and the server goes on.
pub async fn changed_at_random(change: fn(&mut Dice, Message) -> Message) {
    const MARK: u32 = 4_000_000_000;
    let server = serve_with(unlimited()).await;
    let mut dice = Dice::new(13);
    let table = table();
    let (mut answered, mut closed) = (0, 0);
    let mut device = logged_in(&server).await;
    for _ in 0..400 {
        let (name, good) = dice.one_of(&table).unwrap();
        let changed = change(&mut dice, message(crate::SUBPROTOCOL, &[json!({"id": 7, *name: good})]));
        device.0.send(changed.clone()).await.unwrap();
        device.send(&[json!({"id": MARK, "ping": {}})]).await;
        let ended = loop {
            match device.next().await {
                Ok(frame) if frame["id"] == MARK => break None,
                Ok(frame) => assert!(frame["error"]["code"] != 800_009, "{changed:?}: {frame}"),
                Err(close) => break Some(close),
            }
        };
        match ended {
            None => answered += 1,
            Some(close) => {
                assert!([4500, 4503].contains(&close), "{changed:?}: {close}");
                closed += 1;
                device = logged_in(&server).await;
            }
        }
        // A logout among the frames ends the session, not the connection.
        device.send(&[json!({"id": 98, "login": {"username": "anna", "password": "secret"}})]).await;
        device.until(|f| f["id"] == 98).await;
    }
    assert!(answered > 30 && closed > 30, "{answered} answered, {closed} closed");
}

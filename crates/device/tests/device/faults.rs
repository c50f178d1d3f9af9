//! Every frame × every kind of bad input: its error code, or the documented close code; nothing stored, and the connection goes on.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use mynah_device::{Rate, Settings};
use mynah_proto::json::CLIENT_FRAMES;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Device, Server, serve_with, text};

const PROTOCOL: u16 = 4500;

fn unlimited() -> Settings {
    let rate = Rate::per_minute(0);
    Settings { sends: rate, calls: rate, syncs: rate, failed_logins: 1000, ..Settings::default() }
}

/// A good body of each frame. Frames of features that are off are refused as such, whatever they hold.
fn table() -> Vec<(&'static str, Value)> {
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
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
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

fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = body.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

/// Bodies with one fault each, as text.
fn bad_bodies(name: &str, good: &Value) -> Vec<(String, String)> {
    let mut bad: Vec<(String, String)> =
        ["7", "\"x\"", "[1]", "true"].iter().map(|wrong| (format!("body {wrong}"), (*wrong).to_owned())).collect();
    let mut all = Vec::new();
    pointers(good, "", &mut all);
    for pointer in &all {
        let value = good.pointer(pointer).unwrap();
        // The body of a call and of a message are JSON of their own: their members are checked by who reads them.
        let wrong = if value.is_object() { json!(7) } else { json!({"a": 1}) };
        bad.push((format!("{pointer} of the wrong type"), with(good, pointer, wrong).to_string()));
        if value.is_number() {
            for number in ["-1", "1.5", "1e40", "18446744073709551616"] {
                let text = with(good, pointer, json!("NUMBER")).to_string().replace("\"NUMBER\"", number);
                bad.push((format!("{pointer} is {number}"), text));
            }
        }
        if value.is_string() && name != "ack" {
            bad.push((format!("{pointer} too long"), with(good, pointer, json!("x".repeat(9000))).to_string()));
        }
    }
    let first = good.as_object().unwrap().iter().next();
    if let Some((member, value)) = first {
        let text = good.to_string().replacen('{', &format!("{{\"{member}\":{value},"), 1);
        bad.push(("a member twice".into(), text));
    }
    bad
}

/// Waits until the connection is gone, however it goes.
async fn gone(device: &mut Device) -> bool {
    let gone = async { while let Some(Ok(_)) = device.0.next().await {} };
    tokio::time::timeout(Duration::from_secs(20), gone).await.is_ok()
}

/// Sends several messages in one write, so that they arrive together.
async fn send_together(device: &mut Device, messages: &[Message]) {
    for message in messages {
        device.0.feed(message.clone()).await.unwrap();
    }
    device.0.flush().await.unwrap();
}

async fn logged_in(server: &Server) -> Device {
    Device::login(server, "anna", "d1").await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_refuses_every_kind_of_bad_input_and_the_connection_goes_on() {
    let server = serve_with(unlimited()).await;
    Device::login(&server, "tommy", "d2").await;
    let table = table();
    let without: Vec<_> = CLIENT_FRAMES.iter().filter(|name| !table.iter().any(|(row, _)| row == *name)).collect();
    assert!(without.is_empty(), "frames without a row: {without:?}");
    let mut device = logged_in(&server).await;
    for (name, good) in &table {
        for (fault, body) in bad_bodies(name, good) {
            device.0.send(Message::text(format!("{{\"id\":7,\"{name}\":{body}}}"))).await.unwrap();
            device.send(&[json!({"id": 8, "ping": {}})]).await;
            let answer = device.next().await.unwrap_or_else(|close| panic!("{name} {fault}: closed with {close}"));
            let what = format!("{name} {fault}: {answer}");
            let error = &answer["error"];
            assert!(answer["id"] == 7 && error["code"].as_u64().is_some_and(|code| (800_000..900_000).contains(&code)), "{what}");
            assert!(!error["message"].as_str().unwrap_or_default().is_empty(), "{what}");
            if error["code"] == 898_003 {
                assert!(error["field"].as_str().is_some_and(|field| field.starts_with(*name)), "{what}");
            }
            assert!(device.next().await.unwrap()["pong"].is_object(), "{what}");
        }
    }
    device.send(&[json!({"id": 9, "conv_list": {}})]).await;
    assert!(device.next().await.unwrap()["conv_page"]["items"].is_null(), "nothing was stored");
}

/// What is no frame at all: the connection is beyond trust.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_frame_closes_the_connection() {
    let server = serve_with(unlimited()).await;
    let deep = format!("{{\"id\":1,\"call\":{{\"body\":{}1{}}}}}", "[".repeat(40), "]".repeat(40));
    let many = vec!["{\"id\":1,\"ping\":{}}"; 65].join("\n");
    let texts = [
        "{\"id\":1,",
        "",
        "\n\n",
        "7",
        "[]",
        "null",
        "{}",
        "{\"id\":1}",
        "{\"id\":-1,\"ping\":{}}",
        "{\"id\":4294967296,\"ping\":{}}",
        "{\"id\":1,\"id\":2,\"ping\":{}}",
        "{\"ping\":{},\"pong\":{}}",
        "{\"id\":1,\"ping\":{}} x",
        &deep,
        &many,
    ];
    for text in texts {
        let mut device = logged_in(&server).await;
        device.0.send(Message::text(text)).await.unwrap();
        assert_eq!(device.next().await, Err(PROTOCOL), "{text:.60}");
    }
    let mut device = logged_in(&server).await;
    device.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(device.next().await, Err(PROTOCOL));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_too_big_is_refused_and_a_message_that_is_too_big_ends_the_connection() {
    let server = serve_with(unlimited()).await;
    let mut device = logged_in(&server).await;
    let frame = format!("{{\"id\":7,\"ping\":{{\"ts\":1,\"x\":\"{}\"}}}}", "x".repeat(33 << 10));
    device.0.send(Message::text(frame)).await.unwrap();
    assert_eq!(device.next().await.unwrap()["error"]["code"], 890_004);
    device.send(&[json!({"id": 8, "ping": {}})]).await;
    assert!(device.next().await.unwrap()["pong"].is_object());
    // The peer may be cut off before all of it is written.
    _ = device.0.send(Message::text("x".repeat(65 << 10))).await;
    assert!(gone(&mut device).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_not_utf_8_ends_the_connection() {
    use tokio::io::AsyncWriteExt as _;
    let server = serve_with(unlimited()).await;
    let mut device = logged_in(&server).await;
    // A masked text frame of two bytes that are no UTF-8; the mask is zero.
    device.0.get_mut().write_all(&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]).await.unwrap();
    assert!(gone(&mut device).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_hello_or_falls_silent_is_closed() {
    let settings = Settings { hello_within: Duration::from_millis(50), ping_every: Duration::from_millis(60), ..unlimited() };
    let server = serve_with(settings).await;
    let mut mute = Device::connect(&server).await;
    assert_eq!(mute.next().await, Err(PROTOCOL));
    let mut half = Device::connect(&server).await;
    let hello = json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":"d1"}});
    half.send(&[hello]).await;
    assert!(half.next().await.unwrap()["welcome"].is_object());
    assert_eq!(half.next().await, Err(4001));
}

/// What is pushed to a device is no sign of its life.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_device_in_a_busy_group_is_closed_all_the_same() {
    let server = serve_with(Settings { ping_every: Duration::from_millis(100), ..unlimited() }).await;
    let mut silent = Device::login(&server, "tommy", "d2").await;
    let mut busy = logged_in(&server).await;
    let talking = tokio::spawn(async move {
        for n in 0.. {
            busy.send(&[text(5, "single", "tommy", &format!("m{n}"))]).await;
            busy.until(|f| f["id"] == 5).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let close = loop {
        if let Err(close) = silent.next().await {
            break close;
        }
    };
    talking.abort();
    assert_eq!(close, 4001);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_hello_and_login_nothing_else_is_answered() {
    let server = serve_with(unlimited()).await;
    for (name, good) in table().iter().filter(|(name, _)| *name != "hello") {
        let mut early = Device::connect(&server).await;
        early.send(&[json!({"id": 1, *name: good})]).await;
        assert_eq!(early.next().await, Err(PROTOCOL), "{name}");
    }
    let open = ["hello", "login", "ping", "pong", "call", "ack"];
    for (name, good) in table().iter().filter(|(name, _)| !open.contains(name)) {
        let mut early = Device::connect(&server).await;
        let hello = json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":"d1"}});
        early.send(&[hello, json!({"id": 2, *name: good})]).await;
        assert!(early.next().await.unwrap()["welcome"].is_object());
        assert_eq!(early.next().await.unwrap()["error"]["code"], 800_012, "{name}");
    }
}

/// What fails because it stands behind a failed login is bound to its own message, however many arrived together.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_login_fails_what_is_behind_it_in_its_message_and_nothing_of_the_next() {
    let server = serve_with(unlimited()).await;
    logged_in(&server).await;
    let mut device = Device::connect(&server).await;
    let hello = json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":"d1"}});
    let wrong = json!({"id":2,"login":{"username":"anna","password":"wrong"}});
    let right = json!({"id":4,"login":{"username":"anna","password":"secret"}});
    let (behind, after) = (json!({"id":3,"conv_list":{}}), json!({"id":5,"conv_list":{}}));
    let first = format!("{hello}\n{wrong}\n{behind}");
    send_together(&mut device, &[Message::text(first), Message::text(format!("{right}\n{after}"))]).await;
    let refused = device.until(|f| f["id"] == 2).await["error"]["code"].clone();
    assert_eq!(device.next().await.unwrap()["error"]["code"], refused, "behind the wrong login");
    assert!(device.next().await.unwrap()["login_ack"].is_object(), "of the next message");
    assert!(device.next().await.unwrap()["conv_page"].is_object());
}

/// A message that is no frames ends the connection after what came before it was answered, whether or not they arrived together.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_message_takes_nothing_from_the_one_before_it() {
    let server = serve_with(unlimited()).await;
    for broken in [Message::text("{"), Message::binary(vec![1])] {
        let mut device = logged_in(&server).await;
        send_together(&mut device, &[Message::text(json!({"id": 8, "ping": {}}).to_string()), broken]).await;
        assert_eq!(device.next().await.map(|frame| frame["id"].clone()), Ok(json!(8)));
        assert_eq!(device.next().await, Err(PROTOCOL));
    }
}

/// A socket that is closed with bytes unread is reset, and its peer may lose what was said to him last.
#[tokio::test(flavor = "multi_thread")]
async fn who_still_speaks_while_he_is_closed_hears_why_and_is_not_reset() {
    use tokio::io::AsyncReadExt as _;
    let server = serve_with(unlimited()).await;
    let mut device = logged_in(&server).await;
    // Far more than one read of the server takes.
    let more = Message::text(json!({"id": 8, "ping": {"x": "x".repeat(1024)}}).to_string());
    let mut messages = vec![Message::text("{")];
    messages.resize(200, more);
    send_together(&mut device, &messages).await;
    assert_eq!(device.next().await, Err(PROTOCOL));
    let end = device.0.get_mut().read_to_end(&mut Vec::new()).await;
    assert!(end.is_ok(), "{end:?}");
}

/// Good frames with a few bytes changed: an answer or a close of the protocol, and the server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_changed_at_random_are_answered_or_close_the_connection() {
    let server = serve_with(unlimited()).await;
    let mut dice = mynah_oracle::Dice::new(13);
    let table = table();
    let (mut answered, mut closed) = (0, 0);
    let mut device = logged_in(&server).await;
    for _ in 0..400 {
        let (name, good) = dice.one_of(&table).unwrap();
        let mut bytes = json!({"id": 7, *name: good}).to_string().into_bytes();
        for _ in 0..=dice.below(2) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            bytes[at] = *dice.one_of(b"{}[]\",:\\0-9eE.tfn a").unwrap();
        }
        let text = String::from_utf8(bytes).unwrap();
        device.0.send(Message::text(text.clone())).await.unwrap();
        device.send(&[json!({"id": 99, "ping": {}})]).await;
        let ended = loop {
            match device.next().await {
                Ok(frame) if frame["id"] == 99 => break None,
                Ok(frame) => assert!(frame["error"]["code"] != 800_009, "{text}: {frame}"),
                Err(close) => break Some(close),
            }
        };
        match ended {
            None => answered += 1,
            Some(close) => {
                assert!([4500, 4503].contains(&close), "{text}: {close}");
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

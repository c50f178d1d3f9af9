//! Bad input that is bad in either codec: its error code, or the documented close code, and what becomes of the connection.

use std::time::Duration;

use futures_util::SinkExt as _;
use mynah_device::Settings;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::frames::{PROTOCOL, gone, logged_in, nothing_stored, pointers, refused, send_together, table, unlimited, with};
use crate::support::{Device, message, serve_with, text};

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_too_long_are_refused_and_the_connection_goes_on() {
    let server = serve_with(unlimited()).await;
    Device::login(&server, "tommy", "d2").await;
    let mut device = logged_in(&server).await;
    // Acknowledgements have no answer.
    for (name, good) in table().into_iter().filter(|(name, _)| *name != "ack") {
        let mut all = Vec::new();
        pointers(&good, "", &mut all);
        for pointer in all.iter().filter(|pointer| good.pointer(pointer).is_some_and(Value::is_string)) {
            let bad = json!({"id": 7, name: with(&good, pointer, json!("x".repeat(9000)))});
            refused(&mut device, name, &format!("{pointer} too long"), message(crate::SUBPROTOCOL, &[bad])).await;
        }
    }
    nothing_stored(&mut device).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_too_big_is_refused_and_a_message_that_is_too_big_ends_the_connection() {
    let server = serve_with(unlimited()).await;
    let mut device = logged_in(&server).await;
    device.send(&[json!({"id": 7, "call": {"method": "user.get", "body": {"x": "x".repeat(33 << 10)}}})]).await;
    assert_eq!(device.next().await.unwrap()["error"]["code"], 890_004);
    device.send(&[json!({"id": 8, "ping": {}})]).await;
    assert!(device.next().await.unwrap()["pong"].is_object());
    // The peer may be cut off before all of it is written.
    let body = json!({"x": "x".repeat(65 << 10)});
    _ = device.0.send(message(crate::SUBPROTOCOL, &[json!({"id": 7, "call": {"method": "user.get", "body": body}})])).await;
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
    let message = |frames: &[Value]| message(crate::SUBPROTOCOL, frames);
    send_together(&mut device, &[message(&[hello, wrong, behind]), message(&[right, after])]).await;
    let refused = device.until(|f| f["id"] == 2).await["error"]["code"].clone();
    assert_eq!(device.next().await.unwrap()["error"]["code"], refused, "behind the wrong login");
    assert!(device.next().await.unwrap()["login_ack"].is_object(), "of the next message");
    assert!(device.next().await.unwrap()["conv_page"].is_object());
}

/// A message that is no frames ends the connection after what came before it was answered, whether or not they arrived together.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_message_takes_nothing_from_the_one_before_it() {
    let server = serve_with(unlimited()).await;
    // One of them is of the other codec, the other one is none.
    for broken in [Message::text("{"), Message::binary(vec![1])] {
        let mut device = logged_in(&server).await;
        send_together(&mut device, &[message(crate::SUBPROTOCOL, &[json!({"id": 8, "ping": {}})]), broken]).await;
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
    let more = json!({"id": 8, "call": {"method": "user.get", "body": {"x": "x".repeat(1024)}}});
    let more = message(crate::SUBPROTOCOL, &[more]);
    let mut messages = vec![Message::text("{")];
    messages.resize(200, more);
    send_together(&mut device, &messages).await;
    assert_eq!(device.next().await, Err(PROTOCOL));
    let end = device.0.get_mut().read_to_end(&mut Vec::new()).await;
    assert!(end.is_ok(), "{end:?}");
}

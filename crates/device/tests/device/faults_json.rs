//! Every frame × every kind of bad JSON: its error code, or the documented close code; nothing stored, and the connection goes on.

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::frames::{
    PROTOCOL, changed_at_random, gone, logged_in, nothing_stored, pointers, refused, unlimited, whole_table, with,
};
use crate::support::{Device, PROTOBUF, message, serve_with};

/// Bodies with one fault each, as text.
fn bad_bodies(good: &Value) -> Vec<(String, String)> {
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
    }
    let first = good.as_object().unwrap().iter().next();
    if let Some((member, value)) = first {
        let text = good.to_string().replacen('{', &format!("{{\"{member}\":{value},"), 1);
        bad.push(("a member twice".into(), text));
    }
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_refuses_every_kind_of_bad_input_and_the_connection_goes_on() {
    let server = serve_with(unlimited()).await;
    Device::login(&server, "tommy", "d2").await;
    let mut device = logged_in(&server).await;
    for (name, good) in whole_table() {
        for (fault, body) in bad_bodies(&good) {
            refused(&mut device, name, &fault, Message::text(format!("{{\"id\":7,\"{name}\":{body}}}"))).await;
        }
    }
    nothing_stored(&mut device).await;
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
    // A good frame of the other codec.
    device.0.send(message(PROTOBUF, &[json!({"id": 1, "ping": {}})])).await.unwrap();
    assert_eq!(device.next().await, Err(PROTOCOL));
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
async fn bytes_changed_at_random_are_answered_or_close_the_connection() {
    changed_at_random(|dice, message| {
        let mut bytes = message.into_data().to_vec();
        for _ in 0..=dice.below(2) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            bytes[at] = *dice.one_of(b"{}[]\",:\\0-9eE.tfn a").unwrap();
        }
        Message::text(String::from_utf8(bytes).unwrap())
    })
    .await;
}

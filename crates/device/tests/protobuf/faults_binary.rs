//! Every frame × every kind of bad protobuf: its error code, or the documented close code; nothing stored, and the connection goes on.

use futures_util::SinkExt as _;
use mynah_proto::{binary, json::decode_client};
use prost::encoding::{decode_varint, encode_varint};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::frames::{PROTOCOL, changed_at_random, logged_in, nothing_stored, refused, unlimited, whole_table};
use crate::support::{Device, serve_with};

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

/// A field: its number, its wire type, and its bytes, of a text or message without the length.
type Field = (u64, u64, Vec<u8>);

fn number(bytes: &mut &[u8]) -> u64 {
    decode_varint(bytes).unwrap()
}

fn split(mut bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes);
        let length = match key & 7 {
            VARINT => bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1,
            _ => usize::try_from(number(&mut bytes)).unwrap(),
        };
        fields.push((key >> 3, key & 7, bytes[..length].to_vec()));
        bytes = &bytes[length..];
    }
    fields
}

fn join(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, wire, value) in fields {
        encode_varint(number << 3 | wire, &mut bytes);
        if *wire == LENGTH_DELIMITED {
            encode_varint(value.len() as u64, &mut bytes);
        }
        bytes.extend(value);
    }
    bytes
}

/// A message of one frame.
fn framed(frame: &[u8]) -> Message {
    let mut bytes = Vec::new();
    encode_varint(frame.len() as u64, &mut bytes);
    Message::binary([bytes, frame.to_vec()].concat())
}

/// The fields of the body changed, one at a time.
fn bad_bodies(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let fields = split(body);
    let mut bad = Vec::new();
    for (at, (number, wire, _)) in fields.iter().enumerate() {
        let with = |field: Field| {
            let mut fields = fields.clone();
            fields[at] = field;
            join(&fields)
        };
        let other = if *wire == VARINT { LENGTH_DELIMITED } else { VARINT };
        bad.push((format!("field {number} of the wrong type"), with((*number, other, vec![7]))));
        if *wire == LENGTH_DELIMITED {
            bad.push((format!("field {number} is no UTF-8, no message, no JSON"), with((*number, *wire, vec![0xff]))));
            let mut cut = join(&fields[..at]);
            encode_varint(number << 3 | wire, &mut cut);
            encode_varint(1000, &mut cut);
            bad.push((format!("field {number} is cut"), cut));
        } else {
            bad.push((format!("field {number} has no end"), with((*number, *wire, vec![0xff; 11]))));
        }
    }
    bad.push(("a field of number 0".into(), [body, &[0, 1]].concat()));
    bad.push(("a group without an end".into(), [body, &[0x9b, 0x06]].concat()));
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_refuses_every_kind_of_bad_input_and_the_connection_goes_on() {
    let server = serve_with(unlimited()).await;
    Device::login(&server, "tommy", "d2").await;
    let mut device = logged_in(&server).await;
    for (name, good) in whole_table() {
        let wire = binary::encode(&decode_client(&json!({"id": 7, name: good}).to_string()).unwrap());
        let frame = binary::frames(&wire).next().unwrap().unwrap();
        let [id, body] = &split(&frame)[..] else { panic!("{name}") };
        for (fault, bad) in bad_bodies(&body.2) {
            refused(&mut device, name, &fault, framed(&join(&[id.clone(), (body.0, LENGTH_DELIMITED, bad)]))).await;
        }
        refused(&mut device, name, "a body that is a number", framed(&join(&[id.clone(), (body.0, VARINT, vec![7])]))).await;
    }
    nothing_stored(&mut device).await;
}

/// JSON in protobuf is checked like JSON: what one device can say, every other one must be able to read.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_should_hold_json_and_do_not_are_refused() {
    let server = serve_with(unlimited()).await;
    Device::login(&server, "tommy", "d2").await;
    let mut device = logged_in(&server).await;
    let send =
        json!({"cmid": "c1", "target_type": "single", "target_id": "tommy", "msg_type": "text", "msg_body": {"text": "x"}});
    let mynah_proto::device::client_frame::Body::Send(good) =
        decode_client(&json!({"id": 7, "send": send}).to_string()).unwrap().body.unwrap()
    else {
        panic!("no send")
    };
    for bad in [&b"{"[..], b"\"\xff\"", b"{\"a\":1} x", b"nul", b"{\"a\":1,}", b"\0"] {
        for is_body in [true, false] {
            let mut send = good.clone();
            *(if is_body { &mut send.msg_body } else { &mut send.extras }) = bad.into();
            let body = Some(mynah_proto::device::client_frame::Body::Send(send));
            let wire = binary::encode(&mynah_proto::device::ClientFrame { id: 7, body });
            refused(&mut device, "send", &format!("{bad:?}"), Message::binary(wire)).await;
        }
    }
    nothing_stored(&mut device).await;
}

/// What is no frame at all: the connection is beyond trust.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_frame_closes_the_connection() {
    let server = serve_with(unlimited()).await;
    let deep = format!("{}1{}", "[".repeat(31), "]".repeat(31));
    let deep = [&b"\x08\x01\xf2\x01\x41\x12\x3f"[..], deep.as_bytes()].concat();
    let raw = |bytes: &[u8]| Message::binary(bytes.to_vec());
    let messages = [
        raw(b""),
        raw(b"\0"),
        raw(b"\x05\x08\x01"),
        raw(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        raw(&b"\x04\x08\x01\x2a\x00".repeat(65)),
        framed(b"\x08"),
        framed(b"\x08\x01"),
        framed(b"\x08\x01\x08\x02\x2a\x00"),
        framed(b"\x2a\x00\x32\x00"),
        framed(b"\x08\xff\xff\xff\xff\x1f\x2a\x00"),
        framed(b"\x0b\x0c\x2a\x00"),
        framed(b"\x08\x01\x2a\x09"),
        framed(&deep),
        Message::text(json!({"id": 1, "ping": {}}).to_string()),
    ];
    for message in messages {
        let mut device = logged_in(&server).await;
        device.0.send(message.clone()).await.unwrap();
        assert_eq!(device.next().await, Err(PROTOCOL), "{message:.60?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_frame_is_told_so_and_what_is_unknown_in_a_known_one_is_let_be() {
    let server = serve_with(unlimited()).await;
    let mut device = logged_in(&server).await;
    device.0.send(framed(b"\x08\x07\x9a\x06\x00")).await.unwrap();
    let answer = device.next().await.unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"], &answer["error"]["field"]), (&json!(7), &json!(890_006), &json!("99")));
    device.0.send(framed(b"\x08\x08\x2a\x05\x08\x05\x9a\x06\x00\x9a\x06\x01x")).await.unwrap();
    let answer = device.next().await.unwrap();
    assert_eq!((&answer["id"], &answer["pong"]["ts"]), (&json!(8), &json!(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_changed_at_random_are_answered_or_close_the_connection() {
    changed_at_random(|dice, message| {
        let mut bytes = message.into_data().to_vec();
        for _ in 0..=dice.below(2) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            bytes[at] = dice.bits() as u8;
        }
        Message::binary(bytes)
    })
    .await;
}

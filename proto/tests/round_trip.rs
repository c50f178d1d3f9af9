//! Any frame that the schema allows, written and read by both codecs, is the same frame. Frames are made up from the schema itself, so
//! that a new field is among them without anybody's thought.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes};
use mynah_oracle::Dice;
use mynah_proto::{binary, json};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

const ROUNDS: usize = 20_000;

struct Schema(HashMap<String, DescriptorProto>);

impl Schema {
    fn read() -> Self {
        let set = FileDescriptorSet::decode(&include_bytes!("../src/gen/descriptors.bin")[..]).unwrap();
        let device = set.file.into_iter().find(|file| file.package() == "mynah.device.v1").unwrap();
        Self(device.message_type.into_iter().map(|m| (format!(".mynah.device.v1.{}", m.name()), m)).collect())
    }

    /// A message made up: each member is there or not, of a oneof exactly one.
    fn message(&self, dice: &mut Dice, name: &str, depth: usize) -> Vec<u8> {
        let message = &self.0[name];
        let mut bytes = Vec::new();
        let (alone, chosen): (Vec<_>, Vec<_>) =
            message.field.iter().partition(|field| field.oneof_index.is_none() || field.proto3_optional());
        let one = dice.one_of(&chosen).copied();
        for field in alone.into_iter().filter(|_| !dice.once_in(3)).chain(one).collect::<Vec<_>>() {
            let times = if field.label() == Label::Repeated { dice.below(4) } else { 1 };
            for _ in 0..times {
                self.field(dice, name, field, depth, &mut bytes);
            }
        }
        bytes
    }

    fn field(&self, dice: &mut Dice, of: &str, field: &FieldDescriptorProto, depth: usize, bytes: &mut Vec<u8>) {
        let number = u32::try_from(field.number()).unwrap();
        let length_delimited = match field.r#type() {
            Type::Message => self.message(dice, field.type_name(), depth + 1),
            Type::String => text(dice).into_bytes(),
            Type::Bytes if of.ends_with(".Z") => (0..dice.below(9)).map(|_| dice.bits() as u8).collect(),
            Type::Bytes => json_text(dice, 0).into_bytes(),
            Type::Uint32 | Type::Uint64 | Type::Bool => {
                let most = match field.r#type() {
                    Type::Uint32 => u64::from(u32::MAX),
                    Type::Uint64 => u64::MAX,
                    _ => 1,
                };
                encode_key(number, WireType::Varint, bytes);
                encode_varint((dice.bits() >> dice.below(64)).min(most), bytes);
                return;
            }
            other => panic!("a new type: {other:?}"),
        };
        encode_key(number, WireType::LengthDelimited, bytes);
        encode_varint(length_delimited.len() as u64, bytes);
        bytes.put_slice(&length_delimited);
    }
}

fn text(dice: &mut Dice) -> String {
    let letters =
        ['a', 'Z', '0', ' ', '"', '\\', '/', '\n', '\r', '\t', '\0', '\u{7f}', 'é', '中', '\u{2028}', '😀', '{', '}', '\u{feff}'];
    (0..dice.below(12)).map(|_| *dice.one_of(&letters).unwrap()).collect()
}

/// JSON as the fields hold it, in one line.
fn json_text(dice: &mut Dice, depth: u64) -> String {
    let kinds = if depth > 3 { 4 } else { 6 };
    match dice.below(kinds) {
        0 => "null".into(),
        1 => serde_json::to_string(&text(dice)).unwrap(),
        2 => (*dice.one_of(&["0", "-1.50", "1e400", "123456789012345678901234567890"]).unwrap()).into(),
        3 => "true".into(),
        4 => {
            let items: Vec<String> = (0..dice.below(3)).map(|_| json_text(dice, depth + 1)).collect();
            format!("[ {}]", items.join(" ,"))
        }
        _ => {
            let members: Vec<String> = (0..dice.below(3))
                .map(|_| format!("{}: {}", serde_json::to_string(&text(dice)).unwrap(), json_text(dice, depth + 1)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

#[test]
fn a_devices_frame_is_the_same_by_either_codec() {
    let (schema, mut dice, mut seen) = (Schema::read(), Dice::new(3), HashMap::new());
    for _ in 0..ROUNDS {
        let made = Bytes::from(schema.message(&mut dice, ".mynah.device.v1.ClientFrame", 0));
        let frame = binary::decode_client(&made).unwrap_or_else(|e| panic!("{made:?}: {e}"));
        *seen.entry(json::client_frame_name(frame.body.as_ref().unwrap())).or_insert(0) += 1;
        let wire = binary::encode(&frame);
        let again = binary::frames(&wire).next().unwrap().unwrap();
        assert_eq!(binary::decode_client(&again).as_ref(), Ok(&frame));
        let text = json::encode_client(&frame).unwrap();
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(json::decode_client(&text), Ok(frame), "{text}");
    }
    assert_eq!(seen.len(), json::CLIENT_FRAMES.len(), "{seen:?}");
}

#[test]
fn a_servers_frame_is_the_same_by_either_codec() {
    let (schema, mut dice, mut seen) = (Schema::read(), Dice::new(4), HashMap::new());
    for _ in 0..ROUNDS {
        let made = schema.message(&mut dice, ".mynah.device.v1.ServerFrame", 0);
        let mut frame = mynah_proto::device::ServerFrame::decode(&made[..]).unwrap();
        if frame.error.is_some() {
            // An answer or the error in its place.
            frame.body = None;
        }
        *seen.entry(frame.body.as_ref().map_or("error", json::server_frame_name)).or_insert(0) += 1;
        let wire = binary::encode(&frame);
        let again = binary::frames(&wire).next().unwrap().unwrap();
        assert_eq!(binary::decode_server(&again).as_ref(), Ok(&frame));
        let text = json::encode_server(&frame).unwrap();
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(json::decode_server(&text), Ok(frame), "{text}");
    }
    assert_eq!(seen.len(), json::SERVER_FRAMES.len() + 1, "{seen:?}");
}

/// Line ends between the members of a JSON field: they part the frames of a message, so that they become space in a JSON frame.
#[test]
fn json_over_several_lines_stays_one_frame() {
    let message =
        mynah_proto::device::Message { msg_body: Bytes::from_static(b"{\r\n \"text\": \"a\\nb\"\n}\n"), ..Default::default() };
    let kind = Some(mynah_proto::device::entry::Kind::Message(message));
    let deliver = mynah_proto::device::Deliver { entries: vec![mynah_proto::device::Entry { kind, ..Default::default() }] };
    let body = Some(mynah_proto::device::server_frame::Body::Deliver(deliver));
    let text = json::encode_server(&mynah_proto::device::ServerFrame { id: 0, error: None, body }).unwrap();
    assert!(!text.contains(['\n', '\r']) && text.contains(r#"{   "text": "a\nb" }"#), "{text}");
}

//! The protobuf codec of the device protocol: frames as the schema has them, each behind its length as a varint.
//!
//! What it refuses is what the JSON codec refuses: an id given twice, two bodies, none, and bytes that should hold JSON and do not.

use bytes::{Buf as _, Bytes};
use prost::Message;
use serde::de::IgnoredAny;

use crate::device::{ClientFrame, ServerFrame, client_frame};
use crate::json::{FrameError, client_body_at, server_body_at};

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

/// The number of the id in both envelopes.
const ID: u32 = 1;
/// The number of the error in the server's envelope.
const ERROR: u32 = 2;

/// The frames of a WebSocket message, each without its length. Ends after the first that is cut.
pub fn frames(message: &Bytes) -> impl Iterator<Item = Result<Bytes, FrameError>> + use<> {
    let mut rest = message.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let frame = delimited(&mut rest);
        if frame.is_err() {
            rest.clear();
        }
        Some(frame)
    })
}

/// Reads a device's frame, without its length.
///
/// # Errors
/// See [`FrameError`]: which of them closes the connection is the caller's rule. A body of an unknown kind is named by its number.
pub fn decode_client(frame: &Bytes) -> Result<ClientFrame, FrameError> {
    let (id, name) = envelope(frame, client_body_at)?;
    let frame: ClientFrame = body(frame, id, name)?;
    for (member, json) in frame.body.iter().flat_map(json_members) {
        if let Err(message) = check_json(json) {
            return Err(FrameError::BadField { id, field: format!("{name}.{member}"), message });
        }
    }
    Ok(frame)
}

/// Reads a server's frame, without its length.
///
/// # Errors
/// See [`FrameError`].
pub fn decode_server(frame: &Bytes) -> Result<ServerFrame, FrameError> {
    let (id, name) = envelope(frame, |number| if number == ERROR { Some("error") } else { server_body_at(number) })?;
    body(frame, id, name)
}

/// Writes a frame with its length before it: a WebSocket message, or a part of one.
#[must_use]
pub fn encode(frame: &impl Message) -> Bytes {
    frame.encode_length_delimited_to_vec().into()
}

/// The members of a device's frame that hold JSON, where they are given: their names and their bytes.
pub fn json_members(body: &client_frame::Body) -> impl Iterator<Item = (&'static str, &Bytes)> {
    use client_frame::Body;
    let members = match body {
        Body::Send(send) => [Some(("msg_body", &send.msg_body)), Some(("extras", &send.extras))],
        Body::Call(call) => [Some(("body", &call.body)), None],
        Body::Signal(signal) => [Some(("data", &signal.data)), None],
        _ => [None, None],
    };
    members.into_iter().flatten().filter(|(_, json)| !json.is_empty())
}

fn check_json(bytes: &Bytes) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|e| e.to_string())
}

fn body<F: Message + Default>(frame: &Bytes, id: u32, name: &str) -> Result<F, FrameError> {
    // The envelope is whole: what does not read is inside of the body.
    F::decode(frame.clone()).map_err(|e| FrameError::BadField { id, field: name.to_owned(), message: e.to_string() })
}

/// The id and the name of the one body that the envelope holds. What is beside it and not known is let be.
fn envelope(frame: &Bytes, name_at: fn(u32) -> Option<&'static str>) -> Result<(u32, &'static str), FrameError> {
    let mut rest = frame.clone();
    let (mut id, mut body, mut unknown) = (None, None, None);
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0).ok_or_else(|| malformed("a number of a field"))?;
        match (number, key & 7) {
            (ID, VARINT) => {
                let given = u32::try_from(varint(&mut rest)?).map_err(|_| malformed("the id is too large"))?;
                if id.replace(given).is_some() {
                    return Err(malformed("the id is given twice"));
                }
            }
            (ID, _) => return Err(malformed("the id is no number")),
            (number, wire) => {
                skip(&mut rest, wire)?;
                match name_at(number) {
                    Some(name) if body.replace(name).is_some() => return Err(malformed("a frame has one body")),
                    Some(_) => {}
                    None if wire == LENGTH_DELIMITED => _ = unknown.get_or_insert(number),
                    None => {}
                }
            }
        }
    }
    let id = id.unwrap_or(0);
    match (body, unknown) {
        (Some(name), _) => Ok((id, name)),
        (None, Some(number)) => Err(FrameError::UnknownBody { id, name: number.to_string() }),
        (None, None) => Err(malformed("a frame has one body")),
    }
}

fn skip(rest: &mut Bytes, wire: u64) -> Result<(), FrameError> {
    let fixed = match wire {
        VARINT => return varint(rest).map(|_| ()),
        LENGTH_DELIMITED => return delimited(rest).map(|_| ()),
        FIXED_64 => 8,
        FIXED_32 => 4,
        _ => return Err(malformed("a kind of field that the schema does not have")),
    };
    if rest.len() < fixed {
        return Err(malformed("the frame is cut"));
    }
    rest.advance(fixed);
    Ok(())
}

fn delimited(rest: &mut Bytes) -> Result<Bytes, FrameError> {
    let length = usize::try_from(varint(rest)?).ok().filter(|length| *length <= rest.len());
    length.map(|length| rest.split_to(length)).ok_or_else(|| malformed("a length reaches beyond the end"))
}

fn varint(rest: &mut Bytes) -> Result<u64, FrameError> {
    prost::encoding::decode_varint(rest).map_err(|e| malformed(&e.to_string()))
}

fn malformed(why: &str) -> FrameError {
    FrameError::Malformed(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Ping, Send};

    fn read(bytes: &[u8]) -> Result<ClientFrame, FrameError> {
        decode_client(&Bytes::copy_from_slice(bytes))
    }

    fn is_malformed(bytes: &[u8]) -> bool {
        matches!(read(bytes), Err(FrameError::Malformed(_)))
    }

    /// Written by hand from the schema, so that both directions cannot be wrong alike.
    #[test]
    fn a_send_lies_on_the_wire_as_the_schema_says() {
        let bytes = b"\x08\x07\x52\x16\x0a\x01c\x12\x06single\x32\x02{}\x80\x01\x00\x88\x01\xac\x02";
        let send = Send {
            cmid: "c".into(),
            target_type: "single".into(),
            msg_body: Bytes::from_static(b"{}"),
            unread_delta: Some(0),
            client_ms: 300,
            ..Send::default()
        };
        let frame = ClientFrame { id: 7, body: Some(client_frame::Body::Send(send)) };
        assert_eq!(read(bytes).as_ref(), Ok(&frame));
        assert_eq!(encode(&frame), [&[u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat());
    }

    #[test]
    fn frames_are_parted_by_their_lengths_and_end_where_one_is_cut() {
        let ping = ClientFrame { id: 1, body: Some(client_frame::Body::Ping(Ping::default())) };
        let one = encode(&ping);
        let two = Bytes::from([&one[..], &one[..]].concat());
        assert_eq!(
            frames(&two).map(|frame| decode_client(&frame.unwrap())).collect::<Vec<_>>(),
            vec![Ok(ping.clone()), Ok(ping)]
        );
        let cut: Vec<_> = frames(&two.slice(..two.len() - 1)).collect();
        assert!(matches!(&cut[..], [Ok(_), Err(FrameError::Malformed(_))]), "{cut:?}");
        let lies = Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x");
        assert!(matches!(&frames(&lies).collect::<Vec<_>>()[..], [Err(_)]));
    }

    #[test]
    fn an_envelope_has_one_id_and_one_body() {
        assert!(read(b"\x08\x01\x2a\x00").is_ok());
        for bad in [
            &b""[..],
            b"\x08\x01",
            b"\x08\x01\x08\x02\x2a\x00",
            b"\x2a\x00\x2a\x00",
            b"\x2a\x00\x32\x00",
            b"\x0a\x01\x01\x2a\x00",
            b"\x08\xff\xff\xff\xff\x1f\x2a\x00",
            b"\x08\x01\x2a\x05\x00",
            b"\x08\x01\x2b\x2c",
            b"\x00\x01\x2a\x00",
            b"\x08\x01\x2a\x00\xff",
        ] {
            assert!(is_malformed(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_frame_is_named_by_its_number_and_unknown_fields_are_let_be() {
        let unknown = Err(FrameError::UnknownBody { id: 9, name: "99".into() });
        assert_eq!(read(b"\x08\x09\x9a\x06\x00"), unknown);
        // Beside the body, and inside of it: a varint, 8 bytes, a text, 4 bytes.
        for known in
            [&b"\x08\x01\x9a\x06\x01x\x2a\x00"[..], b"\x08\x01\x2a\x17\x98\x06\x01\x99\x0612345678\x9a\x06\x01x\x9d\x061234"]
        {
            let frame = read(known).unwrap();
            assert_eq!(frame.body, Some(client_frame::Body::Ping(Ping::default())));
        }
    }

    #[test]
    fn what_is_wrong_inside_of_a_body_names_it_and_the_id() {
        let field = |bytes: &[u8]| match read(bytes) {
            Err(FrameError::BadField { id: 3, field, .. }) => field,
            other => panic!("{other:?}"),
        };
        // A body that is a number, text that is no UTF-8, a length beyond the body, JSON that is none.
        assert_eq!(field(b"\x08\x03\x50\x01"), "send");
        assert_eq!(field(b"\x08\x03\x52\x03\x0a\x01\xff"), "send");
        assert_eq!(field(b"\x08\x03\x52\x03\x0a\x09c"), "send");
        assert_eq!(field(b"\x08\x03\x52\x03\x32\x01{"), "send.msg_body");
        assert_eq!(field(b"\x08\x03\x52\x03\x4a\x01\xff"), "send.extras");
        assert_eq!(field(b"\x08\x03\xf2\x01\x05\x12\x03\"\xff\""), "call.body");
    }

    #[test]
    fn groups_that_nest_without_end_are_refused() {
        let groups = [[0x9b, 0x06].repeat(5000), [0x9c, 0x06].repeat(5000)].concat();
        let length = u16::try_from(groups.len()).unwrap();
        let header = [0x08, 0x03, 0x2a, (length & 0x7f) as u8 | 0x80, ((length >> 7) & 0x7f) as u8 | 0x80, (length >> 14) as u8];
        let frame = [&header[..], &groups].concat();
        assert!(matches!(read(&frame), Err(FrameError::BadField { id: 3, .. })));
    }
}

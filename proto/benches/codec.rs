//! What it costs to read and write a device's frames of 128 bytes of text, in both codecs, against a copy of the same bytes; protobuf also
//! against the bare generated code.

#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;

use bytes::Bytes;
use mynah_measure::{Bench, Failed, each};
use mynah_proto::device::{
    ClientFrame, Deliver, Entry, Message as Text, Party, Send, ServerFrame, Target, client_frame, entry, server_frame,
};
use mynah_proto::{binary, json};
use prost::Message as _;

const FRAMES: u64 = 100_000;
const COPY: &str = "copy of the same bytes";
const BARE: &str = "the generated code alone";

fn body() -> Bytes {
    format!("{{\"text\":\"{}\"}}", "x".repeat(128)).into()
}

fn send() -> ClientFrame {
    let send = Send {
        cmid: "0197f3a2-6d1c-7b44-9d1e-3a5c8e2b7f10".into(),
        target_type: "single".into(),
        target_id: "tommy".into(),
        msg_type: "text".into(),
        msg_body: body(),
        ..Send::default()
    };
    ClientFrame { id: 4711, body: Some(client_frame::Body::Send(send)) }
}

fn deliver() -> ServerFrame {
    let appkey = "0123456789abcdef01234567";
    let from = Party {
        username: "anna".into(),
        appkey: appkey.into(),
        name: "Anna".into(),
        r#type: "user".into(),
        platform: "a".into(),
        profile_mtime: 1_795_600_000_000,
    };
    let target = Target { r#type: "single".into(), id: "tommy".into(), appkey: appkey.into(), name: String::new() };
    let text = Text { msg_type: "text".into(), msg_body: body(), unread_delta: 1, ..Text::default() };
    let entry = Entry {
        conv_id: "s.1000001.1000002".into(),
        seq: 4711,
        msg_id: 9_007_199_254_740,
        ctime_ms: 1_795_600_000_000,
        cmid: "0197f3a2-6d1c-7b44-9d1e-3a5c8e2b7f10".into(),
        from: Some(from),
        target: Some(target),
        cum_unread: 4711,
        retracted: false,
        kind: Some(entry::Kind::Message(text)),
    };
    ServerFrame { id: 0, error: None, body: Some(server_frame::Body::Deliver(Deliver { entries: vec![entry] })) }
}

/// Nanoseconds of one call.
fn time<T>(count: u64, mut call: impl FnMut() -> T) -> f64 {
    each(count, || {
        for _ in 0..count {
            black_box(call());
        }
    })
}

fn copy(count: u64, bytes: &[u8]) -> f64 {
    time(count, || black_box(bytes).to_vec())
}

fn main() -> Result<(), Failed> {
    let mut bench = Bench::from_args("codec")?;
    let count = bench.count(FRAMES);
    let (send, deliver) = (send(), deliver());
    let (send_text, deliver_text) = (json::encode_client(&send)?, json::encode_server(&deliver)?);
    let (send_bytes, deliver_bytes) = (Bytes::from(send.encode_to_vec()), Bytes::from(deliver.encode_to_vec()));
    if json::decode_client(&send_text)? != send || binary::decode_server(&deliver_bytes)? != deliver {
        return Err("the codecs do not agree".into());
    }
    bench.case("send read, JSON", COPY, || {
        Ok((time(count, || json::decode_client(black_box(&send_text))), copy(count, send_text.as_bytes())))
    })?;
    bench.case("send read, protobuf", COPY, || {
        Ok((time(count, || binary::decode_client(black_box(&send_bytes))), copy(count, &send_bytes)))
    })?;
    bench.case("send read, protobuf", BARE, || {
        let bare = || ClientFrame::decode(black_box(send_bytes.clone()));
        Ok((time(count, || binary::decode_client(black_box(&send_bytes))), time(count, bare)))
    })?;
    bench.case("deliver written, JSON", COPY, || {
        Ok((time(count, || json::encode_server(black_box(&deliver))), copy(count, deliver_text.as_bytes())))
    })?;
    bench.case("deliver written, protobuf", COPY, || {
        Ok((time(count, || binary::encode(black_box(&deliver))), copy(count, &deliver_bytes)))
    })?;
    bench.case("deliver written, protobuf", BARE, || {
        Ok((time(count, || binary::encode(black_box(&deliver))), time(count, || black_box(&deliver).encode_to_vec())))
    })?;
    // What a client pays.
    bench.case("send written, JSON", COPY, || {
        Ok((time(count, || json::encode_client(black_box(&send))), copy(count, send_text.as_bytes())))
    })?;
    bench.case("deliver read, JSON", COPY, || {
        Ok((time(count, || json::decode_server(black_box(&deliver_text))), copy(count, deliver_text.as_bytes())))
    })?;
    bench.case("send written, protobuf", COPY, || {
        Ok((time(count, || binary::encode(black_box(&send))), copy(count, &send_bytes)))
    })?;
    bench.case("deliver read, protobuf", COPY, || {
        Ok((time(count, || binary::decode_server(black_box(&deliver_bytes))), copy(count, &deliver_bytes)))
    })?;
    bench.print();
    Ok(())
}

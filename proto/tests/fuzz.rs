//! Bytes without sense, and good frames with a few bytes changed: the codecs refuse or read, and what they read they write again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::Bytes;
use mynah_oracle::Dice;
use mynah_proto::binary;
use mynah_proto::json::{decode_client, decode_server, encode_client, encode_server, unique};

const ROUNDS: u64 = 100_000;

const SEEDS: [&str; 10] = [
    r#"{"id":1,"hello":{"appkey":"0123456789abcdef01234567","platform":"j","device_id":"d","features":["z"],"auth_payload":{"random_str":"r","timestamp":"17","signature":"s"}}}"#,
    r#"{"id":2,"login":{"session":"s","resume":{"cursor":"1"},"kick_others":false}}"#,
    r#"{"id":3,"send":{"cmid":"c","target_type":"single","target_id":"tom","msg_type":"text","msg_body":{"text":"h\u00e9\n"},"at":[{"username":"a"}],"unread_delta":0}}"#,
    r#"{"id":4,"sync":{"ranges":[{"conv_id":"s.1.2","after_seq":41,"limit":50}],"mode":"latest"}}"#,
    r#"{"ack":{"items":[{"conv_id":"g.1","seq":9007199254740991}]}}"#,
    r#"{"id":6,"call":{"method":"user.get","body":{"a":[1,2,{"b":null}]}}}"#,
    r#"{"id":7,"send_ack":{"conv_id":"s.1.2","msg_id":1,"seq":2,"ctime_ms":3,"duplicate":true}}"#,
    r#"{"deliver":{"entries":[{"conv_id":"g.1","seq":1,"msg_id":2,"from":{"username":"a"},"message":{"msg_type":"text","msg_body":{"text":"x"}}}]}}"#,
    r#"{"id":8,"error":{"code":803004,"message":"m","retryable":true,"field":"f"}}"#,
    r#"{"version":1,"target_type":"single","msg_body":{"text":"x","extras":{"k":[true,1.5e3]}}}"#,
];

fn mutate(dice: &mut Dice, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        let len = bytes.len() as u64;
        let at = usize::try_from(dice.below(len.max(1))).unwrap_or(0);
        let fresh = *dice.one_of(b"{}[]\",:\\0-9eE.tfn\x00\x7f\xc3\xff u").unwrap_or(&0);
        match dice.below(5) {
            0 if !bytes.is_empty() => _ = bytes.remove(at),
            1 => bytes.insert(at.min(bytes.len()), fresh),
            2 => bytes.truncate(at),
            3 => {
                let part = bytes.get(at..).map(<[u8]>::to_vec).unwrap_or_default();
                bytes.extend(part.into_iter().take(40));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = fresh;
                }
            }
        }
    }
    bytes
}

#[test]
fn both_envelopes_and_bodies_read_anything_without_a_panic() {
    let mut dice = Dice::new(7);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let seed = dice.one_of(&SEEDS).copied().unwrap_or_default();
        let bytes = mutate(&mut dice, seed);
        _ = unique(&bytes);
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        match decode_client(text) {
            Ok(frame) => {
                read += 1;
                if let Ok(again) = encode_client(&frame) {
                    assert_eq!(decode_client(&again), Ok(frame), "{text}");
                }
            }
            Err(_) => refused += 1,
        }
        if let Ok(frame) = decode_server(text)
            && let Ok(again) = encode_server(&frame)
        {
            assert_eq!(decode_server(&again), Ok(frame), "{text}");
        }
    }
    assert!(read > ROUNDS / 100 && refused > ROUNDS / 10, "{read} read, {refused} refused");
}

/// The bytes of all golden frames, with a few changed: what reads is a frame by either codec.
#[test]
fn protobuf_reads_anything_without_a_panic_and_what_it_reads_json_writes() {
    let mut dice = Dice::new(8);
    let seeds: Vec<Bytes> = ["client", "server"].iter().flat_map(|side| golden(side)).collect();
    let (mut read, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let mut bytes = dice.one_of(&seeds).map(|seed| seed.to_vec()).unwrap_or_default();
        for _ in 0..=dice.below(4) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap_or(0);
            match dice.below(4) {
                0 if bytes.len() > 1 => _ = bytes.remove(at),
                1 => bytes.insert(at, dice.bits() as u8),
                2 => bytes.truncate(at.max(1)),
                _ => bytes[at] = dice.bits() as u8,
            }
        }
        for frame in binary::frames(&Bytes::from(bytes)).filter_map(Result::ok) {
            _ = binary::decode_server(&frame);
            match binary::decode_client(&frame) {
                Ok(read_as) => {
                    read += 1;
                    let again = binary::frames(&binary::encode(&read_as)).next().unwrap().unwrap();
                    assert_eq!(binary::decode_client(&again).as_ref(), Ok(&read_as));
                    let text = encode_client(&read_as).unwrap();
                    decode_client(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > ROUNDS / 100 && refused > ROUNDS / 10, "{read} read, {refused} refused");
}

fn golden(side: &str) -> Vec<Bytes> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(side);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let binary = files.iter().filter(|path| path.extension().is_some_and(|e| e == "pb"));
    binary.map(|path| Bytes::from(std::fs::read(path).unwrap())).collect()
}

//! Bytes without sense, and good frames with a few bytes changed: the codecs refuse or read, and what they read they write again.

use mynah_oracle::Dice;
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

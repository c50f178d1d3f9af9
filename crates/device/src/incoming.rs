//! What comes in over a connection's socket: messages that arrived together, and the frames in them.

use axum::extract::ws::{Message, Utf8Bytes};
use futures_util::{FutureExt as _, StreamExt as _};
use mynah_proto::device::{ClientFrame, ServerFrame};
use mynah_proto::json::{self, FrameError};

use crate::errors::{self, Close};

/// Nesting of a frame's JSON.
const MOST_DEPTH: usize = 32;
/// WebSocket messages that are taken together.
const MOST_GATHERED: usize = 64;

/// What came in: frames to work on, or nothing more.
pub(crate) enum Came {
    Texts(Vec<Utf8Bytes>),
    Control,
    End(Option<Close>),
}

/// Takes what has arrived already with a message, so that sends which were pipelined go to the router together.
pub(crate) fn gather<S>(first: Option<Result<Message, axum::Error>>, stream: &mut S, most_bytes: usize) -> Came
where
    S: futures_util::Stream<Item = Result<Message, axum::Error>> + Unpin,
{
    let mut texts = Vec::new();
    let (mut next, mut bytes) = (Some(first), 0);
    while let Some(message) = next {
        match message {
            Some(Ok(Message::Text(text))) => {
                bytes += text.len();
                texts.push(text);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Came::End(Some(Close::PROTOCOL)),
            // What came before the end is not worked on: its sender is gone, and asks again.
            None | Some(Err(_) | Ok(Message::Close(_))) => return Came::End(None),
        }
        next = if texts.len() < MOST_GATHERED && bytes < most_bytes { stream.next().now_or_never() } else { None };
    }
    if texts.is_empty() { Came::Control } else { Came::Texts(texts) }
}

/// Reads one frame: the outer error closes the connection, the inner one is its answer.
pub(crate) fn read(line: &str) -> Result<Result<ClientFrame, ServerFrame>, Close> {
    if depth(line) > MOST_DEPTH {
        return Err(Close::PROTOCOL);
    }
    match json::decode_client(line) {
        Ok(frame) => Ok(Ok(frame)),
        Err(FrameError::Malformed(_)) => Err(Close::PROTOCOL),
        Err(FrameError::UnknownBody { id, name }) => Ok(Err(errors::refuse(id, errors::UNKNOWN_METHOD, &name, "unknown frame"))),
        Err(FrameError::BadField { id, field, message }) => Ok(Err(errors::refuse(id, errors::INVALID, &field, &message))),
    }
}

/// How deep the JSON of a frame nests; brackets inside strings do not count.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_counts_outside_strings_only() {
        assert_eq!(depth(r#"{"a":[{"b":"[[[[\"{{"}]}"#), 3);
    }

    #[test]
    fn a_wrong_type_names_its_field_and_a_broken_frame_closes() {
        let refusal = read(r#"{"id":3,"sync":{"ranges":[{"after_seq":"x"}]}}"#).unwrap().unwrap_err();
        let error = refusal.error.unwrap();
        assert_eq!((refusal.id, error.code, error.field.as_str()), (3, 898_003, "sync.ranges[0].after_seq"));
        assert_eq!(read("{\"id\":1,").unwrap_err(), Close::PROTOCOL);
        assert_eq!(
            read(&format!("{{\"id\":1,\"call\":{{\"body\":{}1{}}}}}", "[".repeat(40), "]".repeat(40))).unwrap_err(),
            Close::PROTOCOL
        );
        let unknown = read(r#"{"id":9,"dance":{}}"#).unwrap().unwrap_err();
        assert_eq!(unknown.error.unwrap().code, 890_006);
    }
}

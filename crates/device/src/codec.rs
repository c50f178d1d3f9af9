//! The two codecs of the device protocol: which one a connection speaks, and frames as they lie on the wire.

use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use mynah_proto::device::{ClientFrame, ServerFrame};
use mynah_proto::json::FrameError;
use mynah_proto::{binary, json};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Nesting of a frame's JSON.
const MOST_DEPTH: usize = 32;
/// How deep the members that hold JSON lie in a frame: in the body, in the envelope.
const MEMBER_DEPTH: usize = 2;

/// How a connection's frames are written; agreed before anything is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Text messages, a frame a line.
    Json,
    /// Binary messages, each frame behind its length.
    Protobuf,
}

/// What a WebSocket message holds: one frame or several.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// A frame for many devices: written once in each codec that one of them speaks, and in no other.
#[derive(Debug)]
pub(crate) struct Shared {
    frame: ServerFrame,
    json: OnceLock<Option<Wire>>,
    protobuf: OnceLock<Option<Wire>>,
}

impl Codec {
    /// The codec that the client likes best of those that it offers, and its name; JSON for who offers none.
    ///
    /// None if it offers others only: frames of another version are not to be read as ours.
    pub(crate) fn agreed(headers: &HeaderMap) -> Option<(Self, Option<HeaderValue>)> {
        let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let mut offered = offers.iter().filter_map(|offer| offer.to_str().ok()).flat_map(|offer| offer.split(',')).peekable();
        if offered.peek().is_none() {
            return Some((Self::Json, None));
        }
        offered.find_map(|name| match name.trim() {
            "mynah.v1.json" => Some((Self::Json, Some(HeaderValue::from_static("mynah.v1.json")))),
            "mynah.v1.pb" => Some((Self::Protobuf, Some(HeaderValue::from_static("mynah.v1.pb")))),
            _ => None,
        })
    }

    /// Writes a frame; none, with a log line, if a byte field does not hold JSON.
    pub(crate) fn encode(self, frame: &ServerFrame) -> Option<Wire> {
        match self {
            Self::Json => match json::encode_server(frame) {
                Ok(text) => Some(Wire::Text(text.into())),
                Err(error) => {
                    tracing::error!(%error, "a frame does not encode");
                    None
                }
            },
            Self::Protobuf => Some(Wire::Binary(binary::encode(frame))),
        }
    }

    /// What a message holds; none if it is of the other codec.
    pub(crate) fn take(self, message: Message) -> Option<Wire> {
        match (self, message) {
            (Self::Json, Message::Text(text)) => Some(Wire::Text(text)),
            (Self::Protobuf, Message::Binary(bytes)) => Some(Wire::Binary(bytes)),
            _ => None,
        }
    }
}

/// A frame that was not read yet.
pub(crate) enum Unread<'a> {
    Line(&'a str),
    Bytes(Bytes),
}

impl Wire {
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The frames in it, each for itself.
    pub(crate) fn unread(&self) -> Box<dyn Iterator<Item = Result<Unread<'_>, FrameError>> + '_> {
        match self {
            Self::Text(text) => Box::new(lines(text).map(|line| Ok(Unread::Line(line)))),
            Self::Binary(bytes) => Box::new(binary::frames(bytes).map(|frame| frame.map(Unread::Bytes))),
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|line| !line.trim().is_empty())
}

impl Unread<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Line(line) => line.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Reads the frame; one whose JSON nests too deep is none.
    pub(crate) fn read(&self) -> Result<ClientFrame, FrameError> {
        let too_deep = || Err(FrameError::Malformed("JSON nests too deep".into()));
        match self {
            Self::Line(line) if depth(line.as_bytes()) > MOST_DEPTH => too_deep(),
            Self::Line(line) => json::decode_client(line),
            Self::Bytes(bytes) => {
                let frame = binary::decode_client(bytes)?;
                let deepest = |body| binary::json_members(body).map(|(_, json)| depth(json)).max();
                let deep = frame.body.as_ref().and_then(deepest).is_some_and(|depth| depth + MEMBER_DEPTH > MOST_DEPTH);
                if deep { too_deep() } else { Ok(frame) }
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(frame: ServerFrame) -> Self {
        Self { frame, json: OnceLock::new(), protobuf: OnceLock::new() }
    }

    /// The frame in a codec; made with the first call, the same bytes with every one.
    pub(crate) fn by(&self, codec: Codec) -> Option<Wire> {
        let made = match codec {
            Codec::Json => &self.json,
            Codec::Protobuf => &self.protobuf,
        };
        made.get_or_init(|| codec.encode(&self.frame)).clone()
    }
}

/// How deep JSON nests; brackets inside strings do not count.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
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
    use mynah_proto::device::{Call, Ok as Done, Reply, client_frame, server_frame};

    fn headers(offers: &[&'static str]) -> HeaderMap {
        offers.iter().map(|offer| (header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer))).collect()
    }

    #[test]
    fn the_client_chooses_the_codec_and_who_offers_none_speaks_json() {
        let agreed = |offers: &[&'static str]| Codec::agreed(&headers(offers)).map(|(codec, _)| codec);
        assert_eq!(agreed(&[]), Some(Codec::Json));
        assert_eq!(agreed(&["mynah.v1.pb"]), Some(Codec::Protobuf));
        assert_eq!(agreed(&["mynah.v1.json, mynah.v1.pb"]), Some(Codec::Json));
        assert_eq!(agreed(&["mynah.v2.pb,mynah.v1.pb , mynah.v1.json"]), Some(Codec::Protobuf));
        assert_eq!(agreed(&["mynah.v2.pb", "mynah.v1.pb"]), Some(Codec::Protobuf));
        assert_eq!(agreed(&["mynah.v2.pb"]), None);
    }

    #[test]
    fn a_shared_frame_is_the_same_bytes_for_all_of_a_codec_and_is_made_in_no_other() {
        let shared = Shared::new(ServerFrame { id: 0, error: None, body: Some(server_frame::Body::Ok(Done { reached: 1 })) });
        let address = |wire: Option<Wire>| match wire {
            Some(Wire::Binary(bytes)) => bytes.as_ptr() as usize,
            other => panic!("{other:?}"),
        };
        assert_eq!(address(shared.by(Codec::Protobuf)), address(shared.by(Codec::Protobuf)));
        assert!(shared.json.get().is_none());
        let text = |wire: Option<Wire>| match wire {
            Some(Wire::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(shared.by(Codec::Json)).as_ptr(), text(shared.by(Codec::Json)).as_ptr());
    }

    #[test]
    fn a_frame_that_json_cannot_write_is_none_in_json_only() {
        let body = Some(server_frame::Body::Reply(Reply { body: Bytes::from_static(b"{") }));
        let shared = Shared::new(ServerFrame { id: 0, error: None, body });
        assert!(shared.by(Codec::Json).is_none() && shared.by(Codec::Protobuf).is_some());
    }

    #[test]
    fn nesting_counts_outside_strings_only() {
        assert_eq!(depth(br#"{"a":[{"b":"[[[[\"{{"}]}"#), 3);
    }

    #[test]
    fn json_in_either_codec_may_nest_as_deep_and_no_deeper() {
        for (deep, is_read) in [(MOST_DEPTH - MEMBER_DEPTH, true), (MOST_DEPTH - MEMBER_DEPTH + 1, false)] {
            let json = format!("{}1{}", "[".repeat(deep), "]".repeat(deep));
            let line = format!("{{\"id\":1,\"call\":{{\"body\":{json}}}}}");
            assert_eq!(Unread::Line(&line).read().is_ok(), is_read, "{line}");
            let call = Call { body: json.into_bytes().into(), ..Call::default() };
            let wire = Wire::Binary(binary::encode(&ClientFrame { id: 1, body: Some(client_frame::Body::Call(call)) }));
            assert_eq!(wire.unread().next().unwrap().unwrap().read().is_ok(), is_read, "{deep} in protobuf");
        }
    }
}

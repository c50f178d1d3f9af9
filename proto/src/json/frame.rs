//! The two envelopes in JSON: `{"id":1,"send":{…}}`. Written by hand, since a flattened enum cannot hold raw JSON.

use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use crate::device::{ClientFrame, ServerFrame, client_frame, server_frame};

/// Why a text is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not the JSON of an envelope: the connection is beyond trust.
    #[error("malformed frame: {0}")]
    Malformed(String),
    /// An envelope with a body of a name that this version does not know.
    #[error("unknown frame `{name}`")]
    UnknownBody {
        /// The frame's id.
        id: u32,
        /// The body's name, cut to 64 characters.
        name: String,
    },
    /// An envelope whose body has a member of the wrong type or range.
    #[error("{field}: {message}")]
    BadField {
        /// The frame's id.
        id: u32,
        /// Path of the member, e.g. `sync.ranges[0].after_seq`.
        field: String,
        /// What is wrong.
        message: String,
    },
}

/// An envelope with its body not read yet.
struct Envelope<'a> {
    id: u32,
    body: Option<(String, &'a RawValue)>,
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame: an object with an id and one body")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error as _;
        let (mut id, mut body) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            if key == "id" {
                if id.replace(map.next_value::<u32>()?).is_some() {
                    return Err(A::Error::custom("id is given twice"));
                }
            } else if body.replace((key, map.next_value::<&RawValue>()?)).is_some() {
                return Err(A::Error::custom("a frame has one body"));
            }
        }
        Ok(Envelope { id: id.unwrap_or(0), body })
    }
}

fn envelope(text: &str) -> Result<Envelope<'_>, FrameError> {
    let malformed = |e: serde_json::Error| FrameError::Malformed(e.to_string());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let envelope = deserializer.deserialize_map(EnvelopeVisitor).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(envelope)
}

fn body<'a, T: serde::Deserialize<'a>>(id: u32, name: &str, raw: &'a RawValue) -> Result<T, FrameError> {
    // An array would be read as the members in their order.
    if !raw.get().starts_with('{') {
        return Err(FrameError::BadField { id, field: name.to_owned(), message: "must be an object".into() });
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    serde_path_to_error::deserialize(&mut deserializer).map_err(|e| {
        let path = e.path().to_string();
        let field = if path == "." { name.to_owned() } else { format!("{name}.{path}") };
        FrameError::BadField { id, field, message: e.into_inner().to_string() }
    })
}

macro_rules! bodies {
    ($all:ident, $name_of:ident, $name_at:ident, $decode:ident, $encode:ident, $wrapper:ident, $frame:ident, $module:ident, {
        $($number:literal $name:literal => $variant:ident,)*
    }) => {
        /// The names of the bodies that the envelope may hold.
        pub const $all: &[&str] = &[$($name),*];

        /// The name of a body.
        #[must_use]
        pub fn $name_of(body: &$module::Body) -> &'static str {
            match body {
                $($module::Body::$variant(_) => $name,)*
            }
        }

        /// The name of the body that has this number in the schema.
        pub(crate) fn $name_at(number: u32) -> Option<&'static str> {
            match number {
                $($number => Some($name),)*
                _ => None,
            }
        }

        fn $decode(id: u32, name: String, raw: &RawValue) -> Result<$module::Body, FrameError> {
            match name.as_str() {
                $($name => body(id, &name, raw).map($module::Body::$variant),)*
                _ => Err(FrameError::UnknownBody { id, name: name.chars().take(64).collect() }),
            }
        }

        struct $wrapper<'a>(&'a $frame);

        impl $wrapper<'_> {
            fn $encode<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match &self.0.body {
                    None => Ok(()),
                    $(Some($module::Body::$variant(value)) => map.serialize_entry($name, value),)*
                }
            }
        }
    };
}

bodies!(CLIENT_FRAMES, client_frame_name, client_body_at, client_body, entry, ClientJson, ClientFrame, client_frame, {
    2 "hello" => Hello, 3 "login" => Login, 4 "logout" => Logout, 5 "ping" => Ping, 6 "pong" => Pong, 7 "state" => State,
    10 "send" => Send, 11 "ack" => Ack, 12 "sync" => Sync, 13 "history" => History, 14 "conv_list" => ConvList,
    15 "read" => Read, 16 "receipt" => Receipt, 17 "receipt_query" => ReceiptQuery, 18 "retract" => Retract,
    20 "signal" => Signal, 21 "presence" => Presence, 22 "room_enter" => RoomEnter, 23 "room_leave" => RoomLeave, 30 "call" => Call,
});

bodies!(SERVER_FRAMES, server_frame_name, server_body_at, server_body, entry, ServerJson, ServerFrame, server_frame, {
    3 "ok" => Ok, 4 "welcome" => Welcome, 5 "login_ack" => LoginAck, 6 "ping" => Ping, 7 "pong" => Pong, 8 "reply" => Reply,
    10 "send_ack" => SendAck, 12 "sync_page" => SyncPage, 13 "history_page" => HistoryPage, 14 "conv_page" => ConvPage,
    17 "receipt_detail" => ReceiptDetail, 21 "presence_snapshot" => PresenceSnapshot, 22 "room_state" => RoomState,
    40 "deliver" => Deliver, 41 "heads" => Heads, 42 "skipped" => Skipped, 43 "read_changed" => ReadChanged,
    44 "receipt_changed" => ReceiptChanged, 45 "signal_push" => SignalPush, 46 "presence_changed" => PresenceChanged,
    50 "kicked" => Kicked, 51 "goaway" => Goaway, 60 "z" => Z,
});

impl Serialize for ClientJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.0.id != 0 {
            map.serialize_entry("id", &self.0.id)?;
        }
        self.entry(&mut map)?;
        map.end()
    }
}

impl Serialize for ServerJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.0.id != 0 {
            map.serialize_entry("id", &self.0.id)?;
        }
        if let Some(error) = &self.0.error {
            map.serialize_entry("error", error)?;
        }
        self.entry(&mut map)?;
        map.end()
    }
}

/// Reads a device's frame.
///
/// # Errors
/// See [`FrameError`]: which of them closes the connection is the caller's rule.
pub fn decode_client(text: &str) -> Result<ClientFrame, FrameError> {
    let Envelope { id, body } = envelope(text)?;
    let (name, raw) = body.ok_or_else(|| FrameError::Malformed("a frame has one body".into()))?;
    Ok(ClientFrame { id, body: Some(client_body(id, name, raw)?) })
}

/// Reads a server's frame.
///
/// # Errors
/// See [`FrameError`].
pub fn decode_server(text: &str) -> Result<ServerFrame, FrameError> {
    let Envelope { id, body } = envelope(text)?;
    let (name, raw) = body.ok_or_else(|| FrameError::Malformed("a frame has one body".into()))?;
    if name == "error" {
        return Ok(ServerFrame { id, error: Some(self::body(id, &name, raw)?), body: None });
    }
    Ok(ServerFrame { id, error: None, body: Some(server_body(id, name, raw)?) })
}

/// Writes a device's frame, without a line end.
///
/// # Errors
/// When a byte field that should hold JSON does not.
pub fn encode_client(frame: &ClientFrame) -> Result<String, serde_json::Error> {
    serde_json::to_string(&ClientJson(frame))
}

/// Writes a server's frame, without a line end.
///
/// # Errors
/// When a byte field that should hold JSON does not.
pub fn encode_server(frame: &ServerFrame) -> Result<String, serde_json::Error> {
    serde_json::to_string(&ServerJson(frame))
}

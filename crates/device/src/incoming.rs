//! What comes in over a connection's socket: messages that arrived together, and the frames in them.

use futures_util::{FutureExt as _, StreamExt as _};
use mynah_proto::device::{ClientFrame, ServerFrame};
use mynah_proto::json::FrameError;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::Settings;
use crate::codec::{Codec, Unread, Wire};
use crate::errors::{self, Close};

/// WebSocket messages that are taken together.
const MOST_GATHERED: usize = 64;

/// What came in: messages to work on, or nothing more.
pub(crate) enum Came {
    /// Messages, and why the connection ends after them, if it does.
    Messages(Vec<Wire>, Option<Close>),
    Control,
    End(Option<Close>),
}

/// A frame, or its refusal, with the number of its message: what fails together is bound to one message.
pub(crate) type Incoming = (usize, Result<ClientFrame, ServerFrame>);

/// Takes what has arrived already with a message, so that sends which were pipelined go to the router together.
pub(crate) fn gather<S>(first: Option<Result<Message, Error>>, stream: &mut S, codec: Codec, settings: &Settings) -> Came
where
    S: futures_util::Stream<Item = Result<Message, Error>> + Unpin,
{
    let mut messages = Vec::new();
    let (mut next, mut bytes, mut frames) = (Some(first), 0, 0);
    while let Some(message) = next {
        match message {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => match codec.take(message) {
                Some(message) => {
                    bytes += message.len();
                    frames += message.unread().count();
                    messages.push(message);
                }
                None if messages.is_empty() => return Came::End(Some(Close::PROTOCOL)),
                None => return Came::Messages(messages, Some(Close::PROTOCOL)),
            },
            // What came before the end is not worked on: its sender is gone, and asks again.
            None | Some(Err(_) | Ok(Message::Close(_) | Message::Frame(_))) => return Came::End(None),
        }
        let room = messages.len() < MOST_GATHERED && frames < settings.frames_per_message && bytes < settings.ws_message;
        next = if room { stream.next().now_or_never() } else { None };
    }
    if messages.is_empty() { Came::Control } else { Came::Messages(messages, None) }
}

/// The frames of messages, up to the first message that is none: that one ends the connection once those before it are answered.
pub(crate) fn frames(messages: &[Wire], settings: &Settings) -> (Vec<Incoming>, Option<Close>) {
    let mut frames = Vec::new();
    for (number, wire) in messages.iter().enumerate() {
        match message(wire, settings) {
            Ok(of_message) => frames.extend(of_message.into_iter().map(|frame| (number, frame))),
            Err(close) => return (frames, Some(close)),
        }
    }
    (frames, None)
}

/// The frames of one message, up to 64.
fn message(wire: &Wire, settings: &Settings) -> Result<Vec<Result<ClientFrame, ServerFrame>>, Close> {
    let count = wire.unread().count();
    if count == 0 || count > settings.frames_per_message {
        return Err(Close::PROTOCOL);
    }
    let frame = |unread: Result<Unread<'_>, FrameError>| match unread {
        Err(_) => Err(Close::PROTOCOL),
        Ok(unread) if unread.len() > settings.frame => {
            Ok(Err(errors::refuse(0, errors::FRAME_TOO_BIG, "", "the frame is too big")))
        }
        Ok(unread) => read(&unread),
    };
    wire.unread().map(frame).collect()
}

/// Reads one frame: the outer error closes the connection, the inner one is its answer.
fn read(unread: &Unread<'_>) -> Result<Result<ClientFrame, ServerFrame>, Close> {
    match unread.read() {
        Ok(frame) => Ok(Ok(frame)),
        Err(FrameError::Malformed(_)) => Err(Close::PROTOCOL),
        Err(FrameError::UnknownBody { id, name }) => Ok(Err(errors::refuse(id, errors::UNKNOWN_METHOD, &name, "unknown frame"))),
        Err(FrameError::BadField { id, field, message }) => Ok(Err(errors::refuse(id, errors::INVALID, &field, &message))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathering_stops_at_as_many_frames_as_a_message_may_have() {
        let text = vec![r#"{"id":1,"ping":{}}"#; 40].join("\n");
        let mut rest = futures_util::stream::iter((0..3).map(|_| Ok(Message::text(text.clone()))));
        let came = gather(rest.next().now_or_never().unwrap(), &mut rest, Codec::Json, &Settings::default());
        assert!(matches!(came, Came::Messages(messages, None) if messages.len() == 2));
        assert_eq!(rest.count().now_or_never(), Some(1), "what was not taken still waits");
    }

    #[test]
    fn a_wrong_type_names_its_field_and_a_broken_frame_closes() {
        let read = |line: &str| read(&Unread::Line(line));
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

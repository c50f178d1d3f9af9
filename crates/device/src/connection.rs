//! The life of one connection: one task that reads, answers in order, and writes what waits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{SinkExt as _, StreamExt as _};
use mynah_proto::device::{ClientFrame, Pong, ServerFrame, client_frame, server_frame};
use mynah_proto::json::{self, FrameError};
use mynah_proto::{directory, json as codec};
use mynah_types::{ConversationKey, Millis};

use crate::devices::Inner;
use crate::errors::{self, Close};
use crate::outbound::{Outbound, encode};

/// Nesting of a frame's JSON.
const MOST_DEPTH: usize = 32;

/// State of one connection, behind its task.
pub(crate) struct Session {
    pub(crate) inner: Arc<Inner>,
    pub(crate) out: Arc<Outbound>,
    pub(crate) app: Option<directory::App>,
    pub(crate) platform: String,
    pub(crate) device_id: String,
    pub(crate) user: Option<directory::User>,
    pub(crate) failed_logins: u32,
    pub(crate) online_since: Millis,
    pub(crate) rooms: HashSet<ConversationKey>,
    /// Conversations whose next send must be the one that failed retryably: else a later message would overtake it.
    pub(crate) blocked: HashMap<ConversationKey, String>,
}

/// Answers to one request, or the end of the connection.
pub(crate) type Answered = Result<Vec<ServerFrame>, Close>;

pub(crate) async fn run(inner: Arc<Inner>, socket: WebSocket, conn: u64) {
    let out = Arc::new(Outbound::new(conn));
    let mut session = Session {
        inner,
        out,
        app: None,
        platform: String::new(),
        device_id: String::new(),
        user: None,
        failed_logins: 0,
        online_since: 0,
        rooms: HashSet::new(),
        blocked: HashMap::new(),
    };
    let (mut sink, mut stream) = socket.split();
    let close = loop {
        let patience = session.patience();
        tokio::select! {
            () = session.out.woken() => {
                let taken = session.out.take();
                if !taken.frames.is_empty() && !session.write(&mut sink, taken.frames).await {
                    break Some(Close::STALLED);
                }
                if taken.close.is_some() {
                    break taken.close;
                }
            }
            message = tokio::time::timeout(patience, stream.next()) => {
                let text = match message {
                    Err(_) => break Some(if session.app.is_none() { Close::PROTOCOL } else { Close::IDLE }),
                    Ok(None | Some(Err(_)) | Some(Ok(Message::Close(_)))) => break None,
                    Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
                    Ok(Some(Ok(Message::Binary(_)))) => break Some(Close::PROTOCOL),
                    Ok(Some(Ok(Message::Text(text)))) => text,
                };
                match session.message(&text).await {
                    Ok(answers) => {
                        if !session.write(&mut sink, answers.iter().filter_map(encode).collect()).await {
                            break Some(Close::STALLED);
                        }
                    }
                    Err(close) => break Some(close),
                }
            }
        }
    };
    session.leave().await;
    if let Some(Close(code, reason)) = close {
        let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // The peer may be gone; there is nobody else to tell.
        _ = tokio::time::timeout(Duration::from_secs(1), sink.send(frame)).await;
    }
}

impl Session {
    /// How long silence is borne: until the hello, then 2.5 ping intervals.
    fn patience(&self) -> Duration {
        let settings = &self.inner.deps.settings;
        if self.app.is_none() { settings.hello_within } else { settings.ping_every * 5 / 2 }
    }

    /// Writes frames, many to a system call. False if the socket takes nothing.
    async fn write<S>(&self, sink: &mut S, frames: Vec<Arc<str>>) -> bool
    where
        S: futures_util::Sink<Message> + Unpin,
    {
        let written = async {
            for frame in frames {
                sink.feed(Message::Text(frame.as_ref().into())).await?;
            }
            sink.flush().await
        };
        matches!(tokio::time::timeout(self.inner.deps.settings.stalled_after, written).await, Ok(Ok(())))
    }

    /// One WebSocket message: up to 64 frames, answered in order.
    async fn message(&mut self, text: &str) -> Answered {
        let settings = &self.inner.deps.settings;
        let lines: Vec<&str> = text.split('\n').filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() || lines.len() > settings.frames_per_message {
            return Err(Close::PROTOCOL);
        }
        let (most_bytes, mut answers) = (settings.frame, Vec::new());
        let mut frames = Vec::with_capacity(lines.len());
        for line in lines {
            if line.len() > most_bytes {
                answers.push(errors::refuse(0, errors::FRAME_TOO_BIG, "", "the frame is too big"));
                continue;
            }
            match read(line)? {
                Ok(frame) => frames.push(frame),
                Err(_) if self.app.is_none() => return Err(Close::PROTOCOL),
                Err(refusal) => answers.push(refusal),
            }
        }
        let mut setup_failed = None;
        while !frames.is_empty() {
            let run = crate::sends::run_length(&frames);
            let rest = frames.split_off(run);
            let group = std::mem::replace(&mut frames, rest);
            if let Some(cause) = &setup_failed {
                answers.extend(group.iter().map(|frame| behind(frame.id, cause)));
                continue;
            }
            let is_setup =
                group.iter().any(|f| matches!(f.body, Some(client_frame::Body::Hello(_) | client_frame::Body::Login(_))));
            let answered = self.group(group).await?;
            if is_setup {
                setup_failed = answered.iter().find_map(|a| a.error.clone());
            }
            answers.extend(answered);
        }
        Ok(answers)
    }

    async fn group(&mut self, group: Vec<ClientFrame>) -> Answered {
        if group.len() > 1 || matches!(group.first().and_then(|f| f.body.as_ref()), Some(client_frame::Body::Send(_))) {
            return self.guarded(group).await;
        }
        match group.into_iter().next() {
            Some(frame) => self.frame(frame).await,
            None => Ok(Vec::new()),
        }
    }

    /// Sends need a login, as everything but the set-up does.
    async fn guarded(&mut self, group: Vec<ClientFrame>) -> Answered {
        if self.app.is_none() {
            return Err(Close::PROTOCOL);
        }
        if self.user.is_none() {
            return Ok(group.iter().map(|frame| not_logged_in(frame.id)).collect());
        }
        Ok(self.sends(group).await)
    }

    async fn frame(&mut self, frame: ClientFrame) -> Answered {
        use client_frame::Body;
        let ClientFrame { id, body } = frame;
        let Some(body) = body else { return Err(Close::PROTOCOL) };
        if self.app.is_none() && !matches!(body, Body::Hello(_)) {
            return Err(Close::PROTOCOL);
        }
        let answer = match body {
            Body::Hello(hello) => return self.hello(id, hello).await,
            Body::Login(login) => return self.login(id, login).await,
            Body::Ping(ping) => {
                let pong = Pong { ts: ping.ts, server_time_ms: self.inner.deps.clock.now_ms() };
                ok(id, server_frame::Body::Pong(pong))
            }
            Body::Pong(_) => return Ok(Vec::new()),
            Body::Call(call) => self.call(id, call).await,
            _ if self.user.is_none() => not_logged_in(id),
            Body::Logout(logout) => self.logout(id, logout).await,
            Body::State(_) => done(id),
            Body::Send(send) => {
                return Ok(self.sends(vec![ClientFrame { id, body: Some(Body::Send(send)) }]).await);
            }
            Body::Ack(_) => return Ok(Vec::new()),
            Body::Sync(sync) => self.sync(id, sync).await,
            Body::History(history) => self.history(id, history).await,
            Body::ConvList(list) => self.conv_list(id, list).await,
            Body::Read(read) => self.read(id, read).await,
            Body::Retract(retract) => self.retract(id, retract).await,
            Body::RoomEnter(enter) => self.room_enter(id, enter).await,
            Body::RoomLeave(leave) => self.room_leave(id, leave).await,
            Body::Receipt(_) | Body::ReceiptQuery(_) | Body::Signal(_) | Body::Presence(_) => {
                errors::refuse(id, errors::FEATURE_OFF, "", "this feature is not switched on")
            }
        };
        Ok(vec![answer])
    }
}

/// Reads one frame: the outer error closes the connection, the inner one is its answer.
fn read(line: &str) -> Result<Result<ClientFrame, ServerFrame>, Close> {
    if depth(line) > MOST_DEPTH {
        return Err(Close::PROTOCOL);
    }
    match codec::decode_client(line) {
        Ok(frame) => Ok(Ok(frame)),
        Err(FrameError::Malformed(_)) => Err(Close::PROTOCOL),
        Err(FrameError::UnknownBody { id, name }) => Ok(Err(errors::refuse(id, errors::UNKNOWN_METHOD, &name, "unknown frame"))),
        Err(json::FrameError::BadField { id, field, message }) => Ok(Err(errors::refuse(id, errors::INVALID, &field, &message))),
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

/// A request behind one that failed in the same message.
fn behind(id: u32, cause: &mynah_proto::device::Error) -> ServerFrame {
    let error = mynah_proto::device::Error { retryable: false, ..cause.clone() };
    ServerFrame { id, error: Some(error), body: None }
}

fn not_logged_in(id: u32) -> ServerFrame {
    errors::refuse(id, errors::NOT_LOGGED_IN, "", "log in first")
}

pub(crate) fn ok(id: u32, body: server_frame::Body) -> ServerFrame {
    ServerFrame { id, error: None, body: Some(body) }
}

pub(crate) fn done(id: u32) -> ServerFrame {
    ok(id, server_frame::Body::Ok(mynah_proto::device::Ok::default()))
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

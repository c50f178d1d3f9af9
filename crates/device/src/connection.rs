//! The life of one connection: one task that reads, answers in order, and writes what waits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use mynah_proto::device::{ClientFrame, Pong, ServerFrame, client_frame, server_frame};
use mynah_proto::{Failure, directory, json};
use mynah_types::{ConversationKey, Millis};
use tokio::time::Instant;

use crate::codec::{Codec, Wire};
use crate::devices::Inner;
use crate::errors::{self, Close};
use crate::incoming::{self, Came};
use crate::outbound::{Outbound, Window};
use crate::rate::{Kind, Rates};
use crate::sends::TargetName;
use crate::socket::Socket;
use crate::traced;

/// Conversations that may wait for a message to be sent again.
const MOST_BLOCKED: usize = 1024;
/// How long a connection that was told its end waits for the peer's.
const LINGER: Duration = Duration::from_secs(1);

/// State of one connection, behind its task.
pub(crate) struct Session {
    pub(crate) inner: Arc<Inner>,
    pub(crate) out: Arc<Outbound>,
    pub(crate) app: Option<directory::App>,
    pub(crate) platform: String,
    pub(crate) device_id: String,
    pub(crate) user: Option<directory::User>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) failed_logins: u32,
    /// Refusals for asking too often since the last request that was accepted.
    pub(crate) refusals: u32,
    pub(crate) online_since: Millis,
    pub(crate) rooms: HashSet<ConversationKey>,
    /// Conversations whose next send must be the one that failed retryably: else a later message would overtake it.
    pub(crate) blocked: HashMap<TargetName, String>,
}

/// Answers to one request, or the end of the connection.
pub(crate) type Answered = Result<Vec<ServerFrame>, Close>;

pub(crate) async fn run(inner: Arc<Inner>, mut socket: Socket, conn: u64, codec: Codec) {
    let settings = &inner.deps.settings;
    let window = Window { frames: settings.queue_frames, bytes: settings.queue_bytes };
    let mut session = Session {
        out: Arc::new(Outbound::new(conn, codec, window)),
        rates: Arc::new(Rates::new()),
        inner: Arc::clone(&inner),
        app: None,
        platform: String::new(),
        device_id: String::new(),
        user: None,
        failed_logins: 0,
        refusals: 0,
        online_since: 0,
        rooms: HashSet::new(),
        blocked: HashMap::new(),
    };
    let (mut again_at, mut heard_at) = (None, Instant::now());
    // One timer for the connection's life: it is late at times, and looks again then.
    let mut timer = std::pin::pin!(tokio::time::sleep_until(heard_at + session.patience()));
    let close = loop {
        let due = again_at.map_or(heard_at + session.patience(), |at: Instant| at.min(heard_at + session.patience()));
        if due < timer.deadline() {
            timer.as_mut().reset(due);
        }
        tokio::select! {
            () = session.out.woken() => match session.write_pushes(&mut socket).await {
                Ok(at) => again_at = at,
                Err(close) => break Some(close),
            },
            () = timer.as_mut() => {
                if Instant::now() >= heard_at + session.patience() {
                    break Some(session.silent());
                }
                match session.write_pushes(&mut socket).await {
                    Ok(at) => again_at = at,
                    Err(close) => break Some(close),
                }
                let silent_at = heard_at + session.patience();
                timer.as_mut().reset(again_at.map_or(silent_at, |at| at.min(silent_at)));
            }
            message = socket.next() => {
                heard_at = Instant::now();
                match incoming::gather(message, &mut socket, codec, settings) {
                    Came::Control => {}
                    Came::End(close) => break close,
                    Came::Messages(messages, end) => {
                        // In a box: what a request needs is not kept by connections that ask nothing.
                        if let Err(close) = Box::pin(session.messages(&messages, &mut socket)).await {
                            break Some(close);
                        }
                        if end.is_some() {
                            break end;
                        }
                    }
                }
            }
        }
    };
    // What was said last, such as why it ends, goes out before the end; not to a peer who has ended it, and not behind what he did not take.
    if close.is_some_and(|close| close != Close::STALLED) {
        _ = session.write(&mut socket, session.out.take(Instant::now()).frames).await;
    }
    Box::pin(session.leave()).await;
    _ = tokio::time::timeout(LINGER, socket.close(close)).await;
}

impl Session {
    /// How long silence is borne: until the hello, then 2.5 ping intervals.
    fn patience(&self) -> Duration {
        let settings = &self.inner.deps.settings;
        if self.app.is_none() { settings.hello_within } else { settings.ping_every * 5 / 2 }
    }

    fn silent(&self) -> Close {
        if self.app.is_none() { Close::PROTOCOL } else { Close::IDLE }
    }

    /// Writes what waits; says when there will be more to say without anybody's call.
    async fn write_pushes(&self, socket: &mut Socket) -> Result<Option<Instant>, Close> {
        let taken = self.out.take(Instant::now());
        if !self.write(socket, taken.frames).await {
            return Err(Close::STALLED);
        }
        traced::written(taken.traced, self.out.conn);
        taken.close.map_or(Ok(taken.again_at), Err)
    }

    /// Writes frames. False if the socket takes nothing.
    async fn write(&self, socket: &mut Socket, frames: Vec<Wire>) -> bool {
        socket.write(frames, self.inner.deps.settings.stalled_after).await
    }

    /// Answers the frames of messages that arrived together, in order.
    async fn messages(&mut self, messages: &[Wire], socket: &mut Socket) -> Result<(), Close> {
        let (frames, broken) = incoming::frames(messages, &self.inner.deps.settings);
        // The message whose hello or login failed, and why: the rest of that message fails with it, the next one stands alone.
        let mut setup_failed = None;
        let mut frames = frames.into_iter().peekable();
        while let Some((message, next)) = frames.next() {
            let answered = match next {
                Err(_) if self.app.is_none() => return Err(Close::PROTOCOL),
                Err(refusal) => vec![refusal],
                Ok(frame) => match setup_failed.as_ref().filter(|(of, _)| *of == message) {
                    Some((_, cause)) => vec![behind(frame.id, cause)],
                    None => {
                        let is_setup = matches!(frame.body, Some(client_frame::Body::Hello(_) | client_frame::Body::Login(_)));
                        let name = frame.body.as_ref().map_or("", json::client_frame_name);
                        let mut answered = self.group(crate::sends::run(frame, &mut frames)).await?;
                        answered.iter_mut().for_each(|answer| errors::name_field(answer, name));
                        if is_setup {
                            setup_failed = answered.iter().find_map(|a| Some((message, a.error.clone()?)));
                        }
                        answered
                    }
                },
            };
            if !self.write(socket, answered.iter().filter_map(|answer| self.out.codec.encode(answer)).collect()).await {
                return Err(Close::STALLED);
            }
            if self.refusals > self.inner.deps.settings.refusals || self.blocked.len() > MOST_BLOCKED {
                return Err(Close::RATE);
            }
        }
        broken.map_or(Ok(()), Err)
    }

    /// Takes a token, or refuses.
    pub(crate) fn admit(&mut self, kind: Kind) -> Result<(), Failure> {
        self.admit_many(kind, 1)
    }

    /// Takes tokens, or refuses: what costs the server more than others costs its user more.
    pub(crate) fn admit_many(&mut self, kind: Kind, count: u32) -> Result<(), Failure> {
        let deps = &self.inner.deps;
        let rate = match kind {
            Kind::Send => deps.settings.sends,
            Kind::Call => deps.settings.calls,
            Kind::Sync => deps.settings.syncs,
        };
        let admitted = self.rates.take(kind, rate, count, deps.clock.now_ms());
        self.refusals = if admitted.is_ok() { 0 } else { self.refusals + 1 };
        admitted
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
            Body::Call(_) | Body::ConvList(_) | Body::RoomEnter(_) | Body::RoomLeave(_) | Body::Read(_) | Body::Retract(_)
                if let Err(failure) = self.admit(Kind::Call) =>
            {
                errors::frame(id, &failure)
            }
            Body::Sync(_) | Body::History(_) if let Err(failure) = self.admit(Kind::Sync) => errors::frame(id, &failure),
            Body::Call(call) => self.call(id, call).await,
            _ if self.user.is_none() => not_logged_in(id),
            Body::Ack(ack) => {
                let seqs = ack.items.into_iter().filter_map(|mark| Some((mark.conv_id.parse().ok()?, mark.seq)));
                self.out.ack(&seqs.collect());
                return Ok(Vec::new());
            }
            Body::Logout(logout) => self.logout(id, logout).await,
            Body::State(_) => done(id),
            Body::Send(send) => {
                return Ok(self.sends(vec![ClientFrame { id, body: Some(Body::Send(send)) }]).await);
            }
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

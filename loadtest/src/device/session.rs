//! One connection of a device, from hello to its end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::state::{State, flag, is_room, number, text};
use super::{Command, Counts, frames};
use crate::Failed;

/// The server answers the set-up in this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How often acknowledgements go out and what failed is tried again.
const TICK: Duration = Duration::from_millis(100);
/// Frames of one WebSocket message.
const TOGETHER: usize = 64;
/// Sends that wait for their answers on one connection.
const IN_FLIGHT: usize = 64;

/// What an answer is for.
enum Asked {
    Send(String),
    Sync(String),
    History(String),
    Enter(u64),
    List,
}

/// A connection that is logged in.
pub(super) struct Session {
    socket: WebSocketStream<TcpStream>,
    asked: HashMap<u32, Asked>,
    next_id: u32,
    outgoing: Vec<Value>,
    /// Where the list of conversations is to be read on from.
    unlisted: Option<String>,
    /// What the list had since its beginning.
    listed: HashSet<String>,
    /// Rooms that were not entered, since something was away.
    outside: Vec<u64>,
}

impl Session {
    /// Connects and logs in; learns which conversations there are.
    pub(super) async fn open(state: &mut State) -> Result<Self, Failed> {
        let address = state.next_address().ok_or("no address")?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{address}/v1/ws");
        let (socket, _) = tokio::time::timeout(ANSWER_WITHIN, tokio_tungstenite::client_async(url, stream)).await??;
        let (asked, listed) = (HashMap::new(), HashSet::new());
        let mut session = Self { socket, asked, next_id: 3, outgoing: Vec::new(), unlisted: None, listed, outside: Vec::new() };
        let greeting = [frames::hello(&state.account), frames::login(&state.account, state.session.as_deref())];
        session.outgoing.extend(greeting);
        session.flush().await?;
        tokio::time::timeout(ANSWER_WITHIN, session.logged_in(state)).await??;
        for pending in &mut state.outbox {
            pending.in_flight = false;
        }
        for conversation in state.conversations.values_mut() {
            // What this session was not asked for is asked for again.
            conversation.syncing = false;
        }
        for room in state.rooms.clone() {
            session.enter(state, room);
        }
        state.counts.logged_in();
        Ok(session)
    }

    async fn logged_in(&mut self, state: &mut State) -> Result<(), Failed> {
        let mut done = false;
        while !done {
            // What is pushed may come right behind the answer.
            for frame in self.next().await? {
                match number(&frame, "id") {
                    1 if frame.get("welcome").is_some() => {}
                    2 if frame.get("login_ack").is_some() => {
                        let ack = frame.get("login_ack").unwrap_or(&Value::Null);
                        state.session = Some(text(ack, "session"));
                        self.list_page(state, ack.get("heads"));
                        done = true;
                    }
                    1 | 2 => {
                        if !frame.get("error").is_some_and(|error| flag(error, "retryable")) {
                            state.session = None;
                        }
                        return Err(format!("refused: {frame}").into());
                    }
                    _ => self.push(state, &frame),
                }
            }
        }
        Ok(())
    }

    /// Works until the connection ends.
    pub(super) async fn serve(mut self, state: &mut State, asked: &mut mpsc::Receiver<Command>) -> Result<(), Failed> {
        let mut tick = tokio::time::interval(TICK);
        loop {
            if self.asked.is_empty() && self.unlisted.is_none() && self.outside.is_empty() {
                state.settle();
            }
            self.ask(state);
            self.flush().await?;
            tokio::select! {
                read = self.next() => {
                    for frame in read? {
                        self.read(state, &frame);
                    }
                }
                command = asked.recv() => match command {
                    Some(command) => {
                        self.told(state, command);
                        while let Some(Some(more)) = asked.recv().now_or_never() {
                            self.told(state, more);
                        }
                    }
                    None => return Ok(()),
                },
                _ = tick.tick() => self.tick(state),
            }
        }
    }

    fn told(&mut self, state: &mut State, command: Command) {
        if let Command::Enter(room) = &command {
            self.enter(state, *room);
        }
        state.take(command);
    }

    /// Sends what waits, and asks for what is missing.
    fn ask(&mut self, state: &mut State) {
        for pending in state.outbox.iter_mut().take(IN_FLIGHT).filter(|p| !p.in_flight) {
            if pending.tried {
                Counts::add(&state.counts.resent);
            }
            (pending.in_flight, pending.tried) = (true, true);
            let id = self.id(Asked::Send(pending.cmid.clone()));
            self.outgoing.push(frames::send(id, pending));
        }
        for (conv_id, conversation) in state.conversations.iter_mut().filter(|(_, c)| c.behind && !c.syncing) {
            conversation.syncing = true;
            let frame = if is_room(conv_id) {
                let id = self.id(Asked::History(conv_id.clone()));
                frames::history(id, conv_id, conversation.have)
            } else {
                let id = self.id(Asked::Sync(conv_id.clone()));
                frames::sync(id, conv_id, conversation.have)
            };
            self.outgoing.push(frame);
        }
    }

    fn enter(&mut self, state: &State, room: u64) {
        let known = state.conversations.get(&format!("r.{room}")).map_or(0, |c| c.have);
        let id = self.id(Asked::Enter(room));
        self.outgoing.push(frames::enter(id, room, known));
    }

    fn tick(&mut self, state: &mut State) {
        let items: Vec<Value> = state.unacked.drain().map(|(conv_id, seq)| json!({"conv_id": conv_id, "seq": seq})).collect();
        if !items.is_empty() {
            self.outgoing.push(json!({"ack": {"items": items}}));
        }
        for room in std::mem::take(&mut self.outside) {
            self.enter(state, room);
        }
        if let Some(cursor) = self.unlisted.take() {
            if cursor.is_empty() {
                self.listed.clear();
            }
            let id = self.id(Asked::List);
            self.outgoing.push(frames::list(id, &cursor));
        }
    }

    fn id(&mut self, asked: Asked) -> u32 {
        self.next_id += 1;
        self.asked.insert(self.next_id, asked);
        self.next_id
    }

    async fn flush(&mut self) -> Result<(), Failed> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        for frames in std::mem::take(&mut self.outgoing).chunks(TOGETHER) {
            let lines: Vec<String> = frames.iter().map(ToString::to_string).collect();
            self.socket.feed(Message::text(lines.join("\n"))).await?;
        }
        Ok(self.socket.flush().await?)
    }

    /// Everything that has arrived, at least one frame.
    async fn next(&mut self) -> Result<Vec<Value>, Failed> {
        let mut frames = Vec::new();
        let mut message = self.socket.next().await;
        loop {
            match message {
                Some(Ok(Message::Text(text))) => {
                    for line in text.lines() {
                        frames.push(serde_json::from_str(line)?);
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) if frames.is_empty() => return Err(format!("{other:?}").into()),
                // What came before the end is still read.
                _ if !frames.is_empty() => return Ok(frames),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(_)) | None => return Err("the connection ended".into()),
            }
            message = match self.socket.next().now_or_never() {
                Some(more) => more,
                None if !frames.is_empty() => return Ok(frames),
                None => self.socket.next().await,
            };
        }
    }

    fn read(&mut self, state: &mut State, frame: &Value) {
        let id = u32::try_from(number(frame, "id")).unwrap_or(0);
        match self.asked.remove(&id) {
            Some(Asked::List) => self.list_page(state, frame.get("conv_page")),
            Some(Asked::Enter(room)) => match frame.get("room_state") {
                Some(entered) => state.entered(room, entered),
                None => self.outside.push(room),
            },
            Some(asked) => answer(state, &asked, frame),
            None => self.push(state, frame),
        }
    }

    fn push(&mut self, state: &mut State, frame: &Value) {
        if let Some(deliver) = frame.get("deliver") {
            for entry in deliver.get("entries").and_then(Value::as_array).into_iter().flatten() {
                state.pushed(entry);
            }
        } else if let Some(heads) = frame.get("heads") {
            Counts::add(&state.counts.heads);
            self.moved(state, heads);
        } else if let Some(skipped) = frame.get("skipped") {
            state.moved(&text(skipped, "conv_id"), number(skipped, "to_seq"));
        }
    }

    /// Conversations moved; the list is read where it is not told which, or one is not known.
    fn moved(&mut self, state: &mut State, heads: &Value) {
        let (everything, mut known) = (flag(heads, "resync_all"), true);
        for head in heads.get("items").and_then(Value::as_array).into_iter().flatten() {
            known &= state.moved(&text(head, "conv_id"), number(head, "head_seq"));
        }
        if everything || !known {
            self.unlisted = Some(String::new());
        }
        if everything {
            for room in state.rooms.clone() {
                self.enter(state, room);
            }
        }
    }

    /// A page of the list; without one, it is asked for again.
    fn list_page(&mut self, state: &mut State, page: Option<&Value>) {
        self.unlisted = match page {
            Some(page) => {
                self.listed.extend(listed(state, page));
                // News that came meanwhile begin it anew.
                let next = self.unlisted.take().or_else(|| flag(page, "more").then(|| text(page, "cursor")));
                if next.is_none() {
                    state.left(&self.listed);
                }
                next
            }
            None => Some(String::new()),
        };
    }
}

fn answer(state: &mut State, asked: &Asked, frame: &Value) {
    let error = frame.get("error");
    match asked {
        Asked::Send(cmid) => match (frame.get("send_ack"), error) {
            (Some(ack), _) => state.answered(cmid, ack),
            (None, Some(error)) => state.refused(cmid, error),
            (None, None) => {}
        },
        Asked::Sync(conv_id) => {
            let items = frame.get("sync_page").and_then(|page| page.get("items")).and_then(Value::as_array);
            match items {
                Some(items) => items.iter().for_each(|item| state.covered(item)),
                None => failed(state, conv_id),
            }
        }
        Asked::History(conv_id) => match frame.get("history_page") {
            Some(page) => {
                Counts::add(&state.counts.room_pages);
                state.room_page(page);
            }
            None => failed(state, conv_id),
        },
        // The session's own.
        Asked::List | Asked::Enter(_) => {}
    }
}

/// A page was refused: it is asked for again with the next news.
fn failed(state: &mut State, conv_id: &str) {
    if let Some(conversation) = state.conversations.get_mut(conv_id) {
        conversation.syncing = false;
    }
}

/// A page of the list of conversations: all that are further than this device is are asked for. Returns which these are.
fn listed(state: &mut State, page: &Value) -> Vec<String> {
    let mut listed = Vec::new();
    for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
        let conv_id = text(item, "conv_id");
        state.conversation(&conv_id, item.get("target").unwrap_or(&Value::Null), "");
        state.moved(&conv_id, number(item, "head_seq"));
        listed.push(conv_id);
    }
    listed
}

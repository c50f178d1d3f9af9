//! One device: its connection, what it asked, and what it still has to do.

use std::collections::VecDeque;

use mio::net::TcpStream;

use crate::client::conv::Key;
use crate::client::text::Own;
use crate::client::ws;

/// Room that a buffer keeps while nothing is in it.
const KEPT: usize = 1024;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    #[default]
    Off,
    Connecting,
    Upgrading,
    LoggingIn,
    Ready,
}

/// A message that is not answered yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) own: Own,
    /// Its text, in one number.
    pub(super) text: u64,
}

/// What an answer is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Send(Flight),
    /// Entries of a conversation.
    Pages(u32),
    /// The list of conversations.
    List,
    /// A room's conversation.
    Enter(u32),
    /// A conversation to be marked as read.
    Read(u32),
    Ping,
}

#[derive(Debug, Default)]
pub(super) struct Conn {
    pub(super) stream: Option<TcpStream>,
    pub(super) state: State,
    /// Since when it is in its state, and when it spoke last.
    pub(super) since_us: u64,
    pub(super) spoke_us: u64,
    /// What arrived and is no whole frame yet.
    pub(super) rest: Vec<u8>,
    pub(super) out: Vec<u8>,
    pub(super) written: usize,
    asked: VecDeque<(u32, Asked)>,
    last_id: u32,
    /// What was pushed and not acknowledged.
    pub(super) unacked: Vec<(Key, u64)>,
    pub(super) pushes: u32,
    /// Pushes since the last read mark.
    pub(super) unread: u32,
    pub(super) session: Option<String>,
    /// Connections that failed since the last login.
    pub(super) failed: u32,
    pub(super) tries: usize,
    /// Refused for now, in the order in which they were sent.
    pub(super) held: Vec<Flight>,
    /// Since when something is held.
    pub(super) held_since_us: u64,
    /// Due while it was not connected: to which conversation, and since when.
    pub(super) unsent: Vec<(u32, u64)>,
    /// Conversations whose entries are to be asked for.
    pub(super) wanted: Vec<u32>,
    /// Those that are asked for.
    pub(super) catching: Vec<u32>,
    /// Rooms that it is in while it is connected.
    pub(super) rooms: Vec<(u32, u64)>,
    /// Answers that are missing before it can be used.
    pub(super) set_up: u32,
    /// It does not come back by itself.
    pub(super) stays_away: bool,
    /// The scenario sent it away, and its time to come back has not come.
    pub(super) sent_away: bool,
    /// It waits in the queue of those that connect.
    pub(super) queued: bool,
    /// It was in step once: what it finds then is what the judgement begins with.
    pub(super) based: bool,
}

impl Conn {
    pub(super) fn usable(&self) -> bool {
        self.state == State::Ready && self.set_up == 0
    }

    /// The id of a request.
    pub(super) fn ask(&mut self, asked: Asked) -> u32 {
        // 1 and 2 are the greeting's.
        self.last_id = self.last_id.max(2).wrapping_add(1);
        self.asked.push_back((self.last_id, asked));
        self.last_id
    }

    /// Says what the last request was for.
    pub(super) fn re_ask(&mut self, id: u32, asked: Asked) {
        if let Some(last) = self.asked.back_mut().filter(|(last, _)| *last == id) {
            last.1 = asked;
        }
    }

    pub(super) fn asked_count(&self) -> usize {
        self.asked.len()
    }

    /// How long something has been held.
    pub(super) fn held_since(&mut self, now_us: u64) -> u64 {
        if self.held_since_us == 0 {
            self.held_since_us = now_us;
        }
        now_us - self.held_since_us
    }

    /// What an answer is for: answers come in order, mostly.
    pub(super) fn answered(&mut self, id: u64) -> Option<Asked> {
        let at = self.asked.iter().position(|(asked, _)| u64::from(*asked) == id)?;
        self.asked.remove(at).map(|(_, asked)| asked)
    }

    /// Messages that are under way to a conversation.
    pub(super) fn sends_to(&self, conv: u32) -> bool {
        self.asked.iter().any(|(_, asked)| matches!(asked, Asked::Send(flight) if flight.own.conv == conv))
    }

    pub(super) fn take_asked(&mut self) -> VecDeque<(u32, Asked)> {
        std::mem::take(&mut self.asked)
    }

    pub(super) fn say(&mut self, payload: &[u8], now_us: u64) {
        ws::write(ws::TEXT, payload, &mut self.out);
        self.spoke_us = now_us;
    }

    /// Gives room back that nothing is in.
    pub(super) fn relax(&mut self) {
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        } else {
            self.out.clear();
        }
        self.written = 0;
        if self.asked.is_empty() && self.asked.capacity() > 8 {
            self.asked = VecDeque::new();
        }
    }

    /// Notes a push, to be acknowledged.
    pub(super) fn pushed(&mut self, key: Key, seq: u64) {
        self.pushes += 1;
        match self.unacked.iter_mut().find(|(of, _)| *of == key) {
            Some((_, upto)) => *upto = seq.max(*upto),
            None => self.unacked.push((key, seq)),
        }
    }
}

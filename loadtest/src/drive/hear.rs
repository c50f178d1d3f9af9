//! What a device hears, and what it does about it.

use super::conn::{Asked, State};
use super::driver::{Driver, Phase};
use crate::client::conv::Key;
use crate::client::frames;
use crate::client::read::{Frame, Item, What};
use crate::client::text::mix;
use crate::judge::{How, Then};

/// Requests for entries that one device has under way.
const CATCHING: usize = 4;
/// What is missing is looked at again after this: answers and pushes come in any order.
const SUSPECT_US: u64 = 500_000;
/// The latest moment at which pushes are acknowledged.
const ACK_AFTER_US: u64 = 1_000_000;
/// Conversations that are acknowledged at one time, at most.
const ACKED_TOGETHER: usize = 64;

impl Driver {
    pub(super) fn hear(&mut self, at: usize, frame: &Frame) -> Result<(), &'static str> {
        match frame.what {
            What::Deliver => self.delivered(at, frame),
            What::SendAck => self.send_acked(at, frame),
            What::Error => return self.refused(at, frame),
            What::LoginAck => self.logged_in(at, frame),
            What::SyncPage | What::HistoryPage => self.page(at, frame),
            What::ConvPage => self.listed(at, frame),
            What::RoomState => self.entered(at, frame),
            What::Heads => self.heads(at, frame),
            What::Skipped => frame.items.iter().for_each(|item| self.skipped(at, item)),
            What::Kicked => return Err("kicked"),
            What::GoAway => {
                *self.counts.entry("sent_away".into()).or_default() += 1.0;
                self.hang_up(at, false, Some(frame.reconnect_after_ms * 1000));
            }
            What::Welcome => {}
            What::Other => {
                if let Some(Asked::Read(conv)) = self.conns.get_mut(at).and_then(|conn| conn.answered(frame.id)) {
                    *self.counts.entry("read_marks".into()).or_default() += 1.0;
                    self.judge.marked(at, conv);
                }
            }
        }
        Ok(())
    }

    fn user(&self, at: usize) -> u32 {
        self.users.get(at).copied().unwrap_or_default()
    }

    fn delivered(&mut self, at: usize, frame: &Frame) {
        self.timeline.pushed_us = self.now_us;
        let user = self.user(at);
        for entry in &frame.entries {
            let then = self.judge.saw(at, user, entry, How::Push);
            if let Some(own) = &entry.own {
                self.counter.delivered(self.flow(own.conv), own.due_us, self.arrived_us);
            }
            if then == Then::Hole
                && let Some(conv) = self.judge.number(entry.key)
            {
                self.suspects.push_back((self.now_us + SUSPECT_US, at, conv));
            }
            if entry.key.is_room() {
                continue;
            }
            let Some(conn) = self.conns.get_mut(at) else { return };
            if conn.pushes == 0 {
                self.unacked.push((self.now_us + ACK_AFTER_US, at));
            }
            conn.pushed(entry.key, entry.seq);
            if conn.pushes >= self.job.scenario.ack_every || conn.unacked.len() >= ACKED_TOGETHER {
                self.acknowledge(at);
            }
            self.mark_read(at, entry.key);
        }
    }

    /// Marks a conversation as read, once in so many pushes.
    fn mark_read(&mut self, at: usize, key: Key) {
        let (every, user) = (self.job.scenario.read_every, self.user(at));
        let Some(conn) = self.conns.get_mut(at).filter(|_| every > 0 && !self.paired.contains(&user)) else { return };
        conn.unread += 1;
        if conn.unread < every {
            return;
        }
        conn.unread = 0;
        let Some((conv, seq)) = self.judge.number(key).and_then(|conv| Some((conv, self.judge.marks(at, conv)?))) else { return };
        let id = conn.ask(Asked::Read(conv));
        conn.say(frames::read(id, key, seq).as_bytes(), self.now_us);
        self.mark_dirty(at);
    }

    fn acknowledge(&mut self, at: usize) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        if conn.unacked.is_empty() || conn.state != State::Ready {
            return;
        }
        self.scratch.clear();
        frames::ack(&conn.unacked, &mut self.scratch);
        conn.unacked.clear();
        conn.pushes = 0;
        conn.say(&self.scratch, self.now_us);
        self.mark_dirty(at);
    }

    /// Acknowledges what waits for so long.
    pub(super) fn acknowledge_late(&mut self) {
        let late = self.unacked.partition_point(|(due, _)| *due <= self.now_us);
        let late: Vec<(u64, usize)> = self.unacked.drain(..late).collect();
        for (_, at) in late {
            self.acknowledge(at);
        }
    }

    fn send_acked(&mut self, at: usize, frame: &Frame) {
        let asked = self.conns.get_mut(at).and_then(|conn| conn.answered(frame.id));
        let (Some(Asked::Send(flight)), Some(key)) = (asked, frame.key) else { return };
        self.in_flight -= 1;
        self.counter.acked(self.flow(flight.own.conv), flight.own.due_us, self.arrived_us);
        self.judge.acked(at, &flight.own, key, frame.seq, frame.msg_id, mix(flight.text, frame.msg_id));
    }

    fn refused(&mut self, at: usize, frame: &Frame) -> Result<(), &'static str> {
        let asked = self.conns.get_mut(at).and_then(|conn| conn.answered(frame.id));
        self.counter.error(&frame.code.to_string());
        match asked {
            Some(Asked::Send(flight)) if frame.retryable => self.hold(at, flight),
            Some(Asked::Send(flight)) => {
                self.in_flight -= 1;
                self.judge.refused(&flight.own);
            }
            Some(Asked::Pages(conv)) => {
                if let Some(conn) = self.conns.get_mut(at) {
                    conn.catching.retain(|of| *of != conv);
                }
                self.suspects.push_back((self.now_us + SUSPECT_US, at, conv));
            }
            Some(Asked::List) if self.phase == Phase::Proving => self.not_listed(at),
            Some(Asked::Ping | Asked::Read(_)) => {}
            Some(Asked::Enter(conv)) if frame.retryable => self.shut.push_back((self.now_us + SUSPECT_US, at, conv)),
            Some(Asked::List | Asked::Enter(_)) | None => {
                if frame.id <= 2
                    && !frame.retryable
                    && let Some(conn) = self.conns.get_mut(at)
                {
                    // The session may have ended.
                    conn.session = None;
                }
                return Err("refused");
            }
        }
        Ok(())
    }

    fn logged_in(&mut self, at: usize, frame: &Frame) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        if conn.state != State::LoggingIn {
            return;
        }
        (conn.state, conn.failed) = (State::Ready, 0);
        conn.session = Some(frame.text.clone());
        self.connecting -= 1;
        self.ready += 1;
        let rooms = conn.rooms.clone();
        self.found(at, &frame.items);
        for (conv, room) in rooms {
            self.enter(at, conv, room);
        }
        if frame.more {
            self.list(at, "");
        }
        self.step_done(at, 0);
    }

    fn enter(&mut self, at: usize, conv: u32, room: u64) {
        if let Some(conn) = self.conns.get_mut(at) {
            conn.set_up += 1;
            self.knock(at, conv, room);
        }
    }

    fn knock(&mut self, at: usize, conv: u32, room: u64) {
        let last = self.judge.have(at, conv);
        let Some(conn) = self.conns.get_mut(at) else { return };
        let id = conn.ask(Asked::Enter(conv));
        conn.say(frames::enter(id, room, last).as_bytes(), self.now_us);
        self.mark_dirty(at);
    }

    /// Goes to rooms again that did not let a device in.
    pub(super) fn knock_again(&mut self) {
        while let Some((due, at, conv)) = self.shut.front().copied()
            && due <= self.now_us
        {
            self.shut.pop_front();
            // A connection that was opened since goes there by itself.
            let conn = self.conns.get(at).filter(|conn| conn.since_us + SUSPECT_US < due && conn.state == State::Ready);
            if let Some((conv, room)) = conn.and_then(|conn| conn.rooms.iter().find(|(of, _)| *of == conv).copied()) {
                self.knock(at, conv, room);
            }
        }
    }

    pub(super) fn list(&mut self, at: usize, cursor: &str) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.set_up += 1;
        let id = conn.ask(Asked::List);
        conn.say(frames::list(id, cursor).as_bytes(), self.now_us);
        self.mark_dirty(at);
    }

    /// A step of the set-up is over.
    fn step_done(&mut self, at: usize, steps: u32) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.set_up = conn.set_up.saturating_sub(steps);
        conn.based |= conn.set_up == 0;
        self.send_unsent(at);
    }

    /// Where conversations stand, by a list: what the judgement begins with, or what is to be asked for.
    fn found(&mut self, at: usize, items: &[Item]) {
        let based = self.conns.get(at).is_some_and(|conn| conn.based);
        let user = self.user(at);
        for item in items {
            let conv = self.judge.number(item.key).or_else(|| {
                let peer = item.peer?;
                let conv = self.singles.get(&(user.min(peer), user.max(peer))).copied()?;
                self.judge.name(conv, item.key);
                Some(conv)
            });
            let Some(conv) = conv else { continue };
            if !based {
                self.judge.base(at, conv, item.head, item.unread);
            } else if self.judge.moved(at, conv, item.head) {
                self.want(at, conv);
            } else if self.phase == Phase::Proving {
                self.judge.unread(at, user, conv, item.head, item.unread);
            }
        }
    }

    fn listed(&mut self, at: usize, frame: &Frame) {
        if self.conns.get_mut(at).and_then(|conn| conn.answered(frame.id)).is_none() {
            return;
        }
        self.found(at, &frame.items);
        self.step_done(at, 1);
        if frame.more {
            self.list(at, &frame.text);
        } else if self.phase == Phase::Proving {
            self.listed_whole(at);
        }
    }

    fn entered(&mut self, at: usize, frame: &Frame) {
        let Some(Asked::Enter(conv)) = self.conns.get_mut(at).and_then(|conn| conn.answered(frame.id)) else { return };
        let head = frame.items.first().map_or(0, |item| item.head);
        if self.conns.get(at).is_some_and(|conn| conn.based) {
            self.judge.entered(at, conv, head);
        } else {
            self.judge.base(at, conv, head, 0);
        }
        self.step_done(at, 1);
    }

    fn heads(&mut self, at: usize, frame: &Frame) {
        *self.counts.entry("heads".into()).or_default() += 1.0;
        let mut unknown = frame.more;
        for item in &frame.items {
            match self.judge.number(item.key) {
                Some(conv) if self.judge.moved(at, conv, item.head) => self.want(at, conv),
                Some(_) => {}
                None => unknown = true,
            }
        }
        if !unknown {
            return;
        }
        self.list(at, "");
        for (conv, room) in self.conns.get(at).map(|conn| conn.rooms.clone()).unwrap_or_default() {
            self.judge.left(at, conv);
            self.enter(at, conv, room);
        }
    }

    fn skipped(&mut self, at: usize, item: &Item) {
        let Some(conv) = self.judge.number(item.key) else { return };
        if self.keepers.contains(&(at, conv)) {
            // One device of each room looks at all of it.
            self.judge.moved(at, conv, item.to);
            self.want(at, conv);
        } else {
            self.judge.skipped(at, conv, item.from, item.to);
        }
    }

    /// Entries of a conversation are missing: asked for, unless they are.
    pub(super) fn want(&mut self, at: usize, conv: u32) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        if !conn.wanted.contains(&conv) {
            conn.wanted.push(conv);
        }
        self.catch_up(at);
    }

    fn catch_up(&mut self, at: usize) {
        loop {
            let Some(conn) = self.conns.get_mut(at).filter(|conn| conn.state == State::Ready) else { return };
            let next = conn.wanted.iter().position(|conv| !conn.catching.contains(conv));
            let Some(place) = next.filter(|_| conn.catching.len() < CATCHING) else { return };
            let conv = conn.wanted.swap_remove(place);
            let Some(key) = self.judge.key(conv) else { continue };
            let after = self.judge.have(at, conv);
            conn.catching.push(conv);
            let id = conn.ask(Asked::Pages(conv));
            conn.say(frames::catch_up(id, key, after).as_bytes(), self.now_us);
            self.mark_dirty(at);
        }
    }

    fn page(&mut self, at: usize, frame: &Frame) {
        let Some(Asked::Pages(conv)) = self.conns.get_mut(at).and_then(|conn| conn.answered(frame.id)) else { return };
        let user = self.user(at);
        let since_us = self.conns.get(at).map_or(u64::MAX, |conn| conn.since_us);
        for entry in &frame.entries {
            // What was said while the device was away comes late by its own doing.
            if let Some(own) = entry.own.filter(|own| own.due_us >= since_us && !self.judge.holds(at, entry.key, entry.seq)) {
                self.counter.delivered(self.flow(own.conv), own.due_us, self.arrived_us);
            }
            // What it means is told by the page itself.
            _ = self.judge.saw(at, user, entry, How::Page);
        }
        if let Some(conn) = self.conns.get_mut(at) {
            conn.catching.retain(|of| *of != conv);
        }
        if let Some(item) = frame.items.first() {
            if item.code != 0 {
                self.counter.error(&item.code.to_string());
            }
            self.judge.covered(at, user, conv, item.from, item.to);
            if item.more || item.head > self.judge.have(at, conv) && item.to > 0 {
                self.want(at, conv);
            }
        }
        self.catch_up(at);
    }

    /// What was missing a while ago, and still is.
    pub(super) fn look_at_suspects(&mut self) {
        while let Some((due, at, conv)) = self.suspects.front().copied()
            && due <= self.now_us
        {
            self.suspects.pop_front();
            let busy = self.conns.get(at).is_none_or(|conn| conn.catching.contains(&conv) || conn.state != State::Ready);
            let Some(announced) = self.judge.hole(at, conv).filter(|_| !busy) else { continue };
            if self.conns.get(at).is_some_and(|conn| conn.sends_to(conv)) {
                self.suspects.push_back((self.now_us + SUSPECT_US, at, conv));
                continue;
            }
            if !announced {
                *self.counts.entry("unannounced".into()).or_default() += 1.0;
            }
            self.want(at, conv);
        }
    }

    /// Whether a device has everything that is known here, and asks for nothing.
    pub(super) fn is_level(&self, at: usize) -> bool {
        self.conns.get(at).is_some_and(|conn| conn.wanted.is_empty() && conn.catching.is_empty())
            && self.judge.behind(at).is_empty()
    }
}

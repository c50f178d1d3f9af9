//! Devices: what they do, what they hear, how they catch up.

use bytes::Bytes;
use mynah_domain::conversation::{Command, SendCommand, SendItem};
use mynah_domain::visibility::{self, View};
use mynah_oracle::{Ack, Seen, What};
use mynah_types::{Cmid, ConversationKey, MsgId, Seq};

use super::{CALM, Copied, LAST_WORD, World, viewer};
use crate::Broken;
use crate::device::{Place, Waiting};
use crate::event::{Event, Heard, user};
use crate::router::{Shown, Ticket};

/// Entries of a page.
const PAGE: usize = 5;
/// Hash of every content: it is told apart by the client message id.
const CONTENT: u64 = 7;

impl World {
    pub(super) fn act(&mut self, device: usize) {
        let connected = self.devices.get(device).is_some_and(|d| d.conn > 0);
        match self.dice.below(20) {
            _ if !connected => self.connect(device),
            // Nothing new: what is under way comes to rest.
            _ if !self.breaks() => return,
            0 => self.cut(device),
            1..=12 => self.write_one(device),
            _ => {}
        }
        let pause = if self.breaks() { self.pace } else { 50 };
        self.later(pause.min(CALM.saturating_sub(self.plan.now).max(50)), Event::Act(device));
    }

    pub(super) fn blink(&mut self) {
        let device = usize::try_from(self.dice.below(4)).unwrap_or(0);
        self.cut(device);
        self.connect(device);
        self.later(70, Event::Speak(device ^ 1));
    }

    /// A new message to the neighbour or the group.
    pub(super) fn write_one(&mut self, device: usize) {
        let key = if self.dice.once_in(2) { self.group } else { self.peer_chat(device) };
        let Some(d) = self.devices.get_mut(device) else { return };
        d.sent += 1;
        let cmid = format!("m{}", d.sent);
        self.oracle.offer(&key.to_string(), &viewer(user(device)), &cmid, &cmid);
        d.outbox.push_back(Waiting { key, cmid });
        if d.outbox.len() == 1 {
            self.send_first(device);
        }
    }

    /// Sends the oldest that is not answered: one at a time, in order.
    fn send_first(&mut self, device: usize) {
        let router = self.route();
        let Some(d) = self.devices.get(device).filter(|d| d.logged_in) else { return };
        let Some(Waiting { key, cmid }) = d.outbox.front() else { return };
        let Ok(id) = Cmid::parse(cmid) else { return };
        let item = SendItem {
            cmid: id,
            content_hash: CONTENT,
            payload: Bytes::from_static(b"text"),
            no_offline: false,
            unread_delta: 1,
            mentions: Vec::new(),
            mention_all: false,
            sensitive: false,
        };
        let (sender, origin_conn) = (user(device), d.conn);
        let send = SendCommand { sender, privileged: false, in_room: false, origin_conn, items: vec![item] };
        let ticket = Ticket::Device { device, conn: d.conn, cmid: cmid.clone() };
        let (key, command) = (*key, Command::Send(send));
        *self.copies.entry((device, key, cmid.clone())).or_default() += 1;
        self.later(10, Event::Arrive(router, key, command, ticket));
    }

    /// One copy of a send is not under way any more; true if another one is.
    pub(super) fn settled(&mut self, device: usize, key: ConversationKey, cmid: &str) -> bool {
        let copies = self.copies.entry((device, key, cmid.to_owned())).or_default();
        *copies = copies.saturating_sub(1);
        *copies > 0
    }

    /// Another copy was under way when one was refused, or left before that was heard.
    fn is_contested(&self, copied: &Copied) -> bool {
        self.contested.contains(copied) || self.copies.get(copied).is_some_and(|copies| *copies > 0)
    }

    pub(super) fn resend(&mut self, device: usize) {
        let waits = self.devices.get(device).is_some_and(|d| !d.outbox.is_empty());
        if waits {
            self.send_first(device);
        }
        if waits || self.plan.now <= LAST_WORD + 100 {
            let pause = 60 + self.dice.below(120);
            self.plan.after(pause, Event::Resend(device));
        }
    }

    pub(super) fn cut(&mut self, device: usize) {
        let Some(d) = self.devices.get_mut(device) else { return };
        let conn = d.conn;
        d.cut();
        // The gateway notices at once, or a little later: a login may come first.
        self.gateway.remove(user(device), device, conn);
    }

    fn connect(&mut self, device: usize) {
        self.conns += 1;
        let Some(d) = self.devices.get_mut(device) else { return };
        d.conn = self.conns;
        let conn = d.conn;
        self.later(10, Event::Login(device, conn, 0));
    }

    /// Subscribe, read the groups, join them, read where everything stands: in this order.
    pub(super) fn login(&mut self, device: usize, conn: u64, step: u8) {
        if self.devices.get(device).is_none_or(|d| d.conn != conn) {
            return;
        }
        let early = self.broken == Some(Broken::ReadBeforeSubscribe);
        let uid = user(device);
        match step {
            0 => {
                if early {
                    let heads = self.visible_heads(device);
                    self.with(device, |d| d.early_heads = heads);
                }
            }
            1 => self.gateway.register(uid, device, conn),
            2 => {
                let groups = self.directory.groups.iter();
                let joining = groups.filter_map(|(key, group)| Some((*key, *group.members.get(&uid)?))).collect();
                self.with(device, |d| d.joining = joining);
            }
            3 => {
                let joining = self.devices.get_mut(device).map(|d| std::mem::take(&mut d.joining)).unwrap_or_default();
                for (key, since) in joining {
                    self.gateway.join(key, uid, since);
                }
            }
            _ => {
                let heads = if early {
                    self.devices.get(device).map(|d| d.early_heads.clone()).unwrap_or_default()
                } else {
                    self.visible_heads(device)
                };
                self.say(device, conn, Heard::Heads(heads));
                return;
            }
        }
        let within = if step == 0 { 60 } else { 12 };
        self.later(within, Event::Login(device, conn, step + 1));
    }

    fn with(&mut self, device: usize, change: impl FnOnce(&mut crate::device::Device)) {
        if let Some(d) = self.devices.get_mut(device) {
            change(d);
        }
    }

    fn view(&self, device: usize, key: ConversationKey) -> Option<View> {
        let stored = self.log.conversations.get(&key)?;
        visibility::view(key, user(device), self.log.head(key), stored.members.get(&user(device)))
    }

    fn visible_heads(&self, device: usize) -> Vec<(ConversationKey, Seq)> {
        let keys = [self.peer_chat(device), self.group];
        keys.into_iter().filter_map(|key| Some((key, self.view(device, key)?.to))).collect()
    }

    /// Something is said to a connection: it arrives after everything that was said before.
    pub(super) fn say(&mut self, device: usize, conn: u64, heard: Heard) {
        let pause = 1 + self.dice.below(15);
        let at = self.plan.now + pause;
        let Some(d) = self.devices.get_mut(device) else { return };
        d.heard_at = at.max(d.heard_at);
        let at = d.heard_at;
        self.plan.at(at, Event::Hear(device, conn, heard));
    }

    pub(super) fn hear(&mut self, device: usize, conn: u64, heard: Heard) {
        if self.devices.get(device).is_none_or(|d| d.conn != conn) {
            return;
        }
        match heard {
            Heard::Entry(key, shown) => self.hear_entry(device, key, &shown),
            Heard::Answer(key, cmid, result) => self.hear_answer(device, key, cmid, result),
            Heard::Page(key, entries, from, to, head) => {
                for shown in &entries {
                    self.note(device, key, shown);
                }
                self.oracle.covered(&key.to_string(), &viewer(user(device)), from, to);
                self.with(device, |d| {
                    d.syncing.remove(&key);
                    d.has_up_to(key, to);
                    d.stands_at(key, head);
                });
                self.ask(device, key);
            }
            Heard::Heads(heads) => {
                self.with(device, |d| d.logged_in = true);
                for (key, head) in heads {
                    self.with(device, |d| d.stands_at(key, head));
                    self.ask(device, key);
                }
                self.send_first(device);
            }
        }
    }

    fn hear_entry(&mut self, device: usize, key: ConversationKey, shown: &Shown) {
        self.note(device, key, shown);
        self.placed(device, key, shown.seq);
    }

    /// The rule of seq: the next is taken, an older one is a repeat, a later one shows a hole.
    fn placed(&mut self, device: usize, key: ConversationKey, seq: Seq) {
        let Some(d) = self.devices.get_mut(device) else { return };
        match d.place(key, seq) {
            Place::Next => d.has_up_to(key, seq),
            Place::Old => {}
            Place::Hole if self.broken == Some(Broken::NoGapRule) => d.has_up_to(key, seq),
            Place::Hole => {
                d.stands_at(key, seq);
                self.ask(device, key);
            }
        }
    }

    fn hear_answer(&mut self, device: usize, key: ConversationKey, cmid: String, result: Result<(Seq, MsgId), bool>) {
        let (name, who) = (key.to_string(), viewer(user(device)));
        self.answered_at = self.plan.now;
        match result {
            Ok((seq, msg_id)) => {
                self.oracle.ack(&name, &who, &cmid, Ack { seq, msg_id: msg_id.0 });
                let shown = Shown { seq, msg_id, sender: user(device), cmid: Some(cmid.clone()) };
                self.note(device, key, &shown);
                self.placed(device, key, seq);
            }
            Err(true) if self.is_contested(&(device, key, cmid.clone())) => self.oracle.abandoned(&name, &who, &cmid),
            Err(true) => self.oracle.refused(&name, &who, &cmid),
            // It is sent again.
            Err(false) => return,
        }
        let Some(d) = self.devices.get_mut(device) else { return };
        if d.outbox.front().is_some_and(|first| first.cmid == cmid && first.key == key) {
            d.outbox.pop_front();
            self.send_first(device);
        }
    }

    fn note(&mut self, device: usize, key: ConversationKey, shown: &Shown) {
        let what = match &shown.cmid {
            Some(cmid) => What::Message { sender: viewer(shown.sender), cmid: cmid.clone(), content: cmid.clone() },
            None => What::Other("change".into()),
        };
        let seen = Seen { seq: shown.seq, msg_id: shown.msg_id.0, what };
        self.oracle.saw(&key.to_string(), &viewer(user(device)), seen);
    }

    /// Asks for what is missing, if nobody was asked.
    fn ask(&mut self, device: usize, key: ConversationKey) {
        let Some(d) = self.devices.get_mut(device).filter(|d| d.conn > 0) else { return };
        if !d.misses(key) {
            return;
        }
        d.syncing.insert(key);
        let (conn, after) = (d.conn, d.have.get(&key).copied().unwrap_or(0));
        self.later(10, Event::Sync(device, conn, key, after));
    }

    pub(super) fn sync(&mut self, device: usize, conn: u64, key: ConversationKey, after: Seq) {
        let Some(view) = self.view(device, key) else {
            self.say(device, conn, Heard::Page(key, Vec::new(), after + 1, after, after));
            return;
        };
        let entries = self.log.conversations.get(&key).map(|stored| stored.entries.as_slice()).unwrap_or_default();
        let visible = entries.iter().filter(|entry| entry.seq > after && entry.seq >= view.from && entry.seq <= view.to);
        let page: Vec<Shown> = visible.take(PAGE).map(Shown::from).collect();
        let ends = page.first().zip(page.last()).map(|(first, last)| (first.seq, last.seq));
        let (from, to) = visibility::cover(view, after, false, PAGE, ends);
        self.say(device, conn, Heard::Page(key, page, from, to, view.to));
    }
}

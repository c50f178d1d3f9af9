//! What a device knows: how far it holds each conversation, what it still has to send.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use mynah_oracle::{Ack, Dice, Seen, What};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Account, Answer, Command, Counts, Notes, Target, single};

/// The code of a send to a room that the connection is not in.
const NOT_INSIDE: u64 = 847_001;

/// A conversation as this device holds it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Its name in the notes.
    pub(super) name: String,
    /// Everything up to here is held.
    pub(super) have: u64,
    /// More than `have` is known to exist.
    pub(super) behind: bool,
    pub(super) syncing: bool,
    /// A room was entered before: from where it stood then everything is held, or was told to be left out and is asked for.
    pub(super) entered: bool,
    /// What is held of a room beyond a hole. It closes when what lacks is pushed, or was told and is read: nobody asks by himself.
    ahead: BTreeSet<u64>,
    /// A room is known to reach to here, by more than what was pushed.
    told: u64,
}

impl Conversation {
    /// Holds one more entry of a room.
    fn take(&mut self, seq: u64) {
        if seq > self.have {
            self.ahead.insert(seq);
        }
        self.reach(self.have);
    }

    /// Holds a room up to here.
    fn reach(&mut self, to: u64) {
        self.have = to.max(self.have);
        while let Some(next) = self.ahead.first().copied().filter(|next| *next <= self.have + 1) {
            self.ahead.pop_first();
            self.have = next.max(self.have);
        }
        self.behind = self.told > self.have;
    }

    /// A room reaches to here.
    fn tell(&mut self, head: u64) {
        self.told = head.max(self.told);
        self.behind = self.told > self.have;
    }
}

/// A message that is not answered yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) target: Target,
    pub(super) cmid: String,
    pub(super) text: String,
    pub(super) in_flight: bool,
    pub(super) tried: bool,
    pub(super) done: Option<oneshot::Sender<Answer>>,
}

pub(super) struct State {
    pub(super) account: Account,
    pub(super) notes: Notes,
    pub(super) counts: Arc<Counts>,
    pub(super) dice: Dice,
    tries: usize,
    pub(super) session: Option<String>,
    pub(super) conversations: HashMap<String, Conversation>,
    pub(super) outbox: VecDeque<Pending>,
    pub(super) rooms: Vec<u64>,
    /// What was received and not acknowledged to the server.
    pub(super) unacked: HashMap<String, u64>,
    /// Who waits until nothing is missing.
    pub(super) waiting: Vec<oneshot::Sender<()>>,
}

impl State {
    pub(super) fn new(account: Account, notes: Notes, counts: Arc<Counts>) -> Self {
        Self {
            account,
            notes,
            counts,
            dice: Dice::new(crate::any_seed()),
            tries: 0,
            session: None,
            conversations: HashMap::new(),
            outbox: VecDeque::new(),
            rooms: Vec::new(),
            unacked: HashMap::new(),
            waiting: Vec::new(),
        }
    }

    /// Where to connect: the address after the last one.
    pub(super) fn next_address(&mut self) -> Option<SocketAddr> {
        let address = self.account.addresses.get(self.tries % self.account.addresses.len().max(1)).copied();
        self.tries += 1;
        address
    }

    pub(super) fn take(&mut self, command: Command) {
        match command {
            Command::Send(target, cmid, text, done) => {
                let conversation = target.conversation(&self.account.username);
                self.notes.lock().offer(&conversation, &self.account.username, &cmid, &text);
                self.outbox.push_back(Pending { target, cmid, text, in_flight: false, tried: false, done: Some(done) });
            }
            Command::Enter(room) => self.rooms.push(room),
            Command::Idle(done) => self.waiting.push(done),
        }
    }

    /// The conversation of an entry or of a list's item, made known if it was not.
    pub(super) fn conversation(&mut self, conv_id: &str, target: &Value, from: &str) -> &mut Conversation {
        let own = &self.account.username;
        self.conversations.entry(conv_id.to_owned()).or_insert_with(|| {
            let id = text(target, "id");
            let name = match text(target, "type").as_str() {
                "single" => single(own, if id == *own { from } else { &id }),
                kind => format!("{kind} {id}"),
            };
            Conversation { name, ..Conversation::default() }
        })
    }

    /// Notes an entry; applies it if it is the next, or shows that there is a hole before it.
    pub(super) fn pushed(&mut self, entry: &Value) {
        Counts::add(&self.counts.pushed);
        let (conv_id, seq) = (text(entry, "conv_id"), number(entry, "seq"));
        let received = self.unacked.entry(conv_id.clone()).or_default();
        *received = seq.max(*received);
        let from = entry.get("from").map(|from| text(from, "username")).unwrap_or_default();
        let conversation = self.conversation(&conv_id, entry.get("target").unwrap_or(&Value::Null), &from);
        if is_room(&conv_id) {
            conversation.take(seq);
        } else if seq <= conversation.have + 1 {
            conversation.have = seq.max(conversation.have);
        } else {
            conversation.behind = true;
            // What lies beyond the hole comes again with the sync.
            return;
        }
        let name = conversation.name.clone();
        self.note(&name, entry);
    }

    pub(super) fn note(&self, conversation: &str, entry: &Value) {
        self.notes.lock().saw(conversation, &self.account.username, seen(entry));
    }

    /// A conversation was covered by a page: what it holds, and how far that goes.
    pub(super) fn covered(&mut self, item: &Value) {
        let conv_id = text(item, "conv_id");
        let entries = item.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(conversation) = self.conversations.get_mut(&conv_id) else { return };
        let (from, to) = (number(item, "from_seq"), number(item, "covered_to"));
        conversation.syncing = false;
        conversation.have = to.max(conversation.have);
        conversation.behind = flag(item, "more") || number(item, "head_seq") > conversation.have;
        let name = conversation.name.clone();
        for entry in &entries {
            self.note(&name, entry);
        }
        if from > 0 {
            self.notes.lock().covered(&name, &self.account.username, from, to);
        }
        self.unacked.insert(conv_id, to);
    }

    /// A room was entered, again or for the first time: from then on everything is pushed, or told.
    pub(super) fn entered(&mut self, room: u64, answer: &Value) {
        let (conv_id, head) = (text(answer, "conv_id"), number(answer, "head_seq"));
        let (whole, own) = (self.account.whole_rooms, self.account.username.clone());
        let target = serde_json::json!({"type": "chatroom", "id": room.to_string()});
        let conversation = self.conversation(&conv_id, &target, "");
        let (name, first) = (conversation.name.clone(), !std::mem::replace(&mut conversation.entered, true));
        if first && !whole {
            conversation.reach(head);
        }
        let entries = answer.get("entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for entry in entries {
            conversation.take(number(entry, "seq"));
        }
        conversation.tell(head);
        for entry in entries {
            self.note(&name, entry);
        }
        if first && !whole {
            self.notes.lock().must_see(&name, &own, head + 1, u64::MAX);
        }
    }

    /// A page of a room's history.
    pub(super) fn room_page(&mut self, page: &Value) {
        let conv_id = text(page, "conv_id");
        let entries = page.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(conversation) = self.conversations.get_mut(&conv_id) else { return };
        conversation.syncing = false;
        let (from, to) = (number(page, "from_seq"), number(page, "to_seq"));
        if from == 0 {
            // There is no more than what is held.
            conversation.told = conversation.have;
        }
        for entry in &entries {
            conversation.take(number(entry, "seq"));
        }
        conversation.reach(if from <= conversation.have + 1 { to } else { 0 });
        let name = conversation.name.clone();
        for entry in &entries {
            self.note(&name, entry);
        }
        if from > 0 {
            self.notes.lock().covered(&name, &self.account.username, from, to);
        }
    }

    /// A conversation is known to reach to `head`. False if this device does not know the conversation.
    pub(super) fn moved(&mut self, conv_id: &str, head: u64) -> bool {
        let Some(conversation) = self.conversations.get_mut(conv_id) else { return false };
        if is_room(conv_id) {
            conversation.tell(head);
        } else {
            conversation.behind |= head > conversation.have;
        }
        true
    }

    /// These are all of the list: groups that are not among them were left, and what was said until then is asked for.
    pub(super) fn left(&mut self, listed: &HashSet<String>) {
        let gone = |conv_id: &str| conv_id.starts_with("g.") && !listed.contains(conv_id);
        for (_, conversation) in self.conversations.iter_mut().filter(|(conv_id, _)| gone(conv_id)) {
            conversation.behind = true;
        }
    }

    /// Tells those who wait, if nothing is missing.
    pub(super) fn settle(&mut self) {
        if self.outbox.is_empty() && self.conversations.values().all(|c| !c.behind && !c.syncing) {
            for waiting in self.waiting.drain(..) {
                // Nobody may wait any more.
                _ = waiting.send(());
            }
        }
    }

    /// A send was answered: its entry has its place.
    pub(super) fn answered(&mut self, cmid: &str, ack: &Value) {
        let Some(at) = self.outbox.iter().position(|p| p.cmid == cmid) else { return };
        let Some(pending) = self.outbox.remove(at) else { return };
        let own = self.account.username.clone();
        let name = pending.target.conversation(&own);
        let (conv_id, seq, msg_id) = (text(ack, "conv_id"), number(ack, "seq"), number(ack, "msg_id"));
        if flag(ack, "duplicate") {
            Counts::add(&self.counts.duplicates);
        }
        let what = What::Message { sender: own.clone(), cmid: pending.cmid.clone(), content: pending.text.clone() };
        let mut notes = self.notes.lock();
        notes.ack(&name, &own, &pending.cmid, Ack { seq, msg_id });
        notes.saw(&name, &own, Seen { seq, msg_id, what });
        drop(notes);
        let conversation =
            self.conversations.entry(conv_id.clone()).or_insert_with(|| Conversation { name, ..Conversation::default() });
        if is_room(&conv_id) {
            conversation.take(seq);
        } else if seq == conversation.have + 1 {
            conversation.have = seq;
        } else if seq > conversation.have {
            conversation.behind = true;
        }
        if let Some(done) = pending.done {
            // Nobody may wait for it.
            _ = done.send(Ok(conv_id));
        }
    }

    /// A send was refused: for good, or until it is tried again.
    pub(super) fn refused(&mut self, cmid: &str, error: &Value) {
        let Some(at) = self.outbox.iter().position(|p| p.cmid == cmid) else { return };
        if flag(error, "retryable") {
            if let Some(pending) = self.outbox.get_mut(at) {
                pending.in_flight = false;
            }
        } else if let Some(pending) = self.outbox.remove(at) {
            let own = &self.account.username;
            let (name, code) = (pending.target.conversation(own), number(error, "code"));
            // A connection that did not get into its room may not speak there. Nothing else is against what a run sends.
            if code == NOT_INSIDE {
                self.notes.lock().refused(&name, own, &pending.cmid);
            } else {
                Counts::add(&self.counts.refused);
                self.notes.lock().refused_wrongly(&name, own, &pending.cmid, &error.to_string());
            }
            if let Some(done) = pending.done {
                // Nobody may wait for it.
                _ = done.send(Err(code));
            }
        }
    }
}

/// Rooms are pushed without acknowledgements, and tell what they leave out.
pub(super) fn is_room(conv_id: &str) -> bool {
    conv_id.starts_with("r.")
}

fn seen(entry: &Value) -> Seen {
    let message = entry.get("message").filter(|_| !flag(entry, "retracted"));
    let what = match message.and_then(|message| message.get("msg_body")) {
        Some(body) => What::Message {
            sender: entry.get("from").map(|from| text(from, "username")).unwrap_or_default(),
            cmid: text(entry, "cmid"),
            content: text(body, "text"),
        },
        None => What::Other(entry.get("event").map_or_else(String::new, ToString::to_string)),
    };
    Seen { seq: number(entry, "seq"), msg_id: number(entry, "msg_id"), what }
}

pub(super) fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

pub(super) fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

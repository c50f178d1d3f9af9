//! What happened, as clients tell it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::verdict::Verdict;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A message: its sender, his client message id, and a text or a hash that stands for its content.
    Message {
        /// Who sent it.
        sender: String,
        /// His id for it.
        cmid: String,
        /// Its content.
        content: String,
    },
    /// Anything else that has a place: a change of members, a retraction.
    Other(String),
}

/// An entry as one viewer saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Its place.
    pub seq: u64,
    /// Its id.
    pub msg_id: u64,
    /// What it is.
    pub what: What,
}

/// The answer to a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The place.
    pub seq: u64,
    /// The id.
    pub msg_id: u64,
}

/// What one viewer saw of one conversation.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) seqs: BTreeSet<u64>,
    /// Ranges that he was told to hold whole, ends included.
    pub(crate) covered: Vec<(u64, u64)>,
}

/// The send of one message.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) content: String,
    /// The place among the sender's offers to this conversation.
    pub(crate) ordinal: u64,
    pub(crate) acks: Vec<Ack>,
    pub(crate) refused: bool,
    pub(crate) abandoned: bool,
}

/// One call of an app's server that sends a message. What marks it is its content: the id that the message bears inside is not the caller's.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) sender: String,
    /// The place among the sender's calls to this conversation.
    pub(crate) ordinal: u64,
    /// The ids that it was answered with; none while there is no answer.
    pub(crate) ids: Vec<u64>,
    /// It was refused for good, or would have to be.
    pub(crate) refused: bool,
}

/// A stretch of a conversation, ends included.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stretch {
    /// From one place to another.
    Places(u64, u64),
    /// From one message's id to another's, where that is all that a client was told.
    Ids(u64, u64),
}

impl Stretch {
    pub(crate) fn holds(self, seq: u64, msg_id: Option<u64>) -> bool {
        match self {
            Self::Places(from, to) => (from..=to).contains(&seq),
            Self::Ids(from, to) => msg_id.is_some_and(|id| (from..=to).contains(&id)),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// By sender and client message id.
    pub(crate) offers: HashMap<(String, String), Offer>,
    pub(crate) offered_by: HashMap<String, u64>,
    /// By content.
    pub(crate) calls: HashMap<String, Call>,
    /// What was refused for good and ought to have been taken, in words.
    pub(crate) refusals: Vec<String>,
    /// Every entry that anybody saw, by place; more than one at a place is a fault.
    pub(crate) entries: BTreeMap<u64, BTreeSet<Seen>>,
    pub(crate) views: BTreeMap<String, View>,
    /// What a viewer may see; no row = nothing, unless the conversation is open to all.
    pub(crate) rights: BTreeMap<String, Vec<Stretch>>,
    /// The same for what he must have.
    pub(crate) duties: BTreeMap<String, Vec<Stretch>>,
    pub(crate) open: bool,
}

/// Notes of a run.
#[derive(Debug, Default)]
pub struct Oracle {
    pub(crate) conversations: BTreeMap<String, Conversation>,
}

impl Oracle {
    /// Nothing happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn conversation(&mut self, id: &str) -> &mut Conversation {
        if !self.conversations.contains_key(id) {
            self.conversations.insert(id.to_owned(), Conversation::default());
        }
        self.conversations.entry(id.to_owned()).or_default()
    }

    /// A viewer may see a conversation from one place to another, ends included, and must have what is acknowledged there.
    pub fn must_see(&mut self, conversation: &str, viewer: &str, from: u64, to: u64) {
        self.conversation(conversation).duties.entry(viewer.to_owned()).or_default().push(Stretch::Places(from, to));
        self.may_see(conversation, viewer, from, to);
    }

    /// A viewer may see a conversation from one place to another, ends included; more than once adds up.
    pub fn may_see(&mut self, conversation: &str, viewer: &str, from: u64, to: u64) {
        self.conversation(conversation).rights.entry(viewer.to_owned()).or_default().push(Stretch::Places(from, to));
    }

    /// A viewer may see what lies between two messages, by their ids, these not included, and must have what is acknowledged between two
    /// others, these included: a stay of which clients know what was said before, in and after it.
    pub fn stay(&mut self, conversation: &str, viewer: &str, may: (u64, u64), must: (u64, u64)) {
        let conversation = self.conversation(conversation);
        let between = Stretch::Ids(may.0.saturating_add(1), may.1.saturating_sub(1));
        conversation.rights.entry(viewer.to_owned()).or_default().push(between);
        conversation.duties.entry(viewer.to_owned()).or_default().push(Stretch::Ids(must.0, must.1));
    }

    /// Anybody may see a conversation, and nobody has to unless it is said of him: a chatroom.
    pub fn open_to_all(&mut self, conversation: &str) {
        self.conversation(conversation).open = true;
    }

    /// A message is about to be sent for the first time. A sender's offers to a conversation come in the order in which he sends.
    pub fn offer(&mut self, conversation: &str, sender: &str, cmid: &str, content: &str) {
        let conversation = self.conversation(conversation);
        let next = conversation.offered_by.entry(sender.to_owned()).or_default();
        *next += 1;
        let offer = Offer { content: content.to_owned(), ordinal: *next, acks: Vec::new(), refused: false, abandoned: false };
        conversation.offers.entry((sender.to_owned(), cmid.to_owned())).or_insert(offer);
    }

    /// A send was answered. It must have been offered before.
    pub fn ack(&mut self, conversation: &str, sender: &str, cmid: &str, ack: Ack) {
        let offers = &mut self.conversation(conversation).offers;
        if let Some(offer) = offers.get_mut(&(sender.to_owned(), cmid.to_owned())) {
            offer.acks.push(ack);
        }
    }

    /// A send was refused for good. It must have been offered before.
    pub fn refused(&mut self, conversation: &str, sender: &str, cmid: &str) {
        let offers = &mut self.conversation(conversation).offers;
        if let Some(offer) = offers.get_mut(&(sender.to_owned(), cmid.to_owned())) {
            offer.refused = true;
        }
    }

    /// A send was refused for good, and nothing was against it.
    pub fn refused_wrongly(&mut self, conversation: &str, sender: &str, cmid: &str, why: &str) {
        self.refused(conversation, sender, cmid);
        self.conversation(conversation).refusals.push(format!("{sender}'s {cmid} was refused: {why}"));
    }

    /// An app's server is about to send a message, of a content that no other message has. A sender makes a call when the one before is
    /// over.
    pub fn call(&mut self, conversation: &str, sender: &str, content: &str) {
        let conversation = self.conversation(conversation);
        let next = conversation.offered_by.entry(sender.to_owned()).or_default();
        *next += 1;
        let call = Call { sender: sender.to_owned(), ordinal: *next, ids: Vec::new(), refused: false };
        conversation.calls.entry(content.to_owned()).or_insert(call);
    }

    /// Its call was answered with the message's id.
    pub fn call_answered(&mut self, conversation: &str, content: &str, msg_id: u64) {
        if let Some(call) = self.conversation(conversation).calls.get_mut(content) {
            call.ids.push(msg_id);
        }
    }

    /// Its call was refused for good, or is to be: the message must not be there.
    pub fn call_refused(&mut self, conversation: &str, content: &str) {
        if let Some(call) = self.conversation(conversation).calls.get_mut(content) {
            call.refused = true;
        }
    }

    /// Its call was refused for good, and nothing was against it.
    pub fn call_refused_wrongly(&mut self, conversation: &str, content: &str, why: &str) {
        self.call_refused(conversation, content);
        self.conversation(conversation).refusals.push(format!("the call {content} was refused: {why}"));
    }

    /// A sender gave up on a send of which a copy may still be under way: it may yet take effect, anywhere in the order.
    pub fn abandoned(&mut self, conversation: &str, sender: &str, cmid: &str) {
        let offers = &mut self.conversation(conversation).offers;
        if let Some(offer) = offers.get_mut(&(sender.to_owned(), cmid.to_owned())) {
            offer.abandoned = true;
        }
    }

    /// A viewer was given an entry, pushed or asked for.
    pub fn saw(&mut self, conversation: &str, viewer: &str, seen: Seen) {
        let conversation = self.conversation(conversation);
        conversation.views.entry(viewer.to_owned()).or_default().seqs.insert(seen.seq);
        conversation.entries.entry(seen.seq).or_default().insert(seen);
    }

    /// A viewer was told that he holds everything from one place to another, ends included.
    pub fn covered(&mut self, conversation: &str, viewer: &str, from: u64, to: u64) {
        if from <= to {
            self.conversation(conversation).views.entry(viewer.to_owned()).or_default().covered.push((from, to));
        }
    }

    /// Messages that were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.acknowledged_ids().count()
    }

    /// The conversation and the id of each message that was acknowledged.
    pub fn acknowledged_ids(&self) -> impl Iterator<Item = (&str, u64)> {
        self.conversations.iter().flat_map(|(name, conversation)| {
            let sent = conversation.offers.values().filter_map(|offer| Some(offer.acks.first()?.msg_id));
            let called = conversation.calls.values().filter_map(|call| call.ids.first().copied());
            sent.chain(called).map(|id| (name.as_str(), id))
        })
    }

    /// Whether a viewer has an entry of this id.
    #[must_use]
    pub fn has(&self, conversation: &str, viewer: &str, msg_id: u64) -> bool {
        let Some(conversation) = self.conversations.get(conversation) else { return false };
        let is_it = |seq: &u64| conversation.entries.get(seq).is_some_and(|seen| seen.iter().any(|s| s.msg_id == msg_id));
        conversation.views.get(viewer).is_some_and(|view| view.seqs.iter().rev().any(is_it))
    }

    /// Judges all of it.
    #[must_use]
    pub fn judge(&self) -> Verdict {
        crate::judge::judge(self)
    }
}

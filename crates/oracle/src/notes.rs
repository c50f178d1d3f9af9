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

#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// By sender and client message id.
    pub(crate) offers: HashMap<(String, String), Offer>,
    pub(crate) offered_by: HashMap<String, u64>,
    /// Every entry that anybody saw, by place; more than one at a place is a fault.
    pub(crate) entries: BTreeMap<u64, BTreeSet<Seen>>,
    pub(crate) views: BTreeMap<String, View>,
    /// From and until which place a viewer may see; no row = nothing, unless the conversation is open to all.
    pub(crate) rights: BTreeMap<String, Vec<(u64, u64)>>,
    /// The same for what he must have.
    pub(crate) duties: BTreeMap<String, Vec<(u64, u64)>>,
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
        self.conversation(conversation).duties.entry(viewer.to_owned()).or_default().push((from, to));
        self.may_see(conversation, viewer, from, to);
    }

    /// A viewer may see a conversation from one place to another, ends included; more than once adds up.
    pub fn may_see(&mut self, conversation: &str, viewer: &str, from: u64, to: u64) {
        self.conversation(conversation).rights.entry(viewer.to_owned()).or_default().push((from, to));
    }

    /// Anybody may see a conversation, and nobody has to: a chatroom.
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
        self.conversations.values().flat_map(|c| c.offers.values()).filter(|offer| !offer.acks.is_empty()).count()
    }

    /// Judges all of it.
    #[must_use]
    pub fn judge(&self) -> Verdict {
        crate::judge::judge(self)
    }
}

//! A device: keeps what it has by seq, sends again under the same id, comes and goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mynah_types::{ConversationKey, Seq};

/// A message that is not answered.
pub(crate) struct Waiting {
    pub(crate) key: ConversationKey,
    pub(crate) cmid: String,
}

#[derive(Default)]
pub(crate) struct Device {
    /// The connection; 0 while there is none.
    pub(crate) conn: u64,
    pub(crate) logged_in: bool,
    pub(crate) have: BTreeMap<ConversationKey, Seq>,
    /// Where each conversation is known to stand.
    pub(crate) heads: BTreeMap<ConversationKey, Seq>,
    pub(crate) syncing: BTreeSet<ConversationKey>,
    pub(crate) outbox: VecDeque<Waiting>,
    pub(crate) sent: u64,
    /// Groups that a login under way read, with the version that brought the user in.
    pub(crate) joining: Vec<(ConversationKey, u64)>,
    /// What the variant reads before it subscribes.
    pub(crate) early_heads: Vec<(ConversationKey, Seq)>,
    /// When the last thing said to this connection arrives: they arrive in order.
    pub(crate) heard_at: u64,
}

/// What a pushed entry is to a device.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Next,
    Old,
    Hole,
}

impl Device {
    pub(crate) fn place(&self, key: ConversationKey, seq: Seq) -> Place {
        match seq.cmp(&(self.have.get(&key).copied().unwrap_or(0) + 1)) {
            std::cmp::Ordering::Equal => Place::Next,
            std::cmp::Ordering::Less => Place::Old,
            std::cmp::Ordering::Greater => Place::Hole,
        }
    }

    pub(crate) fn has_up_to(&mut self, key: ConversationKey, seq: Seq) {
        let have = self.have.entry(key).or_default();
        *have = seq.max(*have);
    }

    pub(crate) fn stands_at(&mut self, key: ConversationKey, seq: Seq) {
        let head = self.heads.entry(key).or_default();
        *head = seq.max(*head);
    }

    /// Whether more of a conversation is known to exist than is held, and nobody was asked for it.
    pub(crate) fn misses(&self, key: ConversationKey) -> bool {
        self.heads.get(&key) > self.have.get(&key).or(Some(&0)) && !self.syncing.contains(&key)
    }

    pub(crate) fn cut(&mut self) {
        self.conn = 0;
        self.logged_in = false;
        self.syncing.clear();
    }
}
